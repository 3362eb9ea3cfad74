/**
 * BIRD's control socket: one command at a time, lines with codes in the answer. BIRD Programmer's
 * Documentation, "Client protocol"; nest/cli.c.
 *
 *     1002-v0a_1  BGP  --- up …        code, '-': more follows
 *     1006-  BGP state: Established
 *            Neighbor address: …       a space in front: the code of the line before
 *     0000                             code, ' ': the last line
 *
 * 0xxx: done; 1xxx: a row; 2xxx: a heading; 8xxx: refused; 9xxx: not understood. Lines that begin
 * with '+' are news that nobody asked for. The peer at the other end is our own BIRD, but what it
 * repeats came from the network: answers are bounded.
 */
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { VpclabError } from '../base/errors.ts'

export interface ReplyLine {
  readonly code: number
  readonly text: string
}

/** Longest wait for the end of an answer. */
const REPLY_MS_MAX = 5_000
/** Longest answer: ten connections with all the routes they may have are about 300 KB. */
const REPLY_BYTES_MAX = 16 * 1024 * 1024

/** Lines of a reply as they come; `line` returns true at the last one. */
export class ReplyReader {
  readonly lines: ReplyLine[] = []
  #code = 0

  /** @returns whether the reply is complete */
  line (text: string): boolean {
    if (text.startsWith('+')) return false
    const match = /^(\d{4})([ -])(.*)$/.exec(text)
    if (match === null) {
      this.lines.push({ code: this.#code, text: text.startsWith(' ') ? text.slice(1) : text })
      return false
    }
    this.#code = Number(match[1])
    this.lines.push({ code: this.#code, text: match[3] ?? '' })
    return match[2] === ' '
  }
}

export class BirdControl {
  readonly #socket: Socket
  #partial = ''
  #reader = new ReplyReader()
  #bytes = 0
  #waiting: { resolve: (lines: ReplyLine[]) => void, reject: (error: Error) => void } | null = null
  #isClosed = false

  private constructor (socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => { this.#take(text) })
    socket.on('error', (error) => { this.#fail(error) })
    socket.on('close', () => { this.#fail(new Error('the socket was closed')) })
  }

  /** @throws VpclabError VPCLAB_ERR_COMMAND when nobody listens there */
  static async connect (path: string): Promise<BirdControl> {
    const socket = createConnection({ path })
    const control = new BirdControl(socket)
    await control.#reply() // its greeting
    return control
  }

  get isClosed (): boolean { return this.#isClosed }

  /**
   * One command. Precondition: the one before is answered.
   * @throws VpclabError VPCLAB_ERR_COMMAND: refused, not understood, not answered in time
   */
  async command (text: string): Promise<ReplyLine[]> {
    const reply = this.#reply()
    this.#socket.write(`${text}\n`)
    const lines = await reply
    const { code, text: words } = lines.at(-1) ?? { code: 9000, text: 'no answer' }
    if (code < 8000) return lines
    throw commandError(text, words)
  }

  close (): void {
    this.#isClosed = true
    this.#socket.destroy()
  }

  async #reply (): Promise<ReplyLine[]> {
    if (this.#isClosed) throw commandError('a command', 'the socket is closed')
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<ReplyLine[]>((resolve, reject) => {
        this.#waiting = { resolve, reject }
        timer = setTimeout(() => {
          this.#fail(new Error(`no answer within ${String(REPLY_MS_MAX)} ms`))
        }, REPLY_MS_MAX)
      })
    } finally {
      clearTimeout(timer)
    }
  }

  #take (text: string): void {
    this.#bytes += text.length
    if (this.#bytes > REPLY_BYTES_MAX) {
      this.#fail(new Error(`an answer of more than ${String(REPLY_BYTES_MAX)} bytes`))
      return
    }
    const lines = (this.#partial + text).split('\n')
    this.#partial = lines.pop() ?? ''
    for (const line of lines) {
      if (!this.#reader.line(line)) continue
      const { lines: reply } = this.#reader
      this.#reader = new ReplyReader()
      this.#bytes = 0
      this.#waiting?.resolve(reply)
      this.#waiting = null
    }
  }

  #fail (error: Error): void {
    this.close()
    this.#waiting?.reject(commandError('the control socket', error.message, error))
    this.#waiting = null
  }
}

function commandError (what: string, why: string, cause?: Error): VpclabError {
  return new VpclabError('VPCLAB_ERR_COMMAND', `BIRD, ${what}: ${why}`,
    cause === undefined ? {} : { cause })
}
