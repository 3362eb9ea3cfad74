/**
 * The flow table: what the data plane remembers of each conversation of each ENI. It is a cache of
 * the slow path's decisions (fast_path.ts), it counts per flow, and connection tracking hangs on
 * its entries. The layout of an entry, and why it has two halves, stands in flow_layout.ts.
 *
 *     index     [buckets]  top bits of the hash, entry + 1 (0 = empty); open addressing, linear
 *                          probing, at most FLOW_PROBES_MAX probes; deletion shifts back, so there
 *                          are no tombstones
 *     entries   in the mapped file
 *     free      a stack of free entries, the most recently freed (and so still cached) first
 *     wheel     one timer per entry, armed lazily: a packet only writes its tick into the entry;
 *               when the timer fires, the entry is dropped or armed again by its age. O(1) per
 *               packet, amortised.
 *
 * Full table or full neighbourhood in the index: `create` answers -1 and counts; the packet takes
 * the slow path and is not lost. The hash is keyed with FLOW_SEED_WORDS random words of this file,
 * because peers choose addresses and ports; bounded probing holds what a lucky peer can do to his
 * own flows.
 *
 * Generations: a cached action is valid while its generation equals its port's
 * (tables/port_table.ts). They start at 1 in each process, and opening the file sets all stored
 * ones to 0: after a restart every action is stale, and keys, counters and ages live on.
 */
import type { Random } from '../../base/random.ts'
import { assert } from '../../base/assert.ts'
import * as ipProtocol from '../../wire/ip_protocol.ts'
import { flowBuckets, flowCapacity, flowFileBytes } from './flow_layout.ts'
import * as flowLayout from './flow_layout.ts'
import { isBareSyn, noteTcp, TCP_SEEN_ANSWER, tcpIsClosing } from './tcp_state.ts'
import { TimerWheel } from './timer_wheel.ts'
import { finishHash, mixWord } from './word_table.ts'

// Constants of other modules, made this module's own: V8 folds a module's own into the code, and
// loads imported ones from memory, checked, at each use (CONTRIBUTING.md, "Hot code").
const { PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP } = ipProtocol
const {
  BUCKET_ENTRY_MASK, DIRECTORY_AT_ENI_HIGH, DIRECTORY_AT_ENI_LOW, DIRECTORY_AT_REUSE,
  DIRECTORY_AT_STATE, DIRECTORY_SLOT_WORDS, DIRECTORY_WORD, ENTRIES_WORD, ENTRY_AT_CREATED,
  ENTRY_AT_HASH, ENTRY_AT_LAST_SEEN, ENTRY_AT_LOCAL, ENTRY_AT_ORIGIN, ENTRY_AT_PORT_PROTOCOL,
  ENTRY_AT_PORTS, ENTRY_AT_REMOTE, ENTRY_AT_SERIAL, ENTRY_AT_TCP, ENTRY_DIRECTION_MASK,
  ENTRY_TRACKED, ENTRY_WORDS, FLOW_CAPACITY_MAX, FLOW_LAYOUT_VERSION, FLOW_MAGIC,
  FLOW_PORT_REUSE_MASK, FLOW_PORT_SLOT_BITS, FLOW_PORTS_MAX, FLOW_SEED_WORDS, FLOW_TICK_MS,
  HALF_AT_GENERATION, HALF_AT_ICMP_ERRORS, HALF_AT_PACKETS, HALF_WORD, HALF_WORDS,
  HEADER_AT_CAPACITY, HEADER_AT_LIVE, HEADER_AT_MAGIC, HEADER_AT_NOW_TICK, HEADER_AT_SEED,
  HEADER_AT_TOUCHED, HEADER_AT_VERSION
} = flowLayout

