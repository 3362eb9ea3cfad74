/**
 * IP addresses and CIDR blocks as numbers, for rules. Both families alike: an address is a family
 * and an unsigned integer of 32 or 128 bits, a block is its lowest address and a prefix length.
 *
 *     2001:db8:0:100::/56     first = 0x20010db8_00000100_00000000_00000000   prefixLength = 56
 *
 * Text is strict on the way in (four decimal parts without leading zeros; RFC 4291 §2.2 for IPv6)
 * and canonical on the way out (RFC 5952). Records keep canonical text, so equal blocks are equal
 * strings. The data plane has its own arithmetic on words (daemon/wire); nothing here runs per
 * packet.
 */
import { isIPv6 } from 'node:net'

export type AddressFamily = 4 | 6

export interface Address {
  readonly family: AddressFamily
  /** 0..2^32-1 or 0..2^128-1. */
  readonly value: bigint
}

export interface Cidr {
  readonly family: AddressFamily
  /** Lowest address: host bits are zero. */
  readonly first: bigint
  readonly prefixLength: number
}

const IPV4_PART = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])'
const IPV4 = new RegExp(`^${IPV4_PART}\\.${IPV4_PART}\\.${IPV4_PART}\\.${IPV4_PART}$`)
const PREFIX_LENGTH = /^(0|[1-9][0-9]{0,2})$/
const IPV6_WORDS = 8

/** 32 or 128. */
export function addressBits (family: AddressFamily): number { return family === 4 ? 32 : 128 }

/**
 * @returns null when `text` is no IPv4 or IPv6 address (a zone index, as in `fe80::1%eth0`, is
 *   none)
 */
export function parseAddress (text: string): Address | null {
  const parts = IPV4.exec(text)
  if (parts !== null) {
    let value = 0n
    for (const part of parts.slice(1)) value = (value << 8n) | BigInt(part)
    return { family: 4, value }
  }
  if (!isIPv6(text) || text.includes('%')) return null
  return { family: 6, value: parseIpv6(text) }
}

/** Precondition: `isIPv6(text)`. */
function parseIpv6 (text: string): bigint {
  const [head = '', tail] = text.split('::')
  const before = ipv6Words(head)
  const after = tail === undefined ? [] : ipv6Words(tail)
  const zeros = new Array<number>(IPV6_WORDS - before.length - after.length).fill(0)
  let value = 0n
  for (const word of [...before, ...zeros, ...after]) value = (value << 16n) | BigInt(word)
  return value
}

function ipv6Words (text: string): number[] {
  if (text === '') return []
  const words: number[] = []
  for (const part of text.split(':')) {
    if (part.includes('.')) { // RFC 4291 §2.2 form 3: the last two words as an IPv4 address
      const ipv4 = Number(parseAddress(part)?.value)
      words.push(ipv4 >>> 16, ipv4 & 0xffff)
    } else words.push(Number.parseInt(part, 16))
  }
  return words
}

/**
 * RFC 5952 for IPv6: lower case, the longest run of at least two zero words (the first such) as
 * `::`.
 */
export function formatAddress (address: Address): string {
  const { family, value } = address
  if (family === 4) {
    const number = Number(value)
    return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.')
  }
  const words: number[] = []
  for (let shift = 112n; shift >= 0n; shift -= 16n) words.push(Number((value >> shift) & 0xffffn))
  let bestAt = -1
  let bestLength = 1
  for (let at = 0; at < IPV6_WORDS;) {
    let length = 0
    while (at + length < IPV6_WORDS && words[at + length] === 0) length++
    if (length > bestLength) { bestAt = at; bestLength = length }
    at += Math.max(length, 1)
  }
  const hex = (part: readonly number[]): string => part.map((word) => word.toString(16)).join(':')
  if (bestAt === -1) return hex(words)
  return `${hex(words.slice(0, bestAt))}::${hex(words.slice(bestAt + bestLength))}`
}

/**
 * Host bits are cleared, as CreateVpc and CreateSubnet do.
 * @returns null when `text` is no CIDR block
 */
export function parseCidr (text: string): Cidr | null {
  const slashAt = text.indexOf('/')
  if (slashAt === -1 || !PREFIX_LENGTH.test(text.slice(slashAt + 1))) return null
  const address = parseAddress(text.slice(0, slashAt))
  const prefixLength = Number(text.slice(slashAt + 1))
  if (address === null || prefixLength > addressBits(address.family)) return null
  return cidrOf(address, prefixLength)
}

/** The block of `prefixLength` bits that `address` lies in. */
export function cidrOf (address: Address, prefixLength: number): Cidr {
  const hostBits = BigInt(addressBits(address.family) - prefixLength)
  return { family: address.family, first: (address.value >> hostBits) << hostBits, prefixLength }
}

export function formatCidr (cidr: Cidr): string {
  return `${formatAddress({ family: cidr.family, value: cidr.first })}/${String(cidr.prefixLength)}`
}

/** How many addresses the block has. */
export function cidrSize (cidr: Cidr): bigint {
  return 1n << BigInt(addressBits(cidr.family) - cidr.prefixLength)
}

/** The block's highest address. */
export function lastOf (cidr: Cidr): bigint { return cidr.first + cidrSize(cidr) - 1n }

/** Whether `inner` is `outer` or a part of it. */
export function cidrContains (outer: Cidr, inner: Cidr): boolean {
  return outer.family === inner.family && outer.prefixLength <= inner.prefixLength &&
    inner.first >= outer.first && inner.first <= lastOf(outer)
}

export function cidrContainsAddress (cidr: Cidr, address: Address): boolean {
  return cidr.family === address.family && address.value >= cidr.first &&
    address.value <= lastOf(cidr)
}

/** Two blocks overlap exactly when one contains the other. */
export function cidrsOverlap (a: Cidr, b: Cidr): boolean {
  return cidrContains(a, b) || cidrContains(b, a)
}

/**
 * For text that is known to be good: what a record holds, or a constant.
 * @throws an assertion's Error otherwise
 */
export function knownCidr (text: string): Cidr {
  const cidr = parseCidr(text)
  if (cidr === null) throw new Error(`Invariant broken: "${text}" is not a CIDR block`)
  return cidr
}

/** As `knownCidr`, for an address. */
export function knownAddress (text: string): Address {
  const address = parseAddress(text)
  if (address === null) throw new Error(`Invariant broken: "${text}" is not an IP address`)
  return address
}
