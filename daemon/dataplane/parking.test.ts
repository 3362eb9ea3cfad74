/**
 * VPC 1 is larger than what is preloaded: its mappings are asked for. ENI 1 (10.0.1.10) is here,
 * ENI 4 (10.0.1.40) on host 2.
 */
import test from 'ava'
import { GSO_TCPV4, PORT_UNDERLAY } from '../tun/descriptor.ts'
import { addressWords } from '../wire/address.ts'
import { PARKED_MAX, PARKED_MS, PARKED_PER_KEY_MAX } from './parking.ts'
import { buildTables, ENI_HIGH, hostAddress, Lab, mappingEntries } from './testing/lab.ts'
import type { VpcSpec } from './testing/lab.ts'
import { ipPacket, vpcPacket } from './testing/packets.ts'
import type { MappingKey, WorkerMessage } from './tables/update.ts'

const REMOTE = { eni: 4, subnet: 1, host: 2, addresses: ['10.0.1.40'] }
const VPC: VpcSpec = {
  vpc: 1,
  vni: 100,
  mappingsComplete: false,
  subnets: [{ subnet: 1, cidrs: ['10.0.0.0/16'],
    routes: [{ to: '10.0.0.0/16', target: 'local' }] }],
  enis: [{ eni: 1, subnet: 1, host: 1, addresses: ['10.0.1.10'] }, REMOTE]
}
const NONE = new Uint32Array(0)
const KEY: MappingKey = { by: 'address', vpcIndex: 1, address: addressWords('10.0.1.40') }
const ENI_KEY: MappingKey = { by: 'eni', vpcIndex: 1, eniIdHigh: ENI_HIGH, eniIdLow: 4 }

function newLab (): Lab {
  const lab = new Lab()
  lab.apply(buildTables([VPC], 2))
  lab.fromWorker.length = 0
  return lab
}

function sendTo (lab: Lab, dst: string, count = 1): void {
  for (let n = 0; n < count; n++) {
    lab.nic.feed({ nicPort: lab.nicPort(1),
      packet: ipPacket({ src: '10.0.1.10', dst, identification: n }) })
  }
  lab.pass()
}

const asked = (lab: Lab): MappingKey[] => lab.fromWorker
  .filter((message): message is Extract<WorkerMessage,
    { kind: 'resolve' }> => message.kind === 'resolve')
  .map(({ key }) => key)

test('packets wait for an unknown mapping, which is asked for once, and leave in order', (t) => {
  const lab = newLab()
  sendTo(lab, '10.0.1.40', 3)
  t.deepEqual(asked(lab), [KEY])
  t.deepEqual(lab.takeSent(), [])
  lab.toWorker.push({ kind: 'resolved', key: KEY, entries: mappingEntries(REMOTE) })
  lab.pass()
  const sent = lab.takeSent()
  t.deepEqual(sent.map(({ packet }) => packet[5]), [0, 1, 2])
  t.true(sent.every(({ outer }) => outer?.peer === 2))
  sendTo(lab, '10.0.1.40')
  t.is(lab.takeSent().length, 1, 'the answer is kept')
  t.is(asked(lab).length, 1)
  t.deepEqual(lab.drops(), {})
})

test('a negative answer drops what waits, and is believed for a second', (t) => {
  const lab = newLab()
  sendTo(lab, '10.0.1.99')
  const [key] = asked(lab)
  lab.toWorker.push({ kind: 'resolved', key, entries: NONE })
  lab.pass()
  sendTo(lab, '10.0.1.99')
  t.deepEqual(lab.drops(), { '1/no-mapping': 2 })
  t.is(asked(lab).length, 1)
  lab.nowMs += 1000
  sendTo(lab, '10.0.1.99')
  t.is(asked(lab).length, 2)
})

test('a packet waits no longer than its time, and the next one asks again', (t) => {
  const lab = newLab()
  sendTo(lab, '10.0.1.40', 2)
  lab.nowMs += PARKED_MS
  lab.pass()
  t.deepEqual(lab.drops(), { '1/mapping-timeout': 2 })
  sendTo(lab, '10.0.1.40')
  t.is(asked(lab).length, 2)
})

