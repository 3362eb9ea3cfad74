/**
 * Random networks of records, random packets: what the explainer says of a packet is what becomes
 * of it in whole workers, with the flow cache and without, and nothing is changed by asking.
 *
 *     records ─▶ explainer: trace, reach
 *        └─────▶ compile ─▶ workers of two hosts, fast path on
 *        └─────▶ compile ─▶ workers of two hosts, slow path alone
 *
 * A failure prints its seed and path; put them into SEED to see it again.
 */
import test from 'ava'
import fc from 'fast-check'
import {
  attached, newHost, newInstance, newInterface, newNetworkAcl, newPeering, newRouteTable,
  newSecurityGroup,
  newSubnet, newVpc, World
} from '../compile/test_world.ts'
import { Directory } from '../mapping/directory.ts'
import type { NetworkAclEntry } from '../model/network_acl.ts'
import type { Route } from '../model/route_table.ts'
import type { SecurityGroupRule } from '../model/security_group.ts'
import type { Vpc } from '../model/vpc.ts'
import { PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ip_protocol.ts'
import { Explainer } from './explainer.ts'
import { answerTo, openingPacket } from './made_packet.ts'
import type { PacketFields } from './made_packet.ts'
import { SimulatedHosts, TEST_CLOCK } from './testing/simulated_hosts.ts'

const SEED = 20_262
/** Of the conversations: one under which every verdict is met. */
const REACH_SEED = 20_263
const RUNS = 60
const HOSTS = 2
const SUBNETS = 2
const GROUPS = 2
const ENIS = 4
const PORTS = [80, 443] as const
const CLIENT = 40_000

const blockDraw = fc.constantFrom('0.0.0.0/0', '0.0.0.0/0', '10.0.0.0/16', '10.0.1.0/24',
  '10.0.2.0/24', '10.0.2.12/32', '::/0', '::/0', '2001:db8::/56', '2001:db8:0:1::/64',
  '2001:db8:0:2::12/128')
const protocolDraw = fc.constantFrom('-1', '-1', 'tcp', 'udp', 'icmp', 'icmpv6')
const ruleDraw = fc.record({
  isEgress: fc.boolean(), protocol: protocolDraw, port: fc.constantFrom(null, null, ...PORTS),
  peer: fc.oneof(blockDraw, fc.integer({ min: 1, max: GROUPS }))
})
const entryDraw = fc.record({
  isEgress: fc.boolean(), protocol: protocolDraw, port: fc.constantFrom(null, null, ...PORTS),
  block: blockDraw, allow: fc.boolean()
})
const EVERYTHING = ['0.0.0.0/0', '::/0'] as const
const OPEN_RULES = [true, false].flatMap((isEgress) => EVERYTHING.map((peer) =>
  ({ isEgress, protocol: '-1', port: null, peer })))
const networkDraw = fc.record({
  groups: fc.array(
    fc.oneof(fc.constant(OPEN_RULES), fc.array(ruleDraw, { minLength: 1, maxLength: 5 })),
    { minLength: GROUPS, maxLength: GROUPS }),
  /** Of each subnet; null: everything. */
  acls: fc.array(fc.option(fc.array(entryDraw, { minLength: 1, maxLength: 5 }), { freq: 2 }),
    { minLength: SUBNETS, maxLength: SUBNETS }),
  /** Whether the second subnet is in a VPC of its own, which is peered with the first. */
  isPeered: fc.nat(2).map((draw) => draw === 0),
  /** ENI, or the peering, that 198.51.100.0/24 and, now and then, the other subnet lead to. */
  routes: fc.array(fc.record({
    outside: fc.constantFrom(null, null, 0, 1, 2, ENIS, ENIS, 'peer' as const, 'peer' as const),
    inside: fc.constantFrom(null, null, null, null, 0, 1, ENIS)
  }), { minLength: SUBNETS, maxLength: SUBNETS }),
  enis: fc.array(fc.record({
    subnet: fc.integer({ min: 1, max: SUBNETS }), host: fc.integer({ min: 1, max: HOSTS }),
    groups: fc.uniqueArray(fc.integer({ min: 1, max: GROUPS }), { minLength: 1, maxLength: 2 }),
    check: fc.boolean(), runs: fc.constantFrom(true, true, true, false)
  }), { minLength: ENIS, maxLength: ENIS })
})
type NetworkDraw = typeof networkDraw extends fc.Arbitrary<infer T> ? T : never

const talkDraw = fc.record({
  from: fc.nat(ENIS - 1),
  to: fc.oneof({ weight: 3, arbitrary: fc.nat(ENIS - 1) }, {
    weight: 2,
    arbitrary: fc.constantFrom('198.51.100.9', '198.51.100.9', '10.0.1.99', '10.0.2.255',
      '224.0.0.5', '169.254.7.7', '192.0.2.1', '2001:db8:ffff::9',
      '2001:db8:ffff::9', '2001:db8:0:1::99',
      'ff02::5', 'fe80::7', '2001:db8:eeee::1')
  }),
  isIpv6: fc.boolean(),
  protocol: fc.constantFrom(PROTOCOL_TCP, PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMP),
  port: fc.constantFrom(...PORTS)
})
const packetDraw = fc.record({
  talk: fc.nat(), answers: fc.boolean(), tcpFlags: fc.constantFrom(2, 2, 16, 17, 4),
  ttl: fc.constantFrom(64, 64, 64, 2, 1), bytes: fc.constantFrom(0, 0, 1400, 9001, 9002),
  dontFragment: fc.constantFrom(true, true, false), isSpoofed: fc.nat(5).map((draw) => draw === 0)
})

const ADDRESS_BASE = 10

/**
 * Records of the network; addresses of ENI n are 10.0.<subnet>.<10 + n> and
 * 2001:db8:0:<subnet>::<10 + n>.
 */
function worldOf (draw: NetworkDraw): { readonly world: World, readonly enis: readonly string[] } {
  const world = new World()
  for (let host = 1; host <= HOSTS; host++) world.put('host', newHost(host))
  const vpcs = putVpcs(world, draw)
  const subnets = draw.acls.map((_acl, index) =>
    world.put('subnet', newSubnet(index + 1, vpcs[index]!.id)))
  // Each VPC has its groups; rules name those of the first one, across the peering if there is one.
  const named = draw.groups.map((_rules, index) => newSecurityGroup(index + 1, vpcs[0]!.id))
  const groupsOf = vpcs.map((vpc, at) => vpc.id === vpcs[0]!.id
    ? named
    : draw.groups.map((_rules, index) => newSecurityGroup(10 * at + index + 1, vpc.id)))
  for (const [at, groups] of groupsOf.entries()) {
    draw.groups.forEach((rules, index) => {
      world.put('securityGroup', { ...groups[index]!, rules: rules.map((rule, place) =>
        groupRule(100 * at + index * 10 + place + 1, rule, named.map(({ id }) => id))) })
    })
  }
  for (const [at, vpc] of vpcs.entries()) {
    world.put('networkAcl', { ...newNetworkAcl(9 - at, vpc.id, true),
      entries: [false, true].flatMap((isEgress) => EVERYTHING.map((block, place) =>
        aclEntry(100 + place, { isEgress, protocol: '-1', port: null, block, allow: true }))) })
  }
  draw.acls.forEach((entries, index) => {
    if (entries === null) return
    world.put('networkAcl', {
      ...newNetworkAcl(index + 1, vpcs[index]!.id, false),
      entries: entries.map((entry, place) => aclEntry((place + 1) * 10, entry)),
      associations: [{ id: `aclassoc-${String(index)}`, subnetId: subnets[index]!.id }]
    })
  })
  const enis = draw.enis.map((eni, index) => {
    const subnet = subnets[eni.subnet - 1]!
    const instance = newInstance(index + 1, subnet, eni.runs ? `host-${String(eni.host)}` : null)
    world.put('instance', eni.runs ? instance : { ...instance, goal: 'stopped', state: 'stopped' })
    const record = newInterface(index + 1, subnet, addressOf(draw, index, false))
    return world.put('networkInterface', { ...attached(record, instance.id),
      ipv6Addresses: [addressOf(draw, index, true)],
      groupIds: eni.groups.map((group) => groupsOf[eni.subnet - 1]![group - 1]!.id),
      sourceDestCheck: eni.check }).id
  })
  draw.routes.forEach(({ outside, inside }, index) => {
    const table = newRouteTable(index + 1, vpcs[index]!.id)
    const other = `10.0.${String(2 - index)}.0/24`
    const otherIpv6 = `2001:db8:0:${String(2 - index)}::/64`
    const toOther = draw.isPeered ? inside ?? 'peer' : inside
    const extra = [['198.51.100.0/24', outside], ['2001:db8:ffff::/48', outside],
      [other, toOther], [otherIpv6, toOther]] as const
    world.put('routeTable', {
      ...table,
      associations: [
        { id: `rtbassoc-${String(index)}`, subnetId: subnets[index]!.id, gatewayId: null }],
      routes: [...table.routes, { destination: '2001:db8::/56', target: { kind: 'local' },
        origin: 'CreateRouteTable' }, ...extra.flatMap(([destination, target]) =>
        target === null ? [] : [target === 'peer'
          ? routeToPeer(destination)
          : routeTo(destination, enis[target])])]
    })
  })
  world.commit()
  return { world, enis }
}

/** The VPC of each subnet: one for both, or two that are peered. */
function putVpcs (world: World, { isPeered }: NetworkDraw): Vpc[] {
  if (!isPeered) {
    const vpc = world.put('vpc', newVpc(1))
    return [vpc, vpc]
  }
  const vpcs = [1, 2].map((n) => world.put('vpc', {
    ...newVpc(n),
    cidrBlocks: [{ associationId: '', cidrBlock: `10.0.${String(n)}.0/24` }]
  }))
  world.put('vpcPeeringConnection', newPeering(PEERING, vpcs[0]!.id, vpcs[1]!.id, 'active'))
  return vpcs
}

/** Its number; a blackhole without such a peering. */
const PEERING = 1

function routeToPeer (destination: string): Route {
  const vpcPeeringConnectionId = newPeering(PEERING, '', '', 'active').id
  return { destination, origin: 'CreateRoute',
    target: { kind: 'vpc-peering-connection', vpcPeeringConnectionId } }
}

/** A route to an ENI, or to one that is gone. */
function routeTo (destination: string, eni = 'eni-0ffffffffffffffff'): Route {
  return { destination, origin: 'CreateRoute',
    target: { kind: 'network-interface', networkInterfaceId: eni } }
}

function addressOf (draw: NetworkDraw, eni: number, isIpv6: boolean): string {
  const subnet = String(draw.enis[eni]!.subnet)
  const last = String(ADDRESS_BASE + eni + 1)
  return isIpv6 ? `2001:db8:0:${subnet}::${last}` : `10.0.${subnet}.${last}`
}

const isIpv6Text = (text: string): boolean => text.includes(':')

type RuleDraw = NetworkDraw['groups'][number][number]

function groupRule (n: number, rule: RuleDraw, groups: readonly string[]): SecurityGroupRule {
  const hasPort = rule.port !== null && (rule.protocol === 'tcp' || rule.protocol === 'udp')
  const all = rule.protocol.startsWith('icmp') ? -1 : rule.protocol === '-1' ? null : 0
  return {
    id: `sgr-${String(n)}`, isEgress: rule.isEgress, ipProtocol: rule.protocol,
    fromPort: hasPort ? rule.port : all,
    toPort: hasPort ? rule.port : all === 0 ? 65_535 : all,
    cidrIpv4: typeof rule.peer === 'string' && !isIpv6Text(rule.peer) ? rule.peer : null,
    cidrIpv6: typeof rule.peer === 'string' && isIpv6Text(rule.peer) ? rule.peer : null,
    referencedGroupId: typeof rule.peer === 'string' ? null : groups[rule.peer - 1]!,
    description: '', tags: {}
  } as SecurityGroupRule
}

const PROTOCOL_NUMBERS: Readonly<Record<string, number>> =
  { '-1': -1, tcp: 6, udp: 17, icmp: 1, icmpv6: 58 }

function aclEntry (
  ruleNumber: number, entry: NonNullable<NetworkDraw['acls'][number]>[number]
): NetworkAclEntry {
  const hasPort = entry.port !== null && (entry.protocol === 'tcp' || entry.protocol === 'udp')
  const isAll = entry.protocol === 'tcp' || entry.protocol === 'udp'
  return {
    ruleNumber, isEgress: entry.isEgress, action: entry.allow ? 'allow' : 'deny',
    protocol: PROTOCOL_NUMBERS[entry.protocol]!,
    cidrBlock: isIpv6Text(entry.block) ? null : entry.block,
    ipv6CidrBlock: isIpv6Text(entry.block) ? entry.block : null,
    icmpType: entry.protocol.startsWith('icmp') ? -1 : null,
    icmpCode: entry.protocol.startsWith('icmp') ? -1 : null,
    portFrom: hasPort ? entry.port : isAll ? 0 : null,
    portTo: hasPort ? entry.port : isAll ? 65_535 : null
  }
}

type TalkDraw = typeof talkDraw extends fc.Arbitrary<infer T> ? T : never

function openingOf (network: NetworkDraw, talk: TalkDraw): PacketFields {
  const isIpv6 = typeof talk.to === 'string' ? isIpv6Text(talk.to) : talk.isIpv6
  return openingPacket({
    source: addressOf(network, talk.from, isIpv6),
    destination: typeof talk.to === 'string' ? talk.to : addressOf(network, talk.to, isIpv6),
    protocol: talk.protocol, sourcePort: talk.protocol === PROTOCOL_ICMP ? 0 : CLIENT,
    destinationPort: talk.protocol === PROTOCOL_ICMP ? 0 : talk.port
  })
}

test('a trace is what becomes of the packet, on the fast path and on the slow one', (t) => {
  const seen = new Set<string>()
  fc.assert(fc.property(networkDraw, fc.array(talkDraw, { minLength: 1, maxLength: 4 }),
    fc.array(packetDraw, { minLength: 10, maxLength: 40 }), (network, talks, packets) => {
      const { world, enis } = worldOf(network)
      const { snapshot } = world
      const directory = new Directory(snapshot)
      const networks = [true, false].map((cache) => new SimulatedHosts(snapshot, directory, cache))
      const explainers = networks.map(({ live }) =>
        new Explainer({ snapshot, directory, clock: TEST_CLOCK, live }))
      for (const draw of packets) {
        const talk = talks[draw.talk % talks.length]!
        const opening = openingOf(network, talk)
        const answers = draw.answers && typeof talk.to === 'number'
        const from = answers ? talk.to as number : talk.from
        const packet: PacketFields = {
          ...answers ? answerTo(opening) : opening,
          ...opening.protocol === PROTOCOL_TCP ? { tcpFlags: draw.tcpFlags } : {},
          ...draw.isSpoofed
            ? { source: isIpv6Text(opening.source) ? '2001:db8:0:1::77' : '10.0.1.77' } : {},
          ttl: draw.ttl, bytes: draw.bytes, dontFragment: draw.dontFragment
        }
        for (const [index, hosts] of networks.entries()) {
          const flows = hosts.flows
          const walk = explainers[index]!.trace(enis[from]!, packet)
          t.is(hosts.flows, flows, 'asking changed something')
          const fate = hosts.send(enis[from]!, packet)
          if (walk === null) {
            t.false(network.enis[from]!.runs)
            continue
          }
          const { obstacle } = walk
          const family = isIpv6Text(packet.source) ? 'IPv6' : 'IPv4'
          seen.add(`${family} ${obstacle?.reason ?? 'delivered'}`)
          t.deepEqual(
            obstacle === null ? null : { eni: obstacle.eni, reason: obstacle.reason }, fate.dropped)
          // A packet that is too big is answered: that is a packet for the sender, not this one.
          if (obstacle?.reason !== 'too-big') t.is(walk.deliveredTo, fate.deliveredTo)
        }
      }
    }), { seed: SEED, numRuns: RUNS })
  for (const reason of ['delivered', 'security-group-egress', 'security-group-ingress',
    'network-acl-egress', 'network-acl-ingress', 'no-route', 'blackhole', 'no-mapping', 'multicast',
    'link-local', 'source-spoofed', 'ttl-expired', 'too-big', 'destination-check',
    'peer-transit']) {
    t.true(seen.has(`IPv4 ${reason}`) || seen.has(`IPv6 ${reason}`), `no packet met ${reason}`)
  }
  for (const family of ['IPv4', 'IPv6']) {
    for (const reason of ['delivered', 'security-group-egress', 'security-group-ingress',
      'network-acl-egress', 'network-acl-ingress', 'source-spoofed', 'ttl-expired']) {
      t.true(seen.has(`${family} ${reason}`), `no packet of ${family} met ${reason}`)
    }
  }
})

test('can-reach says what becomes of a new conversation and its answer', (t) => {
  const seen = new Set<string>()
  fc.assert(fc.property(networkDraw, fc.array(talkDraw, { minLength: 1, maxLength: 6 }),
    (network, talks) => {
      const { world, enis } = worldOf(network)
      const { snapshot } = world
      const directory = new Directory(snapshot)
      const explainer = new Explainer({ snapshot, directory, clock: TEST_CLOCK,
        live: { isOpen: () => true, conversationOf: () => null } })
      for (const talk of talks) {
        const hosts = new SimulatedHosts(snapshot, directory, true)
        const opening = openingOf(network, talk)
        const target = typeof talk.to === 'number' ? enis[talk.to]! : null
        const reach = explainer.reach(enis[talk.from]!, opening, target)
        seen.add(`${reach.verdict} ${reach.answer === null ? 'forward' : 'answer'}`)
        const forward = hosts.send(enis[talk.from]!, opening)
        const answer = target === null || forward.deliveredTo !== target ? null
          : hosts.send(target, answerTo(opening))
        const arrives = answer?.deliveredTo === enis[talk.from]!
        if (reach.verdict === 'yes') t.true(arrives)
        else t.false(arrives)
        if (reach.verdict !== 'no' || reach.obstacle?.reason === 'not-running') continue
        t.is(reach.obstacle?.reason, (answer ?? forward).dropped?.reason)
      }
    }), { seed: REACH_SEED, numRuns: RUNS })
  for (const kind of ['yes answer', 'no forward', 'no answer', 'unknown forward']) {
    t.true(seen.has(kind), `no conversation ended with ${kind}`)
  }
})
