/**
 * Control's end of one data plane worker: starts it, posts it tables and ports, hears what it has
 * applied and opened, and starts it again when it dies. What it runs in is the carrier's business
 * (dataplane_carrier.ts).
 *
 *     post(update) ─▶ carrier ─▶ doorbell ─▶ worker swaps tables ─▶ applied(revision)
 *     openPort(…)  ─▶ carrier ─▶ doorbell ─▶ worker opens the TUN ─▶ port-opened | port-failed
 *
 * The worker's loop never yields to its event loop: it looks at the port when the doorbell rings.
 * What is posted to a worker that starts waits in its port. After a restart of the worker
 * everything has to be posted again; `onSpawn` says when.
 */
import { VpclabError } from '../base/errors.ts'
import type {
  ControlMessage, PortDevice, TableUpdate, WorkerMessage
} from '../dataplane/tables/update.ts'
import type { Log } from '../observe/log.ts'
import type { Carrier, CarrierEvents } from './dataplane_carrier.ts'

/** How long the worker may take to open a device, or to stop. */
export const WORKER_ANSWER_MS_MAX = 15_000
/** How long it may take to start: on a busy machine a process of its own needs its time. */
export const WORKER_START_MS_MAX = 60_000
/** Pause before a worker that died is started again; it doubles up to the maximum. */
export const WORKER_RESTART_MS = 200
export const WORKER_RESTART_MS_MAX = 30_000
/** A worker that has lived this long begins with the shortest pause again. */
const WORKER_SETTLED_MS = 60_000

export interface DataplaneLinkOptions {
  /** Makes a worker, in a thread or in a process of its own (dataplane_carrier.ts). */
  readonly start: (events: CarrierEvents) => Carrier
  readonly log: Log
  /** The worker has swapped in everything up to this revision. */
  readonly onApplied: (revision: number) => void
  /** A device that was open has gone (`portIndex`). */
  readonly onPortFailed: (portIndex: number, error: string) => void
  /** The device of the services is not open (any more). */
  readonly onServicesFailed: (error: string) => void
  /** The device toward the internet could not be opened, or has gone. */
  readonly onUplinkFailed?: (error: string) => void
  /** The worker has ended, and is not there for a while. */
  readonly onEnd?: () => void
  readonly onResolve: (message: Extract<WorkerMessage, { kind: 'resolve' }>) => void
  /** A HyperPlane node has complete copies of a resource's flows. */
  readonly onCopyComplete?:
  (message: Extract<WorkerMessage, { kind: 'copy-complete' }>) => void
  readonly onEspMapping?: (message: Extract<WorkerMessage, { kind: 'esp-mapping' }>) => void
  /** The worker has taken a key of the underlay. */
  readonly onWireKeySet?: (message: Extract<WorkerMessage, { kind: 'wire-key-set' }>) => void
  /** A new worker's loop runs. */
  readonly onReady?: () => void
  /** A new worker has been made and knows nothing: post everything now. */
  readonly onSpawn: () => void
}

interface PortState {
  open: boolean
  /** Who asked for it, while the worker has not answered. */
  asked: PromiseWithResolvers<void> | null
}

export class DataplaneLink {
  restarts = 0
  features: Readonly<Record<string, boolean>> = {}
  readonly #options: DataplaneLinkOptions
  readonly #ports = new Map<number, PortState>()
  /** Revisions posted and not acknowledged, oldest first. */
  readonly #posted: number[] = []
  #carrier: Carrier | null = null
  #stopping = false
  #restartTimer: NodeJS.Timeout | undefined
  #ready: { resolve: () => void, reject: (error: Error) => void } | null = null
  #stopped: (() => void) | null = null

  constructor (options: DataplaneLinkOptions) {
    this.#options = options
  }

