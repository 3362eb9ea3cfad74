/**
 * What a trace says of gateways that keep flows: the way leads through, and back for an answer
 * alone.
 *
 *     VPC 10.0.0.0/16, 2001:db8:1::/56
 *       private subnet 10.0.1.0/24    host-1: ENI 10.0.1.10, 2001:db8:1:1::10
 *         0.0.0.0/0 ──▶ NAT gateway 10.0.2.5, in the public subnet 10.0.2.0/24
 *         ::/0      ──▶ egress-only gateway                     edge-1, edge-2: nodes of both
 */
import test from 'ava'
import {
  attached, newGroupRule, newHost, newInstance, newInterface, newNetworkAcl, newRouteTable,
  newSecurityGroup, newSubnet, newVpc, World
} from '../compile/test_world.ts'
import { Directory } from '../mapping/directory.ts'
import type { HyperplaneShard } from '../model/hyperplane_shard.ts'
import type { NetworkAclEntry } from '../model/network_acl.ts'
import { PROTOCOL_ICMP, PROTOCOL_TCP } from '../wire/ip_protocol.ts'
import { TCP_FLAG_ACK } from '../wire/tcp.ts'
import { Explainer, RECORDS_ALONE } from './explainer.ts'
import { openingPacket } from './made_packet.ts'
import type { Opening } from './made_packet.ts'
import { TEST_CLOCK } from './testing/simulated_hosts.ts'

const EGRESS_ONLY = 'eigw-0000000000000000e'
const INTERNET = 'igw-0000000000000000c'
const NAT_ENI = newInterface(2, newSubnet(2, newVpc(1).id), '').id
const PUBLIC = '198.51.100.77'
const OUTSIDE = '198.51.100.10'
const EDGES = ['edge-1', 'edge-2']
const OWNED = { region: 'us-east-1', ownerId: '123456789012', tags: {} } as const

const allowAll = (isEgress: boolean, ipv6: boolean): NetworkAclEntry => ({
  ruleNumber: ipv6 ? 101 : 100, isEgress, action: 'allow', protocol: -1,
  cidrBlock: ipv6 ? null : '0.0.0.0/0', ipv6CidrBlock: ipv6 ? '::/0' : null,
  icmpType: null, icmpCode: null, portFrom: null, portTo: null
})
const OPEN_ACL = [true, false].flatMap((isEgress) =>
  [allowAll(isEgress, false), allowAll(isEgress, true)])

const shardOf = (id: string): HyperplaneShard => ({
  id, epoch: 3, shard: EDGES, owners: ['edge-1', 'edge-2', 'edge-1'],
  ownerEpochs: [3, 3, 3], replicas: EDGES, joinedEpochs: [1, 2], complete: EDGES
})

/** @param entries of the one ACL that both subnets have */
function explainer (entries: readonly NetworkAclEntry[] = OPEN_ACL):
{ explainer: Explainer, eni: string } {
  const world = new World()
  world.put('host', newHost(1))
  EDGES.forEach((id, index) => {
    world.put('host', { ...newHost(101 + index), id, roles: ['edge', 'hyperplane'] })
  })
  const vpc = world.put('vpc', { ...newVpc(1),
    ipv6CidrBlocks: [{ associationId: 'a', cidrBlock: '2001:db8:1::/56' }] })
  const inside = world.put('subnet', newSubnet(1, vpc.id))
  const open = world.put('subnet', { ...newSubnet(2, vpc.id), cidrBlock: '10.0.2.0/24' })
  const rules = ['cidrIpv4', 'cidrIpv6'].map((field, index) => ({
    ...newGroupRule(1 + index, {}), cidrIpv4: null, isEgress: true, ipProtocol: '-1',
    [field]: field === 'cidrIpv4' ? '0.0.0.0/0' : '::/0'
  }))
  const group = world.put('securityGroup', { ...newSecurityGroup(1, vpc.id), rules })
  world.put('networkAcl', { ...newNetworkAcl(1, vpc.id, true), entries: [...entries] })
  const local = { destination: '10.0.0.0/16', target: { kind: 'local' },
    origin: 'CreateRouteTable' } as const
  world.put('routeTable', {
    ...newRouteTable(1, vpc.id),
    associations: [{ id: 'main', subnetId: null, gatewayId: null }],
    routes: [local,
      { destination: '::/0', origin: 'CreateRoute',
        target: { kind: 'egress-only-internet-gateway', gatewayId: EGRESS_ONLY } },
      { destination: '0.0.0.0/0', origin: 'CreateRoute',
        target: { kind: 'nat-gateway', natGatewayId: 'nat-0000000000000000a' } },
      { destination: '64:ff9b::/96', origin: 'CreateRoute',
        target: { kind: 'nat-gateway', natGatewayId: 'nat-0000000000000000a' } }]
  })
  world.put('routeTable', {
    ...newRouteTable(2, vpc.id),
    associations: [{ id: 'rtbassoc-2', subnetId: open.id, gatewayId: null }],
    routes: [local, { destination: '0.0.0.0/0', origin: 'CreateRoute',
      target: { kind: 'internet-gateway', gatewayId: INTERNET } }]
  })
  world.put('internetGateway', { ...OWNED, id: INTERNET, vpcId: vpc.id })
  world.put('egressOnlyInternetGateway', { ...OWNED, id: EGRESS_ONLY, vpcId: vpc.id })
  world.put('natGateway', {
    ...OWNED, id: 'nat-0000000000000000a', vpcId: vpc.id, subnetId: open.id, zoneId: open.zoneId,
    connectivityType: 'public', state: 'available', failureCode: null, failureMessage: null,
    networkInterfaceId: NAT_ENI, createdMs: 0, deletedMs: null,
    addresses: [{ allocationId: 'eipalloc-1', publicIp: PUBLIC, associationId: 'eipassoc-1',
      privateIp: '10.0.2.5', isPrimary: true, status: 'succeeded', drainUntilMs: null,
      failureMessage: null }]
  })
  world.put('networkInterface', { ...newInterface(2, open, '10.0.2.5'),
    interfaceType: 'nat_gateway', requesterId: 'amazon-nat-gateway', autoPublicIp: PUBLIC })
  world.put('hyperplaneShard', shardOf(NAT_ENI))
  world.put('hyperplaneShard', shardOf(EGRESS_ONLY))
  const instance = world.put('instance', newInstance(1, inside, 'host-1'))
  const eni = world.put('networkInterface', {
    ...attached(newInterface(1, inside, '10.0.1.10'), instance.id), groupIds: [group.id],
    ipv6Addresses: ['2001:db8:1:1::10']
  })
  world.commit()
  const { snapshot } = world
  return {
    eni: eni.id,
    explainer: new Explainer(
      { snapshot, directory: new Directory(snapshot), clock: TEST_CLOCK, live: RECORDS_ALONE })
  }
}

