/**
 * The audit trail: one record for every API call, kept outside the store, so that neither a reset
 * nor any call can touch it.
 *
 *     append ─▶ journal (JSON lines): on disk when `append` returns
 *                  └── every FLUSH_MS, in one transaction ──▶ index (SQLite) ──▶ lookup
 *
 * The journal is the truth and the index is made from it: after a kill the index goes on from the
 * place in the journal that its last transaction named. So a call that was answered is recorded,
 * and recording it costs the call one write to a file. A look-up flushes first: it sees every call
 * that was answered before it.
 *
 * Both are bounded (EVENTS_MAX, journal.ts); the oldest go first.
 */
import { join } from 'node:path'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Log } from '../observe/log.ts'
import { inTransaction, openDatabase } from './database.ts'
import { Journal, type JournalPlace } from './journal.ts'
import type { CloudTrailRecord, EventResource } from './record.ts'
import { resourcesIn } from './record.ts'

/** Events that can be looked up; the oldest go. About 3 KB each. */
export const EVENTS_MAX = 100_000
/** How long an event may wait for the index, ms. */
const FLUSH_MS = 1000
/** Events that may wait for the index; the next one flushes at once. */
const PENDING_MAX = 1000
/** Trimmed when one part in so many has come anew, so that a trim costs nothing measurable. */
const TRIM_PARTS = 100

const FORM = {
  applicationId: 0x76706174, // "vpat"
  version: 1,
  schema: `
    CREATE TABLE event (
      position INTEGER PRIMARY KEY,
      event_id TEXT NOT NULL UNIQUE,
      at_ms INTEGER NOT NULL,
      account_id TEXT,
      region TEXT NOT NULL,
      name TEXT NOT NULL,
      source TEXT NOT NULL,
      read_only TEXT NOT NULL,
      username TEXT,
      access_key_id TEXT,
      revision INTEGER,
      record TEXT NOT NULL
    ) STRICT;
    CREATE INDEX event_by_revision ON event (revision) WHERE revision IS NOT NULL;
    CREATE TABLE resource (
      name TEXT NOT NULL,
      position INTEGER NOT NULL,
      type TEXT NOT NULL,
      PRIMARY KEY (name, position)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX resource_by_position ON resource (position);
    CREATE TABLE indexed (file INTEGER NOT NULL, offset_bytes INTEGER NOT NULL) STRICT;
    INSERT INTO indexed VALUES (0, 0)`
}

/** Attribute of LookupEvents to the condition that it stands for. */
const CONDITIONS = {
  AccessKeyId: 'access_key_id = ?',
  EventId: 'event_id = ?',
  EventName: 'name = ?',
  EventSource: 'source = ?',
  ReadOnly: 'read_only = ?',
  ResourceName: 'position IN (SELECT position FROM resource WHERE name = ?)',
  ResourceType: 'position IN (SELECT position FROM resource WHERE type = ?)',
  Username: 'username = ?'
} as const

export type LookupAttribute = keyof typeof CONDITIONS

export const LOOKUP_ATTRIBUTES = Object.keys(CONDITIONS) as readonly LookupAttribute[]

/** What a look-up asks for; events of one account and Region, newest first. */
export interface EventQuery {
  readonly accountId: string
  readonly region: string
  readonly attribute: { readonly key: LookupAttribute, readonly value: string } | null
  /** Both inclusive, ms since 1970. */
  readonly startMs: number
  readonly endMs: number
  /** Only events before this position; null for all. */
  readonly beforePosition: number | null
  readonly limit: number
}

export interface FoundEvent {
  /** Rises from event to event. */
  readonly position: number
  readonly record: CloudTrailRecord
  /** The record's JSON text. */
  readonly text: string
  readonly resources: readonly EventResource[]
}

interface Pending {
  readonly record: CloudTrailRecord
  readonly text: string
  readonly end: JournalPlace
}

export interface AuditTrailOptions {
  /** Directory of the journal and the index. */
  readonly directory: string
  readonly log: Log
  /** EVENTS_MAX by default. */
  readonly eventsMax?: number
}

export class AuditTrail {
  readonly counters = { appended: 0, lost: 0 }
  readonly #log: Log
  readonly #eventsMax: number
  readonly #journal: Journal
  readonly #database: DatabaseSync
  readonly #insertEvent: StatementSync
  readonly #insertResource: StatementSync
  readonly #mark: StatementSync
  readonly #followers = new Set<(text: string) => void>()
  #pending: Pending[] = []
  #timer: NodeJS.Timeout | undefined
  #sinceTrim = 0
  /** The index lacks records that are not pending: a killed process left them, or a full disk. */
  #isBehind = true

  /**
   * Opens a trail and brings its index up to its journal.
   * @throws VpclabError VPCLAB_ERR_STORE
   */
  constructor (options: AuditTrailOptions) {
    this.#log = options.log
    this.#eventsMax = options.eventsMax ?? EVENTS_MAX
    this.#database = openDatabase(join(options.directory, 'events.sqlite'), FORM)
    this.#journal = new Journal(options.directory)
    this.#insertEvent = this.#database.prepare(`
      INSERT OR IGNORE INTO event (event_id, at_ms, account_id, region, name, source, read_only,
        username, access_key_id, revision, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
    this.#insertResource = this.#database.prepare(
      'INSERT OR IGNORE INTO resource (name, position, type) VALUES (?, ?, ?)')
    this.#mark = this.#database.prepare('UPDATE indexed SET file = ?, offset_bytes = ?')
    this.#flush()
  }

