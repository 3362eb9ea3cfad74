/** A lab file as resources (resource.ts), and how a wanted field is compared with a live one. */
import { KINDS, type Kind, kindOfSection, FILE_KINDS, VPC_KINDS } from './kinds/registry.ts'
import { seenOf } from './kinds/kind.ts'
import type { LabCommand } from './kinds/instance.ts'
import { canonicalJson, type Fields, given, type Resource, type Zones } from './resource.ts'
import type { LabFile } from './schema.ts'

type Parts = Readonly<Record<string, Fields>>

/** Every resource of a file, each behind those that it stands in. */
export function resourcesOf (file: LabFile, zones: Zones): Resource[] {
  return FILE_KINDS.flatMap((kind) => partsOf(file, kind).flatMap(([name, part]) => [
    resourceOf(kind, null, name, part, zones),
    ...kind === 'vpc'
      ? VPC_KINDS.flatMap((inner) => partsOf(part, inner).map(([innerName, innerPart]) =>
          resourceOf(inner, name, innerName, innerPart, zones)))
      : []
  ]))
}

/** Parts of a kind in a file, or in a VPC of it. */
export function partsOf (holder: object, kind: Kind): [string, Fields][] {
  return Object.entries((holder as Record<string, Parts | undefined>)[KINDS[kind].section] ?? {})
}

function resourceOf (kind: Kind, vpc: string | null, name: string, part: Fields,
  zones: Zones): Resource {
  const { commands } = part as { commands?: readonly LabCommand[] }
  return {
    kind,
    vpc,
    name,
    fields: given(KINDS[kind].normal?.(given(part), zones) ?? part),
    ...commands === undefined ? {} : { commands }
  }
}

/** What of a live field the file speaks of: all, where it does not say a part alone. */
export function seenField (kind: Kind, field: string, wanted: unknown, live: unknown): unknown {
  return KINDS[kind].partial?.includes(field) === true ? seenOf(wanted, live) : live
}

/** Whether the live value is what the file wants. */
export function fieldAgrees (kind: Kind, field: string, wanted: unknown, live: unknown): boolean {
  const agrees = KINDS[kind].agrees?.[field]
  if (agrees !== undefined) return agrees(wanted, live)
  return canonicalJson(wanted) === canonicalJson(seenField(kind, field, wanted, live))
}

/** Whether a key of a VPC in a file holds parts, not a field. */
export function isVpcSection (key: string): boolean {
  return kindOfSection(VPC_KINDS, key) !== undefined
}
