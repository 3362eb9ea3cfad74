/**
 * One resource's shard as one of its nodes sees it: who owns which slot, who keeps copies, and
 * whether this node may decide.
 *
 * A decision (a new flow and its port, or the end of one) is the owner's alone. Control says who
 * that is, under an epoch that rises with every change; but nodes hear of it at different moments.
 * So an owner asks before it begins: it sends TAKE with its epoch to every other node of the shard
 * and decides only when all have answered GRANT. Who grants has promised not to decide under an
 * older epoch, and whatever it had decided stands before its GRANT in the channel:
 *
 *     old owner   FLOW FLOW GRANT │ decides no more
 *     new owner                   │ has all of them, decides
 *
 * Two nodes therefore never decide about one slot at one time, however late control's word comes.
 */
import type { ShardData } from '../tables/update.ts'
import { TokenBuckets } from '../token_buckets.ts'
import { NAT_COUNT_ACTIVE, NAT_COUNT_WORDS } from './nat_counts.ts'
import { SHARD_SLOTS } from './slots.ts'

/** Other nodes of a shard: at most the nodes that may replace each other during a move. */
export const REPLICAS_MAX = 8
export const ALL_SLOTS = (1 << SHARD_SLOTS) - 1
/** New flows of a resource at each of its nodes, per second, and at once. */
export const FLOWS_PER_SECOND = 10_000
export const FLOWS_BURST = 10_000

export class Shard {
  readonly eniHigh: number
  readonly eniLow: number
  /** Epoch of control's word; 0: none yet. */
  epoch = 0
  /** No decision under an older epoch than this. */
  promised = 0
  /** Slots that this node owns, a bit each. */
  own = 0
  /** Epoch since which each slot's owner, whoever it is, owns it. */
  readonly ownerEpochs = new Int32Array(SHARD_SLOTS)
  /** True while control counts this node to the shard. */
  isMember = false
  /** Epoch at which this life of the node came to the shard: an older copy is not complete. */
  joinedEpoch = 0
  /** The resource is no more: the next sweep takes its rows, and then this. */
  isGone = false
  isSwept = false
  /** Slots of which this node has a complete copy, and the epochs at which these were begun. */
  complete = 0
  readonly copyEpochs = new Int32Array(SHARD_SLOTS)
  /** Host indices of the other nodes that keep copies. */
  readonly replicas = new Int32Array(REPLICAS_MAX)
  replicaCount = 0
  /** [REPLICAS_MAX] epoch at which it came: an older copy is of an earlier life. */
  readonly joinedEpochs = new Int32Array(REPLICAS_MAX)
  /** [REPLICAS_MAX] 1: has granted this epoch. */
  readonly granted = new Uint8Array(REPLICAS_MAX)
  /** [REPLICAS_MAX] slots that are still to be copied to it, and those that are being copied. */
  readonly copyWanted = new Uint8Array(REPLICAS_MAX)
  readonly copying = new Uint8Array(REPLICAS_MAX)
  /** [SHARD_SLOTS] stamp that rows of a copy in progress get. */
  readonly stamps = new Int32Array(SHARD_SLOTS)
  /** Slots whose copy is on its way to this node; has arrived; is being looked through. */
  syncing = 0
  arrived = 0
  sweeping = 0
  /** [n × 4] source addresses that new flows may get; none: flows are not translated. */
  addresses: Uint32Array = new Uint32Array(0)
  /** [NAT_COUNT_WORDS] what passed here; flows that this node owns. */
  readonly counts = new Float64Array(NAT_COUNT_WORDS)
  readonly #newFlows = new TokenBuckets(1, FLOWS_PER_SECOND, FLOWS_BURST)

  constructor (eniHigh: number, eniLow: number) {
    this.eniHigh = eniHigh
    this.eniLow = eniLow
  }

  /** Whether this node may decide about its own slots. */
  mayDecide (): boolean {
    if (this.epoch === 0 || this.promised > this.epoch) return false
    for (let replica = 0; replica < this.replicaCount; replica++) {
      if (this.granted[replica] === 0) return false
    }
    return true
  }

