/**
 * An oracle that shares nothing with the product: random security groups and network ACLs are
 * translated to nftables rulesets, and the kernel judges the same packets, its own connection
 * tracking in the place of ours (test/harness/kernel_firewall.ts).
 *
 *     client ── near: the policy of the client's ENI ── far: that of the server's ── server
 *     10.0.1.10                                                                      10.0.2.20
 *     2001:db8:0:1::10                                                        2001:db8:0:2::20
 *
 * Two routers, because each ENI tracks connections of its own. Groups let pass what is established,
 * ACLs never ask. The other judges are the product's: two workers in memory with the same rules,
 * and the explainer.
 *
 * Packets come in any order, answers without a question too.
 */
import test from 'ava'
import fc from 'fast-check'
import {
  attached, newHost, newInstance, newInterface, newNetworkAcl, newRouteTable, newSecurityGroup,
  newSubnet, newVpc, World
} from '../../daemon/compile/test_world.ts'
import { Explainer } from '../../daemon/explain/explainer.ts'
import { answerTo, makePacket, openingPacket } from '../../daemon/explain/made_packet.ts'
import type { PacketFields } from '../../daemon/explain/made_packet.ts'
import { SimulatedHosts, TEST_CLOCK } from '../../daemon/explain/testing/simulated_hosts.ts'
import { Directory } from '../../daemon/mapping/directory.ts'
import type { NetworkAclEntry } from '../../daemon/model/network_acl.ts'
import type { SecurityGroupRule } from '../../daemon/model/security_group.ts'
import { TCP_FLAG_ACK } from '../../daemon/wire/tcp.ts'
import { INSIDE, KernelFirewall, MARKER_PORT, OUTSIDE, TAG_BYTES } from
  '../harness/kernel_firewall.ts'
import { Namespaces } from '../harness/namespaces.ts'

/** Networks, and packets of each. A failure names its network; other seeds find other ones. */
const SEED = 7_331
const NETWORKS = 24
const PACKETS = 60

const CLIENT = { 4: '10.0.1.10', 6: '2001:db8:0:1::10' } as const
const SERVER = { 4: '10.0.2.20', 6: '2001:db8:0:2::20' } as const
const BLOCKS = {
  4: ['0.0.0.0/0', '0.0.0.0/0', '10.0.0.0/16', '10.0.1.0/24', '10.0.2.0/24', '10.0.2.20/32'],
  6: ['::/0', '::/0', '2001:db8::/56', '2001:db8:0:1::/64', '2001:db8:0:2::/64',
    '2001:db8:0:2::20/128']
} as const
const PORTS = [53, 80, 443] as const
const PORT_MAX = 65_535
const SOURCE_PORT = 40_000
const SOURCES = 2
const RULE_PORTS = [...PORTS, 1024, SOURCE_PORT] as const

const ESP = 50
const NUMBERS = {
  4: { tcp: 6, udp: 17, icmp: 1, esp: ESP }, 6: { tcp: 6, udp: 17, icmp: 58, esp: ESP }
} as const
const ECHO = { 4: { request: 8, reply: 0 }, 6: { request: 128, reply: 129 } } as const
type Family = 4 | 6
type Protocol = keyof typeof NUMBERS[4]

const familyDraw = fc.constantFrom<Family>(4, 4, 6, 6)
const protocolDraw = fc.constantFrom<Protocol>('tcp', 'tcp', 'tcp', 'udp', 'udp', 'icmp', 'esp')
const ruleDraw = fc.record({
  isEgress: fc.boolean(), allow: fc.constantFrom(true, true, true, false), family: familyDraw,
  protocol: fc.oneof(fc.constant(null), protocolDraw),
  from: fc.constantFrom(0, ...RULE_PORTS), isRange: fc.boolean(),
  /** Of ICMP: null for every type. */
  icmpType: fc.constantFrom(null, 'request' as const, 'reply' as const),
  block: fc.nat(BLOCKS[4].length - 1)
})
type RuleDraw = typeof ruleDraw extends fc.Arbitrary<infer T> ? T : never
const OPEN: readonly RuleDraw[] = [true, false].flatMap((isEgress) => ([4, 6] as const).map(
  (family) => ({ isEgress, allow: true, family, protocol: null, from: 0, isRange: false,
    icmpType: null, block: 0 })))
