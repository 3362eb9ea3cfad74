/**
 * Who answers a packet for a service of the VPC: the router itself what is asked of a router, the
 * daemon everything else (service_port.ts).
 */
import { DROP_LINK_LOCAL_ALLOWANCE, DROP_NONE } from './drop_reason.ts'
import { SERVICE_NEIGHBOR, SERVICE_ROUTER } from './link_local_service.ts'
import { advertiseNeighbor } from './neighbor_advertisement.ts'
import type { PacketContext } from './packet.ts'
import { advertiseRouter } from './router_advertisement.ts'
import type { RouterParts } from './router_parts.ts'
import type { ServicePort } from './service_port.ts'

/**
 * Takes the packet to the service `p.target`; counts it, and the router's answer.
 * @returns DROP_NONE, or why it could not
 */
export function askService (
  p: PacketContext, parts: RouterParts, services: ServicePort, nowMs: number
): number {
  const { segments, wireBytesSum, target } = p
  const drop = target === SERVICE_NEIGHBOR ? advertiseNeighbor(p, parts)
    : target !== SERVICE_ROUTER ? services.hand(p, parts, nowMs)
      : services.takeAllowance(p, nowMs) ? advertiseRouter(p, parts) : DROP_LINK_LOCAL_ALLOWANCE
  if (drop !== DROP_NONE) return drop
  parts.counters.egress(p.portIndex, segments, wireBytesSum)
  const isAnswered = target === SERVICE_NEIGHBOR || target === SERVICE_ROUTER
  if (isAnswered) parts.counters.ingress(p.portIndex, 1, p.totalBytes)
  return DROP_NONE
}
