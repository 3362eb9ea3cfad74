/**
 * Log groups: where flow logs of the type `cloud-watch-logs` deliver to. A group is made when
 * something is first written into it; a stream is an interface of one kind of flow log
 * (`eni-…-all`). Amazon CloudWatch Logs User Guide, "Amazon CloudWatch Logs concepts".
 *
 * One SQLite file, bounded by LOG_EVENTS_MAX over all groups: the oldest events go. Groups and
 * streams stay, as they do on AWS after events have expired.
 */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { inTransaction, openDatabase } from '../audit/database.ts'

/** Events of all groups; about 200 bytes each. */
export const LOG_EVENTS_MAX = 500_000
/** Trimmed when one part in so many has come anew. */
const TRIM_PARTS = 100

const FORM = {
  applicationId: 0x7670666c, // "vpfl"
  version: 1,
  schema: `
    CREATE TABLE log_group (
      id INTEGER PRIMARY KEY,
      account_id TEXT NOT NULL,
      region TEXT NOT NULL,
      name TEXT NOT NULL,
      created_ms INTEGER NOT NULL,
      UNIQUE (account_id, region, name)
    ) STRICT;
    CREATE TABLE stream (
      id INTEGER PRIMARY KEY,
      group_id INTEGER NOT NULL,
      name TEXT NOT NULL,
      created_ms INTEGER NOT NULL,
      UNIQUE (group_id, name)
    ) STRICT;
    CREATE TABLE event (
      id INTEGER PRIMARY KEY,
      stream_id INTEGER NOT NULL,
      at_ms INTEGER NOT NULL,
      ingested_ms INTEGER NOT NULL,
      message TEXT NOT NULL
    ) STRICT;
    CREATE INDEX event_by_stream ON event (stream_id, at_ms, id)`
}

export interface LogGroup {
  readonly id: number
  readonly name: string
  readonly createdMs: number
  readonly storedBytes: number
}

export interface LogStream {
  readonly id: number
  readonly name: string
  readonly createdMs: number
  /** null while it has no events. */
  readonly firstEventMs: number | null
  readonly lastEventMs: number | null
  readonly lastIngestionMs: number | null
}

export interface LogEvent {
  readonly id: number
  readonly streamName: string
  readonly atMs: number
  readonly ingestedMs: number
  readonly message: string
}

/** What is to be put into one stream. */
export interface LogBatch {
  readonly accountId: string
  readonly region: string
  readonly groupName: string
  readonly streamName: string
  readonly events: readonly { readonly atMs: number, readonly message: string }[]
}

/** Where a reader of events stands: after, or before, this one. */
export interface EventPlace { readonly atMs: number, readonly id: number }

export interface EventQuery {
  readonly streamIds: readonly number[]
  /** Inclusive and exclusive, ms since 1970. */
  readonly startMs: number
  readonly endMs: number
  readonly from: EventPlace | null
  /** Away from `from`: towards newer events, or older ones. */
  readonly towards: 'newer' | 'older'
  readonly limit: number
}

export class LogGroups {
  readonly #database: DatabaseSync
  readonly #eventsMax: number
  #sinceTrim = 0

  /** @throws VpclabError VPCLAB_ERR_STORE */
  constructor (path: string, eventsMax = LOG_EVENTS_MAX) {
    this.#database = openDatabase(path, FORM)
    this.#eventsMax = eventsMax
  }

  close (): void { this.#database.close() }

  /** Writes all of it, or nothing. @throws the error of SQLite, for example of a full disk */
  append (batches: readonly LogBatch[], nowMs: number): void {
    const insert = this.#database.prepare(
      'INSERT INTO event (stream_id, at_ms, ingested_ms, message) VALUES (?, ?, ?, ?)')
    inTransaction(this.#database, () => {
      for (const batch of batches) {
        const streamId = this.#ensureStream(batch, nowMs)
        for (const { atMs, message } of batch.events) insert.run(streamId, atMs, nowMs, message)
        this.#sinceTrim += batch.events.length
      }
      if (this.#sinceTrim * TRIM_PARTS >= this.#eventsMax) this.#trim()
    })
  }

