import test from 'ava'
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

function callOf (headers: Readonly<Record<string, string>>, body: string): Call {
  const call = new Call('request-1',
    { method: 'POST', path: '/', query: '', headers, body }, '127.0.0.1', 0)
  call.caller = { accountId: '111111111111', region: 'us-east-1', accessKeyId: 'AKID' }
  return call
}

function jsonCall (operation: string, input: object): Call {
  return callOf({ 'x-amz-target': `GraniteServiceVersion20100801.${operation}` },
    JSON.stringify(input))
}

test('clients that speak JSON are answered in JSON, with times in seconds', async (t) => {
  const { contentType, text } = await SERVICE.call(jsonCall('GetMetricStatistics', {
    Namespace: 'vpclab/ENI', MetricName: 'NetworkIn', StartTime: 0, EndTime: 120, Period: 60,
    Dimensions: [{ Name: 'NetworkInterfaceId', Value: 'eni-1' }], Statistics: ['Sum', 'Maximum']
  }))
  t.is(contentType, 'application/x-amz-json-1.0')
  t.deepEqual(JSON.parse(text), {
    Label: 'NetworkIn',
    Datapoints: [{ Timestamp: 0, Sum: 0, Maximum: 0, Unit: 'Bytes' },
      { Timestamp: 60, Sum: 10, Maximum: 10, Unit: 'Bytes' }]
  })
})

test('a refusal has the protocol of its call', (t) => {
  const refusal = new AwsError('InvalidParameterValue', 'no')
  const json = SERVICE.refuse(refusal, 'request-1', jsonCall('ListMetrics', {}))
  t.deepEqual(JSON.parse(json.text), { __type: 'InvalidParameterValue', message: 'no' })
  for (const call of [undefined, callOf({}, 'Action=ListMetrics')]) {
    t.regex(SERVICE.refuse(refusal, 'request-1', call).text,
      /^<\?xml .*<Code>InvalidParameterValue<\/Code>.*<RequestId>request-1</s)
  }
})

test('operations that are not built are refused by name, in both protocols', async (t) => {
  for (const call of [jsonCall('PutMetricAlarm', {}),
    callOf({ 'x-amz-target': 'Other.Action' }, ''),
    callOf({}, 'Action=PutMetricAlarm&Version=2010-08-01'),
    callOf({}, 'Action=ListMetrics&Version=1999-01-01')]) {
    const { code } = await t.throwsAsync<AwsError>(async () => await SERVICE.call(call))
    t.is(code, 'InvalidAction')
  }
})
