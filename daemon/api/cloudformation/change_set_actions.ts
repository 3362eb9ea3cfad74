/**
 * Change sets: what an update, or a creation, would do, before it is ordered. CloudFormation User
 * Guide, "Update stacks using change sets". `aws cloudformation deploy` works with them.
 *
 * A change set for a new stack makes that stack at once, in REVIEW_IN_PROGRESS and without
 * resources.
 */
import type * as Cfn from '@aws-sdk/client-cloudformation'
import { newUuid } from '../../base/ids.ts'
import { AwsError } from '../../model/aws_error.ts'
import { put, remove } from '../../model/snapshot.ts'
import type { Change } from '../../model/snapshot.ts'
import type { ChangeSet, ChangeSetChange, Stack } from '../../model/stack.ts'
import {
  CHANGE_SETS_MAX, checkNewStack, findStack, requireStack, resourcesOf, stackChanges, stacksOf
} from '../../model/stack.ts'
import { refuseUnbuilt } from '../ec2/unbuilt.ts'
import type { Caller } from '../sigv4.ts'
import type { ActionContext, StackAction } from './action.ts'
import { planOfStack, reads, sourceFromInput, writes } from './action.ts'
import { printParameters, printTagList } from './describe_actions.ts'
import {
  checkUpdatable, checkUpdate, newStack, onFailureOf, updating
} from './stack_actions.ts'
import { changesBetween } from './stack_plan.ts'
import { parseTemplate } from './template.ts'

const NAME = /^[a-zA-Z][-a-zA-Z0-9]{0,127}$/
const NO_CHANGES = 'The submitted information didn\'t contain changes. Submit different ' +
  'information to create a change set.'

async function createChangeSet (context: ActionContext, caller: Caller,
  given: Cfn.CreateChangeSetInput): Promise<Cfn.CreateChangeSetOutput> {
  const input = withoutEmptyLists(given)
  refuseUnbuilt('CreateChangeSet', input, ['StackName', 'ChangeSetName', 'ChangeSetType',
    'TemplateBody', 'TemplateURL', 'UsePreviousTemplate', 'Parameters', 'Tags', 'Capabilities',
    'Description', 'ClientToken', 'OnStackFailure'])
  const { ledger, clock, random } = context
  const { StackName = '', ChangeSetName: name = '', ChangeSetType: type = 'UPDATE' } = input
  if (!NAME.test(name)) {
    throw new AwsError('ValidationError', 'The name of a change set is a letter and letters, ' +
      `digits and hyphens, not '${name.slice(0, 140)}'`)
  }
  const isNew = type === 'CREATE'
  if (!isNew && type !== 'UPDATE') {
    throw new AwsError('ValidationError', `ChangeSetType is CREATE or UPDATE, not ${type}`)
  }
  const found = findStack(ledger.snapshot, caller, StackName)
  const isReview = found?.status === 'REVIEW_IN_PROGRESS'
  if (isNew && !isReview) checkNewStack(ledger.snapshot, caller, StackName)
  const there = isNew && !isReview ? null : requireStack(ledger.snapshot, caller, StackName)
  const source = sourceFromInput(context, caller, input, isNew ? null : there?.source ?? null)
  const stack: Stack = there ?? { ...newStack(context, caller, StackName, source),
    status: 'REVIEW_IN_PROGRESS', statusReason: 'User Initiated' }
  const { changes, statusReason } = changesOf(context, stack, source, isNew)
  const changeSet: ChangeSet = {
    id: `arn:aws:cloudformation:${caller.region}:${caller.accountId}:changeSet/${name}/` +
      newUuid(random),
    name, stackId: stack.id, createdMs: clock.nowMs(), description: input.Description ?? null,
    kind: type, source, capabilities: input.Capabilities ?? [],
    onFailure: onFailureOf({ OnFailure: input.OnStackFailure }), changes,
    status: statusReason === null ? 'CREATE_COMPLETE' : 'FAILED', statusReason
  }
  await ledger.transact(() => {
    const others = ledger.snapshot.tables.changeSet.by('stackId', stack.id)
    if (others.some((one) => one.name === name)) {
      throw new AwsError('AlreadyExistsException', `ChangeSet ${name} already exists`)
    }
    if (others.length >= CHANGE_SETS_MAX) {
      throw new AwsError('LimitExceededException', `Stack ${stack.name} has ` +
        `${String(CHANGE_SETS_MAX)} change sets, which is the most: delete one`)
    }
    const made: Change[] = there !== null ? [] : stackChanges(ledger.snapshot, stack,
      { eventId: newUuid(random), nowMs: clock.nowMs() })
    if (there === null) checkNewStack(ledger.snapshot, caller, StackName)
    return { changes: [...made, put('changeSet', changeSet)], result: null }
  })
  return { Id: changeSet.id, StackId: stack.id }
}

