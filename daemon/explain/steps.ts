/**
 * The steps of one side in the order of docs/packet_life.md, told from what they have left in the
 * packet's context: up to the one that dropped it, or all of them.
 */
import { isGatewayId } from '../compile/gateway_port.ts'
import { ACTION_SEAL, ACTION_UPLINK } from '../dataplane/action.ts'
import {
  DROP_BLACKHOLE, DROP_CONGESTION_MARK, DROP_DESTINATION_CHECK, DROP_ENI_NOT_HERE,
  DROP_FRAGMENT_INVALID, DROP_GATEWAY_DOWN, DROP_GENEVE_CRITICAL_OPTION, DROP_GENEVE_MALFORMED,
  DROP_GENEVE_VERSION, DROP_LINK_LOCAL, DROP_MALFORMED, DROP_MARTIAN, DROP_MULTICAST,
  DROP_NAT_CAPACITY, DROP_NAT_FRAGMENT, DROP_NAT_IDLE, DROP_NAT_NO_FLOW, DROP_NAT_PROTOCOL,
  DROP_NAT_TABLE_FULL, DROP_NETWORK_ACL_EGRESS, DROP_NETWORK_ACL_INGRESS, DROP_NONE,
  DROP_NO_MAPPING, DROP_NO_PUBLIC_ADDRESS, DROP_NO_ROUTE, DROP_PARTITIONED, DROP_PEER_TRANSIT,
  DROP_PORT_ALLOCATION,
  DROP_PORT_CLOSED, DROP_PORT_UNKNOWN, DROP_PUBLIC_ADDRESS_UNKNOWN, DROP_REASONS,
  DROP_SECURITY_GROUP_EGRESS, DROP_SECURITY_GROUP_INGRESS, DROP_SERVICE_SPOOFED, DROP_SOURCE_HOST,
  DROP_SOURCE_SPOOFED, DROP_TOO_BIG, DROP_TTL_EXPIRED, DROP_VNI_MISMATCH, DROP_VNI_UNKNOWN,
  DROP_VPN_NO_ROUTE, DROP_VPN_NO_TUNNEL, DROP_VPN_SOURCE
} from '../dataplane/drop_reason.ts'
import { ACTION_SERVICE } from '../dataplane/action.ts'
import { SERVICE_NAMES } from '../dataplane/link_local_service.ts'
import type { PacketContext } from '../dataplane/packet.ts'
import { EGRESS, INGRESS } from '../dataplane/tables/flow_layout.ts'
import { PORT_KIND_ENI } from '../dataplane/tables/update.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { routeBehind } from '../model/route_order.ts'
import { formatAddress, IPV4_MAPPED_WORD } from '../wire/address.ts'
import { protocolName } from '../wire/ip_protocol.ts'
import type { Direction, Step, StepName } from './explanation.ts'
import type { HostView } from './host_view.ts'
import { destinationOf, sourceOf } from './made_packet.ts'
import type { PacketFields } from './made_packet.ts'
import {
  aclEntryText, groupRuleText, impairmentText, labelOf, targetText, trafficText
} from './words.ts'

/** A side whose steps have run. */
export interface Passed {
  readonly view: HostView
  readonly snapshot: Snapshot
  readonly eni: string
  readonly direction: Direction
  readonly packet: PacketFields
  readonly p: PacketContext
  /** DROP_NONE, a reason, or below 0 where a mapping could not be had. */
  readonly drop: number
  /** The host that it came from over the underlay; null for this one, and on egress. */
  readonly fromHost: string | null
}

type Told = Partial<Pick<Step, 'verdict' | 'object' | 'rule'>> & Pick<Step, 'text'>

interface StepKind {
  readonly step: StepName
  /** Reasons for which it drops. */
  readonly drops: readonly number[]
  readonly tell: (side: Passed) => Told
}

