import { randomFillSync } from 'node:crypto'

/** Randomness as an argument, so that a seed replays a run. */
export interface Random {
  /** @returns `count` bytes, owned by the caller */
  bytes(count: number): Uint8Array
}

/** Bytes asked of the kernel at once: a system call for each id would cost more than the id. */
const BLOCK_BYTES = 4096

/** The kernel's randomness, block by block. No byte is given out twice, or kept. */
class KernelRandom implements Random {
  readonly #block = new Uint8Array(BLOCK_BYTES)
  #usedBytes = BLOCK_BYTES

  bytes (count: number): Uint8Array {
    if (count > BLOCK_BYTES) return randomFillSync(new Uint8Array(count))
    if (this.#usedBytes + count > BLOCK_BYTES) {
      randomFillSync(this.#block)
      this.#usedBytes = 0
    }
    const bytes = this.#block.slice(this.#usedBytes, this.#usedBytes + count)
    this.#block.fill(0, this.#usedBytes, this.#usedBytes + count)
    this.#usedBytes += count
    return bytes
  }
}

export const systemRandom: Random = new KernelRandom()
