/**
 * The stack engine: brings stacks from one status to the next. CloudFormation User Guide, "Stack
 * status codes".
 *
 *     CREATE_IN_PROGRESS ─┬▶ CREATE_COMPLETE
 *                         └▶ ROLLBACK_IN_PROGRESS ─▶ ROLLBACK_COMPLETE, or by OnFailure
 *                              DELETE_IN_PROGRESS or CREATE_FAILED
 *     UPDATE_IN_PROGRESS ─┬▶ UPDATE_COMPLETE_CLEANUP_IN_PROGRESS ─▶ UPDATE_COMPLETE
 *                         └▶ UPDATE_ROLLBACK_IN_PROGRESS
 *                              ─▶ UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS
 *                              ─▶ UPDATE_ROLLBACK_COMPLETE
 *     DELETE_IN_PROGRESS ─▶ DELETE_COMPLETE, DELETE_FAILED
 *
 * A status that ends in IN_PROGRESS is an order, whoever wrote it: the API writes the first one, a
 * phase writes the next one, and a daemon that starts carries out what it finds. A phase may be
 * done twice (resource_work.ts), and is over only when every host has applied what it did.
 */
import { AwsError } from '../../model/aws_error.ts'
import type {
  ResourceStatus, Stack, StackOutput, StackResource, StackStatus
} from '../../model/stack.ts'
import {
  exportsOf, forgetDeletedStacks, importersOf, isBusy, resourcesOf, stackChanges
} from '../../model/stack.ts'
import type { Dependencies } from './dependency.ts'
import { inOrder, reversed } from './dependency.ts'
import type { WorkDependencies } from './resource_work.ts'
import { ResourceWork, StoppedError } from './resource_work.ts'
import type { PlannedResource, ResourceTypes, StackPlan } from './stack_plan.ts'
import { fillIn } from './stack_plan.ts'

/** How long the hosts may take to apply what a stack has made, ms. */
export const APPLY_WAIT_MS_MAX = 60_000
/** The longest time that a timer of Node counts, ms: 24 days. */
const TIMER_MS_MAX = 0x7fff_ffff

export interface EngineDependencies extends WorkDependencies {
  readonly types: ResourceTypes
  /** The plan of a stack's source. @throws AwsError */
  readonly planOf: (stack: Stack) => StackPlan
  /** Resolves when every host forwards by the revision. */
  readonly waitApplied: (revision: number, timeoutMs: number) => Promise<unknown>
}

/** What a phase ends with. */
interface Outcome {
  readonly status: StackStatus
  readonly reason: string | null
  readonly changes?: Partial<Stack>
}

interface Running {
  readonly done: Promise<void>
  readonly abort: AbortController
  /** The order that is being carried out. */
  readonly status: StackStatus
}

const CANCELLED = 'Resource operation cancelled'

export class StackEngine {
  readonly #dependencies: EngineDependencies
  readonly #work: ResourceWork
  readonly #running = new Map<string, Running>()
  #isActive = false
  /** Resolves when nothing is under way any more, after `stop`. */
  #ended: Promise<unknown> = Promise.resolve()

  constructor (dependencies: EngineDependencies) {
    this.#dependencies = dependencies
    this.#work = new ResourceWork(dependencies)
    dependencies.onCommit((_revision, changes) => {
      for (const { noun, id } of changes) if (noun === 'stack') this.#run(id)
    })
  }

  /** Goes on with every operation that a daemon before this one, or another one, has left. */
  start (): void {
    if (this.#isActive) return
    this.#isActive = true
    void this.#ended.then(() => {
      this.#work.resume()
      for (const { id } of this.#work.snapshot.tables.stack.values()) this.#run(id)
    })
  }

