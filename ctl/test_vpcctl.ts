/**
 * For tests: `bin/vpcctl` against a real daemon that serves the API alone (`--hosts 0`), which
 * needs no root: a lab of its own in a directory of its own, on a free port.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'

const VPCCTL = fileURLToPath(new URL('../bin/vpcctl', import.meta.url))

export interface Ended { readonly code: number, readonly stdout: string, readonly stderr: string }
export type Vpcctl = (...words: string[]) => Promise<Ended>

export interface VpcctlLab {
  readonly vpcctl: Vpcctl
  /** Runs a program for which `vpcctl` and Debian's `aws` come first in PATH. */
  readonly run: (file: string, words: string[]) => Promise<Ended>
  /** A script of POSIX sh. */
  readonly shell: (script: string) => Promise<Ended>
  readonly directory: string
}

/** `vpcctl` for a lab that is down, and is removed at the end of the test. */
export function makeVpcctl (t: ExecutionContext): VpcctlLab {
  const root = mkdtempSync(join(tmpdir(), 'vpcctl-lab-'))
  const directory = join(root, 'labs')
  const env = {
    ...process.env,
    PATH: `${dirname(VPCCTL)}:/usr/bin:${process.env['PATH'] ?? ''}`,
    VPCLAB_STATE_DIR: directory,
    VPCLAB_LAB: 'ctltest',
    VPCLAB_DEFAULT_VPC: 'off' // what a test counts is its own
  }
  const run = (file: string, words: string[]): Promise<Ended> => new Promise((resolve) => {
    execFile(file, words, { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
  const vpcctl: Vpcctl = (...words) => run(VPCCTL, words)
  t.teardown(async () => {
    await vpcctl('lab', 'down')
    rmSync(root, { recursive: true })
  })
  return { vpcctl, run, shell: (script) => run('/bin/sh', ['-c', script]), directory }
}

/** The output of a command that must succeed. */
export async function succeed (t: ExecutionContext, ended: Promise<Ended>): Promise<string> {
  const { code, stdout, stderr } = await ended
  t.is(code, 0, stderr)
  return stdout
}