  /** Stops everything: the resource is gone. */
  leave (): void {
    this.own = 0
    this.isMember = false
    this.isGone = true
    this.complete = 0
    this.replicaCount = 0
  }

  /**
   * Whether the resource may have another flow at this node: not too many of them are new, and it
   * owns no more flows than the node has room for. So one that takes all it can get leaves a
   * quarter of the room or more to the others, and the next ones share that alike (Choudhury and
   * Hahne, "Dynamic queue length thresholds", 1998).
   * @param room rows that hold no live flow
   */
  mayOpen (room: number, nowMs: number): boolean {
    return this.counts[NAT_COUNT_ACTIVE] < room && this.#newFlows.take(0, nowMs)
  }

  owns (slot: number): boolean { return (this.own & (1 << slot)) !== 0 }

  /** Place of a host among the other nodes, or -1. */
  replicaOf (hostIndex: number): number {
    for (let replica = 0; replica < this.replicaCount; replica++) {
      if (this.replicas[replica] === hostIndex) return replica
    }
    return -1
  }

  /** Takes over control's word. @param ownHost host index of this node */
  assign (data: ShardData, ownHost: number): void {
    this.epoch = data.epoch
    this.isGone = false
    this.own = 0
    for (let slot = 0; slot < SHARD_SLOTS; slot++) {
      if (data.owners[slot] === ownHost) this.own |= 1 << slot
    }
    this.ownerEpochs.set(data.ownerEpochs)
    this.replicaCount = 0
    this.isMember = data.replicas.includes(ownHost)
    if (!this.isMember) this.complete = 0
    data.replicas.forEach((host, index) => {
      if (host === ownHost) this.#take(data.joinedEpochs[index])
      else if (this.replicaCount < REPLICAS_MAX) {
        this.joinedEpochs[this.replicaCount] = data.joinedEpochs[index]
        this.replicas[this.replicaCount++] = host
      }
    })
    this.granted.fill(0)
    this.copyWanted.fill(0)
    this.copying.fill(0)
    this.syncing &= ~this.own
    this.arrived &= ~this.own
  }

  /**
   * This node is one of the shard since `joinedEpoch`: copies that began before are void. What an
   * owner has is complete by definition.
   */
  #take (joinedEpoch: number): void {
    this.joinedEpoch = joinedEpoch
    for (let slot = 0; slot < SHARD_SLOTS; slot++) {
      const bit = 1 << slot
      if (this.copyEpochs[slot] < joinedEpoch) this.voidCopy(bit)
      if ((this.own & bit) === 0) continue
      this.complete |= bit
      this.copyEpochs[slot] = this.epoch
    }
  }

  /** A copy of slots begins, whose rows get a stamp. @param slots a bit each */
  beginSync (epoch: number, slots: number, stamp: number): void {
    // What an old owner says may come late: it tells neither what a new one has decided since, nor
    // what it decided itself while this node was not of the shard.
    if (epoch < this.promised || epoch < this.joinedEpoch) return
    for (let slot = 0; slot < SHARD_SLOTS; slot++) {
      const bit = 1 << slot
      if ((slots & ~this.own & bit) === 0 || epoch < this.copyEpochs[slot]) continue
      this.voidCopy(bit)
      this.stamps[slot] = stamp
      this.copyEpochs[slot] = epoch
      this.syncing |= bit
    }
  }

  /** A copy of slots has come to its end. @returns whether rows are to be looked through for it */
  endSync (epoch: number, slots: number): boolean {
    let hasArrived = false
    for (let slot = 0; slot < SHARD_SLOTS; slot++) {
      const bit = 1 << slot
      if ((slots & this.syncing & bit) === 0 || epoch !== this.copyEpochs[slot]) continue
      this.syncing &= ~bit
      if (this.owns(slot)) continue
      this.arrived |= bit
      hasArrived = true
    }
    return hasArrived
  }

  /** A copy of the slot is not complete, however far it has come. @param bit of the slot */
  voidCopy (bit: number): void {
    this.complete &= ~bit
    this.syncing &= ~bit
    this.arrived &= ~bit
    this.sweeping &= ~bit
  }
}
