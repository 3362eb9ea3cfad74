/**
 * Ethernet II header, IEEE 802.3 §3. The router knows IP alone: the NIC takes the header off what a
 * TAP gives and puts it before what a TAP gets (tun/native/link.h). Frames that are no IP
 * (dataplane/frame.ts) and copies of mirrored packets (dataplane/mirror.ts) have one.
 *
 *    |  Destination (6 bytes)  |  Source (6 bytes)  |  EtherType (2 bytes)  |
 */
export const ETHERNET_AT_DST = 0 // 6 bytes
export const ETHERNET_AT_SRC = 6 // 6 bytes
export const ETHERNET_AT_TYPE = 12 // u16
export const ETHERNET_HEADER_BYTES = 14
export const ETHERNET_ADDRESS_BYTES = 6
