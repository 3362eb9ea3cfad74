/**
 * Whose flows are logged, and what every line about an interface says besides the packets: worked
 * out from the records when they change, so that it is still known when the interface is gone by
 * the time the window closes.
 */
import type { FlowLog } from '../model/flow_log.ts'
import { cidrContainsAddress, formatAddress, knownCidr, parseAddress } from '../model/cidr.ts'
import type { Cidr } from '../model/cidr.ts'
import type { NetworkInterface } from '../model/network_interface.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { blocksOf, peersOf } from '../model/vpc_peering.ts'
import { SERVICE_ADDRESSES } from './services.ts'

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
  /** Whether an address is in the VPC. */
  readonly isInVpc: (address: string) => boolean
  /** `traffic-path` of an address in a peer VPC: 4, or 5 in another Region; null for others. */
  readonly peeringPathTo: (address: string) => string | null
  readonly flowLogs: readonly FlowLog[]
}

/** Interfaces that run and that some flow log is about, by id. */
export function watchedInterfaces (snapshot: Snapshot): Map<string, Watched> {
  const found = new Map<string, Watched>()
  const { flowLog, networkInterface } = snapshot.tables
  if (flowLog.size === 0) return found
  for (const eni of networkInterface.values()) {
    const flowLogs = [eni.id, eni.subnetId, eni.vpcId]
      .flatMap((id) => flowLog.by('resourceId', id))
      // Who shares a network with another account sees no flows of the other's interfaces.
      .filter((one) => one.ownerId === eni.ownerId)
    if (flowLogs.length === 0) continue
    const watched = watch(snapshot, eni, flowLogs)
    if (watched !== null) found.set(eni.id, watched)
  }
  return found
}

const TRAFFIC_PATH_PEERING = '4'
const TRAFFIC_PATH_INTER_REGION_PEERING = '5'

function watch (
  snapshot: Snapshot, eni: NetworkInterface, flowLogs: readonly FlowLog[]
): Watched | null {
  const instance = snapshot.tables.instance.get(eni.attachment?.instanceId ?? '')
  const vpc = snapshot.tables.vpc.get(eni.vpcId)
  const hostName = instance?.hostName ?? null
  if (instance === undefined || hostName === null || vpc === undefined) return null
  const blocks = blocksOf(vpc).map(knownCidr)
  const peers = peersOf(snapshot, vpc.id).map(({ vpcId, isSameRegion }) => {
    const peer = snapshot.tables.vpc.get(vpcId)
    return { path: isSameRegion ? TRAFFIC_PATH_PEERING : TRAFFIC_PATH_INTER_REGION_PEERING,
      blocks: peer === undefined ? [] : blocksOf(peer).map(knownCidr) }
  })
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
    isInVpc: (address) => isWithin(blocks, address),
    peeringPathTo: (address) => peers.find((peer) => isWithin(peer.blocks, address))?.path ?? null,
    flowLogs
  }
}

function isWithin (blocks: readonly Cidr[], text: string): boolean {
  const address = parseAddress(text)
  return address !== null && blocks.some((block) => cidrContainsAddress(block, address))
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
