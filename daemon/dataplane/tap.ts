/**
 * The tap: copies packets into a capture ring while somebody captures on this host. The router has
 * none otherwise (`router.tap` is null), and then pays one test per burst.
 *
 *     ENI, outbound     what the guest sent, as it came, before the router changes it
 *     ENI, inbound      what is about to be written to its device
 *     host, inbound     what came by the underlay, VPC header and all
 *     host, outbound    what is about to be sent over the underlay
 *     tunnel, outside   IKE and ESP of its outside address, as they come and go by the uplink
 *     tunnel, inside    what was in the ESP, or is about to be sealed; ESP that cannot be opened
 *
 * A received packet is copied first and published when its fate is known, so that a dropped one has
 * its reason with it:
 *
 *     before ─ copy ─▶ router ─▶ after ─▶ published with the reason | given back when it is parked
 *
 * Until then it is held, since the router may send or seal other packets meanwhile.
 *
 * A packet that is dropped on the receiver's side of an ENI is seen there as well, inbound. A
 * parked packet is captured when it is taken up again, or given up. What the tap copies are
 * super-packets where the router handles super-packets. The tap changes no packet, and what it
 * finds no room for it counts (capture_ring.ts).
 */
import {
  GENEVE_AT_VERSION_OPTIONS, GENEVE_HEADER_BYTES_MIN, GENEVE_OPTION_LENGTH_MASK
} from '../encap/geneve.ts'
import {
  GSO_ECN, GSO_NONE, GSO_UDP, PACKET_BYTES_MAX, PORT_UNDERLAY, RX_AT, RX_BYTES, RX_CSUM,
  RX_CSUM_FIELD, RX_GSO_SIZE, RX_GSO_TYPE, RX_OUTER_TRAFFIC_CLASS, RX_PORT, RX_RUN, RX_SEGMENTS,
  RX_SOURCE_AT, RX_TOTAL_BYTES, TX_AT, TX_BYTES, TX_CSUM, TX_CSUM_FIELD, TX_GSO_SIZE, TX_GSO_TYPE,
  TX_HEADER_AT, TX_HEADER_BYTES, TX_HEADER_BYTES_MAX, TX_OUTER_TRAFFIC_CLASS, TX_PEER, TX_PORT,
  TX_RUN, TX_SOURCE_PORT, TX_TOTAL_BYTES, TX_WORDS
} from '../tun/descriptor.ts'
import {
  ESP_AT, ESP_BYTES, ESP_CSUM, ESP_CSUM_FIELD, ESP_GSO_SIZE, ESP_GSO_TYPE
} from '../tun/esp_descriptor.ts'
import type { SharedMemory } from '../tun/shared_memory.ts'
import { ADDRESS_WORDS } from '../wire/address.ts'
import { readI32, readU16 } from '../wire/bytes.ts'
import {
  IPV4_AT_DST, IPV4_AT_SRC, IPV4_HEADER_BYTES_MIN, IPV4_VERSION, ipv4HeaderBytes
} from '../wire/ipv4.ts'
import { IPV6_HEADER_BYTES } from '../wire/ipv6.ts'
import { TCP_AT_DATA_OFFSET } from '../wire/tcp.ts'
import { UDP_HEADER_BYTES } from '../wire/udp.ts'
import {
  CaptureRingWriter, DIRECTION_INBOUND, DIRECTION_OUTBOUND, POINT_UNDERLAY, pointInside,
  pointOutside, POINTS_MAX, RECORD_CSUM, RECORD_CSUM_FIELD, RECORD_DIRECTION, RECORD_ENI_HIGH,
  RECORD_ENI_LOW, RECORD_GSO_SIZE, RECORD_GSO_TYPE, RECORD_HEADER_BYTES, RECORD_MASK,
  RECORD_PACKET_BYTES, RECORD_PEER_ADDRESS, RECORD_POINT, RECORD_REASON, RECORD_SOURCE_PORT,
  RECORD_TIME, RECORD_TOTAL_BYTES, RECORD_TRAFFIC_CLASS, RECORD_TUNNEL
} from './capture_ring.ts'
import { COUNT_PARKED, PORT_NONE } from './counters.ts'
import type { Counters } from './counters.ts'
import { DROP_NONE } from './drop_reason.ts'
import type { PacketContext } from './packet.ts'
import type { GatherRun } from './parking.ts'
import { PORTS_MAX } from './tables/port_table.ts'
import type { Tables } from './tables/tables.ts'
import { CAPTURE_POINT_WORDS } from './tables/update.ts'
import type { CaptureMessage } from './tables/update.ts'
import { PORT_TUNNEL } from './vpn_port.ts'

