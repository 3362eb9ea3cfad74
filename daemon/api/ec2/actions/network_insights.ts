/**
 * EC2 actions of Reachability Analyzer. Records: model/network_insights.ts; what an analysis finds:
 * explain/insights.ts. An analysis is over when it is answered, so its status is never `running`.
 */
import type {
  AnalysisAclRule, AnalysisComponent, AnalysisPacketHeader, AnalysisRouteTableRoute,
  CreateNetworkInsightsPathRequest, CreateNetworkInsightsPathResult,
  DeleteNetworkInsightsAnalysisRequest,
  DeleteNetworkInsightsAnalysisResult, DeleteNetworkInsightsPathRequest,
  DeleteNetworkInsightsPathResult, DescribeNetworkInsightsAnalysesRequest,
  DescribeNetworkInsightsAnalysesResult, DescribeNetworkInsightsPathsRequest,
  DescribeNetworkInsightsPathsResult, Explanation, NetworkInsightsAnalysis as AnalysisOutput,
  NetworkInsightsPath as PathOutput, PathComponent, PathFilter, PathRequestFilter,
  StartNetworkInsightsAnalysisRequest, StartNetworkInsightsAnalysisResult
} from '@aws-sdk/client-ec2'
import { analysePath } from '../../../explain/insights.ts'
import { AwsError } from '../../../model/aws_error.ts'
import {
  planCreateNetworkInsightsPath, planDeleteNetworkInsightsAnalysis, planDeleteNetworkInsightsPath,
  planStartNetworkInsightsAnalysis
} from '../../../model/network_insights.ts'
import type {
  InsightsComponent, InsightsExplanation, InsightsFilter, InsightsPacket, InsightsRoute,
  InsightsRule, NetworkInsightsAnalysis, NetworkInsightsPath, PortRange
} from '../../../model/network_insights.ts'
import type { OwnedRecord } from '../../../model/record.ts'
import { RESOURCE_KINDS, requireRecord } from '../../../model/resource_kind.ts'
import type { AccountView } from '../../../model/snapshot.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action } from '../action.ts'
import { describeRecords } from '../describe.ts'
import type { FilterTable } from '../describe.ts'

const createPath =
  defineWrite<CreateNetworkInsightsPathRequest, string, CreateNetworkInsightsPathResult>({
    name: 'CreateNetworkInsightsPath',
    plan: (view, input, context) => planCreateNetworkInsightsPath(view, {
      source: input.Source ?? '', destination: input.Destination ?? null,
      sourceIp: input.SourceIp ?? null, destinationIp: input.DestinationIp ?? null,
      protocol: input.Protocol ?? '', destinationPort: input.DestinationPort ?? null,
      filterAtSource: filterFromInput(input.FilterAtSource),
      filterAtDestination: filterFromInput(input.FilterAtDestination),
      tags: tagsFromSpecifications(input.TagSpecifications, 'network-insights-path')
    }, context),
    print: (view, id) =>
      ({ NetworkInsightsPath: printPath(view, requireRecord(view, 'networkInsightsPath', id)) })
  })

const deletePath =
  defineWrite<DeleteNetworkInsightsPathRequest, string, DeleteNetworkInsightsPathResult>({
    name: 'DeleteNetworkInsightsPath',
    plan: (view, { NetworkInsightsPathId = '' }) =>
      planDeleteNetworkInsightsPath(view, { pathId: NetworkInsightsPathId }),
    print: (_view, id) => ({ NetworkInsightsPathId: id })
  })

const startAnalysis =
  defineWrite<StartNetworkInsightsAnalysisRequest, string, StartNetworkInsightsAnalysisResult>({
    name: 'StartNetworkInsightsAnalysis',
    plan: (view, input, context) => {
      refuseFilters(input)
      const clock = { nowMs: () => context.nowMs, monotonicMs: () => context.nowMs }
      return planStartNetworkInsightsAnalysis(view, {
        pathId: input.NetworkInsightsPathId ?? '',
        tags: tagsFromSpecifications(input.TagSpecifications, 'network-insights-analysis')
      }, (path) => analysePath(view.snapshot, clock, path), context)
    },
    print: (view, id) => ({
      NetworkInsightsAnalysis:
        printAnalysis(requireRecord(view, 'networkInsightsAnalysis', id), view)
    })
  })

