/**
 * What one worker was told on demand and may still use: the answers that must be corrected by a
 * push when the directory changes. Answers that there is nothing are kept too, so that a new
 * address is heard of at once.
 *
 *     resolve ──▶ answer, held ──▶ directory changes ──▶ answer again (empty when gone)
 *                        └── the worker's own time, and a margin: it has forgotten it by itself
 *
 * An answer by address carries the one address that was asked for, even where a delegated prefix
 * holds it: so what the worker keeps is exactly what is held here.
 *
 * The oldest answer is dropped for a new one beyond RESOLVED_HELD_MAX, without a word to the
 * worker: with that many newer ones inside its own time, the worker (tables/resolved_table.ts,
 * RESOLVED_MAX) has emptied its cache since. Answers that there is nothing stand in a line of their
 * own, as they end sooner; a scan of empty addresses pushes out none of the others.
 */
import { eniBits } from '../base/ids.ts'
import { RESOLVED_MAX } from '../dataplane/tables/resolved_table.ts'
import type { MappingKey } from '../dataplane/tables/update.ts'
import type { DirectoryTouch } from '../mapping/directory.ts'
import { ADDRESS_BITS, prefixCovers, wordsKey } from '../mapping/prefix.ts'

/** Answers of each of the two kinds that are held for one worker. About 300 bytes each. */
export const RESOLVED_HELD_MAX = 2 * RESOLVED_MAX
/** How long an answer is held, ms: the worker's safety net of 60 s, and a margin for the way. */
export const FOUND_HELD_MS = 65_000
/** The same for the answer that there is nothing, which the worker believes for 1 s. */
export const NOBODY_HELD_MS = 6_000

/** An answer that a worker holds. */
export interface Held {
  readonly vpcId: string
  readonly key: MappingKey
  readonly untilMs: number
}

export class ResolvedMappings {
  readonly #heldMax: number
  /** By name, oldest first: answers with an entry, and answers that there is nothing. */
  readonly #found = new Map<string, Held>()
  readonly #nobody = new Map<string, Held>()
  /** vpcId → names of its answers. */
  readonly #namesOf = new Map<string, Set<string>>()

  constructor (heldMax: number = RESOLVED_HELD_MAX) {
    this.#heldMax = heldMax
  }

  get size (): number { return this.#found.size + this.#nobody.size }

  values (): Held[] { return [...this.#found.values(), ...this.#nobody.values()] }

  /**
   * Says that the worker is about to get an answer.
   * @param isFound false for the answer that there is nothing
   * @param monotonicMs now
   */
  add (vpcId: string, key: MappingKey, isFound: boolean, monotonicMs: number): void {
    const name = nameOf(vpcId, key)
    this.#delete(name, vpcId)
    const line = isFound ? this.#found : this.#nobody
    const untilMs = monotonicMs + (isFound ? FOUND_HELD_MS : NOBODY_HELD_MS)
    line.set(name, { vpcId, key, untilMs })
    const names = this.#namesOf.get(vpcId)
    if (names === undefined) this.#namesOf.set(vpcId, new Set([name]))
    else names.add(name)
    this.#shorten(this.#found, monotonicMs)
    this.#shorten(this.#nobody, monotonicMs)
  }

  /** Answers about a VPC. */
  ofVpc (vpcId: string): Held[] {
    return [...this.#namesOf.get(vpcId) ?? []].map((name) => this.#get(name))
      .filter((held) => held !== undefined)
  }

  /** Forgets a VPC that the worker no longer has. */
  deleteVpc (vpcId: string): void {
    for (const name of [...this.#namesOf.get(vpcId) ?? []]) this.#delete(name, vpcId)
  }

  /** Answers that what happened in the directory has made wrong. */
  staleAfter (touch: DirectoryTouch): Held[] {
    const stale = new Map<string, Held>()
    if (this.size === 0) return []
    const note = (name: string): void => {
      const held = this.#get(name)
      if (held !== undefined) stale.set(name, held)
    }
    for (const [vpcId, prefixes] of touch.prefixes) {
      if (!this.#namesOf.has(vpcId)) continue
      for (const prefix of prefixes) {
        if (prefix.length === ADDRESS_BITS) {
          note(addressName(vpcId, prefix.words))
          continue
        }
        for (const name of this.#namesOf.get(vpcId) ?? []) {
          const key = this.#get(name)?.key
          if (key?.by === 'address' && prefixCovers(prefix, key.address)) note(name)
        }
      }
    }
    for (const [eniId, vpcId] of touch.networkInterfaces) {
      const { high, low } = eniBits(eniId)
      note(eniName(vpcId, high, low))
    }
    return [...stale.values()]
  }

  #get (name: string): Held | undefined {
    return this.#found.get(name) ?? this.#nobody.get(name)
  }

  /** Drops what the worker has forgotten, and the oldest beyond the limit. */
  #shorten (line: ReadonlyMap<string, Held>, monotonicMs: number): void {
    for (const [name, held] of line) {
      if (held.untilMs > monotonicMs && line.size <= this.#heldMax) return
      this.#delete(name, held.vpcId)
    }
  }

  #delete (name: string, vpcId: string): void {
    this.#found.delete(name)
    this.#nobody.delete(name)
    const names = this.#namesOf.get(vpcId)
    names?.delete(name)
    if (names?.size === 0) this.#namesOf.delete(vpcId)
  }
}

/** Equal for questions that mean the same. */
function nameOf (vpcId: string, key: MappingKey): string {
  return key.by === 'address'
    ? addressName(vpcId, key.address)
    : eniName(vpcId, key.eniIdHigh, key.eniIdLow)
}

function addressName (vpcId: string, words: Uint32Array): string {
  return `${vpcId} address ${wordsKey(words)}`
}

function eniName (vpcId: string, high: number, low: number): string {
  return `${vpcId} eni ${String(high)}:${String(low)}`
}
