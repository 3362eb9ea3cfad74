/**
 * Packets that tests forge, built byte by byte from the RFCs and not from the product's own code,
 * so that a mistake there cannot hide behind itself.
 */

const IPV4_HEADER_BYTES = 20
const UDP_HEADER_BYTES = 8
const PROTOCOL_UDP = 17
const GENEVE_PROTOCOL_IPV4 = 0x0800

/** An IPv4 packet (RFC 791) with a UDP datagram to port 9 (discard) without a UDP checksum. */
export function ipv4UdpPacket (src: string, dst: string, payload = 'forged'): Buffer {
  const data = Buffer.from(payload)
  const packet = Buffer.alloc(IPV4_HEADER_BYTES + UDP_HEADER_BYTES + data.length)
  packet.set([0x45, 0], 0)
  packet.writeUInt16BE(packet.length, 2)
  packet.set([0, 0, 0x40, 0, 64, PROTOCOL_UDP], 4) // no id, DF, TTL 64
  packet.set(src.split('.').map(Number), 12)
  packet.set(dst.split('.').map(Number), 16)
  packet.writeUInt16BE(checksum(packet.subarray(0, IPV4_HEADER_BYTES)), 10)
  packet.writeUInt16BE(40_000, IPV4_HEADER_BYTES)
  packet.writeUInt16BE(9, IPV4_HEADER_BYTES + 2)
  packet.writeUInt16BE(UDP_HEADER_BYTES + data.length, IPV4_HEADER_BYTES + 4)
  packet.set(data, IPV4_HEADER_BYTES + UDP_HEADER_BYTES)
  return packet
}

export interface GeneveFields {
  readonly vni: number
  /** `eni-…` ids. */
  readonly sourceEni: string
  readonly destinationEni: string
  /** IPv4 address that a host which forwards the packet had it from. */
  readonly forwardedFrom?: string
  readonly version?: number
  /** Adds an option that nobody knows, with the critical bit. */
  readonly unknownCriticalOption?: boolean
  /** Claims more 4-byte words of options than follow. */
  readonly optionWordsTooMany?: number
}

/** A Geneve header (RFC 8926 §3.4) with the options of a VPC header, before an inner packet. */
export function genevePacket (fields: GeneveFields, inner: Buffer): Buffer {
  const options = Buffer.concat([
    eniOption(0x01, fields.sourceEni),
    eniOption(0x02, fields.destinationEni),
    ...(fields.forwardedFrom === undefined ? [] : [forwardedOption(fields.forwardedFrom)]),
    ...(fields.unknownCriticalOption === true ? [Buffer.from('fff5ff00', 'hex')] : [])
  ])
  const header = Buffer.alloc(8)
  const optionWords = options.length / 4 + (fields.optionWordsTooMany ?? 0)
  header.writeUInt8((fields.version ?? 0) << 6 | optionWords, 0)
  header.writeUInt8(fields.unknownCriticalOption === true ? 0x40 : 0, 1)
  header.writeUInt16BE(GENEVE_PROTOCOL_IPV4, 2)
  header.writeUInt32BE(fields.vni << 8 >>> 0, 4)
  return Buffer.concat([header, options, inner])
}

/** Option class 0xFFF5 with the 16 significant digits of an ENI's id. */
function eniOption (type: number, eni: string): Buffer {
  return Buffer.concat([Buffer.from([0xff, 0xf5, type, 2]), Buffer.from(eni.slice(-16), 'hex')])
}

/** Type 6: an IPv4 address as ::ffff:a.b.c.d. */
function forwardedOption (address: string): Buffer {
  return Buffer.concat([Buffer.from('fff5060400000000000000000000ffff', 'hex'),
    Buffer.from(address.split('.').map(Number))])
}

/** RFC 1071. */
function checksum (bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
