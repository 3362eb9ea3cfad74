/**
 * ICMPv6, RFC 4443 §2.1; neighbor discovery, RFC 4861 §4. `at` is the offset of the ICMPv6 header.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    |     Type      |     Code      |          Checksum             |
 *    |  echo: Identifier, Sequence; Packet Too Big: MTU              |
 *    |  errors: as much of the refused packet as fits in 1,280 bytes |
 */
export const ICMPV6_AT_TYPE = 0 // u8   below 128: an error
export const ICMPV6_AT_CODE = 1 // u8
export const ICMPV6_AT_CHECKSUM = 2 // u16  over pseudo-header, header and payload
export const ICMPV6_AT_IDENTIFIER = 4 // u16  echo only
export const ICMPV6_AT_MTU = 4 // u32  Packet Too Big only (RFC 4443 §3.2)
export const ICMPV6_HEADER_BYTES = 8
/** Bytes that every ICMPv6 message has. */
export const ICMPV6_HEADER_BYTES_MIN = 4

export const ICMPV6_PACKET_TOO_BIG = 2
export const ICMPV6_ECHO_REQUEST = 128
export const ICMPV6_ECHO_REPLY = 129
export const ICMPV6_ROUTER_SOLICITATION = 133
export const ICMPV6_ROUTER_ADVERTISEMENT = 134
export const ICMPV6_NEIGHBOR_SOLICITATION = 135
export const ICMPV6_NEIGHBOR_ADVERTISEMENT = 136
export const ICMPV6_REDIRECT = 137

/** Where an error quotes the packet that it speaks of. */
export const ICMPV6_AT_QUOTE = 8

/** Types below this are errors, in answer to which no error may be sent (RFC 4443 §2.4 e). */
export const ICMPV6_FIRST_QUERY_TYPE = 128

/** Echo is the one query that makes a conversation. */
export function icmpv6IsEcho (type: number): boolean {
  return type === ICMPV6_ECHO_REPLY || type === ICMPV6_ECHO_REQUEST
}
