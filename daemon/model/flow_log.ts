/**
 * Flow log: which traffic of which VPC, subnet or network interface is written down, in which form,
 * and where to. AWS VPC User Guide, "Logging IP traffic using VPC Flow Logs"; EC2 API Reference,
 * CreateFlowLogs.
 *
 * A flow log never changes after it was made; what became of its deliveries is all that does. One
 * call makes a flow log for each of its resources, and refuses each resource by itself: what is
 * wrong with one stands in `unsuccessful` and the others have theirs.
 */
import { AwsError } from './aws_error.ts'
import { checkFlowLogFormat } from './flow_log_format.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { checkIdForm, notFound, requireRecord } from './resource_kind.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView, Change } from './snapshot.ts'

export const FLOW_LOG_RESOURCE_TYPES = ['VPC', 'Subnet', 'NetworkInterface'] as const
export type FlowLogResourceType = (typeof FLOW_LOG_RESOURCE_TYPES)[number]
const TRAFFIC_TYPES = ['ACCEPT', 'REJECT', 'ALL'] as const
export type TrafficType = (typeof TRAFFIC_TYPES)[number]

const NOUNS = { VPC: 'vpc', Subnet: 'subnet', NetworkInterface: 'networkInterface' } as const

/** Resources of one call. */
export const FLOW_LOG_RESOURCES_MAX = 1000
/** Longest aggregation intervals, seconds. */
const INTERVALS_S = [60, 600]
const INTERVAL_DEFAULT_S = 600

export interface LogGroupDestination {
  readonly type: 'cloud-watch-logs'
  readonly logGroupName: string
  readonly permissionArn: string
}

export interface BucketDestination {
  readonly type: 's3'
  readonly bucket: string
  /** Folder in the bucket, without slashes at its ends; may be empty. */
  readonly prefix: string
  readonly hiveCompatible: boolean
  readonly perHour: boolean
}

export type FlowLogDestination = LogGroupDestination | BucketDestination

export interface FlowLog extends OwnedRecord {
  readonly resourceId: string
  readonly resourceType: FlowLogResourceType
  readonly trafficType: TrafficType
  readonly destination: FlowLogDestination
  /** `${field} ${field} …`; null for the default format. */
  readonly format: string | null
  /** As asked for, 60 or 600; interfaces of current instance families have at most 60 anyway. */
  readonly aggregationIntervalS: number
  readonly createdMs: number
  /** Why the last delivery failed; null when it did not. */
  readonly deliveryError: string | null
}

/** A call, in plain values; null and empty where it said nothing. */
export interface CreateFlowLogsInput {
  readonly resourceIds: readonly string[]
  readonly resourceType: string
  readonly trafficType: string | null
  readonly destinationType: string | null
  readonly logDestination: string | null
  readonly logGroupName: string | null
  readonly permissionArn: string | null
  readonly format: string | null
  readonly aggregationIntervalS: number | null
  readonly fileFormat: string | null
  readonly hiveCompatible: boolean
  readonly perHour: boolean
  readonly tags: Tags
}

export interface Unsuccessful {
  readonly resourceId: string
  readonly code: string
  readonly message: string
}

export interface CreatedFlowLogs {
  readonly ids: readonly string[]
  readonly unsuccessful: readonly Unsuccessful[]
}

/**
 * CreateFlowLogs.
 * @throws AwsError InvalidParameter, InvalidParameterValue, MissingParameter,
 *   LogDestinationPermissionIssue; what is wrong with a single resource does not throw
 */
export function planCreateFlowLogs (view: AccountView, input: CreateFlowLogsInput,
  context: PlanContext): Plan<CreatedFlowLogs> {
  const resourceType = FLOW_LOG_RESOURCE_TYPES.find((type) => type === input.resourceType)
  if (resourceType === undefined) throw wrongResourceType(input.resourceType)
  if (input.resourceIds.length === 0) {
    throw new AwsError('MissingParameter', 'The request must contain the parameter ResourceIds')
  }
  if (input.resourceIds.length > FLOW_LOG_RESOURCES_MAX) {
    throw new AwsError('InvalidParameterValue',
      `${String(input.resourceIds.length)} resources are too many for one call; at most ` +
      `${String(FLOW_LOG_RESOURCES_MAX)} are allowed`)
  }
  const common = {
    region: view.region, ownerId: view.accountId, tags: input.tags, resourceType,
    trafficType: trafficTypeOf(input.trafficType), destination: destinationOf(input, view),
    format: input.format === null ? null : checkFlowLogFormat(input.format),
    aggregationIntervalS: intervalOf(input.aggregationIntervalS), createdMs: context.nowMs,
    deliveryError: null
  }
  const changes: Change[] = []
  const ids: string[] = []
  const unsuccessful: Unsuccessful[] = []
  for (const resourceId of new Set(input.resourceIds)) {
    try {
      const flowLog: FlowLog = { ...common, id: '', resourceId }
      checkResource(view, flowLog)
      const id = context.newId('fl')
      changes.push(put('flowLog', { ...flowLog, id }))
      ids.push(id)
    } catch (error) {
      if (!(error instanceof AwsError)) throw error
      unsuccessful.push({ resourceId, code: error.code, message: error.message })
    }
  }
  return { changes, result: { ids, unsuccessful } }
}

