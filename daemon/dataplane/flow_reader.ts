/**
 * The control thread's view of a worker's flows: it maps the same file and lists entries while the
 * worker goes on writing. Each entry is read between two looks at its serial number, so that one
 * which changes hands meanwhile is left out; counters of a live entry may be a packet apart from
 * each other.
 *
 * Actions are shown as stored. Whether one is still current is known to the worker alone: a stale
 * one is what the flow's last packet met.
 */
import { formatAddress } from '../wire/address.ts'
import { echoIdentifier } from '../wire/icmp.ts'
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6 } from '../wire/ip_protocol.ts'
import { ACTION_DELIVER, ACTION_DROP, ACTION_ENCAPSULATE } from './action.ts'
import { DROP_REASONS } from './drop_reason.ts'
import {
  DIRECTORY_AT_ENI_HIGH, DIRECTORY_AT_ENI_LOW, DIRECTORY_AT_REUSE, DIRECTORY_AT_STATE,
  DIRECTORY_SLOT_WORDS, DIRECTORY_WORD, EGRESS, ENTRIES_WORD, ENTRY_AT_LAST_SEEN, ENTRY_AT_LOCAL,
  ENTRY_AT_ORIGIN, ENTRY_AT_PORT_PROTOCOL, ENTRY_AT_PORTS, ENTRY_AT_REMOTE, ENTRY_AT_SERIAL,
  ENTRY_AT_TCP,
  ENTRY_DIRECTION_MASK, ENTRY_TRACKED, ENTRY_WORDS, FLOW_LAYOUT_VERSION, FLOW_MAGIC, FLOW_PORTS_MAX,
  FLOW_PORT_SLOT_BITS, FLOW_TICK_MS, HALF_ACTION_MASK, HALF_AT_ACTION, HALF_AT_BYTES,
  HALF_AT_GENERATION, HALF_AT_ICMP_ERRORS, HALF_AT_PACKETS, HALF_AT_TARGET, HALF_DROP_SHIFT,
  HALF_WORD, HALF_WORDS,
  HEADER_AT_LIVE, HEADER_AT_MAGIC, HEADER_AT_NOW_TICK, HEADER_AT_TOUCHED, HEADER_AT_VERSION, INGRESS
} from './tables/flow_layout.ts'
import { isBareSyn, TCP_SEEN_ANSWER, tcpIsClosing } from './tables/tcp_state.ts'

export interface FlowHalf {
  /** ACTION_* (action.ts); ACTION_NONE until a packet went this way. */
  readonly action: number
  /** Host index (ACTION_ENCAPSULATE), port index (ACTION_DELIVER), DROP_* (ACTION_DROP). */
  readonly target: number
  readonly packets: number
  readonly bytes: number
  /** ICMP errors that went this way and spoke of the conversation; not among its packets. */
  readonly icmpErrors: number
}

export interface Flow {
  readonly eniIdHigh: number
  readonly eniIdLow: number
  readonly protocol: number
  readonly localAddress: string
  readonly localPort: number
  readonly remoteAddress: string
  readonly remotePort: number
  /** EGRESS when the ENI sent the first packet, else INGRESS. */
  readonly firstDirection: number
  /** Whether security groups have allowed it: it goes on whatever their rules say now. */
  readonly isTracked: boolean
  readonly idleMs: number
  readonly egress: FlowHalf
  readonly ingress: FlowHalf
}

export interface EniFlows {
  readonly eniIdHigh: number
  readonly eniIdLow: number
  readonly flows: number
}

/** Which conversation, as its ENI sees it. Of echo the ports of `echoPorts`. */
export interface FlowKey {
  readonly protocol: number
  /** [4] */
  readonly local: Uint32Array
  readonly remote: Uint32Array
  readonly localPort: number
  readonly remotePort: number
}

export interface FoundFlow {
  readonly isTracked: boolean
  /** TCP: both sides have closed it, or one has reset it. */
  readonly isClosing: boolean
  /** TCP: it is past its opening. */
  readonly isAnswered: boolean
  /** EGRESS or INGRESS: who opened it. */
  readonly firstDirection: number
}

/**
 * What a packet meets of a conversation, as the data plane sees it (steps/connection.ts).
 * @param tcpFlags of the packet, 0 of other protocols
 * @returns null when it begins anew
 */
export function metBy (
  found: FoundFlow | null, tcpFlags: number, direction: number
): { readonly isTracked: boolean } | null {
  if (found === null || !isBareSyn(tcpFlags)) return found
  if (found.isClosing) return null
  return { isTracked: found.isTracked && !(found.isAnswered && found.firstDirection !== direction) }
}

