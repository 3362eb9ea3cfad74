/** One form for addresses and blocks of both families, and what lies in what. */
import test from 'ava'
import { addressPrefix, cidrPrefix, maskedWords, prefixCovers, wordsKey } from './prefix.ts'

test('addresses and blocks of both families become words and a length of the 128-bit form', (t) => {
  const cases = [
    [addressPrefix('10.0.1.10'), [0, 0, 0xffff, 0x0a00010a], 128],
    [addressPrefix('255.255.255.255'), [0, 0, 0xffff, 0xffffffff], 128],
    [addressPrefix('2001:db8::1:0:0:2'), [0x20010db8, 0, 0x00010000, 2], 128],
    [cidrPrefix('10.0.0.0/16'), [0, 0, 0xffff, 0x0a000000], 112],
    [cidrPrefix('0.0.0.0/0'), [0, 0, 0xffff, 0], 96],
    [cidrPrefix('::/0'), [0, 0, 0, 0], 0],
    [cidrPrefix('2001:db8:0:100::/56'), [0x20010db8, 0x00000100, 0, 0], 56]
  ] as const
  for (const [prefix, words, length] of cases) {
    t.deepEqual([[...prefix.words], prefix.length], [[...words], length])
  }
})

test('a mask keeps exactly the first bits', (t) => {
  const ones = new Uint32Array(4).fill(0xffffffff)
  t.deepEqual([...maskedWords(ones, 0)], [0, 0, 0, 0])
  t.deepEqual([...maskedWords(ones, 33)], [0xffffffff, 0x80000000, 0, 0])
  t.deepEqual([...maskedWords(ones, 124)], [0xffffffff, 0xffffffff, 0xffffffff, 0xfffffff0])
  t.deepEqual([...maskedWords(ones, 128)], [...ones])
})

test('a block covers its addresses, not its neighbours and not the other family', (t) => {
  const block = cidrPrefix('10.0.1.16/28')
  t.true(prefixCovers(block, addressPrefix('10.0.1.16').words))
  t.true(prefixCovers(block, addressPrefix('10.0.1.31').words))
  t.false(prefixCovers(block, addressPrefix('10.0.1.32').words))
  t.false(prefixCovers(cidrPrefix('0.0.0.0/0'), addressPrefix('2001:db8::1').words))
})

test('keys are equal exactly for equal words', (t) => {
  t.is(wordsKey(addressPrefix('10.0.1.10').words),
    wordsKey(new Uint32Array([0, 0, 0xffff, 0x0a00010a])))
  t.not(wordsKey(new Uint32Array([1, 11, 0, 0])), wordsKey(new Uint32Array([11, 1, 0, 0])))
})
