/**
 * A lab as a flat list of resources with named fields: the form in which a lab file and a live lab
 * are compared. References are names in both, never ids.
 *
 *     file ── resources_of.ts ──▶ Resource[] ◀── live.ts ── Describe calls
 *                                     └──── plan.ts: fields that differ
 *
 * What a kind of resource is, in the file, in a live lab and in calls, is one file of kinds/. A
 * field that a resource of the file lacks is not compared.
 */
import { createHash } from 'node:crypto'
import { canonicalAddress } from './address.ts'
import type { Kind } from './kinds/registry.ts'
import type { LabCommand } from './kinds/instance.ts'

export type Fields = Readonly<Record<string, unknown>>

export interface Resource {
  readonly kind: Kind
  /** Name of the VPC that it is in, null for a VPC and for what is of the account. */
  readonly vpc: string | null
  readonly name: string
  readonly fields: Fields
  readonly commands?: readonly LabCommand[]
}

/** A resource of a live lab. */
export interface LiveResource extends Resource {
  readonly id: string
  /** Name of the file that owns it, or null. */
  readonly owner: string | null
  /** Hashes of the commands that an instance has run. */
  readonly commandsDone: readonly string[]
  /** The ENI that an instance was born with, and which no file names. */
  readonly primaryEni?: string
}

/** Zone ids by whatever a file may call a zone: its id, its name, its number. */
export type Zones = ReadonlyMap<string, string>

/** What names a resource in a lab: `subnet web/front`. */
export function keyOf (kind: Kind, vpc: string | null, name: string): string {
  return `${kind} ${vpc === null ? name : pathOf(vpc, name)}`
}

/** How a name of one VPC is said outside of it. */
export function pathOf (vpc: string, name: string): string { return `${vpc}/${name}` }

/** The inverse of pathOf; the VPC is empty where there is none. */
export function splitPath (path: string): readonly [vpc: string, name: string] {
  const at = path.indexOf('/')
  return at === -1 ? ['', path] : [path.slice(0, at), path.slice(at + 1)]
}

/** Without the members that are undefined. */
export function given (fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** Lists without order as one text. */
export function sortedText (values: readonly unknown[]): string {
  return [...new Set(values.map(canonicalJson))].toSorted().join()
}

/** JSON with the members of objects in order of their names; undefined reads as null. */
export function canonicalJson (value: unknown): string {
  return JSON.stringify(value ?? null, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([one], [other]) =>
        one < other ? -1 : 1))
      : inner)
}

/** Names a command by what it does: another text is another command. 8 hexadecimal digits. */
export function commandHash ({ run, background }: LabCommand): string {
  return createHash('sha256').update(`${String(background)}\n${run}`).digest('hex').slice(0, 8)
}

/** Canonical text of addresses in a list. */
export function canonicalAddresses (addresses: readonly (string | undefined)[]): string[] {
  return addresses.flatMap((address) => address === undefined ? [] : canonicalAddress(address))
}
