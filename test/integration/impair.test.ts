/**
 * A network that is made worse on purpose, as docs/impairments.md says.
 *
 *     host-1 ─ a          b ─ host-2          c ─ host-3
 */
import test from 'ava'
import { join } from 'node:path'
import { ROOT, command, tryCommand } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab, TestSubnet } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const HOSTS = 'host-1:use1-az1,host-2:use1-az1,host-3:use1-az1'
const VPCCTL = join(ROOT, 'bin/vpcctl')
const OPTIONS = { hosts: HOSTS }

async function newSubnet (lab: Lab): Promise<TestSubnet> {
  return await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.1.0/24')
}

function vpcctl (lab: Lab, ...words: readonly string[]): Promise<string> {
  return command(VPCCTL, '--lab', lab.name, ...words)
}

/** Milliseconds of the quickest of five answers. */
async function roundTripMs (from: Instance, to: Instance): Promise<number> {
  const output = await from.exec('ping', '-q', '-n', '-i', '0.1', '-c', '5', to.ipv4)
  return Number(/rtt min\/avg\/max\/mdev = ([\d.]+)\//.exec(output)?.[1])
}

/** What iperf3 measured at the receiver, and how often TCP sent again. */
async function transfer (
  from: Instance, to: Instance, ...options: readonly string[]
): Promise<{ readonly bitsPerSecond: number, readonly retransmits: number }> {
  const server = await to.iperfServer()
  const report = JSON.parse(await from.exec('iperf3', '-c', to.ipv4, '-J', ...options)) as {
    end: { sum_received: { bits_per_second: number }, sum_sent: { retransmits?: number } }
  }
  await server.ended()
  return { bitsPerSecond: report.end.sum_received.bits_per_second,
    retransmits: report.end.sum_sent.retransmits ?? 0 }
}

test.serial('an ENI is delayed both ways, loses packets, and heals', withLab(OPTIONS,
  async (t, lab) => {
    const subnet = await newSubnet(lab)
    const a = await lab.instance(subnet, { host: 'host-1' })
    const b = await lab.instance(subnet, { host: 'host-2' })
    const before = await roundTripMs(a, b)
    await vpcctl(lab, 'impair', a.eni, '--delay', '35ms')
    const delayed = await roundTripMs(a, b)
    t.true(delayed >= 70 && delayed < before + 80, `${String(delayed)} ms`)

    await vpcctl(lab, 'impair', a.eni, '--loss', '20%', '--direction', 'out')
    const { sent, received } = await a.ping(b.ipv4, 500, '-i', '0.005')
    // 20 % of 500 are 100, with a standard deviation of 9: a chance of 1 in 10^8 to be outside.
    t.true(sent - received > 48 && sent - received < 152, `${String(received)} of ${String(sent)}`)
    await lab.waitDrops(a.eni, 'impaired-loss', sent - received)
    await vpcctl(lab, 'impair', a.eni, '--loss', '1%')
    // At least 2,000 packets: a chance of 1 in 10^8 that none is lost.
    t.true((await transfer(a, b, '-n', '2M', '-M', '1000')).retransmits > 0)

    await vpcctl(lab, 'impair', a.eni, '--clear')
    t.is((await a.ping(b.ipv4, 200, '-i', '0.005')).received, 200)
    t.true(await roundTripMs(a, b) < 35)
  }))

test.serial('a rate holds, and a delay of a host with it', withLab(OPTIONS, async (t, lab) => {
  const subnet = await newSubnet(lab)
  const a = await lab.instance(subnet, { host: 'host-1' })
  const b = await lab.instance(subnet, { host: 'host-2' })
  await vpcctl(lab, 'impair', 'host-1', '--rate', '50mbit', '--delay', '20ms')
  const delayed = await roundTripMs(a, b)
  t.true(delayed >= 20 && delayed < 35, `one way alone is delayed: ${String(delayed)} ms`)
  // iperf3 counts payload: 8,949 of 9,001 bytes.
  const { bitsPerSecond } = await transfer(a, b, '-t', '3', '-O', '1')
  t.true(bitsPerSecond > 45e6 && bitsPerSecond < 55e6, `${String(bitsPerSecond)} bit/s`)
}))

test.serial('damage is found by the receiver, and disorder is seen', withLab(OPTIONS,
  async (t, lab) => {
    const subnet = await newSubnet(lab)
    const a = await lab.instance(subnet, { host: 'host-1' })
    const b = await lab.instance(subnet, { host: 'host-2' })
    await vpcctl(lab, 'impair', a.eni, '--corrupt', '5%', '--direction', 'out')
    const server = await b.iperfServer()
    await a.exec('iperf3', '-c', b.ipv4, '-n', '2M', '-M', '1000')
    t.is(await server.ended(), 0)
    const errors = /^Tcp: .*\nTcp: (.*)$/m.exec(await b.exec('cat', '/proc/net/snmp'))?.[1]
    // 2 MB are about 2,000 packets; InCsumErrors is the last of the counters.
    t.true(Number(errors?.split(' ').at(-1)) > 20, `InCsumErrors: ${String(errors)}`)

    await vpcctl(lab, 'impair', a.eni, '--delay', '20ms', '--reorder', '30%', '--duplicate', '10%',
      '--direction', 'out')
    const output = await a.exec('ping', '-n', '-i', '0.005', '-c', '100', b.ipv4)
    const order = [...output.matchAll(/icmp_seq=(\d+)/g)].map(([, sequence]) => Number(sequence))
    t.is(new Set(order).size, 100, 'none is lost')
    t.notDeepEqual(order, order.toSorted((one, other) => one - other))
    t.regex(output, /DUP!/)
  }))

test.serial('hosts that are cut off from each other reach all others, until they heal',
  withLab(OPTIONS, async (t, lab) => {
    const subnet = await newSubnet(lab)
    const a = await lab.instance(subnet, { host: 'host-1' })
    const b = await lab.instance(subnet, { host: 'host-2' })
    const c = await lab.instance(subnet, { host: 'host-3' })
    t.is((await a.ping(b.ipv4)).received, 5)
    await vpcctl(lab, 'partition', 'host-1', 'host-2')
    t.is((await a.ping(b.ipv4, 3)).received, 0)
    await lab.waitDrops(a.eni, 'partitioned', 3)
    t.is((await b.ping(a.ipv4, 3)).received, 0)
    await lab.waitDrops(b.eni, 'partitioned', 3)
    t.is((await a.ping(c.ipv4)).received, 5)
    t.is((await b.ping(c.ipv4)).received, 5)
    const { stdout: trace } = await tryCommand(VPCCTL,
      ['--lab', lab.name, 'trace', a.id, 'icmp', b.ipv4])
    t.regex(trace, /host-1 is cut off from host-2 by a partition/)
    t.regex(trace, /vpcctl heal host-1 host-2/)
    await vpcctl(lab, 'heal', 'host-2', 'host-1')
    t.is((await a.ping(b.ipv4)).received, 5)
  }))

test.serial('impairments and partitions outlive the daemon', withLab(OPTIONS, async (t, lab) => {
  const subnet = await newSubnet(lab)
  const a = await lab.instance(subnet, { host: 'host-1' })
  const b = await lab.instance(subnet, { host: 'host-2' })
  const c = await lab.instance(subnet, { host: 'host-3' })
  await vpcctl(lab, 'impair', a.eni, '--delay', '30ms', '--jitter', '1ms')
  await vpcctl(lab, 'partition', 'host-1', 'host-3')
  await lab.kill()
  await lab.restart()
  await lab.waitApplied()
  t.true(await roundTripMs(a, b) >= 58)
  t.is((await a.ping(c.ipv4, 2)).received, 0)
  t.regex(await vpcctl(lab, 'impair'), new RegExp(`${a.eni} +both +30ms +1ms`))
  t.regex(await vpcctl(lab, 'partition'), /host-1 +host-3/)
}))
