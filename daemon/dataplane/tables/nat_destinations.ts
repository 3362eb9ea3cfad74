/**
 * What a resource knows of each destination that its flows have: how many are live per source
 * address, and which ports are to be given out next. A destination is (resource, source address,
 * remote address, remote port, protocol): within one, no two flows may share a port, and between
 * two, ports do not matter.
 *
 *     cursor    ports are given out in order, from a start that differs per destination, each once
 *     resting   rows whose flow has ended, oldest first: where ports come from after that
 *     lost      rows that were freed for want of room: their ports stand in no list, and are found
 *               by another lap of the cursor
 *
 * So giving out a port costs a step, whatever number of flows is live, and the port that was
 * released longest ago is the next to be used again.
 */
import {
  NAT_AT_BEFORE, NAT_AT_DESTINATION, NAT_AT_NEXT, NAT_AT_OUTSIDE, NAT_AT_PROTOCOL, NAT_AT_REMOTE,
  NAT_AT_RESOURCE, NAT_AT_OUTSIDE_PORTS, NAT_PORTS, NAT_REMOTE_PORT_MASK, NAT_ROW_WORDS,
  NAT_ROWS_WORD
} from './nat_layout.ts'
import { SlotIndex } from './slot_index.ts'
import { finishHash, mixWord } from './word_table.ts'

const AT_HASH = 0
const AT_KEY = 1
const KEY_WORDS = 11
const STRIDE = AT_KEY + KEY_WORDS

export class NatDestinations {
  /** [capacity] live flows. */
  readonly live: Int32Array
  /** [capacity] ports that the cursor has passed, 0..NAT_PORTS. */
  readonly cursor: Int32Array
  /** [capacity] where the cursor began: an offset from NAT_PORT_MIN. */
  readonly start: Int32Array
  /** [capacity] ports that stand in no list. */
  readonly lost: Int32Array
  /** [capacity] oldest resting row, + 1. */
  readonly oldest: Int32Array
  readonly #newest: Int32Array
  /** [capacity] rows, live and resting. */
  readonly #rows: Int32Array
  readonly #records: Int32Array
  readonly #index: SlotIndex
  readonly #free: Int32Array
  #freeCount: number
  readonly #key = new Int32Array(KEY_WORDS)
  readonly #words: Int32Array
  readonly #seed: number

  /** @param words the NAT file; @param capacity rows of it: no more destinations can there be */
  constructor (words: Int32Array, capacity: number, seed: number) {
    this.#words = words
    this.#seed = seed
    this.live = new Int32Array(capacity)
    this.cursor = new Int32Array(capacity)
    this.start = new Int32Array(capacity)
    this.lost = new Int32Array(capacity)
    this.oldest = new Int32Array(capacity)
    this.#newest = new Int32Array(capacity)
    this.#rows = new Int32Array(capacity)
    this.#records = new Int32Array(capacity * STRIDE)
    this.#index = new SlotIndex(capacity, this.#records, AT_HASH, STRIDE)
    this.#free = new Int32Array(capacity)
    for (let item = 0; item < capacity; item++) this.#free[item] = capacity - 1 - item
    this.#freeCount = capacity
  }

