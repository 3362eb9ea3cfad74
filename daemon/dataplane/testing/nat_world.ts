/**
 *     host 9: ENI 1 10.0.2.10        hosts 1, 2, 3: edges and HyperPlane nodes      the internet
 *     private subnet 10.0.2.0/24     IGW 30; NAT gateway: ENI 50 10.0.1.9           198.51.100.10
 *                                    in 10.0.1.0/24, 203.0.113.9, shard 1, 2, 3
 *
 * Three workers in memory; what one sends to another is fed to it.
 */
import { PORT_UNDERLAY } from '../../tun/descriptor.ts'
import { addressWords } from '../../wire/address.ts'
import { PROTOCOL_TCP } from '../../wire/ip_protocol.ts'
import { shardSlot } from '../tables/host_table.ts'
import {
  HOST_GROUP_SHARD, PORT_KIND_INTERNET_GATEWAY, PORT_KIND_NAT_GATEWAY
} from '../tables/update.ts'
import type { TableUpdate } from '../tables/update.ts'
import { buildTables, ENI_HIGH, hostAddress, Lab, portOf, publicAddresses } from './lab.ts'
import type { PolicySpec, RouteSpec, VpcSpec } from './lab.ts'
import type { Fed, Sent } from './memory_nic.ts'
import { vpcPacket } from './packets.ts'

export const NODES = [1, 2, 3] as const
/** Host of the instances. */
export const COMPUTE = 9
const GROUP = 40
const IGW = 30
/** ENI of the gateway, and its port. */
export const NAT = 50
export const OUTSIDE = '198.51.100.10'
export const NAT_PUBLIC = '203.0.113.9'

const LOCAL: RouteSpec = { to: '10.0.0.0/16', target: 'local' }

const vpcOf = (acls: readonly PolicySpec[], acl?: number): VpcSpec => ({
  vpc: 1,
  vni: 100,
  subnets: [
    { subnet: 11, cidrs: ['10.0.1.0/24'], routers: { ipv4: '10.0.1.1' },
      ...(acl === undefined ? {} : { networkAcl: acl }),
      routes: [LOCAL, { to: '0.0.0.0/0', target: { gateway: IGW } }] },
    { subnet: 12, cidrs: ['10.0.2.0/24'],
      routes: [LOCAL, { to: '0.0.0.0/0', target: { eni: NAT } }] }
  ],
  enis: [
    { eni: 1, subnet: 12, host: COMPUTE, addresses: ['10.0.2.10'] },
    { eni: 2, subnet: 12, host: COMPUTE, addresses: ['10.0.2.11'] },
    { eni: NAT, subnet: 11, host: GROUP, addresses: ['10.0.1.9'] }
  ],
  gateways: [{ gateway: IGW, host: 41, mtu: 1500, kind: PORT_KIND_INTERNET_GATEWAY }],
  networkAcls: acls
})

export interface NatWorldOptions {
  readonly nodes?: readonly number[]
  readonly capacity?: number
  readonly acls?: readonly PolicySpec[]
  readonly acl?: number
  /** What a test adds to the VPC. */
  readonly extend?: (vpc: VpcSpec) => VpcSpec
  readonly pathMtu?: number
}

export class NatWorld {
  readonly labs = new Map<number, Lab>()
  owners: readonly number[] = NODES
  epoch = 0
  readonly #capacity: number
  readonly #vpc: VpcSpec
  readonly #pathMtu: number | undefined

  constructor (options: NatWorldOptions = {}) {
    this.#capacity = options.capacity ?? 256
    const vpc = vpcOf(options.acls ?? [], options.acl)
    this.#vpc = options.extend?.(vpc) ?? vpc
    this.#pathMtu = options.pathMtu
    for (const host of options.nodes ?? NODES) this.start(host)
    this.assign(this.owners.map((owner) => this.labs.has(owner) ? owner : [...this.labs.keys()][0]))
  }

