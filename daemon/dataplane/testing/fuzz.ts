/**
 * Packets that nobody sends, through a whole worker in memory: random bytes, and good packets with
 * something broken in them, made here or captured from real stacks, out of ENIs and in from the
 * underlay, on networks with groups, ACLs, routes, fragments and mappings that must be asked for.
 *
 *     seed ─▶ network ─▶ burst of packets, mutated ─▶ Lab ─▶ conservation
 *
 * After each burst the counters are held against what was fed. Every packet is in exactly one of
 * them, however broken it is, and nothing throws:
 *
 *     fed + ICMP errors made = sent to the underlay + delivered + dropped with a reason + parked
 *
 * That a burst ends at all is for the caller to see. All chance comes from the seed.
 */
import { assert } from '../../base/assert.ts'
import { GSO_NONE, GSO_TCPV4, GSO_TCPV6, PORT_UNDERLAY } from '../../tun/descriptor.ts'
import { addressWords } from '../../wire/address.ts'
import { writeU16, writeU32 } from '../../wire/bytes.ts'
import {
  PROTOCOL_AUTHENTICATION, PROTOCOL_DESTINATION_OPTIONS, PROTOCOL_ESP, PROTOCOL_HOP_BY_HOP,
  PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_ROUTING, PROTOCOL_TCP, PROTOCOL_UDP
} from '../../wire/ip_protocol.ts'
import {
  IPV4_AT_DST, IPV4_AT_SRC, IPV4_HEADER_BYTES_MIN, ipv4WriteChecksum
} from '../../wire/ipv4.ts'
import { IPV6_AT_DST, IPV6_AT_SRC } from '../../wire/ipv6.ts'
import {
  COUNT_FORWARDED, COUNT_FRAGMENTS, COUNT_ICMP_SENT, readDrops, readTraffic
} from '../counters.ts'
import { PARKED_MS } from '../parking.ts'
import type { MoveData, TableUpdate } from '../tables/update.ts'
import { Draw } from './draw.ts'
import { buildTables, ENI_HIGH, hostAddress, Lab, mappingEntries, THIS_HOST } from './lab.ts'
import type { EniSpec, PolicySpec, RouteSpec, RuleSpec, VpcSpec } from './lab.ts'
import type { Fed, Sent } from './memory_nic.ts'
import { ipPacket, vpcPacket } from './packets.ts'
import type { PacketFields } from './packets.ts'

const HOSTS = 3
/** Has had every ENI of this host a moment ago. */
const FORMER_HOST = 3
/** Has left this host for the second one. */
const LEFT_ENI = 98
const SUBNETS = 2
const ENIS = 6
const POLICIES = 2
const BURSTS = 60
const BURST_PACKETS_MAX = 40
const HEADER_TCP_IPV4 = 40
const HEADER_TCP_IPV6 = 60
/** Larger than any packet fed: a packet that is cut up would be more than one that is sent. */
const MTU_WHOLE = 65_535
const MTU_SMALL = 1440
const DEPARTURE_MS = 60_000

const PROTOCOLS = [PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_ESP, 0]
/** Hop-by-hop is right in the first place alone, and the parser's patience has an end. */
const EXTENSIONS = [
  PROTOCOL_HOP_BY_HOP, PROTOCOL_ROUTING, PROTOCOL_DESTINATION_OPTIONS, PROTOCOL_DESTINATION_OPTIONS,
  PROTOCOL_AUTHENTICATION
]
const EXTENSIONS_MAX = 12
/** Numbers that are the edge of something. */
const EDGES = [0, 1, 7, 8, 19, 20, 39, 40, 0x7f, 0x80, 0xff, 0x1fff, 0x2000, 0x7fff, 0x8000, 0xffff]
const ADDRESSES = [
  '198.51.100.7', '10.0.1.255', '224.0.0.1', '169.254.1.1', '0.0.0.0', '255.255.255.255',
  '127.0.0.1', '2001:db8:0:1::99', 'ff02::1', 'fe80::1', '::', '::1'
]

