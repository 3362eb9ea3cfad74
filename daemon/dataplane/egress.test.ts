/**
 *     host 1 (this)                          host 2
 *     ENI 1  10.0.1.10, 2001:db8:0:1::10     ENI 4  10.0.1.40
 *     ENI 2  10.0.2.20, 2001:db8:0:2::20     ENI 5  10.0.2.50, 2001:db8:0:2::50
 *     ENI 3  10.0.1.30 (check off)
 *
 * subnet 1 10.0.1.0/24, 2001:db8:0:1::/64; subnet 2 10.0.2.0/24, 2001:db8:0:2::/64
 */
import test from 'ava'
import { GENEVE_BYTES } from '../encap/geneve.ts'
import { CSUM_NEEDED, GSO_TCPV4, GSO_UDP, PORT_UNDERLAY } from '../tun/descriptor.ts'
import { readU16, readU32, writeU16 } from '../wire/bytes.ts'
import { pseudoHeaderSum, checksumFold } from '../wire/checksum.ts'
import {
  PROTOCOL_ESP, PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_UDP
} from '../wire/ip_protocol.ts'
import { ipv4WriteChecksum } from '../wire/ipv4.ts'
import { ICMP_ERRORS_BURST } from './icmp_error.ts'
import {
  check, dstIs, fragmentIs, goodChecksums, lengthIs, reassemble, srcIs, ttlIs
} from './testing/checker.ts'
import { buildTables, ENI_HIGH, Lab } from './testing/lab.ts'
import type { VpcSpec } from './testing/lab.ts'
import type { Sent } from './testing/memory_nic.ts'
import { ipPacket, vpcPacket } from './testing/packets.ts'
import type { PacketFields } from './testing/packets.ts'

const VPC: VpcSpec = {
  vpc: 1,
  vni: 100,
  subnets: [
    {
      subnet: 1,
      cidrs: ['10.0.1.0/24', '2001:db8:0:1::/64'],
      routers: { ipv4: '10.0.1.1', ipv6: '2001:db8:0:1::1' },
      routes: [
        { to: '10.0.0.0/16', target: 'local' },
        { to: '2001:db8::/56', target: 'local' },
        { to: '198.51.100.0/24', target: { eni: 3 } },
        { to: '198.51.100.128/25', target: 'blackhole' },
        { to: '203.0.113.0/24', target: { eni: 5 } },
        { to: '192.0.2.0/24', target: { eni: 2 } }
      ]
    },
    {
      subnet: 2,
      cidrs: ['10.0.2.0/24', '2001:db8:0:2::/64'],
      routes: [{ to: '10.0.0.0/16', target: 'local' }, { to: '2001:db8::/56', target: 'local' }]
    }
  ],
  enis: [
    { eni: 1, subnet: 1, host: 1, addresses: ['10.0.1.10', '2001:db8:0:1::10'] },
    { eni: 2, subnet: 2, host: 1, addresses: ['10.0.2.20', '2001:db8:0:2::20'] },
    { eni: 3, subnet: 1, host: 1, addresses: ['10.0.1.30'], sourceDestCheck: false },
    { eni: 4, subnet: 1, host: 2, addresses: ['10.0.1.40'] },
    { eni: 5, subnet: 2, host: 2, addresses: ['10.0.2.50', '2001:db8:0:2::50'] }
  ]
}

function newLab (pathMtu = 1440): Lab {
  const lab = new Lab({ pathMtu })
  lab.apply(buildTables([VPC], 2))
  lab.takeSent()
  return lab
}

/** Sends packets out of an ENI and answers what left the router. */
function send (lab: Lab, eni: number, ...packets: readonly Uint8Array[]): Sent[] {
  for (const packet of packets) lab.nic.feed({ nicPort: lab.nicPort(eni), packet })
  lab.pass()
  return lab.takeSent()
}

const from1 = (fields: Partial<PacketFields>): Uint8Array => (
  ipPacket({ src: '10.0.1.10', dst: '10.0.2.50', ...fields }))

