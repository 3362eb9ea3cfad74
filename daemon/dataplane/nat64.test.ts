/**
 * NAT64 in the world of testing/nat64_world.ts. Packets that are expected are written out byte by
 * byte.
 */
import test from 'ava'
import { CSUM_NEEDED, GSO_TCPV4, GSO_TCPV6 } from '../tun/descriptor.ts'
import { readU16, readU32, writeU16, writeU32 } from '../wire/bytes.ts'
import { checksumAdd, checksumFinish, checksumFold, pseudoHeaderSum } from '../wire/checksum.ts'
import {
  PROTOCOL_AUTHENTICATION, PROTOCOL_DESTINATION_OPTIONS, PROTOCOL_FRAGMENT, PROTOCOL_ICMP,
  PROTOCOL_ICMPV6, PROTOCOL_ROUTING, PROTOCOL_TCP, PROTOCOL_UDP
} from '../wire/ip_protocol.ts'
import { ipv4WriteChecksum } from '../wire/ipv4.ts'
import { TCP_FLAG_ACK, TCP_FLAG_RST, TCP_FLAG_SYN } from '../wire/tcp.ts'
import {
  NAT_COUNT_IN_FROM_DESTINATION, NAT_COUNT_IN_FROM_SOURCE, NAT_COUNT_OUT_TO_DESTINATION,
  NAT_COUNT_OUT_TO_SOURCE
} from './hyperplane/nat_counts.ts'
import { check, dstIs, goodChecksums, lengthIs, srcIs, ttlIs } from './testing/checker.ts'
import { ENI_HIGH } from './testing/lab.ts'
import { ipPacket } from './testing/packets.ts'
import type { PacketFields } from './testing/packets.ts'
import { COMPUTE, NAT, NAT_PUBLIC, NODES } from './testing/nat_world.ts'
import type { NatWorld } from './testing/nat_world.ts'
import {
  FOUR, INSIDE, INSIDE_IPV4, newNat64World, REMOTE, REMOTE_IN_IPV6, SIX
} from './testing/nat64_world.ts'

const ROUTER = '198.51.100.1'
const ROUTER_IN_IPV6 = '64:ff9b::c633:6401'
const EDGE_PORT = 443

const out = (fields: Partial<PacketFields>): Uint8Array => ipPacket({ src: INSIDE,
  dst: REMOTE_IN_IPV6, srcPort: 5000, dstPort: EDGE_PORT, ...fields })
const back = (fields: Partial<PacketFields>): Uint8Array => ipPacket({ src: REMOTE,
  dst: NAT_PUBLIC, srcPort: EDGE_PORT, ...fields })

/** What the gateway sends of a packet of INSIDE. */
function send (world: NatWorld, packet: Uint8Array, protocol = PROTOCOL_TCP, port = EDGE_PORT):
ReturnType<NatWorld['out']> {
  return world.out(packet, world.ownerOf(port, protocol, REMOTE), SIX)
}

/** Opens a connection. @returns its port at the gateway */
function open (world: NatWorld): number {
  const [sent] = send(world, out({ tcpFlags: TCP_FLAG_SYN, payloadBytes: 0 }))
  return readU16(sent.packet, 20)
}

/** Opens a flow of UDP. @returns its port at the gateway */
function openUdp (world: NatWorld): number {
  const [sent] = send(world, out({ protocol: PROTOCOL_UDP }), PROTOCOL_UDP)
  return readU16(sent.packet, 20)
}

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))

/** The same upper layer, its checksum over the addresses of the packet. */
function finish (
  packet: Uint8Array, l4At: number, checksumAt: number, protocol: number
): Uint8Array {
  writeU16(packet, checksumAt, 0)
  const isIpv4 = packet[0] >>> 4 === 4
  const pseudo = protocol === PROTOCOL_ICMP ? 0
    : pseudoHeaderSum(packet, isIpv4 ? 12 : 8, isIpv4 ? 8 : 32, protocol, packet.length - l4At)
  writeU16(packet, checksumAt,
    checksumFinish(checksumAdd(pseudo, packet, l4At, packet.length - l4At)))
  return packet
}

