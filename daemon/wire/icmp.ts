/**
 * ICMP for IPv4, RFC 792. `at` is the offset of the ICMP header inside `bytes`.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    |     Type      |     Code      |          Checksum             |
 *    |  echo: Identifier, Sequence; 3/4: unused, Next-Hop MTU        |
 *    |  errors: the IP header and the first bytes of what was refused|
 */
export const ICMP_AT_TYPE = 0 // u8
export const ICMP_AT_CODE = 1 // u8
export const ICMP_AT_CHECKSUM = 2 // u16  over header and payload, no pseudo-header
export const ICMP_AT_IDENTIFIER = 4 // u16  echo only
export const ICMP_AT_SEQUENCE = 6 // u16  echo only
export const ICMP_AT_NEXT_HOP_MTU = 6 // u16  type 3 code 4 only (RFC 1191 §4)
export const ICMP_HEADER_BYTES = 8
/** Where an error quotes the packet that it speaks of. */
export const ICMP_AT_QUOTE = 8

export const ICMP_ECHO_REPLY = 0
export const ICMP_DESTINATION_UNREACHABLE = 3
export const ICMP_CODE_FRAGMENTATION_NEEDED = 4
export const ICMP_ECHO_REQUEST = 8

/** Longest error message, RFC 1812 §4.3.2.3, bytes with its IP header. */
export const ICMP_ERROR_BYTES_MAX = 576

/** Echo is the one query that makes a conversation. */
export function icmpIsEcho (type: number): boolean {
  return type === ICMP_ECHO_REPLY || type === ICMP_ECHO_REQUEST
}

/**
 * Ports under which an echo is known, source << 16 | destination: whoever asks has the identifier
 * for a port, whoever answers the number after it. So an answer belongs to its question, and a
 * question that the other side asks with the same identifier is another conversation.
 */
export function echoPorts (identifier: number, isRequest: boolean): number {
  const answering = (identifier + 1) & 0xffff
  return isRequest ? (identifier << 16) | answering : (answering << 16) | identifier
}

/** The identifier in such ports, in either order; 0 for no ports. */
export function echoIdentifier (ports: number): number {
  const first = ports >>> 16
  const second = ports & 0xffff
  return second === ((first + 1) & 0xffff) ? first : second
}

/** Whether a type is an error about a packet, which it quotes: RFC 792, RFC 1122 §3.2.2. */
export function icmpIsError (type: number): boolean {
  return type === 3 || type === 4 || type === 5 || type === 11 || type === 12
}

/**
 * Whether a type is a query or its answer (RFC 792, RFC 950, RFC 8335). Everything else is treated
 * as an error, in answer to which no error may be sent (RFC 1812 §4.3.2.7).
 */
export function icmpIsQuery (type: number): boolean {
  return type === ICMP_ECHO_REPLY || type === ICMP_ECHO_REQUEST || (type >= 13 && type <= 18) ||
    type === 42 || type === 43
}
