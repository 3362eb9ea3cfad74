/**
 * Rules of one direction of a security group or a network ACL, in order, and how a packet is
 * matched against one. Both kinds say the same things of a packet: a protocol, destination ports
 * (or type and code of ICMP), and who is at the other end.
 *
 * The lists are short (60 rules of a group, 20 of an ACL) and are read once per flow, not once per
 * packet, so they are scanned: no index pays for itself here.
 *
 * A later fragment carries no ports. When its first fragment was seen, the packet's context has
 * them (fragment_table.ts); when not, it matches only rules that do not ask for any.
 */
import { PREFIX_WORDS, prefixHolds } from '../../wire/address.ts'
import {
  PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP
} from '../../wire/ip_protocol.ts'
import type { PacketContext } from '../packet.ts'
import type { MemberTable } from './member_table.ts'
import {
  RULE_ANY, RULE_AT_FROM, RULE_AT_PEER_GROUP, RULE_AT_PREFIX, RULE_AT_PROTOCOL, RULE_AT_TO,
  RULE_AT_VERDICT, RULE_WORDS
} from './update.ts'

const PORT_MAX = 65_535

export class RuleList {
  readonly count: number
  readonly #words: Int32Array

  /** @param words [rules × RULE_WORDS] */
  constructor (words: Int32Array) {
    this.#words = words
    this.count = words.length / RULE_WORDS
  }

  /**
   * Number of the first rule at or after `from` that the packet matches, or -1.
   * @param r0 the other end's address, int32 words
   */
  next (
    from: number, p: PacketContext, r0: number, r1: number, r2: number, r3: number,
    members: MemberTable
  ): number {
    const words = this.#words
    for (let rule = from; rule < this.count; rule++) {
      const at = rule * RULE_WORDS
      if (!matchesProtocol(words, at, p)) continue
      const group = words[at + RULE_AT_PEER_GROUP]
      if (group === 0
        ? prefixHolds(words, at + RULE_AT_PREFIX, r0, r1, r2, r3)
        : members.holds(group, r0, r1, r2, r3)) return rule
    }
    return -1
  }

  /** RULE_ALLOW or RULE_DENY. */
  verdict (rule: number): number { return this.#words[rule * RULE_WORDS + RULE_AT_VERDICT] }

  /** Whether a rule is open to every address of its family: 0.0.0.0/0 or ::/0. */
  isOpen (rule: number): boolean {
    return isOpenAt(this.#words, rule * RULE_WORDS)
  }

  /** Whether a rule lets every port of a protocol through, to or from every address of a family. */
  opensAll (protocol: number, isIpv4: boolean): boolean {
    const words = this.#words
    for (let at = 0; at < words.length; at += RULE_WORDS) {
      if (!isOpenAt(words, at) || isIpv4At(words, at) !== isIpv4) continue
      const ruleProtocol = words[at + RULE_AT_PROTOCOL]
      if (ruleProtocol === RULE_ANY) return true
      if (ruleProtocol === protocol && words[at + RULE_AT_FROM] <= 0 &&
        words[at + RULE_AT_TO] === PORT_MAX) return true
    }
    return false
  }
}

const IPV4_ALL_LENGTH = 96
const PREFIX_AT_LENGTH = PREFIX_WORDS - 1

function isIpv4At (words: Int32Array, at: number): boolean {
  return words[at + RULE_AT_PREFIX + PREFIX_AT_LENGTH] >= IPV4_ALL_LENGTH &&
    words[at + RULE_AT_PREFIX] === 0 && words[at + RULE_AT_PREFIX + 1] === 0 &&
    words[at + RULE_AT_PREFIX + 2] === 0xffff
}

function isOpenAt (words: Int32Array, at: number): boolean {
  if (words[at + RULE_AT_PEER_GROUP] !== 0) return false
  const length = words[at + RULE_AT_PREFIX + PREFIX_AT_LENGTH]
  return length === 0 || (length === IPV4_ALL_LENGTH && isIpv4At(words, at))
}

function matchesProtocol (words: Int32Array, at: number, p: PacketContext): boolean {
  const protocol = words[at + RULE_AT_PROTOCOL]
  if (protocol === RULE_ANY) return true
  if (protocol !== p.protocol) return false
  const from = words[at + RULE_AT_FROM]
  const to = words[at + RULE_AT_TO]
  switch (protocol) {
    case PROTOCOL_TCP: case PROTOCOL_UDP: {
      if (p.knowsPorts === 0) return from <= 0 && to === PORT_MAX
      const port = p.ports & 0xffff
      return port >= from && port <= to
    }
    case PROTOCOL_ICMP: case PROTOCOL_ICMPV6:
      if (from === RULE_ANY) return true
      if (p.knowsPorts === 0 || p.icmpType !== from) return false
      return to === RULE_ANY || p.icmpCode === to
    default: return true
  }
}