/** An ICMP or ICMPv6 error that quotes a packet. */
function error (
  src: string, dst: string, type: number, code: number, word: number, quote: Uint8Array
): Uint8Array {
  const isIpv4 = dst.includes('.')
  const protocol = isIpv4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6
  const packet = ipPacket({ src, dst, protocol, payloadBytes: quote.length })
  const l4At = isIpv4 ? 20 : 40
  packet[l4At] = type
  packet[l4At + 1] = code
  writeU32(packet, l4At + 4, word)
  packet.set(quote, l4At + 8)
  return finish(packet, l4At, l4At + 2, protocol)
}

// ------------------------------------------------------------------------------------- headers

test('a segment goes out as IPv4 and its answer comes back as IPv6', (t) => {
  const world = newNat64World()
  const port = open(world)
  const packet = out({ payloadBytes: 4, ttl: 64, trafficClass: 0x2a })
  const [sent] = send(world, packet)
  t.is(sent.outer, null, 'to the uplink')
  const expected = hex('45 2a 002c 0001 0000 3f 06 0000 cb007109 c633640a')
  const whole = new Uint8Array(44)
  whole.set(expected)
  whole.set(packet.subarray(40), 20)
  writeU16(whole, 10, checksumFinish(checksumAdd(0, whole, 0, 20)))
  writeU16(whole, 20, port)
  t.deepEqual(sent.packet, finish(whole, 20, 36, PROTOCOL_TCP))

  const reply = back({ dstPort: port, payloadBytes: 4, ttl: 50, trafficClass: 0x2a })
  const owner = world.ownerOf(EDGE_PORT, PROTOCOL_TCP, REMOTE)
  for (const edge of NODES) { // which is one router, or two
    const [answer] = world.back(reply, edge)
    t.is(answer.outer?.peer, COMPUTE, 'whichever edge it comes by')
    const ipv6 = new Uint8Array(64)
    ipv6.set(hex('62a00000 0018 06 31 0064ff9b0000000000000000c633640a' +
      '20010db8000100020000000000000010'))
    ipv6.set(reply.subarray(20), 40)
    writeU16(ipv6, 42, 5000)
    check(t, answer.packet, ttlIs(edge === owner ? 49 : 48))
    ipv6[7] = answer.packet[7]
    t.deepEqual(answer.packet, finish(ipv6, 40, 56, PROTOCOL_TCP))
  }
  t.deepEqual(world.drops(), {})
})

test('a VPC header in front of a packet that has grown is whole', (t) => {
  const world = newNat64World()
  const port = open(world)
  const [answer] = world.back(back({ dstPort: port }))
  const header = answer.outer?.header ?? new Uint8Array(0)
  t.is(header.length, 32)
  t.is(readU16(header, 2), 0x86dd, 'EtherType IPv6')
  t.is(readU32(header, 28), 3, 'destination ENI')
  t.is(readU32(header, 16), NAT, 'source ENI')
})

test('DF is set where a packet is larger than what IPv6 always carries', (t) => {
  const world = newNat64World()
  for (const [payloadBytes, fragment] of [[1232, 0x0000], [1240, 0x4000]] as const) {
    const [sent] = send(world, out({ protocol: PROTOCOL_UDP, payloadBytes }), PROTOCOL_UDP)
    check(t, sent.packet, lengthIs(payloadBytes + 28), goodChecksums())
    t.is(readU16(sent.packet, 6), fragment, String(payloadBytes))
  }
})

test('packets that may be fragmented have identifications of their own', (t) => {
  const world = newNat64World()
  const ids = Array.from({ length: 5 }, () => {
    const [sent] = send(world, out({ protocol: PROTOCOL_UDP }), PROTOCOL_UDP)
    return readU16(sent.packet, 4)
  })
  t.is(new Set(ids).size, 5)
})

test('extension headers are left out; routes with hops left, authentication: refused', (t) => {
  const world = newNat64World()
  const [sent] = send(world, out({ protocol: PROTOCOL_UDP,
    extensions: [PROTOCOL_DESTINATION_OPTIONS] }), PROTOCOL_UDP)
  check(t, sent.packet, lengthIs(60), srcIs(NAT_PUBLIC), dstIs(REMOTE), goodChecksums())
  const routed = out({ protocol: PROTOCOL_UDP, extensions: [PROTOCOL_ROUTING] })
  routed[43] = 1 // segments left
  t.deepEqual(send(world, routed, PROTOCOL_UDP), [])
  const authenticated = out({ protocol: PROTOCOL_UDP, extensions: [PROTOCOL_AUTHENTICATION] })
  t.deepEqual(send(world, authenticated, PROTOCOL_UDP), [])
  t.is(world.drops()[`${String(NAT)}/nat-protocol`], 2)
})

