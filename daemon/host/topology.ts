/**
 * Makes and mends the underlay of a lab (drawn in topology_plan.ts). `ensureTopology` may be called
 * at any time and by any daemon that finds what another left: it looks, and adds what is missing.
 *
 * Inside a host's namespace the kernel routes nothing: what crosses from an instance to the
 * underlay goes through the data plane or not at all.
 */
import { existsSync, statfsSync } from 'node:fs'
import { VpclabError } from '../base/errors.ts'
import { runCommand, runIp, runIpBatch } from './command.ts'
import { viewNamespace } from './namespace_view.ts'
import type { NamespaceView } from './namespace_view.ts'
import { namespaceName, namespacePath, underlayNamespace } from './paths.ts'
import { planBridge, planHostLink } from './topology_plan.ts'
import type { DesiredHost } from './topology_plan.ts'

/** Type of the file system that a namespace's name is mounted from (linux/magic.h). */
const NSFS_MAGIC = 0x6e736673

/** Kernel settings of the namespaces of a lab's hosts and underlay. */
const HOST_SETTINGS = [
  'net.ipv4.ip_forward=0', 'net.ipv6.conf.all.forwarding=0', 'net.ipv4.conf.all.rp_filter=1',
  'net.ipv4.conf.all.accept_redirects=0', 'net.ipv4.conf.all.send_redirects=0',
  'net.ipv6.conf.all.accept_redirects=0', 'net.ipv6.conf.all.accept_ra=0',
  'net.ipv6.conf.default.accept_ra=0'
]

/** Where the kernel, if it can filter on bridges, has the switches for it. */
const BRIDGE_FILTER_DIRECTORY = '/proc/sys/net/bridge'
/** Of the underlay besides: a switch between hosts runs no firewall, and spends no time on one. */
const BRIDGE_SETTINGS = [
  'net.bridge.bridge-nf-call-iptables=0', 'net.bridge.bridge-nf-call-ip6tables=0',
  'net.bridge.bridge-nf-call-arptables=0'
]

export interface TopologyRepair {
  /** True when the underlay's namespace was missing and has been made. */
  readonly underlayCreated: boolean
  /** Hosts whose namespace was missing and has been made: sockets in the old one lead nowhere. */
  readonly createdHosts: readonly string[]
  /** How many lines of `ip` ran; 0 when nothing was missing. */
  readonly lineCount: number
}

/** Brings the underlay in line. @throws VpclabError VPCLAB_ERR_COMMAND */
export async function ensureTopology (
  lab: string, hosts: readonly DesiredHost[]
): Promise<TopologyRepair> {
  const underlay = underlayNamespace(lab)
  const bridgeSettings = existsSync(BRIDGE_FILTER_DIRECTORY) ? BRIDGE_SETTINGS : []
  const underlayCreated = await ensureNamespace(underlay, [...HOST_SETTINGS, ...bridgeSettings])
  const createdHosts: string[] = []
  let lineCount = 0
  const run = async (namespace: string, lines: readonly string[]): Promise<void> => {
    if (lines.length === 0) return
    lineCount += lines.length
    await runIpBatch(namespace, lines)
  }
  const mtu = hosts.reduce((largest, host) => Math.max(largest, host.underlayMtu), 0)
  const found = await requireView(underlay)
  const bridgeLines = planBridge(mtu, found)
  await run(underlay, bridgeLines)
  const view = bridgeLines.length === 0 ? found : await requireView(underlay)
  // Looked at together: each look is a program, and a daemon that starts waits for all of them.
  const looks = await Promise.all(hosts.map(async (host) => {
    const namespace = namespaceName(lab, host.name)
    if (await ensureNamespace(namespace, HOST_SETTINGS)) createdHosts.push(host.name)
    return { host, namespace, hostView: await requireView(namespace) }
  }))
  for (const { host, namespace, hostView } of looks) {
    const plan = planHostLink(host, namespace, view, hostView)
    await run(namespace, plan.hostRemovals)
    await run(underlay, plan.underlayLines)
    await run(namespace, plan.hostLines)
  }
  return { underlayCreated, createdHosts, lineCount }
}

/**
 * Makes a namespace unless it is there and sound.
 * @param settings `name=value` of /proc/sys, set once when the namespace is made
 * @returns whether it was made
 */
export async function ensureNamespace (
  namespace: string, settings: readonly string[]
): Promise<boolean> {
  if (existsSync(namespacePath(namespace))) {
    if (isSound(namespace)) return false
    await runIp('netns', 'del', namespace)
  }
  await runIp('netns', 'add', namespace)
  await runCommand('ip', ['netns', 'exec', namespace, 'sysctl', '-q', '-w', ...settings])
  return true
}

/** A crash between the two halves of `ip netns add` leaves a file without a namespace behind it. */
function isSound (namespace: string): boolean {
  return statfsSync(namespacePath(namespace)).type === NSFS_MAGIC
}

/** @throws VpclabError VPCLAB_ERR_COMMAND when the namespace is not there */
export async function requireView (namespace: string): Promise<NamespaceView> {
  const view = await viewNamespace(namespace)
  if (view !== null) return view
  throw new VpclabError('VPCLAB_ERR_COMMAND',
    `Namespace ${namespace} went away while the underlay was built`)
}