  /**
   * Keeps a record. One that cannot be written is counted in `lost` and logged: the call that it is
   * of has happened, and is answered.
   */
  append (record: CloudTrailRecord): void {
    const text = JSON.stringify(record)
    try {
      this.#journal.append(text)
    } catch (error) {
      this.counters.lost++
      this.#log.error({ err: error, lost: this.counters.lost }, 'an api call was not recorded')
      return
    }
    this.counters.appended++
    this.#wait({ record, text, end: this.#journal.place })
    for (const follower of [...this.#followers]) follower(text)
  }

  /** Hears every record from now on, as JSON text. @returns ends it */
  follow (listener: (text: string) => void): () => void {
    this.#followers.add(listener)
    return () => { this.#followers.delete(listener) }
  }

  /** Newest first. */
  lookup (query: EventQuery): FoundEvent[] {
    this.#flush()
    const { attribute } = query
    const condition = attribute === null ? '' : `AND ${CONDITIONS[attribute.key]}`
    const rows = this.#database.prepare(`
      SELECT position, record FROM event
      WHERE account_id = ? AND region = ? AND position < ? AND at_ms BETWEEN ? AND ? ${condition}
      ORDER BY position DESC LIMIT ?`).all(
      query.accountId, query.region, query.beforePosition ?? Number.MAX_SAFE_INTEGER,
      query.startMs, query.endMs, ...attribute === null ? [] : [attribute.value], query.limit)
    const resources = this.#database.prepare('SELECT type, name FROM resource WHERE position = ?')
    return rows.map((row) => {
      const [position, text] = [Number(row['position']), String(row['record'])]
      return {
        position, text, record: JSON.parse(text) as CloudTrailRecord,
        resources: resources.all(position) as unknown as EventResource[]
      }
    })
  }

  /** Id of the call that made a revision, when one did. */
  eventOfRevision (revision: number): string | undefined {
    this.#flush()
    const row = this.#database.prepare('SELECT event_id AS id FROM event WHERE revision = ?')
      .get(revision)
    return row === undefined ? undefined : String(row['id'])
  }

  close (): void {
    this.#flush()
    this.#followers.clear()
    this.#journal.close()
    this.#database.close()
  }

  #wait (pending: Pending): void {
    this.#pending.push(pending)
    if (this.#pending.length > PENDING_MAX) this.#flush()
    else this.#timer ??= setTimeout(() => { this.#flush() }, FLUSH_MS)
  }

  /** Brings the index up to the journal. What fails is tried again with the next event. */
  #flush (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const pending = this.#isBehind ? this.#missed() : this.#pending
    const last = pending.at(-1)
    if (last === undefined) {
      this.#isBehind = false
      return
    }
    this.#pending = []
    try {
      inTransaction(this.#database, () => {
        for (const one of pending) this.#insert(one)
        this.#mark.run(last.end.file, last.end.offsetBytes)
        this.#trim(pending.length)
      })
      this.#isBehind = false
    } catch (error) {
      this.#isBehind = true
      this.#log.error({ err: error, events: pending.length }, 'events cannot be looked up')
    }
  }

  /** What the journal has and the index has not. */
  #missed (): Pending[] {
    const row = this.#database.prepare('SELECT file, offset_bytes FROM indexed').get() ?? {}
    const from = { file: Number(row['file']), offsetBytes: Number(row['offset_bytes']) }
    return [...this.#journal.linesFrom(from)].flatMap(({ line, end }) => {
      const record = parseRecord(line)
      return record === null ? [] : [{ record, text: line, end }]
    })
  }

  #insert ({ record, text }: Pending): void {
    const { userIdentity, additionalEventData: { eventTimeMs, revision } } = record
    const { lastInsertRowid, changes } = this.#insertEvent.run(
      record.eventID, eventTimeMs, record.recipientAccountId ?? null, record.awsRegion,
      record.eventName, record.eventSource, String(record.readOnly), usernameOf(record) ?? null,
      userIdentity.accessKeyId ?? null, revision ?? null, text)
    if (changes === 0) return
    for (const { name, type } of resourcesIn(record.requestParameters, record.responseElements)) {
      this.#insertResource.run(name, lastInsertRowid, type)
    }
  }

  #trim (added: number): void {
    this.#sinceTrim += added
    if (this.#sinceTrim < this.#eventsMax / TRIM_PARTS) return
    this.#sinceTrim = 0
    const row = this.#database.prepare('SELECT max(position) AS newest FROM event').get()
    const oldest = Number(row?.['newest']) - this.#eventsMax
    this.#database.prepare('DELETE FROM event WHERE position <= ?').run(oldest)
    this.#database.prepare('DELETE FROM resource WHERE position <= ?').run(oldest)
  }
}

/** @returns null for a line that a power cut has damaged */
function parseRecord (line: string): CloudTrailRecord | null {
  try {
    return JSON.parse(line) as CloudTrailRecord
  } catch {
    return null
  }
}

/** What LookupEvents calls a user: an account's own keys are those of `root`. */
export function usernameOf (record: CloudTrailRecord): string | undefined {
  return record.userIdentity.type === 'Root' ? 'root' : undefined
}
