/**
 * A hash index over rows that stand in an array of words and carry their own hash: what a table
 * needs to find a row by more than one key. It holds row numbers only; who asks compares the keys.
 *
 *     buckets   row + 1 (0 = empty), linear probing, deletion shifts back: no tombstones
 *
 * Load stays at or below one half, so a walk ends. Hashes are to be keyed where a peer chooses what
 * is hashed.
 */
import { assert } from '../../base/assert.ts'

export class SlotIndex {
  /** Row + 1 of each bucket. A walk begins at `home` and follows `bucket = (bucket + 1) & mask`. */
  readonly buckets: Int32Array
  readonly mask: number
  readonly #words: Int32Array
  readonly #hashAt: number
  readonly #stride: number

  /**
   * @param words array of the rows
   * @param hashAt index in `words` of the hash of row 0
   * @param stride words from row to row
   */
  constructor (capacity: number, words: Int32Array, hashAt: number, stride: number) {
    let buckets = 16
    while (buckets < 2 * capacity) buckets *= 2
    this.buckets = new Int32Array(buckets)
    this.mask = buckets - 1
    this.#words = words
    this.#hashAt = hashAt
    this.#stride = stride
  }

  home (hash: number): number { return hash & this.mask }

  /** Precondition: the row's hash stands in its words, and the row is not in the index. */
  insert (row: number): void {
    let bucket = this.#hashOf(row) & this.mask
    while (this.buckets[bucket] !== 0) bucket = (bucket + 1) & this.mask // load is below one
    this.buckets[bucket] = row + 1
  }

  /** Precondition: the row is in the index, with the hash that it was inserted with. */
  remove (row: number): void {
    const { buckets, mask } = this
    let hole = this.#hashOf(row) & mask
    while (buckets[hole] !== row + 1) {
      assert(buckets[hole] !== 0, 'a row in use stands in its index')
      hole = (hole + 1) & mask
    }
    let bucket = hole
    for (;;) { // ends at an empty bucket
      bucket = (bucket + 1) & mask
      if (buckets[bucket] === 0) break
      const home = this.#hashOf(buckets[bucket] - 1) & mask
      // Move back only what may stand in the hole: its home does not lie after the hole.
      if (((bucket - home) & mask) < ((bucket - hole) & mask)) continue
      buckets[hole] = buckets[bucket]
      hole = bucket
    }
    buckets[hole] = 0
  }

  #hashOf (row: number): number { return this.#words[this.#hashAt + row * this.#stride] }
}
