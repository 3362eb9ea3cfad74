/**
 * All records at one revision, by noun, with the look-ups that plans and compiles need.
 *
 *     store ── change feed ──▶ Snapshot ──▶ AccountView ──▶ plan…(view, input, context)
 *                                   └─────▶ compile
 *
 * `NounRecords` is the one list of nouns: a new noun is one line there and one in `NOUN_INDEXES`.
 * A plan never sees the snapshot itself but one account's view of it: what belongs to another
 * account or Region is absent, exactly as AWS answers.
 *
 * `apply` is called by the store's feed only. Everything else treats a snapshot as read-only.
 */
import { assert } from '../base/assert.ts'
import type { Address } from './address.ts'
import type { Certificate } from './certificate.ts'
import type { CertificateAuthority, IssuedCertificate } from './certificate_authority.ts'
import type { CustomerGateway } from './customer_gateway.ts'
import type { DhcpOptions } from './dhcp_options.ts'
import type { EgressOnlyInternetGateway } from './egress_only_internet_gateway.ts'
import type { FlowLog } from './flow_log.ts'
import type { HostedZone, HostedZoneChange, HostedZoneVpc } from './hosted_zone.ts'
import type { HyperplaneShard } from './hyperplane_shard.ts'
import type { Image } from './image.ts'
import type { Impairment, Partition } from './impairment.ts'
import type { Instance } from './instance.ts'
import type { MetadataDefaults } from './instance_metadata.ts'
import type { InternetGateway } from './internet_gateway.ts'
import type { Counter, Host, IdempotencyRecord, Machine, QuotaOverride } from './lab.ts'
import type { NatGateway } from './nat_gateway.ts'
import type { NetworkAcl } from './network_acl.ts'
import type { NetworkInsightsAnalysis, NetworkInsightsPath } from './network_insights.ts'
import type { NetworkInterface } from './network_interface.ts'
import type { NetworkInterfacePermission } from './network_interface_permission.ts'
import type { PrefixList, PrefixListVersion } from './prefix_list.ts'
import type { OwnedRecord, Tags } from './record.ts'
import type { ResourceRecordSet } from './record_set.ts'
import type { RouteTable } from './route_table.ts'
import type { SecurityGroup } from './security_group.ts'
import type { ChangeSet, Stack, StackEvent, StackResource } from './stack.ts'
import type { Subnet } from './subnet.ts'
import type { TrafficMirrorFilter, TrafficMirrorFilterRule } from './traffic_mirror_filter.ts'
import type { TrafficMirrorSession } from './traffic_mirror_session.ts'
import type { TrafficMirrorTarget } from './traffic_mirror_target.ts'
import type { Vpc } from './vpc.ts'
import type { VpcPeeringConnection } from './vpc_peering.ts'
import type { VpnConnection } from './vpn_connection.ts'
import type { VpnGateway } from './vpn_gateway.ts'
import type { BgpSession, IpsecSession } from './vpn_status.ts'

/** Every noun and the record it names. */
export interface NounRecords {
  vpc: Vpc
  subnet: Subnet
  networkInterface: NetworkInterface
  networkInterfacePermission: NetworkInterfacePermission
  instance: Instance
  metadataDefaults: MetadataDefaults
  image: Image
  routeTable: RouteTable
  internetGateway: InternetGateway
  egressOnlyInternetGateway: EgressOnlyInternetGateway
  natGateway: NatGateway
  hyperplaneShard: HyperplaneShard
  address: Address
  securityGroup: SecurityGroup
  networkAcl: NetworkAcl
  vpcPeeringConnection: VpcPeeringConnection
  vpnGateway: VpnGateway
  customerGateway: CustomerGateway
  vpnConnection: VpnConnection
  ipsecSession: IpsecSession
  bgpSession: BgpSession
  certificateAuthority: CertificateAuthority
  issuedCertificate: IssuedCertificate
  certificate: Certificate
  prefixList: PrefixList
  prefixListVersion: PrefixListVersion
  dhcpOptions: DhcpOptions
  networkInsightsPath: NetworkInsightsPath
  networkInsightsAnalysis: NetworkInsightsAnalysis
  flowLog: FlowLog
  trafficMirrorTarget: TrafficMirrorTarget
  trafficMirrorFilter: TrafficMirrorFilter
  trafficMirrorFilterRule: TrafficMirrorFilterRule
  trafficMirrorSession: TrafficMirrorSession
  machine: Machine
  host: Host
  counter: Counter
  quotaOverride: QuotaOverride
  impairment: Impairment
  partition: Partition
  idempotency: IdempotencyRecord
  stack: Stack
  stackResource: StackResource
  stackEvent: StackEvent
  changeSet: ChangeSet
  hostedZone: HostedZone
  hostedZoneVpc: HostedZoneVpc
  resourceRecordSet: ResourceRecordSet
  hostedZoneChange: HostedZoneChange
}

export type Noun = keyof NounRecords

/** A field inside a field, `attachment.instanceId`; undefined where the outer one is null. */
export type NestedField = `${string}.${string}`

