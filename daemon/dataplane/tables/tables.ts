/**
 * All tables of a worker at one revision, and how an update changes them. `apply` runs between two
 * bursts, so a packet sees the tables of one revision only.
 *
 * Which cached decisions an update makes stale: all of every VPC that it names, or of which it
 * names a subnet, port, route table, group, ACL, mirror or mapping; all of all VPCs when it names a
 * host or a group of hosts. VPCs that are peered with one whose mappings or group members change
 * follow it. A VPC's generation is copied into its ports (port_table.ts), where the fast path reads
 * it.
 */
import { assert } from '../../base/assert.ts'
import type { HyperplaneNode } from '../hyperplane/node.ts'
import { EPOCH_MASK } from '../link_local_service.ts'
import type { FlowTable } from './flow_table.ts'
import { FragmentTable } from './fragment_table.ts'
import { HostTable } from './host_table.ts'
import { MemberTable } from './member_table.ts'
import { MirrorTable } from './mirror_table.ts'
import { MoveTable } from './move_table.ts'
import { PolicyTable } from './policy_tables.ts'
import { FLOW_PORT_NONE, PortTable } from './port_table.ts'
import { PublicTable } from './public_table.ts'
import { ResolvedTable } from './resolved_table.ts'
import { RouteTable } from './route_table.ts'
import { SubnetTable } from './subnet_table.ts'
import { PORT_KIND_ENI } from './update.ts'
import type { MappingKey, PortData, TableUpdate } from './update.ts'
import { VpcTable } from './vpc_table.ts'
import { VpnTable } from './vpn_table.ts'

/** Whether cached picks of a host may be wrong now. */
function changesHosts (update: TableUpdate): boolean {
  const { hosts, hostGroups, removedHosts, removedHostGroups } = update
  return [hosts, hostGroups, removedHosts, removedHostGroups]
    .some((list) => list !== undefined && list.length > 0)
}

export class Tables {
  readonly hosts = new HostTable()
  readonly vpcs = new VpcTable()
  readonly subnets = new SubnetTable()
  readonly ports = new PortTable()
  readonly resolved = new ResolvedTable()
  readonly securityGroups = new PolicyTable()
  readonly networkAcls = new PolicyTable()
  readonly members = new MemberTable()
  readonly mirrors = new MirrorTable()
  readonly moves = new MoveTable()
  readonly publicAddresses = new PublicTable()
  readonly vpn = new VpnTable()
  /** Port of the NIC toward the internet; 0 while there is none. */
  uplinkNicPort = 0
  readonly fragments: FragmentTable
  readonly flows: FlowTable
  /** Index of the host that this worker is. */
  readonly hostIndex: number
  /** Largest inner packet that the underlay carries to another host, bytes. */
  readonly pathMtu: number
  /** The HyperPlane node that this worker is, or null. */
  hyperplane: HyperplaneNode | null = null
  readonly #routeTables: (RouteTable | undefined)[] = []

  constructor (hostIndex: number, pathMtu: number, flows: FlowTable) {
    this.hostIndex = hostIndex
    this.pathMtu = pathMtu
    this.flows = flows
    this.fragments = new FragmentTable(flows.seed)
  }

  routeTable (index: number): RouteTable | undefined { return this.#routeTables[index] }

  /**
   * Applies one update, whole.
   * @param onNewEni called with the index of each port that now stands for another ENI than before
   */
  apply (update: TableUpdate, onNewEni: (portIndex: number) => void): void {
    const touched = new Set<number>() // VPC indices
    const hostsChanged = changesHosts(update)
    this.#remove(update, touched)
    this.#touchPeered(update, touched)
    for (const host of update.hosts ?? []) this.hosts.set(host)
    for (const group of update.hostGroups ?? []) this.hosts.setGroup(group)
    for (const addresses of update.publicAddresses ?? []) this.publicAddresses.replace(addresses)
    for (const vpns of update.vpns ?? []) this.vpn.replace(vpns)
    for (const vpc of update.vpcs ?? []) {
      if (vpc.mappingsComplete) this.resolved.removeVpc(vpc.vpcIndex)
      this.vpcs.set(vpc)
      touched.add(vpc.vpcIndex)
    }
    for (const table of update.routeTables ?? []) {
      this.#routeTables[table.routeTableIndex] = new RouteTable(table)
      touched.add(table.vpcIndex)
    }
    this.#applyPolicy(update, touched)
    for (const subnet of update.subnets ?? []) {
      this.subnets.set(subnet)
      touched.add(subnet.vpcIndex)
    }
    for (const shard of update.mappings ?? []) {
      const vpc = this.vpcs.get(shard.vpcIndex)
      assert(vpc !== undefined,
        `mappings of VPC index ${String(shard.vpcIndex)}, which is not known`)
      vpc.mappings.replaceShard(shard)
      touched.add(shard.vpcIndex)
    }
    for (const port of update.ports ?? []) {
      if (this.#setPort(port)) onNewEni(port.portIndex)
      touched.add(port.vpcIndex)
    }
    for (const shard of update.shards ?? []) this.hyperplane?.assign(shard)
    for (const shard of update.removedShards ?? []) {
      this.hyperplane?.remove(shard.eniIdHigh | 0, shard.eniIdLow | 0)
    }
    for (const move of update.moves ?? []) this.moves.set(move, this.flows.nowTick)
    for (const mirror of update.mirrors ?? []) {
      this.mirrors.set(mirror)
      touched.add(mirror.vpcIndex)
    }
    if (hostsChanged) this.#raiseAll()
    else for (const vpcIndex of touched) this.raiseGeneration(vpcIndex)
  }

  /** VPCs that look into another one which changes. Those of new peerings come by themselves. */
  #touchPeered (update: TableUpdate, touched: Set<number>): void {
    for (const list of [update.vpcs, update.mappings, update.groupMembers]) {
      for (const { vpcIndex } of list ?? []) {
        for (const other of this.vpcs.peeredBy(vpcIndex)) touched.add(other)
      }
    }
  }

  #applyPolicy (update: TableUpdate, touched: Set<number>): void {
    for (const group of update.securityGroups ?? []) {
      this.securityGroups.set(group.securityGroupIndex, group)
      touched.add(group.vpcIndex)
    }
    for (const acl of update.networkAcls ?? []) {
      this.networkAcls.set(acl.networkAclIndex, acl)
      touched.add(acl.vpcIndex)
    }
    for (const members of update.groupMembers ?? []) {
      this.members.replaceShard(members)
      touched.add(members.vpcIndex)
    }
  }