test('a packet for another host leaves in a VPC header that names VPC and both ENIs', (t) => {
  const packet = from1({ dst: '10.0.1.40', trafficClass: 0xb9 })
  const [sent] = send(newLab(), 1, packet)
  t.is(sent.nicPort, PORT_UNDERLAY)
  t.is(sent.outer?.peer, 2)
  t.is(sent.outer?.trafficClass, 0xb9)
  t.deepEqual(sent.outer?.header, vpcPacket({
    vni: 100, sourceEni: [ENI_HIGH, 1], destinationEni: [ENI_HIGH, 4]
  }, packet).slice(0, GENEVE_BYTES))
  t.deepEqual(sent.packet, packet, 'no bit of the inner packet changes within a subnet')
})

test('a packet to another subnet loses one of its TTL and nothing else', (t) => {
  const lab = newLab()
  for (const [src, dst] of [['10.0.1.10', '10.0.2.50'], ['2001:db8:0:1::10', '2001:db8:0:2::50']]) {
    const packet = ipPacket({ src, dst, ttl: 9 })
    const [sent] = send(lab, 1, packet)
    check(t, sent.packet, srcIs(src), dstIs(dst), ttlIs(8), goodChecksums())
    t.is(readU32(sent.outer?.header ?? new Uint8Array(8), 0) >>> 0, src.includes(':') ? 0x060086dd
      : 0x06000800)
  }
})

test('a packet for this host is written to the receiver and not to the underlay', (t) => {
  const lab = newLab()
  const [sent] = send(lab, 1, from1({ dst: '10.0.2.20' }))
  t.is(sent.nicPort, lab.nicPort(2))
  t.is(sent.outer, null)
  check(t, sent.packet, ttlIs(63), goodChecksums())
})

test('the outer source port is one per flow, and differs between flows', (t) => {
  const lab = newLab()
  const portOf =
    (srcPort: number): number | undefined => send(lab, 1, from1({ srcPort }))[0].outer?.sourcePort
  const ports = new Set(Array.from({ length: 8 }, (_p, index) => portOf(5000 + index)))
  t.true(ports.size >= 7)
  t.is(portOf(5000), portOf(5000))
})

/** One row per reason: what is sent, and where it is counted. */
const REFUSED: readonly (readonly [string, Uint8Array, string])[] = [
  ['source-spoofed', from1({ src: '10.0.1.11' }), '1/source-spoofed'],
  ['source-spoofed over IPv6', ipPacket({ src: '2001:db8:0:1::11', dst: '2001:db8:0:2::50' }),
    '1/source-spoofed'],
  ['multicast', from1({ dst: '224.0.0.251', protocol: PROTOCOL_UDP }), '1/multicast'],
  ['broadcast', from1({ dst: '255.255.255.255', protocol: PROTOCOL_UDP }), '1/multicast'],
  ['the broadcast address of the subnet', from1({ dst: '10.0.1.255' }), '1/multicast'],
  ['multicast over IPv6', ipPacket({ src: '2001:db8:0:1::10', dst: 'ff02::1' }), '1/multicast'],
  ['link-local', from1({ dst: '169.254.1.1' }), '1/link-local'],
  ['link-local over IPv6', ipPacket({ src: '2001:db8:0:1::10', dst: 'fe80::1' }), '1/link-local'],
  ['a service address, and no service of the VPC', ipPacket({
    src: '2001:db8:0:1::10', dst: 'fd00:ec2::254', dstPort: 81
  }),
    '1/link-local'],
  ['no-route', from1({ dst: '8.8.8.8' }), '1/no-route'],
  ['no-route over IPv6', ipPacket({ src: '2001:db8:0:1::10', dst: '2001:db8:ffff::1' }),
    '1/no-route'],
  ['blackhole inside a wider route', from1({ dst: '198.51.100.200' }), '1/blackhole'],
  ['no-mapping', from1({ dst: '10.0.2.99' }), '1/no-mapping'],
  ['no-mapping in the own subnet', from1({ dst: '10.0.1.99' }), '1/no-mapping'],
  ['ttl-expired', from1({ ttl: 1 }), '1/ttl-expired'],
  ['ttl 0', from1({ ttl: 0 }), '1/ttl-expired'],
  ['destination-check at the receiver', from1({ dst: '192.0.2.7' }), '2/destination-check'],
  ['a DHCP server', from1({ protocol: PROTOCOL_UDP, srcPort: 67, dstPort: 68 }),
    '1/service-spoofed'],
  ['a router advertisement', ipPacket({
    src: '2001:db8:0:1::10', dst: '2001:db8:0:2::50', protocol: PROTOCOL_ICMPV6, icmpType: 134
  }), '1/service-spoofed']
]

