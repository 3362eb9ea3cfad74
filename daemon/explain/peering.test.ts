/**
 * Peered VPCs, from records to packets, in memory: who reaches whom, and who does not.
 *
 *     C 10.3.0.0/16 ──pcx 3── A 10.1.0.0/16 ──pcx 1── B 10.2.0.0/16
 *     (another Region)        host-1                  host-1 and host-2
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import {
  attached, newGroupRule, newHost, newInstance, newInterface, newNetworkAcl, newPeering,
  newRouteTable, newSecurityGroup, newSubnet, newVpc, World
} from '../compile/test_world.ts'
import { Directory } from '../mapping/directory.ts'
import type { NetworkAclEntry } from '../model/network_acl.ts'
import type { SecurityGroupRule } from '../model/security_group.ts'
import { PROTOCOL_TCP } from '../wire/ip_protocol.ts'
import { endsOf } from './ends.ts'
import { Explainer, RECORDS_ALONE } from './explainer.ts'
import { openingPacket } from './made_packet.ts'
import type { PacketFields } from './made_packet.ts'
import { SimulatedHosts, TEST_CLOCK } from './testing/simulated_hosts.ts'

const ALLOW_ALL: NetworkAclEntry = {
  ruleNumber: 100, isEgress: false, action: 'allow', protocol: -1, cidrBlock: '0.0.0.0/0',
  ipv6CidrBlock: null, icmpType: null, icmpCode: null, portFrom: null, portTo: null
}
const SAME_REGION = 1
const OTHER_REGION = 3
const VPCS = { a: 1, b: 2, c: 3 } as const
type VpcName = keyof typeof VPCS

/** ENIs: a and b on host-1, far (of B) and c on host-2. */
class Network {
  readonly world = new World()
  readonly enis: Record<'a' | 'b' | 'far' | 'c', string>
  readonly #directory: Directory
  readonly #hosts: SimulatedHosts[] = []

