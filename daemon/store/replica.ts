/**
 * One process's live copy of the store: a Snapshot that the feed moves, and the Ledger that plans
 * are committed through. This is the only file that knows both keys and records.
 *
 *     engine ── commits ──▶ Replica ──▶ Snapshot ──▶ listeners: mapping, compile, reconcilers
 *                              ▲
 *     transact(plan) ──────────┘ plan on the snapshot, commit at its revision, again if it moved
 *
 * Transactions of one process run one after another: two calls that arrive together do not make
 * each other plan twice. Against other processes (engine etcd) the revision guards.
 *
 * Listeners are called in the order they were added, after the snapshot holds the commit. One that
 * throws is a broken invariant: the others are still called, then the error ends the process as an
 * uncaught exception, since a follower that missed a commit would be wrong for ever after.
 */
import { VpclabError } from '../base/errors.ts'
import type { AppliedChange, CommitListener } from '../model/commit_feed.ts'
import type { Committed, Ledger } from '../model/ledger.ts'
import type { Plan } from '../model/plan.ts'
import { NOUNS, Snapshot, remove } from '../model/snapshot.ts'
import type { Change, Noun } from '../model/snapshot.ts'
import type { Commit, Key, StoreEngine, Subscription, Write } from './store.ts'

/** How often a plan runs before the transaction is given up. */
export const TRANSACT_ATTEMPTS_MAX = 16
/** How long a plan that lost a race waits for the commit it lost to, ms. */
export const TRANSACT_CATCH_UP_MS_MAX = 1_000
/** Transactions that wait for their turn; more is refused. */
export const TRANSACTIONS_WAITING_MAX = 10_000

/**
 * What a reset keeps: machines and hosts, their quotas, and the VNI counter, since VNIs are not
 * reused.
 */
export const RESET_KEEPS: readonly Noun[] = ['machine', 'host', 'quotaOverride', 'counter']

export interface ReplicaCounters {
  transactions: number
  /** Plans that ran again because the store had moved. */
  retries: number
  /** Transactions given up after TRANSACT_ATTEMPTS_MAX. */
  conflicts: number
}

/** `/<noun>/<id>` */
export function keyOf (noun: Noun, id: string): Key {
  return `/${noun}/${id}`
}

/** @throws VpclabError VPCLAB_ERR_STORE for a noun that this version does not have */
export function parseKey (key: Key): { readonly noun: Noun, readonly id: string } {
  const slashAt = key.indexOf('/', 1)
  const noun = NOUNS.find((name) => name === key.slice(1, slashAt))
  if (noun === undefined || slashAt === -1) {
    throw new VpclabError('VPCLAB_ERR_STORE',
      `The store holds the key ${key}, but the nouns of this version are ${NOUNS.join(', ')}`)
  }
  return { noun, id: key.slice(slashAt + 1) }
}

export class Replica implements Ledger {
  readonly snapshot = new Snapshot()
  readonly counters: ReplicaCounters = { transactions: 0, retries: 0, conflicts: 0 }
  readonly #engine: StoreEngine
  readonly #listeners = new Set<{ readonly listener: CommitListener }>()
  readonly #wakers = new Set<() => void>()
  #subscription: Subscription | null = null
  #turn: Promise<unknown> = Promise.resolve()
  #waiting = 0

  private constructor (engine: StoreEngine) {
    this.#engine = engine
  }

  /** Reads everything and follows the feed from there. The engine stays the caller's to close. */
  static async open (engine: StoreEngine): Promise<Replica> {
    const replica = new Replica(engine)
    const { revision, records } = await engine.readAll()
    for (const stored of records) {
      const record: unknown = JSON.parse(stored.value)
      const change = { ...parseKey(stored.key), record } as Change
      replica.snapshot.load(change, stored.modRevision, stored.createRevision)
    }
    replica.snapshot.apply(revision, [])
    replica.#subscription = engine.watch(revision, (commit) => { replica.#follow(commit) })
    return replica
  }

