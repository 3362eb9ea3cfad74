/**
 * Who is in a security group: the private addresses of the ENIs that carry it, for rules that name
 * a group as source or destination (systems 3.2). Groups that no rule names are not here.
 *
 * Addresses come in the same pieces as a VPC's mappings (mapping_shard.ts), so that an ENI that
 * comes or goes costs a piece of a group, not the group.
 */
import { ADDRESS_BITS, findPrefix, PREFIX_WORDS } from '../../wire/address.ts'
import { MAPPING_PREFIX_SHARD, mappingShardOf } from './mapping_shard.ts'
import type { GroupMembersData } from './update.ts'
import { WordTable } from './word_table.ts'

interface Members {
  /** [MAPPING_ADDRESS_SHARDS] addresses, by shard; undefined without any. */
  readonly shards: (WordTable | undefined)[]
  /** [n × PREFIX_WORDS] delegated prefixes. */
  prefixes: Uint32Array
}

const NONE = new Uint32Array(0)

export class MemberTable {
  readonly #groups: (Members | undefined)[] = []

  /** Replaces one piece of a group. */
  replaceShard (data: GroupMembersData): void {
    const members = this.#groups[data.securityGroupIndex] ??= { shards: [], prefixes: NONE }
    if (data.shard === MAPPING_PREFIX_SHARD) {
      members.prefixes = data.prefixes
      return
    }
    members.shards[data.shard] = data.prefixes.length === 0 ? undefined : tableOf(data.prefixes)
  }

  removeGroup (securityGroupIndex: number): void {
    this.#groups[securityGroupIndex] = undefined
  }

  /** Whether an address (int32 words) is one of the group's. */
  holds (securityGroupIndex: number, w0: number, w1: number, w2: number, w3: number): boolean {
    const members = this.#groups[securityGroupIndex]
    if (members === undefined) return false
    const table = members.shards[mappingShardOf(w0, w1, w2, w3)]
    if (table !== undefined) {
      const { key } = table
      key[0] = w0
      key[1] = w1
      key[2] = w2
      key[3] = w3
      if (table.find() >= 0) return true
    }
    return findPrefix(members.prefixes, w0, w1, w2, w3) >= 0
  }
}

function tableOf (prefixes: Uint32Array): WordTable {
  const table = new WordTable(ADDRESS_BITS / 32, 0)
  for (let at = 0; at < prefixes.length; at += PREFIX_WORDS) {
    for (let word = 0; word < ADDRESS_BITS / 32; word++) table.key[word] = prefixes[at + word]
    table.findOrInsert()
  }
  return table
}
