/**
 * The admin API: what `vpcctl` asks the daemon that is no EC2 call. HTTP with JSON over the unix
 * socket `adminSocketPath(lab)` (host/paths.ts), readable by root only.
 *
 *     GET  /status                         LabStatusAnswer
 *     GET  /credentials                    CredentialsAnswer
 *     GET  /wait?revision=N&timeoutMs=M    WaitAnswer, 408 with AdminError when the time is over
 *     GET  /drops[?eni=eni-…][&reason=R]   DropsAnswer
 *     GET  /flows[?eni=eni-…][&instance=i-…][&host=H][&protocol=tcp][&limit=N]   FlowsAnswer
 *     GET  /traffic                        TrafficAnswer
 *     GET  /events[?noun=N][&id=ID][&initial=false]   EventLine after EventLine, docs/events.md
 *     GET  /audit                          one CloudTrail record after the other, as JSON lines,
 *                                          of the calls from now on; an empty line at first
 *     GET  /mapping?vpc=vpc-…&address=A    MappingAnswer, 404 with AdminError
 *     GET  /cache                          CacheAnswer
 *     GET  /hyperplane                     HyperplaneAnswer
 *     GET  /internet/log                   AccessLogAnswer
 *     GET  /quotas                         QuotasAnswer
 *     GET  /impairments                    ImpairmentsAnswer
 *     POST /impairments                    ImpairRequest → RevisionAnswer
 *     POST /impairments/clear              ClearImpairmentRequest → RevisionAnswer
 *     POST /partitions                     PartitionRequest → RevisionAnswer
 *     POST /partitions/heal                PartitionRequest → RevisionAnswer
 *     GET  /vpn                            VpnAnswer
 *     GET  /vpn/log?vpn=vpn-…              VpnLogAnswer, 404 with AdminError
 *     GET  /vpn/keys?tunnels=A,B…          lines of Wireshark's ESP SA table, by outside address: a
 *                                          comment, the SAs that there are, then each that is made
 *     GET  /instances/i-…                  InstanceAnswer, 404 with AdminError
 *     GET  /capture?points=eni-…,host-1…   pcapng for as long as the client reads; CAPTURE_HEADER
 *          [&direction=in|out][&dropsOnly=1][&count=N][&snaplen=N][&host=A][&port=N][&protocol=P]
 *          [&heartbeat=1]                  (an empty block each second without packets)
 *     POST /captures/N/stop                CaptureStopAnswer: the stream ends with its statistics
 *     POST /trace                          TraceRequest → TraceAnswer: sends nothing
 *     POST /reach                          ReachRequest → ReachAnswer: sends nothing
 *     POST /attach                         AttachRequest → AttachAnswer
 *     POST /detach                         DetachRequest → DetachAnswer
 *     POST /reset                          ResetAnswer: empties everything but the hosts
 *     POST /stop                           stops the daemon; instances and devices stay
 *
 * Every error answers a status of 400 or more and AdminError.
 */
import type { Reach, Walk } from '../../explain/explanation.ts'
import type { MachineView } from '../../host/lab.ts'
import type { Impairment, ImpairmentSettings, Partition } from '../../model/impairment.ts'

export type { Obstacle, Reach, Side, Step, Walk, WalkedPacket } from '../../explain/explanation.ts'
export type { MachineView } from '../../host/lab.ts'

export interface AdminError {
  readonly code: string
  readonly message: string
}

export interface LabStatusAnswer {
  readonly lab: string
  readonly pid: number
  /** `http://127.0.0.1:4566` */
  readonly endpointUrl: string
  /** `http://127.0.0.1:9466/metrics`; null when they are not served. */
  readonly metricsUrl: string | null
  readonly region: string
  readonly revision: number
  /** Newest revision that every agent has applied. */
  readonly appliedRevision: number
  /** ISO 8601: since when the store cannot be reached; null: it can. */
  readonly storeUnreachableSince: string | null
  /** Why, in words for people; null: it can. */
  readonly storeUnreachableReason: string | null
  /** Machines of a lab of several; empty in a lab of one. */
  readonly machines: readonly MachineView[]
  /** Hosts of the machine that answers. */
  readonly hosts: readonly HostStatus[]
  readonly instances: Readonly<Record<string, number>>
}

/** What has happened to the tunnels of a VPN connection, oldest first. */
export interface VpnLogAnswer {
  readonly lines: readonly {
    /** ISO 8601. */
    readonly time: string
    /** 1 or 2. */
    readonly tunnel: number
    /** `ike`: charon's own words. */
    readonly source: 'ike' | 'ipsec' | 'bgp'
    readonly text: string
  }[]
}