/** Scratch area of a tap: the pieces of one run. */
export const TAP_BYTES = (PACKET_BYTES_MAX + TX_HEADER_BYTES_MAX + 3) & -4
/** Outer source address at RX_SOURCE_AT; its port follows. */
const SOURCE_ADDRESS_BYTES = 16

/** Whether what is received at a point is inbound there; at an ENI it is what the guest sends. */
function isReceivedInbound (point: number): boolean {
  return point === POINT_UNDERLAY || point >= PORTS_MAX
}

/** What the tap needs of the worker. */
export interface TapParts {
  readonly bytes: Uint8Array
  readonly tables: Tables
  readonly counters: Counters
  /** Start of TAP_BYTES bytes of the arena. */
  readonly scratchAt: number
  readonly gatherRun: GatherRun
  /** Tunnel whose inside address is at a port of the NIC; 0: none. */
  readonly tunnelInside: (nicPort: number) => number
  /** ns of the machine's monotonic clock, which control reads too. */
  readonly nowNs: () => number
}

/** Where a packet lies and what it is, whichever descriptor names it. */
interface Subject {
  /** The IP header, or the VPC header of what came by the underlay. */
  at: number
  bytes: number
  totalBytes: number
  run: number
  gsoType: number
  gsoSize: number
  csum: number
  csumField: number
  segments: number
  /** VPC header: where, and how long; 0 bytes for none. */
  headerAt: number
  headerBytes: number
}