  async transact<Result> (plan: () => Plan<Result>): Promise<Committed<Result>> {
    if (this.#waiting >= TRANSACTIONS_WAITING_MAX) {
      this.counters.conflicts++
      throw new VpclabError('VPCLAB_ERR_STORE_CONFLICT',
        `${String(TRANSACTIONS_WAITING_MAX)} transactions already wait for the store`)
    }
    this.#waiting++
    const result = this.#turn.then(async () => await this.#attempt(plan))
    this.#turn = result.then(() => { this.#waiting-- }, () => { this.#waiting-- })
    return await result
  }

  /** Adds a follower. It hears every commit from now on; `snapshot` is what it starts from. */
  onCommit (listener: CommitListener): Subscription {
    const entry = { listener }
    this.#listeners.add(entry)
    return { close: () => { this.#listeners.delete(entry) } }
  }

  /**
   * Removes every record except those of `keepNouns`, in one transaction.
   * @returns the revision and how many records went
   */
  async resetRecords (
    keepNouns: readonly Noun[] = RESET_KEEPS
  ): Promise<{ readonly revision: number, readonly removed: number }> {
    const { result, revision } = await this.transact(() => {
      const changes: Change[] = []
      for (const noun of NOUNS) {
        if (keepNouns.includes(noun)) continue
        for (const { id } of this.snapshot.tables[noun].values()) changes.push(remove(noun, id))
      }
      return { changes, result: changes.length }
    })
    return { revision, removed: result }
  }

  /** Ends the feed. The snapshot stays as it is. */
  close (): void {
    this.#subscription?.close()
    this.#listeners.clear()
  }

  async #attempt<Result> (plan: () => Plan<Result>): Promise<Committed<Result>> {
    this.counters.transactions++
    for (let attempt = 0; attempt < TRANSACT_ATTEMPTS_MAX; attempt++) {
      const plannedOn = this.snapshot.revision
      const { changes, result } = plan()
      const writes = this.#writesOf(changes)
      if (writes.length === 0) return { result, revision: plannedOn }
      const revision = await this.#engine.commit(writes, plannedOn)
      if (revision !== null) return { result, revision }
      this.counters.retries++
      await this.#movedPast(plannedOn)
    }
    this.counters.conflicts++
    throw new VpclabError('VPCLAB_ERR_STORE_CONFLICT', 'The transaction was given up after ' +
      `${String(TRANSACT_ATTEMPTS_MAX)} attempts: others kept writing to the store`)
  }

  /** One write per key, the last change winning; removing what is not there is no write. */
  #writesOf (changes: readonly Change[]): Write[] {
    const writes = new Map<Key, Write>()
    for (const { noun, id, record } of changes) {
      const key = keyOf(noun, id)
      if (record !== null) writes.set(key, { key, value: JSON.stringify(record) })
      else if (this.#has(noun, id)) writes.set(key, { key, value: null })
      else writes.delete(key)
    }
    return [...writes.values()]
  }

  #has (noun: Noun, id: string): boolean {
    return this.snapshot.tables[noun].get(id) !== undefined
  }

  #follow (commit: Commit): void {
    const changes = commit.writes.map(({ key, value }) => {
      const { noun, id } = parseKey(key)
      const record = value === null ? null : JSON.parse(value) as unknown
      const previous = this.snapshot.tables[noun].get(id) ?? null
      return { noun, id, record, previous } as AppliedChange
    })
    this.snapshot.apply(commit.revision, changes)
    for (const entry of [...this.#listeners]) {
      try {
        if (this.#listeners.has(entry)) entry.listener(commit.revision, changes)
      } catch (error) {
        queueMicrotask(() => { throw error })
      }
    }
    for (const wake of [...this.#wakers]) wake()
  }

  /** Resolves when the snapshot is newer than `revision`, or after a bounded time. */
  async #movedPast (revision: number): Promise<void> {
    if (this.snapshot.revision > revision) return
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#wakers.delete(done)
        resolve()
      }
      const timer = setTimeout(done, TRANSACT_CATCH_UP_MS_MAX)
      this.#wakers.add(done)
    })
  }
}
