/* See send_run.h. */
#include "send_run.h"

#include <poll.h>
#include <sys/socket.h>
#include <netinet/udp.h>
#include <time.h>

#include "checksum.h"
#include "counters.h"
#include "descriptor.h"
#include "join.h"

/* Two control messages: traffic class (int) and segment size (uint16_t). */
#define CONTROL_BYTES (CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t)))

_Static_assert(RUN_BYTES_MAX <= RUN_SEALED_MAX, "a run that is full is sealed");
_Static_assert(SEGMENT_IOV_MAX < IOV_PARTS_MAX, "a segment can be sealed");
_Static_assert(RUN_HEADERS_MAX >= HEADERS_BYTES_MAX + TX_HEADER_BYTES_MAX + COPY_BYTES_MAX,
               "an empty run takes any header");

static void put_control(struct msghdr *header, int level, int type, const void *value,
                        size_t bytes) {
  struct cmsghdr *c = (struct cmsghdr *)((uint8_t *)header->msg_control + header->msg_controllen);
  c->cmsg_level = level;
  c->cmsg_type = type;
  c->cmsg_len = CMSG_LEN(bytes);
  memcpy(CMSG_DATA(c), value, bytes);
  header->msg_controllen += CMSG_SPACE(bytes);
}

/* Fills in destination and traffic class; `control` holds CONTROL_BYTES. */
static void address_message(const struct send_run *run, struct msghdr *header, void *control) {
  const struct destination *d = &run->destination;
  *header = (struct msghdr){
      .msg_name = (void *)(uintptr_t)d->endpoint,
      .msg_namelen = endpoint_bytes(d->endpoint),
      .msg_control = control,
  };
  if (d->traffic_class == 0) return;
  int traffic_class = d->traffic_class;
  if (d->endpoint->any.sa_family == AF_INET) {
    put_control(header, IPPROTO_IP, IP_TOS, &traffic_class, sizeof traffic_class);
  } else {
    put_control(header, IPPROTO_IPV6, IPV6_TCLASS, &traffic_class, sizeof traffic_class);
  }
}

static void count_sent(struct send_run *run, uint32_t packets, uint32_t bytes) {
  run->counters[COUNTER_UNDERLAY_TX_PACKETS] += packets;
  run->counters[COUNTER_UNDERLAY_TX_BYTES] += bytes;
}

static void count_lost(struct send_run *run, int error, uint32_t packets) {
  enum counter counter = COUNTER_UNDERLAY_TX_ERRORS;
  if (error == EAGAIN || error == ENOBUFS || error == ENOMEM) counter = COUNTER_UNDERLAY_TX_BUSY;
  if (error == EMSGSIZE) counter = COUNTER_UNDERLAY_TX_TOO_BIG;
  if (error == ENETUNREACH || error == EHOSTUNREACH || error == ENETDOWN) {
    counter = COUNTER_UNDERLAY_TX_UNREACHABLE;
  }
  run->counters[counter] += packets;
}

/* Waits until a full socket takes more, within what is left of `*wait_ms`. False: give up. */
static bool wait_for_room(int fd, int *wait_ms) {
  if (*wait_ms <= 0) return false;
  struct pollfd p = {.fd = fd, .events = POLLOUT};
  *wait_ms -= 1;
  return poll(&p, 1, 1) > 0;
}

/* Sends one datagram whose UDP checksum stands in it before it leaves the socket. A plain send
 * leaves it to the device, and over IPv6, where it must be there, a capture at the sender's veth
 * would show an unfinished one. Data that waits for more (MSG_MORE) is summed while it is copied.
 * Returns 1 like sendmmsg, or -1. */
static int send_checksummed(int fd, struct mmsghdr *message) {
  const struct msghdr nothing_more = {0};
  ssize_t bytes = sendmsg(fd, &message->msg_hdr, MSG_MORE);
  if (bytes < 0 || sendmsg(fd, &nothing_more, 0) < 0) return -1;
  message->msg_len = (unsigned)bytes;
  return 1;
}

/* Sends packet by packet, which also finds out which one the kernel refuses. Returns packets
 * sent. */
static uint32_t send_each(struct send_run *run, int fd) {
  struct mmsghdr headers[RUN_PACKETS_MAX];
  _Alignas(struct cmsghdr) uint8_t control[CONTROL_BYTES];
  struct msghdr addressed;
  address_message(run, &addressed, control);
  for (uint32_t i = 0, part = 0; i < run->packet_count; part = run->parts_end[i++]) {
    headers[i].msg_hdr = addressed;
    headers[i].msg_hdr.msg_iov = run->parts + part;
    headers[i].msg_hdr.msg_iovlen = run->parts_end[i] - part;
  }
  bool checksummed = run->per_packet && run->destination.endpoint->any.sa_family == AF_INET6;
  int wait_ms = SEND_WAIT_MS;
  uint32_t sent = 0;
  for (uint32_t i = 0; i < run->packet_count;) {
    run->counters[COUNTER_UNDERLAY_SENDS]++;
    int n = checksummed ? send_checksummed(fd, headers + i)
                        : sendmmsg(fd, headers + i, run->packet_count - i, 0);
    if (n > 0) {
      for (int k = 0; k < n; k++) count_sent(run, 1, headers[i + (uint32_t)k].msg_len);
      i += (uint32_t)n;
      sent += (uint32_t)n;
    } else {
      int error = errno;
      if (error == EINTR || (error == EAGAIN && wait_for_room(fd, &wait_ms))) continue;
      count_lost(run, error, 1);
      i++;
    }
  }
  return sent;
}

