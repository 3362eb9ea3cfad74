/**
 * The encrypted underlay of a daemon's hosts: who agrees with whom (underlay_keys_worker.ts), and
 * how far that is. A data plane that begins has no keys, whatever the one before had, so that no
 * number comes twice under a key.
 *
 *     data plane begins ─▶ begin ─▶ thread ─ TLS ─▶ other hosts
 *     data plane ◀─ wire-key ◀─ main thread ◀─ thread        and back: wire-key-set
 */
import { Worker } from 'node:worker_threads'
import type { Clock } from '../base/clock.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import { isEncrypted } from '../model/lab.ts'
import type { Host } from '../model/lab.ts'
import type { Ledger } from '../model/ledger.ts'
import type { Log } from '../observe/log.ts'
import { WIRE_PACKETS_MAX, readWireUsage } from '../tun/wire_key.ts'
import type { WireKeyMessage, WireUsage } from '../tun/wire_key.ts'
import type { Identity, Peer } from './key_agreement.ts'
import { namespacePath } from './paths.ts'
import type { FromKeysWorker, ToKeysWorker } from './underlay_keys_worker.ts'

const WORKER_FILE = new URL('underlay_keys_worker.ts', import.meta.url)
/** How often it is looked how far the numbers under each key are, ms. */
const WEAR_INTERVAL_MS = 5000
/** A key that has numbered so many packets is replaced: at 10 million a second there is time. */
const WORN_PACKETS = WIRE_PACKETS_MAX / 2
const RESTART_MS = 1000

/** A host agent, as far as keys are concerned. */
export interface KeyedAgent {
  readonly host: Host
  readonly namespace: string
  /** Numbers of hosts in its data plane. */
  readonly compiler: { indexOfHost(name: string): number }
  /** What its data plane counts of each peer. */
  readonly wireStatistics: Float64Array
  post(message: WireKeyMessage): void
}

/** Two hosts, as the first one sees it. */
export interface UnderlayPair extends WireUsage {
  readonly host: string
  readonly peer: string
  /** When the host began to send encrypted, and when with the present key, ms; null: not yet. */
  readonly sinceMs: number | null
  readonly keySinceMs: number | null
  /** Keys so far. */
  readonly epoch: number
}

export interface UnderlayKeysOptions {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly log: Log
  readonly agents: () => readonly KeyedAgent[]
  readonly identityOf: (host: string) => Promise<Identity>
}

interface Agreed { sinceMs: number, keySinceMs: number, epoch: number }

export class UnderlayKeys {
  readonly #options: UnderlayKeysOptions
  readonly #agreed = new Map<string, Map<string, Agreed>>()
  readonly #running = new Set<string>()
  #worker: Worker | null = null
  #wearTimer: NodeJS.Timeout | undefined
  #restartTimer: NodeJS.Timeout | undefined

  constructor (options: UnderlayKeysOptions) { this.#options = options }

  start (): void {
    const worker = new Worker(WORKER_FILE, { name: 'underlay-keys' })
    this.#worker = worker
    worker.on('message', (message: FromKeysWorker) => { this.#hear(message) })
    worker.on('error', (error) => {
      this.#options.log.error({ err: error }, 'the thread of the underlay\'s keys failed')
    })
    worker.on('exit', () => {
      if (this.#worker !== worker) return
      this.#worker = null
      // Keys that there are go on.
      this.#restartTimer = setTimeout(() => { this.start() }, RESTART_MS)
    })
    clearInterval(this.#wearTimer)
    this.#wearTimer = setInterval(() => { this.#replaceWorn() }, WEAR_INTERVAL_MS)
    for (const host of this.#running) void this.#begin(host)
  }

  async stop (): Promise<void> {
    clearInterval(this.#wearTimer)
    clearTimeout(this.#restartTimer)
    const worker = this.#worker
    this.#worker = null
    await worker?.terminate()
  }

  /** A data plane runs, and has no keys. */
  begin (host: string): void {
    this.#running.add(host)
    this.#agreed.delete(host)
    void this.#begin(host)
  }

  /** The data plane of a host has taken a key. */
  set (host: string, id: number, direction: 'transmit' | 'receive'): void {
    this.#post({ kind: 'set', host, id, direction })
  }

  onCommit (changes: readonly AppliedChange[]): void {
    if (!changes.some(({ noun }) => noun === 'host')) return
    for (const agent of this.#options.agents()) {
      this.#post({ kind: 'peers', host: agent.host.id, peers: this.#peersOf(agent) })
    }
  }

  /** New keys, now, between all hosts. */
  rotate (): void {
    for (const { host } of this.#options.agents()) {
      this.#post({ kind: 'rotate', host: host.id, peer: null })
    }
  }

  /** Of all pairs that a host of this daemon belongs to, as it sees them. */
  pairs (): UnderlayPair[] {
    return this.#options.agents().flatMap((agent) => this.#peersOf(agent).map((peer) => {
      const agreed = this.#agreed.get(agent.host.id)?.get(peer.name)
      return {
        host: agent.host.id,
        peer: peer.name,
        sinceMs: agreed?.sinceMs ?? null,
        keySinceMs: agreed?.keySinceMs ?? null,
        epoch: agreed?.epoch ?? 0,
        ...readWireUsage(agent.wireStatistics, peer.index)
      }
    }))
  }

  async #begin (name: string): Promise<void> {
    const identity = await this.#options.identityOf(name).catch((error: unknown) => {
      this.#options.log.error({ err: error, host: name }, 'a host has no certificate')
      return null
    })
    const agent = this.#agent(name)
    if (agent === undefined || identity === null) return
    this.#post({
      kind: 'begin',
      host: {
        name, identity,
        address: agent.host.underlayAddress,
        namespacePath: namespacePath(agent.namespace),
        peers: this.#peersOf(agent)
      }
    })
  }

  #agent (name: string): KeyedAgent | undefined {
    return this.#options.agents().find(({ host }) => host.id === name)
  }

  #peersOf ({ host, compiler }: KeyedAgent): Peer[] {
    return [...this.#options.ledger.snapshot.tables.host.values()]
      .filter((other) => other.id !== host.id && isEncrypted(other))
      .map((other) => ({
        name: other.id, address: other.underlayAddress, index: compiler.indexOfHost(other.id)
      }))
  }

  #post (message: ToKeysWorker): void { this.#worker?.postMessage(message) }

  #hear (message: FromKeysWorker): void {
    const { host } = message
    switch (message.kind) {
      case 'key': this.#agent(host)?.post(message.message); return
      case 'agreed': this.#noteAgreed(host, message.peer); return
      case 'trouble':
        this.#options.log.warn({ host, peer: message.peer, error: message.error },
          'two hosts cannot agree on keys')
    }
  }

  #noteAgreed (host: string, peer: string): void {
    const nowMs = this.#options.clock.nowMs()
    const ofHost = this.#agreed.get(host) ?? new Map<string, Agreed>()
    this.#agreed.set(host, ofHost)
    const known = ofHost.get(peer)
    ofHost.set(peer, {
      sinceMs: known?.sinceMs ?? nowMs, keySinceMs: nowMs, epoch: (known?.epoch ?? 0) + 1
    })
  }

  #replaceWorn (): void {
    for (const { host, peer, number } of this.pairs()) {
      if (number > WORN_PACKETS) this.#post({ kind: 'rotate', host, peer })
    }
  }
}
