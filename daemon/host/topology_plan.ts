/**
 * The underlay of a lab on one machine, as data: what must be in the underlay's namespace and in
 * each host's, and the lines of `ip` that add what is missing. Pure; `topology.ts` looks and runs.
 *
 *        <lab>-underlay                     <lab>-host-1
 *       ┌───────────────────┐              ┌──────────────────────────────┐
 *       │ br0 ── host-1 ════╪═════ veth ═══╪═ underlay0  100.127.0.1/16   │
 *       │    └── host-2 ════╪══╗           └──────────────────────────────┘
 *       └───────────────────┘  ║            <lab>-host-2
 *                              ║           ┌──────────────────────────────┐
 *                              ╚═══ veth ══╪═ underlay0  100.127.0.2/16   │
 *                                          └──────────────────────────────┘
 *
 * In a lab of several machines each has such a bridge, with a port toward the machine
 * (machine_link.ts), and a network of its own: 100.127.<machine>.0/24, beside it that of its edges.
 *
 * The bridge plays the switches between the hosts: no spanning tree, no snooping, no address.
 * Nothing but the hosts' own traffic crosses it, so that a capture shows the encapsulation and
 * nothing else. What somebody else hangs on the bridge (a third host of a test) stays.
 */
import { knownAddress } from '../model/cidr.ts'
import type { NamespaceView, RouteView } from './namespace_view.ts'

export const BRIDGE_DEVICE = 'br0'
export const UNDERLAY_DEVICE = 'underlay0'
export const UNDERLAY_MTU_DEFAULT = 9216
export const UNDERLAY_MTU_MIN = 1400
export const UNDERLAY_MTU_MAX = 65_535
/** Hosts of a lab: their addresses are numbered within 100.127.0.0/16 and fd7f::/48. */
export const HOSTS_MAX = 1024
/** Of one machine, where a lab has several. */
export const MACHINE_HOSTS_MAX = 250
/** The bridge's port toward the machine, where a lab has several. */
export const MACHINE_PORT = 'machine'

/** Edges of a lab, which stand in the same network: 100.127.64.1 and fd7f::4001 are the first. */
export const EDGES_MAX = 32
const EDGE_NUMBER_BASE = 0x4000

export interface DesiredHost {
  readonly name: string
  readonly underlayAddress: string
  readonly underlayMtu: number
  /** Number of the machine that it is on; 0 in a lab of one. */
  readonly machine: number
}

/**
 * @param number 1..HOSTS_MAX
 * @param machine number of the machine; 0 in a lab of one
 */
export function underlayAddressOf (
  number: number, family: 'ipv4' | 'ipv6', machine = 0): string {
  const place = machine * 256 + number
  if (family === 'ipv6') return `fd7f::${place.toString(16)}`
  return `100.127.${String(place >>> 8)}.${String(place & 0xff)}`
}

/** @param number 1..EDGES_MAX */
export function edgeAddressOf (
  number: number, family: 'ipv4' | 'ipv6', machine = 0): string {
  return underlayAddressOf(EDGE_NUMBER_BASE + number, family, machine)
}

/** All hosts and edges of a lab. */
export const UNDERLAY_CIDR = '100.127.0.0/16'

/** Networks of a machine's hosts and of its edges; in each the last address is the machine's. */
export function machineNetworks (machine: number): { cidr: string, gateway: string }[] {
  return [machine, machine + (EDGE_NUMBER_BASE >>> 8)].map((third) => ({
    cidr: `100.127.${String(third)}.0/24`, gateway: `100.127.${String(third)}.254`
  }))
}

/**
 * A host keeps its MAC for life: neighbours hold on to it for most of a minute, and would go on
 * sending to the old one after a cable was replaced. `02:7f:`, and the last 32 bits of the address.
 */
function underlayMac (address: string): string {
  const bits = (knownAddress(address).value & 0xffff_ffffn).toString(16).padStart(8, '0')
  return ['02', '7f', ...bits.match(/../g) ?? []].join(':')
}

function underlayPrefixLength ({ underlayAddress, machine }: DesiredHost): number {
  if (machine > 0) return 24
  return underlayAddress.includes(':') ? 48 : 16
}

/** A host's ways beyond its own network: to the edges beside it, and to other machines. */
function underlayRoutes (
  { underlayAddress, machine }: DesiredHost
): Pick<RouteView, 'destination' | 'gateway'>[] {
  if (machine === 0) return []
  const networks = machineNetworks(machine)
  const isOwn = ({ gateway }: { gateway: string }): boolean =>
    gateway.split('.')[2] === underlayAddress.split('.')[2]
  return networks.map((network) => ({
    destination: isOwn(network) ? UNDERLAY_CIDR : network.cidr,
    gateway: isOwn(network) ? network.gateway : ''
  }))
}

