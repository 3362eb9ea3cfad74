/** IP protocol numbers (IANA "Assigned Internet Protocol Numbers"); IPv6 calls them next header. */
export const PROTOCOL_HOP_BY_HOP = 0
export const PROTOCOL_ICMP = 1
export const PROTOCOL_TCP = 6
export const PROTOCOL_UDP = 17
export const PROTOCOL_DCCP = 33
export const PROTOCOL_ROUTING = 43
export const PROTOCOL_FRAGMENT = 44
export const PROTOCOL_ESP = 50
export const PROTOCOL_AUTHENTICATION = 51
export const PROTOCOL_ICMPV6 = 58
export const PROTOCOL_NO_NEXT_HEADER = 59
export const PROTOCOL_DESTINATION_OPTIONS = 60
export const PROTOCOL_MOBILITY = 135
export const PROTOCOL_UDPLITE = 136
export const PROTOCOL_HIP = 139
export const PROTOCOL_SHIM6 = 140

/** Name as EC2 writes it, or the number in text. For people, never per packet. */
export function protocolName (protocol: number): string {
  switch (protocol) {
    case PROTOCOL_ICMP: return 'icmp'
    case PROTOCOL_TCP: return 'tcp'
    case PROTOCOL_UDP: return 'udp'
    case PROTOCOL_ESP: return 'esp'
    case PROTOCOL_AUTHENTICATION: return 'ah'
    case PROTOCOL_ICMPV6: return 'icmpv6'
    default: return String(protocol)
  }
}
