import test from 'ava'
import { planInternet, PUBLIC_IPV4 } from './internet_plan.ts'
import { EMPTY_NAMESPACE } from './namespace_view.ts'
import type { LinkView, NamespaceView } from './namespace_view.ts'

const link = (name: string): LinkView => ({
  name, linkType: 'ether', macAddress: '', up: true, mtu: 1500, bridge: '',
  addresses: name !== 'lo' ? []
    : ['198.51.100.193', '198.51.100.209'].map((address) => ({ address, prefixLength: 32 }))
})
const view = (links: readonly string[], hasRoute = true): NamespaceView => ({
  ...EMPTY_NAMESPACE,
  links: ['lo', ...links].map(link),
  routes: hasRoute
    ? [{ destination: PUBLIC_IPV4, gateway: '', device: '', table: 254, metric: 0 }]
    : []
})
const plan = (router: NamespaceView, hosts: NamespaceView): ReturnType<typeof planInternet> =>
  planInternet('lab-internet', ['edge-1', 'edge-2'], router, hosts)

test('an empty router gets hosts, a device per edge, and one route over all of them', (t) => {
  const { routerLines, hostLines } = plan(EMPTY_NAMESPACE, EMPTY_NAMESPACE)
  t.true(routerLines.includes('tuntap add dev edge-2 mode tun vnet_hdr'))
  t.true(routerLines.includes(
    'route replace 203.0.113.0/24 nexthop dev edge-1 weight 1 nexthop dev edge-2 weight 1'))
  t.true(routerLines.includes('addr add 198.51.100.193/32 dev lo'))
  t.true(hostLines.includes('addr add 198.51.100.10/24 dev eth0'))
})

test('where everything is there, nothing is done', (t) => {
  t.deepEqual(plan(view(['hosts0', 'edge-1', 'edge-2']), view(['eth0'])),
    { routerLines: [], hostLines: [] })
})

test('what somebody removed comes back', (t) => {
  const oneGone = plan(view(['hosts0', 'edge-2']), view(['eth0'])).routerLines
  t.is(oneGone[0], 'tuntap add dev edge-1 mode tun vnet_hdr')
  t.regex(oneGone.at(-1) ?? '', /^route replace 2001:db8::\/32 /)
  t.is(plan(view(['hosts0', 'edge-1', 'edge-2'], false), view(['eth0'])).routerLines.length, 2)
  t.is(plan(view(['hosts0', 'edge-1', 'edge-2']), EMPTY_NAMESPACE).routerLines[0],
    'link del hosts0', 'half a cable')
})
