/**
 * The supervisor of one charon: starts it in its namespace, requires the shim's hello, keeps a
 * VICI client, and starts it again when it ends or hangs.
 *
 *     start ─▶ hello (shim) ─▶ VICI answers ─▶ up ──▶ it ended, or is silent ─▶ pause ─▶ start
 *                │ 5 s: none                onUp(client)  onDown()
 *                └─▶ killed: a charon without the shim would ask the kernel, silently
 *
 * What charon knew is gone with it; whoever listens to onUp loads everything again.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import {
  accessSync, constants, mkdirSync, renameSync, rmSync, statSync, writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { VpclabError } from '../base/errors.ts'
import type { Log } from '../observe/log.ts'
import {
  CHARON_PROGRAM, charonCommand, charonPaths, RETRANSMIT_DEFAULT, strongswanConf
} from './charon_config.ts'
import type { CharonPaths, RetransmitOptions } from './charon_config.ts'
import { viciError } from './vici/message.ts'
import { ViciClient } from './vici/client.ts'
import type { ViciMessage } from './vici/message.ts'

/** From the start of the process until VICI answers; 35 ms on an idle machine. */
const START_MS_MAX = 10_000
/** From the start of the process until the shim has said hello. */
const HELLO_MS_MAX = 5000
const POLL_MS = 20
/** How often charon is asked whether it lives. */
const WATCH_MS = 5000
/** Its log, which strangers can make it write: beyond it the log begins anew. */
const LOG_BYTES_MAX = 16 << 20
/** How long it may take to end by itself: it tells its peers. */
const STOP_MS_MAX = 3000
/** Pause before a charon that ended is started again; it doubles up to the maximum. */
const RESTART_MS = 200
const RESTART_MS_MAX = 30_000
/** One that has lived this long begins with the shortest pause again. */
const SETTLED_MS = 60_000

const EVENTS: readonly string[] =
  ['log', 'ike-updown', 'ike-rekey', 'ike-update', 'child-updown', 'child-rekey']

export interface CharonOptions {
  /** Its folder, made if absent. */
  readonly directory: string
  /** Namespace that it runs in. */
  readonly namespacePath: string
  readonly retransmit?: RetransmitOptions
  readonly log: Log
  readonly onUp: (client: ViciClient) => void
  /** Not called for one that never was up. */
  readonly onDown: () => void
  readonly onEvent: (name: string, message: ViciMessage) => void
}

/** The shim that `make -C daemon/ipsec/xfrm_shim` builds. */
export function shimPath (): string {
  return join(import.meta.dirname, 'xfrm_shim/build/xfrm_shim.so')
}

export class Charon {
  readonly paths: CharonPaths
  restarts = 0
  readonly #options: CharonOptions
  #child: ChildProcess | null = null
  #client: ViciClient | null = null
  #helloPid = 0
  #stopping = false
  #restartTimer: NodeJS.Timeout | undefined
  #watchTimer: NodeJS.Timeout | undefined

  constructor (options: CharonOptions) {
    this.#options = options
    this.paths = charonPaths(options.directory)
  }