// Idle times, systems 3.3, in ticks.
const SECOND = 1000 / FLOW_TICK_MS
export const TCP_ESTABLISHED_IDLE_TICKS = 432_000 * SECOND
export const TCP_HALF_OPEN_IDLE_TICKS = 60 * SECOND
export const TCP_CLOSING_IDLE_TICKS = 10 * SECOND
export const UDP_SINGLE_IDLE_TICKS = 30 * SECOND
export const UDP_STREAM_IDLE_TICKS = 180 * SECOND
/** AWS names no time for ICMP; Linux keeps an echo for 30 s (nf_conntrack_icmp_timeout). */
export const ICMP_IDLE_TICKS = 30 * SECOND
export const OTHER_IDLE_TICKS = 600 * SECOND

/** Idle times that an ENI may choose (`setIdleTimes`), by slot of its flow port number. */
const IDLE_AT_TCP_ESTABLISHED = 0
const IDLE_AT_UDP_STREAM = 1
const IDLE_AT_UDP = 2
const IDLE_TIMES = 3

/**
 * Longest run of buckets that is looked at. At a load of 0.7 a longer one is a matter of attack.
 */
const FLOW_PROBES_MAX = 128
/** Most flows that `prefetch` takes at once: two lines of each fit into the first-level cache. */
export const PREFETCH_MAX = 32
/** A bucket of the index: entry + 1 in the low bits, as many top bits of the hash as are left. */
const BUCKET_TAG_MASK = ~BUCKET_ENTRY_MASK
/** Entries whose timers are looked at between two bursts. */
const EXPIRE_MAX = 256
/** Entries that the sweep for removed ENIs looks at between two bursts. */
const SWEEP_MAX = 512

/** Generations are int32 and must never come round to a stored one. */
const GENERATION_MAX = 0x7fffffff

export class FlowTable {
  /** The whole file as words; entry offsets below are indices into it. */
  readonly words: Int32Array
  /** The same bytes as float64, for counters: index = word index / 2. */
  readonly doubles: Float64Array
  readonly capacity: number
  /** True when the file held a table that was taken over. */
  readonly restored: boolean
  /** Layout of the file that was started anew for it; null: it was none of another. */
  readonly replacedVersion: number | null
  /** Counter: flows that found no room. Their packets took the slow path. */
  fullCount = 0
  /** What prefetch loaded, so that its loads are not optimised away. */
  prefetched = 0
  /** Counter: entries that ended by idling. */
  expiredCount = 0
  /** Counter: entries made. */
  createdCount = 0

  readonly #index: Int32Array
  readonly #mask: number
  readonly #free: Int32Array
  #freeCount = 0
  readonly #wheel: TimerWheel
  readonly #seed: Int32Array
  readonly #candidates = new Int32Array(PREFETCH_MAX)
  /** [FLOW_PORTS_MAX × IDLE_TIMES] ticks */
  readonly #idleTimes = new Int32Array(FLOW_PORTS_MAX * IDLE_TIMES)
  #nowTick = 0
  #serial = 1
  #generation = 0
  #sweepAt = -1

  /**
   * @param buffer flowFileBytes(capacity) bytes: a mapped file, or memory
   * @param capacity wished number of entries; the table has flowCapacity(capacity)
   */
  constructor (buffer: ArrayBufferLike, capacity: number, random: Random) {
    assert(buffer.byteLength >= flowFileBytes(capacity),
      'the flow file is too small for its capacity')
    this.capacity = flowCapacity(capacity)
    assert(capacity <= FLOW_CAPACITY_MAX,
      `a flow table has at most ${String(FLOW_CAPACITY_MAX)} entries`)
    const words = (ENTRIES_WORD + this.capacity * ENTRY_WORDS)
    this.words = new Int32Array(buffer, 0, words)
    this.doubles = new Float64Array(buffer, 0, words / 2)
    const buckets = flowBuckets(capacity)
    this.#mask = buckets - 1
    this.#index = new Int32Array(buckets)
    this.#free = new Int32Array(this.capacity)
    this.#wheel = new TimerWheel(this.capacity, 0)
    for (let slot = 0; slot < FLOW_PORTS_MAX; slot++) this.#forgetIdleTimes(slot)
    const version = this.words[HEADER_AT_VERSION]
    this.replacedVersion = this.words[HEADER_AT_MAGIC] === FLOW_MAGIC &&
      version !== FLOW_LAYOUT_VERSION ? version : null
    this.restored = this.words[HEADER_AT_MAGIC] === FLOW_MAGIC &&
      this.words[HEADER_AT_VERSION] === FLOW_LAYOUT_VERSION &&
      this.words[HEADER_AT_CAPACITY] === this.capacity
    if (!this.restored) this.#format(random)
    this.#seed = this.words.slice(HEADER_AT_SEED, HEADER_AT_SEED + FLOW_SEED_WORDS)
    this.#rebuild()
  }