const TO_OUTSIDE: Opening = { protocol: PROTOCOL_TCP, source: '10.0.1.10', destination: OUTSIDE,
  destinationPort: 80 }

test('a connection through a NAT gateway is told to the internet and back', (t) => {
  const { explainer: asked, eni } = explainer()
  for (let turn = 0; turn < 200; turn++) {
    const { verdict, forward, answer, text } = asked.reach(eni, TO_OUTSIDE, null)
    t.is(verdict, 'yes', text)
    t.deepEqual(forward?.sides.map((side) => `${side.eni} ${side.direction}`),
      [`${eni} egress`, `${NAT_ENI} egress`, `${INTERNET} egress`])
    const flow = forward?.sides[1]?.steps.find(({ step }) => step === 'flow')
    t.is(flow?.text, `10.0.1.10 becomes 10.0.2.5, with a port that no other flow to ${OUTSIDE} has`)
    t.deepEqual(answer?.sides.map((side) => `${side.eni} ${side.direction}`),
      [`${INTERNET} ingress`, `${NAT_ENI} ingress`, `${eni} ingress`])
    t.is(answer?.deliveredTo, eni)
  }
})

test('NAT64 is told to the internet, where it is IPv4, and back', (t) => {
  const { explainer: asked, eni } = explainer()
  for (const protocol of [PROTOCOL_TCP, PROTOCOL_ICMP]) {
    const { verdict, text, forward, answer } = asked.reach(eni, { protocol,
      source: '2001:db8:1:1::10', destination: '64:ff9b::c633:640a',
      destinationPort: protocol === PROTOCOL_TCP ? 80 : 0 }, null)
    t.is(verdict, 'yes', text)
    t.deepEqual(forward?.sides.map((side) => side.eni), [eni, NAT_ENI, INTERNET])
    t.is(forward?.sides[1]?.steps.find(({ step }) => step === 'flow')?.text,
      `64:ff9b::c633:640a is ${OUTSIDE}, 2001:db8:1:1::10 becomes 10.0.2.5, with a port that no ` +
      `other flow to ${OUTSIDE} has`)
    t.deepEqual(answer?.sides.map((side) => side.eni), [INTERNET, NAT_ENI, eni])
    t.is(answer?.sides[1]?.steps.find(({ step }) => step === 'flow')?.text,
      'the flow began inside: 10.0.2.5 becomes 2001:db8:1:1::10 again')
  }
})

test('a connection through an egress-only gateway is told to the internet and back', (t) => {
  const { explainer: asked, eni } = explainer()
  const { verdict, text, forward, answer } = asked.reach(eni, { protocol: PROTOCOL_TCP,
    source: '2001:db8:1:1::10', destination: '2001:db8:ffff::10', destinationPort: 80 }, null)
  t.is(verdict, 'yes', text)
  t.deepEqual(forward?.sides.map((side) => side.eni), [eni, EGRESS_ONLY])
  t.is(forward?.sides[1]?.steps.find(({ step }) => step === 'flow')?.text,
    'a flow of 2001:db8:1:1::10, which keeps its address')
  t.is(answer?.sides[0]?.eni, EGRESS_ONLY)
  t.is(answer?.deliveredTo, eni)
})

test('what opens nothing is told to be unknown at the gateway', (t) => {
  const { explainer: asked, eni } = explainer()
  const walk = asked.trace(eni, { ...openingPacket(TO_OUTSIDE), tcpFlags: TCP_FLAG_ACK }, true)
  t.is(walk?.obstacle?.reason, 'nat-idle')
  t.is(walk?.obstacle?.step, 'flow')
  t.regex(walk?.obstacle?.remedy.text ?? '', /^A connection that stands passes/)
})

test('the ACL of the subnet of a NAT gateway has a say before and behind it', (t) => {
  for (const isEgress of [false, true]) {
    const { explainer: asked, eni } = explainer([
      { ...allowAll(isEgress, false), ruleNumber: 50, action: 'deny', protocol: PROTOCOL_TCP,
        cidrBlock: isEgress ? '198.51.100.0/24' : '10.0.1.0/24', portFrom: 80, portTo: 80 },
      ...OPEN_ACL
    ])
    const { verdict, obstacle } = asked.reach(eni, TO_OUTSIDE, null)
    t.is(verdict, 'no')
    t.is(obstacle?.rule, '50')
    // Both subnets have the same ACL: what goes out is stopped by that of the sender already.
    t.is(obstacle?.eni, isEgress ? eni : NAT_ENI)
  }
})
