/** Rules of groups and ACLs as the data plane has them: words of numbers. */
import {
  RULE_ALLOW, RULE_ANY, RULE_AT_FROM, RULE_AT_PEER_GROUP, RULE_AT_PREFIX, RULE_AT_PROTOCOL,
  RULE_AT_TO, RULE_AT_VERDICT, RULE_DENY, RULE_WORDS
} from '../dataplane/tables/update.ts'
import { cidrPrefix } from '../mapping/prefix.ts'

/** A rule whose names are numbers, and whose peer is a block or a group. */
export interface Rule {
  /** What it comes from, for who explains a packet: `sgr-…`, or the number of an ACL's entry. */
  readonly source: string
  /** IP protocol number; null for all. */
  readonly protocol: number | null
  /** First and last port, or type and code of ICMP; null for all. */
  readonly from: number | null
  readonly to: number | null
  readonly allows: boolean
  readonly cidr: string | null
  /** Index of the group; 0 when the peer is a block. */
  readonly group: number
}

/** [rules × RULE_WORDS] */
export function packRules (rules: readonly Rule[]): Int32Array {
  const packed = new Int32Array(rules.length * RULE_WORDS)
  rules.forEach((rule, index) => {
    const at = index * RULE_WORDS
    packed[at + RULE_AT_PROTOCOL] = rule.protocol ?? RULE_ANY
    packed[at + RULE_AT_FROM] = rule.from ?? RULE_ANY
    packed[at + RULE_AT_TO] = rule.to ?? RULE_ANY
    packed[at + RULE_AT_VERDICT] = rule.allows ? RULE_ALLOW : RULE_DENY
    packed[at + RULE_AT_PEER_GROUP] = rule.group
    if (rule.cidr === null) return
    const { words, length } = cidrPrefix(rule.cidr)
    packed.set(words, at + RULE_AT_PREFIX)
    packed[at + RULE_AT_PREFIX + words.length] = length
  })
  return packed
}
