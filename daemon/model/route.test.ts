/**
 * Route tables: which routes may be made, which table a subnet has, and when a route is a
 * blackhole.
 */
import test from 'ava'
import { planStopInstances } from './instance.ts'
import { planInstanceReached } from './instance_agent.ts'
import { planDeleteNetworkInterface } from './network_interface.ts'
import { planAttachNetworkInterface } from './network_interface_attachment.ts'
import { requireRecord } from './resource_kind.ts'
import { planCreateRoute, planDeleteRoute, planReplaceRoute } from './route.ts'
import type { RouteInput } from './route.ts'
import {
  isMainRouteTable, planAssociateRouteTable, planCreateRouteTable, planDeleteRouteTable,
  planDisassociateRouteTable, planReplaceRouteTableAssociation, routeState, routeTableOfSubnet
} from './route_table.ts'
import type { Route, RouteTable } from './route_table.ts'
import type { TargetInput } from './route_target.ts'
import { TestNetwork } from './test_network.ts'
import { planAssociateVpcCidrBlock } from './vpc.ts'

/** A table of its own, an ENI as target, and the calls on routes. */
class TestTable extends TestNetwork {
  readonly eniId = this.createInterface()
  readonly routeTableId = this.newTable()

  newTable (vpcId = this.vpcId): string {
    return this.run(planCreateRouteTable(this.view(), { vpcId, tags: {} }, this.context))
  }

  get table (): RouteTable { return requireRecord(this.view(), 'routeTable', this.routeTableId) }

  get mainTable (): RouteTable {
    const main = this.view().by('routeTable', 'vpcId', this.vpcId).find(isMainRouteTable)
    if (main === undefined) throw new Error('no main table')
    return main
  }

  input (cidr: string, target: TargetInput = { NetworkInterfaceId: this.eniId }): RouteInput {
    const isIpv6 = cidr.includes(':')
    const destination =
      { ipv4: isIpv6 ? undefined : cidr, ipv6: isIpv6 ? cidr : undefined, prefixListId: undefined }
    return { routeTableId: this.routeTableId, destination, target }
  }

  create (cidr: string, target?: TargetInput): string {
    return this.refusal(() => this.run(planCreateRoute(this.view(), this.input(cidr, target))))
  }

  replace (cidr: string, target: TargetInput, localTarget = false): string {
    return this.refusal(() =>
      this.run(planReplaceRoute(this.view(), { ...this.input(cidr, target), localTarget })))
  }

  delete (cidr: string): string {
    return this.refusal(() => this.run(planDeleteRoute(this.view(), this.input(cidr))))
  }

  route (destination: string): Route | undefined {
    return this.table.routes.find((route) => route.destination === destination)
  }

  state (destination: string): string {
    const route = this.route(destination)
    return route === undefined ? 'none' : routeState(this.snapshot, this.vpcId, route)
  }
}

test('a new table has a local route for each block of the VPC', (t) => {
  const net = new TestTable()
  t.deepEqual(net.table.routes.map(({ destination, target, origin }) =>
    [destination, target.kind, origin]), [
    ['10.0.0.0/16', 'local', 'CreateRouteTable'],
    ['2001:db8:0:100::/56', 'local', 'CreateRouteTable']
  ])
})

test('a block that joins the VPC becomes a local route of every table', (t) => {
  const net = new TestTable()
  net.create('0.0.0.0/0')
  const input = { vpcId: net.vpcId, cidrBlock: '10.1.0.0/16', amazonProvidedIpv6CidrBlock: false }
  net.run(planAssociateVpcCidrBlock(net.view(), input, net.context))
  for (const table of net.view().list('routeTable')) {
    t.true(table.routes.some(({ destination, target }) => destination === '10.1.0.0/16' &&
      target.kind === 'local'))
  }
  t.deepEqual(net.table.routes.map(({ destination }) => destination).at(-1), '0.0.0.0/0',
    'local routes stand first')
})

for (const [cidr, code] of [
  ['0.0.0.0/0', ''], ['::/0', ''], ['192.168.7.9/16', ''], ['10.0.0.0/8', ''],
  ['10.0.1.0/24', ''], // the whole of a subnet
  ['2001:db8:0:100::/64', ''],
  ['10.0.0.0/16', 'RouteAlreadyExists'], // the local route
  ['10.0.1.0/25', 'InvalidParameterValue'], ['10.0.0.0/20', 'InvalidParameterValue'],
  ['10.0.99.0/24', 'InvalidParameterValue'],
  ['2001:db8:0:100::/72', 'InvalidParameterValue'],
  ['169.254.168.0/22', 'InvalidParameterValue'], ['169.254.170.0/24', 'InvalidParameterValue'],
  ['169.254.0.0/16', ''],
  ['fd00:ec2::/32', 'InvalidParameterValue'], ['fd00:ec2::254/128', 'InvalidParameterValue'],
  ['fd00::/16', ''],
  ['10.0.0.0', 'InvalidParameterValue'], ['10.0.0.0/33', 'InvalidParameterValue'],
  ['300.0.0.0/8', 'InvalidParameterValue']
] as const) {
  test(`a route to ${cidr} is ${code === '' ? 'made' : `refused with ${code}`}`, (t) => {
    t.is(new TestTable().create(cidr), code)
  })
}

