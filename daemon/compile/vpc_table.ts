/**
 * VPCs of which the host holds a live ENI, and no others: an agent does not even know that another
 * VPC exists.
 */
import { changesField } from '../model/commit_feed.ts'
import { NO_VPC } from './compiled_table.ts'
import type { CompiledTable } from './compiled_table.ts'

export const vpcTable: CompiledTable = {
  name: 'vpcs',

  note (change, _context, mark) {
    if (change.noun === 'vpc' && changesField<'vpc'>(change, ['vni'])) mark(change.id)
  },

  noteMoves (touch, _context, mark) {
    for (const vpcId of touch.completeness) mark(vpcId)
  },

  keysOf (vpcId) {
    return vpcId === NO_VPC ? [] : [vpcId]
  },

  build (key, { hostName, snapshot, directory, indexes }, draft) {
    const vpc = snapshot.tables.vpc.get(key)
    if (vpc === undefined || !directory.holds(hostName, key)) return null
    const vpcIndex = indexes.vpc.ensure(key)
    if (vpcIndex === 0) return null
    draft.vpcs.push({
      vpcIndex, vni: vpc.vni, mappingsComplete: directory.isComplete(key),
      gateways: new Uint32Array(0)
    })
    return key
  },

  remove (key, { indexes, revision }, draft) {
    draft.removedVpcs.push(indexes.vpc.retire(key, revision))
  }
}
