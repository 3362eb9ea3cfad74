/**
 * Traffic mirroring in the router: what is copied, by which session, and what a copy looks like.
 *
 *     host 1 (this)                               host 2
 *     ENI 1  10.0.1.10  source                    ENI 3  10.0.2.30
 *     ENI 2  10.0.1.20                            ENI 5  10.0.3.50  target FAR
 *     ENI 4  10.0.2.40  target NEAR
 *
 * subnets 1, 2, 3: 10.0.n.0/24. Port indices are the ENIs' numbers.
 */
import test from 'ava'
import { decodeGeneve, FLAG_MIRRORED, newGeneveFields } from '../encap/geneve.ts'
import { VXLAN_UDP_PORT } from '../encap/vxlan.ts'
import { CSUM_NEEDED, GSO_TCPV4, GSO_UDP, PORT_UNDERLAY } from '../tun/descriptor.ts'
import { addressWords, formatAddress, prefixWords } from '../wire/address.ts'
import { readU16, readU32 } from '../wire/bytes.ts'
import { checksumOf, pseudoHeaderSum, checksumAdd, checksumFinish } from '../wire/checksum.ts'
import { PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ip_protocol.ts'
import { ipv4WriteChecksum } from '../wire/ipv4.ts'
import { COUNT_MIRRORED } from './counters.ts'
import { COPIES_MAX } from './mirror.ts'
import {
  MIRROR_RULE_AT_DESTINATION, MIRROR_RULE_AT_DESTINATION_PORTS, MIRROR_RULE_AT_PROTOCOL,
  MIRROR_RULE_AT_SOURCE, MIRROR_RULE_AT_SOURCE_PORTS, MIRROR_RULE_AT_VERDICT, MIRROR_RULE_WORDS,
  RULE_ALLOW, RULE_ANY, RULE_DENY
} from './tables/update.ts'
import type { MirrorSessionData } from './tables/update.ts'
import { buildTables, ENI_HIGH, hostAddress, Lab } from './testing/lab.ts'
import type { PolicySpec, RouteSpec, VpcSpec } from './testing/lab.ts'
import { ipPacket, vpcPacket } from './testing/packets.ts'
import type { Sent } from './testing/memory_nic.ts'

const SOURCE = 1
const NEAR = 4
const FAR = 5
const MTU = 9001
const OUTER_BYTES = 20 + 8 + 8
const ETHERNET_BYTES = 14
const ADDRESSES = ['', '10.0.1.10', '10.0.1.20', '10.0.2.30', '10.0.2.40', '10.0.3.50']
const HTTP = { src: '10.0.1.10', dst: '10.0.1.20', protocol: PROTOCOL_TCP }
const ANSWER = { src: '10.0.1.20', dst: '10.0.1.10', protocol: PROTOCOL_TCP, srcPort: 80,
  dstPort: 40_000 }

interface Rule {
  readonly protocol?: number
  readonly sourcePorts?: readonly [number, number]
  readonly destinationPorts?: readonly [number, number]
  readonly source?: string
  readonly destination?: string
  readonly reject?: boolean
}

const ALL: Rule = {}

function rules (list: readonly Rule[]): Int32Array {
  const packed = new Int32Array(list.length * MIRROR_RULE_WORDS)
  list.forEach((rule, index) => {
    const at = index * MIRROR_RULE_WORDS
    packed[at + MIRROR_RULE_AT_PROTOCOL] = rule.protocol ?? RULE_ANY
    packed.set(rule.sourcePorts ?? [RULE_ANY, RULE_ANY], at + MIRROR_RULE_AT_SOURCE_PORTS)
    packed.set(rule.destinationPorts ?? [RULE_ANY, RULE_ANY], at + MIRROR_RULE_AT_DESTINATION_PORTS)
    packed[at + MIRROR_RULE_AT_VERDICT] = rule.reject === true ? RULE_DENY : RULE_ALLOW
    packed.set(prefixWords(rule.source ?? '0.0.0.0/0'), at + MIRROR_RULE_AT_SOURCE)
    packed.set(prefixWords(rule.destination ?? '0.0.0.0/0'), at + MIRROR_RULE_AT_DESTINATION)
  })
  return packed
}

interface Session {
  readonly vni?: number
  readonly target?: number
  readonly ingress?: readonly Rule[]
  readonly egress?: readonly Rule[]
  readonly packetLength?: number
  readonly dns?: boolean
  readonly targetMtu?: number
  readonly targetAddress?: string
}

function sessionData (session: Session): MirrorSessionData {
  const target = session.target ?? NEAR
  return {
    vni: session.vni ?? 7,
    packetLength: session.packetLength ?? 0,
    ingress: rules(session.ingress ?? []),
    egress: rules(session.egress ?? []),
    mirrorsDns: session.dns ?? false,
    sourceAddress: addressWords(ADDRESSES[SOURCE]),
    targetAddress: addressWords(session.targetAddress ?? ADDRESSES[target]),
    targetEniHigh: ENI_HIGH,
    targetEniLow: target,
    targetMtu: session.targetMtu ?? MTU
  }
}

interface World {
  readonly groups?: readonly PolicySpec[]
  readonly routes?: readonly RouteSpec[]
}

const OPEN_GROUP = 99

function vpcOf (world: World): VpcSpec {
  const routes = world.routes ?? [{ to: '10.0.0.0/16', target: 'local' as const }]
  return {
    vpc: 1, vni: 100,
    subnets: [1, 2, 3].map((subnet) => ({
      subnet, cidrs: [`10.0.${String(subnet)}.0/24`], routes,
      routers: { ipv4: `10.0.${String(subnet)}.1` }
    })),
    enis: [1, 2, 3, 4, 5].map((eni) => ({
      eni, subnet: Number(ADDRESSES[eni].split('.')[2]), host: eni === 3 || eni === FAR ? 2 : 1,
      addresses: [ADDRESSES[eni]], groups: [(world.groups ?? []).some(({ index }) =>
        index === eni) ? eni : OPEN_GROUP]
    })),
    groups: [{ index: OPEN_GROUP, inbound: [{ peer: '0.0.0.0/0' }],
      outbound: [{ peer: '0.0.0.0/0' }] }, ...world.groups ?? []]
  }
}

function mirrorLab (sessions: readonly Session[], world: World = {}, host = 1): Lab {
  const lab = new Lab({ host })
  lab.apply({
    ...buildTables([vpcOf(world)], 2, 1, host),
    ...host === 1 ? { mirrors: [{
      portIndex: SOURCE, vpcIndex: 1, resolver: addressWords('10.0.0.2'),
      sessions: sessions.map(sessionData)
    }] } : {}
  })
  lab.takeSent()
  return lab
}

/** What is sent when ENI `eni` sends a packet. */
function send (lab: Lab, eni: number, packet: Uint8Array, more: object = {}): Sent[] {
  lab.nic.feed({ nicPort: lab.nicPort(eni), packet, ...more })
  lab.pass()
  return lab.takeSent()
}

interface Copy {
  readonly vni: number
  readonly src: string
  readonly dst: string
  readonly srcPort: number
  /** Destination and source MAC, type. */
  readonly ethernet: string
  readonly frameBytes: number
  readonly inner: Uint8Array
}

/** Takes a copy apart; undefined for a packet that is none. */
function copyOf ({ packet }: Sent): Copy | undefined {
  if (packet[9] !== PROTOCOL_UDP || readU16(packet, 22) !== VXLAN_UDP_PORT) return undefined
  const words = (at: number): Uint32Array => Uint32Array.of(0, 0, 0xffff, readU32(packet, at))
  const frame = packet.subarray(OUTER_BYTES)
  return {
    vni: readU32(packet, 32) >>> 8,
    src: formatAddress(words(12)),
    dst: formatAddress(words(16)),
    srcPort: readU16(packet, 20),
    ethernet: Buffer.from(frame.subarray(0, ETHERNET_BYTES)).toString('hex'),
    frameBytes: frame.length,
    inner: frame.subarray(ETHERNET_BYTES)
  }
}

function copies (sent: readonly Sent[]): Copy[] {
  return sent.flatMap((one) => copyOf(one) ?? [])
}

test('a copy is the packet in Ethernet in VXLAN, from the source to the target', (t) => {
  const lab = mirrorLab([{ vni: 0x123456, egress: [ALL] }])
  const packet = ipPacket(HTTP)
  const sent = send(lab, SOURCE, packet)
  t.deepEqual(sent.map(({ nicPort }) => nicPort), [lab.nicPort(2), lab.nicPort(NEAR)])
  const [copy] = copies(sent)
  t.like(copy, { vni: 0x123456, src: '10.0.1.10', dst: '10.0.2.40',
    ethernet: '06000a000101' + '023d00000001' + '0800' })
  t.deepEqual(copy.inner, packet)
  t.true(copy.srcPort >= 49_152)
  const outer = sent[1].packet
  t.is(checksumOf(outer, 0, 20), 0)
  t.is(readU16(outer, 2), outer.length)
  t.is(readU16(outer, 24), outer.length - 20, 'UDP length')
  t.is(readU16(outer, 26), 0, 'no UDP checksum')
  t.is(outer[8], 63, 'TTL: the target is in another subnet')
})

test('each direction has its rules, and what enters is copied as it is delivered', (t) => {
  const lab = mirrorLab([{ ingress: [{ protocol: PROTOCOL_TCP, sourcePorts: [80, 80] }] }])
  t.is(copies(send(lab, SOURCE, ipPacket(HTTP))).length, 0)
  const [copy] = copies(send(lab, 2, ipPacket(ANSWER)))
  t.is(copy.ethernet, '023d00000001' + '06000a000101' + '0800')
  t.is(copies(send(lab, 2, ipPacket({ ...ANSWER, srcPort: 81 }))).length, 0)
  const [routed] = copies(send(lab, NEAR, ipPacket({ ...ANSWER, src: '10.0.2.40', ttl: 64 })))
  t.is(routed.inner[8], 63, 'the TTL that the source ENI sees')
})

test('rules are asked by number, and none that matches copies nothing', (t) => {
  const lab = mirrorLab([{ egress: [
    { destination: '10.0.1.20/32', protocol: PROTOCOL_ICMP, reject: true },
    { destinationPorts: [80, 90], protocol: PROTOCOL_TCP }, { protocol: PROTOCOL_ICMP }
  ] }])
  const copied = (fields: object): number => copies(send(lab, SOURCE,
    ipPacket({ ...HTTP, ...fields }))).length
  t.is(copied({ protocol: PROTOCOL_ICMP }), 0)
  t.is(copied({ protocol: PROTOCOL_ICMP, dst: '10.0.2.40' }), 1)
  t.is(copied({ dstPort: 90 }), 1)
  t.is(copied({ dstPort: 91 }), 0)
  t.is(copied({ protocol: PROTOCOL_UDP }), 0)
})

test('of two sessions the first that accepts takes the packet', (t) => {
  const lab = mirrorLab([
    { vni: 1, egress: [{ protocol: PROTOCOL_TCP, destinationPorts: [80, 80] }] },
    { vni: 2, target: FAR, egress: [ALL] }
  ])
  t.deepEqual(copies(send(lab, SOURCE, ipPacket(HTTP))).map(({ vni }) => vni), [1])
  t.deepEqual(copies(send(lab, SOURCE, ipPacket({ ...HTTP, dstPort: 81 }))).map(({ vni }) => vni),
    [2])
})

test('every packet of a flow is copied, not only the first', (t) => {
  const lab = mirrorLab([{ egress: [ALL], ingress: [ALL] }])
  for (let packet = 0; packet < 3; packet++) {
    t.is(copies(send(lab, SOURCE, ipPacket(HTTP))).length, 1)
    t.is(copies(send(lab, 2, ipPacket(ANSWER))).length, 1)
  }
  lab.loop.router.counters.commit(lab.nic.counters)
  t.is(lab.loop.router.counters.words[COUNT_MIRRORED], 6)
})

test('what the groups refuse is not copied, what is let out and lost later is', (t) => {
  const lab = mirrorLab([{ egress: [ALL], ingress: [ALL] }],
    { groups: [{ index: SOURCE, inbound: [], outbound: [{ peer: '10.0.0.0/16' }] }] })
  t.is(copies(send(lab, 2, ipPacket(ANSWER))).length, 0, 'refused inbound')
  t.is(copies(send(lab, SOURCE, ipPacket({ ...HTTP, dst: '192.0.2.1' }))).length, 0,
    'refused outbound')
  t.is(copies(send(lab, SOURCE, ipPacket({ ...HTTP, dst: '10.0.9.9' }))).length, 1,
    'let out, and then nobody has the address')
  t.is(lab.drops()['1/no-mapping'], 1)
})

test('the target\'s groups judge copies, the source\'s do not', (t) => {
  const closed = { index: NEAR, inbound: [{ peer: '0.0.0.0/0', protocol: PROTOCOL_TCP }],
    outbound: [] }
  const refused = mirrorLab([{ egress: [ALL] }], { groups: [closed] })
  t.is(copies(send(refused, SOURCE, ipPacket(HTTP))).length, 0)
  t.is(refused.drops()['4/security-group-ingress'], 1)
  const lab = mirrorLab([{ egress: [ALL] }], { groups: [
    { index: NEAR, outbound: [],
      inbound: [{ peer: '10.0.1.10/32', protocol: PROTOCOL_UDP, from: 4789, to: 4789 }] },
    { index: SOURCE, inbound: [], outbound: [{ peer: '10.0.1.20/32', protocol: PROTOCOL_TCP }] }
  ] })
  t.is(copies(send(lab, SOURCE, ipPacket(HTTP))).length, 1)
})

test('a copy to another host says in the VPC header that it is one', (t) => {
  const lab = mirrorLab([{ target: FAR, egress: [ALL] }])
  const sent = send(lab, SOURCE, ipPacket(HTTP))
  const copy = sent[1]
  const header = copy.outer?.header ?? new Uint8Array(0)
  const fields = newGeneveFields()
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength)
  const whole = new Uint8Array([...header, ...copy.packet])
  t.is(decodeGeneve(new DataView(whole.buffer), 0, whole.length, fields), 0)
  t.is(view.byteLength, fields.innerAt)
  t.like(fields, { vni: 100, flags: FLAG_MIRRORED, sourceEniLow: SOURCE, destinationEniLow: FAR })
  t.is(copy.outer?.peer, 2)
  t.is(copies([copy]).length, 1)
})

