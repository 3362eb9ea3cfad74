/**
 * A worker in memory: loop, router, tables and flow table over a MemoryNic, a link of arrays, and a
 * clock that moves by hand. `buildTables` writes the usual tables from a short description:
 *
 *     VPC 1, VNI 100    subnets 10.0.1.0/24 and 10.0.2.0/24 …
 *     host 1            this worker; its ENIs have ports
 *     host 2 …          the others
 */
import type { Random } from '../../base/random.ts'
import { COUNTER_BYTES, Counters, readDrops } from '../counters.ts'
import { DROP_REASONS } from '../drop_reason.ts'
import { Loop, RX_MAX, TX_MAX } from '../loop.ts'
import type { ControlLink } from '../port.ts'
import { scratchBytes } from '../router_arena.ts'
import { flowFileBytes } from '../tables/flow_layout.ts'
import { FlowTable } from '../tables/flow_table.ts'
import { natFileBytes } from '../tables/nat_layout.ts'
import { NatTable } from '../tables/nat_table.ts'
import { MAPPING_PREFIX_SHARD, MAPPING_SHARDS, mappingShardOf } from '../tables/mapping_shard.ts'
import {
  MAPPING_AT_ENI_HIGH, MAPPING_AT_ENI_LOW, MAPPING_AT_HOST_INDEX, MAPPING_AT_PREFIX_LENGTH,
  MAPPING_AT_SUBNET_INDEX, MAPPING_WORDS, PORT_KIND_ENI, PUBLIC_AT_PRIVATE, PUBLIC_AT_VPC_INDEX,
  PUBLIC_WORDS, RULE_ALLOW, RULE_ANY, RULE_AT_FROM, RULE_AT_PEER_GROUP,
  RULE_AT_PREFIX, RULE_AT_PROTOCOL, RULE_AT_TO, RULE_AT_VERDICT, RULE_DENY, RULE_WORDS,
  TARGET_BLACKHOLE, TARGET_GATEWAY, TARGET_LOCAL, TARGET_NETWORK_INTERFACE, TARGET_PEERING
} from '../tables/update.ts'
import type {
  ControlMessage, GroupMembersData, MappingShardData, PortData, PublicAddressesData,
  RouteTableData, TableUpdate,
  WorkerMessage
} from '../tables/update.ts'
import { addressWords, ADDRESS_BITS, PREFIX_WORDS, prefixWords } from '../../wire/address.ts'
import { MemoryNic } from './memory_nic.ts'

const PORT_MAX = 65_535

/** The index of the host that a Lab is. */
export const THIS_HOST = 1

export interface EniSpec {
  /** Low word of the ENI's id; the high word is ENI_HIGH. */
  readonly eni: number
  readonly subnet: number
  readonly host: number
  readonly addresses: readonly string[]
  /** Absent: on. */
  readonly sourceDestCheck?: boolean
  readonly mtu?: number
  /** Indices of its security groups. Absent: the group of its VPC that is open both ways. */
  readonly groups?: readonly number[]
  /** Idle times of its connections; absent: AWS's. */
  readonly timeoutsS?: {
    readonly tcpEstablished?: number
    readonly udpStream?: number
    readonly udp?: number
  }
}

/** A rule of a group or an ACL. */
export interface RuleSpec {
  /** IP protocol number; absent: all. */
  readonly protocol?: number
  /** Ports, or type and code of ICMP; absent: all. */
  readonly from?: number
  readonly to?: number
  /** A block, or a group by its index. */
  readonly peer: string | { readonly group: number }
  /** Absent: allow. */
  readonly deny?: boolean
}

export interface PolicySpec {
  readonly index: number
  readonly inbound: readonly RuleSpec[]
  readonly outbound: readonly RuleSpec[]
}

export interface RouteSpec {
  readonly to: string
  readonly target: 'local' | 'blackhole' | { readonly eni: number } |
    { readonly gateway: number } | { readonly peer: number }
}

