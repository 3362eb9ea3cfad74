/**
 * VPCs and their CIDR blocks. Rules: model/vpc.ts, model/vpc_cidr.ts. EC2 API Reference, "Amazon
 * VPC actions".
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { AwsError } from '../../../model/aws_error.ts'
import { planCreateDefaultVpc } from '../../../model/default_vpc.ts'
import { requireRecord } from '../../../model/resource_kind.ts'
import type { AccountView } from '../../../model/snapshot.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import type { AssociateVpcCidrBlockResult, Vpc, VpcCidrAssociation } from '../../../model/vpc.ts'
import {
  planAssociateVpcCidrBlock, planCreateVpc, planDeleteVpc, planDisassociateVpcCidrBlock,
  planModifyVpcAttribute, planModifyVpcTenancy
} from '../../../model/vpc.ts'
import type { Action, LabStatus } from '../action.ts'
import { defineRead, defineWrite } from '../action.ts'
import { creationState, isApplied, NOTHING_APPLIED } from '../applied.ts'
import type { FilterTable } from '../describe.ts'
import { describeRecords } from '../describe.ts'
import { refuseUnbuilt } from '../unbuilt.ts'

/**
 * Tag that shows a VPC's virtual network identifier: what to look for in a capture of the
 * underlay.
 */
export const VNI_TAG = 'vpclab:vni'

const IPV6_POOL_NAME = 'Amazon'

type CidrState = 'associating' | 'associated' | 'disassociating'

function printIpv4Association (
  block: VpcCidrAssociation, state: CidrState): Ec2.VpcCidrBlockAssociation {
  return {
    AssociationId: block.associationId, CidrBlock: block.cidrBlock, CidrBlockState: { State: state }
  }
}

function printIpv6Association (block: VpcCidrAssociation, state: CidrState,
  region: string): Ec2.VpcIpv6CidrBlockAssociation {
  return {
    AssociationId: block.associationId, Ipv6CidrBlock: block.cidrBlock,
    Ipv6CidrBlockState: { State: state },
    NetworkBorderGroup: region, Ipv6Pool: IPV6_POOL_NAME, Ipv6AddressAttribute: 'public',
    IpSource: 'amazon'
  }
}

/**
 * A VPC as CreateVpc and DescribeVpcs show it. A later block is `associating` until the newest
 * change is applied.
 */
function printVpc (view: AccountView, vpc: Vpc, lab: LabStatus): Ec2.Vpc {
  const state = creationState(view, 'vpc', vpc.id, lab)
  const later = isApplied(view, 'vpc', vpc.id, lab) ? 'associated' : 'associating'
  return {
    VpcId: vpc.id, OwnerId: vpc.ownerId, State: state, CidrBlock: vpc.cidrBlocks[0]?.cidrBlock,
    CidrBlockAssociationSet: vpc.cidrBlocks.map(
      (block, at) => printIpv4Association(block, at === 0 ? 'associated' : later)),
    Ipv6CidrBlockAssociationSet: vpc.ipv6CidrBlocks.map(
      (block) => printIpv6Association(block, later, vpc.region)),
    InstanceTenancy: vpc.instanceTenancy, IsDefault: vpc.isDefault,
    DhcpOptionsId: vpc.dhcpOptionsId,
    Tags: [...printTags(vpc.tags), { Key: VNI_TAG, Value: String(vpc.vni) }]
  }
}

function vpcFilters (lab: LabStatus): FilterTable<Vpc> {
  const primary = (vpc: Vpc): string | undefined => vpc.cidrBlocks[0]?.cidrBlock
  return {
    'cidr': primary,
    'cidr-block': primary,
    'cidrBlock': primary,
    'cidr-block-association.association-id': (vpc) =>
      vpc.cidrBlocks.map((block) => block.associationId),
    'cidr-block-association.cidr-block': (vpc) => vpc.cidrBlocks.map((block) => block.cidrBlock),
    'cidr-block-association.state': (vpc, view) =>
      printVpc(view, vpc, lab).CidrBlockAssociationSet?.map(
        ({ CidrBlockState }) => CidrBlockState?.State),
    'dhcp-options-id': (vpc) => vpc.dhcpOptionsId,
    'instance-tenancy': (vpc) => vpc.instanceTenancy,
    'ipv6-cidr-block-association.association-id': (vpc) =>
      vpc.ipv6CidrBlocks.map((block) => block.associationId),
    'ipv6-cidr-block-association.ipv6-cidr-block': (vpc) =>
      vpc.ipv6CidrBlocks.map((block) => block.cidrBlock),
    'ipv6-cidr-block-association.ipv6-pool': (vpc) => vpc.ipv6CidrBlocks.map(() => IPV6_POOL_NAME),
    'ipv6-cidr-block-association.state': (vpc, view) =>
      printVpc(view, vpc, lab).Ipv6CidrBlockAssociationSet?.map(
        ({ Ipv6CidrBlockState }) => Ipv6CidrBlockState?.State),
    'is-default': (vpc) => vpc.isDefault,
    'isDefault': (vpc) => vpc.isDefault,
    'owner-id': (vpc) => vpc.ownerId,
    'state': (vpc, view) => creationState(view, 'vpc', vpc.id, lab),
    'vpc-id': (vpc) => vpc.id
  }
}

/** The attributes that DescribeVpcAttribute knows, and the member of its answer for each. */
const VPC_ATTRIBUTES: Readonly<Record<string, (vpc: Vpc) => Ec2.DescribeVpcAttributeResult>> = {
  enableDnsSupport: (vpc) => ({ EnableDnsSupport: { Value: vpc.enableDnsSupport } }),
  enableDnsHostnames: (vpc) => ({ EnableDnsHostnames: { Value: vpc.enableDnsHostnames } }),
  enableNetworkAddressUsageMetrics: (vpc) =>
    ({ EnableNetworkAddressUsageMetrics: { Value: vpc.enableNetworkAddressUsageMetrics } })
}

