/**
 * Tunnels of one data plane: an Esp, and which of its SAs each tunnel sends with. What is to be
 * done comes as messages, in the order in which IKE decided it (ipsec/posted_backend.ts), so that
 * the sender may be another thread or process.
 */
import { VpclabError } from '../base/errors.ts'
import type { Esp } from './esp.ts'
import type { EspSa } from './esp_sa.ts'

/** Control → data plane. */
export type EspMessage =
  | { readonly kind: 'esp-install', readonly sa: EspSa }
  | { readonly kind: 'esp-remove', readonly index: number }
  /** `index` 0: nothing leaves through the tunnel. */
  | { readonly kind: 'esp-select', readonly tunnel: number, readonly index: number }

export class EspTunnels {
  readonly esp: Esp
  readonly #selected = new Map<number, number>()

  constructor (esp: Esp) { this.esp = esp }

  /**
   * To be called between two bursts: what a burst has received is opened and sealed with the SAs
   * of before.
   * @returns what went wrong, for a warning; null when nothing did
   */
  apply (message: EspMessage): string | null {
    switch (message.kind) {
      case 'esp-install':
        try {
          this.esp.install(message.sa)
        } catch (error) {
          if (error instanceof VpclabError) return error.message
          throw error
        }
        return null
      case 'esp-remove':
        this.esp.remove(message.index)
        return null
      case 'esp-select':
        if (message.index === 0) this.#selected.delete(message.tunnel)
        else this.#selected.set(message.tunnel, message.index)
        return null
    }
  }

  /** The SA that seals what leaves through the tunnel; 0: the tunnel is down. */
  selected (tunnel: number): number { return this.#selected.get(tunnel) ?? 0 }

  /** Largest inner packet of the tunnel, bytes; 0: the tunnel is down. */
  mtu (tunnel: number): number {
    const index = this.selected(tunnel)
    return index === 0 ? 0 : this.esp.mtu(index)
  }
}
