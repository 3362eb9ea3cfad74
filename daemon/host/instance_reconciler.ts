/**
 * Brings the instances of one host to where their records say they must be, and keeps them there.
 *
 *      commit ───────────────┐
 *      change by hand ───────┼──▶ task per instance ──▶ look, plan, run ──▶ ports ──▶ state
 *      failed port, sweep ───┘    one at a time           (idempotent)
 *
 * A task always starts from the present snapshot, so it does not matter how many causes it had or
 * whether some were missed: that is also what makes a restart nothing special. Tasks of one
 * instance run one after another; over all hosts of a daemon at most RECONCILES_MAX run at once.
 * What fails is tried again with growing pauses; a launch that keeps failing is reported as failed.
 *
 * `convergedRevision` is below a revision as long as a running instance has not yet been brought in
 * line with it: an address that was assigned to it is there once the revision counts as applied.
 * Instances that come up or go down report by their state instead.
 */
import { rmSync } from 'node:fs'
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { VpclabError } from '../base/errors.ts'
import type { PortDevice } from '../dataplane/tables/update.ts'
import { changesField } from '../model/commit_feed.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import { interfacesOfInstance } from '../model/instance.ts'
import type { Instance } from '../model/instance.ts'
import type { Guest, ImageGuest } from '../model/instance_guest.ts'
import {
  planGuestEnded, planInstanceFailed, planInstanceReached, planVmEnded
} from '../model/instance_agent.ts'
import type { ReachedState } from '../model/instance_agent.ts'
import { deviceOf } from '../model/instance_device.ts'
import { findInstanceType } from '../model/instance_type.ts'
import type { Ledger } from '../model/ledger.ts'
import type { Log } from '../observe/log.ts'
import { desiredInterfaces } from './instance_desired.ts'
import { etcFiles, hostNameOf } from './instance_etc.ts'
import { bindGuest, isGuestThere, releaseGuest, styleOf } from './instance_guest.ts'
import { OWN_HOME, convergeInstance, removeInstance, vmHome } from './instance_namespace.ts'
import type { Home } from './instance_namespace.ts'
import { deviceName, planInstance } from './instance_plan.ts'
import type { DesiredInterface } from './instance_plan.ts'
import { bootInstance, forgetBoot, readBoot } from './instance_process.ts'
import { ensureRoot, forgetRoot, removeLayer, rootPid } from './instance_root.ts'
import type { Limiter } from './limiter.ts'
import type { NamespaceMonitor } from './namespace_monitor.ts'
import { killProcessesIn } from './namespace_processes.ts'
import { namespaceName, namespacePath, userDataPath } from './paths.ts'
import { endVm, ensureVm, resetVm, trimConsole, vmPid } from './vm_process.ts'

/** Instances worked on at once, over all hosts of a daemon. The work is processes on few cores. */
export const RECONCILES_MAX = 8
/** Tries of a launch before the instance is reported as failed. */
export const LAUNCH_ATTEMPTS_MAX = 4
/** Pause before the second try; it doubles up to the maximum. */
export const RETRY_DELAY_MS = 250
export const RETRY_DELAY_MS_MAX = 30_000
/** Changes by hand that follow one another this closely are looked at once. */
export const SETTLE_MS = 50
/** How often guests are looked for: the kernel tells nobody that one of them ended. */
export const GUEST_CHECK_INTERVAL_MS = 1000
/** How often everything is looked at in case an event was lost. */
export const SWEEP_INTERVAL_MS = 120_000

/** The data plane's side of an ENI: its TUN, open in the worker. */
export interface Ports {
  /**
   * Resolves when the worker has the device open.
   * @param fresh the device was made anew: whatever is open leads nowhere
   */
  open(networkInterfaceId: string, device: PortDevice, fresh: boolean): Promise<void>
}

export interface InstanceReconcilerOptions {
  readonly lab: string
  readonly hostName: string
  /** Bytes, of every device of an instance. */
  readonly instanceMtu: number
  readonly ledger: Ledger
  readonly clock: Clock
  readonly log: Log
  readonly limiter: Limiter
  readonly monitor: NamespaceMonitor
  readonly ports: Ports
  /** convergedRevision may have moved. */
  readonly onConverged: () => void
}