/** An empty list asks for nothing. */
function withoutEmptyLists (input: Cfn.CreateChangeSetInput): Cfn.CreateChangeSetInput {
  return Object.fromEntries(Object.entries(input)
    .filter(([name, value]) => name === 'Tags' || !Array.isArray(value) || value.length > 0)
  ) as unknown as Cfn.CreateChangeSetInput
}

function changesOf (context: ActionContext, stack: Stack, source: ChangeSet['source'],
  isNew: boolean): { readonly changes: ChangeSetChange[], readonly statusReason: string | null } {
  const { ledger: { snapshot }, types } = context
  const ids = new Map(resourcesOf(snapshot, stack.id).map((one) => [one.logicalId, one.physicalId]))
  const idOf = (logicalId: string): string | null => ids.get(logicalId) ?? null
  if (isNew) {
    const plan = planOfStack(snapshot, types, { ...stack, source })
    return { changes: changesBetween(null, plan, idOf), statusReason: null }
  }
  checkUpdatable(stack)
  try {
    const after = checkUpdate(context, stack, source)
    const before = planOfStack(snapshot, types, stack)
    return { changes: changesBetween(before, after, idOf), statusReason: null }
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    const isEmpty = error.message === 'No updates are to be performed.'
    return { changes: [], statusReason: isEmpty ? NO_CHANGES : error.message }
  }
}

/** By ARN, or by name with its stack. @throws AwsError ChangeSetNotFound, ValidationError */
function requireChangeSet ({ ledger: { snapshot } }: ActionContext, caller: Caller,
  name: string, stackName: string | undefined): ChangeSet {
  const stacks = stackName === undefined
    ? stacksOf(snapshot, caller)
    : [requireStack(snapshot, caller, stackName)]
  const found = stacks.flatMap(({ id }) => snapshot.tables.changeSet.by('stackId', id))
    .find((one) => one.id === name || (stackName !== undefined && one.name === name))
  if (found === undefined) {
    throw new AwsError('ChangeSetNotFound', `ChangeSet [${name}] does not exist`)
  }
  return found
}

function printChange (change: ChangeSetChange): Cfn.Change {
  return {
    Type: 'Resource',
    ResourceChange: {
      Action: change.action, LogicalResourceId: change.logicalId,
      PhysicalResourceId: change.physicalId ?? undefined, ResourceType: change.type,
      Replacement: change.replacement ?? undefined,
      Scope: change.properties.length === 0 ? [] : ['Properties'],
      Details: change.properties.map((Name) => ({
        Target: { Attribute: 'Properties', Name,
          RequiresRecreation: change.replacement === 'True' ? 'Always'
            : change.replacement === 'Conditional' ? 'Conditionally' : 'Never' },
        Evaluation: 'Static', ChangeSource: 'DirectModification'
      }))
    }
  }
}

function describeChangeSet (context: ActionContext, caller: Caller,
  input: Cfn.DescribeChangeSetInput): Cfn.DescribeChangeSetOutput {
  const { ChangeSetName = '', StackName } = input
  const changeSet = requireChangeSet(context, caller, ChangeSetName, StackName)
  const stack = context.ledger.snapshot.tables.stack.get(changeSet.stackId)
  const template = parseTemplate(changeSet.source.template)
  return {
    ...summaryOf(changeSet, stack), NotificationARNs: [], RollbackConfiguration: {},
    Parameters: printParameters(changeSet.source.parameters, template),
    Tags: printTagList(changeSet.source.tags),
    Capabilities: [...changeSet.capabilities] as Cfn.Capability[],
    Changes: changeSet.changes.map(printChange)
  }
}

