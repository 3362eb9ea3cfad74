/**
 * Statistics of samples over periods. A period of five minutes has at most five samples; periods
 * begin at multiples of their length, as CloudWatch's do.
 */
import type { Sample } from './metric_history.ts'

export interface Datapoint {
  /** Begin of the period, ms since 1970. */
  readonly timeMs: number
  readonly SampleCount: number
  readonly Average: number
  readonly Sum: number
  readonly Minimum: number
  readonly Maximum: number
}

export const STATISTICS = ['SampleCount', 'Average', 'Sum', 'Minimum', 'Maximum'] as const
export type Statistic = (typeof STATISTICS)[number]

export function isStatistic (name: string): name is Statistic {
  return (STATISTICS as readonly string[]).includes(name)
}

/**
 * Periods that have samples, oldest first.
 * @param at which value of the samples
 * @param startMs inclusive; `endMs` is not
 */
export function datapointsOf (samples: readonly Sample[], at: number, periodMs: number,
  startMs: number, endMs: number): Datapoint[] {
  const periods = new Map<number, number[]>()
  for (const { timeMs, values } of samples) {
    if (timeMs < startMs - startMs % periodMs || timeMs >= endMs) continue
    const period = timeMs - timeMs % periodMs
    const list = periods.get(period) ?? []
    list.push(values[at] ?? 0)
    periods.set(period, list)
  }
  return [...periods].map(([timeMs, values]) => {
    const Sum = values.reduce((sum, value) => sum + value, 0)
    return {
      timeMs, Sum, SampleCount: values.length, Average: Sum / values.length,
      Minimum: Math.min(...values), Maximum: Math.max(...values)
    }
  })
}
