/**
 * Counters of a worker: a private copy for the hot path, committed now and then to shared memory
 * that control reads. (Writing shared memory per packet makes the two cores fight over cache lines:
 * Snabb, issue 558.) Float64 is exact to 2^53: eight days of bytes at 100 Gbit/s, after which the
 * sum rounds.
 *
 *     word 0     WORKER_COUNTERS            what the worker did
 *     word 64    NIC counters               in the order of NIC_COUNTERS (tun/nic.ts)
 *     word 128   PORTS_MAX rows of PORT_COUNTER_WORDS, by port index:
 *                  0..79   drops by reason (DROP_*), packets on the wire
 *                  80..83  egress packets, egress bytes, ingress packets, ingress bytes
 *                  84..96  of a HyperPlane resource: NAT_COUNTS (hyperplane/nat_counts.ts)
 *
 * Row 0 belongs to no ENI: drops of packets that name none. A row starts from 0 when its index is
 * given to another ENI. All packets and bytes are those on the wire: a super-packet counts as its
 * segments.
 */
import { assert } from '../base/assert.ts'
import {
  NIC_LOSSES_TUN, NIC_LOSSES_UNDERLAY, NIC_RX_CLEAR, NIC_RX_FORGED, NIC_RX_REPLAYED,
  NIC_RX_UNKNOWN_KEY, NIC_TX_NO_KEY
} from '../tun/counters.ts'
import {
  DROP_NONE, DROP_PORT_CLOSED, DROP_REASONS_MAX, DROP_UNDERLAY_AUTHENTICATION, DROP_UNDERLAY_ERROR,
  DROP_UNDERLAY_NO_KEY, DROP_UNDERLAY_REPLAY, DROP_UNDERLAY_UNENCRYPTED, DROP_UNDERLAY_UNKNOWN_KEY
} from './drop_reason.ts'
import { NAT_COUNT_WORDS } from './hyperplane/nat_counts.ts'
import { PORTS_MAX } from './tables/port_table.ts'

/** Names of the worker's counters; index = COUNT_*. Each says what one unit is. */
export const WORKER_COUNTERS = [
  'fast_path_packets', // descriptors that a cached decision served
  'slow_path_packets', // descriptors that took the slow path
  'bursts', // passes of the loop that received something
  'flow_table_full', // flows that found no room and stayed uncached
  'flows_expired', // flows that ended by idling
  'flows_live', // flows now
  'parked_packets', // descriptors that waited for a mapping
  'resolve_requests', // mappings asked of control
  'icmp_errors_sent', // "too big" answers
  'icmp_errors_suppressed', // those not sent: rate, or no answer is allowed
  'fragments_sent', // IPv4 fragments made here
  'table_updates', // updates applied
  'flow_ports_full', // ENIs for which the flow file had no room
  'flows_created', // flows that began
  'running_ms', // time since the worker began, as of this commit
  'waiting_ms', // of that, in bursts that found nothing at once: spinning or asleep
  'mirrored_packets', // copies of mirrored packets that were sent
  'held_packets', // descriptors that waited for other HyperPlane nodes
  'nat_flows_live', // flows of HyperPlane resources here, copies included
  'nat_flows_alone', // flows that began without a second node to keep a copy
  'nat_copies_refused', // copies for which there was no room
  'nat_retransmits', // datagrams between HyperPlane nodes that were sent again
  'forwarded_packets' // packets on the wire for ENIs that had moved, sent on to their new host
] as const

export const COUNT_FAST_PATH = 0
export const COUNT_SLOW_PATH = 1
export const COUNT_BURSTS = 2
export const COUNT_FLOW_TABLE_FULL = 3
export const COUNT_FLOWS_EXPIRED = 4
export const COUNT_FLOWS_LIVE = 5
export const COUNT_PARKED = 6
export const COUNT_RESOLVE_REQUESTS = 7
export const COUNT_ICMP_SENT = 8
export const COUNT_ICMP_SUPPRESSED = 9
export const COUNT_FRAGMENTS = 10
export const COUNT_TABLE_UPDATES = 11
export const COUNT_FLOW_PORTS_FULL = 12
export const COUNT_FLOWS_CREATED = 13
export const COUNT_RUNNING_MS = 14
export const COUNT_WAITING_MS = 15
export const COUNT_MIRRORED = 16
export const COUNT_HELD = 17
export const COUNT_NAT_LIVE = 18
export const COUNT_NAT_ALONE = 19
export const COUNT_NAT_COPIES_REFUSED = 20
export const COUNT_NAT_RETRANSMITS = 21
export const COUNT_FORWARDED = 22

