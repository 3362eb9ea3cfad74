/**
 * Packets through two NICs with the smallest router between them (test/harness/nic_forwarder.ts):
 *
 *     [a] eth0 = TUN ── NIC ── [h1] ── veth, MTU 1500 ── [h2] ── NIC ── TUN = eth0 [b]
 *         192.0.2.1            198.51.100.1         198.51.100.2            192.0.2.2
 *         2001:db8:1::1        2001:db8::1          2001:db8::2         2001:db8:1::2
 *
 * What a capture of the veth shows is judged by tshark: every checksum, inner and outer.
 */
import test, { type ExecutionContext } from 'ava'
import { Worker, MessageChannel, type MessagePort } from 'node:worker_threads'
import { closeDoorbell, createDoorbell, ringDoorbell } from '../../daemon/tun/doorbell.ts'
import { createNic } from '../../daemon/tun/nic.ts'
import { Capture } from '../harness/capture.ts'
import { Background, command, eventually, inside } from '../harness/command.ts'
import { parsePing } from '../harness/instance.ts'
import { Namespaces, VETH_NAME } from '../harness/namespaces.ts'
import type { ForwarderCommand, ForwarderOptions } from '../harness/nic_forwarder.ts'

/** Underlay MTU less outer IP (20 or 40), UDP (8) and Geneve (32) headers. */
const innerMtu = (underlayAddress: string): number => underlayAddress.includes(':') ? 1420 : 1440
const SPIN_US = 50
/** Client ports that tshark takes for no protocol of its own (57000, for one, is IRC to it). */
const CLIENT_PORTS = 'net.ipv4.ip_local_port_range=40000 40100'

/** One host: a NIC in a thread, and the instance behind it. */
class Forwarder {
  readonly #worker: Worker
  readonly #port: MessagePort
  readonly #doorbellFd: number

  private constructor (worker: Worker, port: MessagePort, doorbellFd: number) {
    this.#worker = worker
    this.#port = port
    this.#doorbellFd = doorbellFd
  }

  static async start (options: Omit<ForwarderOptions, 'doorbellFd' | 'port'>): Promise<Forwarder> {
    const { port1, port2 } = new MessageChannel()
    const doorbellFd = createDoorbell()
    const workerData: ForwarderOptions = { ...options, doorbellFd, port: port2 }
    const worker = new Worker(new URL('../harness/nic_forwarder.ts', import.meta.url), {
      workerData, transferList: [port2]
    })
    const forwarder = new Forwarder(worker, port1, doorbellFd)
    await forwarder.#message()
    return forwarder
  }

