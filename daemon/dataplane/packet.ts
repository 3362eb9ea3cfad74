/**
 * A packet that is being worked on. A worker has as many PacketContexts as a batch has packets
 * (router.ts) and uses them again and again: a fixed shape of integers (int32, so that V8 keeps
 * them unboxed), no views, no allocation.
 *
 *     loop.ts        load()          what the receive descriptor says
 *     steps/parse    parsePacket()   what the headers say
 *     steps/*                        what was decided: `action` and its arguments
 *
 * Offsets are byte offsets into the arena. Addresses are four int32 words, IPv4 as ::ffff:a.b.c.d.
 */
import * as descriptor from '../tun/descriptor.ts'
import * as action from './action.ts'
import { newGeneveFields } from '../encap/geneve.ts'
import type { GeneveFields } from '../encap/geneve.ts'
import type { Ipv6Walk } from '../wire/ipv6.ts'
import type { Mapping } from './tables/mapping_table.ts'

// Constants of other modules, made this module's own: V8 folds a module's own into the code, and
// loads imported ones from memory, checked, at each use (CONTRIBUTING.md, "Hot code").
const {
  GSO_NONE, RX_AT, RX_BYTES, RX_CSUM, RX_CSUM_FIELD, RX_GSO_SIZE, RX_GSO_TYPE,
  RX_OUTER_TRAFFIC_CLASS, RX_RUN, RX_SEGMENTS, RX_SOURCE_AT, RX_TOTAL_BYTES
} = descriptor
const { ACTION_NONE } = action

export class PacketContext {
  // From the descriptor.
  /** Start of the IP header (of the inner one, once the VPC header is read). */
  at = 0
  /** Bytes contiguous at `at`. */
  bytes = 0
  /** Bytes of the whole (super-)packet. */
  totalBytes = 0
  gsoType = 0
  gsoSize = 0
  csum = 0
  csumField = 0
  /** Packets on the wire. */
  segments = 0
  run = 0
  /** Underlay: where the outer source address stands. */
  sourceAt = 0
  outerTrafficClass = 0

  // From the headers.
  /** IPV4_VERSION or IPV6_VERSION. */
  version = 0
  trafficClass = 0
  /** TTL or hop limit. */
  ttl = 0
  protocol = 0
  /** Start of the upper-layer header. */
  l4At = 0
  /** Start of the IPv6 fragment header, or -1. */
  fragmentAt = 0
  /** 1 when this is a fragment, first or later. */
  isFragment = 0
  /** 1 when this is a fragment without the upper-layer header. */
  isLaterFragment = 0
  /** 1 when it may not be fragmented: DF, or IPv6. */
  dontFragment = 0
  src0 = 0
  src1 = 0
  src2 = 0
  src3 = 0
  dst0 = 0
  dst1 = 0
  dst2 = 0
  dst3 = 0
  /**
   * source port << 16 | destination port; of echo `echoPorts`; otherwise 0. Of a later fragment
   * what its first one said, when that is known (`knowsPorts`).
   */
  ports = 0
  /** 0 for a later fragment of a protocol with ports whose first one was not seen. */
  knowsPorts = 0
  tcpFlags = 0
  /** ICMP and ICMPv6. */
  icmpType = 0
  icmpCode = 0
  /** 1 when its conversation has an entry in the flow table: all but ICMP other than echo. */
  hasConnection = 0
  /** 1 when the decision about it may be cached there, too: no fragment. */
  isFlow = 0
  /** Hash of its flow (fast_path.ts), or NO_FLOW. */
  flowHash = 0
  /** Largest IP packet that it is on the wire, bytes. */
  wireBytesMax = 0
  /** Sum of all IP packets that it is on the wire, bytes. */
  wireBytesSum = 0

  /** What the VPC header says (ingress from the underlay). */
  readonly geneve: GeneveFields = newGeneveFields()

