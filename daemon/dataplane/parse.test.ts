import test from 'ava'
import fc from 'fast-check'
import { CSUM_NEEDED, GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP } from '../tun/descriptor.ts'
import { writeU16 } from '../wire/bytes.ts'
import { echoIdentifier, echoPorts } from '../wire/icmp.ts'
import {
  PROTOCOL_ESP, PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP
} from '../wire/ip_protocol.ts'
import { ipv4WriteChecksum } from '../wire/ipv4.ts'
import { DROP_FRAGMENT_INVALID, DROP_MALFORMED, DROP_NONE } from './drop_reason.ts'
import { PacketContext } from './packet.ts'
import { parsePacket } from './steps/parse.ts'
import { ipPacket } from './testing/packets.ts'

interface Offload {
  readonly gsoType?: number
  readonly gsoSize?: number
  readonly csum?: number
  readonly csumField?: number
}

/** Parses `bytes` as a packet of its own length, surrounded by other bytes. */
function parse (bytes: Uint8Array, offload: Offload = {}): { drop: number, p: PacketContext } {
  const arena = new Uint8Array(bytes.length + 200).fill(0xee)
  arena.set(bytes, 100)
  const p = new PacketContext()
  p.at = 100
  p.bytes = bytes.length
  p.totalBytes = bytes.length
  p.gsoType = offload.gsoType ?? GSO_NONE
  p.gsoSize = offload.gsoSize ?? 0
  p.csum = offload.csum ?? 0
  p.csumField = offload.csumField ?? 0
  return { drop: parsePacket(p, new DataView(arena.buffer)), p }
}

const V4 = { src: '10.0.0.1', dst: '10.0.0.2' }
const V6 = { src: '2001:db8::1', dst: '2001:db8::2' }

/** Writes a good IPv4 header checksum after a test has changed the header. */
function mended (packet: Uint8Array): Uint8Array {
  ipv4WriteChecksum(packet, 0, (packet[0] & 15) * 4)
  return packet
}

test('a TCP packet gives addresses, ports and flags', (t) => {
  for (const addresses of [V4, V6]) {
    const { drop, p } = parse(ipPacket({ ...addresses, srcPort: 1, dstPort: 2, tcpFlags: 0x12 }))
    t.is(drop, DROP_NONE)
    t.is(p.ports, 0x10002)
    t.is(p.tcpFlags, 0x12)
    t.is(p.isFlow, 1)
    t.is(p.segments, 1)
    t.is(p.wireBytesSum, p.totalBytes)
  }
})

test('who asks an echo has its identifier for a port, who answers the next number', (t) => {
  const echo = parse(ipPacket({ ...V4, protocol: PROTOCOL_ICMP, icmpId: 0x1234 })).p
  t.is(echo.ports, 0x12341235)
  t.is(echo.isFlow, 1)
  t.is(parse(ipPacket({ ...V4, protocol: PROTOCOL_ICMP, icmpType: 3 })).p.isFlow, 0, 'an error')
  t.is(parse(ipPacket({ ...V6, protocol: PROTOCOL_ICMPV6, icmpType: 129, icmpId: 7 })).p.ports,
    0x80007)
  for (const identifier of [0, 7, 0xffff]) {
    t.is(echoIdentifier(echoPorts(identifier, true)), identifier)
    t.is(echoIdentifier(echoPorts(identifier, false)), identifier)
  }
})

test('other protocols have no ports and are flows', (t) => {
  const { p } = parse(ipPacket({ ...V4, protocol: PROTOCOL_ESP }))
  t.is(p.ports, 0)
  t.is(p.isFlow, 1)
})

test('a fragment is no flow, and only the first one knows its ports', (t) => {
  for (const offsetBytes of [0, 1480]) {
    const { drop, p } =
      parse(ipPacket({ ...V4, fragment: { offsetBytes, more: true }, payloadBytes: 1200 +
        (offsetBytes === 0 ? 4 : 0) }))
    t.is(drop, DROP_NONE)
    t.is(p.isFlow, 0)
    t.is(p.knowsPorts, offsetBytes === 0 ? 1 : 0)
    t.is(p.hasConnection, offsetBytes === 0 ? 1 : 0)
    t.is(p.isLaterFragment, offsetBytes === 0 ? 0 : 1)
  }
})

