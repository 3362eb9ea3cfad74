/**
 * How much of each quota an account uses, counted as the plan counts that checks the quota. A quota
 * of a container (`subnets-per-vpc`) is told for the container that uses most of it.
 */
import { vpcsOfZone, zonesOf } from './hosted_zone.ts'
import { routeCount, ruleCount } from './prefix_list_reference.ts'
import type { QuotaName } from './quota.ts'
import type { AccountView, NounRecords, OwnedNoun } from './snapshot.ts'
import { stacksOf } from './stack.ts'
import { connectionsOf } from './vpn_connection.ts'
import { propagatedRoutes } from './vpn_route.ts'

export interface QuotaUsage {
  readonly used: number
  /** The container that uses so much; null for a quota of the whole Region, or without any. */
  readonly resource: string | null
}

/** Those that can be told by counting records. */
const USAGES: { readonly [N in QuotaName]?: (view: AccountView) => QuotaUsage } = {
  'vpcs-per-region': (view) => inRegion(view.list('vpc')),
  'ipv4-cidr-blocks-per-vpc': (view) => most(view, 'vpc', (vpc) => vpc.cidrBlocks.length),
  'ipv6-cidr-blocks-per-vpc': (view) => most(view, 'vpc', (vpc) => vpc.ipv6CidrBlocks.length),
  'subnets-per-vpc': (view) =>
    most(view, 'vpc', ({ id }) => view.by('subnet', 'vpcId', id).length),
  'route-tables-per-vpc': (view) =>
    most(view, 'vpc', ({ id }) => view.by('routeTable', 'vpcId', id).length),
  'routes-per-route-table': (view) => most(view, 'routeTable', (table) =>
    Math.max(routeCount(view.snapshot, table, 4), routeCount(view.snapshot, table, 6))),
  'internet-gateways-per-region': (view) => inRegion(view.list('internetGateway')),
  'egress-only-internet-gateways-per-region': (view) =>
    inRegion(view.list('egressOnlyInternetGateway')),
  'elastic-ips-per-region': (view) => inRegion(view.list('address')),
  'elastic-ips-per-nat-gateway': (view) => most(view, 'natGateway', ({ addresses }) =>
    addresses.filter(({ allocationId }) => allocationId !== null).length),
  'private-ips-per-nat-gateway': (view) =>
    most(view, 'natGateway', ({ addresses }) => addresses.length),
  'network-interfaces-per-region': (view) => inRegion(view.list('networkInterface')),
  'security-groups-per-network-interface': (view) =>
    most(view, 'networkInterface', ({ groupIds }) => groupIds.length),
  'security-groups-per-region': (view) => inRegion(view.list('securityGroup')),
  'rules-per-security-group': (view) => most(view, 'securityGroup', (group) =>
    eachDirection((isEgress) => Math.max(ruleCount(view.snapshot, group, isEgress, 4),
      ruleCount(view.snapshot, group, isEgress, 6)))),
  'prefix-lists-per-region': (view) => inRegion(view.list('prefixList')),
  'network-acls-per-vpc': (view) =>
    most(view, 'vpc', ({ id }) => view.by('networkAcl', 'vpcId', id).length),
  'rules-per-network-acl': (view) => most(view, 'networkAcl', ({ entries }) =>
    eachDirection((isEgress) => largerFamily(entries.filter((entry) => entry.isEgress === isEgress)
      .map(({ ipv6CidrBlock }) => ipv6CidrBlock === null ? 4 : 6)))),
  'network-insights-paths-per-region': (view) => inRegion(view.list('networkInsightsPath')),
  'network-insights-analyses-per-region': (view) =>
    inRegion(view.list('networkInsightsAnalysis')),
  'vpn-gateways-per-region': (view) => inRegion(alive(view.list('vpnGateway'))),
  'customer-gateways-per-region': (view) => inRegion(alive(view.list('customerGateway'))),
  'vpn-connections-per-region': (view) => inRegion(alive(view.list('vpnConnection'))),
  'vpn-connections-per-gateway': (view) => most(view, 'vpnGateway', ({ id }) =>
    connectionsOf(view.snapshot, id).length),
  'static-routes-per-vpn-connection': (view) =>
    most(view, 'vpnConnection', ({ staticRoutes }) => staticRoutes.length),
  'propagated-routes-per-route-table': (view) => most(view, 'routeTable', (table) =>
    propagatedRoutes(view.snapshot, table).length),
  'dhcp-options-per-region': (view) => inRegion(view.list('dhcpOptions')),
  'flow-logs-per-resource': (view) => mostOf(view.list('flowLog').map(({ resourceId }) =>
    resourceId)),
  'instances-per-region': (view) =>
    inRegion(view.list('instance').filter(({ state }) => state !== 'terminated')),
  'traffic-mirror-targets-per-region': (view) => inRegion(view.list('trafficMirrorTarget')),
  'traffic-mirror-filters-per-region': (view) => inRegion(view.list('trafficMirrorFilter')),
  'traffic-mirror-rules-per-filter': (view) => most(view, 'trafficMirrorFilter', ({ id }) =>
    view.by('trafficMirrorFilterRule', 'filterId', id).length),
  'traffic-mirror-sessions-per-region': (view) => inRegion(view.list('trafficMirrorSession')),
  'traffic-mirror-sessions-per-source': (view) => most(view, 'networkInterface', ({ id }) =>
    view.by('trafficMirrorSession', 'networkInterfaceId', id).length),
  'traffic-mirror-sources-per-target': (view) => most(view, 'trafficMirrorTarget', ({ id }) =>
    new Set(view.by('trafficMirrorSession', 'targetId', id)
      .map((session) => session.networkInterfaceId)).size),
  'images-per-region': (view) => inRegion(view.list('image')),
  'stacks-per-region': (view) =>
    inRegion(stacksOf(view.snapshot, view).filter(({ status }) => status !== 'DELETE_COMPLETE')),
  'hosted-zones-per-account': (view) => inRegion(zonesOf(view)),
  'vpcs-per-hosted-zone': (view) => mostOf(zonesOf(view).flatMap(({ id }) =>
    vpcsOfZone(view.snapshot, id).map(({ zoneId }) => zoneId))),
  'records-per-hosted-zone': (view) => mostOf(zonesOf(view).flatMap(({ id }) =>
    view.snapshot.tables.resourceRecordSet.by('zoneId', id).map(({ zoneId }) => zoneId)))
}