  /** Destinations that have a row. */
  get size (): number { return this.#free.length - this.#freeCount }

  /**
   * Finds the destination of a row's key. @param words, at where resource, outside and remote end
   * stand, as in a row
   * @returns its number, or -1
   */
  find (words: Int32Array, at: number): number {
    const hash = this.#readKey(words, at)
    const { buckets, mask } = this.#index
    let bucket = this.#index.home(hash)
    while (buckets[bucket] !== 0) { // load is at most one half
      const item = buckets[bucket] - 1
      if (this.#records[item * STRIDE] === hash && this.#hasKey(item)) return item
      bucket = (bucket + 1) & mask
    }
    return -1
  }

  /** Takes a new live row into its destination, which is made if need be. */
  enter (at: number): void {
    let item = this.find(this.#words, at)
    if (item < 0) item = this.#make()
    this.#rows[item]++
    this.live[item]++
    this.#words[at + NAT_AT_DESTINATION] = item + 1
  }

  /** The row's flow has ended: its port is the last in the list. */
  rest (at: number): void {
    const words = this.#words
    const item = words[at + NAT_AT_DESTINATION] - 1
    const row = rowOf(at)
    const newest = this.#newest[item]
    words[at + NAT_AT_NEXT] = 0
    words[at + NAT_AT_BEFORE] = newest
    if (newest === 0) this.oldest[item] = row + 1
    else words[rowAt(newest - 1) + NAT_AT_NEXT] = row + 1
    this.#newest[item] = row + 1
    this.live[item]--
  }

  /** A resting row goes. @param isLost its port is not given out now: another lap will find it */
  leaveResting (at: number, isLost: boolean): void {
    const words = this.#words
    const item = words[at + NAT_AT_DESTINATION] - 1
    const next = words[at + NAT_AT_NEXT]
    const before = words[at + NAT_AT_BEFORE]
    if (before === 0) this.oldest[item] = next
    else words[rowAt(before - 1) + NAT_AT_NEXT] = next
    if (next === 0) this.#newest[item] = before
    else words[rowAt(next - 1) + NAT_AT_BEFORE] = before
    if (isLost) this.lost[item]++
    this.#leave(at, item)
  }

  /** A live row goes without resting. */
  leaveLive (at: number): void {
    const item = this.#words[at + NAT_AT_DESTINATION] - 1
    this.live[item]--
    this.lost[item]++
    this.#leave(at, item)
  }

  #leave (at: number, item: number): void {
    this.#words[at + NAT_AT_DESTINATION] = 0
    if (--this.#rows[item] !== 0) return
    this.#index.remove(item)
    this.#free[this.#freeCount++] = item
  }

  /** Precondition: `find` did not find what stands in the key. */
  #make (): number {
    const item = this.#free[--this.#freeCount]
    const at = item * STRIDE
    const hash = this.#hash()
    this.#records[at] = hash
    this.#records.set(this.#key, at + AT_KEY)
    this.#index.insert(item)
    this.live[item] = 0
    this.#rows[item] = 0
    this.cursor[item] = 0
    this.start[item] = this.firstPort(hash)
    this.lost[item] = 0
    this.oldest[item] = 0
    this.#newest[item] = 0
    return item
  }

  /** Where a destination with this hash begins. */
  firstPort (hash: number): number { return (finishHash(hash ^ this.#seed) >>> 0) % NAT_PORTS }

  /** Hash of the key that `find` looked for last. */
  get lastHash (): number { return this.#hash() }

  #readKey (words: Int32Array, at: number): number {
    const key = this.#key
    key[0] = words[at + NAT_AT_RESOURCE]
    key[1] = words[at + NAT_AT_RESOURCE + 1]
    for (let word = 0; word < 4; word++) {
      key[2 + word] = words[at + NAT_AT_OUTSIDE + word]
      key[6 + word] = words[at + NAT_AT_REMOTE + word]
    }
    key[10] = ((words[at + NAT_AT_OUTSIDE_PORTS] & NAT_REMOTE_PORT_MASK) << 8) |
      words[at + NAT_AT_PROTOCOL]
    return this.#hash()
  }

  #hash (): number {
    let hash = this.#seed
    for (let word = 0; word < KEY_WORDS; word++) hash = mixWord(hash, this.#key[word])
    return finishHash(hash)
  }

  #hasKey (item: number): boolean {
    const at = item * STRIDE + AT_KEY
    for (let word = 0; word < KEY_WORDS; word++) {
      if (this.#records[at + word] !== this.#key[word]) return false
    }
    return true
  }
}

/** Word offset of a row. */
export function rowAt (row: number): number { return NAT_ROWS_WORD + row * NAT_ROW_WORDS }

/** Number of the row at a word offset. */
export function rowOf (at: number): number { return (at - NAT_ROWS_WORD) / NAT_ROW_WORDS }
