/**
 * Refusals, code by code, through the AWS SDK: what AWS answers, and that nothing changed.
 *
 *     10.0.0.0/16 vpc ── 10.0.1.0/24 subnet
 */
import test from 'ava'
import { EC2, EC2ServiceException } from '@aws-sdk/client-ec2'
import { ALICE, openEndpoint } from './endpoint.ts'

const ABSENT = '0123456789abcdef0'

interface Network { readonly vpcId: string, readonly primaryId: string, readonly subnetId: string }
type Call = (ec2: EC2, network: Network) => Promise<unknown>

/** [code, HTTP status, call] */
const refusals: readonly (readonly [string, number, Call])[] = [
  ['InvalidVpc.Range', 400, (ec2) => ec2.createVpc({ CidrBlock: '10.0.0.0/8' })],
  ['InvalidParameterValue', 400, (ec2) => ec2.createVpc({ CidrBlock: '10.0.0.0/x' })],
  ['MissingParameter', 400, (ec2) => ec2.createVpc({})],
  ['UnsupportedTenancy', 400, (ec2) =>
    ec2.createVpc({ CidrBlock: '10.1.0.0/16', InstanceTenancy: 'host' })],
  ['VpcLimitExceeded', 400, (ec2) => ec2.createVpc({ CidrBlock: '10.1.0.0/16' })],
  ['DryRunOperation', 412, (ec2, { subnetId }) =>
    ec2.deleteSubnet({ SubnetId: subnetId, DryRun: true })],
  ['InvalidParameterValue', 400, (ec2) => ec2.createVpc({
    CidrBlock: '10.1.0.0/16',
    TagSpecifications: [{ ResourceType: 'subnet', Tags: [{ Key: 'a', Value: 'b' }] }]
  })],
  ['DependencyViolation', 400, (ec2, { vpcId }) => ec2.deleteVpc({ VpcId: vpcId })],
  ['DefaultVpcDoesNotExist', 400, (ec2) =>
    ec2.createDefaultSubnet({ AvailabilityZone: 'us-east-1a' })],
  ['InvalidInternetGatewayID.NotFound', 400, (ec2, { vpcId }) =>
    ec2.attachInternetGateway({ InternetGatewayId: `igw-${ABSENT}`, VpcId: vpcId })],
  ['InvalidInternetGatewayId.Malformed', 400, (ec2) =>
    ec2.deleteInternetGateway({ InternetGatewayId: 'igw-x' })],
  ['InvalidGatewayID.NotFound', 400, (ec2) =>
    ec2.deleteEgressOnlyInternetGateway({ EgressOnlyInternetGatewayId: `eigw-${ABSENT}` })],
  ['InvalidAllocationID.NotFound', 400, (ec2) =>
    ec2.releaseAddress({ AllocationId: `eipalloc-${ABSENT}` })],
  ['InvalidAddress.NotFound', 400, (ec2) =>
    ec2.describeAddresses({ PublicIps: ['203.0.113.9'] })],
  ['InvalidAddress.NotFound', 400, (ec2) => ec2.allocateAddress({ Address: '198.51.100.1' })],
  ['InvalidParameterCombination', 400, (ec2) =>
    ec2.allocateAddress({ NetworkBorderGroup: 'eu-west-1' })],
  ['InvalidAssociationID.NotFound', 400, (ec2) =>
    ec2.disassociateAddress({ AssociationId: `eipassoc-${ABSENT}` })],
  ['InvalidTransfer.NotFound', 400, (ec2) =>
    ec2.acceptAddressTransfer({ Address: '203.0.113.9' })],
  ['MissingParameter', 400, (ec2, { subnetId }) => ec2.createNatGateway({ SubnetId: subnetId })],
  ['InvalidSubnetID.NotFound', 400, (ec2) => ec2.createNatGateway(
    { SubnetId: `subnet-${ABSENT}`, ConnectivityType: 'private' })],
  ['InvalidParameterCombination', 400, (ec2, { subnetId }) => ec2.createNatGateway(
    { SubnetId: subnetId, ConnectivityType: 'private', AllocationId: `eipalloc-${ABSENT}` })],
  ['NatGatewayNotFound', 400, (ec2) => ec2.deleteNatGateway({ NatGatewayId: `nat-${ABSENT}` })],
  ['NatGatewayMalformed', 400, (ec2) => ec2.describeNatGateways({ NatGatewayIds: ['nat-x'] })],
  ['UnsupportedOperation', 400, (ec2, { subnetId }) => ec2.createNatGateway(
    { SubnetId: subnetId, ConnectivityType: 'private', AvailabilityMode: 'regional' })],
  ['InvalidVpcID.NotFound', 400, (ec2) => ec2.deleteVpc({ VpcId: `vpc-${ABSENT}` })],
  ['InvalidVpcID.Malformed', 400, (ec2) => ec2.deleteVpc({ VpcId: 'vpc-x' })],
  ['InvalidVpcID.NotFound', 400, (ec2) => ec2.describeVpcs({ VpcIds: [`vpc-${ABSENT}`] })],
  ['InvalidParameterValue', 400, (ec2) =>
    ec2.describeVpcs({ Filters: [{ Name: 'colour', Values: ['red'] }] })],
  ['InvalidMaxResults', 400, (ec2) => ec2.describeVpcs({ MaxResults: 4 })],
  ['InvalidNextToken', 400, (ec2) => ec2.describeVpcs({ NextToken: 'x' })],
  ['InvalidParameterCombination', 400, (ec2, { vpcId }) =>
    ec2.describeVpcs({ VpcIds: [vpcId], MaxResults: 5 })],
  ['InvalidParameterValue', 400, (ec2, { vpcId }) =>
    ec2.describeVpcAttribute({ VpcId: vpcId, Attribute: 'colour' as 'enableDnsSupport' })],
  ['InvalidParameterCombination', 400, (ec2, { vpcId }) =>
    ec2.modifyVpcAttribute({ VpcId: vpcId })],
  ['InvalidParameterValue', 400, (ec2, { vpcId }) =>
    ec2.modifyVpcTenancy({ VpcId: vpcId, InstanceTenancy: 'dedicated' as 'default' })],
  ['InvalidVpc.Range', 400, (ec2, { vpcId }) =>
    ec2.associateVpcCidrBlock({ VpcId: vpcId, CidrBlock: '192.168.0.0/16' })],
  ['InvalidVpc.Range', 400, (ec2, { vpcId }) =>
    ec2.associateVpcCidrBlock({ VpcId: vpcId, CidrBlock: '10.0.0.0/20' })],
  ['OperationNotPermitted', 400, (ec2, { primaryId }) =>
    ec2.disassociateVpcCidrBlock({ AssociationId: primaryId })],
  ['InvalidVpcCidrBlockAssociationID.NotFound', 400, (ec2) =>
    ec2.disassociateVpcCidrBlock({ AssociationId: `vpc-cidr-assoc-${ABSENT}` })],
  ['InvalidSubnet.Range', 400, (ec2, { vpcId }) =>
    ec2.createSubnet({ VpcId: vpcId, CidrBlock: '10.1.0.0/24' })],
  ['InvalidSubnet.Range', 400, (ec2, { vpcId }) =>
    ec2.createSubnet({ VpcId: vpcId, CidrBlock: '10.0.2.0/29' })],
  ['InvalidSubnet.Conflict', 400, (ec2, { vpcId }) =>
    ec2.createSubnet({ VpcId: vpcId, CidrBlock: '10.0.1.0/25' })],
  ['InvalidParameterValue', 400, (ec2, { vpcId }) => ec2.createSubnet({
    VpcId: vpcId, CidrBlock: '10.0.2.0/24', AvailabilityZone: 'us-east-1z'
  })],
  ['SubnetLimitExceeded', 400, (ec2, { vpcId }) =>
    ec2.createSubnet({ VpcId: vpcId, CidrBlock: '10.0.2.0/24' })],
  ['UnsupportedOperation', 400, (ec2, { vpcId }) =>
    ec2.createSubnet({ VpcId: vpcId, CidrBlock: '10.0.2.0/24', OutpostArn: 'arn' })],
  ['InvalidSubnetID.NotFound', 400, (ec2) =>
    ec2.deleteSubnet({ SubnetId: `subnet-${ABSENT}` })],
  ['InvalidSubnetID.Malformed', 400, (ec2) => ec2.describeSubnets({ SubnetIds: ['x'] })],
  ['InvalidParameterValue', 400, (ec2, { subnetId }) =>
    ec2.modifySubnetAttribute(
      { SubnetId: subnetId, AssignIpv6AddressOnCreation: { Value: true } })],
  ['InvalidSubnetCidrBlockAssociationID.NotFound', 400, (ec2) =>
    ec2.disassociateSubnetCidrBlock({ AssociationId: `subnet-cidr-assoc-${ABSENT}` })],
  ['InvalidParameterValue', 400, (ec2, { subnetId }) =>
    ec2.createSubnetCidrReservation(
      { SubnetId: subnetId, Cidr: '10.0.2.0/28', ReservationType: 'prefix' })],
  ['InvalidSubnetCidrReservationID.NotFound', 400, (ec2) =>
    ec2.deleteSubnetCidrReservation({ SubnetCidrReservationId: `scr-${ABSENT}` })],
  ['InvalidID', 400, (ec2) => ec2.createTags(
    { Resources: [`vpc-${ABSENT}`], Tags: [{ Key: 'a', Value: 'b' }] })],
  ['InvalidParameterValue', 400, (ec2, { vpcId }) =>
    ec2.createTags({ Resources: [vpcId], Tags: [{ Key: 'aws:a', Value: 'b' }] })],
  ['TagLimitExceeded', 400, (ec2, { vpcId }) => ec2.createTags({
    Resources: [vpcId], Tags: Array.from({ length: 51 }, (_, at) =>
      ({ Key: String(at), Value: '' }))
  })],
  ['InvalidZone.NotFound', 400, (ec2) =>
    ec2.describeAvailabilityZones({ ZoneNames: ['us-east-1z'] })],
  ['UnsupportedOperation', 400, (ec2, { vpcId }) =>
    ec2.createCarrierGateway({ VpcId: vpcId })]
]

test('every refusal has AWS\'s code and changes nothing', async (t) => {
  const endpoint = await openEndpoint({ quotas: { 'vpcs-per-region': 1, 'subnets-per-vpc': 1 } })
  t.teardown(async () => { await endpoint.close() })
  const ec2 = new EC2(
    { endpoint: endpoint.url, region: 'us-east-1', credentials: ALICE, maxAttempts: 1 })
  const { Vpc: vpc } = await ec2.createVpc({ CidrBlock: '10.0.0.0/16' })
  const { Subnet: subnet } = await ec2.createSubnet({ VpcId: vpc?.VpcId, CidrBlock: '10.0.1.0/24' })
  const network = {
    vpcId: vpc?.VpcId ?? '', primaryId: vpc?.CidrBlockAssociationSet?.[0]?.AssociationId ?? '',
    subnetId: subnet?.SubnetId ?? ''
  }
  const { revision } = endpoint.snapshot
  for (const [code, status, call] of refusals) {
    const error = await t.throwsAsync(call(ec2, network), { instanceOf: EC2ServiceException })
    t.deepEqual([error.name, error.$metadata.httpStatusCode], [code, status], error.message)
    t.is(endpoint.snapshot.revision, revision, `${code} changed something`)
  }
})
