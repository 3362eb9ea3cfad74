/* The network card: TUN and TAP ports, the underlay, and one arena of bytes, moved in bursts.
 *
 *     arena   [ receive area, receive_bytes | scratch area of the router ]
 *     rx, tx  descriptors (descriptor.h)
 *
 * nic_burst() sends what the router has put into `tx`, then receives into the receive area and
 * fills `rx`. The area is used from its start at each burst, so that the bytes in use stay in the
 * cache:
 *
 *     [ cell, headroom | packet ][ headroom | packet ] ... bump ──►
 *
 * Every read is given room for the largest packet and then keeps only what it used. A burst ends
 * when rx is full, or the area has no such room left; what then waits stays in the kernel, or, if
 * it is a lump that has been received and only not been taken apart, in the area for the next
 * burst.
 *
 * No global state: a process may have any number of NICs, each used by one thread.
 */
#ifndef VPCLAB_NIC_H
#define VPCLAB_NIC_H

#include <stdbool.h>
#include <stdint.h>

#include "coalesce.h"
#include "counters.h"
#include "failure.h"
#include "send_run.h"
#include "tun.h"
#include "underlay.h"

#define TUN_PORTS_MAX 4096
/* Packets that one port may deliver in one burst before the next port's turn. */
#define TUN_READS_MAX 64
/* Events that one epoll_wait returns; the kernel's list goes round, so that none is forgotten. */
#define EVENTS_MAX    64
/* Pieces of all super-packets of one burst: each of 16 lumps in 128 segments. */
#define PIECES_MAX    2048

struct nic_config {
  uint8_t *arena;
  uint32_t receive_bytes; /* the receive area, from the start of the arena */
  uint32_t arena_bytes;
  int32_t *rx; /* [rx_max * RX_WORDS] */
  int32_t *tx; /* [tx_max * TX_WORDS] */
  uint32_t rx_max;
  uint32_t tx_max;
  double *counters; /* [COUNTERS] */
  uint32_t spin_us;
  int doorbell_fd; /* -1: none */
  /* [wire_peers * WIRE_STATISTICS_WORDS]; NULL: the underlay is not encrypted */
  double *wire_statistics;
  uint32_t wire_peers;
};

struct tun_port {
  int fd; /* -1: free, or failed */
  bool in_use;
  bool reported; /* its failure is in the list, or has been taken from it */
  struct link link;
};

struct port_failure {
  uint32_t port;
  int number; /* errno */
};

struct run {
  const struct iovec *pieces;
  uint32_t piece_count;
};

struct nic {
  struct nic_config config;
  int epoll_fd;
  struct tun_port ports[TUN_PORTS_MAX + 1]; /* index 0 is the underlay's number and not used */
  struct tun_offloads offloads;
  bool offloads_known;
  struct underlay underlay;
  union endpoint peers[PEERS_MAX];
  struct wire_keys keys;
  struct send_run send_run;
  struct coalescer coalescer;
  struct iovec pieces[PIECES_MAX];
  struct run *runs; /* [rx_max] lists of further pieces; run n of a descriptor is runs[n - 1] */
  uint32_t run_count;
  uint32_t rx_count;
  uint32_t area_used;
  uint64_t last_packet_ns;
  uint32_t overflow; /* drops of the receiving socket that have been counted */
  struct port_failure failures[TUN_PORTS_MAX];
  uint32_t failure_count;
};

/* Makes a NIC; the memory in `config` must outlive it. NULL on failure. */
struct nic *nic_open(const struct nic_config *config, struct failure *failure);
void nic_close(struct nic *nic);

/* `link` says whether it is a TUN or a TAP. Returns the port number, 1..TUN_PORTS_MAX; -1 on
 * failure. */
int nic_open_tun(struct nic *nic, const char *namespace_path, const char *name,
                 const struct link *link, bool must_exist, struct failure *failure);
/* Precondition of both: nic_port_is_open(). */
void nic_close_tun(struct nic *nic, uint32_t port);
static inline bool nic_port_is_open(const struct nic *nic, uint32_t port) {
  return port >= 1 && port <= TUN_PORTS_MAX && nic->ports[port].in_use;
}

/* Opens the underlay; once. */
int nic_open_underlay(struct nic *nic, const char *namespace_path, const union endpoint *address,
                      struct failure *failure);
/* One datagram per packet, and over IPv4 without UDP checksum. */
void nic_set_per_packet(struct nic *nic, bool on);

/* Sends tx_count descriptors. What was received stays as it is. */
void nic_transmit(struct nic *nic, uint32_t tx_count);
/* Sends tx_count descriptors and receives. Returns valid receive descriptors. */
uint32_t nic_burst(struct nic *nic, uint32_t tx_count, int timeout_ms);

/* Copies the further pieces of run `run` to `at` of the arena, at most `bytes_max` bytes. Returns
 * the bytes, or -1 when there is no such run or no room. */
int64_t nic_gather_run(const struct nic *nic, uint32_t run, uint32_t at, uint32_t bytes_max);

#endif
