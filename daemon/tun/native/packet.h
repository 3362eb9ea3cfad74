/* A packet or super-packet inside the addon, and the parsing of its headers.
 *
 *     at ──► [ IP header | TCP or UDP header | payload ......... ]   `bytes`, contiguous
 *     pieces ──► [ payload ] [ payload ] ...                         further payload, in order
 *
 * Every length comes from a wire or from a guest and is believed only after a comparison with
 * what is really there: parse_headers() never reads past `bytes`, and what it reports lies within
 * them.
 */
#ifndef VPCLAB_PACKET_H
#define VPCLAB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "bytes.h"

/* IPv4, RFC 791 section 3.1 */
#define IPV4_AT_TRAFFIC_CLASS      1
#define IPV4_AT_TOTAL_LENGTH       2
#define IPV4_AT_ID                 4
#define IPV4_AT_FRAGMENT           6 /* u16: reserved, DF, MF, 13 bits of offset */
#define IPV4_AT_TTL                8
#define IPV4_AT_PROTOCOL           9
#define IPV4_AT_CHECKSUM           10
#define IPV4_AT_SOURCE             12
#define IPV4_HEADER_BYTES_MIN      20
#define IPV4_ADDRESSES_BYTES       8
#define IPV4_DONT_FRAGMENT         0x4000
#define IPV4_IS_FRAGMENT           0x3fff /* MF and offset */
/* IPv6, RFC 8200 section 3 */
#define IPV6_AT_PAYLOAD_LENGTH     4
#define IPV6_AT_NEXT_HEADER        6
#define IPV6_AT_SOURCE             8
#define IPV6_HEADER_BYTES          40
#define IPV6_ADDRESSES_BYTES       32
#define IPV6_EXTENSION_HOP_BY_HOP  0
#define IPV6_EXTENSION_ROUTING     43
#define IPV6_EXTENSION_DESTINATION 60
/* TCP, RFC 9293 section 3.1 */
#define TCP_AT_SEQUENCE            4
#define TCP_AT_DATA_OFFSET         12
#define TCP_AT_FLAGS               13
#define TCP_AT_CHECKSUM            16
#define TCP_HEADER_BYTES_MIN       20
#define TCP_FIN                    0x01
#define TCP_PSH                    0x08
#define TCP_ACK                    0x10
#define TCP_ECE                    0x40
#define TCP_CWR                    0x80
/* UDP, RFC 768 */
#define UDP_AT_LENGTH              4
#define UDP_AT_CHECKSUM            6
#define UDP_HEADER_BYTES           8

#define PROTOCOL_TCP               6
#define PROTOCOL_UDP               17

/* Headers of one packet, IP to L4: more than this is not segmented. IPv6 with extension
 * headers. */
#define HEADERS_BYTES_MAX          256
/* Extension headers that are stepped over; RFC 8200 section 4.1 lists seven occurrences. */
#define EXTENSION_HEADERS_MAX      7

struct packet {
  const uint8_t *at;
  uint32_t bytes;
  uint32_t total_bytes; /* with the pieces */
  const struct iovec *pieces;
  uint32_t piece_count;
  uint8_t gso_type; /* GSO_*, with GSO_ECN */
  uint8_t csum;     /* CSUM_* */
  uint16_t gso_size;
  uint16_t csum_start;
  uint16_t csum_offset;
};

struct packet_headers {
  uint8_t version;     /* 4 or 6 */
  uint8_t protocol;    /* PROTOCOL_TCP or PROTOCOL_UDP */
  uint16_t l4_at;      /* bytes before the L4 header */
  uint16_t payload_at; /* bytes before the payload, at most HEADERS_BYTES_MAX */
};

/* Finds the TCP or UDP header of the packet at `at`. Total lengths inside the headers are not
 * looked at: a super-packet may have any. False when it is a fragment, of another protocol, or
 * cut short. */
static inline bool parse_headers(const uint8_t *at, size_t bytes, struct packet_headers *out) {
  size_t l4_at;
  if (bytes < IPV4_HEADER_BYTES_MIN) return false;
  out->version = at[0] >> 4;
  if (out->version == 4) {
    l4_at = (size_t)(at[0] & 0x0f) * 4;
    if (l4_at < IPV4_HEADER_BYTES_MIN) return false;
    if (read_u16(at + IPV4_AT_FRAGMENT) & IPV4_IS_FRAGMENT) return false;
    out->protocol = at[IPV4_AT_PROTOCOL];
  } else if (out->version == 6) {
    l4_at = IPV6_HEADER_BYTES;
    if (bytes < l4_at) return false;
    uint8_t next = at[IPV6_AT_NEXT_HEADER];
    for (int n = 0; next == IPV6_EXTENSION_HOP_BY_HOP || next == IPV6_EXTENSION_ROUTING ||
                    next == IPV6_EXTENSION_DESTINATION;
         n++) {
      if (n == EXTENSION_HEADERS_MAX || l4_at + 8 > bytes) return false;
      next = at[l4_at];
      l4_at += (size_t)(at[l4_at + 1] + 1) * 8;
    }
    out->protocol = next;
  } else {
    return false;
  }
  size_t l4_bytes = UDP_HEADER_BYTES;
  if (out->protocol == PROTOCOL_TCP) {
    if (l4_at + TCP_HEADER_BYTES_MIN > bytes) return false;
    l4_bytes = (size_t)(at[l4_at + TCP_AT_DATA_OFFSET] >> 4) * 4;
    if (l4_bytes < TCP_HEADER_BYTES_MIN) return false;
  } else if (out->protocol != PROTOCOL_UDP) {
    return false;
  }
  if (l4_at + l4_bytes > bytes || l4_at + l4_bytes > HEADERS_BYTES_MAX) return false;
  out->l4_at = (uint16_t)l4_at;
  out->payload_at = (uint16_t)(l4_at + l4_bytes);
  return true;
}

/* Where the payload of a super-packet begins, from where its checksum is: TCP and UDP differ in
 * that. 0 when that would be outside its `bytes` contiguous bytes. */
static inline uint32_t super_payload_at(const uint8_t *at, uint32_t bytes, uint32_t csum_start,
                                        uint32_t csum_offset) {
  uint32_t l4_bytes = UDP_HEADER_BYTES;
  if (csum_offset == TCP_AT_CHECKSUM) {
    if (csum_start + TCP_AT_DATA_OFFSET >= bytes) return 0;
    l4_bytes = (uint32_t)(at[csum_start + TCP_AT_DATA_OFFSET] >> 4) * 4;
  }
  return csum_start + l4_bytes <= bytes ? csum_start + l4_bytes : 0;
}

#endif
