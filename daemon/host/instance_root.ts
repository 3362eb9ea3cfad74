/**
 * The root file system of an instance that was launched from an image: built, found again, removed.
 *
 *     image directory   only read            ┐ overlayfs   ┌ /  of the instance
 *     <id>.layer/upper  what it wrote        ┘             │ /proc /sys /dev /tmp /run, its own
 *                                                          └ process 1: catatonit, reaps
 *
 * instance_root.sh builds it inside new mount, PID, UTS and IPC namespaces and becomes process 1.
 * The mounts live in that mount namespace alone: when process 1 ends, whoever killed it, they are
 * gone and nothing is left to unmount. The layer stays until the instance is terminated. Process 1
 * has a session of its own and outlives the daemon, which finds it again by its number and makes
 * sure that it is what it was (a number may have been given to another process meanwhile).
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import {
  existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { VpclabError } from '../base/errors.ts'
import type { ImageGuest } from '../model/instance_guest.ts'
import { runCommand } from './command.ts'
import { imageDirectoryFault } from './instance_image.ts'
import { killProcessesIn } from './namespace_processes.ts'
import {
  LAYER_SUFFIX, initPidPath, layerDirectory, namespaceName, namespacePath
} from './paths.ts'
import { livesIn } from './process_facts.ts'

/** What process 1 is. A static program: nothing of the machine is inside an image. */
const INIT = '/usr/bin/catatonit'
const SCRIPT = new URL('instance_root.sh', import.meta.url).pathname
/** Longest wait for a root to be built. */
export const ROOT_BUILD_MS_MAX = 30_000
/** Most characters of the script's complaint that an error repeats. */
const COMPLAINT_CHARACTERS_MAX = 600
/** Where the script leaves the root of the machine, to be unmounted from out here. */
const MACHINE_MOUNT = '/run/vpclab/machine'
/** Where files for the programs inside are put; a tmpfs of the instance. */
const INSIDE_DIRECTORY = '/run/vpclab'

/** Name inside /etc to content. */
export interface EtcFiles {
  /** Written when the layer is new; the instance's own from then on. */
  readonly first: Readonly<Record<string, string>>
  /** Written at every boot, as a DHCP client does. */
  readonly everyBoot: Readonly<Record<string, string>>
}

export interface RootOptions {
  readonly lab: string
  readonly instanceId: string
  readonly guest: ImageGuest
  readonly hostName: string
  readonly etc: EtcFiles
}

/** Process id of the instance's process 1; null when it has none, or none that still runs. */
export function rootPid (lab: string, instanceId: string): number | null {
  const path = initPidPath(lab, instanceId)
  if (!existsSync(path)) return null
  const pid = Number(readFileSync(path, 'utf8'))
  return isInit(pid) && livesIn(pid, namespaceName(lab, instanceId)) ? pid : null
}

/** Whether a process is process 1 of a PID namespace. */
function isInit (pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8')
    return /^NSpid:.*\t1$/m.test(status) && !/^State:\tZ/m.test(status)
  } catch {
    return false
  }
}

/**
 * Builds the root and starts process 1, unless it runs. Precondition: the network namespace is
 * there.
 * @throws VpclabError VPCLAB_ERR_CONFIG when the image is no longer one, VPCLAB_ERR_PREREQUISITE,
 *   VPCLAB_ERR_COMMAND with what the script said
 */
export async function ensureRoot (options: RootOptions): Promise<void> {
  const { lab, instanceId, guest } = options
  if (rootPid(lab, instanceId) !== null) return
  if (!existsSync(INIT)) {
    throw new VpclabError('VPCLAB_ERR_PREREQUISITE',
      `${INIT} is not installed: instances of an image need it as their first process`)
  }
  const fault = imageDirectoryFault(guest.directory)
  if (fault !== null) {
    throw new VpclabError('VPCLAB_ERR_CONFIG', `The image directory ${guest.directory} ${fault}`)
  }
  await endOthers(lab, instanceId)
  prepareLayer(options)
  const pid = await build(options)
  try {
    await runCommand('nsenter', [`--mount=/proc/${pid}/ns/mnt`,
      `--root=/proc/${pid}/root${MACHINE_MOUNT}`, 'umount', '--lazy', '--no-canonicalize', '/'])
  } catch (error) {
    process.kill(Number(pid), 'SIGKILL')
    throw error
  }
  const path = initPidPath(lab, instanceId)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(path, pid, { mode: 0o600 })
}

