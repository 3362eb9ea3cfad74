/**
 * `vpcctl nat-gateway …`. AWS VPC User Guide, "NAT gateways".
 *
 * A private gateway has private addresses alone, a public one an Elastic IP for each: the kind of
 * the gateway decides which of EC2's actions adds or removes an address.
 */
import type { NatGateway } from '@aws-sdk/client-ec2'
import {
  type Command, defineCommand, type Input, TAG_OPTIONS, TIMEOUT_OPTION, timeoutMs
} from '../command.ts'
import type { Context } from '../context.ts'
import type { Ec2Client } from '../ec2_client.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import { waitForApplied } from '../instances.ts'
import type { Column } from '../print/table.ts'
import {
  ADDRESS, inVpc, nameOf, NAT_GATEWAY, resolveId, resolveIds, SUBNET, tagSpecification
} from '../resolve.ts'

const COLUMNS: readonly Column<NatGateway>[] = [
  { header: 'nat gateway', value: (gateway) => gateway.NatGatewayId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'state', value: (gateway) => gateway.State ?? '' },
  { header: 'kind', value: (gateway) => gateway.ConnectivityType ?? '' },
  { header: 'subnet', value: (gateway) => gateway.SubnetId ?? '', hides: true },
  { header: 'private', value: (gateway) => addresses(gateway, 'PrivateIp') },
  { header: 'public', value: (gateway) => addresses(gateway, 'PublicIp') }
]

const GATEWAY_ARGUMENT = { syntax: '<nat-gateway>', description: 'id or Name tag' }
const DRAIN_MAX_S = 4000

export const natGatewayCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Create a NAT gateway and wait until it is available',
    action: 'CreateNatGateway',
    arguments: [{ syntax: '<subnet>', description: 'where it stands: id or Name tag' }],
    options: [
      {
        flags: '--eip <eip>', repeats: true,
        description: 'Elastic IP: allocation id, Name tag or address; the first is the primary one'
      },
      { flags: '--private', description: 'a private one, without Elastic IP' },
      { flags: '--private-ip <address>', description: 'primary private address' },
      { flags: '--no-wait', description: 'return at once' },
      TIMEOUT_OPTION,
      ...TAG_OPTIONS
    ],
    examples: [
      'vpcctl nat-gateway create front --eip web --name nat',
      'vpcctl nat-gateway create back --private'
    ],
    run: createGateway
  }),
  defineCommand({
    name: 'list',
    summary: 'List NAT gateways',
    action: 'DescribeNatGateways',
    options: [
      { flags: '--vpc <vpc>', description: 'of one VPC: id or Name tag' },
      { flags: '--all', description: 'deleted ones too' }
    ],
    examples: ['vpcctl nat-gateway list', 'vpcctl nat-gateway list --vpc web --all'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const gateways = await ec2.all('DescribeNatGateways', await inVpc(ec2, input.text('vpc')),
        (page) => page.NatGateways)
      const shown = gateways.filter(({ State }) => input.flag('all') || State !== 'deleted')
      context.output.rows(shown, COLUMNS, ({ NatGatewayId }) => NatGatewayId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show everything about a NAT gateway',
    action: 'DescribeNatGateways',
    arguments: [GATEWAY_ARGUMENT],
    examples: ['vpcctl nat-gateway show nat'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, NAT_GATEWAY, input.argument('nat-gateway'))
      context.output.tree(await describeGateway(ec2, id), id)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a NAT gateway; its Elastic IPs stay yours',
    action: 'DeleteNatGateway',
    arguments: [GATEWAY_ARGUMENT],
    examples: ['vpcctl nat-gateway delete nat'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, NAT_GATEWAY, input.argument('nat-gateway'))
      await ec2.call('DeleteNatGateway', { NatGatewayId: id })
      context.output.done(`Deleted ${id}.`, { NatGatewayId: id })
    }
  }),
  defineCommand({
    name: 'add-address',
    summary: 'Add addresses to a NAT gateway',
    action: 'AssociateNatGatewayAddress, or AssignPrivateNatGatewayAddress without --eip',
    arguments: [GATEWAY_ARGUMENT],
    options: [
      {
        flags: '--eip <eip>', repeats: true,
        description: 'for a public one: allocation id, Name tag or address'
      },
      { flags: '--private-ip <address>', description: 'a private address', repeats: true },
      { flags: '--count <count>', description: 'for a private one: how many addresses' }
    ],
    examples: [
      'vpcctl nat-gateway add-address nat --eip second',
      'vpcctl nat-gateway add-address inner --count 2'
    ],
    run: addAddress
  }),
  defineCommand({
    name: 'remove-address',
    summary: 'Remove a secondary address of a NAT gateway; its flows drain first',
    action: 'DisassociateNatGatewayAddress, or UnassignPrivateNatGatewayAddress of a private one',
    arguments: [
      GATEWAY_ARGUMENT,
      { syntax: '<address...>', description: 'private or public addresses' }
    ],
    options: [
      { flags: '--drain <seconds>', description: 'longest wait, 1 to 4000 (default: 350)' }
    ],
    examples: ['vpcctl nat-gateway remove-address nat 203.0.113.7 --drain 60'],
    run: removeAddress
  })
]

