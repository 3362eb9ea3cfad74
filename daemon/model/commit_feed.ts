/**
 * What a commit looks like to those who follow the store: typed changes, each with the record it
 * replaced, so that a listener sees what differs without keeping a copy of its own.
 */
import type { Noun, NounRecords } from './snapshot.ts'

/** A change that the snapshot holds already. Both null never happens. */
export type AppliedChange = {
  readonly [N in Noun]: {
    readonly noun: N
    readonly id: string
    /** The record now; null when the commit removed it. */
    readonly record: NounRecords[N] | null
    /** The record before; null when the commit made it. */
    readonly previous: NounRecords[N] | null
  }
}[Noun]

/** Called once per commit, in order. A record changes at most once per commit. */
export type CommitListener = (revision: number, changes: readonly AppliedChange[]) => void

/**
 * True when a record came or went, or one of `fields` has another value (as JSON). Follows of a
 * record use it to stay still when only a tag or a description changed.
 */
export function changesField<N extends Noun> (
  change: { readonly record: NounRecords[N] | null, readonly previous: NounRecords[N] | null },
  fields: readonly (keyof NounRecords[N])[]): boolean {
  const { record, previous } = change
  if (record === null || previous === null) return true
  return fields.some((field) => record[field] !== previous[field] &&
    JSON.stringify(record[field]) !== JSON.stringify(previous[field]))
}
