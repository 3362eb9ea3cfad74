/**
 * A person ends what would go on for ever: SIGINT, SIGTERM, or the terminal that goes away. For
 * commands that end well when they are interrupted.
 */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Does `work` with a signal that is aborted by the first interruption; a second one kills. */
export async function untilInterrupted<Result> (
  work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController()
  const abort = (): void => { controller.abort() }
  for (const name of SIGNALS) process.once(name, abort)
  try {
    return await work(controller.signal)
  } finally {
    for (const name of SIGNALS) process.off(name, abort)
  }
}
