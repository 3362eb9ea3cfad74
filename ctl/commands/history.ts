/**
 * `vpcctl history …`: what a resource was like, and which call changed it. AWS Config's
 * GetResourceConfigHistory tells the states, CloudTrail's LookupEvents who made them.
 */
import type { GetResourceConfigHistoryResponse } from '@aws-sdk/client-config-service'
import { resolveAny } from '../any_resource.ts'
import type { AuditRecord } from '../audit_events.ts'
import { jsonClient, lookupEvents, whoOf } from '../audit_events.ts'
import { type Command, type CommandArgument, defineCommand, type Input } from '../command.ts'
import { changeText, configurationDiff, type FieldChange } from '../configuration_diff.ts'
import type { Context } from '../context.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import { CONFIG, type JsonClient } from '../json_client.ts'
import { parseMoment } from '../moment.ts'

const LIST_DEFAULT = 20
const LIST_MAX = 10_000
/** Items of one page; the most that Config allows. */
const PAGE_ITEMS = 100

/** Id prefix to the name of the resource's type. */
const TYPES: Readonly<Record<string, string>> = {
  acl: 'AWS::EC2::NetworkAcl',
  cgw: 'AWS::EC2::CustomerGateway',
  dopt: 'AWS::EC2::DHCPOptions',
  eigw: 'AWS::EC2::EgressOnlyInternetGateway',
  eipalloc: 'AWS::EC2::EIP',
  eni: 'AWS::EC2::NetworkInterface',
  fl: 'AWS::EC2::FlowLog',
  i: 'AWS::EC2::Instance',
  igw: 'AWS::EC2::InternetGateway',
  nat: 'AWS::EC2::NatGateway',
  nia: 'AWS::EC2::NetworkInsightsAnalysis',
  nip: 'AWS::EC2::NetworkInsightsPath',
  pcx: 'AWS::EC2::VPCPeeringConnection',
  pl: 'AWS::EC2::PrefixList',
  rtb: 'AWS::EC2::RouteTable',
  sg: 'AWS::EC2::SecurityGroup',
  subnet: 'AWS::EC2::Subnet',
  tmf: 'AWS::EC2::TrafficMirrorFilter',
  tms: 'AWS::EC2::TrafficMirrorSession',
  tmt: 'AWS::EC2::TrafficMirrorTarget',
  vgw: 'AWS::EC2::VPNGateway',
  vpc: 'AWS::EC2::VPC',
  vpn: 'AWS::EC2::VPNConnection'
}

const RESOURCE: CommandArgument = {
  syntax: '<resource>',
  description: 'id or Name tag of a VPC, subnet, route table, ENI, instance, gateway, peering …'
}

/** A state of a resource, from one moment on. */
interface State {
  readonly revision: number
  readonly atMs: number
  /** `OK`, `ResourceDiscovered`, `ResourceDeleted` */
  readonly status: string
  readonly configuration: object | null
  /** The call that made it. */
  readonly eventId: string | undefined
}

