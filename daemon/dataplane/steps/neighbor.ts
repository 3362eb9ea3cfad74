/**
 * Who is asked for on Ethernet: the router answers, with its own MAC, for every address of the
 * subnet that the asking ENI does not have itself, for the services' link-local addresses and for
 * its own link-local address. Nobody else hears the question, for no broadcast exists (systems
 * 2.2).
 *
 * A question of an address that is the guest's own (it looks for duplicates, RFC 5227, RFC 4862
 * §5.4) stays unanswered, or the guest would not take the address.
 */
import { findPrefix, IPV4_MAPPED_WORD } from '../../wire/address.ts'
import { loadI32 } from '../../wire/bytes.ts'
import { ICMPV6_NEIGHBOR_SOLICITATION } from '../../wire/icmpv6.ts'
import { PROTOCOL_ICMPV6 } from '../../wire/ip_protocol.ts'
import { ND_AT_TARGET, ND_HEADER_BYTES, ND_HOP_LIMIT } from '../../wire/neighbor_discovery.ts'
import { ROUTER_LINK_LOCAL, SERVICES_IPV4_HIGH, SERVICES_IPV6_WORD } from '../link_local_service.ts'
import type { PacketContext } from '../packet.ts'
import type { Tables } from '../tables/tables.ts'

/** Whether the packet, of a guest on Ethernet, asks for an address that the router answers for. */
export function asksForNeighbor (p: PacketContext, tables: Tables, view: DataView): boolean {
  if (p.protocol !== PROTOCOL_ICMPV6 || p.icmpType !== ICMPV6_NEIGHBOR_SOLICITATION) return false
  if (tables.ports.isEthernet[p.portIndex] === 0 || p.ttl !== ND_HOP_LIMIT) return false
  if (p.l4At + ND_HEADER_BYTES > p.at + p.bytes) return false
  const at = p.l4At + ND_AT_TARGET
  return isAnsweredFor(p.portIndex, tables, loadI32(view, at), loadI32(view, at + 4),
    loadI32(view, at + 8), loadI32(view, at + 12))
}

/** The same of an IPv4 address. */
export function isIpv4AnsweredFor (port: number, tables: Tables, address: number): boolean {
  return (address >>> 8) === SERVICES_IPV4_HIGH ||
    isAnsweredFor(port, tables, 0, 0, IPV4_MAPPED_WORD, address)
}

function isAnsweredFor (
  port: number, tables: Tables, w0: number, w1: number, w2: number, w3: number
): boolean {
  const subnet = tables.subnets.get(tables.ports.subnetIndex[port])
  if (subnet === undefined) return false
  const [r0, r1, r2, r3] = ROUTER_LINK_LOCAL
  if (w0 === SERVICES_IPV6_WORD || (w0 === r0 && w1 === r1 && w2 === r2 && w3 === r3)) {
    return subnet.routerIpv6[0] !== 0
  }
  return findPrefix(subnet.cidrs, w0, w1, w2, w3) >= 0 &&
    findPrefix(tables.ports.addresses(port), w0, w1, w2, w3) < 0
}
