/**
 * One packet out of a super-packet, as it is on the wire: own lengths, own sequence number, own
 * checksums. The NIC does the same when it sends (tun/native/segment.c); this is for who needs the
 * packets one by one.
 *
 *     super-packet   [ IP │ L4 │ payload of up to 64 KB ]
 *     packet         [ IP │ L4 │ `gsoSize` bytes of it, the last one less ]
 *
 * IPv4 identifications count up, FIN and PSH stand in the last packet, CWR in the first.
 */
import { GSO_ECN, GSO_UDP } from '../tun/descriptor.ts'
import { readU16, readU32, writeU16, writeU32 } from '../wire/bytes.ts'
import { checksumAdd, checksumFinish, checksumOf, pseudoHeaderSum } from '../wire/checksum.ts'
import { PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ip_protocol.ts'
import {
  IPV4_ADDRESS_BYTES, IPV4_AT_IDENTIFICATION, IPV4_AT_SRC, IPV4_AT_TOTAL_LENGTH, IPV4_VERSION,
  ipv4HeaderBytes, ipv4WriteChecksum
} from '../wire/ipv4.ts'
import {
  IPV6_ADDRESS_BYTES, IPV6_AT_PAYLOAD_LENGTH, IPV6_AT_SRC, IPV6_HEADER_BYTES
} from '../wire/ipv6.ts'
import {
  TCP_AT_CHECKSUM, TCP_AT_FLAGS, TCP_AT_SEQUENCE, TCP_FLAG_CWR, TCP_FLAG_FIN, TCP_FLAG_PSH,
  tcpHeaderBytes
} from '../wire/tcp.ts'
import { UDP_AT_CHECKSUM, UDP_AT_LENGTH, UDP_HEADER_BYTES } from '../wire/udp.ts'
import type { PacketContext } from './packet.ts'

/** Bytes of the headers of a super-packet, which each of its packets repeats. */
export function superHeaderBytes (p: PacketContext, view: DataView): number {
  const l4Bytes = (p.gsoType & ~GSO_ECN) === GSO_UDP ? UDP_HEADER_BYTES
    : tcpHeaderBytes(view, p.l4At)
  return p.l4At - p.at + l4Bytes
}

/**
 * Writes packet number `segment` of the super-packet `p`, whose bytes stand in one piece at
 * `fromAt`, to `to`.
 * @param headerBytes superHeaderBytes
 * @returns bytes of the packet
 */
export function writeSegment (
  p: PacketContext, bytes: Uint8Array, fromAt: number, headerBytes: number, segment: number,
  to: number
): number {
  const payloadBytes = p.totalBytes - headerBytes
  const doneBytes = segment * p.gsoSize
  const pieceBytes = Math.min(p.gsoSize, payloadBytes - doneBytes)
  bytes.copyWithin(to, fromAt, fromAt + headerBytes)
  bytes.copyWithin(to + headerBytes, fromAt + headerBytes + doneBytes,
    fromAt + headerBytes + doneBytes + pieceBytes)
  const l4At = to + p.l4At - p.at
  const l4Bytes = to + headerBytes + pieceBytes - l4At
  const isLast = doneBytes + pieceBytes === payloadBytes
  if ((p.gsoType & ~GSO_ECN) === GSO_UDP) writeU16(bytes, l4At + UDP_AT_LENGTH, l4Bytes)
  else writeTcp(bytes, l4At, doneBytes, segment === 0, isLast)
  if (p.version === IPV4_VERSION) {
    writeU16(bytes, to + IPV4_AT_TOTAL_LENGTH, headerBytes + pieceBytes)
    const identification = readU16(bytes, fromAt + IPV4_AT_IDENTIFICATION)
    writeU16(bytes, to + IPV4_AT_IDENTIFICATION, identification + segment)
    ipv4WriteChecksum(bytes, to, ipv4HeaderBytes(bytes, to))
  } else {
    writeU16(bytes, to + IPV6_AT_PAYLOAD_LENGTH, headerBytes + pieceBytes - IPV6_HEADER_BYTES)
  }
  writeL4Checksum(p, bytes, to, l4At, l4Bytes)
  return headerBytes + pieceBytes
}

/**
 * Computes, in the copy of a packet at `at`, the L4 checksum that the sender left to the NIC.
 * Precondition: CSUM_NEEDED, and a plain packet.
 */
export function completeChecksum (p: PacketContext, bytes: Uint8Array, at: number): void {
  const startAt = at + (p.csumField & 0xffff)
  const fieldAt = startAt + (p.csumField >>> 16)
  const checksum = checksumOf(bytes, startAt, at + p.totalBytes - startAt)
  // A computed 0 means "none" in UDP (RFC 768); 0xffff is the same number in ones' complement.
  writeU16(bytes, fieldAt, checksum === 0 && p.protocol === PROTOCOL_UDP ? 0xffff : checksum)
}

function writeTcp (
  bytes: Uint8Array, l4At: number, doneBytes: number, isFirst: boolean, isLast: boolean
): void {
  const sequence = readU32(bytes, l4At + TCP_AT_SEQUENCE)
  writeU32(bytes, l4At + TCP_AT_SEQUENCE, sequence + doneBytes)
  if (!isLast) bytes[l4At + TCP_AT_FLAGS] &= ~(TCP_FLAG_FIN | TCP_FLAG_PSH)
  if (!isFirst) bytes[l4At + TCP_AT_FLAGS] &= ~TCP_FLAG_CWR
}

function writeL4Checksum (
  p: PacketContext, bytes: Uint8Array, ipAt: number, l4At: number, l4Bytes: number
): void {
  const isUdp = (p.gsoType & ~GSO_ECN) === GSO_UDP
  const fieldAt = l4At + (isUdp ? UDP_AT_CHECKSUM : TCP_AT_CHECKSUM)
  const isIpv4 = p.version === IPV4_VERSION
  writeU16(bytes, fieldAt, 0)
  const pseudo = pseudoHeaderSum(bytes, ipAt + (isIpv4 ? IPV4_AT_SRC : IPV6_AT_SRC),
    2 * (isIpv4 ? IPV4_ADDRESS_BYTES : IPV6_ADDRESS_BYTES), isUdp ? PROTOCOL_UDP : PROTOCOL_TCP,
    l4Bytes)
  const checksum = checksumFinish(checksumAdd(pseudo, bytes, l4At, l4Bytes))
  // A computed 0 means "none" in UDP (RFC 768).
  writeU16(bytes, fieldAt, checksum === 0 && isUdp ? 0xffff : checksum)
}
