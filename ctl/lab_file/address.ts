/**
 * Addresses and blocks as a lab file writes them: canonical text, containment, and the two short
 * forms for IPv6, whose /56 the lab chooses and a file therefore cannot name.
 *
 *     VPC     2001:db8:0:100::/56                  `ipv6: true`
 *     subnet  2001:db8:0:102::/64                  `ipv6: 2`          its number in the /56
 *     ENI     2001:db8:0:102::10                   `ipv6: ['::10']`   its place in the /64
 *
 * Node's own `net` reads and writes the addresses.
 */
import { BlockList, isIP, SocketAddress } from 'node:net'

const IPV4_BITS = 32
const IPV6_BITS = 128
/** 16-bit groups of an address, and of the /64 that a subnet has. */
const GROUPS = 8
const SUBNET_GROUPS = 4
/** The low bits of the fourth group count the subnets of a /56. */
const SUBNET_NUMBER_MASK = 0xff

type Family = 'ipv4' | 'ipv6'

function familyOf (address: string): Family { return isIP(address) === 6 ? 'ipv6' : 'ipv4' }

/** RFC 5952 text of an address. Precondition: it is one. */
export function canonicalAddress (address: string): string {
  return new SocketAddress({ address, family: familyOf(address) }).address
}

/**
 * What is wrong with a block, as the end of a sentence, or null.
 * @param text `10.0.0.0/16`, `2001:db8::/64`
 */
export function cidrFault (text: string): string | null {
  const [address = '', length = '', ...rest] = text.split('/')
  if (isIP(address) === 0 || rest.length > 0 || !text.includes('/')) {
    return 'is no block: it takes an address and a prefix length, such as 10.0.0.0/16'
  }
  const bits = isIP(address) === 4 ? IPV4_BITS : IPV6_BITS
  if (!/^\d{1,3}$/.test(length) || Number(length) > bits) {
    return `has no prefix length from 0 to ${String(bits)}`
  }
  const network = canonicalCidr(text)
  if (network !== `${canonicalAddress(address)}/${length}`) {
    return `has bits behind its prefix: the block is ${network}`
  }
  return null
}

/** The block with the bits behind its prefix cleared. Precondition: address and length are good. */
export function canonicalCidr (text: string): string {
  const [address = '', length = ''] = text.split('/')
  const family = familyOf(address)
  const width = family === 'ipv4' ? 8 : 16
  const parts = family === 'ipv4' ? address.split('.').map(Number) : groupsOf(address)
  const masked = parts.map((part, index) => {
    const kept = Math.min(width, Math.max(0, Number(length) - index * width))
    return part & ~((1 << (width - kept)) - 1)
  })
  return `${canonicalAddress(join(masked, family))}/${length}`
}

function join (parts: readonly number[], family: Family): string {
  return family === 'ipv4'
    ? parts.join('.')
    : parts.map((part) => part.toString(16)).join(':')
}

/** Whether a block, or an address, lies in a block of its own family. */
export function contains (cidr: string, inner: string): boolean {
  const [network = '', length = ''] = cidr.split('/')
  const [address = '', innerLength] = inner.split('/')
  if (familyOf(network) !== familyOf(address)) return false
  if (innerLength !== undefined && Number(innerLength) < Number(length)) return false
  const blocks = new BlockList()
  blocks.addSubnet(network, Number(length), familyOf(network))
  return blocks.check(address, familyOf(address))
}

export function overlaps (one: string, other: string): boolean {
  return contains(one, other) || contains(other, one)
}

/** First and last 4 addresses of an IPv4 subnet belong to AWS: network, router, DNS, broadcast … */
export function isReservedIn (subnetCidr: string, address: string): boolean {
  const [network = '', length = ''] = subnetCidr.split('/')
  const offset = ipv4Number(address) - ipv4Number(network)
  return offset < 4 || offset === 2 ** (IPV4_BITS - Number(length)) - 1
}

function ipv4Number (address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

/** The `number`th /64 of a VPC's /56. */
export function subnetIpv6Cidr (vpcCidr: string, number: number): string {
  const groups = groupsOf(vpcCidr.split('/')[0] ?? '')
  groups[SUBNET_GROUPS - 1] = ((groups[SUBNET_GROUPS - 1] ?? 0) & ~SUBNET_NUMBER_MASK) | number
  return `${canonicalAddress(join(groups, 'ipv6'))}/64`
}

/** The inverse of subnetIpv6Cidr. */
export function subnetNumber (subnetCidr: string): number {
  return (groupsOf(subnetCidr.split('/')[0] ?? '')[SUBNET_GROUPS - 1] ?? 0) & SUBNET_NUMBER_MASK
}

/** The address at `place` (`::10`) of a subnet's /64. */
export function addressAt (subnetCidr: string, place: string): string {
  const groups = groupsOf(subnetCidr.split('/')[0] ?? '').slice(0, SUBNET_GROUPS)
  return canonicalAddress(join([...groups, ...groupsOf(place).slice(SUBNET_GROUPS)], 'ipv6'))
}

/** The inverse of addressAt: an address without its /64. */
export function placeOf (address: string): string {
  const groups = [0, 0, 0, 0, ...groupsOf(address).slice(SUBNET_GROUPS)]
  return canonicalAddress(join(groups, 'ipv6'))
}

/** The 16-bit groups of an IPv6 address without an embedded IPv4 one. */
function groupsOf (address: string): number[] {
  const [head = '', tail] = canonicalAddress(address).split('::')
  const read = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => parseInt(group, 16))
  const before = read(head)
  const after = read(tail ?? '')
  const zeros = new Array<number>(GROUPS - before.length - after.length).fill(0)
  return [...before, ...zeros, ...after]
}
