/**
 * Gateways and public addresses with stock clients:
 *
 *     default VPC ── NAT gateway with an Elastic IP, routes, ingress routing   the AWS command line
 *                 ── instance with a public address, attributes, transfers     the AWS SDK
 */
import test from 'ava'
import { EC2 } from '@aws-sdk/client-ec2'
import { commandLine } from './command_line.ts'
import { ALICE, BOB, openEndpoint } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

function client ({ url }: Endpoint, key: typeof ALICE): EC2 {
  return new EC2({ region: 'us-east-1', endpoint: url, credentials: key })
}

test('the AWS command line opens a VPC to the internet and closes it', async (t) => {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  const aws = commandLine(endpoint)
  const get = async (path: string, ...words: string[]): Promise<string> => {
    const { code, output } = await aws(...words)
    t.is(code, '', words.join(' '))
    return path.split('.').reduce<unknown>((value, member) =>
      (value as Record<string, unknown>)[member], output) as string
  }

  const vpc = await get('Vpc.VpcId', 'create-default-vpc')
  const igw = await get('InternetGateways.0.InternetGatewayId', 'describe-internet-gateways',
    '--filters', `Name=attachment.vpc-id,Values=${vpc}`)
  const subnet = await get('Subnets.0.SubnetId', 'describe-subnets', '--filters',
    'Name=default-for-az,Values=true')
  const eip = await get('AllocationId', 'allocate-address', '--domain', 'vpc')
  const nat = await get('NatGateway.NatGatewayId', 'create-nat-gateway', '--subnet-id', subnet,
    '--allocation-id', eip)
  t.is((await aws('wait', 'nat-gateway-available', '--nat-gateway-ids', nat)).code, '')
  const table = await get('RouteTable.RouteTableId', 'create-route-table', '--vpc-id', vpc)
  t.is((await aws('create-route', '--route-table-id', table, '--destination-cidr-block',
    '0.0.0.0/0', '--nat-gateway-id', nat)).code, '')
  const ingress = await get('RouteTable.RouteTableId', 'create-route-table', '--vpc-id', vpc)
  t.is((await aws('associate-route-table', '--route-table-id', ingress, '--gateway-id', igw)).code,
    '')
  t.is((await aws('detach-internet-gateway', '--internet-gateway-id', igw, '--vpc-id', vpc)).code,
    'DependencyViolation')
  t.is((await aws('delete-nat-gateway', '--nat-gateway-id', nat)).code, '')
  t.is((await aws('wait', 'nat-gateway-deleted', '--nat-gateway-ids', nat)).code, '')
  t.is(await get('RouteTables.0.Routes.1.State', 'describe-route-tables', '--route-table-ids',
    table), 'blackhole')
  t.is((await aws('release-address', '--allocation-id', eip)).code, '')
  t.is((await aws('detach-internet-gateway', '--internet-gateway-id', igw, '--vpc-id', vpc)).code,
    '')
})

test('the SDK sees public addresses of instances, and moves and transfers them', async (t) => {
  const endpoint = await openEndpoint({ hostZoneIds: ['use1-az1'] })
  const [ec2, bob] = [client(endpoint, ALICE), client(endpoint, BOB)]
  t.teardown(async () => {
    ec2.destroy()
    bob.destroy()
    await endpoint.close()
  })
  await ec2.createDefaultVpc({})
  const { Instances } = await ec2.runInstances({ ImageId: 'ami-00000000000000001',
    InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 })
  const id = Instances?.[0]?.InstanceId ?? ''
  const describe = async () =>
    (await ec2.describeInstances({ InstanceIds: [id] })).Reservations?.[0]?.Instances?.[0]
  const first = await describe()
  t.is(first?.PublicIpAddress, '203.0.113.1')
  t.is(first?.PublicDnsName, 'ec2-203-0-113-1.compute-1.amazonaws.com')
  const [eni] = first?.NetworkInterfaces ?? []
  t.like(eni?.Association, { PublicIp: '203.0.113.1', IpOwnerId: 'amazon' })

  const { AllocationId = '', PublicIp = '' } = await ec2.allocateAddress({ Domain: 'vpc' })
  await ec2.associateAddress({ AllocationId, NetworkInterfaceId: eni?.NetworkInterfaceId })
  t.is((await describe())?.PublicIpAddress, PublicIp)
  const found = await ec2.describeNetworkInterfaces({
    Filters: [{ Name: 'association.public-ip', Values: [PublicIp] }] })
  t.like(found.NetworkInterfaces?.[0]?.Association,
    { AllocationId, IpOwnerId: ALICE.accountId })
  await ec2.disassociateAddress({ PublicIp })
  t.is((await describe())?.PublicIpAddress, undefined)

  await ec2.modifyAddressAttribute({ AllocationId, DomainName: 'mail.example.com' })
  const { Addresses } = await ec2.describeAddressesAttribute({ Attribute: 'domain-name' })
  t.is(Addresses?.[0]?.PtrRecord, 'mail.example.com.')
  await ec2.resetAddressAttribute({ AllocationId, Attribute: 'domain-name' })
  await ec2.enableAddressTransfer({ AllocationId, TransferAccountId: BOB.accountId })
  const { AddressTransfers } = await ec2.describeAddressTransfers({})
  t.is(AddressTransfers?.[0]?.AddressTransferStatus, 'pending')
  await ec2.disableAddressTransfer({ AllocationId })
  await ec2.enableAddressTransfer({ AllocationId, TransferAccountId: BOB.accountId })
  await bob.acceptAddressTransfer({ Address: PublicIp })
  t.deepEqual((await ec2.describeAddresses({})).Addresses, [])
  t.is((await bob.describeAddresses({})).Addresses?.[0]?.PublicIp, PublicIp)
})

