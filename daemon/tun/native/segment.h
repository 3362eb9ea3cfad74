/* Segmentation in software: one super-packet in, complete packets out.
 *
 * What a NIC with TSO and USO does. Each segment gets its own copy of the headers, with the
 * encapsulation header in front, and points at its share of the payload where that lies:
 *
 *     iov[0]  [ encapsulation | IP | TCP or UDP ]  a copy with its own lengths and checksums
 *     iov[1]  [ payload ]                          in place; more than one when it straddles pieces
 */
#ifndef VPCLAB_SEGMENT_H
#define VPCLAB_SEGMENT_H

#include "packet.h"

/* A header copy, and up to eight payload pieces in one segment. */
#define SEGMENT_IOV_MAX 9
/* Segments of one super-packet: a GSO size under 32 bytes in a full one is an attack, not
 * traffic. */
#define SEGMENTS_MAX    2048

struct segmenter {
  const uint8_t *prefix; /* the encapsulation header */
  const struct packet *packet;
  struct packet_headers headers;
  uint32_t prefix_bytes;
  uint32_t payload_bytes; /* of the whole super-packet */
  uint32_t sent_bytes;    /* payload that segments so far have taken */
  uint32_t piece;         /* where the next payload byte is: 0 = packet->at, n = pieces[n - 1] */
  uint32_t piece_at;
  uint32_t sequence;
  uint16_t id;
  uint8_t flags;
  uint64_t l3_sum; /* of the IPv4 header without total length, id and checksum */
  uint64_t l4_sum; /* of pseudo-header and L4 header without what differs between segments */
};

/* Starts on `packet`, which must stay. False when it is no super-packet that can be cut: the GSO
 * type does not match the headers, the headers are cut short, the pieces do not add up to
 * total_bytes, or more than SEGMENTS_MAX segments would come out. */
bool segmenter_open(struct segmenter *s, const struct packet *packet, const void *prefix,
                    uint32_t prefix_bytes);

/* Bytes of header copy that each segment needs. */
static inline uint32_t segmenter_header_bytes(const struct segmenter *s) {
  return s->prefix_bytes + s->headers.payload_at;
}

/* Bytes of the next segment with its headers; 0 when all are out. */
uint32_t segmenter_next_bytes(const struct segmenter *s);

/* Builds the next segment: writes its headers to `header` (segmenter_header_bytes() bytes) and
 * its parts to `iov` (SEGMENT_IOV_MAX). Returns the number of parts; 0 when the payload of one
 * segment lies in more pieces than that. Precondition: segmenter_next_bytes() is not 0. */
uint32_t segmenter_next(struct segmenter *s, uint8_t *header, struct iovec *iov);

#endif
