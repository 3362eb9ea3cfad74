/**
 * The IPsec engine against stock strongSwan, with real packets:
 *
 *     [vpc] 10.0.1.10 ── TUN ── edge (harness/ipsec_edge.ts) ── TUN ── [wan] ── veth ── [cgw]
 *                                 │ TUN                        203.0.113.1     203.0.113.9
 *                               [ike] charon, 198.51.100.1                     192.168.7.20 (lo)
 *
 * The customer gateway brings the tunnel up, as with AWS.
 */
import test from 'ava'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TunnelConfig } from '../../../daemon/ipsec/tunnel.ts'
import { Background, eventually, inside } from '../../harness/command.ts'
import { IKE_DEVICE, IpsecEdge, UPLINK_DEVICE, VPC_DEVICE } from '../../harness/ipsec_edge.ts'
import { Namespaces, VETH_NAME } from '../../harness/namespaces.ts'
import { PEER_DEVICE, StrongSwan } from '../../harness/strongswan.ts'

const OUTSIDE = '198.51.100.1'
const CGW = '203.0.113.9'
const INSTANCE = '10.0.1.10'
const LAN_HOST = '192.168.7.20'
const SECRET = 'correct.horse_battery9'
const NAME = 'vpn-0123456789abcdef0-1'

const PHASE = {
  encryption: ['AES128', 'AES256', 'AES128-GCM-16', 'AES256-GCM-16'],
  integrity: ['SHA1', 'SHA2-256', 'SHA2-384', 'SHA2-512'],
  dhGroups: [2, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24]
} as const

function tunnelConfig (change: Partial<TunnelConfig> = {}): TunnelConfig {
  return {
    name: NAME,
    tunnel: 1,
    localAddress: OUTSIDE,
    remoteAddress: CGW,
    localId: OUTSIDE,
    remoteId: null,
    authentication: { kind: 'psk', secret: SECRET },
    ikeVersions: ['ikev1', 'ikev2'],
    phase1: { ...PHASE, lifetimeSeconds: 28_800 },
    phase2: { ...PHASE, lifetimeSeconds: 3600 },
    rekeyMarginSeconds: 270,
    rekeyFuzzPercentage: 100,
    replayWindow: 1024,
    dpdTimeoutSeconds: 30,
    dpdTimeoutAction: 'clear',
    startupAction: 'add',
    localSelectors: ['0.0.0.0/0'],
    remoteSelectors: ['0.0.0.0/0'],
    ...change
  }
}

interface PeerOptions {
  readonly version?: 1 | 2
  readonly ike?: string
  readonly esp?: string
  readonly secret?: string
  readonly child?: string
}

function swanctlConf (options: PeerOptions = {}): string {
  return `connections { aws {
  version = ${String(options.version ?? 2)}
  local_addrs = ${CGW}
  remote_addrs = ${OUTSIDE}
  proposals = ${options.ike ?? 'aes256-sha256-modp2048'}
  mobike = no
  local { auth = psk
    id = ${CGW} }
  remote { auth = psk
    id = ${OUTSIDE} }
  children { net {
    local_ts = 0.0.0.0/0
    remote_ts = 0.0.0.0/0
    esp_proposals = ${options.esp ?? 'aes256gcm16-modp2048'}
    ${options.child ?? ''}
  } }
} }
secrets { ike-aws { id-1 = ${CGW}
  id-2 = ${OUTSIDE}
  secret = "${options.secret ?? SECRET}" } }
`
}

interface Site extends AsyncDisposable {
  readonly net: Namespaces
  readonly edge: IpsecEdge
  readonly peer: StrongSwan
}

