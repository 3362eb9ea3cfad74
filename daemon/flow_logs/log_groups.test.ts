import test from 'ava'
import type { ExecutionContext } from 'ava'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LogGroups } from './log_groups.ts'
import type { LogBatch } from './log_groups.ts'

const ACCOUNT = '111111111111'
const REGION = 'us-east-1'
const ALL = { startMs: 0, endMs: Number.MAX_SAFE_INTEGER, from: null, towards: 'newer' } as const

function pathOf (t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-logs-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  return join(directory, 'log_groups.sqlite')
}

function batch (streamName: string, atMs: readonly number[], accountId = ACCOUNT): LogBatch {
  return {
    accountId, region: REGION, groupName: 'flows', streamName,
    events: atMs.map((ms) => ({ atMs: ms, message: `${streamName} ${String(ms)}` }))
  }
}

function messages (logs: LogGroups, query: Partial<Parameters<LogGroups['events']>[0]>): string[] {
  const group = logs.group(ACCOUNT, REGION, 'flows')
  const streamIds = group === undefined ? [] : logs.streams(group).map(({ id }) => id)
  return logs.events({ ...ALL, streamIds, limit: 100, ...query }).map(({ message }) => message)
}

test('streams of a group combine in order of time, and only of one\'s own account', (t) => {
  const logs = new LogGroups(pathOf(t))
  t.teardown(() => { logs.close() })
  logs.append([batch('a', [1000, 3000]), batch('b', [2000])], 9000)
  logs.append([batch('c', [1500], '222222222222')], 9000)
  t.deepEqual(messages(logs, {}), ['a 1000', 'b 2000', 'a 3000'])
  t.deepEqual(messages(logs, { startMs: 2000, endMs: 3000 }), ['b 2000'])
  t.deepEqual(logs.groups(ACCOUNT, REGION, 'fl').map(({ name }) => name), ['flows'])
  t.deepEqual(logs.groups(ACCOUNT, 'eu-west-1', ''), [])
})

test('a reader goes on after, or before, the last event that it has seen', (t) => {
  const logs = new LogGroups(pathOf(t))
  t.teardown(() => { logs.close() })
  logs.append([batch('a', [1000, 1000, 2000, 3000])], 9000)
  t.deepEqual(messages(logs, { limit: 2 }), ['a 1000', 'a 1000'])
  t.deepEqual(messages(logs, { from: { atMs: 1000, id: 2 } }), ['a 2000', 'a 3000'])
  t.deepEqual(messages(logs, { towards: 'older', limit: 2 }), ['a 2000', 'a 3000'])
  t.deepEqual(messages(logs, { towards: 'older', from: { atMs: 2000, id: 3 } }),
    ['a 1000', 'a 1000'])
})

test('what was written is there after the file was opened again, the oldest goes when it is full',
  (t) => {
    const path = pathOf(t)
    const first = new LogGroups(path, 3)
    first.append([batch('a', [1000, 2000])], 9000)
    first.close()
    const logs = new LogGroups(path, 3)
    t.teardown(() => { logs.close() })
    t.deepEqual(messages(logs, {}), ['a 1000', 'a 2000'])
    logs.append([batch('a', [3000, 4000])], 9000)
    t.deepEqual(messages(logs, {}), ['a 2000', 'a 3000', 'a 4000'])
  })
