/**
 * The flows of HyperPlane resources on one node: own ones, and copies of those that other nodes
 * own. The layout of a row stands in nat_layout.ts; which port a flow gets in nat_ports.ts; who
 * decides about a row, and who must have a copy before it counts, in dataplane/hyperplane/.
 *
 *     FREE ──create──▶ LIVE ──release──▶ RESTING ──▶ FREE
 *                        └──────remove──────────────▲
 *
 * A live row is found from inside and from outside. A resting one holds its outside port back, so
 * that it is found only by who looks for a free port. Rows of flows that are not translated
 * (egress-only internet gateway: outside = inside) hold no port and do not rest.
 *
 * Only rows with an armed timer end by themselves: those that this node owns. Full table: the
 * oldest port that rests long enough gives way, else `create` answers -1 and counts.
 *
 * The caller writes what it looks for into `key`, which has the words of a row.
 */
import { assert } from '../../base/assert.ts'
import type { Random } from '../../base/random.ts'
import { FLOW_TICK_MS } from './flow_layout.ts'
import { NatDestinations, rowAt, rowOf } from './nat_destinations.ts'
import {
  NAT_AT_CREATED, NAT_AT_DESTINATION, NAT_AT_INSIDE, NAT_AT_INSIDE_HASH, NAT_AT_INSIDE_PORTS,
  NAT_AT_LAST_SEEN, NAT_AT_OUTSIDE, NAT_AT_OUTSIDE_HASH, NAT_AT_OUTSIDE_PORTS, NAT_AT_PROTOCOL,
  NAT_AT_RELEASED, NAT_AT_REMOTE, NAT_AT_RESOURCE, NAT_AT_SERIAL, NAT_AT_STAMP, NAT_AT_STATE,
  NAT_AT_TCP, NAT_AT_UNCONFIRMED, NAT_CAPACITY_MAX, NAT_CLOSING_S, NAT_FREE,
  NAT_HEADER_AT_CAPACITY, NAT_HEADER_AT_LIVE, NAT_HEADER_AT_MAGIC, NAT_HEADER_AT_INCARNATION,
  NAT_HEADER_AT_NOW_TICK, NAT_HEADER_AT_SEED, NAT_HEADER_AT_TOUCHED, NAT_HEADER_AT_VERSION,
  NAT_IDLE_S, NAT_LAYOUT_VERSION, NAT_LIVE, NAT_MAGIC, NAT_REST_MIN_S, NAT_REST_S, NAT_RESTING,
  NAT_RESTORED, NAT_ROW_WORDS, NAT_ROWS_WORD, NAT_TCP_FINS, NAT_TCP_RST, natFileBytes
} from './nat_layout.ts'
import { SlotIndex } from './slot_index.ts'
import { TimerWheel } from './timer_wheel.ts'
import { finishHash, mixWord } from './word_table.ts'

const SECOND = 1000 / FLOW_TICK_MS
const REST_MIN_TICKS = NAT_REST_MIN_S * SECOND
const REST_TICKS = NAT_REST_S * SECOND
const CLOSING_TICKS = NAT_CLOSING_S * SECOND
/** Timers looked at between two bursts. */
const EXPIRE_MAX = 256
/** Rows that are looked at for one that may give way. */
const EVICT_SEARCH_MAX = 1024
const SERIAL_MAX = 0x7fffffff

export class NatTable {
  /** The whole file as words; row offsets are indices into it. */
  readonly words: Int32Array
  readonly capacity: number
  /** [NAT_ROW_WORDS] what the next call looks for or makes. */
  readonly key = new Int32Array(NAT_ROW_WORDS)
  readonly destinations: NatDestinations
  /** True when the file held a table that was taken over. */
  readonly restored: boolean
  /** Layout of the file that was started anew for it; null: it was none of another. */
  readonly replacedVersion: number | null
  /** Idle time of a flow, ticks. */
  idleTicks = NAT_IDLE_S * SECOND
  /** Counter: flows that found no room. */
  fullCount = 0
  /** Counter: ports that gave way to new flows before their rest was over. */
  evictedCount = 0
  readonly #inside: SlotIndex
  readonly #outside: SlotIndex
  readonly #free: Int32Array
  #freeCount = 0
  readonly #wheel: TimerWheel
  readonly #armed: Uint8Array
  readonly #seed: number
  #nowTick = 0
  #serial = 0
  #sweepRow = 0

