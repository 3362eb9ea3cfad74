/**
 * Actions that look at stacks and templates. CloudFormation API Reference.
 */
import type * as Cfn from '@aws-sdk/client-cloudformation'
import { AwsError } from '../../model/aws_error.ts'
import type { Stack, StackEvent, StackResource } from '../../model/stack.ts'
import {
  eventsOf, exportsOf, importersOf, requireStack, resourcesOf, stacksOf
} from '../../model/stack.ts'
import type { Caller } from '../sigv4.ts'
import type { ActionContext, StackAction } from './action.ts'
import { pageOf, reads, secretParameters, templateBody } from './action.ts'
import { textOf, typeOf } from './parameter.ts'
import { checkTemplate } from './stack_plan.ts'
import type { Template } from './template.ts'
import { parseTemplate } from './template.ts'

/** Items of a page, as CloudFormation gives them out. */
const PAGE_ITEMS = 100
const MASKED = '****'

function dateOf (ms: number | null): Date | undefined {
  return ms === null ? undefined : new Date(ms)
}

export function printTagList (tags: Readonly<Record<string, string>>): Cfn.Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
}

function printStack (stack: Stack): Cfn.Stack {
  return {
    StackId: stack.id, StackName: stack.name, Description: stack.description ?? undefined,
    Parameters: printParameters(stack.source.parameters, parseTemplate(stack.source.template)),
    CreationTime: dateOf(stack.createdMs), LastUpdatedTime: dateOf(stack.updatedMs),
    DeletionTime: dateOf(stack.deletedMs), RollbackConfiguration: {},
    StackStatus: stack.status, StackStatusReason: stack.statusReason ?? undefined,
    DisableRollback: stack.disableRollback, NotificationARNs: [],
    TimeoutInMinutes: stack.timeoutMinutes ?? undefined,
    Capabilities: [...stack.capabilities] as Cfn.Capability[],
    Outputs: stack.outputs.map(({ key, value, description, exportName }) => ({
      OutputKey: key, OutputValue: value, Description: description ?? undefined,
      ExportName: exportName ?? undefined
    })),
    Tags: printTagList(stack.source.tags),
    EnableTerminationProtection: stack.terminationProtection,
    DriftInformation: { StackDriftStatus: 'NOT_CHECKED' }
  }
}

/** Values, with those that must not be shown masked. */
export function printParameters (values: Readonly<Record<string, string>>,
  template: Template): Cfn.Parameter[] {
  const secret = secretParameters(template)
  return Object.entries(values).map(([ParameterKey, value]) =>
    ({ ParameterKey, ParameterValue: secret.has(ParameterKey) ? MASKED : value }))
}

function describeStacks ({ ledger: { snapshot } }: ActionContext, caller: Caller,
  { StackName, NextToken }: Cfn.DescribeStacksInput): Cfn.DescribeStacksOutput {
  if (StackName !== undefined) {
    return { Stacks: [printStack(requireStack(snapshot, caller, StackName))] }
  }
  const there = stacksOf(snapshot, caller).filter(({ status }) => status !== 'DELETE_COMPLETE')
  const { page, next } = pageOf(there.toReversed(), NextToken, PAGE_ITEMS, ({ id }) => id)
  return { Stacks: page.map(printStack), NextToken: next }
}

function listStacks ({ ledger: { snapshot } }: ActionContext, caller: Caller,
  { StackStatusFilter: statuses = [], NextToken }: Cfn.ListStacksInput): Cfn.ListStacksOutput {
  const matching = stacksOf(snapshot, caller).filter(({ status }) =>
    statuses.length === 0 || statuses.includes(status))
  const { page, next } = pageOf(matching.toReversed(), NextToken, PAGE_ITEMS, ({ id }) => id)
  return {
    StackSummaries: page.map((stack) => ({
      StackId: stack.id, StackName: stack.name, CreationTime: dateOf(stack.createdMs),
      TemplateDescription: stack.description ?? undefined,
      LastUpdatedTime: dateOf(stack.updatedMs), DeletionTime: dateOf(stack.deletedMs),
      StackStatus: stack.status, StackStatusReason: stack.statusReason ?? undefined,
      DriftInformation: { StackDriftStatus: 'NOT_CHECKED' }
    })),
    NextToken: next
  }
}

/** The values of a stack's NoEcho parameters, which no description may show. */
function secretsOf ({ source }: Stack): string[] {
  const secret = secretParameters(parseTemplate(source.template))
  return Object.entries(source.parameters)
    .filter(([name, value]) => secret.has(name) && value !== '').map(([, value]) => value)
}

