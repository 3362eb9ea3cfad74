/**
 * Answers to look-ups of VPCs whose mappings are not all preloaded, systems 2.4: a bounded cache
 * beside the mapping shards. An answer may be negative ("nobody has that address"). Control pushes
 * a correction when something moves; the times are a safety net, not the mechanism.
 *
 *     key     VPC, KEY_ADDRESS or KEY_ENI, 4 words (an ENI id in the first two)
 *     value   RESOLVED_*, tick at which it ends, ENI, host, subnet
 */
import type { Mapping } from './mapping_table.ts'
import { FLOW_TICK_MS } from './flow_layout.ts'
import { readMappingEntry } from './mapping_table.ts'
import type { MappingKey } from './update.ts'
import { WordTable } from './word_table.ts'

/** Answers that are kept. At the limit the cache is emptied: its loss costs look-ups only. */
export const RESOLVED_MAX = 16_384
/** Safety net under pushed corrections, systems 2.4. */
export const RESOLVED_TICKS = 60_000 / FLOW_TICK_MS
/** How long "nobody" is believed, systems 2.3. */
export const NEGATIVE_TICKS = 1_000 / FLOW_TICK_MS

export const KEY_ADDRESS = 1
export const KEY_ENI = 2
export const KEY_WORDS = 6

export const RESOLVED_UNKNOWN = 0
export const RESOLVED_FOUND = 1
export const RESOLVED_NOBODY = 2

const VALUE_STATE = 0
const VALUE_END_TICK = 1
const VALUE_ENI_HIGH = 2
const VALUE_ENI_LOW = 3
const VALUE_HOST = 4
const VALUE_SUBNET = 5
const VALUE_WORDS = 6

export class ResolvedTable {
  readonly #table = new WordTable(KEY_WORDS, VALUE_WORDS)
  readonly #found: Mapping = { eniHigh: 0, eniLow: 0, hostIndex: 0, subnetIndex: 0 }
  readonly #key = new Int32Array(KEY_WORDS)

  get size (): number { return this.#table.size }

  /** Asks by address. @returns RESOLVED_*; with RESOLVED_FOUND, `found` is written */
  findAddress (
    vpcIndex: number, w0: number, w1: number, w2: number, w3: number, nowTick: number,
    found: Mapping
  ): number {
    this.#setKey(vpcIndex, KEY_ADDRESS, w0, w1, w2, w3)
    return this.#find(nowTick, found)
  }

  /** Asks by ENI. @returns RESOLVED_*; with RESOLVED_FOUND, `found` is written */
  findEni (
    vpcIndex: number, eniHigh: number, eniLow: number, nowTick: number, found: Mapping
  ): number {
    this.#setKey(vpcIndex, KEY_ENI, eniHigh, eniLow, 0, 0)
    return this.#find(nowTick, found)
  }

  /**
   * Takes an answer or a pushed correction.
   * @returns true when it replaces another answer, so that what was decided by the old one is stale
   */
  store (key: MappingKey, entries: Uint32Array, nowTick: number): boolean {
    let replaced = false
    if (this.#table.size >= RESOLVED_MAX) {
      this.#table.clear()
      replaced = true
    }
    writeMappingKey(key, this.#key)
    this.#table.key.set(this.#key)
    const before = this.#table.size
    const at = this.#table.findOrInsert()
    if (this.#table.size === before) replaced = true
    const words = this.#table.words
    if (entries.length === 0) {
      words[at + VALUE_STATE] = RESOLVED_NOBODY
      words[at + VALUE_END_TICK] = nowTick + NEGATIVE_TICKS
      return replaced
    }
    readMappingEntry(entries, 0, this.#found)
    words[at + VALUE_STATE] = RESOLVED_FOUND
    words[at + VALUE_END_TICK] = nowTick + RESOLVED_TICKS
    words[at + VALUE_ENI_HIGH] = this.#found.eniHigh
    words[at + VALUE_ENI_LOW] = this.#found.eniLow
    words[at + VALUE_HOST] = this.#found.hostIndex
    words[at + VALUE_SUBNET] = this.#found.subnetIndex
    return replaced
  }

  /**
   * Removes answers that have ended, and calls `onRemoved` once for each with its VPC.
   * To be called about once a second, between bursts.
   */
  expire (nowTick: number, onRemoved: (vpcIndex: number) => void): void {
    this.#removeWhere((at) => this.#table.words[at + VALUE_END_TICK] <= nowTick, onRemoved)
  }

  /** Forgets a VPC: it was removed, or its mappings are complete now. */
  removeVpc (vpcIndex: number): void {
    this.#removeWhere(() => this.#table.key[0] === vpcIndex, () => undefined)
  }

  #removeWhere (
    matches: (valueAt: number) => boolean, onRemoved: (vpcIndex: number) => void
  ): void {
    // Deletion moves slots, so the keys are gathered first.
    const keys: number[] = []
    for (let at = this.#table.next(-1); at >= 0; at = this.#table.next(at)) {
      if (matches(at)) keys.push(...this.#table.key)
    }
    for (let at = 0; at < keys.length; at += KEY_WORDS) {
      for (let word = 0; word < KEY_WORDS; word++) this.#table.key[word] = keys[at + word]
      this.#table.delete()
      onRemoved(keys[at])
    }
  }

  #setKey (vpcIndex: number, by: number, w0: number, w1: number, w2: number, w3: number): void {
    const key = this.#table.key
    key[0] = vpcIndex
    key[1] = by
    key[2] = w0
    key[3] = w1
    key[4] = w2
    key[5] = w3
  }

  #find (nowTick: number, found: Mapping): number {
    const at = this.#table.find()
    if (at < 0) return RESOLVED_UNKNOWN
    const words = this.#table.words
    if (words[at + VALUE_END_TICK] <= nowTick) return RESOLVED_UNKNOWN
    if (words[at + VALUE_STATE] === RESOLVED_NOBODY) return RESOLVED_NOBODY
    found.eniHigh = words[at + VALUE_ENI_HIGH]
    found.eniLow = words[at + VALUE_ENI_LOW]
    found.hostIndex = words[at + VALUE_HOST]
    found.subnetIndex = words[at + VALUE_SUBNET]
    return RESOLVED_FOUND
  }
}

/** Writes a key as its KEY_WORDS words. */
export function writeMappingKey (key: MappingKey, words: Int32Array): void {
  words.fill(0)
  words[0] = key.vpcIndex
  if (key.by === 'eni') {
    words[1] = KEY_ENI
    words[2] = key.eniIdHigh
    words[3] = key.eniIdLow
  } else {
    words[1] = KEY_ADDRESS
    for (let word = 0; word < 4; word++) words[2 + word] = key.address[word]
  }
}
