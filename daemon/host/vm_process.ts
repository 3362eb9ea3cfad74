/**
 * The process of a virtual machine: qemu, started in the instance's namespace, in a session of its
 * own, so that it outlives the daemon; the next one finds it by its file and by its command line.
 *
 *     namespace   eth0 ═ br0 ═ vm0 ── qemu ── virtio-net of the guest, with the ENI's MAC
 *     files       <id>.vm.json  what was started     <id>.qmp  commands     <id>.console  serial
 *                 <id>.log      what the guest wrote to its serial line, bounded
 *
 * Its command line is vm_command.ts's. The guest is not trusted: qemu runs as
 * `nobody` once its devices are open, under its own seccomp filter and in a namespace that leads
 * nowhere but to the data plane. So the devices of cards that may be plugged in later are opened at
 * the start, too. Life cycle: stopping presses the power button (ACPI) and waits,
 * then cuts the power; rebooting is the reset button; a guest that powers itself off has shut down.
 */
import { spawn } from 'node:child_process'
import {
  accessSync, closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, readSync, rmSync,
  statSync, truncateSync, writeFileSync
} from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { VpclabError } from '../base/errors.ts'
import { VM_INITRD, VM_KERNEL, imageKindOf } from './instance_image.ts'
import type { DesiredInterface } from './instance_plan.ts'
import { killProcessesIn } from './namespace_processes.ts'
import {
  instanceLogPath, namespaceName, vmConsolePath, vmControlPath, vmPath
} from './paths.ts'
import { commandWordsOf, livesIn } from './process_facts.ts'
import { Qmp } from './qmp.ts'
import { replaceFile } from './replace_file.ts'
import { cardDevice, cardId, nameArgument, qemuArguments } from './vm_command.ts'
import type { Card, VmOptions } from './vm_command.ts'
import { cardIndices, vmDevice } from './vm_plan.ts'

export const QEMU = 'qemu-system-x86_64'
export const QEMU_PACKAGE = 'qemu-system-x86'
/** How long a guest may take to power off once asked. */
const SHUTDOWN_MS_MAX = 10_000
const POLL_MS = 50
/** How long qemu may take to open its control socket. */
const START_MS_MAX = 10_000
/** Bytes of console that EC2 gives out, and at which the file is cut down to that. */
export const CONSOLE_BYTES = 65_536
const CONSOLE_BYTES_MAX = 1_048_576
const PREVIOUS_SUFFIX = '.previous'

interface VmRecord { readonly pid: number, readonly cards: readonly Card[] }

/** Path of the emulator; null when it is not installed. */
export function findQemu (): string | null {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, QEMU)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      continue
    }
  }
  return null
}

/** What to say where it is missing. */
export const QEMU_MISSING = `a virtual machine needs ${QEMU}, which is not installed: ` +
  `install the Debian package ${QEMU_PACKAGE}, or run "vpclab-setup --vm"`

function readRecord (lab: string, instanceId: string): VmRecord | null {
  const path = vmPath(lab, instanceId)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) as VmRecord : null
}

function writeRecord (lab: string, instanceId: string, record: VmRecord): void {
  replaceFile(vmPath(lab, instanceId), JSON.stringify(record))
}

/** Whether the process is the instance's qemu, and not another one that has got its number. */
function isVm (pid: number, instanceId: string): boolean {
  return commandWordsOf(pid).includes(nameArgument(instanceId))
}

/** Process of the instance's virtual machine; null when there is none (any more). */
export function vmPid (lab: string, instanceId: string): number | null {
  const record = readRecord(lab, instanceId)
  return record !== null && isVm(record.pid, instanceId) ? record.pid : null
}

/**
 * Starts the virtual machine, unless it runs; gives it and takes from it network cards until they
 * are those of `interfaces`. Precondition: namespace and devices are there.
 * @param renewed devices that were made anew: a card on one of them leads nowhere
 * @throws VpclabError VPCLAB_ERR_PREREQUISITE without qemu, VPCLAB_ERR_CONFIG when the image is no
 *   longer one, VPCLAB_ERR_AGENT with what qemu said
 */
export async function ensureVm (options: VmOptions, renewed: ReadonlySet<string>): Promise<void> {
  const { lab, instanceId, interfaces, cardsMax } = options
  const record = readRecord(lab, instanceId)
  if (record !== null && isVm(record.pid, instanceId)) {
    const isSound = livesIn(record.pid, namespaceName(lab, instanceId)) &&
      !cardIndices(interfaces, cardsMax).some((index) => renewed.has(vmDevice(index)))
    if (isSound) {
      await changeCards(options, record)
      return
    }
    process.kill(record.pid, 'SIGKILL')
    await ended(record.pid, instanceId)
  }
  await start(options, interfaces.map(cardOf))
}

function cardOf ({ deviceIndex, macAddress }: DesiredInterface): Card {
  return { deviceIndex, macAddress }
}

