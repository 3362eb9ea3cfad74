/**
 * Attaching an ENI to an instance and detaching it, and what an instance type allows. EC2 User
 * Guide, "Attach a network interface".
 *
 * An ENI attaches within its zone and VPC, to a running ("hot") or stopped ("warm") instance.
 * Device index 0 is the primary interface: made with the instance, never detached. An ENI of
 * another account attaches by permission (network_interface_permission.ts), across VPCs then; the
 * owner of the ENI and the owner of the instance may both detach it.
 */
import { AwsError } from './aws_error.ts'
import { interfacesOfInstance } from './instance.ts'
import type { Instance } from './instance.ts'
import { findInstanceType } from './instance_type.ts'
import type { InstanceType } from './instance_type.ts'
import type { NetworkInterface } from './network_interface.ts'
import { DEVICE_INDEX_MAX, refuseManaged } from './network_interface.ts'
import { requireAttachable } from './network_interface_permission.ts'
import type { Plan, PlanContext } from './plan.ts'
import { requireRecord } from './resource_kind.ts'
import { put } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'
import { isWellFormedId } from '../base/ids.ts'

export interface AttachInput {
  readonly networkInterfaceId: string
  readonly instanceId: string
  readonly deviceIndex: number
}

/**
 * AttachNetworkInterface.
 * @returns the id of the attachment
 * @throws AwsError InvalidNetworkInterfaceID.*, InvalidInstanceID.*, InvalidNetworkInterface.InUse,
 *   IncorrectInstanceState, InvalidParameterCombination (zone, VPC), InvalidParameterValue (device
 *   index), AttachmentLimitExceeded, PrivateIpAddressLimitExceeded, OperationNotPermitted
 */
export function planAttachNetworkInterface (view: AccountView, input: AttachInput,
  context: PlanContext): Plan<string> {
  const record = requireAttachable(view, input.networkInterfaceId)
  const instance = requireRecord(view, 'instance', input.instanceId)
  refuseManaged(record)
  if (record.attachment !== null) throw interfaceInUse(record)
  if (instance.state !== 'running' && instance.state !== 'stopped') {
    throw new AwsError('IncorrectInstanceState',
      `Cannot attach network interface '${record.id}': instance ` +
      `'${instance.id}' is ${instance.state}; it must be running or stopped`)
  }
  if (record.ownerId === instance.ownerId) checkSamePlace(record, instance)
  else checkSameZone(record, instance)
  checkDeviceIndex(input.deviceIndex)
  const others = interfacesOfInstance(view.snapshot, instance)
  if (others.some(({ attachment }) => attachment?.deviceIndex === input.deviceIndex)) {
    throw new AwsError('InvalidParameterValue',
      `Instance '${instance.id}' already has an interface attached at ` +
      `device index '${input.deviceIndex}'.`)
  }
  const type = findInstanceType(instance.instanceType)
  checkInterfaceCount(type, others.length + 1)
  checkAddressCount(type, record)
  const attachmentId = context.newId('eni-attach')
  const attachment = {
    id: attachmentId, instanceId: instance.id, deviceIndex: input.deviceIndex,
    deleteOnTermination: false, attachedMs: context.nowMs
  }
  return { changes: [put('networkInterface', { ...record, attachment })], result: attachmentId }
}

/**
 * DetachNetworkInterface, by the owner of the ENI or of the instance. `force` asks for nothing more
 * here: detaching needs no help from inside.
 * @throws AwsError InvalidAttachmentID.NotFound, OperationNotPermitted (primary or managed)
 */
export function planDetachNetworkInterface (view: AccountView,
  input: { readonly attachmentId: string }): Plan<null> {
  const record = requireAttached(view, input.attachmentId)
  refuseManaged(record)
  if (record.attachment?.deviceIndex === 0) {
    throw new AwsError('OperationNotPermitted',
      'The network interface at device index 0 cannot be detached: ' +
      `'${record.id}' is the primary interface of instance '${record.attachment.instanceId}'`)
  }
  return { changes: [put('networkInterface', { ...record, attachment: null })], result: null }
}

