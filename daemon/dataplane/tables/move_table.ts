/**
 * ENIs that have changed their host a moment ago, systems 2.4: where packets go that still reach a
 * host which an ENI has left, and from which hosts the one that has it takes such packets.
 *
 *     key     ENI id
 *     value   VNI, host that has it, FORMERS_MAX × (host that it has left, tick at which that ends)
 *
 * Control sends a row whole and bounds how many there are; each host in it ends by itself.
 */
import { FLOW_TICK_MS } from './flow_layout.ts'
import type { HostTable } from './host_table.ts'
import {
  FORMER_AT_HOST_INDEX, FORMER_AT_REMAINING_MS, FORMER_WORDS, FORMERS_MAX
} from './update.ts'
import type { MoveData } from './update.ts'
import { WordTable } from './word_table.ts'

const KEY_WORDS = 2
const VALUE_VNI = 0
const VALUE_HOST = 1
const VALUE_FORMERS = 2
const FORMER_HOST = 0 // 0: none
const FORMER_END_TICK = 1
const VALUE_WORDS = VALUE_FORMERS + FORMERS_MAX * FORMER_WORDS

export class MoveTable {
  readonly #table = new WordTable(KEY_WORDS, VALUE_WORDS)

  get size (): number { return this.#table.size }

  /** Takes a row in the place of the one before it. */
  set (data: MoveData, nowTick: number): void {
    this.#setKey(data.eniIdHigh, data.eniIdLow)
    const at = this.#table.findOrInsert()
    const { words } = this.#table
    words.fill(0, at, at + VALUE_WORDS)
    words[at + VALUE_VNI] = data.vni
    words[at + VALUE_HOST] = data.hostIndex
    const { formers } = data
    const count = Math.min(formers.length, FORMERS_MAX * FORMER_WORDS)
    for (let former = 0; former < count; former += FORMER_WORDS) {
      const to = at + VALUE_FORMERS + former
      words[to + FORMER_HOST] = formers[former + FORMER_AT_HOST_INDEX]
      words[to + FORMER_END_TICK] =
        nowTick + Math.ceil(formers[former + FORMER_AT_REMAINING_MS] / FLOW_TICK_MS)
    }
  }

  remove (eniHigh: number, eniLow: number): void {
    this.#setKey(eniHigh, eniLow)
    this.#table.delete()
  }

  /**
   * Where an ENI is that has left a host.
   * @returns host index; 0 when it has not, or too long ago, or is of another VPC
   */
  newHostOf (
    eniHigh: number, eniLow: number, vni: number, leftHost: number, nowTick: number
  ): number {
    const at = this.#find(eniHigh, eniLow)
    const { words } = this.#table
    if (at < 0 || words[at + VALUE_VNI] !== vni) return 0
    for (let former = at + VALUE_FORMERS; former < at + VALUE_WORDS; former += FORMER_WORDS) {
      if (words[former + FORMER_HOST] === leftHost && words[former + FORMER_END_TICK] > nowTick) {
        return words[at + VALUE_HOST]
      }
    }
    return 0
  }

  /** Whether an ENI has come to `host` from the host at an outer address (int32 words). */
  cameFrom (
    eniHigh: number, eniLow: number, host: number, hosts: HostTable, w0: number, w1: number,
    w2: number, w3: number, nowTick: number
  ): boolean {
    const at = this.#find(eniHigh, eniLow)
    const { words } = this.#table
    if (at < 0 || words[at + VALUE_HOST] !== host) return false
    for (let former = at + VALUE_FORMERS; former < at + VALUE_WORDS; former += FORMER_WORDS) {
      if (words[former + FORMER_HOST] !== 0 && words[former + FORMER_END_TICK] > nowTick &&
        hosts.isAt(words[former + FORMER_HOST], w0, w1, w2, w3)) return true
    }
    return false
  }

  /** Removes rows of which every host has ended. To be called about once a second. */
  expire (nowTick: number): void {
    if (this.size === 0) return
    const { words } = this.#table
    const ended: number[] = [] // deletion moves slots, so the keys are gathered first
    for (let at = this.#table.next(-1); at >= 0; at = this.#table.next(at)) {
      let isLive = false
      for (let former = at + VALUE_FORMERS; former < at + VALUE_WORDS; former += FORMER_WORDS) {
        if (words[former + FORMER_END_TICK] > nowTick) isLive = true
      }
      if (!isLive) ended.push(...this.#table.key)
    }
    for (let key = 0; key < ended.length; key += KEY_WORDS) this.remove(ended[key], ended[key + 1])
  }

  #find (eniHigh: number, eniLow: number): number {
    this.#setKey(eniHigh, eniLow)
    return this.#table.find()
  }

  #setKey (eniHigh: number, eniLow: number): void {
    this.#table.key[0] = eniHigh
    this.#table.key[1] = eniLow
  }
}
