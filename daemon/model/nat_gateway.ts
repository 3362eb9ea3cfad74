/**
 * NAT gateway: instances of a VPC reach out with an address of the gateway; nothing is opened from
 * outside. AWS VPC User Guide, "NAT gateways".
 *
 * A gateway has an ENI of its own in its subnet, managed by AWS (`requesterId`). Each of its
 * addresses is a private address of that ENI; with a public gateway each of these has an Elastic
 * IP. The gateway translates to the private address, the internet gateway from there to the public
 * one.
 *
 *     pending ──▶ available ──▶ deleting ──▶ deleted ──▶ (record removed after an hour)
 *        └──────▶ failed ─────────────────────────────▶ (record removed after an hour)
 *
 * `pending` and `deleting` last until every host has applied the change: they are shown, not
 * stored. Only an `available` one carries packets.
 */
import type { Address } from './address.ts'
import { AddressPool } from './address_pool.ts'
import { AwsError } from './aws_error.ts'
import { internetGatewayOf } from './internet_gateway.ts'
import {
  DEFAULT_CONNECTION_TRACKING, NO_ADDRESSES, newNetworkInterface, removalOf
} from './network_interface.ts'
import type { NetworkInterface } from './network_interface.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { notFound, requireRecord } from './resource_kind.ts'
import { put } from './snapshot.ts'
import type { AccountView, Change } from './snapshot.ts'
import type { Subnet } from './subnet.ts'

export interface NatGateway extends OwnedRecord {
  readonly vpcId: string
  readonly subnetId: string
  readonly zoneId: string
  readonly connectivityType: 'public' | 'private'
  readonly state: 'available' | 'failed' | 'deleted'
  /** EC2's code and sentence; null unless `failed`. */
  readonly failureCode: string | null
  readonly failureMessage: string | null
  /** The gateway's ENI; null when it failed before it had one. Gone once `deleted`. */
  readonly networkInterfaceId: string | null
  /** The primary one first. As they were, once `failed` or `deleted`. */
  readonly addresses: readonly NatGatewayAddress[]
  readonly createdMs: number
  /** When it failed or was deleted; null before. */
  readonly deletedMs: number | null
}

export interface NatGatewayAddress {
  /** `eipalloc-…`; null, like its public address and association, with a private gateway. */
  readonly allocationId: string | null
  readonly publicIp: string | null
  readonly associationId: string | null
  readonly privateIp: string
  readonly isPrimary: boolean
  /** `disassociating` and `unassigning` take no new flows and keep those that they have. */
  readonly status: 'succeeded' | 'disassociating' | 'unassigning' | 'failed'
  /** When an address that is leaving is gone, ms since 1970; null for the others. */
  readonly drainUntilMs: number | null
  /** Why it failed; null otherwise. */
  readonly failureMessage: string | null
}

/** How long a failed or deleted gateway is still described. */
export const NAT_GATEWAY_LINGER_MS = 3_600_000

export const NAT_GATEWAY_INTERFACE_TYPE = 'nat_gateway'
/** [lab] Whose ENI it is. AWS shows the id of an account of its own, another one per Region. */
const NAT_GATEWAY_REQUESTER = 'amazon-nat-gateway'

export interface CreateNatGatewayInput {
  readonly subnetId: string
  readonly connectivityType: string
  /** Of a public gateway. */
  readonly allocationId: string | undefined
  /** The primary private address; undefined: one is chosen. */
  readonly privateIpAddress: string | undefined
  readonly secondaryAllocationIds: readonly string[]
  readonly secondaryPrivateIpAddresses: readonly string[]
  /** Of a private gateway. */
  readonly secondaryPrivateIpAddressCount: number | undefined
  readonly tags: Tags
}

/**
 * CreateNatGateway. What is wrong with the request is refused; what is wrong with the place makes a
 * gateway that is `failed` and says why.
 * @returns the id of the gateway
 * @throws AwsError InvalidSubnetID.*, InvalidAllocationID.*, MissingParameter,
 *   InvalidParameterCombination, InvalidParameterValue, InvalidIPAddress.InUse,
 *   NatGatewayLimitExceeded, AddressLimitExceeded, PrivateIpAddressLimitExceeded
 */
