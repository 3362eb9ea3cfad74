/** The middle value, or the mean of the two middle ones. Precondition: at least one value. */
export function median (values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]!
  return sorted.length % 2 === 1 ? upper : (sorted[middle - 1]! + upper) / 2
}

/** Rounds to `digits` significant digits: no figure here is known any better. */
export function significant (value: number, digits = 3): number {
  return Number(value.toPrecision(digits))
}