  /** Nothing is written any more; what was under way goes on at the next start. */
  async stop (): Promise<void> {
    this.#isActive = false
    this.#work.stop()
    const running = [...this.#running.values()]
    for (const { abort } of running) abort.abort(CANCELLED)
    this.#ended = Promise.all(running.map(async ({ done }) => { await done }))
    await this.#ended
  }

  /**
   * Carries out what the stack's status orders. When another order is being carried out, that one
   * is broken off first.
   */
  #run (stackId: string): void {
    const stack = this.#work.snapshot.tables.stack.get(stackId)
    if (!this.#isActive || stack === undefined || !isBusy(stack)) return
    const running = this.#running.get(stackId)
    if (running !== undefined) {
      if (running.status !== stack.status) running.abort.abort(CANCELLED)
      return
    }
    const abort = new AbortController()
    const done = this.#operate(stackId, abort).catch((error: unknown) => {
      if (error instanceof StoppedError) return
      this.#dependencies.log.error({ err: error, stack: stackId }, 'a stack operation failed')
    }).finally(() => {
      this.#running.delete(stackId)
      // An order that came in the last moment of the one before.
      this.#run(stackId)
    })
    this.#running.set(stackId, { done, abort, status: stack.status })
  }

  async #operate (stackId: string, first: AbortController): Promise<void> {
    let abort = first
    for (;;) {
      const stack = this.#work.snapshot.tables.stack.get(stackId)
      if (stack === undefined || !isBusy(stack)) return
      const outcome = await this.#phase(stack, abort)
      await this.#end(stack, outcome)
      abort = new AbortController()
      const running = this.#running.get(stackId)
      const status = this.#work.snapshot.tables.stack.get(stackId)?.status
      if (running !== undefined && status !== undefined) {
        this.#running.set(stackId, { ...running, abort, status })
      }
    }
  }

  /** The next status, unless somebody has given another order meanwhile. */
  async #end (stack: Stack, outcome: Outcome): Promise<void> {
    await this.#work.write(() => {
      const { snapshot } = this.#work
      const current = snapshot.tables.stack.get(stack.id)
      if (current?.status !== stack.status) return []
      const facts = this.#work.facts()
      const next: Stack = {
        ...current, ...outcome.changes, status: outcome.status, statusReason: outcome.reason,
        deletedMs: outcome.status === 'DELETE_COMPLETE' ? facts.nowMs : current.deletedMs
      }
      return [...stackChanges(snapshot, next, facts),
        ...outcome.status === 'DELETE_COMPLETE' ? forgetDeletedStacks(snapshot, stack) : []]
    })
  }

  async #phase (stack: Stack, abort: AbortController): Promise<Outcome> {
    try {
      switch (stack.status) {
        case 'CREATE_IN_PROGRESS': return await this.#create(stack, abort)
        case 'ROLLBACK_IN_PROGRESS': return await this.#rollBackCreation(stack, abort.signal)
        case 'UPDATE_IN_PROGRESS': return await this.#update(stack, abort)
        case 'UPDATE_ROLLBACK_IN_PROGRESS': return await this.#rollBackUpdate(stack, abort)
        case 'UPDATE_COMPLETE_CLEANUP_IN_PROGRESS':
          return await this.#cleanUp(stack, abort.signal, 'UPDATE_COMPLETE')
        case 'UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS':
          return await this.#cleanUp(stack, abort.signal, 'UPDATE_ROLLBACK_COMPLETE')
        default: return await this.#delete(stack, abort.signal)
      }
    } catch (error) {
      if (error instanceof StoppedError) throw error
      if (!(error instanceof AwsError)) {
        this.#dependencies.log.error({ err: error, stack: stack.id }, 'a stack operation failed')
      }
      return failureOf(stack, error instanceof Error ? error.message : String(error))
    }
  }

  async #create (stack: Stack, abort: AbortController): Promise<Outcome> {
    const timer = this.#timeout(stack, abort)
    try {
      if (!await this.#converge(stack, abort)) {
        return failureOf(stack, this.#failedResources(stack, 'CREATE_FAILED', 'create'))
      }
    } finally {
      clearTimeout(timer)
    }
    const outputs = await this.#settled(stack)
    return { status: 'CREATE_COMPLETE', reason: null, changes: outputs }
  }

  /** TimeoutInMinutes, counted from the stack's creation. */
  #timeout (stack: Stack, abort: AbortController): NodeJS.Timeout | undefined {
    if (stack.timeoutMinutes === null) return undefined
    const leftMs = stack.createdMs + stack.timeoutMinutes * 60_000 -
      this.#dependencies.clock.nowMs()
    return setTimeout(() => {
      abort.abort('Stack creation time exceeded the specified timeout')
    }, Math.min(Math.max(leftMs, 0), TIMER_MS_MAX))
  }

  async #rollBackCreation (stack: Stack, signal: AbortSignal): Promise<Outcome> {
    const done = await this.#deleteResources(stack, signal,
      ({ deletionPolicy }) => deletionPolicy === 'Retain')
    await this.#applied()
    return done
      ? { status: 'ROLLBACK_COMPLETE', reason: null }
      : { status: 'ROLLBACK_FAILED',
        reason: this.#failedResources(stack, 'DELETE_FAILED', 'delete') }
  }

  async #update (stack: Stack, abort: AbortController): Promise<Outcome> {
    if (!await this.#converge(stack, abort)) {
      const [created, updated] = [this.#failedResources(stack, 'CREATE_FAILED', 'create'),
        this.#failedResources(stack, 'UPDATE_FAILED', 'update')]
      return failureOf(stack, [created, updated].filter((text) => text !== '').join(' '))
    }
    const outputs = await this.#settled(stack)
    return { status: 'UPDATE_COMPLETE_CLEANUP_IN_PROGRESS', reason: null, changes: outputs }
  }

  async #rollBackUpdate (stack: Stack, abort: AbortController): Promise<Outcome> {
    if (!await this.#converge(stack, abort)) {
      return { status: 'UPDATE_ROLLBACK_FAILED',
        reason: this.#failedResources(stack, 'UPDATE_FAILED', 'update') }
    }
    const outputs = await this.#settled(stack)
    return { status: 'UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS', reason: null,
      changes: outputs }
  }

  /** Deletes what the plan does not have (any more). What cannot be deleted is given up. */
  async #cleanUp (stack: Stack, signal: AbortSignal,
    status: 'UPDATE_COMPLETE' | 'UPDATE_ROLLBACK_COMPLETE'): Promise<Outcome> {
    const { types, planOf } = this.#dependencies
    const plan = planOf(stack)
    const isGone = ({ logicalId }: StackResource): boolean => !plan.resources.has(logicalId)
    const isKept = ({ deletionPolicy, physicalId }: StackResource): boolean =>
      physicalId !== null && (deletionPolicy === 'Retain' ||
        (deletionPolicy !== 'Delete' && status === 'UPDATE_COMPLETE'))
    // What was put aside stands on what was put aside, and what is gone may stand on it too.
    const records = resourcesOf(this.#work.snapshot, stack.id)
      .filter((record) => isGone(record) || record.replaced.length > 0)
    await inOrder(reversed(dependenciesOf(records)), signal, async (logicalId) => {
      const record = this.#work.find(stack.id, logicalId)
      if (record === undefined) return true
      if (!isGone(record)) await this.#work.deleteReplaced(stack, types, record, signal)
      else if (isKept(record)) await this.#work.skip(record, true)
      else await this.#work.delete(stack, types, record, signal, true)
      return true
    })
    await this.#applied()
    return { status, reason: null, changes: { previousSource: null } }
  }

  async #delete (stack: Stack, signal: AbortSignal): Promise<Outcome> {
    const done = await this.#deleteResources(stack, signal, ({ deletionPolicy, logicalId }) =>
      deletionPolicy !== 'Delete' || stack.retainResources.includes(logicalId))
    await this.#applied()
    return done
      ? { status: 'DELETE_COMPLETE', reason: null, changes: { outputs: [], imports: [] } }
      : { status: 'DELETE_FAILED',
        reason: this.#failedResources(stack, 'DELETE_FAILED', 'delete') }
  }

  /** Makes every resource of the plan as it says, several at a time. */
  async #converge (stack: Stack, abort: AbortController): Promise<boolean> {
    const { resources } = this.#dependencies.planOf(stack)
    const order = new Map([...resources.values()].map(({ logicalId, dependsOn }) =>
      [logicalId, dependsOn]))
    return await inOrder(order, abort.signal, async (logicalId) => {
      const planned = resources.get(logicalId) as PlannedResource
      const done = await this.#work.apply(stack, planned, abort.signal)
      if (!done) abort.abort(CANCELLED)
      return done
    })
  }

  /** Deletes in reverse order; what does not depend on a failure goes on. */
  async #deleteResources (stack: Stack, signal: AbortSignal,
    isKept: (record: StackResource) => boolean): Promise<boolean> {
    const left = resourcesOf(this.#work.snapshot, stack.id).filter(({ status }) =>
      status !== 'DELETE_COMPLETE' && status !== 'DELETE_SKIPPED')
    return await inOrder(reversed(dependenciesOf(left)), signal, async (logicalId) => {
      const record = this.#work.find(stack.id, logicalId)
      if (record === undefined) return true
      if (isKept(record) && record.physicalId !== null) {
        await this.#work.skip(record, false)
        return true
      }
      return await this.#work.delete(stack, this.#dependencies.types, record, signal, false)
    })
  }

  #failedResources (stack: Stack, status: ResourceStatus, verb: string): string {
    const failed = resourcesOf(this.#work.snapshot, stack.id)
      .filter((record) => record.status === status).map(({ logicalId }) => logicalId)
    return failed.length === 0 ? '' : `The following resource(s) failed to ${verb}: ` +
      `[${failed.join(', ')}].`
  }

  async #applied (): Promise<void> {
    const { revision } = this.#work.snapshot
    await this.#dependencies.waitApplied(revision, APPLY_WAIT_MS_MAX)
  }

  /** Waits for the hosts. @returns what the finished stack says of itself */
  async #settled (stack: Stack): Promise<Partial<Stack>> {
    await this.#applied()
    const plan = this.#dependencies.planOf(stack)
    const others = exportsOf(this.#work.snapshot, stack).filter((one) => one.stackId !== stack.id)
    const outputs = plan.outputs.map(({ key, value, description, exportName }): StackOutput => {
      const filled = fillIn(value, (name) => this.#work.made(stack.id, name))
      if (typeof filled === 'object') {
        throw new AwsError('ValidationError', `Template format error: Output ${key} is ` +
          'malformed. The Value field of every Outputs member must evaluate to a String.')
      }
      const taken = others.find(({ name }) => name === exportName)
      if (taken !== undefined) {
        throw new AwsError('ValidationError', `Export with name ${taken.name} is already ` +
          `exported by stack ${taken.stackId}.`)
      }
      this.#refuseExportChange(stack, exportName, String(filled))
      return { key, value: String(filled), description, exportName }
    })
    return { outputs, imports: plan.imports, description: plan.description }
  }

  /** @throws AwsError ValidationError for another value of an export that somebody uses */
  #refuseExportChange (stack: Stack, name: string | null, value: string): void {
    const old = stack.outputs.find(({ exportName }) => exportName !== null && exportName === name)
    if (old === undefined || old.value === value) return
    const users = importersOf(this.#work.snapshot, stack, name ?? '')
    if (users.length === 0) return
    throw new AwsError('ValidationError', `Cannot update export ${name ?? ''} as it is in use by ` +
      users.map((one) => one.name).join(', '))
  }
}