const ipv4Of = (eni: number): string => `10.0.${String(subnetOf(eni))}.${String(10 + eni)}`
const ipv6Of = (eni: number): string => `2001:db8:0:${String(subnetOf(eni))}::${String(10 + eni)}`
const subnetOf = (eni: number): number => 1 + eni % SUBNETS

export interface FuzzTotals {
  readonly fed: number
  readonly sent: number
  readonly delivered: number
  readonly dropped: number
  /** Packets that waited for a mapping at some time. */
  readonly parked: number
  /** Of those sent, packets for an ENI that has left the host. */
  readonly forwarded: number
  /** Reasons of drops that occurred. */
  readonly reasons: ReadonlySet<number>
}

/** Where the packets of a worker went, from its start on, but for those sent to the underlay. */
interface Account { readonly ingress: number, readonly dropped: number }

/**
 * One network and BURSTS bursts.
 * @param captured IP packets of real stacks; they get addresses of the network
 * @throws Error naming the seed, when the router throws or a packet is in no account or in two
 */
export function fuzzNetwork (seed: number, captured: readonly Uint8Array[] = []): FuzzTotals {
  try {
    return new Fuzz(seed, captured).run()
  } catch (error) {
    throw new Error(`seed ${String(seed)}: ${String(error)}`, { cause: error })
  }
}

class Fuzz {
  readonly #draw: Draw
  readonly #vpc: VpcSpec
  readonly #lab: Lab
  readonly #captured: readonly Uint8Array[]
  readonly #counts = { fed: 0, sent: 0, parked: 0 }
  readonly #hasWholePath: boolean