  get live (): number { return this.words[HEADER_AT_LIVE] }

  /** A random int32 of this file, for other tables whose keys peers choose. */
  get seed (): number { return this.#seed[0] }

  /** Tick of the present pass; `setNowMs` moves it. */
  get nowTick (): number { return this.#nowTick }

  /** @param elapsedMs milliseconds since the worker started */
  setNowMs (elapsedMs: number): void {
    this.#nowTick = Math.floor(elapsedMs / FLOW_TICK_MS)
    this.words[HEADER_AT_NOW_TICK] = this.#nowTick
  }

  /** A number that no stored action has: for a VPC whose tables have just changed. */
  nextGeneration (): number {
    if (this.#generation === GENERATION_MAX) {
      this.#forgetActions()
      this.#generation = 0
    }
    return ++this.#generation
  }

  // ------------------------------------------------------------------------------------- entries

  /**
   * Finds a conversation. All arguments int32.
   * @param portProtocol flow port number << 8 | protocol
   * @param ports local << 16 | remote
   * @returns word offset of the entry in `words`, or -1
   */
  find (
    portProtocol: number, l0: number, l1: number, l2: number, l3: number,
    r0: number, r1: number, r2: number, r3: number, ports: number
  ): number {
    const hash = this.hashOf(portProtocol, l0, l1, l2, l3, r0, r1, r2, r3, ports)
    return this.findHashed(hash, portProtocol, l0, l1, l2, l3, r0, r1, r2, r3, ports)
  }

  /** The same, for a key whose hash is known. */
  findHashed (
    hash: number, portProtocol: number, l0: number, l1: number, l2: number, l3: number,
    r0: number, r1: number, r2: number, r3: number, ports: number
  ): number {
    const index = this.#index
    const { words } = this
    let bucket = hash & this.#mask
    for (let probes = 0; probes < FLOW_PROBES_MAX; probes++) {
      const stored = index[bucket]
      if (stored === 0) return -1
      if (((stored ^ hash) & BUCKET_TAG_MASK) === 0) {
        const at = ENTRIES_WORD + ((stored & BUCKET_ENTRY_MASK) - 1) * ENTRY_WORDS
        if (words[at + ENTRY_AT_REMOTE + 3] === r3 && words[at + ENTRY_AT_LOCAL + 3] === l3 &&
          words[at + ENTRY_AT_PORTS] === ports &&
          words[at + ENTRY_AT_PORT_PROTOCOL] === portProtocol &&
          words[at + ENTRY_AT_REMOTE] === r0 && words[at + ENTRY_AT_REMOTE + 1] === r1 &&
          words[at + ENTRY_AT_REMOTE + 2] === r2 && words[at + ENTRY_AT_LOCAL] === l0 &&
          words[at + ENTRY_AT_LOCAL + 1] === l1 && words[at + ENTRY_AT_LOCAL + 2] === l2) return at
      }
      bucket = (bucket + 1) & this.#mask
    }
    return -1
  }

  /**
   * Brings index buckets and entries of many flows into the cache at once. With 100,000 live flows
   * they are in none, and packet after packet would wait for the memory twice, for the index and
   * for the entry. Here the loads do not depend on each other, and the processor waits for many of
   * them together (bench/pipeline.ts). Nothing is decided by what is read.
   * @param hashes [count] hashOf each flow
   * @param directions [count] EGRESS or INGRESS: which half will be used
   */
  prefetch (hashes: Int32Array, directions: Uint8Array, count: number): void {
    const index = this.#index
    const { words } = this
    const mask = this.#mask
    const candidates = this.#candidates
    let loaded = 0
    for (let item = 0; item < count; item++) loaded ^= index[hashes[item] & mask]
    // A loop of its own: its branches are mispredicted, which would end the overlap of loads.
    for (let item = 0; item < count; item++) candidates[item] = this.#candidate(hashes[item])
    for (let item = 0; item < count; item++) {
      const at = candidates[item]
      loaded ^= words[at] ^ words[at + HALF_WORD + directions[item] * HALF_WORDS]
    }
    this.prefetched = loaded
  }

  /** Word offset of the first entry that may have this hash, or 0. */
  #candidate (hash: number): number {
    const index = this.#index
    let bucket = hash & this.#mask
    for (let probes = 0; probes < FLOW_PROBES_MAX; probes++) {
      const stored = index[bucket]
      if (stored === 0) return 0
      if (((stored ^ hash) & BUCKET_TAG_MASK) === 0) {
        return ENTRIES_WORD + ((stored & BUCKET_ENTRY_MASK) - 1) * ENTRY_WORDS
      }
      bucket = (bucket + 1) & this.#mask
    }
    return 0
  }

  /**
   * Makes an entry for a conversation that `find` did not find, without action in either half.
   * @param direction of the first packet
   * @returns its word offset, or -1 when there is no room (counted)
   */
  create (
    portProtocol: number, l0: number, l1: number, l2: number, l3: number,
    r0: number, r1: number, r2: number, r3: number, ports: number, direction: number
  ): number {
    const hash = this.hashOf(portProtocol, l0, l1, l2, l3, r0, r1, r2, r3, ports)
    if (this.#freeCount === 0) {
      this.fullCount++
      return -1
    }
    const entry = this.#free[this.#freeCount - 1]
    if (!this.#insert(hash, entry)) {
      this.fullCount++
      return -1
    }
    this.#freeCount--
    const words = this.words
    const at = ENTRIES_WORD + entry * ENTRY_WORDS
    words.fill(0, at, at + ENTRY_WORDS)
    if (entry >= words[HEADER_AT_TOUCHED]) words[HEADER_AT_TOUCHED] = entry + 1
    words[at + ENTRY_AT_PORT_PROTOCOL] = portProtocol
    words[at + ENTRY_AT_LOCAL] = l0
    words[at + ENTRY_AT_LOCAL + 1] = l1
    words[at + ENTRY_AT_LOCAL + 2] = l2
    words[at + ENTRY_AT_LOCAL + 3] = l3
    words[at + ENTRY_AT_REMOTE] = r0
    words[at + ENTRY_AT_REMOTE + 1] = r1
    words[at + ENTRY_AT_REMOTE + 2] = r2
    words[at + ENTRY_AT_REMOTE + 3] = r3
    words[at + ENTRY_AT_PORTS] = ports
    words[at + ENTRY_AT_HASH] = hash
    words[at + ENTRY_AT_LAST_SEEN] = this.#nowTick
    words[at + ENTRY_AT_CREATED] = this.#nowTick
    words[at + ENTRY_AT_ORIGIN] = direction
    this.#serial = this.#serial === GENERATION_MAX ? 1 : this.#serial + 1
    Atomics.store(words, at + ENTRY_AT_SERIAL, this.#serial) // last: a reader sees a whole entry
    words[HEADER_AT_LIVE]++
    this.createdCount++
    this.#wheel.arm(entry, this.#nowTick + this.#idleTicks(at))
    return at
  }

  /** Whether security groups have allowed the conversation, so that it goes on without them. */
  isTracked (at: number): boolean {
    return (this.words[at + ENTRY_AT_ORIGIN] & ENTRY_TRACKED) !== 0
  }

  /** Counts an ICMP error that spoke of the conversation. @param direction that it went */
  countIcmpError (at: number, direction: number): void {
    this.words[at + HALF_WORD + direction * HALF_WORDS + HALF_AT_ICMP_ERRORS]++
  }

  track (at: number): void { this.words[at + ENTRY_AT_ORIGIN] |= ENTRY_TRACKED }

  remove (at: number): void {
    const entry = (at - ENTRIES_WORD) / ENTRY_WORDS
    Atomics.store(this.words, at + ENTRY_AT_SERIAL, 0)
    this.#wheel.cancel(entry)
    this.#unindex(this.words[at + ENTRY_AT_HASH], entry)
    this.#free[this.#freeCount++] = entry
    this.words[HEADER_AT_LIVE]--
  }

  /** Whether both sides have closed the connection, or one has reset it. */
  isClosing (at: number): boolean {
    return tcpIsClosing(this.words[at + ENTRY_AT_TCP])
  }

  /**
   * Takes note of SYN, FIN and RST, which always come by the slow path, and shortens the timer of a
   * connection that ends.
   * @param flags TCP_FLAG_* of a packet in `direction`
   * @param sequence its sequence number, int32
   * @param acknowledgment its acknowledgment number, int32
   */
  noteTcpFlags (
    at: number, direction: number, flags: number, sequence: number, acknowledgment: number
  ): void {
    noteTcp(this.words, this.doubles, at, direction, flags, sequence, acknowledgment)
    if (this.isClosing(at)) {
      this.#wheel.arm((at - ENTRIES_WORD) / ENTRY_WORDS, this.#nowTick + TCP_CLOSING_IDLE_TICKS)
    }
  }

  /** Whether flags open a connection anew over one that has ended with the same ports. */
  reopens (at: number, flags: number): boolean {
    return isBareSyn(flags) && this.isClosing(at)
  }

  /**
   * Whether flags open a connection the other way, over one that is there: what was allowed is the
   * connection of the side that opened it. Both sides may open one at once (RFC 9293 §3.5).
   */
  opensBackwards (at: number, direction: number, flags: number): boolean {
    return isBareSyn(flags) && (this.words[at + ENTRY_AT_TCP] & TCP_SEEN_ANSWER) !== 0 &&
      (this.words[at + ENTRY_AT_ORIGIN] & ENTRY_DIRECTION_MASK) !== direction
  }

  /**
   * Ends idle entries and entries of removed ENIs; a bounded piece of work, to be called between
   * bursts.
   */
  expire (): void {
    for (let count = 0; count < EXPIRE_MAX; count++) {
      const entry = this.#wheel.takeDue(this.#nowTick)
      if (entry < 0) break
      const at = ENTRIES_WORD + entry * ENTRY_WORDS
      const deadline = this.words[at + ENTRY_AT_LAST_SEEN] + this.#idleTicks(at)
      if (deadline > this.#nowTick) {
        this.#wheel.arm(entry, deadline)
      } else {
        this.remove(at)
        this.expiredCount++
      }
    }
    if (this.#sweepAt >= 0) this.#sweep()
  }

  #forgetIdleTimes (slot: number): void {
    this.#idleTimes[slot * IDLE_TIMES + IDLE_AT_TCP_ESTABLISHED] = TCP_ESTABLISHED_IDLE_TICKS
    this.#idleTimes[slot * IDLE_TIMES + IDLE_AT_UDP_STREAM] = UDP_STREAM_IDLE_TICKS
    this.#idleTimes[slot * IDLE_TIMES + IDLE_AT_UDP] = UDP_SINGLE_IDLE_TICKS
  }

  /** Idle times of an ENI's connections, seconds; those of systems 3.3 until then. */
  setIdleTimes (flowPort: number, tcpEstablishedS: number, udpStreamS: number,
    udpS: number): void {
    const at = (flowPort & (FLOW_PORTS_MAX - 1)) * IDLE_TIMES
    this.#idleTimes[at + IDLE_AT_TCP_ESTABLISHED] = tcpEstablishedS * SECOND
    this.#idleTimes[at + IDLE_AT_UDP_STREAM] = udpStreamS * SECOND
    this.#idleTimes[at + IDLE_AT_UDP] = udpS * SECOND
  }

  #idleTicks (at: number): number {
    const portProtocol = this.words[at + ENTRY_AT_PORT_PROTOCOL]
    const times = ((portProtocol >>> 8) & (FLOW_PORTS_MAX - 1)) * IDLE_TIMES
    const egress = this.doubles[(at + HALF_WORD + HALF_AT_PACKETS) >>> 1]
    const ingress = this.doubles[(at + HALF_WORD + HALF_WORDS + HALF_AT_PACKETS) >>> 1]
    // Both sides have spoken, and one of them again: a handshake or an exchange is complete.
    const stream = egress > 0 && ingress > 0 && egress + ingress > 2
    switch (portProtocol & 0xff) {
      case PROTOCOL_TCP:
        if (this.isClosing(at)) return TCP_CLOSING_IDLE_TICKS
        return stream ? this.#idleTimes[times + IDLE_AT_TCP_ESTABLISHED] : TCP_HALF_OPEN_IDLE_TICKS
      case PROTOCOL_UDP:
        return this.#idleTimes[times + (stream ? IDLE_AT_UDP_STREAM : IDLE_AT_UDP)]
      case PROTOCOL_ICMP: case PROTOCOL_ICMPV6: return ICMP_IDLE_TICKS
      default: return OTHER_IDLE_TICKS
    }
  }

  // ------------------------------------------------------------------------------------- ENIs

  /**
   * Number under which flows of an ENI are kept: the same as long as the ENI is here, over restarts
   * too, and never one whose former owner's entries could still match.
   * @returns the flow port number, or -1 when FLOW_PORTS_MAX ENIs have one
   */
  openPort (eniHigh: number, eniLow: number): number {
    const words = this.words
    let free = -1
    for (let slot = 0; slot < FLOW_PORTS_MAX; slot++) {
      const at = DIRECTORY_WORD + slot * DIRECTORY_SLOT_WORDS
      if (words[at + DIRECTORY_AT_STATE] === 0) {
        if (free < 0) free = slot
      } else if (words[at + DIRECTORY_AT_ENI_HIGH] === eniHigh &&
        words[at + DIRECTORY_AT_ENI_LOW] === eniLow) {
        return slot | (words[at + DIRECTORY_AT_REUSE] << FLOW_PORT_SLOT_BITS)
      }
    }
    if (free < 0) return -1
    const at = DIRECTORY_WORD + free * DIRECTORY_SLOT_WORDS
    words[at + DIRECTORY_AT_ENI_HIGH] = eniHigh
    words[at + DIRECTORY_AT_ENI_LOW] = eniLow
    words[at + DIRECTORY_AT_REUSE] = (words[at + DIRECTORY_AT_REUSE] + 1) & FLOW_PORT_REUSE_MASK
    words[at + DIRECTORY_AT_STATE] = 1
    return free | (words[at + DIRECTORY_AT_REUSE] << FLOW_PORT_SLOT_BITS)
  }

  /** Gives the number back; the ENI's entries no longer match and are swept out by and by. */
  closePort (flowPort: number): void {
    const slot = flowPort & (FLOW_PORTS_MAX - 1)
    this.words[DIRECTORY_WORD + slot * DIRECTORY_SLOT_WORDS + DIRECTORY_AT_STATE] = 0
    this.#sweepAt = 0
  }

  /**
   * Closes every port that the file remembers and `isOpen` does not know: ENIs that left while it
   * was closed.
   */
  closeForgottenPorts (isOpen: (flowPort: number) => boolean): void {
    for (let slot = 0; slot < FLOW_PORTS_MAX; slot++) {
      const at = DIRECTORY_WORD + slot * DIRECTORY_SLOT_WORDS
      if (this.words[at + DIRECTORY_AT_STATE] === 0) continue
      const flowPort = slot | (this.words[at + DIRECTORY_AT_REUSE] << FLOW_PORT_SLOT_BITS)
      if (!isOpen(flowPort)) this.closePort(flowPort)
    }
  }

  #portIsOpen (flowPort: number): boolean {
    const at = DIRECTORY_WORD + (flowPort & (FLOW_PORTS_MAX - 1)) * DIRECTORY_SLOT_WORDS
    return this.words[at + DIRECTORY_AT_STATE] !== 0 &&
      this.words[at + DIRECTORY_AT_REUSE] === flowPort >>> FLOW_PORT_SLOT_BITS
  }

