/**
 * CloudWatch Logs as a service behind the endpoint: what flow logs have put into log groups, to be
 * read. Amazon CloudWatch Logs API Reference: DescribeLogGroups, DescribeLogStreams, GetLogEvents,
 * FilterLogEvents.
 *
 * Groups are made by what writes into them; nobody else writes, makes or deletes one here.
 */
import type {
  DescribeLogGroupsRequest, DescribeLogGroupsResponse, DescribeLogStreamsRequest,
  FilterLogEventsRequest, FilterLogEventsResponse, GetLogEventsRequest, GetLogEventsResponse,
  LogGroup as PrintedLogGroup
} from '@aws-sdk/client-cloudwatch-logs'
import type { EventPlace, LogGroup, LogGroups, LogStream } from '../../flow_logs/log_groups.ts'
import { AwsError } from '../../model/aws_error.ts'
import { createJsonService } from '../json_codec.ts'
import { defineOperation } from '../operation_service.ts'
import type { Service } from '../service.ts'
import type { Caller } from '../sigv4.ts'

/** Groups and streams of one page. */
export const LOG_PAGE_ITEMS_MAX = 50
/** Events of one page. */
export const LOG_PAGE_EVENTS_MAX = 10_000

export function createLogsService (logGroups: LogGroups): Service {
  return createJsonService({
    name: 'logs',
    targetPrefix: 'Logs_20140328',
    loadClient: () => import('@aws-sdk/client-cloudwatch-logs'),
    operations: [
      defineOperation<DescribeLogGroupsRequest, DescribeLogGroupsResponse>({
        name: 'DescribeLogGroups',
        answer: (caller, input) => {
          const { accountId, region } = caller
          const { logGroupNamePrefix: prefix, logGroupNamePattern: pattern } = input
          refuseUnbuilt(input, ['accountIdentifiers', 'includeLinkedAccounts', 'logGroupClass',
            'logGroupIdentifiers'])
          if (prefix !== undefined && pattern !== undefined) {
            throw invalid('Give logGroupNamePrefix or logGroupNamePattern, not both')
          }
          const groups = logGroups.groups(accountId, region, prefix ?? '')
            .filter(({ name }) => name.includes(pattern ?? ''))
          const page = pageOf(groups, input.limit, input.nextToken)
          return {
            logGroups: page.items.map((group) => printGroup(caller, group)),
            ...page.nextToken
          }
        }
      }),
      defineOperation<DescribeLogStreamsRequest, object>({
        name: 'DescribeLogStreams',
        answer: (caller, input) => {
          const group = requireGroup(logGroups, caller, input)
          const prefix = input.logStreamNamePrefix ?? ''
          const streams = logGroups.streams(group).filter(({ name }) => name.startsWith(prefix))
          const page = pageOf(inOrder(streams, input), input.limit, input.nextToken)
          return {
            logStreams: page.items.map((stream) => printStream(caller, group, stream)),
            ...page.nextToken
          }
        }
      }),
      defineOperation<GetLogEventsRequest, GetLogEventsResponse>({
        name: 'GetLogEvents',
        answer: (caller, input) => getLogEvents(logGroups, caller, input)
      }),
      defineOperation<FilterLogEventsRequest, FilterLogEventsResponse>({
        name: 'FilterLogEvents',
        answer: (caller, input) => filterLogEvents(logGroups, caller, input)
      })
    ]
  })
}

/**
 * Ignoring a member would be an answer to another question.
 * @throws AwsError InvalidParameterException naming the first of `names` that is there
 */
function refuseUnbuilt<Input extends object> (
  input: Input, names: readonly (keyof Input & string)[]): void {
  const name = names.find((one) => input[one] !== undefined && input[one] !== false)
  if (name !== undefined) throw invalid(`The parameter ${name} is not built in vpclab`)
}

