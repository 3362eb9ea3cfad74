/**
 * Managed prefix lists: named, versioned sets of CIDR blocks that security group rules and routes
 * refer to. AWS VPC User Guide, "Managed prefix lists"; EC2 API Reference,
 * ModifyManagedPrefixList.
 *
 *     create ─▶ version 1 ─ add, remove ─▶ version 2 ─ restore 1 ─▶ version 3 …
 *                  └──────── kept ────────────┘           └ what rules and routes mean
 *
 * The record holds the newest version; older ones are records of their own, `prefixListVersion`.
 * A new name or size makes no version. Whoever refers to a list pays `maxEntries` of its quota,
 * however many entries there are: prefix_list_reference.ts. Lists of AWS: prefix_list_aws.ts.
 */
import { AwsError } from './aws_error.ts'
import { formatCidr, parseCidr } from './cidr.ts'
import type { AddressFamily } from './cidr.ts'
import type { Plan, PlanContext } from './plan.ts'
import { AWS_NAME_PREFIX, AWS_OWNER, awsPrefixLists } from './prefix_list_aws.ts'
import { checkResize, prefixListReferences, requirePrefixList } from './prefix_list_reference.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView, Change, Snapshot } from './snapshot.ts'

export interface PrefixListEntry {
  /** Canonical, of the list's family. */
  readonly cidr: string
  readonly description: string
}

export interface PrefixList extends OwnedRecord {
  readonly name: string
  readonly addressFamily: AddressFamily
  /** Of a list of AWS: its weight. */
  readonly maxEntries: number
  /** Number of the version that `entries` is, from 1. */
  readonly version: number
  /** One per block, in order of their addition. */
  readonly entries: readonly PrefixListEntry[]
  /** What the state of the list tells: `create-complete` … */
  readonly lastChange: 'create' | 'modify' | 'restore'
}

/** A version that is not the newest any more. */
export interface PrefixListVersion {
  /** `<prefixListId>/<version>` */
  readonly id: string
  readonly prefixListId: string
  readonly version: number
  readonly entries: readonly PrefixListEntry[]
}

/** Size of a list: EC2's fixed bound. More is refused. */
export const PREFIX_LIST_ENTRIES_MAX = 1000
/** Entries that one call may add, and that it may remove. More are refused. */
export const ENTRIES_PER_REQUEST_MAX = 100
/** Versions that are kept, the newest included; then the oldest goes when another one comes. */
export const PREFIX_LIST_VERSIONS_MAX = 1000
const NAME_LENGTH_MAX = 255
const DESCRIPTION_LENGTH_MAX = 255

/** All lists that the caller may refer to: AWS's, then its own in order of creation. */
export function visiblePrefixLists (view: AccountView): PrefixList[] {
  return [...awsPrefixLists(view.region), ...view.list('prefixList')]
}

/**
 * Entries of one version of a list; of the newest one when `version` is undefined.
 * @throws AwsError InvalidParameterValue for a version that is not kept
 */
export function entriesOfVersion (snapshot: Snapshot, list: PrefixList,
  version: number | undefined): readonly PrefixListEntry[] {
  if (version === undefined || version === list.version) return list.entries
  const old = snapshot.tables.prefixListVersion.get(versionId(list.id, version))
  if (old !== undefined) return old.entries
  throw new AwsError('InvalidParameterValue',
    `The prefix list ${list.id} has no version ${String(version)}: its newest is ` +
    `${String(list.version)}, and the last ${String(PREFIX_LIST_VERSIONS_MAX)} are kept`)
}

export interface NewPrefixList {
  readonly name: string
  /** `IPv4` or `IPv6` */
  readonly addressFamily: string
  readonly maxEntries: number
  readonly entries: readonly PrefixListEntry[]
  readonly tags: Tags
}

/**
 * CreateManagedPrefixList.
 * @returns the id of the new list
 * @throws AwsError InvalidParameterValue, PrefixListMaxEntriesExceeded, ResourceLimitExceeded
 */
export function planCreatePrefixList (view: AccountView, input: NewPrefixList,
  context: PlanContext): Plan<string> {
  checkName(input.name)
  if (input.addressFamily !== 'IPv4' && input.addressFamily !== 'IPv6') {
    throw new AwsError('InvalidParameterValue',
      `Value (${input.addressFamily}) for parameter addressFamily is invalid: IPv4 or IPv6`)
  }
  const addressFamily = input.addressFamily === 'IPv4' ? 4 : 6
  checkMaxEntries(input.maxEntries)
  checkRequestSize(input.entries)
  const entries = checkEntries(input.entries, addressFamily)
  checkFits(input.name, entries, input.maxEntries)
  checkQuota(view.snapshot, 'prefix-lists-per-region', view.list('prefixList').length + 1)
  const list: PrefixList = {
    id: context.newId('pl'), region: view.region, ownerId: view.accountId, tags: input.tags,
    name: input.name, addressFamily, maxEntries: input.maxEntries, version: 1, entries,
    lastChange: 'create'
  }
  return { changes: [put('prefixList', list)], result: list.id }
}

