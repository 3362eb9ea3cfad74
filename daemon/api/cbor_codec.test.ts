import * as sdk from '@aws-sdk/client-cloudtrail'
import { cbor, tag } from '@smithy/core/cbor'
import test from 'ava'
import { AwsError } from '../model/aws_error.ts'
import { decodeCbor, encodeCbor } from './cbor_codec.ts'
import { SchemaRegistry } from './schema.ts'

const schemas = new SchemaRegistry(sdk)
const SECONDS = 1767225600.5

function decode (value: Uint8Array | object): object {
  const shape = schemas.operation('LookupEvents')?.input
  if (shape === undefined) throw new Error('no operation LookupEvents')
  return decodeCbor(shape, value instanceof Uint8Array ? value : cbor.serialize(value))
}

test('a body becomes the input: times are dates, what is not known is passed over', (t) => {
  t.deepEqual(decode({
    LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'CreateVpc' }],
    StartTime: tag({ tag: 1, value: SECONDS }), MaxResults: 3, NextToken: null, Colour: 'red'
  }), {
    LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'CreateVpc' }],
    StartTime: new Date(SECONDS * 1000), MaxResults: 3
  })
  t.deepEqual(decode(new Uint8Array()), {})
})

const NESTED_DEEP = new Uint8Array(1_000_000).fill(0x81) // lists of one item in each other
const refusals: readonly (readonly [string, string, Uint8Array | object])[] = [
  ['no CBOR', 'SerializationException', new Uint8Array([0xff])],
  ['a map that is cut', 'SerializationException', new Uint8Array([0xa2, 0x61])],
  ['a list that promises more than there is', 'SerializationException',
    new Uint8Array([0x9a, 0xff, 0xff, 0xff, 0xff])],
  ['lists without end', 'SerializationException', NESTED_DEEP],
  ['a list for an object', 'SerializationException', []],
  ['a number for a time', 'SerializationException', { StartTime: 1 }],
  ['another tag for a time', 'SerializationException', { StartTime: tag({ tag: 0, value: 1 }) }],
  ['an integer beyond 2^53', 'SerializationException', { MaxResults: 2n ** 60n }],
  ['a missing member', 'ValidationException',
    { LookupAttributes: [{ AttributeKey: 'EventName' }] }]
]

for (const [what, code, body] of refusals) {
  test(`${what} is refused with ${code}`, (t) => {
    t.is(t.throws(() => decode(body), { instanceOf: AwsError }).code, code)
  })
}

test('an output becomes a body: dates are tags, blobs bytes, nothing absent is written', (t) => {
  t.deepEqual(cbor.deserialize(encodeCbor({
    at: new Date(SECONDS * 1000), blob: Buffer.from([1, 2]), none: undefined,
    list: [new Date(0)], text: 'ü', half: 0.5
  })), {
    at: tag({ tag: 1, value: SECONDS }), blob: Buffer.from([1, 2]),
    list: [tag({ tag: 1, value: 0 })], text: 'ü', half: 0.5
  })
})