test('a copy from another host is delivered, and makes no flow', (t) => {
  const [, copy] = send(mirrorLab([{ target: FAR, egress: [ALL] }]), SOURCE, ipPacket(HTTP))
  const far = mirrorLab([], {}, 2)
  const packet = new Uint8Array([...copy.outer?.header ?? [], ...copy.packet])
  for (let time = 0; time < 2; time++) {
    far.nic.feed({ nicPort: PORT_UNDERLAY, packet, source: addressWords(hostAddress(1)) })
    far.pass()
    t.is(copies(far.takeSent()).length, 1)
  }
  t.is(far.flows.live, 0)
  t.deepEqual(far.drops(), {})
})

test('a packet from another host is copied when it enters', (t) => {
  const lab = mirrorLab([{ ingress: [ALL] }])
  const inner = ipPacket({ ...ANSWER, src: '10.0.2.30' })
  const packet = vpcPacket({ vni: 100, sourceEni: [ENI_HIGH, 3],
    destinationEni: [ENI_HIGH, SOURCE] }, inner)
  lab.nic.feed({ nicPort: PORT_UNDERLAY, packet, source: addressWords(hostAddress(2)) })
  lab.pass()
  t.deepEqual(copies(lab.takeSent())[0].inner, inner)
})

test('a copy is cut to the packet length and to the target\'s MTU', (t) => {
  const bytesOf = (session: Session, payloadBytes: number): number => {
    const packet = ipPacket({ ...HTTP, payloadBytes })
    const [copy] = copies(send(mirrorLab([{ egress: [ALL], ...session }]), SOURCE, packet))
    t.deepEqual(copy.inner, packet.subarray(0, copy.inner.length))
    return copy.frameBytes
  }
  t.is(bytesOf({ packetLength: 100 }, 500), 100)
  t.is(bytesOf({ packetLength: 100 }, 10), ETHERNET_BYTES + 50)
  t.is(bytesOf({ packetLength: 1 }, 500), 35)
  t.is(bytesOf({}, 8947 - 40), ETHERNET_BYTES + 8947)
  t.is(bytesOf({}, 8948 - 40), ETHERNET_BYTES + 8947)
  t.is(bytesOf({ targetMtu: 1500 }, 2000), ETHERNET_BYTES + 1446)
  t.is(bytesOf({ target: FAR }, 8900), ETHERNET_BYTES + 8939, 'the flags option takes 8 bytes')
})

