/**
 * What control tells a data plane worker, and what it hears back. Plain structured-clone data with
 * typed arrays; no record, no id string, no function crosses. `compile/` writes these, `port.ts`
 * reads them, `loop.ts` swaps the tables in between two bursts and acknowledges the revision.
 *
 * Objects are named by small indices which control gives out per agent and which are dense, so that
 * the worker keeps them in arrays. An index may be given to another object only after an update
 * that removed its first owner has been acknowledged. Index 0 is never given out: 0 means "none".
 *
 * Addresses are four u32 words, big-endian order, IPv4 as ::ffff:a.b.c.d (wire/address.ts), so that
 * one table serves both families. ENI ids are two u32 words: the 16 significant hex digits.
 *
 * Tables are immutable: an update carries whole objects, and an object replaces its predecessor.
 * Any update that names a VPC, or one of its subnets, ports, route tables, groups, ACLs, mirrors or
 * mappings, makes flows of that VPC stale: their next packet takes the slow path (loop.ts raises
 * the VPC's generation). One that names a VPC, its mappings or members of its groups does the same
 * to the VPCs that are peered with it.
 */
import type { MessagePort } from 'node:worker_threads'
import type { EspMessage } from '../../tun/esp_tunnels.ts'
import type { WireKeyMessage } from '../../tun/wire_key.ts'
import type { SharedMemory } from '../../tun/shared_memory.ts'

/** Kinds of next hop in RouteTableData.targetKind. A gateway adds one here. */
export const TARGET_LOCAL = 1
/** targetArgument: index into RouteTableData.targetEnis. */
export const TARGET_NETWORK_INTERFACE = 2
export const TARGET_BLACKHOLE = 3
/**
 * targetArgument: index into RouteTableData.targetEnis, where the gateway's id stands; its place is
 * in VpcData.gateways.
 */
export const TARGET_GATEWAY = 4
/** targetArgument: index of the peer VPC, one of VpcData.peers. */
export const TARGET_PEERING = 5

export interface HostData {
  readonly hostIndex: number
  /** [4] outer address. */
  readonly underlayAddress: Uint32Array
  /** True for a HyperPlane node: its messages to other nodes are believed. */
  readonly isNode: boolean
}

/** Any member serves any packet: edges, which keep no state. */
export const HOST_GROUP_ANY = 1
/**
 * A flow belongs to one of the slots, by what stands at its outside end (tables/host_table.ts): all
 * flows of a resource to one destination meet in one slot.
 */
export const HOST_GROUP_SHARD = 2
/** Most members of a group; slots of a shard count, too. */
export const HOST_GROUP_MEMBERS_MAX = 64

/**
 * Several hosts in the place of one. Its number is a host index like any other, and stands wherever
 * one stands: in mappings and in gateways. The slow path picks the member.
 */
export interface HostGroupData {
  readonly hostIndex: number
  /** HOST_GROUP_* */
  readonly kind: number
  /** Host indices; of a shard by slot, where a host that is gone has been replaced. */
  readonly members: Uint32Array
}

/**
 * The shard of a resource that HyperPlane nodes serve: who decides about its flows, and who keeps
 * copies (hyperplane/shard.ts). For its nodes alone; everybody else knows the group.
 */
export interface ShardData {
  /** ENI id of the resource. */
  readonly eniIdHigh: number
  readonly eniIdLow: number
  /** Rises with every change of owners and replicas. */
  readonly epoch: number
  /** [SHARD_SLOTS] host index of the owner of each slot; 0: none. */
  readonly owners: Uint32Array
  /** [SHARD_SLOTS] epoch since which each of them owns its slot without a break. */
  readonly ownerEpochs: Uint32Array
  /** Host indices of the nodes that keep copies, the worker's own included. */
  readonly replicas: Uint32Array
  /** [replicas] epoch at which each came. */
  readonly joinedEpochs: Uint32Array
  /** [n × 4] source addresses that new flows may get; none: flows are not translated. */
  readonly addresses: Uint32Array
}

/** A resource whose shard a worker is none of any more. */
export interface RemovedShard {
  readonly eniIdHigh: number
  readonly eniIdLow: number
}

