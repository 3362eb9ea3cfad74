/**
 * Impairments that a person has set: delay, jitter, loss, damage, doubles, disorder and a rate, as
 * tc-netem has them, and hosts that are cut off from each other. They stand between the NIC and the
 * router, where a queueing discipline would; the router knows nothing of them.
 *
 *     what an ENI sends      Nic.burst ─▶ takeReceived ─▶ queue ─▶ releaseReceived ─▶ router
 *     what an ENI receives   router ─▶ ┐
 *     what the host sends    router ─▶ ┴ shape ─▶ queue ─▶ shape ─▶ Nic.burst
 *
 * A worker has one of these while there is an impairment or a packet waits for one, and otherwise
 * pays one test per burst.
 *
 * A line is one direction at one place. Each packet on the wire has its own luck: a super-packet is
 * cut up first, unless the line does nothing but delay. In order: lost or doubled, damaged, refused
 * where the line's limit is reached, sent after those before it at the rate, and then delayed; what
 * is to come out of order is not delayed. Times are those of the line and not of the loop, so that
 * a rate is exact however late a pass is; a packet leaves up to a millisecond after its time.
 *
 * Damage is one bit behind the IP header, in a packet whose checksum is complete, so that whoever
 * receives it notices as on a real wire.
 */
import { Generator } from '../../base/generator.ts'
import * as geneve from '../../encap/geneve.ts'
import * as descriptor from '../../tun/descriptor.ts'
import { loadI32 } from '../../wire/bytes.ts'
import { PORT_NONE } from '../counters.ts'
import type { Counters } from '../counters.ts'
import {
  DROP_IMPAIRED_LOSS, DROP_IMPAIR_QUEUE_FULL, DROP_NONE, DROP_PARTITIONED, DROP_PORT_CLOSED,
  DROP_PORT_UNKNOWN
} from '../drop_reason.ts'
import { PacketContext } from '../packet.ts'
import type { GatherRun } from '../parking.ts'
import { completeChecksum, superHeaderBytes, writeSegment } from '../segment.ts'
import { parsePacket } from '../steps/parse.ts'
import { HOSTS_MAX } from '../tables/host_table.ts'
import { NIC_PORTS_MAX, PORTS_MAX } from '../tables/port_table.ts'
import type { Tables } from '../tables/tables.ts'
import {
  IMPAIR_AT_CORRUPT, IMPAIR_AT_DELAY_MS, IMPAIR_AT_DIRECTIONS, IMPAIR_AT_DUPLICATE,
  IMPAIR_AT_JITTER_MS, IMPAIR_AT_LIMIT, IMPAIR_AT_LOSS, IMPAIR_AT_POINT, IMPAIR_AT_RATE,
  IMPAIR_AT_REORDER, IMPAIR_EGRESS, IMPAIR_INGRESS, IMPAIR_WORDS
} from '../tables/update.ts'
import type { ImpairmentsData } from '../tables/update.ts'
import type { Transmit } from '../transmit.ts'
import {
  DELAY_QUEUE_BYTES, DelayQueue, WAIT_BYTES, WAIT_CSUM, WAIT_CSUM_FIELD, WAIT_EPOCH, WAIT_GSO_SIZE,
  WAIT_GSO_TYPE, WAIT_HEADER_BYTES, WAIT_LINE, WAIT_PEER, WAIT_SEGMENTS, WAIT_SOURCE_PORT,
  WAIT_TRAFFIC_CLASS
} from './delay_queue.ts'

const { GENEVE_BYTES, GENEVE_WORD_SOURCE_ENI } = geneve
const {
  CSUM_NEEDED, CSUM_VALID, GSO_NONE, PACKET_BYTES_MAX, PORT_UNDERLAY, RX_AT, RX_BYTES, RX_CSUM,
  RX_CSUM_FIELD, RX_GSO_SIZE, RX_GSO_TYPE, RX_PORT, RX_RUN, RX_SEGMENTS, RX_TOTAL_BYTES, RX_WORDS,
  TX_AT, TX_BYTES, TX_CSUM, TX_CSUM_FIELD, TX_GSO_SIZE, TX_GSO_TYPE, TX_HEADER_AT, TX_HEADER_BYTES,
  TX_OUTER_TRAFFIC_CLASS, TX_PEER, TX_PORT, TX_RUN, TX_SOURCE_PORT, TX_TOTAL_BYTES, TX_WORDS
} = descriptor