/** Lines for the underlay's namespace: the bridge itself. */
export function planBridge (mtu: number, view: NamespaceView): string[] {
  const lines: string[] = []
  const loopback = view.links.find((link) => link.name === 'lo')
  if (loopback?.up !== true) lines.push('link set lo up')
  const bridge = view.links.find((link) => link.name === BRIDGE_DEVICE)
  if (bridge === undefined) {
    lines.push(`link add ${BRIDGE_DEVICE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`)
    lines.push(`link set ${BRIDGE_DEVICE} addrgenmode none`)
  }
  if (bridge?.mtu !== mtu) lines.push(`link set ${BRIDGE_DEVICE} mtu ${String(mtu)}`)
  if (bridge?.up !== true) lines.push(`link set ${BRIDGE_DEVICE} up`)
  return lines
}

export interface HostLinkPlan {
  /** For the host's namespace, before the others: an end whose cable leads nowhere. */
  readonly hostRemovals: readonly string[]
  /** For the underlay's namespace. They may create the host's end of the veth, too. */
  readonly underlayLines: readonly string[]
  /** For the host's namespace, after the above. */
  readonly hostLines: readonly string[]
}

/**
 * One host's cable.
 * @param hostNamespace name of the host's namespace, where the other end goes
 */
export function planHostLink (
  host: DesiredHost, hostNamespace: string, underlay: NamespaceView, inside: NamespaceView
): HostLinkPlan {
  const hostRemovals: string[] = []
  const underlayLines: string[] = []
  const hostLines: string[] = []
  const port = underlay.links.find((link) => link.name === host.name)
  const device = inside.links.find((link) => link.name === UNDERLAY_DEVICE)
  const mtu = String(host.underlayMtu)
  const fresh = port === undefined || device === undefined
  if (fresh) {
    // Half a cable is no use: whatever end is left goes first, and takes its peer along.
    if (device !== undefined) hostRemovals.push(`link del ${UNDERLAY_DEVICE}`)
    if (port !== undefined) underlayLines.push(`link del ${host.name}`)
    const mac = underlayMac(host.underlayAddress)
    const peer = `peer name ${UNDERLAY_DEVICE} address ${mac} mtu ${mtu} netns ${hostNamespace}`
    underlayLines.push(`link add ${host.name} mtu ${mtu} type veth ${peer}`)
    underlayLines.push(`link set ${host.name} addrgenmode none`)
  }
  if (fresh || port.mtu !== host.underlayMtu) underlayLines.push(`link set ${host.name} mtu ${mtu}`)
  if (fresh || port.bridge !== BRIDGE_DEVICE) {
    underlayLines.push(`link set ${host.name} master ${BRIDGE_DEVICE}`)
  }
  if (fresh || !port.up) underlayLines.push(`link set ${host.name} up`)

  const loopback = inside.links.find((link) => link.name === 'lo')
  if (loopback?.up !== true) hostLines.push('link set lo up')
  // Neighbour discovery needs a link-local address; IPv4 does without.
  const linkLocal = host.underlayAddress.includes(':') ? 'eui64' : 'none'
  if (fresh) hostLines.push(`link set ${UNDERLAY_DEVICE} addrgenmode ${linkLocal}`)
  if (!fresh && device.mtu !== host.underlayMtu) {
    hostLines.push(`link set ${UNDERLAY_DEVICE} mtu ${mtu}`)
  }
  if (fresh || !device.up) hostLines.push(`link set ${UNDERLAY_DEVICE} up`)
  const hasAddress = !fresh &&
    device.addresses.some((entry) => entry.address === host.underlayAddress)
  if (!hasAddress) {
    const nodad = host.underlayAddress.includes(':') ? ' nodad' : ''
    const prefix = String(underlayPrefixLength(host))
    hostLines.push(`addr add ${host.underlayAddress}/${prefix} dev ${UNDERLAY_DEVICE}${nodad}`)
  }
  for (const { destination, gateway } of underlayRoutes(host)) {
    const isThere = !fresh && inside.routes.some((route) =>
      route.destination === destination && route.gateway === gateway)
    const via = gateway === '' ? '' : ` via ${gateway}`
    if (!isThere) hostLines.push(`route add ${destination}${via} dev ${UNDERLAY_DEVICE}`)
  }
  return { hostRemovals, underlayLines, hostLines }
}
