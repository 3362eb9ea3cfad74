/** The resources that a node knows, by the ids of their ENIs. */
import { assert } from '../../base/assert.ts'
import { WordTable } from '../tables/word_table.ts'
import { Shard } from './shard.ts'

/** Resources of one node. */
export const SHARDS_MAX = 4096

export class ShardList {
  /** In no order. */
  readonly all: Shard[] = []
  /** ENI id → place in `all`, + 1. */
  readonly #byEni = new WordTable(2, 1)
  #last: Shard | undefined

  /** The last answer is kept: packets of a burst tend to be of one resource. */
  find (eniHigh: number, eniLow: number): Shard | undefined {
    const last = this.#last
    if (last !== undefined && last.eniLow === eniLow && last.eniHigh === eniHigh) return last
    const at = this.#placeOf(eniHigh, eniLow)
    if (at < 0) return undefined
    this.#last = this.all[this.#byEni.words[at] - 1]
    return this.#last
  }

  findOrMake (eniHigh: number, eniLow: number): Shard {
    const known = this.find(eniHigh, eniLow)
    if (known !== undefined) return known
    assert(this.all.length < SHARDS_MAX, `a node serves ${String(SHARDS_MAX)} resources`)
    const shard = new Shard(eniHigh, eniLow)
    this.all.push(shard)
    this.#setPlace(shard, this.all.length)
    return shard
  }

  forget (shard: Shard): void {
    const place = this.all.indexOf(shard)
    const moved = this.all.pop()
    this.#last = undefined
    this.#placeOf(shard.eniHigh, shard.eniLow)
    this.#byEni.delete()
    if (moved === undefined || moved === shard) return
    this.all[place] = moved
    this.#setPlace(moved, place + 1)
  }

  #placeOf (eniHigh: number, eniLow: number): number {
    this.#byEni.key[0] = eniHigh
    this.#byEni.key[1] = eniLow
    return this.#byEni.find()
  }

  #setPlace ({ eniHigh, eniLow }: Shard, place: number): void {
    this.#byEni.key[0] = eniHigh
    this.#byEni.key[1] = eniLow
    this.#byEni.words[this.#byEni.findOrInsert()] = place
  }
}
