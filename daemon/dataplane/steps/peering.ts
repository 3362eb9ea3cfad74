/**
 * VPC peering, systems 6.1: one hop from a VPC into another, and no further.
 *
 *     egress    takePeering     the route leads to a peering: next hop and VNI are the peer VPC's
 *               reachesPeer     the destination is inside a block of that very VPC
 *     ingress   checkPeering    what came over a peering is for an address inside this VPC
 *
 * So a peering gives nobody the gateways of the peer, nor its other peers, however wide the route.
 * The source address is not asked: AWS has no reverse-path check here.
 */
import { findPrefix } from '../../wire/address.ts'
import { DROP_BLACKHOLE, DROP_NONE, DROP_PEER_TRANSIT } from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'
import type { Tables } from '../tables/tables.ts'
import { PEER_AT_MTU, PEER_AT_VPC_INDEX, PEER_WORDS } from '../tables/update.ts'

/** Sets `peerVpcIndex`, `peerVni` and `gatewayMtu`. @returns DROP_NONE or DROP_BLACKHOLE */
export function takePeering (p: PacketContext, tables: Tables, peerVpcIndex: number): number {
  const own = tables.vpcs.get(p.vpcIndex)
  const peer = tables.vpcs.get(peerVpcIndex)
  if (own === undefined || peer === undefined) return DROP_BLACKHOLE
  const { peers } = own
  for (let at = 0; at < peers.length; at += PEER_WORDS) {
    if (peers[at + PEER_AT_VPC_INDEX] !== peerVpcIndex) continue
    p.peerVpcIndex = peerVpcIndex
    p.peerVni = peer.vni
    p.gatewayMtu = peers[at + PEER_AT_MTU]
    return DROP_NONE
  }
  return DROP_BLACKHOLE // the peering is gone, and the route not heard of it yet
}

/** The VPC in which addresses and ENIs of the other end are looked up. */
export function farVpcIndex (p: PacketContext): number {
  return p.peerVpcIndex === 0 ? p.vpcIndex : p.peerVpcIndex
}

/** Whether the destination is one that a peering may lead to, if it is to cross one. */
export function reachesPeer (p: PacketContext, blocks: Uint32Array): boolean {
  return p.peerVpcIndex === 0 || findPrefix(blocks, p.dst0, p.dst1, p.dst2, p.dst3) >= 0
}

/**
 * Precondition: `vpcIndex` is the receiver's VPC, and `peerVpcIndex` the sender's where it is
 * another. @returns DROP_NONE or DROP_PEER_TRANSIT
 */
export function checkPeering (p: PacketContext, tables: Tables): number {
  if (p.peerVpcIndex === 0) return DROP_NONE
  const vpc = tables.vpcs.get(p.vpcIndex)
  return vpc !== undefined && findPrefix(vpc.blocks, p.dst0, p.dst1, p.dst2, p.dst3) >= 0
    ? DROP_NONE
    : DROP_PEER_TRANSIT
}
