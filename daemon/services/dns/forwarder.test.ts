import test from 'ava'
import { createSocket } from 'node:dgram'
import { Forwarder } from './forwarder.ts'

const QUERY = Buffer.from('1234010000010000000000000161046c6f636c0000010001', 'hex')

test('an answer comes back with the id of the question, whatever id was asked with', async (t) => {
  const server = createSocket('udp4')
  t.teardown(() => { server.close() })
  await new Promise<void>((resolve) => { server.bind(0, '127.0.0.1', resolve) })
  const ids: number[] = []
  server.on('message', (query, peer) => {
    ids.push(query.readUInt16BE(0))
    const answer = Buffer.from(query)
    answer[2] = 0x81
    // One that nobody asked for is not taken for the answer.
    const stray = Buffer.from(answer)
    stray.writeUInt16BE((query.readUInt16BE(0) + 1) & 0xffff, 0)
    server.send(stray, peer.port, peer.address)
    server.send(answer, peer.port, peer.address)
  })
  const forwarder = new Forwarder([`127.0.0.1#${String(server.address().port)}`])
  t.teardown(() => { forwarder.close() })
  const answers = await Promise.all([QUERY, QUERY].map(forwarder.forward))
  for (const answer of answers) {
    t.is(answer?.readUInt16BE(0), 0x1234)
    t.is(answer?.[2], 0x81)
  }
  t.is(new Set(ids).size, 2)
})
