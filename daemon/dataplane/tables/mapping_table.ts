/**
 * Where the addresses of one VPC live: (address) → (ENI, host, subnet), systems 2.3. Only the
 * control plane fills it; no packet teaches it anything.
 *
 *     address ──mappingShardOf──▶ shard 0..63   hash of single addresses
 *             ──not there───────▶ shard 64      longest match over delegated prefixes
 *     ENI     ──────────────────▶ one hash over all shards, kept up as shards come and go
 *
 * A shard is immutable and replaced whole, so a moved address costs a 64th of the VPC.
 */
import { assert } from '../../base/assert.ts'
import { ADDRESS_BITS, ADDRESS_WORDS, PREFIX_WORDS } from '../../wire/address.ts'
import { MAPPING_PREFIX_SHARD, MAPPING_SHARDS, mappingShardOf } from './mapping_shard.ts'
import { PrefixTrie } from './prefix_trie.ts'
import {
  MAPPING_AT_ADDRESS, MAPPING_AT_ENI_HIGH, MAPPING_AT_ENI_LOW, MAPPING_AT_HOST_INDEX,
  MAPPING_AT_PREFIX_LENGTH, MAPPING_AT_SUBNET_INDEX, MAPPING_WORDS
} from './update.ts'
import type { MappingShardData } from './update.ts'
import { WordTable } from './word_table.ts'

/** What a look-up found. One object, used again; ids are int32. */
export interface Mapping {
  eniHigh: number
  eniLow: number
  hostIndex: number
  subnetIndex: number
}

// Value words of the hash of ENIs.
const ENI_HOST = 0
const ENI_SUBNET = 1
/** Entries of all shards that name the ENI. */
const ENI_USES = 2
const ENI_VALUE_WORDS = 3

/** Copies entry number `entry` of [n × MAPPING_WORDS] words into `found`. */
export function readMappingEntry (entries: Uint32Array, entry: number, found: Mapping): void {
  const at = entry * MAPPING_WORDS
  found.eniHigh = entries[at + MAPPING_AT_ENI_HIGH] | 0
  found.eniLow = entries[at + MAPPING_AT_ENI_LOW] | 0
  found.hostIndex = entries[at + MAPPING_AT_HOST_INDEX] | 0
  found.subnetIndex = entries[at + MAPPING_AT_SUBNET_INDEX] | 0
}

/** One piece: the entries as they came, and a hash or a trie from address to position. */
class MappingShard {
  readonly entries: Uint32Array
  readonly #byAddress: WordTable | null
  readonly #byPrefix: PrefixTrie | null

  constructor (data: MappingShardData) {
    assert(data.entries.length % MAPPING_WORDS === 0, 'mapping entries come in whole')
    this.entries = data.entries
    if (data.shard === MAPPING_PREFIX_SHARD) {
      this.#byAddress = null
      this.#byPrefix = new PrefixTrie(prefixesOf(data.entries))
    } else {
      this.#byAddress = hashOf(data.entries)
      this.#byPrefix = null
    }
  }

