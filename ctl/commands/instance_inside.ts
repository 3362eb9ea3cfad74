/**
 * What happens inside an instance: commands of the machine run in its network namespace, which the
 * daemon names. They need root, as entering a namespace does, and end with the command's exit code.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
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
    action: 'ip netns exec on this machine',
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
      const { namespace } = await locate(context, input.argument('instance'))
      return runInside(namespace, input.rest('command'), {})
    }
  }),
  defineCommand({
    name: 'shell',
    summary: 'Open a shell inside an instance',
    action: 'ip netns exec on this machine',
    arguments: [INSTANCE_ARGUMENT],
    examples: ['vpcctl instance shell a'],
    async run (context, input) {
      const reference = input.argument('instance')
      const { id, namespace } = await locate(context, reference)
      const shell = context.environment['SHELL'] || '/bin/bash'
      const label = reference === id ? id : `${reference} ${id}`
      return runInside(namespace, [shell, '-i'], shellEnvironment(shell, label))
    }
  }),
  defineCommand({
    name: 'logs',
    summary: 'Print what the user data of an instance wrote',
    action: 'tail on this machine',
    arguments: [INSTANCE_ARGUMENT],
    options: [{ flags: '-f, --follow', description: 'and go on printing what it writes' }],
    examples: ['vpcctl instance logs web', 'vpcctl instance logs web --follow'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, INSTANCE, input.argument('instance'))
      const path = instanceLogPath(context.lab, id)
      if (!existsSync(path)) {
        throw new CtlError('NameNotFound', `${id} has no log ${path}: it has not run any user data`)
      }
      return runChild('tail', ['-n', '+1', ...input.flag('follow') ? ['-F'] : [], path], {})
    }
  })
]

/** @throws CtlError when the instance does not run */
async function locate (context: Context,
  reference: string): Promise<{ id: string, namespace: string }> {
  const id = reference.startsWith(INSTANCE.idPrefix)
    ? reference
    : await resolveId(await context.ec2(), INSTANCE, reference)
  const { namespace, state } = await context.admin.instance(id)
  if (state !== 'running') {
    throw new CtlError('IncorrectInstanceState',
      `${id} is ${state}: a command needs a running instance`)
  }
  return { id, namespace }
}

function runInside (namespace: string, command: readonly string[],
  environment: Readonly<Record<string, string>>): Promise<number> {
  if (command.length === 0) throw usageError('<command> is missing')
  return runChild('ip', ['netns', 'exec', namespace, ...commandWords(command)], environment)
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
  environment: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, words, { stdio: 'inherit', env: { ...process.env, ...environment } })
    // A terminal sends its signals to both; the child decides what they mean.
    const passOn = (signal: NodeJS.Signals): void => { child.kill(signal) }
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

/** A prompt that says where one is. bash takes it after its start files; other shells from PS1. */
export function shellEnvironment (shell: string, label: string): Record<string, string> {
  const prompt = `[${label}] \\w # `
  return basename(shell) === 'bash'
    ? { PROMPT_COMMAND: `PS1='${prompt}'; unset PROMPT_COMMAND` }
    : { PS1: `[${label}] # ` }
}
