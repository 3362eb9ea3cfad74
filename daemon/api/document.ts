/**
 * A document that a parser has read, to the input of an operation: by the operation's shape
 * (schema.ts), which names members and types. What it does not know is passed over, as AWS does.
 * How a time or a blob looks is the protocol's own.
 */
import { AwsError } from '../model/aws_error.ts'
import type { Scalar, Shape } from './schema.ts'

/** Items of one list. */
export const DOCUMENT_LIST_ITEMS_MAX = 1000

/** @returns undefined when the value is none of the kind */
type ScalarDecoder = (value: unknown) => unknown

/** A protocol's scalars, and what is expected in the place of a wrong one. */
export interface DocumentScalars {
  readonly timestamp: ScalarDecoder
  readonly blob: ScalarDecoder
  readonly expected: { readonly timestamp: string, readonly blob: string }
}

/**
 * @throws AwsError SerializationException when the document is not of the shape,
 *   ValidationException when a member that must be there is not
 */
export function decodeDocument (shape: Shape, value: unknown, scalars: DocumentScalars): object {
  return decodeValue(shape, value, '', scalars) as object
}

function decodeValue (
  shape: Shape, value: unknown, path: string, scalars: DocumentScalars): unknown {
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
        result[member.name] = decodeValue(member.shape(), one, memberPath, scalars)
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
    if (value.length > DOCUMENT_LIST_ITEMS_MAX) {
      throw new AwsError('ValidationException',
        `The list ${path} has more than ${String(DOCUMENT_LIST_ITEMS_MAX)} items`)
    }
    return value.map((item, index) =>
      decodeValue(shape.item.shape(), item, `${path}.${String(index + 1)}`, scalars))
  }
  return decodeScalar(shape.kind, value, path, scalars)
}

const EXPECTED = { string: 'a string', number: 'a number', boolean: 'true or false' } as const

function decodeScalar (
  kind: Scalar, value: unknown, path: string, scalars: DocumentScalars): unknown {
  if (kind === 'timestamp' || kind === 'blob') {
    const decoded = scalars[kind](value)
    if (decoded === undefined) throw wrongType(path, scalars.expected[kind])
    return decoded
  }
  if (typeof value !== kind) throw wrongType(path, EXPECTED[kind])
  return value
}

/** @returns undefined for what is no time */
export function dateOfSeconds (value: unknown): Date | undefined {
  const date = new Date(typeof value === 'number' ? value * 1000 : NaN)
  return Number.isNaN(date.getTime()) ? undefined : date
}

function wrongType (path: string, expected: string): AwsError {
  return new AwsError('SerializationException',
    `${path === '' ? 'The body' : `The value of ${path}`} is not ${expected}`)
}

/** The endpoint's own refusals, in the words of services of the protocols of documents. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  AuthFailure: 'UnrecognizedClientException',
  IncompleteSignature: 'IncompleteSignatureException',
  InternalError: 'InternalFailure',
  MissingAuthenticationToken: 'MissingAuthenticationTokenException',
  RequestExpired: 'InvalidSignatureException',
  Unavailable: 'ServiceUnavailableException'
}

/** The error document of these protocols. */
export function errorDocument ({ code, message }: AwsError):
{ readonly __type: string, readonly message: string } {
  return { __type: EXCEPTIONS[code] ?? code, message }
}
