/**
 * `vpcctl top`: what passes now, by ENI and by host. A full screen on a terminal; a table or a JSON
 * line per interval elsewhere. Rates are made here from two readings of the daemon's counters.
 */
import type { TrafficAnswer } from '../../daemon/api/admin/contract.ts'
import type { Command } from '../command.ts'
import type { Context } from '../context.ts'
import { usageError } from '../exit_codes.ts'
import { untilInterrupted } from '../interrupt.ts'
import { pause, secondsOption } from '../repeat.ts'
import { type Rates, ratesOf } from '../top/rates.ts'
import { Screen } from '../top/screen.ts'
import { afterKey, keysIn, TOP_STATE, type TopState } from '../top/state.ts'
import { screenOf, sortKeys, tableOf } from '../top/view.ts'

const INTERVAL_MS_DEFAULT = 1000
const COUNT_MAX = 1_000_000

export const topCommand: Command = {
  name: 'top',
  summary: 'Show packets, bits and drops per second of every ENI and host',
  action: 'GET /traffic (admin API)',
  options: [
    { flags: '--interval <seconds>', description: 'between two looks, 0.1 to 3600 (default: 1)' },
    { flags: '--once', description: 'print one table and end' },
    { flags: '--count <count>', description: 'print so many tables and end' },
    { flags: '--hosts', description: 'begin with the hosts instead of the ENIs' },
    { flags: '--sort <column>', description: `${sortKeys('enis').join(', ')}; of hosts also cpu` },
    { flags: '--filter <text>', description: 'only what has it in a name or an id' }
  ],
  note: 'Keys: q quits, ← and → (or i o k d l n) choose the column to sort by, r reverses, h ' +
    'switches between ENIs and hosts, f filters, p pauses, ↑ and ↓ scroll. "in" enters an ENI, ' +
    '"out" leaves it; of hosts both count the encapsulated packets of the underlay, and cpu is ' +
    'the data plane\'s share of one CPU.',
  examples: ['vpcctl top', 'vpcctl top --once --sort drops', 'vpcctl top --json --interval 5'],
  run: async (context, input) => {
    const intervalMs = secondsOption(input, 'interval') ?? INTERVAL_MS_DEFAULT
    const count = input.flag('once') ? 1 : input.integer('count', 1, COUNT_MAX)
    const view = input.flag('hosts') ? 'hosts' : 'enis'
    const sort = input.text('sort') ?? TOP_STATE.sort
    if (!sortKeys(view).includes(sort)) {
      throw usageError(`--sort is one of ${sortKeys(view).join(', ')}, not "${sort}"`)
    }
    const state: TopState = { ...TOP_STATE, view, sort, filter: input.text('filter') ?? '' }
    const { output } = context
    await untilInterrupted(async (signal) => {
      if (count === undefined && output.form === 'human' && output.isTerminal) {
        await watchOnScreen(context, state, intervalMs, signal)
      } else await printTables(context, state, intervalMs, count ?? Infinity, signal)
    })
  }
}

async function printTables ({ admin, output }: Context, state: TopState, intervalMs: number,
  count: number, signal: AbortSignal): Promise<void> {
  let before = await admin.traffic()
  for (let printed = 0; printed < count && await pause(intervalMs, signal); printed++) {
    const now = await admin.traffic()
    const rates = ratesOf(before, now)
    before = now
    if (output.form === 'json') output.jsonLine(rates)
    else if (output.form === 'quiet') rates.enis.forEach(({ eni }) => { output.text(eni) })
    else output.text((printed === 0 ? '' : '\n') + tableOf(rates, state, output.width))
  }
}

/** Until a key or a signal ends it. */
async function watchOnScreen (context: Context, first: TopState, intervalMs: number,
  signal: AbortSignal): Promise<void> {
  let state = first
  let rates: Rates | null = null
  const quit = new AbortController()
  const draw = (): void => {
    if (rates !== null) screen.draw(screenOf(rates, state, intervalMs, screen.size))
  }
  const screen = new Screen(process.stdin, process.stdout, (text) => {
    for (const key of keysIn(text)) {
      const next = afterKey(state, key, sortKeys)
      if (next === null) quit.abort()
      else state = next
    }
    draw()
  }, draw)
  const ended = AbortSignal.any([signal, quit.signal])
  let before: TrafficAnswer | null = null
  screen.enter()
  try {
    do {
      const now = await context.admin.traffic()
      if (!state.isPaused) rates = ratesOf(before, now)
      before = now
      draw()
    } while (await pause(intervalMs, ended))
  } finally {
    screen.leave()
  }
}
