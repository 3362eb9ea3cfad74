/**
 * Groups of hosts: several in the place of one. A group has a number among the hosts, under a name
 * that no host can have, and so stands wherever a host's number stands.
 *
 *     EDGE_GROUP   every edge that is up: any of them serves any packet
 */
import { HOST_GROUP_ANY } from '../dataplane/tables/update.ts'
import { changesField } from '../model/commit_feed.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { NO_VPC } from './compiled_table.ts'
import type { CompiledTable } from './compiled_table.ts'

export const EDGE_GROUP = 'group of edges'

/** Names of the hosts of a lab that are edges, whether up or not. */
export function edgeNames (snapshot: Snapshot): string[] {
  return [...snapshot.tables.host.values()].filter(({ roles }) => roles.includes('edge'))
    .map(({ id }) => id)
}

export const hostGroupTable: CompiledTable = {
  name: 'hostGroups',

  note (change, _context, mark) {
    if (change.noun !== 'host') return
    if (changesField<'host'>(change, ['roles', 'isDown'])) mark(EDGE_GROUP)
  },

  keysOf (vpcId) {
    return vpcId === NO_VPC ? [EDGE_GROUP] : []
  },

  build (key, { snapshot, indexes }, draft) {
    const edges = edgeNames(snapshot)
    if (edges.length === 0) return null
    const hostIndex = indexes.host.ensure(key)
    if (hostIndex === 0) return null
    const up = edges.filter((id) => snapshot.tables.host.get(id)?.isDown !== true)
    draft.hostGroups.push({
      hostIndex,
      kind: HOST_GROUP_ANY,
      members: Uint32Array.from(up, (id) => indexes.host.indexOf(id))
    })
    return NO_VPC
  },

  remove (key, { indexes, revision }, draft) {
    draft.removedHostGroups.push(indexes.host.retire(key, revision))
  }
}
