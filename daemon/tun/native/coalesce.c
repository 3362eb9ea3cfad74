/* See coalesce.h. A segment is parsed once, when it becomes the one ahead, and is then either
 * joined to the packet before it or begins the next one. */
#include "coalesce.h"

#include "checksum.h"
#include "descriptor.h"
#include "encapsulation.h"
#include "wire_keys.h"

static void parse_segment(struct segment *s) {
  s->packet.joinable = false;
  s->inner_at = encapsulation_header_bytes(s->at, s->bytes);
  if (s->inner_at > 0) join_parse(&s->packet, s->at + s->inner_at, s->bytes - s->inner_at);
}

/* Moves the cursor over what the segment ahead takes. */
static void step_over(struct coalescer *c) {
  c->message_at += c->ahead.wire_bytes;
  if (c->message_at < c->messages[c->message].bytes) return;
  c->message++;
  c->message_at = 0;
}

/* The segment at the cursor becomes the one ahead. False when it is not to be opened. */
static bool take_segment(struct coalescer *c) {
  struct segment *s = &c->ahead;
  const struct message *m = &c->messages[c->message];
  uint32_t left = m->bytes - c->message_at;
  s->at = m->at + c->message_at;
  s->bytes = s->wire_bytes = left < m->segment_bytes ? left : m->segment_bytes;
  s->message = c->message;
  s->lump = m->segment_bytes < m->bytes;
  return !wire_keys_required(c->keys) || wire_keys_open(c->keys, m->source, &s->at, &s->bytes);
}

/* Makes the next segment the one ahead, or marks that there is none. An empty datagram is no
 * packet. */
static void look_ahead(struct coalescer *c) {
  for (;; step_over(c)) {
    while (coalescer_has_more(c) && c->messages[c->message].bytes == 0) c->message++;
    if (!coalescer_has_more(c)) break;
    if (!take_segment(c)) continue;
    parse_segment(&c->ahead);
    return;
  }
  c->ahead.at = NULL;
}

static void consume(struct coalescer *c) {
  step_over(c);
  look_ahead(c);
}

void coalescer_open(struct coalescer *c, uint32_t message_count) {
  c->message_count = message_count;
  c->message = 0;
  c->message_at = 0;
  look_ahead(c);
}

static bool same_source(const struct coalescer *c, const struct segment *a,
                        const struct segment *b) {
  if (a->message == b->message) return true;
  const struct message *m = &c->messages[a->message], *n = &c->messages[b->message];
  return m->traffic_class == n->traffic_class &&
         memcmp(m->source, n->source, SOURCE_CELL_BYTES) == 0;
}

/* May `b`, packet number `index` of the super-packet, follow `a`, its first? */
static bool joins(const struct coalescer *c, const struct segment *a, const struct segment *b,
                  uint32_t index, uint32_t joined_bytes) {
  if (b->at == NULL || a->inner_at != b->inner_at) return false;
  return join_follows(&a->packet, &b->packet, index, joined_bytes) && same_source(c, a, b) &&
         memcmp(a->at, b->at, a->inner_at) == 0 && (b->lump || join_checksum_is_good(&b->packet));
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
      .offload = {.gso_type = GSO_NONE, .csum = first.lump ? CSUM_VALID : 0},
  };
  if (!first.packet.joinable || join_ends(&first.packet, first.packet.payload_bytes)) return true;
  bool verified = first.lump;
  uint32_t payload = first.packet.payload_bytes;
  uint8_t last_flags = 0;
  while (out->piece_count < RUN_PIECES_MAX && c->pieces_used < c->pieces_max) {
    const struct segment next = c->ahead;
    if (!joins(c, &first, &next, out->segments, payload)) break;
    if (!verified && !(verified = join_checksum_is_good(&first.packet))) break;
    const struct join_packet *p = &next.packet;
    c->pieces[c->pieces_used++] = (struct iovec){p->l3 + p->headers.payload_at, p->payload_bytes};
    out->piece_count++;
    out->segments++;
    payload += p->payload_bytes;
    last_flags = join_last_flags(p);
    consume(c);
    if (join_ends(p, first.packet.payload_bytes)) break;
  }
  if (out->segments == 1) return true;
  out->total_bytes += payload - first.packet.payload_bytes;
  join_write_headers(&first.packet, payload, last_flags, &out->offload);
  return true;
}
