/**
 * What a compiled table is: how one kind of object gets from records into a host's data plane.
 *
 *     note ──▶ keys that a change made stale ──▶ build ──▶ data in the update
 *                                                   └────▶ null: remove, if it was sent before
 *
 * A table is one small file (`subnet_table.ts` …) that exports one CompiledTable, and one line in
 * COMPILED_TABLES of host_compiler.ts. Tables keep no state; what they need stands in the context,
 * one per host. Whether something is sent at all is said in one place, `build`; `note` may mark too
 * much (it costs a build), never too little: host_compiler_property.test.ts compares with a full
 * compile.
 */
import type { AppliedChange } from '../model/commit_feed.ts'
import { isEdge } from '../model/lab.ts'
import type { Snapshot } from '../model/snapshot.ts'
import type { Directory, DirectoryTouch } from '../mapping/directory.ts'
import type { Prefix } from '../mapping/prefix.ts'
import type {
  GroupMembersData, HostData, HostGroupData, ImpairmentsData, MappingShardData, MirrorData,
  MoveData, NetworkAclData, PortData, PublicAddressesData, RemovedMove, RemovedShard,
  RouteTableData, SecurityGroupData, ShardData, SubnetData, TableUpdate, VpcData, VpnData
} from '../dataplane/tables/update.ts'
import type { IndexAllocator } from './index_allocator.ts'
import type { ReferenceIndex } from './reference_index.ts'

/** Numbers of the objects that one worker knows. By record id; hosts by name. */
export interface Indexes {
  readonly host: IndexAllocator
  readonly vpc: IndexAllocator
  readonly subnet: IndexAllocator
  readonly port: IndexAllocator
  readonly routeTable: IndexAllocator
  readonly securityGroup: IndexAllocator
  readonly networkAcl: IndexAllocator
}

/** What tables read. One per host; `revision` moves. */
export interface CompileContext {
  readonly hostName: string
  readonly snapshot: Snapshot
  readonly directory: Directory
  readonly indexes: Indexes
  /** What route tables name: route table id → ids of ENIs (targets) and of prefix lists. */
  readonly routeTargets: ReferenceIndex
  /** What the rules of security groups name: group id → ids of groups and of prefix lists. */
  readonly groupReferences: ReferenceIndex
  /** Revision that the update in the making brings the worker to. */
  readonly revision: number
}

/** Index of a VPC of which the host holds a live ENI; 0 for others, peers among them. */
export function heldVpcIndex (vpcId: string,
  { hostName, directory, indexes }: CompileContext): number {
  return directory.holds(hostName, vpcId) ? indexes.vpc.indexOf(vpcId) : 0
}

/** A TableUpdate in the making: every list is there, most stay empty. */
export interface UpdateDraft {
  readonly hosts: HostData[]
  readonly hostGroups: HostGroupData[]
  readonly vpcs: VpcData[]
  readonly subnets: SubnetData[]
  readonly ports: PortData[]
  readonly routeTables: RouteTableData[]
  readonly mappings: MappingShardData[]
  readonly securityGroups: SecurityGroupData[]
  readonly groupMembers: GroupMembersData[]
  readonly networkAcls: NetworkAclData[]
  readonly mirrors: MirrorData[]
  readonly publicAddresses: PublicAddressesData[]
  readonly vpns: VpnData[]
  readonly impairments: ImpairmentsData[]
  readonly shards: ShardData[]
  readonly moves: MoveData[]
  readonly removedHosts: number[]
  readonly removedHostGroups: number[]
  readonly removedVpcs: number[]
  readonly removedSubnets: number[]
  readonly removedPorts: number[]
  readonly removedRouteTables: number[]
  readonly removedSecurityGroups: number[]
  readonly removedNetworkAcls: number[]
  readonly removedMirrors: number[]
  readonly removedShards: RemovedShard[]
  readonly removedMoves: RemovedMove[]
}

/** An object that belongs to no VPC, as the answer of `build`. */
export const NO_VPC = ''

/** Marks an object of the table as stale. */
export type Mark = (key: string) => void

export interface CompiledTable {
  /** Its list in the update. */
  readonly name: 'hosts' | 'vpcs' | 'subnets' | 'ports' | 'routeTables' | 'mappings' |
    'securityGroups' | 'groupMembers' | 'networkAcls' | 'mirrors' | 'hostGroups' |
    'publicAddresses' | 'shards' | 'moves' | 'vpns' | 'impairments'
  /** Marks what a change of a record makes stale. Runs for every change of every commit. */
  note?(change: AppliedChange, context: CompileContext, mark: Mark): void
  /** Marks what moved in the directory makes stale. Runs for every commit that moves something. */
  noteMoves?(touch: DirectoryTouch, context: CompileContext, mark: Mark): void
  /** All objects of a VPC, when the host comes to hold it; with NO_VPC, all that belong to none. */
  keysOf(vpcId: string, context: CompileContext): Iterable<string>
  /**
   * Adds the object to the update.
   * @returns the VPC it belongs to (or NO_VPC); null when the host is to have no such object
   */
  build(key: string, context: CompileContext, draft: UpdateDraft): string | null
  /** Adds the removal of an object that was sent before. */
  remove(key: string, context: CompileContext, draft: UpdateDraft): void
}

/** Whether the tables are an edge's. */
export function isForEdge ({ hostName, snapshot }: CompileContext): boolean {
  const host = snapshot.tables.host.get(hostName)
  return host !== undefined && isEdge(host)
}

export function newDraft (): UpdateDraft {
  return {
    hosts: [], vpcs: [], subnets: [], ports: [], routeTables: [], mappings: [],
    securityGroups: [], groupMembers: [], networkAcls: [], mirrors: [], hostGroups: [],
    publicAddresses: [], vpns: [], impairments: [], shards: [], moves: [],
    removedHosts: [], removedHostGroups: [], removedVpcs: [],
    removedSubnets: [], removedPorts: [], removedRouteTables: [], removedSecurityGroups: [],
    removedNetworkAcls: [], removedMirrors: [], removedShards: [], removedMoves: []
  }
}

/** The draft without its empty lists, or null when all are empty. */
export function finishDraft (draft: UpdateDraft, revision: number): TableUpdate | null {
  const filled = Object.entries(draft).filter(([, list]) => (list as unknown[]).length > 0)
  if (filled.length === 0) return null
  return { kind: 'tables', revision, ...Object.fromEntries(filled) }
}

/** Words per prefix: the address and the length. */
const PREFIX_WORDS = 5

/** [n × 5] words and length of each prefix, as the tables want them. */
export function packPrefixes (prefixes: readonly Prefix[]): Uint32Array {
  const packed = new Uint32Array(prefixes.length * PREFIX_WORDS)
  prefixes.forEach((prefix, index) => {
    packed.set(prefix.words, index * PREFIX_WORDS)
    packed[index * PREFIX_WORDS + 4] = prefix.length
  })
  return packed
}