export function planCreateNatGateway (view: AccountView, input: CreateNatGatewayInput,
  context: PlanContext): Plan<string> {
  const connectivityType = checkParameters(input)
  const subnet = requireRecord(view, 'subnet', input.subnetId)
  const allocations = allocationsOf(input).map((id) => requireRecord(view, 'address', id))
  const count = addressCountOf(input)
  checkQuota(view.snapshot, 'elastic-ips-per-nat-gateway', allocations.length)
  checkQuota(view.snapshot, 'private-ips-per-nat-gateway', count)
  const alive = view.list('natGateway').filter(({ zoneId, state }) =>
    zoneId === subnet.zoneId && state === 'available').length
  checkQuota(view.snapshot, 'nat-gateways-per-zone', alive + 1)
  const gateway: NatGateway = {
    id: context.newId('nat'), region: view.region, ownerId: view.accountId, tags: input.tags,
    vpcId: subnet.vpcId, subnetId: subnet.id, zoneId: subnet.zoneId, connectivityType,
    state: 'available', failureCode: null, failureMessage: null, networkInterfaceId: null,
    addresses: [], createdMs: context.nowMs, deletedMs: null
  }
  const failure = failureOf(view, gateway, allocations)
  if (failure !== null) return failed(gateway, failure, allocations, context)
  try {
    return made(view, gateway, subnet, { input, allocations, count }, context)
  } catch (error) {
    const isFull = error instanceof AwsError && error.code === 'InsufficientFreeAddressesInSubnet'
    if (!isFull) throw error
    return failed(gateway, new AwsError(error.code,
      'Subnet has insufficient free addresses to create this NAT gateway'), allocations, context)
  }
}

interface Wanted {
  readonly input: CreateNatGatewayInput
  readonly allocations: readonly Address[]
  readonly count: number
}

/** The gateway with its ENI and its addresses. */
function made (view: AccountView, gateway: NatGateway, subnet: Subnet, wanted: Wanted,
  context: PlanContext): Plan<string> {
  const { input, allocations, count } = wanted
  const { secondaryPrivateIpAddresses: secondary } = input
  const record = newInterface(view, subnet, gateway, {
    primary: input.privateIpAddress ?? null, secondary,
    secondaryCount: count - 1 - secondary.length
  }, context)
  const changes: Change[] = []
  const addresses = record.privateIpAddresses.map((privateIp, at): NatGatewayAddress => {
    const allocation = allocations[at]
    if (allocation === undefined) return privateAddress(privateIp, at === 0)
    const { address, change } = associate(allocation, record.id, privateIp, at === 0, context)
    changes.push(change)
    return address
  })
  const complete: NatGateway = { ...gateway, networkInterfaceId: record.id, addresses }
  return {
    changes: [put('networkInterface', record), ...changes, put('natGateway', complete)],
    result: gateway.id
  }
}

function newInterface (view: AccountView, subnet: Subnet, gateway: NatGateway, wanted: {
  readonly primary: string | null
  readonly secondary: readonly string[]
  readonly secondaryCount: number
}, context: PlanContext): NetworkInterface {
  if (subnet.cidrBlock === null) {
    throw new AwsError('InsufficientFreeAddressesInSubnet', `${subnet.id} is IPv6-only`)
  }
  const pool = new AddressPool(view.snapshot, subnet)
  const record = newNetworkInterface(view, subnet, pool, {
    description: `Interface for NAT Gateway ${gateway.id}`, groupIds: [],
    primaryIpv4: wanted.primary,
    ipv4: { ...NO_ADDRESSES, addresses: wanted.secondary, addressCount: wanted.secondaryCount },
    ipv6: NO_ADDRESSES, connectionTracking: DEFAULT_CONNECTION_TRACKING, tags: {}
  }, context)
  return { ...record, interfaceType: NAT_GATEWAY_INTERFACE_TYPE,
    requesterId: NAT_GATEWAY_REQUESTER, sourceDestCheck: false }
}

/** An Elastic IP for one of the gateway's private addresses. */
export function associate (allocation: Address, networkInterfaceId: string, privateIp: string,
  isPrimary: boolean, context: PlanContext): { readonly address: NatGatewayAddress
  readonly change: Change } {
  const associationId = context.newId('eipassoc')
  return {
    address: { ...privateAddress(privateIp, isPrimary), allocationId: allocation.id,
      publicIp: allocation.publicIp, associationId },
    change: put('address', { ...allocation, associationId, networkInterfaceId,
      privateIpAddress: privateIp })
  }
}

export function privateAddress (privateIp: string, isPrimary: boolean): NatGatewayAddress {
  return { allocationId: null, publicIp: null, associationId: null, privateIp, isPrimary,
    status: 'succeeded', drainUntilMs: null, failureMessage: null }
}

