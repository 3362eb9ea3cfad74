/**
 * What flow logs are made of: per window and ENI, one entry for each conversation and verdict.
 *
 *     control                     shared memory                       worker
 *     window opens ─────────────▶ [ index | entries ]  ◀── note() ── every judged packet of a
 *     window closes: the other    [ index | entries ]                 watched ENI
 *     table is handed out, this
 *     one is read and cleared     both tables belong to control: they outlive the worker
 *
 *     header   words 0..15, then packets lost by port [PORTS_MAX]
 *     index    [RECORD_BUCKETS] entry + 1, 0 = empty; open addressing, linear probing
 *     entries  [RECORD_ENTRIES_MAX × RECORD_WORDS] in order of their first packets, and so a table
 *              costs the memory that its window has used
 *
 * A refused packet makes no entry in the flow table, so that a scan cannot fill it; here it does,
 * in a share of its own (REJECT_ENTRIES_MAX). What finds no room is counted as lost and becomes a
 * SKIPDATA line. Nobody waits for the reader.
 *
 * Only security groups and network ACLs refuse (systems 2.7, 8.1): a packet that they let through
 * and that has no route is accepted, one that was dropped before they were asked is not noted.
 */
import { threadRegion } from '../tun/shared_memory.ts'
import type { SharedMemory, SharedRegion } from '../tun/shared_memory.ts'
import * as ipProtocol from '../wire/ip_protocol.ts'
import * as tcp from '../wire/tcp.ts'
import {
  DROP_BLACKHOLE, DROP_CONNECTION_TABLE_FULL, DROP_MAPPING_QUEUE_FULL, DROP_NETWORK_ACL_EGRESS,
  DROP_NETWORK_ACL_INGRESS, DROP_NO_MAPPING, DROP_NO_ROUTE, DROP_NONE, DROP_PORT_CLOSED,
  DROP_REASONS_MAX, DROP_SECURITY_GROUP_EGRESS, DROP_SECURITY_GROUP_INGRESS, DROP_TOO_BIG,
  DROP_TRANSMIT_QUEUE_FULL, DROP_TTL_EXPIRED
} from './drop_reason.ts'
import type { PacketContext } from './packet.ts'
import { EGRESS, INGRESS } from './tables/flow_layout.ts'
import { PORTS_MAX } from './tables/port_table.ts'
import type { PortTable } from './tables/port_table.ts'
import type { FlowRecordsMessage } from './tables/update.ts'
import { finishHash, mixWord } from './tables/word_table.ts'

// Constants of other modules, made this module's own: V8 folds a module's own into the code, and
// loads imported ones from memory, checked, at each use (CONTRIBUTING.md, "Hot code").
const { PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP } = ipProtocol
const { TCP_FLAG_ACK, TCP_FLAG_FIN, TCP_FLAG_PSH, TCP_FLAG_RST, TCP_FLAG_SYN, TCP_FLAG_URG } = tcp

/** Entries of one host in one window; what comes beyond is lost and said to be (SKIPDATA). */
export const RECORD_ENTRIES_MAX = 2 ** 16
/** Part of the entries that refused conversations may take, so that a scan hides no traffic. */
const REJECT_SHARE = 4
/** Longest run of buckets that is looked at; a longer one is a matter of attack. */
const PROBES_MAX = 64

const HEADER_AT_EPOCH = 0
const HEADER_AT_LIVE = 1
const HEADER_AT_REJECTS = 2
const LOST_WORD = 16
const INDEX_WORD = LOST_WORD + PORTS_MAX

// Entry, word index.
/** port | direction << 16 | verdict << 17 */
const RECORD_AT_KIND = 0
const RECORD_AT_PROTOCOL = 1
const RECORD_AT_SOURCE = 2 // 4 words
const RECORD_AT_DESTINATION = 6 // 4 words
/** source port << 16 | destination port; ICMP: 0 */
const RECORD_AT_PORTS = 10
const RECORD_AT_TCP_FLAGS = 11
const RECORD_AT_PACKETS = 12 // float64
const RECORD_AT_BYTES = 14 // float64
/** First and last packet, ms since 1970. */
const RECORD_AT_FIRST = 16 // float64
const RECORD_AT_LAST = 18 // float64
const RECORD_AT_ENI_HIGH = 20
const RECORD_AT_ENI_LOW = 21
const RECORD_WORDS = 22

const KIND_DIRECTION_SHIFT = 16
const KIND_VERDICT_SHIFT = 17

export const VERDICT_ACCEPT = 1
export const VERDICT_REJECT = 2

/** [EGRESS, INGRESS] × reasons: VERDICT_*, or 0 for what neither groups nor ACLs have judged. */
const VERDICTS = new Uint8Array(2 * DROP_REASONS_MAX)

