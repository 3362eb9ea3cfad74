/**
 * Packets for tests: complete, with right lengths and checksums, from a few named fields. What a
 * test wants wrong it breaks afterwards, in the bytes.
 */
import {
  encodeGeneve, ETHERTYPE_IPV4, ETHERTYPE_IPV6, GENEVE_BYTES_MAX, newGeneveFields
} from '../../encap/geneve.ts'
import { addressWords, isIpv4Words } from '../../wire/address.ts'
import { writeU16, writeU32 } from '../../wire/bytes.ts'
import { checksumAdd, checksumFinish, pseudoHeaderSum } from '../../wire/checksum.ts'
import {
  ICMP_AT_CHECKSUM, ICMP_AT_IDENTIFIER, ICMP_ECHO_REQUEST, ICMP_HEADER_BYTES
} from '../../wire/icmp.ts'
import { ICMPV6_ECHO_REQUEST } from '../../wire/icmpv6.ts'
import {
  PROTOCOL_FRAGMENT, PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP
} from '../../wire/ip_protocol.ts'
import {
  IPV4_AT_DST, IPV4_AT_FRAGMENT, IPV4_AT_IDENTIFICATION, IPV4_AT_OPTIONS, IPV4_AT_PROTOCOL,
  IPV4_AT_SRC, IPV4_AT_TOTAL_LENGTH, IPV4_AT_TRAFFIC_CLASS, IPV4_AT_TTL, IPV4_FLAG_DONT_FRAGMENT,
  IPV4_FLAG_MORE_FRAGMENTS, IPV4_HEADER_BYTES_MIN, ipv4WriteChecksum
} from '../../wire/ipv4.ts'
import {
  IPV6_AT_DST, IPV6_AT_HOP_LIMIT, IPV6_AT_NEXT_HEADER, IPV6_AT_PAYLOAD_LENGTH, IPV6_AT_SRC,
  IPV6_FRAGMENT_AT_OFFSET, IPV6_FRAGMENT_HEADER_BYTES, IPV6_HEADER_BYTES, ipv6SetTrafficClass
} from '../../wire/ipv6.ts'
import {
  TCP_AT_CHECKSUM, TCP_AT_DATA_OFFSET, TCP_AT_DST_PORT, TCP_AT_FLAGS, TCP_AT_SEQUENCE,
  TCP_AT_SRC_PORT, TCP_FLAG_ACK, TCP_HEADER_BYTES_MIN
} from '../../wire/tcp.ts'
import {
  UDP_AT_CHECKSUM, UDP_AT_DST_PORT, UDP_AT_LENGTH, UDP_AT_SRC_PORT, UDP_HEADER_BYTES
} from '../../wire/udp.ts'

export interface PacketFields {
  readonly src: string
  readonly dst: string
  readonly protocol?: number
  readonly srcPort?: number
  readonly dstPort?: number
  readonly tcpFlags?: number
  readonly sequence?: number
  readonly icmpType?: number
  readonly icmpId?: number
  readonly payloadBytes?: number
  readonly ttl?: number
  readonly trafficClass?: number
  readonly dontFragment?: boolean
  /** A fragment: offset of its payload, and whether more follow. Its upper layer is plain bytes. */
  readonly fragment?: { readonly offsetBytes: number, readonly more: boolean }
  /** IPv4 options, a multiple of 4 bytes. */
  readonly options?: Uint8Array
  readonly identification?: number
  /** IPv6: extension headers before the fragment header, by number, each of 8 bytes of padding. */
  readonly extensions?: readonly number[]
}

const EXTENSION_BYTES = 8
/** Option PadN of 6 bytes (RFC 8200 §4.2), behind next header and length. */
const PADDING = [1, 4, 0, 0, 0, 0] as const

/** Bytes that tell where in a payload they stood. */
function fillPayload (bytes: Uint8Array, at: number, from: number): void {
  for (let offset = at; offset < bytes.length; offset++) {
    bytes[offset] = (offset - at + from) * 7 + 1
  }
}

/** One IP packet. TCP by default, flags ACK. */
export function ipPacket (fields: PacketFields): Uint8Array {
  const dst = addressWords(fields.dst)
  return isIpv4Words(dst[0], dst[1], dst[2]) ? ipv4Packet(fields) : ipv6Packet(fields)
}

