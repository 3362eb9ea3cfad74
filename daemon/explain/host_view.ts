/**
 * What the data plane of one host would do, without the data plane: the tables of the newest
 * revision, built by the compiler that feeds the worker, and the worker's own steps run over them.
 *
 *     records ─▶ HostCompiler ─▶ TableUpdate ─▶ Tables ─▶ runEgressPath, runIngressPath …
 *                                                ▲
 *     conversations that a trace is told of ─────┘   (a flow table of its own, of a few entries)
 *
 * The view of a HyperPlane node decides alone about flows of every slot, in a table of its own. It
 * does not know the flows of the real nodes.
 *
 * Nothing here is shared with a worker: no packet can be sent, no counter counted, and no flow of a
 * real table made, touched or kept alive. And no worker runs a step of its own for it.
 */
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { idBits, idFromBits } from '../base/ids.ts'
import { systemRandom } from '../base/random.ts'
import { isGatewayId } from '../compile/gateway_port.ts'
import { HostCompiler } from '../compile/host_compiler.ts'
import { ACTION_ENCAPSULATE } from '../dataplane/action.ts'
import { DROP_NONE } from '../dataplane/drop_reason.ts'
import { NAT_INWARD } from '../dataplane/hyperplane/nat_counts.ts'
import { HyperplaneNode } from '../dataplane/hyperplane/node.ts'
import type { NodeEvents } from '../dataplane/hyperplane/node_events.ts'
import { pathMtu } from '../dataplane/loop.ts'
import { PacketContext } from '../dataplane/packet.ts'
import {
  runEgressPath, runIngressPath, runLocalIngressPath, runTunnelPath, runUplinkPath
} from '../dataplane/packet_path.ts'
import { isForVpc } from '../dataplane/steps/egress_only_gateway.ts'
import { WAIT_FOR_ADDRESS } from '../dataplane/steps/mapping.ts'
import { parsePacket } from '../dataplane/steps/parse.ts'
import { farVpcIndex } from '../dataplane/steps/peering.ts'
import { EGRESS, flowFileBytes, INGRESS } from '../dataplane/tables/flow_layout.ts'
import { FlowTable } from '../dataplane/tables/flow_table.ts'
import { natFileBytes } from '../dataplane/tables/nat_layout.ts'
import { NatTable } from '../dataplane/tables/nat_table.ts'
import { Tables } from '../dataplane/tables/tables.ts'
import { PORT_KIND_EGRESS_ONLY, PORT_KIND_NAT_GATEWAY } from '../dataplane/tables/update.ts'
import type { MappingKey, RouteTableData, ShardData } from '../dataplane/tables/update.ts'
import {
  encodeGeneve, ETHERTYPE_IPV4, ETHERTYPE_IPV6, GENEVE_BYTES, newGeneveFields
} from '../encap/geneve.ts'
import type { Directory } from '../mapping/directory.ts'
import { isEdge, isEncrypted } from '../model/lab.ts'
import type { Host } from '../model/lab.ts'
import type { Snapshot } from '../model/snapshot.ts'
import {
  RX_AT, RX_BYTES, RX_SEGMENTS, RX_SOURCE_AT, RX_TOTAL_BYTES, RX_WORDS
} from '../tun/descriptor.ts'
import { addressWords, formatAddress, IPV4_PREFIX_LENGTH, PREFIX_WORDS } from '../wire/address.ts'
import { writeU32 } from '../wire/bytes.ts'
import { IPV4_VERSION } from '../wire/ipv4.ts'
import { fieldsOf, makePacket } from './made_packet.ts'
import type { PacketFields } from './made_packet.ts'

/** Conversations that one trace may bring along or make, on one host. */
const CONVERSATIONS_MAX = 64
/** Before a made packet: the outer source address, then the VPC header. */
const SOURCE_AT = 0
const HEADER_AT = 32
const PACKET_AT = HEADER_AT + GENEVE_BYTES
/** Of an edge: some port of a NIC. Whether the uplink is open is not asked. */
const UPLINK = 1
/**
 * How often a packet may wait for a mapping: its destination's, its sender's place in the VPC, and
 * in one peer after the other.
 */
