/**
 * CloudWatch as a service behind the endpoint: ListMetrics, GetMetricStatistics and GetMetricData
 * of what metric_history.ts keeps. Amazon CloudWatch API Reference. Nothing is published by
 * callers, and there are no alarms, percentiles and expressions.
 *
 * Clients speak the three protocols that CloudWatch has: older ones query (aws 2.9), the SDK for
 * JavaScript JSON 1.0, newer releases of botocore, and with it aws, RPC v2 CBOR.
 */
import type {
  Dimension, GetMetricDataInput, GetMetricDataOutput, GetMetricStatisticsInput,
  GetMetricStatisticsOutput, ListMetricsInput, ListMetricsOutput, Metric, MetricStat,
  StandardUnit, StatusCode
} from '@aws-sdk/client-cloudwatch'
import { AwsError } from '../../model/aws_error.ts'
import { cborProtocol } from '../cbor_codec.ts'
import { jsonProtocol } from '../json_codec.ts'
import { queryProtocol } from '../query_service.ts'
import { createOperationService, defineOperation } from '../operation_service.ts'
import type { Service } from '../service.ts'
import type { Caller } from '../sigv4.ts'
import type { MeasuredResource, MetricHistory } from './metric_history.ts'
import { SAMPLE_MS } from './metric_history.ts'
import type { Datapoint, Statistic } from './statistics.ts'
import { datapointsOf, isStatistic, STATISTICS } from './statistics.ts'

const API_VERSION = '2010-08-01'
const XML_NAMESPACE = `http://monitoring.amazonaws.com/doc/${API_VERSION}/`
const TARGET = 'GraniteServiceVersion20100801'
/** What the answer to each query of GetMetricData is: there is one page. */
const COMPLETE: StatusCode = 'Complete'
/** Metrics of one page of ListMetrics. */
export const LIST_METRICS_MAX = 500
/** Datapoints that one answer of GetMetricStatistics may have. */
export const DATAPOINTS_MAX = 1440
/** Queries of one GetMetricData. */
export const METRIC_QUERIES_MAX = 500

export function createCloudWatchService (history: MetricHistory): Service {
  return createOperationService({
    name: 'monitoring',
    protocols: [
      cborProtocol(TARGET),
      jsonProtocol({ version: '1.0', targetPrefix: TARGET, isQueryCompatible: true }),
      queryProtocol(API_VERSION, XML_NAMESPACE)
    ],
    loadClient: () => import('@aws-sdk/client-cloudwatch'),
    operations: [
      defineOperation<ListMetricsInput, ListMetricsOutput>({
        name: 'ListMetrics', answer: (caller, input) => listMetrics(history, caller, input)
      }),
      defineOperation<GetMetricStatisticsInput, GetMetricStatisticsOutput>({
        name: 'GetMetricStatistics',
        answer: (caller, input) => getMetricStatistics(history, caller, input)
      }),
      defineOperation<GetMetricDataInput, GetMetricDataOutput>({
        name: 'GetMetricData', answer: (caller, input) => getMetricData(history, caller, input)
      })
    ]
  })
}

// ------------------------------------------------------------------------------------ operations

function listMetrics (history: MetricHistory, caller: Caller,
  input: ListMetricsInput): ListMetricsOutput {
  const { Namespace, MetricName, Dimensions = [], NextToken } = input
  const metrics = ownedBy(history, caller)
    .filter((resource) => Namespace === undefined || resource.namespace === Namespace)
    .filter((resource) => Dimensions.every(({ Name, Value }) =>
      resource.dimension === Name && (Value === undefined || Value === resource.id)))
    .flatMap((resource) => resource.metrics
      .filter(({ name }) => MetricName === undefined || name === MetricName)
      .map(({ name }) => ({
        Namespace: resource.namespace, MetricName: name, Dimensions: dimensionsOf(resource)
      })))
  const begin = NextToken === undefined ? 0 : Number(NextToken)
  if (!Number.isInteger(begin) || begin < 0 || begin > metrics.length) {
    throw new AwsError('InvalidParameterValue',
      'The value of NextToken is not one that an answer of ListMetrics carried')
  }
  const end = begin + LIST_METRICS_MAX
  return {
    Metrics: metrics.slice(begin, end),
    ...end < metrics.length ? { NextToken: String(end) } : {}
  }
}

function getMetricStatistics (history: MetricHistory, caller: Caller,
  input: GetMetricStatisticsInput): GetMetricStatisticsOutput {
  const { Statistics = [], ExtendedStatistics = [], MetricName } = input
  if (ExtendedStatistics.length > 0) {
    throw new AwsError('InvalidParameterValue', 'Percentiles (ExtendedStatistics) are not built ' +
      'in vpclab: use Statistics')
  }
  if (Statistics.length === 0) {
    throw new AwsError('MissingParameter', 'At least one of the parameters Statistics and ' +
      'ExtendedStatistics must be specified.')
  }
  const statistics = Statistics.map(checkedStatistic)
  const times = timesOf(input, input.Period)
  const count = Math.ceil((times.endMs - times.startMs) / times.periodMs)
  if (count > DATAPOINTS_MAX) {
    throw new AwsError('InvalidParameterCombination', `You have requested up to ${String(count)} ` +
      `datapoints, which exceeds the limit of ${String(DATAPOINTS_MAX)}. You may reduce the ` +
      'datapoints requested by increasing Period, or decreasing the time range.')
  }
  const { datapoints, unit } = seriesOf(history, caller, input, times)
  return {
    Label: MetricName,
    Datapoints: datapoints.map((datapoint) => ({
      Timestamp: new Date(datapoint.timeMs),
      ...Object.fromEntries(statistics.map((name) => [name, datapoint[name]])),
      Unit: unit
    }))
  }
}

