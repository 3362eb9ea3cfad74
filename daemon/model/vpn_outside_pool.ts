/**
 * Outside addresses of VPN tunnels: AWS's end on the internet of the lab. One plan makes one pool,
 * so that addresses taken earlier in the same plan count as used.
 *
 *     192.0.2.0/24   .1 … .119 │ .120 … .238 │ .240/28        RFC 5737, TEST-NET-1
 *                    tunnel 1     tunnel 2      accelerators
 *
 * The two tunnels of a connection have addresses of different networks, as on AWS they stand in
 * different zones. The choice goes round: a connection that is made again has other addresses.
 */
import { AwsError } from './aws_error.ts'
import { formatAddress, knownCidr } from './cidr.ts'
import { put } from './snapshot.ts'
import type { Change, Snapshot } from './snapshot.ts'

export const VPN_OUTSIDE_POOL = knownCidr('192.0.2.0/24')
/** First offset of each tunnel's network, and how many addresses each has. */
const NETWORKS = [1, 120] as const
const NETWORK_SIZE = 119
const COUNTER = 'vpn-outside-pool'

export class OutsideAddressPool {
  readonly #taken = new Set<string>()
  readonly #firstNext: number
  #next: number

  constructor (snapshot: Snapshot) {
    const { vpnConnection, counter } = snapshot.tables
    for (const { state, tunnels } of vpnConnection.values()) {
      if (state === 'deleted') continue
      for (const { outsideIpAddress } of tunnels) this.#taken.add(outsideIpAddress)
    }
    this.#next = counter.get(COUNTER)?.next ?? 0
    this.#firstNext = this.#next
  }

  /**
   * @param tunnelIndex 0 or 1
   * @returns the next free address of the tunnel's network, dotted decimal
   * @throws AwsError InsufficientAddressCapacity
   */
  take (tunnelIndex: number): string {
    for (let tries = 0; tries < NETWORK_SIZE; tries++) {
      const offset = (NETWORKS[tunnelIndex] ?? 0) + (this.#next++) % NETWORK_SIZE
      const text = formatAddress({ family: 4, value: VPN_OUTSIDE_POOL.first + BigInt(offset) })
      if (this.#taken.has(text)) continue
      this.#taken.add(text)
      return text
    }
    throw new AwsError('InsufficientAddressCapacity',
      'Insufficient capacity to create a VPN connection: all outside addresses are in use')
  }

  /** To be committed with the plan that took addresses. */
  changes (): Change[] {
    return this.#next === this.#firstNext ? []
      : [put('counter', { id: COUNTER, next: this.#next % NETWORK_SIZE })]
  }
}
