/**
 * CloudWatch as a service behind the endpoint: ListMetrics, GetMetricStatistics and GetMetricData
 * of what metric_history.ts keeps. Amazon CloudWatch API Reference. Nothing is published by
 * callers, and there are no alarms, percentiles and expressions.
 *
 *     Action=ListMetrics&Version=2010-08-01                    clients until 2025: query, XML
 *     X-Amz-Target: GraniteServiceVersion20100801.ListMetrics  those since: JSON 1.0
 */
import { AwsError } from '../../model/aws_error.ts'
import { decodeJson, encodeJson, encodeJsonError } from '../json_codec.ts'
import type { Parameters } from '../query.ts'
import { AWS_QUERY, compileDecoder, parseParameters } from '../query.ts'
import { writeQueryAnswer, writeQueryError } from '../query_service.ts'
import { SchemaRegistry } from '../schema.ts'
import type { Call, Service } from '../service.ts'
import type { Caller } from '../sigv4.ts'
import { compileWriter } from '../xml.ts'
import type { MeasuredResource, MetricHistory } from './metric_history.ts'
import { SAMPLE_MS } from './metric_history.ts'
import { type Datapoint, datapointsOf, isStatistic, STATISTICS } from './statistics.ts'
import { CLOUDWATCH_SCHEMA } from './wire.ts'
import type {
  Dimension, GetMetricDataInput, GetMetricStatisticsInput, ListMetricsInput, MetricStat
} from './wire.ts'

const API_VERSION = '2010-08-01'
const XML_NAMESPACE = `http://monitoring.amazonaws.com/doc/${API_VERSION}/`
const JSON_CONTENT_TYPE = 'application/x-amz-json-1.0'
const TARGET_HEADER = 'x-amz-target'
const TARGET_PREFIX = 'GraniteServiceVersion20100801.'
const NO_PARAMETERS: Parameters = new Map()
/** What the answer to each query of GetMetricData is: there is one page. */
const COMPLETE = 'Complete'
/** Metrics of one page of ListMetrics. */
export const LIST_METRICS_MAX = 500
/** Datapoints that one answer of GetMetricStatistics may have. */
export const DATAPOINTS_MAX = 1440
/** Queries of one GetMetricData. */
export const METRIC_QUERIES_MAX = 500

type Answer = (history: MetricHistory, caller: Caller, input: never) => object

const OPERATIONS: Readonly<Record<string, Answer>> = {
  ListMetrics: listMetrics, GetMetricStatistics: getMetricStatistics, GetMetricData: getMetricData
}

export function createCloudWatchService (history: MetricHistory): Service {
  const schemas = new SchemaRegistry(CLOUDWATCH_SCHEMA)
  const entries = new Map(Object.entries(OPERATIONS).flatMap(([name, answer]) => {
    const shape = schemas.operation(name)
    if (shape?.output === undefined || shape.output === null) return []
    return [[name, {
      answer, shape, decode: compileDecoder(shape.input, AWS_QUERY),
      write: compileWriter(shape.output)
    }] as const]
  }))
  return {
    name: 'monitoring',
    eventSource: 'monitoring.amazonaws.com',
    call (call) {
      const isJson = speaksJson(call)
      const parameters = isJson ? NO_PARAMETERS : parseParameters(call.form)
      call.action = isJson ? targetOf(call) : parameters.get('Action') ?? ''
      const entry = entries.get(call.action)
      if (entry === undefined || (!isJson && parameters.get('Version') !== API_VERSION)) {
        throw new AwsError('InvalidAction', `The action "${call.action.slice(0, 64)}" of ` +
          `CloudWatch, version ${API_VERSION}, is not built in vpclab: there are ` +
          [...entries.keys()].join(', '))
      }
      call.operation = entry.shape
      call.input = isJson
        ? decodeJson(entry.shape.input, call.request.body)
        : entry.decode(parameters)
      call.output = entry.answer(history, call.identity, call.input as never)
      return Promise.resolve(isJson
        ? { contentType: JSON_CONTENT_TYPE, text: encodeJson(call.output) }
        : writeQueryAnswer(XML_NAMESPACE, call.action, entry.write(call.output), call.requestId))
    },
    refuse: (refusal, requestId, call) => call !== undefined && speaksJson(call)
      ? { contentType: JSON_CONTENT_TYPE, text: encodeJsonError(refusal) }
      : writeQueryError(XML_NAMESPACE, refusal, requestId)
  }
}

function speaksJson ({ request }: Call): boolean {
  return request.headers[TARGET_HEADER] !== undefined
}

