/**
 * Subnet: record and rules. AWS VPC User Guide, "Subnets for your VPC"; "Subnet CIDR reservations".
 *
 * A subnet is a slice of one block of its VPC in exactly one zone; neither ever changes. What is
 * not stored: its route table and ACL (an association of theirs, or the main table and the default
 * ACL), how many addresses are free (model/address_pool.ts), and whether it is "public" (a matter
 * of routes).
 */
import { AwsError } from './aws_error.ts'
import type { Cidr } from './cidr.ts'
import { cidrContains, cidrsOverlap, formatCidr, knownCidr, parseCidr } from './cidr.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import type { AccountView, Change } from './snapshot.ts'
import { put, remove } from './snapshot.ts'
import type { Vpc, VpcCidrAssociation } from './vpc.ts'
import { listZones, zoneFromInput } from './zone.ts'

export interface Subnet extends OwnedRecord {
  readonly vpcId: string
  /** Zone id (`use1-az1`), stable across accounts; the name differs per account. */
  readonly zoneId: string
  /** Canonical IPv4 CIDR; null for an IPv6-only subnet. */
  readonly cidrBlock: string | null
  /** IPv6 /64 blocks, association ids `subnet-cidr-assoc-…`. */
  readonly ipv6CidrBlocks: readonly VpcCidrAssociation[]
  readonly isDefault: boolean
  readonly mapPublicIpOnLaunch: boolean
  readonly assignIpv6AddressOnCreation: boolean
  readonly enableDns64: boolean
  readonly hostnameType: 'ip-name' | 'resource-name'
  readonly enableResourceNameDnsARecord: boolean
  readonly enableResourceNameDnsAaaaRecord: boolean
  /** Ranges that automatic assignment skips. */
  readonly cidrReservations: readonly SubnetCidrReservation[]
}

export interface SubnetCidrReservation {
  /** `scr-…` */
  readonly id: string
  readonly cidr: string
  readonly reservationType: 'prefix' | 'explicit'
  readonly description: string
  readonly tags: Readonly<Record<string, string>>
}

export const SUBNET_PREFIX_LENGTH_MIN = 16
export const SUBNET_PREFIX_LENGTH_MAX = 28
export const SUBNET_IPV6_PREFIX_LENGTH = 64

const ASSOCIATION_PREFIX = 'subnet-cidr-assoc'

export interface CreateSubnetInput {
  readonly vpcId: string
  readonly cidrBlock: string | undefined
  readonly ipv6CidrBlock: string | undefined
  /** IPv6 alone: no IPv4 block. */
  readonly ipv6Native: boolean
  readonly availabilityZone: string | undefined
  readonly availabilityZoneId: string | undefined
  readonly tags: Tags
}

/** Without a zone the one with the fewest subnets of the VPC is taken. */
export function planCreateSubnet (view: AccountView, input: CreateSubnetInput,
  context: PlanContext): Plan<{ subnetId: string }> {
  const vpc = requireRecord(view, 'vpc', input.vpcId)
  const siblings = view.by('subnet', 'vpcId', vpc.id)
  const cidrBlock = ipv4Block(vpc, siblings, input)
  const ipv6CidrBlocks: VpcCidrAssociation[] = []
  if (input.ipv6CidrBlock !== undefined) {
    const block = checkIpv6Block(vpc, siblings, input.ipv6CidrBlock)
    ipv6CidrBlocks.push({ associationId: context.newId(ASSOCIATION_PREFIX), cidrBlock: block })
  }
  const zone = zoneFromInput(view, input.availabilityZone, input.availabilityZoneId)
  checkQuota(view.snapshot, 'subnets-per-vpc', siblings.length + 1)
  const subnet: Subnet = {
    id: context.newId('subnet'), region: view.region, ownerId: view.accountId, tags: input.tags,
    vpcId: vpc.id, zoneId: zone?.id ?? emptiestZone(view, siblings),
    cidrBlock, ipv6CidrBlocks, isDefault: false,
    mapPublicIpOnLaunch: false, assignIpv6AddressOnCreation: input.ipv6Native, enableDns64: false,
    hostnameType: input.ipv6Native ? 'resource-name' : 'ip-name',
    enableResourceNameDnsARecord: false, enableResourceNameDnsAaaaRecord: false,
    cidrReservations: []
  }
  return { changes: [put('subnet', subnet)], result: { subnetId: subnet.id } }
}

