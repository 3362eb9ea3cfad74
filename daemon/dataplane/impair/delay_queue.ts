/**
 * Packets that wait for a time of their own, in order of that time; those of one time in the order
 * in which they came.
 *
 *     blocks   BLOCK_BYTES each, chained: the first one of a packet is its number
 *     heap     numbers of packets, the one that is due first on top
 *
 * A packet takes as many blocks as its bytes need, so that one that waits long holds up nobody
 * else's memory. What is taken is copied out, and its blocks are free at once. Bounds: BLOCKS_MAX
 * packets, BLOCKS_MAX × BLOCK_BYTES bytes in all; `put` refuses what is beyond.
 */

const BLOCK_BYTES = 1024
/** Most packets that wait in one queue; each takes one block at least. */
export const BLOCKS_MAX = 8192
/** Memory of one queue, a part of the scratch area. */
export const DELAY_QUEUE_BYTES = BLOCKS_MAX * BLOCK_BYTES

// Words of a packet's record, which the owner of the queue fills and reads.
export const WAIT_LINE = 0
export const WAIT_EPOCH = 1
export const WAIT_GSO_TYPE = 2
export const WAIT_GSO_SIZE = 3
export const WAIT_CSUM = 4
export const WAIT_CSUM_FIELD = 5
export const WAIT_SEGMENTS = 6
export const WAIT_PEER = 7
export const WAIT_SOURCE_PORT = 8
export const WAIT_TRAFFIC_CLASS = 9
/** Bytes of the encapsulation header, which stands before the packet. */
export const WAIT_HEADER_BYTES = 10
/** Bytes of the packet behind it. */
export const WAIT_BYTES = 11
const WAIT_WORDS = 12

const NONE = -1

export class DelayQueue {
  /** Packets that wait. */
  count = 0
  /** [WAIT_WORDS] of the next `put`, and of the last `take`. */
  readonly record = new Int32Array(WAIT_WORDS)
  readonly #bytes: Uint8Array
  readonly #blocksAt: number
  readonly #next = new Int32Array(BLOCKS_MAX)
  readonly #records = new Int32Array(BLOCKS_MAX * WAIT_WORDS)
  readonly #dueMs = new Float64Array(BLOCKS_MAX)
  readonly #order = new Float64Array(BLOCKS_MAX)
  readonly #heap = new Int32Array(BLOCKS_MAX)
  #free = 0
  #freeCount = BLOCKS_MAX
  #puts = 0

  /** @param blocksAt start of DELAY_QUEUE_BYTES bytes of the arena */
  constructor (bytes: Uint8Array, blocksAt: number) {
    this.#bytes = bytes
    this.#blocksAt = blocksAt
    for (let block = 0; block < BLOCKS_MAX; block++) {
      this.#next[block] = block + 1 < BLOCKS_MAX ? block + 1 : NONE
    }
  }

  /** When the first packet is due; Infinity while none waits. */
  get dueMs (): number { return this.count === 0 ? Infinity : this.#dueMs[this.#heap[0]] }

  /** Bytes of the packet that is due first. Precondition: one waits. */
  get firstBytes (): number { return this.#records[this.#heap[0] * WAIT_WORDS + WAIT_BYTES] }

  /**
   * Copies a packet, `record[WAIT_BYTES]` at `at`, and its header, `record[WAIT_HEADER_BYTES]` at
   * `headerAt`. @returns false when there is no room
   */
  put (dueMs: number, at: number, headerAt: number): boolean {
    const { record } = this
    const headerBytes = record[WAIT_HEADER_BYTES]
    const bytes = record[WAIT_BYTES]
    const blocks = Math.max(1, Math.ceil((headerBytes + bytes) / BLOCK_BYTES))
    if (blocks > this.#freeCount) return false
    this.#freeCount -= blocks
    const first = this.#free
    let block = first
    let filled = this.#copyIn(block, 0, headerAt, headerBytes)
    let done = 0
    for (let left = blocks; left > 0; left--) {
      const piece = Math.min(BLOCK_BYTES - filled, bytes - done)
      this.#copyIn(block, filled, at + done, piece)
      done += piece
      filled = 0
      const next = this.#next[block]
      if (left === 1) {
        this.#next[block] = NONE
        this.#free = next
      }
      block = next
    }
    for (let word = 0; word < WAIT_WORDS; word++) {
      this.#records[first * WAIT_WORDS + word] = record[word]
    }
    this.#dueMs[first] = dueMs
    this.#order[first] = this.#puts++
    this.#heap[this.count] = first
    this.#rise(this.count++)
    return true
  }

  /**
   * Takes the packet that is due first: its bytes go to `to` of the arena, its header before them,
   * its record into `record`. Precondition: one waits, and there is room.
   */
  take (to: number): void {
    const first = this.#heap[0]
    this.count--
    this.#heap[0] = this.#heap[this.count]
    this.#sink(0)
    const { record } = this
    for (let word = 0; word < WAIT_WORDS; word++) {
      record[word] = this.#records[first * WAIT_WORDS + word]
    }
    let left = record[WAIT_HEADER_BYTES] + record[WAIT_BYTES]
    let target = to - record[WAIT_HEADER_BYTES]
    let block = first
    let last = first
    while (block !== NONE) {
      const piece = Math.min(BLOCK_BYTES, left)
      const from = this.#blocksAt + block * BLOCK_BYTES
      this.#bytes.copyWithin(target, from, from + piece)
      target += piece
      left -= piece
      this.#freeCount++
      last = block
      block = this.#next[block]
    }
    this.#next[last] = this.#free
    this.#free = first
  }

  /** What waits on a line is due at `nowMs`, in the order in which it would have been. */
  hasten (isMeant: (line: number) => boolean, nowMs: number): void {
    const waiting = this.#heap.slice(0, this.count).sort((a, b) => this.#isBefore(a, b) ? -1 : 1)
    for (const packet of waiting) {
      if (!isMeant(this.#records[packet * WAIT_WORDS + WAIT_LINE])) continue
      this.#dueMs[packet] = Math.min(this.#dueMs[packet], nowMs)
      this.#order[packet] = this.#puts++
    }
    for (let at = (this.count >>> 1) - 1; at >= 0; at--) this.#sink(at)
  }

  /** @returns how full the block is then */
  #copyIn (block: number, filled: number, from: number, count: number): number {
    this.#bytes.copyWithin(this.#blocksAt + block * BLOCK_BYTES + filled, from, from + count)
    return filled + count
  }

  #isBefore (a: number, b: number): boolean {
    const dueA = this.#dueMs[a]
    const dueB = this.#dueMs[b]
    return dueA < dueB || (dueA === dueB && this.#order[a] < this.#order[b])
  }

  #rise (from: number): void {
    const heap = this.#heap
    const packet = heap[from]
    let at = from
    while (at > 0) {
      const above = (at - 1) >>> 1
      if (!this.#isBefore(packet, heap[above])) break
      heap[at] = heap[above]
      at = above
    }
    heap[at] = packet
  }

  #sink (from: number): void {
    const heap = this.#heap
    const packet = heap[from]
    let at = from
    for (;;) {
      let below = 2 * at + 1
      if (below >= this.count) break
      if (below + 1 < this.count && this.#isBefore(heap[below + 1], heap[below])) below++
      if (!this.#isBefore(heap[below], packet)) break
      heap[at] = heap[below]
      at = below
    }
    heap[at] = packet
  }
}
