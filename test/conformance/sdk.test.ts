/**
 * The AWS SDK for JavaScript against the API: what a program does with a network, with paginators
 * and waiters as they come, and with two accounts side by side.
 */
import test from 'ava'
import {
  CreateNetworkInterfaceCommand, CreateNetworkInterfacePermissionCommand, CreateSubnetCommand,
  CreateVpcCommand, DeleteNetworkInterfacePermissionCommand, DeleteSubnetCommand, DeleteVpcCommand,
  DescribeAvailabilityZonesCommand, DescribeNetworkInterfacePermissionsCommand,
  DescribeNetworkInterfacesCommand,
  DescribeRegionsCommand, DescribeVpcsCommand, EC2Client, paginateDescribeSubnets,
  waitUntilSubnetAvailable,
  waitUntilVpcAvailable
} from '@aws-sdk/client-ec2'
import type { AccessKey } from '../../daemon/api/key_ring.ts'
import type { Endpoint } from './endpoint.ts'
import { ALICE, BOB, openEndpoint } from './endpoint.ts'

function client (endpoint: Endpoint, credentials: AccessKey, region = 'us-east-1'): EC2Client {
  return new EC2Client({ endpoint: endpoint.url, region, credentials, maxAttempts: 1 })
}

test('the SDK makes a network, pages through it and takes it down', async (t) => {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  const ec2 = client(endpoint, ALICE)
  const { Vpc: vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }))
  const VpcId = vpc?.VpcId
  await waitUntilVpcAvailable(
    { client: ec2, maxWaitTime: 10, minDelay: 1 }, { VpcIds: [VpcId ?? ''] })
  const made: string[] = []
  for (let third = 0; third < 12; third++) {
    const { Subnet: subnet } = await ec2.send(
      new CreateSubnetCommand({ VpcId, CidrBlock: `10.0.${String(third)}.0/24` }))
    made.push(subnet?.SubnetId ?? '')
  }
  await waitUntilSubnetAvailable({ client: ec2, maxWaitTime: 10, minDelay: 1 }, { SubnetIds: made })
  const pages: string[][] = []
  for await (const page of paginateDescribeSubnets({ client: ec2, pageSize: 5 }, {})) {
    pages.push((page.Subnets ?? []).map((subnet) => subnet.SubnetId ?? ''))
  }
  t.deepEqual(pages.map((page) => page.length), [5, 5, 2])
  t.deepEqual(pages.flat(), made)
  await t.throwsAsync(ec2.send(new DeleteVpcCommand({ VpcId })), { name: 'DependencyViolation' })
  for (const SubnetId of made) await ec2.send(new DeleteSubnetCommand({ SubnetId }))
  await ec2.send(new DeleteVpcCommand({ VpcId }))
  t.deepEqual((await ec2.send(new DescribeVpcsCommand({}))).Vpcs, [])
})

test('accounts and Regions are worlds of their own', async (t) => {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  const alice = client(endpoint, ALICE)
  const { Vpc: vpc } = await alice.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }))
  for (const other of [client(endpoint, BOB), client(endpoint, ALICE, 'eu-west-1')]) {
    t.deepEqual((await other.send(new DescribeVpcsCommand({}))).Vpcs, [])
    await t.throwsAsync(other.send(new DeleteVpcCommand({ VpcId: vpc?.VpcId })),
      { name: 'InvalidVpcID.NotFound' })
    t.is((await other.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }))).Vpc?.CidrBlock,
      '10.0.0.0/16')
  }
  t.is((await alice.send(new DescribeVpcsCommand({}))).Vpcs?.length, 1)
})

test('an account grants an ENI to another one, which does not see it for that', async (t) => {
  const endpoint = await openEndpoint({ hostZoneIds: ['use1-az1'] })
  t.teardown(async () => { await endpoint.close() })
  const [alice, bob] = [client(endpoint, ALICE), client(endpoint, BOB)]
  const { Vpc: vpc } = await alice.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }))
  const { Subnet: subnet } = await alice.send(
    new CreateSubnetCommand({ VpcId: vpc?.VpcId, CidrBlock: '10.0.1.0/24' }))
  const { NetworkInterface: eni } = await alice.send(
    new CreateNetworkInterfaceCommand({ SubnetId: subnet?.SubnetId }))
  const { InterfacePermission: granted } = await alice.send(
    new CreateNetworkInterfacePermissionCommand({
      NetworkInterfaceId: eni?.NetworkInterfaceId, AwsAccountId: BOB.accountId,
      Permission: 'INSTANCE-ATTACH'
    }))
  const describe = new DescribeNetworkInterfacePermissionsCommand({})
  t.deepEqual((await alice.send(describe)).NetworkInterfacePermissions, [granted])
  t.deepEqual((await bob.send(describe)).NetworkInterfacePermissions, [])
  t.deepEqual((await bob.send(new DescribeNetworkInterfacesCommand({}))).NetworkInterfaces, [])
  const revoke = new DeleteNetworkInterfacePermissionCommand(
    { NetworkInterfacePermissionId: granted?.NetworkInterfacePermissionId })
  await t.throwsAsync(bob.send(revoke), { name: 'InvalidPermissionID.NotFound' })
  t.true((await alice.send(revoke)).Return)
})

test('zones have AWS\'s ids under names of the account\'s own', async (t) => {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  const zones = async (credentials: AccessKey): Promise<Record<string, string>> => {
    const { AvailabilityZones: found = [] } = await client(endpoint, credentials).send(
      new DescribeAvailabilityZonesCommand({}))
    return Object.fromEntries(found.map((zone) => [zone.ZoneName ?? '', zone.ZoneId ?? '']))
  }
  const [alice, bob] = [await zones(ALICE), await zones(BOB)]
  t.deepEqual(Object.keys(alice), Object.keys(bob))
  t.deepEqual(Object.values(alice).sort(), Object.values(bob).sort())
  t.notDeepEqual(alice, bob)
  const { Regions: regions = [] } = await client(endpoint, ALICE).send(
    new DescribeRegionsCommand({}))
  t.true(regions.some((region) => region.RegionName === 'us-east-1'))
})
