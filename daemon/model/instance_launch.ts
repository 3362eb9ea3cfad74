/**
 * RunInstances: a reservation of instances with their ENIs, all or nothing. EC2 API Reference,
 * RunInstances.
 *
 *     image, type ─▶ subnet, zone ─▶ hosts (placement.ts) ─▶ ENIs (address_pool.ts) ─▶ records
 *
 * Between MinCount and MaxCount as many instances are launched as hosts and subnets have room for.
 * A launched instance is `pending` on its host; the agent brings it up (instance_agent.ts).
 */
import { assert } from '../base/assert.ts'
import { AddressPool } from './address_pool.ts'
import { AwsError } from './aws_error.ts'
import { findImage } from './image.ts'
import type { Instance } from './instance.ts'
import { newPrivateDnsOptions } from './instance_dns.ts'
import type { PrivateDnsNameInput } from './instance_dns.ts'
import { GUEST_IMAGE_ID } from './instance_guest.ts'
import type { Guest, NamespaceGuest } from './instance_guest.ts'
import { newMetadataOptions } from './instance_metadata.ts'
import type { MetadataOptionsInput } from './instance_metadata.ts'
import { findInstanceType } from './instance_type.ts'
import type { InstanceType } from './instance_type.ts'
import { groupsOfNewInterface, newNetworkInterface, refuseManaged } from './network_interface.ts'
import type { NetworkInterface, NewNetworkInterface } from './network_interface.ts'
import {
  checkAddressCount, checkDeviceIndex, checkInterfaceCount, checkSamePlace, interfaceInUse
} from './network_interface_attachment.ts'
import { placeInstances } from './placement.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import { PublicAddressPool } from './public_address_pool.ts'
import type { Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import { put } from './snapshot.ts'
import type { AccountView, Change } from './snapshot.ts'
import type { Subnet } from './subnet.ts'
import { zoneName } from './zone.ts'

/** An interface of the instances to launch: an ENI that exists, or a new one for each instance. */
export interface LaunchInterface extends NewNetworkInterface {
  readonly deviceIndex: number
  readonly networkInterfaceId: string | null
  /** null: the default VPC's subnet of the zone. */
  readonly subnetId: string | null
  /** null: as the subnet says. Of a launch with one new ENI alone. */
  readonly associatePublicIp: boolean | null
  /** null: true for a new ENI, false for one that exists. */
  readonly deleteOnTermination: boolean | null
}

export interface LaunchInput {
  readonly minCount: number
  readonly maxCount: number
  readonly imageId: string
  /** [lab] A namespace of somebody else instead of an image; `imageId` is empty then. */
  readonly guest?: NamespaceGuest
  readonly instanceType: string
  readonly keyName: string | null
  /** Zone id the caller asks for; null: the subnet's. */
  readonly zoneId: string | null
  /** [lab] The one host to use, or null. */
  readonly hostName: string | null
  /** At least the one with device index 0. */
  readonly interfaces: readonly LaunchInterface[]
  /** Base64. */
  readonly userData: string
  readonly clientToken: string
  readonly disableApiTermination: boolean
  readonly disableApiStop: boolean
  readonly instanceInitiatedShutdownBehavior: 'stop' | 'terminate'
  /** What is not given is as the subnet says. */
  readonly dnsNames: PrivateDnsNameInput
  /** What is not given is as the account's defaults say. */
  readonly metadata?: MetadataOptionsInput
  readonly tags: Tags
}

export interface LaunchResult {
  readonly reservationId: string
  readonly instanceIds: readonly string[]
}

/** Most bytes of user data before base64. */
export const USER_DATA_BYTES_MAX = 16_384

/** An interface whose references are looked up and checked. */
interface PreparedInterface {
  readonly spec: LaunchInterface
  readonly subnet: Subnet
  readonly existing: NetworkInterface | null
  readonly groupIds: readonly string[]
}

/**
 * @throws AwsError InvalidAMIID.*, InvalidParameterValue, InvalidParameterCombination,
 *   InvalidSubnetID.*, VPCIdNotSpecified, InvalidNetworkInterfaceID.*,
 *   InvalidNetworkInterface.InUse, InvalidGroup.NotFound, InvalidUserData.Malformed,
 *   InstanceLimitExceeded, InsufficientInstanceCapacity, InsufficientAddressCapacity,
 *   AttachmentLimitExceeded,
 *   PrivateIpAddressLimitExceeded, InsufficientFreeAddressesInSubnet, InvalidIPAddress.InUse
 */
export function planRunInstances (view: AccountView, input: LaunchInput,
  context: PlanContext): Plan<LaunchResult> {
  checkCounts(input)
  checkUserData(input.userData)
  const origin = originOf(view, input)
  const type = findInstanceType(input.instanceType)
  checkDeviceIndexes(input, type)
  checkPublicIp(input)
  const interfaces = input.interfaces.map((spec) => prepare(view, input, spec))
  const primary = interfaces.find(({ spec }) => spec.deviceIndex === 0)
  assert(primary !== undefined, 'checkDeviceIndexes lets no launch without device index 0 pass')
  checkZone(view, input.zoneId, primary.subnet)
  for (const { spec, subnet } of interfaces) {
    const { zoneId, vpcId } = subnet
    checkSamePlace({ id: spec.networkInterfaceId ?? subnet.id, zoneId, vpcId }, primary.subnet)
  }
  const alive = view.list('instance').filter(({ state }) => state !== 'terminated').length
  checkQuota(view.snapshot, 'instances-per-region', alive + input.maxCount)
  const hosts = placeInstances(view, {
    zoneId: primary.subnet.zoneId, minCount: input.minCount, maxCount: input.maxCount,
    hostName: input.hostName, instanceType: type.name, taken: []
  })

  const reservationId = context.newId('r')
  const publicPool = new PublicAddressPool(view.snapshot)
  const assignsPublicIp = wantsPublicIp(interfaces)
  const pools = new Map<string, AddressPool>()
  const changes: Change[] = []
  const instanceIds: string[] = []
  for (const hostName of hosts) {
    const instance = newInstance(view, input, primary.subnet, context,
      { ...origin, reservationId, launchIndex: instanceIds.length, hostName, assignsPublicIp })
    const attached = attachAll(view, instance, interfaces, pools, type, context,
      instanceIds.length >= input.minCount)
    if (attached === null) break // the subnet is full, and MinCount instances are launched
    changes.push(put('instance', instance), ...attached.map((record) =>
      put('networkInterface', assignsPublicIp ? { ...record, autoPublicIp: publicPool.take() }
        : record)))
    instanceIds.push(instance.id)
  }
  const created = interfaces.filter(({ existing }) => existing === null).length * instanceIds.length
  const interfaceCount = view.list('networkInterface').length + created
  checkQuota(view.snapshot, 'network-interfaces-per-region', interfaceCount)
  changes.push(...publicPool.changes())
  return { changes, result: { reservationId, instanceIds } }
}

function checkCounts ({ minCount, maxCount, interfaces }: LaunchInput): void {
  if (minCount < 1) {
    throw new AwsError('InvalidParameterValue',
      `Value (${minCount}) for parameter minCount is invalid; expecting 1 or more`)
  }
  if (maxCount < minCount) {
    throw new AwsError('InvalidParameterValue',
      `Value (${maxCount}) for parameter maxCount is invalid: it must not be less than minCount ` +
      `(${minCount})`)
  }
  if (maxCount === 1) return
  for (const { networkInterfaceId, primaryIpv4, ipv4, ipv6 } of interfaces) {
    const explicit = primaryIpv4 ?? networkInterfaceId ?? ipv4.addresses[0] ?? ipv4.prefixes[0] ??
      ipv6?.addresses[0] ?? ipv6?.prefixes[0]
    if (explicit !== undefined) {
      throw new AwsError('InvalidParameterCombination',
        `'${explicit}' can be given to one instance only, but maxCount is ${maxCount}`)
    }
  }
}

/** @throws AwsError InvalidUserData.Malformed, InvalidParameterValue */
export function checkUserData (userData: string): void {
  const bytes = Buffer.from(userData, 'base64')
  const given = userData.replace(/\s/g, '').replace(/=+$/, '')
  if (bytes.toString('base64').replace(/=+$/, '') !== given) {
    throw new AwsError('InvalidUserData.Malformed', 'Invalid BASE64 encoding of user data.')
  }
  if (bytes.length > USER_DATA_BYTES_MAX) {
    throw new AwsError('InvalidParameterValue',
      `User data is limited to ${USER_DATA_BYTES_MAX} bytes; ${bytes.length} are given`)
  }
}

function checkDeviceIndexes ({ interfaces }: LaunchInput, type: InstanceType): void {
  checkInterfaceCount(type, interfaces.length)
  const seen = new Set<number>()
  const existing = interfaces.map(({ networkInterfaceId }) => networkInterfaceId)
  const twice = existing.find((id, at) => id !== null && existing.indexOf(id) !== at) ?? null
  if (twice !== null) {
    throw new AwsError('InvalidParameterCombination', `Network interface '${twice}' is given twice`)
  }
  for (const { deviceIndex } of interfaces) {
    checkDeviceIndex(deviceIndex)
    if (seen.has(deviceIndex)) {
      throw new AwsError('InvalidParameterValue',
        'Each network interface requires a device index of its own: ' +
        `'${deviceIndex}' is given twice`)
    }
    seen.add(deviceIndex)
  }
  if (!seen.has(0)) {
    throw new AwsError('InvalidParameterCombination',
      'When specifying network interfaces, you must include a device at index 0.')
  }
}

/** EC2 gives a public address to the only, new ENI of an instance. */
function checkPublicIp ({ interfaces }: LaunchInput): void {
  for (const { associatePublicIp, deviceIndex, networkInterfaceId } of interfaces) {
    if (associatePublicIp !== true) continue
    if (interfaces.length > 1) {
      throw new AwsError('InvalidParameterCombination', 'The associatePublicIPAddress parameter ' +
        'cannot be specified when launching with multiple network interfaces.')
    }
    if (deviceIndex === 0 && networkInterfaceId === null) continue
    throw new AwsError('InvalidParameterCombination', 'The associatePublicIPAddress parameter ' +
      'can only be specified for a new network interface with the device index 0.')
  }
}

/** @throws AwsError InvalidParameterValue for an IPv6-only subnet */
function wantsPublicIp (interfaces: readonly PreparedInterface[]): boolean {
  const [only, ...more] = interfaces
  if (only === undefined || more.length > 0 || only.existing !== null) return false
  const { spec, subnet } = only
  if (subnet.cidrBlock === null) {
    if (spec.associatePublicIp !== true) return false
    throw new AwsError('InvalidParameterValue',
      `Subnet ${subnet.id} is IPv6-only: its instances have no public IPv4 address`)
  }
  return spec.associatePublicIp ?? subnet.mapPublicIpOnLaunch
}

function checkZone (view: AccountView, zoneId: string | null, subnet: Subnet): void {
  if (zoneId === null || subnet.zoneId === zoneId) return
  throw new AwsError('InvalidParameterValue',
    `Value (${zoneName(view, zoneId)}) for parameter availabilityZone is invalid. Subnet ` +
    `'${subnet.id}' is in the availability zone ${zoneName(view, subnet.zoneId)}`)
}

/** Looks up what an interface refers to. */
function prepare (view: AccountView, input: LaunchInput, spec: LaunchInterface): PreparedInterface {
  if (spec.networkInterfaceId !== null) return prepareExisting(view, spec, spec.networkInterfaceId)
  const subnet = spec.subnetId === null
    ? defaultSubnet(view, input.zoneId)
    : requireRecord(view, 'subnet', spec.subnetId)
  const groupIds = groupsOfNewInterface(view, subnet, spec.groupIds, 'InvalidGroup.NotFound')
  return { spec, subnet, existing: null, groupIds }
}

function prepareExisting (view: AccountView, spec: LaunchInterface, id: string): PreparedInterface {
  const existing = requireRecord(view, 'networkInterface', id)
  refuseManaged(existing)
  if (existing.attachment !== null) throw interfaceInUse(existing)
  const news = spec.primaryIpv4 ?? spec.subnetId ?? spec.groupIds?.[0] ?? spec.ipv6?.addresses[0]
  if (news !== undefined || spec.deleteOnTermination === true) {
    throw new AwsError('InvalidParameterCombination',
      `A network interface may not specify a network interface ID ('${id}') together with ` +
      (news ?? 'delete on termination as true'))
  }
  const subnet = requireRecord(view, 'subnet', existing.subnetId)
  return { spec, subnet, existing, groupIds: existing.groupIds }
}

/** The default VPC's subnet in the zone, or in the first zone that has one. */
function defaultSubnet (view: AccountView, zoneId: string | null): Subnet {
  const vpc = view.list('vpc').find(({ isDefault }) => isDefault)
  if (vpc === undefined) {
    throw new AwsError('VPCIdNotSpecified',
      `No default VPC for this user in ${view.region}; name a subnet with SubnetId.`)
  }
  const subnet = view.by('subnet', 'vpcId', vpc.id)
    .find((candidate) => candidate.isDefault && (zoneId === null || candidate.zoneId === zoneId))
  if (subnet === undefined) {
    throw new AwsError('MissingInput',
      `No default subnet in ${zoneId === null ? `VPC ${vpc.id}` : zoneName(view, zoneId)}; ` +
      'name a subnet with SubnetId.')
  }
  return subnet
}

/** What the instances are made from. @throws AwsError InvalidAMIID.* */
function originOf (view: AccountView,
  { imageId, guest }: LaunchInput): { readonly imageId: string, readonly guest?: Guest } {
  if (guest !== undefined) return { imageId: GUEST_IMAGE_ID, guest }
  const image = findImage(view, imageId)
  const { id, directory, kind = 'image' } = image
  return directory === null ? { imageId: id } : { imageId: id, guest: { kind, directory } }
}

type InstancePlace = Pick<Instance,
  'imageId' | 'guest' | 'reservationId' | 'launchIndex' | 'hostName' | 'assignsPublicIp'>

function newInstance (view: AccountView, input: LaunchInput, subnet: Subnet, context: PlanContext,
  place: InstancePlace): Instance {
  return {
    id: context.newId('i'), region: view.region, ownerId: view.accountId, tags: input.tags,
    ...place,
    clientToken: input.clientToken, instanceType: input.instanceType, keyName: input.keyName,
    vpcId: subnet.vpcId, subnetId: subnet.id, zoneId: subnet.zoneId,
    state: 'pending', goal: 'running', userData: input.userData, bootCount: 0, rebootCount: 0,
    disableApiTermination: input.disableApiTermination, disableApiStop: input.disableApiStop,
    instanceInitiatedShutdownBehavior: input.instanceInitiatedShutdownBehavior,
    ...newPrivateDnsOptions(subnet, input.dnsNames),
    metadataOptions: newMetadataOptions(view, input.metadata),
    launchedMs: context.nowMs, stateChangedMs: context.nowMs, stateReason: ''
  }
}

/**
 * The attached ENIs of one instance.
 * @param mayStop whether a full subnet ends the launch instead of refusing it
 * @returns null when it ends the launch
 */
function attachAll (view: AccountView, instance: Instance, interfaces: readonly PreparedInterface[],
  pools: Map<string, AddressPool>, type: InstanceType, context: PlanContext,
  mayStop: boolean): NetworkInterface[] | null {
  try {
    return interfaces.map((prepared) => {
      const record = prepared.existing ?? createFor(view, prepared, pools, context)
      checkAddressCount(type, record)
      const attachment = {
        id: context.newId('eni-attach'), instanceId: instance.id,
        deviceIndex: prepared.spec.deviceIndex,
        deleteOnTermination: prepared.spec.deleteOnTermination ?? prepared.existing === null,
        attachedMs: context.nowMs
      }
      return { ...record, attachment }
    })
  } catch (error) {
    const isFull = error instanceof AwsError && error.code === 'InsufficientFreeAddressesInSubnet'
    if (mayStop && isFull) return null
    throw error
  }
}

function createFor (view: AccountView, { spec, subnet, groupIds }: PreparedInterface,
  pools: Map<string, AddressPool>, context: PlanContext): NetworkInterface {
  const pool = pools.get(subnet.id) ?? new AddressPool(view.snapshot, subnet)
  pools.set(subnet.id, pool)
  return newNetworkInterface(view, subnet, pool, { ...spec, groupIds }, context)
}
