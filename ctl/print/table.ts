/**
 * Tables that fit the terminal: no lines, two spaces between columns, headers in capitals.
 *
 * When a table is wider than the terminal, columns marked `shrinks` (names, sentences) give way,
 * the widest first, down to SHRUNK_WIDTH_MIN; what does not fit them ends in an ellipsis. If that
 * is not enough, columns marked `hides` go, the last first. Ids and addresses are never cut,
 * because people copy them: what is still too wide is printed as a block of lines per row, with
 * every column. Into a pipe a table is always printed whole.
 *
 *     VPC                    NAME   CIDR              vpc    vpc-0123456789abcdef0
 *     vpc-0123456789abcdef0  web    10.0.0.0/16   or  name   web
 *                                                     cidr   10.0.0.0/16
 */
import { createRequire } from 'node:module'
import type TableClass from 'cli-table3'
import { oneLine } from './one_line.ts'

const require = createRequire(import.meta.url)

/** Columns of the terminal that a text takes: two for a letter of an East Asian script. */
function widthOf (text: string): number {
  return (require('cli-table3/src/utils.js') as { strlen: (text: string) => number }).strlen(text)
}

export interface Column<Row> {
  readonly header: string
  /** The cell; an empty text prints as `-`. */
  readonly value: (row: Row) => string
  /** May be cut to fit the terminal. */
  readonly shrinks?: boolean
  /** May be left out to fit the terminal; `show` and `--json` tell it. */
  readonly hides?: boolean
  readonly align?: 'right'
}

/** Characters that a shrunk column keeps. */
export const SHRUNK_WIDTH_MIN = 8
/** Terminal width that stands for "no limit". */
export const WIDTH_UNLIMITED = Infinity

const GAP = '  '
const EMPTY_CELL = '-'
/** cli-table3 draws frames by default: every part of it is nothing here. */
const NO_FRAME = Object.fromEntries([
  'top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right',
  'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'
].map((part) => [part, '']))

/**
 * @param terminalWidth columns of the terminal, or WIDTH_UNLIMITED
 * @returns lines without a newline at the end; an empty text for no rows
 */
export function formatTable<Row> (rows: readonly Row[], columns: readonly Column<Row>[],
  terminalWidth: number): string {
  if (rows.length === 0) return ''
  let shown = columns
  for (;;) {
    const cells = cellsOf(rows, shown)
    const widths = fitWidths(cells, shown, terminalWidth)
    if (widths !== null) return formatRows(cells, shown, widths)
    const hidden = shown.findLast((column) => column.hides === true)
    if (hidden === undefined) return formatBlocks(cellsOf(rows, columns), columns)
    shown = shown.filter((column) => column !== hidden)
  }
}

function cellsOf<Row> (rows: readonly Row[], columns: readonly Column<Row>[]): string[][] {
  return rows.map((row) => columns.map((column) => cellText(column.value(row))))
}

function formatRows<Row> (cells: readonly string[][], columns: readonly Column<Row>[],
  widths: number[]): string {
  // Loaded by the commands that print a table, and by no others.
  const Table = require('cli-table3') as typeof TableClass
  const table = new Table({
    chars: { ...NO_FRAME, middle: GAP },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
    head: columns.map((column) => column.header.toUpperCase()),
    colWidths: widths,
    colAligns: columns.map((column) => column.align ?? 'left')
  })
  table.push(...cells)
  return table.toString().split('\n').map((line) => line.trimEnd()).join('\n')
}

/** Width of each column, or null when the rows do not fit side by side. */
function fitWidths<Row> (cells: readonly (readonly string[])[],
  columns: readonly Column<Row>[], terminalWidth: number): number[] | null {
  const widths = columns.map((column, index) =>
    Math.max(column.header.length, ...cells.map((row) => widthOf(row[index] ?? ''))))
  const gaps = GAP.length * (columns.length - 1)
  let excess = widths.reduce((sum, width) => sum + width, gaps) - terminalWidth
  while (excess > 0) {
    let widest = -1
    for (let index = 0; index < widths.length; index++) {
      const width = widths[index] ?? 0
      const shrinks = columns[index]?.shrinks === true && width > SHRUNK_WIDTH_MIN
      if (shrinks && width > (widths[widest] ?? 0)) widest = index
    }
    if (widest === -1) return null
    widths[widest] = (widths[widest] ?? 0) - 1
    excess--
  }
  return widths
}

function formatBlocks<Row> (cells: readonly (readonly string[])[],
  columns: readonly Column<Row>[]): string {
  const headerWidth = Math.max(...columns.map((column) => column.header.length))
  return cells.map((row) => columns.map((column, index) =>
    column.header.toLowerCase().padEnd(headerWidth) + GAP + (row[index] ?? '')).join('\n'))
    .join('\n\n')
}

/** One line, never empty. */
function cellText (text: string): string {
  const line = oneLine(text)
  return line === '' ? EMPTY_CELL : line
}
