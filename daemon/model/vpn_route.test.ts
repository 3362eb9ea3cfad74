/** Which way a virtual private gateway sends, and what of it appears in route tables. */
import test from 'ava'
import fc from 'fast-check'
import { requireRecord } from './resource_kind.ts'
import { planCreateRoute, planDeleteRoute } from './route.ts'
import { effectiveRoutes } from './route_order.ts'
import { isMainRouteTable, routeState } from './route_table.ts'
import { bgpPath, VpnNetwork } from './test_vpn.ts'
import {
  planCreateVpnConnectionRoute, planModifyVpnTunnelOptions, planReplaceVpnTunnel
} from './vpn_connection.ts'
import {
  planDetachVpnGateway, planDisableVgwRoutePropagation, planEnableVgwRoutePropagation
} from './vpn_gateway.ts'
import {
  announcements, bestPath, bestPaths, medOfTunnel, pathsOf, propagatedRoutes, siteOverlaps
} from './vpn_route.ts'
import type { VpnPath } from './vpn_route.ts'

class Net extends VpnNetwork {
  readonly routeTableId = this.view().by('routeTable', 'vpcId', this.vpcId)
    .find(isMainRouteTable)?.id ?? ''

  propagate (gatewayId = this.vgwId): string {
    return this.refusal(() => this.run(planEnableVgwRoutePropagation(this.view(),
      { routeTableId: this.routeTableId, gatewayId })))
  }

  get table (): ReturnType<typeof requireRecord<'routeTable'>> {
    return requireRecord(this.view(), 'routeTable', this.routeTableId)
  }

  /** Destinations of propagated routes. */
  get propagated (): string[] {
    return propagatedRoutes(this.snapshot, this.table).map(({ destination }) => destination)
  }

  /** `tunnel 1` and so on by prefix: which one wins. */
  get best (): Record<string, string> {
    return Object.fromEntries(bestPaths(this.snapshot, this.vgwId).map((path) =>
      [path.cidr, `${path.vpnConnectionId} ${path.outsideIpAddress}`]))
  }

  addStatic (vpnConnectionId: string, destinationCidrBlock: string): void {
    this.run(planCreateVpnConnectionRoute(this.view(), { vpnConnectionId, destinationCidrBlock }))
  }

  /** How `best` names a tunnel. */
  name (vpnId: string, tunnel: number): string { return `${vpnId} ${this.outside(vpnId, tunnel)}` }
}

test('a route is there while a tunnel that has it is up', (t) => {
  const net = new Net()
  const id = net.createVpn()
  t.is(net.propagate(), '')
  t.is(net.propagate(), '', 'twice is no error')
  t.deepEqual(net.propagated, [])
  net.up(id, 0, bgpPath('192.168.7.0/24'))
  net.up(id, 1, bgpPath('192.168.7.0/24'))
  t.deepEqual(net.propagated, ['192.168.7.0/24'])
  t.is(net.best['192.168.7.0/24'], net.name(id, 0))
  net.ipsec(id, 0, false)
  t.is(net.best['192.168.7.0/24'], net.name(id, 1), 'the other tunnel takes over')
  net.bgp(id, 1, false, [])
  t.deepEqual(net.propagated, [])
})

test('sites of one gateway that overlap are found, tunnels of one site are not', (t) => {
  const net = new Net()
  const one = net.createVpn({ customerGatewayId: net.createCgw(65_010, '198.51.100.20') })
  const other = net.createVpn({ customerGatewayId: net.createCgw(65_020, '198.51.100.21') })
  const overlaps = (vpnId: string, tunnel: number): string[] => siteOverlaps(net.snapshot,
    pathsOf(net.snapshot, net.vgwId), net.outside(vpnId, tunnel))
    .map(({ cidr, otherCidr, otherConnectionId }) => `${cidr} ${otherCidr} ${otherConnectionId}`)
  net.up(one, 0, bgpPath('192.168.0.0/16'))
  net.up(one, 1, bgpPath('192.168.0.0/16'))
  net.up(other, 0, bgpPath('172.16.0.0/24'))
  t.deepEqual(overlaps(one, 0), [])
  net.up(other, 0, bgpPath('192.168.7.0/24'), bgpPath('172.16.0.0/24'))
  t.deepEqual(overlaps(one, 0), [`192.168.0.0/16 192.168.7.0/24 ${other}`])
  t.deepEqual(overlaps(one, 1), [`192.168.0.0/16 192.168.7.0/24 ${other}`])
  t.deepEqual(overlaps(other, 0), [`192.168.7.0/24 192.168.0.0/16 ${one}`])
  t.deepEqual(overlaps(other, 1), [])
})

