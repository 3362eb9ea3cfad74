/**
 * A packet's life, step by step: the slow path. The order is AWS's (systems 2.7;
 * docs/packet_life.md has the exit of each step), and each step is a file of `steps/`. The result
 * is a reason to drop, a mapping to wait for, or an action in the packet's context. Nothing is sent
 * and no flow is touched here, so the same code explains a packet (`vpcctl trace`) without moving
 * it.
 *
 *     egress    runEgressPath         from an ENI to its next hop; then, if that is on this host,
 *               runLocalIngressPath   the receiver's side, as if it had come from another host
 *     ingress   runIngressPath        from the underlay to an ENI
 *
 * The places of the policy steps (they come with security groups and network ACLs) are where a
 * comment says so: a policy step returns its DROP_* like any other.
 */
import { ECN_MASK } from '../encap/ecn.ts'
import { ACTION_DELIVER, ACTION_NONE } from './action.ts'
import { PORT_NONE } from './counters.ts'
import { DROP_NONE, DROP_PORT_UNKNOWN } from './drop_reason.ts'
import type { PacketContext } from './packet.ts'
import { combineCongestion } from './steps/congestion.ts'
import { checkDestination, checkReceiver } from './steps/destination_check.ts'
import { checkDestinationScope } from './steps/destination_scope.ts'
import { findMapping } from './steps/mapping.ts'
import { checkMtu } from './steps/mtu.ts'
import { parsePacket } from './steps/parse.ts'
import { findRoute } from './steps/route.ts'
import { decideSameSubnet } from './steps/same_subnet.ts'
import { checkSource } from './steps/source_check.ts'
import { checkTtl } from './steps/ttl.ts'
import { checkSender, findReceiver, readVpcHeader } from './steps/vpc_header.ts'
import type { Tables } from './tables/tables.ts'

/**
 * From the ENI `p.portIndex` to its next hop.
 * Precondition: the context was loaded, `at` is the IP header.
 * @returns DROP_NONE with `action`, `target`, `mapping`, `mtu` set; a DROP_*; or WAIT_FOR_*
 */
export function runEgressPath (p: PacketContext, tables: Tables, view: DataView): number {
  forgetDecisions(p)
  if (tables.ports.present[p.portIndex] === 0) return DROP_PORT_UNKNOWN
  p.vpcIndex = tables.ports.vpcIndex[p.portIndex]
  let drop = parsePacket(p, view)
  if (drop !== DROP_NONE) return drop
  // (1) Place of the link-local services: DHCP, DNS, metadata, time.
  drop = checkDestinationScope(p)
  if (drop !== DROP_NONE) return drop
  drop = checkSource(p, tables.ports) // (2)
  if (drop !== DROP_NONE) return drop
  // (3) Place of the connection table and the security groups of the ENI, outbound.
  drop = decideSameSubnet(p, tables) // (5)
  if (drop !== DROP_NONE) return drop
  if (p.isSameSubnet === 0) {
    // (6) Place of the network ACL of the subnet, outbound.
    drop = findRoute(p, tables) // (7)
    if (drop !== DROP_NONE) return drop
  }
  const outcome = findMapping(p, tables) // (8)
  if (outcome !== DROP_NONE) return outcome
  drop = checkTtl(p)
  if (drop !== DROP_NONE) return drop
  return checkMtu(p, tables)
}

/**
 * The receiver's side of a packet that stays on this host: the same rules as for one that came by
 * the underlay. Precondition: runEgressPath chose ACTION_DELIVER. Afterwards `portIndex` is the
 * receiver.
 */
export function runLocalIngressPath (p: PacketContext, tables: Tables): number {
  const { ports } = tables
  p.sourceHostIndex = 0
  p.sourceEniHigh = ports.eniHigh[p.portIndex]
  p.sourceEniLow = ports.eniLow[p.portIndex]
  p.isSameSubnet = ports.subnetIndex[p.portIndex] === ports.subnetIndex[p.target] ? 1 : 0
  p.ecn = p.trafficClass & ECN_MASK
  p.portIndex = p.target
  return enterPort(p, tables)
}

/**
 * From the underlay to an ENI of this host.
 * Precondition: the context was loaded, `at` is the VPC header. `portIndex` is the receiver as soon
 * as it is known.
 * @returns DROP_NONE with `action` and `target` set; a DROP_*; or WAIT_FOR_ENI
 */
export function runIngressPath (p: PacketContext, tables: Tables, view: DataView): number {
  forgetDecisions(p)
  p.portIndex = PORT_NONE
  let outcome = readVpcHeader(p, view)
  if (outcome !== DROP_NONE) return outcome
  outcome = findReceiver(p, tables)
  if (outcome !== DROP_NONE) return outcome
  outcome = checkSender(p, tables, view)
  if (outcome !== DROP_NONE) return outcome
  outcome = parsePacket(p, view)
  if (outcome !== DROP_NONE) return outcome
  outcome = combineCongestion(p)
  if (outcome !== DROP_NONE) return outcome
  p.action = ACTION_DELIVER
  p.target = p.portIndex
  return enterPort(p, tables)
}

function enterPort (p: PacketContext, tables: Tables): number {
  // (10) Place of the network ACL of the subnet, inbound; not when `isSameSubnet`.
  const drop = checkDestination(p, tables.ports) // (11)
  if (drop !== DROP_NONE) return drop
  // (12) Place of the connection table and the security groups of the ENI, inbound.
  return checkReceiver(p, tables.ports) // (14)
}

function forgetDecisions (p: PacketContext): void {
  p.action = ACTION_NONE
  p.isSameSubnet = 0
  p.isRoutedToEni = 0
  p.decrementTtl = 0
  p.mustFragment = 0
  p.mtu = 0
}
