/**
 * Addresses as four 32-bit words, big-endian order, IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), so
 * that one table and one comparison serve both families. In hot code the words are signed int32
 * (wire/bytes.ts); in messages and tables they are u32 of a Uint32Array. `a === (b | 0)` joins the
 * two.
 *
 * A prefix length is given on the 128-bit form: IPv4 /n is 96 + n. Text is read and written here
 * only for borders (options, logs, tests), never per packet.
 */
import { assert } from '../base/assert.ts'

export const ADDRESS_WORDS = 4
/** Words of a prefix in tables: four of the address, one prefix length. */
export const PREFIX_WORDS = 5
/** Third word of an IPv4 address in the 128-bit form. */
export const IPV4_MAPPED_WORD = 0x0000ffff
/** Prefix length of ::ffff:0:0/96, under which all IPv4 lies. */
export const IPV4_PREFIX_LENGTH = 96
export const ADDRESS_BITS = 128

/** True when the words are an IPv4 address in the 128-bit form. */
export function isIpv4Words (w0: number, w1: number, w2: number): boolean {
  return w0 === 0 && w1 === 0 && w2 === IPV4_MAPPED_WORD
}

/** Mask of the first `bits` bits of a word, as int32; bits 0..32. */
export function wordMask (bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits)
}

/**
 * Whether an address lies in a prefix of its own family: `::/0` holds no IPv4 address, although
 * ::ffff:0:0/96 lies inside it.
 * @param prefixes [n × PREFIX_WORDS] words and length on the 128-bit form
 * @param at index of the prefix's first word
 */
export function prefixHolds (
  prefixes: Uint32Array | Int32Array, at: number, w0: number, w1: number, w2: number, w3: number
): boolean {
  const bits = prefixes[at + 4]
  if (bits < IPV4_PREFIX_LENGTH && isIpv4Words(w0, w1, w2)) return false
  return ((w0 ^ prefixes[at]) & wordMask(bits)) === 0 &&
    ((w1 ^ prefixes[at + 1]) & wordMask(bits - 32)) === 0 &&
    ((w2 ^ prefixes[at + 2]) & wordMask(bits - 64)) === 0 &&
    ((w3 ^ prefixes[at + 3]) & wordMask(bits - 96)) === 0
}

/** Index (not word offset) of the first prefix that holds the address, or -1. */
export function findPrefix (
  prefixes: Uint32Array | Int32Array, w0: number, w1: number, w2: number, w3: number
): number {
  for (let at = 0; at + PREFIX_WORDS <= prefixes.length; at += PREFIX_WORDS) {
    if (prefixHolds(prefixes, at, w0, w1, w2, w3)) return at / PREFIX_WORDS
  }
  return -1
}

function parseIpv4 (text: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (match === null) return null
  let word = 0
  for (let part = 1; part <= 4; part++) {
    const value = Number(match[part])
    if (value > 255) return null
    word = word * 256 + value
  }
  return word
}

function parseGroups (text: string): number[] | null {
  if (text === '') return []
  const groups: number[] = []
  for (const group of text.split(':')) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return null
    groups.push(Number.parseInt(group, 16))
  }
  return groups
}

/**
 * Reads an address in text form (RFC 4291 §2.2, dotted IPv4).
 * @returns [4] words, or null when the text is no address
 */
export function parseAddress (text: string): Uint32Array | null {
  const ipv4 = parseIpv4(text)
  if (ipv4 !== null) return Uint32Array.of(0, 0, IPV4_MAPPED_WORD, ipv4)
  let rest = text
  let tail: number[] = []
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  if (dotted !== null) {
    const word = parseIpv4(dotted[2])
    if (word === null) return null
    tail = [Math.floor(word / 65536), word % 65536]
    rest = dotted[1].endsWith('::') ? dotted[1] : dotted[1].slice(0, -1)
  }
  const halves = rest.split('::')
  if (halves.length > 2) return null
  const left = parseGroups(halves[0])
  const right = halves.length === 2 ? parseGroups(halves[1]) : []
  if (left === null || right === null) return null
  right.push(...tail)
  const missing = 8 - left.length - right.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null
  const groups = [...left, ...new Array<number>(missing).fill(0), ...right]
  const words = new Uint32Array(ADDRESS_WORDS)
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    words[word] = groups[2 * word] * 65536 + groups[2 * word + 1]
  }
  return words
}

/**
 * Words of an address that is known to be one (constants, validated options).
 * @throws when the text is no address: a programmer's error
 */
export function addressWords (text: string): Uint32Array {
  const words = parseAddress(text)
  assert(words !== null, `"${text}" is not an IP address`)
  return words
}

/**
 * Words and length of a CIDR block: `10.0.0.0/16` gives length 112. Same precondition as
 * addressWords.
 */
export function prefixWords (text: string): Uint32Array {
  const slash = text.indexOf('/')
  const words = addressWords(slash < 0 ? text : text.slice(0, slash))
  const base = isIpv4Words(words[0], words[1], words[2]) ? IPV4_PREFIX_LENGTH : 0
  const length = slash < 0 ? ADDRESS_BITS : base + Number(text.slice(slash + 1))
  assert(length >= base && length <= ADDRESS_BITS, `"${text}" has a prefix length out of range`)
  return Uint32Array.of(words[0], words[1], words[2], words[3], length)
}

/** Text of the four words at `at`: dotted for IPv4, RFC 5952 for IPv6. */
export function formatAddress (words: Uint32Array | Int32Array, at = 0): string {
  const w = [words[at] >>> 0, words[at + 1] >>> 0, words[at + 2] >>> 0, words[at + 3] >>> 0]
  if (isIpv4Words(w[0], w[1], w[2])) {
    return [w[3] >>> 24, (w[3] >>> 16) & 255, (w[3] >>> 8) & 255, w[3] & 255].join('.')
  }
  const groups: number[] = []
  for (const word of w) groups.push(word >>> 16, word & 0xffff)
  let bestStart = -1
  let bestCount = 1 // one zero group alone is never shortened (RFC 5952 §4.2.2)
  for (let start = 0; start < groups.length; start++) {
    let count = 0
    while (start + count < groups.length && groups[start + count] === 0) count++
    if (count > bestCount) {
      bestStart = start
      bestCount = count
    }
  }
  const hex = groups.map((group) => group.toString(16))
  if (bestStart < 0) return hex.join(':')
  return `${hex.slice(0, bestStart).join(':')}::${hex.slice(bestStart + bestCount).join(':')}`
}
