/**
 * Elastic network interface: record, creation and deletion. AWS EC2 User Guide, "Elastic network
 * interfaces".
 *
 *     network_interface.ts              record, CreateNetworkInterface, DeleteNetworkInterface
 *     network_interface_address.ts      Assign… and Unassign… of addresses and prefixes
 *     network_interface_attachment.ts   Attach, Detach, limits of the instance type
 *     network_interface_attribute.ts    Modify, Reset
 *     network_interface_permission.ts   what another account may do with it
 *     address_pool.ts                   which addresses of a subnet are free
 *
 * An ENI keeps its primary address, MAC and groups for life and takes them along to its next
 * instance. A requester-managed ENI (`requesterId` set) belongs to a gateway or service and refuses
 * what its owner asks.
 */
import { disassociationsOf } from './address.ts'
import { AddressPool } from './address_pool.ts'
import { AwsError } from './aws_error.ts'
import type { AddressFamily } from './cidr.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { checkIdForm, requireRecord } from './resource_kind.ts'
import { DEFAULT_GROUP_NAME } from './security_group.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView, Change, Snapshot } from './snapshot.ts'
import type { Subnet } from './subnet.ts'

export interface NetworkInterface extends OwnedRecord {
  readonly vpcId: string
  readonly subnetId: string
  readonly zoneId: string
  readonly description: string
  /** `interface`, or the kind of gateway that made it (`nat_gateway`, `vpc_endpoint` …). */
  readonly interfaceType: string
  /** Account or service on whose behalf it was made; null for one that a user made. */
  readonly requesterId: string | null
  /** `02:…`, derived from the id, unique per VPC. */
  readonly macAddress: string
  /** Primary first. Empty for an IPv6-only subnet. */
  readonly privateIpAddresses: readonly string[]
  readonly ipv6Addresses: readonly string[]
  /** Delegated /28 blocks. */
  readonly ipv4Prefixes: readonly string[]
  /** Delegated /80 blocks. */
  readonly ipv6Prefixes: readonly string[]
  /** 1..16 security groups of the same VPC. */
  readonly groupIds: readonly string[]
  readonly sourceDestCheck: boolean
  /** Idle times in seconds, null for AWS's default. Enforced with connection tracking. */
  readonly tcpEstablishedTimeoutS: number | null
  readonly udpStreamTimeoutS: number | null
  readonly udpTimeoutS: number | null
  readonly attachment: NetworkInterfaceAttachment | null
  /** Auto-assigned public IPv4 address of the primary private one; see public_address.ts. */
  readonly autoPublicIp: string | null
  readonly createdMs: number
}

export interface NetworkInterfaceAttachment {
  /** `eni-attach-…` */
  readonly id: string
  readonly instanceId: string
  /** 0 is the primary interface: `eth0` inside the instance. */
  readonly deviceIndex: number
  readonly deleteOnTermination: boolean
  readonly attachedMs: number
}

/**
 * [lab] Highest device index; EC2 publishes none. Two digits: hosts name a device `eth<index>` and
 * give it a routing table of that number.
 */
export const DEVICE_INDEX_MAX = 99

/** What one family of a new ENI, or of an Assign… call, is to get. */
export interface AddressRequest {
  /** Asked for by value. */
  readonly addresses: readonly string[]
  /** Chosen automatically, besides `addresses`. */
  readonly addressCount: number
  readonly prefixes: readonly string[]
  readonly prefixCount: number
}

export const NO_ADDRESSES: AddressRequest =
  { addresses: [], addressCount: 0, prefixes: [], prefixCount: 0 }

/** Idle times as the API sets them, seconds; null leaves AWS's default. */
export interface ConnectionTracking {
  readonly tcpEstablishedTimeoutS: number | null
  readonly udpStreamTimeoutS: number | null
  readonly udpTimeoutS: number | null
}

export const DEFAULT_CONNECTION_TRACKING: ConnectionTracking =
  { tcpEstablishedTimeoutS: null, udpStreamTimeoutS: null, udpTimeoutS: null }

