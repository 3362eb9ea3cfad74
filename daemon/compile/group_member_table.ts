/**
 * Members of security groups that rules name (systems 3.2): the private addresses of the live ENIs
 * that carry the group, in the same pieces as a VPC's mappings; also of a group in a peer VPC,
 * while the peering is active. Other groups need no list of
 * members, so an ENI that comes costs each of these a piece and no more.
 *
 * The key of a piece is `<group id>/<shard>`. A piece without members is not sent, and sent empty
 * once when it was sent before.
 */
import { MAPPING_SHARDS } from '../dataplane/tables/mapping_shard.ts'
import { changesField } from '../model/commit_feed.ts'
import { groupsReach } from '../model/vpc_peering.ts'
import { packPrefixes } from './compiled_table.ts'
import type { CompileContext, CompiledTable, Mark } from './compiled_table.ts'
import { groupsAcross, referencedGroups } from './security_group_table.ts'

export const groupMemberTable: CompiledTable = {
  name: 'groupMembers',

  note (change, { directory, snapshot }, mark) {
    if (change.noun === 'vpcPeeringConnection') {
      if (!changesField<'vpcPeeringConnection'>(change, ['status'])) return
      for (const group of groupsAcross(snapshot, change)) {
        for (const id of referencedGroups(group)) markAll(id, mark)
      }
    } else if (change.noun === 'securityGroup') {
      const before = new Set(change.previous === null ? [] : referencedGroups(change.previous))
      const now = new Set(change.record === null ? [] : referencedGroups(change.record))
      for (const id of new Set([...before, ...now])) {
        if (before.has(id) !== now.has(id)) markAll(id, mark)
      }
    } else if (change.noun === 'networkInterface') {
      if (!changesField<'networkInterface'>(change, ['groupIds'])) return
      const groups = new Set([...change.previous?.groupIds ?? [], ...change.record?.groupIds ?? []])
      for (const { shard } of directory.entriesOf(change.id)) {
        for (const id of groups) mark(pieceKey(id, shard))
      }
    }
  },

  noteMoves (touch, context, mark) {
    for (const [vpcId, shards] of touch.shards) {
      for (const { id } of context.snapshot.tables.securityGroup.by('vpcId', vpcId)) {
        if (!isReferenced(id, context)) continue
        for (const shard of shards) mark(pieceKey(id, shard))
      }
    }
  },

  * keysOf (vpcId, { snapshot }) {
    const referenced = new Set(
      snapshot.tables.securityGroup.by('vpcId', vpcId).flatMap(referencedGroups))
    for (const id of referenced) {
      for (let shard = 0; shard < MAPPING_SHARDS; shard++) yield pieceKey(id, shard)
    }
  },

  build (key, context, draft) {
    const { snapshot, directory, indexes } = context
    const { groupId, shard } = parsePieceKey(key)
    const group = snapshot.tables.securityGroup.get(groupId)
    const securityGroupIndex = indexes.securityGroup.indexOf(groupId)
    if (group === undefined || securityGroupIndex === 0 || !isReferenced(groupId, context)) {
      return null
    }
    const { networkInterface } = snapshot.tables
    const members = [...directory.entriesOfShard(group.vpcId, shard)]
      .filter((entry) => networkInterface.get(entry.networkInterfaceId)?.groupIds.includes(groupId))
    if (members.length === 0) return null
    draft.groupMembers.push({
      securityGroupIndex,
      vpcIndex: indexes.vpc.indexOf(group.vpcId),
      shard,
      prefixes: packPrefixes(members.map(({ prefix }) => prefix))
    })
    return group.vpcId
  },

  remove (key, { snapshot, indexes }, draft) {
    const { groupId, shard } = parsePieceKey(key)
    const securityGroupIndex = indexes.securityGroup.indexOf(groupId)
    const vpcId = snapshot.tables.securityGroup.get(groupId)?.vpcId
    // Of a group that is gone the worker has dropped everything.
    if (securityGroupIndex === 0 || vpcId === undefined) return
    draft.groupMembers.push({
      securityGroupIndex, vpcIndex: indexes.vpc.indexOf(vpcId), shard, prefixes: new Uint32Array(0)
    })
  }
}

/** Whether a rule of a group that the host has names this one, and reaches it. */
function isReferenced (groupId: string, { groupReferences, snapshot }: CompileContext): boolean {
  const { securityGroup } = snapshot.tables
  const vpcId = securityGroup.get(groupId)?.vpcId ?? ''
  for (const source of groupReferences.sourcesOf(groupId)) {
    if (groupsReach(snapshot, securityGroup.get(source)?.vpcId ?? '', vpcId)) return true
  }
  return false
}

function markAll (groupId: string, mark: Mark): void {
  for (let shard = 0; shard < MAPPING_SHARDS; shard++) mark(pieceKey(groupId, shard))
}

function pieceKey (groupId: string, shard: number): string {
  return `${groupId}/${String(shard)}`
}

function parsePieceKey (key: string): { readonly groupId: string, readonly shard: number } {
  const slashAt = key.indexOf('/')
  return { groupId: key.slice(0, slashAt), shard: Number(key.slice(slashAt + 1)) }
}
