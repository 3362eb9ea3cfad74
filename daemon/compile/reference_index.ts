/** Who refers to what, for tables whose objects depend on records other than their own. */
export class ReferenceIndex {
  readonly #targetsOf = new Map<string, readonly string[]>()
  readonly #sourcesOf = new Map<string, Set<string>>()

  /** Says that `source` refers to `targets` and to nothing else. */
  set (source: string, targets: readonly string[]): void {
    this.delete(source)
    if (targets.length === 0) return
    this.#targetsOf.set(source, targets)
    for (const target of targets) {
      const sources = this.#sourcesOf.get(target)
      if (sources === undefined) this.#sourcesOf.set(target, new Set([source]))
      else sources.add(source)
    }
  }

  delete (source: string): void {
    for (const target of this.#targetsOf.get(source) ?? []) {
      const sources = this.#sourcesOf.get(target)
      sources?.delete(source)
      if (sources?.size === 0) this.#sourcesOf.delete(target)
    }
    this.#targetsOf.delete(source)
  }

  sourcesOf (target: string): Iterable<string> {
    return this.#sourcesOf.get(target) ?? []
  }
}