function dependenciesOf (records: readonly StackResource[]): Dependencies {
  return new Map(records.map(({ logicalId, dependsOn }) => [logicalId, dependsOn]))
}

/** Where a phase goes that failed. */
function failureOf (stack: Stack, reason: string): Outcome {
  const { status, disableRollback, onFailure, previousSource } = stack
  const rolledBack = `${reason} Rollback requested by user.`.trimStart()
  switch (status) {
    case 'CREATE_IN_PROGRESS':
      if (disableRollback || onFailure === 'DO_NOTHING') return { status: 'CREATE_FAILED', reason }
      return onFailure === 'DELETE'
        ? { status: 'DELETE_IN_PROGRESS', reason: `${reason} Delete requested by user.` }
        : { status: 'ROLLBACK_IN_PROGRESS', reason: rolledBack }
    case 'UPDATE_IN_PROGRESS':
      if (disableRollback || previousSource === null) return { status: 'UPDATE_FAILED', reason }
      return { status: 'UPDATE_ROLLBACK_IN_PROGRESS', reason,
        changes: { source: previousSource } }
    case 'ROLLBACK_IN_PROGRESS': return { status: 'ROLLBACK_FAILED', reason }
    case 'UPDATE_COMPLETE_CLEANUP_IN_PROGRESS':
      return { status: 'UPDATE_COMPLETE', reason, changes: { previousSource: null } }
    case 'UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS':
      return { status: 'UPDATE_ROLLBACK_COMPLETE', reason, changes: { previousSource: null } }
    case 'UPDATE_ROLLBACK_IN_PROGRESS': return { status: 'UPDATE_ROLLBACK_FAILED', reason }
    default: return { status: 'DELETE_FAILED', reason }
  }
}