  /**
   * Oldest revision that the worker has been sent and has not swapped in; null when it is up to
   * date.
   */
  get oldestPostedRevision (): number | null { return this.#posted[0] ?? null }

  get openPortCount (): number {
    let count = 0
    for (const port of this.#ports.values()) if (port.open) count++
    return count
  }

  isOpen (portIndex: number): boolean { return this.#ports.get(portIndex)?.open === true }

  /**
   * Resolves when the worker's loop runs.
   * @throws VpclabError VPCLAB_ERR_AGENT when it does not start
   */
  async start (): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => { this.#ready = { resolve, reject } })
    this.#spawn()
    const timer = setTimeout(() => {
      this.#ready?.reject(agentError(
        `The data plane worker has not started within ${String(WORKER_START_MS_MAX)} ms`))
    }, WORKER_START_MS_MAX)
    try {
      await ready
    } finally {
      clearTimeout(timer)
      this.#ready = null
    }
  }

  postTables (update: TableUpdate): void {
    this.#posted.push(update.revision)
    this.#post(update)
  }

  post (message: Exclude<ControlMessage, TableUpdate>): void { this.#post(message) }

  /** What the worker's thread has used of the CPU since it began, µs; null while none runs. */
  async cpuUs (): Promise<number | null> { return await this.#carrier?.cpuUs() ?? null }

  /** Process in which the worker runs; null when it is a thread of this one, or down. */
  get pid (): number | null { return this.#carrier?.pid ?? null }

  /**
   * Resolves when the worker has the device open; at once when it has already. Whoever asks while
   * it is being opened waits for the same answer.
   * @param fresh the device was made anew, so that an open descriptor leads nowhere
   * @throws VpclabError VPCLAB_ERR_AGENT naming the device and what the kernel said
   */
  async openPort (portIndex: number, device: PortDevice, fresh: boolean): Promise<void> {
    if (this.#carrier === null) throw agentError('The data plane worker is down')
    const known = this.#ports.get(portIndex)
    const isUnderWay = known !== undefined && (known.open || known.asked !== null)
    if (isUnderWay && !fresh) {
      await known.asked?.promise
      return
    }
    if (known !== undefined) this.closePort(portIndex)
    const asked: PromiseWithResolvers<void> = Promise.withResolvers()
    this.#ports.set(portIndex, { open: false, asked })
    this.#post({ kind: 'open-port', portIndex, ...device })
    const timer = setTimeout(() => {
      const { deviceName, namespacePath } = device
      this.#settle(portIndex, agentError('The data plane worker has not opened ' +
        `${deviceName} of ${namespacePath} within ${String(WORKER_ANSWER_MS_MAX)} ms`))
    }, WORKER_ANSWER_MS_MAX)
    await asked.promise.finally(() => { clearTimeout(timer) })
  }

  /** Harmless for a port that is not open. */
  closePort (portIndex: number): void {
    if (!this.#ports.has(portIndex)) return
    this.#settle(portIndex,
      agentError(`Port ${String(portIndex)} was closed while it was being opened`))
    this.#ports.delete(portIndex)
    this.#post({ kind: 'close-port', portIndex })
  }

  /** Ends the worker; devices and flow state stay. */
  async stop (): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#restartTimer)
    const carrier = this.#carrier
    if (carrier === null) return
    const stopped = new Promise<void>((resolve) => { this.#stopped = resolve })
    const timer = setTimeout(() => { this.#stopped?.() }, WORKER_ANSWER_MS_MAX)
    this.#post({ kind: 'stop' })
    await stopped
    clearTimeout(timer)
    await carrier.terminate()
    this.#release()
  }

  #spawn (): void {
    const startedMs = performance.now()
    const carrier: Carrier = this.#options.start({
      onMessage: (message) => { this.#hear(message) },
      onError: (error) => {
        this.#options.log.error({ err: error }, 'the data plane worker failed')
        this.#ready?.reject(agentError(`The data plane worker failed: ${error.message}`, error))
      },
      onExit: () => {
        if (this.#carrier === carrier) this.#onExit(performance.now() - startedMs)
        else carrier.release()
      }
    })
    this.#carrier = carrier
    this.#posted.length = 0
    this.#options.onSpawn()
  }

  #onExit (livedMs: number): void {
    this.#stopped?.()
    this.#release()
    if (this.#ready !== null) {
      this.#ready.reject(agentError('The data plane worker ended while it started'))
      return
    }
    if (this.#stopping) return
    this.#options.onEnd?.()
    if (livedMs > WORKER_SETTLED_MS) this.restarts = 0
    const delayMs = Math.min(WORKER_RESTART_MS * 2 ** this.restarts, WORKER_RESTART_MS_MAX)
    this.restarts++
    this.#options.log.warn({ delayMs }, 'the data plane worker ended and is started again')
    this.#restartTimer = setTimeout(() => { this.#spawn() }, delayMs)
  }

  /** Ends the worker at once; the next one begins after the usual pause. */
  async kill (): Promise<void> {
    await this.#carrier?.terminate()
  }

  #release (): void {
    this.#carrier?.release()
    this.#carrier = null
    for (const portIndex of [...this.#ports.keys()]) {
      this.#settle(portIndex, agentError('The data plane worker ended'))
      this.#ports.delete(portIndex)
    }
  }

  /** What is posted while no worker runs is lost, and stays behind: `onSpawn` brings it again. */
  #post (message: ControlMessage): void {
    this.#carrier?.post(message)
  }

  #hear (message: WorkerMessage): void {
    switch (message.kind) {
      case 'ready':
        this.features = message.features
        this.#ready?.resolve()
        this.#options.onReady?.()
        return
      case 'applied':
        this.#onApplied(message.revision)
        return
      case 'port-opened':
        this.#settle(message.portIndex, null)
        return
      case 'port-failed':
        this.#onPortFailed(message.portIndex, message.error)
        return
      case 'services-opened':
      case 'uplink-opened':
        return
      case 'services-failed':
        this.#options.onServicesFailed(message.error)
        return
      case 'uplink-failed':
        this.#options.onUplinkFailed?.(message.error)
        return
      case 'resolve':
        this.#options.onResolve(message)
        return
      case 'copy-complete':
        this.#options.onCopyComplete?.(message)
        return
      case 'esp-mapping':
        this.#options.onEspMapping?.(message)
        return
      case 'wire-key-set':
        this.#options.onWireKeySet?.(message)
        return
      case 'warning':
        this.#options.log.warn(message.message)
        return
      case 'stopped':
        this.#stopped?.()
    }
  }

  #onApplied (revision: number): void {
    const posted = this.#posted
    while (posted[0] !== undefined && posted[0] <= revision) posted.shift()
    this.#options.onApplied(revision)
  }

  #onPortFailed (portIndex: number, error: string): void {
    const port = this.#ports.get(portIndex)
    if (port === undefined) return
    const wasOpen = port.open
    this.#settle(portIndex, agentError(`Port ${String(portIndex)} cannot be opened: ${error}`))
    this.#ports.delete(portIndex)
    if (wasOpen) this.#options.onPortFailed(portIndex, error)
  }

  #settle (portIndex: number, error: Error | null): void {
    const port = this.#ports.get(portIndex)
    if (port === undefined) return
    const { asked } = port
    port.asked = null
    port.open = error === null
    if (error === null) asked?.resolve()
    else asked?.reject(error)
  }
}

function agentError (message: string, cause?: Error): VpclabError {
  return new VpclabError('VPCLAB_ERR_AGENT', message, cause === undefined ? undefined : { cause })
}
