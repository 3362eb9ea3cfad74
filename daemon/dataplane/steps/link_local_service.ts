/**
 * Step 1: packets for the services of the VPC (link_local_service.ts). They are answered on this
 * host: no group, ACL or route is asked, nothing is encapsulated, no flow is kept or logged. What
 * is like one and names no service that answers goes on to the next step, and ends there.
 *
 * The source must be the ENI's own, whatever its source/destination check says: nobody else's
 * address could be found back. 0.0.0.0 asks for a lease, and IPv6 knows the link-local address.
 */
import { ACTION_SERVICE } from '../action.ts'
import { findPrefix, IPV4_MAPPED_WORD } from '../../wire/address.ts'
import * as icmpv6 from '../../wire/icmpv6.ts'
import * as ipProtocol from '../../wire/ip_protocol.ts'
import * as ipv6 from '../../wire/ipv6.ts'
import * as udp from '../../wire/udp.ts'
import { DROP_LINK_LOCAL, DROP_NONE, DROP_SOURCE_SPOOFED } from '../drop_reason.ts'
import * as service from '../link_local_service.ts'
import type { PacketContext } from '../packet.ts'
import type { Tables } from '../tables/tables.ts'
import { EGRESS } from '../tables/flow_layout.ts'
import { chooseMirror } from './mirror.ts'
import { asksForNeighbor } from './neighbor.ts'

const {
  ACTIVATION_PORT, ADDRESS_INDEX_MAX, ADDRESS_INDEX_UNNAMED, DNS_PORT, HTTP_PORT, NTP_PORT,
  OCTET_ACTIVATION_250, OCTET_ACTIVATION_251, OCTET_DNS, OCTET_METADATA, OCTET_TIME,
  SERVICES_IPV4_HIGH, SERVICES_IPV6_WORD, SERVICE_ACTIVATION_250, SERVICE_ACTIVATION_251,
  SERVICE_DHCP, SERVICE_DHCPV6, SERVICE_DNS, SERVICE_DNS_IPV6, SERVICE_DNS_VPC, SERVICE_METADATA,
  SERVICE_METADATA_IPV6, SERVICE_NEIGHBOR, SERVICE_NONE, SERVICE_ROUTER, SERVICE_TIME,
  SERVICE_TIME_IPV6, WORD_DNS, WORD_METADATA, WORD_TIME
} = service
const { PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP } = ipProtocol
const { ICMPV6_ROUTER_SOLICITATION } = icmpv6
const { IPV6_HEADER_BYTES } = ipv6
const { DHCP_SERVER_PORT, DHCPV6_SERVER_PORT } = udp

const BROADCAST_IPV4 = -1
const LINK_LOCAL_IPV6_WORD = 0xfe800000 | 0
const MULTICAST_LINK_IPV6_WORD = 0xff020000 | 0
/** Last words of ff02::2, all routers, and ff02::1:2, all DHCP agents (RFC 8415 §7.1). */
const ALL_ROUTERS_WORD = 2
const ALL_DHCP_AGENTS_WORD = 0x10002

/** @returns SERVICE_*; SERVICE_NONE when the packet is for none that answers */
export function findService (p: PacketContext, tables: Tables, view: DataView): number {
  if (p.isFragment !== 0) return SERVICE_NONE
  const port = p.ports & 0xffff
  if ((p.dst0 | p.dst1) === 0 && p.dst2 === IPV4_MAPPED_WORD) return findIpv4(p, tables, port)
  // An extension header could name another destination for the checksum.
  if (p.l4At !== p.at + IPV6_HEADER_BYTES) return SERVICE_NONE
  return asksForNeighbor(p, tables, view) ? SERVICE_NEIGHBOR : findIpv6(p, tables, port)
}