/* Sends the run as one buffer that the kernel cuts. Returns 0 or the errno. */
static int send_whole(struct send_run *run, int fd) {
  struct msghdr header;
  _Alignas(struct cmsghdr) uint8_t control[CONTROL_BYTES];
  address_message(run, &header, control);
  header.msg_iov = run->parts;
  header.msg_iovlen = run->part_count;
  uint16_t segment_bytes = (uint16_t)run->packet_bytes;
  put_control(&header, IPPROTO_UDP, UDP_SEGMENT, &segment_bytes, sizeof segment_bytes);
  int wait_ms = SEND_WAIT_MS;
  for (;;) {
    run->counters[COUNTER_UNDERLAY_SENDS]++;
    if (sendmsg(fd, &header, 0) >= 0) return 0;
    int error = errno;
    if (error != EINTR && !(error == EAGAIN && wait_for_room(fd, &wait_ms))) return error;
  }
}

static int source_socket(struct send_run *run) {
  struct timespec now;
  bool opened = false, failed = false;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  int fd = underlay_source(run->underlay, run->destination.source_port, (uint32_t)now.tv_sec,
                           &opened, &failed);
  if (opened) run->counters[COUNTER_SOURCE_SOCKETS]++;
  if (failed) run->counters[COUNTER_SOURCE_SOCKET_FAILURES]++;
  return fd;
}

/* EINVAL and EIO are what a kernel or a device says that cannot segment; but some kernels say
 * EINVAL to a segment that is too big as well, so that only a run whose packets then leave one by
 * one shows that it was the offload. */
static void flush_with_gso(struct send_run *run, int fd) {
  int error = send_whole(run, fd);
  if (error == 0) {
    run->counters[COUNTER_UNDERLAY_GSO_SENDS]++;
    count_sent(run, run->packet_count, run->total_bytes);
  } else if (error == EINVAL || error == EIO) {
    run->counters[COUNTER_UNDERLAY_GSO_REFUSED]++;
    if (send_each(run, fd) == run->packet_count) run->underlay->gso = false;
  } else {
    count_lost(run, error, run->packet_count);
  }
}

void send_run_flush(struct send_run *run) {
  if (run->packet_count == 0) return;
  int fd = source_socket(run);
  if (run->packet_count > 1 && !run->per_packet && run->underlay->gso)
    flush_with_gso(run, fd);
  else
    send_each(run, fd);
  run->packet_count = 0;
  run->part_count = 0;
  run->headers_used = 0;
  run->total_bytes = 0;
  run->last_taken = false;
}

/* Makes room for one more packet of `bytes` bytes in `parts` parts, of which `header_bytes` go
 * into the run; flushes first when the packet cannot be in one run with those that are there. */
static void make_room(struct send_run *run, const struct destination *d, uint32_t bytes,
                      uint32_t parts, uint32_t header_bytes) {
  if (run->packet_count > 0) {
    const struct destination *e = &run->destination;
    bool same = d->peer == e->peer && d->source_port == e->source_port &&
                d->traffic_class == e->traffic_class;
    bool size_fits = run->per_packet || (!run->last_taken && bytes <= run->packet_bytes);
    if (!same || !size_fits || run->packet_count == RUN_PACKETS_MAX ||
        run->total_bytes + bytes > RUN_BYTES_MAX || run->part_count + parts > RUN_PARTS_MAX ||
        run->headers_used + header_bytes > RUN_HEADERS_MAX) {
      send_run_flush(run);
    }
  }
  if (run->packet_count == 0) {
    run->destination = *d;
    run->packet_bytes = bytes;
  }
}

/* Bytes that a packet grows by on its way out. */
static uint32_t overhead_bytes(const struct send_run *run) {
  return wire_keys_required(run->keys) ? WIRE_OVERHEAD_BYTES : 0;
}

/* Takes a packet, which stands in the parts behind those of the run, of `bytes` bytes on the
 * wire. */
