import test from 'ava'
import fc from 'fast-check'
import {
  addressWords, findPrefix, formatAddress, isIpv4Words, parseAddress, prefixHolds, prefixWords,
  wordMask
} from './address.ts'

test('an IPv4 address is ::ffff:a.b.c.d', (t) => {
  t.deepEqual([...addressWords('10.0.1.255')], [0, 0, 0xffff, 0x0a0001ff])
  t.true(isIpv4Words(0, 0, 0xffff))
  t.is(formatAddress(addressWords('203.0.113.9')), '203.0.113.9')
})

for (const [text, canonical] of [
  ['2001:db8:0:0:0:0:0:1', '2001:db8::1'],
  ['::', '::'],
  ['::1', '::1'],
  ['fd00:ec2::', 'fd00:ec2::'],
  ['2001:DB8:1:2:3:4:5:6', '2001:db8:1:2:3:4:5:6'],
  ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221']
] as const) {
  test(`${text} is written as RFC 5952 says`, (t) => {
    t.is(formatAddress(addressWords(text)), canonical)
  })
}

for (const text of [
  '', '1.2.3', '1.2.3.256', '1.2.3.4.5', ':', ':::', '1::2::3', '12345::', 'g::', '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::', '1.2.3.4::'
]) {
  test(`"${text}" is refused when it is no address`, (t) => { t.is(parseAddress(text), null) })
}

test('four words survive text and back', (t) => {
  fc.assert(fc.property(fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }), (groups) => {
    const words =
      Uint32Array.from({ length: 4 }, (_w, i) => groups[2 * i] * 65536 + groups[2 * i + 1])
    t.deepEqual(parseAddress(formatAddress(words)), words)
  }))
})

test('a mask of n bits has n leading ones', (t) => {
  t.is(wordMask(-5), 0)
  t.is(wordMask(0), 0)
  t.is(wordMask(1) >>> 0, 0x80000000)
  t.is(wordMask(24) >>> 0, 0xffffff00)
  t.is(wordMask(32), -1)
  t.is(wordMask(70), -1)
})

test('a prefix holds its addresses and no others', (t) => {
  const prefix = prefixWords('10.0.16.0/20')
  const holds = (text: string): boolean => {
    const words = new Int32Array(addressWords(text))
    return prefixHolds(prefix, 0, words[0], words[1], words[2], words[3])
  }
  t.is(prefix[4], 116)
  t.true(holds('10.0.16.0'))
  t.true(holds('10.0.31.255'))
  t.false(holds('10.0.32.0'))
  t.false(holds('10.0.15.255'))
  t.false(holds('2001:db8::1'))
})

test('a prefix holds no address of the other family, though IPv4 has a place inside ::/0', (t) => {
  const holds = (block: string, text: string): boolean => {
    const words = new Int32Array(addressWords(text))
    return prefixHolds(prefixWords(block), 0, words[0], words[1], words[2], words[3])
  }
  for (const block of ['::/0', '::/1', '::/80']) {
    t.false(holds(block, '10.0.0.1'), block)
    t.true(holds(block, '::1'), block)
  }
  t.true(holds('0.0.0.0/0', '10.0.0.1'))
  t.false(holds('0.0.0.0/0', '::1'))
})

test('findPrefix names the first prefix that holds, by position', (t) => {
  const prefixes = new Uint32Array([...prefixWords('2001:db8::/64'), ...prefixWords('10.0.0.1')])
  const find = (text: string): number => {
    const words = new Int32Array(addressWords(text))
    return findPrefix(prefixes, words[0], words[1], words[2], words[3])
  }
  t.is(find('2001:db8::5'), 0)
  t.is(find('10.0.0.1'), 1)
  t.is(find('10.0.0.2'), -1)
})
