/**
 * Reachability Analyzer: paths that somebody wants to know about, and analyses of them. What an
 * analysis found is kept as it was found, whatever becomes of the network. EC2 API Reference,
 * CreateNetworkInsightsPath, StartNetworkInsightsAnalysis.
 *
 *     path ──▶ analysis ──▶ finding: components forward and back, explanations
 *
 * How it is found out is not the model's business: explain/insights.ts runs the data plane's own
 * steps over the records, and the action brings the finding along.
 */
import { AwsError } from './aws_error.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'

export interface NetworkInsightsPath extends OwnedRecord {
  /** As the call named it: an id or an ARN. */
  readonly source: string
  readonly destination: string | null
  readonly sourceIp: string | null
  readonly destinationIp: string | null
  readonly protocol: 'tcp' | 'udp'
  readonly destinationPort: number | null
  readonly filterAtSource: InsightsFilter | null
  readonly filterAtDestination: InsightsFilter | null
  readonly createdMs: number
}

export interface InsightsFilter {
  readonly sourceAddress: string | null
  readonly sourcePorts: PortRange | null
  readonly destinationAddress: string | null
  readonly destinationPorts: PortRange | null
}

export interface PortRange { readonly from: number, readonly to: number }

export interface NetworkInsightsAnalysis extends OwnedRecord {
  readonly pathId: string
  readonly startedMs: number
  readonly finding: InsightsFinding
}

export interface InsightsFinding {
  readonly isFound: boolean
  /** What the answer hangs on that cannot be known; empty for nothing. */
  readonly warning: string
  readonly forward: readonly InsightsComponent[]
  readonly back: readonly InsightsComponent[]
  readonly explanations: readonly InsightsExplanation[]
}

/** One thing on a path, with the rule of it that decided. */
export interface InsightsComponent {
  /** `i-…`, `eni-…`, `sg-…`, `acl-…`, `rtb-…` */
  readonly id: string
  readonly subnetId: string | null
  readonly vpcId: string
  readonly packet: InsightsPacket
  readonly isEgress: boolean
  readonly groupRule: InsightsRule | null
  readonly aclRule: (InsightsRule & {
    readonly number: number
    readonly action: 'allow' | 'deny'
  }) | null
  readonly route: InsightsRoute | null
}

export interface InsightsPacket {
  readonly protocol: string
  readonly source: string
  readonly destination: string
  readonly sourcePort: number
  readonly destinationPort: number
}

export interface InsightsRule {
  readonly cidr: string | null
  readonly securityGroupId: string | null
  readonly protocol: string
  readonly ports: PortRange | null
  readonly isEgress: boolean
}

export interface InsightsRoute {
  readonly destination: string
  readonly networkInterfaceId: string | null
  readonly vpcPeeringConnectionId?: string | undefined
  readonly origin: string
  readonly state: 'active' | 'blackhole'
}

/** Why a path was not found. AWS Reachability Analyzer guide, "Explanation codes". */
export interface InsightsExplanation {
  readonly code: string
  readonly direction: 'ingress' | 'egress'
  readonly networkInterfaceId: string | null
  readonly subnetId: string | null
  readonly vpcId: string | null
  readonly securityGroupIds: readonly string[]
  readonly networkAclId: string | null
  readonly routeTableId: string | null
  readonly route: InsightsRoute | null
  readonly packet: InsightsPacket | null
}

export type PathInput =
  Omit<NetworkInsightsPath, 'id' | 'region' | 'ownerId' | 'createdMs' | 'protocol'> &
  { readonly protocol: string }

const PORT_MAX = 65_535

/**
 * CreateNetworkInsightsPath.
 * @returns the id
 * @throws AwsError InvalidParameterValue, InvalidParameterCombination, MissingParameter,
 *   ResourceLimitExceeded
 */
