/**
 * The stage of the demo: runs commands, shows each with its output, and ends the play when one does
 * not do what the text says. Nothing here knows what the demo is about.
 *
 *     1. A title
 *        $ the command, as a person would type it
 *          its output
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'

/** ms that one command may take. */
const COMMAND_TIMEOUT_MS = 30_000
/** ms that a command gets to end by itself. */
const END_TIMEOUT_MS = 5000
/** ms between two looks at a condition. */
const POLL_INTERVAL_MS = 100

const MARGIN = '   '
/** Columns of a command until it is broken. */
const COMMAND_COLUMNS = 88

export interface RunOptions {
  /** Lines of standard output to show; default all. */
  readonly show?: (stdout: string) => string
  /** Exit codes that are right; default 0 alone. */
  readonly codes?: readonly number[]
  /** Do not show the command. */
  readonly hidden?: boolean
}

/** A command that runs until it is stopped. */
export interface Background {
  /** Stops it with SIGINT and waits until it is gone. */
  stop: () => Promise<void>
}

export class Stage {
  /** Variables of every command; `use` adds to them. */
  readonly #environment: NodeJS.ProcessEnv
  readonly #children = new Set<ChildProcess>()
  readonly #isTerminal = process.stdout.isTTY
  #step = 0
  #isClosed = false

  constructor (environment: NodeJS.ProcessEnv) {
    this.#environment = { ...environment }
  }

  use (variables: Readonly<Record<string, string>>): void {
    Object.assign(this.#environment, variables)
  }

  title (text: string): void {
    this.#step++
    process.stdout.write(`\n${this.#bold(`${String(this.#step)}. ${text}`)}\n`)
  }

  /** Prints lines, cut where the terminal ends. */
  say (text: string): void {
    const width = process.stdout.isTTY ? process.stdout.columns : Infinity
    const lines = indent(text, MARGIN).split('\n')
    const shown = lines.map((line) =>
      line.length <= width || line.includes('\u001b') ? line : `${line.slice(0, width - 1)}…`)
    process.stdout.write(`${shown.join('\n')}\n`)
  }

  /** Runs a command and shows it. @returns its standard output @throws Error when it fails */
  async run (words: readonly string[], options: RunOptions = {}): Promise<string> {
    const line = commandLine(words)
    if (options.hidden !== true) this.#show(words, '')
    const child = this.#spawn(words)
    const timer = setTimeout(() => child.kill('SIGKILL'), COMMAND_TIMEOUT_MS)
    let stdout = ''
    let stderr = ''
    child.stdout?.on('data', (chunk: Buffer) => { stdout += chunk.toString() })
    child.stderr?.on('data', (chunk: Buffer) => { stderr += chunk.toString() })
    const [code] = await once(child, 'close') as [number | null]
    clearTimeout(timer)
    if (!(options.codes ?? [0]).includes(code ?? -1)) {
      throw new Error(`"${line}" ended with ${String(code)}:\n${stdout}${stderr}`)
    }
    const shown = (options.show ?? ((text) => text))(stdout).trimEnd()
    if (options.hidden !== true && shown !== '') this.say(indent(shown, '  '))
    return stdout
  }

  /** Runs a command whose JSON the demo needs; shows nothing. */
  async json (words: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.run(words, { hidden: true }))
  }

  /** Starts a command and returns when it has printed `ready`. */
  async background (words: readonly string[], ready: RegExp): Promise<Background> {
    const line = commandLine(words)
    this.#show(words, ' &')
    const child = this.#spawn(words)
    const exited = once(child, 'close')
    let output = ''
    const isReady = new Promise<void>((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on('data', (chunk: Buffer) => {
          output += chunk.toString()
          if (ready.test(output)) resolve()
        })
      }
    })
    const outcome = await Promise.race([
      isReady.then(() => 'ready'),
      exited.then(() => 'ended'),
      delay(COMMAND_TIMEOUT_MS, 'was silent', { ref: false })])
    if (outcome !== 'ready') throw new Error(`"${line}" ${outcome}, not ready:\n${output}`)
    return {
      async stop () {
        child.kill('SIGINT')
        await exited
      }
    }
  }

  /** Returns when `condition` holds. */
  async until (what: string, condition: () => Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + COMMAND_TIMEOUT_MS
    while (!await condition()) {
      if (performance.now() > deadlineMs) throw new Error(`Waited in vain until ${what}`)
      await delay(POLL_INTERVAL_MS)
    }
  }

  /** Whether somebody has interrupted the play. */
  get isClosed (): boolean { return this.#isClosed }

  /** Ends the command that runs; what comes next fails at once. */
  close (): void {
    this.#isClosed = true
    for (const child of this.#children) child.kill('SIGTERM')
  }

  /** Ends every command that still runs, gently, and returns when all are gone. */
  async endAll (): Promise<void> {
    await Promise.all([...this.#children].map(async (child) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS)
      const closed = once(child, 'close')
      child.kill('SIGTERM')
      await closed
      clearTimeout(timer)
    }))
  }

  #spawn (words: readonly string[]): ChildProcess {
    if (this.#isClosed) throw new Error('interrupted')
    const [file = '', ...rest] = words
    const child = spawn(file, rest, { env: this.#environment, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#children.add(child)
    child.on('close', () => this.#children.delete(child))
    return child
  }

  /** A command as one types it, broken where it is long. */
  #show (words: readonly string[], end: string): void {
    const lines: string[] = []
    let line = '$'
    for (const word of words.map(quote)) {
      if (line.length + word.length > COMMAND_COLUMNS && line !== '$') {
        lines.push(`${line} \\`)
        line = `   ${word}`
      } else {
        line += ` ${word}`
      }
    }
    this.say([...lines, line + end].map((text) => this.#bold(text)).join('\n'))
  }

  #bold (text: string): string {
    return this.#isTerminal ? `\u001b[1m${text}\u001b[0m` : text
  }
}

/** @throws Error `message` when the demo's claim does not hold */
export function expect (holds: boolean, message: string): void {
  if (!holds) throw new Error(message)
}

/** As one types it in a shell. */
function commandLine (words: readonly string[]): string {
  return words.map(quote).join(' ')
}

function quote (word: string): string {
  return /^[\w./:@%+=,~-]+$/.test(word) ? word : `'${word.replaceAll('\'', '\'\\\'\'')}'`
}

function indent (text: string, margin: string): string {
  return text.split('\n').map((line) => margin + line).join('\n')
}