test('IPv4 options are left out; a source route with hops left is refused', (t) => {
  const world = newNat64World()
  const port = openUdp(world)
  const common = { protocol: PROTOCOL_UDP, dstPort: port }
  const [answer] = world.back(back({ ...common, options: Uint8Array.of(1, 1, 1, 0) }))
  check(t, answer.packet, lengthIs(80), srcIs(REMOTE_IN_IPV6), dstIs(INSIDE), goodChecksums())
  t.deepEqual(world.back(back({ ...common,
    options: Uint8Array.of(131, 7, 4, 192, 0, 2, 1, 0) })), [])
  const [ended] = world.back(back({ ...common,
    options: Uint8Array.of(131, 7, 8, 192, 0, 2, 1, 0) }))
  check(t, ended.packet, goodChecksums())
})

test('a wrong checksum stays wrong', (t) => {
  const world = newNat64World()
  open(world)
  const packet = out({ payloadBytes: 4 })
  packet[62] ^= 0x10
  const [sent] = send(world, packet)
  sent.packet[42] ^= 0x10
  check(t, sent.packet, goodChecksums())
})

// ------------------------------------------------------------------------------------- protocols

test('UDP passes both ways; a datagram without checksum gets one', (t) => {
  const world = newNat64World()
  const port = openUdp(world)
  const [answer] = world.back(back({ protocol: PROTOCOL_UDP, dstPort: port }))
  check(t, answer.packet, srcIs(REMOTE_IN_IPV6), dstIs(INSIDE), goodChecksums())
  t.is(readU16(answer.packet, 42), 5000)
  const without = back({ protocol: PROTOCOL_UDP, dstPort: port })
  writeU16(without, 26, 0)
  const [summed] = world.back(without)
  t.is(summed.csum, CSUM_NEEDED, 'by the NIC')
  t.is(summed.csumField, 40 | (6 << 16))
  t.is(readU16(summed.packet, 46),
    checksumFold(pseudoHeaderSum(summed.packet, 8, 32, PROTOCOL_UDP, 40)))
})

test('bytes are counted as they were on each side', (t) => {
  const world = newNat64World()
  const port = openUdp(world)
  const owner = world.ownerOf(EDGE_PORT, PROTOCOL_UDP, REMOTE)
  world.back(back({ protocol: PROTOCOL_UDP, dstPort: port, payloadBytes: 100 }), owner)
  const counts = world.lab(owner).loop.tables.hyperplane?.findShard(ENI_HIGH, NAT)?.counts ?? []
  const bytesOf = (count: number): number => counts[count + 1]
  t.is(bytesOf(NAT_COUNT_IN_FROM_SOURCE), 80)
  t.is(bytesOf(NAT_COUNT_OUT_TO_DESTINATION), 60)
  t.is(bytesOf(NAT_COUNT_IN_FROM_DESTINATION), 128)
  t.is(bytesOf(NAT_COUNT_OUT_TO_SOURCE), 148)
})

test('echo passes both ways', (t) => {
  const world = newNat64World()
  const ping = out({ protocol: PROTOCOL_ICMPV6, icmpId: 77 })
  const [sent] = send(world, ping, PROTOCOL_ICMP, 0)
  check(t, sent.packet, srcIs(NAT_PUBLIC), dstIs(REMOTE), goodChecksums(), ttlIs(63))
  t.is(sent.packet[9], PROTOCOL_ICMP)
  t.is(sent.packet[20], 8)
  const id = readU16(sent.packet, 24)
  t.true(id >= 1024)
  const [pong] = world.back(back({ protocol: PROTOCOL_ICMP, icmpType: 0, icmpId: id }))
  check(t, pong.packet, srcIs(REMOTE_IN_IPV6), dstIs(INSIDE), goodChecksums())
  t.is(pong.packet[6], PROTOCOL_ICMPV6)
  t.is(pong.packet[40], 129)
  t.is(readU16(pong.packet, 44), 77)
  t.deepEqual(pong.packet.slice(48), ping.slice(48))
})

test('both families share the ports to one destination', (t) => {
  const world = newNat64World()
  const six = open(world)
  const [four] = world.out(ipPacket({ src: INSIDE_IPV4, dst: REMOTE, srcPort: 5000,
    dstPort: EDGE_PORT, tcpFlags: TCP_FLAG_SYN, payloadBytes: 0 }),
  world.ownerOf(EDGE_PORT, PROTOCOL_TCP, REMOTE), FOUR)
  t.not(readU16(four.packet, 20), six)
  const [answer] = world.back(back({ dstPort: readU16(four.packet, 20) }))
  check(t, answer.packet, dstIs(INSIDE_IPV4), goodChecksums())
})