const EGRESS_STEPS: readonly StepKind[] = [
  { step: 'parse', drops: [DROP_MALFORMED, DROP_FRAGMENT_INVALID, DROP_PORT_UNKNOWN],
    tell: ({ packet, p }) => ({ text: `${trafficText(packet)}, ${String(p.totalBytes)} bytes` }) },
  { step: 'scope', drops: [DROP_MULTICAST, DROP_LINK_LOCAL],
    tell: ({ packet }) => ({ text: `${packet.destination} is unicast` }) },
  { step: 'source-check', drops: [DROP_SOURCE_SPOOFED, DROP_SERVICE_SPOOFED], tell: tellSource },
  { step: 'security-groups', drops: [DROP_SECURITY_GROUP_EGRESS], tell: tellGroups },
  { step: 'same-subnet', drops: [DROP_MULTICAST], tell: tellSubnet },
  { step: 'network-acl', drops: [DROP_NETWORK_ACL_EGRESS], tell: tellAcl },
  { step: 'route', drops: [DROP_NO_ROUTE, DROP_BLACKHOLE], tell: tellRoute },
  {
    step: 'mapping',
    drops: [DROP_NO_MAPPING, DROP_ENI_NOT_HERE, DROP_PEER_TRANSIT, DROP_GATEWAY_DOWN],
    tell: tellMapping
  },
  { step: 'ttl', drops: [DROP_TTL_EXPIRED], tell: tellTtl },
  { step: 'mtu', drops: [DROP_TOO_BIG], tell: tellMtu },
  { step: 'send', drops: [DROP_PARTITIONED], tell: tellSend }
]

/** Of a packet for a service of the VPC: no other step is taken. */
const SERVICE_STEPS: readonly StepKind[] = [
  ...EGRESS_STEPS.slice(0, 1),
  { step: 'service', drops: [DROP_SOURCE_SPOOFED, DROP_LINK_LOCAL], tell: tellService }
]

const INGRESS_STEPS: readonly StepKind[] = [
  { step: 'vpc-header',
    drops: [
      DROP_GENEVE_MALFORMED, DROP_GENEVE_VERSION, DROP_GENEVE_CRITICAL_OPTION, DROP_VNI_UNKNOWN,
      DROP_ENI_NOT_HERE, DROP_VNI_MISMATCH, DROP_SOURCE_HOST, DROP_MALFORMED, DROP_FRAGMENT_INVALID,
      DROP_CONGESTION_MARK, DROP_PORT_UNKNOWN, DROP_PEER_TRANSIT
    ],
    tell: tellHeader },
  { step: 'network-acl', drops: [DROP_NETWORK_ACL_INGRESS], tell: tellAcl },
  { step: 'destination-check', drops: [DROP_DESTINATION_CHECK], tell: tellDestination },
  { step: 'security-groups', drops: [DROP_SECURITY_GROUP_INGRESS], tell: tellGroups },
  { step: 'deliver', drops: [DROP_TOO_BIG, DROP_PORT_CLOSED], tell: tellDeliver }
]

/** What becomes of the packet behind a gateway. */
const BEYOND_DROPS = [
  DROP_NO_MAPPING, DROP_ENI_NOT_HERE, DROP_TTL_EXPIRED, DROP_TOO_BIG, DROP_PORT_CLOSED,
  DROP_GATEWAY_DOWN, DROP_PARTITIONED
]

/** Out of a VPC, at its internet gateway. */
const GATEWAY_OUT_STEPS: readonly StepKind[] = [
  INGRESS_STEPS[0]!,
  { step: 'internet-scope', drops: [DROP_MARTIAN],
    tell: ({ packet, drop }) => ({ text: drop === DROP_MARTIAN
      ? `the internet does not route ${packet.destination}`
      : `the internet routes ${packet.destination}` }) },
  { step: 'public-address', drops: [DROP_NO_PUBLIC_ADDRESS], tell: tellPublicSource },
  { step: 'gateway-route', drops: [DROP_NO_ROUTE, DROP_BLACKHOLE], tell: tellGatewayRoute },
  { step: 'send', drops: BEYOND_DROPS, tell: tellBeyond }
]

