/** Route tables through the SDK's client: what is shown, found, and refused. */
import {
  AssociateRouteTableCommand, CreateRouteCommand, CreateRouteTableCommand,
  DescribeRouteTablesCommand, EnableVgwRoutePropagationCommand
} from '@aws-sdk/client-ec2'
import type { EC2Client, RouteTable } from '@aws-sdk/client-ec2'
import test from 'ava'
import { TestNetwork } from '../../../model/test_network.ts'
import { refusalOf, testClient } from '../test_caller.ts'

async function createTable (ec2: EC2Client, VpcId: string): Promise<string> {
  const { RouteTable } = await ec2.send(new CreateRouteTableCommand({ VpcId }))
  return RouteTable?.RouteTableId ?? ''
}

async function find (ec2: EC2Client, name: string, value: string): Promise<RouteTable[]> {
  const { RouteTables } =
    await ec2.send(new DescribeRouteTablesCommand({ Filters: [{ Name: name, Values: [value] }] }))
  return RouteTables ?? []
}

test('a route table is made, routed, associated and described', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const RouteTableId = await createTable(ec2, net.vpcId)
  const NetworkInterfaceId = net.createInterface()
  await ec2.send(new CreateRouteCommand({ RouteTableId, DestinationCidrBlock: '0.0.0.0/0',
    NetworkInterfaceId }))
  await ec2.send(new CreateRouteCommand({ RouteTableId, DestinationIpv6CidrBlock: '::/0',
    NetworkInterfaceId }))
  await ec2.send(new AssociateRouteTableCommand({ RouteTableId, SubnetId: net.subnetId }))
  const [table] = await find(ec2, 'association.subnet-id', net.subnetId)
  t.is(table?.RouteTableId, RouteTableId)
  t.deepEqual(table?.Routes?.map((route) => [
    route.DestinationCidrBlock ?? route.DestinationIpv6CidrBlock, route.GatewayId ??
      route.NetworkInterfaceId, route.State, route.Origin
  ]), [
    ['10.0.0.0/16', 'local', 'active', 'CreateRouteTable'],
    ['2001:db8:0:100::/56', 'local', 'active', 'CreateRouteTable'],
    ['0.0.0.0/0', NetworkInterfaceId, 'blackhole', 'CreateRoute'],
    ['::/0', NetworkInterfaceId, 'blackhole', 'CreateRoute']
  ])
  t.like(table?.Associations?.[0],
    { Main: false, SubnetId: net.subnetId, AssociationState: { State: 'associated' } })
})

test('tables are found by their routes, and the main one by its association', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const RouteTableId = await createTable(ec2, net.vpcId)
  const NetworkInterfaceId = net.createInterface()
  await ec2.send(new CreateRouteCommand({ RouteTableId, DestinationCidrBlock: '192.168.0.0/16',
    NetworkInterfaceId }))
  const isOurs = async (name: string, value: string): Promise<boolean[]> =>
    (await find(ec2, name, value)).map((table) => table.RouteTableId === RouteTableId)
  t.deepEqual(await isOurs('association.main', 'true'), [false])
  t.deepEqual(await isOurs('route.destination-cidr-block', '192.168.*'), [true])
  t.deepEqual(await isOurs('route.state', 'blackhole'), [true])
  t.deepEqual(await isOurs('vpc-id', net.vpcId), [false, true])
  t.deepEqual(await isOurs('route.nat-gateway-id', '*'), [])
})

test('a gateway that is not there is refused by name', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const RouteTableId = await createTable(ec2, net.vpcId)
  const propagate = ec2.send(new EnableVgwRoutePropagationCommand({ RouteTableId,
    GatewayId: 'vgw-0aaaaaaaaaaaaaaaa' }))
  t.is(await refusalOf(propagate), 'InvalidGatewayID.NotFound')
  const edge = ec2.send(new AssociateRouteTableCommand({ RouteTableId,
    GatewayId: 'igw-0aaaaaaaaaaaaaaaa' }))
  t.is(await refusalOf(edge), 'InvalidGatewayID.NotFound')
})