function failed (gateway: NatGateway, failure: AwsError, allocations: readonly Address[],
  context: PlanContext): Plan<string> {
  const addresses = allocations.map(({ id, publicIp }, at): NatGatewayAddress => ({
    ...privateAddress('', at === 0), allocationId: id, publicIp, status: 'failed',
    failureMessage: failure.message
  }))
  return {
    changes: [put('natGateway', { ...gateway, state: 'failed', failureCode: failure.code,
      failureMessage: failure.message, addresses, deletedMs: context.nowMs })],
    result: gateway.id
  }
}

/** What makes a public gateway fail, in EC2's words. */
function failureOf (view: AccountView, { connectivityType, vpcId }: NatGateway,
  allocations: readonly Address[]): AwsError | null {
  if (connectivityType === 'private') return null
  if (internetGatewayOf(view.snapshot, vpcId) === undefined) {
    return new AwsError('Gateway.NotAttached', `Network ${vpcId} has no Internet gateway attached`)
  }
  const used = allocations.find(({ associationId }) => associationId !== null)
  return used === undefined ? null : alreadyAssociated(used)
}

export function alreadyAssociated ({ id }: Address): AwsError {
  return new AwsError('Resource.AlreadyAssociated',
    `Elastic IP address ${id} is already associated`)
}

function allocationsOf (input: CreateNatGatewayInput): string[] {
  const primary = input.allocationId === undefined ? [] : [input.allocationId]
  return [...primary, ...input.secondaryAllocationIds]
}

function addressCountOf (input: CreateNatGatewayInput): number {
  const { secondaryAllocationIds, secondaryPrivateIpAddresses } = input
  return 1 + Math.max(secondaryAllocationIds.length, secondaryPrivateIpAddresses.length,
    input.secondaryPrivateIpAddressCount ?? 0)
}

function checkParameters (input: CreateNatGatewayInput): 'public' | 'private' {
  const { connectivityType, secondaryAllocationIds, secondaryPrivateIpAddresses,
    secondaryPrivateIpAddressCount: count } = input
  if (connectivityType !== 'public' && connectivityType !== 'private') {
    throw new AwsError('InvalidParameterValue', `Value (${connectivityType}) for parameter ` +
      'connectivityType is invalid. Expecting public or private.')
  }
  const allocations = allocationsOf(input)
  if (connectivityType === 'private' && allocations.length > 0) {
    throw new AwsError('InvalidParameterCombination',
      'A private NAT gateway cannot have an Elastic IP address: AllocationId is given')
  }
  if (connectivityType === 'public' && input.allocationId === undefined) {
    throw new AwsError('MissingParameter', 'The request must include the AllocationId parameter. ' +
      'Add the required parameter and retry the request.')
  }
  if (new Set(allocations).size < allocations.length) {
    throw new AwsError('InvalidParameterValue', 'An AllocationId is given twice')
  }
  if (count !== undefined) {
    if (connectivityType === 'public' || secondaryPrivateIpAddresses.length > 0) {
      throw new AwsError('InvalidParameterCombination', 'SecondaryPrivateIpAddressCount is for ' +
        'private NAT gateways, and not together with SecondaryPrivateIpAddresses')
    }
    if (count < 1) throw new AwsError('InvalidParameterValue',
      `Value (${count}) for parameter secondaryPrivateIpAddressCount is invalid; expecting 1 to 7`)
  }
  if (connectivityType === 'public' && secondaryPrivateIpAddresses.length > 0 &&
    secondaryPrivateIpAddresses.length !== secondaryAllocationIds.length) {
    throw new AwsError('InvalidParameterCombination', 'SecondaryPrivateIpAddresses and ' +
      'SecondaryAllocationIds must be equally many')
  }
  return connectivityType
}

/**
 * DeleteNatGateway: the ENI goes, Elastic IPs stay the account's, routes become blackholes.
 * @throws AwsError NatGatewayMalformed, NatGatewayNotFound
 */
export function planDeleteNatGateway (view: AccountView,
  input: { readonly natGatewayId: string }, context: PlanContext): Plan<string> {
  const gateway = requireRecord(view, 'natGateway', input.natGatewayId)
  if (gateway.state === 'deleted') throw notFound('natGateway', gateway.id)
  const changes: Change[] = [put('natGateway',
    { ...gateway, state: 'deleted', deletedMs: context.nowMs })]
  if (gateway.networkInterfaceId !== null) {
    changes.push(...removalOf(view.snapshot, gateway.networkInterfaceId))
  }
  return { changes, result: gateway.id }
}
