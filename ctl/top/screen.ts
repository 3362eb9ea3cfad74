/**
 * A full screen of text on a terminal (ECMA-48, and xterm's alternate screen): what was there comes
 * back at the end, however the end comes. Keys arrive unechoed while it is up.
 */
import type { ReadStream, WriteStream } from 'node:tty'
import type { ScreenSize } from './view.ts'

const ESC = '\u001b['
/** Alternate screen, no cursor, lines that are too long are cut and not wrapped. */
const ENTER = `${ESC}?1049h${ESC}?25l${ESC}?7l`
const LEAVE = `${ESC}?7h${ESC}?25h${ESC}?1049l`
const HOME = `${ESC}H`
const ERASE_REST = `${ESC}K`
const ERASE_BELOW = `${ESC}J`
const REVERSED = `${ESC}7m`
const NORMAL = `${ESC}0m`
/** The line that holds the column's names: shown reversed. */
const HEADER_LINE = 2

export class Screen {
  readonly #stdin: ReadStream
  readonly #stdout: WriteStream
  readonly #onKeys: (text: string) => void
  readonly #onResize: () => void
  readonly #leave = (): void => { this.leave() }
  #isUp = false

  /**
   * @param onKeys what was typed, several keys at once perhaps
   * @param onResize the terminal has another size
   */
  constructor (stdin: ReadStream, stdout: WriteStream, onKeys: (text: string) => void,
    onResize: () => void) {
    this.#stdin = stdin
    this.#stdout = stdout
    this.#onKeys = onKeys
    this.#onResize = onResize
  }

  get size (): ScreenSize { return { columns: this.#stdout.columns, rows: this.#stdout.rows } }

  enter (): void {
    this.#isUp = true
    process.on('exit', this.#leave)
    this.#stdout.write(ENTER)
    this.#stdout.on('resize', this.#onResize)
    if (!this.#stdin.isTTY) return
    this.#stdin.setRawMode(true)
    this.#stdin.setEncoding('utf8')
    this.#stdin.on('data', this.#onKeys)
  }

  draw (lines: readonly string[]): void {
    if (!this.#isUp) return
    const text = lines.map((line, index) => index === HEADER_LINE
      ? `${REVERSED}${line}${NORMAL}${ERASE_REST}`
      : line + ERASE_REST)
    this.#stdout.write(HOME + text.join('\r\n') + ERASE_BELOW)
  }

  /** Gives the terminal back. Harmless when it was given back already. */
  leave (): void {
    if (!this.#isUp) return
    this.#isUp = false
    process.off('exit', this.#leave)
    this.#stdout.off('resize', this.#onResize)
    if (this.#stdin.isTTY) {
      this.#stdin.off('data', this.#onKeys)
      this.#stdin.setRawMode(false)
      this.#stdin.pause()
    }
    this.#stdout.write(LEAVE)
  }
}
