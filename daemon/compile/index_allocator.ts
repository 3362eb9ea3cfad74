/**
 * The small dense numbers by which one agent's worker knows objects: 1, 2, 3 …; 0 is never given
 * out and means "none".
 *
 *     ensure ──▶ in use ──retire(revision)──▶ retired ──acknowledged(revision)──▶ free ──▶ ensure
 *
 * A retired number stays unused until the worker has said that it applied the revision that
 * removed its owner: until then the worker may still mean the old owner by it.
 */

interface Retired {
  readonly index: number
  readonly revision: number
}

export class IndexAllocator {
  /** Objects that got no number because all were in use. They are left out of the tables. */
  exhausted = 0
  readonly #max: number
  readonly #indexOf = new Map<string, number>()
  /** [index] id, or null while free or retired; [0] is unused. */
  readonly #idOf: (string | null)[] = [null]
  readonly #free: number[] = []
  /** In order of revision. */
  #retired: Retired[] = []

  /** @param max the highest number; what the worker's arrays are sized for */
  constructor (max: number) {
    this.#max = max
  }

  /** Objects that have a number. */
  get size (): number { return this.#indexOf.size }

  /** @returns the object's number, a new one if need be; 0 when all numbers are in use */
  ensure (id: string): number {
    const known = this.#indexOf.get(id)
    if (known !== undefined) return known
    const index = this.#free.pop() ?? this.#idOf.length
    if (index > this.#max) {
      this.exhausted++
      return 0
    }
    this.#indexOf.set(id, index)
    this.#idOf[index] = id
    return index
  }

  /** @returns the object's number, or 0 */
  indexOf (id: string): number {
    return this.#indexOf.get(id) ?? 0
  }

  /** @returns the object that has the number now, or null */
  idOf (index: number): string | null {
    return this.#idOf[index] ?? null
  }

  /** Whether the number's owner is gone, but the worker may not know yet. */
  isRetired (index: number): boolean {
    return this.#retired.some((retired) => retired.index === index)
  }

  /**
   * Takes the number from an object that `revision` removed.
   * @returns the number, or 0 when the object had none
   */
  retire (id: string, revision: number): number {
    const index = this.#indexOf.get(id)
    if (index === undefined) return 0
    this.#indexOf.delete(id)
    this.#idOf[index] = null
    this.#retired.push({ index, revision })
    return index
  }

  /** The worker has applied everything up to `revision`. */
  acknowledged (revision: number): void {
    if (this.#retired.length === 0) return
    const waiting: Retired[] = []
    for (const retired of this.#retired) {
      if (retired.revision <= revision) this.#free.push(retired.index)
      else waiting.push(retired)
    }
    this.#retired = waiting
  }
}
