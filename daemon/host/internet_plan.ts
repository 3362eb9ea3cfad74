/**
 * The internet of a lab on one machine, as data: a router, and hosts behind it. Pure; internet.ts
 * looks and runs.
 *
 *        <lab>-internet                <lab>-internet-router
 *       ┌─────────────────────┐       ┌──────────────────────────────────┐
 *       │ hosts               │       │                 edge-1  TUN ═════╪══ edge 1's data plane
 *       │ eth0 198.51.100.10  ╪═ veth ╪═ hosts0         edge-2  TUN ═════╪══ edge 2's
 *       │      2001:db8:ffff::10      │  198.51.100.1   edge-3  TUN ═════╪══ edge 3's
 *       └─────────────────────┘       │ lo: public services              │
 *                                     └──────────────────────────────────┘
 *
 * What AWS has outside of every VPC (S3 …, public_services.ts) answers in the router, so that every
 * port of the hosts is free for who runs programs there.
 *
 * Towards the lab's public addresses the router has one route with every edge as a next hop, by
 * hash of the flow. An edge that dies takes its carrier along, and the kernel leaves it out.
 */
import { PUBLIC_SERVICES, publicServiceAddress } from '../model/prefix_list_aws.ts'
import type { NamespaceView } from './namespace_view.ts'

export const HOSTS_DEVICE = 'hosts0'
export const INTERNET_DEVICE = 'eth0'
export const INTERNET_MTU = 1500
/**
 * Largest super-packet that hosts send: what the TUN of an edge takes whole
 * (tun/native/tun.h). Larger ones the router would cut up, all of them.
 */
const GSO_BYTES_MAX = 61_440
/** Of the public services, on the router's own device. */
const SERVICES_DEVICE = 'lo'
const SERVICE_ADDRESSES = PUBLIC_SERVICES.map(publicServiceAddress)
/** What the lab announces: its public addresses, and the IPv6 blocks of its VPCs. */
export const PUBLIC_IPV4 = '203.0.113.0/24'
export const PUBLIC_IPV6 = '2001:db8::/32'
const ROUTER_ADDRESSES = ['198.51.100.1/24', '2001:db8:ffff::1/64'] as const
/** Addresses of hosts on the internet: so many, that a test can have several of them. */
const HOST_ADDRESSES = [
  ...Array.from({ length: 10 }, (_none, index) => `198.51.100.${String(10 + index)}/24`),
  ...Array.from({ length: 10 }, (_none, index) => `2001:db8:ffff::${String(10 + index)}/64`)
]

/** Kernel settings of the router: it forwards, and leaves out what has no carrier. */
export const ROUTER_SETTINGS = [
  'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1', 'net.ipv4.conf.all.rp_filter=0',
  'net.ipv4.conf.default.rp_filter=0', 'net.ipv4.fib_multipath_hash_policy=1',
  'net.ipv6.fib_multipath_hash_policy=1', 'net.ipv4.conf.all.ignore_routes_with_linkdown=1',
  'net.ipv4.conf.default.ignore_routes_with_linkdown=1',
  'net.ipv6.conf.all.ignore_routes_with_linkdown=1',
  'net.ipv6.conf.default.ignore_routes_with_linkdown=1', 'net.ipv4.conf.all.send_redirects=0',
  'net.ipv6.conf.all.accept_dad=0', 'net.ipv6.conf.default.accept_dad=0',
  'net.ipv4.icmp_ratelimit=0', 'net.ipv6.icmp.ratelimit=0'
]
/** What the router's kernel says of its own to neighbours in IPv6, no edge is to hear. */
export const ROUTER_RULES = `add table ip6 quiet
  add chain ip6 quiet out { type filter hook output priority filter; }
  add rule ip6 quiet out oifname != "${HOSTS_DEVICE}" ip6 daddr ff00::/8 drop`
export const INTERNET_SETTINGS = [
  'net.ipv4.ip_forward=0', 'net.ipv6.conf.all.forwarding=0',
  'net.ipv6.conf.all.accept_dad=0', 'net.ipv6.conf.default.accept_dad=0'
]

export interface InternetPlan {
  /** For the router's namespace; they make the hosts' end of the veth, too. */
  readonly routerLines: readonly string[]
  /** For the hosts' namespace, after the above. */
  readonly hostLines: readonly string[]
}

/**
 * @param hostNamespace name of the namespace of the internet's hosts
 * @param edges names of the edges, and of their devices
 */
export function planInternet (
  hostNamespace: string, edges: readonly string[], router: NamespaceView, hosts: NamespaceView
): InternetPlan {
  const routerLines: string[] = []
  const hostLines: string[] = []
  const inside = router.links.find(({ name }) => name === HOSTS_DEVICE)
  const outside = hosts.links.find(({ name }) => name === INTERNET_DEVICE)
  if (inside === undefined || outside === undefined) {
    if (inside !== undefined) routerLines.push(`link del ${HOSTS_DEVICE}`)
    else if (outside !== undefined) hostLines.push(`link del ${INTERNET_DEVICE}`)
    const mtu = String(INTERNET_MTU)
    routerLines.push(
      'link set lo up',
      `link add ${HOSTS_DEVICE} mtu ${mtu} type veth ` +
        `peer name ${INTERNET_DEVICE} mtu ${mtu} netns ${hostNamespace}`,
      `link set ${HOSTS_DEVICE} up`,
      ...ROUTER_ADDRESSES.map((address) => `addr add ${address} dev ${HOSTS_DEVICE}`))
    hostLines.push(
      'link set lo up',
      `link set ${INTERNET_DEVICE} gso_max_size ${String(GSO_BYTES_MAX)} up`,
      ...HOST_ADDRESSES.map((address) => `addr add ${address} dev ${INTERNET_DEVICE}`),
      ...ROUTER_ADDRESSES.map((address) => `route add default via ${address.split('/')[0] ?? ''}`))
  }
  const onLoopback = router.links.find(({ name }) => name === SERVICES_DEVICE)?.addresses ?? []
  for (const address of SERVICE_ADDRESSES) {
    if (onLoopback.some((held) => held.address === address)) continue
    routerLines.push(`addr add ${address}/32 dev ${SERVICES_DEVICE}`)
  }
  const missing = edges.filter((edge) => !router.links.some(({ name }) => name === edge))
  for (const edge of missing) {
    routerLines.push(`tuntap add dev ${edge} mode tun vnet_hdr`,
      `link set ${edge} addrgenmode none`, `link set ${edge} mtu ${String(INTERNET_MTU)} up`)
  }
  if (missing.length > 0 || !router.routes.some(({ destination }) => destination === PUBLIC_IPV4)) {
    routerLines.push(...routesTo(edges))
  }
  return { routerLines, hostLines }
}

/** One route per family, over every edge. */
function routesTo (edges: readonly string[]): string[] {
  const hops = (via: string): string =>
    edges.map((edge) => `nexthop ${via}dev ${edge} weight 1`).join(' ')
  // In IPv6 a next hop of several needs an address; a TUN has nobody to ask for it.
  return [
    `route replace ${PUBLIC_IPV4} ${hops('')}`,
    `route replace ${PUBLIC_IPV6} ${hops('via fe80::1 ')}`
  ]
}
