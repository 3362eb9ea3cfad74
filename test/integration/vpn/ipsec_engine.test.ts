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
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TunnelConfig } from '../../../daemon/ipsec/tunnel.ts'
import { Background, command, eventually, inside } from '../../harness/command.ts'
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

/** Starts an edge whose outside address is reached through the namespace `wan`. */
async function startEdge (
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

async function site (): Promise<Site> {
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

test.serial('keys are made anew under a ping, by either side, and none is lost', async (t) => {
  await using here = await site()
  const { net, edge, peer } = here
  for (const version of [2, 1] as const) {
    await bringUp(here, tunnelConfig(), { version, esp: 'aes256-sha256-modp2048' })
    const spiBefore = await spis(edge)
    const ping = new Background('ip', inside(net.name('vpc'),
      ['ping', '-i', '0.01', '-c', '400', '-W', '1', LAN_HOST]))
    await ping.printed('icmp_seq=50 ')
    await edge.engine.rekey(NAME)
    await ping.printed('icmp_seq=150 ')
    await peer.swanctl('--rekey', '--child', 'net')
    await ping.printed('icmp_seq=250 ')
    if (version === 2) await peer.swanctl('--rekey', '--ike', 'aws')
    await ping.ended()
    t.regex(ping.output, / 0% packet loss/, `IKEv${String(version)}: ${edge.ikeLog}`)
    t.not(await spis(edge), spiBefore)
    t.is(edge.engine.status(NAME)?.state, 'up')
    await edge.engine.close(NAME)
    await peer.swanctl('--terminate', '--ike', 'aws', '--force')
  }
})

/** SPIs of the child, as charon lists them. */
async function spis (edge: IpsecEdge): Promise<string> {
  const [ikeSa] = await edge.engine.describe(NAME)
  return JSON.stringify(ikeSa).match(/"spi-\w+":"\w+"/g)?.join() ?? 'none'
}

test.serial('a customer gateway that dies is noticed, and its SAs are removed', async (t) => {
  await using here = await site()
  await bringUp(here, tunnelConfig(), {})
  t.is(here.edge.engine.counts.sas, 2)
  await here.peer.kill()
  await eventually('the tunnel is down', () =>
    here.edge.engine.status(NAME)?.state === 'down', 30_000)
  await eventually('no SA is left', () => here.edge.engine.counts.sas === 0)
  t.deepEqual(here.edge.engine.counts, { sas: 0, policies: 0 })
  t.is(here.edge.selected.get(1), 0)
})

test.serial('charon is killed: its SAs go with it, and the next one brings the tunnel up', async (t) => {
  await using here = await site()
  const { edge, peer } = here
  await bringUp(here, tunnelConfig(), {})
  const before = edge.engine.charon.pid
  if (before === null) throw new Error('charon is not up')
  process.kill(before, 'SIGKILL')
  await eventually('no SA is left', () => edge.engine.counts.sas === 0)
  t.is(edge.engine.status(NAME)?.state, 'down')
  await eventually('another charon', () =>
    edge.engine.charon.pid !== null && edge.engine.charon.pid !== before)
  await peer.swanctl('--terminate', '--ike', 'aws', '--force')
  await bringUp(here, tunnelConfig(), {})
  t.pass()
})

/** Has the gateway's packets from port 4500 leave from another one; the NAT forgets in a second. */
async function natTo (net: Namespaces, port: number): Promise<void> {
  const rules = `table ip nat
delete table ip nat
table ip nat { chain post { type nat hook postrouting priority 100;
  udp sport 4500 snat to ${CGW}:${String(port)};
}; }
`
  await command('ip', ...inside(net.name('cgw'), ['sh', '-c', `echo '${rules}' | nft -f -`]))
  await command('ip', ...inside(net.name('cgw'), ['sysctl', '-qw',
    'net.netfilter.nf_conntrack_udp_timeout=1', 'net.netfilter.nf_conntrack_udp_timeout_stream=1']))
}

test.serial('a NAT on the way changes its port, and the tunnel follows', async (t) => {
  await using here = await site()
  const { net, edge } = here
  await natTo(net, 40_001)
  await bringUp(here, tunnelConfig(), {})
  t.is(await peerPort(edge), '40001')
  await natTo(net, 40_002)
  const ping = new Background('ip', inside(net.name('cgw'), ['ping', '-i', '3', INSTANCE]))
  await eventually('IKE knows the new port', async () => await peerPort(edge) === '40002', 20_000)
  await ping.printed('64 bytes from')
  await ping.stop()
  t.is(edge.engine.counts.sas, 2)
})

async function peerPort (edge: IpsecEdge): Promise<string> {
  const [ikeSa] = await edge.engine.describe(NAME)
  return String(ikeSa?.['remote-port'])
}

test.serial('without a NAT ESP is protocol 50, and TCP passes both ways', async (t) => {
  await using stack = new AsyncDisposableStack()
  const net = stack.use(await Namespaces.create('vpc', 'ike', 'wan', 'wan2', 'ike2', 'lan'))
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-ipsec-'))
  stack.defer(() => { rmSync(directory, { recursive: true }) })
  await net.join('wan', ['203.0.113.1/24'], 'wan2', ['203.0.113.2/24'])
  await net.ip('wan', 'route', 'add', `${CGW}/32`, 'via', '203.0.113.2')
  await net.ip('wan2', 'route', 'add', 'default', 'via', '203.0.113.1')
  const edge = stack.use(await startEdge(net, join(directory, 'a'),
    { wan: 'wan', ike: 'ike', vpc: 'vpc' }, OUTSIDE, INSTANCE))
  const other = stack.use(await startEdge(net, join(directory, 'b'),
    { wan: 'wan2', ike: 'ike2', vpc: 'lan' }, CGW, LAN_HOST))
  const capture = new Background('ip', inside(net.name('wan'),
    ['tshark', '-l', '-n', '-i', VETH_NAME, '-T', 'fields', '-e', 'ip.src', '-e', 'ip.proto']))
  stack.defer(async () => { await capture.stop() })
  await capture.printed('Capturing on')
  await other.engine.open(tunnelConfig({
    localAddress: CGW, remoteAddress: OUTSIDE, localId: CGW, remoteId: OUTSIDE
  }))
  await edge.engine.open(tunnelConfig({ startupAction: 'start', ikeVersions: ['ikev2'] }))
  await eventually('both are up', () => [edge, other]
    .every(({ engine }) => engine.status(NAME)?.state === 'up'))
  const ping = await net.run('lan', 'ping', '-c', '3', '-i', '0.2', INSTANCE)
  t.regex(ping.stdout, / 0% packet loss/)
  await eventually('ESP of both sides', () => [OUTSIDE, CGW]
    .every((address) => capture.output.includes(`${address}\t50`)), 15_000)
  const server = new Background('ip', inside(net.name('lan'), ['iperf3', '-s', '--forceflush']))
  stack.defer(async () => { await server.stop() })
  await server.printed('Server listening')
  for (const direction of [[], ['-R']]) {
    const run = await net.run('vpc', 'iperf3', '-c', LAN_HOST, '-n', '50M', '-J', ...direction)
    t.is(run.code, 0, run.stdout)
    const { end } = JSON.parse(run.stdout) as
      { end: { sum_received: { bytes: number, bits_per_second: number } } }
    t.log(`${String(Math.round(end.sum_received.bits_per_second / 1e6))} Mbit/s`)
    t.true(end.sum_received.bytes > 45e6)
  }
})
