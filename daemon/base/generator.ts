/**
 * Numbers that look random and repeat with their seed: mulberry32, whose period is 2^32. For what
 * is thrown per packet or replayed in a simulation; never for what must not be guessed (random.ts).
 */
export class Generator {
  #state: number

  constructor (seed: number) {
    this.#state = seed | 0
  }

  /** 0 ≤ x < 1 */
  next (): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
