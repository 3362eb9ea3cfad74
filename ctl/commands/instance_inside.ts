/**
 * What happens inside an instance. The daemon says where that is; entering it needs root.
 *
 *     the machine's root file system   ip netns exec NAMESPACE     commands of the machine
 *     an image, an attached container  nsenter --target PID --all  commands of the image
 *
 * A command ends with its own exit code, on the terminal of whoever typed it: job control, window
 * size and signals are the terminal's business.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { constants } from 'node:os'
import { basename } from 'node:path'
import { instanceLogPath } from '../../daemon/host/paths.ts'
import { type Command, defineCommand } from '../command.ts'
import type { Context } from '../context.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import { INSTANCE, resolveId } from '../resolve.ts'

/** Added to a signal's number when a command ended by it, as shells do. */
const EXIT_SIGNAL_BASE = 128
const SIGNALS_PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

const INSTANCE_ARGUMENT = { syntax: '<instance>', description: 'id or Name tag' }

export const insideCommands: readonly Command[] = [
  defineCommand({
    name: 'exec',
    summary: 'Run a command inside an instance',
    action: 'ip netns exec, or nsenter for an image or a container, on this machine',
    arguments: [INSTANCE_ARGUMENT,
      { syntax: '<command...>', description: 'the command and its arguments' }],
    endsInCommandLine: true,
    note: 'The exit code is the command\'s own; 127 when there is no such command, 126 when it\n' +
      'cannot be run, 128 + n when signal n ended it.',
    examples: [
      'vpcctl instance exec a -- ping -c 3 10.0.1.11',
      'vpcctl instance exec a -- ip address'
    ],
    async run (context, input) {
      const command = input.rest('command')
      if (command.length === 0) throw usageError('<command> is missing')
      const place = await locate(context, input.argument('instance'))
      if (place.consolePath !== null) {
        throw new CtlError('UnsupportedOperation', `${place.id} is a virtual machine: commands ` +
          'cannot be put into it from outside. "vpcctl instance shell" opens its console')
      }
      return runInside(context, place, command, {})
    }
  }),
  defineCommand({
    name: 'shell',
    summary: 'Open a shell inside an instance',
    action: 'ip netns exec, or nsenter for an image or a container, on this machine',
    arguments: [INSTANCE_ARGUMENT],
    examples: ['vpcctl instance shell a'],
    async run (context, input) {
      const reference = input.argument('instance')
      const place = await locate(context, reference)
      if (place.consolePath !== null) return openConsole(place.consolePath)
      const label = reference === place.id ? place.id : `${reference} ${place.id}`
      if (place.pid !== null) return runInside(context, place, ANY_SHELL, anyPrompt(label))
      const shell = context.environment['SHELL'] || '/bin/bash'
      return runInside(context, place, [shell, '-i'], shellEnvironment(shell, label))
    }
  }),
  defineCommand({
    name: 'console',
    summary: 'Print the last 64 KB that an instance wrote to its console',
    action: 'GetConsoleOutput',
    arguments: [INSTANCE_ARGUMENT],
    note: 'Of a virtual machine: its serial line. Of another instance: what its user data writes.',
    examples: ['vpcctl instance console machine'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const InstanceId = await resolveId(ec2, INSTANCE, input.argument('instance'))
      const { Output: output = '', ...rest } = await ec2.call('GetConsoleOutput', { InstanceId })
      const text = Buffer.from(output, 'base64').toString('utf8')
      if (context.output.form === 'human') process.stdout.write(text)
      else context.output.json({ ...rest, Output: text })
    }
  }),
  defineCommand({
    name: 'logs',
    summary: 'Print what an instance\'s user data, or a virtual machine\'s console, wrote',
    action: 'tail on this machine',
    arguments: [INSTANCE_ARGUMENT],
    options: [{ flags: '-f, --follow', description: 'and go on printing what it writes' }],
    examples: ['vpcctl instance logs web', 'vpcctl instance logs web --follow'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, INSTANCE, input.argument('instance'))
      const path = instanceLogPath(context.lab, id)
      if (!existsSync(path)) {
        throw new CtlError('NameNotFound', `${id} has no log ${path}: it has not run any user ` +
          'data (EC2 runs what begins with #!)')
      }
      return runChild('tail', ['-n', '+1', ...input.flag('follow') ? ['-F'] : [], path],
        process.env)
    }
  })
]

interface Place {
  readonly id: string
  readonly namespace: string
  /** Process whose namespaces are entered, or null for the network namespace alone. */
  readonly pid: number | null
  /** Serial line of a virtual machine. */
  readonly consolePath: string | null
}

