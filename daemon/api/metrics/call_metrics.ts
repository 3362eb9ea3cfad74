/**
 * Calls of the AWS endpoint, counted by service, action and code, and their durations by service
 * and action. What a caller can make up (an action that no service has) counts as `unknown`.
 */
import type { Call } from '../service.ts'
import type { Exposition } from './exposition.ts'
import { API_CALLS, API_SECONDS } from './families.ts'

/** Series of calls, and of durations; calls of a further one count as `other`. */
export const CALL_SERIES_MAX = 2000
const OTHER = 'other'
const UNKNOWN = 'unknown'
/** Upper bounds of the buckets of durations, seconds. */
const BOUNDS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

class Durations {
  readonly counts = Array.from({ length: BOUNDS_S.length + 1 }, () => 0)
  sumS = 0

  add (seconds: number): void {
    const found = BOUNDS_S.findIndex((bound) => seconds <= bound)
    const bucket = found === -1 ? BOUNDS_S.length : found
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    this.sumS += seconds
  }
}

export class CallMetrics {
  /** By service, action and code, joined by spaces: none of them has one. */
  readonly #calls = new Map<string, number>()
  /** By service and action. */
  readonly #durations = new Map<string, Durations>()

  /** Hears of a call that is decided. */
  readonly observe = (call: Call, durationMs: number): void => {
    const service = call.service?.name ?? UNKNOWN
    // The shape of the operation is known for actions that exist, and for them alone.
    const action = call.operation === null ? UNKNOWN : call.action
    const code = call.refusal?.code ?? 'OK'
    const series = seriesOf(this.#calls, [service, action, code], [service, OTHER, OTHER])
    this.#calls.set(series, (this.#calls.get(series) ?? 0) + 1)
    const key = seriesOf(this.#durations, [service, action], [service, OTHER])
    const durations = this.#durations.get(key) ?? new Durations()
    durations.add(durationMs / 1000)
    this.#durations.set(key, durations)
  }

  writeTo (page: Exposition): void {
    for (const [key, count] of this.#calls) page.add(API_CALLS, key.split(' '), count)
    for (const [key, { counts, sumS }] of this.#durations) {
      page.addHistogram(API_SECONDS, key.split(' '), BOUNDS_S, counts, sumS)
    }
  }
}

/** The key of a series: that of `values`, or of `others` when there are too many. */
function seriesOf (series: ReadonlyMap<string, unknown>, values: readonly string[],
  others: readonly string[]): string {
  const key = values.join(' ')
  return series.has(key) || series.size < CALL_SERIES_MAX ? key : others.join(' ')
}
