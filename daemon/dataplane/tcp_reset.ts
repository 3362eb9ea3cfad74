/**
 * The answer to a TCP packet from inside whose flow a NAT gateway does not know (any more): a reset
 * as if from the destination, RFC 9293 §3.10.7.1, so that the sender learns at once what silence
 * would tell it late. At most RESETS_PER_SECOND per gateway, in bursts of RESETS_BURST.
 *
 * Never in answer to a reset. What is not sent is dropped and counted all the same.
 */
import { readU32, writeU16, writeU32 } from '../wire/bytes.ts'
import { checksumAdd, checksumFinish, pseudoHeaderSum } from '../wire/checksum.ts'
import { PROTOCOL_TCP } from '../wire/ip_protocol.ts'
import {
  IPV4_ADDRESS_BYTES, IPV4_AT_DST, IPV4_AT_FRAGMENT, IPV4_AT_PROTOCOL, IPV4_AT_SRC,
  IPV4_AT_TOTAL_LENGTH, IPV4_AT_TTL, IPV4_AT_VERSION_IHL, IPV4_FLAG_DONT_FRAGMENT,
  IPV4_HEADER_BYTES_MIN, IPV4_VERSION, ipv4WriteChecksum
} from '../wire/ipv4.ts'
import {
  IPV6_ADDRESS_BYTES, IPV6_AT_DST, IPV6_AT_HOP_LIMIT, IPV6_AT_NEXT_HEADER, IPV6_AT_PAYLOAD_LENGTH,
  IPV6_AT_SRC, IPV6_HEADER_BYTES, IPV6_VERSION
} from '../wire/ipv6.ts'
import {
  TCP_AT_ACKNOWLEDGMENT, TCP_AT_CHECKSUM, TCP_AT_DATA_OFFSET, TCP_AT_DST_PORT, TCP_AT_FLAGS,
  TCP_AT_SEQUENCE, TCP_AT_SRC_PORT, TCP_FLAG_ACK, TCP_FLAG_FIN, TCP_FLAG_RST, TCP_FLAG_SYN,
  TCP_HEADER_BYTES_MIN, tcpHeaderBytes
} from '../wire/tcp.ts'
import { ACTION_ENCAPSULATE, prepareEncapsulation } from './action.ts'
import type { PacketContext } from './packet.ts'
import type { RouterParts } from './router_parts.ts'
import { PORTS_MAX } from './tables/port_table.ts'
import { TokenBuckets } from './token_buckets.ts'

export const RESETS_PER_SECOND = 1000
export const RESETS_BURST = 200
const RESET_TTL = 64

/** A token bucket per gateway. */
export class TcpResets {
  readonly #allowance = new TokenBuckets(PORTS_MAX, RESETS_PER_SECOND, RESETS_BURST)