/** @throws CtlError when the instance does not run */
async function locate (context: Context, reference: string): Promise<Place> {
  const id = reference.startsWith(INSTANCE.idPrefix)
    ? reference
    : await resolveId(await context.ec2(), INSTANCE, reference)
  const { namespace, pid, consolePath, state } = await context.admin.instance(id)
  if (state !== 'running') {
    throw new CtlError('IncorrectInstanceState',
      `${id} is ${state}: a command needs a running instance`)
  }
  return { id, namespace, pid, consolePath }
}

/** Runs a command in a place of its own. @returns its exit code */
export function runInside (context: Context, { namespace, pid }: Pick<Place, 'namespace' | 'pid'>,
  command: readonly string[], environment: Readonly<Record<string, string>>): Promise<number> {
  if (pid !== null) {
    return runChild('nsenter', ['--target', String(pid), '--all', '--', ...command],
      { ...insideEnvironment(context.environment), ...environment })
  }
  return runChild('ip', ['netns', 'exec', namespace, ...commandWords(command)],
    { ...process.env, ...environment })
}

/** Key that leaves a console, Ctrl-], as telnet and virsh have it. */
const CONSOLE_ESCAPE = 0x1d

/** Joins this terminal and a serial line until Ctrl-] or the end of either. */
function openConsole (path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const { stdin, stdout } = process
    const line = connect(path)
    const leave = (): void => {
      if (stdin.isTTY) stdin.setRawMode(false)
      stdin.pause()
      line.destroy()
      resolve(0)
    }
    line.on('error', (error) => {
      const why = `Cannot open the console ${path}: ${error.message}`
      reject(new CtlError('VPCLAB_ERR_COMMAND', why))
    })
    line.on('connect', () => {
      process.stderr.write('Connected to the console; Ctrl-] leaves it.\n')
      if (stdin.isTTY) stdin.setRawMode(true)
      stdin.on('data', (keys: Buffer) => {
        const end = keys.indexOf(CONSOLE_ESCAPE)
        line.write(end < 0 ? keys : keys.subarray(0, end))
        if (end >= 0) leave()
      })
      stdin.on('end', leave)
    })
    line.on('data', (bytes: Buffer) => { stdout.write(bytes) })
    line.on('close', leave)
  })
}

/** Bash where the image has it; a shell it has by all means. */
const ANY_SHELL = ['/bin/sh', '-c',
  'if command -v bash > /dev/null 2>&1; then exec bash -i; else exec /bin/sh -i; fi']

/** The prompt for a shell that is not known yet. */
function anyPrompt (label: string): Record<string, string> {
  return { ...shellEnvironment('sh', label), ...shellEnvironment('bash', label) }
}

/** What a login inside would have: the machine's own variables mean nothing there. */
function insideEnvironment (
  { TERM }: Readonly<Record<string, string | undefined>>
): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
    ...TERM === undefined ? {} : { TERM }
  }
}

/**
 * The command behind env(1), which gives its process to it, and ends with 127 or 126 when it
 * cannot, as POSIX has it. (`ip netns exec` alone ends with 255 then, as ssh may
 * by itself.)
 */
export function commandWords (command: readonly string[]): string[] {
  return ['env', '--', ...command]
}

/** Runs a child on this terminal. @returns its exit code, 128 + n when signal n ended it */
function runChild (file: string, words: readonly string[],
  env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, words, { stdio: 'inherit', env })
    // A terminal sends its signals to all of them; the child decides what they mean.
    const passOn = (signal: NodeJS.Signals): void => {
      for (const pid of childrenOf(child.pid)) process.kill(pid, signal)
      child.kill(signal)
    }
    for (const signal of SIGNALS_PASSED_ON) process.on(signal, passOn)
    child.on('error', (error) => {
      reject(new CtlError('VPCLAB_ERR_COMMAND', `Cannot run ${file}: ${error.message}`))
    })
    child.on('exit', (code, signal) => {
      for (const passed of SIGNALS_PASSED_ON) process.off(passed, passOn)
      resolve(code ?? EXIT_SIGNAL_BASE + (signal === null ? 0 : constants.signals[signal]))
    })
  })
}

/** nsenter waits for the command, which is a child of its own in another PID namespace. */
function childrenOf (pid: number | undefined): number[] {
  const task = String(pid)
  try {
    return readFileSync(`/proc/${task}/task/${task}/children`, 'utf8').split(' ')
      .filter((word) => word.trim() !== '').map(Number)
  } catch {
    return []
  }
}

/** A prompt that says where one is. bash takes it after its start files; other shells from PS1. */
export function shellEnvironment (shell: string, label: string): Record<string, string> {
  const prompt = `[${label}] \\w # `
  return basename(shell) === 'bash'
    ? { PROMPT_COMMAND: `PS1='${prompt}'; unset PROMPT_COMMAND` }
    : { PS1: `[${label}] # ` }
}