const RESOLVES_MAX = 128
/** A node that decides alone has nobody to wait for. */
const NO_EVENTS: NodeEvents = {
  confirmed: () => { /* nothing is held */ },
  decides: () => { /* nothing is held */ },
  complete: () => { /* nobody asks */ }
}

export interface HostViewOptions {
  readonly host: Host
  readonly snapshot: Snapshot
  readonly directory: Directory
  readonly clock: Clock
}

/** A packet after the steps of one side. */
export interface Passage {
  readonly p: PacketContext
  /** DROP_NONE or the reason to drop. */
  readonly drop: number
}

export class HostView {
  readonly host: Host
  readonly revision: number
  readonly compiler: HostCompiler
  readonly tables: Tables
  readonly #snapshot: Snapshot
  readonly #routeTables = new Map<number, RouteTableData>()
  readonly #ports: readonly number[]
  readonly #shards: readonly ShardData[]
  #conversations: number[] = []
  #hasFlows = false

  constructor ({ host, snapshot, directory, clock }: HostViewOptions) {
    this.host = host
    this.#snapshot = snapshot
    this.revision = snapshot.revision
    this.compiler = new HostCompiler({ hostName: host.id, snapshot, directory, clock })
    const update = this.compiler.compileAll()
    const flows = new FlowTable(
      new ArrayBuffer(flowFileBytes(CONVERSATIONS_MAX)), CONVERSATIONS_MAX, systemRandom)
    this.tables = new Tables(this.compiler.indexOfHost(host.id),
      pathMtu(host.underlayMtu, host.underlayAddress.includes(':'), isEncrypted(host)), flows)
    this.tables.apply(update, () => { /* nothing is counted */ })
    if (isEdge(host)) this.tables.uplinkNicPort = UPLINK
    for (const table of update.routeTables ?? []) {
      this.#routeTables.set(table.routeTableIndex, table)
    }
    this.#ports = (update.ports ?? []).map(({ portIndex }) => portIndex)
    this.#shards = update.shards ?? []
    this.#forgetFlows()
  }

  /** @param isOpen whether the device of an ENI of this host is open now */
  noteDevices (isOpen: (eni: string) => boolean): void {
    for (const portIndex of this.#ports) {
      const eni = this.compiler.eniOfPort(portIndex)
      this.tables.ports.setNicPort(portIndex, eni !== null && isOpen(eni) ? portIndex : 0)
    }
  }

  /** The packet leaves an ENI that is live here. */
  leave (eni: string, fields: PacketFields): Passage {
    const bytes = makePacket(fields, PACKET_AT)
    const p = new PacketContext()
    const run = (): number => {
      loadContext(p, bytes, PACKET_AT)
      p.portIndex = this.#portOf(eni)
      return runEgressPath(p, this.tables, viewOf(bytes))
    }
    return this.#passage(p, this.#resolving(p, run))
  }

  /** The packet that `leave` has let through to an ENI of the same host arrives there. */
  enterLocally ({ p }: Passage, fields: PacketFields): Passage {
    const bytes = makePacket(fields, PACKET_AT)
    return this.#passage(p, runLocalIngressPath(p, this.tables, viewOf(bytes)))
  }

