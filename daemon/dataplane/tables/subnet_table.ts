/** Subnets by index: blocks, route table, and the address of the router in each family. */
import { findPrefix, PREFIX_WORDS } from '../../wire/address.ts'
import type { SubnetData } from './update.ts'

export class SubnetTable {
  readonly #subnets: (SubnetData | undefined)[] = []

  get (subnetIndex: number): SubnetData | undefined { return this.#subnets[subnetIndex] }
  set (data: SubnetData): void { this.#subnets[data.subnetIndex] = data }
  remove (subnetIndex: number): void { this.#subnets[subnetIndex] = undefined }
}

/** Whether an address (int32 words) lies in one of the subnet's blocks. */
export function subnetHolds (
  subnet: SubnetData, w0: number, w1: number, w2: number, w3: number
): boolean {
  return findPrefix(subnet.cidrs, w0, w1, w2, w3) >= 0
}

/**
 * Whether an address is the last of an IPv4 block of the subnet: its broadcast address elsewhere.
 */
export function subnetBroadcasts (
  subnet: SubnetData, w0: number, w1: number, w2: number, w3: number
): boolean {
  const block = findPrefix(subnet.cidrs, w0, w1, w2, w3)
  if (block < 0 || w2 !== 0xffff || (w0 | w1) !== 0) return false
  const bits = subnet.cidrs[block * PREFIX_WORDS + 4]
  const hostMask = bits >= 128 ? 0 : -1 >>> (bits - 96)
  return hostMask !== 0 && (w3 & hostMask) === (hostMask | 0)
}