/** Another path than the one that packets take cannot be asked for. */
function refuseFilters (input: StartNetworkInsightsAnalysisRequest): void {
  const asked = (['AdditionalAccounts', 'FilterInArns', 'FilterOutArns'] as const)
    .find((name) => (input[name] ?? []).length > 0)
  if (asked === undefined) return
  throw new AwsError('UnsupportedOperation',
    `${asked} is not built in vpclab: an analysis follows the one way that packets take now`)
}

const deleteAnalysis =
  defineWrite<DeleteNetworkInsightsAnalysisRequest, string, DeleteNetworkInsightsAnalysisResult>({
    name: 'DeleteNetworkInsightsAnalysis',
    plan: (view, { NetworkInsightsAnalysisId = '' }) =>
      planDeleteNetworkInsightsAnalysis(view, { analysisId: NetworkInsightsAnalysisId }),
    print: (_view, id) => ({ NetworkInsightsAnalysisId: id })
  })

function filterFromInput (filter: PathRequestFilter | undefined): InsightsFilter | null {
  if (filter === undefined) return null
  return {
    sourceAddress: filter.SourceAddress ?? null,
    sourcePorts: rangeFromInput(filter.SourcePortRange),
    destinationAddress: filter.DestinationAddress ?? null,
    destinationPorts: rangeFromInput(filter.DestinationPortRange)
  }
}

function rangeFromInput (
  range: { FromPort?: number | undefined, ToPort?: number | undefined } | undefined
): PortRange | null {
  if (range?.FromPort === undefined) return null
  return { from: range.FromPort, to: range.ToPort ?? range.FromPort }
}

function arnOf (record: OwnedRecord, type: string | null, id = record.id): string {
  return `arn:aws:ec2:${record.region}:${record.ownerId}:${type ?? ''}/${id}`
}

function printPath (view: AccountView, path: NetworkInsightsPath): PathOutput {
  return {
    NetworkInsightsPathId: path.id,
    NetworkInsightsPathArn: arnOf(path, 'network-insights-path'),
    CreatedDate: new Date(path.createdMs),
    Source: plainId(path.source), SourceArn: componentOf(view, path, plainId(path.source))?.Arn,
    Destination: plainId(path.destination),
    DestinationArn: componentOf(view, path, plainId(path.destination))?.Arn,
    SourceIp: path.sourceIp ?? undefined, DestinationIp: path.destinationIp ?? undefined,
    Protocol: path.protocol, DestinationPort: path.destinationPort ?? undefined,
    FilterAtSource: printFilter(path.filterAtSource),
    FilterAtDestination: printFilter(path.filterAtDestination),
    Tags: printTags(path.tags)
  }
}

function plainId (text: string | null): string | undefined {
  return text?.slice(text.lastIndexOf('/') + 1)
}

function printFilter (filter: InsightsFilter | null): PathFilter | undefined {
  return filter === null ? undefined : {
    SourceAddress: filter.sourceAddress ?? undefined,
    SourcePortRange: filterRange(filter.sourcePorts),
    DestinationAddress: filter.destinationAddress ?? undefined,
    DestinationPortRange: filterRange(filter.destinationPorts)
  }
}

function filterRange (range: PortRange | null): PathFilter['SourcePortRange'] {
  return range === null ? undefined : { FromPort: range.from, ToPort: range.to }
}

