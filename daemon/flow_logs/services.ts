/**
 * What flow logs leave out. AWS VPC User Guide, "Flow log limitations": the Amazon DNS server,
 * Windows licence activation, instance metadata, time sync, DHCP, and the router's own addresses
 * (watched.ts adds those, and the resolver's, of each VPC). DNS servers of one's own are logged.
 */
import { PROTOCOL_UDP } from '../wire/ip_protocol.ts'

/** Addresses of the link-local services in every VPC. */
export const SERVICE_ADDRESSES: readonly string[] = [
  '169.254.169.254', 'fd00:ec2::254', // metadata
  '169.254.169.253', 'fd00:ec2::253', // resolver
  '169.254.169.123', 'fd00:ec2::123', // time
  '169.254.169.250', '169.254.169.251', 'fd00:ec2::250' // licence activation
]

/** Client and server port of DHCP (RFC 2131 §4.1) and DHCPv6 (RFC 8415 §7.2). */
const DHCP_PORTS: readonly (readonly number[])[] = [[67, 68], [546, 547]]

export function isDhcp (protocol: number, onePort: number, otherPort: number): boolean {
  return protocol === PROTOCOL_UDP && DHCP_PORTS.some((ports) =>
    ports.includes(onePort) && ports.includes(otherPort))
}
