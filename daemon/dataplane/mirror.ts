/**
 * Copies of mirrored packets, systems 8.3 to 8.5: made when the router knows what becomes of a
 * packet that steps/mirror.ts has chosen, sent when everything else is.
 *
 *     copy   [ IP │ UDP 4789 │ VXLAN │ Ethernet │ the packet, perhaps cut ]
 *             from the source ENI's primary address to the target's
 *
 *     copy() ─▶ ring of copies ─▶ send(), before each burst, into what room is left ─▶ NIC
 *
 * Copies never take room from packets: they fill what a burst leaves free, and wait in a ring of
 * COPIES_MAX otherwise. What finds no room there is dropped and counted at the source.
 *
 * A super-packet is copied as the packets that it is on the wire (segment.ts). A copy has no UDP
 * checksum (RFC 7348 §5), so that nobody on its way joins it with the next one either.
 *
 * The way to the target is that of the source's subnet, without the source's groups and ACL; on the
 * target's side the ACL and the groups judge it as they do any packet. It is the same for every
 * copy of a session, and found once per generation of the tables. Copies belong to no conversation:
 * they make no flow entry, and flow logs do not see them. Between hosts the VPC header tells them
 * by FLAG_MIRRORED.
 */
import {
  encodeGeneve, FLAG_MIRRORED, GENEVE_BYTES, GENEVE_OPTION_HEADER_BYTES, newGeneveFields
} from '../encap/geneve.ts'
import type { GeneveFields } from '../encap/geneve.ts'
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../encap/geneve.ts'
import { VXLAN_HEADER_BYTES, VXLAN_UDP_PORT, writeVxlan } from '../encap/vxlan.ts'
import {
  CSUM_NEEDED, GSO_NONE, PACKET_BYTES_MAX, TX_HEADER_BYTES_MAX
} from '../tun/descriptor.ts'
import { isIpv4Words } from '../wire/address.ts'
import { writeU16, writeU32 } from '../wire/bytes.ts'
import {
  ETHERNET_AT_DST, ETHERNET_AT_SRC, ETHERNET_AT_TYPE, ETHERNET_HEADER_BYTES
} from '../wire/ethernet.ts'
import { PROTOCOL_UDP } from '../wire/ip_protocol.ts'
import {
  IPV4_AT_DST, IPV4_AT_FRAGMENT, IPV4_AT_IDENTIFICATION, IPV4_AT_PROTOCOL, IPV4_AT_SRC,
  IPV4_AT_TOTAL_LENGTH, IPV4_AT_TRAFFIC_CLASS, IPV4_AT_TTL, IPV4_AT_VERSION_IHL,
  IPV4_FLAG_DONT_FRAGMENT, IPV4_HEADER_BYTES_MIN, IPV4_VERSION, ipv4WriteChecksum
} from '../wire/ipv4.ts'
import {
  IPV6_AT_DST, IPV6_AT_HOP_LIMIT, IPV6_AT_NEXT_HEADER, IPV6_AT_PAYLOAD_LENGTH, IPV6_AT_SRC,
  IPV6_AT_VERSION, IPV6_HEADER_BYTES, IPV6_VERSION
} from '../wire/ipv6.ts'
import {
  UDP_AT_CHECKSUM, UDP_AT_DST_PORT, UDP_AT_LENGTH, UDP_AT_SRC_PORT, UDP_HEADER_BYTES
} from '../wire/udp.ts'
import { ACTION_DELIVER, sourcePortOf } from './action.ts'
import { COUNT_MIRRORED } from './counters.ts'
import {
  DROP_MIRROR_QUEUE_FULL, DROP_MIRROR_TARGET, DROP_NONE, DROP_PORT_CLOSED
} from './drop_reason.ts'
import { writeEniMac, writeRouterMac } from './link_address.ts'
import { PacketContext } from './packet.ts'
import { runCopyPath, runLocalIngressPath } from './packet_path.ts'
import type { GatherRun } from './parking.ts'
import type { RouterParts } from './router_parts.ts'
import { completeChecksum, superHeaderBytes, writeSegment } from './segment.ts'
import { MIRROR_NONE } from './steps/mirror.ts'
import { farVpcIndex } from './steps/peering.ts'
import { EGRESS } from './tables/flow_layout.ts'
import type { MirrorSession } from './tables/mirror_table.ts'
import type { MappingKey } from './tables/update.ts'

