/**
 *     host 1 (this)                                          NIC port 9: services
 *     ENI 1  10.0.1.10, 2001:db8:0:1::10, prefix 10.0.1.32/28
 *     ENI 2  10.0.1.20, source/destination check off, in groups and an ACL that allow nothing
 *     ENI 3  10.9.1.10, in a VPC without DNS support
 */
import test from 'ava'
import { CSUM_NEEDED } from '../tun/descriptor.ts'
import { readU16, writeU16 } from '../wire/bytes.ts'
import { checksumFold, pseudoHeaderSum } from '../wire/checksum.ts'
import { PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ip_protocol.ts'
import { SERVICE_PACKETS_PER_SECOND } from './service_port.ts'
import { addressOf, check, dstIs, goodChecksums, srcIs, ttlIs } from './testing/checker.ts'
import { buildTables, ENI_HIGH, Lab, openPort, portOf } from './testing/lab.ts'
import type { VpcSpec } from './testing/lab.ts'
import type { Sent } from './testing/memory_nic.ts'
import { ipPacket } from './testing/packets.ts'
import type { PacketFields } from './testing/packets.ts'

const CLOSED = { index: 50, inbound: [], outbound: [] }
const VPC: VpcSpec = {
  vpc: 1,
  vni: 100,
  resolver: '10.0.0.2',
  subnets: [{
    subnet: 1, cidrs: ['10.0.1.0/24', '2001:db8:0:1::/64'], networkAcl: 50,
    routers: { ipv4: '10.0.1.1', ipv6: '2001:db8:0:1::1' },
    routes: [{ to: '10.0.0.0/16', target: 'local' }]
  }],
  groups: [CLOSED],
  networkAcls: [CLOSED],
  enis: [
    { eni: 1, subnet: 1, host: 1, groups: [50],
      addresses: ['10.0.1.10', '2001:db8:0:1::10', '10.0.1.32/28'] },
    { eni: 2, subnet: 1, host: 1, addresses: ['10.0.1.20'], sourceDestCheck: false, groups: [50] }
  ]
}
const WITHOUT_DNS: VpcSpec = {
  vpc: 2,
  vni: 200,
  subnets: [{ subnet: 2, cidrs: ['10.9.1.0/24'], routers: { ipv4: '10.9.1.1' },
    routes: [{ to: '10.9.0.0/16', target: 'local' }] }],
  enis: [{ eni: 3, subnet: 2, host: 1, addresses: ['10.9.1.10'] }]
}

function newLab (): Lab {
  const lab = new Lab()
  lab.apply(buildTables([VPC, WITHOUT_DNS], 1))
  lab.toWorker.push({ kind: 'open-services', namespacePath: '/run/netns/s', deviceName: 's0' })
  lab.pass()
  lab.takeSent()
  return lab
}

const servicesOf = (lab: Lab): number => lab.loop.router.services.nicPort

function send (lab: Lab, nicPort: number, packet: Uint8Array, csum = 0, csumField = 0): Sent[] {
  lab.nic.feed({ nicPort, packet, csum, csumField })
  lab.pass()
  return lab.takeSent()
}

const dns = (fields: Partial<PacketFields> = {}): Uint8Array => ipPacket({
  src: '10.0.1.10', dst: '10.0.0.2', protocol: PROTOCOL_UDP, dstPort: 53, ...fields
})

/** The answer to what the services were given. */
function answerTo (given: Uint8Array, fields: Partial<PacketFields>): Uint8Array {
  return ipPacket({
    src: addressOf(given, 'dst'), dst: addressOf(given, 'src'), protocol: PROTOCOL_UDP,
    dstPort: 40_000, ...fields
  })
}

const QUESTIONS: readonly (PacketFields & { readonly inside: string })[] = [
  { src: '10.0.1.10', dst: '10.0.0.2', protocol: 17, dstPort: 53, inside: '169.254.169.2' },
  { src: '10.0.1.10', dst: '10.0.0.2', protocol: 6, dstPort: 53, inside: '169.254.169.2' },
  { src: '10.0.1.37', dst: '169.254.169.253', protocol: 17, dstPort: 53,
    inside: '169.254.169.253' },
  { src: '10.0.1.10', dst: '169.254.169.254', protocol: 6, dstPort: 80,
    inside: '169.254.169.254' },
  { src: '10.0.1.10', dst: '169.254.169.123', protocol: 17, dstPort: 123,
    inside: '169.254.169.123' },
  { src: '10.0.1.10', dst: '169.254.169.250', protocol: 6, dstPort: 1688,
    inside: '169.254.169.250' },
  { src: '10.0.1.10', dst: '169.254.169.251', protocol: 6, dstPort: 1688,
    inside: '169.254.169.251' },
  { src: '10.0.1.10', dst: '10.0.1.1', protocol: 17, srcPort: 68, dstPort: 67,
    inside: '169.254.169.67' },
  { src: '2001:db8:0:1::10', dst: 'fd00:ec2::253', protocol: 17, dstPort: 53,
    inside: 'fd00:ec2::253' },
  { src: '2001:db8:0:1::10', dst: 'fd00:ec2::254', protocol: 6, dstPort: 80,
    inside: 'fd00:ec2::254' },
  { src: 'fe80::1:2:3', dst: 'fd00:ec2::123', protocol: 17, dstPort: 123,
    inside: 'fd00:ec2::123' }
]

for (const { inside, ...question } of QUESTIONS) {
  const { src, dst, protocol = PROTOCOL_UDP, dstPort = 0 } = question
  test(`${src} asks ${dst} port ${String(dstPort)} (${String(protocol)}) and is answered`, (t) => {
    const lab = newLab()
    const [given] = send(lab, lab.nicPort(1), ipPacket({ ...question, ttl: 3 }))
    t.is(given.nicPort, servicesOf(lab))
    check(t, given.packet, dstIs(inside), ttlIs(3), goodChecksums())
    const srcPort = question.srcPort ?? 40_000
    const [answer] = send(lab, servicesOf(lab), answerTo(given.packet, {
      protocol, srcPort: dstPort, dstPort: srcPort, ttl: 1
    }))
    t.is(answer.nicPort, lab.nicPort(1))
    check(t, answer.packet, srcIs(dst), dstIs(src), ttlIs(1), goodChecksums())
    t.deepEqual(lab.drops(), {}, 'neither group nor ACL, which allow nothing, was asked')
    t.is(lab.flows.live, 0, 'no flow is kept')
  })
}

test('DHCP: a broadcast without an address is answered by broadcast, from the router', (t) => {
  const lab = newLab()
  const [given] = send(lab, lab.nicPort(1), ipPacket({
    src: '0.0.0.0', dst: '255.255.255.255', protocol: PROTOCOL_UDP, srcPort: 68, dstPort: 67
  }))
  check(t, given.packet, dstIs('169.254.169.67'), goodChecksums())
  const [answer] = send(lab, servicesOf(lab),
    answerTo(given.packet, { srcPort: 67, dstPort: 68 }))
  check(t, answer.packet, srcIs('10.0.1.1'), dstIs('255.255.255.255'), goodChecksums())
})

test('DHCPv6: asked at ff02::1:2, the router\'s link-local address answers', (t) => {
  const lab = newLab()
  const [given] = send(lab, lab.nicPort(1), ipPacket({
    src: 'fe80::aa', dst: 'ff02::1:2', protocol: PROTOCOL_UDP, srcPort: 546, dstPort: 547
  }))
  check(t, given.packet, dstIs('fd00:ec2::547'), goodChecksums())
  const [answer] = send(lab, servicesOf(lab),
    answerTo(given.packet, { srcPort: 547, dstPort: 546 }))
  check(t, answer.packet, srcIs('fe80:ec2::1'), dstIs('fe80::aa'), goodChecksums())
})

test('a router solicitation is answered by the router: ask DHCPv6, and the MTU', (t) => {
  const lab = newLab()
  const [answer] = send(lab, lab.nicPort(1), ipPacket({
    src: 'fe80::aa', dst: 'ff02::2', protocol: PROTOCOL_ICMPV6, icmpType: 133, ttl: 255
  }))
  t.is(answer.nicPort, lab.nicPort(1))
  check(t, answer.packet, srcIs('fe80:ec2::1'), dstIs('fe80::aa'), ttlIs(255), goodChecksums())
  t.is(answer.packet[40], 134)
  t.is(answer.packet[45] & 0xc0, 0xc0, 'M and O')
  t.is(readU16(answer.packet, 56 + 6), 9001)
  t.is(answer.packet[64 + 3] & 0x40, 0, 'no address is to be made up from the prefix')
})

test('a checksum that is still to be computed stays one', (t) => {
  const lab = newLab()
  const packet = dns()
  // What a kernel leaves to its device: the sum of the pseudo-header, not inverted.
  writeU16(packet, 26, checksumFold(pseudoHeaderSum(packet, 12, 8, PROTOCOL_UDP,
    packet.length - 20)))
  const [given] = send(lab, lab.nicPort(1), packet, CSUM_NEEDED, 20 | (6 << 16))
  t.is(readU16(given.packet, 26), checksumFold(pseudoHeaderSum(given.packet, 12, 8, PROTOCOL_UDP,
    packet.length - 20)))
})

test('UDP without a checksum stays without one', (t) => {
  const lab = newLab()
  const packet = dns()
  writeU16(packet, 26, 0)
  const [given] = send(lab, lab.nicPort(1), packet)
  t.is(readU16(given.packet, 26), 0)
})

test('an address that is not the ENI\'s is not answered, whatever its check says', (t) => {
  const lab = newLab()
  t.deepEqual(send(lab, lab.nicPort(1), dns({ src: '10.0.1.99' })), [])
  t.deepEqual(send(lab, lab.nicPort(2), dns({ src: '192.0.2.7' })), [])
  t.deepEqual(lab.drops(), { '1/source-spoofed': 1, '2/link-local': 1 })
})

test('other ports, fragments and ICMP of the services\' addresses are nobody\'s', (t) => {
  const lab = newLab()
  const strays = [
    dns({ dst: '169.254.169.253', dstPort: 54 }),
    dns({ dst: '169.254.169.254', dstPort: 80 }),
    dns({ dst: '169.254.169.2' }),
    dns({ dst: '169.254.169.67', dstPort: 67 }),
    dns({ dst: '169.254.169.253', fragment: { offsetBytes: 0, more: true } })
  ]
  for (const packet of strays) t.deepEqual(send(lab, lab.nicPort(1), packet), [])
  t.deepEqual(lab.drops(), { '1/link-local': strays.length })
})

test('a VPC without DNS support has no resolver, and the other services', (t) => {
  const lab = newLab()
  t.deepEqual(send(lab, lab.nicPort(3), dns({ src: '10.9.1.10', dst: '169.254.169.253' })), [])
  t.deepEqual(send(lab, lab.nicPort(3), dns({ src: '10.9.1.10', dst: '10.9.0.2' })), [])
  t.deepEqual(lab.drops(), { '3/link-local': 1, '3/no-mapping': 1 })
  t.is(send(lab, lab.nicPort(3), ipPacket({
    src: '10.9.1.10', dst: '169.254.169.254', protocol: PROTOCOL_TCP, dstPort: 80
  })).length, 1)
})

test('1,024 packets a second pass for all services together, the rest is dropped', (t) => {
  const lab = newLab()
  const other = ipPacket({
    src: '10.0.1.10', dst: '169.254.169.123', protocol: PROTOCOL_UDP, dstPort: 123
  })
  let passed = 0
  for (let packet = 0; packet < 1000; packet++) {
    passed += send(lab, lab.nicPort(1), dns()).length
    passed += send(lab, lab.nicPort(1), other).length
  }
  t.is(passed, SERVICE_PACKETS_PER_SECOND)
  t.deepEqual(lab.drops(), { '1/link-local-allowance': 2000 - SERVICE_PACKETS_PER_SECOND })
  t.is(send(lab, lab.nicPort(2), dns({ src: '10.0.1.20' })).length, 1, 'each ENI has its own')
  lab.nowMs += 1000
  t.is(send(lab, lab.nicPort(1), dns()).length, 1, 'the next second')
})

test('an answer for an ENI that is gone does not reach the one that has its place', (t) => {
  const lab = newLab()
  const [given] = send(lab, lab.nicPort(1), dns())
  const answer = answerTo(given.packet, { srcPort: 53 })
  t.is(send(lab, servicesOf(lab), answer.slice()).length, 1)
  const port = portOf(VPC, { eni: 1, subnet: 1, host: 1, addresses: ['10.0.1.10'] }, 1)
  lab.toWorker.push({ kind: 'tables', revision: 2, removedPorts: [1] })
  lab.toWorker.push({ kind: 'tables', revision: 3,
    ports: [{ ...port, eniIdHigh: ENI_HIGH, eniIdLow: 77 }] }, openPort(1))
  lab.pass()
  t.deepEqual(send(lab, servicesOf(lab), answer), [])
})

test('from the services comes nothing but answers', (t) => {
  const lab = newLab()
  const [given] = send(lab, lab.nicPort(1), dns())
  const strays = [
    answerTo(given.packet, { srcPort: 54 }),
    answerTo(given.packet, { srcPort: 53, dst: '10.0.1.10' }),
    answerTo(given.packet, { src: '10.0.0.2', srcPort: 53 }),
    answerTo(given.packet, { srcPort: 53, protocol: 1 }),
    new Uint8Array(40).fill(0x45)
  ]
  for (const packet of strays) t.deepEqual(send(lab, servicesOf(lab), packet), [])
})

test('without the services\' device their packets are dropped', (t) => {
  const lab = new Lab()
  lab.apply(buildTables([VPC], 1))
  t.deepEqual(send(lab, lab.nicPort(1), dns()), [])
  t.deepEqual(lab.drops(), { '1/port-closed': 1 })
})
