/**
 * The internet gateway, systems 4.1 and 2.5: where a VPC meets the internet. It keeps no state, so
 * any edge serves any packet. IPv4 is translated one to one, ports unchanged, whatever the
 * protocol; IPv6 is left as it is, and only addresses of the VPC pass.
 *
 * What is written here into the context's addresses is written into the packet when it is sent
 * (translate.ts).
 */
import { IPV4_MAPPED_WORD } from '../../wire/address.ts'
import { IPV4_VERSION } from '../../wire/ipv4.ts'
import { ACTION_UPLINK } from '../action.ts'
import {
  DROP_MARTIAN, DROP_NO_PUBLIC_ADDRESS, DROP_NONE, DROP_PORT_CLOSED, DROP_PUBLIC_ADDRESS_UNKNOWN,
  DROP_TOO_BIG
} from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'
import type { Tables } from '../tables/tables.ts'
import { PORT_KIND_EGRESS_ONLY, PORT_KIND_INTERNET_GATEWAY } from '../tables/update.ts'
import { REWRITE_DESTINATION, REWRITE_SOURCE } from '../translate.ts'

/** Largest packet that crosses between a VPC and the internet, bytes. */
export const INTERNET_MTU = 1500

/**
 * Whether the internet routes an address (int32 words): no private, loopback, link-local, shared,
 * benchmarking, multicast or reserved one (RFC 6890). The documentation blocks are the internet of
 * a lab.
 */
export function isMartian (w0: number, w1: number, w2: number, w3: number): boolean {
  if ((w0 | w1) === 0 && w2 === IPV4_MAPPED_WORD) {
    const first = w3 >>> 24
    return first === 0 || first === 10 || first === 127 || first >= 224 ||
      (w3 >>> 22) === 0x191 || // 100.64.0.0/10
      (w3 >>> 16) === 0xa9fe || // 169.254.0.0/16
      (w3 >>> 20) === 0xac1 || // 172.16.0.0/12
      (w3 >>> 16) === 0xc0a8 || // 192.168.0.0/16
      (w3 >>> 8) === 0xc00000 || // 192.0.0.0/24
      (w3 >>> 17) === 0x6309 // 198.18.0.0/15
  }
  return (w0 >>> 29) !== 1 // what is not 2000::/3 is not global unicast (RFC 4291 §2.4)
}

/** For a packet to the internet. @returns DROP_NONE or DROP_MARTIAN */
export function checkInternetDestination (p: PacketContext): number {
  return isMartian(p.dst0, p.dst1, p.dst2, p.dst3) ? DROP_MARTIAN : DROP_NONE
}

/** For a packet from the internet. @returns DROP_NONE or DROP_MARTIAN */
export function checkInternetSource (p: PacketContext): number {
  return isMartian(p.src0, p.src1, p.src2, p.src3) ? DROP_MARTIAN : DROP_NONE
}

/**
 * Gives a packet of VPC `vpcIndex` the public address of its source.
 * @returns DROP_NONE or DROP_NO_PUBLIC_ADDRESS
 */
export function takePublicSource (p: PacketContext, tables: Tables): number {
  const { publicAddresses } = tables
  if (p.version !== IPV4_VERSION) {
    return publicAddresses.findIpv6(p.src0, p.src1, p.src2, p.src3) === p.vpcIndex
      ? DROP_NONE
      : DROP_NO_PUBLIC_ADDRESS
  }
  if (!publicAddresses.findPublic(p.vpcIndex, p.src3)) return DROP_NO_PUBLIC_ADDRESS
  p.src3 = publicAddresses.foundAddress
  p.rewrites |= REWRITE_SOURCE
  return DROP_NONE
}

/**
 * Finds the VPC that has the destination, and gives the packet the private address behind it:
 * `vpcIndex`, and `portIndex` is the VPC's internet gateway; for IPv6, its egress-only one when
 * it has no other.
 * @returns DROP_NONE or DROP_PUBLIC_ADDRESS_UNKNOWN
 */
export function takePrivateDestination (p: PacketContext, tables: Tables): number {
  const { publicAddresses, ports } = tables
  const isIpv4 = p.version === IPV4_VERSION
  let vpcIndex = 0
  if (!isIpv4) vpcIndex = publicAddresses.findIpv6(p.dst0, p.dst1, p.dst2, p.dst3)
  else if (publicAddresses.findPrivate(p.dst3)) vpcIndex = publicAddresses.foundVpcIndex
  let gateway = vpcIndex === 0 ? 0 : ports.gatewayOf(vpcIndex, PORT_KIND_INTERNET_GATEWAY)
  if (gateway === 0 && vpcIndex !== 0 && !isIpv4) {
    gateway = ports.gatewayOf(vpcIndex, PORT_KIND_EGRESS_ONLY)
  }
  if (gateway === 0) return DROP_PUBLIC_ADDRESS_UNKNOWN
  p.vpcIndex = vpcIndex
  p.portIndex = gateway
  if (isIpv4) {
    p.dst3 = publicAddresses.foundAddress
    p.rewrites |= REWRITE_DESTINATION
  }
  return DROP_NONE
}

/** Sends the packet to the internet. @returns DROP_NONE, DROP_TOO_BIG or DROP_PORT_CLOSED */
export function leaveForInternet (p: PacketContext, tables: Tables): number {
  if (p.wireBytesMax > INTERNET_MTU) return DROP_TOO_BIG
  if (tables.uplinkNicPort === 0) return DROP_PORT_CLOSED
  p.action = ACTION_UPLINK
  p.target = tables.uplinkNicPort
  return DROP_NONE
}