function summaryOf (changeSet: ChangeSet, stack: Stack | undefined) {
  const execution: Cfn.ExecutionStatus =
    changeSet.status === 'FAILED' ? 'UNAVAILABLE' : 'AVAILABLE'
  return {
    ChangeSetId: changeSet.id, ChangeSetName: changeSet.name, StackId: changeSet.stackId,
    StackName: stack?.name, Description: changeSet.description ?? undefined,
    CreationTime: new Date(changeSet.createdMs), ExecutionStatus: execution,
    Status: changeSet.status, StatusReason: changeSet.statusReason ?? undefined,
    IncludeNestedStacks: false
  }
}

function listChangeSets ({ ledger: { snapshot } }: ActionContext, caller: Caller,
  { StackName = '' }: Cfn.ListChangeSetsInput): Cfn.ListChangeSetsOutput {
  const stack = requireStack(snapshot, caller, StackName)
  return { Summaries: snapshot.tables.changeSet.by('stackId', stack.id)
    .map((one) => summaryOf(one, stack)) }
}

async function executeChangeSet (context: ActionContext, caller: Caller,
  input: Cfn.ExecuteChangeSetInput): Promise<object> {
  refuseUnbuilt('ExecuteChangeSet', input,
    ['ChangeSetName', 'StackName', 'ClientRequestToken', 'DisableRollback'])
  const { ledger, random, clock } = context
  const { ChangeSetName = '', StackName, ClientRequestToken, DisableRollback } = input
  const found = requireChangeSet(context, caller, ChangeSetName, StackName)
  await ledger.transact(() => {
    const { snapshot } = ledger
    const changeSet = requireChangeSet(context, caller, found.id, undefined)
    const stack = requireStack(snapshot, caller, changeSet.stackId)
    if (changeSet.status !== 'CREATE_COMPLETE') {
      throw new AwsError('InvalidChangeSetStatus', `ChangeSet [${changeSet.id}] cannot be ` +
        `executed in its current status of [${changeSet.status}]`)
    }
    const facts = { eventId: newUuid(random), nowMs: clock.nowMs() }
    const { imports, description } =
      planOfStack(snapshot, context.types, { ...stack, source: changeSet.source })
    const request = {
      clientRequestToken: ClientRequestToken ?? null, requestHash: '',
      disableRollback: DisableRollback ?? false, capabilities: changeSet.capabilities
    }
    const next: Stack = stack.status === 'REVIEW_IN_PROGRESS'
      ? { ...stack, ...request, source: changeSet.source, status: 'CREATE_IN_PROGRESS',
        onFailure: changeSet.onFailure, imports, description, createdMs: clock.nowMs(),
        statusReason: 'User Initiated' }
      : updating(context, stack.id, changeSet.source, imports, request)
    // All change sets go: the others were made for a stack that is no more.
    const done = snapshot.tables.changeSet.by('stackId', stack.id)
    return {
      changes: [...stackChanges(snapshot, next, facts),
        ...done.map(({ id }) => remove('changeSet', id))],
      result: null
    }
  })
  return {}
}

async function deleteChangeSet (context: ActionContext, caller: Caller,
  input: Cfn.DeleteChangeSetInput): Promise<object> {
  const { ChangeSetName = '', StackName } = input
  const { id } = requireChangeSet(context, caller, ChangeSetName, StackName)
  await context.ledger.transact(() => ({ changes: [remove('changeSet', id)], result: null }))
  return {}
}

export const changeSetActions: Readonly<Record<string, StackAction>> = {
  CreateChangeSet: writes(createChangeSet),
  DescribeChangeSet: reads(describeChangeSet),
  ExecuteChangeSet: writes(executeChangeSet),
  DeleteChangeSet: writes(deleteChangeSet),
  ListChangeSets: reads(listChangeSets)
}
