/** What one transaction may hold, whichever engine runs. */
import { VpclabError } from '../base/errors.ts'
import type { Write } from './store.ts'

/** Writes in one transaction; more is refused. */
export const TRANSACTION_WRITES_MAX = 100_000
/** Length of one value, UTF-16 units; more is refused. etcd's request limit is 1.5 MiB. */
export const VALUE_LENGTH_MAX = 1_000_000

/** @throws VpclabError VPCLAB_ERR_STORE */
export function checkLimits (writes: readonly Write[]): void {
  const tooLong = writes.find(({ value }) => value !== null && value.length > VALUE_LENGTH_MAX)
  if (tooLong === undefined && writes.length <= TRANSACTION_WRITES_MAX) return
  throw new VpclabError('VPCLAB_ERR_STORE', tooLong === undefined
    ? `A transaction takes ${String(TRANSACTION_WRITES_MAX)} writes, not ${String(writes.length)}`
    : `The value of ${tooLong.key} is longer than ${String(VALUE_LENGTH_MAX)} characters`)
}
