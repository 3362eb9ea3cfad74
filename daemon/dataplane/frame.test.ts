/**
 *     host 1 (this)                                          NIC port of a TAP: 1, 3; of a TUN: 2
 *     ENI 1  10.0.1.10, 2001:db8:0:1::10, prefix 10.0.1.32/28
 *     ENI 2  10.0.1.20, 2001:db8:0:1::20
 *     ENI 3  10.0.1.30
 */
import test from 'ava'
import { FRAME_PORTS } from '../tun/descriptor.ts'
import { addressWords } from '../wire/address.ts'
import { readU16, readU32, writeU32 } from '../wire/bytes.ts'
import { PROTOCOL_ICMPV6 } from '../wire/ip_protocol.ts'
import { check, dstIs, goodChecksums, srcIs, ttlIs } from './testing/checker.ts'
import { buildTables, Lab, openPort } from './testing/lab.ts'
import type { VpcSpec } from './testing/lab.ts'
import type { Sent } from './testing/memory_nic.ts'
import { ipPacket } from './testing/packets.ts'

const VPC: VpcSpec = {
  vpc: 1,
  vni: 100,
  subnets: [{
    subnet: 1, cidrs: ['10.0.1.0/24', '2001:db8:0:1::/64'],
    routers: { ipv4: '10.0.1.1', ipv6: '2001:db8:0:1::1' },
    routes: [{ to: '10.0.0.0/16', target: 'local' }]
  }],
  enis: [
    { eni: 1, subnet: 1, host: 1, addresses: ['10.0.1.10', '2001:db8:0:1::10', '10.0.1.32/28'] },
    { eni: 2, subnet: 1, host: 1, addresses: ['10.0.1.20', '2001:db8:0:1::20'] },
    { eni: 3, subnet: 1, host: 1, addresses: ['10.0.1.30'] }
  ]
}
/** 02, the last 40 bits of the ENI's id (testing/lab.ts); 06:00, the router's address. */
const MAC = '023d00000001'
const OTHER_MAC = '023d00000002'
const ROUTER_MAC = '06000a000101'
const BROADCAST = 'ffffffffffff'
const NOBODY = '000000000000'

function newLab (): Lab {
  const lab = new Lab()
  lab.apply(buildTables([VPC], 1))
  for (const port of [1, 3]) lab.toWorker.push(openPort(port, 'tap'))
  lab.pass()
  lab.takeSent()
  return lab
}

const hexOf = (address: string): string =>
  address.split('.').map((part) => Number(part).toString(16).padStart(2, '0')).join('')

interface ArpFields {
  readonly operation?: number
  /** In the Ethernet header. */
  readonly source?: string
  readonly sender?: string
  readonly from?: string
  readonly target?: string
}

function arp (fields: ArpFields = {}): string {
  const { operation = 1, source = MAC, sender = source, from = '10.0.1.10',
    target = '10.0.1.20' } = fields
  return `${BROADCAST}${source}08060001080006040${operation.toString(16).padStart(3, '0')}` +
    `${sender}${hexOf(from)}${NOBODY}${hexOf(target)}`
}

function sendFrame (lab: Lab, frame: string, port = 1): Sent[] {
  lab.nic.feed({ nicPort: lab.nicPort(port) + FRAME_PORTS, packet: Buffer.from(frame, 'hex') })
  lab.pass()
  return lab.takeSent()
}

for (const target of ['10.0.1.1', '10.0.1.20', '10.0.1.99', '169.254.169.254']) {
  test(`the router answers who has ${target}`, (t) => {
    const lab = newLab()
    const [answer, ...more] = sendFrame(lab, arp({ target }))
    t.deepEqual(more, [])
    t.is(answer.nicPort, lab.nicPort(1) + FRAME_PORTS)
    t.is(Buffer.from(answer.packet).toString('hex'), `${MAC}${ROUTER_MAC}08060001080006040002` +
      `${ROUTER_MAC}${hexOf(target)}${MAC}${hexOf('10.0.1.10')}`)
    t.deepEqual(lab.drops(), {})
  })
}

test('a probe of somebody else\'s address is answered, one of the ENI\'s own is not', (t) => {
  const lab = newLab()
  t.is(sendFrame(lab, arp({ from: '0.0.0.0', target: '10.0.1.20' })).length, 1)
  t.deepEqual(sendFrame(lab, arp({ from: '0.0.0.0', target: '10.0.1.10' })), [])
  t.deepEqual(sendFrame(lab, arp({ from: '0.0.0.0', target: '10.0.1.40' })), []) // delegated to it
  t.deepEqual(lab.drops(), { '1/arp-refused': 2 })
})

