/* Carries charon's requests for the kernel's IPsec to us: preloaded into charon (LD_PRELOAD), it
 * replaces the netlink sockets of family NETLINK_XFRM by connections to a unix socket that takes
 * and gives the same messages (xfrm/server.ts). Everything else of charon stays with the kernel.
 *
 *     charon, kernel-netlink plugin                            vpcd
 *       socket(AF_NETLINK, RAW, NETLINK_XFRM)
 *       bind(groups)        ──▶  connect, hello ──────────▶    NLMSG_NOOP: seq = groups, pid
 *       sendto(request)     ──▶  request ─────────────────▶    its length is the framing
 *       select, recv        ◀──  answer  ◀─────────────────    one message for each recv
 *       recvfrom            ◀──  event   ◀─────────────────    nl_pid 0: "the kernel"
 *
 * charon asks under one mutex, and waits. So it never sees a dead connection: the shim connects
 * anew under the same descriptor and sends the request again, for VPCLAB_XFRM_WAIT_MS, and then
 * answers -EIO itself; the event socket says EAGAIN. A server that was away has forgotten all SAs,
 * which is its business to mend (charon.ts).
 *
 * Beside that: UDP_ENCAP is not set on charon's socket (ESP in UDP never reaches it), nor
 * IP_XFRM_POLICY (the kernel has no policies that it would have to be exempt from).
 *
 * Environment: VPCLAB_XFRM_SOCKET, path of the socket; without it the shim does nothing.
 * LD_PRELOAD is unset at once, so that programs that charon starts run without it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS_MAX  1024
#define WAIT_MS_DEFAULT  300
#define RETRY_MS         20
/* A pause of the event socket's thread while no server is there. */
#define EVENT_RETRY_MS   100
#define SOL_UDP_NUMBER   17
#define IP_XFRM_NUMBER   17
#define IPV6_XFRM_NUMBER 35

#define REAL(function)   ((__typeof__(&function))dlsym(RTLD_NEXT, #function))

/* A netlink socket that is ours. charon uses each from one thread at a time. */
struct connection {
  bool in_use;
  uint32_t groups;  /* of bind(): 0 for requests, a mask for events */
  uint8_t *request; /* the request under way, to be sent again; NULL: none */
  size_t request_bytes;
};

static struct connection connections[DESCRIPTORS_MAX];
static const char *server_path;
static int wait_ms = WAIT_MS_DEFAULT;

__attribute__((constructor)) static void start(void) {
  server_path = getenv("VPCLAB_XFRM_SOCKET");
  const char *wait = getenv("VPCLAB_XFRM_WAIT_MS");
  if (wait != NULL) wait_ms = atoi(wait);
  unsetenv("LD_PRELOAD");
}

static bool is_ours(int fd) {
  return fd >= 0 && fd < DESCRIPTORS_MAX && connections[fd].in_use;
}

static void pause_ms(int ms) {
  struct timespec duration = {ms / 1000, (long)(ms % 1000) * 1000000};
  nanosleep(&duration, NULL);
}

/* Requests carry keys. */
static void forget_request(struct connection *c) {
  if (c->request == NULL) return;
  explicit_bzero(c->request, c->request_bytes);
  free(c->request);
  c->request = NULL;
}