/** From the internet into a VPC. */
const GATEWAY_IN_STEPS: readonly StepKind[] = [
  { step: 'parse', drops: [DROP_MALFORMED, DROP_FRAGMENT_INVALID], tell: EGRESS_STEPS[0]!.tell },
  { step: 'internet-scope', drops: [DROP_MARTIAN],
    tell: ({ packet, drop }) => ({ text: drop === DROP_MARTIAN
      ? `the internet does not route ${packet.source}`
      : `the internet routes ${packet.source}` }) },
  { step: 'public-address', drops: [DROP_PUBLIC_ADDRESS_UNKNOWN], tell: tellPublicDestination },
  { step: 'gateway-route', drops: [DROP_NO_ROUTE, DROP_BLACKHOLE], tell: tellGatewayRoute },
  { step: 'send', drops: BEYOND_DROPS, tell: tellBeyond }
]

/** Where flows are found or opened. */
const FLOW_STEPS: readonly StepKind[] = [
  { step: 'carried', drops: [DROP_NAT_PROTOCOL, DROP_NAT_FRAGMENT], tell: tellCarried },
  { step: 'flow',
    drops: [DROP_NAT_NO_FLOW, DROP_NAT_IDLE, DROP_PORT_ALLOCATION, DROP_NAT_TABLE_FULL,
      DROP_NAT_CAPACITY],
    tell: tellFlow }
]

/** Through a NAT gateway, either way: it is an ENI of its subnet, without groups. */
const NAT_STEPS: readonly StepKind[] = [
  INGRESS_STEPS[0]!,
  FLOW_STEPS[0]!,
  { step: 'network-acl', drops: [DROP_NETWORK_ACL_INGRESS], tell: tellAclBefore },
  FLOW_STEPS[1]!,
  ...EGRESS_STEPS.slice(EGRESS_STEPS.findIndex(({ step }) => step === 'same-subnet'))
    .map((kind) => kind.step === 'network-acl'
      ? { ...kind, tell: (side: Passed) => tellAcl({ ...side, direction: 'egress' }) }
      : kind)
]

/** Out of a VPC by its egress-only internet gateway. */
const EGRESS_ONLY_OUT_STEPS: readonly StepKind[] = [
  ...GATEWAY_OUT_STEPS.slice(0, 1), FLOW_STEPS[0]!, ...GATEWAY_OUT_STEPS.slice(1, 3),
  FLOW_STEPS[1]!, ...GATEWAY_OUT_STEPS.slice(4)
]

/** Back through it, at the node that has the flow. */
const EGRESS_ONLY_IN_STEPS: readonly StepKind[] = [
  INGRESS_STEPS[0]!, ...FLOW_STEPS, GATEWAY_IN_STEPS.at(-1)!
]

/** Out of a VPC, at its virtual private gateway. */
const VPN_GATEWAY_STEPS: readonly StepKind[] = [
  INGRESS_STEPS[0]!,
  { step: 'gateway-route', drops: [DROP_VPN_NO_ROUTE],
    tell: ({ eni, packet, drop }) => ({ object: eni,
      text: drop === DROP_VPN_NO_ROUTE
        ? `no tunnel has a route to ${packet.destination}`
        : `a tunnel has a route to ${packet.destination}` }) },
  { step: 'send', drops: [...BEYOND_DROPS, DROP_VPN_NO_TUNNEL], tell: tellTunnel }
]

/** From a VPN tunnel into the VPC. */
const VPN_IN_STEPS: readonly StepKind[] = [
  EGRESS_STEPS[0]!, EGRESS_STEPS[1]!,
  { step: 'source-check', drops: [DROP_VPN_SOURCE],
    tell: ({ packet, drop }) => ({ text: drop === DROP_VPN_SOURCE
      ? `${packet.source} is an address of the VPC itself`
      : `${packet.source} is no address of the VPC` }) },
  { step: 'gateway-route', drops: [DROP_NO_ROUTE, DROP_BLACKHOLE], tell: tellGatewayRoute },
  { step: 'send', drops: [...BEYOND_DROPS, DROP_VPN_NO_ROUTE, DROP_VPN_NO_TUNNEL],
    tell: tellBeyond }
]

