/**
 * Packets to be explained: a few named fields, and the smallest whole packet that has them. What is
 * not named is what a first packet of a plain conversation would have. The other way round, the
 * fields of a packet that the parser has read.
 */
import { formatAddress, addressWords, isIpv4Words } from '../wire/address.ts'
import { writeU16, writeU32 } from '../wire/bytes.ts'
import type { PacketContext } from '../dataplane/packet.ts'
import { ICMP_AT_IDENTIFIER, ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST } from '../wire/icmp.ts'
import { ICMPV6_ECHO_REPLY, ICMPV6_ECHO_REQUEST } from '../wire/icmpv6.ts'
import {
  PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP
} from '../wire/ip_protocol.ts'
import {
  IPV4_AT_DST, IPV4_AT_FRAGMENT, IPV4_AT_PROTOCOL, IPV4_AT_SRC, IPV4_AT_TOTAL_LENGTH, IPV4_AT_TTL,
  IPV4_FLAG_DONT_FRAGMENT, IPV4_HEADER_BYTES_MIN, IPV4_TOTAL_LENGTH_MAX, ipv4WriteChecksum
} from '../wire/ipv4.ts'
import {
  IPV6_AT_DST, IPV6_AT_HOP_LIMIT, IPV6_AT_NEXT_HEADER, IPV6_AT_PAYLOAD_LENGTH, IPV6_AT_SRC,
  IPV6_HEADER_BYTES
} from '../wire/ipv6.ts'
import {
  TCP_AT_DATA_OFFSET, TCP_AT_DST_PORT, TCP_AT_FLAGS, TCP_AT_SRC_PORT, TCP_FLAG_ACK, TCP_FLAG_SYN,
  TCP_HEADER_BYTES_MIN
} from '../wire/tcp.ts'
import { UDP_AT_DST_PORT, UDP_AT_LENGTH, UDP_AT_SRC_PORT, UDP_HEADER_BYTES } from '../wire/udp.ts'

/** First port that Linux gives to a client; what a packet comes from when nobody says. */
export const CLIENT_PORT = 32_768
/** Largest packet that can be asked about, bytes. */
export const MADE_PACKET_BYTES_MAX = IPV4_TOTAL_LENGTH_MAX

const ICMP_BYTES = 8
const TTL = 64
const PROBE_IDENTIFIER = 1
const IPV6_VERSION_BYTE = 0x60
const IPV4_VERSION_NIBBLE = 0x40

/** One packet, as a person names it. */
export interface PacketFields {
  readonly source: string
  readonly destination: string
  /** IP protocol number. */
  readonly protocol: number
  /** TCP and UDP; 0 for others. */
  readonly sourcePort: number
  readonly destinationPort: number
  /** ICMP and ICMPv6; 0 for others. */
  readonly icmpType: number
  readonly icmpCode: number
  /** Echo alone. */
  readonly icmpIdentifier: number
  /** TCP_FLAG_* */
  readonly tcpFlags: number
  readonly ttl: number
  /** Of the whole IP packet; more when its headers need more. */
  readonly bytes: number
  readonly dontFragment: boolean
}

/** What opens a conversation between two addresses of one family. */
export type Opening = Pick<PacketFields, 'source' | 'destination' | 'protocol'> &
  Partial<PacketFields>

/**
 * The packet that opens a conversation: SYN, a datagram, an echo request. `icmp` means that of the
 * family. Precondition: both addresses are of one family.
 */
export function openingPacket (opening: Opening): PacketFields {
  const isIpv6 = opening.source.includes(':')
  const protocol = opening.protocol === PROTOCOL_ICMP && isIpv6 ? PROTOCOL_ICMPV6 : opening.protocol
  const isIcmp = protocol === PROTOCOL_ICMP || protocol === PROTOCOL_ICMPV6
  return {
    sourcePort: hasPorts(protocol) ? CLIENT_PORT : 0,
    destinationPort: 0,
    icmpType: isIcmp ? (isIpv6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO_REQUEST) : 0,
    icmpCode: 0,
    icmpIdentifier: isIcmp ? PROBE_IDENTIFIER : 0,
    tcpFlags: protocol === PROTOCOL_TCP ? TCP_FLAG_SYN : 0,
    ttl: TTL,
    bytes: 0,
    dontFragment: true,
    ...opening,
    protocol
  }
}

/** The packet with which the other side answers an opening one. */
export function answerTo (packet: PacketFields): PacketFields {
  return {
    ...packet,
    source: packet.destination,
    destination: packet.source,
    sourcePort: packet.destinationPort,
    destinationPort: packet.sourcePort,
    icmpType: echoReplyOf(packet),
    tcpFlags: packet.protocol === PROTOCOL_TCP ? TCP_FLAG_SYN | TCP_FLAG_ACK : 0,
    ttl: TTL
  }
}

function echoReplyOf ({ protocol, icmpType }: PacketFields): number {
  if (protocol === PROTOCOL_ICMP && icmpType === ICMP_ECHO_REQUEST) return ICMP_ECHO_REPLY
  if (protocol === PROTOCOL_ICMPV6 && icmpType === ICMPV6_ECHO_REQUEST) return ICMPV6_ECHO_REPLY
  return icmpType
}

/** Whether a protocol has ports. */
export function hasPorts (protocol: number): boolean {
  return protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP
}

/**
 * Writes the packet into a buffer of its own behind `headroom` bytes. Checksums above IP are left
 * out: no step of the data plane looks at them.
 */
