/**
 * NAT64, systems 4.6: IPv6 to 64:ff9b::/96 leaves a NAT gateway as IPv4, and comes back as IPv6
 * (RFC 6146, RFC 7915). The flow is the NAT gateway's own (steps/hyperplane.ts): its inside end is
 * IPv6, its outside and remote ends are IPv4, so that both families of a destination share the
 * ports to it.
 *
 * Here the packet's context changes its family: what follows (ACL, route, MTU, the internet
 * gateway) judges the packet that it becomes. The bytes change when it is sent
 * (translate_family.ts), and until then still are what came.
 *
 * Refused, as without counterpart in the other family: ICMP errors that RFC 7915 does not
 * translate, source routes that have not been followed to their end, and packets whose length IPv4
 * cannot tell. A packet changes its family once on a host.
 */
import { CSUM_NEEDED } from '../../tun/descriptor.ts'
import { IPV4_MAPPED_WORD } from '../../wire/address.ts'
import { loadI32, loadU16 } from '../../wire/bytes.ts'
import {
  ICMP_AT_IDENTIFIER, ICMP_AT_NEXT_HOP_MTU, ICMP_AT_QUOTE, ICMP_DESTINATION_UNREACHABLE, icmpIsError
} from '../../wire/icmp.ts'
import { ICMPV6_AT_MTU, ICMPV6_FIRST_QUERY_TYPE, ICMPV6_PACKET_TOO_BIG } from '../../wire/icmpv6.ts'
import {
  PROTOCOL_DESTINATION_OPTIONS, PROTOCOL_FRAGMENT, PROTOCOL_HOP_BY_HOP, PROTOCOL_ICMP,
  PROTOCOL_ICMPV6, PROTOCOL_ROUTING, PROTOCOL_UDP
} from '../../wire/ip_protocol.ts'
import {
  IPV4_AT_OPTIONS, IPV4_AT_TOTAL_LENGTH, IPV4_HEADER_BYTES_MIN, IPV4_OPTION_AT_LENGTH,
  IPV4_OPTION_END, IPV4_OPTION_NOP, IPV4_TOTAL_LENGTH_MAX, IPV4_VERSION
} from '../../wire/ipv4.ts'
import {
  IPV6_AT_NEXT_HEADER, IPV6_EXTENSION_AT_LENGTH, IPV6_EXTENSION_AT_NEXT_HEADER,
  IPV6_FRAGMENT_HEADER_BYTES, IPV6_HEADER_BYTES, IPV6_VERSION
} from '../../wire/ipv6.ts'
import {
  echoTypeInIpv4, echoTypeInIpv6, errorInIpv4, errorInIpv6, isNat64Words, mtuInIpv4, mtuInIpv6,
  NAT64_FRAGMENTABLE_BYTES_MAX, NAT64_WORD, NO_COUNTERPART, pointerInIpv4, pointerInIpv6,
  protocolInIpv4
} from '../../wire/nat64.ts'
import { UDP_AT_CHECKSUM } from '../../wire/udp.ts'
import {
  DROP_NAT_FRAGMENT, DROP_NAT_PROTOCOL, DROP_NONE, DROP_TOO_BIG
} from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'
import {
  NAT_AT_INSIDE, NAT_AT_PROTOCOL, NAT_AT_REMOTE
} from '../tables/nat_layout.ts'
import { REWRITE_FAMILY } from '../translate.ts'
import { scopeOfIpv4 } from './destination_scope.ts'

const ROUTING_AT_SEGMENTS_LEFT = 3
const EXTENSION_UNIT_BYTES = 8
/** Loose and strict source route, RFC 791 §3.1. */
const OPTION_LSRR = 131
const OPTION_SSRR = 137
const OPTION_AT_POINTER = 2

/**
 * Whether a NAT gateway carries a packet of the VPC by its family. IPv4 it does; IPv6 where it can
 * become IPv4.
 * @returns DROP_NONE, DROP_NAT_PROTOCOL, DROP_TOO_BIG, or what IPv4 says of the destination's scope
 */
export function checkFamily (p: PacketContext, view: DataView): number {
  if (p.version === IPV4_VERSION) return DROP_NONE
  if (!isNat64Words(p.dst0, p.dst1, p.dst2) || !mayChangeFamily(p)) return DROP_NAT_PROTOCOL
  if (!mayLoseExtensions(p, view)) return DROP_NAT_PROTOCOL
  const totalBytes = p.totalBytes - (p.l4At - p.at) + IPV4_HEADER_BYTES_MIN
  return totalBytes > IPV4_TOTAL_LENGTH_MAX ? DROP_TOO_BIG : scopeOfIpv4(p.dst3)
}

/**
 * Writes protocol and remote end of a flow's key in IPv4, as a flow of NAT64 has them.
 * Precondition: the key is that of a packet that goes out.
 */
