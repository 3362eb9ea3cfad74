/** The world of testing/nat_world.ts. */
import test from 'ava'
import { CSUM_NEEDED, GSO_TCPV4, PORT_UNDERLAY } from '../tun/descriptor.ts'
import { addressWords } from '../wire/address.ts'
import { readU16, readU32, writeU16 } from '../wire/bytes.ts'
import { checksumFold, pseudoHeaderSum } from '../wire/checksum.ts'
import { ICMP_DESTINATION_UNREACHABLE } from '../wire/icmp.ts'
import { PROTOCOL_ESP, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ip_protocol.ts'
import { TCP_FLAG_ACK, TCP_FLAG_RST, TCP_FLAG_SYN } from '../wire/tcp.ts'
import { NAT_IDLE_S, NAT_PORT_MIN } from './tables/nat_layout.ts'
import { check, dstIs, goodChecksums, srcIs, ttlIs } from './testing/checker.ts'
import { ENI_HIGH, hostAddress } from './testing/lab.ts'
import type { PolicySpec } from './testing/lab.ts'
import {
  COMPUTE, NAT, NAT_PUBLIC, NatWorld, NODES, OUTSIDE
} from './testing/nat_world.ts'
import { ipPacket, vpcPacket } from './testing/packets.ts'

const syn = (srcPort = 5000, dstPort = 80, src = '10.0.2.10'): Uint8Array => ipPacket(
  { src, dst: OUTSIDE, srcPort, dstPort, tcpFlags: TCP_FLAG_SYN, payloadBytes: 0 })
const sourcePort = (packet: Uint8Array): number => readU16(packet, 20)
const destinationPort = (packet: Uint8Array): number => readU16(packet, 22)

test('a connection goes out with the gateway\'s address and comes back to its instance', (t) => {
  const world = new NatWorld()
  const [sent] = world.out(syn(), world.ownerOf(80))
  check(t, sent.packet, srcIs(NAT_PUBLIC), dstIs(OUTSIDE), ttlIs(63), goodChecksums())
  t.is(sent.outer, null, 'to the uplink')
  const port = sourcePort(sent.packet)
  t.true(port >= NAT_PORT_MIN)
  for (const edge of NODES) {
    const [answer] = world.back(ipPacket({ src: OUTSIDE, dst: NAT_PUBLIC, srcPort: 80,
      dstPort: port, tcpFlags: TCP_FLAG_SYN | TCP_FLAG_ACK, payloadBytes: 0 }), edge)
    t.is(answer.outer?.peer, COMPUTE, 'whichever edge it comes by')
    check(t, answer.packet, srcIs(OUTSIDE), dstIs('10.0.2.10'), goodChecksums())
    t.is(destinationPort(answer.packet), 5000)
  }
  t.deepEqual(world.drops(), {})
})

test('the first packet waits until every other node has the flow', (t) => {
  const world = new NatWorld()
  const owner = world.ownerOf(80)
  const lab = world.lab(owner)
  lab.nic.feed({
    nicPort: PORT_UNDERLAY,
    source: addressWords(hostAddress(COMPUTE)),
    packet: vpcPacket(
      { vni: 100, sourceEni: [ENI_HIGH, 1], destinationEni: [ENI_HIGH, NAT] }, syn())
  })
  lab.pass()
  lab.pass()
  const sent = lab.takeSent()
  t.true(sent.length > 0 && sent.every(({ outer }) => outer !== null && outer.peer <= 3),
    'messages to other nodes, and nothing to the internet')
  t.is(lab.loop.router.node.holding.count, 1)
})

test('flows to one destination have ports of their own, whoever opens them', (t) => {
  const world = new NatWorld()
  const owner = world.ownerOf(80)
  const ports = Array.from({ length: 40 }, (_n, index) => {
    const [sent] = world.out(syn(5000 + (index >> 1), 80, `10.0.2.${String(10 + (index & 1))}`),
      owner, 1 + (index & 1))
    return sourcePort(sent.packet)
  })
  t.is(new Set(ports).size, 40)
})

test('when a node dies its flows go on at another one, with the same ports', (t) => {
  const world = new NatWorld()
  const owner = world.ownerOf(80)
  const before = world.out(syn(), owner).map(({ packet }) => sourcePort(packet))
  world.labs.delete(owner)
  const heir = NODES.find((node) => node !== owner) ?? 0
  world.assign(world.owners.map((node) => node === owner ? heir : node))
  t.is(world.ownerOf(80), heir)
  const data = ipPacket({ src: '10.0.2.10', dst: OUTSIDE, srcPort: 5000, dstPort: 80 })
  t.deepEqual(world.out(data, heir).map(({ packet }) => sourcePort(packet)), before)
  const [answer] = world.back(ipPacket(
    { src: OUTSIDE, dst: NAT_PUBLIC, srcPort: 80, dstPort: before[0] }), heir)
  check(t, answer.packet, dstIs('10.0.2.10'), goodChecksums())
})

test('a single node carries flows alone, and says so', (t) => {
  const world = new NatWorld({ nodes: [2] })
  const [sent] = world.out(syn(), 2)
  check(t, sent.packet, srcIs(NAT_PUBLIC), goodChecksums())
  t.is(world.lab(2).loop.tables.hyperplane?.counts.alone, 1)
})

test('UDP and echo have flows; nothing else is carried', (t) => {
  const world = new NatWorld()
  const [datagram] = world.out(ipPacket({ src: '10.0.2.10', dst: OUTSIDE, protocol: PROTOCOL_UDP,
    srcPort: 4000, dstPort: 53 }), world.ownerOf(53, PROTOCOL_UDP))
  check(t, datagram.packet, srcIs(NAT_PUBLIC), goodChecksums())
  const [ping] = world.out(ipPacket({ src: '10.0.2.10', dst: OUTSIDE, protocol: PROTOCOL_ICMP,
    icmpId: 77 }), world.ownerOf(0, PROTOCOL_ICMP))
  check(t, ping.packet, srcIs(NAT_PUBLIC), goodChecksums())
  const id = readU16(ping.packet, 24)
  const [pong] = world.back(ipPacket(
    { src: OUTSIDE, dst: NAT_PUBLIC, protocol: PROTOCOL_ICMP, icmpType: 0, icmpId: id }))
  check(t, pong.packet, dstIs('10.0.2.10'), goodChecksums())
  t.is(readU16(pong.packet, 24), 77)
  const esp = ipPacket({ src: '10.0.2.10', dst: OUTSIDE, protocol: PROTOCOL_ESP })
  t.deepEqual(world.out(esp, 1), [])
  t.is(world.drops()[`${String(NAT)}/nat-protocol`], 1)
})

test('nothing is opened from outside, and the gateway does not answer ping', (t) => {
  const world = new NatWorld()
  t.deepEqual(world.back(ipPacket({ src: OUTSIDE, dst: NAT_PUBLIC, srcPort: 9, dstPort: 22,
    tcpFlags: TCP_FLAG_SYN })), [])
  t.deepEqual(world.back(ipPacket({ src: OUTSIDE, dst: NAT_PUBLIC, protocol: PROTOCOL_ICMP })), [])
})

test('an ICMP error about a flow goes to its instance and speaks of what that sent', (t) => {
  const world = new NatWorld()
  const inner = ipPacket({ src: '10.0.2.10', dst: OUTSIDE, protocol: PROTOCOL_UDP, srcPort: 4000,
    dstPort: 53, payloadBytes: 0 })
  const [sent] = world.out(inner, world.ownerOf(53, PROTOCOL_UDP))
  const error = icmpError('198.51.100.1', NAT_PUBLIC, sent.packet)
  const [answer] = world.back(error)
  check(t, answer.packet, srcIs('198.51.100.1'), dstIs('10.0.2.10'), goodChecksums())
  const quoted = answer.packet.slice(28)
  t.is(readU32(quoted, 12), addressWords('10.0.2.10')[3], 'quoted source')
  t.is(readU16(quoted, 20), 4000, 'quoted port')
  t.is(readU16(quoted, 26), readU16(inner, 26), 'quoted checksum')
})

/** Port unreachable about `packet`. */
function icmpError (src: string, dst: string, packet: Uint8Array): Uint8Array {
  const error = ipPacket({ src, dst, protocol: PROTOCOL_ICMP,
    icmpType: ICMP_DESTINATION_UNREACHABLE, payloadBytes: packet.length })
  error.set(packet, 28)
  error[21] = 3
  writeU16(error, 22, 0)
  let sum = 0
  for (let at = 20; at < error.length; at += 2) sum += (error[at] << 8) | (error[at + 1] ?? 0)
  writeU16(error, 22, ~checksumFold(sum) & 0xffff)
  return error
}

test('fragments: UDP\'s are carried after the first one, TCP\'s and ICMP\'s are not', (t) => {
  const world = new NatWorld()
  const owner = world.ownerOf(53, PROTOCOL_UDP)
  const common = { src: '10.0.2.10', dst: OUTSIDE, srcPort: 4000, dstPort: 53, identification: 9 }
  const first = world.out(ipPacket({ ...common, protocol: PROTOCOL_UDP, payloadBytes: 64,
    fragment: { offsetBytes: 0, more: true } }), owner)
  t.is(first.length, 1)
  const [later] = world.out(ipPacket({ ...common, protocol: PROTOCOL_UDP, payloadBytes: 64,
    fragment: { offsetBytes: 72, more: false } }), owner)
  check(t, later.packet, srcIs(NAT_PUBLIC))
  for (const protocol of [PROTOCOL_TCP, PROTOCOL_ICMP]) {
    t.deepEqual(world.out(ipPacket({ ...common, protocol,
      payloadBytes: protocol === PROTOCOL_TCP ? 60 : 64,
      fragment: { offsetBytes: 0, more: true } }), owner), [])
  }
  t.is(world.drops()[`${String(NAT)}/nat-fragment`], 2)
})

test('a packet of a connection that idled out is reset, not carried', (t) => {
  const world = new NatWorld()
  const owner = world.ownerOf(80)
  world.out(syn(), owner)
  for (const lab of world.labs.values()) lab.nowMs += NAT_IDLE_S * 1000 + 1000
  world.settle()
  const data = ipPacket({ src: '10.0.2.10', dst: OUTSIDE, srcPort: 5000, dstPort: 80 })
  const [reset] = world.out(data, owner)
  t.is(reset.outer?.peer, COMPUTE)
  check(t, reset.packet, srcIs(OUTSIDE), dstIs('10.0.2.10'), goodChecksums())
  t.is(reset.packet[33] & (TCP_FLAG_RST | 1), TCP_FLAG_RST, 'RST, no FIN')
  t.is(readU32(reset.packet, 24), readU32(data, 28), 'its sequence number is what was acknowledged')
  t.is(world.drops()[`${String(NAT)}/nat-idle`], 1)
})

test('what is too large is answered, from the router of the gateway\'s subnet', (t) => {
  const world = new NatWorld()
  const big = ipPacket({ src: '10.0.2.10', dst: OUTSIDE, protocol: PROTOCOL_UDP, srcPort: 4000,
    dstPort: 53, payloadBytes: 1600, dontFragment: true })
  const [answer] = world.out(big, world.ownerOf(53, PROTOCOL_UDP))
  t.is(answer.outer?.peer, COMPUTE)
  check(t, answer.packet, srcIs('10.0.1.1'), dstIs('10.0.2.10'), goodChecksums())
  t.is(readU16(answer.packet, 26), 1500, 'next-hop MTU')
  t.deepEqual(answer.packet.slice(28, 56), big.slice(0, 28), 'quoted as it was sent')
})

test('what comes back too large for the VPC is answered by the gateway', (t) => {
  const world = new NatWorld({ pathMtu: 1480 })
  const owner = world.ownerOf(53, PROTOCOL_UDP)
  const [sent] = world.out(ipPacket({ src: '10.0.2.10', dst: OUTSIDE, protocol: PROTOCOL_UDP,
    srcPort: 4000, dstPort: 53 }), owner)
  const big = ipPacket({ src: OUTSIDE, dst: NAT_PUBLIC, protocol: PROTOCOL_UDP, srcPort: 53,
    dstPort: sourcePort(sent.packet), payloadBytes: 1472, dontFragment: true })
  const [answer] = world.back(big, owner)
  check(t, answer.packet, srcIs(NAT_PUBLIC), dstIs(OUTSIDE), goodChecksums())
  t.is(readU16(answer.packet, 26), 1480, 'next-hop MTU')
})

test('a SYN\'s MSS is lowered to what the internet takes', (t) => {
  const world = new NatWorld()
  const packet = ipPacket({ src: '10.0.2.10', dst: OUTSIDE, srcPort: 5000, dstPort: 80,
    tcpFlags: TCP_FLAG_SYN, payloadBytes: 4 })
  packet[32] = 6 << 4 // the payload is now an option: MSS 8961
  packet.set([2, 4, 0x23, 0x01], 40)
  writeU16(packet, 36, 0)
  const sum = pseudoHeaderSum(packet, 12, 8, PROTOCOL_TCP, 24)
  let whole = sum
  for (let at = 20; at < packet.length; at += 2) whole += readU16(packet, at)
  writeU16(packet, 36, ~checksumFold(whole) & 0xffff)
  const [sent] = world.out(packet, world.ownerOf(80))
  check(t, sent.packet, goodChecksums())
  t.is(readU16(sent.packet, 42), 1460)
})

test('a super-packet is translated by one rewrite of its headers', (t) => {
  const world = new NatWorld()
  const owner = world.ownerOf(80)
  const [opened] = world.out(syn(), owner)
  const inner = ipPacket({ src: '10.0.2.10', dst: OUTSIDE, srcPort: 5000, dstPort: 80,
    payloadBytes: 4000 })
  const pseudo = (packet: Uint8Array): number =>
    checksumFold(pseudoHeaderSum(packet, 12, 8, PROTOCOL_TCP, packet.length - 20))
  writeU16(inner, 36, pseudo(inner))
  world.lab(owner).nic.feed({
    nicPort: PORT_UNDERLAY,
    source: addressWords(hostAddress(COMPUTE)),
    packet: vpcPacket(
      { vni: 100, sourceEni: [ENI_HIGH, 1], destinationEni: [ENI_HIGH, NAT] }, inner),
    gsoType: GSO_TCPV4, gsoSize: 1000, segments: 4, csum: CSUM_NEEDED, csumField: 20 | (16 << 16)
  })
  const [{ sent }] = world.settle()
  check(t, sent.packet, srcIs(NAT_PUBLIC))
  t.is(sourcePort(sent.packet), sourcePort(opened.packet))
  t.is(sent.gsoSize, 1000)
  t.is(readU16(sent.packet, 36), pseudo(sent.packet))
})

test('the ACL of the gateway\'s subnet holds in both directions', (t) => {
  const deny = (index: number, inbound: string): PolicySpec => ({
    index, inbound: [{ peer: inbound, deny: true }, { peer: '0.0.0.0/0' }],
    outbound: [{ peer: '0.0.0.0/0' }]
  })
  const inward = new NatWorld({ acls: [deny(7, '10.0.2.0/24')], acl: 7 })
  t.deepEqual(inward.out(syn(), inward.ownerOf(80)), [])
  t.is(inward.drops()[`${String(NAT)}/network-acl-ingress`], 1)
  const answers = new NatWorld({ acls: [deny(7, '198.51.100.0/24')], acl: 7 })
  const [sent] = answers.out(syn(), answers.ownerOf(80))
  t.deepEqual(answers.back(ipPacket({ src: OUTSIDE, dst: NAT_PUBLIC, srcPort: 80,
    dstPort: sourcePort(sent.packet) })), [])
})

test('messages of a host that is no node are not believed', (t) => {
  const world = new NatWorld()
  const lab = world.lab(1)
  const message = new Uint8Array(64)
  message[1] = 0x80
  writeU16(message, 2, 0x88b5)
  writeU16(message, 8, 0x4850)
  writeU16(message, 10, 1)
  lab.nic.feed({ nicPort: PORT_UNDERLAY, source: addressWords('192.0.2.200'), packet: message })
  lab.pass()
  t.is(lab.drops()['0/bad-host'], 1)
})
