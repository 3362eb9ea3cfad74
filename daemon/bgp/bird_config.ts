/**
 * Configuration of BIRD 2 for one gateway. BIRD User's Guide 2.0, chapters 4 to 6.
 *
 *     protocol static blocks    the VPC's blocks, which it announces and has no use for itself
 *     protocol bgp v…_1, v…_2   one per tunnel; import: all, up to the limit
 *                               export: the blocks, and what other connections announced (a hub)
 *
 * A protocol is named by its connection, so that a filter can tell the other tunnel of the same
 * one: what a site said is not said to it again. There is no `kernel` protocol: nothing is
 * forwarded by this namespace.
 */
import type { BgpGateway, BgpPeer } from './engine.ts'

/** AWS Site-to-Site VPN User Guide, tunnel options: hold time and keepalive, seconds. */
const HOLD_TIME_S = 30
const KEEPALIVE_TIME_S = 10
/** Pause between attempts, seconds: a device that is made ready later is met soon. */
const RETRY_S = { connect: 5, delay: 1, errorMin: 1, errorMax: 10 } as const
/** The speaker's log is kept in two files of this size, bytes. */
const LOG_BYTES_MAX = 1_000_000

/**
 * The name of a tunnel's protocol: a letter and digits, as BIRD's names are.
 * @param peerIndex position among the gateway's peers of one connection, 0 or 1
 */
export function protocolName (vpnConnectionId: string, peerIndex: number): string {
  return `${connectionName(vpnConnectionId)}_${String(peerIndex + 1)}`
}

function connectionName (vpnConnectionId: string): string {
  return `v${vpnConnectionId.replace(/^vpn-/, '')}`
}

/** Peers by the names of their protocols. */
export function peersByName ({ peers }: BgpGateway): Map<string, BgpPeer> {
  const named = new Map<string, BgpPeer>()
  for (const peer of peers) {
    let index = 0
    while (named.has(protocolName(peer.vpnConnectionId, index))) index++
    named.set(protocolName(peer.vpnConnectionId, index), peer)
  }
  return named
}

/** @param logPath file that the speaker logs to */
export function birdConfig (gateway: BgpGateway, logPath: string): string {
  const routerId = gateway.peers[0]?.localAddress ?? '169.254.0.1'
  const blocks = gateway.blocks
    .map((cidr) => `  route ${cidr} unreachable;\n`).join('')
  const peers = [...peersByName(gateway)].map(([name, peer]) => peerConfig(gateway, name, peer))
  const usesBfd = gateway.peers.some(({ bfd }) => bfd !== null)
  return `log "${logPath}" ${String(LOG_BYTES_MAX)} "${logPath}.old" all;
router id ${routerId};
graceful restart wait 30;

protocol device {
  scan time 2;
}

protocol static blocks {
  ipv4;
${blocks}}
${usesBfd ? '\nprotocol bfd {\n}\n' : ''}
${peers.join('\n')}`
}

function peerConfig ({ asn }: BgpGateway, name: string, peer: BgpPeer): string {
  const { password, bfd } = peer
  const options = [
    `description "${peer.vpnConnectionId} ${peer.outsideIpAddress}"`,
    `local ${peer.localAddress} as ${String(asn)}`,
    `neighbor ${peer.peerAddress} as ${String(peer.peerAsn)}`,
    `hold time ${String(HOLD_TIME_S)}`,
    `keepalive time ${String(KEEPALIVE_TIME_S)}`,
    `connect retry time ${String(RETRY_S.connect)}`,
    `connect delay time ${String(RETRY_S.delay)}`,
    `error wait time ${String(RETRY_S.errorMin)}, ${String(RETRY_S.errorMax)}`,
    'graceful restart on',
    ...password === null ? [] : [`password "${password}"`],
    ...bfd === null ? [] : [`bfd { interval ${String(bfd.intervalMs)} ms; ` +
      `multiplier ${String(bfd.multiplier)}; }`]
  ]
  return `protocol bgp ${name} {
${options.map((option) => `  ${option};\n`).join('')}  ipv4 {
    import limit ${String(peer.pathsMax)} action disable;
    import all;
    export filter {
      if proto ~ "${connectionName(peer.vpnConnectionId)}_*" then reject;
      bgp_med = ${String(peer.med)};
      accept;
    };
    next hop self;
  };
}
`
}
