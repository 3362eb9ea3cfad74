/**
 * The log: one JSON object per line (pino), to standard error. Facts about single packets never
 * come here: they are counters, flow records, or a trace that somebody asked for.
 *
 * Fields besides pino's own, spelled as in docs/glossary.md: `lab`, `host`, `instance`, `eni`,
 * `vpc`, `subnet`, `namespace`, `revision`, `portIndex`, `err`. A line says in `msg` what happened,
 * in lower case, and leaves every value to a field.
 */
import { pino } from 'pino'
import type { Logger } from 'pino'

export type Log = Logger

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LogOptions {
  readonly lab: string
  readonly level: LogLevel
}

/** Writes each line at once, so that the last words before a crash are kept. */
export function createLog (options: LogOptions): Log {
  return pino({
    level: options.level,
    base: { pid: process.pid, lab: options.lab },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) }
  }, pino.destination({ fd: 2, sync: true }))
}

/** For tests and tools that want none. */
export function silentLog (): Log {
  return pino({ level: 'silent' })
}
