/**
 * IPv4 to IPv6 and back in the bytes of a packet: RFC 7915. The upper layer stays where it is; the
 * IP header before it is written anew from the context, and the packet's start moves:
 *
 *     to IPv4    forward    [ IPv6 40, extensions │ upper layer ]  ──▶  [ IPv4 20 │ upper layer ]
 *     to IPv6    backward   [ IPv4 20, options │ upper layer ]     ──▶  [ IPv6 40 │ upper layer ]
 *
 * A fragment's IPv6 header has 8 bytes more. So a packet grows by 28 bytes at most, into the 64 of
 * headroom that a packet from a TUN has, or into the VPC header of 32 that it came in; then a VPC
 * header that it is to leave in stands apart (transmit.ts). A super-packet is changed like a
 * packet: the NIC writes the headers of its packets.
 *
 * Checksums are updated by what changed of the pseudo-header (RFC 1624), and one that was wrong
 * stays wrong. An ICMP error is made anew, since what it quotes changes its length, too: that gets
 * the addresses that its sender knows, and its ICMP type.
 *
 *     DF, identification   DF from 1,261 bytes on; below, and for fragments, an identification
 *     flow label           0
 *     RFC 4884             extensions are left out
 */
import { CSUM_NEEDED, GSO_ECN, GSO_NONE, GSO_TCPV4, GSO_TCPV6 } from '../tun/descriptor.ts'
import { readU16, readU32, writeU16, writeU32 } from '../wire/bytes.ts'
import { checksumAdd, checksumFinish, checksumFold, checksumReplaceU16 } from '../wire/checksum.ts'
import {
  ICMP_AT_CHECKSUM, ICMP_AT_CODE, ICMP_AT_IDENTIFIER, ICMP_AT_QUOTE, ICMP_AT_TYPE,
  ICMP_ERROR_BYTES_MAX, ICMP_HEADER_BYTES, icmpIsError
} from '../wire/icmp.ts'
import { ICMPV6_FIRST_QUERY_TYPE } from '../wire/icmpv6.ts'
import {
  PROTOCOL_FRAGMENT, PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP
} from '../wire/ip_protocol.ts'
import {
  FRAGMENT_UNIT_BYTES, IPV4_ADDRESS_BYTES, IPV4_AT_DST, IPV4_AT_FRAGMENT, IPV4_AT_IDENTIFICATION,
  IPV4_AT_PROTOCOL, IPV4_AT_SRC, IPV4_AT_TOTAL_LENGTH, IPV4_AT_TRAFFIC_CLASS, IPV4_AT_TTL,
  IPV4_AT_VERSION_IHL, IPV4_FLAG_DONT_FRAGMENT, IPV4_FLAG_MORE_FRAGMENTS, IPV4_FRAGMENT_OFFSET_MASK,
  IPV4_HEADER_BYTES_MIN, IPV4_VERSION, ipv4HeaderBytes, ipv4WriteChecksum
} from '../wire/ipv4.ts'
import {
  IPV6_ADDRESS_BYTES, IPV6_AT_DST, IPV6_AT_HOP_LIMIT, IPV6_AT_NEXT_HEADER, IPV6_AT_PAYLOAD_LENGTH,
  IPV6_AT_SRC, IPV6_FRAGMENT_AT_IDENTIFICATION, IPV6_FRAGMENT_AT_NEXT_HEADER,
  IPV6_FRAGMENT_AT_OFFSET, IPV6_FRAGMENT_HEADER_BYTES, IPV6_FRAGMENT_MORE, IPV6_HEADER_BYTES,
  IPV6_MTU_MIN, IPV6_VERSION, ipv6FragmentOffsetBytes, ipv6MoreFragments, ipv6SetTrafficClass,
  ipv6TrafficClass, ipv6Walk
} from '../wire/ipv6.ts'
import {
  echoTypeInIpv4, echoTypeInIpv6, NAT64_FRAGMENTABLE_BYTES_MAX, NAT64_WORD, protocolInIpv4,
  protocolInIpv6
} from '../wire/nat64.ts'
import { TCP_AT_CHECKSUM } from '../wire/tcp.ts'
import { UDP_AT_CHECKSUM } from '../wire/udp.ts'
import { DROP_NONE, DROP_TRANSMIT_QUEUE_FULL } from './drop_reason.ts'
import type { PacketContext } from './packet.ts'
import type { RouterParts } from './router_parts.ts'
import { REWRITE_DESTINATION, REWRITE_FAMILY, REWRITE_SOURCE } from './translate.ts'
import { REWRITE_QUOTED_DESTINATION_PORT, REWRITE_QUOTED_SOURCE_PORT } from './translate_ports.ts'

