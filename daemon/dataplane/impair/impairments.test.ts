/** ENI 1 (10.0.1.10) and ENI 2 (10.0.1.20) here, ENI 4 (10.0.1.40) on host 2. */
import test from 'ava'
import { CSUM_NEEDED, CSUM_VALID, GSO_NONE, GSO_TCPV4 } from '../../tun/descriptor.ts'
import { checksumAdd, checksumFinish, pseudoHeaderSum } from '../../wire/checksum.ts'
import {
  IMPAIR_AT_CORRUPT, IMPAIR_AT_DELAY_MS, IMPAIR_AT_DIRECTIONS, IMPAIR_AT_DUPLICATE,
  IMPAIR_AT_JITTER_MS, IMPAIR_AT_LIMIT, IMPAIR_AT_LOSS, IMPAIR_AT_POINT, IMPAIR_AT_RATE,
  IMPAIR_AT_REORDER, IMPAIR_EGRESS, IMPAIR_INGRESS, IMPAIR_WORDS
} from '../tables/update.ts'
import { buildTables, Lab } from '../testing/lab.ts'
import type { VpcSpec } from '../testing/lab.ts'
import type { Sent } from '../testing/memory_nic.ts'
import { ipPacket } from '../testing/packets.ts'

const VPC: VpcSpec = {
  vpc: 1,
  vni: 100,
  subnets: [{ subnet: 1, cidrs: ['10.0.1.0/24'], routes: [] }],
  enis: [
    { eni: 1, subnet: 1, host: 1, addresses: ['10.0.1.10'] },
    { eni: 2, subnet: 1, host: 1, addresses: ['10.0.1.20'] },
    { eni: 4, subnet: 1, host: 2, addresses: ['10.0.1.40'] }
  ]
}
/** Of a TCP packet of `send`: IP and TCP header, and payload. */
const PACKET_BYTES = 1000

type Place = Readonly<Record<number, number>>

function newLab (...places: readonly Place[]): Lab {
  const lab = new Lab()
  lab.apply(buildTables([VPC], 2))
  impair(lab, places)
  return lab
}

function impair (lab: Lab, places: readonly Place[], partitioned: readonly number[] = []): void {
  const words = places.flatMap((place) => {
    const row = new Array<number>(IMPAIR_WORDS).fill(0)
    row[IMPAIR_AT_DIRECTIONS] = IMPAIR_EGRESS
    row[IMPAIR_AT_LIMIT] = 1000
    return Object.assign(row, place)
  })
  lab.toWorker.push({ kind: 'tables', revision: 2, impairments: [
    { places: Float64Array.from(words), partitioned: Uint32Array.from(partitioned) }
  ] })
  lab.pass()
}

/** Numbered TCP packets from ENI 1. */
function send (lab: Lab, dst: string, count = 1, first = 0): void {
  for (let sequence = first; sequence < first + count; sequence++) {
    lab.nic.feed({ nicPort: lab.nicPort(1), csum: CSUM_VALID, packet: ipPacket({
      src: '10.0.1.10', dst, sequence, payloadBytes: PACKET_BYTES - 40
    }) })
  }
  lab.pass()
}

function sequences (lab: Lab): number[] {
  return lab.takeSent().map(({ packet }) => new DataView(packet.buffer, packet.byteOffset)
    .getUint32(24))
}

function tcpChecksumIsGood ({ packet }: Sent): boolean {
  const sum = pseudoHeaderSum(packet, 12, 8, 6, packet.length - 20)
  return checksumFinish(checksumAdd(sum, packet, 20, packet.length - 20)) === 0
}

test('what an ENI sends is late by its delay, and in order', (t) => {
  const lab = newLab({ [IMPAIR_AT_POINT]: 1, [IMPAIR_AT_DELAY_MS]: 35 })
  send(lab, '10.0.1.40', 3)
  lab.nowMs = 34
  lab.pass()
  t.deepEqual(sequences(lab), [])
  lab.nowMs = 35
  lab.pass()
  t.deepEqual(sequences(lab), [0, 1, 2])
})

test('what an ENI receives is delayed by itself, as is what a host sends', (t) => {
  const lab = newLab(
    { [IMPAIR_AT_POINT]: 2, [IMPAIR_AT_DIRECTIONS]: IMPAIR_INGRESS, [IMPAIR_AT_DELAY_MS]: 10 },
    { [IMPAIR_AT_POINT]: 0, [IMPAIR_AT_DELAY_MS]: 20 })
  send(lab, '10.0.1.20')
  send(lab, '10.0.1.40', 1, 7)
  t.is(lab.takeSent().length, 0)
  lab.nowMs = 10
  lab.pass()
  const [inside] = lab.takeSent()
  t.is(inside.nicPort, lab.nicPort(2))
  lab.nowMs = 20
  lab.pass()
  const [outside] = lab.takeSent()
  t.is(outside.outer?.peer, 2)
  t.is(outside.outer?.header.length, 32)
})

