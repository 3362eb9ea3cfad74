/* Node-API glue: many datagrams of one socket by one system call.
 *
 *     receiveDatagrams(fd, arena, cells) → count    what waits, at most one per cell; 0: nothing
 *     sendDatagrams(fd, arena, cells, count) → sent   the rest found no room in the kernel
 *
 * Datagram i stands in the i-th of the equal parts of the arena; one that is longer is received
 * with length 0. ../datagrams.ts is the only caller. A cell, in the host's order of bytes:
 *
 *     0   address and port, as the kernel has them (sockaddr_in, sockaddr_in6)
 *     28  length of the datagram, bytes
 */
#include "addon.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* Datagrams of one call. */
#define DATAGRAMS_MAX 64

struct cell {
  union {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
  } peer;
  uint32_t length;
};

_Static_assert(sizeof(struct cell) == 32, "the layout that datagrams.ts has");

/* What both calls are given. */
struct batch {
  int32_t fd;
  uint8_t *arena;
  size_t slot_bytes;
  struct cell *cells;
  unsigned cell_count;
};

static bool take_batch(napi_env env, const napi_value *a, struct batch *batch) {
  void *arena, *cells;
  size_t arena_bytes, cells_bytes;
  if (!take_int(env, a[0], &batch->fd)) return false;
  if (napi_get_arraybuffer_info(env, a[1], &arena, &arena_bytes) != napi_ok ||
      napi_get_arraybuffer_info(env, a[2], &cells, &cells_bytes) != napi_ok ||
      cells_bytes < sizeof(struct cell) || arena_bytes < cells_bytes) {
    napi_throw_type_error(env, NULL, "not an arena and its cells");
    return false;
  }
  size_t count = cells_bytes / sizeof(struct cell);
  batch->cell_count = count < DATAGRAMS_MAX ? (unsigned)count : DATAGRAMS_MAX;
  batch->arena = arena;
  batch->slot_bytes = arena_bytes / count;
  batch->cells = cells;
  return true;
}

/* Lays the first `count` messages over the batch. */
static void lay_messages(const struct batch *batch, unsigned count, struct mmsghdr *messages,
                         struct iovec *parts) {
  memset(messages, 0, count * sizeof *messages);
  for (unsigned i = 0; i < count; i++) {
    parts[i] = (struct iovec){batch->arena + i * batch->slot_bytes, batch->slot_bytes};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_name = &batch->cells[i].peer;
    messages[i].msg_hdr.msg_namelen = sizeof batch->cells[i].peer;
  }
}

static napi_value receive_datagrams(napi_env env, napi_callback_info info) {
  napi_value a[3];
  struct batch batch;
  struct mmsghdr messages[DATAGRAMS_MAX];
  struct iovec parts[DATAGRAMS_MAX];
  struct failure failure;
  if (!take_arguments(env, info, 3, a, NULL) || !take_batch(env, a, &batch)) return NULL;
  lay_messages(&batch, batch.cell_count, messages, parts);
  int count = recvmmsg(batch.fd, messages, batch.cell_count, MSG_DONTWAIT, NULL);
  if (count < 0) {
    /* An ICMP error of an earlier datagram is nobody's business here. */
    if (errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED) return make_int(env, 0);
    fail(&failure, "recvmmsg");
    return throw_failure(env, &failure);
  }
  for (int i = 0; i < count; i++) {
    bool is_whole = (messages[i].msg_hdr.msg_flags & MSG_TRUNC) == 0;
    batch.cells[i].length = is_whole ? messages[i].msg_len : 0;
  }
  return make_int(env, count);
}

static napi_value send_datagrams(napi_env env, napi_callback_info info) {
  napi_value a[4];
  int32_t wanted;
  struct batch batch;
  struct mmsghdr messages[DATAGRAMS_MAX];
  struct iovec parts[DATAGRAMS_MAX];
  if (!take_arguments(env, info, 4, a, NULL) || !take_batch(env, a, &batch) ||
      !take_int(env, a[3], &wanted)) {
    return NULL;
  }
  if (wanted < 0 || (unsigned)wanted > batch.cell_count) {
    napi_throw_range_error(env, NULL, "more datagrams than there are cells");
    return NULL;
  }
  unsigned count = (unsigned)wanted, sent = 0;
  lay_messages(&batch, count, messages, parts);
  for (unsigned i = 0; i < count; i++) {
    const struct cell *cell = &batch.cells[i];
    bool is_ipv6 = cell->peer.any.sa_family == AF_INET6;
    messages[i].msg_hdr.msg_namelen = is_ipv6 ? sizeof cell->peer.ipv6 : sizeof cell->peer.ipv4;
    if (cell->length < batch.slot_bytes) parts[i].iov_len = cell->length;
  }
  while (sent < count) {
    int done = sendmmsg(batch.fd, messages + sent, count - sent, MSG_DONTWAIT);
    if (done > 0) {
      sent += (unsigned)done;
    } else if (done < 0 && errno != EINTR) {
      if (errno == EAGAIN || errno == ENOBUFS) break;
      sent++; /* one that cannot be sent does not keep the others */
    }
  }
  return make_int(env, sent);
}

void export_datagrams(napi_env env, napi_value exports) {
  export_function(env, exports, "receiveDatagrams", receive_datagrams);
  export_function(env, exports, "sendDatagrams", send_datagrams);
}