  /** @param buffer natFileBytes(capacity) bytes: a mapped file, or memory */
  constructor (buffer: ArrayBufferLike, capacity: number, random: Random) {
    assert(capacity > 0 && capacity <= NAT_CAPACITY_MAX,
      `a NAT table has 1..${String(NAT_CAPACITY_MAX)} rows`)
    assert(buffer.byteLength >= natFileBytes(capacity), 'the NAT file is too small')
    this.capacity = capacity
    this.words = new Int32Array(buffer, 0, NAT_ROWS_WORD + capacity * NAT_ROW_WORDS)
    const { words } = this
    const version = words[NAT_HEADER_AT_VERSION]
    this.replacedVersion = words[NAT_HEADER_AT_MAGIC] === NAT_MAGIC &&
      version !== NAT_LAYOUT_VERSION ? version : null
    this.restored = words[NAT_HEADER_AT_MAGIC] === NAT_MAGIC &&
      words[NAT_HEADER_AT_VERSION] === NAT_LAYOUT_VERSION &&
      words[NAT_HEADER_AT_CAPACITY] === capacity
    if (!this.restored) this.#format(random)
    this.#seed = words[NAT_HEADER_AT_SEED]
    this.destinations = new NatDestinations(words, capacity, this.#seed)
    this.#inside = new SlotIndex(capacity, words, NAT_ROWS_WORD + NAT_AT_INSIDE_HASH, NAT_ROW_WORDS)
    this.#outside =
      new SlotIndex(capacity, words, NAT_ROWS_WORD + NAT_AT_OUTSIDE_HASH, NAT_ROW_WORDS)
    this.#free = new Int32Array(capacity)
    this.#wheel = new TimerWheel(capacity, 0)
    this.#armed = new Uint8Array(capacity)
    this.#rebuild()
  }

  /**
   * A number for the life that begins now, larger than that of any before (RFC 1982), and never 0,
   * however the clock was set in between. @param wallNumber a number that rises with the clock
   */
  nextIncarnation (wallNumber: number): number {
    const last = this.words[NAT_HEADER_AT_INCARNATION]
    const isLater = last === 0 || ((wallNumber - last) | 0) > 0
    const next = (isLater ? wallNumber : last + 1) | 0
    this.words[NAT_HEADER_AT_INCARNATION] = next === 0 ? 1 : next
    return this.words[NAT_HEADER_AT_INCARNATION]
  }

  /** Live flows, copies included. */
  get live (): number { return this.words[NAT_HEADER_AT_LIVE] }
  /** Rows that hold no live flow. */
  get room (): number { return this.capacity - this.live }
  get nowTick (): number { return this.#nowTick }
  /** Rows below this number were in use at some time. */
  get touched (): number { return this.words[NAT_HEADER_AT_TOUCHED] }

  /** @param elapsedMs milliseconds since the worker started */
  setNowMs (elapsedMs: number): void {
    this.#nowTick = Math.floor(elapsedMs / FLOW_TICK_MS)
    this.words[NAT_HEADER_AT_NOW_TICK] = this.#nowTick
  }

  // ------------------------------------------------------------------------------------- look-up

  /** The live flow of `key` by resource, protocol, inside, remote. @returns its offset, or -1 */
  findInside (): number {
    return this.#find(this.#inside, NAT_AT_INSIDE, NAT_AT_INSIDE_PORTS, NAT_AT_INSIDE_HASH)
  }

  /** The live flow of `key` by resource, protocol, outside, remote. @returns its offset, or -1 */
  findOutside (): number {
    const at = this.findPort()
    return at >= 0 && this.words[at + NAT_AT_STATE] === NAT_LIVE ? at : -1
  }

  /** The row, live or resting, that holds the outside port of `key`. @returns its offset, or -1 */
  findPort (): number {
    return this.#find(this.#outside, NAT_AT_OUTSIDE, NAT_AT_OUTSIDE_PORTS, NAT_AT_OUTSIDE_HASH)
  }

  #find (index: SlotIndex, addressAt: number, portsAt: number, hashAt: number): number {
    const { words, key } = this
    const hash = this.#hash(key, 0, addressAt, portsAt)
    const { buckets, mask } = index
    let bucket = index.home(hash)
    while (buckets[bucket] !== 0) { // load is at most one half
      const at = NAT_ROWS_WORD + (buckets[bucket] - 1) * NAT_ROW_WORDS
      if (words[at + hashAt] === hash && words[at + portsAt] === key[portsAt] &&
        words[at + NAT_AT_PROTOCOL] === key[NAT_AT_PROTOCOL] &&
        words[at + NAT_AT_RESOURCE] === key[NAT_AT_RESOURCE] &&
        words[at + NAT_AT_RESOURCE + 1] === key[NAT_AT_RESOURCE + 1] &&
        sameAddress(words, at + addressAt, key, addressAt) &&
        sameAddress(words, at + NAT_AT_REMOTE, key, NAT_AT_REMOTE)) return at
      bucket = (bucket + 1) & mask
    }
    return -1
  }

  #hash (words: Int32Array, at: number, addressAt: number, portsAt: number): number {
    let hash = mixWord(this.#seed, words[at + portsAt])
    hash = mixWord(hash, words[at + NAT_AT_RESOURCE + 1])
    hash = mixWord(hash, words[at + NAT_AT_RESOURCE] ^ words[at + NAT_AT_PROTOCOL])
    for (let word = 3; word >= 0; word--) {
      hash = mixWord(hash, words[at + addressAt + word])
      hash = mixWord(hash, words[at + NAT_AT_REMOTE + word])
    }
    return finishHash(hash)
  }

  // ------------------------------------------------------------------------------------- rows

  /**
   * Makes a live row of `key`: its ends, host and ENI. Its timer is not armed.
   * Precondition: neither its inside nor its outside key is in use.
   * @returns its offset, or -1 when there is no room (counted)
   */
  create (): number {
    if (this.#freeCount === 0 && !this.#evict()) {
      this.fullCount++
      return -1
    }
    const { words, key } = this
    const row = this.#free[--this.#freeCount]
    const at = rowAt(row)
    for (let word = 1; word < NAT_ROW_WORDS; word++) words[at + word] = key[word]
    words[at + NAT_AT_INSIDE_HASH] = this.#hash(key, 0, NAT_AT_INSIDE, NAT_AT_INSIDE_PORTS)
    words[at + NAT_AT_OUTSIDE_HASH] = this.#hash(key, 0, NAT_AT_OUTSIDE, NAT_AT_OUTSIDE_PORTS)
    this.#serial = this.#serial === SERIAL_MAX ? 1 : this.#serial + 1
    words[at + NAT_AT_SERIAL] = this.#serial
    words[at + NAT_AT_LAST_SEEN] = this.#nowTick
    words[at + NAT_AT_CREATED] = this.#nowTick
    words[at + NAT_AT_TCP] = 0
    words[at + NAT_AT_UNCONFIRMED] = 0
    words[at + NAT_AT_STAMP] = 0
    words[at + NAT_AT_DESTINATION] = 0
    if (row >= words[NAT_HEADER_AT_TOUCHED]) words[NAT_HEADER_AT_TOUCHED] = row + 1
    this.#enter(at, row)
    Atomics.store(words, at + NAT_AT_STATE, NAT_LIVE)
    return at
  }

  #enter (at: number, row: number): void {
    this.#inside.insert(row)
    this.#outside.insert(row)
    if (this.isTranslated(at)) this.destinations.enter(at)
    this.words[NAT_HEADER_AT_LIVE]++
  }

