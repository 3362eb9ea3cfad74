/**
 * Elastic IP address: a public IPv4 address that an account keeps until it releases it. AWS VPC
 * User Guide, "Associate Elastic IP addresses with resources in your VPC".
 *
 *     address.ts               record, AllocateAddress, ReleaseAddress
 *     address_association.ts   AssociateAddress, DisassociateAddress
 *     address_transfer.ts      to another account; host names of addresses
 *     public_address_pool.ts   which public addresses are free
 *     public_address.ts        what is public in a VPC, of whichever kind
 *
 * An address is associated with one private IPv4 address of one ENI. That of a NAT gateway is
 * associated with the gateway's ENI in the same way.
 */
import { AwsError } from './aws_error.ts'
import type { Plan, PlanContext } from './plan.ts'
import { PublicAddressPool } from './public_address_pool.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView, Change, Snapshot } from './snapshot.ts'

export interface Address extends OwnedRecord {
  /** Dotted decimal; unique in the lab. */
  readonly publicIp: string
  /** Where the address is announced: the Region's name. */
  readonly networkBorderGroup: string
  /** `eipassoc-…`; null, like the two that follow, while it is associated with nothing. */
  readonly associationId: string | null
  readonly networkInterfaceId: string | null
  readonly privateIpAddress: string | null
  /** Host name for the reverse look-up, with its last dot; null for AWS's own name. */
  readonly domainName: string | null
  readonly transfer: AddressTransfer | null
}

/** An offer to another account, until it is accepted, taken back, or too old. */
export interface AddressTransfer {
  readonly accountId: string
  /** ms since 1970 */
  readonly offeredMs: number
  readonly expiresMs: number
}

export interface AllocateAddressInput {
  /** `vpc`; undefined for the same. */
  readonly domain: string | undefined
  /** An address of the lab's pool to have, free or released before; undefined: one is chosen. */
  readonly publicIp: string | undefined
  /** undefined: the Region's. */
  readonly networkBorderGroup: string | undefined
  readonly tags: Tags
}

/**
 * AllocateAddress.
 * @returns the id of the allocation
 * @throws AwsError AddressLimitExceeded, InsufficientAddressCapacity, InvalidAddress.*,
 *   InvalidParameterValue, InvalidParameterCombination
 */
export function planAllocateAddress (view: AccountView, input: AllocateAddressInput,
  context: PlanContext): Plan<string> {
  if (input.domain !== undefined && input.domain !== 'vpc') {
    throw new AwsError('InvalidParameterValue',
      `Value (${input.domain}) for parameter domain is invalid. Expecting vpc.`)
  }
  checkBorderGroup(input.networkBorderGroup, view.region)
  checkQuota(view.snapshot, 'elastic-ips-per-region', view.list('address').length + 1)
  const pool = new PublicAddressPool(view.snapshot)
  const address: Address = {
    id: context.newId('eipalloc'), region: view.region, ownerId: view.accountId, tags: input.tags,
    publicIp: input.publicIp === undefined ? pool.take() : pool.takeExactly(input.publicIp),
    networkBorderGroup: view.region, associationId: null, networkInterfaceId: null,
    privateIpAddress: null, domainName: null, transfer: null
  }
  return { changes: [...pool.changes(), put('address', address)], result: address.id }
}

function checkBorderGroup (asked: string | undefined, group: string): void {
  if (asked === undefined || asked === group) return
  throw new AwsError('InvalidParameterCombination',
    `The network border group '${asked}' does not match: addresses here are announced in ${group}`)
}

/** How calls name an address: by its allocation or by itself. */
export interface AddressName {
  readonly allocationId: string | undefined
  readonly publicIp: string | undefined
}

/**
 * The caller's address of that name.
 * @throws AwsError MissingParameter, InvalidParameterCombination, InvalidAllocationID.*,
 *   InvalidAddress.NotFound, AuthFailure for another account's
 */
export function requireAddress (view: AccountView,
  { allocationId, publicIp }: AddressName): Address {
  if (allocationId !== undefined && publicIp !== undefined) {
    throw new AwsError('InvalidParameterCombination',
      'You may specify public IP or allocation id, but not both in the same call')
  }
  if (allocationId !== undefined) return requireRecord(view, 'address', allocationId)
  if (publicIp === undefined) {
    throw new AwsError('MissingParameter', 'Either public IP or allocation id must be specified')
  }
  const [found] = view.snapshot.tables.address.by('publicIp', publicIp)
  if (found === undefined || found.region !== view.region) {
    throw new AwsError('InvalidAddress.NotFound', `Address '${publicIp}' not found.`)
  }
  if (found.ownerId === view.accountId) return found
  throw new AwsError('AuthFailure', `The address '${publicIp}' does not belong to you.`)
}

/**
 * ReleaseAddress: the address returns to the pool.
 * @throws AwsError as requireAddress, InvalidIPAddress.InUse, InvalidAddress.Locked (it has a host
 *   name), InvalidParameterCombination (border group)
 */
export function planReleaseAddress (view: AccountView,
  input: AddressName & { readonly networkBorderGroup: string | undefined }): Plan<null> {
  const address = requireAddress(view, input)
  checkBorderGroup(input.networkBorderGroup, address.networkBorderGroup)
  if (address.associationId !== null) {
    throw new AwsError('InvalidIPAddress.InUse', `Address ${address.publicIp} is in use: it is ` +
      `associated with ${address.privateIpAddress ?? ''} of ${address.networkInterfaceId ?? ''}`)
  }
  if (address.domainName !== null) {
    throw new AwsError('InvalidAddress.Locked', `Address with allocation id ${address.id} ` +
      'cannot be released because it is locked to your account by its host name ' +
      `${address.domainName}; reset the attribute domain-name first`)
  }
  return { changes: [remove('address', address.id)], result: null }
}

/** An address as it is with nothing behind it. */
export function disassociated (address: Address): Address {
  return { ...address, associationId: null, networkInterfaceId: null, privateIpAddress: null }
}

/** What becomes of the Elastic IPs of an ENI that goes; for every plan that deletes ENIs. */
export function disassociationsOf (snapshot: Snapshot, networkInterfaceId: string): Change[] {
  return snapshot.tables.address.by('networkInterfaceId', networkInterfaceId)
    .map((address) => put('address', disassociated(address)))
}