  /** @param rules inbound rules of A's only group; everything when absent */
  constructor (t: ExecutionContext, routes: Record<VpcName, Record<string, number>>,
    options: { rules?: SecurityGroupRule[], preloadMax?: number } = {}) {
    const { world } = this
    for (const host of [1, 2]) world.put('host', newHost(host))
    for (const [name, n] of Object.entries(VPCS) as [VpcName, number][]) {
      const vpc = world.put('vpc', { ...newVpc(n), cidrBlocks: [
        { associationId: '', cidrBlock: `10.${String(n)}.0.0/16` }] })
      world.put('subnet', { ...newSubnet(n, vpc.id), cidrBlock: `10.${String(n)}.1.0/24` })
      const open = newGroupRule(2 * n, { cidrIpv4: '0.0.0.0/0' })
      const all = [true, false].map((isEgress) => ({ ...open, isEgress, ipProtocol: '-1' }))
      world.put('securityGroup', { ...newSecurityGroup(n, vpc.id), rules: name === 'a'
        ? [all[0]!, ...options.rules ?? [all[1]!]]
        : all })
      world.put('networkAcl', { ...newNetworkAcl(n, vpc.id, true),
        entries: [ALLOW_ALL, { ...ALLOW_ALL, isEgress: true }] })
      const table = newRouteTable(n, vpc.id)
      world.put('routeTable', {
        ...table, associations: [{ id: 'main', subnetId: null, gatewayId: null }],
        routes: [
          { ...table.routes[0]!, destination: `10.${String(n)}.0.0/16` },
          ...Object.entries(routes[name]).map(([destination, pcx]) => ({
            destination, origin: 'CreateRoute' as const,
            target: { kind: 'vpc-peering-connection' as const,
              vpcPeeringConnectionId: newPeering(pcx, '', '', 'active').id }
          }))
        ]
      })
    }
    this.peer(SAME_REGION, 'a', 'b', 'active')
    this.peer(OTHER_REGION, 'a', 'c', 'active')
    this.enis = {
      a: this.#launch(1, 'a', 1), b: this.#launch(2, 'b', 1), far: this.#launch(3, 'b', 2),
      c: this.#launch(4, 'c', 2)
    }
    world.commit()
    this.#directory = new Directory(world.snapshot,
      options.preloadMax === undefined ? {} : { preloadMax: options.preloadMax })
    for (const cache of [true, false]) {
      this.#hosts.push(new SimulatedHosts(world.snapshot, this.#directory, cache))
    }
    t.teardown(() => { this.#hosts.length = 0 })
  }

  peer (n: number, one: VpcName, other: VpcName, status: 'active' | 'deleted'): void {
    this.world.put('vpcPeeringConnection',
      newPeering(n, newVpc(VPCS[one]).id, newVpc(VPCS[other]).id, status))
  }

  get explainer (): Explainer {
    return new Explainer({ snapshot: this.world.snapshot, directory: this.#directory,
      clock: TEST_CLOCK, live: RECORDS_ALONE })
  }

  /** What becomes of a packet: `to <eni>` or the reason to drop, on both paths and as explained. */
  fate (t: ExecutionContext, from: string, destination: string,
    more: Partial<PacketFields> = {}): string {
    const source = this.world.snapshot.tables.networkInterface.get(from)?.privateIpAddresses[0]
    const packet = { ...openingPacket({
      source: source ?? '', destination, protocol: PROTOCOL_TCP, sourcePort: 40_000,
      destinationPort: 80
    }), ...more }
    const walk = this.explainer.trace(from, packet)
    const fates = this.#hosts.map((hosts) => hosts.send(from, packet))
    const told = walk?.obstacle?.reason ?? `to ${walk?.deliveredTo ?? ''}`
    for (const { deliveredTo, dropped } of fates) {
      t.is(dropped?.reason ?? `to ${deliveredTo ?? ''}`, told)
    }
    return told
  }

  #launch (n: number, vpc: VpcName, host: number): string {
    const { world } = this
    const subnet = world.get('subnet', newSubnet(VPCS[vpc], '').id)!
    const instance = world.put('instance', newInstance(n, subnet, `host-${String(host)}`))
    const eni = newInterface(n, subnet, `10.${String(VPCS[vpc])}.1.${String(10 * n)}`)
    return world.put('networkInterface', { ...attached(eni, instance.id),
      groupIds: [newSecurityGroup(VPCS[vpc], '').id] }).id
  }
}

const BOTH_WAYS = {
  a: { '10.2.0.0/16': SAME_REGION, '10.3.0.0/16': OTHER_REGION },
  b: { '10.1.0.0/16': SAME_REGION },
  c: { '10.1.0.0/16': OTHER_REGION }
}

test('peers reach each other, on one host and over the underlay, and nobody else', (t) => {
  const net = new Network(t, {
    ...BOTH_WAYS,
    b: { '10.1.0.0/16': SAME_REGION, '10.3.0.0/16': SAME_REGION, '0.0.0.0/0': SAME_REGION }
  })
  const { a, b, far, c } = net.enis
  t.is(net.fate(t, a, '10.2.1.20'), `to ${b}`)
  t.is(net.fate(t, a, '10.2.1.30'), `to ${far}`)
  t.is(net.fate(t, far, '10.1.1.10'), `to ${a}`)
  t.is(net.fate(t, a, '10.3.1.40'), `to ${c}`)
  t.is(net.fate(t, c, '10.1.1.10'), `to ${a}`)
  t.is(net.fate(t, b, '10.3.1.40'), 'peer-transit', 'a third VPC')
  t.is(net.fate(t, b, '198.51.100.10'), 'peer-transit', 'the internet of the peer')
  t.is(net.fate(t, b, '10.1.1.99'), 'no-mapping', 'an address of the peer that nobody has')
  t.is(net.fate(t, c, '10.2.1.20'), 'no-route')
})

