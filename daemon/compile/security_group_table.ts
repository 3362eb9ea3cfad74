/**
 * Security groups of the VPCs that the host holds. A rule may name another group as its peer: the
 * rule then holds that group's index, and the group's members come in pieces of their own
 * (group_member_table.ts). A group of a peer VPC that such a rule names stands here without rules,
 * for its members. A rule whose group is gone or out of reach matches nothing and is left out. A
 * rule that names a prefix list becomes one rule per entry of the list's newest version.
 */
import {
  PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP
} from '../wire/ip_protocol.ts'
import { changesField } from '../model/commit_feed.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import { prefixListCidrs } from '../model/prefix_list_reference.ts'
import type { SecurityGroup, SecurityGroupRule } from '../model/security_group.ts'
import { isStaleRule } from '../model/security_group_reference.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { peersOf } from '../model/vpc_peering.ts'
import { heldVpcIndex } from './compiled_table.ts'
import type { CompileContext, CompiledTable } from './compiled_table.ts'
import { packRules } from './rules.ts'
import type { Rule } from './rules.ts'

const PROTOCOL_NUMBERS: Readonly<Record<string, number | null>> = {
  '-1': null, icmp: PROTOCOL_ICMP, tcp: PROTOCOL_TCP, udp: PROTOCOL_UDP, icmpv6: PROTOCOL_ICMPV6
}
const ANY = -1

export const securityGroupTable: CompiledTable = {
  name: 'securityGroups',

  note (change, { snapshot, groupReferences }, mark) {
    if (change.noun === 'vpcPeeringConnection') {
      if (!changesField<'vpcPeeringConnection'>(change, ['status'])) return
      for (const group of groupsAcross(snapshot, change)) {
        mark(group.id)
        for (const id of namedInOthers(snapshot, group)) mark(id)
      }
    }
    if (change.noun === 'prefixList') {
      if (!changesField<'prefixList'>(change, ['entries'])) return
      for (const id of groupReferences.sourcesOf(change.id)) mark(id)
    }
    if (change.noun !== 'securityGroup') return
    if (changesField<'securityGroup'>(change, ['rules'])) {
      mark(change.id)
      for (const group of [change.previous, change.record]) {
        for (const id of group === null ? [] : namedInOthers(snapshot, group)) mark(id)
      }
    }
    if (change.record === null) for (const id of groupReferences.sourcesOf(change.id)) mark(id)
  },

  keysOf (vpcId, { snapshot }) {
    return snapshot.tables.securityGroup.by('vpcId', vpcId)
      .flatMap((group) => [group.id, ...namedInOthers(snapshot, group)])
  },

  build (key, context, draft) {
    const { snapshot, indexes, groupReferences } = context
    const group = snapshot.tables.securityGroup.get(key)
    if (group === undefined) return null
    const isHeld = heldVpcIndex(group.vpcId, context) !== 0
    if (!isHeld && !isNamedAcross(group, context)) return null
    const securityGroupIndex = indexes.securityGroup.ensure(key)
    if (securityGroupIndex === 0) return null
    if (!isHeld) {
      groupReferences.delete(key)
      draft.securityGroups.push({
        securityGroupIndex, vpcIndex: indexes.vpc.indexOf(group.vpcId), inbound: packRules([]),
        outbound: packRules([])
      })
      return group.vpcId
    }
    groupReferences.set(key, [...referencedGroups(group), ...referencedLists(group)])
    draft.securityGroups.push({
      securityGroupIndex,
      vpcIndex: indexes.vpc.indexOf(group.vpcId),
      inbound: packRules(compiledGroupRules(group, false, context)),
      outbound: packRules(compiledGroupRules(group, true, context))
    })
    return group.vpcId
  },

  remove (key, { indexes, groupReferences, revision }, draft) {
    groupReferences.delete(key)
    draft.removedSecurityGroups.push(indexes.securityGroup.retire(key, revision))
  }
}

/** Groups that the rules of a group name, each once. */
export function referencedGroups (group: SecurityGroup): string[] {
  const ids = group.rules.map(({ referencedGroupId }) => referencedGroupId)
  return [...new Set(ids.filter((id) => id !== null))]
}

/** Groups of other VPCs that the rules of a group name. */
function namedInOthers (snapshot: Snapshot, group: SecurityGroup): string[] {
  const { securityGroup } = snapshot.tables
  return referencedGroups(group).filter((id) =>
    (securityGroup.get(id)?.vpcId ?? group.vpcId) !== group.vpcId)
}

/** Whether a rule of a VPC that the host holds names a group of a peer. */
function isNamedAcross (group: SecurityGroup,
  { hostName, snapshot, directory }: CompileContext): boolean {
  return peersOf(snapshot, group.vpcId).some(({ vpcId, isSameRegion }) => isSameRegion &&
    directory.holds(hostName, vpcId) &&
    snapshot.tables.securityGroup.by('vpcId', vpcId).some(({ rules }) =>
      rules.some(({ referencedGroupId }) => referencedGroupId === group.id)))
}

/** A commit's change of a peering. */
type PeeringChange = Extract<AppliedChange, { readonly noun: 'vpcPeeringConnection' }>

/** Groups of either VPC of a peering that name a group of another VPC. */
export function groupsAcross (snapshot: Snapshot,
  { record, previous }: PeeringChange): SecurityGroup[] {
  const peering = record ?? previous
  return [peering?.requester, peering?.accepter]
    .flatMap((side) => snapshot.tables.securityGroup.by('vpcId', side?.vpcId))
    .filter((group) => namedInOthers(snapshot, group).length > 0)
}

function referencedLists (group: SecurityGroup): string[] {
  const ids = group.rules.map(({ prefixListId }) => prefixListId)
  return [...new Set(ids.filter((id) => id !== null))]
}

/** Rules of one direction in the order in which the data plane has them. */
export function compiledGroupRules (
  group: SecurityGroup, isEgress: boolean, context: CompileContext
): Rule[] {
  return group.rules.filter((rule) => rule.isEgress === isEgress)
    .flatMap((rule) => compiledRules(rule, group, context))
}

/** One per peer: none when a group is gone, as many as a prefix list has entries. */
function compiledRules (rule: SecurityGroupRule, { vpcId, region }: SecurityGroup,
  { snapshot, indexes }: CompileContext): Rule[] {
  const known = PROTOCOL_NUMBERS[rule.ipProtocol]
  const common = {
    source: rule.id,
    protocol: known === undefined ? Number(rule.ipProtocol) : known,
    from: rule.fromPort === ANY ? null : rule.fromPort,
    to: rule.toPort === ANY ? null : rule.toPort,
    allows: true
  }
  const { referencedGroupId: peer } = rule
  if (peer !== null) {
    if (isStaleRule(snapshot, vpcId, rule)) return []
    const index = indexes.securityGroup.ensure(peer)
    return index === 0 ? [] : [{ ...common, cidr: null, group: index }]
  }
  const cidr = rule.cidrIpv4 ?? rule.cidrIpv6
  const cidrs = cidr === null
    ? prefixListCidrs(snapshot, region, rule.prefixListId ?? '')
    : [cidr]
  return cidrs.map((one) => ({ ...common, cidr: one, group: 0 }))
}
