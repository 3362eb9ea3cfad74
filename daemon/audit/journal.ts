/**
 * JSON lines in files, for people and tools as much as for the trail itself:
 *
 *     events-00000007.jsonl   full: JOURNAL_FILE_BYTES_MAX
 *     events-00000008.jsonl   full
 *     events-00000009.jsonl   ← lines are appended here
 *
 * A line is written with one system call before `append` returns, so a killed process loses none;
 * what a power cut left of a last line is cut off when the journal is opened. The oldest files go
 * when there are more than JOURNAL_FILES_MAX. A file is never changed but at its end.
 */
import {
  closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync,
  writeSync
} from 'node:fs'
import { join } from 'node:path'

/** A file that is longer gets no further line. */
export const JOURNAL_FILE_BYTES_MAX = 16 * 1024 * 1024
/** Files that are kept; the oldest goes. */
export const JOURNAL_FILES_MAX = 8

const FILE_NAME = /^events-(\d{8})\.jsonl$/
const LINE_FEED = 0x0a

/** A place between two lines. Later places are greater. */
export interface JournalPlace {
  /** Number of the file. */
  readonly file: number
  /** Bytes from its beginning. */
  readonly offsetBytes: number
}

export class Journal {
  readonly #directory: string
  #file: number
  #descriptor: number
  #offsetBytes: number

  /** Opens the newest file of a directory, or makes both. @throws the system's error */
  constructor (directory: string) {
    this.#directory = directory
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    this.#file = journalFiles(directory).at(-1) ?? 1
    this.#descriptor = this.#open(this.#file)
    this.#offsetBytes = this.#cutTornLine()
  }

  /** Where the next line will stand. */
  get place (): JournalPlace { return { file: this.#file, offsetBytes: this.#offsetBytes } }

  /**
   * @param line without a line feed
   * @throws the system's error; nothing of the line is kept then
   */
  append (line: string): void {
    if (this.#offsetBytes > JOURNAL_FILE_BYTES_MAX) this.#rotate()
    const bytes = Buffer.from(`${line}\n`)
    try {
      let writtenBytes = 0
      while (writtenBytes < bytes.length) {
        writtenBytes += writeSync(this.#descriptor, bytes, writtenBytes)
      }
    } catch (error) {
      ftruncateSync(this.#descriptor, this.#offsetBytes)
      throw error
    }
    this.#offsetBytes += bytes.length
  }

  /** Every line that stands at `from` or later, oldest first, with the place behind it. */
  * linesFrom (from: JournalPlace):
  Generator<{ readonly line: string, readonly end: JournalPlace }> {
    for (const file of journalFiles(this.#directory)) {
      if (file < from.file) continue
      const bytes = readFileSync(this.#pathOf(file))
      let startAt = file === from.file ? from.offsetBytes : 0
      for (;;) {
        const endAt = bytes.indexOf(LINE_FEED, startAt)
        if (endAt === -1) break
        const line = bytes.toString('utf8', startAt, endAt)
        startAt = endAt + 1
        yield { line, end: { file, offsetBytes: startAt } }
      }
    }
  }

  close (): void { closeSync(this.#descriptor) }

  #pathOf (file: number): string {
    return join(this.#directory, `events-${String(file).padStart(8, '0')}.jsonl`)
  }

  #open (file: number): number { return openSync(this.#pathOf(file), 'a', 0o600) }

  /** Nothing is changed when the next file cannot be made. */
  #rotate (): void {
    const descriptor = this.#open(this.#file + 1)
    closeSync(this.#descriptor)
    this.#descriptor = descriptor
    this.#file++
    this.#offsetBytes = 0
    for (const file of journalFiles(this.#directory).slice(0, -JOURNAL_FILES_MAX)) {
      rmSync(this.#pathOf(file), { force: true })
    }
  }

  /** @returns bytes up to the end of the last whole line */
  #cutTornLine (): number {
    const { size } = fstatSync(this.#descriptor)
    const whole = readFileSync(this.#pathOf(this.#file)).lastIndexOf(LINE_FEED) + 1
    if (whole < size) ftruncateSync(this.#descriptor, whole)
    return whole
  }
}

/** Numbers of the journal's files, oldest first. */
function journalFiles (directory: string): number[] {
  return readdirSync(directory).flatMap((name) => {
    const number = FILE_NAME.exec(name)?.[1]
    return number === undefined ? [] : [Number(number)]
  }).sort((a, b) => a - b)
}
