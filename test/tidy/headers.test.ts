/**
 * Offset tables of headers: in every file of `daemon/wire` and `daemon/encap` the constants
 * `<HEADER>_AT_<FIELD>` with their width in the comment (`// u16 …`) leave no hole, do not
 * overlap, and end where `<HEADER>_HEADER_BYTES` (or `_HEADER_BYTES_MIN`) says. Fields that only
 * some types of a header have say so ("echo only") and may share their bytes with each other.
 */
import test from 'ava'
import { isTest, readSources, type Source } from './sources.ts'

interface Field {
  readonly name: string
  readonly at: number
  readonly end: number
  readonly isVariant: boolean
}

const FIELD = /^export const (\w+)_AT_(\w+) = (\d+) +\/\/ +(?:u(\d+)|(\d+) bytes)(.*)/gm
const SIZE = /^export const (\w+)_HEADER_BYTES(_MIN)? = (\d+)/gm

/** Tables of one file by header name. */
function tables (source: Source): Map<string, Field[]> {
  const found = new Map<string, Field[]>()
  for (const match of source.text.matchAll(FIELD)) {
    const [, header = '', name = '', atText, bits, bytes, comment = ''] = match
    const at = Number(atText)
    const end = at + (bytes === undefined ? Number(bits) / 8 : Number(bytes))
    const field = { name, at, end, isVariant: comment.includes('only') }
    found.set(header, [...found.get(header) ?? [], field])
  }
  return found
}

/** Sizes of the headers of one file: the exact one, or the smallest of those that vary. */
function sizes (source: Source): Map<string, number> {
  const found = new Map<string, number>()
  for (const [, header = '', isMinimum, bytes] of source.text.matchAll(SIZE)) {
    if (isMinimum === undefined || !found.has(header)) found.set(header, Number(bytes))
  }
  return found
}

/** Names of the fields that hold one byte. */
function fieldsAt (fields: readonly Field[], byte: number): Field[] {
  return fields.filter((field) => field.at <= byte && byte < field.end)
}

const sources = readSources(['daemon/wire', 'daemon/encap'], ['.ts'])
  .filter(({ path }) => !isTest(path))

test('some headers have tables', (t) => {
  t.true(sources.flatMap((source) => [...tables(source).keys()]).length >= 5)
})

for (const source of sources) {
  const size = sizes(source)
  for (const [header, fields] of tables(source)) {
    test(`the fields of ${header} are contiguous and sum to the header's size`, (t) => {
      const end = Math.max(...fields.map((field) => field.end))
      t.is(end, size.get(header) ?? 0)
      for (let byte = 0; byte < end; byte++) {
        const holders = fieldsAt(fields, byte)
        t.true(holders.length === 1 ||
          (holders.length > 1 && holders.every((field) => field.isVariant)),
        `byte ${String(byte)}: ${holders.map((field) => field.name).join() || 'a hole'}`)
      }
    })
  }
}