function upperLayer (fields: PacketFields, protocol: number): Uint8Array {
  const payloadBytes = fields.payloadBytes ?? 32
  if (fields.fragment !== undefined && fields.fragment.offsetBytes > 0) {
    const bytes = new Uint8Array(payloadBytes)
    fillPayload(bytes, 0, fields.fragment.offsetBytes)
    return bytes
  }
  const headerBytes = protocol === PROTOCOL_TCP
    ? TCP_HEADER_BYTES_MIN
    : protocol === PROTOCOL_UDP ? UDP_HEADER_BYTES : isIcmp(protocol) ? ICMP_HEADER_BYTES : 0
  const bytes = new Uint8Array(headerBytes + payloadBytes)
  fillPayload(bytes, headerBytes, 0)
  if (protocol === PROTOCOL_TCP) {
    writeU16(bytes, TCP_AT_SRC_PORT, fields.srcPort ?? 40_000)
    writeU16(bytes, TCP_AT_DST_PORT, fields.dstPort ?? 80)
    bytes[TCP_AT_DATA_OFFSET] = (TCP_HEADER_BYTES_MIN >>> 2) << 4
    bytes[TCP_AT_FLAGS] = fields.tcpFlags ?? TCP_FLAG_ACK
    writeU32(bytes, TCP_AT_SEQUENCE, fields.sequence ?? 0)
  } else if (protocol === PROTOCOL_UDP) {
    writeU16(bytes, UDP_AT_SRC_PORT, fields.srcPort ?? 40_000)
    writeU16(bytes, UDP_AT_DST_PORT, fields.dstPort ?? 53)
    writeU16(bytes, UDP_AT_LENGTH, bytes.length)
  } else if (isIcmp(protocol)) {
    bytes[0] = fields.icmpType ?? (protocol === PROTOCOL_ICMP ? ICMP_ECHO_REQUEST
      : ICMPV6_ECHO_REQUEST)
    writeU16(bytes, ICMP_AT_IDENTIFIER, fields.icmpId ?? 1)
  }
  return bytes
}

function isIcmp (protocol: number): boolean {
  return protocol === PROTOCOL_ICMP || protocol === PROTOCOL_ICMPV6
}

function checksumAtOf (protocol: number): number {
  if (protocol === PROTOCOL_TCP) return TCP_AT_CHECKSUM
  if (protocol === PROTOCOL_UDP) return UDP_AT_CHECKSUM
  return isIcmp(protocol) ? ICMP_AT_CHECKSUM : -1
}

function writeUpperChecksum (
  bytes: Uint8Array, addressesAt: number, addressesBytes: number, l4At: number, protocol: number
): void {
  const at = checksumAtOf(protocol)
  if (at < 0) return
  const length = bytes.length - l4At
  const pseudo = protocol === PROTOCOL_ICMP
    ? 0
    : pseudoHeaderSum(bytes, addressesAt, addressesBytes, protocol, length)
  const checksum = checksumFinish(checksumAdd(pseudo, bytes, l4At, length))
  writeU16(bytes, l4At + at, checksum === 0 && protocol === PROTOCOL_UDP ? 0xffff : checksum)
}

