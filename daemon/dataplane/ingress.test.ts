/**
 *     host 1 (this)              host 2                 host 3
 *     ENI 1  10.0.1.10           ENI 4  10.0.2.40       ENI 6 of VPC 2
 *     ENI 7  10.0.1.10, VPC 2
 *
 * VPC 1 has VNI 100, VPC 2 has VNI 200 and the same addresses.
 */
import test from 'ava'
import { writeU16 } from '../wire/bytes.ts'
import { GSO_TCPV4, PORT_UNDERLAY } from '../tun/descriptor.ts'
import { addressWords } from '../wire/address.ts'
import { check, goodChecksums, ttlIs } from './testing/checker.ts'
import { buildTables, ENI_HIGH, hostAddress, Lab } from './testing/lab.ts'
import type { VpcSpec } from './testing/lab.ts'
import type { Fed, Sent } from './testing/memory_nic.ts'
import { ipPacket, vpcPacket } from './testing/packets.ts'
import type { VpcHeaderFields } from './testing/packets.ts'

const vpc = (number: number, enis: VpcSpec['enis']): VpcSpec => ({
  vpc: number,
  vni: number * 100,
  subnets: [
    { subnet: number * 10 + 1, cidrs: ['10.0.1.0/24'],
      routes: [{ to: '10.0.0.0/16', target: 'local' }] },
    { subnet: number * 10 + 2, cidrs: ['10.0.2.0/24'],
      routes: [{ to: '10.0.0.0/16', target: 'local' }] }
  ],
  enis
})

const VPCS = [
  vpc(1, [
    { eni: 1, subnet: 11, host: 1, addresses: ['10.0.1.10'] },
    { eni: 4, subnet: 12, host: 2, addresses: ['10.0.2.40'] }
  ]),
  vpc(2, [
    { eni: 7, subnet: 21, host: 1, addresses: ['10.0.1.10'] },
    { eni: 6, subnet: 22, host: 3, addresses: ['10.0.2.40'] }
  ])
]

const INNER = ipPacket({ src: '10.0.2.40', dst: '10.0.1.10' })
const HEADER: VpcHeaderFields =
  { vni: 100, sourceEni: [ENI_HIGH, 4], destinationEni: [ENI_HIGH, 1] }

function newLab (): Lab {
  const lab = new Lab()
  lab.apply(buildTables(VPCS, 3))
  lab.takeSent()
  return lab
}

function arrive (lab: Lab, packet: Uint8Array, fed: Partial<Fed> = {}): Sent[] {
  lab.nic.feed({ nicPort: PORT_UNDERLAY, packet, source: addressWords(hostAddress(2)), ...fed })
  lab.pass()
  return lab.takeSent()
}

test('a packet from the underlay is delivered as it was sent', (t) => {
  const lab = newLab()
  for (let turn = 0; turn < 2; turn++) { // by the slow path, by the fast path
    const [sent] = arrive(lab, vpcPacket(HEADER, INNER))
    t.is(sent.nicPort, lab.nicPort(1))
    t.deepEqual(sent.packet, INNER)
  }
  t.deepEqual(lab.drops(), {})
})

test('equal addresses of two VPCs are told apart by the header alone', (t) => {
  const lab = newLab()
  const other: VpcHeaderFields =
    { vni: 200, sourceEni: [ENI_HIGH, 6], destinationEni: [ENI_HIGH, 7] }
  t.is(arrive(lab, vpcPacket(HEADER, INNER))[0].nicPort, lab.nicPort(1))
  t.is(arrive(lab, vpcPacket(other, INNER), { source: addressWords(hostAddress(3)) })[0].nicPort,
    lab.nicPort(7))
})

