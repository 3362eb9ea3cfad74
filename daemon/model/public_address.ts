/**
 * Which public IPv4 addresses a VPC's private ones have. The one place that knows both kinds:
 *
 *     Elastic IP            Address.networkInterfaceId, .privateIpAddress    address.ts
 *     auto-assigned         NetworkInterface.autoPublicIp, of its primary private address
 *
 * A private address has one public address at most: an Elastic IP replaces the auto-assigned one.
 * NAT gateways' addresses are in here too, since their ENIs are ENIs. That an address is public
 * does not mean that packets pass: this wants an internet gateway and routes.
 */
import type { NetworkInterface } from './network_interface.ts'
import type { Snapshot } from './snapshot.ts'

export interface PublicAddress {
  readonly publicIp: string
  readonly privateIp: string
  readonly networkInterfaceId: string
  /** `eipalloc-…`; null for an auto-assigned one. */
  readonly allocationId: string | null
}

/** Public addresses of all ENIs of a VPC. */
export function publicAddressesOf (snapshot: Snapshot, vpcId: string): PublicAddress[] {
  return snapshot.tables.networkInterface.by('vpcId', vpcId)
    .flatMap((record) => publicAddressesOfInterface(snapshot, record))
}

/** Public addresses of one ENI, that of its primary private address first. */
export function publicAddressesOfInterface (snapshot: Snapshot,
  record: NetworkInterface): PublicAddress[] {
  const [primary] = record.privateIpAddresses
  const found: PublicAddress[] = snapshot.tables.address.by('networkInterfaceId', record.id)
    .map(({ id, publicIp, privateIpAddress }) => ({
      publicIp, privateIp: privateIpAddress ?? '', networkInterfaceId: record.id, allocationId: id
    }))
  if (record.autoPublicIp !== null && primary !== undefined) {
    found.push({ publicIp: record.autoPublicIp, privateIp: primary,
      networkInterfaceId: record.id, allocationId: null })
  }
  return found.sort((a, b) => Number(b.privateIp === primary) - Number(a.privateIp === primary))
}