  /** Whether the flow has an outside end of its own. */
  isTranslated (at: number): boolean {
    return !sameAddress(this.words, at + NAT_AT_INSIDE, this.words, at + NAT_AT_OUTSIDE)
  }

  /** Ends a live flow; its port rests. */
  release (at: number): void {
    const { words } = this
    if (!this.isTranslated(at)) {
      this.remove(at)
      return
    }
    const row = rowOf(at)
    this.#disarm(row)
    this.#inside.remove(row)
    words[NAT_HEADER_AT_LIVE]--
    words[at + NAT_AT_RELEASED] = this.#nowTick
    this.destinations.rest(at)
    Atomics.store(words, at + NAT_AT_STATE, NAT_RESTING)
  }

  /** Frees a row at once, live or resting. @param isTaken its port is given out again just now */
  remove (at: number, isTaken = false): void {
    const { words } = this
    const row = rowOf(at)
    const wasLive = words[at + NAT_AT_STATE] === NAT_LIVE
    Atomics.store(words, at + NAT_AT_STATE, NAT_FREE)
    this.#disarm(row)
    this.#outside.remove(row)
    if (wasLive) {
      this.#inside.remove(row)
      words[NAT_HEADER_AT_LIVE]--
      if (words[at + NAT_AT_DESTINATION] !== 0) this.destinations.leaveLive(at)
    } else {
      this.destinations.leaveResting(at, !isTaken)
    }
    this.#free[this.#freeCount++] = row
  }

