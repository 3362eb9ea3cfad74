/**
 * IPv6 header and the walk over its extension headers, RFC 8200 §3 and §4.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    |Version| Traffic Class |           Flow Label                  |
 *    |         Payload Length        |  Next Header  |   Hop Limit   |
 *    |                 Source Address (16 bytes)                     |
 *    |               Destination Address (16 bytes)                  |
 *
 * The walk is bounded twice, by the bytes at hand and by a number of headers: a chain longer than
 * IPV6_EXTENSION_HEADERS_MAX says nothing a network wants to hear, and is refused (RFC 9288 §2.2
 * lets a transit router do so).
 */
import { loadU16 } from './bytes.ts'
import {
  PROTOCOL_AUTHENTICATION, PROTOCOL_DESTINATION_OPTIONS, PROTOCOL_FRAGMENT, PROTOCOL_HIP,
  PROTOCOL_HOP_BY_HOP, PROTOCOL_MOBILITY, PROTOCOL_ROUTING, PROTOCOL_SHIM6
} from './ip_protocol.ts'

export const IPV6_AT_VERSION = 0 // u32  version:4, traffic class:8, flow label:20
export const IPV6_AT_PAYLOAD_LENGTH = 4 // u16  bytes after this header, extension headers included
export const IPV6_AT_NEXT_HEADER = 6 // u8
export const IPV6_AT_HOP_LIMIT = 7 // u8
export const IPV6_AT_SRC = 8 // 16 bytes
export const IPV6_AT_DST = 24 // 16 bytes
export const IPV6_HEADER_BYTES = 40
export const IPV6_ADDRESS_BYTES = 16
export const IPV6_VERSION = 6
/** Smallest MTU a link that carries IPv6 may have (RFC 8200 §5), bytes. */
export const IPV6_MTU_MIN = 1280

export const IPV6_EXTENSION_HEADERS_MAX = 8
/** Every extension header: the protocol that follows, then a length in a unit of its own. */
export const IPV6_EXTENSION_AT_NEXT_HEADER = 0
export const IPV6_EXTENSION_AT_LENGTH = 1
export const IPV6_EXTENSION_BYTES_MIN = 8

/** Fragment header, RFC 8200 §4.5. */
export const IPV6_FRAGMENT_AT_NEXT_HEADER = 0 // u8
export const IPV6_FRAGMENT_AT_RESERVED = 1 // u8
export const IPV6_FRAGMENT_AT_OFFSET = 2 // u16  offset in the upper 13 bits, M in the last
export const IPV6_FRAGMENT_AT_IDENTIFICATION = 4 // u32
export const IPV6_FRAGMENT_HEADER_BYTES = 8
export const IPV6_FRAGMENT_OFFSET_MASK =
  0xfff8 // already in bytes: the unit is 8 and the low bits are flags
export const IPV6_FRAGMENT_MORE = 1

/** Traffic class (DSCP:6, ECN:2). */
export function ipv6TrafficClass (view: DataView, at: number): number {
  return (loadU16(view, at) >>> 4) & 0xff
}

export function ipv6SetTrafficClass (bytes: Uint8Array, at: number, trafficClass: number): void {
  bytes[at] = (bytes[at] & 0xf0) | (trafficClass >>> 4)
  bytes[at + 1] = (bytes[at + 1] & 0x0f) | ((trafficClass & 0x0f) << 4)
}

/** Takes one off the hop limit. Precondition: it is at least 1. */
export function ipv6DecrementHopLimit (bytes: Uint8Array, at: number): void {
  bytes[at + IPV6_AT_HOP_LIMIT]--
}

/** What the walk found; one object, used again for every packet. */
export interface Ipv6Walk {
  /**
   * Upper-layer protocol, or the first header that cannot be looked into (ESP, a later fragment).
   */
  protocol: number
  /** Where that header starts. */
  l4At: number
  /** Where the fragment header starts, or -1. */
  fragmentAt: number
}

/**
 * Walks from the fixed header to the upper layer.
 * @param end first offset after the bytes at hand
 * @returns false when a header is cut short, out of order (hop-by-hop not first), or there are too
 *   many
 */
export function ipv6Walk (view: DataView, at: number, end: number, walk: Ipv6Walk): boolean {
  let protocol = view.getUint8(at + IPV6_AT_NEXT_HEADER)
  let here = at + IPV6_HEADER_BYTES
  walk.fragmentAt = -1
  for (let count = 0; count <= IPV6_EXTENSION_HEADERS_MAX; count++) {
    let lengthUnit = 8
    let lengthBase = 8
    switch (protocol) {
      case PROTOCOL_HOP_BY_HOP:
        if (count !== 0) return false
        break
      case PROTOCOL_ROUTING: case PROTOCOL_DESTINATION_OPTIONS: case PROTOCOL_MOBILITY:
      case PROTOCOL_HIP: case PROTOCOL_SHIM6:
        break
      case PROTOCOL_AUTHENTICATION: // RFC 4302 §2.2: 32-bit words minus 2
        lengthUnit = 4
        break
      case PROTOCOL_FRAGMENT:
        if (walk.fragmentAt >= 0) return false
        walk.fragmentAt = here
        lengthUnit = 0
        lengthBase = IPV6_FRAGMENT_HEADER_BYTES
        break
      default:
        walk.protocol = protocol
        walk.l4At = here
        return true
    }
    if (here + IPV6_EXTENSION_BYTES_MIN > end) return false
    const next = view.getUint8(here + IPV6_EXTENSION_AT_NEXT_HEADER)
    const headerAt = here
    here += lengthBase + view.getUint8(here + IPV6_EXTENSION_AT_LENGTH) * lengthUnit
    if (here > end) return false
    protocol = next
    // What follows the header of a later fragment is payload, not a header.
    if (headerAt === walk.fragmentAt && ipv6FragmentOffsetBytes(view, headerAt) !== 0) {
      walk.protocol = protocol
      walk.l4At = here
      return true
    }
  }
  return false
}

/** Offset of a fragment in bytes, 0..65,528. */
export function ipv6FragmentOffsetBytes (view: DataView, fragmentAt: number): number {
  return loadU16(view, fragmentAt + IPV6_FRAGMENT_AT_OFFSET) & IPV6_FRAGMENT_OFFSET_MASK
}

/** True unless this is the last fragment. */
export function ipv6MoreFragments (view: DataView, fragmentAt: number): boolean {
  return (loadU16(view, fragmentAt + IPV6_FRAGMENT_AT_OFFSET) & IPV6_FRAGMENT_MORE) !== 0
}
