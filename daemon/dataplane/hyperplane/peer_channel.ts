/**
 * A small reliable channel between two nodes: records arrive once, in order, or the session is
 * over. Both directions share their datagrams; several records go into one.
 *
 *     Geneve   VNI 0, control bit, EtherType 0x88B5 (local experimental, IEEE 802)
 *     word 0   "HP", version
 *     word 1   incarnation of the sender    a number that is larger each time a node starts
 *     word 2   incarnation of the receiver, as far as the sender knows it; 0: not yet
 *     word 3   number of the first record
 *     word 4   number of the record that the sender waits for: all before it have arrived
 *     word 5   records, then these, RECORD_WORDS words each
 *
 * What is not acknowledged in time is sent again, from the first such record on; what comes before
 * its turn waits for it. A peer that has started anew has forgotten everything: numbers begin at 1
 * again, and what was not acknowledged is given up (its owner is told, as it is told of what was).
 *
 *     acked ──── sent ──── next        records of the ring: waiting for an answer | to be sent
 */
import { writeU16, writeU32, loadI32, loadU16 } from '../../wire/bytes.ts'
import {
  GENEVE_AT_FLAGS, GENEVE_AT_PROTOCOL, GENEVE_AT_VNI, GENEVE_FLAG_CONTROL, GENEVE_HEADER_BYTES_MIN
} from '../../encap/geneve.ts'
import { RECORD_AT_EPOCH, RECORD_BYTES, RECORD_WORDS } from './record.ts'

/** EtherType of the nodes' own messages: "local experimental 1" of IEEE 802. */
export const ETHERTYPE_HYPERPLANE = 0x88b5
const MAGIC_VERSION = 0x48500001 // "HP", 1

const AT_MAGIC = 0
const AT_FROM = 4
const AT_TO = 8
const AT_SEQUENCE = 12
const AT_ACKNOWLEDGMENT = 16
const AT_COUNT = 20
const HEADER_BYTES = 24
export const MESSAGE_HEADER_BYTES = GENEVE_HEADER_BYTES_MIN + HEADER_BYTES

/** Records that wait to be sent or acknowledged; 80 bytes each. */
export const CHANNEL_RECORDS_MAX = 16_384
/** Of these, room that only records take which may not fail. */
const RESERVED_RECORDS = 1024
/** Records on the way at once: 320 KiB, less than the receive buffer of a node. */
const WINDOW_RECORDS = 4096
/** Records of one datagram, at most. */
const DATAGRAM_RECORDS_MAX = 100
export const RETRANSMIT_MS_MIN = 20
export const RETRANSMIT_MS_MAX = 200

const TOKEN_WORDS = 2

/** Who uses the channel. */
export interface ChannelUser {
  /** A record of the peer, in order. @param record [RECORD_WORDS], used again */
  take(hostIndex: number, record: Int32Array): void
  /**
   * The peer has a record, or never will, because it is gone. `at`, `serial`: its token; `epoch`:
   * under which it was told.
   */
  confirmed(at: number, serial: number, epoch: number): void
  /** The peer has started anew: it knows nothing. */
  restarted(hostIndex: number): void
}

export class PeerChannel {
  readonly hostIndex: number
  /** Counter: datagrams sent again. */
  retransmitCount = 0
  readonly #user: ChannelUser
  readonly #own: number
  #peer = 0
  readonly #ring = new Int32Array(CHANNEL_RECORDS_MAX * RECORD_WORDS)
  /** Row and serial that a record speaks of; row 0: nobody asks. */
  readonly #tokens = new Int32Array(CHANNEL_RECORDS_MAX * TOKEN_WORDS)
  readonly #received = new Int32Array(RECORD_WORDS)
  /** [WINDOW_RECORDS] 1: the record of that number has come, perhaps before its turn. */
  readonly #early = new Uint8Array(WINDOW_RECORDS)
  readonly #earlyRecords = new Int32Array(WINDOW_RECORDS * RECORD_WORDS)
  // Numbers of records, counted on without end; on the wire their low 32 bits.
  #acked = 1
  #sent = 1
  #next = 1
  #expected = 1
  #mustAnswer = false
  #isClosed = false
  #sentMs = -Infinity
  #retransmitMs = RETRANSMIT_MS_MIN

  /** @param incarnation of this node, not 0 */
  constructor (hostIndex: number, incarnation: number, user: ChannelUser) {
    this.hostIndex = hostIndex
    this.#own = incarnation
    this.#user = user
  }

