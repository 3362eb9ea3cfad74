/**
 * System programs that the host part runs: `ip` of iproute2 above all.
 *
 * A program is started without a shell, with its arguments as a list, so that no name can be taken
 * for syntax. Commands for one namespace go to one process as a batch (`ip -n NAME -batch -`): the
 * start of a process costs about 2 ms, a line of a batch a few microseconds, and 200 instances are
 * to be up within seconds. A batch stops at its first error; whoever sent it looks at the namespace
 * again and sends what is still missing, so a batch need not be atomic.
 *
 * Errors are VpclabError VPCLAB_ERR_COMMAND with the command, its exit code and what it said.
 */
import { VpclabError } from '../base/errors.ts'
import { runProgram } from '../tun/program.ts'
import type { ProgramResult } from '../tun/program.ts'

/** Longest run of one program; beyond it the process is killed and the command has failed. */
export const COMMAND_TIMEOUT_MS = 30_000
/** Most bytes of output that one program may print. */
export const COMMAND_OUTPUT_BYTES_MAX = 16 * 1024 * 1024
const LIMITS = { timeoutMs: COMMAND_TIMEOUT_MS, outputBytesMax: COMMAND_OUTPUT_BYTES_MAX }
/** Most characters of a program's complaint that an error repeats. */
const COMPLAINT_CHARACTERS_MAX = 600
/** Last words of `ip -batch`: which line it stopped at. */
const BATCH_FAILED = /Command failed -:(\d+)/

/**
 * Runs a program to its end.
 * @param input text for its standard input
 * @returns its standard output
 * @throws VpclabError VPCLAB_ERR_COMMAND
 */
export async function runCommand (
  program: string, args: readonly string[], input = ''
): Promise<string> {
  const command = [program, ...args].join(' ')
  let result: ProgramResult
  try {
    result = await runProgram(program, args, input, LIMITS)
  } catch (error) {
    if (error instanceof VpclabError) throw error
    throw new VpclabError('VPCLAB_ERR_COMMAND', `Cannot run "${command}": ${
      codeOf(error) === 'ENOENT' ? `the program ${program} is not installed` : codeOf(error)}`,
    { cause: error })
  }
  if (result.code === 0 && result.exceeded === null) return result.output
  throw commandError(command, input, result)
}

/** `ip` with arguments, in the daemon's own namespace. */
export function runIp (...args: readonly string[]): Promise<string> {
  return runCommand('ip', args)
}

/**
 * Lines of `ip` for one namespace in one process.
 * @param namespace null: the daemon's own
 * @param options before the batch, `-6` or `-j`
 * @returns standard output of all lines, one after another
 */
export function runIpBatch (
  namespace: string | null, lines: readonly string[], options: readonly string[] = []
): Promise<string> {
  const where = namespace === null ? [] : ['-n', namespace]
  return runCommand('ip', [...where, ...options, '-batch', '-'], lines.join('\n') + '\n')
}

function commandError (
  command: string, input: string, { code, signal, exceeded, errors }: ProgramResult
): VpclabError {
  const failedLine = BATCH_FAILED.exec(errors)?.[1]
  const complaint = errors.replace(BATCH_FAILED, '').trim().slice(0, COMPLAINT_CHARACTERS_MAX)
  const line = failedLine === undefined
    ? ''
    : `, at "${input.split('\n')[Number(failedLine) - 1] ?? ''}"`
  const end = exceeded === 'timeoutMs'
    ? `was killed after ${String(COMMAND_TIMEOUT_MS)} ms`
    : exceeded === 'outputBytesMax'
      ? `was killed after ${String(COMMAND_OUTPUT_BYTES_MAX)} bytes of output`
      : signal === null ? `ended with code ${String(code)}` : `was ended by ${signal}`
  return new VpclabError('VPCLAB_ERR_COMMAND', `"${command}" ${end}${line}: ${complaint}`)
}

function codeOf (error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
