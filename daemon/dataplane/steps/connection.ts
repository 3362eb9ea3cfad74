/**
 * Connection tracking, systems 3.3: which conversation of the ENI a packet belongs to. The entry of
 * the flow table is the connection; ENTRY_TRACKED in it says that security groups have allowed the
 * conversation, so that what follows, either way, passes without them.
 *
 * An ICMP error belongs to the conversation that it speaks of: it quotes the header of a packet
 * that the ENI sent (an error that enters) or received (one that leaves). It passes when that
 * conversation is there. AWS EC2 User Guide, "Security group connection tracking".
 */
import {
  echoPorts, ICMP_AT_QUOTE, ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST, icmpIsEcho, icmpIsError
} from '../../wire/icmp.ts'
import {
  ICMPV6_AT_QUOTE, ICMPV6_ECHO_REPLY, ICMPV6_ECHO_REQUEST, ICMPV6_FIRST_QUERY_TYPE, icmpv6IsEcho
} from '../../wire/icmpv6.ts'
import {
  PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP
} from '../../wire/ip_protocol.ts'
import { IPV4_MAPPED_WORD } from '../../wire/address.ts'
import { loadI32, loadU16 } from '../../wire/bytes.ts'
import {
  IPV4_AT_DST, IPV4_AT_FRAGMENT, IPV4_AT_PROTOCOL, IPV4_AT_SRC, IPV4_FRAGMENT_OFFSET_MASK,
  IPV4_HEADER_BYTES_MIN, IPV4_VERSION
} from '../../wire/ipv4.ts'
import { IPV6_AT_DST, IPV6_AT_SRC, IPV6_HEADER_BYTES, ipv6Walk } from '../../wire/ipv6.ts'
import { TCP_FLAG_ACK, TCP_FLAG_SYN, TCP_FLAGS_NOTED } from '../../wire/tcp.ts'
import type { PacketContext } from '../packet.ts'
import { EGRESS } from '../tables/flow_layout.ts'
import { FLOW_PORT_NONE } from '../tables/port_table.ts'
import type { Tables } from '../tables/tables.ts'

/** The bytes of an upper-layer header that an error must quote, RFC 792: source and port. */
const QUOTED_BYTES_MIN = 8
const QUOTED_AT_ECHO_TYPE = 0
const QUOTED_AT_ECHO_IDENTIFIER = 4
const PORTS_NONE = 0
/** Header length of IPv4 in the first byte, 32-bit words. */
const IPV4_HEADER_WORDS_MASK = 0x0f

/**
 * Sets `connectionAt`, `opensConnection` and `isTracked`.
 * @param direction EGRESS or INGRESS, as the ENI `portIndex` sees the packet
 */
export function findConnection (p: PacketContext, tables: Tables, direction: number): void {
  p.connectionAt = -1
  p.relatedAt = -1
  p.opensConnection = 1
  p.isTracked = 0
  const flowPort = tables.ports.flowPort[p.portIndex]
  if (p.hasConnection === 0 || flowPort === FLOW_PORT_NONE) return
  const { flows } = tables
  const key = (flowPort << 8) | p.protocol
  const at = direction === EGRESS
    ? flows.find(key, p.src0, p.src1, p.src2, p.src3, p.dst0, p.dst1, p.dst2, p.dst3, p.ports)
    : flows.find(key, p.dst0, p.dst1, p.dst2, p.dst3, p.src0, p.src1, p.src2, p.src3,
      (p.ports << 16) | (p.ports >>> 16))
  p.connectionAt = at
  if (at < 0) {
    p.opensConnection = beginsConnection(p) ? 1 : 0
    return
  }
  if (flows.reopens(at, p.tcpFlags)) return
  p.opensConnection = 0
  if (flows.isTracked(at) && !flows.opensBackwards(at, direction, p.tcpFlags)) p.isTracked = 1
}

/**
 * Whether a packet without a connection begins one. What only ever answers or ends (SYN-ACK, FIN,
 * RST, an echo reply) does not, as in Linux: it is judged by rules, and nothing is remembered that
 * would let the other direction pass. A segment from the middle does: the connection may be older
 * than the ENI's place here.
 */
function beginsConnection (p: PacketContext): boolean {
  switch (p.protocol) {
    case PROTOCOL_TCP:
      return (p.tcpFlags & TCP_FLAGS_NOTED) === 0 ||
        (p.tcpFlags & (TCP_FLAGS_NOTED | TCP_FLAG_ACK)) === TCP_FLAG_SYN
    case PROTOCOL_ICMP: return p.icmpType !== ICMP_ECHO_REPLY
    case PROTOCOL_ICMPV6: return p.icmpType !== ICMPV6_ECHO_REPLY
    default: return true
  }
}

