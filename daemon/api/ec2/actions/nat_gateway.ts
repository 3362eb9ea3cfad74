/** EC2 actions on NAT gateways. Rules: model/nat_gateway.ts, nat_gateway_address.ts. */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { planCreateNatGateway, planDeleteNatGateway } from '../../../model/nat_gateway.ts'
import type { NatGateway, NatGatewayAddress } from '../../../model/nat_gateway.ts'
import {
  planAssignPrivateNatGatewayAddress, planAssociateNatGatewayAddress,
  planDisassociateNatGatewayAddress, planUnassignPrivateNatGatewayAddress
} from '../../../model/nat_gateway_address.ts'
import type { NatGatewayAddressResult } from '../../../model/nat_gateway_address.ts'
import { requireRecord } from '../../../model/resource_kind.ts'
import type { AccountView } from '../../../model/snapshot.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action, LabStatus } from '../action.ts'
import { isApplied, NOTHING_APPLIED } from '../applied.ts'
import { describeRecords } from '../describe.ts'
import type { FilterTable } from '../describe.ts'
import { refuseUnbuilt } from '../unbuilt.ts'

/**
 * `pending` and `deleting` last until every host has applied the creation and the deletion;
 * creation and failure are one commit.
 */
function stateOf (view: AccountView, gateway: NatGateway, lab: LabStatus): Ec2.NatGatewayState {
  const { state, id } = gateway
  const created = view.snapshot.tables.natGateway.createRevision(id)
  if (created > lab.appliedRevision) return 'pending'
  if (state !== 'deleted') return state
  return isApplied(view, 'natGateway', id, lab) ? 'deleted' : 'deleting'
}

function printGateway (view: AccountView, gateway: NatGateway, lab: LabStatus): Ec2.NatGateway {
  const state = stateOf(view, gateway, lab)
  return {
    NatGatewayId: gateway.id, VpcId: gateway.vpcId, SubnetId: gateway.subnetId,
    ConnectivityType: gateway.connectivityType, State: state,
    NatGatewayAddresses: gateway.addresses.map((address) => printAddress(gateway, address)),
    CreateTime: new Date(gateway.createdMs),
    ...(state === 'failed' && { FailureCode: gateway.failureCode ?? undefined,
      FailureMessage: gateway.failureMessage ?? undefined }),
    ...(state !== 'pending' && gateway.deletedMs !== null &&
      { DeleteTime: new Date(gateway.deletedMs) }),
    Tags: printTags(gateway.tags)
  }
}

function printAddress (gateway: NatGateway, address: NatGatewayAddress): Ec2.NatGatewayAddress {
  return {
    AllocationId: address.allocationId ?? undefined,
    AssociationId: address.associationId ?? undefined,
    PublicIp: address.publicIp ?? undefined,
    NetworkInterfaceId: gateway.networkInterfaceId ?? undefined,
    ...(address.privateIp !== '' && { PrivateIp: address.privateIp }),
    IsPrimary: address.isPrimary, Status: address.status,
    FailureMessage: address.failureMessage ?? undefined
  }
}

function printChanged (view: AccountView, { natGatewayId, privateIps }: NatGatewayAddressResult):
{ NatGatewayId: string, NatGatewayAddresses: Ec2.NatGatewayAddress[] } {
  const gateway = requireRecord(view, 'natGateway', natGatewayId)
  return {
    NatGatewayId: natGatewayId,
    NatGatewayAddresses: gateway.addresses.filter(({ privateIp }) => privateIps.includes(privateIp))
      .map((address) => printAddress(gateway, address))
  }
}

/** EC2 API Reference, DescribeNatGateways: all filters. */
function natGatewayFilters (lab: LabStatus): FilterTable<NatGateway> {
  return {
    'nat-gateway-id': ({ id }) => id,
    'state': (gateway, view) => stateOf(view, gateway, lab),
    'subnet-id': ({ subnetId }) => subnetId,
    'vpc-id': ({ vpcId }) => vpcId
  }
}

