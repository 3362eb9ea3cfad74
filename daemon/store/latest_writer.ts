/**
 * Writes what others report into the store: of each key the newest report, one transaction at a
 * time, each with all that has come up meanwhile. So reports may come faster than they are written.
 */
import type { Change, Snapshot } from '../model/snapshot.ts'
import type { Replica } from './replica.ts'

export class LatestWriter<Report> {
  readonly #replica: Replica
  readonly #changesOf: (snapshot: Snapshot, report: Report) => readonly Change[]
  readonly #onError: (error: unknown) => void
  readonly #pending = new Map<string, Report>()
  #isWriting = false
  #written = Promise.resolve()

  /**
   * @param changesOf a report on the newest records; none when it says nothing new
   * @param onError the reports of one transaction are lost
   */
  constructor (replica: Replica,
    changesOf: (snapshot: Snapshot, report: Report) => readonly Change[],
    onError: (error: unknown) => void) {
    this.#replica = replica
    this.#changesOf = changesOf
    this.#onError = onError
  }

  take (key: string, report: Report): void {
    this.#pending.set(key, report)
    if (!this.#isWriting) this.#written = this.#write()
  }

  /** Resolves when everything that was taken is written. */
  async idle (): Promise<void> { await this.#written }

  async #write (): Promise<void> {
    this.#isWriting = true
    while (this.#pending.size > 0) {
      const reports = [...this.#pending.values()]
      this.#pending.clear()
      try {
        await this.#replica.transact(() => ({
          changes: reports.flatMap((report) => this.#changesOf(this.#replica.snapshot, report)),
          result: null
        }))
      } catch (error) {
        this.#onError(error)
      }
    }
    // In the same turn as the last look at what is pending: nothing is taken and left lying.
    this.#isWriting = false
  }
}