/** Who called the public services on the lab's internet, oldest first. */
export interface AccessLogAnswer {
  readonly accesses: readonly {
    /** ISO 8601. */
    readonly time: string
    /** `s3` */
    readonly service: string
    /** Address and port that the call came from, as the internet sees them. */
    readonly caller: string
    readonly callerPort: number
    readonly method: string
    readonly host: string
    readonly path: string
    /** HTTP status of the answer. */
    readonly status: number
  }[]
}

export interface UnderlayAnswer {
  /** Whether what crosses between hosts is encrypted. */
  readonly isEncrypted: boolean
  /** Each two hosts, as the first sees it. */
  readonly pairs: readonly {
    readonly host: string
    readonly peer: string
    /** ISO 8601: since when the host sends encrypted, and with the present key; null: not yet. */
    readonly since: string | null
    readonly keySince: string | null
    /** Keys so far. */
    readonly epoch: number
    /** Packets, since the data plane of the host began. */
    readonly sent: number
    readonly received: number
    /** Dropped, for there was no key. */
    readonly unsent: number
    readonly replayed: number
    readonly forged: number
  }[]
}

export interface HyperplaneAnswer {
  readonly nodes: readonly { readonly name: string, readonly isUp: boolean }[]
  readonly shards: readonly {
    /** `nat-…` */
    readonly resource: string
    readonly networkInterfaceId: string
    /** Nodes, slot by slot. */
    readonly shard: readonly string[]
    /** Who decides about each slot; null while nobody does. */
    readonly owners: readonly (string | null)[]
    /** Nodes that are sent copies, and those whose copies are complete. */
    readonly replicas: readonly string[]
    readonly complete: readonly string[]
    readonly epoch: number
    /** Live flows. */
    readonly flows: number
  }[]
}

export interface VpnAnswer {
  /** Of all connections that are not deleted. */
  readonly tunnels: readonly {
    readonly vpnConnectionId: string
    /** 1 or 2. */
    readonly number: number
    readonly outsideIpAddress: string
    readonly insideCidr: string
    /** As EC2's telemetry has it, and since when. */
    readonly status: 'UP' | 'DOWN'
    readonly sinceMs: number
    /** Messages say in words why it is down; null: nothing to say. */
    readonly ipsec: { readonly isUp: boolean, readonly message: string | null }
    /** null: static routes. */
    readonly bgp: { readonly isUp: boolean, readonly message: string | null } | null
    /** Prefixes that another customer gateway of the same gateway announces too, or parts of. */
    readonly overlaps: readonly {
      readonly cidr: string
      readonly otherCidr: string
      readonly otherConnectionId: string
      readonly otherCustomerGatewayId: string
    }[]
    /** Ways through the tunnel; none while it is down. */
    readonly paths: readonly {
      readonly cidr: string
      readonly source: 'static' | 'bgp'
      readonly asPath: readonly number[]
      readonly med: number
      readonly communities: readonly string[]
      /** Whether the gateway sends what goes there by it. */
      readonly isUsed: boolean
    }[]
  }[]
}

export interface HostStatus {
  readonly name: string
  readonly roles: readonly ('compute' | 'edge' | 'hyperplane')[]
  /** Process of its data plane, where it has one of its own and it runs; otherwise null. */
  readonly pid: number | null
  readonly zoneId: string
  readonly namespace: string
  readonly underlayAddress: string
  readonly appliedRevision: number
  readonly wireMode: 'offload' | 'per-packet'
  readonly ports: number
  readonly flows: number
  /**
   * NIC_COUNTERS by name (tun/counters.ts), WORKER_COUNTERS as `worker-…` (dataplane/counters.ts).
   */
  readonly counters: Readonly<Record<string, number>>
  readonly features: Readonly<Record<string, boolean>>
}

export interface CredentialsAnswer {
  readonly endpointUrl: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly accountId: string
}

export interface WaitAnswer { readonly appliedRevision: number }

/** Whose ENI it is, in the words of the person who named it. Names are empty where none is. */
export interface EniOwner {
  /** Value of the ENI's tag "Name". */
  readonly eniName: string
  /** The instance it is attached to; null for none. */
  readonly instance: string | null
  readonly instanceName: string
}

export interface DropsAnswer {
  readonly drops: readonly (EniOwner & {
    readonly host: string
    /** null: no ENI can be named (bad outer header, unknown VNI …). */
    readonly eni: string | null
    readonly reason: string
    readonly meaning: string
    /** What to look at, with the route table, subnet … that the packets met. */
    readonly advice: string
    readonly packets: number
  })[]
}

