/**
 * The border between the NIC addon (C) and the router (TypeScript): two arrays of descriptors
 * over one arena of bytes. Both sides take the layout from here; `native/descriptor.h` repeats it
 * and `descriptor.test.ts` compares the two.
 *
 *     arena   one ArrayBuffer: [ receive area, the NIC's | scratch area, the router's ]
 *     rx      Int32Array, RX_WORDS per packet: what burst() received
 *     tx      Int32Array, TX_WORDS per packet: what the next burst() shall send, in this order
 *
 * Ownership: bytes of the receive area are borrowed from one `burst()` until the next; the router
 * may change them in place (TTL, addresses) and send them from there. What must live longer is
 * copied into the scratch area. Every offset is a byte offset into the arena.
 *
 * A descriptor stands for one packet or one super-packet: up to 64 KB of one TCP or UDP flow that
 * is many packets on the wire, with the meaning that virtio-net gives it (`GSO_SIZE` payload
 * bytes per segment; with CSUM_NEEDED the L4 checksum field holds the folded, not inverted,
 * pseudo-header sum). A super-packet received from the underlay may lie in pieces: the bytes at
 * `AT` are then the first packet as it came, whole, and `RUN` names the list of the further
 * payload pieces, which the NIC keeps; its headers already tell the total length.
 *
 * All multi-byte fields of packets are big-endian; the words of descriptors are in host order.
 */

/** Port number of the underlay socket. TUN and TAP ports count from 1. */
export const PORT_UNDERLAY = 0
/**
 * What the guest of TAP port n sends and is no IP packet of its own comes from port
 * n + FRAME_PORTS, whole, from its Ethernet header on; a frame of the router's goes to that port
 * the same way.
 */
export const FRAME_PORTS = 4096

// Fields of a receive descriptor (word index).
/** Port that received it: PORT_UNDERLAY or a TUN port. */
export const RX_PORT = 0
/** Where the packet starts. TUN, TAP: the IP header. Underlay: the Geneve header (UDP payload). */
export const RX_AT = 1
/** Bytes that are contiguous at RX_AT: all of the packet unless RX_RUN is set. Never 0. */
export const RX_BYTES = 2
/** Bytes of the whole (super-)packet from RX_AT on, further pieces of the run included. */
export const RX_TOTAL_BYTES = 3
/** GSO_NONE, GSO_TCPV4, GSO_TCPV6 or GSO_UDP: kind of super-packet (values of virtio-net). */
export const RX_GSO_TYPE = 4
/** L4 payload bytes per segment; 0 when RX_GSO_TYPE is GSO_NONE. */
export const RX_GSO_SIZE = 5
/** CSUM_* bits. */
export const RX_CSUM = 6
/** csum_start | csum_offset << 16, from the start of the IP header; with CSUM_NEEDED. */
export const RX_CSUM_FIELD = 7
/** Packets it was, or will be, on the wire: 1 for a plain packet. */
export const RX_SEGMENTS = 8
/** 0, or the number of the list of further pieces; to be handed on in TX_RUN. */
export const RX_RUN = 9
/** Underlay: where 18 bytes stand: source address (16, IPv4 as ::ffff:a.b.c.d), source port
 * (2). */
export const RX_SOURCE_AT = 10
/** Underlay: outer traffic class (DSCP and ECN), 0..255. */
export const RX_OUTER_TRAFFIC_CLASS = 11
export const RX_WORDS = 12

// Fields of a transmit descriptor (word index).
/** PORT_UNDERLAY or a TUN port. */
export const TX_PORT = 0
/** Where the inner IP header starts. */
export const TX_AT = 1
/** Bytes that are contiguous at TX_AT (without the encapsulation header). */
export const TX_BYTES = 2
/** Bytes of the whole (super-)packet from TX_AT on. Equals TX_BYTES unless TX_RUN is set. */
export const TX_TOTAL_BYTES = 3
export const TX_GSO_TYPE = 4
export const TX_GSO_SIZE = 5
export const TX_CSUM = 6
export const TX_CSUM_FIELD = 7
/** RX_RUN of the packet it came from, or 0. */
export const TX_RUN = 8
/** Underlay: number of the peer (Nic.setPeer). */
export const TX_PEER = 9
/** Underlay: outer UDP source port, 49152..65535. */
export const TX_SOURCE_PORT = 10
/** Underlay: outer traffic class (DSCP and ECN), 0..255. */
export const TX_OUTER_TRAFFIC_CLASS = 11
/** Underlay: where the encapsulation header stands. It is repeated before every segment. */
export const TX_HEADER_AT = 12
/** Underlay: bytes of the encapsulation header, 0..TX_HEADER_BYTES_MAX. */
export const TX_HEADER_BYTES = 13
export const TX_WORDS = 14

/** The longest encapsulation header. Geneve with every option of ours takes 44. */
export const TX_HEADER_BYTES_MAX = 64

export const GSO_NONE = 0 // VIRTIO_NET_HDR_GSO_NONE
export const GSO_TCPV4 = 1 // VIRTIO_NET_HDR_GSO_TCPV4
export const GSO_TCPV6 = 4 // VIRTIO_NET_HDR_GSO_TCPV6
export const GSO_UDP = 5 // VIRTIO_NET_HDR_GSO_UDP_L4
/** Added to the type when the TCP super-packet carries CWR (VIRTIO_NET_HDR_GSO_ECN). */
export const GSO_ECN = 0x80

/** The L4 checksum is still to be computed; the field holds the pseudo-header sum. */
export const CSUM_NEEDED = 1 // VIRTIO_NET_HDR_F_NEEDS_CSUM
/** The L4 checksum has been verified, or never left this machine's memory. */
export const CSUM_VALID = 2 // VIRTIO_NET_HDR_F_DATA_VALID

/**
 * Bytes before a packet received from a TUN that the router may write to, so that an
 * encapsulation header can stand directly before the packet. Before the inner packet of an
 * underlay descriptor stands its encapsulation header, which may be overwritten likewise; what lies
 * before that may be the packet of another descriptor.
 */
export const RX_HEADROOM_BYTES = 64

/** The largest packet a descriptor carries: an IPv4 total length, or an IPv6 header and
 * 65,535. */
export const PACKET_BYTES_MAX = 65_575
