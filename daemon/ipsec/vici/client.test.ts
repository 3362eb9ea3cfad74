/** The client against a charon that does not do what it should; test/platform has the real one. */
import test from 'ava'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ViciClient } from './client.ts'
import { encodePacket, PACKET_EVENT, PACKET_RESPONSE, PacketReader } from './packet.ts'
import type { ViciPacket } from './packet.ts'

interface Fake extends AsyncDisposable {
  readonly client: ViciClient
  readonly closed: Error[]
  readonly events: string[]
  readonly sockets: Socket[]
}

/** @param answer what the server sends for each packet; null: nothing */
async function fake (answer: (packet: ViciPacket) => Buffer | null): Promise<Fake> {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-vici-'))
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    const reader = new PacketReader()
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      for (const packet of reader.push(chunk)) {
        const bytes = answer(packet)
        if (bytes !== null) socket.write(bytes)
      }
    })
  })
  const path = join(directory, 'vici.sock')
  await new Promise<void>((resolve) => { server.listen(path, resolve) })
  const closed: Error[] = []
  const events: string[] = []
  const client = await ViciClient.connect({
    path,
    onEvent: (name) => { events.push(name) },
    onClose: (error) => { closed.push(error) }
  })
  return {
    client,
    closed,
    events,
    sockets,
    async [Symbol.asyncDispose] () {
      client.close()
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => { server.close(resolve) })
      rmSync(directory, { recursive: true })
    }
  }
}

const response = (message: ViciPacket['message']): Buffer =>
  encodePacket({ type: PACKET_RESPONSE, name: '', message })

test('nobody listens', async (t) => {
  await t.throwsAsync(ViciClient.connect({
    path: '/nonexistent/vici.sock', onEvent: () => undefined, onClose: () => undefined
  }), { code: 'VPCLAB_ERR_CHARON', message: /Cannot reach charon/ })
})

test('an answer that does not come ends both connections and all that waits', async (t) => {
  await using here = await fake(() => null)
  const results = await Promise.allSettled([
    here.client.request('version', {}, 50), here.client.request('stats'),
    here.client.subscribe('log')
  ])
  t.deepEqual(results.map(({ status }) => status), ['rejected', 'rejected', 'rejected'])
  t.is(here.closed.length, 1)
  t.regex(here.closed[0]?.message ?? '', /no answer to "version" within 50 ms/)
  await t.throwsAsync(here.client.request('version'), { message: /it is gone/ })
})

test('a server that goes away is noticed once', async (t) => {
  await using here = await fake(() => null)
  const waiting = here.client.request('version')
  for (const socket of here.sockets) socket.destroy()
  await t.throwsAsync(waiting, { code: 'VPCLAB_ERR_CHARON' })
  t.is(here.closed.length, 1)
})

test('what is no VICI, no answer, or an answer of another kind ends the talk', async (t) => {
  for (const bytes of [Buffer.from('HTTP/1.1 400 Bad Request'), Buffer.of(0, 0, 0, 1, 5),
    Buffer.concat([response({}), response({})])]) {
    await using here = await fake(() => bytes)
    await here.client.request('version', {}, 1000).catch(() => undefined)
    await here.client.request('version', {}, 1000).catch(() => undefined)
    t.is(here.closed.length, 1)
  }
})

test('a refusal has charon\'s words', async (t) => {
  await using here = await fake(() => response({ success: 'no', errmsg: 'no such thing' }))
  await t.throwsAsync(here.client.request('load-conn'), { message: /"load-conn": no such thing/ })
  t.deepEqual(here.closed, [])
})

test('events of a stream are its own, others are told', async (t) => {
  await using here = await fake((packet) => {
    if (packet.type !== 0) return encodePacket({ type: 5, name: '', message: {} })
    const event = encodePacket({ type: PACKET_EVENT, name: 'list-sa', message: { a: 'b' } })
    return Buffer.concat([event, event, response({})])
  })
  t.deepEqual(await here.client.stream('list-sas', 'list-sa'), [{ a: 'b' }, { a: 'b' }])
  t.deepEqual(here.events, [])
})
