/* Fuzzes a whole burst, sent and received (daemon/tun/native/nic.c, send_run.c, tun.c), with
 * descriptors that a mistaken router may write, and with a frame that the guest of a TAP may send:
 * the same bytes.
 *
 *     input   u8 flags, u8 descriptors, 14 x u32 of each, then bytes of the arena
 *
 * The system calls are replaced (-Wl,--wrap): they read every byte they are given, so that the
 * sanitizer sees a part that does not lie where it may, and fail in the ways that the flags ask
 * for.
 */
#include "fuzz.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "../../daemon/tun/native/descriptor.h"
#include "../../daemon/tun/native/nic.h"

#define ARENA_BYTES   (RECEIVE_BYTES + 8192)
#define RECEIVE_BYTES 131072
#define DESCRIPTORS   16
#define FAKE_FD       1000
/* The guest's MAC is what a frame of zeros has as its source. */
#define TAP_LINK                                                                                   \
  (struct link) {                                                                                  \
    .bytes = ETHERNET_BYTES                                                                        \
  }

enum {
  FLAG_PER_PACKET = 1,
  FLAG_GSO = 2,
  FLAG_USO = 4,
  FLAG_SENDS_FAIL = 8,
  FLAG_WRITES_FAIL = 16
};

static uint8_t flags;
static int error_of_calls;
static uint64_t bytes_read;

static size_t read_parts(const struct iovec *parts, size_t count) {
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++) {
    const volatile uint8_t *at = parts[i].iov_base;
    for (size_t k = 0; k < parts[i].iov_len; k++) bytes_read += at[k];
    bytes += parts[i].iov_len;
  }
  return bytes;
}

static ssize_t send_message(const struct msghdr *message) {
  MUST(message->msg_iovlen > 0 && message->msg_iovlen <= RUN_PARTS_MAX);
  size_t bytes = read_parts(message->msg_iov, message->msg_iovlen);
  if (!(flags & FLAG_SENDS_FAIL)) return (ssize_t)bytes;
  errno = error_of_calls;
  return -1;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int options) {
  MUST(fd == FAKE_FD && options == 0);
  return send_message(message);
}

int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int options) {
  MUST(fd == FAKE_FD && options == 0 && count > 0 && count <= RUN_PACKETS_MAX);
  ssize_t sent =
      send_message(&messages[0].msg_hdr); /* one at a time: the rest is asked for again */
  if (sent < 0) return -1;
  messages[0].msg_len = (unsigned)sent;
  return 1;
}

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count) {
  MUST(fd == FAKE_FD + 1 && count >= 2 && count <= 2 + RUN_PIECES_MAX);
  size_t bytes = read_parts(parts, (size_t)count);
  if (!(flags & FLAG_WRITES_FAIL)) return (ssize_t)bytes;
  errno = error_of_calls;
  return -1;
}

/* What the guest of the TAP sends: one frame of the input's bytes, then nothing. */
static struct input frame;

ssize_t __wrap_readv(int fd, const struct iovec *parts, int count) {
  MUST(fd == FAKE_FD + 1 && count == 2);
  if (frame.bytes == 0) {
    errno = EAGAIN;
    return -1;
  }
  size_t bytes = 0;
  for (int i = 0; i < count; i++) {
    size_t part = frame.bytes < parts[i].iov_len ? frame.bytes : parts[i].iov_len;
    memcpy(parts[i].iov_base, frame.at, part);
    frame.at += part;
    frame.bytes -= part;
    bytes += part;
  }
  frame.bytes = 0;
  return (ssize_t)bytes;
}

int __wrap_epoll_wait(int fd, struct epoll_event *events, int count, int timeout) {
  (void)fd, (void)timeout;
  MUST(count > 0);
  if (frame.bytes == 0) return 0;
  events[0] = (struct epoll_event){.events = EPOLLIN, .data.u32 = 2};
  return 1;
}

