/**
 * Secondary addresses of a NAT gateway, each of which multiplies the flows that it can have to one
 * destination; and what time does to gateways. AWS VPC User Guide, "Work with NAT gateways"; EC2
 * API Reference, AssociateNatGatewayAddress and its three relatives.
 *
 *     succeeded ──▶ disassociating (public), unassigning (private) ──▶ gone
 *
 * An address that leaves takes no new flow from then on; it is gone when its drain time is over.
 */
import { disassociated } from './address.ts'
import { AddressPool } from './address_pool.ts'
import { AwsError } from './aws_error.ts'
import {
  alreadyAssociated, associate, NAT_GATEWAY_LINGER_MS, privateAddress
} from './nat_gateway.ts'
import type { NatGateway, NatGatewayAddress } from './nat_gateway.ts'
import { NO_ADDRESSES, takeAddresses } from './network_interface.ts'
import type { NetworkInterface } from './network_interface.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import { requireRecord } from './resource_kind.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView, Change, Snapshot } from './snapshot.ts'

/** Drain time of an address, seconds. EC2 API Reference, DisassociateNatGatewayAddress. */
const DRAIN_S = { min: 1, max: 4000, default: 350 } as const

/** What a call changed: the gateway, and the addresses concerned. */
export interface NatGatewayAddressResult {
  readonly natGatewayId: string
  readonly privateIps: readonly string[]
}

/**
 * AssociateNatGatewayAddress: more Elastic IPs for a public gateway.
 * @throws AwsError NatGateway*, IncorrectState, InvalidParameterCombination, InvalidAllocationID.*,
 *   Resource.AlreadyAssociated, AddressLimitExceeded, InsufficientFreeAddressesInSubnet,
 *   InvalidParameterValue, InvalidIPAddress.InUse
 */
export function planAssociateNatGatewayAddress (view: AccountView, input: {
  readonly natGatewayId: string
  readonly allocationIds: readonly string[]
  readonly privateIpAddresses: readonly string[]
}, context: PlanContext): Plan<NatGatewayAddressResult> {
  const { gateway, record } = requireAvailable(view, input.natGatewayId, 'public')
  const allocations = [...new Set(input.allocationIds)]
    .map((id) => requireRecord(view, 'address', id))
  if (input.privateIpAddresses.length > 0 &&
    input.privateIpAddresses.length !== allocations.length) {
    throw new AwsError('InvalidParameterCombination',
      'PrivateIpAddresses and AllocationIds must be equally many')
  }
  const used = allocations.find(({ associationId }) => associationId !== null)
  if (used !== undefined) throw alreadyAssociated(used)
  checkQuota(view.snapshot, 'elastic-ips-per-nat-gateway',
    gateway.addresses.length + allocations.length)
  const more = takeMore(view, record, input.privateIpAddresses, allocations.length)
  const changes: Change[] = []
  const added = allocations.map((allocation, at) => {
    const { address, change } = associate(allocation, record.id, more[at] ?? '', false, context)
    changes.push(change)
    return address
  })
  return extended(gateway, record, added, changes)
}

/**
 * AssignPrivateNatGatewayAddress: more addresses for a private gateway.
 * @throws AwsError NatGateway*, IncorrectState, InvalidParameterCombination,
 *   PrivateIpAddressLimitExceeded, InsufficientFreeAddressesInSubnet, InvalidParameterValue,
 *   InvalidIPAddress.InUse
 */
export function planAssignPrivateNatGatewayAddress (view: AccountView, input: {
  readonly natGatewayId: string
  readonly privateIpAddresses: readonly string[]
  readonly count: number | undefined
}): Plan<NatGatewayAddressResult> {
  const { gateway, record } = requireAvailable(view, input.natGatewayId, 'private')
  if (input.count !== undefined && input.privateIpAddresses.length > 0) {
    throw new AwsError('InvalidParameterCombination',
      'PrivateIpAddresses and PrivateIpAddressCount cannot be used together')
  }
  const count = input.count ?? Math.max(1, input.privateIpAddresses.length)
  if (count < 1) {
    throw new AwsError('InvalidParameterValue',
      `Value (${count}) for parameter privateIpAddressCount is invalid; expecting 1 or more`)
  }
  checkQuota(view.snapshot, 'private-ips-per-nat-gateway', gateway.addresses.length + count)
  const added = takeMore(view, record, input.privateIpAddresses, count)
    .map((privateIp) => privateAddress(privateIp, false))
  return extended(gateway, record, added, [])
}

function takeMore (view: AccountView, record: NetworkInterface, asked: readonly string[],
  count: number): readonly string[] {
  const subnet = requireRecord(view, 'subnet', record.subnetId)
  return takeAddresses(new AddressPool(view.snapshot, subnet), 4,
    { ...NO_ADDRESSES, addresses: asked, addressCount: count - asked.length }).addresses
}

function extended (gateway: NatGateway, record: NetworkInterface,
  added: readonly NatGatewayAddress[],
  changes: readonly Change[]): Plan<NatGatewayAddressResult> {
  const privateIps = added.map(({ privateIp }) => privateIp)
  return {
    changes: [
      ...changes,
      put('networkInterface',
        { ...record, privateIpAddresses: [...record.privateIpAddresses, ...privateIps] }),
      put('natGateway', { ...gateway, addresses: [...gateway.addresses, ...added] })
    ],
    result: { natGatewayId: gateway.id, privateIps }
  }
}

export interface LeaveInput {
  readonly natGatewayId: string
  /** Association ids of Elastic IPs, or private addresses. */
  readonly names: readonly string[]
  readonly maxDrainDurationS: number | undefined
}

