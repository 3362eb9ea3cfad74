/** Instances and their ENIs through the SDK's client: what is shown, found, and refused. */
import {
  AssignIpv6AddressesCommand, AssignPrivateIpAddressesCommand, AttachNetworkInterfaceCommand,
  CreateNetworkInterfaceCommand, DeleteNetworkInterfaceCommand, DeleteSubnetCommand,
  DescribeImagesCommand, DescribeInstancesCommand, DescribeInstanceStatusCommand,
  DescribeInstanceTypesCommand, DescribeNetworkInterfaceAttributeCommand,
  DescribeNetworkInterfacesCommand, DetachNetworkInterfaceCommand,
  ModifyNetworkInterfaceAttributeCommand, RunInstancesCommand, TerminateInstancesCommand
} from '@aws-sdk/client-ec2'
import type { Filter, Instance, RunInstancesCommandInput } from '@aws-sdk/client-ec2'
import test from 'ava'
import { planInstanceReached } from '../../../model/instance_agent.ts'
import { TestNetwork } from '../../../model/test_network.ts'
import { refusalOf, testClient } from '../test_caller.ts'

const RUN: RunInstancesCommandInput =
  { ImageId: 'host', MinCount: 1, MaxCount: 1, InstanceType: 't3.small' }

function filter (name: string, value: string): { Filters: Filter[] } {
  return { Filters: [{ Name: name, Values: [value] }] }
}

test('RunInstances answers with the instance, its state, place, address and host name',
  async (t) => {
  const net = new TestNetwork()
  const { Instances: [instance] = [] } = await testClient(net).send(new RunInstancesCommand({
    ...RUN, SubnetId: net.subnetId, PrivateIpAddress: '10.0.1.10', Ipv6AddressCount: 1,
    KeyName: 'lab',
    TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: 'web' }] }]
  }))
  t.like(instance, {
    ImageId: 'ami-00000000000000001', InstanceType: 't3.small', KeyName: 'lab',
    PrivateIpAddress: '10.0.1.10',
    PrivateDnsName: 'ip-10-0-1-10.ec2.internal', Ipv6Address: '2001:db8:0:100::4',
    SubnetId: net.subnetId, VpcId: net.vpcId,
    State: { Code: 0, Name: 'pending' }, Tags: [{ Key: 'Name', Value: 'web' }],
    Placement: { HostId: 'host-1' }
  })
  const [eni] = instance?.NetworkInterfaces ?? []
  t.like(eni, { PrivateIpAddress: '10.0.1.10', Status: 'in-use', SourceDestCheck: true,
    Attachment: { DeviceIndex: 0 } })
})

test('a launch asks for TAPs by the one tag of the system that it may give', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const run = (...Tags: { Key: string, Value: string }[]): RunInstancesCommand =>
    new RunInstancesCommand({ ...RUN, SubnetId: net.subnetId,
      TagSpecifications: [{ ResourceType: 'instance', Tags }] })
  const device = (Value: string): { Key: string, Value: string } =>
    ({ Key: 'vpclab:device', Value })
  const tap = await ec2.send(run(device('tap'), { Key: 'Name', Value: 'ether' }))
  t.deepEqual(tap.Instances?.[0]?.Tags, [
    { Key: 'Name', Value: 'ether' }, { Key: 'vpclab:device', Value: 'tap' }])
  const tun = await ec2.send(run(device('tun')))
  t.deepEqual(tun.Instances?.[0]?.Tags ?? [], [])
  t.is(await refusalOf(ec2.send(run(device('veth')))), 'InvalidParameterValue')
  t.is(await refusalOf(ec2.send(run(device('tap'), device('tap')))), 'InvalidParameterValue')
  t.is(await refusalOf(ec2.send(run({ Key: 'vpclab:other', Value: '' }))), 'InvalidParameterValue')
})

test('a token runs an instance once', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const parameters = { ...RUN, SubnetId: net.subnetId, ClientToken: 'once' }
  const first = await ec2.send(new RunInstancesCommand(parameters))
  const second = await ec2.send(new RunInstancesCommand(parameters))
  t.is(second.ReservationId, first.ReservationId)
  t.is(net.view().list('instance').length, 1)
  const other = ec2.send(new RunInstancesCommand({ ...parameters, InstanceType: 't3.large' }))
  t.is(await refusalOf(other), 'IdempotentParameterMismatch')
})

