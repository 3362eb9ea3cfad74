/**
 * The past of every resource: what each commit changed, kept outside the store and fed from its
 * feed.
 *
 *     engine.watch(newest revision here) ─▶ queue ── every FLUSH_MS ──▶ SQLite
 *
 *     state at revision N = of each record the newest change up to N
 *
 * A killed process loses the queue and nothing else: the feed is resumed from the newest revision
 * that the file holds (the store keeps HISTORY_COMMITS_MAX commits, a second of which is the
 * queue's most). Where the feed does not reach back that far, the records as they are now become
 * the beginning of the history.
 *
 * The file is bounded by CHANGES_MAX. The oldest changes are folded into the state that they led
 * to, so that the state at any later revision stays known; `beginRevision` says where it begins.
 */
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite'
import type { Clock } from '../base/clock.ts'
import { VpclabError } from '../base/errors.ts'
import type { Log } from '../observe/log.ts'
import { OWNED_NOUNS } from '../model/resource_kind.ts'
import type { Change, Noun, OwnedNoun } from '../model/snapshot.ts'
import { parseKey } from '../store/replica.ts'
import type { Commit, StoreEngine, Subscription } from '../store/store.ts'
import { inTransaction, openDatabase } from './database.ts'

/** Changes that are kept before the oldest are folded. About 1.5 KB each. */
export const CHANGES_MAX = 100_000
/** One part in so many is folded at once, so that folding costs nothing measurable. */
const FOLD_PARTS = 10
/** How long a commit may wait for the file, ms. */
const FLUSH_MS = 1000
/** How long the feed is left when the file could not be written, ms. */
const RETRY_MS = 1000
/** Commits that may wait for the file; the next one is written at once. */
const PENDING_MAX = 1000

const FORM = {
  applicationId: 0x76706368, // "vpch"
  version: 1,
  schema: `
    CREATE TABLE change (
      revision INTEGER NOT NULL,
      noun TEXT NOT NULL,
      id TEXT NOT NULL,
      vpc_id TEXT,
      record TEXT,
      PRIMARY KEY (noun, id, revision)
    ) STRICT;
    CREATE INDEX change_by_vpc ON change (vpc_id, revision);
    CREATE INDEX change_by_revision ON change (revision);
    CREATE TABLE moment (revision INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;
    CREATE TABLE span (begin_revision INTEGER NOT NULL, newest_revision INTEGER NOT NULL) STRICT;
    INSERT INTO span VALUES (0, 0)`
}

/** Where a resource's past is found. */
export interface PastResource {
  readonly noun: OwnedNoun
  readonly id: string
  /** The VPC that it is in, or is; null for what is in none. */
  readonly vpcId: string | null
  readonly ownerId: string
  readonly region: string
  readonly firstRevision: number
  readonly firstMs: number
}

export interface ChangeHistoryOptions {
  readonly engine: StoreEngine
  readonly clock: Clock
  readonly log: Log
  /** CHANGES_MAX by default. */
  readonly changesMax?: number
}

export class ChangeHistory {
  readonly counters = { commits: 0, folded: 0 }
  readonly #path: string
  readonly #engine: StoreEngine
  readonly #changesMax: number
  readonly #clock: Clock
  readonly #log: Log
  readonly #database: DatabaseSync
  readonly #insert: StatementSync
  #pending: Commit[] = []
  #timer: NodeJS.Timeout | undefined
  #subscription: Subscription | undefined
  #retry: NodeJS.Timeout | undefined
  #changeCount: number
  #foldAt: number

