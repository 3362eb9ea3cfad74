/**
 * Why packets are dropped: every drop has exactly one of these numbers, and one counter per ENI
 * (dataplane/counters.ts). Numbers are stable: the words of the counters are found by them.
 * Each line is a row of docs/errors.md (test/tidy compares them).
 *
 * To add a reason: one constant, one line in DROP_REASONS, one row in docs/errors.md.
 */

export const DROP_NONE = 0
// Parse
export const DROP_MALFORMED = 1
export const DROP_FRAGMENT_INVALID = 2
// Egress from an ENI
export const DROP_SOURCE_SPOOFED = 3
export const DROP_MULTICAST = 4
export const DROP_LINK_LOCAL = 5
export const DROP_NO_ROUTE = 6
export const DROP_BLACKHOLE = 7
export const DROP_NO_MAPPING = 8
export const DROP_MAPPING_QUEUE_FULL = 9
export const DROP_MAPPING_TIMEOUT = 10
export const DROP_TTL_EXPIRED = 11
export const DROP_TOO_BIG = 12
// Ingress from the underlay
export const DROP_GENEVE_MALFORMED = 13
export const DROP_GENEVE_VERSION = 14
export const DROP_GENEVE_CRITICAL_OPTION = 15
export const DROP_VNI_UNKNOWN = 16
export const DROP_ENI_NOT_HERE = 17
export const DROP_VNI_MISMATCH = 18
export const DROP_SOURCE_HOST = 19
export const DROP_DESTINATION_CHECK = 20
// Devices
export const DROP_PORT_CLOSED = 21
export const DROP_UNDERLAY_ERROR = 22
// Policy
export const DROP_SECURITY_GROUP_EGRESS = 23
export const DROP_SECURITY_GROUP_INGRESS = 24
export const DROP_NETWORK_ACL_EGRESS = 25
export const DROP_NETWORK_ACL_INGRESS = 26
// More of the steps above; numbers are stable, so they stand at the end
export const DROP_PORT_UNKNOWN = 27
export const DROP_SERVICE_SPOOFED = 28
export const DROP_CONGESTION_MARK = 29
export const DROP_TRANSMIT_QUEUE_FULL = 30
export const DROP_CONNECTION_TABLE_FULL = 31
// Traffic mirroring: copies, not packets
export const DROP_MIRROR_TARGET = 32
export const DROP_MIRROR_QUEUE_FULL = 33
// Gateways
export const DROP_NO_PUBLIC_ADDRESS = 34
export const DROP_MARTIAN = 35
export const DROP_PUBLIC_ADDRESS_UNKNOWN = 36
export const DROP_GATEWAY_DOWN = 37
// Peering
export const DROP_PEER_TRANSIT = 38
// NAT and egress-only gateways
export const DROP_NAT_PROTOCOL = 39
export const DROP_NAT_FRAGMENT = 40
export const DROP_NAT_NO_FLOW = 41
export const DROP_NAT_IDLE = 42
export const DROP_PORT_ALLOCATION = 43
export const DROP_NAT_TABLE_FULL = 44
export const DROP_REPLICATION = 45
// Services of the VPC
export const DROP_LINK_LOCAL_ALLOWANCE = 46
// Virtual private gateways
export const DROP_VPN_NO_TUNNEL = 47
export const DROP_VPN_NO_ROUTE = 48
export const DROP_VPN_SOURCE = 49
export const DROP_VPN_SELECTOR = 50
export const DROP_ESP_NO_SA = 51
export const DROP_ESP_MALFORMED = 52
export const DROP_ESP_REPLAY = 53
export const DROP_ESP_AUTHENTICATION = 54
export const DROP_ESP_EXPIRED = 55
// Frames of a TAP
export const DROP_MAC_SPOOFED = 56
export const DROP_ETHERTYPE = 57
export const DROP_ARP_REFUSED = 58
export const DROP_NAT_CAPACITY = 59
// Impairments that a person has set
export const DROP_IMPAIRED_LOSS = 60
export const DROP_IMPAIR_QUEUE_FULL = 61
export const DROP_PARTITIONED = 62
// The encrypted underlay
export const DROP_UNDERLAY_NO_KEY = 63
export const DROP_UNDERLAY_UNENCRYPTED = 64
export const DROP_UNDERLAY_UNKNOWN_KEY = 65
export const DROP_UNDERLAY_REPLAY = 66
export const DROP_UNDERLAY_AUTHENTICATION = 67
// Forwarding after a move
export const DROP_FORWARDER = 68

