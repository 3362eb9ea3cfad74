/** Where the lines of flow logs are: log groups, and the directories that stand for buckets. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { bucketsDirectory } from '../daemon/host/paths.ts'
import type { Context } from './context.ts'
import { CtlError } from './exit_codes.ts'
import { type JsonClient, LOGS } from './json_client.ts'

export interface LogSource {
  readonly kind: 'bucket' | 'log-group'
  readonly name: string
}

export interface FilterLogEventsPage {
  readonly events?: readonly {
    readonly logStreamName: string
    readonly timestamp: number
    readonly message: string
  }[]
  readonly nextToken?: string
}

interface LogGroupsPage {
  readonly logGroups?: readonly { readonly logGroupName: string }[]
  readonly nextToken?: string
}

async function logGroups (client: JsonClient): Promise<LogSource[]> {
  const found: LogSource[] = []
  let nextToken: string | undefined
  do {
    const page: LogGroupsPage = await client.call(LOGS, 'DescribeLogGroups', { nextToken })
    for (const { logGroupName } of page.logGroups ?? []) {
      found.push({ kind: 'log-group', name: logGroupName })
    }
    nextToken = page.nextToken
  } while (nextToken !== undefined)
  return found
}

/** The directory that stands for a bucket. */
export function bucketDirectory (context: Context, bucket: string): string {
  return join(bucketsDirectory(context.lab), bucket)
}

async function buckets (context: Context): Promise<LogSource[]> {
  const names = await readdir(bucketsDirectory(context.lab)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  })
  return names.sort().map((name) => ({ kind: 'bucket', name }))
}

/**
 * The one that is meant: the only one there is, or the one of that name.
 * @param kinds which kinds count
 * @throws CtlError NameNotFound, NameAmbiguous
 */
export async function findLogSource (context: Context, client: JsonClient,
  name: string | undefined, kinds: readonly LogSource['kind'][]): Promise<LogSource> {
  const all = [...await logGroups(client), ...await buckets(context)]
    .filter(({ kind }) => kinds.includes(kind))
  const found = name === undefined ? all : all.filter((source) => source.name === name)
  const [source] = found
  if (source === undefined) {
    throw new CtlError('NameNotFound', name === undefined
      ? 'No flow log has delivered anything yet: lines come when a window closes, files every ' +
        'five windows; "vpcctl flow-log list" shows the flow logs'
      : `No ${kinds.join(' or ')} "${name}" has anything of a flow log`)
  }
  if (found.length > 1) {
    throw new CtlError('NameAmbiguous', 'Several places have lines of flow logs: name one with ' +
      `--from: ${found.map((one) => `${one.name} (${one.kind})`).join(', ')}`)
  }
  return source
}
