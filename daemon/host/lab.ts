/**
 * One lab on one machine: the underlay, an agent per host of the machine, and what watches over
 * them. A lab may be on several machines, with a daemon each (store/members.ts).
 *
 *     Replica ── commits ──▶ Directory ──▶ agents        (always in this order)
 *     NamespaceMonitor ── names ──▶ topology | agents    what somebody changed by hand
 *     CaptureWatch ── packet sockets ──▶ agents          wire mode
 *
 * Without hosts (`--hosts 0`) a lab is its API alone: nothing here touches the machine, and every
 * revision counts as applied at once.
 */
import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { VpclabError } from '../base/errors.ts'
import { portMtu } from '../compile/port_table.ts'
import { HyperplaneController } from '../hyperplane/controller.ts'
import { Directory } from '../mapping/directory.ts'
import { changesField } from '../model/commit_feed.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import { planInstanceReached, planReapTerminated } from '../model/instance_agent.ts'
import {
  isEdge, isEncrypted, isLost, planHostLiveness, planMachineLiveness
} from '../model/lab.ts'
import { planNatGatewayTimers } from '../model/nat_gateway_address.ts'
import { planVpnTimers } from '../model/vpn_connection.ts'
import type { Host, Machine } from '../model/lab.ts'
import { planReapPeerings } from '../model/vpc_peering_plan.ts'
import type { Log } from '../observe/log.ts'
import { ServicesLink } from '../services/link.ts'
import type { Members } from '../store/members.ts'
import type { Replica } from '../store/replica.ts'
import { HostAgent } from './agent.ts'
import type { HostAgentOptions } from './agent.ts'
import { CaptureWatch } from './capture_watch.ts'
import type { ThreadReserve } from './dataplane_carrier.ts'
import { ensureInternet } from './internet.ts'
import { guestIds, releaseGuest } from './instance_guest.ts'
import { RECONCILES_MAX, SETTLE_MS } from './instance_reconciler.ts'
import { layerIds, removeLayer } from './instance_root.ts'
import type { Identity } from './key_agreement.ts'
import { Limiter } from './limiter.ts'
import { ensureMachineLink } from './machine_link.ts'
import { NamespaceMonitor } from './namespace_monitor.ts'
import {
  instanceLogPath, internetNamespace, namespaceName, namespacePath, routerNamespace,
  underlayNamespace
} from './paths.ts'
import { PublicServices } from './public_services.ts'
import { ensureRealUplink, removeRealUplink } from './real_uplink.ts'
import { SERVICE_DEVICE, ensureServiceNamespace, serviceNamespace } from './service_namespace.ts'
import { namespacesOf, removeNamespaces } from './teardown.ts'
import { ensureTopology } from './topology.ts'
import { UnderlayKeys } from './underlay_keys.ts'
import { VpnEdges } from './vpn_edges.ts'
import type { DesiredHost } from './topology_plan.ts'

/** How often it is looked for what time has come for: records of the past, drained addresses. */
const REAP_INTERVAL_MS = 10_000
/** How long a reset waits for the namespaces of the lab's instances to go. */
export const RESET_MS_MAX = 120_000
/** Callers of waitApplied at once; more is refused. */
export const WAITERS_MAX = 1000

const INSTANCE_ID_PATTERN = /^i-[0-9a-f]{8,17}$/

export interface LabOptions {
  readonly lab: string
  readonly replica: Replica
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly uplink: 'lab' | 'real'
  /** Resolvers that names which the lab does not know are asked of; empty: none are. */
  readonly forwarders: readonly string[]
  readonly spinUs: number
  /** Conversations that each host remembers. */
  readonly flowCapacity: number
  /** Fills an emptied lab with what every lab begins with; returns the revision of the last one. */
  readonly fill: () => Promise<number>
  /** This machine and the others, in a lab of several; null: the lab is on this one alone. */
  readonly cluster: Cluster | null
  /** Private key of a certificate, PEM; null where there is none. */
  readonly keyOf: (certificateId: string) => string | null
  /** In which data planes run. */
  readonly threads: ThreadReserve
  /** By what a host proves to others who it is. */
  readonly identityOf: (host: string) => Promise<Identity>
}

