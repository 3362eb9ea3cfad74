/**
 * What a command says, in one of three forms:
 *
 *     human   tables, trees and sentences             the default
 *     json    one JSON value per command              --json
 *     quiet   ids alone, one per line, for scripts    --quiet
 *
 * Results go to standard output; progress and notes go to standard error and only in human form, so
 * that a pipe carries results alone.
 */
import type { Writable } from 'node:stream'
import { type Column, formatTable, WIDTH_UNLIMITED } from './table.ts'
import { formatTree } from './tree.ts'

export type OutputForm = 'human' | 'json' | 'quiet'

export interface OutputOptions {
  readonly form: OutputForm
  readonly stdout: Writable & { readonly columns?: number }
  readonly stderr: Writable
}

export class Output {
  readonly form: OutputForm
  readonly #stdout: OutputOptions['stdout']
  readonly #stderr: Writable

  constructor (options: OutputOptions) {
    this.form = options.form
    this.#stdout = options.stdout
    this.#stderr = options.stderr
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
  text (line: string): void { this.#stdout.write(`${line}\n`) }

  json (value: unknown): void { this.text(JSON.stringify(value, null, 2)) }

  /** A line about progress, for a person. */
  note (line: string): void {
    if (this.form === 'human') this.#stderr.write(`${line}\n`)
  }

  #table<Row> (rows: readonly Row[], columns: readonly Column<Row>[]): void {
    if (rows.length === 0) this.note('(none)')
    else this.text(formatTable(rows, columns, this.#stdout.columns ?? WIDTH_UNLIMITED))
  }
}