/**
 * DeleteFlowLogs; what they have delivered stays.
 * @throws AwsError InvalidFlowLogId.NotFound, InvalidFlowLogId.Malformed
 */
export function planDeleteFlowLogs (view: AccountView,
  input: { readonly flowLogIds: readonly string[] }): Plan<null> {
  if (input.flowLogIds.length === 0) {
    throw new AwsError('MissingParameter', 'The request must contain the parameter FlowLogIds')
  }
  for (const id of input.flowLogIds) checkIdForm('flowLog', id)
  const absent = input.flowLogIds.filter((id) => view.get('flowLog', id) === undefined)
  if (absent.length > 0) throw notFound('flowLog', ...absent)
  return { changes: [...new Set(input.flowLogIds)].map((id) => remove('flowLog', id)),
    result: null }
}

/** The lab's own: how deliveries of a flow log go. @param error null: they succeed */
export function planFlowLogDelivery (flowLog: FlowLog, error: string | null): Plan<null> {
  return { changes: [put('flowLog', { ...flowLog, deliveryError: error })], result: null }
}

function wrongResourceType (type: string): AwsError {
  if (['TransitGateway', 'TransitGatewayAttachment', 'RegionalNatGateway'].includes(type)) {
    return new AwsError('UnsupportedOperation',
      `Flow logs of a ${type} are not built in vpclab; expecting ` +
      FLOW_LOG_RESOURCE_TYPES.join(', '))
  }
  return new AwsError('InvalidParameterValue',
    `Invalid value '${type}' for ResourceType; expecting ${FLOW_LOG_RESOURCE_TYPES.join(', ')}`)
}

function checkResource (view: AccountView, flowLog: FlowLog): void {
  const { resourceId } = flowLog
  requireRecord(view, NOUNS[flowLog.resourceType], resourceId)
  const others = view.by('flowLog', 'resourceId', resourceId)
  if (others.some((other) => isSame(other, flowLog))) {
    throw new AwsError('FlowLogAlreadyExists',
      'There is an existing Flow Log with the same configuration and log destination.')
  }
  checkQuota(view.snapshot, 'flow-logs-per-resource', others.length + 1)
}

function isSame (one: FlowLog, other: FlowLog): boolean {
  return one.trafficType === other.trafficType && one.format === other.format &&
    placeOf(one.destination) === placeOf(other.destination)
}

function placeOf (destination: FlowLogDestination): string {
  return destination.type === 's3'
    ? `s3 ${destination.bucket}/${destination.prefix}`
    : `log group ${destination.logGroupName}`
}

function trafficTypeOf (text: string | null): TrafficType {
  const type = TRAFFIC_TYPES.find((one) => one === text)
  if (type !== undefined) return type
  if (text === null) {
    throw new AwsError('MissingParameter', 'The request must contain the parameter TrafficType')
  }
  throw new AwsError('InvalidParameterValue',
    `Invalid value '${text}' for TrafficType; expecting ${TRAFFIC_TYPES.join(', ')}`)
}

function intervalOf (seconds: number | null): number {
  if (seconds === null) return INTERVAL_DEFAULT_S
  if (INTERVALS_S.includes(seconds)) return seconds
  throw invalid(`Invalid Flow Log Max Aggregation Interval: ${String(seconds)}; expecting ` +
    INTERVALS_S.join(' or '))
}

function invalid (message: string): AwsError { return new AwsError('InvalidParameter', message) }

// ------------------------------------------------------------------------------------ destinations

