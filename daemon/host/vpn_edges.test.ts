/** Which tunnels the edges of a lab are to serve, from its records. */
import test from 'ava'
import { newHost } from '../compile/test_world.ts'
import { put, remove } from '../model/snapshot.ts'
import { VpnNetwork } from '../model/test_vpn.ts'
import { tunnelKey } from '../model/vpn_status.ts'
import { desiredTunnels, unservedTunnels } from './vpn_edges.ts'
import type { EdgeTunnel } from './vpn_edges.ts'

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
  const tunnels = desiredTunnels(net.snapshot, String)
  t.deepEqual(tunnels.map(({ edge }) => edge).sort(), ['edge-1', 'edge-2'])
  t.deepEqual(tunnels.map(({ outsideIpAddress }) => outsideIpAddress),
    [net.outside(id, 0), net.outside(id, 1)])
  t.is(tunnels[0]?.config.tunnel, 0xc000_0201, 'the outside address is its number')
  const alone = network(1)
  alone.createVpn()
  t.deepEqual(desiredTunnels(alone.snapshot, String).map(({ edge }) => edge), ['edge-1', 'edge-1'])
})

/** Why tunnels are not served, each reason once. */
function reasons ({ snapshot }: VpnNetwork): string[] {
  const unserved = unservedTunnels(snapshot, desiredTunnels(snapshot, String))
  return [...new Set(unserved.map(({ reason }) => reason))]
}

test('a gateway needs no VPC, and tunnels need edges', (t) => {
  const net = network(2)
  net.createVpn()
  net.createVpn({ vpnGatewayId: net.createVgw() })
  t.deepEqual(reasons(net), [])
  t.is(desiredTunnels(net.snapshot, String).length, 4)
  const none = network(0)
  none.createVpn()
  t.deepEqual(desiredTunnels(none.snapshot, String), [])
  t.deepEqual(reasons(none), ['the lab has no edges'])
})

test('a tunnel has the options of its record, and of the customer the networks', (t) => {
  const net = network(2)
  net.createVpn({
    staticRoutesOnly: true, localIpv4NetworkCidr: '192.168.0.0/16',
    tunnels: [{ preSharedKey: 'good.key_1', ikeVersions: ['ikev2'], replayWindowSize: 64 }, {}]
  })
  const [first, second] = desiredTunnels(net.snapshot, String)
  t.like(first?.config, {
    authentication: { kind: 'psk', secret: 'good.key_1' }, ikeVersions: ['ikev2'],
    replayWindow: 64, localSelectors: ['0.0.0.0/0'], remoteSelectors: ['192.168.0.0/16'],
    remoteAddress: '198.51.100.1', remoteId: null
  })
  t.is(second?.config.replayWindow, 1024)
  t.is(first?.insideAddress, null, 'nobody speaks BGP')
})

test('a tunnel that proves itself by a certificate waits for that of its other end', (t) => {
  const net = network(2)
  const arn = net.certify()
  const id = net.createVpn({ customerGatewayId: net.createCgw(65_010, '198.51.100.50', arn) })
  const served = (): EdgeTunnel[] =>
    desiredTunnels(net.snapshot, (key) => `key of ${key}`)
  t.deepEqual(served(), [])
  t.deepEqual(reasons(net), ['the certificate of this end is being made'])
  net.certify({ id: 'e0', endpointOf: tunnelKey(id, net.outside(id, 0)), certificate: 'endpoint' })
  const [tunnel, ...others] = served()
  t.like(tunnel?.config, {
    localId: `C=US, ST=WA, L=Seattle, O=Amazon.com, OU=AWS, CN=${id}.endpoint-0`, remoteId: null,
    authentication: {
      kind: 'certificate', certificate: 'endpoint', privateKey: 'key of e0', revocationLists: []
    }
  })
  t.deepEqual(others, [])
  net.apply([remove('certificate', arn.split('/')[1] ?? '')])
  t.deepEqual(served(), [])
  t.deepEqual(reasons(net), [`AWS Certificate Manager has no certificate ${arn}`])
})
