/**
 * What a command says, in one of three forms:
 *
 *     human   tables, trees and sentences             the default
 *     json    one JSON value per command              --json
 *     quiet   ids alone, one per line, for scripts    --quiet
 *
 * `--query` filters the JSON value; with `--quiet` beside it, what it selects is printed bare.
 *
 * Results go to standard output; progress and notes go to standard error and only in human form, so
 * that a pipe carries results alone.
 */
import type { Writable } from 'node:stream'
import { ERASE_LINE, type ProgressStream, type Say, withProgress } from './progress.ts'
import { type Column, formatTable, WIDTH_UNLIMITED } from './table.ts'
import { formatTree } from './tree.ts'

export type OutputForm = 'human' | 'json' | 'quiet'

export interface OutputOptions {
  readonly form: OutputForm
  readonly stdout: Writable & { readonly columns?: number, readonly isTTY?: boolean }
  /** Width of the terminal instead of what `stdout` says, if that is a terminal. */
  readonly columns?: number | undefined
  readonly stderr: ProgressStream
  /** Goes with the form `json`. */
  readonly query?: OutputQuery
}

export interface OutputQuery {
  readonly select: (value: unknown) => unknown
  /** Texts and numbers are printed without quotes, a line each. */
  readonly isBare: boolean
}

export class Output {
  readonly form: OutputForm
  readonly #stdout: OutputOptions['stdout']
  readonly #stderr: ProgressStream
  readonly #query: OutputQuery | undefined
  readonly #columns: number | undefined
  /** Of the work that is under way. */
  #say: Say | undefined

  constructor (options: OutputOptions) {
    this.form = options.form
    this.#stdout = options.stdout
    this.#stderr = options.stderr
    this.#query = options.query
    this.#columns = options.columns
  }

  /** Whether a person looks at standard output: what follows live has another form for a pipe. */
  get isTerminal (): boolean { return this.#stdout.isTTY === true }

  /** Columns of the terminal; WIDTH_UNLIMITED for a pipe. */
  get width (): number {
    const { columns = 0 } = this.#stdout
    return columns === 0 ? WIDTH_UNLIMITED : this.#columns ?? columns
  }

  /** A listing. `--json` prints `rows` as they are, `--quiet` what `idOf` says of each. */
  rows<Row> (rows: readonly Row[], columns: readonly Column<Row>[],
    idOf: (row: Row) => string | undefined): void {
    switch (this.form) {
      case 'json': this.json(rows); return
      case 'quiet': rows.forEach((row) => { this.text(idOf(row) ?? '') }); return
      case 'human': this.#table(rows, columns)
    }
  }

  /** One thing that was made or changed: a table of one row. `--json` prints the object alone. */
  row<Row> (row: Row, columns: readonly Column<Row>[],
    idOf: (row: Row) => string | undefined): void {
    if (this.form === 'json') this.json(row)
    else this.rows([row], columns, idOf)
  }

  /** One thing in full. */
  tree (value: object, id: string): void {
    switch (this.form) {
      case 'json': this.json(value); return
      case 'quiet': this.text(id); return
      case 'human': this.text(formatTree(value))
    }
  }

  /** A change that has no result of its own. `--json` prints `facts`. */
  done (sentence: string, facts: object): void {
    if (this.form === 'json') this.json(facts)
    else if (this.form === 'human') this.text(sentence)
  }

  /** A line of standard output, whatever the form. */
  text (line: string): void {
    this.#clearProgress()
    this.#stdout.write(`${line}\n`)
  }

  /** A JSON value, or what `--query` selects of it. */
  json (value: unknown): void {
    if (this.#query === undefined) this.text(JSON.stringify(value, null, 2))
    else this.#selected(this.#query, value, 2)
  }

  /** One of many JSON values, each on a line of its own, that come one after the other. */
  jsonLine (value: unknown): void {
    if (this.#query === undefined) this.text(JSON.stringify(value))
    else this.#selected(this.#query, value, 0)
  }

  /** A line about progress, for a person. */
  note (line: string): void {
    if (this.form !== 'human') return
    this.#clearProgress()
    this.#stderr.write(`${line}\n`)
  }

  /**
   * Does `work`; when it takes longer than a second, says to a person that it is being done, and
   * how far it has come: `progress('Starting the lab', async (say) => { say('2 of 4 hosts') … })`.
   * Within other work it is a detail of that: there is one line.
   */
  async progress<Result> (what: string, work: (say: Say) => Promise<Result>): Promise<Result> {
    if (this.form !== 'human') return await work(() => undefined)
    const outer = this.#say
    if (outer !== undefined) {
      outer(what)
      return await work((detail) => { outer(`${what}: ${detail}`) })
    }
    return await withProgress(this.#stderr, what, async (say) => {
      this.#say = say
      return await work(say).finally(() => { this.#say = undefined })
    })
  }

  /** What is printed meanwhile stands on a line of its own; progress comes back beneath it. */
  #clearProgress (): void {
    if (this.#say !== undefined && this.#stderr.isTTY === true) this.#stderr.write(ERASE_LINE)
  }

  #selected ({ select, isBare }: OutputQuery, value: unknown, indent: number): void {
    const selected = select(value)
    if (isBare) bareText(selected).forEach((line) => { this.text(line) })
    else this.text(JSON.stringify(selected, null, indent))
  }

  #table<Row> (rows: readonly Row[], columns: readonly Column<Row>[]): void {
    if (rows.length === 0) this.note('(none)')
    else this.text(formatTable(rows, columns, this.width))
  }
}

function bareText (value: unknown): string[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value]
  return items.map((item) => typeof item === 'string' ? item : JSON.stringify(item))
}
