import test from 'ava'
import { answerTime, NTP_BYTES } from './time.ts'

const NOW_MS = 1_700_000_000_500

function query (first: number): Buffer {
  const bytes = Buffer.alloc(NTP_BYTES)
  bytes[0] = first
  bytes.fill(0xab, 40, 48)
  return bytes
}

test('a client is answered with the host\'s time, and what it sent', (t) => {
  const answer = answerTime(query(0x23), NOW_MS)
  t.is(answer?.[0], 0x24, 'version 4, mode server')
  t.is(answer?.[1], 3)
  t.is(answer?.subarray(24, 32).toString('hex'), 'ab'.repeat(8))
  t.is(answer?.readUInt32BE(40), 1_700_000_000 + 2_208_988_800)
  t.is(answer?.readUInt32BE(44), 2 ** 31)
})

test('the version is the client\'s', (t) => {
  t.is(answerTime(query(0x1b), NOW_MS)?.[0], 0x1c)
})

test('what is no query is not answered', (t) => {
  for (const first of [0, 0x24, 0x3b, 0x07]) t.is(answerTime(query(first), NOW_MS), null)
  t.is(answerTime(Buffer.alloc(47), NOW_MS), null)
  t.is(answerTime(Buffer.alloc(0), NOW_MS), null)
})
