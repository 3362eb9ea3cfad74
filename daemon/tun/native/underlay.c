/* See underlay.h. Kernel facts that this file relies on are tested in
 * test/platform/udp.test.ts. */
#include "underlay.h"

#include <arpa/inet.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/filter.h>

#include "namespace.h"

#define OUTER_TTL            64
/* Room for the control messages that a datagram brings: GRO size, traffic class, overflow. */
#define CONTROL_BYTES        128
/* Source sockets queue nothing; the kernel rounds this up to its minimum. */
#define SOURCE_RECEIVE_BYTES 1

bool endpoint_parse(const char *address, uint16_t port, union endpoint *out) {
  memset(out, 0, sizeof *out);
  if (inet_pton(AF_INET, address, &out->ipv4.sin_addr) == 1) {
    out->ipv4.sin_family = AF_INET;
    out->ipv4.sin_port = htons(port);
    return true;
  }
  if (inet_pton(AF_INET6, address, &out->ipv6.sin6_addr) == 1) {
    out->ipv6.sin6_family = AF_INET6;
    out->ipv6.sin6_port = htons(port);
    return true;
  }
  return false;
}

static int set_int(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value);
}

/* What all sockets have in common: outer TTL, DF, room to send, no IPv4 on an IPv6 socket. */
static int set_outer_header(int fd, int family, struct failure *failure) {
  set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, UNDERLAY_BUFFER_BYTES);
  if (family == AF_INET) {
    if (set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE) < 0 ||
        set_int(fd, IPPROTO_IP, IP_TTL, OUTER_TTL) < 0) {
      return fail(failure, "setsockopt IP_MTU_DISCOVER");
    }
    return 0;
  }
  if (set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0 ||
      set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE) < 0 ||
      set_int(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1) < 0 ||
      set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, OUTER_TTL) < 0) {
    return fail(failure, "setsockopt IPV6_MTU_DISCOVER");
  }
  return 0;
}

static int bind_to(int fd, const union endpoint *address, uint16_t port, struct failure *failure) {
  union endpoint local = *address;
  if (local.any.sa_family == AF_INET)
    local.ipv4.sin_port = htons(port);
  else
    local.ipv6.sin6_port = htons(port);
  return bind(fd, &local.any, endpoint_bytes(&local)) < 0 ? fail(failure, "bind") : 0;
}

static int open_socket(int family, struct failure *failure) {
  int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
  if (fd < 0) return fail(failure, "socket");
  if (set_outer_header(fd, family, failure) < 0) {
    close(fd);
    return -1;
  }
  return fd;
}

static int open_receiver(struct underlay *u, struct failure *failure) {
  int family = u->address.any.sa_family;
  int fd = open_socket(family, failure);
  if (fd < 0) return -1;
  set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, UNDERLAY_BUFFER_BYTES);
  set_int(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
  u->gro = set_int(fd, IPPROTO_UDP, UDP_GRO, 1) == 0;
  u->gso = set_int(fd, IPPROTO_UDP, UDP_SEGMENT, 0) == 0;
  u->ecn_reported = (family == AF_INET ? set_int(fd, IPPROTO_IP, IP_RECVTOS, 1)
                                       : set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1)) == 0;
  if (bind_to(fd, &u->address, ntohs(u->address.ipv4.sin_port), failure) < 0) {
    close(fd);
    return -1;
  }
  return fd;
}

_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
               "the port stands at one place in both kinds of address");

int underlay_open(struct underlay *u, int namespace_fd, const union endpoint *address,
                  struct failure *failure) {
  u->address = *address;
  struct source_socket *sources = calloc(SOURCE_SOCKETS_MAX, sizeof *sources);
  if (sources == NULL) return fail(failure, "calloc");
  int previous = namespace_enter(namespace_fd, failure);
  int fd = previous < 0 ? -1 : open_receiver(u, failure);
  if (previous >= 0) namespace_leave(previous);
  if (fd < 0) {
    free(sources);
    return -1;
  }
  struct rlimit limit = {0};
  getrlimit(RLIMIT_NOFILE, &limit);
  rlim_t most = limit.rlim_cur > INT32_MAX ? INT32_MAX : limit.rlim_cur;
  u->descriptors_max = most > DESCRIPTORS_RESERVED ? (int)most - DESCRIPTORS_RESERVED : 0;
  u->fd = fd;
  u->namespace_fd = namespace_fd;
  u->sources = sources;
  return 0;
}

void underlay_close(struct underlay *u) {
  if (u->fd < 0) return;
  for (int i = 0; i < SOURCE_SOCKETS_MAX; i++) {
    if (u->sources[i].fd > 0) close(u->sources[i].fd);
  }
  free(u->sources);
  close(u->fd);
  close(u->namespace_fd);
  u->fd = -1;
}

