/**
 * CloudTrail as a service behind the endpoint: LookupEvents over the audit trail. AWS CloudTrail
 * API Reference, LookupEvents.
 *
 * There is nothing to switch on and no trail to make: every call of the account in the Region is
 * there, newest first, as soon as it is answered. No operation changes or removes an event.
 */
import type {
  Event, LookupEventsRequest, LookupEventsResponse
} from '@aws-sdk/client-cloudtrail'
import { LOOKUP_ATTRIBUTES } from '../../audit/trail.ts'
import type { AuditTrail, EventQuery, FoundEvent, LookupAttribute } from '../../audit/trail.ts'
import { usernameOf } from '../../audit/trail.ts'
import { AwsError } from '../../model/aws_error.ts'
import { createJsonService } from '../json_codec.ts'
import { defineOperation } from '../operation_service.ts'
import type { Service } from '../service.ts'

/** Events of one page, by default and at most. */
export const MAX_RESULTS_MAX = 50
/** Characters of an attribute's value. */
export const ATTRIBUTE_VALUE_LENGTH_MAX = 2000

export function createCloudTrailService (trail: AuditTrail): Service {
  return createJsonService({
    name: 'cloudtrail',
    targetPrefix: 'CloudTrail_20131101',
    loadClient: () => import('@aws-sdk/client-cloudtrail'),
    operations: [
      defineOperation<LookupEventsRequest, LookupEventsResponse>({
        name: 'LookupEvents',
        answer: ({ accountId, region }, input) => {
          const limit = pageSizeOf(input)
          const found = trail.lookup({
            accountId, region, attribute: attributeOf(input), ...timesOf(input),
            beforePosition: readToken(input.NextToken), limit: limit + 1
          })
          const page = found.slice(0, limit)
          const last = page.at(-1)
          return {
            Events: page.map(eventOf),
            ...found.length > limit && last !== undefined
              ? { NextToken: writeToken(last.position) }
              : {}
          }
        }
      })
    ]
  })
}

function eventOf ({ record, text, resources }: FoundEvent): Event {
  const { accessKeyId } = record.userIdentity
  return {
    EventId: record.eventID,
    EventName: record.eventName,
    ReadOnly: String(record.readOnly),
    ...accessKeyId === undefined ? {} : { AccessKeyId: accessKeyId },
    EventTime: new Date(record.additionalEventData.eventTimeMs),
    EventSource: record.eventSource,
    Username: usernameOf(record) ?? '',
    Resources: resources.map(({ type, name }) => ({ ResourceType: type, ResourceName: name })),
    CloudTrailEvent: text
  }
}

function pageSizeOf ({ MaxResults: size = MAX_RESULTS_MAX }: LookupEventsRequest): number {
  if (Number.isInteger(size) && size >= 1 && size <= MAX_RESULTS_MAX) return size
  throw new AwsError('InvalidMaxResultsException',
    `MaxResults is ${String(size)}; expecting 1 to ${String(MAX_RESULTS_MAX)}`)
}

function attributeOf (input: LookupEventsRequest): EventQuery['attribute'] {
  if (input.EventCategory !== undefined) {
    throw new AwsError('InvalidEventCategoryException',
      `The event category ${input.EventCategory} is not recorded; leave EventCategory out for ` +
      'management events')
  }
  const [attribute, ...more] = input.LookupAttributes ?? []
  if (attribute === undefined) return null
  const { AttributeKey: key = '', AttributeValue: value = '' } = attribute
  if (more.length > 0) {
    throw new AwsError('InvalidLookupAttributesException',
      'LookupAttributes has more than one item; expecting one')
  }
  if (!isLookupAttribute(key)) {
    throw new AwsError('InvalidLookupAttributesException',
      `The attribute key ${key.slice(0, 64)} is not known; expecting one of ` +
      LOOKUP_ATTRIBUTES.join(', '))
  }
  if (value.length === 0 || value.length > ATTRIBUTE_VALUE_LENGTH_MAX) {
    throw new AwsError('InvalidLookupAttributesException',
      `The value of ${key} has ${String(value.length)} characters; expecting 1 to ` +
      String(ATTRIBUTE_VALUE_LENGTH_MAX))
  }
  return { key, value: key === 'ReadOnly' ? value.toLowerCase() : value }
}

function isLookupAttribute (key: string): key is LookupAttribute {
  return (LOOKUP_ATTRIBUTES as readonly string[]).includes(key)
}

/** Both ends are inclusive. */
function timesOf ({ StartTime: start, EndTime: end }: LookupEventsRequest):
Pick<EventQuery, 'startMs' | 'endMs'> {
  if (start !== undefined && end !== undefined && start > end) {
    throw new AwsError('InvalidTimeRangeException',
      `The start time ${start.toISOString()} is after the end time ${end.toISOString()}`)
  }
  return {
    startMs: start?.getTime() ?? 0,
    endMs: end === undefined ? Number.MAX_SAFE_INTEGER : end.getTime()
  }
}

const TOKEN = /^e([0-9]{1,15})$/

function writeToken (position: number): string {
  return Buffer.from(`e${String(position)}`).toString('base64url')
}

function readToken (token: string | undefined): number | null {
  if (token === undefined) return null
  const match = TOKEN.exec(Buffer.from(token, 'base64url').toString())
  if (match === null) {
    throw new AwsError('InvalidNextTokenException',
      'NextToken is not one that an answer of LookupEvents carried')
  }
  return Number(match[1])
}
