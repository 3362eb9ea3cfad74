/**
 *     host 1 (this): an edge        host 2: ENI 1 10.0.1.10       host 3: an edge
 *     gateway 30 of VPC 1
 *     tunnel 192.0.2.1 of gateway 30, at host 1; 192.0.2.120, at host 3
 *
 *     192.168.0.0/16 is behind 192.0.2.120, 192.168.7.0/24 behind 192.0.2.1
 *
 * Two workers with an Esp each, the second of which plays the customer gateway: what one seals, the
 * other opens.
 */
import test from 'ava'
import { CSUM_NEEDED, GSO_TCPV4, PORT_UNDERLAY } from '../tun/descriptor.ts'
import type { EspSa } from '../tun/esp_sa.ts'
import { Esp, ESP_STATISTICS_BYTES } from '../tun/esp.ts'
import { addressWords, prefixWords } from '../wire/address.ts'
import { PROTOCOL_ESP, PROTOCOL_ICMP, PROTOCOL_UDP } from '../wire/ip_protocol.ts'
import {
  CaptureRingReader, DIRECTION_INBOUND, POINT_UNDERLAY, pointInside, pointOutside,
  RECORD_DIRECTION, RECORD_HEADER_BYTES, RECORD_POINT, RECORD_REASON
} from './capture_ring.ts'
import { DROP_REASONS } from './drop_reason.ts'
import { check, dstIs, srcIs, ttlIs } from './testing/checker.ts'
import { buildTables, ENI_HIGH, GATEWAY_HIGH, hostAddress, Lab } from './testing/lab.ts'
import type { Sent } from './testing/memory_nic.ts'
import { ipPacket, vpcPacket } from './testing/packets.ts'
import { PORT_KIND_VPN_GATEWAY } from './tables/update.ts'
import type { VpnData } from './tables/update.ts'
import { ESP_RESULTS_MAX } from './vpn_port.ts'

const GATEWAY = 30
const HERE = '192.0.2.1'
const ELSEWHERE = '192.0.2.120'
const CUSTOMER = '198.51.100.200'

const word = (address: string): number => addressWords(address)[3]

function vpns (): VpnData {
  return {
    tunnels: Uint32Array.from([
      word(HERE), 1, GATEWAY_HIGH, GATEWAY, word('169.254.10.1'),
      word(ELSEWHERE), 3, GATEWAY_HIGH, GATEWAY, word('169.254.10.5')
    ]),
    routes: Uint32Array.from([
      GATEWAY_HIGH, GATEWAY, ...prefixWords('192.168.0.0/16'), word(ELSEWHERE),
      GATEWAY_HIGH, GATEWAY, ...prefixWords('192.168.7.0/24'), word(HERE)
    ])
  }
}

function newLab (): Lab {
  const lab = new Lab()
  lab.apply({
    ...buildTables([{
      vpc: 1, vni: 100, blocks: ['10.0.0.0/16'],
      subnets: [{ subnet: 11, cidrs: ['10.0.1.0/24'],
        routes: [{ to: '10.0.0.0/16', target: 'local' }] }],
      enis: [{ eni: 1, subnet: 11, host: 2, addresses: ['10.0.1.10'] }],
      gateways: [{ gateway: GATEWAY, host: 1, senders: 3, mtu: 1500,
        kind: PORT_KIND_VPN_GATEWAY }]
    }], 3),
    vpns: [vpns()]
  })
  lab.toWorker.push(
    { kind: 'open-uplink', namespacePath: '/run/netns/internet', deviceName: 'edge-1' })
  lab.pass()
  lab.takeSent()
  return lab
}

const packet = (src: string, dst: string): Uint8Array =>
  ipPacket({ src, dst, protocol: PROTOCOL_ICMP })

/** What the ENI sends to the gateway, or another edge hands on. */
function leave (lab: Lab, dst: string, by: 'eni' | 'edge' = 'eni'): Sent[] {
  lab.nic.feed({
    nicPort: PORT_UNDERLAY, source: addressWords(hostAddress(by === 'eni' ? 2 : 3)),
    packet: vpcPacket({
      vni: 100, sourceEni: by === 'eni' ? [ENI_HIGH, 1] : [GATEWAY_HIGH, GATEWAY],
      destinationEni: [GATEWAY_HIGH, GATEWAY]
    }, packet('10.0.1.10', dst))
  })
  lab.pass()
  return lab.takeSent()
}

test('what is for the tunnel of another edge is handed on, and by that one no further', (t) => {
  const lab = newLab()
  const [sent] = leave(lab, '192.168.8.9')
  t.is(sent.nicPort, PORT_UNDERLAY)
  t.is(sent.outer?.peer, 3)
  t.deepEqual(leave(lab, '192.168.8.9', 'edge'), [])
  t.deepEqual(lab.drops(), { '30/vpn-no-tunnel': 1 })
})

test('a gateway knows what its tunnels have learned, and no more', (t) => {
  const lab = newLab()
  t.deepEqual(leave(lab, '172.16.0.1'), [])
  t.deepEqual(lab.drops(), { '30/vpn-no-route': 1 })
})

