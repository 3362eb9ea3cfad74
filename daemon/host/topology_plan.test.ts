import test from 'ava'
import type { LinkView, NamespaceView } from './namespace_view.ts'
import { planRoutes } from './machine_link.ts'
import { planBridge, planHostLink, underlayAddressOf } from './topology_plan.ts'

const HOST = { name: 'host-1', underlayAddress: '100.127.0.1', underlayMtu: 9216, machine: 0 }

function link (name: string, fields: Partial<LinkView> = {}): LinkView {
  return { name, linkType: 'ether', macAddress: '',
    up: true, mtu: 9216, bridge: '', addresses: [], ...fields }
}

function view (...links: LinkView[]): NamespaceView {
  return { links: [link('lo', { linkType: 'loopback' }), ...links], routes: [], rules: [] }
}

const UNDERLAY = view(link('br0'), link('host-1', { bridge: 'br0' }))
const INSIDE =
  view(link('underlay0', { addresses: [{ address: '100.127.0.1', prefixLength: 16 }] }))

test('a sound underlay needs nothing', (t) => {
  t.deepEqual(planBridge(9216, UNDERLAY), [])
  t.deepEqual(planHostLink(HOST, 'lab-host-1', UNDERLAY, INSIDE),
    { hostRemovals: [], underlayLines: [], hostLines: [] })
})

test('an empty underlay gets a bridge and a cable', (t) => {
  t.true(planBridge(9216, view()).some((line) => line.startsWith('link add br0 type bridge')))
  const plan = planHostLink(HOST, 'lab-host-1', view(link('br0')), view())
  t.true(plan.underlayLines.includes(
    'link add host-1 mtu 9216 type veth ' +
    'peer name underlay0 address 02:7f:64:7f:00:01 mtu 9216 netns lab-host-1'))
  t.true(plan.underlayLines.includes('link set host-1 master br0'))
  t.true(plan.hostLines.includes('addr add 100.127.0.1/16 dev underlay0'))
  t.deepEqual(plan.hostRemovals, [])
})

test('half a cable is replaced as a whole, whichever half is left', (t) => {
  const hostHalf = planHostLink(HOST, 'lab-host-1', view(link('br0')), INSIDE)
  t.deepEqual(hostHalf.hostRemovals, ['link del underlay0'])
  const bridgeHalf = planHostLink(HOST, 'lab-host-1', UNDERLAY, view())
  t.is(bridgeHalf.underlayLines[0], 'link del host-1')
})

test('a port that was taken off the bridge, set down or stripped of its address is mended in place',
  (t) => {
  const plan = planHostLink(HOST, 'lab-host-1',
    view(link('br0'), link('host-1', { up: false, mtu: 1500 })), view(link('underlay0')))
  t.deepEqual(plan.underlayLines,
    ['link set host-1 mtu 9216', 'link set host-1 master br0', 'link set host-1 up'])
  t.deepEqual(plan.hostLines, ['addr add 100.127.0.1/16 dev underlay0'])
})

test('hosts are numbered through both address families', (t) => {
  t.is(underlayAddressOf(1, 'ipv4'), '100.127.0.1')
  t.is(underlayAddressOf(300, 'ipv4'), '100.127.1.44')
  t.is(underlayAddressOf(300, 'ipv6'), 'fd7f::12c')
})

test('a host of one of several machines has ways to its edges and to the others', (t) => {
  const host = { name: 'm2-1', underlayAddress: '100.127.2.1', underlayMtu: 9216, machine: 2 }
  const ways = [
    'route add 100.127.0.0/16 via 100.127.2.254 dev underlay0',
    'route add 100.127.66.0/24 dev underlay0'
  ]
  const { hostLines } = planHostLink(host, 'lab-m2-1', view(link('br0')), view())
  t.true(hostLines.includes('addr add 100.127.2.1/24 dev underlay0'))
  t.deepEqual(hostLines.slice(-2), ways)
  const edge = { ...host, name: 'edge-1', underlayAddress: '100.127.66.1' }
  t.deepEqual(planHostLink(edge, 'lab-edge-1', view(link('br0')), view()).hostLines.slice(-2), [
    'route add 100.127.2.0/24 dev underlay0',
    'route add 100.127.0.0/16 via 100.127.66.254 dev underlay0'
  ])

  const inside = view(
    link('underlay0', { addresses: [{ address: '100.127.2.1', prefixLength: 24 }] }))
  const routes = [{
    destination: '100.127.0.0/16', gateway: '100.127.2.254', device: 'underlay0', table: 254,
    metric: 0
  }]
  t.deepEqual(planHostLink(host, 'lab-m2-1', view(link('br0'), link('m2-1', { bridge: 'br0' })),
    { ...inside, routes }).hostLines, ways.slice(1))
})

test('a machine has a route to each network of each other machine', (t) => {
  const lines = planRoutes([{ number: 3, address: '192.0.2.13' }], view())
  t.deepEqual(lines,
    ['route replace 100.127.3.0/24 via 192.0.2.13', 'route replace 100.127.67.0/24 via 192.0.2.13'])
})
