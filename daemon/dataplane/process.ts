/**
 * Entry of a data plane that is a process of its own, forked by control (host/dataplane_process.ts)
 * where `kill -9` of one host's data plane is to be what it says. The loop never yields, so it runs
 * in a thread here, too (worker.ts), and this thread carries messages:
 *
 *     control ──IPC──▶ this thread ──MessagePort, doorbell──▶ worker.ts
 *             ◀──IPC──             ◀──────MessagePort────────
 *
 * The process ends with its worker, and with the channel to control: it never outlives the daemon.
 * Signals of a terminal go to the whole group of processes; what to do about them is control's
 * business alone.
 */
import { MessageChannel, Worker } from 'node:worker_threads'
import { closeDoorbell, createDoorbell, ringDoorbell } from '../tun/doorbell.ts'
import type { ControlMessage, WorkerMessage, WorkerOptions } from './tables/update.ts'

/** What the worker is started with, but for what this process makes itself. */
export type ProcessOptions = Omit<WorkerOptions, 'port' | 'doorbellFd'>

/** Control → process. `start` comes first, and once. */
export type ToProcess =
  | { readonly kind: 'start', readonly options: ProcessOptions }
  | { readonly kind: 'control', readonly message: ControlMessage }
  | { readonly kind: 'ask-cpu' }

/** Process → control. */
export type FromProcess =
  | { readonly kind: 'worker', readonly message: WorkerMessage }
  | { readonly kind: 'cpu', readonly us: number | null }
  /** The worker failed; the process ends next. */
  | { readonly kind: 'failed', readonly message: string }

interface Running {
  readonly worker: Worker
  send(message: ControlMessage): void
}

function say (message: FromProcess): void {
  if (process.connected) process.send?.(message)
}

function start (options: ProcessOptions): Running {
  const { port1, port2 } = new MessageChannel()
  const doorbellFd = createDoorbell()
  const worker = new Worker(new URL('worker.ts', import.meta.url), { name: 'dataplane' })
  worker.postMessage(
    { ...options, port: port2, doorbellFd } satisfies WorkerOptions, [port2])
  port1.on('message', (message: WorkerMessage) => { say({ kind: 'worker', message }) })
  worker.on('error', (error: Error) => { say({ kind: 'failed', message: error.message }) })
  worker.on('exit', () => {
    closeDoorbell(doorbellFd)
    // What the worker said last is on its way through the port.
    setImmediate(() => { process.disconnect() })
  })
  return {
    worker,
    send (message) {
      port1.postMessage(message)
      ringDoorbell(doorbellFd)
    }
  }
}

let running: Running | null = null

process.on('message', (message: ToProcess) => {
  switch (message.kind) {
    case 'start': running ??= start(message.options); return
    case 'control': running?.send(message.message); return
    case 'ask-cpu':
      void running?.worker.cpuUsage().catch(() => undefined).then((usage) => {
        say({ kind: 'cpu', us: usage === undefined ? null : usage.user + usage.system })
      })
  }
})
process.on('disconnect', () => { process.exit() })
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => { /* control says when */ })
}
