/**
 * CreateTags and DeleteTags: tags of things that exist. EC2 API Reference, "CreateTags".
 *
 * What can be tagged is a record, or a part of one that has an id of its own: a security group's
 * rule, a subnet's CIDR reservation. All resources of a call change together or none does.
 */
import { AwsError } from './aws_error.ts'
import type { Plan } from './plan.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { OWNED_NOUNS, RESOURCE_KINDS } from './resource_kind.ts'
import type { AccountView, Change, NounRecords, OwnedNoun } from './snapshot.ts'
import { put } from './snapshot.ts'
import type { TagInput } from './tag.ts'
import { checkTagCount, checkTagKey, isReservedTagKey, tagsFromInput } from './tag.ts'
import { idPrefix } from '../base/ids.ts'

/** Resources of one call. */
export const TAGGED_RESOURCES_MAX = 1000

/** Something that carries tags. */
export interface TaggedResource {
  readonly id: string
  readonly resourceType: string
  readonly tags: Tags
  /** Revision that made it, or the record that it is a part of. */
  readonly createRevision: number
}

const RULE_TYPE = 'security-group-rule'
const RULE_PREFIX = 'sgr'
const RESERVATION_TYPE = 'subnet-cidr-reservation'
const RESERVATION_PREFIX = 'scr'

/** Everything the caller can tag. */
export function listTagged (view: AccountView): TaggedResource[] {
  const found: TaggedResource[] = []
  const add = (noun: OwnedNoun, owner: OwnedRecord, resourceType: string,
    part: { readonly id: string, readonly tags: Tags }): void => {
    const createRevision = view.snapshot.tables[noun].createRevision(owner.id)
    found.push({ id: part.id, resourceType, tags: part.tags, createRevision })
  }
  for (const noun of OWNED_NOUNS) {
    const { resourceType } = RESOURCE_KINDS[noun]
    if (resourceType === null) continue
    for (const record of view.list(noun)) {
      add(noun, record, resourceType, { id: record.id, tags: view.tagsOf(record) })
    }
  }
  for (const group of view.list('securityGroup')) {
    for (const rule of group.rules) add('securityGroup', group, RULE_TYPE, rule)
  }
  for (const subnet of view.list('subnet')) {
    for (const part of subnet.cidrReservations) add('subnet', subnet, RESERVATION_TYPE, part)
  }
  return found
}

/** Gives tags; a key that a resource has already gets the new value. */
export function planCreateTags (view: AccountView, resourceIds: readonly string[],
  input: readonly TagInput[]): Plan<null> {
  const tags = tagsFromInput(input)
  return planRetag(view, resourceIds, (old) => {
    const next = { ...old, ...tags }
    checkTagCount(next)
    return next
  })
}

/**
 * Takes tags away: by key; by key and value when a value is given, even an empty one; all of them
 * when no tag is named. A tag that a resource does not have is no error.
 */
export function planDeleteTags (view: AccountView, resourceIds: readonly string[],
  input: readonly TagInput[] | undefined): Plan<null> {
  for (const { Key: key } of input ?? []) {
    if (key === undefined) {
      throw new AwsError('MissingParameter', 'The request must contain the parameter Tag.Key')
    }
    checkTagKey(key)
  }
  return planRetag(view, resourceIds, (old) => {
    const isOwn = ([key]: readonly [string, string]): boolean => !isReservedTagKey(key)
    if (input === undefined || input.length === 0) {
      return Object.fromEntries(Object.entries(old).filter((entry) => !isOwn(entry)))
    }
    const goes = ([key, value]: readonly [string, string]): boolean =>
      input.some((tag) => tag.Key === key && (tag.Value === undefined || tag.Value === value))
    return Object.fromEntries(Object.entries(old).filter((entry) => !goes(entry)))
  })
}

/**
 * The tags that a stack gives to what it has made, those of the system (`aws:…`) among them; no
 * caller of the API gets here.
 * @param removed keys that go
 */
export function planStackTags (view: AccountView, resourceId: string, tags: Tags,
  removed: readonly string[]): Plan<null> {
  return planRetag(view, [resourceId], (old) => {
    const kept = Object.entries(old).filter(([key]) => !removed.includes(key))
    const next = { ...Object.fromEntries(kept), ...tags }
    checkTagCount(next)
    return next
  })
}

function planRetag (view: AccountView, resourceIds: readonly string[],
  retag: (tags: Tags) => Tags): Plan<null> {
  if (resourceIds.length > TAGGED_RESOURCES_MAX) {
    throw new AwsError('InvalidParameterValue',
      `${String(resourceIds.length)} resources are more than the ` +
      `${String(TAGGED_RESOURCES_MAX)} that one call may tag`)
  }
  const changes = new Map<string, Change>()
  for (const id of new Set(resourceIds)) {
    const change = retagged(view, id, changes, retag)
    changes.set(change.id, change)
  }
  return { changes: [...changes.values()], result: null }
}

/**
 * The record that carries `id`, on top of what `changes` did to it already, with its tags
 * changed.
 */
function retagged (view: AccountView, id: string, changes: ReadonlyMap<string, Change>,
  retag: (tags: Tags) => Tags): Change {
  const present = <R extends OwnedRecord>(record: R): R =>
    (changes.get(record.id)?.record ?? record) as R
  const retagPart = <P extends { readonly id: string, readonly tags: Tags }>(part: P): P =>
    part.id === id ? { ...part, tags: retag(part.tags) } : part
  const prefix = idPrefix(id)
  if (prefix === RULE_PREFIX) {
    const owner = view.list('securityGroup').find(
      ({ rules }) => rules.some((rule) => rule.id === id))
    if (owner === undefined) throw invalidId(id)
    const group = present(owner)
    return put('securityGroup', { ...group, rules: group.rules.map(retagPart) })
  }
  if (prefix === RESERVATION_PREFIX) {
    const owner = view.list('subnet').find(
      ({ cidrReservations }) => cidrReservations.some((one) => one.id === id))
    if (owner === undefined) throw invalidId(id)
    const subnet = present(owner)
    return put('subnet', { ...subnet, cidrReservations: subnet.cidrReservations.map(retagPart) })
  }
  const noun = OWNED_NOUNS.find((one) =>
    RESOURCE_KINDS[one].prefix === prefix && RESOURCE_KINDS[one].resourceType !== null)
  const record = noun === undefined ? undefined : view.get(noun, id)
  if (noun === undefined || record === undefined) throw invalidId(id)
  const now = present(record as OwnedRecord)
  const tags = retag(view.tagsOf(now))
  return put(noun, view.withTags(now, tags) as NounRecords[typeof noun])
}

function invalidId (id: string): AwsError {
  return new AwsError('InvalidID', `The ID '${id}' is not valid: nothing that can be tagged has it`)
}