test('a propagated route gives way to local, static and prefix list routes', (t) => {
  const net = new Net()
  const id = net.createVpn()
  net.propagate()
  net.up(id, 0, bgpPath('10.0.0.0/16'), bgpPath('10.0.1.0/24'), bgpPath('192.168.0.0/16'),
    bgpPath('192.168.7.0/24'))
  const eniId = net.createInterface()
  const destination = { ipv4: '192.168.0.0/16', ipv6: undefined, prefixListId: undefined }
  net.run(planCreateRoute(net.view(), { routeTableId: net.routeTableId, destination,
    target: { NetworkInterfaceId: eniId } }))
  t.deepEqual(effectiveRoutes(net.snapshot, net.table)
    .filter(({ cidr }) => !cidr.includes(':'))
    .map(({ cidr, route }) => `${cidr} ${route.target.kind}`).sort(),
  ['10.0.0.0/16 local', '192.168.0.0/16 network-interface', '192.168.7.0/24 vpn-gateway'])
  const remove = (ipv4: string): string => net.refusal(() => net.run(planDeleteRoute(net.view(),
    { routeTableId: net.routeTableId, destination: { ...destination, ipv4 } })))
  t.is(remove('192.168.7.0/24'), 'InvalidParameterValue', 'nobody deletes a propagated one')
  t.is(remove('192.168.0.0/16'), '')
})

test('a detached gateway takes its routes with it, and static ones become blackholes', (t) => {
  const net = new Net()
  const id = net.createVpn()
  net.propagate()
  net.up(id, 0, bgpPath('192.168.7.0/24'))
  const target = { GatewayId: net.vgwId }
  net.run(planCreateRoute(net.view(), { routeTableId: net.routeTableId, target,
    destination: { ipv4: '172.16.0.0/12', ipv6: undefined, prefixListId: undefined } }))
  const state = (): string[] => net.table.routes
    .filter(({ destination }) => destination === '172.16.0.0/12')
    .map((route) => routeState(net.snapshot, net.vpcId, route))
  t.deepEqual(state(), ['active'])
  net.run(planDetachVpnGateway(net.view(), { vpnGatewayId: net.vgwId, vpcId: net.vpcId }))
  t.deepEqual(net.propagated, [])
  t.deepEqual(net.table.propagatingVgwIds, [])
  t.deepEqual(state(), ['blackhole'])
  t.is(net.propagate(), 'Gateway.NotAttached')
  t.is(net.propagate('vgw-0aaaaaaaaaaaaaaaa'), 'InvalidGatewayID.NotFound')
})

test('propagation is switched off, and off again', (t) => {
  const net = new Net()
  net.up(net.createVpn(), 0, bgpPath('192.168.7.0/24'))
  net.propagate()
  t.deepEqual(net.propagated, ['192.168.7.0/24'])
  const off = (): unknown => net.run(planDisableVgwRoutePropagation(net.view(),
    { routeTableId: net.routeTableId, gatewayId: net.vgwId }))
  off()
  off()
  t.deepEqual(net.propagated, [])
})

test('static before BGP, then the AS path, then the MED of one neighbour', (t) => {
  const net = new Net()
  const [first, second] = [net.createVpn(), net.createVpn()]
  const fixed = net.createVpn({ staticRoutesOnly: true })
  net.addStatic(fixed, '192.168.1.0/24')
  net.up(first, 0, bgpPath('192.168.1.0/24'), bgpPath('192.168.2.0/24', { asPath: [1, 1] }),
    bgpPath('192.168.3.0/24', { med: 200 }), bgpPath('192.168.4.0/24', { med: 200 }))
  net.up(second, 1, bgpPath('192.168.1.0/24'), bgpPath('192.168.2.0/24'),
    bgpPath('192.168.3.0/24', { med: 100 }),
    bgpPath('192.168.4.0/24', { asPath: [65_099], med: 100 }))
  net.up(fixed, 1)
  t.deepEqual(net.best, {
    '192.168.1.0/24': net.name(fixed, 1), '192.168.2.0/24': net.name(second, 1),
    '192.168.3.0/24': net.name(second, 1),
    '192.168.4.0/24': net.name(first, 0) // MEDs of two neighbours say nothing to each other
  })
})

test('a table takes 100 propagated routes, the shortest prefixes first', (t) => {
  const net = new Net()
  const paths = (octet: number): ReturnType<typeof bgpPath>[] =>
    Array.from({ length: 60 }, (_, n) => bgpPath(`${String(octet)}.0.${String(n)}.0/24`))
  net.up(net.createVpn(), 0, ...paths(20), bgpPath('30.0.0.0/8'))
  net.up(net.createVpn(), 0, ...paths(21))
  net.propagate()
  t.is(net.propagated.length, 100)
  t.is(net.propagated[0], '30.0.0.0/8')
  t.is(net.propagated.at(-1), '21.0.38.0/24')
})

