/**
 * Asks the machine's own resolvers what the lab does not know, where the lab may reach the world.
 * One socket; queries in flight are told apart by an id of their own, which is random, so that
 * nobody who does not see them can answer in place of the resolver.
 */
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { randomInt } from 'node:crypto'
import type { Forward } from './resolver.ts'

/** Queries in flight; more are answered SERVFAIL. */
export const FORWARDED_MAX = 256
/** How long one resolver is waited for, ms; then the next one is asked. */
export const FORWARD_MS_MAX = 2000
const DNS_PORT = 53
const HEADER_BYTES = 12
const ID_MAX = 0x10000

type Settle = (answer: Buffer | null) => void

export class Forwarder {
  readonly #servers: readonly { readonly address: string, readonly port: number }[]
  readonly #socket: Socket
  readonly #pending = new Map<number, Settle>()

  /** @param servers addresses of one family, `192.0.2.53` or `192.0.2.53#5353`; at least one */
  constructor (servers: readonly string[]) {
    this.#servers = servers.map((server) => {
      const [address = '', port = String(DNS_PORT)] = server.split('#')
      return { address, port: Number(port) }
    })
    this.#socket = createSocket(this.#servers[0]?.address.includes(':') === true ? 'udp6' : 'udp4')
    this.#socket.on('message', (message, peer) => { this.#hear(message, peer.address) })
    this.#socket.on('error', () => undefined) // what is unreachable answers by its timeout
    this.#socket.unref()
  }

  readonly forward: Forward = async (query) => {
    for (const server of this.#servers) {
      const answer = await this.#ask(query, server)
      if (answer !== null) {
        query.copy(answer, 0, 0, 2)
        return answer
      }
    }
    return null
  }

  close (): void { this.#socket.close() }

  async #ask (
    query: Buffer, { address, port }: { readonly address: string, readonly port: number }
  ): Promise<Buffer | null> {
    if (this.#pending.size >= FORWARDED_MAX) return null
    let id = randomInt(ID_MAX)
    while (this.#pending.has(id)) id = randomInt(ID_MAX)
    const sent = Buffer.from(query)
    sent.writeUInt16BE(id, 0)
    return await new Promise((resolve) => {
      const timer = setTimeout(() => { settle(null) }, FORWARD_MS_MAX)
      const settle = (answer: Buffer | null): void => {
        clearTimeout(timer)
        this.#pending.delete(id)
        resolve(answer)
      }
      this.#pending.set(id, settle)
      this.#socket.send(sent, port, address)
    })
  }

  #hear (message: Buffer, from: string): void {
    const isFromServer = this.#servers.some(({ address }) => address === from)
    if (!isFromServer || message.length < HEADER_BYTES) return
    this.#pending.get(message.readUInt16BE(0))?.(message)
  }
}
