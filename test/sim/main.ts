/**
 * Runs simulations by hand:
 *
 *     npm run sim -- [--seeds N] [--seed S] [--agents N] [--machines N] [--seconds N]
 *                    [--faults KIND,… | --faults none] [--trace]
 *
 * Seeds are S, S + 1 …; all kinds of faults unless some are named. Of a seed that fails the end of
 * its trace is printed, with --trace all of it; with the same options it fails again in the same
 * way. Exit code 0: none failed. 1: one did. 2: a wrong argument.
 */
import { parseArgs } from 'node:util'
import { FAULT_KINDS } from './faults.ts'
import type { FaultKind } from './faults.ts'
import { Simulation } from './simulation.ts'
import type { Report } from './simulation.ts'

const TRACE_LINES = 40
const EXIT_USAGE = 2

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' },
    agents: { type: 'string', default: '12' }, machines: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '20' }, faults: { type: 'string' },
    trace: { type: 'boolean', default: false }
  }
})

function kindsOf (text: string | undefined): readonly FaultKind[] {
  if (text === undefined) return FAULT_KINDS
  const named = text === 'none' ? [] : text.split(',')
  const wrong = named.find((name) => !FAULT_KINDS.includes(name as FaultKind))
  if (wrong === undefined) return named as FaultKind[]
  console.error(`vpclab: "${wrong}" is no fault: ${FAULT_KINDS.join(', ')}, none`)
  process.exit(EXIT_USAGE)
}

function numberOf (name: 'seeds' | 'seed' | 'agents' | 'machines' | 'seconds'): number {
  const value = Number(values[name])
  if (Number.isInteger(value) && value > 0) return value
  console.error(`vpclab: --${name} is a whole number above 0, not "${values[name]}"`)
  process.exit(EXIT_USAGE)
}

function add (sums: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + count
}

function print (report: Report, isWhole: boolean): void {
  console.log(`seed ${String(report.seed)} failed: ${report.failure ?? ''}`)
  const lines = isWhole ? report.trace : report.trace.slice(-TRACE_LINES)
  console.log(lines.join('\n'))
}

const sums: Record<string, Record<string, number>> =
  { faults: {}, calls: {}, packets: {}, datagrams: {}, 'at the end': {} }
const faults = kindsOf(values.faults)
const [first, seeds] = [numberOf('seed'), numberOf('seeds')]
const failed: number[] = []
for (let seed = first; seed < first + seeds; seed++) {
  const report = await new Simulation({
    seed, faults, machines: numberOf('machines'), agents: numberOf('agents'),
    activeMs: numberOf('seconds') * 1000
  }).run()
  const { traffic, finalProbes, calls, datagrams } = report
  add(sums['faults']!, report.faults)
  add(sums['calls']!, { ...calls })
  add(sums['packets']!,
    { ...traffic, dropped: traffic.sent + traffic.answers - traffic.delivered - traffic.answered })
  add(sums['datagrams']!, datagrams)
  add(sums['at the end']!, finalProbes)
  if (report.failure !== null) {
    failed.push(seed)
    print(report, values.trace)
  }
}
console.log(`seeds ${String(first)} to ${String(first + seeds - 1)}`)
for (const [what, counts] of Object.entries(sums)) {
  const words = Object.entries(counts).map(([name, count]) => `${name} ${String(count)}`)
  console.log(`${what}: ${words.join(', ')}`)
}
console.log(failed.length === 0 ? 'none failed' : `failed: ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
