/**
 * Fragmentation of what is larger than the path and may be fragmented: IPv4's, RFC 791 §3.2, and
 * IPv6's of what NAT64 has made of IPv4, RFC 7915 §4, which brings its fragment header along.
 * Pieces are built in the transmit scratch area, because each needs its header directly before its
 * payload.
 *
 *     plain packet   complete the L4 checksum, then cut at multiples of 8 bytes
 *     TCP super      cut it into smaller segments instead: the receiver sees the same stream
 *     UDP super      build each datagram whole, then fragment it: its boundaries mean something
 *
 * Options: all go into the first fragment, into later ones only those whose "copied" flag is set. A
 * packet that is a fragment already keeps its offset, its flag and its identification. IPv6 options
 * are of no packet that is cut here.
 */
import { assertHot } from '../base/assert.ts'
import { CSUM_NEEDED, GSO_NONE, GSO_UDP, GSO_ECN } from '../tun/descriptor.ts'
import { readU16, writeU16 } from '../wire/bytes.ts'
import { checksumFinish, checksumAdd, pseudoHeaderSum } from '../wire/checksum.ts'
import { PROTOCOL_UDP } from '../wire/ip_protocol.ts'
import {
  FRAGMENT_UNIT_BYTES, IPV4_ADDRESS_BYTES, IPV4_AT_FRAGMENT, IPV4_AT_IDENTIFICATION,
  IPV4_AT_OPTIONS, IPV4_AT_SRC, IPV4_AT_TOTAL_LENGTH, IPV4_AT_VERSION_IHL, IPV4_FLAG_MORE_FRAGMENTS,
  IPV4_FRAGMENT_OFFSET_MASK, IPV4_HEADER_BYTES_MIN, IPV4_OPTION_AT_LENGTH, IPV4_OPTION_COPIED,
  IPV4_OPTION_END, IPV4_OPTION_NOP, IPV4_VERSION, ipv4HeaderBytes, ipv4WriteChecksum
} from '../wire/ipv4.ts'
import {
  IPV6_ADDRESS_BYTES, IPV6_AT_PAYLOAD_LENGTH, IPV6_AT_SRC, IPV6_FRAGMENT_AT_IDENTIFICATION,
  IPV6_FRAGMENT_AT_OFFSET, IPV6_FRAGMENT_HEADER_BYTES, IPV6_FRAGMENT_MORE, IPV6_HEADER_BYTES
} from '../wire/ipv6.ts'
import { UDP_AT_CHECKSUM, UDP_AT_LENGTH, UDP_HEADER_BYTES } from '../wire/udp.ts'
import { COUNT_FRAGMENTS } from './counters.ts'
import { DROP_NONE, DROP_TOO_BIG, DROP_TRANSMIT_QUEUE_FULL } from './drop_reason.ts'
import type { PacketContext } from './packet.ts'
import type { RouterParts } from './router_parts.ts'
import { completeChecksum } from './segment.ts'

const INVARIANT_FRAGMENT_OF_RUN = 3001
/** IPv6 header and fragment header: all that stands before the upper layer. */
const IPV6_FRAGMENT_HEADERS_BYTES = IPV6_HEADER_BYTES + IPV6_FRAGMENT_HEADER_BYTES
const IPV6_AT_FRAGMENT_FIELD = IPV6_HEADER_BYTES + IPV6_FRAGMENT_AT_OFFSET
/** The low half, which was IPv4's. */
const IPV6_AT_IDENTIFICATION = IPV6_HEADER_BYTES + IPV6_FRAGMENT_AT_IDENTIFICATION + 2

/**
 * Sends the packet in pieces that fit `p.mtu`; the context is used up.
 * @returns DROP_NONE; or, with nothing sent, DROP_TRANSMIT_QUEUE_FULL, or DROP_TOO_BIG when no
 *   payload fits the MTU
 */
export function emitFragments (p: PacketContext, parts: RouterParts): number {
  // Runs come from the underlay, and what comes from there is not fragmented.
  assertHot(p.run === 0, INVARIANT_FRAGMENT_OF_RUN)
  if (p.gsoType === GSO_NONE) {
    if ((p.csum & CSUM_NEEDED) !== 0) completeChecksum(p, parts.bytes, p.at)
    p.csum = 0
    return emitDatagram(p, parts, p.at, p.totalBytes)
  }
  if ((p.gsoType & ~GSO_ECN) === GSO_UDP) return emitUdpSuper(p, parts)
  return emitTcpSuper(p, parts)
}

function emitTcpSuper (p: PacketContext, parts: RouterParts): number {
  const headerBytes = p.wireBytesMax - p.gsoSize
  const gsoSize = p.mtu - headerBytes
  if (gsoSize <= 0) return DROP_TOO_BIG
  if (!parts.transmit.hasRoom(1)) return DROP_TRANSMIT_QUEUE_FULL
  p.gsoSize = gsoSize
  parts.transmit.send(p, parts.tables.ports)
  return DROP_NONE
}

