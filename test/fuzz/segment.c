/* Fuzzes segmentation (daemon/tun/native/segment.c) with super-packets as a hostile guest may
 * make them.
 *
 *     input   u8 GSO type, u16 GSO size, u8 prefix bytes, u8 pieces, u16 bytes of each piece,
 *             the prefix, the pieces, and the first part: what is left
 *
 * Whatever comes in, no byte outside it is touched; and what comes out are packets whose payloads
 * are the payload, whose lengths are their own, and whose checksums are good when summed byte by
 * byte.
 */
#include "fuzz.h"

#include "../../daemon/tun/native/descriptor.h"
#include "../../daemon/tun/native/segment.h"

#define PIECES 15

/* The byte at `offset` of the super-packet. */
static uint8_t byte_at(const struct packet *packet, size_t offset) {
  if (offset < packet->bytes) return packet->at[offset];
  offset -= packet->bytes;
  for (uint32_t i = 0; i < packet->piece_count; i++) {
    if (offset < packet->pieces[i].iov_len) return ((uint8_t *)packet->pieces[i].iov_base)[offset];
    offset -= packet->pieces[i].iov_len;
  }
  MUST(!"offset inside the packet");
  return 0;
}

static void check_lengths(const struct segmenter *s, const uint8_t *l3, uint32_t l3_bytes) {
  uint32_t l4_bytes = l3_bytes - s->headers.l4_at;
  if (s->headers.version == 4) {
    struct iovec header = {(void *)(uintptr_t)l3, s->headers.l4_at};
    MUST(read_u16(l3 + IPV4_AT_TOTAL_LENGTH) == l3_bytes);
    MUST(slow_checksum(&header, 1, 0) == 0);
  } else {
    MUST(read_u16(l3 + IPV6_AT_PAYLOAD_LENGTH) == l3_bytes - IPV6_HEADER_BYTES);
  }
  if (s->headers.protocol == PROTOCOL_UDP) {
    MUST(read_u16(l3 + s->headers.l4_at + UDP_AT_LENGTH) == l4_bytes);
    MUST(read_u16(l3 + s->headers.l4_at + UDP_AT_CHECKSUM) != 0);
  }
}

/* iov[0] without prefix and IP header, and the payload, sum to zero with the pseudo-header. */
static void check_l4_checksum(const struct segmenter *s, uint8_t *l3, uint32_t l3_bytes,
                              struct iovec *iov, uint32_t parts) {
  const struct packet_headers *h = &s->headers;
  uint32_t address_at = h->version == 4 ? IPV4_AT_SOURCE : IPV6_AT_SOURCE;
  uint32_t address_bytes = h->version == 4 ? IPV4_ADDRESSES_BYTES : IPV6_ADDRESSES_BYTES;
  struct iovec addresses = {l3 + address_at, address_bytes};
  uint32_t pseudo = (uint16_t)~slow_checksum(&addresses, 1, 0) + h->protocol + l3_bytes - h->l4_at;
  iov[0] = (struct iovec){l3 + h->l4_at, (size_t)h->payload_at - h->l4_at};
  MUST(slow_checksum(iov, parts, pseudo) == 0);
}

static void check_segments(const struct packet *packet, const uint8_t *prefix,
                           uint32_t prefix_bytes) {
  struct segmenter s;
  if (!segmenter_open(&s, packet, prefix, prefix_bytes)) return;
  size_t payload_at = s.headers.payload_at;
  uint32_t count = 0;
  for (uint32_t bytes; (bytes = segmenter_next_bytes(&s)) > 0; count++) {
    uint8_t *header = malloc(segmenter_header_bytes(&s));
    MUST(header != NULL && count < SEGMENTS_MAX);
    struct iovec iov[SEGMENT_IOV_MAX];
    uint32_t parts = segmenter_next(&s, header, iov);
    if (parts == 0) { /* payload of one segment in more pieces than that: the sender drops it */
      free(header);
      return;
    }
    MUST(memcmp(header, prefix, prefix_bytes) == 0);
    uint32_t payload = 0;
    for (uint32_t i = 1; i < parts; i++) {
      for (size_t k = 0; k < iov[i].iov_len; k++) {
        MUST(((uint8_t *)iov[i].iov_base)[k] == byte_at(packet, payload_at + k));
      }
      payload_at += iov[i].iov_len;
      payload += (uint32_t)iov[i].iov_len;
    }
    MUST(payload > 0 && payload <= packet->gso_size);
    MUST(bytes == prefix_bytes + s.headers.payload_at + payload);
    uint8_t *l3 = header + prefix_bytes;
    if (bytes - prefix_bytes <= UINT16_MAX) {
      check_lengths(&s, l3, bytes - prefix_bytes);
      check_l4_checksum(&s, l3, bytes - prefix_bytes, iov, parts);
    }
    free(header);
  }
  MUST(payload_at == packet->total_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size};
  struct iovec pieces[PIECES];
  struct packet packet = {.gso_type = take_u8(&in), .gso_size = take_u16(&in), .pieces = pieces};
  uint32_t prefix_bytes = take_u8(&in) % (TX_HEADER_BYTES_MAX + 1);
  packet.piece_count = take_u8(&in) % (PIECES + 1);
  uint32_t piece_bytes[PIECES];
  for (uint32_t i = 0; i < packet.piece_count; i++) piece_bytes[i] = take_u16(&in);
  uint8_t *prefix = take_block(&in, &prefix_bytes);
  for (uint32_t i = 0; i < packet.piece_count; i++) {
    pieces[i].iov_base = take_block(&in, &piece_bytes[i]);
    pieces[i].iov_len = piece_bytes[i];
    packet.total_bytes += piece_bytes[i];
  }
  uint32_t first_bytes = (uint32_t)in.bytes;
  uint8_t *first = take_block(&in, &first_bytes);
  packet.at = first;
  packet.bytes = first_bytes;
  packet.total_bytes += first_bytes;
  check_segments(&packet, prefix, prefix_bytes);
  for (uint32_t i = 0; i < packet.piece_count; i++) free(pieces[i].iov_base);
  free(prefix);
  free(first);
  return 0;
}
