/**
 * `vpcctl audit …`: who called what, when, and what came of it. CloudTrail's LookupEvents shows the
 * past of the account; `tail` follows every account over the admin API.
 */
import { createInterface } from 'node:readline'
import type { AuditEvent, AuditRecord, EventLookup } from '../audit_events.ts'
import { jsonClient, lookupEvents, whoOf } from '../audit_events.ts'
import { resolveAny } from '../any_resource.ts'
import { type Command, defineCommand, type Input } from '../command.ts'
import type { Context } from '../context.ts'
import { CtlError } from '../exit_codes.ts'
import { parseMoment } from '../moment.ts'
import type { Column } from '../print/table.ts'

const LIST_DEFAULT = 50
const LIST_MAX = 100_000

const COLUMNS: readonly Column<AuditEvent>[] = [
  { header: 'time', value: (event) => new Date(event.atMs).toISOString() },
  { header: 'event', value: (event) => event.name },
  { header: 'who', value: (event) => whoOf(event.record), shrinks: true },
  { header: 'error', value: (event) => event.record.errorCode ?? '', shrinks: true },
  { header: 'resources', value: resourcesText, shrinks: true, hides: true },
  { header: 'id', value: (event) => event.id }
]

/** Resources that a line has room for. */
const RESOURCES_SHOWN = 3

function resourcesText ({ resources }: AuditEvent): string {
  const shown = resources.slice(0, RESOURCES_SHOWN).join(' ')
  const more = resources.length - RESOURCES_SHOWN
  return more > 0 ? `${shown} and ${String(more)} more` : shown
}

export const auditCommands: readonly Command[] = [
  defineCommand({
    name: 'list',
    summary: 'List API calls, the newest first',
    action: 'LookupEvents (CloudTrail)',
    options: [
      { flags: '--event <name>', description: 'calls of one action: CreateRoute' },
      { flags: '--resource <resource>', description: 'calls that name it: id or Name tag' },
      { flags: '--since <time>', description: 'not before: 2026-03-01T10:20:30Z, -5m, -2h' },
      { flags: '--until <time>', description: 'not after' },
      { flags: '--errors', description: 'refused calls only' },
      { flags: '--writes', description: 'calls that change something only' },
      {
        flags: '--limit <count>',
        description: `at most so many, up to ${String(LIST_MAX)} (default: ${String(LIST_DEFAULT)})`
      }
    ],
    note: 'A call is there as soon as it is answered. "--json" prints CloudTrail records.',
    examples: [
      'vpcctl audit list --writes --since -10m', 'vpcctl audit list --resource web --errors'
    ],
    async run (context, input) {
      const events = await listEvents(context, input)
      if (context.output.form === 'json') context.output.json(events.map(({ record }) => record))
      else context.output.rows(events, COLUMNS, ({ id }) => id)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show one API call with what it asked for and what it was answered',
    action: 'LookupEvents (CloudTrail)',
    arguments: [{ syntax: '<event>', description: 'event id' }],
    examples: ['vpcctl audit show 6946ec68-2bac-454c-94b0-1f146d21bbf1'],
    async run (context, input) {
      const value = input.argument('event')
      const client = await jsonClient(context)
      for await (const { id, record } of
        lookupEvents(client, { attribute: { key: 'EventId', value } })) {
        context.output.tree(record, id)
        return
      }
      throw new CtlError('NameNotFound',
        `No event of this account and Region has the id "${value}"`)
    }
  }),
  defineCommand({
    name: 'tail',
    summary: 'Follow API calls of all accounts as they are answered',
    action: 'GET /audit (admin API)',
    options: [
      { flags: '--errors', description: 'refused calls only' },
      { flags: '--writes', description: 'calls that change something only' }
    ],
    note: 'With "--json" each call is one line: its CloudTrail record. Ctrl-C ends it.',
    examples: ['vpcctl audit tail --writes', 'vpcctl audit tail --json | jq .eventName'],
    async run (context, input) {
      const lines = createInterface({ input: await context.admin.stream('/audit') })
      context.output.note('Following API calls; Ctrl-C ends.')
      for await (const line of lines) {
        if (line === '') continue
        const record = JSON.parse(line) as AuditRecord
        if (isWanted(record, input)) context.output.text(lineOf(context, line, record))
      }
    }
  })
]

async function listEvents (context: Context, input: Input): Promise<AuditEvent[]> {
  const limit = input.integer('limit', 1, LIST_MAX) ?? LIST_DEFAULT
  const name = input.text('event')
  const lookup = await lookupOf(context, input)
  const events: AuditEvent[] = []
  for await (const event of lookupEvents(await jsonClient(context), lookup)) {
    if (name !== undefined && event.name !== name) continue
    if (isWanted(event.record, input)) events.push(event)
    if (events.length === limit) break
  }
  return events
}

/** CloudTrail takes one attribute: the one that most likely leaves the fewest. */
async function lookupOf (context: Context, input: Input): Promise<EventLookup> {
  const [resource, name] = [input.text('resource'), input.text('event')]
  const attribute = resource !== undefined
    ? { key: 'ResourceName', value: await resolveAny(context, resource) }
    : name !== undefined
      ? { key: 'EventName', value: name }
      : input.flag('writes') ? { key: 'ReadOnly', value: 'false' } : undefined
  const nowMs = context.clock.nowMs()
  const moment = (option: string): Date | undefined => {
    const text = input.text(option)
    return text === undefined ? undefined : parseMoment(`--${option}`, text, nowMs)
  }
  return { attribute, start: moment('since'), end: moment('until') }
}

function isWanted (record: AuditRecord, input: Input): boolean {
  return !(input.flag('errors') && record.errorCode === undefined) &&
    !(input.flag('writes') && record.readOnly)
}

function lineOf (context: Context, line: string, record: AuditRecord): string {
  switch (context.output.form) {
    case 'json': return line
    case 'quiet': return record.eventID
    case 'human': {
      const { eventTime, eventName, sourceIPAddress, errorCode = '', errorMessage = '' } = record
      return `${eventTime}  ${eventName}  ${whoOf(record)}  ${sourceIPAddress}` +
        (errorCode === '' ? '' : `  ${errorCode}: ${errorMessage}`)
    }
  }
}
