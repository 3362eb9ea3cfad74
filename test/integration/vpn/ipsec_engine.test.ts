/**
 * The IPsec engine against stock strongSwan, with real packets (site.ts has the topology). The
 * customer gateway brings the tunnel up, as with AWS.
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exampleTunnel } from '../../../daemon/ipsec/testing/example_tunnel.ts'
import type { TunnelConfig } from '../../../daemon/ipsec/tunnel.ts'
import {
  ESP_AUTHENTICATION, ESP_MALFORMED, ESP_REPLAY
} from '../../../daemon/tun/esp_descriptor.ts'
import { Background, command, eventually, inside, ROOT } from '../../harness/command.ts'
import { VPC_DEVICE } from '../../harness/ipsec_edge.ts'
import type { IpsecEdge } from '../../harness/ipsec_edge.ts'
import { Namespaces, VETH_NAME } from '../../harness/namespaces.ts'
import {
  CGW, INSTANCE, LAN_HOST, OUTSIDE, site, startEdge, swanctlConf
} from './site.ts'
import type { PeerOptions, Site } from './site.ts'

const NAME = exampleTunnel().name
/** Beyond it is the other edge, where there are two. */
const ROUTER = '203.0.113.2'

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

/** Options of a tunnel that the peer leaves open, and what swanctl then lists on our side. */
const OPTIONS: Partial<TunnelConfig> = {
  phase1: {
    encryption: ['AES256'], integrity: ['SHA2-384'], dhGroups: [20], lifetimeSeconds: 1200
  },
  phase2: {
    encryption: ['AES128'], integrity: ['SHA2-256'], dhGroups: [19], lifetimeSeconds: 1000
  },
  ikeVersions: ['ikev2'], rekeyMarginSeconds: 100, rekeyFuzzPercentage: 10
}
const OPTIONS_OFFERED: PeerOptions = {
  ike: 'aes128-sha256-modp2048, aes256-sha384-ecp384',
  esp: 'aes256gcm16-ecp256, aes128-sha256-ecp256'
}

/** @returns what swanctl lists of our side's SAs */
async function listSas ({ engine }: IpsecEdge): Promise<string> {
  return await command('swanctl', '--list-sas', '--uri', `unix://${engine.charon.paths.vici}`)
}

test.serial('stock strongSwan brings the tunnel up, and both sides answer pings', async (t) => {
  await using here = await site()
  await bringUp(here, exampleTunnel(OPTIONS), OPTIONS_OFFERED)
  await here.edge.engine.rekey(NAME)
  await eventually('PFS is seen with the second keys', async () =>
    (await listSas(here.edge)).includes('ESP:AES_CBC-128/HMAC_SHA2_256_128/ECP_256'))
  const listed = await listSas(here.edge)
  t.regex(listed, /ESTABLISHED, IKEv2/)
  t.regex(listed, /AES_CBC-256\/HMAC_SHA2_384_192\/PRF_HMAC_SHA2_384\/ECP_384/)
  const times = [...listed.matchAll(/rekeying in (\d+)s/g)].map(([, seconds]) => Number(seconds))
  const [ike = 0, child = 0] = times
  t.true(ike > 1070 && ike <= 1100, `IKE: ${listed}`)
  t.true(child > 870 && child <= 900, `child: ${listed}`)
  await here.edge.engine.close(NAME)
  await here.peer.swanctl('--terminate', '--ike', 'aws', '--force')
  for (const [what, options] of SETS) {
    await t.notThrowsAsync(bringUp(here, exampleTunnel(), options), what)
    await here.edge.engine.close(NAME)
    await eventually('no SA is left', () => here.edge.engine.counts.sas === 0)
    await here.peer.swanctl('--terminate', '--ike', 'aws', '--force')
  }
})

test.serial('tshark sees ESP in UDP on the wire, and nothing of what is inside', async (t) => {
  await using here = await site()
  const capture = new Background('ip', inside(here.net.name('wan'),
    ['tshark', '-l', '-n', '-i', VETH_NAME, '-T', 'fields',
      '-e', '_ws.col.Protocol', '-e', 'ip.src']))
  await capture.printed('Capturing on')
  await bringUp(here, exampleTunnel(), {})
  await eventually('ESP of both sides', () => [OUTSIDE, CGW]
    .every((address) => capture.output.includes(`ESP\t${address}`)))
  await capture.stop()
  t.false(/ICMP\t/.test(capture.output), capture.output)
})

