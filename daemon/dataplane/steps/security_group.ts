/**
 * Security groups, systems 3.1 to 3.3: what leaves or enters an ENI must belong to a conversation
 * that was allowed, or be allowed by a rule of one of the ENI's groups. There are only rules that
 * allow, and their order means nothing.
 *
 * A conversation is tracked, so that its answers pass whatever the rules say, unless rules let all
 * of its protocol through both ways anyway: then each packet is judged by itself, and a rule that
 * goes ends it at once. AWS EC2 User Guide, "Security group connection tracking", "Untracked
 * connections".
 */
import { isIpv4Words } from '../../wire/address.ts'
import { PROTOCOL_TCP, PROTOCOL_UDP } from '../../wire/ip_protocol.ts'
import {
  DROP_NONE, DROP_SECURITY_GROUP_EGRESS, DROP_SECURITY_GROUP_INGRESS
} from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'
import { EGRESS, INGRESS } from '../tables/flow_layout.ts'
import type { RuleList } from '../tables/rule_list.ts'
import type { Tables } from '../tables/tables.ts'
import { findConnection, isRelatedError } from './connection.ts'

const REFUSED = 0
const ALLOWED = 1
/** Allowed by a rule that is open to every address. */
const ALLOWED_OPEN = 2

/** @returns DROP_NONE, with `connectionAt` and `isTracked` set, or DROP_SECURITY_GROUP_EGRESS */
export function checkOutbound (p: PacketContext, tables: Tables, view: DataView): number {
  findConnection(p, tables, EGRESS)
  if (p.isTracked !== 0 || isRelatedError(p, tables, view, EGRESS)) return DROP_NONE
  const answer = judge(p, tables, EGRESS, p.dst0, p.dst1, p.dst2, p.dst3)
  if (answer === REFUSED) return DROP_SECURITY_GROUP_EGRESS
  track(p, tables, INGRESS, answer)
  return DROP_NONE
}

/** @returns DROP_NONE, with `connectionAt` and `isTracked` set, or DROP_SECURITY_GROUP_INGRESS */
export function checkInbound (p: PacketContext, tables: Tables, view: DataView): number {
  findConnection(p, tables, INGRESS)
  if (p.isTracked !== 0 || isRelatedError(p, tables, view, INGRESS)) return DROP_NONE
  const answer = judge(p, tables, INGRESS, p.src0, p.src1, p.src2, p.src3)
  if (answer === REFUSED) return DROP_SECURITY_GROUP_INGRESS
  track(p, tables, EGRESS, answer)
  return DROP_NONE
}

/** Asks all groups of the ENI about a packet whose other end is r0..r3. */
function judge (
  p: PacketContext, tables: Tables, direction: number,
  r0: number, r1: number, r2: number, r3: number
): number {
  const groups = tables.ports.securityGroups(p.portIndex)
  let answer = REFUSED
  for (let index = 0; index < groups.length; index++) {
    const rules = rulesOf(tables, groups[index], direction)
    if (rules === null) continue
    let rule = rules.next(0, p, r0, r1, r2, r3, tables.members)
    while (rule >= 0) {
      const isOpen = rules.isOpen(rule)
      if (isOpen || answer === REFUSED) {
        p.ruleGroup = groups[index]
        p.groupRule = rule
      }
      if (isOpen) return ALLOWED_OPEN
      answer = ALLOWED
      rule = rules.next(rule + 1, p, r0, r1, r2, r3, tables.members)
    }
  }
  return answer
}

/**
 * Decides of a conversation that opens whether it is tracked; one that is there keeps to it.
 * @param back the direction of the answers
 */
function track (p: PacketContext, tables: Tables, back: number, answer: number): void {
  if (p.opensConnection === 0 || isUntracked(p, tables, back, answer)) return
  p.isTracked = p.hasConnection
}

function isUntracked (p: PacketContext, tables: Tables, back: number, answer: number): boolean {
  if (answer !== ALLOWED_OPEN) return false
  if (p.protocol !== PROTOCOL_TCP && p.protocol !== PROTOCOL_UDP) return false
  const groups = tables.ports.securityGroups(p.portIndex)
  const isIpv4 = isIpv4Words(p.src0, p.src1, p.src2)
  for (let index = 0; index < groups.length; index++) {
    const rules = rulesOf(tables, groups[index], back)
    if (rules?.opensAll(p.protocol, isIpv4) === true) return true
  }
  return false
}

function rulesOf (tables: Tables, group: number, direction: number): RuleList | null {
  const policy = tables.securityGroups.get(group)
  if (policy === undefined) return null
  return direction === EGRESS ? policy.outbound : policy.inbound
}
