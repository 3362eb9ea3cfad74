/**
 * The embedded engine: one SQLite file, one process.
 *
 *     record   every key as it is now, in order of creation
 *     history  the newest commits, whole, for a feed that resumes from a revision
 *
 * A commit is one SQL transaction over both tables, so a record and its place in the feed are
 * durable together or not at all. Journal WAL with synchronous NORMAL: a killed process loses
 * nothing that was acknowledged; a power cut may lose the newest commits, never the file's
 * consistency (SQLite, "Write-Ahead Logging", "Performance considerations").
 *
 * Commits run one after another, each delivered to every subscription before the next begins, so a
 * listener that commits in turn does not see its commit before the others saw the first.
 *
 * The file is locked for as long as the engine is open: a second daemon on one store is refused
 * rather than left to fall out of step. History is bounded (HISTORY_COMMITS_MAX); a resume from
 * before it is VPCLAB_ERR_STORE_COMPACTED, and the follower reads everything anew.
 */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'
import { VpclabError } from '../base/errors.ts'
import type { Clock } from '../base/clock.ts'
import { checkLimits } from './limits.ts'
import type { Commit, StoreEngine, StoredRecord, Subscription, Write } from './store.ts'

/** Commits that the feed can be resumed from; older ones are forgotten. About 1 KB each. */
export const HISTORY_COMMITS_MAX = 10_000
/** How many commits pass between two trims, so that a trim costs nothing measurable. */
const HISTORY_TRIM_INTERVAL = 256
/** Commits that wait for their turn; more is refused. */
export const COMMITS_WAITING_MAX = 10_000

/** Version of the tables below (`PRAGMA user_version`). */
const SCHEMA_VERSION = 1
/** `PRAGMA application_id`: says that an SQLite file is a vpclab store ("vpcd"). */
const APPLICATION_ID = 0x76706364

const SCHEMA = `
  CREATE TABLE record (
    position INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    value TEXT NOT NULL,
    create_revision INTEGER NOT NULL,
    mod_revision INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE history (
    revision INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    writes TEXT NOT NULL
  ) STRICT;
  PRAGMA application_id = ${String(APPLICATION_ID)};
  PRAGMA user_version = ${String(SCHEMA_VERSION)};
`

interface Follower {
  readonly listener: (commit: Commit) => void
}

export interface SqliteEngineCounters {
  commits: number
  /** Commits that came too late: the store had moved. */
  conflicts: number
  /** Transactions refused because of a limit above. */
  refused: number
}

export class SqliteEngine implements StoreEngine {
  readonly unreachableSinceMs = null
  readonly unreachableReason = null
  readonly counters: SqliteEngineCounters = { commits: 0, conflicts: 0, refused: 0 }
  readonly #path: string
  readonly #clock: Clock
  readonly #database: DatabaseSync
  readonly #put: StatementSync
  readonly #delete: StatementSync
  readonly #remember: StatementSync
  readonly #trim: StatementSync
  readonly #missed: StatementSync
  readonly #followers = new Set<Follower>()
  #revision: number
  #turn: Promise<void> = Promise.resolve()
  #waiting = 0
  #closed = false