for (const [name, packet, counter] of REFUSED) {
  test(`a packet is dropped and counted once when it meets ${name}`, (t) => {
    const lab = newLab()
    t.deepEqual(send(lab, 1, packet), [])
    t.deepEqual(lab.drops(), { [counter]: 1 })
  })
}

test('within a subnet a TTL of 1 is enough', (t) => {
  t.is(send(newLab(), 1, from1({ dst: '10.0.1.40', ttl: 1 })).length, 1)
})

test('an ENI without source/destination check sends and takes foreign addresses', (t) => {
  const lab = newLab()
  const [toAppliance] = send(lab, 1, from1({ dst: '198.51.100.7' }))
  t.is(toAppliance.nicPort, lab.nicPort(3))
  t.is(send(lab, 3, ipPacket({ src: '198.51.100.7', dst: '10.0.1.10' }))[0].nicPort, lab.nicPort(1))
})

test('a route to an ENI on another host leads there, whatever the destination address', (t) => {
  const [sent] = send(newLab(), 1, from1({ dst: '203.0.113.9' }))
  t.is(sent.outer?.peer, 2)
  check(t, sent.packet, dstIs('203.0.113.9'), ttlIs(63))
})

test('a device whose ENI is not known is counted where it can be', (t) => {
  const lab = newLab()
  lab.toWorker.push({ kind: 'tables', revision: 2, removedPorts: [1] })
  lab.pass()
  t.deepEqual(send(lab, 1, from1({})), [])
  t.deepEqual(lab.drops(), { '1/port-unknown': 1 })
})

test('a receiver whose device is closed gets nothing, counted', (t) => {
  const lab = newLab()
  lab.toWorker.push({ kind: 'close-port', portIndex: 2 })
  lab.pass()
  t.deepEqual(send(lab, 1, from1({ dst: '10.0.2.20' })), [])
  t.deepEqual(lab.drops(), { '2/port-closed': 1 })
})

// ---------------------------------------------------------------------------------------- MTU

test('a packet of exactly the path MTU passes', (t) => {
  const lab = newLab()
  t.is(send(lab, 1, from1({ dontFragment: true, payloadBytes: 1400 }))[0].packet.length, 1440)
  t.is(send(lab, 1,
    from1({ dst: '10.0.2.20', dontFragment: true, payloadBytes: 8961 }))[0].packet.length, 9001)
})

test('too big with DF is answered with the MTU by the router of the subnet', (t) => {
  const lab = newLab()
  const packet = from1({ dontFragment: true, payloadBytes: 1401 })
  const [answer] = send(lab, 1, packet)
  t.is(answer.nicPort, lab.nicPort(1))
  check(t, answer.packet, srcIs('10.0.1.1'), dstIs('10.0.1.10'), lengthIs(576), goodChecksums())
  t.deepEqual([...answer.packet.subarray(20, 22)], [3, 4])
  t.is(readU16(answer.packet, 26), 1440)
  t.deepEqual(answer.packet.slice(28), packet.slice(0, 548), 'the packet is quoted as it was sent')
  t.deepEqual(lab.drops(), { '1/too-big': 1 })
})

