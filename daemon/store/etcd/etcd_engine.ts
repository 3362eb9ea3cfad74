/**
 * The engine for several machines: one etcd, any number of processes.
 *
 *     <prefix>revision     the guard: each transaction writes it, so its version is the revision
 *     <prefix>record<key>  a record as it is now, after a line of its revisions
 *     <prefix>owner        whose daemon runs the lab (owner.ts)
 *
 *     commit ── txn, if the guard's version is what was planned on ──▶ etcd
 *       └── it took place ─────────────────────────────────┐
 *     watch of <prefix> ──▶ etcd revision = commit ────────┴──▶ history, followers
 *
 * etcd counts revisions over all its keys, other labs' included; the guard's own version counts
 * ours alone, one by one. A commit is dated by its writer.
 *
 * The newest commits stay in memory for a feed that resumes; how far etcd's own history reaches
 * back (compaction) bounds what they begin with. A watch that breaks is resumed where it stood.
 * When etcd has compacted beyond that, everything is read anew, and what has changed is one commit
 * at the newest revision: followers miss the steps between, never the outcome.
 *
 * A call that fails may have had its effect. The guard's value names its transaction, and trying
 * again is harmless because of the guard, so the feed tells which of the two it was.
 *
 * What is read is known to be so while a majority answers: the guard is read every PROBE_MS. When
 * that fails, or nothing can be watched, etcd is out of reach, since it last answered. Writes are
 * tried for COMMIT_MS_MAX from then on, then refused at once, so that those which wait for each
 * other do not each wait anew.
 */
import { VpclabError } from '../../base/errors.ts'
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { checkLimits } from '../limits.ts'
import type { Commit, Key, StoreEngine, StoredRecord, Subscription, Write } from '../store.ts'
import { ASK_MS_MAX, isUnknown, persist } from './client.ts'
import type { EtcdClient, KeyValue, Txn, TxnWrite, WatchEvent } from './client.ts'
import { notOwner } from './owner.ts'
import type { Ownership } from './owner.ts'
import type { EtcdTarget } from './target.ts'

/** Commits that the feed can be resumed from, while etcd has them. */
export const HISTORY_COMMITS_MAX = 10_000
/** How long a commit is tried again while etcd does not answer, ms: an election takes less. */
const COMMIT_MS_MAX = ASK_MS_MAX
/** How long the feed may take to tell what etcd has, ms: whose a commit was; at the start, all. */
const WHOSE_MS_MAX = 1500
const FEED_MS_MAX = 10_000
const PROBE_MS = 1000
/** Pause between two tries to watch, ms. */
const RETRY_MS = 200
const TRANSACTION_ID_BYTES = 9

/** Where a record stands among all: by the transaction that made it, then by its place there. */
interface Place {
  readonly createRevision: number
  readonly position: number
  readonly modRevision: number
}

interface Follower {
  readonly listener: (commit: Commit) => void
}

/** What the guard's value says of the newest transaction. */
interface Stamp {
  readonly id: string
  readonly atMs: number
}

interface Outage {
  /** When etcd last answered, by the monotonic clock. */
  readonly sinceMs: number
  readonly reason: string
}

/** What of etcd the engine uses. */
export type StoreClient = Pick<EtcdClient, 'range' | 'txn' | 'watch'>

export interface EtcdEngineOptions {
  readonly target: EtcdTarget
  readonly clock: Clock
  readonly random: Random
  /** The feed broke off, or goes on again. */
  readonly onConnection?: (reason: string | null) => void
  /** Only while this one owns the lab commits are written. */
  readonly owner?: Ownership
  /** The way to etcd, which whoever has made it closes. */
  readonly client: StoreClient
}

export class EtcdEngine implements StoreEngine {
  readonly #options: EtcdEngineOptions
  readonly #client: StoreClient
  readonly #guardKey: string
  readonly #recordPrefix: string
  readonly #places = new Map<Key, Place>()
  readonly #followers = new Set<Follower>()
  readonly #wakers = new Set<() => void>()
  /** The newest commits, without a gap, and the id of each. */
  #history: (Commit & { readonly id: string })[] = []
  /** Newest revision that was delivered, and of etcd the newest that was seen. */
  #revision = 0
  #etcdRevision = 0
  #endWatch: () => void = () => undefined
  #followsFrom = 0
  /** Whether the watch that there is has been taken by a member. */
  #isWatching = false
  #retryTimer: NodeJS.Timeout | undefined
  #probeTimer: NodeJS.Timeout | undefined
  #answeredMs: number
  #outage: Outage | null = null
  #closed = false

  private constructor (options: EtcdEngineOptions) {
    this.#options = options
    const { prefix } = options.target
    this.#client = options.client
    this.#guardKey = `${prefix}revision`
    this.#recordPrefix = `${prefix}record`
    this.#answeredMs = options.clock.monotonicMs()
  }

