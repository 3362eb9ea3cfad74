/**
 * Lines of charon's log, kept by the IKE_SA that they are about, until it is known which tunnel it
 * belongs to: by charon's word, or by the outside address at which the peer's packets came, which
 * one tunnel has.
 */
import type { TunnelConfig } from './tunnel.ts'

/** IKE_SAs whose lines are kept; the oldest goes first. */
const ATTEMPTS_MAX = 256
/** Lines of one IKE_SA; a tunnel that is up for long has thousands. */
const LINES_MAX = 64
const PACKET = /^(?:received packet: from \S+\[\d+\] to|sending packet: from) (\S+)\[\d+\]/

interface Attempt {
  readonly lines: string[]
  /** Name of the tunnel that charon has chosen. */
  name: string | null
  localAddress: string | null
}

/** A line in its place. */
export interface Heard {
  /** Lines of the IKE_SA so far, this one last. */
  readonly lines: readonly string[]
  /** Whether the attempt is one at this tunnel. */
  isFor(config: TunnelConfig): boolean
}

export class Attempts {
  readonly #attempts = new Map<string, Attempt>()

  /**
   * @param ikeSa charon's number of the IKE_SA
   * @param name of its tunnel, when charon says so
   */
  hear (ikeSa: string, name: string | null, line: string): Heard {
    const attempt = this.#attempt(ikeSa)
    attempt.name = name ?? attempt.name
    attempt.localAddress = PACKET.exec(line)?.[1] ?? attempt.localAddress
    attempt.lines.push(line)
    if (attempt.lines.length > LINES_MAX) attempt.lines.shift()
    return {
      lines: attempt.lines,
      isFor: (config) => attempt.name === null
        ? attempt.localAddress === config.localAddress
        : attempt.name === config.name
    }
  }

  #attempt (ikeSa: string): Attempt {
    const known = this.#attempts.get(ikeSa)
    if (known !== undefined) return known
    const attempt: Attempt = { lines: [], name: null, localAddress: null }
    this.#attempts.set(ikeSa, attempt)
    for (const oldest of this.#attempts.keys()) {
      if (this.#attempts.size <= ATTEMPTS_MAX) break
      this.#attempts.delete(oldest)
    }
    return attempt
  }
}
