/**
 * Is the destination in the sender's own subnet? Then routes and network ACLs have no say (systems
 * 2.7 step 5). The last address of an IPv4 block would be its broadcast address, which a VPC does
 * not have.
 */
import { DROP_MULTICAST, DROP_NONE, DROP_PORT_UNKNOWN } from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'
import { subnetBroadcasts, subnetHolds } from '../tables/subnet_table.ts'
import type { Tables } from '../tables/tables.ts'

/**
 * Sets `isSameSubnet`. @returns DROP_NONE, DROP_MULTICAST, or DROP_PORT_UNKNOWN when the subnet is
 * not here
 */
export function decideSameSubnet (p: PacketContext, tables: Tables): number {
  const subnet = tables.subnets.get(tables.ports.subnetIndex[p.portIndex])
  if (subnet === undefined) return DROP_PORT_UNKNOWN
  p.isSameSubnet = subnetHolds(subnet, p.dst0, p.dst1, p.dst2, p.dst3) ? 1 : 0
  if (p.isSameSubnet !== 0 && subnetBroadcasts(subnet, p.dst0, p.dst1, p.dst2, p.dst3)) {
    return DROP_MULTICAST
  }
  return DROP_NONE
}
