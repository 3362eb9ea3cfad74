/**
 * Actions that give orders to the engine: CreateStack, UpdateStack, DeleteStack and what goes with
 * them. CloudFormation API Reference.
 *
 * An action writes the order (a status that ends in IN_PROGRESS) and answers; the engine follows
 * the store and carries it out.
 */
import type * as Cfn from '@aws-sdk/client-cloudformation'
import { newUuid } from '../../base/ids.ts'
import { AwsError } from '../../model/aws_error.ts'
import type { OnFailure, Stack, StackOwner, StackSource } from '../../model/stack.ts'
import {
  checkNewStack, exportsOf, findStack, forgetStack, importersOf, isBusy, requireStack, stackChanges
} from '../../model/stack.ts'
import { refuseUnbuilt } from '../ec2/unbuilt.ts'
import type { Caller } from '../sigv4.ts'
import type { ActionContext, StackAction } from './action.ts'
import { hashOfRequest, planOfStack, sourceFromInput, writes } from './action.ts'
import { canonical } from './property.ts'
import type { StackPlan } from './stack_plan.ts'
import { isSamePlan } from './stack_plan.ts'

const ON_FAILURE: readonly string[] = ['ROLLBACK', 'DELETE', 'DO_NOTHING'] satisfies OnFailure[]

/** A stack that is about to be, without a status. */
export function newStack (context: ActionContext, owner: StackOwner, name: string,
  source: StackSource): Stack {
  const { random, clock } = context
  const { accountId, region } = owner
  return {
    id: `arn:aws:cloudformation:${region}:${accountId}:stack/${name}/${newUuid(random)}`,
    name, accountId, region, status: 'CREATE_IN_PROGRESS', statusReason: 'User Initiated',
    createdMs: clock.nowMs(), updatedMs: null, deletedMs: null, description: null, source,
    previousSource: null, onFailure: 'ROLLBACK', disableRollback: false,
    terminationProtection: false, timeoutMinutes: null, capabilities: [], outputs: [], imports: [],
    retainResources: [], clientRequestToken: null, requestHash: ''
  }
}

/** Writes an order, given on the stack as it is at that moment. */
export async function order (context: ActionContext, next: () => Stack | null): Promise<void> {
  const { ledger, random, clock } = context
  await ledger.transact(() => {
    const stack = next()
    if (stack === null) return { changes: [], result: null }
    const facts = { eventId: newUuid(random), nowMs: clock.nowMs() }
    return { changes: stackChanges(ledger.snapshot, stack, facts), result: null }
  })
}

/**
 * Whether the stack's last order was this very request.
 * @throws AwsError TokenAlreadyExistsException when its token belongs to another request
 */
function isRepeated (stack: Stack | undefined, token: string | undefined, hash: string): boolean {
  if (stack === undefined || token === undefined || stack.clientRequestToken !== token) {
    return false
  }
  if (stack.requestHash === hash) return true
  throw new AwsError('TokenAlreadyExistsException',
    `The client request token ${token} belongs to another request; use a token for one only`)
}

async function createStack (context: ActionContext, caller: Caller,
  input: Cfn.CreateStackInput): Promise<Cfn.CreateStackOutput> {
  refuseUnbuilt('CreateStack', input, ['StackName', 'TemplateBody', 'TemplateURL', 'Parameters',
    'Tags', 'DisableRollback', 'OnFailure', 'TimeoutInMinutes', 'Capabilities',
    'ClientRequestToken', 'EnableTerminationProtection'])
  const { snapshot } = context.ledger
  const name = input.StackName ?? ''
  const hash = hashOfRequest('CreateStack', input)
  const there = findStack(snapshot, caller, name)
  if (isRepeated(there, input.ClientRequestToken, hash)) return { StackId: there?.id }
  checkNewStack(snapshot, caller, name)
  const source = sourceFromInput(context, caller, input, null)
  const stack: Stack = {
    ...newStack(context, caller, name, source),
    onFailure: onFailureOf(input), disableRollback: input.DisableRollback ?? false,
    timeoutMinutes: input.TimeoutInMinutes ?? null, capabilities: input.Capabilities ?? [],
    terminationProtection: input.EnableTerminationProtection ?? false,
    clientRequestToken: input.ClientRequestToken ?? null, requestHash: hash
  }
  const { description, imports } = planOfStack(snapshot, context.types, stack)
  await order(context, () => {
    checkNewStack(snapshot, caller, name)
    return { ...stack, description, imports }
  })
  return { StackId: stack.id }
}

/** @throws AwsError ValidationError */
export function onFailureOf (input: Pick<Cfn.CreateStackInput,
  'OnFailure' | 'DisableRollback'>): OnFailure {
  const { OnFailure: wanted, DisableRollback: disables } = input
  if (wanted === undefined) return 'ROLLBACK'
  if (disables !== undefined) {
    throw new AwsError('ValidationError',
      'You cannot specify both DisableRollback and OnFailure; give one of them')
  }
  if (!ON_FAILURE.includes(wanted)) {
    throw new AwsError('ValidationError', `OnFailure is one of ${ON_FAILURE.join(', ')}, not ` +
      wanted)
  }
  return wanted
}

