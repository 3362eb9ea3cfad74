/** EC2 actions on instances. Rules: model/instance*.ts; shapes: instance_shape.ts. */
import type {
  DescribeInstanceAttributeRequest, DescribeInstancesRequest, DescribeInstancesResult,
  DescribeInstanceStatusRequest, DescribeInstanceStatusResult, GetConsoleOutputRequest,
  GetConsoleOutputResult, InstanceAttribute,
  InstanceStateChange as StateChangeOutput, InstanceStatus, InstanceStatusSummary,
  ModifyInstanceAttributeRequest, RebootInstancesRequest, Reservation, RunInstancesRequest,
  StartInstancesRequest, StartInstancesResult, StopInstancesRequest, StopInstancesResult,
  TerminateInstancesRequest, TerminateInstancesResult
} from '@aws-sdk/client-ec2'
import { QEMU_MISSING, findQemu } from '../../../host/vm_process.ts'
import { AwsError } from '../../../model/aws_error.ts'
import {
  interfacesOfInstance, planRebootInstances, planStartInstances, planStopInstances,
  planTerminateInstances
} from '../../../model/instance.ts'
import type { Instance, InstanceStateChange } from '../../../model/instance.ts'
import { planModifyInstanceAttribute } from '../../../model/instance_attribute.ts'
import { planRunInstances } from '../../../model/instance_launch.ts'
import type { LaunchResult } from '../../../model/instance_launch.ts'
import { ROOT_DEVICE_NAME, findImage } from '../../../model/image.ts'
import { requireRecord } from '../../../model/resource_kind.ts'
import type { AccountView } from '../../../model/snapshot.ts'
import { zoneName } from '../../../model/zone.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action, LabStatus } from '../action.ts'
import { describeRecords } from '../describe.ts'
import type { FilterTable } from '../describe.ts'
import { instanceFilters, launchFromInput, printInstance, printState } from '../instance_shape.ts'
import { printGroups } from '../network_interface_shape.ts'
import { refuseUnbuilt } from '../unbuilt.ts'
import { imageActions } from './image.ts'
import { instanceOptionActions } from './instance_options.ts'
import { instanceTypeActions } from './instance_type.ts'

const runInstances = defineWrite<RunInstancesRequest, LaunchResult, Reservation>({
  name: 'RunInstances',
  plan: (view, input, context) => {
    const launch = launchFromInput(view, input)
    if (findImage(view, launch.imageId).kind === 'vm') refuseWithoutEmulator()
    return planRunInstances(view, launch, context)
  },
  print: (view, { reservationId, instanceIds }, { lab }) => printReservation(view, reservationId,
    instanceIds.map((id) => requireRecord(view, 'instance', id)), lab)
})

/** @throws AwsError UnsupportedOperation */
function refuseWithoutEmulator (): void {
  if (findQemu() === null) throw new AwsError('UnsupportedOperation', `${QEMU_MISSING}.`)
}

function printReservation (view: AccountView, reservationId: string, instances: readonly Instance[],
  lab: LabStatus): Reservation {
  return {
    ReservationId: reservationId,
    OwnerId: view.accountId,
    Groups: [],
    Instances: instances.map((instance) => printInstance(view, instance, lab))
  }
}

function printChanges (changes: readonly InstanceStateChange[]): StateChangeOutput[] {
  return changes.map(({ instanceId, previousState, currentState }) => ({
    InstanceId: instanceId, PreviousState: printState(previousState),
    CurrentState: printState(currentState)
  }))
}

/** `Force` needs nothing more, here and in StopInstances: a namespace cannot refuse to stop. */
const terminateInstances = defineWrite<TerminateInstancesRequest, InstanceStateChange[],
  TerminateInstancesResult>({
  name: 'TerminateInstances',
  plan: (view, input, context) => {
    refuseUnbuilt('TerminateInstances', input, ['InstanceIds', 'Force'])
    return planTerminateInstances(view, { instanceIds: input.InstanceIds ?? [] }, context)
  },
  print: (_view, changes) => ({ TerminatingInstances: printChanges(changes) })
})

const stopInstances = defineWrite<StopInstancesRequest, InstanceStateChange[],
  StopInstancesResult>({
  name: 'StopInstances',
  plan: (view, input, context) => {
    refuseUnbuilt('StopInstances', input, ['InstanceIds', 'Force'])
    return planStopInstances(view, { instanceIds: input.InstanceIds ?? [] }, context)
  },
  print: (_view, changes) => ({ StoppingInstances: printChanges(changes) })
})

