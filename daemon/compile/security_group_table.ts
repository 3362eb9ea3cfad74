/**
 * Security groups of the VPCs that the host holds. A rule may name another group as its peer: the
 * rule then holds that group's index, and the group's members come in pieces of their own
 * (group_member_table.ts). A rule whose group is gone matches nothing and is left out. A rule that
 * names a prefix list becomes one rule per entry of the list's newest version.
 */
import {
  PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP
} from '../wire/ip_protocol.ts'
import { changesField } from '../model/commit_feed.ts'
import { prefixListCidrs } from '../model/prefix_list_reference.ts'
import type { SecurityGroup, SecurityGroupRule } from '../model/security_group.ts'
import type { CompileContext, CompiledTable } from './compiled_table.ts'
import { packRules } from './rules.ts'
import type { Rule } from './rules.ts'

const PROTOCOL_NUMBERS: Readonly<Record<string, number | null>> = {
  '-1': null, icmp: PROTOCOL_ICMP, tcp: PROTOCOL_TCP, udp: PROTOCOL_UDP, icmpv6: PROTOCOL_ICMPV6
}
const ANY = -1

export const securityGroupTable: CompiledTable = {
  name: 'securityGroups',

  note (change, { groupReferences }, mark) {
    if (change.noun === 'prefixList') {
      if (!changesField<'prefixList'>(change, ['entries'])) return
      for (const id of groupReferences.sourcesOf(change.id)) mark(id)
    }
    if (change.noun !== 'securityGroup') return
    if (changesField<'securityGroup'>(change, ['rules'])) mark(change.id)
    if (change.record === null) for (const id of groupReferences.sourcesOf(change.id)) mark(id)
  },

  keysOf (vpcId, { snapshot }) {
    return snapshot.tables.securityGroup.by('vpcId', vpcId).map((group) => group.id)
  },

  build (key, context, draft) {
    const { snapshot, indexes, groupReferences } = context
    const group = snapshot.tables.securityGroup.get(key)
    if (group === undefined || indexes.vpc.indexOf(group.vpcId) === 0) return null
    const securityGroupIndex = indexes.securityGroup.ensure(key)
    if (securityGroupIndex === 0) return null
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
    if (snapshot.tables.securityGroup.get(peer)?.vpcId !== vpcId) return []
    const index = indexes.securityGroup.ensure(peer)
    return index === 0 ? [] : [{ ...common, cidr: null, group: index }]
  }
  const cidr = rule.cidrIpv4 ?? rule.cidrIpv6
  const cidrs = cidr === null
    ? prefixListCidrs(snapshot, region, rule.prefixListId ?? '')
    : [cidr]
  return cidrs.map((one) => ({ ...common, cidr: one, group: 0 }))
}