  #message (): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#worker.once('message', resolve)
      this.#worker.once('error', reject)
    })
  }

  tell (message: ForwarderCommand): void {
    this.#port.postMessage(message)
    ringDoorbell(this.#doorbellFd)
  }

  /** @returns the counters of its NIC by name */
  async stop (): Promise<Record<string, number>> {
    const counters = this.#message()
    this.tell('stop')
    return await counters as Record<string, number>
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.#worker.terminate()
    this.#port.close()
    closeDoorbell(this.#doorbellFd)
  }
}

/** The drawing above. */
class Topology implements AsyncDisposable {
  readonly net: Namespaces
  readonly hosts: readonly [Forwarder, Forwarder]

  constructor (net: Namespaces, hosts: readonly [Forwarder, Forwarder]) {
    this.net = net
    this.hosts = hosts
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    for (const host of this.hosts) await host[Symbol.asyncDispose]()
    await this.net[Symbol.asyncDispose]()
  }
}

/** @param outer addresses of the underlay */
async function build (...outer: readonly [string, string]): Promise<Topology> {
  const net = await Namespaces.create('h1', 'h2', 'a', 'b')
  await net.join('h1', ['198.51.100.1/24', '2001:db8::1/64'],
    'h2', ['198.51.100.2/24', '2001:db8::2/64'])
  const start = (own: 0 | 1): Promise<Forwarder> => Forwarder.start({
    underlayNamespace: net.path(own === 0 ? 'h1' : 'h2'),
    underlayAddress: outer[own],
    peerAddress: outer[1 - own]!,
    instanceNamespace: net.path(own === 0 ? 'a' : 'b'),
    deviceName: 'eth0',
    spinUs: SPIN_US
  })
  const hosts = [await start(0), await start(1)] as const
  for (const [index, name] of ['a', 'b'].entries()) {
    await net.run(name, 'sysctl', '-w', CLIENT_PORTS)
    await net.ip(name, 'address', 'add', `192.0.2.${String(index + 1)}/24`, 'dev', 'eth0')
    await net.ip(
      name, 'address', 'add', `2001:db8:1::${String(index + 1)}/64`, 'dev', 'eth0', 'nodad')
    await net.ip(name, 'link', 'set', 'eth0', 'mtu', String(innerMtu(outer[0])), 'up')
  }
  return new Topology(net, hosts)
}

/** Bytes that iperf3 got through from a to b. */
async function iperf (net: Namespaces, ...options: string[]): Promise<number> {
  const server = new Background('ip', inside(net.name('b'), ['iperf3', '-s', '-1', '--forceflush']))
  await server.printed('Server listening')
  const { stdout, stderr } = await net.run('a', 'iperf3', '-J', ...options)
  await server.ended()
  const end = JSON.parse(stdout) as { end?: Record<string, { bytes: number } | undefined> }
  const sum = end.end?.['sum_received'] ?? end.end?.['sum']
  if (sum === undefined) throw new Error(`iperf3 failed: ${stdout}${stderr}`)
  return sum.bytes
}

async function checkTraffic (t: ExecutionContext, { net, hosts }: Topology): Promise<void> {
  for (const address of ['192.0.2.2', '2001:db8:1::2']) {
    const ping = await net.run('a', 'ping', '-q', '-i', '0.01', '-c', '50', '-s', '1300', address)
    t.deepEqual(parsePing(ping.stdout), { sent: 50, received: 50 }, address)
    // The receiver's count ends with the sender's last word: the last blocks may be missing.
    t.true(await iperf(net, '-c', address, '-n', '200M') > 190 * 2 ** 20)
    t.true(await iperf(net, '-c', address, '-n', '200M', '-R') > 190 * 2 ** 20)
    t.true(await iperf(net, '-c', address, '-u', '-b', '50M', '-l', '64', '-n', '500K') > 0)
  }
  for (const counters of [await hosts[0].stop(), await hosts[1].stop()]) {
    t.like(counters, {
      'underlay-tx-errors': 0,
      'underlay-tx-too-big': 0,
      'underlay-gso-refused': 0,
      'source-socket-failures': 0,
      'tun-tx-rejected': 0,
      'tun-rx-malformed': 0,
      'tx-malformed': 0
    })
    const packets = counters['underlay-tx-packets']!
    const sends = counters['underlay-sends']!
    t.true(packets > 10 * sends, `${String(packets)} packets left in ${String(sends)} calls`)
    t.true(counters['underlay-rx-coalesced']! > counters['underlay-rx-packets']! * 0.8)
  }
}

test.serial('ping, TCP and UDP cross an IPv4 underlay, in runs and super-packets', async (t) => {
  await using topology = await build('198.51.100.1', '198.51.100.2')
  await checkTraffic(t, topology)
})

test.serial('ping, TCP and UDP cross an IPv6 underlay, in runs and super-packets', async (t) => {
  await using topology = await build('2001:db8::1', '2001:db8::2')
  await checkTraffic(t, topology)
})

/**
 * Enough to judge them. iperf3 ends when it has written its bytes, and what then still waits in the
 * sender's socket is never sent, so there is no telling how many there are.
 */
const FRAMES_MIN = 1000

/** Traffic of every kind under a capture. @returns the capture, ended */
async function captured (topology: Topology): Promise<Capture> {
  const { net, hosts } = topology
  const capture = await Capture.start({
    namespace: net.name('h1'),
    device: VETH_NAME,
    filter: 'udp port 6081',
    whenListening: async () => {
      for (const host of hosts) host.tell('per-packet')
      // The mode is set when the last host has answered in it: a ping each way has passed then.
      await net.run('a', 'ping', '-q', '-c', '2', '-i', '0.2', '192.0.2.2')
    }
  })
  await iperf(net, '-c', '192.0.2.2', '-n', '3M')
  await iperf(net, '-c', '2001:db8:1::2', '-n', '3M')
  await iperf(net, '-c', '192.0.2.2', '-u', '-b', '20M', '-l', '1000', '-n', '300K')
  await iperf(net, '-c', '2001:db8:1::2', '-u', '-b', '20M', '-l', '333', '-n', '100K')
  await capture.stop()
  return capture
}

test.serial('one packet per frame, all checksums good, when a capture asks for it', async (t) => {
  await using topology = await build('198.51.100.1', '198.51.100.2')
  await using capture = await captured(topology)
  t.deepEqual(await capture.brokenFrames(), [])
  const frames = await capture.fields(
    ['frame.len', 'udp.checksum', 'ip.ttl', 'ip.flags.df', 'udp.srcport', 'tcp.len'])
  t.true(frames.length > FRAMES_MIN, `${String(frames.length)} frames`)
  t.true(frames.every((frame) => Number(frame['frame.len']) <= 1514), 'no lump')
  t.true(frames.every((frame) => frame['udp.checksum']!.startsWith('0x0000')), 'checksum is 0')
  t.true(frames.every((frame) => frame['ip.ttl']!.startsWith('64')))
  t.true(frames.every((frame) => /^(1|True)/.test(frame['ip.flags.df']!)))
  t.true(frames.every((frame) => Number(frame['udp.srcport']!.split(',')[0]) >= 49_152))
  t.true(frames.some((frame) => Number(frame['tcp.len']) > 1300), 'TCP filled its segments')
  const [, counters] = [await topology.hosts[0].stop(), await topology.hosts[1].stop()]
  t.is(counters['underlay-rx-datagrams'], counters['underlay-rx-packets'], 'no lump came')
  t.true(counters['underlay-rx-coalesced']! > counters['underlay-rx-packets']! / 2,
    'packets that came alone were joined after their checksums were verified')
})

test.serial('one packet per frame with an outer checksum over IPv6', async (t) => {
  await using topology = await build('2001:db8::1', '2001:db8::2')
  await using capture = await captured(topology)
  t.deepEqual(await capture.brokenFrames(), [])
  const frames = await capture.fields(['frame.len', 'udp.checksum'])
  t.true(frames.length > FRAMES_MIN, `${String(frames.length)} frames`)
  t.true(frames.every((frame) => Number(frame['frame.len']) <= 1514), 'no lump')
  t.true(frames.every((frame) => !frame['udp.checksum']!.startsWith('0x0000')))
})

test.serial('a device that is removed fails its port once, and the NIC goes on', async (t) => {
  await using net = await Namespaces.create('a')
  const nic = createNic({ scratchBytes: 0, rxMax: 4, txMax: 4, spinUs: 0, doorbellFd: -1 })
  const [first, second] = [nic.openTun(net.path('a'), 'eth0'), nic.openTun(net.path('a'), 'eth1')]
  await net.ip('a', 'link', 'delete', 'eth0')
  nic.burst(0, 0)
  t.deepEqual(nic.takeFailedPorts(), [{ port: first, error: 'EBADFD' }])
  nic.burst(0, 0)
  t.deepEqual(nic.takeFailedPorts(), [])
  nic.closeTun(first)
  t.is(nic.openTun(net.path('a'), 'eth0'), first)
  await net.ip('a', 'link', 'set', 'eth1', 'up')
  await eventually('eth1 sends its router solicitation', () => nic.burst(0, 0) > 0)
  t.is(nic.rx[0], second)
  nic.close()
})

test.serial('a TUN limits super-packets so that one datagram holds their segments', async (t) => {
  await using net = await Namespaces.create('a')
  const nic = createNic({ scratchBytes: 0, rxMax: 1, txMax: 1, spinUs: 0, doorbellFd: -1 })
  nic.openTun(net.path('a'), 'eth0')
  const [link] = JSON.parse(
    await command('ip', '-n', net.name('a'), '-d', '-j', 'link', 'show', 'eth0')) as object[]
  t.like(link, { gso_max_size: 61_440, linkinfo: { info_data: { persist: true, vnet_hdr: true } } })
  nic.close()
})
