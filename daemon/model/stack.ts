/**
 * Stacks: templates that became resources, as records. CloudFormation User Guide, "Stacks";
 * "Stack status codes".
 *
 *     Stack ──┬── StackResource   one per logical id: what it became, and with which properties
 *             └── StackEvent      what happened, in order
 *
 * All three change in one transaction, and a stack's status says what its engine does next
 * (api/cloudformation/engine.ts): a daemon that is killed in the middle reads here where to go on.
 * A stack belongs to an account and a Region as resources do, but is none of EC2's: it carries no
 * tags that EC2 shows and is in no Describe call of EC2.
 */
import { AwsError } from './aws_error.ts'
import { checkQuota } from './quota.ts'
import type { Tags } from './record.ts'
import type { Change, Snapshot } from './snapshot.ts'
import { put, remove } from './snapshot.ts'

/** Bytes of a template; CloudFormation's own for a TemplateBody. */
export const TEMPLATE_BYTES_MAX = 51_200
/** Resources of a stack, and members of each other section of a template, as CloudFormation has. */
export const STACK_RESOURCES_MAX = 500
export const STACK_PARAMETERS_MAX = 200
export const STACK_OUTPUTS_MAX = 200
export const STACK_MAPPINGS_MAX = 200
/** Events of a stack that are kept; the oldest go. */
export const STACK_EVENTS_MAX = 2_000
/** Deleted stacks that an account can still look up by their id in a Region; the oldest go. */
export const STACKS_DELETED_MAX = 100

export type StackStatus =
  | 'REVIEW_IN_PROGRESS'
  | 'CREATE_IN_PROGRESS' | 'CREATE_COMPLETE' | 'CREATE_FAILED'
  | 'ROLLBACK_IN_PROGRESS' | 'ROLLBACK_COMPLETE' | 'ROLLBACK_FAILED'
  | 'UPDATE_IN_PROGRESS' | 'UPDATE_COMPLETE_CLEANUP_IN_PROGRESS' | 'UPDATE_COMPLETE'
  | 'UPDATE_FAILED'
  | 'UPDATE_ROLLBACK_IN_PROGRESS' | 'UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS'
  | 'UPDATE_ROLLBACK_COMPLETE' | 'UPDATE_ROLLBACK_FAILED'
  | 'DELETE_IN_PROGRESS' | 'DELETE_COMPLETE' | 'DELETE_FAILED'

export type ResourceStatus =
  | 'CREATE_IN_PROGRESS' | 'CREATE_COMPLETE' | 'CREATE_FAILED'
  | 'UPDATE_IN_PROGRESS' | 'UPDATE_COMPLETE' | 'UPDATE_FAILED'
  | 'DELETE_IN_PROGRESS' | 'DELETE_COMPLETE' | 'DELETE_FAILED' | 'DELETE_SKIPPED'

export type Json = string | number | boolean | null | readonly Json[] | JsonObject
export interface JsonObject { readonly [name: string]: Json }

/** What a stack is made from. */
export interface StackSource {
  /** As it was given. */
  readonly template: string
  /** Values of all parameters, those of `NoEcho` too; a list is separated by commas. */
  readonly parameters: Readonly<Record<string, string>>
  readonly tags: Tags
}

export interface StackOutput {
  readonly key: string
  readonly value: string
  readonly description: string | null
  readonly exportName: string | null
}

export type OnFailure = 'ROLLBACK' | 'DELETE' | 'DO_NOTHING'

export interface Stack {
  /** ARN: `arn:aws:cloudformation:<region>:<account>:stack/<name>/<uuid>`. */
  readonly id: string
  readonly name: string
  readonly accountId: string
  readonly region: string
  readonly status: StackStatus
  readonly statusReason: string | null
  readonly createdMs: number
  readonly updatedMs: number | null
  readonly deletedMs: number | null
  readonly description: string | null
  /** What the stack is, or is to become while an update is in progress. */
  readonly source: StackSource
  /** What an update that fails goes back to; null outside of updates. */
  readonly previousSource: StackSource | null
  readonly onFailure: OnFailure
  readonly disableRollback: boolean
  readonly terminationProtection: boolean
  readonly timeoutMinutes: number | null
  readonly capabilities: readonly string[]
  readonly outputs: readonly StackOutput[]
  /** Names of exports of other stacks that this one uses. */
  readonly imports: readonly string[]
  /** Logical ids that a delete leaves alone, whatever their DeletionPolicy. */
  readonly retainResources: readonly string[]
  /** Of the operation in progress, or of the last one. */
  readonly clientRequestToken: string | null
  /** What made the operation in progress, to tell a repeated request from another one. */
  readonly requestHash: string
}

/** What becomes of the physical resource; the last is for what a failed operation had made. */
export type DeletionPolicy = 'Delete' | 'Retain' | 'RetainExceptOnCreate'

