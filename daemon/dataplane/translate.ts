/**
 * Network address translation in the bytes of a packet: addresses of the context replace those of
 * the IPv4 header, one to one. Whatever the packet's length, and whether it is a packet or a
 * super-packet, this costs the same: checksums are updated, not computed (RFC 1624), and one that
 * was wrong stays wrong.
 *
 *     IPv4 header          checksum
 *     TCP, UDP …           checksum, which covers the addresses (pseudo-header); not in a later
 *                          fragment, and not where UDP has none. While the NIC has still to compute
 *                          it, the field is the sum of the pseudo-header, not inverted
 *     ICMP error           the packet that it quotes went the other way: there the same address
 *                          stands at the other end (RFC 3022 §4.3)
 */
import { loadI32, loadU16 } from '../wire/bytes.ts'
import { checksumReplaceU16, checksumReplaceU32 } from '../wire/checksum.ts'
import { ICMP_AT_CHECKSUM, ICMP_AT_QUOTE, icmpIsError } from '../wire/icmp.ts'
import {
  PROTOCOL_DCCP, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_UDPLITE
} from '../wire/ip_protocol.ts'
import {
  IPV4_AT_CHECKSUM, IPV4_AT_DST, IPV4_AT_FRAGMENT, IPV4_AT_PROTOCOL, IPV4_AT_SRC,
  IPV4_FRAGMENT_OFFSET_MASK, IPV4_HEADER_BYTES_MIN, IPV4_VERSION
} from '../wire/ipv4.ts'
import { TCP_AT_CHECKSUM } from '../wire/tcp.ts'
import { UDP_AT_CHECKSUM } from '../wire/udp.ts'
import { CSUM_NEEDED } from '../tun/descriptor.ts'
import type { PacketContext } from './packet.ts'
import { rewritePorts } from './translate_ports.ts'

/** `src3` of the context is the new source address, `dst3` the new destination: IPv4 alone. */
export const REWRITE_SOURCE = 1
export const REWRITE_DESTINATION = 2
/** The packet gets the IP header of the context's `version` (translate_family.ts). */
export const REWRITE_FAMILY = 128

const IPV4_HEADER_WORDS_MASK = 0x0f

/** Writes the addresses that `p.rewrites` names. Precondition: the packet was parsed as IPv4. */
export function rewriteAddresses (p: PacketContext, view: DataView): void {
  if ((p.rewrites & REWRITE_SOURCE) !== 0) replaceAddress(p, view, IPV4_AT_SRC, p.src3, IPV4_AT_DST)
  if ((p.rewrites & REWRITE_DESTINATION) !== 0) {
    replaceAddress(p, view, IPV4_AT_DST, p.dst3, IPV4_AT_SRC)
  }
  if (p.rewrites > (REWRITE_SOURCE | REWRITE_DESTINATION)) rewritePorts(p, view)
  p.rewrites = 0
}

/**
 * @param fieldAt IPV4_AT_SRC or IPV4_AT_DST
 * @param quotedAt the other one of the two: where the address stands in a packet that is quoted
 */
function replaceAddress (
  p: PacketContext, view: DataView, fieldAt: number, address: number, quotedAt: number
): void {
  const old = loadI32(view, p.at + fieldAt)
  replaceU32(view, p.at + fieldAt, p.at + IPV4_AT_CHECKSUM, address)
  if (p.isLaterFragment !== 0) return
  if (p.protocol === PROTOCOL_ICMP) {
    if (icmpIsError(p.icmpType)) replaceQuoted(p, view, quotedAt, old, address)
    return
  }
  if ((p.csum & CSUM_NEEDED) !== 0) {
    const at = p.at + (p.csumField & 0xffff) + (p.csumField >>> 16)
    const sum = ~loadU16(view, at) & 0xffff
    view.setUint16(at, ~checksumReplaceU32(sum, old, address))
    return
  }
  updateUpperChecksum(view, p.protocol, p.l4At, p.at + p.bytes, old, address)
}

/** Writes a word, and what it changes in the checksum at `checksumAt`. */
function replaceU32 (view: DataView, at: number, checksumAt: number, value: number): void {
  const checksum = checksumReplaceU32(loadU16(view, checksumAt), loadI32(view, at), value)
  view.setInt32(at, value)
  view.setUint16(checksumAt, checksum)
}

/** Offset of the checksum over a pseudo-header; -1 where there is none. */
function upperChecksumAt (protocol: number): number {
  switch (protocol) {
    case PROTOCOL_TCP: return TCP_AT_CHECKSUM
    case PROTOCOL_UDP: case PROTOCOL_UDPLITE: case PROTOCOL_DCCP: return UDP_AT_CHECKSUM
    default: return -1
  }
}

/**
 * Lets the checksum of an upper-layer header follow an address of its pseudo-header.
 * @returns how the field has changed, as old << 16 | new; 0 when it is unchanged, or not at hand
 */
function updateUpperChecksum (
  view: DataView, protocol: number, l4At: number, end: number, old: number, address: number
): number {
  const offset = upperChecksumAt(protocol)
  const at = l4At + offset
  if (offset < 0 || at + 2 > end) return 0
  const checksum = loadU16(view, at)
  if (protocol === PROTOCOL_UDP && checksum === 0) return 0
  let updated = checksumReplaceU32(checksum, old, address)
  if (protocol === PROTOCOL_UDP && updated === 0) updated = 0xffff
  view.setUint16(at, updated)
  return (checksum << 16) | updated
}

/** Replaces an address in the packet that an ICMP error quotes, where it is the one replaced. */
function replaceQuoted (
  p: PacketContext, view: DataView, quotedAt: number, old: number, address: number
): void {
  const at = p.l4At + ICMP_AT_QUOTE
  const end = p.at + p.bytes
  if (at + IPV4_HEADER_BYTES_MIN > end || view.getUint8(at) >>> 4 !== IPV4_VERSION) return
  const headerBytes = (view.getUint8(at) & IPV4_HEADER_WORDS_MASK) << 2
  if (headerBytes < IPV4_HEADER_BYTES_MIN || at + headerBytes > end) return
  if (loadI32(view, at + quotedAt) !== old) return
  const headerSum = loadU16(view, at + IPV4_AT_CHECKSUM)
  replaceU32(view, at + quotedAt, at + IPV4_AT_CHECKSUM, address)
  const isLater = (loadU16(view, at + IPV4_AT_FRAGMENT) & IPV4_FRAGMENT_OFFSET_MASK) !== 0
  const protocol = view.getUint8(at + IPV4_AT_PROTOCOL)
  const upper = isLater ? 0
    : updateUpperChecksum(view, protocol, at + headerBytes, end, old, address)
  const checksumAt = p.l4At + ICMP_AT_CHECKSUM
  let checksum = checksumReplaceU32(loadU16(view, checksumAt), old, address)
  checksum = checksumReplaceU16(checksum, headerSum, loadU16(view, at + IPV4_AT_CHECKSUM))
  if (upper !== 0) checksum = checksumReplaceU16(checksum, upper >>> 16, upper & 0xffff)
  view.setUint16(checksumAt, checksum)
}
