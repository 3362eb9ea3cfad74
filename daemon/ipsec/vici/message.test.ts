/** The codec of VICI: the example of strongSwan's README byte by byte, and what is no message. */
import test from 'ava'
import fc from 'fast-check'
import { decodeMessage, encodeMessage } from './message.ts'
import type { ViciMessage } from './message.ts'
import {
  encodePacket, PACKET_EVENT, PACKET_EVENT_REGISTER, PACKET_REQUEST, PacketReader
} from './packet.ts'

/** README.md of the vici plugin, "Message format encoding". */
const EXAMPLE: ViciMessage = {
  key1: 'value1',
  section1: { 'sub-section': { key2: 'value2' }, list1: ['item1', 'item2'] }
}
const EXAMPLE_BYTES = Buffer.concat([
  Buffer.of(3, 4), Buffer.from('key1'), Buffer.of(0, 6), Buffer.from('value1'),
  Buffer.of(1, 8), Buffer.from('section1'),
  Buffer.of(1, 11), Buffer.from('sub-section'),
  Buffer.of(3, 4), Buffer.from('key2'), Buffer.of(0, 6), Buffer.from('value2'),
  Buffer.of(2),
  Buffer.of(4, 5), Buffer.from('list1'),
  Buffer.of(5, 0, 5), Buffer.from('item1'), Buffer.of(5, 0, 5), Buffer.from('item2'),
  Buffer.of(6),
  Buffer.of(2)
])

test('the example of the README is written byte by byte', (t) => {
  t.deepEqual(encodeMessage(EXAMPLE), EXAMPLE_BYTES)
  t.deepEqual(decodeMessage(EXAMPLE_BYTES), EXAMPLE)
})

const name = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !/^\d+$/.test(text))
const message = fc.letrec<{ section: ViciMessage }>((tie) => ({
  section: fc.dictionary(name, fc.oneof(
    { maxDepth: 4 }, fc.string(), fc.array(fc.string()), tie('section')))
})).section

test('what is written is read back', (t) => {
  fc.assert(fc.property(message, (value) => {
    t.deepEqual({ ...decodeMessage(encodeMessage(value)) }, { ...value })
  }))
})

test('a name of the language is a name like any other', (t) => {
  const bytes = Buffer.concat(
    [Buffer.of(3, 9), Buffer.from('__proto__'), Buffer.of(0, 1), Buffer.from('x')])
  t.deepEqual(Object.keys(decodeMessage(bytes)), ['__proto__'])
  t.is((({}) as Record<string, unknown>)['x'], undefined)
})

test('bytes that are no message are refused', (t) => {
  const bad: readonly (readonly [string, Buffer, RegExp])[] = [
    ['cut in a value', EXAMPLE_BYTES.subarray(0, 10), /cut short/],
    ['cut in a section', EXAMPLE_BYTES.subarray(0, -1), /inside a section/],
    ['end without start', Buffer.of(2), /has not begun/],
    ['item without list', Buffer.of(5, 0, 0), /Element 5/],
    ['section in a list', Buffer.of(4, 1, 0x61, 1, 1, 0x61), /inside a list/],
    ['element 0', Buffer.of(0), /Element 0/],
    ['too deep', Buffer.concat(Array.from({ length: 20 }, () => Buffer.of(1, 1, 0x61))), /deep/]
  ]
  for (const [what, bytes, pattern] of bad) {
    t.throws(() => decodeMessage(bytes), { message: pattern }, what)
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    try {
      decodeMessage(bytes)
    } catch (error) {
      t.is((error as { code?: string }).code, 'VPCLAB_ERR_CHARON')
    }
  }))
})

test('names and values that do not fit their length are refused', (t) => {
  t.throws(() => encodeMessage({ ['n'.repeat(256)]: '' }), { message: /more than 255/ })
  t.throws(() => encodeMessage({ n: 'v'.repeat(65_536) }), { message: /at most 65535/ })
})

test('a request carries its name, and packets are found in any pieces of a stream', (t) => {
  const packets = [
    { type: PACKET_REQUEST, name: 'load-conn', message: EXAMPLE },
    { type: PACKET_EVENT_REGISTER, name: 'ike-updown', message: {} },
    { type: PACKET_EVENT, name: 'log', message: { msg: 'x' } }
  ]
  t.deepEqual(encodePacket({ type: PACKET_REQUEST, name: 'version', message: {} }),
    Buffer.concat([Buffer.of(0, 0, 0, 9, 0, 7), Buffer.from('version')]))
  const stream = Buffer.concat(packets.map(encodePacket))
  fc.assert(fc.property(fc.integer({ min: 1, max: 40 }), (step) => {
    const reader = new PacketReader()
    const found = []
    for (let at = 0; at < stream.length; at += step) {
      found.push(...reader.push(stream.subarray(at, at + step)))
    }
    t.deepEqual(found, packets)
  }))
})

test('a stream that is no VICI is refused', (t) => {
  t.throws(() => new PacketReader().push(Buffer.from('HTTP/1.1 400')), { message: /no VICI/ })
  t.throws(() => new PacketReader().push(Buffer.of(0, 0, 0, 0)), { message: /no VICI/ })
  t.throws(() => new PacketReader().push(Buffer.of(0, 0, 0, 2, 0, 9)), { message: /cut short/ })
})
