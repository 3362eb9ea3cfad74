/**
 * The answer to what is too big and may not be fragmented: ICMP 3/4 "fragmentation needed" (RFC
 * 792, RFC 1191 §4) or ICMPv6 Packet Too Big (RFC 4443 §3.2), from the router of the sender's
 * subnet, written back to the sender's own device. A NAT gateway answers to both sides: inside as
 * the router of its subnet, outside in its own name.
 *
 * Never in answer to an ICMP error, to a later fragment, or to a source that is not one host (RFC
 * 1812 §4.3.2.7, RFC 4443 §2.4 e); and at most ICMP_ERRORS_PER_SECOND per ENI, in bursts of
 * ICMP_ERRORS_BURST. What is not sent for one of these reasons is counted; the packet itself is
 * dropped and counted anyway.
 */
import { IPV4_MAPPED_WORD, isIpv4Words } from '../wire/address.ts'
import { writeU16, writeU32 } from '../wire/bytes.ts'
import { checksumAdd, checksumFinish, checksumOf, pseudoHeaderSum } from '../wire/checksum.ts'
import {
  ICMP_AT_CHECKSUM, ICMP_AT_CODE, ICMP_AT_NEXT_HOP_MTU, ICMP_AT_TYPE,
  ICMP_CODE_FRAGMENTATION_NEEDED, ICMP_DESTINATION_UNREACHABLE, ICMP_ERROR_BYTES_MAX,
  ICMP_HEADER_BYTES, icmpIsQuery
} from '../wire/icmp.ts'
import {
  ICMPV6_AT_CHECKSUM, ICMPV6_AT_MTU, ICMPV6_AT_TYPE, ICMPV6_FIRST_QUERY_TYPE, ICMPV6_HEADER_BYTES,
  ICMPV6_PACKET_TOO_BIG
} from '../wire/icmpv6.ts'
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6 } from '../wire/ip_protocol.ts'
import {
  IPV4_AT_DST, IPV4_AT_FRAGMENT, IPV4_AT_PROTOCOL, IPV4_AT_SRC, IPV4_AT_TOTAL_LENGTH,
  IPV4_AT_TRAFFIC_CLASS, IPV4_AT_TTL, IPV4_AT_VERSION_IHL, IPV4_FLAG_DONT_FRAGMENT,
  IPV4_HEADER_BYTES_MIN, IPV4_VERSION, ipv4WriteChecksum
} from '../wire/ipv4.ts'
import {
  IPV6_ADDRESS_BYTES, IPV6_AT_DST, IPV6_AT_HOP_LIMIT, IPV6_AT_NEXT_HEADER, IPV6_AT_PAYLOAD_LENGTH,
  IPV6_AT_SRC, IPV6_HEADER_BYTES, IPV6_MTU_MIN, IPV6_VERSION
} from '../wire/ipv6.ts'
import { NAT64_WORD } from '../wire/nat64.ts'
import { ACTION_ENCAPSULATE, prepareEncapsulation } from './action.ts'
import { COUNT_ICMP_SENT, COUNT_ICMP_SUPPRESSED } from './counters.ts'
import type { PacketContext } from './packet.ts'
import type { RouterParts } from './router_parts.ts'
import { PORTS_MAX } from './tables/port_table.ts'
import type { SubnetData } from './tables/update.ts'
import { TokenBuckets } from './token_buckets.ts'

export const ICMP_ERRORS_PER_SECOND = 100
export const ICMP_ERRORS_BURST = 20
/** TTL of what the router itself sends. */
const ROUTER_TTL = 64
/** Traffic class of errors: internetwork control (RFC 1812 §5.3.2). */
const ROUTER_TRAFFIC_CLASS = 0xc0
const MULTICAST_IPV4 = 0xe // 224.0.0.0/4 and above: no single host
const MULTICAST_IPV6 = 0xff

/** A token bucket per port. */
export class IcmpErrors {
  readonly #allowance = new TokenBuckets(PORTS_MAX, ICMP_ERRORS_PER_SECOND, ICMP_ERRORS_BURST)

