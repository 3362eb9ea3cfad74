/**
 * VPN tunnels of an edge's worker: between the router and ESP (tun/esp.ts), which works in batches.
 *
 *     uplink ── to an outside address ──┬─ UDP 500, ESP's word ─▶ [ike] charon
 *                                       └─ open ─┬─ to the inside address ─▶ [inside] BGP
 *                                                └─ PORT_TUNNEL ─▶ router ─▶ VPC
 *     uplink ◀── seal ◀── waiting ◀── router, [inside]
 *     uplink ◀── from an outside address ◀── [ike]
 *
 * Packets wait until `flush`, which the loop calls after each burst. Each packet of protocol 50 is
 * a descriptor of its own, so that one super-packet may become hundreds: whenever there is no room
 * for what the next ones may become, that which is ready is sent first (`sendNow`), and nothing is
 * lost. What was opened enters the router again as if it had been received, from PORT_TUNNEL, with
 * RX_SOURCE_AT at the outside address, which names the tunnel: so it can be parked like any other
 * packet.
 */
import { loadI32, loadU16 } from '../wire/bytes.ts'
import { PROTOCOL_UDP } from '../wire/ip_protocol.ts'
import {
  IPV4_AT_DST, IPV4_AT_PROTOCOL, IPV4_AT_SRC, IPV4_HEADER_BYTES_MIN, IPV4_VERSION, ipv4HeaderBytes
} from '../wire/ipv4.ts'
import {
  GSO_NONE, PACKET_BYTES_MAX, RX_AT, RX_BYTES, RX_CSUM, RX_CSUM_FIELD, RX_GSO_SIZE, RX_GSO_TYPE,
  RX_PORT, RX_SEGMENTS, RX_SOURCE_AT, RX_TOTAL_BYTES, RX_WORDS
} from '../tun/descriptor.ts'
import type { Esp } from '../tun/esp.ts'
import {
  ESP_AT, ESP_AUTHENTICATION, ESP_BYTES, ESP_CONGESTION, ESP_CSUM, ESP_CSUM_FIELD, ESP_DONE,
  ESP_DUMMY, ESP_EXPIRED, ESP_FRAGMENT, ESP_GSO_SIZE, ESP_GSO_TYPE, ESP_IKE, ESP_JOB,
  ESP_KEEPALIVE, ESP_NO_ROOM, ESP_NO_SA, ESP_REPLAY, ESP_SA, ESP_SEGMENTS, ESP_STATUS,
  ESP_TOO_BIG, ESP_TUNNEL, ESP_WORDS
} from '../tun/esp_descriptor.ts'
import { EspTunnels } from '../tun/esp_tunnels.ts'
import { PORT_NONE } from './counters.ts'
import {
  DROP_CONGESTION_MARK, DROP_ESP_AUTHENTICATION, DROP_ESP_EXPIRED, DROP_ESP_MALFORMED,
  DROP_ESP_NO_SA, DROP_ESP_REPLAY, DROP_NONE, DROP_PORT_CLOSED, DROP_TOO_BIG,
  DROP_TRANSMIT_QUEUE_FULL, DROP_VPN_NO_TUNNEL, DROP_VPN_SELECTOR
} from './drop_reason.ts'
import { emitFragments } from './fragment.ts'
import type { PacketContext } from './packet.ts'
import type { GatherRun } from './parking.ts'
import type { RouterParts } from './router_parts.ts'
import { NIC_PORTS_MAX } from './tables/port_table.ts'
import type { Tables } from './tables/tables.ts'
import type { Tap } from './tap.ts'

/** RX_PORT of what was opened: none of the NIC's. */
export const PORT_TUNNEL = NIC_PORTS_MAX
/** Packets, or super-packets, that wait at once, each way. */
export const ESP_JOBS_MAX = 512
/** Results of one call: as many as a super-packet has segments (SEGMENTS_MAX, native/segment.h). */
export const ESP_RESULTS_MAX = 2048
/** Memory for results, bytes. */
export const ESP_OUT_BYTES = 4 << 20
/** IP and TCP with all options that there can be. */
const HEADERS_BYTES_MAX = 120
/** Outer headers, ESP and its padding: more than any cipher takes. */
const ESP_AROUND_BYTES_MAX = 160
/** Fragments of the largest packet, at the least MTU that a tunnel has. */
const LARGEST_FRAGMENTS = 64
const IKE_PORT = 500
const UDP_AT_DESTINATION = 2
const UDP_PORTS_BYTES = 4

