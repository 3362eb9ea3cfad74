/**
 * Tunnels of one data plane: an Esp, which of its SAs each tunnel sends with, and between which
 * networks it carries packets (RFC 4301 §4.4.1; ESP itself knows no policy). What is to be done
 * comes as messages, in the order in which IKE decided it (ipsec/posted_backend.ts), so that the
 * sender may be another thread or process.
 */
import { VpclabError } from '../base/errors.ts'
import { IPV4_AT_DST, IPV4_AT_SRC } from '../wire/ipv4.ts'
import { IPV6_AT_DST, IPV6_AT_SRC, IPV6_VERSION } from '../wire/ipv6.ts'
import type { Esp } from './esp.ts'
import type { EspSa } from './esp_sa.ts'

const IPV4_BYTES = 4
const IPV6_BYTES = 16

/** A pair of networks that a tunnel carries. */
export interface EspSelector {
  /** First address of each network, 4 or 16 bytes, and bits of its prefix. */
  readonly local: Uint8Array
  readonly localPrefixLength: number
  readonly remote: Uint8Array
  readonly remotePrefixLength: number
}

/** Control → data plane. */
export type EspMessage =
  | { readonly kind: 'esp-install', readonly sa: EspSa }
  | { readonly kind: 'esp-remove', readonly index: number }
  /** `index` 0: nothing leaves through the tunnel. */
  | { readonly kind: 'esp-select', readonly tunnel: number, readonly index: number }
  | {
    readonly kind: 'esp-permit'
    readonly tunnel: number
    /** All of them; none: nothing passes. */
    readonly selectors: readonly EspSelector[]
  }
  /** Whether there is somebody who speaks IKE for the tunnel. */
  | { readonly kind: 'ike-listen', readonly tunnel: number, readonly isListening: boolean }

export class EspTunnels {
  readonly esp: Esp
  readonly #selected = new Map<number, number>()
  readonly #selectors = new Map<number, readonly EspSelector[]>()
  readonly #listening = new Set<number>()

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
      case 'esp-permit':
        if (message.selectors.length === 0) this.#selectors.delete(message.tunnel)
        else this.#selectors.set(message.tunnel, message.selectors)
        return null
      case 'ike-listen':
        if (message.isListening) this.#listening.add(message.tunnel)
        else this.#listening.delete(message.tunnel)
        return null
    }
  }

  /** The SA that seals what leaves through the tunnel; 0: the tunnel is down. */
  selected (tunnel: number): number { return this.#selected.get(tunnel) ?? 0 }

  /** Whether somebody speaks IKE for the tunnel. */
  listens (tunnel: number): boolean { return this.#listening.has(tunnel) }

  /** Nobody speaks IKE any more. */
  silence (): void { this.#listening.clear() }

  /**
   * Whether the tunnel carries this inner packet: what was opened of another network is dropped,
   * and what shall be sealed is not for this tunnel.
   * @param at where its IP header stands in `bytes`, whole
   * @param direction `inbound`: it came from the peer
   */
  permits (
    tunnel: number, bytes: Uint8Array, at: number, direction: 'inbound' | 'outbound'): boolean {
    const isIpv6 = bytes[at] >> 4 === IPV6_VERSION
    const sourceAt = at + (isIpv6 ? IPV6_AT_SRC : IPV4_AT_SRC)
    const destinationAt = at + (isIpv6 ? IPV6_AT_DST : IPV4_AT_DST)
    const [localAt, remoteAt] = direction === 'inbound'
      ? [destinationAt, sourceAt]
      : [sourceAt, destinationAt]
    const addressBytes = isIpv6 ? IPV6_BYTES : IPV4_BYTES
    for (const selector of this.#selectors.get(tunnel) ?? []) {
      if (selector.local.length === addressBytes &&
        hasPrefix(bytes, localAt, selector.local, selector.localPrefixLength) &&
        hasPrefix(bytes, remoteAt, selector.remote, selector.remotePrefixLength)) {
        return true
      }
    }
    return false
  }

  /** Largest inner packet of the tunnel, bytes; 0: the tunnel is down. */
  mtu (tunnel: number): number {
    const index = this.selected(tunnel)
    return index === 0 ? 0 : this.esp.mtu(index)
  }
}

/** Whether the first `length` bits at `at` are those of `network`. */
function hasPrefix (bytes: Uint8Array, at: number, network: Uint8Array, length: number): boolean {
  const whole = length >> 3
  for (let byte = 0; byte < whole; byte++) if (bytes[at + byte] !== network[byte]) return false
  const mask = 0xff00 >> (length & 7) & 0xff
  return mask === 0 || ((bytes[at + whole] ^ network[whole]) & mask) === 0
}
