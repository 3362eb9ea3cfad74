/**
 * A lab around a test: a test that left anything behind, or whose daemon warned of something
 * unexpected, fails.
 *
 *     test.serial('ping crosses hosts', withLab({}, async (t, lab) => { … }))
 *
 * Tests that want the same lab get one after the other what is left of it after a reset: its hosts,
 * and nothing else (lab_pool.ts). A lab whose test failed, or whose daemon was killed or
 * started anew, is taken down.
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { Lab, LabOptions } from './lab.ts'
import { LabPool } from './lab_pool.ts'

export interface WithLabOptions extends LabOptions {
  /** Warnings and errors in the daemon's log that the test provokes. */
  readonly expectedWarnings?: readonly RegExp[]
}

const WARNING = /"level":"(warn|error|fatal)"/
const LEFT_BEHIND = 'the lab left something behind'

const pool = new LabPool()

test.after.always('labs are passed on or taken down', async (t) => {
  t.deepEqual(await pool.close(), [], LEFT_BEHIND)
})

export function withLab (
  options: WithLabOptions, body: (t: ExecutionContext, lab: Lab) => Promise<void>):
(t: ExecutionContext) => Promise<void> {
  const { expectedWarnings = [], ...labOptions } = options
  return async (t) => {
    const lab = await pool.take(labOptions)
    const logged = lab.logAtReset
    const logOfTest = (): string => lab.log.slice(logged)
    try {
      await body(t, lab)
    } catch (error) {
      t.log(logOfTest().split('\n').slice(-20).join('\n'))
      t.deepEqual(await lab.down(), [], LEFT_BEHIND)
      throw error
    }
    t.deepEqual(await giveBack(lab, t.passed), [], LEFT_BEHIND)
    t.deepEqual(unexpectedWarnings(logOfTest(), expectedWarnings), [], 'the daemon warned')
  }
}

/** @returns what the test has left behind */
async function giveBack (lab: Lab, mayGoOn: boolean): Promise<string[]> {
  if (!mayGoOn || !lab.isAsStarted) return await lab.down()
  const left = await lab.reset()
  if (left.length > 0) await lab.down()
  else pool.keep(lab)
  return left
}

/** Lines of the log at level "warn" or above that no pattern expects. */
function unexpectedWarnings (log: string, expected: readonly RegExp[]): string[] {
  return log.split('\n').filter((line) =>
    WARNING.test(line) && !expected.some((pattern) => pattern.test(line)))
}
