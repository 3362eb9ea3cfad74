/** `vpcctl flow-log …`. AWS VPC User Guide, "Logging IP traffic using VPC Flow Logs". */
import type { FlowLog } from '@aws-sdk/client-ec2'
import { resolveAny } from '../any_resource.ts'
import { type Command, defineCommand, type Input, TAG_OPTIONS } from '../command.ts'
import type { QueryInput } from '../ec2_query.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import { nameOf, tagSpecification } from '../resolve.ts'

/** A role that the lab never asks for; the API wants to see one, as AWS does. */
const ROLE_DEFAULT = 'arn:aws:iam::000000000000:role/flow-logs'

const RESOURCE_TYPES: Readonly<Record<string, string>> =
  { vpc: 'VPC', subnet: 'Subnet', eni: 'NetworkInterface' }

const COLUMNS: readonly Column<FlowLog>[] = [
  { header: 'flow log', value: (log) => log.FlowLogId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'resource', value: (log) => log.ResourceId ?? '' },
  { header: 'traffic', value: (log) => log.TrafficType ?? '' },
  { header: 'destination', value: (log) => log.LogDestination ?? log.LogGroupName ?? '' },
  { header: 'delivery', value: deliveryOf }
]

export const flowLogCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Log the flows of a VPC, a subnet or a network interface',
    action: 'CreateFlowLogs',
    arguments: [{ syntax: '<resource>', description: 'id or Name tag' }],
    options: [
      { flags: '--to-group <name>', description: 'deliver to a log group' },
      { flags: '--to-bucket <bucket>', description: 'deliver to a bucket: name, or name/folder' },
      {
        flags: '--traffic <type>',
        description: 'which traffic (default: ALL)',
        values: ['ALL', 'ACCEPT', 'REJECT']
      },
      {
        flags: '--format <format>',
        description: 'fields in order: "srcaddr dstaddr bytes" or "${srcaddr} ${bytes}"'
      },
      { flags: '--interval <seconds>', description: '60 or 600 (default: 600)' },
      { flags: '--hive', description: 'folders of files are name=value' },
      { flags: '--per-hour', description: 'a folder for each hour' },
      { flags: '--role <arn>', description: 'of a log group; any role will do here' },
      ...TAG_OPTIONS
    ],
    note: 'Lines come when a window of at most 60 s closes, files of a bucket every five ' +
      'windows; "vpcctl lab up --flow-log-interval 5" makes windows shorter.',
    examples: [
      'vpcctl flow-log create web --to-group flows',
      'vpcctl flow-log create subnet-0123456789abcdef0 --to-bucket logs/lab --traffic REJECT'
    ],
    async run (context, input) {
      const destination = destinationOf(input)
      const id = await resolveAny(context, input.argument('resource'))
      const ResourceType = RESOURCE_TYPES[id.slice(0, id.lastIndexOf('-'))]
      if (ResourceType === undefined) {
        throw usageError(`${id} is no VPC, subnet or network interface`)
      }
      const ec2 = await context.ec2()
      const { FlowLogIds: [flowLogId] = [], Unsuccessful: [refused] = [] } =
        await ec2.call('CreateFlowLogs', {
          ResourceId: [id], ResourceType, TrafficType: input.text('traffic') ?? 'ALL',
          ...destination,
          LogFormat: formatOf(input.text('format')),
          MaxAggregationInterval: input.integer('interval', 60, 600),
          ...tagSpecification('vpc-flow-log', input.tags())
        })
      if (refused !== undefined) {
        throw new CtlError(refused.Error?.Code ?? '', refused.Error?.Message ?? '')
      }
      const { FlowLogs: [flowLog = {}] = [] } =
        await ec2.call('DescribeFlowLogs', { FlowLogId: [flowLogId ?? ''] })
      context.output.row(flowLog, COLUMNS, ({ FlowLogId }) => FlowLogId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List flow logs',
    action: 'DescribeFlowLogs',
    examples: ['vpcctl flow-log list'],
    async run (context) {
      const ec2 = await context.ec2()
      const flowLogs = await ec2.all('DescribeFlowLogs', {}, (page) => page.FlowLogs)
      context.output.rows(flowLogs, COLUMNS, ({ FlowLogId }) => FlowLogId)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete flow logs; what they have delivered stays',
    action: 'DeleteFlowLogs',
    arguments: [{ syntax: '<flow-logs...>', description: 'ids' }],
    examples: ['vpcctl flow-log delete fl-0123456789abcdef0'],
    async run (context, input) {
      const ids = input.rest('flow-logs')
      const ec2 = await context.ec2()
      await ec2.call('DeleteFlowLogs', { FlowLogId: ids })
      context.output.done(`Deleted ${ids.join(', ')}.`, { FlowLogIds: ids })
    }
  })
]

function destinationOf (input: Input): QueryInput {
  const group = input.text('toGroup')
  const bucket = input.text('toBucket')
  if ((group === undefined) === (bucket === undefined)) {
    throw usageError('give one of --to-group and --to-bucket')
  }
  if (group !== undefined) {
    return {
      LogDestinationType: 'cloud-watch-logs', LogGroupName: group,
      DeliverLogsPermissionArn: input.text('role') ?? ROLE_DEFAULT
    }
  }
  return {
    LogDestinationType: 's3',
    LogDestination: `arn:aws:s3:::${bucket ?? ''}`,
    DestinationOptions: {
      FileFormat: 'plain-text', HiveCompatiblePartitions: input.flag('hive'),
      PerHourPartition: input.flag('perHour')
    }
  }
}

/** Fields with or without their braces. */
function formatOf (text: string | undefined): string | undefined {
  if (text === undefined || text.includes('$')) return text
  return text.trim().split(/\s+/).map((field) => `\${${field}}`).join(' ')
}

function deliveryOf ({ DeliverLogsStatus, DeliverLogsErrorMessage }: FlowLog): string {
  return DeliverLogsErrorMessage ?? DeliverLogsStatus ?? ''
}
