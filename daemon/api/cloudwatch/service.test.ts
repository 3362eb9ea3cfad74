import test from 'ava'
import { cbor, tag } from '@smithy/core/cbor'
import { AwsError } from '../../model/aws_error.ts'
import { Call } from '../service.ts'
import { MetricHistory, SAMPLE_MS } from './metric_history.ts'
import { createCloudWatchService } from './service.ts'

const HISTORY = new MetricHistory()
for (const minute of [0, 1]) {
  HISTORY.sample(minute * SAMPLE_MS, [{
    eni: 'eni-1', instance: 'i-1', accountId: '111111111111', region: 'us-east-1',
    values: [minute * 10, 0, 0, 0]
  }])
}
const SERVICE = createCloudWatchService(HISTORY)

function callOf (headers: Readonly<Record<string, string>>, body: string | Uint8Array,
  path = '/'): Call {
  const call = new Call('request-1',
    { method: 'POST', path, query: '', headers, body }, '127.0.0.1', 0)
  call.caller = { accountId: '111111111111', region: 'us-east-1', accessKeyId: 'AKID' }
  return call
}

function jsonCall (operation: string, input: object): Call {
  return callOf({ 'x-amz-target': `GraniteServiceVersion20100801.${operation}` },
    JSON.stringify(input))
}

function cborCall (operation: string, input: object): Call {
  return callOf({ 'smithy-protocol': 'rpc-v2-cbor' }, cbor.serialize(input),
    `/service/GraniteServiceVersion20100801/operation/${operation}`)
}

/** Seconds since 1970, as CBOR has them. */
function seconds (value: number): object { return tag({ tag: 1, value }) }

test('clients that speak CBOR are answered in CBOR, with times as tags', async (t) => {
  const { contentType, content, headers } = await SERVICE.call(cborCall('GetMetricStatistics', {
    Namespace: 'vpclab/ENI', MetricName: 'NetworkIn', StartTime: seconds(0),
    EndTime: seconds(120), Period: 60, Statistics: ['Sum'],
    Dimensions: [{ Name: 'NetworkInterfaceId', Value: 'eni-1' }]
  }))
  t.is(contentType, 'application/cbor')
  t.deepEqual(headers, { 'smithy-protocol': 'rpc-v2-cbor' })
  t.deepEqual(cbor.deserialize(content as Uint8Array), {
    Label: 'NetworkIn',
    Datapoints: [{ Timestamp: seconds(0), Sum: 0, Unit: 'Bytes' },
      { Timestamp: seconds(60), Sum: 10, Unit: 'Bytes' }]
  })
})

test('clients that speak JSON are answered in JSON, with times in seconds', async (t) => {
  const { contentType, content } = await SERVICE.call(jsonCall('GetMetricStatistics', {
    Namespace: 'vpclab/ENI', MetricName: 'NetworkIn', StartTime: 0, EndTime: 120, Period: 60,
    Dimensions: [{ Name: 'NetworkInterfaceId', Value: 'eni-1' }], Statistics: ['Sum', 'Maximum']
  }))
  t.is(contentType, 'application/x-amz-json-1.0')
  t.deepEqual(JSON.parse(String(content)), {
    Label: 'NetworkIn',
    Datapoints: [{ Timestamp: 0, Sum: 0, Maximum: 0, Unit: 'Bytes' },
      { Timestamp: 60, Sum: 10, Maximum: 10, Unit: 'Bytes' }]
  })
})

test('a refusal has the protocol of its call', (t) => {
  const refusal = new AwsError('InvalidParameterValue', 'no')
  const json = SERVICE.refuse(refusal, 'request-1', jsonCall('ListMetrics', {}))
  const document = { __type: 'InvalidParameterValue', message: 'no' }
  t.deepEqual(JSON.parse(String(json.content)), document)
  t.deepEqual(json.headers, { 'x-amzn-query-error': 'InvalidParameterValue;Sender' })
  const binary = SERVICE.refuse(refusal, 'request-1', cborCall('ListMetrics', {}))
  t.deepEqual(cbor.deserialize(binary.content as Uint8Array), document)
  t.deepEqual(binary.headers, {
    'smithy-protocol': 'rpc-v2-cbor', 'x-amzn-query-error': 'InvalidParameterValue;Sender'
  })
  for (const call of [undefined, callOf({}, 'Action=ListMetrics')]) {
    t.regex(String(SERVICE.refuse(refusal, 'request-1', call).content),
      /^<\?xml .*<Code>InvalidParameterValue<\/Code>.*<RequestId>request-1</s)
  }
})

const NOT_BUILT: readonly (readonly [string, Call, string])[] = [
  ['JSON', jsonCall('PutMetricAlarm', {}), 'UnsupportedOperationException'],
  ['JSON', callOf({ 'x-amz-target': 'Other.Action' }, ''), 'UnknownOperationException'],
  ['CBOR', cborCall('PutMetricAlarm', {}), 'UnsupportedOperationException'],
  ['CBOR', callOf({ 'smithy-protocol': 'rpc-v2-cbor' }, '', '/service/Other/operation/A'),
    'UnknownOperationException'],
  ['query', callOf({}, 'Action=PutMetricAlarm&Version=2010-08-01'), 'UnsupportedOperation'],
  ['query', callOf({}, 'Action=Nothing&Version=2010-08-01'), 'InvalidAction'],
  ['query', callOf({}, 'Action=ListMetrics&Version=1999-01-01'), 'InvalidAction']
]

for (const [index, [protocol, call, expected]] of NOT_BUILT.entries()) {
  test(`what is not built is refused in ${protocol} (${String(index)})`, async (t) => {
    const { code } = await t.throwsAsync<AwsError>(async () => await SERVICE.call(call))
    t.is(code, expected)
  })
}
