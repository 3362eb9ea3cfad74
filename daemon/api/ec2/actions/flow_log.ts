/** EC2 actions on flow logs. Rules: model/flow_log.ts. */
import type {
  CreateFlowLogsRequest, CreateFlowLogsResult, DeleteFlowLogsRequest, DeleteFlowLogsResult,
  DescribeFlowLogsRequest, DescribeFlowLogsResult, FlowLog as FlowLogOutput
} from '@aws-sdk/client-ec2'
import {
  planCreateFlowLogs, planDeleteFlowLogs
} from '../../../model/flow_log.ts'
import type { CreatedFlowLogs, FlowLog } from '../../../model/flow_log.ts'
import { DEFAULT_FORMAT } from '../../../model/flow_log_format.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action } from '../action.ts'
import { describeRecords } from '../describe.ts'
import type { FilterTable } from '../describe.ts'
import { refuseUnbuilt } from '../unbuilt.ts'

const createFlowLogs = defineWrite<CreateFlowLogsRequest, CreatedFlowLogs, CreateFlowLogsResult>({
  name: 'CreateFlowLogs',
  plan: (view, input, context) => {
    refuseUnbuilt('CreateFlowLogs', input, [
      'DeliverLogsPermissionArn', 'LogGroupName', 'ResourceIds', 'ResourceType', 'TrafficType',
      'LogDestinationType', 'LogDestination', 'LogFormat', 'TagSpecifications',
      'MaxAggregationInterval', 'DestinationOptions'
    ])
    const { DestinationOptions: options } = input
    return planCreateFlowLogs(view, {
      resourceIds: input.ResourceIds ?? [],
      resourceType: input.ResourceType ?? '',
      trafficType: input.TrafficType ?? null,
      destinationType: input.LogDestinationType ?? null,
      logDestination: input.LogDestination ?? null,
      logGroupName: input.LogGroupName ?? null,
      permissionArn: input.DeliverLogsPermissionArn ?? null,
      format: input.LogFormat ?? null,
      aggregationIntervalS: input.MaxAggregationInterval ?? null,
      fileFormat: options?.FileFormat ?? null,
      hiveCompatible: options?.HiveCompatiblePartitions ?? false,
      perHour: options?.PerHourPartition ?? false,
      tags: tagsFromSpecifications(input.TagSpecifications, 'vpc-flow-log')
    }, context)
  },
  print: (_view, { ids, unsuccessful }) => ({
    FlowLogIds: [...ids],
    Unsuccessful: unsuccessful.map(({ resourceId, code, message }) =>
      ({ ResourceId: resourceId, Error: { Code: code, Message: message } }))
  })
})

const deleteFlowLogs = defineWrite<DeleteFlowLogsRequest, null, DeleteFlowLogsResult>({
  name: 'DeleteFlowLogs',
  plan: (view, { FlowLogIds = [] }) => planDeleteFlowLogs(view, { flowLogIds: FlowLogIds }),
  print: () => ({ Unsuccessful: [] })
})

/** Where it delivers to, as an ARN; undefined where LogGroupName says it all. */
function destinationArn ({ destination }: FlowLog): string | undefined {
  if (destination.type !== 's3') return undefined
  const folder = destination.prefix === '' ? '' : `/${destination.prefix}/`
  return `arn:aws:s3:::${destination.bucket}${folder}`
}

function printFlowLog (flowLog: FlowLog): FlowLogOutput {
  const { destination } = flowLog
  return {
    FlowLogId: flowLog.id, FlowLogStatus: 'ACTIVE', ResourceId: flowLog.resourceId,
    TrafficType: flowLog.trafficType, LogDestinationType: destination.type,
    LogDestination: destinationArn(flowLog),
    LogFormat: flowLog.format ?? DEFAULT_FORMAT,
    MaxAggregationInterval: flowLog.aggregationIntervalS,
    CreationTime: new Date(flowLog.createdMs),
    DeliverLogsStatus: deliveryStatus(flowLog),
    DeliverLogsErrorMessage: flowLog.deliveryError ?? undefined,
    ...destination.type === 's3'
      ? {
          DestinationOptions: {
            FileFormat: 'plain-text', HiveCompatiblePartitions: destination.hiveCompatible,
            PerHourPartition: destination.perHour
          }
        }
      : {
          LogGroupName: destination.logGroupName,
          DeliverLogsPermissionArn: destination.permissionArn
        },
    Tags: printTags(flowLog.tags)
  }
}

function deliveryStatus ({ deliveryError }: FlowLog): string {
  return deliveryError === null ? 'SUCCESS' : 'FAILED'
}

/** EC2 API Reference, DescribeFlowLogs: all filters. */
const FILTERS: FilterTable<FlowLog> = {
  'deliver-log-status': deliveryStatus,
  'flow-log-id': ({ id }) => id,
  'log-destination-type': ({ destination }) => destination.type,
  'log-group-name': ({ destination }) =>
    destination.type === 's3' ? undefined : destination.logGroupName,
  'resource-id': ({ resourceId }) => resourceId,
  'traffic-type': ({ trafficType }) => trafficType
}

const describeFlowLogs = defineRead<DescribeFlowLogsRequest, DescribeFlowLogsResult>({
  name: 'DescribeFlowLogs',
  read: (view, input) => {
    const page = describeRecords(view, 'flowLog', 'FlowLogIds', input.FlowLogIds,
      { ...input, Filters: input.Filter }, FILTERS)
    return { FlowLogs: page.items.map(printFlowLog), NextToken: page.nextToken }
  }
})

export const flowLogActions: readonly Action[] = [createFlowLogs, deleteFlowLogs, describeFlowLogs]
