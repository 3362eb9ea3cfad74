/**
 * What the slow path decides about a packet, and how the decision is kept in a flow entry for the
 * packets that follow (fast_path.ts applies it).
 *
 *     ACTION_DELIVER       to the port `target` on this host
 *     ACTION_ENCAPSULATE   to the host `target`, with VNI and both ENIs in a VPC header
 *     ACTION_FORWARD       to the host `target`, as it came: its ENI has moved there; never kept
 *     ACTION_UPLINK        to the internet, by the port `target` of the NIC; never kept
 *     ACTION_SEAL          into the VPN tunnel `target` (vpn_port.ts); never kept
 *     ACTION_SERVICE       to the services of the VPC on this host (service_port.ts); never kept
 *     ACTION_DROP          with the reason; kept only in an entry that exists, so that the
 *                          refused packets of a scan make no entries
 *
 * A gateway adds one constant here, one branch in `transmit.ts` and, if its decision may be cached,
 * its arguments to the half of a flow entry (tables/flow_layout.ts).
 */
import { swapU32 } from '../wire/bytes.ts'
import { outerSourcePort, mixAddressWord } from '../encap/geneve.ts'
import {
  DROP_BLACKHOLE, DROP_NETWORK_ACL_EGRESS, DROP_NO_ROUTE, DROP_PEER_TRANSIT,
  DROP_SECURITY_GROUP_EGRESS, DROP_TOO_BIG
} from './drop_reason.ts'
import type { PacketContext } from './packet.ts'
import {
  HALF_AT_ACTION, HALF_AT_GENERATION, HALF_AT_HEADER, HALF_AT_MTU, HALF_AT_SENDER, HALF_AT_SOURCE,
  HALF_AT_TARGET, HALF_DROP_SHIFT, HALF_FLAG_DECREMENT_TTL, HALF_HEADER_WORDS
} from './tables/flow_layout.ts'

export const ACTION_NONE = 0
export const ACTION_DELIVER = 1
export const ACTION_ENCAPSULATE = 2
export const ACTION_DROP = 3
export const ACTION_UPLINK = 4
export const ACTION_SERVICE = 5
export const ACTION_SEAL = 6
export const ACTION_FORWARD = 7

/** Outer UDP source port of the packet's flow; of its addresses alone when it is a fragment. */
export function sourcePortOf (p: PacketContext): number {
  let hash = mixAddressWord(p.src3, p.dst3)
  if (p.src2 !== 0xffff) { // IPv6
    hash = mixAddressWord(hash, p.src0)
    hash = mixAddressWord(hash, p.src1)
    hash = mixAddressWord(hash, p.src2)
    hash = mixAddressWord(hash, p.dst0)
    hash = mixAddressWord(hash, p.dst1)
    hash = mixAddressWord(hash, p.dst2)
  }
  // Fragments of one packet keep their order, and later ones may not know their ports.
  return outerSourcePort(hash, p.isFragment === 0 ? p.ports : 0, p.protocol)
}

/**
 * Fills in what encapsulation needs besides the host: source port and header words of the packet's
 * context.
 * @param vni of the sender's VPC; what crosses a peering has that of the peer
 */
export function prepareEncapsulation (
  p: PacketContext, vni: number, eniHigh: number, eniLow: number
): void {
  p.sourcePort = sourcePortOf(p)
  p.header[0] = swapU32((p.peerVpcIndex === 0 ? vni : p.peerVni) << 8)
  p.header[1] = swapU32(eniHigh)
  p.header[2] = swapU32(eniLow)
  p.header[3] = swapU32(p.mapping.eniHigh)
  p.header[4] = swapU32(p.mapping.eniLow)
}

/**
 * Keeps the decision about a packet that leaves an ENI. Precondition: prepareEncapsulation, if it
 * is to leave the host.
 * @param half word offset of the egress half
 */
export function storeEgressAction (
  words: Int32Array, half: number, p: PacketContext, generation: number
): void {
  words[half + HALF_AT_ACTION] = p.action | (p.decrementTtl === 0 ? 0 : HALF_FLAG_DECREMENT_TTL)
  words[half + HALF_AT_MTU] = p.mtu
  words[half + HALF_AT_TARGET] = p.target
  words[half + HALF_AT_SOURCE] = p.sourcePort
  for (let word = 0; word < HALF_HEADER_WORDS; word++) {
    words[half + HALF_AT_HEADER + word] = p.header[word]
  }
  words[half + HALF_AT_GENERATION] = generation
}

/**
 * Keeps the decision about a packet that enters an ENI: deliver, if it comes from this ENI and this
 * host.
 */
export function storeIngressAction (
  words: Int32Array, half: number, p: PacketContext, generation: number, mtu: number
): void {
  words[half + HALF_AT_ACTION] = ACTION_DELIVER
  words[half + HALF_AT_MTU] = mtu
  words[half + HALF_AT_TARGET] = p.target
  words[half + HALF_AT_SOURCE] = p.sourceHostIndex
  words[half + HALF_AT_SENDER] = p.sourceEniHigh
  words[half + HALF_AT_SENDER + 1] = p.sourceEniLow
  words[half + HALF_AT_GENERATION] = generation
}

/** Keeps a refusal. */
export function storeDrop (
  words: Int32Array, half: number, reason: number, generation: number
): void {
  words[half + HALF_AT_ACTION] = ACTION_DROP | (reason << HALF_DROP_SHIFT)
  words[half + HALF_AT_GENERATION] = generation
}

/**
 * Whether a refusal follows from the flow and the tables alone, so that the next packet has it too.
 */
export function dropIsCacheable (reason: number): boolean {
  return reason === DROP_NO_ROUTE || reason === DROP_BLACKHOLE ||
    reason === DROP_SECURITY_GROUP_EGRESS || reason === DROP_NETWORK_ACL_EGRESS ||
    reason === DROP_PEER_TRANSIT
}

/** Whether the sender is to be told by ICMP. */
export function dropIsAnswered (reason: number): boolean {
  return reason === DROP_TOO_BIG
}
