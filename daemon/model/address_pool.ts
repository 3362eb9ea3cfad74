/**
 * The addresses of one subnet: which are free, and who gets which. One plan makes one pool per
 * subnet, so that addresses given out earlier in the same plan count as used.
 *
 *     10.0.1.0/24   .0 .1 .2 .3 │ .4 … .254            │ .255
 *                   reserved    │ for ENIs             │ reserved
 *     2001:db8:0:1::/64  :: ::1 ::2 ::3 │ …            │ last
 *
 * Automatic choice takes the lowest free address that lies in no CIDR reservation. Automatic choice
 * of a prefix (/28, /80) takes the lowest free one inside a reservation of type `prefix`, else
 * outside all reservations. An explicit choice may lie in a reservation; that is what they are for.
 *
 * Source: AWS VPC User Guide, "Subnet CIDR blocks", "Subnet CIDR reservations"; EC2 User Guide,
 * "Prefix delegation for Amazon EC2 network interfaces".
 */
import { AwsError } from './aws_error.ts'
import {
  cidrContains, cidrContainsAddress, cidrOf, cidrSize, cidrsOverlap, formatAddress, formatCidr,
  knownAddress, knownCidr, lastOf, parseAddress, parseCidr
} from './cidr.ts'
import type { AddressFamily, Cidr } from './cidr.ts'
import type { AccountView, Snapshot } from './snapshot.ts'
import type { Subnet } from './subnet.ts'

/** First addresses of a block that no ENI gets: network, router, DNS, future use. */
const RESERVED_FIRST = 4n
/** Reserved addresses of a block in all: the first four and the last. */
export const RESERVED_ADDRESSES_PER_SUBNET = 5
/** Length of a delegated prefix. */
export const DELEGATED_PREFIX_LENGTH: Readonly<Record<AddressFamily, number>> = { 4: 28, 6: 80 }

/** One block of a subnet and what is used of it. */
interface Range {
  readonly family: AddressFamily
  readonly block: Cidr
  readonly addresses: Set<bigint>
  readonly prefixes: Cidr[]
  readonly reservations: readonly { readonly cidr: Cidr, readonly reservationType: string }[]
  /** No free address lies below: where the next automatic choice starts. */
  nextFree: bigint
}

export class AddressPool {
  readonly #subnet: Subnet
  readonly #ranges: readonly Range[]

  constructor (snapshot: Snapshot, subnet: Subnet) {
    this.#subnet = subnet
    const blocks = subnet.ipv6CidrBlocks.map(({ cidrBlock }) => cidrBlock)
    if (subnet.cidrBlock !== null) blocks.unshift(subnet.cidrBlock)
    this.#ranges = blocks.map((text) => emptyRange(subnet, knownCidr(text)))
    for (const networkInterface of snapshot.tables.networkInterface.by('subnetId', subnet.id)) {
      for (const text of [...networkInterface.privateIpAddresses,
        ...networkInterface.ipv6Addresses]) {
        this.#useAddress(text)
      }
      for (const text of [...networkInterface.ipv4Prefixes, ...networkInterface.ipv6Prefixes]) {
        const cidr = knownCidr(text)
        this.#rangeOf(cidr)?.prefixes.push(cidr)
      }
    }
  }

  /**
   * Addresses of the IPv4 block that are neither reserved nor used nor in a delegated prefix; 0
   * without a block.
   */
  get ipv4FreeCount (): number {
    const range = this.#ranges.find(({ family }) => family === 4)
    if (range === undefined) return 0
    const prefixed = range.prefixes.reduce((sum, prefix) => sum + Number(cidrSize(prefix)), 0)
    return Number(
      cidrSize(range.block)) - RESERVED_ADDRESSES_PER_SUBNET - range.addresses.size - prefixed
  }

  /** Precondition for everything below that takes a family: the subnet has a block of it. */
  hasFamily (family: AddressFamily): boolean {
    return this.#ranges.some((range) => range.family === family)
  }

  /**
   * The lowest free address, which is then used.
   * @throws AwsError InsufficientFreeAddressesInSubnet
   */
  takeAddress (family: AddressFamily): string {
    for (const range of this.#ranges) {
      if (range.family !== family) continue
      const value = lowestFree(range)
      if (value === null) continue
      range.addresses.add(value)
      range.nextFree = value + 1n
      return formatAddress({ family, value })
    }
    throw new AwsError('InsufficientFreeAddressesInSubnet',
      `Subnet '${this.#subnet.id}' does not have ` +
      `enough free IPv${family} addresses to satisfy the request`)
  }

  /**
   * The address asked for, canonical, which is then used.
   * @throws AwsError InvalidParameterValue, InvalidIPAddress.InUse
   */
  takeAddressExactly (family: AddressFamily, text: string): string {
    const address = parseAddress(text)
    if (address?.family !== family) {
      throw new AwsError('InvalidParameterValue',
        `invalid value for parameter address: '${text}' is not an ` +
        `IPv${family} address`)
    }
    const range = this.#ranges.find(({ block }) => cidrContainsAddress(block, address))
    if (range === undefined) {
      throw new AwsError('InvalidParameterValue',
        `Address ${text} does not fall within the subnet's address ` +
        `range (${this.#blocksText(family)})`)
    }
    if (isReserved(range, address.value)) {
      throw new AwsError('InvalidParameterValue',
        `Address ${text} is in subnet's reserved address range: the ` +
        `first four addresses of ${formatCidr(range.block)} and its last one`)
    }
    if (range.addresses.has(address.value) ||
      range.prefixes.some((prefix) => cidrContainsAddress(prefix, address))) {
      throw new AwsError('InvalidIPAddress.InUse', `Address ${text} is in use.`)
    }
    range.addresses.add(address.value)
    return formatAddress(address)
  }

