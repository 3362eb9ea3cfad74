/**
 * The worker's loop, run to completion:
 *
 *     messages of control → tables, devices         between bursts only: a packet sees one revision
 *     impaired packets that are due, parked ones whose mapping has come
 *     timers: parked packets, idle flows, counters
 *     Nic.burst: send what was prepared, sleep if there is nothing, receive
 *     each received descriptor → router
 *
 * It never yields to the event loop and never throws for a packet. Time is read once per pass.
 */
import type { Clock } from '../base/clock.ts'
import { GENEVE_UDP_PORT, overheadBytes } from '../encap/geneve.ts'
import { NIC_COUNTER_SLEEPS, NIC_COUNTER_SPINS } from '../tun/counters.ts'
import type { Esp } from '../tun/esp.ts'
import type { Nic } from '../tun/nic.ts'
import type { WireKeyMessage } from '../tun/wire_key.ts'
import { formatAddress } from '../wire/address.ts'
import { ETHERNET_ADDRESS_BYTES } from '../wire/ethernet.ts'
import {
  COUNT_BURSTS, COUNT_FLOWS_CREATED, COUNT_FLOWS_EXPIRED, COUNT_FLOWS_LIVE, COUNT_FLOW_PORTS_FULL,
  COUNT_NAT_ALONE, COUNT_NAT_COPIES_REFUSED, COUNT_NAT_LIVE, COUNT_NAT_RETRANSMITS,
  COUNT_RUNNING_MS, COUNT_TABLE_UPDATES, COUNT_WAITING_MS
} from './counters.ts'
import type { Counters } from './counters.ts'
import { Impairments } from './impair/impairments.ts'
import { writeEniMac, writeRouterMac } from './link_address.ts'
import type { ControlLink } from './port.ts'
import { HyperplaneNode } from './hyperplane/node.ts'
import { HOLD_COPY, HOLD_SHARD } from './node_port.ts'
import { Router } from './router.ts'
import { impairOffset, scratchBytes } from './router_arena.ts'
import type { FlowTable } from './tables/flow_table.ts'
import type { NatTable } from './tables/nat_table.ts'
import { Tables } from './tables/tables.ts'
import type { VpnPort } from './vpn_port.ts'
import { PORT_KIND_ENI } from './tables/update.ts'
import type { ControlMessage, HostData, ImpairmentsData, TableUpdate } from './tables/update.ts'

/** Most descriptors received by one burst. */
export const RX_MAX = 256
/**
 * Most descriptors sent by one burst: room for fragments of a few packets besides one for each
 * received.
 */
export const TX_MAX = 1024
/** Messages taken between two bursts. */
const MESSAGES_MAX = 64
/** How often counters are committed and devices looked at, ms. */
const HOUSEKEEPING_MS = 100
/** How old the committed counters of a worker without packets may become, ms. */
const COMMIT_AGE_MS_MAX = 1000
/** How often answers to look-ups, and moves, are looked through, ms. */
const EXPIRE_EVERY_MS = 1000
/** Longest sleep, ms: idle flows end no later than this after their time. */
const SLEEP_MAX_MS = 1000
/** How long flows of ENIs that the flow file remembers wait for their ENI to be named again, ms. */
const RESTORE_GRACE_MS = 60_000
/** Unit of the number by which other nodes tell one life of a node from the next, ms. */
const INCARNATION_MS = 10
type OpenPortMessage = Extract<ControlMessage, { readonly kind: 'open-port' }>

/** Error with which the NIC says that a device is gone for good; any other one may pass. */
const DEVICE_GONE = 'EBADFD'

export interface LoopOptions {
  readonly nic: Nic
  readonly link: ControlLink
  readonly clock: Clock
  readonly counters: Counters
  readonly flows: FlowTable
  /** Flows of HyperPlane resources, where the worker is a node. */
  readonly nat?: NatTable | null
  /** Where the worker has VPN tunnels; its results stand behind `scratchBytes`. */
  readonly esp?: Esp | null
  readonly hostIndex: number
  /** Largest inner packet for another host: `pathMtu()`. */
  readonly pathMtu: number
  /** ns of the machine's monotonic clock, the same in every thread: for captures alone. */
  readonly machineNs: () => number
}

/** What fits into the underlay's MTU beside the outer headers, bytes. */
export function pathMtu (underlayMtu: number, overIpv6: boolean, isEncrypted = false): number {
  return underlayMtu - overheadBytes(overIpv6, isEncrypted)
}

