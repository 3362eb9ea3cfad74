/**
 * What is done to one resource of a stack: made, changed, replaced, deleted. Each step is a record
 * before it is a call, so that a daemon that starts again knows where it stood.
 *
 *     no record ─▶ CREATE_IN_PROGRESS ─ create ─▶ physical id ─ settle ─▶ CREATE_COMPLETE
 *     complete  ─▶ UPDATE_IN_PROGRESS ─ settle ─▶ UPDATE_COMPLETE
 *                                     └ replaced: physical id put aside, then as for a new one
 *     any       ─▶ DELETE_IN_PROGRESS ─ delete ─▶ DELETE_COMPLETE
 *
 * What a replacement has put aside is deleted by the clean-up of the update, or taken up again by
 * its rollback.
 */
import type { Logger } from 'pino'
import type { Clock } from '../../base/clock.ts'
import { VpclabError } from '../../base/errors.ts'
import { newUuid } from '../../base/ids.ts'
import type { Random } from '../../base/random.ts'
import { AwsError } from '../../model/aws_error.ts'
import type { CommitListener } from '../../model/commit_feed.ts'
import type { Ledger } from '../../model/ledger.ts'
import { AccountView, remove } from '../../model/snapshot.ts'
import type { Change, Snapshot } from '../../model/snapshot.ts'
import type {
  EventFacts, Json, JsonObject, ReplacedResource, Stack, StackResource
} from '../../model/stack.ts'
import { propertiesInForce, resourceChanges, stackResourceId } from '../../model/stack.ts'
import type { TagInput } from '../../model/tag.ts'
import { tagsFromInput } from '../../model/tag.ts'
import { planStackTags } from '../../model/tagging.ts'
import type { Caller } from '../sigv4.ts'
import { canonical, typedProperties } from './property.ts'
import type { ResourceCall, ResourceType } from './resource_type.ts'
import type { MadeResource, PlannedResource } from './stack_plan.ts'
import { fillIn, updateOf } from './stack_plan.ts'

/** How long a resource may take to be there or gone, ms. */
export const RESOURCE_WAIT_MS_MAX = 10 * 60_000

export interface WorkDependencies {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Calls back after every commit of the store, until it is closed. */
  readonly onCommit: (listener: CommitListener) => { close(): void }
  /** One call of EC2. */
  readonly invoke: (caller: Caller, action: string, input: object,
    token?: string) => Promise<object>
}

/** What a person is told of a failure. */
function reasonOf (error: unknown): string {
  if (error instanceof AwsError) return `${error.message} (Service: Ec2, Error Code: ${error.code})`
  return error instanceof Error ? error.message : String(error)
}

/** Something that a stack has, wherever it is put aside. */
type Physical = ReplacedResource

/**
 * The daemon stops, and whatever was begun is left as the records say, for the next one; or the lab
 * was emptied, and there is no stack any more.
 */
export class StoppedError extends Error {
  override readonly name = 'StoppedError'
}

export class ResourceWork {
  readonly #dependencies: WorkDependencies
  #stopped = false

  constructor (dependencies: WorkDependencies) {
    this.#dependencies = dependencies
  }

