/** The stream of events over the real store, with hosts that apply when the test says so. */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { Readable } from 'node:stream'
import type { CommitListener } from '../../model/commit_feed.ts'
import { put, remove, Snapshot } from '../../model/snapshot.ts'
import type { Change } from '../../model/snapshot.ts'
import { readSource } from '../../../test/tidy/sources.ts'
import { Replica } from '../../store/replica.ts'
import { SqliteEngine } from '../../store/sqlite_engine.ts'
import type { EventLine } from './contract.ts'
import { EVENT_READERS_MAX, EventFeed, EVENTS_WAITING_BYTES_MAX } from './event_feed.ts'
import type { EventFilter } from './event_feed.ts'

const CLOCK = { nowMs: () => Date.parse('2026-01-02T03:04:05.678Z'), monotonicMs: () => 0 }
const ALL: EventFilter = { noun: null, id: null, initial: true }

interface FakeHost { readonly host: { readonly id: string }, appliedRevision: number }

async function makeFeed (t: ExecutionContext) {
  const engine = new SqliteEngine(':memory:', CLOCK)
  const replica = await Replica.open(engine)
  const hosts: FakeHost[] = [
    { host: { id: 'host-1' }, appliedRevision: 0 }, { host: { id: 'host-2' }, appliedRevision: 0 }
  ]
  let onApplied = (): void => undefined
  const lab = {
    agents: hosts,
    get appliedRevision () { return Math.min(...hosts.map((host) => host.appliedRevision)) },
    onApplied: (listener: () => void) => { onApplied = listener }
  }
  const feed = new EventFeed({ replica, lab, clock: CLOCK })
  t.teardown(async () => {
    replica.close()
    await engine.close()
  })
  const commit = async (...changes: Change[]) => {
    await replica.transact(() => ({ changes, result: null }))
  }
  const apply = (host: 0 | 1, revision: number) => {
    const fake = hosts[host]
    if (fake !== undefined) fake.appliedRevision = revision
    onApplied()
  }
  return { feed, commit, apply }
}

const counter = (id: string, next = 1): Change => put('counter', { id, next })