  /**
   * Tells the sender of `p` that `p.mtu` is the largest that passes. Precondition: `p` was parsed
   * and not changed.
   * @returns whether it was told; `p` is then the answer
   */
  answerTooBig (p: PacketContext, parts: RouterParts, nowMs: number): boolean {
    const { ports, subnets } = parts.tables
    const port = p.portIndex
    const subnet = subnets.get(ports.subnetIndex[port])
    const nicPort = ports.nicPort[port]
    if (subnet === undefined || nicPort === 0 || !mayAnswer(p) || !parts.transmit.hasRoom(1) ||
      !this.#allowance.take(port, nowMs)) {
      parts.counters.add(COUNT_ICMP_SUPPRESSED, 1)
      return false
    }
    if (!buildFromRouter(p, parts, subnet)) {
      parts.counters.add(COUNT_ICMP_SUPPRESSED, 1)
      return false
    }
    parts.transmit.deliver(p, nicPort)
    parts.counters.add(COUNT_ICMP_SENT, 1)
    parts.counters.ingress(port, 1, p.totalBytes)
    return true
  }

  /**
   * The same from a gateway, to the ENI of another host that `p` came from. Precondition: `src` of
   * the context is that ENI's address.
   */
  answerFromGateway (p: PacketContext, parts: RouterParts, nowMs: number): void {
    const { ports, subnets } = parts.tables
    const port = p.portIndex
    const subnet = subnets.get(ports.subnetIndex[port])
    if (subnet === undefined || p.sourceHostIndex === 0 || !mayAnswer(p) ||
      !parts.transmit.hasRoom(1) || !this.#allowance.take(port, nowMs) ||
      !buildFromRouter(p, parts, subnet)) {
      parts.counters.add(COUNT_ICMP_SUPPRESSED, 1)
      return
    }
    p.action = ACTION_ENCAPSULATE
    p.target = p.sourceHostIndex
    p.mapping.eniHigh = p.sourceEniHigh
    p.mapping.eniLow = p.sourceEniLow
    prepareEncapsulation(p, ports.vni[port], ports.eniHigh[port], ports.eniLow[port])
    parts.transmit.send(p, ports)
    parts.counters.add(COUNT_ICMP_SENT, 1)
    parts.counters.egress(port, 1, p.totalBytes)
  }

  /**
   * The same to who sent an IPv4 packet to a gateway from outside, in the gateway's own name: makes
   * the answer, which goes the way of what the gateway sends. Precondition: the bytes of `p` are
   * those that came; its context says what it would have become.
   * @param source the gateway's address that it was sent to, int32
   * @returns whether it was made; `p` then describes it, but for what stands in its headers
   */
  makeOutside (
    p: PacketContext, parts: RouterParts, source: number, nowMs: number
  ): boolean {
    const isMade = mayAnswer(p) && parts.transmit.hasRoom(1) &&
      this.#allowance.take(p.portIndex, nowMs) && buildIpv4(p, parts, source)
    parts.counters.add(isMade ? COUNT_ICMP_SENT : COUNT_ICMP_SUPPRESSED, 1)
    return isMade
  }
}

function mayAnswer (p: PacketContext): boolean {
  if (p.isLaterFragment !== 0) return false
  if (p.protocol === PROTOCOL_ICMP && !icmpIsQuery(p.icmpType)) return false
  if (p.protocol === PROTOCOL_ICMPV6 && p.icmpType < ICMPV6_FIRST_QUERY_TYPE) return false
  if (isIpv4Words(p.src0, p.src1, p.src2)) return p.src3 !== 0 && (p.src3 >>> 28) < MULTICAST_IPV4
  return (p.src0 >>> 24) !== MULTICAST_IPV6 && (p.src0 | p.src1 | p.src2 | p.src3) !== 0
}

function buildFromRouter (p: PacketContext, parts: RouterParts, subnet: SubnetData): boolean {
  if (p.version !== IPV4_VERSION) return buildIpv6(p, parts, subnet)
  const { routerIpv4 } = subnet
  return routerIpv4[2] === IPV4_MAPPED_WORD && buildIpv4(p, parts, routerIpv4[3])
}