  get snapshot (): Snapshot { return this.#dependencies.ledger.snapshot }

  facts (): EventFacts {
    const { random, clock } = this.#dependencies
    return { eventId: newUuid(random), nowMs: clock.nowMs() }
  }

  /** From now on nothing is written, and what tries to ends with StoppedError. */
  stop (): void { this.#stopped = true }
  /** Takes `stop` back. */
  resume (): void { this.#stopped = false }

  /** @throws StoppedError */
  async write (changes: () => readonly Change[]): Promise<void> {
    if (this.#stopped) throw new StoppedError('the daemon stops')
    await this.#dependencies.ledger.transact(() => ({ changes: changes(), result: null }))
  }

  find (stackId: string, logicalId: string): StackResource | undefined {
    return this.snapshot.tables.stackResource.get(stackResourceId(stackId, logicalId))
  }

  /** A resource for those that refer to it. */
  made (stackId: string, logicalId: string): MadeResource | undefined {
    const { physicalId = null, attributes = {} } = this.find(stackId, logicalId) ?? {}
    return physicalId === null ? undefined : { physicalId, attributes }
  }

  /**
   * Makes one resource as planned. Precondition: what it depends on is there.
   * @param signal aborted when the stack has failed elsewhere: a wait ends
   * @returns false when it failed; the record says why
   */
  async apply (stack: Stack, planned: PlannedResource, signal: AbortSignal): Promise<boolean> {
    let record = this.find(stack.id, planned.logicalId)
    if (record?.status === 'DELETE_COMPLETE') record = undefined
    let properties: JsonObject
    try {
      properties = typedProperties(planned.logicalId, planned.type.properties,
        fillIn(planned.properties, (name) => this.made(stack.id, name)) as JsonObject)
    } catch (error) {
      const failing = record ?? this.#newRecord(stack, planned, {})
      await this.#fail(failing, record === undefined ? 'CREATE_FAILED' : 'UPDATE_FAILED', error)
      return false
    }
    const current = this.#described(record, planned)
    if (current === undefined) {
      return await this.#create(stack, planned, this.#newRecord(stack, planned, properties), signal)
    }
    const putAside = current.replaced.find((one) => same(one.properties, properties))
    if (putAside !== undefined && !same(current.properties, properties)) {
      return await this.#takeUp(stack, planned, current, putAside)
    }
    const inForce = propertiesInForce(current)
    const wasComplete = inForce.includes(current.properties)
    if (current.physicalId === null || (!wasComplete && inForce.every((one) =>
      same(one, properties)))) {
      return await this.#create(stack, planned, this.#again(current, properties), signal)
    }
    const update = updateOf(current, planned, properties)
    const tagsDiffer = planned.type.tagged && !same(current.stackTags, stack.source.tags)
    if (update === 'replaces') {
      return await this.#create(stack, planned, this.#aside(current, properties), signal)
    }
    if (update === 'in place' || tagsDiffer || !current.status.endsWith('_COMPLETE')) {
      return await this.#change(stack, planned, current, properties, signal)
    }
    if (current !== record) await this.write(() => [this.#put(current)])
    return true
  }

  /** The record with what the template says of it besides its properties. */
  #described (record: StackResource | undefined,
    planned: PlannedResource): StackResource | undefined {
    const { dependsOn, deletionPolicy, updateReplacePolicy } = planned
    if (record === undefined) return undefined
    const next = { ...record, dependsOn, deletionPolicy, updateReplacePolicy }
    return canonical(next as unknown as Json) === canonical(record as unknown as Json)
      ? record
      : next
  }

  #put (record: StackResource): Change {
    return { noun: 'stackResource', id: record.id, record }
  }

  #newRecord (stack: Stack, planned: PlannedResource, properties: JsonObject): StackResource {
    const { logicalId, type, dependsOn, deletionPolicy, updateReplacePolicy } = planned
    return {
      id: stackResourceId(stack.id, logicalId), stackId: stack.id, logicalId, type: type.name,
      physicalId: null, status: 'CREATE_IN_PROGRESS', statusReason: null, updatedMs: 0,
      token: newUuid(this.#dependencies.random), properties: {}, attempts: [properties],
      stackTags: {}, attributes: {}, dependsOn, deletionPolicy, updateReplacePolicy, replaced: []
    }
  }

  /** A creation that was begun before goes on; with other properties it begins anew. */
  #again (record: StackResource, properties: JsonObject): StackResource {
    const goesOn = same(record.attempts.at(-1) ?? null, properties)
    return goesOn
      ? record
      : { ...record, token: newUuid(this.#dependencies.random), attempts: [properties] }
  }

  /** The record of a replacement: the present physical resource is put aside. */
  #aside (record: StackResource, properties: JsonObject): StackResource {
    const { physicalId } = record
    const old = record.attempts.at(-1) ?? record.properties
    return {
      ...record, physicalId: null, properties: {}, attempts: [properties],
      status: 'UPDATE_IN_PROGRESS', token: newUuid(this.#dependencies.random),
      statusReason: 'Requested update requires the creation of a new physical resource; hence ' +
        'creating one.',
      replaced: [...record.replaced,
        ...physicalId === null ? [] : [{ physicalId, properties: old }]]
    }
  }

  /** A rollback finds what the update had replaced, and puts the new one aside instead. */
  async #takeUp (stack: Stack, { type }: PlannedResource, record: StackResource,
    putAside: Physical): Promise<boolean> {
    const { physicalId, properties } = putAside
    const rest = record.replaced.filter((one) => one !== putAside)
    const newOne = await this.#present(stack, type, record)
    const taken: StackResource = {
      ...record, physicalId, properties, attempts: [], replaced: [...rest, ...newOne],
      stackTags: stack.source.tags, status: 'UPDATE_COMPLETE', statusReason: null
    }
    const call = this.#call(stack, taken, properties, AbortSignal.abort())
    const attributes = type.read?.(call, physicalId) ?? {}
    await this.#event({ ...taken, attributes })
    return true
  }

  /**
   * What the record stands for. A daemon may have been killed when the resource was made and its id
   * was not yet written: then the call is known by its token, and repeated it gives the id.
   */
  async #present (stack: Stack, type: ResourceType | undefined,
    record: StackResource): Promise<Physical[]> {
    const properties = record.attempts.at(-1) ?? record.properties
    if (record.physicalId !== null) return [{ physicalId: record.physicalId, properties }]
    const isMade = [...this.snapshot.tables.idempotency.values()]
      .some(({ id }) => id.endsWith(`/${record.token}`))
    if (type === undefined || !isMade) return []
    const call = this.#call(stack, record, properties, AbortSignal.abort())
    return [{ physicalId: await type.create(call), properties }]
  }

  /** A new physical resource. */
  async #create (stack: Stack, planned: PlannedResource, begun: StackResource,
    signal: AbortSignal): Promise<boolean> {
    const isUpdate = begun.status.startsWith('UPDATE')
    const properties = begun.attempts.at(-1) ?? {}
    let record: StackResource = { ...begun,
      status: isUpdate ? 'UPDATE_IN_PROGRESS' : 'CREATE_IN_PROGRESS' }
    try {
      await this.#event(record)
      const call = this.#call(stack, record, properties, signal)
      const physicalId = record.physicalId ?? await planned.type.create(call)
      if (record.physicalId === null) {
        record = { ...record, physicalId,
          statusReason: isUpdate ? null : 'Resource creation Initiated' }
        await this.#event(record)
      }
      await this.#complete(stack, planned.type, record, call, [],
        isUpdate ? 'UPDATE_COMPLETE' : 'CREATE_COMPLETE')
      return true
    } catch (error) {
      await this.#fail(record, isUpdate ? 'UPDATE_FAILED' : 'CREATE_FAILED', error)
      return false
    }
  }

  /** A change in place. */
  async #change (stack: Stack, planned: PlannedResource, current: StackResource,
    properties: JsonObject, signal: AbortSignal): Promise<boolean> {
    const before = propertiesInForce(current)
    const attempts = [...current.attempts.filter((one) => !same(one, properties)), properties]
    const record: StackResource =
      { ...current, attempts, status: 'UPDATE_IN_PROGRESS', statusReason: null }
    try {
      await this.#event(record)
      const call = this.#call(stack, record, properties, signal)
      await this.#complete(stack, planned.type, record, call, before, 'UPDATE_COMPLETE')
      return true
    } catch (error) {
      await this.#fail(record, 'UPDATE_FAILED', error)
      return false
    }
  }

