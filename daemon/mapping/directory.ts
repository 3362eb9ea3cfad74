/**
 * The mapping service's directory: (VPC, address) → which ENI, on which host. It is fed by the
 * change feed alone; no packet ever teaches it. Where an address is not in here, it is nowhere.
 *
 *     change feed ──▶ Directory ──▶ compile: shards, ports      (preload)
 *                        │     └──▶ compile: resolve            (on demand, beyond the bound)
 *                        └────────▶ admin API: vpcctl mapping get
 *
 * An ENI is live while it is attached to an instance that is to run (`goal`) and has a host; its
 * addresses and delegated prefixes are mapped for exactly that time. `goal`, not `state`: the
 * mapping is in place before the instance sends its first packet.
 *
 * The generation of an entry is the revision of the commit that put it where it is, so it rises
 * with each move and no older answer can pass for a newer one. After a restart it is the revision
 * that last wrote the ENI or its instance: not below what it was, below any later move.
 *
 * Which hosts an ENI has left within the last minute is remembered too (departures.ts).
 *
 * Memory: about 500 bytes per address. Work: a commit costs the ENIs it touches, no more.
 */
import { systemClock } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import { eniBits } from '../base/ids.ts'
import type { EniBits } from '../base/ids.ts'
import {
  MAPPING_PREFIX_SHARD, MAPPING_SHARDS, mappingShardOf
} from '../dataplane/tables/mapping_shard.ts'
import { changesField } from '../model/commit_feed.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import { isResource, nodeNames } from '../model/hyperplane_shard.ts'
import { isEdge } from '../model/lab.ts'
import type { NetworkInterface } from '../model/network_interface.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { networkOfGateway } from '../model/vpn_gateway.ts'
import type { VpnGateway } from '../model/vpn_gateway.ts'
import { Departures } from './departures.ts'
import type { Departure } from './departures.ts'
import { ADDRESS_BITS, addressPrefix, cidrPrefix, maskedWords, wordAt, wordsKey } from './prefix.ts'
import type { Prefix } from './prefix.ts'
import { shardGroup } from './shard_group.ts'

/**
 * Addresses of one VPC that every agent holding an ENI of it gets in advance. A VPC with more is
 * resolved on demand. 40 bytes per address and agent, so 640 KB at most.
 */
export const MAPPINGS_PRELOAD_MAX = 16_384

/** Where one address, or one delegated prefix, lives. */
export interface MappingEntry {
  readonly vpcId: string
  /** Canonical text: an address, or a CIDR block for a delegated prefix. */
  readonly address: string
  readonly prefix: Prefix
  /** 0..MAPPING_SHARDS - 1 */
  readonly shard: number
  readonly networkInterfaceId: string
  /** The id as tables have it. */
  readonly eniBits: EniBits
  readonly hostName: string
  readonly subnetId: string
  readonly zoneId: string
  readonly macAddress: string
  readonly generation: number
}

/** An entry, and where its host stands on the underlay. */
export interface MappingAnswer extends MappingEntry {
  /** Outer address of the host; empty when the host is gone. */
  readonly underlayAddress: string
}

/** What one commit changed in the directory. */
export interface DirectoryTouch {
  readonly revision: number
  /** Pieces with an entry that came, went or moved. vpcId → shards. */
  readonly shards: ReadonlyMap<string, ReadonlySet<number>>
  /** Those entries' addresses and prefixes. vpcId → prefixes. */
  readonly prefixes: ReadonlyMap<string, readonly Prefix[]>
  /** ENIs that became live, ceased to be, moved or changed addresses. id → vpcId. */
  readonly networkInterfaces: ReadonlyMap<string, string>
  /** VPCs in which a host gained or lost an ENI. hostName → vpcIds. */
  readonly placements: ReadonlyMap<string, ReadonlySet<string>>
  /** VPCs that crossed the preload bound. */
  readonly completeness: ReadonlySet<string>
  /** ENIs of which it is forgotten that they have left a host. */
  readonly forgottenDepartures: ReadonlySet<string>
}

export interface DirectoryCounters {
  /** Entries that came, went or moved since the start. */
  changes: number
  /** Addresses given to two ENIs at once; the newer one got them. Never in a sound store. */
  conflicts: number
  /** Questions refused because the asking host holds no ENI of the VPC. */
  refused: number
}

