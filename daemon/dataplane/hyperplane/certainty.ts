/**
 * Whether a row's flow has counted, as far as one node can know (NAT_AT_UNCONFIRMED).
 *
 *     0              its owner knows: it has
 *     1..            told to that many nodes that have not confirmed it yet
 *     NAT_COPY       told by the owner: it has, unless that died before all had it
 *     NAT_DOUBTFUL   an epoch changed while that was possible: its age proves nothing
 *     NAT_RESTORED   stood in the file
 */
import { FLOW_TICK_MS } from '../tables/flow_layout.ts'
import {
  NAT_AT_CREATED, NAT_AT_EPOCH, NAT_AT_SLOT, NAT_AT_UNCONFIRMED, NAT_COPY, NAT_DOUBTFUL,
  NAT_RESTORED
} from '../tables/nat_layout.ts'
import type { NatTable } from '../tables/nat_table.ts'
import type { Shard } from './shard.ts'

/** Time in which a copy's flow has counted, when no epoch has changed meanwhile. 30 s. */
const YOUNG_TICKS = 30_000 / FLOW_TICK_MS

function isYoung (table: NatTable, at: number): boolean {
  return table.nowTick - table.words[at + NAT_AT_CREATED] < YOUNG_TICKS
}

/**
 * Whether packets of the flow may pass here. The owner knows; who has a copy believes it when it is
 * neither young nor doubtful, which is for packets of hosts that have not heard of a new owner yet.
 */
export function servesRow (table: NatTable, shard: Shard, at: number): boolean {
  const unconfirmed = table.words[at + NAT_AT_UNCONFIRMED]
  if (!shard.owns(table.words[at + NAT_AT_SLOT])) {
    return unconfirmed === 0 || (unconfirmed === NAT_COPY && !isYoung(table, at))
  }
  return unconfirmed === 0 && !isInherited(table, shard, at)
}

/**
 * Whether the row has counted, and nobody has been told of it since its slot came to this node: the
 * owner before may have ended the flow, and the others have heard of that. Precondition: this node
 * owns it.
 */
export function isInherited (table: NatTable, shard: Shard, at: number): boolean {
  const { words } = table
  return words[at + NAT_AT_UNCONFIRMED] === 0 &&
    words[at + NAT_AT_EPOCH] < shard.ownerEpochs[words[at + NAT_AT_SLOT]]
}

/** Whether the others have to be told of a row before it is served. */
export function mayNotHaveCounted (table: NatTable, at: number): boolean {
  const unconfirmed = table.words[at + NAT_AT_UNCONFIRMED]
  return unconfirmed !== 0 && (unconfirmed < NAT_COPY || unconfirmed === NAT_DOUBTFUL ||
    (unconfirmed === NAT_COPY && isYoung(table, at)))
}

/** Whether its owner has told a row to the others under the present epoch, or need not. */
export function isTold (table: NatTable, shard: Shard, at: number): boolean {
  const { words } = table
  return words[at + NAT_AT_UNCONFIRMED] === 0 || words[at + NAT_AT_EPOCH] === shard.epoch
}

/** A row that another owns: its owner may have died, and the new one lack it. */
export function doubt (table: NatTable, shard: Shard, at: number): void {
  const { words } = table
  if (words[at + NAT_AT_EPOCH] < shard.epoch && mayNotHaveCounted(table, at)) {
    words[at + NAT_AT_UNCONFIRMED] = NAT_DOUBTFUL
  }
}

/** A row has been told of anew, under the epoch in the table's key. */
export function noteTold (table: NatTable, shard: Shard, at: number): void {
  const { words } = table
  const unconfirmed = words[at + NAT_AT_UNCONFIRMED]
  if (unconfirmed !== NAT_RESTORED &&
    (unconfirmed === 0 || shard.owns(words[at + NAT_AT_SLOT]))) return
  becomeCopy(table, shard, at)
}

/** The row is a copy from now on. One that an old owner tells is doubtful from the beginning. */
export function becomeCopy (table: NatTable, shard: Shard, at: number): void {
  const isLate = table.key[NAT_AT_EPOCH] < shard.epoch
  table.words[at + NAT_AT_UNCONFIRMED] = isLate ? NAT_DOUBTFUL : NAT_COPY
  table.words[at + NAT_AT_CREATED] = table.nowTick
}