  /** Records that have not arrived yet, as far as is known. */
  get pending (): number { return this.#next - this.#acked }

  /** Whether `records` more fit that may be refused. */
  hasRoom (records: number): boolean {
    return this.pending + records <= CHANNEL_RECORDS_MAX - RESERVED_RECORDS
  }

  /** Whether there is plenty of room: for what is in no hurry. */
  isIdle (): boolean { return this.pending < CHANNEL_RECORDS_MAX / 8 }

  /**
   * Queues a record. @param at, serial: its token, for `confirmed`; 0: none
   * @returns false when the ring is full
   */
  enqueue (record: Int32Array, at: number, serial: number): boolean {
    if (this.pending >= CHANNEL_RECORDS_MAX) return false
    this.#isClosed = false
    const place = this.#next % CHANNEL_RECORDS_MAX
    for (let word = 0; word < RECORD_WORDS; word++) {
      this.#ring[place * RECORD_WORDS + word] = record[word]
    }
    this.#tokens[place * TOKEN_WORDS] = at
    this.#tokens[place * TOKEN_WORDS + 1] = serial
    this.#next++
    return true
  }

  /**
   * Nobody needs the peer any more: who waits for it is told so, and nothing is sent until the next
   * record. Numbers go on, because the peer may live and count them.
   */
  close (): void {
    this.#isClosed = true
    for (let number = this.#acked; number < this.#next; number++) this.#confirm(number)
  }

  /** Gives up what the peer has not acknowledged, and begins at 1 again: it has started anew. */
  #restart (): void {
    const from = this.#acked
    const to = this.#next
    this.#acked = 1
    this.#sent = 1
    this.#next = 1
    this.#expected = 1
    this.#early.fill(0)
    this.#retransmitMs = RETRANSMIT_MS_MIN
    this.#sentMs = -Infinity
    for (let number = from; number < to; number++) this.#confirm(number)
  }

  #confirm (number: number): void {
    const place = number % CHANNEL_RECORDS_MAX
    const token = place * TOKEN_WORDS
    const at = this.#tokens[token]
    this.#tokens[token] = 0
    if (at === 0) return
    const epoch = this.#ring[place * RECORD_WORDS + RECORD_AT_EPOCH]
    this.#user.confirmed(at, this.#tokens[token + 1], epoch)
  }

