/**
 * Destinations that a VPC does not route at all. A VPC has no broadcast and, without a transit
 * gateway, no multicast; link-local addresses are services of the VPC itself (systems 2.7 step 1),
 * and whoever asks for one that is not there gets no answer. fd00:ec2::/32 holds the IPv6 services
 * and is never routable (systems 1.7).
 */
import { DROP_LINK_LOCAL, DROP_MULTICAST, DROP_NONE } from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'

const IPV4_MAPPED = 0xffff
const MULTICAST_IPV4 = 0xe // 224.0.0.0/4, top 4 bits
const BROADCAST_IPV4 = -1 // 255.255.255.255
const LINK_LOCAL_IPV4 = 0xa9fe // 169.254.0.0/16
const MULTICAST_IPV6 = 0xff // ff00::/8
const LINK_LOCAL_IPV6 = 0xfe80 >>> 6 // fe80::/10, top 10 bits
const SERVICES_IPV6 = 0xfd000ec2 | 0 // fd00:ec2::/32

/** @returns DROP_NONE, DROP_MULTICAST or DROP_LINK_LOCAL */
export function checkDestinationScope (p: PacketContext): number {
  if ((p.dst0 | p.dst1) === 0 && p.dst2 === IPV4_MAPPED) return scopeOfIpv4(p.dst3)
  if ((p.dst0 >>> 24) === MULTICAST_IPV6) return DROP_MULTICAST
  if ((p.dst0 >>> 22) === LINK_LOCAL_IPV6 || p.dst0 === SERVICES_IPV6) return DROP_LINK_LOCAL
  return DROP_NONE
}

/** The same for an IPv4 address alone, int32. */
export function scopeOfIpv4 (address: number): number {
  if ((address >>> 28) === MULTICAST_IPV4 || address === BROADCAST_IPV4) return DROP_MULTICAST
  return (address >>> 16) === LINK_LOCAL_IPV4 ? DROP_LINK_LOCAL : DROP_NONE
}
