/**
 * Secondary addresses and delegated prefixes of an ENI. EC2 User Guide, "Secondary IP addresses for
 * your EC2 instances".
 *
 * An address moves between ENIs of a subnet with AllowReassignment: it leaves the one and joins the
 * other in one change, and its Elastic IP goes along. One that is unassigned loses its Elastic IP.
 * The primary IPv4 address stays for life.
 */
import { disassociated } from './address.ts'
import type { Address } from './address.ts'
import { AddressPool } from './address_pool.ts'
import { AwsError } from './aws_error.ts'
import { formatAddress, formatCidr, parseAddress, parseCidr } from './cidr.ts'
import type { AddressFamily } from './cidr.ts'
import { findInstanceType } from './instance_type.ts'
import { refuseManaged, takeAddresses } from './network_interface.ts'
import type { AddressRequest, NetworkInterface, TakenAddresses } from './network_interface.ts'
import { checkAddressCount } from './network_interface_attachment.ts'
import type { Plan } from './plan.ts'
import { requireRecord } from './resource_kind.ts'
import { put } from './snapshot.ts'
import type { AccountView, Change } from './snapshot.ts'

export interface AssignInput {
  readonly networkInterfaceId: string
  readonly request: AddressRequest
  /** Takes an address that is a secondary one of another ENI of the subnet. IPv4 only. */
  readonly allowReassignment: boolean
}

export interface AssignResult extends TakenAddresses {
  readonly networkInterfaceId: string
}

/**
 * AssignPrivateIpAddresses (family 4) and AssignIpv6Addresses (family 6).
 * @throws AwsError InvalidNetworkInterfaceID.*, InvalidParameterValue, InvalidParameterCombination,
 *   InvalidIPAddress.InUse, Resource.AlreadyAssigned, PrivateIpAddressLimitExceeded,
 *   InsufficientFreeAddressesInSubnet, InsufficientCidrBlocks, OperationNotPermitted
 */
export function planAssignAddresses (view: AccountView, family: AddressFamily,
  input: AssignInput): Plan<AssignResult> {
  const record = requireRecord(view, 'networkInterface', input.networkInterfaceId)
  refuseManaged(record)
  checkOneKind(input.request)
  const held = new Set(addressesOf(record, family))
  const again = input.request.addresses.find((text) => held.has(canonicalAddress(text)))
  if (again !== undefined) {
    throw new AwsError('Resource.AlreadyAssigned',
      `Address ${again} is already assigned to '${record.id}'`)
  }

  const subnet = requireRecord(view, 'subnet', record.subnetId)
  const losers = input.allowReassignment ? losersOf(view, record, input.request.addresses) : []
  const kept = input.request.addresses.filter((text) =>
    !losers.some(({ lost }) => lost.has(canonicalAddress(text))))
  const moved = losers.flatMap(({ lost }) => [...lost])
  const taken = takeAddresses(new AddressPool(view.snapshot, subnet), family,
    { ...input.request, addresses: kept })
  const result = { addresses: [...moved, ...taken.addresses], prefixes: taken.prefixes }
  const next = withAddresses(record, family, result)
  checkLimitOfInstance(view, next)
  const changes: Change[] =
    losers.map(({ from, lost }) => put('networkInterface', withoutAddresses(from, 4, lost)))
  return {
    changes: [...changes, ...elasticIpsOf(view, losers).map((address) =>
      put('address', { ...address, networkInterfaceId: record.id })),
    put('networkInterface', next)],
    result: { networkInterfaceId: record.id, ...result }
  }
}

/** Other ENIs of the subnet that give up addresses in a reassignment. */
interface Loser {
  readonly from: NetworkInterface
  readonly lost: ReadonlySet<string>
}

function losersOf (view: AccountView, record: NetworkInterface,
  addresses: readonly string[]): Loser[] {
  const asked = new Set(addresses.map(canonicalAddress))
  const losers: Loser[] = []
  for (const from of view.by('networkInterface', 'subnetId', record.subnetId)) {
    const lost = new Set(from.privateIpAddresses.slice(1).filter((text) => asked.has(text)))
    if (from.id !== record.id && from.requesterId === null &&
      lost.size > 0) losers.push({ from, lost })
  }
  return losers
}

/** Elastic IPs of the addresses that ENIs lose. */
function elasticIpsOf (view: AccountView, losers: readonly Loser[]): Address[] {
  return losers.flatMap(({ from, lost }) =>
    view.snapshot.tables.address.by('networkInterfaceId', from.id)
      .filter(({ privateIpAddress }) => lost.has(privateIpAddress ?? '')))
}

