/**
 * For tests of the compile: records by the handful, commits of them, and a worker that only keeps
 * what it is sent.
 *
 *     World ── commit ──▶ Snapshot, Directory ──▶ HostCompiler ──▶ WorkerModel ──▶ tables by name
 */
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { eniIdFromBits } from '../base/ids.ts'
import {
  FORMER_AT_HOST_INDEX, FORMER_WORDS, MAPPING_AT_ENI_HIGH, MAPPING_AT_ENI_LOW,
  MAPPING_AT_GENERATION, MAPPING_AT_HOST_INDEX, MAPPING_AT_PREFIX_LENGTH, MAPPING_AT_SUBNET_INDEX,
  MAPPING_WORDS, PEER_AT_MTU, PEER_AT_VPC_INDEX, PEER_WORDS, RULE_AT_PEER_GROUP, RULE_WORDS,
  TARGET_PEERING
} from '../dataplane/tables/update.ts'
import type { MoveData, TableUpdate } from '../dataplane/tables/update.ts'
import type { Directory } from '../mapping/directory.ts'
import { wordsKey } from '../mapping/prefix.ts'
import { PREFIX_WORDS } from '../wire/address.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import type { Instance } from '../model/instance.ts'
import type { Host } from '../model/lab.ts'
import type { NetworkAcl, NetworkAclEntry } from '../model/network_acl.ts'
import type { NetworkInterface } from '../model/network_interface.ts'
import type { PrefixList } from '../model/prefix_list.ts'
import type { RouteTable } from '../model/route_table.ts'
import type { SecurityGroup, SecurityGroupRule } from '../model/security_group.ts'
import { Snapshot } from '../model/snapshot.ts'
import type { Noun, NounRecords } from '../model/snapshot.ts'
import type { Subnet } from '../model/subnet.ts'
import type {
  TrafficMirrorFilter, TrafficMirrorFilterRule
} from '../model/traffic_mirror_filter.ts'
import type { TrafficMirrorSession } from '../model/traffic_mirror_session.ts'
import type { TrafficMirrorTarget } from '../model/traffic_mirror_target.ts'
import type { Vpc } from '../model/vpc.ts'
import type { VpnConnection } from '../model/vpn_connection.ts'
import type { VpnGateway } from '../model/vpn_gateway.ts'
import type { PeeringStatus, VpcPeeringConnection } from '../model/vpc_peering.ts'
import type { Indexes } from './compiled_table.ts'
import { HostCompiler } from './host_compiler.ts'

const OWNED = { region: 'us-east-1', ownerId: '123456789012', tags: {} }

function idOf (prefix: string, number: number): string {
  return `${prefix}-0${number.toString(16).padStart(16, '0')}`
}

/** Number n of each noun, with the fields that the compile reads. */
export function newHost (n: number): Host {
  return {
    id: `host-${String(n)}`, region: 'us-east-1', zoneId: 'use1-az1', roles: ['compute'],
    underlayAddress: `192.0.2.${String(n)}`, underlayMtu: 9216, instanceSlots: 100
  }
}

export function newVpc (n: number): Vpc {
  return {
    ...OWNED, id: idOf('vpc', n), vni: n,
    cidrBlocks: [{ associationId: idOf('vpc-cidr-assoc', n), cidrBlock: '10.0.0.0/16' }],
    ipv6CidrBlocks: [], instanceTenancy: 'default', isDefault: false, dhcpOptionsId: 'default',
    enableDnsSupport: true, enableDnsHostnames: false, enableNetworkAddressUsageMetrics: false
  }
}

/** A virtual private gateway that is not attached, and its connection. */
export function newVpn (n: number): { vpnGateway: VpnGateway, vpnConnection: VpnConnection } {
  const vpnGateway: VpnGateway = {
    ...OWNED, id: idOf('vgw', n), state: 'available', amazonSideAsn: 64_512,
    availabilityZone: null, vni: 0x7f_0000 + n, vpcId: null, detachedVpcId: null, deletedMs: null
  }
  const vpnConnection: VpnConnection = {
    ...OWNED, id: idOf('vpn', n), state: 'available', vpnGatewayId: vpnGateway.id,
    customerGatewayId: idOf('cgw', n), staticRoutesOnly: false,
    localIpv4NetworkCidr: '0.0.0.0/0', remoteIpv4NetworkCidr: '0.0.0.0/0',
    tunnels: [{
      outsideIpAddress: `192.0.2.${String(1 + n)}`, insideCidr: '169.254.10.0/30',
      preSharedKey: null, options: {}, replacedMs: null
    }],
    staticRoutes: [], createdMs: 0, deletedMs: null
  }
  return { vpnGateway, vpnConnection }
}

