/**
 * Which blocks a VPC may have. AWS VPC User Guide, "VPC CIDR blocks": "IPv4 VPC CIDR blocks", "IPv4
 * CIDR block association restrictions", "IPv6 VPC CIDR blocks".
 *
 * Every block that the VPC has decides what may join it, by the range it lies in ("Existing IPv4
 * address range" of AWS's table):
 *
 *     a block in          may not add
 *     10/8                172.16/12, 192.168/16, 198.19/16; 10.0/16 while any block lies in 10.0/15
 *     172.16/12           10/8, 192.168/16, 198.19/16; 172.31/16
 *     192.168/16          10/8, 172.16/12, 198.19/16
 *     198.19/16           10/8, 172.16/12, 192.168/16
 *     any other           10/8, 172.16/12, 192.168/16, 198.19/16
 *
 * Public and 100.64/10 blocks may join every VPC. Link-local and multicast ones join none.
 */
import { AwsError } from './aws_error.ts'
import type { Cidr } from './cidr.ts'
import { cidrContains, cidrsOverlap, formatCidr, knownCidr, parseCidr } from './cidr.ts'
import { isPrefixListId } from './prefix_list_reference.ts'
import type { RouteTable } from './route_table.ts'
import type { Change, Snapshot } from './snapshot.ts'
import { put } from './snapshot.ts'
import type { Vpc } from './vpc.ts'

export const VPC_PREFIX_LENGTH_MIN = 16
export const VPC_PREFIX_LENGTH_MAX = 28

/** Where Amazon-provided IPv6 blocks come from in the lab: documentation addresses, RFC 3849. */
export const IPV6_POOL = '2001:db8::/32'
export const VPC_IPV6_PREFIX_LENGTH = 56
export const IPV6_POOL_COUNTER = 'ipv6-pool'

const TEN = knownCidr('10.0.0.0/8')
const ONE_SEVEN_TWO = knownCidr('172.16.0.0/12')
const ONE_NINE_TWO = knownCidr('192.168.0.0/16')
const BENCHMARK = knownCidr('198.19.0.0/16')
const RFC_1918 = [TEN, ONE_SEVEN_TWO, ONE_NINE_TWO]

/**
 * For each range of a block, the ranges that may not join it. The first range that fits counts.
 */
const RESTRICTIONS: readonly { readonly existing: Cidr, readonly restricted: readonly Cidr[] }[] = [
  { existing: TEN, restricted: [ONE_SEVEN_TWO, ONE_NINE_TWO, BENCHMARK] },
  {
    existing: ONE_SEVEN_TWO,
    restricted: [TEN, ONE_NINE_TWO, BENCHMARK, knownCidr('172.31.0.0/16')]
  },
  { existing: ONE_NINE_TWO, restricted: [TEN, ONE_SEVEN_TWO, BENCHMARK] },
  { existing: BENCHMARK, restricted: RFC_1918 },
  { existing: knownCidr('0.0.0.0/0'), restricted: [...RFC_1918, BENCHMARK] }
]

/**
 * No network of anybody: "this" network, loopback, link-local, multicast and reserved (RFC 6890).
 */
const NEVER = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(knownCidr)

const TEN_FIFTEEN = knownCidr('10.0.0.0/15')
const TEN_SIXTEEN = knownCidr('10.0.0.0/16')

/**
 * The canonical primary block.
 * @throws AwsError MissingParameter, InvalidParameterValue, InvalidVpc.Range
 */
export function parsePrimaryBlock (text: string | undefined): string {
  if (text === undefined) {
    throw new AwsError('MissingParameter', 'The request must contain the parameter cidrBlock')
  }
  return parseVpcBlock(text, 'InvalidVpc.Range')
}

/** The canonical further block. @throws AwsError InvalidParameterValue, InvalidVpcRange */
export function parseSecondaryBlock (text: string): string {
  return parseVpcBlock(text, 'InvalidVpcRange')
}