export class Tap {
  readonly #parts: TapParts
  /** The memory that captured packets go to. */
  readonly ring: SharedMemory
  readonly #ring: CaptureRingWriter
  #snapBytes = 0
  // [POINTS_MAX] captures that want every packet, or the dropped ones, of a point and direction.
  readonly #inbound = new Int32Array(POINTS_MAX)
  readonly #inboundDrops = new Int32Array(POINTS_MAX)
  readonly #outbound = new Int32Array(POINTS_MAX)
  readonly #outboundDrops = new Int32Array(POINTS_MAX)
  /** Outside addresses of the tunnels that are captured, by their number. */
  #tunnels: Int32Array = new Int32Array(0)
  readonly #subject: Subject = {
    at: 0, bytes: 0, totalBytes: 0, run: 0, gsoType: 0, gsoSize: 0, csum: 0, csumField: 0,
    segments: 0, headerAt: 0, headerBytes: 0
  }

  /** Offset of the reserved record of the received packet: -1 full, -2 nobody wants it. */
  #pendingAt = -2
  #parkedBefore = 0
  #nowNs = 0

  /** @param buffer the memory that `ring` names */
  constructor (parts: TapParts, ring: SharedMemory, buffer: ArrayBufferLike) {
    this.#parts = parts
    this.ring = ring
    this.#ring = new CaptureRingWriter(buffer)
  }

  /** Takes up what is to be captured from now on, whole. */
  configure (message: CaptureMessage): void {
    const { points } = message
    this.#snapBytes = message.snapBytes
    for (const masks of [this.#inbound, this.#inboundDrops, this.#outbound, this.#outboundDrops]) {
      masks.fill(0)
    }
    for (let at = 0; at < points.length; at += CAPTURE_POINT_WORDS) {
      const point = points[at]
      this.#inbound[point] = points[at + 1]
      this.#inboundDrops[point] = points[at + 2]
      this.#outbound[point] = points[at + 3]
      this.#outboundDrops[point] = points[at + 4]
    }
    this.#tunnels = message.tunnels
    this.#ring.takeUp(message.epoch)
  }

  /** Reads the clock; once per burst, and all its packets have this time. */
  startBurst (): void { this.#nowNs = this.#parts.nowNs() }

  /** A received packet, before the router sees it. */
  before (rx: Int32Array, rxAt: number): void {
    const { counters } = this.#parts
    counters.droppedReason = DROP_NONE
    this.#parkedBefore = counters.words[COUNT_PARKED]
    this.#pendingAt = -2
    const point = this.#pointOf(rx, rxAt)
    if (point < 0) return
    const wanted = isReceivedInbound(point)
      ? this.#inbound[point] | this.#inboundDrops[point]
      : this.#outbound[point] | this.#outboundDrops[point]
    if (wanted === 0) return
    this.#loadReceived(rx, rxAt)
    this.#pendingAt = this.#write(point)
    if (this.#pendingAt < 0) return
    if (point === POINT_UNDERLAY) this.#writeOuterSource(this.#pendingAt, rx, rxAt)
    this.#ring.hold(this.#pendingAt)
  }

  /** The same packet, when the router is done with it. */
  after (rx: Int32Array, rxAt: number): void {
    const { counters } = this.#parts
    if (counters.words[COUNT_PARKED] !== this.#parkedBefore) { // it comes again
      if (this.#pendingAt >= 0) this.#ring.release(false)
      return
    }
    this.#settle(rx, rxAt, counters.droppedPort, counters.droppedReason)
  }

  /** A parked packet, the descriptor at the start of `rx`, is given up. */
  expired (rx: Int32Array, portIndex: number, reason: number): void {
    this.startBurst()
    this.before(rx, 0)
    this.#settle(rx, 0, portIndex, reason)
  }

  /** What the next burst sends: the first `count` descriptors of `tx`. */
  transmitted (tx: Int32Array, count: number): void {
    const { tables } = this.#parts
    if (count > 0) this.startBurst()
    for (let packet = 0; packet < count; packet++) {
      const txAt = packet * TX_WORDS
      const point = this.#pointOfTransmitted(tx, txAt)
      if (point < 0) continue
      const toUnderlay = point === POINT_UNDERLAY
      const isOutbound = toUnderlay || tx[txAt + TX_PORT] === tables.uplinkNicPort
      const mask = isOutbound ? this.#outbound[point] : this.#inbound[point]
      if (mask === 0) continue
      this.#loadTransmitted(tx, txAt, toUnderlay)
      const at = this.#write(point)
      if (toUnderlay && at >= 0) this.#writeOuterPeer(at, tx, txAt)
      if (this.#finish(at, point, isOutbound ? DIRECTION_OUTBOUND : DIRECTION_INBOUND, mask,
        DROP_NONE, point)) this.#ring.publish()
    }
  }

  /** A packet that goes into a tunnel, before it is sealed. @param reason DROP_*: it does not */
  sealing (p: PacketContext, tunnel: number, reason: number): void {
    const point = this.#tunnelPoint(tunnel, pointInside)
    if (point < 0) return
    const mask = this.#outbound[point] | (reason === DROP_NONE ? 0 : this.#outboundDrops[point])
    if (mask === 0) return
    this.#loadContext(p)
    if (this.#finish(this.#write(point), point, DIRECTION_OUTBOUND, mask, reason, PORT_NONE)) {
      this.#ring.publish()
    }
  }

  /** ESP that was received, and could not be opened. @param words a job of ESP, at `at` */
  unopened (words: Int32Array, at: number, tunnel: number, reason: number): void {
    const point = this.#tunnelPoint(tunnel, pointInside)
    if (point < 0) return
    const mask = this.#inbound[point] | this.#inboundDrops[point]
    if (mask === 0) return
    this.startBurst()
    this.#loadJob(words, at)
    if (this.#finish(this.#write(point), point, DIRECTION_INBOUND, mask, reason, PORT_NONE)) {
      this.#ring.publish()
    }
  }

  /** @returns where a received packet is seen, or -1: at a device that is no point */
  #pointOf (rx: Int32Array, rxAt: number): number {
    const { bytes, tables } = this.#parts
    const nicPort = rx[rxAt + RX_PORT]
    if (nicPort === PORT_UNDERLAY) return POINT_UNDERLAY
    if (this.#tunnels.length > 0) {
      if (nicPort === PORT_TUNNEL) {
        return this.#tunnelPoint(readI32(bytes, rx[rxAt + RX_SOURCE_AT]), pointInside)
      }
      if (nicPort === tables.uplinkNicPort) {
        return this.#pointOutside(rx[rxAt + RX_AT], rx[rxAt + RX_BYTES], IPV4_AT_DST)
      }
    }
    const port = tables.ports.portOfNic[nicPort]
    return port === PORT_NONE ? -1 : port
  }

  /** @returns where a packet that is sent is seen, or -1 */
  #pointOfTransmitted (tx: Int32Array, txAt: number): number {
    const { tables, tunnelInside } = this.#parts
    const nicPort = tx[txAt + TX_PORT]
    if (nicPort === PORT_UNDERLAY) return POINT_UNDERLAY
    const port = tables.ports.portOfNic[nicPort]
    if (port !== PORT_NONE) return port
    if (this.#tunnels.length === 0) return -1
    return nicPort === tables.uplinkNicPort
      ? this.#pointOutside(tx[txAt + TX_AT], tx[txAt + TX_BYTES], IPV4_AT_SRC)
      : this.#tunnelPoint(tunnelInside(nicPort), pointInside)
  }

  /** @param offset of the address that may be a tunnel's */
  #pointOutside (at: number, count: number, offset: number): number {
    const { bytes } = this.#parts
    if (count < IPV4_HEADER_BYTES_MIN || bytes[at] >>> 4 !== IPV4_VERSION) return -1
    return this.#tunnelPoint(readI32(bytes, at + offset), pointOutside)
  }

  #tunnelPoint (tunnel: number, pointOf: (index: number) => number): number {
    const index = this.#tunnels.indexOf(tunnel | 0)
    return index < 0 ? -1 : pointOf(index)
  }

  /** The fate of the received packet is known: who wants it gets it. */
  #settle (rx: Int32Array, rxAt: number, droppedPort: number, reason: number): void {
    const point = this.#pointOf(rx, rxAt)
    if (point < 0) return
    const isIngress = isReceivedInbound(point)
    const droppedHere = reason !== DROP_NONE && (isIngress || droppedPort === point)
    if (this.#pendingAt !== -2) {
      let mask = isIngress ? this.#inbound[point] : this.#outbound[point]
      if (droppedHere) mask |= isIngress ? this.#inboundDrops[point] : this.#outboundDrops[point]
      const isWanted = mask !== 0 && this.#finish(this.#pendingAt, point,
        isIngress ? DIRECTION_INBOUND : DIRECTION_OUTBOUND, mask, droppedHere ? reason : DROP_NONE,
        isIngress && !droppedHere ? PORT_NONE : isIngress ? droppedPort : point)
      if (this.#pendingAt >= 0) this.#ring.release(isWanted)
    }
    if (reason === DROP_NONE || droppedPort === PORT_NONE || droppedPort === point) return
    const mask = this.#inbound[droppedPort] | this.#inboundDrops[droppedPort]
    if (mask === 0) return
    // The router drops on the receiver's side before it changes anything.
    this.#loadReceived(rx, rxAt)
    this.#subject.headerBytes = 0
    if (this.#finish(this.#write(droppedPort), droppedPort, DIRECTION_INBOUND, mask, reason,
      droppedPort)) this.#ring.publish()
  }

  #loadReceived (rx: Int32Array, rxAt: number): void {
    const s = this.#subject
    const at = rx[rxAt + RX_AT]
    let headerBytes = 0
    if (rx[rxAt + RX_PORT] === PORT_UNDERLAY) {
      const options = this.#parts.bytes[at + GENEVE_AT_VERSION_OPTIONS] & GENEVE_OPTION_LENGTH_MASK
      headerBytes = Math.min(GENEVE_HEADER_BYTES_MIN + 4 * options, rx[rxAt + RX_BYTES])
    }
    s.headerAt = at
    s.headerBytes = headerBytes
    s.at = at + headerBytes
    s.bytes = rx[rxAt + RX_BYTES] - headerBytes
    s.totalBytes = rx[rxAt + RX_TOTAL_BYTES] - headerBytes
    s.run = rx[rxAt + RX_RUN]
    s.gsoType = rx[rxAt + RX_GSO_TYPE]
    s.gsoSize = rx[rxAt + RX_GSO_SIZE]
    s.csum = rx[rxAt + RX_CSUM]
    s.csumField = rx[rxAt + RX_CSUM_FIELD]
    s.segments = rx[rxAt + RX_SEGMENTS]
  }

  #loadTransmitted (tx: Int32Array, txAt: number, toUnderlay: boolean): void {
    const s = this.#subject
    s.headerAt = tx[txAt + TX_HEADER_AT]
    s.headerBytes = toUnderlay ? tx[txAt + TX_HEADER_BYTES] : 0
    s.at = tx[txAt + TX_AT]
    s.bytes = tx[txAt + TX_BYTES]
    s.totalBytes = tx[txAt + TX_TOTAL_BYTES]
    s.run = tx[txAt + TX_RUN]
    s.gsoType = tx[txAt + TX_GSO_TYPE]
    s.gsoSize = tx[txAt + TX_GSO_SIZE]
    s.csum = tx[txAt + TX_CSUM]
    s.csumField = tx[txAt + TX_CSUM_FIELD]
    this.#countSegments()
  }

  /** A packet that the router has taken, without its VPC header. */
  #loadContext (p: PacketContext): void {
    const s = this.#subject
    s.at = p.at
    s.totalBytes = p.totalBytes
    s.gsoType = p.gsoType
    s.gsoSize = p.gsoSize
    s.csum = p.csum
    s.csumField = p.csumField
    this.#endLoad(p.bytes, p.run)
  }

  #loadJob (words: Int32Array, at: number): void {
    const s = this.#subject
    s.at = words[at + ESP_AT]
    s.totalBytes = words[at + ESP_BYTES]
    s.gsoType = words[at + ESP_GSO_TYPE]
    s.gsoSize = words[at + ESP_GSO_SIZE]
    s.csum = words[at + ESP_CSUM]
    s.csumField = words[at + ESP_CSUM_FIELD]
    this.#endLoad(words[at + ESP_BYTES], 0)
  }

  /** @param count bytes at `at` @param run where the others are */
  #endLoad (count: number, run: number): void {
    const s = this.#subject
    s.headerBytes = 0
    s.bytes = count
    s.run = run
    this.#countSegments()
  }

  #countSegments (): void {
    const s = this.#subject
    s.segments = s.gsoType === GSO_NONE
      ? 1
      : Math.ceil((s.totalBytes - this.#headersBytes(s.at, s.gsoType)) / s.gsoSize)
  }

  /** Bytes of the headers of a super-packet that the router has parsed. */
  #headersBytes (at: number, gsoType: number): number {
    const { bytes } = this.#parts
    const ipBytes = (bytes[at] >>> 4) === IPV4_VERSION
      ? ipv4HeaderBytes(bytes, at)
      : IPV6_HEADER_BYTES
    if ((gsoType & ~GSO_ECN) === GSO_UDP) return ipBytes + UDP_HEADER_BYTES
    return ipBytes + ((bytes[at + ipBytes + TCP_AT_DATA_OFFSET] >>> 4) << 2)
  }

  /** Copies the subject into a reserved record. @returns its offset, or -1 when there is no room */
  #write (point: number): number {
    const ring = this.#ring
    const { bytes } = this.#parts
    const s = this.#subject
    const isSuper = s.gsoType !== GSO_NONE
    const wantedBytes = isSuper ? s.totalBytes : Math.min(s.totalBytes, this.#snapBytes)
    const at = ring.reserve(s.headerBytes + wantedBytes)
    if (at < 0) return at
    const contentAt = ring.contentAt(at)
    const packetAt = contentAt + s.headerBytes
    const firstBytes = Math.min(s.bytes, wantedBytes)
    ring.bytes.set(bytes.subarray(s.headerAt, s.headerAt + s.headerBytes), contentAt)
    ring.bytes.set(bytes.subarray(s.at, s.at + firstBytes), packetAt)
    const piecesBytes = wantedBytes - firstBytes
    if (piecesBytes > 0) this.#copyRun(packetAt + firstBytes, piecesBytes)
    const word = at >>> 2
    const { words } = ring
    words[word + RECORD_POINT] = point
    words[word + RECORD_HEADER_BYTES] = s.headerBytes
    ring.doubles[(word + RECORD_TIME) >>> 1] = this.#nowNs
    words[word + RECORD_TOTAL_BYTES] = s.totalBytes
    words[word + RECORD_PACKET_BYTES] = wantedBytes
    words[word + RECORD_GSO_TYPE] = s.gsoType
    words[word + RECORD_GSO_SIZE] = s.gsoSize
    words[word + RECORD_CSUM] = s.csum
    words[word + RECORD_CSUM_FIELD] = s.csumField
    if (point >= PORTS_MAX) words[word + RECORD_TUNNEL] = this.#tunnels[(point - PORTS_MAX) >>> 1]
    return at
  }

  #copyRun (to: number, piecesBytes: number): void {
    const { bytes, scratchAt, gatherRun } = this.#parts
    gatherRun(this.#subject.run, scratchAt, TAP_BYTES)
    this.#ring.bytes.set(bytes.subarray(scratchAt, scratchAt + piecesBytes), to)
  }

  /**
   * Completes what #write answered, or counts it as lost. @param eniPort of the ENI that the record
   * names, PORT_NONE for none @returns whether there is a record
   */
  #finish (
    at: number, point: number, direction: number, mask: number, reason: number, eniPort: number
  ): boolean {
    if (at < 0) {
      this.#ring.lose(point, mask, this.#subject.segments)
      return false
    }
    const word = at >>> 2
    const { words } = this.#ring
    const { ports } = this.#parts.tables
    words[word + RECORD_DIRECTION] = direction
    words[word + RECORD_MASK] = mask
    words[word + RECORD_REASON] = reason
    const eni = point < PORTS_MAX ? eniPort : PORT_NONE
    words[word + RECORD_ENI_HIGH] = ports.eniHigh[eni]
    words[word + RECORD_ENI_LOW] = ports.eniLow[eni]
    return true
  }

  #writeOuterSource (at: number, rx: Int32Array, rxAt: number): void {
    const { bytes } = this.#parts
    const { words } = this.#ring
    const sourceAt = rx[rxAt + RX_SOURCE_AT]
    const word = at >>> 2
    words[word + RECORD_SOURCE_PORT] = readU16(bytes, sourceAt + SOURCE_ADDRESS_BYTES)
    words[word + RECORD_TRAFFIC_CLASS] = rx[rxAt + RX_OUTER_TRAFFIC_CLASS]
    for (let part = 0; part < ADDRESS_WORDS; part++) {
      words[word + RECORD_PEER_ADDRESS + part] = readI32(bytes, sourceAt + 4 * part)
    }
  }

  #writeOuterPeer (at: number, tx: Int32Array, txAt: number): void {
    const { addresses } = this.#parts.tables.hosts
    const { words } = this.#ring
    const word = at >>> 2
    words[word + RECORD_SOURCE_PORT] = tx[txAt + TX_SOURCE_PORT]
    words[word + RECORD_TRAFFIC_CLASS] = tx[txAt + TX_OUTER_TRAFFIC_CLASS]
    for (let part = 0; part < ADDRESS_WORDS; part++) {
      words[word + RECORD_PEER_ADDRESS + part] =
        addresses[tx[txAt + TX_PEER] * ADDRESS_WORDS + part]
    }
  }
}
