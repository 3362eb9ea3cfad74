/**
 * A lab around a test: a test that left anything behind, or whose daemon warned of something
 * unexpected, fails.
 *
 *     test.serial('ping crosses hosts', withLab({}, async (t, lab) => { … }))
 *
 * Tests of one file that want the same lab get one after the other what is left of it after a
 * reset: its hosts, and nothing else. A lab whose test failed, or whose daemon was killed or
 * started anew, is taken down.
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { Lab, type LabOptions } from './lab.ts'

export interface WithLabOptions extends LabOptions {
  /** Warnings and errors in the daemon's log that the test provokes. */
  readonly expectedWarnings?: readonly RegExp[]
}

const WARNING = /"level":"(warn|error|fatal)"/
const LEFT_BEHIND = 'the lab left something behind'

/** Labs that wait for a test, by their options. */
const idle = new Map<string, Lab>()

test.after.always('labs are taken down', async (t) => {
  for (const lab of idle.values()) t.deepEqual(await lab.down(), [], LEFT_BEHIND)
})

export function withLab (
  options: WithLabOptions, body: (t: ExecutionContext, lab: Lab) => Promise<void>):
(t: ExecutionContext) => Promise<void> {
  const { expectedWarnings = [], ...labOptions } = options
  const key = JSON.stringify(labOptions)
  return async (t) => {
    const waiting = idle.get(key)
    idle.delete(key)
    const logged = waiting?.log.length ?? 0
    const lab = waiting ?? await Lab.start(labOptions)
    const logOfTest = (): string => lab.log.slice(logged)
    try {
      await body(t, lab)
    } catch (error) {
      t.log(logOfTest().split('\n').slice(-20).join('\n'))
      t.deepEqual(await lab.down(), [], LEFT_BEHIND)
      throw error
    }
    t.deepEqual(await giveBack(lab, key, t.passed), [], LEFT_BEHIND)
    t.deepEqual(unexpectedWarnings(logOfTest(), expectedWarnings), [], 'the daemon warned')
  }
}

/** @returns what the test has left behind */
async function giveBack (lab: Lab, key: string, mayGoOn: boolean): Promise<string[]> {
  if (!mayGoOn || !lab.isAsStarted) return await lab.down()
  const left = await lab.reset()
  if (left.length > 0) await lab.down()
  else idle.set(key, lab)
  return left
}

/** Lines of the log at level "warn" or above that no pattern expects. */
function unexpectedWarnings (log: string, expected: readonly RegExp[]): string[] {
  return log.split('\n').filter((line) =>
    WARNING.test(line) && !expected.some((pattern) => pattern.test(line)))
}
