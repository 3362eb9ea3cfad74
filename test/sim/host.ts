/**
 * A host: what of it outlives the daemon (its instances with their devices, its flow file), and the
 * worker of its data plane, which is the real loop over a NIC in memory.
 *
 *     DataplaneLink ── post, in order, delayed ──▶ Loop ──▶ underlay | device of an ENI
 *          ▲                                        │
 *          └──── applied, port-opened, resolve … ───┘
 */
import { Lab } from '../../daemon/dataplane/testing/lab.ts'
import type { Sent } from '../../daemon/dataplane/testing/memory_nic.ts'
import { flowFileBytes } from '../../daemon/dataplane/tables/flow_layout.ts'
import type { ControlMessage, TableUpdate } from '../../daemon/dataplane/tables/update.ts'
import type { Carrier, CarrierEvents } from '../../daemon/host/dataplane_carrier.ts'
import type { Host } from '../../daemon/model/lab.ts'
import { PORT_UNDERLAY } from '../../daemon/tun/descriptor.ts'
import { addressWords } from '../../daemon/wire/address.ts'
import type { Chance, Timeline } from './timeline.ts'

const FLOW_CAPACITY = 512
const PATH_MTU = 9001
const CONTROL_MS = 2
const START_MS = 30
/** How often a worker without packets looks at its timers. */
const TICK_MS = 500

/** What a worker puts on the underlay. */
export interface Datagram {
  readonly from: SimulatedHost
  readonly toAddress: string
  readonly bytes: Uint8Array
  readonly trafficClass: number
}

export interface HostEvents {
  readonly timeline: Timeline
  readonly chance: Chance
  /** Of a worker that is slow, hung or busy. */
  readonly controlDelayMs: () => number
  onDatagram(datagram: Datagram): void
  /** A packet reached a device of an instance that is there. */
  onDelivered(host: SimulatedHost, eniId: string, packet: Uint8Array): void
}

export class SimulatedHost {
  readonly record: Host
  readonly events: HostEvents
  readonly flowFile = new ArrayBuffer(flowFileBytes(FLOW_CAPACITY))
  /** Instances that exist here: id → their ENIs' devices. */
  readonly guests = new Map<string, Set<string>>()
  worker: SimulatedWorker | null = null

  constructor (record: Host, events: HostEvents) {
    this.record = record
    this.events = events
  }

  get name (): string { return this.record.id }

  hasDevice (path: string): boolean {
    const [instanceId = '', eniId = ''] = path.split('/')
    return this.guests.get(instanceId)?.has(eniId) === true
  }

  /** Instance and ENI of every device that a worker has open. */
  devices (): string[] {
    const open = [...this.worker?.lab.nic.devices.values() ?? []]
    return open.filter((path) => this.hasDevice(path)).sort()
  }
}

export class SimulatedWorker implements Carrier {
  readonly pid = null
  readonly lab: Lab
  /** Revision of the newest tables that it has swapped in. */
  revision = 0
  readonly #host: SimulatedHost
  readonly #events: CarrierEvents
  readonly #onTables: (update: TableUpdate) => void
  #isAlive = true
  /** When the newest message, either way, arrives: they keep their order. */
  #downMs = 0
  #upMs = 0

  /** @param onTables hears of each update that the worker takes */
  constructor (host: SimulatedHost, hostIndex: number, events: CarrierEvents,
    onTables: (update: TableUpdate) => void) {
    this.#host = host
    this.#events = events
    this.#onTables = onTables
    this.lab = new Lab({
      host: hostIndex, flowFile: host.flowFile, flowCapacity: FLOW_CAPACITY, pathMtu: PATH_MTU
    })
    host.worker = this
    const { timeline } = host.events
    timeline.after(START_MS, () => {
      if (this.#isAlive) this.#events.onMessage({ kind: 'ready', features: {} })
    })
    this.#tick()
  }

  post (message: ControlMessage): void {
    const { timeline, controlDelayMs } = this.#host.events
    const nowMs = timeline.monotonicMs()
    this.#downMs = Math.max(this.#downMs, nowMs + controlDelayMs())
    const copy = structuredClone(message)
    timeline.soon(this.#downMs - nowMs, () => { if (this.#isAlive) this.#receive(copy) })
  }

  cpuUs (): Promise<null> { return Promise.resolve(null) }

  /** Ends at once, as a thread does that fails. */
  async terminate (): Promise<void> {
    this.end()
    await Promise.resolve()
  }

  release (): void { /* nothing is held */ }

  /** @param isHeard whether control lives and is told */
  end (isHeard = true): void {
    if (!this.#isAlive) return
    this.#isAlive = false
    if (this.#host.worker === this) this.#host.worker = null
    if (isHeard) this.#host.events.timeline.after(CONTROL_MS, () => { this.#events.onExit() })
  }

  /** From a device of the host. */
  send (path: string, packet: Uint8Array): boolean {
    const open = [...this.lab.nic.devices].find(([, device]) => device === path)
    if (open === undefined) return false
    this.lab.nic.feed({ nicPort: open[0], packet })
    this.run()
    return true
  }

  /** From the underlay. */
  receive ({ from, bytes, trafficClass }: Datagram): void {
    this.lab.nic.feed({
      nicPort: PORT_UNDERLAY, packet: bytes, outerTrafficClass: trafficClass,
      source: addressWords(from.record.underlayAddress)
    })
    this.run()
  }

  run (): void {
    if (!this.#isAlive) return
    const { lab } = this
    lab.nowMs = this.#host.events.timeline.monotonicMs()
    lab.pass()
    for (const sent of lab.takeSent()) this.#carry(sent)
    const { timeline, chance } = this.#host.events
    for (const message of lab.fromWorker.splice(0)) {
      this.#upMs = Math.max(this.#upMs, lab.nowMs + chance.delayMs(CONTROL_MS))
      timeline.after(this.#upMs - lab.nowMs, () => {
        if (this.#isAlive) this.#events.onMessage(message)
      })
    }
  }

  #receive (message: ControlMessage): void {
    const { lab } = this
    if (message.kind === 'open-port' &&
      !this.#host.hasDevice(`${message.namespacePath}/${message.deviceName}`)) {
      lab.nic.openError = new Error('ENOENT')
    }
    lab.toWorker.push(message)
    if (message.kind === 'tables') {
      this.revision = message.revision
      this.#onTables(message)
    }
    this.run()
  }

  #carry (sent: Sent): void {
    const { nic } = this.lab
    if (sent.outer === null) {
      const path = nic.devices.get(sent.nicPort) ?? ''
      const eniId = path.slice(path.indexOf('/') + 1)
      if (this.#host.hasDevice(path)) {
        this.#host.events.onDelivered(this.#host, eniId, sent.packet)
      }
      return
    }
    this.#host.events.onDatagram({
      from: this.#host, toAddress: nic.peers.get(sent.outer.peer) ?? '',
      bytes: Uint8Array.from([...sent.outer.header, ...sent.packet]),
      trafficClass: sent.outer.trafficClass
    })
  }

  #tick (): void {
    this.#host.events.timeline.soon(TICK_MS, () => {
      if (!this.#isAlive) return
      this.run()
      this.#tick()
    })
  }
}
