/**
 * What a data plane runs in: a thread of the daemon, or a process of its own. Both run the same
 * worker (dataplane/worker.ts) and look the same to the link (dataplane_link.ts).
 *
 *     thread    MessagePort, and a doorbell that ends the worker's sleep
 *     process   an IPC channel to a process that has such a thread (dataplane/process.ts)
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { MessageChannel, Worker } from 'node:worker_threads'
import type { FromProcess, ProcessOptions, ToProcess } from '../dataplane/process.ts'
import type { ControlMessage, WorkerMessage, WorkerOptions } from '../dataplane/tables/update.ts'
import { closeDoorbell, createDoorbell, ringDoorbell } from '../tun/doorbell.ts'

const WORKER_FILE = new URL('../dataplane/worker.ts', import.meta.url)
const PROCESS_FILE = new URL('../dataplane/process.ts', import.meta.url)

export interface CarrierEvents {
  readonly onMessage: (message: WorkerMessage) => void
  /** The worker failed; `onExit` follows. */
  readonly onError: (error: Error) => void
  /** It has ended, for whatever reason. Called once. */
  readonly onExit: () => void
}

export interface Carrier {
  /** Of the process; null for a thread. */
  readonly pid: number | null
  /** What is posted to one that has ended is lost. */
  post(message: ControlMessage): void
  /** CPU time that the worker's thread has used, µs; null when it cannot be told. */
  cpuUs(): Promise<number | null>
  /** Ends it at once. Resolves when it has ended. */
  terminate(): Promise<void>
  /** Gives back what it held. Precondition: it has ended. */
  release(): void
}

/**
 * Threads that are started before it is known what for: they load while the daemon reads its store.
 * Beyond the first ones each is started when it is taken.
 */
export class ThreadReserve {
  readonly #ready: Worker[]

  constructor (count: number) {
    this.#ready = Array.from({ length: count }, newThread)
  }

  take (): Worker { return this.#ready.pop() ?? newThread() }
}

function newThread (): Worker { return new Worker(WORKER_FILE, { name: 'dataplane' }) }

/** @param worker a thread that waits for its options */
export function startThread (
  options: ProcessOptions, events: CarrierEvents, worker: Worker
): Carrier {
  const { port1, port2 } = new MessageChannel()
  const doorbellFd = createDoorbell()
  port1.on('message', events.onMessage)
  worker.on('error', events.onError)
  worker.on('exit', events.onExit)
  worker.postMessage({ ...options, port: port2, doorbellFd } satisfies WorkerOptions, [port2])
  let isReleased = false
  return {
    pid: null,
    post (message) {
      if (isReleased) return
      port1.postMessage(message)
      ringDoorbell(doorbellFd)
    },
    async cpuUs () {
      const usage = await worker.cpuUsage().catch(() => undefined)
      return usage === undefined ? null : usage.user + usage.system
    },
    async terminate () { await worker.terminate() },
    release () {
      if (isReleased) return
      isReleased = true
      port1.close()
      closeDoorbell(doorbellFd)
    }
  }
}

/**
 * A process. Memory that `options` names must be files.
 * @param words arguments that tell a person who looks at the list of processes whose it is
 */
export function startProcess (
  options: ProcessOptions, events: CarrierEvents, words: readonly string[]
): Carrier {
  const child = fork(PROCESS_FILE, words,
    { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  let askers: ((us: number | null) => void)[] = []
  const answer = (us: number | null): void => {
    const waiting = askers
    askers = []
    for (const settle of waiting) settle(us)
  }
  const send = (message: ToProcess): void => {
    // It may end at any moment: what is lost then is posted again to its successor.
    if (child.connected) child.send(message, () => { /* onExit tells */ })
  }
  child.on('message', (message: FromProcess) => {
    if (message.kind === 'worker') events.onMessage(message.message)
    else if (message.kind === 'cpu') answer(message.us)
    else events.onError(new Error(message.message))
  })
  child.on('error', events.onError)
  child.on('exit', () => {
    answer(null)
    events.onExit()
  })
  send({ kind: 'start', options })
  return {
    pid: child.pid ?? null,
    post (message) { send({ kind: 'control', message }) },
    cpuUs () {
      return new Promise((resolve) => {
        if (!child.connected) {
          resolve(null)
          return
        }
        askers.push(resolve)
        send({ kind: 'ask-cpu' })
      })
    },
    async terminate () {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
    release () { /* the channel ended with the process */ }
  }
}