function tellTunnel (side: Passed): Told {
  const { p } = side
  if (p.action !== ACTION_SEAL) return tellBeyond(side)
  const address = formatAddress(Uint32Array.of(0, 0, IPV4_MAPPED_WORD, p.target))
  return { object: address, text: `sealed into the tunnel of ${address}, and to the internet` }
}

function kindsOf ({ view, eni, direction, p, drop }: Passed): readonly StepKind[] {
  if (eni.startsWith('vgw-')) return direction === 'egress' ? VPN_GATEWAY_STEPS : VPN_IN_STEPS
  if (isGatewayId(eni)) {
    if (!view.isEgressOnly(p)) return direction === 'egress' ? GATEWAY_OUT_STEPS : GATEWAY_IN_STEPS
    if (direction === 'egress') return EGRESS_ONLY_OUT_STEPS
    return p.natAt >= 0 || drop === DROP_NAT_NO_FLOW ? EGRESS_ONLY_IN_STEPS : GATEWAY_IN_STEPS
  }
  if (view.isGateway(eni)) return NAT_STEPS
  if (direction === 'ingress') return INGRESS_STEPS
  return p.action === ACTION_SERVICE ? SERVICE_STEPS : EGRESS_STEPS
}

function tellCarried ({ packet, drop, eni }: Passed): Told {
  const name = protocolName(packet.protocol)
  return { object: eni, text: drop === DROP_NAT_PROTOCOL || drop === DROP_NAT_FRAGMENT
    ? (DROP_REASONS[drop]?.meaning ?? '').replace(/\.$/, '')
    : `${name} is carried` }
}

/** The rule that let it in is forgotten when the one that lets it out is found. */
function tellAclBefore (side: Passed): Told {
  if (side.drop === DROP_NETWORK_ACL_INGRESS) return tellAcl({ ...side, direction: 'ingress' })
  const { acl } = side.view.aclRule(side.p, INGRESS)
  return { object: acl,
    text: `inbound entries of ${labelOf(side.snapshot, acl)} let it pass, where they are asked` }
}

function tellFlow ({ view, packet, p, drop, eni }: Passed): Told {
  if (drop === DROP_NAT_NO_FLOW) return { object: eni, text: 'no flow that began inside fits' }
  if (drop === DROP_NAT_IDLE) {
    return { object: eni, text: 'it opens no connection, and whether one stands is not known here' }
  }
  if (FLOW_STEPS[1]!.drops.includes(drop)) {
    return { object: eni, text: (DROP_REASONS[drop]?.meaning ?? '').replace(/\.$/, '') }
  }
  const [was, now] = view.isInward(p)
    ? [packet.destination, destinationOf(p)]
    : [packet.source, sourceOf(p)]
  if (was === now) return { object: eni, text: `a flow of ${was}, which keeps its address` }
  const destination = destinationOf(p)
  return { object: eni, text: view.isInward(p)
    ? `the flow began inside: ${was} becomes ${now} again`
    : (destination === packet.destination ? '' : `${packet.destination} is ${destination}, `) +
      `${was} becomes ${now}, with a port that no other flow to ${destination} has` }
}

function tellPublicSource ({ packet, p, drop, eni }: Passed): Told {
  if (drop === DROP_NO_PUBLIC_ADDRESS) {
    return { object: eni, text: `${packet.source} has no public address` }
  }
  const now = sourceOf(p)
  return { object: eni, text: now === packet.source
    ? `${packet.source} is public as it is`
    : `${packet.source} becomes ${now}` }
}

function tellPublicDestination ({ packet, p, drop, eni }: Passed): Told {
  if (drop === DROP_PUBLIC_ADDRESS_UNKNOWN) {
    return { text: `no VPC has the public address ${packet.destination}` }
  }
  const now = destinationOf(p)
  return { object: eni, text: now === packet.destination
    ? `${packet.destination} is public as it is`
    : `${packet.destination} becomes ${now}` }
}

