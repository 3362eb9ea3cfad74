import * as sdk from '@aws-sdk/client-cloudtrail'
import test from 'ava'
import { AwsError } from '../model/aws_error.ts'
import { DOCUMENT_LIST_ITEMS_MAX } from './document.ts'
import { createJsonService, decodeJson, encodeJson } from './json_codec.ts'
import { SchemaRegistry } from './schema.ts'
import { Call } from './service.ts'

const schemas = new SchemaRegistry(sdk)

function decode (operation: string, value: unknown): object {
  const shape = schemas.operation(operation)?.input
  if (shape === undefined) throw new Error(`no operation ${operation}`)
  return decodeJson(shape, typeof value === 'string' ? value : JSON.stringify(value))
}

test('a body becomes the input: times are dates, what is not known is passed over', (t) => {
  t.deepEqual(decode('LookupEvents', {
    LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'CreateVpc' }],
    StartTime: 1767225600.5, MaxResults: 3, NextToken: null, Colour: 'red'
  }), {
    LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'CreateVpc' }],
    StartTime: new Date('2026-01-01T00:00:00.500Z'), MaxResults: 3
  })
  t.deepEqual(decode('LookupEvents', ''), {})
})

const refusals: readonly (readonly [string, string, unknown])[] = [
  ['no JSON', 'SerializationException', '{'],
  ['a list for an object', 'SerializationException', []],
  ['an object for a list', 'SerializationException', { LookupAttributes: {} }],
  ['a text for a number', 'SerializationException', { MaxResults: '3' }],
  ['a text for a time', 'SerializationException', { StartTime: '2026-01-01' }],
  ['a number for a text', 'SerializationException', { NextToken: 1 }],
  ['a missing member', 'ValidationException',
    { LookupAttributes: [{ AttributeKey: 'EventName' }] }],
  ['a long list', 'ValidationException',
    { LookupAttributes: Array.from({ length: DOCUMENT_LIST_ITEMS_MAX + 1 }, () => ({})) }]
]

for (const [what, code, body] of refusals) {
  test(`${what} is refused with ${code}`, (t) => {
    t.is(t.throws(() => decode('LookupEvents', body), { instanceOf: AwsError }).code, code)
  })
}

test('an output becomes a body: dates are seconds, blobs base64', (t) => {
  t.is(encodeJson({
    at: new Date('2026-01-01T00:00:00.500Z'), blob: new Uint8Array([1, 2]), none: undefined,
    list: [new Date(0)], text: 'ü'
  }), '{"at":1767225600.5,"blob":"AQI=","list":[0],"text":"ü"}')
})

function callOf (target: string): Call {
  return new Call('request-1', {
    method: 'POST', path: '/', query: '', headers: { 'x-amz-target': target }, body: '{}'
  }, '127.0.0.1', 0)
}

test('an operation that is none, or is not built, is named', async (t) => {
  const service = createJsonService({
    name: 'cloudtrail', targetPrefix: 'CloudTrail_20131101',
    loadClient: () => import('@aws-sdk/client-cloudtrail'), operations: []
  })
  const codeOf = async (target: string): Promise<string> => {
    const refusal = await t.throwsAsync(service.call(callOf(target)), { instanceOf: AwsError })
    return refusal.code
  }
  t.is(await codeOf('CloudTrail_20131101.StopLogging'), 'UnsupportedOperationException')
  t.is(await codeOf('CloudTrail_20131101.Nothing'), 'UnknownOperationException')
  t.is(await codeOf('Another_1.LookupEvents'), 'UnknownOperationException')
  const { content } = service.refuse(new AwsError('AuthFailure', 'who?'), 'request-1')
  t.deepEqual(JSON.parse(String(content)),
    { __type: 'UnrecognizedClientException', message: 'who?' })
})
