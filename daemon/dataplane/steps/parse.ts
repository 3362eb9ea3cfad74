/**
 * Parse: every length, offset and checksum that later steps rely on is proven here, once, on
 * hostile bytes.
 *
 *     IP version, header length, total length = bytes at hand, IPv4 header checksum
 *     IPv6 extension headers, bounded
 *     fragments: offset, length, end; none overlaps the upper-layer header (RFC 1858, RFC 5722)
 *     TCP, UDP, ICMP header within the first bytes
 *     super-packets: kind agrees with the headers
 *
 * After DROP_NONE: the fields of PacketContext "from the headers" hold; `l4At` plus the header's
 * length lies within `bytes`. Both paths run this same function, so they agree on what is
 * malformed.
 */
import * as address from '../../wire/address.ts'
import { loadI32, loadU16 } from '../../wire/bytes.ts'
import { ipv4HeaderSumIsGood } from '../../wire/checksum.ts'
import { echoPorts } from '../../wire/icmp.ts'
import * as icmp from '../../wire/icmp.ts'
import * as icmpv6 from '../../wire/icmpv6.ts'
import * as ipProtocol from '../../wire/ip_protocol.ts'
import * as ipv4 from '../../wire/ipv4.ts'
import {
  ipv6FragmentOffsetBytes, ipv6MoreFragments, ipv6TrafficClass, ipv6Walk
} from '../../wire/ipv6.ts'
import * as ipv6 from '../../wire/ipv6.ts'
import { tcpHeaderBytes } from '../../wire/tcp.ts'
import * as tcp from '../../wire/tcp.ts'
import * as udp from '../../wire/udp.ts'
import * as descriptor from '../../tun/descriptor.ts'
import * as dropReason from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'

// Constants of other modules, made this module's own: V8 folds a module's own into the code, and
// loads imported ones from memory, checked, at each use (CONTRIBUTING.md, "Hot code").
const { IPV4_MAPPED_WORD } = address
const {
  ICMP_AT_CODE, ICMP_AT_IDENTIFIER, ICMP_AT_TYPE, ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST,
  ICMP_HEADER_BYTES
} = icmp
const {
  ICMPV6_AT_CODE, ICMPV6_AT_IDENTIFIER, ICMPV6_AT_TYPE, ICMPV6_ECHO_REPLY, ICMPV6_ECHO_REQUEST,
  ICMPV6_HEADER_BYTES, ICMPV6_HEADER_BYTES_MIN
} = icmpv6
const { PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP } = ipProtocol
const {
  FRAGMENT_UNIT_BYTES, IPV4_AT_DST, IPV4_AT_FRAGMENT, IPV4_AT_PROTOCOL, IPV4_AT_SRC, IPV4_AT_TTL,
  IPV4_FLAG_DONT_FRAGMENT, IPV4_FLAG_MORE_FRAGMENTS, IPV4_FRAGMENT_OFFSET_MASK,
  IPV4_HEADER_BYTES_MIN, IPV4_TOTAL_LENGTH_MAX, IPV4_VERSION, IPV4_WORD0_HEADER_BYTES_MASK,
  IPV4_WORD0_HEADER_BYTES_SHIFT, IPV4_WORD0_TOTAL_LENGTH_MASK, IPV4_WORD0_TRAFFIC_CLASS_SHIFT
} = ipv4
const {
  IPV6_AT_DST, IPV6_AT_HOP_LIMIT, IPV6_AT_PAYLOAD_LENGTH, IPV6_AT_SRC, IPV6_HEADER_BYTES,
  IPV6_VERSION
} = ipv6
const { TCP_AT_FLAGS, TCP_AT_SRC_PORT, TCP_HEADER_BYTES_MIN } = tcp
const { UDP_AT_LENGTH, UDP_AT_SRC_PORT, UDP_HEADER_BYTES } = udp
const { CSUM_NEEDED, GSO_ECN, GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP } = descriptor
const { DROP_FRAGMENT_INVALID, DROP_MALFORMED, DROP_NONE } = dropReason