function l4ChecksumIsGood (packet: Uint8Array): boolean {
  const pseudo = pseudoHeaderSum(packet, 12, 8, packet[9], packet.length - 20)
  return checksumFinish(checksumAdd(pseudo, packet, 20, packet.length - 20)) === 0
}

for (const firstBytes of [undefined, 1040]) {
  const way = firstBytes === undefined ? 'in one piece' : 'in pieces'
  test(`a TCP super-packet ${way} is copied as the packets that it is on the wire`, (t) => {
    const lab = mirrorLab([{ ingress: [ALL], egress: [ALL] }])
    const packet = ipPacket({ ...ANSWER, src: '10.0.2.30', payloadBytes: 2500, tcpFlags: 0x19 })
    const more = { gsoType: GSO_TCPV4, gsoSize: 1000, segments: 3, csum: CSUM_NEEDED,
      csumField: 20 | (16 << 16) }
    if (firstBytes === undefined) {
      const own = ipPacket({ ...HTTP, payloadBytes: 2500, tcpFlags: 0x19 })
      checkSegments(copies(send(lab, SOURCE, own, more)), own)
      return
    }
    const header = vpcPacket({ vni: 100, sourceEni: [ENI_HIGH, 3],
    destinationEni: [ENI_HIGH, SOURCE] }, packet)
    lab.nic.feed({ nicPort: PORT_UNDERLAY, packet: header, source: addressWords(hostAddress(2)),
      ...more, firstBytes: header.length - packet.length + firstBytes })
    lab.pass()
    checkSegments(copies(lab.takeSent()), packet)

    function checkSegments (made: readonly Copy[], whole: Uint8Array): void {
      t.deepEqual(made.map(({ inner }) => inner.length), [1040, 1040, 540])
      made.forEach(({ inner }, index) => {
        t.is(readU16(inner, 2), inner.length)
        t.is(readU16(inner, 4), 0x1234 + index, 'identification')
        t.is(checksumOf(inner, 0, 20), 0)
        t.is(readU32(inner, 24), readU32(whole, 24) + 1000 * index, 'sequence number')
        t.is(inner[33], index === 2 ? 0x19 : 0x10, 'FIN and PSH in the last one')
        t.true(l4ChecksumIsGood(inner))
        t.deepEqual(inner.subarray(40), whole.subarray(40 + 1000 * index, 1080 + 1000 * index)
          .subarray(0, inner.length - 40))
      })
    }
  })
}