const rulesDraw = fc.array(
  fc.oneof({ weight: 2, arbitrary: ruleDraw }, { weight: 1, arbitrary: fc.constantFrom(...OPEN) }),
  { minLength: 3, maxLength: 9 })
const networkDraw = fc.record({
  clientGroup: rulesDraw, serverGroup: rulesDraw,
  clientAcl: fc.option(rulesDraw, { freq: 2 }), serverAcl: fc.option(rulesDraw, { freq: 2 })
})
const packetDraw = fc.record({
  isFromClient: fc.boolean(), family: familyDraw, protocol: protocolDraw,
  port: fc.constantFrom(...PORTS), source: fc.nat(SOURCES - 1), isAnswer: fc.boolean(),
  /** Of TCP: SYN or SYN-ACK; otherwise a segment from the middle. */
  isOpening: fc.constantFrom(true, true, false)
})
type NetworkDraw = typeof networkDraw extends fc.Arbitrary<infer T> ? T : never
type PacketDraw = typeof packetDraw extends fc.Arbitrary<infer T> ? T : never

const blockOf = ({ family, block }: RuleDraw): string => BLOCKS[family][block] ?? ''

/** First and last port; null when the rule asks for none. */
function portsOf ({ protocol, from, isRange }: RuleDraw): readonly [number, number] | null {
  if (protocol !== 'tcp' && protocol !== 'udp') return null
  return isRange || from === 0 ? [from, PORT_MAX] : [from, from]
}

function icmpTypeOf ({ family, protocol, icmpType }: RuleDraw): number | null {
  return protocol !== 'icmp' || icmpType === null ? null : ECHO[family][icmpType]
}

// ----------------------------------------------------------------------------------- the product

function worldOf (draw: NetworkDraw): { readonly world: World, readonly enis: readonly string[] } {
  const world = new World()
  for (const host of [1, 2]) world.put('host', newHost(host))
  const vpc = world.put('vpc', newVpc(1))
  const subnets = [1, 2].map((n) => world.put('subnet', newSubnet(n, vpc.id)))
  const table = newRouteTable(1, vpc.id)
  world.put('routeTable', { ...table,
    routes: [...table.routes, { destination: '2001:db8::/56', target: { kind: 'local' },
      origin: 'CreateRouteTable' }],
    associations: subnets.map(({ id }, index) =>
      ({ id: `rtbassoc-${String(index)}`, subnetId: id, gatewayId: null })) })
  const ends = [[draw.clientGroup, draw.clientAcl, CLIENT],
    [draw.serverGroup, draw.serverAcl, SERVER]] as const
  const enis = ends.map(([group, acl, addresses], index) => {
    const subnet = subnets[index]!
    const groupId = world.put('securityGroup', { ...newSecurityGroup(index + 1, vpc.id),
      rules: group.map((rule, place) => groupRule(index * 100 + place, rule)) }).id
    world.put('networkAcl', {
      ...newNetworkAcl(index + 1, vpc.id, false),
      associations: [{ id: `aclassoc-${String(index)}`, subnetId: subnet.id }],
      entries: (acl ?? OPEN).map((rule, place) => aclEntry((place + 1) * 10, rule))
    })
    const instance = world.put('instance',
      newInstance(index + 1, subnet, `host-${String(index + 1)}`))
    return world.put('networkInterface', {
      ...attached(newInterface(index + 1, subnet, addresses[4]), instance.id),
      ipv6Addresses: [addresses[6]], groupIds: [groupId]
    }).id
  })
  world.commit()
  return { world, enis }
}

