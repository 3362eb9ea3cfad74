import test from 'ava'
import fc from 'fast-check'
import {
  addressWords, isIpv4Words, prefixHolds, PREFIX_WORDS, prefixWords
} from '../../wire/address.ts'
import { PrefixTrie } from './prefix_trie.ts'

function trieOf (texts: readonly string[]): PrefixTrie {
  return new PrefixTrie(Uint32Array.from(texts.flatMap((text) => [...prefixWords(text)])))
}

function find (trie: PrefixTrie, text: string): number {
  const words = new Int32Array(addressWords(text))
  return trie.find(words[0], words[1], words[2], words[3])
}

test('the longest prefix wins', (t) => {
  const trie = trieOf(['0.0.0.0/0', '10.0.0.0/8', '10.0.0.0/16', '10.0.1.0/24', '10.0.1.7/32'])
  t.is(find(trie, '192.0.2.1'), 0)
  t.is(find(trie, '10.9.0.1'), 1)
  t.is(find(trie, '10.0.9.1'), 2)
  t.is(find(trie, '10.0.1.9'), 3)
  t.is(find(trie, '10.0.1.7'), 4)
})

test('IPv4 and IPv6 are separate worlds', (t) => {
  const trie = trieOf(['::/0', '10.0.0.0/8'])
  t.is(find(trie, '192.0.2.1'), -1)
  t.is(find(trie, '10.0.0.1'), 1)
  t.is(find(trie, '2001:db8::1'), 0)
  t.is(find(trieOf(['0.0.0.0/0']), '2001:db8::1'), -1)
})

test('a trie without prefixes finds nothing', (t) => {
  t.is(find(trieOf([]), '10.0.0.1'), -1)
})

test('of two equal prefixes the later one counts', (t) => {
  t.is(find(trieOf(['10.0.0.0/8', '10.0.0.0/8']), '10.1.1.1'), 1)
})

/** Prefixes that nest and branch: few distinct bits, lengths all over. */
const ipv4 = fc.tuple(fc.nat(15), fc.nat(15), fc.integer({ min: 96, max: 128 }))
  .map(([high, low, length]) => [0, 0, 0xffff, high * 0x10000000 + low * 0x11, length])
const ipv6 = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(128))
  .map(([a, b, c, d, length]) => [0x20010db8 + a, b * 0x40000001, c, d * 0x80000001, length])
const prefixes = fc.array(fc.oneof(ipv4, ipv6), { maxLength: 40 })

test('a trie finds what a scan of all prefixes finds', (t) => {
  fc.assert(fc.property(prefixes, prefixes, (table, probes) => {
    const flat = Uint32Array.from(table.flat())
    const trie = new PrefixTrie(flat)
    for (const probe of [...probes, ...table]) {
      const [w0, w1, w2, w3] = new Int32Array(Uint32Array.from(probe))
      let best = -1
      for (let at = 0; at < flat.length; at += PREFIX_WORDS) {
        const sameFamily = isIpv4Words(w0, w1, w2) ===
          (isIpv4Words(flat[at], flat[at + 1], flat[at + 2]) && flat[at + 4] >= 96)
        if (!sameFamily || !prefixHolds(flat, at, w0, w1, w2, w3)) continue
        if (best < 0 || flat[at + 4] >= flat[best * PREFIX_WORDS + 4]) best = at / PREFIX_WORDS
      }
      t.is(trie.find(w0, w1, w2, w3), best)
    }
  }), { seed: 22, numRuns: 500 })
})