  /** Milliseconds until something is to be sent again; Infinity when nothing waits. */
  remainingMs (nowMs: number): number {
    if (this.#mustAnswer) return 0
    if (this.pending === 0 || this.#isClosed) return Infinity
    if (this.#peer !== 0 && this.#sent < this.#next &&
      this.#sent - this.#acked < WINDOW_RECORDS) return 0
    return Math.max(0, this.#sentMs + this.#retransmitMs - nowMs)
  }

  // ------------------------------------------------------------------------------------- sending

  /**
   * Writes the next datagram that is due, Geneve header included. To be called until it answers 0.
   * @param bytesMax what a datagram may have
   * @returns its bytes, or 0
   */
  write (bytes: Uint8Array, at: number, bytesMax: number, nowMs: number): number {
    const count = this.#isClosed ? 0 : this.#dueRecords(bytesMax, nowMs)
    if (count === 0 && !this.#mustAnswer) return 0
    this.#mustAnswer = false
    // The time runs from the first record that waits, however many follow it.
    if (this.#sent === this.#acked || this.#peer === 0) this.#sentMs = nowMs
    this.#writeHeader(bytes, at, count)
    let to = at + MESSAGE_HEADER_BYTES
    for (let item = 0; item < count; item++) {
      const from = ((this.#sent + item) % CHANNEL_RECORDS_MAX) * RECORD_WORDS
      for (let word = 0; word < RECORD_WORDS; word++) {
        writeU32(bytes, to, this.#ring[from + word])
        to += 4
      }
    }
    this.#sent += count
    return to - at
  }

  /** Records of the next datagram; asks who is there while that is not known. */
  #dueRecords (bytesMax: number, nowMs: number): number {
    const isLate = nowMs - this.#sentMs >= this.#retransmitMs
    if (this.#peer === 0) {
      if (this.pending > 0 && isLate) this.#mustAnswer = true
      return 0
    }
    if (this.#sent > this.#acked && isLate) {
      this.#sent = this.#acked
      this.#retransmitMs = Math.min(2 * this.#retransmitMs, RETRANSMIT_MS_MAX)
      this.retransmitCount++
    }
    return Math.max(0, Math.min(this.#next - this.#sent,
      WINDOW_RECORDS - (this.#sent - this.#acked), DATAGRAM_RECORDS_MAX,
      Math.floor((bytesMax - MESSAGE_HEADER_BYTES) / RECORD_BYTES)))
  }

  #writeHeader (bytes: Uint8Array, at: number, count: number): void {
    bytes.fill(0, at, at + GENEVE_HEADER_BYTES_MIN)
    bytes[at + GENEVE_AT_FLAGS] = GENEVE_FLAG_CONTROL
    writeU16(bytes, at + GENEVE_AT_PROTOCOL, ETHERTYPE_HYPERPLANE)
    const header = at + GENEVE_HEADER_BYTES_MIN
    writeU32(bytes, header + AT_MAGIC, MAGIC_VERSION)
    writeU32(bytes, header + AT_FROM, this.#own)
    writeU32(bytes, header + AT_TO, this.#peer)
    writeU32(bytes, header + AT_SEQUENCE, this.#sent)
    writeU32(bytes, header + AT_ACKNOWLEDGMENT, this.#expected)
    writeU32(bytes, header + AT_COUNT, count)
  }

  // ------------------------------------------------------------------------------------- receiving

  /**
   * Takes a datagram of the peer. Precondition: isMessage.
   * @param end first offset after it
   */
  receive (view: DataView, at: number, end: number, nowMs: number): void {
    const header = at + GENEVE_HEADER_BYTES_MIN
    const from = loadI32(view, header + AT_FROM)
    if (from !== this.#peer) {
      // A datagram of an earlier life of the peer may come late.
      if (this.#peer !== 0 && ((from - this.#peer) | 0) < 0) return
      const isFirst = this.#peer === 0
      this.#peer = from
      this.#sentMs = -Infinity
      if (!isFirst) {
        this.#restart()
        this.#user.restarted(this.hostIndex)
      }
    }
    if (loadI32(view, header + AT_TO) !== this.#own) {
      this.#mustAnswer = true // it does not know who is here now
      return
    }
    this.#takeAcknowledgment(loadI32(view, header + AT_ACKNOWLEDGMENT), nowMs)
    this.#takeRecords(view, header, end)
  }

  #takeAcknowledgment (word: number, nowMs: number): void {
    const acknowledged = this.#acked + ((word - (this.#acked | 0)) | 0)
    if (acknowledged <= this.#acked || acknowledged > this.#next) return
    const from = this.#acked
    this.#acked = acknowledged
    if (this.#sent < acknowledged) this.#sent = acknowledged
    this.#sentMs = nowMs
    this.#retransmitMs = RETRANSMIT_MS_MIN
    for (let number = from; number < acknowledged; number++) this.#confirm(number)
  }

  #takeRecords (view: DataView, header: number, end: number): void {
    const count = loadI32(view, header + AT_COUNT)
    if (count <= 0) return
    this.#mustAnswer = true
    const first = this.#expected +
      ((loadI32(view, header + AT_SEQUENCE) - (this.#expected | 0)) | 0)
    let from = header + HEADER_BYTES
    for (let item = 0; item < count && from + RECORD_BYTES <= end; item++) {
      this.#keep(first + item, view, from)
      from += RECORD_BYTES
    }
    const record = this.#received
    for (;;) { // ends: each turn takes one that is there
      const place = this.#expected % WINDOW_RECORDS
      if (this.#early[place] === 0) return
      this.#early[place] = 0
      for (let word = 0; word < RECORD_WORDS; word++) {
        record[word] = this.#earlyRecords[place * RECORD_WORDS + word]
      }
      this.#expected++
      this.#user.take(this.hostIndex, record)
    }
  }

  /** A record that may have come before its turn. */
  #keep (number: number, view: DataView, from: number): void {
    if (number < this.#expected || number >= this.#expected + WINDOW_RECORDS) return
    const place = number % WINDOW_RECORDS
    this.#early[place] = 1
    for (let word = 0; word < RECORD_WORDS; word++) {
      this.#earlyRecords[place * RECORD_WORDS + word] = loadI32(view, from + 4 * word)
    }
  }
}

/** Whether a datagram is one of the nodes' own messages. @param end first offset after it */
export function isMessage (view: DataView, at: number, end: number): boolean {
  return end - at >= MESSAGE_HEADER_BYTES &&
    loadU16(view, at + GENEVE_AT_PROTOCOL) === ETHERTYPE_HYPERPLANE &&
    view.getUint8(at) === 0 && loadI32(view, at + GENEVE_AT_VNI) === 0 &&
    loadI32(view, at + GENEVE_HEADER_BYTES_MIN + AT_MAGIC) === MAGIC_VERSION
}
