/**
 * Shards of the HyperPlane resources that the host is a node of: who decides about which slot, who
 * keeps copies, which source addresses new flows get.
 */
import { idBits } from '../base/ids.ts'
import { addressPrefix } from '../mapping/prefix.ts'
import { changesField } from '../model/commit_feed.ts'
import { natGatewayOf, openAddresses } from '../model/hyperplane_shard.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { NO_VPC } from './compiled_table.ts'
import type { CompiledTable } from './compiled_table.ts'

export const shardTable: CompiledTable = {
  name: 'shards',

  note (change, _context, mark) {
    if (change.noun === 'hyperplaneShard' || change.noun === 'egressOnlyInternetGateway') {
      mark(change.id)
    } else if (change.noun === 'natGateway') {
      if (!changesField<'natGateway'>(change, ['addresses', 'state', 'networkInterfaceId'])) return
      for (const record of [change.previous, change.record]) {
        if (record !== null && record.networkInterfaceId !== null) mark(record.networkInterfaceId)
      }
    }
  },

  keysOf (vpcId, { snapshot }) {
    if (vpcId !== NO_VPC) return []
    return [...snapshot.tables.hyperplaneShard.values()].map(({ id }) => id)
  },

  build (key, { hostName, snapshot, indexes }, draft) {
    const record = snapshot.tables.hyperplaneShard.get(key)
    const addresses = sourceAddresses(key, snapshot)
    if (record === undefined || addresses === null || !record.shard.includes(hostName)) return null
    const { high: eniIdHigh, low: eniIdLow } = idBits(key)
    draft.shards.push({
      eniIdHigh,
      eniIdLow,
      epoch: record.epoch,
      owners: Uint32Array.from(record.owners,
        (name) => name === null ? 0 : indexes.host.indexOf(name)),
      ownerEpochs: Uint32Array.from(record.ownerEpochs),
      replicas: Uint32Array.from(record.replicas, (name) => indexes.host.indexOf(name)),
      joinedEpochs: Uint32Array.from(record.joinedEpochs),
      addresses: Uint32Array.from(addresses.flatMap((address) => [...addressPrefix(address).words]))
    })
    return NO_VPC
  },

  remove (key, _context, draft) {
    const { high: eniIdHigh, low: eniIdLow } = idBits(key)
    draft.removedShards.push({ eniIdHigh, eniIdLow })
  }
}

/** What new flows of a resource may get: nothing where they keep their own; null: there is none. */
function sourceAddresses (id: string, snapshot: Snapshot): string[] | null {
  if (snapshot.tables.egressOnlyInternetGateway.get(id) !== undefined) return []
  const gateway = natGatewayOf(snapshot, id)
  return gateway === undefined ? null : openAddresses(gateway)
}
