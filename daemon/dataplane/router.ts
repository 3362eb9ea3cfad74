/**
 * The router: takes each received descriptor to its end. Fast path first; then the slow path
 * (packet_path.ts), whose result is carried out (emit.ts), kept in the flow entry for the packets
 * that follow, answered by ICMP, or waited for. Every packet ends in exactly one of: sent, parked,
 * or dropped with one reason on the counter of the ENI that it concerns.
 *
 * Packets are taken in batches: all of a batch are read first, so that their flow entries come into
 * the cache together (FlowTable.prefetch); then each is dealt with, in order. One packet will do.
 *
 * The router knows no NIC, clock or thread: the loop (loop.ts) feeds it, or testing/lab.ts does.
 */
import * as descriptor from '../tun/descriptor.ts'
import type { Esp } from '../tun/esp.ts'
import { isSameMemory, SharedMemories } from '../tun/shared_memory.ts'
import {
  ACTION_DELIVER, ACTION_ENCAPSULATE, ACTION_FORWARD, ACTION_SEAL, ACTION_SERVICE, ACTION_UPLINK,
  dropIsAnswered, dropIsCacheable, prepareEncapsulation, storeDrop, storeEgressAction,
  storeIngressAction
} from './action.ts'
import {
  COUNT_FAST_PATH, COUNT_PARKED, COUNT_RESOLVE_REQUESTS, COUNT_SLOW_PATH, type Counters, PORT_NONE
} from './counters.ts'
import {
  DROP_CONNECTION_TABLE_FULL, DROP_MAPPING_QUEUE_FULL, DROP_MAPPING_TIMEOUT, DROP_NONE,
  DROP_PORT_UNKNOWN, DROP_REPLICATION, DROP_TRANSMIT_QUEUE_FULL, DROP_TTL_EXPIRED,
  DROP_VPN_NO_TUNNEL
} from './drop_reason.ts'
import { emitPacket, forwardPacket } from './emit.ts'
import {
  countFlow, NO_FLOW, readEgress, readIngress, runFastEgress, runFastIngress
} from './fast_path.ts'
import { FlowRecorder } from './flow_records.ts'
import { takeFrame } from './frame.ts'
import { GatewayAnswers } from './gateway_answers.ts'
import { IcmpErrors } from './icmp_error.ts'
import type { Impairments } from './impair/impairments.ts'
import { keepConnection, NO_ENTRY } from './keep_connection.ts'
import { isMirrored, Mirror, MIRROR_BYTES } from './mirror.ts'
import { NodePort } from './node_port.ts'
import { PacketContext } from './packet.ts'
import {
  runEgressPath, runIngressPath, runLocalIngressPath, runTunnelPath, runUplinkPath
} from './packet_path.ts'
import { type GatherRun, PARKED_ASK, PARKED_BYTES, Parking, PARKING_FULL } from './parking.ts'
import { SERVICE_DNS_VPC, SERVICE_NONE } from './link_local_service.ts'
import type { RouterArena } from './router_arena.ts'
import type { RouterParts } from './router_parts.ts'
import { askService } from './service_answer.ts'
import { ServicePort } from './service_port.ts'
import { WAIT_FOR_COPY, WAIT_FOR_SHARD } from './steps/hyperplane.ts'
import { WAIT_FOR_ADDRESS } from './steps/mapping.ts'
import { chooseMirror, MIRROR_NONE } from './steps/mirror.ts'
import { farVpcIndex } from './steps/peering.ts'
import * as flowLayout from './tables/flow_layout.ts'
import { PREFETCH_MAX } from './tables/flow_table.ts'
import type { Tables } from './tables/tables.ts'
import { PORT_KIND_ENI } from './tables/update.ts'
import type { CaptureMessage, FlowRecordsMessage, MappingKey } from './tables/update.ts'
import { Tap, TAP_BYTES } from './tap.ts'
import { Transmit, transmitBytes } from './transmit.ts'
import { gatewayOfTunnel, PORT_TUNNEL, VpnPort } from './vpn_port.ts'
import { TCP_FLAGS_NOTED } from '../wire/tcp.ts'