test('a super-packet is cut up where each packet has its own luck, and whole where not', (t) => {
  const feed = (lab: Lab): Sent[] => {
    lab.nic.feed({
      nicPort: lab.nicPort(1), gsoType: GSO_TCPV4, gsoSize: 1400, csum: CSUM_NEEDED,
      csumField: 20 | (16 << 16), segments: 5, firstBytes: 2000,
      packet: ipPacket({ src: '10.0.1.10', dst: '10.0.1.40', payloadBytes: 7000 })
    })
    lab.pass()
    lab.nowMs = 5
    lab.pass()
    return lab.takeSent()
  }
  const whole = feed(newLab({ [IMPAIR_AT_POINT]: 1, [IMPAIR_AT_DELAY_MS]: 5 }))
  t.deepEqual(whole.map(({ gsoType, totalBytes }) => [gsoType, totalBytes]), [[GSO_TCPV4, 7040]])
  const cut = feed(newLab(
    { [IMPAIR_AT_POINT]: 1, [IMPAIR_AT_DELAY_MS]: 5, [IMPAIR_AT_LOSS]: 1e-9 }))
  t.deepEqual(cut.map(({ gsoType, packet }) => [gsoType, packet.length]),
    Array.from({ length: 5 }, () => [GSO_NONE, 1440]))
  t.true(cut.every(tcpChecksumIsGood))
})

test('losses come at their rate and are counted, doubles too', (t) => {
  const lab = newLab({ [IMPAIR_AT_POINT]: 1, [IMPAIR_AT_LOSS]: 0.1 })
  for (let round = 0; round < 20; round++) send(lab, '10.0.1.40', 100)
  const { length } = lab.takeSent()
  // 200 of 2,000, standard deviation 13.
  t.true(length > 1720 && length < 1880, String(length))
  t.is(lab.drops()['1/impaired-loss'], 2000 - length)
  impair(lab, [{ [IMPAIR_AT_POINT]: 1, [IMPAIR_AT_DUPLICATE]: 1 }])
  send(lab, '10.0.1.40', 2)
  t.deepEqual(sequences(lab), [0, 0, 1, 1])
})

test('a damaged packet has one wrong bit behind its IP header, and its checksum tells', (t) => {
  const lab = newLab({ [IMPAIR_AT_POINT]: 1, [IMPAIR_AT_CORRUPT]: 1 })
  send(lab, '10.0.1.40', 50)
  const sent = lab.takeSent()
  t.is(sent.length, 50, 'none is damaged where the router looks')
  t.true(sent.every(({ csum }) => csum === 0), 'the receiver is to verify them')
  t.false(sent.some(tcpChecksumIsGood))
})

test('a rate is kept in bits of IP packets, and its queue has an end', (t) => {
  // 1,000 bytes are 8,000 bits: one packet in a millisecond.
  const lab = newLab(
    { [IMPAIR_AT_POINT]: 1, [IMPAIR_AT_RATE]: 8e6, [IMPAIR_AT_LIMIT]: 20 })
  send(lab, '10.0.1.40', 30)
  t.is(lab.drops()['1/impair-queue-full'], 10)
  let sent = 0
  for (lab.nowMs = 1; lab.nowMs <= 10; lab.nowMs++) {
    lab.pass()
    sent += lab.takeSent().length
  }
  t.is(sent, 10)
  lab.nowMs = 20
  lab.pass()
  t.is(lab.takeSent().length, 10)
})

test('jitter and reorder change the order, and nothing else', (t) => {
  for (const how of [{ [IMPAIR_AT_JITTER_MS]: 20 }, { [IMPAIR_AT_REORDER]: 0.5 }]) {
    const lab = newLab({ [IMPAIR_AT_POINT]: 1, [IMPAIR_AT_DELAY_MS]: 30, ...how })
    send(lab, '10.0.1.40', 50)
    const order = sequences(lab)
    for (lab.nowMs = 1; lab.nowMs <= 50; lab.nowMs++) {
      lab.pass()
      order.push(...sequences(lab))
    }
    const sorted = order.toSorted((a, b) => a - b)
    t.deepEqual(sorted, Array.from({ length: 50 }, (_none, number) => number))
    t.notDeepEqual(order, sorted)
  }
})

test('hosts that are cut off get nothing, and others go on', (t) => {
  const lab = newLab()
  impair(lab, [], [2])
  send(lab, '10.0.1.40', 3)
  send(lab, '10.0.1.20')
  t.deepEqual(lab.takeSent().map(({ nicPort }) => nicPort), [lab.nicPort(2)])
  t.is(lab.drops()['1/partitioned'], 3)
  impair(lab, [])
  send(lab, '10.0.1.40')
  t.is(lab.takeSent().length, 1)
  t.is(lab.loop.router.impairments, null, 'nothing is left of it')
})

test('what waits goes on in order when the impairment ends, and not to another ENI', (t) => {
  const lab = newLab({ [IMPAIR_AT_POINT]: 1, [IMPAIR_AT_DELAY_MS]: 1000 })
  send(lab, '10.0.1.40', 3)
  impair(lab, [])
  send(lab, '10.0.1.40', 1, 3)
  t.deepEqual(sequences(lab), [0, 1, 2, 3])

  impair(lab, [{ [IMPAIR_AT_POINT]: 1, [IMPAIR_AT_DELAY_MS]: 1000 }])
  send(lab, '10.0.1.40')
  lab.toWorker.push({ kind: 'tables', revision: 3, removedPorts: [1] })
  lab.nowMs += 1000
  lab.pass()
  t.is(lab.takeSent().length, 0)
})

test('one queue is full of bytes before it overruns', (t) => {
  const lab = newLab({ [IMPAIR_AT_POINT]: 1, [IMPAIR_AT_DELAY_MS]: 1000, [IMPAIR_AT_LIMIT]: 1e6 })
  for (let round = 0; round < 100; round++) send(lab, '10.0.1.40', 100)
  lab.nowMs += 1000
  let sent = 0
  for (let pass = 0; pass < 100; pass++) {
    lab.pass()
    sent += lab.takeSent().length
  }
  t.is(sent, 8192)
  t.is(lab.drops()['1/impair-queue-full'], 10_000 - 8192)
})