const UPDATABLE = ['CREATE_COMPLETE', 'UPDATE_COMPLETE', 'UPDATE_ROLLBACK_COMPLETE',
  'CREATE_FAILED', 'UPDATE_FAILED']

/** @throws AwsError ValidationError */
export function checkUpdatable (stack: Stack): void {
  if (UPDATABLE.includes(stack.status)) return
  throw new AwsError('ValidationError',
    `Stack:${stack.id} is in ${stack.status} state and can not be updated.`)
}

/**
 * What an update may not do.
 * @throws AwsError ValidationError when nothing changes, a type changes, or an export that is used
 *   goes
 */
export function checkUpdate (context: ActionContext, stack: Stack, source: StackSource): StackPlan {
  const { ledger: { snapshot }, types } = context
  const after = planOfStack(snapshot, types, { ...stack, source })
  const before = planOfStack(snapshot, types, stack)
  const isDone = !stack.status.endsWith('_FAILED')
  if (isDone && isSamePlan(before, after) &&
    canonical(stack.source.tags) === canonical(source.tags)) {
    throw new AwsError('ValidationError', 'No updates are to be performed.')
  }
  for (const { logicalId, type } of after.resources.values()) {
    const old = before.resources.get(logicalId)
    if (old !== undefined && old.type !== type) {
      throw new AwsError('ValidationError', 'Update of resource type is not permitted. The ' +
        `resource ${logicalId} is an ${old.type.name} and cannot become an ${type.name}: give it ` +
        'another logical id')
    }
  }
  const kept = new Set(after.outputs.map(({ exportName }) => exportName))
  refuseUsedExports(context, stack, (name) => !kept.has(name))
  return after
}

function refuseUsedExports (context: ActionContext, stack: Stack,
  goes: (name: string) => boolean): void {
  const { snapshot } = context.ledger
  for (const { name, stackId } of exportsOf(snapshot, stack)) {
    if (stackId !== stack.id || !goes(name)) continue
    const [user] = importersOf(snapshot, stack, name)
    if (user === undefined) continue
    throw new AwsError('ValidationError',
      `Export ${name} cannot be deleted as it is in use by ${user.name}`)
  }
}

async function updateStack (context: ActionContext, caller: Caller,
  input: Cfn.UpdateStackInput): Promise<Cfn.UpdateStackOutput> {
  refuseUnbuilt('UpdateStack', input, ['StackName', 'TemplateBody', 'TemplateURL',
    'UsePreviousTemplate', 'Parameters', 'Tags', 'DisableRollback', 'Capabilities',
    'ClientRequestToken'])
  const { snapshot } = context.ledger
  const stack = requireStack(snapshot, caller, input.StackName ?? '')
  const hash = hashOfRequest('UpdateStack', input)
  if (isRepeated(stack, input.ClientRequestToken, hash)) return { StackId: stack.id }
  checkUpdatable(stack)
  const source = sourceFromInput(context, caller, input, stack.source)
  const { imports } = checkUpdate(context, stack, source)
  await order(context, () => updating(context, stack.id, source, imports, {
    disableRollback: input.DisableRollback ?? false,
    capabilities: input.Capabilities ?? stack.capabilities,
    clientRequestToken: input.ClientRequestToken ?? null, requestHash: hash
  }))
  return { StackId: stack.id }
}

/** The stack with an update ordered. @throws AwsError ValidationError when it moved meanwhile */
export function updating (context: ActionContext, stackId: string, source: StackSource,
  imports: readonly string[], changes: Partial<Stack>): Stack {
  const stack = context.ledger.snapshot.tables.stack.get(stackId)
  if (stack === undefined) {
    throw new AwsError('ValidationError', `Stack with id ${stackId} does not exist`)
  }
  checkUpdatable(stack)
  // After a failure that was not rolled back, the last good source stays what is gone back to.
  const good = stack.status === 'UPDATE_FAILED' ? stack.previousSource : stack.source
  return {
    ...stack, ...changes, source, previousSource: good, status: 'UPDATE_IN_PROGRESS',
    statusReason: 'User Initiated', updatedMs: context.clock.nowMs(),
    // Until the update is over, both what it uses and what it used to use.
    imports: [...new Set([...stack.imports, ...imports])]
  }
}

/** Operations that a deletion breaks off. */
const DELETABLE_WHILE = ['CREATE_IN_PROGRESS', 'ROLLBACK_IN_PROGRESS']

