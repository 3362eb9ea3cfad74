/**
 * Progress of what takes longer than a second: one line of standard error, for a person.
 *
 *     terminal      after TERMINAL_AFTER_S a line, rewritten every second, removed at the end
 *     no terminal   after PLAIN_AFTER_S a line, and one more whenever the work comes further
 *
 * What is quick says nothing, and nothing of this ever reaches standard output.
 *
 *     Starting the lab "vpclab": waiting for its hosts (4 s)
 */
import type { Writable } from 'node:stream'

export type ProgressStream = Writable & { readonly isTTY?: boolean, readonly columns?: number }

/** Tells how far the work has come, without a full stop: `3 of 8 instances`. */
export type Say = (detail: string) => void

/** Seconds of silence on a terminal. */
const TERMINAL_AFTER_S = 1
/** Seconds of silence where lines cannot be taken back. */
const PLAIN_AFTER_S = 3
const TICK_MS = 1000
/** Of a terminal that does not say, as one without a size: 0 columns. */
const COLUMNS_DEFAULT = 80
/** ECMA-48: return to the beginning of the line and erase it. */
export const ERASE_LINE = '\r\u001b[2K'

/**
 * Does `work` and says on `stream` that it is being done.
 * @param what the work without a full stop: `Starting the lab "vpclab"`
 */
export async function withProgress<Result> (stream: ProgressStream, what: string,
  work: (say: Say) => Promise<Result>): Promise<Result> {
  const isTerminal = stream.isTTY === true
  let seconds = 0
  let text = what
  const show = (): void => {
    if (isTerminal) stream.write(ERASE_LINE + fitted(`${text} (${String(seconds)} s)`, stream))
    else stream.write(`${text} ...\n`)
  }
  const timer = setInterval(() => {
    seconds++
    if (isTerminal || seconds === PLAIN_AFTER_S) show()
  }, TICK_MS)
  timer.unref()
  try {
    return await work((detail) => {
      const before = text
      text = `${what}: ${detail}`
      if (text !== before && seconds >= (isTerminal ? TERMINAL_AFTER_S : PLAIN_AFTER_S)) show()
    })
  } finally {
    clearInterval(timer)
    if (isTerminal && seconds >= TERMINAL_AFTER_S) stream.write(ERASE_LINE)
  }
}

/** A line that wraps could not be removed, and some terminals wrap behind their last column. */
function fitted (line: string, stream: ProgressStream): string {
  const { columns = 0 } = stream
  return line.slice(0, (columns === 0 ? COLUMNS_DEFAULT : columns) - 1)
}