/** A physical resource that a replacement has put aside, and that the clean-up deletes. */
export interface ReplacedResource {
  readonly physicalId: string
  readonly properties: JsonObject
}

export interface StackResource {
  /** `<stack id>/<logical id>` */
  readonly id: string
  readonly stackId: string
  readonly logicalId: string
  /** `AWS::EC2::VPC` */
  readonly type: string
  /** null until it is made. */
  readonly physicalId: string | null
  readonly status: ResourceStatus
  readonly statusReason: string | null
  readonly updatedMs: number
  /** Ties the call that makes the resource to this record: made again, it makes nothing new. */
  readonly token: string
  /** Properties in force; empty until the resource is complete. */
  readonly properties: JsonObject
  /**
   * Properties that it has been given since, each of which may be in force in part; the last is
   * what is wanted. Empty when it is complete.
   */
  readonly attempts: readonly JsonObject[]
  /** Tags that the stack gives, besides those in the properties. */
  readonly stackTags: Tags
  /** What Fn::GetAtt answers. */
  readonly attributes: JsonObject
  /** Logical ids that it needs, and so is deleted before. */
  readonly dependsOn: readonly string[]
  readonly deletionPolicy: DeletionPolicy
  readonly updateReplacePolicy: DeletionPolicy
  readonly replaced: readonly ReplacedResource[]
}

export interface StackEvent {
  /** `<stack id>/<event id>` */
  readonly id: string
  readonly stackId: string
  readonly eventId: string
  readonly atMs: number
  /** Of the stack itself: its name. */
  readonly logicalId: string
  readonly physicalId: string | null
  readonly type: string
  readonly status: StackStatus | ResourceStatus
  readonly statusReason: string | null
  /** JSON text; null for the stack itself. */
  readonly properties: string | null
  readonly clientRequestToken: string | null
}

export interface ChangeSetChange {
  readonly action: 'Add' | 'Modify' | 'Remove'
  readonly logicalId: string
  readonly physicalId: string | null
  readonly type: string
  readonly replacement: 'True' | 'False' | 'Conditional' | null
  /** Names of the properties that differ. */
  readonly properties: readonly string[]
}

/** Changes that somebody has asked about and not yet ordered. */
export interface ChangeSet {
  /** ARN */
  readonly id: string
  readonly name: string
  readonly stackId: string
  readonly createdMs: number
  readonly description: string | null
  readonly kind: 'CREATE' | 'UPDATE'
  readonly source: StackSource
  readonly capabilities: readonly string[]
  readonly onFailure: OnFailure
  readonly changes: readonly ChangeSetChange[]
  readonly status: 'CREATE_COMPLETE' | 'FAILED'
  readonly statusReason: string | null
}

/** Change sets of a stack; more are refused. */
export const CHANGE_SETS_MAX = 100

export const STACK_TYPE = 'AWS::CloudFormation::Stack'

export function stackResourceId (stackId: string, logicalId: string): string {
  return `${stackId}/${logicalId}`
}

/** Whether an operation of the stack goes on. */
export function isBusy ({ status }: Stack): boolean {
  return status.endsWith('_IN_PROGRESS') && status !== 'REVIEW_IN_PROGRESS'
}

export interface StackOwner { readonly accountId: string, readonly region: string }

/** All stacks of an account in a Region, deleted ones too, in order of creation. */
export function stacksOf (snapshot: Snapshot, owner: StackOwner): Stack[] {
  return snapshot.tables.stack.by('accountId', owner.accountId)
    .filter(({ region }) => region === owner.region)
}

/** By name a stack that is there, by ARN a deleted one too. */
export function findStack (snapshot: Snapshot, owner: StackOwner, name: string): Stack | undefined {
  return stacksOf(snapshot, owner).find((stack) => stack.id === name ||
    (stack.name === name && stack.status !== 'DELETE_COMPLETE'))
}

/** @throws AwsError ValidationError */
export function requireStack (snapshot: Snapshot, owner: StackOwner, name: string): Stack {
  const stack = findStack(snapshot, owner, name)
  if (stack === undefined) {
    throw new AwsError('ValidationError', `Stack with id ${name} does not exist`)
  }
  return stack
}

/**
 * Sets of properties of which each may be in force, at least in part: that of the time when the
 * resource was complete, if it ever was, and those of attempts since.
 */
export function propertiesInForce ({ properties, attempts }: StackResource): readonly JsonObject[] {
  const wasComplete = attempts.length === 0 || Object.keys(properties).length > 0
  return wasComplete ? [properties, ...attempts] : attempts
}

/** In order of creation. */
export function resourcesOf (snapshot: Snapshot, stackId: string): StackResource[] {
  return snapshot.tables.stackResource.by('stackId', stackId)
}

