/**
 * Starting and removing a lab's daemon: `bin/vpcd` as a process of its own that outlives `vpcctl`.
 *
 *     vpcctl ─ spawn, detached ─▶ vpcd ─ opens ─▶ admin.sock
 *        └───── GET /status until it answers and every host has applied its revision
 *
 * What the daemon says until then goes to the lab's log; when it ends instead of answering, its own
 * words and its exit code become those of `vpcctl`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { LabStatusAnswer } from '../daemon/api/admin/contract.ts'
import { logPath, stateDirectory } from '../daemon/host/paths.ts'
import type { Context } from './context.ts'
import { CtlError, EXIT_FAILED, EXIT_INTERRUPTED } from './exit_codes.ts'
import type { Say } from './print/progress.ts'

const VPCD_PATH = fileURLToPath(new URL('../bin/vpcd', import.meta.url))
/** ms between two looks for the daemon's socket. */
const POLL_INTERVAL_MS = 20
/** What ends a start that is under way. */
const INTERRUPTS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** Lines of the log shown when the daemon dies without a word for people. */
const LAST_WORDS_LINES = 20

/**
 * Starts the daemon and returns its status when every host is ready. A lab that did not exist
 * before and does not come up, or is interrupted on the way, is removed again.
 * @param flags for `vpcd`, without `--lab`
 */
export async function startDaemon (context: Context, flags: readonly string[],
  timeoutMs: number): Promise<LabStatusAnswer> {
  return await context.output.progress(`Starting the lab "${context.lab}"`, (say) =>
    startAndWait(context, flags, timeoutMs, say))
}

async function startAndWait (context: Context, flags: readonly string[], timeoutMs: number,
  say: Say): Promise<LabStatusAnswer> {
  const isNew = !existsSync(stateDirectory(context.lab))
  const log = openLog(logPath(context.lab))
  const daemon = spawn(VPCD_PATH, ['--lab', context.lab, ...flags],
    { detached: true, stdio: ['ignore', log, log], cwd: '/' })
  daemon.unref()
  try {
    return await waitForDaemon(context, daemon, log, timeoutMs, say)
  } catch (error) {
    // A daemon that another one has turned away must not take that one's lab with it.
    const isTaken = error instanceof CtlError && error.code === 'VPCLAB_ERR_LAB_RUNNING'
    if (isNew && !isTaken) {
      await endProcess(daemon)
      await removeLab(context.lab)
    }
    throw error
  } finally {
    closeSync(log)
  }
}

async function waitForDaemon (context: Context, daemon: ChildProcess, log: number,
  timeoutMs: number, say: Say): Promise<LabStatusAnswer> {
  const logStart = fstatSync(log).size
  let ended: Error | number | undefined
  daemon.on('error', (error) => { ended = error })
  daemon.on('exit', (code) => { ended ??= code ?? EXIT_FAILED })
  const interruption = new AbortController()
  const interrupt = (): void => { interruption.abort() }
  for (const signal of INTERRUPTS) process.on(signal, interrupt)
  const deadlineMs = context.clock.monotonicMs() + timeoutMs
  try {
    for (;;) {
      if (ended !== undefined) throw endedEarly(ended, log, logStart)
      if (interruption.signal.aborted) {
        throw new CtlError('Interrupted', 'The start was interrupted', EXIT_INTERRUPTED)
      }
      const status = await statusOrNull(context)
      if (status !== null && status.pid === daemon.pid) {
        say('waiting until its hosts are ready')
        return await waitForHosts(context, status, deadlineMs)
      }
      if (context.clock.monotonicMs() >= deadlineMs) {
        throw new CtlError('VPCLAB_ERR_TIMEOUT', `The daemon of the lab "${context.lab}" ` +
          `(process ${String(daemon.pid)}) does not answer after ${String(timeoutMs / 1000)} s; ` +
          `its log is ${logPath(context.lab)}`)
      }
      await delay(POLL_INTERVAL_MS)
    }
  } finally {
    for (const signal of INTERRUPTS) process.off(signal, interrupt)
  }
}

/** Returns when the daemon is gone, so that it makes nothing more. */
async function endProcess (daemon: ChildProcess): Promise<void> {
  if (daemon.pid === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return
  const exited = once(daemon, 'exit')
  daemon.kill('SIGKILL')
  await exited
}

function openLog (path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    return openSync(path, 'a+', 0o600)
  } catch (error) {
    throw new CtlError('VPCLAB_ERR_CONFIG',
      `The lab's files cannot be kept in ${dirname(path)}: ${(error as Error).message}`)
  }
}

/** The lab's status, or null when no daemon answers. */
export async function statusOrNull (context: Context): Promise<LabStatusAnswer | null> {
  try {
    return await context.admin.status()
  } catch (error) {
    if (error instanceof CtlError && error.code === 'VPCLAB_ERR_LAB_DOWN') return null
    throw error
  }
}

/** What the teardown says; commands use this of it. */
interface Removed {
  /** Whether there was anything of a lab of that name. */
  readonly labFound: boolean
}

/**
 * Removes everything the lab left on the machine.
 * @returns what `vpcd --teardown` says it removed
 * @throws CtlError with its exit code and words when it fails
 */
export async function removeLab (lab: string): Promise<Removed> {
  const teardown = spawn(VPCD_PATH, ['--lab', lab, '--teardown'],
    { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  teardown.stdout.on('data', (chunk: Buffer) => { stdout += chunk.toString() })
  teardown.stderr.on('data', (chunk: Buffer) => { stderr += chunk.toString() })
  const exitCode = await new Promise<number>((resolve, reject) => {
    teardown.on('error', reject)
    teardown.on('close', (code) => { resolve(code ?? EXIT_FAILED) })
  })
  if (exitCode !== 0) throw daemonFailure(stderr, exitCode)
  return JSON.parse(stdout) as Removed
}

async function waitForHosts (context: Context, status: LabStatusAnswer,
  deadlineMs: number): Promise<LabStatusAnswer> {
  const leftMs = Math.max(1, Math.round(deadlineMs - context.clock.monotonicMs()))
  await context.admin.wait(status.revision, leftMs)
  return context.admin.status()
}

/** @param log still open: the daemon may have removed the file with all else */
function endedEarly (ended: Error | number, log: number, logStart: number): CtlError {
  if (ended instanceof Error) {
    return new CtlError('VPCLAB_ERR_COMMAND', `Cannot start ${VPCD_PATH}: ${ended.message}`)
  }
  const said = Buffer.alloc(fstatSync(log).size - logStart)
  readSync(log, said, 0, said.length, logStart)
  return daemonFailure(said.toString('utf8'), ended)
}

/** The daemon's own error when it wrote one for people, else the end of what it said. */
function daemonFailure (said: string, exitCode: number): CtlError {
  const [, code, message] = /^vpcd: (VPCLAB_ERR_\w+): (.*)$/m.exec(said) ?? []
  return new CtlError(code ?? 'VPCLAB_ERR_AGENT',
    message ?? `vpcd ended with ${String(exitCode)}. Its last words:\n${lastWords(said)}`, exitCode)
}

/** The end of a daemon's log: LAST_WORDS_LINES lines, those of the log proper as their message. */
export function lastWords (log: string): string {
  const lines = log.split('\n').filter((line) => line.trim() !== '').slice(-LAST_WORDS_LINES)
  if (lines.length === 0) return '  (none)'
  return lines.map((line) => `  ${messageOf(line)}`).join('\n')
}

function messageOf (line: string): string {
  if (!line.startsWith('{')) return line
  try {
    return (JSON.parse(line) as { msg?: string }).msg ?? line
  } catch {
    return line
  }
}
