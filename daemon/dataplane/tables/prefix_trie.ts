/**
 * Longest-prefix match over 128-bit addresses: a path-compressed binary trie in typed arrays
 * (Patricia, as in Sklower's BSD routing table), built once and then only read. Memory: 36 bytes ×
 * 2 × prefixes.
 *
 *     node   bits   how many leading bits its prefix has
 *            words  [4] the prefix
 *            child  [2] by the bit that follows; 0 = none (node 0 is the root)
 *            value  what the prefix stands for, or -1 for a node that only branches
 *
 * Two roots, for IPv4 and for IPv6 are separate worlds (systems 1.11): `::/0` holds no IPv4 address
 * although ::ffff:0:0/96 lies inside it.
 */
import { assert } from '../../base/assert.ts'
import {
  ADDRESS_BITS, ADDRESS_WORDS, IPV4_PREFIX_LENGTH, PREFIX_WORDS, isIpv4Words, wordMask
} from '../../wire/address.ts'

const NO_VALUE = -1

/** Bit `index` (0 = first) of four words. */
function bitOf (w0: number, w1: number, w2: number, w3: number, index: number): number {
  const word = index < 32 ? w0 : index < 64 ? w1 : index < 96 ? w2 : w3
  return (word >>> (31 - (index & 31))) & 1
}

export class PrefixTrie {
  #bits: Uint8Array
  #words: Int32Array
  #child: Int32Array
  #value: Int32Array
  #count = 2
  /** Root of IPv6 is node 0, of IPv4 node 1. */
  static readonly #rootIpv4 = 1

  /**
   * @param prefixes [n × PREFIX_WORDS] words and length on the 128-bit form. Bits after the length
   *   are
   *   ignored. Of two equal prefixes the later one counts. The value of a prefix is its position
   *   0..n-1.
   */
  constructor (prefixes: Uint32Array) {
    assert(prefixes.length % PREFIX_WORDS === 0, 'prefixes come in whole')
    const count = prefixes.length / PREFIX_WORDS
    const nodes = 2 + 2 * count // each insertion adds at most a leaf and a branch
    this.#bits = new Uint8Array(nodes)
    this.#words = new Int32Array(nodes * ADDRESS_WORDS)
    this.#child = new Int32Array(nodes * 2)
    this.#value = new Int32Array(nodes).fill(NO_VALUE)
    this.#words[PrefixTrie.#rootIpv4 * ADDRESS_WORDS + 2] = 0xffff
    this.#bits[PrefixTrie.#rootIpv4] = IPV4_PREFIX_LENGTH
    for (let position = 0; position < count; position++) this.#insert(prefixes, position)
  }

  /** Value of the longest prefix that holds the address, or -1. Words as int32. */
  find (w0: number, w1: number, w2: number, w3: number): number {
    let node = isIpv4Words(w0, w1, w2) ? PrefixTrie.#rootIpv4 : 0
    let best = NO_VALUE
    for (let depth = 0; depth <= ADDRESS_BITS; depth++) {
      if (!this.#holds(node, w0, w1, w2, w3)) break
      if (this.#value[node] !== NO_VALUE) best = this.#value[node]
      const bits = this.#bits[node]
      if (bits === ADDRESS_BITS) break
      node = this.#child[2 * node + bitOf(w0, w1, w2, w3, bits)]
      if (node === 0) break
    }
    return best
  }

  #holds (node: number, w0: number, w1: number, w2: number, w3: number): boolean {
    const at = node * ADDRESS_WORDS
    const bits = this.#bits[node]
    return ((w0 ^ this.#words[at]) & wordMask(bits)) === 0 &&
      ((w1 ^ this.#words[at + 1]) & wordMask(bits - 32)) === 0 &&
      ((w2 ^ this.#words[at + 2]) & wordMask(bits - 64)) === 0 &&
      ((w3 ^ this.#words[at + 3]) & wordMask(bits - 96)) === 0
  }

  #insert (prefixes: Uint32Array, position: number): void {
    const from = position * PREFIX_WORDS
    const length = prefixes[from + 4]
    assert(length <= ADDRESS_BITS, `a prefix has at most 128 bits, not ${String(length)}`)
    const w0 = prefixes[from] & wordMask(length)
    const w1 = prefixes[from + 1] & wordMask(length - 32)
    const w2 = prefixes[from + 2] & wordMask(length - 64)
    const w3 = prefixes[from + 3] & wordMask(length - 96)
    let node = isIpv4Words(w0, w1, w2) && length >= IPV4_PREFIX_LENGTH ? PrefixTrie.#rootIpv4 : 0
    while (this.#bits[node] < length) {
      const slot = 2 * node + bitOf(w0, w1, w2, w3, this.#bits[node])
      const next = this.#child[slot]
      if (next === 0) {
        this.#child[slot] = this.#newNode(length, w0, w1, w2, w3, position)
        return
      }
      const common = this.#commonBits(next, length, w0, w1, w2, w3)
      if (common < this.#bits[next]) {
        this.#child[slot] = this.#split(next, common, length, w0, w1, w2, w3, position)
        return
      }
      node = next
    }
    this.#value[node] = position
  }

  /** Puts a node above `below` at `common` bits: the prefix itself, or a branch to it. */
  #split (
    below: number, common: number, length: number, w0: number, w1: number, w2: number, w3: number,
    value: number
  ): number {
    const at = below * ADDRESS_WORDS
    const branch = this.#newNode(common, w0 & wordMask(common), w1 & wordMask(common - 32),
      w2 & wordMask(common - 64), w3 & wordMask(common - 96), NO_VALUE)
    const belowBit =
      bitOf(this.#words[at], this.#words[at + 1], this.#words[at + 2], this.#words[at + 3], common)
    this.#child[2 * branch + belowBit] = below
    if (common === length) this.#value[branch] = value
    else this.#child[2 * branch + (1 - belowBit)] = this.#newNode(length, w0, w1, w2, w3, value)
    return branch
  }

  /** How many leading bits a node's prefix and another of `length` bits share. */
  #commonBits (
    node: number, length: number, w0: number, w1: number, w2: number, w3: number
  ): number {
    const at = node * ADDRESS_WORDS
    const most = Math.min(this.#bits[node], length)
    const d0 = w0 ^ this.#words[at]
    if (d0 !== 0) return Math.min(most, Math.clz32(d0))
    const d1 = w1 ^ this.#words[at + 1]
    if (d1 !== 0) return Math.min(most, 32 + Math.clz32(d1))
    const d2 = w2 ^ this.#words[at + 2]
    if (d2 !== 0) return Math.min(most, 64 + Math.clz32(d2))
    const d3 = w3 ^ this.#words[at + 3]
    return Math.min(most, 96 + Math.clz32(d3))
  }

  #newNode (bits: number, w0: number, w1: number, w2: number, w3: number, value: number): number {
    const node = this.#count++
    this.#bits[node] = bits
    this.#words.set([w0, w1, w2, w3], node * ADDRESS_WORDS)
    this.#value[node] = value
    return node
  }
}