export interface Cluster {
  readonly machine: Machine
  readonly members: Members
}

/** What is known of one machine of the lab. */
export interface MachineView {
  readonly name: string
  readonly address: string
  /** Whether it is the one that this daemon runs on. */
  readonly isThis: boolean
  /** Its daemon has been silent for LEASE_SECONDS. */
  readonly isLost: boolean
  readonly hosts: readonly string[]
  /** Newest revision that all its hosts have applied; null while it is lost or starts. */
  readonly appliedRevision: number | null
}

interface Waiter {
  readonly revision: number
  readonly resolve: (revision: number) => void
}

export class Lab {
  readonly name: string
  readonly directory: Directory
  readonly hyperplane: HyperplaneController
  readonly #options: LabOptions
  readonly #limiter = new Limiter(RECONCILES_MAX)
  readonly #monitor: NamespaceMonitor
  readonly #capture: CaptureWatch
  readonly #services: ServicesLink
  readonly publicServices: PublicServices
  readonly vpn: VpnEdges
  readonly underlayKeys: UnderlayKeys
  #agents: readonly HostAgent[] = []
  /** Hosts whose services are to be opened again. */
  readonly #servicesFailed = new Set<HostAgent>()
  #waiters: Waiter[] = []
  readonly #appliedListeners = new Set<() => void>()
  #repairTimer: NodeJS.Timeout | undefined
  #repairing = false
  #reaper: NodeJS.Timeout | undefined
  #stopped = false

