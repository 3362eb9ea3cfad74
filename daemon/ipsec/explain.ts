/**
 * Why a tunnel does not come up, in words: from the lines of charon's log about the last attempt.
 */
import type { TunnelConfig } from './tunnel.ts'

export class Explainer {
  readonly #config: TunnelConfig

  constructor (config: TunnelConfig) { this.#config = config }

  /** @returns the explanation when this line completes or changes one */
  hear (line: string, _isNamed: boolean): string | null {
    return line === '' ? this.#config.name : null
  }

  /** The tunnel is up. */
  reset (): void { /* nothing yet */ }
}
