/**
 * The encrypted underlay of the addon on loopback: a second implementation opens what it seals and
 * seals what it opens; and what an attacker may send.
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import { ENCRYPTION_BYTES } from '../encap/geneve.ts'
import { NIC_COUNTERS } from './counters.ts'
import * as descriptor from './descriptor.ts'
import { createNic } from './nic.ts'
import type { Nic } from './nic.ts'
import { echoRequest } from './testing/inner_packets.ts'
import { PEER_BITS, WIRE_STATISTICS_BYTES, readWireUsage } from './wire_key.ts'

const PEER = 3
const KEY_ID = (5 << PEER_BITS) | PEER
const KEY = Uint8Array.from({ length: 36 }, (_, at) => at * 7 + 1)
/** Geneve with one option of 8 bytes, as a router writes it. */
const HEADER = Buffer.from('0300080000000700fff50102a1a2a3a4a5a6a7a8', 'hex')
const SEALED_HEADER_BYTES = HEADER.length + 24
const { TX_AT, TX_BYTES, TX_HEADER_AT, TX_HEADER_BYTES, TX_PEER, TX_PORT, TX_TOTAL_BYTES } =
  descriptor

interface Card {
  readonly nic: Nic
  readonly port: number
  readonly peer: Socket
  readonly usage: () => ReturnType<typeof readWireUsage>
  readonly counter: (name: string) => number
}

/** A free UDP port of loopback. */
async function freePort (): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  return port
}

function withCard (body: (t: ExecutionContext, card: Card) => Promise<void>):
(t: ExecutionContext) => Promise<void> {
  return async (t) => {
    const statistics = new ArrayBuffer(WIRE_STATISTICS_BYTES)
    const nic = createNic({ scratchBytes: 4096, rxMax: 8, txMax: 8, spinUs: 0, doorbellFd: -1,
      wireStatistics: statistics })
    const peer = createSocket('udp4').bind(0, '127.0.0.1')
    try {
      await once(peer, 'listening')
      const port = await freePort()
      nic.openUnderlay('', '127.0.0.1', port)
      nic.setPeer(PEER, '127.0.0.1', peer.address().port)
      await body(t, {
        nic, port, peer,
        usage: () => readWireUsage(new Float64Array(statistics), PEER),
        counter: (name) => nic.counters[NIC_COUNTERS.findIndex((one) => one.name === name)] ?? 0
      })
    } finally {
      nic.close()
      peer.close()
    }
  }
}

/** Has the card send `inner` behind the header. */
function send ({ nic }: Card, inner: Uint8Array): void {
  const at = nic.scratchAt + 256
  nic.bytes.set(HEADER, nic.scratchAt)
  nic.bytes.set(inner, at)
  nic.tx.fill(0)
  nic.tx[TX_PORT] = descriptor.PORT_UNDERLAY
  nic.tx[TX_AT] = at
  nic.tx[TX_BYTES] = inner.length
  nic.tx[TX_TOTAL_BYTES] = inner.length
  nic.tx[TX_PEER] = PEER
  nic.tx[TX_HEADER_AT] = nic.scratchAt
  nic.tx[TX_HEADER_BYTES] = HEADER.length
  nic.transmit(1)
}

function headerOf (number: bigint, id = KEY_ID): Buffer {
  const options = Buffer.from('fff5030100000008fff58503000000000000000000000000', 'hex')
  options.writeUInt32BE(id, 12)
  options.writeBigUInt64BE(number, 16)
  const header = Buffer.concat([HEADER, options])
  header.writeUInt8(9, 0)
  header.writeUInt8(0x40, 1)
  header.writeUInt16BE(0x88b6, 2)
  return header
}

const nonceOf = (header: Buffer): Buffer =>
  Buffer.concat([KEY.subarray(32), header.subarray(header.length - 8)])

/** Seals by node:crypto. */
function seal (inner: Uint8Array, number: bigint, id = KEY_ID): Buffer {
  const header = headerOf(number, id)
  const cipher = createCipheriv('aes-256-gcm', KEY.subarray(0, 32), nonceOf(header))
  cipher.setAAD(header)
  return Buffer.concat(
    [header, cipher.update(inner), cipher.update(HEADER.subarray(2, 4)), cipher.final(),
      cipher.getAuthTag()])
}

