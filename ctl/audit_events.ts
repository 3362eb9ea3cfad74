/** The audit trail as `vpcctl` asks for it: LookupEvents, page after page. */
import type { LookupEventsResponse } from '@aws-sdk/client-cloudtrail'
import type { Context } from './context.ts'
import { CLOUDTRAIL, JsonClient } from './json_client.ts'

/** Events of one page; the most that CloudTrail allows. */
const PAGE_EVENTS = 50

export interface AuditEvent {
  readonly id: string
  readonly name: string
  /** ms since 1970. */
  readonly atMs: number
  readonly resources: readonly string[]
  readonly record: AuditRecord
}

/** What `vpcctl` looks at in a CloudTrail record. */
export interface AuditRecord {
  readonly userIdentity: { readonly accessKeyId?: string, readonly invokedBy?: string }
  readonly eventTime: string
  readonly eventName: string
  readonly eventSource: string
  readonly eventID: string
  readonly sourceIPAddress: string
  readonly readOnly: boolean
  readonly errorCode?: string
  readonly errorMessage?: string
}

export interface EventLookup {
  readonly attribute?: { readonly key: string, readonly value: string } | undefined
  readonly start?: Date | undefined
  readonly end?: Date | undefined
}

/** A client of the JSON services with the lab's own key. */
export async function jsonClient (context: Context): Promise<JsonClient> {
  return new JsonClient({ ...await context.admin.credentials(), clock: context.clock })
}

/** Events, newest first, until the caller has enough. */
export async function * lookupEvents (client: JsonClient, lookup: EventLookup):
AsyncGenerator<AuditEvent> {
  const { attribute, start, end } = lookup
  let nextToken: string | undefined
  do {
    const page = await client.call<LookupEventsResponse>(CLOUDTRAIL, 'LookupEvents', {
      LookupAttributes: attribute === undefined
        ? undefined
        : [{ AttributeKey: attribute.key, AttributeValue: attribute.value }],
      StartTime: start, EndTime: end, MaxResults: PAGE_EVENTS, NextToken: nextToken
    })
    for (const event of page.Events ?? []) {
      yield {
        id: event.EventId ?? '',
        name: event.EventName ?? '',
        atMs: Number(event.EventTime) * 1000,
        resources: (event.Resources ?? []).map((resource) => resource.ResourceName ?? ''),
        record: JSON.parse(event.CloudTrailEvent ?? '{}') as AuditRecord
      }
    }
    nextToken = page.NextToken
  } while (nextToken !== undefined)
}

/** Who made a call, for a person: the access key, or the service that acted for it. */
export function whoOf ({ userIdentity: { accessKeyId, invokedBy } }: AuditRecord): string {
  if (accessKeyId === undefined) return invokedBy ?? 'unknown'
  return invokedBy === undefined ? accessKeyId : `${accessKeyId} by ${invokedBy}`
}
