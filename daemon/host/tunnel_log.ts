/**
 * What has happened to each VPN tunnel, for people: charon's own lines, and in words what became
 * of IPsec and BGP. The newest LINES_MAX of each tunnel, in memory; a daemon that starts begins
 * anew.
 */
import type { AppliedChange } from '../model/commit_feed.ts'
import type { BgpSession, IpsecSession } from '../model/vpn_status.ts'

/** Lines of a tunnel; an attempt takes some twenty. */
export const LINES_MAX = 500

export interface TunnelLine {
  /** Milliseconds since 1970. */
  readonly atMs: number
  /** `ike`: charon's words; the others are ours. */
  readonly source: 'ike' | 'ipsec' | 'bgp'
  readonly text: string
}

export class TunnelLog {
  readonly #lines = new Map<string, TunnelLine[]>()

  /** @param key of the tunnel (model/vpn_status.ts: `tunnelKey`) */
  add (key: string, line: TunnelLine): void {
    const lines = this.#lines.get(key) ?? []
    lines.push(line)
    if (lines.length > LINES_MAX) lines.shift()
    this.#lines.set(key, lines)
  }

  /** Oldest first. */
  of (key: string): readonly TunnelLine[] { return this.#lines.get(key) ?? [] }

  /** Follows what becomes of sessions; a connection that is deleted is forgotten. */
  onCommit (changes: readonly AppliedChange[], nowMs: number): void {
    for (const { noun, record, previous, id } of changes) {
      if (noun === 'ipsecSession' || noun === 'bgpSession') {
        if (record !== null) this.#note(noun, record, previous, nowMs)
      } else if (noun === 'vpnConnection' && record === null) {
        for (const key of this.#lines.keys()) if (key.startsWith(id)) this.#lines.delete(key)
      }
    }
  }

  #note (noun: 'ipsecSession' | 'bgpSession', record: IpsecSession | BgpSession,
    previous: IpsecSession | BgpSession | null, nowMs: number): void {
    const isSame = previous?.isUp === record.isUp && previous.message === record.message
    if (isSame) return
    const state = record.isUp ? 'up' : 'down'
    const text = record.message === null ? state : `${state}: ${record.message}`
    this.add(record.id, { atMs: nowMs, source: noun === 'bgpSession' ? 'bgp' : 'ipsec', text })
  }
}
