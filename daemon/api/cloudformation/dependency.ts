/**
 * What needs what: circles, and work in the order of needs.
 *
 *     Vpc ◀── Subnet ◀── Instance        created from the left, deleted from the right
 *      ▲─── Group ◀────────┘
 */

/** How many resources of a stack are worked on at once. */
export const RESOURCES_AT_ONCE_MAX = 8

export type Dependencies = ReadonlyMap<string, readonly string[]>

/** The first circle that is found, in order; null when there is none. */
export function findCircle (dependencies: Dependencies): readonly string[] | null {
  const done = new Set<string>()
  const visit = (name: string, above: readonly string[]): readonly string[] | null => {
    if (above.includes(name)) return above.slice(above.indexOf(name))
    if (done.has(name)) return null
    for (const next of dependencies.get(name) ?? []) {
      const circle = visit(next, [...above, name])
      if (circle !== null) return circle
    }
    done.add(name)
    return null
  }
  for (const name of dependencies.keys()) {
    const circle = visit(name, [])
    if (circle !== null) return circle
  }
  return null
}

/** The same arrows the other way round: who needs a thing, and so goes before it. */
export function reversed (dependencies: Dependencies): Dependencies {
  const needing = new Map<string, string[]>([...dependencies.keys()].map((name) => [name, []]))
  for (const [name, needs] of dependencies) {
    for (const need of needs) needing.get(need)?.push(name)
  }
  return needing
}

/**
 * Does the work of every name once what it needs is done, several at a time. What needs a name
 * whose work failed is never begun; when `signal` is aborted, nothing new is.
 * @param work resolves to whether it was done
 * @returns whether all was done
 */
export async function inOrder (dependencies: Dependencies, signal: AbortSignal,
  work: (name: string) => Promise<boolean>): Promise<boolean> {
  const left = new Map([...dependencies].map(([name, needs]) =>
    [name, new Set(needs.filter((need) => need !== name && dependencies.has(need)))]))
  const running = new Set<Promise<void>>()
  const failed: string[] = []
  const begin = (name: string): void => {
    left.delete(name)
    const run = work(name).then((done) => {
      if (!done) failed.push(name)
      else for (const needs of left.values()) needs.delete(name)
    }).finally(() => { running.delete(run) })
    running.add(run)
  }
  for (;;) {
    const ready = [...left].filter(([, needs]) => needs.size === 0).map(([name]) => name)
    for (const name of ready) {
      if (signal.aborted || running.size >= RESOURCES_AT_ONCE_MAX) break
      begin(name)
    }
    if (running.size === 0) return failed.length === 0 && left.size === 0
    await Promise.race(running)
  }
}