/** Each: what is wrong, the packet, the reason. */
const REFUSED: readonly (readonly [string, Uint8Array, number, Offload?])[] = [
  ['nothing', new Uint8Array(0), DROP_MALFORMED],
  ['19 bytes', ipPacket(V4).slice(0, 19), DROP_MALFORMED],
  ['IP version 5', ipPacket(V4).fill(0x55, 0, 1), DROP_MALFORMED],
  ['a header of 16 bytes', ipPacket(V4).fill(0x44, 0, 1), DROP_MALFORMED],
  ['a header longer than the packet', mended(ipPacket({ ...V4, payloadBytes: 0 }).fill(0x4f, 0, 1)),
    DROP_MALFORMED],
  ['a total length below the bytes',
    mended(((b) => { writeU16(b, 2, b.length - 1); return b })(ipPacket(V4))), DROP_MALFORMED],
  ['a total length above the bytes',
    mended(((b) => { writeU16(b, 2, b.length + 1); return b })(ipPacket(V4))), DROP_MALFORMED],
  ['a bad header checksum', ipPacket(V4).fill(63, 8, 9), DROP_MALFORMED],
  ['an IPv6 header cut short', ipPacket(V6).slice(0, 39), DROP_MALFORMED],
  ['an IPv6 payload length above the bytes', ipPacket(V6).slice(0, 60), DROP_MALFORMED],
  ['an IPv4-mapped source in IPv6',
    ((b) => { b.fill(0, 8, 18); b.fill(255, 18, 20); return b })(ipPacket(V6)), DROP_MALFORMED],
  ['an IPv4-mapped destination in IPv6',
    ((b) => { b.fill(0, 24, 34); b.fill(255, 34, 36); return b })(ipPacket(V6)), DROP_MALFORMED],
  ['a TCP header cut short',
    ipPacket({ ...V4, protocol: 255, payloadBytes: 19 }).fill(PROTOCOL_TCP, 9, 10), DROP_MALFORMED],
  ['a TCP data offset of 16 bytes', ipPacket(V4).fill(0x40, 32, 33), DROP_MALFORMED],
  ['a TCP data offset beyond the packet', ipPacket({ ...V4, payloadBytes: 8 }).fill(0xf0, 32, 33),
    DROP_MALFORMED],
  ['a UDP length below its header',
    ((b) => { writeU16(b, 24, 7); return b })(ipPacket({ ...V4, protocol: PROTOCOL_UDP })),
    DROP_MALFORMED],
  ['a UDP length beyond the packet',
    ((b) => { writeU16(b, 24, 41); return b })(ipPacket({ ...V4, protocol: PROTOCOL_UDP })),
    DROP_MALFORMED],
  ['an ICMP header cut short',
    mended(ipPacket({ ...V4, protocol: 255, payloadBytes: 7 }).fill(PROTOCOL_ICMP, 9, 10)),
    DROP_MALFORMED],
  ['a fragment that begins inside the TCP header',
    ipPacket({ ...V4, fragment: { offsetBytes: 8, more: false } }), DROP_FRAGMENT_INVALID],
  ['a first fragment without its TCP header',
    mended(ipPacket({
      ...V4, protocol: 255, fragment: { offsetBytes: 0, more: true }, payloadBytes: 16
    }).fill(PROTOCOL_TCP, 9, 10)), DROP_FRAGMENT_INVALID],
  ['a fragment past 65,535 bytes',
    ipPacket({ ...V4, fragment: { offsetBytes: 65_528, more: false }, payloadBytes: 8 }),
    DROP_FRAGMENT_INVALID],
  ['a fragment that is not a multiple of 8',
    ipPacket({ ...V4, fragment: { offsetBytes: 800, more: true }, payloadBytes: 17 }),
    DROP_FRAGMENT_INVALID],
  ['an IPv6 fragment past 65,535 bytes',
    ipPacket({ ...V6, fragment: { offsetBytes: 65_528, more: false }, payloadBytes: 80 }),
    DROP_FRAGMENT_INVALID],
  ['a super-packet of the wrong family', ipPacket(V4), DROP_MALFORMED,
    { gsoType: GSO_TCPV6, gsoSize: 10 }],
  ['a super-packet of the wrong protocol', ipPacket(V4), DROP_MALFORMED,
    { gsoType: GSO_UDP, gsoSize: 10 }],
  ['a super-packet of an unknown kind', ipPacket(V4), DROP_MALFORMED, { gsoType: 3, gsoSize: 10 }],
  ['a super-packet of segments of 0 bytes', ipPacket(V4), DROP_MALFORMED,
    { gsoType: GSO_TCPV4, gsoSize: 0 }],
  ['a super-packet without payload', ipPacket({ ...V4, payloadBytes: 0 }), DROP_MALFORMED,
    { gsoType: GSO_TCPV4, gsoSize: 10 }],
  ['a super-packet that is a fragment',
    ipPacket({ ...V4, fragment: { offsetBytes: 0, more: true }, payloadBytes: 44 }), DROP_MALFORMED,
    { gsoType: GSO_TCPV4, gsoSize: 10 }],
  ['a checksum to be written beyond the packet', ipPacket(V4), DROP_MALFORMED,
    { csum: CSUM_NEEDED, csumField: 20 | (51 << 16) }],
  ['a checksum that starts in the IP header', ipPacket(V4), DROP_MALFORMED,
    { csum: CSUM_NEEDED, csumField: 8 | (2 << 16) }]
]