test('too big over IPv6 is answered with Packet Too Big', (t) => {
  const lab = newLab()
  const packet = ipPacket({ src: '2001:db8:0:1::10', dst: '2001:db8:0:2::50', payloadBytes: 1381 })
  const [answer] = send(lab, 1, packet)
  check(t, answer.packet, srcIs('2001:db8:0:1::1'), dstIs('2001:db8:0:1::10'), lengthIs(1280),
    goodChecksums())
  t.deepEqual([...answer.packet.subarray(40, 42)], [2, 0])
  t.is(readU32(answer.packet, 44), 1440)
  t.deepEqual(answer.packet.slice(48), packet.slice(0, 1232))
})

test('no error answers an error, a later fragment or a subnet without router', (t) => {
  const lab = newLab()
  const error =
    from1({ protocol: PROTOCOL_ICMP, icmpType: 3, dontFragment: true, payloadBytes: 1500 })
  const error6 = ipPacket({
    src: '2001:db8:0:1::10', dst: '2001:db8:0:2::50', protocol: PROTOCOL_ICMPV6, icmpType: 1,
    payloadBytes: 1500
  })
  const later = from1({
    protocol: PROTOCOL_UDP, dontFragment: true, fragment: { offsetBytes: 1480, more: false },
    payloadBytes: 1500
  })
  t.deepEqual(send(lab, 1, error, error6, later), [])
  t.deepEqual(send(lab, 2, ipPacket({
    src: '10.0.2.20', dst: '10.0.2.50', dontFragment: true, payloadBytes: 1500
  })), [])
  t.deepEqual(lab.drops(), { '1/too-big': 3, '2/too-big': 1 })
})

test('answers are bounded per ENI and come again after a while', (t) => {
  const lab = newLab()
  const packets = Array.from({ length: 2 * ICMP_ERRORS_BURST }, () => (
    from1({ dontFragment: true, payloadBytes: 1500 })))
  t.is(send(lab, 1, ...packets).length, ICMP_ERRORS_BURST)
  lab.nowMs += 100
  t.is(send(lab, 1, ...packets).length, 10)
  t.is(lab.drops()['1/too-big'], 4 * ICMP_ERRORS_BURST)
})

test('a super-packet is judged by its segments', (t) => {
  const lab = newLab()
  const packet = from1({ dontFragment: true, payloadBytes: 20_000 })
  const feed = (gsoSize: number): Sent[] => {
    lab.nic.feed({
      nicPort: lab.nicPort(1), packet, gsoType: GSO_TCPV4, gsoSize, csum: CSUM_NEEDED,
      csumField: 20 | (16 << 16)
    })
    lab.pass()
    return lab.takeSent()
  }
  const [sent] = feed(1400)
  t.is(sent.gsoSize, 1400)
  t.is(sent.totalBytes, 20_040)
  t.is(feed(1401)[0].packet[20], 3, 'an ICMP error')
  t.is(lab.drops()['1/too-big'], 15, 'drops count packets on the wire')
})

test('too big without DF is fragmented, and the pieces are the packet', (t) => {
  const lab = newLab()
  const packet =
    from1({ protocol: PROTOCOL_UDP, payloadBytes: 4000, ttl: 5, identification: 0xbeef })
  const sent = send(lab, 1, packet)
  const offsets = [0, 1416, 2832]
  t.is(sent.length, 3)
  sent.forEach((piece, index) => {
    check(t, piece.packet, fragmentIs(offsets[index], index < 2), ttlIs(4), goodChecksums())
    t.is(readU16(piece.packet, 4), 0xbeef)
    t.true(piece.packet.length <= 1440)
    t.is(piece.outer?.header.length, GENEVE_BYTES)
  })
  const whole = reassemble(sent.map((piece) => piece.packet))
  t.deepEqual(whole.slice(20), packet.slice(20))
  t.deepEqual(lab.drops(), {})
})