function tellGatewayRoute ({ view, p, snapshot, drop }: Passed): Told {
  if (p.action === ACTION_UPLINK) return { text: 'not asked on the way out' }
  const route = view.gatewayRoute(p)
  if (route === null) return { text: 'the gateway has no route table: straight to the destination' }
  const label = labelOf(snapshot, route.table)
  if (drop === DROP_NO_ROUTE) return { object: route.table, text: `no route of ${label} fits` }
  return { object: route.table, rule: route.destination,
    text: `route ${route.destination ?? ''} of ${label} ` +
      (drop === DROP_BLACKHOLE ? 'is a blackhole' : 'decides') }
}

function tellBeyond ({ view, p, snapshot, drop }: Passed): Told {
  if (drop !== DROP_NONE) {
    return { text: (DROP_REASONS[drop]?.meaning ?? 'no place of an address could be had')
      .replace(/\.$/, '') }
  }
  if (p.action === ACTION_UPLINK) return { text: 'to the internet' }
  const { eni, host } = view.nextHop(p)
  return { object: eni, text: `to ${labelOf(snapshot, eni)} on ${host}, over the underlay` }
}

/** Every step that the packet met; the last one is the one that dropped it, if any did. */
export function stepsOf (side: Passed): Step[] {
  const steps: Step[] = []
  for (const kind of kindsOf(side)) {
    const isDropped = dropsHere(kind, side)
    steps.push({
      step: kind.step,
      object: null,
      rule: null,
      ...kind.tell(side),
      ...isDropped ? { verdict: 'dropped' } : { verdict: skips(kind, side) ? 'skipped' : 'passed' }
    })
    if (isDropped) break
  }
  return steps
}

/** A broadcast address of a block is found out one step later than multicast. */
function dropsHere ({ step, drops }: StepKind, { drop, p, eni }: Passed): boolean {
  if (drop < DROP_NONE) {
    return step === 'mapping' || step === (isGatewayId(eni) ? 'send' : 'vpc-header')
  }
  if (drop === DROP_MULTICAST) return step === (p.isSameSubnet !== 0 ? 'same-subnet' : 'scope')
  return drops.includes(drop)
}

/** Inside a subnet its ACL and its routes have no say. */
function skips ({ step }: StepKind, { view, p, fromHost, direction }: Passed): boolean {
  if (step === 'gateway-route') return p.action === ACTION_UPLINK
  if (step === 'route' && p.natAt >= 0 && view.isInward(p)) return true
  if (step === 'network-acl' || step === 'route') return p.isSameSubnet !== 0
  return step === 'vpc-header' && direction === 'ingress' && fromHost === null
}

function numberOf (direction: Direction): number {
  return direction === 'egress' ? EGRESS : INGRESS
}

function tellSource ({ eni, snapshot, packet, drop, view, p }: Passed): Told {
  const label = labelOf(snapshot, eni)
  if (drop === DROP_SOURCE_SPOOFED) {
    return { object: eni, text: `${packet.source} is no address of ${label}, whose ` +
      'source/destination check is on' }
  }
  if (drop === DROP_SERVICE_SPOOFED) {
    return { object: eni, text: DROP_REASONS[DROP_SERVICE_SPOOFED]!.meaning.replace(/\.$/, '') }
  }
  return { object: eni, text: view.tables.ports.sourceDestCheck[p.portIndex] === 0
    ? `the source/destination check of ${label} is off`
    : `${packet.source} is an address of ${label}` }
}

function tellService ({ eni, snapshot, packet, drop, p }: Passed): Told {
  const name = SERVICE_NAMES[p.target] ?? ''
  if (drop !== DROP_NONE) {
    return { object: eni, text: `${packet.source} is no address of ${labelOf(snapshot, eni)}: ` +
      `the ${name} service answers an ENI at its own addresses alone` }
  }
  return { object: eni, text: `the ${name} service of the VPC answers on this host: groups, ` +
    'ACLs and routes are not asked' }
}

function tellDestination ({ eni, snapshot, packet, drop, view, p }: Passed): Told {
  const label = labelOf(snapshot, eni)
  if (drop === DROP_DESTINATION_CHECK) {
    return { object: eni, text: `${packet.destination} is no address of ${label}, whose ` +
      'source/destination check is on' }
  }
  return { object: eni, text: view.tables.ports.sourceDestCheck[p.portIndex] === 0
    ? `the source/destination check of ${label} is off`
    : `${packet.destination} is an address of ${label}` }
}