test.serial('a tunnel carries packets of its networks alone, both ways', async (t) => {
  await using here = await site()
  const { net, edge, peer } = here
  const networks = { localSelectors: ['10.0.1.0/24'], remoteSelectors: ['192.168.7.0/24'] }
  await bringUp(here, exampleTunnel(networks), {
    localTs: '192.168.7.0/24', remoteTs: '10.0.1.0/24'
  })
  const before = edge.refused
  await net.ip('vpc', 'address', 'add', '10.0.2.20/32', 'dev', VPC_DEVICE)
  const foreign = await net.run('vpc', 'ping', '-c', '2', '-W', '1', '-I', '10.0.2.20', LAN_HOST)
  t.regex(foreign.stdout, / 100% packet loss/)
  t.true(edge.refused >= before + 2)
  await peer.swanctl('--terminate', '--ike', 'aws', '--force')
})

test.serial('keys are made anew under a ping, by either side', async (t) => {
  await using here = await site()
  const { net, edge, peer } = here
  for (const version of [2, 1] as const) {
    await bringUp(here, exampleTunnel(), { version, esp: 'aes256-sha256-modp2048' })
    const spiBefore = await spis(edge)
    const ping = new Background('ip', inside(net.name('vpc'),
      ['ping', '-i', '0.01', '-c', '400', '-W', '5', LAN_HOST]))
    await ping.printed('icmp_seq=50 ')
    await edge.engine.rekey(NAME)
    await ping.printed('icmp_seq=150 ')
    await peer.swanctl('--rekey', '--child', 'net')
    await ping.printed('icmp_seq=250 ')
    if (version === 2) await peer.swanctl('--rekey', '--ike', 'aws')
    await ping.ended()
    const [, sent = '', received = ''] =
      /(\d+) packets transmitted, (\d+) received/.exec(ping.output) ?? []
    // The initiator of a quick mode may use its new keys before its third message, with which the
    // other side installs them, has arrived: a packet of each rekey may meet that moment.
    const lostMax = version === 1 ? 2 : 0
    t.is(sent, '400')
    t.true(Number(sent) - Number(received) <= lostMax,
      `IKEv${String(version)}: ${JSON.stringify([...edge.outcomes])} ${ping.output}`)
    t.not(await spis(edge), spiBefore)
    t.is(edge.engine.status(NAME)?.state, 'up')
    await edge.engine.close(NAME)
    await peer.swanctl('--terminate', '--ike', 'aws', '--force')
  }
})

const ATTACKER = `${ROOT}/test/harness/programs/ike_attacker.py`
const FLOODER = '203.0.113.10'
const FLOOD_PACKETS = 1000

test.serial('a flood of IKE hurts no tunnel, and copies of a packet, damaged or not, are dropped ' +
  'and counted', async (t) => {
  await using here = await site()
  const { net, edge, peer } = here
  const attack = (...args: string[]): Background => new Background('ip', inside(net.name('cgw'),
    ['python3', '-u', ATTACKER, VETH_NAME, OUTSIDE, ...args]))
  const counted = (status: number): number => edge.outcomes.get(status) ?? 0
  // One source floods with requests that each begin an IKE SA, from the first of another one on.
  await net.ip('cgw', 'address', 'add', `${FLOODER}/24`, 'dev', VETH_NAME)
  const flood = attack(FLOODER, String(FLOOD_PACKETS))
  await flood.printed('listening')
  await bringUp(here, exampleTunnel(), {})
  await flood.printed('sent')
  const ping = new Background('ip', inside(net.name('cgw'),
    ['ping', '-i', '0.05', '-c', '60', '-W', '5', INSTANCE]))
  t.is((await peer.swanctl('--rekey', '--child', 'net')).code, 0)
  t.true(flood.running)
  await flood.stop()
  const malformed = counted(ESP_MALFORMED)
  const copies = attack()
  await copies.printed('sent')
  await eventually('each of them is counted', () => counted(ESP_REPLAY) === 1 &&
    counted(ESP_AUTHENTICATION) === 2 && counted(ESP_MALFORMED) > malformed)
  await ping.ended()
  t.regex(ping.output, / 0% packet loss/)
})