/** Words of a gateway in VpcData.gateways. */
export const GATEWAY_AT_ID_HIGH = 0
export const GATEWAY_AT_ID_LOW = 1
export const GATEWAY_AT_HOST_INDEX = 2 // of its group
export const GATEWAY_AT_MTU = 3 // bytes
export const GATEWAY_AT_SENDERS = 4 // host index of the group that may send as the gateway
export const GATEWAY_WORDS = 5

export interface VpcData {
  readonly vpcIndex: number
  readonly vni: number
  /** True when the mapping shards hold every address of the VPC: a miss is then final. */
  readonly mappingsComplete: boolean
  /** [4] address of the resolver (base + 2); zeros when the VPC has no DNS support. */
  readonly resolver: Uint32Array
  /** [n × GATEWAY_WORDS] gateways of the VPC, and where they are served. */
  readonly gateways: Uint32Array
  /** [n × PREFIX_WORDS] all blocks of the VPC. */
  readonly blocks: Uint32Array
  /** [n × PEER_WORDS] VPCs of active peerings; none where the VPC itself is known as a peer. */
  readonly peers: Uint32Array
}

/** A public IPv4 address of an ENI, or an IPv6 block of a VPC. For edges. */
export const PUBLIC_AT_PREFIX = 0 // 5 words: what the internet sees
/** IPv4: the private address behind it. */
export const PUBLIC_AT_PRIVATE = 5
export const PUBLIC_AT_VPC_INDEX = 6
export const PUBLIC_WORDS = 7

/** All public addresses that an edge answers for: one object, replaced whole. */
export interface PublicAddressesData {
  /** [n × PUBLIC_WORDS], in any order; a prefix stands here once. */
  readonly entries: Uint32Array
}

/** Words of VpnData. */
export const VPN_TUNNEL_AT_ADDRESS = 0 // outside, IPv4: names the tunnel
export const VPN_TUNNEL_AT_HOST_INDEX = 1 // the edge that has its keys
export const VPN_TUNNEL_AT_GATEWAY_HIGH = 2
export const VPN_TUNNEL_AT_GATEWAY_LOW = 3
export const VPN_TUNNEL_AT_INSIDE = 4 // AWS's inside address, IPv4
export const VPN_TUNNEL_WORDS = 5

export const VPN_ROUTE_AT_GATEWAY_HIGH = 0
export const VPN_ROUTE_AT_GATEWAY_LOW = 1
export const VPN_ROUTE_AT_PREFIX = 2 // 5 words
export const VPN_ROUTE_AT_TUNNEL = 7 // outside address
export const VPN_ROUTE_WORDS = 8

/** For edges: the tunnels of all attached virtual private gateways, whole. */
export interface VpnData {
  /** [n × VPN_TUNNEL_WORDS] */
  readonly tunnels: Uint32Array
  /** [n × VPN_ROUTE_WORDS] a prefix of a gateway stands here once. */
  readonly routes: Uint32Array
}

/** Words of a peer in VpcData.peers. */
export const PEER_AT_VPC_INDEX = 0
export const PEER_AT_MTU = 1 // largest packet of the peering, bytes
export const PEER_WORDS = 2

export interface SubnetData {
  readonly subnetIndex: number
  readonly vpcIndex: number
  readonly routeTableIndex: number
  readonly networkAclIndex: number
  /** [blocks × 5]: address words, prefix length on the 128-bit form (IPv4: 96 + n). */
  readonly cidrs: Uint32Array
  /** [4] address of the router in IPv4 (base + 1) and IPv6 (base + 1); zeros when there is none. */
  readonly routerIpv4: Uint32Array
  readonly routerIpv6: Uint32Array
}

/** An ENI with a device. */
export const PORT_KIND_ENI = 0
export const PORT_KIND_INTERNET_GATEWAY = 1
export const PORT_KIND_NAT_GATEWAY = 2
export const PORT_KIND_EGRESS_ONLY = 3
export const PORT_KIND_VPN_GATEWAY = 4

/**
 * An ENI that is attached to a running instance on this very host, or a gateway that this host
 * serves. A gateway's id has 64 bits as an ENI's has, and stands in the same fields.
 */
