/* The border between the NIC and the router, for C: the layout of descriptors.
 *
 * The theory, and who owns which byte, stands in ../descriptor.ts; this file repeats its numbers,
 * and descriptor.test.ts compares the two. Offsets are word indices into an int32_t array.
 */
#ifndef VPCLAB_DESCRIPTOR_H
#define VPCLAB_DESCRIPTOR_H

#define PORT_UNDERLAY          0
#define FRAME_PORTS            4096

#define RX_PORT                0
#define RX_AT                  1
#define RX_BYTES               2
#define RX_TOTAL_BYTES         3
#define RX_GSO_TYPE            4
#define RX_GSO_SIZE            5
#define RX_CSUM                6
#define RX_CSUM_FIELD          7
#define RX_SEGMENTS            8
#define RX_RUN                 9
#define RX_SOURCE_AT           10
#define RX_OUTER_TRAFFIC_CLASS 11
#define RX_WORDS               12

#define TX_PORT                0
#define TX_AT                  1
#define TX_BYTES               2
#define TX_TOTAL_BYTES         3
#define TX_GSO_TYPE            4
#define TX_GSO_SIZE            5
#define TX_CSUM                6
#define TX_CSUM_FIELD          7
#define TX_RUN                 8
#define TX_PEER                9
#define TX_SOURCE_PORT         10
#define TX_OUTER_TRAFFIC_CLASS 11
#define TX_HEADER_AT           12
#define TX_HEADER_BYTES        13
#define TX_WORDS               14

#define TX_HEADER_BYTES_MAX    64

#define GSO_NONE               0
#define GSO_TCPV4              1
#define GSO_TCPV6              4
#define GSO_UDP                5
#define GSO_ECN                0x80

#define CSUM_NEEDED            1
#define CSUM_VALID             2

#define PACKET_BYTES_MAX       65575
#define RX_HEADROOM_BYTES      64

#endif
