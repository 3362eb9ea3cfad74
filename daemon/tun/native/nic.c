/* See nic.h. The order of a burst: transmit, take apart what is left of the last receive, then
 * wait for events and receive from those that are ready. */
#include "nic.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "descriptor.h"
#include "namespace.h"

/* Event numbers beside port numbers; PORT_UNDERLAY is 0. */
#define EVENT_DOORBELL   UINT32_MAX

#define CACHE_LINE_BYTES 64
/* A slot for one datagram: source cell, then 64 KB. The odd number of cache lines keeps the
 * starts of slots from falling into one set of the cache. */
#define MESSAGE_DATA_AT  CACHE_LINE_BYTES
#define MESSAGE_BYTES    (MESSAGE_DATA_AT + 65536 + 5 * CACHE_LINE_BYTES)
#define TUN_SLOT_BYTES   (RX_HEADROOM_BYTES + PACKET_BYTES_MAX)

_Static_assert(FRAME_PORTS == TUN_PORTS_MAX, "each port has a number for its frames");
_Static_assert(RX_HEADROOM_BYTES >= ETHERNET_BYTES, "the header lies in the headroom");
_Static_assert(SOURCE_CELL_BYTES <= MESSAGE_DATA_AT, "the source cell ends before the datagram");

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void count(struct nic *nic, enum counter counter, double amount) {
  nic->config.counters[counter] += amount;
}

