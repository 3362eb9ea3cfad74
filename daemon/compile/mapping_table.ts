/**
 * Mapping shards of the VPCs that the host holds: where each address lives. A VPC beyond the
 * preload bound has none here; its addresses are resolved one by one (resolved_mappings.ts).
 *
 * The key of a shard is `<vpcId>/<shard>`. A shard without entries is not sent, and sent empty once
 * when it was sent before.
 */
import { MAPPING_SHARDS } from '../dataplane/tables/mapping_shard.ts'
import {
  MAPPING_AT_ADDRESS, MAPPING_AT_ENI_HIGH, MAPPING_AT_ENI_LOW, MAPPING_AT_GENERATION,
  MAPPING_AT_HOST_INDEX, MAPPING_AT_PREFIX_LENGTH, MAPPING_AT_SUBNET_INDEX, MAPPING_WORDS
} from '../dataplane/tables/update.ts'
import type { MappingEntry } from '../mapping/directory.ts'
import type { CompileContext, CompiledTable } from './compiled_table.ts'

export const mappingTable: CompiledTable = {
  name: 'mappings',

  note (change, { directory }, mark) {
    // A host that came or went changes the host number in the entries of what lives on it.
    if (change.noun !== 'host' || (change.record !== null && change.previous !== null)) return
    for (const vpcId of directory.vpcsOf(change.id)) {
      for (const eniId of directory.interfacesOn(change.id, vpcId)) {
        for (const { shard } of directory.entriesOf(eniId)) mark(shardKey(vpcId, shard))
      }
    }
  },

  noteMoves (touch, _context, mark) {
    for (const [vpcId, shards] of touch.shards) {
      for (const shard of shards) mark(shardKey(vpcId, shard))
    }
    for (const vpcId of touch.completeness) {
      for (let shard = 0; shard < MAPPING_SHARDS; shard++) mark(shardKey(vpcId, shard))
    }
  },

  * keysOf (vpcId) {
    for (let shard = 0; shard < MAPPING_SHARDS; shard++) yield shardKey(vpcId, shard)
  },

  build (key, context, draft) {
    const { vpcId, shard } = parseShardKey(key)
    const { directory, indexes } = context
    const vpcIndex = indexes.vpc.indexOf(vpcId)
    if (vpcIndex === 0 || !directory.isComplete(vpcId)) return null
    const entries = [...directory.entriesOfShard(vpcId, shard)]
    if (entries.length === 0) return null
    draft.mappings.push({ vpcIndex, shard, entries: packEntries(entries, context) })
    return vpcId
  },

  remove (key, { indexes }, draft) {
    const { vpcId, shard } = parseShardKey(key)
    const vpcIndex = indexes.vpc.indexOf(vpcId)
    if (vpcIndex !== 0) draft.mappings.push({ vpcIndex, shard, entries: new Uint32Array(0) })
  }
}

/** [n × MAPPING_WORDS] */
export function packEntries (
  entries: readonly MappingEntry[], { indexes }: CompileContext
): Uint32Array {
  const packed = new Uint32Array(entries.length * MAPPING_WORDS)
  entries.forEach((entry, index) => {
    const at = index * MAPPING_WORDS
    const { high, low } = entry.eniBits
    packed.set(entry.prefix.words, at + MAPPING_AT_ADDRESS)
    packed[at + MAPPING_AT_PREFIX_LENGTH] = entry.prefix.length
    packed[at + MAPPING_AT_ENI_HIGH] = high
    packed[at + MAPPING_AT_ENI_LOW] = low
    packed[at + MAPPING_AT_HOST_INDEX] = indexes.host.indexOf(entry.hostName)
    packed[at + MAPPING_AT_SUBNET_INDEX] = indexes.subnet.indexOf(entry.subnetId)
    packed[at + MAPPING_AT_GENERATION] = entry.generation
  })
  return packed
}

function shardKey (vpcId: string, shard: number): string {
  return `${vpcId}/${String(shard)}`
}

function parseShardKey (key: string): { readonly vpcId: string, readonly shard: number } {
  const slashAt = key.indexOf('/')
  return { vpcId: key.slice(0, slashAt), shard: Number(key.slice(slashAt + 1)) }
}
