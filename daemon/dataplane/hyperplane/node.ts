/**
 * A HyperPlane node: it decides about the flows of resources whose slots it owns, keeps copies of
 * the others', and sees to it that a decision counts only when every node of the shard has it.
 *
 *     new flow     port chosen, row made, FLOW to the other nodes; packets of it are held until all
 *                  have confirmed (`isConfirmed`); alone in the shard, it counts at once
 *     end of one   DELETE to the others, in the same order; the port rests
 *     owner dies   control names another, which has all that counted; copies' idle times begin anew
 *     new owner    tells of a flow again at its first packet: its end may have been on its way
 *     new epoch    what has not counted yet, or may not have, its owner tells again
 *     node joins   it is copied to, row by row, beside the running work; then control may use it
 *
 * Rows change hands in a sweep: a bounded piece of it per pass walks over all rows, arms timers of
 * those that are now owned, disarms others, and removes what a finished copy did not name.
 *
 * The node knows no NIC and no thread: who owns it (router.ts, or a test) feeds datagrams in, takes
 * datagrams out, and moves its clock.
 */
import { rowAt } from '../tables/nat_destinations.ts'
import {
  NAT_AT_ENI, NAT_AT_EPOCH, NAT_AT_INSIDE, NAT_AT_INSIDE_PORTS, NAT_AT_OUTSIDE,
  NAT_AT_OUTSIDE_PORTS, NAT_AT_PROTOCOL, NAT_AT_REMOTE, NAT_AT_RESOURCE, NAT_AT_SERIAL,
  NAT_AT_SLOT, NAT_AT_STAMP, NAT_AT_STATE, NAT_AT_UNCONFIRMED, NAT_COPY, NAT_LIVE,
  NAT_REMOTE_PORT_MASK
} from '../tables/nat_layout.ts'
import { choosePort } from '../tables/nat_ports.ts'
import { sameAddress } from '../tables/nat_table.ts'
import type { NatTable } from '../tables/nat_table.ts'
import { shardSlot } from '../tables/host_table.ts'
import type { ShardData } from '../tables/update.ts'
import { NAT_COUNT_ACTIVE, NAT_COUNT_IDLE } from './nat_counts.ts'
import {
  becomeCopy, doubt, isInherited, isTold, mayNotHaveCounted, noteTold, servesRow
} from './certainty.ts'
import { PeerChannels } from './peer_channels.ts'
import type { ChannelUser } from './peer_channel.ts'
import type { NodeCounts, NodeEvents } from './node_events.ts'
import {
  readFlow, RECORD_AT_COPY_EPOCHS, RECORD_AT_EPOCH, RECORD_AT_RESOURCE, RECORD_AT_SLOTS,
  RECORD_DELETE, RECORD_FLOW, RECORD_GRANT, RECORD_SYNC_BEGIN, RECORD_SYNC_END, RECORD_TAKE,
  RECORD_WORDS, recordKind, writeControl, writeFlow
} from './record.ts'
import { ALL_SLOTS } from './shard.ts'
import type { Shard } from './shard.ts'
import { ShardList } from './shard_list.ts'
import { SHARD_SLOTS } from './slots.ts'

/** Rows that a sweep looks at per pass, and a copy to a node that joins. */
const SWEEP_ROWS = 4096
const COPY_ROWS = 2048
/** Idle flows that are ended per pass. */
const EXPIRE_MAX = 256
/** Rows that are looked through for rested ports per pass. */
const REST_ROWS = 64
/** Largest datagram between nodes, bytes; less on a small underlay. */
export const MESSAGE_BYTES_MAX = 8192

/** What `admit` answers. */
export const FLOW_PASSES = 0
export const FLOW_WAITS = 1

/** What `openFlow` answers instead of a row, and `admit` where it cannot tell the others now. */
export const OPEN_NOT_OWNER = -1
export const OPEN_NO_PORT = -2
export const OPEN_TABLE_FULL = -3
export const OPEN_BUSY = -4
export const OPEN_OVER_CAPACITY = -5

export class HyperplaneNode implements ChannelUser {
  readonly table: NatTable
  readonly counts: NodeCounts = { alone: 0, copiesRefused: 0, conflicts: 0 }
  /** Milliseconds of the present pass. */
  nowMs = 0
  readonly #hostIndex: number
  readonly #events: NodeEvents
  readonly #shards = new ShardList()
  readonly #channels: PeerChannels
  readonly #copyRow = new Map<number, number>() // by host index; a copy in progress
  readonly #record = new Int32Array(RECORD_WORDS)
  #stamp = 0
  /** Row at which the sweep is; -1: none runs. */
  #sweepRow = -1
  #mustSweep = false