function getMetricData (
  history: MetricHistory, caller: Caller, input: GetMetricDataInput): GetMetricDataOutput {
  const { MetricDataQueries: queries = [], ScanBy = 'TimestampDescending' } = input
  if (queries.length > METRIC_QUERIES_MAX) {
    throw new AwsError('ValidationError', `The request has ${String(queries.length)} queries; at ` +
      `most ${String(METRIC_QUERIES_MAX)} are allowed`)
  }
  if (!['TimestampDescending', 'TimestampAscending'].includes(ScanBy)) {
    throw new AwsError('ValidationError',
      `The value ${ScanBy.slice(0, 64)} of ScanBy is not TimestampDescending or TimestampAscending`)
  }
  const results = queries.map((query) => {
    const { Id = '', MetricStat: stat, Expression, Label, ReturnData = true } = query
    if (stat === undefined || Expression !== undefined) {
      throw new AwsError('ValidationError',
        `The query ${Id.slice(0, 64)} has no MetricStat: expressions are not built in vpclab`)
    }
    const statistic = checkedStatistic(stat.Stat ?? '')
    const datapoints = dataOf(history, caller, stat, input)
    if (ScanBy === 'TimestampDescending') datapoints.reverse()
    return {
      ReturnData,
      result: {
        Id,
        Label: Label ?? stat.Metric?.MetricName ?? '',
        Timestamps: datapoints.map(({ timeMs }) => new Date(timeMs)),
        Values: datapoints.map((datapoint) => datapoint[statistic]),
        StatusCode: COMPLETE
      }
    }
  })
  return {
    MetricDataResults: results.filter(({ ReturnData }) => ReturnData).map(({ result }) => result)
  }
}

function dataOf (history: MetricHistory, caller: Caller, stat: MetricStat,
  input: GetMetricDataInput): Datapoint[] {
  const { Metric, Period, Unit } = stat
  return seriesOf(history, caller, { ...Metric, Unit }, timesOf(input, Period)).datapoints
}

// ---------------------------------------------------------------------------------------- shared

/** The codecs refuse calls without times. */
const EPOCH = new Date(0)

interface Times { readonly startMs: number, readonly endMs: number, readonly periodMs: number }

/** Which metric, as both operations name it. */
type MetricName = Metric & Pick<MetricStat, 'Unit'>

/** Its datapoints, oldest first; none for a metric that does not exist, as CloudWatch has it. */
function seriesOf (history: MetricHistory, caller: Caller, metric: MetricName,
  { startMs, endMs, periodMs }: Times): { datapoints: Datapoint[], unit: StandardUnit } {
  const [dimension, ...more] = metric.Dimensions ?? []
  const resource = ownedBy(history, caller).find((one) => one.namespace === metric.Namespace &&
    one.dimension === dimension?.Name && one.id === dimension.Value)
  const metrics = resource?.metrics ?? []
  const at = metrics.findIndex(({ name }) => name === metric.MetricName)
  const unit: StandardUnit = metrics[at]?.unit ?? 'None'
  const isOther = metric.Unit !== undefined && metric.Unit !== unit
  if (resource === undefined || at === -1 || more.length > 0 || isOther) {
    return { datapoints: [], unit }
  }
  return { datapoints: datapointsOf(resource.samples, at, periodMs, startMs, endMs), unit }
}

/** @throws AwsError InvalidParameterValue */
function timesOf (
  { StartTime = EPOCH, EndTime = EPOCH }: Pick<GetMetricDataInput, 'StartTime' | 'EndTime'>,
  period = 0
): Times {
  const periodMs = period * 1000
  if (period < 1 || periodMs % SAMPLE_MS !== 0) {
    throw new AwsError('InvalidParameterValue', `The parameter Period is ${String(period)}; it ` +
      'must be a multiple of 60, since metrics have one value a minute')
  }
  if (StartTime >= EndTime) {
    throw new AwsError('InvalidParameterValue',
      'The parameter StartTime must be less than the parameter EndTime.')
  }
  return { startMs: StartTime.getTime(), endMs: EndTime.getTime(), periodMs }
}

function checkedStatistic (name: string): Statistic {
  if (isStatistic(name)) return name
  throw new AwsError('InvalidParameterValue', `The statistic ${name.slice(0, 64)} is not built ` +
    `in vpclab: it is one of ${STATISTICS.join(', ')}`)
}

function ownedBy (
  history: MetricHistory, { accountId, region }: Caller): readonly MeasuredResource[] {
  return history.list()
    .filter((resource) => resource.accountId === accountId && resource.region === region)
}

function dimensionsOf ({ dimension, id }: MeasuredResource): Dimension[] {
  return [{ Name: dimension, Value: id }]
}
