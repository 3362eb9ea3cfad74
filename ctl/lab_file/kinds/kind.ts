/**
 * What a kind of resource is to a lab file. Each kind is one file beside this one, with the schema
 * of its part of a file and one `LabKind`; registry.ts lists them, ../schema.ts has the part.
 *
 *     file part ─ references, normal ─▶ fields ◀─ read ─ what EC2 describes ◀─ list
 *                                          │
 *               create ─ changes ─ remove ─┘ calls of EC2             write ─▶ file part
 *
 * `order` ranks kinds: what others need comes first, and goes last.
 */
import type { Tag } from '@aws-sdk/client-ec2'
import type { Ec2Client } from '../../ec2_client.ts'
import type { Route53Client } from '../../route53_client.ts'
import type { FieldChange } from '../plan.ts'
import { type Fields, keyOf, type LiveResource, type Resource, type Zones } from '../resource.ts'
import type { Session } from '../session.ts'
import type { Kind } from './registry.ts'

export type Change = (session: Session, live: LiveResource, change: FieldChange,
  resource: Resource) => Promise<void>

export interface LabKind<Thing = unknown> {
  /** Key of the file, or of a VPC in it, under which resources of the kind stand by name. */
  readonly section: string
  /** EC2 makes it in a VPC, or in the account: it stands in a VPC of the file, or beside them. */
  readonly place: 'vpc' | 'file'
  /** What sentences call one. */
  readonly word: string
  readonly order: number
  /** `last`: it outlives those that use it, unless what it stands in goes. */
  readonly goes: 'first' | 'last'
  /** Name of the one that is there without being made: neither made nor deleted, only changed. */
  readonly born?: string
  /** It needs what round 1 makes (rounds.ts). */
  readonly createdLate?: true
  /** When its fields are changed: what others are made in; the rest; what needs instances. */
  readonly changed: 'before-others' | 'between' | 'after-instances'
  /** Fields of a new one that sets nothing. */
  readonly created: Fields
  /** A change of one of these makes it anew. */
  readonly immutable: readonly string[]
  /** What goes with it when it is made anew. */
  readonly lost: string
  /** Field with the name of the VPC that it is attached to, and moves to another one with. */
  readonly attachedBy?: string

  /** The part of a file in the form that is compared. */
  normal? (part: Fields, zones: Zones): Fields
  /** Names each name that the part says of something else. */
  references? (part: Fields, refer: Refer): void
  /** What else than its VPC it stands in and is made anew with. */
  holders? (resource: Resource): readonly Holder[]
  /** Whether a change needs a new one, beyond `immutable`. */
  needsReplacement? (change: FieldChange, resource: Resource): boolean
  /** Why a field that differs cannot be changed and is not worth a new one: `which EC2 …`. */
  refusal? (change: FieldChange): string | undefined
  /** Comparisons of fields whose text alone does not say whether they differ. */
  readonly agrees?: Readonly<Record<string, Agreement>>
  /** Fields of which the file may say a part: the rest of the map, or of maps in a list, stays. */
  readonly partial?: readonly string[]

  list (clients: Clients): Promise<readonly Thing[]>
  /** null for what is no resource of a file. */
  identify (thing: Thing, lab: LabReader): Identity | null
  read (thing: Thing, lab: LabReader): Fields | Promise<Fields>
  /** What a live one has besides fields. */
  more? (thing: Thing, lab: LabReader): Partial<LiveResource>
  /** The fields as a file says them. */
  write? (fields: Fields): Fields
  /** The fields without what they name and a file has not: `place` is another VPC. */
  without? (fields: Fields,
    isMissing: (kind: Kind, name: string, place?: string) => boolean): Fields
  /** Fields that are written although a new one has the same: EC2 gives another one each time. */
  readonly alwaysWritten?: readonly string[]
  /** Fields of the one that is born, as it was then. */
  bornFields? (hasIpv6: boolean): Fields

  /** @returns the id of the new one */
  create (session: Session, resource: Resource): Promise<string | undefined>
  /** What a changed field is in calls. */
  readonly changes: Readonly<Record<string, Change>>
  /** Fields whose changes go together, once the others are made. */
  readonly changedTogether?: ReadonlySet<string>
  changeTogether? (session: Session, live: LiveResource, changes: readonly FieldChange[],
    resource: Resource): Promise<void>
  /** Deletes it, and undoes before what EC2 wants undone. */
  remove (session: Session, live: LiveResource): Promise<void>
  /** What has to be undone of all that go before the first of them goes. */
  prepareRemoval? (session: Session, live: LiveResource): Promise<void>
}

export type Agreement = (wanted: unknown, live: unknown) => boolean

export interface Holder {
  readonly key: string
  /** What it is to the resource: `its eth0`. */
  readonly as?: string
}

export function holder (kind: Kind, vpc: string | null, name: unknown): Holder[] {
  return typeof name === 'string' ? [{ key: keyOf(kind, vpc, name) }] : []
}

/** Where names of a file are looked for. `at`: keys and indices inside the part. */
export interface Refer {
  /** In the VPC of the part, or in the file, by what the kind's place is. */
  to (kind: Kind, name: unknown, ...at: PropertyKey[]): void
  all (kind: Kind, names: unknown, ...at: PropertyKey[]): void
  inVpc (kind: Kind, vpc: string, name: unknown, ...at: PropertyKey[]): void
  /** `vpc/name` */
  byPath (kind: Kind, path: unknown, ...at: PropertyKey[]): void
}

/** The APIs by which a lab is read and changed. */
export interface Clients {
  readonly ec2: Ec2Client
  readonly route53: Route53Client
  readonly region: string
}

/** Who a described thing is. */
export interface Identity {
  readonly id: string
  /** undefined: it is of the account. */
  readonly vpcId: string | undefined
  readonly tags: readonly Tag[] | undefined
  /** The name that it should have; its Name tag where this is undefined. */
  readonly name?: string
  /** It is the one that is there without being made. */
  readonly isBorn?: boolean
}

/** A lab while it is read. */
export interface LabReader {
  readonly clients: Clients
  /** All that EC2 describes of a kind. */
  all<Thing> (kind: LabKind<Thing>): readonly Thing[]
  isDefaultVpc (id: string | undefined): boolean
  /** Whether the file can name it. */
  knows (id: string | undefined): boolean
  /** Its name; the id itself where the file has none for it. */
  nameOf (id: string | undefined): string
  kindOf (id: string | undefined): Kind | undefined
  /** `vpc/name`. Precondition: it is known. */
  pathOf (id: string): string
  /** Whether a field is wanted that costs a call of its own. */
  wantsUserData (id: string): boolean
  /** Notes what a file cannot say of the lab, as a sentence. */
  unsaid (sentence: string): void
}

/** A map of which `wanted` may be a part: what of it is there. */
export function seenOf (wanted: unknown, live: unknown): unknown {
  if (Array.isArray(wanted) && Array.isArray(live)) {
    return live.map((item, index) =>
      index < wanted.length ? seenOf(wanted[index], item) : item as unknown)
  }
  if (typeof wanted !== 'object' || wanted === null || typeof live !== 'object' || live === null) {
    return live
  }
  return Object.fromEntries(Object.keys(wanted).map((key) => {
    const [inner, there] = [wanted, live].map((map) => (map as Record<string, unknown>)[key])
    return [key, seenOf(inner, there)]
  }))
}
