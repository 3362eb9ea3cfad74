/**
 * The JSON 1.1 protocol: a body to the input of an operation, and its output to a body. Smithy 2.0,
 * "AWS JSON 1.1 protocol".
 *
 *     X-Amz-Target: CloudTrail_20131101.LookupEvents
 *     {"StartTime": 1767225600, "MaxResults": 10}
 *       ─▶ { StartTime: Date, MaxResults: 10 }
 *
 * The operation's schema (schema.ts) names members and types; what it does not know is passed over,
 * as AWS does. Times are seconds since 1970, blobs base64. The error document names the exception
 * in `__type`. A service of this protocol is made by `createJsonService`.
 */
import { AwsError } from '../model/aws_error.ts'
import { SchemaRegistry, type OperationShape, type Scalar, type Shape } from './schema.ts'
import type { Body, Call, Service } from './service.ts'
import type { Caller } from './sigv4.ts'

const CONTENT_TYPE = 'application/x-amz-json-1.1'
/** Items of one list. */
export const JSON_LIST_ITEMS_MAX = 1000

/** An operation that only reads; input and output are the SDK's. */
export interface JsonOperation<Input, Output> {
  readonly name: string
  /** @throws AwsError to refuse */
  answer(caller: Caller, input: Input): Output
}

/** Marks an operation, whose input the codec makes. */
export function defineJsonOperation<Input, Output extends object> (
  operation: JsonOperation<Input, Output>): JsonOperation<object, object> {
  return operation as unknown as JsonOperation<object, object>
}

export interface JsonServiceOptions {
  /** As in the credential scope, `cloudtrail`. */
  readonly name: string
  /** What stands before the dot of X-Amz-Target. */
  readonly targetPrefix: string
  /** The service's client package; loaded at the first call. */
  readonly loadClient: () => Promise<object>
  readonly operations: readonly JsonOperation<object, object>[]
}

/** A service whose operations only read. */
export function createJsonService (options: JsonServiceOptions): Service {
  const { name, targetPrefix, loadClient } = options
  const operations = new Map(options.operations.map((operation) => [operation.name, operation]))
  let loading: Promise<SchemaRegistry> | undefined
  const shapeOf = async (operationName: string): Promise<OperationShape | undefined> => {
    loading ??= loadClient().then((client) => new SchemaRegistry(client))
    return (await loading).operation(operationName)
  }
  return {
    name,
    eventSource: `${name}.amazonaws.com`,
    async call (call): Promise<Body> {
      call.action = operationNameOf(call, targetPrefix)
      const shape = await shapeOf(call.action)
      if (shape === undefined) {
        throw new AwsError('UnknownOperationException',
          `${name} has no operation "${call.action.slice(0, 64)}"`)
      }
      const operation = operations.get(call.action)
      if (operation === undefined) {
        throw new AwsError('UnsupportedOperationException',
          `The operation ${call.action} of ${name} is not built in vpclab.`)
      }
      call.operation = shape
      call.input = decodeJson(shape.input, call.request.body)
      call.output = operation.answer(call.identity, call.input)
      return { contentType: CONTENT_TYPE, text: encodeJson(call.output) }
    },
    refuse: (refusal) => ({ contentType: CONTENT_TYPE, text: encodeJsonError(refusal) })
  }
}

/** The part of X-Amz-Target behind the service's name; empty when it is another one's or absent. */
function operationNameOf (call: Call, targetPrefix: string): string {
  const target = call.request.headers['x-amz-target']
  const [service, operation] = splitAtLastDot(typeof target === 'string' ? target : '')
  return service === targetPrefix || service.endsWith(`.${targetPrefix}`) ? operation : ''
}

function splitAtLastDot (target: string): [string, string] {
  const dotAt = target.lastIndexOf('.')
  return [target.slice(0, Math.max(dotAt, 0)), target.slice(dotAt + 1)]
}

/**
 * @param text the body; an empty one stands for an empty structure
 * @throws AwsError SerializationException when it is not of the shape, ValidationException when a
 *   member that must be there is not
 */
export function decodeJson (shape: Shape, text: string): object {
  let value: unknown
  try {
    value = text === '' ? {} : JSON.parse(text)
  } catch {
    throw new AwsError('SerializationException', 'The body is not JSON')
  }
  return decodeValue(shape, value, '') as object
}

function decodeValue (shape: Shape, value: unknown, path: string): unknown {
  if (shape.kind === 'structure') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw wrongType(path, 'an object')
    }
    const given = value as Readonly<Record<string, unknown>>
    const result: Record<string, unknown> = {}
    for (const member of shape.members) {
      const one = Object.hasOwn(given, member.name) ? given[member.name] : undefined
      const memberPath = path === '' ? member.name : `${path}.${member.name}`
      if (one !== undefined && one !== null) {
        result[member.name] = decodeValue(member.shape(), one, memberPath)
      } else if (member.required) {
        throw new AwsError('ValidationException',
          `1 validation error detected: Value null at '${memberPath}' failed to satisfy ` +
          'constraint: Member must not be null')
      }
    }
    return result
  }
  if (shape.kind === 'list') {
    if (!Array.isArray(value)) throw wrongType(path, 'a list')
    if (value.length > JSON_LIST_ITEMS_MAX) {
      throw new AwsError('ValidationException',
        `The list ${path} has more than ${String(JSON_LIST_ITEMS_MAX)} items`)
    }
    return value.map((item, index) =>
      decodeValue(shape.item.shape(), item, `${path}.${String(index + 1)}`))
  }
  return SCALAR_DECODERS[shape.kind](value, path)
}

const SCALAR_DECODERS: { readonly [K in Scalar]: (value: unknown, path: string) => unknown } = {
  string: (value, path) => {
    if (typeof value !== 'string') throw wrongType(path, 'a string')
    return value
  },
  number: (value, path) => {
    if (typeof value !== 'number') throw wrongType(path, 'a number')
    return value
  },
  boolean: (value, path) => {
    if (typeof value !== 'boolean') throw wrongType(path, 'true or false')
    return value
  },
  timestamp: (value, path) => {
    const date = new Date(typeof value === 'number' ? value * 1000 : NaN)
    if (Number.isNaN(date.getTime())) throw wrongType(path, 'a time in seconds since 1970')
    return date
  },
  blob: (value, path) => {
    if (typeof value !== 'string') throw wrongType(path, 'base64')
    return new Uint8Array(Buffer.from(value, 'base64'))
  }
}

function wrongType (path: string, expected: string): AwsError {
  return new AwsError('SerializationException',
    `${path === '' ? 'The body' : `The value of ${path}`} is not ${expected}`)
}

/** Absent members are not written. */
export function encodeJson (output: object): string {
  return JSON.stringify(output, function (this: Readonly<Record<string, unknown>>, name, value) {
    // JSON.stringify has called a date's toJSON already.
    const original = this[name]
    if (original instanceof Date) return original.getTime() / 1000
    if (original instanceof Uint8Array) return Buffer.from(original).toString('base64')
    return value as unknown
  })
}

/** The endpoint's own refusals, in the words of services of this protocol. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  AuthFailure: 'UnrecognizedClientException',
  IncompleteSignature: 'IncompleteSignatureException',
  InternalError: 'InternalFailure',
  MissingAuthenticationToken: 'MissingAuthenticationTokenException',
  RequestExpired: 'InvalidSignatureException',
  Unavailable: 'ServiceUnavailableException'
}

/** The error document of services of this protocol. */
export function encodeJsonError (refusal: AwsError): string {
  return JSON.stringify(
    { __type: EXCEPTIONS[refusal.code] ?? refusal.code, message: refusal.message })
}
