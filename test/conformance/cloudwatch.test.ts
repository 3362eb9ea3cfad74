/**
 * CloudWatch tells what passed instances and ENIs: to the stock AWS command line in the query
 * protocol, to the SDK for JavaScript in JSON and in CBOR.
 */
import test from 'ava'
import {
  CloudWatchClient, GetMetricDataCommand, GetMetricStatisticsCommand, ListMetricsCommand,
  paginateListMetrics
} from '@aws-sdk/client-cloudwatch'
import { SmithyRpcV2CborProtocol } from '@smithy/core/cbor'
import { MetricHistory, SAMPLE_MS } from '../../daemon/api/cloudwatch/metric_history.ts'
import { commandLine } from './command_line.ts'
import { ALICE, BOB, openEndpoint } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

const START_MS = Date.UTC(2026, 0, 2, 3, 0)
const INSTANCE = 'i-0123456789abcdef0'
const ENI = 'eni-0123456789abcdef0'
const OTHERS = 'i-0fedcba9876543210'
const FIVE_MINUTES = ['--start-time', timeOf(0), '--end-time', timeOf(5)]

function timeOf (minute: number): string {
  return new Date(START_MS + minute * SAMPLE_MS).toISOString()
}

/** Five minutes in which 100, 200 … 500 bytes and half as many packets come in. */
function historyOfFiveMinutes (): MetricHistory {
  const history = new MetricHistory()
  let bytes = 0
  for (let minute = 0; minute < 5; minute++) {
    bytes += 100 * (minute + 1)
    const values = [bytes, 2 * bytes, bytes / 2, bytes]
    history.sample(START_MS + minute * SAMPLE_MS, [
      { eni: ENI, instance: INSTANCE, accountId: ALICE.accountId, region: 'us-east-1', values },
      { eni: 'eni-1', instance: OTHERS, accountId: BOB.accountId, region: 'us-east-1', values }
    ])
  }
  return history
}

interface Result {
  readonly Id: string
  readonly Timestamps: readonly string[]
  readonly Values: readonly number[]
}
interface Datapoint { readonly Timestamp: string, readonly Sum?: number }

test('the AWS command line lists metrics and reads them', async (t) => {
  const endpoint = await openEndpoint({ metricHistory: historyOfFiveMinutes() })
  t.teardown(async () => { await endpoint.close() })
  const aws = commandLine(endpoint, 'cloudwatch')

  const listed = await aws('list-metrics', '--namespace', 'AWS/EC2')
  t.is(listed.code, '')
  t.deepEqual(listed.output['Metrics'], ['NetworkIn', 'NetworkOut', 'NetworkPacketsIn',
    'NetworkPacketsOut'].map((MetricName) => ({
    Namespace: 'AWS/EC2', MetricName, Dimensions: [{ Name: 'InstanceId', Value: INSTANCE }]
  })), 'another account\'s instance is not among them')
  const ofEni = await aws('list-metrics', '--dimensions', 'Name=NetworkInterfaceId',
    '--metric-name', 'NetworkIn')
  t.deepEqual(ofEni.output['Metrics'], [{
    Namespace: 'vpclab/ENI', MetricName: 'NetworkIn',
    Dimensions: [{ Name: 'NetworkInterfaceId', Value: ENI }]
  }])

  const of = (instance: string): string[] => ['get-metric-statistics', '--namespace', 'AWS/EC2',
    '--metric-name', 'NetworkIn', '--dimensions', `Name=InstanceId,Value=${instance}`,
    ...FIVE_MINUTES]
  const minutes = await aws(...of(INSTANCE), '--period', '60', '--statistics', 'Sum')
  t.is(minutes.code, '')
  t.deepEqual((minutes.output['Datapoints'] as Datapoint[]).map(({ Sum }) => Sum),
    [100, 200, 300, 400, 500])
  const whole = await aws(...of(INSTANCE), '--period', '300', '--statistics', 'Sum', 'Average',
    'Maximum', 'SampleCount')
  t.like((whole.output['Datapoints'] as Datapoint[])[0],
    { Sum: 1500, Average: 300, Maximum: 500, SampleCount: 5, Unit: 'Bytes' })
  t.deepEqual((await aws(...of(OTHERS), '--period', '60', '--statistics', 'Sum'))
    .output['Datapoints'], [])
})

