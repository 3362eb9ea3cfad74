/**
 * Traffic mirroring of the ENIs of this host: for each source its sessions, by session number, and
 * for each session what its filter says and how its copies are addressed.
 *
 * A session's copies all have the same outer addresses, so the way to the target is found once per
 * generation of the VPC's tables (dataplane/mirror.ts) and kept in the session: `generation`,
 * `drop`, `action` and what follows are the worker's own.
 */
import { prefixHolds } from '../../wire/address.ts'
import { PROTOCOL_TCP, PROTOCOL_UDP } from '../../wire/ip_protocol.ts'
import type { PacketContext } from '../packet.ts'
import { EGRESS } from './flow_layout.ts'
import {
  MIRROR_RULE_AT_DESTINATION, MIRROR_RULE_AT_DESTINATION_PORTS, MIRROR_RULE_AT_PROTOCOL,
  MIRROR_RULE_AT_SOURCE, MIRROR_RULE_AT_SOURCE_PORTS, MIRROR_RULE_AT_VERDICT, MIRROR_RULE_WORDS,
  RULE_ALLOW, RULE_ANY
} from './update.ts'
import type { MirrorData, MirrorSessionData } from './update.ts'

export class MirrorSession {
  readonly vni: number
  /** Bytes of the frame that a copy keeps; 0: all. */
  readonly packetLength: number
  readonly mirrorsDns: boolean
  /** [4] int32 words, zeros without a target. */
  readonly source: Int32Array
  readonly target: Int32Array
  readonly targetEniHigh: number
  readonly targetEniLow: number
  readonly targetMtu: number

  /** Generation of the source's tables that the way was found with; 0: not yet. */
  generation = 0
  /** DROP_NONE, or why copies do not get there, and the port that it concerns. */
  drop = 0
  dropPort = 0
  /** ACTION_DELIVER or ACTION_ENCAPSULATE, and its target. */
  action = 0
  actionTarget = 0
  /** The ENI that the copies go to: the target's, or one that a route names. */
  nextEniHigh = 0
  nextEniLow = 0
  /** VNI of the target's VPC, which may be a peer of the source's. */
  targetVni = 0
  /** TTL with which copies arrive. */
  ttl = 0
  /** Largest outer packet, bytes. */
  mtu = 0

  readonly #ingress: Int32Array
  readonly #egress: Int32Array

  constructor (data: MirrorSessionData) {
    this.vni = data.vni
    this.packetLength = data.packetLength
    this.mirrorsDns = data.mirrorsDns
    this.source = Int32Array.from(data.sourceAddress, (word) => word | 0)
    this.target = Int32Array.from(data.targetAddress, (word) => word | 0)
    this.targetEniHigh = data.targetEniHigh | 0
    this.targetEniLow = data.targetEniLow | 0
    this.targetMtu = data.targetMtu
    this.#ingress = data.ingress
    this.#egress = data.egress
  }

  /** Whether the filter accepts a packet. @param direction EGRESS or INGRESS, of the source */
  accepts (p: PacketContext, direction: number): boolean {
    const rules = direction === EGRESS ? this.#egress : this.#ingress
    for (let at = 0; at < rules.length; at += MIRROR_RULE_WORDS) {
      if (matches(rules, at, p)) return rules[at + MIRROR_RULE_AT_VERDICT] === RULE_ALLOW
    }
    return false
  }
}

/** The sessions of one source. */
export interface Mirror {
  /** [4] int32 words of the resolver's address, zeros when there is none. */
  readonly resolver: Int32Array
  readonly sessions: readonly MirrorSession[]
}

export class MirrorTable {
  /** By port index. */
  readonly #mirrors: (Mirror | undefined)[] = []

  get (portIndex: number): Mirror | undefined { return this.#mirrors[portIndex] }

  set (data: MirrorData): void {
    this.#mirrors[data.portIndex] = {
      resolver: Int32Array.from(data.resolver, (word) => word | 0),
      sessions: data.sessions.map((session) => new MirrorSession(session))
    }
  }

  remove (portIndex: number): void { this.#mirrors[portIndex] = undefined }
}

function matches (rules: Int32Array, at: number, p: PacketContext): boolean {
  const protocol = rules[at + MIRROR_RULE_AT_PROTOCOL]
  if (protocol !== RULE_ANY && protocol !== p.protocol) return false
  return portHolds(rules, at + MIRROR_RULE_AT_SOURCE_PORTS, p, p.ports >>> 16) &&
    portHolds(rules, at + MIRROR_RULE_AT_DESTINATION_PORTS, p, p.ports & 0xffff) &&
    prefixHolds(rules, at + MIRROR_RULE_AT_SOURCE, p.src0, p.src1, p.src2, p.src3) &&
    prefixHolds(rules, at + MIRROR_RULE_AT_DESTINATION, p.dst0, p.dst1, p.dst2, p.dst3)
}

/** A later fragment whose first one was not seen matches no rule that asks for a port. */
function portHolds (rules: Int32Array, at: number, p: PacketContext, port: number): boolean {
  if (rules[at] === RULE_ANY) return true
  if (p.protocol !== PROTOCOL_TCP && p.protocol !== PROTOCOL_UDP) return false
  return p.knowsPorts !== 0 && port >= rules[at] && port <= rules[at + 1]
}