/** Takes the next `count` lines; fewer when the stream ends. */
class Lines {
  readonly #stream: Readable
  #text = ''
  constructor (stream: Readable) { this.#stream = stream.setEncoding('utf8') }

  async take (count: number): Promise<EventLine[]> {
    const lines: EventLine[] = []
    while (lines.length < count) {
      const end = this.#text.indexOf('\n')
      if (end !== -1) {
        lines.push(JSON.parse(this.#text.slice(0, end)) as EventLine)
        this.#text = this.#text.slice(end + 1)
        continue
      }
      const chunk = this.#stream.read() as string | null
      if (chunk !== null) this.#text += chunk
      else if (this.#stream.readableEnded || this.#stream.destroyed) return lines
      else {
        await new Promise<void>((resolve) => {
          for (const event of ['readable', 'end', 'close']) this.#stream.once(event, resolve)
        })
      }
    }
    return lines
  }
}

/** `change 2 a created`: what the tests compare. */
function brief (event: EventLine): string {
  switch (event.type) {
    case 'initial': return `initial ${String(event.revision)} ${event.id}`
    case 'synced': return `synced ${String(event.revision)} ${String(event.appliedRevision)}`
    case 'change': return `change ${String(event.revision)} ${event.id} ${event.change}`
    case 'applied': return `applied ${String(event.revision)} ${event.host}`
    case 'overflow': case 'stopped': return `${event.type} ${String(event.revision)}`
  }
}

test('a stream begins with what is there and goes on with what happens', async (t) => {
  const { feed, commit, apply } = await makeFeed(t)
  await commit(counter('a'), counter('b'))
  const lines = new Lines(feed.open(ALL))
  t.deepEqual((await lines.take(3)).map(brief), ['initial 1 a', 'initial 1 b', 'synced 1 0'])
  await commit(counter('a', 2), counter('c'), remove('counter', 'b'))
  const [changed, created, deleted] = await lines.take(3)
  t.deepEqual(changed, {
    type: 'change',
    revision: 2,
    time: '2026-01-02T03:04:05.678Z',
    noun: 'counter',
    id: 'a',
    change: 'changed',
    record: { id: 'a', next: 2 },
    previous: { id: 'a', next: 1 }
  })
  t.like(created, { id: 'c', change: 'created', record: { id: 'c', next: 1 } })
  t.false('previous' in (created ?? {}))
  t.like(deleted, { id: 'b', change: 'deleted', record: null, previous: { id: 'b', next: 1 } })
  apply(1, 2)
  apply(0, 2)
  t.deepEqual((await lines.take(3)).map(brief),
    ['applied 2 host-2', 'applied 2 host-1', 'applied 2 all'])
})

test('a host\'s revision is told after the changes it has applied, and once', async (t) => {
  const { feed, commit, apply } = await makeFeed(t)
  const lines = new Lines(feed.open(ALL))
  apply(0, 1)
  await commit(counter('a'))
  apply(0, 1)
  t.deepEqual((await lines.take(3)).map(brief),
    ['synced 0 0', 'change 1 a created', 'applied 1 host-1'])
  await commit(counter('b'))
  t.deepEqual((await lines.take(1)).map(brief), ['change 2 b created'])
})

test('readers who come and go while commits go on miss nothing and hear nothing twice',
  async (t) => {
    const { feed, commit } = await makeFeed(t)
    const readers: { lines: Lines, from: number }[] = []
    for (let revision = 1; revision <= 60; revision++) {
      const committed = commit(counter(`c${String(revision % 7)}`, revision))
      if (revision % 3 === 0) {
        readers.push({ lines: new Lines(feed.open(ALL)), from: revision })
      }
      await committed
    }
    await commit(counter('last'))
    for (const { lines } of readers) {
      const state = new Map<string, unknown>()
      let revision = -1
      for (;;) {
        const [event] = await lines.take(1)
        if (event === undefined) throw new Error('the stream ended')
        if (event.type === 'initial') state.set(event.id, event.record)
        if (event.type === 'synced') revision = event.revision
        if (event.type !== 'change') continue
        t.is(event.revision, revision + 1, 'each revision once, in order')
        t.deepEqual(event.previous ?? undefined, state.get(event.id))
        revision = event.revision
        state.set(event.id, event.record)
        if (event.id === 'last') break
      }
      t.deepEqual(state.get('c4'), { id: 'c4', next: 60 })
    }
  })

test('a filter leaves out other records, never the marks', async (t) => {
  const { feed, commit, apply } = await makeFeed(t)
  await commit(counter('a'), put('quotaOverride', { id: 'q', value: 1 }))
  const byNoun = new Lines(feed.open({ ...ALL, noun: 'quotaOverride' }))
  const byId = new Lines(feed.open({ ...ALL, id: 'a', initial: false }))
  await commit(counter('a', 2), put('quotaOverride', { id: 'q', value: 2 }))
  apply(0, 2)
  t.deepEqual((await byNoun.take(4)).map(brief),
    ['initial 1 q', 'synced 1 0', 'change 2 q changed', 'applied 2 host-1'])
  t.deepEqual((await byId.take(3)).map(brief),
    ['synced 1 0', 'change 2 a changed', 'applied 2 host-1'])
})

/** Sources that commit changes of a million characters each whenever the test asks. */
function bigSources () {
  let revision = 0
  let commit: CommitListener = () => undefined
  const record = { id: 'x', requestHash: 'h'.repeat(1_000_000), result: null, createdMs: 0 }
  const feed = new EventFeed({
    replica: {
      snapshot: new Snapshot(), onCommit: (listener) => { commit = listener }
    },
    lab: { agents: [], appliedRevision: 0, onApplied: () => undefined },
    clock: CLOCK
  })
  return {
    feed,
    commit: (count = 1) => {
      revision++
      commit(revision, Array.from({ length: count }, () =>
        ({ noun: 'idempotency', id: 'x', record, previous: null })))
    }
  }
}

test('a reader that does not read gets what fits, then "overflow" and the end', async (t) => {
  const { feed, commit } = bigSources()
  const stream = feed.open(ALL)
  const commits = Math.ceil(EVENTS_WAITING_BYTES_MAX / 1_000_000) + 10
  for (let count = 0; count < commits; count++) commit()
  const lines = new Lines(stream)
  const events = await lines.take(Infinity)
  const told = events.filter(({ type }) => type === 'change').map(({ revision }) => revision)
  t.deepEqual(told, told.map((_, index) => index + 1), 'no gap before the end')
  t.true(told.length < commits)
  t.is(events.at(-1)?.type, 'overflow')
  t.is(events.at(-1)?.revision, told.length, 'says what the reader has')
  t.is(feed.readerCount, 0)
})

test('one commit longer than the limit reaches a reader that keeps up', async (t) => {
  const { feed, commit } = bigSources()
  const lines = new Lines(feed.open(ALL))
  t.deepEqual((await lines.take(1)).map(brief), ['synced 0 0'])
  const changes = Math.ceil(EVENTS_WAITING_BYTES_MAX / 1_000_000) + 10
  for (const revision of [1, 2]) {
    commit(changes)
    t.deepEqual((await lines.take(changes)).map(brief),
      Array(changes).fill(`change ${String(revision)} x created`))
  }
})

test('readers beyond the limit are refused until one leaves', (t) => {
  const { feed } = bigSources()
  const streams = Array.from({ length: EVENT_READERS_MAX }, () => feed.open(ALL))
  t.throws(() => feed.open(ALL), { message: /64 readers follow the events/ })
  streams[0]?.destroy()
  return new Promise<void>((resolve) => { streams[0]?.once('close', resolve) }).then(() => {
    t.notThrows(() => feed.open(ALL))
  })
})

test('a daemon that stops ends every stream with "stopped"', async (t) => {
  const { feed, commit } = await makeFeed(t)
  const lines = new Lines(feed.open(ALL))
  await commit(counter('a'))
  feed.close()
  t.deepEqual((await lines.take(Infinity)).map(brief),
    ['synced 0 0', 'change 1 a created', 'stopped 1'])
})

test('docs/events.md has every field of every kind of line, and no other', async (t) => {
  const { feed, commit, apply } = await makeFeed(t)
  await commit(counter('a'))
  const lines = new Lines(feed.open(ALL))
  await commit(counter('a', 2))
  apply(0, 2)
  const { feed: bigFeed, commit: bigCommit } = bigSources()
  const slow = bigFeed.open(ALL)
  for (let count = 0; count < 30; count++) bigCommit()
  const lost = (await new Lines(slow).take(Infinity)).filter(({ type }) => type === 'overflow')
  feed.close()
  const events = [...await lines.take(Infinity), ...lost]
  const text = readSource('docs/events.md').text
  t.true(text.includes(`${String(EVENT_READERS_MAX)} readers at once`))
  t.true(text.includes(`${String(EVENTS_WAITING_BYTES_MAX / 2 ** 20)} MiB waited`))
  t.deepEqual([...new Set(events.map(({ type }) => type))].toSorted(),
    ['applied', 'change', 'initial', 'overflow', 'stopped', 'synced'])
  for (const event of events) {
    const [, section = ''] = text.split(`\n### \`${event.type}\`\n`)
    const fields = [...section.split('\n#')[0]?.matchAll(/^\| `(\w+)` \|/gm) ?? []]
      .map(([, field = '']) => field)
    t.deepEqual(fields.toSorted(), Object.keys(event).filter((key) => key !== 'type').toSorted(),
      event.type)
  }
})
