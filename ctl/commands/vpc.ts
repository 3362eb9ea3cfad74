/**
 * `vpcctl vpc …`. AWS VPC User Guide, "VPC CIDR blocks".
 *
 * A block is named by its CIDR here; the association id that EC2 wants is looked up. EC2 changes
 * one attribute per call, so that `set` with two options makes two calls.
 */
import type { Vpc } from '@aws-sdk/client-ec2'
import { type Command, defineCommand, TAG_OPTIONS } from '../command.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import { nameOf, resolveId, tagSpecification, VPC } from '../resolve.ts'

const COLUMNS: readonly Column<Vpc>[] = [
  { header: 'vpc', value: (vpc) => vpc.VpcId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'state', value: (vpc) => vpc.State ?? '' },
  { header: 'ipv4', value: ipv4Blocks },
  { header: 'ipv6', value: (vpc) => ipv6Blocks(vpc) }
]

const ATTRIBUTES = [
  'enableDnsSupport', 'enableDnsHostnames', 'enableNetworkAddressUsageMetrics'
] as const

const VPC_ARGUMENT = { syntax: '<vpc>', description: 'id or Name tag' }

export const vpcCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Create a VPC',
    action: 'CreateVpc, or CreateDefaultVpc with --default',
    arguments: [{
      syntax: '[cidr]', description: 'primary IPv4 block, /16 to /28; left out with --default'
    }],
    options: [
      { flags: '--default', description: 'the default VPC again, with all that belongs to it' },
      { flags: '--ipv6', description: 'with an IPv6 /56 block' },
      {
        flags: '--tenancy <tenancy>',
        description: 'of the instances (default: default)',
        values: ['default', 'dedicated']
      },
      ...TAG_OPTIONS
    ],
    examples: [
      'vpcctl vpc create 10.0.0.0/16 --name web',
      'vpcctl vpc create 10.0.0.0/16 --name web --ipv6 --tag stage=test',
      'vpcctl vpc create --default'
    ],
    async run (context, input) {
      const CidrBlock = input.optionalArgument('cidr')
      if (input.flag('default') === (CidrBlock !== undefined)) {
        throw usageError('either [cidr] or --default is needed')
      }
      const ec2 = await context.ec2()
      const { Vpc: vpc } = CidrBlock === undefined
        ? await ec2.call('CreateDefaultVpc', {})
        : await ec2.call('CreateVpc', {
          CidrBlock,
          AmazonProvidedIpv6CidrBlock: input.flag('ipv6') || undefined,
          InstanceTenancy: input.text('tenancy'),
          ...tagSpecification('vpc', input.tags())
        })
      context.output.row(vpc ?? {}, COLUMNS, ({ VpcId }) => VpcId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List VPCs',
    action: 'DescribeVpcs',
    examples: ['vpcctl vpc list', 'vpcctl vpc list --json'],
    async run (context) {
      const ec2 = await context.ec2()
      const vpcs = await ec2.all('DescribeVpcs', {}, (page) => page.Vpcs)
      context.output.rows(vpcs, COLUMNS, ({ VpcId }) => VpcId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show everything about a VPC',
    action: 'DescribeVpcs',
    arguments: [VPC_ARGUMENT],
    examples: ['vpcctl vpc show web'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, VPC, input.argument('vpc'))
      const { Vpcs: vpcs } = await ec2.call('DescribeVpcs', { VpcId: [id] })
      context.output.tree(vpcs?.[0] ?? {}, id)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a VPC that has no subnets left',
    action: 'DeleteVpc',
    arguments: [VPC_ARGUMENT],
    examples: ['vpcctl vpc delete web'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, VPC, input.argument('vpc'))
      await ec2.call('DeleteVpc', { VpcId: id })
      context.output.done(`Deleted ${id}.`, { VpcId: id })
    }
  }),
  defineCommand({
    name: 'associate-cidr',
    summary: 'Add an IPv4 block, or an IPv6 /56, to a VPC',
    action: 'AssociateVpcCidrBlock',
    arguments: [VPC_ARGUMENT, { syntax: '[cidr]', description: 'IPv4 block' }],
    options: [{ flags: '--ipv6', description: 'an IPv6 /56 block from the pool instead' }],
    examples: ['vpcctl vpc associate-cidr web 10.1.0.0/16', 'vpcctl vpc associate-cidr web --ipv6'],
    async run (context, input) {
      const cidr = input.optionalArgument('cidr')
      if (input.flag('ipv6') === (cidr !== undefined)) {
        throw usageError('either [cidr] or --ipv6 is needed')
      }
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, VPC, input.argument('vpc'))
      const answer = await ec2.call('AssociateVpcCidrBlock', {
        VpcId: id,
        CidrBlock: cidr,
        AmazonProvidedIpv6CidrBlock: input.flag('ipv6') || undefined
      })
      const association = answer.CidrBlockAssociation ?? answer.Ipv6CidrBlockAssociation
      context.output.tree(answer, association?.AssociationId ?? '')
    }
  }),
  defineCommand({
    name: 'disassociate-cidr',
    summary: 'Take a block away from a VPC',
    action: 'DisassociateVpcCidrBlock',
    arguments: [
      VPC_ARGUMENT,
      { syntax: '<cidr>', description: 'IPv4 or IPv6 block, or its association id' }
    ],
    examples: ['vpcctl vpc disassociate-cidr web 10.1.0.0/16'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, VPC, input.argument('vpc'))
      const block = input.argument('cidr')
      const { Vpcs: vpcs } = await ec2.call('DescribeVpcs', { VpcId: [id] })
      const associationId =
        block.startsWith('vpc-cidr-assoc-') ? block : associationOf(vpcs?.[0], block)
      await ec2.call('DisassociateVpcCidrBlock', { AssociationId: associationId })
      context.output.done(`Disassociated ${block} from ${id}.`,
        { VpcId: id, AssociationId: associationId })
    }
  }),
  defineCommand({
    name: 'set',
    summary: 'Change attributes of a VPC',
    action: 'ModifyVpcAttribute, or ModifyVpcTenancy for --tenancy',
    arguments: [VPC_ARGUMENT],
    options: [
      { flags: '--dns-support <on|off>', description: 'the resolver inside the VPC answers' },
      { flags: '--dns-hostnames <on|off>', description: 'instances get public DNS names' },
      { flags: '--address-usage-metrics <on|off>', description: 'count the addresses in use' },
      {
        flags: '--tenancy <tenancy>',
        description: 'of instances to come: only from dedicated to default',
        values: ['default']
      }
    ],
    examples: ['vpcctl vpc set web --dns-hostnames on'],
    async run (context, input) {
      const changes = {
        EnableDnsSupport: input.onOff('dnsSupport'),
        EnableDnsHostnames: input.onOff('dnsHostnames'),
        EnableNetworkAddressUsageMetrics: input.onOff('addressUsageMetrics')
      }
      const given = Object.entries(changes).filter(([, value]) => value !== undefined)
      const tenancy = input.text('tenancy')
      if (given.length === 0 && tenancy === undefined) throw usageError('an option is needed')
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, VPC, input.argument('vpc'))
      // EC2 takes one attribute per call.
      for (const [name, value] of given) {
        await ec2.call('ModifyVpcAttribute', { VpcId: id, [name]: { Value: value } })
      }
      if (tenancy !== undefined) {
        await ec2.call('ModifyVpcTenancy', { VpcId: id, InstanceTenancy: tenancy })
      }
      context.output.done(`Changed ${id}.`,
        { VpcId: id, ...Object.fromEntries(given), InstanceTenancy: tenancy })
    }
  }),
  defineCommand({
    name: 'attributes',
    summary: 'Show the attributes of a VPC that "set" changes',
    action: 'DescribeVpcAttribute',
    arguments: [VPC_ARGUMENT],
    examples: ['vpcctl vpc attributes web'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const VpcId = await resolveId(ec2, VPC, input.argument('vpc'))
      const answers = await Promise.all(ATTRIBUTES.map((Attribute) =>
        ec2.call('DescribeVpcAttribute', { VpcId, Attribute })))
      context.output.tree(Object.assign({ VpcId }, ...answers) as object, VpcId)
    }
  })
]

function ipv4Blocks (vpc: Vpc): string {
  const blocks = (vpc.CidrBlockAssociationSet ?? []).map(({ CidrBlock }) => CidrBlock ?? '')
  return blocks.length === 0 ? vpc.CidrBlock ?? '' : blocks.join(',')
}

function ipv6Blocks (vpc: Vpc): string {
  return (vpc.Ipv6CidrBlockAssociationSet ?? [])
    .map(({ Ipv6CidrBlock }) => Ipv6CidrBlock ?? '').join(',')
}

function associationOf (vpc: Vpc | undefined, block: string): string {
  const { CidrBlockAssociationSet: ipv4 = [], Ipv6CidrBlockAssociationSet: ipv6 = [] } = vpc ?? {}
  const found = ipv4.find(({ CidrBlock }) => CidrBlock === block) ??
    ipv6.find(({ Ipv6CidrBlock }) => Ipv6CidrBlock === block)
  if (found?.AssociationId === undefined) {
    throw new CtlError('NameNotFound',
      `The VPC has no block ${block}: see its blocks with "vpcctl vpc list"`)
  }
  return found.AssociationId
}