export interface PortData {
  readonly portIndex: number
  /** PORT_KIND_*: whose steps a packet takes that is sent to it (packet_path.ts). */
  readonly kind: number
  readonly eniIdHigh: number
  readonly eniIdLow: number
  readonly vpcIndex: number
  /** 0 for a gateway that is in no subnet. */
  readonly subnetIndex: number
  /** Internet gateway: the table that what comes in by it follows; 0 for none. */
  readonly routeTableIndex: number
  readonly sourceDestCheck: boolean
  /** [n × 5]: own addresses (/128) and delegated prefixes: words, length on the 128-bit form. */
  readonly addresses: Uint32Array
  /** Largest inner packet that may leave or enter, bytes (9001, less on a small underlay). */
  readonly mtu: number
  /** Indices of its security groups. */
  readonly securityGroups: Uint32Array
  /** Idle times of its connections, seconds (systems 3.3). */
  readonly tcpEstablishedTimeoutS: number
  readonly udpStreamTimeoutS: number
  readonly udpTimeoutS: number
}

/** Rules of a security group or a network ACL, in the order in which they are asked. */
export const RULE_AT_PROTOCOL = 0 // IP protocol number, or RULE_ANY
/** First and last port; type and code of ICMP, or RULE_ANY. */
export const RULE_AT_FROM = 1
export const RULE_AT_TO = 2
export const RULE_AT_VERDICT = 3 // RULE_ALLOW or RULE_DENY
/** Index of the security group whose members are meant; 0: the prefix is. */
export const RULE_AT_PEER_GROUP = 4
/** Words and length on the 128-bit form. */
export const RULE_AT_PREFIX = 5 // 5 words
export const RULE_WORDS = 10

export const RULE_ANY = -1
export const RULE_DENY = 0
export const RULE_ALLOW = 1

/** What no rule allows is refused. */
export interface SecurityGroupData {
  readonly securityGroupIndex: number
  readonly vpcIndex: number
  /** [rules × RULE_WORDS] */
  readonly inbound: Int32Array
  readonly outbound: Int32Array
}

/** The first rule that matches decides; what none matches is denied. */
export interface NetworkAclData {
  readonly networkAclIndex: number
  readonly vpcIndex: number
  /** [rules × RULE_WORDS] by rule number */
  readonly inbound: Int32Array
  readonly outbound: Int32Array
}

/** Addresses of the ENIs that carry a group: one piece of it, as MappingShardData has pieces. */
export interface GroupMembersData {
  readonly securityGroupIndex: number
  readonly vpcIndex: number
  readonly shard: number
  /** [n × 5] */
  readonly prefixes: Uint32Array
}

/** Rules of a traffic mirror filter, by number: the first that matches decides. */
export const MIRROR_RULE_AT_PROTOCOL = 0 // IP protocol number, or RULE_ANY
/** First and last source port, destination port; RULE_ANY in the first: every packet. */
export const MIRROR_RULE_AT_SOURCE_PORTS = 1 // 2 words
export const MIRROR_RULE_AT_DESTINATION_PORTS = 3 // 2 words
export const MIRROR_RULE_AT_VERDICT = 5 // RULE_ALLOW (accept) or RULE_DENY (reject)
/** Words and length on the 128-bit form. */
export const MIRROR_RULE_AT_SOURCE = 6 // 5 words
export const MIRROR_RULE_AT_DESTINATION = 11 // 5 words
export const MIRROR_RULE_WORDS = 16

/** One traffic mirror session: which packets of its source are copied, and where copies go. */
export interface MirrorSessionData {
  /** VXLAN network identifier of the copies. */
  readonly vni: number
  /** Bytes of the Ethernet frame that a copy keeps; 0: all of it. */
  readonly packetLength: number
  /** [rules × MIRROR_RULE_WORDS]; what no rule accepts is not copied. */
  readonly ingress: Int32Array
  readonly egress: Int32Array
  /** Whether packets from and to the resolver are copied, whatever the rules say. */
  readonly mirrorsDns: boolean
  /**
   * [4] primary addresses of the source and of the target, of one family; zeros: there is no target
   * any more, or none that the source has a family in common with.
   */
  readonly sourceAddress: Uint32Array
  readonly targetAddress: Uint32Array
  /** The target's ENI. */
  readonly targetEniHigh: number
  readonly targetEniLow: number
  /** Largest packet that the target takes, bytes. */
  readonly targetMtu: number
}

