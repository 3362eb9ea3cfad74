/** The replica over the embedded engine: plans, retries, followers, reset. */
import { spawnSync } from 'node:child_process'
import test from 'ava'
import { systemClock } from '../base/clock.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import { put, remove } from '../model/snapshot.ts'
import type { Change } from '../model/snapshot.ts'
import { Replica, TRANSACT_ATTEMPTS_MAX, keyOf, parseKey } from './replica.ts'
import { SqliteEngine } from './sqlite_engine.ts'
import type { StoreEngine } from './store.ts'

function counter (id: string, next: number): Change {
  return put('counter', { id, next })
}

async function openReplica (): Promise<{ replica: Replica, engine: SqliteEngine }> {
  const engine = new SqliteEngine(':memory:', systemClock)
  return { engine, replica: await Replica.open(engine) }
}

async function commit (replica: Replica, changes: readonly Change[]): Promise<void> {
  await replica.transact(() => ({ changes, result: null }))
}

/** Adds one to a counter: a plan that depends on what is there. */
function increment (replica: Replica, id: string) {
  return () => {
    const next = (replica.snapshot.tables.counter.get(id)?.next ?? 0) + 1
    return { changes: [counter(id, next)], result: next }
  }
}

test('a key names a noun and an id, which may hold slashes', (t) => {
  t.is(keyOf('idempotency', 'a/b'), '/idempotency/a/b')
  t.deepEqual(parseKey('/idempotency/a/b'), { noun: 'idempotency', id: 'a/b' })
  t.throws(() => parseKey('/spaceship/1'), { code: 'VPCLAB_ERR_STORE', message: /spaceship/ })
  t.throws(() => parseKey('vpc'), { code: 'VPCLAB_ERR_STORE' })
})

test('a transaction is in the snapshot when it resolves, with its revisions', async (t) => {
  const { replica } = await openReplica()
  t.deepEqual(await replica.transact(increment(replica, 'vni')), { result: 1, revision: 1 })
  await replica.transact(increment(replica, 'vni'))
  const { counter: counters } = replica.snapshot.tables
  t.deepEqual(counters.get('vni'), { id: 'vni', next: 2 })
  t.is(counters.createRevision('vni'), 1)
  t.is(counters.modRevision('vni'), 2)
  t.is(replica.snapshot.revision, 2)
})

test('transactions that arrive together each see the one before', async (t) => {
  const { replica } = await openReplica()
  const committed = await Promise.all(
    Array.from({ length: 100 }, async () => await replica.transact(increment(replica, 'vni'))))
  const results = committed.map(({ result }) => result)
  t.deepEqual(results, Array.from({ length: 100 }, (_, n) => n + 1))
  t.is(replica.counters.retries, 0)
})

test('a plan runs again when another writer moved the store, on the newer snapshot', async (t) => {
  const { replica, engine } = await openReplica()
  let plans = 0
  const { result, revision } = await replica.transact(() => {
    const other = { key: '/counter/vni', value: '{"id":"vni","next":7}' }
    if (plans++ === 0) void engine.commit([other], 0)
    return increment(replica, 'vni')()
  })
  t.deepEqual([result, revision, plans, replica.counters.retries], [8, 2, 2, 1])
})

test('a transaction is given up when the store keeps moving', async (t) => {
  const { replica, engine } = await openReplica()
  let plans = 0
  const restless = () => {
    plans++
    const other = { key: '/counter/other', value: '{"id":"other","next":1}' }
    void engine.commit([other], replica.snapshot.revision)
    return increment(replica, 'vni')()
  }
  await t.throwsAsync(async () => await replica.transact(restless),
    { code: 'VPCLAB_ERR_STORE_CONFLICT' })
  t.is(plans, TRANSACT_ATTEMPTS_MAX)
  t.is(replica.snapshot.tables.counter.get('vni'), undefined)
  t.is((await replica.transact(increment(replica, 'vni'))).result, 1)
})

test('what a plan throws reaches the caller and writes nothing', async (t) => {
  const { replica } = await openReplica()
  await t.throwsAsync(async () => await replica.transact(() => { throw new RangeError('no') }),
    { instanceOf: RangeError })
  t.is(replica.snapshot.revision, 0)
  t.is((await replica.transact(increment(replica, 'vni'))).revision, 1)
})

test('a plan without changes makes no revision', async (t) => {
  const { replica } = await openReplica()
  t.deepEqual(await replica.transact(() => ({ changes: [], result: 'x' })),
    { result: 'x', revision: 0 })
  const absent = await replica.transact(() => ({ changes: [remove('vpc', 'vpc-1')], result: 'y' }))
  t.is(absent.revision, 0)
})

