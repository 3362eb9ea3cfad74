/**
 * One host's tables, from records: whole once, then what each commit changes and nothing else.
 *
 *     commit ──▶ note (each table) ──▶ stale keys ──▶ build (each table) ──▶ TableUpdate ──▶ worker
 *                                                                                │
 *     indices of what was removed are free again ◀── acknowledged(revision) ◀────┘
 *
 * A host gets only VPCs of which it holds a live ENI or serves a gateway, whole: subnets, route
 * tables, ACLs, security groups, mappings; and of their peers the mappings (vpc_table.ts). When the
 * first of these comes, everything of that VPC is stale; when the last one goes, everything of it
 * is removed. Changes of other VPCs cost a few look-ups and build nothing.
 *
 * Invariant, tested with random histories: the tables after any number of updates are the tables of
 * a full compile, index numbers aside.
 */
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { eniIdFromBits } from '../base/ids.ts'
import { PORTS_MAX } from '../dataplane/tables/port_table.ts'
import type { ControlMessage, MappingKey, TableUpdate } from '../dataplane/tables/update.ts'
import type { Directory, DirectoryTouch, MappingEntry } from '../mapping/directory.ts'
import { ADDRESS_BITS } from '../mapping/prefix.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { NO_VPC, finishDraft, newDraft } from './compiled_table.ts'
import type { CompileContext, CompiledTable, Indexes } from './compiled_table.ts'
import { groupMemberTable } from './group_member_table.ts'
import { hostGroupTable } from './host_group_table.ts'
import { hostTable } from './host_table.ts'
import { impairmentTable } from './impairment_table.ts'
import { IndexAllocator } from './index_allocator.ts'
import { mappingTable, packEntries } from './mapping_table.ts'
import { mirrorTable } from './mirror_table.ts'
import { moveTable } from './move_table.ts'
import { compiledAclRules, networkAclTable } from './network_acl_table.ts'
import { portTable } from './port_table.ts'
import { publicAddressTable } from './public_address_table.ts'
import { ReferenceIndex } from './reference_index.ts'
import { ResolvedMappings } from './resolved_mappings.ts'
import type { Held } from './resolved_mappings.ts'
import { routeTableTable } from './route_table_table.ts'
import { compiledGroupRules, securityGroupTable } from './security_group_table.ts'
import { SentKeys } from './sent_keys.ts'
import { shardTable } from './shard_table.ts'
import { subnetTable } from './subnet_table.ts'
import { vpnTable } from './vpn_table.ts'
import { concernedBy, knowledgeOf, vpcTable } from './vpc_table.ts'
import type { VpcKnowledge } from './vpc_table.ts'

/** All tables, each after those whose indices it uses. */
const COMPILED_TABLES: readonly CompiledTable[] =
  [
    hostTable, hostGroupTable, vpcTable, routeTableTable, networkAclTable, subnetTable,
    securityGroupTable, portTable, mappingTable, groupMemberTable, mirrorTable,
    publicAddressTable, shardTable, vpnTable, impairmentTable, moveTable
  ]

/** Highest index of each kind; an object beyond it is left out and counted (`exhausted`). */
export const HOST_INDEX_MAX = 4_095
export const VPC_INDEX_MAX = 4_095
export const SUBNET_INDEX_MAX = 65_535
export const PORT_INDEX_MAX = PORTS_MAX - 1
export const ROUTE_TABLE_INDEX_MAX = 65_535
export const SECURITY_GROUP_INDEX_MAX = 65_535
export const NETWORK_ACL_INDEX_MAX = 65_535

export type ResolvedMessage = Extract<ControlMessage, { readonly kind: 'resolved' }>

export interface HostCompilerOptions {
  readonly hostName: string
  readonly snapshot: Snapshot
  readonly directory: Directory
  readonly clock: Clock
}

export interface CompileCounters {
  /** Objects built, by list of the update. */
  readonly built: Record<CompiledTable['name'], number>
  /** Objects removed. */
  removed: number
  /** Mapping shards sent in advance, empty ones included. */
  preloads: number
  /** Questions answered, and those among them answered with nothing. */
  resolves: number
  negative: number
  /** Answers corrected by a push. */
  invalidations: number
}

