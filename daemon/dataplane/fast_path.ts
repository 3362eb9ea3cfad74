/**
 * The fast path: a hit in the flow table whose action is current. It applies what the slow path
 * decided for an earlier packet of the flow, and decides nothing itself. Whatever is not plainly
 * the same as then (no entry, stale tables, too large for the path, last hop of its TTL, a
 * fragment, SYN, FIN or RST, a sender in another place, a forwarded packet, no room to send) is
 * answered with false, and the packet takes the slow path whole. So this file can be switched off
 * and every packet has the same fate; a property test does just that.
 *
 * Budget: 150 ns per packet with 100,000 live flows (bench/pipeline.ts).
 */
import * as ecn from '../encap/ecn.ts'
import * as tcp from '../wire/tcp.ts'
import * as action from './action.ts'
import * as dropReason from './drop_reason.ts'
import type { PacketContext } from './packet.ts'
import type { RouterParts } from './router_parts.ts'
import { combineCongestion } from './steps/congestion.ts'
import { parsePacket } from './steps/parse.ts'
import { outerSourceIs, readVpcHeader } from './steps/vpc_header.ts'
import * as flowLayout from './tables/flow_layout.ts'
import type { FlowTable } from './tables/flow_table.ts'

// Constants of other modules, made this module's own: V8 folds a module's own into the code, and
// loads imported ones from memory, checked, at each use (CONTRIBUTING.md, "Hot code").
const { ECN_MASK } = ecn
// The flow table takes note of them, on the slow path.
const { TCP_FLAGS_NOTED } = tcp
const { ACTION_DELIVER, ACTION_DROP, ACTION_ENCAPSULATE } = action
const { DROP_NONE } = dropReason
const {
  EGRESS, ENTRY_AT_LAST_SEEN, HALF_ACTION_MASK, HALF_AT_ACTION, HALF_AT_BYTES, HALF_AT_GENERATION,
  HALF_AT_HEADER, HALF_AT_MTU, HALF_AT_PACKETS, HALF_AT_RECORD, HALF_AT_SENDER, HALF_AT_SOURCE,
  HALF_AT_TARGET, HALF_DROP_SHIFT, HALF_FLAG_DECREMENT_TTL, HALF_WORD, HALF_WORDS, INGRESS
} = flowLayout

/** No flow hash. A flow that happens to hash to it takes the slow path, always. */
export const NO_FLOW = 0

/** Counts a packet in one half of an entry; `at` is the entry, `half` the half's word offset. */
export function countFlow (
  flows: FlowTable, at: number, half: number, packets: number, wireBytes: number
): void {
  flows.words[at + ENTRY_AT_LAST_SEEN] = flows.nowTick
  const counter = (half + HALF_AT_PACKETS) >>> 1
  flows.doubles[counter] += packets
  flows.doubles[counter + ((HALF_AT_BYTES - HALF_AT_PACKETS) >>> 1)] += wireBytes
}

/** For flow logs: a packet that passed a port. @param half of its flow, word offset */
function notePassed (
  p: PacketContext, port: number, direction: number, half: number, parts: RouterParts
): void {
  const recorder = parts.flowRecorder
  if (recorder === null) return
  recorder.noteKnown(p, port, direction, parts.tables.flows.words, half + HALF_AT_RECORD)
}

/** Finds the entry of a packet that enters port `port`. @returns word offset, or -1 */
function findIngressFlow (p: PacketContext, port: number, parts: RouterParts): number {
  const flowPort = parts.tables.ports.flowPort[port]
  if (flowPort < 0) return -1
  return parts.tables.flows.find((flowPort << 8) | p.protocol,
    p.dst0, p.dst1, p.dst2, p.dst3, p.src0, p.src1, p.src2, p.src3, swapPorts(p.ports))
}

/** source << 16 | destination, seen from the other side. */
export function swapPorts (ports: number): number {
  return (ports << 16) | (ports >>> 16)
}

/** Whether a packet may be served by an entry: a flow, and nothing that opens or ends one. */
function isPlain (p: PacketContext): boolean {
  return p.isFlow !== 0 && (p.tcpFlags & TCP_FLAGS_NOTED) === 0
}

/**
 * First look at a packet from the ENI `p.portIndex`. Precondition: the context was loaded.
 * @returns the hash of its flow, or NO_FLOW: it must take the slow path
 */
export function readEgress (p: PacketContext, parts: RouterParts): number {
  const { ports, flows } = parts.tables
  const flowPort = ports.flowPort[p.portIndex]
  if (flowPort < 0 || parsePacket(p, parts.view) !== DROP_NONE || !isPlain(p)) return NO_FLOW
  return flows.hashOf((flowPort << 8) | p.protocol,
    p.src0, p.src1, p.src2, p.src3, p.dst0, p.dst1, p.dst2, p.dst3, p.ports)
}

/**
 * First look at a packet from the underlay. Precondition: the context was loaded. `portIndex` is
 * then the receiver, and `at` the inner packet.
 * @returns the hash of its flow, or NO_FLOW: it must take the slow path, loaded again
 */
export function readIngress (p: PacketContext, parts: RouterParts): number {
  const { ports, flows } = parts.tables
  if (readVpcHeader(p, parts.view) !== DROP_NONE || p.geneve.isForwarded !== 0) return NO_FLOW
  const port = ports.findEni(p.geneve.destinationEniHigh, p.geneve.destinationEniLow)
  const flowPort = ports.flowPort[port]
  if (port === 0 || flowPort < 0 || ports.vni[port] !== p.geneve.vni) return NO_FLOW
  p.portIndex = port
  if (parsePacket(p, parts.view) !== DROP_NONE || !isPlain(p)) return NO_FLOW
  return flows.hashOf((flowPort << 8) | p.protocol,
    p.dst0, p.dst1, p.dst2, p.dst3, p.src0, p.src1, p.src2, p.src3, swapPorts(p.ports))
}