/** A gateway of a VPC: its place, and its port where this host serves it. */
export interface GatewaySpec {
  /** Low word of its id, and index of its port; the high word is GATEWAY_HIGH. */
  readonly gateway: number
  /** A host, or a group. */
  readonly host: number
  readonly mtu: number
  /** Group that may send as the gateway. Absent: `host`. */
  readonly senders?: number
  /** PORT_KIND_* where this host serves it. */
  readonly kind?: number
  readonly routeTable?: number
}

export interface VpcSpec {
  readonly vpc: number
  readonly vni: number
  readonly mappingsComplete?: boolean
  readonly blocks?: readonly string[]
  /** VPCs of active peerings. */
  readonly peers?: readonly { readonly vpc: number, readonly mtu: number }[]
  /** Absent: none. */
  readonly resolver?: string
  readonly subnets: readonly {
    readonly subnet: number
    readonly cidrs: readonly string[]
    readonly routes: readonly RouteSpec[]
    readonly routers?: { readonly ipv4?: string, readonly ipv6?: string }
    /** Index of its ACL. Absent: the ACL of its VPC that allows everything. */
    readonly networkAcl?: number
  }[]
  readonly enis: readonly EniSpec[]
  readonly gateways?: readonly GatewaySpec[]
  readonly groups?: readonly PolicySpec[]
  readonly networkAcls?: readonly PolicySpec[]
}

export const ENI_HIGH = 0x0a1b2c3d
export const GATEWAY_HIGH = 0x16a7e000
export const MTU = 9001

/** Outer address of a host. */
export function hostAddress (host: number): string {
  return `192.0.2.${String(host)}`
}

function words (texts: readonly string[]): Uint32Array {
  const flat = new Uint32Array(texts.length * PREFIX_WORDS)
  texts.forEach((text, index) => { flat.set(prefixWords(text), index * PREFIX_WORDS) })
  return flat
}

function routeTableOf (vpc: VpcSpec, subnet: VpcSpec['subnets'][number]): RouteTableData {
  const { routes } = subnet
  const enis = new Uint32Array(routes.length * 2)
  const kinds = routes.map(({ target }, index) => {
    if (target === 'local') return TARGET_LOCAL
    if (target === 'blackhole') return TARGET_BLACKHOLE
    if ('peer' in target) return TARGET_PEERING
    if ('gateway' in target) {
      enis.set([GATEWAY_HIGH, target.gateway], index * 2)
      return TARGET_GATEWAY
    }
    enis.set([ENI_HIGH, target.eni], index * 2)
    return TARGET_NETWORK_INTERFACE
  })
  return {
    routeTableIndex: subnet.subnet,
    vpcIndex: vpc.vpc,
    destinations: words(routes.map(({ to }) => to)),
    targetKind: Uint8Array.from(kinds),
    targetArgument: Uint32Array.from(routes, ({ target }, index) =>
      typeof target === 'object' && 'peer' in target ? target.peer : index),
    targetEnis: enis
  }
}

/** Entries of one ENI, one for each address or prefix. */
export function mappingEntries (eni: EniSpec): Uint32Array {
  const entries = new Uint32Array(eni.addresses.length * MAPPING_WORDS)
  eni.addresses.forEach((text, index) => {
    const at = index * MAPPING_WORDS
    const prefix = prefixWords(text)
    entries.set(prefix.subarray(0, 4), at)
    entries[at + MAPPING_AT_PREFIX_LENGTH] = prefix[4]
    entries[at + MAPPING_AT_ENI_HIGH] = ENI_HIGH
    entries[at + MAPPING_AT_ENI_LOW] = eni.eni
    entries[at + MAPPING_AT_HOST_INDEX] = eni.host
    entries[at + MAPPING_AT_SUBNET_INDEX] = eni.subnet
  })
  return entries
}