/** Largest payload of a reassembled packet that the fragments' 16-bit lengths can name. */
const REASSEMBLED_BYTES_MAX = 65_535

/** @returns DROP_NONE, DROP_MALFORMED or DROP_FRAGMENT_INVALID */
export function parsePacket (p: PacketContext, view: DataView): number {
  if (p.bytes < IPV4_HEADER_BYTES_MIN) return DROP_MALFORMED
  p.ports = 0
  p.tcpFlags = 0
  p.icmpType = 0
  p.icmpCode = 0
  const version = view.getUint8(p.at) >>> 4
  p.version = version
  const reason = version === IPV4_VERSION
    ? parseIpv4(p, view)
    : version === IPV6_VERSION ? parseIpv6(p, view) : DROP_MALFORMED
  if (reason !== DROP_NONE) return reason
  return parseUpperLayer(p, view)
}

function parseIpv4 (p: PacketContext, view: DataView): number {
  const at = p.at
  const word0 = loadI32(view, at)
  const headerBytes = (word0 >>> IPV4_WORD0_HEADER_BYTES_SHIFT) & IPV4_WORD0_HEADER_BYTES_MASK
  if (headerBytes < IPV4_HEADER_BYTES_MIN || headerBytes > p.bytes) return DROP_MALFORMED
  if ((word0 & IPV4_WORD0_TOTAL_LENGTH_MASK) !== p.totalBytes) return DROP_MALFORMED
  if (!ipv4HeaderSumIsGood(view, at, headerBytes)) return DROP_MALFORMED
  p.trafficClass = (word0 >>> IPV4_WORD0_TRAFFIC_CLASS_SHIFT) & 0xff
  p.ttl = view.getUint8(at + IPV4_AT_TTL)
  p.protocol = view.getUint8(at + IPV4_AT_PROTOCOL)
  p.l4At = at + headerBytes
  p.fragmentAt = -1
  p.src0 = 0
  p.src1 = 0
  p.src2 = IPV4_MAPPED_WORD
  p.src3 = loadI32(view, at + IPV4_AT_SRC)
  p.dst0 = 0
  p.dst1 = 0
  p.dst2 = IPV4_MAPPED_WORD
  p.dst3 = loadI32(view, at + IPV4_AT_DST)
  const fragment = loadU16(view, at + IPV4_AT_FRAGMENT)
  p.dontFragment = (fragment & IPV4_FLAG_DONT_FRAGMENT) === 0 ? 0 : 1
  const offsetBytes = (fragment & IPV4_FRAGMENT_OFFSET_MASK) * FRAGMENT_UNIT_BYTES
  const more = (fragment & IPV4_FLAG_MORE_FRAGMENTS) !== 0
  // The end counts the header, because the reassembled packet has a 16-bit total length.
  return checkFragment(p, offsetBytes, more, p.totalBytes - headerBytes,
    IPV4_TOTAL_LENGTH_MAX - headerBytes)
}

