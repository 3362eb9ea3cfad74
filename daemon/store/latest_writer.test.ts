/** Reports that come faster than they are written, and one that cannot be. */
import test from 'ava'
import { systemClock } from '../base/clock.ts'
import { put } from '../model/snapshot.ts'
import { LatestWriter } from './latest_writer.ts'
import { Replica } from './replica.ts'
import { SqliteEngine } from './sqlite_engine.ts'

interface Report { readonly id: string, readonly next: number }

async function open (): Promise<{
  readonly replica: Replica
  readonly errors: readonly unknown[]
  readonly writer: LatestWriter<Report>
}> {
  const replica = await Replica.open(new SqliteEngine(':memory:', systemClock))
  const errors: unknown[] = []
  const writer = new LatestWriter<Report>(replica, (snapshot, report) => {
    if (report.next < 0) throw new Error('no such report')
    return snapshot.tables.counter.get(report.id)?.next === report.next ? []
      : [put('counter', report)]
  }, (error) => { errors.push(error) })
  return { replica, errors, writer }
}

test('of each key the newest report is written, all that came up meanwhile at once', async (t) => {
  const { replica, writer } = await open()
  for (let next = 1; next <= 100; next++) {
    for (const id of ['a', 'b']) writer.take(id, { id, next })
  }
  await writer.idle()
  const { counter } = replica.snapshot.tables
  t.deepEqual(['a', 'b'].map((id) => counter.get(id)?.next), [100, 100])
  t.true(replica.snapshot.revision <= 2, 'two transactions at most')
})

test('a report that fails is told, and the next one is written', async (t) => {
  const { replica, writer, errors } = await open()
  writer.take('a', { id: 'a', next: -1 })
  await writer.idle()
  t.is(errors.length, 1)
  writer.take('a', { id: 'a', next: 7 })
  await writer.idle()
  t.is(replica.snapshot.tables.counter.get('a')?.next, 7)
})
