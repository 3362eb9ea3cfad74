/** What is wrong with a lab file, where, and which word was probably meant. */

/** Differing letters at which a word is still taken for a mistyped one. */
const NEAR_DISTANCE_MAX = 3

export type Path = readonly PropertyKey[]

export interface Fault {
  readonly message: string
  /** From the root of the document; the fault stands at the value, or at its key. */
  readonly path: Path
  readonly at?: 'key'
}

/** `; did you mean "x"?` for the nearest of `known`, or nothing. */
export function suggestion (typed: string, known: Iterable<string>): string {
  const near = [...known].map((word) => ({ word, distance: distance(typed, word) }))
    .filter((entry) => entry.distance < entry.word.length &&
      entry.distance <= Math.min(NEAR_DISTANCE_MAX, Math.ceil(entry.word.length / 2)))
    .toSorted((one, other) => one.distance - other.distance)[0]
  return near === undefined ? '' : `; did you mean "${near.word}"?`
}

/** Levenshtein distance. */
function distance (one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let index = 0; index < one.length; index++) {
    const next = [index + 1]
    for (let column = 0; column < other.length; column++) {
      next.push(Math.min((row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1,
        (row[column] ?? 0) + (one[index] === other[column] ? 0 : 1)))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
