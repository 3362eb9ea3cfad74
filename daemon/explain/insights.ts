/**
 * A Reachability Analyzer path answered by the explainer: what `vpcctl can-reach` finds, in AWS's
 * components and explanation codes. Source of the codes: AWS Reachability Analyzer guide,
 * "Explanation codes".
 *
 * It is about what is configured: devices count as open, and no conversation is remembered. Of a
 * range of ports the first is tried; where the path names none, those that rules of both ends name,
 * until one gets through.
 */
import type { Clock } from '../base/clock.ts'
import { Directory } from '../mapping/directory.ts'
import { AwsError } from '../model/aws_error.ts'
import { networkAclOfSubnet } from '../model/network_acl.ts'
import type {
  InsightsComponent, InsightsExplanation, InsightsFinding, InsightsPacket, InsightsRoute,
  NetworkInsightsPath
} from '../model/network_insights.ts'
import type { Route } from '../model/route_table.ts'
import { routeBehind } from '../model/route_order.ts'
import { routeState } from '../model/route_target.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { protocolName } from '../wire/ip_protocol.ts'
import { endsOf, protocolNumber } from './ends.ts'
import type { Ends } from './ends.ts'
import { Explainer, RECORDS_ALONE } from './explainer.ts'
import type { Obstacle, Reach, Side, Step, Walk } from './explanation.ts'

/** Ports that are tried for a path that names none. */
const TRIED_PORTS_MAX = 32
/** Tried when no rule names a port. */
const ANY_PORT = 443

/** By reason to drop; what is not here is NO_PATH. */
const CODES: Readonly<Record<string, string>> = {
  'security-group-egress': 'ENI_SG_RULES_MISMATCH',
  'security-group-ingress': 'ENI_SG_RULES_MISMATCH',
  'network-acl-egress': 'SUBNET_ACL_RESTRICTION',
  'network-acl-ingress': 'SUBNET_ACL_RESTRICTION',
  'no-route': 'NO_ROUTE_TO_DESTINATION',
  'blackhole': 'BAD_STATE_ROUTE',
  'no-mapping': 'NO_POSSIBLE_DESTINATION',
  'source-spoofed': 'ENI_SOURCE_DEST_CHECK_RESTRICTION',
  'destination-check': 'ENI_SOURCE_DEST_CHECK_RESTRICTION',
  'not-running': 'BAD_STATE'
}
const CODE_OTHERWISE = 'NO_PATH'

export function analysePath (
  snapshot: Snapshot, clock: Clock, path: NetworkInsightsPath
): InsightsFinding {
  const explainer = new Explainer(
    { snapshot, directory: new Directory(snapshot), clock, live: RECORDS_ALONE })
  const protocol = protocolNumber(path.protocol)
  let ends: Ends
  try {
    ends = endsOf(snapshot, idOf(path.source), destinationOf(path), protocol)
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    return nowhere(error.code.endsWith('.NotFound') ? 'NO_SOURCE_OR_DESTINATION'
      : 'DISCONNECTED_VPCS')
  }
  const source = path.sourceIp ?? path.filterAtSource?.sourceAddress ?? ends.source
  let first: Reach | null = null
  for (const destinationPort of portsOf(snapshot, path, ends)) {
    const sourcePort = path.filterAtSource?.sourcePorts?.from
    const reach = explainer.reach(ends.eni, {
      source, destination: addressOf(path) ?? ends.destination, protocol, destinationPort,
      ...sourcePort === undefined ? {} : { sourcePort }
    }, ends.target)
    if (reach.verdict === 'yes') return findingOf(snapshot, reach)
    first ??= reach
  }
  return first === null ? nowhere(CODE_OTHERWISE) : findingOf(snapshot, first)
}

/** The id in an ARN, or the id itself. */
function idOf (text: string): string { return text.slice(text.lastIndexOf('/') + 1) }

function addressOf (path: NetworkInsightsPath): string | null {
  return path.destinationIp ?? path.filterAtSource?.destinationAddress ??
    path.filterAtDestination?.destinationAddress ?? null
}

function destinationOf (path: NetworkInsightsPath): string {
  return path.destination === null ? addressOf(path) ?? '' : idOf(path.destination)
}

function portsOf (snapshot: Snapshot, path: NetworkInsightsPath, ends: Ends): number[] {
  const named = path.destinationPort ?? path.filterAtSource?.destinationPorts?.from ??
    path.filterAtDestination?.destinationPorts?.from
  if (named !== undefined) return [named]
  const ports = new Set([ANY_PORT])
  for (const eni of [ends.eni, ends.target ?? ends.eni]) {
    for (const port of portsNamedAt(snapshot, eni)) ports.add(port)
  }
  return [...ports].slice(0, TRIED_PORTS_MAX)
}

/** First ports of the rules that an ENI and its subnet have. */
function portsNamedAt ({ tables }: Snapshot, id: string): number[] {
  const eni = tables.networkInterface.get(id)
  const subnet = tables.subnet.get(eni?.subnetId ?? '')
  const acls = [...tables.networkAcl.values()]
    .filter(({ associations }) => associations.some(({ subnetId }) => subnetId === subnet?.id))
  return [
    ...(eni?.groupIds ?? []).flatMap((group) => tables.securityGroup.get(group)?.rules ?? [])
      .map(({ fromPort }) => fromPort),
    ...acls.flatMap(({ entries }) => entries).map(({ portFrom }) => portFrom)
  ].filter((port): port is number => port !== null && port > 0)
}

