/**
 * Permission of another account on an ENI: what lets it attach the ENI to an instance of its own.
 * EC2 API Reference, CreateNetworkInterfacePermission, DeleteNetworkInterfacePermission.
 *
 *     owner:    VPC, subnet, ENI ◀── permission (INSTANCE-ATTACH, account B)
 *     B:        instance ◀── attachment ──▶ the owner's ENI, same zone
 *
 * The ENI stays its owner's and in its VPC and subnet; so do the packets of the device it gives the
 * instance. `requireAttachable` is the one place where an account sees an ENI that is not its own.
 * An ENI is granted to one account at a time, with one permission. EIP-ASSOCIATE is recorded only.
 */
import { isAccountId } from './account.ts'
import { AwsError } from './aws_error.ts'
import type { NetworkInterface } from './network_interface.ts'
import { refuseManaged } from './network_interface.ts'
import type { Plan, PlanContext } from './plan.ts'
import type { OwnedRecord } from './record.ts'
import { checkIdForm, notFound, requireRecord } from './resource_kind.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'

const PERMISSION_TYPES = ['INSTANCE-ATTACH', 'EIP-ASSOCIATE'] as const
export type PermissionType = typeof PERMISSION_TYPES[number]

/** Owned by the ENI's owner. EC2 has no tags for it, so `tags` stays empty. */
export interface NetworkInterfacePermission extends OwnedRecord {
  readonly networkInterfaceId: string
  /** The account it is granted to. */
  readonly awsAccountId: string
  readonly permission: PermissionType
}

export interface NewPermission {
  readonly networkInterfaceId: string
  readonly awsAccountId: string
  readonly permission: string
}

/**
 * CreateNetworkInterfacePermission.
 * @returns the id of the permission
 * @throws AwsError InvalidNetworkInterfaceID.*, MissingParameter (account), InvalidParameterValue
 *   (account, type), OperationNotPermitted (managed ENI, granted to another account),
 *   InvalidPermission.Duplicate
 */
export function planCreateNetworkInterfacePermission (view: AccountView, input: NewPermission,
  context: PlanContext): Plan<string> {
  const { networkInterfaceId, awsAccountId } = input
  refuseManaged(requireRecord(view, 'networkInterface', networkInterfaceId))
  const permission = checkPermissionType(input.permission)
  checkGrantee(view, awsAccountId)
  const [held] = view.by('networkInterfacePermission', 'networkInterfaceId', networkInterfaceId)
  if (held?.awsAccountId === awsAccountId) {
    throw new AwsError('InvalidPermission.Duplicate',
      `Account '${awsAccountId}' has a permission on '${networkInterfaceId}' already: ` +
      `'${held.id}' (${held.permission}); an account has at most one`)
  }
  if (held !== undefined) {
    throw new AwsError('OperationNotPermitted',
      `Network interface '${networkInterfaceId}' is granted to one account at a time: ` +
      `'${held.id}' grants it to '${held.awsAccountId}'; delete that permission first`)
  }
  const record: NetworkInterfacePermission = {
    id: context.newId('eni-perm'), region: view.region, ownerId: view.accountId, tags: {},
    networkInterfaceId, awsAccountId, permission
  }
  return { changes: [put('networkInterfacePermission', record)], result: record.id }
}

function checkPermissionType (text: string): PermissionType {
  const type = PERMISSION_TYPES.find((one) => one === text)
  if (type !== undefined) return type
  throw new AwsError('InvalidParameterValue',
    `Invalid value '${text}' for permission; expecting ${PERMISSION_TYPES.join(' or ')}`)
}

function checkGrantee (view: AccountView, awsAccountId: string): void {
  if (awsAccountId === '') {
    throw new AwsError('MissingParameter', 'The request must contain the parameter AwsAccountId')
  }
  if (!isAccountId(awsAccountId)) {
    throw new AwsError('InvalidParameterValue',
      `Invalid value '${awsAccountId}' for awsAccountId; expecting an account id of 12 digits`)
  }
  if (awsAccountId === view.accountId) {
    throw new AwsError('InvalidParameterValue',
      `Invalid value '${awsAccountId}' for awsAccountId: it owns the network interface; ` +
      'expecting another account')
  }
}

/**
 * DeleteNetworkInterfacePermission. An ENI that the account has attached stays attached (`force`).
 * @throws AwsError InvalidPermissionID.*, OperationNotPermitted without `force` while the account
 *   has the ENI attached
 */
export function planDeleteNetworkInterfacePermission (view: AccountView,
  input: { readonly permissionId: string, readonly force: boolean }): Plan<null> {
  const record = requireRecord(view, 'networkInterfacePermission', input.permissionId)
  const instanceId = input.force ? null : attachedThrough(view, record)
  if (instanceId !== null) {
    throw new AwsError('OperationNotPermitted',
      `Permission '${record.id}' is in use: account '${record.awsAccountId}' has attached ` +
      `'${record.networkInterfaceId}' to instance '${instanceId}'; detach it, or set Force`)
  }
  return { changes: [remove('networkInterfacePermission', record.id)], result: null }
}

/** The instance to which the account of a permission has attached the ENI, or null. */
function attachedThrough (view: AccountView, record: NetworkInterfacePermission): string | null {
  if (record.permission !== 'INSTANCE-ATTACH') return null
  const { networkInterface, instance } = view.snapshot.tables
  const instanceId = networkInterface.get(record.networkInterfaceId)?.attachment?.instanceId ?? null
  if (instanceId === null) return null
  return instance.get(instanceId)?.ownerId === record.awsAccountId ? instanceId : null
}

/**
 * An ENI that the caller may attach: its own, or one that its owner granted to it with
 * INSTANCE-ATTACH. Any other is absent.
 * @throws AwsError InvalidNetworkInterfaceId.Malformed, InvalidNetworkInterfaceID.NotFound
 */
export function requireAttachable (view: AccountView, id: string): NetworkInterface {
  checkIdForm('networkInterface', id)
  const record = view.get('networkInterface', id) ?? grantedInterface(view, id)
  if (record === undefined) throw notFound('networkInterface', id)
  return record
}

function grantedInterface (view: AccountView, id: string): NetworkInterface | undefined {
  const { networkInterface, networkInterfacePermission } = view.snapshot.tables
  const isGranted = networkInterfacePermission.by('networkInterfaceId', id).some((record) =>
    record.awsAccountId === view.accountId && record.region === view.region &&
    record.permission === 'INSTANCE-ATTACH')
  return isGranted ? networkInterface.get(id) : undefined
}