  /** @throws VpclabError VPCLAB_ERR_STORE when no member answers, VPCLAB_ERR_CONFIG */
  static async open (options: EtcdEngineOptions): Promise<EtcdEngine> {
    const engine = new EtcdEngine(options)
    try {
      const { revision, etcdRevision, writtenAt, kvs } = await engine.#read()
      for (const kv of kvs) engine.#places.set(engine.#keyOf(kv), parseValue(kv.value))
      engine.#revision = revision
      engine.#etcdRevision = etcdRevision
      engine.#follow(Math.max(1, etcdRevision - HISTORY_COMMITS_MAX))
      // One answer of the watch may bring that revision and others that came after it.
      await engine.#until(() => (engine.#history.at(-1)?.revision ?? -1) >= revision ||
        engine.#outage !== null || engine.#followsFrom > writtenAt)
      engine.#probeLater()
    } catch (error) {
      await engine.close()
      throw error
    }
    return engine
  }

  get unreachableSinceMs (): number | null {
    const { clock } = this.#options
    return this.#outage === null ? null
      : clock.nowMs() - (clock.monotonicMs() - this.#outage.sinceMs)
  }

  get unreachableReason (): string | null { return this.#outage?.reason ?? null }

  async readAll (): ReturnType<StoreEngine['readAll']> {
    this.#assertOpen()
    const { revision, kvs } = await this.#read()
    await this.#reached(revision, FEED_MS_MAX)
    const found = kvs.map((kv) => ({ key: this.#keyOf(kv), ...parseValue(kv.value) }))
    found.sort((a, b) => a.createRevision - b.createRevision || a.position - b.position)
    return {
      revision,
      records: found.map(({ key, value, createRevision, modRevision }): StoredRecord =>
        ({ key, value, createRevision, modRevision }))
    }
  }

  async commit (writes: readonly Write[], expectedRevision: number): Promise<number | null> {
    this.#assertOpen()
    checkLimits(writes)
    if (this.#revision !== expectedRevision) return null
    const { owner } = this.#options
    const stamp: Stamp = {
      id: Buffer.from(this.#options.random.bytes(TRANSACTION_ID_BYTES)).toString('base64url'),
      atMs: this.#options.clock.nowMs()
    }
    const revision = expectedRevision + 1
    const places = this.#placesOf(writes, revision)
    const txn = {
      guards: [
        { key: this.#guardKey, version: expectedRevision },
        ...owner === undefined ? [] : [{ key: owner.key, value: owner.value }]
      ],
      ...owner === undefined ? {} : { orRead: owner.key },
      writes: [
        ...writes.map((write) => this.#txnWrite(write, places.get(write.key))),
        { kind: 'put', key: this.#guardKey, value: JSON.stringify(stamp) } as const
      ]
    }
    const { isWritten, wasUnknown, read } = await this.#try(txn)
    if (isWritten) {
      if (this.#revision < revision) {
        const made = writes.filter(({ key, value }) => value !== null || this.#places.has(key))
        this.#hearCommit({ revision, atMs: stamp.atMs, writes: made }, stamp.id, places)
      }
      return revision
    }
    if (owner !== undefined && read !== owner.value) throw notOwner(owner, read)
    if (!wasUnknown) return null
    // Somebody made this revision; it may have been a try of ours that seemed to fail.
    await this.#reached(revision, WHOSE_MS_MAX)
    const made = this.#history.find((one) => one.revision === revision)
    if (made === undefined) {
      throw new VpclabError('VPCLAB_ERR_STORE',
        `etcd has forgotten revision ${String(revision)}: it may be this transaction`)
    }
    return made.id === stamp.id ? revision : null
  }

  watch (afterRevision: number, listener: (commit: Commit) => void): Subscription {
    this.#assertOpen()
    const where = `Cannot follow ${this.#options.target.prefix} from revision ` +
      String(afterRevision)
    if (afterRevision > this.#revision) {
      throw new VpclabError('VPCLAB_ERR_STORE',
        `${where}: its newest revision is ${String(this.#revision)}`)
    }
    const missed = this.#history.filter(({ revision }) => revision > afterRevision)
    if (afterRevision < this.#revision && missed[0]?.revision !== afterRevision + 1) {
      throw new VpclabError('VPCLAB_ERR_STORE_COMPACTED', `${where}: the feed begins at ` +
        String(this.#history[0]?.revision ?? this.#revision))
    }
    const follower: Follower = { listener }
    this.#followers.add(follower)
    for (const commit of missed) this.#deliver(follower, commit)
    return { close: () => { this.#followers.delete(follower) } }
  }

  async close (): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#retryTimer)
    clearTimeout(this.#probeTimer)
    this.#followers.clear()
    this.#endWatch()
    this.#wake()
    await Promise.resolve()
  }

  // ----------------------------------------------------------------------------------- the feed

  #follow (fromRevision: number): void {
    this.#followsFrom = fromRevision
    this.#isWatching = false
    this.#endWatch = this.#client.watch(this.#options.target.prefix, fromRevision, {
      began: () => {
        this.#isWatching = true
        this.#reachable()
      },
      events: (events) => { this.#hear(events) },
      ended: (reason, compacted) => {
        if (this.#closed) return
        if (compacted === null) this.#followElsewhere(reason)
        else if (compacted <= this.#etcdRevision) this.#follow(compacted + 1)
        else this.#catchUp().catch((error: unknown) => { this.#followLater(messageOf(error)) })
      }
    })
    this.#wake()
  }

  /** A watch that breaks off is another member's at once; one that did not even begin waits. */
  #followElsewhere (reason: string): void {
    if (this.#isWatching) this.#follow(this.#etcdRevision + 1)
    else this.#followLater(reason)
  }

  #followLater (reason: string): void {
    this.#lose(reason)
    clearTimeout(this.#retryTimer)
    this.#retryTimer = setTimeout(() => {
      if (!this.#closed) this.#follow(this.#etcdRevision + 1)
    }, RETRY_MS)
    this.#wake()
  }

  /** etcd has forgotten what came next: what differs from what is known is one commit. */
  async #catchUp (): Promise<void> {
    const { revision, etcdRevision, kvs } = await this.#read()
    if (this.#closed) return
    // One of our own has been written since.
    if (revision < this.#revision) {
      await this.#catchUp()
      return
    }
    this.#etcdRevision = etcdRevision
    if (revision > this.#revision) {
      const now = new Map(kvs.map((kv) => [this.#keyOf(kv), parseValue(kv.value)]))
      const writes: Write[] = []
      for (const key of this.#places.keys()) if (!now.has(key)) writes.push({ key, value: null })
      for (const [key, { value, modRevision }] of now) {
        if (this.#places.get(key)?.modRevision !== modRevision) writes.push({ key, value })
      }
      this.#history = []
      this.#take({ revision, atMs: this.#options.clock.nowMs(), writes }, now)
    }
    this.#follow(etcdRevision + 1)
  }

  // ------------------------------------------------------------------------- whether etcd answers

  #probeLater (): void {
    if (this.#closed) return
    this.#probeTimer = setTimeout(() => { void this.#probe() }, PROBE_MS)
  }

  async #probe (): Promise<void> {
    const askedMs = this.#options.clock.monotonicMs()
    try {
      await this.#client.range(this.#guardKey)
      this.#answeredMs = askedMs
      if (this.#isWatching) this.#reachable()
    } catch (error) {
      if (!this.#closed) this.#missed(error)
    }
    this.#probeLater()
  }

  #missed (error: unknown): void {
    if (isUnknown(error)) {
      this.#lose(messageOf(error))
      return
    }
    // A right to read that is withdrawn does not end a watch. The next one begins with the right.
    this.#endWatch()
    this.#isWatching = false
    this.#followLater(messageOf(error))
  }

  #lose (reason: string): void {
    if (this.#outage?.reason === reason) return
    const isFirst = this.#outage === null
    this.#outage = { sinceMs: this.#answeredMs, reason }
    if (isFirst) this.#options.onConnection?.(reason)
  }

  #reachable (): void {
    if (this.#outage === null) return
    this.#outage = null
    this.#options.onConnection?.(null)
  }

  // ------------------------------------------------------------------------------ what it has told

  #hear (events: readonly WatchEvent[]): void {
    for (const [etcdRevision, changes] of Map.groupBy(events, ({ kv }) => kv.modRevision)) {
      const guard = changes.find(({ kv }) => kv.key === this.#guardKey)?.kv
      // Whoever writes without the guard is none of us.
      if (guard !== undefined) this.#hearGuarded(guard, changes)
      this.#etcdRevision = Math.max(this.#etcdRevision, etcdRevision)
    }
  }

  #hearGuarded (guard: KeyValue, changes: readonly WatchEvent[]): void {
    const { id, atMs } = JSON.parse(guard.value) as Stamp
    const puts = new Map<Key, Place>()
    const writes = changes.filter(({ kv }) => kv !== guard).map(({ kv, isDeletion }): Write => {
      const key = this.#keyOf(kv)
      if (isDeletion) return { key, value: null }
      const parsed = parseValue(kv.value)
      puts.set(key, parsed)
      return { key, value: parsed.value }
    })
    this.#hearCommit({ revision: guard.version, atMs, writes }, id, puts)
  }

  /** One of our own is heard of twice: when etcd has taken it, and by the watch. */
  #hearCommit (commit: Commit, id: string, puts: ReadonlyMap<Key, Place>): void {
    const { revision } = commit
    const newest = this.#history.at(-1)?.revision ?? revision - 1
    if (revision <= newest) return
    if (newest !== revision - 1) this.#history = []
    this.#history.push({ ...commit, id })
    if (this.#history.length > HISTORY_COMMITS_MAX) this.#history.shift()
    // What was committed before the records were read is history only.
    if (revision > this.#revision) this.#take(commit, puts)
    else this.#wake()
  }

  #take (commit: Commit, puts: ReadonlyMap<Key, Place>): void {
    for (const { key } of commit.writes) {
      const place = puts.get(key)
      if (place === undefined) this.#places.delete(key)
      else {
        const { createRevision, position, modRevision } = place
        this.#places.set(key, { createRevision, position, modRevision })
      }
    }
    this.#revision = commit.revision
    for (const follower of [...this.#followers]) this.#deliver(follower, commit)
    this.#wake()
  }

  /** A subscription that was closed by a listener before it is not called any more. */
  #deliver (follower: Follower, commit: Commit): void {
    if (this.#followers.has(follower)) follower.listener(commit)
  }

  /**
   * Resolves when the feed has delivered `revision`.
   * @throws VpclabError VPCLAB_ERR_STORE when it has not in `msMax`
   */
  async #reached (revision: number, msMax: number): Promise<void> {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      this.#wake()
    }, msMax)
    try {
      await this.#until(() => isLate || this.#revision >= revision)
    } finally {
      clearTimeout(timer)
    }
    if (this.#revision < revision) {
      throw new VpclabError('VPCLAB_ERR_STORE', `etcd has revision ${String(revision)}, but does ` +
        `not tell what it holds: the newest that is known is ${String(this.#revision)}`)
    }
  }

  async #until (holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => { this.#wakers.add(resolve) })
      this.#assertOpen()
    }
  }

  #wake (): void {
    const wakers = [...this.#wakers]
    this.#wakers.clear()
    for (const wake of wakers) wake()
  }

  // -------------------------------------------------------------------------------- reads, writes

  async #read (): Promise<{
    readonly revision: number
    readonly etcdRevision: number
    /** Revision of etcd at which the newest transaction was written. */
    readonly writtenAt: number
    readonly kvs: readonly KeyValue[]
  }> {
    const { revision, kvs } = await this.#client.range(this.#options.target.prefix)
    const guard = kvs.find(({ key }) => key === this.#guardKey)
    return {
      revision: guard?.version ?? 0,
      etcdRevision: revision,
      writtenAt: guard?.modRevision ?? 0,
      kvs: kvs.filter(({ key }) => key.startsWith(this.#recordPrefix))
    }
  }

  async #try (txn: Txn): Promise<{
    readonly isWritten: boolean
    /** An earlier try may have been it. */
    readonly wasUnknown: boolean
    readonly read: string | null
  }> {
    const { clock } = this.#options
    const sinceMs = this.#outage?.sinceMs ?? clock.monotonicMs()
    const msMax = sinceMs + COMMIT_MS_MAX - clock.monotonicMs()
    if (this.#outage !== null && msMax <= 0) {
      throw new VpclabError('VPCLAB_ERR_STORE', this.#outage.reason)
    }
    let tries = 0
    const { succeeded, read } = await persist(clock, msMax, async () => {
      this.#assertOpen()
      tries++
      return await this.#client.txn(txn)
    })
    return { isWritten: succeeded, wasUnknown: tries > 1, read }
  }

  #placesOf (writes: readonly Write[], revision: number): ReadonlyMap<Key, Place> {
    return new Map(writes.flatMap(({ key, value }, position): [Key, Place][] => {
      if (value === null) return []
      const { createRevision, position: at } = this.#places.get(key) ??
        { createRevision: revision, position }
      return [[key, { createRevision, position: at, modRevision: revision }]]
    }))
  }

  /** @param place of a record; none: it goes */
  #txnWrite ({ key, value }: Write, place?: Place): TxnWrite {
    const name = `${this.#recordPrefix}${key}`
    if (value === null || place === undefined) return { kind: 'delete', key: name }
    const head = [place.createRevision, place.position, place.modRevision].join(' ')
    return { kind: 'put', key: name, value: `${head}\n${value}` }
  }

  #keyOf ({ key }: KeyValue): Key { return key.slice(this.#recordPrefix.length) }

  #assertOpen (): void {
    if (!this.#closed) return
    throw new VpclabError('VPCLAB_ERR_STORE',
      `The store ${this.#options.target.prefix} is closed`)
  }
}

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A record's value in etcd: createRevision, position and modRevision, a new line, the JSON. */
function parseValue (text: string): Place & { readonly value: string } {
  const end = text.indexOf('\n')
  const [createRevision = 0, position = 0, modRevision = 0] =
    text.slice(0, end).split(' ').map(Number)
  return { createRevision, position, modRevision, value: text.slice(end + 1) }
}
