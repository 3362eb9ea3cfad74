/**
 * A plan is what a mutating call comes down to: a pure function of what is there and what is asked
 * for. It throws AwsError to refuse, or returns all the changes to commit at once.
 *
 *     planCreateSubnet(view, input, context) → { changes, result }
 *
 * A plan reads no clock, draws no randomness and touches no store: `context` brings all three, so
 * that a plan can run again when the store moved under it, and a test can pin every id.
 */
import type { Change } from './snapshot.ts'

export interface PlanContext {
  /** Wall clock of the call, ms since 1970. */
  readonly nowMs: number
  /** A fresh id: the prefix, a dash, `0` and 16 random hex digits (`newId('vpc')`). */
  newId(prefix: string): string
}

export interface Plan<Result> {
  readonly changes: readonly Change[]
  /** What the action's printer needs: ids, mostly. JSON, since an idempotency token keeps it. */
  readonly result: Result
}
