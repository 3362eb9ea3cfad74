/** Private hosted zones as Route 53 lists them; what the commands and lab files have in common. */
import type { HostedZone as ZoneShape, ResourceRecordSet } from '@aws-sdk/client-route-53'
import type { Context } from './context.ts'
import type { Route53Client, XmlValue } from './route53_client.ts'

/** Answers as they come: numbers and booleans are texts. */
export type Zone =
  Omit<ZoneShape, 'ResourceRecordSetCount'> & { readonly ResourceRecordSetCount?: string }
export type RecordSet = Omit<ResourceRecordSet, 'TTL'> & { readonly TTL?: string }

interface ZonePage {
  readonly HostedZones: readonly Zone[]
  readonly NextMarker?: string
}
interface RecordPage {
  readonly ResourceRecordSets: readonly RecordSet[]
  readonly NextRecordName?: string
  readonly NextRecordType?: string
}

/** Without what Route 53 puts before an id. */
export function bareId (id = ''): string { return id.replace(/^\/(hostedzone|change)\//, '') }

/** A name without what it can be written with or without. */
export function plainName (name: string): string {
  return name.toLowerCase().replace(/\.$/, '').replace(/\\([0-7]{3})/g,
    (_escape, octal: string) => String.fromCharCode(parseInt(octal, 8)))
}

export async function connectRoute53 (context: Context): Promise<Route53Client> {
  const [credentials, { Route53Client: Client }] =
    await Promise.all([context.admin.credentials(), import('./route53_client.ts')])
  return new Client({ ...credentials, clock: context.clock })
}

export async function listZones (client: Route53Client): Promise<Zone[]> {
  const found: Zone[] = []
  let marker: string | undefined
  do {
    const page: ZonePage = await client.call({
      method: 'GET', path: 'hostedzone', query: marker === undefined ? {} : { marker }
    })
    found.push(...page.HostedZones)
    marker = page.NextMarker
  } while (marker !== undefined)
  return found
}

export async function listRecordSets (client: Route53Client, zone: string): Promise<RecordSet[]> {
  const found: RecordSet[] = []
  let query: Record<string, string> = {}
  for (;;) {
    const page: RecordPage =
      await client.call({ method: 'GET', path: `hostedzone/${zone}/rrset`, query })
    found.push(...page.ResourceRecordSets)
    const { NextRecordName: name, NextRecordType: type = '' } = page
    if (name === undefined) return found
    query = { name, type }
  }
}

export interface RecordSetInput {
  readonly name: string
  readonly type: string
  /** Seconds. */
  readonly ttl: string
  readonly values: readonly string[]
}

/** One `Change` of ChangeResourceRecordSets. */
export function recordSetElement (action: string, set: RecordSetInput): XmlValue {
  return {
    Action: action,
    ResourceRecordSet: {
      Name: set.name, Type: set.type, TTL: set.ttl,
      ResourceRecords: { ResourceRecord: set.values.map((Value) => ({ Value })) }
    }
  }
}
