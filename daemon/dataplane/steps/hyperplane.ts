/**
 * The flow of a packet at a NAT or egress-only gateway, systems 4.6, 4.4 and 5.1: found, or decided
 * and replicated before the packet passes (hyperplane/node.ts). What is decided goes into the
 * context's addresses and ports and is written into the packet when it is sent (translate.ts,
 * translate_ports.ts), so that a packet that has to wait begins again unchanged.
 *
 *     outward   from an ENI of the VPC: source becomes the flow's outside end; may open a flow
 *     inward    to an address of the gateway: destination becomes its inside end; opens nothing
 *
 * TCP, UDP and echo have flows; an ICMP error belongs to the flow that it quotes. Of fragments only
 * UDP's are carried, and those only after the first one. A TCP packet from inside without flow is
 * answered by a reset, never a FIN (tcp_reset.ts). A flow whose inside end is IPv6 is one of NAT64
 * (nat64.ts).
 */
import { findPrefix, IPV4_MAPPED_WORD } from '../../wire/address.ts'
import { loadI32, loadU16 } from '../../wire/bytes.ts'
import { ICMP_AT_IDENTIFIER, ICMP_AT_QUOTE, icmpIsError } from '../../wire/icmp.ts'
import {
  ICMPV6_AT_IDENTIFIER, ICMPV6_AT_QUOTE, ICMPV6_FIRST_QUERY_TYPE
} from '../../wire/icmpv6.ts'
import {
  PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP
} from '../../wire/ip_protocol.ts'
import {
  IPV4_AT_DST, IPV4_AT_PROTOCOL, IPV4_AT_SRC, IPV4_HEADER_BYTES_MIN, IPV4_VERSION
} from '../../wire/ipv4.ts'
import { IPV6_AT_DST, IPV6_AT_SRC, IPV6_VERSION, ipv6Walk } from '../../wire/ipv6.ts'
import { TCP_FLAG_ACK, TCP_FLAG_FIN, TCP_FLAG_RST, TCP_FLAG_SYN } from '../../wire/tcp.ts'
import {
  DROP_NAT_CAPACITY, DROP_NAT_FRAGMENT, DROP_NAT_IDLE, DROP_NAT_NO_FLOW, DROP_NAT_PROTOCOL,
  DROP_NAT_TABLE_FULL, DROP_NONE, DROP_PORT_ALLOCATION, DROP_REPLICATION
} from '../drop_reason.ts'
import {
  FLOW_PASSES, FLOW_WAITS, OPEN_BUSY, OPEN_NO_PORT, OPEN_OVER_CAPACITY, OPEN_TABLE_FULL
} from '../hyperplane/node.ts'
import type { HyperplaneNode } from '../hyperplane/node.ts'
import {
  NAT_COUNT_ATTEMPTS, NAT_COUNT_ESTABLISHED, NAT_COUNT_PORT_ERRORS
} from '../hyperplane/nat_counts.ts'
import type { Shard } from '../hyperplane/shard.ts'
import type { PacketContext } from '../packet.ts'
import {
  NAT_AT_ENI, NAT_AT_INSIDE, NAT_AT_INSIDE_PORTS, NAT_AT_LAST_SEEN, NAT_AT_OUTSIDE,
  NAT_AT_OUTSIDE_PORTS, NAT_AT_PROTOCOL, NAT_AT_REMOTE, NAT_AT_RESOURCE, NAT_AT_TCP,
  NAT_TCP_ANSWERED, NAT_TCP_FIN_INSIDE, NAT_TCP_FIN_REMOTE, NAT_TCP_RST
} from '../tables/nat_layout.ts'
import type { Tables } from '../tables/tables.ts'
import { PORT_KIND_NAT_GATEWAY } from '../tables/update.ts'
import { REWRITE_DESTINATION, REWRITE_SOURCE } from '../translate.ts'
import {
  REWRITE_DESTINATION_PORT, REWRITE_MSS, REWRITE_QUOTED_DESTINATION_PORT,
  REWRITE_QUOTED_SOURCE_PORT, REWRITE_SOURCE_PORT
} from '../translate_ports.ts'
import { becomeIpv4, becomeIpv6, setRemoteInIpv4 } from './nat64.ts'

