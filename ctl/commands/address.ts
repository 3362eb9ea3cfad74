/**
 * `vpcctl eip …`: Elastic IP addresses. AWS VPC User Guide, "Elastic IP addresses".
 *
 * An address is named by its allocation id, its Name tag, or by itself: `203.0.113.5`. Transfers
 * and host names stand in address_transfer.ts.
 */
import type { Address } from '@aws-sdk/client-ec2'
import { type Command, defineCommand, TAG_OPTIONS } from '../command.ts'
import type { Ec2Client } from '../ec2_client.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import {
  ADDRESS, INSTANCE, nameOf, NETWORK_INTERFACE, resolveId, tagSpecification
} from '../resolve.ts'
import { addressTransferCommands } from './address_transfer.ts'

const COLUMNS: readonly Column<Address>[] = [
  { header: 'eip', value: (address) => address.AllocationId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'public', value: (address) => address.PublicIp ?? '' },
  { header: 'private', value: (address) => address.PrivateIpAddress ?? '' },
  { header: 'eni', value: (address) => address.NetworkInterfaceId ?? '' },
  { header: 'instance', value: (address) => address.InstanceId ?? '', hides: true }
]

const ADDRESS_ARGUMENT = { syntax: '<eip>', description: 'allocation id, Name tag or address' }

export const addressCommands: readonly Command[] = [
  defineCommand({
    name: 'allocate',
    summary: 'Allocate an Elastic IP address',
    action: 'AllocateAddress',
    options: [
      { flags: '--address <address>', description: 'a free one of the public pool; any without' },
      ...TAG_OPTIONS
    ],
    examples: ['vpcctl eip allocate --name web', 'vpcctl eip allocate --address 203.0.113.5'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const made = await ec2.call('AllocateAddress', {
        Domain: 'vpc', Address: input.text('address'),
        ...tagSpecification('elastic-ip', input.tags())
      })
      context.output.row(made, COLUMNS, ({ AllocationId }) => AllocationId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List Elastic IP addresses',
    action: 'DescribeAddresses',
    examples: ['vpcctl eip list'],
    async run (context) {
      const ec2 = await context.ec2()
      const { Addresses: addresses } = await ec2.call('DescribeAddresses', {})
      context.output.rows(addresses ?? [], COLUMNS, ({ AllocationId }) => AllocationId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show everything about an Elastic IP address',
    action: 'DescribeAddresses',
    arguments: [ADDRESS_ARGUMENT],
    examples: ['vpcctl eip show web'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, ADDRESS, input.argument('eip'))
      context.output.tree(await describeAddress(ec2, id), id)
    }
  }),
  defineCommand({
    name: 'associate',
    summary: 'Give an Elastic IP address to an instance or ENI, whatever had it before',
    action: 'AssociateAddress',
    arguments: [ADDRESS_ARGUMENT],
    options: [
      { flags: '--instance <instance>', description: 'with one ENI: id or Name tag' },
      { flags: '--eni <eni>', description: 'id or Name tag' },
      { flags: '--private-ip <address>', description: 'of the ENI (default: its primary one)' },
      { flags: '--no-reassociate', description: 'refuse when either side has another' }
    ],
    examples: [
      'vpcctl eip associate web --instance a',
      'vpcctl eip associate 203.0.113.5 --eni service --private-ip 10.0.1.50'
    ],
    async run (context, input) {
      const [instance, eni] = [input.text('instance'), input.text('eni')]
      if ((instance === undefined) === (eni === undefined)) {
        throw usageError('either --instance or --eni is needed')
      }
      const ec2 = await context.ec2()
      const request = {
        AllocationId: await resolveId(ec2, ADDRESS, input.argument('eip')),
        InstanceId: instance === undefined ? undefined
          : await resolveId(ec2, INSTANCE, instance),
        NetworkInterfaceId: eni === undefined ? undefined
          : await resolveId(ec2, NETWORK_INTERFACE, eni),
        PrivateIpAddress: input.text('privateIp'),
        AllowReassociation: input.flag('reassociate')
      }
      const { AssociationId } = await ec2.call('AssociateAddress', request)
      context.output.done(`Associated ${request.AllocationId} with ` +
        `${request.InstanceId ?? request.NetworkInterfaceId ?? ''} (${AssociationId ?? ''}).`,
      { ...request, AssociationId })
    }
  }),
  defineCommand({
    name: 'disassociate',
    summary: 'Take an Elastic IP address from what has it',
    action: 'DisassociateAddress',
    arguments: [ADDRESS_ARGUMENT],
    examples: ['vpcctl eip disassociate web'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, ADDRESS, input.argument('eip'))
      const { AssociationId } = await describeAddress(ec2, id)
      if (AssociationId === undefined) {
        throw new CtlError('NameNotFound', `${id} is associated with nothing`)
      }
      await ec2.call('DisassociateAddress', { AssociationId })
      context.output.done(`Disassociated ${id}.`, { AllocationId: id, AssociationId })
    }
  }),
  defineCommand({
    name: 'release',
    summary: 'Give an Elastic IP address back',
    action: 'ReleaseAddress',
    arguments: [ADDRESS_ARGUMENT],
    examples: ['vpcctl eip release web'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, ADDRESS, input.argument('eip'))
      await ec2.call('ReleaseAddress', { AllocationId: id })
      context.output.done(`Released ${id}.`, { AllocationId: id })
    }
  }),
  ...addressTransferCommands
]

async function describeAddress (ec2: Ec2Client, id: string): Promise<Address> {
  return (await ec2.call('DescribeAddresses', { AllocationId: [id] })).Addresses?.[0] ?? {}
}