const ALL_OF_IP = REWRITE_FAMILY | REWRITE_SOURCE | REWRITE_DESTINATION
const QUOTED_PORTS = REWRITE_QUOTED_SOURCE_PORT | REWRITE_QUOTED_DESTINATION_PORT
/** Of a quoted upper-layer header: ports, or identifier. An error has them at least. */
const QUOTED_UPPER_BYTES_MIN = 8
/** RFC 4884 §4.1, §4.2: how long the quote is, where extensions follow it. */
const ICMP_AT_QUOTE_LENGTH = 5 // u8, in 4 bytes
const ICMPV6_AT_QUOTE_LENGTH = 4 // u8, in 8 bytes

/**
 * Gives the packet the family and the addresses of its context. Ports are left to translate.ts.
 * Precondition: REWRITE_FAMILY.
 * @returns DROP_NONE, or DROP_TRANSMIT_QUEUE_FULL when there is no room for an error
 */
export function changeFamily (p: PacketContext, parts: RouterParts): number {
  const isIpv4 = p.version === IPV4_VERSION
  if (p.isLaterFragment === 0 && (isIpv4
    ? p.protocol === PROTOCOL_ICMP && icmpIsError(p.icmpType)
    : p.protocol === PROTOCOL_ICMPV6 && p.icmpType < ICMPV6_FIRST_QUERY_TYPE)) {
    if (!changeError(p, parts)) return DROP_TRANSMIT_QUEUE_FULL
    p.rewrites &= ~(ALL_OF_IP | QUOTED_PORTS)
    return DROP_NONE
  }
  if (isIpv4) toIpv4(p, parts)
  else toIpv6(p, parts)
  p.rewrites &= ~ALL_OF_IP
  return DROP_NONE
}

function toIpv4 (p: PacketContext, parts: RouterParts): void {
  const { bytes, view } = parts
  const old = addressSum(bytes, p.at, IPV6_VERSION)
  let identification = 0
  let fragment = 0
  if (p.fragmentAt >= 0) {
    identification = readU16(bytes, p.fragmentAt + IPV6_FRAGMENT_AT_IDENTIFICATION + 2)
    fragment = (ipv6FragmentOffsetBytes(view, p.fragmentAt) / FRAGMENT_UNIT_BYTES) |
      (ipv6MoreFragments(view, p.fragmentAt) ? IPV4_FLAG_MORE_FRAGMENTS : 0)
  } else {
    identification = parts.transmit.takeIdentifications(p.segments)
    fragment = p.dontFragment === 0 ? 0 : IPV4_FLAG_DONT_FRAGMENT
  }
  moveStart(p, p.l4At - IPV4_HEADER_BYTES_MIN)
  const { at } = p
  writeU32(bytes, at + IPV4_AT_SRC, p.src3)
  writeU32(bytes, at + IPV4_AT_DST, p.dst3)
  writeIpv4(bytes, at, p.trafficClass, p.totalBytes, p.ttl, p.protocol)
  writeU16(bytes, at + IPV4_AT_IDENTIFICATION, identification)
  writeU16(bytes, at + IPV4_AT_FRAGMENT, fragment)
  ipv4WriteChecksum(bytes, at, IPV4_HEADER_BYTES_MIN)
  if (p.gsoType !== GSO_NONE && p.protocol === PROTOCOL_TCP) {
    p.gsoType = GSO_TCPV4 | (p.gsoType & GSO_ECN)
  }
  p.fragmentAt = -1
  followPseudoHeader(p, bytes, old, addressSum(bytes, at, IPV4_VERSION))
}