const ACCEPTED_EGRESS = [
  DROP_NONE, DROP_NO_ROUTE, DROP_BLACKHOLE, DROP_NO_MAPPING, DROP_MAPPING_QUEUE_FULL,
  DROP_TTL_EXPIRED, DROP_TOO_BIG, DROP_CONNECTION_TABLE_FULL, DROP_TRANSMIT_QUEUE_FULL
]
const ACCEPTED_INGRESS =
  [DROP_NONE, DROP_PORT_CLOSED, DROP_CONNECTION_TABLE_FULL, DROP_TRANSMIT_QUEUE_FULL]
for (const reason of ACCEPTED_EGRESS) VERDICTS[reason] = VERDICT_ACCEPT
for (const reason of ACCEPTED_INGRESS) VERDICTS[DROP_REASONS_MAX + reason] = VERDICT_ACCEPT
VERDICTS[DROP_SECURITY_GROUP_EGRESS] = VERDICT_REJECT
VERDICTS[DROP_NETWORK_ACL_EGRESS] = VERDICT_REJECT
VERDICTS[DROP_REASONS_MAX + DROP_SECURITY_GROUP_INGRESS] = VERDICT_REJECT
VERDICTS[DROP_REASONS_MAX + DROP_NETWORK_ACL_INGRESS] = VERDICT_REJECT

/** Flags that a record adds up; an ACK counts only beside a SYN. */
const TCP_FLAGS_KEPT =
  TCP_FLAG_FIN | TCP_FLAG_SYN | TCP_FLAG_RST | TCP_FLAG_PSH | TCP_FLAG_URG

interface Layout {
  readonly buckets: number
  readonly entriesWord: number
  readonly words: number
}

/** Where the parts of a table stand that has `entriesMax` entries. */
function layoutOf (entriesMax: number): Layout {
  const buckets = 2 * entriesMax
  const entriesWord = INDEX_WORD + buckets
  return { buckets, entriesWord, words: entriesWord + entriesMax * RECORD_WORDS }
}

/** Bytes of shared memory that a table needs. @param entriesMax a power of two */
export function recordTableBytes (entriesMax: number): number {
  return layoutOf(entriesMax).words * 4
}

/** The worker's end: made when an ENI of the host is watched, gone when none is. */
export class FlowRecorder {
  /** ms since 1970, set by the loop once per pass. */
  nowMs = 0
  readonly #ports: PortTable
  readonly #seed: number
  /** [PORTS_MAX] 1 where the flows of a port are recorded. */
  readonly #watched = new Uint8Array(PORTS_MAX)
  #words: Int32Array = new Int32Array(INDEX_WORD)
  #doubles: Float64Array = new Float64Array(0)
  #mask = 0
  #entriesMax = 0
  #entriesWord = 0

  /** @param seed random, since peers choose addresses and ports */
  constructor (ports: PortTable, seed: number) {
    this.#ports = ports
    this.#seed = seed
  }

