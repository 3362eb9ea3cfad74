/* Which packets may become one super-packet, and how its headers are then written: the rules of
 * coalesce.h, for packets that lie anywhere. A packet is parsed once (join_parse), then compared.
 */
#ifndef VPCLAB_JOIN_H
#define VPCLAB_JOIN_H

#include "packet.h"

/* A packet, as far as joining is concerned. */
struct join_packet {
  uint8_t *l3;
  uint32_t bytes;
  bool joinable; /* the fields below are valid */
  struct packet_headers headers;
  uint32_t payload_bytes;
};

/* What a descriptor says of a super-packet. */
struct join_offload {
  uint8_t gso_type;
  uint8_t csum;
  uint16_t gso_size;
  uint16_t csum_start; /* from the IP header */
  uint16_t csum_offset;
};

/* Looks at the packet of `bytes` bytes at `l3`, whatever they are. */
void join_parse(struct join_packet *p, uint8_t *l3, uint32_t bytes);

/* May `b`, packet number `index` of the super-packet, follow `a`, its first, behind which there are
 * `joined_bytes` of payload by now? Their L4 checksums are not looked at. Precondition: `a` is
 * joinable. */
bool join_follows(const struct join_packet *a, const struct join_packet *b, uint32_t index,
                  uint32_t joined_bytes);

/* Precondition of these: the packet is joinable. */
bool join_checksum_is_good(const struct join_packet *p);
/* Nothing follows a packet that is shorter than the others, or pushes. */
bool join_ends(const struct join_packet *p, uint32_t gso_size);
/* TCP flags that the super-packet takes from its last packet. */
uint8_t join_last_flags(const struct join_packet *p);

/* Writes total lengths into the headers of the first packet, and leaves the L4 checksum to be
 * done. */
void join_write_headers(const struct join_packet *first, uint32_t payload, uint8_t last_flags,
                        struct join_offload *out);

#endif
