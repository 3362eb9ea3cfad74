/**
 * Elastic IPs that pass to another account, and their host names. AWS VPC User Guide, "Transfer
 * Elastic IP addresses", "Use reverse DNS for email applications".
 *
 *     EnableAddressTransfer ──▶ offered, seven days ──▶ AcceptAddressTransfer: another owner
 *                                     └──▶ DisableAddressTransfer, or too late
 *
 * The address stays usable while it is offered; at the moment it is accepted it must be free of
 * associations and host names. The new owner's allocation has an id and tags of its own.
 */
import { isAccountId } from './account.ts'
import type { Address, AddressTransfer } from './address.ts'
import { AwsError } from './aws_error.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'

/** How long an offer stands. */
const TRANSFER_MS = 7 * 24 * 3_600_000
/** RFC 1035 §2.3.4 */
const DOMAIN_NAME_LENGTH_MAX = 255
const DOMAIN_NAME = /^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}\.?$/

/** A transfer as it was when the call that tells of it was over. */
export interface TransferResult {
  readonly publicIp: string
  readonly allocationId: string
  readonly transfer: AddressTransfer
}

function resultOf (address: Address, transfer: AddressTransfer): TransferResult {
  return { publicIp: address.publicIp, allocationId: address.id, transfer }
}

/** The offer of an address that still stands. */
export function pendingTransfer ({ transfer }: Address, nowMs: number): AddressTransfer | null {
  return transfer !== null && nowMs < transfer.expiresMs ? transfer : null
}

/**
 * EnableAddressTransfer. A second offer takes the place of the first.
 * @throws AwsError InvalidAllocationID.*, InvalidParameterValue (account)
 */
export function planEnableAddressTransfer (view: AccountView,
  input: { readonly allocationId: string, readonly accountId: string },
  context: PlanContext): Plan<TransferResult> {
  const address = requireRecord(view, 'address', input.allocationId)
  if (!isAccountId(input.accountId) || input.accountId === view.accountId) {
    throw new AwsError('InvalidParameterValue', `Value (${input.accountId}) for parameter ` +
      'transferAccountId is invalid. Expecting the 12 digits of another account.')
  }
  const transfer = { accountId: input.accountId, offeredMs: context.nowMs,
    expiresMs: context.nowMs + TRANSFER_MS }
  return { changes: [put('address', { ...address, transfer })],
    result: resultOf(address, transfer) }
}

/**
 * DisableAddressTransfer.
 * @throws AwsError InvalidAllocationID.*, InvalidTransfer.NotFound
 */
export function planDisableAddressTransfer (view: AccountView,
  input: { readonly allocationId: string }, context: PlanContext): Plan<TransferResult> {
  const address = requireRecord(view, 'address', input.allocationId)
  const transfer = pendingTransfer(address, context.nowMs)
  if (transfer === null) {
    throw noTransfer(address.publicIp)
  }
  return { changes: [put('address', { ...address, transfer: null })],
    result: resultOf(address, transfer) }
}

/**
 * AcceptAddressTransfer, by the account that the address is offered to.
 * @throws AwsError InvalidTransfer.NotFound, InvalidTransfer.AddressAssociated,
 *   InvalidTransfer.AddressCustomPtrSet, AddressLimitExceeded
 */
export function planAcceptAddressTransfer (view: AccountView,
  input: { readonly publicIp: string, readonly tags: Tags },
  context: PlanContext): Plan<TransferResult> {
  const [address] = view.snapshot.tables.address.by('publicIp', input.publicIp)
  const transfer = address === undefined || address.region !== view.region ? null
    : pendingTransfer(address, context.nowMs)
  if (address === undefined || transfer?.accountId !== view.accountId) {
    throw noTransfer(input.publicIp)
  }
  if (address.associationId !== null) {
    throw new AwsError('InvalidTransfer.AddressAssociated', 'The Elastic IP address is ' +
      `associated: ${address.publicIp} must be disassociated before its transfer is accepted`)
  }
  if (address.domainName !== null) {
    throw new AwsError('InvalidTransfer.AddressCustomPtrSet', 'The Elastic IP address has a ' +
      `host name of its own: that of ${address.publicIp} must be reset first`)
  }
  checkQuota(view.snapshot, 'elastic-ips-per-region', view.list('address').length + 1)
  const taken: Address = { ...address, id: context.newId('eipalloc'), ownerId: view.accountId,
    tags: input.tags, transfer: null }
  return { changes: [remove('address', address.id), put('address', taken)],
    result: resultOf(taken, transfer) }
}

function noTransfer (publicIp: string): AwsError {
  return new AwsError('InvalidTransfer.NotFound',
    `There is no pending transfer of the address '${publicIp}'`)
}

/**
 * ModifyAddressAttribute: the host name of an address, for the reverse look-up. [lab] It is not
 * checked that the name resolves to the address.
 * @throws AwsError InvalidAllocationID.*, InvalidParameterValue
 */
export function planModifyAddressAttribute (view: AccountView,
  input: { readonly allocationId: string, readonly domainName: string }): Plan<string> {
  const address = requireRecord(view, 'address', input.allocationId)
  const { domainName } = input
  if (domainName.length > DOMAIN_NAME_LENGTH_MAX || !DOMAIN_NAME.test(domainName)) {
    throw new AwsError('InvalidParameterValue',
      `Value (${domainName}) for parameter domainName is invalid. Expecting a domain name.`)
  }
  const absolute = domainName.endsWith('.') ? domainName : `${domainName}.`
  return { changes: [put('address', { ...address, domainName: absolute })], result: address.id }
}

/** ResetAddressAttribute. @throws AwsError InvalidAllocationID.* */
export function planResetAddressAttribute (view: AccountView,
  input: { readonly allocationId: string }): Plan<string> {
  const address = requireRecord(view, 'address', input.allocationId)
  return { changes: [put('address', { ...address, domainName: null })], result: address.id }
}
