/**
 * One BIRD: started in its namespace, configured, looked at every POLL_MS, started again when it is
 * gone. It is a process of its own that outlives the daemon: a new daemon finds it by its control
 * socket, and tells it its configuration again.
 *
 *     <directory>/bird.conf   bird.sock   bird.pid   bird.log
 *
 * While a BIRD that was up is away, its sessions count as they were for RESTART_MS: it comes back
 * by graceful restart (RFC 4724), for which the peer keeps its routes as well.
 */
import { spawn } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { VpclabError } from '../base/errors.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../observe/log.ts'
import { birdConfig, peersByName } from './bird_config.ts'
import { BirdControl } from './bird_control.ts'
import { errorInWords, parseProtocols, parseRoutes } from './bird_show.ts'
import type { LearnedRoute, ProtocolStatus } from './bird_show.ts'
import type { BgpGateway, BgpReport } from './engine.ts'

/** Routes are records within a second: two looks and a transaction. */
const POLL_MS = 400
/** Pause before a BIRD that has ended is started again. */
const START_PAUSE_MS = 1_000
const RESTART_MS = 10_000
/** `show status` says it until every peer has sent its routes again, or none is waited for. */
const RECOVERING = 'Graceful restart recovery in progress'
/** How long a session that was over its limit stays ended. */
const LIMIT_PAUSE_MS = 60_000
/** The user that Debian's package makes. */
const USER = 'bird'

export interface BirdProcessOptions {
  /** The process's own; made when it is not there. */
  readonly directory: string
  /** Whether a network namespace exists. */
  readonly hasNamespace: (name: string) => boolean
  readonly clock: Clock
  readonly log: Log
  /** Hears of every change of a session. */
  readonly onReport: (report: BgpReport) => void
}

export class BirdProcess {
  readonly #options: BirdProcessOptions
  #gateway: BgpGateway
  #control: BirdControl | null = null
  /** Configuration that the process has. */
  #configured = ''
  #startedMs = -Infinity
  /** Since when there has been no process; null: there is one. */
  #lostMs: number | null = -Infinity
  #routesMark = ''
  #routes: readonly LearnedRoute[] = []
  /** Protocols that their limit ended, and when. */
  readonly #overLimit = new Map<string, number>()
  /** Last report of each session, by outside address. */
  readonly #reported = new Map<string, BgpReport>()
  #isStopped = false
  readonly #loop: Promise<void>
  #wake: () => void = () => undefined

  constructor (gateway: BgpGateway, options: BirdProcessOptions) {
    this.#gateway = gateway
    this.#options = options
    this.#loop = this.#run()
  }

  /** The process is brought in line with it. */
  change (gateway: BgpGateway): void {
    this.#gateway = gateway
    this.#wake()
  }

  /** Looks no longer. @param ends whether the process ends, too, and its files go */
  async stop ({ ends }: { readonly ends: boolean }): Promise<void> {
    this.#isStopped = true
    this.#wake()
    await this.#loop
    if (ends) {
      await this.#control?.command('down').catch(() => undefined)
      rmSync(this.#options.directory, { recursive: true, force: true })
    }
    this.#control?.close()
  }

  async #run (): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#look()
      } catch (error) {
        this.#options.log.warn({ err: error, gateway: this.#gateway.id }, 'BIRD is not answering')
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, POLL_MS)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  async #look (): Promise<void> {
    const control = await this.#connect()
    if (control === null) {
      this.#tellLost()
      return
    }
    try {
      await this.#configure(control)
      const statuses = parseProtocols(await control.command('show protocols all'))
      const mark = [...statuses].map(([name, { isEstablished, routesMark }]) =>
        `${name} ${String(isEstablished)} ${routesMark}`).join('\n')
      if (mark !== this.#routesMark) {
        this.#routes = parseRoutes(await control.command('show route all where source = RTS_BGP'))
        this.#routesMark = mark
      }
      if (await this.#isComingBack(control, statuses)) return
      this.#lostMs = null
      this.#tell(statuses)
      await this.#retryLimited(control, statuses)
    } catch (error) {
      control.close()
      this.#control = null
      throw error
    }
  }