/** Not a drop: the packet waits until the flow `natAt` has been confirmed by the other nodes. */
export const WAIT_FOR_COPY = -3
/** Not a drop: the packet waits until this node may decide about the resource `portIndex`. */
export const WAIT_FOR_SHARD = -4

const UPPER_BYTES_MIN = 8
const IPV4_HEADER_WORDS_MASK = 0x0f

/** Whether the packet came to an address of the gateway, and not through it. */
export function isInward (p: PacketContext, tables: Tables): boolean {
  const { ports } = tables
  if (ports.kind[p.portIndex] !== PORT_KIND_NAT_GATEWAY) return p.sourceEniHigh === 0
  return findPrefix(ports.addresses(p.portIndex), p.dst0, p.dst1, p.dst2, p.dst3) >= 0
}

/** Whether a NAT gateway carries the packet at all. @returns DROP_NONE or DROP_NAT_* */
export function checkCarried (p: PacketContext): number {
  const isError = speaksOfFlow(p)
  if (p.protocol !== PROTOCOL_TCP && p.protocol !== PROTOCOL_UDP && !isError &&
    (p.hasConnection === 0 || !isIcmp(p.protocol))) {
    return isIcmp(p.protocol) && p.isFragment !== 0 ? DROP_NAT_FRAGMENT : DROP_NAT_PROTOCOL
  }
  if (p.isFragment === 0) return DROP_NONE
  return p.protocol === PROTOCOL_UDP && p.knowsPorts !== 0 ? DROP_NONE : DROP_NAT_FRAGMENT
}

function isIcmp (protocol: number): boolean {
  return protocol === PROTOCOL_ICMP || protocol === PROTOCOL_ICMPV6
}

/** Whether it is an ICMP error. */
function speaksOfFlow (p: PacketContext): boolean {
  if (p.isFragment !== 0) return false
  return (p.protocol === PROTOCOL_ICMP && icmpIsError(p.icmpType)) ||
    (p.protocol === PROTOCOL_ICMPV6 && p.icmpType < ICMPV6_FIRST_QUERY_TYPE)
}

/**
 * A packet of the VPC that goes out through the gateway. Precondition: checkCarried.
 * @returns DROP_NONE with `natAt` set; DROP_*; or WAIT_FOR_COPY, WAIT_FOR_SHARD
 */
export function takeOutward (
  p: PacketContext, tables: Tables, node: HyperplaneNode, view: DataView
): number {
  const { ports } = tables
  const shard = node.findShard(ports.eniHigh[p.portIndex], ports.eniLow[p.portIndex])
  if (shard === undefined) return WAIT_FOR_SHARD
  if (speaksOfFlow(p)) return takeOutwardError(p, shard, node, view)
  const { table } = node
  setInside(p, shard, table.key, p.src0, p.src1, p.src2, p.src3, p.dst0, p.dst1, p.dst2, p.dst3,
    isIcmp(p.protocol) ? p.ports & 0xffff0000 : p.ports)
  setRemoteInIpv4(table.key)
  let at = table.findInside()
  if (at < 0) {
    if (p.protocol === PROTOCOL_TCP && !opens(p)) return DROP_NAT_IDLE
    table.key[NAT_AT_ENI] = p.sourceEniHigh
    table.key[NAT_AT_ENI + 1] = p.sourceEniLow
    at = node.openFlow(shard)
    if (at < 0) {
      if (at === OPEN_NO_PORT) shard.counts[NAT_COUNT_PORT_ERRORS]++
      return outcomeOf(at)
    }
    shard.counts[NAT_COUNT_ATTEMPTS]++
  }
  p.natAt = at
  const admission = node.admit(shard, at)
  if (admission !== FLOW_PASSES) return outcomeOf(admission)
  touch(p, shard, node, at)
  if (ports.kind[p.portIndex] !== PORT_KIND_NAT_GATEWAY) return DROP_NONE
  const { words } = table
  if (p.version === IPV6_VERSION) {
    const drop = becomeIpv4(p, view)
    if (drop !== DROP_NONE) return drop
  }
  p.src3 = words[at + NAT_AT_OUTSIDE + 3]
  const outsidePort = words[at + NAT_AT_OUTSIDE_PORTS] >>> 16
  p.ports = isIcmp(p.protocol) ? (outsidePort << 16) | outsidePort
    : (outsidePort << 16) | (p.ports & 0xffff)
  p.rewrites |= REWRITE_SOURCE | REWRITE_SOURCE_PORT
  if ((p.tcpFlags & TCP_FLAG_SYN) !== 0) p.rewrites |= REWRITE_MSS
  return DROP_NONE
}