async function site (): Promise<Site> {
  await using stack = new AsyncDisposableStack()
  const net = stack.use(await Namespaces.create('vpc', 'ike', 'wan', 'cgw'))
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-ipsec-'))
  await net.join('wan', ['203.0.113.1/24'], 'cgw', [`${CGW}/24`])
  await net.ip('cgw', 'route', 'add', 'default', 'via', '203.0.113.1')
  await net.ip('cgw', 'address', 'add', `${LAN_HOST}/32`, 'dev', 'lo')
  await net.run('wan', 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
  const edge = stack.use(await IpsecEdge.start({
    directory: join(directory, 'edge'),
    uplink: net.path('wan'),
    ike: net.path('ike'),
    vpc: net.path('vpc')
  }, async () => {
    await net.ip('wan', 'link', 'set', UPLINK_DEVICE, 'mtu', '1500', 'up')
    await net.ip('wan', 'route', 'add', `${OUTSIDE}/32`, 'dev', UPLINK_DEVICE)
    await net.ip('ike', 'address', 'add', `${OUTSIDE}/32`, 'dev', IKE_DEVICE)
    await net.ip('ike', 'link', 'set', IKE_DEVICE, 'up')
    await net.ip('ike', 'route', 'add', 'default', 'dev', IKE_DEVICE)
    await net.ip('vpc', 'address', 'add', `${INSTANCE}/32`, 'dev', VPC_DEVICE)
    await net.ip('vpc', 'link', 'set', VPC_DEVICE, 'mtu', '1500', 'up')
    await net.ip('vpc', 'route', 'add', 'default', 'dev', VPC_DEVICE)
  }))
  const peer = stack.use(await StrongSwan.start(net.name('cgw'), join(directory, 'cgw')))
  await net.ip('cgw', 'route', 'add', '10.0.0.0/8', 'dev', PEER_DEVICE, 'src', LAN_HOST)
  const kept = stack.move()
  return { net, edge, peer, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

/** Brings the tunnel up from the customer's side, and pings both ways. */
async function bringUp (
  { net, edge, peer }: Site, config: TunnelConfig, options: PeerOptions): Promise<void> {
  await edge.engine.open(config)
  await peer.load(swanctlConf(options))
  const result = await peer.swanctl('--initiate', '--child', 'net')
  if (result.code !== 0) throw new Error(`${result.stdout}${edge.ikeLog}`)
  await eventually('the tunnel is up', () => edge.engine.status(NAME)?.state === 'up')
  for (const [from, to] of [['cgw', INSTANCE], ['vpc', LAN_HOST]] as const) {
    const ping = await net.run(from, 'ping', '-c', '3', '-i', '0.2', '-W', '2', to)
    if (!ping.stdout.includes(' 0% packet loss')) {
      throw new Error(`${from} to ${to}: ${ping.stdout} ${JSON.stringify([...edge.outcomes])}`)
    }
  }
}

const SETS: readonly (readonly [string, PeerOptions])[] = [
  ['IKEv2 with AES-256-GCM', { esp: 'aes256gcm16-modp2048' }],
  ['IKEv2 with AES-128-GCM', { ike: 'aes128gcm16-prfsha256-ecp256', esp: 'aes128gcm16-ecp256' }],
  ['IKEv2 with AES-256-CBC and SHA2-256', { esp: 'aes256-sha256-modp2048' }],
  ['IKEv2 with AES-128-CBC and SHA1', { ike: 'aes128-sha1-modp1024', esp: 'aes128-sha1-modp1024' }],
  ['IKEv2 with AES-256-CBC and SHA2-512', { ike: 'aes256-sha512-ecp521', esp: 'aes256-sha512' }],
  ['IKEv1 with AES-256-CBC and SHA2-256', { version: 1, esp: 'aes256-sha256-modp2048' }],
  ['IKEv1 with AES-128-CBC and SHA1',
    { version: 1, ike: 'aes128-sha1-modp1024', esp: 'aes128-sha1-modp1024' }]
]

test.serial('stock strongSwan brings the tunnel up, and both sides answer pings', async (t) => {
  await using here = await site()
  for (const [what, options] of SETS) {
    await t.notThrowsAsync(bringUp(here, tunnelConfig(), options), what)
    await here.edge.engine.close(NAME)
    await eventually('no SA is left', () => here.edge.engine.counts.sas === 0)
    await here.peer.swanctl('--terminate', '--ike', 'aws', '--force')
  }
})

test.serial('tshark sees ESP in UDP on the wire, and nothing of what is inside', async (t) => {
  await using here = await site()
  const capture = new Background('ip', inside(here.net.name('wan'),
    ['tshark', '-l', '-n', '-i', VETH_NAME, '-T', 'fields', '-e', '_ws.col.Protocol', '-e', 'ip.src']))
  await capture.printed('Capturing on')
  await bringUp(here, tunnelConfig(), {})
  await eventually('ESP of both sides', () => new RegExp(`ESP\\s+${OUTSIDE}`).test(capture.output) &&
    new RegExp(`ESP\\s+${CGW}`).test(capture.output))
  await capture.stop()
  t.false(/ICMP\t/.test(capture.output), capture.output)
})
