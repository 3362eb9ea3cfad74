/**
 * The place where the IPsec engine meets a customer gateway: a VPC of one instance, an edge, the
 * internet, and stock strongSwan.
 *
 *     [vpc] 10.0.1.10 ── TUN ── edge (harness/ipsec_edge.ts) ── TUN ── [wan] ── veth ── [cgw]
 *                                 │ TUN                        203.0.113.1     203.0.113.9
 *                               [ike] charon, 198.51.100.1                     192.168.7.20 (lo)
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { IKE_DEVICE, IpsecEdge, UPLINK_DEVICE, VPC_DEVICE } from '../../harness/ipsec_edge.ts'
import { Namespaces } from '../../harness/namespaces.ts'
import { PEER_DEVICE, StrongSwan } from '../../harness/strongswan.ts'

export const OUTSIDE = '198.51.100.1'
export const CGW = '203.0.113.9'
export const INSTANCE = '10.0.1.10'
export const LAN_HOST = '192.168.7.20'
const SECRET = 'correct.horse_battery9'

export interface PeerOptions {
  readonly version?: 1 | 2
  readonly ike?: string
  readonly esp?: string
  readonly secret?: string
  /** What it calls itself, and what it expects of the other side. */
  readonly id?: string
  readonly remoteId?: string
  readonly localTs?: string
  readonly remoteTs?: string
}

export function swanctlConf (options: PeerOptions = {}): string {
  return `connections { aws {
  version = ${String(options.version ?? 2)}
  local_addrs = ${CGW}
  remote_addrs = ${OUTSIDE}
  proposals = ${options.ike ?? 'aes256-sha256-modp2048'}
  mobike = no
  local { auth = psk
    id = ${options.id ?? CGW} }
  remote { auth = psk
    id = ${options.remoteId ?? OUTSIDE} }
  children { net {
    local_ts = ${options.localTs ?? '0.0.0.0/0'}
    remote_ts = ${options.remoteTs ?? '0.0.0.0/0'}
    esp_proposals = ${options.esp ?? 'aes256gcm16-modp2048, aes256-sha256-modp2048'}
  } }
} }
secrets { ike-aws { id-1 = ${options.id ?? CGW}
  id-2 = ${options.remoteId ?? OUTSIDE}
  secret = "${options.secret ?? SECRET}" } }
`
}

export interface Site extends AsyncDisposable {
  readonly net: Namespaces
  readonly edge: IpsecEdge
  readonly peer: StrongSwan
}

/** Starts an edge whose outside address is reached through the namespace `wan`. */
export async function startEdge (
  net: Namespaces, directory: string, names: { wan: string, ike: string, vpc: string },
  outside: string, inside: string
): Promise<IpsecEdge> {
  const { wan, ike, vpc } = names
  return await IpsecEdge.start({
    directory, uplink: net.path(wan), ike: net.path(ike), vpc: net.path(vpc)
  }, async () => {
    await net.run(wan, 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
    await net.ip(wan, 'link', 'set', UPLINK_DEVICE, 'mtu', '1500', 'up')
    await net.ip(wan, 'route', 'add', `${outside}/32`, 'dev', UPLINK_DEVICE)
    for (const [name, device, address] of [
      [ike, IKE_DEVICE, outside], [vpc, VPC_DEVICE, inside]
    ] as const) {
      await net.ip(name, 'address', 'add', `${address}/32`, 'dev', device)
      await net.ip(name, 'link', 'set', device, 'mtu', '1500', 'up')
      await net.ip(name, 'route', 'add', 'default', 'dev', device)
    }
  })
}

export async function site (): Promise<Site> {
  await using stack = new AsyncDisposableStack()
  const net = stack.use(await Namespaces.create('vpc', 'ike', 'wan', 'cgw'))
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-ipsec-'))
  stack.defer(() => { rmSync(directory, { recursive: true }) })
  await net.join('wan', ['203.0.113.1/24'], 'cgw', [`${CGW}/24`])
  await net.ip('cgw', 'route', 'add', 'default', 'via', '203.0.113.1')
  await net.ip('cgw', 'address', 'add', `${LAN_HOST}/32`, 'dev', 'lo')
  const edge = stack.use(await startEdge(net, join(directory, 'edge'),
    { wan: 'wan', ike: 'ike', vpc: 'vpc' }, OUTSIDE, INSTANCE))
  const peer = stack.use(await StrongSwan.start(net.name('cgw'), join(directory, 'cgw')))
  await net.ip('cgw', 'route', 'add', '10.0.0.0/8', 'dev', PEER_DEVICE, 'src', LAN_HOST)
  const kept = stack.move()
  return { net, edge, peer, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}
