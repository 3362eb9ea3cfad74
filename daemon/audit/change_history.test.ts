import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { systemClock } from '../base/clock.ts'
import { silentLog } from '../observe/log.ts'
import { HISTORY_COMMITS_MAX, SqliteEngine } from '../store/sqlite_engine.ts'
import type { Write } from '../store/store.ts'
import { ChangeHistory, type PastResource } from './change_history.ts'

const VPC = 'vpc-00000000000000001'
const TABLE = 'rtb-00000000000000001'

interface Opened { readonly engine: SqliteEngine, readonly path: string }

function openStore (t: ExecutionContext): Opened {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-history-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const engine = new SqliteEngine(':memory:', systemClock)
  return { engine, path: join(directory, 'history.sqlite') }
}

function openHistory ({ engine, path }: Opened, changesMax = 1000): Promise<ChangeHistory> {
  return ChangeHistory.open(path, { engine, clock: systemClock, log: silentLog(), changesMax })
}

const owned = { ownerId: '111111111111', region: 'us-east-1', tags: {} }

function vpc (): Write {
  return { key: `/vpc/${VPC}`, value: JSON.stringify({ id: VPC, ...owned }) }
}

function table (number: number | null): Write {
  return {
    key: `/routeTable/${TABLE}`,
    value: number === null
      ? null
      : JSON.stringify({ id: TABLE, vpcId: VPC, number, ...owned })
  }
}

/** Commits one write after the other, from the engine's revision on. */
async function commit (engine: SqliteEngine, from: number, ...writes: readonly Write[]):
Promise<void> {
  let revision = from
  for (const write of writes) {
    await engine.commit([write], revision)
    revision++
  }
}

function theTable (history: ChangeHistory): PastResource {
  const found = history.find('routeTable', TABLE)
  if (found === undefined) throw new Error('the table is not in the history')
  return found
}

/** The table's number at a revision; undefined when it is not there. */
function numberAt (history: ChangeHistory, resource: PastResource, revision: number): unknown {
  const change = history.stateAt(resource, revision).find(({ id }) => id === TABLE)
  return (change?.record as { readonly number?: number } | null | undefined)?.number
}

test('the state at every revision is known, also of what is gone', async (t) => {
  const store = openStore(t)
  const history = await openHistory(store)
  await commit(store.engine, 0, vpc(), table(1), table(2), table(null))
  const resource = theTable(history)
  t.like(resource, { vpcId: VPC, ownerId: '111111111111', firstRevision: 2 })
  t.deepEqual([1, 2, 3, 4].map((revision) => numberAt(history, resource, revision)),
    [undefined, 1, 2, undefined])
  t.deepEqual(history.revisionsOf(resource, 0, 99, 'first', 2), [1, 2])
  t.deepEqual(history.revisionsOf(resource, 0, 99, 'last', 2), [3, 4])
  t.deepEqual(history.changesAt(resource, 4), [{ noun: 'routeTable', id: TABLE, record: null }])
  t.is(history.find('routeTable', 'rtb-00000000000000002'), undefined)
  history.close()
  await store.engine.close()
})

test('times lead to revisions and back', async (t) => {
  const store = openStore(t)
  const history = await openHistory(store)
  const beforeMs = systemClock.nowMs()
  await commit(store.engine, 0, vpc(), table(1))
  t.is(history.revisionAt(beforeMs - 1), 0)
  t.is(history.revisionAt(systemClock.nowMs()), 2)
  t.true(history.momentOf(2) >= beforeMs)
  history.close()
  await store.engine.close()
})

test('commits that were made without the history are caught up with', async (t) => {
  const store = openStore(t)
  const first = await openHistory(store)
  await commit(store.engine, 0, vpc(), table(1))
  first.close()
  await commit(store.engine, 2, table(2), table(3))
  const again = await openHistory(store)
  const resource = theTable(again)
  t.deepEqual([2, 3, 4].map((revision) => numberAt(again, resource, revision)), [1, 2, 3])
  again.close()
  await store.engine.close()
})

test('where the feed does not reach back, the history begins with what is there', async (t) => {
  const store = openStore(t)
  await commit(store.engine, 0, vpc())
  const count = HISTORY_COMMITS_MAX + 600
  const writes = Array.from({ length: count }, (_, number) => table(number))
  await commit(store.engine, 1, ...writes)
  const history = await openHistory(store)
  t.is(history.beginRevision, count + 1)
  t.is(numberAt(history, theTable(history), count + 1), count - 1)
  await commit(store.engine, count + 1, table(-1))
  t.is(numberAt(history, theTable(history), count + 2), -1)
  history.close()
  await store.engine.close()
})

test('the oldest changes are folded into the state that they led to', async (t) => {
  const store = openStore(t)
  const history = await openHistory(store, 100)
  await commit(store.engine, 0, vpc())
  for (let number = 0; number < 300; number++) {
    await commit(store.engine, number + 1, table(number))
    history.find('vpc', VPC)
  }
  const begin = history.beginRevision
  t.true(begin >= 200 && begin <= 230, String(begin))
  const resource = theTable(history)
  t.is(history.find('vpc', VPC)?.vpcId, VPC, 'what did not change since is still known')
  for (let revision = begin; revision <= 301; revision++) {
    t.is(numberAt(history, resource, revision), revision - 2)
  }
  history.close()
  await store.engine.close()
})

test('what comes into a VPC and leaves it again is known all the time', async (t) => {
  const opened = openStore(t)
  const history = await openHistory(opened)
  const gateway = (vpcId: string | null): Write => ({
    key: '/internetGateway/igw-1', value: JSON.stringify({ id: 'igw-1', vpcId, ...owned })
  })
  await commit(opened.engine, 0, gateway(null), vpc(), gateway(VPC), gateway(null))
  const resource = history.find('internetGateway', 'igw-1')
  if (resource === undefined) throw new Error('the gateway is not in the history')
  t.deepEqual(history.revisionsOf(resource, 0, 10, 'first', 10), [1, 3, 4])
  t.deepEqual(history.changesAt(resource, 3).map(({ id }) => id), ['igw-1'])
  t.like(history.stateAt(resource, 3), [{ record: { vpcId: VPC } }])
  t.like(history.stateAt(resource, 4), [{ record: { vpcId: null } }])
})

test('what names a resource without a VPC is of its past, and when that goes', async (t) => {
  const opened = openStore(t)
  const history = await openHistory(opened)
  const record = (noun: string, id: string, more: object | null): Write => ({
    key: `/${noun}/${id}`, value: more === null ? null : JSON.stringify({ id, ...owned, ...more })
  })
  await commit(opened.engine, 0, record('trafficMirrorFilter', 'tmf-1', {}),
    record('trafficMirrorFilter', 'tmf-2', {}),
    record('trafficMirrorFilterRule', 'tmfr-1', { filterId: 'tmf-1' }),
    record('trafficMirrorFilterRule', 'tmfr-1', null))
  const resource = history.find('trafficMirrorFilter', 'tmf-1')
  if (resource === undefined) throw new Error('the filter is not in the history')
  t.deepEqual(history.revisionsOf(resource, 0, 10, 'first', 10), [1, 3, 4])
})
