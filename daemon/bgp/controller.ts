/**
 * Between records and the BGP engine: which sessions there are to be, and what they have learned.
 *
 *     vpnGateway, vpnConnection, customerGateway, vpc ──▶ BgpGateway[] ──▶ engine
 *     bgpSession ◀── transaction ◀── newest report of each session ◀────────┘
 */
import type { Clock } from '../base/clock.ts'
import { changesField } from '../model/commit_feed.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { connectionsOf } from '../model/vpn_connection.ts'
import type { VpnConnection } from '../model/vpn_connection.ts'
import type { VpnGateway } from '../model/vpn_gateway.ts'
import { medOfTunnel } from '../model/vpn_route.ts'
import { BGP_PATHS_MAX, planBgpSession, tunnelKey } from '../model/vpn_status.ts'
import { insideAddresses } from '../model/vpn_tunnel.ts'
import type { Log } from '../observe/log.ts'
import { LatestWriter } from '../store/latest_writer.ts'
import type { Replica } from '../store/replica.ts'
import type { Subscription } from '../store/store.ts'
import type { BgpEngine, BgpGateway, BgpPeer, BgpReport } from './engine.ts'

export interface BgpControllerOptions {
  readonly replica: Replica
  readonly clock: Clock
  readonly log: Log
  /** Name of the namespace in which a gateway's tunnels end. */
  readonly namespaceOf: (vpnGatewayId: string) => string
  /** @param onReport what the engine is to call */
  readonly createEngine: (onReport: (report: BgpReport) => void) => BgpEngine
}

export class BgpController {
  readonly #options: BgpControllerOptions
  readonly #engine: BgpEngine
  readonly #writer: LatestWriter<BgpReport>
  readonly #subscription: Subscription

  constructor (options: BgpControllerOptions) {
    this.#options = options
    const { replica, clock, log } = options
    this.#writer = new LatestWriter(replica,
      (snapshot, report) =>
        planBgpSession(snapshot, { ...report, sinceMs: clock.nowMs() }).changes,
      (error) => { log.error({ err: error }, 'what BGP has learned could not be written') })
    this.#engine = options.createEngine((report) => {
      this.#writer.take(tunnelKey(report.vpnConnectionId, report.outsideIpAddress), report)
    })
    this.#subscription = replica.onCommit((_revision, changes) => {
      if (changes.some(concerns)) this.#apply()
    })
    this.#apply()
  }

  async stop (): Promise<void> {
    this.#subscription.close()
    await this.#engine.stop()
    await this.#writer.idle()
  }

  #apply (): void {
    const { replica, namespaceOf } = this.#options
    this.#engine.apply(gatewaysOf(replica.snapshot, namespaceOf))
  }
}

/** Whether sessions may have to be others. */
function concerns (change: AppliedChange): boolean {
  switch (change.noun) {
    case 'vpnGateway': return changesField<'vpnGateway'>(change, ['vpcId', 'state'])
    case 'vpnConnection':
      return changesField<'vpnConnection'>(change,
        ['state', 'tunnels', 'vpnGatewayId', 'customerGatewayId'])
    case 'ipsecSession': return changesField<'ipsecSession'>(change, ['isUp', 'generation'])
    case 'vpc': return changesField<'vpc'>(change, ['cidrBlocks'])
    default: return false
  }
}

/** Gateways with a connection that speaks BGP. */
export function gatewaysOf (
  snapshot: Snapshot, namespaceOf: (vpnGatewayId: string) => string): BgpGateway[] {
  return [...snapshot.tables.vpnGateway.values()].flatMap((gateway) => {
    const peers = connectionsOf(snapshot, gateway.id)
      .filter(({ staticRoutesOnly }) => !staticRoutesOnly)
      .flatMap((connection) => peersOf(snapshot, connection))
    return peers.length === 0 ? [] : [{
      id: gateway.id, namespace: namespaceOf(gateway.id), asn: gateway.amazonSideAsn,
      blocks: blocksOf(snapshot, gateway), peers
    }]
  })
}

function blocksOf ({ tables }: Snapshot, { vpcId }: VpnGateway): string[] {
  const vpc = vpcId === null ? undefined : tables.vpc.get(vpcId)
  return (vpc?.cidrBlocks ?? []).map(({ cidrBlock }) => cidrBlock)
}

function peersOf (snapshot: Snapshot, connection: VpnConnection): BgpPeer[] {
  const customer = snapshot.tables.customerGateway.get(connection.customerGatewayId)
  if (customer === undefined) return []
  return connection.tunnels.map((tunnel) => {
    const inside = insideAddresses(tunnel)
    return {
      vpnConnectionId: connection.id, outsideIpAddress: tunnel.outsideIpAddress,
      localAddress: inside.aws, peerAddress: inside.customer, peerAsn: customer.bgpAsn,
      med: medOfTunnel(snapshot, connection, tunnel), pathsMax: BGP_PATHS_MAX,
      password: null, bfd: null
    }
  })
}
