/* The one thing the addon knows of the encapsulation: how long its header is, so that coalescing
 * finds the inner IP header. Geneve, RFC 8926 section 3.4:
 *
 *     byte 0  version:2 option length:6 (in 4 bytes)      bytes 2-3  protocol type
 *
 * Another encapsulation is added here.
 */
#ifndef VPCLAB_ENCAPSULATION_H
#define VPCLAB_ENCAPSULATION_H

#include "packet.h"

#define GENEVE_HEADER_BYTES_MIN 8
#define GENEVE_AT_PROTOCOL_TYPE 2
#define PROTOCOL_TYPE_IPV4      0x0800
#define PROTOCOL_TYPE_IPV6      0x86dd

/* Bytes before the inner IP header; 0 when there is none that could be coalesced: another
 * version, a payload that is not IP, a header that is cut short. At most 260. */
static inline uint32_t encapsulation_header_bytes(const uint8_t *at, uint32_t bytes) {
  if (bytes <= GENEVE_HEADER_BYTES_MIN || at[0] >> 6 != 0) return 0;
  uint16_t protocol_type = read_u16(at + GENEVE_AT_PROTOCOL_TYPE);
  if (protocol_type != PROTOCOL_TYPE_IPV4 && protocol_type != PROTOCOL_TYPE_IPV6) return 0;
  uint32_t header_bytes = GENEVE_HEADER_BYTES_MIN + (uint32_t)(at[0] & 0x3f) * 4;
  return header_bytes < bytes ? header_bytes : 0;
}

#endif
