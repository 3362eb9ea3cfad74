/**
 * The namespace of a host's services: one TUN to the host's router, the services' addresses on it,
 * and a route to the addresses that stand for ENIs (dataplane/link_local_service.ts). Its kernel
 * speaks UDP and TCP; the daemon's sockets in it answer (services/).
 *
 *     <lab>-services-<host>
 *       services0   169.254.169.253, …    64.0.0.0/3 ──▶ services0
 *                   fd00:ec2::253, …      fd53::/32  ──▶ services0
 */
import {
  OCTET_ACTIVATION_250, OCTET_ACTIVATION_251, OCTET_DHCP, OCTET_DNS, OCTET_DNS_VPC, OCTET_METADATA,
  OCTET_TIME, SYNTHETIC_IPV4_BLOCK, SYNTHETIC_IPV6_BLOCK, WORD_DHCPV6, WORD_DNS, WORD_METADATA,
  WORD_TIME
} from '../dataplane/link_local_service.ts'
import { serviceIpv4, serviceIpv6 } from '../services/address.ts'
import { runIpBatch } from './command.ts'
import { viewNamespace } from './namespace_view.ts'
import type { NamespaceView } from './namespace_view.ts'
import { namespaceName } from './paths.ts'
import { ensureNamespace } from './topology.ts'

export const SERVICE_DEVICE = 'services0'
/** Answers that wait for the router, packets: a second of many ENIs' questions. */
const QUEUE_PACKETS = 10_000

const SETTINGS = [
  'net.ipv4.ip_forward=0', 'net.ipv6.conf.all.forwarding=0', 'net.ipv6.conf.all.accept_ra=0',
  'net.ipv6.conf.default.accept_ra=0', 'net.ipv4.conf.all.accept_redirects=0',
  'net.ipv6.conf.all.accept_redirects=0', 'net.ipv4.conf.all.accept_source_route=0'
]

const ADDRESSES = [
  ...[
    OCTET_DHCP, OCTET_DNS_VPC, OCTET_DNS, OCTET_METADATA, OCTET_TIME, OCTET_ACTIVATION_250,
    OCTET_ACTIVATION_251
  ].map((octet) => ({ address: serviceIpv4(octet), prefixLength: 32 })),
  ...[WORD_DHCPV6, WORD_DNS, WORD_METADATA, WORD_TIME]
    .map((word) => ({ address: serviceIpv6(word), prefixLength: 128 }))
]

export function serviceNamespace (lab: string, host: string): string {
  return namespaceName(lab, `services-${host}`)
}

/**
 * Makes the namespace, or adds what is missing in it.
 * @param mtu bytes, of the ENIs' devices
 * @returns whether it was made anew: sockets in the old one lead nowhere
 * @throws VpclabError VPCLAB_ERR_COMMAND
 */
export async function ensureServiceNamespace (
  lab: string, host: string, mtu: number
): Promise<boolean> {
  const namespace = serviceNamespace(lab, host)
  const isNew = await ensureNamespace(namespace, SETTINGS)
  const view = isNew ? null : await viewNamespace(namespace)
  const lines = planServiceNamespace(view, mtu)
  if (lines.length > 0) await runIpBatch(namespace, lines)
  return isNew
}

/** @param view null: there is nothing */
export function planServiceNamespace (view: NamespaceView | null, mtu: number): string[] {
  const lines: string[] = []
  if (view?.links.find(({ name }) => name === 'lo')?.up !== true) lines.push('link set lo up')
  const device = view?.links.find(({ name }) => name === SERVICE_DEVICE)
  if (device === undefined) {
    lines.push(`tuntap add dev ${SERVICE_DEVICE} mode tun vnet_hdr`)
    lines.push(`link set ${SERVICE_DEVICE} addrgenmode none txqueuelen ${String(QUEUE_PACKETS)}`)
  }
  if (device?.mtu !== mtu) lines.push(`link set ${SERVICE_DEVICE} mtu ${String(mtu)}`)
  if (device?.up !== true) lines.push(`link set ${SERVICE_DEVICE} up`)
  for (const { address, prefixLength } of ADDRESSES) {
    if (device?.addresses.some((entry) => entry.address === address) === true) continue
    const nodad = address.includes(':') ? ' nodad' : ''
    lines.push(`addr add ${address}/${String(prefixLength)} dev ${SERVICE_DEVICE}${nodad}`)
  }
  if (device?.up !== true) {
    lines.push(`route replace ${SYNTHETIC_IPV4_BLOCK} dev ${SERVICE_DEVICE}`)
    lines.push(`route replace ${SYNTHETIC_IPV6_BLOCK} dev ${SERVICE_DEVICE}`)
  }
  return lines
}
