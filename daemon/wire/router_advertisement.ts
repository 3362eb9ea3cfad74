/**
 * Router advertisement, RFC 4861 §4.2, and the options of neighbour discovery that stand in ours
 * (§4.6.2, §4.6.4). Lengths of options count in units of eight bytes.
 *
 *     |     Type      |     Code      |          Checksum             |
 *     | Cur Hop Limit |M|O|  Reserved |       Router Lifetime         |
 *     |                         Reachable Time                        |
 *     |                          Retrans Timer                        |
 *     |   Options ...
 */
export const RA_AT_TYPE = 0 // u8
export const RA_AT_CODE = 1 // u8
export const RA_AT_CHECKSUM = 2 // u16  over pseudo-header and all of the message
export const RA_AT_HOP_LIMIT = 4 // u8   for hosts to use
export const RA_AT_FLAGS = 5 // u8   M, O, ...
export const RA_AT_LIFETIME = 6 // u16  seconds as default router
export const RA_AT_REACHABLE_TIME = 8 // u32  ms; 0: not told
export const RA_AT_RETRANS_TIMER = 12 // u32  ms; 0: not told
export const RA_HEADER_BYTES = 16
/** M and O: addresses and the rest come by DHCPv6. */
export const RA_FLAGS_MANAGED = 0xc0

export const RA_OPTION_PREFIX = 3
export const RA_OPTION_MTU = 5
export const RA_OPTION_UNIT_BYTES = 8

export const RA_PREFIX_AT_TYPE = 0 // u8
export const RA_PREFIX_AT_UNITS = 1 // u8
export const RA_PREFIX_AT_LENGTH = 2 // u8   bits
export const RA_PREFIX_AT_FLAGS = 3 // u8   L, A
export const RA_PREFIX_AT_VALID = 4 // u32  seconds
export const RA_PREFIX_AT_PREFERRED = 8 // u32  seconds
export const RA_PREFIX_AT_RESERVED = 12 // u32
export const RA_PREFIX_AT_PREFIX = 16 // 16 bytes
export const RA_PREFIX_HEADER_BYTES = 32
/** L without A: on this link, and no address is to be made up from it. */
export const RA_PREFIX_ON_LINK = 0x80

export const RA_MTU_AT_TYPE = 0 // u8
export const RA_MTU_AT_UNITS = 1 // u8
export const RA_MTU_AT_RESERVED = 2 // u16
export const RA_MTU_AT_MTU = 4 // u32
export const RA_MTU_HEADER_BYTES = 8