export interface FlowsAnswer {
  readonly flows: readonly (EniOwner & {
    readonly host: string
    readonly eni: string
    readonly protocol: string
    readonly localAddress: string
    readonly localPort: number
    readonly remoteAddress: string
    readonly remotePort: number
    readonly egressPackets: number
    readonly egressBytes: number
    readonly ingressPackets: number
    readonly ingressBytes: number
    /** ICMP errors about the flow; not among its packets. */
    readonly egressIcmpErrors: number
    readonly ingressIcmpErrors: number
    /** ms since the last packet. */
    readonly idleMs: number
    /** In words: `encapsulate to host-2`, `deliver`, `drop no-route`. */
    readonly egressAction: string
    readonly ingressAction: string
  })[]
}

/**
 * Counters that only rise while a worker lives; they begin anew with it and with the daemon.
 * Packets and bytes are those on the wire, not of super-packets.
 */
export interface TrafficAnswer {
  /** When it was read, ms since 1970. */
  readonly timeMs: number
  /** The same moment on a clock that never jumps, ms. */
  readonly monotonicMs: number
  readonly hosts: readonly HostTraffic[]
  readonly enis: readonly EniTraffic[]
}

export interface HostTraffic {
  readonly host: string
  readonly zoneId: string
  readonly wireMode: 'offload' | 'per-packet'
  /** CPU time of the data plane's thread, µs; null while none runs. */
  readonly cpuUs: number | null
  readonly flows: number
  /** Encapsulated packets and their bytes. */
  readonly underlayTxPackets: number
  readonly underlayTxBytes: number
  readonly underlayRxPackets: number
  readonly underlayRxBytes: number
  /** Descriptors that a cached decision served, and those that took the slow path. */
  readonly fastPathPackets: number
  readonly slowPathPackets: number
  /** Packets dropped, also those that no ENI can be named for, by reason. */
  readonly drops: Readonly<Record<string, number>>
}

export interface EniTraffic extends EniOwner {
  readonly host: string
  readonly eni: string
  readonly egressPackets: number
  readonly egressBytes: number
  readonly ingressPackets: number
  readonly ingressBytes: number
  readonly flows: number
  /** By reason. */
  readonly drops: Readonly<Record<string, number>>
}

/** One line of `GET /events`: docs/events.md has every field and the order. */
export type EventLine =
  | InitialEvent | SyncedEvent | ChangeEvent | AppliedEvent | OverflowEvent | StoppedEvent

/** A record that was there when the stream began. */
export interface InitialEvent {
  readonly type: 'initial'
  /** The revision that made it. */
  readonly revision: number
  readonly noun: string
  readonly id: string
  readonly record: object
}

/** All of the initial state has been sent; what follows is new. */
export interface SyncedEvent {
  readonly type: 'synced'
  readonly revision: number
  /** Newest revision that every host has applied. */
  readonly appliedRevision: number
  /** The same for each host. */
  readonly hosts: Readonly<Record<string, number>>
}

export interface ChangeEvent {
  readonly type: 'change'
  readonly revision: number
  /** RFC 3339, UTC, with milliseconds. */
  readonly time: string
  readonly noun: string
  readonly id: string
  readonly change: 'created' | 'changed' | 'deleted'
  /** The record now; null when it was deleted. */
  readonly record: object | null
  /** The record before; absent when it was created. */
  readonly previous?: object
}

/** Everything up to `revision` is in force on a host, or on all of them. */
export interface AppliedEvent {
  readonly type: 'applied'
  readonly revision: number
  readonly time: string
  /** A host, or `all`. */
  readonly host: string
}

/** The reader was too slow: what came after `revision` is not in the stream, which ends here. */
export interface OverflowEvent {
  readonly type: 'overflow'
  readonly revision: number
  readonly message: string
}

/** The daemon stops: the stream ends here. */
export interface StoppedEvent { readonly type: 'stopped', readonly revision: number }

export interface MappingAnswer {
  readonly vpc: string
  readonly address: string
  readonly eni: string
  readonly host: string
  readonly underlayAddress: string
  readonly subnet: string
  readonly macAddress: string
  readonly generation: number
}

export interface CacheAnswer {
  readonly hosts: readonly {
    readonly host: string
    readonly vpcs: number
    readonly mappings: number
    readonly preloads: number
    readonly resolves: number
    readonly negative: number
    readonly invalidations: number
    /** Packets for ENIs that had left the host, sent on to their new one. */
    readonly forwarded: number
  }[]
}

export interface InstanceAnswer {
  readonly id: string
  readonly namespace: string
  /**
   * Process whose namespaces, root file system and all, a command enters to be inside; null where
   * there is only the network namespace.
   */
  readonly pid: number | null
  /** Socket that is the serial line of a virtual machine; null for what is none. */
  readonly consolePath: string | null
  readonly host: string | null
  readonly state: string
}