/** The ENI of an attachment whose ENI or instance is the caller's. @throws InvalidAttachmentID.* */
function requireAttached (view: AccountView, attachmentId: string): NetworkInterface {
  if (!isWellFormedId('eni-attach', attachmentId)) {
    throw new AwsError('InvalidAttachmentID.Malformed',
      `Invalid id: "${attachmentId}" (expecting "eni-attach-" and 8 or 17 hexadecimal digits)`)
  }
  const isIt = ({ attachment }: NetworkInterface): boolean => attachment?.id === attachmentId
  const record = view.list('networkInterface').find(isIt) ?? view.list('instance')
    .flatMap((instance) => interfacesOfInstance(view.snapshot, instance)).find(isIt)
  if (record !== undefined) return record
  throw new AwsError('InvalidAttachmentID.NotFound',
    `The attachment '${attachmentId}' does not exist.`)
}

export function interfaceInUse (record: NetworkInterface): AwsError {
  return new AwsError('InvalidNetworkInterface.InUse',
    `Interface: [${record.id}] in use: it is attached to ` +
    `instance '${record.attachment?.instanceId ?? ''}'`)
}

/** @throws AwsError InvalidParameterCombination when ENI and instance differ in zone or VPC */
export function checkSamePlace (record: Pick<NetworkInterface, 'id' | 'zoneId' | 'vpcId'>,
  instance: Pick<Instance, 'zoneId' | 'vpcId'>): void {
  checkSameZone(record, instance)
  if (record.vpcId !== instance.vpcId) {
    throw new AwsError('InvalidParameterCombination',
      'You may not attach a network interface to an instance of ' +
      `another VPC: '${record.id}' is in ${record.vpcId}, the instance in ${instance.vpcId}`)
  }
}

function checkSameZone (record: Pick<NetworkInterface, 'id' | 'zoneId'>,
  instance: Pick<Instance, 'zoneId'>): void {
  if (record.zoneId === instance.zoneId) return
  throw new AwsError('InvalidParameterCombination',
    'You may not attach a network interface to an instance if ' +
    `they are not in the same availability zone: '${record.id}' is in ${record.zoneId}, the ` +
    `instance in ${instance.zoneId}`)
}

/** @throws AwsError InvalidParameterValue */
export function checkDeviceIndex (deviceIndex: number): void {
  if (deviceIndex >= 0 && deviceIndex <= DEVICE_INDEX_MAX) return
  throw new AwsError('InvalidParameterValue',
    `Invalid value '${deviceIndex}' for deviceIndex; expecting 0 to ${DEVICE_INDEX_MAX}`)
}

/** @throws AwsError AttachmentLimitExceeded */
export function checkInterfaceCount (type: InstanceType, count: number): void {
  if (count <= type.interfacesMax) return
  throw new AwsError('AttachmentLimitExceeded', `Interface count ${count} exceeds the limit for ` +
    `${type.name}: ${type.interfacesMax}`)
}

/**
 * Whether the addresses of an ENI fit the instance type; a delegated prefix counts as one.
 * @throws AwsError PrivateIpAddressLimitExceeded
 */
export function checkAddressCount (type: InstanceType, record: NetworkInterface): void {
  const ipv4 = record.privateIpAddresses.length + record.ipv4Prefixes.length
  const ipv6 = record.ipv6Addresses.length + record.ipv6Prefixes.length
  if (ipv4 > type.ipv4PerInterfaceMax) throw tooManyAddresses(type, record.id, 4, ipv4,
    type.ipv4PerInterfaceMax)
  if (ipv6 > type.ipv6PerInterfaceMax) throw tooManyAddresses(type, record.id, 6, ipv6,
    type.ipv6PerInterfaceMax)
}

function tooManyAddresses (type: InstanceType, id: string, family: 4 | 6, count: number,
  limit: number): AwsError {
  return new AwsError('PrivateIpAddressLimitExceeded',
    `Number of private IPv${family} addresses and ` +
    `prefixes of '${id}' will exceed the limit of ${type.name}: ${count} > ${limit}`)
}
