/**
 * One daemon per lab: the pid file says which. It holds the process id and a line feed, and is
 * taken over from a daemon that is no longer alive.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { VpclabError } from '../base/errors.ts'
import { pidPath, runDirectory } from './paths.ts'
import { commandWordsOf } from './process_facts.ts'

/** Attempts to take over a stale file while somebody else may do the same. */
const CLAIM_ATTEMPTS_MAX = 3
/** Every daemon is started with one of these among its arguments (bin/vpcd). */
const DAEMON_FILES = ['daemon/main.ts', 'daemon/main.js']

/**
 * @throws VpclabError VPCLAB_ERR_CONFIG, VPCLAB_ERR_LAB_RUNNING when another daemon runs the lab
 */
export function claimLab (lab: string): void {
  try {
    mkdirSync(runDirectory(lab), { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new VpclabError('VPCLAB_ERR_CONFIG',
      `The directory ${runDirectory(lab)} cannot be made: ` +
      `${(error as Error).message}. Name another one with --state-dir`, { cause: error })
  }
  for (let attempt = 0; attempt < CLAIM_ATTEMPTS_MAX; attempt++) {
    try {
      writeFileSync(pidPath(lab), `${String(process.pid)}\n`, { flag: 'wx', mode: 0o600 })
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const pid = daemonOf(lab)
    if (pid !== null) {
      throw new VpclabError('VPCLAB_ERR_LAB_RUNNING',
        `The lab "${lab}" is already up: process ${String(pid)} runs it`)
    }
    rmSync(pidPath(lab), { force: true })
  }
  throw new VpclabError('VPCLAB_ERR_LAB_RUNNING',
    `The lab "${lab}" is being started by somebody else`)
}

export function releaseLab (lab: string): void {
  rmSync(pidPath(lab), { force: true })
}

/** @returns process id of the live daemon of a lab, or null when there is none */
export function daemonOf (lab: string): number | null {
  let text: string
  try {
    text = readFileSync(pidPath(lab), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  const pid = Number(text.trim())
  return Number.isInteger(pid) && pid > 1 && isDaemon(pid) ? pid : null
}

/**
 * Whether the process is a daemon: its id may have been given to somebody else since it was
 * written.
 */
export function isDaemon (pid: number): boolean {
  const words = commandWordsOf(pid)
  return DAEMON_FILES.some((file) => words.some((word) => word.endsWith(file)))
}
