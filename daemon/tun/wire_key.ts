/**
 * Keys of the encrypted underlay as plain data: what two hosts agreed on, and what the NIC addon
 * needs to seal and open (native/wire_keys.h has the format). They can be posted to a thread.
 */

/** AES-256-GCM: key 32, salt 4. */
export const WIRE_KEY_BYTES = 36
/** A key id is `epoch << PEER_BITS | peer`; `peer` is the number of the host that sends with it. */
export const PEER_BITS = 14
export const EPOCHS = 2 ** (32 - PEER_BITS)
/** Of packets under one key; the card sends no more. */
export const WIRE_PACKETS_MAX = 2 ** 32

/** Control → data plane. */
export type WireKeyMessage =
  | {
    readonly kind: 'wire-key'
    /** The receiver chose it. */
    readonly id: number
    /** Number of the other host. */
    readonly peer: number
    readonly direction: 'transmit' | 'receive'
    readonly key: Uint8Array
  }
  /** Nothing is received with it any more. */
  | { readonly kind: 'wire-key-end', readonly id: number }

/** Hosts that are counted for. */
export const WIRE_PEERS_MAX = 4096
/** Words of a peer in the statistics, float64: WIRE_AT_* of native/wire_keys.h. */
const STATISTICS_WORDS = 8
export const WIRE_STATISTICS_BYTES =
  WIRE_PEERS_MAX * STATISTICS_WORDS * Float64Array.BYTES_PER_ELEMENT

/** What passed between two hosts since the data plane of the one began. */
export interface WireUsage {
  /** Packets sealed and opened. */
  readonly sent: number
  readonly received: number
  /** Packets that were not sent, because there was no key. */
  readonly unsent: number
  readonly replayed: number
  readonly forged: number
  /** Number of the last packet under the key that is sent with. */
  readonly number: number
}

/** @param statistics WIRE_STATISTICS_BYTES, which the addon writes */
export function readWireUsage (statistics: Float64Array, peer: number): WireUsage {
  const at = peer * STATISTICS_WORDS
  return {
    sent: statistics[at],
    received: statistics[at + 1],
    unsent: statistics[at + 2],
    replayed: statistics[at + 3],
    forged: statistics[at + 4],
    number: statistics[at + 5]
  }
}