const REFUSED: readonly (readonly [string, string, string])[] = [
  ['a reply', arp({ operation: 2 }), 'arp-refused'],
  ['an announcement', arp({ from: '10.0.1.10', target: '10.0.1.10' }), 'arp-refused'],
  ['an address of another subnet', arp({ target: '10.0.2.1' }), 'arp-refused'],
  ['a frame that is cut short', arp().slice(0, 82), 'arp-refused'],
  ['another hardware type', arp().replace('08060001', '08060006'), 'arp-refused'],
  ['another MAC in Ethernet', arp({ source: OTHER_MAC, sender: MAC }), 'mac-spoofed'],
  ['another MAC in ARP', arp({ sender: OTHER_MAC }), 'mac-spoofed'],
  ['a VLAN tag', `${ROUTER_MAC}${MAC}810000050800${'45'.repeat(40)}`, 'ethertype'],
  ['STP', `0180c2000000${MAC}0026424203${'00'.repeat(40)}`, 'ethertype'],
  ['IPv6 that is none', `${ROUTER_MAC}${MAC}86dd45${'00'.repeat(40)}`, 'malformed']
]
for (const [what, frame, reason] of REFUSED) {
  test(`${what} is dropped as ${reason}`, (t) => {
    const lab = newLab()
    t.deepEqual(sendFrame(lab, frame), [])
    t.deepEqual(lab.drops(), { [`1/${reason}`]: 1 })
  })
}

test('frames of a device that is no port, and of bytes by chance, end in a drop', (t) => {
  const lab = newLab()
  lab.nic.feed({ nicPort: 9 + FRAME_PORTS, packet: Buffer.from(arp(), 'hex') })
  lab.pass()
  t.deepEqual(lab.takeSent(), [])
  let state = 1
  for (let round = 0; round < 2000; round++) {
    const frame = Buffer.from(arp(), 'hex')
    for (let change = 0; change < 3; change++) {
      state = Math.imul(state, 1_103_515_245) + 12_345 | 0
      frame[(state >>> 8) % frame.length] = state >>> 16
    }
    const sent = sendFrame(lab, frame.toString('hex'))
    t.true(sent.length <= 1)
    for (const { packet } of sent) t.is(readU16(packet, 20), 2)
  }
})

/** Neighbor solicitation, RFC 4861 §4.3. */
function solicitation (target: string, src = '2001:db8:0:1::10', ttl = 255): Uint8Array {
  const packet = ipPacket({
    src, dst: 'ff02::1:ff00:20', protocol: PROTOCOL_ICMPV6, ttl, icmpType: 135, icmpId: 0,
    payloadBytes: 16
  })
  addressWords(target).forEach((word, index) => { writeU32(packet, 48 + 4 * index, word) })
  return packet
}

for (const target of ['2001:db8:0:1::20', '2001:db8:0:1::99', 'fe80:ec2::1', 'fd00:ec2::254']) {
  test(`the router advertises itself for ${target}`, (t) => {
    const lab = newLab()
    lab.nic.feed({ nicPort: lab.nicPort(1), packet: solicitation(target) })
    lab.pass()
    const [answer] = lab.takeSent()
    t.is(answer.nicPort, lab.nicPort(1))
    check(t, answer.packet, srcIs(target), dstIs('2001:db8:0:1::10'), ttlIs(255), goodChecksums())
    t.is(answer.packet[40], 136)
    t.is(readU32(answer.packet, 44) >>> 0, target === 'fe80:ec2::1' ? 0xe0000000 : 0x60000000)
    t.is(Buffer.from(answer.packet.subarray(64)).toString('hex'), `0201${ROUTER_MAC}`)
  })
}

test('neighbors are not answered for to a TUN, for the guest\'s own address, or from afar', (t) => {
  const lab = newLab()
  for (const [port, packet] of [
    [2, solicitation('2001:db8:0:1::10', '2001:db8:0:1::20')],
    [1, solicitation('2001:db8:0:1::10', '::')],
    [1, solicitation('2001:db8:0:1::20', '2001:db8:0:1::10', 64)],
    [1, solicitation('fe80::1:2:3')]
  ] as const) {
    lab.nic.feed({ nicPort: lab.nicPort(port), packet })
    lab.pass()
    t.deepEqual(lab.takeSent(), [])
  }
  t.deepEqual(lab.drops(), { '1/multicast': 3, '2/multicast': 1 })
})