// Constants of other modules, made this module's own: V8 folds a module's own into the code, and
// loads imported ones from memory, checked, at each use (CONTRIBUTING.md, "Hot code").
const { FRAME_PORTS, PORT_UNDERLAY, RX_PORT, RX_SEGMENTS, RX_WORDS } = descriptor
const { EGRESS, HALF_WORD, HALF_WORDS, INGRESS } = flowLayout

/** Gateways of one host that a packet may pass, one after the other. */
const GATEWAY_HOPS_MAX = 4
/** Below this number of packets there is nothing to overlap. */
const PREFETCH_PACKETS_MIN = 4
/** Below this number of flows their entries are in the second-level cache anyway (192 KiB). */
const PREFETCH_FLOWS_MIN = 1024

export class Router implements RouterParts {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly tables: Tables
  readonly counters: Counters
  readonly transmit: Transmit
  readonly parking: Parking
  /** The HyperPlane node that this worker may be. */
  readonly node: NodePort
  readonly mirror: Mirror
  readonly services = new ServicePort()
  /** VPN tunnels, where this worker has any. */
  vpn: VpnPort | null = null
  /**
   * False switches the fast path and the keeping of decisions off: slower, and nothing else.
   * Connections are kept all the same.
   */
  cacheFlows = true
  /** Milliseconds of the present pass, set by the loop. */
  nowMs = 0
  /** While somebody captures on this host. */
  tap: Tap | null = null
  /** While flows of an ENI of this host are logged. */
  flowRecorder: FlowRecorder | null = null
  /** While something is impaired here. */
  impairments: Impairments | null = null
  /** One context for each packet of a batch. */
  readonly #batch = Array.from({ length: PREFETCH_MAX }, () => new PacketContext())
  readonly #hashes = new Int32Array(PREFETCH_MAX)
  readonly #directions = new Uint8Array(PREFETCH_MAX)
  readonly #icmp = new IcmpErrors()
  readonly #answers = new GatewayAnswers(this.#icmp)
  readonly #gatherRun: GatherRun
  readonly #sendNow: () => void
  readonly #ask: (key: MappingKey) => void
  readonly #tapAt: number
  readonly #memories = new SharedMemories()