  /** The steps that may be done any number of times, and the end. */
  async #complete (stack: Stack, type: ResourceType, record: StackResource, call: ResourceCall,
    before: readonly JsonObject[],
    status: 'CREATE_COMPLETE' | 'UPDATE_COMPLETE'): Promise<void> {
    const { properties } = call
    const id = record.physicalId ?? ''
    const taggedId = type.taggedId?.(call, id) ?? id
    if (type.tagged) await this.#setTags(stack, { ...record, taggedId }, call, before)
    const physicalId = await type.settle?.(call, id, before) ?? id
    await this.#event({
      ...record, physicalId, properties, attempts: [], stackTags: stack.source.tags,
      attributes: type.read?.(call, physicalId) ?? {}, status, statusReason: null
    })
  }

  async #setTags (stack: Stack, record: StackResource & { readonly taggedId: string },
    { properties, view }: ResourceCall, before: readonly JsonObject[]): Promise<void> {
    const own = tagsFromInput((properties['Tags'] ?? []) as readonly TagInput[])
    const tags = {
      ...stack.source.tags, ...own,
      'aws:cloudformation:stack-name': stack.name,
      'aws:cloudformation:stack-id': stack.id,
      'aws:cloudformation:logical-id': record.logicalId
    }
    const had = before.flatMap((one) => (one['Tags'] ?? []) as readonly TagInput[])
      .map(({ Key = '' }) => Key)
    const removed = [...had, ...Object.keys(record.stackTags)]
      .filter((key) => !Object.hasOwn(tags, key))
    await this.#dependencies.ledger.transact(() =>
      planStackTags(view, record.taggedId, tags, removed))
  }

  /**
   * Deletes a resource with all that it has put aside.
   * @param forgets whether the record goes too; otherwise it stays as DELETE_COMPLETE
   * @returns false when it failed
   */
  async delete (stack: Stack, types: ReadonlyMap<string, ResourceType>, record: StackResource,
    signal: AbortSignal, forgets: boolean): Promise<boolean> {
    try {
      await this.#event({ ...record, status: 'DELETE_IN_PROGRESS', statusReason: null })
      const type = types.get(record.type)
      const own = await this.#present(stack, type, record)
      for (const physical of [...own, ...record.replaced]) {
        await this.#deletePhysical(stack, type, record, physical, signal)
      }
      await this.#end({ ...record, status: 'DELETE_COMPLETE', statusReason: null, replaced: [] },
        forgets)
      return true
    } catch (error) {
      await this.#fail(record, 'DELETE_FAILED', error)
      return false
    }
  }

  /** Leaves the physical resource alone, and forgets it or says so. */
  async skip (record: StackResource, forgets: boolean): Promise<void> {
    await this.#end({ ...record, status: 'DELETE_SKIPPED', statusReason: null }, forgets)
  }

  /**
   * Deletes what replacements have put aside.
   * @returns false when some of it stays
   */
  async deleteReplaced (stack: Stack, types: ReadonlyMap<string, ResourceType>,
    record: StackResource, signal: AbortSignal): Promise<boolean> {
    const kept = record.updateReplacePolicy === 'Delete'
    const { replaced } = record
    try {
      for (const physical of replaced) {
        if (!kept || physical.physicalId === record.physicalId) continue
        await this.#event({ ...record, physicalId: physical.physicalId,
          status: 'DELETE_IN_PROGRESS', statusReason: null }, record)
        await this.#deletePhysical(stack, types.get(record.type), record, physical, signal)
        await this.#event({ ...record, physicalId: physical.physicalId,
          status: 'DELETE_COMPLETE', statusReason: null }, record)
      }
      await this.write(() => [this.#put({ ...record, replaced: [] })])
      return true
    } catch (error) {
      await this.#event({ ...record, status: 'DELETE_FAILED', statusReason: reasonOf(error) },
        record)
      return false
    }
  }

  async #deletePhysical (stack: Stack, type: ResourceType | undefined, record: StackResource,
    physical: Physical, signal: AbortSignal): Promise<void> {
    await type?.delete(this.#call(stack, record, physical.properties, signal), physical.physicalId)
  }

  async #end (record: StackResource, forgets: boolean): Promise<void> {
    await this.write(() => {
      const changes = resourceChanges(this.snapshot, record, this.facts())
      return forgets ? [...changes, remove('stackResource', record.id)] : changes
    })
  }

  async #fail (record: StackResource,
    status: 'CREATE_FAILED' | 'UPDATE_FAILED' | 'DELETE_FAILED', error: unknown): Promise<void> {
    if (!(error instanceof AwsError || error instanceof VpclabError)) {
      this.#dependencies.log.error({ err: error, resource: record.id }, 'a resource failed')
    }
    await this.#event({ ...record, status, statusReason: reasonOf(error) })
  }

  /** Writes the record and its event; with `stored`, the event alone is about `record`. */
  async #event (record: StackResource, stored: StackResource = record): Promise<void> {
    await this.write(() => {
      const facts = this.facts()
      if (this.snapshot.tables.stack.get(record.stackId) === undefined) {
        throw new StoppedError('the lab was emptied')
      }
      const changes = resourceChanges(this.snapshot, record, facts)
      return stored === record
        ? changes
        : [...changes, this.#put({ ...stored, updatedMs: facts.nowMs })]
    })
  }

  #call (stack: Stack, record: StackResource, properties: JsonObject,
    signal: AbortSignal): ResourceCall {
    const { accountId, region } = stack
    const caller: Caller = { accessKeyId: '', accountId, region }
    const { invoke } = this.#dependencies
    const { token } = record
    return {
      logicalId: record.logicalId,
      uniqueName: `${stack.name}-${record.logicalId}-${token.slice(-12)}`,
      properties,
      view: new AccountView(this.snapshot, accountId, region),
      ec2: async <Output>(action: string, input: object) =>
        await invoke(caller, action, input) as Output,
      once: async <Output>(action: string, input: object) =>
        await invoke(caller, action, input, token) as Output,
      until: async (condition) => { await this.#until(condition, signal) }
    }
  }

  /** Looks again after every commit: what is waited for is a record that somebody writes. */
  async #until (condition: () => boolean, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer)
        subscription.close()
        signal.removeEventListener('abort', cancelled)
        settle()
      }
      const look = (): void => {
        try {
          if (condition()) end(resolve)
        } catch (error) {
          end(() => { reject(error instanceof Error ? error : new Error(String(error))) })
        }
      }
      const cancelled = (): void => {
        end(() => { reject(new AwsError('InternalError', String(signal.reason))) })
      }
      const subscription = this.#dependencies.onCommit(look)
      const timer = setTimeout(() => {
        const late = 'Exceeded attempts to wait: it took more than ' +
          `${String(RESOURCE_WAIT_MS_MAX / 60_000)} minutes`
        end(() => { reject(new AwsError('InternalError', late)) })
      }, RESOURCE_WAIT_MS_MAX)
      signal.addEventListener('abort', cancelled)
      if (signal.aborted) cancelled()
      else look()
    })
  }
}

function same (a: Json, b: Json): boolean { return canonical(a) === canonical(b) }
