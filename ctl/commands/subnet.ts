/**
 * `vpcctl subnet …`. AWS VPC User Guide, "Subnets for your VPC".
 *
 * EC2 wants the IPv6 /64 of a subnet named; `--ipv6` without one takes the next free /64 of the VPC
 * (ipv6_block.ts). Two people who do that at once get one refusal, `InvalidSubnet.Conflict`.
 */
import type { Subnet } from '@aws-sdk/client-ec2'
import { type Command, defineCommand, type Input, TAG_OPTIONS } from '../command.ts'
import type { Context } from '../context.ts'
import type { Ec2Client } from '../ec2_client.ts'
import type { QueryInput } from '../ec2_query.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import { nextIpv6Block } from '../ipv6_block.ts'
import type { Column } from '../print/table.ts'
import { inVpc, nameOf, resolveId, SUBNET, tagSpecification, VPC } from '../resolve.ts'
import { subnetReservationCommands } from './subnet_reservation.ts'

const COLUMNS: readonly Column<Subnet>[] = [
  { header: 'subnet', value: (subnet) => subnet.SubnetId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'vpc', value: (subnet) => subnet.VpcId ?? '', hides: true },
  { header: 'zone', value: (subnet) => subnet.AvailabilityZone ?? '', hides: true },
  { header: 'ipv4', value: (subnet) => subnet.CidrBlock ?? '' },
  { header: 'ipv6', value: ipv6Blocks },
  {
    header: 'free',
    value: (subnet) => String(subnet.AvailableIpAddressCount ?? ''),
    align: 'right'
  }
]

const SUBNET_ARGUMENT = { syntax: '<subnet>', description: 'id or Name tag' }

export const subnetCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Create a subnet',
    action: 'CreateSubnet, or CreateDefaultSubnet with --default',
    arguments: [
      { syntax: '[vpc]', description: 'id or Name tag; left out with --default' },
      {
        syntax: '[cidr]',
        description: 'IPv4 block inside the VPC, /16 to /28; left out with --ipv6-only'
      }
    ],
    options: [
      { flags: '--zone <zone>', description: 'zone name (us-east-1a) or zone id (use1-az1)' },
      {
        flags: '--ipv6 [block]',
        description: 'an IPv6 /64; the next free one of the VPC when none is named'
      },
      { flags: '--ipv6-only', description: 'no IPv4 at all' },
      { flags: '--default', description: 'the default subnet of --zone, in the default VPC' },
      ...TAG_OPTIONS
    ],
    examples: [
      'vpcctl subnet create web 10.0.1.0/24 --name front --zone us-east-1a',
      'vpcctl subnet create web 10.0.2.0/24 --name back --ipv6',
      'vpcctl subnet create --default --zone us-east-1a'
    ],
    async run (context, input) {
      if (input.flag('default')) {
        await createDefaultSubnet(context, input)
        return
      }
      const ipv6Only = input.flag('ipv6Only')
      const cidr = input.optionalArgument('cidr')
      if (ipv6Only === (cidr !== undefined)) {
        throw usageError('either [cidr] or --ipv6-only is needed')
      }
      const ec2 = await context.ec2()
      const vpcId = await resolveId(ec2, VPC, input.argument('vpc'))
      const wantsNextBlock = input.flag('ipv6') || (ipv6Only && input.text('ipv6') === undefined)
      const { Subnet: subnet } = await ec2.call('CreateSubnet', {
        VpcId: vpcId,
        CidrBlock: cidr,
        Ipv6CidrBlock: wantsNextBlock ? await freeIpv6Block(ec2, vpcId) : input.text('ipv6'),
        Ipv6Native: ipv6Only || undefined,
        ...zoneInput(input.text('zone')),
        ...tagSpecification('subnet', input.tags())
      })
      context.output.row(subnet ?? {}, COLUMNS, ({ SubnetId }) => SubnetId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List subnets',
    action: 'DescribeSubnets',
    options: [{ flags: '--vpc <vpc>', description: 'of one VPC: id or Name tag' }],
    examples: ['vpcctl subnet list', 'vpcctl subnet list --vpc web'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const subnets = await subnetsOf(ec2, input.text('vpc'))
      context.output.rows(subnets, COLUMNS, ({ SubnetId }) => SubnetId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show everything about a subnet',
    action: 'DescribeSubnets',
    arguments: [SUBNET_ARGUMENT],
    examples: ['vpcctl subnet show front'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, SUBNET, input.argument('subnet'))
      context.output.tree(await describeSubnet(ec2, id), id)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a subnet that has no network interfaces left',
    action: 'DeleteSubnet',
    arguments: [SUBNET_ARGUMENT],
    examples: ['vpcctl subnet delete front'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, SUBNET, input.argument('subnet'))
      await ec2.call('DeleteSubnet', { SubnetId: id })
      context.output.done(`Deleted ${id}.`, { SubnetId: id })
    }
  }),
  defineCommand({
    name: 'set',
    summary: 'Change how a subnet gives out addresses and names',
    action: 'ModifySubnetAttribute',
    arguments: [SUBNET_ARGUMENT],
    options: [
      {
        flags: '--assign-ipv6 <on|off>',
        description: 'new network interfaces get an IPv6 address'
      },
      { flags: '--map-public-ip <on|off>', description: 'new instances get a public IPv4 address' },
      { flags: '--dns64 <on|off>', description: 'the resolver makes IPv6 addresses of IPv4 ones' },
      { flags: '--resource-name-a <on|off>', description: 'resource names resolve to IPv4' },
      { flags: '--resource-name-aaaa <on|off>', description: 'resource names resolve to IPv6' },
      {
        flags: '--hostname-type <type>',
        description: 'of new instances',
        values: ['ip-name', 'resource-name']
      }
    ],
    examples: ['vpcctl subnet set front --assign-ipv6 on'],
    async run (context, input) {
      const changes = {
        AssignIpv6AddressOnCreation: input.onOff('assignIpv6'),
        MapPublicIpOnLaunch: input.onOff('mapPublicIp'),
        EnableDns64: input.onOff('dns64'),
        EnableResourceNameDnsARecordOnLaunch: input.onOff('resourceNameA'),
        EnableResourceNameDnsAAAARecordOnLaunch: input.onOff('resourceNameAaaa')
      }
      const given = Object.entries(changes).filter(([, value]) => value !== undefined)
      const hostnameType = input.text('hostnameType')
      if (given.length === 0 && hostnameType === undefined) throw usageError('an option is needed')
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, SUBNET, input.argument('subnet'))
      // EC2 takes one attribute per call.
      for (const [name, value] of given) {
        await ec2.call('ModifySubnetAttribute', { SubnetId: id, [name]: { Value: value } })
      }
      const hostname = { PrivateDnsHostnameTypeOnLaunch: hostnameType }
      if (hostnameType !== undefined) {
        await ec2.call('ModifySubnetAttribute', { SubnetId: id, ...hostname })
      }
      context.output.done(`Changed ${id}.`,
        { SubnetId: id, ...Object.fromEntries(given), ...hostname })
    }
  }),
  defineCommand({
    name: 'associate-cidr',
    summary: 'Give a subnet an IPv6 /64',
    action: 'AssociateSubnetCidrBlock',
    arguments: [SUBNET_ARGUMENT,
      {
        syntax: '[block]',
        description: 'the /64; the next free one of the VPC when none is named'
      }],
    examples: ['vpcctl subnet associate-cidr front'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, SUBNET, input.argument('subnet'))
      const answer = await ec2.call('AssociateSubnetCidrBlock', {
        SubnetId: id,
        Ipv6CidrBlock: input.optionalArgument('block') ??
          await freeIpv6Block(ec2, (await describeSubnet(ec2, id)).VpcId ?? '')
      })
      context.output.tree(answer, answer.Ipv6CidrBlockAssociation?.AssociationId ?? '')
    }
  }),
  defineCommand({
    name: 'disassociate-cidr',
    summary: 'Take the IPv6 /64 away from a subnet',
    action: 'DisassociateSubnetCidrBlock',
    arguments: [SUBNET_ARGUMENT],
    examples: ['vpcctl subnet disassociate-cidr front'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, SUBNET, input.argument('subnet'))
      const associationId = (await describeSubnet(ec2, id)).Ipv6CidrBlockAssociationSet
        ?.find(({ Ipv6CidrBlockState: state }) => state?.State !== 'disassociated')?.AssociationId
      if (associationId === undefined) throw new CtlError('NameNotFound', `${id} has no IPv6 block`)
      await ec2.call('DisassociateSubnetCidrBlock', { AssociationId: associationId })
      context.output.done(`Disassociated ${associationId}.`,
        { SubnetId: id, AssociationId: associationId })
    }
  }),
  ...subnetReservationCommands
]

