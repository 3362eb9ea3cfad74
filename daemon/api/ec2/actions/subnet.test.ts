/** Subnets and their CIDR reservations through the SDK's client: what is shown and found. */
import {
  CreateSubnetCidrReservationCommand, DescribeSubnetsCommand, GetSubnetCidrReservationsCommand,
  ModifySubnetAttributeCommand
} from '@aws-sdk/client-ec2'
import test from 'ava'
import { TestNetwork } from '../../../model/test_network.ts'
import { TEST_ACCOUNT } from '../../../model/test_world.ts'
import { refusalOf, testClient } from '../test_caller.ts'

test('the free addresses of a subnet are counted: 251 of a /24, 11 of a /28, less each ENI',
  async (t) => {
  const net = new TestNetwork()
  net.createInterface()
  const { Subnets = [] } = await testClient(net).send(new DescribeSubnetsCommand({}))
  t.deepEqual(Subnets.map(({ CidrBlock, AvailableIpAddressCount }) =>
    [CidrBlock, AvailableIpAddressCount]), [['10.0.1.0/24', 250], ['10.0.2.0/28', 11]])
})

test('DescribeSubnets finds by every filter of EC2', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const find = async (name: string, value: string): Promise<(string | undefined)[]> => {
    const Filters = [{ Name: name, Values: [value] }]
    const { Subnets = [] } = await ec2.send(new DescribeSubnetsCommand({ Filters }))
    return Subnets.map(({ SubnetId }) => SubnetId)
  }
  const both = [net.subnetId, net.otherSubnetId]
  const expected: Readonly<Record<string, readonly [string, readonly string[]]>> = {
    'availability-zone-id': ['use1-az2', [net.otherSubnetId]],
    'available-ip-address-count': ['11', [net.otherSubnetId]],
    'cidr-block': ['10.0.1.0/24', [net.subnetId]],
    'customer-owned-ipv4-pool': ['*', []],
    'default-for-az': ['false', both],
    'enable-dns64': ['true', []],
    'enable-lni-at-device-index': ['*', []],
    'ipv6-cidr-block-association.ipv6-cidr-block': ['2001:db8:*', [net.subnetId]],
    'ipv6-cidr-block-association.state': ['associated', [net.subnetId]],
    'ipv6-native': ['false', both],
    'map-customer-owned-ip-on-launch': ['false', both],
    'map-public-ip-on-launch': ['false', both],
    'outpost-arn': ['*', []],
    'owner-id': [TEST_ACCOUNT, both],
    'private-dns-name-options-on-launch.hostname-type': ['ip-name', both],
    'state': ['available', both],
    'subnet-arn': [`*:${TEST_ACCOUNT}:subnet/${net.subnetId}`, [net.subnetId]],
    'subnet-id': [net.otherSubnetId, [net.otherSubnetId]],
    'vpc-id': [net.vpcId, both]
  }
  for (const [name, [value, ids]] of Object.entries(expected)) {
    t.deepEqual(await find(name, value), ids, name)
  }
  t.is(await refusalOf(find('colour', 'red')), 'InvalidParameterValue')
})

test('ModifySubnetAttribute shows each change, and refuses what is of an Outpost', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const on = { Value: true }
  const SubnetId = net.subnetId
  for (const change of [{ MapPublicIpOnLaunch: on }, { AssignIpv6AddressOnCreation: on },
    { EnableDns64: on }, { PrivateDnsHostnameTypeOnLaunch: 'resource-name' as const },
    { EnableResourceNameDnsARecordOnLaunch: on },
    { EnableResourceNameDnsAAAARecordOnLaunch: on }]) {
    await ec2.send(new ModifySubnetAttributeCommand({ SubnetId, ...change }))
  }
  const { Subnets: [subnet] = [] } =
    await ec2.send(new DescribeSubnetsCommand({ SubnetIds: [SubnetId] }))
  t.like(subnet, {
    MapPublicIpOnLaunch: true, AssignIpv6AddressOnCreation: true, EnableDns64: true,
    PrivateDnsNameOptionsOnLaunch: {
      HostnameType: 'resource-name', EnableResourceNameDnsARecord: true,
      EnableResourceNameDnsAAAARecord: true
    }
  })
  t.is(await refusalOf(ec2.send(new ModifySubnetAttributeCommand(
    { SubnetId, EnableLniAtDeviceIndex: 1 }))), 'UnsupportedOperation')
})

test('CIDR reservations are found by type, subnet and tag', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const { SubnetId, Cidr } = { SubnetId: net.subnetId, Cidr: '10.0.1.64/28' }
  const Tags = [{ Key: 'a', Value: 'b' }]
  await ec2.send(new CreateSubnetCidrReservationCommand({ SubnetId, Cidr,
    ReservationType: 'prefix',
    TagSpecifications: [{ ResourceType: 'subnet-cidr-reservation', Tags }]
  }))
  const find = async (name: string, value: string): Promise<number | undefined> => {
    const Filters = [{ Name: name, Values: [value] }]
    const found = await ec2.send(new GetSubnetCidrReservationsCommand({ SubnetId, Filters }))
    return found.SubnetIpv4CidrReservations?.length
  }
  t.is(await find('reservationType', 'prefix'), 1)
  t.is(await find('reservationType', 'explicit'), 0)
  t.is(await find('subnet-id', SubnetId), 1)
  t.is(await find('subnet-id', net.otherSubnetId), 0)
  t.is(await find('tag:a', 'b'), 1)
})
