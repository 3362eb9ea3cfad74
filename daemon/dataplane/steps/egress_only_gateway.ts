/**
 * The egress-only internet gateway, systems 4.4: a HyperPlane resource whose flows keep their
 * addresses (steps/hyperplane.ts). Every edge takes up what comes for it and hands it to the node
 * that owns the flow's slot.
 *
 * A VPC may have an internet gateway, too. What comes from outside then takes the way by which the
 * subnet of its destination would answer: the egress-only gateway where that subnet's route to the
 * sender leads there, so that nothing can be opened towards the subnet; the internet gateway
 * otherwise.
 */
import { IPV6_VERSION } from '../../wire/ipv6.ts'
import { DROP_NAT_PROTOCOL, DROP_NONE } from '../drop_reason.ts'
import { NAT_INWARD, NAT_NONE } from '../hyperplane/nat_counts.ts'
import type { PacketContext } from '../packet.ts'
import type { Tables } from '../tables/tables.ts'
import { PORT_KIND_EGRESS_ONLY, TARGET_GATEWAY } from '../tables/update.ts'
import { findByAddress, findMapping } from './mapping.ts'

/** @returns DROP_NONE, or DROP_NAT_PROTOCOL for IPv4 */
export function checkIsIpv6 (p: PacketContext): number {
  return p.version === IPV6_VERSION ? DROP_NONE : DROP_NAT_PROTOCOL
}

/** Whether the packet is for an address of the VPC: it comes from outside. */
export function isForVpc (p: PacketContext, tables: Tables): boolean {
  return tables.publicAddresses.findIpv6(p.dst0, p.dst1, p.dst2, p.dst3) === p.vpcIndex
}

/**
 * By which gateway of VPC `vpcIndex` a packet from outside enters: `portIndex`. Precondition: it is
 * the one that takePrivateDestination found.
 * @returns DROP_NONE or WAIT_FOR_ADDRESS
 */
export function chooseEntrance (p: PacketContext, tables: Tables): number {
  const { ports } = tables
  const gateway = p.version === IPV6_VERSION
    ? ports.gatewayOf(p.vpcIndex, PORT_KIND_EGRESS_ONLY) : 0
  if (gateway === 0 || gateway === p.portIndex) return DROP_NONE
  const outcome = findByAddress(p, tables)
  // Nobody's address: the route table of the internet gateway may know better.
  if (outcome !== DROP_NONE) return outcome < 0 ? outcome : DROP_NONE
  const subnet = tables.subnets.get(p.mapping.subnetIndex)
  const table = subnet === undefined ? undefined : tables.routeTable(subnet.routeTableIndex)
  if (table === undefined) return DROP_NONE
  const route = table.find(p.src0, p.src1, p.src2, p.src3)
  if (route < 0 || table.targetKind[route] !== TARGET_GATEWAY) return DROP_NONE
  const target = table.targetArgument[route] * 2
  if (table.targetEnis[target] === ports.eniHigh[gateway] &&
    table.targetEnis[target + 1] === ports.eniLow[gateway]) p.portIndex = gateway
  return DROP_NONE
}

/** Finds the node that owns the slot of a packet from outside. @returns as findMapping */
export function findOwner (p: PacketContext, tables: Tables): number {
  const { ports } = tables
  p.isRoutedToEni = 0
  p.isRoutedToGateway = 1
  p.targetEniHigh = ports.eniHigh[p.portIndex]
  p.targetEniLow = ports.eniLow[p.portIndex]
  p.natDirection = NAT_INWARD
  const outcome = findMapping(p, tables)
  p.natDirection = NAT_NONE // it is counted where the flow is
  return outcome
}