  start (host: number): void {
    const lab = new Lab({ host, natCapacity: this.#capacity,
      ...(this.#pathMtu === undefined ? {} : { pathMtu: this.#pathMtu }) })
    lab.nowMs = host * 1000 // lives of nodes differ
    lab.apply(this.#tables(host))
    lab.toWorker.push(
      { kind: 'open-uplink', namespacePath: '/run/netns/internet', deviceName: 'edge' })
    lab.pass()
    lab.takeSent()
    this.labs.set(host, lab)
  }

  #tables (host: number): TableUpdate {
    const vpc = this.#vpc
    const tables = buildTables([vpc], COMPUTE, 1, host)
    const eni = vpc.enis.find((one) => one.eni === NAT)
    if (eni === undefined) throw new Error('the VPC has no NAT gateway')
    return {
      ...tables,
      hostGroups: [{ hostIndex: GROUP, kind: HOST_GROUP_SHARD, members: Uint32Array.from(NODES) },
        { hostIndex: 41, kind: 1, members: Uint32Array.from(NODES) }],
      ports: [...tables.ports ?? [],
        { ...portOf(vpc, eni, NAT), kind: PORT_KIND_NAT_GATEWAY, sourceDestCheck: false }],
      publicAddresses: [publicAddresses([[NAT_PUBLIC, '10.0.1.9', 1]])]
    }
  }

  /** Control's word: who owns which slot, among those that live. */
  assign (owners: readonly number[]): void {
    this.owners = owners
    this.epoch++
    const nodes = [...this.labs.keys()]
    for (const lab of this.labs.values()) {
      lab.toWorker.push({
        kind: 'tables',
        revision: this.epoch + 1,
        hostGroups: [
          { hostIndex: GROUP, kind: HOST_GROUP_SHARD, members: Uint32Array.from(owners) }
        ],
        shards: [{
          eniIdHigh: ENI_HIGH,
          eniIdLow: NAT,
          epoch: this.epoch,
          owners: Uint32Array.from(owners),
          ownerEpochs: new Uint32Array(owners.length).fill(this.epoch),
          replicas: Uint32Array.from(nodes),
          joinedEpochs: new Uint32Array(nodes.length),
          addresses: addressWords('10.0.1.9')
        }]
      })
    }
    this.settle()
  }

  /** Lets the nodes talk until nobody has anything to say. @returns what left for elsewhere */
  settle (): { host: number, sent: Sent }[] {
    const left: { host: number, sent: Sent }[] = []
    for (let turn = 0; turn < 40; turn++) {
      for (const [host, lab] of this.labs) {
        lab.pass()
        for (const sent of lab.takeSent()) {
          const peer = sent.outer === null ? undefined : this.labs.get(sent.outer.peer)
          if (peer === undefined) left.push({ host, sent })
          else this.#carry(host, peer, sent)
        }
      }
    }
    return left
  }

  #carry (from: number, to: Lab, sent: Sent): void {
    const header = sent.outer?.header ?? new Uint8Array(0)
    const packet = new Uint8Array(header.length + sent.packet.length)
    packet.set(header)
    packet.set(sent.packet, header.length)
    to.nic.feed({ nicPort: PORT_UNDERLAY, source: addressWords(hostAddress(from)), packet,
      gsoType: sent.gsoType, gsoSize: sent.gsoSize, csum: sent.csum, csumField: sent.csumField })
  }

  ownerOf (port: number, protocol = PROTOCOL_TCP, outside = OUTSIDE): number {
    const [w0, w1, w2, w3] = addressWords(outside)
    return this.owners[
      shardSlot(w0 | 0, w1 | 0, w2 | 0, w3 | 0, port, protocol, ENI_HIGH | 0, NAT, 3)]
  }

  lab (host: number): Lab {
    const lab = this.labs.get(host)
    if (lab === undefined) throw new Error(`host ${String(host)} is down`)
    return lab
  }

  /** What an ENI of the compute host sends through the gateway, to the owner of its slot. */
  out (inner: Uint8Array, host: number, eni = 1, offload: Partial<Fed> = {}): Sent[] {
    const packet = vpcPacket(
      { vni: 100, sourceEni: [ENI_HIGH, eni], destinationEni: [ENI_HIGH, NAT] }, inner)
    const { firstBytes } = offload
    this.lab(host).nic.feed({
      nicPort: PORT_UNDERLAY, source: addressWords(hostAddress(COMPUTE)), packet, ...offload,
      ...(firstBytes === undefined ? {} : { firstBytes: firstBytes + packet.length - inner.length })
    })
    return this.settle().map(({ sent }) => sent)
  }

  /** What comes from the internet, by any edge. */
  back (packet: Uint8Array, host = 1, offload: Partial<Fed> = {}): Sent[] {
    const lab = this.lab(host)
    lab.nic.feed({ nicPort: lab.loop.tables.uplinkNicPort, packet, ...offload })
    return this.settle().map(({ sent }) => sent)
  }

  /** Packets by `port/reason`, of all nodes together. */
  drops (): Record<string, number> {
    const sums: Record<string, number> = {}
    for (const lab of this.labs.values()) {
      for (const [key, packets] of Object.entries(lab.drops())) {
        sums[key] = (sums[key] ?? 0) + packets
      }
    }
    return sums
  }
}
