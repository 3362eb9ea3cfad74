/**
 * The protocol RPC v2 CBOR, which newer SDKs prefer where a service has it. Smithy 2.0, "Smithy RPC
 * v2 CBOR protocol".
 *
 *     POST /service/GraniteServiceVersion20100801/operation/ListMetrics
 *     Smithy-Protocol: rpc-v2-cbor
 *
 * The input is a CBOR map (RFC 8949) under the same names as in JSON; times are tag 1, in seconds
 * since 1970. Every answer, a refusal too, repeats the header: clients believe no other.
 */
import { cbor, tag } from '@smithy/core/cbor'
import { AwsError } from '../model/aws_error.ts'
import { dateOfSeconds, decodeDocument, errorDocument } from './document.ts'
import type { DocumentScalars } from './document.ts'
import { queryErrorHeaders } from './protocol.ts'
import type { Protocol } from './protocol.ts'
import type { Shape } from './schema.ts'
import type { Call } from './service.ts'

export const CBOR_CONTENT_TYPE = 'application/cbor'
const PROTOCOL_HEADER = 'smithy-protocol'
const PROTOCOL = 'rpc-v2-cbor'
const HEADERS = { [PROTOCOL_HEADER]: PROTOCOL }
const PATH = /^\/service\/([A-Za-z0-9_.]+)\/operation\/([A-Za-z0-9_]+)$/
/** RFC 8949 §3.4.2. */
const EPOCH_TAG = 1

/** @param target the service's name in the path; its JSON protocol has it in X-Amz-Target */
export function cborProtocol (target: string): Protocol {
  return {
    speaks: ({ request }) => request.headers[PROTOCOL_HEADER] === PROTOCOL,
    operationOf: ({ request }) => {
      const [, service = '', operation = ''] = PATH.exec(request.path) ?? []
      return service === target ? operation : ''
    },
    decode: ({ input }, call) => decodeCbor(input, bytesOf(call)),
    encode: (_operation, output) =>
      ({ contentType: CBOR_CONTENT_TYPE, content: encodeCbor(output), headers: HEADERS }),
    refuse: (refusal) => {
      const document = errorDocument(refusal)
      return {
        contentType: CBOR_CONTENT_TYPE, content: encodeCbor(document),
        headers: { ...HEADERS, ...queryErrorHeaders(document.__type, refusal) }
      }
    },
    unknownCode: 'UnknownOperationException',
    unbuiltCode: 'UnsupportedOperationException'
  }
}

function bytesOf ({ request: { body } }: Call): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body) : body
}

/**
 * @param bytes the body; an empty one stands for an empty structure
 * @throws AwsError SerializationException, ValidationException
 */
export function decodeCbor (shape: Shape, bytes: Uint8Array): object {
  let value: unknown
  try {
    value = bytes.length === 0 ? {} : cbor.deserialize(bytes)
  } catch {
    throw new AwsError('SerializationException', 'The body is not CBOR')
  }
  return decodeDocument(shape, value, SCALARS)
}

const SCALARS: DocumentScalars = {
  timestamp: (value) => {
    const { tag: number, value: seconds } = Object(value) as { tag?: unknown, value?: unknown }
    return number === EPOCH_TAG ? dateOfSeconds(seconds) : undefined
  },
  blob: (value) => value instanceof Uint8Array ? value : undefined,
  expected: { timestamp: 'a time: tag 1, seconds since 1970', blob: 'bytes' }
}

/** Absent members are not written. */
export function encodeCbor (output: object): Uint8Array { return cbor.serialize(tagged(output)) }

/** The same value as the serializer wants it: times as tags, and nothing absent. */
function tagged (value: unknown): unknown {
  if (value instanceof Date) return tag({ tag: EPOCH_TAG, value: value.getTime() / 1000 })
  if (Array.isArray(value)) return value.map(tagged)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([name, member]) => [name, tagged(member)]))
}
