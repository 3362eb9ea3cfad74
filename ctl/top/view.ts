/**
 * What `vpcctl top` shows, as lines of text: pure, from rates and what the person has chosen.
 *
 *     vpclab top · ENIs · every 1 s · sorted by out bits ↓                       [paused]
 *     NAME  ENI  INSTANCE  HOST  IN PKT/S  OUT PKT/S  IN BIT/S  OUT BIT/S  DROPS/S  REASON  FLOWS
 *     …
 *     q quit  ←→ sort  r reverse  h hosts  f filter  p pause
 *
 * Columns give way on a narrow terminal, the last first (print/table.ts).
 */
import { oneLine } from '../print/one_line.ts'
import { type Column, formatTable } from '../print/table.ts'
import { formatCount } from '../print/units.ts'
import type { EniRates, HostRates, Rates } from './rates.ts'
import type { TopState } from './state.ts'

/** A column that can be sorted by. */
export interface TopColumn<Row> extends Column<Row> {
  readonly key: string
  /** What it is sorted by: numbers from the highest, texts from A. */
  readonly by: (row: Row) => number | string
}

type Traffic = EniRates | HostRates

const TRAFFIC_COLUMNS: readonly TopColumn<Traffic>[] = [
  rate('in pkt/s', 'packets-in', (row) => row.inPacketsPerSecond, true),
  rate('out pkt/s', 'packets-out', (row) => row.outPacketsPerSecond, true),
  rate('in bit/s', 'bits-in', (row) => row.inBitsPerSecond),
  rate('out bit/s', 'bits-out', (row) => row.outBitsPerSecond),
  rate('drop/s', 'drops', (row) => row.dropsPerSecond),
  {
    header: 'reason', key: 'reason', shrinks: true, hides: true,
    value: (row) => row.topDropReason ?? '', by: (row) => row.topDropReason ?? '~'
  },
  {
    header: 'flows', key: 'flows', align: 'right', hides: true,
    value: (row) => formatCount(row.flows), by: (row) => row.flows
  }
]

const ENI_COLUMNS: readonly TopColumn<EniRates>[] = [
  {
    header: 'name', key: 'name', shrinks: true,
    value: (row) => row.eniName || row.instanceName || row.eni,
    by: (row) => row.eniName || row.instanceName || row.eni
  },
  { header: 'host', key: 'host', hides: true, value: (row) => row.host, by: (row) => row.host },
  ...TRAFFIC_COLUMNS,
  { header: 'eni', key: 'eni', hides: true, value: (row) => row.eni, by: (row) => row.eni },
  {
    header: 'instance', key: 'instance', hides: true,
    value: (row) => row.instance ?? '', by: (row) => row.instance ?? '~'
  }
]

const HOST_COLUMNS: readonly TopColumn<HostRates>[] = [
  { header: 'host', key: 'host', shrinks: true, value: (row) => row.host, by: (row) => row.host },
  {
    header: 'cpu', key: 'cpu', align: 'right',
    value: (row) => percent(row.cpuShare), by: (row) => row.cpuShare ?? -1
  },
  ...TRAFFIC_COLUMNS,
  {
    header: 'fast path', key: 'fast-path', align: 'right', hides: true,
    value: (row) => percent(row.fastPathShare), by: (row) => row.fastPathShare ?? -1
  },
  {
    header: 'wire', key: 'wire', hides: true,
    value: (row) => row.wireMode, by: (row) => row.wireMode
  },
  { header: 'zone', key: 'zone', hides: true, value: (row) => row.zoneId, by: (row) => row.zoneId }
]

/** Keys of the columns of a view, from left to right. */
export function sortKeys (view: TopState['view']): readonly string[] {
  return (view === 'enis' ? ENI_COLUMNS : HOST_COLUMNS).map(({ key }) => key)
}

/** The rows of a view as they are printed where no screen is. */
export function tableOf (rates: Rates, state: TopState, width: number): string {
  return state.view === 'enis'
    ? table(rates.enis, ENI_COLUMNS, state, width)
    : table(rates.hosts, HOST_COLUMNS, state, width)
}

