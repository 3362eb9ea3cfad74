/** What the IPsec engine is told of tunnels. */
import test from 'ava'
import { VpnNetwork } from '../model/test_vpn.ts'
import { planDeleteVpnConnection, planReplaceVpnTunnel } from '../model/vpn_connection.ts'
import { tunnelSettings } from './tunnel_settings.ts'

test('every tunnel has its settings, defaults included, until its connection is gone', (t) => {
  const net = new VpnNetwork()
  const id = net.createVpn({
    customerGatewayId: net.createCgw(65_010, '198.51.100.20'),
    localIpv4NetworkCidr: '192.168.0.0/16',
    tunnels: [{ insideCidr: '169.254.10.0/30', preSharedKey: 'known.key_1', ikeVersions: ['ikev2'],
      phase2LifetimeSeconds: 900 }]
  })
  net.createVpn()
  const [first, second, ...others] = tunnelSettings(net.snapshot)
  t.like(first, {
    vpnConnectionId: id, outsideIpAddress: net.outside(id, 0), peerIpAddress: '198.51.100.20',
    preSharedKey: 'known.key_1', ikeVersions: ['ikev2'], phase2LifetimeSeconds: 900,
    phase1LifetimeSeconds: 28_800, dpdTimeoutAction: 'clear', awsNetwork: '0.0.0.0/0',
    customerNetwork: '192.168.0.0/16', replacedMs: null,
    insideAddresses: { aws: '169.254.10.1', customer: '169.254.10.2' }
  })
  const numbers = [first, second, ...others].map((one) => one?.number ?? 0)
  t.is(new Set(numbers).size, 4)
  t.is(numbers[0], 0xc000_0201, '192.0.2.1')
  net.run(planReplaceVpnTunnel(net.view(),
    { vpnConnectionId: id, outsideIpAddress: net.outside(id, 0) }, net.context))
  t.not(tunnelSettings(net.snapshot)[0]?.replacedMs, null)
  net.run(planDeleteVpnConnection(net.view(), { vpnConnectionId: id }, net.context))
  t.deepEqual(tunnelSettings(net.snapshot).map(({ vpnConnectionId }) => vpnConnectionId),
    others.map((one) => one.vpnConnectionId))
})