interface Task {
  running: boolean
  /** Devices made since their ports were last opened: open ones lead to devices that are gone. */
  readonly fresh: Set<string>
  /** Something happened while it ran: look once more, at once (a commit) or when things settle. */
  again: 'no' | 'settled' | 'now'
  attempts: number
  timer: NodeJS.Timeout | undefined
}

/** Revisions that touched an instance and are not in its namespace yet: oldest and newest. */
interface Behind { first: number, last: number }

/** What of a record matters inside the namespace; a tag or a description does not. */
const INSTANCE_FIELDS = ['hostName', 'goal', 'state', 'rebootCount'] as const
const NETWORK_INTERFACE_FIELDS =
  ['privateIpAddresses', 'ipv6Addresses', 'ipv4Prefixes', 'ipv6Prefixes', 'attachment'] as const
/** What of a VPC matters to guests that have a route to each of its blocks. */
const VPC_FIELDS = ['cidrBlocks', 'ipv6CidrBlocks'] as const

/** Whether what the instance lives in is still there. */
function isRunning (lab: string, instanceId: string, guest: Guest): boolean {
  switch (guest.kind) {
    case 'namespace': return isGuestThere(guest)
    case 'vm': return vmPid(lab, instanceId) !== null
    case 'image': return rootPid(lab, instanceId) !== null
  }
}

export class InstanceReconciler {
  readonly counters = { converges: 0, repairs: 0, failures: 0 }
  readonly #options: InstanceReconcilerOptions
  readonly #tasks = new Map<string, Task>()
  /** Running instances that have not been brought in line yet. */
  readonly #behind = new Map<string, Behind>()
  #settledWaiters: (() => void)[] = []
  #sweep: NodeJS.Timeout | undefined
  #guestCheck: NodeJS.Timeout | undefined
  #stopped = false

  constructor (options: InstanceReconcilerOptions) {
    this.#options = options
  }

  /** Newest revision that all running instances are in line with; Infinity when nothing is due. */
  get convergedRevision (): number {
    let converged = Number.POSITIVE_INFINITY
    for (const { first } of this.#behind.values()) converged = Math.min(converged, first - 1)
    return converged
  }

  /** Begins to sweep. */
  start (): void {
    this.#sweep = setInterval(() => { this.reconcileAll() }, SWEEP_INTERVAL_MS)
    this.#guestCheck = setInterval(() => { this.#checkGuests() }, GUEST_CHECK_INTERVAL_MS)
  }

  #checkGuests (): void {
    const { lab } = this.#options
    for (const { id, guest, state } of this.#ours()) {
      if (guest === undefined || state !== 'running') continue
      if (guest.kind === 'vm') trimConsole(lab, id)
      if (!isRunning(lab, id, guest)) this.reconcile(id)
    }
  }