test('GetMetricData answers several questions at once', async (t) => {
  const endpoint = await openEndpoint({ metricHistory: historyOfFiveMinutes() })
  t.teardown(async () => { await endpoint.close() })
  const aws = commandLine(endpoint, 'cloudwatch')
  const queries = [['in', 'NetworkPacketsIn', 'Sum'], ['out', 'NetworkOut', 'Maximum']]
    .map(([Id, MetricName, Stat]) => ({
      Id,
      MetricStat: {
        Metric: {
          Namespace: 'AWS/EC2', MetricName, Dimensions: [{ Name: 'InstanceId', Value: INSTANCE }]
        },
        Period: 60, Stat
      }
    }))
  const { code, output } = await aws('get-metric-data', '--metric-data-queries',
    JSON.stringify(queries), ...FIVE_MINUTES)
  t.is(code, '')
  const [packets, bytes] = output['MetricDataResults'] as readonly Result[]
  t.deepEqual([packets?.Id, packets?.Values], ['in', [250, 200, 150, 100, 50]], 'newest first')
  t.deepEqual(packets?.Timestamps.map((time) => Date.parse(time)),
    [4, 3, 2, 1, 0].map((minute) => START_MS + minute * SAMPLE_MS))
  t.deepEqual([bytes?.Id, bytes?.Values], ['out', [1000, 800, 600, 400, 200]])
  const expression = await aws('get-metric-data', '--metric-data-queries',
    JSON.stringify([{ Id: 'a', Expression: 'SUM(METRICS())' }]), ...FIVE_MINUTES)
  t.is(expression.code, 'ValidationError')
})

test('CloudWatch refuses what it has no answer to', async (t) => {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  const aws = commandLine(endpoint, 'cloudwatch')
  const question = ['get-metric-statistics', '--namespace', 'AWS/EC2', '--metric-name', 'NetworkIn']
  const sum = ['--statistics', 'Sum']
  const refusals: readonly (readonly [readonly string[], string])[] = [
    [[...question, ...FIVE_MINUTES, '--period', '90', ...sum], 'InvalidParameterValue'],
    [[...question, '--start-time', timeOf(5), '--end-time', timeOf(5), '--period', '60', ...sum],
      'InvalidParameterValue'],
    [[...question, '--start-time', timeOf(0), '--end-time', timeOf(1441), '--period', '60', ...sum],
      'InvalidParameterCombination'],
    [[...question, ...FIVE_MINUTES, '--period', '60'], 'MissingParameter'],
    [['list-metrics', '--next-token', 'x'], 'InvalidParameterValue'],
    [['describe-alarms'], 'UnsupportedOperation']
  ]
  for (const [args, expected] of refusals) {
    t.is((await aws(...args)).code, expected, args.join(' '))
  }
})

/** The SDK speaks JSON unless it is told otherwise. */
function client (endpoint: Endpoint, protocol: string): CloudWatchClient {
  return new CloudWatchClient({
    endpoint: endpoint.url, region: 'us-east-1', credentials: ALICE, maxAttempts: 1,
    ...protocol === 'CBOR' ? { protocol: SmithyRpcV2CborProtocol } : {}
  })
}

for (const protocol of ['JSON', 'CBOR']) {
  test(`the SDK reads metrics in ${protocol}`, async (t) => {
    const endpoint = await openEndpoint({ metricHistory: historyOfFiveMinutes() })
    t.teardown(async () => { await endpoint.close() })
    const cloudWatch = client(endpoint, protocol)
    const names: (string | undefined)[] = []
    for await (const page of paginateListMetrics(
      { client: cloudWatch }, { Namespace: 'AWS/EC2' })) {
      names.push(...(page.Metrics ?? []).map(({ MetricName }) => MetricName))
    }
    t.deepEqual(names, ['NetworkIn', 'NetworkOut', 'NetworkPacketsIn', 'NetworkPacketsOut'])
    const times = { StartTime: new Date(START_MS), EndTime: new Date(START_MS + 5 * SAMPLE_MS) }
    const metric = {
      Namespace: 'AWS/EC2', MetricName: 'NetworkIn',
      Dimensions: [{ Name: 'InstanceId', Value: INSTANCE }]
    }
    const { Datapoints: datapoints = [] } = await cloudWatch.send(new GetMetricStatisticsCommand(
      { ...metric, ...times, Period: 300, Statistics: ['Sum', 'Average'] }))
    t.deepEqual(datapoints, [
      { Timestamp: times.StartTime, Sum: 1500, Average: 300, Unit: 'Bytes' }])
    const { MetricDataResults: [result] = [] } = await cloudWatch.send(new GetMetricDataCommand({
      ...times, ScanBy: 'TimestampAscending',
      MetricDataQueries: [{ Id: 'in', MetricStat: { Metric: metric, Period: 60, Stat: 'Sum' } }]
    }))
    t.deepEqual(result?.Values, [100, 200, 300, 400, 500])
    t.deepEqual(result?.Timestamps?.[0], times.StartTime)
    const refusal = await t.throwsAsync(
      cloudWatch.send(new ListMetricsCommand({ NextToken: 'x' })))
    t.regex(refusal.name, /^InvalidParameterValue/)
    t.regex(refusal.message, /NextToken/)
  })
}