function toIpv6 (p: PacketContext, parts: RouterParts): void {
  const { bytes } = parts
  const old = addressSum(bytes, p.at, IPV4_VERSION)
  const identification = readU16(bytes, p.at + IPV4_AT_IDENTIFICATION)
  const fragment = readU16(bytes, p.at + IPV4_AT_FRAGMENT)
  // What is to be cut (fragment.ts) gets the header of its fragments; segments need none.
  const isTcpSuper = p.gsoType !== GSO_NONE && p.protocol === PROTOCOL_TCP
  const isInPieces = p.isFragment !== 0 || (p.mustFragment !== 0 && !isTcpSuper)
  const headerBytes = IPV6_HEADER_BYTES + (isInPieces ? IPV6_FRAGMENT_HEADER_BYTES : 0)
  moveStart(p, p.l4At - headerBytes)
  const { at } = p
  writeIpv6(bytes, at, p.trafficClass, p.totalBytes - IPV6_HEADER_BYTES, p.ttl, p.protocol)
  writeSource(p, bytes, at)
  writeDestination(p, bytes, at + IPV6_AT_DST)
  if (isInPieces) {
    p.fragmentAt = at + IPV6_HEADER_BYTES
    writeFragmentHeader(bytes, at, p.protocol, identification, fragment)
  }
  if (isTcpSuper) p.gsoType = GSO_TCPV6 | (p.gsoType & GSO_ECN)
  followPseudoHeader(p, bytes, old, addressSum(bytes, at, IPV6_VERSION))
}

/** Lets the packet start elsewhere before its upper layer. */
function moveStart (p: PacketContext, at: number): void {
  const gainBytes = p.at - at
  p.at = at
  p.bytes += gainBytes
  p.totalBytes += gainBytes
  if (gainBytes > 0) p.hasGrown = 1
  if ((p.csum & CSUM_NEEDED) !== 0) p.csumField = (p.l4At - at) | (p.csumField & 0xffff0000)
}

// ------------------------------------------------------------------------------------- headers

/** All but identification, fragment, addresses and checksum. */
function writeIpv4 (
  bytes: Uint8Array, at: number, trafficClass: number, totalBytes: number, ttl: number,
  protocol: number
): void {
  bytes[at + IPV4_AT_VERSION_IHL] = (IPV4_VERSION << 4) | (IPV4_HEADER_BYTES_MIN >>> 2)
  bytes[at + IPV4_AT_TRAFFIC_CLASS] = trafficClass
  writeU16(bytes, at + IPV4_AT_TOTAL_LENGTH, totalBytes)
  bytes[at + IPV4_AT_TTL] = ttl
  bytes[at + IPV4_AT_PROTOCOL] = protocol
}

/** All but addresses. */
function writeIpv6 (
  bytes: Uint8Array, at: number, trafficClass: number, payloadBytes: number, hopLimit: number,
  protocol: number
): void {
  writeU32(bytes, at, IPV6_VERSION << 28)
  ipv6SetTrafficClass(bytes, at, trafficClass)
  writeU16(bytes, at + IPV6_AT_PAYLOAD_LENGTH, payloadBytes)
  bytes[at + IPV6_AT_NEXT_HEADER] = protocol
  bytes[at + IPV6_AT_HOP_LIMIT] = hopLimit
}

/** Puts a fragment header behind the IPv6 header at `at`. @param fragment as IPv4 writes it */
function writeFragmentHeader (
  bytes: Uint8Array, at: number, protocol: number, identification: number, fragment: number
): void {
  const fragmentAt = at + IPV6_HEADER_BYTES
  bytes[at + IPV6_AT_NEXT_HEADER] = PROTOCOL_FRAGMENT
  bytes[fragmentAt + IPV6_FRAGMENT_AT_NEXT_HEADER] = protocol
  bytes[fragmentAt + IPV6_FRAGMENT_AT_NEXT_HEADER + 1] = 0
  writeU16(bytes, fragmentAt + IPV6_FRAGMENT_AT_OFFSET,
    ((fragment & IPV4_FRAGMENT_OFFSET_MASK) * FRAGMENT_UNIT_BYTES) |
    ((fragment & IPV4_FLAG_MORE_FRAGMENTS) === 0 ? 0 : IPV6_FRAGMENT_MORE))
  writeU32(bytes, fragmentAt + IPV6_FRAGMENT_AT_IDENTIFICATION, identification)
}

