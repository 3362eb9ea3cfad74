/**
 * Programs that tests and benches run, and how they wait: for a condition, with a deadline, never
 * for a time. A program is started without a shell, with its arguments as a list.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { runProgram } from '../../daemon/tun/program.ts'

/** Root of the project, as a path. */
export const ROOT = new URL('../..', import.meta.url).pathname.replace(/\/$/, '')
/** The project's own Node: tests run under it. */
export const NODE = process.execPath

const COMMAND_TIMEOUT_MS = 60_000
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024
const POLL_INTERVAL_MS = 20
const EVENTUALLY_TIMEOUT_MS = 15_000

/** How a program ended. */
export interface CommandResult {
  /** Exit code; -1 when a signal ended it. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, however it ends. After `timeoutMs` it is killed (code -1). */
export async function tryCommand (
  program: string, args: readonly string[],
  timeoutMs = COMMAND_TIMEOUT_MS): Promise<CommandResult> {
  const limits = { timeoutMs, outputBytesMax: OUTPUT_BYTES_MAX }
  try {
    const { code, exceeded, output: stdout, errors } = await runProgram(program, args, '', limits)
    const stderr = exceeded === null ? errors : `${errors}it was killed: ${exceeded}`
    return { code: code ?? -1, stdout, stderr }
  } catch (error) {
    return { code: -1, stdout: '', stderr: String(error) }
  }
}

/** Runs a program that must end with code 0. @returns its standard output */
export async function command (program: string, ...args: readonly string[]): Promise<string> {
  const result = await tryCommand(program, args)
  if (result.code !== 0) {
    throw new Error(`"${[program, ...args].join(' ')}" ended with code ${String(result.code)}:\n` +
      `${result.stderr}${result.stdout}`)
  }
  return result.stdout
}

/** Arguments of `ip` that run a program inside a namespace. */
export function inside (namespace: string, args: readonly string[]): string[] {
  return ['netns', 'exec', namespace, ...args]
}

/** A program that runs beside the test until it ends by itself or is stopped. */
export class Background {
  readonly child: ChildProcess
  output = ''
  readonly #ended: Promise<number>

  constructor (program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
    const collect = (chunk: Buffer): void => { this.output += chunk.toString() }
    this.child.stdout?.on('data', collect)
    this.child.stderr?.on('data', collect)
    this.#ended = new Promise((resolve) => {
      this.child.on('error', (error) => {
        this.output += error.message
        resolve(-1)
      })
      this.child.on('close', (code) => { resolve(code ?? -1) })
    })
  }

  get running (): boolean { return this.child.exitCode === null && this.child.signalCode === null }

  /** Resolves with the exit code, -1 when a signal ended it. */
  ended (): Promise<number> { return this.#ended }

  /** Ends it and waits for the end. */
  async stop (signal: NodeJS.Signals = 'SIGTERM'): Promise<string> {
    if (this.running) this.child.kill(signal)
    await this.#ended
    return this.output
  }

  /** Waits until it has printed `text`, or what matches it. */
  async printed (text: string | RegExp): Promise<void> {
    const { spawnfile } = this.child
    try {
      await eventually(`${String(text)} in the output of ${spawnfile}`, () => {
        if (typeof text === 'string' ? this.output.includes(text) : text.test(this.output)) {
          return true
        }
        if (!this.running) throw new Error(`${spawnfile} ended`)
        return false
      })
    } catch (error) {
      throw new Error(`${(error as Error).message}: ${this.output}`, { cause: error })
    }
  }
}

/**
 * Waits until `condition` returns something that is neither false nor undefined.
 * @param what names the condition in the error
 * @returns what `condition` returned
 */
export async function eventually<T> (
  what: string, condition: () => T | false | undefined | Promise<T | false | undefined>,
  timeoutMs = EVENTUALLY_TIMEOUT_MS): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value !== false && value !== undefined) return value
    if (performance.now() > deadline) {
      throw new Error(`Not within ${String(timeoutMs)} ms: ${what}`)
    }
    await new Promise((resolve) => { setTimeout(resolve, POLL_INTERVAL_MS) })
  }
}
