/**
 * An ENI has moved from host 2 to host 3, and host 1 has not heard of it:
 *
 *     host 1              host 2 ── moved ──▶ host 3             host 4
 *     ENI 1  10.0.1.10              ENI 5  10.0.2.50             ENI 9, and no good
 *
 * Host 2 has no ENI of the VPC any more, and knows nothing of it.
 */
import test from 'ava'
import { FORWARDED_OPTION_BYTES, GENEVE_BYTES } from '../encap/geneve.ts'
import { GSO_TCPV4, PORT_UNDERLAY } from '../tun/descriptor.ts'
import { addressWords } from '../wire/address.ts'
import { readWorkerCounters } from './counters.ts'
import type { MoveData } from './tables/update.ts'
import { buildTables, ENI_HIGH, hostAddress, Lab, MTU } from './testing/lab.ts'
import type { VpcSpec } from './testing/lab.ts'
import type { Fed, Sent } from './testing/memory_nic.ts'
import { ipPacket, vpcPacket } from './testing/packets.ts'
import type { VpcHeaderFields } from './testing/packets.ts'

const HOSTS = 4
const [SENDER, OLD, NEW, THIRD] = [1, 2, 3, 4]
const VNI = 100
const MOVED = 5
const REMAINING_MS = 60_000

const VPC: VpcSpec = {
  vpc: 1,
  vni: VNI,
  subnets: [
    { subnet: 11, cidrs: ['10.0.1.0/24'], routes: [{ to: '10.0.0.0/16', target: 'local' }] },
    { subnet: 12, cidrs: ['10.0.2.0/24'], routes: [{ to: '10.0.0.0/16', target: 'local' }] }
  ],
  enis: [
    { eni: 1, subnet: 11, host: SENDER, addresses: ['10.0.1.10'] },
    { eni: MOVED, subnet: 12, host: NEW, addresses: ['10.0.2.50'] },
    { eni: 6, subnet: 12, host: NEW, addresses: ['10.0.2.60'] },
    { eni: 9, subnet: 11, host: THIRD, addresses: ['10.0.1.90'] }
  ]
}

const HEADER: VpcHeaderFields =
  { vni: VNI, sourceEni: [ENI_HIGH, 1], destinationEni: [ENI_HIGH, MOVED] }
const INNER = ipPacket({ src: '10.0.1.10', dst: '10.0.2.50', ttl: 7 })
const PACKET = vpcPacket(HEADER, INNER)
const FORWARDED = vpcPacket({ ...HEADER, forwardedFrom: hostAddress(SENDER) }, INNER)

/** The move of an ENI, for the hosts that it concerns. */
function moveOf (eni: number, to: number, ...from: readonly number[]): MoveData {
  return {
    eniIdHigh: ENI_HIGH, eniIdLow: eni, vni: VNI, hostIndex: to,
    formers: Uint32Array.from(from.flatMap((host) => [host, REMAINING_MS]))
  }
}

function labOf (host: number, vpcs: readonly VpcSpec[], moves: readonly MoveData[],
  pathMtu = 9100): Lab {
  const lab = new Lab({ host, pathMtu })
  lab.apply({ ...buildTables(vpcs, HOSTS, 1, host), moves })
  lab.takeSent()
  return lab
}

const oldHost = (pathMtu?: number): Lab => labOf(OLD, [], [moveOf(MOVED, NEW, OLD)], pathMtu)
const newHost = (): Lab => labOf(NEW, [VPC], [moveOf(MOVED, NEW, OLD)])

function arrive (lab: Lab, from: number, packet: Uint8Array, fed: Partial<Fed> = {}): Sent[] {
  lab.nic.feed({ nicPort: PORT_UNDERLAY, packet, source: addressWords(hostAddress(from)), ...fed })
  lab.pass()
  return lab.takeSent()
}

function forwarded (lab: Lab): number | undefined {
  lab.drops() // commits the counters
  return readWorkerCounters(lab.sharedCounters)['forwarded_packets']
}

/** What the old host sent, as it arrives at the new one. */
function onTheWire ({ outer, packet }: Sent): Uint8Array {
  return Uint8Array.from([...outer?.header ?? [], ...packet])
}

