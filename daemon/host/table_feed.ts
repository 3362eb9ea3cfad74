/**
 * What a host's data plane is told of its tables, and in which order: whole when it begins, then
 * what each commit changes, and answers to what it misses.
 *
 *     commit ──▶ HostCompiler ──▶ corrections, ports to close, update ──▶ DataplaneLink
 *     worker begins ──▶ everything; then corrections: what it is to hold of an earlier life
 *
 * Corrections of a commit go before its update, since it is the update that is acknowledged.
 */
import type { HostCompiler } from '../compile/host_compiler.ts'
import type { MappingKey, TableUpdate } from '../dataplane/tables/update.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import type { DataplaneLink } from './dataplane_link.ts'

export interface TableFeedOptions {
  readonly compiler: HostCompiler
  readonly link: DataplaneLink
  /** Revision of the snapshot that the feed begins with. */
  readonly revision: number
  /** Hears of each update before the worker is sent it. */
  readonly onUpdate?: (update: TableUpdate) => void
}

export class TableFeed {
  readonly #compiler: HostCompiler
  readonly #link: DataplaneLink
  readonly #onUpdate: (update: TableUpdate) => void
  #seenRevision: number

  constructor ({ compiler, link, revision, onUpdate }: TableFeedOptions) {
    this.#compiler = compiler
    this.#link = link
    this.#seenRevision = revision
    this.#onUpdate = onUpdate ?? ((): void => { /* nobody is interested */ })
  }

  /** Newest revision of which the worker has swapped in all that concerns it. */
  get swappedRevision (): number {
    const oldestPosted = this.#link.oldestPostedRevision
    return oldestPosted === null ? this.#seenRevision : oldestPosted - 1
  }

  /** To a worker that begins: it knows nothing. */
  postEverything (): void {
    const update = this.#compiler.compileAll()
    this.#onUpdate(update)
    this.#link.postTables(update)
    this.#postCorrections()
  }

  /** Precondition: the snapshot and the directory hold this commit and no later one. */
  onCommit (revision: number, changes: readonly AppliedChange[]): void {
    this.#seenRevision = revision
    const update = this.#compiler.compileChanges(revision, changes)
    this.#postCorrections()
    if (update === null) return
    this.#onUpdate(update)
    for (const portIndex of update.removedPorts ?? []) this.#link.closePort(portIndex)
    this.#link.postTables(update)
  }

  /** Answers a worker that misses a mapping. */
  resolve (key: MappingKey): void {
    const answer = this.#compiler.resolve(key)
    if (answer !== null) this.#link.post(answer)
    this.#postCorrections()
  }

  #postCorrections (): void {
    for (const correction of this.#compiler.takeCorrections()) this.#link.post(correction)
  }
}