/** Fields by which records of a noun are looked up, besides their id. Values are ids. */
const NOUN_INDEXES: {
  readonly [N in Noun]: readonly ((keyof NounRecords[N] & string) | NestedField)[]
} = {
  vpc: ['ownerId'],
  subnet: ['ownerId', 'vpcId'],
  networkInterface: ['ownerId', 'vpcId', 'subnetId', 'attachment.instanceId', 'autoPublicIp'],
  networkInterfacePermission: ['ownerId', 'networkInterfaceId'],
  instance: ['ownerId', 'vpcId', 'subnetId', 'hostName'],
  metadataDefaults: [],
  image: ['ownerId'],
  routeTable: ['ownerId', 'vpcId'],
  internetGateway: ['ownerId', 'vpcId'],
  egressOnlyInternetGateway: ['ownerId', 'vpcId'],
  natGateway: ['ownerId', 'vpcId', 'subnetId', 'networkInterfaceId'],
  hyperplaneShard: [],
  address: ['ownerId', 'networkInterfaceId', 'publicIp'],
  securityGroup: ['ownerId', 'vpcId'],
  networkAcl: ['ownerId', 'vpcId'],
  vpcPeeringConnection: ['ownerId', 'accepter.ownerId', 'requester.vpcId', 'accepter.vpcId'],
  vpnGateway: ['ownerId', 'vpcId'],
  customerGateway: ['ownerId'],
  vpnConnection: ['ownerId', 'vpnGatewayId', 'customerGatewayId'],
  ipsecSession: ['vpnConnectionId'],
  bgpSession: ['vpnConnectionId'],
  certificateAuthority: ['accountId'],
  issuedCertificate: ['authorityId'],
  certificate: ['accountId', 'authorityId', 'endpointOf'],
  prefixList: ['ownerId'],
  prefixListVersion: ['prefixListId'],
  dhcpOptions: ['ownerId'],
  networkInsightsPath: ['ownerId'],
  networkInsightsAnalysis: ['ownerId', 'pathId'],
  flowLog: ['ownerId', 'resourceId'],
  trafficMirrorTarget: ['ownerId', 'networkInterfaceId'],
  trafficMirrorFilter: ['ownerId'],
  trafficMirrorFilterRule: ['ownerId', 'filterId'],
  trafficMirrorSession: ['ownerId', 'networkInterfaceId', 'targetId', 'filterId'],
  machine: [],
  host: [],
  counter: [],
  quotaOverride: [],
  impairment: [],
  partition: [],
  idempotency: [],
  stack: ['accountId'],
  stackResource: ['stackId'],
  stackEvent: ['stackId'],
  changeSet: ['stackId'],
  hostedZone: ['ownerId'],
  hostedZoneVpc: ['zoneId', 'vpcId'],
  resourceRecordSet: ['zoneId'],
  hostedZoneChange: []
}

export const NOUNS = Object.keys(NOUN_INDEXES) as readonly Noun[]

/** One change of one record: `record` null removes it. */
export type Change = {
  readonly [N in Noun]: {
    readonly noun: N
    readonly id: string
    readonly record: NounRecords[N] | null
  }
}[Noun]

export function put<N extends Noun> (noun: N, record: NounRecords[N]): Change {
  return { noun, id: record.id, record } as Change
}

export function remove (noun: Noun, id: string): Change {
  return { noun, id, record: null } as Change
}

/** The records of one noun. Iteration is in order of creation. */
export class RecordTable<R extends { readonly id: string }> {
  readonly #byId = new Map<string, R>()
  readonly #createRevisions = new Map<string, number>()
  readonly #modRevisions = new Map<string, number>()
  readonly #indexes = new Map<string, Map<unknown, Set<string>>>()

  constructor (indexedFields: readonly string[]) {
    for (const field of indexedFields) this.#indexes.set(field, new Map())
  }

