/**
 * MAC addresses: that of an ENI (02, then the last 40 bits of its id: model/network_interface.ts)
 * and that of the router of a subnet (06:00, then its IPv4 address, or the end of its IPv6 one),
 * the same on every host. Both are locally administered, and no ENI has the router's.
 */
import { writeU16, writeU32 } from '../wire/bytes.ts'
import type { PortTable } from './tables/port_table.ts'
import type { SubnetData } from './tables/update.ts'

const ENI_MAC_FIRST = 0x02
const ROUTER_MAC_FIRST = 0x0600

/** Writes the MAC of the ENI of a port, 6 bytes. */
export function writeEniMac (bytes: Uint8Array, at: number, ports: PortTable, port: number): void {
  bytes[at] = ENI_MAC_FIRST
  bytes[at + 1] = ports.eniHigh[port]
  writeU32(bytes, at + 2, ports.eniLow[port])
}

/** Whether the MAC at `at` is that of the ENI of a port. */
export function isEniMac (view: DataView, at: number, ports: PortTable, port: number): boolean {
  return view.getUint8(at) === ENI_MAC_FIRST &&
    view.getUint8(at + 1) === (ports.eniHigh[port] & 0xff) &&
    view.getInt32(at + 2) === ports.eniLow[port]
}

/** Writes the MAC of the subnet's router, 6 bytes. */
export function writeRouterMac (
  bytes: Uint8Array, at: number, subnet: SubnetData | undefined
): void {
  writeU16(bytes, at, ROUTER_MAC_FIRST)
  writeU32(bytes, at + 2, routerWord(subnet))
}

function routerWord (subnet: SubnetData | undefined): number {
  if (subnet === undefined) return 0
  return subnet.routerIpv4[3] !== 0 ? subnet.routerIpv4[3] : subnet.routerIpv6[3]
}