/** Why there is no packet, by ESP_*. */
function dropOfStatus (status: number): number {
  switch (status) {
    case ESP_NO_SA: return DROP_ESP_NO_SA
    case ESP_REPLAY: return DROP_ESP_REPLAY
    case ESP_AUTHENTICATION: return DROP_ESP_AUTHENTICATION
    case ESP_TOO_BIG: return DROP_TOO_BIG
    case ESP_EXPIRED: return DROP_ESP_EXPIRED
    case ESP_CONGESTION: return DROP_CONGESTION_MARK
    case ESP_NO_ROOM: return DROP_TRANSMIT_QUEUE_FULL
    default: return DROP_ESP_MALFORMED
  }
}

/** IKE, and fragments: of its long messages, which charon's kernel puts together. */
function isForIke (status: number): boolean {
  return status === ESP_IKE || status === ESP_FRAGMENT
}

/** Packets that wait for one half of ESP. */
class Waiting {
  count = 0
  readonly words = new Int32Array(ESP_JOBS_MAX * ESP_WORDS)
  /** Port of each one's gateway: whose drop it would be. */
  readonly ports = new Int32Array(ESP_JOBS_MAX)
  /** How many results each may become at most, and of how many bytes together. */
  readonly #results = new Int32Array(ESP_JOBS_MAX)
  readonly #bytes = new Int32Array(ESP_JOBS_MAX)

  /** @returns DROP_NONE or DROP_TRANSMIT_QUEUE_FULL */
  add (p: PacketContext, sa: number, portIndex: number, results: number, bytes: number): number {
    if (this.count === ESP_JOBS_MAX) return DROP_TRANSMIT_QUEUE_FULL
    const { words } = this
    const at = this.count * ESP_WORDS
    words[at + ESP_AT] = p.at
    words[at + ESP_BYTES] = p.bytes
    words[at + ESP_GSO_TYPE] = p.gsoType
    words[at + ESP_GSO_SIZE] = p.gsoSize
    words[at + ESP_CSUM] = p.csum
    words[at + ESP_CSUM_FIELD] = p.csumField
    words[at + ESP_SA] = sa
    this.#results[this.count] = results
    this.#bytes[this.count] = bytes
    this.ports[this.count++] = portIndex
    return DROP_NONE
  }

  /** Whether there is room for what the packet `at` may become. */
  fits (at: number, results: number, bytes: number): boolean {
    return this.#results[at] <= results && this.#bytes[at] <= bytes
  }

  /**
   * Hands packets over as jobs, from `first` on: one, and as many more as there is room for.
   * @returns how many
   */
  load (esp: Esp, first: number, results: number, bytes: number): number {
    let end = first
    do {
      results -= this.#results[end]
      bytes -= this.#bytes[end]
      end++
    } while (end < this.count && this.fits(end, results, bytes))
    esp.jobs.set(this.words.subarray(first * ESP_WORDS, end * ESP_WORDS))
    return end - first
  }
}

/** What a VpnPort asks of the router. */
interface VpnPortRouter {
  readonly gatherRun: GatherRun
  /** Takes what was opened, as the router takes a burst. */
  readonly received: (rx: Int32Array, count: number) => void
  /** Sends what is in `transmit`, at once. */
  readonly sendNow: () => void
  readonly tap: () => Tap | null
}

export class VpnPort {
  readonly tunnels: EspTunnels
  /** Port of the NIC to charon; 0 while it is closed. */
  ikeNicPort = 0
  /** Wall clock, ms, set by the loop. */
  wallMs = 0
  readonly #parts: RouterParts
  readonly #router: VpnPortRouter
  readonly #toOpen = new Waiting()
  readonly #toSeal = new Waiting()
  readonly #opened: Int32Array
  /** Port of the NIC at the inside address of a tunnel, and back. */
  readonly #insideNicPorts = new Map<number, number>()
  readonly #tunnelsInside = new Map<number, number>()
  /** SA and tunnel of the packet that is being sealed. */
  #sealing = 0
  #sealingFor = 0

  constructor (esp: Esp, parts: RouterParts, router: VpnPortRouter) {
    this.tunnels = new EspTunnels(esp)
    this.#parts = parts
    this.#router = router
    this.#opened = new Int32Array(esp.resultsMax * RX_WORDS)
  }

