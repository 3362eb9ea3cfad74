/** Every state that the store has had, as the log of the simulated etcd says it. */
import { NOUNS } from '../../daemon/model/snapshot.ts'
import type { Noun, NounRecords, Snapshot } from '../../daemon/model/snapshot.ts'
import { parseKey } from '../../daemon/store/replica.ts'
import type { Committed } from './etcd.ts'

export type View = { readonly [N in Noun]: ReadonlyMap<string, NounRecords[N]> }

const EMPTY = Object.fromEntries(NOUNS.map((noun) => [noun, new Map()])) as unknown as View

export class History {
  readonly #views: View[] = [EMPTY]

  get revision (): number { return this.#views.length - 1 }

  note ({ writes }: Committed): void {
    const next = { ...this.newest } as Record<Noun, ReadonlyMap<string, unknown>>
    const touched = new Map<Noun, Map<string, unknown>>()
    for (const { key, value } of writes) {
      const { noun, id } = parseKey(key)
      const records = touched.get(noun) ?? new Map<string, unknown>(next[noun])
      touched.set(noun, records)
      next[noun] = records
      if (value === null) records.delete(id)
      else records.set(id, JSON.parse(value))
    }
    this.#views.push(next as View)
  }

  at (revision: number): View { return this.#views[revision] ?? EMPTY }
  get newest (): View { return this.at(this.revision) }
}

/** What differs between a replica and the truth; null: nothing. */
export function difference (view: View, snapshot: Snapshot): string | null {
  for (const noun of NOUNS) {
    const held = snapshot.tables[noun]
    if (held.size !== view[noun].size) return `${noun}: ${String(held.size)} records`
    for (const [id, record] of view[noun]) {
      if (JSON.stringify(held.get(id)) !== JSON.stringify(record)) return id
    }
  }
  return null
}
