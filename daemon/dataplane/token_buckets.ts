/**
 * Token buckets by number: each earns tokens steadily up to a burst, and what is rationed takes
 * one. All are full at the beginning. Memory: 16 bytes each.
 */
export class TokenBuckets {
  readonly #perMs: number
  readonly #burst: number
  readonly #tokens: Float64Array
  readonly #filledMs: Float64Array

  constructor (count: number, perSecond: number, burst: number) {
    this.#perMs = perSecond / 1000
    this.#burst = burst
    this.#tokens = new Float64Array(count).fill(burst)
    this.#filledMs = new Float64Array(count)
  }

  /** Takes a token. @returns false when the bucket is empty */
  take (bucket: number, nowMs: number): boolean {
    const earned = (nowMs - this.#filledMs[bucket]) * this.#perMs
    this.#tokens[bucket] = Math.min(this.#burst, this.#tokens[bucket] + earned)
    this.#filledMs[bucket] = nowMs
    if (this.#tokens[bucket] < 1) return false
    this.#tokens[bucket]--
    return true
  }
}