/** A new ENI, as CreateNetworkInterface and RunInstances ask for it. */
export interface NewNetworkInterface {
  readonly description: string
  /** null or empty: the default group of the VPC. */
  readonly groupIds: readonly string[] | null
  /** The primary address, or null to have one chosen. */
  readonly primaryIpv4: string | null
  /** Secondary addresses and prefixes. */
  readonly ipv4: AddressRequest
  /**
   * null: one address when the subnet assigns IPv6 on creation or has nothing else, otherwise none.
   */
  readonly ipv6: AddressRequest | null
  readonly connectionTracking: ConnectionTracking
  readonly tags: Tags
}

/**
 * CreateNetworkInterface.
 * @returns the id of the new ENI
 * @throws AwsError InvalidSubnetID.*, InvalidSecurityGroupID.NotFound, InvalidParameter,
 *   InvalidIPAddress.InUse, InvalidParameterValue, InsufficientFreeAddressesInSubnet,
 *   InsufficientCidrBlocks, NetworkInterfaceLimitExceeded
 */
export function planCreateNetworkInterface (view: AccountView,
  input: NewNetworkInterface & { readonly subnetId: string }, context: PlanContext): Plan<string> {
  const subnet = requireRecord(view, 'subnet', input.subnetId)
  checkQuota(view.snapshot, 'network-interfaces-per-region', view.list('networkInterface').length +
    1)
  const groupIds = groupsOfNewInterface(view, subnet, input.groupIds,
    'InvalidSecurityGroupID.NotFound')
  const pool = new AddressPool(view.snapshot, subnet)
  const record = newNetworkInterface(view, subnet, pool, { ...input, groupIds }, context)
  return { changes: [put('networkInterface', record)], result: record.id }
}

/**
 * The record of a new ENI; its addresses are taken from `pool`. For every plan that makes ENIs.
 * Precondition: `groupIds` are checked (groupsOfNewInterface).
 * @throws AwsError for addresses, as planCreateNetworkInterface
 */
export function newNetworkInterface (view: AccountView, subnet: Subnet, pool: AddressPool,
  input: NewNetworkInterface & { readonly groupIds: readonly string[] },
  context: PlanContext): NetworkInterface {
  checkDescription(input.description)
  checkConnectionTracking(input.connectionTracking)
  const { id, macAddress } = newIdentity(view, subnet.vpcId, context)
  return {
    id, region: view.region, ownerId: view.accountId, tags: input.tags,
    vpcId: subnet.vpcId, subnetId: subnet.id, zoneId: subnet.zoneId,
    description: input.description, interfaceType: 'interface', requesterId: null, macAddress,
    ...addressesOfNewInterface(subnet, pool, input),
    groupIds: input.groupIds, sourceDestCheck: true, ...input.connectionTracking,
    attachment: null, autoPublicIp: null, createdMs: context.nowMs
  }
}

type Addresses = Pick<NetworkInterface,
  'privateIpAddresses' | 'ipv6Addresses' | 'ipv4Prefixes' | 'ipv6Prefixes'>

/** Explicit addresses first, so that an automatic choice cannot take one of them. */
function addressesOfNewInterface (subnet: Subnet, pool: AddressPool,
  input: NewNetworkInterface): Addresses {
  const automaticIpv6 = pool.hasFamily(6) &&
    (subnet.assignIpv6AddressOnCreation || subnet.cidrBlock === null)
  const ipv6 = input.ipv6 ?? { ...NO_ADDRESSES, addressCount: automaticIpv6 ? 1 : 0 }
  const explicit = input.primaryIpv4 === null ? null : pool.takeAddressExactly(4, input.primaryIpv4)
  const secondary = takeExplicit(pool, 4, input.ipv4)
  const ipv6Explicit = takeExplicit(pool, 6, ipv6)
  const primary = explicit ?? (pool.hasFamily(4) ? pool.takeAddress(4) : null)
  const ipv4 = takeAutomatic(pool, 4, input.ipv4, secondary)
  const ipv6Taken = takeAutomatic(pool, 6, ipv6, ipv6Explicit)
  return {
    privateIpAddresses: primary === null ? ipv4.addresses : [primary, ...ipv4.addresses],
    ipv6Addresses: ipv6Taken.addresses,
    ipv4Prefixes: ipv4.prefixes,
    ipv6Prefixes: ipv6Taken.prefixes
  }
}