function getLogEvents (logGroups: LogGroups, caller: Caller,
  input: GetLogEventsRequest): GetLogEventsResponse {
  const group = requireGroup(logGroups, caller, input)
  const stream = logGroups.streams(group).find(({ name }) => name === input.logStreamName)
  if (stream === undefined) throw notFound('stream')
  const token = input.nextToken === undefined ? null : readPlace(input.nextToken)
  const towards = token === null
    ? input.startFromHead === true ? 'newer' : 'older'
    : token.towards
  const found = logGroups.events({
    streamIds: [stream.id], ...timesOf(input), from: token, towards,
    limit: limitOf(input.limit, LOG_PAGE_EVENTS_MAX)
  })
  const first = found.at(0) ?? token
  const last = found.at(-1) ?? token
  return {
    events: found.map(({ atMs, message, ingestedMs }) =>
      ({ timestamp: atMs, message, ingestionTime: ingestedMs })),
    nextForwardToken: writePlace('newer', last),
    nextBackwardToken: writePlace('older', first)
  }
}

function filterLogEvents (logGroups: LogGroups, caller: Caller,
  input: FilterLogEventsRequest): FilterLogEventsResponse {
  if (input.startFromHead === false) throw invalid('Events are told from the oldest on')
  const group = requireGroup(logGroups, caller, input)
  const { logStreamNames: names, logStreamNamePrefix: prefix } = input
  if (names !== undefined && prefix !== undefined) {
    throw invalid('Give logStreamNames or logStreamNamePrefix, not both')
  }
  const streams = logGroups.streams(group).filter(({ name }) =>
    names === undefined ? name.startsWith(prefix ?? '') : names.includes(name))
  if (names !== undefined && streams.length < new Set(names).size) throw notFound('stream')
  const limit = limitOf(input.limit, LOG_PAGE_EVENTS_MAX)
  const found = logGroups.events({
    streamIds: streams.map(({ id }) => id), ...timesOf(input), towards: 'newer',
    from: input.nextToken === undefined ? null : readPlace(input.nextToken), limit: limit + 1
  })
  const page = found.slice(0, limit)
  const terms = termsOf(input.filterPattern ?? '')
  return {
    // A page may hold fewer events than it looked at: the token says whether there are more.
    events: page.filter(({ message }) => terms.every((term) => message.includes(term)))
      .map(({ streamName, atMs, message, ingestedMs, id }) => ({
        logStreamName: streamName, timestamp: atMs, message, ingestionTime: ingestedMs,
        eventId: String(id).padStart(56, '0')
      })),
    ...found.length > limit ? { nextToken: writePlace('newer', page.at(-1) ?? null) } : {}
  }
}

/** Terms that must all be in the message. CloudWatch Logs User Guide, "Filter pattern syntax". */
function termsOf (pattern: string): string[] {
  const terms = [...pattern.matchAll(/"([^"]*)"|(\S+)/g)]
  const special = terms.find(([, , word]) => word !== undefined && /[^\w.:/-]|^-/.test(word))
  if (special !== undefined) {
    throw invalid(`The filter pattern ${special[0].slice(0, 64)} is not built in vpclab; ` +
      'expecting words, or texts in double quotes, that must all be in an event')
  }
  return terms.map(([, quoted, word]) => quoted ?? word ?? '')
}

/** A log group's ARN; log groups of other accounts are not to be seen. */
const GROUP_ARN = /^arn:aws:logs:([^:]*):([^:]*):log-group:([^:]*)(?::\*)?$/

function requireGroup (logGroups: LogGroups, { accountId, region }: Caller,
  { logGroupName: name, logGroupIdentifier: identifier }:
  Pick<GetLogEventsRequest, 'logGroupName' | 'logGroupIdentifier'>): LogGroup {
  if ((name === undefined) === (identifier === undefined)) {
    throw invalid('The request must contain logGroupName or logGroupIdentifier, and not both')
  }
  const [, arnRegion = region, arnAccount = accountId, arnName = identifier] =
    GROUP_ARN.exec(identifier ?? '') ?? []
  const isOwn = arnRegion === region && arnAccount === accountId
  const group = isOwn ? logGroups.group(accountId, region, name ?? arnName ?? '') : undefined
  if (group === undefined) throw notFound('group')
  return group
}

const STREAM_ORDERS: readonly string[] = ['LogStreamName', 'LastEventTime']

