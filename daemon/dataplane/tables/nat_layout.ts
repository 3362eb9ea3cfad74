/**
 * Where things stand in the NAT file: the flows of HyperPlane resources (NAT gateways, egress-only
 * internet gateways) that a node owns or keeps a copy of. The file is mapped from /dev/shm, so that
 * flows and their ports outlive the process.
 *
 *     byte 0        header, NAT_HEADER_AT_*       one page
 *     byte 4,096    rows: capacity × 40 words     160 bytes each
 *
 *     inside    ENI of the VPC          address, port     what the instance uses
 *     outside   the resource            address, port     what the destination sees
 *     remote    the destination         address, port
 *
 * A row is found by (resource, protocol, inside, remote) for packets that go out, and by (resource,
 * protocol, outside, remote) for packets that come back. Words are int32 in host order. Indices,
 * timers and lists are not in the file: they are built anew when it is opened.
 */

export const NAT_MAGIC = 0x56504e54 // "VPNT"
/** To be raised with every change of this file; an unknown version is started clean. */
export const NAT_LAYOUT_VERSION = 1

// Header, word index.
export const NAT_HEADER_AT_MAGIC = 0
export const NAT_HEADER_AT_VERSION = 1
export const NAT_HEADER_AT_CAPACITY = 2
/** Rows 0..n-1 were in use at some time; what lies above was never touched. */
export const NAT_HEADER_AT_TOUCHED = 3
/** Rows that hold a live flow. */
export const NAT_HEADER_AT_LIVE = 4
/** Ticks of FLOW_TICK_MS since the worker started, as of its last pass. */
export const NAT_HEADER_AT_NOW_TICK = 5
/** Key of the hashes. */
export const NAT_HEADER_AT_SEED = 6
/** Number of the node's life that wrote it last; 0: none. */
export const NAT_HEADER_AT_INCARNATION = 7

export const NAT_HEADER_BYTES = 4096
export const NAT_ROWS_WORD = NAT_HEADER_BYTES / 4

export const NAT_ROW_WORDS = 40
export const NAT_ROW_BYTES = NAT_ROW_WORDS * 4

// Row, word index.
/** NAT_FREE, NAT_LIVE or NAT_RESTING. Written last. */
export const NAT_AT_STATE = 0
export const NAT_AT_PROTOCOL = 1
/** ENI id of the resource: high, low. */
export const NAT_AT_RESOURCE = 2 // 2 words
export const NAT_AT_INSIDE = 4 // 4 words
export const NAT_AT_OUTSIDE = 8 // 4 words
export const NAT_AT_REMOTE = 12 // 4 words
/** inside port << 16 | remote port; echo: the identifier << 16. */
export const NAT_AT_INSIDE_PORTS = 16
/** outside port << 16 | remote port. */
export const NAT_AT_OUTSIDE_PORTS = 17
/** The remote port in either of the two. */
export const NAT_REMOTE_PORT_MASK = 0xffff
/** Id of the inside ENI: where answers go. */
export const NAT_AT_ENI = 18 // 2 words
/** Slot of the resource's shard to which the remote end belongs. */
export const NAT_AT_SLOT = 25
/** A number that changes with each owner of the row. */
export const NAT_AT_SERIAL = 26
export const NAT_AT_LAST_SEEN = 27 // tick
/** NAT_TCP_* bits. */
export const NAT_AT_TCP = 28
/**
 * Nodes that have not confirmed their copy yet: until it is 0, no packet passes. Or NAT_COPY,
 * NAT_DOUBTFUL, NAT_RESTORED.
 */
export const NAT_AT_UNCONFIRMED = 29
/** Stamp of the bulk copy that named the row last. */
export const NAT_AT_STAMP = 30
export const NAT_AT_RELEASED = 31 // tick at which the port was released
export const NAT_AT_INSIDE_HASH = 32
export const NAT_AT_OUTSIDE_HASH = 33
/** Destination record (nat_destinations.ts), + 1. */
export const NAT_AT_DESTINATION = 34
/** Neighbours in the list of resting rows of the destination, row + 1. */
export const NAT_AT_NEXT = 35
export const NAT_AT_BEFORE = 36
/** Tick of the first packet; of a copy, when it was told. */
export const NAT_AT_CREATED = 37
/** Epoch of the shard under which it was decided, or told, last: of two that differ, the newer. */
export const NAT_AT_EPOCH = 38

export const NAT_FREE = 0
export const NAT_LIVE = 1
/** The flow has ended; its port rests. */
export const NAT_RESTING = 2

/** NAT_AT_UNCONFIRMED of a copy: its owner alone knows who else has one. */
export const NAT_COPY = 0x20000000
/** NAT_AT_UNCONFIRMED of a copy that may never have counted: its owner may have died early. */
export const NAT_DOUBTFUL = 0x30000000
/** NAT_AT_UNCONFIRMED of a row that stood in the file: it may be of yesterday. */
export const NAT_RESTORED = 0x40000000

export const NAT_TCP_FIN_INSIDE = 1
export const NAT_TCP_FIN_REMOTE = 2
export const NAT_TCP_RST = 4
/** The destination has answered. */
export const NAT_TCP_ANSWERED = 8
export const NAT_TCP_FINS = NAT_TCP_FIN_INSIDE | NAT_TCP_FIN_REMOTE

/** Source ports that a resource gives out. */
export const NAT_PORT_MIN = 1024
export const NAT_PORT_MAX = 65_535
export const NAT_PORTS = NAT_PORT_MAX - NAT_PORT_MIN + 1
/** Live flows per source address and (destination address, port, protocol). */
export const NAT_FLOWS_PER_DESTINATION_MAX = 55_000

/** Idle time of a flow, seconds (AWS: 350). */
export const NAT_IDLE_S = 350
/** How long a connection is kept after both sides closed it, or one reset it, seconds. */
export const NAT_CLOSING_S = 10
/** A released port is not given out again to the same destination before this, seconds. */
export const NAT_REST_MIN_S = 1
/** Nor, while others are free, before this (TIME-WAIT, RFC 9293 §3.4.2). */
export const NAT_REST_S = 60

/** Most rows of a table: what the index can name. */
export const NAT_CAPACITY_MAX = 2 ** 22

/** Size of the NAT file, bytes. */
export function natFileBytes (capacity: number): number {
  return NAT_HEADER_BYTES + capacity * NAT_ROW_BYTES
}