  /** @returns null when no process answers; one is then started, as soon as it may be */
  async #connect (): Promise<BirdControl | null> {
    if (this.#control?.isClosed === false) return this.#control
    this.#control = null
    this.#routesMark = ''
    const { clock, directory, hasNamespace } = this.#options
    const socketPath = join(directory, 'bird.sock')
    if (existsSync(socketPath)) {
      try {
        this.#control = await BirdControl.connect(socketPath)
        return this.#control
      } catch { /* Nobody listens: a BIRD that was killed left its socket. */ }
    }
    const now = clock.monotonicMs()
    if (hasNamespace(this.#gateway.namespace) && now - this.#startedMs >= START_PAUSE_MS) {
      this.#startedMs = now
      if (this.#lostMs === null) this.#lostMs = now
      this.#start(socketPath)
    }
    return null
  }

  #start (socketPath: string): void {
    const { directory, log } = this.#options
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const { uid, gid } = userIds()
    chownSync(directory, uid, gid)
    this.#write()
    rmSync(socketPath, { force: true })
    // One that comes back says so, and announces nothing until it has heard its peers again.
    const recovery = Number.isFinite(this.#lostMs ?? -Infinity) ? ['-R'] : []
    const child = spawn('ip', ['netns', 'exec', this.#gateway.namespace, 'bird', '-f', ...recovery,
      '-u', USER, '-g', USER, '-c', join(directory, 'bird.conf'), '-s', socketPath,
      '-P', join(directory, 'bird.pid')], { detached: true, stdio: 'ignore' })
    child.on('error', (error) => { log.error({ err: error }, 'BIRD cannot be started') })
    child.on('exit', (code) => {
      if (!this.#isStopped) log.warn({ code, gateway: this.#gateway.id }, 'BIRD has ended')
    })
    child.unref()
  }

  #write (): void {
    const { directory } = this.#options
    this.#configured = birdConfig(this.#gateway, join(directory, 'bird.log'))
    writeFileSync(join(directory, 'bird.conf'), this.#configured, { mode: 0o640 })
    const { gid } = userIds()
    chownSync(join(directory, 'bird.conf'), 0, gid)
  }

  /** A BIRD of an earlier daemon is told again: what it has is not known. */
  async #configure (control: BirdControl): Promise<void> {
    const wanted = birdConfig(this.#gateway, join(this.#options.directory, 'bird.log'))
    if (wanted === this.#configured) return
    this.#write()
    try {
      await control.command('configure')
    } catch (error) {
      this.#configured = ''
      throw error
    }
  }

  /** Whether a BIRD that was away has still to find again a session that it had, or its routes. */
  async #isComingBack (
    control: BirdControl, statuses: ReadonlyMap<string, ProtocolStatus>): Promise<boolean> {
    const lostMs = this.#lostMs ?? -Infinity
    if (this.#options.clock.monotonicMs() - lostMs >= RESTART_MS) return false
    const misses = [...peersByName(this.#gateway)].some(([name, peer]) =>
      this.#reported.get(peer.outsideIpAddress)?.isUp === true &&
      statuses.get(name)?.isEstablished !== true)
    if (misses) return true
    const status = await control.command('show status')
    return status.some(({ text }) => text.includes(RECOVERING))
  }

  #tell (statuses: ReadonlyMap<string, ProtocolStatus>): void {
    for (const [name, peer] of peersByName(this.#gateway)) {
      const status = statuses.get(name)
      const isUp = status?.isEstablished === true
      this.#report({
        vpnConnectionId: peer.vpnConnectionId, outsideIpAddress: peer.outsideIpAddress, isUp,
        message: isUp ? null : errorInWords(status?.lastError ?? '', peer, this.#gateway.asn),
        paths: isUp ? this.#routes.filter(({ protocol }) => protocol === name)
          .map(({ path }) => path) : []
      })
    }
  }

  #tellLost (): void {
    const now = this.#options.clock.monotonicMs()
    this.#lostMs ??= now
    if (now - this.#lostMs < RESTART_MS) return
    for (const { vpnConnectionId, outsideIpAddress } of this.#gateway.peers) {
      this.#report({ vpnConnectionId, outsideIpAddress, isUp: false,
        message: 'no BGP speaker runs for the gateway', paths: [] })
    }
  }

  #report (report: BgpReport): void {
    const key = report.outsideIpAddress
    const before = this.#reported.get(key)
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(report)) return
    this.#reported.set(key, report)
    this.#options.onReport(report)
  }

  async #retryLimited (
    control: BirdControl, statuses: ReadonlyMap<string, ProtocolStatus>): Promise<void> {
    const now = this.#options.clock.monotonicMs()
    for (const [name, { isOverLimit, isEstablished }] of statuses) {
      if (!isOverLimit || isEstablished) {
        this.#overLimit.delete(name)
        continue
      }
      const sinceMs = this.#overLimit.get(name) ?? now
      this.#overLimit.set(name, sinceMs)
      if (now - sinceMs < LIMIT_PAUSE_MS) continue
      this.#overLimit.delete(name)
      await control.command(`enable ${name}`)
    }
  }
}

/** @throws VpclabError VPCLAB_ERR_PREREQUISITE */
function userIds (): { readonly uid: number, readonly gid: number } {
  const match = new RegExp(`^${USER}:[^:]*:(\\d+):(\\d+):`, 'm')
    .exec(readFileSync('/etc/passwd', 'utf8'))
  if (match !== null) return { uid: Number(match[1]), gid: Number(match[2]) }
  throw new VpclabError('VPCLAB_ERR_PREREQUISITE',
    `There is no user "${USER}": the Debian package bird2 is not installed`)
}