function inOrder (streams: readonly LogStream[],
  { orderBy = 'LogStreamName', descending = false }: DescribeLogStreamsRequest): LogStream[] {
  if (!STREAM_ORDERS.includes(orderBy)) {
    throw invalid(`Invalid value '${orderBy}' for orderBy; expecting LogStreamName or ` +
      'LastEventTime')
  }
  const ordered = orderBy === 'LogStreamName'
    ? [...streams]
    : streams.toSorted((one, other) => (one.lastEventMs ?? 0) - (other.lastEventMs ?? 0))
  return descending ? ordered.reverse() : ordered
}

function printGroup (
  caller: Caller, { name, createdMs, storedBytes }: LogGroup): PrintedLogGroup {
  const arn = groupArn(caller, name)
  return {
    logGroupName: name, creationTime: createdMs, metricFilterCount: 0, arn: `${arn}:*`,
    storedBytes, logGroupClass: 'STANDARD', logGroupArn: arn
  }
}

/** With `storedBytes`, which clients still show and the SDK calls deprecated. */
function printStream (caller: Caller, group: LogGroup, stream: LogStream): object {
  return {
    logStreamName: stream.name, creationTime: stream.createdMs,
    firstEventTimestamp: stream.firstEventMs ?? undefined,
    lastEventTimestamp: stream.lastEventMs ?? undefined,
    lastIngestionTime: stream.lastIngestionMs ?? undefined,
    arn: `${groupArn(caller, group.name)}:log-stream:${stream.name}`, storedBytes: 0
  }
}

function groupArn ({ accountId, region }: Caller, name: string): string {
  return `arn:aws:logs:${region}:${accountId}:log-group:${name}`
}

function timesOf ({ startTime = 0, endTime = Number.MAX_SAFE_INTEGER }:
Pick<GetLogEventsRequest, 'startTime' | 'endTime'>): {
  readonly startMs: number
  readonly endMs: number
} {
  if (startTime > endTime) throw invalid('startTime is after endTime')
  return { startMs: Math.floor(startTime), endMs: Math.floor(endTime) }
}

function limitOf (limit: number | undefined, max: number): number {
  if (limit === undefined) return max
  if (Number.isInteger(limit) && limit >= 1 && limit <= max) return limit
  throw invalid(`limit is ${String(limit)}; expecting 1 to ${String(max)}`)
}

function pageOf<Item extends { readonly name: string }> (
  items: readonly Item[], limit: number | undefined, token: string | undefined
): { readonly items: readonly Item[], readonly nextToken: { readonly nextToken?: string } } {
  const size = limitOf(limit, LOG_PAGE_ITEMS_MAX)
  const after = token === undefined ? null : Buffer.from(token, 'base64url').toString()
  const start = after === null ? 0 : items.findIndex(({ name }) => name === after) + 1
  if (after !== null && start === 0) throw invalid('nextToken is not one of an answer')
  const page = items.slice(start, start + size)
  const last = page.at(-1)
  return {
    items: page,
    nextToken: last !== undefined && start + size < items.length
      ? { nextToken: Buffer.from(last.name).toString('base64url') }
      : {}
  }
}

/** `f/<ms>/<id>` goes on towards newer events, `b/…` towards older ones. */
const PLACE = /^([fb])\/(\d{1,15})\/(\d{1,15})$/

function writePlace (towards: 'newer' | 'older', place: EventPlace | null): string {
  const { atMs, id } = place ?? { atMs: 0, id: 0 }
  return `${towards === 'newer' ? 'f' : 'b'}/${String(atMs)}/${String(id)}`
}

function readPlace (token: string): EventPlace & { readonly towards: 'newer' | 'older' } {
  const match = PLACE.exec(token)
  if (match === null) throw invalid('nextToken is not one that an answer carried')
  return {
    towards: match[1] === 'f' ? 'newer' : 'older', atMs: Number(match[2]), id: Number(match[3])
  }
}

function invalid (message: string): AwsError {
  return new AwsError('InvalidParameterException', message)
}

function notFound (what: 'group' | 'stream'): AwsError {
  return new AwsError('ResourceNotFoundException', `The specified log ${what} does not exist.`)
}