/** Whether an ICMP error speaks of a conversation that the ENI has; sets `relatedAt`. */
export function isRelatedError (
  p: PacketContext, tables: Tables, view: DataView, direction: number
): boolean {
  const flowPort = tables.ports.flowPort[p.portIndex]
  if (p.isFragment !== 0 || flowPort === FLOW_PORT_NONE) return false
  if (p.protocol === PROTOCOL_ICMP && icmpIsError(p.icmpType)) {
    p.relatedAt = findQuotedIpv4(p, tables, view, direction, flowPort)
  } else if (p.protocol === PROTOCOL_ICMPV6 && p.icmpType < ICMPV6_FIRST_QUERY_TYPE) {
    p.relatedAt = findQuotedIpv6(p, tables, view, direction, flowPort)
  }
  return p.relatedAt >= 0
}

/** @returns the entry of the conversation whose packet is quoted, or -1 */
function findQuotedIpv4 (
  p: PacketContext, tables: Tables, view: DataView, direction: number, flowPort: number
): number {
  const at = p.l4At + ICMP_AT_QUOTE
  const end = p.at + p.bytes
  if (at + IPV4_HEADER_BYTES_MIN > end || view.getUint8(at) >>> 4 !== IPV4_VERSION) return -1
  const headerBytes = (view.getUint8(at) & IPV4_HEADER_WORDS_MASK) << 2
  if (headerBytes < IPV4_HEADER_BYTES_MIN || at + headerBytes > end) return -1
  const isLater = (loadU16(view, at + IPV4_AT_FRAGMENT) & IPV4_FRAGMENT_OFFSET_MASK) !== 0
  const protocol = view.getUint8(at + IPV4_AT_PROTOCOL)
  const ports = isLater ? PORTS_NONE : quotedPorts(protocol, view, at + headerBytes, end)
  const src = loadI32(view, at + IPV4_AT_SRC)
  const dst = loadI32(view, at + IPV4_AT_DST)
  const key = (flowPort << 8) | protocol
  const { flows } = tables
  return direction === EGRESS
    ? flows.find(key, 0, 0, IPV4_MAPPED_WORD, dst, 0, 0, IPV4_MAPPED_WORD, src,
      (ports << 16) | (ports >>> 16))
    : flows.find(key, 0, 0, IPV4_MAPPED_WORD, src, 0, 0, IPV4_MAPPED_WORD, dst, ports)
}

function findQuotedIpv6 (
  p: PacketContext, tables: Tables, view: DataView, direction: number, flowPort: number
): number {
  const at = p.l4At + ICMPV6_AT_QUOTE
  const end = p.at + p.bytes
  if (at + IPV6_HEADER_BYTES > end || !ipv6Walk(view, at, end, p.walk)) return -1
  const { protocol, l4At } = p.walk
  const ports = quotedPorts(protocol, view, l4At, end)
  const src = at + IPV6_AT_SRC
  const dst = at + IPV6_AT_DST
  const local = direction === EGRESS ? dst : src
  const remote = direction === EGRESS ? src : dst
  return tables.flows.find((flowPort << 8) | protocol,
    loadI32(view, local), loadI32(view, local + 4), loadI32(view, local + 8),
    loadI32(view, local + 12), loadI32(view, remote), loadI32(view, remote + 4),
    loadI32(view, remote + 8), loadI32(view, remote + 12),
    direction === EGRESS ? (ports << 16) | (ports >>> 16) : ports)
}

/** Key of the quoted packet's ports; PORTS_NONE where the quote is too short to have them. */
function quotedPorts (protocol: number, view: DataView, at: number, end: number): number {
  if (at + QUOTED_BYTES_MIN > end) return PORTS_NONE
  switch (protocol) {
    case PROTOCOL_TCP: case PROTOCOL_UDP: return loadI32(view, at)
    case PROTOCOL_ICMP: case PROTOCOL_ICMPV6: {
      const type = view.getUint8(at + QUOTED_AT_ECHO_TYPE)
      if (protocol === PROTOCOL_ICMP ? !icmpIsEcho(type) : !icmpv6IsEcho(type)) return PORTS_NONE
      const isRequest = type === ICMP_ECHO_REQUEST || type === ICMPV6_ECHO_REQUEST
      return echoPorts(loadU16(view, at + QUOTED_AT_ECHO_IDENTIFIER), isRequest)
    }
    default: return PORTS_NONE
  }
}