/**
 * DisassociateNatGatewayAddress, by association.
 * @throws AwsError NatGateway*, IncorrectState, InvalidAssociationID.NotFound,
 *   InvalidParameterValue (primary address, drain time)
 */
export function planDisassociateNatGatewayAddress (view: AccountView, input: LeaveInput,
  context: PlanContext): Plan<NatGatewayAddressResult> {
  const { gateway } = requireAvailable(view, input.natGatewayId, 'public')
  const leaving = input.names.map((name) => {
    const address = gateway.addresses.find(({ associationId }) => associationId === name)
    if (address !== undefined) return address
    throw new AwsError('InvalidAssociationID.NotFound', `The association ID '${name}' does not ` +
      `exist at ${gateway.id}`)
  })
  return draining(gateway, leaving, 'disassociating', input, context)
}

/**
 * UnassignPrivateNatGatewayAddress, by private address.
 * @throws AwsError NatGateway*, IncorrectState, InvalidParameterValue (not assigned, primary
 *   address, drain time)
 */
export function planUnassignPrivateNatGatewayAddress (view: AccountView, input: LeaveInput,
  context: PlanContext): Plan<NatGatewayAddressResult> {
  const { gateway } = requireAvailable(view, input.natGatewayId, 'private')
  const leaving = input.names.map((name) => {
    const address = gateway.addresses.find(({ privateIp }) => privateIp === name)
    if (address !== undefined) return address
    throw new AwsError('InvalidParameterValue',
      `Address ${name} is not assigned to NAT gateway ${gateway.id}`)
  })
  return draining(gateway, leaving, 'unassigning', input, context)
}

function draining (gateway: NatGateway, leaving: readonly NatGatewayAddress[],
  status: NatGatewayAddress['status'], { maxDrainDurationS }: LeaveInput,
  context: PlanContext): Plan<NatGatewayAddressResult> {
  if (leaving.length === 0) {
    throw new AwsError('MissingParameter', 'The request must contain the addresses to remove')
  }
  const drainS = maxDrainDurationS ?? DRAIN_S.default
  if (drainS < DRAIN_S.min || drainS > DRAIN_S.max) {
    throw new AwsError('InvalidParameterValue', `Value (${drainS}) for parameter ` +
      `maxDrainDurationSeconds is invalid; expecting ${DRAIN_S.min} to ${DRAIN_S.max}`)
  }
  if (leaving.some(({ isPrimary }) => isPrimary)) {
    throw new AwsError('InvalidParameterValue',
      `The primary address of ${gateway.id} stays with it; delete the NAT gateway instead`)
  }
  const drainUntilMs = context.nowMs + drainS * 1000
  const addresses = gateway.addresses.map((address) =>
    leaving.includes(address) && address.drainUntilMs === null
      ? { ...address, status, drainUntilMs }
      : address)
  return {
    changes: [put('natGateway', { ...gateway, addresses })],
    result: { natGatewayId: gateway.id, privateIps: leaving.map(({ privateIp }) => privateIp) }
  }
}

function requireAvailable (view: AccountView, natGatewayId: string,
  connectivityType: NatGateway['connectivityType']): { readonly gateway: NatGateway
  readonly record: NetworkInterface } {
  const gateway = requireRecord(view, 'natGateway', natGatewayId)
  const record = view.get('networkInterface', gateway.networkInterfaceId ?? '')
  if (gateway.state !== 'available' || record === undefined) {
    throw new AwsError('IncorrectState',
      `NAT gateway ${gateway.id} is ${gateway.state}; it must be available`)
  }
  if (gateway.connectivityType !== connectivityType) {
    throw new AwsError('InvalidParameterCombination', `NAT gateway ${gateway.id} is ` +
      `${gateway.connectivityType}; this is for ${connectivityType} ones`)
  }
  return { gateway, record }
}

/**
 * What time has come for: addresses whose drain time is over go, and gateways that have failed or
 * been deleted NAT_GATEWAY_LINGER_MS ago or longer are described no more. For the daemon's clock.
 * @returns how many gateways it changes
 */
export function planNatGatewayTimers (snapshot: Snapshot,
  { nowMs }: Pick<PlanContext, 'nowMs'>): Plan<number> {
  const changes: Change[] = []
  let count = 0
  for (const gateway of snapshot.tables.natGateway.values()) {
    const more = gateway.deletedMs === null
      ? drained(snapshot, gateway, nowMs)
      : nowMs - gateway.deletedMs >= NAT_GATEWAY_LINGER_MS ? [remove('natGateway', gateway.id)] : []
    if (more.length > 0) count++
    changes.push(...more)
  }
  return { changes, result: count }
}

function drained (snapshot: Snapshot, gateway: NatGateway, nowMs: number): Change[] {
  const isGone = ({ drainUntilMs }: NatGatewayAddress): boolean =>
    drainUntilMs !== null && drainUntilMs <= nowMs
  const gone = gateway.addresses.filter(isGone)
  const record = snapshot.tables.networkInterface.get(gateway.networkInterfaceId ?? '')
  if (gone.length === 0 || record === undefined) return []
  const privateIps = new Set(gone.map(({ privateIp }) => privateIp))
  const allocations = snapshot.tables.address.by('networkInterfaceId', record.id)
    .filter(({ privateIpAddress }) => privateIps.has(privateIpAddress ?? ''))
  return [
    ...allocations.map((address) => put('address', disassociated(address))),
    put('networkInterface', { ...record,
      privateIpAddresses: record.privateIpAddresses.filter((ip) => !privateIps.has(ip)) }),
    put('natGateway', { ...gateway,
      addresses: gateway.addresses.filter((address) => !isGone(address)) })
  ]
}
