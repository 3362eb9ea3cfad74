/**
 * A NAT gateway that opens flows as fast as it can, and two others: one that shares no node with
 * it, and one that shares some. Nobody loses anything but the noisy one, and that new flows alone.
 *
 *     NOISY (private) ── NAT gateway ── edges a, b, c ──┐
 *     BESIDE (private) ─ NAT gateway ── edges b, c, d ──┼── 198.51.100.10:9 echoes, others are shut
 *     APART (private) ── NAT gateway ── edges d, e, f ──┘
 *
 * All nodes share the machine's few processors, so the flood is paced below what these can do: what
 * it takes is its nodes' room for flows, and not the time of all. Its own ENI may lose packets.
 */
import test from 'ava'
import type { HyperplaneAnswer } from '../../daemon/api/admin/contract.ts'
import { overlapOf, SHARD_SIZE } from '../../daemon/hyperplane/shuffle_shard.ts'
import { adminRequest } from '../harness/admin.ts'
import type { Background } from '../harness/command.ts'
import { eventually } from '../harness/command.ts'
import { internetGateway, OUTSIDE } from '../harness/internet.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab, TestSubnet, TestVpc } from '../harness/lab.ts'
import { publicNatGateway, routeThrough } from '../harness/nat.ts'
import type { PublicNat } from '../harness/nat.ts'
import { withLab } from '../harness/with_lab.ts'

/** The fewest among which there are two shards that share no node: one pair in twenty. */
const EDGES = 2 * SHARD_SIZE
/** Of 20 gateways, 190 pairs, one in 20,000 sets has none that fits. */
const GATEWAYS_MAX = 20
const FLOOD_TIMEOUT_MS = 120_000
/** Refusals by which the flood is beyond what its nodes allow it. */
const REFUSED = 1000
const ASKS = 1000

const ECHO = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('0.0.0.0', 9))
print('listening', flush=True)
while True:
  data, peer = s.recvfrom(2048)
  s.sendto(data, peer)
`

/** Opens PACE flows a second until it is stopped: to each port, then again from another one. */
const FLOOD = `
import select, socket, time
PACE, STEP = 15000, 0.01
begun, sent = time.monotonic(), 0
while True:
  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
  s.setsockopt(socket.IPPROTO_IP, 11, 0) # IP_RECVERR off: that a port is shut is of no interest
  for port in range(10000, 60000):
    s.sendto(b'x', ('${OUTSIDE}', port))
    sent += 1
    while sent > (time.monotonic() - begun + STEP) * PACE: select.select([], [], [], STEP)
  s.close()
`

/** Asks the echo server and counts answers: argv how often, from which port (0: a new one each). */
const ASK = `
import socket, sys
answers = 0
for turn in range(int(sys.argv[1])):
  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
  s.settimeout(5)
  s.bind(('', int(sys.argv[2])))
  s.sendto(b'x', ('${OUTSIDE}', 9))
  try: answers += len(s.recv(10))
  except socket.timeout: pass
  s.close()
print(answers)
`
const OLD_PORT = '7777'

test.serial('a flooded gateway hurts none that shares no node with it, nor flows of one that does',
  withLab({
    edges: EDGES,
    flags: ['--quota', `nat-gateways-per-zone=${String(GATEWAYS_MAX)}`,
      '--quota', `elastic-ips-per-region=${String(GATEWAYS_MAX)}`]
  }, async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    await internetGateway(lab, vpc)
    const [noisyNat, besideNat, apartNat] =
      await neighbours(lab, await lab.subnet(vpc, '10.0.1.0/24'))
    const noisy = await behind(lab, vpc, noisyNat, 2, 'host-1')
    const beside = await behind(lab, vpc, besideNat, 3, 'host-2')
    const apart = await behind(lab, vpc, apartNat, 4, 'host-2')
    const echo = lab.internetServer('python3', '-c', ECHO)
    await echo.printed('listening')
    const askBoth = (): Promise<number[]> => Promise.all([beside, apart].map((one) => ask(one)))
    t.deepEqual(await askBoth(), [ASKS, ASKS], 'in peace')
    t.is(await ask(noisy, 1, OLD_PORT), 1)

    const flood = noisy.start('python3', '-c', FLOOD)
    await refused(lab, noisyNat, flood)
    t.deepEqual(await askBoth(), [ASKS, ASKS], 'beside the flood')
    t.true(await ask(noisy, 100, OLD_PORT) > 50, 'a flow from before it goes on, as its ENI allows')
    t.is(await ask(noisy, 1), 0, 'and no other begins')
    await refused(lab, noisyNat, flood)
    await flood.stop()
    for (const { eni } of [besideNat, apartNat]) t.is(await lab.drops(eni, 'nat-capacity'), 0)
    for (const node of apartNat.shard) {
      const { counters } = await lab.hostStatus(node)
      t.true((counters['worker-nat-flows-live'] ?? Infinity) <= 4 * ASKS, `${node} has none of it`)
    }
  }))

interface Placed extends PublicNat { readonly shard: readonly string[] }

/** Makes gateways until two of them share no node, and a third one some with the first. */
async function neighbours (lab: Lab, subnet: TestSubnet): Promise<[Placed, Placed, Placed]> {
  const made: Placed[] = []
  while (made.length < GATEWAYS_MAX) {
    const nat = await publicNatGateway(lab, subnet)
    const shard = await eventually('the gateway has a shard', async () =>
      (await adminRequest<HyperplaneAnswer>(lab.name, 'GET', '/hyperplane')).shards
        .find(({ networkInterfaceId }) => networkInterfaceId === nat.eni)?.shard)
    made.push({ ...nat, shard })
    for (const noisy of made) {
      const overlap = (other: Placed): number => overlapOf(noisy.shard, other.shard)
      const apart = made.find((other) => overlap(other) === 0)
      const beside = made.find((other) => overlap(other) > 0 && overlap(other) < SHARD_SIZE)
      if (apart !== undefined && beside !== undefined) return [noisy, beside, apart]
    }
  }
  throw new Error(`Of ${String(GATEWAYS_MAX)} gateways no two share no node`)
}

/** An instance in a subnet of its own, which leads through the gateway. */
async function behind (
  lab: Lab, vpc: TestVpc, nat: PublicNat, number: number, host: string
): Promise<Instance> {
  const subnet = await lab.subnet(vpc, `10.0.${String(number)}.0/24`)
  await routeThrough(lab, nat, subnet)
  return await lab.instance(subnet, { host })
}

/** @returns answers of the echo server */
async function ask (from: Instance, times = ASKS, port = '0'): Promise<number> {
  return Number(await from.exec('python3', '-c', ASK, String(times), port))
}

/** Waits until the flood opens more flows than its nodes allow it, from now on. */
async function refused (lab: Lab, { eni }: PublicNat, flood: Background): Promise<void> {
  const before = await lab.drops(eni, 'nat-capacity')
  await eventually('new flows of the noisy gateway are refused', async () => {
    if (!flood.running) throw new Error(`The flood ended: ${flood.output}`)
    return await lab.drops(eni, 'nat-capacity') >= before + REFUSED
  }, FLOOD_TIMEOUT_MS)
}