function printAnalysis (analysis: NetworkInsightsAnalysis, view: AccountView): AnalysisOutput {
  const { finding } = analysis
  return {
    NetworkInsightsAnalysisId: analysis.id,
    NetworkInsightsAnalysisArn: arnOf(analysis, 'network-insights-analysis'),
    NetworkInsightsPathId: analysis.pathId,
    StartDate: new Date(analysis.startedMs),
    Status: 'succeeded',
    WarningMessage: finding.warning === '' ? undefined : finding.warning,
    NetworkPathFound: finding.isFound,
    ForwardPathComponents: finding.forward.map((component, index) =>
      printComponent(view, analysis, component, index + 1)),
    ReturnPathComponents: finding.back.map((component, index) =>
      printComponent(view, analysis, component, index + 1)),
    Explanations: finding.explanations.map((one) => printExplanation(view, analysis, one)),
    Tags: printTags(analysis.tags)
  }
}

/** Id and ARN of a thing of the analysis's account; nothing for no id. */
function componentOf (
  view: AccountView, owner: OwnedRecord, id: string | null | undefined
): AnalysisComponent | undefined {
  if (id === null || id === undefined) return undefined
  const kind = Object.values(RESOURCE_KINDS)
    .find(({ prefix }) => id.startsWith(`${prefix}-`))
  const name = view.get('networkInterface', id)?.tags['Name'] ??
    view.get('instance', id)?.tags['Name'] ?? view.get('securityGroup', id)?.name
  return { Id: id, Arn: arnOf(owner, kind?.resourceType ?? '', id), Name: name }
}

function printComponent (
  view: AccountView, owner: OwnedRecord, component: InsightsComponent, sequence: number
): PathComponent {
  const header = printPacket(component.packet)
  const isInterface = component.id.startsWith('eni-')
  return {
    SequenceNumber: sequence,
    Component: componentOf(view, owner, component.id),
    ...component.isEgress ? { OutboundHeader: header } : { InboundHeader: header },
    Subnet: componentOf(view, owner, component.subnetId),
    Vpc: componentOf(view, owner, component.vpcId === '' ? null : component.vpcId),
    AttachedTo: isInterface
      ? componentOf(view, owner, view.get('networkInterface', component.id)?.attachment?.instanceId)
      : undefined,
    SecurityGroupRule: component.groupRule === null ? undefined : {
      ...printRule(component.groupRule),
      Direction: component.groupRule.isEgress ? 'egress' : 'ingress',
      SecurityGroupId: component.groupRule.securityGroupId ?? undefined
    },
    AclRule: component.aclRule === null ? undefined : {
      ...printRule(component.aclRule),
      Egress: component.aclRule.isEgress,
      RuleAction: component.aclRule.action,
      RuleNumber: component.aclRule.number
    },
    RouteTableRoute: printRoute(component.route)
  }
}

function printRule (
  { cidr, protocol, ports }: InsightsRule
): Pick<AnalysisAclRule, 'Cidr' | 'Protocol' | 'PortRange'> {
  return {
    Cidr: cidr ?? undefined,
    Protocol: protocol,
    PortRange: ports === null ? undefined : { From: ports.from, To: ports.to }
  }
}

function printRoute (route: InsightsRoute | null): AnalysisRouteTableRoute | undefined {
  return route === null ? undefined : {
    DestinationCidr: route.destination,
    NetworkInterfaceId: route.networkInterfaceId ?? undefined,
    VpcPeeringConnectionId: route.vpcPeeringConnectionId,
    GatewayId: route.networkInterfaceId === null ? 'local' : undefined,
    Origin: route.origin.toLowerCase(),
    State: route.state
  }
}

function printPacket (packet: InsightsPacket): AnalysisPacketHeader {
  const bits = packet.source.includes(':') ? '128' : '32'
  return {
    Protocol: packet.protocol,
    SourceAddresses: [`${packet.source}/${bits}`],
    SourcePortRanges: [{ From: packet.sourcePort, To: packet.sourcePort }],
    DestinationAddresses: [`${packet.destination}/${bits}`],
    DestinationPortRanges: [{ From: packet.destinationPort, To: packet.destinationPort }]
  }
}

