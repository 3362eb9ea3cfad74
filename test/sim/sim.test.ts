/** A few seeds of the simulation; `npm run sim` runs others, and more of them. */
import test from 'ava'
import { FAULT_KINDS } from './faults.ts'
import { Simulation } from './simulation.ts'
import type { Report, SimulationOptions } from './simulation.ts'

const SMALL = { machines: 3, agents: 9, activeMs: 8_000 }

async function run (options: SimulationOptions): Promise<Report> {
  return await new Simulation(options).run()
}

test.serial('without faults calls and packets do what they may', async (t) => {
  const report = await run({ ...SMALL, seed: 1, faults: [] })
  t.is(report.failure, null, report.trace.join('\n'))
  t.true(report.calls.accepted > 50)
  t.is(report.calls.unknown, 0)
  t.true(report.traffic.delivered > 100)
  t.true(report.traffic.answered > 100)
  t.true(report.finalProbes.delivered > 20)
})

test.serial('with faults nothing is misdelivered or lost, and all converges', async (t) => {
  for (let seed = 1; seed <= 4; seed++) {
    const report = await run({ ...SMALL, seed, faults: FAULT_KINDS })
    t.is(report.failure, null, `seed ${String(seed)}\n${report.trace.join('\n')}`)
    t.true(report.datagrams.lost > 0)
  }
})

test.serial('a seed gives the same run again', async (t) => {
  const options = { ...SMALL, seed: 7, faults: FAULT_KINDS }
  t.deepEqual(await run(options), await run(options))
})

test.serial('a hundred hosts on five machines', async (t) => {
  const report = await run(
    { seed: 8, machines: 5, agents: 100, activeMs: 3_000, faults: FAULT_KINDS })
  t.is(report.failure, null, report.trace.join('\n'))
  t.true(report.finalProbes.sent > 100)
})
