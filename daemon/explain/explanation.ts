/**
 * What an explanation is: plain data, as the admin API hands it out and `vpcctl trace` and
 * `vpcctl can-reach` print it.
 *
 *     Walk         one packet's way            side, side, and what stopped it
 *      └ Side      one ENI that it passes      leaving (egress) or entering (ingress), on a host;
 *                  or one gateway              out of the VPC (egress) or into it (ingress)
 *         └ Step   one row of docs/packet_life.md, with the thing and the rule that decided
 */

export type Direction = 'egress' | 'ingress'

export type StepName =
  | 'parse' | 'scope' | 'source-check' | 'security-groups' | 'same-subnet' | 'network-acl' | 'route'
  | 'mapping' | 'ttl' | 'mtu' | 'send' | 'vpc-header' | 'destination-check' | 'deliver'
  | 'internet-scope' | 'public-address' | 'gateway-route' | 'carried' | 'flow' | 'service'

export interface Step {
  readonly step: StepName
  readonly verdict: 'passed' | 'skipped' | 'dropped'
  /** Id of what decided: ENI, group, ACL, route table …; null where nothing has an id. */
  readonly object: string | null
  /** `sgr-…`, the number of an ACL's entry (`*` for the last), the destination of a route. */
  readonly rule: string | null
  /** One sentence without a full stop. */
  readonly text: string
}

export interface Side {
  readonly host: string
  readonly eni: string
  readonly direction: Direction
  readonly steps: readonly Step[]
}

/** What would let a packet pass. */
export interface Remedy {
  readonly text: string
  /** A whole `vpcctl` command line; null where none helps, or a person has to choose. */
  readonly command: string | null
}

/** What stopped a packet. */
export interface Obstacle {
  /** As `vpcctl drops` names it; `not-running` for an ENI that no packet can leave. */
  readonly reason: string
  readonly meaning: string
  /** Null where no step was reached. */
  readonly step: StepName | null
  readonly direction: Direction
  readonly host: string | null
  readonly eni: string
  readonly object: string | null
  readonly rule: string | null
  readonly text: string
  readonly remedy: Remedy
}

/** A packet in words that a program can read too. */
export interface WalkedPacket {
  /** `tcp`, `udp`, `icmp`, `icmpv6` … */
  readonly protocol: string
  readonly source: string
  readonly destination: string
  readonly sourcePort: number
  readonly destinationPort: number
  readonly icmpType: number
  readonly tcpFlags: number
  readonly bytes: number
}

export interface Walk {
  readonly packet: WalkedPacket
  readonly sides: readonly Side[]
  /**
   * The ENI, or the gateway to the internet, that got it; null when something stopped it, or a
   * service answers.
   */
  readonly deliveredTo: string | null
  /** The service of the VPC that answers it on the sender's own host: `DNS`; null for none. */
  readonly service: string | null
  readonly obstacle: Obstacle | null
}

export interface Reach {
  /** `unknown`: it hangs on what an instance in between does. */
  readonly verdict: 'yes' | 'no' | 'unknown'
  /** One sentence. */
  readonly text: string
  readonly forward: Walk | null
  /** The way of the answer; null when there is none to ask for. */
  readonly answer: Walk | null
  /** The first thing in the way, on either. */
  readonly obstacle: Obstacle | null
}
