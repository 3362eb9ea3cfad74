/* See tun.h. Kernel facts that this file relies on are tested in test/platform/tun.test.ts. */
#include "tun.h"

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>

#include "coalesce.h"
#include "descriptor.h"
#include "namespace.h"

/* Linux 6.2; older headers lack them. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define OFFLOADS_TSO (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)
#define OFFLOADS_USO (TUN_F_USO4 | TUN_F_USO6)

_Static_assert(sizeof(struct virtio_net_hdr) == 10, "TUNSETVNETHDRSZ is told 10");
_Static_assert(GSO_TCPV4 == VIRTIO_NET_HDR_GSO_TCPV4 && GSO_TCPV6 == VIRTIO_NET_HDR_GSO_TCPV6 &&
                   GSO_ECN == VIRTIO_NET_HDR_GSO_ECN &&
                   CSUM_NEEDED == VIRTIO_NET_HDR_F_NEEDS_CSUM &&
                   CSUM_VALID == VIRTIO_NET_HDR_F_DATA_VALID,
               "descriptors carry the values of virtio-net");

static void set_offloads(int fd, struct tun_offloads *offloads) {
  offloads->uso = ioctl(fd, TUNSETOFFLOAD, OFFLOADS_TSO | OFFLOADS_USO) == 0;
  offloads->tso = offloads->uso || ioctl(fd, TUNSETOFFLOAD, OFFLOADS_TSO) == 0;
  if (!offloads->tso) ioctl(fd, TUNSETOFFLOAD, 0);
}

/* Sets IFLA_GSO_MAX_SIZE. A kernel that refuses leaves longer super-packets, which only cost a
 * second system call each, so nothing is reported. */
static void limit_gso(const char *name) {
  struct {
    struct nlmsghdr header;
    struct ifinfomsg info;
    struct rtattr attribute;
    uint32_t value;
  } request = {
      .header = {.nlmsg_len = sizeof request,
                 .nlmsg_type = RTM_NEWLINK,
                 .nlmsg_flags = NLM_F_REQUEST},
      .info = {.ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex(name)},
      .attribute = {.rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = IFLA_GSO_MAX_SIZE},
      .value = TUN_GSO_BYTES_MAX,
  };
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return;
  if (request.info.ifi_index > 0) (void)!send(fd, &request, sizeof request, 0);
  close(fd);
}

/* How long a device that is busy is waited for. */
#define BUSY_NS        500000
#define BUSY_TRIES_MAX 10

/* A device is busy until the last copy of its former descriptor is closed. A program that is being
 * started has one until it executes, so a device that was closed a moment ago is waited for. */
static int attach_when_free(int fd, struct ifreq *request) {
  const struct timespec pause = {.tv_nsec = BUSY_NS};
  int result = ioctl(fd, TUNSETIFF, request);
  for (int tries = 0; result < 0 && errno == EBUSY && tries < BUSY_TRIES_MAX; tries++) {
    nanosleep(&pause, NULL);
    result = ioctl(fd, TUNSETIFF, request);
  }
  return result;
}

/* Attaches a new descriptor to the device `name`; with a "%d" in it the kernel picks a free
 * number. */
static int attach(int fd, const char *name, enum tun_mode mode, struct failure *failure) {
  int kind = mode == MODE_TAP ? IFF_TAP : IFF_TUN;
  struct ifreq request = {.ifr_flags = (short)(kind | IFF_NO_PI | IFF_VNET_HDR)};
  int header_bytes = sizeof(struct virtio_net_hdr);
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (attach_when_free(fd, &request) < 0) return fail(failure, "ioctl TUNSETIFF");
  if (ioctl(fd, TUNSETVNETHDRSZ, &header_bytes) < 0) return fail(failure, "ioctl TUNSETVNETHDRSZ");
  return 0;
}

static int open_here(const char *name, enum tun_mode mode, bool persistent,
                     struct tun_offloads *offloads, struct failure *failure) {
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return fail(failure, "open /dev/net/tun");
  if (attach(fd, name, mode, failure) < 0) {
    close(fd);
    return -1;
  }
  set_offloads(fd, offloads);
  if (persistent && ioctl(fd, TUNSETPERSIST, 1) < 0) {
    fail(failure, "ioctl TUNSETPERSIST");
    close(fd);
    return -1;
  }
  if (persistent) limit_gso(name);
  return fd;
}

int tun_open(int namespace_fd, const char *name, enum tun_mode mode, bool must_exist,
             struct tun_offloads *offloads, struct failure *failure) {
  int previous = namespace_enter(namespace_fd, failure);
  if (previous < 0) return -1;
  bool is_missing = must_exist && if_nametoindex(name) == 0;
  int fd =
      is_missing ? fail(failure, "if_nametoindex") : open_here(name, mode, true, offloads, failure);
  namespace_leave(previous);
  return fd;
}

int tun_probe(int namespace_fd, struct tun_offloads *offloads, struct failure *failure) {
  int previous = namespace_enter(namespace_fd, failure);
  if (previous < 0) return -1;
  int fd = open_here("vpcprobe%d", MODE_TUN, false, offloads, failure);
  namespace_leave(previous);
  if (fd < 0) return -1;
  close(fd);
  return 0;
}

ssize_t tun_read(int fd, struct virtio_net_hdr *header, void *at, size_t bytes) {
  struct iovec iov[2] = {{header, sizeof *header}, {at, bytes}};
  ssize_t n = readv(fd, iov, 2);
  if (n < 0) return -errno;
  return n < (ssize_t)sizeof *header ? 0 : n - (ssize_t)sizeof *header;
}

int tun_write(int fd, const struct link *link, const struct packet *packet) {
  uint8_t front[sizeof(struct virtio_net_hdr) + ETHERNET_BYTES];
  struct virtio_net_hdr header = {.flags = packet->csum};
  if (packet->csum & CSUM_NEEDED) {
    header.csum_start = (uint16_t)(packet->csum_start + link->bytes);
    header.csum_offset = packet->csum_offset;
  }
  if (packet->gso_type != GSO_NONE) {
    header.gso_type = packet->gso_type;
    header.gso_size = packet->gso_size;
    header.hdr_len = (uint16_t)(super_payload_at(packet->at, packet->bytes, packet->csum_start,
                                                 packet->csum_offset) +
                                link->bytes);
  }
  memcpy(front, &header, sizeof header);
  link_write(link, packet->at, front + sizeof header);
  struct iovec iov[2 + RUN_PIECES_MAX];
  iov[0] = (struct iovec){front, sizeof header + link->bytes};
  iov[1] = (struct iovec){(void *)(uintptr_t)packet->at, packet->bytes};
  if (packet->piece_count > 0) memcpy(iov + 2, packet->pieces, packet->piece_count * sizeof *iov);
  return writev(fd, iov, 2 + (int)packet->piece_count) < 0 ? -errno : 0;
}

int tun_write_parts(int fd, struct iovec *iov, int count) {
  struct virtio_net_hdr header = {.flags = 0};
  iov[0] = (struct iovec){&header, sizeof header};
  return writev(fd, iov, 1 + count) < 0 ? -errno : 0;
}