/** Whether a flow's inside end is IPv6, and its outside end, as everything outside, is not. */
function isInsideIpv6 (words: Int32Array, row: number): boolean {
  return words[row + NAT_AT_INSIDE + 2] !== IPV4_MAPPED_WORD ||
    (words[row + NAT_AT_INSIDE] | words[row + NAT_AT_INSIDE + 1]) !== 0
}

function opens (p: PacketContext): boolean {
  return (p.tcpFlags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST)) === TCP_FLAG_SYN
}

/** What becomes of a packet whose flow the node does not let pass, or open, now. */
function outcomeOf (answer: number): number {
  switch (answer) {
    case FLOW_WAITS: return WAIT_FOR_COPY
    case OPEN_NO_PORT: return DROP_PORT_ALLOCATION
    case OPEN_TABLE_FULL: return DROP_NAT_TABLE_FULL
    case OPEN_BUSY: return DROP_REPLICATION
    case OPEN_OVER_CAPACITY: return DROP_NAT_CAPACITY
    default: return WAIT_FOR_SHARD
  }
}

/** A packet that came to the gateway. Precondition: checkCarried. @returns as takeOutward */
export function takeInward (
  p: PacketContext, tables: Tables, node: HyperplaneNode, view: DataView
): number {
  const { ports } = tables
  const shard = node.findShard(ports.eniHigh[p.portIndex], ports.eniLow[p.portIndex])
  if (shard === undefined) return DROP_NAT_NO_FLOW
  if (speaksOfFlow(p)) return takeInwardError(p, shard, node, view)
  const { table } = node
  const swapped = (p.ports << 16) | (p.ports >>> 16)
  setOutside(shard, table.key, p.protocol, p.dst0, p.dst1, p.dst2, p.dst3, p.src0, p.src1,
    p.src2, p.src3, isIcmp(p.protocol) ? swapped & 0xffff0000 : swapped)
  const at = table.findOutside()
  if (at < 0) return DROP_NAT_NO_FLOW
  p.natAt = at
  const admission = node.admit(shard, at)
  if (admission !== FLOW_PASSES) return outcomeOf(admission)
  const { words } = table
  if (p.protocol === PROTOCOL_TCP) noteInward(p, shard, node, at)
  if (table.isArmed(at)) words[at + NAT_AT_LAST_SEEN] = table.nowTick
  if (ports.kind[p.portIndex] !== PORT_KIND_NAT_GATEWAY) return DROP_NONE
  if (isInsideIpv6(words, at)) {
    const drop = becomeIpv6(p, view, words, at)
    if (drop !== DROP_NONE) return drop
  }
  p.dst3 = words[at + NAT_AT_INSIDE + 3]
  const insidePort = words[at + NAT_AT_INSIDE_PORTS] >>> 16
  p.ports = isIcmp(p.protocol) ? (insidePort << 16) | insidePort
    : (p.ports & 0xffff0000) | insidePort
  p.rewrites |= REWRITE_DESTINATION | REWRITE_DESTINATION_PORT
  if ((p.tcpFlags & TCP_FLAG_SYN) !== 0) p.rewrites |= REWRITE_MSS
  return DROP_NONE
}

/** Keeps the flow alive, knows where its inside end is, and sees connections begin and end. */
function touch (p: PacketContext, shard: Shard, node: HyperplaneNode, at: number): void {
  const { table } = node
  const { words } = table
  if (words[at + NAT_AT_ENI + 1] !== p.sourceEniLow || words[at + NAT_AT_ENI] !== p.sourceEniHigh) {
    words[at + NAT_AT_ENI] = p.sourceEniHigh
    words[at + NAT_AT_ENI + 1] = p.sourceEniLow
    if (shard.owns(node.slotOfRow(at))) node.retell(shard, at)
  }
  if (p.protocol === PROTOCOL_TCP) {
    if (opens(p) && table.isClosing(at)) table.reopen(at)
    const bits = ((p.tcpFlags & TCP_FLAG_FIN) !== 0 ? NAT_TCP_FIN_INSIDE : 0) |
      ((p.tcpFlags & TCP_FLAG_RST) !== 0 ? NAT_TCP_RST : 0)
    if (bits !== 0) table.noteTcp(at, bits)
  }
  if (table.isArmed(at)) words[at + NAT_AT_LAST_SEEN] = table.nowTick
}