test('a destination is stored in canonical form and exists once', (t) => {
  const net = new TestTable()
  t.is(net.create('192.168.7.9/16'), '')
  t.truthy(net.route('192.168.0.0/16'))
  t.is(net.create('192.168.0.0/16'), 'RouteAlreadyExists')
})

test('a target is exactly one thing that exists in the same VPC', (t) => {
  const net = new TestTable()
  const far = net.createInterface({ subnetId: net.createSubnet('10.0.1.0/24', 'use1-az1', undefined,
    net.createVpc()) })
  const [instanceId = ''] = net.launch()
  const refusals = {
    '': { InstanceId: instanceId },
    MissingParameter: {},
    InvalidParameterCombination: { NetworkInterfaceId: net.eniId, InstanceId: instanceId },
    InvalidParameterValue: { NetworkInterfaceId: far },
    'InvalidNetworkInterfaceID.NotFound': { NetworkInterfaceId: 'eni-0aaaaaaaaaaaaaaaa' },
    'InvalidInstanceID.NotFound': { InstanceId: 'i-0aaaaaaaaaaaaaaaa' },
    'InvalidGatewayID.NotFound': { GatewayId: 'igw-0aaaaaaaaaaaaaaaa' },
    'InvalidNatGatewayID.NotFound': { NatGatewayId: 'nat-0aaaaaaaaaaaaaaaa' },
    'InvalidVpcPeeringConnectionID.NotFound': { VpcPeeringConnectionId: 'pcx-0aaaaaaaaaaaaaaaa' },
    'InvalidTransitGatewayID.NotFound': { TransitGatewayId: 'tgw-0aaaaaaaaaaaaaaaa' },
    'InvalidVpcEndpointId.NotFound': { VpcEndpointId: 'vpce-0aaaaaaaaaaaaaaaa' }
  }
  for (const [code, target] of Object.entries(refusals)) {
    t.is(net.refusal(() => planCreateRoute(net.view(), net.input('0.0.0.0/0', target))), code)
  }
})

test('an instance as target stands for its only interface', (t) => {
  const net = new TestTable()
  const [instanceId = ''] = net.launch()
  net.create('0.0.0.0/0', { InstanceId: instanceId })
  const [primary] = net.view().list('networkInterface').filter(({ attachment }) =>
    attachment?.instanceId === instanceId)
  t.deepEqual(net.route('0.0.0.0/0')?.target,
    { kind: 'network-interface', networkInterfaceId: primary?.id ?? '' })
  net.run(planInstanceReached(net.snapshot, net.view().get('instance', instanceId)?.hostName ?? '',
    instanceId, 'running', net.context))
  net.run(planAttachNetworkInterface(net.view(),
    { networkInterfaceId: net.eniId, instanceId, deviceIndex: 1 }, net.context))
  t.is(net.create('192.168.0.0/16', { InstanceId: instanceId }), 'InvalidInstanceID')
})

test('a route to an ENI is active while its instance is up, and a blackhole otherwise', (t) => {
  const net = new TestTable()
  net.create('0.0.0.0/0')
  t.is(net.state('0.0.0.0/0'), 'blackhole', 'not attached')
  const [instanceId = ''] = net.launch()
  const hostName = net.view().get('instance', instanceId)?.hostName ?? ''
  net.run(planInstanceReached(net.snapshot, hostName, instanceId, 'running', net.context))
  net.run(planAttachNetworkInterface(net.view(),
    { networkInterfaceId: net.eniId, instanceId, deviceIndex: 1 }, net.context))
  t.is(net.state('0.0.0.0/0'), 'active')
  net.run(planStopInstances(net.view(), { instanceIds: [instanceId] }, net.context))
  net.run(planInstanceReached(net.snapshot, hostName, instanceId, 'stopped', net.context))
  t.is(net.state('0.0.0.0/0'), 'blackhole', 'stopped')
  const gone = net.createInterface()
  net.create('192.168.0.0/16', { NetworkInterfaceId: gone })
  net.run(planDeleteNetworkInterface(net.view(), { networkInterfaceId: gone }))
  t.is(net.state('192.168.0.0/16'), 'blackhole', 'deleted: the route stays')
})