/** SPIs of the child, as charon lists them. */
async function spis (edge: IpsecEdge): Promise<string> {
  const [ikeSa] = await edge.engine.describe(NAME)
  return JSON.stringify(ikeSa).match(/"spi-\w+":"\w+"/g)?.join() ?? 'none'
}

test.serial('a customer gateway that dies is noticed, and its SAs are removed', async (t) => {
  await using here = await site()
  await bringUp(here, exampleTunnel(), {})
  t.is(here.edge.engine.counts.sas, 2)
  await here.peer.kill()
  await eventually('the tunnel is down', () =>
    here.edge.engine.status(NAME)?.state === 'down', 30_000)
  await eventually('no SA is left', () => here.edge.engine.counts.sas === 0)
  t.deepEqual(here.edge.engine.counts, { sas: 0, policies: 0 })
  await eventually('nothing leaves', () => here.edge.tunnels.selected(1) === 0)
})

test.serial('charon is killed, its SAs go, and the next one brings the tunnel up', async (t) => {
  await using here = await site()
  const { edge, peer } = here
  await bringUp(here, exampleTunnel(), {})
  const before = edge.engine.charon.pid
  if (before === null) throw new Error('charon is not up')
  const killedMs = Date.now()
  process.kill(before, 'SIGKILL')
  await eventually('no SA is left', () => edge.engine.counts.sas === 0)
  t.is(edge.engine.status(NAME)?.state, 'down')
  await eventually('another charon', () =>
    edge.engine.charon.pid !== null && edge.engine.charon.pid !== before)
  await peer.swanctl('--terminate', '--ike', 'aws', '--force')
  await bringUp(here, exampleTunnel(), {})
  t.log(`up again after ${String(Date.now() - killedMs)} ms`)
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
  await bringUp(here, exampleTunnel(), {})
  t.is(await peerPort(edge), '"40001"')
  await natTo(net, 40_002)
  const ping = new Background('ip', inside(net.name('cgw'), ['ping', '-i', '3', INSTANCE]))
  await eventually('IKE knows the new port', async () => await peerPort(edge) === '"40002"', 20_000)
  await ping.printed('64 bytes from')
  await ping.stop()
  t.is(edge.engine.counts.sas, 2)
})

async function peerPort (edge: IpsecEdge): Promise<string> {
  const [ikeSa] = await edge.engine.describe(NAME)
  return JSON.stringify(ikeSa?.['remote-port'] ?? '')
}

/** Two edges of ours, one of which plays the customer gateway, with wan and wan2 between them. */
interface Pair extends AsyncDisposable {
  readonly net: Namespaces
  readonly edge: IpsecEdge
  readonly other: IpsecEdge
}

