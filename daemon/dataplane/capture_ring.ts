/**
 * Captured packets on their way from a worker to control: a ring in shared memory with one writer
 * and one reader, neither of which ever waits for the other.
 *
 *     words   0 head | 16 tail | 32 epoch | 64 lost [POINTS_MAX × CAPTURES_MAX]
 *     bytes   CAPTURE_RING_BYTES of records, each contiguous
 *
 *         tail ──▶ [record][record][record] ◀── head          head and tail count bytes, mod 2^32;
 *              the reader's          the writer's             a record that would not fit before
 *                                                             the end is preceded by a filler
 *     record  RECORD_WORDS words, then the VPC header (host points), then the packet's bytes
 *
 * A full ring costs the captured packet and never the packet itself: what found no room is counted
 * in `lost`, by point and capture. Points are ports (tables/port_table.ts); point 0 is the underlay
 * of the host; behind the ports come VPN tunnels, two points each. A capture is a bit of the
 * record's mask. All words are in host order, all bytes as on the wire; super-packets are still
 * whole (observe/capture/frames.ts cuts them).
 */
import { threadRegion } from '../tun/shared_memory.ts'
import type { SharedMemory, SharedRegion } from '../tun/shared_memory.ts'
import { PORTS_MAX } from './tables/port_table.ts'

/** Captures of a lab at once; more are refused. */
export const CAPTURES_MAX = 8
/** Memory of one host's ring, bytes, a power of two; pages that are never written cost nothing. */
export const CAPTURE_RING_BYTES = 2 ** 26
/** The point that is no port: the underlay of the host. */
export const POINT_UNDERLAY = 0
/** VPN tunnels of a host that are captured at once; further ones are not seen. */
export const CAPTURE_TUNNELS_MAX = 256
/** The points of the tunnel at `index` of CaptureMessage.tunnels: IKE and ESP … */
export function pointOutside (index: number): number { return PORTS_MAX + 2 * index }
/** … and what is in the ESP. */
export function pointInside (index: number): number { return PORTS_MAX + 2 * index + 1 }
export const POINTS_MAX = PORTS_MAX + 2 * CAPTURE_TUNNELS_MAX

const HEAD = 0
const TAIL = 16 // a cache line of its own
const EPOCH = 32
const LOST = 64
const RING_WORD = LOST + POINTS_MAX * CAPTURES_MAX
/** Bytes of shared memory that a ring needs. */
export const CAPTURE_SHARED_BYTES = RING_WORD * 4 + CAPTURE_RING_BYTES

const OFFSET_MASK = CAPTURE_RING_BYTES - 1
/** Records begin at multiples of it, so that their time is aligned. */
const ALIGN_BYTES = 8

/** Values of RECORD_DIRECTION, as epb_flags of pcapng has them; 0 marks a filler. */
export const DIRECTION_INBOUND = 1
export const DIRECTION_OUTBOUND = 2

// Words of a record.
const RECORD_BYTES = 0
export const RECORD_DIRECTION = 1
export const RECORD_MASK = 2
/** POINT_UNDERLAY, a port index, or a tunnel's. */
export const RECORD_POINT = 3
/** DROP_NONE, or why the packet was dropped at this point. */
export const RECORD_REASON = 4
/** Bytes of the VPC header that stand before the packet; 0 at an ENI. */
export const RECORD_HEADER_BYTES = 5
/** float64: ns of the machine's monotonic clock. */
export const RECORD_TIME = 6
/** The ENI of the point; at the underlay the one that dropped the packet, or zeros. */
export const RECORD_ENI_HIGH = 8
export const RECORD_ENI_LOW = 9
/** Bytes of the whole (super-)packet from its IP header on. */
export const RECORD_TOTAL_BYTES = 10
/** Bytes of it that are here. */
export const RECORD_PACKET_BYTES = 11
// As in the descriptors (tun/descriptor.ts).
export const RECORD_GSO_TYPE = 12
export const RECORD_GSO_SIZE = 13
export const RECORD_CSUM = 14
export const RECORD_CSUM_FIELD = 15
// At the underlay: outer UDP source port, traffic class, address of the other host (4 words).
export const RECORD_SOURCE_PORT = 16
export const RECORD_TRAFFIC_CLASS = 17
export const RECORD_PEER_ADDRESS = 18
/** At a tunnel's points: its outside address, int32. */
export const RECORD_TUNNEL = RECORD_PEER_ADDRESS
export const RECORD_WORDS = 22
const RECORD_HEAD_BYTES = RECORD_WORDS * 4

/** The worker's end. */
export class CaptureRingWriter {
  /** The ring's bytes, and the same as words: where a reserved record is filled in. */
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly doubles: Float64Array
  readonly #header: Int32Array
  #head: number
  #reservedHead = 0
  /** The record that is held, or -1; where the head was before it, and is behind it. */
  #heldAt = -1
  #headBeforeHeld = 0
  #headBehindHeld = 0

  /** Goes on where another writer of the same ring has stopped. */
  constructor (shared: ArrayBufferLike) {
    this.#header = new Int32Array(shared, 0, RING_WORD)
    this.bytes = new Uint8Array(shared, RING_WORD * 4, CAPTURE_RING_BYTES)
    this.words = new Int32Array(shared, RING_WORD * 4, CAPTURE_RING_BYTES / 4)
    this.doubles = new Float64Array(shared, RING_WORD * 4, CAPTURE_RING_BYTES / 8)
    this.#head = this.#header[HEAD]
  }

