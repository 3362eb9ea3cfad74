/**
 * The live lab as resources (resource.ts): what the APIs describe, with names for ids. What is read
 * of each kind, its file in kinds/ says.
 *
 * A name is a Name tag (a security group's own name, a zone's domain), unique within its VPC, or
 * in the account. What has none, or one that another resource got first, is named by its id, or,
 * for an export, by a made-up name. Of two with one name, the one that the file owns has it; of two
 * that nobody owns neither does, and a file that means one of them is told so. The default VPC and
 * what is in it is not a file's, nor are ENIs that gateways manage.
 */
import type { Tag } from '@aws-sdk/client-ec2'
import type { Ec2Client } from '../ec2_client.ts'
import { nameOf } from '../resolve.ts'
import { boundedAll } from './bounded.ts'
import type { Clients, Identity, LabKind, LabReader } from './kinds/kind.ts'
import { KIND_NAMES, type Kind, KINDS } from './kinds/registry.ts'
import { type Fields, keyOf, type LiveResource, pathOf, type Zones } from './resource.ts'
import { OWNER_TAG } from './schema_parts.ts'

export interface LiveLab {
  readonly resources: ReadonlyMap<string, LiveResource>
  /** Keys that several resources could have, with their ids. */
  readonly ambiguous: ReadonlyMap<string, readonly string[]>
  readonly zones: Zones
  /** What a file cannot say, in sentences. */
  readonly unsaid: readonly string[]
}

export const EMPTY_LAB: LiveLab =
  { resources: new Map(), ambiguous: new Map(), zones: new Map(), unsaid: [] }

export interface ReadOptions {
  /** The file whose resources have their names before others. */
  readonly owner: string | null
  /** Made-up names, not ids, for what has none. */
  readonly madeUpNames: boolean
  /** Instances whose user data is read, by key: one call each. */
  readonly wantsUserData: (key: string) => boolean
}

type Things = ReadonlyMap<Kind, readonly unknown[]>

/** A described thing that is a resource. */
interface Found {
  readonly kind: Kind
  readonly thing: unknown
  readonly identity: Identity
}

export async function readLab (clients: Clients, options: ReadOptions): Promise<LiveLab> {
  const [listed, zones, defaultVpcs] = await Promise.all([
    Promise.all(KIND_NAMES.map(async (kind) => [kind, await KINDS[kind].list(clients)] as const)),
    readZones(clients.ec2), defaultVpcIds(clients.ec2)
  ])
  const reader = new Reader(clients, new Map(listed), defaultVpcs, options)
  const found = reader.identifyAll()
  const resources = await boundedAll(found, (one) => reader.resource(one))
  return {
    resources: new Map(resources.map((resource) =>
      [keyOf(resource.kind, resource.vpc, resource.name), resource])),
    ambiguous: reader.names.ambiguous,
    zones,
    unsaid: reader.sentences
  }
}

async function readZones (ec2: Ec2Client): Promise<Zones> {
  const { AvailabilityZones = [] } = await ec2.call('DescribeAvailabilityZones', {})
  return new Map(AvailabilityZones.flatMap(({ ZoneId = '', ZoneName = '' }) => [
    [ZoneId, ZoneId], [ZoneName, ZoneId], [/\d+$/.exec(ZoneId)?.[0] ?? ZoneId, ZoneId]
  ] as const))
}

async function defaultVpcIds (ec2: Ec2Client): Promise<ReadonlySet<string>> {
  const { Vpcs = [] } =
    await ec2.call('DescribeVpcs', { Filter: [{ Name: 'is-default', Value: ['true'] }] })
  return new Set(Vpcs.map(({ VpcId = '' }) => VpcId))
}

interface Named {
  readonly kind: Kind
  readonly vpc: string | null
  readonly id: string
  /** Empty when it has none. */
  readonly wanted: string
  readonly owner: string | null
}

/** Gives each resource a name that no other one of its kind and VPC has. */
class Names {
  readonly ambiguous = new Map<string, readonly string[]>()
  readonly #options: ReadOptions
  readonly #byId = new Map<string, { kind: Kind, vpc: string | null, name: string }>()
  readonly #taken = new Set<string>()

