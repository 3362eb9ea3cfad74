/**
 * Groups of hosts: several in the place of one. A group has a number among the hosts, under a name
 * that no host can have, and so stands wherever a host's number stands.
 *
 *     EDGE_GROUP   every edge that is up; each of them serves every packet
 *     tunnelGroup  of those, the ones whose tunnels a virtual private gateway sends into, so that
 *                  no other edge has to hand on what is for them; all, while no tunnel is up
 *     shardGroup   the owners of the slots of a HyperPlane resource
 */
import { HOST_GROUP_ANY, HOST_GROUP_SHARD } from '../dataplane/tables/update.ts'
import { resourceOfGroup, shardGroup } from '../mapping/shard_group.ts'
import { changesField } from '../model/commit_feed.ts'
import { isResource, isResourceId, resourceIds } from '../model/hyperplane_shard.ts'
import { isEdge } from '../model/lab.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { NO_VPC } from './compiled_table.ts'
import type { CompileContext, CompiledTable, UpdateDraft } from './compiled_table.ts'
import { edgesInUse, vpnGatewaysOf } from './vpn_table.ts'

export const EDGE_GROUP = 'group of edges'

const TUNNEL_PREFIX = 'tunnels of '

export function tunnelGroup (vpnGatewayId: string): string { return TUNNEL_PREFIX + vpnGatewayId }

/** Names of the hosts of a lab that are edges, whether up or not. */
export function edgeNames (snapshot: Snapshot): string[] {
  return [...snapshot.tables.host.values()].filter(isEdge).map(({ id }) => id)
}

export const hostGroupTable: CompiledTable = {
  name: 'hostGroups',

  note (change, { snapshot }, mark) {
    if (change.noun === 'host') {
      if (!changesField<'host'>(change, ['roles', 'isDown'])) return
      mark(EDGE_GROUP)
      for (const { id } of snapshot.tables.vpnGateway.values()) mark(tunnelGroup(id))
    } else if (change.noun === 'vpnGateway') {
      if (change.previous === null || change.record === null) mark(tunnelGroup(change.id))
    } else if (change.noun === 'vpnConnection' || change.noun === 'ipsecSession' ||
      change.noun === 'bgpSession') {
      for (const id of vpnGatewaysOf(change, snapshot)) mark(tunnelGroup(id))
    } else if (change.noun === 'networkInterface') {
      const isOne = [change.previous, change.record]
        .some((record) => record !== null && isResource(record))
      if (isOne && (change.previous === null || change.record === null)) mark(shardGroup(change.id))
    } else if (change.noun === 'egressOnlyInternetGateway') {
      if (change.previous === null || change.record === null) mark(shardGroup(change.id))
    } else if (change.noun === 'hyperplaneShard') mark(shardGroup(change.id))
  },

  keysOf (vpcId, { snapshot }) {
    if (vpcId !== NO_VPC) return []
    const vpnGateways = [...snapshot.tables.vpnGateway.values()]
    return [EDGE_GROUP, ...vpnGateways.map(({ id }) => tunnelGroup(id)),
      ...resourceIds(snapshot).map(shardGroup)]
  },

  build (key, context, draft) {
    if (key === EDGE_GROUP) return buildEdgeGroup(key, () => true, context, draft)
    if (!key.startsWith(TUNNEL_PREFIX)) return buildShardGroup(key, context, draft)
    const id = key.slice(TUNNEL_PREFIX.length)
    const { vpnGateway } = context.snapshot.tables
    if (vpnGateway.get(id) === undefined) return null
    const inUse = edgesInUse(context.snapshot, id)
    return buildEdgeGroup(key, (name) => inUse.includes(name), context, draft)
  },

  remove (key, { indexes, revision }, draft) {
    draft.removedHostGroups.push(indexes.host.retire(key, revision))
  }
}

/** Of the edges that are up the wanted ones; all, when none of them is wanted. */
function buildEdgeGroup (
  key: string, isWanted: (name: string) => boolean, { snapshot, indexes }: CompileContext,
  draft: UpdateDraft
): string | null {
  const edges = edgeNames(snapshot)
  if (edges.length === 0) return null
  const hostIndex = indexes.host.ensure(key)
  if (hostIndex === 0) return null
  const up = edges.filter((id) => snapshot.tables.host.get(id)?.isDown !== true)
  const wanted = up.filter(isWanted)
  draft.hostGroups.push({
    hostIndex,
    kind: HOST_GROUP_ANY,
    members: Uint32Array.from(wanted.length > 0 ? wanted : up, (id) => indexes.host.indexOf(id))
  })
  return NO_VPC
}

/** A resource that nobody serves yet has a group without members: its number is known to all. */
function buildShardGroup (
  key: string, { snapshot, indexes }: CompileContext, draft: UpdateDraft
): string | null {
  const id = resourceOfGroup(key)
  if (!isResourceId(snapshot, id)) return null
  const hostIndex = indexes.host.ensure(key)
  if (hostIndex === 0) return null
  const owners = snapshot.tables.hyperplaneShard.get(id)?.owners ?? []
  const isServed = owners.length > 0 && !owners.includes(null)
  draft.hostGroups.push({
    hostIndex,
    kind: HOST_GROUP_SHARD,
    members: Uint32Array.from(isServed ? owners : [],
      (name) => name === null ? 0 : indexes.host.indexOf(name))
  })
  return NO_VPC
}
