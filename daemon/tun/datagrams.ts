/**
 * Datagrams of a socket in batches: what waits is received by one system call, answered in place,
 * and the answers are sent by another one. Node's own sockets make two of them, two objects and a
 * turn of its queue for each datagram.
 *
 *     socket 'message' (the first one) ─▶ receive() ─▶ answer each ─▶ send()
 *
 * Node goes on to watch the socket: it hands over one datagram when some wait, and the rest is
 * fetched here, in the same turn. bench/edge/dns.ts measures it.
 */
import { assert } from '../base/assert.ts'
import { loadAddon, systemCallError } from './addon.ts'
import type { Addon } from './addon.ts'

/** Datagrams of one batch. */
export const DATAGRAMS_MAX = 64
/** Bytes of the longest one; a longer one is received as one of no bytes. */
export const DATAGRAM_BYTES_MAX = 4096
const CELL_BYTES = 32
const AT_FAMILY = 0 // u16, host order
const AT_IPV4 = 4
const AT_IPV6 = 8
const AT_LENGTH = 28 // u32, host order
const FAMILY_IPV6 = 10 // AF_INET6 of Linux
const IPV4_MAPPED_WORD = 0x0000ffff

/** Memory: 64 × 4 KiB each way. One for all sockets of a thread: a batch ends before the next. */
export class DatagramBatch {
  readonly #addon: Addon
  readonly #received = new ArrayBuffer(DATAGRAMS_MAX * DATAGRAM_BYTES_MAX)
  readonly #answers = new ArrayBuffer(DATAGRAMS_MAX * DATAGRAM_BYTES_MAX)
  readonly #receivedCells = new ArrayBuffer(DATAGRAMS_MAX * CELL_BYTES)
  readonly #answerCells = new ArrayBuffer(DATAGRAMS_MAX * CELL_BYTES)
  readonly #receivedBytes = Buffer.from(this.#received)
  readonly #answerBytes = Buffer.from(this.#answers)
  readonly #cells = Buffer.from(this.#receivedCells)
  readonly #answerCellBytes = Buffer.from(this.#answerCells)
  #answerCount = 0

  /** @throws VpclabError VPCLAB_ERR_ADDON */
  constructor () {
    this.#addon = loadAddon()
  }

  /**
   * Fetches what waits, over what was there.
   * @returns how many datagrams, at most DATAGRAMS_MAX
   * @throws VpclabError VPCLAB_ERR_SYSCALL
   */
  receive (fd: number): number {
    this.#answerCount = 0
    try {
      return this.#addon.receiveDatagrams(fd, this.#received, this.#receivedCells)
    } catch (error) {
      throw systemCallError(`Cannot receive from descriptor ${String(fd)}`, error)
    }
  }

  /** A copy of datagram `index`. */
  datagram (index: number): Buffer {
    const at = index * DATAGRAM_BYTES_MAX
    const length = this.#cells.readUInt32LE(index * CELL_BYTES + AT_LENGTH)
    return Buffer.from(this.#receivedBytes.subarray(at, at + length))
  }

  /** Whom datagram `index` came from: four words as wire/address.ts has them, u32 each. */
  sender (index: number): readonly [number, number, number, number] {
    const cell = index * CELL_BYTES
    if (this.#cells.readUInt16LE(cell + AT_FAMILY) !== FAMILY_IPV6) {
      return [0, 0, IPV4_MAPPED_WORD, this.#cells.readUInt32BE(cell + AT_IPV4)]
    }
    const at = cell + AT_IPV6
    return [this.#cells.readUInt32BE(at), this.#cells.readUInt32BE(at + 4),
      this.#cells.readUInt32BE(at + 8), this.#cells.readUInt32BE(at + 12)]
  }

  /** The sender's port. */
  senderPort (index: number): number {
    return this.#cells.readUInt16BE(index * CELL_BYTES + 2)
  }

  /** Puts an answer to datagram `index` among those that `send` sends; once each. */
  answer (index: number, bytes: Uint8Array): void {
    assert(bytes.length <= DATAGRAM_BYTES_MAX && this.#answerCount < DATAGRAMS_MAX,
      'an answer fits into its slot')
    const cell = this.#answerCount * CELL_BYTES
    this.#cells.copy(this.#answerCellBytes, cell, index * CELL_BYTES, (index + 1) * CELL_BYTES)
    this.#answerCellBytes.writeUInt32LE(bytes.length, cell + AT_LENGTH)
    this.#answerBytes.set(bytes, this.#answerCount * DATAGRAM_BYTES_MAX)
    this.#answerCount++
  }

  /** Sends the answers. Those for which the kernel has no room are lost, as datagrams are. */
  send (fd: number): void {
    if (this.#answerCount === 0) return
    this.#addon.sendDatagrams(fd, this.#answers, this.#answerCells, this.#answerCount)
    this.#answerCount = 0
  }
}
