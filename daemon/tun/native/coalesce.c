/* See coalesce.h. A segment is parsed once, when it becomes the one ahead, and is then either
 * joined to the packet before it or begins the next one. */
#include "coalesce.h"

#include "checksum.h"
#include "descriptor.h"
#include "encapsulation.h"

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

static void parse_segment(struct segment *s) {
  s->joinable = false;
  s->inner_at = encapsulation_header_bytes(s->at, s->bytes);
  if (s->inner_at == 0) return;
  const uint8_t *l3 = s->at + s->inner_at;
  uint32_t l3_bytes = s->bytes - s->inner_at;
  struct packet_headers *h = &s->headers;
  if (!parse_headers(l3, l3_bytes, h) || !ip_is_whole(l3, l3_bytes, h)) return;
  s->payload_bytes = l3_bytes - h->payload_at;
  s->joinable = l4_is_joinable(l3 + h->l4_at, h, s->payload_bytes);
}

/* Makes the segment at the cursor the one ahead, or marks that there is none. An empty datagram
 * is no packet. */
static void look_ahead(struct coalescer *c) {
  struct segment *s = &c->ahead;
  s->at = NULL;
  while (coalescer_has_more(c) && c->messages[c->message].bytes == 0) c->message++;
  if (!coalescer_has_more(c)) return;
  const struct message *m = &c->messages[c->message];
  uint32_t left = m->bytes - c->message_at;
  s->at = m->at + c->message_at;
  s->bytes = left < m->segment_bytes ? left : m->segment_bytes;
  s->message = c->message;
  s->lump = m->segment_bytes < m->bytes;
  parse_segment(s);
}

static void consume(struct coalescer *c) {
  c->message_at += c->ahead.bytes;
  if (c->message_at >= c->messages[c->message].bytes) {
    c->message++;
    c->message_at = 0;
  }
  look_ahead(c);
}

void coalescer_open(struct coalescer *c, uint32_t message_count) {
  c->message_count = message_count;
  c->message = 0;
  c->message_at = 0;
  look_ahead(c);
}

static bool inner_checksum_is_good(const struct segment *s) {
  const uint8_t *l3 = s->at + s->inner_at;
  const struct packet_headers *h = &s->headers;
  uint32_t l4_bytes = s->bytes - s->inner_at - h->l4_at;
  uint64_t sum = pseudo_header_sum(l3, h, l4_bytes);
  return checksum_finish(checksum_add(sum, l3 + h->l4_at, l4_bytes)) == 0;
}

static bool same_source(const struct coalescer *c, const struct segment *a,
                        const struct segment *b) {
  if (a->message == b->message) return true;
  const struct message *m = &c->messages[a->message], *n = &c->messages[b->message];
  return m->traffic_class == n->traffic_class &&
         memcmp(m->source, n->source, SOURCE_CELL_BYTES) == 0;
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

/* May `b`, packet number `index` of the super-packet, follow `a`, its first? */
static bool joins(const struct coalescer *c, const struct segment *a, const struct segment *b,
                  uint32_t index, uint32_t joined_bytes) {
  if (b->at == NULL || !b->joinable || a->inner_at != b->inner_at) return false;
  if (b->payload_bytes > a->payload_bytes) return false;
  const struct packet_headers *h = &a->headers, *g = &b->headers;
  if (h->version != g->version || h->protocol != g->protocol || h->payload_at != g->payload_at)
    return false;
  uint32_t l4_bytes = (uint32_t)(h->payload_at - h->l4_at) + joined_bytes + b->payload_bytes;
  if (h->l4_at + l4_bytes > UINT16_MAX) return false;
  if (!same_source(c, a, b) || memcmp(a->at, b->at, a->inner_at) != 0) return false;
  const uint8_t *x = a->at + a->inner_at, *y = b->at + b->inner_at;
  return same_l3(x, y, h, index) && same_l4(x + h->l4_at, y + h->l4_at, h, joined_bytes) &&
         (b->lump || inner_checksum_is_good(b));
}

static bool ends_super_packet(const struct segment *s, uint32_t gso_size) {
  if (s->payload_bytes < gso_size) return true;
  const uint8_t *l4 = s->at + s->inner_at + s->headers.l4_at;
  return s->headers.protocol == PROTOCOL_TCP && (l4[TCP_AT_FLAGS] & (TCP_PSH | TCP_FIN));
}

/* Writes total lengths into the headers of the first packet, and leaves the L4 checksum to be
 * done. */
static void write_super_headers(const struct segment *first, uint32_t payload, uint8_t last_flags,
                                struct coalesced *out) {
  uint8_t *l3 = first->at + first->inner_at;
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
    l4[TCP_AT_FLAGS] |= last_flags & (TCP_PSH | TCP_FIN);
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

bool coalescer_next(struct coalescer *c, struct coalesced *out) {
  const struct segment first = c->ahead;
  if (first.at == NULL) return false;
  consume(c);
  *out = (struct coalesced){
      .at = first.at,
      .bytes = first.bytes,
      .total_bytes = first.bytes,
      .segments = 1,
      .pieces = c->pieces + c->pieces_used,
      .message = first.message,
      .inner_at = first.inner_at,
      .gso_type = GSO_NONE,
      .csum = first.lump ? CSUM_VALID : 0,
  };
  if (!first.joinable || ends_super_packet(&first, first.payload_bytes)) return true;
  bool verified = first.lump;
  uint32_t payload = first.payload_bytes;
  uint8_t last_flags = 0;
  while (out->piece_count < RUN_PIECES_MAX && c->pieces_used < c->pieces_max) {
    const struct segment next = c->ahead;
    if (!joins(c, &first, &next, out->segments, payload)) break;
    if (!verified && !(verified = inner_checksum_is_good(&first))) break;
    uint8_t *l3 = next.at + next.inner_at;
    c->pieces[c->pieces_used++] = (struct iovec){l3 + next.headers.payload_at, next.payload_bytes};
    out->piece_count++;
    out->segments++;
    payload += next.payload_bytes;
    if (next.headers.protocol == PROTOCOL_TCP) last_flags = l3[next.headers.l4_at + TCP_AT_FLAGS];
    consume(c);
    if (ends_super_packet(&next, first.payload_bytes)) break;
  }
  if (out->segments == 1) return true;
  out->total_bytes += payload - first.payload_bytes;
  write_super_headers(&first, payload, last_flags, out);
  return true;
}
