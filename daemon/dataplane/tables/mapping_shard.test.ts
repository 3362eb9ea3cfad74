import test from 'ava'
import { MAPPING_ADDRESS_SHARDS, MAPPING_SHARDS, mappingShardOf } from './mapping_shard.ts'

test('the addresses of a subnet spread over all shards, in both families', (t) => {
  const ipv4 = new Uint32Array(MAPPING_SHARDS)
  const ipv6 = new Uint32Array(MAPPING_SHARDS)
  for (let host = 0; host < 4096; host++) {
    ipv4[mappingShardOf(0, 0, 0xffff, 0x0a000000 + host)]++
    ipv6[mappingShardOf(0x20010db8, 0x00000100, 0, host)]++
  }
  const mean = 4096 / MAPPING_ADDRESS_SHARDS
  for (const counts of [ipv4, ipv6]) {
    t.true(counts.slice(0, MAPPING_ADDRESS_SHARDS).every(
      (count) => count > mean / 2 && count < mean * 2))
    t.is(counts[MAPPING_ADDRESS_SHARDS], 0)
  }
})

test('every word of an address counts', (t) => {
  const shards = (word: number): Set<number> => new Set(Array.from({ length: 256 }, (_, value) => {
    const words = [0, 0, 0, 0]
    words[word] = value
    return mappingShardOf(words[0], words[1], words[2], words[3])
  }))
  for (const word of [0, 1, 2, 3]) t.true(
    shards(word).size > MAPPING_ADDRESS_SHARDS / 2, `word ${String(word)}`)
})