async function deleteStack (context: ActionContext, caller: Caller,
  input: Cfn.DeleteStackInput): Promise<object> {
  refuseUnbuilt('DeleteStack', input,
    ['StackName', 'RetainResources', 'ClientRequestToken', 'DeletionMode'])
  const { ledger } = context
  const hash = hashOfRequest('DeleteStack', input)
  const forces = input.DeletionMode === 'FORCE_DELETE_STACK'
  const found = findStack(ledger.snapshot, caller, input.StackName ?? '')
  if (found?.status === 'REVIEW_IN_PROGRESS') {
    await ledger.transact(() => ({ changes: forgetStack(ledger.snapshot, found.id), result: null }))
    return {}
  }
  await order(context, () => {
    const stack = found === undefined ? undefined : ledger.snapshot.tables.stack.get(found.id)
    if (stack === undefined || isRepeated(stack, input.ClientRequestToken, hash) ||
      ['DELETE_IN_PROGRESS', 'DELETE_COMPLETE'].includes(stack.status)) return null
    checkDeletable(context, stack, input)
    const failed = forces ? failedResources(context, stack.id) : []
    return {
      ...stack, status: 'DELETE_IN_PROGRESS', statusReason: 'User Initiated',
      retainResources: [...input.RetainResources ?? [], ...failed],
      clientRequestToken: input.ClientRequestToken ?? null, requestHash: hash
    }
  })
  return {}
}

function failedResources ({ ledger }: ActionContext, stackId: string): string[] {
  return ledger.snapshot.tables.stackResource.by('stackId', stackId)
    .filter(({ status }) => status === 'DELETE_FAILED').map(({ logicalId }) => logicalId)
}

function checkDeletable (context: ActionContext, stack: Stack, input: Cfn.DeleteStackInput): void {
  if (stack.terminationProtection) {
    throw new AwsError('ValidationError',
      `Stack [${stack.name}] cannot be deleted while TerminationProtection is enabled`)
  }
  if (isBusy(stack) && !DELETABLE_WHILE.includes(stack.status)) {
    throw new AwsError('ValidationError',
      `Stack [${stack.id}] cannot be deleted while in status ${stack.status}`)
  }
  const retains = (input.RetainResources ?? []).length > 0 ||
    input.DeletionMode === 'FORCE_DELETE_STACK'
  if (retains && stack.status !== 'DELETE_FAILED') {
    throw new AwsError('ValidationError', 'Invalid operation on stack ' +
      `[${stack.id}]. RetainResources and FORCE_DELETE_STACK are for a stack in DELETE_FAILED; ` +
      `it is in ${stack.status}`)
  }
  refuseUsedExports(context, stack, () => true)
}

async function cancelUpdateStack (context: ActionContext, caller: Caller,
  input: Cfn.CancelUpdateStackInput): Promise<object> {
  const stack = requireStack(context.ledger.snapshot, caller, input.StackName ?? '')
  await order(context, () => {
    const now = context.ledger.snapshot.tables.stack.get(stack.id)
    if (now?.status !== 'UPDATE_IN_PROGRESS' || now.previousSource === null) {
      throw new AwsError('ValidationError',
        'CancelUpdateStack cannot be called from current stack status')
    }
    return { ...now, source: now.previousSource, status: 'UPDATE_ROLLBACK_IN_PROGRESS',
      statusReason: 'User Initiated' }
  })
  return {}
}

async function continueUpdateRollback (context: ActionContext, caller: Caller,
  input: Cfn.ContinueUpdateRollbackInput): Promise<object> {
  refuseUnbuilt('ContinueUpdateRollback', input, ['StackName', 'ClientRequestToken'])
  const stack = requireStack(context.ledger.snapshot, caller, input.StackName ?? '')
  await order(context, () => {
    const now = context.ledger.snapshot.tables.stack.get(stack.id)
    if (now?.status !== 'UPDATE_ROLLBACK_FAILED') {
      throw new AwsError('ValidationError',
        `Stack:${stack.id} is in ${stack.status} state and can not continue a rollback.`)
    }
    return { ...now, status: 'UPDATE_ROLLBACK_IN_PROGRESS', statusReason: 'User Initiated' }
  })
  return {}
}

async function updateTerminationProtection (context: ActionContext, caller: Caller,
  input: Cfn.UpdateTerminationProtectionInput): Promise<Cfn.UpdateTerminationProtectionOutput> {
  const { ledger } = context
  const { id } = requireStack(ledger.snapshot, caller, input.StackName ?? '')
  await ledger.transact(() => {
    const stack = ledger.snapshot.tables.stack.get(id)
    if (stack === undefined) return { changes: [], result: null }
    const record = { ...stack, terminationProtection: input.EnableTerminationProtection ?? false }
    return { changes: [{ noun: 'stack', id, record }], result: null }
  })
  return { StackId: id }
}

export const stackActions: Readonly<Record<string, StackAction>> = {
  CreateStack: writes(createStack),
  UpdateStack: writes(updateStack),
  DeleteStack: writes(deleteStack),
  CancelUpdateStack: writes(cancelUpdateStack),
  ContinueUpdateRollback: writes(continueUpdateRollback),
  UpdateTerminationProtection: writes(updateTerminationProtection)
}