const startInstances = defineWrite<StartInstancesRequest, InstanceStateChange[],
  StartInstancesResult>({
  name: 'StartInstances',
  plan: (view, input, context) => {
    refuseUnbuilt('StartInstances', input, ['InstanceIds'])
    for (const id of input.InstanceIds ?? []) {
      if (requireRecord(view, 'instance', id).guest?.kind === 'vm') refuseWithoutEmulator()
    }
    return planStartInstances(view, { instanceIds: input.InstanceIds ?? [] }, context)
  },
  print: (_view, changes) => ({ StartingInstances: printChanges(changes) })
})

const rebootInstances = defineWrite<RebootInstancesRequest, InstanceStateChange[], object>({
  name: 'RebootInstances',
  plan: (view, { InstanceIds = [] }) => planRebootInstances(view, { instanceIds: InstanceIds }),
  print: () => ({})
})

/** EC2 gives out the last 64 KB. [lab] They are the latest ones whatever `Latest` says. */
const getConsoleOutput = defineRead<GetConsoleOutputRequest, GetConsoleOutputResult>({
  name: 'GetConsoleOutput',
  read: (view, input, { lab, nowMs }) => {
    refuseUnbuilt('GetConsoleOutput', input, ['InstanceId', 'Latest'])
    const { id } = requireRecord(view, 'instance', input.InstanceId ?? '')
    const console = lab.consoleOf?.(id) ?? null
    return {
      InstanceId: id, Timestamp: new Date(console?.writtenMs ?? nowMs),
      ...console === null ? {} : { Output: Buffer.from(console.output).toString('base64') }
    }
  }
})

const describeInstances = defineRead<DescribeInstancesRequest, DescribeInstancesResult>({
  name: 'DescribeInstances',
  read: (view, input, { lab }) => {
    const page = describeRecords(view, 'instance', 'InstanceIds', input.InstanceIds, input,
      instanceFilters(lab))
    const reservations = new Map<string, Instance[]>()
    for (const instance of page.items) {
      const together = reservations.get(instance.reservationId)
      if (together === undefined) reservations.set(instance.reservationId, [instance])
      else together.push(instance)
    }
    return {
      Reservations: [...reservations].map(([id, instances]) =>
        printReservation(view, id, instances, lab)),
      NextToken: page.nextToken
    }
  }
})

type Health = 'ok' | 'initializing' | 'not-applicable'

/** An instance passes its checks once it runs; one that is on no host has none. */
function healthOf ({ state }: Instance): Health {
  if (state === 'running') return 'ok'
  return state === 'pending' ? 'initializing' : 'not-applicable'
}

const STATUS_FILTERS: FilterTable<Instance> = {
  'availability-zone': ({ zoneId }, view) => zoneName(view, zoneId),
  'availability-zone-id': ({ zoneId }) => zoneId,
  'instance-state-code': ({ state }) => printState(state).Code,
  'instance-state-name': ({ state }) => state,
  'instance-status.reachability': (instance) => reachability(healthOf(instance)),
  'instance-status.status': healthOf,
  'system-status.reachability': (instance) => reachability(healthOf(instance)),
  'system-status.status': healthOf
}

function reachability (health: Health): 'passed' | 'initializing' | undefined {
  return health === 'ok' ? 'passed' : health === 'initializing' ? 'initializing' : undefined
}

function printStatus (view: AccountView, instance: Instance): InstanceStatus {
  const health = healthOf(instance)
  const details = reachability(health)
  const summary: InstanceStatusSummary =
    { Status: health, Details: details === undefined ? []
      : [{ Name: 'reachability', Status: details }] }
  return {
    InstanceId: instance.id, InstanceState: printState(instance.state),
    AvailabilityZone: zoneName(view, instance.zoneId), AvailabilityZoneId: instance.zoneId,
    InstanceStatus: summary, SystemStatus: summary
  }
}

const RUNNING_ONLY = { Name: 'instance-state-name', Values: ['running'] }

const describeInstanceStatus = defineRead<DescribeInstanceStatusRequest,
  DescribeInstanceStatusResult>({
  name: 'DescribeInstanceStatus',
  read: (view, input) => {
    const Filters = input.IncludeAllInstances === true ? input.Filters
      : [...(input.Filters ?? []), RUNNING_ONLY]
    const page = describeRecords(view, 'instance', 'InstanceIds', input.InstanceIds,
      { ...input, Filters }, STATUS_FILTERS)
    return { InstanceStatuses: page.items.map((instance) => printStatus(view, instance)),
      NextToken: page.nextToken }
  }
})

