/**
 * Public addresses, as an edge knows them: one to one between a public IPv4 address and a private
 * one of a VPC, both ways; and the IPv6 blocks of VPCs, which are public as they are. Systems 2.5
 * and 4.2.
 *
 *     from the internet   public address ──▶ VPC and private address
 *     to the internet     (VPC, private address) ──▶ public address
 *
 * Only control fills it. The whole is replaced at once, so that an address which moves from one
 * owner to another has one of them at any time.
 */
import { assert } from '../../base/assert.ts'
import { IPV4_PREFIX_LENGTH, isIpv4Words, PREFIX_WORDS } from '../../wire/address.ts'
import { PrefixTrie } from './prefix_trie.ts'
import {
  PUBLIC_AT_PREFIX, PUBLIC_AT_PRIVATE, PUBLIC_AT_VPC_INDEX, PUBLIC_WORDS
} from './update.ts'
import type { PublicAddressesData } from './update.ts'
import { WordTable } from './word_table.ts'

const NO_PREFIXES = new Uint32Array(0)

export class PublicTable {
  /** What the last find has found: int32. */
  foundVpcIndex = 0
  foundAddress = 0
  #byPublic = new WordTable(1, 2)
  #byPrivate = new WordTable(2, 1)
  #blocks = new PrefixTrie(NO_PREFIXES)
  #blockVpcs: number[] = []

  replace ({ entries }: PublicAddressesData): void {
    assert(entries.length % PUBLIC_WORDS === 0, 'public addresses come in whole')
    this.#byPublic = new WordTable(1, 2)
    this.#byPrivate = new WordTable(2, 1)
    const blocks: number[] = []
    this.#blockVpcs = []
    for (let at = 0; at < entries.length; at += PUBLIC_WORDS) {
      const prefix = entries.subarray(at + PUBLIC_AT_PREFIX, at + PUBLIC_AT_PREFIX + PREFIX_WORDS)
      const vpcIndex = entries[at + PUBLIC_AT_VPC_INDEX]
      if (isIpv4Words(prefix[0], prefix[1], prefix[2]) && prefix[4] > IPV4_PREFIX_LENGTH) {
        this.#addAddress(prefix[3], entries[at + PUBLIC_AT_PRIVATE], vpcIndex)
      } else {
        blocks.push(...prefix)
        this.#blockVpcs.push(vpcIndex)
      }
    }
    this.#blocks = new PrefixTrie(Uint32Array.from(blocks))
  }

  /** Finds who has a public IPv4 address: `foundVpcIndex` and `foundAddress`. */
  findPrivate (address: number): boolean {
    const table = this.#byPublic
    table.key[0] = address
    const at = table.find()
    if (at < 0) return false
    this.foundAddress = table.words[at]
    this.foundVpcIndex = table.words[at + 1]
    return true
  }

  /** Finds the public address of a private one: `foundAddress`. */
  findPublic (vpcIndex: number, address: number): boolean {
    const table = this.#byPrivate
    table.key[0] = vpcIndex
    table.key[1] = address
    const at = table.find()
    if (at < 0) return false
    this.foundAddress = table.words[at]
    return true
  }

  /** Index of the VPC whose IPv6 block holds the address (int32 words), or 0. */
  findIpv6 (w0: number, w1: number, w2: number, w3: number): number {
    const block = this.#blocks.find(w0, w1, w2, w3)
    return block < 0 ? 0 : this.#blockVpcs[block]
  }

  #addAddress (publicAddress: number, privateAddress: number, vpcIndex: number): void {
    const byPublic = this.#byPublic
    byPublic.key[0] = publicAddress
    const owner = byPublic.findOrInsert()
    byPublic.words[owner] = privateAddress
    byPublic.words[owner + 1] = vpcIndex
    const byPrivate = this.#byPrivate
    byPrivate.key[0] = vpcIndex
    byPrivate.key[1] = privateAddress
    const own = byPrivate.findOrInsert()
    byPrivate.words[own] = publicAddress
  }
}
