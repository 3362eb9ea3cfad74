import test from 'ava'
import { newRouteTable, newSubnet, newVpc, World } from '../compile/test_world.ts'
import type { Route } from '../model/route_table.ts'
import { pathsOf } from './traffic_path.ts'

const route = (destination: string, target: Route['target']): Route =>
  ({ destination, target, origin: 'CreateRoute' })

test('the longest route that holds the destination tells the path', (t) => {
  const world = new World()
  const vpc = world.put('vpc', newVpc(1))
  const subnet = world.put('subnet', newSubnet(1, vpc.id))
  world.put('routeTable', {
    ...newRouteTable(1, vpc.id),
    associations: [{ id: 'rtbassoc-1', subnetId: null, gatewayId: null }],
    routes: [
      route('0.0.0.0/0', { kind: 'internet-gateway', gatewayId: 'igw-00000000000000001' }),
      route('198.18.0.0/15', { kind: 'nat-gateway', natGatewayId: 'nat-00000000000000001' }),
      route('198.18.7.0/24',
        { kind: 'network-interface', networkInterfaceId: 'eni-00000000000000001' }),
      route('2001:db8::/32',
        { kind: 'egress-only-internet-gateway', gatewayId: 'eigw-00000000000000001' })
    ]
  })
  world.commit()
  const pathTo = pathsOf(world.snapshot, vpc.id, subnet.id)
  t.is(pathTo('10.0.9.9'), '1', 'in the VPC')
  t.is(pathTo('198.51.100.10'), '8')
  t.is(pathTo('198.18.1.1'), '1')
  t.is(pathTo('198.18.7.1'), '1')
  t.is(pathTo('2001:db8::1'), '-')
  t.is(pathsOf(world.snapshot, vpc.id, 'subnet-00000000000000009')('198.51.100.10'), '-')
})
