import test from 'ava'
import fc from 'fast-check'
import { ipv4HeaderSumIsGood } from './checksum.ts'
import {
  IPV4_AT_TRAFFIC_CLASS, IPV4_AT_TTL, ipv4DecrementTtl, ipv4HeaderBytes, ipv4SetTrafficClass,
  ipv4WriteChecksum
} from './ipv4.ts'

const header = fc.uint8Array({ minLength: 20, maxLength: 20 }).map((bytes) => {
  bytes[0] = 0x45
  ipv4WriteChecksum(bytes, 0, 20)
  return bytes
})

test('the checksum stays good when the TTL falls', (t) => {
  fc.assert(fc.property(header, (bytes) => {
    if (bytes[IPV4_AT_TTL] === 0) return
    const ttl = bytes[IPV4_AT_TTL]
    ipv4DecrementTtl(new DataView(bytes.buffer), 0)
    t.is(bytes[IPV4_AT_TTL], ttl - 1)
    t.true(ipv4HeaderSumIsGood(new DataView(bytes.buffer), 0, 20))
  }), { seed: 1, numRuns: 1000 })
})

test('the checksum stays good when DSCP and ECN change', (t) => {
  fc.assert(fc.property(header, fc.nat(255), (bytes, trafficClass) => {
    ipv4SetTrafficClass(bytes, 0, trafficClass)
    t.is(bytes[IPV4_AT_TRAFFIC_CLASS], trafficClass)
    t.true(ipv4HeaderSumIsGood(new DataView(bytes.buffer), 0, 20))
  }), { seed: 2, numRuns: 1000 })
})

test('a checksum that was wrong stays wrong when the TTL falls', (t) => {
  const bytes = new Uint8Array(20)
  bytes.set([0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0x12, 0x34])
  ipv4DecrementTtl(new DataView(bytes.buffer), 0)
  t.false(ipv4HeaderSumIsGood(new DataView(bytes.buffer), 0, 20))
})

test('the header length counts 32-bit words', (t) => {
  t.is(ipv4HeaderBytes(Uint8Array.of(0x45), 0), 20)
  t.is(ipv4HeaderBytes(Uint8Array.of(0x4f), 0), 60)
})
