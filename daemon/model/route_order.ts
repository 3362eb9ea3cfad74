/**
 * Which route of a table wins: the one place of that order. AWS VPC User Guide, "How route priority
 * works".
 *
 *     1  the longest prefix
 *     2  among routes to the same prefix:  local > static > prefix list > propagated
 *
 * Local routes come before propagated ones even when those are longer. A prefix list gives a route
 * per entry of its newest version, and gives way where it must: an entry that is a block of the
 * VPC, lies inside one or inside the ranges of AWS's own services does nothing [lab: CreateRoute
 * refuses such destinations, a list can get them later]. Of two lists with the same block the route
 * that was made first wins: AWS picks one and stays with it.
 */
import { cidrContains, knownCidr } from './cidr.ts'
import type { Cidr } from './cidr.ts'
import { isPrefixListId, prefixListCidrs } from './prefix_list_reference.ts'
import type { Route, RouteTable } from './route_table.ts'
import type { Snapshot } from './snapshot.ts'
import { allRoutes } from './vpn_route.ts'

/** Addresses of AWS's own services: no route equal to these or inside them. */
export const RESERVED_DESTINATIONS: readonly Cidr[] =
  [knownCidr('169.254.168.0/22'), knownCidr('fd00:ec2::/32')]

/** A route as packets meet it. */
export interface EffectiveRoute {
  /** Canonical CIDR; no other effective route of the table has the same. */
  readonly cidr: string
  /** The route of the table that it comes from. */
  readonly route: Route
}

/** By how a route came to be; the lower wins among equal prefixes. */
const LOCAL = 0
const STATIC = 1
const PREFIX_LIST = 2
const PROPAGATED = 3

function rankOf ({ origin, destination }: Route): number {
  if (origin === 'CreateRouteTable') return LOCAL
  if (isPrefixListId(destination)) return PREFIX_LIST
  return origin === 'CreateRoute' ? STATIC : PROPAGATED
}

/**
 * What a table comes to: every prefix once, with the route that wins it. The longest prefix that
 * holds an address is then its route.
 */
export function effectiveRoutes (snapshot: Snapshot,
  table: Pick<RouteTable, 'region' | 'routes' | 'propagatingVgwIds'>): EffectiveRoute[] {
  const { region } = table
  const routes = allRoutes(snapshot, table)
  const locals = routes.filter(({ origin }) => origin === 'CreateRouteTable')
    .map(({ destination }) => knownCidr(destination))
  const won = new Map<string, EffectiveRoute>()
  // A stable sort: among equal ranks the route that was made first stays first.
  for (const route of routes.toSorted((a, b) => rankOf(a) - rankOf(b))) {
    const isList = isPrefixListId(route.destination)
    const cidrs = isList ? prefixListCidrs(snapshot, region, route.destination)
      : [route.destination]
    const givesWay = isList ? [...locals, ...RESERVED_DESTINATIONS]
      : rankOf(route) === PROPAGATED ? locals : []
    for (const cidr of cidrs) {
      if (won.has(cidr)) continue
      if (givesWay.some((block) => cidrContains(block, knownCidr(cidr)))) continue
      won.set(cidr, { cidr, route })
    }
  }
  return [...won.values()]
}

/** The route of a table that a packet met by the block `cidr`; undefined when it has none now. */
export function routeBehind (
  snapshot: Snapshot, routeTableId: string, cidr: string | null): Route | undefined {
  const table = snapshot.tables.routeTable.get(routeTableId)
  if (table === undefined || cidr === null) return undefined
  return effectiveRoutes(snapshot, table).find((route) => route.cidr === cidr)?.route
}
