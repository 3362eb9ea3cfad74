/**
 * Attributes of an instance that may change: one per call, as EC2 has it. EC2 API Reference,
 * ModifyInstanceAttribute.
 *
 * Groups and the source/destination check are those of the primary interface: EC2 refuses to change
 * them through an instance with several.
 */
import { AwsError } from './aws_error.ts'
import { interfacesOfInstance } from './instance.ts'
import type { Instance } from './instance.ts'
import { checkUserData } from './instance_launch.ts'
import { findInstanceType } from './instance_type.ts'
import { checkGroups } from './network_interface.ts'
import type { NetworkInterface } from './network_interface.ts'
import { checkAddressCount, checkInterfaceCount } from './network_interface_attachment.ts'
import type { Plan } from './plan.ts'
import { requireRecord } from './resource_kind.ts'
import { put } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'

/** The attribute to change. Exactly one is defined. */
export interface ModifyInstanceInput {
  readonly instanceId: string
  readonly instanceType: string | undefined
  readonly userData: string | undefined
  readonly disableApiTermination: boolean | undefined
  readonly disableApiStop: boolean | undefined
  readonly instanceInitiatedShutdownBehavior: string | undefined
  readonly sourceDestCheck: boolean | undefined
  readonly groupIds: readonly string[] | undefined
}

/**
 * ModifyInstanceAttribute.
 * @throws AwsError InvalidInstanceID.*, MissingParameter, InvalidParameterCombination,
 *   InvalidParameterValue, IncorrectInstanceState (type and user data need a stopped instance),
 *   InvalidInstanceID (several interfaces), AttachmentLimitExceeded, PrivateIpAddressLimitExceeded,
 *   InvalidUserData.Malformed, InvalidGroup.NotFound
 */
export function planModifyInstanceAttribute (view: AccountView,
  input: ModifyInstanceInput): Plan<null> {
  const instance = requireRecord(view, 'instance', input.instanceId)
  const { instanceId, ...attributes } = input
  const given = Object.values(attributes).filter((value) => value !== undefined).length
  if (given !== 1) {
    throw new AwsError(given === 0 ? 'MissingParameter' : 'InvalidParameterCombination',
      `Specify exactly one attribute of '${instanceId}' to modify: ${given} are given`)
  }
  if (instance.state === 'terminated' || instance.state === 'shutting-down') {
    throw new AwsError('IncorrectInstanceState',
      `The instance '${instance.id}' is ${instance.state}; it cannot be modified`)
  }
  if (input.sourceDestCheck !== undefined) {
    const record = onlyInterface(view, instance)
    return { changes: [put('networkInterface',
      { ...record, sourceDestCheck: input.sourceDestCheck })], result: null }
  }
  if (input.groupIds !== undefined) {
    const record = onlyInterface(view, instance)
    const groupIds = checkGroups(view, record.vpcId, input.groupIds, 'InvalidGroup.NotFound')
    if (groupIds.length === 0) throw new AwsError('InvalidParameterValue',
      `Instance '${instance.id}' must keep at least one security group`)
    return { changes: [put('networkInterface', { ...record, groupIds })], result: null }
  }
  return { changes: [put('instance', { ...instance, ...changedFields(view, instance, input) })],
    result: null }
}

function changedFields (view: AccountView, instance: Instance,
  input: ModifyInstanceInput): Partial<Instance> {
  const { disableApiTermination, disableApiStop, instanceInitiatedShutdownBehavior } = input
  if (disableApiTermination !== undefined) return { disableApiTermination }
  if (disableApiStop !== undefined) return { disableApiStop }
  if (instanceInitiatedShutdownBehavior !== undefined) {
    const behavior = shutdownBehavior(instanceInitiatedShutdownBehavior)
    return { instanceInitiatedShutdownBehavior: behavior }
  }
  if (instance.state !== 'stopped') {
    throw new AwsError('IncorrectInstanceState',
      `The instance '${instance.id}' is not in the 'stopped' state: it is ${instance.state}`)
  }
  if (input.userData !== undefined) {
    checkUserData(input.userData)
    return { userData: input.userData }
  }
  const type = findInstanceType(input.instanceType ?? '')
  const interfaces = interfacesOfInstance(view.snapshot, instance)
  checkInterfaceCount(type, interfaces.length)
  for (const record of interfaces) checkAddressCount(type, record)
  return { instanceType: type.name }
}

/** @throws AwsError InvalidParameterValue */
export function shutdownBehavior (value: string): 'stop' | 'terminate' {
  if (value === 'stop' || value === 'terminate') return value
  throw new AwsError('InvalidParameterValue',
    `Invalid value '${value}' for instanceInitiatedShutdownBehavior; expecting stop or terminate`)
}

function onlyInterface (view: AccountView, instance: Instance): NetworkInterface {
  const [only, ...more] = interfacesOfInstance(view.snapshot, instance)
  if (only === undefined) throw new Error(`Invariant broken: instance ${instance.id} has no ` +
    'interface')
  if (more.length > 0) {
    throw new AwsError('InvalidInstanceID',
      `There are multiple interfaces attached to instance '${instance.id}'. ` +
      'Please specify an interface ID for the operation instead.')
  }
  return only
}