export interface UnassignInput {
  readonly networkInterfaceId: string
  readonly addresses: readonly string[]
  readonly prefixes: readonly string[]
}

/**
 * UnassignPrivateIpAddresses (family 4) and UnassignIpv6Addresses (family 6).
 * @throws AwsError InvalidNetworkInterfaceID.*, InvalidParameterValue (primary, not assigned),
 *   OperationNotPermitted
 */
export function planUnassignAddresses (view: AccountView, family: AddressFamily,
  input: UnassignInput): Plan<AssignResult> {
  const record = requireRecord(view, 'networkInterface', input.networkInterfaceId)
  refuseManaged(record)
  if (input.addresses.length + input.prefixes.length === 0) {
    throw new AwsError('MissingParameter',
      'The request must contain addresses or prefixes to unassign')
  }
  const addresses = input.addresses.map(canonicalAddress)
  const prefixes = input.prefixes.map(canonicalCidr)
  if (family === 4 && addresses.includes(record.privateIpAddresses[0] ?? '')) {
    throw new AwsError('InvalidParameterValue',
      `The primary private IPv4 address ${addresses[0] ?? ''} of ` +
      `'${record.id}' cannot be unassigned`)
  }
  const held = new Set([...addressesOf(record, family), ...prefixesOf(record, family)])
  const absent = [...addresses, ...prefixes].filter((text) => !held.has(text))
  if (absent.length > 0) {
    throw new AwsError('InvalidParameterValue',
      `Some of [${absent.join(', ')}] are not assigned to interface '${record.id}'`)
  }
  const lost = new Set([...addresses, ...prefixes])
  const next = withoutAddresses(record, family, lost)
  return {
    changes: [put('networkInterface', next), ...elasticIpsOf(view, [{ from: record, lost }])
      .map((address) => put('address', disassociated(address)))],
    result: { networkInterfaceId: record.id, addresses, prefixes }
  }
}

/** By value or by number, addresses or prefixes: one of the four, as EC2 wants it. */
function checkOneKind (request: AddressRequest): void {
  const kinds = [request.addresses.length, request.addressCount, request.prefixes.length,
    request.prefixCount]
    .filter((count) => count !== 0).length
  if (kinds === 0) throw new AwsError('MissingParameter',
    'The request must say which addresses or prefixes, or how many')
  if (kinds > 1) {
    throw new AwsError('InvalidParameterCombination',
      'Give addresses, a number of addresses, prefixes, or a number of prefixes: only one of ' +
      'the four')
  }
}

function checkLimitOfInstance (view: AccountView, record: NetworkInterface): void {
  if (record.attachment === null) return
  const instance = view.snapshot.tables.instance.get(record.attachment.instanceId)
  if (instance !== undefined) checkAddressCount(findInstanceType(instance.instanceType), record)
}

function addressesOf (record: NetworkInterface, family: AddressFamily): readonly string[] {
  return family === 4 ? record.privateIpAddresses : record.ipv6Addresses
}

function prefixesOf (record: NetworkInterface, family: AddressFamily): readonly string[] {
  return family === 4 ? record.ipv4Prefixes : record.ipv6Prefixes
}

function withAddresses (record: NetworkInterface, family: AddressFamily,
  taken: TakenAddresses): NetworkInterface {
  const addresses = [...addressesOf(record, family), ...taken.addresses]
  const prefixes = [...prefixesOf(record, family), ...taken.prefixes]
  return family === 4
    ? { ...record, privateIpAddresses: addresses, ipv4Prefixes: prefixes }
    : { ...record, ipv6Addresses: addresses, ipv6Prefixes: prefixes }
}

function withoutAddresses (record: NetworkInterface, family: AddressFamily,
  gone: ReadonlySet<string>): NetworkInterface {
  const addresses = addressesOf(record, family).filter((text) => !gone.has(text))
  const prefixes = prefixesOf(record, family).filter((text) => !gone.has(text))
  return family === 4
    ? { ...record, privateIpAddresses: addresses, ipv4Prefixes: prefixes }
    : { ...record, ipv6Addresses: addresses, ipv6Prefixes: prefixes }
}

/** Canonical text, or the text itself when it is no address: the pool refuses it then. */
function canonicalAddress (text: string): string {
  const address = parseAddress(text)
  return address === null ? text : formatAddress(address)
}

function canonicalCidr (text: string): string {
  const cidr = parseCidr(text)
  return cidr === null ? text : formatCidr(cidr)
}
