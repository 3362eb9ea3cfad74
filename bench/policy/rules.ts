/**
 * The rules that bench `policy` measures with, in memory and in a real lab: as many as AWS lets an
 * ENI have, and the one that lets the bench's traffic through is the last one read.
 *
 *     5 groups × 12 inbound + 12 outbound       60 + 60, AWS's quota of one group
 *     5 groups × 60 inbound + 60 outbound       AWS's quota of one ENI
 *     network ACL × 20 inbound + 20 outbound    AWS's quota
 *
 * Every fourth rule of a group names a group as its peer, the others a block.
 */
import type { PolicySpec, RuleSpec } from '../../daemon/dataplane/testing/lab.ts'
import { PROTOCOL_TCP } from '../../daemon/wire/ip_protocol.ts'
import type { PipelinePolicy } from '../pipeline.ts'

export const GROUPS = 5
export const RULES_PER_GROUP = 12
export const RULES_PER_GROUP_MAX = 60
export const ACL_ENTRIES = 20
/** Ports of the rules that the traffic does not match, from here on. */
export const OTHER_PORT = 20_000
const PEER_GROUP_EVERY = 4
const VPC_BLOCK = '10.0.0.0/16'
const ACL = 1

/** Rules of one direction of a group; none of them lets the bench's traffic through. */
function otherRules (group: number, count: number): RuleSpec[] {
  return Array.from({ length: count }, (_rule, index) => {
    const port = OTHER_PORT + group * RULES_PER_GROUP_MAX + index
    return {
      protocol: PROTOCOL_TCP,
      from: port,
      peer: index % PEER_GROUP_EVERY === 0 ? { group } : `172.16.${String(index)}.0/24`
    }
  })
}

function acl (): PolicySpec {
  const others = otherRules(0, ACL_ENTRIES - 1)
    .map((rule): RuleSpec => ({ ...rule, peer: VPC_BLOCK, deny: true }))
  const rules = [...others, { peer: VPC_BLOCK }]
  return { index: ACL, inbound: rules, outbound: rules }
}

/** Groups and ACL for the in-memory benches. All TCP of the VPC passes, by the last rules. */
export function pipelinePolicy (rulesPerGroup = RULES_PER_GROUP): PipelinePolicy {
  const last: RuleSpec = { protocol: PROTOCOL_TCP, from: 0, to: OTHER_PORT - 1, peer: VPC_BLOCK }
  const groups = Array.from({ length: GROUPS }, (_group, index) => {
    const isLast = index === GROUPS - 1
    const rules = otherRules(index + 1, isLast ? rulesPerGroup - 1 : rulesPerGroup)
    if (isLast) rules.push(last)
    return { index: index + 1, inbound: rules, outbound: rules }
  })
  return { groups, networkAcl: acl() }
}