  #sweep (): void {
    const end = Math.min(this.#sweepAt + SWEEP_MAX, this.words[HEADER_AT_TOUCHED])
    for (let entry = this.#sweepAt; entry < end; entry++) {
      const at = ENTRIES_WORD + entry * ENTRY_WORDS
      if (this.words[at + ENTRY_AT_SERIAL] === 0) continue
      if (!this.#portIsOpen(this.words[at + ENTRY_AT_PORT_PROTOCOL] >>> 8)) this.remove(at)
    }
    this.#sweepAt = end >= this.words[HEADER_AT_TOUCHED] ? -1 : end
  }

  // ------------------------------------------------------------------------------------- index

  /** Keyed hash of a conversation, int32. */
  hashOf (
    portProtocol: number, l0: number, l1: number, l2: number, l3: number,
    r0: number, r1: number, r2: number, r3: number, ports: number
  ): number {
    const seed = this.#seed
    let hash = mixWord(seed[0], r3 ^ seed[1])
    hash = mixWord(hash, ports ^ seed[2])
    hash = mixWord(hash, l3 ^ seed[3])
    hash = mixWord(hash, portProtocol ^ seed[4])
    if ((l0 | l1 | r0 | r1) !== 0) { // IPv4 has nothing more to say
      hash = mixWord(hash, r0 ^ seed[5])
      hash = mixWord(hash, r1 ^ seed[6])
      hash = mixWord(hash, r2 ^ seed[7])
      hash = mixWord(hash, l0 ^ seed[8])
      hash = mixWord(hash, l1 ^ seed[9])
      hash = mixWord(hash, l2 ^ seed[10])
    }
    return finishHash(hash)
  }

  #insert (hash: number, entry: number): boolean {
    let bucket = hash & this.#mask
    for (let probes = 0; probes < FLOW_PROBES_MAX; probes++) {
      if (this.#index[bucket] === 0) {
        this.#index[bucket] = (hash & BUCKET_TAG_MASK) | (entry + 1)
        return true
      }
      bucket = (bucket + 1) & this.#mask
    }
    return false
  }

