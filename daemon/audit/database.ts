/**
 * The SQLite files of this room: one process, journal WAL with synchronous NORMAL. A killed process
 * loses nothing that a transaction has written; a power cut may lose the newest transactions, never
 * the file's consistency (SQLite, "Write-Ahead Logging").
 */
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { VpclabError } from '../base/errors.ts'

/**
 * Pages (4 KB) of the write-ahead log between two checkpoints. A checkpoint waits for the disk, so
 * there is one where SQLite's default would make eight.
 */
const CHECKPOINT_PAGES = 8000

/** What a file is made of, and how it says so. */
export interface DatabaseForm {
  /** `PRAGMA application_id`. */
  readonly applicationId: number
  /** `PRAGMA user_version`. */
  readonly version: number
  /** SQL that makes the tables of an empty file. */
  readonly schema: string
}

/**
 * Opens a file, or makes it with its directory, readable by its owner alone. The file is locked
 * until it is closed.
 * @throws VpclabError VPCLAB_ERR_STORE when it is locked, damaged, or something else
 */
export function openDatabase (path: string, form: DatabaseForm): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    mkdirSync(dirname(path), { recursive: true })
    closeSync(openSync(path, 'a', 0o600))
    database = new DatabaseSync(path)
    database.exec('PRAGMA locking_mode = EXCLUSIVE')
    const { tables } = database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() ?? {}
    if (tables !== 0) checkForm(database, path, form)
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; ' +
      `PRAGMA wal_autocheckpoint = ${String(CHECKPOINT_PAGES)}`)
    const { applicationId, version, schema } = form
    database.exec(tables === 0
      ? `BEGIN EXCLUSIVE; ${schema}; PRAGMA application_id = ${String(applicationId)};
        PRAGMA user_version = ${String(version)}; COMMIT`
      : 'BEGIN EXCLUSIVE; COMMIT')
    return database
  } catch (error) {
    if (database?.isOpen === true) database.close()
    if (error instanceof VpclabError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new VpclabError('VPCLAB_ERR_STORE', `Cannot open ${path}: ${reason}`, { cause: error })
  }
}

/** Runs `work` in one transaction: all of it is written, or nothing. */
export function inTransaction (database: DatabaseSync, work: () => void): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    work()
    database.exec('COMMIT')
  } catch (error) {
    // After some errors (a full disk) SQLite has rolled back by itself.
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

function checkForm (database: DatabaseSync, path: string, form: DatabaseForm): void {
  const { application_id: id } = database.prepare('PRAGMA application_id').get() ?? {}
  const { user_version: version } = database.prepare('PRAGMA user_version').get() ?? {}
  if (id === form.applicationId && version === form.version) return
  throw new VpclabError('VPCLAB_ERR_STORE', `${path} is not a file of this version of vpclab ` +
    `(application id ${String(id)}, version ${String(version)}): move it away`)
}