/** All shards of a VPC, those that are empty too. */
export function mappingShards (vpcIndex: number, enis: readonly EniSpec[]): MappingShardData[] {
  const shards = Array.from({ length: MAPPING_SHARDS }, (): number[] => [])
  for (const eni of enis) {
    const entries = mappingEntries(eni)
    for (let at = 0; at < entries.length; at += MAPPING_WORDS) {
      const shard = entries[at + MAPPING_AT_PREFIX_LENGTH] < ADDRESS_BITS
        ? MAPPING_PREFIX_SHARD
        : mappingShardOf(entries[at], entries[at + 1], entries[at + 2], entries[at + 3])
      shards[shard].push(...entries.subarray(at, at + MAPPING_WORDS))
    }
  }
  return shards.map((entries, shard) => ({ vpcIndex, shard, entries: Uint32Array.from(entries) }))
}

/** Index of the group, and of the ACL, of a VPC that lets everything through. */
export const openPolicyOf = (vpc: number): number => 1000 + vpc

const OPEN: readonly RuleSpec[] = [{ peer: '0.0.0.0/0' }, { peer: '::/0' }]

function policiesOf (vpc: VpcSpec, policies: readonly PolicySpec[] = []): readonly PolicySpec[] {
  return [...policies, { index: openPolicyOf(vpc.vpc), inbound: OPEN, outbound: OPEN }]
}

function ruleWords (rules: readonly RuleSpec[]): Int32Array {
  const packed = new Int32Array(rules.length * RULE_WORDS)
  rules.forEach((rule, index) => {
    const at = index * RULE_WORDS
    packed[at + RULE_AT_PROTOCOL] = rule.protocol ?? RULE_ANY
    packed[at + RULE_AT_FROM] = rule.from ?? RULE_ANY
    packed[at + RULE_AT_TO] = rule.to ?? (rule.from === undefined ? PORT_MAX : rule.from)
    packed[at + RULE_AT_VERDICT] = rule.deny === true ? RULE_DENY : RULE_ALLOW
    if (typeof rule.peer === 'string') packed.set(prefixWords(rule.peer), at + RULE_AT_PREFIX)
    else packed[at + RULE_AT_PEER_GROUP] = rule.peer.group
  })
  return packed
}

/** Members of every group of a VPC, whether or not a rule names it. */
function membersOf (vpc: VpcSpec): GroupMembersData[] {
  const indices = new Set(vpc.enis.flatMap(({ groups }) => groups ?? []))
  return [...indices].flatMap((group) => {
    const members = vpc.enis.filter(({ groups }) => groups?.includes(group))
    return mappingShards(vpc.vpc, members).map(({ shard, entries }) => ({
      vpcIndex: vpc.vpc,
      securityGroupIndex: group,
      shard,
      prefixes: Uint32Array.from(Array.from({ length: entries.length / MAPPING_WORDS },
        (_none, entry) => [...entries.subarray(entry * MAPPING_WORDS,
          entry * MAPPING_WORDS + PREFIX_WORDS)]).flat())
    }))
  })
}

export function portOf (vpc: VpcSpec, eni: EniSpec, portIndex: number): PortData {
  return {
    portIndex,
    kind: PORT_KIND_ENI,
    eniIdHigh: ENI_HIGH,
    eniIdLow: eni.eni,
    vpcIndex: vpc.vpc,
    subnetIndex: eni.subnet,
    routeTableIndex: 0,
    sourceDestCheck: eni.sourceDestCheck ?? true,
    addresses: words(eni.addresses),
    mtu: eni.mtu ?? MTU,
    securityGroups: Uint32Array.from(eni.groups ?? [openPolicyOf(vpc.vpc)]),
    tcpEstablishedTimeoutS: eni.timeoutsS?.tcpEstablished ?? 432_000,
    udpStreamTimeoutS: eni.timeoutsS?.udpStream ?? 180,
    udpTimeoutS: eni.timeoutsS?.udp ?? 30
  }
}

