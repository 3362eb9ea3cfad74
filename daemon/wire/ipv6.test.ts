import test from 'ava'
import fc from 'fast-check'
import {
  IPV6_EXTENSION_HEADERS_MAX, ipv6DecrementHopLimit, ipv6SetTrafficClass, ipv6TrafficClass,
  ipv6Walk
} from './ipv6.ts'
import type { Ipv6Walk } from './ipv6.ts'

/** A header with a chain of extension headers, each [protocol, bytes after the first two]. */
function chain (
  headers: readonly (readonly [number, readonly number[]])[], last: number
): Uint8Array {
  const bytes = [...new Array<number>(40).fill(0)]
  const protocols = [...headers.map(([protocol]) => protocol), last]
  bytes[6] = protocols[0]
  headers.forEach(([, rest], index) => { bytes.push(protocols[index + 1], ...rest) })
  return Uint8Array.from([...bytes, ...new Array<number>(20).fill(0)])
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer)
const walk: Ipv6Walk = { protocol: 0, l4At: 0, fragmentAt: 0 }
const EIGHT = [0, 0, 0, 0, 0, 0, 0]

test('a packet without extension headers has its upper layer at 40', (t) => {
  t.true(ipv6Walk(viewOf(chain([], 6)), 0, 60, walk))
  t.deepEqual({ ...walk }, { protocol: 6, l4At: 40, fragmentAt: -1 })
})

test('the walk passes hop-by-hop, routing and destination options', (t) => {
  const bytes = chain([[0, EIGHT], [43, [1, ...new Array<number>(14).fill(0)]], [60, EIGHT]], 17)
  t.true(ipv6Walk(viewOf(bytes), 0, bytes.length, walk))
  t.is(walk.protocol, 17)
  t.is(walk.l4At, 40 + 8 + 16 + 8)
})

test('an authentication header counts in words of 4 bytes, plus two', (t) => {
  const bytes = chain([[51, [4, ...new Array<number>(22).fill(0)]]], 6)
  t.true(ipv6Walk(viewOf(bytes), 0, bytes.length, walk))
  t.is(walk.l4At, 40 + 24)
})

test('a first fragment shows its upper layer, a later one what the header names', (t) => {
  const first = chain([[44, [0, 0, 1, 0, 0, 0, 9]]], 6)
  t.true(ipv6Walk(viewOf(first), 0, first.length, walk))
  t.deepEqual({ ...walk }, { protocol: 6, l4At: 48, fragmentAt: 40 })
  const later = chain([[44, [0, 0, 8, 0, 0, 0, 9]]], 60)
  t.true(ipv6Walk(viewOf(later), 0, later.length, walk))
  t.deepEqual({ ...walk }, { protocol: 60, l4At: 48, fragmentAt: 40 })
})

test('the walk refuses a hop-by-hop header that is not first', (t) => {
  const bytes = chain([[60, EIGHT], [0, EIGHT]], 6)
  t.false(ipv6Walk(viewOf(bytes), 0, bytes.length, walk))
})

test('the walk refuses a second fragment header', (t) => {
  const bytes = chain([[44, EIGHT], [44, EIGHT]], 6)
  t.false(ipv6Walk(viewOf(bytes), 0, bytes.length, walk))
})

test('the walk takes as many headers as allowed and refuses one more', (t) => {
  const headers = (count: number): Uint8Array => (
    chain(Array.from({ length: count }, () => [60, EIGHT] as const), 6))
  const most = headers(IPV6_EXTENSION_HEADERS_MAX)
  t.true(ipv6Walk(viewOf(most), 0, most.length, walk))
  const more = headers(IPV6_EXTENSION_HEADERS_MAX + 1)
  t.false(ipv6Walk(viewOf(more), 0, more.length, walk))
})

test('the walk refuses a header that ends beyond the bytes at hand', (t) => {
  const bytes = chain([[60, [255, 0, 0, 0, 0, 0, 0]]], 6)
  t.false(ipv6Walk(viewOf(bytes), 0, bytes.length, walk))
  t.false(ipv6Walk(viewOf(bytes), 0, 44, walk))
})

test('the walk ends within the bytes at hand whatever they are', (t) => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 40, maxLength: 300 }), (bytes) => {
    if (ipv6Walk(viewOf(bytes), 0, bytes.length, walk)) t.true(walk.l4At <= bytes.length)
    else t.pass()
  }), { seed: 3, numRuns: 3000 })
})

test('traffic class and hop limit leave their neighbours alone', (t) => {
  const bytes = Uint8Array.of(0x6f, 0xff, 0xff, 0xff, 0, 0, 0, 64)
  ipv6SetTrafficClass(bytes, 0, 0x2a)
  t.is(ipv6TrafficClass(viewOf(bytes), 0), 0x2a)
  t.deepEqual([...bytes], [0x62, 0xaf, 0xff, 0xff, 0, 0, 0, 64])
  ipv6DecrementHopLimit(bytes, 0)
  t.is(bytes[7], 63)
})