/** One super-packet in one piece, and one packet of it. */
const CUT_BYTES = (2 * PACKET_BYTES_MAX + 3) & -4
/** Scratch area of impairments. It costs memory only once it is written to. */
export const IMPAIR_BYTES = CUT_BYTES + 2 * DELAY_QUEUE_BYTES

/** Two lines for each port: what it sends, what it receives; those of port 0 are the host's. */
const LINES = 2 * PORTS_MAX
const INWARD = 1

/** What impairments need of the worker. */
export interface ImpairedParts {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly tx: Int32Array
  readonly tables: Tables
  readonly counters: Counters
  readonly transmit: Transmit
  /** Start of IMPAIR_BYTES bytes of the arena. */
  readonly scratchAt: number
  readonly gatherRun: GatherRun
  /** Routes what an ENI has sent: the first descriptor. */
  readonly receive: (rx: Int32Array) => void
}

export class Impairments {
  /** Milliseconds, set by the loop before it asks for anything. */
  nowMs = 0
  readonly #parts: ImpairedParts
  readonly #random: Generator
  /** What ENIs have sent, and what is to be sent to ENIs and hosts. */
  readonly #received: DelayQueue
  readonly #sending: DelayQueue
  readonly #settings = new Float64Array(PORTS_MAX * IMPAIR_WORDS)
  readonly #isImpaired = new Uint8Array(LINES)
  readonly #partitioned = new Uint8Array(HOSTS_MAX)
  /** Until when the line sends what it has been given, ms. */
  readonly #busyUntilMs = new Float64Array(LINES)
  /** [LINES] packets that wait. */
  readonly #waiting = new Int32Array(LINES)
  /** A received descriptor, or one to be sent in that form. */
  readonly #rx = new Int32Array(RX_WORDS)
  readonly #p = new PacketContext()
  readonly #cutAt: number
  #isSet = false

  constructor (parts: ImpairedParts) {
    this.#parts = parts
    this.#random = new Generator(parts.tables.flows.seed)
    this.#cutAt = parts.scratchAt
    this.#received = new DelayQueue(parts.bytes, parts.scratchAt + CUT_BYTES)
    this.#sending = new DelayQueue(parts.bytes, parts.scratchAt + CUT_BYTES + DELAY_QUEUE_BYTES)
  }

  /** False when nothing is impaired and nothing waits. */
  get isNeeded (): boolean {
    return this.#isSet || this.#received.count > 0 || this.#sending.count > 0
  }

  /** Takes up what is impaired from now on, whole. What waits at a place that is not, goes on. */
  configure ({ places, partitioned }: ImpairmentsData): void {
    this.#isSet = places.length > 0 || partitioned.length > 0
    this.#isImpaired.fill(0)
    this.#partitioned.fill(0)
    for (const hostIndex of partitioned) this.#partitioned[hostIndex] = 1
    for (let at = 0; at < places.length; at += IMPAIR_WORDS) {
      const point = places[at + IMPAIR_AT_POINT]
      this.#settings.set(places.subarray(at, at + IMPAIR_WORDS), point * IMPAIR_WORDS)
      const directions = places[at + IMPAIR_AT_DIRECTIONS]
      this.#isImpaired[2 * point] = directions & IMPAIR_EGRESS
      this.#isImpaired[2 * point + INWARD] = (directions & IMPAIR_INGRESS) === 0 ? 0 : 1
    }
    this.#busyUntilMs.fill(0)
    const isFree = (line: number): boolean => this.#isImpaired[line] === 0
    this.#received.hasten(isFree, this.nowMs)
    this.#sending.hasten(isFree, this.nowMs)
  }

