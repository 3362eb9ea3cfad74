/**
 * Packets that wait for a mapping, systems 2.3: "the first packet of a miss is queued briefly, not
 * lost".
 *
 *     slots   a FIFO of PARKED_MAX receive descriptors, in order of arrival
 *     ring    the bytes of those packets, in the scratch area, in the same order
 *
 *     FREE ──park──▶ WAITING ──resolved──▶ READY ──takeReady──▶ SENT ──afterBurst──▶ FREE
 *                       └────── PARKED_MS over: dropped, mapping-timeout ─────────────▲
 *
 * Bounds: PARKED_PER_KEY_MAX packets of one key, PARKED_MAX packets and PARKED_BYTES bytes in all,
 * PARKED_MS of waiting. Beyond one of them the packet is dropped (mapping-queue-full,
 * mapping-timeout). A mapping is asked for once while packets wait for it. A READY packet goes
 * through the router again from its first step, as if it had just been received; a SENT one lies
 * here until the NIC has sent it.
 */
import { assert } from '../base/assert.ts'
import {
  RX_AT, RX_BYTES, RX_HEADROOM_BYTES, RX_RUN, RX_SOURCE_AT, RX_TOTAL_BYTES, RX_WORDS
} from '../tun/descriptor.ts'
import { KEY_ADDRESS, KEY_ENI, KEY_WORDS, writeMappingKey } from './tables/resolved_table.ts'
import type { MappingKey } from './tables/update.ts'
import { WordTable } from './tables/word_table.ts'

export const PARKED_MAX = 1024
export const PARKED_PER_KEY_MAX = 64
export const PARKED_MS = 50
/** Memory for parked packets, a part of the scratch area. */
export const PARKED_BYTES = 4_194_304

const FREE = 0
const WAITING = 1
const READY = 2
const SENT = 3

/** Outer source address and port, as RX_SOURCE_AT names them. */
const SOURCE_BYTES = 18
const ALIGN_BYTES = 64

/** What `park` answers. */
export const PARKED = 0
/** Parked, and nobody has asked for the key yet: ask. */
export const PARKED_ASK = 1
export const PARKING_FULL = 2

/** Copies the further pieces of a run into the arena (Nic.gatherRun). */
export type GatherRun = (run: number, at: number, bytesMax: number) => number

export class Parking {
  /** Packets that wait or are ready. */
  count = 0
  /** [RX_WORDS] the descriptor that takeReady took. */
  readonly taken = new Int32Array(RX_WORDS)
  /** [KEY_WORDS] the key of the next call: `setAddressKey` or `setEniKey` write it. */
  readonly key = new Int32Array(KEY_WORDS)

  readonly #bytes: Uint8Array
  readonly #ringAt: number
  readonly #descriptors = new Int32Array(PARKED_MAX * RX_WORDS)
  readonly #keys = new Int32Array(PARKED_MAX * KEY_WORDS)
  readonly #state = new Uint8Array(PARKED_MAX)
  readonly #deadlineMs = new Float64Array(PARKED_MAX)
  readonly #portIndex = new Int32Array(PARKED_MAX)
  readonly #segments = new Float64Array(PARKED_MAX)
  /** Ring offset after the packet's bytes: where the ring's tail goes when the slot is let go. */
  readonly #ringEnd = new Float64Array(PARKED_MAX)
  /** Packets waiting, by key. */
  readonly #waiting = new WordTable(KEY_WORDS, 1)
  // Slots tail..head-1 are in use or free in between; numbers grow, slot = number % PARKED_MAX.
  #tail = 0
  #head = 0
  #ready = 0
  // Bytes tail..head-1 of the ring are in use; numbers grow, offset = number % PARKED_BYTES.
  #ringTail = 0
  #ringHead = 0

  readonly #waitMs: number

