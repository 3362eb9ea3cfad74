/** The channels of a node, one to each other node that it has ever had to tell something. */
import { assert } from '../../base/assert.ts'
import { PeerChannel } from './peer_channel.ts'
import type { ChannelUser } from './peer_channel.ts'

export class PeerChannels {
  readonly #incarnation: number
  readonly #user: ChannelUser
  /** By host index. */
  readonly #channels: (PeerChannel | null)[] = []

  /** @param incarnation of this node */
  constructor (incarnation: number, user: ChannelUser) {
    this.#incarnation = incarnation
    this.#user = user
  }

  to (hostIndex: number): PeerChannel {
    const known = this.#channels[hostIndex] ?? null
    if (known !== null) return known
    const made = new PeerChannel(hostIndex, this.#incarnation, this.#user)
    while (this.#channels.length <= hostIndex) this.#channels.push(null)
    this.#channels[hostIndex] = made
    return made
  }

  /** Queues a record. @param at, serial: its token; 0: none */
  send (hostIndex: number, record: Int32Array, at: number, serial: number): void {
    const sent = this.to(hostIndex).enqueue(record, at, serial)
    assert(sent, 'a channel keeps room for what may not fail')
  }

  /** Whether each of `count` hosts can be told one thing more. */
  haveRoom (hosts: Int32Array, count: number): boolean {
    for (let host = 0; host < count; host++) if (!this.to(hosts[host]).hasRoom(1)) return false
    return true
  }

  /**
   * Writes the next datagram that is due to any node.
   * @param target [1] host index that it is for
   * @returns its bytes, or 0
   */
  write (
    bytes: Uint8Array, at: number, bytesMax: number, nowMs: number, target: Int32Array
  ): number {
    for (const channel of this.#channels) {
      if (channel === null) continue
      const count = channel.write(bytes, at, bytesMax, nowMs)
      if (count === 0) continue
      target[0] = channel.hostIndex
      return count
    }
    return 0
  }

  /** Milliseconds until there is something to send again. */
  remainingMs (nowMs: number): number {
    let remaining = Infinity
    for (const channel of this.#channels) {
      if (channel !== null) remaining = Math.min(remaining, channel.remainingMs(nowMs))
    }
    return remaining
  }

  get retransmitCount (): number {
    let sum = 0
    for (const channel of this.#channels) if (channel !== null) sum += channel.retransmitCount
    return sum
  }
}
