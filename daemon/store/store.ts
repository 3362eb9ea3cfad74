/**
 * The store: records with revisions, transactions, and a feed of every change in order.
 *
 * The interface fits two engines: `sqlite` (embedded, one process) and `etcd` (several machines).
 * It is what etcd offers, no more: string keys, JSON values, a global revision that rises by one
 * per transaction, an all-or-nothing transaction guarded by that revision, and a watch that can be
 * resumed from a revision until it is compacted.
 *
 * Nothing above `store/` knows which engine runs. `store/replica.ts` turns the feed into a
 * `Snapshot` and changes into keys; plans, compiles and agents use only that.
 */

/** `/<noun>/<id>` */
export type Key = string

export interface StoredRecord {
  readonly key: Key
  /** JSON text. */
  readonly value: string
  readonly createRevision: number
  readonly modRevision: number
}

export interface Write {
  readonly key: Key
  /** JSON text, or null to delete the key. */
  readonly value: string | null
}

/** One transaction as the feed reports it: removing what is not there is no write. */
export interface Commit {
  readonly revision: number
  /** When it was committed, ms since 1970. */
  readonly atMs: number
  readonly writes: readonly Write[]
}

export interface Subscription {
  /** No call of the listener after this returns. */
  close(): void
}

export interface StoreEngine {
  /** @returns all records, in order of creation, and the revision they are of */
  readAll(): Promise<{ readonly revision: number, readonly records: readonly StoredRecord[] }>

  /**
   * Commits all writes or none.
   * @returns the new revision, or null when the store is no longer at `expectedRevision` (nothing
   *   was written: plan again on the newer state). Resolves after the feed has delivered the commit
   *   to this process's own subscriptions, so that a caller reads its own write.
   * @throws VpclabError VPCLAB_ERR_STORE
   */
  commit(writes: readonly Write[], expectedRevision: number): Promise<number | null>

  /**
   * Every commit after `afterRevision`, in order, each once. What the feed already holds may be
   * delivered before this returns.
   * @throws VpclabError VPCLAB_ERR_STORE_COMPACTED when the feed does not reach back that far
   */
  watch(afterRevision: number, listener: (commit: Commit) => void): Subscription

  /** Since when the store cannot be reached, ms since 1970: what is known of it is as old. */
  readonly unreachableSinceMs: number | null
  /** Why it cannot be reached, in words for people; null: it can. */
  readonly unreachableReason: string | null

  close(): Promise<void>
}
