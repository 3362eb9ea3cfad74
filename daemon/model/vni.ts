/**
 * Virtual network identifiers of Geneve: one for each VPC, and one for each virtual private
 * gateway, whose edges use it among themselves while it has no VPC. None is given twice.
 */
import { AwsError } from './aws_error.ts'
import { put } from './snapshot.ts'
import type { Change, Snapshot } from './snapshot.ts'

/** RFC 8926 §3.4: 24 bits. */
export const VNI_MAX = 0xff_ffff
export const VNI_COUNTER = 'vni'

/**
 * The next VNI of the lab. It only rises, so a VNI is not seen again while packets of it may be
 * under way.
 */
export function allocateVni (
  snapshot: Snapshot): { readonly value: number, readonly change: Change } {
  const value = snapshot.tables.counter.get(VNI_COUNTER)?.next ?? 1
  if (value > VNI_MAX) {
    throw new AwsError('VpcLimitExceeded',
      `All ${String(VNI_MAX)} virtual network identifiers have been used; start a new lab`)
  }
  return { value, change: put('counter', { id: VNI_COUNTER, next: value + 1 }) }
}