  /** Whether a resting row's port may be given out again. @param wellRested after NAT_REST_S */
  hasRested (at: number, wellRested: boolean): boolean {
    return this.#nowTick - this.words[at + NAT_AT_RELEASED] >=
      (wellRested ? REST_TICKS : REST_MIN_TICKS)
  }

  /** Frees a resting row to make room. @returns false when none of those looked at may go */
  #evict (): boolean {
    for (let count = 0; count < EVICT_SEARCH_MAX; count++) {
      const at = this.#nextRow()
      if (this.words[at + NAT_AT_STATE] !== NAT_RESTING || !this.hasRested(at, false)) continue
      this.remove(at)
      this.evictedCount++
      return true
    }
    return false
  }

  /**
   * Lets go of ports that have rested and whose destination has no flow any more. A bounded piece
   * of work, between bursts.
   * @param rows how many are looked at
   */
  sweepResting (rows: number): void {
    const { words } = this
    const count = Math.min(rows, words[NAT_HEADER_AT_TOUCHED])
    for (let turn = 0; turn < count; turn++) {
      const at = this.#nextRow()
      if (words[at + NAT_AT_STATE] === NAT_RESTING && this.hasRested(at, true) &&
        this.destinations.live[words[at + NAT_AT_DESTINATION] - 1] === 0) this.remove(at)
    }
  }

  #nextRow (): number {
    if (this.#sweepRow >= this.words[NAT_HEADER_AT_TOUCHED]) this.#sweepRow = 0
    return rowAt(this.#sweepRow++)
  }

  // ------------------------------------------------------------------------------------- timers

  /** Makes the row end by idling from now on: this node owns it. Its idle time starts anew. */
  arm (at: number): void {
    this.words[at + NAT_AT_LAST_SEEN] = this.#nowTick
    this.#armRow(rowOf(at), this.#nowTick + this.#idleTicks(at))
  }

  isArmed (at: number): boolean { return this.#armed[rowOf(at)] !== 0 }

  /** The row no longer ends by itself: another node owns it. */
  disarm (at: number): void { this.#disarm(rowOf(at)) }

  /** Notes what TCP said, NAT_TCP_* bits, and shortens the timer of a connection that ends. */
  noteTcp (at: number, bits: number): void {
    const { words } = this
    words[at + NAT_AT_TCP] |= bits
    if (this.isClosing(at) && this.isArmed(at)) {
      this.#armRow(rowOf(at), this.#nowTick + CLOSING_TICKS)
    }
  }

  /** A SYN opens a connection anew over one that has ended: it keeps the port. */
  reopen (at: number): void {
    this.words[at + NAT_AT_TCP] = 0
    if (this.isArmed(at)) this.arm(at)
  }

  /** Whether both sides have closed the connection, or one has reset it. */
  isClosing (at: number): boolean {
    const tcp = this.words[at + NAT_AT_TCP]
    return (tcp & NAT_TCP_RST) !== 0 || (tcp & NAT_TCP_FINS) === NAT_TCP_FINS
  }

  /**
   * Takes one own row that has idled. A bounded piece of work per pass.
   * @returns its offset, for the caller to end it; -1 when no more are due
   */
  takeIdle (): number {
    for (let count = 0; count < EXPIRE_MAX; count++) {
      const row = this.#wheel.takeDue(this.#nowTick)
      if (row < 0) return -1
      const at = rowAt(row)
      const deadline = this.words[at + NAT_AT_LAST_SEEN] + this.#idleTicks(at)
      if (deadline <= this.#nowTick) return at
      this.#wheel.arm(row, deadline)
    }
    return -1
  }

  #idleTicks (at: number): number {
    return this.isClosing(at) ? Math.min(CLOSING_TICKS, this.idleTicks) : this.idleTicks
  }

  #armRow (row: number, deadline: number): void {
    this.#armed[row] = 1
    this.#wheel.arm(row, deadline)
  }

  #disarm (row: number): void {
    this.#armed[row] = 0
    this.#wheel.cancel(row)
  }

  // ------------------------------------------------------------------------------------- the file

  #format (random: Random): void {
    const { words } = this
    words.fill(0, 0, NAT_ROWS_WORD)
    const seed = random.bytes(4)
    words[NAT_HEADER_AT_SEED] = (seed[0] << 24) | (seed[1] << 16) | (seed[2] << 8) | seed[3]
    words[NAT_HEADER_AT_VERSION] = NAT_LAYOUT_VERSION
    words[NAT_HEADER_AT_CAPACITY] = this.capacity
    Atomics.store(words, NAT_HEADER_AT_MAGIC, NAT_MAGIC)
  }

  /** Indices, lists and free rows from the rows; ages start again, nothing is owned. */
  #rebuild (): void {
    const { words } = this
    const touched = Math.min(Math.max(words[NAT_HEADER_AT_TOUCHED], 0), this.capacity)
    for (let row = this.capacity - 1; row >= touched; row--) this.#free[this.#freeCount++] = row
    words[NAT_HEADER_AT_LIVE] = 0
    words[NAT_HEADER_AT_NOW_TICK] = 0
    words[NAT_HEADER_AT_TOUCHED] = touched
    for (let row = touched - 1; row >= 0; row--) {
      const at = rowAt(row)
      if (!this.#restore(at, row)) {
        words[at + NAT_AT_STATE] = NAT_FREE
        this.#free[this.#freeCount++] = row
      }
    }
  }

  /** The file may be damaged, or of a killed writer: takes a row only if it is whole and alone. */
  #restore (at: number, row: number): boolean {
    const { words, key } = this
    const state = words[at + NAT_AT_STATE]
    if (state !== NAT_LIVE && state !== NAT_RESTING) return false
    for (let word = 0; word < NAT_ROW_WORDS; word++) key[word] = words[at + word]
    if (key[NAT_AT_INSIDE_HASH] !== this.#hash(key, 0, NAT_AT_INSIDE, NAT_AT_INSIDE_PORTS) ||
      key[NAT_AT_OUTSIDE_HASH] !== this.#hash(key, 0, NAT_AT_OUTSIDE, NAT_AT_OUTSIDE_PORTS) ||
      this.findPort() >= 0) return false
    if (state === NAT_LIVE && this.findInside() >= 0) return false
    if (state === NAT_RESTING && !this.isTranslated(at)) return false
    words[at + NAT_AT_LAST_SEEN] = 0
    words[at + NAT_AT_CREATED] = 0
    words[at + NAT_AT_UNCONFIRMED] = NAT_RESTORED
    words[at + NAT_AT_STAMP] = 0
    words[at + NAT_AT_DESTINATION] = 0
    this.#serial = Math.max(this.#serial, words[at + NAT_AT_SERIAL])
    this.#enter(at, row)
    if (state === NAT_RESTING) {
      words[at + NAT_AT_STATE] = NAT_LIVE
      this.release(at)
    }
    return true
  }
}

/** Whether four words are the same. */
export function sameAddress (a: Int32Array, aAt: number, b: Int32Array, bAt: number): boolean {
  return a[aAt + 3] === b[bAt + 3] && a[aAt + 2] === b[bAt + 2] && a[aAt + 1] === b[bAt + 1] &&
    a[aAt] === b[bAt]
}