/** Gives a lab an Esp over the end of its arena, where otherwise packets are held: none is. */
function withEsp (lab: Lab): void {
  const espAt = lab.nic.bytes.length - (1 << 20)
  lab.loop.router.openVpn(new Esp({
    arena: lab.nic.bytes.buffer as ArrayBuffer, outAt: espAt, outBytes: 1 << 20, jobsMax: 512,
    resultsMax: ESP_RESULTS_MAX, statistics: new ArrayBuffer(ESP_STATISTICS_BYTES), outerMtu: 1500
  }), espAt)
}

const octets = (address: string): Uint8Array =>
  Uint8Array.from(address.split('.').map(Number))

/** @param index 1: AWS seals; 2: AWS opens */
function install (lab: Lab, index: 1 | 2, direction: EspSa['direction']): void {
  const [source, destination] = index === 1 ? [HERE, CUSTOMER] : [CUSTOMER, HERE]
  lab.toWorker.push({
    kind: 'esp-install',
    sa: {
      index, direction, tunnel: word(HERE), spi: 0x1000 + index, source: octets(source),
      destination: octets(destination), sourcePort: 0, destinationPort: 0,
      transform: { kind: 'aes-gcm', key: new Uint8Array(16).fill(index),
        salt: new Uint8Array(4).fill(7), icvBytes: 16 },
      esn: false, replayWindow: 64, sequence: 0n, noEcn: false, clearDf: false, copyDscp: false,
      hardBytes: null, hardPackets: null
    }
  })
  if (direction === 'outbound') {
    lab.toWorker.push({ kind: 'esp-select', tunnel: word(HERE), index })
  }
  lab.toWorker.push({
    kind: 'esp-permit', tunnel: word(HERE),
    selectors: [{ local: octets('0.0.0.0'), localPrefixLength: 0, remote: octets('0.0.0.0'),
      remotePrefixLength: 0 }]
  })
  lab.pass()
}

/** What the customer sends, sealed as its device would. */
function sealed (inner: Uint8Array): Uint8Array {
  const device = newLab()
  withEsp(device)
  install(device, 2, 'outbound')
  const { nic, loop } = device
  const { vpn } = loop.router
  if (vpn === null) throw new Error('no tunnels')
  nic.bytes.set(inner, loop.router.transmit.bareAt - 4096)
  const { esp } = vpn.tunnels
  esp.jobs.fill(0, 0, 11)
  esp.jobs[0] = loop.router.transmit.bareAt - 4096
  esp.jobs[1] = inner.length
  esp.jobs[7] = 2
  if (esp.seal(1, 0) !== 1) throw new Error('not sealed')
  const [at, bytes] = [esp.results[0], esp.results[1]]
  return nic.bytes.slice(at, at + bytes)
}

function edge (): Lab {
  const lab = newLab()
  withEsp(lab)
  install(lab, 1, 'outbound')
  install(lab, 2, 'inbound')
  lab.takeSent()
  return lab
}

function arrive (lab: Lab, outer: Uint8Array): Sent[] {
  lab.nic.feed({ nicPort: lab.loop.tables.uplinkNicPort, packet: outer })
  lab.pass()
  lab.pass()
  return lab.takeSent()
}

test('IKE waits for a charon that knows the tunnel', (t) => {
  const lab = edge()
  lab.toWorker.push({ kind: 'open-ike', namespacePath: '/run/netns/ike', deviceName: 'ike0' })
  const ask = (): Sent[] => arrive(lab, ipPacket({ src: CUSTOMER, dst: HERE, protocol: PROTOCOL_UDP,
    srcPort: 500, dstPort: 500 }))
  t.deepEqual(ask(), [])
  lab.toWorker.push({ kind: 'ike-listen', tunnel: word(HERE), isListening: true })
  lab.pass()
  t.is(ask().length, 1)
  t.deepEqual(lab.drops(), { '30/port-closed': 1 })
})

test('what the VPC sends leaves as ESP between the outside addresses', (t) => {
  const lab = edge()
  const sent = leave(lab, '192.168.7.9')
  t.deepEqual(lab.drops(), {})
  t.is(sent.length, 1)
  check(t, sent[0].packet, srcIs(HERE), dstIs(CUSTOMER))
  t.is(sent[0].packet[9], PROTOCOL_ESP)
  t.is(sent[0].nicPort, lab.loop.tables.uplinkNicPort)
})

test('what comes as ESP enters the VPC, once, and only from addresses outside of it', (t) => {
  const lab = edge()
  const outer = sealed(packet('192.168.7.9', '10.0.1.10'))
  const [sent] = arrive(lab, outer)
  t.is(sent.nicPort, PORT_UNDERLAY)
  t.is(sent.outer?.peer, 2)
  check(t, sent.packet, srcIs('192.168.7.9'), dstIs('10.0.1.10'), ttlIs(63))
  t.deepEqual(arrive(lab, outer), [])
  t.deepEqual(lab.drops(), { '30/esp-replay': 1 })
  const forged = edge()
  t.deepEqual(arrive(forged, sealed(packet('10.0.1.77', '10.0.1.10'))), [])
  t.deepEqual(forged.drops(), { '30/vpn-source': 1 })
})

