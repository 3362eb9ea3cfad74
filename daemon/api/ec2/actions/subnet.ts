/**
 * Subnets and their CIDR reservations. Rules: model/subnet.ts. EC2 API Reference, "Amazon VPC
 * actions".
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { AwsError } from '../../../model/aws_error.ts'
import { availableAddressCount } from '../../../model/address_pool.ts'
import { planCreateDefaultSubnet } from '../../../model/default_vpc.ts'
import { requireRecord } from '../../../model/resource_kind.ts'
import type { AccountView } from '../../../model/snapshot.ts'
import type { Subnet, SubnetCidrReservation, SubnetCidrResult } from '../../../model/subnet.ts'
import {
  planAssociateSubnetCidrBlock, planCreateSubnet, planCreateSubnetCidrReservation, planDeleteSubnet,
  planDeleteSubnetCidrReservation, planDisassociateSubnetCidrBlock, planModifySubnetAttribute
} from '../../../model/subnet.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import type { VpcCidrAssociation } from '../../../model/vpc.ts'
import { zoneName } from '../../../model/zone.ts'
import type { Action, LabStatus } from '../action.ts'
import { defineRead, defineWrite } from '../action.ts'
import { creationState, isApplied } from '../applied.ts'
import type { FilterTable } from '../describe.ts'
import { applyFilters, checkPageInput, describeRecords, pageOf } from '../describe.ts'
import { refuseUnbuilt } from '../unbuilt.ts'

function subnetArn (subnet: Subnet): string {
  return `arn:aws:ec2:${subnet.region}:${subnet.ownerId}:subnet/${subnet.id}`
}

type CidrState = 'associating' | 'associated' | 'disassociating'

function printIpv6Association (
  block: VpcCidrAssociation, state: CidrState): Ec2.SubnetIpv6CidrBlockAssociation {
  return {
    AssociationId: block.associationId, Ipv6CidrBlock: block.cidrBlock,
    Ipv6CidrBlockState: { State: state },
    Ipv6AddressAttribute: 'public', IpSource: 'amazon'
  }
}

/** A subnet as CreateSubnet and DescribeSubnets show it. */
function printSubnet (view: AccountView, subnet: Subnet, lab: LabStatus): Ec2.Subnet {
  const ipv6State = isApplied(view, 'subnet', subnet.id, lab) ? 'associated' : 'associating'
  return {
    SubnetId: subnet.id, SubnetArn: subnetArn(subnet), OwnerId: subnet.ownerId, VpcId: subnet.vpcId,
    State: creationState(view, 'subnet', subnet.id, lab),
    AvailabilityZone: zoneName(view, subnet.zoneId), AvailabilityZoneId: subnet.zoneId,
    CidrBlock: subnet.cidrBlock ?? undefined,
    AvailableIpAddressCount: availableAddressCount(view, subnet),
    Ipv6CidrBlockAssociationSet: subnet.ipv6CidrBlocks.map(
      (block) => printIpv6Association(block, ipv6State)),
    Ipv6Native: subnet.cidrBlock === null, DefaultForAz: subnet.isDefault,
    MapPublicIpOnLaunch: subnet.mapPublicIpOnLaunch, MapCustomerOwnedIpOnLaunch: false,
    AssignIpv6AddressOnCreation: subnet.assignIpv6AddressOnCreation,
    EnableDns64: subnet.enableDns64,
    PrivateDnsNameOptionsOnLaunch: {
      HostnameType: subnet.hostnameType,
      EnableResourceNameDnsARecord: subnet.enableResourceNameDnsARecord,
      EnableResourceNameDnsAAAARecord: subnet.enableResourceNameDnsAaaaRecord
    },
    Tags: printTags(subnet.tags)
  }
}

/** Filters by what only an Outpost's subnet has match nothing. */
const nothing = (): undefined => undefined

