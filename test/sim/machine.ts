/**
 * A machine: hosts, and a daemon that has a replica of the whole store, a directory, and an agent
 * per host of its own. Any machine answers the API.
 */
import { ACTIONS } from '../../daemon/api/ec2/actions/registry.ts'
import type { Action, WriteAction } from '../../daemon/api/ec2/action.ts'
import { planContext } from '../../daemon/api/commit.ts'
import { VpclabError } from '../../daemon/base/errors.ts'
import { Directory } from '../../daemon/mapping/directory.ts'
import { planReapTerminated } from '../../daemon/model/instance_agent.ts'
import { AccountView } from '../../daemon/model/snapshot.ts'
import type { Change } from '../../daemon/model/snapshot.ts'
import type { Plan } from '../../daemon/model/plan.ts'
import { EtcdEngine } from '../../daemon/store/etcd/etcd_engine.ts'
import { Replica } from '../../daemon/store/replica.ts'
import { SimulatedAgent } from './agent.ts'
import type { SimulatedEtcd } from './etcd.ts'
import { PREFIX, SimulatedClient } from './etcd.ts'
import type { SimulatedHost } from './host.ts'
import type { Chance, Timeline } from './timeline.ts'

export const ACCOUNT = '111111111111'
export const REGION = 'us-east-1'
const RESTART_MS = 300
const REAP_MS = 10_000
const TARGET = { members: [], prefix: PREFIX, tls: null }

const WRITES: ReadonlyMap<string, Action> = new Map(ACTIONS.map((action) => [action.name, action]))

export interface MachineEvents {
  readonly timeline: Timeline
  readonly chance: Chance
  readonly etcd: SimulatedEtcd
  /**
   * A call was answered: what it changed counts from now on, and what it would have made before the
   * store moved does not.
   */
  onAcknowledged(machine: Machine, revision: number, changes: readonly Change[],
    dropped: readonly Change[]): void
  onCommit(machine: Machine, revision: number): void
  onError(machine: Machine, error: unknown): void
}

export class Machine {
  readonly name: string
  readonly hosts: readonly SimulatedHost[]
  daemon: Daemon | null = null
  isStarting = false
  readonly #events: MachineEvents

  constructor (name: string, hosts: readonly SimulatedHost[], events: MachineEvents) {
    this.name = name
    this.hosts = hosts
    this.#events = events
  }

  /** Starts the daemon, and again, as a supervisor does, until it has begun. */
  async start (): Promise<void> {
    this.isStarting = true
    for (;;) {
      const client = new SimulatedClient(this.#events.etcd, this.name)
      try {
        this.daemon = await Daemon.start(this, client, this.#events)
        this.isStarting = false
        return
      } catch (error) {
        client.close()
        if (!(error instanceof VpclabError)) throw error
        await new Promise((resolve) => { setTimeout(resolve, RESTART_MS) })
      }
    }
  }

  /** kill -9. */
  crash (): void {
    this.daemon?.die()
    this.daemon = null
  }
}

export class Daemon {
  readonly replica: Replica
  readonly agents: readonly SimulatedAgent[]
  readonly #machine: Machine
  readonly #client: SimulatedClient
  readonly #events: MachineEvents
  #isAlive = true

  private constructor (
    machine: Machine, client: SimulatedClient, replica: Replica, events: MachineEvents
  ) {
    this.#machine = machine
    this.#client = client
    this.#events = events
    this.replica = replica
    const directory = new Directory(replica.snapshot, { clock: events.timeline })
    this.agents = machine.hosts.map((host) =>
      new SimulatedAgent({ host, replica, directory, clock: events.timeline }))
    replica.onCommit((revision, changes) => {
      try {
        directory.apply(revision, changes)
        for (const agent of this.agents) agent.onCommit(revision, changes)
        events.onCommit(machine, revision)
      } catch (error) {
        events.onError(machine, error)
      }
    })
  }

  static async start (
    machine: Machine, client: SimulatedClient, events: MachineEvents
  ): Promise<Daemon> {
    const { timeline, chance } = events
    const engine =
      await EtcdEngine.open({ target: TARGET, clock: timeline, random: chance, client })
    const daemon = new Daemon(machine, client, await Replica.open(engine), events)
    daemon.#reapLater()
    try {
      await Promise.all(daemon.agents.map(async (agent) => { await agent.start() }))
      return daemon
    } catch (error) {
      daemon.die()
      throw error
    }
  }

  get view (): AccountView { return new AccountView(this.replica.snapshot, ACCOUNT, REGION) }

  /** @throws AwsError when it is refused, VpclabError when the store does not answer */
  async call (name: string, input: object): Promise<void> {
    const action = WRITES.get(name) as WriteAction<object, unknown, object>
    const context = planContext(this.#events.timeline, this.#events.chance)
    await this.transact(() => action.plan(this.view, input, context))
  }

  async transact (plan: () => Plan<unknown>): Promise<void> {
    let changes: readonly Change[] = []
    /** What each plan would have made. */
    const made: (readonly Change[])[] = []
    const { tables } = this.replica.snapshot
    const { revision } = await this.replica.transact(() => {
      const planned = plan()
      changes = planned.changes
      made.push(changes.filter(({ noun, id }) => tables[noun].get(id) === undefined))
      return planned
    })
    if (changes.length === 0) return
    this.#events.onAcknowledged(this.#machine, revision, changes, made.slice(0, -1).flat())
  }

  die (): void {
    this.#isAlive = false
    this.#client.close()
    for (const agent of this.agents) agent.die()
  }

  #reapLater (): void {
    setTimeout(() => {
      if (!this.#isAlive) return
      const { snapshot } = this.replica
      this.transact(() => planReapTerminated(snapshot, { nowMs: this.#events.timeline.nowMs() }))
        .catch((error: unknown) => {
          if (!(error instanceof VpclabError)) this.#events.onError(this.#machine, error)
        })
      this.#reapLater()
    }, REAP_MS)
  }
}