/** Traffic mirroring of an ENI of this host. */
export interface MirrorData {
  readonly portIndex: number
  readonly vpcIndex: number
  /** [4] address of the VPC's DNS resolver (base + 2); zeros when there is none. */
  readonly resolver: Uint32Array
  /** By session number: the first that accepts a packet copies it, the others do not. */
  readonly sessions: readonly MirrorSessionData[]
}

export interface RouteTableData {
  readonly routeTableIndex: number
  readonly vpcIndex: number
  /** [routes × 5]: destination words, prefix length on the 128-bit form (IPv4: 96 + n). */
  readonly destinations: Uint32Array
  /** [routes] TARGET_*. */
  readonly targetKind: Uint8Array
  /** [routes] meaning depends on the kind; 0 for none. */
  readonly targetArgument: Uint32Array
  /** [enis × 2] ids of the ENIs that targets name: high, low. */
  readonly targetEnis: Uint32Array
}

/**
 * Where the addresses of a VPC live: one of MAPPING_SHARDS pieces per VPC, chosen by
 * `mappingShardOf(address)` (tables/mapping_shard.ts), so that a change costs a piece, not the VPC.
 */
export interface MappingShardData {
  readonly vpcIndex: number
  readonly shard: number
  /** [n × MAPPING_WORDS], in any order. */
  readonly entries: Uint32Array
}

/** Words of an entry in MappingShardData.entries. */
export const MAPPING_AT_ADDRESS = 0 // 4 words
export const MAPPING_AT_PREFIX_LENGTH =
  4 // on the 128-bit form: 128, or less for a delegated prefix
export const MAPPING_AT_ENI_HIGH = 5
export const MAPPING_AT_ENI_LOW = 6
export const MAPPING_AT_HOST_INDEX = 7
export const MAPPING_AT_SUBNET_INDEX = 8
export const MAPPING_AT_GENERATION = 9 // rises each time the address moves
export const MAPPING_WORDS = 10

/** Words of a host in MoveData.formers. */
export const FORMER_AT_HOST_INDEX = 0
export const FORMER_AT_REMAINING_MS = 1 // how long packets are still forwarded from there
export const FORMER_WORDS = 2
/** Most hosts in MoveData.formers. */
export const FORMERS_MAX = 4

/**
 * An ENI that has changed its host a moment ago: for the host that has it now, and for those that
 * it has left (tables/move_table.ts).
 */
export interface MoveData {
  readonly eniIdHigh: number
  readonly eniIdLow: number
  /** VNI of its VPC, which a host that it has left may not know any more. */
  readonly vni: number
  /** The host that has it. */
  readonly hostIndex: number
  /** [n × FORMER_WORDS] the hosts that it has left. */
  readonly formers: Uint32Array
}

/** An ENI whose moves are of no concern to a worker any more. */
export interface RemovedMove {
  readonly eniIdHigh: number
  readonly eniIdLow: number
}

/** What a worker may have to ask for: who has an address (egress), where an ENI lives (ingress). */
export type MappingKey =
  | { readonly by: 'address', readonly vpcIndex: number, readonly address: Uint32Array }
  | {
    readonly by: 'eni'
    readonly vpcIndex: number
    readonly eniIdHigh: number
    readonly eniIdLow: number
  }

/** Words of an impaired place in ImpairmentsData.places. Chances are 0..1. */
export const IMPAIR_AT_POINT = 0 // port index; 0: what the host sends to the underlay
export const IMPAIR_AT_DIRECTIONS = 1 // IMPAIR_EGRESS, IMPAIR_INGRESS or both
export const IMPAIR_AT_DELAY_MS = 2
export const IMPAIR_AT_JITTER_MS = 3
export const IMPAIR_AT_LOSS = 4
export const IMPAIR_AT_CORRUPT = 5
export const IMPAIR_AT_DUPLICATE = 6
export const IMPAIR_AT_REORDER = 7
export const IMPAIR_AT_RATE = 8 // bits per second; 0: no limit
export const IMPAIR_AT_LIMIT = 9 // packets that may wait, of each direction
export const IMPAIR_WORDS = 10
/** Bits of IMPAIR_AT_DIRECTIONS: what the ENI or host sends, what the ENI receives. */
export const IMPAIR_EGRESS = 1
export const IMPAIR_INGRESS = 2

