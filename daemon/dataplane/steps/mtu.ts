/**
 * The MTU of the path, systems 1.19: what the sender's ENI may send, what the gateway on the way
 * takes, and either what the underlay carries to the other host (its MTU less the encapsulation) or
 * what the receiver's ENI may take. A
 * super-packet is judged by what it is on the wire: its headers and one segment.
 *
 * Too big: IPv4 without DF is fragmented (fragment.ts); the rest is dropped, and the sender told
 * (icmp_error.ts). The encapsulated packet itself is never fragmented.
 */
import { ACTION_DELIVER } from '../action.ts'
import { DROP_NONE, DROP_TOO_BIG } from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'
import type { Tables } from '../tables/tables.ts'

/** Sets `mtu` and `mustFragment`. @returns DROP_NONE or DROP_TOO_BIG */
export function checkMtu (p: PacketContext, tables: Tables): number {
  const farMtu = p.action === ACTION_DELIVER ? tables.ports.mtu[p.target] : tables.pathMtu
  p.mtu = Math.min(tables.ports.mtu[p.portIndex], farMtu)
  if (p.gatewayMtu !== 0) p.mtu = Math.min(p.mtu, p.gatewayMtu)
  if (p.wireBytesMax <= p.mtu) return DROP_NONE
  if (p.dontFragment !== 0) return DROP_TOO_BIG
  p.mustFragment = 1
  return DROP_NONE
}
