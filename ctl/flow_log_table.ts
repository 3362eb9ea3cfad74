/**
 * Lines of flow logs as a table that SQL can ask: `flow_log`, in memory, a column for each field
 * that AWS knows (`-` becomes `_`), numbers as numbers and `-` as NULL. What Athena is to buckets
 * on AWS.
 */
import type { FilterLogEventsPage, LogSource } from './flow_log_sources.ts'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { CtlError, usageError } from './exit_codes.ts'
import { type JsonClient, LOGS } from './json_client.ts'

/** Lines that are loaded for one question; some 300 bytes each. */
export const FLOW_LOG_LINES_MAX = 1_000_000
const PAGE_EVENTS = 10_000

const COLUMNS: readonly (readonly [string, 'TEXT' | 'INTEGER'])[] = [
  ['version', 'INTEGER'], ['account-id', 'TEXT'], ['interface-id', 'TEXT'], ['srcaddr', 'TEXT'],
  ['dstaddr', 'TEXT'], ['srcport', 'INTEGER'], ['dstport', 'INTEGER'], ['protocol', 'INTEGER'],
  ['packets', 'INTEGER'], ['bytes', 'INTEGER'], ['start', 'INTEGER'], ['end', 'INTEGER'],
  ['action', 'TEXT'], ['log-status', 'TEXT'], ['vpc-id', 'TEXT'], ['subnet-id', 'TEXT'],
  ['instance-id', 'TEXT'], ['tcp-flags', 'INTEGER'], ['type', 'TEXT'], ['pkt-srcaddr', 'TEXT'],
  ['pkt-dstaddr', 'TEXT'], ['region', 'TEXT'], ['az-id', 'TEXT'], ['sublocation-type', 'TEXT'],
  ['sublocation-id', 'TEXT'], ['pkt-src-aws-service', 'TEXT'], ['pkt-dst-aws-service', 'TEXT'],
  ['flow-direction', 'TEXT'], ['traffic-path', 'INTEGER']
]

const NUMBERS = new Set(COLUMNS.filter(([, type]) => type === 'INTEGER').map(([name]) => name))

export class FlowLogTable {
  readonly #database: DatabaseSync
  #lineCount = 0

  private constructor (database: DatabaseSync) {
    this.#database = database
    const columns = COLUMNS.map(([name, type]) => `"${columnOf(name)}" ${type}`).join(', ')
    database.exec(`CREATE TABLE flow_log (${columns}) STRICT`)
  }

  static async open (): Promise<FlowLogTable> {
    const { DatabaseSync } = await import('node:sqlite')
    return new FlowLogTable(new DatabaseSync(':memory:'))
  }

  /** @throws CtlError when a line cannot be what the fields say, or there are too many */
  add (fields: readonly string[], lines: readonly string[]): void {
    const names = fields.map((field) => `"${columnOf(field)}"`).join(', ')
    const insert = this.#database.prepare(
      `INSERT INTO flow_log (${names}) VALUES (${fields.map(() => '?').join(', ')})`)
    this.#database.exec('BEGIN')
    for (const line of lines) insert.run(...valuesOf(fields, line))
    this.#database.exec('COMMIT')
    this.#lineCount += lines.length
    if (this.#lineCount > FLOW_LOG_LINES_MAX) {
      throw usageError(
        `there are more than ${String(FLOW_LOG_LINES_MAX)} lines: one question cannot hold them`)
    }
  }

  /** @throws CtlError when it is no SQL, or would write */
  query (sql: string): Record<string, unknown>[] {
    try {
      this.#database.exec('PRAGMA query_only = ON')
      return this.#database.prepare(sql).all()
    } catch (error) {
      throw usageError(`${(error as Error).message}. The table is flow_log, ` +
        `with the columns ${COLUMNS.map(([name]) => columnOf(name)).join(', ')} ("end" in quotes)`)
    }
  }
}

function columnOf (field: string): string { return field.replaceAll('-', '_') }

function valuesOf (fields: readonly string[], line: string): SQLInputValue[] {
  const values = line.split(' ')
  if (values.length !== fields.length) {
    throw new CtlError('InvalidAnswer',
      `The line "${line}" has ${String(values.length)} values and not those of ` +
      fields.join(' '))
  }
  return values.map((value, at) =>
    value === '-' ? null : NUMBERS.has(fields[at] ?? '') ? Number(value) : value)
}

/** Reads all files of a bucket. @param directory of the bucket */
export async function loadBucket (table: FlowLogTable, directory: string): Promise<void> {
  const unzip = promisify(gunzip)
  for (const name of await readdir(directory, { recursive: true })) {
    if (!name.endsWith('.log.gz')) continue
    const text = (await unzip(await readFile(join(directory, name)))).toString()
    const [header = '', ...lines] = text.trimEnd().split('\n')
    table.add(header.split(' '), lines)
  }
}

/** Reads all events of a log group. @param fields of its lines */
export async function loadLogGroup (table: FlowLogTable, client: JsonClient, group: LogSource,
  fields: readonly string[]): Promise<void> {
  let nextToken: string | undefined
  do {
    const page: FilterLogEventsPage = await client.call(LOGS, 'FilterLogEvents',
      { logGroupName: group.name, limit: PAGE_EVENTS, nextToken })
    table.add(fields, (page.events ?? []).map(({ message }) => message))
    nextToken = page.nextToken
  } while (nextToken !== undefined)
}