test('other destinations of IPv6 are not carried, nor is what IPv4 does not route', (t) => {
  const world = newNat64World()
  const owner = world.ownerOf(EDGE_PORT, PROTOCOL_TCP, REMOTE)
  for (const dst of ['2001:db8:9::1', '64:ff9b:1::1', '64:ff9b::e000:1', '64:ff9b::a9fe:a9fe']) {
    for (const host of NODES) {
      t.deepEqual(world.out(out({ dst, tcpFlags: TCP_FLAG_SYN }), host, SIX), [], dst)
    }
  }
  t.is(world.lab(owner).loop.tables.hyperplane?.table.live, 0)
})

test('an address of the VPC is reached by the routes of the gateway\'s subnet', (t) => {
  const world = newNat64World()
  const syn = out({ dst: '64:ff9b::a00:20b', tcpFlags: TCP_FLAG_SYN, payloadBytes: 0 })
  const [sent] = world.out(syn, world.ownerOf(EDGE_PORT, PROTOCOL_TCP, '10.0.2.11'), SIX)
  t.is(sent.outer?.peer, COMPUTE)
  check(t, sent.packet, srcIs('10.0.1.9'), dstIs('10.0.2.11'), goodChecksums())
})

// ------------------------------------------------------------------------------------- size

test('a SYN\'s MSS is lowered to what the internet takes', (t) => {
  const world = newNat64World()
  const packet = out({ tcpFlags: TCP_FLAG_SYN, payloadBytes: 4 })
  packet[52] = 6 << 4
  packet.set([2, 4, 0x22, 0xed], 60) // 8941
  finish(packet, 40, 56, PROTOCOL_TCP)
  const [sent] = send(world, packet)
  check(t, sent.packet, goodChecksums())
  t.is(readU16(sent.packet, 42), 1460)
})

test('1,520 bytes of IPv6 are 1,500 of IPv4; one more is answered by Packet Too Big', (t) => {
  const world = newNat64World()
  const [sent] = send(world, out({ protocol: PROTOCOL_UDP, payloadBytes: 1472 }), PROTOCOL_UDP)
  check(t, sent.packet, lengthIs(1500), goodChecksums())
  const big = out({ protocol: PROTOCOL_UDP, payloadBytes: 1473 })
  const [answer] = send(world, big, PROTOCOL_UDP)
  t.is(answer.outer?.peer, COMPUTE)
  check(t, answer.packet, srcIs('64:ff9b::a00:101'), dstIs(INSIDE), goodChecksums())
  t.is(answer.packet[40], 2)
  t.is(readU32(answer.packet, 44), 1520, 'MTU')
  t.deepEqual(answer.packet.slice(48, 48 + 1232), big.slice(0, 1232), 'quoted as it was sent')
})

test('what comes back has grown by 20', (t) => {
  const world = newNat64World()
  const port = openUdp(world)
  const [answer] = world.back(back({ protocol: PROTOCOL_UDP, dstPort: port, payloadBytes: 1472,
    dontFragment: true }))
  check(t, answer.packet, lengthIs(1520), goodChecksums())
})

test('what has grown too large for the VPC is answered by the gateway, as IPv4', (t) => {
  const world = newNat64World({ pathMtu: 1510 })
  const port = openUdp(world)
  const big = back({ protocol: PROTOCOL_UDP, dstPort: port, payloadBytes: 1472,
    dontFragment: true })
  for (const edge of NODES) {
    const [answer, ...more] = world.back(big, edge)
    t.deepEqual(more, [])
    t.is(answer.outer, null, 'to the internet')
    check(t, answer.packet, srcIs(NAT_PUBLIC), dstIs(REMOTE), goodChecksums())
    t.deepEqual([answer.packet[20], answer.packet[21], readU16(answer.packet, 26)], [3, 4, 1490])
    t.deepEqual(answer.packet.slice(28 + 12, 28 + 24), big.slice(12, 24), 'of what was sent')
  }
  t.is(world.drops()[`${String(NAT)}/too-big`], 3)
  const fits = back({ protocol: PROTOCOL_UDP, dstPort: port, payloadBytes: 1462 })
  check(t, world.back(fits)[0].packet, lengthIs(1510), goodChecksums())
})

