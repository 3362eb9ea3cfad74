/**
 * VPCs of which the host holds a live ENI or a gateway, and no others: an agent does not even know
 * that another VPC exists.
 */
import { changesField } from '../model/commit_feed.ts'
import { NO_VPC } from './compiled_table.ts'
import type { CompiledTable } from './compiled_table.ts'
import { gatewaysOf } from './gateway_port.ts'

export const vpcTable: CompiledTable = {
  name: 'vpcs',

  note (change, _context, mark) {
    if (change.noun === 'vpc') {
      if (changesField<'vpc'>(change, ['vni'])) mark(change.id)
    } else if (change.noun === 'internetGateway') {
      if (!changesField<'internetGateway'>(change, ['vpcId'])) return
      for (const record of [change.previous, change.record]) {
        if (record !== null && record.vpcId !== null) mark(record.vpcId)
      }
    }
  },

  noteMoves (touch, _context, mark) {
    for (const vpcId of touch.completeness) mark(vpcId)
  },

  keysOf (vpcId) {
    return vpcId === NO_VPC ? [] : [vpcId]
  },

  build (key, context, draft) {
    const { hostName, snapshot, directory, indexes } = context
    const vpc = snapshot.tables.vpc.get(key)
    if (vpc === undefined || !directory.holds(hostName, key)) return null
    const vpcIndex = indexes.vpc.ensure(key)
    if (vpcIndex === 0) return null
    draft.vpcs.push({
      vpcIndex, vni: vpc.vni, mappingsComplete: directory.isComplete(key),
      gateways: gatewaysOf(key, context)
    })
    return key
  },

  remove (key, { indexes, revision }, draft) {
    draft.removedVpcs.push(indexes.vpc.retire(key, revision))
  }
}