/** Addresses and prefixes that a plan took from a pool. */
export interface TakenAddresses {
  readonly addresses: readonly string[]
  readonly prefixes: readonly string[]
}

/** Everything an AddressRequest asks for. @throws AwsError as AddressPool */
export function takeAddresses (pool: AddressPool, family: AddressFamily,
  request: AddressRequest): TakenAddresses {
  return takeAutomatic(pool, family, request, takeExplicit(pool, family, request))
}

function takeExplicit (pool: AddressPool, family: AddressFamily,
  request: AddressRequest): TakenAddresses {
  return {
    prefixes: request.prefixes.map((text) => pool.takePrefixExactly(family, text)),
    addresses: request.addresses.map((text) => pool.takeAddressExactly(family, text))
  }
}

function takeAutomatic (pool: AddressPool, family: AddressFamily, request: AddressRequest,
  explicit: TakenAddresses): TakenAddresses {
  if (request.addressCount + request.prefixCount > 0 && !pool.hasFamily(family)) {
    throw new AwsError('InvalidParameterValue',
      `The subnet has no IPv${family} CIDR block to choose an address from`)
  }
  const prefixes = [...explicit.prefixes]
  for (let n = 0; n < request.prefixCount; n++) prefixes.push(pool.takePrefix(family))
  const addresses = [...explicit.addresses]
  for (let n = 0; n < request.addressCount; n++) addresses.push(pool.takeAddress(family))
  return { addresses, prefixes }
}

/** The MAC that goes with an ENI's id: locally administered, the id's last 40 bits. */
export function macAddressOf (networkInterfaceId: string): string {
  const digits = networkInterfaceId.slice(-10)
  return `02:${(digits.match(/../g) ?? []).join(':')}`
}

/**
 * Draws ids until the MAC is new in the VPC: with 5,000 ENIs the first one is, but for one VPC in
 * 10^5.
 */
function newIdentity (view: AccountView, vpcId: string, context: PlanContext): { id: string
  macAddress: string } {
  const used = new Set<string>()
  for (const other of view.snapshot.tables.networkInterface.by('vpcId',
    vpcId)) used.add(other.macAddress)
  for (let draws = 0; draws < IDENTITY_DRAWS_MAX; draws++) {
    const id = context.newId('eni')
    const macAddress = macAddressOf(id)
    if (!used.has(macAddress)) return { id, macAddress }
  }
  throw new Error(`Invariant broken: ${IDENTITY_DRAWS_MAX} fresh ENI ids all gave a MAC address ` +
    'in use')
}

const IDENTITY_DRAWS_MAX = 8

/**
 * The checked groups of an ENI to be made in `subnet`: those asked for, else the default group.
 * @param notFoundCode code for an unknown group: it differs between calls
 */
export function groupsOfNewInterface (view: AccountView, subnet: Subnet,
  asked: readonly string[] | null,
  notFoundCode: string): readonly string[] {
  if (asked !== null && asked.length > 0) return checkGroups(view, subnet.vpcId, asked,
    notFoundCode)
  const group = view.by('securityGroup', 'vpcId', subnet.vpcId).find(({ name }) =>
    name === DEFAULT_GROUP_NAME)
  if (group === undefined) throw new Error(`Invariant broken: VPC ${subnet.vpcId} has no ` +
    'default security group')
  return [group.id]
}

/**
 * Groups for an ENI of `vpcId`, each once.
 * @throws AwsError `notFoundCode`, InvalidGroupId.Malformed, InvalidParameter,
 *   SecurityGroupsPerInterfaceLimitExceeded
 */