function gatewayPort (
  { vpc }: VpcSpec, { gateway, kind, mtu, routeTable }: GatewaySpec
): PortData[] {
  return kind === undefined ? [] : [{
    portIndex: gateway,
    kind,
    eniIdHigh: GATEWAY_HIGH,
    eniIdLow: gateway,
    vpcIndex: vpc,
    subnetIndex: 0,
    routeTableIndex: routeTable ?? 0,
    sourceDestCheck: false,
    addresses: new Uint32Array(0),
    mtu,
    securityGroups: new Uint32Array(0),
    tcpEstablishedTimeoutS: 0,
    udpStreamTimeoutS: 0,
    udpTimeoutS: 0
  }]
}

/**
 * Public addresses: `publicAddress` and the private one behind it, or an IPv6 block alone.
 * @param rows public address or block, private address or null, VPC
 */
export function publicAddresses (
  rows: readonly (readonly [string, string | null, number])[]
): PublicAddressesData {
  const entries = new Uint32Array(rows.length * PUBLIC_WORDS)
  rows.forEach(([publicAddress, privateAddress, vpc], index) => {
    const at = index * PUBLIC_WORDS
    entries.set(prefixWords(publicAddress), at)
    if (privateAddress !== null) entries[at + PUBLIC_AT_PRIVATE] = addressWords(privateAddress)[3]
    entries[at + PUBLIC_AT_VPC_INDEX] = vpc
  })
  return { entries }
}

/** One update with everything; ENIs of THIS_HOST get ports whose index is their number. */
export function buildTables (
  vpcs: readonly VpcSpec[], hosts: number, revision = 1, here = THIS_HOST
): TableUpdate {
  return {
    kind: 'tables',
    revision,
    hosts: Array.from({ length: hosts }, (_host, index) => ({
      hostIndex: index + 1, underlayAddress: addressWords(hostAddress(index + 1)), isNode: true
    })),
    vpcs: vpcs.map(({ vpc, vni, mappingsComplete, gateways = [], blocks, peers, resolver }) => ({
      vpcIndex: vpc, vni, mappingsComplete: mappingsComplete ?? true,
      blocks: words(blocks ?? []),
      peers: Uint32Array.from((peers ?? []).flatMap((peer) => [peer.vpc, peer.mtu])),
      resolver: resolver === undefined ? new Uint32Array(4) : addressWords(resolver),
      gateways: Uint32Array.from(
        gateways.flatMap(({ gateway, host, mtu, senders }) =>
          [GATEWAY_HIGH, gateway, host, mtu, senders ?? host]))
    })),
    subnets: vpcs.flatMap((vpc) => vpc.subnets.map((subnet) => ({
      subnetIndex: subnet.subnet,
      vpcIndex: vpc.vpc,
      routeTableIndex: subnet.subnet,
      networkAclIndex: subnet.networkAcl ?? openPolicyOf(vpc.vpc),
      cidrs: words(subnet.cidrs),
      routerIpv4: subnet.routers?.ipv4 === undefined ? new Uint32Array(4)
        : addressWords(subnet.routers.ipv4),
      routerIpv6: subnet.routers?.ipv6 === undefined ? new Uint32Array(4)
        : addressWords(subnet.routers.ipv6)
    }))),
    routeTables: vpcs.flatMap((vpc) => vpc.subnets.map((subnet) => routeTableOf(vpc, subnet))),
    securityGroups: vpcs.flatMap((vpc) => policiesOf(vpc, vpc.groups).map((group) => ({
      vpcIndex: vpc.vpc, securityGroupIndex: group.index, inbound: ruleWords(group.inbound),
      outbound: ruleWords(group.outbound)
    }))),
    networkAcls: vpcs.flatMap((vpc) => policiesOf(vpc, vpc.networkAcls).map((acl) => ({
      vpcIndex: vpc.vpc, networkAclIndex: acl.index, inbound: ruleWords(acl.inbound),
      outbound: ruleWords(acl.outbound)
    }))),
    groupMembers: vpcs.flatMap(membersOf),
    mappings: vpcs.flatMap((vpc) => vpc.mappingsComplete === false ? []
      : mappingShards(vpc.vpc, vpc.enis)),
    ports: vpcs.flatMap((vpc) => [
      ...vpc.enis.filter(({ host }) => host === here).map((eni) => portOf(vpc, eni, eni.eni)),
      ...(vpc.gateways ?? []).flatMap((gateway) => gatewayPort(vpc, gateway))
    ])
  }
}

