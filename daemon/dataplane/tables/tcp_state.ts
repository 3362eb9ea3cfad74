/**
 * What a flow entry remembers of a TCP connection: who has closed it, whether it is past its
 * opening, and where the numbers of both sides began. SYN, FIN and RST always come by the slow
 * path, so this is all that is known: data take the fast path, which looks at no numbers.
 */
import {
  TCP_FLAG_ACK, TCP_FLAG_FIN, TCP_FLAG_RST, TCP_FLAG_SYN
} from '../../wire/tcp.ts'
import {
  EGRESS, ENTRY_AT_INITIAL_SEQUENCE, ENTRY_AT_TCP, HALF_AT_BYTES, HALF_WORD, HALF_WORDS, INGRESS
} from './flow_layout.ts'

/**
 * How far beyond the bytes that were counted a side may be: the packet itself, and what was lost on
 * its way here.
 */
const TCP_SEQUENCE_SLACK_BYTES = 2 ** 20

// ENTRY_AT_TCP
export const TCP_SEEN_FIN_EGRESS = 1 << EGRESS
export const TCP_SEEN_FIN_INGRESS = 1 << INGRESS
export const TCP_SEEN_RST = 4
/** More than bare SYNs: the connection is past its opening. */
export const TCP_SEEN_ANSWER = 8
/** Initial sequence numbers that are known: shifted by the direction. */
const TCP_SEEN_SEQUENCE = 16
const TCP_SEEN_FINS = TCP_SEEN_FIN_EGRESS | TCP_SEEN_FIN_INGRESS

/** Whether TCP_SEEN_* bits say that both sides have closed, or one has reset. */
export function tcpIsClosing (seen: number): boolean {
  return (seen & TCP_SEEN_RST) !== 0 || (seen & TCP_SEEN_FINS) === TCP_SEEN_FINS
}

/** Whether TCP flags open a connection: SYN without ACK. */
export function isBareSyn (flags: number): boolean {
  return (flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) === TCP_FLAG_SYN
}

/**
 * Takes note of flags in the entry at `at`.
 * @param flags TCP_FLAG_* of a packet in `direction`
 * @param sequence its sequence number, int32
 * @param acknowledgment its acknowledgment number, int32
 */
export function noteTcp (
  words: Int32Array, doubles: Float64Array, at: number, direction: number, flags: number,
  sequence: number, acknowledgment: number
): void {
  if ((flags & TCP_FLAG_SYN) !== 0) {
    noteOpening(words, at, direction, flags, sequence, acknowledgment)
  }
  let seen = words[at + ENTRY_AT_TCP]
  if (!isBareSyn(flags)) seen |= TCP_SEEN_ANSWER
  if (mayHaveSent(words, doubles, at, direction, sequence)) {
    if ((flags & TCP_FLAG_FIN) !== 0) seen |= 1 << direction
    if ((flags & TCP_FLAG_RST) !== 0) seen |= TCP_SEEN_RST
  }
  words[at + ENTRY_AT_TCP] = seen
}

/**
 * A SYN tells where its side begins. One that comes into a running connection may be forged or old,
 * until the other side agrees: its SYN-ACK tells of both.
 */
function noteOpening (
  words: Int32Array, at: number, direction: number, flags: number, sequence: number,
  acknowledgment: number
): void {
  const isAnswer = (flags & TCP_FLAG_ACK) !== 0
  if (isAnswer || (words[at + ENTRY_AT_TCP] & TCP_SEEN_ANSWER) === 0) {
    words[at + ENTRY_AT_INITIAL_SEQUENCE + direction] = sequence
    words[at + ENTRY_AT_TCP] |= TCP_SEEN_SEQUENCE << direction
  }
  if (!isAnswer) return
  words[at + ENTRY_AT_INITIAL_SEQUENCE + 1 - direction] = acknowledgment - 1
  words[at + ENTRY_AT_TCP] |= TCP_SEEN_SEQUENCE << (1 - direction)
}

/**
 * Whether a sequence number lies among those that a side has sent: between its first one and as
 * many further as bytes have been counted, headers included. True of a side whose SYN was not seen.
 */
function mayHaveSent (
  words: Int32Array, doubles: Float64Array, at: number, direction: number, sequence: number
): boolean {
  if ((words[at + ENTRY_AT_TCP] & (TCP_SEEN_SEQUENCE << direction)) === 0) return true
  const sentBytes = doubles[(at + HALF_WORD + direction * HALF_WORDS + HALF_AT_BYTES) >>> 1]
  const distance = (sequence - words[at + ENTRY_AT_INITIAL_SEQUENCE + direction]) >>> 0
  return distance <= sentBytes + TCP_SEQUENCE_SLACK_BYTES
}
