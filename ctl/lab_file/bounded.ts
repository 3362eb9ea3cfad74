/** Calls side by side, a few at a time, so that a large lab does not open a connection for each. */

/** Calls that run at once. */
export const CALLS_AT_ONCE_MAX = 8

/** Results in the order of `items`. A failure ends it when the calls under way are over. */
export async function boundedAll<Item, Result> (items: readonly Item[],
  call: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results = new Array<Result>(items.length)
  const failures: unknown[] = []
  const rest = items.entries()
  const work = async (): Promise<void> => {
    for (const [index, item] of rest) {
      if (failures.length > 0) return
      try {
        results[index] = await call(item)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: CALLS_AT_ONCE_MAX }, work))
  if (failures.length > 0) throw failures[0]
  return results
}
