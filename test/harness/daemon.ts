/**
 * A daemon that outlives the process that has started it, since its lab goes from one test file to
 * the next (lab_pool.ts). It writes to a file, and is known by its process id.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { eventually } from './command.ts'

export class Daemon {
  readonly pid: number

  constructor (pid: number) { this.pid = pid }

  /**
   * @param logPath what the daemon says is added to this file
   * @param environment beside the caller's own
   */
  static async start (program: string, args: readonly string[], { logPath, environment }:
  { logPath: string, environment: NodeJS.ProcessEnv | undefined }): Promise<Daemon> {
    const log = openSync(logPath, 'a')
    try {
      const env = { ...process.env, ...environment }
      const child = spawn(program, args, { stdio: ['ignore', log, log], env })
      await once(child, 'spawn')
      child.unref()
      return new Daemon(child.pid ?? 0)
    } finally {
      closeSync(log)
    }
  }

  get running (): boolean {
    try {
      const stat = readFileSync(`/proc/${String(this.pid)}/stat`, 'latin1')
      // Z: it has ended, and nobody has asked how.
      return !/\) [ZX] /.test(stat)
    } catch {
      return false
    }
  }

  async ended (): Promise<void> {
    await eventually(`process ${String(this.pid)} ended`, () => !this.running)
  }

  /** Ends it and waits for the end. */
  async stop (signal: NodeJS.Signals): Promise<void> {
    if (this.running) process.kill(this.pid, signal)
    await this.ended()
  }
}