function parseVpcBlock (text: string, sizeCode: string): string {
  const cidr = parseCidr(text)
  if (cidr?.family !== 4) {
    throw new AwsError('InvalidParameterValue',
      `Value (${text}) for parameter cidrBlock is invalid. This is not a valid CIDR block.`)
  }
  if (cidr.prefixLength < VPC_PREFIX_LENGTH_MIN || cidr.prefixLength > VPC_PREFIX_LENGTH_MAX) {
    throw new AwsError(sizeCode, `The CIDR '${text}' is invalid: a VPC block has a size from ` +
      `/${String(VPC_PREFIX_LENGTH_MIN)} to /${String(VPC_PREFIX_LENGTH_MAX)}`)
  }
  if (NEVER.some((range) => cidrsOverlap(range, cidr))) {
    throw new AwsError('InvalidVpc.Range',
      `The CIDR '${text}' is restricted: it lies in a range that no VPC may use`)
  }
  return formatCidr(cidr)
}

/**
 * Refuses an IPv4 block that may not join a VPC's own.
 * @param tables all route tables of the VPC
 * @throws AwsError InvalidVpc.Range
 */
export function checkAssociation (vpc: Vpc, tables: readonly RouteTable[],
  cidrBlock: string): void {
  const cidr = knownCidr(cidrBlock)
  const blocks = vpc.cidrBlocks.map((block) => knownCidr(block.cidrBlock))
  for (const block of blocks) {
    if (cidrsOverlap(block, cidr)) {
      throw new AwsError('InvalidVpc.Range',
        `The CIDR '${cidrBlock}' conflicts with the CIDR '${formatCidr(block)}' of ${vpc.id}`)
    }
  }
  for (const block of blocks) {
    const range = restrictedRange(block, cidr)
    if (range === undefined) continue
    throw new AwsError('InvalidVpc.Range',
      `The CIDR '${cidrBlock}' is restricted. Use a CIDR outside ${formatCidr(range)}: ` +
      `${vpc.id} has the CIDR '${formatCidr(block)}'`)
  }
  checkNotRouted(tables, cidr)
}

/**
 * Refuses a block, of either family, that equals or contains a destination which is routed already:
 * a table has one route per destination, and the block needs the `local` one. Entries of prefix
 * lists are no destinations of their own: they give way (route_order.ts).
 * @param tables all route tables of the VPC
 * @throws AwsError InvalidVpc.Range
 */
export function checkNotRouted (tables: readonly RouteTable[], cidr: Cidr): void {
  for (const { id, routes } of tables) {
    const routed = routes.find(({ destination }) =>
      !isPrefixListId(destination) && cidrContains(cidr, knownCidr(destination)))
    if (routed !== undefined) {
      throw new AwsError('InvalidVpc.Range',
        `The CIDR '${formatCidr(cidr)}' conflicts with the route to ${routed.destination} in the ` +
        `route table ${id}`)
    }
  }
}

/** The range that forbids `cidr` to a VPC that has `block`, or undefined. */
function restrictedRange (block: Cidr, cidr: Cidr): Cidr | undefined {
  const row = RESTRICTIONS.find(({ existing }) => cidrContains(existing, block))
  const range = row?.restricted.find((one) => cidrsOverlap(one, cidr))
  if (range !== undefined) return range
  return cidrContains(TEN_FIFTEEN, block) && cidrsOverlap(TEN_SIXTEEN, cidr)
    ? TEN_SIXTEEN
    : undefined
}

/**
 * The next /56 of the pool. Blocks are given out in order and none twice, so that nothing that
 * remembers an address of a deleted VPC meets another.
 * @throws AwsError InsufficientCidrBlocks when the pool's 2^24 blocks are used up
 */
export function allocateIpv6Block (
  snapshot: Snapshot): { readonly cidrBlock: string, readonly change: Change } {
  const pool = knownCidr(IPV6_POOL)
  const index = snapshot.tables.counter.get(IPV6_POOL_COUNTER)?.next ?? 1
  if (index >= 2 ** (VPC_IPV6_PREFIX_LENGTH - pool.prefixLength)) {
    throw new AwsError('InsufficientCidrBlocks',
      `The IPv6 pool ${IPV6_POOL} has no free /${String(VPC_IPV6_PREFIX_LENGTH)} left`)
  }
  const first = pool.first + (BigInt(index) << BigInt(128 - VPC_IPV6_PREFIX_LENGTH))
  return {
    cidrBlock: formatCidr({ family: 6, first, prefixLength: VPC_IPV6_PREFIX_LENGTH }),
    change: put('counter', { id: IPV6_POOL_COUNTER, next: index + 1 })
  }
}