const NIC_WORD = 64
/** Room for counters of the NIC. */
export const NIC_COUNTERS_MAX = 64
const PORTS_WORD = NIC_WORD + NIC_COUNTERS_MAX

/** Port index under which drops stand that belong to no ENI. */
export const PORT_NONE = 0

const PORT_AT_EGRESS_PACKETS = DROP_REASONS_MAX
const PORT_AT_EGRESS_BYTES = DROP_REASONS_MAX + 1
const PORT_AT_INGRESS_PACKETS = DROP_REASONS_MAX + 2
const PORT_AT_INGRESS_BYTES = DROP_REASONS_MAX + 3
/** NAT_COUNT_WORDS words of a resource that this worker serves as a HyperPlane node. */
const PORT_AT_NAT = DROP_REASONS_MAX + 4
const PORT_COUNTER_WORDS = DROP_REASONS_MAX + 4 + NAT_COUNT_WORDS

/** Size of the shared buffer, float64 words. */
export const COUNTER_WORDS = PORTS_WORD + PORTS_MAX * PORT_COUNTER_WORDS
/** Size of the shared buffer, bytes. */
export const COUNTER_BYTES = COUNTER_WORDS * Float64Array.BYTES_PER_ELEMENT

/** Counters of the NIC that are drops of a reason. */
const NIC_DROPS: readonly (readonly [reason: number, counters: readonly number[]])[] = [
  [DROP_UNDERLAY_ERROR, NIC_LOSSES_UNDERLAY],
  [DROP_PORT_CLOSED, NIC_LOSSES_TUN],
  [DROP_UNDERLAY_NO_KEY, [NIC_TX_NO_KEY]],
  [DROP_UNDERLAY_UNENCRYPTED, [NIC_RX_CLEAR]],
  [DROP_UNDERLAY_UNKNOWN_KEY, [NIC_RX_UNKNOWN_KEY]],
  [DROP_UNDERLAY_REPLAY, [NIC_RX_REPLAYED]],
  [DROP_UNDERLAY_AUTHENTICATION, [NIC_RX_FORGED]]
]

export class Counters {
  /** [COUNTER_WORDS] the worker's own copy. */
  readonly words = new Float64Array(COUNTER_WORDS)
  /** The last drop: a tap (tap.ts) looks here after each packet. */
  droppedPort = PORT_NONE
  droppedReason = DROP_NONE
  readonly #shared: Float64Array
  #rows = 1

  /**
   * @param shared COUNTER_BYTES bytes; set to 0, because indices of ports start anew with the
   *   worker
   */
  constructor (shared: ArrayBufferLike) {
    assert(shared.byteLength >= COUNTER_BYTES,
      `counters need ${String(COUNTER_BYTES)} bytes of shared memory`)
    this.#shared = new Float64Array(shared, 0, COUNTER_WORDS)
    this.#shared.fill(0)
  }

  /** @param which COUNT_* */
  add (which: number, amount: number): void {
    this.words[which] += amount
  }

  set (which: number, value: number): void {
    this.words[which] = value
  }

  /** @param portIndex PORT_NONE when no ENI can be named; `packets` on the wire */
  drop (portIndex: number, reason: number, packets: number): void {
    this.droppedPort = portIndex
    this.droppedReason = reason
    this.words[PORTS_WORD + portIndex * PORT_COUNTER_WORDS + reason] += packets
  }

  /**
   * The same for copies of mirrored packets: a tap that looks for the end of the packet itself does
   * not see it.
   */
  dropCopy (portIndex: number, reason: number, packets: number): void {
    this.words[PORTS_WORD + portIndex * PORT_COUNTER_WORDS + reason] += packets
  }

  egress (portIndex: number, packets: number, bytes: number): void {
    const at = PORTS_WORD + portIndex * PORT_COUNTER_WORDS
    this.words[at + PORT_AT_EGRESS_PACKETS] += packets
    this.words[at + PORT_AT_EGRESS_BYTES] += bytes
  }

  ingress (portIndex: number, packets: number, bytes: number): void {
    const at = PORTS_WORD + portIndex * PORT_COUNTER_WORDS
    this.words[at + PORT_AT_INGRESS_PACKETS] += packets
    this.words[at + PORT_AT_INGRESS_BYTES] += bytes
  }

