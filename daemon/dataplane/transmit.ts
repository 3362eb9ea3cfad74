/**
 * What the next burst shall send: transmit descriptors, and the memory for bytes that the router
 * makes itself.
 *
 *     scratch area   [ cells: txMax × CELL_BYTES | made packets: MADE_BYTES | parking.ts ]
 *
 * Everything here lives until the next `Nic.burst` has returned; then `reset` makes it free again.
 * A VPC header is written directly before its packet, in the headroom that a received packet has,
 * so that header and packet are one piece for the NIC; where the packet is not aligned to a word,
 * or its IP header has taken that room (NAT64), it goes into the descriptor's cell instead.
 */
import { assert } from '../base/assert.ts'
import * as ecn from '../encap/ecn.ts'
import { encodeGeneve, FORWARDED_BYTES_MAX } from '../encap/geneve.ts'
import * as geneve from '../encap/geneve.ts'
import * as descriptor from '../tun/descriptor.ts'
import {
  ESP_AT, ESP_BYTES, ESP_CSUM, ESP_CSUM_FIELD, ESP_GSO_SIZE, ESP_GSO_TYPE
} from '../tun/esp_descriptor.ts'
import { ipv4DecrementTtl, ipv4SetTrafficClass } from '../wire/ipv4.ts'
import * as ipv4 from '../wire/ipv4.ts'
import { ipv6DecrementHopLimit, ipv6SetTrafficClass } from '../wire/ipv6.ts'
import * as action from './action.ts'
import type { PacketContext } from './packet.ts'
import type { PortTable } from './tables/port_table.ts'

// Constants of other modules, made this module's own: V8 folds a module's own into the code, and
// loads imported ones from memory, checked, at each use (CONTRIBUTING.md, "Hot code").
const { ECN_MASK } = ecn
const {
  DESTINATION_OPTION_WORD, FIRST_WORD_IPV4, FIRST_WORD_IPV6, GENEVE_BYTES,
  GENEVE_WORD_DESTINATION_ENI, GENEVE_WORD_DESTINATION_OPTION, GENEVE_WORD_FIRST,
  GENEVE_WORD_SOURCE_ENI, GENEVE_WORD_SOURCE_OPTION, GENEVE_WORD_VNI, SOURCE_OPTION_WORD
} = geneve
const {
  FRAME_PORTS, PORT_UNDERLAY, RX_HEADROOM_BYTES, TX_AT, TX_BYTES, TX_CSUM, TX_CSUM_FIELD,
  TX_GSO_SIZE, TX_GSO_TYPE, TX_HEADER_AT, TX_HEADER_BYTES, TX_HEADER_BYTES_MAX,
  TX_OUTER_TRAFFIC_CLASS, TX_PEER, TX_PORT, TX_RUN, TX_SOURCE_PORT, TX_TOTAL_BYTES, TX_WORDS
} = descriptor
const { IPV4_VERSION } = ipv4
const { ACTION_DELIVER, ACTION_SEAL, ACTION_UPLINK } = action

/** One port for all messages between nodes: the underlay keeps them in order. */
const RAW_SOURCE_PORT = 49_152
const CELL_BYTES = TX_HEADER_BYTES_MAX
assert(FORWARDED_BYTES_MAX <= CELL_BYTES, 'a cell holds the VPC header of a forwarded packet')
/** Memory for fragments and ICMP errors of one burst: twelve of the largest packets. */
export const MADE_BYTES = 1_048_576
/** Made packets start at cache lines. */
const ALIGN_BYTES = 64

/** Bytes of scratch area that `Transmit` takes at its start. */
export function transmitBytes (txMax: number): number {
  return txMax * CELL_BYTES + MADE_BYTES
}

export class Transmit {
  /** Descriptors written for the next burst. */
  count = 0
  /** Takes what goes into a VPN tunnel, where there are tunnels. */
  tunnels: { sealFragment(p: PacketContext): void } | null = null
  /** Where bytes of the arena begin that have no headroom before each packet. */
  bareAt: number
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #words: Int32Array
  readonly #tx: Int32Array
  readonly #txMax: number
  readonly #cellsAt: number
  readonly #madeAt: number
  #madeBytes = 0
  #identification = 0