export function setRemoteInIpv4 (key: Int32Array): void {
  if (!isNat64Words(key[NAT_AT_REMOTE], key[NAT_AT_REMOTE + 1], key[NAT_AT_REMOTE + 2])) return
  key[NAT_AT_PROTOCOL] = protocolInIpv4(key[NAT_AT_PROTOCOL])
  key[NAT_AT_REMOTE] = 0
  key[NAT_AT_REMOTE + 2] = IPV4_MAPPED_WORD
}

/**
 * An IPv6 packet that goes out becomes IPv4, but for the last words of its addresses.
 * Precondition: checkFamily.
 * @returns DROP_NONE or DROP_NAT_PROTOCOL
 */
export function becomeIpv4 (p: PacketContext, view: DataView): number {
  if (p.protocol === PROTOCOL_ICMPV6) {
    const drop = p.icmpType < ICMPV6_FIRST_QUERY_TYPE ? takeErrorInIpv4(p, view)
      : takeEcho(p, echoTypeInIpv4(p.icmpType))
    if (drop !== DROP_NONE) return drop
    p.protocol = PROTOCOL_ICMP
  }
  changeFamily(p, IPV4_VERSION, IPV4_HEADER_BYTES_MIN)
  p.dontFragment = p.fragmentAt < 0 && p.wireBytesMax > NAT64_FRAGMENTABLE_BYTES_MAX ? 1 : 0
  p.src0 = 0
  p.src1 = 0
  p.src2 = IPV4_MAPPED_WORD
  p.dst0 = 0
  p.dst1 = 0
  p.dst2 = IPV4_MAPPED_WORD
  return DROP_NONE
}

/**
 * An IPv4 packet that comes back becomes IPv6, to the inside end of the flow at word offset `row`.
 * @returns DROP_NONE, DROP_NAT_PROTOCOL or DROP_NAT_FRAGMENT
 */
export function becomeIpv6 (
  p: PacketContext, view: DataView, words: Int32Array, row: number
): number {
  if (!mayChangeFamily(p) || hasSourceRoute(p, view)) return DROP_NAT_PROTOCOL
  // A datagram without checksum gets one, for which it must be whole: RFC 7915 §4.5.
  if (p.protocol === PROTOCOL_UDP && p.isFragment !== 0 && p.isLaterFragment === 0 &&
    loadU16(view, p.l4At + UDP_AT_CHECKSUM) === 0) return DROP_NAT_FRAGMENT
  if (p.protocol === PROTOCOL_ICMP) {
    const isError = icmpIsError(p.icmpType)
    const drop = isError ? takeErrorInIpv6(p, view) : takeEcho(p, echoTypeInIpv6(p.icmpType))
    if (drop !== DROP_NONE) return drop
    p.protocol = PROTOCOL_ICMPV6
    if (isError) p.dontFragment = 1 // it is made anew, as short as it must be
  }
  changeFamily(p, IPV6_VERSION,
    IPV6_HEADER_BYTES + (p.isFragment === 0 ? 0 : IPV6_FRAGMENT_HEADER_BYTES))
  p.src0 = NAT64_WORD
  p.src1 = 0
  p.src2 = 0
  p.dst0 = words[row + NAT_AT_INSIDE]
  p.dst1 = words[row + NAT_AT_INSIDE + 1]
  p.dst2 = words[row + NAT_AT_INSIDE + 2]
  return DROP_NONE
}

/**
 * What was too big as IPv4 is told so as what it was: `mtu` is that of its path, in IPv6. The last
 * word of its source is the caller's. Precondition: becomeIpv4, for the flow at word offset `row`.
 */
export function becomeIpv6Again (p: PacketContext, words: Int32Array, row: number): void {
  p.version = IPV6_VERSION
  p.src0 = words[row + NAT_AT_INSIDE]
  p.src1 = words[row + NAT_AT_INSIDE + 1]
  p.src2 = words[row + NAT_AT_INSIDE + 2]
  p.mtu += p.l4At - p.at - IPV4_HEADER_BYTES_MIN
}

/** What leaves for the NIC to be done has to be about the upper layer. */
function mayChangeFamily (p: PacketContext): boolean {
  return (p.rewrites & REWRITE_FAMILY) === 0 &&
    ((p.csum & CSUM_NEEDED) === 0 || (p.csumField & 0xffff) === p.l4At - p.at)
}

function changeFamily (p: PacketContext, version: number, headerBytes: number): void {
  const gainBytes = headerBytes - (p.l4At - p.at)
  p.version = version
  p.wireBytesMax += gainBytes
  p.gainBytes = gainBytes * p.segments
  p.wireBytesSum += p.gainBytes
  p.rewrites |= REWRITE_FAMILY
}

function takeEcho (p: PacketContext, type: number): number {
  if (type === NO_COUNTERPART) return DROP_NAT_PROTOCOL
  p.icmpType = type
  return DROP_NONE
}

