/**
 * A network that is made worse on purpose, as docs/impairments.md says.
 *
 *     host-1 ─ a          b ─ host-2          c ─ host-3
 */
import test from 'ava'
import { join } from 'node:path'
import { ROOT, command } from '../harness/command.ts'
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
    const lossy = await transfer(a, b, '-t', '1', '-M', '1000')
    t.true(lossy.retransmits > 0)

    await vpcctl(lab, 'impair', a.eni, '--clear')
    t.is((await a.ping(b.ipv4)).received, 5)
    t.true(await roundTripMs(a, b) < 35)
    const clean = await transfer(a, b, '-t', '1', '-M', '1000')
    t.true(lossy.bitsPerSecond < clean.bitsPerSecond / 2,
      `${String(lossy.bitsPerSecond)} instead of ${String(clean.bitsPerSecond)}`)
  }))
