/**
 * Which route a packet takes, asked of whole route tables: records that the plans made, compiled,
 * and a packet explained. AWS VPC User Guide, "How route priority works".
 *
 *     10.0.0.0/16, 2001:db8:0:100::/56
 *     ├ 10.0.1.0/24  sender                its table is the one that the tests route
 *     └ 10.0.2.0/28  x, y                  without source/destination check
 *
 * An answer is `<destination of the route> <who got it>`, or the reason of the drop.
 */
import test from 'ava'
import { Directory } from '../mapping/directory.ts'
import { interfacesOfInstance, planStopInstances } from '../model/instance.ts'
import { planInstanceReached } from '../model/instance_agent.ts'
import { planDeleteNetworkInterface } from '../model/network_interface.ts'
import {
  planAttachNetworkInterface, planDetachNetworkInterface
} from '../model/network_interface_attachment.ts'
import { planCreatePrefixList } from '../model/prefix_list.ts'
import { requireRecord } from '../model/resource_kind.ts'
import { planCreateRoute, planReplaceRoute } from '../model/route.ts'
import type { DestinationInput } from '../model/route.ts'
import { planAssociateRouteTable, planCreateRouteTable } from '../model/route_table.ts'
import { put } from '../model/snapshot.ts'
import { TestNetwork } from '../model/test_network.ts'
import { PROTOCOL_ICMP } from '../wire/ip_protocol.ts'
import { Explainer, RECORDS_ALONE } from './explainer.ts'
import { openingPacket } from './made_packet.ts'
import { TEST_CLOCK } from './testing/simulated_hosts.ts'

interface Member { readonly instanceId: string, readonly eni: string, readonly hostName: string }

class RoutedNetwork extends TestNetwork {
  readonly sender = this.#member(this.subnetId)
  readonly x = this.#member(this.otherSubnetId)
  readonly y = this.#member(this.otherSubnetId)
  readonly routeTableId = this.run(planCreateRouteTable(this.view(),
    { vpcId: this.vpcId, tags: {} }, this.context))

  constructor () {
    super()
    this.run(planAssociateRouteTable(this.view(),
      { routeTableId: this.routeTableId, subnetId: this.subnetId }, this.context))
  }

  #member (subnetId: string): Member {
    const ipv6 = subnetId === this.subnetId
      ? { addresses: [], addressCount: 1, prefixes: [], prefixCount: 0 } : null
    const [instanceId = ''] = this.launch({}, { subnetId, ipv6 })
    const instance = requireRecord(this.view(), 'instance', instanceId)
    const hostName = instance.hostName ?? ''
    this.run(planInstanceReached(this.snapshot, hostName, instanceId, 'running', this.context))
    const [eni] = interfacesOfInstance(this.snapshot, instance)
    if (eni === undefined) throw new Error(`${instanceId} has no ENI`)
    this.apply([put('networkInterface',
      { ...this.interfaceOf(eni.id), sourceDestCheck: false })])
    return { instanceId, eni: eni.id, hostName }
  }

  stop ({ instanceId, hostName }: Member): void {
    this.run(planStopInstances(this.view(), { instanceIds: [instanceId] }, this.context))
    this.run(planInstanceReached(this.snapshot, hostName, instanceId, 'stopped', this.context))
  }

  list (...cidrs: string[]): string {
    return this.run(planCreatePrefixList(this.view(), {
      name: 'list', addressFamily: cidrs[0]?.includes(':') === true ? 'IPv6' : 'IPv4',
      maxEntries: cidrs.length, entries: cidrs.map((cidr) => ({ cidr, description: '' })), tags: {}
    }, this.context))
  }

  /** A static route, to a block or a list. */
  route (destination: string, eni: string): void {
    this.run(planCreateRoute(this.view(), { routeTableId: this.routeTableId,
      destination: destinationOf(destination), target: { NetworkInterfaceId: eni } }))
  }

  /** A route as a virtual private gateway will propagate it; there is no call for it yet. */
  propagate (destination: string, networkInterfaceId: string): void {
    const table = requireRecord(this.view(), 'routeTable', this.routeTableId)
    this.apply([put('routeTable', { ...table, routes: [...table.routes, {
      destination, origin: 'EnableVgwRoutePropagation',
      target: { kind: 'network-interface', networkInterfaceId }
    }] })])
  }

  /** @param eni null gives the local route its own target back */
  replace (destination: string, eni: string | null): void {
    this.run(planReplaceRoute(this.view(), { routeTableId: this.routeTableId,
      destination: destinationOf(destination), localTarget: eni === null,
      target: eni === null ? {} : { NetworkInterfaceId: eni } }))
  }

  /** What becomes of a ping of the sender. */
  ping (destination: string): string {
    const { snapshot } = this
    const sender = this.interfaceOf(this.sender.eni)
    const source = destination.includes(':') ? sender.ipv6Addresses[0] ?? ''
      : this.addressOf(sender.id)
    const explainer = new Explainer({ snapshot, directory: new Directory(snapshot),
      clock: TEST_CLOCK, live: RECORDS_ALONE })
    const walk = explainer.trace(sender.id,
      openingPacket({ source, destination, protocol: PROTOCOL_ICMP }))
    if (walk === null) throw new Error('the sender does not run')
    const route = walk.sides[0]?.steps.find(({ step }) => step === 'route')
    const end = walk.obstacle?.reason ?? this.#nameOf(walk.deliveredTo)
    return route?.rule === undefined || route.rule === null ? end : `${route.rule} ${end}`
  }

  addressOf (eni: string): string { return this.interfaceOf(eni).privateIpAddresses[0] ?? '' }

  #nameOf (eni: string | null): string {
    const { x, y } = this
    return Object.entries({ x, y }).find(([, member]) => member.eni === eni)?.[0] ?? String(eni)
  }
}

