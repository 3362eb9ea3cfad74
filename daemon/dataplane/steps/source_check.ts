/**
 * Anti-spoofing, systems 2.6. With the source/destination check on, a packet leaves an ENI only
 * with an address of that ENI, or out of a prefix delegated to it. Whatever the check says, nobody
 * but the VPC plays DHCP server or router: its answers would move other instances' traffic.
 */
import { findPrefix } from '../../wire/address.ts'
import { ICMPV6_REDIRECT, ICMPV6_ROUTER_ADVERTISEMENT } from '../../wire/icmpv6.ts'
import { PROTOCOL_ICMPV6, PROTOCOL_UDP } from '../../wire/ip_protocol.ts'
import {
  DHCP_CLIENT_PORT, DHCP_SERVER_PORT, DHCPV6_CLIENT_PORT, DHCPV6_SERVER_PORT
} from '../../wire/udp.ts'
import { DROP_NONE, DROP_SERVICE_SPOOFED, DROP_SOURCE_SPOOFED } from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'
import type { PortTable } from '../tables/port_table.ts'

const DHCP_ANSWER = (DHCP_SERVER_PORT << 16) | DHCP_CLIENT_PORT
const DHCPV6_ANSWER = (DHCPV6_SERVER_PORT << 16) | DHCPV6_CLIENT_PORT

/** @returns DROP_NONE, DROP_SOURCE_SPOOFED or DROP_SERVICE_SPOOFED */
export function checkSource (p: PacketContext, ports: PortTable): number {
  const port = p.portIndex
  if (ports.sourceDestCheck[port] !== 0 &&
    findPrefix(ports.addresses(port), p.src0, p.src1, p.src2,
      p.src3) < 0) return DROP_SOURCE_SPOOFED
  if (p.protocol === PROTOCOL_UDP && (p.ports === DHCP_ANSWER || p.ports === DHCPV6_ANSWER)) {
    return DROP_SERVICE_SPOOFED
  }
  if (p.protocol === PROTOCOL_ICMPV6 && p.isLaterFragment === 0 &&
    (p.icmpType === ICMPV6_ROUTER_ADVERTISEMENT ||
      p.icmpType === ICMPV6_REDIRECT)) return DROP_SERVICE_SPOOFED
  return DROP_NONE
}
