import test from 'ava'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatNames, type NameRow, writeNames } from './names_file.ts'

const ROWS: readonly NameRow[] = [
  { kind: 'vpc', key: '7', fields: ['vpc-1', 'web\tshop\n'] },
  { kind: 'eni', key: 'eni-1', fields: ['', 'i-1', 'vpc-1', '10.0.0.4,2001:db8::4'] },
  { kind: 'host', key: 'host-1', fields: ['100.127.0.1'] }
]

test('names are lines of fields, whatever a name holds', (t) => {
  t.deepEqual(formatNames('lab', ROWS).split('\n'), [
    '# names of the lab "lab", written by vpcctl',
    'vpc\t7\tvpc-1\tweb shop ',
    'eni\teni-1\t\ti-1\tvpc-1\t10.0.0.4,2001:db8::4',
    'host\thost-1\t100.127.0.1',
    ''
  ])
})

test('the file is replaced whole, is for everybody to read, and leaves nothing beside it', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-names-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const path = join(directory, 'names.tsv')
  writeNames('lab', ROWS, path)
  t.is(writeNames('lab', [], path), path)
  t.is(readFileSync(path, 'utf8'), formatNames('lab', []))
  t.is(statSync(path).mode & 0o777, 0o644)
  t.deepEqual(readdirSync(directory), ['names.tsv'])
})
