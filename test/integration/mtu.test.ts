/**
 * Frame sizes: jumbo frames inside a VPC, answers to what is too big, fragments.
 *
 *     host-1 ─ a  10.0.1.0/24      host-2 ─ b  10.0.2.0/24
 *
 * An instance's own kernel refuses or fragments what exceeds the MTU of eth0. To see the router's
 * own check, the tests raise the MTU of a's eth0 by hand; the daemon may set it back at any moment,
 * so such a step is tried until the expected answer comes.
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { eventually } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const SMALL_UNDERLAY_MTU = 1500
/** Outer IPv4, UDP, Geneve and two options. */
const OVERHEAD_BYTES = 60
const SMALL_MTU = SMALL_UNDERLAY_MTU - OVERHEAD_BYTES

async function build (lab: Lab): Promise<{ a: Instance, b: Instance }> {
  const vpc = await lab.vpc('10.0.0.0/16', { ipv6: true })
  const one = await lab.subnet(vpc, '10.0.1.0/24', { ipv6Index: 1 })
  const two = await lab.subnet(vpc, '10.0.2.0/24', { ipv6Index: 2 })
  return {
    a: await lab.instance(one, { host: 'host-1', ipv6: true }),
    b: await lab.instance(two, { host: 'host-2', ipv6: true })
  }
}

/** Raises eth0's MTU and pings at once, until `pattern` is in what ping says. */
async function pingBeyondMtu (
  t: ExecutionContext, a: Instance, pattern: RegExp, ...args: readonly string[]):
Promise<void> {
  await eventually(`ping says ${String(pattern)}`, async () => {
    const { stdout, stderr } = await a.try('sh', '-c',
      `ip link set eth0 mtu 9001; ping -n -c 1 -W 1 ${args.join(' ')}`)
    return pattern.test(stdout + stderr)
  })
  t.pass()
}

test.serial('9001 bytes pass inside a VPC, in one piece', withLab({}, async (t, lab) => {
  const { a, b } = await build(lab)
  t.is((await a.ping(b.ipv4, 2, '-M', 'do', '-s', String(9001 - 28))).received, 2)
  t.is((await a.ping(b.ipv6, 2, '-M', 'do', '-s', String(9001 - 48))).received, 2)
  t.is((await a.ping(b.ipv4, 2, '-M', 'do', '-s', String(9002 - 28))).received, 0)
  t.regex(await a.exec('tracepath', '-n', b.ipv4), /pmtu 9001/)
}))

test.serial('fragments of a bigger datagram pass', withLab({}, async (t, lab) => {
  const { a, b } = await build(lab)
  t.is((await a.ping(b.ipv4, 2, '-s', '30000')).received, 2)
  t.is((await a.ping(b.ipv6, 2, '-s', '30000')).received, 2)
}))

test.serial('a packet that is too big for the underlay is answered with the MTU, or fragmented',
  withLab({ underlayMtu: SMALL_UNDERLAY_MTU }, async (t, lab) => {
    const { a, b } = await build(lab)
    t.regex(await a.exec('ip', 'link', 'show', 'eth0'), new RegExp(`mtu ${String(SMALL_MTU)} `))
    t.is((await a.ping(b.ipv4, 2, '-M', 'do', '-s', String(SMALL_MTU - 28))).received, 2)
    await pingBeyondMtu(t, a, new RegExp(`mtu = ${String(SMALL_MTU)}`),
      '-M', 'do', '-s', '2000', b.ipv4)
    await lab.waitDrops(a.eni, 'too-big', 1)
    await pingBeyondMtu(t, a, new RegExp(`mtu[= :]+${String(SMALL_MTU)}`),
      '-M', 'do', '-s', '2000', b.ipv6)
    await pingBeyondMtu(t, a, /2008 bytes from/, '-M', 'dont', '-s', '2000', b.ipv4)
  }))