  /** Milliseconds until the next packet is due; Infinity while none waits. */
  remainingMs (nowMs: number): number {
    return Math.max(0, Math.min(this.#received.dueMs, this.#sending.dueMs) - nowMs)
  }

  // ------------------------------------------------------------------------------- what ENIs send

  /**
   * Takes what impaired ENIs have sent out of the first `count` descriptors. @returns how many are
   * left
   */
  takeReceived (rx: Int32Array, count: number): number {
    const { ports } = this.#parts.tables
    let kept = 0
    for (let item = 0; item < count; item++) {
      const rxAt = item * RX_WORDS
      const nicPort = rx[rxAt + RX_PORT]
      const port = nicPort === PORT_UNDERLAY ? PORT_NONE : ports.portOfNic[nicPort]
      if (port === PORT_NONE || this.#isImpaired[2 * port] === 0) {
        if (kept !== item) rx.copyWithin(kept * RX_WORDS, rxAt, rxAt + RX_WORDS)
        kept++
        continue
      }
      for (let word = 0; word < RX_WORDS; word++) this.#rx[word] = rx[rxAt + word]
      const { record } = this.#received
      record.fill(0)
      record[WAIT_LINE] = 2 * port
      record[WAIT_EPOCH] = ports.epoch[port]
      this.#enter(this.#received, port, 0)
    }
    return kept
  }

  /** Routes what is due, as much as there is room for. */
  releaseReceived (): void {
    const queue = this.#received
    const { ports } = this.#parts.tables
    const { transmit, counters } = this.#parts
    while (queue.dueMs <= this.nowMs && transmit.canMake(1, queue.firstBytes)) {
      const at = transmit.allocate(queue.firstBytes)
      queue.take(at)
      const { record } = queue
      const line = record[WAIT_LINE]
      const port = line >>> 1
      this.#waiting[line] -= record[WAIT_SEGMENTS]
      if (ports.nicPort[port] === 0 || ports.epoch[port] !== record[WAIT_EPOCH]) {
        counters.drop(PORT_NONE, DROP_PORT_UNKNOWN, record[WAIT_SEGMENTS])
        continue
      }
      const rx = this.#rx
      rx.fill(0)
      rx[RX_PORT] = ports.nicPort[port]
      rx[RX_AT] = at
      rx[RX_BYTES] = record[WAIT_BYTES]
      rx[RX_TOTAL_BYTES] = record[WAIT_BYTES]
      rx[RX_GSO_TYPE] = record[WAIT_GSO_TYPE]
      rx[RX_GSO_SIZE] = record[WAIT_GSO_SIZE]
      rx[RX_CSUM] = record[WAIT_CSUM]
      rx[RX_CSUM_FIELD] = record[WAIT_CSUM_FIELD]
      rx[RX_SEGMENTS] = record[WAIT_SEGMENTS]
      this.#parts.receive(rx)
    }
  }

  // --------------------------------------------------------------- what ENIs receive, hosts send

  /** Takes what is impaired out of what is prepared for the NIC, and adds what is due. */
  shape (): void {
    const { tx, transmit } = this.#parts
    const { count } = transmit
    let kept = 0
    for (let item = 0; item < count; item++) {
      const txAt = item * TX_WORDS
      if (this.#takeSending(txAt)) continue
      if (kept !== item) tx.copyWithin(kept * TX_WORDS, txAt, txAt + TX_WORDS)
      kept++
    }
    transmit.count = kept
    this.#releaseSending()
  }

  /** @returns whether the descriptor waits, or was dropped */
  #takeSending (txAt: number): boolean {
    const { tx, tables, counters } = this.#parts
    const nicPort = tx[txAt + TX_PORT]
    const toUnderlay = nicPort === PORT_UNDERLAY
    if (nicPort >= NIC_PORTS_MAX) return false // a frame
    const port = toUnderlay ? 0 : tables.ports.portOfNic[nicPort]
    const line = toUnderlay ? 0 : 2 * port + INWARD
    const isCutOff = toUnderlay && this.#partitioned[tx[txAt + TX_PEER]] !== 0
    if (!isCutOff && (this.#isImpaired[line] === 0 || (port === 0 && !toUnderlay))) return false
    const owner = toUnderlay ? this.#senderOf(txAt) : port
    this.#loadSending(txAt)
    if (isCutOff) {
      counters.drop(owner, DROP_PARTITIONED, this.#segmentsOf(this.#p))
      return true
    }
    const { record } = this.#sending
    record.fill(0)
    record[WAIT_LINE] = line
    record[WAIT_EPOCH] = tables.ports.epoch[port]
    if (toUnderlay) {
      record[WAIT_PEER] = tx[txAt + TX_PEER]
      record[WAIT_SOURCE_PORT] = tx[txAt + TX_SOURCE_PORT]
      record[WAIT_TRAFFIC_CLASS] = tx[txAt + TX_OUTER_TRAFFIC_CLASS]
      record[WAIT_HEADER_BYTES] = tx[txAt + TX_HEADER_BYTES]
    }
    this.#enter(this.#sending, owner, tx[txAt + TX_HEADER_AT])
    return true
  }

  /** The ENI of this host that a packet for the underlay comes from, as its VPC header says. */
  #senderOf (txAt: number): number {
    const { tx, view, tables } = this.#parts
    if (tx[txAt + TX_HEADER_BYTES] < GENEVE_BYTES) return PORT_NONE
    const at = tx[txAt + TX_HEADER_AT] + 4 * GENEVE_WORD_SOURCE_ENI
    return tables.ports.findEni(loadI32(view, at), loadI32(view, at + 4))
  }

  #loadSending (txAt: number): void {
    const { tx } = this.#parts
    const rx = this.#rx
    rx.fill(0)
    rx[RX_AT] = tx[txAt + TX_AT]
    rx[RX_BYTES] = tx[txAt + TX_BYTES]
    rx[RX_TOTAL_BYTES] = tx[txAt + TX_TOTAL_BYTES]
    rx[RX_GSO_TYPE] = tx[txAt + TX_GSO_TYPE]
    rx[RX_GSO_SIZE] = tx[txAt + TX_GSO_SIZE]
    rx[RX_CSUM] = tx[txAt + TX_CSUM]
    rx[RX_CSUM_FIELD] = tx[txAt + TX_CSUM_FIELD]
    rx[RX_SEGMENTS] = 1
    rx[RX_RUN] = tx[txAt + TX_RUN]
    this.#p.load(rx, 0)
    if (this.#p.gsoType !== GSO_NONE) rx[RX_SEGMENTS] = this.#segmentsOf(this.#p)
  }

  /** Packets that the context is on the wire; 1 for what cannot be read. */
  #segmentsOf (p: PacketContext): number {
    const { view } = this.#parts
    if (p.gsoType === GSO_NONE || parsePacket(p, view) !== DROP_NONE) return 1
    return Math.ceil((p.totalBytes - superHeaderBytes(p, view)) / p.gsoSize)
  }

  #releaseSending (): void {
    const queue = this.#sending
    const { transmit, tables, counters, tx } = this.#parts
    while (queue.dueMs <= this.nowMs && transmit.canMake(1, queue.firstBytes)) {
      const at = transmit.allocate(queue.firstBytes)
      queue.take(at)
      const { record } = queue
      const line = record[WAIT_LINE]
      const port = line >>> 1
      const nicPort = line === 0 ? PORT_UNDERLAY : tables.ports.nicPort[port]
      this.#waiting[line] -= record[WAIT_SEGMENTS]
      if (line !== 0 && (nicPort === 0 || tables.ports.epoch[port] !== record[WAIT_EPOCH])) {
        counters.drop(PORT_NONE, DROP_PORT_CLOSED, record[WAIT_SEGMENTS])
        continue
      }
      const t = transmit.count * TX_WORDS
      tx[t + TX_PORT] = nicPort
      tx[t + TX_AT] = at
      tx[t + TX_BYTES] = record[WAIT_BYTES]
      tx[t + TX_TOTAL_BYTES] = record[WAIT_BYTES]
      tx[t + TX_GSO_TYPE] = record[WAIT_GSO_TYPE]
      tx[t + TX_GSO_SIZE] = record[WAIT_GSO_SIZE]
      tx[t + TX_CSUM] = record[WAIT_CSUM]
      tx[t + TX_CSUM_FIELD] = record[WAIT_CSUM_FIELD]
      tx[t + TX_RUN] = 0
      tx[t + TX_PEER] = record[WAIT_PEER]
      tx[t + TX_SOURCE_PORT] = record[WAIT_SOURCE_PORT]
      tx[t + TX_OUTER_TRAFFIC_CLASS] = record[WAIT_TRAFFIC_CLASS]
      tx[t + TX_HEADER_AT] = at - record[WAIT_HEADER_BYTES]
      tx[t + TX_HEADER_BYTES] = record[WAIT_HEADER_BYTES]
      transmit.count++
    }
  }

  // ---------------------------------------------------------------------------------- onto a line

  /**
   * The packet that `#rx` describes, onto the line that the queue's record names.
   * @param owner whose drop counter it is
   */
  #enter (queue: DelayQueue, owner: number, headerAt: number): void {
    const { bytes, view, gatherRun } = this.#parts
    const p = this.#p
    p.load(this.#rx, 0)
    let fromAt = p.at
    const isRead = parsePacket(p, view) === DROP_NONE
    if (p.run !== 0) {
      fromAt = this.#cutAt
      bytes.copyWithin(fromAt, p.at, p.at + p.bytes)
      gatherRun(p.run, fromAt + p.bytes, p.totalBytes - p.bytes)
    }
    const { record } = queue
    const line = record[WAIT_LINE]
    if (p.gsoType === GSO_NONE || !isRead || this.#onlyDelays(line)) {
      record[WAIT_GSO_TYPE] = p.gsoType
      record[WAIT_GSO_SIZE] = p.gsoSize
      record[WAIT_CSUM] = p.csum
      record[WAIT_CSUM_FIELD] = p.csumField
      record[WAIT_SEGMENTS] = p.segments
      record[WAIT_BYTES] = p.totalBytes
      this.#throwDice(queue, owner, fromAt, headerAt, isRead ? p.l4At - p.at : p.totalBytes)
      return
    }
    const segmentAt = this.#cutAt + PACKET_BYTES_MAX
    const headerBytes = superHeaderBytes(p, view)
    const isGood = (p.csum & (CSUM_NEEDED | CSUM_VALID)) !== 0
    p.csum = isGood ? CSUM_VALID : 0 // each packet has a checksum of its own now
    for (let segment = 0; segment < p.segments; segment++) {
      record[WAIT_SEGMENTS] = 1
      record[WAIT_CSUM] = p.csum
      record[WAIT_BYTES] = writeSegment(p, bytes, fromAt, headerBytes, segment, segmentAt)
      this.#throwDice(queue, owner, segmentAt, headerAt, p.l4At - p.at)
    }
  }

  #onlyDelays (line: number): boolean {
    const s = (line >>> 1) * IMPAIR_WORDS
    const settings = this.#settings
    return settings[s + IMPAIR_AT_JITTER_MS] === 0 && settings[s + IMPAIR_AT_LOSS] === 0 &&
      settings[s + IMPAIR_AT_CORRUPT] === 0 && settings[s + IMPAIR_AT_DUPLICATE] === 0 &&
      settings[s + IMPAIR_AT_REORDER] === 0 && settings[s + IMPAIR_AT_RATE] === 0
  }

  /** @param ipBytes of the packet at `at`: where its damage may begin */
  #throwDice (
    queue: DelayQueue, owner: number, at: number, headerAt: number, ipBytes: number
  ): void {
    const s = (queue.record[WAIT_LINE] >>> 1) * IMPAIR_WORDS
    const settings = this.#settings
    let copies = 1
    if (this.#happens(settings[s + IMPAIR_AT_DUPLICATE])) copies++
    if (this.#happens(settings[s + IMPAIR_AT_LOSS])) copies--
    if (copies === 0) {
      this.#parts.counters.drop(owner, DROP_IMPAIRED_LOSS, queue.record[WAIT_SEGMENTS])
      return
    }
    if (this.#happens(settings[s + IMPAIR_AT_CORRUPT])) this.#damage(queue.record, at, ipBytes)
    for (let copy = 0; copy < copies; copy++) this.#queue(queue, owner, at, headerAt, s)
  }

  #queue (queue: DelayQueue, owner: number, at: number, headerAt: number, s: number): void {
    const settings = this.#settings
    const { record } = queue
    const line = record[WAIT_LINE]
    const segments = record[WAIT_SEGMENTS]
    const rate = settings[s + IMPAIR_AT_RATE]
    let dueMs = this.nowMs
    if (rate > 0) {
      dueMs = Math.max(dueMs, this.#busyUntilMs[line]) + record[WAIT_BYTES] * 8000 / rate
    }
    const sentMs = dueMs
    if (!this.#happens(settings[s + IMPAIR_AT_REORDER])) {
      const jitterMs = settings[s + IMPAIR_AT_JITTER_MS]
      const swingMs = jitterMs === 0 ? 0 : jitterMs * (2 * this.#random.next() - 1)
      dueMs += Math.max(0, settings[s + IMPAIR_AT_DELAY_MS] + swingMs)
    }
    const mustWait = dueMs > this.nowMs
    if ((mustWait && this.#waiting[line] + segments > settings[s + IMPAIR_AT_LIMIT]) ||
      !queue.put(dueMs, at, headerAt)) {
      this.#parts.counters.drop(owner, DROP_IMPAIR_QUEUE_FULL, segments)
      return
    }
    this.#busyUntilMs[line] = sentMs
    this.#waiting[line] += segments
  }

  /** Turns one bit behind the IP header. */
  #damage (record: Int32Array, at: number, ipBytes: number): void {
    const { bytes } = this.#parts
    const bits = (record[WAIT_BYTES] - ipBytes) * 8
    if (bits <= 0 || record[WAIT_GSO_TYPE] !== GSO_NONE) return
    if ((record[WAIT_CSUM] & CSUM_NEEDED) !== 0) completeChecksum(this.#p, bytes, at)
    record[WAIT_CSUM] = 0
    record[WAIT_CSUM_FIELD] = 0
    const bit = Math.floor(this.#random.next() * bits)
    bytes[at + ipBytes + (bit >>> 3)] ^= 1 << (bit & 7)
  }

  #happens (chance: number): boolean { return chance > 0 && this.#random.next() < chance }
}
