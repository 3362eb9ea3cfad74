/** Subnets. Their route table and network ACL are fields of theirs: each subnet has one of each. */
import type { Subnet } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { subnetIpv6Cidr, subnetNumber } from '../address.ts'
import type { FieldChange } from '../plan.ts'
import type { LiveResource } from '../resource.ts'
import { DEFAULT_ACL, MAIN_TABLE, networkCidr, tags, zone } from '../schema_parts.ts'
import type { Session } from '../session.ts'
import type { Change, LabKind } from './kind.ts'
import { moveToAcl, NETWORK_ACL } from './network_acl.ts'
import { ROUTE_TABLE } from './route_table.ts'

export const subnetSchema = z.strictObject({
  cidr: networkCidr.optional().describe('Left out for a subnet of IPv6 alone.'),
  zone: zone.optional(),
  ipv6: z.int().min(0).max(255).optional().describe('Which /64 of the VPC\'s /56 it has.'),
  'route-table': z.string().optional().describe('"main": the main one of the VPC.'),
  'network-acl': z.string().optional().describe('"default": the default one of the VPC.'),
  'map-public-ip': z.boolean().optional(),
  'assign-ipv6': z.boolean().optional().describe('Whether new ENIs get an IPv6 address unasked.'),
  dns64: z.boolean().optional(),
  tags: tags.optional()
}).superRefine((value, context) => {
  if (value.cidr === undefined && value.ipv6 === undefined) {
    context.addIssue({ code: 'custom', message: 'a subnet needs "cidr", or "ipv6" and no "cidr"' })
  }
})

export const SUBNET: LabKind<Subnet> = {
  section: 'subnets',
  place: 'vpc',
  word: 'subnet',
  order: 4,
  goes: 'first',
  changed: 'before-others',
  created: {
    ipv6: null, 'route-table': MAIN_TABLE, 'network-acl': DEFAULT_ACL, 'map-public-ip': false,
    'assign-ipv6': false, dns64: false, tags: {}
  },
  immutable: ['cidr', 'zone'],
  lost: 'everything in it',
  normal (part, zones) {
    const { zone } = part as { zone?: string | number }
    if (zone === undefined) return part
    return { ...part, zone: zones.get(String(zone)) ?? String(zone) }
  },
  references (part, refer) {
    refer.to('route-table', part['route-table'], 'route-table')
    refer.to('network-acl', part['network-acl'], 'network-acl')
  },
  list: ({ ec2 }) => ec2.all('DescribeSubnets', {}, (page) => page.Subnets),
  identify: ({ SubnetId: id = '', VpcId: vpcId, Tags: tags }) => ({ id, vpcId, tags }),
  read (subnet, lab) {
    const { SubnetId } = subnet
    const table = lab.all(ROUTE_TABLE).find(({ Associations }) =>
      Associations?.some((association) => association.SubnetId === SubnetId))
    const acl = lab.all(NETWORK_ACL).find(({ Associations }) =>
      Associations?.some((association) => association.SubnetId === SubnetId))
    const ipv6 = subnet.Ipv6CidrBlockAssociationSet?.find(({ Ipv6CidrBlockState }) =>
      Ipv6CidrBlockState?.State === 'associated')?.Ipv6CidrBlock
    return {
      ...subnet.CidrBlock === undefined || subnet.CidrBlock === ''
        ? {}
        : { cidr: subnet.CidrBlock },
      zone: subnet.AvailabilityZoneId,
      ipv6: ipv6 === undefined ? null : subnetNumber(ipv6),
      'route-table': table === undefined ? MAIN_TABLE : lab.nameOf(table.RouteTableId),
      'network-acl': acl === undefined ? DEFAULT_ACL : lab.nameOf(acl.NetworkAclId),
      'map-public-ip': subnet.MapPublicIpOnLaunch ?? false,
      'assign-ipv6': subnet.AssignIpv6AddressOnCreation ?? false,
      dns64: subnet.EnableDns64 ?? false
    }
  },
  alwaysWritten: ['cidr', 'zone'],
  async create (session, resource) {
    const { cidr, zone, ipv6 } =
      resource.fields as { cidr?: string, zone?: string, ipv6?: number | null }
    const VpcId = session.vpcId(resource)
    const { Subnet } = await session.ec2.call('CreateSubnet', {
      VpcId,
      CidrBlock: cidr,
      Ipv6Native: cidr === undefined || undefined,
      Ipv6CidrBlock: typeof ipv6 === 'number'
        ? subnetIpv6Cidr(await session.ipv6Block(VpcId), ipv6)
        : undefined,
      AvailabilityZoneId: zone,
      ...session.tagsFor('subnet', resource)
    })
    return Subnet?.SubnetId
  },
  changes: {
    ipv6: changeIpv6,
    'route-table': changeTable,
    'network-acl': async (session, live, { to }) => {
      await moveToAcl(session, live.id, session.id('network-acl', live.vpc, String(to)))
    },
    'map-public-ip': attribute('MapPublicIpOnLaunch'),
    'assign-ipv6': attribute('AssignIpv6AddressOnCreation'),
    dns64: attribute('EnableDns64')
  },
  async remove ({ ec2 }, { id }) { await ec2.call('DeleteSubnet', { SubnetId: id }) }
}

async function changeIpv6 (session: Session, live: LiveResource,
  { to }: FieldChange): Promise<void> {
  const { ec2 } = session
  const { Subnets } = await ec2.call('DescribeSubnets', { SubnetId: [live.id] })
  for (const association of Subnets?.[0]?.Ipv6CidrBlockAssociationSet ?? []) {
    if (association.Ipv6CidrBlockState?.State !== 'associated') continue
    await ec2.call('DisassociateSubnetCidrBlock', { AssociationId: association.AssociationId })
  }
  await ec2.call('AssociateSubnetCidrBlock', {
    SubnetId: live.id,
    Ipv6CidrBlock: subnetIpv6Cidr(await session.ipv6Block(session.vpcId(live)), Number(to))
  })
}

async function changeTable (session: Session, live: LiveResource,
  { to }: FieldChange): Promise<void> {
  const { ec2 } = session
  const tables = await ec2.all('DescribeRouteTables',
    { Filter: [{ Name: 'association.subnet-id', Value: [live.id] }] }, (page) => page.RouteTables)
  const AssociationId = tables.flatMap(({ Associations }) => Associations ?? [])
    .find(({ SubnetId }) => SubnetId === live.id)?.RouteTableAssociationId
  if (to === MAIN_TABLE) {
    if (AssociationId !== undefined) await ec2.call('DisassociateRouteTable', { AssociationId })
    return
  }
  const RouteTableId = session.id('route-table', live.vpc, String(to))
  if (AssociationId === undefined) {
    await ec2.call('AssociateRouteTable', { RouteTableId, SubnetId: live.id })
  } else {
    await ec2.call('ReplaceRouteTableAssociation', { RouteTableId, AssociationId })
  }
}

function attribute (name: string): Change {
  return async ({ ec2 }, { id }, { to }) => {
    await ec2.call('ModifySubnetAttribute', { SubnetId: id, [name]: { Value: to === true } })
  }
}
