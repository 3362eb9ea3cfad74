/**
 * What can be asked and changed of an instance besides its life: status checks and attributes. EC2
 * answers and changes one attribute per call.
 */
import type { InstanceStatus } from '@aws-sdk/client-ec2'
import { type Command, defineCommand, type Input } from '../command.ts'
import type { Ec2Client } from '../ec2_client.ts'
import type { QueryInput } from '../ec2_query.ts'
import { usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import { INSTANCE, resolveId, resolveIds, SECURITY_GROUP } from '../resolve.ts'

const ATTRIBUTES = [
  'instanceType', 'instanceInitiatedShutdownBehavior', 'disableApiTermination', 'disableApiStop',
  'sourceDestCheck', 'groupSet', 'rootDeviceName', 'userData'
] as const

const STATUS_COLUMNS: readonly Column<InstanceStatus>[] = [
  { header: 'instance', value: (status) => status.InstanceId ?? '' },
  { header: 'zone', value: (status) => status.AvailabilityZone ?? '', hides: true },
  { header: 'state', value: (status) => status.InstanceState?.Name ?? '' },
  { header: 'system', value: (status) => status.SystemStatus?.Status ?? '' },
  { header: 'instance check', value: (status) => status.InstanceStatus?.Status ?? '' }
]

const INSTANCE_ARGUMENT = { syntax: '<instance>', description: 'id or Name tag' }

export const instanceAttributeCommands: readonly Command[] = [
  defineCommand({
    name: 'status',
    summary: 'Show the status checks of instances',
    action: 'DescribeInstanceStatus',
    arguments: [{ syntax: '[instance...]', description: 'ids or Name tags (default: all)' }],
    examples: ['vpcctl instance status', 'vpcctl instance status a b'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const ids = await resolveIds(ec2, INSTANCE, input.rest('instance'))
      // EC2 refuses MaxResults together with ids.
      const statuses = ids.length > 0
        ? (await ec2.call('DescribeInstanceStatus',
          { InstanceId: ids, IncludeAllInstances: true })).InstanceStatuses ?? []
        : await ec2.all('DescribeInstanceStatus', { IncludeAllInstances: true },
          (page) => page.InstanceStatuses)
      context.output.rows(statuses, STATUS_COLUMNS, ({ InstanceId }) => InstanceId)
    }
  }),
  defineCommand({
    name: 'attributes',
    summary: 'Show the attributes of an instance that "set" changes, and user data',
    action: 'DescribeInstanceAttribute',
    arguments: [INSTANCE_ARGUMENT],
    examples: ['vpcctl instance attributes a'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const InstanceId = await resolveId(ec2, INSTANCE, input.argument('instance'))
      const answers = await Promise.all(ATTRIBUTES.map((Attribute) =>
        ec2.call('DescribeInstanceAttribute', { InstanceId, Attribute })))
      context.output.tree(Object.assign({}, ...answers) as object, InstanceId)
    }
  }),
  defineCommand({
    name: 'set',
    summary: 'Change attributes of an instance',
    action: 'ModifyInstanceAttribute',
    arguments: [INSTANCE_ARGUMENT],
    options: [
      { flags: '--type <type>', description: 'instance type; the instance must be stopped' },
      { flags: '--user-data <script>', description: 'script of the next first boot; stopped too' },
      { flags: '--source-dest-check <on|off>', description: 'of eth0; off lets it forward' },
      { flags: '--group <group>', description: 'security groups of eth0, all', repeats: true },
      { flags: '--protect-termination <on|off>', description: 'on refuses "instance terminate"' },
      { flags: '--protect-stop <on|off>', description: 'on refuses "instance stop"' },
      {
        flags: '--shutdown-behavior <behavior>',
        description: 'what a shutdown from inside does',
        values: ['stop', 'terminate']
      }
    ],
    examples: [
      'vpcctl instance set a --source-dest-check off', 'vpcctl instance set a --type m5.xlarge'
    ],
    async run (context, input) {
      const given = changes(input)
      const groups = input.list('group')
      if (given.length === 0 && groups.length === 0) throw usageError('an option is needed')
      const ec2 = await context.ec2()
      const InstanceId = await resolveId(ec2, INSTANCE, input.argument('instance'))
      if (groups.length > 0) given.push(await groupChange(ec2, groups))
      for (const change of given) {
        await ec2.call('ModifyInstanceAttribute', { InstanceId, ...change })
      }
      context.output.done(`Changed ${InstanceId}.`,
        Object.assign({ InstanceId }, ...given) as object)
    }
  })
]

/** One input of ModifyInstanceAttribute per option that was given. */
function changes (input: Input): QueryInput[] {
  const userData = input.text('userData')
  return Object.entries({
    InstanceType: input.text('type'),
    UserData: userData === undefined ? undefined : Buffer.from(userData).toString('base64'),
    SourceDestCheck: input.onOff('sourceDestCheck'),
    DisableApiTermination: input.onOff('protectTermination'),
    DisableApiStop: input.onOff('protectStop'),
    InstanceInitiatedShutdownBehavior: input.text('shutdownBehavior')
  }).flatMap(([name, Value]) => Value === undefined ? [] : [{ [name]: { Value } }])
}

async function groupChange (ec2: Ec2Client, groups: readonly string[]): Promise<QueryInput> {
  return { GroupId: await resolveIds(ec2, SECURITY_GROUP, groups) }
}