test('what has grown too large and may be fragmented comes as fragments of IPv6', (t) => {
  const world = newNat64World({ pathMtu: 1510 })
  const port = openUdp(world)
  const whole = back({ protocol: PROTOCOL_UDP, dstPort: port, payloadBytes: 1472 })
  for (const [from, offset, more] of [[whole, 0, 0], [
    back({ protocol: PROTOCOL_UDP, dstPort: port, payloadBytes: 1472,
      fragment: { offsetBytes: 0, more: true } }), 0, 1
  ]] as const) {
    writeU16(from, 4, 0x4711)
    if (more === 1) writeU16(from, 26, 0x1234) // fragments of the test have no checksum
    ipv4WriteChecksum(from, 0, 20)
    const sent = world.back(from)
    t.deepEqual(sent.map(({ packet }) => packet.length), [1504, 72], 'largest multiple of 8')
    const [first, second] = sent.map(({ packet }) => packet)
    check(t, first, srcIs(REMOTE_IN_IPV6), dstIs(INSIDE), ttlIs(62))
    for (const packet of [first, second]) {
      t.is(packet[6], PROTOCOL_FRAGMENT)
      t.is(packet[40], PROTOCOL_UDP)
      t.is(readU32(packet, 44), 0x4711)
      t.is(readU16(packet, 4), packet.length - 40)
    }
    t.is(readU16(first, 42), offset | 1)
    t.is(readU16(second, 42), (offset + 1456) | more)
    // Put together they are the datagram that came, with a checksum for its new addresses.
    const datagram = new Uint8Array(40 + 1480)
    datagram.set(first.subarray(0, 40))
    datagram.set(first.subarray(48), 40)
    datagram.set(second.subarray(48), 40 + 1456)
    datagram[6] = PROTOCOL_UDP
    writeU16(datagram, 4, 1480)
    if (more === 0) check(t, datagram, lengthIs(1520), goodChecksums())
    t.deepEqual(datagram.slice(48), from.slice(28))
  }
  t.deepEqual(world.drops(), {})
  const [segments] = world.back(back({ dstPort: open(world), payloadBytes: 4000 }), 1, {
    gsoType: GSO_TCPV4, gsoSize: 1460, segments: 3, csum: CSUM_NEEDED, csumField: 20 | (16 << 16)
  })
  t.is(segments.gsoSize, 1450, 'a stream is cut into smaller segments')
})

test('super-packets change their family by one rewrite, both ways', (t) => {
  const world = newNat64World()
  const port = open(world)
  const pseudo = (packet: Uint8Array): number => packet[0] >>> 4 === 4
    ? checksumFold(pseudoHeaderSum(packet, 12, 8, PROTOCOL_TCP, packet.length - 20))
    : checksumFold(pseudoHeaderSum(packet, 8, 32, PROTOCOL_TCP, packet.length - 40))
  const inner = out({ payloadBytes: 4000 })
  writeU16(inner, 56, pseudo(inner))
  const offload = { gsoType: GSO_TCPV6, gsoSize: 1400, segments: 3, csum: CSUM_NEEDED,
    csumField: 40 | (16 << 16), firstBytes: 1460 }
  const [sent] = world.out(inner, world.ownerOf(EDGE_PORT, PROTOCOL_TCP, REMOTE), SIX, offload)
  t.is(sent.gsoType, GSO_TCPV4)
  t.is(sent.gsoSize, 1400)
  t.is(sent.totalBytes, 4040)
  t.is(sent.packet.length, 1440, 'the rest is the NIC\'s')
  t.true(sent.run !== 0)
  t.is(sent.csumField, 20 | (16 << 16))
  t.is(readU16(sent.packet, 2), 4040)
  t.is(readU16(sent.packet, 6), 0x4000, 'segments of 1,440 bytes may not be fragmented')
  t.is(readU16(sent.packet, 36),
    checksumFold(pseudoHeaderSum(sent.packet, 12, 8, PROTOCOL_TCP, 4020)))
  const reply = back({ dstPort: port, payloadBytes: 4000 })
  writeU16(reply, 36, pseudo(reply))
  const [answer] = world.back(reply, 1, { gsoType: GSO_TCPV4, gsoSize: 1448, segments: 3,
    csum: CSUM_NEEDED, csumField: 20 | (16 << 16) })
  t.is(answer.gsoType, GSO_TCPV6)
  t.is(answer.csumField, 40 | (16 << 16))
  check(t, answer.packet, srcIs(REMOTE_IN_IPV6), dstIs(INSIDE), lengthIs(4060))
  t.is(readU16(answer.packet, 4), 4020)
  t.is(readU16(answer.packet, 56), pseudo(answer.packet))
})

