/**
 * The CloudFormation API as `vpcctl` speaks it. Like ec2_client.ts it loads no SDK; the protocol is
 * the AWS query protocol, in which lists stand under `member` and every name is the SDK's own.
 *
 *     input ─▶ Parameters.member.1.ParameterKey=… ─ sigv4 ─▶ POST / ─▶ XML ─▶ result, or CtlError
 *
 * Source: Smithy 2.0, "AWS query protocol".
 */
import type * as Cfn from '@aws-sdk/client-cloudformation'
import { createRequire } from 'node:module'
import type { XMLParser as XMLParserClass } from 'fast-xml-parser'
import { AwsEndpoint, type AwsEndpointOptions, FORM_CONTENT_TYPE } from './aws_endpoint.ts'
import { encodeQuery, type QueryInput, type QueryValue } from './ec2_query.ts'
import { CtlError } from './exit_codes.ts'

// The package's CommonJS form is one file: 3 ms to load, against 30 ms for its many ES modules.
const { XMLParser } = createRequire(import.meta.url)('fast-xml-parser') as {
  XMLParser: typeof XMLParserClass
}

const API_VERSION = '2010-05-15'

/** The actions that `vpcctl` calls. Members that are `Date` in the SDK are ISO 8601 texts here. */
export interface StackResults {
  CreateStack: Cfn.CreateStackOutput
  DeleteStack: Readonly<Record<string, never>>
  DescribeStackEvents: Cfn.DescribeStackEventsOutput
  DescribeStackResources: Cfn.DescribeStackResourcesOutput
  DescribeStacks: Cfn.DescribeStacksOutput
  GetTemplate: Cfn.GetTemplateOutput
  UpdateStack: Cfn.UpdateStackOutput
  ValidateTemplate: Cfn.ValidateTemplateOutput
}

export class CloudFormationClient {
  readonly #endpoint: AwsEndpoint

  constructor (options: AwsEndpointOptions) {
    this.#endpoint = new AwsEndpoint(options)
  }

  /** One call. @throws CtlError with AWS's code when it is refused */
  async call<A extends keyof StackResults> (action: A,
    input: QueryInput): Promise<StackResults[A]> {
    const answer = await this.#endpoint.send({
      service: 'cloudformation',
      contentType: FORM_CONTENT_TYPE,
      body: encodeQuery(action, listsUnderMember(input), API_VERSION)
    })
    return decode(action, answer.status, answer.body) as unknown as StackResults[A]
  }
}

function listsUnderMember (input: QueryInput): QueryInput {
  return Object.fromEntries(Object.entries(input).map(([name, value]) => [name, nested(value)]))
}

function nested (value: QueryValue): QueryValue {
  if (Array.isArray(value)) return { member: (value as readonly QueryValue[]).map(nested) }
  return typeof value === 'object' ? listsUnderMember(value as QueryInput) : value
}

type Parsed = string | boolean | readonly Parsed[] | { readonly [element: string]: Parsed }

/** Elements with booleans inside. */
const BOOLEANS: ReadonlySet<string> =
  new Set(['NoEcho', 'DisableRollback', 'EnableTerminationProtection'])
/** Lists that are there when they are empty. */
const LISTS: ReadonlySet<string> = new Set([
  'Stacks', 'Parameters', 'Outputs', 'Tags', 'StackEvents', 'StackResources', 'Capabilities',
  'NotificationARNs'
])

function decode (action: string, status: number, xml: string): Parsed {
  const parser = new XMLParser({
    ignoreAttributes: true, ignoreDeclaration: true, parseTagValue: false, trimValues: false,
    processEntities: true, htmlEntities: true, isArray: (name) => name === 'member'
  })
  let root: Record<string, Record<string, Record<string, Parsed> | undefined> | undefined>
  try {
    root = parser.parse(xml) as typeof root
  } catch (error) {
    throw new CtlError('InvalidAnswer', `The answer is no XML: ${(error as Error).message}`)
  }
  if (status >= 400) {
    const { Code: code, Message: message } = root['ErrorResponse']?.['Error'] ?? {}
    if (typeof code === 'string') {
      throw new CtlError(code, typeof message === 'string' ? message : '')
    }
    throw new CtlError('InvalidAnswer',
      `${action} was answered with HTTP status ${String(status)}`)
  }
  return valueOf('', root[`${action}Response`]?.[`${action}Result`] ?? {})
}

function valueOf (element: string, parsed: Parsed): Parsed {
  if (typeof parsed === 'string') {
    if (LISTS.has(element)) return []
    return BOOLEANS.has(element) ? parsed === 'true' : parsed
  }
  if (typeof parsed === 'boolean') return parsed
  if (Array.isArray(parsed)) return (parsed as readonly Parsed[]).map((one) => valueOf('', one))
  const members = parsed as { readonly [name: string]: Parsed }
  const { member } = members
  if (member !== undefined) return valueOf('', member)
  return Object.fromEntries(Object.entries(members).filter(([name]) => name !== '#text')
    .map(([name, value]) => [name, valueOf(name, value)]))
}
