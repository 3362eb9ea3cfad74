import test from 'ava'
import fc from 'fast-check'
import { readU16, readU32, writeU16, writeU32 } from './bytes.ts'
import {
  checksumOf, checksumReplaceU16, checksumReplaceU32, ipv4HeaderSumIsGood, pseudoHeaderSum,
  checksumAdd, checksumFinish
} from './checksum.ts'

const bytesOf = (min: number, max: number): fc.Arbitrary<Uint8Array> => (
  fc.uint8Array({ minLength: min, maxLength: max }))

test('the example of RFC 1071 §3 sums to its result', (t) => {
  const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7)
  t.is(checksumOf(bytes, 0, 8), ~0xddf2 & 0xffff)
})

test('a range with its checksum in it sums to 0', (t) => {
  fc.assert(fc.property(bytesOf(4, 200), (bytes) => {
    writeU16(bytes, 0, 0)
    writeU16(bytes, 0, checksumOf(bytes, 0, bytes.length))
    t.is(checksumOf(bytes, 0, bytes.length), 0)
  }))
})

test('an odd last byte counts as the high half of a word', (t) => {
  t.is(checksumOf(Uint8Array.of(0x12), 0, 1), ~0x1200 & 0xffff)
})

test('an incremental update equals a new sum when a word changes', (t) => {
  fc.assert(fc.property(bytesOf(20, 40), fc.nat(0xffff), fc.nat(4), (bytes, word, index) => {
    bytes[0] = 0x45 // the covered data is not all zero
    writeU16(bytes, 10, 0)
    const before = checksumOf(bytes, 0, bytes.length)
    const at = 12 + 2 * (index % 4)
    const old = readU16(bytes, at)
    writeU16(bytes, at, word)
    t.is(checksumReplaceU16(before, old, word), checksumOf(bytes, 0, bytes.length))
  }), { seed: 7, numRuns: 2000 })
})

test('an incremental update equals a new sum when 32 bits change', (t) => {
  fc.assert(fc.property(bytesOf(20, 20), fc.nat(), (bytes, value) => {
    bytes[0] = 0x45
    writeU16(bytes, 10, 0)
    const before = checksumOf(bytes, 0, 20)
    const old = readU32(bytes, 12)
    writeU32(bytes, 12, value)
    t.is(checksumReplaceU32(before, old, value), checksumOf(bytes, 0, 20))
  }), { seed: 8, numRuns: 2000 })
})

test('an IPv4 header sums up exactly when its checksum is right, options included', (t) => {
  fc.assert(fc.property(bytesOf(60, 60), fc.integer({ min: 5, max: 15 }), fc.nat(7),
    (bytes, words, bit) => {
    const count = words * 4
    bytes[0] = 0x40 | words
    writeU16(bytes, 10, 0)
    writeU16(bytes, 10, checksumOf(bytes, 0, count))
    t.true(ipv4HeaderSumIsGood(new DataView(bytes.buffer), 0, count))
    bytes[count - 1] ^= 1 << bit
    t.false(ipv4HeaderSumIsGood(new DataView(bytes.buffer), 0, count))
  }), { seed: 9, numRuns: 1000 })
})

test('a UDP checksum over its pseudo-header equals the sum of its words', (t) => {
  // 192.0.2.1:1 → 192.0.2.2:2, payload "ab"; the words below are summed by hand.
  const bytes = Uint8Array.of(192, 0, 2, 1, 192, 0, 2, 2, 0, 1, 0, 2, 0, 10, 0, 0, 0x61, 0x62)
  const sum = pseudoHeaderSum(bytes, 0, 8, 17, 10)
  const checksum = checksumFinish(checksumAdd(sum, bytes, 8, 10))
  const words = [0xc000, 0x0201, 0xc000, 0x0202, 17, 10, 1, 2, 10, 0x6162]
  let expected = words.reduce((a, b) => a + b, 0)
  while (expected > 0xffff) expected = (expected & 0xffff) + (expected >>> 16)
  t.is(checksum, ~expected & 0xffff)
})
