/**
 * The route table of the sender's subnet: the most specific route decides, and a blackhole is never
 * handed to a shorter prefix (systems 1.11). What crosses from subnet to subnet is routed, and
 * loses one of its TTL (steps/ttl.ts).
 */
import { DROP_BLACKHOLE, DROP_NO_ROUTE, DROP_NONE } from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'
import type { RouteTable } from '../tables/route_table.ts'
import type { Tables } from '../tables/tables.ts'
import {
  TARGET_BLACKHOLE, TARGET_GATEWAY, TARGET_LOCAL, TARGET_NETWORK_INTERFACE
} from '../tables/update.ts'

/** Sets how the next hop is named. @returns DROP_NONE, DROP_NO_ROUTE or DROP_BLACKHOLE */
export function findRoute (p: PacketContext, tables: Tables): number {
  const subnet = tables.subnets.get(tables.ports.subnetIndex[p.portIndex])
  return subnet === undefined ? DROP_NO_ROUTE : followTable(p, tables, subnet.routeTableIndex)
}

/**
 * Gateway route tables, systems 4.7: what comes in by the gateway `portIndex` follows its table, if
 * it has one, and goes straight to its destination otherwise.
 * @returns DROP_NONE, DROP_NO_ROUTE or DROP_BLACKHOLE
 */
export function findIngressRoute (p: PacketContext, tables: Tables): number {
  const index = tables.ports.routeTableIndex[p.portIndex]
  return index === 0 ? DROP_NONE : followTable(p, tables, index)
}

function followTable (p: PacketContext, tables: Tables, index: number): number {
  const table = tables.routeTable(index)
  if (table === undefined) return DROP_NO_ROUTE
  const route = table.find(p.dst0, p.dst1, p.dst2, p.dst3)
  p.route = route
  if (route < 0) return DROP_NO_ROUTE
  switch (table.targetKind[route]) {
    case TARGET_LOCAL: return DROP_NONE
    case TARGET_NETWORK_INTERFACE:
      p.isRoutedToEni = 1
      nameTarget(p, table, route)
      return DROP_NONE
    case TARGET_GATEWAY:
      p.isRoutedToGateway = 1
      nameTarget(p, table, route)
      return DROP_NONE
    case TARGET_BLACKHOLE: return DROP_BLACKHOLE
    default: return DROP_NO_ROUTE // a kind of gateway that this worker does not know
  }
}

function nameTarget (p: PacketContext, table: RouteTable, route: number): void {
  const target = table.targetArgument[route] * 2
  p.targetEniHigh = table.targetEnis[target]
  p.targetEniLow = table.targetEnis[target + 1]
}
