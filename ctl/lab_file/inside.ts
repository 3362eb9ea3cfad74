/**
 * Programs inside instances: the commands of a lab file and the probes of its checks. They run in
 * the instance's namespaces, which needs root, as `vpcctl instance exec` does.
 *
 * A service is known by a variable in its environment, so that no file has to remember it:
 *
 *     VPCLAB_SERVICE=<hash of the command>      read back from /proc/<pid>/environ
 */
import { execFile, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { instanceLogPath } from '../../daemon/host/paths.ts'
import type { Context } from '../context.ts'
import { CtlError } from '../exit_codes.ts'

/** Bytes that a program may print before it is ended. */
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024
/** ms between two looks whether a service listens. */
const POLL_INTERVAL_MS = 50
const SERVICE_VARIABLE = 'VPCLAB_SERVICE'
/** Search path of commands, as a login of root has it. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** How a program ended. */
export interface Ended {
  /** Exit code; null when a signal, or the time, ended it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly timedOut: boolean
}

/** Where an instance is on this machine. */
export interface Inside {
  readonly instanceId: string
  /** Name of its network namespace. */
  readonly namespace: string
  /** Process whose namespaces are entered, or null where there is only that of the network. */
  readonly pid: number | null
}

/** @throws CtlError IncorrectInstanceState */
export async function instanceInside (context: Context, instanceId: string): Promise<Inside> {
  const { namespace, pid, state } = await context.admin.instance(instanceId)
  if (state === 'running') return { instanceId, namespace, pid }
  throw new CtlError('IncorrectInstanceState',
    `${instanceId} is ${state}: a command needs a running instance`)
}

function enter ({ namespace, pid }: Inside): [string, ...string[]] {
  return pid === null
    ? ['ip', 'netns', 'exec', namespace]
    : ['nsenter', '--target', String(pid), '--all', '--']
}

/** Runs a program inside to its end, however it ends. @throws CtlError when it cannot be started */
export function runInside (inside: Inside, words: readonly string[],
  timeoutMs: number): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const [file, ...entering] = enter(inside)
    const child = execFile(file, [...entering, ...words], {
      cwd: '/', env: environmentOf({}), timeout: timeoutMs, killSignal: 'SIGKILL',
      maxBuffer: OUTPUT_BYTES_MAX, encoding: 'utf8'
    }, (error, stdout, stderr) => {
      if (error !== null && error.code === 'ENOENT') {
        reject(new CtlError('VPCLAB_ERR_COMMAND', `Cannot run ${file}: ${error.message}`))
        return
      }
      resolve({ code: child.exitCode, stdout, stderr, timedOut: error?.killed === true })
    })
  })
}

function environmentOf (more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { PATH, HOME: '/root', LANG: 'C.UTF-8', ...more }
}

/** A service to start: what it is and how it is known again. */
export interface Service {
  readonly inside: Inside
  readonly run: string
  readonly hash: string
  /** TCP port that it will listen on, or undefined when there is nothing to wait for. */
  readonly listens: number | undefined
}

/**
 * Starts a service that outlives vpcctl; its output goes to the instance's log. Returns when it
 * listens.
 * @throws CtlError CommandFailed when it ends before, VPCLAB_ERR_TIMEOUT
 */
export async function startService (context: Context, service: Service,
  timeoutMs: number): Promise<void> {
  const { inside, run, hash, listens } = service
  const { instanceId, namespace } = inside
  const path = instanceLogPath(context.lab, instanceId)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const log = openSync(path, 'a', 0o600)
  const [file, ...entering] = enter(inside)
  const child = spawn(file, [...entering, '/bin/sh', '-c', run], {
    cwd: '/', detached: true, stdio: ['ignore', log, log],
    env: environmentOf({ [SERVICE_VARIABLE]: hash })
  })
  closeSync(log)
  child.unref()
  let failure: string | undefined
  child.on('error', (error) => { failure = error.message })
  child.on('exit', (code, signal) => {
    failure = `it ended with ${code === null ? String(signal) : `code ${String(code)}`}`
  })
  const deadlineMs = context.clock.monotonicMs() + timeoutMs
  for (;;) {
    if (failure !== undefined) {
      throw new CtlError('CommandFailed', `The service "${run}" in ${instanceId} does not run: ` +
        `${failure}. What it said: vpcctl instance logs ${instanceId}`)
    }
    const pids = await serviceProcesses(namespace, hash)
    if (pids.length > 0 && (listens === undefined || isListening(pids, listens))) return
    if (context.clock.monotonicMs() >= deadlineMs) {
      throw new CtlError('VPCLAB_ERR_TIMEOUT', `The service "${run}" in ${instanceId} does not ` +
        `listen on port ${String(listens)} after ${String(timeoutMs / 1000)} s`)
    }
    await delay(POLL_INTERVAL_MS)
  }
}

/** Ends what runs of a service, and returns when it is gone. */
export async function stopService (context: Context, namespace: string, hash: string,
  timeoutMs: number): Promise<void> {
  const deadlineMs = context.clock.monotonicMs() + timeoutMs
  for (let signal: NodeJS.Signals = 'SIGTERM'; ; signal = 'SIGKILL') {
    const pids = await serviceProcesses(namespace, hash)
    if (pids.length === 0) return
    for (const pid of pids) end(pid, signal)
    await delay(POLL_INTERVAL_MS)
    if (context.clock.monotonicMs() >= deadlineMs) {
      throw new CtlError('VPCLAB_ERR_TIMEOUT',
        `Processes ${pids.join(', ')} of a service in ${namespace} do not end`)
    }
  }
}

function end (pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Hashes of the services that run in an instance. */
export async function runningServices (namespace: string): Promise<Set<string>> {
  const pids = await processesIn(namespace)
  return new Set(pids.flatMap((pid) => serviceOf(pid) ?? []))
}

async function serviceProcesses (namespace: string, hash: string): Promise<number[]> {
  return (await processesIn(namespace)).filter((pid) => serviceOf(pid) === hash)
}

function processesIn (namespace: string): Promise<number[]> {
  return new Promise((resolve, reject) => {
    execFile('ip', ['netns', 'pids', namespace], (error, stdout) => {
      if (error === null) resolve(stdout.split('\n').filter((line) => line !== '').map(Number))
      else reject(new CtlError('VPCLAB_ERR_COMMAND', `ip netns pids: ${error.message}`))
    })
  })
}

/** The hash in a process's environment; processes come and go while one looks. */
function serviceOf (pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${String(pid)}/environ`, 'utf8').split('\0')
      .find((entry) => entry.startsWith(`${SERVICE_VARIABLE}=`))
      ?.slice(SERVICE_VARIABLE.length + 1)
  } catch {
    return undefined
  }
}

const TCP_LISTEN = '0A'

/** Whether the network namespace of one of the processes has a listening socket on `port`. */
function isListening (pids: readonly number[], port: number): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return pids.some((pid) => ['tcp', 'tcp6'].some((family) => {
    try {
      return readFileSync(`/proc/${String(pid)}/net/${family}`, 'utf8').split('\n')
        .map((line) => line.trim().split(/\s+/))
        .some(([, local = '', , state]) => local.endsWith(suffix) && state === TCP_LISTEN)
    } catch {
      return false
    }
  }))
}