function writeSource (p: PacketContext, bytes: Uint8Array, at: number): void {
  writeU32(bytes, at + IPV6_AT_SRC, p.src0)
  writeU32(bytes, at + IPV6_AT_SRC + 4, p.src1)
  writeU32(bytes, at + IPV6_AT_SRC + 8, p.src2)
  writeU32(bytes, at + IPV6_AT_SRC + 12, p.src3)
}

/** The context's destination, as 16 bytes at `at`. */
function writeDestination (p: PacketContext, bytes: Uint8Array, at: number): void {
  writeU32(bytes, at, p.dst0)
  writeU32(bytes, at + 4, p.dst1)
  writeU32(bytes, at + 8, p.dst2)
  writeU32(bytes, at + 12, p.dst3)
}

/** An IPv4 address behind the well-known prefix, as 16 bytes at `at`. */
function writeNat64 (bytes: Uint8Array, at: number, address: number): void {
  writeU32(bytes, at, NAT64_WORD)
  writeU32(bytes, at + 4, 0)
  writeU32(bytes, at + 8, 0)
  writeU32(bytes, at + 12, address)
}

// ------------------------------------------------------------------------------------- checksums

/** Sum of the two addresses of the IP header at `at`, not folded. */
function addressSum (bytes: Uint8Array, at: number, version: number): number {
  return version === IPV4_VERSION
    ? checksumAdd(0, bytes, at + IPV4_AT_SRC, 2 * IPV4_ADDRESS_BYTES)
    : checksumAdd(0, bytes, at + IPV6_AT_SRC, 2 * IPV6_ADDRESS_BYTES)
}

/** Sum of the rest of the pseudo-header of ICMPv6; ICMP has none. */
function icmpv6Sum (upperBytes: number): number {
  return PROTOCOL_ICMPV6 + (upperBytes >>> 16) + (upperBytes & 0xffff)
}

/** @param old, updated sums of the addresses, before and now */
function followPseudoHeader (
  p: PacketContext, bytes: Uint8Array, old: number, updated: number
): void {
  if (p.isLaterFragment !== 0) return
  const upperBytes = p.at + p.totalBytes - p.l4At
  if (p.protocol === PROTOCOL_ICMP) {
    followEcho(p, bytes, old + icmpv6Sum(upperBytes), 0)
  } else if (p.protocol === PROTOCOL_ICMPV6) {
    followEcho(p, bytes, 0, updated + icmpv6Sum(upperBytes))
  } else if ((p.csum & CSUM_NEEDED) !== 0) {
    followUnfinished(p, bytes, old, updated)
  } else if (p.protocol === PROTOCOL_UDP && p.version === IPV6_VERSION &&
    readU16(bytes, p.l4At + UDP_AT_CHECKSUM) === 0) {
    // IPv6 has no datagrams without checksum: the NIC makes one.
    p.csum = CSUM_NEEDED
    p.csumField = (p.l4At - p.at) | (UDP_AT_CHECKSUM << 16)
    writeU16(bytes, p.l4At + UDP_AT_CHECKSUM,
      checksumFold(updated + PROTOCOL_UDP + (upperBytes >>> 16) + (upperBytes & 0xffff)))
  } else {
    const at = p.l4At + (p.protocol === PROTOCOL_TCP ? TCP_AT_CHECKSUM : UDP_AT_CHECKSUM)
    follow(bytes, at, p.protocol, old, updated)
  }
}

function followEcho (p: PacketContext, bytes: Uint8Array, old: number, updated: number): void {
  const { l4At } = p
  const oldWord = readU16(bytes, l4At)
  bytes[l4At + ICMP_AT_TYPE] = p.icmpType
  if ((p.csum & CSUM_NEEDED) !== 0) followUnfinished(p, bytes, old, updated)
  else {
    follow(bytes, l4At + ICMP_AT_CHECKSUM, p.protocol, old + oldWord,
      updated + readU16(bytes, l4At))
  }
}

