/**
 * The answer to a router solicitation (RFC 4861 §4.2), from the router of the ENI's subnet: managed
 * addresses (M and O flags: ask DHCPv6), the MTU, and the subnet's blocks without autonomous
 * configuration. Systems 1.7; AWS VPC User Guide, "IPv6 addressing".
 */
import { isIpv4Words, PREFIX_WORDS } from '../wire/address.ts'
import { writeU16, writeU32 } from '../wire/bytes.ts'
import { ICMPV6_ROUTER_ADVERTISEMENT } from '../wire/icmpv6.ts'
import {
  RA_AT_FLAGS, RA_AT_HOP_LIMIT, RA_AT_LIFETIME, RA_AT_TYPE, RA_FLAGS_MANAGED,
  RA_HEADER_BYTES, RA_MTU_AT_MTU, RA_MTU_AT_TYPE, RA_MTU_AT_UNITS, RA_MTU_HEADER_BYTES,
  RA_OPTION_MTU, RA_OPTION_PREFIX, RA_OPTION_UNIT_BYTES, RA_PREFIX_AT_FLAGS, RA_PREFIX_AT_LENGTH,
  RA_PREFIX_AT_PREFERRED, RA_PREFIX_AT_PREFIX, RA_PREFIX_AT_TYPE, RA_PREFIX_AT_UNITS,
  RA_PREFIX_AT_VALID, RA_PREFIX_HEADER_BYTES, RA_PREFIX_ON_LINK
} from '../wire/router_advertisement.ts'
import { DROP_LINK_LOCAL, DROP_NONE, DROP_TRANSMIT_QUEUE_FULL } from './drop_reason.ts'
import { ROUTER_LINK_LOCAL } from './link_local_service.ts'
import { beginAnswer, finishAnswer } from './neighbor_answer.ts'
import type { PacketContext } from './packet.ts'
import type { RouterParts } from './router_parts.ts'
import type { SubnetData } from './tables/update.ts'

/** How long the router stays one, seconds: AWS's hosts say so. */
const ROUTER_LIFETIME_S = 1800
const HOP_LIMIT_OF_HOSTS = 64
const PREFIX_VALID_S = 2_592_000
const PREFIX_PREFERRED_S = 604_800
/** Blocks told: an IPv6 subnet of EC2 has one. */
const BLOCKS_MAX = 4

/**
 * Sends the advertisement to the ENI `p.portIndex`. Precondition: `p` is its solicitation.
 * Afterwards `p` describes the answer.
 * @returns DROP_NONE, or why there is no answer
 */
export function advertiseRouter (p: PacketContext, parts: RouterParts): number {
  const { ports, subnets } = parts.tables
  const subnet = subnets.get(ports.subnetIndex[p.portIndex])
  const nicPort = ports.nicPort[p.portIndex]
  if (subnet === undefined || nicPort === 0) return DROP_LINK_LOCAL
  const icmpBytes =
    RA_HEADER_BYTES + RA_MTU_HEADER_BYTES + RA_PREFIX_HEADER_BYTES * blockCount(subnet)
  const [w0, w1, w2, w3] = ROUTER_LINK_LOCAL
  const at = beginAnswer(p, parts, icmpBytes, w0, w1, w2, w3)
  if (at < 0) return DROP_TRANSMIT_QUEUE_FULL
  const { bytes } = parts
  bytes[at + RA_AT_TYPE] = ICMPV6_ROUTER_ADVERTISEMENT
  bytes[at + RA_AT_HOP_LIMIT] = HOP_LIMIT_OF_HOSTS
  bytes[at + RA_AT_FLAGS] = RA_FLAGS_MANAGED
  writeU16(bytes, at + RA_AT_LIFETIME, ROUTER_LIFETIME_S)
  writeOptions(bytes, at + RA_HEADER_BYTES, subnet, ports.mtu[p.portIndex])
  finishAnswer(p, parts, at, icmpBytes)
  return DROP_NONE
}

function isIpv6Block (cidrs: Uint32Array, at: number): boolean {
  return !isIpv4Words(cidrs[at], cidrs[at + 1], cidrs[at + 2])
}

function blockCount ({ cidrs }: SubnetData): number {
  let count = 0
  for (let at = 0; at < cidrs.length; at += PREFIX_WORDS) if (isIpv6Block(cidrs, at)) count++
  return Math.min(count, BLOCKS_MAX)
}

function writeOptions (bytes: Uint8Array, at: number, subnet: SubnetData, mtu: number): void {
  bytes[at + RA_MTU_AT_TYPE] = RA_OPTION_MTU
  bytes[at + RA_MTU_AT_UNITS] = RA_MTU_HEADER_BYTES / RA_OPTION_UNIT_BYTES
  writeU32(bytes, at + RA_MTU_AT_MTU, mtu)
  at += RA_MTU_HEADER_BYTES
  const { cidrs } = subnet
  let left = blockCount(subnet)
  for (let block = 0; block < cidrs.length && left > 0; block += PREFIX_WORDS) {
    if (!isIpv6Block(cidrs, block)) continue
    bytes[at + RA_PREFIX_AT_TYPE] = RA_OPTION_PREFIX
    bytes[at + RA_PREFIX_AT_UNITS] = RA_PREFIX_HEADER_BYTES / RA_OPTION_UNIT_BYTES
    bytes[at + RA_PREFIX_AT_LENGTH] = cidrs[block + 4]
    bytes[at + RA_PREFIX_AT_FLAGS] = RA_PREFIX_ON_LINK
    writeU32(bytes, at + RA_PREFIX_AT_VALID, PREFIX_VALID_S)
    writeU32(bytes, at + RA_PREFIX_AT_PREFERRED, PREFIX_PREFERRED_S)
    for (let word = 0; word < 4; word++) {
      writeU32(bytes, at + RA_PREFIX_AT_PREFIX + 4 * word, cidrs[block + word])
    }
    at += RA_PREFIX_HEADER_BYTES
    left--
  }
}