type FlowAcceptance = (eniIdHigh: number, eniIdLow: number, protocol: number) => boolean

export class FlowReader {
  readonly #words: Int32Array
  readonly #doubles: Float64Array

  /** @param buffer the mapped file of the worker, as tun/shared_memory.ts maps it */
  constructor (buffer: ArrayBufferLike) {
    this.#words = new Int32Array(buffer)
    this.#doubles =
      new Float64Array(buffer, 0, Math.floor(buffer.byteLength / Float64Array.BYTES_PER_ELEMENT))
  }

  /** Entries in use; 0 while no worker has written the file. */
  get live (): number {
    return this.#isReady() ? this.#words[HEADER_AT_LIVE] : 0
  }

  /** How many flows each ENI has; those without flows are left out. Makes no object per flow. */
  countByEni (): EniFlows[] {
    if (!this.#isReady()) return []
    const words = this.#words
    const counts = new Uint32Array(FLOW_PORTS_MAX)
    const end = Math.min(ENTRIES_WORD + words[HEADER_AT_TOUCHED] * ENTRY_WORDS,
      words.length - ENTRY_WORDS + 1)
    for (let at = ENTRIES_WORD; at < end; at += ENTRY_WORDS) {
      if (words[at + ENTRY_AT_SERIAL] === 0) continue
      const flowPort = words[at + ENTRY_AT_PORT_PROTOCOL] >>> 8
      if (this.#slotOf(flowPort) !== -1) counts[flowPort & (FLOW_PORTS_MAX - 1)]++
    }
    const enis: EniFlows[] = []
    for (let port = 0; port < FLOW_PORTS_MAX; port++) {
      if (counts[port] === 0) continue
      const slot = DIRECTORY_WORD + port * DIRECTORY_SLOT_WORDS
      enis.push({
        eniIdHigh: words[slot + DIRECTORY_AT_ENI_HIGH] >>> 0,
        eniIdLow: words[slot + DIRECTORY_AT_ENI_LOW] >>> 0,
        flows: counts[port]
      })
    }
    return enis
  }

  /**
   * Lists flows.
   * @param accept called with an ENI id (two u32 words) and a protocol; false leaves a flow out
   */
  list (limit: number, accept: FlowAcceptance): Flow[] {
    const flows: Flow[] = []
    if (!this.#isReady()) return flows
    const words = this.#words
    const end = Math.min(ENTRIES_WORD + words[HEADER_AT_TOUCHED] * ENTRY_WORDS,
      words.length - ENTRY_WORDS + 1)
    for (let at = ENTRIES_WORD; at < end && flows.length < limit; at += ENTRY_WORDS) {
      const serial = Atomics.load(words, at + ENTRY_AT_SERIAL)
      if (serial === 0) continue
      const flow = this.#read(at, accept)
      if (flow !== null && Atomics.load(words, at + ENTRY_AT_SERIAL) === serial) flows.push(flow)
    }
    return flows
  }

  /** One conversation of an ENI; null when the worker does not have it. Looks at every entry. */
  find (eni: { readonly high: number, readonly low: number }, key: FlowKey): FoundFlow | null {
    if (!this.#isReady()) return null
    const words = this.#words
    const ports = (key.localPort << 16) | key.remotePort
    const end = Math.min(ENTRIES_WORD + words[HEADER_AT_TOUCHED] * ENTRY_WORDS,
      words.length - ENTRY_WORDS + 1)
    for (let at = ENTRIES_WORD; at < end; at += ENTRY_WORDS) {
      if (words[at + ENTRY_AT_PORTS] !== ports || words[at + ENTRY_AT_SERIAL] === 0 ||
        (words[at + ENTRY_AT_PORT_PROTOCOL] & 0xff) !== key.protocol ||
        !holdsWords(words, at + ENTRY_AT_LOCAL, key.local) ||
        !holdsWords(words, at + ENTRY_AT_REMOTE, key.remote)) continue
      const slot = this.#slotOf(words[at + ENTRY_AT_PORT_PROTOCOL] >>> 8)
      if (slot === -1 || words[slot + DIRECTORY_AT_ENI_HIGH] >>> 0 !== eni.high ||
        words[slot + DIRECTORY_AT_ENI_LOW] >>> 0 !== eni.low) continue
      return {
        isTracked: (words[at + ENTRY_AT_ORIGIN] & ENTRY_TRACKED) !== 0,
        isClosing: tcpIsClosing(words[at + ENTRY_AT_TCP]),
        isAnswered: (words[at + ENTRY_AT_TCP] & TCP_SEEN_ANSWER) !== 0,
        firstDirection: words[at + ENTRY_AT_ORIGIN] & ENTRY_DIRECTION_MASK
      }
    }
    return null
  }

  #isReady (): boolean {
    return this.#words.length > ENTRIES_WORD && this.#words[HEADER_AT_MAGIC] === FLOW_MAGIC &&
      this.#words[HEADER_AT_VERSION] === FLOW_LAYOUT_VERSION
  }

  #read (at: number, accept: FlowAcceptance): Flow | null {
    const words = this.#words
    const slot = this.#slotOf(words[at + ENTRY_AT_PORT_PROTOCOL] >>> 8)
    if (slot === -1) return null
    const eniIdHigh = words[slot + DIRECTORY_AT_ENI_HIGH] >>> 0
    const eniIdLow = words[slot + DIRECTORY_AT_ENI_LOW] >>> 0
    if (!accept(eniIdHigh, eniIdLow, words[at + ENTRY_AT_PORT_PROTOCOL] & 0xff)) return null
    const ports = words[at + ENTRY_AT_PORTS]
    const protocol = words[at + ENTRY_AT_PORT_PROTOCOL] & 0xff
    const isIcmp = protocol === PROTOCOL_ICMP || protocol === PROTOCOL_ICMPV6
    return {
      eniIdHigh,
      eniIdLow,
      protocol,
      localAddress: formatAddress(words, at + ENTRY_AT_LOCAL),
      localPort: isIcmp ? echoIdentifier(ports) : ports >>> 16,
      remoteAddress: formatAddress(words, at + ENTRY_AT_REMOTE),
      remotePort: isIcmp ? echoIdentifier(ports) : ports & 0xffff,
      firstDirection: words[at + ENTRY_AT_ORIGIN] & ENTRY_DIRECTION_MASK,
      isTracked: (words[at + ENTRY_AT_ORIGIN] & ENTRY_TRACKED) !== 0,
      idleMs: Math.max(0,
        words[HEADER_AT_NOW_TICK] - words[at + ENTRY_AT_LAST_SEEN]) * FLOW_TICK_MS,
      egress: this.#half(at + HALF_WORD + EGRESS * HALF_WORDS),
      ingress: this.#half(at + HALF_WORD + INGRESS * HALF_WORDS)
    }
  }

  /** The directory's slot of a flow port, -1 when the ENI has left. */
  #slotOf (flowPort: number): number {
    const words = this.#words
    const slot = DIRECTORY_WORD + (flowPort & (FLOW_PORTS_MAX - 1)) * DIRECTORY_SLOT_WORDS
    const isCurrent = words[slot + DIRECTORY_AT_STATE] !== 0 &&
      words[slot + DIRECTORY_AT_REUSE] === flowPort >>> FLOW_PORT_SLOT_BITS
    return isCurrent ? slot : -1
  }

  #half (half: number): FlowHalf {
    const words = this.#words
    const stored = words[half + HALF_AT_GENERATION] === 0 ? 0 : words[half + HALF_AT_ACTION]
    const action = stored & HALF_ACTION_MASK
    return {
      action,
      target: action === ACTION_DROP ? stored >>> HALF_DROP_SHIFT : words[half + HALF_AT_TARGET],
      packets: this.#doubles[(half + HALF_AT_PACKETS) >>> 1],
      bytes: this.#doubles[(half + HALF_AT_BYTES) >>> 1],
      icmpErrors: words[half + HALF_AT_ICMP_ERRORS] >>> 0
    }
  }
}

function holdsWords (words: Int32Array, at: number, wanted: Uint32Array): boolean {
  for (let word = 0; word < wanted.length; word++) {
    if (words[at + word] !== (wanted[word] | 0)) return false
  }
  return true
}

/**
 * An action in words: `encapsulate to host-2`, `deliver`, `drop no-route`; `-` for none.
 * @param hostName name of a host by index
 */
export function describeAction (half: FlowHalf, hostName: (hostIndex: number) => string): string {
  switch (half.action) {
    case ACTION_DELIVER: return 'deliver'
    case ACTION_ENCAPSULATE: return `encapsulate to ${hostName(half.target)}`
    case ACTION_DROP: return `drop ${DROP_REASONS[half.target]?.name ?? String(half.target)}`
    default: return '-'
  }
}