test('DescribeInstances finds by what an instance and its ENIs have, and groups by reservation',
  async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const [first = '', second = ''] = net.launch({ minCount: 2, maxCount: 2, tags: { Name: 'pair' } })
  const [third = ''] = net.launch({ instanceType: 't3.nano' }, { subnetId: net.otherSubnetId })
  const find = async (name: string, value: string): Promise<(string | undefined)[]> => {
    const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand(filter(name, value)))
    return Reservations.flatMap(({ Instances = [] }) =>
      Instances.map(({ InstanceId }) => InstanceId))
  }
  t.is((await ec2.send(new DescribeInstancesCommand({}))).Reservations?.length, 2)
  t.deepEqual(await find('tag:Name', 'pa*'), [first, second])
  t.deepEqual(await find('private-ip-address', '10.0.1.5'), [second])
  t.deepEqual(await find('network-interface.addresses.private-ip-address', '10.0.2.4'), [third])
  t.deepEqual(await find('network-interface.subnet-id', net.otherSubnetId), [third])
  t.deepEqual(await find('instance-type', 't3.*'), [third])
  t.deepEqual(await find('instance-state-name', 'pending'), [first, second, third])
  t.deepEqual(await find('instance-state-code', '16'), [])
  t.deepEqual(await find('ena-support', 'true'), [first, second, third])
  t.deepEqual(await find('platform-details', 'Windows'), [])
  t.is(await refusalOf(find('colour', 'x')), 'InvalidParameterValue')
  const unknown = ec2.send(new DescribeInstancesCommand({ InstanceIds: ['i-0aaaaaaaaaaaaaaaa'] }))
  t.is(await refusalOf(unknown), 'InvalidInstanceID.NotFound')
})

test('TerminateInstances tells both states; what is left is shown without VPC', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const [id = ''] = net.launch()
  net.run(planInstanceReached(net.snapshot, 'host-1', id, 'running', net.context))
  const status = await ec2.send(new DescribeInstanceStatusCommand({}))
  t.is(status.InstanceStatuses?.[0]?.SystemStatus?.Status, 'ok')
  t.is(await refusalOf(ec2.send(new TerminateInstancesCommand(
    { InstanceIds: [id], SkipOsShutdown: true }))), 'UnsupportedOperation')
  const { TerminatingInstances } =
    await ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))
  t.deepEqual(TerminatingInstances, [{
    InstanceId: id, PreviousState: { Code: 16, Name: 'running' },
    CurrentState: { Code: 32, Name: 'shutting-down' }
  }])
  t.deepEqual((await ec2.send(new DescribeInstanceStatusCommand({}))).InstanceStatuses, [],
    'only running ones')
  net.run(planInstanceReached(net.snapshot, 'host-1', id, 'terminated', net.context))
  const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))
  const gone: Instance | undefined = Reservations?.[0]?.Instances?.[0]
  t.like(gone, { State: { Code: 48, Name: 'terminated' },
    StateReason: { Code: 'Client.UserInitiatedShutdown' } })
  t.is(gone?.VpcId, undefined)
  const emptied = ec2.send(new DeleteSubnetCommand({ SubnetId: net.subnetId }))
  t.is(await refusalOf(emptied), '', 'nothing of it is left in the subnet')
})

const NO_SUBNET = 'subnet-0aaaaaaaaaaaaaaaa'

for (const [what, parameters, code] of [
  ['subnet and interfaces', { SubnetId: NO_SUBNET, NetworkInterfaces: [{ DeviceIndex: 0 }] },
    'InvalidParameterCombination'],
  ['an interface without index', { NetworkInterfaces: [{ Description: 'x' }] },
    'InvalidParameterValue'],
  ['a group name and a subnet', { SubnetId: NO_SUBNET, SecurityGroups: ['web'] },
    'InvalidParameterCombination'],
  ['a launch template', { LaunchTemplate: { LaunchTemplateName: 'x' } }, 'UnsupportedOperation'],
  ['a public address, and no subnet or default VPC',
    { NetworkInterfaces: [{ DeviceIndex: 0, AssociatePublicIpAddress: true }] },
    'VPCIdNotSpecified'],
  ['dedicated tenancy', { Placement: { Tenancy: 'dedicated' } }, 'UnsupportedOperation'],
  ['an unknown zone', { Placement: { AvailabilityZone: 'us-east-1z' } }, 'InvalidParameterValue'],
  ['monitoring', { Monitoring: { Enabled: true } }, 'UnsupportedOperation']
] as readonly (readonly [string, Partial<RunInstancesCommandInput>, string])[]) {
  test(`RunInstances with ${what} is refused with ${code} and launches nothing`, async (t) => {
    const net = new TestNetwork()
    t.is(await refusalOf(testClient(net).send(new RunInstancesCommand({ ...RUN, ...parameters }))),
      code)
    t.is(net.view().list('instance').length, 0)
  })
}

