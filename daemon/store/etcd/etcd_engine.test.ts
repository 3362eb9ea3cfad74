/** The engine over a client that answers as a test says; test/integration has the real etcd. */
import test from 'ava'
import type { KeyValue, WatchEvent, WatchListener } from './client.ts'
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
      },
      close: () => undefined
    }
  })
  const seen: number[] = []
  engine.watch(2, ({ revision }) => { seen.push(revision) })
  t.deepEqual(seen, [3])
  await engine.close()
})