export function makePacket (fields: PacketFields, headroom: number): Uint8Array {
  const words = addressWords(fields.destination)
  const isIpv4 = isIpv4Words(words[0]!, words[1]!, words[2]!)
  const ipBytes = isIpv4 ? IPV4_HEADER_BYTES_MIN : IPV6_HEADER_BYTES
  const packetBytes = Math.max(ipBytes + upperBytes(fields.protocol), fields.bytes)
  const bytes = new Uint8Array(headroom + packetBytes)
  if (isIpv4) writeIpv4(bytes, headroom, fields, packetBytes)
  else writeIpv6(bytes, headroom, fields, packetBytes)
  writeUpper(bytes, headroom + ipBytes, fields, packetBytes - ipBytes)
  return bytes
}

function upperBytes (protocol: number): number {
  switch (protocol) {
    case PROTOCOL_TCP: return TCP_HEADER_BYTES_MIN
    case PROTOCOL_UDP: return UDP_HEADER_BYTES
    case PROTOCOL_ICMP: case PROTOCOL_ICMPV6: return ICMP_BYTES
    default: return 0
  }
}

function writeIpv4 (
  bytes: Uint8Array, at: number, fields: PacketFields, packetBytes: number
): void {
  bytes[at] = IPV4_VERSION_NIBBLE | (IPV4_HEADER_BYTES_MIN >>> 2)
  writeU16(bytes, at + IPV4_AT_TOTAL_LENGTH, packetBytes)
  writeU16(bytes, at + IPV4_AT_FRAGMENT, fields.dontFragment ? IPV4_FLAG_DONT_FRAGMENT : 0)
  bytes[at + IPV4_AT_TTL] = fields.ttl
  bytes[at + IPV4_AT_PROTOCOL] = fields.protocol
  writeU32(bytes, at + IPV4_AT_SRC, addressWords(fields.source)[3]!)
  writeU32(bytes, at + IPV4_AT_DST, addressWords(fields.destination)[3]!)
  ipv4WriteChecksum(bytes, at, IPV4_HEADER_BYTES_MIN)
}

function writeIpv6 (
  bytes: Uint8Array, at: number, fields: PacketFields, packetBytes: number
): void {
  bytes[at] = IPV6_VERSION_BYTE
  writeU16(bytes, at + IPV6_AT_PAYLOAD_LENGTH, packetBytes - IPV6_HEADER_BYTES)
  bytes[at + IPV6_AT_NEXT_HEADER] = fields.protocol
  bytes[at + IPV6_AT_HOP_LIMIT] = fields.ttl
  addressWords(fields.source).forEach((word, index) => {
    writeU32(bytes, at + IPV6_AT_SRC + 4 * index, word)
  })
  addressWords(fields.destination).forEach((word, index) => {
    writeU32(bytes, at + IPV6_AT_DST + 4 * index, word)
  })
}

function writeUpper (bytes: Uint8Array, at: number, fields: PacketFields, count: number): void {
  switch (fields.protocol) {
    case PROTOCOL_TCP:
      writeU16(bytes, at + TCP_AT_SRC_PORT, fields.sourcePort)
      writeU16(bytes, at + TCP_AT_DST_PORT, fields.destinationPort)
      bytes[at + TCP_AT_DATA_OFFSET] = (TCP_HEADER_BYTES_MIN >>> 2) << 4
      bytes[at + TCP_AT_FLAGS] = fields.tcpFlags
      return
    case PROTOCOL_UDP:
      writeU16(bytes, at + UDP_AT_SRC_PORT, fields.sourcePort)
      writeU16(bytes, at + UDP_AT_DST_PORT, fields.destinationPort)
      writeU16(bytes, at + UDP_AT_LENGTH, count)
      return
    case PROTOCOL_ICMP: case PROTOCOL_ICMPV6:
      bytes[at] = fields.icmpType
      bytes[at + 1] = fields.icmpCode
      writeU16(bytes, at + ICMP_AT_IDENTIFIER, fields.icmpIdentifier)
  }
}

/** The fields of a packet that `parsePacket` has read. */
export function fieldsOf (p: PacketContext): PacketFields {
  const isIcmp = p.protocol === PROTOCOL_ICMP || p.protocol === PROTOCOL_ICMPV6
  return {
    source: formatAddress(Int32Array.of(p.src0, p.src1, p.src2, p.src3)),
    destination: formatAddress(Int32Array.of(p.dst0, p.dst1, p.dst2, p.dst3)),
    protocol: p.protocol,
    sourcePort: hasPorts(p.protocol) ? p.ports >>> 16 : 0,
    destinationPort: hasPorts(p.protocol) ? p.ports & 0xffff : 0,
    icmpType: p.icmpType,
    icmpCode: p.icmpCode,
    icmpIdentifier: isIcmp ? p.ports & 0xffff : 0,
    tcpFlags: p.tcpFlags,
    ttl: p.ttl,
    bytes: p.totalBytes,
    dontFragment: p.dontFragment !== 0
  }
}

/** Addresses of a context as text: what a gateway has made of them. */
export function sourceOf ({ src0, src1, src2, src3 }: PacketContext): string {
  return formatAddress(Int32Array.of(src0, src1, src2, src3))
}
export function destinationOf ({ dst0, dst1, dst2, dst3 }: PacketContext): string {
  return formatAddress(Int32Array.of(dst0, dst1, dst2, dst3))
}