function ipv4Packet (fields: PacketFields): Uint8Array {
  const protocol = fields.protocol ?? PROTOCOL_TCP
  const options = fields.options ?? new Uint8Array(0)
  const headerBytes = IPV4_HEADER_BYTES_MIN + options.length
  const upper = upperLayer(fields, protocol)
  const bytes = new Uint8Array(headerBytes + upper.length)
  bytes[0] = 0x40 | (headerBytes >>> 2)
  bytes[IPV4_AT_TRAFFIC_CLASS] = fields.trafficClass ?? 0
  writeU16(bytes, IPV4_AT_TOTAL_LENGTH, bytes.length)
  writeU16(bytes, IPV4_AT_IDENTIFICATION, fields.identification ?? 0x1234)
  const { fragment } = fields
  writeU16(bytes, IPV4_AT_FRAGMENT, ((fields.dontFragment ?? false) ? IPV4_FLAG_DONT_FRAGMENT : 0) |
    (fragment === undefined ? 0
      : (fragment.offsetBytes >>> 3) | (fragment.more ? IPV4_FLAG_MORE_FRAGMENTS : 0)))
  bytes[IPV4_AT_TTL] = fields.ttl ?? 64
  bytes[IPV4_AT_PROTOCOL] = protocol
  writeU32(bytes, IPV4_AT_SRC, addressWords(fields.src)[3])
  writeU32(bytes, IPV4_AT_DST, addressWords(fields.dst)[3])
  bytes.set(options, IPV4_AT_OPTIONS)
  bytes.set(upper, headerBytes)
  ipv4WriteChecksum(bytes, 0, headerBytes)
  if (fragment === undefined) writeUpperChecksum(bytes, IPV4_AT_SRC, 8, headerBytes, protocol)
  return bytes
}

function ipv6Packet (fields: PacketFields): Uint8Array {
  const protocol = fields.protocol ?? PROTOCOL_TCP
  const { fragment } = fields
  const extensions = fields.extensions ?? []
  const fragmentAt = IPV6_HEADER_BYTES + extensions.length * EXTENSION_BYTES
  const upper = upperLayer(fields, protocol)
  const l4At = fragmentAt + (fragment === undefined ? 0 : IPV6_FRAGMENT_HEADER_BYTES)
  const bytes = new Uint8Array(l4At + upper.length)
  bytes[0] = 0x60
  ipv6SetTrafficClass(bytes, 0, fields.trafficClass ?? 0)
  writeU16(bytes, IPV6_AT_PAYLOAD_LENGTH, bytes.length - IPV6_HEADER_BYTES)
  const chain = [...extensions, ...fragment === undefined ? [] : [PROTOCOL_FRAGMENT], protocol]
  bytes[IPV6_AT_NEXT_HEADER] = chain[0]
  extensions.forEach((_extension, index) => {
    bytes.set([chain[index + 1], 0, ...PADDING], IPV6_HEADER_BYTES + index * EXTENSION_BYTES)
  })
  bytes[IPV6_AT_HOP_LIMIT] = fields.ttl ?? 64
  const src = addressWords(fields.src)
  const dst = addressWords(fields.dst)
  for (let word = 0; word < 4; word++) {
    writeU32(bytes, IPV6_AT_SRC + 4 * word, src[word])
    writeU32(bytes, IPV6_AT_DST + 4 * word, dst[word])
  }
  if (fragment !== undefined) {
    bytes[fragmentAt] = protocol
    writeU16(bytes, fragmentAt + IPV6_FRAGMENT_AT_OFFSET,
      fragment.offsetBytes | (fragment.more ? 1 : 0))
  }
  bytes.set(upper, l4At)
  if (fragment === undefined) writeUpperChecksum(bytes, IPV6_AT_SRC, 32, l4At, protocol)
  return bytes
}

export interface VpcHeaderFields {
  readonly vni: number
  /** High and low word. */
  readonly sourceEni: readonly [number, number]
  readonly destinationEni: readonly [number, number]
  /** Underlay address that a host which forwards it says it came from. */
  readonly forwardedFrom?: string
}

/** An inner packet inside a VPC header, as it arrives from the underlay. */
export function vpcPacket (fields: VpcHeaderFields, inner: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(GENEVE_BYTES_MAX + inner.length)
  const from = addressWords(fields.forwardedFrom ?? '::')
  const headerBytes = encodeGeneve(bytes, 0, {
    ...newGeneveFields(),
    vni: fields.vni,
    sourceEniHigh: fields.sourceEni[0],
    sourceEniLow: fields.sourceEni[1],
    destinationEniHigh: fields.destinationEni[0],
    destinationEniLow: fields.destinationEni[1],
    isForwarded: fields.forwardedFrom === undefined ? 0 : 1,
    forwarded0: from[0],
    forwarded1: from[1],
    forwarded2: from[2],
    forwarded3: from[3],
    etherType: (inner[0] >>> 4) === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6
  })
  bytes.set(inner, headerBytes)
  return bytes.slice(0, headerBytes + inner.length)
}