export function planCreateNetworkInsightsPath (view: AccountView, input: PathInput,
  context: PlanContext): Plan<string> {
  const { protocol, destinationPort: port } = input
  if (protocol !== 'tcp' && protocol !== 'udp') {
    throw new AwsError('InvalidParameterValue',
      `Value (${protocol}) for parameter protocol is invalid. Valid values are tcp and udp.`)
  }
  if (port !== null && (port < 0 || port > PORT_MAX)) {
    throw new AwsError('InvalidParameterValue',
      `Value (${String(port)}) for parameter destinationPort is invalid: 0 to ${String(PORT_MAX)}`)
  }
  checkDestination(input)
  checkFilters(input)
  checkQuota(view.snapshot, 'network-insights-paths-per-region',
    view.list('networkInsightsPath').length + 1)
  const path: NetworkInsightsPath = {
    ...input, protocol, id: context.newId('nip'), region: view.region, ownerId: view.accountId,
    createdMs: context.nowMs
  }
  return { changes: [put('networkInsightsPath', path)], result: path.id }
}

function checkDestination (input: PathInput): void {
  const address = input.destinationIp ?? input.filterAtSource?.destinationAddress ??
    input.filterAtDestination?.destinationAddress
  if (input.destination !== null || (address ?? null) !== null) return
  throw new AwsError('MissingParameter',
    'The request must contain the parameter destination or a destination address')
}

/** The same must not be said twice. EC2 API Reference, FilterAtSource, FilterAtDestination. */
function checkFilters (input: PathInput): void {
  const { filterAtSource, filterAtDestination } = input
  const isTwice =
    (filterAtSource !== null && (input.sourceIp !== null || input.destinationPort !== null)) ||
    (filterAtDestination !== null && input.destinationIp !== null)
  if (!isTwice) return
  throw new AwsError('InvalidParameterCombination', 'FilterAtSource excludes SourceIp and ' +
    'DestinationPort, and FilterAtDestination excludes DestinationIp')
}

/**
 * DeleteNetworkInsightsPath.
 * @throws AwsError InvalidNetworkInsightsPathId.*, AnalysisExistsForNetworkInsightsPath
 */
export function planDeleteNetworkInsightsPath (view: AccountView,
  input: { readonly pathId: string }): Plan<string> {
  const path = requireRecord(view, 'networkInsightsPath', input.pathId)
  const [analysis] = view.by('networkInsightsAnalysis', 'pathId', path.id)
  if (analysis !== undefined) {
    throw new AwsError('AnalysisExistsForNetworkInsightsPath',
      `The path ${path.id} has the analysis ${analysis.id}: delete its analyses first`)
  }
  return { changes: [remove('networkInsightsPath', path.id)], result: path.id }
}

/**
 * StartNetworkInsightsAnalysis: it is over at once.
 * @param find finds out what is so now
 * @throws AwsError InvalidNetworkInsightsPathId.*, ResourceLimitExceeded
 */
export function planStartNetworkInsightsAnalysis (view: AccountView,
  input: { readonly pathId: string, readonly tags: Tags },
  find: (path: NetworkInsightsPath) => InsightsFinding, context: PlanContext): Plan<string> {
  const path = requireRecord(view, 'networkInsightsPath', input.pathId)
  checkQuota(view.snapshot, 'network-insights-analyses-per-region',
    view.list('networkInsightsAnalysis').length + 1)
  const analysis: NetworkInsightsAnalysis = {
    id: context.newId('nia'), region: view.region, ownerId: view.accountId, tags: input.tags,
    pathId: path.id, startedMs: context.nowMs, finding: find(path)
  }
  return { changes: [put('networkInsightsAnalysis', analysis)], result: analysis.id }
}

/** DeleteNetworkInsightsAnalysis. @throws AwsError InvalidNetworkInsightsAnalysisId.* */
export function planDeleteNetworkInsightsAnalysis (view: AccountView,
  input: { readonly analysisId: string }): Plan<string> {
  const { id } = requireRecord(view, 'networkInsightsAnalysis', input.analysisId)
  return { changes: [remove('networkInsightsAnalysis', id)], result: id }
}
