/**
 * The route table of subnets: longest prefix to target, systems 1.11. Immutable; a changed table is
 * a new object. Ties between routes of one prefix (local, static, propagated) were settled by the
 * compiler: a prefix stands here once. A blackhole is a route like any other, so that what it
 * catches is dropped and never handed to a shorter prefix.
 */
import { assert } from '../../base/assert.ts'
import { PREFIX_WORDS } from '../../wire/address.ts'
import { PrefixTrie } from './prefix_trie.ts'
import type { RouteTableData } from './update.ts'

export class RouteTable {
  readonly vpcIndex: number
  /** [routes] TARGET_* */
  readonly targetKind: Uint8Array
  /** [routes] meaning by kind */
  readonly targetArgument: Uint32Array
  /** [enis × 2] high and low word of ENI ids, as int32 */
  readonly targetEnis: Int32Array
  readonly #trie: PrefixTrie

  constructor (data: RouteTableData) {
    const routes = data.destinations.length / PREFIX_WORDS
    assert(data.targetKind.length === routes && data.targetArgument.length === routes,
      `route table ${String(data.routeTableIndex)}: destinations and targets differ in number`)
    this.vpcIndex = data.vpcIndex
    this.targetKind = data.targetKind
    this.targetArgument = data.targetArgument
    this.targetEnis = Int32Array.from(data.targetEnis, (word) => word | 0)
    this.#trie = new PrefixTrie(data.destinations)
  }

  /** Position of the most specific route that holds the address, or -1. */
  find (w0: number, w1: number, w2: number, w3: number): number {
    return this.#trie.find(w0, w1, w2, w3)
  }
}
