/**
 * What the first fragment of a packet said, for those that follow it and carry no ports (systems
 * 3.5): a small table that forgets.
 *
 *     key    port of the ENI, source, destination, protocol, identification
 *     value  ports, or type and code of ICMP
 *
 * One place per hash; a newer packet takes the place of an older one, so a flood of first fragments
 * costs others at most what a filter without memory would: a later fragment whose first is unknown
 * matches only rules that ask for no ports (rule_list.ts). Places are good for the time that a
 * receiver waits for the rest (RFC 8200 §4.5: 60 s; Linux: 30 s).
 */
import { loadI32, loadU16 } from '../../wire/bytes.ts'
import { IPV4_AT_IDENTIFICATION, IPV4_VERSION } from '../../wire/ipv4.ts'
import { IPV6_FRAGMENT_AT_IDENTIFICATION } from '../../wire/ipv6.ts'
import type { PacketContext } from '../packet.ts'
import { FLOW_TICK_MS } from './flow_layout.ts'
import { finishHash, mixWord } from './word_table.ts'

/** Packets whose fragments are followed at once; 64 bytes each. A power of two. */
export const FRAGMENTED_PACKETS_MAX = 1024
/** How long the first fragment is remembered, ticks. */
const FRAGMENT_TICKS_MAX = 30_000 / FLOW_TICK_MS

const KEY_WORDS = 11
const AT_PORTS = 11
const AT_ICMP = 12
const AT_TICK = 13
const STRIDE = 16

export class FragmentTable {
  readonly #words = new Int32Array(FRAGMENTED_PACKETS_MAX * STRIDE)
  readonly #key = new Int32Array(KEY_WORDS)
  readonly #seed: number

  /** @param seed int32, so that a sender cannot choose whose place he takes */
  constructor (seed: number) {
    this.#seed = seed
    for (let at = 0; at < this.#words.length; at += STRIDE) this.#words[at] = -1 // nobody's port
  }

  /** Remembers the first fragment `p` of a packet. */
  store (p: PacketContext, view: DataView, nowTick: number): void {
    const at = this.#placeOf(p, view)
    this.#words.set(this.#key, at)
    this.#words[at + AT_PORTS] = p.ports
    this.#words[at + AT_ICMP] = (p.icmpType << 8) | p.icmpCode
    this.#words[at + AT_TICK] = nowTick
  }

  /** Gives a later fragment what its first one said. @returns false when that is not known */
  recall (p: PacketContext, view: DataView, nowTick: number): boolean {
    const at = this.#placeOf(p, view)
    const words = this.#words
    for (let word = 0; word < KEY_WORDS; word++) {
      if (words[at + word] !== this.#key[word]) return false
    }
    if (nowTick - words[at + AT_TICK] > FRAGMENT_TICKS_MAX) return false
    p.ports = words[at + AT_PORTS]
    p.icmpType = words[at + AT_ICMP] >>> 8
    p.icmpCode = words[at + AT_ICMP] & 0xff
    return true
  }

  #placeOf (p: PacketContext, view: DataView): number {
    const key = this.#key
    key[0] = p.portIndex
    key[1] = p.protocol
    key[2] = p.version === IPV4_VERSION
      ? loadU16(view, p.at + IPV4_AT_IDENTIFICATION)
      : loadI32(view, p.fragmentAt + IPV6_FRAGMENT_AT_IDENTIFICATION)
    key[3] = p.src0
    key[4] = p.src1
    key[5] = p.src2
    key[6] = p.src3
    key[7] = p.dst0
    key[8] = p.dst1
    key[9] = p.dst2
    key[10] = p.dst3
    let hash = this.#seed
    for (let word = 0; word < KEY_WORDS; word++) hash = mixWord(hash, key[word])
    return (finishHash(hash) & (FRAGMENTED_PACKETS_MAX - 1)) * STRIDE
  }
}
