/** Operations on private hosted zones. Route 53 API Reference. */
import type {
  CreateHostedZoneRequest, CreateHostedZoneResponse, DeleteHostedZoneRequest,
  DeleteHostedZoneResponse, GetChangeRequest, GetChangeResponse, GetHostedZoneCountRequest,
  GetHostedZoneCountResponse, GetHostedZoneRequest, GetHostedZoneResponse,
  HostedZone as ZoneShape, ListHostedZonesByNameRequest, ListHostedZonesByNameResponse,
  ListHostedZonesByVPCRequest, ListHostedZonesByVPCResponse, ListHostedZonesRequest,
  ListHostedZonesResponse, UpdateHostedZoneCommentRequest, UpdateHostedZoneCommentResponse, VPC,
  VPCRegion
} from '@aws-sdk/client-route-53'
import { AwsError } from '../../model/aws_error.ts'
import { compareDomainNames, parseDomainName, printDomainName } from '../../model/domain_name.ts'
import type { HostedZone, ZoneVpc } from '../../model/hosted_zone.ts'
import {
  planCommentZone, planCreateZone, planDeleteZone, requireOwnVpc, requireZone, vpcsOfZone, zonesOf,
  zonesOfVpc
} from '../../model/hosted_zone.ts'
import type { Snapshot } from '../../model/snapshot.ts'
import { defineOperation } from '../operation_service.ts'
import type { Operation } from '../operation_service.ts'
import type { Route53Context } from './context.ts'
import {
  ZONES_PAGE_MAX, changeInfoOf, commit, idIn, pageFrom, pageSize, sightOf, submit, vpcIn
} from './context.ts'

export function zoneOperations (context: Route53Context): Operation<object, object>[] {
  return [...singleZoneOperations(context), ...listOperations(context)]
}

function singleZoneOperations (context: Route53Context): Operation<object, object>[] {
  const shapeOf = (zone: HostedZone): ZoneShape => zoneShape(context.ledger.snapshot, zone)
  return [
    // A private zone has no delegation set.
    defineOperation<CreateHostedZoneRequest, Omit<CreateHostedZoneResponse, 'DelegationSet'>>({
      name: 'CreateHostedZone',
      async answer (caller, input, call) {
        refuseUnbuilt(input)
        const vpc = vpcIn(input.VPC)
        const sight = sightOf(context, caller)
        const { zoneId, changeId } = await commit(context, call, (plan) => planCreateZone(sight, {
          name: input.Name ?? '', callerReference: input.CallerReference ?? '',
          comment: input.HostedZoneConfig?.Comment ?? null, vpc
        }, plan))
        return {
          HostedZone: shapeOf(requireZone(sight, zoneId)),
          ChangeInfo: changeInfoOf(context, caller, changeId),
          VPC: vpcShape(vpc),
          Location: `https://route53.amazonaws.com/2013-04-01/hostedzone/${zoneId}`
        }
      }
    }),
    defineOperation<GetHostedZoneRequest, GetHostedZoneResponse>({
      name: 'GetHostedZone',
      answer (caller, input) {
        const zone = requireZone(sightOf(context, caller), idIn(input.Id))
        const vpcs = vpcsOfZone(context.ledger.snapshot, zone.id)
        return { HostedZone: shapeOf(zone), VPCs: vpcs.map(vpcShape) }
      }
    }),
    defineOperation<DeleteHostedZoneRequest, DeleteHostedZoneResponse>({
      name: 'DeleteHostedZone',
      answer: (caller, input, call) => submit(context, caller, call,
        (plan) => planDeleteZone(sightOf(context, caller), idIn(input.Id), plan))
    }),
    defineOperation<UpdateHostedZoneCommentRequest, UpdateHostedZoneCommentResponse>({
      name: 'UpdateHostedZoneComment',
      async answer (caller, input, call) {
        const sight = sightOf(context, caller)
        const id = idIn(input.Id)
        await commit(context, call, () => planCommentZone(sight, id, input.Comment ?? null))
        return { HostedZone: shapeOf(requireZone(sight, id)) }
      }
    }),
    defineOperation<GetHostedZoneCountRequest, GetHostedZoneCountResponse>({
      name: 'GetHostedZoneCount',
      answer: (caller) => ({ HostedZoneCount: zonesOf(sightOf(context, caller)).length })
    }),
    defineOperation<GetChangeRequest, GetChangeResponse>({
      name: 'GetChange',
      answer: (caller, input) =>
        ({ ChangeInfo: changeInfoOf(context, caller, idIn(input.Id)) })
    })
  ]
}