function emptiestZone (view: AccountView, siblings: readonly Subnet[]): string {
  const zones = listZones(view).map(
    ({ id }) => ({ id, subnets: siblings.filter(({ zoneId }) => zoneId === id).length }))
  return zones.reduce((best, zone) => zone.subnets < best.subnets ? zone : best).id
}

/** The canonical IPv4 block, or null for an IPv6-only subnet. */
function ipv4Block (vpc: Vpc, siblings: readonly Subnet[],
  input: CreateSubnetInput): string | null {
  if (input.ipv6Native) {
    if (input.cidrBlock !== undefined) {
      throw new AwsError('InvalidParameterCombination',
        'The parameters cidrBlock and ipv6Native cannot be used together')
    }
    if (input.ipv6CidrBlock === undefined) {
      throw new AwsError('MissingParameter',
        'The request must contain the parameter ipv6CidrBlock when ipv6Native is true')
    }
    return null
  }
  const text = input.cidrBlock
  if (text === undefined) {
    throw new AwsError('MissingParameter', 'The request must contain the parameter cidrBlock')
  }
  const cidr = parseCidr(text)
  if (cidr?.family !== 4) {
    throw new AwsError('InvalidParameterValue',
      `Value (${text}) for parameter cidrBlock is invalid. This is not a valid CIDR block.`)
  }
  if (cidr.prefixLength < SUBNET_PREFIX_LENGTH_MIN ||
    cidr.prefixLength > SUBNET_PREFIX_LENGTH_MAX) {
    throw new AwsError('InvalidSubnet.Range',
      `The CIDR '${text}' is invalid: a subnet has a size from ` +
      `/${String(SUBNET_PREFIX_LENGTH_MIN)} to /${String(SUBNET_PREFIX_LENGTH_MAX)}`)
  }
  checkInside(vpc, vpc.cidrBlocks, cidr)
  checkFree(siblings, cidr)
  return formatCidr(cidr)
}

/**
 * The canonical /64.
 * @throws AwsError InvalidParameterValue, InvalidSubnet.Range, InvalidSubnet.Conflict
 */
function checkIpv6Block (vpc: Vpc, siblings: readonly Subnet[], text: string): string {
  const cidr = parseCidr(text)
  if (cidr?.family !== 6 || cidr.prefixLength !== SUBNET_IPV6_PREFIX_LENGTH) {
    throw new AwsError('InvalidParameterValue',
      `Value (${text}) for parameter ipv6CidrBlock is invalid. ` +
      `Expecting an IPv6 CIDR block of size /${String(SUBNET_IPV6_PREFIX_LENGTH)}.`)
  }
  checkInside(vpc, vpc.ipv6CidrBlocks, cidr)
  checkFree(siblings, cidr)
  return formatCidr(cidr)
}

function checkInside (vpc: Vpc, blocks: readonly VpcCidrAssociation[], cidr: Cidr): void {
  if (blocks.some(({ cidrBlock }) => cidrContains(knownCidr(cidrBlock), cidr))) return
  const list = blocks.map(({ cidrBlock }) => cidrBlock).join(', ')
  throw new AwsError('InvalidSubnet.Range',
    `The CIDR '${formatCidr(cidr)}' is invalid: it lies in no block of ${vpc.id} ` +
    `(${list === '' ? 'none of this family' : list})`)
}

function checkFree (siblings: readonly Subnet[], cidr: Cidr): void {
  for (const sibling of siblings) {
    const blocks = [sibling.cidrBlock, ...sibling.ipv6CidrBlocks.map(({ cidrBlock }) => cidrBlock)]
    if (blocks.some((block) => block !== null && cidrsOverlap(knownCidr(block), cidr))) {
      throw new AwsError('InvalidSubnet.Conflict',
        `The CIDR '${formatCidr(cidr)}' conflicts with another subnet: ${sibling.id}`)
    }
  }
}

