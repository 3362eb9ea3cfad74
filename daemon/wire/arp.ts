/**
 * ARP for IPv4 over Ethernet, RFC 826. `at` is the offset behind the Ethernet header.
 *
 *     |   Hardware type (1)   |  Protocol type (IPv4) |
 *     |  6  |  4  |       Operation       |  Sender MAC (6 bytes)  |
 *     |  Sender address  |  Target MAC (6 bytes)  |  Target address  |
 */
export const ARP_AT_HARDWARE = 0 // u16
export const ARP_AT_PROTOCOL = 2 // u16  EtherType
export const ARP_AT_LENGTHS = 4 // u16  of a MAC (high byte) and of an address
export const ARP_AT_OPERATION = 6 // u16
export const ARP_AT_SENDER_MAC = 8 // 6 bytes
export const ARP_AT_SENDER = 14 // u32
export const ARP_AT_TARGET_MAC = 18 // 6 bytes
export const ARP_AT_TARGET = 24 // u32
export const ARP_HEADER_BYTES = 28

export const ARP_HARDWARE_ETHERNET = 1
/** Six bytes of MAC, four of address. */
export const ARP_LENGTHS_IPV4 = 0x0604
export const ARP_REQUEST = 1
export const ARP_REPLY = 2

export const ETHERTYPE_ARP = 0x0806