/** What `GET /cache` tells of a host, of which its worker counts the rest. */
export interface CacheStatistics {
  readonly host: string
  readonly vpcs: number
  /** Entries that the worker holds now: preloaded, and resolved on demand. */
  readonly mappings: number
  readonly preloads: number
  readonly resolves: number
  readonly negative: number
  readonly invalidations: number
}

export class HostCompiler {
  readonly counters: CompileCounters = {
    built: {
      hosts: 0, vpcs: 0, subnets: 0, ports: 0, routeTables: 0, mappings: 0, securityGroups: 0,
      groupMembers: 0, networkAcls: 0, mirrors: 0, hostGroups: 0, publicAddresses: 0, shards: 0,
      vpns: 0, impairments: 0, moves: 0
    },
    removed: 0, preloads: 0, resolves: 0, negative: 0, invalidations: 0
  }
  readonly #clock: Clock
  readonly #context: CompileContext & { revision: number }
  readonly #sent: ReadonlyMap<CompiledTable, SentKeys> =
    new Map(COMPILED_TABLES.map((table) => [table, new SentKeys()]))
  readonly #resolved = new ResolvedMappings()
  /** What the host knows of VPCs, without those it knows nothing of. */
  readonly #known = new Map<string, VpcKnowledge>()
  #corrections: ResolvedMessage[] = []
  readonly #allocators: readonly IndexAllocator[]