/** Hangs a namespace that the lab did not make on a subnet. */
export interface AttachRequest {
  /** Absolute path of a network namespace: `/run/netns/NAME`, `/proc/PID/ns/net`. */
  readonly path: string
  /** As a person calls it: `container web`. */
  readonly label: string
  /** `subnet-…`; not with `eni`. */
  readonly subnet?: string
  /** An ENI that exists, `eni-…`. */
  readonly eni?: string
  /** Primary private IPv4 address; one of the subnet's when left out. */
  readonly address?: string
  readonly ipv6Count?: number
  /** `sg-…`; the VPC's default group when left out. */
  readonly groups?: readonly string[]
  readonly host?: string
  readonly tags?: readonly { readonly Key: string, readonly Value: string }[]
  /**
   * False: only routes to the VPC's own blocks. When left out or true, that is so in a namespace
   * that has another default route already.
   */
  readonly defaultRoute?: boolean
}

export interface AttachAnswer {
  readonly instance: string
  /** Name of the device inside. */
  readonly device: string
  readonly defaultRoute: boolean
  /** Where a default route of the namespace led before, or null. */
  readonly otherDefaultRoute: string | null
}

/** @see AttachRequest */
export interface DetachRequest {
  /** `i-…` */
  readonly instance: string
}

export interface DetachAnswer { readonly instance: string, readonly label: string }

export interface QuotasAnswer {
  /** As `vpcctl lab up --quota-profile` takes it. */
  readonly profile: 'seed' | 'current'
  readonly quotas: readonly {
    /** As `vpcctl lab up --quota` takes it. */
    readonly name: string
    readonly value: number
    /** AWS's by that profile, which holds unless the lab was started with another. */
    readonly default: number
    /** By the account of the lab's own key; null where nothing counts it. */
    readonly used: number | null
    /** The VPC, group … that uses so much of a quota per VPC, group …; null for the Region's. */
    readonly resource: string | null
    /** `subnets of a VPC` */
    readonly what: string
    /** EC2's code when it is reached. */
    readonly code: string
  }[]
}

export interface ImpairmentsAnswer {
  readonly impairments: readonly Impairment[]
  readonly partitions: readonly Partition[]
}

/** What is left out is as in NO_IMPAIRMENT (model/impairment.ts). Replaces what was said before. */
export interface ImpairRequest extends Partial<ImpairmentSettings> {
  /** `eni-…`, or a host. */
  readonly id: string
}

export interface ClearImpairmentRequest { readonly id: string }

export interface PartitionRequest { readonly hosts: readonly [string, string] }

/** Revision with which what was asked for holds (GET /wait). */
export interface RevisionAnswer { readonly revision: number }

export interface ResetAnswer { readonly revision: number, readonly removed: number }

/** Header of the answer to GET /capture: the N of POST /captures/N/stop. */
export const CAPTURE_HEADER = 'vpclab-capture'
/** Trailers of that answer: CaptureStopAnswer in two numbers. */
export const CAPTURED_TRAILER = 'vpclab-captured'
export const LOST_TRAILER = 'vpclab-lost'

export interface CaptureStopAnswer {
  /** Frames in the stream. */
  readonly captured: number
  /** Frames that the reader was too slow for. */
  readonly lost: number
}

/** A packet in words. The rest is what the first packet of a plain conversation has. */
export interface PacketRequest {
  /** ENI, instance or address that sends it. */
  readonly from: string
  /** ENI, instance or address that it is for. */
  readonly to: string
  /** `tcp`, `udp`, `icmp`, `icmpv6` or a number. */
  readonly protocol: string
  /** TCP and UDP: needed. */
  readonly port?: number
  readonly fromPort?: number
  /** Another source address than the sender's own. */
  readonly source?: string
  readonly icmpType?: number
  /** TCP_FLAG_*; SYN when left out. */
  readonly tcpFlags?: number
  /** Of the whole IP packet. */
  readonly bytes?: number
  readonly ttl?: number
}

/** A packet in words, or one that was captured at an ENI. */
export type TraceRequest = PacketRequest | {
  /** `eni-…` */
  readonly at: string
  /** As the instance sees it. */
  readonly direction: 'in' | 'out'
  /** From the IP header on; the end may be missing. */
  readonly bytesHex: string
  /** Of the whole IP packet. */
  readonly totalBytes: number
}

export interface TraceAnswer extends Walk {
  /** Of the records that the way was found by. */
  readonly revision: number
}

/** @see PacketRequest */
export type ReachRequest = Pick<PacketRequest, 'from' | 'to' | 'protocol' | 'port'>

export interface ReachAnswer extends Reach { readonly revision: number }
