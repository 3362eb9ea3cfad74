/**
 * A model without a store, for tests of rules: plans are applied at once, ids count up, time stands
 * still until it is told to move. What a plan throws has changed nothing: plans return their
 * changes.
 */
import { AwsError } from './aws_error.ts'
import type { Committed, Ledger } from './ledger.ts'
import type { Plan, PlanContext } from './plan.ts'
import type { Change } from './snapshot.ts'
import { AccountView, Snapshot, put } from './snapshot.ts'

export const TEST_ACCOUNT = '111111111111'
export const TEST_REGION = 'us-east-1'

export class TestWorld implements Ledger {
  readonly snapshot = new Snapshot()
  /** ms since 1970; 2026-01-01 to begin with. */
  nowMs = Date.UTC(2026, 0, 1)
  #ids = 0

  view (accountId = TEST_ACCOUNT, region = TEST_REGION): AccountView {
    return new AccountView(this.snapshot, accountId, region)
  }

  get context (): PlanContext {
    return { nowMs: this.nowMs, newId: (prefix) => this.newId(prefix) }
  }

  /** `vpc-00000000000000001`, then `…2` and so on. */
  newId (prefix: string): string {
    this.#ids++
    return `${prefix}-${this.#ids.toString(16).padStart(17, '0')}`
  }

  /** Applies a plan as one commit. */
  run<Result> (plan: Plan<Result>): Result {
    if (plan.changes.length > 0) this.apply(plan.changes)
    return plan.result
  }

  apply (changes: readonly Change[]): void {
    this.snapshot.apply(this.snapshot.revision + 1, changes)
  }

  transact<Result> (plan: () => Plan<Result>): Promise<Committed<Result>> {
    return Promise.resolve().then(() => {
      const result = this.run(plan())
      return { result, revision: this.snapshot.revision }
    })
  }

  setQuota (id: string, value: number): void {
    this.apply([put('quotaOverride', { id, value })])
  }

  /** @returns the code that `plan` is refused with, or an empty string when it is not */
  refusal (plan: () => unknown): string {
    try {
      plan()
      return ''
    } catch (error) {
      if (error instanceof AwsError) return error.code
      throw error
    }
  }
}
