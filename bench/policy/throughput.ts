/**
 * What established connections keep of their throughput: TCP by iperf3 between two hosts, over
 * pairs of instances that stand at once in one lab. Runs alternate between the pairs, so that a
 * busy minute of the machine hits all alike, and every other run goes backwards; each figure is the
 * median of the ratios within a run.
 *
 *     subnet 1, host-1     subnet 2, host-2
 *     a ─────────────────▶ b                  open:     one open group, the default ACL
 *     subnet 3, host-1     subnet 4, host-2
 *     a ─────────────────▶ b                  rules:    5 groups, 60 + 60 rules, ACL 20 + 20
 *     a ─────────────────▶ b                  flow log: the same, and a flow log on both ENIs
 *     a ─────────────────▶ b                  mirror:   the same, and a session on a; its copies
 *                                                       go to an instance on host-2
 */
import { eventually, inside, tryCommand } from '../../test/harness/command.ts'
import type { Instance } from '../../test/harness/instance.ts'
import { Lab } from '../../test/harness/lab.ts'
import type { TestSubnet, TestVpc } from '../../test/harness/lab.ts'
import { median, significant } from '../statistics.ts'
import { tcp } from '../tunnel/measure.ts'
import type { TunnelSystem } from '../tunnel/system.ts'
import { logFlows, mirror, openGroup, ruledAcl, ruledGroups, setGroups } from './lab_policy.ts'

const WARM_UP_SECONDS = 1

interface Pair {
  readonly name: 'open' | 'rules' | 'flowLog' | 'mirror'
  readonly a: Instance
  readonly b: Instance
}

export interface ThroughputOptions { readonly runs: number, readonly seconds: number }

export interface Throughput {
  readonly openGbps: number
  readonly throughputKept: number
  readonly throughputKeptFlowLog: number
  readonly throughputKeptMirror: number
}

export async function measureThroughput (options: ThroughputOptions): Promise<Throughput> {
  const lab = await Lab.start()
  try {
    const pairs = await build(lab)
    for (const pair of pairs) await whenConnected(pair)
    await oneRun(pairs, WARM_UP_SECONDS, 0) // the data plane's code is compiled as it runs
    const runs: Record<Pair['name'], number>[] = []
    for (let number = 1; number <= options.runs; number++) {
      runs.push(await oneRun(pairs, options.seconds, number))
    }
    const kept = (name: Pair['name']): number => median(runs.map((run) => run[name] / run.open))
    return {
      openGbps: median(runs.map((run) => run.open)),
      throughputKept: kept('rules'),
      throughputKeptFlowLog: kept('flowLog'),
      throughputKeptMirror: kept('mirror')
    }
  } finally {
    const left = await lab.down()
    if (left.length > 0) console.error(`The lab left behind: ${left.join(', ')}`)
  }
}

/** Gbit/s of every pair, mean of both directions. */
async function oneRun (
  pairs: readonly Pair[], seconds: number, number: number
): Promise<Record<Pair['name'], number>> {
  const gbps = { open: NaN, rules: NaN, flowLog: NaN, mirror: NaN }
  const inTurn = number % 2 === 0 ? pairs : pairs.toReversed()
  for (const pair of inTurn) {
    const system = systemOf(pair)
    const forward = await tcp(system, seconds, ['-P', '1'])
    const reverse = await tcp(system, seconds, ['-P', '1', '-R'])
    gbps[pair.name] = (forward.gbps + reverse.gbps) / 2
    console.error(
      `run ${String(number)}: ${pair.name} ${String(significant(gbps[pair.name]))} Gbit/s`)
  }
  return gbps
}

function systemOf ({ name, a, b }: Pair): TunnelSystem {
  return {
    name, path: 'two-hosts',
    a: { namespace: a.namespace, address: a.ipv4 }, b: { namespace: b.namespace, address: b.ipv4 }
  }
}

async function build (lab: Lab): Promise<Pair[]> {
  const vpc = await lab.vpc('10.0.0.0/16')
  const [openA, openB, ruledA, ruledB] = await subnets(lab, vpc)
  const open = await openGroup(lab, vpc)
  const groups = await ruledGroups(lab, vpc)
  await ruledAcl(lab, vpc, [ruledA, ruledB])
  const openPair = await newPair(lab, 'open', [openA, openB], [open])
  const rules = await newPair(lab, 'rules', [ruledA, ruledB], groups)
  const flowLog = await newPair(lab, 'flowLog', [ruledA, ruledB], groups)
  await logFlows(lab, flowLog.a)
  await logFlows(lab, flowLog.b)
  const mirrored = await newPair(lab, 'mirror', [ruledA, ruledB], groups)
  const monitor = await lab.instance(openB, { host: 'host-2' })
  await setGroups(lab, monitor, [open])
  await mirror(lab, mirrored.a, monitor)
  await lab.waitApplied()
  return [openPair, rules, flowLog, mirrored]
}

async function subnets (
  lab: Lab, vpc: TestVpc): Promise<[TestSubnet, TestSubnet, TestSubnet, TestSubnet]> {
  return [
    await lab.subnet(vpc, '10.0.1.0/24'), await lab.subnet(vpc, '10.0.2.0/24'),
    await lab.subnet(vpc, '10.0.3.0/24'), await lab.subnet(vpc, '10.0.4.0/24')
  ]
}

async function newPair (
  lab: Lab, name: Pair['name'], [left, right]: readonly [TestSubnet, TestSubnet], groups: string[]
): Promise<Pair> {
  const a = await lab.instance(left, { host: 'host-1' })
  const b = await lab.instance(right, { host: 'host-2' })
  await setGroups(lab, a, groups)
  await setGroups(lab, b, groups)
  return { name, a, b }
}

/** Waits until a SYN is answered: nobody listens, so b resets the connection. */
async function whenConnected ({ name, a, b }: Pair): Promise<void> {
  await eventually(`${name}: ${b.ipv4} answers`, async () => {
    const probe = ['bash', '-c', `timeout 1 bash -c '</dev/tcp/${b.ipv4}/9' 2>&1; true`]
    const { stdout } = await tryCommand('ip', inside(a.namespace, probe))
    return stdout.includes('refused')
  })
}
