/**
 * VPCs. What is attached to one (an internet gateway, a virtual private gateway) is of the account
 * and outlives it: it is detached before the VPC goes.
 */
import type { Vpc } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { FieldChange } from '../plan.ts'
import type { LiveResource } from '../resource.ts'
import { sortedText } from '../resource.ts'
import { DEFAULT_DHCP_OPTIONS, networkCidr, NONE, tags } from '../schema_parts.ts'
import type { Session } from '../session.ts'
import type { LabKind } from './kind.ts'

export const vpcFields = {
  cidr: z.union([networkCidr, z.array(networkCidr).min(1)])
    .transform((given) => typeof given === 'string' ? [given] : given)
    .describe('The block, or all blocks, the first one the primary one.'),
  ipv6: z.boolean().optional().describe('Whether the VPC has an IPv6 /56; the lab chooses which.'),
  'dns-support': z.boolean().optional(),
  'dns-hostnames': z.boolean().optional(),
  'dhcp-options': z.string().optional()
    .describe('Name of a DHCP option set; "default": AWS\'s own; "none".'),
  tags: tags.optional()
}

export const VPC: LabKind<Vpc> = {
  section: 'vpcs',
  place: 'file',
  word: 'VPC',
  order: 1,
  goes: 'first',
  changed: 'before-others',
  created: {
    ipv6: false, 'dns-support': true, 'dns-hostnames': false,
    'dhcp-options': DEFAULT_DHCP_OPTIONS, tags: {}
  },
  immutable: [],
  lost: 'everything in it',
  needsReplacement: ({ field, from, to }) =>
    field === 'cidr' && (from as readonly string[])[0] !== (to as readonly string[])[0],
  agrees: {
    // The first block is the primary one; EC2 keeps no order of the others.
    cidr: (wanted, live) => Array.isArray(wanted) && Array.isArray(live) &&
      wanted[0] === live[0] && sortedText(wanted) === sortedText(live)
  },
  normal: (part) => Object.fromEntries(Object.keys(vpcFields).map((field) => [field, part[field]])),
  references (part, refer) {
    if (part['dhcp-options'] !== NONE) {
      refer.to('dhcp-options', part['dhcp-options'], 'dhcp-options')
    }
  },
  list: ({ ec2 }) => ec2.all('DescribeVpcs', {}, (page) => page.Vpcs),
  identify: (vpc, lab) => lab.isDefaultVpc(vpc.VpcId)
    ? null
    : { id: vpc.VpcId ?? '', vpcId: undefined, tags: vpc.Tags },
  async read (vpc, lab) {
    const [support, hostnames] = await Promise.all(['enableDnsSupport', 'enableDnsHostnames'].map(
      (Attribute) =>
        lab.clients.ec2.call('DescribeVpcAttribute', { VpcId: vpc.VpcId, Attribute })))
    const blocks = (vpc.CidrBlockAssociationSet ?? [])
      .filter(({ CidrBlockState }) => CidrBlockState?.State === 'associated')
      .map(({ CidrBlock = '' }) => CidrBlock).filter((block) => block !== vpc.CidrBlock)
    return {
      cidr: [vpc.CidrBlock ?? '', ...blocks],
      ipv6: (vpc.Ipv6CidrBlockAssociationSet ?? []).some(({ Ipv6CidrBlockState }) =>
        Ipv6CidrBlockState?.State === 'associated'),
      'dns-support': support?.EnableDnsSupport?.Value ?? true,
      'dns-hostnames': hostnames?.EnableDnsHostnames?.Value ?? false,
      'dhcp-options': lab.knows(vpc.DhcpOptionsId) ? lab.nameOf(vpc.DhcpOptionsId) : NONE
    }
  },
  alwaysWritten: ['cidr'],
  write: ({ cidr, ...fields }) => {
    const blocks = cidr as readonly string[]
    return { cidr: blocks.length === 1 ? blocks[0] : blocks, ...fields }
  },
  async create (session, resource) {
    const [CidrBlock, ...further] = resource.fields['cidr'] as readonly string[]
    const { Vpc } = await session.ec2.call('CreateVpc', {
      CidrBlock,
      AmazonProvidedIpv6CidrBlock: resource.fields['ipv6'] === true || undefined,
      ...session.tagsFor('vpc', resource)
    })
    for (const block of further) {
      await session.ec2.call('AssociateVpcCidrBlock', { VpcId: Vpc?.VpcId, CidrBlock: block })
    }
    return Vpc?.VpcId
  },
  changes: {
    cidr: changeBlocks,
    ipv6: changeIpv6,
    'dns-support': async ({ ec2 }, { id }, { to }) => {
      await ec2.call('ModifyVpcAttribute', { VpcId: id, EnableDnsSupport: { Value: to === true } })
    },
    'dns-hostnames': async ({ ec2 }, { id }, { to }) => {
      await ec2.call('ModifyVpcAttribute',
        { VpcId: id, EnableDnsHostnames: { Value: to === true } })
    },
    'dhcp-options': async (session, { id }, { to }) => {
      // EC2's own word for none is "default".
      const DhcpOptionsId =
        to === NONE ? 'default' : session.id('dhcp-options', null, String(to))
      await session.ec2.call('AssociateDhcpOptions', { VpcId: id, DhcpOptionsId })
    }
  },
  async remove ({ ec2 }, { id: VpcId }) {
    const attached = { Filter: [{ Name: 'attachment.vpc-id', Value: [VpcId] }] }
    const { InternetGateways = [] } = await ec2.call('DescribeInternetGateways', attached)
    for (const { InternetGatewayId } of InternetGateways) {
      await ec2.call('DetachInternetGateway', { InternetGatewayId, VpcId })
    }
    const { VpnGateways = [] } = await ec2.call('DescribeVpnGateways', attached)
    for (const { VpnGatewayId, VpcAttachments = [] } of VpnGateways) {
      if (!VpcAttachments.some(({ State, VpcId: id }) => State === 'attached' && id === VpcId)) {
        continue
      }
      await ec2.call('DetachVpnGateway', { VpnGatewayId, VpcId })
    }
    await ec2.call('DeleteVpc', { VpcId })
  }
}