const lifeCycle: readonly Action[] = [
  defineWrite<Ec2.CreateNatGatewayRequest, string, Ec2.CreateNatGatewayResult>({
    name: 'CreateNatGateway',
    plan: (view, input, context) => {
      refuseUnbuilt('CreateNatGateway',
        { ...input, AvailabilityMode: input.AvailabilityMode === 'zonal' ? undefined
          : input.AvailabilityMode },
        ['SubnetId', 'AllocationId', 'ConnectivityType', 'PrivateIpAddress',
          'SecondaryAllocationIds', 'SecondaryPrivateIpAddresses',
          'SecondaryPrivateIpAddressCount', 'TagSpecifications'])
      return planCreateNatGateway(view, {
        subnetId: input.SubnetId ?? '', connectivityType: input.ConnectivityType ?? 'public',
        allocationId: input.AllocationId, privateIpAddress: input.PrivateIpAddress,
        secondaryAllocationIds: input.SecondaryAllocationIds ?? [],
        secondaryPrivateIpAddresses: input.SecondaryPrivateIpAddresses ?? [],
        secondaryPrivateIpAddressCount: input.SecondaryPrivateIpAddressCount,
        tags: tagsFromSpecifications(input.TagSpecifications, 'natgateway')
      }, context)
    },
    print: (view, id) => ({
      NatGateway: printGateway(view, requireRecord(view, 'natGateway', id), NOTHING_APPLIED)
    })
  }),

  defineWrite<Ec2.DeleteNatGatewayRequest, string, Ec2.DeleteNatGatewayResult>({
    name: 'DeleteNatGateway',
    plan: (view, { NatGatewayId = '' }, context) =>
      planDeleteNatGateway(view, { natGatewayId: NatGatewayId }, context),
    print: (_view, id) => ({ NatGatewayId: id })
  }),

  defineRead<Ec2.DescribeNatGatewaysRequest, Ec2.DescribeNatGatewaysResult>({
    name: 'DescribeNatGateways',
    read: (view, input, { lab }) => {
      const page = describeRecords(view, 'natGateway', 'NatGatewayIds', input.NatGatewayIds,
        { ...input, Filters: input.Filter }, natGatewayFilters(lab))
      return { NatGateways: page.items.map((gateway) => printGateway(view, gateway, lab)),
        NextToken: page.nextToken }
    }
  })
]

const addresses: readonly Action[] = [
  defineWrite<Ec2.AssociateNatGatewayAddressRequest, NatGatewayAddressResult,
    Ec2.AssociateNatGatewayAddressResult>({
    name: 'AssociateNatGatewayAddress',
    plan: (view, input, context) => {
      refuseUnbuilt('AssociateNatGatewayAddress', input,
        ['NatGatewayId', 'AllocationIds', 'PrivateIpAddresses'])
      return planAssociateNatGatewayAddress(view, {
        natGatewayId: input.NatGatewayId ?? '', allocationIds: input.AllocationIds ?? [],
        privateIpAddresses: input.PrivateIpAddresses ?? []
      }, context)
    },
    print: printChanged
  }),

  defineWrite<Ec2.DisassociateNatGatewayAddressRequest, NatGatewayAddressResult,
    Ec2.DisassociateNatGatewayAddressResult>({
    name: 'DisassociateNatGatewayAddress',
    plan: (view, input, context) => planDisassociateNatGatewayAddress(view, {
      natGatewayId: input.NatGatewayId ?? '', names: input.AssociationIds ?? [],
      maxDrainDurationS: input.MaxDrainDurationSeconds
    }, context),
    print: printChanged
  }),

  defineWrite<Ec2.AssignPrivateNatGatewayAddressRequest, NatGatewayAddressResult,
    Ec2.AssignPrivateNatGatewayAddressResult>({
    name: 'AssignPrivateNatGatewayAddress',
    plan: (view, input) => planAssignPrivateNatGatewayAddress(view, {
      natGatewayId: input.NatGatewayId ?? '',
      privateIpAddresses: input.PrivateIpAddresses ?? [], count: input.PrivateIpAddressCount
    }),
    print: printChanged
  }),

  defineWrite<Ec2.UnassignPrivateNatGatewayAddressRequest, NatGatewayAddressResult,
    Ec2.UnassignPrivateNatGatewayAddressResult>({
    name: 'UnassignPrivateNatGatewayAddress',
    plan: (view, input, context) => planUnassignPrivateNatGatewayAddress(view, {
      natGatewayId: input.NatGatewayId ?? '', names: input.PrivateIpAddresses ?? [],
      maxDrainDurationS: input.MaxDrainDurationSeconds
    }, context),
    print: printChanged
  })
]

export const natGatewayActions: readonly Action[] = [...lifeCycle, ...addresses]