/** Oldest first. */
export function eventsOf (snapshot: Snapshot, stackId: string): StackEvent[] {
  return snapshot.tables.stackEvent.by('stackId', stackId)
}

const STACK_NAME = /^[a-zA-Z][-a-zA-Z0-9]{0,127}$/

/** @throws AwsError ValidationError, AlreadyExistsException, LimitExceededException */
export function checkNewStack (snapshot: Snapshot, owner: StackOwner, name: string): void {
  if (!STACK_NAME.test(name)) {
    throw new AwsError('ValidationError',
      `1 validation error detected: Value '${name.slice(0, 140)}' at 'stackName' failed to ` +
      'satisfy constraint: Member must satisfy regular expression pattern: ' +
      '[a-zA-Z][-a-zA-Z0-9]*, with at most 128 characters')
  }
  const there = stacksOf(snapshot, owner).filter(({ status }) => status !== 'DELETE_COMPLETE')
  const same = there.find((stack) => stack.name === name)
  if (same !== undefined) {
    throw new AwsError('AlreadyExistsException', `Stack [${name}] already exists`)
  }
  checkQuota(snapshot, 'stacks-per-region', there.length + 1)
}

/** What an event needs that a record does not say. */
export interface EventFacts { readonly eventId: string, readonly nowMs: number }

/** The stack as it is now, and the event of its new status. */
export function stackChanges (snapshot: Snapshot, stack: Stack, facts: EventFacts): Change[] {
  return [put('stack', stack), ...eventChanges(snapshot, {
    id: `${stack.id}/${facts.eventId}`, stackId: stack.id, eventId: facts.eventId,
    atMs: facts.nowMs, logicalId: stack.name, physicalId: stack.id, type: STACK_TYPE,
    status: stack.status, statusReason: stack.statusReason, properties: null,
    clientRequestToken: stack.clientRequestToken
  })]
}

/** The resource as it is now, and the event of its new status. */
export function resourceChanges (snapshot: Snapshot, resource: StackResource,
  facts: EventFacts): Change[] {
  const { stackId, logicalId, physicalId, type, status, statusReason } = resource
  const token = snapshot.tables.stack.get(stackId)?.clientRequestToken ?? null
  const record = { ...resource, updatedMs: facts.nowMs }
  return [put('stackResource', record), ...eventChanges(snapshot, {
    id: `${stackId}/${facts.eventId}`, stackId, eventId: facts.eventId, atMs: facts.nowMs,
    logicalId, physicalId, type, status, statusReason,
    properties: JSON.stringify(resource.attempts.at(-1) ?? resource.properties),
    clientRequestToken: token
  })]
}

function eventChanges (snapshot: Snapshot, event: StackEvent): Change[] {
  const events = eventsOf(snapshot, event.stackId)
  const excess = Math.max(events.length + 1 - STACK_EVENTS_MAX, 0)
  return [put('stackEvent', event),
    ...events.slice(0, excess).map(({ id }) => remove('stackEvent', id))]
}

/** Takes the oldest deleted stacks away with all that is left of them. */
export function forgetDeletedStacks (snapshot: Snapshot, owner: StackOwner): Change[] {
  const deleted = stacksOf(snapshot, owner).filter(({ status }) => status === 'DELETE_COMPLETE')
  deleted.sort((a, b) => (a.deletedMs ?? 0) - (b.deletedMs ?? 0))
  const excess = Math.max(deleted.length - STACKS_DELETED_MAX, 0)
  return deleted.slice(0, excess).flatMap(({ id }) => forgetStack(snapshot, id))
}

/** Every record of a stack. */
export function forgetStack (snapshot: Snapshot, stackId: string): Change[] {
  const { changeSet } = snapshot.tables
  return [
    remove('stack', stackId),
    ...resourcesOf(snapshot, stackId).map(({ id }) => remove('stackResource', id)),
    ...eventsOf(snapshot, stackId).map(({ id }) => remove('stackEvent', id)),
    ...changeSet.by('stackId', stackId).map(({ id }) => remove('changeSet', id))
  ]
}

/** An export and the stack that has it. */
export interface StackExport {
  readonly name: string
  readonly value: string
  readonly stackId: string
}

export function exportsOf (snapshot: Snapshot, owner: StackOwner): StackExport[] {
  return stacksOf(snapshot, owner).filter(({ status }) => status !== 'DELETE_COMPLETE')
    .flatMap((stack) => stack.outputs.flatMap(({ exportName, value }) => exportName === null
      ? []
      : [{ name: exportName, value, stackId: stack.id }]))
}

/** Stacks that import `name`. */
export function importersOf (snapshot: Snapshot, owner: StackOwner, name: string): Stack[] {
  return stacksOf(snapshot, owner).filter((stack) => stack.status !== 'DELETE_COMPLETE' &&
    stack.imports.includes(name))
}