test('a UDP super-packet is copied as datagrams, and a checksum left to the NIC is done', (t) => {
  const lab = mirrorLab([{ egress: [ALL] }])
  const packet = ipPacket({ ...HTTP, protocol: PROTOCOL_UDP, payloadBytes: 250 })
  const made = copies(send(lab, SOURCE, packet, { gsoType: GSO_UDP, gsoSize: 100, segments: 3,
    csum: CSUM_NEEDED, csumField: 20 | (6 << 16) }))
  t.deepEqual(made.map(({ inner }) => readU16(inner, 24)), [108, 108, 58])
  t.true(made.every(({ inner }) => l4ChecksumIsGood(inner)))
  const plain = ipPacket(HTTP)
  const [whole] = [new Uint8Array(plain)]
  const pseudo = pseudoHeaderSum(plain, 12, 8, PROTOCOL_TCP, plain.length - 20)
  const sum = ~checksumFinish(pseudo) & 0xffff
  plain[36] = sum >>> 8
  plain[37] = sum
  const [copy] = copies(send(lab, SOURCE, plain, { csum: CSUM_NEEDED, csumField: 20 | (16 << 16) }))
  t.deepEqual(copy.inner, whole)
})

test('the resolver\'s packets are copied when the filter names its service, and only then', (t) => {
  const question = ipPacket({ ...HTTP, dst: '10.0.0.2', protocol: PROTOCOL_UDP })
  t.is(copies(send(mirrorLab([{ egress: [ALL] }]), SOURCE, question)).length, 0)
  t.is(copies(send(mirrorLab([{ dns: true }]), SOURCE, question)).length, 1)
})

