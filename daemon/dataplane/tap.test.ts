/**
 *     host 1 (this)                                    host 2
 *     ENI 1  10.0.1.10      ENI 2  10.0.1.20           ENI 4  10.0.1.40
 *
 * Capture 0 wants everything, capture 1 the drops alone. Both see what a test asks for.
 */
import test from 'ava'
import { GSO_TCPV4, PORT_UNDERLAY } from '../tun/descriptor.ts'
import { addressWords, formatAddress } from '../wire/address.ts'
import { COUNT_FAST_PATH } from './counters.ts'
import {
  CAPTURE_RING_BYTES, CaptureRingReader, POINT_UNDERLAY, RECORD_DIRECTION, RECORD_ENI_LOW,
  RECORD_GSO_SIZE, RECORD_HEADER_BYTES, RECORD_MASK, RECORD_PACKET_BYTES, RECORD_PEER_ADDRESS,
  RECORD_POINT, RECORD_REASON, RECORD_TIME, RECORD_TOTAL_BYTES
} from './capture_ring.ts'
import { DROP_REASONS } from './drop_reason.ts'
import { PARKED_MS } from './parking.ts'
import { buildTables, ENI_HIGH, hostAddress, Lab, mappingEntries } from './testing/lab.ts'
import type { VpcSpec } from './testing/lab.ts'
import { ipPacket, vpcPacket } from './testing/packets.ts'

const REMOTE = { eni: 4, subnet: 1, host: 2, addresses: ['10.0.1.40'] }
const VPC: VpcSpec = {
  vpc: 1,
  vni: 100,
  subnets: [{ subnet: 1, cidrs: ['10.0.0.0/16'],
    routes: [{ to: '10.0.0.0/16', target: 'local' }] }],
  enis: [
    { eni: 1, subnet: 1, host: 1, addresses: ['10.0.1.10'] },
    { eni: 2, subnet: 1, host: 1, addresses: ['10.0.1.20'] },
    REMOTE
  ]
}
const ALL = 1
const DROPS = 2
const HEADER = {
  vni: 100, sourceEni: [ENI_HIGH, 4] as const, destinationEni: [ENI_HIGH, 1] as const
}

interface Options {
  readonly mappingsComplete?: boolean
  readonly points?: readonly number[]
  readonly snapBytes?: number
}

function newLab (options: Options = {}): { lab: Lab, ring: CaptureRingReader } {
  const lab = new Lab()
  lab.apply(buildTables([{ ...VPC, mappingsComplete: options.mappingsComplete ?? true }], 2))
  const ring = new CaptureRingReader()
  const points = (options.points ?? [POINT_UNDERLAY, 1, 2])
    .flatMap((point) => [point, ALL, DROPS, ALL, DROPS])
  lab.toWorker.push({
    kind: 'capture', epoch: 1, ring: ring.memory, snapBytes: options.snapBytes ?? 70_000,
    points: Int32Array.from(points), tunnels: new Int32Array(0)
  })
  lab.pass()
  lab.takeSent()
  return { lab, ring }
}

/** Every record as `point direction captures reason`, and what else a test asks for. */
function take (ring: CaptureRingReader, ...words: readonly number[]): string[] {
  const records: string[] = []
  for (let at = ring.first; at >= 0; at = ring.first) {
    const word = (index: number): number => ring.words[(at >>> 2) + index]
    const point = word(RECORD_POINT)
    records.push([
      point === POINT_UNDERLAY ? 'underlay' : `eni ${String(point)}`,
      word(RECORD_DIRECTION) === 1 ? 'in' : 'out',
      word(RECORD_MASK),
      DROP_REASONS[word(RECORD_REASON)].name,
      ...words.map(word)
    ].join(' '))
    ring.skip()
  }
  return records
}