function nowhere (code: string): InsightsFinding {
  return {
    isFound: false, warning: '', forward: [], back: [],
    explanations: [{
      code, direction: 'egress', networkInterfaceId: null, subnetId: null, vpcId: null,
      securityGroupIds: [], networkAclId: null, routeTableId: null, route: null, packet: null
    }]
  }
}

function findingOf (snapshot: Snapshot, reach: Reach): InsightsFinding {
  const walk = reach.answer ?? reach.forward
  const packet = walk === null ? null : packetOf(walk)
  return {
    isFound: reach.verdict === 'yes',
    warning: reach.verdict === 'unknown' ? reach.text : '',
    forward: componentsOf(snapshot, reach.forward),
    back: componentsOf(snapshot, reach.answer),
    explanations: reach.obstacle === null ? [] : [explain(snapshot, reach.obstacle, packet)]
  }
}

function explain (
  snapshot: Snapshot, obstacle: Obstacle, packet: InsightsPacket | null
): InsightsExplanation {
  const { reason, direction, eni, object, rule } = obstacle
  const record = snapshot.tables.networkInterface.get(eni)
  const isGroup = reason.startsWith('security-group')
  const table = snapshot.tables.routeTable.get(object ?? '')
  const route = routeBehind(snapshot, object ?? '', rule)
  return {
    code: CODES[reason] ?? CODE_OTHERWISE,
    direction,
    networkInterfaceId: eni,
    subnetId: record?.subnetId ?? null,
    vpcId: record?.vpcId ?? null,
    securityGroupIds: isGroup ? record?.groupIds ?? [] : [],
    networkAclId: reason.startsWith('network-acl') ? object : null,
    routeTableId: table?.id ?? null,
    route: route === undefined ? null : routeOf(snapshot, table?.vpcId ?? '', route),
    packet
  }
}

/** Everything with an id that the packet met, in order. */
function componentsOf (snapshot: Snapshot, walk: Walk | null): InsightsComponent[] {
  if (walk === null) return []
  const packet = packetOf(walk)
  return walk.sides.flatMap((side) => {
    const met = side.steps.filter(isComponent)
      .map((step) => componentOf(snapshot, side, step, packet))
    const ends = [ownerOf(snapshot, side.eni), side.eni]
      .filter((id) => id !== null)
      .map((id) => plain(snapshot, side, id, packet))
    return side.direction === 'egress' ? [...ends, ...met] : [...met, ...ends.toReversed()]
  })
}

const COMPONENT_STEPS: readonly string[] = ['security-groups', 'network-acl', 'route']

function isComponent ({ step, object, verdict }: Step): boolean {
  return object !== null && verdict === 'passed' && COMPONENT_STEPS.includes(step)
}

function ownerOf ({ tables }: Snapshot, eni: string): string | null {
  return tables.networkInterface.get(eni)?.attachment?.instanceId ?? null
}

function plain (
  { tables }: Snapshot, { eni, direction }: Side, id: string, packet: InsightsPacket
): InsightsComponent {
  const record = tables.networkInterface.get(eni)
  return {
    id, subnetId: id === eni ? record?.subnetId ?? null : null, vpcId: record?.vpcId ?? '', packet,
    isEgress: direction === 'egress', groupRule: null, aclRule: null, route: null
  }
}

function componentOf (
  snapshot: Snapshot, side: Side, step: Step, packet: InsightsPacket
): InsightsComponent {
  const component = plain(snapshot, side, step.object ?? '', packet)
  const { tables } = snapshot
  const isEgress = side.direction === 'egress'
  if (step.step === 'security-groups') {
    const rule = tables.securityGroup.get(component.id)?.rules.find(({ id }) => id === step.rule)
    return rule === undefined ? component : {
      ...component,
      groupRule: {
        cidr: rule.cidrIpv4 ?? rule.cidrIpv6, securityGroupId: rule.referencedGroupId,
        protocol: rule.ipProtocol === '-1' ? 'all' : rule.ipProtocol,
        ports: rangeOf(rule.fromPort, rule.toPort), isEgress
      }
    }
  }
  if (step.step === 'network-acl') {
    const entry = networkAclOfSubnet(snapshot, tables.subnet.get(
      tables.networkInterface.get(side.eni)?.subnetId ?? '')!)?.entries
      .find((one) => String(one.ruleNumber) === step.rule && one.isEgress === isEgress)
    return entry === undefined ? component : {
      ...component,
      aclRule: {
        cidr: entry.cidrBlock ?? entry.ipv6CidrBlock, securityGroupId: null,
        protocol: entry.protocol === -1 ? 'all' : protocolName(entry.protocol),
        ports: rangeOf(entry.portFrom, entry.portTo), isEgress,
        number: entry.ruleNumber, action: entry.action
      }
    }
  }
  const route = routeBehind(snapshot, component.id, step.rule ?? null)
  if (route === undefined) return component
  const vpcId = snapshot.tables.routeTable.get(component.id)?.vpcId ?? ''
  return { ...component, route: routeOf(snapshot, vpcId, route) }
}

function rangeOf (from: number | null, to: number | null): { from: number, to: number } | null {
  return from === null || to === null || from < 0 ? null : { from, to }
}

function routeOf (snapshot: Snapshot, vpcId: string, route: Route): InsightsRoute {
  return {
    destination: route.destination,
    networkInterfaceId: route.target.kind === 'network-interface'
      ? route.target.networkInterfaceId
      : null,
    origin: route.origin,
    state: routeState(snapshot, vpcId, route)
  }
}

function packetOf ({ packet }: Walk): InsightsPacket {
  const { protocol, source, destination, sourcePort, destinationPort } = packet
  return { protocol, source, destination, sourcePort, destinationPort }
}
