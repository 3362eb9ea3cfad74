/**
 * The names that EC2 itself gives, systems 1.14. AWS VPC User Guide, "DNS attributes for your VPC";
 * EC2 User Guide, "EC2 instance hostnames and domains".
 *
 *     ip-10-0-1-10.ec2.internal       any address of the VPC's IPv4 blocks, used or not
 *     i-0123….ec2.internal            A and AAAA where the instance answers for its resource name
 *     10.1.0.10.in-addr.arpa          the way back, within the VPC's blocks
 *     ec2-203-0-113-5.compute-1.amazonaws.com    the private address inside the VPC that it is of
 *                                                and inside peers that it lets know, the public
 *                                                one elsewhere
 */
import { cidrContainsAddress, knownAddress, knownCidr } from '../../model/cidr.ts'
import { isBelow, parentOf } from '../../model/domain_name.ts'
import { REGIONS } from '../../model/region.ts'
import { ipName, privateDnsSuffix, publicDnsSuffix, publicName } from '../../model/private_dns.ts'
import type { ServicesDirectory } from '../directory.ts'
import type { VpcData } from '../update.ts'
import type { Viewer } from '../viewer.ts'
import { matching } from './zone_source.ts'
import type { ZoneAnswer, ZoneQuestion, ZoneRecord, ZoneSource } from './zone_source.ts'

/** Of all names of EC2, seconds. */
export const EC2_NAME_TTL_S = 60

const IP_NAME = /^ip-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})$/
const PUBLIC_NAME = /^ec2-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})$/
const INSTANCE_NAME = /^i-[0-9a-f]{8,17}$/
const REVERSE_ZONE = 'in-addr.arpa'
const REVERSE_NAME = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/
const OCTET_MAX = 255

/** The dotted address in a match of four numbers, or null. @param isReversed last octet first */
function addressIn (match: RegExpExecArray | null, isReversed = false): string | null {
  if (match === null) return null
  const octets = match.slice(1, 5)
  // `010` and `300` are no octets: the name would have a second spelling.
  if (octets.some((text) => String(Number(text)) !== text || Number(text) > OCTET_MAX)) return null
  return (isReversed ? octets.reverse() : octets).join('.')
}

/** Whether an address lies in one of the blocks. */
function liesIn (blocks: readonly string[], address: string): boolean {
  const parsed = knownAddress(address)
  return blocks.some((block) => cidrContainsAddress(knownCidr(block), parsed))
}

function answer (
  zone: string, question: ZoneQuestion, records: readonly ZoneRecord[] | null
): ZoneAnswer {
  return {
    zone, nameExists: records !== null, records: matching(records ?? [], question.type)
  }
}

function record (name: string, type: ZoneRecord['type'], data: string): ZoneRecord {
  return { name, type, ttl: EC2_NAME_TTL_S, data }
}

/** `ec2.internal`, or `<region>.compute.internal`. */
export function privateNames (directory: ServicesDirectory): ZoneSource {
  return {
    answer (question, { vpc }) {
      const zone = privateDnsSuffix(vpc.region)
      const { name } = question
      if (!isBelow(name, zone)) return null
      if (name === zone) return answer(zone, question, [])
      const label = name.slice(0, -zone.length - 1)
      if (INSTANCE_NAME.test(label)) {
        const instance = directory.vpc(vpc.vpcId)?.instances.get(label)
        return answer(zone, question, instance === undefined ? null : [
          ...instance.ipv4.map((address) => record(name, 'A', address)),
          ...instance.ipv6.map((address) => record(name, 'AAAA', address))
        ])
      }
      const address = addressIn(IP_NAME.exec(label))
      const isOurs = address !== null && liesIn(vpc.ipv4Blocks, address)
      return answer(zone, question, isOurs ? [record(name, 'A', address)] : null)
    }
  }
}

/** Region by the zone of its public names. */
const PUBLIC_ZONES: ReadonlyMap<string, string> =
  new Map(REGIONS.map(({ name }) => [publicDnsSuffix(name), name]))
/** Above all of them. */
const AWS_ZONE = 'amazonaws.com'

/** Public names of every Region. */
export function publicNames (directory: ServicesDirectory): ZoneSource {
  return {
    answer (question, { vpc }) {
      const { name } = question
      if (!isBelow(name, AWS_ZONE)) return null
      let zone = name
      while (zone !== AWS_ZONE && !PUBLIC_ZONES.has(zone)) zone = parentOf(zone)
      if (zone === AWS_ZONE) return null
      if (name === zone) return answer(zone, question, [])
      const address = addressIn(PUBLIC_NAME.exec(name.slice(0, -zone.length - 1)))
      if (address === null) return answer(zone, question, null)
      const inside = insideOf(directory, vpc, address, PUBLIC_ZONES.get(zone) ?? '')
      return answer(zone, question, [record(name, 'A', inside ?? address)])
    }
  }
}

/**
 * The private address of a public one, where the VPC itself has it, or a peer that lets the VPC
 * know. VPC Peering Guide, "DNS resolution for a VPC peering connection".
 */
function insideOf (
  directory: ServicesDirectory, vpc: VpcData, address: string, region: string
): string | undefined {
  for (const vpcId of vpc.hasDnsHostnames ? [vpc.vpcId, ...vpc.resolvedPeers] : []) {
    const known = directory.vpc(vpcId)
    const inside = known?.data.region === region && known.data.hasDnsHostnames
      ? known.privateOf.get(address) : undefined
    if (inside !== undefined) return inside
  }
  return undefined
}

/** From addresses to names: those of the VPC, and its public ones. */
export function reverseNames (directory: ServicesDirectory): ZoneSource {
  return {
    answer (question, viewer) {
      const { name } = question
      if (!isBelow(name, REVERSE_ZONE)) return null
      const address = addressIn(REVERSE_NAME.exec(name), true)
      const target = address === null ? null : nameOf(address, viewer, directory)
      // What lies elsewhere may be known to somebody else.
      return target === null ? null
        : answer(REVERSE_ZONE, question, [record(name, 'PTR', target)])
    }
  }
}

function nameOf (
  address: string, { vpc }: Viewer, directory: ServicesDirectory
): string | null {
  if (liesIn(vpc.ipv4Blocks, address)) return ipName(address, vpc.region)
  const isPublic = directory.vpc(vpc.vpcId)?.privateOf.has(address) === true
  return isPublic && vpc.hasDnsHostnames ? publicName(address, vpc.region) : null
}
