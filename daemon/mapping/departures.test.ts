import test from 'ava'
import { FORMERS_MAX } from '../dataplane/tables/update.ts'
import { DEPARTURE_MS, Departures } from './departures.ts'

const ENI = 'eni-00000000000000001'

function departures (departedMax?: number): { departures: Departures, at: (ms: number) => void } {
  let nowMs = 0
  const clock = { nowMs: () => 0, monotonicMs: () => nowMs }
  return { departures: new Departures(clock, departedMax), at: (ms) => { nowMs = ms } }
}

test('a host that an ENI has left counts for a minute', (t) => {
  const { departures: left, at } = departures()
  t.deepEqual(left.of(ENI), [])
  left.note(ENI, 'host-1')
  at(20_000)
  left.note(ENI, 'host-2')
  t.deepEqual(left.of(ENI), [
    { hostName: 'host-1', remainingMs: DEPARTURE_MS - 20_000 },
    { hostName: 'host-2', remainingMs: DEPARTURE_MS }
  ])
  at(DEPARTURE_MS)
  t.deepEqual(left.of(ENI), [{ hostName: 'host-2', remainingMs: 20_000 }])
  at(DEPARTURE_MS + 20_000)
  t.deepEqual(left.of(ENI), [])
})

test('a host that was left twice counts from the last time', (t) => {
  const { departures: left, at } = departures()
  left.note(ENI, 'host-1')
  at(10_000)
  left.note(ENI, 'host-1')
  t.deepEqual(left.of(ENI), [{ hostName: 'host-1', remainingMs: DEPARTURE_MS }])
})

test('of an ENI that roams the last hosts are kept', (t) => {
  const { departures: left } = departures()
  const hosts = Array.from({ length: FORMERS_MAX + 2 }, (_host, n) => `host-${String(n)}`)
  for (const host of hosts) left.note(ENI, host)
  t.deepEqual(left.of(ENI).map(({ hostName }) => hostName), hosts.slice(-FORMERS_MAX))
})

test('ENIs are forgotten when all of their time is over, and the oldest beyond the limit', (t) => {
  const { departures: left, at } = departures(2)
  t.deepEqual(left.note('eni-a', 'host-1'), [])
  t.deepEqual(left.note('eni-b', 'host-1'), [])
  at(1000)
  t.deepEqual(left.note('eni-a', 'host-2'), [], 'the same ENI again')
  t.deepEqual(left.note('eni-c', 'host-1'), ['eni-b'])
  t.deepEqual([...left.ids()], ['eni-a', 'eni-c'])
  at(DEPARTURE_MS + 1000)
  t.deepEqual(left.note('eni-d', 'host-1'), ['eni-a', 'eni-c'])
})
