/**
 * Assertions for programmer errors, kept on in production. An operating error (a bad packet, a
 * missing file, a wrong flag) is never an assertion: see errors.ts.
 */

/** Ends the computation when `condition` is false. For cold code: `message` may be built text. */
export function assert (condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`Invariant broken: ${message}`)
}

/**
 * The assertion of the hot path: `code` is a number, so that nothing is built when it holds
 * (bench/pipeline.ts measures about 1.4 ns).
 */
export function assertHot (condition: boolean, code: number): void {
  if (!condition) throw new Error(`Invariant broken: code ${String(code)}`)
}
