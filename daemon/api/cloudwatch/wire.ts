/**
 * The operations of CloudWatch that read, in the form in which the SDK's clients carry their
 * schemas (schema.ts): so few that a client package for them would be more to carry than this.
 * Amazon CloudWatch API Reference.
 */

const LIST = 1
const STRUCTURE = 3
const OPERATION = 9
const STRING = 0
const NUMBER = 1
const BOOLEAN = 2
const TIMESTAMP = 4
const LIST_OF = 64

const NAMESPACE = 'com.amazonaws.cloudwatch'

type Members = Readonly<Record<string, unknown>>

/** @param required how many of the first members must be given */
function structure (name: string, members: Members, required = 0): unknown {
  return [STRUCTURE, NAMESPACE, name, 0, Object.keys(members), Object.values(members), required]
}

function listOf (item: unknown): unknown {
  return [LIST, NAMESPACE, 'List', 0, () => item]
}

function operation (name: string, input: unknown, output: unknown): unknown {
  return [OPERATION, NAMESPACE, name, 0, () => input, () => output]
}

export interface Dimension { readonly Name: string, readonly Value?: string }

const DIMENSION = structure('Dimension', { Name: STRING, Value: STRING }, 2)
const DIMENSION_FILTER = structure('DimensionFilter', { Name: STRING, Value: STRING }, 1)
const METRIC = structure('Metric',
  { Namespace: STRING, MetricName: STRING, Dimensions: listOf(DIMENSION) })

export interface ListMetricsInput {
  readonly Namespace?: string
  readonly MetricName?: string
  readonly Dimensions?: readonly Dimension[]
  readonly NextToken?: string
}

const LIST_METRICS = operation('ListMetrics',
  structure('ListMetricsInput', {
    Namespace: STRING, MetricName: STRING, Dimensions: listOf(DIMENSION_FILTER),
    NextToken: STRING, RecentlyActive: STRING, IncludeLinkedAccounts: BOOLEAN,
    OwningAccount: STRING
  }),
  structure('ListMetricsOutput', { Metrics: listOf(METRIC), NextToken: STRING }))

export interface GetMetricStatisticsInput {
  readonly Namespace: string
  readonly MetricName: string
  readonly StartTime: Date
  readonly EndTime: Date
  /** Seconds. */
  readonly Period: number
  readonly Dimensions?: readonly Dimension[]
  readonly Statistics?: readonly string[]
  readonly ExtendedStatistics?: readonly string[]
  readonly Unit?: string
}

const GET_METRIC_STATISTICS = operation('GetMetricStatistics',
  structure('GetMetricStatisticsInput', {
    Namespace: STRING, MetricName: STRING, StartTime: TIMESTAMP, EndTime: TIMESTAMP,
    Period: NUMBER, Dimensions: listOf(DIMENSION), Statistics: LIST_OF | STRING,
    ExtendedStatistics: LIST_OF | STRING, Unit: STRING
  }, 5),
  structure('GetMetricStatisticsOutput', {
    Label: STRING,
    Datapoints: listOf(structure('Datapoint', {
      Timestamp: TIMESTAMP, SampleCount: NUMBER, Average: NUMBER, Sum: NUMBER, Minimum: NUMBER,
      Maximum: NUMBER, Unit: STRING
    }))
  }))

export interface MetricStat {
  readonly Metric: {
    readonly Namespace?: string
    readonly MetricName?: string
    readonly Dimensions?: readonly Dimension[]
  }
  /** Seconds. */
  readonly Period: number
  readonly Stat: string
  readonly Unit?: string
}

export interface GetMetricDataInput {
  readonly MetricDataQueries: readonly {
    readonly Id: string
    readonly MetricStat?: MetricStat
    readonly Expression?: string
    readonly Label?: string
    readonly ReturnData?: boolean
  }[]
  readonly StartTime: Date
  readonly EndTime: Date
  readonly ScanBy?: string
}

const GET_METRIC_DATA = operation('GetMetricData',
  structure('GetMetricDataInput', {
    MetricDataQueries: listOf(structure('MetricDataQuery', {
      Id: STRING,
      MetricStat: structure('MetricStat',
        { Metric: METRIC, Period: NUMBER, Stat: STRING, Unit: STRING }, 3),
      Expression: STRING, Label: STRING, ReturnData: BOOLEAN, Period: NUMBER, AccountId: STRING
    }, 1)),
    StartTime: TIMESTAMP, EndTime: TIMESTAMP, NextToken: STRING, ScanBy: STRING,
    MaxDatapoints: NUMBER
  }, 3),
  structure('GetMetricDataOutput', {
    MetricDataResults: listOf(structure('MetricDataResult', {
      Id: STRING, Label: STRING, Timestamps: LIST_OF | TIMESTAMP, Values: LIST_OF | NUMBER,
      StatusCode: STRING
    })),
    NextToken: STRING
  }))

/** By the names under which a client package exports them. */
export const CLOUDWATCH_SCHEMA = {
  ListMetrics$: LIST_METRICS,
  GetMetricStatistics$: GET_METRIC_STATISTICS,
  GetMetricData$: GET_METRIC_DATA
}