  /**
   * @param ringAt start of PARKED_BYTES bytes of the arena
   * @param waitMs how long a packet waits
   */
  constructor (bytes: Uint8Array, ringAt: number, waitMs = PARKED_MS) {
    this.#bytes = bytes
    this.#ringAt = ringAt
    this.#waitMs = waitMs
  }

  setAddressKey (vpcIndex: number, w0: number, w1: number, w2: number, w3: number): void {
    this.#setKey(vpcIndex, KEY_ADDRESS, w0, w1, w2, w3)
  }

  setEniKey (vpcIndex: number, eniHigh: number, eniLow: number): void {
    this.#setKey(vpcIndex, KEY_ENI, eniHigh, eniLow, 0, 0)
  }

  /**
   * Copies a received packet and keeps it until `key` is resolved.
   * @param portIndex whose drop counter it is, should it wait in vain
   * @returns PARKED, PARKED_ASK or PARKING_FULL
   */
  park (
    rx: Int32Array, rxAt: number, portIndex: number, segments: number, nowMs: number,
    gatherRun: GatherRun
  ): number {
    this.#waiting.key.set(this.key)
    const known = this.#waiting.find()
    if (known >= 0 && this.#waiting.words[known] >= PARKED_PER_KEY_MAX) return PARKING_FULL
    if (this.#head - this.#tail >= PARKED_MAX) return PARKING_FULL
    const at = this.#copy(rx, rxAt, gatherRun)
    if (at < 0) return PARKING_FULL
    const slot = this.#head % PARKED_MAX
    this.#head++
    this.count++
    this.#state[slot] = WAITING
    this.#deadlineMs[slot] = nowMs + this.#waitMs
    this.#portIndex[slot] = portIndex
    this.#segments[slot] = segments
    this.#ringEnd[slot] = this.#ringHead
    this.#keys.set(this.key, slot * KEY_WORDS)
    this.#waiting.key.set(this.key)
    const value = this.#waiting.findOrInsert()
    this.#waiting.words[value]++
    return known < 0 ? PARKED_ASK : PARKED
  }

  /** An answer has come: what waits for it is ready. */
  resolved (key: MappingKey): void {
    writeMappingKey(key, this.key)
    this.release()
  }

  /** What waits for `key` is ready. */
  release (): void {
    this.#waiting.key.set(this.key)
    if (!this.#waiting.delete()) return
    for (let number = this.#tail; number < this.#head; number++) {
      const slot = number % PARKED_MAX
      if (this.#state[slot] !== WAITING || !this.#hasKey(slot)) continue
      this.#state[slot] = READY
      this.#ready++
    }
  }

  /** Moves the oldest ready packet's descriptor into `taken`. @returns false when none is ready */
  takeReady (): boolean {
    if (this.#ready === 0) return false
    for (let number = this.#tail; number < this.#head; number++) {
      const slot = number % PARKED_MAX
      if (this.#state[slot] !== READY) continue
      this.#take(slot)
      this.#state[slot] = SENT
      this.#ready--
      this.count--
      return true
    }
    return false
  }

  /** The NIC has sent what was taken: its memory is free. */
  afterBurst (): void {
    if (this.#tail === this.#head) return
    for (let number = this.#tail; number < this.#head; number++) {
      const slot = number % PARKED_MAX
      if (this.#state[slot] === SENT) this.#state[slot] = FREE
    }
    this.#letGo()
  }

  /** Milliseconds until the oldest waiting packet has waited enough; Infinity when none waits. */
  remainingMs (nowMs: number): number {
    if (this.#ready > 0) return 0
    for (let number = this.#tail; number < this.#head; number++) {
      const slot = number % PARKED_MAX
      if (this.#state[slot] === WAITING) return Math.max(0, this.#deadlineMs[slot] - nowMs)
    }
    return Infinity
  }

  /** Gives up on packets that have waited too long; `taken` is then the descriptor of each. */
  expire (nowMs: number, onTimeout: (portIndex: number, segments: number) => void): void {
    for (let number = this.#tail; number < this.#head; number++) {
      const slot = number % PARKED_MAX
      if (this.#state[slot] !== WAITING) continue
      if (this.#deadlineMs[slot] > nowMs) break // those after it came later
      this.#state[slot] = FREE
      this.count--
      this.#forgetWaiter(slot)
      this.#take(slot)
      onTimeout(this.#portIndex[slot], this.#segments[slot])
    }
    this.#letGo()
  }

  #take (slot: number): void {
    for (let word = 0; word < RX_WORDS; word++) {
      this.taken[word] = this.#descriptors[slot * RX_WORDS + word]
    }
  }

  #forgetWaiter (slot: number): void {
    for (let word = 0; word < KEY_WORDS; word++) {
      this.#waiting.key[word] = this.#keys[slot * KEY_WORDS + word]
    }
    const value = this.#waiting.find()
    assert(value >= 0, 'a waiting packet is counted under its key')
    this.#waiting.words[value]--
    if (this.#waiting.words[value] === 0) this.#waiting.delete() // the next packet asks again
  }

  #hasKey (slot: number): boolean {
    for (let word = 0; word < KEY_WORDS; word++) {
      if (this.#keys[slot * KEY_WORDS + word] !== this.key[word]) return false
    }
    return true
  }

  #setKey (vpcIndex: number, by: number, w0: number, w1: number, w2: number, w3: number): void {
    const { key } = this
    key[0] = vpcIndex
    key[1] = by
    key[2] = w0
    key[3] = w1
    key[4] = w2
    key[5] = w3
  }

  /**
   * Copies packet and outer source into the ring, a run flat. @returns offset of the packet, or -1
   */
  #copy (rx: Int32Array, rxAt: number, gatherRun: GatherRun): number {
    const totalBytes = rx[rxAt + RX_TOTAL_BYTES]
    const headBytes = rx[rxAt + RX_BYTES]
    const from = rx[rxAt + RX_AT]
    const sourceFrom = rx[rxAt + RX_SOURCE_AT]
    const whole = (RX_HEADROOM_BYTES + totalBytes + SOURCE_BYTES + ALIGN_BYTES - 1) & -ALIGN_BYTES
    const start = this.#ringRoom(whole)
    if (start < 0) return -1
    const at = this.#ringAt + start % PARKED_BYTES + RX_HEADROOM_BYTES
    this.#bytes.copyWithin(at, from, from + headBytes)
    const run = rx[rxAt + RX_RUN]
    if (run !== 0 &&
      gatherRun(run, at + headBytes, totalBytes - headBytes) !== totalBytes - headBytes) return -1
    this.#bytes.copyWithin(at + totalBytes, sourceFrom, sourceFrom + SOURCE_BYTES)
    this.#ringHead = start + whole
    const to = (this.#head % PARKED_MAX) * RX_WORDS
    for (let word = 0; word < RX_WORDS; word++) this.#descriptors[to + word] = rx[rxAt + word]
    this.#descriptors[to + RX_AT] = at
    this.#descriptors[to + RX_BYTES] = totalBytes
    this.#descriptors[to + RX_RUN] = 0
    this.#descriptors[to + RX_SOURCE_AT] = at + totalBytes
    return at
  }

  /** A contiguous piece of the ring. @returns its ring number, or -1 */
  #ringRoom (bytes: number): number {
    let start = this.#ringHead
    const offset = start % PARKED_BYTES
    if (offset + bytes > PARKED_BYTES) {
      start += PARKED_BYTES - offset // the rest of the lap stays unused
    }
    return start + bytes - this.#ringTail > PARKED_BYTES ? -1 : start
  }

  #letGo (): void {
    while (this.#tail < this.#head && this.#state[this.#tail % PARKED_MAX] === FREE) {
      this.#ringTail = this.#ringEnd[this.#tail % PARKED_MAX]
      this.#tail++
    }
    if (this.#tail === this.#head) this.#ringTail = this.#ringHead
  }
}
