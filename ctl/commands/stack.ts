/**
 * `vpcctl stack …`: templates that become resources. CloudFormation User Guide, "Working with
 * stacks"; what a template may hold is in docs/stacks.md.
 *
 * A change is ordered and then watched: events are told as they come, and the command ends when
 * nothing goes on any more. A change that failed ends it with exit code 1.
 */
import type { Parameter, Stack, StackEvent } from '@aws-sdk/client-cloudformation'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { CloudFormationClient } from '../cloudformation_client.ts'
import { type Command, type CommandOption, defineCommand, type Input } from '../command.ts'
import type { Context } from '../context.ts'
import { CtlError, EXIT_DONE, EXIT_FAILED, usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'

/** How often events are looked for, ms. */
const POLL_MS = 200

const STACK_ARGUMENT = { syntax: '<stack>', description: 'name or ARN' }
const TEMPLATE_ARGUMENT =
  { syntax: '<template>', description: 'file, YAML or JSON; - reads standard input' }

const SOURCE_OPTIONS: readonly CommandOption[] = [
  {
    flags: '-p, --parameter <key=value>', description: 'a parameter of the template', repeats: true
  },
  { flags: '--tag <key=value>', description: 'a tag of all resources', repeats: true }
]
const WAIT_OPTION: CommandOption =
  { flags: '--no-wait', description: 'do not wait for the end' }

const COLUMNS: readonly Column<Stack>[] = [
  { header: 'stack', value: ({ StackName }) => StackName ?? '' },
  { header: 'status', value: ({ StackStatus }) => StackStatus ?? '' },
  { header: 'created', value: ({ CreationTime }) => textOf(CreationTime) },
  { header: 'reason', value: ({ StackStatusReason }) => StackStatusReason ?? '', shrinks: true }
]

const EVENT_COLUMNS: readonly Column<StackEvent>[] = [
  { header: 'time', value: ({ Timestamp }) => textOf(Timestamp) },
  { header: 'status', value: ({ ResourceStatus }) => ResourceStatus ?? '' },
  { header: 'resource', value: ({ LogicalResourceId }) => LogicalResourceId ?? '' },
  { header: 'id', value: ({ PhysicalResourceId }) => PhysicalResourceId ?? '', shrinks: true },
  { header: 'reason', value: ({ ResourceStatusReason }) => ResourceStatusReason ?? '',
    shrinks: true }
]

/** Times are texts here. */
function textOf (time: unknown): string { return typeof time === 'string' ? time : '' }

async function connect (context: Context): Promise<CloudFormationClient> {
  const [credentials, { CloudFormationClient: Client }] =
    await Promise.all([context.admin.credentials(), import('../cloudformation_client.ts')])
  return new Client({ ...credentials, clock: context.clock })
}

function templateOf (input: Input): string {
  const path = input.argument('template')
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (error) {
    throw usageError(`the template "${path}" cannot be read: ${(error as Error).message}`)
  }
}

function parametersOf (input: Input): { ParameterKey: string, ParameterValue: string }[] {
  return input.texts('parameter').map((text) => {
    const at = text.indexOf('=')
    if (at < 1) throw usageError(`a parameter is "key=value", not "${text}"`)
    return { ParameterKey: text.slice(0, at), ParameterValue: text.slice(at + 1) }
  })
}

async function stackOf (client: CloudFormationClient, name: string): Promise<Stack> {
  const { Stacks: [stack] = [] } = await client.call('DescribeStacks', { StackName: name })
  if (stack === undefined) throw new CtlError('InvalidAnswer', `DescribeStacks shows no ${name}`)
  return stack
}

/** Events after the one of that id, oldest first. */
async function eventsSince (client: CloudFormationClient, name: string,
  lastId: string | undefined): Promise<StackEvent[]> {
  const found: StackEvent[] = []
  let token: string | undefined
  do {
    const page = await client.call('DescribeStackEvents', { StackName: name, NextToken: token })
    for (const event of page.StackEvents ?? []) {
      if (event.EventId === lastId) return found.reverse()
      found.push(event)
    }
    token = page.NextToken
  } while (token !== undefined)
  return found.reverse()
}

function eventLine (event: StackEvent): string {
  const { ResourceStatus = '', LogicalResourceId = '', ResourceType = '' } = event
  const reason = event.ResourceStatusReason === undefined ? '' : `  ${event.ResourceStatusReason}`
  return `${ResourceStatus.padEnd(20)}  ${LogicalResourceId} (${ResourceType})${reason}`
}

/** The end of an operation that was ordered, with its events told on the way. */
async function watch (context: Context, client: CloudFormationClient, id: string,
  lastEventId: string | undefined, wanted: string): Promise<number> {
  let lastId = lastEventId
  for (;;) {
    const stack = await stackOf(client, id)
    const events = await eventsSince(client, id, lastId)
    lastId = events.at(-1)?.EventId ?? lastId
    for (const event of events) context.output.note(eventLine(event))
    if (stack.StackStatus?.endsWith('_IN_PROGRESS') === false) {
      showStack(context, stack)
      return stack.StackStatus === wanted ? EXIT_DONE : EXIT_FAILED
    }
    await delay(POLL_MS)
  }
}

function showStack (context: Context, stack: Stack): void {
  context.output.row(stack, COLUMNS, ({ StackId }) => StackId)
  if (context.output.form !== 'human') return
  for (const { OutputKey, OutputValue } of stack.Outputs ?? []) {
    context.output.text(`${OutputKey ?? ''} = ${OutputValue ?? ''}`)
  }
}

async function newestEventId (client: CloudFormationClient,
  id: string): Promise<string | undefined> {
  const { StackEvents: [newest] = [] } =
    await client.call('DescribeStackEvents', { StackName: id })
  return newest?.EventId
}

export const stackCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Create a stack from a template',
    action: 'CreateStack (CloudFormation)',
    arguments: [{ syntax: '<stack>', description: 'name' }, TEMPLATE_ARGUMENT],
    options: [
      ...SOURCE_OPTIONS,
      { flags: '--on-failure <what>', description: 'ROLLBACK (default), DELETE or DO_NOTHING' },
      WAIT_OPTION
    ],
    examples: [
      'vpcctl stack create web template.yaml',
      'vpcctl stack create web template.yaml --parameter Stage=live --no-wait'
    ],
    async run (context, input) {
      const client = await connect(context)
      const { StackId: id = '' } = await client.call('CreateStack', {
        StackName: input.argument('stack'), TemplateBody: templateOf(input),
        Parameters: parametersOf(input), Tags: input.tags(), OnFailure: input.text('onFailure')
      })
      if (waits(input)) return await watch(context, client, id, undefined, 'CREATE_COMPLETE')
      context.output.done(`Creating ${id}.`, { StackId: id })
      return EXIT_DONE
    }
  }),
  defineCommand({
    name: 'update',
    summary: 'Bring a stack to another template, or to other parameters',
    action: 'UpdateStack (CloudFormation)',
    arguments: [STACK_ARGUMENT,
      { syntax: '[template]', description: 'file; without one the template stays' }],
    options: [...SOURCE_OPTIONS, WAIT_OPTION],
    note: 'Parameters that are not given keep their values.',
    examples: [
      'vpcctl stack update web template.yaml',
      'vpcctl stack update web --parameter Stage=test'
    ],
    async run (context, input) {
      const client = await connect(context)
      const name = input.argument('stack')
      const stack = await stackOf(client, name)
      const body = input.optionalArgument('template') === undefined ? undefined : templateOf(input)
      const tags = input.tags()
      const lastEvent = await newestEventId(client, name)
      const { StackId: id = '' } = await client.call('UpdateStack', {
        StackName: name, TemplateBody: body,
        UsePreviousTemplate: body === undefined ? true : undefined,
        Parameters: await parametersOfUpdate(client, input, stack, body),
        Tags: tags.length === 0 ? undefined : tags
      })
      if (waits(input)) return await watch(context, client, id, lastEvent, 'UPDATE_COMPLETE')
      context.output.done(`Updating ${id}.`, { StackId: id })
      return EXIT_DONE
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a stack and all that it has made',
    action: 'DeleteStack (CloudFormation)',
    arguments: [STACK_ARGUMENT],
    options: [WAIT_OPTION],
    examples: ['vpcctl stack delete web'],
    async run (context, input) {
      const client = await connect(context)
      const { StackId: id = '' } = await stackOf(client, input.argument('stack'))
      const lastEvent = await newestEventId(client, id)
      await client.call('DeleteStack', { StackName: id })
      if (waits(input)) return await watch(context, client, id, lastEvent, 'DELETE_COMPLETE')
      context.output.done(`Deleting ${id}.`, { StackId: id })
      return EXIT_DONE
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List stacks',
    action: 'DescribeStacks (CloudFormation)',
    examples: ['vpcctl stack list'],
    async run (context) {
      const client = await connect(context)
      const stacks: Stack[] = []
      let token: string | undefined
      do {
        const page = await client.call('DescribeStacks', { NextToken: token })
        stacks.push(...page.Stacks ?? [])
        token = page.NextToken
      } while (token !== undefined)
      context.output.rows(stacks, COLUMNS, ({ StackName }) => StackName)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show a stack, its outputs and its resources',
    action: 'DescribeStacks and DescribeStackResources (CloudFormation)',
    arguments: [STACK_ARGUMENT],
    examples: ['vpcctl stack show web', 'vpcctl stack show web --json'],
    async run (context, input) {
      const client = await connect(context)
      const stack = await stackOf(client, input.argument('stack'))
      const { StackResources = [] } = await client.call('DescribeStackResources',
        { StackName: stack.StackId })
      context.output.tree({ ...stack, StackResources }, stack.StackId ?? '')
    }
  }),
  defineCommand({
    name: 'events',
    summary: 'List what happened to a stack, oldest first',
    action: 'DescribeStackEvents (CloudFormation)',
    arguments: [STACK_ARGUMENT],
    examples: ['vpcctl stack events web'],
    async run (context, input) {
      const client = await connect(context)
      const events = await eventsSince(client, input.argument('stack'), undefined)
      context.output.rows(events, EVENT_COLUMNS, ({ EventId }) => EventId)
    }
  }),
  defineCommand({
    name: 'template',
    summary: 'Print the template of a stack',
    action: 'GetTemplate (CloudFormation)',
    arguments: [STACK_ARGUMENT],
    examples: ['vpcctl stack template web > template.yaml'],
    async run (context, input) {
      const client = await connect(context)
      const { TemplateBody = '' } =
        await client.call('GetTemplate', { StackName: input.argument('stack') })
      if (context.output.form === 'json') context.output.json({ TemplateBody })
      else context.output.text(TemplateBody.trimEnd())
    }
  }),
  defineCommand({
    name: 'validate',
    summary: 'Check a template without making anything',
    action: 'ValidateTemplate (CloudFormation)',
    arguments: [TEMPLATE_ARGUMENT],
    examples: ['vpcctl stack validate template.yaml'],
    async run (context, input) {
      const client = await connect(context)
      const answer = await client.call('ValidateTemplate', { TemplateBody: templateOf(input) })
      const names = (answer.Parameters ?? []).map(({ ParameterKey }) => ParameterKey)
      context.output.done('The template is valid. Parameters: ' +
        `${names.join(', ') || 'none'}.`, answer)
    }
  })
]

function waits (input: Input): boolean { return input.flag('wait') }

/** What is given, and for the rest of the parameters their present values. */
async function parametersOfUpdate (client: CloudFormationClient, input: Input, stack: Stack,
  body: string | undefined): Promise<Record<string, string | boolean>[]> {
  const given = parametersOf(input)
  const known = body === undefined
    ? stack.Parameters
    : (await client.call('ValidateTemplate', { TemplateBody: body })).Parameters
  const had = new Set((stack.Parameters ?? []).map(({ ParameterKey }: Parameter) => ParameterKey))
  const kept = (known ?? []).map(({ ParameterKey }) => ParameterKey ?? '')
    .filter((key) => had.has(key) && !given.some(({ ParameterKey }) => ParameterKey === key))
  return [...given, ...kept.map((ParameterKey) => ({ ParameterKey, UsePreviousValue: true }))]
}