const WASM_PAGE_BYTES = 65_536
declare const WebAssembly: {
  readonly Memory: new (descriptor: { initial: number }) => { readonly buffer: ArrayBuffer }
}

/**
 * Memory that begins at a page, as a mapped file does. A plain ArrayBuffer begins 16 bytes after
 * one, and entries of the flow table would straddle cache lines.
 */
function pageAligned (bytes: number): ArrayBuffer {
  return new WebAssembly.Memory({ initial: Math.ceil(bytes / WASM_PAGE_BYTES) }).buffer
}

/** Bytes that repeat: the hash of a test's flow table is always the same. */
export const fixedRandom: Random = {
  bytes: (count) => Uint8Array.from({ length: count }, (_byte, index) => index * 37 + 11)
}

export class Lab {
  readonly nic = new MemoryNic(scratchBytes(TX_MAX), RX_MAX, TX_MAX)
  readonly toWorker: ControlMessage[] = []
  readonly fromWorker: WorkerMessage[] = []
  readonly sharedCounters = new SharedArrayBuffer(COUNTER_BYTES)
  readonly flows: FlowTable
  readonly loop: Loop
  /** Milliseconds; moved by hand. */
  nowMs = 0

  constructor (options: {
    readonly flowCapacity?: number
    readonly flowFile?: ArrayBuffer
    readonly pathMtu?: number
    readonly host?: number
    /** Rows of its NAT table; absent: it is no HyperPlane node. */
    readonly natCapacity?: number
  } = {}) {
    const capacity = options.flowCapacity ?? 256
    const file = options.flowFile ?? pageAligned(flowFileBytes(capacity))
    this.flows = new FlowTable(file, capacity, fixedRandom)
    const link: ControlLink = {
      receive: () => this.toWorker.shift() ?? null,
      post: (message) => this.fromWorker.push(message),
      close: () => undefined
    }
    this.loop = new Loop({
      nic: this.nic,
      link,
      clock: { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs },
      counters: new Counters(this.sharedCounters),
      flows: this.flows,
      nat: options.natCapacity === undefined ? null
        : new NatTable(new ArrayBuffer(natFileBytes(options.natCapacity)), options.natCapacity,
          fixedRandom),
      hostIndex: options.host ?? THIS_HOST,
      pathMtu: options.pathMtu ?? MTU,
      machineNs: () => this.nowMs * 1e6
    })
  }

  /**
   * Applies tables and opens a device for every port in them. The NIC's port is the port's index.
   */
  apply (update: TableUpdate): void {
    this.toWorker.push(update)
    for (const port of update.ports ?? []) this.toWorker.push(openPort(port.portIndex))
    this.pass()
  }

  /** One pass of the loop, and one more so that what it prepared is sent. */
  pass (): void {
    this.loop.pass(0)
    this.loop.pass(0)
  }

  /** The NIC's number of a port's device. */
  nicPort (portIndex: number): number { return this.loop.tables.ports.nicPort[portIndex] }

  /** Drops by `port/reason`, packets. */
  drops (): Record<string, number> {
    this.loop.router.counters.commit(this.nic.counters)
    return Object.fromEntries(readDrops(this.sharedCounters).map(({ portIndex, reason,
      packets }) => (
      [`${String(portIndex)}/${DROP_REASONS[reason].name}`, packets])))
  }

  /** What was sent since the last call. */
  takeSent (): MemoryNic['sent'] { return this.nic.sent.splice(0) }
}

export function openPort (portIndex: number, device: 'tun' | 'tap' = 'tun'): ControlMessage {
  return { kind: 'open-port', portIndex, device, namespacePath: '/run/netns/test',
    deviceName: `eth${String(portIndex)}` }
}