function noteInward (p: PacketContext, shard: Shard, node: HyperplaneNode, at: number): void {
  const { table } = node
  const known = table.words[at + NAT_AT_TCP]
  const bits = NAT_TCP_ANSWERED |
    ((p.tcpFlags & TCP_FLAG_FIN) !== 0 ? NAT_TCP_FIN_REMOTE : 0) |
    ((p.tcpFlags & TCP_FLAG_RST) !== 0 ? NAT_TCP_RST : 0)
  if ((known & bits) === bits) return
  if ((known & NAT_TCP_ANSWERED) === 0) shard.counts[NAT_COUNT_ESTABLISHED]++
  table.noteTcp(at, bits)
}

// ------------------------------------------------------------------------------------- ICMP errors
//
// An error is sent to the slot of whoever made it, which may be another node's than the flow's. So
// any copy will do, however young: who quotes a packet has seen it pass, and then the flow counts.

/**
 * Reads the header that an error quotes into `p.quote`; addresses stay where they are.
 * @returns false when it is too short to name a flow
 */
function readQuote (p: PacketContext, view: DataView): boolean {
  const { quote } = p
  const end = p.at + p.bytes
  let l4At = 0
  if (p.protocol === PROTOCOL_ICMP) {
    const at = p.l4At + ICMP_AT_QUOTE
    if (at + IPV4_HEADER_BYTES_MIN > end || view.getUint8(at) >>> 4 !== IPV4_VERSION) return false
    l4At = at + ((view.getUint8(at) & IPV4_HEADER_WORDS_MASK) << 2)
    quote.protocol = view.getUint8(at + IPV4_AT_PROTOCOL)
    quote.sourceAt = at + IPV4_AT_SRC
    quote.destinationAt = at + IPV4_AT_DST
  } else {
    const at = p.l4At + ICMPV6_AT_QUOTE
    if (!ipv6Walk(view, at, end, p.walk)) return false
    l4At = p.walk.l4At
    quote.protocol = p.walk.protocol
    quote.sourceAt = at + IPV6_AT_SRC
    quote.destinationAt = at + IPV6_AT_DST
  }
  quote.l4At = l4At
  if (l4At + UPPER_BYTES_MIN > end) return false
  if (isIcmp(quote.protocol)) {
    const identifierAt = quote.protocol === PROTOCOL_ICMP ? ICMP_AT_IDENTIFIER
      : ICMPV6_AT_IDENTIFIER
    const identifier = loadU16(view, l4At + identifierAt)
    quote.ports = (identifier << 16) | identifier
    return true
  }
  quote.ports = loadI32(view, l4At)
  return quote.protocol === PROTOCOL_TCP || quote.protocol === PROTOCOL_UDP
}

/** From outside about a packet that went out: the quoted source is the flow's outside end. */
function takeInwardError (
  p: PacketContext, shard: Shard, node: HyperplaneNode, view: DataView
): number {
  if (!readQuote(p, view)) return DROP_NAT_NO_FLOW
  const { quote } = p
  const { table } = node
  const { words } = table
  // The internet gateway may have translated the destination already, and not the quote yet.
  setOutside(shard, table.key, quote.protocol, p.dst0, p.dst1, p.dst2, p.dst3, 0, 0, 0, 0,
    isIcmp(quote.protocol) ? quote.ports & 0xffff0000 : quote.ports)
  setRemote(p, table.key, view, quote.destinationAt)
  const at = table.findOutside()
  if (at < 0) return DROP_NAT_NO_FLOW
  p.natAt = at
  if (!table.isTranslated(at)) return DROP_NONE
  if (isInsideIpv6(words, at)) {
    const drop = becomeIpv6(p, view, words, at)
    if (drop !== DROP_NONE) return drop
  }
  p.dst3 = words[at + NAT_AT_INSIDE + 3]
  p.quotedPort = words[at + NAT_AT_INSIDE_PORTS] >>> 16
  p.rewrites |= REWRITE_DESTINATION | REWRITE_QUOTED_SOURCE_PORT
  return DROP_NONE
}

