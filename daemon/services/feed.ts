/**
 * From commits to what the services' thread must know (update.ts): the endpoints of the ENIs that
 * are live on a host of this daemon, and the names of the VPCs that they are in and of peers that
 * these resolve. What a change does not touch is not sent again.
 *
 * Precondition of every call: snapshot, directory and the hosts' compilers hold the revision.
 */
import type { Directory } from '../mapping/directory.ts'
import { changesField } from '../model/commit_feed.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import { vpcsOfZone, zonesOfVpc } from '../model/hosted_zone.ts'
import { interfacesOfInstance } from '../model/instance.ts'
import type { Instance } from '../model/instance.ts'
import { privateDnsOptionsOf } from '../model/instance_dns.ts'
import type { NetworkInterface } from '../model/network_interface.ts'
import { publicAddressesOfInterface } from '../model/public_address.ts'
import type { ResourceRecordSet } from '../model/record_set.ts'
import type { Snapshot } from '../model/snapshot.ts'
import type { Vpc } from '../model/vpc.ts'
import { peersOf, resolvesPrivately } from '../model/vpc_peering.ts'
import { endpointOf, metadataOf } from './endpoint.ts'
import type {
  EndpointData, HostedZoneData, InstanceNameData, MetadataData, PublicAddressesData, RecordSetData,
  ServicesUpdate, VpcData
} from './update.ts'

/** A host whose services the thread runs. */
export interface ServicedHost {
  readonly name: string
  /** Bytes, of every ENI's device. */
  readonly mtu: number
  /** @returns the port index of an ENI that is live on the host, or 0 */
  portOf: (networkInterfaceId: string) => number
}

export interface ServicesFeedOptions {
  readonly snapshot: () => Snapshot
  readonly directory: Directory
  readonly hosts: () => readonly ServicedHost[]
}

const VPC_FIELDS = [
  'cidrBlocks', 'ipv6CidrBlocks', 'dhcpOptionsId', 'enableDnsSupport', 'enableDnsHostnames'
] as const
const SUBNET_FIELDS = ['cidrBlock', 'ipv6CidrBlocks', 'enableDns64'] as const

/** What one commit made stale. */
interface Stale {
  readonly interfaces: Set<string>
  readonly vpcs: Set<string>
  /** Instance id → VPC that it is or was in. */
  readonly instances: Map<string, string>
  /** ENI id → VPC that it is or was in. */
  readonly publicAddresses: Map<string, string>
  readonly hostedZones: Set<string>
  /** By its id, what became of it. */
  readonly recordSets: Map<string, ResourceRecordSet>
}

function newStale (): Stale {
  return {
    interfaces: new Set(), vpcs: new Set(), instances: new Map(), publicAddresses: new Map(),
    hostedZones: new Set(), recordSets: new Map()
  }
}

export class ServicesFeed {
  readonly #options: ServicesFeedOptions
  /** Where each ENI's endpoint was sent. */
  readonly #sent = new Map<string, { readonly host: string, readonly portIndex: number }>()
  readonly #vpcs = new Set<string>()
  /** Zones that were sent. */
  readonly #zones = new Set<string>()

  constructor (options: ServicesFeedOptions) {
    this.#options = options
  }

  /** Everything, for a thread that knows nothing. */
  everything (): ServicesUpdate {
    const { directory, hosts, snapshot } = this.#options
    this.#sent.clear()
    this.#vpcs.clear()
    this.#zones.clear()
    const stale = newStale()
    for (const { name } of hosts()) {
      for (const vpcId of directory.vpcsOf(name)) {
        stale.vpcs.add(vpcId)
        for (const id of directory.interfacesOn(name, vpcId)) stale.interfaces.add(id)
      }
    }
    return this.#build(snapshot().revision, stale) ??
      { kind: 'update', revision: snapshot().revision }
  }

  /** What one commit changes; null when that is nothing. */
  changes (revision: number, changes: readonly AppliedChange[]): ServicesUpdate | null {
    const { directory } = this.#options
    const stale = newStale()
    for (const change of changes) this.#note(change, stale)
    for (const id of directory.touched.networkInterfaces.keys()) stale.interfaces.add(id)
    for (const vpcIds of directory.touched.placements.values()) {
      for (const vpcId of vpcIds) stale.vpcs.add(vpcId)
    }
    return this.#build(revision, stale)
  }

