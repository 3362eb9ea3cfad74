/** What is known of VPN tunnels: whether they are up, why not, and what they have learned. */
import { Readable } from 'node:stream'
import { wiresharkKeyLine } from '../../../observe/capture/wireshark_keys.ts'
import type { Snapshot } from '../../../model/snapshot.ts'
import { connectionsOf, outsideAddresses } from '../../../model/vpn_connection.ts'
import type { VpnConnection } from '../../../model/vpn_connection.ts'
import { bestPaths, pathsOf, siteOverlaps } from '../../../model/vpn_route.ts'
import type { VpnPath } from '../../../model/vpn_route.ts'
import { telemetryOf, tunnelKey } from '../../../model/vpn_status.ts'
import type { VpnTunnel } from '../../../model/vpn_tunnel.ts'
import type { VpnAnswer, VpnLogAnswer } from '../contract.ts'
import { Refusal } from '../route.ts'
import type { AddRoutes, AdminServerOptions, Query } from '../route.ts'

/** Readers of keys at once; more is refused with 503. */
export const VPN_KEY_READERS_MAX = 16

export const addVpnRoutes: AddRoutes = (server, { lab, replica: { snapshot } }) => {
  addKeys(server, lab, snapshot)
  server.get<{ Querystring: Query }>('/vpn/log', ({ query }): VpnLogAnswer =>
    logOf(lab, snapshot, query['vpn'] ?? ''))
  server.get('/vpn', (): VpnAnswer => ({
    tunnels: [...snapshot.tables.vpnGateway.values()].flatMap(({ id }) => {
      const paths = pathsOf(snapshot, id)
      const used = new Set(bestPaths(snapshot, id).map(pathKey))
      return connectionsOf(snapshot, id).flatMap((connection) =>
        connection.tunnels.map((tunnel, at) => ({
          number: at + 1,
          ...tunnelOf(snapshot, connection, tunnel),
          overlaps: siteOverlaps(snapshot, paths, tunnel.outsideIpAddress),
          paths: paths.filter(({ vpnConnectionId, outsideIpAddress }) =>
            vpnConnectionId === connection.id && outsideIpAddress === tunnel.outsideIpAddress)
            .map((path) => ({ cidr: path.cidr, source: path.source, asPath: path.asPath,
              med: path.med, communities: path.communities, isUsed: used.has(pathKey(path)) }))
        })))
    })
  }))
}

/** @throws Refusal for a connection that does not exist */
function logOf (
  lab: AdminServerOptions['lab'], snapshot: Snapshot, id: string): VpnLogAnswer {
  const connection = snapshot.tables.vpnConnection.get(id)
  if (connection === undefined) {
    throw new Refusal(404, 'InvalidVpnConnectionID.NotFound',
      `The vpnConnection ID '${id}' does not exist`)
  }
  const lines = connection.tunnels.flatMap(({ outsideIpAddress }, at) =>
    lab.vpn.log.of(tunnelKey(id, outsideIpAddress)).map((line) => ({ ...line, tunnel: at + 1 })))
  return {
    lines: lines.toSorted((a, b) => a.atMs - b.atMs).map(({ atMs, tunnel, source, text }) =>
      ({ time: new Date(atMs).toISOString(), tunnel, source, text }))
  }
}

/** Keys, for who captures a tunnel and wants to read what is in it. */
function addKeys (server: Parameters<AddRoutes>[0], lab: AdminServerOptions['lab'],
  snapshot: Snapshot): void {
  const readers = new Set<Readable>()
  server.get<{ Querystring: Query }>('/vpn/keys', async ({ query }, reply) => {
    if (readers.size >= VPN_KEY_READERS_MAX) {
      throw new Refusal(503, 'TooManyReaders',
        `${String(VPN_KEY_READERS_MAX)} readers follow the keys of this lab: end one of them`)
    }
    const tunnels = new Set((query['tunnels'] ?? '').split(','))
    checkTunnels(snapshot, tunnels)
    const reader = new Readable({ read: () => { /* lines are pushed as SAs are made */ } })
    readers.add(reader)
    const lines = new Set<string>()
    const first: string[] = ["# Wireshark's ESP SA table: keys of " + [...tunnels].join(', ')]
    let begun = false
    const leave = await lab.vpn.followKeys(tunnels, (sa) => {
      const line = wiresharkKeyLine(sa)
      if (lines.has(line)) return
      lines.add(line)
      if (begun) reader.push(`${line}\n`)
      else first.push(line)
    })
    begun = true
    reader.on('close', () => {
      leave()
      readers.delete(reader)
    })
    // In one piece: who has the comment has the SAs that there were.
    reader.push(first.map((line) => `${line}\n`).join(''))
    return await reply.header('content-type', 'text/plain').send(reader)
  })
  // A server that closes waits for its answers, so they are ended before.
  server.addHook('preClose', (done) => {
    for (const reader of readers) reader.push(null)
    done()
  })
}

/** @throws Refusal for an address that is no tunnel's */
function checkTunnels (snapshot: Snapshot, tunnels: ReadonlySet<string>): void {
  const known = outsideAddresses(snapshot)
  for (const tunnel of tunnels) {
    if (!known.has(tunnel)) {
      throw new Refusal(404, 'NotFound', `"${tunnel}" is no outside address of a VPN tunnel`)
    }
  }
}

function tunnelOf (snapshot: Snapshot, connection: VpnConnection, tunnel: VpnTunnel):
Omit<VpnAnswer['tunnels'][number], 'number' | 'overlaps' | 'paths'> {
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