function groupRule (n: number, rule: RuleDraw): SecurityGroupRule {
  const { family, protocol, isEgress } = rule
  const isIcmp = protocol === 'icmp'
  const [fromPort, toPort] = portsOf(rule) ??
    (isIcmp ? [icmpTypeOf(rule) ?? -1, -1] : [null, null])
  const names = { tcp: 'tcp', udp: 'udp', icmp: family === 4 ? 'icmp' : 'icmpv6',
    esp: String(ESP) } as const
  return {
    id: `sgr-${String(n)}`, isEgress, ipProtocol: protocol === null ? '-1' : names[protocol],
    fromPort, toPort, cidrIpv4: family === 4 ? blockOf(rule) : null,
    cidrIpv6: family === 6 ? blockOf(rule) : null,
    referencedGroupId: null, prefixListId: null, description: '', tags: {}
  }
}

function aclEntry (ruleNumber: number, rule: RuleDraw): NetworkAclEntry {
  const { family, protocol } = rule
  const ports = portsOf(rule)
  const isIcmp = protocol === 'icmp'
  return {
    ruleNumber, isEgress: rule.isEgress, action: rule.allow ? 'allow' : 'deny',
    protocol: protocol === null ? -1 : NUMBERS[family][protocol],
    cidrBlock: family === 4 ? blockOf(rule) : null,
    ipv6CidrBlock: family === 6 ? blockOf(rule) : null,
    icmpType: isIcmp ? icmpTypeOf(rule) ?? -1 : null, icmpCode: isIcmp ? -1 : null,
    portFrom: ports?.[0] ?? null, portTo: ports?.[1] ?? null
  }
}

// ------------------------------------------------------------------------------------ the kernel

/**
 * Everything that one end's router asks, as AWS orders it.
 * @param zone of connection tracking: what the kernel remembers of one network is no business of
 *   the next
 */
function rulesetOf (
  group: readonly RuleDraw[], acl: readonly RuleDraw[] | null, zone: number
): string {
  const chains = ([['out', true], ['in', false]] as const).map(([way, isEgress]) => `
  chain group_${way} {
    ct state established,related return
${linesOf(group, isEgress, () => 'return')}    drop
  }
  chain acl_${way} {
${linesOf(acl ?? OPEN, isEgress, ({ allow }) => allow ? 'return' : 'drop')}    drop
  }`)
  return `flush ruleset
table inet oracle {${chains.join('')}
  chain track {
    type filter hook prerouting priority raw; policy accept;
    ct zone set ${String(zone)}
  }
  chain forward {
    type filter hook forward priority 0; policy accept;
    udp dport ${String(MARKER_PORT)} accept
    iifname "${INSIDE}" jump group_out
    iifname "${INSIDE}" jump acl_out
    iifname "${OUTSIDE}" jump acl_in
    iifname "${OUTSIDE}" jump group_in
  }
}
`
}

function linesOf (
  rules: readonly RuleDraw[], isEgress: boolean, verdictOf: (rule: RuleDraw) => string
): string {
  return rules.filter((rule) => rule.isEgress === isEgress)
    .map((rule) => `    ${matchOf(rule)} ${verdictOf(rule)}\n`).join('')
}

function matchOf (rule: RuleDraw): string {
  const { family, protocol, isEgress } = rule
  const address = `${family === 4 ? 'ip' : 'ip6'} ${isEgress ? 'daddr' : 'saddr'} ${blockOf(rule)}`
  if (protocol === null) return address
  const ports = portsOf(rule)
  if (ports !== null) return `${address} ${protocol} dport ${String(ports[0])}-${String(ports[1])}`
  const type = icmpTypeOf(rule)
  if (type !== null) return `${address} ${family === 4 ? 'icmp' : 'icmpv6'} type ${String(type)}`
  return `${address} meta l4proto ${String(NUMBERS[family][protocol])}`
}

// ------------------------------------------------------------------------------------ the packets

