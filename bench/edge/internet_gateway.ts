/**
 * TCP through an internet gateway against TCP between two hosts, in packets of the same size: the
 * underlay's MTU leaves 1,500 bytes to both. Runs alternate, and each ratio is of one run.
 *
 *     plain   a ── host-1 ══ underlay ══ host-2 ── b
 *     igw     a ── host-1 ══ underlay ══ edge-1 ── router ── 198.51.100.10
 */
import { internetNamespace } from '../../daemon/host/paths.ts'
import { eventually, inside, tryCommand } from '../../test/harness/command.ts'
import { elasticIp, internetGateway, OUTSIDE } from '../../test/harness/internet.ts'
import { Lab } from '../../test/harness/lab.ts'
import type { EdgeOptions } from '../edge.ts'
import { median, significant } from '../statistics.ts'
import { tcp } from '../tunnel/measure.ts'
import type { TunnelSystem } from '../tunnel/system.ts'

/** 1,500 bytes, and 60 of outer headers. */
const UNDERLAY_MTU = 1560
const WARM_UP_SECONDS = 1

export async function measureInternetGateway (
  options: EdgeOptions): Promise<{ igwGbps: number, igwVsPlain: number }> {
  const lab = await Lab.start({ edges: 1, underlayMtu: UNDERLAY_MTU })
  try {
    const systems = await build(lab)
    for (const system of systems) await whenConnected(system)
    await oneRun(systems, WARM_UP_SECONDS, 0) // the data plane's code is compiled as it runs
    const runs: Record<string, number>[] = []
    for (let number = 1; number <= options.runs; number++) {
      runs.push(await oneRun(systems, options.seconds, number))
    }
    return {
      igwGbps: median(runs.map((run) => run['igw'] ?? 0)),
      igwVsPlain: median(runs.map((run) => (run['igw'] ?? 0) / (run['plain'] ?? 1)))
    }
  } finally {
    const left = await lab.down()
    if (left.length > 0) console.error(`The lab left behind: ${left.join(', ')}`)
  }
}

async function build (lab: Lab): Promise<TunnelSystem[]> {
  const vpc = await lab.vpc('10.0.0.0/16')
  const subnet = await lab.subnet(vpc, '10.0.1.0/24')
  await internetGateway(lab, vpc)
  const a = await lab.instance(subnet, { host: 'host-1' })
  const b = await lab.instance(subnet, { host: 'host-2' })
  await elasticIp(lab, a)
  const from = { namespace: a.namespace, address: a.ipv4 }
  return [
    { name: 'plain', path: 'two-hosts', a: from, b: { namespace: b.namespace, address: b.ipv4 } },
    { name: 'igw', path: 'two-hosts', a: from,
      b: { namespace: internetNamespace(lab.name), address: OUTSIDE } }
  ]
}

/** Gbit/s of both ways, mean of both directions. */
async function oneRun (
  systems: readonly TunnelSystem[], seconds: number, number: number
): Promise<Record<string, number>> {
  const gbps: Record<string, number> = {}
  for (const system of number % 2 === 0 ? systems : systems.toReversed()) {
    const forward = await tcp(system, seconds, ['-P', '1'])
    const reverse = await tcp(system, seconds, ['-P', '1', '-R'])
    gbps[system.name] = (forward.gbps + reverse.gbps) / 2
    console.error(`run ${String(number)}: ${system.name} ${String(significant(forward.gbps))} / ` +
      `${String(significant(reverse.gbps))} Gbit/s`)
  }
  return gbps
}

async function whenConnected ({ name, a, b }: TunnelSystem): Promise<void> {
  await eventually(`${name}: ${b.address} answers`, async () =>
    (await tryCommand('ip', inside(a.namespace, ['ping', '-c', '1', '-W', '1', b.address]))).code
      === 0)
}
