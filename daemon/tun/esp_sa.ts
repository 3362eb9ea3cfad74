/**
 * An SA of ESP as plain data: what IKE agreed on, and what the NIC addon needs to seal and open
 * (esp.ts). It can be posted to a thread.
 */

/** The cipher of an SA, with what protects its integrity. */
export type EspTransform =
  | {
    readonly kind: 'aes-gcm'
    /** 16, 24 or 32 bytes. */
    readonly key: Uint8Array
    /** 4 bytes, RFC 4106 §4. */
    readonly salt: Uint8Array
    /** 8, 12 or 16. */
    readonly icvBytes: number
  }
  | {
    readonly kind: 'aes-cbc'
    /** 16, 24 or 32 bytes. */
    readonly key: Uint8Array
    readonly hash: EspHash
    readonly hashKey: Uint8Array
    /** Of the truncated HMAC, RFC 4868 §2.6. */
    readonly icvBytes: number
  }

export type EspHash = 'sha1' | 'sha256' | 'sha384' | 'sha512'

/** One SA as the data plane needs it: plain data, that can be posted to a thread. */
export interface EspSa {
  /** 1..ESP_SAS_MAX - 1. */
  readonly index: number
  /** `inbound` opens, `outbound` seals. */
  readonly direction: 'inbound' | 'outbound'
  /** The if_id that IKE gave it: the number of the tunnel. */
  readonly tunnel: number
  readonly spi: number
  /** Outer addresses, 4 or 16 bytes each. */
  readonly source: Uint8Array
  readonly destination: Uint8Array
  /** UDP ports of ESP in UDP (RFC 3948); both 0: protocol 50. */
  readonly sourcePort: number
  readonly destinationPort: number
  readonly transform: EspTransform
  /** Extended sequence numbers, RFC 4303 §2.2.1. */
  readonly esn: boolean
  /** Packets of the anti-replay window; 0: not checked. */
  readonly replayWindow: number
  /** Last number that has been used: more than 0 for an SA that goes on at another address. */
  readonly sequence: bigint
  /** ECN of the inner header is not copied to the outer one, nor back (RFC 6040 is off). */
  readonly noEcn: boolean
  /** The outer header has no DF; otherwise the inner packet's (RFC 4301 §8.1). */
  readonly clearDf: boolean
  /** DSCP is copied from the inner to the outer header; otherwise it is 0 there. */
  readonly copyDscp: boolean
  /** Nothing passes beyond these; null: no limit. */
  readonly hardBytes: number | null
  readonly hardPackets: number | null
}

/** What an SA has carried. */
export interface EspUsage {
  /** Inner bytes and packets. */
  readonly bytes: number
  readonly packets: number
  /** Wall clock of the last packet, ms; 0: none yet. */
  readonly lastUseMs: number
  /** Last number sent, or the highest one received. */
  readonly sequence: bigint
}