/**
 * A packet from the ENI `p.portIndex`. Precondition: readEgress named its flow in `flowHash`.
 * @returns true when it was dealt with; false leaves it untouched
 */
export function runFastEgress (p: PacketContext, parts: RouterParts): boolean {
  const { tables, counters, transmit } = parts
  const { ports, flows } = tables
  const port = p.portIndex
  const at = flows.findHashed(p.flowHash, (ports.flowPort[port] << 8) | p.protocol,
    p.src0, p.src1, p.src2, p.src3, p.dst0, p.dst1, p.dst2, p.dst3, p.ports)
  if (at < 0) return false
  const words = flows.words
  const half = at + HALF_WORD
  if (words[half + HALF_AT_GENERATION] !== ports.generation[port]) return false
  const action = words[half + HALF_AT_ACTION]
  const kind = action & HALF_ACTION_MASK
  if (kind === ACTION_DROP) {
    const reason = action >>> HALF_DROP_SHIFT
    counters.drop(port, reason, p.segments)
    parts.flowRecorder?.note(p, port, EGRESS, reason, p.segments, p.wireBytesSum)
    return true
  }
  if (p.wireBytesMax > words[half + HALF_AT_MTU] || !transmit.hasRoom(1)) return false
  const decrement = (action & HALF_FLAG_DECREMENT_TTL) !== 0
  if (decrement && p.ttl <= 1) return false
  if (kind === ACTION_ENCAPSULATE) {
    if (decrement) transmit.decrementTtl(p)
    transmit.encapsulate(p, words[half + HALF_AT_TARGET], words[half + HALF_AT_SOURCE], words,
      half + HALF_AT_HEADER)
  } else {
    if (kind !== ACTION_DELIVER) return false
    const receiver = words[half + HALF_AT_TARGET]
    const receiverAt = findLocalReceiver(p, parts, port, receiver)
    if (receiverAt < 0) return false
    if (decrement) transmit.decrementTtl(p)
    transmit.deliver(p, ports.nicPort[receiver])
    countFlow(flows, receiverAt, receiverAt + HALF_WORD + HALF_WORDS, p.segments, p.wireBytesSum)
    counters.ingress(receiver, p.segments, p.wireBytesSum)
    notePassed(p, receiver, INGRESS, receiverAt + HALF_WORD + HALF_WORDS, parts)
  }
  countFlow(flows, at, half, p.segments, p.wireBytesSum)
  counters.egress(port, p.segments, p.wireBytesSum)
  notePassed(p, port, EGRESS, half, parts)
  return true
}

/**
 * The receiver's entry for a packet of this host, when it is to be delivered. @returns word offset,
 * or -1
 */
function findLocalReceiver (
  p: PacketContext, parts: RouterParts, sender: number, receiver: number
): number {
  const { ports, flows } = parts.tables
  if (ports.nicPort[receiver] === 0) return -1
  const at = findIngressFlow(p, receiver, parts)
  if (at < 0) return -1
  const words = flows.words
  const half = at + HALF_WORD + HALF_WORDS
  if (words[half + HALF_AT_GENERATION] !== ports.generation[receiver] ||
    words[half + HALF_AT_ACTION] !== ACTION_DELIVER || words[half + HALF_AT_SOURCE] !== 0 ||
    words[half + HALF_AT_SENDER] !== ports.eniHigh[sender] ||
    words[half + HALF_AT_SENDER + 1] !== ports.eniLow[sender] ||
    p.wireBytesMax > words[half + HALF_AT_MTU]) return -1
  return at
}

/**
 * A packet from the underlay for the ENI `p.portIndex`. Precondition: readIngress named its flow in
 * `flowHash`.
 * @returns true when it was delivered; false leaves its bytes untouched
 */
export function runFastIngress (p: PacketContext, parts: RouterParts): boolean {
  const { tables, counters, transmit, view } = parts
  const { ports, flows } = tables
  const port = p.portIndex
  const at = flows.findHashed(p.flowHash, (ports.flowPort[port] << 8) | p.protocol,
    p.dst0, p.dst1, p.dst2, p.dst3, p.src0, p.src1, p.src2, p.src3, swapPorts(p.ports))
  if (at < 0) return false
  const words = flows.words
  const half = at + HALF_WORD + HALF_WORDS
  const sourceHost = words[half + HALF_AT_SOURCE]
  if (words[half + HALF_AT_GENERATION] !== ports.generation[port] ||
    words[half + HALF_AT_ACTION] !== ACTION_DELIVER ||
    words[half + HALF_AT_SENDER] !== p.geneve.sourceEniHigh ||
    words[half + HALF_AT_SENDER + 1] !== p.geneve.sourceEniLow ||
    p.wireBytesMax > words[half + HALF_AT_MTU] || sourceHost === 0 ||
    ports.nicPort[port] === 0 || !transmit.hasRoom(1) ||
    !outerSourceIs(p, tables, view, sourceHost)) return false
  if ((p.outerTrafficClass & ECN_MASK) !== 0) {
    if (combineCongestion(p) !== DROP_NONE) return false
    transmit.writeCongestion(p)
  }
  transmit.deliver(p, ports.nicPort[port])
  countFlow(flows, at, half, p.segments, p.wireBytesSum)
  counters.ingress(port, p.segments, p.wireBytesSum)
  notePassed(p, port, INGRESS, half, parts)
  return true
}