  get size (): number { return this.#byId.size }

  get (id: string): R | undefined { return this.#byId.get(id) }

  values (): IterableIterator<R> { return this.#byId.values() }

  isIndexed (field: string): boolean { return this.#indexes.has(field) }

  /** Records whose `field` is `value`, in order of creation. Precondition: `field` is indexed. */
  by (field: (keyof R & string) | NestedField, value: unknown): R[] {
    const index = this.#indexes.get(field)
    assert(index !== undefined, `field ${field} is not indexed`)
    const found: R[] = []
    for (const id of index.get(value) ?? []) {
      const record = this.#byId.get(id)
      if (record !== undefined) found.push(record)
    }
    return found
  }

  /** Revision that made the record, 0 when there is none. */
  createRevision (id: string): number { return this.#createRevisions.get(id) ?? 0 }

  /** Revision that last wrote the record, 0 when there is none. */
  modRevision (id: string): number { return this.#modRevisions.get(id) ?? 0 }

  /** For the feed only. */
  set (record: R, modRevision: number, createRevision: number): void {
    const old = this.#byId.get(record.id)
    for (const [field, index] of this.#indexes) {
      const value = fieldOf(record, field)
      if (old !== undefined) {
        const oldValue = fieldOf(old, field)
        if (oldValue === value) continue
        const oldIds = index.get(oldValue)
        oldIds?.delete(record.id)
        if (oldIds?.size === 0) index.delete(oldValue)
      }
      const ids = index.get(value) ?? new Set()
      ids.add(record.id)
      index.set(value, ids)
    }
    this.#byId.set(record.id, record)
    this.#modRevisions.set(record.id, modRevision)
    if (old === undefined) this.#createRevisions.set(record.id, createRevision)
  }

  /** For the feed only. */
  delete (id: string): void {
    const old = this.#byId.get(id)
    if (old === undefined) return
    for (const [field, index] of this.#indexes) {
      const value = fieldOf(old, field)
      const ids = index.get(value)
      ids?.delete(id)
      if (ids?.size === 0) index.delete(value)
    }
    this.#byId.delete(id)
    this.#createRevisions.delete(id)
    this.#modRevisions.delete(id)
  }
}

/** Value of an indexed field, also of one inside another. */
function fieldOf (record: object, field: string): unknown {
  const dotAt = field.indexOf('.')
  if (dotAt === -1) return (record as Record<string, unknown>)[field]
  const outer = (record as Record<string, object | null | undefined>)[field.slice(0, dotAt)]
  return (outer as Record<string, unknown> | null | undefined)?.[field.slice(dotAt + 1)]
}

type Tables = { readonly [N in Noun]: RecordTable<NounRecords[N]> }

export class Snapshot {
  #revision = 0
  readonly tables: Tables

  constructor () {
    this.tables = Object.fromEntries(
      NOUNS.map((noun) => [noun, new RecordTable(NOUN_INDEXES[noun])])) as unknown as Tables
  }

  /** Revision of the newest change in here. */
  get revision (): number { return this.#revision }

  /** For the feed only: applies one commit. Precondition: `revision` is above the last one. */
  apply (revision: number, changes: readonly Change[]): void {
    for (const change of changes) this.load(change, revision, revision)
    this.#revision = revision
  }

  /** For the feed only: one record as the store holds it when it is opened. */
  load (change: Change, modRevision: number, createRevision: number): void {
    const table = this.tables[change.noun] as unknown as RecordTable<{ readonly id: string }>
    if (change.record === null) table.delete(change.id)
    else table.set(change.record, modRevision, createRevision)
    if (modRevision > this.#revision) this.#revision = modRevision
  }
}

/** Nouns that belong to an account. */
export type OwnedNoun = { [N in Noun]: NounRecords[N] extends OwnedRecord ? N : never }[Noun]

/** Index of records that have a second owner. */
const ACCEPTER = 'accepter.ownerId'

/** One account's sight of one Region: what is not in it is absent for that caller. */
export class AccountView {
  readonly snapshot: Snapshot
  readonly accountId: string
  readonly region: string

  constructor (snapshot: Snapshot, accountId: string, region: string) {
    this.snapshot = snapshot
    this.accountId = accountId
    this.region = region
  }

  get<N extends OwnedNoun> (noun: N, id: string): NounRecords[N] | undefined {
    const record = this.#table(noun).get(id)
    if (record === undefined || !this.#sees(record)) return undefined
    return record as unknown as NounRecords[N]
  }

  /** All the caller's records of a noun in this Region, in order of creation. */
  list<N extends OwnedNoun> (noun: N): NounRecords[N][] {
    const table = this.#table(noun)
    let found = table.by('ownerId', this.accountId)
    if (table.isIndexed(ACCEPTER)) {
      const accepted = table.by(ACCEPTER, this.accountId)
      found = [...new Set([...found, ...accepted])]
        .sort((a, b) => table.createRevision(a.id) - table.createRevision(b.id))
    }
    return found.filter((record) => this.#sees(record)) as unknown as NounRecords[N][]
  }

  /** The caller's records of a noun whose `field` (an indexed one) is `value`. */
  by<N extends OwnedNoun> (
    noun: N, field: keyof NounRecords[N] & string, value: unknown): NounRecords[N][] {
    return this.#table(noun).by(field as keyof OwnedRecord, value)
      .filter((record) => this.#sees(record)) as unknown as NounRecords[N][]
  }

  /** Whether the record is the caller's own, and not one that it has a share in as its accepter. */
  owns ({ ownerId, region }: OwnedRecord): boolean {
    return ownerId === this.accountId && region === this.region
  }

  /** The caller's tags on a record that it sees. */
  tagsOf (record: OwnedRecord): Tags {
    return this.owns(record) ? record.tags : record.accepterTags ?? {}
  }

  /** The record with other tags of the caller. */
  withTags<R extends OwnedRecord> (record: R, tags: Tags): R {
    return this.owns(record) ? { ...record, tags } : { ...record, accepterTags: tags }
  }

  #table (noun: OwnedNoun): RecordTable<OwnedRecord> {
    return this.snapshot.tables[noun]
  }

  #sees (record: OwnedRecord): boolean {
    if (this.owns(record)) return true
    const { accepter } = record
    return accepter !== undefined && accepter.ownerId === this.accountId &&
      accepter.region === this.region
  }
}
