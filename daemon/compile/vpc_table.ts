/**
 * VPCs of which the host holds a live ENI or a gateway, and no others: an agent does not even know
 * that another VPC exists.
 */
import { cidrPrefix } from '../mapping/prefix.ts'
import { changesField } from '../model/commit_feed.ts'
import type { Vpc } from '../model/vpc.ts'
import { NO_VPC } from './compiled_table.ts'
import type { CompiledTable } from './compiled_table.ts'
import { gatewaysOf } from './gateway_port.ts'

/** The VPC's resolver has the address base + 2 of its first block. */
const RESOLVER_OFFSET = 2

/** [4] address of the VPC's resolver; zeros when there is no VPC. */
export function resolverWords (vpc: Vpc | undefined): Uint32Array {
  const block = vpc?.cidrBlocks[0]?.cidrBlock
  const words = new Uint32Array(4)
  if (block === undefined) return words
  words.set(cidrPrefix(block).words)
  words[3]! += RESOLVER_OFFSET
  return words
}

export const vpcTable: CompiledTable = {
  name: 'vpcs',

  note (change, _context, mark) {
    if (change.noun === 'vpc') {
      if (changesField<'vpc'>(change, ['vni', 'enableDnsSupport'])) mark(change.id)
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
      vpcIndex,
      vni: vpc.vni,
      mappingsComplete: directory.isComplete(key),
      resolver: resolverWords(vpc.enableDnsSupport ? vpc : undefined),
      gateways: gatewaysOf(key, context)
    })
    return key
  },

  remove (key, { indexes, revision }, draft) {
    draft.removedVpcs.push(indexes.vpc.retire(key, revision))
  }
}