export interface ScreenSize { readonly columns: number, readonly rows: number }

const KEYS = 'q quit  ←→ sort  r reverse  h hosts/ENIs  f filter  p pause  ↑↓ scroll'

/** Exactly `size.rows` lines, none longer than `size.columns`. */
export function screenOf (rates: Rates, state: TopState, intervalMs: number,
  size: ScreenSize): string[] {
  const room = Math.max(0, size.rows - 4)
  const shown = { ...state, room }
  const lines = [
    title(state, intervalMs),
    totals(rates),
    ...tableOf(rates, shown, size.columns).split('\n')
  ].slice(0, Math.max(1, size.rows - 1))
  while (lines.length < size.rows - 1) lines.push('')
  const last = state.typed === null
    ? KEYS
    : `filter: ${state.typed}▏ (Enter keeps it, Esc drops it)`
  return [...lines, last].slice(0, size.rows)
    .map((line) => Array.from(oneLine(line)).slice(0, size.columns).join(''))
}

function title (state: TopState, intervalMs: number): string {
  const parts = [
    `vpcctl top: ${state.view === 'enis' ? 'ENIs' : 'hosts'}`,
    `every ${String(intervalMs / 1000)} s`,
    ...state.filter === '' ? [] : [`only "${state.filter}"`],
    ...state.isPaused ? ['PAUSED'] : []
  ]
  return parts.join(' · ')
}

function totals ({ enis, hosts }: Rates): string {
  const sum = (rows: readonly Traffic[], of: (row: Traffic) => number | null): string =>
    formatCount(rows.reduce((total, row) => total + (of(row) ?? 0), 0))
  return `${String(hosts.length)} hosts, ${String(enis.length)} ENIs · out of ENIs ` +
    `${sum(enis, (row) => row.outPacketsPerSecond)} packets/s, ` +
    `${sum(enis, (row) => row.outBitsPerSecond)} bit/s · ` +
    `drops ${sum(hosts, (row) => row.dropsPerSecond)}/s`
}

function table<Row extends Traffic> (rows: readonly Row[], columns: readonly TopColumn<Row>[],
  state: TopState, width: number): string {
  const sorted = columns.find(({ key }) => key === state.sort) ?? columns[0]
  if (sorted === undefined) return ''
  const wanted = rows.filter((row) => matches(row, state.filter))
    .toSorted((one, other) => compare(sorted, one, other) * (state.isReversed ? -1 : 1))
  if (wanted.length === 0) return rows.length === 0 ? '(none)' : '(none that the filter lets pass)'
  const from = Math.min(state.scroll, wanted.length - 1)
  const marked = columns.map((column) => column === sorted
    ? { ...column, header: column.header + (state.isReversed ? '↑' : '↓') }
    : column)
  return formatTable(wanted.slice(from, from + state.room), marked, width)
}

function compare<Row> ({ by }: TopColumn<Row>, one: Row, other: Row): number {
  const [first, second] = [by(one), by(other)]
  if (typeof first === 'number' && typeof second === 'number') return second - first
  return String(first) < String(second) ? -1 : String(first) > String(second) ? 1 : 0
}

function matches (row: Traffic, filter: string): boolean {
  const texts = 'eni' in row
    ? [row.eniName, row.instanceName, row.eni, row.instance ?? '', row.host]
    : [row.host, row.zoneId]
  return texts.some((text) => text.toLowerCase().includes(filter.toLowerCase()))
}

function rate (header: string, key: string, of: (row: Traffic) => number | null,
  hides = false): TopColumn<Traffic> {
  return {
    header, key, align: 'right', hides,
    value: (row) => {
      const perSecond = of(row)
      return perSecond === null ? '' : formatCount(perSecond)
    },
    by: (row) => of(row) ?? -1
  }
}

function percent (share: number | null): string {
  return share === null ? '' : `${(share * 100).toFixed(0)}%`
}
