/**
 * The host agent: the per-host half of the daemon. It turns commits into tables for its data plane
 * worker, keeps the namespaces of its instances in line, and knows which revision both have
 * reached.
 *
 *     commit ──┬─▶ HostCompiler ──▶ DataplaneLink ──▶ worker ──▶ applied ──┐
 *              └─▶ InstanceReconciler ──▶ namespaces ──▶ converged ────────┴─▶ appliedRevision
 *                          └── open port ──▶ DataplaneLink
 *
 * A revision is applied when the worker has swapped its tables in and every running instance of the
 * host has been brought in line with it. Nothing here waits for the store: with the control plane
 * gone the worker goes on with what it has.
 */
import { rmSync } from 'node:fs'
import type { Clock } from '../base/clock.ts'
import { VpclabError } from '../base/errors.ts'
import { eniIdFromBits } from '../base/ids.ts'
import { HostCompiler } from '../compile/host_compiler.ts'
import type { CacheStatistics } from '../compile/host_compiler.ts'
import { portMtu } from '../compile/port_table.ts'
import { COUNTER_BYTES, readHeartbeat, readWorkerCounters } from '../dataplane/counters.ts'
import { FlowReader } from '../dataplane/flow_reader.ts'
import type { ProcessOptions } from '../dataplane/process.ts'
import { flowCapacity, flowFileBytes } from '../dataplane/tables/flow_layout.ts'
import type {
  CaptureMessage, ControlMessage, FlowRecordsMessage, PortDevice
} from '../dataplane/tables/update.ts'
import type { Directory } from '../mapping/directory.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import { isEdge, isEncrypted } from '../model/lab.ts'
import type { Host } from '../model/lab.ts'
import type { Ledger } from '../model/ledger.ts'
import type { Log } from '../observe/log.ts'
import type { EspMapping } from '../tun/esp.ts'
import type { EspMessage } from '../tun/esp_tunnels.ts'
import { WIRE_STATISTICS_BYTES } from '../tun/wire_key.ts'
import type { WireKeyMessage } from '../tun/wire_key.ts'
import { fileRegion, mapSharedFile, threadRegion } from '../tun/shared_memory.ts'
import type { SharedMemory, SharedRegion } from '../tun/shared_memory.ts'
import { startProcess, startThread } from './dataplane_carrier.ts'
import type { Carrier, CarrierEvents, ThreadReserve } from './dataplane_carrier.ts'
import { DataplaneLink } from './dataplane_link.ts'
import { DropHistory } from './drop_history.ts'
import { HangWatch } from './hang_watch.ts'
import { InstanceReconciler } from './instance_reconciler.ts'
import type { Ports } from './instance_reconciler.ts'
import type { Limiter } from './limiter.ts'
import type { NamespaceMonitor } from './namespace_monitor.ts'
import {
  espFilePath, flowFilePath, natFilePath, namespaceName, namespacePath, sharedFilePath, wireFilePath
} from './paths.ts'
import { TableFeed } from './table_feed.ts'

/** How long an edge waits before it opens a lost uplink again. */
const UPLINK_RETRY_MS = 1000
const NO_WORDS = new Int32Array(0)

/** Flows of all resources that a HyperPlane node keeps, copies included; 160 bytes each. */
export const NAT_CAPACITY = 262_144

export type WireMode = 'offload' | 'per-packet'

/** What a data plane is told of VPN tunnels. A new worker knows nothing of it. */
export type VpnMessage = EspMessage |
  Extract<ControlMessage, { kind: 'open-ike' | 'open-inside' | 'close-inside' }>

type OpenServicesMessage = Extract<ControlMessage, { kind: 'open-services' }>

