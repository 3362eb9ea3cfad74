/** The memory that a router works in: a part of the NIC's, and how much of it is scratch. */
import { IMPAIR_BYTES } from './impair/impairments.ts'
import { MIRROR_BYTES } from './mirror.ts'
import { HELD_BYTES } from './node_port.ts'
import { PARKED_BYTES } from './parking.ts'
import type { GatherRun } from './parking.ts'
import { TAP_BYTES } from './tap.ts'
import { transmitBytes } from './transmit.ts'
import { ESP_OUT_BYTES } from './vpn_port.ts'

/** The parts of a Nic that the router touches. */
export interface RouterArena {
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly tx: Int32Array
  readonly scratchAt: number
  gatherRun: GatherRun
  transmit(txCount: number): void
}

/** Bytes of scratch area that a router needs. */
export function scratchBytes (txMax: number): number {
  return impairOffset(txMax) + IMPAIR_BYTES
}

/** Where in the scratch area the impairments' part begins, behind the router's own. */
export function impairOffset (txMax: number): number {
  return transmitBytes(txMax) + PARKED_BYTES + TAP_BYTES + MIRROR_BYTES + HELD_BYTES
}

/** The same, with what more ESP needs behind them: where a worker has tunnels. */
export function scratchBytesWithEsp (txMax: number): number {
  return scratchBytes(txMax) + ESP_OUT_BYTES
}
