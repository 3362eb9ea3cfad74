/**
 * Hosts that ENIs have left, for as long as packets from there are forwarded: whoever has not heard
 * of a move within DEPARTURE_MS has forgotten by himself where the ENI was (resolved_table.ts).
 *
 *     ENI leaves a host ──▶ note ──▶ of(ENI) … ── DEPARTURE_MS ──▶ prune
 *
 * Kept in memory alone: a daemon that begins knows of no departure, and its hosts drop what still
 * comes for an ENI that is gone.
 */
import type { Clock } from '../base/clock.ts'
import { FORMERS_MAX } from '../dataplane/tables/update.ts'

/** How long packets are forwarded by a host that the ENI has left: as an answer lives, at most. */
export const DEPARTURE_MS = 60_000
/** ENIs of which departures are kept. About 300 bytes each; the oldest go. */
export const DEPARTED_MAX = 16_384

/** A host that an ENI has left. */
export interface Departure {
  readonly hostName: string
  /** How long packets are still forwarded from there, ms. */
  readonly remainingMs: number
}

export class Departures {
  readonly #clock: Clock
  readonly #departedMax: number
  /** ENI id → host → monotonic time of leaving, ms. Who left last stands last, in both. */
  readonly #left = new Map<string, Map<string, number>>()

  constructor (clock: Clock, departedMax: number = DEPARTED_MAX) {
    this.#clock = clock
    this.#departedMax = departedMax
  }

  /** ENIs that have left a host. */
  ids (): Iterable<string> { return this.#left.keys() }

  /** The ENI has left the host. @returns ENIs that were forgotten over it */
  note (id: string, hostName: string): string[] {
    const hosts = this.#left.get(id) ?? new Map<string, number>()
    hosts.delete(hostName)
    hosts.set(hostName, this.#clock.monotonicMs())
    for (const oldest of hosts.keys()) {
      if (hosts.size <= FORMERS_MAX) break
      hosts.delete(oldest)
    }
    this.#left.delete(id)
    this.#left.set(id, hosts)
    return this.#prune()
  }

  /** Where packets for the ENI are forwarded from, should it be on another host now. */
  of (id: string): Departure[] {
    const nowMs = this.#clock.monotonicMs()
    return [...this.#left.get(id) ?? []]
      .map(([hostName, leftMs]) => ({ hostName, remainingMs: leftMs + DEPARTURE_MS - nowMs }))
      .filter(({ remainingMs }) => remainingMs > 0)
  }

  #prune (): string[] {
    const endedMs = this.#clock.monotonicMs() - DEPARTURE_MS
    const forgotten: string[] = []
    for (const [id, hosts] of this.#left) {
      const lastMs = Math.max(...hosts.values())
      if (lastMs > endedMs && this.#left.size <= this.#departedMax) break
      this.#left.delete(id)
      forgotten.push(id)
    }
    return forgotten
  }
}