/**
 * Two roots must not write to one layer. Another process 1 may live in a namespace that was deleted
 * by hand, or was started by a daemon that was killed before it had noted the number.
 */
async function endOthers (lab: string, instanceId: string): Promise<void> {
  const path = initPidPath(lab, instanceId)
  const pid = existsSync(path) ? Number(readFileSync(path, 'utf8')) : null
  if (pid !== null && commandOf(pid).startsWith(`${INSIDE_DIRECTORY}/init\0`)) {
    process.kill(pid, 'SIGKILL')
  }
  await killProcessesIn([namespaceName(lab, instanceId)])
}

/** Words of a process's command, each ended by a zero; empty when it has ended. */
function commandOf (pid: number): string {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

function prepareLayer ({ lab, instanceId, etc }: RootOptions): void {
  const layer = layerDirectory(lab, instanceId)
  const fresh = !existsSync(join(layer, 'upper'))
  rmSync(join(layer, 'etc'), { recursive: true, force: true })
  for (const name of ['work', 'root', 'etc', 'upper']) {
    // The root directory of the instance is everybody's to read, the way to it is root's alone.
    mkdirSync(join(layer, name), { recursive: true, mode: 0o755 })
  }
  const files = fresh ? { ...etc.first, ...etc.everyBoot } : etc.everyBoot
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(layer, 'etc', name), content, { mode: 0o644 })
  }
}

/** Runs the script. @returns number of process 1, once it says that the root is complete */
async function build (options: RootOptions): Promise<string> {
  const { lab, instanceId, guest, hostName } = options
  const path = namespacePath(namespaceName(lab, instanceId))
  const child = spawn('nsenter', [`--net=${path}`, 'unshare', '--mount', '--uts', '--ipc', '--pid',
    '--fork', '/bin/sh', SCRIPT, guest.directory, layerDirectory(lab, instanceId), hostName, INIT],
  { cwd: '/', detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const pid = await firstLine(child, `The root of ${instanceId} from ${guest.directory}`)
  child.unref()
  return pid
}

/** @throws VpclabError VPCLAB_ERR_COMMAND when the child ends, or is not ready in time */
function firstLine (child: ChildProcess, what: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = ''
    let complaint = ''
    const finish = (): void => {
      clearTimeout(timer)
      child.removeAllListeners()
      child.stdout?.destroy()
      child.stderr?.destroy()
    }
    const fail = (why: string): void => {
      finish()
      if (child.exitCode === null) child.kill('SIGKILL')
      reject(new VpclabError('VPCLAB_ERR_COMMAND',
        `${what} could not be built: ${complaint.trim() === '' ? why : complaint.trim()}`))
    }
    const timer = setTimeout(() => {
      fail(`not ready within ${String(ROOT_BUILD_MS_MAX)} ms`)
    }, ROOT_BUILD_MS_MAX)
    child.on('error', (error) => { fail(error.message) })
    child.on('close', (code) => { fail(`the script ended with code ${String(code)}`) })
    child.stderr?.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(0, COMPLAINT_CHARACTERS_MAX)
    })
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (!output.includes('\n')) return
      finish()
      resolve(output.trim())
    })
  })
}

/**
 * Puts a file where programs inside find it. Precondition: process 1 runs.
 * @returns its path inside
 */
export function writeInside (pid: number, name: string, text: string, mode: number): string {
  const path = join(INSIDE_DIRECTORY, name)
  writeFileSync(`/proc/${String(pid)}/root${path}`, text, { mode })
  return path
}

/** Forgets process 1, which ended with the namespace's other processes. */
export function forgetRoot (lab: string, instanceId: string): void {
  rmSync(initPidPath(lab, instanceId), { force: true })
}

/** Instances that have written something. */
export function layerIds (lab: string): string[] {
  const directory = dirname(layerDirectory(lab, ''))
  if (!existsSync(directory)) return []
  return readdirSync(directory).filter((name) => name.endsWith(LAYER_SUFFIX))
    .map((name) => basename(name, LAYER_SUFFIX))
}

/** Removes what a terminated instance wrote. Harmless when there is nothing. */
export async function removeLayer (lab: string, instanceId: string): Promise<void> {
  await rm(layerDirectory(lab, instanceId), { recursive: true, force: true })
}