/** From inside about a packet that came in: the quoted destination is the flow's inside end. */
function takeOutwardError (
  p: PacketContext, shard: Shard, node: HyperplaneNode, view: DataView
): number {
  if (!readQuote(p, view)) return DROP_NAT_PROTOCOL
  const { quote } = p
  const { table } = node
  const swapped = (quote.ports << 16) | (quote.ports >>> 16)
  setInside(p, shard, table.key, p.src0, p.src1, p.src2, p.src3, 0, 0, 0, 0,
    isIcmp(quote.protocol) ? swapped & 0xffff0000 : swapped)
  table.key[NAT_AT_PROTOCOL] = quote.protocol
  setRemote(p, table.key, view, quote.sourceAt)
  setRemoteInIpv4(table.key)
  const at = table.findInside()
  if (at < 0) return DROP_NAT_NO_FLOW
  p.natAt = at
  if (!table.isTranslated(at)) return DROP_NONE
  if (p.version === IPV6_VERSION) {
    const drop = becomeIpv4(p, view)
    if (drop !== DROP_NONE) return drop
  }
  p.src3 = table.words[at + NAT_AT_OUTSIDE + 3]
  p.quotedPort = table.words[at + NAT_AT_OUTSIDE_PORTS] >>> 16
  p.rewrites |= REWRITE_SOURCE | REWRITE_QUOTED_DESTINATION_PORT
  return DROP_NONE
}

// ------------------------------------------------------------------------------------- keys

function setInside (
  p: PacketContext, shard: Shard, key: Int32Array, i0: number, i1: number, i2: number, i3: number,
  r0: number, r1: number, r2: number, r3: number, ports: number
): void {
  key.fill(0)
  key[NAT_AT_PROTOCOL] = p.protocol
  key[NAT_AT_RESOURCE] = shard.eniHigh
  key[NAT_AT_RESOURCE + 1] = shard.eniLow
  key[NAT_AT_INSIDE] = i0
  key[NAT_AT_INSIDE + 1] = i1
  key[NAT_AT_INSIDE + 2] = i2
  key[NAT_AT_INSIDE + 3] = i3
  setRemoteWords(key, r0, r1, r2, r3)
  key[NAT_AT_INSIDE_PORTS] = ports
}

function setOutside (
  shard: Shard, key: Int32Array, protocol: number, o0: number, o1: number,
  o2: number, o3: number, r0: number, r1: number, r2: number, r3: number, ports: number
): void {
  key[NAT_AT_PROTOCOL] = protocol
  key[NAT_AT_RESOURCE] = shard.eniHigh
  key[NAT_AT_RESOURCE + 1] = shard.eniLow
  key[NAT_AT_OUTSIDE] = o0
  key[NAT_AT_OUTSIDE + 1] = o1
  key[NAT_AT_OUTSIDE + 2] = o2
  key[NAT_AT_OUTSIDE + 3] = o3
  setRemoteWords(key, r0, r1, r2, r3)
  key[NAT_AT_OUTSIDE_PORTS] = ports
}

function setRemoteWords (key: Int32Array, r0: number, r1: number, r2: number, r3: number): void {
  key[NAT_AT_REMOTE] = r0
  key[NAT_AT_REMOTE + 1] = r1
  key[NAT_AT_REMOTE + 2] = r2
  key[NAT_AT_REMOTE + 3] = r3
}

/** The remote end of a flow, from an address that is quoted. */
function setRemote (p: PacketContext, key: Int32Array, view: DataView, at: number): void {
  if (p.protocol === PROTOCOL_ICMP) {
    setRemoteWords(key, 0, 0, IPV4_MAPPED_WORD, loadI32(view, at))
    return
  }
  setRemoteWords(key, loadI32(view, at), loadI32(view, at + 4), loadI32(view, at + 8),
    loadI32(view, at + 12))
}