for (const [name, packet, reason, offload] of REFUSED) {
  test(`parse refuses ${name}`, (t) => {
    const isShortTcp = name === 'a TCP header cut short'
    t.is(parse(isShortTcp ? mended(packet) : packet, offload).drop, reason)
  })
}

test('a super-packet counts as its segments', (t) => {
  const { drop, p } =
    parse(ipPacket({ ...V4, payloadBytes: 2500 }), { gsoType: GSO_TCPV4, gsoSize: 1000 })
  t.is(drop, DROP_NONE)
  t.is(p.segments, 3)
  t.is(p.wireBytesMax, 1040)
  t.is(p.wireBytesSum, 2500 + 3 * 40)
})

test('parse answers for any bytes without throwing, and what it accepts lies inside', (t) => {
  const flip = fc.array(fc.tuple(fc.nat(99), fc.nat(255)), { maxLength: 6 })
  const base = fc.constantFrom(ipPacket(V4), ipPacket(V6),
    ipPacket({ ...V4, protocol: PROTOCOL_UDP }),
    ipPacket({ ...V6, fragment: { offsetBytes: 0, more: true }, payloadBytes: 36 }))
  fc.assert(fc.property(base, flip, fc.nat(100), fc.nat(5), (packet, flips, cut, gsoType) => {
    const bytes = packet.slice(0, packet.length - (cut % packet.length))
    for (const [at, value] of flips) if (at < bytes.length) bytes[at] = value
    if ((bytes[0] >>> 4) === 4 && bytes.length >= 20) {
      writeU16(bytes, 2, bytes.length)
      ipv4WriteChecksum(bytes, 0, Math.min((bytes[0] & 15) * 4, bytes.length & ~1))
    }
    const { drop, p } = parse(bytes, { gsoType, gsoSize: 100 })
    if (drop !== DROP_NONE) return
    t.true(p.l4At >= p.at + 20 && p.l4At <= p.at + p.bytes)
    t.true(p.segments >= 1 && p.wireBytesMax <= p.totalBytes && p.wireBytesSum >= p.totalBytes)
  }), { seed: 41, numRuns: 5000 })
})
