/**
 * The receiver's side of the source/destination check, systems 1.9 and 2.7 step 11: while it is on,
 * an ENI takes only packets for its own addresses. Off, it takes what routes send it (NAT instance,
 * appliance).
 */
import { findPrefix } from '../../wire/address.ts'
import {
  DROP_DESTINATION_CHECK, DROP_NONE, DROP_PORT_CLOSED, DROP_TOO_BIG
} from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'
import type { PortTable } from '../tables/port_table.ts'

/** @returns DROP_NONE or DROP_DESTINATION_CHECK */
export function checkDestination (p: PacketContext, ports: PortTable): number {
  const port = p.portIndex
  if (ports.sourceDestCheck[port] === 0) return DROP_NONE
  return findPrefix(ports.addresses(port), p.dst0, p.dst1, p.dst2, p.dst3) >= 0
    ? DROP_NONE
    : DROP_DESTINATION_CHECK
}

/**
 * Whether the receiving ENI can take the packet at all. @returns DROP_NONE, DROP_TOO_BIG or
 * DROP_PORT_CLOSED
 */
export function checkReceiver (p: PacketContext, ports: PortTable): number {
  if (p.mustFragment === 0 && p.wireBytesMax > ports.mtu[p.portIndex]) return DROP_TOO_BIG
  return ports.nicPort[p.portIndex] === 0 ? DROP_PORT_CLOSED : DROP_NONE
}