test('an ENI is made, described, modified and deleted', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const { NetworkInterface: made } = await ec2.send(new CreateNetworkInterfaceCommand({
    SubnetId: net.subnetId, Description: 'service',
    PrivateIpAddresses: [{ PrivateIpAddress: '10.0.1.50', Primary: true },
      { PrivateIpAddress: '10.0.1.51' }]
  }))
  t.like(made, { Status: 'available', PrivateIpAddress: '10.0.1.50', RequesterManaged: false,
    InterfaceType: 'interface' })
  t.deepEqual(made?.PrivateIpAddresses?.map((one) => [one.PrivateIpAddress, one.Primary]),
    [['10.0.1.50', true], ['10.0.1.51', false]])
  const NetworkInterfaceId = made?.NetworkInterfaceId ?? ''
  await ec2.send(new ModifyNetworkInterfaceAttributeCommand({ NetworkInterfaceId,
    SourceDestCheck: { Value: false } }))
  const attribute = await ec2.send(
    new DescribeNetworkInterfaceAttributeCommand({ NetworkInterfaceId,
      Attribute: 'sourceDestCheck' }))
  t.deepEqual(attribute.SourceDestCheck, { Value: false })
  const found = await ec2.send(
    new DescribeNetworkInterfacesCommand(filter('addresses.private-ip-address', '10.0.1.51')))
  t.deepEqual(found.NetworkInterfaces?.map((one) => one.NetworkInterfaceId), [NetworkInterfaceId])
  const ipv6 = await ec2.send(new AssignIpv6AddressesCommand({ NetworkInterfaceId,
    Ipv6AddressCount: 1 }))
  t.deepEqual(ipv6.AssignedIpv6Addresses, ['2001:db8:0:100::4'])
  const ipv4 = await ec2.send(new AssignPrivateIpAddressesCommand({ NetworkInterfaceId,
    SecondaryPrivateIpAddressCount: 1 }))
  t.deepEqual(ipv4.AssignedPrivateIpAddresses, [{ PrivateIpAddress: '10.0.1.4' }])
  t.is(await refusalOf(ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId,
    DryRun: true }))), 'DryRunOperation')
  await ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId }))
  const gone = ec2.send(
    new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [NetworkInterfaceId] }))
  t.is(await refusalOf(gone), 'InvalidNetworkInterfaceID.NotFound')
})

test('an ENI attaches and detaches by the ids that the answers give', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const [InstanceId = ''] = net.launch()
  net.run(planInstanceReached(net.snapshot, 'host-1', InstanceId, 'running', net.context))
  const NetworkInterfaceId = net.createInterface()
  const { AttachmentId } = await ec2.send(new AttachNetworkInterfaceCommand({ NetworkInterfaceId,
    InstanceId, DeviceIndex: 1 }))
  const { NetworkInterfaces } =
    await ec2.send(
      new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [NetworkInterfaceId] }))
  t.like(NetworkInterfaces?.[0]?.Attachment,
    { AttachmentId, InstanceId, DeviceIndex: 1, Status: 'attached', DeleteOnTermination: false })
  await ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId }))
  t.is(net.interfaceOf(NetworkInterfaceId).attachment, null)
})

test('instance types and images are described', async (t) => {
  const ec2 = testClient(new TestNetwork())
  const { InstanceTypes } =
    await ec2.send(new DescribeInstanceTypesCommand({ InstanceTypes: ['m5.large'] }))
  t.like(InstanceTypes?.[0]?.NetworkInfo,
    { MaximumNetworkInterfaces: 3, Ipv4AddressesPerInterface: 10 })
  t.is(
    await refusalOf(ec2.send(new DescribeInstanceTypesCommand({ InstanceTypes: ['m7i.large'] }))),
    'InvalidInstanceType')
  const { Images } = await ec2.send(new DescribeImagesCommand({ Owners: ['amazon'] }))
  t.deepEqual(Images?.map(({ ImageId, Name }) => [ImageId, Name]),
    [['ami-00000000000000001', 'host']])
  t.is(
    await refusalOf(ec2.send(new DescribeImagesCommand({ ImageIds: ['ami-0aaaaaaaaaaaaaaaa'] }))),
    'InvalidAMIID.NotFound')
})
