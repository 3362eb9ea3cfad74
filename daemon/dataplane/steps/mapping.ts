/**
 * Where the next hop lives: (VPC, address) or (VPC, ENI) → host and ENI, systems 2.3. A VPC whose
 * mappings are all here answers at once; otherwise the packet may have to wait for an answer of
 * control (parking.ts). An unmapped destination is dropped: nothing is flooded. A gateway's place,
 * and that of a resource with several nodes, is a group of hosts: one of them is picked.
 */
import { IPV4_MAPPED_WORD } from '../../wire/address.ts'
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6 } from '../../wire/ip_protocol.ts'
import { isNat64Words, protocolInIpv4 } from '../../wire/nat64.ts'
import { ACTION_DELIVER, ACTION_ENCAPSULATE, sourcePortOf } from '../action.ts'
import {
  DROP_BLACKHOLE, DROP_ENI_NOT_HERE, DROP_GATEWAY_DOWN, DROP_NO_MAPPING, DROP_NONE,
  DROP_PEER_TRANSIT
} from '../drop_reason.ts'
import { NAT_INWARD } from '../hyperplane/nat_counts.ts'
import type { PacketContext } from '../packet.ts'
import { shardSlot } from '../tables/host_table.ts'
import { RESOLVED_FOUND, RESOLVED_NOBODY } from '../tables/resolved_table.ts'
import type { Tables } from '../tables/tables.ts'
import { GATEWAY_AT_MTU, GATEWAY_AT_SENDERS, HOST_GROUP_ANY } from '../tables/update.ts'
import { findGateway } from '../tables/vpc_table.ts'
import { finishHash } from '../tables/word_table.ts'
import { farVpcIndex, reachesPeer } from './peering.ts'

/** Not a drop: the packet waits for the mapping of its destination address. */
export const WAIT_FOR_ADDRESS = -1
/** Not a drop: the packet waits for the place of the ENI `targetEniHigh/Low`. */
export const WAIT_FOR_ENI = -2

/** Finds `mapping` and chooses the action. @returns DROP_*, WAIT_FOR_ADDRESS or WAIT_FOR_ENI */
export function findMapping (p: PacketContext, tables: Tables): number {
  const outcome = findPlace(p, tables)
  if (outcome !== DROP_NONE) return outcome
  const host = pickHost(p, tables, p.mapping.hostIndex)
  if (host === 0) return DROP_GATEWAY_DOWN
  if (host !== tables.hostIndex) {
    if (!tables.hosts.has(host)) return DROP_NO_MAPPING
    p.action = ACTION_ENCAPSULATE
    p.target = host
    return DROP_NONE
  }
  const port = tables.ports.findEni(p.mapping.eniHigh, p.mapping.eniLow)
  if (port === 0 || tables.ports.vpcIndex[port] !== farVpcIndex(p)) return DROP_ENI_NOT_HERE
  p.action = ACTION_DELIVER
  p.target = port
  return DROP_NONE
}

function findPlace (p: PacketContext, tables: Tables): number {
  if (p.isRoutedToGateway !== 0) return findGatewayPlace(p, tables)
  return p.isRoutedToEni === 0 ? findByAddress(p, tables) : findEniMapping(p, tables)
}

function findGatewayPlace (p: PacketContext, tables: Tables): number {
  const vpc = tables.vpcs.get(p.vpcIndex)
  if (vpc === undefined) return DROP_NO_MAPPING
  const at = findGateway(vpc, p.targetEniHigh, p.targetEniLow, p.mapping)
  if (at < 0) return DROP_BLACKHOLE // gone, and the route not heard of it yet
  p.gatewayMtu = vpc.gateways[at + GATEWAY_AT_MTU]
  return DROP_NONE
}

/**
 * The host that serves the packet at a place. The outside end of a flow, by which a shard is
 * entered, is the destination of what goes out through the resource, and the source of what comes
 * to an address of its own.
 * @param place a host, which is the answer, or a group
 * @returns 0 when the group has no member
 */
