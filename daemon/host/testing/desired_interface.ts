/** Interfaces that tests of the reconciler want an instance to have, in 10.0.1.0/24 and one /64. */
import type { DesiredInterface } from '../instance_plan.ts'

export function desiredInterface (
  deviceIndex: number, addresses: readonly string[], prefixes: readonly string[] = []
): DesiredInterface {
  return {
    networkInterfaceId: `eni-0000000000000000${String(deviceIndex)}`,
    deviceIndex,
    device: 'tun',
    macAddress: `02:00:00:00:00:0${String(deviceIndex)}`,
    mtu: 9001,
    addresses: addresses.map((address) => address.includes(':')
      ? { address, prefixLength: 64, gateway: '2001:db8:0:1::1' }
      : { address, prefixLength: 24, gateway: '10.0.1.1' }),
    prefixes,
    sourceRouted: deviceIndex > 0,
    blocks: null,
    owns: (address) => address.startsWith('10.0.1.') || address.startsWith('2001:db8:0:1:')
  }
}