async function pair (): Promise<Pair> {
  await using stack = new AsyncDisposableStack()
  const net = stack.use(await Namespaces.create('vpc', 'ike', 'wan', 'wan2', 'ike2', 'lan'))
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-ipsec-'))
  stack.defer(() => { rmSync(directory, { recursive: true }) })
  await net.join('wan', ['203.0.113.1/24'], 'wan2', [`${ROUTER}/24`])
  await net.ip('wan', 'route', 'add', `${CGW}/32`, 'via', ROUTER)
  await net.ip('wan2', 'route', 'add', 'default', 'via', '203.0.113.1')
  const edge = stack.use(await startEdge(net, join(directory, 'a'),
    { wan: 'wan', ike: 'ike', vpc: 'vpc' }, OUTSIDE, INSTANCE))
  const other = stack.use(await startEdge(net, join(directory, 'b'),
    { wan: 'wan2', ike: 'ike2', vpc: 'lan' }, CGW, LAN_HOST))
  const kept = stack.move()
  return { net, edge, other, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

/** Sends TCP both ways, and says how fast. */
async function sendTcp (t: ExecutionContext, net: Namespaces): Promise<void> {
  const server = new Background('ip', inside(net.name('lan'), ['iperf3', '-s', '--forceflush']))
  try {
    await server.printed('Server listening')
    for (const direction of [[], ['-R']]) {
      const run = await net.run('vpc', 'iperf3', '-c', LAN_HOST, '-n', '100M', '-J', ...direction)
      t.is(run.code, 0, run.stdout)
      const { end } = JSON.parse(run.stdout) as
        { end: { sum_received: { bytes: number, bits_per_second: number } } }
      t.log(`${String(Math.round(end.sum_received.bits_per_second / 1e6))} Mbit/s`)
      t.true(end.sum_received.bytes > 90e6)
    }
  } finally {
    await server.stop()
  }
}

/** Datagrams lost of a stream that lasts until either side has made the keys anew. */
async function lostUnderRekey (
  net: Namespaces, edge: IpsecEdge, other: IpsecEdge): Promise<number> {
  const server = new Background('ip',
    inside(net.name('lan'), ['iperf3', '-s', '-1', '--forceflush']))
  try {
    await server.printed('Server listening')
    const client = net.run('vpc', 'iperf3', '-c', LAN_HOST, '-u', '-b', '10M', '-l', '1200', '-t',
      '3', '-J')
    await server.printed('connected to')
    for (const { engine } of [edge, other]) {
      const before = await spis(edge)
      await engine.rekey(NAME)
      await eventually('keys are new', async () => await spis(edge) !== before)
    }
    const { end } = JSON.parse((await client).stdout) as
      { end: { sum: { packets: number, lost_packets: number } } }
    if (end.sum.packets < 1000) throw new Error(`only ${String(end.sum.packets)} datagrams`)
    return end.sum.lost_packets
  } finally {
    await server.stop()
  }
}

const isUp = ({ engine }: IpsecEdge): boolean => engine.status(NAME)?.state === 'up'

test.serial('without a NAT ESP is protocol 50, and TCP passes both ways', async (t) => {
  await using here = await pair()
  const { net, edge, other } = here
  const capture = new Background('ip', inside(net.name('wan'),
    ['tshark', '-l', '-n', '-i', VETH_NAME, '-T', 'fields', '-e', 'ip.src', '-e', 'ip.proto']))
  try {
    await capture.printed('Capturing on')
    await other.engine.open(exampleTunnel({
      localAddress: CGW, remoteAddress: OUTSIDE, localId: CGW, remoteId: OUTSIDE
    }))
    await edge.engine.open(exampleTunnel({ startupAction: 'start', ikeVersions: ['ikev2'] }))
    await eventually('both are up', () => isUp(edge) && isUp(other))
    t.is(edge.engine.status(NAME)?.inUdp, false)
    const ping = await net.run('lan', 'ping', '-c', '3', '-i', '0.2', INSTANCE)
    t.regex(ping.stdout, / 0% packet loss/)
    await eventually('ESP of both sides', () => [OUTSIDE, CGW]
      .every((address) => capture.output.includes(`${address}\t50`)))
  } finally {
    await capture.stop()
  }
  await sendTcp(t, net)
})

test.serial('behind a NAT runs of ESP cross in UDP, and are joined again', async (t) => {
  await using here = await pair()
  const { net, edge, other } = here
  const rules = `table ip nat { chain post { type nat hook postrouting priority 100;
    ip saddr ${CGW} snat to ${ROUTER};
  }; }`
  await command('ip', ...inside(net.name('wan2'), ['nft', rules]))
  await edge.engine.open(exampleTunnel({ remoteAddress: null }))
  await other.engine.open(exampleTunnel({
    localAddress: CGW,
    remoteAddress: OUTSIDE,
    localId: CGW,
    remoteId: OUTSIDE,
    startupAction: 'start',
    ikeVersions: ['ikev2']
  }))
  await eventually('both are up', () => isUp(edge) && isUp(other))
  t.like(edge.engine.status(NAME), { inUdp: true, peerAddress: ROUTER, peerId: CGW })
  await sendTcp(t, net)
  t.true(edge.joined > 100, `${String(edge.joined)} super-packets`)
  t.is(await lostUnderRekey(net, edge, other), 0)
})