/** A field that holds the sum of the pseudo-header alone, not inverted. */
function followUnfinished (
  p: PacketContext, bytes: Uint8Array, old: number, updated: number
): void {
  const at = p.l4At + (p.csumField >>> 16)
  const sum = ~readU16(bytes, at) & 0xffff
  writeU16(bytes, at, ~checksumReplaceU16(sum, checksumFold(old), checksumFold(updated)))
}

function follow (
  bytes: Uint8Array, at: number, protocol: number, old: number, updated: number
): void {
  const checksum = readU16(bytes, at)
  if (protocol === PROTOCOL_UDP && checksum === 0) return
  const next = checksumReplaceU16(checksum, checksumFold(old), checksumFold(updated))
  writeU16(bytes, at, protocol === PROTOCOL_UDP && next === 0 ? 0xffff : next)
}

// ------------------------------------------------------------------------------------- ICMP errors

/** Makes the error anew, in memory of its own. @returns false when there is none */
function changeError (p: PacketContext, parts: RouterParts): boolean {
  const { bytes, transmit } = parts
  const isIpv4 = p.version === IPV4_VERSION
  const fromAt = p.at
  const fromIcmpAt = p.l4At
  const end = p.at + p.bytes
  const quoteAt = fromIcmpAt + ICMP_AT_QUOTE
  const upperAt = quotedUpperAt(p, parts, quoteAt, end)
  const isFragment = !isIpv4 && (readU16(bytes, quoteAt + IPV4_AT_FRAGMENT) &
    (IPV4_FLAG_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET_MASK)) !== 0
  const ipBytes = isIpv4 ? IPV4_HEADER_BYTES_MIN : IPV6_HEADER_BYTES
  const quoteIpBytes = ipBytes + (isFragment ? IPV6_FRAGMENT_HEADER_BYTES : 0)
  const headersBytes = ipBytes + ICMP_HEADER_BYTES + quoteIpBytes
  const upperBytes = Math.min(quoteEnd(p, bytes, quoteAt, upperAt, end) - upperAt,
    (isIpv4 ? ICMP_ERROR_BYTES_MAX : IPV6_MTU_MIN) - headersBytes)
  const at = transmit.allocate(headersBytes + upperBytes)
  if (at < 0 || !transmit.hasRoom(1)) return false
  const icmpAt = at + ipBytes
  const newQuoteAt = icmpAt + ICMP_AT_QUOTE
  const newUpperAt = newQuoteAt + quoteIpBytes
  bytes.copyWithin(newUpperAt, upperAt, upperAt + upperBytes)
  if (isIpv4) quoteInIpv4(p, parts, quoteAt, newQuoteAt)
  else quoteInIpv6(p, bytes, quoteAt, newQuoteAt, isFragment)
  changeQuotedUpper(p, parts, quoteAt, newQuoteAt, newUpperAt, newUpperAt + upperBytes)
  const old = coveredSum(bytes, fromAt, fromIcmpAt, end, isIpv4)
  bytes[icmpAt + ICMP_AT_TYPE] = p.errorKind >>> 8
  bytes[icmpAt + ICMP_AT_CODE] = p.errorKind & 0xff
  writeU16(bytes, icmpAt + ICMP_AT_CHECKSUM, readU16(bytes, fromIcmpAt + ICMP_AT_CHECKSUM))
  writeU32(bytes, icmpAt + ICMP_AT_IDENTIFIER, p.errorWord)
  describe(p, at, icmpAt, headersBytes + upperBytes)
  writeOuter(p, parts)
  const updated = coveredSum(bytes, at, icmpAt, at + p.bytes, !isIpv4)
  if ((p.csum & CSUM_NEEDED) !== 0) {
    writeU16(bytes, icmpAt + ICMP_AT_CHECKSUM, checksumFinish(updated))
  } else follow(bytes, icmpAt + ICMP_AT_CHECKSUM, p.protocol, old, updated)
  p.csum = 0
  p.csumField = 0
  return true
}

