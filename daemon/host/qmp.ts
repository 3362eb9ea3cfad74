/**
 * One conversation with qemu on its control socket: the QEMU Machine Protocol, lines of JSON.
 * https://www.qemu.org/docs/master/interop/qmp-spec.html
 *
 *     ◀ {"QMP": …}   ▶ {"execute": "qmp_capabilities"}   ◀ {"return": {}}   then commands, in order
 *     events ({"event": …}) come at any time
 *
 * What comes from the socket is qemu's, not the guest's; lines are bounded all the same.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { VpclabError } from '../base/errors.ts'

/** How long qemu may take to answer, ms. */
const ANSWER_MS_MAX = 5000
const LINE_CHARACTERS_MAX = 65_536

interface Line {
  readonly QMP?: object
  readonly return?: unknown
  readonly error?: { readonly class: string, readonly desc: string }
  readonly event?: string
  readonly data?: Readonly<Record<string, unknown>>
}

export class Qmp {
  readonly #socket: Socket
  readonly #path: string
  #text = ''
  #lines: Line[] = []
  #wake: (() => void) | null = null
  #failure: string | null = null

  private constructor (socket: Socket, path: string) {
    this.#socket = socket
    this.#path = path
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => { this.#hear(chunk) })
    socket.on('error', (error) => { this.#fail(error.message) })
    socket.on('close', () => { this.#fail('qemu has closed it') })
  }

  /**
   * Runs `body` with a conversation and ends it.
   * @throws VpclabError VPCLAB_ERR_AGENT when qemu is not there, refuses, or does not answer
   */
  static async with<Result> (path: string, body: (qmp: Qmp) => Promise<Result>): Promise<Result> {
    const qmp = new Qmp(connect(path), path)
    try {
      await qmp.#take((line) => line.QMP !== undefined)
      await qmp.execute('qmp_capabilities')
      return await body(qmp)
    } finally {
      qmp.#socket.destroy()
    }
  }

  /** Runs one command. */
  async execute (command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`)
    const answer = await this.#take((line) => 'return' in line || line.error !== undefined)
    if (answer.error === undefined) return answer.return
    throw this.#error(`${command}: ${answer.error.desc}`)
  }

  /** Waits for an event, which may have come already. */
  async event (name: string, matches: (data: Readonly<Record<string, unknown>>) => boolean):
  Promise<void> {
    await this.#take((line) => line.event === name && matches(line.data ?? {}))
  }

  /** Takes the first line that fits out of those that came, or come. */
  async #take (fits: (line: Line) => boolean): Promise<Line> {
    const timer = setTimeout(() => {
      this.#fail(`no answer within ${String(ANSWER_MS_MAX)} ms`)
    }, ANSWER_MS_MAX)
    try {
      for (;;) {
        const at = this.#lines.findIndex(fits)
        const [line] = at < 0 ? [] : this.#lines.splice(at, 1)
        if (line !== undefined) return line
        if (this.#failure !== null) throw this.#error(this.#failure)
        await new Promise<void>((resolve) => { this.#wake = resolve })
      }
    } finally {
      clearTimeout(timer)
    }
  }

  #hear (chunk: string): void {
    this.#text += chunk
    if (this.#text.length > LINE_CHARACTERS_MAX) this.#fail('a line without end')
    const lines = this.#text.split('\n')
    this.#text = lines.pop() ?? ''
    for (const line of lines) {
      try {
        if (line.trim() !== '') this.#lines.push(JSON.parse(line) as Line)
      } catch {
        this.#fail('a line that is no JSON')
      }
    }
    this.#wake?.()
  }

  #fail (why: string): void {
    this.#failure ??= why
    this.#wake?.()
  }

  #error (why: string): VpclabError {
    return new VpclabError('VPCLAB_ERR_AGENT', `qemu at ${this.#path}: ${why}`)
  }
}
