/**
 * A packet's life, step by step: the slow path. The order is AWS's (systems 2.7;
 * docs/packet_life.md has the exit of each step), and each step is a file of `steps/`. The result
 * is a reason to drop, a mapping to wait for, or an action in the packet's context. Nothing is sent
 * and no flow is touched here, so the same code explains a packet (`vpcctl trace`) without moving
 * it.
 *
 *     egress    runEgressPath         from an ENI to its next hop; then, if that is on this host,
 *               runLocalIngressPath   the receiver's side, as if it had come from another host
 *     ingress   runIngressPath        from the underlay to an ENI, or on to the host that it has
 *                                     moved to, or to a gateway of this host, whose steps follow
 *                                     by its kind:
 *               runInternetGatewayPath    to the internet, or back to another public address
 *               runHyperplanePath         through a NAT gateway, either way
 *               runEgressOnlyPath         through an egress-only internet gateway, either way
 *               chooseTunnel              from a virtual private gateway into a VPN tunnel
 *     uplink    runUplinkPath         from the internet to its VPC
 *     tunnel    runTunnelPath         from a VPN tunnel to its VPC, or into another tunnel
 */
import { ECN_MASK } from '../encap/ecn.ts'
import { FLAG_MIRRORED } from '../encap/geneve.ts'
import { ACTION_DELIVER, ACTION_NONE } from './action.ts'
import { PORT_NONE } from './counters.ts'
import { DROP_NONE, DROP_PORT_UNKNOWN, DROP_TOO_BIG } from './drop_reason.ts'
import { NAT_INWARD, NAT_NONE, NAT_OUTWARD } from './hyperplane/nat_counts.ts'
import type { HyperplaneNode } from './hyperplane/node.ts'
import { SERVICE_NONE } from './link_local_service.ts'
import type { PacketContext } from './packet.ts'
import { combineCongestion } from './steps/congestion.ts'
import { checkDestination, checkReceiver } from './steps/destination_check.ts'
import { checkDestinationScope } from './steps/destination_scope.ts'
import { checkIsIpv6, chooseEntrance, findOwner, isForVpc } from './steps/egress_only_gateway.ts'
import { checkForwarder, followMove } from './steps/forward.ts'
import { followFragments } from './steps/fragment.ts'
import {
  checkInternetDestination, checkInternetSource, leaveForInternet, takePrivateDestination,
  takePublicSource
} from './steps/internet_gateway.ts'
import { checkCarried, isInward, takeInward, takeOutward } from './steps/hyperplane.ts'
import { enterService, findService } from './steps/link_local_service.ts'
import { findMapping } from './steps/mapping.ts'
import { chooseMirror, MIRROR_NONE } from './steps/mirror.ts'
import { checkMtu } from './steps/mtu.ts'
import { checkFamily } from './steps/nat64.ts'
import { checkEnteringSubnet, checkLeavingSubnet } from './steps/network_acl.ts'
import { parsePacket } from './steps/parse.ts'
import { checkPeering } from './steps/peering.ts'
import { findIngressRoute, findRoute } from './steps/route.ts'
import { decideSameSubnet } from './steps/same_subnet.ts'
import { checkInbound, checkOutbound } from './steps/security_group.ts'
import { checkSource } from './steps/source_check.ts'
import { checkTtl } from './steps/ttl.ts'
import { checkSender, findReceiver, readVpcHeader } from './steps/vpc_header.ts'
import { checkTunnelSource, chooseTunnel, isOfVpc } from './steps/vpn_gateway.ts'
import { EGRESS, INGRESS } from './tables/flow_layout.ts'
import { NAT_AT_ENI } from './tables/nat_layout.ts'
import type { Tables } from './tables/tables.ts'
import {
  PORT_KIND_EGRESS_ONLY, PORT_KIND_ENI, PORT_KIND_INTERNET_GATEWAY, PORT_KIND_NAT_GATEWAY,
  PORT_KIND_VPN_GATEWAY
} from './tables/update.ts'

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
  const service = findService(p, tables, view) // (1)
  if (service !== SERVICE_NONE) return enterService(p, tables, service)
  drop = checkDestinationScope(p)
  if (drop !== DROP_NONE) return drop
  drop = checkSource(p, tables.ports) // (2)
  if (drop !== DROP_NONE) return drop
  followFragments(p, tables, view)
  drop = checkOutbound(p, tables, view) // (3)
  if (drop !== DROP_NONE) return drop
  chooseMirror(p, tables, EGRESS) // (4)
  drop = decideSameSubnet(p, tables) // (5)
  if (drop !== DROP_NONE) return drop
  if (p.isSameSubnet === 0) {
    drop = checkLeavingSubnet(p, tables) // (6)
    if (drop !== DROP_NONE) return drop
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
export function runLocalIngressPath (p: PacketContext, tables: Tables, view: DataView): number {
  const { ports } = tables
  p.sourceHostIndex = 0
  p.sourceEniHigh = ports.eniHigh[p.portIndex]
  p.sourceEniLow = ports.eniLow[p.portIndex]
  p.isSameSubnet = ports.subnetIndex[p.portIndex] === ports.subnetIndex[p.target] ? 1 : 0
  p.ecn = p.trafficClass & ECN_MASK
  const senderVpcIndex = p.vpcIndex
  p.portIndex = p.target
  p.vpcIndex = ports.vpcIndex[p.portIndex]
  p.peerVpcIndex = senderVpcIndex === p.vpcIndex ? 0 : senderVpcIndex
  p.mirrorSession = MIRROR_NONE
  forgetRules(p)
  const drop = checkPeering(p, tables)
  if (drop !== DROP_NONE) return drop
  return enterByKind(p, tables, view)
}

/**
 * A copy of a mirrored packet, from its source `p.portIndex` to its next hop: the routes of the
 * source's subnet alone. Precondition: the context describes the copy's outer headers.
 * @returns as runEgressPath
 */
export function runCopyPath (p: PacketContext, tables: Tables): number {
  forgetDecisions(p)
  p.isCopy = 1
  let drop = decideSameSubnet(p, tables) // (5)
  if (drop !== DROP_NONE) return drop
  if (p.isSameSubnet === 0) {
    drop = findRoute(p, tables) // (7)
    if (drop !== DROP_NONE) return drop
  }
  const outcome = findMapping(p, tables) // (8)
  return outcome === DROP_NONE ? checkTtl(p) : outcome
}

/**
 * From the underlay to an ENI of this host, or after one that has left it.
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
  if (outcome !== DROP_NONE) {
    return p.portIndex === PORT_NONE ? followMove(p, tables, view, outcome) : outcome
  }
  outcome = checkForwarder(p, tables, view)
  if (outcome !== DROP_NONE) return outcome
  outcome = checkSender(p, tables, view)
  if (outcome !== DROP_NONE) return outcome
  outcome = parsePacket(p, view)
  if (outcome !== DROP_NONE) return outcome
  outcome = checkPeering(p, tables)
  if (outcome !== DROP_NONE) return outcome
  if ((p.geneve.flags & FLAG_MIRRORED) !== 0) markAsCopy(p)
  outcome = combineCongestion(p)
  if (outcome !== DROP_NONE) return outcome
  p.isFromUnderlay = 1
  p.action = ACTION_DELIVER
  p.target = p.portIndex
  return enterByKind(p, tables, view)
}

/**
 * From the internet to the VPC that has the destination. Precondition: the context was loaded, `at`
 * is the IP header. `portIndex` is the gateway of the VPC as soon as it is known.
 * @returns as runEgressPath
 */
export function runUplinkPath (p: PacketContext, tables: Tables, view: DataView): number {
  forgetDecisions(p)
  p.portIndex = PORT_NONE
  let drop = parsePacket(p, view)
  if (drop !== DROP_NONE) return drop
  drop = checkInternetSource(p)
  if (drop !== DROP_NONE) return drop
  drop = takePrivateDestination(p, tables)
  if (drop !== DROP_NONE) return drop
  followFragments(p, tables, view) // a shard is picked by ports
  return enterVpc(p, tables)
}

/**
 * From a VPN tunnel of the gateway `gateway` into its VPC, or into another tunnel. Precondition:
 * the context was loaded, `at` is the inner IP header.
 * @param gateway its port; PORT_NONE: it is gone
 * @returns as runEgressPath
 */
export function runTunnelPath (
  p: PacketContext, gateway: number, tables: Tables, view: DataView): number {
  forgetDecisions(p)
  p.portIndex = gateway
  if (gateway === PORT_NONE) return DROP_PORT_UNKNOWN
  p.vpcIndex = tables.ports.vpcIndex[gateway]
  let drop = parsePacket(p, view)
  if (drop !== DROP_NONE) return drop
  drop = checkDestinationScope(p)
  if (drop !== DROP_NONE) return drop
  drop = checkTunnelSource(p, tables)
  if (drop !== DROP_NONE) return drop
  followFragments(p, tables, view)
  if (isOfVpc(p, tables)) return enterVpc(p, tables)
  // From site to site, as a hub does.
  drop = checkTtl(p)
  return drop === DROP_NONE ? chooseTunnel(p, tables) : drop
}

/** What the receiving port is decides what follows. */
function enterByKind (p: PacketContext, tables: Tables, view: DataView): number {
  switch (tables.ports.kind[p.portIndex]) {
    case PORT_KIND_ENI: return enterPort(p, tables, view)
    case PORT_KIND_INTERNET_GATEWAY: return runInternetGatewayPath(p, tables)
    case PORT_KIND_NAT_GATEWAY: return runHyperplanePath(p, tables, view)
    case PORT_KIND_EGRESS_ONLY: return runEgressOnlyPath(p, tables, view)
    case PORT_KIND_VPN_GATEWAY: return chooseTunnel(p, tables)
    default: return DROP_PORT_UNKNOWN // a kind of gateway that this worker does not know
  }
}

/**
 * From the VPC to the internet: the packet has come to the gateway `portIndex`.
 * @returns as runEgressPath
 */
function runInternetGatewayPath (p: PacketContext, tables: Tables): number {
  p.action = ACTION_NONE
  let drop = checkInternetDestination(p)
  if (drop !== DROP_NONE) return drop
  drop = takePublicSource(p, tables)
  if (drop !== DROP_NONE) return drop
  // Out and back: the other one sees the public address of the sender.
  if (takePrivateDestination(p, tables) === DROP_NONE) return enterVpc(p, tables)
  return leaveForInternet(p, tables)
}

/**
 * Through the NAT gateway `portIndex`, as an ENI of its subnet: that subnet's ACL and routes hold
 * for what it receives and sends. It has no security group.
 * @returns as runEgressPath, or WAIT_FOR_COPY, WAIT_FOR_SHARD
 */
function runHyperplanePath (p: PacketContext, tables: Tables, view: DataView): number {
  const node = tables.hyperplane
  if (node === null) return DROP_PORT_UNKNOWN
  p.action = ACTION_NONE
  followFragments(p, tables, view)
  let drop = checkCarried(p)
  if (drop !== DROP_NONE) return drop
  drop = checkFamily(p, view)
  if (drop !== DROP_NONE) return drop
  if (p.isSameSubnet === 0) drop = checkEnteringSubnet(p, tables)
  if (drop !== DROP_NONE) return drop
  const isReturning = isInward(p, tables)
  p.natDirection = isReturning ? NAT_INWARD : NAT_OUTWARD
  const outcome = isReturning ? takeInward(p, tables, node, view)
    : takeOutward(p, tables, node, view)
  if (outcome !== DROP_NONE) return outcome
  return leaveHyperplane(p, tables, node, isReturning)
}

/** Onward to the destination, or back to the ENI that opened the flow. */
function leaveHyperplane (
  p: PacketContext, tables: Tables, node: HyperplaneNode, isReturning: boolean
): number {
  p.isRoutedToEni = 0
  p.isRoutedToGateway = 0
  let drop = decideWayOut(p, tables, isReturning)
  if (drop !== DROP_NONE) return drop
  if (isReturning) {
    p.isRoutedToEni = 1
    p.targetEniHigh = node.table.words[p.natAt + NAT_AT_ENI]
    p.targetEniLow = node.table.words[p.natAt + NAT_AT_ENI + 1]
  }
  const outcome = findMapping(p, tables)
  if (outcome !== DROP_NONE) return outcome
  drop = checkTtl(p)
  if (drop !== DROP_NONE) return drop
  drop = checkMtu(p, tables)
  return p.mustFragment !== 0 && p.run !== 0 ? DROP_TOO_BIG : drop
}

/** By the ACL of the gateway's subnet, and by its routes, which a returning packet needs not. */
function decideWayOut (p: PacketContext, tables: Tables, isReturning: boolean): number {
  let drop = decideSameSubnet(p, tables)
  if (drop !== DROP_NONE || p.isSameSubnet !== 0) return drop
  drop = checkLeavingSubnet(p, tables)
  return drop === DROP_NONE && !isReturning ? findRoute(p, tables) : drop
}

/**
 * What the NAT gateway `portIndex` says itself, to somebody outside. Precondition: the context was
 * loaded, `at` is the IP header.
 * @returns as runEgressPath
 */
export function runGatewayAnswerPath (
  p: PacketContext, tables: Tables, view: DataView
): number {
  forgetDecisions(p)
  let drop = parsePacket(p, view)
  if (drop !== DROP_NONE) return drop
  drop = decideWayOut(p, tables, false)
  if (drop !== DROP_NONE) return drop
  const outcome = findMapping(p, tables)
  return outcome === DROP_NONE ? checkTtl(p) : outcome
}

/**
 * Through the egress-only internet gateway `portIndex`: out to the internet, or back to the ENI
 * that opened the flow. Addresses stay as they are.
 * @returns as runHyperplanePath
 */
function runEgressOnlyPath (p: PacketContext, tables: Tables, view: DataView): number {
  const node = tables.hyperplane
  if (node === null) return DROP_PORT_UNKNOWN
  p.action = ACTION_NONE
  let drop = checkIsIpv6(p)
  if (drop !== DROP_NONE) return drop
  followFragments(p, tables, view)
  drop = checkCarried(p)
  if (drop !== DROP_NONE) return drop
  if (isForVpc(p, tables)) return comeBackIn(p, tables, node, view)
  drop = checkInternetDestination(p)
  if (drop !== DROP_NONE) return drop
  drop = takePublicSource(p, tables)
  if (drop !== DROP_NONE) return drop
  const outcome = takeOutward(p, tables, node, view)
  if (outcome !== DROP_NONE) return outcome
  if (takePrivateDestination(p, tables) === DROP_NONE) return enterVpc(p, tables)
  return leaveForInternet(p, tables)
}

function comeBackIn (
  p: PacketContext, tables: Tables, node: HyperplaneNode, view: DataView
): number {
  let outcome = takeInward(p, tables, node, view)
  if (outcome !== DROP_NONE) return outcome
  p.isSameSubnet = 0
  p.isRoutedToGateway = 0
  p.isRoutedToEni = 1
  p.targetEniHigh = node.table.words[p.natAt + NAT_AT_ENI]
  p.targetEniLow = node.table.words[p.natAt + NAT_AT_ENI + 1]
  outcome = findMapping(p, tables)
  if (outcome !== DROP_NONE) return outcome
  const expired = checkTtl(p)
  return expired === DROP_NONE ? checkMtu(p, tables) : expired
}

/** By a gateway into its VPC: `portIndex`, or its other one. @returns as runEgressPath */
function enterVpc (p: PacketContext, tables: Tables): number {
  p.isSameSubnet = 0
  const chosen = chooseEntrance(p, tables)
  if (chosen !== DROP_NONE) return chosen
  if (tables.ports.kind[p.portIndex] === PORT_KIND_EGRESS_ONLY) {
    const found = findOwner(p, tables)
    return found === DROP_NONE ? checkMtu(p, tables) : found
  }
  const drop = findIngressRoute(p, tables) // (9)
  if (drop !== DROP_NONE) return drop
  const outcome = findMapping(p, tables)
  if (outcome !== DROP_NONE) return outcome
  const expired = checkTtl(p)
  if (expired !== DROP_NONE) return expired
  const tooBig = checkMtu(p, tables)
  // A run from the underlay is not cut up here: its sender knew the gateway's MTU.
  return p.mustFragment !== 0 && p.isFromUnderlay !== 0 ? DROP_TOO_BIG : tooBig
}

function enterPort (p: PacketContext, tables: Tables, view: DataView): number {
  followFragments(p, tables, view)
  let drop = p.isSameSubnet === 0 ? checkEnteringSubnet(p, tables) : DROP_NONE // (10)
  if (drop !== DROP_NONE) return drop
  drop = checkDestination(p, tables.ports) // (11)
  if (drop !== DROP_NONE) return drop
  drop = checkInbound(p, tables, view) // (12)
  if (drop !== DROP_NONE) return drop
  chooseMirror(p, tables, INGRESS) // (13)
  return checkReceiver(p, tables.ports) // (14)
}

/** Copies are no part of a conversation: none is looked for, none is kept. */
function markAsCopy (p: PacketContext): void {
  p.isCopy = 1
  p.hasConnection = 0
  p.isFlow = 0
}

function forgetDecisions (p: PacketContext): void {
  p.mirrorSession = MIRROR_NONE
  p.isCopy = 0
  p.action = ACTION_NONE
  p.isSameSubnet = 0
  p.isRoutedToEni = 0
  p.peerVpcIndex = 0
  p.isRoutedToGateway = 0
  p.gatewayMtu = 0
  p.rewrites = 0
  p.gainBytes = 0
  p.isFromUnderlay = 0
  p.natAt = -1
  p.natDirection = NAT_NONE
  p.decrementTtl = 0
  p.mustFragment = 0
  p.mtu = 0
  p.connectionAt = -1
  p.relatedAt = -1
  p.isTracked = 0
  forgetRules(p)
}

/** What decides, for who explains a packet (explain/): each side of a packet has its own. */
function forgetRules (p: PacketContext): void {
  p.groupRule = -1
  p.aclRule = -1
  p.route = -1
}