test('a packet to another host is seen as the guest sent it, and on the underlay', (t) => {
  const { lab, ring } = newLab()
  lab.nowMs = 5
  const packet = ipPacket({ src: '10.0.1.10', dst: '10.0.1.40' })
  lab.nic.feed({ nicPort: lab.nicPort(1), packet })
  lab.pass()
  const at = ring.first
  t.deepEqual([...ring.bytes.subarray(ring.contentAt(at), ring.contentAt(at) + packet.length)],
    [...packet])
  t.is(ring.doubles[((at >>> 2) + RECORD_TIME) >>> 1], 5e6)
  t.deepEqual(
    take(ring, RECORD_TOTAL_BYTES, RECORD_HEADER_BYTES), [
      `eni 1 out 1 none ${String(packet.length)} 0`,
      `underlay out 1 none ${String(packet.length)} 32`
    ])
})

test('a packet from another host is seen on the underlay with its sender, and delivered', (t) => {
  const { lab, ring } = newLab()
  const inner = ipPacket({ src: '10.0.1.40', dst: '10.0.1.10' })
  lab.nic.feed({ nicPort: PORT_UNDERLAY, packet: vpcPacket(HEADER, inner),
    source: addressWords(hostAddress(2)) })
  lab.pass()
  const at = (ring.first >>> 2) + RECORD_PEER_ADDRESS
  t.is(formatAddress(ring.words.slice(at, at + 4)), hostAddress(2))
  t.deepEqual(take(ring, RECORD_TOTAL_BYTES, RECORD_HEADER_BYTES), [
    `underlay in 1 none ${String(inner.length)} 32`, `eni 1 in 1 none ${String(inner.length)} 0`
  ])
})

test('drops carry their reason at the point that they concern', (t) => {
  const { lab, ring } = newLab()
  const send = (dst: string, src = '10.0.1.10'): void => {
    lab.nic.feed({ nicPort: lab.nicPort(1), packet: ipPacket({ src, dst }) })
    lab.pass()
  }
  send('192.0.2.1')
  send('10.0.1.40', '10.9.9.9')
  t.deepEqual(take(ring), ['eni 1 out 3 no-route', 'eni 1 out 3 source-spoofed'])
  send('10.0.1.20')
  t.deepEqual(take(ring), ['eni 1 out 1 none', 'eni 2 in 1 none'], 'on this host')
  const badCheck = ipPacket({ src: '10.0.1.40', dst: '10.0.1.99' })
  lab.nic.feed({ nicPort: PORT_UNDERLAY, packet: vpcPacket(HEADER, badCheck),
    source: addressWords(hostAddress(2)) })
  lab.nic.feed({ nicPort: PORT_UNDERLAY, packet: vpcPacket({ ...HEADER, vni: 999 }, badCheck),
    source: addressWords(hostAddress(2)) })
  lab.pass()
  t.deepEqual(take(ring, RECORD_ENI_LOW), [
    'underlay in 3 destination-check 1', 'eni 1 in 3 destination-check 1',
    'underlay in 3 vni-unknown 0'
  ])
})

test('a receiver on this host that refuses sees the packet, and its sender has sent it', (t) => {
  const { lab, ring } = newLab()
  lab.toWorker.push({ kind: 'close-port', portIndex: 2 })
  lab.pass()
  lab.nic.feed({ nicPort: lab.nicPort(1),
    packet: ipPacket({ src: '10.0.1.10', dst: '10.0.1.20' }) })
  lab.pass()
  t.deepEqual(take(ring), ['eni 1 out 1 none', 'eni 2 in 3 port-closed'])
})

test('a parked packet is seen once: when it goes on, or when it is given up', (t) => {
  const { lab, ring } = newLab({ mappingsComplete: false })
  const send = (): void => {
    lab.nic.feed({ nicPort: lab.nicPort(1),
      packet: ipPacket({ src: '10.0.1.10', dst: '10.0.1.40' }) })
    lab.pass()
  }
  send()
  t.deepEqual(take(ring), [])
  lab.nowMs += PARKED_MS + 1
  lab.pass()
  t.deepEqual(take(ring), ['eni 1 out 3 mapping-timeout'])
  send()
  lab.toWorker.push({ kind: 'resolved', entries: mappingEntries(REMOTE),
    key: { by: 'address', vpcIndex: 1, address: addressWords('10.0.1.40') } })
  lab.pass()
  t.deepEqual(take(ring), ['eni 1 out 1 none', 'underlay out 1 none'])
})