  /** @param incarnation NatTable.nextIncarnation */
  constructor (hostIndex: number, table: NatTable, incarnation: number, events: NodeEvents) {
    this.#hostIndex = hostIndex
    this.table = table
    this.#channels = new PeerChannels(incarnation, this)
    this.#events = events
    this.#mustSweep = table.restored
  }

  // ------------------------------------------------------------------------------------- control

  /** Takes over control's word; an older one than is known is ignored. */
  assign (data: ShardData): void {
    const shard = this.#shards.findOrMake(data.eniIdHigh | 0, data.eniIdLow | 0)
    shard.addresses = data.addresses
    if (data.epoch <= shard.epoch) return
    const before = [...shard.replicas.subarray(0, shard.replicaCount)]
    shard.assign(data, this.#hostIndex)
    for (const host of before) {
      if (shard.replicaOf(host) < 0) this.#closeUnused(host)
    }
    this.#mustSweep = true
    if (shard.own !== 0) {
      for (let replica = 0; replica < shard.replicaCount; replica++) this.#askFor(shard, replica)
    }
    if (shard.mayDecide()) this.#events.decides(shard)
    if (shard.isMember && shard.complete === ALL_SLOTS) this.#events.complete(shard)
  }

  /** Forgets a resource; its rows go by and by. */
  remove (eniHigh: number, eniLow: number): void {
    const shard = this.findShard(eniHigh, eniLow)
    if (shard === undefined) return
    const hosts = [...shard.replicas.subarray(0, shard.replicaCount)]
    shard.leave()
    for (const host of hosts) this.#closeUnused(host)
    this.#mustSweep = true
  }

  findShard (eniHigh: number, eniLow: number): Shard | undefined {
    return this.#shards.find(eniHigh, eniLow)
  }

  // ------------------------------------------------------------------------------------- flows

  /**
   * Decides about a new flow: `table.key` holds resource, protocol, inside, remote, host and ENI.
   * @returns offset of its row, which counts when `isConfirmed`; or OPEN_*
   */
  openFlow (shard: Shard): number {
    const { table } = this
    const { addresses } = shard
    const count = addresses.length / 4
    const { key } = table
    const slot = this.#slotOf(shard, key)
    if (!shard.owns(slot) || !shard.mayDecide()) return OPEN_NOT_OWNER
    if (!this.#allHaveRoom(shard)) return OPEN_BUSY
    if (!shard.mayOpen(table.room, this.nowMs)) return OPEN_OVER_CAPACITY
    if (count === 0) {
      for (let word = 0; word < 4; word++) key[NAT_AT_OUTSIDE + word] = key[NAT_AT_INSIDE + word]
      key[NAT_AT_OUTSIDE_PORTS] = key[NAT_AT_INSIDE_PORTS]
    } else if (!choosePort(table, addresses, count,
      key[NAT_AT_INSIDE_PORTS] & NAT_REMOTE_PORT_MASK)) return OPEN_NO_PORT
    const at = table.create()
    if (at < 0) return OPEN_TABLE_FULL
    table.words[at + NAT_AT_SLOT] = slot
    this.#arm(shard, at)
    if (shard.replicaCount === 0) this.counts.alone++
    this.#tellAnew(shard, at)
    return at
  }

  /**
   * Whether a packet of the flow may pass here (certainty.ts). The others are told of a flow that
   * this node has inherited before its first packet passes.
   * @returns FLOW_PASSES; FLOW_WAITS until `confirmed`; or OPEN_NOT_OWNER, OPEN_BUSY
   */
  admit (shard: Shard, at: number): number {
    const { table } = this
    if (servesRow(table, shard, at)) return FLOW_PASSES
    if (!shard.owns(table.words[at + NAT_AT_SLOT]) || !isInherited(table, shard, at)) {
      return FLOW_WAITS
    }
    if (!shard.mayDecide()) return OPEN_NOT_OWNER
    if (!this.#allHaveRoom(shard)) return OPEN_BUSY
    this.#tellAnew(shard, at)
    return shard.replicaCount === 0 ? FLOW_PASSES : FLOW_WAITS
  }

  /** Ends idle flows that this node owns. */
  expire (): void {
    const { table } = this
    for (let count = 0; count < EXPIRE_MAX; count++) {
      const at = table.takeIdle()
      if (at < 0) break
      const shard = this.findShard(table.words[at + NAT_AT_RESOURCE],
        table.words[at + NAT_AT_RESOURCE + 1])
      if (shard === undefined || !shard.owns(table.words[at + NAT_AT_SLOT])) {
        if (shard !== undefined) this.#disarm(shard, at)
      } else if (!shard.mayDecide() || !this.#allHaveRoom(shard)) {
        table.arm(at) // another day
      } else {
        if (!table.isClosing(at)) shard.counts[NAT_COUNT_IDLE]++
        this.endFlow(shard, at)
      }
    }
    table.sweepResting(REST_ROWS)
  }

  /** Ends a flow that this node owns, everywhere. */
  endFlow (shard: Shard, at: number): void {
    this.#tell(shard, RECORD_DELETE, at, false)
    this.#disarm(shard, at)
    this.table.release(at)
  }

  /** Tells the others what has changed about a flow that this node owns: its ENI. */
  retell (shard: Shard, at: number): void {
    if (shard.mayDecide() && this.#allHaveRoom(shard)) this.#tell(shard, RECORD_FLOW, at, false)
  }

  /** Tells the others of a flow under the present epoch: it counts when all have it. */
  #tellAnew (shard: Shard, at: number): void {
    const { words } = this.table
    words[at + NAT_AT_UNCONFIRMED] = shard.replicaCount
    words[at + NAT_AT_EPOCH] = shard.epoch
    this.#tell(shard, RECORD_FLOW, at, true)
  }

  /** The flow is this node's own, and counted as such, until it is not. */
  #arm (shard: Shard, at: number): void {
    if (!this.table.isArmed(at)) shard.counts[NAT_COUNT_ACTIVE]++
    this.table.arm(at)
  }

  #disarm (shard: Shard, at: number): void {
    if (this.table.isArmed(at)) shard.counts[NAT_COUNT_ACTIVE]--
    this.table.disarm(at)
  }

  #allHaveRoom (shard: Shard): boolean {
    return this.#channels.haveRoom(shard.replicas, shard.replicaCount)
  }

