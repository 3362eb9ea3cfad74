/* See join.h. */
#include "join.h"

#include "checksum.h"
#include "descriptor.h"

static uint64_t pseudo_header_sum(const uint8_t *l3, const struct packet_headers *h,
                                  uint32_t l4_bytes) {
  uint64_t sum = (uint64_t)htons(h->protocol) + htons((uint16_t)l4_bytes);
  return h->version == 4 ? checksum_add(sum, l3 + IPV4_AT_SOURCE, IPV4_ADDRESSES_BYTES)
                         : checksum_add(sum, l3 + IPV6_AT_SOURCE, IPV6_ADDRESSES_BYTES);
}

static bool ip_is_whole(const uint8_t *l3, uint32_t bytes, const struct packet_headers *h) {
  if (h->version == 6) {
    return h->l4_at == IPV6_HEADER_BYTES &&
           read_u16(l3 + IPV6_AT_PAYLOAD_LENGTH) == bytes - IPV6_HEADER_BYTES;
  }
  return h->l4_at == IPV4_HEADER_BYTES_MIN && read_u16(l3 + IPV4_AT_TOTAL_LENGTH) == bytes &&
         checksum_finish(checksum_add(0, l3, IPV4_HEADER_BYTES_MIN)) == 0;
}

/* TCP: data, an ACK, and of the other flags at most PSH, FIN, ECE. UDP: whole and with a
 * checksum. */
static bool l4_is_joinable(const uint8_t *l4, const struct packet_headers *h, uint32_t payload) {
  if (payload == 0) return false;
  if (h->protocol == PROTOCOL_UDP) {
    return read_u16(l4 + UDP_AT_LENGTH) == UDP_HEADER_BYTES + payload &&
           read_u16(l4 + UDP_AT_CHECKSUM) != 0;
  }
  uint8_t flags = l4[TCP_AT_FLAGS];
  return (flags & TCP_ACK) && (flags & ~(TCP_ACK | TCP_PSH | TCP_FIN | TCP_ECE)) == 0;
}

void join_parse(struct join_packet *p, uint8_t *l3, uint32_t bytes) {
  struct packet_headers *h = &p->headers;
  p->l3 = l3;
  p->bytes = bytes;
  p->joinable = false;
  if (!parse_headers(l3, bytes, h) || !ip_is_whole(l3, bytes, h)) return;
  p->payload_bytes = bytes - h->payload_at;
  p->joinable = l4_is_joinable(l3 + h->l4_at, h, p->payload_bytes);
}

bool join_checksum_is_good(const struct join_packet *p) {
  const struct packet_headers *h = &p->headers;
  uint32_t l4_bytes = p->bytes - h->l4_at;
  uint64_t sum = pseudo_header_sum(p->l3, h, l4_bytes);
  return checksum_finish(checksum_add(sum, p->l3 + h->l4_at, l4_bytes)) == 0;
}

static bool same_l3(const uint8_t *a, const uint8_t *b, const struct packet_headers *h,
                    uint32_t index) {
  if (h->version == 6) {
    return memcmp(a, b, IPV6_AT_PAYLOAD_LENGTH) == 0 &&
           memcmp(a + IPV6_AT_NEXT_HEADER, b + IPV6_AT_NEXT_HEADER,
                  IPV6_HEADER_BYTES - IPV6_AT_NEXT_HEADER) == 0;
  }
  uint16_t fragment = read_u16(a + IPV4_AT_FRAGMENT);
  /* With DF the id has no meaning (RFC 6864 section 4.1); without, it must count as a sender's
   * would. */
  if (!(fragment & IPV4_DONT_FRAGMENT) &&
      (uint16_t)(read_u16(a + IPV4_AT_ID) + index) != read_u16(b + IPV4_AT_ID)) {
    return false;
  }
  return memcmp(a, b, IPV4_AT_TOTAL_LENGTH) == 0 &&
         memcmp(a + IPV4_AT_FRAGMENT, b + IPV4_AT_FRAGMENT, IPV4_AT_CHECKSUM - IPV4_AT_FRAGMENT) ==
             0 &&
         memcmp(a + IPV4_AT_SOURCE, b + IPV4_AT_SOURCE, IPV4_ADDRESSES_BYTES) == 0;
}

