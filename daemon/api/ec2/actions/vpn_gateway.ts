/**
 * EC2 actions on virtual private gateways and customer gateways. Rules: model/vpn_gateway.ts,
 * customer_gateway.ts.
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import {
  planCreateCustomerGateway, planDeleteCustomerGateway
} from '../../../model/customer_gateway.ts'
import type { CustomerGateway } from '../../../model/customer_gateway.ts'
import { requireRecord } from '../../../model/resource_kind.ts'
import type { AccountView, NounRecords } from '../../../model/snapshot.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import {
  VPN_TYPE, planAttachVpnGateway, planCreateVpnGateway, planDeleteVpnGateway,
  planDetachVpnGateway
} from '../../../model/vpn_gateway.ts'
import type { VpnGateway } from '../../../model/vpn_gateway.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action, LabStatus } from '../action.ts'
import { isApplied, NOTHING_APPLIED } from '../applied.ts'
import { describeRecords } from '../describe.ts'
import type { FilterTable } from '../describe.ts'

type VpnNoun = 'vpnGateway' | 'customerGateway' | 'vpnConnection'

/** As EC2 shows it: `pending` and `deleting` last until every host has applied the change. */
export function vpnState<N extends VpnNoun> (view: AccountView, noun: N,
  { id, state }: NounRecords[N], lab: LabStatus): 'pending' | 'available' | 'deleting' | 'deleted' {
  if (state === 'deleted') return isApplied(view, noun, id, lab) ? 'deleted' : 'deleting'
  const created = view.snapshot.tables[noun].createRevision(id)
  return created > lab.appliedRevision ? 'pending' : 'available'
}

function attachmentsOf (
  view: AccountView, gateway: VpnGateway, lab: LabStatus): Ec2.VpcAttachment[] {
  const { vpcId, detachedVpcId, id } = gateway
  const applied = isApplied(view, 'vpnGateway', id, lab)
  if (vpcId !== null) return [{ VpcId: vpcId, State: applied ? 'attached' : 'attaching' }]
  if (detachedVpcId === null) return []
  return [{ VpcId: detachedVpcId, State: applied ? 'detached' : 'detaching' }]
}

function printVpnGateway (view: AccountView, gateway: VpnGateway, lab: LabStatus): Ec2.VpnGateway {
  return {
    VpnGatewayId: gateway.id, Type: VPN_TYPE, State: vpnState(view, 'vpnGateway', gateway, lab),
    AmazonSideAsn: gateway.amazonSideAsn,
    AvailabilityZone: gateway.availabilityZone ?? undefined,
    VpcAttachments: attachmentsOf(view, gateway, lab), Tags: printTags(gateway.tags)
  }
}

/** EC2 API Reference, DescribeVpnGateways: all filters. */
function vpnGatewayFilters (lab: LabStatus): FilterTable<VpnGateway> {
  return {
    'amazon-side-asn': ({ amazonSideAsn }) => amazonSideAsn,
    'attachment.state': (gateway, view) => attachmentsOf(view, gateway, lab)[0]?.State,
    'attachment.vpc-id': (gateway, view) => attachmentsOf(view, gateway, lab)[0]?.VpcId,
    'availability-zone': ({ availabilityZone }) => availabilityZone,
    'state': (gateway, view) => vpnState(view, 'vpnGateway', gateway, lab),
    'type': () => VPN_TYPE,
    'vpn-gateway-id': ({ id }) => id
  }
}

/** ASNs above this one have a member of their own in the answer. */
const BGP_ASN_MAX = 2_147_483_647

function printCustomerGateway (
  view: AccountView, gateway: CustomerGateway, lab: LabStatus): Ec2.CustomerGateway {
  const asn = String(gateway.bgpAsn)
  return {
    CustomerGatewayId: gateway.id, Type: VPN_TYPE,
    State: vpnState(view, 'customerGateway', gateway, lab),
    ...(gateway.bgpAsn > BGP_ASN_MAX ? { BgpAsnExtended: asn } : { BgpAsn: asn }),
    IpAddress: gateway.ipAddress ?? undefined,
    CertificateArn: gateway.certificateArn ?? undefined,
    DeviceName: gateway.deviceName ?? undefined, Tags: printTags(gateway.tags)
  }
}

