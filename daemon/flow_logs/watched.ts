/**
 * Whose flows are logged, and what every line about an interface says besides the packets: worked
 * out from the records when they change, so that it is still known when the interface is gone by
 * the time the window closes.
 */
import type { FlowLog } from '../model/flow_log.ts'
import { formatAddress, knownCidr } from '../model/cidr.ts'
import type { NetworkInterface } from '../model/network_interface.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { SERVICE_ADDRESSES } from './services.ts'
import { pathsOf } from './traffic_path.ts'
import type { PathTo } from './traffic_path.ts'

export interface Watched {
  readonly eniId: string
  readonly hostName: string
  readonly accountId: string
  readonly region: string
  readonly vpcId: string
  readonly subnetId: string
  /** null on an interface that a service keeps. */
  readonly instanceId: string | null
  readonly zoneId: string
  /** What lines call the interface, whichever of its addresses a packet has; null without one. */
  readonly primaryIpv4: string | null
  readonly ipv6Addresses: readonly string[]
  /** Addresses whose traffic is never logged. */
  readonly unlogged: ReadonlySet<string>
  /** `traffic-path` of what leaves for an address. */
  readonly pathTo: PathTo
  readonly flowLogs: readonly FlowLog[]
}

/** Interfaces that run and that some flow log is about, by id. */
export function watchedInterfaces (snapshot: Snapshot): Map<string, Watched> {
  const found = new Map<string, Watched>()
  const { flowLog, networkInterface } = snapshot.tables
  if (flowLog.size === 0) return found
  const paths = new Map<string, PathTo>()
  const pathOfSubnet = (vpcId: string, subnetId: string): PathTo => {
    const path = paths.get(subnetId) ?? pathsOf(snapshot, vpcId, subnetId)
    paths.set(subnetId, path)
    return path
  }
  for (const eni of networkInterface.values()) {
    const flowLogs = [eni.id, eni.subnetId, eni.vpcId]
      .flatMap((id) => flowLog.by('resourceId', id))
      // Who shares a network with another account sees no flows of the other's interfaces.
      .filter((one) => one.ownerId === eni.ownerId)
    if (flowLogs.length === 0) continue
    const watched = watch(snapshot, eni, flowLogs, pathOfSubnet)
    if (watched !== null) found.set(eni.id, watched)
  }
  return found
}

function watch (
  snapshot: Snapshot, eni: NetworkInterface, flowLogs: readonly FlowLog[],
  pathOfSubnet: (vpcId: string, subnetId: string) => PathTo
): Watched | null {
  const instance = snapshot.tables.instance.get(eni.attachment?.instanceId ?? '')
  const hostName = instance?.hostName ?? null
  if (instance === undefined || hostName === null) return null
  return {
    eniId: eni.id,
    hostName,
    accountId: eni.ownerId,
    region: eni.region,
    vpcId: eni.vpcId,
    subnetId: eni.subnetId,
    instanceId: eni.requesterId === null ? instance.id : null,
    zoneId: eni.zoneId,
    primaryIpv4: eni.privateIpAddresses[0] ?? null,
    ipv6Addresses: eni.ipv6Addresses,
    unlogged: unloggedAddresses(snapshot, eni.vpcId),
    pathTo: pathOfSubnet(eni.vpcId, eni.subnetId),
    flowLogs
  }
}

/** Offset of the router's address in a subnet, and of the resolver's in a block of the VPC. */
const ROUTER_OFFSET = 1n
const RESOLVER_OFFSET = 2n

function unloggedAddresses (snapshot: Snapshot, vpcId: string): ReadonlySet<string> {
  const addresses = new Set<string>(SERVICE_ADDRESSES)
  for (const { cidrBlock } of snapshot.tables.vpc.get(vpcId)?.cidrBlocks ?? []) {
    addresses.add(addressAt(cidrBlock, RESOLVER_OFFSET))
  }
  for (const subnet of snapshot.tables.subnet.by('vpcId', vpcId)) {
    if (subnet.cidrBlock !== null) addresses.add(addressAt(subnet.cidrBlock, ROUTER_OFFSET))
    for (const { cidrBlock } of subnet.ipv6CidrBlocks) {
      addresses.add(addressAt(cidrBlock, ROUTER_OFFSET))
    }
  }
  return addresses
}

function addressAt (block: string, offset: bigint): string {
  const { family, first } = knownCidr(block)
  return formatAddress({ family, value: first + offset })
}
