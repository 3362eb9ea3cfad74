/**
 * An etcd in memory, as its clients meet it: members that stop and come back, cut off from each
 * other or from a machine, answers that get lost, watches that break off, compaction.
 *
 *     EtcdEngine ─▶ SimulatedClient ─▶ member ── with a majority ──▶ log, keys
 *                        ▲                └── applied, a little later ──▶ its watches
 *                        └── answers, events: delayed, lost, in order ──┘
 *
 * What a majority has taken is never lost: that is etcd's promise, and not under test. What is, is
 * what the engine makes of all that can happen around it.
 */
import { status } from '@grpc/grpc-js'
import { VpclabError } from '../../daemon/base/errors.ts'
import type {
  KeyValue, Range, Txn, TxnOutcome, WatchEvent, WatchListener
} from '../../daemon/store/etcd/client.ts'
import type { StoreClient } from '../../daemon/store/etcd/etcd_engine.ts'
import type { Write } from '../../daemon/store/store.ts'
import type { Links } from './links.ts'
import type { Chance, Timeline } from './timeline.ts'

const CALL_MS_MAX = 5000
/** A member without a majority refuses, and ends watches, after so long. */
const LEADERLESS_MS = 3000
/** How long a silent connection is believed in. */
const KEEPALIVE_MS = 10_000
const TRIP_MS = 1
const APPLY_MS = 2
const RECOVER_MS = 500

export const PREFIX = '/vpclab/sim/'

/** A transaction of ours that took place. */
export interface Committed {
  readonly revision: number
  readonly writes: readonly Write[]
}

interface Member {
  readonly name: string
  isUp: boolean
  /** Revision up to which it tells its watches. */
  applied: number
  readonly watches: Set<Watch>
}

interface Watch {
  readonly client: SimulatedClient
  readonly listener: WatchListener
  next: number
  /** What was sent arrives in order. */
  arrivesMs: number
}

export class SimulatedEtcd {
  readonly members: readonly Member[]
  readonly committed: Committed[] = []
  onCommitted: (committed: Committed) => void = () => undefined
  /** Share of the answers that are lost after the deed. */
  lostAnswers = 0
  lost = 0
  compacted = 0
  readonly timeline: Timeline
  readonly chance: Chance
  readonly links: Links
  readonly #keys = new Map<string, KeyValue>()
  readonly #log: WatchEvent[][] = []

  constructor (timeline: Timeline, chance: Chance, links: Links, members: number) {
    this.timeline = timeline
    this.chance = chance
    this.links = links
    this.members = Array.from({ length: members }, (_member, index) => (
      { name: `etcd-${String(index + 1)}`, isUp: true, applied: 0, watches: new Set() }))
  }

  get revision (): number { return this.#log.length }

  hasMajority (member: Member): boolean {
    const reached = this.members.filter((other) => other.isUp &&
      (other === member || this.links.isOpen(member.name, other.name)))
    return member.isUp && reached.length * 2 > this.members.length
  }

  stop (member: Member): void {
    member.isUp = false
    this.#endWatches(member, 'the member has ended')
  }

  start (member: Member): void {
    member.isUp = true
    this.recover()
  }

  /** After links or members came back, members learn what they missed. */
  recover (): void {
    this.timeline.after(RECOVER_MS, () => {
      for (const member of this.members) if (this.hasMajority(member)) this.#advance(member)
    })
    for (const member of this.members) this.#watchMajority(member)
  }

  /** Forgets the past up to a revision; watches that are behind end. */
  compact (revision: number): void { this.compacted = Math.min(revision, this.revision) }

  range (prefix: string): Range {
    const kvs = [...this.#keys.values()].filter(({ key }) => key.startsWith(prefix))
    return { revision: this.revision, kvs: kvs.sort((a, b) => a.key < b.key ? -1 : 1) }
  }

  apply (txn: Txn): TxnOutcome {
    const isAllowed = txn.guards.every((guard) => 'version' in guard
      ? (this.#keys.get(guard.key)?.version ?? 0) === guard.version
      : this.#keys.get(guard.key)?.value === guard.value)
    if (!isAllowed) {
      const read = txn.orRead === undefined ? undefined : this.#keys.get(txn.orRead)
      return { succeeded: false, read: read?.value ?? null }
    }
    const revision = this.revision + 1
    const events = txn.writes.flatMap((write): WatchEvent[] => {
      const old = this.#keys.get(write.key)
      if (write.kind === 'delete') {
        if (old === undefined) return []
        this.#keys.delete(write.key)
        return [{ kv: { key: write.key, value: '', modRevision: revision, version: 0 },
          isDeletion: true }]
      }
      const kv = { key: write.key, value: write.value, modRevision: revision,
        version: (old?.version ?? 0) + 1 }
      this.#keys.set(write.key, kv)
      return [{ kv, isDeletion: false }]
    })
    this.#log.push(events)
    this.#noteCommit(events)
    for (const member of this.members) {
      this.timeline.after(this.chance.delayMs(APPLY_MS), () => {
        if (this.hasMajority(member)) this.#advance(member)
      })
    }
    return { succeeded: true, read: null }
  }

  attach (member: Member, watch: Watch): void {
    member.watches.add(watch)
    this.#tell(member, watch)
    this.#watchMajority(member)
  }

  #noteCommit (events: readonly WatchEvent[]): void {
    const guard = events.find(({ kv }) => kv.key === `${PREFIX}revision`)
    if (guard === undefined) return
    const record = `${PREFIX}record`
    const writes = events.filter(({ kv }) => kv.key.startsWith(record))
      .map(({ kv, isDeletion }): Write => ({
        key: kv.key.slice(record.length),
        value: isDeletion ? null : kv.value.slice(kv.value.indexOf('\n') + 1)
      }))
    const committed = { revision: guard.kv.version, writes }
    this.committed.push(committed)
    this.onCommitted(committed)
  }

  #advance (member: Member): void {
    member.applied = this.revision
    for (const watch of member.watches) this.#tell(member, watch)
  }

  #tell (member: Member, watch: Watch): void {
    if (watch.next > member.applied) return
    if (watch.next <= this.compacted) {
      this.#end(member, watch, 'required revision has been compacted', this.compacted)
      return
    }
    const events = this.#log.slice(watch.next - 1, member.applied).flat()
    watch.next = member.applied + 1
    this.#deliver(member, watch, () => { watch.listener.events(events) })
  }

  #deliver (member: Member, watch: Watch, run: () => void): void {
    const { client } = watch
    if (!this.links.isOpen(client.machine, member.name)) {
      // Nothing comes through, and after a while nobody believes in the connection.
      member.watches.delete(watch)
      this.timeline.after(KEEPALIVE_MS, () => { client.end(watch.listener, 'silence', null) })
      return
    }
    const nowMs = this.timeline.monotonicMs()
    watch.arrivesMs = Math.max(watch.arrivesMs, nowMs + this.chance.delayMs(TRIP_MS))
    this.timeline.after(watch.arrivesMs - nowMs, () => { if (client.hears(watch.listener)) run() })
  }