  #unindex (hash: number, entry: number): void {
    const index = this.#index
    let hole = hash & this.#mask
    for (let probes = 0; (index[hole] & BUCKET_ENTRY_MASK) !== entry + 1; probes++) {
      assert(probes < FLOW_PROBES_MAX, 'an entry in use stands in the index')
      hole = (hole + 1) & this.#mask
    }
    let bucket = hole
    for (let turns = 0; turns <= this.#mask; turns++) { // ends at an empty bucket: load is below 1
      bucket = (bucket + 1) & this.#mask
      if (index[bucket] === 0) break
      const other = (index[bucket] & BUCKET_ENTRY_MASK) - 1
      const home = this.words[ENTRIES_WORD + other * ENTRY_WORDS + ENTRY_AT_HASH] & this.#mask
      // Move back only what may stand in the hole: its home does not lie after the hole.
      if (((bucket - home) & this.#mask) < ((bucket - hole) & this.#mask)) continue
      index[hole] = index[bucket]
      hole = bucket
    }
    index[hole] = 0
  }

  // ------------------------------------------------------------------------------------- the file

  #format (random: Random): void {
    const words = this.words
    words.fill(0, 0, ENTRIES_WORD) // what entries hold is never read: none counts as touched
    const seed = random.bytes(FLOW_SEED_WORDS * 4)
    for (let word = 0; word < FLOW_SEED_WORDS; word++) {
      const at = word * 4
      words[HEADER_AT_SEED + word] =
        (seed[at] << 24) | (seed[at + 1] << 16) | (seed[at + 2] << 8) | seed[at + 3]
    }
    words[HEADER_AT_VERSION] = FLOW_LAYOUT_VERSION
    words[HEADER_AT_CAPACITY] = this.capacity
    Atomics.store(words, HEADER_AT_MAGIC, FLOW_MAGIC)
  }