/** Opens by node:crypto. @returns what is inside, its type behind it */
function open (datagram: Buffer): Buffer {
  const header = datagram.subarray(0, SEALED_HEADER_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', KEY.subarray(0, 32), nonceOf(header))
  decipher.setAAD(header)
  decipher.setAuthTag(datagram.subarray(-16))
  return Buffer.concat([decipher.update(datagram.subarray(SEALED_HEADER_BYTES, -16)),
    decipher.final()])
}

/** Has the peer send datagrams. @returns what the card hands to the router */
async function receive ({ nic, port, peer }: Card, ...datagrams: Buffer[]): Promise<Buffer[]> {
  for (const datagram of datagrams) {
    await new Promise((resolve) => { peer.send(datagram, port, '127.0.0.1', resolve) })
  }
  const count = nic.burst(0, 0)
  return Array.from({ length: count }, (_none, item) => {
    const rx = nic.rx.subarray(item * descriptor.RX_WORDS)
    const at = rx[descriptor.RX_AT]
    return Buffer.from(nic.bytes.slice(at, at + rx[descriptor.RX_BYTES]))
  })
}

const INNER = echoRequest(100)

test('what is sealed is Geneve around AES-256-GCM, numbered from 1', withCard(async (t, card) => {
  card.nic.setKey(KEY_ID, PEER, 'transmit', KEY)
  for (const number of [1n, 2n]) {
    const received = once(card.peer, 'message')
    send(card, INNER)
    const [datagram] = await received as [Buffer]
    t.is(datagram.length, HEADER.length + INNER.length + ENCRYPTION_BYTES)
    t.deepEqual(datagram.subarray(0, SEALED_HEADER_BYTES), headerOf(number))
    t.deepEqual(open(datagram), Buffer.concat([INNER, HEADER.subarray(2, 4)]))
  }
  t.like(card.usage(), { sent: 2, number: 2 })
}))

test('nothing leaves without a key, and nothing in clear is taken', withCard(async (t, card) => {
  send(card, INNER)
  t.is(card.counter('underlay-tx-no-key'), 1)
  t.is(card.counter('underlay-tx-packets'), 0)
  t.is(card.usage().unsent, 1)
  card.nic.setKey(KEY_ID, PEER, 'receive', KEY)
  t.deepEqual(await receive(card, Buffer.concat([HEADER, INNER]), Buffer.from([1]),
    seal(INNER, 1n).subarray(0, SEALED_HEADER_BYTES + 17)), [])
  t.is(card.counter('underlay-rx-clear'), 3)
}))

test('what is opened is as it was in clear; once, and by a key of its sender',
  withCard(async (t, card) => {
    card.nic.setKey(KEY_ID, PEER, 'receive', KEY)
    const clear = Buffer.concat([HEADER, INNER])
    t.deepEqual(await receive(card, seal(INNER, 7n), seal(INNER, 6n)), [clear, clear])
    t.deepEqual(await receive(card, seal(INNER, 7n), seal(INNER, 0n)), [])
    t.is(card.counter('underlay-rx-replayed'), 2)
    t.deepEqual(await receive(card, seal(INNER, 5000n)), [clear])
    t.deepEqual(await receive(card, seal(INNER, 904n)), [], 'older than the window')
    t.deepEqual(await receive(card, seal(INNER, 905n)), [clear], 'the last one of the window')
    t.deepEqual(await receive(card, seal(INNER, 5001n, KEY_ID + (1 << PEER_BITS))), [])
    card.nic.setPeer(PEER, '127.0.0.2', 1)
    t.deepEqual(await receive(card, seal(INNER, 5001n)), [], 'from another host')
    t.is(card.counter('underlay-rx-unknown-key'), 2)
    card.nic.setPeer(PEER, '127.0.0.1', 1)
    card.nic.endKey(KEY_ID)
    t.deepEqual(await receive(card, seal(INNER, 5002n)), [], 'the key has ended')
    t.like(card.usage(), { received: 4, replayed: 3, forged: 0 })
  }))

test('no bit of a sealed datagram can be changed', withCard(async (t, card) => {
  card.nic.setKey(KEY_ID, PEER, 'receive', KEY)
  const good = seal(INNER, 1n)
  for (let at = 0; at < good.length; at++) {
    const bad = Buffer.from(good)
    bad.writeUInt8(bad.readUInt8(at) ^ (1 << at % 8), at)
    t.deepEqual(await receive(card, bad), [], `byte ${String(at)}`)
  }
  t.true(card.usage().forged > INNER.length)
  t.is((await receive(card, good)).length, 1, 'what was forged has moved nothing')
}))

test('a peer has its last four keys to receive with', withCard(async (t, card) => {
  const ids = [1, 2, 3, 4, 5].map((epoch) => (epoch << PEER_BITS) | PEER)
  for (const id of ids) card.nic.setKey(id, PEER, 'receive', KEY)
  for (const [at, id] of ids.entries()) {
    t.is((await receive(card, seal(INNER, 1n, id))).length, at === 0 ? 0 : 1)
  }
  t.throws(() => { card.nic.setKey(KEY_ID, PEER + 1, 'receive', KEY) }, { message: /peer 4/ })
}))
