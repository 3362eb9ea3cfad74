/**
 * The main job: stock ping and iperf3 between instances, wherever they are.
 *
 *     host-1                         host-2
 *     ├ a   subnet 10.0.1.0/24       ├ b   subnet 10.0.1.0/24
 *     └ c   subnet 10.0.1.0/24       └ d   subnet 10.0.2.0/24
 *
 * All in one VPC 10.0.0.0/16 with an IPv6 /56; every subnet has a /64 of it.
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { Instance } from '../harness/instance.ts'
import type { Lab } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const PINGS = 5
const TRANSFER_BYTES = 20_000_000
const ALL = { sent: PINGS, received: PINGS }

interface Network {
  readonly a: Instance
  readonly b: Instance
  readonly c: Instance
  readonly d: Instance
}

async function build (lab: Lab): Promise<Network> {
  const vpc = await lab.vpc('10.0.0.0/16', { ipv6: true })
  const one = await lab.subnet(vpc, '10.0.1.0/24', { ipv6Index: 1 })
  const two = await lab.subnet(vpc, '10.0.2.0/24', { ipv6Index: 2 })
  const [a, b, c, d] = await Promise.all([
    lab.instance(one, { host: 'host-1', ipv6: true }),
    lab.instance(one, { host: 'host-2', ipv6: true }),
    lab.instance(one, { host: 'host-1', ipv6: true }),
    lab.instance(two, { host: 'host-2', ipv6: true })
  ])
  return { a, b, c, d }
}

/** TTL or hop limit of one answer. */
async function ttlOf (from: Instance, address: string): Promise<number> {
  return Number(/ttl=(\d+)/.exec(await from.exec('ping', '-n', '-c', '1', address))?.[1])
}

async function checkTraffic (t: ExecutionContext, network: Network): Promise<void> {
  const { a, b, c, d } = network
  for (const [name, peer] of Object.entries({ b, c, d })) {
    t.deepEqual(await a.ping(peer.ipv4, PINGS), ALL, `IPv4 to ${name}`)
    t.deepEqual(await a.ping(peer.ipv6, PINGS), ALL, `IPv6 to ${name}`)
  }
  t.is(await ttlOf(a, b.ipv4), 64, 'no router within a subnet')
  t.is(await ttlOf(a, d.ipv4), 63, 'one router between two subnets')
  t.is(await ttlOf(a, b.ipv6), 64)
  t.is(await ttlOf(a, d.ipv6), 63)
  for (const [peer, address] of [[b, b.ipv4], [c, c.ipv4], [d, d.ipv6]] as const) {
    const server = await peer.iperfServer()
    const output = await a.exec('iperf3', '-c', address, '-n', String(TRANSFER_BYTES), '-J')
    t.is(await server.ended(), 0)
    const { end } = JSON.parse(output) as { end: { sum_received: { bytes: number } } }
    // iperf3 stops counting when the sender is done: what is in flight then is not in the sum.
    t.true(end.sum_received.bytes >= TRANSFER_BYTES / 2, `TCP to ${address}`)
  }
}

test.serial('instances reach each other when the underlay is IPv4', withLab({}, async (t, lab) => {
  const network = await build(lab)
  await checkTraffic(t, network)
  t.is((await lab.hostStatus('host-1')).ports, 2)
  const flows = await lab.flows(network.a.eni)
  t.true(flows.some((flow) => flow.protocol === 'tcp' && flow.remoteAddress === network.b.ipv4))
}))

test.serial('instances reach each other when the underlay is IPv6',
  withLab({ underlay: 'ipv6' }, async (t, lab) => {
    await checkTraffic(t, await build(lab))
  }))

test.serial('nothing crosses the underlay when both instances are on one host',
  withLab({}, async (t, lab) => {
    const { a, b, c } = await build(lab)
    await using capture = await lab.capture('host-1')
    t.deepEqual(await a.ping(c.ipv4, PINGS), ALL)
    t.deepEqual(await a.ping(b.ipv4, 1), { sent: 1, received: 1 })
    await capture.stop()
    const frames = await capture.fields(['ip.dst'], 'icmp')
    t.is(frames.length, 2, 'the request to b and its answer')
  }))
