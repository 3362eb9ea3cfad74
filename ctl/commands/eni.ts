/**
 * `vpcctl eni …`: elastic network interfaces. AWS EC2 User Guide, "Elastic network interfaces".
 *
 * Addresses of both families are given in one list; the family decides which of EC2's calls takes
 * each. An attachment is named by its ENI, which has one at most.
 */
import type { NetworkInterface } from '@aws-sdk/client-ec2'
import { type Command, defineCommand, TAG_OPTIONS } from '../command.ts'
import type { Ec2Client } from '../ec2_client.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import {
  INSTANCE, nameOf, NETWORK_INTERFACE, resolveId, resolveIds, SECURITY_GROUP, SUBNET,
  tagSpecification, VPC
} from '../resolve.ts'
import { eniPermissionCommands } from './eni_permission.ts'

const COLUMNS: readonly Column<NetworkInterface>[] = [
  { header: 'eni', value: (eni) => eni.NetworkInterfaceId ?? '' },
  { header: 'name', value: (eni) => nameOf({ Tags: eni.TagSet }), shrinks: true },
  { header: 'subnet', value: (eni) => eni.SubnetId ?? '', hides: true },
  { header: 'status', value: (eni) => eni.Status ?? '' },
  { header: 'instance', value: (eni) => eni.Attachment?.InstanceId ?? '' },
  { header: 'device', value: deviceName, hides: true },
  { header: 'addresses', value: addresses }
]

const ATTRIBUTES = ['description', 'sourceDestCheck', 'groupSet', 'attachment'] as const

const ENI_ARGUMENT = { syntax: '<eni>', description: 'id or Name tag' }

