import test from 'ava'
import type { EniRates, HostRates, Rates } from './rates.ts'
import { afterKey, keysIn, TOP_STATE, type TopState } from './state.ts'
import { screenOf, sortKeys, tableOf } from './view.ts'

function eni (name: string, outBits: number, changes: Partial<EniRates> = {}): EniRates {
  return {
    host: 'host-1', eni: `eni-0${name.padEnd(16, '0')}`, eniName: '', instance: 'i-1',
    instanceName: name, inPacketsPerSecond: 1, outPacketsPerSecond: 2, inBitsPerSecond: 3,
    outBitsPerSecond: outBits, dropsPerSecond: 0, topDropReason: null, flows: 1, ...changes
  }
}
const HOST: HostRates = {
  host: 'host-1', zoneId: 'use1-az1', wireMode: 'offload', cpuShare: 0.421, fastPathShare: 1,
  inPacketsPerSecond: 1, outPacketsPerSecond: 2, inBitsPerSecond: 3, outBitsPerSecond: 4,
  dropsPerSecond: 7, topDropReason: 'no-route', flows: 1
}
const RATES: Rates = {
  time: '2026-01-02T03:04:05.678Z',
  seconds: 1,
  enis: [
    eni('a', 1000), eni('b', 2_500_000, { dropsPerSecond: 9, topDropReason: 'blackhole' }),
    eni('c', 0, { outBitsPerSecond: null })
  ],
  hosts: [HOST]
}

/** State after the keys were pressed; null when one of them quits. */
function press (keys: string, state: TopState = TOP_STATE): TopState | null {
  let now: TopState | null = state
  for (const key of keysIn(keys)) if (now !== null) now = afterKey(now, key, sortKeys)
  return now
}

/** Names of the rows, in their order. */
function names (state: TopState | null): string[] {
  if (state === null) throw new Error('a key quit')
  return tableOf(RATES, state, Infinity).split('\n').slice(1).map((line) => line[0] ?? '')
}

test('rows are sorted by the column that was chosen, unknown rates last', (t) => {
  t.deepEqual(names(TOP_STATE), ['b', 'a', 'c'])
  t.deepEqual(names(press('r')), ['c', 'a', 'b'])
  t.deepEqual(names(press('n')), ['a', 'b', 'c'])
  t.deepEqual(names(press('d')), ['b', 'a', 'c'])
  t.is(press('\u001b[C')?.sort, 'drops', 'right of out bit/s')
  t.is(press('\u001b[D')?.sort, 'bits-in')
  t.regex(tableOf(RATES, TOP_STATE, Infinity), /OUT BIT\/S↓.*\n.* 2\.5M .* 9 {2}blackhole /)
})

test('the arrows go round through every column', (t) => {
  let state: TopState = TOP_STATE
  const seen = new Set<string>()
  sortKeys('enis').forEach(() => {
    state = press('\u001b[C', state) ?? state
    seen.add(state.sort)
  })
  t.deepEqual([...seen].toSorted(), sortKeys('enis').toSorted())
  t.is(state.sort, TOP_STATE.sort)
})

test('h shows the hosts with their CPU', (t) => {
  const state = press('h')
  t.regex(tableOf(RATES, state ?? TOP_STATE, Infinity), /^HOST +CPU .*\nhost-1 +42% /)
  t.is(press('hh')?.view, 'enis')
  t.is(press('hch')?.sort, TOP_STATE.sort, 'a column that the other view lacks')
})

test('a filter is typed, kept by Enter and dropped by Escape', (t) => {
  t.deepEqual(names(press('fB\r')), ['b'])
  t.is(press('fbx\u007f\r')?.filter, 'b')
  t.is(press('fq')?.typed, 'q', 'q is a letter here')
  t.is(press('fb\u001b')?.filter, '')
  t.is(tableOf(RATES, { ...TOP_STATE, filter: 'zzz' }, Infinity),
    '(none that the filter lets pass)')
})

test('q and Ctrl-C quit, also while a filter is typed', (t) => {
  t.is(press('q'), null)
  t.is(press('f\u0003'), null)
  t.true(press('p')?.isPaused)
  t.false(press('p ')?.isPaused)
})

test('a screen has exactly as many lines as the terminal, none too long', (t) => {
  for (const columns of [10, 20, 40, 60, 80, 200]) {
    for (const rows of [1, 2, 3, 5, 24]) {
      const lines = screenOf(RATES, TOP_STATE, 1000, { columns, rows })
      t.is(lines.length, rows)
      t.true(lines.every((line) => line.length <= columns), `${String(columns)} columns`)
    }
  }
})

test('a narrow terminal keeps the name and the bits', (t) => {
  const lines = screenOf(RATES, TOP_STATE, 1000, { columns: 40, rows: 10 })
  t.is(lines[2]?.trimEnd(), 'NAME  IN BIT/S  OUT BIT/S↓  DROP/S')
  t.regex(lines[3] ?? '', /^b +3 +2\.5M +9$/)
})

test('scrolling moves the rows and stops at the last', (t) => {
  const first = (state: TopState | null): string =>
    screenOf(RATES, state ?? TOP_STATE, 1000, { columns: 80, rows: 10 })[3]?.[0] ?? ''
  t.is(first(press('\u001b[B')), 'a')
  t.is(first(press('\u001b[6~')), 'c')
  t.is(first(press('\u001b[B\u001b[A\u001b[A')), 'b')
})

test('control characters of a name do not reach the terminal', (t) => {
  const rates = { ...RATES, enis: [eni('a', 1, { instanceName: 'x\u001b[2J\ny' })] }
  const lines = screenOf(rates, TOP_STATE, 1000, { columns: 80, rows: 10 })
  t.notRegex(lines.join(''), /[\u0000-\u001f]/)
})