test('fragments: UDP\'s pass both ways, TCP\'s and ICMPv6\'s are counted', (t) => {
  const world = newNat64World()
  const first = out({ protocol: PROTOCOL_UDP, payloadBytes: 64, identification: 9,
    fragment: { offsetBytes: 0, more: true } })
  const later = out({ protocol: PROTOCOL_UDP, payloadBytes: 40, identification: 9,
    fragment: { offsetBytes: 72, more: false } })
  writeU32(first, 44, 0x00010009)
  writeU32(later, 44, 0x00010009)
  const [one] = send(world, first, PROTOCOL_UDP)
  const [two] = send(world, later, PROTOCOL_UDP)
  check(t, one.packet, srcIs(NAT_PUBLIC), lengthIs(92), goodChecksums())
  check(t, two.packet, srcIs(NAT_PUBLIC), lengthIs(60), goodChecksums())
  t.deepEqual([readU16(one.packet, 4), readU16(one.packet, 6)], [9, 0x2000])
  t.deepEqual([readU16(two.packet, 4), readU16(two.packet, 6)], [9, 9])
  t.deepEqual(two.packet.slice(20), later.slice(48))
  const port = readU16(one.packet, 20)
  const common = { protocol: PROTOCOL_UDP, dstPort: port, identification: 5 }
  const reply = back({ ...common, payloadBytes: 64, fragment: { offsetBytes: 0, more: true } })
  writeU16(reply, 26, 0x1234) // fragments of the test have none
  const [three] = world.back(reply, world.ownerOf(EDGE_PORT, PROTOCOL_UDP, REMOTE))
  const [four] = world.back(back({ ...common, payloadBytes: 40,
    fragment: { offsetBytes: 72, more: false } }), world.ownerOf(EDGE_PORT, PROTOCOL_UDP, REMOTE))
  check(t, three.packet, srcIs(REMOTE_IN_IPV6), dstIs(INSIDE), lengthIs(40 + 8 + 72))
  t.deepEqual(three.packet.slice(40, 48), hex('11 00 0001 00000005'))
  t.deepEqual(four.packet.slice(40, 48), hex('11 00 0048 00000005'))
  t.is(readU16(three.packet, 50), 5000)
  writeU16(reply, 26, 0)
  t.deepEqual(world.back(reply, world.ownerOf(EDGE_PORT, PROTOCOL_UDP, REMOTE)), [],
    'without checksum it would have to be whole')
  t.deepEqual(send(world, out({ payloadBytes: 60, fragment: { offsetBytes: 0, more: true } })), [])
  t.deepEqual(send(world, out({ protocol: PROTOCOL_ICMPV6, payloadBytes: 64,
    fragment: { offsetBytes: 0, more: true } }), PROTOCOL_ICMP, 0), [])
  t.is(world.drops()[`${String(NAT)}/nat-fragment`], 3)
})

// ------------------------------------------------------------------------------------- errors

test('a packet of a connection that nobody knows is reset, in IPv6', (t) => {
  const world = newNat64World()
  const [reset] = send(world, out({ tcpFlags: TCP_FLAG_ACK }))
  t.is(reset.outer?.peer, COMPUTE)
  check(t, reset.packet, srcIs(REMOTE_IN_IPV6), dstIs(INSIDE), goodChecksums())
  t.is(reset.packet[53] & TCP_FLAG_RST, TCP_FLAG_RST)
})