export interface DirectoryOptions {
  /** MAPPINGS_PRELOAD_MAX when absent. */
  readonly preloadMax?: number
  /** systemClock when absent: how long ago an ENI has left a host. */
  readonly clock?: Clock
  /** A host asked about a VPC of which it holds no ENI; for the log. */
  readonly onRefused?: (hostName: string, vpcId: string) => void
}

interface LiveInterface {
  readonly vpcId: string
  readonly hostName: string
  /** By canonical text. */
  readonly entries: ReadonlyMap<string, MappingEntry>
}

/** All entries of a VPC. */
class VpcMappings {
  count = 0
  /** [MAPPING_SHARDS] by `entryKey`; null while without entries: most VPCs are small. */
  readonly shards = new Array<Map<string, MappingEntry> | null>(MAPPING_SHARDS).fill(null)
}

/** A touch while it is written. */
class TouchDraft implements DirectoryTouch {
  readonly revision: number
  readonly shards = new Map<string, Set<number>>()
  readonly prefixes = new Map<string, Prefix[]>()
  readonly networkInterfaces = new Map<string, string>()
  readonly placements = new Map<string, Set<string>>()
  readonly completeness = new Set<string>()
  readonly forgottenDepartures = new Set<string>()
  /** Completeness of the VPCs that changed, before the commit. */
  readonly wasComplete = new Map<string, boolean>()
  constructor (revision: number) { this.revision = revision }
}

export class Directory {
  readonly preloadMax: number
  readonly counters: DirectoryCounters = { changes: 0, conflicts: 0, refused: 0 }
  readonly #snapshot: Snapshot
  readonly #onRefused: (hostName: string, vpcId: string) => void
  readonly #vpcs = new Map<string, VpcMappings>()
  readonly #live = new Map<string, LiveInterface>()
  /** instanceId → attached ENIs, live or not. */
  readonly #attached = new Map<string, Set<string>>()
  /** hostName → vpcId → live ENIs. */
  readonly #placed = new Map<string, Map<string, Set<string>>>()
  readonly #departures: Departures
  #touched: TouchDraft

