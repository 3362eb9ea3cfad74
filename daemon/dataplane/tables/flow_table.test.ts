import test from 'ava'
import fc from 'fast-check'
import type { Random } from '../../base/random.ts'
import { PROTOCOL_ESP, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '../../wire/ip_protocol.ts'
import { TCP_FLAG_ACK, TCP_FLAG_FIN, TCP_FLAG_RST, TCP_FLAG_SYN } from '../../wire/tcp.ts'
import {
  BUCKET_ENTRY_MASK, EGRESS, ENTRY_AT_HASH, ENTRY_AT_LAST_SEEN, ENTRY_AT_REMOTE, FLOW_CAPACITY_MAX,
  FLOW_LAYOUT_VERSION, FLOW_PORT_SLOT_BITS, FLOW_TICK_MS, flowBuckets, flowCapacity, flowFileBytes,
  HALF_AT_BYTES, HALF_AT_GENERATION, HALF_AT_PACKETS, HALF_WORD, HALF_WORDS, HEADER_AT_VERSION,
  INGRESS
} from './flow_layout.ts'
import {
  FlowTable, ICMP_IDLE_TICKS, OTHER_IDLE_TICKS, TCP_CLOSING_IDLE_TICKS, TCP_ESTABLISHED_IDLE_TICKS,
  TCP_HALF_OPEN_IDLE_TICKS, UDP_SINGLE_IDLE_TICKS, UDP_STREAM_IDLE_TICKS
} from './flow_table.ts'

const seeded = (seed: number): Random => ({
  bytes: (count) => Uint8Array.from({ length: count }, (_b, index) => index * 61 + seed)
})

function newTable (
  capacity = 64, file = new ArrayBuffer(flowFileBytes(capacity)), seed = 5
): FlowTable {
  return new FlowTable(file, capacity, seeded(seed))
}

/** Finds or creates the flow number `n` of a port. */
const find = (table: FlowTable, port: number, n: number, protocol = PROTOCOL_TCP): number => (
  table.find((port << 8) | protocol, 0, 0, 0xffff, 0x0a000001, 0, 0, 0xffff, n, 0x10001))
const create = (table: FlowTable, port: number, n: number, protocol = PROTOCOL_TCP): number => (
  table.create((port << 8) | protocol, 0, 0, 0xffff, 0x0a000001, 0, 0, 0xffff, n, 0x10001, EGRESS))

/** Counts packets in a half, as the fast path does. */
function count (table: FlowTable, at: number, direction: number, packets: number): void {
  const half = at + HALF_WORD + direction * HALF_WORDS
  table.doubles[(half + HALF_AT_PACKETS) >>> 1] += packets
  table.doubles[(half + HALF_AT_BYTES) >>> 1] += packets * 100
  table.words[at + ENTRY_AT_LAST_SEEN] = table.nowTick
}

function advance (table: FlowTable, ticks: number): void {
  table.setNowMs((table.nowTick + ticks) * FLOW_TICK_MS)
  table.expire()
}

const steps =
  fc.array(fc.tuple(fc.constantFrom('create', 'remove', 'find'), fc.nat(60)), { maxLength: 400 })

test('a flow table finds what was created and not removed', (t) => {
  fc.assert(fc.property(steps, (all) => {
    const table = newTable(64)
    const live = new Set<number>()
    for (const [step, n] of all) {
      const at = find(table, 1, n)
      t.is(at >= 0, live.has(n))
      if (step === 'create' && at < 0) {
        t.true(create(table, 1, n) > 0)
        live.add(n)
      } else if (step === 'remove' && at >= 0) {
        table.remove(at)
        live.delete(n)
      }
      t.is(table.live, live.size)
    }
    for (const n of live) t.true(find(table, 1, n) > 0)
  }), { seed: 31, numRuns: 200 })
})

test('every word of the key tells flows apart', (t) => {
  const table = newTable()
  const key: [number, number, number, number, number, number, number, number, number, number] =
    [0x106, 0x20010db8, 2, 3, 4, 0x20010db8, 6, 7, 8, 9]
  const at = table.create(...key, EGRESS)
  t.is(table.find(...key), at)
  for (let word = 0; word < key.length; word++) {
    const other: typeof key = [...key]
    other[word] ^= 0x10000
    t.is(table.find(...other), -1, `word ${String(word)}`)
  }
})

test('a prefetch changes nothing', (t) => {
  const table = newTable()
  const at = create(table, 1, 1)
  const hash = table.words[at + ENTRY_AT_HASH]
  table.prefetch(Int32Array.of(hash, 12345, 0), Uint8Array.of(EGRESS, INGRESS, EGRESS), 3)
  t.is(find(table, 1, 1), at)
  t.is(find(table, 1, 2), -1)
})

test('a full table refuses new flows, counts them and keeps the old ones', (t) => {
  const table = newTable(40)
  for (let n = 0; n < table.capacity; n++) t.true(create(table, 1, n) > 0)
  t.is(create(table, 1, 9999), -1)
  t.is(table.fullCount, 1)
  for (let n = 0; n < table.capacity; n++) t.true(find(table, 1, n) > 0)
})

test('load stays at or below 70 percent, and the index within 8 bytes an entry', (t) => {
  for (const wished of [1, 44, 45, 100, 1000, 65_536, 100_000]) {
    t.true(flowCapacity(wished) >= wished)
    t.true(flowCapacity(wished) <= flowBuckets(wished) * 0.7)
    t.true(flowBuckets(wished) * 4 / flowCapacity(wished) <= 8)
  }
  t.is(flowCapacity(FLOW_CAPACITY_MAX), FLOW_CAPACITY_MAX)
  t.is(FLOW_CAPACITY_MAX & BUCKET_ENTRY_MASK, FLOW_CAPACITY_MAX, 'the last entry has a number')
})

for (const [name, protocol, ticks, packets] of [
  ['a half-open TCP flow', PROTOCOL_TCP, TCP_HALF_OPEN_IDLE_TICKS, [1, 0]],
  ['an established TCP flow', PROTOCOL_TCP, TCP_ESTABLISHED_IDLE_TICKS, [2, 1]],
  ['a UDP exchange', PROTOCOL_UDP, UDP_SINGLE_IDLE_TICKS, [1, 1]],
  ['a one-way UDP flow', PROTOCOL_UDP, UDP_SINGLE_IDLE_TICKS, [50, 0]],
  ['a UDP stream', PROTOCOL_UDP, UDP_STREAM_IDLE_TICKS, [2, 2]],
  ['an echo', PROTOCOL_ICMP, ICMP_IDLE_TICKS, [1, 1]],
  ['a flow of another protocol', PROTOCOL_ESP, OTHER_IDLE_TICKS, [2, 2]]
] as const) {
  test(`${name} ends after ${String(ticks / 10)} s without a packet`, (t) => {
    const table = newTable()
    const at = create(table, 1, 1, protocol)
    count(table, at, EGRESS, packets[0])
    count(table, at, INGRESS, packets[1])
    for (let passed = 0; passed < ticks - 1; passed += 5000) {
      advance(table, Math.min(5000, ticks - 1 - passed))
    }
    t.is(find(table, 1, 1, protocol), at)
    advance(table, 1)
    t.is(find(table, 1, 1, protocol), -1)
    t.is(table.expiredCount, 1)
  })
}

test('a packet keeps its flow alive', (t) => {
  const table = newTable()
  const at = create(table, 1, 1, PROTOCOL_UDP)
  for (let turn = 0; turn < 10; turn++) {
    advance(table, UDP_SINGLE_IDLE_TICKS - 10)
    count(table, at, EGRESS, 1)
  }
  t.is(find(table, 1, 1, PROTOCOL_UDP), at)
})

test('a connection that was closed by both sides or reset ends soon', (t) => {
  for (const close of [
    (table: FlowTable, at: number): void => { table.noteTcpFlags(at, EGRESS, TCP_FLAG_RST, 0, 0) },
    (table: FlowTable, at: number): void => {
      table.noteTcpFlags(at, EGRESS, TCP_FLAG_FIN | TCP_FLAG_ACK, 0, 0)
      t.false(table.isClosing(at))
      table.noteTcpFlags(at, INGRESS, TCP_FLAG_FIN | TCP_FLAG_ACK, 0, 0)
    }
  ]) {
    const table = newTable()
    const at = create(table, 1, 1)
    count(table, at, EGRESS, 5)
    count(table, at, INGRESS, 5)
    close(table, at)
    t.true(table.isClosing(at))
    t.true(table.reopens(at, TCP_FLAG_SYN))
    t.false(table.reopens(at, TCP_FLAG_SYN | TCP_FLAG_ACK))
    advance(table, TCP_CLOSING_IDLE_TICKS)
    t.is(find(table, 1, 1), -1)
  }
})

test('FIN and RST count only with a number that their side may have sent', (t) => {
  const FIRST = 0xffff_fff0 | 0
  const LAST = 0x7000_0000
  for (const flags of [TCP_FLAG_RST, TCP_FLAG_RST | TCP_FLAG_ACK]) {
    for (const [sequence, ends] of [[FIRST, true], [5, true], [FIRST + 5000, true],
      [FIRST - 1, false], [LAST, false], [FIRST + 2 ** 30, false]] as const) {
      const table = newTable()
      const at = create(table, 1, 1)
      table.noteTcpFlags(at, EGRESS, TCP_FLAG_SYN, FIRST, 0)
      table.noteTcpFlags(at, INGRESS, TCP_FLAG_SYN | TCP_FLAG_ACK, LAST, FIRST + 1)
      count(table, at, EGRESS, 5)
      table.noteTcpFlags(at, EGRESS, TCP_FLAG_SYN, sequence, 0)
      table.noteTcpFlags(at, EGRESS, flags, sequence, LAST)
      t.is(table.isClosing(at), ends, `${String(flags)} ${String(sequence)}`)
    }
  }
})

test('a SYN-ACK tells of both sides when ports are used again too early', (t) => {
  const table = newTable()
  const at = create(table, 1, 1)
  table.noteTcpFlags(at, EGRESS, TCP_FLAG_SYN, 1000, 0)
  table.noteTcpFlags(at, INGRESS, TCP_FLAG_SYN | TCP_FLAG_ACK, 2000, 1001)
  table.noteTcpFlags(at, EGRESS, TCP_FLAG_SYN, 0x4000_0000, 0)
  table.noteTcpFlags(at, INGRESS, TCP_FLAG_SYN | TCP_FLAG_ACK, 0x5000_0000, 0x4000_0001)
  table.noteTcpFlags(at, EGRESS, TCP_FLAG_RST, 1001, 0)
  t.false(table.isClosing(at))
  table.noteTcpFlags(at, EGRESS, TCP_FLAG_RST, 0x4000_0001, 0)
  t.true(table.isClosing(at))
})

test('a re-opened file keeps keys and counters, and its actions are stale', (t) => {
  const file = new ArrayBuffer(flowFileBytes(64))
  const before = newTable(64, file)
  const port = before.openPort(7, 8)
  const at = create(before, port, 1)
  count(before, at, EGRESS, 3)
  before.words[at + HALF_WORD + HALF_AT_GENERATION] = before.nextGeneration()
  const after = newTable(64, file, 99)
  t.true(after.restored)
  t.is(after.live, 1)
  t.is(after.openPort(7, 8), port)
  const again = find(after, port, 1)
  t.is(again, at)
  t.is(after.doubles[(again + HALF_WORD + HALF_AT_PACKETS) >>> 1], 3)
  t.is(after.words[again + HALF_WORD + HALF_AT_GENERATION], 0)
  t.true(after.nextGeneration() > 0)
})

test('a file of another layout, capacity or content starts clean', (t) => {
  const file = new ArrayBuffer(flowFileBytes(64))
  create(newTable(64, file), 1, 1)
  new Int32Array(file)[HEADER_AT_VERSION]++
  const other = newTable(64, file)
  t.false(other.restored)
  t.is(other.replacedVersion, FLOW_LAYOUT_VERSION + 1)
  t.is(newTable(64, file).replacedVersion, null)
  t.is(other.live, 0)
  t.is(find(other, 1, 1), -1)
  t.false(newTable(40, file).restored)
})

test('an entry that was half-written when the writer died is left out', (t) => {
  const file = new ArrayBuffer(flowFileBytes(64))
  const before = newTable(64, file)
  const torn = create(before, 1, 1)
  create(before, 1, 2)
  before.words[torn + ENTRY_AT_REMOTE + 3] = 77
  const after = newTable(64, file)
  t.is(after.live, 1)
  t.is(find(after, 1, 77), -1)
  t.true(find(after, 1, 2) > 0)
  before.words[find(after, 1, 2) + ENTRY_AT_HASH] ^= 1
  t.is(newTable(64, file).live, 0)
})

test('the number of an ENI is never given to another whose flows could be mistaken for its own',
  (t) => {
  const table = newTable()
  const first = table.openPort(1, 1)
  const at = create(table, first, 1)
  table.closePort(first)
  const second = table.openPort(2, 2)
  t.not(second, first)
  t.is(second & ((1 << FLOW_PORT_SLOT_BITS) - 1), first & ((1 << FLOW_PORT_SLOT_BITS) - 1))
  t.is(find(table, second, 1), -1)
  table.expire() // sweeps
  t.is(table.live, 0)
  t.is(table.words[at], 0)
})

test('flows of ENIs that did not come back are swept out', (t) => {
  const file = new ArrayBuffer(flowFileBytes(64))
  const before = newTable(64, file)
  const stays = before.openPort(1, 1)
  const leaves = before.openPort(2, 2)
  create(before, stays, 1)
  create(before, leaves, 1)
  const after = newTable(64, file)
  after.expire()
  t.is(after.live, 2)
  after.openPort(1, 1)
  after.closeForgottenPorts((port) => port === stays)
  after.expire()
  t.is(after.live, 1)
  t.true(find(after, stays, 1) > 0)
})

test('the seed changes where flows stand', (t) => {
  const one = newTable(64, undefined, 5)
  const two = newTable(64, undefined, 6)
  t.not(one.words[create(one, 1, 1) + ENTRY_AT_HASH], two.words[create(two, 1, 1) + ENTRY_AT_HASH])
})
