/**
 * How the daemons of a lab on several machines know of each other:
 *
 *     <prefix>machines/owner/<name>     whose daemon runs the machine's part (owner.ts)
 *     <prefix>machines/applied/<name>   revision that all its hosts have applied
 *     <prefix>machines/leader           name of the machine that does what is to be done once
 *
 * All of a machine's keys are under its lease: they go when its daemon has been silent for
 * LEASE_SECONDS, or ends. None of it is a record: it says what is, not what shall be, and it costs
 * no revision of the lab.
 *
 * The leader's transactions are guarded like all others by its owner key, which is under the same
 * lease: one that was cut off has lost both.
 */
import type { Clock } from '../../base/clock.ts'
import type { Members } from '../members.ts'
import type { Subscription } from '../store.ts'
import type { EtcdClient } from './client.ts'
import { machineOwnerKey } from './owner.ts'
import type { EtcdOwner } from './owner.ts'
import type { EtcdTarget } from './target.ts'

/** Pause between two tries to reach etcd, ms. */
const RETRY_MS = 500

export interface EtcdMembersOptions {
  readonly target: EtcdTarget
  readonly clock: Clock
  readonly owner: EtcdOwner
  /** This machine. */
  readonly name: string
  /** The way to etcd, which whoever has made it closes. */
  readonly client: EtcdClient
}

export class EtcdMembers implements Members {
  readonly #options: EtcdMembersOptions
  readonly #client: EtcdClient
  readonly #prefix: string
  readonly #leaderKey: string
  readonly #appliedPrefix: string
  readonly #listeners = new Set<() => void>()
  readonly #appliedListeners = new Set<() => void>()
  readonly #keys = new Map<string, string>()
  readonly #applied = new Map<string, number>()
  #endWatch: () => void = () => undefined
  #retryTimer: NodeJS.Timeout | undefined
  /** What is to be published, and what was. */
  #wanted = -1
  #published = -1
  #isPublishing = false
  /** How often the lease was made anew. */
  #renewals = 0
  #closed = false

  private constructor (options: EtcdMembersOptions) {
    this.#options = options
    this.#client = options.client
    this.#prefix = `${options.target.prefix}machines/`
    this.#leaderKey = `${this.#prefix}leader`
    this.#appliedPrefix = `${this.#prefix}applied/`
    options.owner.onRenewed = () => {
      this.#keys.delete(this.#leaderKey)
      this.#published = -1
      this.#renewals++
      this.#changed()
      if (!this.#isPublishing) void this.#publish()
    }
  }

  /** @throws VpclabError VPCLAB_ERR_STORE */
  static async join (options: EtcdMembersOptions): Promise<EtcdMembers> {
    const members = new EtcdMembers(options)
    try {
      await members.#follow()
    } catch (error) {
      members.close()
      throw error
    }
    return members
  }

  get isLeader (): boolean { return this.#keys.get(this.#leaderKey) === this.#options.name }

  get applied (): ReadonlyMap<string, number> { return this.#applied }

  isHeard (machine: string): boolean {
    return this.#keys.has(machineOwnerKey(this.#options.target, machine))
  }

  publish (appliedRevision: number): void {
    this.#wanted = appliedRevision
    if (!this.#isPublishing) void this.#publish()
  }

  onChange (listener: () => void): Subscription {
    this.#listeners.add(listener)
    return { close: () => { this.#listeners.delete(listener) } }
  }

  onApplied (listener: () => void): Subscription {
    this.#appliedListeners.add(listener)
    return { close: () => { this.#appliedListeners.delete(listener) } }
  }

  close (): void {
    this.#closed = true
    clearTimeout(this.#retryTimer)
    this.#listeners.clear()
    this.#appliedListeners.clear()
    this.#endWatch()
  }

  /** One write at a time, each of the newest that is known then. */
  async #publish (): Promise<void> {
    const { name, owner } = this.#options
    this.#isPublishing = true
    try {
      while (this.#wanted !== this.#published && !this.#closed) {
        const revision = this.#wanted
        const renewals = this.#renewals
        const { succeeded } = await this.#client.txn({
          guards: [{ key: owner.key, value: owner.value }],
          writes: [{ kind: 'put', key: this.#appliedPrefix + name, value: String(revision),
            lease: owner.lease }]
        })
        if (succeeded) this.#published = revision
        // The lease has ended: `onRenewed` goes on.
        else if (renewals === this.#renewals) return
      }
    } catch {
      this.#retryLater()
    } finally {
      this.#isPublishing = false
    }
  }

  /** Reads what there is and follows it from there. */
  async #follow (): Promise<void> {
    const { revision, kvs } = await this.#client.range(this.#prefix)
    this.#keys.clear()
    for (const { key, value } of kvs) this.#keys.set(key, value)
    this.#endWatch = this.#client.watch(this.#prefix, revision + 1, {
      began: () => undefined,
      events: (events) => {
        for (const { kv: { key, value }, isDeletion } of events) {
          if (isDeletion) this.#keys.delete(key)
          else this.#keys.set(key, value)
        }
        // Of every revision there are such, and nothing else.
        if (events.every(({ kv: { key } }) => key.startsWith(this.#appliedPrefix))) {
          this.#appliedChanged()
        } else this.#changed()
      },
      ended: () => { this.#retryLater() }
    })
    this.#changed()
  }

  #retryLater (): void {
    if (this.#closed) return
    clearTimeout(this.#retryTimer)
    this.#retryTimer = setTimeout(() => {
      this.#endWatch()
      this.#follow().then(() => {
        if (!this.#isPublishing) void this.#publish()
      }, () => { this.#retryLater() })
    }, RETRY_MS)
  }

  #changed (): void {
    if (!this.#keys.has(this.#leaderKey)) void this.#lead()
    for (const listener of [...this.#listeners]) listener()
    this.#appliedChanged()
  }

  #appliedChanged (): void {
    this.#applied.clear()
    for (const [key, value] of this.#keys) {
      if (!key.startsWith(this.#appliedPrefix)) continue
      const name = key.slice(this.#appliedPrefix.length)
      if (name !== this.#options.name) this.#applied.set(name, Number(value))
    }
    for (const listener of [...this.#appliedListeners]) listener()
  }

  /** Becomes the leader, unless another one is faster. */
  async #lead (): Promise<void> {
    const { name, owner } = this.#options
    try {
      await this.#client.txn({
        guards: [{ key: this.#leaderKey, version: 0 }, { key: owner.key, value: owner.value }],
        writes: [{ kind: 'put', key: this.#leaderKey, value: name, lease: owner.lease }]
      })
    } catch {
      this.#retryLater()
    }
  }
}
