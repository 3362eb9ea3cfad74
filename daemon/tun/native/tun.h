/* TUN and TAP devices with a virtio-net header: packets and super-packets from and to one
 * interface.
 *
 * The device is made with IFF_TUN (IP packets, no Ethernet) or IFF_TAP (Ethernet frames),
 * IFF_NO_PI and IFF_VNET_HDR, and is persistent: it outlives the descriptor, and with it the
 * process (TUNSETPERSIST). Only one process can hold it open.
 *
 * The Ethernet header of a TAP is put on and taken off here, so that to the router a TAP is a TUN:
 * link.h.
 */
#ifndef VPCLAB_TUN_H
#define VPCLAB_TUN_H

#include <stdbool.h>
#include <sys/types.h>
#include <linux/virtio_net.h>

#include "failure.h"
#include "link.h"
#include "packet.h"

/* Super-packets a guest may make, bytes. The default of 65,536 is one that does not fit into a
 * single UDP datagram once each of its segments has got an encapsulation header of its own; with
 * this many it does, for underlay MTUs from 1,500 up. */
#define TUN_GSO_BYTES_MAX 61440

struct tun_offloads {
  bool tso;
  bool uso;
};

enum tun_mode { MODE_TUN, MODE_TAP };

/* Opens the device inside a namespace, creating it if absent; where it must exist, ENODEV.
 * Non-blocking. Sets what the kernel takes of the offloads. Returns the descriptor, -1 on
 * failure. */
int tun_open(int namespace_fd, const char *name, enum tun_mode mode, bool must_exist,
             struct tun_offloads *offloads, struct failure *failure);

/* Asks the kernel, with a device that lives as long as the call, which offloads it has. */
int tun_probe(int namespace_fd, struct tun_offloads *offloads, struct failure *failure);

/* Reads one packet of at most `bytes` bytes to `at`. Returns its length, or -errno. */
ssize_t tun_read(int fd, struct virtio_net_hdr *header, void *at, size_t bytes);

/* Writes one packet or super-packet, behind the header of the link. The kernel verifies the
 * checksum of a plain packet itself, whatever CSUM_VALID says. Returns 0 or -errno. */
int tun_write(int fd, const struct link *link, const struct packet *packet);

/* Writes one packet that lies in `count` parts, with nothing left to do to it. iov[0] is taken
 * for the virtio-net header and must be free. Returns 0 or -errno. */
int tun_write_parts(int fd, struct iovec *iov, int count);

#endif