  /** Says that the configuration of this number is in force. */
  takeUp (epoch: number): void { Atomics.store(this.#header, EPOCH, epoch) }

  /**
   * Room for a record with `contentBytes` behind its words; unseen by the reader until `publish`,
   * and given back by the next `reserve` otherwise.
   * @returns offset of the record in `bytes`, or -1 when the ring is full
   */
  reserve (contentBytes: number): number {
    const whole = (RECORD_HEAD_BYTES + contentBytes + ALIGN_BYTES - 1) & -ALIGN_BYTES
    const offset = this.#head & OFFSET_MASK
    const filler = offset + whole > CAPTURE_RING_BYTES ? CAPTURE_RING_BYTES - offset : 0
    const used = (this.#head - Atomics.load(this.#header, TAIL)) | 0
    if (used + filler + whole > CAPTURE_RING_BYTES) return -1
    if (filler > 0) {
      this.words[(offset >>> 2) + RECORD_BYTES] = filler
      this.words[(offset >>> 2) + RECORD_DIRECTION] = 0
    }
    const at = filler > 0 ? 0 : offset
    this.words[(at >>> 2) + RECORD_BYTES] = whole
    this.#reservedHead = (this.#head + filler + whole) | 0
    return at
  }

  /** Where the content of the record at `at` begins. */
  contentAt (at: number): number { return at + RECORD_HEAD_BYTES }

  /** Hands the reserved record to the reader; while one is held, together with that one. */
  publish (): void {
    this.#head = this.#reservedHead
    if (this.#heldAt < 0) Atomics.store(this.#header, HEAD, this.#head)
  }

  /** Keeps the reserved record at `at`, so that others can be written before it is complete. */
  hold (at: number): void {
    this.#heldAt = at
    this.#headBeforeHeld = this.#head
    this.#head = this.#reservedHead
    this.#headBehindHeld = this.#head
  }

  /** Hands over the held record, or gives it back, and what was published meanwhile. */
  release (isWanted: boolean): void {
    if (!isWanted) {
      if (this.#head === this.#headBehindHeld) this.#head = this.#headBeforeHeld
      else this.words[(this.#heldAt >>> 2) + RECORD_DIRECTION] = 0
    }
    this.#heldAt = -1
    Atomics.store(this.#header, HEAD, this.#head)
  }

  /** Counts packets of a point that found no room, for each capture of `mask`. */
  lose (point: number, mask: number, packets: number): void {
    for (let capture = 0; capture < CAPTURES_MAX; capture++) {
      if ((mask & (1 << capture)) !== 0) {
        Atomics.add(this.#header, LOST + point * CAPTURES_MAX + capture, packets)
      }
    }
  }
}

/** Control's end. */
export class CaptureRingReader {
  /** The ring, as the worker is told of it. */
  readonly memory: SharedMemory
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly doubles: Float64Array
  readonly #header: Int32Array

  /** @param region CAPTURE_SHARED_BYTES that the worker can map */
  constructor (region: SharedRegion = threadRegion(CAPTURE_SHARED_BYTES)) {
    const { buffer, memory } = region
    this.memory = memory
    this.bytes = new Uint8Array(buffer, RING_WORD * 4, CAPTURE_RING_BYTES)
    this.words = new Int32Array(buffer, RING_WORD * 4, CAPTURE_RING_BYTES / 4)
    this.doubles = new Float64Array(buffer, RING_WORD * 4, CAPTURE_RING_BYTES / 8)
    this.#header = new Int32Array(buffer, 0, RING_WORD)
  }

  /** Number of the configuration that the worker has taken up last. */
  get epoch (): number { return Atomics.load(this.#header, EPOCH) }

  /**
   * Offset of the oldest record in `bytes`; -1 when there is none. It is the reader's until `skip`.
   */
  get first (): number {
    for (;;) {
      const tail = this.#header[TAIL]
      if (tail === Atomics.load(this.#header, HEAD)) return -1
      const at = tail & OFFSET_MASK
      if (this.words[(at >>> 2) + RECORD_DIRECTION] !== 0) return at
      this.skip() // a filler
    }
  }

  /** ns of the oldest record; Infinity when there is none. */
  get firstNs (): number {
    const at = this.first
    return at < 0 ? Infinity : this.doubles[(at >>> 2) + RECORD_TIME >>> 1]
  }

  /** Gives the oldest record back. Precondition: there is one. @returns its bytes */
  skip (): number {
    const tail = this.#header[TAIL]
    const recordBytes = this.words[((tail & OFFSET_MASK) >>> 2) + RECORD_BYTES]
    Atomics.store(this.#header, TAIL, (tail + recordBytes) | 0)
    return recordBytes
  }

  /** Where the content of the record at `at` begins. */
  contentAt (at: number): number { return at + RECORD_HEAD_BYTES }

  /** Packets of a point that a capture has lost here since the last call. */
  takeLost (point: number, capture: number): number {
    return Atomics.exchange(this.#header, LOST + point * CAPTURES_MAX + capture, 0)
  }
}
