/**
 * A lab around a test: it is gone when the test ends, however the test ends, and a test whose lab
 * left anything behind, or whose daemon warned of something unexpected, fails.
 *
 *     test.serial('ping crosses hosts', withLab({}, async (t, lab) => { … }))
 */
import type { ExecutionContext } from 'ava'
import { Lab, type LabOptions } from './lab.ts'

export interface WithLabOptions extends LabOptions {
  /** Warnings and errors in the daemon's log that the test provokes. */
  readonly expectedWarnings?: readonly RegExp[]
}

const WARNING = /"level":"(warn|error|fatal)"/

export function withLab (
  options: WithLabOptions, body: (t: ExecutionContext, lab: Lab) => Promise<void>):
(t: ExecutionContext) => Promise<void> {
  return async (t) => {
    const lab = await Lab.start(options)
    let warnings: string[] = []
    try {
      await body(t, lab)
      warnings = unexpectedWarnings(lab.log, options.expectedWarnings ?? [])
    } catch (error) {
      t.log(lab.log.split('\n').slice(-20).join('\n'))
      throw error
    } finally {
      t.deepEqual(await lab.down(), [], 'the lab left something behind')
    }
    t.deepEqual(warnings, [], 'the daemon warned')
  }
}

/** Lines of the log at level "warn" or above that no pattern expects. */
function unexpectedWarnings (log: string, expected: readonly RegExp[]): string[] {
  return log.split('\n').filter((line) =>
    WARNING.test(line) && !expected.some((pattern) => pattern.test(line)))
}
