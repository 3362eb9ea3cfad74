/**
 * Instances through the AWS SDK, as far as the API goes alone: hosts that are there in name only
 * place them, and nobody brings them up. What agents do is test/integration's business.
 *
 *     10.0.0.0/16 vpc ── 10.0.1.0/24 subnet ── instance, its ENI, a second ENI
 */
import test from 'ava'
import { EC2, type RunInstancesCommandInput } from '@aws-sdk/client-ec2'
import { ALICE, openEndpoint } from './endpoint.ts'

test('a launch makes instance and ENI, once for each client token', async (t) => {
  const endpoint = await openEndpoint({ hostZoneIds: ['use1-az1', 'use1-az2'] })
  t.teardown(async () => { await endpoint.close() })
  const ec2 = new EC2({
    endpoint: endpoint.url, region: 'us-east-1', credentials: ALICE, maxAttempts: 1
  })
  const { Vpc: vpc } = await ec2.createVpc({ CidrBlock: '10.0.0.0/16' })
  const { Subnet: subnet } = await ec2.createSubnet({ VpcId: vpc?.VpcId, CidrBlock: '10.0.1.0/24' })
  const { Images: images = [] } = await ec2.describeImages({})
  const launch: RunInstancesCommandInput = {
    ImageId: images[0]?.ImageId, InstanceType: 't3.micro', SubnetId: subnet?.SubnetId,
    MinCount: 1, MaxCount: 1, ClientToken: 'launch-1', UserData: 'IyEvYmluL3NoCg==',
    TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: 'a' }] }]
  }
  const { Instances: launched = [] } = await ec2.runInstances(launch)
  const [instance] = launched
  t.is(instance?.State?.Name, 'pending')
  t.regex(instance?.PrivateIpAddress ?? '', /^10\.0\.1\.\d+$/)
  t.deepEqual(instance?.Tags, [{ Key: 'Name', Value: 'a' }])
  const again = await ec2.runInstances(launch)
  t.is(again.Instances?.[0]?.InstanceId, instance?.InstanceId)
  await t.throwsAsync(ec2.runInstances({ ...launch, MaxCount: 2 }),
    { name: 'IdempotentParameterMismatch' })

  const { NetworkInterface: second } =
    await ec2.createNetworkInterface({ SubnetId: subnet?.SubnetId })
  await t.throwsAsync(ec2.attachNetworkInterface({
    InstanceId: instance?.InstanceId, NetworkInterfaceId: second?.NetworkInterfaceId, DeviceIndex: 1
  }), { name: 'IncorrectInstanceState' }, 'it is pending')
  const filters = [{ Name: 'attachment.instance-id', Values: [instance?.InstanceId ?? ''] }]
  const { NetworkInterfaces: interfaces = [] } =
    await ec2.describeNetworkInterfaces({ Filters: filters })
  t.deepEqual(interfaces.map((one) => one.Attachment?.DeviceIndex), [0])
  const { Subnets: subnets = [] } = await ec2.describeSubnets({})
  t.is(subnets[0]?.AvailableIpAddressCount, 249)
  await t.throwsAsync(ec2.deleteSubnet({ SubnetId: subnet?.SubnetId }),
    { name: 'DependencyViolation' })

  const { Reservations: reservations = [] } = await ec2.describeInstances({
    Filters: [{ Name: 'tag:Name', Values: ['a'] }]
  })
  const found = reservations.flatMap(({ Instances: instances = [] }) => instances)
  t.deepEqual(found.map((one) => one.InstanceId), [instance?.InstanceId])
  const output = await ec2.getConsoleOutput({ InstanceId: instance?.InstanceId ?? '' })
  t.is(output.InstanceId, instance?.InstanceId)
  t.is(output.Output, undefined)
  const { TerminatingInstances: terminating = [] } =
    await ec2.terminateInstances({ InstanceIds: [instance?.InstanceId ?? ''] })
  t.is(terminating[0]?.CurrentState?.Name, 'shutting-down')
})

test('a launch without room for it is refused', async (t) => {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  const ec2 = new EC2({
    endpoint: endpoint.url, region: 'us-east-1', credentials: ALICE, maxAttempts: 1
  })
  const { Vpc: vpc } = await ec2.createVpc({ CidrBlock: '10.0.0.0/16' })
  const { Subnet: subnet } = await ec2.createSubnet({ VpcId: vpc?.VpcId, CidrBlock: '10.0.1.0/24' })
  const { Images: images = [] } = await ec2.describeImages({})
  const { revision } = endpoint.snapshot
  await t.throwsAsync(ec2.runInstances({
    ImageId: images[0]?.ImageId, SubnetId: subnet?.SubnetId, MinCount: 1, MaxCount: 1
  }), { name: 'InsufficientInstanceCapacity' })
  t.is(endpoint.snapshot.revision, revision)
})
