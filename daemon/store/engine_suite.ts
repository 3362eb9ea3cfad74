/**
 * What every store engine must do, as tests. An engine's own test file calls `engineSuite` with a
 * way to open an empty store, and adds what is particular to it.
 */
import type { TestFn } from 'ava'
import type { Commit, StoreEngine, Write } from './store.ts'

/** Makes an empty store. The suite closes the engine. */
export type OpenEngine = () => Promise<StoreEngine>

function write (key: string, value: unknown): Write {
  return { key, value: JSON.stringify(value) }
}

function removal (key: string): Write {
  return { key, value: null }
}

/** Resolves when `commits` holds `count`: an engine may deliver the past a little later. */
async function delivered (commits: readonly Commit[], count: number): Promise<void> {
  while (commits.length < count) await new Promise((resolve) => { setImmediate(resolve) })
}

/** Registers the tests of the interface's contract, named `<name>: …`. */
export function engineSuite (name: string, test: TestFn, open: OpenEngine): void {
  recordSuite(name, test, open)
  feedSuite(name, test, open)
}

function recordSuite (name: string, test: TestFn, open: OpenEngine): void {
  test(`${name}: an empty store is at revision 0 and has no records`, async (t) => {
    const engine = await open()
    t.deepEqual(await engine.readAll(), { revision: 0, records: [] })
    await engine.close()
  })

  test(`${name}: a commit raises the revision by one and dates its records`, async (t) => {
    const engine = await open()
    t.is(await engine.commit([write('/vpc/b', 1), write('/vpc/a', 2)], 0), 1)
    t.is(await engine.commit([write('/vpc/b', 3), write('/subnet/c', 4)], 1), 2)
    t.deepEqual(await engine.readAll(), {
      revision: 2,
      records: [
        { key: '/vpc/b', value: '3', createRevision: 1, modRevision: 2 },
        { key: '/vpc/a', value: '2', createRevision: 1, modRevision: 1 },
        { key: '/subnet/c', value: '4', createRevision: 2, modRevision: 2 }
      ]
    })
    await engine.close()
  })

  test(`${name}: a record made again after its removal has a new create revision`, async (t) => {
    const engine = await open()
    await engine.commit([write('/vpc/a', 1), write('/vpc/b', 1)], 0)
    await engine.commit([removal('/vpc/a')], 1)
    await engine.commit([write('/vpc/a', 2)], 2)
    const { records } = await engine.readAll()
    t.deepEqual(records.map(({ key, createRevision }) => [key, createRevision]),
      [['/vpc/b', 1], ['/vpc/a', 3]])
    await engine.close()
  })

  test(`${name}: a commit planned on an older revision writes nothing`, async (t) => {
    const engine = await open()
    await engine.commit([write('/vpc/a', 1)], 0)
    t.is(await engine.commit([write('/vpc/a', 2), write('/vpc/b', 2)], 0), null)
    const { revision, records } = await engine.readAll()
    t.is(revision, 1)
    t.deepEqual(records.map(({ key, value }) => [key, value]), [['/vpc/a', '1']])
    await engine.close()
  })

  test(`${name}: of commits that race from one revision exactly one is written`, async (t) => {
    const engine = await open()
    const results = await Promise.all(
      [1, 2, 3, 4].map(async (value) => await engine.commit([write('/vpc/a', value)], 0)))
    t.deepEqual(results.filter((revision) => revision !== null), [1])
    t.is((await engine.readAll()).revision, 1)
    await engine.close()
  })

  test(`${name}: a closed store refuses with VPCLAB_ERR_STORE`, async (t) => {
    const engine = await open()
    await engine.close()
    await t.throwsAsync(async () => await engine.commit([write('/vpc/a', 1)], 0),
      { code: 'VPCLAB_ERR_STORE' })
    await t.throwsAsync(async () => await engine.readAll(), { code: 'VPCLAB_ERR_STORE' })
  })
}

function feedSuite (name: string, test: TestFn, open: OpenEngine): void {
  test(`${name}: the feed gives every commit once, before commit() resolves`, async (t) => {
    const engine = await open()
    const seen: Commit[] = []
    engine.watch(0, (commit) => { seen.push(commit) })
    await engine.commit([write('/vpc/a', 1), removal('/vpc/z')], 0)
    t.is(seen.length, 1)
    await engine.commit([removal('/vpc/a')], 1)
    t.deepEqual(seen.map(({ revision, writes }) => ({ revision, writes })), [
      { revision: 1, writes: [write('/vpc/a', 1)] },
      { revision: 2, writes: [removal('/vpc/a')] }
    ])
    t.true(seen.every(({ atMs }) => atMs > 0))
    await engine.close()
  })

  test(`${name}: a feed resumes after the revision asked for`, async (t) => {
    const engine = await open()
    for (let revision = 0; revision < 5; revision++) {
      await engine.commit([write('/vpc/a', revision)], revision)
    }
    const seen: Commit[] = []
    engine.watch(2, (commit) => { seen.push(commit) })
    await delivered(seen, 3)
    await engine.commit([write('/vpc/a', 5)], 5)
    t.deepEqual(seen.map(({ revision, writes }) => [revision, writes[0]?.value]),
      [[3, '2'], [4, '3'], [5, '4'], [6, '5']])
    await engine.close()
  })

  test(`${name}: a closed subscription hears nothing more`, async (t) => {
    const engine = await open()
    const seen: number[] = []
    const subscription = engine.watch(0, ({ revision }) => { seen.push(revision) })
    await engine.commit([write('/vpc/a', 1)], 0)
    subscription.close()
    await engine.commit([write('/vpc/a', 2)], 1)
    t.deepEqual(seen, [1])
    await engine.close()
  })

  test(`${name}: a commit made by a listener keeps the order for all`, async (t) => {
    const engine = await open()
    const first: number[] = []
    const second: number[] = []
    let nested: Promise<number | null> | undefined
    engine.watch(0, ({ revision }) => {
      first.push(revision)
      if (revision === 1) nested = engine.commit([write('/vpc/b', 1)], 1)
    })
    engine.watch(0, ({ revision }) => { second.push(revision) })
    await engine.commit([write('/vpc/a', 1)], 0)
    t.is(await nested, 2)
    t.deepEqual([first, second], [[1, 2], [1, 2]])
    await engine.close()
  })
}