test('the same when nothing is preloaded and every place is asked for', (t) => {
  const net = new Network(t, BOTH_WAYS, { preloadMax: 0 })
  const { explainer, enis } = net
  const packet = openingPacket({ source: '10.1.1.10', destination: '10.2.1.30',
    protocol: PROTOCOL_TCP, sourcePort: 1, destinationPort: 80 })
  t.is(explainer.trace(enis.a, packet)?.deliveredTo, enis.far)
  t.is(explainer.trace(enis.a, { ...packet, destination: '10.3.1.40' })?.deliveredTo, enis.c)
})

test('a peering takes 9001 bytes in a Region and 1500 across Regions', (t) => {
  const net = new Network(t, BOTH_WAYS)
  const { a, far, c } = net.enis
  t.is(net.fate(t, a, '10.2.1.30', { bytes: 9001, dontFragment: true }), `to ${far}`)
  t.is(net.fate(t, a, '10.3.1.40', { bytes: 1500, dontFragment: true }), `to ${c}`)
  t.is(net.explainer.trace(a, openingPacket({ source: '10.1.1.10', destination: '10.3.1.40',
    protocol: PROTOCOL_TCP, sourcePort: 1, destinationPort: 80 }))?.deliveredTo, c)
  const tooBig = net.explainer.trace(a, { ...openingPacket({ source: '10.1.1.10',
    destination: '10.3.1.40', protocol: PROTOCOL_TCP, sourcePort: 1, destinationPort: 80 }),
  bytes: 1501, dontFragment: true })
  t.is(tooBig?.obstacle?.reason, 'too-big')
  t.regex(tooBig?.obstacle?.text ?? '', /the path takes 1500/)
})

test('rules name groups of a peer in the Region: their members get in, others do not', (t) => {
  const inbound = (n: number, referencedGroupId: string): SecurityGroupRule =>
    ({ ...newGroupRule(n, { referencedGroupId }), isEgress: false, fromPort: 80, toPort: 80 })
  const net = new Network(t, BOTH_WAYS,
    { rules: [inbound(21, newSecurityGroup(2, '').id), inbound(23, newSecurityGroup(3, '').id)] })
  const { a, b, far, c } = net.enis
  t.is(net.fate(t, b, '10.1.1.10'), `to ${a}`)
  t.is(net.fate(t, far, '10.1.1.10'), `to ${a}`)
  t.is(net.fate(t, c, '10.1.1.10'), 'security-group-ingress', 'never across Regions')
})

test('explanations name the peering, the peer VPC, and what would help', (t) => {
  const net = new Network(t, { ...BOTH_WAYS, b: { '0.0.0.0/0': SAME_REGION }, c: {} })
  const { a, far, b, c } = net.enis
  const { snapshot } = net.world
  const reach = (from: string, to: string, destination: string) => net.explainer.reach(from, {
    source: endsOf(snapshot, from, to, PROTOCOL_TCP).source, destination, protocol: PROTOCOL_TCP,
    sourcePort: 40_000, destinationPort: 80
  }, to)
  const found = reach(a, far, '10.2.1.30')
  t.is(found.verdict, 'yes')
  const text = JSON.stringify(found)
  t.regex(text, /leads to pcx-00000000000000001/)
  t.regex(text, /of the peer VPC vpc-00000000000000002/)
  t.regex(text, /over the peering with vpc-00000000000000001/)
  const oneWay = reach(a, c, '10.3.1.40')
  t.is(oneWay.verdict, 'no')
  t.is(oneWay.answer?.obstacle?.reason, 'no-route')
  t.regex(oneWay.obstacle?.remedy.command ?? '', /--peering pcx-00000000000000003/)
  const transit = net.explainer.trace(b, openingPacket({ source: '10.2.1.20',
    destination: '10.3.1.40', protocol: PROTOCOL_TCP, sourcePort: 1, destinationPort: 80 }))
  t.is(transit?.obstacle?.reason, 'peer-transit')
  t.regex(transit?.obstacle?.text ?? '',
    /10\.3\.1\.40 is no address of the peer VPC vpc-00000000000000001/)
  t.throws(() => endsOf(snapshot, b, c, PROTOCOL_TCP), { message: /no active peering/ })
})
