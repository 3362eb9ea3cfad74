/**
 * Where the next hop lives: (VPC, address) or (VPC, ENI) → host and ENI, systems 2.3. A VPC whose
 * mappings are all here answers at once; otherwise the packet may have to wait for an answer of
 * control (parking.ts). An unmapped destination is dropped: nothing is flooded.
 */
import { ACTION_DELIVER, ACTION_ENCAPSULATE } from '../action.ts'
import {
  DROP_ENI_NOT_HERE, DROP_NO_MAPPING, DROP_NONE, DROP_PEER_TRANSIT
} from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'
import { RESOLVED_FOUND, RESOLVED_NOBODY } from '../tables/resolved_table.ts'
import type { Tables } from '../tables/tables.ts'
import { farVpcIndex, reachesPeer } from './peering.ts'

/** Not a drop: the packet waits for the mapping of its destination address. */
export const WAIT_FOR_ADDRESS = -1
/** Not a drop: the packet waits for the place of the ENI `targetEniHigh/Low`. */
export const WAIT_FOR_ENI = -2

/** Finds `mapping` and chooses the action. @returns DROP_*, WAIT_FOR_ADDRESS or WAIT_FOR_ENI */
export function findMapping (p: PacketContext, tables: Tables): number {
  const outcome = p.isRoutedToEni === 0 ? findByAddress(p, tables) : findEniMapping(p, tables)
  if (outcome !== DROP_NONE) return outcome
  if (p.mapping.hostIndex !== tables.hostIndex) {
    if (!tables.hosts.has(p.mapping.hostIndex)) return DROP_NO_MAPPING
    p.action = ACTION_ENCAPSULATE
    p.target = p.mapping.hostIndex
    return DROP_NONE
  }
  const port = tables.ports.findEni(p.mapping.eniHigh, p.mapping.eniLow)
  if (port === 0 || tables.ports.vpcIndex[port] !== farVpcIndex(p)) return DROP_ENI_NOT_HERE
  p.action = ACTION_DELIVER
  p.target = port
  return DROP_NONE
}

function findByAddress (p: PacketContext, tables: Tables): number {
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
 * Finds where the ENI `targetEniHigh/Low` of the VPC lives. @returns DROP_* or WAIT_FOR_ENI
 */
export function findEniMapping (p: PacketContext, tables: Tables): number {
  const vpcIndex = farVpcIndex(p)
  const vpc = tables.vpcs.get(vpcIndex)
  if (vpc === undefined) return DROP_NO_MAPPING
  if (vpc.mappings.findEni(p.targetEniHigh, p.targetEniLow, p.mapping)) return DROP_NONE
  if (vpc.mappingsComplete) return DROP_NO_MAPPING
  const resolved = tables.resolved.findEni(
    vpcIndex, p.targetEniHigh, p.targetEniLow, tables.flows.nowTick, p.mapping)
  if (resolved === RESOLVED_FOUND) return DROP_NONE
  return resolved === RESOLVED_NOBODY ? DROP_NO_MAPPING : WAIT_FOR_ENI
}