/** Each: what is forged or broken, the packet, how it arrives, where it is counted. */
const REFUSED: readonly (readonly [string, Uint8Array, Partial<Fed>, string])[] = [
  ['another host speaks for the ENI', vpcPacket(HEADER, INNER),
    { source: addressWords(hostAddress(3)) }, '1/bad-host'],
  ['a stranger speaks for the ENI', vpcPacket(HEADER, INNER),
    { source: addressWords('192.0.2.99') }, '1/bad-host'],
  ['this host speaks to itself', vpcPacket({ ...HEADER, sourceEni: [ENI_HIGH, 1] }, INNER),
    { source: addressWords(hostAddress(1)) }, '1/bad-host'],
  ['the source ENI is unknown', vpcPacket({ ...HEADER, sourceEni: [ENI_HIGH, 99] }, INNER), {},
    '1/bad-host'],
  ['the source ENI is of another VPC', vpcPacket({ ...HEADER, sourceEni: [ENI_HIGH, 6] }, INNER),
    { source: addressWords(hostAddress(3)) }, '1/bad-host'],
  ['the VNI is unknown', vpcPacket({ ...HEADER, vni: 300 }, INNER), {}, '0/vni-unknown'],
  ['the VNI is that of another VPC', vpcPacket({ ...HEADER, vni: 200 }, INNER), {},
    '1/vni-mismatch'],
  ['the destination ENI is not here',
    vpcPacket({ ...HEADER, destinationEni: [ENI_HIGH, 4] }, INNER), {},
    '0/eni-not-here'],
  ['the inner address is not the ENI\'s',
    vpcPacket(HEADER, ipPacket({ src: '10.0.2.40', dst: '10.0.1.11' })), {},
    '1/destination-check'],
  ['the inner packet is cut short', vpcPacket(HEADER, INNER.slice(0, 50)), {}, '1/malformed'],
  ['bytes follow the inner packet', vpcPacket(HEADER, Uint8Array.of(...INNER, 0, 0)), {},
    '1/malformed'],
  ['the inner packet is of the other family', (() => {
    const packet = vpcPacket(HEADER, INNER)
    writeU16(packet, 2, 0x86dd)
    return packet
  })(), {}, '0/geneve-malformed'],
  ['there is no inner packet', vpcPacket(HEADER, INNER).slice(0, 32), {}, '0/geneve-malformed'],
  ['three bytes arrive', Uint8Array.of(6, 0, 8), {}, '0/geneve-malformed'],
  ['the version is 1', (() => {
    const packet = vpcPacket(HEADER, INNER)
    packet[0] |= 0x40
    return packet
  })(), {}, '0/geneve-version'],
  ['a critical option is unknown', (() => {
    const packet = vpcPacket(HEADER, INNER)
    packet[22] = 0x90
    return packet
  })(), {}, '0/geneve-critical-option'],
  ['congestion is marked on a packet without ECN', vpcPacket(HEADER, INNER),
    { outerTrafficClass: 3 },
    '1/congestion-mark'],
  ['it is larger than the ENI takes', vpcPacket(HEADER, ipPacket({
    src: '10.0.2.40', dst: '10.0.1.10', payloadBytes: 8962
  })), {}, '1/too-big']
]

for (const [name, packet, fed, counter] of REFUSED) {
  test(`a packet from the underlay is dropped and counted once when ${name}`, (t) => {
    const lab = newLab()
    t.deepEqual(arrive(lab, packet, fed), [])
    t.deepEqual(lab.drops(), { [counter]: 1 })
  })

  test(`a known flow does not let in what is refused when ${name}`, (t) => {
    const lab = newLab()
    t.is(arrive(lab, vpcPacket(HEADER, INNER)).length, 1)
    t.deepEqual(arrive(lab, packet, fed), [])
    t.deepEqual(lab.drops(), { [counter]: 1 })
  })
}

test('a congestion mark of the underlay reaches a packet that does ECN', (t) => {
  const lab = newLab()
  const inner = ipPacket({ src: '10.0.2.40', dst: '10.0.1.10', trafficClass: 0xb8 | 2 })
  for (let turn = 0; turn < 2; turn++) {
    const [sent] = arrive(lab, vpcPacket(HEADER, inner), { outerTrafficClass: 3 })
    t.is(sent.packet[1], 0xb8 | 3)
    check(t, sent.packet, goodChecksums())
  }
})

test('the TTL is not touched at the receiver', (t) => {
  const [sent] =
    arrive(newLab(), vpcPacket(HEADER, ipPacket({ src: '10.0.2.40', dst: '10.0.1.10', ttl: 1 })))
  check(t, sent.packet, ttlIs(1))
})

test('a super-packet in pieces is handed on with its run', (t) => {
  const inner = ipPacket({ src: '10.0.2.40', dst: '10.0.1.10', payloadBytes: 4000 })
  const [sent] = arrive(newLab(), vpcPacket(HEADER, inner), {
    gsoType: GSO_TCPV4, gsoSize: 1000, segments: 4, firstBytes: 32 + 1040
  })
  t.is(sent.run, 1)
  t.is(sent.packet.length, 1040)
  t.is(sent.totalBytes, 4040)
  t.is(sent.gsoSize, 1000)
})

test('unknown options that are not critical are passed over', (t) => {
  const packet = vpcPacket(HEADER, INNER)
  const longer =
    Uint8Array.from([...packet.subarray(0, 32), 0x01, 0x08, 0x07, 0x01, 0, 0, 0, 0,
      ...packet.subarray(32)])
  longer[0] = 8
  t.deepEqual(arrive(newLab(), longer)[0].packet, INNER)
})