  #tell (shard: Shard, kind: number, at: number, asksForConfirmation: boolean): void {
    const { words } = this.table
    writeFlow(this.#record, kind, words, at, shard.epoch)
    const token = asksForConfirmation ? at : 0
    for (let replica = 0; replica < shard.replicaCount; replica++) {
      this.#send(shard.replicas[replica], token, words[at + NAT_AT_SERIAL])
    }
  }

  serialOf (at: number): number { return this.table.words[at + NAT_AT_SERIAL] }

  slotOfRow (at: number): number { return this.table.words[at + NAT_AT_SLOT] }

  /** Slot of what stands in a key or a row. */
  #slotOf (shard: Shard, words: Int32Array, at = 0): number {
    const remote = at + NAT_AT_REMOTE
    return shardSlot(words[remote], words[remote + 1], words[remote + 2], words[remote + 3],
      words[at + NAT_AT_INSIDE_PORTS] & NAT_REMOTE_PORT_MASK, words[at + NAT_AT_PROTOCOL],
      shard.eniHigh, shard.eniLow, SHARD_SLOTS)
  }

  // ------------------------------------------------------------------------------------- channels

  /** A datagram of another node. Precondition: isMessage, and `hostIndex` is one of the nodes. */
  receive (hostIndex: number, view: DataView, at: number, end: number): void {
    this.#channels.to(hostIndex).receive(view, at, end, this.nowMs)
  }

  /** Goes on with copies and the sweep; then `write` has what is to be sent. */
  work (): void {
    for (const hostIndex of this.#copyRow.keys()) this.#copy(hostIndex)
    this.#sweep()
  }

  /**
   * Writes the next datagram that is due to any node; to be called until it answers 0.
   * @param target [1] host index that it is for
   */
  write (bytes: Uint8Array, at: number, bytesMax: number, target: Int32Array): number {
    return this.#channels.write(bytes, at, bytesMax, this.nowMs, target)
  }

  /** Milliseconds until there is something to do again. */
  remainingMs (): number {
    if (this.#sweepRow >= 0 || this.#mustSweep || this.#copyRow.size > 0) return 0
    return this.#channels.remainingMs(this.nowMs)
  }

  shards (): readonly Shard[] { return this.#shards.all }

  get retransmitCount (): number { return this.#channels.retransmitCount }

  #send (hostIndex: number, at: number, serial: number): void {
    this.#channels.send(hostIndex, this.#record, at, serial)
  }

  /** No shard shares a host any more: what it was to be told is of no use. */
  #closeUnused (hostIndex: number): void {
    const isUsed = this.#shards.all.some((shard) => shard.replicaOf(hostIndex) >= 0)
    if (!isUsed) {
      this.#copyRow.delete(hostIndex)
      this.#channels.to(hostIndex).close()
    }
  }

  // ------------------------------------------------------------------------------------- records

  take (hostIndex: number, record: Int32Array): void {
    const eniHigh = record[RECORD_AT_RESOURCE]
    const eniLow = record[RECORD_AT_RESOURCE + 1]
    const shard = this.#shards.findOrMake(eniHigh, eniLow)
    switch (recordKind(record)) {
      case RECORD_FLOW: this.#takeFlow(shard, record); break
      case RECORD_DELETE: this.#takeDelete(record); break
      case RECORD_TAKE:
        shard.promised = Math.max(shard.promised, record[RECORD_AT_EPOCH])
        writeControl(this.#record, RECORD_GRANT, eniHigh, eniLow, record[RECORD_AT_EPOCH],
          shard.complete)
        this.#record.set(shard.copyEpochs, RECORD_AT_COPY_EPOCHS)
        this.#send(hostIndex, 0, 0)
        break
      case RECORD_GRANT: this.#takeGrant(shard, hostIndex, record); break
      case RECORD_SYNC_BEGIN:
        shard.beginSync(record[RECORD_AT_EPOCH], record[RECORD_AT_SLOTS], ++this.#stamp)
        break
      case RECORD_SYNC_END:
        if (shard.endSync(record[RECORD_AT_EPOCH], record[RECORD_AT_SLOTS])) this.#mustSweep = true
        break
    }
  }

  /**
   * Another node has a flow. That counts under the epoch in which it was told, and no longer once
   * this node knows of a later one, or has promised to: its owner then tells the flow again.
   */
  confirmed (at: number, serial: number, epoch: number): void {
    const { words } = this.table
    if (words[at + NAT_AT_SERIAL] !== serial || words[at + NAT_AT_STATE] !== NAT_LIVE ||
      words[at + NAT_AT_UNCONFIRMED] === 0 || words[at + NAT_AT_UNCONFIRMED] >= NAT_COPY ||
      words[at + NAT_AT_EPOCH] !== epoch) return
    const shard = this.findShard(words[at + NAT_AT_RESOURCE], words[at + NAT_AT_RESOURCE + 1])
    if (shard === undefined || shard.epoch !== epoch || shard.promised > epoch) return
    words[at + NAT_AT_UNCONFIRMED]--
    if (words[at + NAT_AT_UNCONFIRMED] === 0) this.#events.confirmed(at, serial)
  }

  /** A node that starts anew has to be asked, and copied to, again. */
  restarted (hostIndex: number): void {
    this.#copyRow.delete(hostIndex)
    for (const shard of this.#shards.all) {
      const replica = shard.replicaOf(hostIndex)
      if (replica < 0 || shard.own === 0) continue
      shard.granted[replica] = 0
      shard.copyWanted[replica] = 0
      shard.copying[replica] = 0
      this.#askFor(shard, replica)
    }
  }

  #askFor (shard: Shard, replica: number): void {
    writeControl(this.#record, RECORD_TAKE, shard.eniHigh, shard.eniLow, shard.epoch, 0)
    this.#send(shard.replicas[replica], 0, 0)
  }

  #takeGrant (shard: Shard, hostIndex: number, record: Int32Array): void {
    const replica = shard.replicaOf(hostIndex)
    if (replica < 0 || record[RECORD_AT_EPOCH] !== shard.epoch) return
    const could = shard.mayDecide()
    shard.granted[replica] = 1
    let missing = shard.own & ~record[RECORD_AT_SLOTS]
    for (let slot = 0; slot < SHARD_SLOTS; slot++) {
      if (shard.owns(slot) &&
        record[RECORD_AT_COPY_EPOCHS + slot] < shard.joinedEpochs[replica]) missing |= 1 << slot
    }
    shard.copyWanted[replica] |= missing
    if (!shard.mayDecide()) return
    // Only now has everything arrived that an old owner had decided: now there is all to copy.
    for (let other = 0; other < shard.replicaCount; other++) {
      const host = shard.replicas[other]
      if (shard.copyWanted[other] !== 0 && !this.#copyRow.has(host)) this.#copyRow.set(host, -1)
    }
    if (could) return
    this.#mustSweep = true // what may not have counted waits to be told again
    this.#events.decides(shard)
  }

  #takeFlow (shard: Shard, record: Int32Array): void {
    const { table } = this
    const { key, words } = table
    readFlow(record, key)
    const slot = this.#slotOf(shard, key)
    let at = table.findInside()
    if (at >= 0 && !this.#sameOutside(at)) {
      if (!this.#yields(at)) return
      at = -1
    }
    if (at < 0) {
      const holder = table.findPort()
      if (holder >= 0 && !this.#yields(holder)) return
      at = table.create()
      if (at < 0) {
        this.counts.copiesRefused++
        return
      }
      words[at + NAT_AT_SLOT] = slot
      becomeCopy(table, shard, at)
    } else {
      noteTold(table, shard, at)
      words[at + NAT_AT_ENI] = key[NAT_AT_ENI]
      words[at + NAT_AT_ENI + 1] = key[NAT_AT_ENI + 1]
      words[at + NAT_AT_EPOCH] = Math.max(words[at + NAT_AT_EPOCH], key[NAT_AT_EPOCH])
    }
    words[at + NAT_AT_STAMP] = shard.stamps[slot]
    if (shard.owns(slot) && !table.isArmed(at)) this.#mustSweep = true // of the owner before
  }

  /**
   * A row that contradicts the flow in `key` goes, unless it was decided later: what an old owner
   * said may come after the word of a new one.
   */
  #yields (at: number): boolean {
    const { table } = this
    const { words } = table
    if (words[at + NAT_AT_EPOCH] > table.key[NAT_AT_EPOCH]) return false
    if (words[at + NAT_AT_STATE] === NAT_LIVE) {
      this.counts.conflicts++
      this.#disarmRow(at)
    }
    table.remove(at, true)
    return true
  }

  #disarmRow (at: number): void {
    const { words } = this.table
    const shard = this.findShard(words[at + NAT_AT_RESOURCE], words[at + NAT_AT_RESOURCE + 1])
    if (shard !== undefined) this.#disarm(shard, at)
  }

  #sameOutside (at: number): boolean {
    const { key, words } = this.table
    return words[at + NAT_AT_OUTSIDE_PORTS] === key[NAT_AT_OUTSIDE_PORTS] &&
      sameAddress(words, at + NAT_AT_OUTSIDE, key, NAT_AT_OUTSIDE)
  }

  #takeDelete (record: Int32Array): void {
    const { table } = this
    readFlow(record, table.key)
    const at = table.findInside()
    if (at >= 0 && this.#sameOutside(at) &&
      table.words[at + NAT_AT_EPOCH] <= table.key[NAT_AT_EPOCH]) {
      this.#disarmRow(at)
      table.release(at)
    }
  }

  // ------------------------------------------------------------------------------------- copies

  /** A piece of the copy to a node that misses something. */
  #copy (hostIndex: number): void {
    const channel = this.#channels.to(hostIndex)
    let row = this.#copyRow.get(hostIndex) ?? -1
    if (row < 0) {
      this.#startCopy(hostIndex)
      row = 0
    }
    const end = Math.min(row + COPY_ROWS, this.table.touched)
    for (; row < end && channel.isIdle(); row++) this.#copyOne(hostIndex, rowAt(row))
    if (row < this.table.touched) {
      this.#copyRow.set(hostIndex, row)
      return
    }
    this.#copyRow.delete(hostIndex)
    this.#endCopy(hostIndex)
  }

  #startCopy (hostIndex: number): void {
    for (const shard of this.#shards.all) {
      const replica = shard.replicaOf(hostIndex)
      if (replica < 0 || shard.copyWanted[replica] === 0 || !shard.mayDecide()) continue
      shard.copying[replica] = shard.copyWanted[replica]
      shard.copyWanted[replica] = 0
      writeControl(this.#record, RECORD_SYNC_BEGIN, shard.eniHigh, shard.eniLow, shard.epoch,
        shard.copying[replica])
      this.#send(hostIndex, 0, 0)
    }
  }

  #copyOne (hostIndex: number, at: number): void {
    const { words } = this.table
    if (words[at + NAT_AT_STATE] !== NAT_LIVE) return
    const shard = this.findShard(words[at + NAT_AT_RESOURCE], words[at + NAT_AT_RESOURCE + 1])
    if (shard === undefined) return
    const replica = shard.replicaOf(hostIndex)
    if (replica < 0 || (shard.copying[replica] & (1 << words[at + NAT_AT_SLOT])) === 0) return
    writeFlow(this.#record, RECORD_FLOW, words, at, shard.epoch)
    this.#send(hostIndex, 0, 0)
  }

  #endCopy (hostIndex: number): void {
    let wanted = false
    for (const shard of this.#shards.all) {
      const replica = shard.replicaOf(hostIndex)
      if (replica < 0) continue
      if (shard.copying[replica] !== 0) {
        writeControl(this.#record, RECORD_SYNC_END, shard.eniHigh, shard.eniLow, shard.epoch,
          shard.copying[replica] & shard.own)
        this.#send(hostIndex, 0, 0)
        shard.copying[replica] = 0
      }
      if (shard.copyWanted[replica] !== 0 && shard.mayDecide()) wanted = true
    }
    if (wanted) this.#copyRow.set(hostIndex, -1)
  }

  // ------------------------------------------------------------------------------------- sweep

  #sweep (): void {
    if (this.#sweepRow < 0) {
      if (!this.#mustSweep) return
      this.#mustSweep = false
      this.#sweepRow = 0
      for (const shard of this.#shards.all) {
        shard.sweeping = shard.arrived
        shard.arrived = 0
        shard.isSwept = shard.isGone
      }
    }
    const end = Math.min(this.#sweepRow + SWEEP_ROWS, this.table.touched)
    while (this.#sweepRow < end) {
      if (!this.#sweepOne(rowAt(this.#sweepRow))) return
      this.#sweepRow++
    }
    if (end < this.table.touched) return
    this.#sweepRow = -1
    for (const shard of [...this.#shards.all]) this.#endSweep(shard)
  }

  /** @returns false when a channel is full: the row has to wait */
  #sweepOne (at: number): boolean {
    const { table } = this
    const { words } = table
    if (words[at + NAT_AT_STATE] !== NAT_LIVE) return true
    const shard = this.findShard(words[at + NAT_AT_RESOURCE], words[at + NAT_AT_RESOURCE + 1])
    if (shard === undefined) return true
    const slot = words[at + NAT_AT_SLOT]
    if ((shard.sweeping & (1 << slot)) !== 0 && words[at + NAT_AT_STAMP] !== shard.stamps[slot]) {
      this.#disarm(shard, at)
      table.remove(at)
    } else if (shard.epoch === 0 && !shard.isGone) {
      return true // control has not spoken yet: a restored row may still be wanted
    } else if (!shard.isMember) {
      this.#disarm(shard, at)
      table.remove(at)
    } else if (shard.owns(slot)) {
      if (!table.isArmed(at) || !isTold(table, shard, at)) return this.#takeOver(shard, at)
    } else {
      this.#disarm(shard, at)
      doubt(table, shard, at)
    }
    return true
  }

  /**
   * A row is this node's own from now on. One that may not have counted is told to the others, who
   * may lack it; not before all have granted, because its end may still be on its way here. Of one
   * that has, `admit` tells them.
   * @returns as sweepOne
   */
  #takeOver (shard: Shard, at: number): boolean {
    const { table } = this
    const { words } = table
    const hadCounted = words[at + NAT_AT_UNCONFIRMED] === 0
    if (mayNotHaveCounted(table, at)) {
      if (!shard.mayDecide()) return true // the next sweep begins when it may
      if (!this.#allHaveRoom(shard)) return false
      this.#tellAnew(shard, at)
    } else {
      words[at + NAT_AT_UNCONFIRMED] = 0
    }
    if (!hadCounted && words[at + NAT_AT_UNCONFIRMED] === 0) {
      this.#events.confirmed(at, words[at + NAT_AT_SERIAL])
    }
    this.#arm(shard, at)
    return true
  }

  #endSweep (shard: Shard): void {
    if (shard.isGone && shard.isSwept) {
      this.#shards.forget(shard)
      return
    }
    if (shard.sweeping === 0) return
    shard.complete |= shard.sweeping
    shard.sweeping = 0
    if (shard.complete === ALL_SLOTS && shard.isMember) this.#events.complete(shard)
  }
}
