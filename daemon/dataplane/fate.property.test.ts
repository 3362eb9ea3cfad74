/**
 * Random networks, random packets, on three hosts joined by an underlay in memory:
 *
 *     lab of host 1 ─┐
 *     lab of host 2 ─┼─ what one sends to a peer arrives at the other, from its outer address
 *     lab of host 3 ─┘
 *
 * VPCs have equal CIDRs; subnets have routes to ENIs, blackholes and `local`; some ENIs have their
 * check off; groups and ACLs let some of it through. Between packets, tables change, and forged
 * headers arrive. Two networks get the same events, one with the flow cache and one without.
 *
 *     1  every packet has the same fate in both: same bytes out, same drops
 *     2  no packet is delivered to an ENI of another VPC than its sender's
 *
 * A failure prints its seed and path; put them into SEED to see it again.
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import fc from 'fast-check'
import { GSO_TCPV4, GSO_NONE, PORT_UNDERLAY } from '../tun/descriptor.ts'
import { addressWords, isIpv4Words } from '../wire/address.ts'
import {
  PROTOCOL_DESTINATION_OPTIONS, PROTOCOL_ESP, PROTOCOL_HOP_BY_HOP, PROTOCOL_ICMP, PROTOCOL_ICMPV6,
  PROTOCOL_TCP, PROTOCOL_UDP
} from '../wire/ip_protocol.ts'
import { COUNT_FAST_PATH } from './counters.ts'
import { RULE_ANY } from './tables/update.ts'
import { buildTables, hostAddress, Lab } from './testing/lab.ts'
import type { EniSpec, PolicySpec, RouteSpec, RuleSpec, VpcSpec } from './testing/lab.ts'
import type { Sent } from './testing/memory_nic.ts'
import { ipPacket } from './testing/packets.ts'

const SEED = 20_261
const RUNS = 80
const HOSTS = 3
const VPCS = 2
const SUBNETS = 2
const ENIS = 4
const PATH_MTU = 1440
const SRC_PORT = 1
const DST_PORT = 2

/** Index of subnet `subnet` of VPC `vpc`; ENI numbers likewise count through all VPCs. */
const subnetOf = (vpc: number, subnet: number): number => vpc * 10 + subnet
const eniOf = (vpc: number, eni: number): number => vpc * 10 + eni
const ipv4Of = (subnet: number, eni: number): string => `10.0.${String(subnet)}.${String(10 + eni)}`
const ipv6Of =
  (subnet: number, eni: number): string => `2001:db8:0:${String(subnet)}::${String(10 + eni)}`

const ECHO_TYPES = {
  [PROTOCOL_ICMP]: { request: 8, reply: 0, error: 3 },
  [PROTOCOL_ICMPV6]: { request: 128, reply: 129, error: 1 }
} as const

/** Groups of a VPC, ACLs of a VPC, and rules of each, at most. */
const POLICIES = 2

interface EniDraw {
  readonly subnet: number
  readonly host: number
  readonly check: boolean
  /** Empty: open both ways. */
  readonly groups: readonly number[]
}
interface RuleDraw {
  readonly protocol: number | null
  readonly port: number | null
  readonly icmpType: 'request' | 'reply' | null
  readonly peer: string | number
  readonly deny: boolean
}
interface PolicyDraw {
  readonly inbound: readonly RuleDraw[]
  readonly outbound: readonly RuleDraw[]
}
interface RouteDraw { readonly to: string, readonly target: 'local' | 'blackhole' | number }
type NetworkDraw = readonly {
  readonly enis: readonly EniDraw[]
  readonly routes: readonly (readonly RouteDraw[])[]
  readonly groups: readonly PolicyDraw[]
  readonly acls: readonly PolicyDraw[]
  /** Of each subnet; 0: open. */
  readonly aclOf: readonly number[]
}[]

