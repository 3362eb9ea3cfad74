/**
 * Which way a virtual private gateway sends: the one place of that order. AWS Site-to-Site VPN User
 * Guide, "Route tables and VPN route priority"; VPC User Guide, "How route priority works".
 *
 *     1  the longest prefix
 *     2  static VPN routes before those of BGP     (Direct Connect, once there is any, before both)
 *     3  the shortest AS path
 *     4  the lowest MED, among paths from the same neighbouring AS
 *     5  [lab] the connection that was made first, its first tunnel
 *
 * Only tunnels that are UP have paths. There is no ECMP: one tunnel per prefix. A gateway knows
 * nothing but these prefixes and the blocks of its VPC.
 *
 * Into a route table they go by EnableVgwRoutePropagation: derived, never stored, so that a route
 * is gone in the same revision in which its tunnel is down. A table takes
 * PROPAGATED_ROUTES_MAX of them; what is beyond is left out, the longest prefixes first [lab].
 */
import { cidrsOverlap, knownCidr } from './cidr.ts'
import { quota } from './quota.ts'
import type { Route, RouteTable } from './route_table.ts'
import type { Snapshot } from './snapshot.ts'
import { connectionsOf } from './vpn_connection.ts'
import type { VpnConnection } from './vpn_connection.ts'
import { isBeingReplaced, isTunnelUp, tunnelKey } from './vpn_status.ts'
import type { VpnTunnel } from './vpn_tunnel.ts'

/** A way to a prefix through one tunnel. */
export interface VpnPath {
  /** Canonical IPv4 CIDR. */
  readonly cidr: string
  readonly source: 'static' | 'bgp'
  /** Empty for a static one. */
  readonly asPath: readonly number[]
  /** 0 where the peer said none. */
  readonly med: number
  readonly communities: readonly string[]
  readonly vpnConnectionId: string
  readonly outsideIpAddress: string
}

/** All paths of a gateway, in order of connection and tunnel. */
export function pathsOf (snapshot: Snapshot, vpnGatewayId: string): VpnPath[] {
  return connectionsOf(snapshot, vpnGatewayId).flatMap((connection) =>
    connection.tunnels.flatMap((tunnel) => pathsOfTunnel(snapshot, connection, tunnel)))
}

function pathsOfTunnel (
  snapshot: Snapshot, connection: VpnConnection, tunnel: VpnTunnel): VpnPath[] {
  if (!isTunnelUp(snapshot, connection, tunnel)) return []
  const common =
    { vpnConnectionId: connection.id, outsideIpAddress: tunnel.outsideIpAddress } as const
  if (connection.staticRoutesOnly) {
    return connection.staticRoutes.map((cidr) =>
      ({ cidr, source: 'static', asPath: [], med: 0, communities: [], ...common }))
  }
  const session = snapshot.tables.bgpSession.get(
    tunnelKey(connection.id, tunnel.outsideIpAddress))
  return (session?.paths ?? []).map(({ cidr, asPath, med, communities }) =>
    ({ cidr, source: 'bgp', asPath, med: med ?? 0, communities, ...common }))
}

/** A prefix that two customer gateways of one gateway have announced, or parts of it. */
export interface SiteOverlap {
  readonly cidr: string
  readonly otherCidr: string
  readonly otherConnectionId: string
  readonly otherCustomerGatewayId: string
}

/** Overlaps told of one tunnel; further ones are left out. */
const OVERLAPS_MAX = 3

/**
 * What a tunnel has learned that overlaps with what other customer gateways announce by BGP. The
 * sites of a VPN CloudHub must not overlap (AWS Site-to-Site VPN User Guide, "Secure communication
 * between AWS Site-to-Site VPN connections using VPN CloudHub"); the API refuses nothing.
 * @param paths of the gateway
 */
export function siteOverlaps (
  snapshot: Snapshot, paths: readonly VpnPath[], outsideIpAddress: string): SiteOverlap[] {
  const siteOf = ({ vpnConnectionId }: VpnPath): string =>
    snapshot.tables.vpnConnection.get(vpnConnectionId)?.customerGatewayId ?? ''
  const learned = paths.filter(({ source }) => source === 'bgp')
  const overlaps = new Map<string, SiteOverlap>()
  for (const own of learned) {
    if (own.outsideIpAddress !== outsideIpAddress) continue
    for (const other of learned) {
      const otherCustomerGatewayId = siteOf(other)
      if (otherCustomerGatewayId === siteOf(own) ||
        !cidrsOverlap(knownCidr(own.cidr), knownCidr(other.cidr))) continue
      overlaps.set(`${own.cidr} ${other.cidr} ${otherCustomerGatewayId}`, {
        cidr: own.cidr, otherCidr: other.cidr, otherConnectionId: other.vpnConnectionId,
        otherCustomerGatewayId
      })
      if (overlaps.size === OVERLAPS_MAX) return [...overlaps.values()]
    }
  }
  return [...overlaps.values()]
}

