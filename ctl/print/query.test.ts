import test from 'ava'
import type { CtlError } from '../exit_codes.ts'
import { compileQuery } from './query.ts'

const VPCS = [
  { VpcId: 'vpc-1', State: 'available', Count: 2, Tags: [{ Key: 'Name', Value: 'web' }] },
  { VpcId: 'vpc-2', State: 'pending', Count: 3, Tags: undefined }
]

test('compileQuery selects as the aws CLI does', (t) => {
  for (const [expression, expected] of [
    ['[].VpcId', ['vpc-1', 'vpc-2']],
    ['[?State==\'available\'].VpcId | [0]', 'vpc-1'],
    ['[].{id: VpcId, name: Tags[?Key==`Name`].Value | [0]}',
      [{ id: 'vpc-1', name: 'web' }, { id: 'vpc-2', name: null }]],
    ['sum([].Count)', 5],
    ['[7].VpcId', null],
    ['nosuch', null]
  ] as const) {
    t.deepEqual(compileQuery(expression)(VPCS), expected, expression)
  }
})

test('compileQuery says at which column an expression is wrong', (t) => {
  for (const [expression, column] of [
    ['', 1], ['a.', 3], ['a b', 3], ['[0', 3], ['[].{id: VpcId,, n: B}', 15], ['a #', 3],
    ['a."unclosed', 3], ['[?a==`1].b', 11], ['length(a', 9]
  ] as const) {
    const { message, code } = t.throws<CtlError>(() => compileQuery(expression))
    t.is(code, 'Usage', expression)
    t.true(message.startsWith('--query is no JMESPath expression: '), message)
    t.true(message.includes(` at column ${String(column)}:\n  ${expression}\n`), message)
    t.true(message.endsWith(`\n  ${' '.repeat(column - 1)}^\n`), message)
  }
})

test('a query refuses functions it does not know and arguments of a wrong type', (t) => {
  t.throws(() => compileQuery('nosuch(@)')(VPCS), { code: 'Usage', message: /nosuch\(\)/ })
  t.throws(() => compileQuery('sum([].VpcId)')(VPCS), { code: 'Usage', message: /sum\(\)/ })
})
