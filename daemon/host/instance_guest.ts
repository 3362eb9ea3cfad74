/**
 * Foreign guests on the machine: namespaces that somebody else made and the lab hung on a subnet.
 *
 *     /proc/4711/ns/net ──bind──▶ /run/netns/<lab>-i-…     from here on like any other
 *                                 /run/vpclab/<lab>/guests/i-….json     says that it is not ours
 *
 * The bind mount gives the namespace the name that the reconciler, the monitor and the worker look
 * for. It also keeps the namespace alive when whoever made it has long ended; that is why only the
 * path where it was found tells whether it is still there.
 *
 * Taking the guest away deletes our devices (and with them addresses and routes), our rules and the
 * bind mount: nothing else, and no process. The file beside says so to whoever has no records, as a
 * teardown. It is written before the bind mount and removed after it, so that at no time a
 * namespace of somebody else has a name of the lab without it.
 */
import {
  existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, statfsSync, writeFileSync
} from 'node:fs'
import { basename, join } from 'node:path'
import { VpclabError } from '../base/errors.ts'
import type { NamespaceGuest } from '../model/instance_guest.ts'
import { runCommand, runIp, runIpBatch } from './command.ts'
import { isNamedBy, planInstance } from './instance_plan.ts'
import type { DeviceStyle } from './instance_plan.ts'
import { LOOK, TABLE_MAIN, parseNamespaceView, viewNamespace } from './namespace_view.ts'
import type { NamespaceView } from './namespace_view.ts'
import { NAMESPACE_DIRECTORY, guestDirectory, namespaceName, namespacePath } from './paths.ts'

/** statfs(2): the file system of /proc/PID/ns and of what is bind mounted from there. */
const NSFS_MAGIC = 0x6e736673
const GUEST_FILE_SUFFIX = '.json'
/** Prefixes of device names, the first that is free inside. */
const DEVICE_PREFIXES = ['eth', 'vpc', 'vpclab'] as const

/** What an attach has to know of a namespace. */
export interface FoundNamespace {
  readonly inode: number
  readonly devicePrefix: string
  /** Where a default route leads by now, or null. */
  readonly defaultRouteDevice: string | null
}

export function styleOf (guest: Pick<NamespaceGuest, 'devicePrefix'>): DeviceStyle {
  return { prefix: guest.devicePrefix, foreign: true }
}

/** Number of the namespace at a path; null when there is none. */
function inodeAt (path: string): number | null {
  try {
    return statfsSync(path).type === NSFS_MAGIC ? statSync(path).ino : null
  } catch {
    return null
  }
}

/** Whether the guest's namespace is still where it was found. */
export function isGuestThere ({ path, inode }: NamespaceGuest): boolean {
  return inodeAt(path) === inode
}

/**
 * Process whose namespaces a command enters to be where the guest's own processes are; null for a
 * namespace without one.
 */
export function guestPid ({ path }: NamespaceGuest): number | null {
  const pid = /^\/proc\/(\d+)\/ns\/net$/.exec(path)?.[1]
  return pid === undefined ? null : Number(pid)
}

/**
 * Looks at a namespace that is to be attached.
 * @throws VpclabError VPCLAB_ERR_CONFIG for anything that cannot be
 */
export async function inspectNamespace (lab: string, path: string): Promise<FoundNamespace> {
  const refuse = (why: string): VpclabError =>
    new VpclabError('VPCLAB_ERR_CONFIG', `${path} cannot be attached: ${why}`)
  if (!path.startsWith('/')) throw refuse('it is not an absolute path')
  if (!existsSync(path)) throw refuse('it does not exist')
  const inode = inodeAt(path)
  if (inode === null) {
    throw refuse('it is no namespace; expecting a file as /run/netns/NAME or /proc/PID/ns/net')
  }
  if (inode === statSync('/proc/self/ns/net').ino || inode === inodeAt('/proc/1/ns/net')) {
    throw refuse('it is the network namespace of the machine itself')
  }
  const owner = labNamespaceOf(lab, inode)
  if (owner !== null) throw refuse(owner)
  const view = await viewAt(path).catch(() => null)
  if (view === null) throw refuse('it is no network namespace')
  const devicePrefix = DEVICE_PREFIXES.find((prefix) =>
    !view.links.some((link) => isNamedBy({ prefix }, link.name)))
  if (devicePrefix === undefined) {
    throw refuse(`devices named ${DEVICE_PREFIXES.map((prefix) => `${prefix}0`).join(', ')} or ` +
      'alike are all there already')
  }
  return { inode, devicePrefix, defaultRouteDevice: defaultRouteDevice(view) }
}