test('a super-packet in pieces is copied whole, a plain packet up to the snap length', (t) => {
  const { lab, ring } = newLab({ snapBytes: 100 })
  const inner = ipPacket({ src: '10.0.1.40', dst: '10.0.1.10', payloadBytes: 20_000 })
  const packet = vpcPacket(HEADER, inner)
  lab.nic.feed({ nicPort: PORT_UNDERLAY, packet, source: addressWords(hostAddress(2)),
    gsoType: GSO_TCPV4, gsoSize: 1000, segments: 20, firstBytes: 1072 })
  lab.nic.feed({ nicPort: lab.nicPort(1),
    packet: ipPacket({ src: '10.0.1.10', dst: '10.0.1.40', payloadBytes: 1000 }) })
  lab.pass()
  const at = ring.contentAt(ring.first)
  t.deepEqual(Buffer.from(ring.bytes.slice(at, at + packet.length)), Buffer.from(packet))
  const whole = String(inner.length)
  t.deepEqual(take(ring, RECORD_TOTAL_BYTES, RECORD_PACKET_BYTES, RECORD_GSO_SIZE), [
    `underlay in 1 none ${whole} ${whole} 1000`,
    'eni 1 out 1 none 1040 100 0',
    `eni 1 in 1 none ${whole} ${whole} 1000`,
    'underlay out 1 none 1040 100 0'
  ])
})

test('a full ring loses captured packets, counted as on the wire, and no packet', (t) => {
  const { lab, ring } = newLab({ points: [1] })
  const packet = ipPacket({ src: '10.0.1.10', dst: '10.0.1.40', payloadBytes: 60_000 })
  const records = Math.floor(CAPTURE_RING_BYTES / 60_128)
  for (let sent = 0; sent < records + 10; sent++) {
    lab.nic.feed({ nicPort: lab.nicPort(1), packet, gsoType: GSO_TCPV4, gsoSize: 1000,
      segments: 60 })
    lab.pass()
    t.is(lab.takeSent().length, 1)
  }
  const captured = take(ring).length
  t.is(ring.takeLost(1, 0), (records + 10 - captured) * 60)
  t.is(ring.takeLost(1, 1), 0, 'who wants drops alone has lost nothing')
  t.deepEqual(lab.drops(), {})
})

test('points nobody captures leave nothing, and the end of a capture ends the tap', (t) => {
  const { lab, ring } = newLab({ points: [2] })
  t.is(ring.epoch, 1)
  const send = (): void => {
    lab.nic.feed({ nicPort: lab.nicPort(1),
      packet: ipPacket({ src: '10.0.1.10', dst: '10.0.1.40' }) })
    lab.pass()
  }
  send()
  t.deepEqual(take(ring), [])
  lab.toWorker.push(
    { kind: 'capture', epoch: 0, ring: null, snapBytes: 0, points: new Int32Array(0),
      tunnels: new Int32Array(0) })
  lab.pass()
  t.is(lab.loop.router.tap, null)
})

test('packets have the same fate and the fast path with a tap and without', (t) => {
  const tapped = newLab().lab
  const plain = new Lab()
  plain.apply(buildTables([VPC], 2))
  for (const lab of [tapped, plain]) {
    for (let round = 0; round < 3; round++) {
      for (const dst of ['10.0.1.40', '10.0.1.20', '192.0.2.1']) {
        lab.nic.feed({ nicPort: lab.nicPort(1), packet: ipPacket({ src: '10.0.1.10', dst }) })
      }
      lab.pass()
    }
  }
  t.deepEqual(tapped.takeSent(), plain.takeSent())
  t.deepEqual(tapped.drops(), plain.drops())
  t.is(tapped.loop.router.counters.words[COUNT_FAST_PATH],
    plain.loop.router.counters.words[COUNT_FAST_PATH])
})