export class Loop {
  readonly router: Router
  readonly tables: Tables
  readonly #nic: Nic
  readonly #link: ControlLink
  readonly #clock: Clock
  readonly #counters: Counters
  readonly #machineNs: () => number
  readonly #startMs: number
  #isStopping = false
  #isDirty = false
  #housekeepingMs = 0
  #commitMs = 0
  #expiredMs = 0
  #graceIsOver = false

  constructor (options: LoopOptions) {
    this.#nic = options.nic
    this.#link = options.link
    this.#clock = options.clock
    this.#counters = options.counters
    this.#machineNs = options.machineNs
    this.tables = new Tables(options.hostIndex, options.pathMtu, options.flows)
    this.router = new Router(options.nic, TX_MAX, this.tables, options.counters, (key) => {
      this.#link.post({ kind: 'resolve', key })
    })
    this.#startMs = this.#clock.monotonicMs()
    if (options.nat !== undefined && options.nat !== null) {
      this.tables.hyperplane = this.#newNode(options.hostIndex, options.nat)
    }
    if (options.esp !== undefined && options.esp !== null) {
      this.router.openVpn(options.esp, options.nic.scratchAt + scratchBytes(TX_MAX))
    }
  }

  #newNode (hostIndex: number, table: NatTable): HyperplaneNode {
    const incarnation = table.nextIncarnation(Math.floor(this.#clock.nowMs() / INCARNATION_MS))
    return new HyperplaneNode(hostIndex, table, incarnation, {
      confirmed: (at, serial) => { this.router.node.releaseHeld(HOLD_COPY, at, serial) },
      decides: (shard) => { this.router.node.releaseHeld(HOLD_SHARD, shard.eniHigh, shard.eniLow) },
      complete: ({ eniHigh, eniLow, epoch }) => {
        this.#link.post({
          kind: 'copy-complete', eniIdHigh: eniHigh >>> 0, eniIdLow: eniLow >>> 0, epoch
        })
      }
    })
  }

  /**
   * Runs until control says `stop`; then commits the counters, closes the NIC and answers
   * `stopped`.
   */
  run (): void {
    this.#link.post({ kind: 'ready', features: { ...this.#nic.features } })
    while (!this.#isStopping) this.pass(SLEEP_MAX_MS)
    this.#commit()
    this.router.vpn?.tunnels.esp.close()
    this.#nic.close()
    this.#link.post({ kind: 'stopped' })
    this.#link.close()
  }

  /** One turn of the loop. @param sleepMaxMs longest sleep when nothing arrives */
  pass (sleepMaxMs: number): void {
    const { router, tables } = this
    for (let count = 0; count < MESSAGES_MAX; count++) {
      const message = this.#link.receive()
      if (message === null) break
      this.#take(message)
    }
    const nowMs = this.#clock.monotonicMs() - this.#startMs
    router.nowMs = nowMs
    tables.flows.setNowMs(nowMs)
    if (tables.hyperplane !== null) this.#workAsNode(tables.hyperplane, nowMs)
    this.#releaseImpaired(nowMs)
    router.receiveParked()
    router.expireParked()
    tables.flows.expire()
    if (nowMs - this.#housekeepingMs >= HOUSEKEEPING_MS) this.#keepHouse(nowMs)
    if (router.vpn !== null) this.#flushVpn(router.vpn)
    router.mirror.send()
    router.node.sendMessages()
    router.impairments?.shape()
    router.tap?.transmitted(this.#nic.tx, router.transmit.count)
    const waits = this.#waits()
    let received = this.#nic.burst(router.transmit.count, this.#sleepMs(nowMs, sleepMaxMs))
    if (this.#waits() !== waits) this.#countWaiting(nowMs)
    router.afterBurst()
    if (received === 0) {
      if (this.#isDirty) this.#commit()
      return
    }
    this.#isDirty = true
    this.#counters.add(COUNT_BURSTS, 1)
    this.#readWallClock()
    if (router.impairments !== null) received = this.#takeImpaired(router.impairments, received)
    router.receiveBurst(this.#nic.rx, received)
    if (router.vpn !== null) this.#flushVpn(router.vpn)
  }

  /** What was received is opened, and what is sent sealed, under the tables of its burst. */
  #flushVpn (vpn: VpnPort): void {
    if (vpn.isIdle) return
    vpn.wallMs = this.#clock.nowMs()
    vpn.flush()
    for (const mapping of vpn.tunnels.esp.takeMappings()) {
      this.#link.post({ kind: 'esp-mapping', ...mapping })
    }
  }

  #releaseImpaired (nowMs: number): void {
    const { impairments } = this.router
    if (impairments === null) return
    impairments.nowMs = nowMs
    impairments.releaseReceived()
    if (!impairments.isNeeded) this.router.impairments = null
  }

  /** The burst may have slept: what it received came now. */
  #takeImpaired (impairments: Impairments, received: number): number {
    impairments.nowMs = this.#clock.monotonicMs() - this.#startMs
    return impairments.takeReceived(this.#nic.rx, received)
  }

  #workAsNode (node: HyperplaneNode, nowMs: number): void {
    node.nowMs = nowMs
    node.table.setNowMs(nowMs)
    node.expire()
  }

  /** Rises with each burst that found nothing at once. */
  #waits (): number {
    const { counters } = this.#nic
    return counters[NIC_COUNTER_SPINS] + counters[NIC_COUNTER_SLEEPS]
  }

  /** The clock is read once more only where there was time to. @param nowMs before the burst */
  #countWaiting (nowMs: number): void {
    this.#counters.add(COUNT_WAITING_MS, this.#clock.monotonicMs() - this.#startMs - nowMs)
  }

  #sleepMs (nowMs: number, sleepMaxMs: number): number {
    if (this.#isStopping || this.router.mirror.waiting > 0) return 0
    let sleepMs = this.#isDirty ? HOUSEKEEPING_MS : SLEEP_MAX_MS
    if (this.router.parking.count > 0) {
      sleepMs = Math.min(sleepMs, this.router.parking.remainingMs(nowMs))
    }
    if (this.router.node.holding.count > 0) {
      sleepMs = Math.min(sleepMs, this.router.node.holding.remainingMs(nowMs))
    }
    const { impairments } = this.router
    if (impairments !== null) sleepMs = Math.min(sleepMs, impairments.remainingMs(nowMs))
    const node = this.tables.hyperplane
    if (node !== null) sleepMs = Math.min(sleepMs, node.remainingMs())
    return Math.ceil(Math.min(sleepMs, sleepMaxMs))
  }

  /** Flow logs tell the time of day; nobody else here wants it. */
  #readWallClock (): void {
    const { flowRecorder } = this.router
    if (flowRecorder !== null) flowRecorder.nowMs = this.#clock.nowMs()
  }

  #keepHouse (nowMs: number): void {
    this.#housekeepingMs = nowMs
    for (const failed of this.#nic.takeFailedPorts()) this.#takeFailure(failed.port, failed.error)
    if (nowMs - this.#expiredMs >= EXPIRE_EVERY_MS) {
      this.#expiredMs = nowMs
      this.tables.expire()
    }
    if (!this.#graceIsOver && nowMs >= RESTORE_GRACE_MS) {
      this.#graceIsOver = true
      this.tables.closeForgottenFlows()
    }
    if (this.#isDirty || nowMs - this.#commitMs >= COMMIT_AGE_MS_MAX) this.#commit()
  }

  #commit (): void {
    this.#isDirty = false
    this.#commitMs = this.router.nowMs
    this.#counters.set(COUNT_RUNNING_MS, this.#clock.monotonicMs() - this.#startMs)
    this.#counters.set(COUNT_FLOWS_CREATED, this.tables.flows.createdCount)
    this.#counters.set(COUNT_FLOWS_LIVE, this.tables.flows.live)
    this.#counters.set(COUNT_FLOWS_EXPIRED, this.tables.flows.expiredCount)
    if (this.tables.hyperplane !== null) this.#countAsNode(this.tables.hyperplane)
    this.#counters.commit(this.#nic.counters)
  }

  #countAsNode (node: HyperplaneNode): void {
    this.#counters.set(COUNT_NAT_LIVE, node.table.live)
    this.#counters.set(COUNT_NAT_ALONE, node.counts.alone)
    this.#counters.set(COUNT_NAT_COPIES_REFUSED, node.counts.copiesRefused)
    this.#counters.set(COUNT_NAT_RETRANSMITS, node.retransmitCount)
    for (const shard of node.shards()) {
      const port = this.tables.ports.findEni(shard.eniHigh, shard.eniLow)
      if (port !== 0) this.#counters.setNat(port, shard.counts)
    }
  }

  // ------------------------------------------------------------------------------------- control

  #take (message: ControlMessage): void {
    this.#isDirty = true
    switch (message.kind) {
      case 'tables': this.#applyTables(message); break
      case 'open-port': this.#openPort(message); break
      case 'open-services':
        this.#openServices(message.namespacePath, message.deviceName)
        break
      case 'open-uplink': this.#openUplink(message.namespacePath, message.deviceName); break
      case 'open-ike': this.#openIke(message.namespacePath, message.deviceName); break
      case 'open-inside':
        this.#openInside(message.tunnel, message.namespacePath, message.deviceName)
        break
      case 'close-inside': this.#closeInside(message.tunnel); break
      case 'esp-install': case 'esp-remove': case 'esp-select': case 'esp-permit':
      case 'ike-listen': {
        const warning = this.router.vpn?.tunnels.apply(message) ?? null
        if (warning !== null) this.#link.post({ kind: 'warning', message: warning })
        break
      }
      case 'wire-key': this.#setKey(message); break
      case 'wire-key-end': this.#nic.endKey(message.id); break
      case 'close-port': this.#closePort(message.portIndex); break
      case 'resolved':
        this.tables.applyResolved(message.key, message.entries)
        this.router.parking.resolved(message.key)
        break
      case 'wire-mode':
        this.#nic.setWireMode(message.mode)
        this.router.vpn?.tunnels.esp.setWireMode(message.mode)
        break
      case 'capture': this.router.configureTap(message, this.#machineNs); break
      case 'flow-records':
        this.router.configureFlowRecords(message)
        this.#readWallClock()
        break
      case 'stop': this.#isStopping = true; break
    }
  }

  #applyTables (update: TableUpdate): void {
    for (const host of update.hosts ?? []) this.#setPeer(host)
    this.tables.apply(update, (portIndex) => {
      this.#counters.clearPort(portIndex)
      const { flowPort, kind } = this.tables.ports
      if (flowPort[portIndex] < 0 && kind[portIndex] === PORT_KIND_ENI) {
        this.#counters.add(COUNT_FLOW_PORTS_FULL, 1)
      }
    })
    for (const impairments of update.impairments ?? []) this.#impair(impairments)
    this.#counters.add(COUNT_TABLE_UPDATES, 1)
    this.#link.post({ kind: 'applied', revision: update.revision })
  }

  /** What waits for an impairment that ends goes on in the same pass. */
  #impair (data: ImpairmentsData): void {
    const { router, tables } = this
    const nic = this.#nic
    router.impairments ??= new Impairments({
      bytes: router.bytes, view: router.view, tx: nic.tx,
      tables, counters: this.#counters, transmit: router.transmit,
      scratchAt: nic.scratchAt + impairOffset(TX_MAX),
      gatherRun: (run, at, bytesMax) => nic.gatherRun(run, at, bytesMax),
      receive: (rx) => { router.receiveBurst(rx, 1) }
    })
    router.impairments.nowMs = this.#clock.monotonicMs() - this.#startMs
    router.impairments.configure(data)
  }

  #setPeer (host: HostData): void {
    const address = formatAddress(host.underlayAddress)
    try {
      this.#nic.setPeer(host.hostIndex, address, GENEVE_UDP_PORT)
    } catch (error) {
      this.#link.post({ kind: 'warning',
        message: `Cannot reach host ${address}: ${messageOf(error)}` })
    }
  }

  #setKey ({ id, peer, direction, key }: Extract<WireKeyMessage, { kind: 'wire-key' }>): void {
    try {
      this.#nic.setKey(id, peer, direction, key)
      this.#link.post({ kind: 'wire-key-set', id, direction })
    } catch (error) {
      this.#link.post({ kind: 'warning', message: messageOf(error) })
    }
  }

  #openPort ({ portIndex, device, namespacePath, deviceName }: OpenPortMessage): void {
    this.#closePort(portIndex)
    try {
      const isEthernet = device === 'tap'
      const nicPort = isEthernet
        ? this.#nic.openTap(namespacePath, deviceName, this.#linkAddresses(portIndex))
        : this.#nic.openTun(namespacePath, deviceName, true)
      this.tables.ports.setNicPort(portIndex, nicPort, isEthernet)
      this.#link.post({ kind: 'port-opened', portIndex })
    } catch (error) {
      this.#link.post({ kind: 'port-failed', portIndex, error: messageOf(error) })
    }
  }

  /** MAC of the ENI, MAC of its router. */
  #linkAddresses (portIndex: number): Uint8Array {
    const { ports, subnets } = this.tables
    const addresses = new Uint8Array(2 * ETHERNET_ADDRESS_BYTES)
    writeEniMac(addresses, 0, ports, portIndex)
    writeRouterMac(addresses, ETHERNET_ADDRESS_BYTES, subnets.get(ports.subnetIndex[portIndex]))
    return addresses
  }

  #openServices (namespacePath: string, deviceName: string): void {
    this.#closeServices()
    try {
      this.router.services.nicPort = this.#nic.openTun(namespacePath, deviceName)
      this.#link.post({ kind: 'services-opened' })
    } catch (error) {
      this.#link.post({ kind: 'services-failed', error: messageOf(error) })
    }
  }

  #closeServices (): void {
    const { services } = this.router
    if (services.nicPort !== 0) this.#nic.closeTun(services.nicPort)
    services.nicPort = 0
  }

  #closePort (portIndex: number): void {
    const nicPort = this.tables.ports.nicPort[portIndex]
    if (nicPort === 0) return
    this.tables.ports.setNicPort(portIndex, 0)
    this.#nic.closeTun(nicPort)
  }

  #openUplink (namespacePath: string, deviceName: string): void {
    this.#closeUplink()
    try {
      this.tables.uplinkNicPort = this.#nic.openTun(namespacePath, deviceName)
      this.#link.post({ kind: 'uplink-opened' })
    } catch (error) {
      this.#link.post({ kind: 'uplink-failed', error: messageOf(error) })
    }
  }

  #closeUplink (): void {
    if (this.tables.uplinkNicPort === 0) return
    this.#nic.closeTun(this.tables.uplinkNicPort)
    this.tables.uplinkNicPort = 0
  }

  #openIke (namespacePath: string, deviceName: string): void {
    const { vpn } = this.router
    if (vpn === null) return
    if (vpn.ikeNicPort !== 0) this.#nic.closeTun(vpn.ikeNicPort)
    vpn.ikeNicPort = this.#openTun(namespacePath, deviceName)
    vpn.tunnels.silence()
  }

  #openInside (tunnel: number, namespacePath: string, deviceName: string): void {
    this.#closeInside(tunnel)
    this.router.vpn?.setInside(tunnel, this.#openTun(namespacePath, deviceName))
  }

  #closeInside (tunnel: number): void {
    const nicPort = this.router.vpn?.setInside(tunnel, 0) ?? 0
    if (nicPort !== 0) this.#nic.closeTun(nicPort)
  }

  /** @returns the port of the NIC; 0, with a warning, when the device cannot be opened */
  #openTun (namespacePath: string, deviceName: string): number {
    try {
      return this.#nic.openTun(namespacePath, deviceName)
    } catch (error) {
      this.#link.post({ kind: 'warning',
        message: `Cannot open ${deviceName} of ${namespacePath}: ${messageOf(error)}` })
      return 0
    }
  }

  #takeFailure (nicPort: number, error: string): void {
    const { vpn } = this.router
    const tunnel = vpn?.tunnelInside(nicPort) ?? 0
    if (vpn !== null && (nicPort === vpn.ikeNicPort || tunnel !== 0)) {
      if (error !== DEVICE_GONE) return
      if (tunnel !== 0) this.#closeInside(tunnel)
      else {
        this.#nic.closeTun(nicPort)
        vpn.ikeNicPort = 0
      }
      return
    }
    if (nicPort === this.router.services.nicPort) {
      if (error === DEVICE_GONE) this.#closeServices()
      this.#link.post({ kind: 'services-failed', error })
      return
    }
    if (nicPort === this.tables.uplinkNicPort) {
      if (error === DEVICE_GONE) this.#closeUplink()
      this.#link.post({ kind: 'uplink-failed', error })
      return
    }
    const portIndex = this.tables.ports.portOfNic[nicPort]
    if (portIndex === 0) return
    if (error === DEVICE_GONE) this.#closePort(portIndex)
    this.#link.post({ kind: 'port-failed', portIndex, error })
  }
}

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