/** Peering n between two VPCs. */
export function newPeering (n: number, vpcId: string, peerVpcId: string,
  status: PeeringStatus): VpcPeeringConnection {
  const { ownerId, region } = OWNED
  const side = { ownerId, region, allowDnsResolutionFromRemoteVpc: false }
  return {
    ...OWNED, id: idOf('pcx', n), requester: { ...side, vpcId },
    // Every third one is across Regions.
    accepter: { ...side, vpcId: peerVpcId, region: n % 3 === 0 ? 'eu-west-1' : region },
    accepterTags: {}, status, statusRevision: n, createdMs: 0, endedMs: null, endedBy: null
  }
}

/** Subnet n of a VPC: 10.0.n.0/24 and 2001:db8:0:n::/64. */
export function newSubnet (n: number, vpcId: string): Subnet {
  const ipv6 = `2001:db8:0:${n.toString(16)}::/64`
  return {
    ...OWNED, id: idOf('subnet', n), vpcId, zoneId: 'use1-az1',
    cidrBlock: `10.0.${String(n % 256)}.0/24`,
    ipv6CidrBlocks: [{ associationId: idOf('subnet-cidr-assoc', n), cidrBlock: ipv6 }],
    isDefault: false, mapPublicIpOnLaunch: false, assignIpv6AddressOnCreation: false,
    enableDns64: false, hostnameType: 'ip-name', enableResourceNameDnsARecord: false,
    enableResourceNameDnsAaaaRecord: false, cidrReservations: []
  }
}

export function newRouteTable (n: number, vpcId: string): RouteTable {
  return {
    ...OWNED, id: idOf('rtb', n), vpcId, associations: [],
    routes: [{ destination: '10.0.0.0/16', target: { kind: 'local' }, origin: 'CreateRouteTable' }]
  }
}

/** A group without rules. */
export function newSecurityGroup (n: number, vpcId: string): SecurityGroup {
  const id = idOf('sg', n)
  return { ...OWNED, id, vpcId, name: id, description: '', rules: [] }
}

/** Rule n: inbound or outbound, by a block or by a group. */
export function newGroupRule (
  n: number,
  peer: Partial<Pick<SecurityGroupRule, 'cidrIpv4' | 'referencedGroupId' | 'prefixListId'>>
): SecurityGroupRule {
  return {
    id: idOf('sgr', n), isEgress: n % 2 === 0, ipProtocol: 'tcp', fromPort: n, toPort: n,
    cidrIpv4: null, cidrIpv6: null, referencedGroupId: null, prefixListId: null, description: '',
    tags: {}, ...peer
  }
}

/** A prefix list with one entry: 172.16.n.0/24. */
export function newPrefixList (n: number): PrefixList {
  return {
    ...OWNED, id: idOf('pl', n), name: `list-${String(n)}`, addressFamily: 4, maxEntries: 10,
    version: 1, lastChange: 'create',
    entries: [{ cidr: `172.16.${String(n % 256)}.0/24`, description: '' }]
  }
}

export function newMirrorTarget (n: number, networkInterfaceId: string): TrafficMirrorTarget {
  return { ...OWNED, id: idOf('tmt', n), networkInterfaceId, description: '' }
}

export function newMirrorFilter (n: number): TrafficMirrorFilter {
  return { ...OWNED, id: idOf('tmf', n), description: '', networkServices: [] }
}

