/** What a HyperPlane node tells its owner (node.ts). */
import type { Shard } from './shard.ts'

export interface NodeEvents {
  /** All other nodes have confirmed a row: what is held for it may go. */
  confirmed(at: number, serial: number): void
  /** The node may decide about a shard's slots: what is held for it may go. */
  decides(shard: Shard): void
  /** The copies of all slots of a resource are complete, as of an epoch. */
  complete(shard: Shard): void
}

/** Counters of a node. */
export interface NodeCounts {
  /** Flows that began without a second node. */
  alone: number
  /** Flows of others for which this node had no room. */
  copiesRefused: number
  /** Copies that gave way to one with the same key. */
  conflicts: number
}
