import test from 'ava'
import fc from 'fast-check'
import { writeU16 } from '../wire/bytes.ts'
import {
  decodeGeneve, encodeGeneve, ETHERTYPE_IPV4, ETHERTYPE_IPV6, FIRST_WORD_IPV4,
  FORWARDED_OPTION_BYTES, GENEVE_BYTES,
  GENEVE_BYTES_MAX, GENEVE_CRITICAL_OPTION, GENEVE_MALFORMED, GENEVE_OK, GENEVE_VERSION,
  OPTION_CLASS_VPCLAB, outerSourcePort, OVERHEAD_IPV4_BYTES, OVERHEAD_IPV6_BYTES
} from './geneve.ts'
import type { GeneveFields } from './geneve.ts'

const FIELDS: GeneveFields = {
  vni: 0xabcdef,
  sourceEniHigh: 0x01234567,
  sourceEniLow: 0x89abcdef | 0,
  destinationEniHigh: 0x0fedcba9,
  destinationEniLow: 0x76543210,
  flags: 0,
  cookieHigh: 0,
  cookieLow: 0,
  isForwarded: 0,
  forwarded0: 0,
  forwarded1: 0,
  forwarded2: 0,
  forwarded3: 0,
  innerAt: GENEVE_BYTES,
  etherType: ETHERTYPE_IPV4
}

function encoded (fields: GeneveFields, innerBytes = 20): Uint8Array {
  const bytes = new Uint8Array(GENEVE_BYTES_MAX)
  const headerBytes = encodeGeneve(bytes, 0, fields)
  return Uint8Array.from([...bytes.subarray(0, headerBytes),
    ...new Array<number>(innerBytes).fill(0x45)])
}

function decoded (bytes: Uint8Array): GeneveFields | number {
  const fields = { ...FIELDS, vni: -1 }
  const answer = decodeGeneve(new DataView(bytes.buffer), 0, bytes.length, fields)
  return answer === GENEVE_OK ? fields : answer
}

test('the header with both ENIs stands on the wire as RFC 8926 draws it', (t) => {
  t.deepEqual([...encoded(FIELDS, 0)], [
    0x06, 0x00, 0x08, 0x00, 0xab, 0xcd, 0xef, 0x00,
    0xff, 0xf5, 0x01, 0x02, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
    0xff, 0xf5, 0x02, 0x02, 0x0f, 0xed, 0xcb, 0xa9, 0x76, 0x54, 0x32, 0x10
  ])
})

test('the prepared first word is the one that the encoder writes', (t) => {
  t.is(new Int32Array(encoded(FIELDS, 0).buffer)[0], FIRST_WORD_IPV4)
})

test('overhead is outer IP, UDP and the header', (t) => {
  t.is(OVERHEAD_IPV4_BYTES, 60)
  t.is(OVERHEAD_IPV6_BYTES, 80)
})

test('fields survive the wire, with and without flags, cookie and forwarding', (t) => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
  const arbitrary = fc.record({
    vni: fc.nat(0xffffff), sourceEniHigh: word, sourceEniLow: word, destinationEniHigh: word,
    destinationEniLow: word, flags: fc.oneof(fc.constant(0), word),
    cookieHigh: fc.oneof(fc.constant(0), word),
    cookieLow: fc.oneof(fc.constant(0), word),
    forwarded: fc.option(fc.tuple(word, word, word, word)),
    etherType: fc.constantFrom(ETHERTYPE_IPV4, ETHERTYPE_IPV6)
  }).map(({ forwarded, ...rest }) => {
    const [forwarded0, forwarded1, forwarded2, forwarded3] = forwarded ?? [0, 0, 0, 0]
    return {
      ...rest, isForwarded: forwarded === null ? 0 : 1, forwarded0, forwarded1, forwarded2,
      forwarded3
    }
  })
  fc.assert(fc.property(arbitrary, (fields) => {
    const bytes = encoded({ ...fields, innerAt: 0 })
    t.deepEqual(decoded(bytes), { ...fields, innerAt: bytes.length - 20 })
  }), { seed: 11 })
})