export function newMirrorRule (n: number, filterId: string): TrafficMirrorFilterRule {
  return {
    ...OWNED, id: idOf('tmfr', n), filterId, direction: n % 2 === 0 ? 'ingress' : 'egress',
    ruleNumber: n, action: n % 3 === 0 ? 'reject' : 'accept', protocol: 6, sourcePorts: null,
    destinationPorts: { from: n, to: n }, sourceCidrBlock: '10.0.0.0/16',
    destinationCidrBlock: '0.0.0.0/0', description: ''
  }
}

export function newMirrorSession (
  n: number, sessionNumber: number, networkInterfaceId: string, targetId: string, filterId: string
): TrafficMirrorSession {
  return {
    ...OWNED, id: idOf('tms', n), networkInterfaceId, targetId, filterId, sessionNumber,
    packetLength: null, virtualNetworkId: n, description: ''
  }
}

/** An ACL without entries. */
export function newNetworkAcl (n: number, vpcId: string, isDefault: boolean): NetworkAcl {
  return { ...OWNED, id: idOf('acl', n), vpcId, isDefault, entries: [], associations: [] }
}

export function newAclEntry (n: number): NetworkAclEntry {
  return {
    ruleNumber: n, isEgress: n % 2 === 0, action: n % 3 === 0 ? 'deny' : 'allow', protocol: 6,
    cidrBlock: '10.0.0.0/16', ipv6CidrBlock: null, icmpType: null, icmpCode: null, portFrom: n,
    portTo: n
  }
}

export function newInterface (n: number, subnet: Subnet, address: string): NetworkInterface {
  return {
    ...OWNED, id: idOf('eni', n), vpcId: subnet.vpcId, subnetId: subnet.id, zoneId: subnet.zoneId,
    description: '', interfaceType: 'interface', requesterId: null, groupIds: [],
    macAddress: `02:00:00:00:00:${(n % 256).toString(16).padStart(2, '0')}`,
    privateIpAddresses: [address], ipv6Addresses: [], ipv4Prefixes: [], ipv6Prefixes: [],
    sourceDestCheck: true, tcpEstablishedTimeoutS: null, udpStreamTimeoutS: null, udpTimeoutS: null,
    attachment: null, autoPublicIp: null, createdMs: 0
  }
}

/** The interface attached to an instance. */
export function attached (eni: NetworkInterface, instanceId: string): NetworkInterface {
  const id = eni.id.replace('eni', 'eni-attach')
  const attachment = { id, instanceId, deviceIndex: 0, deleteOnTermination: true, attachedMs: 0 }
  return { ...eni, attachment }
}

export function newInstance (n: number, subnet: Subnet, hostName: string | null): Instance {
  return {
    ...OWNED, id: idOf('i', n), reservationId: idOf('r', n), clientToken: '', launchIndex: 0,
    imageId: 'ami-00000000000000001', instanceType: 't3.micro', keyName: null,
    vpcId: subnet.vpcId, subnetId: subnet.id, zoneId: subnet.zoneId, hostName, state: 'running',
    goal: 'running', userData: '', bootCount: 1, rebootCount: 0,
    disableApiTermination: false, disableApiStop: false, instanceInitiatedShutdownBehavior: 'stop',
    hostnameType: 'ip-name', launchedMs: 0, stateChangedMs: 0, stateReason: ''
  }
}

/** Records that are changed freely, then committed at once, as a store's feed would bring them. */
export class World {
  readonly snapshot = new Snapshot()
  readonly #draft = new Map<string, { noun: Noun, id: string, record: NounRecords[Noun] | null }>()

  get<N extends Noun> (noun: N, id: string): NounRecords[N] | undefined {
    const drafted = this.#draft.get(`${noun}/${id}`)
    const record = drafted === undefined
      ? this.snapshot.tables[noun].get(id)
      : drafted.record ?? undefined
    return record as NounRecords[N] | undefined
  }

