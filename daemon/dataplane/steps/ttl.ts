/**
 * TTL and hop limit: one is taken off per routed hop, subnet to subnet, and nothing within a subnet
 * (systems 2.2). At 0 the packet is dropped in silence: AWS sends no time-exceeded. The byte itself
 * is changed when the packet leaves (transmit.ts), so that an ICMP answer still quotes it as it was
 * sent.
 */
import { DROP_NONE, DROP_TTL_EXPIRED } from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'

/** Sets `decrementTtl`. @returns DROP_NONE or DROP_TTL_EXPIRED */
export function checkTtl (p: PacketContext): number {
  p.decrementTtl = 1 - p.isSameSubnet
  return p.decrementTtl !== 0 && p.ttl <= 1 ? DROP_TTL_EXPIRED : DROP_NONE
}