  #ensureStream (batch: LogBatch, nowMs: number): number {
    const { accountId, region, groupName, streamName } = batch
    this.#database.prepare(
      'INSERT OR IGNORE INTO log_group (account_id, region, name, created_ms) VALUES (?, ?, ?, ?)')
      .run(accountId, region, groupName, nowMs)
    const group = this.#row(
      'SELECT id FROM log_group WHERE account_id = ? AND region = ? AND name = ?',
      accountId, region, groupName)
    const groupId = Number(group?.['id'])
    this.#database.prepare(
      'INSERT OR IGNORE INTO stream (group_id, name, created_ms) VALUES (?, ?, ?)')
      .run(groupId, streamName, nowMs)
    return Number(this.#row('SELECT id FROM stream WHERE group_id = ? AND name = ?', groupId,
      streamName)?.['id'])
  }

  #trim (): void {
    this.#sinceTrim = 0
    this.#database.prepare('DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?')
      .run(this.#eventsMax)
  }

  /** Groups of an account and Region whose names begin with `prefix`, by name. */
  groups (accountId: string, region: string, prefix: string): LogGroup[] {
    return this.#rows(`
      SELECT id, name, created_ms,
        (SELECT coalesce(sum(length(message)), 0) FROM event
          WHERE stream_id IN (SELECT id FROM stream WHERE group_id = log_group.id)) AS bytes
      FROM log_group
      WHERE account_id = ? AND region = ? AND substr(name, 1, length(?)) = ? ORDER BY name`,
    accountId, region, prefix, prefix).map((row) => ({
      id: Number(row['id']), name: String(row['name']), createdMs: Number(row['created_ms']),
      storedBytes: Number(row['bytes'])
    }))
  }

  group (accountId: string, region: string, name: string): LogGroup | undefined {
    return this.groups(accountId, region, name).find((group) => group.name === name)
  }

  /** Streams of a group, by name. */
  streams (group: LogGroup): LogStream[] {
    return this.#rows(`
      SELECT id, name, created_ms,
        (SELECT min(at_ms) FROM event WHERE stream_id = stream.id) AS first_ms,
        (SELECT max(at_ms) FROM event WHERE stream_id = stream.id) AS last_ms,
        (SELECT ingested_ms FROM event WHERE stream_id = stream.id ORDER BY at_ms DESC, id DESC
          LIMIT 1) AS ingested_ms
      FROM stream WHERE group_id = ? ORDER BY name`, group.id).map((row) => ({
      id: Number(row['id']), name: String(row['name']), createdMs: Number(row['created_ms']),
      firstEventMs: numberOrNull(row['first_ms']), lastEventMs: numberOrNull(row['last_ms']),
      lastIngestionMs: numberOrNull(row['ingested_ms'])
    }))
  }

  /** Events in order of time, oldest first, those nearest to `from`. */
  events (query: EventQuery): LogEvent[] {
    const { streamIds, startMs, endMs, from, towards, limit } = query
    if (streamIds.length === 0) return []
    const isNewer = towards === 'newer'
    const place = from === null ? '' : `AND (at_ms, event.id) ${isNewer ? '>' : '<'} (?, ?)`
    const order = isNewer ? 'ASC' : 'DESC'
    const rows = this.#rows(`
      SELECT event.id, stream.name, at_ms, ingested_ms, message
      FROM event JOIN stream ON stream.id = stream_id
      WHERE stream_id IN (${streamIds.map(() => '?').join(', ')})
        AND at_ms >= ? AND at_ms < ? ${place}
      ORDER BY at_ms ${order}, event.id ${order} LIMIT ?`,
    ...streamIds, startMs, endMs, ...from === null ? [] : [from.atMs, from.id], limit)
    const events = rows.map((row) => ({
      id: Number(row['id']), streamName: String(row['name']), atMs: Number(row['at_ms']),
      ingestedMs: Number(row['ingested_ms']), message: String(row['message'])
    }))
    return isNewer ? events : events.reverse()
  }

  #row (sql: string, ...values: SQLInputValue[]): Record<string, unknown> | undefined {
    return this.#database.prepare(sql).get(...values)
  }

  #rows (sql: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    return this.#database.prepare(sql).all(...values)
  }
}

function numberOrNull (value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value)
}