  /** Takes an answer to a look-up, or a correction of one. */
  applyResolved (key: MappingKey, entries: Uint32Array): void {
    const vpc = this.vpcs.get(key.vpcIndex)
    if (vpc === undefined || vpc.mappingsComplete) return
    if (this.resolved.store(key, entries, this.flows.nowTick)) this.#raiseAll()
  }

  /** Ends answers and moves that are too old. To be called about once a second. */
  expire (): void {
    this.moves.expire(this.flows.nowTick)
    const touched = new Set<number>()
    this.resolved.expire(this.flows.nowTick, (vpcIndex) => {
      touched.add(vpcIndex)
      for (const other of this.vpcs.peeredBy(vpcIndex)) touched.add(other)
    })
    for (const vpcIndex of touched) this.raiseGeneration(vpcIndex)
  }

  /** Makes every cached decision of a VPC stale. */
  raiseGeneration (vpcIndex: number): void {
    const generation = this.flows.nextGeneration()
    const { ports } = this
    const vni = this.vpcs.get(vpcIndex)?.vni ?? 0
    for (let port = 1; port <= ports.indexMax; port++) {
      if (ports.present[port] === 0 || ports.vpcIndex[port] !== vpcIndex) continue
      ports.generation[port] = generation
      ports.vni[port] = vni
    }
  }

  /** Lets go of flows whose ENI the flow file remembers, and no port has. */
  closeForgottenFlows (): void {
    const open = new Set<number>()
    for (let port = 1; port <= this.ports.indexMax; port++) open.add(this.ports.flowPort[port])
    this.flows.closeForgottenPorts((flowPort) => open.has(flowPort))
  }

  #raiseAll (): void {
    const generation = this.flows.nextGeneration()
    const { ports } = this
    for (let port = 1; port <= ports.indexMax; port++) {
      if (ports.present[port] === 0) continue
      ports.generation[port] = generation
      ports.vni[port] = this.vpcs.get(ports.vpcIndex[port])?.vni ?? 0
    }
  }

  #remove (update: TableUpdate, touched: Set<number>): void {
    for (const port of update.removedPorts ?? []) {
      touched.add(this.ports.vpcIndex[port])
      const flowPort = this.ports.flowPort[port]
      if (flowPort !== FLOW_PORT_NONE) this.flows.closePort(flowPort)
      this.mirrors.remove(port)
      this.ports.remove(port)
    }
    for (const port of update.removedMirrors ?? []) {
      touched.add(this.ports.vpcIndex[port])
      this.mirrors.remove(port)
    }
    for (const index of update.removedSubnets ?? []) {
      const subnet = this.subnets.get(index)
      if (subnet !== undefined) touched.add(subnet.vpcIndex)
      this.subnets.remove(index)
    }
    for (const index of update.removedRouteTables ?? []) {
      const table = this.#routeTables[index]
      if (table !== undefined) touched.add(table.vpcIndex)
      this.#routeTables[index] = undefined
    }
    for (const index of update.removedSecurityGroups ?? []) {
      const group = this.securityGroups.get(index)
      if (group !== undefined) touched.add(group.vpcIndex)
      this.securityGroups.remove(index)
      this.members.removeGroup(index)
    }
    for (const index of update.removedNetworkAcls ?? []) {
      const acl = this.networkAcls.get(index)
      if (acl !== undefined) touched.add(acl.vpcIndex)
      this.networkAcls.remove(index)
    }
    for (const { eniIdHigh, eniIdLow } of update.removedMoves ?? []) {
      this.moves.remove(eniIdHigh, eniIdLow)
    }
    for (const index of update.removedVpcs ?? []) {
      this.vpcs.remove(index)
      this.resolved.removeVpc(index)
      touched.add(index)
    }
    for (const index of update.removedHosts ?? []) this.hosts.remove(index)
    for (const index of update.removedHostGroups ?? []) this.hosts.removeGroup(index)
  }

  /** @returns true when the port stands for another ENI than before */
  #setPort (data: PortData): boolean {
    const { ports } = this
    const port = data.portIndex
    const sameEni = ports.present[port] !== 0 && ports.eniHigh[port] === (data.eniIdHigh | 0) &&
      ports.eniLow[port] === (data.eniIdLow | 0)
    if (!sameEni && ports.flowPort[port] !== FLOW_PORT_NONE) {
      this.flows.closePort(ports.flowPort[port])
    }
    ports.set(data)
    if (!sameEni) ports.epoch[port] = (ports.epoch[port] + 1) & EPOCH_MASK
    if (!sameEni && data.kind === PORT_KIND_ENI) {
      ports.flowPort[port] = this.flows.openPort(data.eniIdHigh | 0, data.eniIdLow | 0)
    }
    if (ports.flowPort[port] !== FLOW_PORT_NONE) {
      this.flows.setIdleTimes(ports.flowPort[port], data.tcpEstablishedTimeoutS,
        data.udpStreamTimeoutS, data.udpTimeoutS)
    }
    return !sameEni
  }
}