function emitUdpSuper (p: PacketContext, parts: RouterParts): number {
  const { bytes, transmit } = parts
  const headersBytes = p.l4At - p.at + UDP_HEADER_BYTES
  const ipBytes = p.l4At - p.at
  const fromAt = p.at
  const gsoSize = p.gsoSize
  const payloadBytes = p.totalBytes - headersBytes
  const isIpv4 = p.version === IPV4_VERSION
  const identificationAt = isIpv4 ? IPV4_AT_IDENTIFICATION : IPV6_AT_IDENTIFICATION
  const identification = readU16(bytes, p.at + identificationAt)
  const units = Math.floor((p.mtu - ipBytes) / FRAGMENT_UNIT_BYTES)
  if (units <= 0) return DROP_TOO_BIG
  const pieces = Math.ceil((UDP_HEADER_BYTES + gsoSize) / (units * FRAGMENT_UNIT_BYTES))
  const bytesSum = p.totalBytes + p.segments * pieces * headersBytes + headersBytes + gsoSize
  if (!transmit.canMake(p.segments * pieces + 1, bytesSum)) return DROP_TRANSMIT_QUEUE_FULL
  const datagramAt = transmit.allocate(headersBytes + gsoSize)
  p.gsoType = GSO_NONE
  p.gsoSize = 0
  p.csum = 0
  for (let segment = 0; segment * gsoSize < payloadBytes; segment++) {
    const pieceAt = fromAt + headersBytes + segment * gsoSize
    const pieceBytes = Math.min(gsoSize, payloadBytes - segment * gsoSize)
    bytes.copyWithin(datagramAt, fromAt, fromAt + headersBytes)
    bytes.copyWithin(datagramAt + headersBytes, pieceAt, pieceAt + pieceBytes)
    const udpAt = datagramAt + ipBytes
    if (isIpv4) writeU16(bytes, datagramAt + IPV4_AT_TOTAL_LENGTH, headersBytes + pieceBytes)
    writeU16(bytes, datagramAt + identificationAt, identification + segment)
    writeU16(bytes, udpAt + UDP_AT_LENGTH, UDP_HEADER_BYTES + pieceBytes)
    writeUdpChecksum(bytes, datagramAt, isIpv4, udpAt, UDP_HEADER_BYTES + pieceBytes)
    const drop = emitDatagram(p, parts, datagramAt, headersBytes + pieceBytes)
    if (drop !== DROP_NONE) return drop
  }
  return DROP_NONE
}

function writeUdpChecksum (
  bytes: Uint8Array, ipAt: number, isIpv4: boolean, udpAt: number, udpBytes: number
): void {
  writeU16(bytes, udpAt + UDP_AT_CHECKSUM, 0)
  const addressesAt = ipAt + (isIpv4 ? IPV4_AT_SRC : IPV6_AT_SRC)
  const addressesBytes = 2 * (isIpv4 ? IPV4_ADDRESS_BYTES : IPV6_ADDRESS_BYTES)
  const pseudo = pseudoHeaderSum(bytes, addressesAt, addressesBytes, PROTOCOL_UDP, udpBytes)
  const checksum = checksumFinish(checksumAdd(pseudo, bytes, udpAt, udpBytes))
  writeU16(bytes, udpAt + UDP_AT_CHECKSUM, checksum === 0 ? 0xffff : checksum)
}

/** Cuts one complete packet. */
function emitDatagram (
  p: PacketContext, parts: RouterParts, fromAt: number, totalBytes: number
): number {
  return p.version === IPV4_VERSION ? emitIpv4(p, parts, fromAt, totalBytes)
    : emitIpv6(p, parts, fromAt, totalBytes)
}

function emitIpv6 (
  p: PacketContext, parts: RouterParts, fromAt: number, totalBytes: number
): number {
  const { bytes, transmit, counters } = parts
  const headerBytes = IPV6_FRAGMENT_HEADERS_BYTES
  const pieceBytesMax =
    Math.floor((p.mtu - headerBytes) / FRAGMENT_UNIT_BYTES) * FRAGMENT_UNIT_BYTES
  if (pieceBytesMax <= 0) return DROP_TOO_BIG
  const payloadBytes = totalBytes - headerBytes
  const pieces = Math.ceil(payloadBytes / pieceBytesMax)
  if (!transmit.canMake(pieces, totalBytes + pieces * headerBytes)) return DROP_TRANSMIT_QUEUE_FULL
  const field = readU16(bytes, fromAt + IPV6_AT_FRAGMENT_FIELD)
  for (let done = 0; done < payloadBytes; done += pieceBytesMax) {
    const pieceBytes = Math.min(pieceBytesMax, payloadBytes - done)
    const at = transmit.allocate(headerBytes + pieceBytes)
    bytes.copyWithin(at, fromAt, fromAt + headerBytes)
    const pieceAt = fromAt + headerBytes + done
    bytes.copyWithin(at + headerBytes, pieceAt, pieceAt + pieceBytes)
    // The offset counts bytes, in the upper 13 bits.
    const more = done + pieceBytes < payloadBytes ? IPV6_FRAGMENT_MORE : 0
    writeU16(bytes, at + IPV6_AT_FRAGMENT_FIELD, (field + done) | more)
    writeU16(bytes, at + IPV6_AT_PAYLOAD_LENGTH, IPV6_FRAGMENT_HEADER_BYTES + pieceBytes)
    p.at = at
    p.bytes = headerBytes + pieceBytes
    p.totalBytes = p.bytes
    transmit.send(p, parts.tables.ports)
  }
  counters.add(COUNT_FRAGMENTS, pieces)
  return DROP_NONE
}