/**
 * The path that wins.
 * @param paths to one prefix, in the order that decides at last; at least one
 */
export function bestPath (paths: readonly VpnPath[]): VpnPath {
  const statics = paths.filter(({ source }) => source === 'static')
  const first = statics[0]
  if (first !== undefined) return first
  const shortest = Math.min(...paths.map(({ asPath }) => asPath.length))
  const short = paths.filter(({ asPath }) => asPath.length === shortest)
  // MEDs of different neighbours say nothing to each other: each neighbour's best comes forward.
  const best = short.find(({ asPath: [neighbour], med }) =>
    short.every((other) => other.asPath[0] !== neighbour || other.med >= med))
  return best ?? short[0] ?? paths[0] as VpnPath
}

/** What a gateway knows: every prefix once, with its best path, in order of prefix. */
export function bestPaths (snapshot: Snapshot, vpnGatewayId: string): VpnPath[] {
  const byCidr = Map.groupBy(pathsOf(snapshot, vpnGatewayId), ({ cidr }) => cidr)
  return [...byCidr.values()].map(bestPath).sort(byPrefix)
}

/** Shorter prefixes first, then by address. */
function byPrefix ({ cidr: a }: VpnPath, { cidr: b }: VpnPath): number {
  const [one, other] = [knownCidr(a), knownCidr(b)]
  if (one.prefixLength !== other.prefixLength) return one.prefixLength - other.prefixLength
  return one.first < other.first ? -1 : one.first > other.first ? 1 : 0
}

/** The routes that gateways bring into a table. */
export function propagatedRoutes (snapshot: Snapshot,
  { propagatingVgwIds = [] }: Pick<RouteTable, 'propagatingVgwIds'>): Route[] {
  const max = quota(snapshot, 'propagated-routes-per-route-table')
  return propagatingVgwIds.flatMap((gatewayId) =>
    bestPaths(snapshot, gatewayId).map(({ cidr }): Route => ({
      destination: cidr, target: { kind: 'vpn-gateway', gatewayId },
      origin: 'EnableVgwRoutePropagation'
    }))).slice(0, max)
}

/** All routes of a table: those that it has, and those that are propagated to it. */
export function allRoutes (snapshot: Snapshot,
  table: Pick<RouteTable, 'routes' | 'propagatingVgwIds'>): readonly Route[] {
  const { propagatingVgwIds = [] } = table
  return propagatingVgwIds.length === 0 ? table.routes
    : [...table.routes, ...propagatedRoutes(snapshot, table)]
}

/** What AWS announces to the customer through one tunnel. */
export interface Announcement {
  readonly cidr: string
  /** What stands behind AWS's own ASN: another site's path (CloudHub), else nothing. */
  readonly asPath: readonly number[]
}

/** MED that AWS gives its announcements: the lower one on the tunnel that it prefers. */
export const MED_PREFERRED = 100
export const MED_OTHER = 200
/** [lab] That of a tunnel while the endpoint of the other one is replaced: below both. */
export const MED_SURVIVOR = 50

/** AWS Site-to-Site VPN User Guide, "Routing during VPN tunnel endpoint updates". */
export function medOfTunnel (
  snapshot: Snapshot, connection: VpnConnection, tunnel: VpnTunnel): number {
  const isReplaced = (one: VpnTunnel): boolean => isBeingReplaced(snapshot, connection, one)
  const others = connection.tunnels.filter((one) => one !== tunnel)
  if (!isReplaced(tunnel) && others.some(isReplaced)) return MED_SURVIVOR
  return tunnel === connection.tunnels[0] ? MED_PREFERRED : MED_OTHER
}

/**
 * The blocks of the gateway's VPC and, as a hub does, what it learned from other connections.
 * @returns in order of prefix of each kind; nothing for a static connection
 */
export function announcements (snapshot: Snapshot, connection: VpnConnection): Announcement[] {
  if (connection.staticRoutesOnly) return []
  const { vpcId } = snapshot.tables.vpnGateway.get(connection.vpnGatewayId) ?? { vpcId: null }
  const blocks = vpcId === null ? [] : snapshot.tables.vpc.get(vpcId)?.cidrBlocks ?? []
  const own = blocks.map(({ cidrBlock }): Announcement => ({ cidr: cidrBlock, asPath: [] }))
  const others = bestPaths(snapshot, connection.vpnGatewayId)
    .filter(({ source, vpnConnectionId, cidr }) => source === 'bgp' &&
      vpnConnectionId !== connection.id && !own.some((one) => one.cidr === cidr))
    .map(({ cidr, asPath }): Announcement => ({ cidr, asPath }))
  return [...own, ...others]
}