  /** @param ask called when a mapping must be asked of control */
  constructor (
    arena: RouterArena, txMax: number, tables: Tables, counters: Counters,
    ask: (key: MappingKey) => void
  ) {
    this.bytes = arena.bytes
    this.view = new DataView(arena.bytes.buffer, arena.bytes.byteOffset, arena.bytes.byteLength)
    this.tables = tables
    this.counters = counters
    this.transmit = new Transmit(arena.bytes, arena.words, arena.tx, txMax, arena.scratchAt)
    const parkedAt = arena.scratchAt + transmitBytes(txMax)
    this.parking = new Parking(arena.bytes, parkedAt)
    this.#tapAt = parkedAt + PARKED_BYTES
    this.#gatherRun = (run, at, bytesMax) => arena.gatherRun(run, at, bytesMax)
    this.#sendNow = () => {
      this.impairments?.shape()
      this.tap?.transmitted(arena.tx, this.transmit.count)
      arena.transmit(this.transmit.count)
      this.transmit.reset()
    }
    this.node = new NodePort(this, this.#tapAt + TAP_BYTES + MIRROR_BYTES, this.#gatherRun)
    this.#ask = ask
    this.mirror = new Mirror(this, this.#tapAt + TAP_BYTES, this.#gatherRun, (key) => {
      this.counters.add(COUNT_RESOLVE_REQUESTS, 1)
      ask(key)
    })
  }

  /** @param esp its results stand behind `scratchBytes` of the scratch area */
  openVpn (esp: Esp, espAt: number): void {
    const received = (rx: Int32Array, count: number): void => { this.receiveBurst(rx, count) }
    const [gatherRun, sendNow] = [this.#gatherRun, this.#sendNow]
    this.vpn = new VpnPort(esp, this, { gatherRun, received, sendNow, tap: () => this.tap })
    this.transmit.tunnels = this.vpn
    this.transmit.bareAt = espAt
  }

  /** Begins, changes or ends the capturing of packets. @param nowNs machine's monotonic clock */
  configureTap (message: CaptureMessage, nowNs: () => number): void {
    if (message.ring === null) {
      this.tap = null
      return
    }
    if (this.tap === null || !isSameMemory(this.tap.ring, message.ring)) {
      const { bytes, tables, counters } = this
      this.tap = new Tap({
        bytes, tables, counters, nowNs, scratchAt: this.#tapAt, gatherRun: this.#gatherRun,
        tunnelInside: (nicPort) => this.vpn?.tunnelInside(nicPort) ?? 0
      }, message.ring, this.#memories.open(message.ring))
    }
    this.tap.configure(message)
  }

  /** Begins, changes or ends the recording of flows. */
  configureFlowRecords (message: FlowRecordsMessage): void {
    if (message.table === null) {
      this.flowRecorder = null
      return
    }
    const { ports, flows } = this.tables
    this.flowRecorder ??= new FlowRecorder(ports, flows.seed)
    this.flowRecorder.configure(message, this.#memories.open(message.table))
  }

  /** Takes the first `count` descriptors of `rx`, in order. */
  receiveBurst (rx: Int32Array, count: number): void {
    if (this.tap !== null) {
      this.#receiveTapped(this.tap, rx, count)
      return
    }
    for (let first = 0; first < count; first += PREFETCH_MAX) {
      this.#receiveBatch(rx, first, Math.min(PREFETCH_MAX, count - first))
    }
  }

  /** One by one, so that a drop is known to be that of the packet which the tap has copied. */
  #receiveTapped (tap: Tap, rx: Int32Array, count: number): void {
    tap.startBurst()
    for (let item = 0; item < count; item++) {
      tap.before(rx, item * RX_WORDS)
      this.#receiveBatch(rx, item, 1)
      tap.after(rx, item * RX_WORDS)
    }
  }

  /** Looks at all packets of a batch, brings their flows into the cache, then takes each. */
  #receiveBatch (rx: Int32Array, first: number, count: number): void {
    const { flows } = this.tables
    for (let item = 0; item < count; item++) {
      this.#read(this.#batch[item], rx, (first + item) * RX_WORDS, item)
    }
    if (count >= PREFETCH_PACKETS_MIN && flows.live >= PREFETCH_FLOWS_MIN) {
      flows.prefetch(this.#hashes, this.#directions, count)
    }
    let fastPackets = 0
    for (let item = 0; item < count; item++) {
      const p = this.#batch[item]
      const rxAt = (first + item) * RX_WORDS
      if (p.flowHash !== NO_FLOW && this.#routeFast(p, rx[rxAt + RX_PORT])) fastPackets++
      else this.#routeSlowly(p, rx, rxAt)
    }
    this.counters.add(COUNT_FAST_PATH, fastPackets)
  }

  /** First look at one packet: where it comes from, and which flow it may belong to. */
  #read (p: PacketContext, rx: Int32Array, rxAt: number, item: number): void {
    p.load(rx, rxAt)
    p.flowHash = NO_FLOW
    const isIngress = rx[rxAt + RX_PORT] === PORT_UNDERLAY
    p.portIndex = isIngress ? PORT_NONE : this.tables.ports.portOfNic[rx[rxAt + RX_PORT]]
    if (this.cacheFlows) p.flowHash = isIngress ? readIngress(p, this) : readEgress(p, this)
    this.#hashes[item] = p.flowHash
    this.#directions[item] = isIngress ? INGRESS : EGRESS
  }

  #routeFast (p: PacketContext, nicPort: number): boolean {
    return nicPort === PORT_UNDERLAY ? runFastIngress(p, this) : runFastEgress(p, this)
  }

  #routeSlowly (p: PacketContext, rx: Int32Array, rxAt: number): void {
    this.counters.add(COUNT_SLOW_PATH, 1)
    if (rx[rxAt + RX_PORT] === PORT_UNDERLAY) {
      this.#slowIngress(p, rx, rxAt)
    } else if (this.services.nicPort !== 0 && rx[rxAt + RX_PORT] === this.services.nicPort) {
      this.#deliverFromServices(p)
    } else if (p.portIndex === PORT_NONE && rx[rxAt + RX_PORT] === this.tables.uplinkNicPort) {
      if (this.vpn === null || !this.vpn.takeOuter(p)) this.#slowUplink(p, rx, rxAt)
    } else if (rx[rxAt + RX_PORT] === PORT_TUNNEL) {
      this.#slowUplink(p, rx, rxAt)
    } else if (rx[rxAt + RX_PORT] > FRAME_PORTS) {
      this.#takeFrame(p, rx[rxAt + RX_PORT] - FRAME_PORTS)
    } else if (p.portIndex === PORT_NONE) {
      if (this.vpn?.takeFromWithin(p, rx[rxAt + RX_PORT]) === true) return
      this.counters.drop(PORT_NONE, DROP_PORT_UNKNOWN, rx[rxAt + RX_SEGMENTS])
    } else {
      this.#slowEgress(p, rx, rxAt)
    }
  }

  /** What a guest on Ethernet sent and is no IP packet. @param nicPort of its TAP */
  #takeFrame (p: PacketContext, nicPort: number): void {
    p.portIndex = this.tables.ports.portOfNic[nicPort]
    const drop = p.portIndex === PORT_NONE ? DROP_PORT_UNKNOWN : takeFrame(p, this)
    if (drop !== DROP_NONE) this.counters.drop(p.portIndex, drop, 1)
  }

  /** Takes parked packets whose mapping has come, as many as there is room for. */
  receiveParked (): void {
    while (this.transmit.hasRoom(1) && this.parking.takeReady()) {
      this.receiveBurst(this.parking.taken, 1)
    }
    while (this.transmit.hasRoom(1) && this.node.holding.takeReady()) {
      this.receiveBurst(this.node.holding.taken, 1)
    }
  }

  /** Gives up on packets that wait too long. */
  expireParked (): void {
    if (this.node.holding.count > 0) {
      this.node.holding.expire(this.nowMs, (portIndex, segments) => {
        this.counters.drop(portIndex, DROP_REPLICATION, segments)
        this.tap?.expired(this.node.holding.taken, portIndex, DROP_REPLICATION)
      })
    }
    if (this.parking.count === 0) return
    this.parking.expire(this.nowMs, (portIndex, segments) => {
      this.counters.drop(portIndex, DROP_MAPPING_TIMEOUT, segments)
      this.tap?.expired(this.parking.taken, portIndex, DROP_MAPPING_TIMEOUT)
    })
  }

  /** The burst has sent everything that was prepared. */
  afterBurst (): void {
    this.transmit.reset()
    this.parking.afterBurst()
    this.node.holding.afterBurst()
    this.mirror.afterBurst()
    this.vpn?.afterBurst()
  }

  // ------------------------------------------------------------------------------------- egress

  #slowEgress (p: PacketContext, rx: Int32Array, rxAt: number): void {
    const sender = p.portIndex
    const outcome = runEgressPath(p, this.tables, this.view)
    if (outcome < 0) {
      this.#wait(p, rx, rxAt, outcome)
      return
    }
    if (isMirrored(p)) this.mirror.copy(p, sender, EGRESS, this.nowMs)
    if (outcome !== DROP_NONE) {
      this.#refuse(p, outcome)
      return
    }
    if (p.action === ACTION_SERVICE) {
      this.#handToServices(p)
      return
    }
    const { segments, wireBytesSum } = p
    const senderRelated = p.relatedAt
    if (p.action === ACTION_ENCAPSULATE) {
      const { ports } = this.tables
      prepareEncapsulation(p, ports.vni[sender], ports.eniHigh[sender], ports.eniLow[sender])
    }
    const senderFlow = this.#keepEgress(p, sender)
    if (senderFlow === NO_ENTRY && p.isTracked !== 0) {
      this.counters.drop(sender, DROP_CONNECTION_TABLE_FULL, segments)
      this.#note(p, sender, EGRESS, DROP_CONNECTION_TABLE_FULL)
      return
    }
    if (p.action === ACTION_DELIVER && this.tables.ports.kind[p.target] !== PORT_KIND_ENI) {
      this.#countEgress(sender, senderFlow, segments, wireBytesSum)
      this.#note(p, sender, EGRESS, DROP_NONE)
      this.#leaveGateway(p, rx, rxAt)
      return
    }
    let receiverFlow = NO_ENTRY
    if (p.action === ACTION_DELIVER) {
      let drop = runLocalIngressPath(p, this.tables, this.view)
      if (drop === DROP_NONE) {
        receiverFlow = this.#keepIngress(p, p.target)
        if (receiverFlow === NO_ENTRY && p.isTracked !== 0) drop = DROP_CONNECTION_TABLE_FULL
      }
      if (drop !== DROP_NONE) {
        this.counters.drop(p.portIndex, drop, segments)
        this.#note(p, p.portIndex, INGRESS, drop)
        // Sent it was, just as it would have been to another host.
        this.#countEgress(sender, senderFlow, segments, wireBytesSum)
        this.#countRelated(senderRelated, EGRESS)
        this.#note(p, sender, EGRESS, DROP_NONE)
        return
      }
    }
    this.#note(p, sender, EGRESS, DROP_NONE)
    if (p.action === ACTION_DELIVER) this.#note(p, p.target, INGRESS, DROP_NONE)
    const drop = this.#emit(p)
    if (drop !== DROP_NONE) {
      this.counters.drop(sender, drop, segments)
      return
    }
    this.#countEgress(sender, senderFlow, segments, wireBytesSum)
    this.#countRelated(senderRelated, EGRESS)
    if (p.action === ACTION_DELIVER) {
      this.#countIngress(p.target, receiverFlow, segments, wireBytesSum)
      this.#countRelated(p.relatedAt, INGRESS)
    }
  }

  /** A packet for a service of the VPC: no flow, no flow log. */
  #handToServices (p: PacketContext): void {
    const { segments } = p
    const drop = askService(p, this, this.services, this.nowMs)
    if (drop !== DROP_NONE) this.counters.drop(p.portIndex, drop, segments)
  }

  /** What a service answers. That it finds nobody says nothing about any ENI: it is not counted. */
  #deliverFromServices (p: PacketContext): void {
    const service = this.services.readdress(p, this)
    if (service === SERVICE_NONE) return
    const { segments, wireBytesSum } = p
    if (!this.transmit.hasRoom(1)) {
      this.counters.drop(p.portIndex, DROP_TRANSMIT_QUEUE_FULL, segments)
      return
    }
    this.transmit.deliver(p, this.tables.ports.nicPort[p.portIndex])
    this.counters.ingress(p.portIndex, segments, wireBytesSum)
    if (service !== SERVICE_DNS_VPC) return
    p.isCopy = 0
    p.mirrorSession = MIRROR_NONE
    chooseMirror(p, this.tables, INGRESS)
    if (isMirrored(p)) this.mirror.copy(p, p.portIndex, INGRESS, this.nowMs)
  }

  /**
   * Drops a packet of the ENI `portIndex`; tells the sender, or remembers it, where that is due.
   */
  #refuse (p: PacketContext, reason: number): void {
    this.counters.drop(p.portIndex, reason, p.segments)
    this.#note(p, p.portIndex, EGRESS, reason)
    if (dropIsAnswered(reason)) {
      const { connectionAt } = p
      if (this.#icmp.answerTooBig(p, this, this.nowMs)) this.#countRelated(connectionAt, INGRESS)
      return
    }
    if (!this.#isCached(p) || p.connectionAt < 0 || !dropIsCacheable(reason)) return
    // What opens or ends a connection may be refused where the rest of it is not.
    if ((p.tcpFlags & TCP_FLAGS_NOTED) !== 0) return
    storeDrop(this.tables.flows.words, p.connectionAt + HALF_WORD, reason,
      this.tables.ports.generation[p.portIndex])
  }

  /**
   * Whether the decision about the packet is kept for those that follow. Those of a mirrored flow
   * take the slow path: what it costs more is less than what making the copy costs.
   */
  #isCached (p: PacketContext): boolean {
    return this.cacheFlows && p.isFlow !== 0 && !isMirrored(p)
  }

  /** @returns word offset of the sender's flow entry, or NO_ENTRY when the packet has none */
  #keepEgress (p: PacketContext, sender: number): number {
    const { ports, flows } = this.tables
    const at = keepConnection(p, sender, EGRESS, this)
    if (at === NO_ENTRY || !this.#isCached(p)) return at
    storeEgressAction(flows.words, at + HALF_WORD, p, ports.generation[sender])
    return at
  }

  /** For flow logs: what became of the packet at one port. */
  #note (p: PacketContext, port: number, direction: number, reason: number): void {
    if (p.isCopy !== 0) return // flow logs do not see copies of mirrored packets
    this.flowRecorder?.note(p, port, direction, reason, p.segments, p.wireBytesSum)
  }

  /**
   * Sends the packet. What enters a mirrored ENI is copied as it is given to it.
   * @returns DROP_NONE, or why it could not be sent
   */
  #emit (p: PacketContext): number {
    if (!isMirrored(p) || p.action !== ACTION_DELIVER) return emitPacket(p, this)
    const port = p.target
    // Cutting a packet up uses its context up.
    if (p.mustFragment !== 0) this.mirror.copy(p, port, INGRESS, this.nowMs)
    const mustCopy = p.mustFragment === 0
    const drop = emitPacket(p, this)
    if (mustCopy && drop === DROP_NONE) this.mirror.copy(p, port, INGRESS, this.nowMs)
    return drop
  }

  #countEgress (sender: number, flow: number, segments: number, wireBytesSum: number): void {
    this.counters.egress(sender, segments, wireBytesSum)
    if (flow >= 0) countFlow(this.tables.flows, flow, flow + HALF_WORD, segments, wireBytesSum)
  }

  /** An ICMP error has passed. @param flow entry of the conversation that it speaks of, or -1 */
  #countRelated (flow: number, direction: number): void {
    if (flow >= 0) this.tables.flows.countIcmpError(flow, direction)
  }

  // ------------------------------------------------------------------------------------- ingress

  #slowIngress (p: PacketContext, rx: Int32Array, rxAt: number): void {
    p.load(rx, rxAt) // the fast path may have moved `at`
    if (this.node.takeMessage(p)) return
    const outcome = runIngressPath(p, this.tables, this.view)
    if (outcome < 0) {
      this.#wait(p, rx, rxAt, outcome)
      return
    }
    this.node.count(p, outcome)
    if (outcome !== DROP_NONE) {
      this.counters.drop(p.portIndex, outcome, p.segments)
      this.#note(p, p.portIndex, INGRESS, outcome)
      this.#answerFromGateway(p, outcome, rx, rxAt)
      return
    }
    if (p.action === ACTION_FORWARD) forwardPacket(p, this)
    else if (this.tables.ports.kind[p.portIndex] !== PORT_KIND_ENI) this.#leaveGateway(p, rx, rxAt)
    else this.#enterEni(p)
  }

  /** Gives the packet, whose steps are done, to the ENI `portIndex`. */
  #enterEni (p: PacketContext): void {
    const { segments, wireBytesSum } = p
    const flow = this.#keepIngress(p, p.portIndex)
    if (flow === NO_ENTRY && p.isTracked !== 0) {
      this.counters.drop(p.portIndex, DROP_CONNECTION_TABLE_FULL, p.segments)
      this.#note(p, p.portIndex, INGRESS, DROP_CONNECTION_TABLE_FULL)
      return
    }
    this.#note(p, p.portIndex, INGRESS, DROP_NONE)
    const drop = this.#emit(p)
    if (drop !== DROP_NONE) {
      this.counters.drop(p.portIndex, drop, segments)
      return
    }
    this.#countIngress(p.portIndex, flow, segments, wireBytesSum)
    this.#countRelated(p.relatedAt, INGRESS)
  }

  // ------------------------------------------------------------------------------------- gateways

  /** From the internet: as it is, or opened. */
  #slowUplink (p: PacketContext, rx: Int32Array, rxAt: number): void {
    const { tables, view } = this
    const outcome = rx[rxAt + RX_PORT] === PORT_TUNNEL
      ? runTunnelPath(p, gatewayOfTunnel(p, tables, view), tables, view)
      : runUplinkPath(p, tables, view)
    if (outcome < 0) this.#wait(p, rx, rxAt, outcome)
    else if (outcome !== DROP_NONE) this.counters.drop(p.portIndex, outcome, p.segments)
    else this.#leaveGateway(p, rx, rxAt)
  }

  /**
   * Sends a packet that has passed the gateway `portIndex`: to the internet, to another host, or to
   * a port of this host, which may be a gateway again.
   */
  #leaveGateway (p: PacketContext, rx: Int32Array, rxAt: number): void {
    const { ports } = this.tables
    for (let hop = 0; hop < GATEWAY_HOPS_MAX; hop++) {
      const gateway = p.portIndex
      const { segments, wireBytesSum } = p
      if (p.action !== ACTION_DELIVER) {
        if (p.action === ACTION_ENCAPSULATE) {
          prepareEncapsulation(p, ports.vni[gateway], ports.eniHigh[gateway], ports.eniLow[gateway])
        }
        const isSealed = p.action === ACTION_SEAL
        const isOutward = p.action === ACTION_UPLINK || isSealed
        const drop = isSealed ? this.vpn?.seal(p) ?? DROP_VPN_NO_TUNNEL : emitPacket(p, this)
        if (drop !== DROP_NONE) this.counters.drop(gateway, drop, segments)
        else if (isOutward) this.counters.ingress(gateway, segments, wireBytesSum)
        else this.counters.egress(gateway, segments, wireBytesSum)
        return
      }
      const outcome = runLocalIngressPath(p, this.tables, this.view)
      if (outcome < 0) {
        this.#wait(p, rx, rxAt, outcome)
        return
      }
      this.node.count(p, outcome)
      if (outcome !== DROP_NONE) {
        this.counters.drop(p.portIndex, outcome, segments)
        this.#note(p, p.portIndex, INGRESS, outcome)
        this.#answerFromGateway(p, outcome, rx, rxAt)
        return
      }
      this.counters.egress(gateway, segments, wireBytesSum)
      if (ports.kind[p.portIndex] === PORT_KIND_ENI) {
        this.#enterEni(p)
        return
      }
    }
    this.counters.drop(p.portIndex, DROP_TTL_EXPIRED, p.segments)
  }

  /** Tells the sender, where that is due, why his packet did not pass a gateway. */
  #answerFromGateway (p: PacketContext, reason: number, rx: Int32Array, rxAt: number): void {
    if (this.#answers.answer(p, reason, this, this.nowMs)) this.#leaveGateway(p, rx, rxAt)
  }

  /** @returns word offset of the receiver's flow entry, or NO_ENTRY when the packet has none */
  #keepIngress (p: PacketContext, receiver: number): number {
    const { ports, flows } = this.tables
    const at = keepConnection(p, receiver, INGRESS, this)
    if (at === NO_ENTRY || !this.#isCached(p)) return at
    storeIngressAction(flows.words, at + HALF_WORD + HALF_WORDS, p, ports.generation[receiver],
      ports.mtu[receiver])
    return at
  }

  #countIngress (receiver: number, flow: number, segments: number, wireBytesSum: number): void {
    this.counters.ingress(receiver, segments, wireBytesSum)
    if (flow >= 0) {
      countFlow(this.tables.flows, flow, flow + HALF_WORD + HALF_WORDS, segments, wireBytesSum)
    }
  }

  // ------------------------------------------------------------------------------------- waiting

  /** Parks the received packet until control has answered. */
  #wait (p: PacketContext, rx: Int32Array, rxAt: number, outcome: number): void {
    if (outcome === WAIT_FOR_COPY || outcome === WAIT_FOR_SHARD) {
      this.node.hold(p, rx, rxAt, outcome, this.nowMs)
      return
    }
    const { parking } = this
    const forAddress = outcome === WAIT_FOR_ADDRESS
    const vpcIndex = farVpcIndex(p)
    if (forAddress) parking.setAddressKey(vpcIndex, p.dst0, p.dst1, p.dst2, p.dst3)
    else parking.setEniKey(vpcIndex, p.targetEniHigh, p.targetEniLow)
    const answer = parking.park(rx, rxAt, p.portIndex, p.segments, this.nowMs, this.#gatherRun)
    if (answer === PARKING_FULL) {
      this.counters.drop(p.portIndex, DROP_MAPPING_QUEUE_FULL, p.segments)
      return
    }
    this.counters.add(COUNT_PARKED, 1)
    if (answer !== PARKED_ASK) return
    this.counters.add(COUNT_RESOLVE_REQUESTS, 1)
    this.#ask(forAddress
      ? { by: 'address', vpcIndex,
        address: Uint32Array.of(p.dst0, p.dst1, p.dst2, p.dst3) }
      : { by: 'eni', vpcIndex, eniIdHigh: p.targetEniHigh >>> 0,
        eniIdLow: p.targetEniLow >>> 0 })
  }
}