  /** What a HyperPlane node counted of the resource `portIndex`. @param counts [NAT_COUNT_WORDS] */
  setNat (portIndex: number, counts: Float64Array): void {
    this.words.set(counts, PORTS_WORD + portIndex * PORT_COUNTER_WORDS + PORT_AT_NAT)
  }

  /** Starts the row of a port anew: its index now means another ENI. */
  clearPort (portIndex: number): void {
    const at = PORTS_WORD + portIndex * PORT_COUNTER_WORDS
    this.words.fill(0, at, at + PORT_COUNTER_WORDS)
    if (portIndex >= this.#rows) this.#rows = portIndex + 1
  }

  /**
   * Copies everything in use to shared memory. What the NIC lost after the router was done with
   * it, or before the router saw it, is a drop of no ENI: a burst of descriptors says no more which
   * packet it was.
   * @param nic totals of the NIC; those beyond NIC_COUNTERS_MAX are left out
   */
  commit (nic: Float64Array): void {
    const count = Math.min(nic.length, NIC_COUNTERS_MAX)
    for (let word = 0; word < count; word++) this.words[NIC_WORD + word] = nic[word]
    const unnamed = PORTS_WORD + PORT_NONE * PORT_COUNTER_WORDS
    for (const [reason, counters] of NIC_DROPS) {
      this.words[unnamed + reason] = this.#nicSum(counters)
    }
    // A view per commit, not per packet.
    this.#shared.set(this.words.subarray(0, PORTS_WORD + this.#rows * PORT_COUNTER_WORDS))
  }

  #nicSum (indices: readonly number[]): number {
    let sum = 0
    for (const index of indices) sum += this.words[NIC_WORD + index]
    return sum
  }
}

// Readers for control. Values may be a commit old; each is whole by itself.

export interface PortDrops {
  /** PORT_NONE: no ENI can be named. */
  readonly portIndex: number
  /** DROP_* */
  readonly reason: number
  readonly packets: number
}

/** All drop counters that are not 0. */
export function readDrops (shared: ArrayBufferLike): PortDrops[] {
  const words = new Float64Array(shared)
  const drops: PortDrops[] = []
  for (let portIndex = 0; portIndex < PORTS_MAX; portIndex++) {
    const at = PORTS_WORD + portIndex * PORT_COUNTER_WORDS
    for (let reason = DROP_NONE + 1; reason < DROP_REASONS_MAX; reason++) {
      const packets = words[at + reason]
      if (packets !== 0) drops.push({ portIndex, reason, packets })
    }
  }
  return drops
}

export interface PortTraffic {
  readonly egressPackets: number
  readonly egressBytes: number
  readonly ingressPackets: number
  readonly ingressBytes: number
}

/** What passed a port since its index means this ENI. */
export function readTraffic (shared: ArrayBufferLike, portIndex: number): PortTraffic {
  const words = new Float64Array(shared)
  const at = PORTS_WORD + portIndex * PORT_COUNTER_WORDS
  return {
    egressPackets: words[at + PORT_AT_EGRESS_PACKETS],
    egressBytes: words[at + PORT_AT_EGRESS_BYTES],
    ingressPackets: words[at + PORT_AT_INGRESS_PACKETS],
    ingressBytes: words[at + PORT_AT_INGRESS_BYTES]
  }
}

/** What a node counted of a resource, [NAT_COUNT_WORDS] in the order of NAT_COUNTS. */
export function readNatCounts (shared: ArrayBufferLike, portIndex: number): Float64Array {
  const at = PORTS_WORD + portIndex * PORT_COUNTER_WORDS + PORT_AT_NAT
  return new Float64Array(shared).slice(at, at + NAT_COUNT_WORDS)
}

/** A number that changes at least once a second while the worker's loop turns. */
export function readHeartbeat (shared: ArrayBufferLike): number {
  return new Float64Array(shared)[COUNT_RUNNING_MS]
}

/** The worker's counters by name. */
export function readWorkerCounters (shared: ArrayBufferLike): Record<string, number> {
  const words = new Float64Array(shared)
  return Object.fromEntries(WORKER_COUNTERS.map((name, index) => [name, words[index]]))
}

/** @param names NIC_COUNTERS of tun/nic.ts */
export function readNicCounters (
  shared: ArrayBufferLike, names: readonly string[]
): Record<string, number> {
  const words = new Float64Array(shared)
  const known = names.slice(0, NIC_COUNTERS_MAX)
  return Object.fromEntries(known.map((name, index) => [name, words[NIC_WORD + index]]))
}
