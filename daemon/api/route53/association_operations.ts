/** Operations on which VPCs see a zone, and on a zone's tags. Route 53 API Reference. */
import type {
  AssociateVPCWithHostedZoneRequest, AssociateVPCWithHostedZoneResponse,
  ChangeTagsForResourceRequest, ChangeTagsForResourceResponse,
  CreateVPCAssociationAuthorizationRequest, CreateVPCAssociationAuthorizationResponse,
  DeleteVPCAssociationAuthorizationRequest, DeleteVPCAssociationAuthorizationResponse,
  DisassociateVPCFromHostedZoneRequest, DisassociateVPCFromHostedZoneResponse,
  ListTagsForResourceRequest, ListTagsForResourceResponse, ListTagsForResourcesRequest,
  ListTagsForResourcesResponse, ListVPCAssociationAuthorizationsRequest,
  ListVPCAssociationAuthorizationsResponse, ResourceTagSet
} from '@aws-sdk/client-route-53'
import { AwsError } from '../../model/aws_error.ts'
import {
  planAssociateVpc, planAuthorizeVpc, planDeauthorizeVpc, planDisassociateVpc, planTagZone,
  requireZone
} from '../../model/hosted_zone.ts'
import type { ZoneCaller } from '../../model/hosted_zone.ts'
import type { Tags } from '../../model/record.ts'
import { checkTagCount, printTags, tagsFromInput } from '../../model/tag.ts'
import { defineOperation } from '../operation_service.ts'
import type { Operation } from '../operation_service.ts'
import type { Route53Context } from './context.ts'
import {
  AUTHORIZATIONS_PAGE_MAX, commit, idIn, pageFrom, pageSize, sightOf, submit, vpcIn
} from './context.ts'
import { vpcShape } from './zone_operations.ts'

const ZONE_TYPE = 'hostedzone'
/** Zones of one ListTagsForResources, as Route 53 has it. */
export const TAGGED_ZONES_MAX = 10

export function associationOperations (context: Route53Context): Operation<object, object>[] {
  return [
    defineOperation<AssociateVPCWithHostedZoneRequest, AssociateVPCWithHostedZoneResponse>({
      name: 'AssociateVPCWithHostedZone',
      answer: (caller, input, call) => submit(context, caller, call, (plan) =>
        planAssociateVpc(sightOf(context, caller), idIn(input.HostedZoneId), vpcIn(input.VPC),
          input.Comment ?? null, plan))
    }),
    defineOperation<DisassociateVPCFromHostedZoneRequest, DisassociateVPCFromHostedZoneResponse>({
      name: 'DisassociateVPCFromHostedZone',
      answer: (caller, input, call) => submit(context, caller, call, (plan) =>
        planDisassociateVpc(sightOf(context, caller), idIn(input.HostedZoneId), vpcIn(input.VPC),
          input.Comment ?? null, plan))
    }),
    defineOperation<CreateVPCAssociationAuthorizationRequest,
      CreateVPCAssociationAuthorizationResponse>({
      name: 'CreateVPCAssociationAuthorization',
      async answer (caller, input, call) {
        const vpc = vpcIn(input.VPC)
        const id = idIn(input.HostedZoneId)
        await commit(context, call, () => planAuthorizeVpc(sightOf(context, caller), id, vpc))
        return { HostedZoneId: id, VPC: vpcShape(vpc) }
      }
    }),
    defineOperation<DeleteVPCAssociationAuthorizationRequest,
      DeleteVPCAssociationAuthorizationResponse>({
      name: 'DeleteVPCAssociationAuthorization',
      async answer (caller, input, call) {
        await commit(context, call, () => planDeauthorizeVpc(
          sightOf(context, caller), idIn(input.HostedZoneId), vpcIn(input.VPC)))
        return {}
      }
    }),
    defineOperation<ListVPCAssociationAuthorizationsRequest,
      ListVPCAssociationAuthorizationsResponse>({
      name: 'ListVPCAssociationAuthorizations',
      answer (caller, input) {
        const zone = requireZone(sightOf(context, caller), idIn(input.HostedZoneId))
        const size = pageSize(input.MaxResults, AUTHORIZATIONS_PAGE_MAX)
        const { NextToken: token } = input
        const at = token === undefined ? 0
          : zone.authorizedVpcs.findIndex(({ vpcId }) => vpcId === token)
        if (at === -1) {
          throw new AwsError('InvalidPaginationToken', 'The token is not one of this listing')
        }
        const { page, next } = pageFrom(zone.authorizedVpcs, at, size)
        return {
          HostedZoneId: zone.id, VPCs: page.map(vpcShape),
          ...next === undefined ? {} : { NextToken: next.vpcId }
        }
      }
    }),
    ...tagOperations(context)
  ]
}

function tagOperations (context: Route53Context): Operation<object, object>[] {
  return [
    defineOperation<ChangeTagsForResourceRequest, ChangeTagsForResourceResponse>({
      name: 'ChangeTagsForResource',
      async answer (caller, input, call) {
        const id = requireZoneType(input.ResourceType, input.ResourceId)
        const added = asInvalidInput(() => tagsFromInput(input.AddTags ?? []))
        const sight = sightOf(context, caller)
        const removed = input.RemoveTagKeys ?? []
        asInvalidInput(() => { checkTagCount({ ...requireZone(sight, id).tags, ...added }) })
        await commit(context, call, () => planTagZone(sight, id, added, removed))
        return {}
      }
    }),
    defineOperation<ListTagsForResourceRequest, ListTagsForResourceResponse>({
      name: 'ListTagsForResource',
      answer: (caller, input) => ({
        ResourceTagSet: tagSetOf(sightOf(context, caller),
          requireZoneType(input.ResourceType, input.ResourceId))
      })
    }),
    defineOperation<ListTagsForResourcesRequest, ListTagsForResourcesResponse>({
      name: 'ListTagsForResources',
      answer (caller, input) {
        const ids = input.ResourceIds ?? []
        if (ids.length > TAGGED_ZONES_MAX) {
          throw new AwsError('InvalidInput',
            `A call asks for the tags of ${String(TAGGED_ZONES_MAX)} zones at most`)
        }
        const sight = sightOf(context, caller)
        return {
          ResourceTagSets: ids.map((id) =>
            tagSetOf(sight, requireZoneType(input.ResourceType, id)))
        }
      }
    })
  ]
}

/** @returns the zone's id @throws AwsError InvalidInput for the tags of something else */
function requireZoneType (type: string | undefined, id: string | undefined): string {
  if (type === ZONE_TYPE) return idIn(id)
  throw new AwsError('InvalidInput',
    `Tags of the resource type "${type ?? ''}" are not built in vpclab: it is "${ZONE_TYPE}"`)
}

/** Route 53 has one code for all that is wrong with tags. */
function asInvalidInput<Value> (check: () => Value): Value {
  try {
    return check()
  } catch (error) {
    if (!(error instanceof AwsError) || error.code === 'NoSuchHostedZone') throw error
    throw new AwsError('InvalidInput', error.message)
  }
}

function tagSetOf (sight: ZoneCaller, id: string): ResourceTagSet {
  const tags: Tags = requireZone(sight, id).tags
  return { ResourceType: ZONE_TYPE, ResourceId: id, Tags: printTags(tags) }
}