/** Copies that wait to be sent. */
export const COPIES_MAX = 4096
/** Memory for them, a part of the scratch area: 2,800 of 1,500 bytes. */
const COPIES_BYTES = 4_194_304
/** Memory for the pieces of one super-packet that came by the underlay. */
const GATHER_BYTES = (PACKET_BYTES_MAX + 3) & -4
/** Bytes of scratch area that mirroring takes. */
export const MIRROR_BYTES = COPIES_BYTES + GATHER_BYTES

/** The longest outer headers, of IPv6. */
const OUTER_BYTES_MAX =
  IPV6_HEADER_BYTES + UDP_HEADER_BYTES + VXLAN_HEADER_BYTES + ETHERNET_HEADER_BYTES
const ALIGN_BYTES = 64
/** VPC header of a copy: the ENI options and the flags. */
const COPY_GENEVE_BYTES = GENEVE_BYTES + GENEVE_OPTION_HEADER_BYTES + 4
/**
 * What the target's MTU must hold besides the packet. AWS, "Traffic mirror targets": 54 bytes for
 * IPv4, 74 for IPv6, which is 4 more than the headers have.
 */
const OVERHEAD_IPV4_BYTES = 54
const OVERHEAD_IPV6_BYTES = 74
/** The shortest that a copy is cut to, bytes of the frame: both headers and a byte. */
const FRAME_BYTES_MIN_IPV4 = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES_MIN + 1
const FRAME_BYTES_MIN_IPV6 = ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES + 1
/** TTL of copies when they leave the source. */
const COPY_TTL = 64
/** How often a mapping that a copy misses is asked for again, ms. */
const ASK_AGAIN_MS = 10

// Words of a waiting copy.
const COPY_AT_START = 0 // of its memory
const COPY_AT_PACKET = 1 // the outer IP header
const COPY_AT_BYTES = 2
const COPY_AT_SOURCE_PORT = 3
const COPY_AT_PORT = 4 // receiving port index; 0: to a host
const COPY_AT_PEER = 5 // host index
const COPY_WORDS = 6

export class Mirror {
  readonly #parts: RouterParts
  readonly #gatherRun: GatherRun
  readonly #ask: (key: MappingKey) => void
  readonly #startAt: number
  readonly #gatherAt: number
  /** Ring of copies; [first, first + sent) wait for the end of the burst. */
  readonly #copies = new Int32Array(COPIES_MAX * COPY_WORDS)
  #first = 0
  #count = 0
  #sent = 0
  /** Offset behind the memory of the newest copy. */
  #headAt = 0
  #askedMs = -Infinity
  /** A copy as the steps see it; and as it is sent. */
  readonly #probe = new PacketContext()
  readonly #made = new PacketContext()
  readonly #geneve: GeneveFields = { ...newGeneveFields(), flags: FLAG_MIRRORED }

  /**
   * @param startAt MIRROR_BYTES bytes of the arena
   * @param ask called when a mapping must be asked of control
   */
  constructor (
    parts: RouterParts, startAt: number, gatherRun: GatherRun, ask: (key: MappingKey) => void
  ) {
    this.#ask = ask
    this.#parts = parts
    this.#startAt = startAt
    this.#headAt = startAt
    this.#gatherAt = startAt + COPIES_BYTES
    this.#gatherRun = gatherRun
  }