export function checkGroups (view: AccountView, vpcId: string, asked: readonly string[],
  notFoundCode: string): readonly string[] {
  const groupIds = [...new Set(asked)]
  checkQuota(view.snapshot, 'security-groups-per-network-interface', groupIds.length)
  for (const id of groupIds) {
    checkIdForm('securityGroup', id)
    const group = view.get('securityGroup', id)
    if (group === undefined) throw new AwsError(notFoundCode,
      `The security group '${id}' does not exist`)
    if (group.vpcId !== vpcId) {
      throw new AwsError('InvalidParameter',
        `Security group ${id} (VPC ${group.vpcId}) and the network interface (VPC ${vpcId}) ` +
        'belong to different networks.')
    }
  }
  return groupIds
}

/**
 * DeleteNetworkInterface. Routes that point at the ENI stay and become blackholes.
 * @throws AwsError InvalidNetworkInterfaceID.*, InvalidNetworkInterface.InUse,
 *   OperationNotPermitted
 */
export function planDeleteNetworkInterface (view: AccountView,
  input: { readonly networkInterfaceId: string }): Plan<null> {
  const record = requireRecord(view, 'networkInterface', input.networkInterfaceId)
  refuseManaged(record)
  if (record.attachment !== null) {
    throw new AwsError('InvalidNetworkInterface.InUse',
      `Network interface '${record.id}' is currently in use: ` +
      `it is attached to instance '${record.attachment.instanceId}'; detach it first`)
  }
  return { changes: removalOf(view.snapshot, record.id), result: null }
}

/**
 * What deletes an ENI: its record, the permissions on it, its impairment, its Elastic IPs'
 * associations. For every plan that deletes ENIs.
 */
export function removalOf (snapshot: Snapshot, networkInterfaceId: string): Change[] {
  const permissions = snapshot.tables.networkInterfacePermission
    .by('networkInterfaceId', networkInterfaceId)
  return [remove('networkInterface', networkInterfaceId),
    ...permissions.map(({ id }) => remove('networkInterfacePermission', id)),
    ...(snapshot.tables.impairment.get(networkInterfaceId) === undefined
      ? [] : [remove('impairment', networkInterfaceId)]),
    ...disassociationsOf(snapshot, networkInterfaceId)]
}

/** @throws AwsError OperationNotPermitted for an ENI that a gateway or service manages */
export function refuseManaged (record: NetworkInterface): void {
  if (record.requesterId === null) return
  throw new AwsError('OperationNotPermitted',
    `You are not allowed to manage network interface '${record.id}': ` +
    `it is a ${record.interfaceType} interface managed by '${record.requesterId}'`)
}

/** Longest description, characters. */
const DESCRIPTION_LENGTH_MAX = 255

/** @throws AwsError InvalidParameterValue */
export function checkDescription (description: string): void {
  if (description.length <= DESCRIPTION_LENGTH_MAX) return
  throw new AwsError('InvalidParameterValue', `The description has ${description.length} ` +
    `characters; at most ${DESCRIPTION_LENGTH_MAX} are allowed`)
}

/** Allowed idle times, seconds. EC2 User Guide, "Connection tracking timeouts". */
const TIMEOUT_RANGES: Readonly<Record<keyof ConnectionTracking, readonly [number, number]>> = {
  tcpEstablishedTimeoutS: [60, 432_000],
  udpStreamTimeoutS: [60, 180],
  udpTimeoutS: [30, 60]
}

/** @throws AwsError InvalidParameterValue */
export function checkConnectionTracking (tracking: ConnectionTracking): void {
  for (const [name, [min, max]] of Object.entries(TIMEOUT_RANGES)) {
    const value = tracking[name as keyof ConnectionTracking]
    if (value !== null && (value < min || value > max)) {
      throw new AwsError('InvalidParameterValue',
        `Invalid value '${value}' for ${name.slice(0, -1)}; ` +
        `expecting ${min} to ${max} seconds`)
    }
  }
}
