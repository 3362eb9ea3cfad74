/**
 * The BGP engine that is BIRD 2: a process per gateway (bird_process.ts), each with a directory of
 * its own.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../observe/log.ts'
import { BirdProcess } from './bird_process.ts'
import type { BgpEngine, BgpGateway, BgpReport } from './engine.ts'

export interface BirdEngineOptions {
  /**
   * One directory below it per gateway. Its path is short (a socket's has 108 bytes at most), and
   * everybody may pass through it.
   */
  readonly directory: string
  readonly hasNamespace: (name: string) => boolean
  readonly clock: Clock
  readonly log: Log
  readonly onReport: (report: BgpReport) => void
}

export class BirdEngine implements BgpEngine {
  readonly #options: BirdEngineOptions
  readonly #processes = new Map<string, BirdProcess>()
  readonly #ending = new Set<Promise<void>>()

  constructor (options: BirdEngineOptions) {
    this.#options = options
    // BIRD gives up root, and must still find its way to its own directory.
    mkdirSync(options.directory, { recursive: true, mode: 0o711 })
  }

  apply (gateways: readonly BgpGateway[]): void {
    const wanted = new Map(gateways.map((gateway) => [gateway.id, gateway]))
    for (const [id, process] of this.#processes) {
      if (wanted.has(id)) continue
      this.#processes.delete(id)
      const ending = process.stop({ ends: true }).finally(() => { this.#ending.delete(ending) })
      this.#ending.add(ending)
    }
    for (const gateway of gateways) {
      const known = this.#processes.get(gateway.id)
      if (known !== undefined) known.change(gateway)
      else {
        this.#processes.set(gateway.id, new BirdProcess(gateway,
          { ...this.#options, directory: join(this.#options.directory, gateway.id) }))
      }
    }
  }

  async stop (): Promise<void> {
    await Promise.all([...this.#processes.values()].map((process) => process.stop({ ends: false })))
    await Promise.all(this.#ending)
  }
}