/**
 * The older form of ModifyInstanceAttribute, `Attribute` and `Value`, in terms of the newer one.
 */
function fromAttributeAndValue (
  input: ModifyInstanceAttributeRequest): ModifyInstanceAttributeRequest {
  const { Attribute, Value, ...rest } = input
  if (Attribute === undefined && Value === undefined) return input
  const flag = { Value: Value === 'true' }
  switch (Attribute) {
    case 'instanceType': return { ...rest, InstanceType: { Value } }
    case 'disableApiTermination': return { ...rest, DisableApiTermination: flag }
    case 'disableApiStop': return { ...rest, DisableApiStop: flag }
    case 'sourceDestCheck': return { ...rest, SourceDestCheck: flag }
    case 'instanceInitiatedShutdownBehavior': return { ...rest,
      InstanceInitiatedShutdownBehavior: { Value } }
    case 'userData': return { ...rest, UserData: { Value: Buffer.from(Value ?? '', 'base64') } }
    default: throw new AwsError('InvalidParameterValue',
      `Value (${Attribute ?? ''}) for parameter attribute is invalid or not built in vpclab`)
  }
}

const modifyInstanceAttribute = defineWrite<ModifyInstanceAttributeRequest, null, object>({
  name: 'ModifyInstanceAttribute',
  plan: (view, given) => {
    const input = fromAttributeAndValue(given)
    refuseUnbuilt('ModifyInstanceAttribute', input,
      ['InstanceId', 'InstanceType', 'UserData', 'DisableApiTermination',
      'DisableApiStop', 'InstanceInitiatedShutdownBehavior', 'SourceDestCheck', 'Groups'])
    return planModifyInstanceAttribute(view, {
      instanceId: input.InstanceId ?? '',
      instanceType: input.InstanceType?.Value,
      userData: input.UserData === undefined ? undefined
        : Buffer.from(input.UserData.Value ?? []).toString('base64'),
      disableApiTermination: input.DisableApiTermination?.Value,
      disableApiStop: input.DisableApiStop?.Value,
      instanceInitiatedShutdownBehavior: input.InstanceInitiatedShutdownBehavior?.Value,
      sourceDestCheck: input.SourceDestCheck?.Value,
      groupIds: input.Groups
    })
  },
  print: () => ({})
})

const describeInstanceAttribute = defineRead<DescribeInstanceAttributeRequest, InstanceAttribute>({
  name: 'DescribeInstanceAttribute',
  read: (view, { InstanceId = '', Attribute }) => {
    const instance = requireRecord(view, 'instance', InstanceId)
    const [primary] = interfacesOfInstance(view.snapshot, instance)
    const answer = { InstanceId: instance.id }
    switch (Attribute) {
      case 'instanceType': return { ...answer, InstanceType: { Value: instance.instanceType } }
      case 'userData': return { ...answer, UserData: instance.userData === '' ? {}
        : { Value: instance.userData } }
      case 'disableApiTermination': return { ...answer,
        DisableApiTermination: { Value: instance.disableApiTermination } }
      case 'disableApiStop': return { ...answer,
        DisableApiStop: { Value: instance.disableApiStop } }
      case 'instanceInitiatedShutdownBehavior':
        return { ...answer,
          InstanceInitiatedShutdownBehavior: { Value: instance.instanceInitiatedShutdownBehavior } }
      case 'rootDeviceName':
        return { ...answer, RootDeviceName: { Value: ROOT_DEVICE_NAME } }
      case 'sourceDestCheck': return { ...answer,
        SourceDestCheck: { Value: primary?.sourceDestCheck } }
      case 'groupSet': return { ...answer, Groups: printGroups(view, primary?.groupIds ?? []) }
      default: throw new AwsError('InvalidParameterValue',
        `Value (${Attribute ?? ''}) for parameter attribute is invalid or not built in vpclab`)
    }
  }
})

export const instanceActions: readonly Action[] = [
  runInstances, terminateInstances, stopInstances, startInstances, rebootInstances,
  describeInstances, describeInstanceStatus, getConsoleOutput,
  modifyInstanceAttribute, describeInstanceAttribute,
  ...imageActions, ...instanceTypeActions, ...instanceOptionActions
]