  /** All records of a noun, drafted ones included. */
  list<N extends Noun> (noun: N): NounRecords[N][] {
    const ids = new Set<string>()
    for (const record of this.snapshot.tables[noun].values()) ids.add(record.id)
    for (const draft of this.#draft.values()) if (draft.noun === noun) ids.add(draft.id)
    return [...ids].map((id) => this.get(noun, id)).filter((record) => record !== undefined)
  }

  put<N extends Noun> (noun: N, record: NounRecords[N]): NounRecords[N] {
    this.#draft.set(`${noun}/${record.id}`, { noun, id: record.id, record })
    return record
  }

  remove (noun: Noun, id: string): void {
    this.#draft.set(`${noun}/${id}`, { noun, id, record: null })
  }

  /** Applies what was drafted to the snapshot as one commit. */
  commit (): { readonly revision: number, readonly changes: readonly AppliedChange[] } {
    const revision = this.snapshot.revision + 1
    const changes: AppliedChange[] = []
    for (const { noun, id, record } of this.#draft.values()) {
      const previous = this.snapshot.tables[noun].get(id) ?? null
      if (record === null && previous === null) continue
      // As the store does, every commit brings records of its own.
      changes.push({ noun, id, record: structuredClone(record), previous } as AppliedChange)
    }
    this.#draft.clear()
    this.snapshot.apply(revision, changes)
    return { revision, changes }
  }
}

type IndexedKind =
  'hosts' | 'vpcs' | 'subnets' | 'ports' | 'routeTables' | 'securityGroups' | 'networkAcls'
const INDEX_FIELD = {
  hosts: 'hostIndex', vpcs: 'vpcIndex', subnets: 'subnetIndex', ports: 'portIndex',
  routeTables: 'routeTableIndex', securityGroups: 'securityGroupIndex',
  networkAcls: 'networkAclIndex'
} as const
const REMOVED_FIELD = {
  hosts: 'removedHosts', vpcs: 'removedVpcs', subnets: 'removedSubnets', ports: 'removedPorts',
  routeTables: 'removedRouteTables', securityGroups: 'removedSecurityGroups',
  networkAcls: 'removedNetworkAcls'
} as const
const INDEXED_KINDS = Object.keys(INDEX_FIELD) as IndexedKind[]
const INDEX_KIND: Record<IndexedKind, keyof Indexes> = {
  hosts: 'host', vpcs: 'vpc', subnets: 'subnet', ports: 'port', routeTables: 'routeTable',
  securityGroups: 'securityGroup', networkAcls: 'networkAcl'
}

type TableObject = Readonly<Record<string, unknown>>

/** A worker's tables, kept as they come, and checks on the order in which indices come and go. */
export class WorkerModel {
  readonly #compiler: HostCompiler
  readonly #objects: Record<IndexedKind, Map<number, TableObject>> = {
    hosts: new Map(), vpcs: new Map(), subnets: new Map(), ports: new Map(),
    routeTables: new Map(), securityGroups: new Map(), networkAcls: new Map()
  }
  /** `securityGroupIndex/shard` → prefixes. */
  readonly #members = new Map<string, Uint32Array>()
  /** `vpcIndex/shard` → entries. */
  readonly #shards = new Map<string, Uint32Array>()
  /** Port index → mirroring of its ENI, which goes with the port. */
  readonly #mirrors = new Map<number, unknown>()
  /** ENI id → the move of the ENI. */
  readonly #moves = new Map<string, MoveData>()
  /** Indices that an update removed which is not acknowledged yet. `kind/index` → revision. */
  readonly #removed = new Map<string, number>()
  #revision = 0

  constructor (compiler: HostCompiler) {
    this.#compiler = compiler
  }