async function createGateway (context: Context, input: Input): Promise<void> {
  const isPrivate = input.flag('private')
  if (isPrivate === input.list('eip').length > 0) {
    throw usageError('either --eip or --private is needed')
  }
  const ec2 = await context.ec2()
  const [first, ...more] = await resolveIds(ec2, ADDRESS, input.list('eip'))
  const { NatGateway: made } = await ec2.call('CreateNatGateway', {
    SubnetId: await resolveId(ec2, SUBNET, input.argument('subnet')),
    ConnectivityType: isPrivate ? 'private' : 'public',
    AllocationId: first, SecondaryAllocationId: more,
    PrivateIpAddress: input.text('privateIp'),
    ...tagSpecification('natgateway', input.tags())
  })
  const id = made?.NatGatewayId ?? ''
  if (input.flag('wait')) await waitForApplied(context, timeoutMs(input))
  const gateway = await describeGateway(ec2, id)
  if (gateway.State === 'failed') {
    throw new CtlError(gateway.FailureCode ?? 'InternalError', `${id} failed: ` +
      (gateway.FailureMessage ?? ''))
  }
  context.output.row(gateway, COLUMNS, ({ NatGatewayId }) => NatGatewayId)
}

async function addAddress (context: Context, input: Input): Promise<void> {
  const ec2 = await context.ec2()
  const NatGatewayId = await resolveId(ec2, NAT_GATEWAY, input.argument('nat-gateway'))
  const PrivateIpAddress = input.texts('privateIp')
  const eips = await resolveIds(ec2, ADDRESS, input.list('eip'))
  if (eips.length > 0) {
    await ec2.call('AssociateNatGatewayAddress',
      { NatGatewayId, AllocationId: eips, PrivateIpAddress })
  } else {
    await ec2.call('AssignPrivateNatGatewayAddress', { NatGatewayId, PrivateIpAddress,
      PrivateIpAddressCount: input.integer('count', 1, 7) })
  }
  context.output.row(await describeGateway(ec2, NatGatewayId), COLUMNS, (one) => one.NatGatewayId)
}

async function removeAddress (context: Context, input: Input): Promise<void> {
  const ec2 = await context.ec2()
  const NatGatewayId = await resolveId(ec2, NAT_GATEWAY, input.argument('nat-gateway'))
  const gateway = await describeGateway(ec2, NatGatewayId)
  const found = input.rest('address').map((text) => {
    const address = gateway.NatGatewayAddresses?.find(({ PrivateIp, PublicIp }) =>
      PrivateIp === text || PublicIp === text)
    if (address !== undefined) return address
    throw new CtlError('NameNotFound', `${NatGatewayId} has no address ${text}`)
  })
  const MaxDrainDurationSeconds = input.integer('drain', 1, DRAIN_MAX_S)
  if (gateway.ConnectivityType === 'private') {
    await ec2.call('UnassignPrivateNatGatewayAddress', { NatGatewayId, MaxDrainDurationSeconds,
      PrivateIpAddress: found.flatMap(({ PrivateIp }) => PrivateIp ?? []) })
  } else {
    await ec2.call('DisassociateNatGatewayAddress', { NatGatewayId, MaxDrainDurationSeconds,
      AssociationId: found.flatMap(({ AssociationId }) => AssociationId ?? []) })
  }
  context.output.done(`Removing ${input.rest('address').join(', ')} from ${NatGatewayId}.`,
    { NatGatewayId, Addresses: input.rest('address') })
}

async function describeGateway (ec2: Ec2Client, id: string): Promise<NatGateway> {
  return (await ec2.call('DescribeNatGateways', { NatGatewayId: [id] })).NatGateways?.[0] ?? {}
}

function addresses (gateway: NatGateway, member: 'PrivateIp' | 'PublicIp'): string {
  return (gateway.NatGatewayAddresses ?? []).flatMap((one) => one[member] ?? []).join(',')
}