export interface HostAgentOptions {
  readonly lab: string
  readonly host: Host
  readonly ledger: Ledger
  readonly directory: Directory
  readonly clock: Clock
  readonly log: Log
  readonly limiter: Limiter
  readonly threads: ThreadReserve
  readonly monitor: NamespaceMonitor
  readonly spinUs: number
  /**
   * Conversations that the host is to remember (what happens beyond it:
   * dataplane/tables/flow_table.ts).
   */
  readonly flowCapacity: number
  /** appliedRevision may have moved. */
  readonly onApplied: () => void
  /** The device of the services went away. */
  readonly onServicesFailed: () => void
  /** An edge went down, or is up again. */
  readonly onDown?: (host: string, isDown: boolean) => void
  /** A HyperPlane node has complete copies of a resource's flows, as of an epoch. */
  readonly onCopyComplete?: (host: string, networkInterfaceId: string, epoch: number) => void
  /** A peer of a VPN tunnel sends from elsewhere than before. */
  readonly onEspMapping?: (host: string, mapping: EspMapping) => void
  /** A data plane runs that has no keys of the underlay. */
  readonly onReady?: (host: string) => void
  /** A data plane has taken a key of the underlay. */
  readonly onWireKeySet?: (host: string, id: number, direction: 'transmit' | 'receive') => void
  /** Namespace of the internet's router, where an edge has its uplink; null: there is none. */
  readonly uplinkNamespace?: string | null
}

export class HostAgent implements Ports {
  readonly host: Host
  readonly compiler: HostCompiler
  readonly reconciler: InstanceReconciler
  /** What the worker commits its counters to (dataplane/counters.ts). */
  readonly counters: ArrayBufferLike
  readonly drops: DropHistory
  readonly #options: HostAgentOptions
  readonly #log: Log
  readonly #link: DataplaneLink
  readonly #tables: TableFeed
  #wireMode: WireMode = 'offload'
  #capture: CaptureMessage | null = null
  #flowRecords: FlowRecordsMessage | null = null
  #services: OpenServicesMessage | null = null
  #flowReader: FlowReader | null = null
  #wireStatistics: Float64Array | null = null
  /** Files shared with a worker in another process: name → how often it was made. */
  readonly #shared = new Map<string, number>()
  readonly #hangWatch: HangWatch
  #isDown = false
  #uplinkTimer: NodeJS.Timeout | undefined

  constructor (options: HostAgentOptions) {
    const { lab, host, ledger, directory, clock, limiter, monitor } = options
    this.host = host
    this.#options = options
    this.#log = options.log.child({ host: host.id })
    const counters = this.share('counters', COUNTER_BYTES)
    this.counters = counters.buffer
    this.drops = new DropHistory(this.counters)
    this.#hangWatch = new HangWatch(() => readHeartbeat(this.counters), () => { this.#fence() })
    this.compiler =
      new HostCompiler({ hostName: host.id, snapshot: ledger.snapshot, directory, clock })
    this.reconciler = new InstanceReconciler({
      lab,
      hostName: host.id,
      instanceMtu: portMtu(host),
      ledger,
      clock,
      log: options.log,
      limiter,
      monitor,
      ports: this,
      onConverged: options.onApplied
    })
    this.#link = new DataplaneLink({
      log: this.#log,
      start: (events) => this.#startCarrier(counters.memory, events),
      onApplied: (revision) => {
        this.compiler.acknowledged(revision)
        this.#setDown(false)
        options.onApplied()
      },
      onEnd: () => { this.#setDown(true) },
      onPortFailed: (portIndex, error) => { this.#onPortFailed(portIndex, error) },
      onServicesFailed: (error) => {
        this.#log.warn({ error }, 'the device of the services is not open')
        options.onServicesFailed()
      },
      onUplinkFailed: (error) => { this.#onUplinkFailed(error) },
      onCopyComplete: ({ eniIdHigh, eniIdLow, epoch }) => {
        options.onCopyComplete?.(host.id, eniIdFromBits(eniIdHigh, eniIdLow), epoch)
      },
      onEspMapping: ({ index, address, port }) => {
        options.onEspMapping?.(host.id, { index, address, port })
      },
      onReady: () => { options.onReady?.(host.id) },
      onWireKeySet: ({ id, direction }) => { options.onWireKeySet?.(host.id, id, direction) },
      onResolve: ({ key }) => { this.#tables.resolve(key) },
      onSpawn: () => {
        this.#hangWatch.begin()
        this.#postEverything()
      }
    })
    this.#tables = new TableFeed({
      compiler: this.compiler, link: this.#link, revision: ledger.snapshot.revision,
      onUpdate: (update) => { this.drops.note(update) }
    })
  }

  /** Edges run in processes of their own, so that one can die and the others go on. */
  get #isProcess (): boolean { return !this.host.roles.includes('compute') }