async function start (options: VmOptions, cards: readonly Card[]): Promise<void> {
  const { lab, instanceId, guest } = options
  const qemu = findQemu()
  if (qemu === null) {
    throw new VpclabError('VPCLAB_ERR_PREREQUISITE', `${instanceId}: ${QEMU_MISSING}`)
  }
  if (imageKindOf(guest.directory) !== 'vm') {
    throw new VpclabError('VPCLAB_ERR_CONFIG',
      `The image directory ${guest.directory} has no ${VM_KERNEL} or no ${VM_INITRD}`)
  }
  // One that a daemon started which was killed before it had noted the number.
  await killProcessesIn([namespaceName(lab, instanceId)])
  const log = instanceLogPath(lab, instanceId)
  for (const path of [log, vmControlPath(lab, instanceId)]) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  }
  rmSync(vmControlPath(lab, instanceId), { force: true })
  const complaints = openSync(`${log}.qemu`, 'w', 0o600)
  const child = spawn('ip', ['netns', 'exec', namespaceName(lab, instanceId), qemu,
    ...qemuArguments(options, cards)], { cwd: '/', detached: true,
    stdio: ['ignore', complaints, complaints] })
  closeSync(complaints)
  const failures: string[] = []
  child.on('error', (error) => { failures.push(error.message) })
  child.on('exit', (code) => { failures.push(`it ended with code ${String(code)}`) })
  child.unref()
  for (let waitedMs = 0; !existsSync(vmControlPath(lab, instanceId)); waitedMs += POLL_MS) {
    if (failures.length > 0 || waitedMs > START_MS_MAX) {
      const said = readFileSync(`${log}.qemu`, 'utf8').trim().split('\n').slice(-3).join('; ')
      child.kill('SIGKILL')
      const why = said === '' ? failures[0] ?? 'it does not answer' : said
      throw new VpclabError('VPCLAB_ERR_AGENT', `qemu of ${instanceId} does not start: ${why}`)
    }
    await delay(POLL_MS)
  }
  // `ip netns exec` has become qemu: it keeps the number.
  writeRecord(lab, instanceId, { pid: child.pid ?? 0, cards })
}

/** Plugs in and out what an attached or detached ENI asks for. */
async function changeCards ({ lab, instanceId, interfaces }: VmOptions, record: VmRecord):
Promise<void> {
  const isSame = (a: Card, b: Card): boolean =>
    a.deviceIndex === b.deviceIndex && a.macAddress === b.macAddress
  const wanted = interfaces.map(cardOf)
  const gone = record.cards.filter((card) => !wanted.some((other) => isSame(card, other)))
  const missing = wanted.filter((card) => !record.cards.some((other) => isSame(card, other)))
  if (gone.length + missing.length === 0) return
  await Qmp.with(vmControlPath(lab, instanceId), async (qmp) => {
    for (const { deviceIndex } of gone) {
      await qmp.execute('device_del', { id: cardId(deviceIndex) })
      await qmp.event('DEVICE_DELETED', ({ device }) => device === cardId(deviceIndex))
    }
    for (const card of missing) await qmp.execute('device_add', cardDevice(card))
  })
  writeRecord(lab, instanceId, { pid: record.pid, cards: wanted })
}

/** Presses the reset button. */
export async function resetVm (lab: string, instanceId: string): Promise<void> {
  if (vmPid(lab, instanceId) === null) return
  await Qmp.with(vmControlPath(lab, instanceId), (qmp) => qmp.execute('system_reset'))
}

/** Presses the power button, waits for the guest to power off, then cuts the power. */
export async function endVm (lab: string, instanceId: string): Promise<void> {
  const pid = vmPid(lab, instanceId)
  if (pid !== null) {
    try {
      await Qmp.with(vmControlPath(lab, instanceId), (qmp) => qmp.execute('system_powerdown'))
      await ended(pid, instanceId)
    } catch (error) {
      if (!(error instanceof VpclabError)) throw error
    }
    if (isVm(pid, instanceId)) process.kill(pid, 'SIGKILL')
  }
  forgetVm(lab, instanceId)
}

/** Waits until the process has ended, or as long as a guest may take. */
async function ended (pid: number, instanceId: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < SHUTDOWN_MS_MAX; waitedMs += POLL_MS) {
    if (!isVm(pid, instanceId)) return
    await delay(POLL_MS)
  }
}

function forgetVm (lab: string, instanceId: string): void {
  for (const path of [vmPath, vmControlPath, vmConsolePath]) {
    rmSync(path(lab, instanceId), { force: true })
  }
  rmSync(`${instanceLogPath(lab, instanceId)}.qemu`, { force: true })
}

/** Keeps the console of a talkative guest from filling the disk; to be called now and then. */
export function trimConsole (lab: string, instanceId: string): void {
  const path = instanceLogPath(lab, instanceId)
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (bytes <= CONSOLE_BYTES_MAX) return
  writeFileSync(`${path}${PREVIOUS_SUFFIX}`, lastBytes(path, CONSOLE_BYTES), { mode: 0o600 })
  truncateSync(path) // qemu appends
}

/**
 * The last CONSOLE_BYTES that an instance wrote to its console: the serial line of a virtual
 * machine, or what the user data of another instance writes.
 * @returns null when there is none
 */
export function readConsole (lab: string, instanceId: string):
{ readonly output: Buffer, readonly writtenMs: number } | null {
  const path = instanceLogPath(lab, instanceId)
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return null
  const now = lastBytes(path, CONSOLE_BYTES)
  const previous = `${path}${PREVIOUS_SUFFIX}`
  const before = existsSync(previous) ? lastBytes(previous, CONSOLE_BYTES - now.length)
    : Buffer.alloc(0)
  return { output: Buffer.concat([before, now]), writtenMs: stat.mtimeMs }
}

function lastBytes (path: string, count: number): Buffer {
  const fd = openSync(path, 'r')
  try {
    const size = statSync(path).size
    const bytes = Buffer.alloc(Math.min(count, size))
    const read = readSync(fd, bytes, 0, bytes.length, Math.max(0, size - bytes.length))
    return bytes.subarray(0, read)
  } finally {
    closeSync(fd)
  }
}