  /** Copies that could not be sent yet. */
  get waiting (): number { return this.#count - this.#sent }

  /**
   * Copies `p` for its session, as it stands in memory now.
   * @param port the ENI that is mirrored
   * @param direction EGRESS or INGRESS
   */
  copy (p: PacketContext, port: number, direction: number, nowMs: number): void {
    const { tables, counters, view, bytes } = this.#parts
    const session = tables.mirrors.get(port)?.sessions[p.mirrorSession]
    if (session === undefined) return
    if (session.generation !== tables.ports.generation[port]) this.#findWay(session, port, nowMs)
    if (session.drop !== DROP_NONE) {
      counters.dropCopy(session.dropPort, session.drop, p.segments)
      return
    }
    const fromAt = p.run === 0 ? p.at : this.#gather(p)
    if (p.gsoType === GSO_NONE) {
      this.#copyPlain(p, session, port, direction, fromAt)
      return
    }
    const headerBytes = superHeaderBytes(p, view)
    for (let segment = 0; segment < p.segments; segment++) {
      const packetBytes = Math.min(headerBytes + p.gsoSize, p.totalBytes - segment * p.gsoSize)
      const at = this.#room(packetBytes)
      if (at < 0) {
        counters.dropCopy(port, DROP_MIRROR_QUEUE_FULL, p.segments - segment)
        return
      }
      const innerAt = innerOf(at, session)
      writeSegment(p, bytes, fromAt, headerBytes, segment, innerAt)
      this.#finish(p, session, port, direction, at, packetBytes)
    }
  }

  /** Puts as many waiting copies as there is room for behind what the next burst sends. */
  send (): void {
    const { transmit, tables, counters } = this.#parts
    const made = this.#made
    while (this.#sent < this.#count && transmit.hasRoom(1)) {
      const copy = ((this.#first + this.#sent) % COPIES_MAX) * COPY_WORDS
      const port = this.#copies[copy + COPY_AT_PORT]
      made.at = this.#copies[copy + COPY_AT_PACKET]
      made.bytes = this.#copies[copy + COPY_AT_BYTES]
      made.totalBytes = made.bytes
      this.#sent++
      if (port === 0) {
        transmit.encapsulateAs(made, this.#copies[copy + COPY_AT_PEER],
          this.#copies[copy + COPY_AT_SOURCE_PORT], made.at - COPY_GENEVE_BYTES, COPY_GENEVE_BYTES)
      } else if (tables.ports.nicPort[port] === 0) { // closed meanwhile
        counters.dropCopy(port, DROP_PORT_CLOSED, 1)
        continue
      } else {
        transmit.deliver(made, tables.ports.nicPort[port])
        counters.ingress(port, 1, made.bytes)
      }
      counters.add(COUNT_MIRRORED, 1)
    }
  }

  /** The burst has sent what `send` gave it. */
  afterBurst (): void {
    this.#first = (this.#first + this.#sent) % COPIES_MAX
    this.#count -= this.#sent
    this.#sent = 0
    if (this.#count === 0) this.#headAt = this.#startAt
  }

  // --------------------------------------------------------------------------------- the way

  /** Finds the way of the session's copies, and keeps it until the tables change. */
  #findWay (session: MirrorSession, port: number, nowMs: number): void {
    const { tables, view } = this.#parts
    const { ports } = tables
    session.generation = 0
    session.dropPort = port
    session.drop = DROP_MIRROR_TARGET
    const p = this.#describeProbe(session, port)
    const outcome = runCopyPath(p, tables)
    if (outcome < 0) {
      this.#askMapping(p, nowMs)
      return
    }
    session.generation = ports.generation[port]
    if (outcome !== DROP_NONE) return
    session.nextEniHigh = p.mapping.eniHigh
    session.nextEniLow = p.mapping.eniLow
    session.targetVni = p.peerVpcIndex === 0 ? ports.vni[port] : p.peerVni
    // Another ENI with the target's address, in another VPC than the target.
    if (p.isRoutedToEni === 0 && (session.nextEniHigh !== session.targetEniHigh ||
      session.nextEniLow !== session.targetEniLow)) return
    session.action = p.action
    session.actionTarget = p.target
    session.ttl = COPY_TTL - p.decrementTtl
    session.mtu = Math.min(session.targetMtu, ports.mtu[port])
    if (p.gatewayMtu !== 0) session.mtu = Math.min(session.mtu, p.gatewayMtu)
    session.drop = DROP_NONE
    if (p.action !== ACTION_DELIVER) {
      const optionBytes = COPY_GENEVE_BYTES - GENEVE_BYTES
      session.mtu = Math.min(session.mtu, tables.pathMtu - optionBytes)
      return
    }
    session.drop = runLocalIngressPath(p, tables, view)
    session.dropPort = p.portIndex
    // Devices open and close without a change of tables: asked for again with each copy.
    if (session.drop === DROP_PORT_CLOSED) session.generation = 0
  }

  /** Asks control for the mapping that `p` misses; copies are not worth waiting for it. */
  #askMapping (p: PacketContext, nowMs: number): void {
    if (nowMs - this.#askedMs < ASK_AGAIN_MS) return
    this.#askedMs = nowMs
    const vpcIndex = farVpcIndex(p)
    this.#ask(p.isRoutedToEni === 0
      ? { by: 'address', vpcIndex,
        address: Uint32Array.of(p.dst0, p.dst1, p.dst2, p.dst3) }
      : { by: 'eni', vpcIndex, eniIdHigh: p.targetEniHigh >>> 0,
        eniIdLow: p.targetEniLow >>> 0 })
  }

  /** A copy of the session, as the steps need it. */
  #describeProbe (session: MirrorSession, port: number): PacketContext {
    const p = this.#probe
    const { source, target } = session
    p.portIndex = port
    p.vpcIndex = this.#parts.tables.ports.vpcIndex[port]
    p.version = isIpv4Words(source[0], source[1], source[2]) ? IPV4_VERSION : IPV6_VERSION
    p.ttl = COPY_TTL
    p.trafficClass = 0
    p.protocol = PROTOCOL_UDP
    p.fragmentAt = -1
    p.dontFragment = 1
    p.src0 = source[0]
    p.src1 = source[1]
    p.src2 = source[2]
    p.src3 = source[3]
    p.dst0 = target[0]
    p.dst1 = target[1]
    p.dst2 = target[2]
    p.dst3 = target[3]
    p.ports = VXLAN_UDP_PORT // of the source ports, which differ, no rule speaks
    p.knowsPorts = 1
    p.segments = 1
    return p
  }

  // -------------------------------------------------------------------------------- the copies

  /** Brings a super-packet into one piece. @returns where it stands */
  #gather (p: PacketContext): number {
    this.#parts.bytes.copyWithin(this.#gatherAt, p.at, p.at + p.bytes)
    this.#gatherRun(p.run, this.#gatherAt + p.bytes, p.totalBytes - p.bytes)
    return this.#gatherAt
  }

  #copyPlain (
    p: PacketContext, session: MirrorSession, port: number, direction: number, fromAt: number
  ): void {
    const { bytes, counters } = this.#parts
    const at = this.#room(p.totalBytes)
    if (at < 0) {
      counters.dropCopy(port, DROP_MIRROR_QUEUE_FULL, 1)
      return
    }
    const innerAt = innerOf(at, session)
    bytes.copyWithin(innerAt, fromAt, fromAt + p.totalBytes)
    if ((p.csum & CSUM_NEEDED) !== 0) completeChecksum(p, bytes, innerAt)
    this.#finish(p, session, port, direction, at, p.totalBytes)
  }