function listOperations (context: Route53Context): Operation<object, object>[] {
  return [
    defineOperation<ListHostedZonesRequest, ListHostedZonesResponse>({
      name: 'ListHostedZones',
      answer (caller, input) {
        const size = pageSize(input.MaxItems, ZONES_PAGE_MAX)
        // Reusable delegation sets are of public zones.
        const isNone = (input.DelegationSetId ?? '') !== ''
        const zones = isNone ? [] : zonesOf(sightOf(context, caller))
        const at = startOf(zones, input.Marker)
        const { page, next } = pageFrom(zones, at, size)
        return {
          HostedZones: page.map((zone) => zoneShape(context.ledger.snapshot, zone)),
          Marker: input.Marker ?? '',
          IsTruncated: next !== undefined, MaxItems: size,
          ...next === undefined ? {} : { NextMarker: next.id }
        }
      }
    }),
    defineOperation<ListHostedZonesByNameRequest, ListHostedZonesByNameResponse>({
      name: 'ListHostedZonesByName',
      answer: (caller, input) =>
        zonesByName(context, zonesOf(sightOf(context, caller)), input)
    }),
    defineOperation<ListHostedZonesByVPCRequest, ListHostedZonesByVPCResponse>({
      name: 'ListHostedZonesByVPC',
      answer (caller, input) {
        const vpc = { vpcId: input.VPCId ?? '', region: input.VPCRegion ?? '' }
        requireOwnVpc(sightOf(context, caller), vpc)
        const size = pageSize(input.MaxItems, ZONES_PAGE_MAX)
        const zones = zonesOfVpc(context.ledger.snapshot, vpc.vpcId)
        const at = startOf(zones, input.NextToken, 'InvalidPaginationToken')
        const { page, next } = pageFrom(zones, at, size)
        return {
          HostedZoneSummaries: page.map(({ id, name, ownerId }) => ({
            HostedZoneId: id, Name: printDomainName(name), Owner: { OwningAccount: ownerId }
          })),
          MaxItems: size, ...next === undefined ? {} : { NextToken: next.id }
        }
      }
    })
  ]
}

/** @throws AwsError InvalidInput */
function refuseUnbuilt (input: CreateHostedZoneRequest): void {
  const { PrivateZone: isPrivate } = input.HostedZoneConfig ?? {}
  if (input.VPC !== undefined && isPrivate !== false && input.DelegationSetId === undefined) return
  throw new AwsError('InvalidInput', 'Public hosted zones are not built in vpclab: a zone is ' +
    'private, is made with a VPC, and has no delegation set')
}

/**
 * Where a page begins.
 * @param code of the refusal of an id that no zone has
 */
function startOf (zones: readonly HostedZone[], id: string | undefined,
  code = 'InvalidInput'): number {
  if (id === undefined || id === '') return 0
  const at = zones.findIndex((zone) => zone.id === idIn(id))
  if (at !== -1) return at
  throw new AwsError(code, `No hosted zone of the listing has the ID ${id.slice(0, 64)}`)
}

function zonesByName (context: Route53Context, all: readonly HostedZone[],
  input: ListHostedZonesByNameRequest): ListHostedZonesByNameResponse {
  const size = pageSize(input.MaxItems, ZONES_PAGE_MAX)
  const zones = all.toSorted((a, b) => compareDomainNames(a.name, b.name))
  const at = input.DNSName === undefined ? 0 : startByName(zones, input)
  const { page, next } = pageFrom(zones, at, size)
  return {
    HostedZones: page.map((zone) => zoneShape(context.ledger.snapshot, zone)),
    IsTruncated: next !== undefined, MaxItems: size,
    ...input.DNSName === undefined ? {} : { DNSName: input.DNSName },
    ...input.HostedZoneId === undefined ? {} : { HostedZoneId: input.HostedZoneId },
    ...next === undefined
      ? {} : { NextDNSName: printDomainName(next.name), NextHostedZoneId: next.id }
  }
}

/** The first zone of that name or behind it; among several of the name, the one of the id. */
function startByName (zones: readonly HostedZone[],
  { DNSName: text = '', HostedZoneId: id }: ListHostedZonesByNameRequest): number {
  const name = parseDomainName(text)
  if (name === null) throw new AwsError('InvalidDomainName', `${text} is not a valid domain name`)
  const exact = id === undefined ? -1
    : zones.findIndex((zone) => zone.name === name && zone.id === idIn(id))
  return exact === -1
    ? zones.findIndex((zone) => compareDomainNames(zone.name, name) >= 0) : exact
}

function zoneShape (snapshot: Snapshot, zone: HostedZone): ZoneShape {
  return {
    Id: `/hostedzone/${zone.id}`, Name: printDomainName(zone.name),
    CallerReference: zone.callerReference,
    Config: { ...zone.comment === null ? {} : { Comment: zone.comment }, PrivateZone: true },
    ResourceRecordSetCount: snapshot.tables.resourceRecordSet.by('zoneId', zone.id).length
  }
}

export function vpcShape ({ vpcId, region }: ZoneVpc): VPC {
  return { VPCRegion: region as VPCRegion, VPCId: vpcId }
}
