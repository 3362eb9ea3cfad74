/**
 * Port translation in the bytes of a packet, beside translate.ts: the ports of the context replace
 * those of TCP and UDP, or the identifier of an ICMP echo; in the packet that an ICMP error quotes,
 * the port of the side that was translated. Checksums are updated, not computed (RFC 1624). While
 * the NIC has still to compute one, its field holds the pseudo-header's sum, in which there are no
 * ports.
 *
 * And the maximum segment size of a SYN: what crosses to the internet has 1,500 bytes, and the ends
 * of a connection may not learn it otherwise (RFC 4459 §3.2).
 */
import { CSUM_NEEDED } from '../tun/descriptor.ts'
import { loadU16 } from '../wire/bytes.ts'
import { checksumReplaceU16 } from '../wire/checksum.ts'
import { ICMP_AT_CHECKSUM, ICMP_AT_IDENTIFIER, ICMP_AT_QUOTE } from '../wire/icmp.ts'
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ip_protocol.ts'
import { IPV4_AT_PROTOCOL, IPV4_HEADER_BYTES_MIN } from '../wire/ipv4.ts'
import {
  TCP_AT_CHECKSUM, TCP_AT_OPTIONS, TCP_OPTION_END, TCP_OPTION_MSS, TCP_OPTION_MSS_BYTES,
  TCP_OPTION_NOP, tcpHeaderBytes
} from '../wire/tcp.ts'
import { UDP_AT_CHECKSUM } from '../wire/udp.ts'
import type { PacketContext } from './packet.ts'

/** `ports` of the context: source port, destination port, to be written. */
export const REWRITE_SOURCE_PORT = 4
export const REWRITE_DESTINATION_PORT = 8
/** `quotedPort` of the context is the new source, or destination, port of the quoted packet. */
export const REWRITE_QUOTED_SOURCE_PORT = 16
export const REWRITE_QUOTED_DESTINATION_PORT = 32
/** The MSS option of a SYN is lowered to what NAT_MSS_MAX allows. */
export const REWRITE_MSS = 64

/** Largest TCP payload in a packet of 1,500 bytes. */
export const NAT_MSS_MAX = 1460

const AT_SOURCE_PORT = 0
const AT_DESTINATION_PORT = 2
const IPV4_HEADER_WORDS_MASK = 0x0f

/** Writes what `p.rewrites` names of the upper layer. Precondition: the packet was parsed. */
export function rewritePorts (p: PacketContext, view: DataView): void {
  const { rewrites, l4At } = p
  if (p.isLaterFragment !== 0) return
  if ((rewrites & (REWRITE_QUOTED_SOURCE_PORT | REWRITE_QUOTED_DESTINATION_PORT)) !== 0) {
    replaceQuotedPort(p, view)
    return
  }
  if (p.protocol === PROTOCOL_ICMP || p.protocol === PROTOCOL_ICMPV6) {
    if ((rewrites & (REWRITE_SOURCE_PORT | REWRITE_DESTINATION_PORT)) !== 0) {
      replaceIdentifier(p, view)
    }
    return
  }
  if ((rewrites & REWRITE_SOURCE_PORT) !== 0) {
    replacePort(p, view, l4At + AT_SOURCE_PORT, p.ports >>> 16)
  }
  if ((rewrites & REWRITE_DESTINATION_PORT) !== 0) {
    replacePort(p, view, l4At + AT_DESTINATION_PORT, p.ports & 0xffff)
  }
  if ((rewrites & REWRITE_MSS) !== 0) lowerMss(p, view)
}

/** ICMPv6 has it, and the checksum, where ICMP does. */
function replaceIdentifier (p: PacketContext, view: DataView): void {
  const at = p.l4At + ICMP_AT_IDENTIFIER
  if ((p.csum & CSUM_NEEDED) !== 0) view.setUint16(at, p.ports >>> 16)
  else replaceU16(view, at, p.l4At + ICMP_AT_CHECKSUM, p.ports >>> 16)
}

function replacePort (p: PacketContext, view: DataView, at: number, port: number): void {
  if ((p.csum & CSUM_NEEDED) !== 0) {
    view.setUint16(at, port)
    return
  }
  const checksumAt = p.l4At + (p.protocol === PROTOCOL_TCP ? TCP_AT_CHECKSUM : UDP_AT_CHECKSUM)
  if (p.protocol === PROTOCOL_UDP && loadU16(view, checksumAt) === 0) {
    view.setUint16(at, port)
    return
  }
  replaceU16(view, at, checksumAt, port)
  if (p.protocol === PROTOCOL_UDP && loadU16(view, checksumAt) === 0) {
    view.setUint16(checksumAt, 0xffff)
  }
}