function destinationOf (text: string): DestinationInput {
  return {
    ipv4: text.includes('.') ? text : undefined, ipv6: text.includes(':') ? text : undefined,
    prefixListId: text.startsWith('pl-') ? text : undefined
  }
}

test('the longest prefix wins, whatever the route is and whenever it was made', (t) => {
  const net = new RoutedNetwork()
  const { x, y } = net
  t.is(net.ping('192.0.2.1'), 'no-route')
  net.route('192.0.2.0/24', x.eni)
  net.route('0.0.0.0/0', y.eni)
  t.is(net.ping('192.0.2.1'), '192.0.2.0/24 x')
  t.is(net.ping('198.51.100.1'), '0.0.0.0/0 y')
  net.route(net.list('192.0.2.0/25'), y.eni)
  t.is(net.ping('192.0.2.1'), '192.0.2.0/25 y', 'an entry of a list before a wider static route')
  t.is(net.ping('192.0.2.129'), '192.0.2.0/24 x')
  net.propagate('192.0.2.0/26', x.eni)
  t.is(net.ping('192.0.2.1'), '192.0.2.0/26 x', 'and a propagated one before both')
  net.route('192.0.2.1/32', y.eni)
  t.is(net.ping('192.0.2.1'), '192.0.2.1/32 y')
})

test('of equal prefixes: static, then prefix list, then propagated', (t) => {
  const net = new RoutedNetwork()
  const { x, y } = net
  net.propagate('192.0.2.0/24', x.eni)
  t.is(net.ping('192.0.2.1'), '192.0.2.0/24 x')
  net.route(net.list('192.0.2.0/24', '198.51.100.0/24'), y.eni)
  t.is(net.ping('192.0.2.1'), '192.0.2.0/24 y', 'the list')
  net.route('192.0.2.0/24', x.eni)
  t.is(net.ping('192.0.2.1'), '192.0.2.0/24 x', 'the static one')
  t.is(net.ping('198.51.100.1'), '198.51.100.0/24 y', 'the rest of the list stays')
})

