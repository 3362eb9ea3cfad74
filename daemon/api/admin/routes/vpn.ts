/** What is known of VPN tunnels: whether they are up, why not, and what they have learned. */
import type { Snapshot } from '../../../model/snapshot.ts'
import { connectionsOf } from '../../../model/vpn_connection.ts'
import type { VpnConnection } from '../../../model/vpn_connection.ts'
import { bestPaths, pathsOf } from '../../../model/vpn_route.ts'
import type { VpnPath } from '../../../model/vpn_route.ts'
import { telemetryOf, tunnelKey } from '../../../model/vpn_status.ts'
import type { VpnTunnel } from '../../../model/vpn_tunnel.ts'
import type { VpnAnswer } from '../contract.ts'
import type { AddRoutes } from '../route.ts'

export const addVpnRoutes: AddRoutes = (server, { replica: { snapshot } }) => {
  server.get('/vpn', (): VpnAnswer => ({
    tunnels: [...snapshot.tables.vpnGateway.values()].flatMap(({ id }) => {
      const paths = pathsOf(snapshot, id)
      const used = new Set(bestPaths(snapshot, id).map(pathKey))
      return connectionsOf(snapshot, id).flatMap((connection) =>
        connection.tunnels.map((tunnel, at) => ({
          number: at + 1,
          ...tunnelOf(snapshot, connection, tunnel),
          paths: paths.filter(({ vpnConnectionId, outsideIpAddress }) =>
            vpnConnectionId === connection.id && outsideIpAddress === tunnel.outsideIpAddress)
            .map((path) => ({ cidr: path.cidr, source: path.source, asPath: path.asPath,
              med: path.med, communities: path.communities, isUsed: used.has(pathKey(path)) }))
        })))
    })
  }))
}

function tunnelOf (snapshot: Snapshot, connection: VpnConnection, tunnel: VpnTunnel):
Omit<VpnAnswer['tunnels'][number], 'number' | 'paths'> {
  const key = tunnelKey(connection.id, tunnel.outsideIpAddress)
  const ipsec = snapshot.tables.ipsecSession.get(key)
  const bgp = snapshot.tables.bgpSession.get(key)
  const { status, lastStatusChangeMs } = telemetryOf(snapshot, connection, tunnel)
  return {
    vpnConnectionId: connection.id, outsideIpAddress: tunnel.outsideIpAddress,
    insideCidr: tunnel.insideCidr, status, sinceMs: lastStatusChangeMs,
    ipsec: { isUp: ipsec?.isUp ?? false, message: ipsec?.message ?? null },
    bgp: connection.staticRoutesOnly ? null
      : { isUp: bgp?.isUp ?? false, message: bgp?.message ?? null }
  }
}

function pathKey ({ cidr, outsideIpAddress }: VpnPath): string {
  return `${cidr} ${outsideIpAddress}`
}