function printExplanation (
  view: AccountView, owner: OwnedRecord, explanation: InsightsExplanation
): Explanation {
  const { packet } = explanation
  const component = (id: string | null): AnalysisComponent | undefined =>
    componentOf(view, owner, id)
  return {
    ExplanationCode: explanation.code,
    Direction: explanation.direction,
    NetworkInterface: component(explanation.networkInterfaceId),
    Subnet: component(explanation.subnetId),
    Vpc: component(explanation.vpcId),
    SecurityGroups: explanation.securityGroupIds.flatMap((id) => component(id) ?? []),
    Acl: component(explanation.networkAclId),
    RouteTable: component(explanation.routeTableId),
    RouteTableRoute: printRoute(explanation.route),
    Protocols: packet === null ? undefined : [packet.protocol],
    PortRanges: packet === null
      ? undefined
      : [{ From: packet.destinationPort, To: packet.destinationPort }]
  }
}

function rangeText (range: PortRange | null | undefined): string | undefined {
  return range === null || range === undefined ? undefined
    : `${String(range.from)}-${String(range.to)}`
}

/** EC2 API Reference, DescribeNetworkInsightsPaths: all filters. */
const PATH_FILTERS: FilterTable<NetworkInsightsPath> = {
  destination: ({ destination }) => plainId(destination),
  'filter-at-source.source-address': (path) => path.filterAtSource?.sourceAddress,
  'filter-at-source.source-port-range': (path) => rangeText(path.filterAtSource?.sourcePorts),
  'filter-at-source.destination-address': (path) => path.filterAtSource?.destinationAddress,
  'filter-at-source.destination-port-range':
    (path) => rangeText(path.filterAtSource?.destinationPorts),
  'filter-at-destination.source-address': (path) => path.filterAtDestination?.sourceAddress,
  'filter-at-destination.source-port-range':
    (path) => rangeText(path.filterAtDestination?.sourcePorts),
  'filter-at-destination.destination-address':
    (path) => path.filterAtDestination?.destinationAddress,
  'filter-at-destination.destination-port-range':
    (path) => rangeText(path.filterAtDestination?.destinationPorts),
  protocol: ({ protocol }) => protocol,
  source: ({ source }) => plainId(source)
}

const describePaths =
  defineRead<DescribeNetworkInsightsPathsRequest, DescribeNetworkInsightsPathsResult>({
    name: 'DescribeNetworkInsightsPaths',
    read: (view, input) => {
      const page = describeRecords(view, 'networkInsightsPath', 'NetworkInsightsPathIds',
        input.NetworkInsightsPathIds, input, PATH_FILTERS)
      return { NetworkInsightsPaths: page.items.map((path) => printPath(view, path)),
        NextToken: page.nextToken }
    }
  })

/** EC2 API Reference, DescribeNetworkInsightsAnalyses: all filters. */
const ANALYSIS_FILTERS: FilterTable<NetworkInsightsAnalysis> = {
  'path-found': ({ finding }) => finding.isFound,
  status: () => 'succeeded'
}

const describeAnalyses =
  defineRead<DescribeNetworkInsightsAnalysesRequest, DescribeNetworkInsightsAnalysesResult>({
    name: 'DescribeNetworkInsightsAnalyses',
    read: (view, input) => {
      const { NetworkInsightsPathId: pathId, AnalysisStartTime: from, AnalysisEndTime: to } = input
      const page = describeRecords(view, 'networkInsightsAnalysis', 'NetworkInsightsAnalysisIds',
        input.NetworkInsightsAnalysisIds, input, ANALYSIS_FILTERS)
      const wanted = page.items.filter((one) =>
        (pathId === undefined || one.pathId === pathId) &&
        (from === undefined || one.startedMs >= from.getTime()) &&
        (to === undefined || one.startedMs <= to.getTime()))
      return { NetworkInsightsAnalyses: wanted.map((one) => printAnalysis(one, view)),
        NextToken: page.nextToken }
    }
  })

export const networkInsightsActions: readonly Action[] = [
  createPath, deletePath, describePaths, startAnalysis, deleteAnalysis, describeAnalyses
]
