/**
 * Hosts of the underlay by index: the outer address of each. Peers of the NIC have the same
 * numbers.
 */
import { ADDRESS_WORDS } from '../../wire/address.ts'
import { assert } from '../../base/assert.ts'
import type { HostData } from './update.ts'

/** Host indices are 1..HOSTS_MAX - 1. */
export const HOSTS_MAX = 4096

/** First word where there is no host: ffff:ffff:… is multicast, and nobody's source address. */
const NO_HOST = -1

export class HostTable {
  /** [HOSTS_MAX × 4] outer addresses, int32. */
  readonly addresses = new Int32Array(HOSTS_MAX * ADDRESS_WORDS).fill(NO_HOST)

  /** True while the index names a host. */
  has (hostIndex: number): boolean {
    return this.addresses[hostIndex * ADDRESS_WORDS] !== NO_HOST
  }

  set (data: HostData): void {
    assert(data.hostIndex > 0 && data.hostIndex < HOSTS_MAX,
      `host index ${String(data.hostIndex)} is not within 1..${String(HOSTS_MAX - 1)}`)
    this.addresses.set(data.underlayAddress, data.hostIndex * ADDRESS_WORDS)
  }

  remove (hostIndex: number): void {
    this.addresses.fill(NO_HOST, hostIndex * ADDRESS_WORDS, (hostIndex + 1) * ADDRESS_WORDS)
  }

  /** Whether an outer address (int32 words) is that of the host. */
  isAt (hostIndex: number, w0: number, w1: number, w2: number, w3: number): boolean {
    const at = hostIndex * ADDRESS_WORDS
    return this.addresses[at] === w0 && this.addresses[at + 1] === w1 &&
      this.addresses[at + 2] === w2 &&
      this.addresses[at + 3] === w3
  }
}
