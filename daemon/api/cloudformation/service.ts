/**
 * CloudFormation as a service behind the endpoint, in the AWS query protocol. Smithy 2.0, "AWS
 * query protocol".
 *
 *     Action=CreateStack&Version=2010-05-15&StackName=web&Parameters.member.1.ParameterKey=…
 *       ─▶ <CreateStackResponse xmlns="…">
 *            <CreateStackResult><StackId>…</StackId></CreateStackResult>
 *            <ResponseMetadata><RequestId>…</RequestId></ResponseMetadata></CreateStackResponse>
 *
 * The SDK's schemas are some megabytes; they are loaded with the first call.
 */
import { AwsError } from '../../model/aws_error.ts'
import type { Decoder } from '../query.ts'
import { AWS_QUERY, compileDecoder, parseParameters } from '../query.ts'
import { writeQueryAnswer, writeQueryError } from '../query_service.ts'
import type { OperationShape } from '../schema.ts'
import { SchemaRegistry } from '../schema.ts'
import type { Body, Call, Service } from '../service.ts'
import type { Writer } from '../xml.ts'
import { compileWriter } from '../xml.ts'
import type { ActionContext, StackAction } from './action.ts'
import { changeSetActions } from './change_set_actions.ts'
import { describeActions } from './describe_actions.ts'
import { stackActions } from './stack_actions.ts'

const API_VERSION = '2010-05-15'
/** As the audit trail names the service. */
export const EVENT_SOURCE = 'cloudformation.amazonaws.com'
const XML_NAMESPACE = `http://cloudformation.amazonaws.com/doc/${API_VERSION}/`

/** All that is built; docs/stacks.md lists them. */
export const STACK_ACTIONS: Readonly<Record<string, StackAction>> =
  { ...stackActions, ...describeActions, ...changeSetActions }

/** Codes of the parts that this service shares with EC2: CloudFormation has one for all of them. */
const VALIDATION_CODES: ReadonlySet<string> = new Set([
  'InvalidParameterValue', 'InvalidRequest', 'MissingParameter', 'TagLimitExceeded',
  'UnknownParameter', 'InvalidTagKey.Malformed'
])

interface Entry {
  readonly action: StackAction
  readonly decode: Decoder
  /** null for an action without an output. */
  readonly write: Writer | null
}

export function createCloudFormationService (context: ActionContext): Service {
  const entries = new Map<string, Entry>()
  let schemas: Promise<SchemaRegistry> | undefined
  const entryOf = async (name: string): Promise<Entry> => {
    const known = entries.get(name)
    if (known !== undefined) return known
    schemas ??= import('@aws-sdk/client-cloudformation').then((sdk) => new SchemaRegistry(sdk))
    const entry = compileEntry(name, (await schemas).operation(name))
    entries.set(name, entry)
    return entry
  }
  return {
    name: 'cloudformation',
    eventSource: EVENT_SOURCE,
    async call (call) {
      try {
        return await answer(context, call, entryOf)
      } catch (error) {
        if (!(error instanceof AwsError) || !VALIDATION_CODES.has(error.code)) throw error
        throw new AwsError('ValidationError', error.message)
      }
    },
    refuse: (refusal, requestId) => writeQueryError(XML_NAMESPACE, refusal, requestId)
  }
}

async function answer (context: ActionContext, call: Call,
  entryOf: (name: string) => Promise<Entry>): Promise<Body> {
  const parameters = parseParameters(call.form)
  call.action = parameters.get('Action') ?? ''
  const version = parameters.get('Version')
  if (call.action === '' || version !== API_VERSION) {
    throw new AwsError(call.action === '' ? 'MissingAction' : 'NoSuchVersion',
      'A call of CloudFormation has the parameters Action and Version=' + API_VERSION)
  }
  const { action, decode, write } = await entryOf(call.action)
  call.isRead = action.readOnly
  call.input = decode(parameters)
  call.output = await action.run(context, call.identity, call.input as never)
  const result = write === null ? null : write(call.output)
  return writeQueryAnswer(XML_NAMESPACE, call.action, result, call.requestId)
}

function compileEntry (name: string, operation: OperationShape | undefined): Entry {
  const action = Object.hasOwn(STACK_ACTIONS, name) ? STACK_ACTIONS[name] : undefined
  if (operation === undefined) {
    throw new AwsError('InvalidAction', `Could not find operation ${name.slice(0, 64)} for ` +
      `version ${API_VERSION}`)
  }
  if (action === undefined) {
    throw new AwsError('UnsupportedOperation', `The action ${name} is not built in vpclab.`)
  }
  return {
    action, decode: compileDecoder(operation.input, AWS_QUERY),
    write: operation.output === null ? null : compileWriter(operation.output)
  }
}
