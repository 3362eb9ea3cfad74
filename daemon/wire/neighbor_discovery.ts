/**
 * Neighbor solicitation and advertisement, RFC 4861 §4.3, §4.4. `at` is the ICMPv6 header.
 *
 *     |     Type      |     Code      |          Checksum             |
 *     |R|S|O|                     Reserved                            |
 *     |                       Target Address                          |
 *     |   Options ...
 */
export const ND_AT_TYPE = 0 // u8
export const ND_AT_CODE = 1 // u8
export const ND_AT_CHECKSUM = 2 // u16  over pseudo-header and all of the message
export const ND_AT_FLAGS = 4 // u8   advertisements: R, S, O
export const ND_AT_RESERVED = 5 // 3 bytes
export const ND_AT_TARGET = 8 // 16 bytes
/** Options follow. */
export const ND_HEADER_BYTES = 24
/** The hop limit of each: anything else came from another link (RFC 4861 §7.1.1). */
export const ND_HOP_LIMIT = 255

export const ND_FLAG_ROUTER = 0x80
export const ND_FLAG_SOLICITED = 0x40
export const ND_FLAG_OVERRIDE = 0x20

/** Target link-layer address: type, length in units of 8 bytes, MAC. */
export const ND_OPTION_TARGET_MAC = 2
export const ND_OPTION_MAC_BYTES = 8
export const ND_OPTION_AT_MAC = 2