  /**
   * Finds memory for a copy of `packetBytes` inside. @returns where the outer IP header is to
   * stand, or -1
   */
  #room (packetBytes: number): number {
    if (this.#count === COPIES_MAX) return -1
    const bytes = TX_HEADER_BYTES_MAX + OUTER_BYTES_MAX + packetBytes
    const end = this.#startAt + COPIES_BYTES
    if (this.#count === 0) return this.#startAt + TX_HEADER_BYTES_MAX
    const tailAt = this.#copies[this.#first * COPY_WORDS + COPY_AT_START]
    if (this.#headAt > tailAt) {
      if (this.#headAt + bytes <= end) return this.#headAt + TX_HEADER_BYTES_MAX
      return this.#startAt + bytes < tailAt ? this.#startAt + TX_HEADER_BYTES_MAX : -1
    }
    return this.#headAt + bytes < tailAt ? this.#headAt + TX_HEADER_BYTES_MAX : -1
  }

  /** Cuts the copy, writes what stands before it, and queues it. @param at what `#room` answered */
  #finish (
    p: PacketContext, session: MirrorSession, port: number, direction: number, at: number,
    packetBytes: number
  ): void {
    const { bytes } = this.#parts
    const frameBytes = frameBytesOf(session, packetBytes)
    const innerAt = innerOf(at, session)
    const frameAt = innerAt - ETHERNET_HEADER_BYTES
    const sourcePort = sourcePortOf(p)
    this.#writeEthernet(p, port, direction, frameAt)
    writeVxlan(bytes, frameAt - VXLAN_HEADER_BYTES, session.vni)
    const udpAt = frameAt - VXLAN_HEADER_BYTES - UDP_HEADER_BYTES
    writeU16(bytes, udpAt + UDP_AT_SRC_PORT, sourcePort)
    writeU16(bytes, udpAt + UDP_AT_DST_PORT, VXLAN_UDP_PORT)
    writeU16(bytes, udpAt + UDP_AT_LENGTH, frameAt + frameBytes - udpAt)
    writeU16(bytes, udpAt + UDP_AT_CHECKSUM, 0)
    const totalBytes = frameAt + frameBytes - at
    const isIpv4 = udpAt - at === IPV4_HEADER_BYTES_MIN
    if (isIpv4) writeOuterIpv4(bytes, at, session, totalBytes)
    else writeOuterIpv6(bytes, at, session, totalBytes)
    const isRemote = session.action !== ACTION_DELIVER
    if (isRemote) this.#writeGeneve(session, port, at, isIpv4)
    const copy = ((this.#first + this.#count) % COPIES_MAX) * COPY_WORDS
    this.#copies[copy + COPY_AT_START] = at - TX_HEADER_BYTES_MAX
    this.#copies[copy + COPY_AT_PACKET] = at
    this.#copies[copy + COPY_AT_BYTES] = totalBytes
    this.#copies[copy + COPY_AT_SOURCE_PORT] = sourcePort
    this.#copies[copy + COPY_AT_PORT] = isRemote ? 0 : session.actionTarget
    this.#copies[copy + COPY_AT_PEER] = isRemote ? session.actionTarget : 0
    this.#count++
    this.#headAt = (at + totalBytes + ALIGN_BYTES - 1) & -ALIGN_BYTES
  }

  /** From the ENI to its router, or the other way. */
  #writeEthernet (p: PacketContext, port: number, direction: number, at: number): void {
    const { bytes, tables } = this.#parts
    const { ports, subnets } = tables
    const eniAt = at + (direction === EGRESS ? ETHERNET_AT_SRC : ETHERNET_AT_DST)
    const routerAt = at + (direction === EGRESS ? ETHERNET_AT_DST : ETHERNET_AT_SRC)
    writeEniMac(bytes, eniAt, ports, port)
    writeRouterMac(bytes, routerAt, subnets.get(ports.subnetIndex[port]))
    writeU16(bytes, at + ETHERNET_AT_TYPE,
      p.version === IPV4_VERSION ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6)
  }

  #writeGeneve (session: MirrorSession, port: number, at: number, isIpv4: boolean): void {
    const { bytes, tables } = this.#parts
    const fields = this.#geneve
    fields.vni = session.targetVni
    fields.sourceEniHigh = tables.ports.eniHigh[port]
    fields.sourceEniLow = tables.ports.eniLow[port]
    fields.destinationEniHigh = session.nextEniHigh
    fields.destinationEniLow = session.nextEniLow
    fields.etherType = isIpv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6
    encodeGeneve(bytes, at - COPY_GENEVE_BYTES, fields)
  }
}

/** Whether a packet is to be copied. */
export function isMirrored (p: PacketContext): boolean { return p.mirrorSession !== MIRROR_NONE }

function hasIpv4 (session: MirrorSession): boolean {
  return isIpv4Words(session.source[0], session.source[1], session.source[2])
}

/** Where the packet stands in a copy whose outer IP header is at `at`. */
function innerOf (at: number, session: MirrorSession): number {
  return at + (hasIpv4(session) ? IPV4_HEADER_BYTES_MIN : IPV6_HEADER_BYTES) + UDP_HEADER_BYTES +
    VXLAN_HEADER_BYTES + ETHERNET_HEADER_BYTES
}

/** Bytes of the frame that are kept of a packet. */
function frameBytesOf (session: MirrorSession, packetBytes: number): number {
  const isIpv4 = hasIpv4(session)
  const fittingBytes = session.mtu - (isIpv4 ? OVERHEAD_IPV4_BYTES : OVERHEAD_IPV6_BYTES)
  const frameBytes = ETHERNET_HEADER_BYTES + Math.min(packetBytes, fittingBytes)
  if (session.packetLength === 0) return frameBytes
  const wanted = Math.max(session.packetLength,
    isIpv4 ? FRAME_BYTES_MIN_IPV4 : FRAME_BYTES_MIN_IPV6)
  return Math.min(frameBytes, wanted)
}

function writeOuterIpv4 (
  bytes: Uint8Array, at: number, session: MirrorSession, totalBytes: number
): void {
  bytes[at + IPV4_AT_VERSION_IHL] = (IPV4_VERSION << 4) | (IPV4_HEADER_BYTES_MIN >>> 2)
  bytes[at + IPV4_AT_TRAFFIC_CLASS] = 0
  writeU16(bytes, at + IPV4_AT_TOTAL_LENGTH, totalBytes)
  writeU16(bytes, at + IPV4_AT_IDENTIFICATION, 0) // has no meaning with DF (RFC 6864 §4.1)
  writeU16(bytes, at + IPV4_AT_FRAGMENT, IPV4_FLAG_DONT_FRAGMENT)
  bytes[at + IPV4_AT_TTL] = session.ttl
  bytes[at + IPV4_AT_PROTOCOL] = PROTOCOL_UDP
  writeU32(bytes, at + IPV4_AT_SRC, session.source[3])
  writeU32(bytes, at + IPV4_AT_DST, session.target[3])
  ipv4WriteChecksum(bytes, at, IPV4_HEADER_BYTES_MIN)
}

function writeOuterIpv6 (
  bytes: Uint8Array, at: number, session: MirrorSession, totalBytes: number
): void {
  writeU32(bytes, at + IPV6_AT_VERSION, IPV6_VERSION << 28)
  writeU16(bytes, at + IPV6_AT_PAYLOAD_LENGTH, totalBytes - IPV6_HEADER_BYTES)
  bytes[at + IPV6_AT_NEXT_HEADER] = PROTOCOL_UDP
  bytes[at + IPV6_AT_HOP_LIMIT] = session.ttl
  for (let word = 0; word < 4; word++) {
    writeU32(bytes, at + IPV6_AT_SRC + 4 * word, session.source[word])
    writeU32(bytes, at + IPV6_AT_DST + 4 * word, session.target[word])
  }
}