  constructor (seed: number, captured: readonly Uint8Array[]) {
    this.#draw = new Draw(seed)
    this.#captured = captured
    this.#hasWholePath = this.#draw.oneIn(2)
    this.#vpc = drawVpc(this.#draw)
    this.#lab =
      new Lab({ flowCapacity: 64, pathMtu: this.#hasWholePath ? MTU_WHOLE : MTU_SMALL })
    this.#lab.apply(this.#tables())
    this.#lab.takeSent()
  }

  run (): FuzzTotals {
    for (let burst = 0; burst < BURSTS; burst++) this.#burst()
    // What still waits, waits in vain.
    this.#lab.nowMs += PARKED_MS + 1
    this.#settle()
    assert(this.#lab.loop.router.parking.count === 0, 'nothing waits for ever')
    const { ingress, dropped } = this.#account()
    const reasons = new Set(readDrops(this.#lab.sharedCounters).map(({ reason }) => reason))
    const forwarded = this.#counter(COUNT_FORWARDED)
    return { ...this.#counts, delivered: ingress, dropped, forwarded, reasons }
  }

  #tables (): TableUpdate {
    const moveOf = (eni: number, from: number, to: number): MoveData => ({
      eniIdHigh: ENI_HIGH, eniIdLow: eni, vni: this.#vpc.vni, hostIndex: to,
      formers: Uint32Array.of(from, DEPARTURE_MS)
    })
    const here = this.#vpc.enis.filter(({ host }) => host === THIS_HOST)
    return {
      ...buildTables([this.#vpc], HOSTS),
      moves: [moveOf(LEFT_ENI, THIS_HOST, 2),
        ...here.map(({ eni }) => moveOf(eni, FORMER_HOST, THIS_HOST))]
    }
  }

  #burst (): void {
    const draw = this.#draw
    const parkedBefore = this.#lab.loop.router.parking.count
    const before = this.#account()
    const fragmentsBefore = this.#counter(COUNT_FRAGMENTS)
    const errorsBefore = this.#counter(COUNT_ICMP_SENT)
    const sentBefore = this.#counts.sent
    let fed = 0
    for (let count = 1 + draw.below(BURST_PACKETS_MAX); count > 0; count--) {
      const packet = this.#packet()
      this.#lab.nic.feed(packet)
      fed += packet.segments ?? 1
    }
    this.#counts.fed += fed
    this.#settle()
    const after = this.#account()
    const parked = this.#lab.loop.router.parking.count - parkedBefore
    this.#counts.parked += Math.max(0, parked)
    // A packet that left in fragments is more than one that was sent, and only then.
    if (this.#counter(COUNT_FRAGMENTS) === fragmentsBefore) {
      const errors = this.#counter(COUNT_ICMP_SENT) - errorsBefore
      const sent = this.#counts.sent - sentBefore
      const ended = sent + after.ingress - before.ingress + after.dropped - before.dropped
      assert(fed + errors === ended + parked, `${String(fed)} packets were fed, ` +
        `${String(errors)} made, ${String(ended)} ended and ${String(parked)} wait`)
    }
    this.#control()
  }

  /** Runs until nothing moves. */
  #settle (): void {
    for (let turn = 0; turn < 3; turn++) {
      this.#lab.pass()
      for (const one of this.#lab.takeSent()) {
        assert(one.packet.length > 0, 'what is sent has bytes')
        if (one.outer === null) continue
        assert(one.outer.peer > 0 && one.outer.peer <= HOSTS, 'it is sent to a host')
        this.#counts.sent += this.#segmentsOf(one)
      }
    }
  }

  #segmentsOf ({ gsoType, gsoSize, packet }: Sent): number {
    if (gsoType === GSO_NONE) return 1
    const headerBytes = gsoType === GSO_TCPV4 ? HEADER_TCP_IPV4 : HEADER_TCP_IPV6
    return Math.ceil((packet.length - headerBytes) / gsoSize)
  }

  /** What control does meanwhile: answers, is late, changes tables; and time passes. */
  #control (): void {
    const { toWorker, fromWorker } = this.#lab
    for (const message of fromWorker.splice(0)) {
      if (message.kind !== 'resolve' || this.#draw.oneIn(3)) continue
      const eni = this.#draw.of(this.#vpc.enis)
      const entries = this.#draw.oneIn(3) ? new Uint32Array(0) : mappingEntries(eni)
      toWorker.push({ kind: 'resolved', key: message.key, entries })
    }
    if (this.#draw.oneIn(4)) this.#lab.nowMs += this.#draw.of([1, PARKED_MS + 1, 40_000])
    if (this.#draw.oneIn(10)) toWorker.push(this.#tables())
    // Packets that waited end here, outside the account of a burst.
    this.#settle()
  }

  #counter (which: number): number { return this.#lab.loop.router.counters.words[which] }

  #account (): Account {
    const { router } = this.#lab.loop
    router.counters.commit(this.#lab.nic.counters)
    let ingress = 0
    for (const { eni, host } of this.#vpc.enis) {
      if (host !== THIS_HOST) continue
      ingress += readTraffic(this.#lab.sharedCounters, eni).ingressPackets
    }
    const dropped = readDrops(this.#lab.sharedCounters)
      .reduce((sum, { packets }) => sum + packets, 0)
    return { ingress, dropped }
  }

  // ------------------------------------------------------------------------------------- packets

  #packet (): Fed {
    const draw = this.#draw
    const fromUnderlay = draw.oneIn(2)
    const local = draw.of(this.#vpc.enis.filter(({ host }) => host === THIS_HOST)).eni
    const other = draw.of(this.#vpc.enis).eni
    // Parked packets are counted as they came, not as they are on the wire: none of these waits.
    const maySend = !fromUnderlay && this.#vpc.mappingsComplete === true
    if (maySend && draw.oneIn(12)) return this.#superPacket(local, other)
    const [from, to] = fromUnderlay ? [other, local] : [local, other]
    const isCaptured = this.#captured.length > 0 && draw.oneIn(3)
    const inner = this.#mutated(
      isCaptured ? this.#capturedPacket(from, to) : ipPacket(this.#fields(from, to)))
    if (!fromUnderlay) return { nicPort: this.#lab.nicPort(local), packet: inner }
    const isForwarded = draw.oneIn(8)
    const host = draw.oneIn(10) ? 66 : isForwarded && !draw.oneIn(4) ? FORMER_HOST : 2
    const packet = vpcPacket({
      vni: draw.oneIn(20) ? draw.below(1000) : this.#vpc.vni,
      sourceEni: [ENI_HIGH, draw.oneIn(20) ? 99 : other],
      destinationEni: [ENI_HIGH, draw.oneIn(20) ? 99 : draw.oneIn(5) ? LEFT_ENI : local],
      ...isForwarded ? { forwardedFrom: hostAddress(draw.oneIn(10) ? 66 : 2) } : {}
    }, inner)
    return {
      nicPort: PORT_UNDERLAY,
      packet: draw.oneIn(3) ? this.#mutated(packet) : packet,
      source: addressWords(hostAddress(host)),
      outerTrafficClass: draw.below(4)
    }
  }

  #fields (from: number, to: number): PacketFields {
    const draw = this.#draw
    const isIpv6 = draw.oneIn(2)
    const addressOf = isIpv6 ? ipv6Of : ipv4Of
    const isOdd = draw.oneIn(8)
    const odd = draw.of(ADDRESSES.filter((address) => address.includes(':') === isIpv6))
    return {
      src: addressOf(from),
      dst: isOdd ? odd : addressOf(to),
      protocol: draw.of(PROTOCOLS),
      srcPort: draw.of([1, 2, 40_000]),
      dstPort: draw.of([1, 2, 80]),
      tcpFlags: draw.of([0x02, 0x10, 0x12, 0x11, 0x04, 0]),
      icmpType: draw.of([0, 3, 8, 11, 128, 129, 1, 2]),
      ttl: draw.of([64, 2, 1, 0]),
      payloadBytes: draw.of([0, 8, 100, 1400, 3000]),
      dontFragment: draw.oneIn(2),
      trafficClass: draw.below(4),
      ...draw.oneIn(4)
        ? { fragment: { offsetBytes: draw.of([0, 8, 1400, 65_528]), more: draw.oneIn(2) } }
        : {},
      identification: draw.below(3),
      extensions: Array.from({ length: draw.oneIn(3) ? 1 + draw.below(EXTENSIONS_MAX) : 0 },
        () => draw.of(EXTENSIONS))
    }
  }

  /** A packet of a capture, as if these two had exchanged it. */
  #capturedPacket (from: number, to: number): Uint8Array {
    const packet = this.#draw.of(this.#captured).slice()
    const isIpv6 = packet[0] >>> 4 === 6
    const [addressOf, sourceAt, destinationAt] = isIpv6
      ? [ipv6Of, IPV6_AT_SRC, IPV6_AT_DST] as const
      : [ipv4Of, IPV4_AT_SRC, IPV4_AT_DST] as const
    for (const [eni, at] of [[from, sourceAt], [to, destinationAt]] as const) {
      addressWords(addressOf(eni)).slice(isIpv6 ? 0 : 3).forEach((word, index) => {
        writeU32(packet, at + 4 * index, word)
      })
    }
    if (!isIpv6) ipv4WriteChecksum(packet, 0, (packet[0] & 15) * 4)
    return packet
  }

  /** A good one: the NIC hands over no other. Its type may still be the wrong one. */
  #superPacket (from: number, to: number): Fed {
    const draw = this.#draw
    const isIpv6 = draw.oneIn(2)
    const gsoSize = draw.of([1, 100, 1400])
    const payloadBytes = draw.of([1401, 3000, 9000])
    const addressOf = isIpv6 ? ipv6Of : ipv4Of
    return {
      nicPort: this.#lab.nicPort(from),
      packet: ipPacket({ src: addressOf(from), dst: addressOf(to), payloadBytes, ttl: 64 }),
      gsoType: isIpv6 !== draw.oneIn(10) ? GSO_TCPV6 : GSO_TCPV4,
      gsoSize,
      segments: Math.ceil(payloadBytes / gsoSize)
    }
  }

  #mutated (packet: Uint8Array): Uint8Array {
    const draw = this.#draw
    if (draw.oneIn(3)) return packet
    if (draw.oneIn(20)) return draw.bytes(draw.below(200))
    let mutated: Uint8Array = packet.slice()
    for (let times = 1 + draw.below(4); times > 0; times--) mutated = this.#mutation(mutated)
    const isWhole = mutated.length >= IPV4_HEADER_BYTES_MIN && mutated[0] >>> 4 === 4
    const headerBytes = (mutated[0] & 15) * 4
    // A right checksum lets what is broken come further.
    if (isWhole && headerBytes <= mutated.length && headerBytes >= IPV4_HEADER_BYTES_MIN) {
      if (!draw.oneIn(3)) ipv4WriteChecksum(mutated, 0, headerBytes)
    }
    return mutated
  }

  #mutation (packet: Uint8Array): Uint8Array {
    const draw = this.#draw
    const { length } = packet
    // Headers are where decisions are made.
    const at = length === 0 ? 0 : draw.below(draw.oneIn(4) ? length : Math.min(length, 80))
    switch (length < 2 ? 4 : draw.below(6)) {
      case 0: packet[at] ^= 1 << draw.below(8); return packet
      case 1: packet[at] = draw.of(EDGES) & 0xff; return packet
      case 2: writeU16(packet, Math.min(at, length - 2), draw.of(EDGES)); return packet
      case 3: return packet.slice(0, draw.below(length))
      case 4: return Uint8Array.from([...packet, ...draw.bytes(draw.below(64))])
      default: packet.copyWithin(at, draw.below(length), length); return packet
    }
  }
}

// --------------------------------------------------------------------------------------- network

function drawVpc (draw: Draw): VpcSpec {
  const enis = Array.from({ length: ENIS }, (_none, position): EniSpec => {
    const eni = position + 1
    return {
      eni,
      subnet: subnetOf(eni),
      // Both hosts have some, whatever is drawn.
      host: eni <= HOSTS ? eni : 1 + draw.below(HOSTS),
      addresses: [ipv4Of(eni), ipv6Of(eni)],
      sourceDestCheck: !draw.oneIn(3),
      ...draw.oneIn(2) ? {} : { groups: [1 + draw.below(POLICIES)] }
    }
  })
  return {
    vpc: 1,
    vni: 100,
    mappingsComplete: draw.oneIn(2),
    subnets: Array.from({ length: SUBNETS }, (_none, position) => ({
      subnet: position + 1,
      cidrs: [`10.0.${String(position + 1)}.0/24`, `2001:db8:0:${String(position + 1)}::/64`],
      routers: { ipv4: `10.0.${String(position + 1)}.1` },
      ...draw.oneIn(2) ? {} : { networkAcl: 1 + draw.below(POLICIES) },
      routes: [
        { to: '10.0.0.0/16', target: 'local' as const },
        { to: '2001:db8::/56', target: 'local' as const },
        ...drawRoutes(draw)
      ]
    })),
    enis,
    groups: drawPolicies(draw, false),
    networkAcls: drawPolicies(draw, true)
  }
}

function drawRoutes (draw: Draw): RouteSpec[] {
  const to = ['0.0.0.0/0', '198.51.100.0/24', '::/0'].filter(() => draw.oneIn(2))
  return to.map((block) => ({
    to: block, target: draw.oneIn(3) ? 'blackhole' as const : { eni: 1 + draw.below(ENIS) }
  }))
}

function drawPolicies (draw: Draw, isAcl: boolean): PolicySpec[] {
  const rules = (): RuleSpec[] => Array.from({ length: draw.below(4) }, (): RuleSpec => ({
    ...draw.oneIn(2) ? {} : { protocol: draw.of([PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMP]) },
    peer: isAcl || draw.oneIn(2)
      ? draw.of(['0.0.0.0/0', '::/0', '10.0.1.0/24'])
      : { group: 1 + draw.below(POLICIES) },
    deny: isAcl && draw.oneIn(3)
  }))
  return Array.from({ length: POLICIES }, (_none, position) => (
    { index: position + 1, inbound: rules(), outbound: rules() }))
}
