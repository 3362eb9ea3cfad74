/**
 * What the inside of an instance must look like, and which lines of `ip` lead there from what is
 * there now. Pure: `namespace_view.ts` looks, `instance_namespace.ts` runs the lines.
 *
 * An ENI is a TUN device `eth<deviceIndex>` with the ENI's addresses, a default route to the router
 * of its subnet and nothing else. Several ENIs need source routing, as on EC2: what leaves with the
 * address of eth1 must leave through eth1, or the source check drops it. So every ENI but the first
 * has a table of its own, 10000 + deviceIndex, and one rule per address that leads there; its
 * routes in the main table stand behind those of eth0 by a higher metric.
 *
 * What is ours and what is the user's: devices named eth<n> without a link layer, addresses within
 * the ENI's subnets, and rules to tables 10001..10099 are ours and are brought in line. Delegated
 * prefixes, and whatever else somebody sets up inside an instance, are theirs and stay.
 */
import { DEVICE_INDEX_MAX } from '../model/network_interface.ts'
import { TABLE_MAIN } from './namespace_view.ts'
import type { AddressView, LinkView, NamespaceView } from './namespace_view.ts'

/** Table, rule priority and metric of ENI n are this plus n. */
export const TABLE_BASE = 10_000
/** What the kernel gives an IPv6 route that names no metric. */
const IPV6_METRIC = 1024

const OUR_DEVICE_PATTERN = /^eth(\d{1,2})$/

export interface DesiredAddress {
  readonly address: string
  readonly prefixLength: number
  /** Router of the subnet; the next hop of the default route. */
  readonly gateway: string
}

export interface DesiredInterface {
  readonly networkInterfaceId: string
  readonly deviceIndex: number
  readonly mtu: number
  /** Primary IPv4 first, then the other IPv4, then IPv6. */
  readonly addresses: readonly DesiredAddress[]
  /** Delegated prefixes: rules lead them to the device, nothing is set on it. */
  readonly prefixes: readonly string[]
  /** Whether an address that is no desired one is a leftover of this ENI (and no delegated one). */
  readonly owns: (address: string) => boolean
}

export interface InstancePlan {
  /** Lines for `ip -batch`; empty when nothing is missing. */
  readonly lines: readonly string[]
  /** Lines for `ip -6 -batch`: rules do not tell their family by themselves. */
  readonly ipv6Lines: readonly string[]
  /** Devices that the lines create: their ports have to be opened again. */
  readonly createdDevices: readonly string[]
}

export function deviceName (deviceIndex: number): string { return `eth${String(deviceIndex)}` }

/** From what is there to what must be there, in the order in which it works. */
export function planInstance (
  desired: readonly DesiredInterface[], view: NamespaceView
): InstancePlan {
  const lines: string[] = []
  const ipv6Lines: string[] = []
  const createdDevices: string[] = []
  const loopback = view.links.find((link) => link.name === 'lo')
  if (loopback?.up !== true) lines.push('link set lo up')
  removeForeignDevices(desired, view, lines)
  removeForeignRules(desired, view, lines, ipv6Lines)
  for (const eni of desired) {
    const device = deviceName(eni.deviceIndex)
    const link = view.links.find((candidate) => candidate.name === device)
    const fresh = link === undefined || !isTun(link)
    if (link !== undefined && fresh) lines.push(`link del ${device}`)
    if (fresh) {
      lines.push(`tuntap add dev ${device} mode tun vnet_hdr`)
      lines.push(`link set ${device} addrgenmode none mtu ${String(eni.mtu)}`)
      createdDevices.push(device)
    }
    if (fresh || !link.up) lines.push(`link set ${device} up`)
    planAddresses(eni, fresh ? [] : link.addresses, lines)
    // A link that goes down or away takes its routes along, whatever the view still says.
    planRoutes(eni, fresh || !link.up ? null : view, lines)
    planRules(eni, view, lines, ipv6Lines)
  }
  return { lines, ipv6Lines, createdDevices }
}

function isTun (link: LinkView): boolean { return link.linkType === 'none' }

function isIpv6 (address: string): boolean { return address.includes(':') }

function metricOf (eni: DesiredInterface): number {
  return eni.deviceIndex === 0 ? 0 : TABLE_BASE + eni.deviceIndex
}

function removeForeignDevices (
  desired: readonly DesiredInterface[], view: NamespaceView, lines: string[]
): void {
  for (const link of view.links) {
    const index = OUR_DEVICE_PATTERN.exec(link.name)?.[1]
    if (index === undefined || !isTun(link)) continue
    const wanted = desired.some((eni) => eni.deviceIndex === Number(index))
    if (!wanted) lines.push(`link del ${link.name}`)
  }
}