/** The action that a call in JSON names; empty when it is another service's. */
function targetOf ({ request }: Call): string {
  const target = String(request.headers[TARGET_HEADER])
  return target.startsWith(TARGET_PREFIX) ? target.slice(TARGET_PREFIX.length) : ''
}

// ------------------------------------------------------------------------------------ operations

function listMetrics (history: MetricHistory, caller: Caller, input: ListMetricsInput): object {
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

function getMetricStatistics (
  history: MetricHistory, caller: Caller, input: GetMetricStatisticsInput): object {
  const { Statistics = [], ExtendedStatistics = [], MetricName, Period } = input
  if (ExtendedStatistics.length > 0) {
    throw new AwsError('InvalidParameterValue', 'Percentiles (ExtendedStatistics) are not built ' +
      'in vpclab: use Statistics')
  }
  if (Statistics.length === 0) {
    throw new AwsError('MissingParameter', 'At least one of the parameters Statistics and ' +
      'ExtendedStatistics must be specified.')
  }
  for (const statistic of Statistics) checkStatistic(statistic)
  const times = timesOf(input, Period)
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
      ...Object.fromEntries(Statistics.filter(isStatistic).map((name) =>
        [name, datapoint[name]])),
      Unit: unit
    }))
  }
}

function getMetricData (
  history: MetricHistory, caller: Caller, input: GetMetricDataInput): object {
  const { MetricDataQueries: queries, ScanBy = 'TimestampDescending' } = input
  if (queries.length > METRIC_QUERIES_MAX) {
    throw new AwsError('ValidationError', `The request has ${String(queries.length)} queries; at ` +
      `most ${String(METRIC_QUERIES_MAX)} are allowed`)
  }
  if (!['TimestampDescending', 'TimestampAscending'].includes(ScanBy)) {
    throw new AwsError('ValidationError',
      `The value ${ScanBy.slice(0, 64)} of ScanBy is not TimestampDescending or TimestampAscending`)
  }
  const results = queries.map(({ Id, MetricStat: stat, Expression, Label, ReturnData = true }) => {
    if (stat === undefined || Expression !== undefined) {
      throw new AwsError('ValidationError',
        `The query ${Id.slice(0, 64)} has no MetricStat: expressions are not built in vpclab`)
    }
    const datapoints = dataOf(history, caller, stat, input)
    if (ScanBy === 'TimestampDescending') datapoints.reverse()
    return {
      ReturnData,
      result: {
        Id,
        Label: Label ?? stat.Metric.MetricName ?? '',
        Timestamps: datapoints.map(({ timeMs }) => new Date(timeMs)),
        Values: datapoints.map((datapoint) =>
          isStatistic(stat.Stat) ? datapoint[stat.Stat] : Number.NaN),
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
  checkStatistic(stat.Stat)
  const { Metric, Period, Unit } = stat
  return seriesOf(history, caller, { ...Metric, ...Unit === undefined ? {} : { Unit } },
    timesOf(input, Period)).datapoints
}

// ---------------------------------------------------------------------------------------- shared

interface Times { readonly startMs: number, readonly endMs: number, readonly periodMs: number }

/** Which metric, as both operations name it. */
interface MetricName {
  readonly Namespace?: string
  readonly MetricName?: string
  readonly Dimensions?: readonly Dimension[]
  readonly Unit?: string
}

/** Its datapoints, oldest first; none for a metric that does not exist, as CloudWatch has it. */
function seriesOf (history: MetricHistory, caller: Caller, metric: MetricName,
  { startMs, endMs, periodMs }: Times): { datapoints: Datapoint[], unit: string } {
  const [dimension, ...more] = metric.Dimensions ?? []
  const resource = ownedBy(history, caller).find((one) => one.namespace === metric.Namespace &&
    one.dimension === dimension?.Name && one.id === dimension.Value)
  const metrics = resource?.metrics ?? []
  const at = metrics.findIndex(({ name }) => name === metric.MetricName)
  const unit = metrics[at]?.unit ?? 'None'
  const isOther = metric.Unit !== undefined && metric.Unit !== unit
  if (resource === undefined || at === -1 || more.length > 0 || isOther) {
    return { datapoints: [], unit }
  }
  return { datapoints: datapointsOf(resource.samples, at, periodMs, startMs, endMs), unit }
}

/** @throws AwsError InvalidParameterValue */
function timesOf (
  { StartTime, EndTime }: { readonly StartTime: Date, readonly EndTime: Date }, period: number
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

function checkStatistic (name: string): void {
  if (isStatistic(name)) return
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
