/**
 * The answer to a neighbor solicitation of a guest on Ethernet (RFC 4861 §7.2.4): the address that
 * it asks for is at the MAC of the subnet's router. steps/neighbor.ts says which ones.
 */
import { loadI32, writeU32 } from '../wire/bytes.ts'
import { ICMPV6_NEIGHBOR_ADVERTISEMENT } from '../wire/icmpv6.ts'
import {
  ND_AT_FLAGS, ND_AT_TARGET, ND_AT_TYPE, ND_FLAG_OVERRIDE, ND_FLAG_ROUTER, ND_FLAG_SOLICITED,
  ND_HEADER_BYTES, ND_OPTION_AT_MAC, ND_OPTION_MAC_BYTES, ND_OPTION_TARGET_MAC
} from '../wire/neighbor_discovery.ts'
import { DROP_NONE, DROP_PORT_CLOSED, DROP_TRANSMIT_QUEUE_FULL } from './drop_reason.ts'
import { writeRouterMac } from './link_address.ts'
import { ROUTER_LINK_LOCAL } from './link_local_service.ts'
import { beginAnswer, finishAnswer, isNamed } from './neighbor_answer.ts'
import type { PacketContext } from './packet.ts'
import type { RouterParts } from './router_parts.ts'

const ANSWER_BYTES = ND_HEADER_BYTES + ND_OPTION_MAC_BYTES

/**
 * Sends the advertisement to the ENI `p.portIndex`. Precondition: asksForNeighbor(). Afterwards `p`
 * describes the answer.
 * @returns DROP_NONE, or why there is no answer
 */
export function advertiseNeighbor (p: PacketContext, parts: RouterParts): number {
  const { ports, subnets } = parts.tables
  if (ports.nicPort[p.portIndex] === 0) return DROP_PORT_CLOSED
  const targetAt = p.l4At + ND_AT_TARGET
  const w0 = loadI32(parts.view, targetAt)
  const w1 = loadI32(parts.view, targetAt + 4)
  const w2 = loadI32(parts.view, targetAt + 8)
  const w3 = loadI32(parts.view, targetAt + 12)
  const at = beginAnswer(p, parts, ANSWER_BYTES, w0, w1, w2, w3)
  if (at < 0) return DROP_TRANSMIT_QUEUE_FULL
  const { bytes } = parts
  bytes[at + ND_AT_TYPE] = ICMPV6_NEIGHBOR_ADVERTISEMENT
  bytes[at + ND_AT_FLAGS] = ND_FLAG_OVERRIDE | (isNamed(p) ? ND_FLAG_SOLICITED : 0) |
    (w0 === ROUTER_LINK_LOCAL[0] ? ND_FLAG_ROUTER : 0)
  writeU32(bytes, at + ND_AT_TARGET, w0)
  writeU32(bytes, at + ND_AT_TARGET + 4, w1)
  writeU32(bytes, at + ND_AT_TARGET + 8, w2)
  writeU32(bytes, at + ND_AT_TARGET + 12, w3)
  bytes[at + ND_HEADER_BYTES] = ND_OPTION_TARGET_MAC
  bytes[at + ND_HEADER_BYTES + 1] = 1
  writeRouterMac(bytes, at + ND_HEADER_BYTES + ND_OPTION_AT_MAC,
    subnets.get(ports.subnetIndex[p.portIndex]))
  finishAnswer(p, parts, at, ANSWER_BYTES)
  return DROP_NONE
}
