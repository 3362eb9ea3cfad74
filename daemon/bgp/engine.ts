/**
 * What a BGP engine does for the lab, whatever program it is: it keeps one speaker per gateway, in
 * the gateway's network namespace, as it is told, and says of each session whether it is up and
 * what it has learned.
 *
 *     records ──▶ controller.ts ──▶ apply(gateways) ──▶ speaker in the namespace ══ tunnel ══ peer
 *     bgpSession ◀── controller.ts ◀── onReport ◀───────────┘
 *
 * The namespace is not the engine's: who makes tunnels makes it, with AWS's inside addresses on
 * its devices. Until it is there, the gateway's sessions are down. The engine writes no kernel
 * routes: which path is used is decided from the records (model/vpn_route.ts).
 */
import type { BgpPath } from '../model/vpn_status.ts'

/** A speaker and its sessions. */
export interface BgpGateway {
  /** `vgw-…` */
  readonly id: string
  /** Name of the network namespace it speaks in. */
  readonly namespace: string
  readonly asn: number
  /** IPv4 prefixes that it announces as its own. */
  readonly blocks: readonly string[]
  readonly peers: readonly BgpPeer[]
}

export interface BgpPeer {
  readonly vpnConnectionId: string
  readonly outsideIpAddress: string
  /** Inside addresses: AWS's end and the peer's. */
  readonly localAddress: string
  readonly peerAddress: string
  readonly peerAsn: number
  /** MULTI_EXIT_DISC of what is announced to it. */
  readonly med: number
  /** Prefixes that are taken from it; one more ends the session. */
  readonly pathsMax: number
  /** TCP MD5 signature, RFC 2385; null: none. */
  readonly password: string | null
  /** Bidirectional forwarding detection, RFC 5880; null: none. */
  readonly bfd: { readonly intervalMs: number, readonly multiplier: number } | null
}

/** One session as it is now. */
export interface BgpReport {
  readonly vpnConnectionId: string
  readonly outsideIpAddress: string
  readonly isUp: boolean
  /** Why it is down, in words for people; null: it is up, or there is nothing to say. */
  readonly message: string | null
  /** In order of prefix; empty while down. */
  readonly paths: readonly BgpPath[]
}

export interface BgpEngine {
  /** Makes the speakers as they are to be; those that are not named end. Errors are logged. */
  apply (gateways: readonly BgpGateway[]): void
  /** Follows no longer. Speakers go on, to be found again by the next engine. */
  stop (): Promise<void>
}