test('the old host sends a packet on as it came, and says from where', (t) => {
  const lab = oldHost()
  const [sent] = arrive(lab, SENDER, PACKET, { outerTrafficClass: 3 })
  t.is(sent.nicPort, PORT_UNDERLAY)
  t.is(sent.outer?.peer, NEW)
  t.is(sent.outer?.trafficClass, 3, 'congestion on the first way is told on the second')
  t.deepEqual(onTheWire(sent), FORWARDED)
  t.is(forwarded(lab), 1)
  t.deepEqual(lab.drops(), {})
})

test('the new host delivers it, judged as if it had come from the sender', (t) => {
  const lab = newHost()
  const [sent] = arrive(lab, OLD, onTheWire(arrive(oldHost(), SENDER, PACKET)[0]))
  t.is(sent.nicPort, lab.nicPort(MOVED))
  t.deepEqual(sent.packet, INNER)
  // The sender hears of the move, and its flow is known.
  t.is(arrive(lab, SENDER, PACKET)[0].nicPort, lab.nicPort(MOVED))
  t.deepEqual(lab.drops(), {})
})

test('a super-packet is sent on whole', (t) => {
  const lab = oldHost()
  const inner = ipPacket({ src: '10.0.1.10', dst: '10.0.2.50', payloadBytes: 4000 })
  const [sent] = arrive(lab, SENDER, vpcPacket(HEADER, inner), {
    gsoType: GSO_TCPV4, gsoSize: 1000, segments: 4, firstBytes: GENEVE_BYTES + 1040
  })
  t.is(sent.run, 1)
  t.is(sent.totalBytes, inner.length)
  t.is(sent.gsoSize, 1000)
  t.is(forwarded(lab), 4)
})

test('an ENI that moves on is followed from every host that it has left', (t) => {
  const moves = [moveOf(MOVED, THIRD, OLD, NEW)]
  for (const host of [OLD, NEW]) {
    t.is(arrive(labOf(host, [], moves), SENDER, PACKET)[0].outer?.peer, THIRD)
  }
  const last = labOf(THIRD, [{
    ...VPC, enis: VPC.enis.map((eni) => eni.eni === MOVED ? { ...eni, host: THIRD } : eni)
  }], moves)
  for (const host of [OLD, NEW]) {
    t.is(arrive(last, host, FORWARDED)[0].nicPort, last.nicPort(MOVED))
  }
})

test('an ENI that has come back is at home', (t) => {
  const back = { ...VPC, enis: [{ ...VPC.enis[1], host: OLD }, VPC.enis[0]] }
  const lab = labOf(OLD, [back], [moveOf(MOVED, OLD, NEW)])
  t.is(arrive(lab, SENDER, PACKET)[0].nicPort, lab.nicPort(MOVED))
  t.is(forwarded(lab), 0)
})

/** Each: what is wrong, what arrives at the old host, where it is counted. */
const REFUSED_BY_OLD: readonly (readonly [string, Uint8Array, string])[] = [
  ['it was forwarded before', FORWARDED, '0/vni-unknown'],
  ['the VNI is that of another VPC', vpcPacket({ ...HEADER, vni: 200 }, INNER), '0/vni-unknown'],
  ['the ENI has never been there', vpcPacket({ ...HEADER, destinationEni: [ENI_HIGH, 6] }, INNER),
    '0/vni-unknown'],
  ['the inner packet is cut short', vpcPacket(HEADER, INNER.slice(0, 50)), '0/malformed']
]

for (const [name, packet, counter] of REFUSED_BY_OLD) {
  test(`the old host drops a packet when ${name}`, (t) => {
    const lab = oldHost()
    t.deepEqual(arrive(lab, SENDER, packet), [])
    t.deepEqual(lab.drops(), { [counter]: 1 })
    t.is(forwarded(lab), 0)
  })
}

test('the old host drops what the underlay cannot carry with the mark', (t) => {
  const lab = oldHost(MTU)
  const fits = MTU - FORWARDED_OPTION_BYTES - ipPacket({
    src: '10.0.1.10', dst: '10.0.2.50', payloadBytes: 0
  }).length
  for (const payloadBytes of [fits, fits + 1]) {
    arrive(lab, SENDER, vpcPacket(HEADER, ipPacket({
      src: '10.0.1.10', dst: '10.0.2.50', payloadBytes
    })))
  }
  t.is(forwarded(lab), 1)
  t.deepEqual(lab.drops(), { '0/too-big': 1 })
})