/** All impairments of a host and its ENIs (impair/impairments.ts): one object, replaced whole. */
export interface ImpairmentsData {
  /** [n × IMPAIR_WORDS] */
  readonly places: Float64Array
  /** Host indices that nothing is sent to. */
  readonly partitioned: Uint32Array
}

/** Everything that one revision changes for one host. Absent means unchanged. */
export interface TableUpdate {
  readonly kind: 'tables'
  readonly revision: number
  readonly hosts?: readonly HostData[]
  readonly hostGroups?: readonly HostGroupData[]
  readonly vpcs?: readonly VpcData[]
  readonly subnets?: readonly SubnetData[]
  readonly ports?: readonly PortData[]
  readonly routeTables?: readonly RouteTableData[]
  readonly mappings?: readonly MappingShardData[]
  readonly securityGroups?: readonly SecurityGroupData[]
  readonly networkAcls?: readonly NetworkAclData[]
  readonly groupMembers?: readonly GroupMembersData[]
  readonly mirrors?: readonly MirrorData[]
  /** One, or absent. */
  readonly publicAddresses?: readonly PublicAddressesData[]
  readonly vpns?: readonly VpnData[]
  /** One, or absent. */
  readonly impairments?: readonly ImpairmentsData[]
  readonly shards?: readonly ShardData[]
  readonly moves?: readonly MoveData[]
  readonly removedHosts?: readonly number[]
  readonly removedHostGroups?: readonly number[]
  readonly removedShards?: readonly RemovedShard[]
  readonly removedMoves?: readonly RemovedMove[]
  readonly removedVpcs?: readonly number[]
  readonly removedSubnets?: readonly number[]
  readonly removedPorts?: readonly number[]
  readonly removedRouteTables?: readonly number[]
  readonly removedSecurityGroups?: readonly number[]
  readonly removedNetworkAcls?: readonly number[]
  /** Port indices. */
  readonly removedMirrors?: readonly number[]
}

/** Words of a point in CaptureMessage.points. */
export const CAPTURE_POINT_WORDS = 5

/** What is to be captured from now on (dataplane/tap.ts); replaces what was said before. */
export interface CaptureMessage {
  readonly kind: 'capture'
  /** Number of this configuration; the worker writes it into the ring when it is in force. */
  readonly epoch: number
  /** Where captured packets go (dataplane/capture_ring.ts); null captures nothing. */
  readonly ring: SharedMemory | null
  /** Bytes of a plain packet to copy, headers of the underlay not counted. */
  readonly snapBytes: number
  /**
   * [points × CAPTURE_POINT_WORDS]: point (port index, 0 for the underlay, or a tunnel's), then
   * captures, a bit each, that want: all inbound, inbound that is dropped, all outbound, outbound
   * that is dropped.
   */
  readonly points: Int32Array
  /** Outside address of each tunnel whose points are among them (pointOutside, capture_ring.ts). */
  readonly tunnels: Int32Array
}

/** Whose flows are recorded from now on, and where (dataplane/flow_records.ts). */
export interface FlowRecordsMessage {
  readonly kind: 'flow-records'
  /** Number of this configuration; the worker writes it into the table when it is in force. */
  readonly epoch: number
  /** null records nothing. */
  readonly table: SharedMemory | null
  readonly entriesMax: number
  /** Port indices. */
  readonly ports: Int32Array
}

/** The device of a port: a TUN or a TAP, and where it stands. */
export interface PortDevice {
  readonly device: 'tun' | 'tap'
  readonly namespacePath: string
  readonly deviceName: string
}

