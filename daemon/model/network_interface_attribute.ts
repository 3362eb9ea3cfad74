/**
 * Attributes of an ENI that may change: one per call, as EC2 has it. EC2 API Reference,
 * ModifyNetworkInterfaceAttribute.
 */
import { AwsError } from './aws_error.ts'
import {
  checkConnectionTracking, checkDescription, checkGroups, refuseManaged
} from './network_interface.ts'
import type { ConnectionTracking, NetworkInterface } from './network_interface.ts'
import type { Plan } from './plan.ts'
import { requireRecord } from './resource_kind.ts'
import { put } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'

/** The attribute to change; undefined ones stay. Exactly one is given. */
export interface ModifyInput {
  readonly networkInterfaceId: string
  readonly description: string | undefined
  readonly sourceDestCheck: boolean | undefined
  readonly groupIds: readonly string[] | undefined
  readonly attachment: { readonly attachmentId: string
    readonly deleteOnTermination: boolean } | undefined
  readonly connectionTracking: ConnectionTracking | undefined
}

/**
 * ModifyNetworkInterfaceAttribute.
 * @throws AwsError InvalidNetworkInterfaceID.*, InvalidParameterCombination, InvalidGroup.NotFound,
 *   InvalidParameter, InvalidAttachmentID.NotFound, InvalidParameterValue (idle times),
 *   OperationNotPermitted
 */
export function planModifyNetworkInterfaceAttribute (view: AccountView,
  input: ModifyInput): Plan<null> {
  const record = requireRecord(view, 'networkInterface', input.networkInterfaceId)
  refuseManaged(record)
  const given = [input.description, input.sourceDestCheck, input.groupIds, input.attachment,
    input.connectionTracking]
    .filter((value) => value !== undefined).length
  if (given !== 1) {
    throw new AwsError(given === 0 ? 'MissingParameter' : 'InvalidParameterCombination',
      `Specify exactly one attribute to modify: ${given} are given`)
  }
  return { changes: [put('networkInterface', { ...record, ...changedFields(view, record, input) })],
    result: null }
}

function changedFields (view: AccountView, record: NetworkInterface,
  input: ModifyInput): Partial<NetworkInterface> {
  if (input.description !== undefined) {
    checkDescription(input.description)
    return { description: input.description }
  }
  if (input.sourceDestCheck !== undefined) return { sourceDestCheck: input.sourceDestCheck }
  if (input.groupIds !== undefined) {
    if (input.groupIds.length === 0) {
      throw new AwsError('InvalidParameterValue',
        `Network interface '${record.id}' must keep at least one security group`)
    }
    return { groupIds: checkGroups(view, record.vpcId, input.groupIds, 'InvalidGroup.NotFound') }
  }
  if (input.connectionTracking !== undefined) {
    checkConnectionTracking(input.connectionTracking)
    return input.connectionTracking
  }
  const { attachmentId = '', deleteOnTermination = false } = input.attachment ?? {}
  if (record.attachment?.id !== attachmentId) {
    throw new AwsError('InvalidAttachmentID.NotFound',
      `The attachment '${attachmentId}' does not exist at network interface '${record.id}'.`)
  }
  return { attachment: { ...record.attachment, deleteOnTermination } }
}

/** ResetNetworkInterfaceAttribute knows one attribute: the source/destination check, back to on. */
export function planResetNetworkInterfaceAttribute (view: AccountView,
  input: { readonly networkInterfaceId: string }): Plan<null> {
  const record = requireRecord(view, 'networkInterface', input.networkInterfaceId)
  refuseManaged(record)
  return { changes: [put('networkInterface', { ...record, sourceDestCheck: true })], result: null }
}
