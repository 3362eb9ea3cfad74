/* ESP in tunnel mode (RFC 4303), in batches over the arena of a NIC.
 *
 *     jobs      descriptors of what shall be sealed or opened (ESP_* words, esp_descriptor.h)
 *     results   descriptors of what came out, ready to be sent, and of what was dropped and why
 *     out       a part of the arena where results stand, used from its start until esp_recycle()
 *
 * Sealing cuts a super-packet at the tunnel's MTU, completes checksums, and joins what it made to
 * one super-packet of UDP where ESP travels in UDP and sizes are equal; protocol 50 knows no such
 * offload, so that each of its packets is a result.
 *
 * Opening takes a packet, or a super-packet of UDP with many ESP packets, apart; what it finds is
 * joined to TCP and UDP super-packets (join.h), and congestion marks are carried inside (RFC
 * 6040). What is no ESP but IKE is handed back as it is.
 *
 * SAs are numbered by their owner; statistics are doubles in shared memory, four per SA.
 */
#ifndef VPCLAB_ESP_H
#define VPCLAB_ESP_H

#include <stdbool.h>
#include <stdint.h>

#include "esp_descriptor.h"
#include "esp_sa.h"
#include "failure.h"
#include "join.h"
#include "tun.h"

#define PROTOCOL_IPV4        4 /* of an inner packet, in ESP's trailer */
#define PROTOCOL_IPV6        41
#define PROTOCOL_ESP         50
#define ECN_MASK             0x03 /* of a traffic class */

#define ESP_ADDRESS_BYTES    16
#define ESP_BUCKETS          16384
/* Changes of address that wait to be told. */
#define ESP_MAPPINGS_MAX     64
/* Random bytes for IVs that are drawn at once. */
#define ESP_RANDOM_BYTES     4096
/* Of one super-packet; older kernels cut no more (UDP_MAX_SEGMENTS). */
#define ESP_RUN_SEGMENTS_MAX 64
/* A device cuts what is as long as its limit: the TUN of the edge that such a one goes to. */
#define ESP_RUN_BYTES_MAX    (TUN_GSO_BYTES_MAX - 1)

struct esp_association {
  struct esp_sa *sa; /* NULL: the number is free */
  uint32_t next;     /* of the same bucket; 0: none */
  uint32_t tunnel;
  uint8_t version; /* of the outer header */
  uint8_t flags;   /* ESP_FLAG_* */
  uint16_t source_port;
  uint16_t destination_port;
  uint16_t mtu; /* of the inner packet */
  uint8_t source[ESP_ADDRESS_BYTES];
  uint8_t destination[ESP_ADDRESS_BYTES];
  double hard_bytes; /* limits; infinity: none */
  double hard_packets;
};

struct esp_mapping {
  uint32_t association;
  uint16_t port;
  uint8_t address_bytes;
  uint8_t address[ESP_ADDRESS_BYTES];
};

struct esp_config {
  uint8_t *arena;
  uint32_t arena_bytes;
  uint32_t out_at; /* the part of the arena for results */
  uint32_t out_bytes;
  int32_t *jobs;
  uint32_t jobs_max;
  int32_t *results;
  uint32_t results_max;
  double *statistics; /* [ESP_SAS_MAX * ESP_STATISTICS_WORDS] */
};

/* A super-packet under construction: the last result, as long as something may be added. */
struct esp_run {
  int32_t *result; /* NULL: none */
  uint32_t association;
  uint32_t segment_bytes;
  uint8_t traffic_class;
  bool dont_fragment;
  struct join_packet first; /* of an opened one */
  uint32_t payload_bytes;
  uint8_t last_flags;
  bool verified; /* the checksum of the first */
};

struct esp {
  struct esp_config config;
  struct esp_association associations[ESP_SAS_MAX];
  uint32_t buckets[ESP_BUCKETS]; /* of what opens, by SPI; 0: empty */
  uint32_t out_used;
  uint32_t result_count;
  double now_ms;
  uint16_t id; /* of the next outer IPv4 header */
  bool per_packet;
  struct esp_run run;
  struct esp_mapping mappings[ESP_MAPPINGS_MAX];
  uint32_t mapping_count;
  uint8_t random[ESP_RANDOM_BYTES];
  uint32_t random_used;
};

/* The memory in `config` must outlive it. NULL on failure. */
struct esp *esp_open(const struct esp_config *config, struct failure *failure);
void esp_close(struct esp *esp);

/* Puts an SA under the number `index` (1..ESP_SAS_MAX - 1), whatever stood there. `a->sa` belongs
 * to it from now on. */
void esp_install(struct esp *esp, uint32_t index, const struct esp_association *a);
void esp_remove(struct esp *esp, uint32_t index);

/* Results that were made since `used` bytes of `out` were in use end. */
static inline void esp_recycle(struct esp *esp, uint32_t used) {
  if (used < esp->out_used) esp->out_used = used;
}

/* Seals, or opens, `count` jobs. Returns results. `now_ms`: wall clock, for statistics. */
uint32_t esp_seal_batch(struct esp *esp, uint32_t count, double now_ms);
uint32_t esp_open_batch(struct esp *esp, uint32_t count, double now_ms);

/* Of both halves: */

/* The next result, with these words set and the others 0. NULL when there are too many. */
int32_t *esp_put_result(struct esp *esp, uint32_t job, uint32_t association, int32_t status,
                        uint32_t segments);
/* Bytes of the arena that a job names; NULL when it names others. */
uint8_t *esp_job_bytes(const struct esp *esp, const int32_t *job);
/* Room for `bytes` more bytes behind what is used. */
static inline bool esp_has_room(const struct esp *esp, uint32_t bytes) {
  return esp->config.out_bytes - esp->out_used >= bytes;
}
static inline uint8_t *esp_out(const struct esp *esp) {
  return esp->config.arena + esp->config.out_at + esp->out_used;
}
/* Traffic class of an IP header, whose version has been looked at. */
static inline uint8_t esp_traffic_class(const uint8_t *l3) {
  return l3[0] >> 4 == 4 ? l3[IPV4_AT_TRAFFIC_CLASS] : (uint8_t)(read_u16(l3) >> 4);
}
/* Counts a packet; false when the SA is used up. */
bool esp_account(struct esp *esp, uint32_t association, uint32_t bytes);
/* Clamps the MSS option of a TCP SYN to what fits into `mtu`, and mends the checksum unless it is
 * still to be done. */
void esp_clamp_mss(uint8_t *l3, uint32_t bytes, uint32_t mtu, bool checksum_is_partial);

#endif
