/**
 * Notices a data plane process that hangs without ending: the heartbeat that its loop writes into
 * shared memory at least once a second (COUNT_RUNNING_MS) stands still. It is then killed, so that
 * nothing it has in hand can still be sent when others take its place, which they do when it has
 * ended. One that hangs before its first beat is not noticed.
 *
 * Looks are counted, not time: while the daemon itself is held up or the machine sleeps, none pass.
 */
const LOOK_MS = 500
/** Looks at a heartbeat that stands still, until its process is killed: 10 s. */
export const HANG_LOOKS = 20

export class HangWatch {
  readonly #read: () => number
  readonly #kill: () => void
  #timer: NodeJS.Timeout | undefined
  #seen = 0
  /** False until this life of the process has been seen to beat: it may take its time to start. */
  #isBeating = false
  #still = 0

  /**
   * @param read the heartbeat, any number that changes
   * @param kill called once for each life of the process that hangs
   */
  constructor (read: () => number, kill: () => void) {
    this.#read = read
    this.#kill = kill
    this.begin()
  }

  /** A life of the process begins, or has ended. */
  begin (): void {
    this.#seen = this.#read()
    this.#isBeating = false
    this.#still = 0
  }

  /** Looks by itself from now on, until `stop`. */
  start (): void { this.#timer = setInterval(() => { this.look() }, LOOK_MS) }

  stop (): void { clearInterval(this.#timer) }

  look (): void {
    const value = this.#read()
    if (value !== this.#seen) {
      this.#seen = value
      this.#isBeating = true
      this.#still = 0
    } else if (this.#isBeating && ++this.#still === HANG_LOOKS) this.#kill()
  }
}