/** Undefined where nothing counts it. */
export function quotaUsage (view: AccountView, name: QuotaName): QuotaUsage | undefined {
  return USAGES[name]?.(view)
}

/** Without those that are deleted and only described. */
function alive<R extends { readonly state: string }> (records: readonly R[]): R[] {
  return records.filter(({ state }) => state !== 'deleted')
}

function inRegion (records: readonly unknown[]): QuotaUsage {
  return { used: records.length, resource: null }
}

function most<N extends OwnedNoun> (view: AccountView, noun: N,
  count: (record: NounRecords[N]) => number): QuotaUsage {
  let usage: QuotaUsage = { used: 0, resource: null }
  for (const record of view.list(noun)) {
    const used = count(record)
    if (used > usage.used) usage = { used, resource: record.id }
  }
  return usage
}

/** How often the most frequent id is there. */
function mostOf (ids: readonly string[]): QuotaUsage {
  const counts = new Map<string, number>()
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
  let usage: QuotaUsage = { used: 0, resource: null }
  for (const [resource, used] of counts) if (used > usage.used) usage = { used, resource }
  return usage
}

function eachDirection (count: (isEgress: boolean) => number): number {
  return Math.max(count(true), count(false))
}

function largerFamily (families: readonly (4 | 6)[]): number {
  const ipv4 = families.filter((family) => family === 4).length
  return Math.max(ipv4, families.length - ipv4)
}