test('the local route cannot be deleted; its target can be replaced and restored', (t) => {
  const net = new TestTable()
  t.is(net.delete('10.0.0.0/16'), 'InvalidParameterValue')
  t.is(net.replace('10.0.0.0/16', { NetworkInterfaceId: net.eniId }), '')
  t.like(net.route('10.0.0.0/16'),
    { target: { kind: 'network-interface' }, origin: 'CreateRouteTable' })
  t.is(net.replace('10.0.0.0/16', { NetworkInterfaceId: net.eniId }, true),
    'InvalidParameterCombination')
  t.is(net.replace('10.0.0.0/16', {}, true), '')
  t.deepEqual(net.route('10.0.0.0/16')?.target, { kind: 'local' })
  net.create('0.0.0.0/0')
  t.is(net.replace('0.0.0.0/0', {}, true), 'InvalidParameterValue', 'no local route')
})

test('a route that is absent is neither replaced nor deleted', (t) => {
  const net = new TestTable()
  t.is(net.replace('192.168.0.0/16', { NetworkInterfaceId: net.eniId }), 'InvalidParameterValue')
  t.is(net.delete('192.168.0.0/16'), 'InvalidRoute.NotFound')
  net.create('192.168.0.0/16')
  t.is(net.delete('192.168.0.0/16'), '')
  t.is(net.route('192.168.0.0/16'), undefined)
})

test('the 51st route of a family is refused, until the quota is raised', (t) => {
  const net = new TestTable()
  for (let n = 0; n < 50; n++) t.is(net.create(`172.16.${n}.0/24`), '')
  t.is(net.create('172.17.0.0/24'), 'RouteLimitExceeded')
  t.is(net.create('2001:db8:ffff::/48'), '', 'families are counted apart')
  net.setQuota('routes-per-route-table', 51)
  t.is(net.create('172.17.0.0/24'), '')
})

test('a subnet uses the main table until it is associated, and again afterwards', (t) => {
  const net = new TestTable()
  const tableId = (): string | undefined =>
    routeTableOfSubnet(net.snapshot, requireRecord(net.view(), 'subnet', net.subnetId))?.id
  const main = net.mainTable.id
  t.is(tableId(), main)
  const associationId = net.run(planAssociateRouteTable(net.view(),
    { routeTableId: net.routeTableId, subnetId: net.subnetId }, net.context))
  t.is(tableId(), net.routeTableId)
  const again = { routeTableId: net.newTable(), subnetId: net.subnetId }
  t.is(net.refusal(() => planAssociateRouteTable(net.view(), again, net.context)),
    'Resource.AlreadyAssociated')
  net.run(planDisassociateRouteTable(net.view(), { associationId }))
  t.is(tableId(), main)
  t.is(net.refusal(() => planDisassociateRouteTable(net.view(), { associationId })),
    'InvalidAssociationID.NotFound')
})

test('the main association moves and cannot be removed', (t) => {
  const net = new TestTable()
  const old = net.mainTable
  const associationId = old.associations[0]?.id ?? ''
  t.is(net.refusal(() => planDisassociateRouteTable(net.view(), { associationId })),
    'InvalidParameterValue')
  const moved = net.run(planReplaceRouteTableAssociation(net.view(),
    { associationId, routeTableId: net.routeTableId }, net.context))
  t.not(moved, associationId)
  t.is(net.mainTable.id, net.routeTableId)
  t.is(net.refusal(() => net.run(planDeleteRouteTable(net.view(),
    { routeTableId: net.routeTableId }))), 'DependencyViolation')
  t.is(net.refusal(() => net.run(planDeleteRouteTable(net.view(), { routeTableId: old.id }))), '')
  const same = net.run(planReplaceRouteTableAssociation(net.view(),
    { associationId: moved, routeTableId: net.routeTableId }, net.context))
  t.deepEqual(net.mainTable.associations.map(({ id }) => id), [same])
})

test('tables and subnets of different VPCs do not mix, and the quota holds', (t) => {
  const net = new TestTable()
  const farTable = net.newTable(net.createVpc())
  const far = { routeTableId: farTable, subnetId: net.subnetId }
  t.is(net.refusal(() => planAssociateRouteTable(net.view(), far, net.context)),
    'InvalidParameterValue')
  const associationId = net.mainTable.associations[0]?.id ?? ''
  const move = { associationId, routeTableId: farTable }
  t.is(net.refusal(() => planReplaceRouteTableAssociation(net.view(), move, net.context)),
    'InvalidParameterValue')
  net.setQuota('route-tables-per-vpc', 2)
  t.is(net.refusal(() => net.newTable()), 'RouteTableLimitExceeded')
})