static void commit_packet(struct send_run *run, uint32_t bytes, uint32_t parts,
                          uint32_t header_bytes) {
  if (wire_keys_required(run->keys)) {
    uint8_t *sealed = run->sealed + run->total_bytes;
    struct iovec *part = run->parts + run->part_count;
    if (!wire_keys_seal(run->keys, run->destination.peer, part, parts, sealed)) return;
    *part = (struct iovec){sealed, bytes};
    parts = 1;
    header_bytes = 0;
  }
  run->part_count += parts;
  run->headers_used += header_bytes;
  run->total_bytes += bytes;
  if (bytes < run->packet_bytes) run->last_taken = true;
  run->parts_end[run->packet_count++] = (uint16_t)run->part_count;
}

/* Bytes at the start of a plain packet that have to be copied, to be changed or to save a
 * part. */
static uint32_t bytes_to_copy(const struct packet *packet) {
  if (packet->piece_count == 0 && packet->bytes <= COPY_BYTES_MAX) return packet->bytes;
  return packet->csum & CSUM_NEEDED ? (uint32_t)packet->csum_start + packet->csum_offset + 2 : 0;
}

static bool plain_is_sane(const struct packet *packet) {
  if (packet->total_bytes != packet->bytes || packet->piece_count != 0) return false;
  if (!(packet->csum & CSUM_NEEDED)) return true;
  uint32_t field_end = (uint32_t)packet->csum_start + packet->csum_offset + 2;
  return field_end <= packet->bytes && field_end <= HEADERS_BYTES_MAX;
}

/* The checksum that CSUM_NEEDED asks for: over everything from csum_start on, the field included,
 * which holds the pseudo-header sum. Written into the copy, so that the packet itself stays as it
 * is. The field's place tells UDP, to which 0 means something else. */
static void complete_checksum(const struct packet *packet, uint8_t *copy) {
  uint64_t sum =
      checksum_add(0, packet->at + packet->csum_start, packet->bytes - packet->csum_start);
  bool is_udp = packet->csum_offset == UDP_AT_CHECKSUM;
  uint16_t checksum = is_udp ? checksum_finish_udp(sum) : checksum_finish(sum);
  memcpy(copy + packet->csum_start + packet->csum_offset, &checksum, sizeof checksum);
}

/* A packet whose checksum nobody has vouched for, and which is wrong: in a lump its receiver would
 * take it for good, and make it good (coalesce.h). */
static bool is_damaged(const struct packet *packet) {
  if (packet->csum & (CSUM_NEEDED | CSUM_VALID)) return false;
  struct join_packet p;
  join_parse(&p, (uint8_t *)(uintptr_t)packet->at, packet->bytes);
  return p.joinable && !join_checksum_is_good(&p);
}

static void add_plain(struct send_run *run, const struct destination *destination,
                      const struct packet *packet, const uint8_t *prefix, uint32_t prefix_bytes) {
  uint32_t bytes = prefix_bytes + packet->bytes + overhead_bytes(run);
  uint32_t copied = bytes_to_copy(packet);
  bool is_alone = !run->per_packet && is_damaged(packet);
  if (is_alone) send_run_flush(run);
  make_room(run, destination, bytes, 2, prefix_bytes + copied);
  uint8_t *header = run->headers + run->headers_used;
  struct iovec *part = run->parts + run->part_count;
  memcpy(header, prefix, prefix_bytes);
  memcpy(header + prefix_bytes, packet->at, copied);
  if (packet->csum & CSUM_NEEDED) complete_checksum(packet, header + prefix_bytes);
  uint32_t parts = 0;
  if (prefix_bytes + copied > 0) part[parts++] = (struct iovec){header, prefix_bytes + copied};
  if (copied < packet->bytes) {
    part[parts++] =
        (struct iovec){(void *)(uintptr_t)(packet->at + copied), packet->bytes - copied};
  }
  commit_packet(run, bytes, parts, prefix_bytes + copied);
  if (is_alone) run->last_taken = true;
}

void send_run_add(struct send_run *run, const struct destination *destination,
                  const struct packet *packet, const uint8_t *prefix, uint32_t prefix_bytes) {
  if (packet->gso_type == GSO_NONE) {
    if (plain_is_sane(packet))
      add_plain(run, destination, packet, prefix, prefix_bytes);
    else
      run->counters[COUNTER_TX_MALFORMED]++;
    return;
  }
  struct segmenter segmenter;
  if (!segmenter_open(&segmenter, packet, prefix, prefix_bytes)) {
    run->counters[COUNTER_TX_MALFORMED]++;
    return;
  }
  uint32_t header_bytes = segmenter_header_bytes(&segmenter);
  for (uint32_t bytes; (bytes = segmenter_next_bytes(&segmenter)) > 0;) {
    bytes += overhead_bytes(run);
    make_room(run, destination, bytes, SEGMENT_IOV_MAX, header_bytes);
    uint32_t parts =
        segmenter_next(&segmenter, run->headers + run->headers_used, run->parts + run->part_count);
    if (parts == 0) {
      run->counters[COUNTER_TX_MALFORMED]++;
      return;
    }
    commit_packet(run, bytes, parts, header_bytes);
  }
}