export const historyCommands: readonly Command[] = [
  defineCommand({
    name: 'list',
    summary: 'List what changed of a resource, when, and by whose call',
    action: 'GetResourceConfigHistory (Config), LookupEvents (CloudTrail)',
    arguments: [RESOURCE],
    options: [
      { flags: '--since <time>', description: 'not before: 2026-03-01T10:20:30Z, -5m, -2h' },
      { flags: '--until <time>', description: 'not after' },
      {
        flags: '--limit <count>',
        description: `at most so many, up to ${String(LIST_MAX)} (default: ${String(LIST_DEFAULT)})`
      }
    ],
    note: 'The newest change comes first. A change without a call is the work of the lab itself: ' +
      'an instance came up, a host was lost, the lab was reset.',
    examples: ['vpcctl history list rtb-0123456789abcdef0 --since -1h', 'vpcctl history list web'],
    async run (context, input) {
      const limit = input.integer('limit', 1, LIST_MAX) ?? LIST_DEFAULT
      const client = await jsonClient(context)
      const id = await resolveAny(context, input.argument('resource'))
      // One more: the oldest of those shown differs from something too.
      const states = await newestStates(client, id, momentOf(context, input, 'until'), limit + 1)
      const since = momentOf(context, input, 'since')?.getTime() ?? 0
      const shown = states.slice(0, limit).filter(({ atMs }) => atMs >= since)
      const calls = await callsOf(client, id, shown)
      const changes = shown.map((state, index) =>
        changeOf(state, states[index + 1], calls.get(state.eventId ?? '')))
      printChanges(context, changes)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show a resource as it was at a time',
    action: 'GetResourceConfigHistory (Config)',
    arguments: [RESOURCE],
    options: [
      { flags: '--at <time>', description: 'a time, or so long ago as -5m (default: now)' },
      { flags: '--revision <number>', description: 'a revision instead of a time' }
    ],
    examples: [
      'vpcctl history show rtb-0123456789abcdef0 --at -5m',
      'vpcctl history show web --revision 42'
    ],
    async run (context, input) {
      const at = input.text('at')
      const revision = input.integer('revision', 0, Number.MAX_SAFE_INTEGER)
      if (at !== undefined && revision !== undefined) {
        throw usageError('give --at or --revision, not both')
      }
      const id = await resolveAny(context, input.argument('resource'))
      const point = revision === undefined ? at ?? 'now' : String(revision)
      const { configuration } =
        await stateAt(context, await jsonClient(context), id, '--at', point)
      if (configuration === null) {
        throw new CtlError('NameNotFound', `${id} was not there at that time: ` +
          `"vpcctl history list ${id}" says when it was`)
      }
      context.output.tree(configuration, id)
    }
  }),
  defineCommand({
    name: 'diff',
    summary: 'Show what differs of a resource between two times',
    action: 'GetResourceConfigHistory (Config)',
    arguments: [RESOURCE],
    options: [
      { flags: '--from <time>', description: 'a time, -5m, or a revision', required: true },
      { flags: '--to <time>', description: 'a time, -1m, or a revision (default: now)' }
    ],
    examples: ['vpcctl history diff web --from -10m', 'vpcctl history diff web --from 41 --to 42'],
    async run (context, input) {
      const client = await jsonClient(context)
      const id = await resolveAny(context, input.argument('resource'))
      const before = await stateAt(context, client, id, '--from', input.needed('from'))
      const after = await stateAt(context, client, id, '--to', input.text('to') ?? 'now')
      const changes = configurationDiff(before.configuration, after.configuration)
      if (context.output.form === 'json') context.output.json(changes)
      else if (changes.length === 0) context.output.note('(no difference)')
      else for (const change of changes) context.output.text(changeText(change))
    }
  })
]

/** A change as `list` shows it; `--json` prints it as it is. */
interface Change {
  readonly time: string
  readonly revision: number
  readonly status: string
  readonly eventId: string | null
  readonly eventName: string | null
  readonly who: string | null
  readonly changes: readonly FieldChange[]
}

function changeOf (state: State, previous: State | undefined,
  call: AuditRecord | undefined): Change {
  return {
    time: new Date(state.atMs).toISOString(),
    revision: state.revision,
    status: state.status,
    eventId: state.eventId ?? null,
    eventName: call?.eventName ?? null,
    who: call === undefined ? null : whoOf(call),
    changes: configurationDiff(previous?.configuration ?? null, state.configuration)
  }
}

const INDENT = '    '

function printChanges (context: Context, changes: readonly Change[]): void {
  const { output } = context
  if (output.form === 'json') output.json(changes)
  else if (output.form === 'quiet') changes.forEach((one) => { output.text(String(one.revision)) })
  else if (changes.length === 0) output.note('(none)')
  else changes.forEach((one) => { printChange(context, one) })
}

function printChange ({ output }: Context, change: Change): void {
  const { time, revision, eventName, who, status } = change
  const what = status === 'ResourceDiscovered'
    ? '  made'
    : status === 'ResourceDeleted' ? '  deleted' : ''
  output.text(`${time}  revision ${String(revision)}${what}` +
    (eventName === null ? '' : `  ${eventName} (${who ?? 'unknown'})`))
  // Of what came or went whole, the state of before or after says more than a list of its fields.
  if (what === '') for (const one of change.changes) output.text(INDENT + changeText(one))
}

/** The newest states up to a time, newest first. @throws CtlError ResourceNotDiscoveredException */
async function newestStates (client: JsonClient, id: string, laterTime: Date | undefined,
  limit: number, upToRevision = Number.MAX_SAFE_INTEGER): Promise<State[]> {
  const states: State[] = []
  let nextToken: string | undefined
  do {
    const page = await client.call<GetResourceConfigHistoryResponse>(CONFIG,
      'GetResourceConfigHistory', {
        resourceType: typeOf(id), resourceId: id, laterTime, nextToken,
        limit: Math.min(limit, PAGE_ITEMS)
      })
    for (const item of page.configurationItems ?? []) {
      const revision = Number(item.configurationStateId)
      if (revision > upToRevision) continue
      states.push({
        revision,
        atMs: Number(item.configurationItemCaptureTime) * 1000,
        status: item.configurationItemStatus ?? '',
        configuration: JSON.parse(item.configuration ?? 'null') as object | null,
        eventId: item.relatedEvents?.[0]
      })
    }
    nextToken = page.nextToken
  } while (nextToken !== undefined && states.length < limit)
  return states.slice(0, limit)
}

/** @param point a time as parseMoment takes it, or the number of a revision */
async function stateAt (context: Context, client: JsonClient, id: string, option: string,
  point: string): Promise<State> {
  const [state] = /^\d+$/.test(point)
    ? await newestStates(client, id, undefined, 1, Number(point))
    : await newestStates(client, id, parseMoment(option, point, context.clock.nowMs()), 1)
  if (state === undefined) {
    throw new CtlError('NameNotFound', `${id} was not there yet at ${point}, or the history does ` +
      `not reach back that far: "vpcctl history list ${id}" shows what is known`)
  }
  return state
}

/** The calls that made the states: most name the resource, the others are asked for one by one. */
async function callsOf (client: JsonClient, id: string, states: readonly State[]):
Promise<Map<string, AuditRecord>> {
  const wanted = new Set(states.flatMap(({ eventId }) => eventId === undefined ? [] : [eventId]))
  const calls = new Map<string, AuditRecord>()
  const oldestMs = states.at(-1)?.atMs
  if (wanted.size === 0 || oldestMs === undefined) return calls
  const named = lookupEvents(client, {
    attribute: { key: 'ResourceName', value: id }, start: new Date(oldestMs)
  })
  for await (const event of named) {
    if (wanted.delete(event.id)) calls.set(event.id, event.record)
    if (wanted.size === 0) return calls
  }
  for (const eventId of wanted) {
    for await (const event of
      lookupEvents(client, { attribute: { key: 'EventId', value: eventId } })) {
      calls.set(eventId, event.record)
    }
  }
  return calls
}

function momentOf (context: Context, input: Input, option: string): Date | undefined {
  const text = input.text(option)
  return text === undefined
    ? undefined
    : parseMoment(`--${option}`, text, context.clock.nowMs())
}

/** @throws CtlError Usage for what has no history */
function typeOf (id: string): string {
  const type = TYPES[id.slice(0, id.lastIndexOf('-'))]
  if (type === undefined) {
    throw usageError(`${id} has no history; expecting an id that begins with ` +
      Object.keys(TYPES).map((prefix) => `"${prefix}-"`).join(', '))
  }
  return type
}
