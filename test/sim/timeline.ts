/**
 * Time and chance of a simulation. One queue of events, by time and then by order of entry; the
 * clock stands at the event that runs. Timers of the product run here too, while it is installed.
 *
 *     after(delay, run) ─▶ queue ─▶ clock moves ─▶ run ─▶ promises settle ─▶ the next event
 *
 * Nothing else moves anything, so one seed gives one run.
 */
import type { Clock } from '../../daemon/base/clock.ts'
import type { Random } from '../../daemon/base/random.ts'

const START_MS = Date.UTC(2026, 0, 1)

interface Entry {
  readonly atMs: number
  readonly order: number
  /** null: cancelled. */
  run: (() => void) | null
  /** Whether promises may wait for what it does. */
  readonly settles: boolean
}

export class Timeline implements Clock {
  events = 0
  readonly #heap: Entry[] = []
  #order = 0
  #nowMs = 0

  nowMs (): number { return START_MS + Math.floor(this.#nowMs) }
  monotonicMs (): number { return this.#nowMs }

  /** @returns takes it back */
  after (delayMs: number, run: () => void): () => void { return this.#enter(delayMs, run, true) }

  /** For what no promise waits for: packets, mostly. */
  soon (delayMs: number, run: () => void): void { this.#enter(delayMs, run, false) }

  /** Runs what is due up to a time, and then stands there. */
  async runUntil (untilMs: number): Promise<void> {
    await settle()
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= untilMs;
      next = this.#heap[0]) {
      this.#pop()
      if (next.run === null) continue
      this.#nowMs = next.atMs
      this.events++
      next.run()
      if (next.settles) await settle()
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs)
  }

  /** Puts this in the place of the machine's timers until what it returns is called. */
  install (): () => void {
    const real = {
      setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout,
      setInterval: globalThis.setInterval, clearInterval: globalThis.clearInterval
    }
    const realNow = performance.now.bind(performance)
    const timers = new Map<number, () => void>()
    const setTimer = (run: () => void, delayMs = 0): number => {
      const id = ++this.#order
      timers.set(id, this.after(delayMs, () => {
        timers.delete(id)
        run()
      }))
      return id
    }
    const clearTimer = (id: number | undefined): void => {
      if (id === undefined) return
      timers.get(id)?.()
      timers.delete(id)
    }
    const refuse = (): never => { throw new Error('the simulation has no intervals') }
    Object.assign(globalThis, {
      setTimeout: setTimer, clearTimeout: clearTimer, setInterval: refuse, clearInterval: clearTimer
    })
    performance.now = () => this.#nowMs
    return () => {
      Object.assign(globalThis, real)
      performance.now = realNow
    }
  }

  #enter (delayMs: number, run: () => void, settles: boolean): () => void {
    const entry: Entry = { atMs: this.#nowMs + delayMs, order: this.#order++, run, settles }
    this.#push(entry)
    return () => { entry.run = null }
  }

  #push (entry: Entry): void {
    const heap = this.#heap
    let at = heap.push(entry) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (isBefore(heap[parent]!, entry)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = entry
  }

  #pop (): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (isBefore(last, heap[child]!)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

function isBefore (a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || a.atMs === b.atMs && a.order < b.order
}

const { setImmediate: realImmediate } = globalThis

/** Resolves when every promise that can go on has done so. */
async function settle (): Promise<void> {
  await new Promise((resolve) => { realImmediate(resolve) })
}

/** Chance from a seed. Each part of the simulation has one of its own, by its name. */
export class Chance implements Random {
  #state: number

  constructor (seed: number, name: string) {
    this.#state = seed >>> 0
    for (let at = 0; at < name.length; at++) {
      this.#state = Math.imul(this.#state ^ name.charCodeAt(at), 0x9e37_79b1) >>> 0
    }
  }

  /** 0 ≤ x < 1. Mulberry32. */
  next (): number {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0
    let word = this.#state
    word = Math.imul(word ^ (word >>> 15), word | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32
  }

  /** 0..count - 1 */
  below (count: number): number { return Math.floor(this.next() * count) }
  happens (probability: number): boolean { return this.next() < probability }
  between (low: number, high: number): number { return low + this.next() * (high - low) }

  of<T> (list: readonly T[]): T | undefined { return list[this.below(list.length)] }

  /** Mostly about `meanMs`, now and then much more. */
  delayMs (meanMs: number): number { return -Math.log(1 - this.next()) * meanMs }

  bytes (count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.below(256))
  }
}