  get pid (): number | null { return this.#client === null ? null : this.#child?.pid ?? null }
  get client (): ViciClient | null { return this.#client }

  /** Makes the folder, so that the XFRM server can listen in it. */
  prepare (): void {
    mkdirSync(this.paths.directory, { recursive: true, mode: 0o700 })
  }

  /** The XFRM server has had a hello of this process. */
  hello (pid: number): void {
    if (this.#client !== null && pid === this.#child?.pid) {
      // It lost its connection and so its SAs, which it believes in still: begin anew.
      this.#options.log.warn({ pid }, 'charon has lost its SAs and is started again')
      this.#child.kill('SIGKILL')
    }
    this.#helloPid = pid
  }

  /**
   * Resolves when the first charon is up. Later ones are started as they are needed.
   * @throws VpclabError VPCLAB_ERR_PREREQUISITE, VPCLAB_ERR_CHARON
   */
  async start (): Promise<void> {
    checkInstalled()
    await this.#spawn()
  }

  async stop (): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#restartTimer)
    const child = this.#child
    if (child === null) return
    const ended = new Promise<void>((resolve) => { child.once('exit', () => { resolve() }) })
    child.kill('SIGTERM')
    const timer = setTimeout(() => { child.kill('SIGKILL') }, STOP_MS_MAX)
    await ended
    clearTimeout(timer)
  }

  async #spawn (): Promise<void> {
    const startedMs = performance.now()
    this.#helloPid = 0
    this.prepare()
    rmSync(this.paths.vici, { force: true })
    writeFileSync(this.paths.config, strongswanConf(this.paths,
      this.#options.retransmit ?? RETRANSMIT_DEFAULT), { mode: 0o600 })
    const [program, ...args] =
      charonCommand(this.#options.namespacePath, shimPath(), this.paths)
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child = child
    let complaint = ''
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-1000)
    })
    const ended = new Promise<never>((_, reject) => {
      child.once('error', reject)
      child.once('exit', (code, signal) => {
        this.#onExit(child, performance.now() - startedMs)
        reject(viciError(`charon ended (${signal ?? `code ${String(code)}`}): ${complaint.trim()}`))
      })
    })
    ended.catch(() => undefined)
    try {
      const client = await Promise.race([this.#reach(child, startedMs), ended])
      if (this.#child !== child) throw viciError('charon ended while it started')
      this.#client = client
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    }
    this.#watch(this.#client)
    this.#options.log.info({ namespace: this.#options.namespacePath, charon: child.pid },
      'charon is up')
    this.#options.onUp(this.#client)
  }

  /** Begins the log anew; what it held stands beside it as `charon.log.1`. */
  async rotateLog (): Promise<void> {
    renameSync(this.paths.log, `${this.paths.log}.1`)
    await this.#client?.request('reload-settings').catch(() => undefined)
  }

  /** Waits for hello and VICI. */
  async #reach (child: ChildProcess, startedMs: number): Promise<ViciClient> {
    for (;;) {
      const ageMs = performance.now() - startedMs
      const greeted = this.#helloPid === child.pid
      if (!greeted && ageMs > HELLO_MS_MAX) {
        throw viciError('charon runs without the shim that carries its SAs: does AppArmor let it ' +
          `read "${shimPath()}" and connect to "${this.paths.xfrm}"?`)
      }
      if (greeted) {
        const client = await this.#connect().catch((error: unknown) => {
          if (ageMs > START_MS_MAX) throw error
          return null
        })
        if (client !== null) return client
      }
      await new Promise((resolve) => { setTimeout(resolve, POLL_MS) })
    }
  }

  async #connect (): Promise<ViciClient> {
    const child = this.#child
    const client = await ViciClient.connect({
      path: this.paths.vici,
      onEvent: this.#options.onEvent,
      onClose: (error) => {
        if (this.#child !== child || this.#stopping) return
        this.#options.log.warn({ err: error }, 'charon does not answer and is ended')
        child?.kill('SIGKILL')
      }
    })
    for (const event of EVENTS) await client.subscribe(event)
    return client
  }

  /** A charon that hangs answers nothing: its client then fails, and ends it. */
  #watch (client: ViciClient): void {
    clearInterval(this.#watchTimer)
    this.#watchTimer = setInterval(() => {
      client.request('version').catch(() => undefined)
      const log = statSync(this.paths.log, { throwIfNoEntry: false })
      if (log !== undefined && log.size > LOG_BYTES_MAX) void this.rotateLog()
    }, WATCH_MS)
    this.#watchTimer.unref()
  }

  #onExit (child: ChildProcess, livedMs: number): void {
    if (this.#child !== child) return
    this.#child = null
    clearInterval(this.#watchTimer)
    const wasUp = this.#client !== null
    this.#client?.close()
    this.#client = null
    if (wasUp) this.#options.onDown()
    if (this.#stopping || !wasUp && this.restarts === 0) return
    this.#restartLater(livedMs)
  }

  #restartLater (livedMs: number): void {
    if (livedMs > SETTLED_MS) this.restarts = 0
    const delayMs = Math.min(RESTART_MS * 2 ** this.restarts, RESTART_MS_MAX)
    this.restarts++
    this.#options.log.warn({ delayMs }, 'charon ended and is started again')
    this.#restartTimer = setTimeout(() => {
      this.#spawn().catch((error: unknown) => {
        this.#options.log.error({ err: error }, 'charon could not be started')
      })
    }, delayMs)
  }
}

function checkInstalled (): void {
  for (const path of [CHARON_PROGRAM, shimPath()]) {
    try {
      accessSync(path, constants.R_OK)
    } catch (cause) {
      throw new VpclabError('VPCLAB_ERR_PREREQUISITE',
        `"${path}" is missing: run vpclab-setup`, { cause })
    }
  }
}