async function createDefaultSubnet (context: Context, input: Input): Promise<void> {
  if (input.optionalArgument('vpc') !== undefined) {
    throw usageError('either [vpc] or --default is needed')
  }
  const ec2 = await context.ec2()
  const { Subnet: subnet } =
    await ec2.call('CreateDefaultSubnet', zoneInput(input.needed('zone')))
  context.output.row(subnet ?? {}, COLUMNS, ({ SubnetId }) => SubnetId)
}

/** A zone is named or given by id; EC2 has a parameter for each. */
function zoneInput (zone: string | undefined): QueryInput {
  if (zone === undefined) return {}
  return /-az\d+$/.test(zone) ? { AvailabilityZoneId: zone } : { AvailabilityZone: zone }
}

async function describeSubnet (ec2: Ec2Client, id: string): Promise<Subnet> {
  const { Subnets: subnets } = await ec2.call('DescribeSubnets', { SubnetId: [id] })
  return subnets?.[0] ?? {}
}

async function subnetsOf (ec2: Ec2Client, vpc: string | undefined): Promise<Subnet[]> {
  return await ec2.all('DescribeSubnets', await inVpc(ec2, vpc), (page) => page.Subnets)
}

async function freeIpv6Block (ec2: Ec2Client, vpcId: string): Promise<string> {
  const [{ Vpcs: vpcs }, subnets] = await Promise.all([
    ec2.call('DescribeVpcs', { VpcId: [vpcId] }), subnetsOf(ec2, vpcId)])
  const vpcBlocks = (vpcs?.[0]?.Ipv6CidrBlockAssociationSet ?? [])
    .map((block) => block.Ipv6CidrBlock)
  const taken = subnets.flatMap((subnet) => subnet.Ipv6CidrBlockAssociationSet ?? [])
    .map((block) => block.Ipv6CidrBlock)
  return nextIpv6Block(vpcBlocks.filter(isText), taken.filter(isText))
}

function isText (text: string | undefined): text is string { return text !== undefined }

function ipv6Blocks (subnet: Subnet): string {
  return (subnet.Ipv6CidrBlockAssociationSet ?? [])
    .map(({ Ipv6CidrBlock }) => Ipv6CidrBlock ?? '').join(',')
}
