import { Worker } from 'node:worker_threads'
import test from 'ava'
import type { TestFn } from 'ava'
import { VpclabError } from '../base/errors.ts'
import type { PortDevice } from '../dataplane/tables/update.ts'
import { silentLog } from '../observe/log.ts'
import { startThread } from './dataplane_carrier.ts'
import { DataplaneLink } from './dataplane_link.ts'

interface Watched {
  link: DataplaneLink
  applied: number[]
  spawns: number
  failedPorts: number[]
  /** Resolves at the next acknowledgement. */
  nextApplied: () => Promise<void>
}

const serial = test as TestFn<Watched>

serial.beforeEach(async (t) => {
  let wake = (): void => undefined
  const context: Watched = {
    applied: [], spawns: 0, failedPorts: [],
    nextApplied: async () => { await new Promise<void>((resolve) => { wake = resolve }) },
    link: new DataplaneLink({
      start: (events) => startThread({
        hostIndex: 1,
        underlayNamespacePath: '',
        underlayAddress: '100.127.0.1',
        underlayMtu: 9216,
        spinUs: 0,
        flowFilePath: '',
        flowCapacity: 0,
        nat: null, espFilePath: null, wireFilePath: null,
        counters: new SharedArrayBuffer(8)
      }, events, new Worker(new URL('./testing/fake_worker.ts', import.meta.url))),
      log: silentLog(),
      onApplied: (revision) => { context.applied.push(revision); wake() },
      onPortFailed: (portIndex) => { context.failedPorts.push(portIndex) },
      onServicesFailed: () => undefined,
      onResolve: () => undefined,
      onSpawn: () => {
        context.spawns++
        context.link.postTables({ kind: 'tables', revision: 100 + context.spawns })
      }
    })
  }
  t.context = context
  await context.link.start()
})

serial.afterEach(async (t) => { await t.context.link.stop() })

const device = (deviceName: string): PortDevice =>
  ({ device: 'tun', namespacePath: '/run/netns/x', deviceName })

serial('a revision is behind until the worker has acknowledged it', async (t) => {
  const { link, applied, nextApplied } = t.context
  if (link.oldestPostedRevision !== null) await nextApplied()
  t.is(link.oldestPostedRevision, null)
  link.postTables({ kind: 'tables', revision: 107 })
  link.postTables({ kind: 'tables', revision: 109 })
  t.is(link.oldestPostedRevision, 107)
  await nextApplied()
  if (link.oldestPostedRevision !== null) await nextApplied()
  t.deepEqual(applied, [101, 107, 109])
  t.is(link.oldestPostedRevision, null)
  t.deepEqual(link.features, { udpGso: true })
})

serial('a port is open once the worker says so, and is opened once', async (t) => {
  const { link } = t.context
  await link.openPort(5, device('eth0'), false)
  t.is(link.openPortCount, 1)
  await link.openPort(5, device('eth0'), false)
  await link.openPort(5, device('eth0'), true)
  t.is(link.openPortCount, 1)
  link.closePort(5)
  t.is(link.openPortCount, 0)
})

serial('who asks for a port that is being opened waits for the same answer', async (t) => {
  const { link } = t.context
  await Promise.all([link.openPort(5, device('eth0'), false), link.openPort(5, device('x'), false)])
  t.is(link.openPortCount, 1)
  const refused = [1, 2].map(async () => { await link.openPort(6, device('broken0'), false) })
  t.deepEqual((await Promise.allSettled(refused)).map(({ status }) => status),
    ['rejected', 'rejected'])
})

serial('a port that cannot be opened rejects with what the kernel said', async (t) => {
  const { link, failedPorts } = t.context
  const error = await t.throwsAsync(
    link.openPort(6, device('broken0'), false), { instanceOf: VpclabError })
  t.is(error.code, 'VPCLAB_ERR_AGENT')
  t.regex(error.message, /ENODEV/)
  t.deepEqual(failedPorts, [], 'who waits for the port hears of it, nobody else')
  t.is(link.openPortCount, 0)
})

serial('a worker that dies is started again and gets everything anew', async (t) => {
  const { link, applied, nextApplied } = t.context
  await link.openPort(7, device('eth0'), false)
  await t.throwsAsync(link.openPort(8, device('crash'), false), { instanceOf: VpclabError })
  t.is(link.openPortCount, 0, 'ports have to be opened in the new worker')
  await t.throwsAsync(link.openPort(7, device('eth0'), false), { message: /down/ })
  while (!applied.includes(102)) await nextApplied()
  t.is(t.context.spawns, 2)
  t.is(link.restarts, 1)
  await link.openPort(7, device('eth0'), false)
  t.is(link.openPortCount, 1)
})

serial('a worker that ends before it runs is told at once', async (t) => {
  const link = new DataplaneLink({
    start: (events) => {
      queueMicrotask(() => { events.onExit() })
      return {
        pid: null, post: () => undefined, cpuUs: () => Promise.resolve(null),
        terminate: () => Promise.resolve(), release: () => undefined
      }
    },
    log: silentLog(), onApplied: () => undefined, onPortFailed: () => undefined,
    onServicesFailed: () => undefined, onResolve: () => undefined, onSpawn: () => undefined
  })
  await t.throwsAsync(link.start(), { code: 'VPCLAB_ERR_AGENT', message: /ended while it started/ })
})
