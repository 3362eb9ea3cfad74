/**
 *     host 9: ENI 3 2001:db8:1:2::10     hosts 1, 2, 3: edges and HyperPlane nodes    the internet
 *     IPv6-only subnet 2001:db8:1:2::/64 IGW 30; NAT gateway: ENI 50 10.0.1.9         198.51.100.10
 *         64:ff9b::/96 ─▶ ENI 50         in 10.0.1.0/24, 203.0.113.9, shard 1, 2, 3
 *     ENI 4 10.0.2.40, of IPv4
 */
import type { VpcSpec } from './lab.ts'
import { COMPUTE, NAT, NatWorld } from './nat_world.ts'
import type { NatWorldOptions } from './nat_world.ts'

export const INSIDE = '2001:db8:1:2::10'
/** ENI of INSIDE. */
export const SIX = 3
/** An ENI of IPv4, and its address. */
export const FOUR = 4
export const INSIDE_IPV4 = '10.0.2.40'
export const REMOTE = '198.51.100.10'
export const REMOTE_IN_IPV6 = '64:ff9b::c633:640a'

const IPV6_ROUTE = { to: '2001:db8:1::/56', target: 'local' } as const

/** The world of a NAT gateway, and beside it a subnet that has IPv6 alone. */
export function newNat64World (
  options: Pick<NatWorldOptions, 'capacity' | 'pathMtu'> = {}
): NatWorld {
  return new NatWorld({ ...options, extend: (vpc): VpcSpec => ({
    ...vpc,
    subnets: [
      ...vpc.subnets.map((subnet) => ({ ...subnet, routes: [...subnet.routes, IPV6_ROUTE] })),
      { subnet: 13, cidrs: ['2001:db8:1:2::/64'], routes: [
        IPV6_ROUTE, { to: '64:ff9b::/96', target: { eni: NAT } }] }
    ],
    enis: [...vpc.enis, { eni: SIX, subnet: 13, host: COMPUTE, addresses: [INSIDE] },
      { eni: FOUR, subnet: 12, host: COMPUTE, addresses: [INSIDE_IPV4] }]
  }) })
}
