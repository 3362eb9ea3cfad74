/**
 * A hash table from a few 32-bit words to a few 32-bit words, in one Int32Array: what `Map` would
 * be if its keys need not be strings and a look-up might not allocate. Used by every table that is
 * asked per packet of the slow path: VNI → VPC, ENI → port, address → mapping.
 *
 *     slot   [ used | key words | value words ]
 *
 * Open addressing with linear probing; deletion shifts the following slots back, so that no
 * tombstones gather. Load stays at or below one half; it grows by doubling (updates run between
 * bursts, where allocation is allowed). The caller writes the key into `key` and then asks.
 */
import { assert } from '../../base/assert.ts'

const SLOTS_MIN = 8

/** MurmurHash3, as int32: V8 adds int32 faster than what does not fit one. */
const ROUND_CONSTANT = 0xe6546b64 | 0

/** Mixes one word into a hash (MurmurHash3's round); both int32. */
export function mixWord (hash: number, word: number): number {
  let mixed = Math.imul(word, 0xcc9e2d51)
  mixed = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593) ^ hash
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + ROUND_CONSTANT) | 0
}

/** MurmurHash3's finalizer: every input bit reaches every output bit. */
export function finishHash (hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

export class WordTable {
  /** [keyWords] the key of the next call. */
  readonly key: Int32Array
  /** Number of keys. */
  size = 0
  /**
   * Slots. A value word of a slot that `find` named: `words[slot + n]`. Replaced when the table
   * grows.
   */
  words: Int32Array
  readonly #keyWords: number
  readonly #stride: number
  readonly #seed: number
  #mask: number

  /**
   * @param seed makes slots unpredictable where a peer chooses keys; 0 where control does
   * @param keys how many are expected: with as many the table does not grow
   */
  constructor (keyWords: number, valueWords: number, seed = 0, keys = 0) {
    this.key = new Int32Array(keyWords)
    this.#keyWords = keyWords
    this.#stride = 1 + keyWords + valueWords
    this.#seed = seed
    let slots = SLOTS_MIN
    while (slots < 2 * keys) slots *= 2
    this.#mask = slots - 1
    this.words = new Int32Array(slots * this.#stride)
  }

  /** Index in `words` of the first value word for `key`, or -1. */
  find (): number {
    const at = this.#probe()
    return this.words[at] === 0 ? -1 : at + 1 + this.#keyWords
  }

  /**
   * Index in `words` of the value for `key`; new values are zeros. Any earlier index is then
   * invalid.
   */
  findOrInsert (): number {
    let at = this.#probe()
    if (this.words[at] === 0) {
      if (2 * (this.size + 1) > this.#mask + 1) {
        this.#grow()
        at = this.#probe()
      }
      this.words[at] = 1
      for (let word = 0; word < this.#keyWords; word++) this.words[at + 1 + word] = this.key[word]
      this.size++
    }
    return at + 1 + this.#keyWords
  }

  /** Removes `key`. @returns false when it was not there */
  delete (): boolean {
    let hole = this.#probe()
    if (this.words[hole] === 0) return false
    const stride = this.#stride
    let slot = hole / stride
    for (;;) { // ends at the first free slot: load is at most one half
      slot = (slot + 1) & this.#mask
      const at = slot * stride
      if (this.words[at] === 0) break
      const home = this.#hash(at + 1) & this.#mask
      // Move back only what may stand in the hole: its home does not lie after the hole.
      if (((slot - home) & this.#mask) < ((slot - hole / stride) & this.#mask)) continue
      this.words.copyWithin(hole, at, at + stride)
      hole = at
    }
    this.words.fill(0, hole, hole + stride)
    this.size--
    return true
  }

  clear (): void {
    this.words.fill(0)
    this.size = 0
  }

  /**
   * Walks all keys: the first call with -1, later calls with the last answer.
   * @returns index of the next slot's first value word, or -1 at the end; its key is copied into
   *   `key`
   */
  next (valueAt: number): number {
    const stride = this.#stride
    let at = valueAt < 0 ? 0 : valueAt - 1 - this.#keyWords + stride
    for (; at < this.words.length; at += stride) {
      if (this.words[at] === 0) continue
      for (let word = 0; word < this.#keyWords; word++) this.key[word] = this.words[at + 1 + word]
      return at + 1 + this.#keyWords
    }
    return -1
  }

  #hash (at: number): number {
    let hash = this.#seed
    for (let word = 0; word < this.#keyWords; word++) hash = mixWord(hash, this.words[at + word])
    return finishHash(hash)
  }

  /** Index of the slot that holds `key`, or of the free slot where it would go. */
  #probe (): number {
    let hash = this.#seed
    for (let word = 0; word < this.#keyWords; word++) hash = mixWord(hash, this.key[word])
    let slot = finishHash(hash) & this.#mask
    for (let probes = 0; probes <= this.#mask; probes++) {
      const at = slot * this.#stride
      if (this.words[at] === 0 || this.#keyStandsAt(at + 1)) return at
      slot = (slot + 1) & this.#mask
    }
    assert(false, 'a word table is never full')
  }

  #keyStandsAt (at: number): boolean {
    for (let word = 0; word < this.#keyWords; word++) {
      if (this.words[at + word] !== this.key[word]) return false
    }
    return true
  }

  #grow (): void {
    const old = this.words
    const stride = this.#stride
    const wanted = this.key.slice()
    this.#mask = 2 * (this.#mask + 1) - 1
    this.words = new Int32Array((this.#mask + 1) * stride)
    for (let at = 0; at < old.length; at += stride) {
      if (old[at] === 0) continue
      for (let word = 0; word < this.#keyWords; word++) this.key[word] = old[at + 1 + word]
      const to = this.#probe()
      for (let word = 0; word < stride; word++) this.words[to + word] = old[at + word]
    }
    this.key.set(wanted)
  }
}