/* What the router may rely on: the bytes of a descriptor lie in the receive area. */
static void check_received(const int32_t *rx, uint32_t count) {
  for (uint32_t i = 0; i < count; i++, rx += RX_WORDS) {
    MUST(rx[RX_PORT] == 2 || rx[RX_PORT] == 2 + FRAME_PORTS);
    MUST(rx[RX_AT] >= 0 && rx[RX_BYTES] >= IPV4_HEADER_BYTES_MIN);
    MUST(rx[RX_AT] + rx[RX_BYTES] <= RECEIVE_BYTES && rx[RX_TOTAL_BYTES] == rx[RX_BYTES]);
    MUST(rx[RX_PORT] == 2 + FRAME_PORTS || rx[RX_AT] % 4 == 0);
  }
}

/* A NIC with an underlay, one port, one peer, and two lists of further pieces. */
static void set_up(struct nic *nic, struct nic_config config, struct source_socket *sources) {
  nic->config = config;
  nic->epoll_fd = -1;
  nic->underlay.fd = FAKE_FD;
  nic->underlay.sources = sources;
  nic->underlay.gso = (flags & FLAG_GSO) != 0;
  nic->underlay.address.ipv4.sin_family = AF_INET;
  nic->peers[1].ipv4.sin_family = AF_INET;
  nic->offloads.uso = (flags & FLAG_USO) != 0;
  nic->send_run.underlay = &nic->underlay;
  nic->send_run.keys = &nic->keys;
  nic->coalescer.keys = &nic->keys;
  nic->send_run.counters = config.counters;
  nic->send_run.per_packet = (flags & FLAG_PER_PACKET) != 0;
  nic->ports[1] = (struct tun_port){.fd = FAKE_FD + 1, .in_use = true};
  nic->ports[2] = (struct tun_port){.fd = FAKE_FD + 1, .in_use = true, .link = TAP_LINK};
  for (int i = 0; i < 8; i++)
    nic->pieces[i] = (struct iovec){config.arena + 128 * i, 1 + 9 * (size_t)i};
  nic->runs[0] = (struct run){nic->pieces, 3};
  nic->runs[1] = (struct run){nic->pieces + 3, 5};
  nic->run_count = 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int errors[] = {EAGAIN, EINVAL, EIO, EMSGSIZE, EBADFD, ENETUNREACH, EPERM, ENOBUFS};
  struct input in = {data, size};
  flags = take_u8(&in);
  error_of_calls = errors[flags >> 5];
  uint32_t count = take_u8(&in) % (DESCRIPTORS + 1);
  struct nic *nic = calloc(1, sizeof *nic);
  struct run runs[2];
  struct source_socket *sources = calloc(SOURCE_SOCKETS_MAX, sizeof *sources);
  uint8_t *arena = calloc(1, ARENA_BYTES);
  int32_t *tx = calloc(count == 0 ? 1 : count, TX_WORDS * sizeof *tx);
  int32_t rx[RX_WORDS];
  double counters[COUNTERS] = {0};
  MUST(nic != NULL && sources != NULL && arena != NULL && tx != NULL);
  for (uint32_t i = 0; i < count * TX_WORDS; i++) {
    uint32_t low = take_u16(&in);
    tx[i] = (int32_t)(low | (uint32_t)take_u16(&in) << 16);
  }
  for (int i = 0; i < SOURCE_SOCKETS_MAX; i++) sources[i].fd = FAKE_FD;
  memcpy(arena, in.at, in.bytes < ARENA_BYTES ? in.bytes : ARENA_BYTES);
  nic->runs = runs;
  set_up(nic,
         (struct nic_config){
             .arena = arena,
             .receive_bytes = RECEIVE_BYTES,
             .arena_bytes = ARENA_BYTES,
             .rx = rx,
             .tx = tx,
             .rx_max = 1,
             .tx_max = count,
             .counters = counters,
             .doorbell_fd = -1,
         },
         sources);
  frame = in;
  uint32_t received = nic_burst(nic, count, 0);
  MUST(received <= (in.bytes > 0 ? 1 : 0));
  check_received(rx, received);
  MUST(nic->send_run.packet_count == 0);
  free(nic);
  free(sources);
  free(arena);
  free(tx);
  return 0;
}