const eniDraw = fc.record({
  subnet: fc.integer({ min: 1, max: SUBNETS }), host: fc.integer({ min: 1, max: HOSTS }),
  check: fc.boolean(),
  groups: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, {
    weight: 1,
    arbitrary: fc.uniqueArray(fc.integer({ min: 1, max: POLICIES }),
      { maxLength: POLICIES })
  })
})
const ruleDraw: fc.Arbitrary<RuleDraw> = fc.record({
  protocol: fc.constantFrom(null, null, PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMP, PROTOCOL_ICMPV6),
  port: fc.constantFrom(null, null, SRC_PORT, DST_PORT),
  /** Of ICMP in the place of a port; null: every one. */
  icmpType: fc.constantFrom(null, null, 'request' as const, 'reply' as const),
  peer: fc.oneof(fc.integer({ min: 1, max: POLICIES }),
    fc.constantFrom('0.0.0.0/0', '0.0.0.0/0', '::/0', '::/0', '10.0.1.0/24',
      '2001:db8:0:2::/64', '10.0.2.12/32', '2001:db8:0:1::11/128')),
  deny: fc.boolean()
})
const policyDraw: fc.Arbitrary<PolicyDraw> = fc.record({
  inbound: fc.array(ruleDraw, { maxLength: 3 }), outbound: fc.array(ruleDraw, { maxLength: 3 })
})
const policiesDraw = fc.array(policyDraw, { minLength: POLICIES, maxLength: POLICIES })
const routeDraw = fc.record({
  to: fc.constantFrom('0.0.0.0/0', '10.0.2.0/24', '10.0.1.0/24', '198.51.100.0/24',
    '198.51.100.64/26', '::/0',
    '2001:db8:0:2::/64', '2001:db8:ffff::/48'),
  target: fc.oneof(fc.constantFrom('blackhole' as const, 'local' as const), fc.nat(ENIS))
})
const networkDraw: fc.Arbitrary<NetworkDraw> = fc.array(fc.record({
  enis: fc.array(eniDraw, { minLength: ENIS, maxLength: ENIS }),
  routes: fc.array(fc.array(routeDraw, { maxLength: 4 }),
    { minLength: SUBNETS, maxLength: SUBNETS }),
  groups: policiesDraw,
  acls: policiesDraw,
  aclOf: fc.array(fc.constantFrom(0, 0, 0, 1, 2), { minLength: SUBNETS, maxLength: SUBNETS })
}), { minLength: VPCS, maxLength: VPCS })

/** Who speaks to whom: few in a run, so that packets meet the flow entries of earlier ones. */
const talkDraw = fc.record({
  vpc: fc.integer({ min: 1, max: VPCS }),
  eni: fc.integer({ min: 1, max: ENIS }),
  ipv6: fc.boolean(),
  /** 0: the sender's own; otherwise that ENI's. */
  srcEni: fc.oneof({ weight: 9, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: ENIS }) }),
  dst: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: ENIS }) }, {
    weight: 1,
    arbitrary: fc.constantFrom('198.51.100.7', '198.51.100.70', '10.0.1.255', '224.0.0.1',
      '2001:db8:ffff::1', '2001:db8:0:1::99', '169.254.1.1')
  }),
  /** The other side of a conversation that may be there. */
  answers: fc.boolean(),
  protocol: fc.constantFrom(PROTOCOL_TCP, PROTOCOL_TCP, PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMP,
    PROTOCOL_ESP)
})
/** What one packet of a conversation is like; mostly plain. */
const mostly = <T>(plain: T, ...others: readonly T[]): fc.Arbitrary<T> => fc.oneof(
  { weight: 3, arbitrary: fc.constant(plain) },
  { weight: 1, arbitrary: fc.constantFrom(...others) })
