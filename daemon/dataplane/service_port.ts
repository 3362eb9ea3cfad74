/**
 * The router's side of the services of a VPC (link_local_service.ts): takes what the path decided
 * to be for one of them, puts the address that stands for the sender into it, and gives it to the
 * services' TUN; takes their answers from there and puts the real addresses back. Stateless: an
 * answer says by its own addresses where it goes.
 *
 * An ENI may send SERVICE_PACKETS_PER_SECOND to all services together, counted in seconds that
 * begin with its first packet; what exceeds them is dropped. AWS EC2 User Guide, "Monitor network
 * performance": `linklocal_allowance_exceeded`.
 */
import { isIpv4Words, PREFIX_WORDS, wordMask } from '../wire/address.ts'
import { loadI32, loadU16 } from '../wire/bytes.ts'
import { checksumReplaceU32 } from '../wire/checksum.ts'
import { PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ip_protocol.ts'
import { IPV4_AT_CHECKSUM, IPV4_AT_DST, IPV4_AT_SRC, IPV4_VERSION } from '../wire/ipv4.ts'
import { IPV6_AT_DST, IPV6_AT_SRC } from '../wire/ipv6.ts'
import { TCP_AT_CHECKSUM } from '../wire/tcp.ts'
import { UDP_AT_CHECKSUM } from '../wire/udp.ts'
import { CSUM_NEEDED } from '../tun/descriptor.ts'
import {
  DROP_LINK_LOCAL_ALLOWANCE, DROP_NONE, DROP_PORT_CLOSED, DROP_TRANSMIT_QUEUE_FULL
} from './drop_reason.ts'
import {
  ACTIVATION_PORT, ADDRESS_INDEX_UNNAMED, DNS_PORT, HTTP_PORT, NTP_PORT, OCTET_ACTIVATION_250,
  OCTET_ACTIVATION_251, OCTET_DHCP, OCTET_DNS, OCTET_DNS_VPC, OCTET_METADATA, OCTET_TIME,
  ROUTER_LINK_LOCAL, SERVICES_IPV4_HIGH, SERVICES_IPV6_WORD, SERVICE_ACTIVATION_250,
  SERVICE_ACTIVATION_251, SERVICE_DHCP, SERVICE_DHCPV6, SERVICE_DNS, SERVICE_DNS_IPV6,
  SERVICE_DNS_VPC, SERVICE_METADATA, SERVICE_METADATA_IPV6, SERVICE_NONE, SERVICE_TIME,
  SERVICE_TIME_IPV6, SYNTHETIC_IPV6_WORD, WORD_DHCPV6, WORD_DNS, WORD_METADATA, WORD_TIME,
  epochOfName, indexOfName, isSyntheticIpv4, nameInIpv4, portOfName, syntheticIpv4, syntheticName
} from './link_local_service.ts'
import type { PacketContext } from './packet.ts'
import type { RouterParts } from './router_parts.ts'
import { parsePacket } from './steps/parse.ts'
import { PORTS_MAX } from './tables/port_table.ts'
import type { Tables } from './tables/tables.ts'
import { DHCP_SERVER_PORT, DHCPV6_SERVER_PORT } from '../wire/udp.ts'

/** AWS VPC User Guide, "DNS quotas"; EC2 User Guide, "Link-local addresses". */
export const SERVICE_PACKETS_PER_SECOND = 1024
const SECOND_MS = 1000
const BROADCAST_IPV4 = -1
const LINK_LOCAL_IPV6_WORD = 0xfe800000 | 0

/** Last byte of each IPv4 service in the services' namespace; index = SERVICE_*. */
const INSIDE_OCTET = new Int32Array([
  0, OCTET_DHCP, OCTET_DNS_VPC, OCTET_DNS, OCTET_METADATA, OCTET_TIME, OCTET_ACTIVATION_250,
  OCTET_ACTIVATION_251, 0, 0, 0, 0, 0, 0
])
/** Last word of each IPv6 service there. */
const INSIDE_WORD = new Int32Array([
  0, 0, 0, 0, 0, 0, 0, 0, WORD_DHCPV6, WORD_DNS, WORD_METADATA, WORD_TIME, 0, 0
])

export class ServicePort {
  /** The services' TUN; 0 while it is not open. */
  nicPort = 0
  /** [PORTS_MAX] when the ENI's present second began, ms, and the packets in it. */
  readonly #secondMs = new Float64Array(PORTS_MAX).fill(-SECOND_MS)
  readonly #packets = new Int32Array(PORTS_MAX)

  /**
   * Gives the packet of the ENI `p.portIndex` to the service `p.target`.
   * Precondition: steps/link_local_service.ts accepted it.
   * @returns DROP_NONE, or why it could not
   */
  hand (p: PacketContext, parts: RouterParts, nowMs: number): number {
    const { ports } = parts.tables
    if (!this.takeAllowance(p, nowMs)) return DROP_LINK_LOCAL_ALLOWANCE
    if (this.nicPort === 0) return DROP_PORT_CLOSED
    if (!parts.transmit.hasRoom(1)) return DROP_TRANSMIT_QUEUE_FULL
    const epoch = ports.epoch[p.portIndex]
    if (p.version === IPV4_VERSION) {
      replaceIpv4(p, parts.view, syntheticIpv4(epoch, p.portIndex, p.addressIndex, p.src3),
        (SERVICES_IPV4_HIGH << 8) | INSIDE_OCTET[p.target])
    } else {
      const name = syntheticName(epoch, p.portIndex, p.addressIndex)
      replaceIpv6(p, parts.view, IPV6_AT_SRC, SYNTHETIC_IPV6_WORD, name, p.src2, p.src3)
      replaceIpv6(p, parts.view, IPV6_AT_DST, SERVICES_IPV6_WORD, 0, 0, INSIDE_WORD[p.target])
    }
    parts.transmit.deliver(p, this.nicPort)
    return DROP_NONE
  }

  /** Counts the packet against its ENI's allowance. @returns false when that is used up */
  takeAllowance (p: PacketContext, nowMs: number): boolean {
    const port = p.portIndex
    if (nowMs - this.#secondMs[port] >= SECOND_MS) {
      this.#secondMs[port] = nowMs
      this.#packets[port] = 0
    }
    if (this.#packets[port] + p.segments > SERVICE_PACKETS_PER_SECOND) return false
    this.#packets[port] += p.segments
    return true
  }

  /**
   * Readdresses what came from the services' TUN to the ENI that it is for. Afterwards
   * `p.portIndex` is that ENI's port, and the context says what the packet says.
   * Precondition: the context was loaded.
   * @returns SERVICE_*; SERVICE_NONE when it is for nobody (any more): of an ENI that is gone, or
   *   no answer of a service
   */
  readdress (p: PacketContext, parts: RouterParts): number {
    const { tables, view } = parts
    if (parsePacket(p, view) !== DROP_NONE || p.isFragment !== 0) return SERVICE_NONE
    const service = p.version === IPV4_VERSION ? ipv4ServiceOf(p) : ipv6ServiceOf(p)
    if (service === SERVICE_NONE) return SERVICE_NONE
    const isIpv4 = p.version === IPV4_VERSION
    if (isIpv4 ? !isSyntheticIpv4(p.dst3) : p.dst0 !== SYNTHETIC_IPV6_WORD) return SERVICE_NONE
    const name = isIpv4 ? nameInIpv4(p.dst3) : p.dst1
    const port = portOfName(name)
    const { ports } = tables
    if (ports.present[port] === 0 || ports.epoch[port] !== epochOfName(name) ||
      ports.nicPort[port] === 0) return SERVICE_NONE
    p.portIndex = port
    p.vpcIndex = ports.vpcIndex[port]
    const found = isIpv4
      ? restoreIpv4(p, tables, view, indexOfName(name), service)
      : restoreIpv6(p, tables, view, indexOfName(name), service)
    return found ? service : SERVICE_NONE
  }
}

/** Which service answers, by its address and port. */
function ipv4ServiceOf (p: PacketContext): number {
  if ((p.src3 >>> 8) !== SERVICES_IPV4_HIGH) return SERVICE_NONE
  const port = p.ports >>> 16
  const isUdp = p.protocol === PROTOCOL_UDP
  if (!isUdp && p.protocol !== PROTOCOL_TCP) return SERVICE_NONE
  switch (p.src3 & 0xff) {
    case OCTET_DHCP: return isUdp && port === DHCP_SERVER_PORT ? SERVICE_DHCP : SERVICE_NONE
    case OCTET_DNS_VPC: return port === DNS_PORT ? SERVICE_DNS_VPC : SERVICE_NONE
    case OCTET_DNS: return port === DNS_PORT ? SERVICE_DNS : SERVICE_NONE
    case OCTET_METADATA: return !isUdp && port === HTTP_PORT ? SERVICE_METADATA : SERVICE_NONE
    case OCTET_TIME: return isUdp && port === NTP_PORT ? SERVICE_TIME : SERVICE_NONE
    case OCTET_ACTIVATION_250:
      return !isUdp && port === ACTIVATION_PORT ? SERVICE_ACTIVATION_250 : SERVICE_NONE
    case OCTET_ACTIVATION_251:
      return !isUdp && port === ACTIVATION_PORT ? SERVICE_ACTIVATION_251 : SERVICE_NONE
    default: return SERVICE_NONE
  }
}

function ipv6ServiceOf (p: PacketContext): number {
  if (p.src0 !== SERVICES_IPV6_WORD || (p.src1 | p.src2) !== 0) return SERVICE_NONE
  const port = p.ports >>> 16
  const isUdp = p.protocol === PROTOCOL_UDP
  if (!isUdp && p.protocol !== PROTOCOL_TCP) return SERVICE_NONE
  switch (p.src3) {
    case WORD_DHCPV6: return isUdp && port === DHCPV6_SERVER_PORT ? SERVICE_DHCPV6 : SERVICE_NONE
    case WORD_DNS: return port === DNS_PORT ? SERVICE_DNS_IPV6 : SERVICE_NONE
    case WORD_METADATA: return !isUdp && port === HTTP_PORT ? SERVICE_METADATA_IPV6 : SERVICE_NONE
    case WORD_TIME: return isUdp && port === NTP_PORT ? SERVICE_TIME_IPV6 : SERVICE_NONE
    default: return SERVICE_NONE
  }
}

function restoreIpv4 (
  p: PacketContext, tables: Tables, view: DataView, index: number, service: number
): boolean {
  let destination = BROADCAST_IPV4
  if (index !== ADDRESS_INDEX_UNNAMED) {
    const addresses = tables.ports.addresses(p.portIndex)
    const at = index * PREFIX_WORDS
    if (at >= addresses.length ||
      !isIpv4Words(addresses[at], addresses[at + 1], addresses[at + 2])) return false
    const mask = wordMask(addresses[at + 4] - 96)
    destination = (addresses[at + 3] & mask) | (p.dst3 & ~mask & 0xf)
  }
  let source = p.src3
  if (service === SERVICE_DHCP) {
    const router = tables.subnets.get(tables.ports.subnetIndex[p.portIndex])?.routerIpv4
    if (router === undefined) return false
    source = router[3] | 0
  } else if (service === SERVICE_DNS_VPC) {
    const vpc = tables.vpcs.get(p.vpcIndex)
    if (vpc === undefined) return false
    source = vpc.resolver[3] | 0
  }
  replaceIpv4(p, view, source, destination)
  return true
}

function restoreIpv6 (
  p: PacketContext, tables: Tables, view: DataView, index: number, service: number
): boolean {
  let word0 = LINK_LOCAL_IPV6_WORD
  let word1 = 0
  if (index !== ADDRESS_INDEX_UNNAMED) {
    const addresses = tables.ports.addresses(p.portIndex)
    const at = index * PREFIX_WORDS
    if (at >= addresses.length ||
      isIpv4Words(addresses[at], addresses[at + 1], addresses[at + 2])) return false
    word0 = addresses[at] | 0
    word1 = addresses[at + 1] | 0
  }
  replaceIpv6(p, view, IPV6_AT_DST, word0, word1, p.dst2, p.dst3)
  if (service === SERVICE_DHCPV6) {
    const [w0, w1, w2, w3] = ROUTER_LINK_LOCAL
    replaceIpv6(p, view, IPV6_AT_SRC, w0, w1, w2, w3)
  }
  return true
}

function replaceIpv4 (p: PacketContext, view: DataView, source: number, destination: number): void {
  replaceWord(p, view, IPV4_AT_SRC, source)
  replaceWord(p, view, IPV4_AT_DST, destination)
  p.src3 = source
  p.dst3 = destination
}

/** @param addressAt IPV6_AT_SRC or IPV6_AT_DST */
function replaceIpv6 (
  p: PacketContext, view: DataView, addressAt: number, w0: number, w1: number, w2: number,
  w3: number
): void {
  replaceWord(p, view, addressAt, w0)
  replaceWord(p, view, addressAt + 4, w1)
  replaceWord(p, view, addressAt + 8, w2)
  replaceWord(p, view, addressAt + 12, w3)
  if (addressAt === IPV6_AT_SRC) {
    p.src0 = w0
    p.src1 = w1
    p.src2 = w2
    p.src3 = w3
  } else {
    p.dst0 = w0
    p.dst1 = w1
    p.dst2 = w2
    p.dst3 = w3
  }
}

/** One word of an address, and the checksums that cover it (RFC 1624). */
function replaceWord (p: PacketContext, view: DataView, wordAt: number, value: number): void {
  const at = p.at + wordAt
  const old = loadI32(view, at)
  if (old === value) return
  view.setInt32(at, value)
  if (p.version === IPV4_VERSION) {
    const sumAt = p.at + IPV4_AT_CHECKSUM
    view.setUint16(sumAt, checksumReplaceU32(loadU16(view, sumAt), old, value))
  }
  const isUdp = p.protocol === PROTOCOL_UDP
  const sumAt = p.l4At + (isUdp ? UDP_AT_CHECKSUM : TCP_AT_CHECKSUM)
  const sum = loadU16(view, sumAt)
  if ((p.csum & CSUM_NEEDED) !== 0) {
    // The field holds the sum of the pseudo-header, not inverted.
    view.setUint16(sumAt, ~checksumReplaceU32(~sum & 0xffff, old, value) & 0xffff)
  } else if (!isUdp || sum !== 0) {
    const next = checksumReplaceU32(sum, old, value)
    view.setUint16(sumAt, isUdp && next === 0 ? 0xffff : next)
  }
}
