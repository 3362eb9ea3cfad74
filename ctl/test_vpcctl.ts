/**
 * For tests: `vpcctl` against real daemons that serve the API alone (`--hosts 0`), which needs no
 * root. Every test has a lab of its own, on a free port, and all labs of a test file lie in one
 * directory.
 *
 * Commands run in the test's own process (test_program.ts): starting `bin/vpcctl` costs many times
 * what a command does. `run` and `shell` start it.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { STATE_DIRECTORY_VARIABLE } from '../daemon/host/paths.ts'
import { type Ended, runHere } from './test_program.ts'

const VPCCTL = fileURLToPath(new URL('../bin/vpcctl', import.meta.url))
const STATE_DIRECTORY = mkdtempSync(join(tmpdir(), 'vpcctl-labs-'))

process.env[STATE_DIRECTORY_VARIABLE] = STATE_DIRECTORY
process.env['VPCLAB_DEFAULT_VPC'] = 'off' // what a test counts is its own

test.after.always('the directory of the labs is removed', () => {
  rmSync(STATE_DIRECTORY, { recursive: true })
})

let labCount = 0

export type { Ended }
export type Vpcctl = (...words: string[]) => Promise<Ended>

export interface VpcctlLab {
  /** The name of the lab. */
  readonly name: string
  readonly vpcctl: Vpcctl
  /** Runs a program for which `vpcctl` and Debian's `aws` come first in PATH. */
  readonly run: (file: string, words: string[]) => Promise<Ended>
  /** A script of POSIX sh. */
  readonly shell: (script: string) => Promise<Ended>
  /** The environment of `run`. */
  readonly env: NodeJS.ProcessEnv
  /** For files of the test. */
  readonly directory: string
}

/** `vpcctl` for a lab that is down, and is removed at the end of the test. */
export function makeVpcctl (t: ExecutionContext): VpcctlLab {
  labCount++
  const name = `ctltest${String(labCount)}`
  const env = {
    ...process.env,
    PATH: `${dirname(VPCCTL)}:/usr/bin:${process.env['PATH'] ?? ''}`,
    VPCLAB_LAB: name
  }
  const run = (file: string, words: string[]): Promise<Ended> => new Promise((resolve) => {
    execFile(file, words, { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
  const vpcctl: Vpcctl = (...words) => runHere(words, { environment: env })
  t.teardown(async () => { await vpcctl('lab', 'down') })
  return {
    name, vpcctl, run, shell: (script) => run('/bin/sh', ['-c', script]), env,
    directory: mkdtempSync(join(STATE_DIRECTORY, 'files-'))
  }
}

/** The output of a command that must succeed. */
export async function succeed (t: ExecutionContext, ended: Promise<Ended>): Promise<string> {
  const { code, stdout, stderr } = await ended
  t.is(code, 0, stderr)
  return stdout
}
