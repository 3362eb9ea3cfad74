import { Writable } from 'node:stream'
import test from 'ava'
import { Output, type OutputForm } from './output.ts'
import { formatTree } from './tree.ts'

function makeOutput (form: OutputForm):
{ output: Output, stdout: () => string, stderr: () => string } {
  const texts = { stdout: '', stderr: '' }
  const stream = (name: 'stdout' | 'stderr'): Writable => new Writable({
    write (chunk: Buffer, _encoding, done) {
      texts[name] += chunk.toString()
      done()
    }
  })
  const output = new Output({ form, stdout: stream('stdout'), stderr: stream('stderr') })
  return { output, stdout: () => texts.stdout, stderr: () => texts.stderr }
}

const COLUMNS = [{ header: 'id', value: (row: { id: string }) => row.id }]
const ROWS = [{ id: 'a' }, { id: 'b' }]
const idOf = (row: { id: string }): string => row.id

test('Output prints rows as a table, as JSON and as ids', (t) => {
  for (const [form, expected] of [
    ['human', 'ID\na\nb\n'], ['quiet', 'a\nb\n'], ['json', `${JSON.stringify(ROWS, null, 2)}\n`]
  ] as const) {
    const { output, stdout } = makeOutput(form)
    output.rows(ROWS, COLUMNS, idOf)
    t.is(stdout(), expected)
  }
})

test('Output prints no rows as an empty list, and says so to a person alone', (t) => {
  const json = makeOutput('json')
  json.output.rows([], COLUMNS, idOf)
  t.is(json.stdout(), '[]\n')
  const human = makeOutput('human')
  human.output.rows([], COLUMNS, idOf)
  t.is(human.stdout(), '')
  t.is(human.stderr(), '(none)\n')
})

test('Output keeps notes out of JSON', (t) => {
  const { output, stdout, stderr } = makeOutput('json')
  output.note('waiting')
  output.done('Deleted a.', { Id: 'a' })
  t.is(stderr(), '')
  t.deepEqual(JSON.parse(stdout()), { Id: 'a' })
})

test('formatTree indents members and leaves out what is empty', (t) => {
  t.is(formatTree({
    VpcId: 'vpc-1',
    IsDefault: false,
    Empty: '',
    NoItems: [],
    Tags: [{ Key: 'Name', Value: 'web' }, { Key: 'a', Value: 'b' }],
    Blocks: ['10.0.0.0/16']
  }), [
    'VpcId      vpc-1',
    'IsDefault  false',
    'Tags',
    '  - Key    Name',
    '    Value  web',
    '  - Key    a',
    '    Value  b',
    'Blocks',
    '  - 10.0.0.0/16'
  ].join('\n'))
})
