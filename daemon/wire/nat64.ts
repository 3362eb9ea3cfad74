/**
 * Between IPv4 and IPv6: the well-known prefix 64:ff9b::/96 (RFC 6052 §2.1), and what of ICMP has a
 * counterpart in ICMPv6 and the other way about (RFC 7915 §4.2, §5.2). Headers are rewritten by
 * dataplane/translate_family.ts; here are tables alone.
 *
 * What has no counterpart answers NO_COUNTERPART, and is not carried. A kind of message is
 * type << 8 | code, as the two stand in the header.
 */
import { ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST } from './icmp.ts'
import { ICMPV6_ECHO_REPLY, ICMPV6_ECHO_REQUEST } from './icmpv6.ts'
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6 } from './ip_protocol.ts'
import { IPV6_MTU_MIN } from './ipv6.ts'

/** First word of 64:ff9b::/96; the next two are 0, the last is the IPv4 address. */
export const NAT64_WORD = 0x0064ff9b

export const NO_COUNTERPART = -1

/** Bytes by which an IPv6 header is longer than an IPv4 header without options. */
export const NAT64_HEADER_GAIN_BYTES = 20

/** Up to this size a packet may be fragmented behind the translator: RFC 7915 §5.1, bytes. */
export const NAT64_FRAGMENTABLE_BYTES_MAX = 1260

/** Smallest MTU of IPv4, RFC 791 §3.2, bytes. */
const IPV4_MTU_MIN = 68
const IPV4_MTU_MAX = 65_535
/** MTUs of networks, for routers that do not say theirs: RFC 1191 §7, bytes. */
const PLATEAUS = [65_535, 32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, IPV4_MTU_MIN]

/** Whether the words are an IPv4 address behind the well-known prefix. */
export function isNat64Words (w0: number, w1: number, w2: number): boolean {
  return w0 === NAT64_WORD && (w1 | w2) === 0
}

/** The protocol that a packet has on the side of IPv4. */
export function protocolInIpv4 (protocol: number): number {
  return protocol === PROTOCOL_ICMPV6 ? PROTOCOL_ICMP : protocol
}

/** The protocol that a packet has on the side of IPv6. */
export function protocolInIpv6 (protocol: number): number {
  return protocol === PROTOCOL_ICMP ? PROTOCOL_ICMPV6 : protocol
}

/** Type of an ICMPv6 echo in ICMP; of anything else NO_COUNTERPART. */
export function echoTypeInIpv4 (type: number): number {
  if (type === ICMPV6_ECHO_REQUEST) return ICMP_ECHO_REQUEST
  return type === ICMPV6_ECHO_REPLY ? ICMP_ECHO_REPLY : NO_COUNTERPART
}

/** Type of an ICMP echo in ICMPv6; of anything else NO_COUNTERPART. */
export function echoTypeInIpv6 (type: number): number {
  if (type === ICMP_ECHO_REQUEST) return ICMPV6_ECHO_REQUEST
  return type === ICMP_ECHO_REPLY ? ICMPV6_ECHO_REPLY : NO_COUNTERPART
}

const kind = (type: number, code: number): number => (type << 8) | code

/** Kind of an ICMP error in ICMPv6: RFC 7915 §4.2. @returns type << 8 | code or NO_COUNTERPART */
export function errorInIpv6 (type: number, code: number): number {
  switch (type) {
    case 3: return unreachableInIpv6(code)
    case 11: return kind(3, code) // time exceeded
    case 12: return code === 0 || code === 2 ? kind(4, 0) : NO_COUNTERPART // parameter problem
    default: return NO_COUNTERPART
  }
}

function unreachableInIpv6 (code: number): number {
  switch (code) {
    case 0: case 1: case 5: case 6: case 7: case 8: case 11: case 12: return kind(1, 0)
    case 2: return kind(4, 1) // protocol: unrecognized next header
    case 3: return kind(1, 4) // port
    case 4: return kind(2, 0) // packet too big
    case 9: case 10: case 13: case 15: return kind(1, 1) // prohibited
    default: return NO_COUNTERPART
  }
}

/** Kind of an ICMPv6 error in ICMP: RFC 7915 §5.2. @returns type << 8 | code or NO_COUNTERPART */
export function errorInIpv4 (type: number, code: number): number {
  switch (type) {
    case 1:
      if (code === 0 || code === 2 || code === 3) return kind(3, 1) // host
      if (code === 1) return kind(3, 10) // prohibited
      return code === 4 ? kind(3, 3) : NO_COUNTERPART // port
    case 2: return kind(3, 4) // fragmentation needed
    case 3: return kind(11, code) // time exceeded
    case 4:
      if (code === 0) return kind(12, 0)
      return code === 1 ? kind(3, 2) : NO_COUNTERPART // protocol
    default: return NO_COUNTERPART
  }
}

/** Pointer of a parameter problem, RFC 7915 figure 3. @returns NO_COUNTERPART for some fields */
export function pointerInIpv6 (pointer: number): number {
  if (pointer <= 1) return pointer // version, traffic class
  if (pointer === 2 || pointer === 3) return 4 // length
  if (pointer === 8) return 7 // hop limit
  if (pointer === 9) return 6 // next header
  if (pointer >= 12 && pointer <= 15) return 8 // source
  return pointer >= 16 && pointer <= 19 ? 24 : NO_COUNTERPART // destination
}

/** Pointer of a parameter problem, RFC 7915 figure 6. @returns NO_COUNTERPART for some fields */
export function pointerInIpv4 (pointer: number): number {
  if (pointer <= 1) return pointer
  if (pointer === 4 || pointer === 5) return 2
  if (pointer === 6) return 9
  if (pointer === 7) return 8
  if (pointer >= 8 && pointer <= 23) return 12
  return pointer >= 24 && pointer <= 39 ? 16 : NO_COUNTERPART
}

/**
 * The MTU that a "fragmentation needed" tells, for the sender in IPv6. None below what IPv6 always
 * carries: a packet of that size is one that may be fragmented behind the translator.
 * @param quotedBytes total length of the packet that was too big, where the router told no MTU
 */
export function mtuInIpv6 (mtu: number, quotedBytes: number): number {
  const told = mtu !== 0 ? mtu
    : PLATEAUS.find((plateau) => plateau < quotedBytes) ?? IPV4_MTU_MIN
  return Math.max(IPV6_MTU_MIN, told + NAT64_HEADER_GAIN_BYTES)
}

/** The MTU that a Packet Too Big tells, u32, for the sender in IPv4. */
export function mtuInIpv4 (mtu: number): number {
  return Math.min(IPV4_MTU_MAX, Math.max(IPV4_MTU_MIN, mtu - NAT64_HEADER_GAIN_BYTES))
}
