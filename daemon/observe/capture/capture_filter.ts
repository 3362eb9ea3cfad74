/**
 * Which packets a capture takes, besides its points: host, port and protocol of the inner packet.
 * Coarse on purpose: it keeps a busy capture small, and what remains is for display filters.
 */
import { parseAddress } from '../../wire/address.ts'
import { readU16, readU32 } from '../../wire/bytes.ts'
import {
  PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP
} from '../../wire/ip_protocol.ts'
import { IPV4_AT_DST, IPV4_AT_SRC, IPV4_VERSION } from '../../wire/ipv4.ts'
import { IPV6_AT_DST, IPV6_AT_SRC, IPV6_VERSION } from '../../wire/ipv6.ts'
import { TCP_AT_DST_PORT, TCP_AT_SRC_PORT } from '../../wire/tcp.ts'
import type { Frames } from './frames.ts'

/** Names of protocols that a filter knows, besides numbers. */
const PROTOCOLS: Readonly<Record<string, readonly number[]>> = {
  icmp: [PROTOCOL_ICMP, PROTOCOL_ICMPV6],
  tcp: [PROTOCOL_TCP],
  udp: [PROTOCOL_UDP]
}
const PROTOCOL_MAX = 255

/** What is left out takes everything. */
export interface CaptureFilter {
  /** [4] words of an address that is source or destination. */
  readonly host: Uint32Array | null
  /** Source or destination port. */
  readonly port: number | null
  /** Upper-layer protocols; empty for all. */
  readonly protocols: readonly number[]
}

/** @returns null when `text` is no IP address */
export function filterHost (text: string): Uint32Array | null { return parseAddress(text) }

/** @param text `tcp`, `udp`, `icmp` (both versions) or a number. @returns null for anything else */
export function filterProtocols (text: string): readonly number[] | null {
  const named = PROTOCOLS[text]
  if (named !== undefined) return named
  const number = Number(text)
  return /^\d+$/.test(text) && number <= PROTOCOL_MAX ? [number] : null
}

/** @param bytes those of the ring that `frames` is loaded from */
export function filterTakes (filter: CaptureFilter, frames: Frames, bytes: Uint8Array): boolean {
  const { host, port, protocols } = filter
  if (protocols.length > 0 && !protocols.includes(frames.protocol)) return false
  if (port !== null && !(frames.hasPorts &&
    (readU16(bytes, frames.l4At + TCP_AT_SRC_PORT) === port ||
      readU16(bytes, frames.l4At + TCP_AT_DST_PORT) === port))) return false
  return host === null || isEnd(host, frames, bytes)
}

function isEnd (host: Uint32Array, frames: Frames, bytes: Uint8Array): boolean {
  const at = frames.packetAt
  if (frames.protocol < 0) return false
  if (frames.version === IPV4_VERSION) {
    return host[2] === 0xffff && (host[0]! | host[1]!) === 0 &&
      (readU32(bytes, at + IPV4_AT_SRC) === host[3] || readU32(bytes, at + IPV4_AT_DST) === host[3])
  }
  return frames.version === IPV6_VERSION &&
    [IPV6_AT_SRC, IPV6_AT_DST].some((field) =>
      host.every((word, index) => readU32(bytes, at + field + 4 * index) === word))
}
