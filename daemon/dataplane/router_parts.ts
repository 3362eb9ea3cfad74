/**
 * What the parts of the router share: made once per worker (router.ts), passed down, never
 * replaced.
 */
import type { Counters } from './counters.ts'
import type { FlowRecorder } from './flow_records.ts'
import type { Tables } from './tables/tables.ts'
import type { Transmit } from './transmit.ts'

export interface RouterParts {
  /** The arena. */
  readonly bytes: Uint8Array
  /** The same bytes: what each packet is read through (wire/bytes.ts). */
  readonly view: DataView
  readonly tables: Tables
  readonly counters: Counters
  readonly transmit: Transmit
  /** While flows of an ENI of this host are logged. */
  readonly flowRecorder: FlowRecorder | null
}