  /** Takes up what control says. Precondition: the message has a table. */
  configure (message: FlowRecordsMessage, table: ArrayBufferLike): void {
    const { buckets, entriesWord, words } = layoutOf(message.entriesMax)
    this.#words = new Int32Array(table, 0, words)
    this.#doubles = new Float64Array(table, 0, words / 2)
    this.#mask = buckets - 1
    this.#entriesMax = message.entriesMax
    this.#entriesWord = entriesWord
    this.#watched.fill(0)
    for (const port of message.ports) this.#watched[port] = 1
    Atomics.store(this.#words, HEADER_AT_EPOCH, message.epoch)
  }

  /**
   * Takes note of a packet that was judged at a port.
   * @param direction EGRESS or INGRESS, as the port's ENI sees the packet
   * @param reason DROP_NONE, or why it was dropped at this port
   * @param packets packets on the wire @param bytes their IP packets
   */
  note (p: PacketContext, port: number, direction: number, reason: number, packets: number,
    bytes: number): void {
    if (this.#watched[port] === 0) return
    const verdict = VERDICTS[direction * DROP_REASONS_MAX + reason]
    if (verdict === 0) return
    const kind = kindOf(port, direction, verdict)
    this.#count(this.#entryOf(p, port, kind, verdict), p, port, packets, bytes)
  }

  /**
   * Takes note of a packet that was let through and whose flow is known.
   * @param words of the flow table @param hintAt where its flow's half says which entry it had
   *   here; that is looked at first, and believed only when it is the right one
   */
  noteKnown (p: PacketContext, port: number, direction: number, words: Int32Array,
    hintAt: number): void {
    if (this.#watched[port] === 0) return
    const kind = kindOf(port, direction, VERDICT_ACCEPT)
    let at = this.#entriesWord + (words[hintAt] - 1) * RECORD_WORDS
    if (words[hintAt] <= 0 || words[hintAt] > this.#words[HEADER_AT_LIVE] ||
      !this.#isOf(at, p, port, kind, portsOf(p))) {
      at = this.#entryOf(p, port, kind, VERDICT_ACCEPT)
      if (at >= 0) words[hintAt] = (at - this.#entriesWord) / RECORD_WORDS + 1
    }
    this.#count(at, p, port, p.segments, p.wireBytesSum)
  }

  /** @param at word offset of the packet's entry; -1: it has none */
  #count (at: number, p: PacketContext, port: number, packets: number, bytes: number): void {
    if (at < 0) {
      this.#words[LOST_WORD + port] += packets
      return
    }
    this.#doubles[(at + RECORD_AT_PACKETS) >>> 1] += packets
    this.#doubles[(at + RECORD_AT_BYTES) >>> 1] += bytes
    this.#doubles[(at + RECORD_AT_LAST) >>> 1] = this.nowMs
    if (p.protocol === PROTOCOL_TCP) {
      const syn = (p.tcpFlags & TCP_FLAG_SYN) !== 0 ? TCP_FLAG_ACK : 0
      this.#words[at + RECORD_AT_TCP_FLAGS] |= p.tcpFlags & (TCP_FLAGS_KEPT | syn)
    }
  }

  /** @returns word offset of the packet's entry, a new one if need be; -1 when there is no room */
  #entryOf (p: PacketContext, port: number, kind: number, verdict: number): number {
    const ports = portsOf(p)
    let bucket = this.#hash(p, kind, ports) & this.#mask
    for (let probes = 0; probes < PROBES_MAX; probes++) {
      const stored = this.#words[INDEX_WORD + bucket]
      if (stored === 0) return this.#create(p, port, kind, ports, verdict, bucket)
      const at = this.#entriesWord + (stored - 1) * RECORD_WORDS
      if (this.#isOf(at, p, port, kind, ports)) return at
      bucket = (bucket + 1) & this.#mask
    }
    return -1
  }

  /** Whether an entry is that of the packet's conversation. */
  #isOf (at: number, p: PacketContext, port: number, kind: number, ports: number): boolean {
    const words = this.#words
    return words[at + RECORD_AT_PORTS] === ports && words[at + RECORD_AT_KIND] === kind &&
      words[at + RECORD_AT_PROTOCOL] === p.protocol &&
      words[at + RECORD_AT_SOURCE + 3] === p.src3 &&
      words[at + RECORD_AT_DESTINATION + 3] === p.dst3 &&
      words[at + RECORD_AT_SOURCE] === p.src0 && words[at + RECORD_AT_SOURCE + 1] === p.src1 &&
      words[at + RECORD_AT_SOURCE + 2] === p.src2 &&
      words[at + RECORD_AT_DESTINATION] === p.dst0 &&
      words[at + RECORD_AT_DESTINATION + 1] === p.dst1 &&
      words[at + RECORD_AT_DESTINATION + 2] === p.dst2 &&
      words[at + RECORD_AT_ENI_LOW] === this.#ports.eniLow[port]
  }

  #hash (p: PacketContext, kind: number, ports: number): number {
    let hash = mixWord(this.#seed, kind)
    hash = mixWord(hash, ports ^ p.protocol)
    hash = mixWord(hash, p.src3)
    hash = mixWord(hash, p.dst3)
    if ((p.src0 | p.src1) !== 0) { // IPv4 has nothing more to say
      hash = mixWord(hash, p.src0 ^ p.src1)
      hash = mixWord(hash, p.src2)
      hash = mixWord(hash, p.dst0 ^ p.dst1)
      hash = mixWord(hash, p.dst2)
    }
    return finishHash(hash)
  }

  #create (p: PacketContext, port: number, kind: number, ports: number, verdict: number,
    bucket: number): number {
    const words = this.#words
    const live = words[HEADER_AT_LIVE]
    if (live >= this.#entriesMax) return -1
    if (verdict === VERDICT_REJECT) {
      if (words[HEADER_AT_REJECTS] * REJECT_SHARE >= this.#entriesMax) return -1
      words[HEADER_AT_REJECTS]++
    }
    const at = this.#entriesWord + live * RECORD_WORDS
    words.fill(0, at, at + RECORD_WORDS)
    words[at + RECORD_AT_KIND] = kind
    words[at + RECORD_AT_PROTOCOL] = p.protocol
    words[at + RECORD_AT_SOURCE] = p.src0
    words[at + RECORD_AT_SOURCE + 1] = p.src1
    words[at + RECORD_AT_SOURCE + 2] = p.src2
    words[at + RECORD_AT_SOURCE + 3] = p.src3
    words[at + RECORD_AT_DESTINATION] = p.dst0
    words[at + RECORD_AT_DESTINATION + 1] = p.dst1
    words[at + RECORD_AT_DESTINATION + 2] = p.dst2
    words[at + RECORD_AT_DESTINATION + 3] = p.dst3
    words[at + RECORD_AT_PORTS] = ports
    words[at + RECORD_AT_ENI_HIGH] = this.#ports.eniHigh[port]
    words[at + RECORD_AT_ENI_LOW] = this.#ports.eniLow[port]
    this.#doubles[(at + RECORD_AT_FIRST) >>> 1] = this.nowMs
    words[INDEX_WORD + bucket] = live + 1
    Atomics.store(words, HEADER_AT_LIVE, live + 1) // last: a reader sees whole entries
    return at
  }
}

function kindOf (port: number, direction: number, verdict: number): number {
  return port | (direction << KIND_DIRECTION_SHIFT) | (verdict << KIND_VERDICT_SHIFT)
}

/** All ICMP of two addresses is one conversation. */
function portsOf (p: PacketContext): number {
  return p.protocol === PROTOCOL_ICMP || p.protocol === PROTOCOL_ICMPV6 ? 0 : p.ports
}

/** One conversation of one ENI in one direction, with one verdict. */
export interface FlowRecord {
  readonly eniIdHigh: number
  readonly eniIdLow: number
  /** EGRESS or INGRESS. */
  readonly direction: number
  /** VERDICT_* */
  readonly verdict: number
  readonly protocol: number
  /** [4] words, as in the packet. */
  readonly source: Uint32Array
  readonly destination: Uint32Array
  readonly sourcePort: number
  readonly destinationPort: number
  /** TCP_FLAG_* of all packets together. */
  readonly tcpFlags: number
  readonly packets: number
  readonly bytes: number
  /** ms since 1970. */
  readonly firstMs: number
  readonly lastMs: number
}

/** Control's end of one table. */
export class FlowRecordTable {
  /** The table, as the worker is told of it. */
  readonly memory: SharedMemory
  readonly entriesMax: number
  readonly #words: Int32Array
  readonly #doubles: Float64Array
  readonly #entriesWord: number

  /**
   * @param entriesMax a power of two; less than the default in tests
   * @param region recordTableBytes(entriesMax) that the worker can map
   */
  constructor (
    entriesMax = RECORD_ENTRIES_MAX,
    region: SharedRegion = threadRegion(recordTableBytes(entriesMax))
  ) {
    this.entriesMax = entriesMax
    this.memory = region.memory
    this.#words = new Int32Array(region.buffer)
    this.#doubles = new Float64Array(region.buffer)
    this.#entriesWord = layoutOf(entriesMax).entriesWord
  }

  /** Number of the configuration with which the worker has taken up this table. */
  get epoch (): number { return Atomics.load(this.#words, HEADER_AT_EPOCH) }

  /** Packets of a port that found no room. */
  lost (port: number): number { return this.#words[LOST_WORD + port] }

  /** Precondition: the worker has another table, or none. */
  * records (): Generator<FlowRecord> {
    const live = Atomics.load(this.#words, HEADER_AT_LIVE)
    for (let entry = 0; entry < live; entry++) {
      yield this.#read(this.#entriesWord + entry * RECORD_WORDS)
    }
  }

  /** Makes the table ready for another window. */
  clear (): void {
    this.#words.fill(0, 0, this.#entriesWord)
  }

  #read (at: number): FlowRecord {
    const words = this.#words
    const doubles = this.#doubles
    const kind = words[at + RECORD_AT_KIND]
    const ports = words[at + RECORD_AT_PORTS]
    return {
      eniIdHigh: words[at + RECORD_AT_ENI_HIGH] >>> 0,
      eniIdLow: words[at + RECORD_AT_ENI_LOW] >>> 0,
      direction: (kind >>> KIND_DIRECTION_SHIFT) & 1 ? INGRESS : EGRESS,
      verdict: kind >>> KIND_VERDICT_SHIFT,
      protocol: words[at + RECORD_AT_PROTOCOL],
      source: Uint32Array.from(words.subarray(at + RECORD_AT_SOURCE, at + RECORD_AT_DESTINATION)),
      destination: Uint32Array.from(
        words.subarray(at + RECORD_AT_DESTINATION, at + RECORD_AT_PORTS)),
      sourcePort: ports >>> 16,
      destinationPort: ports & 0xffff,
      tcpFlags: words[at + RECORD_AT_TCP_FLAGS],
      packets: doubles[(at + RECORD_AT_PACKETS) >>> 1],
      bytes: doubles[(at + RECORD_AT_BYTES) >>> 1],
      firstMs: doubles[(at + RECORD_AT_FIRST) >>> 1],
      lastMs: doubles[(at + RECORD_AT_LAST) >>> 1]
    }
  }
}