function masked (text: string, secrets: readonly string[]): string {
  return secrets.reduce((shown, secret) =>
    shown.replaceAll(JSON.stringify(secret).slice(1, -1), MASKED), text)
}

function printEvent (
  stack: Stack, event: StackEvent, secrets: readonly string[]): Cfn.StackEvent {
  return {
    StackId: stack.id, StackName: stack.name, EventId: event.eventId,
    LogicalResourceId: event.logicalId, PhysicalResourceId: event.physicalId ?? '',
    ResourceType: event.type, Timestamp: dateOf(event.atMs),
    ResourceStatus: event.status as Cfn.ResourceStatus,
    ResourceStatusReason: event.statusReason ?? undefined,
    ResourceProperties:
      event.properties === null ? undefined : masked(event.properties, secrets),
    ClientRequestToken: event.clientRequestToken ?? undefined
  }
}

/** Newest first. */
function describeStackEvents ({ ledger: { snapshot } }: ActionContext, caller: Caller,
  { StackName, NextToken }: Cfn.DescribeStackEventsInput): Cfn.DescribeStackEventsOutput {
  const stack = requireStack(snapshot, caller, StackName ?? '')
  const { page, next } = pageOf(eventsOf(snapshot, stack.id).toReversed(), NextToken, PAGE_ITEMS,
    ({ id }) => id)
  const secrets = secretsOf(stack)
  return { StackEvents: page.map((event) => printEvent(stack, event, secrets)), NextToken: next }
}

function printResource (stack: Stack, resource: StackResource): Cfn.StackResource {
  return {
    StackId: stack.id, StackName: stack.name, LogicalResourceId: resource.logicalId,
    PhysicalResourceId: resource.physicalId ?? undefined, ResourceType: resource.type,
    Timestamp: dateOf(resource.updatedMs), ResourceStatus: resource.status,
    ResourceStatusReason: resource.statusReason ?? undefined,
    DriftInformation: { StackResourceDriftStatus: 'NOT_CHECKED' }
  }
}

function describeStackResources ({ ledger: { snapshot } }: ActionContext, caller: Caller,
  input: Cfn.DescribeStackResourcesInput): Cfn.DescribeStackResourcesOutput {
  const { StackName, PhysicalResourceId, LogicalResourceId } = input
  if (StackName === undefined && PhysicalResourceId === undefined) {
    throw new AwsError('ValidationError',
      'At least one of StackName or PhysicalResourceId must be specified')
  }
  const stacks = StackName === undefined
    ? stacksOf(snapshot, caller).filter(({ id }) => resourcesOf(snapshot, id)
      .some((one) => one.physicalId === PhysicalResourceId))
    : [requireStack(snapshot, caller, StackName)]
  if (stacks.length === 0) {
    throw new AwsError('ValidationError', `Stack for ${PhysicalResourceId ?? ''} does not exist`)
  }
  return {
    StackResources: stacks.flatMap((stack) => resourcesOf(snapshot, stack.id)
      .filter(({ logicalId }) => LogicalResourceId === undefined || logicalId === LogicalResourceId)
      .map((resource) => printResource(stack, resource)))
  }
}

function describeStackResource ({ ledger: { snapshot } }: ActionContext, caller: Caller,
  input: Cfn.DescribeStackResourceInput): Cfn.DescribeStackResourceOutput {
  const { StackName = '', LogicalResourceId = '' } = input
  const stack = requireStack(snapshot, caller, StackName)
  const found = resourcesOf(snapshot, stack.id)
    .find(({ logicalId }) => logicalId === LogicalResourceId)
  if (found === undefined) {
    throw new AwsError('ValidationError',
      `Resource ${LogicalResourceId} does not exist for stack ${StackName}`)
  }
  const { Timestamp, ...detail } = printResource(stack, found)
  return { StackResourceDetail: { ...detail, LastUpdatedTimestamp: Timestamp, Metadata: '{}' } }
}

function listStackResources ({ ledger: { snapshot } }: ActionContext, caller: Caller,
  { StackName, NextToken }: Cfn.ListStackResourcesInput): Cfn.ListStackResourcesOutput {
  const stack = requireStack(snapshot, caller, StackName ?? '')
  const { page, next } = pageOf(resourcesOf(snapshot, stack.id), NextToken, PAGE_ITEMS,
    ({ id }) => id)
  return {
    StackResourceSummaries: page.map((resource) => ({
      LogicalResourceId: resource.logicalId, PhysicalResourceId: resource.physicalId ?? undefined,
      ResourceType: resource.type, LastUpdatedTimestamp: dateOf(resource.updatedMs),
      ResourceStatus: resource.status, ResourceStatusReason: resource.statusReason ?? undefined,
      DriftInformation: { StackResourceDriftStatus: 'NOT_CHECKED' }
    })),
    NextToken: next
  }
}