/** EC2 API Reference, DescribeSubnets: all filters. */
function subnetFilters (lab: LabStatus): FilterTable<Subnet> {
  const cidrBlock = (subnet: Subnet): string | null => subnet.cidrBlock
  const zone = (subnet: Subnet, view: AccountView): string => zoneName(view, subnet.zoneId)
  return {
    'availability-zone': zone,
    'availabilityZone': zone,
    'availability-zone-id': (subnet) => subnet.zoneId,
    'availabilityZoneId': (subnet) => subnet.zoneId,
    'available-ip-address-count': (subnet, view) => availableAddressCount(view, subnet),
    'cidr-block': cidrBlock,
    'cidr': cidrBlock,
    'cidrBlock': cidrBlock,
    'customer-owned-ipv4-pool': nothing,
    'default-for-az': (subnet) => subnet.isDefault,
    'defaultForAz': (subnet) => subnet.isDefault,
    'enable-dns64': (subnet) => subnet.enableDns64,
    'enable-lni-at-device-index': nothing,
    'ipv6-cidr-block-association.association-id': (subnet) =>
      subnet.ipv6CidrBlocks.map((block) => block.associationId),
    'ipv6-cidr-block-association.ipv6-cidr-block': (subnet) =>
      subnet.ipv6CidrBlocks.map((block) => block.cidrBlock),
    'ipv6-cidr-block-association.state': (subnet, view) =>
      printSubnet(view, subnet, lab).Ipv6CidrBlockAssociationSet?.map(
        ({ Ipv6CidrBlockState }) => Ipv6CidrBlockState?.State),
    'ipv6-native': (subnet) => subnet.cidrBlock === null,
    'map-customer-owned-ip-on-launch': () => false,
    'map-public-ip-on-launch': (subnet) => subnet.mapPublicIpOnLaunch,
    'outpost-arn': nothing,
    'owner-id': (subnet) => subnet.ownerId,
    'private-dns-name-options-on-launch.hostname-type': (subnet) => subnet.hostnameType,
    'private-dns-name-options-on-launch.enable-resource-name-dns-a-record': (subnet) =>
      subnet.enableResourceNameDnsARecord,
    'private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record': (subnet) =>
      subnet.enableResourceNameDnsAaaaRecord,
    'state': (subnet, view) => creationState(view, 'subnet', subnet.id, lab),
    'subnet-arn': subnetArn,
    'subnet-id': (subnet) => subnet.id,
    'vpc-id': (subnet) => subnet.vpcId
  }
}

function printReservation (subnet: Subnet,
  reservation: SubnetCidrReservation): Ec2.SubnetCidrReservation {
  return {
    SubnetCidrReservationId: reservation.id, SubnetId: subnet.id, OwnerId: subnet.ownerId,
    Cidr: reservation.cidr,
    ReservationType: reservation.reservationType, Description: reservation.description,
    Tags: printTags(reservation.tags)
  }
}

/** EC2 API Reference, GetSubnetCidrReservations: all filters. */
function reservationFilters (subnet: Subnet): FilterTable<SubnetCidrReservation> {
  return {
    'reservationType': (reservation) => reservation.reservationType,
    'reservation-type': (reservation) => reservation.reservationType,
    'subnet-id': () => subnet.id
  }
}