  get isIdle (): boolean { return this.#toOpen.count + this.#toSeal.count === 0 }

  // ------------------------------------------------------------------------------------- inside

  /** @param nicPort 0: closed @returns the port of the NIC that it had, 0 for none */
  setInside (tunnel: number, nicPort: number): number {
    const before = this.#insideNicPorts.get(tunnel | 0) ?? 0
    this.#tunnelsInside.delete(before)
    if (nicPort === 0) this.#insideNicPorts.delete(tunnel | 0)
    else {
      this.#insideNicPorts.set(tunnel | 0, nicPort)
      this.#tunnelsInside.set(nicPort, tunnel | 0)
    }
    return before
  }

  /** Tunnel whose inside address is at a port of the NIC; 0: none. */
  tunnelInside (nicPort: number): number { return this.#tunnelsInside.get(nicPort) ?? 0 }

  // ------------------------------------------------------------------------------------- received

  /**
   * Takes a packet of the uplink that is for an outside address of this edge. Precondition: the
   * context was loaded. @returns whether it was one
   */
  takeOuter (p: PacketContext): boolean {
    const { view, tables, transmit, counters } = this.#parts
    if (p.bytes < IPV4_HEADER_BYTES_MIN || view.getUint8(p.at) >>> 4 !== IPV4_VERSION) return false
    if (!tables.vpn.findTunnel(loadI32(view, p.at + IPV4_AT_DST))) return false
    if (tables.vpn.foundHostIndex !== tables.hostIndex) return false
    const gateway = tables.ports.findEni(tables.vpn.foundGatewayHigh, tables.vpn.foundGatewayLow)
    if (!this.#isIke(p)) {
      const drop = this.#toOpen.add(p, 0, gateway, p.segments, p.bytes)
      if (drop !== DROP_NONE) counters.drop(gateway, drop, p.segments)
    } else if (this.#hearsIke(p.at)) transmit.deliver(p, this.ikeNicPort)
    else counters.drop(gateway, DROP_PORT_CLOSED, p.segments)
    return true
  }

  #isIke (p: PacketContext): boolean {
    const { bytes, view } = this.#parts
    if (view.getUint8(p.at + IPV4_AT_PROTOCOL) !== PROTOCOL_UDP) return false
    const headerBytes = ipv4HeaderBytes(bytes, p.at)
    return p.bytes >= headerBytes + UDP_PORTS_BYTES &&
      loadU16(view, p.at + headerBytes + UDP_AT_DESTINATION) === IKE_PORT
  }

  /**
   * Whether charon can take the IKE packet at `at`. One that does not know the tunnel yet would
   * answer NO_PROPOSAL_CHOSEN (RFC 7296 §2.7), and the peer give up; after silence it asks again.
   */
  #hearsIke (at: number): boolean {
    const { view, transmit } = this.#parts
    return this.ikeNicPort !== 0 && transmit.hasRoom(1) &&
      this.tunnels.listens(loadI32(view, at + IPV4_AT_DST) >>> 0)
  }

  /** Takes what charon and BGP speakers send. @returns whether it is from a port of theirs */
  takeFromWithin (p: PacketContext, nicPort: number): boolean {
    const tunnel = this.tunnelInside(nicPort)
    if (nicPort === this.ikeNicPort) this.#takeFromIke(p)
    else if (tunnel !== 0) this.#takeFromInside(p, tunnel)
    else return false
    return true
  }

  /** What charon sends goes to the internet, from outside addresses of this edge alone. */
  #takeFromIke (p: PacketContext): void {
    const { view, tables, transmit, counters } = this.#parts
    const isOurs = p.bytes >= IPV4_HEADER_BYTES_MIN &&
      view.getUint8(p.at) >>> 4 === IPV4_VERSION &&
      tables.vpn.findTunnel(loadI32(view, p.at + IPV4_AT_SRC)) &&
      tables.vpn.foundHostIndex === tables.hostIndex
    if (!isOurs) return // neighbour discovery of the kernel, and the like: nobody's packets
    const drop = tables.uplinkNicPort === 0 ? DROP_PORT_CLOSED
      : transmit.hasRoom(1) ? DROP_NONE : DROP_TRANSMIT_QUEUE_FULL
    if (drop !== DROP_NONE) counters.drop(PORT_NONE, drop, p.segments)
    else transmit.deliver(p, tables.uplinkNicPort)
  }

