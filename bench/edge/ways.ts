/**
 * Two ways through one lab, measured in turn: packets of the same size on both, so that a ratio
 * tells of the gateway alone.
 */
import { eventually, inside, tryCommand } from '../../test/harness/command.ts'
import { significant } from '../statistics.ts'
import { tcp } from '../tunnel/measure.ts'
import type { TunnelSystem } from '../tunnel/system.ts'

/** 1,500 bytes, and 60 of outer headers. */
export const UNDERLAY_MTU = 1560
const WARM_UP_SECONDS = 1

/** Waits for answers on every way, and lets the data plane's code be compiled as it runs. */
export async function warmUp (systems: readonly TunnelSystem[]): Promise<void> {
  for (const system of systems) await whenConnected(system)
  await oneRun(systems, WARM_UP_SECONDS, 0)
}

/** Gbit/s of both ways, mean of both directions. */
export async function oneRun (
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
