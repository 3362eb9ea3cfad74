/**
 * IPv4 header, RFC 791 §3.1. `at` is always the offset of the header inside `bytes`.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    |Version|  IHL  |Type of Service|          Total Length         |
 *    |         Identification        |Flags|      Fragment Offset    |
 *    |  Time to Live |    Protocol   |         Header Checksum       |
 *    |                       Source Address                          |
 *    |                    Destination Address                        |
 *    |                    Options                    |    Padding    |
 */
import { checksumOf, checksumReplaceU16 } from './checksum.ts'
import { loadU16, readU16, writeU16 } from './bytes.ts'

export const IPV4_AT_VERSION_IHL = 0 // u8   version:4, IHL:4 (unit: 32-bit words)
export const IPV4_AT_TRAFFIC_CLASS = 1 // u8   DSCP:6, ECN:2 (RFC 2474, RFC 3168)
export const IPV4_AT_TOTAL_LENGTH = 2 // u16  bytes, header and payload
export const IPV4_AT_IDENTIFICATION = 4 // u16
export const IPV4_AT_FRAGMENT = 6 // u16  flags:3, fragment offset:13 (unit: 8 bytes)
export const IPV4_AT_TTL = 8 // u8   hops
export const IPV4_AT_PROTOCOL = 9 // u8
export const IPV4_AT_CHECKSUM = 10 // u16  RFC 1071 sum over the header only
export const IPV4_AT_SRC = 12 // u32
export const IPV4_AT_DST = 16 // u32
export const IPV4_AT_OPTIONS = 20 // 0..40 bytes
export const IPV4_HEADER_BYTES_MIN = 20
export const IPV4_HEADER_BYTES_MAX = 60
export const IPV4_TOTAL_LENGTH_MAX = 65_535
export const IPV4_ADDRESS_BYTES = 4
export const IPV4_VERSION = 4

// Fields of the first word (version to total length), read at once.
/** `(word >>> shift) & mask` is the header length in bytes. */
export const IPV4_WORD0_HEADER_BYTES_SHIFT = 22
export const IPV4_WORD0_HEADER_BYTES_MASK = 0x3c
export const IPV4_WORD0_TRAFFIC_CLASS_SHIFT = 16
export const IPV4_WORD0_TOTAL_LENGTH_MASK = 0xffff

export const IPV4_FLAG_DONT_FRAGMENT = 0x4000
export const IPV4_FLAG_MORE_FRAGMENTS = 0x2000
export const IPV4_FRAGMENT_OFFSET_MASK = 0x1fff
/** Unit of the fragment offset, bytes. */
export const FRAGMENT_UNIT_BYTES = 8

/** RFC 791 §3.1, options: end of list, no operation, and the flag "copy into every fragment". */
export const IPV4_OPTION_END = 0
export const IPV4_OPTION_NOP = 1
export const IPV4_OPTION_COPIED = 0x80
/** Offset of the length byte in an option that has one. */
export const IPV4_OPTION_AT_LENGTH = 1

// Own copies for what runs per packet: V8 folds them, exported ones are loaded at each use.
const AT_TTL = IPV4_AT_TTL
const AT_CHECKSUM = IPV4_AT_CHECKSUM

/** Header length in bytes, 0..60; at least 20 once `parse` accepted the packet. */
export function ipv4HeaderBytes (bytes: Uint8Array, at: number): number {
  return (bytes[at + IPV4_AT_VERSION_IHL] & 0x0f) << 2
}

/** Takes one off the TTL, header checksum with it (RFC 1624). Precondition: TTL is at least 1. */
export function ipv4DecrementTtl (view: DataView, at: number): void {
  const oldWord = loadU16(view, at + AT_TTL)
  const checksum = loadU16(view, at + AT_CHECKSUM)
  view.setUint16(at + AT_TTL, oldWord - 0x100)
  view.setUint16(at + AT_CHECKSUM, checksumReplaceU16(checksum, oldWord, oldWord - 0x100))
}

/** Sets DSCP and ECN, header checksum with them. */
export function ipv4SetTrafficClass (bytes: Uint8Array, at: number, trafficClass: number): void {
  const oldWord = readU16(bytes, at + IPV4_AT_VERSION_IHL)
  bytes[at + IPV4_AT_TRAFFIC_CLASS] = trafficClass
  const checksum = readU16(bytes, at + IPV4_AT_CHECKSUM)
  writeU16(bytes, at + IPV4_AT_CHECKSUM,
    checksumReplaceU16(checksum, oldWord, (oldWord & 0xff00) | trafficClass))
}

/** Computes the header checksum anew and writes it. */
export function ipv4WriteChecksum (bytes: Uint8Array, at: number, headerBytes: number): void {
  writeU16(bytes, at + IPV4_AT_CHECKSUM, 0)
  writeU16(bytes, at + IPV4_AT_CHECKSUM, checksumOf(bytes, at, headerBytes))
}