  /**
   * Opens a store, making the file and its directory when absent.
   * @throws VpclabError VPCLAB_ERR_STORE when the file is locked, damaged, or not a store of ours
   */
  constructor (path: string, clock: Clock) {
    this.#path = path
    this.#clock = clock
    this.#database = openDatabase(path)
    this.#put = this.#database.prepare(`
      INSERT INTO record (key, value, create_revision, mod_revision) VALUES (?, ?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, mod_revision = excluded.mod_revision`)
    this.#delete = this.#database.prepare('DELETE FROM record WHERE key = ?')
    this.#remember = this.#database.prepare(
      'INSERT INTO history (revision, at_ms, writes) VALUES (?, ?, ?)')
    this.#trim = this.#database.prepare('DELETE FROM history WHERE revision <= ?')
    this.#missed = this.#database.prepare(
      'SELECT revision, at_ms, writes FROM history WHERE revision > ? ORDER BY revision')
    const newest = this.#database.prepare('SELECT max(revision) AS revision FROM history').get()
    this.#revision = Number(newest?.['revision'] ?? 0)
  }

  async readAll (): ReturnType<StoreEngine['readAll']> {
    return await this.#inTurn(() => {
      const records = this.#database.prepare(`
        SELECT key, value, create_revision AS createRevision, mod_revision AS modRevision
        FROM record ORDER BY position`).all() as unknown as StoredRecord[]
      return { revision: this.#revision, records }
    })
  }

  async commit (writes: readonly Write[], expectedRevision: number): Promise<number | null> {
    return await this.#inTurn(() => {
      if (this.#revision !== expectedRevision) {
        this.counters.conflicts++
        return null
      }
      try {
        checkLimits(writes)
      } catch (error) {
        this.counters.refused++
        throw error
      }
      const commit = this.#write(this.#revision + 1, writes)
      this.#revision = commit.revision
      this.counters.commits++
      for (const follower of [...this.#followers]) this.#deliver(follower, commit)
      return commit.revision
    })
  }

  watch (afterRevision: number, listener: (commit: Commit) => void): Subscription {
    this.#assertOpen()
    if (afterRevision > this.#revision) {
      throw new VpclabError('VPCLAB_ERR_STORE', `Cannot follow ${this.#path} from revision ` +
        `${String(afterRevision)}: its newest revision is ${String(this.#revision)}`)
    }
    const missed = this.#missed.all(afterRevision)
    if (missed.length !== this.#revision - afterRevision) {
      throw new VpclabError('VPCLAB_ERR_STORE_COMPACTED',
        `Cannot follow ${this.#path} from revision ` +
        `${String(afterRevision)}: the feed begins at ${String(this.#revision - missed.length)}`)
    }
    const follower: Follower = { listener }
    this.#followers.add(follower)
    for (const row of missed) {
      const writes = JSON.parse(String(row['writes'])) as Write[]
      const [revision, atMs] = [Number(row['revision']), Number(row['at_ms'])]
      this.#deliver(follower, { revision, atMs, writes })
    }
    return { close: () => { this.#followers.delete(follower) } }
  }

  async close (): Promise<void> {
    if (this.#closed) return
    await this.#inTurn(() => {
      this.#closed = true
      this.#followers.clear()
      this.#database.close()
    })
  }

  /** A subscription that was closed by a listener before it is not called any more. */
  #deliver (follower: Follower, commit: Commit): void {
    if (this.#followers.has(follower)) follower.listener(commit)
  }

  #write (revision: number, wanted: readonly Write[]): Commit {
    const atMs = this.#clock.nowMs()
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      try {
        const writes = wanted.filter(({ key, value }) => {
          if (value === null) return this.#delete.run(key).changes > 0
          this.#put.run(key, value, revision, revision)
          return true
        })
        this.#remember.run(revision, atMs, JSON.stringify(writes))
        if (revision % HISTORY_TRIM_INTERVAL === 0) this.#trim.run(revision - HISTORY_COMMITS_MAX)
        this.#database.exec('COMMIT')
        return { revision, atMs, writes }
      } catch (error) {
        // After some errors (a full disk) SQLite has rolled back by itself.
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
        throw error
      }
    } catch (error) {
      throw storeError(`Cannot write revision ${String(revision)} to ${this.#path}`, error)
    }
  }

  /** Runs `work` after all that came before it is done. */
  async #inTurn<Result> (work: () => Result): Promise<Result> {
    if (this.#waiting >= COMMITS_WAITING_MAX) {
      this.counters.refused++
      throw new VpclabError('VPCLAB_ERR_STORE',
        `${String(COMMITS_WAITING_MAX)} transactions already wait for ${this.#path}`)
    }
    this.#waiting++
    const result = this.#turn.then(() => {
      this.#assertOpen()
      return work()
    })
    this.#turn = result.then(() => { this.#waiting-- }, () => { this.#waiting-- })
    return await result
  }

  #assertOpen (): void {
    if (this.#closed) throw new VpclabError('VPCLAB_ERR_STORE', `The store ${this.#path} is closed`)
  }
}

function openDatabase (path: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true })
    database = new DatabaseSync(path)
    database.exec('PRAGMA locking_mode = EXCLUSIVE')
    const { application_id: applicationId } = database.prepare('PRAGMA application_id').get() ?? {}
    const { user_version: version } = database.prepare('PRAGMA user_version').get() ?? {}
    const { tables } = database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() ?? {}
    if (tables !== 0 && (applicationId !== APPLICATION_ID || version !== SCHEMA_VERSION)) {
      throw new VpclabError('VPCLAB_ERR_STORE', applicationId === APPLICATION_ID
        ? `${path} has schema version ${String(version)}, and not ${String(SCHEMA_VERSION)}`
        : `${path} is an SQLite file, but no vpclab store`)
    }
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    if (tables === 0) database.exec(`BEGIN EXCLUSIVE; ${SCHEMA} COMMIT`)
    // Takes the lock now: a second daemon shall fail here, not at its first commit.
    else database.exec('BEGIN EXCLUSIVE; COMMIT')
    return database
  } catch (error) {
    if (database?.isOpen === true) database.close()
    if (error instanceof VpclabError) throw error
    throw storeError(`Cannot open the store ${path}`, error)
  }
}

function storeError (what: string, cause: unknown): VpclabError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new VpclabError('VPCLAB_ERR_STORE', `${what}: ${reason}`, { cause })
}
