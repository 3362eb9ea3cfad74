/* The underlay: UDP sockets on one outer address.
 *
 * One socket is bound to the encapsulation's port (6081) and receives everything. It would do for
 * sending as well, but the source port of a datagram is that of its socket, and must tell flows
 * apart (RFC 8926 section 3.3). So a table holds one socket for each source port, opened when a
 * flow first needs it; nothing is received there: a filter drops all.
 *
 *     49152 ┐
 *       ... ├─ source sockets: send only, opened on demand
 *     65535 ┘
 *      6081 ── receives; sends when a source socket cannot be had
 *
 * All send with DF set, whatever path MTU the kernel believes in (IP_PMTUDISC_PROBE): too big is
 * an error of this layer (EMSGSIZE), never a fragment.
 */
#ifndef VPCLAB_UNDERLAY_H
#define VPCLAB_UNDERLAY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "coalesce.h"
#include "failure.h"

#define SOURCE_PORT_MIN       49152
#define SOURCE_SOCKETS_MAX    16384
/* Descriptors that are left to the rest of the process when source sockets take the others. */
#define DESCRIPTORS_RESERVED  2048
/* A source socket that could not be opened is not tried again for so long, seconds. */
#define SOURCE_SOCKET_RETRY_S 10
/* Room in the kernel for datagrams that wait to be received or sent, bytes. */
#define UNDERLAY_BUFFER_BYTES (8 << 20)

/* An outer address and UDP port, IPv4 or IPv6. */
union endpoint {
  struct sockaddr any; /* sa_family 0: not set */
  struct sockaddr_in ipv4;
  struct sockaddr_in6 ipv6;
};

struct source_socket {
  int fd;           /* 0: not opened */
  uint32_t retry_s; /* when not opened: not before this time */
};

struct underlay {
  int fd; /* the receiving socket; -1: not open */
  int namespace_fd;
  int descriptors_max; /* RLIMIT_NOFILE less DESCRIPTORS_RESERVED */
  union endpoint address;
  bool gso;                      /* UDP_SEGMENT works */
  bool gro;                      /* UDP_GRO works */
  bool no_checksum;              /* per-packet mode over IPv4: SO_NO_CHECK is set on the sockets */
  bool ecn_reported;             /* IP_RECVTOS works */
  struct source_socket *sources; /* [SOURCE_SOCKETS_MAX] */
};

/* What a receive call brought beside the messages. */
struct receipt {
  int messages;
  uint32_t
      overflow; /* datagrams that the kernel has dropped since the socket opened; 0: not told */
};

static inline socklen_t endpoint_bytes(const union endpoint *e) {
  return e->any.sa_family == AF_INET6 ? sizeof e->ipv6 : sizeof e->ipv4;
}

/* Reads an address in text form. False when it is none. */
bool endpoint_parse(const char *address, uint16_t port, union endpoint *out);

/* Opens the receiving socket. `u` keeps namespace_fd and closes it with the rest. */
int underlay_open(struct underlay *u, int namespace_fd, const union endpoint *address,
                  struct failure *failure);

void underlay_close(struct underlay *u);

/* The socket for a source port, opened if need be; the receiving socket when that is impossible
 * (`*failed` is then set if this call tried). `now_s`: any clock that counts seconds. */
int underlay_source(struct underlay *u, uint16_t port, uint32_t now_s, bool *opened, bool *failed);

/* Sends without a UDP checksum, or again with one. Over IPv6 there always is one (RFC 8200
 * section 8.1). */
void underlay_set_no_checksum(struct underlay *u, bool on);

/* Receives up to `count` datagrams or lumps into slots of `slot_bytes` bytes, one after the other
 * from `at`, each with its source in the first SOURCE_CELL_BYTES and its bytes from `data_at`
 * on. */
struct receipt underlay_receive(struct underlay *u, uint8_t *at, uint32_t slot_bytes,
                                uint32_t data_at, int count, struct message *messages);

#endif