const packetDraw = fc.record({
  talk: fc.nat(),
  tcpFlags: mostly(0x10, 0x02, 0x12, 0x11, 0x04),
  icmpType: mostly<'request' | 'reply' | 'error'>('request', 'reply', 'error'),
  extensions: mostly<readonly number[]>([], [PROTOCOL_HOP_BY_HOP], [PROTOCOL_DESTINATION_OPTIONS],
    [PROTOCOL_HOP_BY_HOP, PROTOCOL_DESTINATION_OPTIONS]),
  ttl: mostly(64, 2, 1),
  payloadBytes: mostly(100, 0, 1392, 1400, 1401, 3000),
  dontFragment: fc.boolean(),
  isFragment: mostly(false, true),
  isLater: fc.boolean(),
  isSuper: fc.boolean(),
  trafficClass: mostly(2, 0, 1, 3),
  outerMark: mostly(0, 3, 1)
})
const eventDraw = fc.oneof(
  { weight: 20, arbitrary: packetDraw.map((packet) => ({ kind: 'packet' as const, packet })) },
  { weight: 1, arbitrary: networkDraw.map((network) => ({ kind: 'tables' as const, network })) },
  { weight: 1, arbitrary: fc.constant({ kind: 'time' as const }) },
  { weight: 4, arbitrary: fc.nat().map((talk) => ({ kind: 'forged' as const, talk })) }
)

/** Index of a group or an ACL of a VPC; a peer that is a number is a group. */
const policyOf = (vpc: number, policy: number): number => vpc * 10 + policy

function rulesOf (vpc: number, rules: readonly RuleDraw[], isAcl: boolean): RuleSpec[] {
  return rules.map(({ protocol, port, icmpType, peer, deny }) => ({
    ...protocol === null ? {} : { protocol },
    ...protocol === PROTOCOL_ICMP || protocol === PROTOCOL_ICMPV6
      ? icmpType === null ? {} : { from: ECHO_TYPES[protocol][icmpType], to: RULE_ANY }
      : protocol === null || port === null ? {} : { from: port },
    peer: typeof peer === 'string' ? peer
      : isAcl ? (peer === 1 ? '0.0.0.0/0' : '::/0') : { group: policyOf(vpc, peer) },
    deny: isAcl && deny
  }))
}

function policiesOf (vpc: number, policies: readonly PolicyDraw[], isAcl: boolean): PolicySpec[] {
  return policies.map(({ inbound, outbound }, position) => ({
    index: policyOf(vpc, position + 1),
    inbound: rulesOf(vpc, inbound, isAcl),
    outbound: rulesOf(vpc, outbound, isAcl)
  }))
}

function networkOf (draw: NetworkDraw): VpcSpec[] {
  return draw.map((one, index) => {
    const vpc = index + 1
    const enis: EniSpec[] = one.enis.map((eni, position) => ({
      eni: eniOf(vpc, position + 1),
      subnet: subnetOf(vpc, eni.subnet),
      host: eni.host,
      addresses: [ipv4Of(eni.subnet, position + 1), ipv6Of(eni.subnet, position + 1)],
      sourceDestCheck: eni.check,
      ...eni.groups.length === 0 ? {}
        : { groups: eni.groups.map((group) => policyOf(vpc, group)) }
    }))
    const targetOf = (target: RouteDraw['target']): RouteSpec['target'] => (
      typeof target === 'number' ? { eni: eniOf(vpc, target) } : target)
    return {
      vpc,
      vni: vpc * 100,
      subnets: one.routes.map((routes, position) => ({
        subnet: subnetOf(vpc, position + 1),
        cidrs: [`10.0.${String(position + 1)}.0/24`, `2001:db8:0:${String(position + 1)}::/64`],
        routers: { ipv4: `10.0.${String(position + 1)}.1`,
          ipv6: `2001:db8:0:${String(position + 1)}::1` },
        ...one.aclOf[position] === 0 ? {} : { networkAcl: policyOf(vpc, one.aclOf[position]) },
        routes: [
          { to: '10.0.0.0/16', target: 'local' as const },
          { to: '2001:db8::/56', target: 'local' as const },
          ...routes.map(({ to, target }) => ({ to, target: targetOf(target) }))
        ]
      })),
      enis,
      groups: policiesOf(vpc, one.groups, false),
      networkAcls: policiesOf(vpc, one.acls, true)
    }
  })
}

/** Everything that a network did in answer to one event. */
interface Outcome {
  readonly sent: readonly (readonly [number, Sent])[]
  readonly drops: readonly Record<string, number>[]
}

class Network {
  readonly labs: Lab[]
  #specs: VpcSpec[] = []
  #revision = 0