test('the local route comes before propagated ones, even longer ones, and before lists', (t) => {
  const net = new RoutedNetwork()
  const to = net.addressOf(net.x.eni)
  net.propagate('10.0.0.0/16', net.y.eni)
  net.propagate('10.0.2.0/28', net.y.eni)
  net.propagate(`${to}/32`, net.y.eni)
  net.route(net.list('10.0.2.0/28'), net.y.eni)
  t.is(net.ping(to), '10.0.0.0/16 x')
  net.route('10.0.2.0/28', net.y.eni)
  t.is(net.ping(to), '10.0.2.0/28 y', 'a static route to a whole subnet alone is longer')
})

test('the local route can lead to an ENI, and to itself again', (t) => {
  const net = new RoutedNetwork()
  const to = net.addressOf(net.x.eni)
  net.replace('10.0.0.0/16', net.y.eni)
  t.is(net.ping(to), '10.0.0.0/16 y')
  net.replace('10.0.0.0/16', null)
  t.is(net.ping(to), '10.0.0.0/16 x')
})

test('IPv4 and IPv6 are separate worlds', (t) => {
  const net = new RoutedNetwork()
  net.route('0.0.0.0/0', net.x.eni)
  t.is(net.ping('192.0.2.1'), '0.0.0.0/0 x')
  t.is(net.ping('2001:db8:ffff::1'), 'no-route')
  net.route('::/0', net.y.eni)
  t.is(net.ping('2001:db8:ffff::1'), '::/0 y')
  net.route(net.list('2001:db8:ffff::/48'), net.x.eni)
  t.is(net.ping('2001:db8:ffff::1'), '2001:db8:ffff::/48 x')
  t.is(net.ping('192.0.2.1'), '0.0.0.0/0 x')
})

test('a wider route does not catch what goes to the services of AWS', (t) => {
  const net = new RoutedNetwork()
  for (const cidr of ['0.0.0.0/0', '169.254.0.0/16', '::/0', 'fd00::/16']) {
    net.route(cidr, net.x.eni)
  }
  net.route(net.list('169.254.168.0/22', '169.254.170.2/32'), net.y.eni)
  for (const address of ['169.254.168.1', '169.254.170.2', 'fd00:ec2::253']) {
    t.is(net.ping(address), 'link-local', address)
  }
  t.is(net.ping('fd00::1'), 'fd00::/16 x')
})

for (const [what, takeDown] of [
  ['stopped', (net) => { net.stop(net.x) }],
  ['detached', (net, eni) => {
    const attachmentId = net.interfaceOf(eni).attachment?.id ?? ''
    net.run(planDetachNetworkInterface(net.view(), { attachmentId }))
    net.run(planDeleteNetworkInterface(net.view(), { networkInterfaceId: eni }))
  }]
] as readonly (readonly [string, (net: RoutedNetwork, eni: string) => void])[]) {
  test(`a route to an ENI whose instance is ${what} swallows packets, no shorter one helps`,
    (t) => {
    const net = new RoutedNetwork()
    const eni = net.createInterface({ subnetId: net.otherSubnetId })
    net.run(planAttachNetworkInterface(net.view(),
      { networkInterfaceId: eni, instanceId: net.x.instanceId, deviceIndex: 1 }, net.context))
    net.apply([put('networkInterface', { ...net.interfaceOf(eni), sourceDestCheck: false })])
    net.route('0.0.0.0/0', net.y.eni)
    net.route('192.0.2.0/24', eni)
    t.is(net.ping('192.0.2.1'), `192.0.2.0/24 ${eni}`)
    takeDown(net, eni)
    t.is(net.ping('192.0.2.1'), '192.0.2.0/24 blackhole')
    t.is(net.ping('198.51.100.1'), '0.0.0.0/0 y')
  })
}

test('inside the subnet no table is asked', (t) => {
  const net = new RoutedNetwork()
  const near = net.createInterface()
  net.replace('10.0.0.0/16', net.y.eni)
  const [instanceId = ''] = net.launch({}, { subnetId: null, networkInterfaceId: near })
  const { hostName } = requireRecord(net.view(), 'instance', instanceId)
  net.run(planInstanceReached(net.snapshot, hostName ?? '', instanceId, 'running', net.context))
  t.is(net.ping(net.addressOf(near)), near)
})