  #end (member: Member, watch: Watch, reason: string, compacted: number | null): void {
    if (!member.watches.delete(watch)) return
    this.#deliver(member, watch, () => { watch.client.end(watch.listener, reason, compacted) })
  }

  #endWatches (member: Member, reason: string): void {
    for (const watch of [...member.watches]) this.#end(member, watch, reason, null)
  }

  #watchMajority (member: Member): void {
    if (this.hasMajority(member)) return
    this.timeline.after(LEADERLESS_MS, () => {
      if (!this.hasMajority(member)) this.#endWatches(member, 'no leader')
    })
  }
}

/** One daemon's connection; it dies with the daemon, and then neither asks nor hears. */
export class SimulatedClient implements StoreClient {
  readonly machine: string
  isAlive = true
  readonly #etcd: SimulatedEtcd
  readonly #over = new Set<WatchListener>()
  #turn = 0

  constructor (etcd: SimulatedEtcd, machine: string) {
    this.#etcd = etcd
    this.machine = machine
    this.#turn = etcd.chance.below(etcd.members.length)
  }

  async range (prefix: string): Promise<Range> {
    return await this.#call(() => this.#etcd.range(prefix))
  }

  async txn (txn: Txn): Promise<TxnOutcome> { return await this.#call(() => this.#etcd.apply(txn)) }

  watch (_prefix: string, fromRevision: number, listener: WatchListener): () => void {
    const { timeline, links, chance } = this.#etcd
    const member = this.#member()
    timeline.after(chance.delayMs(TRIP_MS), () => {
      if (!this.hears(listener)) return
      if (!links.isOpen(this.machine, member.name)) {
        timeline.after(KEEPALIVE_MS, () => { this.end(listener, 'no connection', null) })
      } else if (!member.isUp) this.end(listener, 'connection refused', null)
      else {
        listener.began()
        const arrivesMs = timeline.monotonicMs()
        this.#etcd.attach(member, { client: this, listener, next: fromRevision, arrivesMs })
      }
    })
    return () => { this.#over.add(listener) }
  }

  /** Whether a watch is still wanted. */
  hears (listener: WatchListener): boolean {
    return this.isAlive && !this.#over.has(listener)
  }

  end (listener: WatchListener, reason: string, compacted: number | null): void {
    if (!this.hears(listener)) return
    this.#over.add(listener)
    this.#turn++
    listener.ended(reason, compacted)
  }

  close (): void { this.isAlive = false }

  #member (): Member {
    const { members } = this.#etcd
    return members[this.#turn % members.length]!
  }

  /** Never answers a daemon that has died. */
  async #call<Reply> (deed: () => Reply): Promise<Reply> {
    const { timeline, links, chance } = this.#etcd
    const member = this.#member()
    return await new Promise((resolve, reject) => {
      const fail = (afterMs: number, code: status): void => {
        timeline.after(afterMs, () => {
          if (!this.isAlive) return
          this.#turn++
          const cause = Object.assign(new Error(status[code]), { code })
          reject(new VpclabError('VPCLAB_ERR_STORE', `etcd: ${status[code]}`, { cause }))
        })
      }
      timeline.after(chance.delayMs(TRIP_MS), () => {
        if (!this.isAlive) return
        if (!links.isOpen(this.machine, member.name)) fail(CALL_MS_MAX, status.DEADLINE_EXCEEDED)
        else if (!member.isUp) fail(0, status.UNAVAILABLE)
        else if (!this.#etcd.hasMajority(member)) fail(LEADERLESS_MS, status.UNAVAILABLE)
        else {
          const reply = deed()
          if (chance.happens(this.#etcd.lostAnswers)) {
            this.#etcd.lost++
            fail(TRIP_MS, status.UNAVAILABLE)
          } else timeline.after(chance.delayMs(TRIP_MS), () => { if (this.isAlive) resolve(reply) })
        }
      })
    })
  }
}
