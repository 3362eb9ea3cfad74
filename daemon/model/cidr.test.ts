/** Addresses and blocks: text in and out, and what contains what. */
import test from 'ava'
import fc from 'fast-check'
import {
  cidrContains, cidrContainsAddress, cidrSize, cidrsOverlap, formatAddress, formatCidr,
  knownAddress, knownCidr,
  lastOf, parseAddress, parseCidr
} from './cidr.ts'

test('parseAddress takes what is an address and nothing else', (t) => {
  t.is(parseAddress('192.0.2.1')?.value, 0xc0000201n)
  t.is(parseAddress('2001:db8::1')?.value, 0x20010db8_00000000_00000000_00000001n)
  t.is(parseAddress('::ffff:192.0.2.1')?.value, 0xffff_c0000201n)
  for (const text of ['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.4 ', '0x1.0.0.0',
    '::1%eth0', '1::2::3', 'x']) {
    t.is(parseAddress(text), null, text)
  }
})

test('formatAddress writes IPv6 as RFC 5952 wants it', (t) => {
  const canonical = {
    '2001:DB8:0:0:0:0:0:1': '2001:db8::1',
    '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1', // a single zero word stays
    '2001:0:0:1:0:0:0:1': '2001:0:0:1::1', // the longest run
    '2001:db8:0:0:1:0:0:1': '2001:db8::1:0:0:1', // the first of equal runs
    '0:0:0:0:0:0:0:0': '::',
    '1:0:0:0:0:0:0:0': '1::',
    '0:0:0:0:0:0:0:1': '::1'
  }
  for (const [text, expected] of Object.entries(canonical)) t.is(formatAddress(knownAddress(text)),
    expected)
})

test('an address survives being written and read', (t) => {
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (value) => {
    t.is(parseAddress(formatAddress({ family: 6, value }))?.value, value)
  }))
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }), (value) => {
    t.is(parseAddress(formatAddress({ family: 4, value }))?.value, value)
  }))
})

test('parseCidr clears host bits and refuses what is no block', (t) => {
  t.is(formatCidr(knownCidr('100.68.0.18/18')), '100.68.0.0/18')
  t.is(formatCidr(knownCidr('2001:db8:ffff:ffff::1/56')), '2001:db8:ffff:ff00::/56')
  t.is(formatCidr(knownCidr('1.2.3.4/0')), '0.0.0.0/0')
  for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/08', '10.0.0.0/',
    '::/129', '10.0.0.0/8/8']) {
    t.is(parseCidr(text), null, text)
  }
})

test('cidrContains and cidrsOverlap know the borders of a block', (t) => {
  const block = knownCidr('10.0.0.0/15')
  t.true(cidrContains(block, block))
  t.true(cidrContains(block, knownCidr('10.1.255.255/32')))
  t.false(cidrContains(block, knownCidr('10.2.0.0/32')))
  t.false(cidrContains(knownCidr('10.0.0.0/16'), block))
  t.true(cidrsOverlap(knownCidr('10.0.0.0/16'), block))
  t.false(cidrsOverlap(knownCidr('10.2.0.0/15'), block))
  t.false(cidrsOverlap(knownCidr('::/0'), knownCidr('0.0.0.0/0')), 'families never overlap')
  t.true(cidrContainsAddress(block, knownAddress('10.1.2.3')))
  t.false(cidrContainsAddress(block, knownAddress('::a01:203')))
  t.is(cidrSize(knownCidr('10.0.0.0/28')), 16n)
  t.is(lastOf(knownCidr('10.0.0.0/28')) & 0xffn, 15n)
})

test('two blocks overlap exactly when some address is in both', (t) => {
  const cidr = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 24, max: 32 }))
    .map(([host, length]) => knownCidr(`10.0.0.${String(host)}/${String(length)}`))
  fc.assert(fc.property(cidr, cidr, (a, b) => {
    const shared = Array.from({ length: 256 }, (_, at) => knownAddress(`10.0.0.${String(at)}`))
      .some((address) => cidrContainsAddress(a, address) && cidrContainsAddress(b, address))
    t.is(cidrsOverlap(a, b), shared)
  }))
})