/** @param source the address that speaks, int32 */
function buildIpv4 (p: PacketContext, parts: RouterParts, source: number): boolean {
  const { bytes } = parts
  const headersBytes = IPV4_HEADER_BYTES_MIN + ICMP_HEADER_BYTES
  const quoteBytes = Math.min(p.bytes, ICMP_ERROR_BYTES_MAX - headersBytes)
  const at = parts.transmit.allocate(headersBytes + quoteBytes)
  if (at < 0) return false
  bytes.fill(0, at, at + headersBytes)
  bytes.copyWithin(at + headersBytes, p.at, p.at + quoteBytes)
  bytes[at + IPV4_AT_VERSION_IHL] = (IPV4_VERSION << 4) | (IPV4_HEADER_BYTES_MIN >>> 2)
  bytes[at + IPV4_AT_TRAFFIC_CLASS] = ROUTER_TRAFFIC_CLASS
  writeU16(bytes, at + IPV4_AT_TOTAL_LENGTH, headersBytes + quoteBytes)
  writeU16(bytes, at + IPV4_AT_FRAGMENT, IPV4_FLAG_DONT_FRAGMENT)
  bytes[at + IPV4_AT_TTL] = ROUTER_TTL
  bytes[at + IPV4_AT_PROTOCOL] = PROTOCOL_ICMP
  writeU32(bytes, at + IPV4_AT_SRC, source)
  writeU32(bytes, at + IPV4_AT_DST, p.src3)
  ipv4WriteChecksum(bytes, at, IPV4_HEADER_BYTES_MIN)
  const icmpAt = at + IPV4_HEADER_BYTES_MIN
  bytes[icmpAt + ICMP_AT_TYPE] = ICMP_DESTINATION_UNREACHABLE
  bytes[icmpAt + ICMP_AT_CODE] = ICMP_CODE_FRAGMENTATION_NEEDED
  writeU16(bytes, icmpAt + ICMP_AT_NEXT_HOP_MTU, p.mtu)
  writeU16(bytes, icmpAt + ICMP_AT_CHECKSUM,
    checksumOf(bytes, icmpAt, ICMP_HEADER_BYTES + quoteBytes))
  p.describeMade(at, headersBytes + quoteBytes)
  return true
}

/** A subnet without IPv6 sees it where a NAT gateway lives: the router then speaks from IPv4. */
function routerInIpv6 ({ routerIpv4, routerIpv6 }: SubnetData): ArrayLike<number> | null {
  if ((routerIpv6[0] | routerIpv6[1] | routerIpv6[2] | routerIpv6[3]) !== 0) return routerIpv6
  return routerIpv4[2] === IPV4_MAPPED_WORD ? [NAT64_WORD, 0, 0, routerIpv4[3]] : null
}

function buildIpv6 (p: PacketContext, parts: RouterParts, subnet: SubnetData): boolean {
  const router = routerInIpv6(subnet)
  if (router === null) return false
  const { bytes } = parts
  const headersBytes = IPV6_HEADER_BYTES + ICMPV6_HEADER_BYTES
  const quoteBytes = Math.min(p.bytes, IPV6_MTU_MIN - headersBytes)
  const at = parts.transmit.allocate(headersBytes + quoteBytes)
  if (at < 0) return false
  bytes.fill(0, at, at + headersBytes)
  bytes.copyWithin(at + headersBytes, p.at, p.at + quoteBytes)
  bytes[at] = IPV6_VERSION << 4
  writeU16(bytes, at + IPV6_AT_PAYLOAD_LENGTH, ICMPV6_HEADER_BYTES + quoteBytes)
  bytes[at + IPV6_AT_NEXT_HEADER] = PROTOCOL_ICMPV6
  bytes[at + IPV6_AT_HOP_LIMIT] = ROUTER_TTL
  for (let word = 0; word < 4; word++) writeU32(bytes, at + IPV6_AT_SRC + 4 * word, router[word])
  writeU32(bytes, at + IPV6_AT_DST, p.src0)
  writeU32(bytes, at + IPV6_AT_DST + 4, p.src1)
  writeU32(bytes, at + IPV6_AT_DST + 8, p.src2)
  writeU32(bytes, at + IPV6_AT_DST + 12, p.src3)
  const icmpAt = at + IPV6_HEADER_BYTES
  const icmpBytes = ICMPV6_HEADER_BYTES + quoteBytes
  bytes[icmpAt + ICMPV6_AT_TYPE] = ICMPV6_PACKET_TOO_BIG
  writeU32(bytes, icmpAt + ICMPV6_AT_MTU, p.mtu)
  const pseudo =
    pseudoHeaderSum(bytes, at + IPV6_AT_SRC, 2 * IPV6_ADDRESS_BYTES, PROTOCOL_ICMPV6, icmpBytes)
  writeU16(bytes, icmpAt + ICMPV6_AT_CHECKSUM,
    checksumFinish(checksumAdd(pseudo, bytes, icmpAt, icmpBytes)))
  p.describeMade(at, headersBytes + quoteBytes)
  return true
}
