import test from 'ava'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { STATE_DIRECTORY_VARIABLE, pidPath } from './paths.ts'
import { claimLab, daemonOf, releaseLab } from './pid_file.ts'

const directory = mkdtempSync(join(tmpdir(), 'vpclab-pid-'))
process.env[STATE_DIRECTORY_VARIABLE] = directory
test.after.always(() => { rmSync(directory, { recursive: true }) })

test('a lab is claimed, and free again once released', (t) => {
  claimLab('free')
  t.is(readFileSync(pidPath('free'), 'utf8'), `${String(process.pid)}\n`)
  releaseLab('free')
  claimLab('free')
  releaseLab('free')
})

test('a file of a process that is no daemon is taken over', (t) => {
  claimLab('stale')
  // This process is alive, but no vpcd: its id stands for one that was given out again.
  t.is(daemonOf('stale'), null)
  t.notThrows(() => { claimLab('stale') })
  writeFileSync(pidPath('stale'), 'not a number\n')
  t.is(daemonOf('stale'), null)
  t.notThrows(() => { claimLab('stale') })
})
