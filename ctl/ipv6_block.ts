/**
 * The next free IPv6 /64 of a VPC. EC2 wants a subnet's /64 named in the call (the console
 * chooses one for people); `--ipv6` without a block chooses the lowest that no subnet has.
 */
import { CtlError } from './exit_codes.ts'

/** /64 blocks in a /56. */
const SUBNETS_PER_VPC_BLOCK = 256

/**
 * @param vpcBlocks the VPC's /56 blocks, in the order of association
 * @param taken the /64 blocks of its subnets
 * @throws CtlError `NoIpv6Block` when the VPC has none or no /64 is left
 */
export function nextIpv6Block (vpcBlocks: readonly string[], taken: readonly string[]): string {
  const takenPrefixes = new Set(taken.map(ipv6Prefix64))
  for (const block of vpcBlocks) {
    const first = ipv6Prefix64(block)
    for (let subnet = 0n; subnet < SUBNETS_PER_VPC_BLOCK; subnet++) {
      const prefix = first + subnet
      if (!takenPrefixes.has(prefix)) return formatPrefix64(prefix)
    }
  }
  throw new CtlError('NoIpv6Block', vpcBlocks.length === 0
    ? 'The VPC has no IPv6 block: add one with "vpcctl vpc associate-cidr <vpc> --ipv6"'
    : `Every /64 of ${vpcBlocks.join(', ')} belongs to a subnet`)
}

/** The upper 64 bits of `2001:db8:0:100::/56`. */
function ipv6Prefix64 (cidr: string): bigint {
  const address = cidr.slice(0, cidr.indexOf('/'))
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const tailGroups = tail === '' ? [] : tail.split(':')
    while (groups.length + tailGroups.length < 8) groups.push('0')
    groups.push(...tailGroups)
  }
  return groups.slice(0, 4).reduce((prefix, group) => prefix << 16n | BigInt(`0x${group}`), 0n)
}

function formatPrefix64 (prefix: bigint): string {
  const groups = [48n, 32n, 16n, 0n].map((shift) => (prefix >> shift & 0xffffn).toString(16))
  while (groups.at(-1) === '0') groups.pop()
  return `${groups.join(':')}::/64`
}
