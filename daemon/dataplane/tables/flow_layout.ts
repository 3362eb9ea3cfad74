/**
 * Where things stand in the flow file: the one description that the worker which writes it
 * (flow_table.ts) and the control thread which lists it (flow_reader.ts) share. The file is mapped
 * from /dev/shm, so that entries outlive a `kill -9`.
 *
 *     byte 0        header, HEADER_AT_*                      one page
 *     byte 4,096    directory: FLOW_PORTS_MAX × 4 words      which ENI a flow port number means
 *     byte 69,632   entries: capacity × 48 words             192 bytes = three cache lines each
 *
 *     entry   line 0   key, age, protocol state
 *             line 1   egress half: packets from LOCAL to REMOTE
 *             line 2   ingress half: packets from REMOTE to LOCAL
 *
 * LOCAL is the ENI's side of a conversation. A packet that leaves the ENI has local = source, one
 * that enters it has local = destination, so both find the same entry; and a packet that takes the
 * fast path touches the key line and the line of its own direction.
 *
 * Words are int32 in host order, counters float64. The index over the entries is not in the file:
 * it is built anew when the file is opened, and so cannot be found half-written.
 */

export const FLOW_MAGIC = 0x56504346 // "VPCF"
/** To be raised with every change of this file; an unknown version is started clean. */
export const FLOW_LAYOUT_VERSION = 4

// Header, word index.
export const HEADER_AT_MAGIC = 0
export const HEADER_AT_VERSION = 1
export const HEADER_AT_CAPACITY = 2
/** Ticks of FLOW_TICK_MS since the worker started, as of its last pass. */
export const HEADER_AT_NOW_TICK = 3
/** Entries in use. */
export const HEADER_AT_LIVE = 4
/** Entries 0..n-1 were in use at some time; what lies above was never touched. */
export const HEADER_AT_TOUCHED = 5
/** FLOW_SEED_WORDS words: keys of the hash. */
export const HEADER_AT_SEED = 6
export const FLOW_SEED_WORDS = 11

export const FLOW_HEADER_BYTES = 4096

/** ENIs that can have flows at once. */
export const FLOW_PORTS_MAX = 4096
// Directory, word index inside a slot.
export const DIRECTORY_AT_STATE = 0 // 0 = free, 1 = in use
export const DIRECTORY_AT_ENI_HIGH = 1
export const DIRECTORY_AT_ENI_LOW = 2
export const DIRECTORY_AT_REUSE = 3 // counts the owners; part of the flow port number
export const DIRECTORY_SLOT_WORDS = 4
export const DIRECTORY_WORD = FLOW_HEADER_BYTES / 4
/**
 * A flow port number is slot | reuse << 12, in 24 bits: an entry of a former owner never matches.
 */
export const FLOW_PORT_SLOT_BITS = 12
export const FLOW_PORT_REUSE_MASK = 0xfff

export const ENTRIES_BYTE = FLOW_HEADER_BYTES + FLOW_PORTS_MAX * DIRECTORY_SLOT_WORDS * 4
export const ENTRIES_WORD = ENTRIES_BYTE / 4

export const ENTRY_WORDS = 48
export const ENTRY_BYTES = ENTRY_WORDS * 4

// Entry, word index.
/** 0 = free; otherwise a number that changes with each owner. Written last. */
export const ENTRY_AT_SERIAL = 0
/** flow port number << 8 | protocol */
export const ENTRY_AT_PORT_PROTOCOL = 1
export const ENTRY_AT_LOCAL = 2 // 4 words
export const ENTRY_AT_REMOTE = 6 // 4 words
/** local port << 16 | remote port; of echo as `echoPorts` of wire/icmp.ts; otherwise 0 */
export const ENTRY_AT_PORTS = 10
export const ENTRY_AT_HASH = 11
/** Tick of the last packet in either direction. */
export const ENTRY_AT_LAST_SEEN = 12
/** TCP_SEEN_* bits. */
export const ENTRY_AT_TCP = 13
export const ENTRY_AT_CREATED = 14
/** EGRESS or INGRESS, the direction of the first packet; and ENTRY_TRACKED. */
export const ENTRY_AT_ORIGIN = 15
export const ENTRY_DIRECTION_MASK = 1
/** Security groups have allowed the conversation: it goes on, both ways, whatever rules say now. */
export const ENTRY_TRACKED = 2

/** Directions, as index of the half. */
export const EGRESS = 0
export const INGRESS = 1
export const HALF_WORD = 16
export const HALF_WORDS = 16

// Half, word index from HALF_WORD + direction * HALF_WORDS.
/** Generation of the VPC's tables that the action was computed from; 0 = no action. */
export const HALF_AT_GENERATION = 0
/** ACTION_* | HALF_FLAG_* | drop reason << 16 */
export const HALF_AT_ACTION = 1
/** Largest packet on the wire that the action may be applied to, bytes. */
export const HALF_AT_MTU = 2
/** ACTION_ENCAPSULATE: host index. ACTION_DELIVER: port index. */
export const HALF_AT_TARGET = 3
/**
 * Egress: outer UDP source port. Ingress: index of the host that must have sent it; 0 = this one.
 */
export const HALF_AT_SOURCE = 4
/** Where the flow stood among the flow records of a window (flow_records.ts), + 1; a hint. */
export const HALF_AT_RECORD = 5
export const HALF_AT_PACKETS = 6 // float64
export const HALF_AT_BYTES = 8 // float64
/** Egress: VNI and both ENI ids as they stand in the VPC header, in the byte order of the wire. */
export const HALF_AT_HEADER = 10
export const HALF_HEADER_WORDS = 5
/**
 * ICMP errors that went this way and spoke of the conversation (steps/connection.ts). They are not
 * among its packets and do not renew its age.
 */
export const HALF_AT_ICMP_ERRORS = 15
/** Ingress: the ENI that must have sent it, high and low. */
export const HALF_AT_SENDER = 10

/** TCP: numbers that the SYNs of both sides have shown, by direction; in the ingress half. */
export const ENTRY_AT_INITIAL_SEQUENCE = HALF_WORD + HALF_WORDS + 12

export const HALF_ACTION_MASK = 0xff
/** The packet crosses from subnet to subnet: one is taken off its TTL. */
export const HALF_FLAG_DECREMENT_TTL = 0x100
export const HALF_DROP_SHIFT = 16

/** Unit of ages and timers. */
export const FLOW_TICK_MS = 100

/** Entry + 1 in a bucket of the index has 22 bits (flow_table.ts). */
export const BUCKET_ENTRY_MASK = 2 ** 22 - 1

/** Most entries of a table. */
export const FLOW_CAPACITY_MAX = BUCKET_ENTRY_MASK - 1

/** Load of the index, entries per bucket, is at most this. */
const LOAD_MAX = 0.7

/** Buckets of the index for a wished number of entries: a power of two. */
export function flowBuckets (capacity: number): number {
  let buckets = 64
  while (capacity > buckets * LOAD_MAX) buckets *= 2
  return buckets
}

/**
 * Entries that a table gets when `capacity` are wished: half the buckets or more, so that the index
 * costs at most 8 bytes per entry, but never more than FLOW_CAPACITY_MAX.
 */
export function flowCapacity (capacity: number): number {
  return Math.min(Math.max(capacity, flowBuckets(capacity) / 2), FLOW_CAPACITY_MAX)
}

/** Size of the flow file, bytes. */
export function flowFileBytes (capacity: number): number {
  return ENTRIES_BYTE + flowCapacity(capacity) * ENTRY_BYTES
}
