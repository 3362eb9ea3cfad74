/**
 * Hosts: number → outer address. Every agent knows every host, since a host's address says nothing
 * about any VPC, and a table that followed the ENIs would change, and make all flows look again,
 * each time a VPC spreads to one more host.
 */
import { addressPrefix } from '../mapping/prefix.ts'
import { changesField } from '../model/commit_feed.ts'
import { NO_VPC } from './compiled_table.ts'
import type { CompiledTable } from './compiled_table.ts'

export const hostTable: CompiledTable = {
  name: 'hosts',

  note (change, _context, mark) {
    if (change.noun === 'host' && changesField<'host'>(change, ['underlayAddress', 'roles'])) {
      mark(change.id)
    }
  },

  keysOf (vpcId, { snapshot }) {
    return vpcId === NO_VPC ? [...snapshot.tables.host.values()].map((host) => host.id) : []
  },

  build (key, { snapshot, indexes }, draft) {
    const host = snapshot.tables.host.get(key)
    if (host === undefined) return null
    const hostIndex = indexes.host.ensure(key)
    if (hostIndex === 0) return null
    draft.hosts.push({
      hostIndex,
      underlayAddress: addressPrefix(host.underlayAddress).words,
      isNode: host.roles.includes('hyperplane')
    })
    return NO_VPC
  },

  remove (key, { indexes, revision }, draft) {
    draft.removedHosts.push(indexes.host.retire(key, revision))
  }
}
