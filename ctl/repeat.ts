/** Looking again and again, at fixed moments, until somebody has seen enough. */
import { setTimeout as delay } from 'node:timers/promises'
import type { CommandOption, Input } from './command.ts'
import { usageError } from './exit_codes.ts'
import type { Output } from './print/output.ts'
import type { Column } from './print/table.ts'

const INTERVAL_S_MIN = 0.1
const INTERVAL_S_MAX = 3600

/** Pauses. @returns false when the signal was aborted */
export async function pause (ms: number, signal: AbortSignal): Promise<boolean> {
  await delay(ms, undefined, { signal }).catch(() => undefined)
  return !signal.aborted
}

/** `--watch [seconds]`: what is printed again, with the default of 2 s. */
export const WATCH_OPTION: CommandOption = {
  flags: '--watch [seconds]', description: 'again and again, until interrupted (default: every 2)'
}
const WATCH_MS_DEFAULT = 2000

/** ms between two looks; undefined without `--watch`. */
export function watchMs (input: Input): number | undefined {
  return input.flag('watch') ? WATCH_MS_DEFAULT : secondsOption(input, 'watch')
}

/** ms of `--name <seconds>`, which may have a fraction. @throws CtlError Usage */
export function secondsOption (input: Input, name: string): number | undefined {
  const text = input.text(name)
  if (text === undefined) return undefined
  const seconds = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || seconds < INTERVAL_S_MIN || seconds > INTERVAL_S_MAX) {
    throw usageError(`--${name} is a number of seconds from ${String(INTERVAL_S_MIN)} to ` +
      `${String(INTERVAL_S_MAX)}, not "${text}"`)
  }
  return seconds * 1000
}

/** A listing that will be followed by others: JSON is one line each, tables stand apart. */
export function printAgain<Row> (output: Output, rows: readonly Row[],
  columns: readonly Column<Row>[], idOf: (row: Row) => string | undefined): void {
  if (output.form === 'json') output.jsonLine(rows)
  else {
    output.rows(rows, columns, idOf)
    if (output.form === 'human') output.text('')
  }
}