/** Where the quoted upper-layer header starts. Precondition: readQuote (steps/hyperplane.ts). */
function quotedUpperAt (
  p: PacketContext, { bytes, view }: RouterParts, quoteAt: number, end: number
): number {
  if (p.version === IPV6_VERSION) return quoteAt + ipv4HeaderBytes(bytes, quoteAt)
  ipv6Walk(view, quoteAt, end, p.walk)
  return p.walk.l4At
}

/** Where the quote ends: before extensions, if there are any. */
function quoteEnd (
  p: PacketContext, bytes: Uint8Array, quoteAt: number, upperAt: number, end: number
): number {
  const wordBytes = p.version === IPV6_VERSION ? 4 : 8
  const lengthAt = p.version === IPV6_VERSION ? ICMP_AT_QUOTE_LENGTH : ICMPV6_AT_QUOTE_LENGTH
  const isTooBig = p.version === IPV4_VERSION && bytes[p.l4At + ICMP_AT_TYPE] === 2
  const told = isTooBig ? 0 : bytes[p.l4At + lengthAt] * wordBytes
  const stop = quoteAt + told
  return stop >= upperAt + QUOTED_UPPER_BYTES_MIN && stop < end ? stop : end
}

function describe (p: PacketContext, at: number, icmpAt: number, totalBytes: number): void {
  p.at = at
  p.bytes = totalBytes
  p.totalBytes = totalBytes
  p.l4At = icmpAt
  p.fragmentAt = -1
  p.wireBytesMax = totalBytes
  p.wireBytesSum = totalBytes
  p.hasGrown = 0
}

function writeOuter (p: PacketContext, { bytes, transmit }: RouterParts): void {
  const { at } = p
  if (p.version === IPV4_VERSION) {
    writeU32(bytes, at + IPV4_AT_SRC, p.src3)
    writeU32(bytes, at + IPV4_AT_DST, p.dst3)
    writeIpv4(bytes, at, p.trafficClass, p.totalBytes, p.ttl, p.protocol)
    writeU16(bytes, at + IPV4_AT_IDENTIFICATION, transmit.takeIdentifications(1))
    writeU16(bytes, at + IPV4_AT_FRAGMENT, 0)
    ipv4WriteChecksum(bytes, at, IPV4_HEADER_BYTES_MIN)
    return
  }
  writeIpv6(bytes, at, p.trafficClass, p.totalBytes - IPV6_HEADER_BYTES, p.ttl, p.protocol)
  writeSource(p, bytes, at)
  writeDestination(p, bytes, at + IPV6_AT_DST)
}

/**
 * Sum of what the checksum of an ICMP message covers, without itself.
 * @param isIpv6 ICMPv6: addresses and length are covered
 */
function coveredSum (
  bytes: Uint8Array, at: number, icmpAt: number, end: number, isIpv6: boolean
): number {
  const pseudo = isIpv6 ? addressSum(bytes, at, IPV6_VERSION) + icmpv6Sum(end - icmpAt) : 0
  return checksumAdd(pseudo, bytes, icmpAt, end - icmpAt) -
    readU16(bytes, icmpAt + ICMP_AT_CHECKSUM)
}

/** The packet that came in, as it was outside: to the address that the error comes from. */
function quoteInIpv4 (
  p: PacketContext, { bytes, view }: RouterParts, fromAt: number, at: number
): void {
  const { walk } = p
  const totalBytes = readU16(bytes, fromAt + IPV6_AT_PAYLOAD_LENGTH) -
    (walk.l4At - fromAt - IPV6_HEADER_BYTES) + IPV4_HEADER_BYTES_MIN
  writeU32(bytes, at + IPV4_AT_SRC, readU32(bytes, fromAt + IPV6_AT_SRC + 12))
  writeU32(bytes, at + IPV4_AT_DST, p.src3)
  writeIpv4(bytes, at, ipv6TrafficClass(view, fromAt), totalBytes,
    bytes[fromAt + IPV6_AT_HOP_LIMIT], protocolInIpv4(walk.protocol))
  let identification = 0
  let fragment = totalBytes > NAT64_FRAGMENTABLE_BYTES_MAX ? IPV4_FLAG_DONT_FRAGMENT : 0
  if (walk.fragmentAt >= 0) {
    identification = readU16(bytes, walk.fragmentAt + IPV6_FRAGMENT_AT_IDENTIFICATION + 2)
    fragment = (ipv6FragmentOffsetBytes(view, walk.fragmentAt) / FRAGMENT_UNIT_BYTES) |
      (ipv6MoreFragments(view, walk.fragmentAt) ? IPV4_FLAG_MORE_FRAGMENTS : 0)
  }
  writeU16(bytes, at + IPV4_AT_IDENTIFICATION, identification)
  writeU16(bytes, at + IPV4_AT_FRAGMENT, fragment)
  ipv4WriteChecksum(bytes, at, IPV4_HEADER_BYTES_MIN)
}