  /** Index, free list and timers from the entries; ages start again, actions are forgotten. */
  #rebuild (): void {
    const words = this.words
    const touched = Math.min(Math.max(words[HEADER_AT_TOUCHED], 0), this.capacity)
    for (let entry = this.capacity - 1; entry >= touched; entry--) {
      this.#free[this.#freeCount++] = entry
    }
    let live = 0
    for (let entry = touched - 1; entry >= 0; entry--) {
      const at = ENTRIES_WORD + entry * ENTRY_WORDS
      const serial = words[at + ENTRY_AT_SERIAL]
      if (serial !== 0 && this.#reindex(at, entry)) {
        live++
        if (serial > this.#serial) this.#serial = serial
      } else {
        words[at + ENTRY_AT_SERIAL] = 0
        this.#free[this.#freeCount++] = entry
      }
    }
    words[HEADER_AT_TOUCHED] = touched
    words[HEADER_AT_LIVE] = live
    words[HEADER_AT_NOW_TICK] = 0
    this.#sweepAt = this.restored ? 0 : -1
  }

  #reindex (at: number, entry: number): boolean {
    const words = this.words
    const local = at + ENTRY_AT_LOCAL
    const remote = at + ENTRY_AT_REMOTE
    const portProtocol = words[at + ENTRY_AT_PORT_PROTOCOL]
    const hash = this.hashOf(portProtocol, words[local], words[local + 1], words[local + 2],
      words[local + 3],
      words[remote], words[remote + 1], words[remote + 2], words[remote + 3],
      words[at + ENTRY_AT_PORTS])
    // The file may be damaged or of a killed writer: take an entry only if it is whole and the only
    // one.
    if (hash !== words[at + ENTRY_AT_HASH]) return false
    const known =
      this.find(portProtocol, words[local], words[local + 1], words[local + 2], words[local + 3],
      words[remote], words[remote + 1], words[remote + 2], words[remote + 3],
      words[at + ENTRY_AT_PORTS])
    if (known >= 0 || !this.#insert(hash, entry)) return false
    words[at + ENTRY_AT_LAST_SEEN] = 0
    words[at + ENTRY_AT_CREATED] = 0
    words[at + HALF_WORD + HALF_AT_GENERATION] = 0
    words[at + HALF_WORD + HALF_WORDS + HALF_AT_GENERATION] = 0
    this.#wheel.arm(entry, this.#idleTicks(at))
    return true
  }

  #forgetActions (): void {
    const end = ENTRIES_WORD + this.words[HEADER_AT_TOUCHED] * ENTRY_WORDS
    for (let at = ENTRIES_WORD; at < end; at += ENTRY_WORDS) {
      this.words[at + HALF_WORD + HALF_AT_GENERATION] = 0
      this.words[at + HALF_WORD + HALF_WORDS + HALF_AT_GENERATION] = 0
    }
  }
}