  /** What the gateway's BGP speaker sends to the inside address of the customer's end. */
  #takeFromInside (p: PacketContext, tunnel: number): void {
    const { view, tables, counters } = this.#parts
    if (p.bytes < IPV4_HEADER_BYTES_MIN || view.getUint8(p.at) >>> 4 !== IPV4_VERSION) return
    if (!tables.vpn.findTunnel(tunnel)) return
    const gateway = tables.ports.findEni(tables.vpn.foundGatewayHigh, tables.vpn.foundGatewayLow)
    this.#sealing = this.tunnels.selected(tunnel >>> 0)
    this.#sealingFor = tunnel >>> 0
    const drop = this.#sealing === 0 ? this.#refuse(p, DROP_VPN_NO_TUNNEL)
      : this.#waitForSeal(p, gateway)
    if (drop !== DROP_NONE) counters.drop(gateway, drop, p.segments)
  }

  // ------------------------------------------------------------------------------------- sealing

  /**
   * Takes a packet that the gateway `portIndex` sends into the tunnel `target`. What is larger than
   * the tunnel is fragmented before it is sealed, or dropped in silence: a VPN does no path MTU
   * discovery. @returns DROP_*
   */
  seal (p: PacketContext): number {
    const { bytes, transmit } = this.#parts
    this.#makeRoom(p)
    const tunnel = p.target >>> 0
    const sa = this.tunnels.selected(tunnel)
    this.#sealing = sa
    this.#sealingFor = tunnel
    if (sa === 0) return this.#refuse(p, DROP_VPN_NO_TUNNEL)
    if (!this.tunnels.permits(tunnel, bytes, p.at, 'outbound')) {
      return this.#refuse(p, DROP_VPN_SELECTOR)
    }
    if (p.run !== 0 && !this.#flatten(p)) return this.#refuse(p, DROP_TRANSMIT_QUEUE_FULL)
    if (p.isFromUnderlay !== 0) transmit.writeCongestion(p)
    if (p.decrementTtl !== 0) transmit.decrementTtl(p)
    p.mtu = this.tunnels.esp.mtu(sa)
    if (p.wireBytesMax <= p.mtu) return this.#waitForSeal(p, p.portIndex)
    return p.dontFragment !== 0 ? this.#refuse(p, DROP_TOO_BIG) : emitFragments(p, this.#parts)
  }

  /** Shows who captures what is not sealed. @returns the reason */
  #refuse (p: PacketContext, reason: number): number {
    this.#router.tap()?.sealing(p, this.#sealingFor, reason)
    return reason
  }

  /** A fragment of the packet that is being taken. */
  sealFragment (p: PacketContext): void {
    const drop = this.#waitForSeal(p, p.portIndex)
    if (drop !== DROP_NONE) this.#parts.counters.drop(p.portIndex, drop, 1)
  }

  /**
   * Seals and sends what waits, where there might not be room for one more of the largest packets.
   * A packet that stands in memory of `transmit` itself must do without.
   */
  #makeRoom (p: PacketContext): void {
    const { transmit } = this.#parts
    const isTight = this.#toSeal.count > ESP_JOBS_MAX / 2 ||
      !transmit.canMake(LARGEST_FRAGMENTS, 2 * PACKET_BYTES_MAX)
    if (!isTight || transmit.hasMade(p.at)) return
    const { used } = this.tunnels.esp
    this.#seal()
    this.#sendNow(used)
  }

  /** @param used bytes of ESP's memory that are still needed */
  #sendNow (used: number): void {
    this.#router.sendNow()
    this.tunnels.esp.recycle(used)
  }

  /** A super-packet is cut at the tunnel's MTU. @returns DROP_* */
  #waitForSeal (p: PacketContext, portIndex: number): number {
    const sa = this.#sealing
    const payload = this.tunnels.esp.mtu(sa) - HEADERS_BYTES_MAX
    const results = p.gsoType === GSO_NONE ? 1
      : Math.ceil(p.bytes / Math.max(1, Math.min(p.gsoSize, payload)))
    const bytes = p.bytes + results * (HEADERS_BYTES_MAX + ESP_AROUND_BYTES_MAX)
    const drop = results > this.tunnels.esp.resultsMax ? DROP_TRANSMIT_QUEUE_FULL
      : this.#toSeal.add(p, sa, portIndex, results, bytes)
    this.#router.tap()?.sealing(p, this.#sealingFor, drop)
    return drop
  }

  /** Copies a run into one piece. @returns false when there is no room */
  #flatten (p: PacketContext): boolean {
    const { bytes, transmit } = this.#parts
    const at = transmit.allocate(p.totalBytes)
    if (at < 0) return false
    bytes.copyWithin(at, p.at, p.at + p.bytes)
    const rest = p.totalBytes - p.bytes
    if (this.#router.gatherRun(p.run, at + p.bytes, rest) !== rest) return false
    p.l4At += at - p.at
    p.at = at
    p.bytes = p.totalBytes
    p.run = 0
    return true
  }

  // ------------------------------------------------------------------------------------- flush

  /** Opens and seals what waits. To be called before the next burst. */
  flush (): void {
    if (this.#toOpen.count > 0) this.#open()
    if (this.#toSeal.count > 0) this.#seal()
  }

  /** The burst has sent everything. */
  afterBurst (): void { this.tunnels.esp.recycle() }

  /**
   * In as many batches as the router has room for. What is opened has half of the memory: it may be
   * sealed for another tunnel.
   */
  #open (): void {
    const { transmit } = this.#parts
    const openedBytesMax = this.tunnels.esp.outBytes / 2
    const waiting = this.#toOpen
    for (let first = 0; first < waiting.count;) {
      if (first > 0 || !waiting.fits(first, transmit.room, openedBytesMax)) {
        this.#seal()
        this.#sendNow(0)
      }
      first += this.#openBatch(first)
    }
    waiting.count = 0
  }

  /** @returns how many of those that wait it has taken */
  #openBatch (first: number): number {
    const { esp } = this.tunnels
    const { words, ports } = this.#toOpen
    const taken = this.#toOpen.load(esp, first, this.#parts.transmit.room, esp.outBytes / 2)
    const count = esp.open(taken, this.wallMs)
    let opened = 0
    for (let at = 0; at < count * ESP_WORDS; at += ESP_WORDS) {
      const job = first + esp.results[at + ESP_JOB]
      const status = esp.results[at + ESP_STATUS]
      if (status === ESP_DONE) opened += this.#takeInner(at, job, opened)
      else if (isForIke(status)) this.#handToIke(words, job * ESP_WORDS)
      else if (status !== ESP_KEEPALIVE && status !== ESP_DUMMY) {
        this.#parts.counters.drop(ports[job], dropOfStatus(status), esp.results[at + ESP_SEGMENTS])
      }
    }
    const tap = this.#router.tap()
    if (tap !== null) this.#showUnopened(tap, first, count)
    if (opened > 0) this.#router.received(this.#opened, opened)
    return taken
  }

  /**
   * Shows who captures the jobs of which a part could not be opened, once each: which packet of a
   * super-packet it was, results do not tell.
   * @param count results of the last call
   */
  #showUnopened (tap: Tap, first: number, count: number): void {
    const { results } = this.tunnels.esp
    const { words } = this.#toOpen
    let shown = -1
    for (let at = 0; at < count * ESP_WORDS; at += ESP_WORDS) {
      const status = results[at + ESP_STATUS]
      const job = first + results[at + ESP_JOB]
      const isDropped = status !== ESP_DONE && !isForIke(status) && status !== ESP_KEEPALIVE &&
        status !== ESP_DUMMY
      if (!isDropped || job === shown) continue
      shown = job
      const jobAt = job * ESP_WORDS
      const tunnel = loadI32(this.#parts.view, words[jobAt + ESP_AT] + IPV4_AT_DST)
      tap.unopened(words, jobAt, tunnel, dropOfStatus(status))
    }
  }

  /**
   * @param at of the result
   * @param job which of those that wait it is of
   * @returns how many packets are for the router: 0 or 1
   */
  #takeInner (at: number, job: number, opened: number): number {
    const { bytes, view, tables, counters } = this.#parts
    const { results } = this.tunnels.esp
    const tunnel = results[at + ESP_TUNNEL]
    const innerAt = results[at + ESP_AT]
    const gateway = this.#toOpen.ports[job]
    const outerAt = this.#toOpen.words[job * ESP_WORDS + ESP_AT]
    const segments = results[at + ESP_SEGMENTS]
    // The SA is of the tunnel that the packet was sent to: of no other gateway's.
    if (loadI32(view, outerAt + IPV4_AT_DST) !== tunnel || !tables.vpn.findTunnel(tunnel)) {
      counters.drop(gateway, DROP_ESP_NO_SA, segments)
      return 0
    }
    if (!this.tunnels.permits(tunnel >>> 0, bytes, innerAt, 'inbound')) {
      counters.drop(gateway, DROP_VPN_SELECTOR, segments)
      return 0
    }
    if (loadI32(view, innerAt + IPV4_AT_DST) === tables.vpn.foundInside) {
      this.#deliverInside(at, tunnel, gateway)
      return 0
    }
    const to = opened * RX_WORDS
    const rx = this.#opened
    rx.fill(0, to, to + RX_WORDS)
    rx[to + RX_PORT] = PORT_TUNNEL
    rx[to + RX_AT] = innerAt
    rx[to + RX_BYTES] = results[at + ESP_BYTES]
    rx[to + RX_TOTAL_BYTES] = results[at + ESP_BYTES]
    rx[to + RX_GSO_TYPE] = results[at + ESP_GSO_TYPE]
    rx[to + RX_GSO_SIZE] = results[at + ESP_GSO_SIZE]
    rx[to + RX_CSUM] = results[at + ESP_CSUM]
    rx[to + RX_CSUM_FIELD] = results[at + ESP_CSUM_FIELD]
    rx[to + RX_SEGMENTS] = segments
    rx[to + RX_SOURCE_AT] = outerAt + IPV4_AT_DST
    return 1
  }

  #deliverInside (at: number, tunnel: number, gateway: number): void {
    const nicPort = this.#insideNicPorts.get(tunnel) ?? 0
    const { transmit, counters } = this.#parts
    const { results } = this.tunnels.esp
    if (nicPort !== 0 && transmit.hasRoom(1)) transmit.sendAsIs(results, at, nicPort)
    else counters.drop(gateway, DROP_PORT_CLOSED, results[at + ESP_SEGMENTS])
  }

  #handToIke (words: Int32Array, at: number): void {
    const { transmit, counters } = this.#parts
    if (this.#hearsIke(words[at + ESP_AT])) transmit.sendAsIs(words, at, this.ikeNicPort)
    else counters.drop(PORT_NONE, DROP_PORT_CLOSED, 1)
  }

  /** In as many batches as there is room for. */
  #seal (): void {
    const { esp } = this.tunnels
    const waiting = this.#toSeal
    const { used } = esp
    for (let first = 0; first < waiting.count;) {
      const isTight = !waiting.fits(first, esp.resultsMax, esp.outBytes - esp.used)
      if (isTight) this.#sendNow(used)
      first += this.#sealBatch(first)
    }
    waiting.count = 0
  }

  /** @returns how many of those that wait it has taken */
  #sealBatch (first: number): number {
    const { transmit, counters, tables } = this.#parts
    const { esp } = this.tunnels
    const { ports } = this.#toSeal
    const taken = this.#toSeal.load(esp, first, esp.resultsMax, esp.outBytes - esp.used)
    const count = esp.seal(taken, this.wallMs)
    for (let at = 0; at < count * ESP_WORDS; at += ESP_WORDS) {
      const status = esp.results[at + ESP_STATUS]
      const drop = status !== ESP_DONE ? dropOfStatus(status)
        : tables.uplinkNicPort === 0 ? DROP_PORT_CLOSED : DROP_NONE
      if (!transmit.hasRoom(1)) this.#router.sendNow()
      if (drop === DROP_NONE) transmit.sendAsIs(esp.results, at, tables.uplinkNicPort)
      else {
        const gateway = ports[first + esp.results[at + ESP_JOB]]
        counters.drop(gateway, drop, esp.results[at + ESP_SEGMENTS])
      }
    }
    return taken
  }
}

/** Port of the gateway whose tunnel a packet of PORT_TUNNEL came from; PORT_NONE: it is gone. */
export function gatewayOfTunnel (p: PacketContext, tables: Tables, view: DataView): number {
  const { ports, vpn } = tables
  return vpn.findTunnel(loadI32(view, p.sourceAt))
    ? ports.findEni(vpn.foundGatewayHigh, vpn.foundGatewayLow) : PORT_NONE
}