  constructor (options: HostCompilerOptions) {
    const { hostName, snapshot, directory } = options
    const host = new IndexAllocator(HOST_INDEX_MAX)
    const vpc = new IndexAllocator(VPC_INDEX_MAX)
    const subnet = new IndexAllocator(SUBNET_INDEX_MAX)
    const port = new IndexAllocator(PORT_INDEX_MAX)
    const routeTable = new IndexAllocator(ROUTE_TABLE_INDEX_MAX)
    const securityGroup = new IndexAllocator(SECURITY_GROUP_INDEX_MAX)
    const networkAcl = new IndexAllocator(NETWORK_ACL_INDEX_MAX)
    this.#clock = options.clock
    this.#allocators = [host, vpc, subnet, port, routeTable, securityGroup, networkAcl]
    this.#context = {
      hostName,
      snapshot,
      directory,
      routeTargets: new ReferenceIndex(),
      groupReferences: new ReferenceIndex(),
      revision: snapshot.revision,
      indexes: { host, vpc, subnet, port, routeTable, securityGroup, networkAcl }
    }
  }

  get hostName (): string { return this.#context.hostName }

  /** Objects left out because a kind of index ran out, since the start. */
  get exhausted (): number {
    return this.#allocators.reduce((sum, allocator) => sum + allocator.exhausted, 0)
  }

  /**
   * Everything the host is to have now, and the removal of what it had beyond that. For a worker
   * that starts; indices stay those that an earlier worker of the host knew.
   */
  compileAll (): TableUpdate {
    const { snapshot, directory, hostName } = this.#context
    const stale = newStale()
    const vpcIds = new Set([NO_VPC])
    for (const held of directory.vpcsOf(hostName)) {
      for (const vpcId of concernedBy(held, this.#context)) vpcIds.add(vpcId)
    }
    this.#known.clear()
    for (const vpcId of vpcIds) {
      if (vpcId !== NO_VPC) this.#known.set(vpcId, knowledgeOf(vpcId, this.#context))
    }
    for (const [table, keys] of stale) {
      for (const key of this.#sentOf(table).keys()) keys.add(key)
      for (const vpcId of vpcIds) {
        for (const key of table.keysOf(vpcId, this.#context)) keys.add(key)
      }
    }
    const update = this.#build(snapshot.revision, stale)
    for (const held of this.#resolved.values()) this.#correct(held)
    return update ?? { kind: 'tables', revision: snapshot.revision }
  }

  /**
   * What one commit changes for this host; null when that is nothing.
   * Precondition: the snapshot and the directory hold the commit, and no later one.
   */
  compileChanges (revision: number, changes: readonly AppliedChange[]): TableUpdate | null {
    const context = this.#context
    const touch = context.directory.touched
    assert(touch.revision === revision && context.snapshot.revision === revision,
      `compile of revision ${String(revision)} with the directory at ${String(touch.revision)}`)
    const stale = newStale()
    for (const [table, keys] of stale) {
      const mark = (key: string): void => { keys.add(key) }
      for (const change of changes) table.note?.(change, context, mark)
      if (touch.networkInterfaces.size > 0) table.noteMoves?.(touch, context, mark)
    }
    const newlyKnown = [...vpcsConcerned(touch, changes, context)]
      .filter((vpcId) => this.#noteKnowledge(vpcId, stale))
    const update = this.#build(revision, stale)
    // A host that came or went has another index, whoever lives on it.
    const hostsMoved = changes.some(({ noun, record, previous }) =>
      noun === 'host' && (record === null || previous === null))
    const told = hostsMoved ? this.#resolved.values() : this.#resolved.staleAfter(touch)
    // Entries of a VPC name its subnets where it is held, and none where it is a peer.
    const renamed = newlyKnown.flatMap((vpcId) => this.#resolved.ofVpc(vpcId))
    for (const held of new Set([...told, ...renamed])) this.#correct(held)
    // Corrections are not acknowledged by themselves: an update without content behind them is.
    return update ?? (this.#corrections.length > 0 ? { kind: 'tables', revision } : null)
  }

  /** Corrections due since the last call. To be posted before the update of their commit. */
  takeCorrections (): readonly ResolvedMessage[] {
    const corrections = this.#corrections
    this.#corrections = []
    return corrections
  }

  /**
   * Answers a worker that misses a mapping.
   * @returns null when the host holds no ENI of that VPC: such a question is refused (and counted
   *   and reported, unless the worker just has not heard yet that the VPC is gone)
   */
  resolve (key: MappingKey): ResolvedMessage | null {
    const { hostName, directory, indexes } = this.#context
    const vpcId = indexes.vpc.idOf(key.vpcIndex)
    if (vpcId === null) {
      const isLate = indexes.vpc.isRetired(key.vpcIndex)
      if (!isLate) directory.refuse(hostName, `VPC of index ${String(key.vpcIndex)}`)
      return null
    }
    if (!this.#known.has(vpcId) && !directory.mayAsk(hostName, vpcId)) return null
    const answer = this.#answer(vpcId, key)
    this.counters.resolves++
    if (answer.entries.length === 0) this.counters.negative++
    return answer
  }

  /** The worker has applied everything up to `revision`. */
  acknowledged (revision: number): void {
    for (const allocator of this.#allocators) allocator.acknowledged(revision)
  }

  /** @returns the ENI's port on this host, or 0 */
  portOf (eniId: string): number {
    return this.#context.indexes.port.indexOf(eniId)
  }

  /** @returns the ENI that has the port now, or null */
  eniOfPort (portIndex: number): string | null {
    return this.#context.indexes.port.idOf(portIndex)
  }

  /** @returns the record (for hosts: the name) that has an index of one kind now, or null */
  idOf (kind: keyof Indexes, index: number): string | null {
    return this.#context.indexes[kind].idOf(index)
  }

  /**
   * What a rule of the tables comes from: `sgr-…` of a group, the number of an ACL's entry; null
   * when there is none (any more).
   * @param place of the rule in its list, as the data plane counts
   */
  sourceOfRule (
    kind: 'securityGroup' | 'networkAcl', index: number, isEgress: boolean, place: number
  ): string | null {
    const { tables } = this.#context.snapshot
    const id = this.idOf(kind, index) ?? ''
    const group = tables.securityGroup.get(id)
    const acl = tables.networkAcl.get(id)
    const rules = group !== undefined
      ? compiledGroupRules(group, isEgress, this.#context)
      : acl !== undefined ? compiledAclRules(acl, isEgress) : []
    return rules[place]?.source ?? null
  }

  /** @returns the host's number in this worker's tables, or 0 */
  indexOfHost (hostName: string): number {
    return this.#context.indexes.host.indexOf(hostName)
  }

  cacheStatistics (): CacheStatistics {
    const { hostName, directory } = this.#context
    let preloaded = 0
    for (const vpcId of this.#known.keys()) {
      if (directory.isComplete(vpcId)) preloaded += directory.entryCount(vpcId)
    }
    const { preloads, resolves, negative, invalidations } = this.counters
    return {
      host: hostName,
      vpcs: this.#context.indexes.vpc.size,
      mappings: preloaded + this.#resolved.size,
      preloads, resolves, negative, invalidations
    }
  }

  /**
   * Marks all of a VPC of which the host is to know more or less than before. @returns whether it
   * is
   */
  #noteKnowledge (vpcId: string, stale: ReadonlyMap<CompiledTable, Set<string>>): boolean {
    const knowledge = knowledgeOf(vpcId, this.#context)
    const isKnown = this.#context.indexes.vpc.indexOf(vpcId) !== 0
    if (knowledge === (this.#known.get(vpcId) ?? 'none') && isKnown === (knowledge !== 'none')) {
      return false
    }
    if (knowledge === 'none') this.#known.delete(vpcId)
    else this.#known.set(vpcId, knowledge)
    for (const [table, keys] of stale) {
      for (const key of table.keysOf(vpcId, this.#context)) keys.add(key)
      for (const key of this.#sentOf(table).keysOf(vpcId)) keys.add(key)
    }
    return true
  }

  #build (
    revision: number, stale: ReadonlyMap<CompiledTable, ReadonlySet<string>>
  ): TableUpdate | null {
    const draft = newDraft()
    const context = this.#context
    context.revision = revision
    for (const [table, keys] of stale) {
      const sent = this.#sentOf(table)
      for (const key of keys) {
        const vpcId = table.build(key, context, draft)
        if (vpcId !== null) {
          sent.add(key, vpcId)
          this.counters.built[table.name]++
        } else if (sent.delete(key)) {
          table.remove(key, context, draft)
          this.counters.removed++
          if (table === vpcTable) this.#resolved.deleteVpc(key)
        }
      }
    }
    this.counters.preloads += draft.mappings.length
    return finishDraft(draft, revision)
  }

  #correct (held: Held): void {
    this.#corrections.push(this.#answer(held.vpcId, held.key))
    this.counters.invalidations++
  }

  /** What the directory says now, held from here on. */
  #answer (vpcId: string, key: MappingKey): ResolvedMessage {
    const { directory } = this.#context
    let entries: MappingEntry[]
    if (key.by === 'address') {
      const entry = directory.find(vpcId, key.address)
      entries = entry === null ? []
        : [{ ...entry, prefix: { words: key.address, length: ADDRESS_BITS } }]
    } else {
      entries = [...directory.entriesOf(eniIdFromBits(key.eniIdHigh, key.eniIdLow))]
        .filter((entry) => entry.vpcId === vpcId)
    }
    this.#resolved.add(vpcId, key, entries.length > 0, this.#clock.monotonicMs())
    return { kind: 'resolved', key, entries: packEntries(entries, this.#context) }
  }

  #sentOf (table: CompiledTable): SentKeys {
    const sent = this.#sent.get(table)
    assert(sent !== undefined, `table ${table.name} is not in COMPILED_TABLES`)
    return sent
  }
}

/** VPCs that the host may come to know, or to know better, or no more, by a commit. */
function vpcsConcerned (touch: DirectoryTouch, changes: readonly AppliedChange[],
  context: CompileContext): Set<string> {
  const vpcIds = new Set<string>()
  for (const vpcId of touch.placements.get(context.hostName) ?? []) {
    for (const id of concernedBy(vpcId, context)) vpcIds.add(id)
  }
  for (const change of changes) {
    if (change.noun !== 'vpcPeeringConnection') continue
    for (const { requester, accepter } of [change.previous, change.record].filter(isPresent)) {
      vpcIds.add(requester.vpcId).add(accepter.vpcId)
    }
  }
  return vpcIds
}

function isPresent<T> (value: T | null): value is T { return value !== null }

function newStale (): Map<CompiledTable, Set<string>> {
  return new Map(COMPILED_TABLES.map((table) => [table, new Set()]))
}
