/**
 * Moments as people type them: `2026-03-01T10:20:30Z` (RFC 3339), `2026-03-01`, `-5m` (so long
 * ago), `now`.
 */
import { usageError } from './exit_codes.ts'

const UNIT_MS: Readonly<Record<string, number>> =
  { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const AGO = /^-(\d{1,9})([smhd])$/
const RFC3339 = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/

/** @param what what the person would recognise: `--at` @throws CtlError Usage */
export function parseMoment (what: string, text: string, nowMs: number): Date {
  if (text === 'now') return new Date(nowMs)
  const [, amount, unit = ''] = AGO.exec(text) ?? []
  if (amount !== undefined) return new Date(nowMs - Number(amount) * (UNIT_MS[unit] ?? 0))
  const moment = new Date(text)
  if (RFC3339.test(text) && !Number.isNaN(moment.getTime())) return moment
  throw usageError(`${what} is a time as 2026-03-01T10:20:30Z, or so long ago as -90s, -5m, -2h, ` +
    `-1d, not "${text}"`)
}
