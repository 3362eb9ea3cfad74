import { Writable } from 'node:stream'
import { mock } from 'node:test'
import test from 'ava'
import { Output, type OutputForm, type OutputQuery } from './output.ts'
import { formatTree } from './tree.ts'

function makeOutput (form: OutputForm, query?: OutputQuery):
{ output: Output, stdout: () => string, stderr: () => string } {
  const texts = { stdout: '', stderr: '' }
  const stream = (name: 'stdout' | 'stderr'): Writable => new Writable({
    write (chunk: Buffer, _encoding, done) {
      texts[name] += chunk.toString()
      done()
    }
  })
  const output = new Output({
    form,
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    ...query === undefined ? {} : { query }
  })
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

test('Output fits a terminal, by COLUMNS if that is given, and prints whole into a pipe', (t) => {
  const columns = [
    { header: 'id', value: (row: { id: string }) => row.id },
    { header: 'more', value: () => 'x'.repeat(30), hides: true }
  ]
  const headerOn = (terminal: number | undefined, given: number | undefined): string => {
    let text = ''
    const stdout = new Writable({
      write (chunk: Buffer, _encoding, done) {
        text += chunk.toString()
        done()
      }
    })
    const output = new Output({
      form: 'human',
      stdout: Object.assign(stdout, terminal === undefined ? {} : { columns: terminal }),
      stderr: stdout,
      columns: given
    })
    output.rows(ROWS, columns, idOf)
    return text.split('\n')[0] ?? ''
  }
  t.is(headerOn(80, undefined), 'ID  MORE')
  t.is(headerOn(20, undefined), 'ID')
  t.is(headerOn(80, 20), 'ID')
  t.is(headerOn(undefined, 20), 'ID  MORE')
})

test('Output has one line of progress, with work inside other work as its detail', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => { mock.timers.reset() })
  const { output, stdout, stderr } = makeOutput('human')
  t.is(await output.progress('Applying', async () => {
    mock.timers.tick(3000)
    return await output.progress('Waiting', (say) => {
      say('1 of 2')
      return Promise.resolve(7)
    })
  }), 7)
  t.is(stderr(), 'Applying ...\nApplying: Waiting ...\nApplying: Waiting: 1 of 2 ...\n')
  t.is(stdout(), '')
  await output.progress('Again', () => {
    mock.timers.tick(3000)
    return Promise.resolve()
  })
  t.true(stderr().endsWith('\nAgain ...\n'))
})

test('Output filters JSON by a query', (t) => {
  const first = (value: unknown): unknown => (value as unknown[])[0]
  const { output, stdout } = makeOutput('json', { select: first, isBare: false })
  output.rows(ROWS, COLUMNS, idOf)
  output.jsonLine(['x'])
  t.is(stdout(), '{\n  "id": "a"\n}\n"x"\n')
})

test('Output prints what a query selects bare, a line for each item', (t) => {
  for (const [selected, printed] of [
    [['a', 1, true, null, ['b'], { c: 1 }], 'a\n1\ntrue\nnull\n["b"]\n{"c":1}\n'],
    ['a b', 'a b\n'], [null, 'null\n'], [[], '']
  ] as const) {
    const { output, stdout } = makeOutput('json', { select: () => selected, isBare: true })
    output.rows(ROWS, COLUMNS, idOf)
    t.is(stdout(), printed)
  }
})

test('Output prints one JSON value a line without a query', (t) => {
  const { output, stdout } = makeOutput('json')
  output.jsonLine({ a: [1] })
  t.is(stdout(), '{"a":[1]}\n')
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