function printAssociation (view: AccountView, result: AssociateVpcCidrBlockResult,
  state: CidrState): Ec2.AssociateVpcCidrBlockResult {
  const ipv6 = result.cidrBlock.includes(':')
  return {
    VpcId: result.vpcId,
    ...(ipv6
      ? { Ipv6CidrBlockAssociation: printIpv6Association(result, state, view.region) }
      : { CidrBlockAssociation: printIpv4Association(result, state) })
  }
}

export const vpcActions: readonly Action[] = [
  defineWrite<Ec2.CreateVpcRequest, { vpcId: string }, Ec2.CreateVpcResult>({
    name: 'CreateVpc',
    plan: (view, input, context) => {
      refuseUnbuilt('CreateVpc', input,
        ['CidrBlock', 'InstanceTenancy', 'AmazonProvidedIpv6CidrBlock', 'TagSpecifications'])
      return planCreateVpc(view, {
        cidrBlock: input.CidrBlock, instanceTenancy: input.InstanceTenancy ?? 'default',
        amazonProvidedIpv6CidrBlock: input.AmazonProvidedIpv6CidrBlock ?? false,
        tags: tagsFromSpecifications(input.TagSpecifications, 'vpc')
      }, context)
    },
    print: (view, { vpcId }) =>
      ({ Vpc: printVpc(view, requireRecord(view, 'vpc', vpcId), NOTHING_APPLIED) })
  }),

  defineWrite<Ec2.CreateDefaultVpcRequest, string, Ec2.CreateDefaultVpcResult>({
    name: 'CreateDefaultVpc',
    plan: (view, _input, context) => planCreateDefaultVpc(view, context),
    print: (view, id) => ({ Vpc: printVpc(view, requireRecord(view, 'vpc', id), NOTHING_APPLIED) })
  }),

  defineWrite<Ec2.DeleteVpcRequest, null, object>({
    name: 'DeleteVpc',
    plan: (view, input) => planDeleteVpc(view, input.VpcId ?? ''),
    print: () => ({})
  }),

  defineRead<Ec2.DescribeVpcsRequest, Ec2.DescribeVpcsResult>({
    name: 'DescribeVpcs',
    read: (view, input, { lab }) => {
      const page = describeRecords(view, 'vpc', 'VpcIds', input.VpcIds, input, vpcFilters(lab))
      return { Vpcs: page.items.map((vpc) => printVpc(view, vpc, lab)), NextToken: page.nextToken }
    }
  }),

  defineRead<Ec2.DescribeVpcAttributeRequest, Ec2.DescribeVpcAttributeResult>({
    name: 'DescribeVpcAttribute',
    read: (view, input) => {
      const vpc = requireRecord(view, 'vpc', input.VpcId ?? '')
      const attribute = input.Attribute ?? ''
      const print = Object.hasOwn(VPC_ATTRIBUTES, attribute) ? VPC_ATTRIBUTES[attribute] : undefined
      if (print === undefined) {
        throw new AwsError('InvalidParameterValue',
          `Value (${attribute}) for parameter attribute is invalid. ` +
          `Expecting one of ${Object.keys(VPC_ATTRIBUTES).join(', ')}.`)
      }
      return { VpcId: vpc.id, ...print(vpc) }
    }
  }),

  defineWrite<Ec2.ModifyVpcAttributeRequest, null, object>({
    name: 'ModifyVpcAttribute',
    plan: (view, input) => planModifyVpcAttribute(view, input.VpcId ?? '', {
      enableDnsSupport: input.EnableDnsSupport?.Value,
      enableDnsHostnames: input.EnableDnsHostnames?.Value,
      enableNetworkAddressUsageMetrics: input.EnableNetworkAddressUsageMetrics?.Value
    }),
    print: () => ({})
  }),

  defineWrite<Ec2.ModifyVpcTenancyRequest, null, Ec2.ModifyVpcTenancyResult>({
    name: 'ModifyVpcTenancy',
    plan: (view, input) =>
      planModifyVpcTenancy(view, input.VpcId ?? '', input.InstanceTenancy ?? ''),
    print: () => ({ ReturnValue: true })
  }),

  defineWrite<Ec2.AssociateVpcCidrBlockRequest, AssociateVpcCidrBlockResult,
    Ec2.AssociateVpcCidrBlockResult>({
    name: 'AssociateVpcCidrBlock',
    plan: (view, input, context) => {
      refuseUnbuilt('AssociateVpcCidrBlock', input,
        ['VpcId', 'CidrBlock', 'AmazonProvidedIpv6CidrBlock'])
      return planAssociateVpcCidrBlock(view, {
        vpcId: input.VpcId ?? '', cidrBlock: input.CidrBlock,
        amazonProvidedIpv6CidrBlock: input.AmazonProvidedIpv6CidrBlock ?? false
      }, context)
    },
    print: (view, result) => printAssociation(view, result, 'associating')
  }),

  defineWrite<Ec2.DisassociateVpcCidrBlockRequest, AssociateVpcCidrBlockResult,
    Ec2.DisassociateVpcCidrBlockResult>({
    name: 'DisassociateVpcCidrBlock',
    plan: (view, input) => planDisassociateVpcCidrBlock(view, input.AssociationId ?? ''),
    print: (view, result) => printAssociation(view, result, 'disassociating')
  })
]
