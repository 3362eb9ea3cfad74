/** At most `max` tasks at a time; the others wait in order of arrival. */
export class Limiter {
  readonly #max: number
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor (max: number) {
    this.#max = max
  }

  /** Runs `task` when there is room, and hands back what it answers or throws. */
  async run<T> (task: () => Promise<T>): Promise<T> {
    if (this.#running < this.#max) this.#running++
    else await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}