function packetOf (
  { isFromClient, family, protocol, port, source, isAnswer, isOpening }: PacketDraw
): PacketFields {
  const number = SOURCE_PORT + source
  const hasPorts = protocol === 'tcp' || protocol === 'udp'
  const opening = openingPacket({
    source: (isFromClient ? CLIENT : SERVER)[family],
    destination: (isFromClient ? SERVER : CLIENT)[family],
    protocol: NUMBERS[family][protocol],
    ...hasPorts ? { sourcePort: number, destinationPort: port } : {},
    ...protocol === 'icmp' ? { icmpIdentifier: number } : {}
  })
  const packet = isAnswer ? answerTo(opening) : opening
  return protocol !== 'tcp' || isOpening ? packet : { ...packet, tcpFlags: TCP_FLAG_ACK }
}

let tags = 0

/** The bytes of a packet with a tag of its own behind its headers. */
function taggedBytes (packet: PacketFields): Uint8Array {
  const bytes = makePacket(packet, 0)
  const whole = makePacket({ ...packet, bytes: bytes.length + TAG_BYTES }, 0)
  new DataView(whole.buffer).setBigUint64(whole.length - TAG_BYTES, BigInt(++tags))
  return whole
}

function markerOf ({ source, destination }: PacketFields): PacketFields {
  return openingPacket({ source, destination, protocol: NUMBERS[4].udp, sourcePort: MARKER_PORT,
    destinationPort: MARKER_PORT })
}

// -------------------------------------------------------------------------------------- the test

test('the kernel judges packets as groups and ACLs do', async (t) => {
  await using net = await Namespaces.create('client', 'near', 'far', 'server')
  const kernel = await KernelFirewall.open(net,
    { blocks: ['10.0.1.0/24', '2001:db8:0:1::/64'], addresses: Object.values(CLIENT) },
    { blocks: ['10.0.2.0/24', '2001:db8:0:2::/64'], addresses: Object.values(SERVER) })
  t.teardown(() => { kernel.close() })
  const networks = fc.sample(
    fc.tuple(networkDraw, fc.array(packetDraw, { minLength: PACKETS, maxLength: PACKETS })),
    { seed: SEED, numRuns: NETWORKS })
  const seen = new Map<string, number>()
  for (const [number, [network, packets]] of networks.entries()) {
    await kernel.load({ near: rulesetOf(network.clientGroup, network.clientAcl, number + 1),
      far: rulesetOf(network.serverGroup, network.serverAcl, number + 1) })
    const { world: { snapshot }, enis } = worldOf(network)
    const directory = new Directory(snapshot)
    const hosts = new SimulatedHosts(snapshot, directory, true)
    const explainer = new Explainer({ snapshot, directory, clock: TEST_CLOCK, live: hosts.live })
    for (const draw of packets) {
      const packet = packetOf(draw)
      const isFromClient = packet.source === CLIENT[draw.family]
      const eni = isFromClient ? enis[0]! : enis[1]!
      const walk = explainer.trace(eni, packet)
      const ours = hosts.send(eni, packet).deliveredTo !== null
      const theirs = await kernel.judge(isFromClient ? 'client' : 'server', taggedBytes(packet),
        taggedBytes(markerOf(packet)))
      const what = `network ${String(number)}: ${JSON.stringify(packet)}`
      t.is(ours, theirs, `${what}: the kernel ${theirs ? 'lets it pass' : 'drops it'}; ` +
        (walk?.obstacle?.text ?? ''))
      t.is(walk?.obstacle === null, theirs, what)
      const kind = `IPv${String(draw.family)} ${draw.protocol} ${theirs ? 'passes' : 'stops'}`
      seen.set(kind, (seen.get(kind) ?? 0) + 1)
    }
  }
  for (const family of ['4', '6']) {
    for (const protocol of Object.keys(NUMBERS[4])) {
      for (const verdict of ['passes', 'stops']) {
        const kind = `IPv${family} ${protocol} ${verdict}`
        t.true((seen.get(kind) ?? 0) > 5, `${kind}: ${String(seen.get(kind))}`)
      }
    }
  }
})