// ------------------------------------------------------------------------------------- ICMP errors
//
// Precondition: `p.quote` says what is quoted. Of ICMP that is an echo.

function takeErrorInIpv4 (p: PacketContext, view: DataView): number {
  const kind = errorInIpv4(p.icmpType, p.icmpCode)
  if (kind === NO_COUNTERPART || (p.quote.protocol === PROTOCOL_ICMPV6 &&
    echoTypeInIpv4(view.getUint8(p.quote.l4At)) === NO_COUNTERPART)) return DROP_NAT_PROTOCOL
  const word = loadI32(view, p.l4At + ICMP_AT_IDENTIFIER)
  p.errorWord = 0
  if (p.icmpType === ICMPV6_PACKET_TOO_BIG) {
    p.errorWord = mtuInIpv4(loadI32(view, p.l4At + ICMPV6_AT_MTU) >>> 0)
  } else if (kind >>> 8 === 12) { // parameter problem: the pointer is the first byte of the word
    const pointer = pointerInIpv4(word >>> 0)
    if (pointer === NO_COUNTERPART) return DROP_NAT_PROTOCOL
    p.errorWord = pointer << 24
  }
  return takeError(p, kind)
}

function takeErrorInIpv6 (p: PacketContext, view: DataView): number {
  const kind = errorInIpv6(p.icmpType, p.icmpCode)
  if (kind === NO_COUNTERPART || (p.quote.protocol === PROTOCOL_ICMP &&
    echoTypeInIpv6(view.getUint8(p.quote.l4At)) === NO_COUNTERPART)) return DROP_NAT_PROTOCOL
  const word = loadI32(view, p.l4At + ICMP_AT_IDENTIFIER)
  p.errorWord = 0
  if (kind >>> 8 === ICMPV6_PACKET_TOO_BIG) {
    p.errorWord = mtuInIpv6(loadU16(view, p.l4At + ICMP_AT_NEXT_HOP_MTU),
      loadU16(view, p.l4At + ICMP_AT_QUOTE + IPV4_AT_TOTAL_LENGTH))
  } else if (p.icmpType === ICMP_DESTINATION_UNREACHABLE && kind >>> 8 === 4) {
    p.errorWord = IPV6_AT_NEXT_HEADER // what "protocol unreachable" is about
  } else if (kind >>> 8 === 4) {
    const pointer = pointerInIpv6(word >>> 24)
    if (pointer === NO_COUNTERPART) return DROP_NAT_PROTOCOL
    p.errorWord = pointer
  }
  return takeError(p, kind)
}

function takeError (p: PacketContext, kind: number): number {
  p.errorKind = kind
  p.icmpType = kind >>> 8
  p.icmpCode = kind & 0xff
  return DROP_NONE
}

// ------------------------------------------------------------------------------------- routes

/**
 * Whether every extension header is one that may be left out (RFC 7915 §5.1): options, routes that
 * are at their end, and the fragment header, which has to be the last.
 */
function mayLoseExtensions (p: PacketContext, view: DataView): boolean {
  let protocol = view.getUint8(p.at + IPV6_AT_NEXT_HEADER)
  let at = p.at + IPV6_HEADER_BYTES
  while (at < p.l4At) { // parse has walked here before, and bounded it
    if (protocol === PROTOCOL_FRAGMENT) return at + IPV6_FRAGMENT_HEADER_BYTES === p.l4At
    if (protocol === PROTOCOL_ROUTING) {
      if (view.getUint8(at + ROUTING_AT_SEGMENTS_LEFT) !== 0) return false
    } else if (protocol !== PROTOCOL_HOP_BY_HOP && protocol !== PROTOCOL_DESTINATION_OPTIONS) {
      return false
    }
    protocol = view.getUint8(at + IPV6_EXTENSION_AT_NEXT_HEADER)
    at += EXTENSION_UNIT_BYTES * (1 + view.getUint8(at + IPV6_EXTENSION_AT_LENGTH))
  }
  return true
}

/** Whether an IPv4 source route has hops left: its pointer is not behind its end. */
function hasSourceRoute (p: PacketContext, view: DataView): boolean {
  let at = p.at + IPV4_AT_OPTIONS
  while (at + OPTION_AT_POINTER < p.l4At) { // at most 40 turns: each takes a byte or more
    const type = view.getUint8(at)
    if (type === IPV4_OPTION_END) return false
    if (type === IPV4_OPTION_NOP) {
      at++
      continue
    }
    const optionBytes = view.getUint8(at + IPV4_OPTION_AT_LENGTH)
    if (optionBytes <= IPV4_OPTION_AT_LENGTH) return false // damaged: what follows is no option
    if ((type === OPTION_LSRR || type === OPTION_SSRR) &&
      view.getUint8(at + OPTION_AT_POINTER) <= optionBytes) return true
    at += optionBytes
  }
  return false
}