/** Deletes a subnet without ENIs, and its associations with a route table and a network ACL. */
export function planDeleteSubnet (view: AccountView, subnetId: string): Plan<null> {
  const subnet = requireRecord(view, 'subnet', subnetId)
  const interfaces = view.by('networkInterface', 'subnetId', subnetId)
  if (interfaces[0] !== undefined) {
    throw new AwsError('DependencyViolation',
      `The subnet '${subnetId}' has dependencies and cannot be deleted: ${interfaces[0].id}` +
      (interfaces.length > 1 ? ` and ${String(interfaces.length - 1)} more` : ''))
  }
  const changes: Change[] = [remove('subnet', subnet.id)]
  for (const table of view.by('routeTable', 'vpcId', subnet.vpcId)) {
    const associations = table.associations.filter(
      (association) => association.subnetId !== subnetId)
    if (associations.length < table.associations.length) {
      changes.push(put('routeTable', { ...table, associations }))
    }
  }
  for (const acl of view.by('networkAcl', 'vpcId', subnet.vpcId)) {
    const associations = acl.associations.filter((association) => association.subnetId !== subnetId)
    if (associations.length < acl.associations.length) {
      changes.push(put('networkAcl', { ...acl, associations }))
    }
  }
  return { changes, result: null }
}

/** The attributes that ModifySubnetAttribute changes, one at a time. */
export interface SubnetAttributes {
  readonly mapPublicIpOnLaunch?: boolean | undefined
  readonly assignIpv6AddressOnCreation?: boolean | undefined
  readonly enableDns64?: boolean | undefined
  readonly hostnameType?: string | undefined
  readonly enableResourceNameDnsARecord?: boolean | undefined
  readonly enableResourceNameDnsAaaaRecord?: boolean | undefined
}

/** Attributes that only a subnet with an IPv6 block can have; they go when the block goes. */
const IPV6_ATTRIBUTES =
  ['assignIpv6AddressOnCreation', 'enableDns64', 'enableResourceNameDnsAaaaRecord'] as const

export function planModifySubnetAttribute (view: AccountView, subnetId: string,
  attributes: SubnetAttributes): Plan<null> {
  const subnet = requireRecord(view, 'subnet', subnetId)
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined)
  if (given.length !== 1) {
    throw new AwsError('InvalidParameterCombination', given.length === 0
      ? 'No attributes specified.'
      : `Fields for multiple attribute types specified: ${given.map(([name]) => name).join(', ')}`)
  }
  const { hostnameType } = attributes
  if (hostnameType !== undefined && hostnameType !== 'ip-name' &&
    hostnameType !== 'resource-name') {
    throw new AwsError('InvalidParameterValue',
      `Value (${hostnameType}) for parameter privateDnsHostnameTypeOnLaunch is invalid. ` +
      'Expecting ip-name or resource-name.')
  }
  const needsIpv6 = IPV6_ATTRIBUTES.find((name) => attributes[name] === true)
  if (needsIpv6 !== undefined && subnet.ipv6CidrBlocks.length === 0) {
    throw new AwsError('InvalidParameterValue', `Invalid value 'true' for ${needsIpv6}. Cannot ` +
      `set it to true unless the subnet (${subnetId}) has an IPv6 CIDR block associated with it.`)
  }
  if (subnet.cidrBlock === null) {
    const needsIpv4 = attributes.mapPublicIpOnLaunch === true ||
      attributes.enableResourceNameDnsARecord === true || hostnameType === 'ip-name'
    if (needsIpv4) {
      throw new AwsError('InvalidParameterValue',
        `Subnet ${subnetId} is IPv6-only: it has no IPv4 address to use for ${given[0]?.[0] ?? ''}`)
    }
  }
  return {
    changes: [put('subnet', { ...subnet, ...Object.fromEntries(given) })], result: null
  }
}

export interface SubnetCidrResult {
  readonly subnetId: string
  readonly associationId: string
  readonly cidrBlock: string
}

/** Gives a subnet its IPv6 block; a subnet has at most one. */
export function planAssociateSubnetCidrBlock (view: AccountView, subnetId: string,
  ipv6CidrBlock: string, context: PlanContext): Plan<SubnetCidrResult> {
  const subnet = requireRecord(view, 'subnet', subnetId)
  const vpc = requireRecord(view, 'vpc', subnet.vpcId)
  const cidrBlock = checkIpv6Block(vpc, view.by('subnet', 'vpcId', vpc.id), ipv6CidrBlock)
  const [present] = subnet.ipv6CidrBlocks
  if (present !== undefined) {
    throw new AwsError('CidrLimitExceeded', `Subnet ${subnetId} has the IPv6 CIDR block ` +
      `${present.cidrBlock} already; it can have one`)
  }
  const associationId = context.newId(ASSOCIATION_PREFIX)
  return {
    changes: [put('subnet', { ...subnet, ipv6CidrBlocks: [{ associationId, cidrBlock }] })],
    result: { subnetId, associationId, cidrBlock }
  }
}

/**
 * Takes a subnet's IPv6 block away.
 * @throws AwsError DependencyViolation while an ENI has an address of it
 */
