/* The link of a port: what stands before an IP packet on its device.
 *
 *     TUN   [ IP ]                                               nothing, 0 bytes
 *     TAP   [ destination 6 | source 6 | EtherType 2 | IP ]      Ethernet II, 14 bytes
 *
 * As a network card does, a port takes its header off what it receives and puts it before what it
 * sends; it has the one address of the guest at its other end and that of the router. A frame of
 * the guest that is IP and has the guest's source address becomes a plain packet, whose csum_start
 * counts from its IP header. Everything else (ARP, other EtherTypes, forged sources) is handed to
 * the router whole, as a packet of the port FRAME_PORTS + n, and the router may send such frames
 * by the same number.
 */
#ifndef VPCLAB_LINK_H
#define VPCLAB_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bytes.h"

#define ETHERNET_ADDRESS_BYTES 6
#define ETHERNET_BYTES         14
#define ETHERNET_AT_SOURCE     6
#define ETHERNET_AT_TYPE       12
#define ETHERTYPE_OF_IPV4      0x0800
#define ETHERTYPE_OF_IPV6      0x86dd

struct link {
  uint32_t bytes; /* of its header: 0, or ETHERNET_BYTES */
  uint8_t guest[ETHERNET_ADDRESS_BYTES];
  uint8_t router[ETHERNET_ADDRESS_BYTES];
};

/* EtherType of an IP packet, by its version. */
static inline uint16_t link_type_of(const uint8_t *ip) {
  return ip[0] >> 4 == 6 ? ETHERTYPE_OF_IPV6 : ETHERTYPE_OF_IPV4;
}

/* Writes the header for a packet to the guest: link->bytes bytes. */
static inline void link_write(const struct link *link, const uint8_t *ip, uint8_t *out) {
  if (link->bytes == 0) return;
  memcpy(out, link->guest, ETHERNET_ADDRESS_BYTES);
  memcpy(out + ETHERNET_AT_SOURCE, link->router, ETHERNET_ADDRESS_BYTES);
  write_u16(out + ETHERNET_AT_TYPE, link_type_of(ip));
}

/* Whether a frame of more than ETHERNET_BYTES bytes is an IP packet that the guest sent as
 * itself. */
static inline bool link_is_packet(const struct link *link, const uint8_t *frame) {
  return memcmp(frame + ETHERNET_AT_SOURCE, link->guest, ETHERNET_ADDRESS_BYTES) == 0 &&
         read_u16(frame + ETHERNET_AT_TYPE) == link_type_of(frame + ETHERNET_BYTES) &&
         (frame[ETHERNET_BYTES] >> 4 == 4 || frame[ETHERNET_BYTES] >> 4 == 6);
}

#endif