function parseIpv6 (p: PacketContext, view: DataView): number {
  const at = p.at
  if (p.bytes < IPV6_HEADER_BYTES) return DROP_MALFORMED
  if (loadU16(view, at + IPV6_AT_PAYLOAD_LENGTH) + IPV6_HEADER_BYTES !== p.totalBytes) {
    return DROP_MALFORMED
  }
  p.trafficClass = ipv6TrafficClass(view, at)
  p.ttl = view.getUint8(at + IPV6_AT_HOP_LIMIT)
  p.dontFragment = 1
  p.src0 = loadI32(view, at + IPV6_AT_SRC)
  p.src1 = loadI32(view, at + IPV6_AT_SRC + 4)
  p.src2 = loadI32(view, at + IPV6_AT_SRC + 8)
  p.src3 = loadI32(view, at + IPV6_AT_SRC + 12)
  p.dst0 = loadI32(view, at + IPV6_AT_DST)
  p.dst1 = loadI32(view, at + IPV6_AT_DST + 4)
  p.dst2 = loadI32(view, at + IPV6_AT_DST + 8)
  p.dst3 = loadI32(view, at + IPV6_AT_DST + 12)
  // ::ffff:a.b.c.d never stands on a wire (RFC 4038 §4.2); here it would pass for the IPv4 address.
  if ((p.src0 | p.src1) === 0 && p.src2 === IPV4_MAPPED_WORD) return DROP_MALFORMED
  if ((p.dst0 | p.dst1) === 0 && p.dst2 === IPV4_MAPPED_WORD) return DROP_MALFORMED
  if (!ipv6Walk(view, at, at + p.bytes, p.walk)) return DROP_MALFORMED
  p.protocol = p.walk.protocol
  p.l4At = p.walk.l4At
  p.fragmentAt = p.walk.fragmentAt
  if (p.fragmentAt < 0) return checkFragment(p, 0, false, 0, REASSEMBLED_BYTES_MAX)
  const offsetBytes = ipv6FragmentOffsetBytes(view, p.fragmentAt)
  const more = ipv6MoreFragments(view, p.fragmentAt)
  return checkFragment(p, offsetBytes, more, p.at + p.totalBytes - p.l4At, REASSEMBLED_BYTES_MAX)
}

function checkFragment (
  p: PacketContext, offsetBytes: number, more: boolean, payloadBytes: number, endMax: number
): number {
  p.isFragment = more || offsetBytes !== 0 ? 1 : 0
  p.isLaterFragment = offsetBytes !== 0 ? 1 : 0
  if (p.isFragment === 0) return DROP_NONE
  if (p.gsoType !== GSO_NONE) return DROP_MALFORMED
  if (payloadBytes === 0 || offsetBytes + payloadBytes > endMax) return DROP_FRAGMENT_INVALID
  if (more && payloadBytes % FRAGMENT_UNIT_BYTES !== 0) return DROP_FRAGMENT_INVALID
  // RFC 1858 §3: a later fragment that begins inside the TCP header would rewrite it behind the
  // filter.
  if (offsetBytes !== 0 && offsetBytes < upperHeaderBytes(p.protocol)) return DROP_FRAGMENT_INVALID
  return DROP_NONE
}

/** Bytes of the upper-layer header that a first fragment must hold whole. */
function upperHeaderBytes (protocol: number): number {
  switch (protocol) {
    case PROTOCOL_TCP: return TCP_HEADER_BYTES_MIN
    case PROTOCOL_UDP: return UDP_HEADER_BYTES
    case PROTOCOL_ICMP: return ICMP_HEADER_BYTES
    case PROTOCOL_ICMPV6: return ICMPV6_HEADER_BYTES
    default: return 0
  }
}