test('followers hear each commit with the records before it, in order', async (t) => {
  const { replica } = await openReplica()
  const heard: [number, readonly AppliedChange[], number][] = []
  replica.onCommit((revision, changes) => {
    heard.push([revision, changes, replica.snapshot.revision])
  })
  const late = replica.onCommit(() => { t.fail('closed') })
  late.close()
  await commit(replica, [counter('a', 1), counter('b', 1), counter('a', 2)])
  await commit(replica, [counter('a', 3), remove('counter', 'b')])
  const a = (next: number) => ({ id: 'a', next })
  const b = { id: 'b', next: 1 }
  t.deepEqual(heard, [
    [1, [
      { noun: 'counter', id: 'a', record: a(2), previous: null },
      { noun: 'counter', id: 'b', record: b, previous: null }
    ], 1],
    [2, [
      { noun: 'counter', id: 'a', record: a(3), previous: a(2) },
      { noun: 'counter', id: 'b', record: null, previous: b }
    ], 2]
  ])
})

test('a follower may transact; its commit comes after the one it heard', async (t) => {
  const { replica } = await openReplica()
  const heard: string[] = []
  let reaction: Promise<unknown> | undefined
  replica.onCommit((revision) => {
    heard.push(`first ${String(revision)}`)
    if (revision === 1) reaction = replica.transact(increment(replica, 'b'))
  })
  replica.onCommit((revision) => { heard.push(`second ${String(revision)}`) })
  await replica.transact(increment(replica, 'a'))
  await reaction
  t.deepEqual(heard, ['first 1', 'second 1', 'first 2', 'second 2'])
})

test('a follower that throws ends the process, after the others have heard the commit', (t) => {
  const module = (path: string): string => new URL(path, import.meta.url).href
  const program = `
    import { systemClock } from '${module('../base/clock.ts')}'
    import { Replica } from '${module('replica.ts')}'
    import { SqliteEngine } from '${module('sqlite_engine.ts')}'
    const replica = await Replica.open(new SqliteEngine(':memory:', systemClock))
    replica.onCommit(() => { throw new Error('a broken table') })
    replica.onCommit((revision) => { console.log('heard ' + revision) })
    const changes = [{ noun: 'counter', id: 'vni', record: { id: 'vni', next: 1 } }]
    await replica.transact(() => ({ changes, result: null }))
    setTimeout(() => { console.log('still here') }, 1_000)`
  const { status, stdout, stderr } =
    spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  t.is(stdout, 'heard 1\n')
  t.is(status, 1)
  t.regex(stderr, /a broken table/)
})

test('a replica opened later holds the same records and revisions', async (t) => {
  const { replica, engine } = await openReplica()
  await replica.transact(increment(replica, 'a'))
  await replica.transact(increment(replica, 'b'))
  await replica.transact(increment(replica, 'a'))
  await replica.transact(() => ({ changes: [remove('counter', 'b')], result: null }))
  const other = await Replica.open(engine)
  t.is(other.snapshot.revision, 4)
  t.deepEqual([...other.snapshot.tables.counter.values()], [{ id: 'a', next: 2 }])
  t.is(other.snapshot.tables.counter.createRevision('a'), 1)
  t.is(other.snapshot.tables.counter.modRevision('a'), 3)
  await replica.transact(increment(replica, 'a'))
  t.is(other.snapshot.tables.counter.get('a')?.next, 3)
})

test('a store with a noun of another version is refused, not read in part', async (t) => {
  const engine: StoreEngine = new SqliteEngine(':memory:', systemClock)
  await engine.commit([{ key: '/spaceship/1', value: '{"id":"1"}' }], 0)
  await t.throwsAsync(async () => await Replica.open(engine),
    { code: 'VPCLAB_ERR_STORE', message: /spaceship/ })
})

test('a reset removes all but hosts, quotas and counters in one commit', async (t) => {
  const { replica } = await openReplica()
  const host = put('host', {
    id: 'host-1', region: 'us-east-1', zoneId: 'use1-az1', underlayAddress: '192.0.2.1',
    underlayMtu: 9216, roles: ['compute'], instanceSlots: 10
  })
  const tokens = Array.from({ length: 2000 }, (_, n) =>
    put('idempotency', { id: `t${String(n)}`, requestHash: '', result: null, createdMs: 0 }))
  const quota = put('quotaOverride', { id: 'vpcs', value: 9 })
  await commit(replica, [host, quota, counter('vni', 4), ...tokens])
  let commits = 0
  replica.onCommit(() => { commits++ })
  t.deepEqual(await replica.resetRecords(), { revision: 2, removed: 2000 })
  t.is(commits, 1)
  const { tables } = replica.snapshot
  const { host: hosts, quotaOverride: quotas, counter: counters, idempotency } = tables
  t.deepEqual([hosts.size, quotas.size, counters.size, idempotency.size], [1, 1, 1, 0])
  t.deepEqual(await replica.resetRecords(), { revision: 2, removed: 0 })
})
