/**
 * The ledger: what a caller of plans needs of the store, and no more. `store/replica.ts` implements
 * it over an engine; a test may implement it over a Snapshot alone.
 *
 *     snapshot ──▶ plan() ──▶ commit at that revision ──▶ feed ──▶ snapshot
 *        ▲                        │ the store moved: plan again
 *        └────────────────────────┘ bounded
 */
import type { Plan } from './plan.ts'
import type { Snapshot } from './snapshot.ts'

export interface Committed<Result> {
  readonly result: Result
  /** Revision of the commit; the snapshot's own when the plan had no changes. */
  readonly revision: number
}

export interface Ledger {
  /** Always the same object; it moves as the feed delivers commits. */
  readonly snapshot: Snapshot

  /**
   * Runs `plan` against the present snapshot and commits its changes, all or none. When the store
   * moved in between, `plan` runs again on the newer snapshot, a bounded number of times. Resolves
   * after the snapshot holds the commit. What `plan` throws, this rejects with.
   * @throws VpclabError VPCLAB_ERR_STORE_CONFLICT when the store kept moving
   */
  transact<Result>(plan: () => Plan<Result>): Promise<Committed<Result>>
}
