/** Elastic IP addresses that pass to another account, and their host names: verbs of `eip`. */
import type { AddressAttribute, AddressTransfer } from '@aws-sdk/client-ec2'
import { type Command, defineCommand, TAG_OPTIONS } from '../command.ts'
import { usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import { ADDRESS, resolveId, tagSpecification } from '../resolve.ts'

const TRANSFER_COLUMNS: readonly Column<AddressTransfer>[] = [
  { header: 'eip', value: (transfer) => transfer.AllocationId ?? '' },
  { header: 'public', value: (transfer) => transfer.PublicIp ?? '' },
  { header: 'account', value: (transfer) => transfer.TransferAccountId ?? '' },
  { header: 'state', value: (transfer) => transfer.AddressTransferStatus ?? '' }
]

const NAME_COLUMNS: readonly Column<AddressAttribute>[] = [
  { header: 'eip', value: (address) => address.AllocationId ?? '' },
  { header: 'public', value: (address) => address.PublicIp ?? '' },
  { header: 'host name', value: (address) => address.PtrRecord ?? '' }
]

const ADDRESS_ARGUMENT = { syntax: '<eip>', description: 'allocation id, Name tag or address' }

export const addressTransferCommands: readonly Command[] = [
  defineCommand({
    name: 'offer',
    summary: 'Offer an Elastic IP address to another account for seven days',
    action: 'EnableAddressTransfer',
    arguments: [ADDRESS_ARGUMENT, { syntax: '<account>', description: '12 digits' }],
    examples: ['vpcctl eip offer web 111122223333'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const { AddressTransfer: transfer } = await ec2.call('EnableAddressTransfer', {
        AllocationId: await resolveId(ec2, ADDRESS, input.argument('eip')),
        TransferAccountId: input.argument('account')
      })
      context.output.row(transfer ?? {}, TRANSFER_COLUMNS, ({ AllocationId }) => AllocationId)
    }
  }),
  defineCommand({
    name: 'accept',
    summary: 'Accept an Elastic IP address that another account offers',
    action: 'AcceptAddressTransfer',
    arguments: [{ syntax: '<address>', description: 'the public address' }],
    options: TAG_OPTIONS,
    examples: ['vpcctl eip accept 203.0.113.5'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const { AddressTransfer: transfer } = await ec2.call('AcceptAddressTransfer', {
        Address: input.argument('address'), ...tagSpecification('elastic-ip', input.tags())
      })
      context.output.row(transfer ?? {}, TRANSFER_COLUMNS, ({ AllocationId }) => AllocationId)
    }
  }),
  defineCommand({
    name: 'withdraw',
    summary: 'Withdraw the offer of an Elastic IP address',
    action: 'DisableAddressTransfer',
    arguments: [ADDRESS_ARGUMENT],
    examples: ['vpcctl eip withdraw web'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, ADDRESS, input.argument('eip'))
      await ec2.call('DisableAddressTransfer', { AllocationId: id })
      context.output.done(`Withdrew the offer of ${id}.`, { AllocationId: id })
    }
  }),
  defineCommand({
    name: 'offers',
    summary: 'List Elastic IP addresses that are offered to other accounts',
    action: 'DescribeAddressTransfers',
    examples: ['vpcctl eip offers'],
    async run (context) {
      const ec2 = await context.ec2()
      const transfers = await ec2.all('DescribeAddressTransfers', {},
        (page) => page.AddressTransfers)
      context.output.rows(transfers, TRANSFER_COLUMNS, ({ AllocationId }) => AllocationId)
    }
  }),
  defineCommand({
    name: 'set',
    summary: 'Set or clear the host name of an Elastic IP address',
    action: 'ModifyAddressAttribute, or ResetAddressAttribute with --clear-host-name',
    arguments: [ADDRESS_ARGUMENT],
    options: [
      { flags: '--host-name <name>', description: 'a domain name' },
      { flags: '--clear-host-name', description: "AWS's own name again" }
    ],
    examples: ['vpcctl eip set web --host-name mail.example.com'],
    async run (context, input) {
      const name = input.text('hostName')
      if ((name === undefined) === !input.flag('clearHostName')) {
        throw usageError('either --host-name or --clear-host-name is needed')
      }
      const ec2 = await context.ec2()
      const AllocationId = await resolveId(ec2, ADDRESS, input.argument('eip'))
      const { Address: address } = name === undefined
        ? await ec2.call('ResetAddressAttribute', { AllocationId, Attribute: 'domain-name' })
        : await ec2.call('ModifyAddressAttribute', { AllocationId, DomainName: name })
      context.output.row(address ?? {}, NAME_COLUMNS, (one) => one.AllocationId)
    }
  }),
  defineCommand({
    name: 'host-names',
    summary: 'List the host names of Elastic IP addresses',
    action: 'DescribeAddressesAttribute',
    examples: ['vpcctl eip host-names'],
    async run (context) {
      const ec2 = await context.ec2()
      const addresses = await ec2.all('DescribeAddressesAttribute', { Attribute: 'domain-name' },
        (page) => page.Addresses)
      context.output.rows(addresses, NAME_COLUMNS, (one) => one.AllocationId)
    }
  })
]
