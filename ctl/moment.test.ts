import test from 'ava'
import { parseMoment } from './moment.ts'

const NOW_MS = Date.UTC(2026, 0, 2)

test('moments are RFC 3339, so long ago, or now', (t) => {
  const parse = (text: string): string => parseMoment('--at', text, NOW_MS).toISOString()
  t.is(parse('2026-01-01T10:20:30.5+02:00'), '2026-01-01T08:20:30.500Z')
  t.is(parse('2026-01-01'), '2026-01-01T00:00:00.000Z')
  t.is(parse('-90s'), '2026-01-01T23:58:30.000Z')
  t.is(parse('-1d'), '2026-01-01T00:00:00.000Z')
  t.is(parse('now'), '2026-01-02T00:00:00.000Z')
})

for (const text of ['', 'yesterday', '5m', '-5', '2026-13-01', '2026-01-01T10:20', '12']) {
  test(`"${text}" is no moment`, (t) => {
    t.throws(() => parseMoment('--at', text, NOW_MS), { message: /--at is a time as 2026/ })
  })
}
