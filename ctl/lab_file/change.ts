/**
 * A changed resource in calls of the EC2 API, field by field: each kind says what a field is
 * (kinds/). Lists and maps become the calls for what is missing and what is too much, so that what
 * stays is not disturbed.
 */
import { type Change } from './kinds/kind.ts'
import { KINDS } from './kinds/registry.ts'
import type { FieldChange } from './plan.ts'
import type { LiveResource, Resource } from './resource.ts'
import { OWNER_TAG } from './schema_parts.ts'
import type { Session } from './session.ts'

/** Carries out every change of one resource, in order. */
export async function changeResource (session: Session, resource: Resource, live: LiveResource,
  changes: readonly FieldChange[]): Promise<void> {
  const kind = KINDS[live.kind]
  const isTogether = ({ field }: FieldChange): boolean =>
    kind.changedTogether?.has(field) === true
  for (const change of changes.filter((one) => !isTogether(one))) {
    const carryOut = kind.changes[change.field] ?? COMMON[change.field]
    if (carryOut === undefined) throw new Error(`${live.kind} has no field ${change.field}`)
    await carryOut(session, live, change, resource)
  }
  const together = changes.filter(isTogether)
  if (together.length > 0) await kind.changeTogether?.(session, live, together, resource)
}

/** Of everything with EC2's tags. */
const COMMON: Readonly<Record<string, Change>> = {
  tags: async ({ ec2 }, { id }, { from, to }) => {
    const before = (from ?? {}) as Readonly<Record<string, string>>
    const after = to as Readonly<Record<string, string>>
    const gone = Object.keys(before).filter((key) => after[key] === undefined)
    const come = Object.entries(after).filter(([key, value]) => before[key] !== value)
    if (gone.length > 0) {
      await ec2.call('DeleteTags', { ResourceId: [id], Tag: gone.map((Key) => ({ Key })) })
    }
    if (come.length > 0) {
      await ec2.call('CreateTags',
        { ResourceId: [id], Tag: come.map(([Key, Value]) => ({ Key, Value })) })
    }
  },
  [OWNER_TAG]: async ({ ec2, owner }, { id }) => {
    await ec2.call('CreateTags', { ResourceId: [id], Tag: [{ Key: OWNER_TAG, Value: owner }] })
  }
}