test('a target that is gone, or has no route, drops copies and nothing else', (t) => {
  const gone = mirrorLab([{ egress: [ALL], targetAddress: '::' }])
  t.is(send(gone, SOURCE, ipPacket(HTTP)).length, 1)
  t.deepEqual(gone.drops(), { '1/mirror-target': 1 })
  const blackhole: RouteSpec = { to: '10.0.2.0/24', target: 'blackhole' }
  const lost = mirrorLab([{ egress: [ALL] }],
    { routes: [{ to: '10.0.0.0/16', target: 'local' }, blackhole] })
  t.is(send(lost, SOURCE, ipPacket(HTTP)).length, 1)
  t.deepEqual(lost.drops(), { '1/mirror-target': 1 })
  const elsewhere = mirrorLab([{ egress: [ALL], targetAddress: '10.0.1.20' }])
  t.is(send(elsewhere, SOURCE, ipPacket(HTTP)).length, 1, 'another ENI has the address')
  t.deepEqual(elsewhere.drops(), { '1/mirror-target': 1 })
})

test('a session that ends copies no more, and a changed rule acts on the next packet', (t) => {
  const lab = mirrorLab([{ egress: [ALL] }])
  t.is(copies(send(lab, SOURCE, ipPacket(HTTP))).length, 1)
  lab.toWorker.push({ kind: 'tables', revision: 2, removedMirrors: [SOURCE] })
  lab.pass()
  t.is(copies(send(lab, SOURCE, ipPacket(HTTP))).length, 0)
})

