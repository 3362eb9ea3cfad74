/**
 * EC2 actions on internet gateways, the egress-only ones included. Rules:
 * model/internet_gateway.ts, egress_only_internet_gateway.ts.
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import type {
  EgressOnlyInternetGateway
} from '../../../model/egress_only_internet_gateway.ts'
import {
  planCreateEgressOnlyInternetGateway, planDeleteEgressOnlyInternetGateway
} from '../../../model/egress_only_internet_gateway.ts'
import {
  planAttachInternetGateway, planCreateInternetGateway, planDeleteInternetGateway,
  planDetachInternetGateway
} from '../../../model/internet_gateway.ts'
import type { InternetGateway } from '../../../model/internet_gateway.ts'
import { requireRecord } from '../../../model/resource_kind.ts'
import type { AccountView } from '../../../model/snapshot.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action, LabStatus } from '../action.ts'
import { isApplied, NOTHING_APPLIED } from '../applied.ts'
import { describeRecords } from '../describe.ts'
import type { FilterTable } from '../describe.ts'

/** What the API calls an attachment that is complete: `available`, as no enumeration has it. */
const AVAILABLE = 'available' as Ec2.AttachmentStatus

function attachmentState (view: AccountView, gateway: InternetGateway,
  lab: LabStatus): Ec2.AttachmentStatus {
  return isApplied(view, 'internetGateway', gateway.id, lab) ? AVAILABLE : 'attaching'
}

function printInternetGateway (view: AccountView, gateway: InternetGateway,
  lab: LabStatus): Ec2.InternetGateway {
  return {
    InternetGatewayId: gateway.id, OwnerId: gateway.ownerId,
    Attachments: gateway.vpcId === null ? []
      : [{ VpcId: gateway.vpcId, State: attachmentState(view, gateway, lab) }],
    Tags: printTags(gateway.tags)
  }
}

/** EC2 API Reference, DescribeInternetGateways: all filters. */
function internetGatewayFilters (lab: LabStatus): FilterTable<InternetGateway> {
  return {
    'attachment.state': (gateway, view) =>
      gateway.vpcId === null ? undefined : attachmentState(view, gateway, lab),
    'attachment.vpc-id': ({ vpcId }) => vpcId,
    'internet-gateway-id': ({ id }) => id,
    'owner-id': ({ ownerId }) => ownerId
  }
}

function printEgressOnly (gateway: EgressOnlyInternetGateway): Ec2.EgressOnlyInternetGateway {
  return {
    EgressOnlyInternetGatewayId: gateway.id,
    Attachments: [{ VpcId: gateway.vpcId, State: 'attached' }],
    Tags: printTags(gateway.tags)
  }
}

export const internetGatewayActions: readonly Action[] = [
  defineWrite<Ec2.CreateInternetGatewayRequest, string, Ec2.CreateInternetGatewayResult>({
    name: 'CreateInternetGateway',
    plan: (view, { TagSpecifications }, context) => planCreateInternetGateway(view,
      { tags: tagsFromSpecifications(TagSpecifications, 'internet-gateway') }, context),
    print: (view, id) => ({ InternetGateway:
      printInternetGateway(view, requireRecord(view, 'internetGateway', id), NOTHING_APPLIED) })
  }),

  defineWrite<Ec2.DeleteInternetGatewayRequest, null, object>({
    name: 'DeleteInternetGateway',
    plan: (view, { InternetGatewayId = '' }) =>
      planDeleteInternetGateway(view, { internetGatewayId: InternetGatewayId }),
    print: () => ({})
  }),

  defineWrite<Ec2.AttachInternetGatewayRequest, null, object>({
    name: 'AttachInternetGateway',
    plan: (view, { InternetGatewayId = '', VpcId = '' }) => planAttachInternetGateway(view,
      { internetGatewayId: InternetGatewayId, vpcId: VpcId }),
    print: () => ({})
  }),

  defineWrite<Ec2.DetachInternetGatewayRequest, null, object>({
    name: 'DetachInternetGateway',
    plan: (view, { InternetGatewayId = '', VpcId = '' }) => planDetachInternetGateway(view,
      { internetGatewayId: InternetGatewayId, vpcId: VpcId }),
    print: () => ({})
  }),

  defineRead<Ec2.DescribeInternetGatewaysRequest, Ec2.DescribeInternetGatewaysResult>({
    name: 'DescribeInternetGateways',
    read: (view, input, { lab }) => {
      const page = describeRecords(view, 'internetGateway', 'InternetGatewayIds',
        input.InternetGatewayIds, input, internetGatewayFilters(lab))
      return { InternetGateways: page.items.map((one) => printInternetGateway(view, one, lab)),
        NextToken: page.nextToken }
    }
  }),

  defineWrite<Ec2.CreateEgressOnlyInternetGatewayRequest, string,
    Ec2.CreateEgressOnlyInternetGatewayResult>({
    name: 'CreateEgressOnlyInternetGateway',
    plan: (view, { VpcId = '', TagSpecifications }, context) =>
      planCreateEgressOnlyInternetGateway(view, { vpcId: VpcId,
        tags: tagsFromSpecifications(TagSpecifications, 'egress-only-internet-gateway') }, context),
    print: (view, id) => ({ EgressOnlyInternetGateway:
      printEgressOnly(requireRecord(view, 'egressOnlyInternetGateway', id)) })
  }),

  defineWrite<Ec2.DeleteEgressOnlyInternetGatewayRequest, null,
    Ec2.DeleteEgressOnlyInternetGatewayResult>({
    name: 'DeleteEgressOnlyInternetGateway',
    plan: (view, { EgressOnlyInternetGatewayId = '' }) =>
      planDeleteEgressOnlyInternetGateway(view,
        { egressOnlyInternetGatewayId: EgressOnlyInternetGatewayId }),
    print: () => ({ ReturnCode: true })
  }),

  defineRead<Ec2.DescribeEgressOnlyInternetGatewaysRequest,
    Ec2.DescribeEgressOnlyInternetGatewaysResult>({
    name: 'DescribeEgressOnlyInternetGateways',
    read: (view, input) => {
      const page = describeRecords(view, 'egressOnlyInternetGateway',
        'EgressOnlyInternetGatewayIds', input.EgressOnlyInternetGatewayIds, input, {})
      return { EgressOnlyInternetGateways: page.items.map(printEgressOnly),
        NextToken: page.nextToken }
    }
  })
]