const WAY = { egress: 'outbound', ingress: 'inbound' } as const

function tellGroups (side: Passed): Told {
  const { view, p, snapshot, eni, direction, packet, drop } = side
  const groups = snapshot.tables.networkInterface.get(eni)?.groupIds ?? []
  const peer = direction === 'egress' ? `to ${packet.destination}` : `from ${packet.source}`
  if (drop === DROP_SECURITY_GROUP_EGRESS || drop === DROP_SECURITY_GROUP_INGRESS) {
    return { object: groups[0] ?? null, text: `no ${WAY[direction]} rule of ` +
      `${groups.map((id) => labelOf(snapshot, id)).join(', ')} allows ${trafficText(packet)} ` +
      peer }
  }
  const decided = view.groupRule(p, numberOf(direction))
  if (decided === null) {
    return { text: p.isTracked !== 0
      ? 'it belongs to a tracked conversation: rules are not asked'
      : 'it is an error about a conversation of the ENI: rules are not asked' }
  }
  const rule = snapshot.tables.securityGroup.get(decided.group)?.rules
    .find(({ id }) => id === decided.rule)
  return {
    object: decided.group,
    rule: decided.rule,
    text: `${WAY[direction]} rule ${decided.rule} of ${labelOf(snapshot, decided.group)} allows ` +
      `${rule === undefined ? 'it' : groupRuleText(snapshot, rule)}; ${trackingText(p)}`
  }
}

function trackingText (p: PacketContext): string {
  return p.isTracked !== 0 ? 'the conversation is tracked' : 'not tracked'
}

function tellSubnet ({ view, p, snapshot, packet }: Passed): Told {
  const id = view.subnetId(p)
  return { object: id, text: p.isSameSubnet !== 0
    ? `${packet.destination} is in the same subnet, ${labelOf(snapshot, id)}`
    : `${packet.destination} is outside ${labelOf(snapshot, id)}` }
}

function tellAcl ({ view, p, snapshot, direction, packet, drop }: Passed): Told {
  if (p.isSameSubnet !== 0) return { text: 'not asked inside a subnet' }
  const { acl, entry } = view.aclRule(p, numberOf(direction))
  const label = labelOf(snapshot, acl)
  const isDrop = drop === DROP_NETWORK_ACL_EGRESS || drop === DROP_NETWORK_ACL_INGRESS
  if (entry === null) {
    return { object: acl, rule: '*', text: `no ${WAY[direction]} entry of ${label} matches ` +
      `${trafficText(packet)}: its last entry, *, denies` }
  }
  const record = snapshot.tables.networkAcl.get(acl)?.entries.find((one) =>
    String(one.ruleNumber) === entry && one.isEgress === (direction === 'egress'))
  return { object: acl, rule: entry, text: `${WAY[direction]} entry ${entry} of ${label} ` +
    `${isDrop ? 'denies' : 'allows'} ${record === undefined ? 'it' : aclEntryText(record)}` }
}

function tellRoute ({ view, p, snapshot, packet, drop }: Passed): Told {
  if (p.isSameSubnet !== 0) return { text: 'not asked inside a subnet' }
  if (p.natAt >= 0 && view.isInward(p)) return { text: 'not asked: back to the ENI that opened it' }
  const { table, destination } = view.route(p)
  const label = labelOf(snapshot, table)
  if (destination === null) {
    return { object: table, text: `no route of ${label} leads to ${packet.destination}` }
  }
  const target = routeBehind(snapshot, table, destination)?.target
  const where = target === undefined ? '' : ` to ${targetText(snapshot, target)}`
  return { object: table, rule: destination, text: drop === DROP_BLACKHOLE
    ? `route ${destination}${where} of ${label} is a blackhole: its target is gone or stopped`
    : `route ${destination} of ${label} leads${where}` }
}

