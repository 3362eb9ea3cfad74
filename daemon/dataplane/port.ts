/**
 * The thread border: the message port between control and a worker, seen from the worker. The
 * worker never yields to the event loop, so it asks for messages itself between two bursts (35 ns
 * when there is none); control rings the doorbell after posting, which ends a sleep of the NIC.
 */
import { receiveMessageOnPort } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { ControlMessage, WorkerMessage } from './tables/update.ts'

/** What the loop needs of the border; tests put arrays in its place. */
export interface ControlLink {
  /** The next message of control, or null. Never waits. */
  receive(): ControlMessage | null
  post(message: WorkerMessage): void
  close(): void
}

/** @param port the worker's end; messages are taken from it by nobody else */
export function messagePortLink (port: MessagePort): ControlLink {
  return {
    receive () {
      const received = receiveMessageOnPort(port) as { message: ControlMessage } | undefined
      return received === undefined ? null : received.message
    },
    post (message) { port.postMessage(message) },
    close () { port.close() }
  }
}
