/**
 * The four operations of CloudWatch Logs that read, in the form in which the SDK's clients carry
 * their schemas (schema.ts): so few that a client package for them would be more to carry than
 * this. Amazon CloudWatch Logs API Reference. Times are ms since 1970.
 */

const STRUCTURE = 3
const LIST = 1
const OPERATION = 9
const STRING = 0
const NUMBER = 1
const BOOLEAN = 2
const STRINGS = 64 | STRING

const NAMESPACE = 'com.amazonaws.cloudwatchlogs'

type Members = Readonly<Record<string, unknown>>

/** @param required how many of the first members must be given */
function structure (name: string, members: Members, required = 0): unknown {
  return [STRUCTURE, NAMESPACE, name, 0, Object.keys(members), Object.values(members), required]
}

function listOf (name: string, item: unknown): unknown {
  return [LIST, NAMESPACE, name, 0, () => item]
}

function operation (name: string, input: unknown, output: unknown): unknown {
  return [OPERATION, NAMESPACE, name, 0, () => input, () => output]
}

const LOG_GROUP = structure('LogGroup', {
  logGroupName: STRING, creationTime: NUMBER, metricFilterCount: NUMBER, arn: STRING,
  storedBytes: NUMBER, logGroupClass: STRING, logGroupArn: STRING
})
const LOG_STREAM = structure('LogStream', {
  logStreamName: STRING, creationTime: NUMBER, firstEventTimestamp: NUMBER,
  lastEventTimestamp: NUMBER, lastIngestionTime: NUMBER, uploadSequenceToken: STRING, arn: STRING,
  storedBytes: NUMBER
})
const OUTPUT_EVENT = structure('OutputLogEvent',
  { timestamp: NUMBER, message: STRING, ingestionTime: NUMBER })
const FILTERED_EVENT = structure('FilteredLogEvent', {
  logStreamName: STRING, timestamp: NUMBER, message: STRING, ingestionTime: NUMBER, eventId: STRING
})

/** By the names under which a client package exports them. */
export const LOGS_SCHEMA = {
  DescribeLogGroups$: operation('DescribeLogGroups',
    structure('DescribeLogGroupsRequest',
      { logGroupNamePrefix: STRING, nextToken: STRING, limit: NUMBER }),
    structure('DescribeLogGroupsResponse',
      { logGroups: listOf('LogGroups', LOG_GROUP), nextToken: STRING })),
  DescribeLogStreams$: operation('DescribeLogStreams',
    structure('DescribeLogStreamsRequest', {
      logGroupName: STRING, logStreamNamePrefix: STRING, orderBy: STRING, descending: BOOLEAN,
      nextToken: STRING, limit: NUMBER
    }),
    structure('DescribeLogStreamsResponse',
      { logStreams: listOf('LogStreams', LOG_STREAM), nextToken: STRING })),
  GetLogEvents$: operation('GetLogEvents',
    structure('GetLogEventsRequest', {
      logStreamName: STRING, logGroupName: STRING, startTime: NUMBER, endTime: NUMBER,
      nextToken: STRING, limit: NUMBER, startFromHead: BOOLEAN
    }, 1),
    structure('GetLogEventsResponse', {
      events: listOf('OutputLogEvents', OUTPUT_EVENT), nextForwardToken: STRING,
      nextBackwardToken: STRING
    })),
  FilterLogEvents$: operation('FilterLogEvents',
    structure('FilterLogEventsRequest', {
      logGroupName: STRING, logStreamNames: STRINGS, logStreamNamePrefix: STRING,
      startTime: NUMBER, endTime: NUMBER, filterPattern: STRING, nextToken: STRING, limit: NUMBER
    }),
    structure('FilterLogEventsResponse', {
      events: listOf('FilteredLogEvents', FILTERED_EVENT), nextToken: STRING
    }))
}

interface PageRequest {
  readonly nextToken?: string
  readonly limit?: number
}

export interface DescribeLogGroupsRequest extends PageRequest {
  readonly logGroupNamePrefix?: string
}

export interface DescribeLogStreamsRequest extends PageRequest {
  readonly logGroupName?: string
  readonly logStreamNamePrefix?: string
  readonly orderBy?: string
  readonly descending?: boolean
}

interface EventsRequest extends PageRequest {
  readonly logGroupName?: string
  /** Inclusive. */
  readonly startTime?: number
  /** Exclusive. */
  readonly endTime?: number
}

export interface GetLogEventsRequest extends EventsRequest {
  readonly logStreamName: string
  readonly startFromHead?: boolean
}

export interface FilterLogEventsRequest extends EventsRequest {
  readonly logStreamNames?: readonly string[]
  readonly logStreamNamePrefix?: string
  readonly filterPattern?: string
}