  /**
   * For a worker that begins anew: packets of what runs pass as soon as it has opened the devices
   * that are there. Afterwards everything is looked at.
   */
  async takeUp (): Promise<void> {
    const running = this.#ours().filter(({ state }) => state === 'running')
    await Promise.allSettled(running.flatMap((instance) => this.#reopen(instance)))
    this.reconcileAll()
  }

  #reopen (instance: Instance): Promise<void>[] {
    const namespace = namespaceName(this.#options.lab, instance.id)
    const home = this.#homeOf(instance)
    const device = deviceOf(instance)
    return interfacesOfInstance(this.#options.ledger.snapshot, instance)
      .map(async ({ id: networkInterfaceId, attachment }) => {
        const deviceIndex = attachment?.deviceIndex ?? 0
        await this.#openPort(namespace, { networkInterfaceId, deviceIndex, device }, home)
      })
  }

  /** Looks at everything that the host has now. */
  reconcileAll (): void {
    for (const instance of this.#ours()) this.reconcile(instance.id)
  }

  /** No new task after this; resolves when the last one has ended. */
  async stop (): Promise<void> {
    this.#stopped = true
    clearInterval(this.#sweep)
    clearInterval(this.#guestCheck)
    for (const task of this.#tasks.values()) clearTimeout(task.timer)
    const running = [...this.#tasks].filter(([, task]) => task.running).map(([id]) => id)
    for (const [id, task] of this.#tasks) if (!task.running) this.#tasks.delete(id)
    await this.settled(running)
  }

  /** Resolves when nothing is being done or due for these instances. */
  async settled (instanceIds: readonly string[]): Promise<void> {
    while (instanceIds.some((id) => this.#tasks.has(id))) {
      await new Promise<void>((resolve) => { this.#settledWaiters.push(resolve) })
    }
  }

  onCommit (revision: number, changes: readonly AppliedChange[]): void {
    const { hostName, ledger } = this.#options
    for (const id of this.#affectedBy(changes)) {
      const instance = ledger.snapshot.tables.instance.get(id)
      if (instance?.hostName === hostName && instance.state === 'running') {
        const behind = this.#behind.get(id)
        if (behind === undefined) this.#behind.set(id, { first: revision, last: revision })
        else behind.last = revision
      } else this.#behind.delete(id)
      this.reconcile(id)
    }
  }

  /** Instances that are or were of this host and that a commit changes inside. */
  #affectedBy (changes: readonly AppliedChange[]): Set<string> {
    const { hostName, ledger } = this.#options
    const affected = new Set<string>()
    for (const change of changes) {
      if (change.noun === 'instance') {
        const { record, previous } = change
        if (record?.hostName !== hostName && previous?.hostName !== hostName) continue
        // Our own report: what it says has been done.
        if (previous?.state === 'pending' && record?.state === 'running') continue
        if (changesField<'instance'>(change, INSTANCE_FIELDS)) affected.add(change.id)
      } else if (change.noun === 'vpc') {
        if (!changesField<'vpc'>(change, VPC_FIELDS)) continue
        for (const instance of ledger.snapshot.tables.instance.by('vpcId', change.id)) {
          const isGuest = instance.guest?.kind === 'namespace'
          if (isGuest && instance.hostName === hostName) affected.add(instance.id)
        }
      } else if (change.noun === 'networkInterface') {
        if (!changesField<'networkInterface'>(change, NETWORK_INTERFACE_FIELDS)) continue
        for (const record of [change.record, change.previous]) {
          const id = record?.attachment?.instanceId
          if (id === undefined) continue
          if (ledger.snapshot.tables.instance.get(id)?.hostName === hostName) affected.add(id)
        }
      }
    }
    return affected
  }

  /** Something changed inside the namespace of an instance. Ignored when it is not of this host. */
  onNamespaceChange (instanceId: string): void {
    const { hostName, ledger } = this.#options
    if (ledger.snapshot.tables.instance.get(instanceId)?.hostName !== hostName) return
    this.#schedule(instanceId, SETTLE_MS)
  }

  /** Looks at an instance as soon as there is room. */
  reconcile (instanceId: string): void { this.#schedule(instanceId, 0) }

  #ours (): Instance[] {
    return this.#options.ledger.snapshot.tables.instance.by('hostName', this.#options.hostName)
  }

  #schedule (instanceId: string, delayMs: number): void {
    if (this.#stopped) return
    let task = this.#tasks.get(instanceId)
    if (task === undefined) {
      task = { running: false, fresh: new Set(), again: 'no', attempts: 0, timer: undefined }
      this.#tasks.set(instanceId, task)
    }
    if (task.running) {
      if (task.again !== 'now') task.again = delayMs === 0 ? 'now' : 'settled'
      return
    }
    if (delayMs > 0 && task.timer !== undefined) return
    clearTimeout(task.timer)
    task.timer = undefined
    if (delayMs > 0) task.timer = setTimeout(() => { this.#begin(instanceId) }, delayMs)
    else this.#begin(instanceId)
  }

  #begin (instanceId: string): void {
    const task = this.#tasks.get(instanceId)
    assert(task !== undefined && !task.running, `the task of ${instanceId} begins while it runs`)
    task.running = true
    task.timer = undefined
    void this.#options.limiter.run(async () => { await this.#work(instanceId, task) })
  }

  async #work (instanceId: string, task: Task): Promise<void> {
    if (this.#stopped) {
      this.#end(instanceId, task)
      return
    }
    task.again = 'no'
    const startedOn = this.#options.ledger.snapshot.revision
    let failed = false
    try {
      await this.#converge(instanceId, task)
      task.attempts = 0
    } catch (error) {
      failed = !await this.#giveUp(instanceId, task, error)
    }
    task.running = false
    this.#caughtUp(instanceId, startedOn)
    this.#next(instanceId, task, failed)
  }

  #next (instanceId: string, task: Task, failed: boolean): void {
    if (this.#stopped) this.#end(instanceId, task)
    else if (task.again === 'now') this.#schedule(instanceId, 0)
    else if (failed) {
      const delayMs = RETRY_DELAY_MS * 2 ** (task.attempts - 1)
      this.#schedule(instanceId, Math.min(delayMs, RETRY_DELAY_MS_MAX))
    } else if (task.again === 'settled') this.#schedule(instanceId, SETTLE_MS)
    else this.#end(instanceId, task)
  }

  #end (instanceId: string, task: Task): void {
    task.running = false
    this.#tasks.delete(instanceId)
    const waiters = this.#settledWaiters
    this.#settledWaiters = []
    for (const resolve of waiters) resolve()
  }

  /**
   * The work that began on `revision` has ended. What failed counts as done here: it is logged and
   * tried again, and one broken namespace must not hold up the applied revision of the lab.
   */
  #caughtUp (instanceId: string, revision: number): void {
    const behind = this.#behind.get(instanceId)
    if (behind === undefined) return
    if (behind.last <= revision) this.#behind.delete(instanceId)
    else behind.first = Math.max(behind.first, revision + 1)
    this.#options.onConverged()
  }

  /**
   * @returns whether there is nothing to try again: the launch has been given up, or a commit that
   *   came meanwhile asks for something else (an interface was detached while it was being set up)
   */
  async #giveUp (instanceId: string, task: Task, error: unknown): Promise<boolean> {
    const { hostName, ledger, clock, log } = this.#options
    if (task.again === 'now') {
      log.debug({ err: error, host: hostName, instance: instanceId }, 'overtaken by a commit')
      return true
    }
    this.counters.failures++
    task.attempts++
    log.error({ err: error, host: hostName, instance: instanceId, attempt: task.attempts },
      'an instance could not be brought in line')
    if (task.attempts < LAUNCH_ATTEMPTS_MAX) return false
    const why = error instanceof VpclabError ? error.message : 'Internal error on launch'
    try {
      const { result } = await ledger.transact(() =>
        planInstanceFailed(ledger.snapshot, hostName, instanceId, why, { nowMs: clock.nowMs() }))
      return result === 'terminated' || result === 'stopped'
    } catch (refusal) {
      log.error({ err: refusal, instance: instanceId }, 'a failed launch could not be recorded')
      return false
    }
  }

  async #converge (instanceId: string, task: Task): Promise<void> {
    const { hostName, ledger } = this.#options
    this.counters.converges++
    const instance = ledger.snapshot.tables.instance.get(instanceId)
    // Without a host nobody else looks after what is left; with another host, that one does.
    if (instance === undefined || instance.hostName === null) {
      await this.#remove(instanceId)
      if (instance?.state !== 'stopped') await removeLayer(this.#options.lab, instanceId)
    } else if (instance.hostName !== hostName) return
    else if (instance.goal === 'running') await this.#bringUp(instance, task)
    else {
      await this.#remove(instanceId)
      if (instance.goal === 'terminated') await removeLayer(this.#options.lab, instanceId)
      await this.#report(instanceId, instance.goal)
    }
  }

  async #report (instanceId: string, reached: ReachedState): Promise<void> {
    const { hostName, ledger, clock } = this.#options
    await ledger.transact(() =>
      planInstanceReached(ledger.snapshot, hostName, instanceId, reached, { nowMs: clock.nowMs() }))
  }

  async #bringUp (instance: Instance, task: Task): Promise<void> {
    const { lab, hostName, ledger, log, monitor, instanceMtu } = this.#options
    const { guest } = instance
    if (guest?.kind === 'namespace' && !isGuestThere(guest)) {
      await this.#guestEnded(instance.id)
      return
    }
    const namespace = namespaceName(lab, instance.id)
    const desired = desiredInterfaces(ledger.snapshot, instance, instanceMtu)
    const boot = readBoot(lab, instance.id)
    const rebooting = boot !== null && boot.rebootCount !== instance.rebootCount
    if (guest?.kind === 'vm') {
      if (rebooting) await resetVm(lab, instance.id)
      else if (boot !== null && instance.state === 'running' && vmPid(lab, instance.id) === null) {
        await this.#vmEnded(instance.id)
        return
      }
    } else if (rebooting) await killProcessesIn([namespace])
    const home = this.#homeOf(instance)
    const result = await convergeInstance(namespace, desired, home)
    for (const device of result.createdDevices) task.fresh.add(device)
    if (result.namespaceCreated) {
      monitor.forget(namespace)
      if (!rebooting && instance.state === 'running') forgetBoot(lab, instance.id)
    }
    await Promise.all(
      desired.map(async (eni) => { await this.#openPort(namespace, eni, home, task.fresh) }))
    await monitor.watch(namespace)
    if (result.lineCount > 0 && instance.state === 'running') {
      this.counters.repairs++
      log.info({ host: hostName, instance: instance.id, lines: result.lineCount },
        'brought an instance in line')
    }
    if (guest?.kind === 'image') await this.#ensureRoot(instance, guest)
    if (guest?.kind === 'vm') {
      const cardsMax = findInstanceType(instance.instanceType).interfacesMax
      await ensureVm({ lab, instanceId: instance.id, guest, interfaces: desired, cardsMax },
        result.createdDevices)
    }
    bootInstance(
      lab, instance, desired.flatMap((eni) => eni.addresses.map((entry) => entry.address)), log)
    if (instance.state === 'pending') await this.#report(instance.id, 'running')
  }

  /** Where the instance lives. A guest of somebody else has its name given back, if it lost it. */
  #homeOf ({ id, guest, instanceType }: Instance): Home {
    if (guest?.kind === 'vm') return vmHome(findInstanceType(instanceType).interfacesMax)
    if (guest?.kind !== 'namespace') return OWN_HOME
    const { lab, monitor } = this.#options
    return {
      style: styleOf(guest),
      plan: planInstance,
      ensure: async (namespace) => {
        if (await bindGuest(lab, id, guest)) monitor.forget(namespace)
        return false
      }
    }
  }

  async #vmEnded (instanceId: string): Promise<void> {
    const { hostName, ledger, clock, log } = this.#options
    log.info({ host: hostName, instance: instanceId }, 'a virtual machine powered itself off')
    await ledger.transact(() =>
      planVmEnded(ledger.snapshot, hostName, instanceId, { nowMs: clock.nowMs() }))
  }

  async #guestEnded (instanceId: string): Promise<void> {
    const { hostName, ledger, clock, log } = this.#options
    log.info({ host: hostName, instance: instanceId }, 'an attached guest went away')
    await ledger.transact(() =>
      planGuestEnded(ledger.snapshot, hostName, instanceId, { nowMs: clock.nowMs() }))
  }

  async #ensureRoot (instance: Instance, guest: ImageGuest): Promise<void> {
    const { lab, ledger } = this.#options
    const { snapshot } = ledger
    await ensureRoot({
      lab,
      instanceId: instance.id,
      guest,
      hostName: hostNameOf(snapshot, instance),
      etc: etcFiles(snapshot, instance)
    })
  }

  /** @param fresh devices made anew: its own is taken out once it is open */
  async #openPort (
    namespace: string,
    eni: Pick<DesiredInterface, 'networkInterfaceId' | 'deviceIndex' | 'device'>,
    home: Home, fresh = new Set<string>()
  ): Promise<void> {
    const name = deviceName(eni.deviceIndex, home.style)
    await this.#options.ports.open(eni.networkInterfaceId, {
      device: eni.device, namespacePath: namespacePath(namespace), deviceName: name
    }, fresh.has(name))
    fresh.delete(name)
  }

  async #remove (instanceId: string): Promise<void> {
    const { lab, monitor } = this.#options
    const namespace = namespaceName(lab, instanceId)
    await endVm(lab, instanceId)
    if (!await releaseGuest(lab, instanceId)) await removeInstance(namespace)
    monitor.forget(namespace)
    forgetBoot(lab, instanceId)
    forgetRoot(lab, instanceId)
    rmSync(userDataPath(lab, instanceId), { force: true })
  }
}