export function planDisassociateSubnetCidrBlock (view: AccountView,
  associationId: string): Plan<SubnetCidrResult> {
  const subnet = view.list('subnet').find(
    ({ ipv6CidrBlocks }) => ipv6CidrBlocks.some((one) => one.associationId === associationId))
  const block = subnet?.ipv6CidrBlocks.find((one) => one.associationId === associationId)
  if (subnet === undefined || block === undefined) {
    throw new AwsError('InvalidSubnetCidrBlockAssociationID.NotFound',
      `The subnet CIDR block with association ID '${associationId}' does not exist`)
  }
  if (subnet.cidrBlock === null) {
    throw new AwsError('OperationNotPermitted',
      `Subnet ${subnet.id} is IPv6-only: its block ${block.cidrBlock} cannot be disassociated`)
  }
  const user = view.by('networkInterface', 'subnetId', subnet.id)
    .find(({ ipv6Addresses, ipv6Prefixes }) => ipv6Addresses.length + ipv6Prefixes.length > 0)
  if (user !== undefined) {
    throw new AwsError('DependencyViolation',
      `The subnet CIDR block ${block.cidrBlock} has dependencies and cannot be disassociated: ` +
      `${user.id} has an address of it`)
  }
  const left = {
    ...subnet,
    ipv6CidrBlocks: [],
    ...Object.fromEntries(IPV6_ATTRIBUTES.map((name) => [name, false])),
    cidrReservations: subnet.cidrReservations.filter(({ cidr }) => knownCidr(cidr).family === 4)
  }
  return {
    changes: [put('subnet', left)],
    result: { subnetId: subnet.id, associationId, cidrBlock: block.cidrBlock }
  }
}

export interface CreateSubnetCidrReservationInput {
  readonly subnetId: string
  readonly cidr: string
  readonly reservationType: string
  readonly description: string
  readonly tags: Tags
}

export function planCreateSubnetCidrReservation (view: AccountView,
  input: CreateSubnetCidrReservationInput,
  context: PlanContext): Plan<{ subnetId: string, reservationId: string }> {
  const subnet = requireRecord(view, 'subnet', input.subnetId)
  const { reservationType } = input
  if (reservationType !== 'prefix' && reservationType !== 'explicit') {
    throw new AwsError('InvalidParameterValue',
      `Value (${reservationType}) for parameter reservationType is invalid. Expecting prefix or ` +
      'explicit.')
  }
  const cidr = parseCidr(input.cidr)
  const blocks = subnet.ipv6CidrBlocks.map(({ cidrBlock }) => cidrBlock)
  if (subnet.cidrBlock !== null) blocks.unshift(subnet.cidrBlock)
  if (cidr === null || !blocks.some((block) => cidrContains(knownCidr(block), cidr))) {
    throw new AwsError('InvalidParameterValue',
      `Value (${input.cidr}) for parameter cidr is invalid. ` +
      `Expecting a CIDR block inside ${blocks.join(' or ')}.`)
  }
  if (subnet.cidrReservations.some((one) => cidrsOverlap(knownCidr(one.cidr), cidr))) {
    throw new AwsError('InvalidParameterValue',
      `Reservation CIDR ${formatCidr(cidr)} has overlap with existing reserved CIDR block`)
  }
  const reservation: SubnetCidrReservation = {
    id: context.newId('scr'), cidr: formatCidr(cidr), reservationType,
    description: input.description, tags: input.tags
  }
  return {
    changes: [
      put('subnet', { ...subnet, cidrReservations: [...subnet.cidrReservations, reservation] })
    ],
    result: { subnetId: subnet.id, reservationId: reservation.id }
  }
}

/** @returns the plan, and the reservation that it removes */
export function planDeleteSubnetCidrReservation (view: AccountView, reservationId: string):
Plan<{ subnetId: string, reservation: SubnetCidrReservation }> {
  for (const subnet of view.list('subnet')) {
    const reservation = subnet.cidrReservations.find(({ id }) => id === reservationId)
    if (reservation === undefined) continue
    const cidrReservations = subnet.cidrReservations.filter((one) => one !== reservation)
    return {
      changes: [put('subnet', { ...subnet, cidrReservations })],
      result: { subnetId: subnet.id, reservation }
    }
  }
  throw new AwsError('InvalidSubnetCidrReservationID.NotFound',
    `The subnet CIDR reservation ID '${reservationId}' does not exist`)
}