  constructor (options: LabOptions) {
    const { lab, replica, log } = options
    this.name = lab
    this.#options = options
    this.directory = new Directory(replica.snapshot, {
      clock: options.clock,
      onRefused: (host, vpc) => {
        log.warn({ host, vpc }, 'a host asked for a mapping of a VPC that it holds nothing of')
      }
    })
    this.#monitor = new NamespaceMonitor({
      lab,
      log,
      onChange: (name) => { this.#onNamespaceChange(name) },
      onGap: () => { this.#onMonitorGap() }
    })
    this.#capture = new CaptureWatch({
      log,
      namespaces: () => [underlayNamespace(lab), ...this.#agents.map((agent) => agent.namespace)],
      onChange: (capturing) => {
        for (const agent of this.#agents) agent.setWireMode(capturing ? 'per-packet' : 'offload')
      }
    })
    this.hyperplane = new HyperplaneController({ replica, log })
    this.publicServices = new PublicServices(options.clock, (error) => {
      log.warn({ err: error }, 'a public service failed')
    })
    this.vpn = new VpnEdges(
      { lab, replica, clock: options.clock, log, agents: () => this.#agents, keyOf: options.keyOf })
    this.underlayKeys = new UnderlayKeys({
      ledger: replica, clock: options.clock, log, identityOf: options.identityOf,
      agents: () => this.#agents.filter(({ host }) => isEncrypted(host))
    })
    this.#services = new ServicesLink({
      snapshot: () => replica.snapshot,
      directory: this.directory,
      hosts: () => this.#agents.map(({ host, compiler }) => ({
        name: host.id, mtu: portMtu(host), portOf: (eni) => compiler.portOf(eni)
      })),
      log,
      random: options.random,
      forwarders: options.forwarders,
      hasPublicServices: () =>
        edgesOf([...replica.snapshot.tables.host.values()]).length > 0,
      onApplied: () => { this.#onApplied() }
    })
    replica.onCommit((revision, changes) => { this.#onCommit(revision, changes) })
  }

  get agents (): readonly HostAgent[] { return this.#agents }

  /** Newest revision that every agent has applied, on all machines that are heard of. */
  get appliedRevision (): number {
    const { cluster } = this.#options
    return Math.min(this.#appliedHere, ...cluster?.members.applied.values() ?? [])
  }

  get #appliedHere (): number {
    let applied = this.#options.replica.snapshot.revision
    for (const agent of this.#agents) applied = Math.min(applied, agent.appliedRevision)
    const posted = this.#services.oldestPostedRevision
    return posted === null ? applied : Math.min(applied, posted - 1)
  }

  /**
   * Builds or mends the underlay and starts the agents. What runs in the instances goes on.
   * @throws VpclabError VPCLAB_ERR_COMMAND, VPCLAB_ERR_AGENT
   */
  async start (): Promise<void> {
    const hosts = this.#hosts()
    if (hosts.length > 0) await this.#startHosts(hosts)
    this.#options.cluster?.members.onChange(() => { void this.#noteMachines() })
    this.#options.cluster?.members.onApplied(() => { this.#onApplied() })
    void this.#noteMachines()
    this.#reaper = setInterval(() => { void this.#reap() }, REAP_INTERVAL_MS)
  }

  async #startHosts (hosts: readonly Host[]): Promise<void> {
    const { lab, replica, clock, log, spinUs, flowCapacity, threads } = this.#options
    const repair = await ensureTopology(lab, this.#desiredHosts(hosts))
    const lineCount = repair.lineCount + await this.#ensureMachineLink()
    log.info({ hosts: hosts.length, lines: lineCount }, 'the underlay is up')
    await this.#ensureInternet(hosts)
    await this.#removeStrays()
    await this.#monitor.start()
    await this.#watchHosts(hosts)
    this.#agents = hosts.map((host) => new HostAgent({
      lab,
      host,
      ledger: replica,
      directory: this.directory,
      clock,
      log,
      spinUs,
      flowCapacity,
      limiter: this.#limiter,
      threads,
      monitor: this.#monitor,
      uplinkNamespace: routerNamespace(lab),
      onApplied: () => { this.#onApplied() },
      onServicesFailed: () => { this.#onServicesFailed(host.id) },
      onDown: (host, isDown) => {
        this.hyperplane.noteNode(host, isDown)
        this.vpn.noteEdge(host, isDown)
        void this.#noteLiveness(host, isDown)
      },
      onEspMapping: (host, mapping) => { this.vpn.mapped(host, mapping) },
      ...isEncrypted(host) ? this.#keyEvents : {},
      onCopyComplete: (host, eni, epoch) => { this.hyperplane.copyIsComplete(host, eni, epoch) }
    }))
    if (hosts.some(isEncrypted)) this.underlayKeys.start()
    await Promise.all(this.#agents.map(async (agent) => { await agent.start() }))
    this.#services.start() // with the indices that the agents have given out
    await Promise.all(this.#agents.map(async (agent) => { await this.#openServices(agent) }))
    if (edgesOf(hosts).length > 0) {
      this.hyperplane.begin()
      this.vpn.begin()
    }
    this.#capture.start()
  }

  /** What an agent tells whose host encrypts. */
  get #keyEvents (): Pick<HostAgentOptions, 'onReady' | 'onWireKeySet'> {
    return {
      onReady: (host) => { this.underlayKeys.begin(host) },
      onWireKeySet: (host, id, direction) => { this.underlayKeys.set(host, id, direction) }
    }
  }

  /** Stops the agents. Namespaces, devices, processes of the instances and flow state stay. */
  async stop (): Promise<void> {
    this.#stopped = true
    clearInterval(this.#reaper)
    clearTimeout(this.#repairTimer)
    this.#capture.stop()
    this.#monitor.stop()
    this.publicServices.close()
    await this.vpn.stop()
    await this.underlayKeys.stop()
    await this.#services.stop()
    await Promise.all(this.#agents.map(async (agent) => { await agent.stop() }))
  }

  /** What is known of each machine, in a lab of several. */
  machines (): MachineView[] {
    const { replica, cluster } = this.#options
    if (cluster === null) return []
    const { machine: machines, host: hosts } = replica.snapshot.tables
    return [...machines.values()].map(({ id: name, address, isLost = false }) => {
      const isThis = name === cluster.machine.id
      const applied = cluster.members.applied.get(name) ?? null
      return {
        name, address, isThis, isLost,
        hosts: [...hosts.values()].filter(({ machine }) => machine === name).map(({ id }) => id),
        appliedRevision: isThis ? this.#appliedHere : applied
      }
    })
  }

  /** Calls the listener whenever the applied revision of a host may have moved. */
  onApplied (listener: () => void): { close(): void } {
    this.#appliedListeners.add(listener)
    return { close: () => { this.#appliedListeners.delete(listener) } }
  }

  /**
   * Resolves when every agent has applied the revision.
   * @returns the applied revision
   * @throws VpclabError VPCLAB_ERR_TIMEOUT naming the hosts that are behind
   */
  async waitApplied (revision: number, timeoutMs: number): Promise<number> {
    if (this.appliedRevision >= revision) return this.appliedRevision
    if (this.#waiters.length >= WAITERS_MAX) {
      throw new VpclabError('VPCLAB_ERR_TIMEOUT',
        `${String(WAITERS_MAX)} callers already wait for a revision`)
    }
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter)
        reject(new VpclabError('VPCLAB_ERR_TIMEOUT', `Revision ${String(revision)} has not been ` +
          `applied within ${String(timeoutMs)} ms: ${this.#whoIsBehind(revision)}`))
      }, timeoutMs)
      const waiter: Waiter = {
        revision,
        resolve: (applied) => {
          clearTimeout(timer)
          resolve(applied)
        }
      }
      this.#waiters.push(waiter)
    })
  }

  #whoIsBehind (revision: number): string {
    const stored = this.#options.replica.snapshot.revision
    if (stored < revision) return `the store itself is at ${String(stored)}`
    const behind = this.#agents.filter((agent) => agent.appliedRevision < revision)
      .map((agent) => `${agent.host.id} is at ${String(agent.appliedRevision)}`)
    const elsewhere = [...this.#options.cluster?.members.applied ?? []]
      .filter(([, applied]) => applied < revision)
      .map(([machine, applied]) => `the machine ${machine} is at ${String(applied)}`)
    return [...behind, ...elsewhere].join(', ')
  }

  /**
   * Empties the lab of everything but its hosts: one transaction, then the agents clear away what
   * the records no longer name. Resolves when that is done.
   * @throws VpclabError VPCLAB_ERR_TIMEOUT
   */
  async reset (): Promise<{ revision: number, removed: number }> {
    const { replica, log } = this.#options
    const instances = [...replica.snapshot.tables.instance.values()]
      .filter((instance) => instance.hostName !== null).map((instance) => instance.id)
    const answer = await replica.resetRecords()
    await this.#settled(instances)
    if (instances.length > 0) {
      rmSync(dirname(instanceLogPath(this.name, '')), { recursive: true, force: true })
    }
    const revision = Math.max(answer.revision, await this.#options.fill())
    log.info({ revision, removed: answer.removed, instances: instances.length },
      'the lab was reset')
    return { revision, removed: answer.removed }
  }

  /** @throws VpclabError VPCLAB_ERR_TIMEOUT */
  async #settled (instances: readonly string[]): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new VpclabError('VPCLAB_ERR_TIMEOUT',
          `Namespaces of the lab's instances are still there after ${String(RESET_MS_MAX)} ms`))
      }, RESET_MS_MAX)
    })
    const settled =
      Promise.all(this.#agents.map(async (agent) => { await agent.reconciler.settled(instances) }))
    await Promise.race([settled, tooLate]).finally(() => { clearTimeout(timer) })
  }

  #onCommit (revision: number, changes: readonly AppliedChange[]): void {
    this.directory.apply(revision, changes)
    this.#removeLayers(changes)
    for (const agent of this.#agents) agent.onCommit(revision, changes)
    this.hyperplane.onCommit(changes)
    this.vpn.onCommit(changes)
    this.underlayKeys.onCommit(changes)
    this.#services.onCommit(revision, changes)
    if (changes.some(isNewWay)) this.#scheduleRepair()
    this.#onApplied()
  }

  /** A stopped instance is on no host: when it goes, nobody else removes what it wrote. */
  #removeLayers (changes: readonly AppliedChange[]): void {
    for (const change of changes) {
      if (change.noun !== 'instance' || change.previous?.hostName !== null) continue
      if (change.record !== null && change.record.state !== 'terminated') continue
      removeLayer(this.name, change.id).catch((error: unknown) => {
        this.#options.log.error({ err: error, instance: change.id }, 'a layer cannot be removed')
      })
    }
  }

  #onApplied (): void {
    this.#options.cluster?.members.publish(this.#appliedHere)
    for (const listener of this.#appliedListeners) listener()
    if (this.#waiters.length === 0) return
    const applied = this.appliedRevision
    const due = this.#waiters.filter((waiter) => waiter.revision <= applied)
    if (due.length === 0) return
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > applied)
    for (const waiter of due) waiter.resolve(applied)
  }

  #onNamespaceChange (namespace: string): void {
    if (this.#stopped) return
    const name = namespace.slice(this.name.length + 1)
    if (INSTANCE_ID_PATTERN.test(name)) {
      for (const agent of this.#agents) agent.reconciler.onNamespaceChange(name)
    } else this.#scheduleRepair()
  }

  #onMonitorGap (): void {
    this.#scheduleRepair()
    for (const agent of this.#agents) agent.reconciler.reconcileAll()
  }

  #scheduleRepair (): void {
    if (!this.#stopped) this.#repairTimer ??= setTimeout(() => { void this.#repair() }, SETTLE_MS)
  }

  /** Somebody touched the underlay. */
  async #repair (): Promise<void> {
    this.#repairTimer = undefined
    if (this.#repairing) {
      this.#scheduleRepair()
      return
    }
    this.#repairing = true
    const { lab, log } = this.#options
    const hosts = this.#hosts()
    try {
      const repair = await ensureTopology(lab, this.#desiredHosts(hosts))
      const { createdHosts } = repair
      const lineCount = repair.lineCount + await this.#ensureMachineLink() +
        await this.#ensureInternet(hosts)
      if (lineCount > 0) this.vpn.reconcile()
      if (lineCount > 0) log.warn({ lines: lineCount, createdHosts }, 'mended the underlay')
      for (const host of repair.createdHosts) this.#monitor.forget(namespaceName(lab, host))
      if (repair.underlayCreated) await this.#monitor.restart()
      await this.#watchHosts(hosts)
      if (repair.underlayCreated || repair.createdHosts.length > 0) this.#capture.reopen()
      for (const agent of this.#agents) {
        if (repair.createdHosts.includes(agent.host.id)) await agent.restartWorker()
        if (this.#servicesFailed.delete(agent)) await this.#openServices(agent)
      }
    } catch (error) {
      log.error({ err: error }, 'the underlay could not be mended')
    } finally {
      this.#repairing = false
    }
  }

  /** Hosts of this machine. */
  #hosts (): Host[] {
    const { replica, cluster } = this.#options
    return [...replica.snapshot.tables.host.values()]
      .filter(({ machine }) => machine === cluster?.machine.id)
  }

  #desiredHosts (hosts: readonly Host[]): DesiredHost[] {
    const machine = this.#options.cluster?.machine.number ?? 0
    return hosts.map(({ id: name, underlayAddress, underlayMtu }) =>
      ({ name, underlayAddress, underlayMtu, machine }))
  }

  /** @returns how many lines of `ip` ran */
  async #ensureMachineLink (): Promise<number> {
    const { lab, replica, cluster } = this.#options
    const [first] = this.#hosts()
    if (cluster === null || first === undefined) return 0
    const others = [...replica.snapshot.tables.machine.values()]
      .filter(({ id }) => id !== cluster.machine.id)
    return await ensureMachineLink(lab, cluster.machine, others, first.underlayMtu)
  }

  /**
   * The leader notes which machines are not heard of, and ends, in the records, what is to end
   * there: they cannot say that it has.
   */
  async #noteMachines (): Promise<void> {
    const { replica, cluster, clock, log } = this.#options
    if (this.#stopped || cluster?.members.isLeader !== true) return
    const { members } = cluster
    try {
      await replica.transact(() =>
        planMachineLiveness(replica.snapshot, (machine) => members.isHeard(machine)))
      const { snapshot } = replica
      for (const { id, hostName, state } of snapshot.tables.instance.values()) {
        const host = snapshot.tables.host.get(hostName ?? '')
        const reached = state === 'stopping' ? 'stopped' as const : 'terminated' as const
        if (state !== 'stopping' && state !== 'shutting-down') continue
        if (host === undefined || !isLost(snapshot, host)) continue
        await replica.transact(() =>
          planInstanceReached(snapshot, host.id, id, reached, { nowMs: clock.nowMs() }))
      }
    } catch (error) {
      log.error({ err: error }, 'what became of lost machines could not be noted')
    }
  }

  #onServicesFailed (hostName: string): void {
    const agent = this.#agents.find(({ host }) => host.id === hostName)
    if (agent !== undefined) this.#servicesFailed.add(agent)
    this.#scheduleRepair()
  }

  /**
   * Makes or mends the namespace of a host's services, and both ends of their TUN. Where no
   * instance can be, nobody asks.
   */
  async #openServices (agent: HostAgent): Promise<void> {
    const { lab } = this.#options
    const { host } = agent
    if (!host.roles.includes('compute')) return
    await ensureServiceNamespace(lab, host.id, portMtu(host))
    const path = namespacePath(serviceNamespace(lab, host.id))
    await this.#services.openHost(host.id, path)
    agent.openServices(path, SERVICE_DEVICE)
  }

  /** Lets everybody know that an edge is not to be sent to, or is again. */
  async #noteLiveness (host: string, isDown: boolean): Promise<void> {
    if (this.#stopped) return
    const { replica, log } = this.#options
    try {
      await replica.transact(() => planHostLiveness(replica.snapshot, host, isDown))
    } catch (error) {
      log.error({ err: error, host, isDown }, 'the state of an edge could not be noted')
    }
  }

  /** @returns how many lines of `ip` ran */
  async #ensureInternet (hosts: readonly Host[]): Promise<number> {
    const { lab, uplink } = this.#options
    const lineCount = await ensureInternet(lab, edgesOf(hosts))
    if (edgesOf(hosts).length > 0) {
      this.publicServices.ensure(namespacePath(routerNamespace(lab)))
    }
    if (uplink === 'real') await ensureRealUplink(lab)
    else await removeRealUplink(lab)
    return lineCount
  }

  async #watchHosts (hosts: readonly Host[]): Promise<void> {
    for (const host of hosts) await this.#monitor.watch(namespaceName(this.name, host.id))
    if (edgesOf(hosts).length === 0) return
    for (const namespace of [internetNamespace(this.name), routerNamespace(this.name)]) {
      await this.#monitor.watch(namespace)
    }
  }

  /** Guests, layers and namespaces that a crash left and no record names any more. */
  async #removeStrays (): Promise<void> {
    const { lab, replica, log } = this.#options
    const { instance: instances } = replica.snapshot.tables
    const here = new Set(this.#hosts().map(({ id }) => id))
    const isStray = (id: string): boolean => !here.has(instances.get(id)?.hostName ?? '')
    for (const id of guestIds(lab)) if (isStray(id)) await releaseGuest(lab, id)
    for (const id of layerIds(lab)) {
      const state = instances.get(id)?.state ?? 'terminated'
      if (state === 'terminated') await removeLayer(lab, id)
    }
    const strays = namespacesOf(lab).filter((namespace) => {
      const id = namespace.slice(lab.length + 1)
      return INSTANCE_ID_PATTERN.test(id) && isStray(id)
    })
    if (strays.length === 0) return
    await removeNamespaces(strays)
    log.warn({ count: strays.length }, 'removed namespaces that no instance record names')
  }

  async #reap (): Promise<void> {
    await this.#noteMachines()
    const { replica, clock, log } = this.#options
    try {
      const context = { nowMs: clock.nowMs() }
      await replica.transact(() => planReapTerminated(replica.snapshot, context))
      await replica.transact(() => planNatGatewayTimers(replica.snapshot, context))
      await replica.transact(() => planReapPeerings(replica.snapshot, context.nowMs))
      await replica.transact(() => planVpnTimers(replica.snapshot, context))
    } catch (error) {
      log.error({ err: error }, 'what time has come for could not be done')
    }
  }
}

/** Whether another machine is reached in another way than before. */
function isNewWay (change: AppliedChange): boolean {
  return change.noun === 'machine' && changesField<'machine'>(change, ['number', 'address'])
}

function edgesOf (hosts: readonly Host[]): string[] {
  return hosts.filter(isEdge).map(({ id }) => id)
}
