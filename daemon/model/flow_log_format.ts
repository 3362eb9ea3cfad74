/**
 * The format of a flow log's lines: `${field} ${field} …`, any fields in any order. AWS VPC User
 * Guide, "Flow log records", "Available fields".
 */
import { AwsError } from './aws_error.ts'

/** Every field, with the version of the format that brought it. */
export const FLOW_LOG_FIELDS = {
  'version': 2, 'account-id': 2, 'interface-id': 2, 'srcaddr': 2, 'dstaddr': 2, 'srcport': 2,
  'dstport': 2, 'protocol': 2, 'packets': 2, 'bytes': 2, 'start': 2, 'end': 2, 'action': 2,
  'log-status': 2,
  'vpc-id': 3, 'subnet-id': 3, 'instance-id': 3, 'tcp-flags': 3, 'type': 3, 'pkt-srcaddr': 3,
  'pkt-dstaddr': 3,
  'region': 4, 'az-id': 4, 'sublocation-type': 4, 'sublocation-id': 4,
  'pkt-src-aws-service': 5, 'pkt-dst-aws-service': 5, 'flow-direction': 5, 'traffic-path': 5
} as const

export type FlowLogField = keyof typeof FLOW_LOG_FIELDS

const DEFAULT_VERSION = 2

/** The fields of the default format, in order. */
const DEFAULT_FIELDS = (Object.keys(FLOW_LOG_FIELDS) as FlowLogField[])
  .filter((field) => FLOW_LOG_FIELDS[field] === DEFAULT_VERSION)

/** The default format as DescribeFlowLogs prints it. */
export const DEFAULT_FORMAT = DEFAULT_FIELDS.map((field) => `\${${field}}`).join(' ')

const TOKEN = /^\$\{([a-z0-9-]+)\}$/

function isField (name: string): name is FlowLogField {
  return Object.hasOwn(FLOW_LOG_FIELDS, name)
}

/** Fields of a format, in order. Precondition: checkFlowLogFormat took it. @param format or null */
export function fieldsOfFormat (format: string | null): readonly FlowLogField[] {
  if (format === null) return DEFAULT_FIELDS
  return format.split(' ').map((token) => TOKEN.exec(token)?.[1] ?? '').filter(isField)
}

/** What the field `version` says: the newest that any of the fields needs. */
export function versionOfFields (fields: readonly FlowLogField[]): number {
  return Math.max(DEFAULT_VERSION, ...fields.map((field) => FLOW_LOG_FIELDS[field]))
}

/**
 * @returns the format with single spaces
 * @throws AwsError InvalidParameter
 */
export function checkFlowLogFormat (text: string): string {
  const tokens = text.trim().split(/\s+/)
  const fields = tokens.map((token) => TOKEN.exec(token)?.[1] ?? '')
  const wrong = tokens.find((_token, at) => !isField(fields[at] ?? ''))
  if (wrong !== undefined) {
    throw new AwsError('InvalidParameter',
      `Unknown field '${wrong.slice(0, 64)}' in LogFormat; expecting \${field} with spaces ` +
      `between, with fields of ${Object.keys(FLOW_LOG_FIELDS).join(', ')}`)
  }
  const twice = fields.find((field, at) => fields.indexOf(field) !== at)
  if (twice !== undefined) {
    throw new AwsError('InvalidParameter', `The field ${twice} appears twice in LogFormat`)
  }
  return tokens.join(' ')
}