/** Writes a word, and what it changes in the checksum at `checksumAt`. */
function replaceU16 (view: DataView, at: number, checksumAt: number, value: number): void {
  const checksum = checksumReplaceU16(loadU16(view, checksumAt), loadU16(view, at), value)
  view.setUint16(at, value)
  view.setUint16(checksumAt, checksum)
}

/** The port in the quoted header, its checksum where that is quoted, and the error's own. */
function replaceQuotedPort (p: PacketContext, view: DataView): void {
  const quoteAt = p.l4At + ICMP_AT_QUOTE
  const end = p.at + p.bytes
  if (quoteAt + IPV4_HEADER_BYTES_MIN > end) return
  const l4At = quoteAt + ((view.getUint8(quoteAt) & IPV4_HEADER_WORDS_MASK) << 2)
  const protocol = view.getUint8(quoteAt + IPV4_AT_PROTOCOL)
  const fieldAt = l4At + quotedOffset(p, protocol)
  if (fieldAt + 2 > end) return
  const errorSumAt = p.l4At + ICMP_AT_CHECKSUM
  const old = loadU16(view, fieldAt)
  const sumAt = l4At + checksumOffset(protocol)
  if (sumAt + 2 <= end && (protocol !== PROTOCOL_UDP || loadU16(view, sumAt) !== 0)) {
    const sum = loadU16(view, sumAt)
    replaceU16(view, sumAt, errorSumAt, checksumReplaceU16(sum, old, p.quotedPort))
  }
  replaceU16(view, fieldAt, errorSumAt, p.quotedPort)
}

function quotedOffset (p: PacketContext, protocol: number): number {
  if (protocol === PROTOCOL_ICMP) return ICMP_AT_IDENTIFIER
  return (p.rewrites & REWRITE_QUOTED_SOURCE_PORT) !== 0 ? AT_SOURCE_PORT : AT_DESTINATION_PORT
}

function checksumOffset (protocol: number): number {
  switch (protocol) {
    case PROTOCOL_TCP: return TCP_AT_CHECKSUM
    case PROTOCOL_UDP: return UDP_AT_CHECKSUM
    default: return ICMP_AT_CHECKSUM
  }
}

/** RFC 9293 §3.7.1. Precondition: a SYN. */
function lowerMss (p: PacketContext, view: DataView): void {
  const end = p.l4At + tcpHeaderBytes(view, p.l4At)
  let at = p.l4At + TCP_AT_OPTIONS
  while (at < end) { // at most 40 turns: each takes a byte or more
    const kind = view.getUint8(at)
    if (kind === TCP_OPTION_END) return
    if (kind === TCP_OPTION_NOP) {
      at++
      continue
    }
    if (at + 1 >= end) return
    const optionBytes = view.getUint8(at + 1)
    if (optionBytes < 2 || at + optionBytes > end) return // damaged
    if (kind === TCP_OPTION_MSS && optionBytes === TCP_OPTION_MSS_BYTES) {
      if (loadU16(view, at + 2) > NAT_MSS_MAX) setMss(p, view, at + 2)
      return
    }
    at += optionBytes
  }
}

function setMss (p: PacketContext, view: DataView, at: number): void {
  if ((p.csum & CSUM_NEEDED) !== 0) {
    view.setUint16(at, NAT_MSS_MAX)
    return
  }
  const checksumAt = p.l4At + TCP_AT_CHECKSUM
  const isOdd = ((at - p.l4At) & 1) !== 0
  const old = loadU16(view, at)
  const checksum = loadU16(view, checksumAt)
  view.setUint16(at, NAT_MSS_MAX)
  // At an odd offset the two bytes belong to two words of the sum: swapped, they add up the same.
  view.setUint16(checksumAt, isOdd
    ? checksumReplaceU16(checksum, swapBytes(old), swapBytes(NAT_MSS_MAX))
    : checksumReplaceU16(checksum, old, NAT_MSS_MAX))
}

function swapBytes (value: number): number { return ((value & 0xff) << 8) | (value >>> 8) }