/** Control → worker. */
export type ControlMessage =
  | TableUpdate
  /** Open the device of a port, which is there, in an instance's namespace. */
  | PortDevice & { readonly kind: 'open-port', readonly portIndex: number }
  /**
   * Open the TUN toward the internet: the device stands in the namespace of the internet's router.
   */
  | { readonly kind: 'open-uplink', readonly namespacePath: string, readonly deviceName: string }
  /** Open the TUN to where IKE is spoken: it has the outside addresses. */
  | { readonly kind: 'open-ike', readonly namespacePath: string, readonly deviceName: string }
  /** Open the TUN at which the inside address of a tunnel is: BGP is spoken there. */
  | {
    readonly kind: 'open-inside'
    /** Outside address. */
    readonly tunnel: number
    readonly namespacePath: string
    readonly deviceName: string
  }
  /** Close it. */
  | { readonly kind: 'close-inside', readonly tunnel: number }
  | EspMessage
  | WireKeyMessage
  /** Open the TUN to the services of the VPCs (dataplane/service_port.ts). */
  | {
    readonly kind: 'open-services'
    readonly namespacePath: string
    readonly deviceName: string
  }
  /** Close the TUN's descriptor. The device itself is the reconciler's to delete. */
  | { readonly kind: 'close-port', readonly portIndex: number }
  /**
   * What a miss asked for; `entries` (as in MappingShardData) is empty when there is no such thing.
   */
  | { readonly kind: 'resolved', readonly key: MappingKey, readonly entries: Uint32Array }
  | { readonly kind: 'wire-mode', readonly mode: 'offload' | 'per-packet' }
  | CaptureMessage
  | FlowRecordsMessage
  /** Leave the loop, close every descriptor, answer `stopped`. */
  | { readonly kind: 'stop' }

/** Worker → control. */
export type WorkerMessage =
  /** The loop runs; what the probes of the NIC found, for the log and `vpcctl lab status`. */
  | { readonly kind: 'ready', readonly features: Readonly<Record<string, boolean>> }
  | { readonly kind: 'applied', readonly revision: number }
  | { readonly kind: 'port-opened', readonly portIndex: number }
  /** The kernel refused, or the device went away while open (`errno` name, `EBADFD`). */
  | { readonly kind: 'port-failed', readonly portIndex: number, readonly error: string }
  | { readonly kind: 'services-opened' }
  /** The services' device cannot be opened, or went away while open. */
  | { readonly kind: 'services-failed', readonly error: string }
  | { readonly kind: 'uplink-opened' }
  /** The kernel refused, or the device went away while open. */
  | { readonly kind: 'uplink-failed', readonly error: string }
  /** A packet waits for this mapping (it was not preloaded). Asked once while it waits. */
  | { readonly kind: 'resolve', readonly key: MappingKey }
  /** The worker has complete copies of all flows of a resource, as of an epoch. */
  | {
    readonly kind: 'copy-complete'
    readonly eniIdHigh: number
    readonly eniIdLow: number
    readonly epoch: number
  }
  /** A packet of an inbound SA came from elsewhere than its SA says. */
  | {
    readonly kind: 'esp-mapping'
    readonly index: number
    readonly address: Uint8Array
    readonly port: number
  }
  /** A key of the underlay is in use. */
  | {
    readonly kind: 'wire-key-set'
    readonly id: number
    readonly direction: 'transmit' | 'receive'
  }
  | { readonly kind: 'warning', readonly message: string }
  | { readonly kind: 'stopped' }

/** What a worker begins with: the first message to its thread. */
export interface WorkerOptions {
  readonly hostIndex: number
  /** Namespace in which the underlay socket is opened; empty: the daemon's own. */
  readonly underlayNamespacePath: string
  /** Outer address, text form, IPv4 or IPv6. */
  readonly underlayAddress: string
  readonly underlayMtu: number
  /** How long to spin after the last packet before sleeping, µs; 0 = never. */
  readonly spinUs: number
  /** File in which flow state lives, under /dev/shm. */
  readonly flowFilePath: string
  readonly flowCapacity: number
  /** Flows of HyperPlane resources, under /dev/shm; null: the worker is no HyperPlane node. */
  readonly nat: { readonly filePath: string, readonly capacity: number } | null
  /** File of what each SA has carried (tun/esp.ts), under /dev/shm; null: no tunnels here. */
  readonly espFilePath: string | null
  /**
   * File of what passed between the host and each other one (tun/wire_key.ts), under /dev/shm;
   * null: the underlay is not encrypted.
   */
  readonly wireFilePath: string | null
  /** eventfd that control writes to after posting a message (tun/doorbell.ts). */
  readonly doorbellFd: number
  /** Where counters are committed to: COUNTER_WORDS float64 (dataplane/counters.ts). */
  readonly counters: SharedMemory
  /** Carries ControlMessage in, WorkerMessage out. */
  readonly port: MessagePort
}