test('the option of a forwarded packet says where it came from', (t) => {
  const bytes = encoded({
    ...FIELDS, isForwarded: 1, forwarded2: 0xffff, forwarded3: 0xc0000207 | 0
  }, 0)
  t.is(bytes[0], (GENEVE_BYTES + FORWARDED_OPTION_BYTES - 8) / 4)
  t.deepEqual([...bytes.subarray(GENEVE_BYTES)], [
    0xff, 0xf5, 0x06, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7
  ])
})

test('options may stand in any order, and unknown ones are passed over', (t) => {
  const unknown = [0x01, 0x08, 0x05, 0x01, 1, 2, 3, 4]
  const bytes = encoded(FIELDS)
  const swapped = Uint8Array.from([
    ...bytes.subarray(0, 8), ...bytes.subarray(20, 32), ...unknown, ...bytes.subarray(8, 20),
    ...bytes.subarray(32)
  ])
  swapped[0] = 8
  t.deepEqual(decoded(swapped), { ...FIELDS, innerAt: 40 })
})

/** Each: what is wrong, and how a good header is broken. */
const BROKEN: readonly (readonly [string, number, (bytes: Uint8Array) => Uint8Array])[] = [
  ['version 1', GENEVE_VERSION, (b) => { b[0] |= 0x40; return b }],
  ['the control bit', GENEVE_VERSION, (b) => { b[1] |= 0x80; return b }],
  ['an Ethernet frame inside', GENEVE_VERSION, (b) => { writeU16(b, 2, 0x6558); return b }],
  ['7 bytes', GENEVE_MALFORMED, (b) => b.slice(0, 7)],
  ['no inner packet', GENEVE_MALFORMED, (b) => b.slice(0, 32)],
  ['options beyond the end', GENEVE_MALFORMED, (b) => { b[0] = 0x3f; return b }],
  ['an option beyond the options', GENEVE_MALFORMED, (b) => { b[23] = 0x1f; return b }],
  ['no destination ENI', GENEVE_MALFORMED, (b) => { b[22] = 0x05; return b }],
  ['two source ENIs', GENEVE_MALFORMED, (b) => { b[22] = 0x01; return b }],
  ['an ENI of 4 bytes', GENEVE_MALFORMED, (b) => { b[11] = 1; b[19] = 1; return b }],
  ['an unknown critical option', GENEVE_CRITICAL_OPTION, (b) => { b[22] = 0x85; return b }],
  ['a forwarded packet that came from 8 bytes', GENEVE_MALFORMED, (b) => {
    b[22] = 0x06
    return b
  }],
  ['a critical option of another class', GENEVE_CRITICAL_OPTION, (b) => {
    writeU16(b, 20, 0x0108)
    b[22] = 0x81
    return b
  }]
]

for (const [name, answer, breakIt] of BROKEN) {
  test(`decoding refuses ${name}`, (t) => {
    t.is(decoded(breakIt(encoded(FIELDS))), answer)
  })
}

test('decoding stays within the bytes at hand whatever they are', (t) => {
  const option = fc.tuple(fc.constantFrom(OPTION_CLASS_VPCLAB, 0x0108), fc.nat(255), fc.nat(3))
  fc.assert(fc.property(fc.array(option, { maxLength: 8 }), fc.nat(63), fc.nat(40),
    (options, words, tail) => {
    const bytes = [words, 0, 8, 0, 0, 0, 1, 0]
    for (const [optionClass, type, length] of options) {
      bytes.push(optionClass >> 8, optionClass & 255, type, length,
        ...new Array<number>(length * 4).fill(7))
    }
    const all = Uint8Array.from([...bytes, ...new Array<number>(tail).fill(0x45)])
    const answer = decoded(all)
    if (typeof answer === 'object') t.true(answer.innerAt < all.length)
    else t.true(answer > GENEVE_OK && answer <= GENEVE_CRITICAL_OPTION)
  }), { seed: 12, numRuns: 3000 })
})

test('the outer source port is constant per flow and within 49152..65535', (t) => {
  const seen = new Set<number>()
  for (let ports = 0; ports < 1000; ports++) {
    const port = outerSourcePort(77, ports << 16, 6)
    t.is(port, outerSourcePort(77, ports << 16, 6))
    t.true(port >= 49_152 && port <= 65_535)
    seen.add(port)
  }
  t.true(seen.size > 900)
})