test('a fragment is fragmented further with its offset and its flag', (t) => {
  const sent = send(newLab(), 1, from1({
    protocol: PROTOCOL_UDP, payloadBytes: 2000, fragment: { offsetBytes: 4000, more: true }
  }))
  check(t, sent[0].packet, fragmentIs(4000, true))
  check(t, sent[1].packet, fragmentIs(5416, true))
})

test('later fragments carry only the options that are to be copied', (t) => {
  // Security (130, copied) of 4 bytes, record route (7, not copied) of 7, end.
  const options = Uint8Array.of(130, 4, 1, 2, 7, 7, 4, 0, 0, 0, 0, 0)
  const sent = send(newLab(), 1, from1({ protocol: PROTOCOL_UDP, payloadBytes: 3000, options }))
  t.is(sent[0].packet[0], 0x48)
  t.is(sent[1].packet[0], 0x46)
  t.deepEqual([...sent[1].packet.subarray(20, 24)], [130, 4, 1, 2])
  for (const piece of sent) check(t, piece.packet, goodChecksums())
})

test('an unfinished checksum is completed before a packet is cut', (t) => {
  const lab = newLab()
  const packet = from1({ protocol: PROTOCOL_UDP, payloadBytes: 3000 })
  const whole = packet.slice()
  writeU16(packet, 26,
    checksumFold(pseudoHeaderSum(packet, 12, 8, PROTOCOL_UDP, packet.length - 20)))
  lab.nic.feed({ nicPort: lab.nicPort(1), packet, csum: CSUM_NEEDED, csumField: 20 | (6 << 16) })
  lab.pass()
  const sent = lab.takeSent()
  t.true(sent.every((piece) => piece.csum === 0))
  t.deepEqual(reassemble(sent.map((piece) => piece.packet)).slice(20), whole.slice(20))
})

test('a TCP super-packet without DF is cut into smaller segments', (t) => {
  const lab = newLab()
  lab.nic.feed({
    nicPort: lab.nicPort(1),
    packet: from1({ payloadBytes: 20_000 }),
    gsoType: GSO_TCPV4,
    gsoSize: 2000,
    csum: CSUM_NEEDED,
    csumField: 20 | (16 << 16)
  })
  lab.pass()
  const [sent] = lab.takeSent()
  t.is(sent.gsoSize, 1400)
  t.is(sent.totalBytes, 20_040)
})

test('a UDP super-packet without DF becomes its datagrams, each fragmented', (t) => {
  const lab = newLab()
  const packet = from1({ protocol: PROTOCOL_UDP, payloadBytes: 5000, identification: 100 })
  lab.nic.feed({
    nicPort: lab.nicPort(1), packet, gsoType: GSO_UDP, gsoSize: 2000, csum: CSUM_NEEDED,
    csumField: 20 | (6 << 16)
  })
  lab.pass()
  const sent = lab.takeSent()
  const datagrams = [100, 101, 102].map((identification) => (
    reassemble(sent.filter((piece) => readU16(piece.packet, 4) ===
      identification).map((piece) => piece.packet))))
  t.deepEqual(datagrams.map((datagram) => datagram.length), [2028, 2028, 1028])
  const payload = datagrams.flatMap((datagram) => [...datagram.subarray(28)])
  t.deepEqual(payload, [...packet.subarray(28)])
  for (const datagram of datagrams) {
    writeU16(datagram, 2, datagram.length)
    writeU16(datagram, 6, 0)
    ipv4WriteChecksum(datagram, 0, 20)
    check(t, datagram, goodChecksums())
  }
})

test('fragments that find no room are dropped whole and counted', (t) => {
  const lab = newLab(100)
  const packets =
    Array.from({ length: 2 }, () => from1({ protocol: PROTOCOL_ESP, payloadBytes: 50_000 }))
  const sent = send(lab, 1, ...packets)
  t.is(sent.length, 625)
  t.deepEqual(lab.drops(), { '1/transmit-queue-full': 1 })
})