test('packets go first: copies wait for room, and are dropped when too many wait', (t) => {
  const lab = mirrorLab([{ egress: [ALL] }])
  const { mirror } = lab.loop.router
  const packet = ipPacket({ ...HTTP, payloadBytes: 60_000 })
  const perPacket = 600
  for (let burst = 0; burst < 8; burst++) {
    lab.nic.feed({ nicPort: lab.nicPort(SOURCE), packet, gsoType: GSO_TCPV4, gsoSize: 100,
      segments: perPacket, csum: CSUM_NEEDED, csumField: 20 | (16 << 16) })
  }
  lab.loop.pass(0)
  t.is(mirror.waiting, COPIES_MAX)
  t.deepEqual(lab.drops(), { '1/mirror-queue-full': 8 * perPacket - COPIES_MAX })
  const sent: Sent[] = []
  while (mirror.waiting > 0) { // ends: a burst sends some 1,000
    lab.loop.pass(0)
    sent.push(...lab.takeSent())
  }
  lab.loop.pass(0)
  sent.push(...lab.takeSent())
  t.is(copies(sent).length, COPIES_MAX)
  t.is(sent.length - copies(sent).length, 8, 'the packets themselves')
  const fresh = new Uint8Array(ipPacket(HTTP))
  ipv4WriteChecksum(fresh, 0, 20)
  t.is(copies(send(lab, SOURCE, fresh)).length, 1, 'the ring begins anew')
})

test('a copy crosses a peering to a target in the peer VPC, under the VNI of that VPC', (t) => {
  const routes: RouteSpec[] =
    [{ to: '10.0.0.0/16', target: 'local' }, { to: '10.0.3.0/24', target: { peer: 2 } }]
  const whole = vpcOf({ routes })
  const source: VpcSpec = {
    ...whole, peers: [{ vpc: 2, mtu: MTU }], enis: whole.enis.filter(({ eni }) => eni !== FAR),
    subnets: whole.subnets.filter(({ subnet }) => subnet !== 3)
  }
  const peer: VpcSpec = {
    vpc: 2, vni: 200, blocks: ['10.0.3.0/24'], subnets: [],
    enis: whole.enis.filter(({ eni }) => eni === FAR)
  }
  const lab = new Lab({ host: 1 })
  lab.apply({
    ...buildTables([source, peer], 2, 1, 1),
    mirrors: [{
      portIndex: SOURCE, vpcIndex: 1, resolver: addressWords('10.0.0.2'),
      sessions: [sessionData({ target: FAR, egress: [ALL] })]
    }]
  })
  lab.takeSent()
  const sent = send(lab, SOURCE, ipPacket(HTTP)).find((one) => copyOf(one) !== undefined)
  const header = sent?.outer?.header ?? new Uint8Array(0)
  t.is(readU32(header, 4) >>> 8, 200)
  t.is(sent === undefined ? '' : copyOf(sent)?.dst, ADDRESSES[FAR])
})