  constructor (options: ReadOptions) { this.#options = options }

  /** @param id of a resource */
  get (id: string | undefined): { kind: Kind, vpc: string | null, name: string } | undefined {
    return this.#byId.get(id ?? '')
  }

  /** All of one kind, but those that are born. */
  give (resources: readonly Named[]): void {
    const rivals = Map.groupBy(resources.filter(({ wanted }) => wanted !== ''),
      ({ kind, vpc, wanted }) => keyOf(kind, vpc, wanted))
    for (const [key, named] of rivals) {
      if (this.#taken.has(key)) continue // It is born with the VPC.
      const own = named.filter(({ owner }) => owner !== null && owner === this.#options.owner)
      const [first] = own.length > 0 || this.#options.madeUpNames ? [...own, ...named] : named
      if (named.length > 1 && own.length === 0 && !this.#options.madeUpNames) {
        this.ambiguous.set(key, named.map(({ id }) => id))
      } else if (first !== undefined) {
        this.take(first, first.wanted)
      }
    }
    for (const resource of resources) {
      if (!this.#byId.has(resource.id)) this.take(resource, this.#madeUp(resource))
    }
  }

  take ({ kind, vpc, id }: Pick<Named, 'kind' | 'vpc' | 'id'>, name: string): void {
    this.#byId.set(id, { kind, vpc, name })
    this.#taken.add(keyOf(kind, vpc, name))
  }

  #madeUp ({ kind, vpc, id, wanted }: Named): string {
    if (!this.#options.madeUpNames) return id
    const stem = wanted === '' ? kind : wanted
    for (let number = wanted === '' ? 1 : 2; ; number++) {
      const name = `${stem}-${String(number)}`
      if (!this.#taken.has(keyOf(kind, vpc, name))) return name
    }
  }
}

/** Turns each description into a resource. */
class Reader implements LabReader {
  readonly clients: Clients
  readonly names: Names
  readonly #things: Things
  readonly #defaultVpcs: ReadonlySet<string>
  readonly #options: ReadOptions
  readonly sentences: string[] = []

  constructor (clients: Clients, things: Things, defaultVpcs: ReadonlySet<string>,
    options: ReadOptions) {
    this.clients = clients
    this.names = new Names(options)
    this.#things = things
    this.#defaultVpcs = defaultVpcs
    this.#options = options
  }

  all<Thing> ({ section }: LabKind<Thing>): readonly Thing[] {
    const kind = KIND_NAMES.find((one) => KINDS[one].section === section)
    return (kind === undefined ? [] : this.#things.get(kind) ?? []) as readonly Thing[]
  }

  isDefaultVpc (id: string | undefined): boolean { return this.#defaultVpcs.has(id ?? '') }

  knows (id: string | undefined): boolean { return this.names.get(id) !== undefined }

  nameOf (id: string | undefined): string { return this.names.get(id)?.name ?? id ?? '' }

  kindOf (id: string | undefined): Kind | undefined { return this.names.get(id)?.kind }

  pathOf (id: string): string { return pathOf(this.names.get(id)?.vpc ?? '', this.nameOf(id)) }

  wantsUserData (id: string): boolean {
    const known = this.names.get(id)
    return known !== undefined &&
      this.#options.wantsUserData(keyOf(known.kind, known.vpc, known.name))
  }

  unsaid (sentence: string): void { this.sentences.push(sentence) }

  /** Names all that are resources: VPCs before what is in them. */
  identifyAll (): Found[] {
    // Whether one is a resource may depend on whether VPCs are.
    const kinds = ['vpc', ...KIND_NAMES.filter((kind) => kind !== 'vpc')] as const
    const found = new Map(kinds.map((kind) => [kind, this.#identify(kind)]))
    return KIND_NAMES.flatMap((kind) => found.get(kind) ?? [])
  }

  #identify (kind: Kind): Found[] {
    const found = (this.#things.get(kind) ?? []).flatMap((thing): Found[] => {
      const identity = KINDS[kind].identify(thing, this)
      return identity === null || this.isDefaultVpc(identity.vpcId)
        ? []
        : [{ kind, thing, identity }]
    })
    const { born } = KINDS[kind]
    const others: Named[] = []
    for (const { identity } of found) {
      const { id, vpcId, tags, name, isBorn } = identity
      const vpc = vpcId === undefined ? null : this.nameOf(vpcId)
      if (isBorn === true && born !== undefined) this.names.take({ kind, vpc, id }, born)
      else {
        const wanted = name ?? nameOf({ Tags: tags === undefined ? undefined : [...tags] })
        others.push({ kind, vpc, id, wanted, owner: tagOf(tags, OWNER_TAG) })
      }
    }
    this.names.give(others)
    return found
  }

  async resource ({ kind, thing, identity }: Found): Promise<LiveResource> {
    const { id, vpcId, tags } = identity
    const fields = await KINDS[kind].read(thing, this)
    return {
      kind,
      vpc: vpcId === undefined ? null : this.nameOf(vpcId),
      name: this.nameOf(id),
      id,
      owner: tagOf(tags, OWNER_TAG),
      commandsDone: [],
      fields: { ...fields, tags: ownTags(tags) },
      ...KINDS[kind].more?.(thing, this)
    }
  }
}

function tagOf (tags: readonly Tag[] | undefined, key: string): string | null {
  return tags?.find((tag) => tag.Key === key)?.Value ?? null
}

/** Tags that a file may give. */
function ownTags (tags: readonly Tag[] | undefined): Fields {
  return Object.fromEntries((tags ?? [])
    .filter(({ Key = '' }) => Key !== 'Name' && !/^(aws:|vpclab:|lab-file)/i.test(Key))
    .map(({ Key = '', Value = '' }) => [Key, Value]))
}
