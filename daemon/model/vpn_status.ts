/**
 * What is known of a tunnel that no call said: whether IPsec is up, whether BGP is, and which paths
 * it has learned. Two records per tunnel, since two engines write them, each its own:
 *
 *     IPsec engine ──▶ ipsecSession ─┐
 *     BGP engine ────▶ bgpSession ───┴─▶ telemetry, routes (vpn_route.ts)
 *
 * A tunnel without a record is down. A record goes with its connection; one that an engine reports
 * for a tunnel that is gone is not taken.
 */
import type { Plan } from './plan.ts'
import { put } from './snapshot.ts'
import type { Snapshot } from './snapshot.ts'
import type { VpnConnection } from './vpn_connection.ts'
import type { VpnTunnel } from './vpn_tunnel.ts'

/** One tunnel's IPsec: key `tunnelKey`. */
export interface IpsecSession {
  readonly id: string
  readonly vpnConnectionId: string
  readonly outsideIpAddress: string
  readonly isUp: boolean
  /** Since when it is as it is, ms since 1970. */
  readonly sinceMs: number
  /** Why it is down, in words for people; null: nothing to say. */
  readonly message: string | null
  /** Which endpoint is up: `replacedMs` of its tunnel when it was made, 0 for the first; null
   * while down, absent in records of before. */
  readonly generation?: number | null
  /** What the two ends agreed on, in EC2's names; null while down. */
  readonly negotiated: {
    readonly ikeVersion: string
    readonly phase1EncryptionAlgorithm: string
    readonly phase1IntegrityAlgorithm: string
    readonly phase1DHGroup: number
    readonly phase2EncryptionAlgorithm: string
    readonly phase2IntegrityAlgorithm: string
    /** 0: without perfect forward secrecy. */
    readonly phase2DHGroup: number
  } | null
}

/** One tunnel's BGP: key `tunnelKey`. */
export interface BgpSession {
  readonly id: string
  readonly vpnConnectionId: string
  readonly outsideIpAddress: string
  readonly isUp: boolean
  readonly sinceMs: number
  /** Why it is down: the last notification, in words; null: nothing to say. */
  readonly message: string | null
  /** Paths accepted from the peer, at most BGP_PATHS_MAX, in order of prefix. Empty while down. */
  readonly paths: readonly BgpPath[]
}

/** One prefix as a peer announced it: RFC 4271 §5.1. */
export interface BgpPath {
  /** Canonical IPv4 CIDR. */
  readonly cidr: string
  /** Leftmost is the neighbour. */
  readonly asPath: readonly number[]
  /** MULTI_EXIT_DISC; null: none, which counts as 0. */
  readonly med: number | null
  /** `65000:100` */
  readonly communities: readonly string[]
  readonly nextHop: string
}

/** Prefixes that a virtual private gateway takes from a peer; one more ends the session. */
export const BGP_PATHS_MAX = 100

/** Key of a tunnel's records. */
export function tunnelKey (vpnConnectionId: string, outsideIpAddress: string): string {
  return `${vpnConnectionId}:${outsideIpAddress}`
}

type Report<Session> = Omit<Session, 'id'>

/**
 * Notes what the IPsec engine says of a tunnel. `sinceMs` stays while `isUp` does.
 * @returns whether there was anything new
 */
export function planIpsecSession (
  snapshot: Snapshot, report: Report<IpsecSession>): Plan<boolean> {
  return planSession(snapshot, 'ipsecSession', report)
}

/** Notes what the BGP engine says of a tunnel; as planIpsecSession. */
export function planBgpSession (snapshot: Snapshot, report: Report<BgpSession>): Plan<boolean> {
  return planSession(snapshot, 'bgpSession', report)
}

function planSession (snapshot: Snapshot, noun: 'ipsecSession' | 'bgpSession',
  report: Report<IpsecSession> | Report<BgpSession>): Plan<boolean> {
  const { vpnConnectionId, outsideIpAddress } = report
  const connection = snapshot.tables.vpnConnection.get(vpnConnectionId)
  const isThere = connection?.state === 'available' &&
    connection.tunnels.some((tunnel) => tunnel.outsideIpAddress === outsideIpAddress)
  if (!isThere) return { changes: [], result: false }
  const id = tunnelKey(vpnConnectionId, outsideIpAddress)
  const before: IpsecSession | BgpSession | undefined = snapshot.tables[noun].get(id)
  const sinceMs = before?.isUp === report.isUp ? before.sinceMs : report.sinceMs
  const record = { id, ...report, sinceMs }
  if (before !== undefined && JSON.stringify(sorted(before)) === JSON.stringify(sorted(record))) {
    return { changes: [], result: false }
  }
  return { changes: [put(noun, record as IpsecSession & BgpSession)], result: true }
}

function sorted (record: object): object {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => a < b ? -1 : 1))
}

/** VgwTelemetry of one tunnel, in plain values. */
export interface Telemetry {
  readonly outsideIpAddress: string
  readonly status: 'UP' | 'DOWN'
  /** EC2's words. */
  readonly statusMessage: string
  readonly acceptedRouteCount: number
  readonly lastStatusChangeMs: number
}

/** UP: IPsec is, and with dynamic routing BGP, too. */
export function telemetryOf (
  snapshot: Snapshot, connection: VpnConnection, tunnel: VpnTunnel): Telemetry {
  const { outsideIpAddress, preSharedKey } = tunnel
  const { createdMs, id, staticRoutesOnly } = connection
  const key = tunnelKey(id, outsideIpAddress)
  const ipsec = snapshot.tables.ipsecSession.get(key)
  const bgp = snapshot.tables.bgpSession.get(key)
  const common = { outsideIpAddress, acceptedRouteCount: 0,
    lastStatusChangeMs: ipsec?.sinceMs ?? createdMs }
  if (ipsec?.isUp !== true) {
    // A certificate is out of reach of those who configure tunnels: what is wrong with it is said.
    const why = preSharedKey === null ? ipsec?.message ?? null : null
    return { ...common, status: 'DOWN',
      statusMessage: why === null ? 'IPSEC IS DOWN' : `IPSEC IS DOWN: ${why}` }
  }
  if (staticRoutesOnly) {
    return { ...common, status: 'UP', statusMessage: 'IPSEC IS UP',
      acceptedRouteCount: connection.staticRoutes.length }
  }
  const lastStatusChangeMs = Math.max(ipsec.sinceMs, bgp?.sinceMs ?? 0)
  if (bgp?.isUp !== true) {
    return { ...common, status: 'DOWN', statusMessage: 'IPSEC IS UP', lastStatusChangeMs }
  }
  const count = bgp.paths.length
  return { ...common, status: 'UP', statusMessage: `${String(count)} BGP ROUTES`,
    acceptedRouteCount: count, lastStatusChangeMs }
}

/** Whether a call has made a tunnel's endpoint begin anew, and it has not come up since. */
export function isBeingReplaced ({ tables }: Snapshot, { id }: Pick<VpnConnection, 'id'>,
  { outsideIpAddress, replacedMs }: VpnTunnel): boolean {
  const session = tables.ipsecSession.get(tunnelKey(id, outsideIpAddress))
  return replacedMs !== null && !(session?.isUp === true && session.generation === replacedMs)
}

/** Whether a tunnel carries routes. */
export function isTunnelUp (
  snapshot: Snapshot, connection: VpnConnection, tunnel: VpnTunnel): boolean {
  return telemetryOf(snapshot, connection, tunnel).status === 'UP'
}