/* `joined_bytes`: payload of the super-packet so far. */
static bool same_l4(const uint8_t *a, const uint8_t *b, const struct packet_headers *h,
                    uint32_t joined_bytes) {
  if (memcmp(a, b, TCP_AT_SEQUENCE) != 0) return false; /* ports */
  if (h->protocol == PROTOCOL_UDP) return true;
  if (read_u32(a + TCP_AT_SEQUENCE) + joined_bytes != read_u32(b + TCP_AT_SEQUENCE)) return false;
  if ((a[TCP_AT_FLAGS] ^ b[TCP_AT_FLAGS]) & ~(TCP_PSH | TCP_FIN)) return false;
  if (memcmp(a + TCP_AT_FLAGS + 1, b + TCP_AT_FLAGS + 1, 2) != 0) return false; /* window */
  if (memcmp(a + TCP_AT_SEQUENCE + 4, b + TCP_AT_SEQUENCE + 4, 5) != 0)
    return false; /* ack, offset */
  size_t options_at = TCP_AT_CHECKSUM + 2;
  return memcmp(a + options_at, b + options_at, (size_t)h->payload_at - h->l4_at - options_at) == 0;
}

bool join_follows(const struct join_packet *a, const struct join_packet *b, uint32_t index,
                  uint32_t joined_bytes) {
  if (!b->joinable || b->payload_bytes > a->payload_bytes) return false;
  const struct packet_headers *h = &a->headers, *g = &b->headers;
  if (h->version != g->version || h->protocol != g->protocol || h->payload_at != g->payload_at)
    return false;
  uint32_t l4_bytes = (uint32_t)(h->payload_at - h->l4_at) + joined_bytes + b->payload_bytes;
  if (h->l4_at + l4_bytes > UINT16_MAX) return false;
  return same_l3(a->l3, b->l3, h, index) &&
         same_l4(a->l3 + h->l4_at, b->l3 + h->l4_at, h, joined_bytes);
}

uint8_t join_last_flags(const struct join_packet *p) {
  if (p->headers.protocol != PROTOCOL_TCP) return 0;
  return p->l3[p->headers.l4_at + TCP_AT_FLAGS] & (TCP_PSH | TCP_FIN);
}

bool join_ends(const struct join_packet *p, uint32_t gso_size) {
  return p->payload_bytes < gso_size || join_last_flags(p) != 0;
}

void join_write_headers(const struct join_packet *first, uint32_t payload, uint8_t last_flags,
                        struct join_offload *out) {
  uint8_t *l3 = first->l3;
  const struct packet_headers *h = &first->headers;
  uint8_t *l4 = l3 + h->l4_at;
  uint32_t l4_bytes = (uint32_t)(h->payload_at - h->l4_at) + payload;
  if (h->version == 4) {
    write_u16(l3 + IPV4_AT_TOTAL_LENGTH, (uint16_t)(h->l4_at + l4_bytes));
    write_u16(l3 + IPV4_AT_CHECKSUM, 0);
    uint16_t checksum = checksum_finish(checksum_add(0, l3, h->l4_at));
    memcpy(l3 + IPV4_AT_CHECKSUM, &checksum, sizeof checksum);
  } else {
    write_u16(l3 + IPV6_AT_PAYLOAD_LENGTH, (uint16_t)l4_bytes);
  }
  if (h->protocol == PROTOCOL_TCP) {
    l4[TCP_AT_FLAGS] |= last_flags;
    out->gso_type = h->version == 4 ? GSO_TCPV4 : GSO_TCPV6;
    out->csum_offset = TCP_AT_CHECKSUM;
  } else {
    write_u16(l4 + UDP_AT_LENGTH, (uint16_t)l4_bytes);
    out->gso_type = GSO_UDP;
    out->csum_offset = UDP_AT_CHECKSUM;
  }
  uint16_t sum = checksum_fold(pseudo_header_sum(l3, h, l4_bytes));
  memcpy(l4 + out->csum_offset, &sum, sizeof sum);
  out->gso_size = (uint16_t)first->payload_bytes;
  out->csum = CSUM_NEEDED;
  out->csum_start = h->l4_at;
}
