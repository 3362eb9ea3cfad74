/**
 * Runs a program to its end without a fork of this process: a fork copies the page tables of the
 * whole daemon on Node's thread (15 to 60 ms at 300 MB), which otherwise routes calls and commits.
 * The addon starts it with posix_spawn, on a thread of its own (native/program.h).
 *
 * For programs that end by themselves and are asked for what they print. What lives on (guests,
 * charon, BIRD) is a child of Node, which tells when it ends.
 */
import { constants } from 'node:os'
import { PROGRAM_ENDED, PROGRAM_TIMED_OUT, loadAddon } from './addon.ts'

export interface ProgramLimits {
  readonly timeoutMs: number
  /** Of standard output and of standard error, each. */
  readonly outputBytesMax: number
}

export interface ProgramResult {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null
  /** `SIGKILL`; null when it ended by itself. */
  readonly signal: string | null
  /** Which limit it was killed at; null for none. */
  readonly exceeded: keyof ProgramLimits | null
  readonly output: string
  readonly errors: string
}

/**
 * @param program looked for in PATH
 * @param input text for its standard input
 * @throws Error with an errno's name as its code (ENOENT) when it cannot be started
 */
export async function runProgram (
  program: string, args: readonly string[], input: string, limits: ProgramLimits
): Promise<ProgramResult> {
  const { timeoutMs, outputBytesMax } = limits
  const [code, signal, why, output, errors] =
    await loadAddon().runProgram([program, ...args], input, timeoutMs, outputBytesMax)
  return {
    code: code < 0 ? null : code,
    signal: signal === 0 ? null : signalName(signal),
    exceeded: why === PROGRAM_ENDED ? null
      : why === PROGRAM_TIMED_OUT ? 'timeoutMs' : 'outputBytesMax',
    output, errors
  }
}

function signalName (number: number): string {
  const known = Object.entries(constants.signals).find(([, value]) => value === number)
  return known?.[0] ?? `signal ${String(number)}`
}