  /** The packet that `sender.leave` has let through to this host arrives. */
  enter (sender: HostView, { p: left }: Passage, senderEni: string, fields: PacketFields): Passage {
    const bytes = makePacket(fields, PACKET_AT)
    const { ports } = sender.tables
    const { high, low } = idBits(senderEni)
    addressWords(sender.host.underlayAddress).forEach((word, index) => {
      writeU32(bytes, SOURCE_AT + 4 * index, word)
    })
    encodeGeneve(bytes, HEADER_AT, {
      ...newGeneveFields(),
      vni: left.peerVpcIndex === 0 ? ports.vni[sender.#portOf(senderEni)]! : left.peerVni,
      sourceEniHigh: high,
      sourceEniLow: low,
      destinationEniHigh: left.mapping.eniHigh,
      destinationEniLow: left.mapping.eniLow,
      etherType: left.version === IPV4_VERSION ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6
    })
    const p = new PacketContext()
    const run = (): number => {
      loadContext(p, bytes, HEADER_AT)
      return runIngressPath(p, this.tables, viewOf(bytes))
    }
    return this.#passage(p, this.#resolving(p, run))
  }

  /** The packet comes from the internet, to this edge. */
  arrive (fields: PacketFields): Passage {
    const bytes = makePacket(fields, PACKET_AT)
    const p = new PacketContext()
    const run = (): number => {
      loadContext(p, bytes, PACKET_AT)
      return runUplinkPath(p, this.tables, viewOf(bytes))
    }
    return this.#passage(p, this.#resolving(p, run))
  }

  /** The packet comes from a VPN tunnel of the gateway, to this edge. */
  arriveByTunnel (gateway: string, fields: PacketFields): Passage {
    const bytes = makePacket(fields, PACKET_AT)
    const p = new PacketContext()
    const run = (): number => {
      loadContext(p, bytes, PACKET_AT)
      return runTunnelPath(p, this.#portOf(gateway), this.tables, viewOf(bytes))
    }
    return this.#passage(p, this.#resolving(p, run))
  }

  // -------------------------------------------------------------------------------- conversations

  /**
   * Remembers the conversation of a packet that has passed an ENI, as the router would.
   * @param direction EGRESS or INGRESS, as the ENI sees the packet
   */
  remember (p: PacketContext, direction: number): void {
    if (p.hasConnection === 0 || p.opensConnection === 0) return
    this.#remember(p.portIndex, fieldKey(p, direction), p.protocol, direction, p.isTracked !== 0)
  }

  /** Brings a conversation of a real flow table along. */
  bring (eni: string, packet: PacketFields, direction: number, isTracked: boolean): void {
    const p = new PacketContext()
    const bytes = makePacket(packet, PACKET_AT)
    loadContext(p, bytes, PACKET_AT)
    if (parsePacket(p, viewOf(bytes)) !== DROP_NONE) return
    this.#remember(this.#portOf(eni), fieldKey(p, direction), p.protocol, direction, isTracked)
  }

  #remember (
    port: number, key: ConversationKey, protocol: number, direction: number, isTracked: boolean
  ): void {
    const { flows, ports } = this.tables
    const portProtocol = (ports.flowPort[port]! << 8) | protocol
    const [l0, l1, l2, l3] = key.local
    const [r0, r1, r2, r3] = key.remote
    const known = flows.find(portProtocol, l0, l1, l2, l3, r0, r1, r2, r3, key.ports)
    const at = known >= 0 ? known
      : flows.create(portProtocol, l0, l1, l2, l3, r0, r1, r2, r3, key.ports, direction)
    if (at < 0) return
    if (known < 0) this.#conversations.push(at)
    if (isTracked) flows.track(at)
  }

  /** Forgets every conversation: the next trace begins anew. */
  forget (): void {
    for (const at of this.#conversations) this.tables.flows.remove(at)
    this.#conversations = []
    if (this.#hasFlows) this.#forgetFlows()
  }

  /** A node without flows, where the host is one. */
  #forgetFlows (): void {
    if (!this.host.roles.includes('hyperplane')) return
    const own = this.compiler.indexOfHost(this.host.id)
    const table = new NatTable(
      new ArrayBuffer(natFileBytes(CONVERSATIONS_MAX)), CONVERSATIONS_MAX, systemRandom)
    const node = new HyperplaneNode(own, table, 1, NO_EVENTS)
    for (const shard of this.#shards) {
      node.assign({ ...shard, owners: shard.owners.map(() => own),
        ownerEpochs: shard.owners.map(() => shard.epoch), replicas: Uint32Array.of(own),
        joinedEpochs: Uint32Array.of(shard.epoch) })
    }
    this.tables.hyperplane = node
    this.#hasFlows = false
  }

  // ---------------------------------------------------------------------------------------- names

  /** The group whose rule allowed the packet, and that rule's id. */
  groupRule (p: PacketContext, direction: number): { group: string, rule: string } | null {
    if (p.groupRule < 0) return null
    const group = this.compiler.idOf('securityGroup', p.ruleGroup) ?? ''
    const rule = this.compiler.sourceOfRule(
      'securityGroup', p.ruleGroup, direction === EGRESS, p.groupRule)
    return { group, rule: rule ?? '' }
  }

  /** The subnet's ACL at the ENI that is worked on, and the number of the entry that decided. */
  aclRule (p: PacketContext, direction: number): { acl: string, entry: string | null } {
    const index = this.#subnetOf(p)?.networkAclIndex ?? 0
    return {
      acl: this.compiler.idOf('networkAcl', index) ?? '',
      entry: p.aclRule < 0 ? null
        : this.compiler.sourceOfRule('networkAcl', index, direction === EGRESS, p.aclRule)
    }
  }

  /** The route table of the ENI's subnet, and the destination of the route that decided. */
  route (p: PacketContext): { table: string, destination: string | null } {
    const index = this.#subnetOf(p)?.routeTableIndex ?? 0
    const data = this.#routeTables.get(index)
    return {
      table: this.compiler.idOf('routeTable', index) ?? '',
      destination: p.route < 0 || data === undefined ? null
        : cidrAt(data.destinations, p.route * PREFIX_WORDS)
    }
  }

  subnetId (p: PacketContext): string {
    return this.compiler.idOf('subnet', this.tables.ports.subnetIndex[p.portIndex]!) ?? ''
  }

  /** Where the packet goes next. */
  nextHop (p: PacketContext): { readonly eni: string, readonly host: string } {
    const idWith = (prefix: string): string =>
      idFromBits(prefix, p.mapping.eniHigh >>> 0, p.mapping.eniLow >>> 0)
    const { egressOnlyInternetGateway, vpnGateway } = this.#snapshot.tables
    const gateway = egressOnlyInternetGateway.get(idWith('eigw')) ?? vpnGateway.get(idWith('vgw'))
    return {
      eni: p.isRoutedToGateway === 0 ? idWith('eni') : gateway?.id ?? idWith('igw'),
      host: p.action === ACTION_ENCAPSULATE
        ? this.compiler.idOf('host', p.target) ?? ''
        : this.host.id
    }
  }

  /** Whether an id is that of a gateway, and not of an ENI of an instance. */
  isGateway (id: string): boolean {
    return isGatewayId(id) ||
      this.tables.ports.kind[this.compiler.portOf(id)] === PORT_KIND_NAT_GATEWAY
  }

  /** Whether a gateway sends the packet on into its VPC. */
  isInward (p: PacketContext): boolean {
    return p.natDirection === NAT_INWARD || (this.isEgressOnly(p) && isForVpc(p, this.tables))
  }

  isEgressOnly (p: PacketContext): boolean {
    return this.tables.ports.kind[p.portIndex] === PORT_KIND_EGRESS_ONLY
  }

  /** The ENI or gateway that is worked on; null where none could be named. */
  portId (p: PacketContext): string | null { return this.compiler.eniOfPort(p.portIndex) }

  /** The route of a gateway's own table that decided; null when it has none. */
  gatewayRoute (p: PacketContext): { table: string, destination: string | null } | null {
    const index = this.tables.ports.routeTableIndex[p.portIndex]!
    const data = this.#routeTables.get(index)
    if (data === undefined) return null
    return {
      table: this.compiler.idOf('routeTable', index) ?? '',
      destination: p.route < 0 ? null : cidrAt(data.destinations, p.route * PREFIX_WORDS)
    }
  }

  /** VNI that the packet has, or had, on the underlay. */
  vniOf (p: PacketContext, direction: number): number {
    return direction === EGRESS && p.peerVpcIndex !== 0
      ? p.peerVni
      : this.tables.ports.vni[p.portIndex]!
  }

  /** The VPC at the other end of the peering that the packet crosses, or null. */
  peerOf (p: PacketContext): string | null {
    return p.peerVpcIndex === 0 ? null : this.compiler.idOf('vpc', p.peerVpcIndex)
  }

  /** Whether the ENI has a port here. */
  has (eni: string): boolean { return this.compiler.portOf(eni) !== 0 }

  #passage (p: PacketContext, drop: number): Passage {
    if (p.natAt >= 0) this.#hasFlows = true
    return { p, drop }
  }

  #subnetOf (p: PacketContext): ReturnType<Tables['subnets']['get']> {
    return this.tables.subnets.get(this.tables.ports.subnetIndex[p.portIndex]!)
  }

