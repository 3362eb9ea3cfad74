/**
 * Control's end of one data plane worker: starts it, posts it tables and ports, hears what it has
 * applied and opened, and starts it again when it dies.
 *
 *     post(update) ─▶ MessagePort ─▶ doorbell ─▶ worker swaps tables ─▶ applied(revision)
 *     openPort(…)  ─▶ MessagePort ─▶ doorbell ─▶ worker opens the TUN ─▶ port-opened | port-failed
 *
 * The worker's loop never yields to its event loop: it looks at the port when the doorbell rings.
 * What is posted to a worker that starts waits in its port. After a restart of the worker
 * everything has to be posted again; `onSpawn` says when.
 */
import { MessageChannel, Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { VpclabError } from '../base/errors.ts'
import type {
  ControlMessage, TableUpdate, WorkerMessage, WorkerOptions
} from '../dataplane/tables/update.ts'
import type { Log } from '../observe/log.ts'
import { closeDoorbell, createDoorbell, ringDoorbell } from '../tun/doorbell.ts'

/** How long the worker may take to open a device, or to start. */
export const WORKER_ANSWER_MS_MAX = 15_000
/** Pause before a worker that died is started again; it doubles up to the maximum. */
export const WORKER_RESTART_MS = 200
export const WORKER_RESTART_MS_MAX = 30_000
/** A worker that has lived this long begins with the shortest pause again. */
const WORKER_SETTLED_MS = 60_000

const WORKER_FILE = new URL('../dataplane/worker.ts', import.meta.url)

export interface DataplaneLinkOptions {
  /** What the worker is started with, but for the two that each start brings anew. */
  readonly worker: () => Omit<WorkerOptions, 'port' | 'doorbellFd'>
  /** What runs in the worker; dataplane/worker.ts but in tests. */
  readonly workerFile?: URL
  readonly log: Log
  /** The worker has swapped in everything up to this revision. */
  readonly onApplied: (revision: number) => void
  /** A device that was open has gone (`portIndex`). */
  readonly onPortFailed: (portIndex: number, error: string) => void
  /** The device of the services is not open (any more). */
  readonly onServicesFailed: (error: string) => void
  readonly onResolve: (message: Extract<WorkerMessage, { kind: 'resolve' }>) => void
  /** A new worker has been made and knows nothing: post everything now. */
  readonly onSpawn: () => void
}

interface PortState {
  open: boolean
  /** Pending open, if any. */
  settle: { resolve: () => void, reject: (error: Error) => void, timer: NodeJS.Timeout } | null
}

export class DataplaneLink {
  restarts = 0
  features: Readonly<Record<string, boolean>> = {}
  readonly #options: DataplaneLinkOptions
  readonly #ports = new Map<number, PortState>()
  /** Revisions posted and not acknowledged, oldest first. */
  readonly #posted: number[] = []
  #worker: Worker | null = null
  #port: MessagePort | null = null
  #doorbellFd = -1
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
        `The data plane worker has not started within ${String(WORKER_ANSWER_MS_MAX)} ms`))
    }, WORKER_ANSWER_MS_MAX)
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
  async cpuUs (): Promise<number | null> {
    const usage = await this.#worker?.cpuUsage().catch(() => undefined)
    return usage === undefined ? null : usage.user + usage.system
  }

  /**
   * Resolves when the worker has the device open; at once when it has already.
   * @param fresh the device was made anew, so that an open descriptor leads nowhere
   * @throws VpclabError VPCLAB_ERR_AGENT naming the device and what the kernel said
   */
  async openPort (
    portIndex: number, namespacePath: string, deviceName: string, fresh: boolean): Promise<void> {
    if (this.#port === null) throw agentError('The data plane worker is down')
    const known = this.#ports.get(portIndex)
    if (known?.open === true && !fresh) return
    if (known !== undefined) this.closePort(portIndex)
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#settle(portIndex, agentError('The data plane worker has not opened ' +
          `${deviceName} of ${namespacePath} within ${String(WORKER_ANSWER_MS_MAX)} ms`))
      }, WORKER_ANSWER_MS_MAX)
      this.#ports.set(portIndex, { open: false, settle: { resolve, reject, timer } })
      this.#post({ kind: 'open-port', portIndex, namespacePath, deviceName })
    })
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
    const worker = this.#worker
    if (worker === null) return
    const stopped = new Promise<void>((resolve) => { this.#stopped = resolve })
    const timer = setTimeout(() => { this.#stopped?.() }, WORKER_ANSWER_MS_MAX)
    this.#post({ kind: 'stop' })
    await stopped
    clearTimeout(timer)
    await worker.terminate()
    this.#release()
  }

  #spawn (): void {
    const { port1, port2 } = new MessageChannel()
    const doorbellFd = createDoorbell()
    const workerData: WorkerOptions = { ...this.#options.worker(), port: port2, doorbellFd }
    const worker = new Worker(this.#options.workerFile ?? WORKER_FILE,
      { workerData, transferList: [port2], name: 'dataplane' })
    this.#worker = worker
    this.#port = port1
    this.#doorbellFd = doorbellFd
    const startedMs = performance.now()
    port1.on('message', (message: WorkerMessage) => { this.#hear(message) })
    worker.on('error', (error: Error) => {
      this.#options.log.error({ err: error }, 'the data plane worker failed')
      this.#ready?.reject(agentError(`The data plane worker failed: ${error.message}`, error))
    })
    worker.on('exit', () => {
      if (this.#worker === worker) this.#onExit(performance.now() - startedMs)
    })
    this.#posted.length = 0
    this.#options.onSpawn()
  }

  #onExit (livedMs: number): void {
    this.#stopped?.()
    this.#release()
    if (this.#stopping || this.#ready !== null) return
    if (livedMs > WORKER_SETTLED_MS) this.restarts = 0
    const delayMs = Math.min(WORKER_RESTART_MS * 2 ** this.restarts, WORKER_RESTART_MS_MAX)
    this.restarts++
    this.#options.log.warn({ delayMs }, 'the data plane worker ended and is started again')
    this.#restartTimer = setTimeout(() => { this.#spawn() }, delayMs)
  }

  /** Ends the worker at once; the next one begins after the usual pause. */
  async kill (): Promise<void> {
    await this.#worker?.terminate()
  }

  #release (): void {
    this.#worker = null
    this.#port?.close()
    this.#port = null
    if (this.#doorbellFd !== -1) closeDoorbell(this.#doorbellFd)
    this.#doorbellFd = -1
    for (const portIndex of [...this.#ports.keys()]) {
      this.#settle(portIndex, agentError('The data plane worker ended'))
      this.#ports.delete(portIndex)
    }
  }

  /** What is posted while no worker runs is lost, and stays behind: `onSpawn` brings it again. */
  #post (message: ControlMessage): void {
    if (this.#port === null) return
    this.#port.postMessage(message)
    ringDoorbell(this.#doorbellFd)
  }

  #hear (message: WorkerMessage): void {
    switch (message.kind) {
      case 'ready':
        this.features = message.features
        this.#ready?.resolve()
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
        return
      case 'services-failed':
        this.#options.onServicesFailed(message.error)
        return
      case 'resolve':
        this.#options.onResolve(message)
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
    const settle = port.settle
    port.settle = null
    port.open = error === null
    if (settle === null) return
    clearTimeout(settle.timer)
    if (error === null) settle.resolve()
    else settle.reject(error)
  }
}

function agentError (message: string, cause?: Error): VpclabError {
  return new VpclabError('VPCLAB_ERR_AGENT', message, cause === undefined ? undefined : { cause })
}