  #note (change: AppliedChange, stale: Stale): void {
    const { tables } = this.#options.snapshot()
    if (change.noun === 'instance') {
      this.#noteInstance(change.id, change.record?.vpcId, stale)
      this.#noteInstance(change.id, change.previous?.vpcId, stale)
    } else if (change.noun === 'networkInterface') {
      for (const record of [change.record, change.previous]) this.#noteInterface(record, stale)
    } else if (change.noun === 'address') {
      for (const record of [change.record, change.previous]) {
        const eni = tables.networkInterface.get(record?.networkInterfaceId ?? '')
        if (eni !== undefined) this.#noteInterface(eni, stale)
      }
    } else if (change.noun === 'subnet') {
      if (!changesField<'subnet'>(change, SUBNET_FIELDS)) return
      for (const { id } of tables.networkInterface.by('subnetId', change.id)) {
        stale.interfaces.add(id)
      }
    } else if (change.noun === 'hostedZoneVpc') {
      const zoneId = change.record?.zoneId ?? change.previous?.zoneId
      if (zoneId !== undefined) stale.hostedZones.add(zoneId)
    } else if (change.noun === 'resourceRecordSet') {
      const set = change.record ?? change.previous
      if (set === null) return
      stale.recordSets.set(set.id, change.record === null ? { ...set, values: [] } : set)
    } else if (change.noun === 'vpcPeeringConnection') {
      const { requester, accepter } = change.record ?? change.previous ?? NO_SIDES
      for (const side of [requester, accepter]) if (side !== null) stale.vpcs.add(side.vpcId)
    } else if (change.noun === 'vpc') {
      if (!changesField<'vpc'>(change, VPC_FIELDS)) return
      stale.vpcs.add(change.id)
      for (const { id } of tables.networkInterface.by('vpcId', change.id)) {
        stale.interfaces.add(id)
      }
    }
  }

  #noteInterface (record: NetworkInterface | null, stale: Stale): void {
    if (record === null) return
    stale.interfaces.add(record.id)
    stale.publicAddresses.set(record.id, record.vpcId)
    const instanceId = record.attachment?.instanceId
    if (instanceId !== undefined) this.#noteInstance(instanceId, record.vpcId, stale)
  }

  #noteInstance (id: string, vpcId: string | undefined, stale: Stale): void {
    if (vpcId === undefined || vpcId === '') return
    stale.instances.set(id, vpcId)
    const instance = this.#options.snapshot().tables.instance.get(id)
    if (instance === undefined) return
    for (const eni of interfacesOfInstance(this.#options.snapshot(), instance)) {
      stale.interfaces.add(eni.id)
    }
  }

  #build (revision: number, stale: Stale): ServicesUpdate | null {
    const removedEndpoints: { host: string, portIndex: number }[] = []
    const endpoints: { host: string, endpoint: EndpointData }[] = []
    const metadata = new Map<string, MetadataData>()
    for (const id of stale.interfaces) {
      const held = this.#sent.get(id)
      const now = this.#endpointOf(id, metadata)
      if (held !== undefined &&
        (held.host !== now?.host || held.portIndex !== now.endpoint.portIndex)) {
        removedEndpoints.push(held)
        this.#sent.delete(id)
      }
      if (now === null) continue
      endpoints.push(now)
      this.#sent.set(id, { host: now.host, portIndex: now.endpoint.portIndex })
    }
    const lists = {
      endpoints, removedEndpoints, ...this.#buildNames(stale), ...this.#buildZones(stale)
    }
    return Object.values(lists).every((list) => list.length === 0) ? null
      : { kind: 'update', revision, ...lists }
  }

  /** @param metadata of the instances that have been looked at for this update */
  #endpointOf (
    id: string, metadata: Map<string, MetadataData>
  ): { host: string, endpoint: EndpointData } | null {
    const { directory, hosts, snapshot } = this.#options
    const hostName = directory.hostOf(id)
    const host = hosts().find(({ name }) => name === hostName)
    const eni = snapshot().tables.networkInterface.get(id)
    const portIndex = host?.portOf(id) ?? 0
    if (host === undefined || eni === undefined || portIndex === 0) return null
    const instance = snapshot().tables.instance.get(eni.attachment?.instanceId ?? '')
    const known = instance === undefined ? null
      : metadata.get(instance.id) ?? metadataOf(snapshot(), instance)
    if (known !== null) metadata.set(known.instanceId, known)
    const endpoint = endpointOf(snapshot(), eni, portIndex, host.mtu, known)
    return endpoint === null ? null : { host: host.name, endpoint }
  }

  #buildNames (stale: Stale): {
    readonly vpcs: VpcData[]
    readonly removedVpcs: string[]
    readonly instanceNames: InstanceNameData[]
    readonly publicAddresses: PublicAddressesData[]
  } {
    const snapshot = this.#options.snapshot()
    const { tables } = snapshot
    const vpcs: VpcData[] = []
    const removedVpcs: string[] = []
    const instances = new Map(stale.instances)
    const interfaces = new Map(stale.publicAddresses)
    const staleVpcs = new Set([...stale.vpcs].flatMap((vpcId) =>
      [vpcId, ...peersOf(snapshot, vpcId).map((peer) => peer.vpcId)]))
    for (const vpcId of staleVpcs) {
      const vpc = tables.vpc.get(vpcId)
      if (vpc === undefined || !this.#isHeld(vpcId)) {
        if (!this.#vpcs.delete(vpcId)) continue
        removedVpcs.push(vpcId)
        for (const { id } of zonesOfVpc(snapshot, vpcId)) stale.hostedZones.add(id)
        continue
      }
      vpcs.push(vpcData(snapshot, vpc))
      if (this.#vpcs.has(vpcId)) continue
      this.#vpcs.add(vpcId)
      for (const { id } of zonesOfVpc(snapshot, vpcId)) stale.hostedZones.add(id)
      for (const { id } of tables.instance.by('vpcId', vpcId)) instances.set(id, vpcId)
      for (const { id } of tables.networkInterface.by('vpcId', vpcId)) interfaces.set(id, vpcId)
    }
    return {
      vpcs,
      removedVpcs,
      instanceNames: [...instances].filter(([, vpcId]) => this.#vpcs.has(vpcId))
        .map(([id, vpcId]) => this.#nameOf(id, vpcId)),
      publicAddresses: [...interfaces].filter(([, vpcId]) => this.#vpcs.has(vpcId))
        .map(([id, vpcId]) => this.#publicAddressesOf(id, vpcId))
    }
  }

  /**
   * Zones that VPCs of the thread see, and their records: all of them where the zone is new to it.
   * Precondition: the VPCs have been looked at.
   */
  #buildZones ({ hostedZones: staleZones, recordSets: staleSets }: Stale): {
    readonly hostedZones: HostedZoneData[]
    readonly recordSets: RecordSetData[]
  } {
    const snapshot = this.#options.snapshot()
    const hostedZones: HostedZoneData[] = []
    const recordSets = new Map<string, ResourceRecordSet>()
    for (const [id, set] of staleSets) if (this.#zones.has(set.zoneId)) recordSets.set(id, set)
    for (const zoneId of staleZones) {
      const vpcIds = vpcsOfZone(snapshot, zoneId).map(({ vpcId }) => vpcId)
        .filter((vpcId) => this.#vpcs.has(vpcId))
      const wasSent = this.#zones.has(zoneId)
      if (vpcIds.length === 0 && !wasSent) continue
      const name = snapshot.tables.hostedZone.get(zoneId)?.name ?? ''
      hostedZones.push({ zoneId, name, vpcIds })
      if (vpcIds.length === 0) this.#zones.delete(zoneId)
      else this.#zones.add(zoneId)
      if (wasSent) continue
      for (const set of snapshot.tables.resourceRecordSet.by('zoneId', zoneId)) {
        recordSets.set(set.id, set)
      }
    }
    return { hostedZones, recordSets: [...recordSets.values()].map(recordSetData) }
  }

  /** Whether the thread is to know of a VPC: it has live ENIs, or a peer resolves its names. */
  #isHeld (vpcId: string): boolean {
    const { directory, hosts, snapshot } = this.#options
    const hasEnis = (id: string): boolean => hosts().some(({ name }) => directory.holds(name, id))
    return hasEnis(vpcId) || peersOf(snapshot(), vpcId).some((peer) =>
      hasEnis(peer.vpcId) && resolvesPrivately(snapshot(), peer.vpcId, vpcId))
  }

  #publicAddressesOf (networkInterfaceId: string, vpcId: string): PublicAddressesData {
    const snapshot = this.#options.snapshot()
    const eni = snapshot.tables.networkInterface.get(networkInterfaceId)
    return {
      vpcId, networkInterfaceId,
      addresses: eni === undefined ? [] : publicAddressesOfInterface(snapshot, eni)
        .map(({ publicIp, privateIp }) => ({ publicIp, privateIp }))
    }
  }

  /** Addresses of the resource name; none where the instance is gone or does not answer for it. */
  #nameOf (instanceId: string, vpcId: string): InstanceNameData {
    const snapshot = this.#options.snapshot()
    const instance = snapshot.tables.instance.get(instanceId)
    const isHere = instance?.vpcId === vpcId && instance.state !== 'terminated'
    return { vpcId, instanceId, ...isHere ? addressesOf(snapshot, instance) : NO_ADDRESSES }
  }
}

const NO_SIDES = { requester: null, accepter: null }
const NO_ADDRESSES = { ipv4: [], ipv6: [] }

function addressesOf (
  snapshot: Snapshot, instance: Instance
): Pick<InstanceNameData, 'ipv4' | 'ipv6'> {
  const options = privateDnsOptionsOf(instance)
  const [primary] = interfacesOfInstance(snapshot, instance)
  return {
    ipv4: options.enableResourceNameDnsARecord
      ? primary?.privateIpAddresses.slice(0, 1) ?? [] : [],
    ipv6: options.enableResourceNameDnsAaaaRecord ? primary?.ipv6Addresses.slice(0, 1) ?? [] : []
  }
}

function recordSetData ({ zoneId, name, type, ttlS, values }: ResourceRecordSet): RecordSetData {
  return { zoneId, name, type, ttlS, values }
}

function vpcData (snapshot: Snapshot, vpc: Vpc): VpcData {
  return {
    vpcId: vpc.id,
    region: vpc.region,
    ipv4Blocks: vpc.cidrBlocks.map(({ cidrBlock }) => cidrBlock),
    hasDnsHostnames: vpc.enableDnsSupport && vpc.enableDnsHostnames,
    resolvedPeers: peersOf(snapshot, vpc.id).map(({ vpcId }) => vpcId)
      .filter((vpcId) => resolvesPrivately(snapshot, vpc.id, vpcId))
  }
}
