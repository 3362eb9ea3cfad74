/* Coalescing: packets of one flow that arrived together become one super-packet, as GRO makes it.
 *
 * Input are the messages of one receive call. A message is a datagram, or, with UDP_GRO, a lump
 * of datagrams of equal size of which the last may be shorter:
 *
 *     message   [ Geneve IP TCP payload ][ Geneve IP TCP payload ] ... [ Geneve IP TCP pay ]
 *                `at`                     segment_bytes each
 *
 * Nothing is copied: the super-packet is the first packet, whole, with headers that now tell the
 * total length, and a list of where the payloads of the others lie.
 *
 * What may become one (a subset of what the kernel's own GRO joins): packets in order, with equal
 * encapsulation headers, of one TCP connection with equal flags, window, acknowledgment and
 * options and adjoining sequence numbers; or of one UDP flow with checksums; equal payload sizes,
 * of which the last may be shorter; equal TTL, traffic class, DF. Everything else passes as it
 * came, malformed packets too: the router drops and counts those.
 *
 * Where the underlay is encrypted, a packet is opened where it stands when its turn comes; one that
 * cannot be is passed over (wire_keys.h).
 *
 * Checksums. Segments of a lump with more than one stand under an outer UDP checksum that the
 * kernel has verified (its GRO takes no datagram with checksum 0), or never left this machine's
 * memory: they are CSUM_VALID, and a wrong inner checksum of theirs is made good by joining. A
 * datagram that came alone may have had no outer checksum; it joins others only after its inner
 * checksum has been verified here, and otherwise is left for its receiver to verify.
 */
#ifndef VPCLAB_COALESCE_H
#define VPCLAB_COALESCE_H

#include "join.h"

struct wire_keys;

/* Messages of one receive call. */
#define MESSAGES_MAX      16
/* Further pieces of one super-packet; with the first and its header under IOV_MAX, and enough for
 * every lump that a kernel makes (UDP_MAX_SEGMENTS is 128). */
#define RUN_PIECES_MAX    127

/* A sender: address (16, IPv4 as ::ffff:a.b.c.d), UDP port (2), both big-endian. */
#define SOURCE_CELL_BYTES 18

struct message {
  uint8_t *at;
  uint32_t bytes;
  uint32_t segment_bytes; /* equal to `bytes` when it is one datagram */
  const uint8_t *source;  /* SOURCE_CELL_BYTES: address and port of its sender */
  uint8_t traffic_class;  /* of its outer header */
};

/* A packet of a message, as far as coalescing is concerned. */
struct segment {
  uint8_t *at; /* encapsulation header; NULL: none was looked at */
  uint32_t bytes;
  uint32_t wire_bytes; /* it takes of its message */
  uint32_t message;    /* index of its message */
  bool lump;           /* one of several in its message */
  uint32_t inner_at;
  struct join_packet packet;
};

struct coalescer {
  struct wire_keys *keys;
  struct message messages[MESSAGES_MAX];
  uint32_t message_count;
  uint32_t message;     /* where the next segment is */
  uint32_t message_at;  /* its offset there */
  struct segment ahead; /* parsed, not consumed yet */
  struct iovec *pieces; /* pool of pieces, emptied by coalescer_recycle() */
  uint32_t pieces_used;
  uint32_t pieces_max;
};

/* One packet or super-packet. */
struct coalesced {
  uint8_t *at;          /* encapsulation header of the first packet */
  uint32_t bytes;       /* of the first packet */
  uint32_t total_bytes; /* with the pieces */
  uint32_t segments;
  const struct iovec *pieces;
  uint32_t piece_count;
  uint32_t message; /* index of the message it began in */
  uint32_t inner_at;
  struct join_offload offload;
};

/* Starts on `message_count` messages, which the caller has put into c->messages. Empty ones are
 * passed over. */
void coalescer_open(struct coalescer *c, uint32_t message_count);

/* True when packets are left. */
static inline bool coalescer_has_more(const struct coalescer *c) {
  return c->message < c->message_count;
}

/* Takes the next packet, joined with as many of its successors as possible. False when none is
 * left. */
bool coalescer_next(struct coalescer *c, struct coalesced *out);

/* Empties the pool of pieces: every list handed out so far ends. */
static inline void coalescer_recycle(struct coalescer *c) {
  c->pieces_used = 0;
}

#endif