/** Room for reasons in the counters; raising it changes the layout. */
export const DROP_REASONS_MAX = 80

export interface DropReason {
  /** As `vpcctl drops` prints it. */
  readonly name: string
  /** One sentence for a person. */
  readonly meaning: string
}

/** Index = DROP_* number. */
export const DROP_REASONS: readonly DropReason[] = [
  { name: 'none', meaning: 'The packet was not dropped.' },
  {
    name: 'malformed',
    meaning: 'A header is cut short, contradicts the length of the packet, ' +
      'or has a bad checksum.'
  },
  {
    name: 'fragment-invalid',
    meaning: 'A fragment overlaps the first header or ends past 65,535 bytes.'
  },
  {
    name: 'source-spoofed',
    meaning: 'The source address is not one of the ENI, ' +
      'and its source/destination check is on.'
  },
  {
    name: 'multicast',
    meaning: 'The destination is multicast or broadcast, which a VPC does not carry.'
  },
  {
    name: 'link-local',
    meaning: 'The destination is link-local and no service of the VPC answers there.'
  },
  { name: 'no-route', meaning: 'The route table of the subnet has no route for the destination.' },
  {
    name: 'blackhole',
    meaning: 'The most specific route points at a target that is gone or stopped.'
  },
  { name: 'no-mapping', meaning: 'No ENI of the VPC has the destination address.' },
  {
    name: 'mapping-queue-full',
    meaning: 'Too many packets already wait for the mapping of that address.'
  },
  {
    name: 'mapping-timeout',
    meaning: 'The mapping service did not answer while the packet waited.'
  },
  {
    name: 'ttl-expired',
    meaning: 'The TTL or hop limit reached 0 at the router between two subnets.'
  },
  { name: 'too-big', meaning: 'The packet exceeds the MTU of the path and may not be fragmented.' },
  {
    name: 'geneve-malformed',
    meaning: 'The Geneve header is cut short, its options do not add up, ' +
      'or the inner packet does not match.'
  },
  {
    name: 'geneve-version',
    meaning: 'The Geneve version is not 0, or the protocol type is not IP.'
  },
  {
    name: 'geneve-critical-option',
    meaning: 'The Geneve header carries a critical option that is not known here.'
  },
  { name: 'vni-unknown', meaning: 'No VPC of this host has that virtual network identifier.' },
  { name: 'eni-not-here', meaning: 'The destination ENI is not on this host.' },
  {
    name: 'vni-mismatch',
    meaning: 'The destination or source ENI belongs to another VPC than the VNI says.'
  },
  {
    name: 'bad-host',
    meaning: 'The outer source address is not the host on which the source ENI lives.'
  },
  {
    name: 'destination-check',
    meaning: 'The destination address is not one of the ENI, ' +
      'and its source/destination check is on.'
  },
  { name: 'port-closed', meaning: 'The device of the destination ENI is not open.' },
  { name: 'underlay-error', meaning: 'The underlay socket refused to send the packet.' },
  {
    name: 'security-group-egress',
    meaning: 'No outbound rule of the ENI\'s security groups allows the packet.'
  },
  {
    name: 'security-group-ingress',
    meaning: 'No inbound rule of the ENI\'s security groups allows the packet.'
  },
  {
    name: 'network-acl-egress',
    meaning: 'The outbound network ACL of the subnet denies the packet.'
  },
  {
    name: 'network-acl-ingress',
    meaning: 'The inbound network ACL of the subnet denies the packet.'
  },
  {
    name: 'port-unknown',
    meaning: 'The device belongs to no ENI that this host knows (yet, or any more).'
  },
  {
    name: 'service-spoofed',
    meaning: 'The packet plays a DHCP server or a router, which only the VPC itself may.'
  },
  {
    name: 'congestion-mark',
    meaning: 'The underlay marked congestion on a packet whose sender does no ECN (RFC 6040).'
  },
  {
    name: 'transmit-queue-full',
    meaning: 'One burst produced more packets than the NIC takes at once.'
  },
  {
    name: 'connection-table-full',
    meaning: 'The packet opens a tracked connection, and the host has no room for another one.'
  },
  {
    name: 'mirror-target',
    meaning: 'The copy of a mirrored packet finds no way to its traffic mirror target.'
  },
  {
    name: 'mirror-queue-full',
    meaning: 'Too many copies of mirrored packets wait while other packets are sent first.'
  },
  {
    name: 'no-public-address',
    meaning: 'The source has no public address with which it could cross the internet gateway.'
  },
  {
    name: 'martian',
    meaning: 'The packet crosses the internet gateway from or to an address that the internet ' +
      'does not route.'
  },
  {
    name: 'public-address-unknown',
    meaning: 'No VPC has the public address that the packet from the internet is for.'
  },
  { name: 'gateway-down', meaning: 'None of the hosts that serve the gateway is up.' },
  {
    name: 'peer-transit',
    meaning: 'A peering reaches addresses of the peer VPC only, and the destination is none.'
  },
  {
    name: 'nat-protocol',
    meaning: 'A NAT gateway carries TCP, UDP and ICMP echo of IPv4, and of IPv6 to 64:ff9b::/96; ' +
      'an egress-only one those of IPv6.'
  },
  {
    name: 'nat-fragment',
    meaning: 'A NAT or egress-only gateway forwards fragments of UDP alone, after the first one.'
  },
  {
    name: 'nat-no-flow',
    meaning: 'Nobody inside has opened the flow that the packet from outside belongs to.'
  },
  {
    name: 'nat-idle',
    meaning: 'The connection that the packet from inside belongs to has idled out or never was.'
  },
  {
    name: 'port-allocation',
    meaning: 'No source port is free for the destination at any address of the NAT gateway.'
  },
  {
    name: 'nat-table-full',
    meaning: 'The packet opens a flow, and the HyperPlane node has no room for another one.'
  },
  {
    name: 'replication',
    meaning: 'The other HyperPlane nodes of the resource did not confirm the flow in time.'
  },
  {
    name: 'link-local-allowance',
    meaning: 'The ENI sent more than 1,024 packets in a second to the services of its VPC.'
  },
  {
    name: 'vpn-no-tunnel',
    meaning: 'The tunnel of the virtual private gateway that has the route is down.'
  },
  {
    name: 'vpn-no-route',
    meaning: 'No tunnel of the virtual private gateway has a route to the destination.'
  },
  {
    name: 'vpn-source',
    meaning: 'The packet from a VPN tunnel claims a source address of the VPC.'
  },
  {
    name: 'vpn-selector',
    meaning: 'The packet is not between the networks that the two ends of the tunnel agreed on.'
  },
  {
    name: 'esp-no-sa',
    meaning: 'No security association has the SPI of the ESP packet.'
  },
  {
    name: 'esp-malformed',
    meaning: 'The ESP packet is cut short, or contradicts itself.'
  },
  {
    name: 'esp-replay',
    meaning: 'The ESP packet was received before, or is older than the replay window.'
  },
  {
    name: 'esp-authentication',
    meaning: 'The tag of the ESP packet is wrong: it is forged, damaged, or of other keys.'
  },
  {
    name: 'esp-expired',
    meaning: 'The security association of the tunnel has reached its limit.'
  },
  { name: 'mac-spoofed', meaning: 'The source MAC address of the frame is not that of the ENI.' },
  {
    name: 'ethertype',
    meaning: 'The frame carries neither IPv4 nor IPv6 nor ARP, which is all that a VPC knows.'
  },
  {
    name: 'arp-refused',
    meaning: 'The ARP frame is no request for an address that the router of the subnet answers for.'
  },
  {
    name: 'nat-capacity',
    meaning: 'The packet opens a flow, and the resource has its share of flows at the HyperPlane ' +
      'node, or of new ones in this second.'
  },
  {
    name: 'impaired-loss',
    meaning: 'An impairment of the ENI or host loses packets, and this was one of them.'
  },
  {
    name: 'impair-queue-full',
    meaning: 'More packets than its limit wait for the delay or the rate of an impairment.'
  },
  { name: 'partitioned', meaning: 'The two hosts are cut off from each other by a partition.' },
  {
    name: 'underlay-no-key',
    meaning: 'The underlay is encrypted, and no key is agreed on with the host that the packet ' +
      'is for.'
  },
  {
    name: 'underlay-unencrypted',
    meaning: 'The underlay is encrypted, and the datagram from another host is not.'
  },
  {
    name: 'underlay-unknown-key',
    meaning: 'The host that the encrypted datagram comes from has no key of that id (any more).'
  },
  {
    name: 'underlay-replay',
    meaning: 'The encrypted datagram was received before, or is older than the replay window.'
  },
  {
    name: 'underlay-authentication',
    meaning: 'The tag of the encrypted datagram is wrong: it is forged, damaged, or of another ' +
      'key.'
  },
  {
    name: 'bad-forwarder',
    meaning: 'A host forwarded the packet that the destination ENI has not left within the last ' +
      'minute.'
  }
]
