/** The embedded engine: the contract of all engines, and what a file adds: locks, kill -9. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createInterface } from 'node:readline'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { systemClock } from '../base/clock.ts'
import { engineSuite } from './engine_suite.ts'
import { TRANSACTION_WRITES_MAX, VALUE_LENGTH_MAX } from './limits.ts'
import { HISTORY_COMMITS_MAX, SqliteEngine } from './sqlite_engine.ts'

engineSuite('sqlite', test, async () => new SqliteEngine(':memory:', systemClock))

/** A path of its own for a store, removed with the test. */
function storePath (t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-store-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  return join(directory, 'state', 'store.sqlite')
}

test('a store holds its records, revisions and feed when it is opened again', async (t) => {
  const path = storePath(t)
  const first = new SqliteEngine(path, systemClock)
  await first.commit([{ key: '/vpc/a', value: '1' }, { key: '/vpc/b', value: '1' }], 0)
  await first.commit([{ key: '/vpc/b', value: null }], 1)
  const before = await first.readAll()
  await first.close()

  const second = new SqliteEngine(path, systemClock)
  t.deepEqual(await second.readAll(), before)
  const seen: number[] = []
  second.watch(0, ({ revision }) => { seen.push(revision) })
  t.deepEqual(seen, [1, 2])
  t.is(await second.commit([{ key: '/vpc/c', value: '1' }], 2), 3)
  await second.close()
})

test('a second engine on the same file is refused while the first is open', async (t) => {
  const path = storePath(t)
  const first = new SqliteEngine(path, systemClock)
  t.throws(() => new SqliteEngine(path, systemClock),
    { code: 'VPCLAB_ERR_STORE', message: /locked/ })
  t.is(await first.commit([{ key: '/vpc/a', value: '1' }], 0), 1)
  await first.close()
  const second = new SqliteEngine(path, systemClock)
  await second.close()
})

test('a file that is no store, or of another schema, is refused and left as it is', (t) => {
  const path = join(mkdtempSync(join(tmpdir(), 'vpclab-store-')), 'file')
  t.teardown(() => { rmSync(join(path, '..'), { recursive: true }) })
  writeFileSync(path, 'not a database, but long enough to be read as the header of one'.repeat(20))
  t.throws(() => new SqliteEngine(path, systemClock),
    { code: 'VPCLAB_ERR_STORE', message: /not a database/ })

  rmSync(path)
  const foreign = new DatabaseSync(path)
  foreign.exec('CREATE TABLE bookmark (url TEXT)')
  foreign.close()
  t.throws(() => new SqliteEngine(path, systemClock),
    { code: 'VPCLAB_ERR_STORE', message: /no vpclab store/ })

  rmSync(path)
  const newer = new DatabaseSync(path)
  newer.exec('PRAGMA application_id = 0x76706364; PRAGMA user_version = 99')
  newer.exec('CREATE TABLE record (key TEXT)')
  newer.close()
  t.throws(() => new SqliteEngine(path, systemClock),
    { code: 'VPCLAB_ERR_STORE', message: /schema version 99/ })
})

test('a commit that fails half-way leaves nothing of itself', async (t) => {
  const engine = new SqliteEngine(':memory:', systemClock)
  await engine.commit([{ key: '/vpc/a', value: '1' }], 0)
  // A value that STRICT refuses, behind one that it takes.
  const bad = [{ key: '/vpc/b', value: '1' }, { key: null as unknown as string, value: '1' }]
  await t.throwsAsync(async () => await engine.commit(bad, 1), { code: 'VPCLAB_ERR_STORE' })
  const { revision, records } = await engine.readAll()
  t.is(revision, 1)
  t.deepEqual(records.map(({ key }) => key), ['/vpc/a'])
  t.is(await engine.commit([{ key: '/vpc/b', value: '1' }], 1), 2)
  await engine.close()
})

test('transactions over a limit are refused and counted', async (t) => {
  const engine = new SqliteEngine(':memory:', systemClock)
  const many = Array.from({ length: TRANSACTION_WRITES_MAX + 1 },
    (_, n) => ({ key: `/vpc/${String(n)}`, value: null }))
  await t.throwsAsync(async () => await engine.commit(many, 0),
    { code: 'VPCLAB_ERR_STORE', message: /takes 100000 writes/ })
  const long = [{ key: '/vpc/a', value: ' '.repeat(VALUE_LENGTH_MAX + 1) }]
  await t.throwsAsync(async () => await engine.commit(long, 0),
    { code: 'VPCLAB_ERR_STORE', message: /\/vpc\/a/ })
  t.is(engine.counters.refused, 2)
  t.is((await engine.readAll()).revision, 0)
  await engine.close()
})

test('the feed reaches back HISTORY_COMMITS_MAX commits and no further', async (t) => {
  const engine = new SqliteEngine(':memory:', systemClock)
  const newest = HISTORY_COMMITS_MAX + 600
  for (let revision = 0; revision < newest; revision++) {
    await engine.commit([{ key: '/vpc/a', value: String(revision) }], revision)
  }
  t.throws(() => engine.watch(10, () => undefined),
    { code: 'VPCLAB_ERR_STORE_COMPACTED', message: /begins at/ })
  let delivered = 0
  engine.watch(newest - HISTORY_COMMITS_MAX, () => { delivered++ })
  t.is(delivered, HISTORY_COMMITS_MAX)
  t.throws(() => engine.watch(newest + 1, () => undefined), { code: 'VPCLAB_ERR_STORE' })
  await engine.close()
})

test('what was acknowledged is there after kill -9', async (t) => {
  const path = storePath(t)
  // The child commits pairs as fast as it can and prints each revision once it is acknowledged.
  const module = new URL('sqlite_engine.ts', import.meta.url).href
  const program = `
    import { SqliteEngine } from '${module}'
    const engine = new SqliteEngine('${path}', { nowMs: () => 1, monotonicMs: () => 1 })
    for (let revision = 0; ; revision++) {
      const value = String(revision)
      await engine.commit([{ key: '/vpc/a', value }, { key: '/vpc/b' + value, value }], revision)
      process.stdout.write(value + '\\n')
      await new Promise((resolve) => { setImmediate(resolve) })
    }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program],
    { stdio: ['ignore', 'pipe', 'inherit'] })
  let acknowledged = -1
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged = Number(line)
    if (acknowledged === 200) child.kill('SIGKILL')
  }
  if (child.signalCode === null) await once(child, 'exit')
  t.is(child.signalCode, 'SIGKILL')

  const engine = new SqliteEngine(path, systemClock)
  const { revision, records } = await engine.readAll()
  t.true(revision > acknowledged,
    `revision ${String(revision)}, acknowledged ${String(acknowledged)}`)
  t.is(records.length, revision + 1)
  t.is(records.find(({ key }) => key === '/vpc/a')?.value, String(revision - 1))
  await engine.close()
})