test('the VPC is announced to each site, and each site to the others', (t) => {
  const net = new Net()
  const [first, second] = [net.createVpn(), net.createVpn()]
  const fixed = net.createVpn({ staticRoutesOnly: true })
  net.up(first, 0, bgpPath('192.168.1.0/24', { asPath: [65_010, 65_011] }))
  net.up(second, 0, bgpPath('192.168.2.0/24'))
  const said = (id: string): string[] => announcements(net.snapshot, net.vpn(id))
    .map(({ cidr, asPath }) => [cidr, ...asPath].join(' '))
  t.deepEqual(said(first), ['10.0.0.0/16', '192.168.2.0/24 65010'])
  t.deepEqual(said(second), ['10.0.0.0/16', '192.168.1.0/24 65010 65011'])
  t.deepEqual(said(fixed), [])
})

const PATH: fc.Arbitrary<VpnPath> = fc.record({
  cidr: fc.constant('192.168.0.0/16'), source: fc.constantFrom('static' as const, 'bgp' as const),
  asPath: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
  med: fc.integer({ min: 0, max: 3 }), communities: fc.constant([]),
  vpnConnectionId: fc.uuid(), outsideIpAddress: fc.constant('192.0.2.1')
})

/** What would have to be chosen instead of `path`: the order of AWS, pair by pair. */
function beats (other: VpnPath, path: VpnPath): boolean {
  if (other.source !== path.source) return other.source === 'static'
  if (path.source === 'static') return false
  if (other.asPath.length !== path.asPath.length) return other.asPath.length < path.asPath.length
  return other.asPath[0] === path.asPath[0] && other.med < path.med
}

test('no path beats the best one, and no other path says who it is', (t) => {
  fc.assert(fc.property(fc.array(PATH, { minLength: 1, maxLength: 8 }), (paths) => {
    const best = bestPath(paths)
    t.true(paths.includes(best))
    t.false(paths.some((other) => beats(other, best)), JSON.stringify({ paths, best }))
    const without = paths.filter((path) => path === best || !beats(best, path))
    t.is(bestPath(without), best, 'what the best one beats decides nothing')
  }))
})

test('while the endpoint of a tunnel is replaced, the other one has the lowest MED', (t) => {
  const net = new VpnNetwork()
  const id = net.createVpn()
  for (const tunnel of [0, 1]) net.up(id, tunnel)
  const meds = (): number[] => net.vpn(id).tunnels
    .map((tunnel) => medOfTunnel(net.snapshot, net.vpn(id), tunnel))
  t.deepEqual(meds(), [100, 200])
  net.run(planReplaceVpnTunnel(net.view(),
    { vpnConnectionId: id, outsideIpAddress: net.outside(id, 0) }, net.context))
  t.deepEqual(meds(), [100, 50], 'the old endpoint is still up')
  net.ipsec(id, 0, false)
  t.deepEqual(meds(), [100, 50])
  net.ipsec(id, 0, true, net.vpn(id).tunnels[0]?.replacedMs ?? 0)
  t.deepEqual(meds(), [100, 200])
  net.run(planModifyVpnTunnelOptions(net.view(), { vpnConnectionId: id,
    outsideIpAddress: net.outside(id, 1), options: { replayWindowSize: 128 } },
  { ...net.context, nowMs: net.context.nowMs + 1 }))
  t.deepEqual(meds(), [50, 200])
})

test('of two devices with two tunnels each, one that prepends waits, and takes over', (t) => {
  const net = new VpnNetwork()
  const [spare, main] = [net.createVpn(), net.createVpn()]
  const lan = '192.168.7.0/24'
  const used = (): string | undefined => bestPaths(net.snapshot, net.vgwId)[0]?.outsideIpAddress
  for (const tunnel of [0, 1]) {
    net.up(spare, tunnel, bgpPath(lan, { asPath: [65_010, 65_010] }))
    net.up(main, tunnel, bgpPath(lan))
  }
  t.is(used(), net.outside(main, 0))
  net.ipsec(main, 0, false)
  t.is(used(), net.outside(main, 1))
  net.bgp(main, 1, true, [])
  t.is(used(), net.outside(spare, 0), 'withdrawn by the other device')
  net.up(main, 1, bgpPath(lan))
  t.is(used(), net.outside(main, 1), 'announced again')
})
