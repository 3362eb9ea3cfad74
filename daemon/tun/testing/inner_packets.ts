/** Inner packets that tests send through ESP: ICMP echo and TCP, written byte by byte. */

const SOURCE = Uint8Array.of(10, 0, 1, 10)
const DESTINATION = Uint8Array.of(192, 168, 7, 20)
const IPV4_BYTES = 20
const TCP_BYTES = 20
const MSS_OPTION_BYTES = 4

/** RFC 1071 over `bytes`: 0 when a checksum inside is good. */
export function checksumOf (bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at++) sum += bytes.readUInt8(at) << (at % 2 === 0 ? 8 : 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.trunc(sum / 0x10000)
  return ~sum & 0xffff
}

interface Ipv4Fields { readonly trafficClass?: number, readonly dontFragment?: boolean }

function ipv4 (protocol: number, payload: Buffer, fields: Ipv4Fields): Buffer {
  const header = Buffer.alloc(IPV4_BYTES)
  header[0] = 0x45
  header[1] = fields.trafficClass ?? 0
  header.writeUInt16BE(IPV4_BYTES + payload.length, 2)
  header.writeUInt16BE(fields.dontFragment === true ? 0x4000 : 0, 6)
  header[8] = 64
  header[9] = protocol
  header.set(SOURCE, 12)
  header.set(DESTINATION, 16)
  header.writeUInt16BE(checksumOf(header), 10)
  return Buffer.concat([header, payload])
}

/** @param payloadBytes behind the 28 bytes of headers */
export function echoRequest (payloadBytes: number, fields: Ipv4Fields = {}): Buffer {
  const icmp = Buffer.alloc(8 + payloadBytes, 0x61)
  icmp.fill(0, 0, 8)
  icmp[0] = 8
  icmp.writeUInt16BE(checksumOf(icmp), 2)
  return ipv4(1, icmp, fields)
}

interface TcpFields {
  readonly sequence?: number
  /** Makes it a SYN with this option. */
  readonly mss?: number
  /** A whole checksum; otherwise the sum of the pseudo-header, as in a super-packet. */
  readonly checksum?: boolean
}

export function tcpSegment (payloadBytes: number, fields: TcpFields = {}): Buffer {
  const optionBytes = fields.mss === undefined ? 0 : MSS_OPTION_BYTES
  const tcp = Buffer.alloc(TCP_BYTES + optionBytes + payloadBytes)
  for (let at = TCP_BYTES + optionBytes; at < tcp.length; at++) tcp[at] = at * 31 & 0xff
  tcp.writeUInt16BE(40_000, 0)
  tcp.writeUInt16BE(443, 2)
  tcp.writeUInt32BE(fields.sequence ?? 1, 4)
  tcp[12] = (TCP_BYTES + optionBytes) / 4 << 4
  tcp[13] = fields.mss === undefined ? 0x10 : 0x02
  tcp.writeUInt16BE(65_535, 14)
  if (fields.mss !== undefined) {
    tcp.set([2, 4], TCP_BYTES)
    tcp.writeUInt16BE(fields.mss, TCP_BYTES + 2)
  }
  const pseudo = Buffer.concat([SOURCE, DESTINATION, Buffer.of(0, 6), Buffer.alloc(2)])
  pseudo.writeUInt16BE(tcp.length, 10)
  tcp.writeUInt16BE(fields.checksum === true ? checksumOf(Buffer.concat([pseudo, tcp]))
    : ~checksumOf(pseudo) & 0xffff, 16)
  return ipv4(6, tcp, { dontFragment: true })
}
