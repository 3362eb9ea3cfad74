/**
 * What the worker of a host agent relies on in Node: a thread that never goes back to its event
 * loop receives and sends messages, a doorbell ends its sleep, and memory mapped from a file
 * outlives it.
 */
import test from 'ava'
import { existsSync, readlinkSync, unlinkSync } from 'node:fs'
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads'
import { closeDoorbell, createDoorbell, ringDoorbell } from '../../daemon/tun/doorbell.ts'
import { createNic } from '../../daemon/tun/nic.ts'
import { mapSharedFile } from '../../daemon/tun/shared_memory.ts'
import { Background, command, NODE, ROOT } from '../harness/command.ts'
import { Namespaces } from '../harness/namespaces.ts'

const NIC_URL = new URL('../../daemon/tun/nic.ts', import.meta.url).href
const SHARED_MEMORY_URL = new URL('../../daemon/tun/shared_memory.ts', import.meta.url).href

interface Thread {
  readonly worker: Worker
  readonly result: Promise<unknown>
}

/** Starts a thread from source text. `result` is its first message. */
function thread (
  source: string, data: Record<string, unknown>, ...transfer: MessagePort[]
): Thread {
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: data, transferList: transfer
  })
  const result = new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  return { worker, result }
}

test('programs are the machine\'s, whatever npm puts before them in PATH', async (t) => {
  const bin = `${ROOT}/node_modules/.bin`
  t.true(existsSync(`${bin}/nft`), 'a package has a program of that name')
  const found = await command('env', `PATH=${bin}:${process.env['PATH'] ?? ''}`,
    `${ROOT}/scripts/node`, '--eval', 'process.stdout.write(process.env.PATH)')
  t.is(found, process.env['PATH'] ?? '')
})

test('a thread that never yields receives, and its postMessage arrives', async (t) => {
  const { port1, port2 } = new MessageChannel()
  const { worker, result } = thread(`
    import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
    const said = []
    while (said.length < 2) {
      const received = receiveMessageOnPort(workerData.port)
      if (received !== undefined) said.push(received.message)
    }
    parentPort.postMessage(said)
    for (;;);`, { port: port2 }, port2)
  port1.postMessage('first')
  port1.postMessage({ words: Uint32Array.of(1, 2) })
  t.deepEqual(await result, ['first', { words: Uint32Array.of(1, 2) }])
  port1.close()
  await worker.terminate()
})

test('a doorbell ends the sleep of a burst in another thread', async (t) => {
  const doorbellFd = createDoorbell()
  const { worker, result } = thread(`
    import { parentPort, workerData } from 'node:worker_threads'
    const { createNic } = await import(workerData.nic)
    const { doorbellFd } = workerData
    const nic = createNic({ scratchBytes: 0, rxMax: 1, txMax: 1, spinUs: 0, doorbellFd })
    nic.burst(0, 60_000)
    parentPort.postMessage('awake')
    nic.close()`, { nic: NIC_URL, doorbellFd })
  worker.once('online', () => { ringDoorbell(doorbellFd) })
  t.is(await result, 'awake')
  await worker.terminate()
  closeDoorbell(doorbellFd)
})

test('the addon works in several threads at once', async (t) => {
  const source = `
    import { parentPort, workerData } from 'node:worker_threads'
    const { createNic } = await import(workerData.nic)
    const nic = createNic({ scratchBytes: 0, rxMax: 1, txMax: 1, spinUs: 0, doorbellFd: -1 })
    for (let i = 0; i < 1000; i++) nic.burst(0, 0)
    parentPort.postMessage(nic.counters[0])
    nic.close()`
  const threads = Array.from({ length: 3 }, () => thread(source, { nic: NIC_URL }))
  t.deepEqual(await Promise.all(threads.map(({ result }) => result)), [1000, 1000, 1000])
  await Promise.all(threads.map(({ worker }) => worker.terminate()))
})

test('a mapped file has its bytes after kill -9 of the process that wrote them', async (t) => {
  const path = `/dev/shm/vpclab-test-${String(process.pid)}-killed`
  t.teardown(() => { unlinkSync(path) })
  const writer = new Background(NODE, ['--input-type=module', '-e', `
    const { mapSharedFile } = await import('${SHARED_MEMORY_URL}')
    const words = new Uint32Array(mapSharedFile('${path}', 1 << 20))
    for (let i = 0; i < words.length; i++) words[i] = i
    console.log('written')
    setInterval(() => {}, 1000)`])
  await writer.printed('written')
  await writer.stop('SIGKILL')
  const words = new Uint32Array(mapSharedFile(path, 1 << 20))
  t.is(words.length, 262_144)
  t.true(words.every((word, index) => word === index))
})

test('opening a device in another namespace leaves the thread in its own', async (t) => {
  await using net = await Namespaces.create('a')
  const own = readlinkSync('/proc/thread-self/ns/net')
  const nic = createNic({ scratchBytes: 0, rxMax: 1, txMax: 1, spinUs: 0, doorbellFd: -1 })
  t.is(nic.openTun(net.path('a'), 'eth0'), 1)
  t.is(readlinkSync('/proc/thread-self/ns/net'), own)
  t.regex(await net.ip('a', 'link', 'show', 'eth0'), /eth0/)
  nic.close()
})