  /** @param scratchAt start of transmitBytes(txMax) bytes of the arena */
  constructor (
    bytes: Uint8Array, words: Int32Array, tx: Int32Array, txMax: number, scratchAt: number
  ) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#words = words
    this.#tx = tx
    this.#txMax = txMax
    this.#cellsAt = scratchAt
    this.#madeAt = scratchAt + txMax * CELL_BYTES
    this.bareAt = bytes.length
  }

  /** The burst has sent everything. */
  reset (): void {
    this.count = 0
    this.#madeBytes = 0
  }

  /** How many descriptors more fit. */
  get room (): number { return this.#txMax - this.count }

  /** Whether `descriptors` more fit. */
  hasRoom (descriptors: number): boolean {
    return this.count + descriptors <= this.#txMax
  }

  /** Whether the byte at `at` of the arena is of a made packet. */
  hasMade (at: number): boolean { return at >= this.#madeAt && at < this.#madeAt + MADE_BYTES }

  /** Whether `packets` made packets of `bytesSum` bytes together fit, descriptors and memory. */
  canMake (packets: number, bytesSum: number): boolean {
    return this.hasRoom(packets) &&
      this.#madeBytes + packets * (RX_HEADROOM_BYTES + ALIGN_BYTES) + bytesSum <= MADE_BYTES
  }

  /**
   * Memory for a packet, with headroom before it. @returns its offset in the arena, or -1 when all
   * is in use
   */
  allocate (packetBytes: number): number {
    const whole = (RX_HEADROOM_BYTES + packetBytes + ALIGN_BYTES - 1) & -ALIGN_BYTES
    if (this.#madeBytes + whole > MADE_BYTES) return -1
    const at = this.#madeAt + this.#madeBytes + RX_HEADROOM_BYTES
    this.#madeBytes += whole
    return at
  }

  /**
   * IPv4 identifications for `packets` packets that had none (RFC 6864 §4), counting up.
   * @returns the first
   */
  takeIdentifications (packets: number): number {
    const first = this.#identification
    this.#identification = (first + packets) & 0xffff
    return first
  }

  /** Sends the packet as its `action` and `target` say. Precondition: hasRoom(1). */
  send (p: PacketContext, ports: PortTable): void {
    if (p.action === ACTION_DELIVER) this.deliver(p, ports.nicPort[p.target])
    else if (p.action === ACTION_UPLINK) this.deliver(p, p.target)
    else if (p.action === ACTION_SEAL) this.tunnels?.sealFragment(p)
    else this.encapsulate(p, p.target, p.sourcePort, p.header, 0)
  }

  /** Writes the packet to a port of the NIC. Precondition: hasRoom(1). */
  deliver (p: PacketContext, nicPort: number): void {
    this.#describe(p, nicPort)
    this.count++
  }

  /**
   * Sends the packet to a host, inside a VPC header. Precondition: hasRoom(1).
   * @param header array that holds VNI and ENI ids in the byte order of the wire, five words from
   *   `headerAt`
   */
  encapsulate (
    p: PacketContext, peer: number, sourcePort: number, header: Int32Array, headerAt: number
  ): void {
    const t = this.#describe(p, PORT_UNDERLAY)
    const cellAt = (p.at & 3) === 0 && p.hasGrown === 0 && p.at < this.bareAt
      ? p.at - GENEVE_BYTES
      : this.#cellsAt + this.count * CELL_BYTES
    const words = this.#words
    const cell = cellAt >>> 2
    words[cell + GENEVE_WORD_FIRST] = p.version === IPV4_VERSION ? FIRST_WORD_IPV4 : FIRST_WORD_IPV6
    words[cell + GENEVE_WORD_VNI] = header[headerAt]
    words[cell + GENEVE_WORD_SOURCE_OPTION] = SOURCE_OPTION_WORD
    words[cell + GENEVE_WORD_SOURCE_ENI] = header[headerAt + 1]
    words[cell + GENEVE_WORD_SOURCE_ENI + 1] = header[headerAt + 2]
    words[cell + GENEVE_WORD_DESTINATION_OPTION] = DESTINATION_OPTION_WORD
    words[cell + GENEVE_WORD_DESTINATION_ENI] = header[headerAt + 3]
    words[cell + GENEVE_WORD_DESTINATION_ENI + 1] = header[headerAt + 4]
    const tx = this.#tx
    tx[t + TX_PEER] = peer
    tx[t + TX_SOURCE_PORT] = sourcePort
    tx[t + TX_OUTER_TRAFFIC_CLASS] =
      p.trafficClass // DSCP and ECN are copied outward, RFC 6040 §4.1
    tx[t + TX_HEADER_AT] = cellAt
    tx[t + TX_HEADER_BYTES] = GENEVE_BYTES
    this.count++
  }

  /**
   * The same with a VPC header that stands ready, `headerBytes` at `headerAt`. Precondition:
   * hasRoom(1).
   */
  encapsulateAs (
    p: PacketContext, peer: number, sourcePort: number, headerAt: number, headerBytes: number
  ): void {
    const t = this.#describe(p, PORT_UNDERLAY)
    const tx = this.#tx
    tx[t + TX_PEER] = peer
    tx[t + TX_SOURCE_PORT] = sourcePort
    tx[t + TX_OUTER_TRAFFIC_CLASS] = p.trafficClass
    tx[t + TX_HEADER_AT] = headerAt
    tx[t + TX_HEADER_BYTES] = headerBytes
    this.count++
  }

  /**
   * Sends a packet from the underlay on to another host, behind a VPC header as `p.geneve` says
   * (without flow cookie). Precondition: hasRoom(1).
   */
  forward (p: PacketContext, peer: number): void {
    const t = this.count * TX_WORDS
    const headerAt = this.#cellsAt + this.count * CELL_BYTES
    const headerBytes = encodeGeneve(this.#bytes, headerAt, p.geneve)
    this.encapsulateAs(p, peer, p.sourcePort, headerAt, headerBytes)
    // Congestion on its first way counts, too: it reaches the inner packet where the second ends.
    this.#tx[t + TX_OUTER_TRAFFIC_CLASS] = p.outerTrafficClass
  }

  /**
   * Sends bytes to a host as they are, without a header of ours. Precondition: hasRoom(1).
   * @param at start of `count` bytes of the arena that live until the burst is over
   */
  sendRaw (at: number, count: number, peer: number): void {
    const tx = this.#tx
    const t = this.#describeBytes(at, count, PORT_UNDERLAY)
    tx[t + TX_PEER] = peer
    tx[t + TX_SOURCE_PORT] = RAW_SOURCE_PORT
    this.count++
  }

  /**
   * Sends a frame of ours, whole, to the guest of a TAP. Precondition: hasRoom(1).
   * @param at start of `count` bytes of the arena that live until the burst is over
   */
  sendFrame (at: number, count: number, nicPort: number): void {
    this.#describeBytes(at, count, nicPort + FRAME_PORTS)
    this.count++
  }

  /**
   * Writes a packet of ESP (tun/esp_descriptor.ts) to a port of the NIC. Precondition: hasRoom(1).
   * @param words its descriptor, ESP_WORDS from `at`
   */
  sendAsIs (words: Int32Array, at: number, nicPort: number): void {
    const tx = this.#tx
    const t = this.#describeBytes(words[at + ESP_AT], words[at + ESP_BYTES], nicPort)
    tx[t + TX_GSO_TYPE] = words[at + ESP_GSO_TYPE]
    tx[t + TX_GSO_SIZE] = words[at + ESP_GSO_SIZE]
    tx[t + TX_CSUM] = words[at + ESP_CSUM]
    tx[t + TX_CSUM_FIELD] = words[at + ESP_CSUM_FIELD]
    this.count++
  }

  /** The descriptor of `count` bytes at `at`, all else of it 0. @returns its offset */
  #describeBytes (at: number, count: number, nicPort: number): number {
    const tx = this.#tx
    const t = this.count * TX_WORDS
    tx.fill(0, t, t + TX_WORDS)
    tx[t + TX_PORT] = nicPort
    tx[t + TX_AT] = at
    tx[t + TX_BYTES] = count
    tx[t + TX_TOTAL_BYTES] = count
    return t
  }

  #describe (p: PacketContext, nicPort: number): number {
    const tx = this.#tx
    const t = this.count * TX_WORDS
    tx[t + TX_PORT] = nicPort
    tx[t + TX_AT] = p.at
    tx[t + TX_BYTES] = p.bytes
    tx[t + TX_TOTAL_BYTES] = p.totalBytes
    tx[t + TX_GSO_TYPE] = p.gsoType
    tx[t + TX_GSO_SIZE] = p.gsoSize
    tx[t + TX_CSUM] = p.csum
    tx[t + TX_CSUM_FIELD] = p.csumField
    tx[t + TX_RUN] = p.run
    return t
  }

  /** Takes one off TTL or hop limit, in place. */
  decrementTtl (p: PacketContext): void {
    if (p.version === IPV4_VERSION) ipv4DecrementTtl(this.#view, p.at)
    else ipv6DecrementHopLimit(this.#bytes, p.at)
  }

  /** Puts the ECN field `p.ecn` into the header, in place, where it differs. */
  writeCongestion (p: PacketContext): void {
    const trafficClass = (p.trafficClass & ~ECN_MASK) | p.ecn
    if (trafficClass === p.trafficClass) return
    if (p.version === IPV4_VERSION) ipv4SetTrafficClass(this.#bytes, p.at, trafficClass)
    else ipv6SetTrafficClass(this.#bytes, p.at, trafficClass)
    p.trafficClass = trafficClass
  }
}
