/**
 * The services that a VPC offers at addresses of its own, next to each ENI, and how a packet to one
 * of them is named on its way through the host (ADR 14):
 *
 *     ENI ── 10.0.1.10 → 10.0.0.2:53 ──▶ router ── 67.…  → 169.254.169.2:53 ──▶ services0, a TUN
 *     ENI ◀─ 10.0.0.2:53 → 10.0.1.10 ─── router ◀─ 169.254.169.2:53 → 67.…  ─── whose kernel and
 *                                                                              daemon answer
 *
 * The address that stands for the sender says which port of the host it came from and which of the
 * ENI's addresses it had, so that the answer finds back without a table, and so that whoever
 * answers knows the ENI from the device and from nothing that the packet says:
 *
 *     IPv4, 64.0.0.0/3   bits 010 │ epoch 7 │ port index 11 │ address index 7 │ low address bits 4
 *     IPv6, fd53::/32    fd53:0000 │ epoch 7, port index 11, address index 7 │ low 64 address bits
 *
 * The epoch tells the ENIs apart that had the same port index one after the other: an answer for
 * one that is gone is nobody's. The address index counts PortData.addresses; the low bits name an
 * address within a delegated prefix (/28, /80).
 *
 * AWS EC2 User Guide, "Link-local addresses"; systems 1.13, 1.14, 1.17, 1.18, 1.7.
 */

export const SERVICE_NONE = 0
export const SERVICE_DHCP = 1
/** The resolver at the base of the VPC plus two, and at its link-local addresses. */
export const SERVICE_DNS_VPC = 2
export const SERVICE_DNS = 3
export const SERVICE_METADATA = 4
export const SERVICE_TIME = 5
export const SERVICE_ACTIVATION_250 = 6
export const SERVICE_ACTIVATION_251 = 7
export const SERVICE_DHCPV6 = 8
export const SERVICE_DNS_IPV6 = 9
export const SERVICE_METADATA_IPV6 = 10
export const SERVICE_TIME_IPV6 = 11
/** Router solicitation: the data plane answers itself (router_advertisement.ts). */
export const SERVICE_ROUTER = 12
/** Neighbor solicitation of a guest on Ethernet, likewise (neighbor_advertisement.ts). */
export const SERVICE_NEIGHBOR = 13

/** What people call it; index = SERVICE_*. */
export const SERVICE_NAMES = [
  'none', 'DHCP', 'DNS', 'DNS', 'instance metadata', 'time', 'licence activation',
  'licence activation', 'DHCPv6', 'DNS', 'instance metadata', 'time', 'router', 'neighbor'
] as const

export const DNS_PORT = 53
export const HTTP_PORT = 80
export const NTP_PORT = 123
export const ACTIVATION_PORT = 1688

/** First three bytes of every IPv4 service: 169.254.169.0/24. */
export const SERVICES_IPV4_HIGH = 0xa9fea9
/** Last byte as instances know it. */
export const OCTET_DNS = 253
export const OCTET_METADATA = 254
export const OCTET_TIME = 123
export const OCTET_ACTIVATION_250 = 250
export const OCTET_ACTIVATION_251 = 251
/** Last byte in the namespace of the services, of what instances know by an address of the VPC. */
export const OCTET_DNS_VPC = 2
export const OCTET_DHCP = 67

/** fd00:ec2::<word>. */
export const SERVICES_IPV6_WORD = 0xfd000ec2 | 0
export const WORD_DNS = 0x253
export const WORD_METADATA = 0x254
export const WORD_TIME = 0x123
/** In the namespace of the services alone: instances ask ff02::1:2. */
export const WORD_DHCPV6 = 0x547
/** The router's link-local address, fe80:ec2::1, whatever the subnet. */
export const ROUTER_LINK_LOCAL = [0xfe800ec2 | 0, 0, 0, 1] as const

export const SYNTHETIC_IPV4_BLOCK = '64.0.0.0/3'
export const SYNTHETIC_IPV6_BLOCK = 'fd53::/32'
const SYNTHETIC_IPV4_TOP = 2 // 010
const SYNTHETIC_IPV4_TOP_SHIFT = 29
export const SYNTHETIC_IPV6_WORD = 0xfd530000 | 0

const OFFSET_BITS = 4
const INDEX_BITS = 7
const PORT_BITS = 11
const INDEX_MASK = (1 << INDEX_BITS) - 1
const PORT_MASK = (1 << PORT_BITS) - 1
/** Epochs count 0..EPOCH_MASK. */
export const EPOCH_MASK = 0x7f

/** In place of an address index: 0.0.0.0, or an address of fe80::/64. */
export const ADDRESS_INDEX_UNNAMED = INDEX_MASK
/** Address indices are below this; addresses of an ENI beyond it are not served. */
export const ADDRESS_INDEX_MAX = INDEX_MASK

/** The IPv4 address that stands for a sender. @param low the sender's own address */
export function syntheticIpv4 (epoch: number, port: number, index: number, low: number): number {
  return (SYNTHETIC_IPV4_TOP << SYNTHETIC_IPV4_TOP_SHIFT) |
    (syntheticName(epoch, port, index) << OFFSET_BITS) | (low & ((1 << OFFSET_BITS) - 1))
}

/** Second word of the IPv6 address that stands for a sender; words 2 and 3 are the sender's. */
export function syntheticName (epoch: number, port: number, index: number): number {
  return (((epoch << PORT_BITS) | port) << INDEX_BITS) | index
}

export function isSyntheticIpv4 (address: number): boolean {
  return (address >>> SYNTHETIC_IPV4_TOP_SHIFT) === SYNTHETIC_IPV4_TOP
}

/** The name within a synthetic IPv4 address, as syntheticName() makes it. */
export function nameInIpv4 (address: number): number {
  return (address & ((1 << SYNTHETIC_IPV4_TOP_SHIFT) - 1)) >>> OFFSET_BITS
}

export function portOfName (name: number): number { return (name >>> INDEX_BITS) & PORT_MASK }
export function indexOfName (name: number): number { return name & INDEX_MASK }
export function epochOfName (name: number): number {
  return (name >>> (INDEX_BITS + PORT_BITS)) & EPOCH_MASK
}
