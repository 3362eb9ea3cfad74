/**
 * `vpcctl instance-type …`: how many network interfaces and addresses an instance of a type may
 * have. EC2 API Reference, DescribeInstanceTypes.
 */
import type { InstanceTypeInfo } from '@aws-sdk/client-ec2'
import { type Command, defineCommand } from '../command.ts'
import type { Column } from '../print/table.ts'

const COLUMNS: readonly Column<InstanceTypeInfo>[] = [
  { header: 'type', value: (type) => type.InstanceType ?? '' },
  {
    header: 'vcpus', value: (type) => String(type.VCpuInfo?.DefaultVCpus ?? ''),
    align: 'right', hides: true
  },
  {
    header: 'memory mib', value: (type) => String(type.MemoryInfo?.SizeInMiB ?? ''),
    align: 'right', hides: true
  },
  {
    header: 'enis', value: (type) => String(type.NetworkInfo?.MaximumNetworkInterfaces ?? ''),
    align: 'right'
  },
  {
    header: 'ipv4 per eni',
    value: (type) => String(type.NetworkInfo?.Ipv4AddressesPerInterface ?? ''),
    align: 'right'
  },
  {
    header: 'ipv6 per eni',
    value: (type) => String(type.NetworkInfo?.Ipv6AddressesPerInterface ?? ''),
    align: 'right'
  },
  { header: 'network', value: (type) => type.NetworkInfo?.NetworkPerformance ?? '', hides: true }
]

export const instanceTypeCommands: readonly Command[] = [
  defineCommand({
    name: 'list',
    summary: 'List the instance types',
    action: 'DescribeInstanceTypes',
    examples: ['vpcctl instance-type list'],
    async run (context) {
      const ec2 = await context.ec2()
      const types = await ec2.all('DescribeInstanceTypes', {}, (page) => page.InstanceTypes)
      context.output.rows(types, COLUMNS, ({ InstanceType }) => InstanceType)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show everything about an instance type',
    action: 'DescribeInstanceTypes',
    arguments: [{ syntax: '<type>', description: 'its name' }],
    examples: ['vpcctl instance-type show m5.large'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const name = input.argument('type')
      const { InstanceTypes: types } =
        await ec2.call('DescribeInstanceTypes', { InstanceType: [name] })
      context.output.tree(types?.[0] ?? {}, name)
    }
  })
]
