/**
 * Entry of the thread in which the hosts of a daemon agree on keys of the underlay
 * (key_agreement.ts): handshakes take time, which the main thread has not. Keys go through it to
 * the data planes.
 */
import { parentPort } from 'node:worker_threads'
import type { WireKeyMessage } from '../tun/wire_key.ts'
import { KeyAgreement } from './key_agreement.ts'
import type { LocalHost, Peer } from './key_agreement.ts'

export type ToKeysWorker =
  | { readonly kind: 'begin', readonly host: LocalHost }
  | { readonly kind: 'peers', readonly host: string, readonly peers: readonly Peer[] }
  | { readonly kind: 'rotate', readonly host: string, readonly peer: string | null }
  /** The data plane of the host has the key. */
  | {
    readonly kind: 'set'
    readonly host: string
    readonly id: number
    readonly direction: 'transmit' | 'receive'
  }

export type FromKeysWorker =
  | { readonly kind: 'key', readonly host: string, readonly message: WireKeyMessage }
  | { readonly kind: 'agreed', readonly host: string, readonly peer: string }
  | {
    readonly kind: 'trouble'
    readonly host: string
    readonly peer: string | null
    readonly error: string
  }

/** How long a data plane is waited for. */
const SET_MS_MAX = 5000

function say (message: FromKeysWorker): void { parentPort?.postMessage(message) }

function main (): void {
  const waiting = new Map<string, () => void>()
  const name = (host: string, id: number, direction: string): string =>
    `${host} ${String(id)} ${direction}`
  const agreement = new KeyAgreement({
    setKey: async (host, message) => {
      if (message.kind !== 'wire-key') return
      const what = name(host, message.id, message.direction)
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(what)
          reject(new Error(`the data plane of ${host} does not take a key`))
        }, SET_MS_MAX)
        waiting.set(what, () => {
          waiting.delete(what)
          clearTimeout(timer)
          resolve()
        })
        say({ kind: 'key', host, message })
      })
    },
    endKey: (host, id) => { say({ kind: 'key', host, message: { kind: 'wire-key-end', id } }) },
    onAgreed: (host, peer) => { say({ kind: 'agreed', host, peer }) },
    onTrouble: (host, peer, error) => { say({ kind: 'trouble', host, peer, error }) }
  })
  parentPort?.on('message', (message: ToKeysWorker) => {
    switch (message.kind) {
      case 'begin': agreement.begin(message.host); return
      case 'peers': agreement.setPeers(message.host, message.peers); return
      case 'rotate': agreement.rotate(message.host, message.peer); return
      case 'set': waiting.get(name(message.host, message.id, message.direction))?.()
    }
  })
}

main()