function parseUpperLayer (p: PacketContext, view: DataView): number {
  p.hasConnection = 1
  p.knowsPorts = 1
  let headersEnd = p.l4At
  const end = p.at + p.bytes
  if (p.isLaterFragment === 0) {
    switch (p.protocol) {
      case PROTOCOL_TCP: {
        if (p.l4At + TCP_HEADER_BYTES_MIN > end) return short(p)
        const headerBytes = tcpHeaderBytes(view, p.l4At)
        if (headerBytes < TCP_HEADER_BYTES_MIN || p.l4At + headerBytes > end) return short(p)
        p.ports = loadI32(view, p.l4At + TCP_AT_SRC_PORT)
        p.tcpFlags = view.getUint8(p.l4At + TCP_AT_FLAGS)
        headersEnd += headerBytes
        break
      }
      case PROTOCOL_UDP: {
        if (p.l4At + UDP_HEADER_BYTES > end) return short(p)
        if (p.isFragment === 0 && !udpLengthIsGood(p, view)) return DROP_MALFORMED
        p.ports = loadI32(view, p.l4At + UDP_AT_SRC_PORT)
        headersEnd += UDP_HEADER_BYTES
        break
      }
      case PROTOCOL_ICMP:
        if (p.l4At + ICMP_HEADER_BYTES > end) return short(p)
        p.icmpType = view.getUint8(p.l4At + ICMP_AT_TYPE)
        p.icmpCode = view.getUint8(p.l4At + ICMP_AT_CODE)
        takeEcho(p, view, p.icmpType === ICMP_ECHO_REQUEST, p.icmpType === ICMP_ECHO_REPLY,
          ICMP_AT_IDENTIFIER)
        break
      case PROTOCOL_ICMPV6: {
        if (p.l4At + ICMPV6_HEADER_BYTES_MIN > end) return short(p)
        p.icmpType = view.getUint8(p.l4At + ICMPV6_AT_TYPE)
        p.icmpCode = view.getUint8(p.l4At + ICMPV6_AT_CODE)
        const isRequest = p.icmpType === ICMPV6_ECHO_REQUEST
        const isReply = p.icmpType === ICMPV6_ECHO_REPLY
        if ((isRequest || isReply) && p.l4At + ICMPV6_HEADER_BYTES > end) return short(p)
        takeEcho(p, view, isRequest, isReply, ICMPV6_AT_IDENTIFIER)
        break
      }
    }
  }
  if (p.isLaterFragment !== 0 && upperHeaderBytes(p.protocol) !== 0) {
    p.hasConnection = 0
    p.knowsPorts = 0
  }
  p.isFlow = p.hasConnection & (1 - p.isFragment)
  return checkOffload(p, headersEnd)
}

/**
 * A header that is cut short: of a first fragment it is an attack (RFC 1858 §2), else plain damage.
 */
function short (p: PacketContext): number {
  return p.isFragment === 0 ? DROP_MALFORMED : DROP_FRAGMENT_INVALID
}

function udpLengthIsGood (p: PacketContext, view: DataView): boolean {
  const length = loadU16(view, p.l4At + UDP_AT_LENGTH)
  return length >= UDP_HEADER_BYTES && p.l4At + length <= p.at + p.totalBytes
}

/**
 * Echo belongs to a flow by its identifier; other ICMP belongs to the flow it speaks of, which is
 * not cached.
 */
function takeEcho (
  p: PacketContext, view: DataView, isRequest: boolean, isReply: boolean, identifierAt: number
): void {
  if (isRequest || isReply) p.ports = echoPorts(loadU16(view, p.l4At + identifierAt), isRequest)
  else p.hasConnection = 0
}

/** Super-packets and unfinished checksums: what the sender claims must agree with the headers. */
function checkOffload (p: PacketContext, headersEnd: number): number {
  if ((p.csum & CSUM_NEEDED) !== 0) {
    const start = p.csumField & 0xffff
    const offset = p.csumField >>> 16
    if (start < IPV4_HEADER_BYTES_MIN || start + offset + 2 > p.bytes) return DROP_MALFORMED
  }
  if (p.gsoType === GSO_NONE) {
    p.segments = 1
    p.wireBytesMax = p.totalBytes
    p.wireBytesSum = p.totalBytes
    return DROP_NONE
  }
  const kind = p.gsoType & ~GSO_ECN
  const agrees = kind === GSO_TCPV4
    ? p.version === IPV4_VERSION && p.protocol === PROTOCOL_TCP
    : kind === GSO_TCPV6
      ? p.version === IPV6_VERSION && p.protocol === PROTOCOL_TCP
      : kind === GSO_UDP && p.protocol === PROTOCOL_UDP
  if (!agrees || p.gsoSize <= 0) return DROP_MALFORMED
  const headerBytes = headersEnd - p.at
  const payloadBytes = p.totalBytes - headerBytes
  if (payloadBytes <= 0) return DROP_MALFORMED
  p.segments = Math.ceil(payloadBytes / p.gsoSize)
  p.wireBytesMax = Math.min(p.totalBytes, headerBytes + p.gsoSize)
  p.wireBytesSum = p.totalBytes + (p.segments - 1) * headerBytes
  return DROP_NONE
}