function findIpv4 (p: PacketContext, tables: Tables, port: number): number {
  const isUdp = p.protocol === PROTOCOL_UDP
  const isTcp = p.protocol === PROTOCOL_TCP
  if ((p.dst3 >>> 8) === SERVICES_IPV4_HIGH) {
    switch (p.dst3 & 0xff) {
      case OCTET_DNS:
        return (isUdp || isTcp) && port === DNS_PORT && resolves(p, tables)
          ? SERVICE_DNS : SERVICE_NONE
      case OCTET_METADATA: return isTcp && port === HTTP_PORT ? SERVICE_METADATA : SERVICE_NONE
      case OCTET_TIME: return isUdp && port === NTP_PORT ? SERVICE_TIME : SERVICE_NONE
      case OCTET_ACTIVATION_250:
        return isTcp && port === ACTIVATION_PORT ? SERVICE_ACTIVATION_250 : SERVICE_NONE
      case OCTET_ACTIVATION_251:
        return isTcp && port === ACTIVATION_PORT ? SERVICE_ACTIVATION_251 : SERVICE_NONE
      default: return SERVICE_NONE
    }
  }
  if (port === DNS_PORT && (isUdp || isTcp)) {
    const vpc = tables.vpcs.get(p.vpcIndex)
    return vpc !== undefined && vpc.resolver[2] === IPV4_MAPPED_WORD &&
      (vpc.resolver[3] | 0) === p.dst3
      ? SERVICE_DNS_VPC : SERVICE_NONE
  }
  if (port === DHCP_SERVER_PORT && isUdp) {
    const router = tables.subnets.get(tables.ports.subnetIndex[p.portIndex])?.routerIpv4
    if (router === undefined || router[2] !== IPV4_MAPPED_WORD) return SERVICE_NONE
    return p.dst3 === BROADCAST_IPV4 || p.dst3 === (router[3] | 0) ? SERVICE_DHCP : SERVICE_NONE
  }
  return SERVICE_NONE
}

function findIpv6 (p: PacketContext, tables: Tables, port: number): number {
  if (p.dst0 === SERVICES_IPV6_WORD && (p.dst1 | p.dst2) === 0) {
    switch (p.dst3) {
      case WORD_DNS:
        return (p.protocol === PROTOCOL_UDP || p.protocol === PROTOCOL_TCP) &&
          port === DNS_PORT && resolves(p, tables)
          ? SERVICE_DNS_IPV6 : SERVICE_NONE
      case WORD_METADATA:
        return p.protocol === PROTOCOL_TCP && port === HTTP_PORT
          ? SERVICE_METADATA_IPV6 : SERVICE_NONE
      case WORD_TIME:
        return p.protocol === PROTOCOL_UDP && port === NTP_PORT ? SERVICE_TIME_IPV6 : SERVICE_NONE
      default: return SERVICE_NONE
    }
  }
  if (p.dst0 !== MULTICAST_LINK_IPV6_WORD || (p.dst1 | p.dst2) !== 0) return SERVICE_NONE
  const router = tables.subnets.get(tables.ports.subnetIndex[p.portIndex])?.routerIpv6
  if (router === undefined || router[0] === 0) return SERVICE_NONE
  if (p.dst3 === ALL_DHCP_AGENTS_WORD) {
    return p.protocol === PROTOCOL_UDP && port === DHCPV6_SERVER_PORT
      ? SERVICE_DHCPV6 : SERVICE_NONE
  }
  return p.dst3 === ALL_ROUTERS_WORD && p.protocol === PROTOCOL_ICMPV6 &&
    p.icmpType === ICMPV6_ROUTER_SOLICITATION
    ? SERVICE_ROUTER : SERVICE_NONE
}

/** Whether the VPC has DNS support. */
function resolves (p: PacketContext, tables: Tables): boolean {
  const vpc = tables.vpcs.get(p.vpcIndex)
  return vpc !== undefined && vpc.resolver[2] === IPV4_MAPPED_WORD
}

/**
 * Makes the packet one for the service `which`: ACTION_SERVICE, and `addressIndex`.
 * @returns DROP_NONE; DROP_SOURCE_SPOOFED or DROP_LINK_LOCAL for a source that is not the ENI's
 */
export function enterService (p: PacketContext, tables: Tables, which: number): number {
  p.action = ACTION_SERVICE
  p.target = which
  p.addressIndex = addressIndexOf(p, tables, which)
  if (p.addressIndex < 0) {
    return tables.ports.sourceDestCheck[p.portIndex] !== 0 ? DROP_SOURCE_SPOOFED : DROP_LINK_LOCAL
  }
  // Of all services a mirror sees only the resolver, and only where its filter names it.
  if (which === SERVICE_DNS_VPC) chooseMirror(p, tables, EGRESS)
  return DROP_NONE
}

/** Which of the ENI's addresses the source is, ADDRESS_INDEX_UNNAMED, or -1. */
function addressIndexOf (p: PacketContext, tables: Tables, which: number): number {
  if (which === SERVICE_DHCP && p.src3 === 0) return ADDRESS_INDEX_UNNAMED
  if (p.src0 === LINK_LOCAL_IPV6_WORD && p.src1 === 0) return ADDRESS_INDEX_UNNAMED
  const asksTheRouter = which === SERVICE_ROUTER || which === SERVICE_NEIGHBOR
  if (asksTheRouter && (p.src0 | p.src1 | p.src2 | p.src3) === 0) return ADDRESS_INDEX_UNNAMED
  const index = findPrefix(tables.ports.addresses(p.portIndex), p.src0, p.src1, p.src2, p.src3)
  return index < ADDRESS_INDEX_MAX ? index : -1
}