async function changeBlocks ({ ec2 }: Session, { id }: LiveResource,
  { to }: FieldChange): Promise<void> {
  const wanted = to as readonly string[]
  const { Vpcs } = await ec2.call('DescribeVpcs', { VpcId: [id] })
  const associated = (Vpcs?.[0]?.CidrBlockAssociationSet ?? [])
    .filter(({ CidrBlockState }) => CidrBlockState?.State === 'associated')
  for (const { AssociationId, CidrBlock = '' } of associated) {
    if (!wanted.includes(CidrBlock)) await ec2.call('DisassociateVpcCidrBlock', { AssociationId })
  }
  for (const block of wanted) {
    if (associated.some(({ CidrBlock }) => CidrBlock === block)) continue
    await ec2.call('AssociateVpcCidrBlock', { VpcId: id, CidrBlock: block })
  }
}

async function changeIpv6 ({ ec2 }: Session, { id }: LiveResource,
  { to }: FieldChange): Promise<void> {
  if (to === true) {
    await ec2.call('AssociateVpcCidrBlock', { VpcId: id, AmazonProvidedIpv6CidrBlock: true })
    return
  }
  const { Vpcs } = await ec2.call('DescribeVpcs', { VpcId: [id] })
  for (const association of Vpcs?.[0]?.Ipv6CidrBlockAssociationSet ?? []) {
    if (association.Ipv6CidrBlockState?.State !== 'associated') continue
    await ec2.call('DisassociateVpcCidrBlock', { AssociationId: association.AssociationId })
  }
}