  constructor (cacheFlows: boolean) {
    this.labs = Array.from({ length: HOSTS }, (_lab, index) => (
      new Lab({ host: index + 1, pathMtu: PATH_MTU, flowCapacity: 64 })))
    for (const lab of this.labs) lab.loop.router.cacheFlows = cacheFlows
  }

  apply (specs: VpcSpec[]): void {
    this.#specs = specs
    this.#revision++
    this.labs.forEach((lab, index) => {
      const update = buildTables(specs, HOSTS, this.#revision, index + 1)
      const here = new Set((update.ports ?? []).map(({ portIndex }) => portIndex))
      const gone: number[] = []
      for (let port = 1; port <= lab.loop.tables.ports.indexMax; port++) {
        if (lab.loop.tables.ports.present[port] !== 0 && !here.has(port)) gone.push(port)
      }
      for (const portIndex of gone) lab.toWorker.push({ kind: 'close-port', portIndex })
      lab.apply({ ...update, removedPorts: gone })
    })
  }

  hostOf (eni: number): number {
    return this.#specs.flatMap(({ enis }) => enis).find((one) => one.eni === eni)?.host ?? 1
  }

  /** Runs until nothing moves; what goes to a peer arrives there. */
  settle (outerMark: number): Outcome {
    const sent: (readonly [number, Sent])[] = []
    for (let turn = 0; turn < 4; turn++) {
      this.labs.forEach((lab, index) => {
        lab.pass()
        for (const one of lab.takeSent()) {
          sent.push([index + 1, one])
          if (one.outer === null) continue
          this.labs[one.outer.peer - 1].nic.feed({
            nicPort: PORT_UNDERLAY,
            packet: Uint8Array.from([...one.outer.header, ...one.packet]),
            source: addressWords(hostAddress(index + 1)),
            gsoType: one.gsoType,
            gsoSize: one.gsoSize,
            outerTrafficClass: outerMark === 0 ? one.outer.trafficClass : outerMark
          })
        }
      })
    }
    return { sent, drops: this.labs.map((lab) => lab.drops()) }
  }

  /** VPC of the ENI whose device got a packet; the labs give devices numbers of their own. */
  vpcOfDelivery (host: number, nicPort: number): number {
    const port = this.labs[host - 1].loop.tables.ports.portOfNic[nicPort]
    return Math.floor(port / 10)
  }
}

type TalkDraw = typeof talkDraw extends fc.Arbitrary<infer T> ? T : never
type PacketDraw = typeof packetDraw extends fc.Arbitrary<infer T> ? T : never

function packetOf (talk: TalkDraw, draw: PacketDraw, specs: readonly VpcSpec[]): Uint8Array {
  const addressOf = (eni: number): string => (
    specs[talk.vpc - 1].enis[eni - 1].addresses[talk.ipv6 ? 1 : 0])
  let dst = typeof talk.dst === 'number' ? addressOf(talk.dst) : talk.dst
  const words = addressWords(dst)
  // A destination of the other family: take an ENI's address instead.
  if (isIpv4Words(words[0], words[1], words[2]) === talk.ipv6) dst = addressOf(1)
  const icmp = talk.ipv6 ? PROTOCOL_ICMPV6 : PROTOCOL_ICMP
  return ipPacket({
    src: addressOf(talk.srcEni === 0 ? talk.eni : talk.srcEni),
    dst,
    protocol: talk.protocol === PROTOCOL_ICMP ? icmp : talk.protocol,
    ...talk.answers
      ? { srcPort: DST_PORT, dstPort: SRC_PORT }
      : { srcPort: SRC_PORT, dstPort: DST_PORT },
    tcpFlags: draw.tcpFlags,
    icmpType: ECHO_TYPES[icmp][talk.answers && draw.icmpType === 'request' ? 'reply'
      : draw.icmpType],
    extensions: draw.extensions,
    ttl: draw.ttl,
    payloadBytes: draw.isFragment ? 800 : draw.payloadBytes,
    dontFragment: draw.dontFragment,
    trafficClass: draw.trafficClass,
    ...(draw.isFragment ? { fragment: { offsetBytes: draw.isLater ? 800 : 0, more: true } } : {})
  })
}

/** @returns the VPC header with which the packet last crossed the underlay, if it did */
function runPacket (
  t: ExecutionContext, networks: readonly Network[], talk: TalkDraw, draw: PacketDraw,
  specs: VpcSpec[]
): { readonly peer: number, readonly bytes: Uint8Array } | null {
  const packet = packetOf(talk, draw, specs)
  const eni = eniOf(talk.vpc, talk.eni)
  const isSuper = draw.isSuper && talk.protocol === PROTOCOL_TCP && !talk.ipv6 &&
    draw.payloadBytes > 2000 && !draw.isFragment
  const outcomes = networks.map((network) => {
    const lab = network.labs[network.hostOf(eni) - 1]
    lab.nic.feed({
      nicPort: lab.nicPort(eni),
      packet: packet.slice(),
      gsoType: isSuper ? GSO_TCPV4 : GSO_NONE,
      gsoSize: isSuper ? 1400 : 0
    })
    return network.settle(draw.outerMark)
  })
  t.deepEqual(outcomes[0], outcomes[1])
  let crossed: { readonly peer: number, readonly bytes: Uint8Array } | null = null
  for (const [host, sent] of outcomes[0].sent) {
    if (sent.outer !== null) {
      crossed = { peer: sent.outer.peer,
        bytes: Uint8Array.from([...sent.outer.header, ...sent.packet]) }
    } else {
      t.is(networks[0].vpcOfDelivery(host, sent.nicPort), talk.vpc, 'delivered into another VPC')
    }
  }
  return crossed
}

/** Sends again, from an address that is no host's, what has just crossed the underlay. */
function runForged (
  t: ExecutionContext, networks: readonly Network[], peer: number, packet: Uint8Array
): void {
  const outcomes = networks.map((network) => {
    network.labs[peer - 1].nic.feed({
      nicPort: PORT_UNDERLAY, packet, source: addressWords('192.0.2.66')
    })
    return network.settle(0)
  })
  t.deepEqual(outcomes[0], outcomes[1])
  t.deepEqual(outcomes[0].sent, [], 'a forged packet was delivered')
}

const PLAIN: PacketDraw = {
  talk: 0, tcpFlags: 0x10, icmpType: 'request', extensions: [], ttl: 64, payloadBytes: 100,
  dontFragment: true, isFragment: false,
  isLater: false, isSuper: false, trafficClass: 0, outerMark: 0
}

test('every packet has the same fate with the flow cache and without, and stays in its VPC',
  (t) => {
  let fastPackets = 0
  const talksDraw = fc.array(talkDraw, { minLength: 1, maxLength: 5 })
  const eventsDraw = fc.array(eventDraw, { minLength: 20, maxLength: 80 })
  fc.assert(fc.property(networkDraw, talksDraw, eventsDraw, (first, talks, events) => {
    const networks = [new Network(true), new Network(false)]
    let specs = networkOf(first)
    for (const network of networks) network.apply(specs)
    for (const event of events) {
      if (event.kind === 'packet') {
        runPacket(t, networks, talks[event.packet.talk % talks.length], event.packet, specs)
      } else if (event.kind === 'forged') {
        const crossed = runPacket(t, networks, talks[event.talk % talks.length], PLAIN, specs)
        if (crossed !== null) runForged(t, networks, crossed.peer, crossed.bytes)
      } else if (event.kind === 'tables') {
        specs = networkOf(event.network)
        for (const network of networks) network.apply(specs)
      } else {
        for (const network of networks) for (const lab of network.labs) lab.nowMs += 40_000
      }
    }
    fastPackets += networks[0].labs.reduce((sum, lab) => (
      sum + lab.loop.router.counters.words[COUNT_FAST_PATH]), 0)
    const [cached, uncached] = networks.map(({ labs }) => labs.map((lab) => lab.flows.live))
    t.deepEqual(cached, uncached, 'both keep the same connections')
  }), { seed: SEED, numRuns: RUNS })
  t.true(fastPackets > RUNS * 10, `only ${String(fastPackets)} packets took the fast path`)
})
