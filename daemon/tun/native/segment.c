/* See segment.h. Sums of what all segments share are made once, in segmenter_open(); a segment
 * then costs a copy of about 100 header bytes, one pass over its payload, and a handful of
 * additions. */
#include "segment.h"

#include "checksum.h"
#include "descriptor.h"

static bool type_matches(uint8_t gso_type, const struct packet_headers *headers) {
  switch (gso_type & ~GSO_ECN) {
  case GSO_TCPV4:
    return headers->version == 4 && headers->protocol == PROTOCOL_TCP;
  case GSO_TCPV6:
    return headers->version == 6 && headers->protocol == PROTOCOL_TCP;
  case GSO_UDP:
    return headers->protocol == PROTOCOL_UDP;
  default:
    return false;
  }
}

static bool pieces_add_up(const struct packet *packet) {
  uint64_t bytes = packet->bytes;
  for (uint32_t i = 0; i < packet->piece_count; i++) bytes += packet->pieces[i].iov_len;
  return bytes == packet->total_bytes && bytes <= PACKET_BYTES_MAX;
}

static uint64_t shared_l4_sum(const uint8_t *at, const struct packet_headers *h) {
  uint64_t sum = htons(h->protocol);
  sum = h->version == 4 ? checksum_add(sum, at + IPV4_AT_SOURCE, IPV4_ADDRESSES_BYTES)
                        : checksum_add(sum, at + IPV6_AT_SOURCE, IPV6_ADDRESSES_BYTES);
  const uint8_t *l4 = at + h->l4_at;
  if (h->protocol == PROTOCOL_UDP) return checksum_add(sum, l4, UDP_AT_LENGTH);
  sum = checksum_add(sum, l4, TCP_AT_SEQUENCE);
  sum = checksum_add(sum, l4 + TCP_AT_SEQUENCE + 4, 4); /* acknowledgment number */
  sum += htons((uint16_t)(l4[TCP_AT_DATA_OFFSET] << 8));
  sum = checksum_add(sum, l4 + TCP_AT_FLAGS + 1, 2); /* window */
  return checksum_add(sum, l4 + TCP_AT_CHECKSUM + 2,
                      (size_t)h->payload_at - h->l4_at - TCP_AT_CHECKSUM - 2);
}

bool segmenter_open(struct segmenter *s, const struct packet *packet, const void *prefix,
                    uint32_t prefix_bytes) {
  if (packet->gso_size == 0 || !parse_headers(packet->at, packet->bytes, &s->headers)) return false;
  if (!type_matches(packet->gso_type, &s->headers) || !pieces_add_up(packet)) return false;
  const struct packet_headers *h = &s->headers;
  const uint8_t *at = packet->at;
  s->packet = packet;
  s->prefix = prefix;
  s->prefix_bytes = prefix_bytes;
  s->payload_bytes = packet->total_bytes - h->payload_at;
  if (s->payload_bytes == 0 || s->payload_bytes > (uint64_t)packet->gso_size * SEGMENTS_MAX)
    return false;
  s->sent_bytes = 0;
  s->piece = 0;
  s->piece_at = h->payload_at;
  s->l3_sum = 0;
  s->id = 0;
  if (h->version == 4) {
    s->id = read_u16(at + IPV4_AT_ID);
    s->l3_sum = checksum_add(s->l3_sum, at, IPV4_AT_TOTAL_LENGTH);
    s->l3_sum = checksum_add(s->l3_sum, at + IPV4_AT_FRAGMENT, IPV4_AT_CHECKSUM - IPV4_AT_FRAGMENT);
    s->l3_sum = checksum_add(s->l3_sum, at + IPV4_AT_SOURCE, (size_t)h->l4_at - IPV4_AT_SOURCE);
  }
  s->l4_sum = shared_l4_sum(at, h);
  s->sequence = 0;
  s->flags = 0;
  if (h->protocol == PROTOCOL_TCP) {
    s->sequence = read_u32(at + h->l4_at + TCP_AT_SEQUENCE);
    s->flags = at[h->l4_at + TCP_AT_FLAGS];
  }
  return true;
}

static uint32_t next_payload_bytes(const struct segmenter *s) {
  uint32_t left = s->payload_bytes - s->sent_bytes;
  return left < s->packet->gso_size ? left : s->packet->gso_size;
}

