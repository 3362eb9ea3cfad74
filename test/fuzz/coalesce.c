/* Fuzzes coalescing (daemon/tun/native/coalesce.c) with messages as a hostile peer may send them.
 *
 *     input   u8 messages, then for each: u16 bytes, u16 segment bytes, u8 source, the bytes
 *
 * Whatever comes in: no byte outside a message is touched; every packet comes out once and in
 * order; and each super-packet, cut again, gives packets with the sizes, payloads and good
 * checksums that a receiver expects.
 */
#include "fuzz.h"

#include "../../daemon/tun/native/coalesce.h"
#include "../../daemon/tun/native/descriptor.h"
#include "../../daemon/tun/native/segment.h"
#include "../../daemon/tun/native/wire_keys.h"

#define PIECES 300

static uint32_t take_messages(struct input *in, struct coalescer *c, uint8_t sources[4][18]) {
  uint32_t count = take_u8(in) % MESSAGES_MAX + 1;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t bytes = take_u16(in);
    uint32_t segment_bytes = take_u16(in);
    uint8_t source = take_u8(in);
    uint8_t *block = take_block(in, &bytes);
    if (segment_bytes == 0 || segment_bytes > bytes) segment_bytes = bytes;
    c->messages[i] = (struct message){
        .at = block,
        .bytes = bytes,
        .segment_bytes = segment_bytes,
        .source = sources[source & 3],
        .traffic_class = source >> 6,
    };
  }
  return count;
}

/* The super-packet `out`, cut, carries the payloads that were joined, piece by piece. */
static void check_round_trip(const struct coalesced *out, const struct packet *packet) {
  struct segmenter s;
  MUST(segmenter_open(&s, packet, out->at, out->inner_at));
  uint32_t header_bytes = segmenter_header_bytes(&s);
  for (uint32_t n = 0; n < out->segments; n++) {
    uint8_t header[HEADERS_BYTES_MAX + 260];
    struct iovec iov[SEGMENT_IOV_MAX];
    uint32_t bytes = segmenter_next_bytes(&s);
    MUST(bytes > 0);
    MUST(segmenter_next(&s, header, iov) == 2);
    MUST(iov[0].iov_len == header_bytes && iov[0].iov_len + iov[1].iov_len == bytes);
    const uint8_t *expected =
        n == 0 ? packet->at + s.headers.payload_at : out->pieces[n - 1].iov_base;
    MUST(iov[1].iov_base == expected);
    MUST(n == 0 || iov[1].iov_len == out->pieces[n - 1].iov_len);
    MUST(memcmp(header, out->at, out->inner_at) == 0);
  }
  MUST(segmenter_next_bytes(&s) == 0);
}

static void check(const struct coalescer *c, const struct coalesced *out) {
  const struct message *m = &c->messages[out->message];
  MUST(out->at >= m->at && out->at + out->bytes <= m->at + m->bytes);
  MUST(out->bytes > 0 && out->segments == out->piece_count + 1);
  uint64_t total = out->bytes;
  for (uint32_t i = 0; i < out->piece_count; i++) total += out->pieces[i].iov_len;
  MUST(total == out->total_bytes);
  if (out->offload.gso_type == GSO_NONE) {
    MUST(out->segments == 1 && !(out->offload.csum & CSUM_NEEDED));
    return;
  }
  MUST(out->segments > 1 && out->offload.csum == CSUM_NEEDED && out->offload.gso_size > 0);
  struct packet packet = {
      .at = out->at + out->inner_at,
      .bytes = out->bytes - out->inner_at,
      .total_bytes = out->total_bytes - out->inner_at,
      .pieces = out->pieces,
      .piece_count = out->piece_count,
      .gso_type = out->offload.gso_type,
      .gso_size = out->offload.gso_size,
      .csum = out->offload.csum,
      .csum_start = out->offload.csum_start,
      .csum_offset = out->offload.csum_offset,
  };
  check_round_trip(out, &packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint8_t zero[18];
  uint8_t sources[4][18];
  for (int i = 0; i < 4; i++) {
    memcpy(sources[i], zero, sizeof zero);
    sources[i][17] = (uint8_t)(i / 2); /* 0 and 1 are equal, and so are 2 and 3 */
  }
  struct input in = {data, size};
  struct iovec pieces[PIECES];
  static struct wire_keys clear;
  struct coalescer c = {.keys = &clear, .pieces = pieces, .pieces_max = PIECES};
  uint32_t count = take_messages(&in, &c, sources);
  uint64_t bytes_in = 0, headers_out = 0, bytes_out = 0;
  for (uint32_t i = 0; i < count; i++) bytes_in += c.messages[i].bytes;
  coalescer_open(&c, count);
  struct coalesced out;
  while (coalescer_next(&c, &out)) {
    check(&c, &out);
    bytes_out += out.total_bytes;
    if (out.offload.gso_type != GSO_NONE) {
      uint32_t header_bytes =
          out.bytes - out.offload.gso_size; /* what each joined packet had before its payload */
      headers_out += (uint64_t)(out.segments - 1) * header_bytes;
    }
  }
  MUST(!coalescer_has_more(&c));
  MUST(bytes_out + headers_out == bytes_in);
  for (uint32_t i = 0; i < count; i++) free(c.messages[i].at);
  return 0;
}
