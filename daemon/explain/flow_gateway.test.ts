/**
 * What a trace says where it cannot go on: at a gateway whose flows it does not look at.
 *
 *     VPC 2001:db8:1::/56: host-1: ENI 2001:db8:1:1::10 ── ::/0 ──▶ egress-only gateway, edge-1
 */
import test from 'ava'
import {
  attached, newGroupRule, newHost, newInstance, newInterface, newNetworkAcl, newRouteTable,
  newSecurityGroup, newSubnet, newVpc, World
} from '../compile/test_world.ts'
import { Directory } from '../mapping/directory.ts'
import { PROTOCOL_TCP } from '../wire/ip_protocol.ts'
import { Explainer, RECORDS_ALONE } from './explainer.ts'
import { openingPacket } from './made_packet.ts'
import { TEST_CLOCK } from './testing/simulated_hosts.ts'

const GATEWAY = 'eigw-0000000000000000e'

test('a trace tells the way as far as an egress-only gateway, and calls that no fault', (t) => {
  const world = new World()
  world.put('host', newHost(1))
  world.put('host', { ...newHost(101), id: 'edge-1', roles: ['edge', 'hyperplane'] })
  const vpc = world.put('vpc', { ...newVpc(1),
    ipv6CidrBlocks: [{ associationId: 'a', cidrBlock: '2001:db8:1::/56' }] })
  const subnet = world.put('subnet', newSubnet(1, vpc.id))
  const rule = { ...newGroupRule(1, {}), cidrIpv6: '::/0', ipProtocol: '-1', isEgress: true }
  const group = world.put('securityGroup', { ...newSecurityGroup(1, vpc.id), rules: [rule] })
  const entry = { ruleNumber: 100, isEgress: true, action: 'allow', protocol: -1, cidrBlock: null,
    ipv6CidrBlock: '::/0', icmpType: null, icmpCode: null, portFrom: null, portTo: null } as const
  world.put('networkAcl', { ...newNetworkAcl(1, vpc.id, true), entries: [entry] })
  world.put('routeTable', {
    ...newRouteTable(1, vpc.id),
    associations: [{ id: 'main', subnetId: null, gatewayId: null }],
    routes: [{ destination: '::/0', origin: 'CreateRoute',
      target: { kind: 'egress-only-internet-gateway', gatewayId: GATEWAY } }]
  })
  world.put('egressOnlyInternetGateway',
    { id: GATEWAY, region: 'us-east-1', ownerId: '123456789012', tags: {}, vpcId: vpc.id })
  world.put('hyperplaneShard', {
    id: GATEWAY, epoch: 1, shard: ['edge-1'], owners: ['edge-1', 'edge-1', 'edge-1'],
    replicas: ['edge-1'], joinedEpochs: [1], complete: ['edge-1']
  })
  const instance = world.put('instance', newInstance(1, subnet, 'host-1'))
  const eni = world.put('networkInterface', {
    ...attached(newInterface(1, subnet, '10.0.1.10'), instance.id), groupIds: [group.id],
    ipv6Addresses: ['2001:db8:1:1::10']
  })
  world.commit()
  const { snapshot } = world
  const explainer = new Explainer(
    { snapshot, directory: new Directory(snapshot), clock: TEST_CLOCK, live: RECORDS_ALONE })
  const walk = explainer.trace(eni.id, openingPacket({ protocol: PROTOCOL_TCP,
    source: '2001:db8:1:1::10', destination: '2001:db8:ffff::10', destinationPort: 80 }))
  t.is(walk?.sides.at(-1)?.eni, GATEWAY)
  t.is(walk?.obstacle?.object, GATEWAY)
  t.regex(walk?.obstacle?.text ?? '', /^the way is told as far as eigw-/)
  t.regex(walk?.obstacle?.remedy.text ?? '', /^Nothing is known to be wrong/)
})
