/**
 *     host 1 (this): an edge       host 2                       the internet
 *     gateway 30 of VPC 1          ENI 1 10.0.1.10 of VPC 1     198.51.100.10
 *     gateway 31 of VPC 2          ENI 2 10.0.1.10 of VPC 2
 *     NIC port 1: uplink           ENI 3 10.0.1.30 of VPC 1, without a public address
 *
 *     203.0.113.5 is ENI 1, 203.0.113.6 is ENI 2; 2001:db8:1::/56 is VPC 1's
 */
import test from 'ava'
import { CSUM_NEEDED, GSO_TCPV4, PORT_UNDERLAY } from '../tun/descriptor.ts'
import { addressWords } from '../wire/address.ts'
import { readU16, writeU16, writeU32 } from '../wire/bytes.ts'
import {
  checksumFold, checksumOf, ipv4HeaderSumIsGood, pseudoHeaderSum
} from '../wire/checksum.ts'
import { PROTOCOL_ESP, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ip_protocol.ts'
import { addressOf, check, dstIs, goodChecksums, srcIs, ttlIs } from './testing/checker.ts'
import {
  buildTables, ENI_HIGH, GATEWAY_HIGH, hostAddress, Lab, publicAddresses
} from './testing/lab.ts'
import type { RouteSpec, VpcSpec } from './testing/lab.ts'
import type { Fed, Sent } from './testing/memory_nic.ts'
import { ipPacket, vpcPacket } from './testing/packets.ts'
import { PORT_KIND_INTERNET_GATEWAY } from './tables/update.ts'

const OUTSIDE = '198.51.100.10'
const ROUTES: readonly RouteSpec[] = [{ to: '10.0.0.0/16', target: 'local' }]

const vpcOf = (vpc: number, enis: VpcSpec['enis'], gatewayTable?: number): VpcSpec => ({
  vpc,
  vni: vpc * 100,
  subnets: [
    { subnet: vpc * 10 + 1, cidrs: ['10.0.1.0/24', '2001:db8:1::/64'], routes: ROUTES },
    { subnet: vpc * 10 + 2, cidrs: ['10.0.2.0/24'],
      routes: [{ to: '10.0.1.0/24', target: { eni: 3 } }] }
  ],
  enis,
  gateways: [{
    gateway: 29 + vpc, host: 1, mtu: 1500, kind: PORT_KIND_INTERNET_GATEWAY,
    ...(gatewayTable === undefined ? {} : { routeTable: gatewayTable })
  }]
})

function newLab (gatewayTable?: number): Lab {
  const lab = new Lab()
  lab.apply({
    ...buildTables([
      vpcOf(1, [
        { eni: 1, subnet: 11, host: 2, addresses: ['10.0.1.10', '2001:db8:1::10'] },
        { eni: 3, subnet: 11, host: 3, addresses: ['10.0.1.30'] }
      ], gatewayTable),
      vpcOf(2, [{ eni: 2, subnet: 21, host: 2, addresses: ['10.0.1.10'] }])
    ], 3),
    publicAddresses: [publicAddresses([
      ['203.0.113.5', '10.0.1.10', 1], ['203.0.113.6', '10.0.1.10', 2],
      ['2001:db8:1::/56', null, 1]
    ])]
  })
  lab.toWorker.push(
    { kind: 'open-uplink', namespacePath: '/run/netns/internet', deviceName: 'edge-1' })
  lab.pass()
  lab.takeSent()
  return lab
}

const uplink = (lab: Lab): number => lab.loop.tables.uplinkNicPort

/** What an ENI of host 2 sends to the gateway of its VPC. */
function leave (lab: Lab, inner: Uint8Array, eni = 1, fed: Partial<Fed> = {}): Sent[] {
  const vpc = eni === 2 ? 2 : 1
  lab.nic.feed({
    nicPort: PORT_UNDERLAY,
    source: addressWords(hostAddress(eni === 3 ? 3 : 2)),
    packet: vpcPacket({
      vni: vpc * 100, sourceEni: [ENI_HIGH, eni], destinationEni: [GATEWAY_HIGH, 29 + vpc]
    }, inner),
    ...fed
  })
  lab.pass()
  return lab.takeSent()
}

function arrive (lab: Lab, packet: Uint8Array, fed: Partial<Fed> = {}): Sent[] {
  lab.nic.feed({ nicPort: uplink(lab), packet, ...fed })
  lab.pass()
  return lab.takeSent()
}

test('the private source becomes the public one, whatever the protocol, and nothing else changes',
  (t) => {
    for (const protocol of [PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMP, PROTOCOL_ESP]) {
      const lab = newLab()
      const inner = ipPacket({ src: '10.0.1.10', dst: OUTSIDE, protocol, identification: 77 })
      const [sent] = leave(lab, inner)
      t.is(sent.nicPort, uplink(lab))
      check(t, sent.packet, srcIs('203.0.113.5'), dstIs(OUTSIDE), ttlIs(64), goodChecksums())
      t.deepEqual(sent.packet, ipPacket({
        src: '203.0.113.5', dst: OUTSIDE, protocol, identification: 77
      }))
      t.deepEqual(lab.drops(), {})
    }
  })

test('a private address is that of its VPC', (t) => {
  const lab = newLab()
  const [sent] = leave(lab, ipPacket({ src: '10.0.1.10', dst: OUTSIDE }), 2)
  check(t, sent.packet, srcIs('203.0.113.6'), goodChecksums())
})

test('the public destination becomes the private one, in the VPC that has it', (t) => {
  for (const [publicAddress, vpc, eni] of [['203.0.113.5', 1, 1], ['203.0.113.6', 2, 2]] as const) {
    const lab = newLab()
    const [sent] = arrive(lab, ipPacket({ src: OUTSIDE, dst: publicAddress, ttl: 60 }))
    t.is(sent.outer?.peer, 2)
    t.deepEqual([...sent.outer?.header ?? []], [...vpcPacket({
      vni: vpc * 100, sourceEni: [GATEWAY_HIGH, 29 + vpc], destinationEni: [ENI_HIGH, eni]
    }, sent.packet)].slice(0, sent.outer?.header.length))
    check(t, sent.packet, srcIs(OUTSIDE), dstIs('10.0.1.10'), ttlIs(59), goodChecksums())
  }
})

test('IPv6 passes both ways as it is', (t) => {
  const lab = newLab()
  const outward = ipPacket({ src: '2001:db8:1::10', dst: '2001:db8:ffff::10' })
  t.deepEqual(leave(lab, outward)[0]?.packet, outward)
  const [sent] = arrive(lab, ipPacket({ src: '2001:db8:ffff::10', dst: '2001:db8:1::10', ttl: 9 }))
  t.is(sent.outer?.peer, 2)
  check(t, sent.packet, srcIs('2001:db8:ffff::10'), dstIs('2001:db8:1::10'), ttlIs(8),
    goodChecksums())
})

test('a call to another public address comes back, and shows the caller\'s public one', (t) => {
  const lab = newLab()
  const [sent] = leave(lab, ipPacket({ src: '10.0.1.10', dst: '203.0.113.6' }))
  t.is(sent.outer?.peer, 2)
  t.is(sent.outer?.header[6], 200, 'the VNI of the other VPC')
  check(t, sent.packet, srcIs('203.0.113.5'), dstIs('10.0.1.10'), goodChecksums())
})

const REFUSED: readonly (readonly [string, (lab: Lab) => Sent[], string])[] = [
  ['a source without a public address',
    (lab) => leave(lab, ipPacket({ src: '10.0.1.30', dst: OUTSIDE }), 3), '30/no-public-address'],
  ['an IPv6 source of another VPC',
    (lab) => leave(lab, ipPacket({ src: '2001:db8:2::10', dst: '2001:db8:ffff::10' })),
    '30/no-public-address'],
  ['a private destination',
    (lab) => leave(lab, ipPacket({ src: '10.0.1.10', dst: '192.168.1.1' })), '30/martian'],
  ['a private source from outside',
    (lab) => arrive(lab, ipPacket({ src: '10.0.1.30', dst: '203.0.113.5' })), '0/martian'],
  ['a unique local source from outside',
    (lab) => arrive(lab, ipPacket({ src: 'fd00::1', dst: '2001:db8:1::10' })), '0/martian'],
  ['an address that nobody has',
    (lab) => arrive(lab, ipPacket({ src: OUTSIDE, dst: '203.0.113.77' })),
    '0/public-address-unknown'],
  ['a last hop', (lab) => arrive(lab, ipPacket({ src: OUTSIDE, dst: '203.0.113.5', ttl: 1 })),
    '30/ttl-expired'],
  ['an IPv6 address of the VPC that no ENI has',
    (lab) => arrive(lab, ipPacket({ src: '2001:db8:ffff::10', dst: '2001:db8:1::99' })),
    '30/no-mapping'],
  ['more than 1,500 bytes', (lab) => leave(lab,
    ipPacket({ src: '10.0.1.10', dst: OUTSIDE, payloadBytes: 1473, protocol: PROTOCOL_UDP })),
  '30/too-big'],
  ['the gateway of another VPC', (lab) => leave(lab,
    ipPacket({ src: '10.0.1.10', dst: OUTSIDE }), 1, {
      packet: vpcPacket({ vni: 100, sourceEni: [ENI_HIGH, 1], destinationEni: [GATEWAY_HIGH, 31] },
        ipPacket({ src: '10.0.1.10', dst: OUTSIDE }))
    }), '31/vni-mismatch'],
  ['a host that is not the sender\'s', (lab) => leave(lab,
    ipPacket({ src: '10.0.1.10', dst: OUTSIDE }), 1, { source: addressWords(hostAddress(3)) }),
  '30/bad-host']
]

for (const [what, act, drop] of REFUSED) {
  test(`refused and counted: ${what}`, (t) => {
    const lab = newLab()
    t.deepEqual(act(lab), [])
    t.deepEqual(lab.drops(), { [drop]: 1 })
  })
}

test('fragments: the first one\'s checksum follows, later ones are payload', (t) => {
  const lab = newLab()
  const whole = ipPacket(
    { src: '10.0.1.10', dst: OUTSIDE, protocol: PROTOCOL_UDP, payloadBytes: 100 })
  const wanted = ipPacket(
    { src: '203.0.113.5', dst: OUTSIDE, protocol: PROTOCOL_UDP, payloadBytes: 100 })
  const piece = (packet: Uint8Array, from: number, to: number, src: string): Uint8Array => {
    const fragment = ipPacket({ src, dst: OUTSIDE, protocol: PROTOCOL_UDP, payloadBytes: to - from,
      fragment: { offsetBytes: from, more: to < 108 } })
    // Headers of a later fragment are 20 bytes; the first one begins with its UDP header.
    const bytes = from === 0 ? fragment.slice(0, 20 + to - from) : fragment
    bytes.set(packet.subarray(20 + from, 20 + to), 20)
    writeU16(bytes, 2, 20 + to - from)
    writeU16(bytes, 10, 0)
    writeU16(bytes, 10, checksumOf(bytes, 0, 20))
    return bytes
  }
  for (const [from, to] of [[0, 56], [56, 108]] as const) {
    const [sent] = leave(lab, piece(whole, from, to, '10.0.1.10'))
    t.deepEqual(sent.packet, piece(wanted, from, to, '203.0.113.5'), `from ${String(from)}`)
  }
  t.deepEqual(lab.drops(), {})
})

test('UDP without a checksum stays without one', (t) => {
  const lab = newLab()
  const inner = ipPacket({ src: '10.0.1.10', dst: OUTSIDE, protocol: PROTOCOL_UDP })
  writeU16(inner, 26, 0)
  t.is(readU16(leave(lab, inner)[0]?.packet ?? inner, 26), 0)
})

test('a super-packet costs one rewrite: the sum of its pseudo-header follows', (t) => {
  const lab = newLab()
  const packet = (src: string, dst: string): Uint8Array => {
    const bytes = ipPacket({ src, dst, payloadBytes: 4000 })
    writeU16(bytes, 36, checksumFold(pseudoHeaderSum(bytes, 12, 8, PROTOCOL_TCP,
      bytes.length - 20)))
    return bytes
  }
  const fed = { gsoType: GSO_TCPV4, gsoSize: 1000, csum: CSUM_NEEDED, csumField: 20 | (16 << 16),
    segments: 4 }
  const [out] = leave(lab, packet('10.0.1.10', OUTSIDE), 1, fed)
  t.deepEqual(out.packet, packet('203.0.113.5', OUTSIDE))
  t.is(out.gsoSize, 1000)
  const [inward] = arrive(lab, packet(OUTSIDE, '203.0.113.5'), fed)
  const wanted = packet(OUTSIDE, '10.0.1.10')
  wanted[8] = 63
  writeU16(wanted, 10, 0)
  writeU16(wanted, 10, checksumOf(wanted, 0, 20))
  t.deepEqual(inward.packet, wanted)
})

/** An ICMP error that quotes `quoted`, of which it has `quotedBytes`. */
function icmpError (src: string, dst: string, quoted: Uint8Array, quotedBytes: number): Uint8Array {
  const bytes = ipPacket({ src, dst, protocol: PROTOCOL_ICMP, icmpType: 3, payloadBytes:
    quotedBytes })
  bytes.set(quoted.subarray(0, quotedBytes), 28)
  writeU32(bytes, 24, 1500)
  writeU16(bytes, 22, 0)
  writeU16(bytes, 22, checksumOf(bytes, 20, bytes.length - 20))
  return bytes
}

test('an ICMP error from outside quotes the packet as the instance sent it', (t) => {
  for (const protocol of [PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMP]) {
    const asSent = ipPacket({ src: '10.0.1.10', dst: OUTSIDE, protocol })
    const asSeen = ipPacket({ src: '203.0.113.5', dst: OUTSIDE, protocol })
    for (const quotedBytes of [28, 40, asSent.length]) {
      const lab = newLab()
      const [sent] = arrive(lab, icmpError('198.51.100.1', '203.0.113.5', asSeen, quotedBytes))
      const wanted = icmpError('198.51.100.1', '10.0.1.10', asSent, quotedBytes)
      check(t, sent.packet, srcIs('198.51.100.1'), dstIs('10.0.1.10'), goodChecksums())
      t.deepEqual(sent.packet.subarray(20), wanted.subarray(20))
      t.true(ipv4HeaderSumIsGood(new DataView(sent.packet.buffer, sent.packet.byteOffset), 28, 20))
    }
  }
})

test('an ICMP error from an instance quotes the packet as the internet sent it', (t) => {
  const lab = newLab()
  const asSeen = ipPacket({ src: OUTSIDE, dst: '10.0.1.10', protocol: PROTOCOL_UDP })
  const asSent = ipPacket({ src: OUTSIDE, dst: '203.0.113.5', protocol: PROTOCOL_UDP })
  const [sent] = leave(lab, icmpError('10.0.1.10', OUTSIDE, asSeen, asSeen.length))
  check(t, sent.packet, srcIs('203.0.113.5'), goodChecksums())
  t.deepEqual(sent.packet.subarray(28), asSent)
})

test('a gateway route table bends what comes in; its destination stays the instance', (t) => {
  const lab = newLab(12)
  const [sent] = arrive(lab, ipPacket({ src: OUTSIDE, dst: '203.0.113.5' }))
  t.is(sent.outer?.peer, 3, 'to the appliance, ENI 3')
  t.is(addressOf(sent.packet, 'dst'), '10.0.1.10')
  t.deepEqual(arrive(newLab(21), ipPacket({ src: OUTSIDE, dst: '203.0.113.5' }))[0]?.outer?.peer, 2)
})

test('without an uplink nothing leaves, and it is counted', (t) => {
  const lab = new Lab()
  lab.apply({
    ...buildTables([vpcOf(1, [{ eni: 1, subnet: 11, host: 2, addresses: ['10.0.1.10'] }])], 2),
    publicAddresses: [publicAddresses([['203.0.113.5', '10.0.1.10', 1]])]
  })
  t.deepEqual(leave(lab, ipPacket({ src: '10.0.1.10', dst: OUTSIDE })), [])
  t.deepEqual(lab.drops(), { '30/port-closed': 1 })
})
