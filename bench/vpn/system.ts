/**
 * What the bench `vpn` compares: two ends with, or without, an IPsec tunnel between them. The
 * cipher of a system can be changed while it stands.
 */
import type { TunnelSystem } from '../tunnel/system.ts'

/** ESP's cipher, as AWS names it. */
export const CIPHERS = ['AES256-GCM-16', 'AES128-GCM-16', 'AES256'] as const
export type Cipher = typeof CIPHERS[number]

/** The same in strongSwan's words; AES-CBC goes with HMAC-SHA2-256. */
export const STRONGSWAN_CIPHERS: Readonly<Record<Cipher, string>> = {
  'AES256-GCM-16': 'aes256gcm16', 'AES128-GCM-16': 'aes128gcm16', 'AES256': 'aes256-sha256'
}

export interface VpnSystem extends TunnelSystem {
  /** Has the tunnel come up with that cipher; absent where nothing is sealed. */
  readonly use?: (cipher: Cipher) => Promise<void>
  /** Programs that carry its packets; none where the kernel alone does. */
  readonly carriers: readonly number[]
}

export interface BuiltVpnSystems {
  readonly systems: readonly VpnSystem[]
  remove(): Promise<void>
}
