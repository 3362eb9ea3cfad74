/**
 * What runs inside an instance at boot: its user data.
 *
 * EC2 User Guide, "Run commands when you launch an EC2 instance": user data that begins with `#!`
 * is a script and runs once, at the first boot; with `#cloud-boothook` it runs at every boot.
 * Anything else is data for a reader inside the instance, and nothing runs.
 *
 * A script runs as root in the instance's namespace (and in its root file system, if it has one of
 * its own), in a new session, so that it and what it starts outlive the daemon. Its output goes to
 * the instance's log. What was booted stands in a file beside the namespaces' life span, written
 * before the script starts: a daemon that is killed in between never runs the script twice.
 */
import { spawn } from 'node:child_process'
import {
  closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync
} from 'node:fs'
import { dirname } from 'node:path'
import { VpclabError } from '../base/errors.ts'
import type { Instance } from '../model/instance.ts'
import type { Log } from '../observe/log.ts'
import { rootPid, writeInside } from './instance_root.ts'
import { bootPath, instanceLogPath, namespaceName, userDataPath } from './paths.ts'

export type UserData =
  | { readonly kind: 'none' }
  | { readonly kind: 'script', readonly everyBoot: boolean, readonly text: string }
  /** Something for programs inside to read; it is not run. */
  | { readonly kind: 'data' }

const BOOTHOOK = '#cloud-boothook'
/** Search path of scripts, as a login of root has it. */
const SCRIPT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** @param userData base64, as the API carries it */
export function parseUserData (userData: string): UserData {
  const text = Buffer.from(userData, 'base64').toString('utf8')
  if (text.trim() === '') return { kind: 'none' }
  if (text.startsWith('#!')) return { kind: 'script', everyBoot: false, text }
  if (text.startsWith(BOOTHOOK)) {
    const body = text.slice(text.indexOf('\n') + 1)
    const script = body.startsWith('#!') ? body : `#!/bin/sh\n${body}`
    return { kind: 'script', everyBoot: true, text: script }
  }
  return { kind: 'data' }
}

/** What the namespace of an instance has seen so far. */
interface BootRecord {
  readonly userDataStarted: boolean
  readonly rebootCount: number
}

/** @returns null when nothing has been booted in the present namespace */
export function readBoot (lab: string, instanceId: string): BootRecord | null {
  let text: string
  try {
    text = readFileSync(bootPath(lab, instanceId), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  return JSON.parse(text) as BootRecord
}

export function forgetBoot (lab: string, instanceId: string): void {
  rmSync(bootPath(lab, instanceId), { force: true })
}

/**
 * Boots what the instance's user data asks for, once per boot: a second call for the same boot does
 * nothing. Precondition: the namespace is complete.
 * @param addresses primary addresses, for the script's environment
 */
export function bootInstance (
  lab: string, instance: Instance, addresses: readonly string[], log: Log
): void {
  const before = readBoot(lab, instance.id)
  if (before !== null && before.rebootCount === instance.rebootCount) return
  const userData = parseUserData(instance.userData)
  const firstBoot = instance.bootCount === 0 && before?.userDataStarted !== true
  // A virtual machine reads its user data from the metadata service, and runs it by itself.
  const runs = instance.guest?.kind !== 'vm' && userData.kind === 'script' &&
    (userData.everyBoot || firstBoot)
  const record: BootRecord = {
    userDataStarted: runs || before?.userDataStarted === true, rebootCount: instance.rebootCount
  }
  mkdirSync(dirname(bootPath(lab, instance.id)), { recursive: true, mode: 0o700 })
  writeFileSync(bootPath(lab, instance.id), JSON.stringify(record), { mode: 0o600 })
  if (runs) startScript(lab, instance, userData.text, addresses, log)
  if (userData.kind === 'data' && firstBoot && instance.guest?.kind !== 'vm') {
    log.info({ instance: instance.id }, 'the user data does not begin with #!: nothing runs')
  }
}

/** Puts the script where it can be run. @returns the command that runs it */
function scriptCommand (
  lab: string, { id, guest }: Instance, text: string
): { readonly program: string, readonly words: readonly string[] } {
  if (guest?.kind === 'image') {
    const pid = rootPid(lab, id)
    if (pid === null) throw new VpclabError('VPCLAB_ERR_AGENT', `Process 1 of ${id} has ended`)
    const path = writeInside(pid, 'user-data', text, 0o700)
    return { program: 'nsenter', words: ['--target', String(pid), '--all', '--', path] }
  }
  const path = userDataPath(lab, id)
  writeFileSync(path, text, { mode: 0o700 })
  return { program: 'ip', words: ['netns', 'exec', namespaceName(lab, id), path] }
}

function startScript (
  lab: string, instance: Instance, text: string, addresses: readonly string[], log: Log
): void {
  mkdirSync(dirname(userDataPath(lab, instance.id)), { recursive: true, mode: 0o700 })
  const logFd = openSync(instanceLogPath(lab, instance.id), 'a', 0o600)
  try {
    const { program, words } = scriptCommand(lab, instance, text)
    const child = spawn(program, words, {
      cwd: '/',
      detached: true,
      stdio: ['ignore', logFd, logFd],
      env: {
        PATH: SCRIPT_PATH,
        HOME: '/root',
        LANG: 'C.UTF-8',
        INSTANCE_ID: instance.id,
        AWS_REGION: instance.region,
        AVAILABILITY_ZONE_ID: instance.zoneId,
        LOCAL_IPV4: addresses.find((address) => !address.includes(':')) ?? '',
        LOCAL_IPV6: addresses.find((address) => address.includes(':')) ?? ''
      }
    })
    child.on('error', (error) => {
      log.error({ err: error, instance: instance.id }, 'the user data could not be started')
    })
    child.on('exit', (code, signal) => {
      log.info({ instance: instance.id, code, signal }, 'the user data ended')
    })
    child.unref()
  } catch (error) {
    writeSync(logFd, `vpcd: the user data could not be started: ${String(error)}\n`)
    throw error
  } finally {
    closeSync(logFd)
  }
}