export function pickHost (p: PacketContext, tables: Tables, place: number): number {
  const { hosts } = tables
  const kind = hosts.groupKind[place]
  if (kind === 0) return place
  const members = hosts.members(place)
  if (members.length === 0) return 0
  if (kind === HOST_GROUP_ANY) {
    if (hosts.holds(place, tables.hostIndex)) return tables.hostIndex
    return members[(finishHash(sourcePortOf(p)) >>> 0) % members.length]
  }
  const { eniHigh, eniLow } = p.mapping
  const isIcmp = p.protocol === PROTOCOL_ICMP || p.protocol === PROTOCOL_ICMPV6
  const isOutward = (p.isRoutedToEni !== 0 || p.isRoutedToGateway !== 0) &&
    p.natDirection !== NAT_INWARD
  if (isOutward && isNat64Words(p.dst0, p.dst1, p.dst2)) { // as its answers will be: IPv4
    return members[shardSlot(0, 0, IPV4_MAPPED_WORD, p.dst3, isIcmp ? 0 : p.ports & 0xffff,
      protocolInIpv4(p.protocol), eniHigh, eniLow, members.length)]
  }
  const slot = isOutward
    ? shardSlot(p.dst0, p.dst1, p.dst2, p.dst3, isIcmp ? 0 : p.ports & 0xffff, p.protocol,
      eniHigh, eniLow, members.length)
    : shardSlot(p.src0, p.src1, p.src2, p.src3, isIcmp ? 0 : p.ports >>> 16, p.protocol,
      eniHigh, eniLow, members.length)
  return members[slot]
}

/** Finds where the destination address lives. @returns DROP_* or WAIT_FOR_ADDRESS */
export function findByAddress (p: PacketContext, tables: Tables): number {
  const vpcIndex = farVpcIndex(p)
  const vpc = tables.vpcs.get(vpcIndex)
  if (vpc === undefined) return DROP_NO_MAPPING
  if (!reachesPeer(p, vpc.blocks)) return DROP_PEER_TRANSIT
  if (vpc.mappings.find(p.dst0, p.dst1, p.dst2, p.dst3, p.mapping)) return DROP_NONE
  if (vpc.mappingsComplete) return DROP_NO_MAPPING
  const resolved = tables.resolved.findAddress(
    vpcIndex, p.dst0, p.dst1, p.dst2, p.dst3, tables.flows.nowTick, p.mapping)
  if (resolved === RESOLVED_FOUND) return DROP_NONE
  return resolved === RESOLVED_NOBODY ? DROP_NO_MAPPING : WAIT_FOR_ADDRESS
}

/**
 * Finds where the ENI `targetEniHigh/Low` of the VPC lives, or who may send as the gateway of that
 * id. Gateways of a peer VPC are not looked for: nothing crosses a peering from or to them.
 * @returns DROP_* or WAIT_FOR_ENI
 */
export function findEniMapping (p: PacketContext, tables: Tables): number {
  const vpcIndex = farVpcIndex(p)
  const vpc = tables.vpcs.get(vpcIndex)
  if (vpc === undefined) return DROP_NO_MAPPING
  if (vpc.mappings.findEni(p.targetEniHigh, p.targetEniLow, p.mapping)) return DROP_NONE
  const gateway = p.peerVpcIndex === 0
    ? findGateway(vpc, p.targetEniHigh, p.targetEniLow, p.mapping) : -1
  if (gateway >= 0) {
    p.mapping.hostIndex = vpc.gateways[gateway + GATEWAY_AT_SENDERS]
    return DROP_NONE
  }
  if (vpc.mappingsComplete) return DROP_NO_MAPPING
  const resolved = tables.resolved.findEni(
    vpcIndex, p.targetEniHigh, p.targetEniLow, tables.flows.nowTick, p.mapping)
  if (resolved === RESOLVED_FOUND) return DROP_NONE
  return resolved === RESOLVED_NOBODY ? DROP_NO_MAPPING : WAIT_FOR_ENI
}
