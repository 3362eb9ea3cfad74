/**
 * Addresses and blocks as tables have them: four big-endian 32-bit words, IPv4 as ::ffff:a.b.c.d,
 * and a prefix length on that 128-bit form. One form serves both families, and a block of one
 * family never covers an address of the other, except ::/0 and its like, which no IPv4 packet is
 * looked up against: an IPv4 default route has length 96.
 */
import { addressBits, knownAddress, knownCidr } from '../model/cidr.ts'

/** Length of a prefix that is one address. */
export const ADDRESS_BITS = 128
/** Upper 96 bits of every IPv4 address in this form (RFC 4291 §2.5.5.2). */
const IPV4_MAPPED = 0xffff_0000_0000n

export interface Prefix {
  /** [4], host bits zero. Never written to. */
  readonly words: Uint32Array
  /** 0..128 */
  readonly length: number
}

/** Precondition: `text` is an address as records hold it. */
export function addressPrefix (text: string): Prefix {
  const { family, value } = knownAddress(text)
  return { words: wordsOf(family === 4 ? IPV4_MAPPED | value : value), length: ADDRESS_BITS }
}

/** Precondition: `text` is a CIDR block as records hold it. */
export function cidrPrefix (text: string): Prefix {
  const { family, first, prefixLength } = knownCidr(text)
  return {
    words: wordsOf(family === 4 ? IPV4_MAPPED | first : first),
    length: ADDRESS_BITS - addressBits(family) + prefixLength
  }
}

/** Equal for equal words; for maps. */
export function wordsKey (words: Uint32Array): string {
  return words.join(':')
}

/** The words with everything behind the first `length` bits set to zero. */
export function maskedWords (words: Uint32Array, length: number): Uint32Array {
  return words.map((word, index) => {
    const bits = Math.min(Math.max(length - index * 32, 0), 32)
    return bits === 0 ? 0 : (word & (0xffffffff << (32 - bits))) >>> 0
  })
}

/** Whether the address lies in the block. */
export function prefixCovers (prefix: Prefix, address: Uint32Array): boolean {
  const masked = maskedWords(address, prefix.length)
  return prefix.words.every((word, index) => word === masked[index])
}

/** The word at `index`, 0..3. */
export function wordAt (words: Uint32Array, index: number): number {
  return words[index] ?? 0
}

function wordsOf (value: bigint): Uint32Array {
  const words = new Uint32Array(4)
  for (let index = 3, rest = value; index >= 0; index--, rest >>= 32n) {
    words[index] = Number(rest & 0xffffffffn)
  }
  return words
}
