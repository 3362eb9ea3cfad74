import { randomBytes } from 'node:crypto'

/** Randomness as an argument, so that a seed replays a run. */
export interface Random {
  /** @returns `count` bytes, owned by the caller */
  bytes(count: number): Uint8Array
}

export const systemRandom: Random = {
  bytes: (count) => new Uint8Array(randomBytes(count))
}
