/** Carries out an action of the slow path: whole, or in fragments. */
import { ACTION_ENCAPSULATE } from './action.ts'
import { COUNT_FORWARDED, PORT_NONE } from './counters.ts'
import { DROP_NONE, DROP_TRANSMIT_QUEUE_FULL } from './drop_reason.ts'
import { emitFragments } from './fragment.ts'
import type { PacketContext } from './packet.ts'
import type { RouterParts } from './router_parts.ts'
import { REWRITE_FAMILY, rewriteAddresses } from './translate.ts'
import { changeFamily } from './translate_family.ts'

/**
 * Sends the packet as `action`, `target`, `rewrites`, `decrementTtl`, `mustFragment` and `ecn` say.
 * @returns DROP_NONE, or why it could not be sent
 */
export function emitPacket (p: PacketContext, parts: RouterParts): number {
  if ((p.rewrites & REWRITE_FAMILY) !== 0) {
    const drop = changeFamily(p, parts)
    if (drop !== DROP_NONE) return drop
  }
  if (p.rewrites !== 0) rewriteAddresses(p, parts.view)
  if (p.mustFragment !== 0) {
    if (p.decrementTtl !== 0) parts.transmit.decrementTtl(p)
    return emitFragments(p, parts)
  }
  if (!parts.transmit.hasRoom(1)) return DROP_TRANSMIT_QUEUE_FULL
  if (p.decrementTtl !== 0) parts.transmit.decrementTtl(p)
  if (p.action !== ACTION_ENCAPSULATE || p.isFromUnderlay !== 0) parts.transmit.writeCongestion(p)
  parts.transmit.send(p, parts.tables.ports)
  return DROP_NONE
}

/** Sends a packet of the underlay on to the host `target`, where its ENI is now. */
export function forwardPacket (p: PacketContext, { transmit, counters }: RouterParts): void {
  if (!transmit.hasRoom(1)) {
    counters.drop(PORT_NONE, DROP_TRANSMIT_QUEUE_FULL, p.segments)
    return
  }
  transmit.forward(p, p.target)
  counters.add(COUNT_FORWARDED, p.segments)
}