test('addresses of NAT gateways come and go', async (t) => {
  const endpoint = await openEndpoint()
  const ec2 = client(endpoint, ALICE)
  t.teardown(async () => {
    ec2.destroy()
    await endpoint.close()
  })
  const { Vpc: vpc } = await ec2.createDefaultVpc({})
  const { EgressOnlyInternetGateway: eigw } =
    await ec2.createEgressOnlyInternetGateway({ VpcId: vpc?.VpcId })
  t.like((await ec2.describeEgressOnlyInternetGateways({})).EgressOnlyInternetGateways?.[0],
    { Attachments: [{ VpcId: vpc?.VpcId ?? '', State: 'attached' }] })
  await ec2.deleteEgressOnlyInternetGateway(
    { EgressOnlyInternetGatewayId: eigw?.EgressOnlyInternetGatewayId })
  const { Subnets } = await ec2.describeSubnets({})
  const SubnetId = Subnets?.[0]?.SubnetId ?? ''
  const [one, two] = [await ec2.allocateAddress({}), await ec2.allocateAddress({})]
  const open = await ec2.createNatGateway({ SubnetId, AllocationId: one.AllocationId })
  t.is(open.NatGateway?.State, 'pending')
  const NatGatewayId = open.NatGateway?.NatGatewayId ?? ''
  const added = await ec2.associateNatGatewayAddress(
    { NatGatewayId, AllocationIds: [two.AllocationId ?? ''] })
  const [address] = added.NatGatewayAddresses ?? []
  t.like(address, { PublicIp: two.PublicIp, IsPrimary: false, Status: 'succeeded' })
  const removed = await ec2.disassociateNatGatewayAddress(
    { NatGatewayId, AssociationIds: [address?.AssociationId ?? ''] })
  t.is(removed.NatGatewayAddresses?.[0]?.Status, 'disassociating')

  const inner = await ec2.createNatGateway({ SubnetId, ConnectivityType: 'private' })
  const privateId = inner.NatGateway?.NatGatewayId ?? ''
  const assigned = await ec2.assignPrivateNatGatewayAddress(
    { NatGatewayId: privateId, PrivateIpAddressCount: 2 })
  t.is(assigned.NatGatewayAddresses?.length, 2)
  const unassigned = await ec2.unassignPrivateNatGatewayAddress({ NatGatewayId: privateId,
    PrivateIpAddresses: [assigned.NatGatewayAddresses?.[0]?.PrivateIp ?? ''] })
  t.is(unassigned.NatGatewayAddresses?.[0]?.Status, 'unassigning')
  const failed = await ec2.createNatGateway({ SubnetId, AllocationId: one.AllocationId })
  const shown = await ec2.describeNatGateways(
    { NatGatewayIds: [failed.NatGateway?.NatGatewayId ?? ''] })
  t.like(shown.NatGateways?.[0], { State: 'failed', FailureCode: 'Resource.AlreadyAssociated' })
})