export interface PrefixListModification {
  readonly prefixListId: string
  readonly currentVersion: number | undefined
  readonly name: string | undefined
  readonly maxEntries: number | undefined
  readonly added: readonly PrefixListEntry[]
  /** CIDR blocks. */
  readonly removed: readonly string[]
}

/**
 * ModifyManagedPrefixList: entries come and go in a new version; or name and size change.
 * @returns the id
 * @throws AwsError InvalidPrefixListID.NotFound, UnauthorizedOperation (AWS's), MissingParameter,
 *   InvalidParameterCombination, InvalidParameterValue, PrefixListVersionMismatch,
 *   PrefixListMaxEntriesExceeded, InvalidPrefixListModification, RouteLimitExceeded and
 *   RulesPerSecurityGroupLimitExceeded (a size that those who refer to it have no room for)
 */
export function planModifyPrefixList (view: AccountView,
  input: PrefixListModification): Plan<string> {
  const list = requireOwn(view, input.prefixListId)
  const changesEntries = input.added.length + input.removed.length > 0
  if (!changesEntries && input.name === undefined && input.maxEntries === undefined) {
    throw new AwsError('MissingParameter', 'The request must contain at least one of addEntries, ' +
      'removeEntries, prefixListName and maxEntries')
  }
  if (changesEntries && input.maxEntries !== undefined) {
    throw new AwsError('InvalidParameterCombination', 'You cannot modify the entries and the ' +
      'maximum entries for the prefix list in the same request.')
  }
  if (changesEntries && input.currentVersion === undefined) {
    throw new AwsError('MissingParameter',
      'The request must contain the parameter currentVersion when entries are added or removed')
  }
  checkVersion(list, input.currentVersion)
  if (input.name !== undefined) checkName(input.name)
  let next: PrefixList =
    { ...list, name: input.name ?? list.name, lastChange: 'modify' }
  if (input.maxEntries !== undefined) {
    checkMaxEntries(input.maxEntries)
    checkFits(list.id, list.entries, input.maxEntries)
    checkResize(view.snapshot, list, input.maxEntries)
    next = { ...next, maxEntries: input.maxEntries }
  }
  if (!changesEntries) return { changes: [put('prefixList', next)], result: list.id }
  return { changes: withVersion(view, list, next, changedEntries(list, input)), result: list.id }
}

/**
 * RestoreManagedPrefixListVersion: the entries of an older version, as a new one.
 * @returns the id
 * @throws AwsError as planModifyPrefixList
 */
export function planRestorePrefixListVersion (view: AccountView, input: {
  readonly prefixListId: string
  readonly previousVersion: number
  readonly currentVersion: number
}): Plan<string> {
  const list = requireOwn(view, input.prefixListId)
  checkVersion(list, input.currentVersion)
  if (input.previousVersion === list.version) {
    throw new AwsError('InvalidParameterValue',
      `Version ${String(list.version)} is the newest version of ${list.id} already`)
  }
  const entries = entriesOfVersion(view.snapshot, list, input.previousVersion)
  checkFits(list.id, entries, list.maxEntries)
  return { changes: withVersion(view, list, { ...list, lastChange: 'restore' }, entries),
    result: list.id }
}

/**
 * DeleteManagedPrefixList.
 * @returns the list that is gone
 * @throws AwsError InvalidPrefixListID.NotFound, UnauthorizedOperation, DependencyViolation
 */
export function planDeletePrefixList (view: AccountView,
  input: { readonly prefixListId: string }): Plan<PrefixList> {
  const list = requireOwn(view, input.prefixListId)
  const users = prefixListReferences(view.snapshot, list.region, list.id)
    .map(({ resourceId }) => resourceId)
  if (users.length > 0) {
    throw new AwsError('DependencyViolation',
      `The prefix list '${list.id}' cannot be deleted: ${users.join(', ')} refer to it`)
  }
  const versions = view.snapshot.tables.prefixListVersion.by('prefixListId', list.id)
  return {
    changes: [
      remove('prefixList', list.id),
      ...versions.map(({ id }) => remove('prefixListVersion', id))
    ],
    result: list
  }
}

/** The list with `entries` as its next version, and the one before put away. */
function withVersion ({ snapshot }: AccountView, list: PrefixList, next: PrefixList,
  entries: readonly PrefixListEntry[]): Change[] {
  const version = list.version + 1
  const old: PrefixListVersion = {
    id: versionId(list.id, list.version), prefixListId: list.id, version: list.version,
    entries: list.entries
  }
  const oldest = versionId(list.id, version - PREFIX_LIST_VERSIONS_MAX)
  const goes = snapshot.tables.prefixListVersion.get(oldest) === undefined
    ? []
    : [remove('prefixListVersion', oldest)]
  return [put('prefixList', { ...next, version, entries }), put('prefixListVersion', old), ...goes]
}

