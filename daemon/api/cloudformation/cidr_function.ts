/**
 * Fn::Cidr: the first blocks of one size inside another block, IPv4 or IPv6. CloudFormation User
 * Guide, "Fn::Cidr".
 *
 *     Cidr [10.0.0.0/16, 3, 8]  ─▶  10.0.0.0/24  10.0.1.0/24  10.0.2.0/24
 */
import { AwsError } from '../../model/aws_error.ts'
import { addressBits, cidrSize, formatCidr, parseCidr } from '../../model/cidr.ts'

/** Blocks of one call. */
const CIDR_COUNT_MAX = 256

/**
 * @param bits how many bits of the addresses are left to each block; 32 less its mask in IPv4
 * @throws AwsError ValidationError
 */
export function cidrBlocks (block: string, count: number, bits: number | undefined): string[] {
  const outer = parseCidr(block)
  if (outer === null) throw invalid(`ipBlock ${block} is no CIDR block`)
  if (!Number.isInteger(count) || count < 1 || count > CIDR_COUNT_MAX) {
    throw invalid(`count ${String(count)} is not within 1 to ${String(CIDR_COUNT_MAX)}`)
  }
  const { family, first, prefixLength } = outer
  const bitsMax = addressBits(family) - prefixLength
  if (bits === undefined || !Number.isInteger(bits) || bits < 1 || bits > bitsMax) {
    throw invalid(`cidrBits ${String(bits)} is not within 1 to ${String(bitsMax)}, which ` +
      `${block} leaves`)
  }
  if (BigInt(count) << BigInt(bits) > cidrSize(outer)) {
    throw invalid(`${block} has no room for ${String(count)} blocks of ${String(bits)} bits`)
  }
  return Array.from({ length: count }, (_, at) => formatCidr({
    family, first: first + (BigInt(at) << BigInt(bits)), prefixLength: addressBits(family) - bits
  }))
}

function invalid (message: string): AwsError {
  return new AwsError('ValidationError', `Template error: Fn::Cidr: ${message}`)
}
