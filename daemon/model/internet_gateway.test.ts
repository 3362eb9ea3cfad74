/** Internet gateways, routes to gateways, and route tables of gateways. */
import test from 'ava'
import {
  planCreateEgressOnlyInternetGateway, planDeleteEgressOnlyInternetGateway
} from './egress_only_internet_gateway.ts'
import { planAttachInternetGateway, planDeleteInternetGateway } from './internet_gateway.ts'
import { requireRecord } from './resource_kind.ts'
import { planCreateRoute, planReplaceRoute } from './route.ts'
import {
  isMainRouteTable, planAssociateRouteTable, planCreateRouteTable, planDeleteRouteTable,
  planReplaceRouteTableAssociation, routeState, routeTableOfGateway
} from './route_table.ts'
import type { TargetInput } from './route_target.ts'
import { PublicNetwork } from './test_public_network.ts'
import { planDeleteVpc } from './vpc.ts'

class Net extends PublicNetwork {
  readonly routeTableId = this.newTable()

  newTable (vpcId = this.vpcId): string {
    return this.run(planCreateRouteTable(this.view(), { vpcId, tags: {} }, this.context))
  }

  route (cidr: string, target: TargetInput, routeTableId = this.routeTableId): string {
    const isIpv6 = cidr.includes(':')
    return this.refusal(() => this.run(planCreateRoute(this.view(), {
      routeTableId, target, destination: { ipv4: isIpv6 ? undefined : cidr,
        ipv6: isIpv6 ? cidr : undefined, prefixListId: undefined }
    })))
  }

  state (destination: string): string {
    const table = requireRecord(this.view(), 'routeTable', this.routeTableId)
    const route = table.routes.find((one) => one.destination === destination)
    return route === undefined ? 'none' : routeState(this.snapshot, table.vpcId, route)
  }

  associate (input: { subnetId?: string, gatewayId?: string },
    routeTableId = this.routeTableId): string {
    return this.refusal(() => this.run(
      planAssociateRouteTable(this.view(), { routeTableId, ...input }, this.context)))
  }

  get mainTableId (): string {
    return this.view().by('routeTable', 'vpcId', this.vpcId).find(isMainRouteTable)?.id ?? ''
  }
}

test('a VPC has one internet gateway, and a gateway one VPC', (t) => {
  const net = new Net()
  const [other, otherVpc] = [net.createGateway(), net.createVpc()]
  const attach = (internetGatewayId: string, vpcId: string): string => net.refusal(() =>
    net.run(planAttachInternetGateway(net.view(), { internetGatewayId, vpcId })))
  t.is(attach(net.gatewayId, otherVpc), 'Resource.AlreadyAssociated')
  t.is(attach(other, net.vpcId), 'InvalidParameterValue')
  t.is(attach(other, 'vpc-0aaaaaaaaaaaaaaaa'), 'InvalidVpcID.NotFound')
  t.is(attach('igw-0aaaaaaaaaaaaaaaa', otherVpc), 'InvalidInternetGatewayID.NotFound')
  t.is(attach('igw-x', otherVpc), 'InvalidInternetGatewayId.Malformed')
  t.is(attach(other, otherVpc), '')
})

test('an attached gateway is not deleted, nor is its VPC', (t) => {
  const net = new Net()
  const remove = (): string => net.refusal(() =>
    net.run(planDeleteInternetGateway(net.view(), { internetGatewayId: net.gatewayId })))
  t.is(remove(), 'DependencyViolation')
  const empty = net.createVpc()
  const gateway = net.createGateway(empty)
  t.is(net.refusal(() => planDeleteVpc(net.view(), empty)), 'DependencyViolation')
  t.is(net.detach(gateway, empty), '')
  t.is(net.refusal(() => planDeleteVpc(net.view(), empty)), '')
  t.is(net.detach(), '')
  t.is(net.detach(), 'Gateway.NotAttached')
  t.is(remove(), '')
})

test('a gateway stays while something in the VPC has a public address', (t) => {
  const net = new Net()
  const eip = net.allocate()
  t.is(net.giveAddress(eip, net.createInterface()), '')
  t.is(net.detach(), 'DependencyViolation')
  net.disassociate(eip)
  t.is(net.detach(), '')
})

test('the sixth internet gateway is refused', (t) => {
  const net = new Net()
  for (let n = 1; n < 5; n++) net.createGateway()
  t.is(net.refusal(() => net.createGateway()), 'InternetGatewayLimitExceeded')
})

test('a route to a gateway follows the attachment', (t) => {
  const net = new Net()
  t.is(net.route('0.0.0.0/0', { GatewayId: net.gatewayId }), '')
  t.is(net.state('0.0.0.0/0'), 'active')
  net.detach()
  t.is(net.state('0.0.0.0/0'), 'blackhole')
  const otherVpc = net.createVpc()
  net.run(planAttachInternetGateway(net.view(),
    { internetGatewayId: net.gatewayId, vpcId: otherVpc }))
  t.is(net.state('0.0.0.0/0'), 'blackhole', 'another VPC has it')
  net.detach(net.gatewayId, otherVpc)
  net.run(planDeleteInternetGateway(net.view(), { internetGatewayId: net.gatewayId }))
  t.is(net.state('0.0.0.0/0'), 'blackhole')
})

