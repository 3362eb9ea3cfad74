/**
 * Which private address an Elastic IP stands for. AWS VPC User Guide, "Associate an Elastic IP
 * address"; EC2 API Reference, AssociateAddress.
 *
 * A new association takes the place of what was there on either side: the address leaves its former
 * private address, and the private address loses its former Elastic IP, or its auto-assigned
 * address for good. `AllowReassociation=false` refuses instead. Packets follow from the next one
 * on.
 */
import { disassociated, requireAddress } from './address.ts'
import type { Address, AddressName } from './address.ts'
import { AwsError } from './aws_error.ts'
import { interfacesOfInstance } from './instance.ts'
import { internetGatewayOf } from './internet_gateway.ts'
import { refuseManaged } from './network_interface.ts'
import type { NetworkInterface } from './network_interface.ts'
import type { Plan, PlanContext } from './plan.ts'
import { requireRecord } from './resource_kind.ts'
import { put } from './snapshot.ts'
import type { AccountView, Change } from './snapshot.ts'

export interface AssociateAddressInput extends AddressName {
  /** An instance with one ENI, which it stands for. */
  readonly instanceId: string | undefined
  readonly networkInterfaceId: string | undefined
  /** undefined: the primary one. */
  readonly privateIpAddress: string | undefined
  readonly allowReassociation: boolean
}

/**
 * AssociateAddress. The same association again changes nothing.
 * @returns the id of the association
 * @throws AwsError as requireAddress; MissingParameter, InvalidParameterCombination,
 *   InvalidInstanceID, InvalidInstanceID.*, InvalidNetworkInterfaceID.*, InvalidParameterValue,
 *   Gateway.NotAttached, Resource.AlreadyAssociated, OperationNotPermitted, AuthFailure
 */
export function planAssociateAddress (view: AccountView, input: AssociateAddressInput,
  context: PlanContext): Plan<string> {
  const address = requireAddress(view, input)
  const record = interfaceOf(view, input)
  const privateIp = privateIpOf(record, input.privateIpAddress)
  if (internetGatewayOf(view.snapshot, record.vpcId) === undefined) {
    throw new AwsError('Gateway.NotAttached',
      `Network ${record.vpcId} is not attached to any internet gateway`)
  }
  if (address.associationId !== null && address.networkInterfaceId === record.id &&
    address.privateIpAddress === privateIp) {
    return { changes: [], result: address.associationId }
  }
  refuseGateways(view, address)
  const former = view.snapshot.tables.address.by('networkInterfaceId', record.id)
    .find(({ privateIpAddress }) => privateIpAddress === privateIp)
  if (!input.allowReassociation) refuseReassociation(address, former)
  return replaceAssociation(address, former, record, privateIp, context)
}

function replaceAssociation (address: Address, former: Address | undefined,
  record: NetworkInterface, privateIp: string, context: PlanContext): Plan<string> {
  const associationId = context.newId('eipassoc')
  const changes: Change[] = [put('address', { ...address, associationId,
    networkInterfaceId: record.id, privateIpAddress: privateIp })]
  if (former !== undefined) changes.push(put('address', disassociated(former)))
  if (record.autoPublicIp !== null && privateIp === record.privateIpAddresses[0]) {
    changes.push(put('networkInterface', { ...record, autoPublicIp: null }))
  }
  return { changes, result: associationId }
}

function refuseReassociation (address: Address, former: Address | undefined): void {
  if (address.associationId !== null) {
    throw new AwsError('Resource.AlreadyAssociated',
      `resource ${address.id} is already associated with associate-id ${address.associationId}`)
  }
  if (former === undefined) return
  throw new AwsError('Resource.AlreadyAssociated',
    `resource ${former.networkInterfaceId ?? ''} is already associated with associate-id ` +
    (former.associationId ?? ''))
}

/** The ENI that a call names, itself or by its instance. */
function interfaceOf (view: AccountView,
  { instanceId, networkInterfaceId }: AssociateAddressInput): NetworkInterface {
  if (instanceId !== undefined && networkInterfaceId !== undefined) {
    throw new AwsError('InvalidParameterCombination',
      'You may specify an instance or a network interface, but not both in the same call')
  }
  if (networkInterfaceId !== undefined) {
    const record = requireRecord(view, 'networkInterface', networkInterfaceId)
    refuseManaged(record)
    return record
  }
  if (instanceId === undefined) {
    throw new AwsError('MissingParameter',
      'Either an instance id or a network interface id must be specified')
  }
  const instance = requireRecord(view, 'instance', instanceId)
  if (instance.state !== 'running' && instance.state !== 'stopped' &&
    instance.state !== 'stopping') {
    throw new AwsError('InvalidInstanceID', `The ${instance.state} instance '${instanceId}' is ` +
      'not in a valid state for this operation.')
  }
  const [only, ...more] = interfacesOfInstance(view.snapshot, instance)
  if (only !== undefined && more.length === 0) return only
  throw new AwsError('InvalidInstanceID',
    `There are multiple interfaces attached to instance '${instanceId}'. ` +
    'Please specify an interface ID for the operation instead.')
}

function privateIpOf (record: NetworkInterface, asked: string | undefined): string {
  const [primary] = record.privateIpAddresses
  const privateIp = asked ?? primary
  if (privateIp !== undefined && record.privateIpAddresses.includes(privateIp)) return privateIp
  throw new AwsError('InvalidParameterValue', asked === undefined
    ? `Network interface '${record.id}' has no private IPv4 address`
    : `Invalid value '${asked}' for privateIpAddress. It is not assigned to interface ` +
      `'${record.id}'`)
}

/** The address of a NAT gateway is the gateway's affair. */
function refuseGateways (view: AccountView, address: Address): void {
  const record = view.get('networkInterface', address.networkInterfaceId ?? '')
  if (record === undefined || record.requesterId === null) return
  throw new AwsError('AuthFailure', 'You do not have permission to access the specified ' +
    `resource: ${address.publicIp} belongs to ${record.description}`)
}

/**
 * DisassociateAddress, by association or by address. An address that is associated with nothing
 * stays as it is.
 * @throws AwsError InvalidAssociationID.NotFound, MissingParameter, InvalidParameterCombination,
 *   InvalidAddress.NotFound, AuthFailure (another account's, or a NAT gateway's)
 */
export function planDisassociateAddress (view: AccountView, input: {
  readonly associationId: string | undefined
  readonly publicIp: string | undefined
}): Plan<null> {
  const { associationId, publicIp } = input
  if (associationId !== undefined && publicIp !== undefined) {
    throw new AwsError('InvalidParameterCombination',
      'You may specify public IP or association id, but not both in the same call')
  }
  if (associationId === undefined && publicIp === undefined) {
    throw new AwsError('MissingParameter', 'Either public IP or association id must be specified')
  }
  const address = associationId === undefined
    ? requireAddress(view, { allocationId: undefined, publicIp })
    : view.list('address').find((one) => one.associationId === associationId)
  if (address === undefined) {
    throw new AwsError('InvalidAssociationID.NotFound',
      `The association ID '${associationId ?? ''}' does not exist`)
  }
  refuseGateways(view, address)
  return { changes: address.associationId === null ? [] : [put('address', disassociated(address))],
    result: null }
}