test('an ICMP error comes back as ICMPv6 and quotes what the instance sent', (t) => {
  const world = newNat64World()
  const inner = out({ protocol: PROTOCOL_UDP, payloadBytes: 12, trafficClass: 0x2e, ttl: 9 })
  const [sent] = send(world, inner, PROTOCOL_UDP)
  const cases = [
    [3, 1, 0, 1, 0, 0], [3, 2, 0, 4, 1, 6], [3, 3, 0, 1, 4, 0], [3, 4, 1400, 2, 0, 1420],
    [3, 4, 600, 2, 0, 1280], [3, 13, 0, 1, 1, 0], [11, 0, 0, 3, 0, 0], [12, 0, 8 << 24, 4, 0, 7]
  ] as const
  for (const [type, code, word, type6, code6, word6] of cases) {
    const [answer] = world.back(error(ROUTER, NAT_PUBLIC, type, code, word, sent.packet))
    const label = `${String(type)}/${String(code)}`
    check(t, answer.packet, srcIs(ROUTER_IN_IPV6), dstIs(INSIDE), goodChecksums())
    t.deepEqual([answer.packet[40], answer.packet[41], readU32(answer.packet, 44)],
      [type6, code6, word6], label)
    const quote = inner.slice()
    quote[7] = 8 // a hop before the gateway wrote it
    t.deepEqual(answer.packet.slice(48), quote, label)
  }
})

test('an ICMPv6 error goes out as ICMP and quotes what the sender sent', (t) => {
  const world = newNat64World()
  const port = openUdp(world)
  const came = back({ protocol: PROTOCOL_UDP, dstPort: port, payloadBytes: 12, ttl: 50 })
  const [delivered] = world.back(came)
  const cases = [
    [1, 0, 0, 3, 1, 0], [1, 1, 0, 3, 10, 0], [1, 4, 0, 3, 3, 0], [2, 0, 1400, 3, 4, 1380],
    [3, 1, 0, 11, 1, 0], [4, 1, 40, 3, 2, 0], [4, 0, 7, 12, 0, 8 << 24]
  ] as const
  for (const [type, code, word, type4, code4, word4] of cases) {
    const [sent] = send(world, error(INSIDE, REMOTE_IN_IPV6, type, code, word, delivered.packet),
      PROTOCOL_ICMP, 0)
    const label = `${String(type)}/${String(code)}`
    check(t, sent.packet, srcIs(NAT_PUBLIC), dstIs(REMOTE), goodChecksums())
    t.deepEqual([sent.packet[20], sent.packet[21], readU32(sent.packet, 24)],
      [type4, code4, word4], label)
    const quote = came.slice()
    quote[8] = delivered.packet[7]
    writeU16(quote, 4, 0) // nobody knows it any more
    writeU16(quote, 10, 0)
    writeU16(quote, 10, checksumFinish(checksumAdd(0, quote, 0, 20)))
    t.deepEqual(sent.packet.slice(28), quote, label)
  }
})

test('an error about an echo speaks of the instance\'s identifier', (t) => {
  const world = newNat64World()
  const ping = out({ protocol: PROTOCOL_ICMPV6, icmpId: 77 })
  const [sent] = send(world, ping, PROTOCOL_ICMP, 0)
  const [answer] = world.back(error(ROUTER, NAT_PUBLIC, 11, 0, 0, sent.packet))
  check(t, answer.packet, goodChecksums(), dstIs(INSIDE))
  const quote = ping.slice()
  quote[7] = 63
  t.deepEqual(answer.packet.slice(48), quote)
})

test('errors without counterpart are not carried; extensions are left out', (t) => {
  const world = newNat64World()
  const [sent] = send(world, out({ protocol: PROTOCOL_UDP, payloadBytes: 120 }), PROTOCOL_UDP)
  t.deepEqual(world.back(error(ROUTER, NAT_PUBLIC, 3, 14, 0, sent.packet)), [])
  t.deepEqual(world.back(error(ROUTER, NAT_PUBLIC, 12, 0, 4 << 24, sent.packet)), [])
  t.deepEqual(world.back(error(ROUTER, NAT_PUBLIC, 4, 0, 0, sent.packet)), [])
  t.is(world.drops()[`${String(NAT)}/nat-protocol`], 3)
  const extended = new Uint8Array(sent.packet.length + 8)
  extended.set(sent.packet)
  const words = Math.floor(sent.packet.length / 4)
  const [answer] = world.back(error(ROUTER, NAT_PUBLIC, 11, 0, words << 16, extended))
  check(t, answer.packet, goodChecksums(), lengthIs(48 + 40 + words * 4 - 20))
})

test('a large error is cut to what IPv6 always carries', (t) => {
  const world = newNat64World()
  const [sent] = send(world, out({ protocol: PROTOCOL_UDP, payloadBytes: 1400 }), PROTOCOL_UDP)
  const [answer] = world.back(error(ROUTER, NAT_PUBLIC, 3, 3, 0, sent.packet))
  check(t, answer.packet, lengthIs(1280), goodChecksums())
})