  #portOf (eni: string): number {
    const port = this.compiler.portOf(eni)
    assert(port !== 0, `${eni} has no port on ${this.host.id}`)
    return port
  }

  /** Runs the steps; where they would wait for a mapping, control is asked and they run again. */
  #resolving (p: PacketContext, run: () => number): number {
    let outcome = run()
    for (let turn = 0; outcome < DROP_NONE && turn < RESOLVES_MAX; turn++) {
      const answer = this.compiler.resolve(missingKey(p, outcome))
      if (answer === null) break
      this.tables.applyResolved(answer.key, answer.entries)
      outcome = run()
    }
    return outcome
  }
}

type Words = readonly [number, number, number, number]
interface ConversationKey { readonly local: Words, readonly remote: Words, readonly ports: number }

function fieldKey (p: PacketContext, direction: number): ConversationKey {
  const source: Words = [p.src0, p.src1, p.src2, p.src3]
  const destination: Words = [p.dst0, p.dst1, p.dst2, p.dst3]
  return direction === INGRESS
    ? { local: destination, remote: source, ports: (p.ports << 16) | (p.ports >>> 16) }
    : { local: source, remote: destination, ports: p.ports }
}

function missingKey (p: PacketContext, outcome: number): MappingKey {
  return outcome === WAIT_FOR_ADDRESS
    ? { by: 'address', vpcIndex: farVpcIndex(p),
        address: Uint32Array.of(p.dst0, p.dst1, p.dst2, p.dst3) }
    : { by: 'eni', vpcIndex: farVpcIndex(p),
        eniIdHigh: p.targetEniHigh >>> 0, eniIdLow: p.targetEniLow >>> 0 }
}