  /**
   * The lowest free /28 or /80, which is then used.
   * @throws AwsError InsufficientCidrBlocks
   */
  takePrefix (family: AddressFamily): string {
    const length = DELEGATED_PREFIX_LENGTH[family]
    for (const range of this.#ranges) {
      if (range.family !== family) continue
      const prefix = lowestFreePrefix(range, length)
      if (prefix === null) continue
      range.prefixes.push(prefix)
      return formatCidr(prefix)
    }
    throw new AwsError('InsufficientCidrBlocks',
      `Subnet '${this.#subnet.id}' does not have a free ` +
      `/${length} block to satisfy the request`)
  }

  /**
   * The prefix asked for, canonical, which is then used.
   * @throws AwsError InvalidParameterValue, InvalidIPAddress.InUse
   */
  takePrefixExactly (family: AddressFamily, text: string): string {
    const length = DELEGATED_PREFIX_LENGTH[family]
    const prefix = parseCidr(text)
    if (prefix?.family !== family || prefix.prefixLength !== length) {
      throw new AwsError('InvalidParameterValue',
        `invalid value for parameter prefix: '${text}' is not an IPv${family} /${length} block`)
    }
    const range = this.#ranges.find(({ block }) => cidrContains(block, prefix))
    if (range === undefined) {
      throw new AwsError('InvalidParameterValue',
        `Prefix ${text} does not fall within the subnet's address ` +
        `range (${this.#blocksText(family)})`)
    }
    if (isReserved(range, prefix.first) || isReserved(range, lastOf(prefix))) {
      throw new AwsError('InvalidParameterValue',
        `Prefix ${text} holds reserved addresses of the subnet`)
    }
    if (!isPrefixFree(range, prefix)) {
      throw new AwsError('InvalidIPAddress.InUse', `Prefix ${text} is in use, whole or in part.`)
    }
    range.prefixes.push(prefix)
    return formatCidr(prefix)
  }

  #useAddress (text: string): void {
    const address = knownAddress(text)
    this.#rangeOf(cidrOf(address, address.family === 4 ? 32 : 128))?.addresses.add(address.value)
  }

  #rangeOf (cidr: Cidr): Range | undefined {
    return this.#ranges.find(({ block }) => cidrContains(block, cidr))
  }

  #blocksText (family: AddressFamily): string {
    const blocks = this.#ranges.filter((range) => range.family === family).map(({ block }) =>
      formatCidr(block))
    return blocks.length === 0 ? `it has no IPv${family} block` : blocks.join(', ')
  }
}

/** How many IPv4 addresses a subnet has left, as DescribeSubnets shows it: a fresh /24 has 251. */
export function availableAddressCount (view: AccountView, subnet: Subnet): number {
  return new AddressPool(view.snapshot, subnet).ipv4FreeCount
}

function emptyRange (subnet: Subnet, block: Cidr): Range {
  return {
    family: block.family, block, addresses: new Set(), prefixes: [], nextFree: block.first +
      RESERVED_FIRST,
    reservations: subnet.cidrReservations
      .map(({ cidr, reservationType }) => ({ cidr: knownCidr(cidr), reservationType }))
      .filter(({ cidr }) => cidrsOverlap(block, cidr))
  }
}

function isReserved (range: Range, value: bigint): boolean {
  return value < range.block.first + RESERVED_FIRST || value === lastOf(range.block)
}

/** Walks up from `nextFree`; a prefix or reservation is passed in one step. */
function lowestFree (range: Range): bigint | null {
  const skipped = [...range.prefixes, ...range.reservations.map(({ cidr }) => cidr)]
  const end = lastOf(range.block)
  for (let value = range.nextFree; value < end; value++) {
    const inside = skipped.find((cidr) => value >= cidr.first && value <= lastOf(cidr))
    if (inside !== undefined) value = lastOf(inside)
    else if (!range.addresses.has(value)) return value
  }
  return null
}

function lowestFreePrefix (range: Range, prefixLength: number): Cidr | null {
  const areas = range.reservations.filter(({ reservationType }) => reservationType === 'prefix')
  for (const { cidr } of areas) {
    const found = lowestFreePrefixIn(range, cidr, prefixLength, [])
    if (found !== null) return found
  }
  return lowestFreePrefixIn(range, range.block, prefixLength,
    range.reservations.map(({ cidr }) => cidr))
}

/** The lowest free block of `prefixLength` inside `area` that overlaps none of `avoided`. */
function lowestFreePrefixIn (range: Range, area: Cidr, prefixLength: number,
  avoided: readonly Cidr[]): Cidr | null {
  if (area.prefixLength > prefixLength) return null
  const family = range.family
  const step = cidrSize({ family, first: 0n, prefixLength })
  const usedBlocks = new Set<bigint>()
  for (const value of range.addresses) usedBlocks.add(value / step)
  const end = lastOf(area)
  for (let first = area.first; first <= end; first += step) {
    const prefix: Cidr = { family, first, prefixLength }
    const hit = avoided.find((cidr) => cidrsOverlap(cidr, prefix))
    if (hit !== undefined) {
      if (hit.prefixLength < prefixLength) first = lastOf(hit) + 1n - step
      continue
    }
    if (usedBlocks.has(first / step) || isReserved(range, first) ||
      isReserved(range, lastOf(prefix))) continue
    if (!range.prefixes.some((other) => cidrsOverlap(other, prefix))) return prefix
  }
  return null
}

/** Whether no used address and no other prefix lies in `prefix`. */
function isPrefixFree (range: Range, prefix: Cidr): boolean {
  for (const value of range.addresses) {
    if (value >= prefix.first && value <= lastOf(prefix)) return false
  }
  return !range.prefixes.some((other) => cidrsOverlap(other, prefix))
}