  #startCarrier (counters: SharedMemory, events: CarrierEvents): Carrier {
    const { lab, spinUs } = this.#options
    const { host } = this
    const options: ProcessOptions = {
      hostIndex: this.compiler.indexOfHost(host.id),
      underlayNamespacePath: namespacePath(this.namespace),
      underlayAddress: host.underlayAddress,
      underlayMtu: host.underlayMtu,
      spinUs,
      flowFilePath: flowFilePath(lab, host.id),
      flowCapacity: this.#options.flowCapacity,
      nat: host.roles.includes('hyperplane')
        ? { filePath: natFilePath(lab, host.id), capacity: NAT_CAPACITY }
        : null,
      espFilePath: this.#isProcess && isEdge(host)
        ? espFilePath(lab, host.id) : null,
      wireFilePath: isEncrypted(host) ? wireFilePath(lab, host.id) : null,
      counters
    }
    return this.#isProcess ? startProcess(options, events, [lab, host.id])
      : startThread(options, events, this.#options.threads.take())
  }

  /**
   * Memory that the worker can map. Its content is zero; memory of that name that was given out
   * before is nobody's any more.
   */
  share (name: string, bytes: number): SharedRegion {
    if (!this.#isProcess) return threadRegion(bytes)
    const count = this.#shared.get(name) ?? 0
    this.#shared.set(name, count + 1)
    const path = (number: number): string =>
      sharedFilePath(this.#options.lab, this.host.id, `${name}-${String(number)}`)
    if (count > 0) rmSync(path(count - 1), { force: true })
    rmSync(path(count), { force: true })
    return fileRegion(path(count), bytes)
  }

  /** Memory that `share` gave out is used no more: what still maps it keeps it. */
  unshare (memory: SharedMemory): void {
    if ('path' in memory) rmSync(memory.path, { force: true })
  }

  /** Process in which the data plane runs; null when it is a thread of this one, or down. */
  get pid (): number | null { return this.#link.pid }

  /** Tells, once, that others have to do without this host, or need not any more. */
  #setDown (isDown: boolean): void {
    if (!this.#isProcess || isDown === this.#isDown) return
    this.#isDown = isDown
    this.#options.onDown?.(this.host.id, isDown)
  }

  /** A process that hangs is ended first; then others hear that they have to do without it. */
  #fence (): void {
    this.#log.error({ pid: this.pid }, 'the data plane process hangs and is killed')
    void this.#link.kill()
  }

  get namespace (): string { return namespaceName(this.#options.lab, this.host.id) }
  /** Conversations that the host remembers at most. */
  get flowCapacity (): number { return flowCapacity(this.#options.flowCapacity) }
  get flowFile (): string { return flowFilePath(this.#options.lab, this.host.id) }
  /** The worker's flows; maps the same file, once. */
  get flowReader (): FlowReader {
    this.#flowReader ??= new FlowReader(
      mapSharedFile(this.flowFile, flowFileBytes(this.#options.flowCapacity)))
    return this.#flowReader
  }

  /** What passed between this host and each other one, encrypted; maps the file, once. */
  get wireStatistics (): Float64Array {
    this.#wireStatistics ??= new Float64Array(
      mapSharedFile(wireFilePath(this.#options.lab, this.host.id), WIRE_STATISTICS_BYTES))
    return this.#wireStatistics
  }

  get wireMode (): WireMode { return this.#wireMode }
  get features (): Readonly<Record<string, boolean>> { return this.#link.features }
  get openPortCount (): number { return this.#link.openPortCount }
  /** Whether the worker has the device of an ENI open. */
  isOpen (eni: string): boolean { return this.#link.isOpen(this.compiler.portOf(eni)) }
  get workerRestarts (): number { return this.#link.restarts }

  /** CPU time of the worker that runs now, µs; null while none does. */
  cpuUs (): Promise<number | null> { return this.#link.cpuUs() }

  /** Newest revision that is in force on this host. */
  get appliedRevision (): number {
    return Math.min(this.#tables.swappedRevision, this.reconciler.convergedRevision)
  }

  /**
   * Starts the worker with everything there is and takes up the instances. Resolves when the worker
   * runs; the instances follow.
   * @throws VpclabError VPCLAB_ERR_AGENT
   */
  async start (): Promise<void> {
    // Gives the host its index, which the worker is started with.
    this.compiler.compileAll()
    await this.#link.start()
    if (this.#isProcess) this.#hangWatch.start()
    this.reconciler.start()
  }

  /** Leaves namespaces, devices and flow state for the next daemon. */
  async stop (): Promise<void> {
    clearTimeout(this.#uplinkTimer)
    this.#hangWatch.stop()
    await this.reconciler.stop()
    await this.#link.stop()
  }

  /** Precondition: the snapshot and the directory hold this commit and no later one. */
  onCommit (revision: number, changes: readonly AppliedChange[]): void {
    this.#tables.onCommit(revision, changes)
    for (const { noun, id, record } of changes) {
      if (noun === 'networkInterface' && record === null) this.drops.forget(id)
    }
    this.reconciler.onCommit(revision, changes)
  }

  /**
   * For what no record of this agent says: tunnels of VPN connections (vpn_edges.ts), keys of the
   * underlay (underlay_keys.ts).
   */
  post (message: VpnMessage | WireKeyMessage): void { this.#link.post(message) }

  setWireMode (mode: WireMode): void {
    if (mode === this.#wireMode) return
    this.#wireMode = mode
    this.#link.post({ kind: 'wire-mode', mode })
    this.#log.info({ mode }, 'the wire mode changed')
  }

  /** What the worker is to capture from now on; null for nothing. */
  setCapture (message: CaptureMessage | null): void {
    this.#capture = message
    this.#link.post(message ??
      { kind: 'capture', epoch: 0, ring: null, snapBytes: 0, points: NO_WORDS, tunnels: NO_WORDS })
  }

  /** Where the TUN to the services is: opened now, and by every worker that starts. */
  openServices (path: string, deviceName: string): void {
    this.#services = { kind: 'open-services', namespacePath: path, deviceName }
    this.#link.post(this.#services)
  }

  /** Whose flows the worker is to record from now on, and where. */
  setFlowRecords (message: FlowRecordsMessage): void {
    this.#flowRecords = message
    this.#link.post(message)
  }

  async open (
    networkInterfaceId: string, device: PortDevice, fresh: boolean): Promise<void> {
    const portIndex = this.compiler.portOf(networkInterfaceId)
    if (portIndex === 0) {
      throw new VpclabError('VPCLAB_ERR_AGENT',
        `The data plane of ${this.host.id} has no port for ${networkInterfaceId}: ` +
        'the host has more interfaces than it has ports')
    }
    await this.#link.openPort(portIndex, device, fresh)
  }

  /** The host's namespace was made anew: the worker's sockets are in one that nobody reaches. */
  async restartWorker (): Promise<void> {
    await this.#link.kill()
  }

  /** With the packets that it has forwarded after ENIs that had moved. */
  cacheStatistics (): CacheStatistics & { readonly forwarded: number } {
    const { forwarded_packets: forwarded = 0 } = readWorkerCounters(this.counters)
    return { ...this.compiler.cacheStatistics(), forwarded }
  }

  #postEverything (): void {
    this.#tables.postEverything()
    this.#openUplink()
    this.#link.post({ kind: 'wire-mode', mode: this.#wireMode })
    if (this.#capture !== null) this.#link.post(this.#capture)
    if (this.#flowRecords !== null) this.#link.post(this.#flowRecords)
    if (this.#services !== null) this.#link.post(this.#services)
    void this.reconciler.takeUp()
  }

  #onPortFailed (portIndex: number, error: string): void {
    const eni = this.compiler.eniOfPort(portIndex)
    this.#log.warn({ eni, portIndex, error }, 'the device of an interface went away')
    if (eni === null) return
    const record = this.#options.ledger.snapshot.tables.networkInterface.get(eni)
    const instanceId = record?.attachment?.instanceId
    if (instanceId !== undefined) this.reconciler.onNamespaceChange(instanceId)
  }

  #openUplink (): void {
    const { uplinkNamespace = null } = this.#options
    if (uplinkNamespace === null || !isEdge(this.host)) return
    this.#link.post({
      kind: 'open-uplink', namespacePath: namespacePath(uplinkNamespace), deviceName: this.host.id
    })
  }

  #onUplinkFailed (error: string): void {
    this.#log.warn({ error }, 'the uplink to the internet is opened again')
    clearTimeout(this.#uplinkTimer)
    this.#uplinkTimer = setTimeout(() => { this.#openUplink() }, UPLINK_RETRY_MS)
  }
}
