/**
 * Which edge has the outside address of a tunnel: `[lab]`, as on AWS the two tunnels of a
 * connection stand in different zones. Derived, never stored: from the connection's id and the
 * lab's edges, living or not, so that a tunnel comes back to the edge that it had.
 */
import type { Snapshot } from './snapshot.ts'
import type { VpnConnection } from './vpn_connection.ts'

/** @returns names of the hosts that have the connection's tunnels; none without edges */
export function edgesOfTunnels (
  snapshot: Snapshot, { id, tunnels }: Pick<VpnConnection, 'id' | 'tunnels'>): string[] {
  const edges = [...snapshot.tables.host.values()]
    .filter(({ roles }) => roles.includes('edge')).map((host) => host.id).sort()
  if (edges.length === 0) return []
  const first = Number.parseInt(id.slice(-8), 16)
  return tunnels.map((_tunnel, at) => edges[(first + at) % edges.length] as string)
}
