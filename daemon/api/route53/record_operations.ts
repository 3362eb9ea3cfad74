/** Operations on the records of a zone. Route 53 API Reference. */
import type {
  Change as ChangeShape, ChangeResourceRecordSetsRequest, ChangeResourceRecordSetsResponse,
  ListResourceRecordSetsRequest, ListResourceRecordSetsResponse,
  ResourceRecordSet as RecordSetShape
} from '@aws-sdk/client-route-53'
import { AwsError } from '../../model/aws_error.ts'
import { compareDomainNames, parseDomainName, printDomainName } from '../../model/domain_name.ts'
import { noteChange, requireZone } from '../../model/hosted_zone.ts'
import type { RecordSetChange, ResourceRecordSet } from '../../model/record_set.ts'
import { planChangeRecordSets } from '../../model/record_set.ts'
import { defineOperation } from '../operation_service.ts'
import type { Operation } from '../operation_service.ts'
import type { Route53Context } from './context.ts'
import { RECORD_SETS_PAGE_MAX, idIn, pageFrom, pageSize, sightOf, submit } from './context.ts'

/** Members of a record set that are acted on. */
const BUILT_MEMBERS = new Set<string>(['Name', 'Type', 'TTL', 'ResourceRecords'])

export function recordOperations (context: Route53Context): Operation<object, object>[] {
  return [
    defineOperation<ChangeResourceRecordSetsRequest, ChangeResourceRecordSetsResponse>({
      name: 'ChangeResourceRecordSets',
      answer (caller, input, call) {
        const sight = sightOf(context, caller)
        const batch = (input.ChangeBatch?.Changes ?? []).map(changeOf)
        return submit(context, caller, call, (plan) => {
          const zone = requireZone(sight, idIn(input.HostedZoneId))
          return planChangeRecordSets(sight, zone, batch,
            () => noteChange(sight, input.ChangeBatch?.Comment ?? null, plan))
        })
      }
    }),
    defineOperation<ListResourceRecordSetsRequest, ListResourceRecordSetsResponse>({
      name: 'ListResourceRecordSets',
      answer (caller, input) {
        const zone = requireZone(sightOf(context, caller), idIn(input.HostedZoneId))
        const size = pageSize(input.MaxItems, RECORD_SETS_PAGE_MAX)
        const sets = context.ledger.snapshot.tables.resourceRecordSet.by('zoneId', zone.id)
          .toSorted(compareSets)
        const { page, next } = pageFrom(sets, startOf(sets, input), size)
        return {
          ResourceRecordSets: page.map(setShape), IsTruncated: next !== undefined, MaxItems: size,
          ...next === undefined
            ? {} : { NextRecordName: printDomainName(next.name), NextRecordType: next.type }
        }
      }
    })
  ]
}

function changeOf ({ Action, ResourceRecordSet: set }: ChangeShape): RecordSetChange {
  const unbuilt = Object.keys(set ?? {}).filter((member) => !BUILT_MEMBERS.has(member))
  return {
    action: Action ?? '', name: set?.Name ?? '', type: set?.Type ?? '', ttlS: set?.TTL ?? null,
    values: set?.ResourceRecords?.map(({ Value }) => Value ?? '') ?? null, unbuilt
  }
}

type Place = Pick<ResourceRecordSet, 'name' | 'type'>

function compareSets (a: Place, b: Place): number {
  const byName = compareDomainNames(a.name, b.name)
  return byName !== 0 ? byName : a.type.localeCompare(b.type)
}

/** The first set of that name and type, or behind it. */
function startOf (sets: readonly ResourceRecordSet[],
  { StartRecordName: text, StartRecordType: type, StartRecordIdentifier: identifier }:
  ListResourceRecordSetsRequest): number {
  if (text === undefined) {
    if (type === undefined && identifier === undefined) return 0
    throw new AwsError('InvalidInput', 'A start type is given with a start name')
  }
  const name = parseDomainName(text)
  if (name === null) {
    throw new AwsError('InvalidInput', `${text.slice(0, 255)} is not a valid domain name`)
  }
  return sets.findIndex((set) =>
    compareSets(set, { name, type: (type ?? '') as ResourceRecordSet['type'] }) >= 0)
}

function setShape ({ name, type, ttlS, values }: ResourceRecordSet): RecordSetShape {
  return {
    Name: printDomainName(name), Type: type, TTL: ttlS,
    ResourceRecords: values.map((Value) => ({ Value }))
  }
}