uint32_t segmenter_next_bytes(const struct segmenter *s) {
  uint32_t payload = next_payload_bytes(s);
  return payload == 0 ? 0 : segmenter_header_bytes(s) + payload;
}

/* Takes `bytes` of payload into `iov`, adding them to `*sum`. Returns parts, 0 when out of
 * parts. */
static uint32_t take_payload(struct segmenter *s, uint32_t bytes, struct iovec *iov,
                             uint64_t *sum) {
  uint32_t parts = 0;
  uint32_t taken = 0;
  while (taken < bytes) {
    const struct packet *packet = s->packet;
    const uint8_t *from = s->piece == 0 ? packet->at : packet->pieces[s->piece - 1].iov_base;
    size_t piece_bytes = s->piece == 0 ? packet->bytes : packet->pieces[s->piece - 1].iov_len;
    uint32_t part = (uint32_t)(piece_bytes - s->piece_at);
    if (part == 0) {
      s->piece++;
      s->piece_at = 0;
      continue;
    }
    if (part > bytes - taken) part = bytes - taken;
    if (parts == SEGMENT_IOV_MAX - 1) return 0;
    iov[parts].iov_base = (void *)(uintptr_t)(from + s->piece_at);
    iov[parts].iov_len = part;
    parts++;
    *sum = checksum_add_piece(*sum, from + s->piece_at, part, taken);
    s->piece_at += part;
    taken += part;
  }
  return parts;
}

static void write_l3(const struct segmenter *s, uint8_t *l3, uint32_t payload) {
  const struct packet_headers *h = &s->headers;
  if (h->version == 6) {
    write_u16(l3 + IPV6_AT_PAYLOAD_LENGTH, (uint16_t)(h->payload_at - IPV6_HEADER_BYTES + payload));
    return;
  }
  uint16_t total = (uint16_t)(h->payload_at + payload);
  uint16_t checksum = checksum_finish(s->l3_sum + htons(total) + htons(s->id));
  write_u16(l3 + IPV4_AT_TOTAL_LENGTH, total);
  write_u16(l3 + IPV4_AT_ID, s->id);
  memcpy(l3 + IPV4_AT_CHECKSUM, &checksum, sizeof checksum);
}

/* `sum` is that of the payload. */
static void write_l4(const struct segmenter *s, uint8_t *l4, uint32_t payload, uint64_t sum) {
  const struct packet_headers *h = &s->headers;
  uint16_t l4_bytes = (uint16_t)(h->payload_at - h->l4_at + payload);
  sum += s->l4_sum + htons(l4_bytes);
  uint16_t checksum;
  if (h->protocol == PROTOCOL_UDP) {
    write_u16(l4 + UDP_AT_LENGTH, l4_bytes);
    checksum = checksum_finish_udp(sum + htons(l4_bytes));
    memcpy(l4 + UDP_AT_CHECKSUM, &checksum, sizeof checksum);
    return;
  }
  uint32_t sequence = s->sequence + s->sent_bytes;
  uint8_t flags = s->flags;
  if (s->sent_bytes > 0) flags &= (uint8_t)~TCP_CWR;
  if (s->sent_bytes + payload < s->payload_bytes) flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
  write_u32(l4 + TCP_AT_SEQUENCE, sequence);
  l4[TCP_AT_FLAGS] = flags;
  checksum = checksum_finish(sum + htonl(sequence) + htons(flags));
  memcpy(l4 + TCP_AT_CHECKSUM, &checksum, sizeof checksum);
}

uint32_t segmenter_next(struct segmenter *s, uint8_t *header, struct iovec *iov) {
  uint32_t payload = next_payload_bytes(s);
  uint64_t sum = 0;
  uint32_t parts = take_payload(s, payload, iov + 1, &sum);
  if (parts == 0) return 0;
  if (s->prefix_bytes > 0) memcpy(header, s->prefix, s->prefix_bytes);
  uint8_t *l3 = header + s->prefix_bytes;
  memcpy(l3, s->packet->at, s->headers.payload_at);
  write_l3(s, l3, payload);
  write_l4(s, l3 + s->headers.l4_at, payload, sum);
  iov[0].iov_base = header;
  iov[0].iov_len = segmenter_header_bytes(s);
  s->sent_bytes += payload;
  s->id++;
  return parts + 1;
}
