/**
 * Removes everything of a lab, found by name alone: it needs no store and no daemon, so it works
 * after kill -9, after half a teardown, and twice.
 *
 *     daemon ─▶ guests ─▶ processes in the namespaces ─▶ namespaces (with their devices) ─▶ files
 *
 * What was attached is given back first, and is not among the lab's namespaces any more when those
 * are emptied: its processes go on.
 */
import { existsSync, readdirSync, rmSync, rmdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { VpclabError } from '../base/errors.ts'
import { runIpBatch } from './command.ts'
import { guestIds, releaseGuest } from './instance_guest.ts'
import { removeMachineLink } from './machine_link.ts'
import { killProcessesIn } from './namespace_processes.ts'
import {
  NAMESPACE_DIRECTORY, bgpDirectory, flowFilePath, guestDirectory, ipsecDirectory,
  runDirectory, stateDirectory
} from './paths.ts'
import { daemonOf, isDaemon } from './pid_file.ts'
import { removeRealUplink } from './real_uplink.ts'

/** How long a daemon may take to stop when asked to, before it is killed. */
const STOP_TIMEOUT_MS = 5000
const STOP_POLL_MS = 20
const FLOW_FILE_DIRECTORY = '/dev/shm'

export interface TeardownResult {
  /** Whether there was anything of a lab of that name. */
  readonly labFound: boolean
  readonly daemonStopped: boolean
  readonly processesKilled: number
  readonly namespacesRemoved: number
}

/** @throws VpclabError VPCLAB_ERR_TIMEOUT, VPCLAB_ERR_COMMAND */
export async function teardownLab (lab: string): Promise<TeardownResult> {
  const directories =
    [guestDirectory(lab), bgpDirectory(lab), ipsecDirectory(lab, ''), runDirectory(lab),
      stateDirectory(lab)]
  const hadFiles = directories.some((directory) => existsSync(directory))
  const daemonStopped = await stopDaemon(lab)
  for (const id of guestIds(lab)) await releaseGuest(lab, id)
  await removeRealUplink(lab)
  await removeMachineLink(lab)
  const namespaces = namespacesOf(lab)
  const processesKilled = await removeNamespaces(namespaces)
  const flowFilePrefix =
    flowFilePath(lab, '').slice(FLOW_FILE_DIRECTORY.length + 1, -'.flows'.length)
  for (const name of readdirSync(FLOW_FILE_DIRECTORY)) {
    if (name.startsWith(flowFilePrefix)) rmSync(`${FLOW_FILE_DIRECTORY}/${name}`, { force: true })
  }
  for (const directory of directories) {
    rmSync(directory, { recursive: true, force: true })
    removeIfEmpty(dirname(directory))
  }
  return {
    labFound: hadFiles || daemonStopped || namespaces.length > 0,
    daemonStopped, processesKilled, namespacesRemoved: namespaces.length
  }
}

/** The directory above is shared with the other labs. */
function removeIfEmpty (directory: string): void {
  try {
    rmdirSync(directory)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EBUSY', 'EACCES'].includes(code)) throw error
  }
}

/** Names of all namespaces of a lab: its name has no dash, so no other lab's are among them. */
export function namespacesOf (lab: string): string[] {
  if (!existsSync(NAMESPACE_DIRECTORY)) return []
  return readdirSync(NAMESPACE_DIRECTORY).filter((name) => name.startsWith(`${lab}-`))
}

/** Kills what runs in the namespaces and removes them. @returns how many processes were killed */
export async function removeNamespaces (namespaces: readonly string[]): Promise<number> {
  const killed = await killProcessesIn(namespaces)
  // One that cannot be removed keeps none of the others.
  const lines = namespaces.map((name) => `netns del ${name}`)
  if (lines.length > 0) await runIpBatch(null, lines, ['-force'])
  return killed
}

/** Asks the daemon to stop, then makes it. @returns whether one was running */
export async function stopDaemon (lab: string): Promise<boolean> {
  const pid = daemonOf(lab)
  if (pid === null || pid === process.pid) return false
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
    for (let waitedMs = 0; waitedMs < STOP_TIMEOUT_MS; waitedMs += STOP_POLL_MS) {
      if (!isDaemon(pid)) return true
      await delay(STOP_POLL_MS)
    }
  }
  throw new VpclabError('VPCLAB_ERR_TIMEOUT',
    `The daemon of lab "${lab}" (process ${String(pid)}) does not end, not even killed`)
}
