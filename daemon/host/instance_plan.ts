/**
 * What the inside of an instance must look like, and which lines of `ip` lead there from what is
 * there now. Pure: `namespace_view.ts` looks, `instance_namespace.ts` runs the lines.
 *
 * An ENI is a TUN device `eth<deviceIndex>`, or a TAP with its MAC (model/instance_device.ts), with
 * the ENI's addresses, a default route to the router of its subnet and nothing else. Several ENIs
 * need source routing, as on EC2: what leaves with the address of eth1 must leave through eth1, or
 * the source check drops it. So every ENI but the first has a table of its own, 10000 +
 * deviceIndex, and one rule per address that leads there; its routes in the main table stand behind
 * those of eth0 by a higher metric.
 *
 * What is ours and what is the user's: devices named eth<n> without a link layer (of an instance
 * with TAPs: on Ethernet), addresses within the ENI's subnets, and rules to tables 10000..10099 are
 * ours and are brought in line. Delegated
 * prefixes, and whatever else somebody sets up inside an instance, are theirs and stay.
 *
 * In a namespace that is not the lab's (instance_guest.ts) the devices may have another name, and
 * one of that name that is not ours is never removed. Every ENI is source routed there and stands
 * behind routes of somebody else by its metric; beside another default route, the main table gets a
 * route to each block of the VPC instead.
 */
import { VpclabError } from '../base/errors.ts'
import type { Device } from '../model/instance_device.ts'
import { DEVICE_INDEX_MAX } from '../model/network_interface.ts'
import { TABLE_MAIN } from './namespace_view.ts'
import type { AddressView, LinkView, NamespaceView } from './namespace_view.ts'

/** Table, rule priority and metric of ENI n are this plus n. */
export const TABLE_BASE = 10_000
/** What the kernel gives an IPv6 route that names no metric. */
const IPV6_METRIC = 1024

const DEVICE_NUMBER_PATTERN = /^\d{1,2}$/

export interface DesiredAddress {
  readonly address: string
  readonly prefixLength: number
  /** Router of the subnet; the next hop of the default route. */
  readonly gateway: string
}