export const subnetActions: readonly Action[] = [
  defineWrite<Ec2.CreateSubnetRequest, { subnetId: string }, Ec2.CreateSubnetResult>({
    name: 'CreateSubnet',
    plan: (view, input, context) => {
      refuseUnbuilt('CreateSubnet', input, [
        'VpcId', 'CidrBlock', 'Ipv6CidrBlock', 'Ipv6Native', 'AvailabilityZone',
        'AvailabilityZoneId', 'TagSpecifications'
      ])
      return planCreateSubnet(view, {
        vpcId: input.VpcId ?? '', cidrBlock: input.CidrBlock, ipv6CidrBlock: input.Ipv6CidrBlock,
        ipv6Native: input.Ipv6Native ?? false,
        availabilityZone: input.AvailabilityZone, availabilityZoneId: input.AvailabilityZoneId,
        tags: tagsFromSpecifications(input.TagSpecifications, 'subnet')
      }, context)
    },
    print: (view, { subnetId }, { lab }) =>
      ({ Subnet: printSubnet(view, requireRecord(view, 'subnet', subnetId), lab) })
  }),

  defineWrite<Ec2.CreateDefaultSubnetRequest, string, Ec2.CreateDefaultSubnetResult>({
    name: 'CreateDefaultSubnet',
    plan: (view, input, context) => {
      refuseUnbuilt('CreateDefaultSubnet', input, ['AvailabilityZone', 'AvailabilityZoneId'])
      return planCreateDefaultSubnet(view, { availabilityZone: input.AvailabilityZone,
        availabilityZoneId: input.AvailabilityZoneId }, context)
    },
    print: (view, id, { lab }) =>
      ({ Subnet: printSubnet(view, requireRecord(view, 'subnet', id), lab) })
  }),

  defineWrite<Ec2.DeleteSubnetRequest, null, object>({
    name: 'DeleteSubnet',
    plan: (view, input) => planDeleteSubnet(view, input.SubnetId ?? ''),
    print: () => ({})
  }),

  defineRead<Ec2.DescribeSubnetsRequest, Ec2.DescribeSubnetsResult>({
    name: 'DescribeSubnets',
    read: (view, input, { lab }) => {
      const page = describeRecords(view, 'subnet', 'SubnetIds', input.SubnetIds, input,
        subnetFilters(lab))
      return {
        Subnets: page.items.map((subnet) => printSubnet(view, subnet, lab)),
        NextToken: page.nextToken
      }
    }
  }),

  defineWrite<Ec2.ModifySubnetAttributeRequest, null, object>({
    name: 'ModifySubnetAttribute',
    plan: (view, input) => {
      refuseUnbuilt('ModifySubnetAttribute', input, [
        'SubnetId', 'MapPublicIpOnLaunch', 'AssignIpv6AddressOnCreation', 'EnableDns64',
        'PrivateDnsHostnameTypeOnLaunch', 'EnableResourceNameDnsARecordOnLaunch',
        'EnableResourceNameDnsAAAARecordOnLaunch'
      ])
      return planModifySubnetAttribute(view, input.SubnetId ?? '', {
        mapPublicIpOnLaunch: input.MapPublicIpOnLaunch?.Value,
        assignIpv6AddressOnCreation: input.AssignIpv6AddressOnCreation?.Value,
        enableDns64: input.EnableDns64?.Value,
        hostnameType: input.PrivateDnsHostnameTypeOnLaunch,
        enableResourceNameDnsARecord: input.EnableResourceNameDnsARecordOnLaunch?.Value,
        enableResourceNameDnsAaaaRecord: input.EnableResourceNameDnsAAAARecordOnLaunch?.Value
      })
    },
    print: () => ({})
  }),

  defineWrite<Ec2.AssociateSubnetCidrBlockRequest, SubnetCidrResult,
    Ec2.AssociateSubnetCidrBlockResult>({
    name: 'AssociateSubnetCidrBlock',
    plan: (view, input, context) => {
      refuseUnbuilt('AssociateSubnetCidrBlock', input, ['SubnetId', 'Ipv6CidrBlock'])
      if (input.Ipv6CidrBlock === undefined) {
        throw new AwsError('MissingParameter',
          'The request must contain the parameter ipv6CidrBlock')
      }
      return planAssociateSubnetCidrBlock(view, input.SubnetId ?? '', input.Ipv6CidrBlock, context)
    },
    print: (_view, result) => ({
      SubnetId: result.subnetId,
      Ipv6CidrBlockAssociation: printIpv6Association(result, 'associating')
    })
  }),

  defineWrite<Ec2.DisassociateSubnetCidrBlockRequest, SubnetCidrResult,
    Ec2.DisassociateSubnetCidrBlockResult>({
    name: 'DisassociateSubnetCidrBlock',
    plan: (view, input) => planDisassociateSubnetCidrBlock(view, input.AssociationId ?? ''),
    print: (_view, result) => ({
      SubnetId: result.subnetId,
      Ipv6CidrBlockAssociation: printIpv6Association(result, 'disassociating')
    })
  }),

  defineWrite<Ec2.CreateSubnetCidrReservationRequest, { subnetId: string, reservationId: string },
    Ec2.CreateSubnetCidrReservationResult>({
    name: 'CreateSubnetCidrReservation',
    plan: (view, input, context) => planCreateSubnetCidrReservation(view, {
      subnetId: input.SubnetId ?? '', cidr: input.Cidr ?? '',
      reservationType: input.ReservationType ?? '',
      description: input.Description ?? '',
      tags: tagsFromSpecifications(input.TagSpecifications, 'subnet-cidr-reservation')
    }, context),
    print: (view, { subnetId, reservationId }) => {
      const subnet = requireRecord(view, 'subnet', subnetId)
      const reservation = subnet.cidrReservations.find(({ id }) => id === reservationId)
      return reservation === undefined
        ? {}
        : { SubnetCidrReservation: printReservation(subnet, reservation) }
    }
  }),

  defineWrite<Ec2.DeleteSubnetCidrReservationRequest,
    { subnetId: string, reservation: SubnetCidrReservation },
    Ec2.DeleteSubnetCidrReservationResult>({
    name: 'DeleteSubnetCidrReservation',
    plan: (view, input) =>
      planDeleteSubnetCidrReservation(view, input.SubnetCidrReservationId ?? ''),
    print: (view, { subnetId, reservation }) => ({
      DeletedSubnetCidrReservation: printReservation(
        requireRecord(view, 'subnet', subnetId), reservation)
    })
  }),

  defineRead<Ec2.GetSubnetCidrReservationsRequest, Ec2.GetSubnetCidrReservationsResult>({
    name: 'GetSubnetCidrReservations',
    read: (view, input) => {
      const subnet = requireRecord(view, 'subnet', input.SubnetId ?? '')
      checkPageInput(input, 'SubnetId', undefined)
      const matching = applyFilters(view, subnet.cidrReservations, input.Filters, {
        filters: reservationFilters(subnet), tagsOf: (one) => one.tags
      })
      const page = pageOf(matching, 'subnetCidrReservation', input, ({ id }) => [0, id])
      const ipv6 = page.items.filter(({ cidr }) => cidr.includes(':'))
      const ipv4 = page.items.filter(({ cidr }) => !cidr.includes(':'))
      return {
        SubnetIpv4CidrReservations: ipv4.map((one) => printReservation(subnet, one)),
        SubnetIpv6CidrReservations: ipv6.map((one) => printReservation(subnet, one)),
        NextToken: page.nextToken
      }
    }
  })
]
