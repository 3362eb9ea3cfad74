/**
 * The public IPv4 addresses of the lab: which are free, and who gets the next one. One plan makes
 * one pool, so that addresses given out earlier in the same plan count as used.
 *
 *     203.0.113.0/24   .0 │ .1 … .254 │ .255        RFC 5737, TEST-NET-3
 *
 * Elastic and auto-assigned addresses come from the same pool, in all accounts and Regions. The
 * choice goes round: an address that came back is the last one to be given out again, so that a
 * restarted instance has another one, and one released by mistake can be asked for by name.
 */
import { AwsError } from './aws_error.ts'
import {
  cidrContainsAddress, formatAddress, knownCidr, lastOf, parseAddress
} from './cidr.ts'
import { put } from './snapshot.ts'
import type { Change, Snapshot } from './snapshot.ts'

export const PUBLIC_IPV4_POOL = knownCidr('203.0.113.0/24')
/** Offset in the pool at which the next choice begins. */
const POOL_COUNTER = 'public-ipv4-pool'
const OFFSET_FIRST = 1

export class PublicAddressPool {
  readonly #snapshot: Snapshot
  readonly #taken = new Set<string>()
  readonly #last = Number(lastOf(PUBLIC_IPV4_POOL) - PUBLIC_IPV4_POOL.first) - 1
  #next: number
  #isUsed = false

  constructor (snapshot: Snapshot) {
    this.#snapshot = snapshot
    this.#next = snapshot.tables.counter.get(POOL_COUNTER)?.next ?? OFFSET_FIRST
  }

  /**
   * The next free address, dotted decimal, which is then used.
   * @throws AwsError InsufficientAddressCapacity
   */
  take (): string {
    for (let tries = OFFSET_FIRST; tries <= this.#last; tries++) {
      const offset = this.#next
      this.#next = offset === this.#last ? OFFSET_FIRST : offset + 1
      const text = formatAddress({ family: 4, value: PUBLIC_IPV4_POOL.first + BigInt(offset) })
      if (!this.#isFree(text)) continue
      this.#isUsed = true
      this.#taken.add(text)
      return text
    }
    throw new AwsError('InsufficientAddressCapacity',
      'Insufficient capacity to allocate an address: all public IPv4 addresses are in use')
  }

  /**
   * The address asked for, which is then used.
   * @throws AwsError InvalidAddress.Malformed, InvalidAddress.NotFound (not of the pool, or in use)
   */
  takeExactly (text: string): string {
    const address = parseAddress(text)
    if (address?.family !== 4) {
      throw new AwsError('InvalidAddress.Malformed', `Address '${text}' is not an IPv4 address`)
    }
    const canonical = formatAddress(address)
    const offset = Number(address.value - PUBLIC_IPV4_POOL.first)
    const isOfPool = cidrContainsAddress(PUBLIC_IPV4_POOL, address) &&
      offset >= OFFSET_FIRST && offset <= this.#last
    if (!isOfPool || !this.#isFree(canonical)) {
      throw new AwsError('InvalidAddress.NotFound',
        `Address '${canonical}' is ${isOfPool ? 'in use' : 'not of the public pool'}`)
    }
    this.#taken.add(canonical)
    return canonical
  }

  /** To be committed with the plan that took addresses. */
  changes (): Change[] {
    return this.#isUsed ? [put('counter', { id: POOL_COUNTER, next: this.#next })] : []
  }

  #isFree (text: string): boolean {
    const { address, networkInterface } = this.#snapshot.tables
    return !this.#taken.has(text) && address.by('publicIp', text).length === 0 &&
      networkInterface.by('autoPublicIp', text).length === 0
  }
}