  /** Position of the entry that holds the address, or -1. */
  find (w0: number, w1: number, w2: number, w3: number): number {
    if (this.#byPrefix !== null) return this.#byPrefix.find(w0, w1, w2, w3)
    const table = this.#byAddress
    if (table === null) return -1
    table.key[0] = w0
    table.key[1] = w1
    table.key[2] = w2
    table.key[3] = w3
    const at = table.find()
    return at < 0 ? -1 : table.words[at]
  }
}

function prefixesOf (entries: Uint32Array): Uint32Array {
  const count = entries.length / MAPPING_WORDS
  const prefixes = new Uint32Array(count * PREFIX_WORDS)
  for (let entry = 0; entry < count; entry++) {
    for (let word = 0; word < ADDRESS_WORDS; word++) {
      prefixes[entry * PREFIX_WORDS + word] =
        entries[entry * MAPPING_WORDS + MAPPING_AT_ADDRESS + word]
    }
    prefixes[entry * PREFIX_WORDS + ADDRESS_WORDS] =
      entries[entry * MAPPING_WORDS + MAPPING_AT_PREFIX_LENGTH]
  }
  return prefixes
}

function hashOf (entries: Uint32Array): WordTable {
  const table = new WordTable(ADDRESS_WORDS, 1, 0, entries.length / MAPPING_WORDS)
  for (let at = 0; at < entries.length; at += MAPPING_WORDS) {
    assert(entries[at + MAPPING_AT_PREFIX_LENGTH] === ADDRESS_BITS,
      'prefixes have a shard of their own')
    for (let word = 0; word < ADDRESS_WORDS; word++) {
      table.key[word] = entries[at + MAPPING_AT_ADDRESS + word]
    }
    const value = table.findOrInsert()
    table.words[value] = at / MAPPING_WORDS
  }
  return table
}

export class MappingTable {
  readonly #shards = new Array<MappingShard | null>(MAPPING_SHARDS).fill(null)
  readonly #enis = new WordTable(2, ENI_VALUE_WORDS)

  /**
   * Finds the owner of an address (int32 words); longest delegated prefix when no entry of its own.
   */
  find (w0: number, w1: number, w2: number, w3: number, found: Mapping): boolean {
    let shard = this.#shards[mappingShardOf(w0, w1, w2, w3)]
    let entry = shard === null ? -1 : shard.find(w0, w1, w2, w3)
    if (entry < 0) {
      shard = this.#shards[MAPPING_PREFIX_SHARD]
      entry = shard === null ? -1 : shard.find(w0, w1, w2, w3)
    }
    if (shard === null || entry < 0) return false
    readMappingEntry(shard.entries, entry, found)
    return true
  }

  /** Finds where an ENI of the VPC lives. */
  findEni (eniHigh: number, eniLow: number, found: Mapping): boolean {
    const enis = this.#enis
    enis.key[0] = eniHigh
    enis.key[1] = eniLow
    const at = enis.find()
    if (at < 0) return false
    found.eniHigh = eniHigh
    found.eniLow = eniLow
    found.hostIndex = enis.words[at + ENI_HOST]
    found.subnetIndex = enis.words[at + ENI_SUBNET]
    return true
  }

  /**
   * Puts a shard in the place of its predecessor. When an ENI moves, the shards of all its
   * addresses come in one update, and the host that comes last counts: they all name the new one.
   */
  replaceShard (data: MappingShardData): void {
    assert(data.shard < MAPPING_SHARDS,
      `mapping shard ${String(data.shard)} is none of ${String(MAPPING_SHARDS)}`)
    const old = this.#shards[data.shard]
    if (old !== null) this.#release(old.entries)
    const shard = new MappingShard(data)
    this.#shards[data.shard] = data.entries.length === 0 ? null : shard
    this.#retain(data.entries)
  }

  #retain (entries: Uint32Array): void {
    const enis = this.#enis
    for (let at = 0; at < entries.length; at += MAPPING_WORDS) {
      enis.key[0] = entries[at + MAPPING_AT_ENI_HIGH]
      enis.key[1] = entries[at + MAPPING_AT_ENI_LOW]
      const value = enis.findOrInsert()
      enis.words[value + ENI_HOST] = entries[at + MAPPING_AT_HOST_INDEX]
      enis.words[value + ENI_SUBNET] = entries[at + MAPPING_AT_SUBNET_INDEX]
      enis.words[value + ENI_USES]++
    }
  }

  #release (entries: Uint32Array): void {
    const enis = this.#enis
    for (let at = 0; at < entries.length; at += MAPPING_WORDS) {
      enis.key[0] = entries[at + MAPPING_AT_ENI_HIGH]
      enis.key[1] = entries[at + MAPPING_AT_ENI_LOW]
      const value = enis.find()
      assert(value >= 0, 'an ENI of a shard is in the hash of ENIs')
      enis.words[value + ENI_USES]--
      if (enis.words[value + ENI_USES] === 0) enis.delete()
    }
  }
}