  /** Fills itself from the snapshot; from then on `apply` must be called for every commit. */
  constructor (snapshot: Snapshot, options: DirectoryOptions = {}) {
    this.#snapshot = snapshot
    this.preloadMax = options.preloadMax ?? MAPPINGS_PRELOAD_MAX
    this.#onRefused = options.onRefused ?? ((): void => { /* counted */ })
    this.#departures = new Departures(options.clock ?? systemClock)
    this.#touched = new TouchDraft(snapshot.revision)
    const { networkInterface: networkInterfaces, instance: instances } = snapshot.tables
    for (const record of networkInterfaces.values()) {
      if (isResource(record)) this.#update(record.id, networkInterfaces.modRevision(record.id))
      if (record.attachment === null) continue
      const { instanceId } = record.attachment
      addTo(this.#attached, instanceId, record.id)
      const written = networkInterfaces.modRevision(record.id)
      this.#update(record.id, Math.max(written, instances.modRevision(instanceId)))
    }
    for (const gateway of snapshot.tables.internetGateway.values()) {
      if (gateway.vpcId !== null) this.#placeGateway(gateway.id, gateway.vpcId)
    }
    for (const gateway of snapshot.tables.vpnGateway.values()) {
      const network = networkOfGateway(gateway)
      if (network !== null) this.#placeGateway(gateway.id, network)
    }
    for (const gateway of snapshot.tables.egressOnlyInternetGateway.values()) {
      this.#placeGateway(gateway.id, gateway.vpcId)
    }
    this.#touched = new TouchDraft(snapshot.revision)
  }

  /** What the last `apply` changed. */
  get touched (): DirectoryTouch { return this.#touched }

  /** Follows one commit. Precondition: the snapshot holds it, and `apply` saw all before it. */
  apply (revision: number, changes: readonly AppliedChange[]): void {
    const touched = new TouchDraft(revision)
    this.#touched = touched
    const stale = new Set<string>()
    for (const change of changes) {
      if (change.noun !== 'networkInterface') continue
      const before = change.previous?.attachment?.instanceId
      const now = change.record?.attachment?.instanceId
      if (before !== now) {
        if (before !== undefined) removeFrom(this.#attached, before, change.id)
        if (now !== undefined) addTo(this.#attached, now, change.id)
      }
      const isLive = before !== undefined || now !== undefined ||
        [change.previous, change.record].some((record) => record !== null && isResource(record))
      if (isLive) stale.add(change.id)
    }
    for (const change of changes) {
      if (change.noun !== 'instance') continue
      if (!changesField<'instance'>(change, ['hostName', 'goal'])) continue
      for (const id of this.#attached.get(change.id) ?? []) stale.add(id)
    }
    this.#followGateways(changes)
    // Everything leaves before anything comes: an address may pass from one ENI to another.
    for (const id of stale) this.#withdraw(id)
    for (const id of stale) this.#update(id, revision)
    for (const [vpcId, was] of touched.wasComplete) {
      if (was !== this.isComplete(vpcId)) touched.completeness.add(vpcId)
      if (this.#vpcs.get(vpcId)?.count === 0) this.#vpcs.delete(vpcId)
    }
  }

  /** Whether agents get all mappings of the VPC in advance. */
  isComplete (vpcId: string): boolean {
    return (this.#vpcs.get(vpcId)?.count ?? 0) <= this.preloadMax
  }

  /**
   * Whether a host holds a live ENI, or a gateway, of the VPC: only then does it learn anything
   * about it.
   */
  holds (hostName: string, vpcId: string): boolean {
    return this.#placed.get(hostName)?.has(vpcId) ?? false
  }

  vpcsOf (hostName: string): Iterable<string> {
    return this.#placed.get(hostName)?.keys() ?? []
  }

  /** Live ENIs of a VPC on a host; and, on an edge, the VPC's gateways. */
  interfacesOn (hostName: string, vpcId: string): Iterable<string> {
    return this.#placed.get(hostName)?.get(vpcId) ?? []
  }

  /** ENIs attached to an instance, live or not. */
  interfacesOfInstance (instanceId: string): Iterable<string> {
    return this.#attached.get(instanceId) ?? []
  }

  /** Host on which an ENI is live, or null. */
  hostOf (networkInterfaceId: string): string | null {
    return this.#live.get(networkInterfaceId)?.hostName ?? null
  }

  /** Hosts that an ENI has left a moment ago; it may be back. */
  departuresOf (networkInterfaceId: string): Departure[] {
    return this.#departures.of(networkInterfaceId)
  }

  /** ENIs that have left a host. */
  departed (): Iterable<string> { return this.#departures.ids() }

  entriesOf (networkInterfaceId: string): Iterable<MappingEntry> {
    return this.#live.get(networkInterfaceId)?.entries.values() ?? []
  }

  entriesOfShard (vpcId: string, shard: number): Iterable<MappingEntry> {
    return this.#vpcs.get(vpcId)?.shards[shard]?.values() ?? []
  }

  /** Addresses and prefixes that are mapped in a VPC. */
  entryCount (vpcId: string): number {
    return this.#vpcs.get(vpcId)?.count ?? 0
  }

  /** Who has an address: the address itself, else the longest delegated prefix it lies in. */
  find (vpcId: string, address: Uint32Array): MappingEntry | null {
    const shards = this.#vpcs.get(vpcId)?.shards
    const exact = shards?.[shardOfAddress(address)]?.get(wordsKey(address))
    if (exact !== undefined) return exact
    const prefixes = shards?.[MAPPING_PREFIX_SHARD]
    if (prefixes === undefined || prefixes === null) return null
    for (let length = ADDRESS_BITS - 1; length >= 0; length--) {
      const entry = prefixes.get(prefixKey({ words: maskedWords(address, length), length }))
      if (entry !== undefined) return entry
    }
    return null
  }

  /** For people: who has the address, and where. Precondition: `address` is an IP address. */
  resolve (vpcId: string, address: string): MappingAnswer | null {
    const entry = this.find(vpcId, addressPrefix(address).words)
    if (entry === null) return null
    const host = this.#snapshot.tables.host.get(entry.hostName)
    return { ...entry, underlayAddress: host?.underlayAddress ?? '' }
  }

  /** For agents: whether `hostName` may ask about the VPC. A refusal is counted and reported. */
  mayAsk (hostName: string, vpcId: string): boolean {
    if (this.holds(hostName, vpcId)) return true
    this.refuse(hostName, vpcId)
    return false
  }

  /** Counts and reports a question that is not answered. */
  refuse (hostName: string, vpcId: string): void {
    this.counters.refused++
    this.#onRefused(hostName, vpcId)
  }

  /** Takes out of the VPC what the ENI has now and shall not have any more. */
  #withdraw (id: string): void {
    const live = this.#live.get(id)
    if (live === undefined) return
    const now = this.#liveRecord(id)
    const keep = now?.hostName === live.hostName ? new Set(addressesOf(now.record)) : null
    const kept = new Map<string, MappingEntry>()
    for (const [text, entry] of live.entries) {
      if (keep?.has(text) === true) kept.set(text, entry)
      else this.#drop(entry)
    }
    if (kept.size === live.entries.size && keep !== null) return
    this.#touched.networkInterfaces.set(id, live.vpcId)
    if (keep !== null) {
      this.#live.set(id, { ...live, entries: kept })
      return
    }
    this.#live.delete(id)
    if (live.hostName !== shardGroup(id)) this.#noteDeparture(id, live.hostName)
    for (const hostName of this.#holdersOf(id, live.hostName)) {
      const vpcs = this.#placed.get(hostName)
      if (vpcs !== undefined) removeFrom(vpcs, live.vpcId, id)
      if (vpcs?.size === 0) this.#placed.delete(hostName)
      addTo(this.#touched.placements, hostName, live.vpcId)
    }
  }

  #noteDeparture (id: string, hostName: string): void {
    for (const forgotten of this.#departures.note(id, hostName)) {
      this.#touched.forgottenDepartures.add(forgotten)
    }
  }

  /** Puts in what the ENI shall have and has not yet. Precondition: `#withdraw` ran. */
  #update (id: string, generation: number): void {
    const found = this.#liveRecord(id)
    if (found === null) return
    const { record, hostName } = found
    const old = this.#live.get(id)
    const entries = new Map(old?.entries)
    const bits = eniBits(record.id)
    for (const text of addressesOf(record)) {
      if (entries.has(text)) continue
      const entry = newEntry(record, bits, hostName, text, generation)
      entries.set(text, entry)
      this.#insert(entry)
    }
    if (old !== undefined && old.entries.size === entries.size) return
    this.#live.set(id, { vpcId: record.vpcId, hostName, entries })
    this.#touched.networkInterfaces.set(id, record.vpcId)
    if (old !== undefined) return
    for (const holder of this.#holdersOf(id, hostName)) {
      const vpcs = this.#placed.get(holder) ?? new Map<string, Set<string>>()
      this.#placed.set(holder, vpcs)
      addTo(vpcs, record.vpcId, id)
      addTo(this.#touched.placements, holder, record.vpcId)
    }
  }

  /** Hosts that hold a VPC because of an ENI: where it lives; of a resource, every node. */
  #holdersOf (id: string, hostName: string): string[] {
    return hostName === shardGroup(id) ? nodeNames(this.#snapshot) : [hostName]
  }

  // ----------------------------------------------------------------------------------- gateways

  /** Gateways are served by every edge, up or not: each of them holds their VPCs. */
  #followGateways (changes: readonly AppliedChange[]): void {
    for (const change of changes) {
      if (change.noun !== 'internetGateway' && change.noun !== 'egressOnlyInternetGateway' &&
        change.noun !== 'vpnGateway') continue
      const [before, now] = change.noun === 'vpnGateway'
        ? [networkOf(change.previous), networkOf(change.record)]
        : [change.previous?.vpcId ?? null, change.record?.vpcId ?? null]
      if (before === now) continue
      if (before !== null) this.#displaceGateway(change.id, before)
      if (now !== null) this.#placeGateway(change.id, now)
    }
  }

  #placeGateway (id: string, vpcId: string): void {
    for (const host of this.#snapshot.tables.host.values()) {
      if (!isEdge(host)) continue
      const vpcs = this.#placed.get(host.id) ?? new Map<string, Set<string>>()
      this.#placed.set(host.id, vpcs)
      addTo(vpcs, vpcId, id)
      addTo(this.#touched.placements, host.id, vpcId)
    }
  }

  #displaceGateway (id: string, vpcId: string): void {
    for (const [host, vpcs] of this.#placed) {
      if (vpcs.get(vpcId)?.has(id) !== true) continue
      removeFrom(vpcs, vpcId, id)
      if (vpcs.size === 0) this.#placed.delete(host)
      addTo(this.#touched.placements, host, vpcId)
    }
  }

  /** The ENI and its host, or null when it is not live. */
  #liveRecord (id: string): { record: NetworkInterface, hostName: string } | null {
    const record = this.#snapshot.tables.networkInterface.get(id)
    if (record === undefined) return null
    if (isResource(record)) return { record, hostName: shardGroup(id) }
    if (record.attachment === null) return null
    const instance = this.#snapshot.tables.instance.get(record.attachment.instanceId)
    if (instance === undefined || instance.goal !== 'running') return null
    return instance.hostName === null ? null : { record, hostName: instance.hostName }
  }

  #insert (entry: MappingEntry): void {
    this.#noteTouch(entry)
    const mappings = this.#vpcs.get(entry.vpcId) ?? new VpcMappings()
    this.#vpcs.set(entry.vpcId, mappings)
    const shard = mappings.shards[entry.shard] ??= new Map<string, MappingEntry>()
    const key = entryKey(entry)
    if (shard.has(key)) this.counters.conflicts++
    else mappings.count++
    shard.set(key, entry)
  }

  #drop (entry: MappingEntry): void {
    const mappings = this.#vpcs.get(entry.vpcId)
    const shard = mappings?.shards[entry.shard]
    if (mappings === undefined || shard?.get(entryKey(entry)) !== entry) return
    this.#noteTouch(entry)
    shard.delete(entryKey(entry))
    if (shard.size === 0) mappings.shards[entry.shard] = null
    mappings.count--
  }

  /** Precondition: the VPC's mappings are still as they were before `entry` comes or goes. */
  #noteTouch (entry: MappingEntry): void {
    const { vpcId, shard, prefix } = entry
    const touched = this.#touched
    this.counters.changes++
    if (!touched.wasComplete.has(vpcId)) touched.wasComplete.set(vpcId, this.isComplete(vpcId))
    addTo(touched.shards, vpcId, shard)
    const prefixes = touched.prefixes.get(vpcId)
    if (prefixes === undefined) touched.prefixes.set(vpcId, [prefix])
    else prefixes.push(prefix)
  }
}

function networkOf (gateway: VpnGateway | null): string | null {
  return gateway === null ? null : networkOfGateway(gateway)
}

/** All that an ENI receives packets for, as text: an entry each. */
function addressesOf (record: NetworkInterface): readonly string[] {
  const { privateIpAddresses, ipv6Addresses, ipv4Prefixes, ipv6Prefixes } = record
  return [...privateIpAddresses, ...ipv6Addresses, ...ipv4Prefixes, ...ipv6Prefixes]
}

function newEntry (
  record: NetworkInterface, bits: EniBits, hostName: string, text: string, generation: number
): MappingEntry {
  const prefix = text.includes('/') ? cidrPrefix(text) : addressPrefix(text)
  const shard = prefix.length === ADDRESS_BITS ? shardOfAddress(prefix.words) : MAPPING_PREFIX_SHARD
  const { vpcId, subnetId, zoneId, macAddress } = record
  return {
    vpcId, address: text, prefix, shard, networkInterfaceId: record.id, eniBits: bits, hostName,
    subnetId, zoneId, macAddress, generation
  }
}

function entryKey (entry: MappingEntry): string {
  const { shard, prefix } = entry
  return shard === MAPPING_PREFIX_SHARD ? prefixKey(prefix) : wordsKey(prefix.words)
}

function prefixKey (prefix: Prefix): string {
  return `${String(prefix.length)}/${wordsKey(prefix.words)}`
}

function shardOfAddress (words: Uint32Array): number {
  return mappingShardOf(wordAt(words, 0), wordAt(words, 1), wordAt(words, 2), wordAt(words, 3))
}

function addTo<K, V> (sets: Map<K, Set<V>>, key: K, value: V): void {
  const set = sets.get(key)
  if (set === undefined) sets.set(key, new Set([value]))
  else set.add(value)
}

function removeFrom<K, V> (sets: Map<K, Set<V>>, key: K, value: V): void {
  const set = sets.get(key)
  if (set === undefined) return
  set.delete(value)
  if (set.size === 0) sets.delete(key)
}
