/** The engine over a client that answers as a test says; test/integration has the real etcd. */
import test from 'ava'
import type { KeyValue, Range, WatchEvent, WatchListener } from './client.ts'
import { EtcdEngine } from './etcd_engine.ts'

const PREFIX = '/vpclab/lab/'
const OPTIONS = {
  target: { members: [], prefix: PREFIX, tls: null },
  clock: { nowMs: () => 0, monotonicMs: () => 0 },
  random: { bytes: (count: number) => new Uint8Array(count) }
}

/** The guard as transaction `revision` leaves it. */
function guard (revision: number): KeyValue {
  const value = JSON.stringify({ id: String(revision), atMs: 0 })
  return { key: `${PREFIX}revision`, value, modRevision: revision, version: revision }
}

test('the store opens when others write while it does', async (t) => {
  const events = [1, 2, 3].map((revision): WatchEvent =>
    ({ kv: guard(revision), isDeletion: false }))
  const engine = await EtcdEngine.open({
    ...OPTIONS,
    client: {
      range: () => Promise.resolve({ revision: 2, kvs: [guard(2)] }),
      txn: () => Promise.reject(new Error('nobody writes')),
      // Revision 3 comes together with what was read.
      watch: (_prefix: string, _from: number, listener: WatchListener) => {
        queueMicrotask(() => { listener.events(events) })
        return () => undefined
      }
    }
  })
  const seen: number[] = []
  engine.watch(2, ({ revision }) => { seen.push(revision) })
  t.deepEqual(seen, [3])
  await engine.close()
})

test('a commit that etcd has taken is told without the watch, and not undone by a read before it',
  async (t) => {
    let listener: WatchListener | undefined
    const reads: ((range: Range) => void)[] = []
    const engine = await EtcdEngine.open({
      ...OPTIONS,
      client: {
        range: () => listener === undefined ? Promise.resolve({ revision: 1, kvs: [guard(1)] })
          : new Promise((resolve) => { reads.push(resolve) }),
        txn: () => Promise.resolve({ succeeded: true, read: null }),
        watch: (_prefix: string, _from: number, given: WatchListener) => {
          listener = given
          queueMicrotask(() => { given.events([{ kv: guard(1), isDeletion: false }]) })
          return () => undefined
        }
      }
    })
    const seen: [number, number][] = []
    engine.watch(1, ({ revision, writes }) => { seen.push([revision, writes.length]) })
    // Everything is read anew, since etcd has compacted beyond what the watch has told.
    listener?.ended('compacted', 5)
    const writes = [{ key: '/vpc/a', value: '1' }, { key: '/vpc/b', value: null }]
    t.is(await engine.commit(writes, 1), 2)
    reads.shift()?.({ revision: 6, kvs: [guard(1)] })
    await new Promise(setImmediate)
    const record = { key: `${PREFIX}record/vpc/a`, value: '2 0 2\n1', modRevision: 7, version: 1 }
    reads.shift()?.({ revision: 7, kvs: [guard(2), record] })
    await new Promise(setImmediate)
    t.deepEqual(seen, [[2, 1]])
    t.is(await engine.commit([{ key: '/vpc/a', value: null }], 2), 3)
    t.deepEqual(seen, [[2, 1], [3, 1]])
    await engine.close()
  })
