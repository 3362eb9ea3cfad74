/**
 * Ethernet II header, IEEE 802.3 §3. ENIs carry IP without one; copies of mirrored packets get one
 * (dataplane/mirror.ts).
 *
 *    |  Destination (6 bytes)  |  Source (6 bytes)  |  EtherType (2 bytes)  |
 */
export const ETHERNET_AT_DST = 0 // 6 bytes
export const ETHERNET_AT_SRC = 6 // 6 bytes
export const ETHERNET_AT_TYPE = 12 // u16
export const ETHERNET_HEADER_BYTES = 14
