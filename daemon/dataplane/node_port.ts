/**
 * Where the router meets the HyperPlane node that its worker may be: messages of nodes to each
 * other, packets that wait for other nodes, and what is counted of a resource's packets.
 */
import { loadI32 } from '../wire/bytes.ts'
import { COUNT_HELD, PORT_NONE } from './counters.ts'
import { DROP_NONE, DROP_REPLICATION, DROP_SOURCE_HOST } from './drop_reason.ts'
import {
  NAT_COUNT_IN_FROM_DESTINATION, NAT_COUNT_IN_FROM_SOURCE, NAT_COUNT_OUT_TO_DESTINATION,
  NAT_COUNT_OUT_TO_SOURCE, NAT_NONE, NAT_OUTWARD
} from './hyperplane/nat_counts.ts'
import { MESSAGE_BYTES_MAX } from './hyperplane/node.ts'
import { isMessage } from './hyperplane/peer_channel.ts'
import type { PacketContext } from './packet.ts'
import { PARKED_BYTES, Parking, PARKING_FULL } from './parking.ts'
import type { GatherRun } from './parking.ts'
import type { RouterParts } from './router_parts.ts'
import { WAIT_FOR_SHARD } from './steps/hyperplane.ts'

/** Kinds of keys that packets are held under: row and serial of a flow, or ENI id of a resource. */
export const HOLD_COPY = 1
export const HOLD_SHARD = 2
/**
 * How long packets wait for other HyperPlane nodes, ms: until control has noticed that one of them
 * is gone, and no longer than until TCP sends again (RFC 6298 §2).
 */
const HOLD_MS = 1000
/** Bytes of scratch area for packets that wait. */
export const HELD_BYTES = PARKED_BYTES

export class NodePort {
  /** Packets that wait for other HyperPlane nodes. */
  readonly holding: Parking
  readonly #parts: RouterParts
  readonly #gatherRun: GatherRun
  readonly #messageTarget = new Int32Array(1)

  /** @param heldAt start of HELD_BYTES bytes of the arena */
  constructor (parts: RouterParts, heldAt: number, gatherRun: GatherRun) {
    this.#parts = parts
    this.#gatherRun = gatherRun
    this.holding = new Parking(parts.bytes, heldAt, HOLD_MS)
  }

  /** Holds the received packet until the other nodes of a resource have answered. */
  hold (
    p: PacketContext, rx: Int32Array, rxAt: number, outcome: number, nowMs: number
  ): void {
    const { hyperplane, ports } = this.#parts.tables
    if (hyperplane === null) return
    if (outcome === WAIT_FOR_SHARD) {
      this.holding.setEniKey(HOLD_SHARD, ports.eniHigh[p.portIndex], ports.eniLow[p.portIndex])
    } else {
      this.holding.setEniKey(HOLD_COPY, p.natAt, hyperplane.serialOf(p.natAt))
    }
    const answer = this.holding.park(rx, rxAt, p.portIndex, p.segments, nowMs, this.#gatherRun)
    const { counters } = this.#parts
    if (answer === PARKING_FULL) counters.drop(p.portIndex, DROP_REPLICATION, p.segments)
    else counters.add(COUNT_HELD, 1)
  }

  /** What is held for a flow, or for a resource, goes through the steps again. */
  releaseHeld (kind: number, high: number, low: number): void {
    this.holding.setEniKey(kind, high, low)
    this.holding.release()
  }

  /** Messages of this node to others, as much as there is room for. */
  sendMessages (): void {
    const { hyperplane, hosts } = this.#parts.tables
    if (hyperplane === null) return
    hyperplane.work()
    const bytesMax = Math.min(MESSAGE_BYTES_MAX, this.#parts.tables.pathMtu)
    while (this.#parts.transmit.canMake(1, bytesMax)) {
      const at = this.#parts.transmit.allocate(bytesMax)
      const count = hyperplane.write(this.#parts.bytes, at, bytesMax, this.#messageTarget)
      if (count === 0) return
      if (hosts.has(this.#messageTarget[0])) {
        this.#parts.transmit.sendRaw(at, count, this.#messageTarget[0])
      }
    }
  }

  /** A message of another node. @returns false when the datagram is none */
  takeMessage (p: PacketContext): boolean {
    const { hyperplane, hosts } = this.#parts.tables
    if (hyperplane === null || !isMessage(this.#parts.view, p.at, p.at + p.bytes)) return false
    const { view } = this.#parts
    const host = hosts.findNode(loadI32(view, p.sourceAt), loadI32(view, p.sourceAt + 4),
      loadI32(view, p.sourceAt + 8), loadI32(view, p.sourceAt + 12))
    if (host === 0) this.#parts.counters.drop(PORT_NONE, DROP_SOURCE_HOST, 1)
    else hyperplane.receive(host, this.#parts.view, p.at, p.at + p.bytes)
    return true
  }

  /** Counts a packet at a NAT gateway: in, and out again unless it was dropped. */
  count (p: PacketContext, outcome: number): void {
    const { hyperplane, ports } = this.#parts.tables
    if (p.natDirection === NAT_NONE || hyperplane === null) return
    const shard = hyperplane.findShard(ports.eniHigh[p.portIndex], ports.eniLow[p.portIndex])
    const isOutward = p.natDirection === NAT_OUTWARD
    p.natDirection = NAT_NONE
    if (shard === undefined) return
    const { counts } = shard
    const into = isOutward ? NAT_COUNT_IN_FROM_SOURCE : NAT_COUNT_IN_FROM_DESTINATION
    counts[into] += p.segments
    counts[into + 1] += p.wireBytesSum - p.gainBytes
    if (outcome !== DROP_NONE) return
    const out = isOutward ? NAT_COUNT_OUT_TO_DESTINATION : NAT_COUNT_OUT_TO_SOURCE
    counts[out] += p.segments
    counts[out + 1] += p.wireBytesSum
  }
}
