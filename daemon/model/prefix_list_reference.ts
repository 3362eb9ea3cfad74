/**
 * Who refers to a prefix list, and what that costs: each rule or route that names a list takes as
 * much of its group's or table's quota as the list has room for, in the list's family. A list of
 * AWS costs its weight. AWS VPC User Guide, "Managed prefix lists", rules.
 */
import type { AddressFamily } from './cidr.ts'
import { knownCidr } from './cidr.ts'
import type { PrefixList } from './prefix_list.ts'
import { awsPrefixLists } from './prefix_list_aws.ts'
import { checkQuota } from './quota.ts'
import { checkIdForm, notFound } from './resource_kind.ts'
import type { RouteTable } from './route_table.ts'
import type { SecurityGroup } from './security_group.ts'
import type { AccountView, Snapshot } from './snapshot.ts'

/** Whether a text is the id of a prefix list, as opposed to a CIDR block. */
export function isPrefixListId (text: string): boolean { return text.startsWith('pl-') }

/** A list of that id in a Region, whosever it is, AWS's among them. */
export function findPrefixList (snapshot: Snapshot, region: string,
  id: string): PrefixList | undefined {
  const list = snapshot.tables.prefixList.get(id)
  if (list !== undefined) return list.region === region ? list : undefined
  return awsPrefixLists(region).find((one) => one.id === id)
}

/**
 * A list that the caller may refer to: its own, or one of AWS.
 * @throws AwsError InvalidPrefixListId.Malformed, InvalidPrefixListID.NotFound
 */
export function requirePrefixList (view: AccountView, id: string): PrefixList {
  checkIdForm('prefixList', id)
  const list = view.get('prefixList', id) ??
    awsPrefixLists(view.region).find((one) => one.id === id)
  if (list === undefined) throw notFound('prefixList', id)
  return list
}

/** CIDR blocks that a list stands for now; none when it is gone. */
export function prefixListCidrs (snapshot: Snapshot, region: string,
  id: string): readonly string[] {
  return findPrefixList(snapshot, region, id)?.entries.map(({ cidr }) => cidr) ?? []
}

/** A resource that names a list. */
export interface PrefixListReference {
  readonly resourceId: string
  readonly ownerId: string
}

/** Groups, then route tables, each once. */
export function prefixListReferences (snapshot: Snapshot, region: string,
  prefixListId: string): readonly PrefixListReference[] {
  return [...referringGroups(snapshot, region, prefixListId),
    ...referringTables(snapshot, region, prefixListId)]
    .map(({ id, ownerId }) => ({ resourceId: id, ownerId }))
}

function referringGroups ({ tables }: Snapshot, region: string, listId: string): SecurityGroup[] {
  return [...tables.securityGroup.values()].filter((group) => group.region === region &&
    group.rules.some(({ prefixListId }) => prefixListId === listId))
}

function referringTables ({ tables }: Snapshot, region: string, listId: string): RouteTable[] {
  return [...tables.routeTable.values()].filter((table) => table.region === region &&
    table.routes.some(({ destination }) => destination === listId))
}

/** Sizes that lists are to have, by id, where they differ from what they have. */
type NewSizes = ReadonlyMap<string, number>
const AS_THEY_ARE: NewSizes = new Map()

/**
 * Routes of one family that users made, as the quota counts them. Local and propagated ones are
 * free.
 */
export function routeCount (snapshot: Snapshot, { region, routes }: Pick<RouteTable,
  'region' | 'routes'>, family: AddressFamily, sizes = AS_THEY_ARE): number {
  let count = 0
  for (const { origin, destination } of routes) {
    if (origin !== 'CreateRoute') continue
    if (isPrefixListId(destination)) {
      count += listCost(findPrefixList(snapshot, region, destination), family, sizes)
    } else if (knownCidr(destination).family === family) count++
  }
  return count
}

/** Rules of one direction and family, as the quota counts them: a group as peer is in both. */
export function ruleCount (snapshot: Snapshot, { region, rules }: Pick<SecurityGroup,
  'region' | 'rules'>, isEgress: boolean, family: AddressFamily, sizes = AS_THEY_ARE): number {
  let count = 0
  for (const rule of rules) {
    if (rule.isEgress !== isEgress) continue
    const isOfFamily = (family === 4 ? rule.cidrIpv4 : rule.cidrIpv6) !== null
    if (isOfFamily || rule.referencedGroupId !== null) count++
    else if (rule.prefixListId !== null) {
      count += listCost(findPrefixList(snapshot, region, rule.prefixListId), family, sizes)
    }
  }
  return count
}

function listCost (list: PrefixList | undefined, family: AddressFamily, sizes: NewSizes): number {
  if (list?.addressFamily !== family) return 0
  return sizes.get(list.id) ?? list.maxEntries
}

/**
 * Refuses a size of a list that a group or table which names it has no room for.
 * @throws AwsError RulesPerSecurityGroupLimitExceeded, RouteLimitExceeded
 */
export function checkResize (snapshot: Snapshot, list: PrefixList, maxEntries: number): void {
  if (maxEntries <= list.maxEntries) return
  const { region, addressFamily: family } = list
  const sizes = new Map([[list.id, maxEntries]])
  for (const group of referringGroups(snapshot, region, list.id)) {
    for (const isEgress of [false, true]) {
      const isNamed = group.rules.some((rule) =>
        rule.isEgress === isEgress && rule.prefixListId === list.id)
      if (isNamed) {
        checkQuota(snapshot, 'rules-per-security-group',
          ruleCount(snapshot, group, isEgress, family, sizes))
      }
    }
  }
  for (const table of referringTables(snapshot, region, list.id)) {
    checkQuota(snapshot, 'routes-per-route-table', routeCount(snapshot, table, family, sizes))
  }
}