function removeForeignRules (
  desired: readonly DesiredInterface[], view: NamespaceView, lines: string[], ipv6Lines: string[]
): void {
  for (const rule of view.rules) {
    if (rule.table <= TABLE_BASE || rule.table > TABLE_BASE + DEVICE_INDEX_MAX) continue
    const owner = desired.find((eni) => TABLE_BASE + eni.deviceIndex === rule.table)
    if (owner !== undefined && ruleSources(owner).includes(rule.source)) continue
    const target = isIpv6(rule.source) ? ipv6Lines : lines
    target.push(`rule del from ${rule.source} lookup ${String(rule.table)}`)
  }
}

function planAddresses (
  eni: DesiredInterface, present: readonly AddressView[], lines: string[]
): void {
  const device = deviceName(eni.deviceIndex)
  const kept: AddressView[] = []
  const misordered = isPrimaryBehind(eni, present)
  for (const entry of present) {
    const wanted = eni.addresses.some((desired) => isSameAddress(desired, entry))
    if (wanted && !(misordered && !isIpv6(entry.address))) kept.push(entry)
    else if (wanted || eni.owns(entry.address)) {
      lines.push(`addr del ${entry.address}/${String(entry.prefixLength)} dev ${device}`)
    }
  }
  const metric = metricOf(eni) === 0 ? '' : ` metric ${String(metricOf(eni))}`
  for (const desired of eni.addresses) {
    if (kept.some((entry) => isSameAddress(desired, entry))) continue
    const nodad = isIpv6(desired.address) ? ' nodad' : ''
    lines.push(
      `addr add ${desired.address}/${String(desired.prefixLength)} dev ${device}${metric}${nodad}`)
  }
}

function isSameAddress (a: AddressView, b: AddressView): boolean {
  return a.address === b.address && a.prefixLength === b.prefixLength
}

/**
 * The kernel takes the first address of a block as the source of what is sent. When the primary one
 * was removed and another one of ours stands first, all have to be set again, the primary first.
 */
function isPrimaryBehind (eni: DesiredInterface, present: readonly AddressView[]): boolean {
  const primary = eni.addresses[0]
  if (primary === undefined || isIpv6(primary.address)) return false
  const first = present.find((entry) => !isIpv6(entry.address) &&
    eni.addresses.some((desired) => isSameAddress(desired, entry)))
  return first !== undefined && !isSameAddress(primary, first)
}

/** One default route per family: in the main table, and in that of the ENI if it has one. */
function planRoutes (eni: DesiredInterface, view: NamespaceView | null, lines: string[]): void {
  const device = deviceName(eni.deviceIndex)
  for (const gateway of new Set(eni.addresses.map((entry) => entry.gateway))) {
    const mainMetric = metricOf(eni) === 0 && isIpv6(gateway) ? IPV6_METRIC : metricOf(eni)
    const wanted = [{ table: TABLE_MAIN, metric: mainMetric }]
    const ownMetric = isIpv6(gateway) ? IPV6_METRIC : 0
    if (eni.deviceIndex > 0) wanted.push({ table: TABLE_BASE + eni.deviceIndex, metric: ownMetric })
    for (const { table, metric } of wanted) {
      const there =
        view?.routes.some((route) => route.destination === 'default' && route.device === device &&
        route.gateway === gateway && route.table === table && route.metric === metric) ?? false
      if (there) continue
      const place = table === TABLE_MAIN ? '' : ` table ${String(table)}`
      const order = metric === 0 ? '' : ` metric ${String(metric)}`
      lines.push(`route replace default via ${gateway} dev ${device}${place}${order}`)
    }
  }
}

function ruleSources (eni: DesiredInterface): string[] {
  return eni.deviceIndex === 0
    ? []
    : [...eni.addresses.map((entry) => entry.address), ...eni.prefixes]
}

function planRules (
  eni: DesiredInterface, view: NamespaceView, lines: string[], ipv6Lines: string[]
): void {
  const table = TABLE_BASE + eni.deviceIndex
  for (const source of ruleSources(eni)) {
    if (view.rules.some((rule) => rule.source === source && rule.table === table)) continue
    const target = isIpv6(source) ? ipv6Lines : lines
    target.push(`rule add from ${source} lookup ${String(table)} priority ${String(table)}`)
  }
}