test('routes to gateways of another VPC, or of the wrong family, are refused', (t) => {
  const net = new Net()
  const otherVpc = net.createVpc()
  const [detached, far] = [net.createGateway(), net.createGateway(otherVpc)]
  const eigw = net.run(planCreateEgressOnlyInternetGateway(net.view(),
    { vpcId: net.vpcId, tags: {} }, net.context))
  const farEigw = net.run(planCreateEgressOnlyInternetGateway(net.view(),
    { vpcId: otherVpc, tags: {} }, net.context))
  t.is(net.route('0.0.0.0/0', { GatewayId: detached }), 'InvalidParameterValue')
  t.is(net.route('0.0.0.0/0', { GatewayId: far }), 'InvalidParameterValue')
  t.is(net.route('0.0.0.0/0', { GatewayId: 'vgw-0aaaaaaaaaaaaaaaa' }), 'InvalidGatewayID.NotFound')
  t.is(net.route('::/0', { EgressOnlyInternetGatewayId: farEigw }), 'InvalidParameterValue')
  t.is(net.route('::/0', { EgressOnlyInternetGatewayId: 'eigw-0aaaaaaaaaaaaaaaa' }),
    'InvalidGatewayID.NotFound')
  t.is(net.route('0.0.0.0/0', { EgressOnlyInternetGatewayId: eigw }), 'InvalidParameterValue')
  t.is(net.route('::/0', { EgressOnlyInternetGatewayId: eigw }), '')
  t.is(net.route('10.0.1.0/24', { GatewayId: net.gatewayId }), 'InvalidParameterValue',
    'what lies inside the VPC stays inside')
  t.is(net.refusal(() => planReplaceRoute(net.view(), {
    routeTableId: net.routeTableId, target: { GatewayId: net.gatewayId }, localTarget: false,
    destination: { ipv4: '10.0.0.0/16', ipv6: undefined, prefixListId: undefined }
  })), 'InvalidParameterValue')
})

test('an egress-only gateway is the only one of its VPC and leaves a blackhole', (t) => {
  const net = new Net()
  const create = (): string => net.run(planCreateEgressOnlyInternetGateway(net.view(),
    { vpcId: net.vpcId, tags: {} }, net.context))
  const id = create()
  t.is(net.refusal(create), 'InvalidParameterValue')
  net.route('::/0', { EgressOnlyInternetGatewayId: id })
  t.is(net.state('::/0'), 'active')
  net.run(planDeleteEgressOnlyInternetGateway(net.view(), { egressOnlyInternetGatewayId: id }))
  t.is(net.state('::/0'), 'blackhole')
  t.is(net.refusal(() => planDeleteEgressOnlyInternetGateway(net.view(),
    { egressOnlyInternetGatewayId: id })), 'InvalidGatewayID.NotFound')
})

test('the table of a gateway bends whole blocks to ENIs, and nothing else', (t) => {
  const net = new Net()
  const NetworkInterfaceId = net.createInterface()
  t.is(net.route('10.0.1.0/24', { NetworkInterfaceId }), '')
  t.is(net.associate({ gatewayId: net.gatewayId }), '')
  t.is(routeTableOfGateway(net.snapshot, net.vpcId, net.gatewayId)?.id, net.routeTableId)
  t.is(net.route('10.0.2.0/28', { NetworkInterfaceId }), '')
  t.is(net.route('198.51.100.0/24', { NetworkInterfaceId }), 'InvalidParameterValue')
  t.is(net.route('0.0.0.0/0', { GatewayId: net.gatewayId }), 'InvalidParameterValue')
  t.is(net.associate({ gatewayId: net.gatewayId }, net.newTable()), 'Resource.AlreadyAssociated')
  t.is(net.refusal(() => planDeleteRouteTable(net.view(), { routeTableId: net.routeTableId })),
    'DependencyViolation')
  net.detach()
  t.is(routeTableOfGateway(net.snapshot, net.vpcId, net.gatewayId), undefined)
})

test('a table that a gateway cannot have is refused', (t) => {
  const net = new Net()
  t.is(net.associate({ gatewayId: net.gatewayId }, net.mainTableId), 'InvalidParameterValue')
  t.is(net.associate({ gatewayId: net.gatewayId }, net.newTable(net.createVpc())),
    'InvalidParameterValue')
  t.is(net.associate({ gatewayId: net.createGateway() }), 'InvalidParameterValue')
  t.is(net.associate({ gatewayId: 'igw-0aaaaaaaaaaaaaaaa' }), 'InvalidGatewayID.NotFound')
  t.is(net.associate({}), 'MissingParameter')
  t.is(net.associate({ gatewayId: net.gatewayId, subnetId: net.subnetId }),
    'InvalidParameterCombination')
  net.route('0.0.0.0/0', { GatewayId: net.gatewayId })
  t.is(net.associate({ gatewayId: net.gatewayId }), 'InvalidParameterValue')
})

test('the table of a gateway does not become the main one', (t) => {
  const net = new Net()
  net.associate({ gatewayId: net.gatewayId })
  const main = requireRecord(net.view(), 'routeTable', net.mainTableId).associations[0]?.id ?? ''
  t.is(net.refusal(() => planReplaceRouteTableAssociation(net.view(),
    { associationId: main, routeTableId: net.routeTableId }, net.context)),
  'InvalidParameterValue')
})
