import test from 'ava'
import { formatCount } from './units.ts'
import { wrapText } from './wrap.ts'

test('wrapText breaks at spaces, keeps long words whole and nothing else', (t) => {
  t.is(wrapText('one two three', 8), 'one two\nthree')
  t.is(wrapText('one two three', 7, '  '), '  one\n  two\n  three')
  t.is(wrapText('a eni-0123456789abcdef0 b', 8), 'a\neni-0123456789abcdef0\nb')
  t.is(wrapText('one two three', Infinity, '> '), '> one two three')
  t.is(wrapText('', 10), '')
})

test('formatCount keeps numbers short', (t) => {
  t.deepEqual([0, 0.4, 7, 999, 1000, 2_500_000, 9.99e9].map(formatCount),
    ['0', '0', '7', '999', '1.0k', '2.5M', '10.0G'])
})
