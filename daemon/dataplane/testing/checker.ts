/**
 * Predicates about packets, to be put together in a test as gVisor's checker does:
 *
 *     check(t, sent.packet, srcIs('10.0.1.10'), ttlIs(63), goodChecksums())
 *
 * Each predicate answers null, or what is wrong in words.
 */
import type { ExecutionContext } from 'ava'
import { formatAddress } from '../../wire/address.ts'
import { readI32, readU16 } from '../../wire/bytes.ts'
import {
  checksumAdd, checksumFold, ipv4HeaderSumIsGood, pseudoHeaderSum
} from '../../wire/checksum.ts'
import {
  PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP
} from '../../wire/ip_protocol.ts'
import {
  FRAGMENT_UNIT_BYTES, IPV4_AT_DST, IPV4_AT_FRAGMENT, IPV4_AT_PROTOCOL, IPV4_AT_SRC,
  IPV4_AT_TOTAL_LENGTH, IPV4_AT_TTL, IPV4_FLAG_MORE_FRAGMENTS, IPV4_FRAGMENT_OFFSET_MASK,
  ipv4HeaderBytes
} from '../../wire/ipv4.ts'
import {
  IPV6_AT_DST, IPV6_AT_HOP_LIMIT, IPV6_AT_NEXT_HEADER, IPV6_AT_PAYLOAD_LENGTH, IPV6_AT_SRC,
  IPV6_HEADER_BYTES
} from '../../wire/ipv6.ts'

export type Check = (packet: Uint8Array) => string | null

/** Asserts that every predicate holds. */
export function check (t: ExecutionContext, packet: Uint8Array, ...checks: readonly Check[]): void {
  t.deepEqual(checks.map((one) => one(packet)).filter((answer) => answer !== null), [])
}

const isIpv4 = (packet: Uint8Array): boolean => (packet[0] >>> 4) === 4

function expect (what: string, actual: string | number, expected: string | number): string | null {
  return actual === expected ? null : `${what} is ${String(actual)}, not ${String(expected)}`
}

/** Text of the source or destination address. */
export function addressOf (packet: Uint8Array, which: 'src' | 'dst'): string {
  if (isIpv4(packet)) {
    const word = readI32(packet, which === 'src' ? IPV4_AT_SRC : IPV4_AT_DST)
    return formatAddress(Int32Array.of(0, 0, 0xffff, word))
  }
  const at = which === 'src' ? IPV6_AT_SRC : IPV6_AT_DST
  return formatAddress(Int32Array.from({ length: 4 },
    (_word, index) => readI32(packet, at + 4 * index)))
}

export const srcIs = (address: string): Check => (packet) => (
  expect('source', addressOf(packet, 'src'), address))

export const dstIs = (address: string): Check => (packet) => (
  expect('destination', addressOf(packet, 'dst'), address))

/** TTL or hop limit. */
export const ttlIs = (ttl: number): Check => (packet) => (
  expect('TTL', packet[isIpv4(packet) ? IPV4_AT_TTL : IPV6_AT_HOP_LIMIT], ttl))

export const lengthIs = (bytes: number): Check => (packet) => expect('length', packet.length, bytes)

/** IPv4 fragment offset in bytes, and whether more follow. */
export const fragmentIs = (offsetBytes: number, more: boolean): Check => (packet) => {
  const field = readU16(packet, IPV4_AT_FRAGMENT)
  const actualMore = (field & IPV4_FLAG_MORE_FRAGMENTS) !== 0
  return expect('fragment',
    `${String((field & IPV4_FRAGMENT_OFFSET_MASK) * FRAGMENT_UNIT_BYTES)}/${String(actualMore)}`,
    `${String(offsetBytes)}/${String(more)}`)
}

/** The IP length is that of the packet, and every checksum is good. */
export const goodChecksums = (): Check => (packet) => {
  if (!isIpv4(packet)) {
    const length = readU16(packet, IPV6_AT_PAYLOAD_LENGTH)
    return expect('payload length', length, packet.length - IPV6_HEADER_BYTES) ??
      upperSum(packet, IPV6_AT_SRC, 32, IPV6_HEADER_BYTES, packet[IPV6_AT_NEXT_HEADER])
  }
  const headerBytes = ipv4HeaderBytes(packet, 0)
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  if (!ipv4HeaderSumIsGood(view, 0, headerBytes)) return 'the IPv4 header checksum is bad'
  const fragment =
    readU16(packet, IPV4_AT_FRAGMENT) & (IPV4_FLAG_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET_MASK)
  return expect('total length', readU16(packet, IPV4_AT_TOTAL_LENGTH), packet.length) ??
    (fragment !== 0 ? null
      : upperSum(packet, IPV4_AT_SRC, 8, headerBytes, packet[IPV4_AT_PROTOCOL]))
}

function upperSum (
  packet: Uint8Array, addressesAt: number, addressesBytes: number, l4At: number, protocol: number
): string | null {
  if (![PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMP, PROTOCOL_ICMPV6].includes(protocol)) return null
  const bytes = packet.length - l4At
  const pseudo = protocol === PROTOCOL_ICMP
    ? 0
    : pseudoHeaderSum(packet, addressesAt, addressesBytes, protocol, bytes)
  const sum = checksumFold(checksumAdd(pseudo, packet, l4At, bytes))
  return sum === 0xffff ? null : `the checksum of protocol ${String(protocol)} is bad`
}

/** Puts the IPv4 fragments of one packet together: its header (of the first) and all payload. */
export function reassemble (fragments: readonly Uint8Array[]): Uint8Array {
  const first = fragments[0]
  const headerBytes = ipv4HeaderBytes(first, 0)
  const pieces = fragments.map((fragment) => ({
    offset: (readU16(fragment, IPV4_AT_FRAGMENT) & IPV4_FRAGMENT_OFFSET_MASK) * FRAGMENT_UNIT_BYTES,
    payload: fragment.subarray(ipv4HeaderBytes(fragment, 0))
  }))
  const payloadBytes = Math.max(...pieces.map(({ offset, payload }) => offset + payload.length))
  const packet = new Uint8Array(headerBytes + payloadBytes)
  packet.set(first.subarray(0, headerBytes))
  for (const { offset, payload } of pieces) packet.set(payload, headerBytes + offset)
  return packet
}