function tellMapping ({ view, p, snapshot, packet, drop }: Passed): Told {
  const peer = view.peerOf(p)
  const where = peer === null ? 'the VPC' : `the peer VPC ${labelOf(snapshot, peer)}`
  if (drop === DROP_PEER_TRANSIT) {
    return { object: peer, text: `${packet.destination} is no address of ${where}, and a peering ` +
      'leads no further' }
  }
  if (drop === DROP_NO_MAPPING || drop < DROP_NONE) {
    return { text: `nothing that runs in ${where} has ${packet.destination}` }
  }
  if (drop === DROP_GATEWAY_DOWN) return { text: 'no host that serves the gateway is up' }
  const { eni, host } = view.nextHop(p)
  const label = labelOf(snapshot, eni)
  return { object: eni, text: p.isRoutedToEni !== 0 || p.isRoutedToGateway !== 0
    ? `the target ${label} is on ${host}`
    : `${packet.destination} is ${label}${peer === null ? '' : ` of ${where}`} on ${host}` }
}

function tellTtl ({ p, packet }: Passed): Told {
  if (p.decrementTtl === 0) return { text: `${String(packet.ttl)}, and stays so inside a subnet` }
  return { text: p.ttl <= 1
    ? `${String(packet.ttl)} ends at the router between two subnets`
    : `${String(packet.ttl)} becomes ${String(packet.ttl - 1)} between two subnets` }
}

function tellMtu ({ p, drop }: Passed): Told {
  const sizes = `${String(p.wireBytesMax)} bytes, and the path takes ${String(p.mtu)}`
  if (drop === DROP_TOO_BIG) {
    return { text: `${sizes}: too big, and it may not be fragmented` }
  }
  return { text: p.mustFragment !== 0 ? `${sizes}: it is fragmented` : sizes }
}

function tellSend ({ view, p, snapshot, eni, drop }: Passed): Told {
  const { host } = view.nextHop(p)
  const to = snapshot.tables.host.get(host)?.underlayAddress ?? ''
  if (drop === DROP_PARTITIONED) {
    return { object: view.host.id, text: `${view.host.id} is cut off from ${host} by a partition` }
  }
  const impaired = impairmentText(snapshot, eni, 'out')
  return { text: host === view.host.id
    ? `it stays on ${host}${impaired}`
    : `over the underlay to ${host} (${to}), VNI ${String(view.vniOf(p, EGRESS))}${impaired}` +
      impairmentText(snapshot, view.host.id, 'out') }
}

function tellHeader ({ view, p, eni, drop, fromHost, snapshot }: Passed): Told {
  const peer = view.peerOf(p)
  const over = peer === null ? '' : `, over the peering with ${labelOf(snapshot, peer)}`
  if (drop === DROP_PORT_UNKNOWN && view.tables.ports.kind[p.portIndex] !== PORT_KIND_ENI) {
    return { object: eni, text: `the way is told as far as ${labelOf(snapshot, eni)}: what ` +
      'becomes of a packet there is up to its flows, which are not looked at' }
  }
  if (fromHost === null) return { text: `none: it comes from this host${over}` }
  if (drop < DROP_NONE) return { text: `the place of the sender is not known on ${view.host.id}` }
  const wrong = INGRESS_STEPS[0]!.drops.includes(drop)
  return { text: wrong
    ? (DROP_REASONS[drop]?.meaning ?? '').replace(/\.$/, '')
    : `VNI ${String(view.vniOf(p, INGRESS))} from ${fromHost}, where the sender lives${over}` }
}

function tellDeliver ({ view, p, eni, snapshot, drop }: Passed): Told {
  const label = labelOf(snapshot, eni)
  if (drop === DROP_PORT_CLOSED) return { object: eni, text: `the device of ${label} is not open` }
  if (drop === DROP_TOO_BIG) {
    return { object: eni, text: `${label} takes ${String(view.tables.ports.mtu[p.portIndex])} ` +
      'bytes at most' }
  }
  return { object: eni, text: `to ${label}${impairmentText(snapshot, eni, 'in')}` }
}
