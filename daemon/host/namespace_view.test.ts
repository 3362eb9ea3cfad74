import test from 'ava'
import { TABLE_MAIN, parseNamespaceView, parseRules } from './namespace_view.ts'

/** As `ip -j -batch -` of iproute2 6.1 prints it, without the fields that nobody reads. */
const LINKS = [
  {
    ifindex: 1, ifname: 'lo', flags: ['LOOPBACK', 'UP'], mtu: 65536, link_type: 'loopback',
    addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8, scope: 'host' }]
  }, {
    ifindex: 2, ifname: 'eth0', flags: ['NO-CARRIER', 'NOARP', 'UP'], mtu: 9001, link_type: 'none',
    addr_info: [
      { family: 'inet', local: '10.0.1.5', prefixlen: 24, scope: 'global' },
      { family: 'inet6', local: '2001:db8::5', prefixlen: 64, scope: 'global' },
      { family: 'inet6', local: 'fe80::1', prefixlen: 64, scope: 'link' }
    ]
  },
  { ifindex: 3, ifname: 'host-1', flags: ['UP'], mtu: 9216, master: 'br0', link_type: 'ether' }
]
const ROUTES = [
  { dst: 'default', gateway: '10.0.1.1', dev: 'eth0', flags: ['linkdown'] },
  { dst: 'default', gateway: '10.0.1.1', dev: 'eth1', table: '10001', flags: [] },
  { type: 'local', dst: '10.0.1.5', dev: 'eth0', table: 'local', flags: [] },
  { dst: 'default', gateway: '2001:db8::1', dev: 'eth0', metric: 1024, flags: [] },
  { type: 'unreachable', dst: '192.0.2.0/24', flags: [] }
]
const RULES = [
  { priority: 0, src: 'all', table: 'local' },
  { priority: 10001, src: '10.0.1.64', srclen: 28, table: '10001' }
]
const BOTH = [LINKS, ROUTES, RULES].map((list) => JSON.stringify(list) + '\n').join('')
const IPV6_RULES = '[{"priority":10001,"src":"2001:db8::5","table":"10001"}]\n'

test('the output of ip becomes a view', (t) => {
  const view = parseNamespaceView(BOTH)
  t.deepEqual(view.links[1], {
    name: 'eth0', linkType: 'none', macAddress: '', up: true, mtu: 9001, bridge: '',
    addresses: [{ address: '10.0.1.5', prefixLength: 24 },
      { address: '2001:db8::5', prefixLength: 64 }]
  }, 'addresses of the host and the link are left out')
  t.is(view.links[2]?.bridge, 'br0')
  t.deepEqual(view.routes.map(({ device, table, metric }) => [device, table, metric]),
    [['eth0', TABLE_MAIN, 0], ['eth1', 10_001, 0], ['eth0', 255, 0], ['eth0', TABLE_MAIN, 1024],
      ['', TABLE_MAIN, 0]])
  t.deepEqual([...view.rules, ...parseRules(IPV6_RULES)].map(
    ({ source, table }) => `${source} ${String(table)}`),
    ['all 255', '10.0.1.64/28 10001', '2001:db8::5 10001'])
})

test('an empty namespace is an empty view', (t) => {
  t.deepEqual(parseNamespaceView(''), { links: [], routes: [], rules: [] })
})
