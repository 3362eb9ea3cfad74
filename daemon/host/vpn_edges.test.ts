/** Which tunnels the edges of a lab are to serve, from its records. */
import test from 'ava'
import { newHost } from '../compile/test_world.ts'
import { put } from '../model/snapshot.ts'
import { VpnNetwork } from '../model/test_vpn.ts'
import { planDetachVpnGateway } from '../model/vpn_gateway.ts'
import { desiredTunnels, unservedTunnels } from './vpn_edges.ts'

function network (edges: number): VpnNetwork {
  const net = new VpnNetwork()
  for (let n = 1; n <= edges; n++) {
    net.run({
      changes: [put('host',
        { ...newHost(100 + n), id: `edge-${String(n)}`, roles: ['edge', 'hyperplane'] })],
      result: null
    })
  }
  return net
}

test('the two tunnels of a connection are at two edges, where there are two', (t) => {
  const net = network(2)
  const id = net.createVpn()
  const tunnels = desiredTunnels(net.snapshot)
  t.deepEqual(tunnels.map(({ edge }) => edge).sort(), ['edge-1', 'edge-2'])
  t.deepEqual(tunnels.map(({ outsideIpAddress }) => outsideIpAddress),
    [net.outside(id, 0), net.outside(id, 1)])
  t.is(tunnels[0]?.config.tunnel, 0xc000_0201, 'the outside address is its number')
  const alone = network(1)
  alone.createVpn()
  t.deepEqual(desiredTunnels(alone.snapshot).map(({ edge }) => edge), ['edge-1', 'edge-1'])
})

/** Why tunnels are not served, each reason once. */
function reasons ({ snapshot }: VpnNetwork): string[] {
  const unserved = unservedTunnels(snapshot, desiredTunnels(snapshot))
  return [...new Set(unserved.map(({ reason }) => reason))]
}

test('only tunnels of attached gateways are served, and none without edges', (t) => {
  const net = network(2)
  net.createVpn()
  const other = net.createVgw()
  net.createVpn({ vpnGatewayId: other })
  t.deepEqual(reasons(net), [`${other} is attached to no VPC`])
  t.is(desiredTunnels(net.snapshot).length, 2)
  net.run(planDetachVpnGateway(net.view(), { vpnGatewayId: net.vgwId, vpcId: net.vpcId }))
  t.deepEqual(desiredTunnels(net.snapshot), [])
  const none = network(0)
  none.createVpn()
  t.deepEqual(desiredTunnels(none.snapshot), [])
  t.deepEqual(reasons(none), ['the lab has no edges'])
})

test('a tunnel has the options of its record, and of the customer the networks', (t) => {
  const net = network(2)
  net.createVpn({
    staticRoutesOnly: true, localIpv4NetworkCidr: '192.168.0.0/16',
    tunnels: [{ preSharedKey: 'good.key_1', ikeVersions: ['ikev2'], replayWindowSize: 64 }, {}]
  })
  const [first, second] = desiredTunnels(net.snapshot)
  t.like(first?.config, {
    authentication: { kind: 'psk', secret: 'good.key_1' }, ikeVersions: ['ikev2'],
    replayWindow: 64, localSelectors: ['0.0.0.0/0'], remoteSelectors: ['192.168.0.0/16'],
    remoteAddress: '198.51.100.1', remoteId: null
  })
  t.is(second?.config.replayWindow, 1024)
  t.is(first?.insideAddress, null, 'nobody speaks BGP')
})

test('a tunnel that proves itself by a certificate is not served', (t) => {
  const net = network(2)
  net.createVpn({ customerGatewayId: net.createCgw(65_010, '198.51.100.50',
    'arn:aws:acm:us-east-1:111111111111:certificate/0f1e2d3c-4b5a-6978') })
  t.deepEqual(desiredTunnels(net.snapshot), [])
  t.deepEqual(reasons(net), ['the lab keeps no certificates: a pre-shared key is needed'])
})
