/**
 * Where names come from: the seam of the resolver. A source says which of a name's zones is its
 * own and what stands there; the resolver (resolver.ts) believes the one with the longest zone,
 * follows aliases across them, and builds the message. A source sees who asks, since the same name
 * may lead elsewhere for another VPC.
 */
import type { RecordType } from '../../model/resource_record.ts'
import type { Viewer } from '../viewer.ts'

/** One record as dns-packet encodes it. Names are lower-case and without a dot at the end. */
export interface ZoneRecord {
  readonly name: string
  readonly type: RecordType
  /** Seconds. */
  readonly ttl: number
  readonly data: unknown
}

export interface ZoneQuestion {
  /** Lower-case, without a dot at the end; empty for the root. */
  readonly name: string
  /** As asked for: `A`, `ANY`, `TYPE65` … */
  readonly type: string
}

export interface ZoneAnswer {
  /** Name of the zone that decides. The longest of all sources' is believed. */
  readonly zone: string
  /** Of an answer without records; absent where the zone has none of its own. */
  readonly soa?: ZoneRecord
  /** False: NXDOMAIN. */
  readonly nameExists: boolean
  readonly records: readonly ZoneRecord[]
}

export interface ZoneSource {
  /** @returns null when no zone of this source holds the name */
  answer (question: ZoneQuestion, viewer: Viewer): ZoneAnswer | null
}

/** What of a name's records answers the type. */
export function matching (records: readonly ZoneRecord[], type: string): readonly ZoneRecord[] {
  return records.filter((record) =>
    record.type === type || record.type === 'CNAME' || type === 'ANY')
}
