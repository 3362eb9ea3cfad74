/** Batches of datagrams on sockets of the loopback device. */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { formatAddress } from '../wire/address.ts'
import { loadAddon } from './addon.ts'
import { DATAGRAM_BYTES_MAX, DATAGRAMS_MAX, DatagramBatch } from './datagrams.ts'
import { openSocket } from './sockets.ts'

const PORTS = { '127.0.0.1': 42_153, '::1': 42_154 } as const

interface Ends { readonly fd: number, readonly client: Socket, readonly heard: string[] }

/** A socket that nobody watches, and a client that is connected to it. */
async function open (t: ExecutionContext, address: keyof typeof PORTS): Promise<Ends> {
  const fd = openSocket('', 'datagram', address, PORTS[address])
  const client = createSocket(address === '::1' ? 'udp6' : 'udp4')
  t.teardown(() => {
    loadAddon().closeDescriptor(fd)
    client.close()
  })
  const heard: string[] = []
  client.on('message', (message) => { heard.push(message.toString()) })
  await new Promise<void>((resolve) => { client.connect(PORTS[address], address, resolve) })
  return { fd, client, heard }
}

async function send (client: Socket, ...texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    await new Promise<void>((resolve, reject) => {
      client.send(text, (error) => { if (error === null) resolve(); else reject(error) })
    })
  }
}

/** Turns of the event loop until something holds; loopback delivers at once. */
async function until (holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !holds(); turn++) {
    await new Promise((resolve) => { setImmediate(resolve) })
  }
}

for (const address of ['127.0.0.1', '::1'] as const) {
  test.serial(`datagrams to ${address} are received, told apart and answered`, async (t) => {
    const { fd, client, heard } = await open(t, address)
    const batch = new DatagramBatch()
    t.is(batch.receive(fd), 0, 'nothing waits')
    const long = 'x'.repeat(DATAGRAM_BYTES_MAX)
    await send(client, 'one', '', long, `${long}y`, 'last')
    t.is(batch.receive(fd), 5)
    t.deepEqual([0, 1, 2, 3, 4].map((index) => batch.datagram(index).length),
      [3, 0, DATAGRAM_BYTES_MAX, 0, 4], 'one that is too long has no bytes')
    t.is(batch.datagram(4).toString(), 'last')
    t.is(formatAddress(Uint32Array.from(batch.sender(0))), address)
    t.is(batch.senderPort(0), client.address().port)
    batch.answer(4, Buffer.from('first answer'))
    batch.answer(0, Buffer.from(long))
    batch.send(fd)
    batch.send(fd)
    await until(() => heard.length === 2)
    t.deepEqual(heard, ['first answer', long], 'each once')
  })
}

test.serial('a batch takes no more than it holds, and the next one takes the rest', async (t) => {
  const { fd, client } = await open(t, '127.0.0.1')
  const batch = new DatagramBatch()
  await send(client, ...Array.from({ length: DATAGRAMS_MAX + 1 }, (_none, n) => String(n)))
  t.is(batch.receive(fd), DATAGRAMS_MAX)
  t.is(batch.receive(fd), 1)
  t.is(batch.datagram(0).toString(), String(DATAGRAMS_MAX))
  t.throws(() => batch.receive(-1), { code: 'VPCLAB_ERR_SYSCALL' })
})
