/** What BIRD is told of a gateway; `bird -p` has the last word in test/integration/vpn. */
import test from 'ava'
import { birdConfig, peersByName } from './bird_config.ts'
import { gatewaysOf } from './controller.ts'
import { VpnNetwork } from '../model/test_vpn.ts'

test('each tunnel of a dynamic connection is a session, the first one preferred', (t) => {
  const net = new VpnNetwork()
  const [first, second] = [net.createVpn(), net.createVpn()]
  net.createVpn({ staticRoutesOnly: true })
  const [gateway, ...more] = gatewaysOf(net.snapshot, (id) => `lab-${id}`)
  if (gateway === undefined) throw new Error('no gateway')
  t.deepEqual(more, [])
  t.is(gateway.namespace, `lab-${net.vgwId}`)
  t.deepEqual(gateway.blocks, ['10.0.0.0/16'])
  t.deepEqual(gateway.peers.map(({ vpnConnectionId, med }) => [vpnConnectionId, med]),
    [[first, 100], [first, 200], [second, 100], [second, 200]])
  const names = [...peersByName(gateway).keys()]
  const digits = (id: string): string => id.slice('vpn-'.length)
  t.deepEqual(names, [`v${digits(first)}_1`, `v${digits(first)}_2`, `v${digits(second)}_1`,
    `v${digits(second)}_2`])
  const text = birdConfig(gateway, '/run/x/bird.log')
  t.true(text.includes('route 10.0.0.0/16 unreachable;'))
  t.true(text.includes('import limit 100 action disable;'))
  t.true(text.includes(`if proto ~ "v${digits(first)}_*" then reject;`))
  t.false(text.includes('password'))
})

test('MD5 and BFD stand in the session that wants them', (t) => {
  const net = new VpnNetwork()
  net.createVpn()
  const [gateway] = gatewaysOf(net.snapshot, (id) => id)
  if (gateway === undefined) throw new Error('no gateway')
  const peers = gateway.peers.map((peer, at) => at > 0 ? peer
    : { ...peer, password: 'secret', bfd: { intervalMs: 300, multiplier: 3 } })
  const text = birdConfig({ ...gateway, peers }, '/run/x/bird.log')
  t.is(text.match(/password "secret"/g)?.length, 1)
  t.is(text.match(/bfd \{ interval 300 ms; multiplier 3; \}/g)?.length, 1)
  t.true(text.includes('protocol bfd {'))
})