export interface DesiredInterface {
  readonly networkInterfaceId: string
  readonly deviceIndex: number
  readonly device: Device
  /** Of a TAP. */
  readonly macAddress: string
  readonly mtu: number
  /** Primary IPv4 first, then the other IPv4, then IPv6. */
  readonly addresses: readonly DesiredAddress[]
  /** Delegated prefixes: rules lead them to the device, nothing is set on it. */
  readonly prefixes: readonly string[]
  /** What leaves with an address of the ENI leaves through it, whatever the main table says. */
  readonly sourceRouted: boolean
  /** Blocks of the VPC to route instead of everything; null: the ENI brings a default route. */
  readonly blocks: readonly string[] | null
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

/** Whose a namespace is, and so what the devices in it are called. */
export interface DeviceStyle {
  /** ENI n is the device `<prefix>n`. */
  readonly prefix: string
  /** The namespace is somebody else's. */
  readonly foreign: boolean
}

export const OWN_STYLE: DeviceStyle = { prefix: 'eth', foreign: false }

export function deviceName (deviceIndex: number, style: DeviceStyle): string {
  return `${style.prefix}${String(deviceIndex)}`
}

/**
 * From what is there to what must be there, in the order in which it works.
 * @throws VpclabError VPCLAB_ERR_CONFIG when a device of somebody else has the name of one of ours
 */
export function planInstance (
  desired: readonly DesiredInterface[], view: NamespaceView, style: DeviceStyle = OWN_STYLE
): InstancePlan {
  const lines: string[] = []
  const ipv6Lines: string[] = []
  const createdDevices: string[] = []
  const loopback = view.links.find((link) => link.name === 'lo')
  if (loopback?.up !== true && desired.length > 0) lines.push('link set lo up')
  removeForeignDevices(desired, view, style, lines)
  removeForeignRules(desired, view, lines, ipv6Lines)
  for (const eni of desired) {
    const device = deviceName(eni.deviceIndex, style)
    const link = view.links.find((candidate) => candidate.name === device)
    const fresh = link === undefined || !isOfKind(link, eni.device)
    if (link !== undefined && fresh) {
      if (style.foreign) throw nameTaken(device, eni)
      lines.push(`link del ${device}`)
    }
    if (fresh) {
      lines.push(`tuntap add dev ${device} mode ${eni.device} vnet_hdr`)
      lines.push(`link set ${device} ${linkSettings(eni)} mtu ${String(eni.mtu)}`)
      createdDevices.push(device)
    } else if (eni.device === 'tap' && link.macAddress !== eni.macAddress) {
      lines.push(`link set ${device} ${linkSettings(eni)}`)
    }
    if (fresh || !link.up) lines.push(`link set ${device} up`)
    planAddresses(eni, device, fresh ? [] : link.addresses, lines)
    // A link that goes down or away takes its routes along, whatever the view still says.
    planRoutes(eni, device, fresh || !link.up ? null : view, lines)
    planRules(eni, view, lines, ipv6Lines)
  }
  return { lines, ipv6Lines, createdDevices }
}

/** Whether a name is one that our devices have. */
export function isNamedBy (style: Pick<DeviceStyle, 'prefix'>, name: string): boolean {
  return name.startsWith(style.prefix) &&
    DEVICE_NUMBER_PATTERN.test(name.slice(style.prefix.length))
}

function isOfKind (link: LinkView, device: Device): boolean {
  return link.linkType === (device === 'tap' ? 'ether' : 'none')
}

/** A TUN has no MAC, and so no link-local address that would follow from one. */
function linkSettings ({ device, macAddress }: DesiredInterface): string {
  return device === 'tap' ? `address ${macAddress}` : 'addrgenmode none'
}

function isIpv6 (address: string): boolean { return address.includes(':') }

function nameTaken (device: string, eni: DesiredInterface): VpclabError {
  return new VpclabError('VPCLAB_ERR_CONFIG', `${eni.networkInterfaceId} needs the device ` +
    `${device} in a namespace that has another ${device} already: rename that one`)
}

function metricOf (eni: DesiredInterface): number {
  return eni.sourceRouted ? TABLE_BASE + eni.deviceIndex : 0
}

function removeForeignDevices (
  desired: readonly DesiredInterface[], view: NamespaceView, style: DeviceStyle, lines: string[]
): void {
  for (const link of view.links) {
    if (!isNamedBy(style, link.name)) continue
    if (!isOfKind(link, 'tun') && !desired.some(({ device }) => isOfKind(link, device))) continue
    const index = link.name.slice(style.prefix.length)
    const wanted = desired.some((eni) => eni.deviceIndex === Number(index))
    if (!wanted) lines.push(`link del ${link.name}`)
  }
}

function removeForeignRules (
  desired: readonly DesiredInterface[], view: NamespaceView, lines: string[], ipv6Lines: string[]
): void {
  for (const rule of view.rules) {
    if (rule.table < TABLE_BASE || rule.table > TABLE_BASE + DEVICE_INDEX_MAX) continue
    const owner = desired.find((eni) => TABLE_BASE + eni.deviceIndex === rule.table)
    if (owner !== undefined && ruleSources(owner).includes(rule.source)) continue
    const target = isIpv6(rule.source) ? ipv6Lines : lines
    target.push(`rule del from ${rule.source} lookup ${String(rule.table)}`)
  }
}

function planAddresses (
  eni: DesiredInterface, device: string, present: readonly AddressView[], lines: string[]
): void {
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

/**
 * One default route per family: in the main table, and in that of the ENI if it has one. Without a
 * default route in the main table, one route per block of the VPC there.
 */
function planRoutes (
  eni: DesiredInterface, device: string, view: NamespaceView | null, lines: string[]
): void {
  for (const gateway of new Set(eni.addresses.map((entry) => entry.gateway))) {
    const mainMetric = metricOf(eni) === 0 && isIpv6(gateway) ? IPV6_METRIC : metricOf(eni)
    const blocks = eni.blocks?.filter((block) => isIpv6(block) === isIpv6(gateway)) ?? ['default']
    const wanted =
      blocks.map((destination) => ({ destination, table: TABLE_MAIN, metric: mainMetric }))
    if (eni.sourceRouted) {
      wanted.push({
        destination: 'default', table: TABLE_BASE + eni.deviceIndex,
        metric: isIpv6(gateway) ? IPV6_METRIC : 0
      })
    }
    for (const { destination, table, metric } of wanted) {
      const there =
        view?.routes.some((route) => route.destination === destination && route.device === device &&
        route.gateway === gateway && route.table === table && route.metric === metric) ?? false
      if (there) continue
      const place = table === TABLE_MAIN ? '' : ` table ${String(table)}`
      const order = metric === 0 ? '' : ` metric ${String(metric)}`
      lines.push(`route replace ${destination} via ${gateway} dev ${device}${place}${order}`)
    }
  }
}

function ruleSources (eni: DesiredInterface): string[] {
  return eni.sourceRouted
    ? [...eni.addresses.map((entry) => entry.address), ...eni.prefixes]
    : []
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
