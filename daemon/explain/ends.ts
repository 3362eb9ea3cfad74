/**
 * The two ends of a packet or a conversation, as people name them: an ENI, an instance (its first
 * ENI), or an address. An ENI is of the same VPC or of a peer; the far end may be one that nobody
 * has, and then that is what the explanation finds out.
 */
import { AwsError } from '../model/aws_error.ts'
import { interfacesOfInstance } from '../model/instance.ts'
import type { NetworkInterface } from '../model/network_interface.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { activePeering } from '../model/vpc_peering.ts'
import { cidrPrefix, prefixCovers } from '../mapping/prefix.ts'
import { addressWords, formatAddress, parseAddress } from '../wire/address.ts'
import {
  PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP
} from '../wire/ip_protocol.ts'

const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = {
  icmp: PROTOCOL_ICMP, tcp: PROTOCOL_TCP, udp: PROTOCOL_UDP, icmpv6: PROTOCOL_ICMPV6
}
const PROTOCOL_MAX = 255

export interface Ends {
  /** ENI that sends. */
  readonly eni: string
  readonly source: string
  readonly destination: string
  /** ENI that is meant; null when an address is, whoever has it. */
  readonly target: string | null
}

/**
 * @param from ENI, instance or address
 * @param to the same; an address is one of the VPC that `from` is in
 * @throws AwsError InvalidNetworkInterfaceID.NotFound, InvalidInstanceID.NotFound,
 *   InvalidParameterValue
 */
export function endsOf (snapshot: Snapshot, from: string, to: string, protocol: number): Ends {
  const sender = parseAddress(from) === null ? eniOf(snapshot, from) : ownerOf(snapshot, from)
  if (parseAddress(to) !== null) {
    const destination = canonical(to)
    const source = parseAddress(from) === null
      ? addressOf(sender, destination.includes(':'))
      : canonical(from)
    if (source === null || source.includes(':') !== destination.includes(':')) {
      throw invalid(`${sender.id} has no ${familyOf(destination)} address to reach ${to} from`)
    }
    return { eni: sender.id, source, destination, target: null }
  }
  const receiver = eniOf(snapshot, to)
  if (receiver.vpcId !== sender.vpcId &&
    activePeering(snapshot, sender.vpcId, receiver.vpcId) === undefined) {
    throw invalid(`${sender.id} (${sender.vpcId}) and ${receiver.id} (${receiver.vpcId}) are in ` +
      'two VPCs, and no active peering connects them')
  }
  const isIpv6 = parseAddress(from) === null
    ? protocol === PROTOCOL_ICMPV6 || !bothHaveIpv4(sender, receiver)
    : from.includes(':')
  const source = parseAddress(from) === null ? addressOf(sender, isIpv6) : canonical(from)
  const destination = addressOf(receiver, isIpv6)
  if (source === null || destination === null) {
    throw invalid(`${sender.id} and ${receiver.id} have no addresses of one family`)
  }
  return { eni: sender.id, source, destination, target: receiver.id }
}

/**
 * The number of a protocol by name or number.
 * @throws AwsError InvalidParameterValue
 */
export function protocolNumber (text: string): number {
  const known = PROTOCOL_NUMBERS[text]
  if (known !== undefined) return known
  const value = Number(text)
  if (/^\d+$/.test(text) && value <= PROTOCOL_MAX) return value
  throw invalid(`The protocol is tcp, udp, icmp, icmpv6 or a number up to 255, not "${text}"`)
}

/** @throws AwsError a `.NotFound`, or InvalidParameterValue for what is neither */
export function eniOf (snapshot: Snapshot, id: string): NetworkInterface {
  const eni = snapshot.tables.networkInterface.get(id)
  if (eni !== undefined) return eni
  const instance = snapshot.tables.instance.get(id)
  if (instance !== undefined) {
    const [first] = interfacesOfInstance(snapshot, instance)
    if (first === undefined) throw invalid(`The instance ${id} has no network interface`)
    return first
  }
  if (id.startsWith('eni-')) {
    throw new AwsError('InvalidNetworkInterfaceID.NotFound',
      `The networkInterface ID '${id}' does not exist`)
  }
  if (id.startsWith('i-')) {
    throw new AwsError('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`)
  }
  throw invalid(`"${id}" is no ENI, no instance and no IP address`)
}

/** The ENI that has an address, in whatever VPC; it must be the only one. */
function ownerOf (snapshot: Snapshot, address: string): NetworkInterface {
  const owners = [...snapshot.tables.networkInterface.values()]
    .filter((eni) => ownsAddress(eni, canonical(address)))
  const [owner, ...more] = owners
  if (owner === undefined) throw invalid(`No ENI has the address ${address}`)
  if (more.length > 0) {
    throw invalid(`${String(owners.length)} ENIs have the address ${address}, in as many VPCs: ` +
      `name one of them: ${owners.map(({ id }) => id).join(', ')}`)
  }
  return owner
}

/** Whether an address is the ENI's own, or of a prefix delegated to it. */
export function ownsAddress (eni: NetworkInterface, address: string): boolean {
  return eni.privateIpAddresses.includes(address) || eni.ipv6Addresses.includes(address) ||
    [...eni.ipv4Prefixes, ...eni.ipv6Prefixes].some((block) =>
      prefixCovers(cidrPrefix(block), addressWords(address)))
}

function bothHaveIpv4 (one: NetworkInterface, other: NetworkInterface): boolean {
  return one.privateIpAddresses.length > 0 && other.privateIpAddresses.length > 0
}

function addressOf (eni: NetworkInterface, isIpv6: boolean): string | null {
  return (isIpv6 ? eni.ipv6Addresses : eni.privateIpAddresses)[0] ?? null
}

function canonical (address: string): string { return formatAddress(addressWords(address)) }

function familyOf (address: string): string { return address.includes(':') ? 'IPv6' : 'IPv4' }

function invalid (message: string): AwsError {
  return new AwsError('InvalidParameterValue', message)
}
