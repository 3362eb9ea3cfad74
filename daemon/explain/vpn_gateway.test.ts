/**
 * What a trace says of a virtual private gateway: a propagated route leads there and into a tunnel.
 *
 *     VPC 10.0.0.0/16: host-1: ENI 10.0.1.10 ── 192.168.7.0/24 ──▶ vgw-…, edge-1
 */
import test from 'ava'
import {
  attached, newGroupRule, newHost, newInstance, newInterface, newNetworkAcl, newRouteTable,
  newSecurityGroup, newSubnet, newVpc, newVpn, World
} from '../compile/test_world.ts'
import { Directory } from '../mapping/directory.ts'
import { PROTOCOL_TCP } from '../wire/ip_protocol.ts'
import { Explainer, RECORDS_ALONE } from './explainer.ts'
import { openingPacket } from './made_packet.ts'
import { TEST_CLOCK } from './testing/simulated_hosts.ts'

test('a trace follows a propagated route to the gateway and into the tunnel that has it', (t) => {
  const world = new World()
  world.put('host', newHost(1))
  world.put('host', { ...newHost(101), id: 'edge-1', roles: ['edge'] })
  const vpc = world.put('vpc', newVpc(1))
  const subnet = world.put('subnet', newSubnet(1, vpc.id))
  const rule = { ...newGroupRule(1, {}), cidrIpv4: '0.0.0.0/0', ipProtocol: '-1', isEgress: true }
  const group = world.put('securityGroup', { ...newSecurityGroup(1, vpc.id), rules: [rule] })
  const entry = { ruleNumber: 100, isEgress: true, action: 'allow', protocol: -1,
    cidrBlock: '0.0.0.0/0', ipv6CidrBlock: null, icmpType: null, icmpCode: null, portFrom: null,
    portTo: null } as const
  world.put('networkAcl', { ...newNetworkAcl(1, vpc.id, true), entries: [entry] })
  const { vpnGateway, vpnConnection } = newVpn(1)
  world.put('vpnGateway', { ...vpnGateway, vpcId: vpc.id })
  world.put('vpnConnection', vpnConnection)
  world.put('routeTable', { ...newRouteTable(1, vpc.id),
    associations: [{ id: 'main', subnetId: null, gatewayId: null }],
    propagatingVgwIds: [vpnGateway.id] })
  const outsideIpAddress = vpnConnection.tunnels[0]?.outsideIpAddress ?? ''
  const tunnel = { id: `${vpnConnection.id}:${outsideIpAddress}`, outsideIpAddress,
    vpnConnectionId: vpnConnection.id, isUp: true, sinceMs: 0, message: null }
  world.put('ipsecSession', { ...tunnel, negotiated: null })
  world.put('bgpSession', { ...tunnel, paths: [{ cidr: '192.168.7.0/24', asPath: [65_010],
    med: null, communities: [], nextHop: '169.254.10.2' }] })
  const instance = world.put('instance', newInstance(1, subnet, 'host-1'))
  const eni = world.put('networkInterface', {
    ...attached(newInterface(1, subnet, '10.0.1.10'), instance.id), groupIds: [group.id] })
  world.commit()
  const { snapshot } = world
  const explainer = new Explainer(
    { snapshot, directory: new Directory(snapshot), clock: TEST_CLOCK, live: RECORDS_ALONE })
  const walk = explainer.trace(eni.id, openingPacket({ protocol: PROTOCOL_TCP,
    source: '10.0.1.10', destination: '192.168.7.10', destinationPort: 80 }))
  const route = walk?.sides[0]?.steps.find(({ step }) => step === 'route')
  t.is(route?.rule, '192.168.7.0/24')
  t.true(route?.text.includes(vpnGateway.id), route?.text)
  t.is(walk?.sides.at(-1)?.eni, vpnGateway.id)
  t.is(walk?.obstacle, null)
  t.regex(walk?.sides.at(-1)?.steps.at(-1)?.text ?? '', new RegExp(outsideIpAddress))
})
