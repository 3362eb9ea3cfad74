/**
 * What the router's answers of neighbor discovery have in common (RFC 4861): an ICMPv6 message with
 * hop limit 255, to the asker alone where that has an address, else to all nodes.
 */
import { writeU16, writeU32 } from '../wire/bytes.ts'
import { checksumAdd, checksumFinish, pseudoHeaderSum } from '../wire/checksum.ts'
import { ICMPV6_AT_CHECKSUM } from '../wire/icmpv6.ts'
import { PROTOCOL_ICMPV6 } from '../wire/ip_protocol.ts'
import {
  IPV6_ADDRESS_BYTES, IPV6_AT_DST, IPV6_AT_HOP_LIMIT, IPV6_AT_NEXT_HEADER, IPV6_AT_PAYLOAD_LENGTH,
  IPV6_AT_SRC, IPV6_HEADER_BYTES, IPV6_VERSION
} from '../wire/ipv6.ts'
import { ND_HOP_LIMIT } from '../wire/neighbor_discovery.ts'
import type { PacketContext } from './packet.ts'
import type { RouterParts } from './router_parts.ts'

const ALL_NODES = [0xff020000, 0, 0, 1] as const

/** Whether the asker has an address. */
export function isNamed (p: PacketContext): boolean {
  return (p.src0 | p.src1 | p.src2 | p.src3) !== 0
}

/**
 * Begins the answer to `p`, from the address w0 … w3.
 * @returns where its ICMPv6 message of `icmpBytes` zeros is; -1 when there is no room
 */
export function beginAnswer (
  p: PacketContext, parts: RouterParts, icmpBytes: number, w0: number, w1: number, w2: number,
  w3: number
): number {
  const at = parts.transmit.hasRoom(1) ? parts.transmit.allocate(IPV6_HEADER_BYTES + icmpBytes) : -1
  if (at < 0) return -1
  const { bytes } = parts
  bytes.fill(0, at, at + IPV6_HEADER_BYTES + icmpBytes)
  bytes[at] = IPV6_VERSION << 4
  writeU16(bytes, at + IPV6_AT_PAYLOAD_LENGTH, icmpBytes)
  bytes[at + IPV6_AT_NEXT_HEADER] = PROTOCOL_ICMPV6
  bytes[at + IPV6_AT_HOP_LIMIT] = ND_HOP_LIMIT
  writeU32(bytes, at + IPV6_AT_SRC, w0)
  writeU32(bytes, at + IPV6_AT_SRC + 4, w1)
  writeU32(bytes, at + IPV6_AT_SRC + 8, w2)
  writeU32(bytes, at + IPV6_AT_SRC + 12, w3)
  const named = isNamed(p)
  writeU32(bytes, at + IPV6_AT_DST, named ? p.src0 : ALL_NODES[0])
  writeU32(bytes, at + IPV6_AT_DST + 4, named ? p.src1 : ALL_NODES[1])
  writeU32(bytes, at + IPV6_AT_DST + 8, named ? p.src2 : ALL_NODES[2])
  writeU32(bytes, at + IPV6_AT_DST + 12, named ? p.src3 : ALL_NODES[3])
  return at + IPV6_HEADER_BYTES
}

/**
 * Sends the answer to the ENI `p.portIndex`. Precondition: beginAnswer() returned `icmpAt`.
 * Afterwards `p` describes the answer.
 */
export function finishAnswer (
  p: PacketContext, parts: RouterParts, icmpAt: number, icmpBytes: number
): void {
  const { bytes } = parts
  const at = icmpAt - IPV6_HEADER_BYTES
  const pseudo =
    pseudoHeaderSum(bytes, at + IPV6_AT_SRC, 2 * IPV6_ADDRESS_BYTES, PROTOCOL_ICMPV6, icmpBytes)
  writeU16(bytes, icmpAt + ICMPV6_AT_CHECKSUM,
    checksumFinish(checksumAdd(pseudo, bytes, icmpAt, icmpBytes)))
  p.describeMade(at, IPV6_HEADER_BYTES + icmpBytes)
  parts.transmit.deliver(p, parts.tables.ports.nicPort[p.portIndex])
}
