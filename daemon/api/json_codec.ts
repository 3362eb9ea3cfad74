/**
 * The JSON protocols: a body to the input of an operation, and its output to a body. Smithy 2.0,
 * "AWS JSON 1.1 protocol", and 1.0, which differs in its content type.
 *
 *     X-Amz-Target: CloudTrail_20131101.LookupEvents
 *     {"StartTime": 1767225600, "MaxResults": 10}
 *       ─▶ { StartTime: Date, MaxResults: 10 }
 *
 * Times are seconds since 1970, blobs base64. The error document names the exception in `__type`. A
 * service that speaks no other protocol is made by `createJsonService`.
 */
import { AwsError } from '../model/aws_error.ts'
import { dateOfSeconds, decodeDocument, errorDocument } from './document.ts'
import type { DocumentScalars } from './document.ts'
import { queryErrorHeaders } from './protocol.ts'
import type { Protocol } from './protocol.ts'
import { createOperationService } from './operation_service.ts'
import type { OperationServiceOptions } from './operation_service.ts'
import type { Shape } from './schema.ts'
import type { Call, Service } from './service.ts'

const TARGET_HEADER = 'x-amz-target'

export interface JsonServiceOptions extends Omit<OperationServiceOptions, 'protocols'> {
  /** What stands before the dot of X-Amz-Target. */
  readonly targetPrefix: string
}

/** A service of JSON 1.1 whose operations only read. */
export function createJsonService (options: JsonServiceOptions): Service {
  const { targetPrefix, ...service } = options
  return createOperationService(
    { ...service, protocols: [jsonProtocol({ version: '1.1', targetPrefix })] })
}

export interface JsonProtocolOptions {
  readonly version: '1.0' | '1.1'
  /** What stands before the dot of X-Amz-Target. */
  readonly targetPrefix: string
  /** Whether the service once spoke the query protocol, and refuses with its codes. */
  readonly isQueryCompatible?: boolean
}

export function jsonProtocol (options: JsonProtocolOptions): Protocol {
  const { version, targetPrefix, isQueryCompatible = false } = options
  const contentType = `application/x-amz-json-${version}`
  return {
    speaks: ({ request }) => request.headers[TARGET_HEADER] !== undefined,
    operationOf: (call) => operationNameOf(call, targetPrefix),
    decode: ({ input }, call) => decodeJson(input, call.text),
    encode: (_operation, output) => ({ contentType, content: encodeJson(output) }),
    refuse: (refusal) => {
      const document = errorDocument(refusal)
      return {
        contentType, content: JSON.stringify(document),
        ...isQueryCompatible ? { headers: queryErrorHeaders(document.__type, refusal) } : {}
      }
    },
    unknownCode: 'UnknownOperationException',
    unbuiltCode: 'UnsupportedOperationException'
  }
}

/** The part of X-Amz-Target behind the service's name; empty when it is another one's or absent. */
function operationNameOf (call: Call, targetPrefix: string): string {
  const target = call.request.headers[TARGET_HEADER]
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
  return decodeDocument(shape, value, SCALARS)
}

const SCALARS: DocumentScalars = {
  timestamp: dateOfSeconds,
  blob: (value) =>
    typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'base64')) : undefined,
  expected: { timestamp: 'a time in seconds since 1970', blob: 'base64' }
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
