/* Sending to the underlay: wire packets are gathered into a run and leave with one system call.
 *
 *     packet   [ header copy | payload piece ... ]      parts of an iovec, nothing joined
 *     run      packet packet packet ... packet        one peer, source port, traffic class
 *
 * With UDP_SEGMENT the kernel takes the run as one buffer and cuts it into datagrams of equal
 * size, so that a run ends with the first packet of another size (a shorter one may be the last).
 * A packet with a wrong checksum is a run of its own, so that its receiver looks at it.
 * Without it, in per-packet mode, each packet is a datagram of its own in one sendmmsg.
 *
 * Where the underlay is encrypted, each packet is sealed as it joins the run, whose memory it is
 * sealed into.
 *
 * Bytes that packets point at must stay until send_run_flush(). Headers that are made here lie in
 * the run itself.
 */
#ifndef VPCLAB_SEND_RUN_H
#define VPCLAB_SEND_RUN_H

#include "descriptor.h"
#include "packet.h"
#include "segment.h"
#include "underlay.h"
#include "wire_keys.h"

/* Packets of a run: UDP_MAX_SEGMENTS of kernels before 6.9. */
#define RUN_PACKETS_MAX 64
/* UDP payload of a run. With outer headers it stays under the 65,535 bytes from which a device
 * stops taking it whole (netif_get_gso_max_size, link-layer header included). */
#define RUN_BYTES_MAX   65000
#define RUN_PARTS_MAX   512
#define RUN_HEADERS_MAX (RUN_PACKETS_MAX * 160)
/* A packet up to this long is copied into the run as a whole: cheaper than one more part. */
#define COPY_BYTES_MAX  192
/* Sealed packets of a run; the first may be as large as any. */
#define RUN_SEALED_MAX  (PACKET_BYTES_MAX + TX_HEADER_BYTES_MAX + WIRE_OVERHEAD_BYTES)
/* How long a full socket is waited for, in all, at one flush; then the rest is dropped. */
#define SEND_WAIT_MS    2

/* Where a packet goes. */
struct destination {
  uint32_t peer; /* tells destinations apart; `endpoint` belongs to it */
  const union endpoint *endpoint;
  uint16_t source_port;
  uint8_t traffic_class;
};

struct send_run {
  struct underlay *underlay;
  struct wire_keys *keys;
  double *counters;
  bool per_packet;
  bool last_taken; /* a shorter or a damaged packet is in: nothing may follow */
  struct destination destination;
  uint32_t packet_count;
  uint32_t part_count;
  uint32_t headers_used;
  uint32_t packet_bytes; /* of the first packet */
  uint32_t total_bytes;
  uint16_t parts_end[RUN_PACKETS_MAX]; /* packet i is parts [parts_end[i - 1], parts_end[i]) */
  struct iovec parts[RUN_PARTS_MAX];
  uint8_t headers[RUN_HEADERS_MAX];
  uint8_t sealed[RUN_SEALED_MAX];
};

/* Adds a packet, cut into segments if it is a super-packet; flushes when the run is full or
 * cannot take it. `prefix`: the encapsulation header. A packet that makes no sense is counted and
 * dropped. */
void send_run_add(struct send_run *run, const struct destination *destination,
                  const struct packet *packet, const uint8_t *prefix, uint32_t prefix_bytes);

/* Sends what is gathered. */
void send_run_flush(struct send_run *run);

#endif
