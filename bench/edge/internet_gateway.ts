/**
 * TCP through an internet gateway against TCP between two hosts, in packets of the same size: the
 * underlay's MTU leaves 1,500 bytes to both. Runs alternate, and each ratio is of one run.
 *
 *     plain   a ── host-1 ══ underlay ══ host-2 ── b
 *     igw     a ── host-1 ══ underlay ══ edge-1 ── router ── 198.51.100.10
 */
import { internetNamespace } from '../../daemon/host/paths.ts'
import { elasticIp, internetGateway, OUTSIDE } from '../../test/harness/internet.ts'
import { Lab } from '../../test/harness/lab.ts'
import type { EdgeOptions } from '../edge.ts'
import { median } from '../statistics.ts'
import type { TunnelSystem } from '../tunnel/system.ts'
import { oneRun, UNDERLAY_MTU, warmUp } from './ways.ts'

export async function measureInternetGateway (
  options: EdgeOptions): Promise<{ igwGbps: number, igwVsPlain: number }> {
  const lab = await Lab.start({ edges: 1, underlayMtu: UNDERLAY_MTU })
  try {
    const systems = await build(lab)
    await warmUp(systems)
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