export const eniCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Create a network interface',
    action: 'CreateNetworkInterface',
    arguments: [{ syntax: '<subnet>', description: 'id or Name tag' }],
    options: [
      { flags: '--private-ip <address>', description: 'primary private IPv4 address' },
      { flags: '--secondary-count <count>', description: 'further private IPv4 addresses' },
      { flags: '--ipv6-count <count>', description: 'IPv6 addresses' },
      { flags: '--ipv6 <address>', description: 'an IPv6 address', repeats: true },
      { flags: '--group <group>', description: 'security group: id or name', repeats: true },
      { flags: '--description <text>', description: 'description' },
      ...TAG_OPTIONS
    ],
    examples: [
      'vpcctl eni create front --name service',
      'vpcctl eni create front --private-ip 10.0.1.50 --ipv6-count 1'
    ],
    async run (context, input) {
      const ec2 = await context.ec2()
      const { NetworkInterface: eni } = await ec2.call('CreateNetworkInterface', {
        SubnetId: await resolveId(ec2, SUBNET, input.argument('subnet')),
        PrivateIpAddress: input.text('privateIp'),
        SecondaryPrivateIpAddressCount: input.integer('secondaryCount', 0, 1000),
        Ipv6AddressCount: input.integer('ipv6Count', 0, 1000),
        Ipv6Addresses: input.list('ipv6').map((address) => ({ Ipv6Address: address })),
        SecurityGroupId: await resolveIds(ec2, SECURITY_GROUP, input.list('group')),
        Description: input.text('description'),
        ...tagSpecification('network-interface', input.tags())
      })
      context.output.row(eni ?? {}, COLUMNS, ({ NetworkInterfaceId }) => NetworkInterfaceId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List network interfaces',
    action: 'DescribeNetworkInterfaces',
    options: [
      { flags: '--vpc <vpc>', description: 'of one VPC: id or Name tag' },
      { flags: '--subnet <subnet>', description: 'of one subnet: id or Name tag' },
      { flags: '--instance <instance>', description: 'of one instance: id or Name tag' }
    ],
    examples: ['vpcctl eni list', 'vpcctl eni list --instance a'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const filters = []
      for (const [option, kind, name] of [
        ['vpc', VPC, 'vpc-id'], ['subnet', SUBNET, 'subnet-id'],
        ['instance', INSTANCE, 'attachment.instance-id']] as const) {
        const reference = input.text(option)
        if (reference !== undefined) {
          filters.push({ Name: name, Value: [await resolveId(ec2, kind, reference)] })
        }
      }
      const enis = await ec2.all('DescribeNetworkInterfaces', { Filter: filters },
        (page) => page.NetworkInterfaces)
      context.output.rows(enis, COLUMNS, ({ NetworkInterfaceId }) => NetworkInterfaceId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show everything about a network interface',
    action: 'DescribeNetworkInterfaces',
    arguments: [ENI_ARGUMENT],
    examples: ['vpcctl eni show service'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, NETWORK_INTERFACE, input.argument('eni'))
      context.output.tree(await describeEni(ec2, id), id)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a detached network interface',
    action: 'DeleteNetworkInterface',
    arguments: [ENI_ARGUMENT],
    examples: ['vpcctl eni delete service'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, NETWORK_INTERFACE, input.argument('eni'))
      await ec2.call('DeleteNetworkInterface', { NetworkInterfaceId: id })
      context.output.done(`Deleted ${id}.`, { NetworkInterfaceId: id })
    }
  }),
  defineCommand({
    name: 'attach',
    summary: 'Attach a network interface to an instance of the same zone',
    action: 'AttachNetworkInterface',
    arguments: [ENI_ARGUMENT, { syntax: '<instance>', description: 'id or Name tag' }],
    options: [
      { flags: '--device-index <index>', description: 'eth<index> in the instance (default: 1)' }
    ],
    examples: ['vpcctl eni attach service a', 'vpcctl eni attach service a --device-index 2'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const [NetworkInterfaceId, InstanceId] = await Promise.all([
        resolveId(ec2, NETWORK_INTERFACE, input.argument('eni')),
        resolveId(ec2, INSTANCE, input.argument('instance'))])
      const DeviceIndex = input.integer('deviceIndex', 0, 255) ?? 1
      const { AttachmentId } =
        await ec2.call('AttachNetworkInterface', { NetworkInterfaceId, InstanceId, DeviceIndex })
      context.output.done(
        `Attached ${NetworkInterfaceId} to ${InstanceId} as eth${String(DeviceIndex)}.`,
        { AttachmentId, NetworkInterfaceId, InstanceId, DeviceIndex })
    }
  }),
  defineCommand({
    name: 'detach',
    summary: 'Detach a network interface from its instance',
    action: 'DetachNetworkInterface',
    arguments: [ENI_ARGUMENT],
    options: [{ flags: '--force', description: 'without the cooperation of the instance' }],
    examples: ['vpcctl eni detach service'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, NETWORK_INTERFACE, input.argument('eni'))
      const AttachmentId = (await describeEni(ec2, id)).Attachment?.AttachmentId
      if (AttachmentId === undefined) throw new CtlError('NameNotFound', `${id} is not attached`)
      await ec2.call('DetachNetworkInterface',
        { AttachmentId, Force: input.flag('force') || undefined })
      context.output.done(`Detached ${id}.`, { NetworkInterfaceId: id, AttachmentId })
    }
  }),
  defineCommand({
    name: 'assign-address',
    summary: 'Give a network interface further addresses',
    action: 'AssignPrivateIpAddresses, AssignIpv6Addresses',
    arguments: [ENI_ARGUMENT, { syntax: '[address...]', description: 'IPv4 and IPv6 addresses' }],
    options: [
      { flags: '--count <count>', description: 'or so many IPv4 addresses, any free ones' },
      { flags: '--ipv6-count <count>', description: 'or so many IPv6 addresses, any free ones' }
    ],
    examples: [
      'vpcctl eni assign-address service 10.0.1.51',
      'vpcctl eni assign-address service --ipv6-count 1'
    ],
    async run (context, input) {
      const ipv4 = input.rest('address').filter((address) => !address.includes(':'))
      const ipv6 = input.rest('address').filter((address) => address.includes(':'))
      const count = input.integer('count', 1, 1000)
      const ipv6Count = input.integer('ipv6Count', 1, 1000)
      const wantsIpv4 = ipv4.length > 0 || count !== undefined
      const wantsIpv6 = ipv6.length > 0 || ipv6Count !== undefined
      if (!wantsIpv4 && !wantsIpv6) {
        throw usageError('addresses, --count or --ipv6-count are needed')
      }
      const ec2 = await context.ec2()
      const NetworkInterfaceId = await resolveId(ec2, NETWORK_INTERFACE, input.argument('eni'))
      const assigned: string[] = []
      if (wantsIpv4) {
        const answer = await ec2.call('AssignPrivateIpAddresses',
          { NetworkInterfaceId, PrivateIpAddress: ipv4, SecondaryPrivateIpAddressCount: count })
        assigned.push(...(answer.AssignedPrivateIpAddresses ?? [])
          .flatMap(({ PrivateIpAddress }) => PrivateIpAddress ?? []))
      }
      if (wantsIpv6) {
        const answer = await ec2.call('AssignIpv6Addresses',
          { NetworkInterfaceId, Ipv6Addresses: ipv6, Ipv6AddressCount: ipv6Count })
        assigned.push(...answer.AssignedIpv6Addresses ?? [])
      }
      context.output.done(`Assigned ${assigned.join(', ')} to ${NetworkInterfaceId}.`,
        { NetworkInterfaceId, Assigned: assigned })
    }
  }),
  defineCommand({
    name: 'unassign-address',
    summary: 'Take secondary addresses away from a network interface',
    action: 'UnassignPrivateIpAddresses, UnassignIpv6Addresses',
    arguments: [ENI_ARGUMENT, { syntax: '<address...>', description: 'IPv4 and IPv6 addresses' }],
    examples: ['vpcctl eni unassign-address service 10.0.1.51'],
    async run (context, input) {
      const addressesGiven = input.rest('address')
      const ipv4 = addressesGiven.filter((address) => !address.includes(':'))
      const ipv6 = addressesGiven.filter((address) => address.includes(':'))
      const ec2 = await context.ec2()
      const NetworkInterfaceId = await resolveId(ec2, NETWORK_INTERFACE, input.argument('eni'))
      if (ipv4.length > 0) {
        await ec2.call('UnassignPrivateIpAddresses', { NetworkInterfaceId, PrivateIpAddress: ipv4 })
      }
      if (ipv6.length > 0) {
        await ec2.call('UnassignIpv6Addresses', { NetworkInterfaceId, Ipv6Addresses: ipv6 })
      }
      context.output.done(`Unassigned ${addressesGiven.join(', ')} from ${NetworkInterfaceId}.`,
        { NetworkInterfaceId, Unassigned: addressesGiven })
    }
  }),
  defineCommand({
    name: 'set',
    summary: 'Change attributes of a network interface',
    action: 'ModifyNetworkInterfaceAttribute',
    arguments: [ENI_ARGUMENT],
    options: [
      {
        flags: '--source-dest-check <on|off>',
        description: 'off lets it carry packets of other addresses'
      },
      { flags: '--description <text>', description: 'description' },
      { flags: '--group <group>', description: 'security groups, all of them', repeats: true }
    ],
    examples: ['vpcctl eni set service --source-dest-check off'],
    async run (context, input) {
      const check = input.onOff('sourceDestCheck')
      const description = input.text('description')
      const groups = input.list('group')
      if (check === undefined && description === undefined && groups.length === 0) {
        throw usageError('--source-dest-check, --description or --group is needed')
      }
      const ec2 = await context.ec2()
      const NetworkInterfaceId = await resolveId(ec2, NETWORK_INTERFACE, input.argument('eni'))
      const groupIds = await resolveIds(ec2, SECURITY_GROUP, groups)
      // EC2 takes one attribute per call.
      if (check !== undefined) {
        await ec2.call('ModifyNetworkInterfaceAttribute',
          { NetworkInterfaceId, SourceDestCheck: { Value: check } })
      }
      if (description !== undefined) {
        await ec2.call('ModifyNetworkInterfaceAttribute',
          { NetworkInterfaceId, Description: { Value: description } })
      }
      if (groupIds.length > 0) {
        await ec2.call('ModifyNetworkInterfaceAttribute',
          { NetworkInterfaceId, SecurityGroupId: groupIds })
      }
      context.output.done(`Changed ${NetworkInterfaceId}.`, { NetworkInterfaceId })
    }
  }),
  defineCommand({
    name: 'reset',
    summary: 'Turn the source and destination check of a network interface on again',
    action: 'ResetNetworkInterfaceAttribute',
    arguments: [ENI_ARGUMENT],
    examples: ['vpcctl eni reset service'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, NETWORK_INTERFACE, input.argument('eni'))
      await ec2.call('ResetNetworkInterfaceAttribute',
        { NetworkInterfaceId: id, SourceDestCheck: 'true' })
      context.output.done(`Reset ${id}.`, { NetworkInterfaceId: id, SourceDestCheck: true })
    }
  }),
  defineCommand({
    name: 'attributes',
    summary: 'Show the attributes of a network interface that "set" changes, and its attachment',
    action: 'DescribeNetworkInterfaceAttribute',
    arguments: [ENI_ARGUMENT],
    examples: ['vpcctl eni attributes service'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, NETWORK_INTERFACE, input.argument('eni'))
      const answers = await Promise.all(ATTRIBUTES.map((Attribute) =>
        ec2.call('DescribeNetworkInterfaceAttribute', { NetworkInterfaceId: id, Attribute })))
      context.output.tree(Object.assign({}, ...answers) as object, id)
    }
  }),
  ...eniPermissionCommands
]

async function describeEni (ec2: Ec2Client, id: string): Promise<NetworkInterface> {
  const { NetworkInterfaces: enis } =
    await ec2.call('DescribeNetworkInterfaces', { NetworkInterfaceId: [id] })
  return enis?.[0] ?? {}
}

function deviceName (eni: NetworkInterface): string {
  const index = eni.Attachment?.DeviceIndex
  return index === undefined ? '' : `eth${String(index)}`
}

function addresses (eni: NetworkInterface): string {
  return [
    ...(eni.PrivateIpAddresses ?? []).map(({ PrivateIpAddress }) => PrivateIpAddress),
    ...(eni.Ipv6Addresses ?? []).map(({ Ipv6Address }) => Ipv6Address)
  ].join(',')
}
