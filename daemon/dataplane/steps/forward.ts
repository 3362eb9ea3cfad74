/**
 * One forward by the host that an ENI has left, systems 2.4: a sender that has not heard of the
 * move yet still sends there (ADR 26).
 *
 *     sender S ──▶ old host O ── option "forwarded: from S" ──▶ new host N ──▶ ENI
 *
 *     followMove       O: the ENI has gone to N within the last minute. Nothing else is judged: O
 *                      may know nothing of the VPC any more
 *     checkForwarder   N: the outer source is a host that the ENI has left within that time. From
 *                      there on S stands in the place of the outer source (vpc_header.ts), so the
 *                      packet is judged as if it had come from S itself
 *
 * What is marked as forwarded is never forwarded again.
 */
import { FORWARDED_OPTION_BYTES } from '../../encap/geneve.ts'
import { loadI32 } from '../../wire/bytes.ts'
import { ACTION_FORWARD, sourcePortOf } from '../action.ts'
import { DROP_FORWARDER, DROP_NONE, DROP_TOO_BIG } from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'
import type { Tables } from '../tables/tables.ts'
import { parsePacket } from './parse.ts'

/**
 * Sends a packet for an ENI that is not here after the ENI. Precondition: `at` is the inner packet.
 * @param drop why the packet ends here when the ENI has not moved
 * @returns DROP_NONE with `action` and `target` set and the VPC header to be written in `geneve`;
 *   or a DROP_*
 */
export function followMove (
  p: PacketContext, tables: Tables, view: DataView, drop: number
): number {
  const { geneve } = p
  if (geneve.isForwarded !== 0) return drop
  const host = tables.moves.newHostOf(geneve.destinationEniHigh, geneve.destinationEniLow,
    geneve.vni, tables.hostIndex, tables.flows.nowTick)
  if (host === 0 || !tables.hosts.has(host)) return drop
  const malformed = parsePacket(p, view)
  if (malformed !== DROP_NONE) return malformed
  // On an underlay that has no room to spare the largest packets cannot be marked.
  if (p.wireBytesMax > tables.pathMtu - FORWARDED_OPTION_BYTES) return DROP_TOO_BIG
  geneve.isForwarded = 1
  geneve.forwarded0 = loadI32(view, p.sourceAt)
  geneve.forwarded1 = loadI32(view, p.sourceAt + 4)
  geneve.forwarded2 = loadI32(view, p.sourceAt + 8)
  geneve.forwarded3 = loadI32(view, p.sourceAt + 12)
  // HyperPlane's alone, and its resources are on several hosts and do not move.
  geneve.cookieHigh = 0
  geneve.cookieLow = 0
  p.sourcePort = sourcePortOf(p)
  p.action = ACTION_FORWARD
  p.target = host
  return DROP_NONE
}

/**
 * Holds a host that says it forwards to its place.
 * Precondition: the receiver has been found.
 * @returns DROP_NONE, also for a packet that is not forwarded, or DROP_FORWARDER
 */
export function checkForwarder (p: PacketContext, tables: Tables, view: DataView): number {
  const { geneve } = p
  if (geneve.isForwarded === 0) return DROP_NONE
  return tables.moves.cameFrom(geneve.destinationEniHigh, geneve.destinationEniLow,
    tables.hostIndex, tables.hosts, loadI32(view, p.sourceAt), loadI32(view, p.sourceAt + 4),
    loadI32(view, p.sourceAt + 8), loadI32(view, p.sourceAt + 12), tables.flows.nowTick)
    ? DROP_NONE
    : DROP_FORWARDER
}
