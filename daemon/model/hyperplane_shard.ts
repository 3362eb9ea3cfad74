/**
 * Who serves a HyperPlane resource: control's word on its shard (daemon/hyperplane/cell.ts), kept
 * as a record, so that it is durable, watched and told to every host like everything else.
 *
 * The resource is named by its ENI, that of a NAT gateway; or, where it has none, by its own id: an
 * egress-only internet gateway.
 */
import type { NatGateway } from './nat_gateway.ts'
import type { NetworkInterface } from './network_interface.ts'
import type { Snapshot } from './snapshot.ts'

export interface HyperplaneShard {
  /** ENI of the resource, or its own id. */
  readonly id: string
  /** Rises with every change, and never falls. */
  readonly epoch: number
  /** Nodes of the shard, slot by slot: names of hosts. */
  readonly shard: readonly string[]
  /** Owner of each slot; null while no node of the shard lives. */
  readonly owners: readonly (string | null)[]
  /** Epoch since which each of these owns its slot. */
  readonly ownerEpochs: readonly number[]
  /** Nodes that keep copies of the flows, owners included. */
  readonly replicas: readonly string[]
  /** Epoch at which each of these came. */
  readonly joinedEpochs: readonly number[]
  /** Nodes that have complete copies. */
  readonly complete: readonly string[]
}

/** Interface type of an ENI that HyperPlane nodes serve. */
const NAT_GATEWAY_INTERFACE = 'nat_gateway'

/** Whether an ENI is that of a resource: it lives on a group of nodes, not on a host. */
export function isResource (record: NetworkInterface): boolean {
  return record.interfaceType === NAT_GATEWAY_INTERFACE
}

/** Whether there is a resource of that id. */
export function isResourceId ({ tables }: Snapshot, id: string): boolean {
  return tables.networkInterface.get(id) !== undefined ||
    tables.egressOnlyInternetGateway.get(id) !== undefined
}

/** Ids of all resources. */
export function resourceIds ({ tables }: Snapshot): string[] {
  return [
    ...[...tables.networkInterface.values()].filter(isResource),
    ...tables.egressOnlyInternetGateway.values()
  ].map(({ id }) => id)
}

/** Nodes know a resource by the digits of its id. @param eniId an ENI's id of these digits */
export function resourceOfDigits (snapshot: Snapshot, eniId: string): string {
  return isResourceId(snapshot, eniId) ? eniId : eniId.replace('eni-', 'eigw-')
}

/** Names of the lab's HyperPlane nodes, whether up or not. */
export function nodeNames (snapshot: Snapshot): string[] {
  return [...snapshot.tables.host.values()].filter(({ roles }) => roles.includes('hyperplane'))
    .map(({ id }) => id)
}

/** The NAT gateway whose ENI this is. */
export function natGatewayOf (
  snapshot: Snapshot, networkInterfaceId: string
): NatGateway | undefined {
  return snapshot.tables.natGateway.by('networkInterfaceId', networkInterfaceId)
    .find(({ state }) => state === 'available')
}

/** Private addresses of a NAT gateway that new flows may get; those that leave get none. */
export function openAddresses (gateway: NatGateway): string[] {
  return gateway.addresses.filter(({ status }) => status === 'succeeded')
    .map(({ privateIp }) => privateIp)
}
