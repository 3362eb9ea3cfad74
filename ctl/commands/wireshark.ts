/**
 * `vpcctl wireshark …`: ENIs and hosts in Wireshark's list of interfaces. Wireshark asks programs
 * in its extcap folder for interfaces; tools/wireshark/extcap/vpclab-extcap is such a program, and
 * asks `vpcctl wireshark interfaces` in turn.
 *
 * Which folder that is differs by version and machine, so Wireshark itself is asked: "Personal
 * Extcap path" where it has one (4.2 and newer), else "Extcap path", else what the variable
 * WIRESHARK_EXTCAP_DIR names.
 */
import { execFile } from 'node:child_process'
import {
  existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { adminSocketPath, LAB_NAME_PATTERN, stateDirectory } from '../../daemon/host/paths.ts'
import { AdminClient } from '../admin_client.ts'
import { type Command, type CommandOption, defineCommand, type Input } from '../command.ts'
import type { Context } from '../context.ts'
import { CtlError, usageError } from '../exit_codes.ts'

const PROGRAM = 'vpclab-extcap'
const PROGRAM_PATH =
  fileURLToPath(new URL(`../../tools/wireshark/extcap/${PROGRAM}`, import.meta.url))
/** What a program in the extcap folder says of itself. */
const EXTCAP_SENTENCE = 'extcap {version=1.0}{display=vpclab}'
const FOLDER_VARIABLE = 'WIRESHARK_EXTCAP_DIR'
/** As `tshark -G folders` names them, the better one first. */
const FOLDER_NAMES = ['Personal Extcap path', 'Extcap path']
const DIRECTORY_OPTION: CommandOption = {
  flags: '--directory <directory>', description: 'the extcap folder (default: Wireshark is asked)'
}

interface CaptureInterface {
  /** `vpclab-<lab>-<ENI or host>` */
  readonly value: string
  readonly display: string
}

export const wiresharkCommands: readonly Command[] = [
  defineCommand({
    name: 'install',
    summary: 'Put ENIs and hosts into the interface list of Wireshark and tshark',
    action: 'a link in Wireshark\'s extcap folder on this machine',
    options: [DIRECTORY_OPTION],
    note: 'Wireshark must be able to open the socket of the lab: run it as root. Options of an\n' +
      'interface (direction, dropped packets only) are behind the gear in Wireshark.',
    examples: ['vpcctl wireshark install',
      'vpcctl wireshark install && tshark -i vpclab-vpclab-host-1 -c 3'],
    async run (context, input) {
      const link = join(await extcapFolder(context, input), PROGRAM)
      checkOurs(link)
      writing(link, () => {
        mkdirSync(dirname(link), { recursive: true })
        rmSync(link, { force: true })
        symlinkSync(PROGRAM_PATH, link)
      })
      context.output.done(`${link} leads to ${PROGRAM_PATH}: see tshark -D.`, { link })
    }
  }),
  defineCommand({
    name: 'uninstall',
    summary: 'Take them out of the list again',
    action: 'the link in Wireshark\'s extcap folder on this machine',
    options: [DIRECTORY_OPTION],
    examples: ['vpcctl wireshark uninstall'],
    async run (context, input) {
      const link = join(await extcapFolder(context, input), PROGRAM)
      checkOurs(link)
      writing(link, () => { rmSync(link, { force: true }) })
      context.output.done(`${link} is gone.`, { link })
    }
  }),
  defineCommand({
    name: 'interfaces',
    summary: 'List them as Wireshark asks for them',
    action: 'GET /traffic (admin API) of every lab that runs',
    examples: ['vpcctl wireshark interfaces', 'vpcctl wireshark interfaces --json'],
    async run (context) {
      const found = await Promise.all(runningLabs().map(interfacesOf))
      const interfaces = found.flat()
      if (context.output.form === 'json') {
        context.output.json(interfaces)
        return
      }
      const lines = interfaces.map(({ value, display }) =>
        `interface {value=${value}}{display=${plain(display)}}`)
      context.output.text([EXTCAP_SENTENCE, ...lines].join('\n'))
    }
  })
]

/** Labs whose daemon has a socket; whether it answers is seen by asking. */
function runningLabs (): string[] {
  const directory = dirname(stateDirectory('lab'))
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((name) => LAB_NAME_PATTERN.test(name) && existsSync(adminSocketPath(name)))
}

/** None where the lab does not answer, or not to this user. */
async function interfacesOf (lab: string): Promise<CaptureInterface[]> {
  let answer
  try {
    answer = await new AdminClient(lab).traffic()
  } catch {
    return []
  }
  const enis = answer.enis.map(({ eni, eniName, instance, instanceName, host }) => {
    const name = eniName || instanceName
    return {
      value: `vpclab-${lab}-${eni}`,
      display: `${name === '' ? '' : `${name}: `}${eni} of ${String(instance)} on ${host}, ` +
        `lab ${lab}`
    }
  })
  const hosts = answer.hosts.map(({ host }) => ({
    value: `vpclab-${lab}-${host}`, display: `${host}: underlay of lab ${lab}`
  }))
  return [...enis, ...hosts]
}

/** Braces end a field of an extcap sentence. */
function plain (text: string): string { return text.replace(/[{}\p{Cc}]/gu, '_') }

/** @throws CtlError Usage when Wireshark is not there to be asked */
async function extcapFolder (context: Context, input: Input): Promise<string> {
  const named = input.text('directory') ?? context.environment[FOLDER_VARIABLE]
  if (named !== undefined && named !== '') return named
  let answer: string
  try {
    answer = (await promisify(execFile)('tshark', ['-G', 'folders'])).stdout
  } catch (error) {
    throw usageError(`tshark cannot be asked for its extcap folder: ${(error as Error).message}. ` +
      'Install it, or name the folder with --directory')
  }
  const folders = new Map(answer.split('\n').map((line) => {
    const at = line.indexOf(':')
    return [line.slice(0, at).trim(), line.slice(at + 1).trim()] as const
  }))
  const found = FOLDER_NAMES.map((name) => folders.get(name)).find((folder) => folder !== undefined)
  if (found !== undefined) return found
  throw usageError('This tshark knows no extcap folder: name it with --directory')
}

/** @throws CtlError Usage when something that is not our link stands in its place */
function checkOurs (path: string): void {
  const entry = lstatSync(path, { throwIfNoEntry: false })
  if (entry === undefined) return
  if (entry.isSymbolicLink() && readlinkSync(path).endsWith(`/${PROGRAM}`)) return
  throw usageError(`${path} is there already and is not a link to ${PROGRAM}: remove it first`)
}

function writing (path: string, body: () => void): void {
  try {
    body()
  } catch (error) {
    throw new CtlError('VPCLAB_ERR_SYSCALL', `${path} cannot be changed: ` +
      `${(error as Error).message}. Run it as root, or name another folder with --directory`)
  }
}
