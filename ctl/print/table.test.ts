import test from 'ava'
import { type Column, formatTable, WIDTH_UNLIMITED } from './table.ts'

interface Row { id: string, name: string, meaning: string, count: number }

const COLUMNS: readonly Column<Row>[] = [
  { header: 'id', value: (row) => row.id },
  { header: 'name', value: (row) => row.name, shrinks: true },
  { header: 'count', value: (row) => String(row.count), align: 'right' },
  { header: 'meaning', value: (row) => row.meaning, shrinks: true }
]
const ROWS: readonly Row[] = [
  { id: 'vpc-0123456789', name: 'web', meaning: 'No route for the destination of it.', count: 12 },
  { id: 'vpc-1', name: '', meaning: 'short', count: 3 }
]
/** Of the rows above, unshrunk: 14 + 4 + 5 + 35 and three gaps of 2. */
const NATURAL_WIDTH = 64

test('formatTable aligns columns and marks empty cells', (t) => {
  t.is(formatTable(ROWS, COLUMNS, WIDTH_UNLIMITED), [
    'ID              NAME  COUNT  MEANING',
    'vpc-0123456789  web      12  No route for the destination of it.',
    'vpc-1           -         3  short'
  ].join('\n'))
})

test('formatTable is empty for no rows', (t) => {
  t.is(formatTable([], COLUMNS, 80), '')
})

test('formatTable leaves a table alone when it fits exactly', (t) => {
  t.is(formatTable(ROWS, COLUMNS, NATURAL_WIDTH), formatTable(ROWS, COLUMNS, WIDTH_UNLIMITED))
})

test('formatTable cuts only columns that may shrink', (t) => {
  for (let width = NATURAL_WIDTH - 1; width >= 40; width--) {
    const lines = formatTable(ROWS, COLUMNS, width).split('\n')
    t.true(lines.every((line) => line.length <= width), `width ${String(width)}`)
    t.true(lines[1]?.startsWith('vpc-0123456789  web '))
    t.true(lines[1]?.endsWith('…'))
  }
})

test('formatTable hides the last column that may go, once shrinking is not enough', (t) => {
  const columns = COLUMNS.map((column) =>
    column.header === 'count' || column.header === 'name' ? { ...column, hides: true } : column)
  const headers = (width: number): string => formatTable(ROWS, columns, width).split('\n')[0] ?? ''
  t.is(headers(37), 'ID              NAME  COUNT  MEANING')
  t.is(headers(36), 'ID              NAME  MEANING')
  t.is(headers(29), 'ID              MEANING')
  t.is(headers(20), 'id       vpc-0123456789')
})

test('formatTable prints blocks when ids would have to be cut', (t) => {
  t.is(formatTable(ROWS, COLUMNS, 30), [
    'id       vpc-0123456789',
    'name     web',
    'count    12',
    'meaning  No route for the destination of it.',
    '',
    'id       vpc-1',
    'name     -',
    'count    3',
    'meaning  short'
  ].join('\n'))
})

test('formatTable keeps control characters of a name off the terminal', (t) => {
  const rows = [{ id: 'a', name: 'x\u001b[31m\ny', meaning: '', count: 0 }]
  t.notRegex(formatTable(rows, COLUMNS, 80), /\u001b/)
  t.is(formatTable(rows, COLUMNS, 80).split('\n').length, 2)
})

test('formatTable counts the columns that wide characters take', (t) => {
  const rows = [
    { id: 'vpc-1', name: '日本', meaning: '', count: 1 },
    { id: 'vpc-2', name: 'abcd', meaning: '', count: 2 }
  ]
  t.is(formatTable(rows, COLUMNS.slice(0, 3), WIDTH_UNLIMITED), [
    'ID     NAME  COUNT', 'vpc-1  日本      1', 'vpc-2  abcd      2'
  ].join('\n'))
  const long = rows.map((row) => ({ ...row, name: '日本語日本語日本語' }))
  const [, line = ''] = formatTable(long, COLUMNS.slice(0, 3), 24).split('\n')
  t.regex(line, /^vpc-1 {2}日本語日?本?…? +1$/)
  t.true(line.length + (line.match(/[日本語]/g) ?? []).length <= 24)
})
