/**
 * `vpcctl logs …`: what flow logs have written. `query` asks with SQL what Athena would be asked on
 * AWS; `tail` follows a log group.
 */
import { jsonClient } from '../audit_events.ts'
import { type Command, defineCommand } from '../command.ts'
import type { Context } from '../context.ts'
import { CtlError } from '../exit_codes.ts'
import { bucketDirectory, type FilterLogEventsPage, findLogSource } from '../flow_log_sources.ts'
import { untilInterrupted } from '../interrupt.ts'
import { LOGS } from '../json_client.ts'
import { pause } from '../repeat.ts'

const TAIL_POLL_MS = 1000
const TAIL_EVENTS = 10_000

const FROM_OPTION = {
  flags: '--from <name>', description: 'log group or bucket (default: the only one there is)'
}

export const logsCommands: readonly Command[] = [
  defineCommand({
    name: 'query',
    summary: 'Ask the lines of flow logs with SQL',
    action: 'FilterLogEvents (CloudWatch Logs), or the files of a bucket on this machine',
    arguments: [{ syntax: '<sql>', description: 'a SELECT from the table flow_log' }],
    options: [FROM_OPTION],
    note: 'The columns are the fields of flow logs with "_" for "-"; "end" needs its quotes. ' +
      'Numbers are numbers, "-" is NULL. A bucket has what is older than five windows.',
    examples: [
      'vpcctl logs query "SELECT srcaddr, dstaddr, sum(bytes) AS bytes FROM flow_log ' +
        'GROUP BY 1, 2 ORDER BY bytes DESC LIMIT 10"',
      'vpcctl logs query "SELECT action, count(*) AS flows FROM flow_log GROUP BY action" ' +
        '--from flows'
    ],
    async run (context, input) {
      const { FlowLogTable, loadBucket, loadLogGroup } = await import('../flow_log_table.ts')
      const client = await jsonClient(context)
      const source =
        await findLogSource(context, client, input.text('from'), ['log-group', 'bucket'])
      const table = await FlowLogTable.open()
      if (source.kind === 'bucket') {
        await loadBucket(table, bucketDirectory(context, source.name))
      } else {
        await loadLogGroup(table, client, source, await fieldsOfGroup(context, source.name))
      }
      const rows = table.query(input.argument('sql'))
      const columns = Object.keys(rows[0] ?? {}).map((header) => ({
        header, value: (row: Record<string, unknown>) => textOf(row[header])
      }))
      context.output.rows(rows, columns, (row) => textOf(Object.values(row)[0]))
    }
  }),
  defineCommand({
    name: 'tail',
    summary: 'Print the lines of a log group, and each new one as it comes',
    action: 'FilterLogEvents (CloudWatch Logs)',
    options: [
      FROM_OPTION,
      { flags: '--filter <words>', description: 'lines that hold all of these words: REJECT' },
      { flags: '--no-follow', description: 'print what is there, and end' }
    ],
    examples: ['vpcctl logs tail --from flows --filter REJECT', 'vpcctl logs tail --no-follow'],
    async run (context, input) {
      const client = await jsonClient(context)
      const { name } = await findLogSource(context, client, input.text('from'), ['log-group'])
      await untilInterrupted(async (signal) => {
        const seen = new Set<string>()
        let startTime = 0
        do {
          let nextToken: string | undefined
          do {
            const page: Page = await client.call(LOGS, 'FilterLogEvents', {
              logGroupName: name, startTime, limit: TAIL_EVENTS, nextToken,
              filterPattern: input.text('filter')
            })
            for (const event of page.events ?? []) {
              if (seen.has(event.eventId)) continue
              seen.add(event.eventId)
              print(context, event)
              if (event.timestamp > startTime) startTime = event.timestamp
            }
            nextToken = page.nextToken
          } while (nextToken !== undefined)
        } while (input.flag('follow') && await pause(TAIL_POLL_MS, signal))
      })
    }
  })
]

type Event = NonNullable<FilterLogEventsPage['events']>[number] & { readonly eventId: string }
type Page = Omit<FilterLogEventsPage, 'events'> & { readonly events?: readonly Event[] }

function print ({ output }: Context, event: Event): void {
  if (output.form === 'json') output.jsonLine(event)
  else output.text(output.form === 'quiet' ? event.logStreamName : event.message)
}

/** Fields of the lines in a group: of the flow logs that write into it. */
async function fieldsOfGroup (context: Context, group: string): Promise<readonly string[]> {
  const ec2 = await context.ec2()
  const flowLogs = await ec2.all('DescribeFlowLogs',
    { Filter: [{ Name: 'log-group-name', Value: [group] }] }, (page) => page.FlowLogs)
  const formats = new Set(flowLogs.map(({ LogFormat = '' }) => LogFormat))
  const [format] = formats
  if (format === undefined || formats.size > 1) {
    throw new CtlError('NameAmbiguous', `The lines of log group "${group}" have ` +
      `${formats.size > 1 ? 'several formats' : 'no flow log any more that tells their format'}: ` +
      '"vpcctl logs tail" prints them as they are')
  }
  return [...format.matchAll(/\$\{([a-z0-9-]+)\}/g)].map((match) => match[1] ?? '')
}

function textOf (value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}
