/**
 * The backend that is a data plane in another thread or process: what is to be done is posted
 * (tun/esp_tunnels.ts), what was carried is read in memory that both share.
 *
 * Keys cross the port, which is a pipe or a queue of this machine and of one owner.
 */
import { readUsage } from '../tun/esp.ts'
import type { EspSa, EspUsage } from '../tun/esp_sa.ts'
import type { EspMessage, EspSelector } from '../tun/esp_tunnels.ts'
import type { EspBackend } from './backend.ts'

export class PostedBackend implements EspBackend {
  readonly #post: (message: EspMessage) => void
  readonly #statistics: Float64Array

  /** @param statistics the memory that the data plane's Esp was made with */
  constructor (post: (message: EspMessage) => void, statistics: Float64Array) {
    this.#post = post
    this.#statistics = statistics
  }

  install (sa: EspSa): void { this.#post({ kind: 'esp-install', sa }) }
  remove (index: number): void { this.#post({ kind: 'esp-remove', index }) }
  select (tunnel: number, index: number): void {
    this.#post({ kind: 'esp-select', tunnel, index })
  }

  permit (tunnel: number, selectors: readonly EspSelector[]): void {
    this.#post({ kind: 'esp-permit', tunnel, selectors })
  }

  usage (index: number): EspUsage { return readUsage(this.#statistics, index) }
}