function emitIpv4 (
  p: PacketContext, parts: RouterParts, fromAt: number, totalBytes: number
): number {
  const { bytes, transmit, counters } = parts
  const headerBytes = ipv4HeaderBytes(bytes, fromAt)
  const units = Math.floor((p.mtu - headerBytes) / FRAGMENT_UNIT_BYTES)
  if (units <= 0) return DROP_TOO_BIG
  const payloadBytes = totalBytes - headerBytes
  const pieces = Math.ceil(payloadBytes / (units * FRAGMENT_UNIT_BYTES))
  if (!transmit.canMake(pieces, totalBytes + pieces * headerBytes)) return DROP_TRANSMIT_QUEUE_FULL
  const fragmentField = readU16(bytes, fromAt + IPV4_AT_FRAGMENT)
  const firstOffset = fragmentField & IPV4_FRAGMENT_OFFSET_MASK
  const moreAfter = fragmentField & IPV4_FLAG_MORE_FRAGMENTS
  let done = 0
  while (done < payloadBytes) { // ends: each turn takes 8 bytes or all that is left
    const isFirst = done === 0 && firstOffset === 0
    const pieceBytes = Math.min(units * FRAGMENT_UNIT_BYTES, payloadBytes - done)
    // Room is taken for the full header; a later fragment may lack options.
    const at = transmit.allocate(headerBytes + pieceBytes)
    let newHeaderBytes = headerBytes
    if (isFirst) bytes.copyWithin(at, fromAt, fromAt + headerBytes)
    else newHeaderBytes = copyLaterHeader(bytes, fromAt, at, headerBytes)
    const pieceAt = fromAt + headerBytes + done
    bytes.copyWithin(at + newHeaderBytes, pieceAt, pieceAt + pieceBytes)
    const isLast = done + pieceBytes === payloadBytes
    const flags = isLast ? moreAfter : IPV4_FLAG_MORE_FRAGMENTS
    writeU16(bytes, at + IPV4_AT_TOTAL_LENGTH, newHeaderBytes + pieceBytes)
    writeU16(bytes, at + IPV4_AT_FRAGMENT, flags | (firstOffset + done / FRAGMENT_UNIT_BYTES))
    ipv4WriteChecksum(bytes, at, newHeaderBytes)
    p.at = at
    p.bytes = newHeaderBytes + pieceBytes
    p.totalBytes = p.bytes
    transmit.send(p, parts.tables.ports)
    done += pieceBytes
  }
  counters.add(COUNT_FRAGMENTS, pieces)
  return DROP_NONE
}

/**
 * Copies the fixed header and the options that belong into every fragment. @returns bytes of the
 * new header
 */
function copyLaterHeader (
  bytes: Uint8Array, fromAt: number, at: number, headerBytes: number
): number {
  bytes.copyWithin(at, fromAt, fromAt + IPV4_HEADER_BYTES_MIN)
  const end = fromAt + headerBytes
  let from = fromAt + IPV4_AT_OPTIONS
  let to = at + IPV4_AT_OPTIONS
  while (from < end) { // at most 40 turns: each takes a byte or more
    const type = bytes[from]
    if (type === IPV4_OPTION_END) break
    if (type === IPV4_OPTION_NOP) {
      from++
      continue
    }
    if (from + IPV4_OPTION_AT_LENGTH >= end) break
    const optionBytes = bytes[from + IPV4_OPTION_AT_LENGTH]
    if (optionBytes <= IPV4_OPTION_AT_LENGTH || from + optionBytes > end) {
      break // damaged: what follows is no option
    }
    if ((type & IPV4_OPTION_COPIED) !== 0) {
      bytes.copyWithin(to, from, from + optionBytes)
      to += optionBytes
    }
    from += optionBytes
  }
  while (((to - at) & 3) !== 0) bytes[to++] = IPV4_OPTION_END
  bytes[at + IPV4_AT_VERSION_IHL] = (IPV4_VERSION << 4) | ((to - at) >>> 2)
  return to - at
}
