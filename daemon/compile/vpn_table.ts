/**
 * VPN tunnels of virtual private gateways, and the prefix of each that is used now, for edges
 * alone. One object, built whole: a prefix moves from a tunnel that went down to another in one
 * step.
 */
import { idBits } from '../base/ids.ts'
import {
  VPN_ROUTE_AT_GATEWAY_HIGH, VPN_ROUTE_AT_GATEWAY_LOW, VPN_ROUTE_AT_PREFIX, VPN_ROUTE_AT_TUNNEL,
  VPN_ROUTE_WORDS
} from '../dataplane/tables/update.ts'
import { addressPrefix, cidrPrefix } from '../mapping/prefix.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { connectionsOf } from '../model/vpn_connection.ts'
import { edgesOfTunnels } from '../model/vpn_placement.ts'
import { bestPaths } from '../model/vpn_route.ts'
import { insideAddresses } from '../model/vpn_tunnel.ts'
import { isForEdge, NO_VPC } from './compiled_table.ts'
import type { CompiledTable } from './compiled_table.ts'

const ALL = 'all'
const NOUNS: ReadonlySet<string> =
  new Set(['vpnGateway', 'vpnConnection', 'ipsecSession', 'bgpSession', 'host'])

export const vpnTable: CompiledTable = {
  name: 'vpns',

  note (change, context, mark) {
    if (isForEdge(context) && NOUNS.has(change.noun)) mark(ALL)
  },

  keysOf (vpcId) {
    return vpcId === NO_VPC ? [ALL] : []
  },

  build (_key, context, draft) {
    if (!isForEdge(context)) return null
    const { snapshot, indexes } = context
    const tunnels: number[] = []
    const routes: number[] = []
    for (const { id } of snapshot.tables.vpnGateway.values()) {
      const { high, low } = idBits(id)
      for (const connection of connectionsOf(snapshot, id)) {
        const edges = edgesOfTunnels(snapshot, connection)
        connection.tunnels.forEach((tunnel, at) => {
          tunnels.push(wordOf(tunnel.outsideIpAddress), indexes.host.indexOf(edges[at] ?? ''), high,
            low, wordOf(insideAddresses(tunnel).aws))
        })
      }
      for (const { cidr, outsideIpAddress } of bestPaths(snapshot, id)) {
        const row = new Uint32Array(VPN_ROUTE_WORDS)
        const { words, length } = cidrPrefix(cidr)
        row[VPN_ROUTE_AT_GATEWAY_HIGH] = high
        row[VPN_ROUTE_AT_GATEWAY_LOW] = low
        row.set([...words, length], VPN_ROUTE_AT_PREFIX)
        row[VPN_ROUTE_AT_TUNNEL] = wordOf(outsideIpAddress)
        routes.push(...row)
      }
    }
    draft.vpns.push({ tunnels: Uint32Array.from(tunnels), routes: Uint32Array.from(routes) })
    return NO_VPC
  },

  remove (_key, _context, draft) {
    draft.vpns.push({ tunnels: new Uint32Array(0), routes: new Uint32Array(0) })
  }
}

/** Virtual private gateways whose routes a change of a connection or a session can change. */
export function vpnGatewaysOf (
  change: Extract<AppliedChange, { noun: 'vpnConnection' | 'ipsecSession' | 'bgpSession' }>,
  { tables }: Snapshot
): string[] {
  const ids = [change.previous, change.record].flatMap((record) => {
    if (record === null) return []
    if ('vpnGatewayId' in record) return [record.vpnGatewayId]
    return [tables.vpnConnection.get(record.vpnConnectionId)?.vpnGatewayId ?? []].flat()
  })
  return [...new Set(ids)]
}

/** Names of the edges whose tunnels a gateway sends into now. */
export function edgesInUse (snapshot: Snapshot, vpnGatewayId: string): string[] {
  const used = new Set(bestPaths(snapshot, vpnGatewayId)
    .map(({ outsideIpAddress }) => outsideIpAddress))
  return [...new Set(connectionsOf(snapshot, vpnGatewayId).flatMap((connection) => {
    const edges = edgesOfTunnels(snapshot, connection)
    return connection.tunnels.flatMap(({ outsideIpAddress }, at) =>
      used.has(outsideIpAddress) ? edges[at] ?? [] : [])
  }))]
}

function wordOf (address: string): number { return addressPrefix(address).words[3] ?? 0 }
