/**
 * UDP header, RFC 768. `at` is the offset of the header inside `bytes`.
 *
 *     0      7 8     15 16    23 24    31
 *    |   Source Port   | Destination Port|
 *    |     Length      |    Checksum     |
 *
 * A checksum of 0 means "none" over IPv4; a computed 0 is sent as 0xffff.
 */
export const UDP_AT_SRC_PORT = 0 // u16
export const UDP_AT_DST_PORT = 2 // u16
export const UDP_AT_LENGTH = 4 // u16  bytes, header and payload
export const UDP_AT_CHECKSUM = 6 // u16  over pseudo-header, header and payload
export const UDP_HEADER_BYTES = 8

/** DHCP (RFC 2131 §4.1) and DHCPv6 (RFC 8415 §7.2): only the VPC speaks from a server's port. */
export const DHCP_SERVER_PORT = 67
export const DHCP_CLIENT_PORT = 68
export const DHCPV6_SERVER_PORT = 547
export const DHCPV6_CLIENT_PORT = 546