/** Entries go first, then others come; a block that is there already gets the new description. */
function changedEntries (list: PrefixList,
  { added, removed }: PrefixListModification): readonly PrefixListEntry[] {
  checkRequestSize(added)
  checkRequestSize(removed)
  const coming = checkEntries(added, list.addressFamily)
  const going = new Set(removed.map((cidr) => checkCidr(cidr, list.addressFamily)))
  for (const { cidr } of coming) {
    if (!going.has(cidr)) continue
    throw new AwsError('InvalidParameterValue',
      `Request cannot contain Cidr ${cidr} in both AddPrefixListEntries and ` +
      'RemovePrefixListEntries')
  }
  for (const cidr of going) {
    if (list.entries.some((entry) => entry.cidr === cidr)) continue
    throw new AwsError('InvalidPrefixListModification',
      `The entry ${cidr} of the prefix list ${list.id} does not exist.`)
  }
  const byCidr = new Map(list.entries.filter(({ cidr }) => !going.has(cidr))
    .map((entry) => [entry.cidr, entry]))
  for (const entry of coming) byCidr.set(entry.cidr, entry)
  const entries = [...byCidr.values()]
  if (JSON.stringify(entries) === JSON.stringify(list.entries)) {
    throw new AwsError('InvalidPrefixListModification',
      'The request received would not result in new list.')
  }
  checkFits(list.id, entries, list.maxEntries)
  return entries
}

function versionId (prefixListId: string, version: number): string {
  return `${prefixListId}/${String(version)}`
}

/** @throws AwsError not found, or UnauthorizedOperation for a list of AWS */
function requireOwn (view: AccountView, id: string): PrefixList {
  const list = requirePrefixList(view, id)
  if (list.ownerId !== AWS_OWNER) return list
  throw new AwsError('UnauthorizedOperation',
    `You are not authorized to perform this operation: ${id} (${list.name}) is managed by AWS`)
}

function checkVersion (list: PrefixList, currentVersion: number | undefined): void {
  if (currentVersion === undefined || currentVersion === list.version) return
  throw new AwsError('PrefixListVersionMismatch',
    `The prefix list has the incorrect version number. ${list.id} is at version ` +
    `${String(list.version)}; the request names ${String(currentVersion)}.`)
}

function checkName (name: string): void {
  if (name !== '' && name.length <= NAME_LENGTH_MAX && !name.startsWith('com.amazonaws')) return
  throw new AwsError('InvalidParameterValue',
    `Value (${name.slice(0, 64)}) for parameter prefixListName is invalid: up to ` +
    `${String(NAME_LENGTH_MAX)} characters that do not begin with ${AWS_NAME_PREFIX.slice(0, -1)}`)
}

function checkMaxEntries (maxEntries: number): void {
  if (maxEntries >= 1 && maxEntries <= PREFIX_LIST_ENTRIES_MAX) return
  throw new AwsError('InvalidParameterValue',
    `Value (${String(maxEntries)}) for parameter maxEntries is invalid: must specify a max size ` +
    `between 1 and ${String(PREFIX_LIST_ENTRIES_MAX)}`)
}

function checkRequestSize (entries: readonly unknown[]): void {
  if (entries.length <= ENTRIES_PER_REQUEST_MAX) return
  throw new AwsError('InvalidParameterValue',
    `The number of entries per request cannot exceed ${String(ENTRIES_PER_REQUEST_MAX)}: ` +
    `${String(entries.length)} were given`)
}

function checkFits (name: string, entries: readonly PrefixListEntry[], maxEntries: number): void {
  if (entries.length <= maxEntries) return
  throw new AwsError('PrefixListMaxEntriesExceeded',
    `The prefix list ${name} would have ${String(entries.length)} entries; its maximum is ` +
    String(maxEntries))
}

function checkEntries (entries: readonly PrefixListEntry[],
  family: AddressFamily): PrefixListEntry[] {
  const byCidr = new Map<string, PrefixListEntry>()
  for (const { cidr: text, description } of entries) {
    const cidr = checkCidr(text, family)
    if (byCidr.has(cidr)) {
      throw new AwsError('InvalidParameterValue', `The entry ${cidr} is given twice`)
    }
    if (description.length > DESCRIPTION_LENGTH_MAX) {
      throw new AwsError('InvalidParameterValue',
        `The description of the entry ${cidr} has ${String(description.length)} characters; at ` +
        `most ${String(DESCRIPTION_LENGTH_MAX)} are allowed`)
    }
    byCidr.set(cidr, { cidr, description })
  }
  return [...byCidr.values()]
}

function checkCidr (text: string, family: AddressFamily): string {
  const cidr = parseCidr(text)
  if (cidr?.family === family) return formatCidr(cidr)
  throw new AwsError('InvalidParameterValue',
    `The CIDR block ${text} is no valid block of the prefix list's family, IPv${String(family)}`)
}