  // Decided by the steps.
  /** Entry of its conversation in the flow table of the ENI that is worked on, or -1. */
  connectionAt = -1
  /** Of an ICMP error: entry of the conversation that it speaks of, or -1. */
  relatedAt = -1
  /** 1 when it opens a conversation: there is no entry, or one that has ended, and it may. */
  opensConnection = 0
  /** 1 when the ENI's security groups allow the conversation and not each packet of it. */
  isTracked = 0
  /** The ENI whose side is being worked on; PORT_NONE while none can be named. */
  portIndex = 0
  vpcIndex = 0
  /** Group whose rule allowed it, and the rule's place in its list; -1: none was asked. */
  ruleGroup = 0
  groupRule = -1
  /** Place of the ACL's rule that decided; -1: none was asked, or none matched. */
  aclRule = -1
  /** Place of the route that decided; -1: none. */
  route = -1
  /** Session of the ENI that copies it (steps/mirror.ts), or -1. */
  mirrorSession = -1
  /** 1 when it is itself the copy of a mirrored packet. */
  isCopy = 0
  /** 1 when source and destination are in one subnet. */
  isSameSubnet = 0
  /** 1 when a target named by its ENI is to be looked up, not the destination address. */
  isRoutedToEni = 0
  targetEniHigh = 0
  targetEniLow = 0
  /** The VPC at the other end of the peering that it crosses; 0: it crosses none. */
  peerVpcIndex = 0
  /** Egress: VNI of that VPC. */
  peerVni = 0
  /** Largest packet of the gateway or peering on its way, bytes; 0: there is none. */
  gatewayMtu = 0
  /** Where it goes: ENI, host, subnet. */
  readonly mapping: Mapping = { eniHigh: 0, eniLow: 0, hostIndex: 0, subnetIndex: 0 }
  /** Ingress: host of the source ENI; 0 for this one. */
  sourceHostIndex = 0
  sourceEniHigh = 0
  sourceEniLow = 0
  /** 1 when the route leads to a gateway of the VPC, `targetEniHigh/Low`. */
  isRoutedToGateway = 0
  /** REWRITE_* (translate.ts): addresses of the context that are to be written into the header. */
  rewrites = 0
  /** Port that replaces the one in the packet that an ICMP error quotes (translate_ports.ts). */
  quotedPort = 0
  /** Bytes that it grows by, all of its packets together, when it changes its family. */
  gainBytes = 0
  /** An ICMP error that changes its family: kind (wire/nat64.ts), word after the checksum. */
  errorKind = 0
  errorWord = 0
  /**
   * 1 when the IP header has grown into what stood before it (translate_family.ts): there is no
   * room for a VPC header any more.
   */
  hasGrown = 0
  /** NAT_OUTWARD, NAT_INWARD or NAT_NONE (hyperplane/nat_counts.ts). */
  natDirection = 0
  /** Row of its flow at a NAT or egress-only gateway (tables/nat_table.ts), or -1. */
  natAt = -1
  /** ACTION_* (action.ts). */
  action = ACTION_NONE
  /**
   * ACTION_ENCAPSULATE, ACTION_FORWARD: host index. ACTION_DELIVER: port index. ACTION_UPLINK:
   * port of the NIC. ACTION_SERVICE: SERVICE_*. ACTION_SEAL: outside address of the tunnel.
   */
  target = 0
  /** ACTION_SERVICE: which of the ENI's addresses is the source (link_local_service.ts). */
  addressIndex = 0
  /** Largest packet of the path, bytes. */
  mtu = 0
  /** 1 when it crosses from subnet to subnet. */
  decrementTtl = 0
  /** 1 when it is larger than `mtu` and may be fragmented. */
  mustFragment = 0
  /** 1 when it came by the underlay: its ECN field may have to be changed. */
  isFromUnderlay = 0
  /** The ECN field that it is to be delivered with. */
  ecn = 0
  /** ACTION_ENCAPSULATE, ACTION_FORWARD: outer UDP source port. */
  sourcePort = 0
  /**
   * [5] ACTION_ENCAPSULATE: VNI and both ENI ids as they stand in the VPC header (encap/geneve.ts).
   */
  readonly header = new Int32Array(5)

  /** What an ICMP error quotes (steps/hyperplane.ts); `ports` as those of a packet. */
  readonly quote = { protocol: 0, ports: 0, sourceAt: 0, destinationAt: 0, l4At: 0 }

  readonly walk: Ipv6Walk = { protocol: 0, l4At: 0, fragmentAt: 0 }

  /** Takes over a receive descriptor: `rxAt` is its first word in `rx`. */
  load (rx: Int32Array, rxAt: number): void {
    this.at = rx[rxAt + RX_AT]
    this.bytes = rx[rxAt + RX_BYTES]
    this.totalBytes = rx[rxAt + RX_TOTAL_BYTES]
    this.gsoType = rx[rxAt + RX_GSO_TYPE]
    this.gsoSize = rx[rxAt + RX_GSO_SIZE]
    this.csum = rx[rxAt + RX_CSUM]
    this.csumField = rx[rxAt + RX_CSUM_FIELD]
    this.segments = rx[rxAt + RX_SEGMENTS]
    this.run = rx[rxAt + RX_RUN]
    this.sourceAt = rx[rxAt + RX_SOURCE_AT]
    this.outerTrafficClass = rx[rxAt + RX_OUTER_TRAFFIC_CLASS]
    this.hasGrown = 0
  }

  /** Becomes a whole packet that the router has made, without offloads. */
  describeMade (at: number, totalBytes: number): void {
    this.at = at
    this.bytes = totalBytes
    this.totalBytes = totalBytes
    this.gsoType = GSO_NONE
    this.gsoSize = 0
    this.csum = 0
    this.csumField = 0
    this.run = 0
  }

  /** Moves the start of the packet to the inner IP header. */
  stripTo (innerAt: number): void {
    const headerBytes = innerAt - this.at
    this.at = innerAt
    this.bytes -= headerBytes
    this.totalBytes -= headerBytes
  }
}