test('a late answer is kept for the next packet', (t) => {
  const lab = newLab()
  sendTo(lab, '10.0.1.40')
  lab.nowMs += PARKED_MS
  lab.pass()
  lab.toWorker.push({ kind: 'resolved', key: KEY, entries: mappingEntries(REMOTE) })
  sendTo(lab, '10.0.1.40')
  t.is(lab.takeSent().length, 1)
})

test('packets beyond the bound of a key are dropped and counted', (t) => {
  const lab = newLab()
  sendTo(lab, '10.0.1.40', PARKED_PER_KEY_MAX + 5)
  t.deepEqual(lab.drops(), { '1/mapping-queue-full': 5 })
  lab.toWorker.push({ kind: 'resolved', key: KEY, entries: mappingEntries(REMOTE) })
  lab.pass()
  t.is(lab.takeSent().length, PARKED_PER_KEY_MAX)
})

test('packets beyond the bound of all keys are dropped, and the room comes back', (t) => {
  const lab = newLab()
  for (let n = 0; n < PARKED_MAX + 3; n++) {
    lab.nic.feed({
      nicPort: lab.nicPort(1),
      packet: ipPacket({ src: '10.0.1.10', dst: `10.0.${String(2 + (n >> 8))}.${String(n & 127)}` })
    })
  }
  for (let turn = 0; turn < 6; turn++) lab.pass()
  t.deepEqual(lab.drops(), { '1/mapping-queue-full': 3 })
  lab.nowMs += PARKED_MS
  lab.pass()
  t.is(lab.drops()['1/mapping-timeout'], PARKED_MAX)
  sendTo(lab, '10.0.1.40')
  t.is(lab.drops()['1/mapping-queue-full'], 3)
})

test('large packets fill the memory for parked packets, and it is used again', (t) => {
  const lab = newLab()
  const packet = ipPacket({ src: '10.0.1.10', dst: '10.0.1.40', payloadBytes: 60_000 })
  for (let turn = 0; turn < 5; turn++) {
    for (let n = 0; n < PARKED_PER_KEY_MAX; n++) {
      lab.nic.feed({ nicPort: lab.nicPort(1), packet, gsoType: GSO_TCPV4, gsoSize: 8000 })
    }
    for (let pass = 0; pass < 4; pass++) lab.pass()
    lab.toWorker.push({ kind: 'resolved', key: KEY, entries: mappingEntries(REMOTE) })
    lab.pass()
    const sent = lab.takeSent()
    t.is(sent.length, PARKED_PER_KEY_MAX)
    t.true(sent.every((one) => one.packet.length === packet.length &&
      one.packet[5000] === packet[5000]))
    lab.nowMs += 61_000 // the answer has ended
    lab.pass()
  }
})

test('a packet of an unknown sender waits for the sender\'s place, flat if it came in pieces',
  (t) => {
  const lab = newLab()
  const inner = ipPacket({ src: '10.0.1.40', dst: '10.0.1.10', payloadBytes: 3000 })
  lab.nic.feed({
    nicPort: PORT_UNDERLAY,
    packet: vpcPacket({ vni: 100, sourceEni: [ENI_HIGH, 4], destinationEni: [ENI_HIGH, 1] }, inner),
    source: addressWords(hostAddress(2)),
    gsoType: GSO_TCPV4,
    gsoSize: 1000,
    firstBytes: 1072,
    segments: 3
  })
  lab.pass()
  t.deepEqual(asked(lab), [ENI_KEY])
  lab.toWorker.push({ kind: 'resolved', key: ENI_KEY, entries: mappingEntries(REMOTE) })
  lab.pass()
  const [sent] = lab.takeSent()
  t.deepEqual(sent.packet, inner)
  t.is(sent.run, 0)
  t.is(sent.gsoSize, 1000)
})

test('a correction acts on the next packet of a cached flow', (t) => {
  const lab = newLab()
  lab.toWorker.push({ kind: 'resolved', key: KEY, entries: mappingEntries(REMOTE) })
  sendTo(lab, '10.0.1.40', 2)
  t.is(lab.takeSent().length, 2)
  lab.toWorker.push({ kind: 'resolved', key: KEY, entries: NONE })
  sendTo(lab, '10.0.1.40')
  t.deepEqual(lab.takeSent(), [])
  t.deepEqual(lab.drops(), { '1/no-mapping': 1 })
})
