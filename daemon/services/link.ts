/**
 * Control's end of the services' thread: starts it, posts it what commits change, opens the sockets
 * of hosts, and starts it again when it dies.
 *
 *     onCommit ─▶ feed ─▶ MessagePort ─▶ worker ─▶ applied(revision)
 *     openHost ─▶          MessagePort ─▶ worker ─▶ host-opened | host-failed
 *
 * A thread that starts anew is told everything, and opens the sockets of every host that is known.
 */
import { Worker } from 'node:worker_threads'
import { VpclabError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import type { Log } from '../observe/log.ts'
import { ServicesFeed } from './feed.ts'
import type { ServicesFeedOptions } from './feed.ts'
import type { ServicesControl, ServicesMessage, ServicesOptions } from './update.ts'

/** How long the thread may take to open a host's sockets. */
export const SERVICES_ANSWER_MS_MAX = 15_000
/** Pause before a thread that died is started again; it doubles up to the maximum. */
export const SERVICES_RESTART_MS = 200
export const SERVICES_RESTART_MS_MAX = 30_000
/** A thread that has lived this long begins with the shortest pause again. */
const SETTLED_MS = 60_000
const TOKEN_KEY_BYTES = 32

const WORKER_FILE = new URL('worker.ts', import.meta.url)

export interface ServicesLinkOptions extends ServicesFeedOptions {
  readonly log: Log
  readonly random: Random
  /** Resolvers of the machine that unknown names are asked of; empty: none are. */
  readonly forwarders: readonly string[]
  /** As ServicesOptions, when the thread starts. */
  readonly hasPublicServices: () => boolean
  /** The thread has taken in everything up to a revision. */
  readonly onApplied: () => void
}

interface Opening { readonly resolve: () => void, readonly reject: (error: Error) => void }

export class ServicesLink {
  restarts = 0
  readonly #options: ServicesLinkOptions
  readonly #feed: ServicesFeed
  /** One key for the daemon's life: tokens outlive the thread. */
  readonly #tokenKey: Uint8Array
  /** Namespace of each host whose sockets are to be open. */
  readonly #namespaces = new Map<string, string>()
  readonly #openings = new Map<string, Opening>()
  /** Revisions posted and not acknowledged, oldest first. */
  readonly #posted: number[] = []
  #worker: Worker | null = null
  #restartTimer: NodeJS.Timeout | undefined
  #isStopping = false

  constructor (options: ServicesLinkOptions) {
    this.#options = options
    this.#feed = new ServicesFeed(options)
    this.#tokenKey = options.random.bytes(TOKEN_KEY_BYTES)
  }

  /** Oldest revision that the thread has been sent and has not taken in; null: it is up to date. */
  get oldestPostedRevision (): number | null { return this.#posted[0] ?? null }

  /** Starts the thread, and tells it everything. */
  start (): void {
    const workerData: ServicesOptions = {
      tokenKey: this.#tokenKey, forwarders: this.#options.forwarders,
      hasPublicServices: this.#options.hasPublicServices()
    }
    const worker = new Worker(WORKER_FILE, { workerData, name: 'services' })
    this.#worker = worker
    const startedMs = performance.now()
    worker.on('message', (message: ServicesMessage) => { this.#hear(message) })
    worker.on('error', (error) => {
      this.#options.log.error({ err: error }, 'the services\' thread failed')
    })
    worker.on('exit', () => {
      if (this.#worker === worker) this.#onExit(performance.now() - startedMs)
    })
    this.#posted.length = 0
    const update = this.#feed.everything()
    this.#posted.push(update.revision)
    this.#post(update)
    for (const [host, namespacePath] of this.#namespaces) {
      this.#post({ kind: 'open-host', host, namespacePath })
    }
  }

  async stop (): Promise<void> {
    this.#isStopping = true
    clearTimeout(this.#restartTimer)
    await this.#worker?.terminate()
    this.#worker = null
  }

  /** Precondition: the snapshot, the directory and the compilers hold this commit, no later one. */
  onCommit (revision: number, changes: readonly AppliedChange[]): void {
    if (this.#worker === null) return // it is told everything when it starts
    const update = this.#feed.changes(revision, changes)
    if (update === null) return
    this.#posted.push(revision)
    this.#post(update)
  }

  /**
   * Resolves when the sockets of a host are open.
   * @throws VpclabError VPCLAB_ERR_AGENT
   */
  async openHost (host: string, namespacePath: string): Promise<void> {
    this.#namespaces.set(host, namespacePath)
    this.#openings.get(host)?.reject(agentError(host, 'they are being opened anew'))
    let timer: NodeJS.Timeout | undefined
    const opened = new Promise<void>((resolve, reject) => {
      this.#openings.set(host, { resolve, reject })
      timer = setTimeout(() => { reject(agentError(host, 'the thread does not answer')) },
        SERVICES_ANSWER_MS_MAX)
    })
    this.#post({ kind: 'open-host', host, namespacePath })
    await opened.finally(() => { clearTimeout(timer) })
  }

  #post (message: ServicesControl): void { this.#worker?.postMessage(message) }

  #hear (message: ServicesMessage): void {
    switch (message.kind) {
      case 'applied':
        while (this.#posted[0] !== undefined && this.#posted[0] <= message.revision) {
          this.#posted.shift()
        }
        this.#options.onApplied()
        return
      case 'host-opened':
        this.#openings.get(message.host)?.resolve()
        this.#openings.delete(message.host)
        return
      case 'host-failed':
        this.#options.log.warn({ host: message.host, error: message.error },
          'the sockets of the services cannot be opened')
        this.#openings.get(message.host)?.reject(agentError(message.host, message.error))
        this.#openings.delete(message.host)
        return
      case 'warning':
        this.#options.log.warn(message.message)
    }
  }

  #onExit (livedMs: number): void {
    this.#worker = null
    this.#posted.length = 0
    if (this.#isStopping) return
    if (livedMs > SETTLED_MS) this.restarts = 0
    const delayMs = Math.min(SERVICES_RESTART_MS * 2 ** this.restarts, SERVICES_RESTART_MS_MAX)
    this.restarts++
    this.#options.log.warn({ delayMs }, 'the services\' thread ended and is started again')
    this.#restartTimer = setTimeout(() => { this.start() }, delayMs)
  }
}

function agentError (host: string, why: string): VpclabError {
  return new VpclabError('VPCLAB_ERR_AGENT',
    `The sockets of the services of ${host} are not open: ${why}`)
}
