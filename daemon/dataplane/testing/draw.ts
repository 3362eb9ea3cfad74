/** Chance from a seed: the same draws in the same order, on every machine. */

/** Steps of Weyl's sequence and mixing of splitmix32 (G. Steele and others, OOPSLA 2014). */
const WEYL = 0x9e3779b9

export class Draw {
  #state: number

  constructor (seed: number) { this.#state = seed | 0 }

  /** 32 random bits, not negative. */
  bits (): number {
    this.#state = (this.#state + WEYL) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }

  /** 0 .. bound - 1 */
  below (bound: number): number { return this.bits() % bound }

  /** True once in `times`. */
  oneIn (times: number): boolean { return this.below(times) === 0 }

  of<T> (choices: readonly T[]): T { return choices[this.below(choices.length)] }

  bytes (count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.below(256))
  }
}