  get revision (): number { return this.#revision }

  apply (update: TableUpdate | null): void {
    if (update === null) return
    assert(update.revision >= this.#revision, 'revisions rise')
    // The first one also takes back what an earlier worker of the host had.
    if (this.#revision > 0) {
      for (const kind of INDEXED_KINDS) this.#applyRemovals(kind, update)
      this.#removeMirrors(update)
    }
    this.#revision = update.revision
    for (const kind of INDEXED_KINDS) {
      for (const object of (update[kind] ?? []) as unknown as readonly TableObject[]) {
        const index = Number(object[INDEX_FIELD[kind]])
        assert(index > 0, `${kind} with index 0`)
        assert(!this.#removed.has(`${kind}/${String(index)}`),
          `${kind} ${String(index)} given out before the acknowledgement`)
        this.#objects[kind].set(index, object)
      }
    }
    for (const { vpcIndex, shard, entries } of update.mappings ?? []) {
      assert(this.#objects.vpcs.has(vpcIndex),
        `mappings of VPC index ${String(vpcIndex)}, which is not there`)
      this.#shards.set(`${String(vpcIndex)}/${String(shard)}`, entries)
    }
    for (const mirror of update.mirrors ?? []) {
      assert(this.#objects.ports.has(mirror.portIndex),
        `mirror of port ${String(mirror.portIndex)}, which is not there`)
      this.#mirrors.set(mirror.portIndex, mirror.sessions)
    }
    for (const { eniIdHigh, eniIdLow } of update.removedMoves ?? []) {
      this.#moves.delete(eniIdFromBits(eniIdHigh, eniIdLow))
    }
    for (const move of update.moves ?? []) {
      this.#moves.set(eniIdFromBits(move.eniIdHigh, move.eniIdLow), move)
    }
    for (const { securityGroupIndex, shard, prefixes } of update.groupMembers ?? []) {
      assert(this.#objects.securityGroups.has(securityGroupIndex),
        `members of group index ${String(securityGroupIndex)}, which is not there`)
      this.#members.set(`${String(securityGroupIndex)}/${String(shard)}`, prefixes)
    }
  }

  #removeMirrors ({ removedPorts = [], removedMirrors = [] }: TableUpdate): void {
    for (const index of removedMirrors) {
      assert(this.#mirrors.has(index), `mirror ${String(index)} is removed, but was never there`)
    }
    for (const index of [...removedPorts, ...removedMirrors]) this.#mirrors.delete(index)
  }

  acknowledge (revision = this.#revision): void {
    this.#compiler.acknowledged(revision)
    for (const [key, removedAt] of this.#removed) {
      if (removedAt <= revision) this.#removed.delete(key)
    }
  }

  /**
   * Everything the worker has, names in place of indices. Fails on an index to nowhere.
   * @param options.history with what a directory remembers, and one made anew does not know:
   *   generations of mappings, moves
   */
  tables (options: { readonly history: boolean }): Record<string, unknown> {
    const named: Record<string, unknown> = options.history ? this.#namedMoves() : {}
    for (const kind of INDEXED_KINDS) {
      for (const [index, object] of this.#objects[kind]) {
        named[this.#name(kind, index)] = this.#withNames(object)
      }
    }
    for (const [key, entries] of this.#shards) {
      const vpc = this.#name('vpcs', Number(key.slice(0, key.indexOf('/'))))
      for (let at = 0; at < entries.length; at += MAPPING_WORDS) {
        const entry = entries.subarray(at, at + MAPPING_WORDS)
        const { name, value } = this.#namedEntry(entry, options.history)
        named[`${vpc} ${name}`] = value
      }
    }
    for (const [port, sessions] of this.#mirrors) {
      named[`${this.#name('ports', port)} mirrored`] = sessions
    }
    for (const [key, prefixes] of this.#members) {
      const [group = '', shard = ''] = key.split('/')
      if (prefixes.length === 0) continue
      // Their order means nothing.
      const members = Array.from({ length: prefixes.length / PREFIX_WORDS }, (_member, index) =>
        prefixes.subarray(index * PREFIX_WORDS, (index + 1) * PREFIX_WORDS).join(':'))
      named[`${this.#name('securityGroups', Number(group))} members ${shard}`] = members.sort()
    }
    return named
  }

  /** An answer to a resolve, with names. */
  namedEntries (entries: Uint32Array): unknown[] {
    const named: unknown[] = []
    for (let at = 0; at < entries.length; at += MAPPING_WORDS) {
      named.push(this.#namedEntry(entries.subarray(at, at + MAPPING_WORDS), true))
    }
    return named
  }

  #applyRemovals (kind: IndexedKind, update: TableUpdate): void {
    for (const index of update[REMOVED_FIELD[kind]] ?? []) {
      assert(this.#objects[kind].delete(index),
        `${kind} ${String(index)} is removed, but was never there`)
      this.#removed.set(`${kind}/${String(index)}`, update.revision)
      if (kind === 'securityGroups') {
        for (const key of this.#members.keys()) {
          if (key.startsWith(`${String(index)}/`)) this.#members.delete(key)
        }
      }
      if (kind !== 'vpcs') continue
      for (const key of this.#shards.keys()) {
        if (key.startsWith(`${String(index)}/`)) this.#shards.delete(key)
      }
    }
  }

  #namedMoves (): Record<string, unknown> {
    return Object.fromEntries([...this.#moves].map(([eni, { vni, hostIndex, formers }]) => {
      const hosts = Array.from({ length: formers.length / FORMER_WORDS }, (_former, index) =>
        this.#name('hosts', formers[index * FORMER_WORDS + FORMER_AT_HOST_INDEX] ?? 0))
      return [`${eni} moved`, { vni, host: this.#name('hosts', hostIndex), formers: hosts }]
    }))
  }

  #namedEntry (entry: Uint32Array, generation: boolean): { name: string, value: unknown } {
    const word = (at: number): number => entry[at] ?? 0
    return {
      name: `${wordsKey(entry.subarray(0, 4))}/${String(word(MAPPING_AT_PREFIX_LENGTH))}`,
      value: {
        eni: eniIdFromBits(word(MAPPING_AT_ENI_HIGH), word(MAPPING_AT_ENI_LOW)),
        host: this.#name('hosts', word(MAPPING_AT_HOST_INDEX)),
        subnet: this.#name('subnets', word(MAPPING_AT_SUBNET_INDEX)),
        generation: generation ? word(MAPPING_AT_GENERATION) : null
      }
    }
  }

  #withNames (object: TableObject): TableObject {
    const named: Record<string, unknown> = { ...object }
    for (const kind of INDEXED_KINDS) {
      const field = INDEX_FIELD[kind]
      if (typeof object[field] === 'number') named[field] = this.#name(kind, object[field])
    }
    for (const [field, value] of Object.entries(object)) {
      if (value instanceof Int32Array) named[field] = this.#namedRules(value)
      if (field === 'peers') named[field] = this.#namedPeers(value as Uint32Array)
      if (field === 'targetArgument') named[field] = this.#namedTargets(object)
      if (field !== 'securityGroups') continue
      named[field] = Array.from(value as Uint32Array, (index) =>
        this.#name('securityGroups', index))
    }
    return named
  }

  #namedPeers (peers: Uint32Array): unknown[] {
    return Array.from({ length: peers.length / PEER_WORDS }, (_peer, index) => {
      const at = index * PEER_WORDS
      return [this.#name('vpcs', peers[at + PEER_AT_VPC_INDEX] ?? 0), peers[at + PEER_AT_MTU]]
    })
  }

  #namedTargets ({ targetKind, targetArgument }: TableObject): unknown[] {
    const kinds = targetKind as Uint8Array
    return Array.from(targetArgument as Uint32Array, (argument, route) =>
      kinds[route] === TARGET_PEERING ? this.#name('vpcs', argument) : argument)
  }

  #namedRules (words: Int32Array): unknown[] {
    return Array.from({ length: words.length / RULE_WORDS }, (_rule, index) => {
      const rule = words.slice(index * RULE_WORDS, (index + 1) * RULE_WORDS)
      const peer = this.#name('securityGroups', rule[RULE_AT_PEER_GROUP] ?? 0)
      rule[RULE_AT_PEER_GROUP] = 0
      return [peer, ...rule]
    })
  }

  #name (kind: IndexedKind, index: number): string {
    if (index === 0) return `no ${kind}`
    assert(this.#objects[kind].has(index), `${kind} ${String(index)} is referred to, but not there`)
    const name = this.#compiler.idOf(INDEX_KIND[kind], index)
    assert(name !== null, `${kind} ${String(index)} has no owner`)
    return name
  }
}

/** Stands still. */
export const CLOCK: Clock = { nowMs: () => 0, monotonicMs: () => 0 }

/** A host's compiler and worker over a directory, full tables applied. */
export function startWorker (
  world: World, directory: Directory, hostName: string
): { compiler: HostCompiler, worker: WorkerModel } {
  const compiler = new HostCompiler({ hostName, snapshot: world.snapshot, directory, clock: CLOCK })
  const worker = new WorkerModel(compiler)
  worker.apply(compiler.compileAll())
  worker.acknowledge()
  return { compiler, worker }
}