function loadContext (p: PacketContext, arena: Uint8Array, at: number): void {
  const rx = new Int32Array(RX_WORDS)
  rx[RX_AT] = at
  rx[RX_BYTES] = arena.length - at
  rx[RX_TOTAL_BYTES] = arena.length - at
  rx[RX_SEGMENTS] = 1
  rx[RX_SOURCE_AT] = SOURCE_AT
  p.load(rx, 0)
}

/**
 * The fields of a packet's bytes, of which the end may be missing; null for a damaged packet and
 * for a fragment, whose fate hangs on another packet.
 */
export function readPacket (bytes: Uint8Array, totalBytes: number): PacketFields | null {
  const p = new PacketContext()
  const arena = new Uint8Array(PACKET_AT + bytes.length)
  arena.set(bytes, PACKET_AT)
  loadContext(p, arena, PACKET_AT)
  p.totalBytes = totalBytes
  return parsePacket(p, viewOf(arena)) === DROP_NONE && p.isFragment === 0 ? fieldsOf(p) : null
}

function viewOf ({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}

function cidrAt (prefixes: Uint32Array, at: number): string {
  const address = formatAddress(prefixes, at)
  const length = prefixes[at + PREFIX_WORDS - 1]!
  return `${address}/${String(address.includes(':') ? length : length - IPV4_PREFIX_LENGTH)}`
}
