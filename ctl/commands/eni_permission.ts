/**
 * Permissions of a network interface: another account may attach it to an instance of its own.
 * EC2 API Reference, CreateNetworkInterfacePermission.
 */
import type { NetworkInterfacePermission } from '@aws-sdk/client-ec2'
import { type Command, defineCommand } from '../command.ts'
import type { Column } from '../print/table.ts'
import { NETWORK_INTERFACE, resolveId } from '../resolve.ts'

const COLUMNS: readonly Column<NetworkInterfacePermission>[] = [
  { header: 'permission', value: (one) => one.NetworkInterfacePermissionId ?? '' },
  { header: 'eni', value: (one) => one.NetworkInterfaceId ?? '' },
  { header: 'account', value: (one) => one.AwsAccountId ?? '' },
  { header: 'allows', value: (one) => one.Permission ?? '' },
  { header: 'state', value: (one) => one.PermissionState?.State ?? '', hides: true }
]

/** Items asked for at once; the most that this action allows. */
const PAGE_ITEMS = 255
const PERMISSIONS = ['INSTANCE-ATTACH', 'EIP-ASSOCIATE']

export const eniPermissionCommands: readonly Command[] = [
  defineCommand({
    name: 'grant',
    summary: 'Let another account attach a network interface',
    action: 'CreateNetworkInterfacePermission',
    arguments: [
      { syntax: '<eni>', description: 'id or Name tag' },
      { syntax: '<account>', description: '12 digits' }
    ],
    options: [
      {
        flags: '--permission <permission>',
        description: 'default: INSTANCE-ATTACH',
        values: PERMISSIONS
      }
    ],
    examples: ['vpcctl eni grant service 111122223333'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const { InterfacePermission: made } = await ec2.call('CreateNetworkInterfacePermission', {
        NetworkInterfaceId: await resolveId(ec2, NETWORK_INTERFACE, input.argument('eni')),
        AwsAccountId: input.argument('account'),
        Permission: input.text('permission') ?? 'INSTANCE-ATTACH'
      })
      context.output.row(made ?? {}, COLUMNS, (one) => one.NetworkInterfacePermissionId)
    }
  }),
  defineCommand({
    name: 'grants',
    summary: 'List permissions of network interfaces',
    action: 'DescribeNetworkInterfacePermissions',
    arguments: [{ syntax: '[eni]', description: 'of one: id or Name tag' }],
    examples: ['vpcctl eni grants', 'vpcctl eni grants service'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const reference = input.optionalArgument('eni')
      const Filter = reference === undefined
        ? []
        : [{
            Name: 'network-interface-permission.network-interface-id',
            Value: [await resolveId(ec2, NETWORK_INTERFACE, reference)]
          }]
      const permissions = await ec2.all('DescribeNetworkInterfacePermissions',
        { Filter, MaxResults: PAGE_ITEMS }, (page) => page.NetworkInterfacePermissions)
      context.output.rows(permissions, COLUMNS, (one) => one.NetworkInterfacePermissionId)
    }
  }),
  defineCommand({
    name: 'revoke',
    summary: 'Take a permission back',
    action: 'DeleteNetworkInterfacePermission',
    arguments: [{ syntax: '<permission>', description: 'its id, eni-perm-…' }],
    options: [{ flags: '--force', description: 'even while the account has it attached' }],
    examples: ['vpcctl eni revoke eni-perm-0123456789abcdef0'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = input.argument('permission')
      await ec2.call('DeleteNetworkInterfacePermission',
        { NetworkInterfacePermissionId: id, Force: input.flag('force') || undefined })
      context.output.done(`Revoked ${id}.`, { NetworkInterfacePermissionId: id })
    }
  })
]