function getTemplate ({ ledger: { snapshot } }: ActionContext, caller: Caller,
  input: Cfn.GetTemplateInput): Cfn.GetTemplateOutput {
  if (input.ChangeSetName !== undefined) {
    const changeSet = [...snapshot.tables.changeSet.values()].find(({ id, name, stackId }) =>
      id === input.ChangeSetName || (input.StackName !== undefined &&
        name === input.ChangeSetName &&
        stackId === requireStack(snapshot, caller, input.StackName).id))
    const owned = changeSet !== undefined && stacksOf(snapshot, caller)
      .some(({ id }) => id === changeSet.stackId)
    if (!owned) {
      throw new AwsError('ChangeSetNotFound', `ChangeSet [${input.ChangeSetName}] does not exist`)
    }
    return { TemplateBody: changeSet.source.template, StagesAvailable: ['Original', 'Processed'] }
  }
  const { source } = requireStack(snapshot, caller, input.StackName ?? '')
  return { TemplateBody: source.template, StagesAvailable: ['Original', 'Processed'] }
}

function printDeclarations (template: Template): Cfn.ParameterDeclaration[] {
  const secret = secretParameters(template)
  return [...template.parameters].map(([name, definition]) => {
    const { Default: usual, Description: description, AllowedValues: allowed } = definition
    return {
      ParameterKey: name, ParameterType: typeOf(name, definition), NoEcho: secret.has(name),
      DefaultValue: textOf(usual),
      Description: typeof description === 'string' ? description : undefined,
      ParameterConstraints: Array.isArray(allowed) ? { AllowedValues: allowed.map(String) } : {}
    }
  })
}

function validateTemplate ({ types }: ActionContext, _caller: Caller,
  input: Cfn.ValidateTemplateInput): Cfn.ValidateTemplateOutput {
  const template = parseTemplate(templateBody(input))
  checkTemplate(template, types)
  return {
    Parameters: printDeclarations(template)
      .map(({ ParameterKey, DefaultValue, NoEcho, Description }) =>
        ({ ParameterKey, DefaultValue, NoEcho, Description })),
    Description: template.description ?? undefined, Capabilities: []
  }
}

function getTemplateSummary ({ ledger: { snapshot }, types }: ActionContext, caller: Caller,
  input: Cfn.GetTemplateSummaryInput): Cfn.GetTemplateSummaryOutput {
  const text = input.StackName === undefined
    ? templateBody(input)
    : requireStack(snapshot, caller, input.StackName).source.template
  const template = parseTemplate(text)
  checkTemplate(template, types)
  const resources = [...template.resources]
  return {
    Parameters: printDeclarations(template), Description: template.description ?? undefined,
    ResourceTypes: [...new Set(resources.map(([, { type }]) => type))], Version: '2010-09-09',
    DeclaredTransforms: [], Capabilities: [],
    ResourceIdentifierSummaries: []
  }
}

function listExports ({ ledger: { snapshot } }: ActionContext, caller: Caller,
  { NextToken }: Cfn.ListExportsInput): Cfn.ListExportsOutput {
  const { page, next } = pageOf(exportsOf(snapshot, caller), NextToken, PAGE_ITEMS,
    ({ name }) => name)
  return {
    Exports: page.map(({ stackId, name, value }) =>
      ({ ExportingStackId: stackId, Name: name, Value: value })),
    NextToken: next
  }
}

function listImports ({ ledger: { snapshot } }: ActionContext, caller: Caller,
  { ExportName = '', NextToken }: Cfn.ListImportsInput): Cfn.ListImportsOutput {
  const users = importersOf(snapshot, caller, ExportName)
  if (users.length === 0) {
    throw new AwsError('ValidationError', `Export '${ExportName}' is not imported by any stack.`)
  }
  const { page, next } = pageOf(users, NextToken, PAGE_ITEMS, ({ id }) => id)
  return { Imports: page.map(({ name }) => name), NextToken: next }
}

export const describeActions: Readonly<Record<string, StackAction>> = {
  DescribeStacks: reads(describeStacks),
  DescribeStackEvents: reads(describeStackEvents),
  DescribeStackResource: reads(describeStackResource),
  DescribeStackResources: reads(describeStackResources),
  GetTemplate: reads(getTemplate),
  GetTemplateSummary: reads(getTemplateSummary),
  ListExports: reads(listExports),
  ListImports: reads(listImports),
  ListStackResources: reads(listStackResources),
  ListStacks: reads(listStacks),
  ValidateTemplate: reads(validateTemplate)
}