  private constructor (path: string, options: ChangeHistoryOptions) {
    const { engine, clock, log, changesMax = CHANGES_MAX } = options
    this.#path = path
    this.#engine = engine
    this.#clock = clock
    this.#log = log
    this.#changesMax = changesMax
    this.#foldAt = changesMax
    this.#database = openDatabase(path, FORM)
    this.#insert = this.#database.prepare(`
      INSERT OR IGNORE INTO change (revision, noun, id, vpc_id, record) VALUES (?, ?, ?,
        coalesce(?, (SELECT vpc_id FROM change WHERE noun = ? AND id = ? LIMIT 1)), ?)`)
    this.#changeCount = this.#number('SELECT count(*) AS number FROM change')
  }

  /**
   * Opens a history and follows the engine from where it ends.
   * @throws VpclabError VPCLAB_ERR_STORE
   */
  static async open (path: string, options: ChangeHistoryOptions): Promise<ChangeHistory> {
    const history = new ChangeHistory(path, options)
    await history.#follow()
    return history
  }

  /** Questions about revisions before this one have no answer. */
  get beginRevision (): number { return this.#number('SELECT begin_revision AS number FROM span') }

  /** The resource of this id, also one that is gone; undefined when there never was one here. */
  find (noun: OwnedNoun, id: string): PastResource | undefined {
    this.#flush()
    const row = this.#database.prepare(`
      SELECT change.revision AS revision, at_ms, vpc_id, record FROM change
      LEFT JOIN moment ON moment.revision = change.revision
      WHERE noun = ? AND id = ? AND record IS NOT NULL ORDER BY change.revision LIMIT 1`)
      .get(noun, id)
    if (row === undefined) return undefined
    const { ownerId, region } =
      JSON.parse(String(row['record'])) as { readonly ownerId: string, readonly region: string }
    return {
      noun, id, ownerId, region,
      vpcId: row['vpc_id'] === null ? null : String(row['vpc_id']),
      firstRevision: Number(row['revision']), firstMs: Number(row['at_ms'])
    }
  }

  /**
   * Revisions, after one and up to another, that changed the resource or anything else of its VPC;
   * of one without a VPC, also what names it: the rules of a filter, the versions of a list.
   * @param order from which end `limit` counts
   * @returns in rising order
   */
  revisionsOf (resource: PastResource, after: number, upTo: number, order: 'first' | 'last',
    limit: number): number[] {
    this.#flush()
    const { noun, id, vpcId } = resource
    const others = vpcId === null
      ? 'id IN (SELECT id FROM change WHERE vpc_id IS NULL AND instr(record, $id) > 0)'
      : 'vpc_id = $vpc'
    const rows = this.#database.prepare(`
      SELECT DISTINCT revision FROM change
      WHERE (noun = $noun AND id = $id OR ${others}) AND revision > $after AND revision <= $upTo
      ORDER BY revision ${order === 'first' ? 'ASC' : 'DESC'} LIMIT $limit`)
      .all({ noun, id, after, upTo, limit, ...vpcId === null ? {} : { vpc: vpcId } })
    return rows.map((row) => Number(row['revision'])).sort((a, b) => a - b)
  }

  /** What one commit changed, as far as it concerns the resource or its VPC. */
  changesAt (resource: PastResource, revision: number): Change[] {
    return this.#database.prepare(`
      SELECT noun, id, record FROM change
      WHERE revision = ? AND (vpc_id IS NULL OR vpc_id = ? OR id = ?)`)
      .all(revision, resource.vpcId, resource.id)
      .map(changeOf)
  }

  /** All records that the resource may depend on, as they were at a revision. */
  stateAt (resource: PastResource, revision: number): Change[] {
    this.#flush()
    return this.#database.prepare(`
      SELECT noun, id, record, max(revision) FROM change
      WHERE revision <= ? AND (vpc_id IS NULL OR vpc_id = ? OR id = ?) GROUP BY noun, id`)
      .all(revision, resource.vpcId, resource.id)
      .filter((row) => row['record'] !== null).map(changeOf)
  }

  /** When a revision was the newest, ms since 1970. */
  momentOf (revision: number): number {
    return this.#number(
      'SELECT at_ms AS number FROM moment WHERE revision <= ? ORDER BY revision DESC LIMIT 1',
      revision)
  }

  /** Newest revision that was there at a time, or 0. */
  revisionAt (atMs: number): number {
    this.#flush()
    return this.#number('SELECT coalesce(max(revision), 0) AS number FROM moment WHERE at_ms <= ?',
      atMs)
  }

  close (): void {
    this.#subscription?.close()
    this.#flush()
    clearTimeout(this.#retry)
    this.#database.close()
  }

  async #follow (): Promise<void> {
    const engine = this.#engine
    const listener = (commit: Commit): void => { this.#wait(commit) }
    const newest = this.#number('SELECT newest_revision AS number FROM span')
    const { revision } = await engine.readAll()
    if (newest <= revision) {
      try {
        this.#subscription = engine.watch(newest, listener)
        return
      } catch (error) {
        const isCompacted =
          error instanceof VpclabError && error.code === 'VPCLAB_ERR_STORE_COMPACTED'
        if (!isCompacted) throw error
      }
    }
    await this.#beginAnew()
    this.#subscription =
      engine.watch(this.#number('SELECT newest_revision AS number FROM span'), listener)
  }

  /** The records as they are now are where the history begins. */
  async #beginAnew (): Promise<void> {
    const { revision, records } = await this.#engine.readAll()
    this.#log.info({ path: this.#path, revision }, 'the change history begins here')
    inTransaction(this.#database, () => {
      this.#database.exec('DELETE FROM change; DELETE FROM moment')
      for (const { key, value } of records) this.#insertWrite(revision, key, value)
      this.#database.prepare('INSERT INTO moment VALUES (?, ?)').run(revision, this.#clock.nowMs())
      this.#database.prepare('UPDATE span SET begin_revision = ?, newest_revision = ?')
        .run(revision, revision)
    })
  }

  #wait (commit: Commit): void {
    this.#pending.push(commit)
    if (this.#pending.length > PENDING_MAX) this.#flush()
    else this.#timer ??= setTimeout(() => { this.#flush() }, FLUSH_MS)
  }

  /** Writes what waits. When that fails the feed is left, and resumed a little later. */
  #flush (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const newest = this.#pending.at(-1)
    if (newest === undefined) return
    try {
      inTransaction(this.#database, () => {
        for (const { revision, atMs, writes } of this.#pending) {
          this.#database.prepare('INSERT OR IGNORE INTO moment VALUES (?, ?)').run(revision, atMs)
          for (const { key, value } of writes) this.#insertWrite(revision, key, value)
        }
        this.#database.prepare('UPDATE span SET newest_revision = ?').run(newest.revision)
        this.#fold()
      })
      this.counters.commits += this.#pending.length
    } catch (error) {
      this.#log.error({ err: error, path: this.#path }, 'the change history cannot be written')
      this.#subscription?.close()
      this.#retry ??= setTimeout(() => { void this.#resume() }, RETRY_MS)
    } finally {
      this.#pending = []
    }
  }

  async #resume (): Promise<void> {
    this.#retry = undefined
    try {
      await this.#follow()
    } catch (error) {
      this.#log.error({ err: error, path: this.#path }, 'the change history cannot be resumed')
      this.#retry = setTimeout(() => { void this.#resume() }, RETRY_MS)
    }
  }

  #insertWrite (revision: number, key: string, value: string | null): void {
    const { noun, id } = parseKey(key)
    if (!isOwned(noun)) return
    const vpcId = noun === 'vpc' ? id : value === null ? null : vpcIdOf(value)
    this.#insert.run(revision, noun, id, vpcId, noun, id, value)
    this.#changeCount++
  }

  /** Forgets changes that a later one, before the new beginning, has overtaken. */
  #fold (): void {
    if (this.#changeCount <= this.#foldAt) return
    const begin = this.#number(`SELECT revision AS number FROM change
      WHERE revision > ? ORDER BY revision LIMIT 1 OFFSET ?`, this.beginRevision, this.#foldCount)
    if (begin === 0) {
      this.#foldAt += this.#foldCount
      return
    }
    const { changes } = this.#database.prepare(`
      DELETE FROM change WHERE revision <= :begin AND (record IS NULL OR EXISTS (
        SELECT 1 FROM change AS later WHERE later.noun = change.noun AND later.id = change.id
        AND later.revision > change.revision AND later.revision <= :begin))`).run({ begin })
    this.#database.prepare('DELETE FROM moment WHERE revision < ? AND revision NOT IN ' +
      '(SELECT revision FROM change)').run(begin)
    this.#database.prepare('UPDATE span SET begin_revision = ?').run(begin)
    this.#changeCount -= Number(changes)
    this.counters.folded += Number(changes)
    // What is alive cannot be folded: a large lab has more than the bound allows.
    this.#foldAt = this.#changeCount < this.#changesMax
      ? this.#changesMax
      : this.#changeCount + this.#foldCount
  }

  get #foldCount (): number { return Math.ceil(this.#changesMax / FOLD_PARTS) }

  /** The one number that a query answers; 0 when it answers none. */
  #number (sql: string, ...parameters: readonly number[]): number {
    return Number(this.#database.prepare(sql).get(...parameters)?.['number'] ?? 0)
  }
}

function isOwned (noun: Noun): noun is OwnedNoun {
  return (OWNED_NOUNS as readonly Noun[]).includes(noun)
}

function vpcIdOf (value: string): string | null {
  return (JSON.parse(value) as { readonly vpcId?: string }).vpcId ?? null
}

function changeOf (row: Readonly<Record<string, SQLOutputValue>>): Change {
  const text = row['record']
  const record: unknown = typeof text === 'string' ? JSON.parse(text) : null
  return { noun: row['noun'], id: row['id'], record } as Change
}