function defaultRouteDevice ({ routes }: NamespaceView): string | null {
  const route = routes.find(({ destination, table, device }) =>
    destination === 'default' && table === TABLE_MAIN && device !== 'lo')
  if (route === undefined) return null
  return route.device === '' ? 'several devices' : route.device
}

/** Why a namespace is the lab's already, or null. */
function labNamespaceOf (lab: string, inode: number): string | null {
  if (!existsSync(NAMESPACE_DIRECTORY)) return null
  const name = readdirSync(NAMESPACE_DIRECTORY).find((candidate) =>
    candidate.startsWith(`${lab}-`) && inodeAt(namespacePath(candidate)) === inode)
  if (name === undefined) return null
  const id = name.slice(lab.length + 1)
  return readGuest(lab, id) === null
    ? `it is ${name}, a namespace of the lab itself`
    : `it is attached already, as ${id}`
}

/** Links and routes of a namespace that has no name. Throws when it is none. */
async function viewAt (path: string): Promise<NamespaceView> {
  const text = await runCommand('nsenter', [`--net=${path}`, 'ip', '-j', '-batch', '-'],
    LOOK.join('\n') + '\n')
  return parseNamespaceView(text)
}

/** Of every attached guest of the lab, also while no daemon runs. */
export function guestIds (lab: string): string[] {
  const directory = guestDirectory(lab)
  if (!existsSync(directory)) return []
  return readdirSync(directory).filter((name) => name.endsWith(GUEST_FILE_SUFFIX))
    .map((name) => basename(name, GUEST_FILE_SUFFIX))
}

function guestFile (lab: string, id: string): string {
  return join(guestDirectory(lab), `${id}${GUEST_FILE_SUFFIX}`)
}

/** What was attached under that instance id, or null for an instance in a namespace of the lab. */
function readGuest (lab: string, id: string): NamespaceGuest | null {
  const path = guestFile(lab, id)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) as NamespaceGuest : null
}

/**
 * Gives the guest's namespace its name in the lab. Harmless when it has it.
 * @returns whether it was given
 * @throws VpclabError VPCLAB_ERR_AGENT when the namespace is gone; VPCLAB_ERR_COMMAND
 */
export async function bindGuest (
  lab: string, id: string, guest: NamespaceGuest
): Promise<boolean> {
  const name = namespaceName(lab, id)
  const target = namespacePath(name)
  if (inodeAt(target) === guest.inode && readGuest(lab, id) !== null) return false
  if (!isGuestThere(guest)) {
    throw new VpclabError('VPCLAB_ERR_AGENT',
      `The attached ${guest.label} ended: its namespace is no longer at ${guest.path}`)
  }
  mkdirSync(guestDirectory(lab), { recursive: true, mode: 0o700 })
  writeFileSync(guestFile(lab, id), JSON.stringify(guest), { mode: 0o600 })
  if (existsSync(target)) await runIp('netns', 'del', name)
  writeFileSync(target, '', { flag: 'wx', mode: 0o600 })
  await runCommand('mount', ['--bind', guest.path, target])
  return true
}

/**
 * Takes everything of the lab out of a guest, and its name. Its processes go on.
 * @returns whether there was one
 */
export async function releaseGuest (lab: string, id: string): Promise<boolean> {
  const guest = readGuest(lab, id)
  if (guest === null) return false
  const name = namespaceName(lab, id)
  // A name that somebody removed by hand: the devices are inside all the same.
  if (inodeAt(namespacePath(name)) !== guest.inode && isGuestThere(guest)) {
    await bindGuest(lab, id, guest)
  }
  if (inodeAt(namespacePath(name)) === guest.inode) {
    const view = await viewNamespace(name, true)
    if (view !== null) {
      const { lines, ipv6Lines } = planInstance([], view, styleOf(guest))
      if (lines.length > 0) await runIpBatch(name, lines)
      if (ipv6Lines.length > 0) await runIpBatch(name, ipv6Lines, ['-6'])
    }
  }
  if (existsSync(namespacePath(name))) await runIp('netns', 'del', name)
  rmSync(guestFile(lab, id), { force: true })
  return true
}