test('forwarding and taking end with their time', (t) => {
  for (const [lab, from, packet, counter] of [
    [oldHost(), SENDER, PACKET, '0/vni-unknown'],
    [newHost(), OLD, FORWARDED, `${String(MOVED)}/bad-forwarder`]
  ] as const) {
    lab.nowMs = REMAINING_MS - 100
    t.is(arrive(lab, from, packet).length, 1)
    lab.nowMs = REMAINING_MS
    t.is(arrive(lab, from, packet).length, 0)
    t.deepEqual(lab.drops(), { [counter]: 1 })
    lab.nowMs += 2000
    lab.pass()
    t.is(lab.loop.tables.moves.size, 0)
  }
})

test('forwarding and taking end when control says so', (t) => {
  const removedMoves = [{ eniIdHigh: ENI_HIGH, eniIdLow: MOVED }]
  for (const [lab, from, packet] of
    [[oldHost(), SENDER, PACKET], [newHost(), OLD, FORWARDED]] as const) {
    lab.apply({ kind: 'tables', revision: 2, removedMoves })
    t.deepEqual(arrive(lab, from, packet), [])
  }
})

/** Each: what is forged, who sends what to the new host, where it is counted. */
const REFUSED_BY_NEW: readonly (readonly [string, number, VpcHeaderFields, string])[] = [
  ['another host says that it forwards', THIRD,
    { ...HEADER, forwardedFrom: hostAddress(SENDER) }, '5/bad-forwarder'],
  ['another host forwards what is its own', THIRD,
    { ...HEADER, sourceEni: [ENI_HIGH, 9], forwardedFrom: hostAddress(THIRD) }, '5/bad-forwarder'],
  ['the sender says that it forwards its own', SENDER,
    { ...HEADER, forwardedFrom: hostAddress(SENDER) }, '5/bad-forwarder'],
  ['the old host forwards for an ENI that it never had', OLD,
    { ...HEADER, destinationEni: [ENI_HIGH, 6], forwardedFrom: hostAddress(SENDER) },
    '6/bad-forwarder'],
  ['the old host speaks for the sender without saying that it forwards', OLD, HEADER,
    '5/bad-host'],
  ['it came from a host that the source ENI is not on', OLD,
    { ...HEADER, forwardedFrom: hostAddress(THIRD) }, '5/bad-host'],
  ['it came from the old host itself', OLD, { ...HEADER, forwardedFrom: hostAddress(OLD) },
    '5/bad-host'],
  ['it came from the new host itself', OLD,
    { ...HEADER, sourceEni: [ENI_HIGH, 6], forwardedFrom: hostAddress(NEW) }, '5/bad-host'],
  ['the VNI is unknown', OLD, { ...HEADER, vni: 200, forwardedFrom: hostAddress(SENDER) },
    '0/vni-unknown'],
  ['the ENI is not there', OLD,
    { ...HEADER, destinationEni: [ENI_HIGH, 7], forwardedFrom: hostAddress(SENDER) },
    '0/eni-not-here']
]

for (const [name, from, fields, counter] of REFUSED_BY_NEW) {
  test(`the new host drops a packet when ${name}, whether the flow is known or not`, (t) => {
    const lab = newHost()
    for (let turn = 1; turn <= 2; turn++) {
      t.deepEqual(arrive(lab, from, vpcPacket(fields, INNER)), [])
      t.deepEqual(lab.drops(), { [counter]: turn })
      t.is(arrive(lab, SENDER, PACKET).length, 1)
    }
  })
}

test('two hosts that each take the other for the new one do not send in a circle', (t) => {
  const one = labOf(OLD, [], [moveOf(MOVED, NEW, OLD)])
  const other = labOf(NEW, [], [moveOf(MOVED, OLD, NEW)])
  const [sent] = arrive(one, SENDER, PACKET)
  t.deepEqual(arrive(other, OLD, onTheWire(sent)), [])
  t.deepEqual(other.drops(), { '0/vni-unknown': 1 })
})