/** The packet that went out, as it was inside: from the address that the error goes to. */
function quoteInIpv6 (
  p: PacketContext, bytes: Uint8Array, fromAt: number, at: number, isFragment: boolean
): void {
  const protocol = protocolInIpv6(bytes[fromAt + IPV4_AT_PROTOCOL])
  const upperBytes = readU16(bytes, fromAt + IPV4_AT_TOTAL_LENGTH) - ipv4HeaderBytes(bytes, fromAt)
  writeIpv6(bytes, at, bytes[fromAt + IPV4_AT_TRAFFIC_CLASS],
    upperBytes + (isFragment ? IPV6_FRAGMENT_HEADER_BYTES : 0), bytes[fromAt + IPV4_AT_TTL],
    protocol)
  writeDestination(p, bytes, at + IPV6_AT_SRC)
  writeNat64(bytes, at + IPV6_AT_DST, readU32(bytes, fromAt + IPV4_AT_DST))
  if (isFragment) {
    writeFragmentHeader(bytes, at, protocol, readU16(bytes, fromAt + IPV4_AT_IDENTIFICATION),
      readU16(bytes, fromAt + IPV4_AT_FRAGMENT))
  }
}

/**
 * Port or identifier of the quoted packet, its ICMP type, and its checksum where that is quoted.
 * @param at its new upper-layer header, which ends at `end`
 */
function changeQuotedUpper (
  p: PacketContext, { bytes }: RouterParts, quoteAt: number, newQuoteAt: number, at: number,
  end: number
): void {
  const isIpv4 = p.version === IPV4_VERSION
  const protocol = isIpv4 ? p.walk.protocol : bytes[quoteAt + IPV4_AT_PROTOCOL]
  let old = addressSum(bytes, quoteAt, isIpv4 ? IPV6_VERSION : IPV4_VERSION)
  let updated = addressSum(bytes, newQuoteAt, p.version)
  let checksumAt = at + (protocol === PROTOCOL_TCP ? TCP_AT_CHECKSUM : UDP_AT_CHECKSUM)
  let portAt = at + ((p.rewrites & REWRITE_QUOTED_SOURCE_PORT) !== 0 ? 0 : 2)
  if (protocol === PROTOCOL_ICMP || protocol === PROTOCOL_ICMPV6) {
    const length = icmpv6Sum(isIpv4
      ? readU16(bytes, newQuoteAt + IPV4_AT_TOTAL_LENGTH) - IPV4_HEADER_BYTES_MIN
      : readU16(bytes, quoteAt + IPV4_AT_TOTAL_LENGTH) - ipv4HeaderBytes(bytes, quoteAt))
    const oldWord = readU16(bytes, at)
    const type = bytes[at + ICMP_AT_TYPE]
    bytes[at + ICMP_AT_TYPE] = isIpv4 ? echoTypeInIpv4(type) : echoTypeInIpv6(type)
    old = oldWord + (isIpv4 ? old + length : 0)
    updated = readU16(bytes, at) + (isIpv4 ? 0 : updated + length)
    checksumAt = at + ICMP_AT_CHECKSUM
    portAt = at + ICMP_AT_IDENTIFIER
  }
  if ((p.rewrites & QUOTED_PORTS) !== 0) {
    old += readU16(bytes, portAt)
    writeU16(bytes, portAt, p.quotedPort)
    updated += p.quotedPort
  }
  if (checksumAt + 2 <= end) follow(bytes, checksumAt, protocol, old, updated)
}