/** EC2 API Reference, DescribeCustomerGateways: all filters. */
function customerGatewayFilters (lab: LabStatus): FilterTable<CustomerGateway> {
  return {
    'bgp-asn': ({ bgpAsn }) => bgpAsn,
    'customer-gateway-id': ({ id }) => id,
    'ip-address': ({ ipAddress }) => ipAddress,
    'state': (gateway, view) => vpnState(view, 'customerGateway', gateway, lab),
    'type': () => VPN_TYPE
  }
}

const vpnGateways: readonly Action[] = [
  defineWrite<Ec2.CreateVpnGatewayRequest, string, Ec2.CreateVpnGatewayResult>({
    name: 'CreateVpnGateway',
    plan: (view, { Type = '', AmazonSideAsn, AvailabilityZone, TagSpecifications }, context) =>
      planCreateVpnGateway(view, {
        type: Type, amazonSideAsn: AmazonSideAsn, availabilityZone: AvailabilityZone,
        tags: tagsFromSpecifications(TagSpecifications, 'vpn-gateway')
      }, context),
    print: (view, id) => ({
      VpnGateway: printVpnGateway(view, requireRecord(view, 'vpnGateway', id), NOTHING_APPLIED)
    })
  }),

  defineWrite<Ec2.DeleteVpnGatewayRequest, null, object>({
    name: 'DeleteVpnGateway',
    plan: (view, { VpnGatewayId = '' }, context) =>
      planDeleteVpnGateway(view, { vpnGatewayId: VpnGatewayId }, context),
    print: () => ({})
  }),

  defineWrite<Ec2.AttachVpnGatewayRequest, string, Ec2.AttachVpnGatewayResult>({
    name: 'AttachVpnGateway',
    plan: (view, { VpnGatewayId = '', VpcId = '' }) =>
      planAttachVpnGateway(view, { vpnGatewayId: VpnGatewayId, vpcId: VpcId }),
    print: (view, id) => ({
      VpcAttachment:
        attachmentsOf(view, requireRecord(view, 'vpnGateway', id), NOTHING_APPLIED)[0]
    })
  }),

  defineWrite<Ec2.DetachVpnGatewayRequest, null, object>({
    name: 'DetachVpnGateway',
    plan: (view, { VpnGatewayId = '', VpcId = '' }) =>
      planDetachVpnGateway(view, { vpnGatewayId: VpnGatewayId, vpcId: VpcId }),
    print: () => ({})
  }),

  defineRead<Ec2.DescribeVpnGatewaysRequest, Ec2.DescribeVpnGatewaysResult>({
    name: 'DescribeVpnGateways',
    read: (view, input, { lab }) => ({
      VpnGateways: describeRecords(view, 'vpnGateway', 'VpnGatewayIds', input.VpnGatewayIds,
        input, vpnGatewayFilters(lab)).items.map((one) => printVpnGateway(view, one, lab))
    })
  })
]

const customerGateways: readonly Action[] = [
  defineWrite<Ec2.CreateCustomerGatewayRequest, string, Ec2.CreateCustomerGatewayResult>({
    name: 'CreateCustomerGateway',
    plan: (view, input, context) => planCreateCustomerGateway(view, {
      type: input.Type ?? '', bgpAsn: input.BgpAsn, bgpAsnExtended: input.BgpAsnExtended,
      ipAddress: input.IpAddress ?? input.PublicIp, certificateArn: input.CertificateArn,
      deviceName: input.DeviceName,
      tags: tagsFromSpecifications(input.TagSpecifications, 'customer-gateway')
    }, context),
    print: (view, id, { lab }) => ({
      CustomerGateway:
        printCustomerGateway(view, requireRecord(view, 'customerGateway', id), lab)
    })
  }),

  defineWrite<Ec2.DeleteCustomerGatewayRequest, null, object>({
    name: 'DeleteCustomerGateway',
    plan: (view, { CustomerGatewayId = '' }, context) =>
      planDeleteCustomerGateway(view, { customerGatewayId: CustomerGatewayId }, context),
    print: () => ({})
  }),

  defineRead<Ec2.DescribeCustomerGatewaysRequest, Ec2.DescribeCustomerGatewaysResult>({
    name: 'DescribeCustomerGateways',
    read: (view, input, { lab }) => ({
      CustomerGateways: describeRecords(view, 'customerGateway', 'CustomerGatewayIds',
        input.CustomerGatewayIds, input, customerGatewayFilters(lab))
        .items.map((one) => printCustomerGateway(view, one, lab))
    })
  })
]

export const vpnGatewayActions: readonly Action[] = [...vpnGateways, ...customerGateways]