static int drop_everything(int fd, struct failure *failure) {
  struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
  struct sock_fprog program = {.len = 1, .filter = &drop};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0) {
    return fail(failure, "setsockopt SO_ATTACH_FILTER");
  }
  set_int(fd, SOL_SOCKET, SO_RCVBUF, SOURCE_RECEIVE_BYTES);
  return 0;
}

static int open_source(struct underlay *u, uint16_t port, struct failure *failure) {
  int previous = namespace_enter(u->namespace_fd, failure);
  if (previous < 0) return -1;
  int fd = open_socket(u->address.any.sa_family, failure);
  namespace_leave(previous);
  if (fd < 0) return -1;
  if (fd > u->descriptors_max) {
    errno = EMFILE;
    fail(failure, "socket");
  } else if (drop_everything(fd, failure) == 0 && bind_to(fd, &u->address, port, failure) == 0) {
    if (u->no_checksum) set_int(fd, SOL_SOCKET, SO_NO_CHECK, 1);
    return fd;
  }
  close(fd);
  return -1;
}

int underlay_source(struct underlay *u, uint16_t port, uint32_t now_s, bool *opened, bool *failed) {
  if (port < SOURCE_PORT_MIN) return u->fd;
  struct source_socket *source = &u->sources[port - SOURCE_PORT_MIN];
  if (source->fd > 0) return source->fd;
  if ((int32_t)(now_s - source->retry_s) < 0) return u->fd;
  struct failure ignored;
  int fd = open_source(u, port, &ignored);
  if (fd < 0) {
    source->retry_s = now_s + SOURCE_SOCKET_RETRY_S;
    *failed = true;
    return u->fd;
  }
  source->fd = fd;
  *opened = true;
  return fd;
}

void underlay_set_no_checksum(struct underlay *u, bool on) {
  if (u->fd < 0 || u->address.any.sa_family != AF_INET || u->no_checksum == on) return;
  u->no_checksum = on;
  set_int(u->fd, SOL_SOCKET, SO_NO_CHECK, on);
  for (int i = 0; i < SOURCE_SOCKETS_MAX; i++) {
    if (u->sources[i].fd > 0) set_int(u->sources[i].fd, SOL_SOCKET, SO_NO_CHECK, on);
  }
}

static void write_source_cell(const union endpoint *from, uint8_t *cell) {
  static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
  if (from->any.sa_family == AF_INET) {
    memcpy(cell, mapped, sizeof mapped);
    memcpy(cell + 12, &from->ipv4.sin_addr, 4);
  } else {
    memcpy(cell, &from->ipv6.sin6_addr, 16);
  }
  memcpy(cell + 16, &from->ipv4.sin_port, 2);
}

/* Reads what the kernel says beside a datagram: its segment size, traffic class, drops before
 * it. */
static void read_control(struct msghdr *header, struct message *message, uint32_t *overflow) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
    int value = 0;
    size_t bytes = c->cmsg_len - CMSG_LEN(0);
    memcpy(&value, CMSG_DATA(c), bytes < sizeof value ? bytes : sizeof value);
    if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
      if (value > 0 && (uint32_t)value < message->bytes) message->segment_bytes = (uint32_t)value;
    } else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) ||
               (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)) {
      message->traffic_class = (uint8_t)value;
    } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
      *overflow = (uint32_t)value;
    }
  }
}

struct receipt underlay_receive(struct underlay *u, uint8_t *at, uint32_t slot_bytes,
                                uint32_t data_at, int count, struct message *messages) {
  struct mmsghdr headers[MESSAGES_MAX];
  struct iovec iov[MESSAGES_MAX];
  union endpoint from[MESSAGES_MAX];
  _Alignas(struct cmsghdr) uint8_t control[MESSAGES_MAX][CONTROL_BYTES];
  for (int i = 0; i < count; i++) {
    iov[i] = (struct iovec){at + (size_t)i * slot_bytes + data_at, slot_bytes - data_at};
    headers[i].msg_hdr = (struct msghdr){
        .msg_name = &from[i],
        .msg_namelen = sizeof from[i],
        .msg_iov = &iov[i],
        .msg_iovlen = 1,
        .msg_control = control[i],
        .msg_controllen = CONTROL_BYTES,
    };
  }
  struct receipt receipt = {.messages =
                                recvmmsg(u->fd, headers, (unsigned)count, MSG_DONTWAIT, NULL)};
  if (receipt.messages < 0) receipt.messages = 0;
  for (int i = 0; i < receipt.messages; i++) {
    uint8_t *slot = at + (size_t)i * slot_bytes;
    messages[i] = (struct message){
        .at = slot + data_at,
        .bytes = headers[i].msg_len,
        .segment_bytes = headers[i].msg_len,
        .source = slot,
    };
    write_source_cell(&from[i], slot);
    read_control(&headers[i].msg_hdr, &messages[i], &receipt.overflow);
  }
  return receipt;
}