const LOG_GROUP_ARN = /^arn:aws[a-z-]*:logs:([^:]*):(\d{12}):log-group:([^:]+)(?::\*)?$/
const LOG_GROUP_NAME = /^[-._/#A-Za-z0-9]{1,512}$/
const BUCKET_ARN = /^arn:aws[a-z-]*:s3:::([^/]+)(?:\/(.*))?$/
/** Amazon S3 User Guide, "Bucket naming rules". */
const BUCKET_NAME = /^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
/** One folder of a prefix: nothing that means something to a file system. */
const FOLDER = /^(?!\.{1,2}$)[-!_.*'()A-Za-z0-9=]{1,200}$/
const PREFIX_LENGTH_MAX = 512
/** A folder of this name is AWS's own. */
const RESERVED_FOLDER = 'AWSLogs'
const ROLE_ARN = /^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/

/** @param view whose account and Region the log group is in */
function destinationOf (input: CreateFlowLogsInput, view: AccountView): FlowLogDestination {
  const type = input.destinationType ?? 'cloud-watch-logs'
  switch (type) {
    case 'cloud-watch-logs': return logGroupOf(input, view)
    case 's3': return bucketOf(input)
    case 'kinesis-data-firehose':
      throw new AwsError('UnsupportedOperation',
        'Delivery streams are not built in vpclab; expecting s3 or cloud-watch-logs')
    default: throw new AwsError('InvalidParameterValue',
      `Invalid value '${type}' for LogDestinationType; expecting cloud-watch-logs, s3 or ` +
      'kinesis-data-firehose')
  }
}

function logGroupOf (input: CreateFlowLogsInput, view: AccountView): LogGroupDestination {
  if (input.fileFormat !== null || input.hiveCompatible || input.perHour) {
    throw invalid('DestinationOptions are for LogDestinationType s3 alone')
  }
  if (input.permissionArn === null) {
    throw invalid(
      "DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs.")
  }
  if (!ROLE_ARN.test(input.permissionArn)) {
    throw invalid(`DeliverLogsPermissionArn ${input.permissionArn} is not the ARN of a role, ` +
      'such as arn:aws:iam::123456789012:role/flow-logs')
  }
  const logGroupName = input.logGroupName ?? groupOfArn(input.logDestination, view)
  if (input.logGroupName !== null && input.logDestination !== null) {
    throw invalid('Provide LogGroupName or LogDestination, not both')
  }
  if (!LOG_GROUP_NAME.test(logGroupName)) {
    throw invalid(`The log group name '${logGroupName.slice(0, 64)}' is not valid; expecting 1 ` +
      'to 512 letters, digits and . - _ / #')
  }
  return { type: 'cloud-watch-logs', logGroupName, permissionArn: input.permissionArn }
}

function groupOfArn (arn: string | null, { accountId, region }: AccountView): string {
  if (arn === null) throw invalid("LogDestination can't be empty if LogGroupName is not provided.")
  const match = LOG_GROUP_ARN.exec(arn)
  if (match === null) {
    throw invalid(`LogDestination ${arn} is not the ARN of a log group, such as ` +
      `arn:aws:logs:${region}:123456789012:log-group:flows`)
  }
  if (match[1] !== region) {
    throw invalid(`LogDestination ${arn} is in another Region than ${region}`)
  }
  if (match[2] !== accountId) {
    throw new AwsError('LogDestinationPermissionIssue',
      `Access Denied for LogDestination: ${arn} is a log group of another account than ` +
      accountId)
  }
  return match[3] ?? ''
}

function bucketOf (input: CreateFlowLogsInput): BucketDestination {
  if (input.logGroupName !== null) {
    throw invalid('LogDestinationType must be cloud-watch-logs if LogGroupName is provided.')
  }
  if (input.permissionArn !== null) {
    throw invalid('DeliverLogsPermissionArn is for LogDestinationType cloud-watch-logs alone')
  }
  if (input.logDestination === null) {
    throw invalid("LogDestination can't be empty if LogDestinationType is s3.")
  }
  checkFileFormat(input.fileFormat)
  const [, bucket = '', folder = ''] = BUCKET_ARN.exec(input.logDestination) ?? []
  if (!BUCKET_NAME.test(bucket)) {
    throw invalid(`LogDestination ${input.logDestination} is not the ARN of a bucket, such as ` +
      'arn:aws:s3:::my-bucket or arn:aws:s3:::my-bucket/folder/')
  }
  const prefix = folder.replace(/^\/+|\/+$/g, '')
  const folders = prefix === '' ? [] : prefix.split('/')
  if (prefix.length > PREFIX_LENGTH_MAX || !folders.every((one) => FOLDER.test(one)) ||
    folders.includes(RESERVED_FOLDER)) {
    throw invalid(`The folder '${prefix.slice(0, 64)}' of LogDestination is not valid; expecting ` +
      'names of letters, digits and ! - _ . * \' ( ) = with slashes between, none of them ' +
      RESERVED_FOLDER)
  }
  return { type: 's3', bucket, prefix, hiveCompatible: input.hiveCompatible,
    perHour: input.perHour }
}

function checkFileFormat (fileFormat: string | null): void {
  if (fileFormat === null || fileFormat === 'plain-text') return
  if (fileFormat === 'parquet') {
    throw new AwsError('UnsupportedOperation',
      'The file format parquet is not built in vpclab; expecting plain-text')
  }
  throw new AwsError('InvalidParameterValue',
    `Invalid value '${fileFormat}' for FileFormat; expecting plain-text or parquet`)
}
