/**
 * Network ACLs, systems 3.4: the border of a subnet. Rules in order, the first that matches
 * decides, what none matches is denied; nothing is remembered, so answers need rules of their own.
 * Traffic inside a subnet does not cross its border.
 */
import {
  DROP_NETWORK_ACL_EGRESS, DROP_NETWORK_ACL_INGRESS, DROP_NONE
} from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'
import type { Policy } from '../tables/policy_tables.ts'
import type { RuleList } from '../tables/rule_list.ts'
import type { Tables } from '../tables/tables.ts'
import { RULE_ALLOW } from '../tables/update.ts'

/** @returns DROP_NONE or DROP_NETWORK_ACL_EGRESS */
export function checkLeavingSubnet (p: PacketContext, tables: Tables): number {
  const acl = aclOf(p, tables)
  return acl !== undefined &&
    allows(acl.outbound, p, tables, p.dst0, p.dst1, p.dst2, p.dst3)
    ? DROP_NONE
    : DROP_NETWORK_ACL_EGRESS
}

/** @returns DROP_NONE or DROP_NETWORK_ACL_INGRESS */
export function checkEnteringSubnet (p: PacketContext, tables: Tables): number {
  const acl = aclOf(p, tables)
  return acl !== undefined &&
    allows(acl.inbound, p, tables, p.src0, p.src1, p.src2, p.src3)
    ? DROP_NONE
    : DROP_NETWORK_ACL_INGRESS
}

function aclOf (p: PacketContext, tables: Tables): Policy | undefined {
  const subnet = tables.subnets.get(tables.ports.subnetIndex[p.portIndex])
  return subnet === undefined ? undefined : tables.networkAcls.get(subnet.networkAclIndex)
}

function allows (
  rules: RuleList, p: PacketContext, tables: Tables,
  r0: number, r1: number, r2: number, r3: number
): boolean {
  const rule = rules.next(0, p, r0, r1, r2, r3, tables.members)
  p.aclRule = rule
  return rule >= 0 && rules.verdict(rule) === RULE_ALLOW
}