static bool send_all(int fd, const void *bytes, size_t length) {
  size_t sent = 0;
  while (sent < length) {
    ssize_t n = send(fd, (const uint8_t *)bytes + sent, length - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    sent += (size_t)n;
  }
  return true;
}

/* One attempt to connect, say hello, and put the connection under the number `fd`. */
static bool try_attach(int fd) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(server_path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return false;
  }
  strcpy(address.sun_path, server_path);
  int s = REAL(socket)(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (s < 0) return false;
  struct nlmsghdr hello = {.nlmsg_len = sizeof hello,
                           .nlmsg_type = NLMSG_NOOP,
                           .nlmsg_seq = connections[fd].groups,
                           .nlmsg_pid = (uint32_t)getpid()};
  bool done = connect(s, (struct sockaddr *)&address, sizeof address) == 0 &&
              send_all(s, &hello, sizeof hello) && dup3(s, fd, O_CLOEXEC) >= 0;
  REAL(close)(s);
  return done;
}

static bool attach(int fd, int budget_ms) {
  while (!try_attach(fd)) {
    if (budget_ms <= 0) {
      errno = ECONNREFUSED;
      return false;
    }
    pause_ms(RETRY_MS);
    budget_ms -= RETRY_MS;
  }
  return true;
}

__attribute__((visibility("default"))) int socket(int domain, int type, int protocol) {
  bool ours = server_path != NULL && domain == AF_NETLINK && protocol == NETLINK_XFRM &&
              (type & 0xf) == SOCK_RAW;
  if (!ours) return REAL(socket)(domain, type, protocol);
  int fd = REAL(socket)(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= DESCRIPTORS_MAX) {
    REAL(close)(fd);
    errno = EMFILE;
    return -1;
  }
  if (fd >= 0) connections[fd] = (struct connection){.in_use = true};
  return fd;
}

__attribute__((visibility("default"))) int bind(int fd, const struct sockaddr *address,
                                                socklen_t bytes) {
  if (!is_ours(fd)) return REAL(bind)(fd, address, bytes);
  connections[fd].groups = ((const struct sockaddr_nl *)address)->nl_groups;
  return attach(fd, wait_ms) ? 0 : -1;
}

__attribute__((visibility("default"))) int setsockopt(int fd, int level, int name,
                                                      const void *value, socklen_t bytes) {
  if (is_ours(fd)) return 0;
  bool is_kernel_ipsec = (level == SOL_UDP_NUMBER && name == UDP_ENCAP) ||
                         (level == IPPROTO_IP && name == IP_XFRM_NUMBER) ||
                         (level == IPPROTO_IPV6 && name == IPV6_XFRM_NUMBER);
  if (server_path != NULL && is_kernel_ipsec) return 0;
  return REAL(setsockopt)(fd, level, name, value, bytes);
}

__attribute__((visibility("default"))) ssize_t sendto(int fd, const void *bytes, size_t length,
                                                      int flags, const struct sockaddr *address,
                                                      socklen_t address_bytes) {
  if (!is_ours(fd)) return REAL(sendto)(fd, bytes, length, flags, address, address_bytes);
  struct connection *c = &connections[fd];
  forget_request(c);
  c->request = malloc(length);
  if (c->request == NULL) return -1;
  memcpy(c->request, bytes, length);
  c->request_bytes = length;
  if (send_all(fd, bytes, length)) return (ssize_t)length;
  if (attach(fd, wait_ms) && send_all(fd, bytes, length)) return (ssize_t)length;
  forget_request(c);
  errno = EIO;
  return -1;
}

/* Reads exactly `length` bytes into `at`; what is beyond `room` is read and dropped, as netlink
 * cuts a message that the reader has no room for. */
static bool read_message(int fd, uint8_t *at, size_t length, size_t room) {
  uint8_t dropped[512];
  size_t done = 0;
  while (done < length) {
    bool fits = done < room;
    size_t want = (fits && room < length ? room : length) - done;
    if (!fits && want > sizeof dropped) want = sizeof dropped;
    ssize_t n = REAL(recv)(fd, fits ? at + done : dropped, want, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += (size_t)n;
  }
  return true;
}

enum read_result { READ_DONE, READ_NOTHING, READ_ENDED };

/* Reads the next message; its bytes are in `*got`. */
static enum read_result next_message(int fd, void *at, size_t room, int flags, size_t *got) {
  uint32_t length = 0;
  for (;;) {
    ssize_t n = REAL(recv)(fd, &length, sizeof length, MSG_PEEK | (flags & MSG_DONTWAIT));
    if (n == (ssize_t)sizeof length) break;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return READ_NOTHING;
    if (n <= 0) return READ_ENDED;
    pause_ms(1); /* a part of the length: the rest is on its way */
  }
  if (length < sizeof(struct nlmsghdr) || !read_message(fd, at, length, room)) return READ_ENDED;
  *got = length < room ? length : room;
  return READ_DONE;
}

/* What the kernel would say of a request that failed. */
static ssize_t made_up_error(struct connection *c, void *at, size_t room) {
  const struct nlmsghdr *request = (const struct nlmsghdr *)(const void *)c->request;
  struct {
    struct nlmsghdr header;
    struct nlmsgerr error;
  } answer = {.header = {.nlmsg_len = sizeof answer,
                         .nlmsg_type = NLMSG_ERROR,
                         .nlmsg_seq = request->nlmsg_seq,
                         .nlmsg_pid = request->nlmsg_pid},
              .error = {.error = -EIO, .msg = *request}};
  size_t bytes = room < sizeof answer ? room : sizeof answer;
  memcpy(at, &answer, bytes);
  forget_request(c);
  return (ssize_t)bytes;
}

static ssize_t receive(int fd, void *at, size_t room, int flags) {
  struct connection *c = &connections[fd];
  size_t bytes = 0;
  for (;;) {
    switch (next_message(fd, at, room, flags, &bytes)) {
    case READ_DONE:
      forget_request(c);
      return (ssize_t)bytes;
    case READ_NOTHING:
      return -1;
    case READ_ENDED:
      break;
    }
    if (c->groups != 0 || c->request == NULL) {
      if (!attach(fd, 0)) pause_ms(EVENT_RETRY_MS);
      errno = EAGAIN;
      return -1;
    }
    if (!attach(fd, wait_ms) || !send_all(fd, c->request, c->request_bytes)) {
      return made_up_error(c, at, room);
    }
  }
}

__attribute__((visibility("default"))) ssize_t recv(int fd, void *at, size_t room, int flags) {
  return is_ours(fd) ? receive(fd, at, room, flags) : REAL(recv)(fd, at, room, flags);
}

__attribute__((visibility("default"))) ssize_t recvfrom(int fd, void *at, size_t room, int flags,
                                                        struct sockaddr *address,
                                                        socklen_t *address_bytes) {
  if (!is_ours(fd)) return REAL(recvfrom)(fd, at, room, flags, address, address_bytes);
  if (address != NULL && address_bytes != NULL && *address_bytes >= sizeof(struct sockaddr_nl)) {
    *(struct sockaddr_nl *)(void *)address = (struct sockaddr_nl){.nl_family = AF_NETLINK};
    *address_bytes = sizeof(struct sockaddr_nl);
  }
  return receive(fd, at, room, flags);
}

__attribute__((visibility("default"))) int close(int fd) {
  if (is_ours(fd)) {
    forget_request(&connections[fd]);
    connections[fd].in_use = false;
  }
  return REAL(close)(fd);
}
