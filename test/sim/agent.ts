/**
 * An agent: the real compiler, feed and link of a host's data plane; and what brings its instances
 * to where their records say, with devices that are names.
 */
import type { Clock } from '../../daemon/base/clock.ts'
import { VpclabError } from '../../daemon/base/errors.ts'
import { HostCompiler } from '../../daemon/compile/host_compiler.ts'
import { WorkerModel } from '../../daemon/compile/test_world.ts'
import type { Carrier, CarrierEvents } from '../../daemon/host/dataplane_carrier.ts'
import { DataplaneLink } from '../../daemon/host/dataplane_link.ts'
import { TableFeed } from '../../daemon/host/table_feed.ts'
import type { Directory } from '../../daemon/mapping/directory.ts'
import type { AppliedChange } from '../../daemon/model/commit_feed.ts'
import type { Instance } from '../../daemon/model/instance.ts'
import { planInstanceReached } from '../../daemon/model/instance_agent.ts'
import type { ReachedState } from '../../daemon/model/instance_agent.ts'
import { silentLog } from '../../daemon/observe/log.ts'
import type { Replica } from '../../daemon/store/replica.ts'
import type { SimulatedHost } from './host.ts'
import { SimulatedWorker } from './host.ts'

const BOOT_MS = 100
const RETRY_MS = 500

/** What the link of a daemon that has died starts. */
const NO_WORKER: Carrier = {
  pid: null,
  post: () => undefined,
  cpuUs: () => Promise.resolve(null),
  terminate: () => Promise.resolve(),
  release: () => undefined
}

export interface AgentOptions {
  readonly host: SimulatedHost
  readonly replica: Replica
  readonly directory: Directory
  readonly clock: Clock
}

export class SimulatedAgent {
  readonly host: SimulatedHost
  readonly compiler: HostCompiler
  /** What its worker has been told, as the worker took it. */
  model: WorkerModel
  isAlive = true
  readonly #replica: Replica
  readonly #clock: Clock
  readonly #link: DataplaneLink
  readonly #feed: TableFeed
  readonly #busy = new Set<string>()
  readonly #again = new Set<string>()

  constructor ({ host, replica, directory, clock }: AgentOptions) {
    this.host = host
    this.#replica = replica
    this.#clock = clock
    const { snapshot } = replica
    this.compiler = new HostCompiler({ hostName: host.name, snapshot, directory, clock })
    this.model = new WorkerModel(this.compiler)
    this.#link = new DataplaneLink({
      log: silentLog(),
      start: (events) => this.isAlive ? this.#startWorker(events) : NO_WORKER,
      onApplied: (revision) => { this.model.acknowledge(revision) },
      onPortFailed: () => { this.reconcile() },
      onServicesFailed: () => undefined,
      onResolve: ({ key }) => { this.#feed.resolve(key) },
      onSpawn: () => {
        if (!this.isAlive) return
        this.model = new WorkerModel(this.compiler)
        this.#feed.postEverything()
        this.reconcile()
      }
    })
    this.#feed =
      new TableFeed({ compiler: this.compiler, link: this.#link, revision: snapshot.revision })
  }

  /** Newest revision of which the worker has everything. */
  get swappedRevision (): number { return this.#feed.swappedRevision }

  /** @throws VpclabError when the worker ends before it runs */
  async start (): Promise<void> {
    this.compiler.compileAll()
    await this.#link.start()
  }

  /** The daemon has died, and its threads with it. */
  die (): void {
    this.isAlive = false
    this.host.worker?.end(false)
  }

  onCommit (revision: number, changes: readonly AppliedChange[]): void {
    this.#feed.onCommit(revision, changes)
    if (changes.some(({ noun }) => noun === 'instance' || noun === 'networkInterface')) {
      this.reconcile()
    }
  }

  reconcile (): void {
    const here = this.#replica.snapshot.tables.instance.by('hostName', this.host.name)
    const ids = new Set([...here.map(({ id }) => id), ...this.host.guests.keys()])
    for (const id of ids) void this.#work(id)
  }

  #startWorker (events: CarrierEvents): Carrier {
    const hostIndex = this.compiler.indexOfHost(this.host.name)
    return new SimulatedWorker(this.host, hostIndex, events,
      (update) => { this.model.apply(update) })
  }

  async #work (id: string): Promise<void> {
    if (this.#busy.has(id)) {
      this.#again.add(id)
      return
    }
    this.#busy.add(id)
    do {
      this.#again.delete(id)
      try {
        await this.#converge(id)
      } catch (error) {
        if (!(error instanceof VpclabError)) throw error
        await this.#pause(RETRY_MS)
        this.#again.add(id)
      }
    } while (this.isAlive && this.#again.has(id))
    this.#busy.delete(id)
  }

  async #converge (id: string): Promise<void> {
    const instance = this.#replica.snapshot.tables.instance.get(id)
    if (instance?.hostName !== this.host.name || instance.state === 'terminated') {
      this.host.guests.delete(id)
    } else if (instance.goal === 'running') await this.#bringUp(instance)
    else {
      await this.#pause(BOOT_MS)
      this.host.guests.delete(id)
      await this.#report(id, instance.goal === 'terminated' ? 'terminated' : 'stopped')
    }
  }

  async #bringUp ({ id, state }: Instance): Promise<void> {
    if (!this.host.guests.has(id)) {
      await this.#pause(BOOT_MS)
      if (!this.isAlive) return
      this.host.guests.set(id, new Set())
    }
    const devices = this.host.guests.get(id)
    const { networkInterface } = this.#replica.snapshot.tables
    const wanted = networkInterface.by('attachment.instanceId', id).map((eni) => eni.id)
    for (const eni of devices ?? []) if (!wanted.includes(eni)) devices?.delete(eni)
    for (const eni of wanted) {
      const isFresh = devices?.has(eni) === false
      devices?.add(eni)
      const portIndex = this.compiler.portOf(eni)
      if (portIndex === 0) throw new VpclabError('VPCLAB_ERR_AGENT', `no port for ${eni}`)
      await this.#link.openPort(
        portIndex, { device: 'tun', namespacePath: id, deviceName: eni }, isFresh)
      if (!this.isAlive) return
    }
    if (state === 'pending') await this.#report(id, 'running')
  }

  async #report (id: string, reached: ReachedState): Promise<void> {
    const { name } = this.host
    await this.#replica.transact(() => planInstanceReached(
      this.#replica.snapshot, name, id, reached, { nowMs: this.#clock.nowMs() }))
  }

  async #pause (meanMs: number): Promise<void> {
    const { chance } = this.host.events
    await new Promise((resolve) => { setTimeout(resolve, meanMs * chance.between(0.5, 2)) })
  }
}