  /**
   * Resets the connection of `p`, which came from the ENI `sourceEni…` of another host to the
   * gateway `portIndex`. Precondition: `p` was parsed and not changed.
   */
  answer (p: PacketContext, parts: RouterParts, nowMs: number): void {
    const port = p.portIndex
    if (p.protocol !== PROTOCOL_TCP || (p.tcpFlags & TCP_FLAG_RST) !== 0 ||
      p.sourceHostIndex === 0 || !parts.transmit.hasRoom(1) ||
      !this.#allowance.take(port, nowMs)) return
    const { ports } = parts.tables
    if (!build(p, parts)) return
    p.action = ACTION_ENCAPSULATE
    p.target = p.sourceHostIndex
    p.mapping.eniHigh = p.sourceEniHigh
    p.mapping.eniLow = p.sourceEniLow
    prepareEncapsulation(p, ports.vni[port], ports.eniHigh[port], ports.eniLow[port])
    parts.transmit.send(p, ports)
    parts.counters.egress(port, 1, p.totalBytes)
  }
}

/** Makes the reset and describes it in `p`. */
function build (p: PacketContext, parts: RouterParts): boolean {
  const { bytes, view } = parts
  const isIpv4 = p.version === IPV4_VERSION
  const ipBytes = isIpv4 ? IPV4_HEADER_BYTES_MIN : IPV6_HEADER_BYTES
  const totalBytes = ipBytes + TCP_HEADER_BYTES_MIN
  const at = parts.transmit.allocate(totalBytes)
  if (at < 0) return false
  bytes.fill(0, at, at + totalBytes)
  if (isIpv4) writeIpv4(p, bytes, at, totalBytes)
  else writeIpv6(p, bytes, at)
  const tcpAt = at + ipBytes
  writeU16(bytes, tcpAt + TCP_AT_SRC_PORT, p.ports & 0xffff)
  writeU16(bytes, tcpAt + TCP_AT_DST_PORT, p.ports >>> 16)
  bytes[tcpAt + TCP_AT_DATA_OFFSET] = (TCP_HEADER_BYTES_MIN >>> 2) << 4
  if ((p.tcpFlags & TCP_FLAG_ACK) !== 0) {
    writeU32(bytes, tcpAt + TCP_AT_SEQUENCE, readU32(bytes, p.l4At + TCP_AT_ACKNOWLEDGMENT))
    bytes[tcpAt + TCP_AT_FLAGS] = TCP_FLAG_RST
  } else {
    const headersBytes = p.l4At - p.at + tcpHeaderBytes(view, p.l4At)
    const sequenceBytes = p.totalBytes - headersBytes +
      ((p.tcpFlags & TCP_FLAG_SYN) !== 0 ? 1 : 0) + ((p.tcpFlags & TCP_FLAG_FIN) !== 0 ? 1 : 0)
    writeU32(bytes, tcpAt + TCP_AT_ACKNOWLEDGMENT,
      readU32(bytes, p.l4At + TCP_AT_SEQUENCE) + sequenceBytes)
    bytes[tcpAt + TCP_AT_FLAGS] = TCP_FLAG_RST | TCP_FLAG_ACK
  }
  const pseudo = pseudoHeaderSum(bytes, at + (isIpv4 ? IPV4_AT_SRC : IPV6_AT_SRC),
    2 * (isIpv4 ? IPV4_ADDRESS_BYTES : IPV6_ADDRESS_BYTES), PROTOCOL_TCP, TCP_HEADER_BYTES_MIN)
  writeU16(bytes, tcpAt + TCP_AT_CHECKSUM,
    checksumFinish(checksumAdd(pseudo, bytes, tcpAt, TCP_HEADER_BYTES_MIN)))
  describe(p, at, totalBytes)
  return true
}

function writeIpv4 (p: PacketContext, bytes: Uint8Array, at: number, totalBytes: number): void {
  bytes[at + IPV4_AT_VERSION_IHL] = (IPV4_VERSION << 4) | (IPV4_HEADER_BYTES_MIN >>> 2)
  writeU16(bytes, at + IPV4_AT_TOTAL_LENGTH, totalBytes)
  writeU16(bytes, at + IPV4_AT_FRAGMENT, IPV4_FLAG_DONT_FRAGMENT)
  bytes[at + IPV4_AT_TTL] = RESET_TTL
  bytes[at + IPV4_AT_PROTOCOL] = PROTOCOL_TCP
  writeU32(bytes, at + IPV4_AT_SRC, p.dst3)
  writeU32(bytes, at + IPV4_AT_DST, p.src3)
  ipv4WriteChecksum(bytes, at, IPV4_HEADER_BYTES_MIN)
}

function writeIpv6 (p: PacketContext, bytes: Uint8Array, at: number): void {
  bytes[at] = IPV6_VERSION << 4
  writeU16(bytes, at + IPV6_AT_PAYLOAD_LENGTH, TCP_HEADER_BYTES_MIN)
  bytes[at + IPV6_AT_NEXT_HEADER] = PROTOCOL_TCP
  bytes[at + IPV6_AT_HOP_LIMIT] = RESET_TTL
  writeU32(bytes, at + IPV6_AT_SRC, p.dst0)
  writeU32(bytes, at + IPV6_AT_SRC + 4, p.dst1)
  writeU32(bytes, at + IPV6_AT_SRC + 8, p.dst2)
  writeU32(bytes, at + IPV6_AT_SRC + 12, p.dst3)
  writeU32(bytes, at + IPV6_AT_DST, p.src0)
  writeU32(bytes, at + IPV6_AT_DST + 4, p.src1)
  writeU32(bytes, at + IPV6_AT_DST + 8, p.src2)
  writeU32(bytes, at + IPV6_AT_DST + 12, p.src3)
}

function describe (p: PacketContext, at: number, totalBytes: number): void {
  p.describeMade(at, totalBytes)
  p.trafficClass = 0
  p.isFragment = 0
}
