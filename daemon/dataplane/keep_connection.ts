/**
 * The entry of a packet's conversation in the flow table, made where there is none. It is what
 * connection tracking hangs on, kept also where decisions are not (fragments, mirrored flows).
 */
import { loadI32 } from '../wire/bytes.ts'
import { TCP_AT_ACKNOWLEDGMENT, TCP_AT_SEQUENCE } from '../wire/tcp.ts'
import { COUNT_FLOW_TABLE_FULL } from './counters.ts'
import { swapPorts } from './fast_path.ts'
import type { PacketContext } from './packet.ts'
import type { RouterParts } from './router_parts.ts'
import { EGRESS, INGRESS } from './tables/flow_layout.ts'

/** In place of an entry of the flow table: the packet has none. */
export const NO_ENTRY = -1

/**
 * @param port the ENI whose side it is; its steps have set `connectionAt` and `isTracked`
 * @param direction of the packet, seen from the ENI
 * @returns word offset of the entry, or NO_ENTRY
 */
export function keepConnection (
  p: PacketContext, port: number, direction: number, { tables, counters, view }: RouterParts
): number {
  const { ports, flows } = tables
  if (p.hasConnection === 0 || ports.flowPort[port] < 0) return NO_ENTRY
  let at = p.connectionAt
  if (p.opensConnection !== 0) {
    if (at >= 0) flows.remove(at)
    const key = (ports.flowPort[port] << 8) | p.protocol
    at = direction === EGRESS
      ? flows.create(key, p.src0, p.src1, p.src2, p.src3, p.dst0, p.dst1, p.dst2, p.dst3,
        p.ports, EGRESS)
      : flows.create(key, p.dst0, p.dst1, p.dst2, p.dst3, p.src0, p.src1, p.src2, p.src3,
        swapPorts(p.ports), INGRESS)
    if (at < 0) {
      counters.set(COUNT_FLOW_TABLE_FULL, flows.fullCount)
      return NO_ENTRY
    }
  }
  if (at < 0) return NO_ENTRY
  if (p.isTracked !== 0) flows.track(at)
  if (p.tcpFlags !== 0) {
    flows.noteTcpFlags(at, direction, p.tcpFlags, loadI32(view, p.l4At + TCP_AT_SEQUENCE),
      loadI32(view, p.l4At + TCP_AT_ACKNOWLEDGMENT))
  }
  return at
}