test('from site to site a packet is handed to the edge that has the other tunnel', (t) => {
  const [sent] = arrive(edge(), sealed(packet('192.168.7.9', '192.168.8.9')))
  t.is(sent.outer?.peer, 3)
  check(t, sent.packet, dstIs('192.168.8.9'), ttlIs(63))
})

test('damaged ESP, and ESP of unknown keys, is dropped with its reason', (t) => {
  const lab = edge()
  const outer = sealed(packet('192.168.7.9', '10.0.1.10'))
  const damaged = Uint8Array.from(outer)
  damaged[40] ^= 1
  const unknown = Uint8Array.from(outer)
  unknown[20] ^= 1
  t.deepEqual(arrive(lab, damaged), [])
  t.deepEqual(arrive(lab, unknown), [])
  t.deepEqual(lab.drops(), { '30/esp-authentication': 1, '30/esp-no-sa': 1 })
})

/** Captures everything of the tunnel and of the underlay. */
function capture (lab: Lab): CaptureRingReader {
  const ring = new CaptureRingReader()
  lab.toWorker.push({
    kind: 'capture', epoch: 1, ring: ring.memory, snapBytes: 70_000,
    points: Int32Array.from([POINT_UNDERLAY, pointOutside(0), pointInside(0)]
      .flatMap((point) => [point, 1, 0, 1, 0])),
    tunnels: Int32Array.of(word(HERE))
  })
  lab.pass()
  return ring
}

/** Each captured packet: where, which way, of which protocol, why it was dropped. */
function captured (ring: CaptureRingReader): string[] {
  const lines: string[] = []
  for (let at = ring.first; at >= 0; at = ring.first) {
    const words = ring.words.subarray(at >>> 2)
    const point = ['underlay', 'outside', 'inside'][
      [POINT_UNDERLAY, pointOutside(0), pointInside(0)].indexOf(words[RECORD_POINT])]
    const reason = DROP_REASONS[words[RECORD_REASON]]
    const protocol = ring.bytes[ring.contentAt(at) + words[RECORD_HEADER_BYTES] + 9]
    lines.push([point, words[RECORD_DIRECTION] === DIRECTION_INBOUND ? 'in' : 'out',
      String(protocol), ...words[RECORD_REASON] === 0 ? [] : [reason.name]].join(' '))
    ring.skip()
  }
  return lines
}

test('who captures a tunnel sees its ESP, what is in it, and ESP that cannot be opened', (t) => {
  const lab = edge()
  const ring = capture(lab)
  leave(lab, '192.168.7.9')
  lab.pass()
  t.deepEqual(captured(ring), ['underlay in 1', 'inside out 1', 'outside out 50'])
  const outer = sealed(packet('192.168.7.9', '10.0.1.10'))
  arrive(lab, outer)
  t.deepEqual(captured(ring), ['outside in 50', 'inside in 1', 'underlay out 1'])
  arrive(lab, outer)
  t.deepEqual(captured(ring), ['outside in 50', 'inside in 50 esp-replay'])
  lab.toWorker.push({ kind: 'esp-select', tunnel: word(HERE), index: 0 })
  lab.pass()
  leave(lab, '192.168.7.9')
  t.deepEqual(captured(ring), ['underlay in 1 vpn-no-tunnel', 'inside out 1 vpn-no-tunnel'])
})

/** A super-packet of TCP that the ENI sends, in pieces as the underlay brings it. */
function feedSuper (lab: Lab, payloadBytes: number, gsoSize: number): void {
  const inner = ipPacket({ src: '10.0.1.10', dst: '192.168.7.9', payloadBytes })
  lab.nic.feed({
    nicPort: PORT_UNDERLAY, source: addressWords(hostAddress(2)), firstBytes: 1500,
    packet: vpcPacket({
      vni: 100, sourceEni: [ENI_HIGH, 1], destinationEni: [GATEWAY_HIGH, GATEWAY]
    }, inner),
    gsoType: GSO_TCPV4, gsoSize, csum: CSUM_NEEDED, csumField: 20 | 16 << 16,
    segments: Math.ceil(payloadBytes / gsoSize)
  })
}

test('a super-packet of the smallest segments becomes thousands of packets, none lost', (t) => {
  const lab = edge()
  feedSuper(lab, 60_000, 30)
  lab.pass()
  lab.pass()
  t.deepEqual(lab.drops(), {})
  t.is(lab.takeSent().length, 2000)
})

test('a burst of more than the memory for what is made and sealed is sealed whole', (t) => {
  const lab = edge()
  for (let number = 0; number < 30; number++) feedSuper(lab, 60_000, 1398)
  lab.pass()
  lab.pass()
  t.deepEqual(lab.drops(), {})
  const sent = lab.takeSent()
  t.is(sent.length, 30 * Math.ceil(60_000 / 1398))
  t.deepEqual(sent.map(({ packet }) => new DataView(packet.buffer).getUint32(24)),
    sent.map((_sent, at) => at + 1))
})