static int watch(struct nic *nic, int fd, uint32_t number, struct failure *failure) {
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
  return epoll_ctl(nic->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? fail(failure, "epoll_ctl") : 0;
}

struct nic *nic_open(const struct nic_config *config, struct failure *failure) {
  struct nic *nic = calloc(1, sizeof *nic);
  struct run *runs = calloc(config->rx_max, sizeof *runs);
  if (nic == NULL || runs == NULL) {
    fail(failure, "calloc");
    free(nic);
    free(runs);
    return NULL;
  }
  nic->config = *config;
  nic->runs = runs;
  nic->underlay.fd = -1;
  nic->send_run.underlay = &nic->underlay;
  nic->send_run.counters = config->counters;
  nic->keys = (struct wire_keys){
      .peers = nic->peers,
      .counters = config->counters,
      .statistics = config->wire_statistics,
      .statistics_peers = config->wire_peers,
  };
  nic->send_run.keys = &nic->keys;
  nic->coalescer.keys = &nic->keys;
  nic->coalescer.pieces = nic->pieces;
  nic->coalescer.pieces_max = PIECES_MAX;
  nic->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (nic->epoll_fd < 0) {
    fail(failure, "epoll_create1");
    nic_close(nic);
    return NULL;
  }
  if (config->doorbell_fd >= 0 && watch(nic, config->doorbell_fd, EVENT_DOORBELL, failure) < 0) {
    nic_close(nic);
    return NULL;
  }
  return nic;
}

void nic_close(struct nic *nic) {
  for (uint32_t port = 1; port <= TUN_PORTS_MAX; port++) {
    if (nic->ports[port].in_use) nic_close_tun(nic, port);
  }
  underlay_close(&nic->underlay);
  wire_keys_close(&nic->keys);
  if (nic->epoll_fd >= 0) close(nic->epoll_fd);
  free(nic->runs);
  free(nic);
}

static uint32_t free_port(const struct nic *nic) {
  for (uint32_t port = 1; port <= TUN_PORTS_MAX; port++) {
    if (!nic->ports[port].in_use) return port;
  }
  return 0;
}

int nic_open_tun(struct nic *nic, const char *namespace_path, const char *name,
                 const struct link *link, bool must_exist, struct failure *failure) {
  uint32_t port = free_port(nic);
  if (port == 0) {
    errno = ENOSPC;
    return fail(failure, "find a free port");
  }
  int namespace_fd = namespace_open(namespace_path, failure);
  if (namespace_fd < 0) return -1;
  enum tun_mode mode = link->bytes == 0 ? MODE_TUN : MODE_TAP;
  int fd = tun_open(namespace_fd, name, mode, must_exist, &nic->offloads, failure);
  close(namespace_fd);
  if (fd < 0) return -1;
  if (watch(nic, fd, port, failure) < 0) {
    close(fd);
    return -1;
  }
  nic->offloads_known = true;
  nic->ports[port] = (struct tun_port){.fd = fd, .in_use = true, .link = *link};
  return (int)port;
}

void nic_close_tun(struct nic *nic, uint32_t port) {
  if (nic->ports[port].fd >= 0) close(nic->ports[port].fd); /* which also ends the watch */
  nic->ports[port] = (struct tun_port){.fd = -1};
}

int nic_open_underlay(struct nic *nic, const char *namespace_path, const union endpoint *address,
                      struct failure *failure) {
  if (nic->underlay.fd >= 0) {
    errno = EALREADY;
    return fail(failure, "open the underlay");
  }
  int namespace_fd = namespace_open(namespace_path, failure);
  if (namespace_fd < 0) return -1;
  if (!nic->offloads_known && tun_probe(namespace_fd, &nic->offloads, failure) < 0) {
    close(namespace_fd);
    return -1;
  }
  nic->offloads_known = true;
  if (underlay_open(&nic->underlay, namespace_fd, address, failure) < 0) {
    close(namespace_fd);
    return -1;
  }
  if (watch(nic, nic->underlay.fd, PORT_UNDERLAY, failure) < 0) {
    underlay_close(&nic->underlay);
    return -1;
  }
  underlay_set_no_checksum(&nic->underlay, nic->send_run.per_packet);
  return 0;
}

void nic_set_per_packet(struct nic *nic, bool on) {
  nic->send_run.per_packet = on;
  underlay_set_no_checksum(&nic->underlay, on);
}

/* The device is gone or refuses: nothing more comes from it, and the router is told once. */
static void port_fails(struct nic *nic, uint32_t port, int number) {
  struct tun_port *p = &nic->ports[port];
  if (!p->reported && nic->failure_count < TUN_PORTS_MAX) {
    nic->failures[nic->failure_count++] = (struct port_failure){port, number};
    p->reported = true;
  }
  if (number == EIO) return; /* only down: it may come up again */
  close(p->fd);
  p->fd = -1;
}

/* Transmit */

static bool inside(const struct nic *nic, int32_t at, int32_t bytes) {
  return at >= 0 && bytes >= 0 && (uint32_t)at <= nic->config.arena_bytes &&
         (uint32_t)bytes <= nic->config.arena_bytes - (uint32_t)at;
}

/* Reads a descriptor. False when it names bytes outside the arena, or a run that does not
 * exist. */
static bool read_descriptor(const struct nic *nic, const int32_t *tx, struct packet *out) {
  if (tx[TX_BYTES] < IPV4_HEADER_BYTES_MIN || !inside(nic, tx[TX_AT], tx[TX_BYTES])) return false;
  if (tx[TX_TOTAL_BYTES] < tx[TX_BYTES] || tx[TX_TOTAL_BYTES] > PACKET_BYTES_MAX) return false;
  if (tx[TX_RUN] < 0 || (uint32_t)tx[TX_RUN] > nic->run_count) return false;
  *out = (struct packet){
      .at = nic->config.arena + tx[TX_AT],
      .bytes = (uint32_t)tx[TX_BYTES],
      .total_bytes = (uint32_t)tx[TX_TOTAL_BYTES],
      .gso_type = (uint8_t)tx[TX_GSO_TYPE],
      .gso_size = (uint16_t)tx[TX_GSO_SIZE],
      .csum = (uint8_t)tx[TX_CSUM],
      .csum_start = (uint16_t)tx[TX_CSUM_FIELD],
      .csum_offset = (uint16_t)((uint32_t)tx[TX_CSUM_FIELD] >> 16),
  };
  if (tx[TX_RUN] > 0) {
    out->pieces = nic->runs[tx[TX_RUN] - 1].pieces;
    out->piece_count = nic->runs[tx[TX_RUN] - 1].piece_count;
  }
  uint64_t bytes = out->bytes;
  for (uint32_t i = 0; i < out->piece_count; i++) bytes += out->pieces[i].iov_len;
  return bytes == out->total_bytes;
}

static void count_tun_write(struct nic *nic, uint32_t port, int result, uint32_t bytes) {
  count(nic, COUNTER_TUN_WRITES, 1);
  if (result == 0) {
    count(nic, COUNTER_TUN_TX_PACKETS, 1);
    count(nic, COUNTER_TUN_TX_BYTES, bytes);
    nic->ports[port].reported = false;
  } else if (result == -EIO) {
    count(nic, COUNTER_TUN_TX_DOWN, 1);
    port_fails(nic, port, EIO);
  } else if (result == -EBADFD) {
    count(nic, COUNTER_TUN_TX_CLOSED, 1);
    port_fails(nic, port, EBADFD);
  } else if (result == -EAGAIN || result == -ENOBUFS || result == -ENOMEM) {
    count(nic, COUNTER_TUN_TX_BUSY, 1);
  } else {
    count(nic, COUNTER_TUN_TX_REJECTED, 1);
  }
}

/* For a kernel whose TUN takes no UDP super-packets. */
static void write_segmented(struct nic *nic, uint32_t port, const struct packet *packet) {
  const struct link *link = &nic->ports[port].link;
  struct segmenter segmenter;
  uint8_t prefix[ETHERNET_BYTES];
  link_write(link, packet->at, prefix);
  if (!segmenter_open(&segmenter, packet, prefix, link->bytes)) {
    count(nic, COUNTER_TX_MALFORMED, 1);
    return;
  }
  count(nic, COUNTER_TUN_TX_SEGMENTED, 1);
  for (uint32_t bytes; (bytes = segmenter_next_bytes(&segmenter)) > 0;) {
    uint8_t header[ETHERNET_BYTES + HEADERS_BYTES_MAX];
    struct iovec iov[1 + SEGMENT_IOV_MAX];
    uint32_t parts = segmenter_next(&segmenter, header, iov + 1);
    if (parts == 0 || nic->ports[port].fd < 0) return;
    count_tun_write(nic, port, tun_write_parts(nic->ports[port].fd, iov, (int)parts), bytes);
  }
}

static void transmit_to_tun(struct nic *nic, uint32_t port, const struct packet *packet) {
  if (!nic_port_is_open(nic, port) || nic->ports[port].fd < 0) {
    count(nic, COUNTER_TUN_TX_CLOSED, 1);
  } else if (packet->gso_type == GSO_UDP && !nic->offloads.uso) {
    write_segmented(nic, port, packet);
  } else {
    const struct tun_port *p = &nic->ports[port];
    count_tun_write(nic, port, tun_write(p->fd, &p->link, packet), packet->total_bytes);
  }
}

/* A whole frame of the router's, to the guest of a TAP. */
static void transmit_frame(struct nic *nic, uint32_t port, const struct packet *frame) {
  static const struct link no_header = {.bytes = 0};
  if (!nic_port_is_open(nic, port) || nic->ports[port].fd < 0) {
    count(nic, COUNTER_TUN_TX_CLOSED, 1);
  } else if (nic->ports[port].link.bytes == 0 || frame->gso_type != GSO_NONE) {
    count(nic, COUNTER_TX_MALFORMED, 1);
  } else {
    int result = tun_write(nic->ports[port].fd, &no_header, frame);
    count_tun_write(nic, port, result, frame->total_bytes);
  }
}

static void transmit_to_underlay(struct nic *nic, const int32_t *tx, const struct packet *packet) {
  int32_t header_bytes = tx[TX_HEADER_BYTES], peer = tx[TX_PEER];
  if (header_bytes < 0 || header_bytes > TX_HEADER_BYTES_MAX || peer < 0 || peer >= PEERS_MAX ||
      !inside(nic, tx[TX_HEADER_AT], header_bytes)) {
    count(nic, COUNTER_TX_MALFORMED, 1);
    return;
  }
  const union endpoint *endpoint = &nic->peers[peer];
  if (nic->underlay.fd < 0 || endpoint->any.sa_family != nic->underlay.address.any.sa_family) {
    count(nic, COUNTER_UNDERLAY_TX_ERRORS, 1);
    return;
  }
  struct destination destination = {
      .peer = (uint32_t)peer,
      .endpoint = endpoint,
      .source_port = (uint16_t)tx[TX_SOURCE_PORT],
      .traffic_class = (uint8_t)tx[TX_OUTER_TRAFFIC_CLASS],
  };
  send_run_add(&nic->send_run, &destination, packet, nic->config.arena + tx[TX_HEADER_AT],
               (uint32_t)header_bytes);
}

void nic_transmit(struct nic *nic, uint32_t tx_count) {
  const int32_t *tx = nic->config.tx;
  for (uint32_t i = 0; i < tx_count; i++, tx += TX_WORDS) {
    struct packet packet;
    if (!read_descriptor(nic, tx, &packet))
      count(nic, COUNTER_TX_MALFORMED, 1);
    else if (tx[TX_PORT] == PORT_UNDERLAY)
      transmit_to_underlay(nic, tx, &packet);
    else if (tx[TX_PORT] > FRAME_PORTS)
      transmit_frame(nic, (uint32_t)tx[TX_PORT] - FRAME_PORTS, &packet);
    else
      transmit_to_tun(nic, (uint32_t)tx[TX_PORT], &packet);
  }
  send_run_flush(&nic->send_run);
}

/* Receive */

static uint32_t align(uint32_t bytes) {
  return (bytes + CACHE_LINE_BYTES - 1) & ~(uint32_t)(CACHE_LINE_BYTES - 1);
}

/* Room for `bytes` bytes at the end of what the area holds? */
static bool area_has(const struct nic *nic, uint32_t bytes) {
  return nic->config.receive_bytes - nic->area_used >= bytes;
}

static bool rx_is_full(const struct nic *nic) {
  return nic->rx_count == nic->config.rx_max;
}

/* What the kernel says of a packet it hands out. False when the two contradict each other. */
static bool put_tun_descriptor(struct nic *nic, uint32_t port, const struct virtio_net_hdr *header,
                               uint32_t at, uint32_t bytes) {
  bool gso = header->gso_type != VIRTIO_NET_HDR_GSO_NONE;
  if (bytes < IPV4_HEADER_BYTES_MIN || (gso && header->gso_size == 0)) return false;
  int32_t *rx = nic->config.rx + nic->rx_count * RX_WORDS;
  rx[RX_PORT] = (int32_t)port;
  rx[RX_AT] = (int32_t)at;
  rx[RX_BYTES] = (int32_t)bytes;
  rx[RX_TOTAL_BYTES] = (int32_t)bytes;
  rx[RX_GSO_TYPE] = header->gso_type;
  rx[RX_GSO_SIZE] = gso ? header->gso_size : 0;
  rx[RX_CSUM] = header->flags & (CSUM_NEEDED | CSUM_VALID);
  rx[RX_CSUM_FIELD] = (int32_t)(header->csum_start | (uint32_t)header->csum_offset << 16);
  rx[RX_SEGMENTS] = 1;
  if (gso) {
    uint32_t payload_at =
        super_payload_at(nic->config.arena + at, bytes, header->csum_start, header->csum_offset);
    rx[RX_SEGMENTS] = (int32_t)((bytes - payload_at + header->gso_size - 1) / header->gso_size);
  }
  rx[RX_RUN] = 0;
  rx[RX_SOURCE_AT] = 0;
  rx[RX_OUTER_TRAFFIC_CLASS] = 0;
  nic->rx_count++;
  return true;
}

/* Takes the Ethernet header off the frame before `at`, of `bytes` bytes with its header. What is
 * no packet of the guest gets a descriptor as a frame. False when the two contradict each other. */
static bool put_tap_descriptor(struct nic *nic, uint32_t port, struct virtio_net_hdr *header,
                               uint32_t at, uint32_t bytes) {
  uint32_t frame_at = at - ETHERNET_BYTES;
  if (bytes <= ETHERNET_BYTES) return false;
  if (!link_is_packet(&nic->ports[port].link, nic->config.arena + frame_at)) {
    struct virtio_net_hdr plain = {.flags = 0};
    return put_tun_descriptor(nic, FRAME_PORTS + port, &plain, frame_at, bytes);
  }
  if (header->flags & CSUM_NEEDED) {
    if (header->csum_start < ETHERNET_BYTES) return false;
    header->csum_start = (uint16_t)(header->csum_start - ETHERNET_BYTES);
  }
  return put_tun_descriptor(nic, port, header, at, bytes - ETHERNET_BYTES);
}

static void receive_from_tun(struct nic *nic, uint32_t port) {
  struct tun_port *p = &nic->ports[port];
  for (int reads = 0; reads < TUN_READS_MAX && p->fd >= 0; reads++) {
    if (rx_is_full(nic) || !area_has(nic, TUN_SLOT_BYTES)) {
      count(nic, COUNTER_RX_FULL, 1);
      return;
    }
    struct virtio_net_hdr header;
    uint32_t at = nic->area_used + RX_HEADROOM_BYTES;
    uint32_t link_bytes = p->link.bytes;
    ssize_t bytes = tun_read(p->fd, &header, nic->config.arena + at - link_bytes,
                             PACKET_BYTES_MAX + link_bytes);
    count(nic, COUNTER_TUN_READS, 1);
    if (bytes == -EAGAIN || bytes == -EINTR) return;
    if (bytes < 0) {
      port_fails(nic, port, (int)-bytes);
      return;
    }
    bool put = link_bytes == 0 ? put_tun_descriptor(nic, port, &header, at, (uint32_t)bytes)
                               : put_tap_descriptor(nic, port, &header, at, (uint32_t)bytes);
    if (!put) {
      count(nic, COUNTER_TUN_RX_MALFORMED, 1);
      continue;
    }
    count(nic, COUNTER_TUN_RX_PACKETS, 1);
    count(nic, COUNTER_TUN_RX_BYTES, (double)bytes);
    nic->area_used += align(RX_HEADROOM_BYTES + (uint32_t)bytes);
  }
}

static void put_underlay_descriptor(struct nic *nic, const struct coalesced *c) {
  const struct message *message = &nic->coalescer.messages[c->message];
  int32_t *rx = nic->config.rx + nic->rx_count++ * RX_WORDS;
  rx[RX_PORT] = PORT_UNDERLAY;
  rx[RX_AT] = (int32_t)(c->at - nic->config.arena);
  rx[RX_BYTES] = (int32_t)c->bytes;
  rx[RX_TOTAL_BYTES] = (int32_t)c->total_bytes;
  rx[RX_GSO_TYPE] = c->offload.gso_type;
  rx[RX_GSO_SIZE] = c->offload.gso_size;
  rx[RX_CSUM] = c->offload.csum;
  rx[RX_CSUM_FIELD] = (int32_t)(c->offload.csum_start | (uint32_t)c->offload.csum_offset << 16);
  rx[RX_SEGMENTS] = (int32_t)c->segments;
  rx[RX_RUN] = 0;
  rx[RX_SOURCE_AT] = (int32_t)(message->source - nic->config.arena);
  rx[RX_OUTER_TRAFFIC_CLASS] = message->traffic_class;
  if (c->piece_count > 0) {
    nic->runs[nic->run_count] = (struct run){c->pieces, c->piece_count};
    rx[RX_RUN] = (int32_t)++nic->run_count;
    count(nic, COUNTER_UNDERLAY_RX_COALESCED, c->segments);
  }
  count(nic, COUNTER_UNDERLAY_RX_PACKETS, c->segments);
}

/* Takes messages apart until rx is full. */
static void take_messages(struct nic *nic) {
  struct coalesced coalesced;
  while (!rx_is_full(nic) && coalescer_next(&nic->coalescer, &coalesced)) {
    put_underlay_descriptor(nic, &coalesced);
  }
}

static void receive_from_underlay(struct nic *nic) {
  uint32_t room = (nic->config.receive_bytes - nic->area_used) / MESSAGE_BYTES;
  if (room > MESSAGES_MAX) room = MESSAGES_MAX;
  if (room == 0 || rx_is_full(nic) || coalescer_has_more(&nic->coalescer)) {
    count(nic, COUNTER_RX_FULL, 1);
    return;
  }
  struct message *messages = nic->coalescer.messages;
  struct receipt receipt = underlay_receive(&nic->underlay, nic->config.arena + nic->area_used,
                                            MESSAGE_BYTES, MESSAGE_DATA_AT, (int)room, messages);
  count(nic, COUNTER_UNDERLAY_RECEIVES, 1);
  if (receipt.overflow != 0) {
    count(nic, COUNTER_UNDERLAY_RX_OVERFLOW, receipt.overflow - nic->overflow);
    nic->overflow = receipt.overflow;
  }
  if (receipt.messages == 0) return;
  for (int i = 0; i < receipt.messages; i++) {
    count(nic, COUNTER_UNDERLAY_RX_BYTES, messages[i].bytes);
    if (messages[i].bytes == 0) count(nic, COUNTER_UNDERLAY_RX_EMPTY, 1);
  }
  count(nic, COUNTER_UNDERLAY_RX_DATAGRAMS, receipt.messages);
  uint32_t last = (uint32_t)receipt.messages - 1;
  nic->area_used += align(last * MESSAGE_BYTES + MESSAGE_DATA_AT + messages[last].bytes);
  coalescer_open(&nic->coalescer, (uint32_t)receipt.messages);
  take_messages(nic);
}

/* Events */

static int poll_events(struct nic *nic, struct epoll_event *events, int timeout_ms) {
  count(nic, COUNTER_POLLS, 1);
  int n = epoll_wait(nic->epoll_fd, events, EVENTS_MAX, timeout_ms);
  return n < 0 ? 0 : n;
}

/* Waits for events: first awake, until spin_us after the last packet, then asleep. Between two
 * looks it offers the core to whoever is runnable: guests share it. */
static int wait_for_events(struct nic *nic, struct epoll_event *events, int timeout_ms) {
  int n = poll_events(nic, events, 0);
  if (n > 0 || timeout_ms == 0) return n;
  uint64_t spin_ns = (uint64_t)nic->config.spin_us * 1000;
  if (nic->last_packet_ns == 0) nic->last_packet_ns = now_ns();
  while (now_ns() - nic->last_packet_ns < spin_ns) {
    sched_yield();
    count(nic, COUNTER_SPINS, 1);
    n = poll_events(nic, events, 0);
    if (n > 0) return n;
  }
  count(nic, COUNTER_SLEEPS, 1);
  n = poll_events(nic, events, timeout_ms);
  if (n > 0) count(nic, COUNTER_WAKEUPS, 1);
  return n;
}

static void take_doorbell(struct nic *nic) {
  uint64_t rings;
  if (read(nic->config.doorbell_fd, &rings, sizeof rings) == sizeof rings) {
    count(nic, COUNTER_DOORBELLS, 1);
  }
}

static void receive(struct nic *nic, int timeout_ms) {
  struct epoll_event events[EVENTS_MAX];
  int n = wait_for_events(nic, events, timeout_ms);
  for (int i = 0; i < n; i++) {
    uint32_t number = events[i].data.u32;
    if (number == PORT_UNDERLAY)
      receive_from_underlay(nic);
    else if (number == EVENT_DOORBELL)
      take_doorbell(nic);
    else
      receive_from_tun(nic, number);
  }
}

uint32_t nic_burst(struct nic *nic, uint32_t tx_count, int timeout_ms) {
  count(nic, COUNTER_BURSTS, 1);
  nic_transmit(nic, tx_count);
  nic->rx_count = 0;
  nic->run_count = 0;
  coalescer_recycle(&nic->coalescer);
  if (coalescer_has_more(&nic->coalescer))
    take_messages(nic);
  else
    nic->area_used = 0;
  if (rx_is_full(nic)) return nic->rx_count;
  receive(nic, nic->rx_count > 0 ? 0 : timeout_ms);
  if (nic->rx_count > 0) nic->last_packet_ns = 0;
  return nic->rx_count;
}

int64_t nic_gather_run(const struct nic *nic, uint32_t run, uint32_t at, uint32_t bytes_max) {
  if (run == 0 || run > nic->run_count || at > nic->config.arena_bytes) return -1;
  const struct run *r = &nic->runs[run - 1];
  uint32_t room = nic->config.arena_bytes - at;
  if (bytes_max < room) room = bytes_max;
  uint32_t bytes = 0;
  for (uint32_t i = 0; i < r->piece_count; i++) {
    if (r->pieces[i].iov_len > room - bytes) return -1;
    memcpy(nic->config.arena + at + bytes, r->pieces[i].iov_base, r->pieces[i].iov_len);
    bytes += (uint32_t)r->pieces[i].iov_len;
  }
  return bytes;
}
