/**
 * Metadata options and DNS names by the stock AWS command line, and their refusals through the SDK.
 *
 *     10.0.0.0/16 vpc ── 10.0.1.0/24 subnet ── instance
 */
import { EC2, EC2ServiceException } from '@aws-sdk/client-ec2'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { commandLine } from './command_line.ts'
import { ALICE, openEndpoint } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

interface Network {
  readonly endpoint: Endpoint
  readonly ec2: EC2
  readonly VpcId: string
  readonly SubnetId: string
  readonly InstanceId: string
}

async function build (t: ExecutionContext): Promise<Network> {
  const endpoint = await openEndpoint({ hostZoneIds: ['use1-az1'] })
  t.teardown(async () => { await endpoint.close() })
  const ec2 = new EC2({
    endpoint: endpoint.url, region: 'us-east-1', credentials: ALICE, maxAttempts: 1
  })
  const { Vpc: { VpcId = '' } = {} } = await ec2.createVpc({ CidrBlock: '10.0.0.0/16' })
  const { Subnet: { SubnetId = '' } = {} } =
    await ec2.createSubnet({ VpcId, CidrBlock: '10.0.1.0/24' })
  const { Images: [image] = [] } = await ec2.describeImages({})
  const { Instances: [instance] = [] } =
    await ec2.runInstances({ ImageId: image?.ImageId, SubnetId, MinCount: 1, MaxCount: 1 })
  return { endpoint, ec2, VpcId, SubnetId, InstanceId: instance?.InstanceId ?? '' }
}

test('the AWS command line modifies metadata options and names, and shows them', async (t) => {
  const { endpoint, ec2, VpcId, SubnetId, InstanceId } = await build(t)
  const aws = commandLine(endpoint)
  const modified = await aws('modify-instance-metadata-options', '--instance-id', InstanceId,
    '--http-tokens', 'required', '--http-put-response-hop-limit', '2', '--http-protocol-ipv6',
    'enabled', '--instance-metadata-tags', 'enabled')
  t.like(modified, { code: '', output: {
    InstanceId, InstanceMetadataOptions: {
      State: 'applied', HttpTokens: 'required', HttpPutResponseHopLimit: 2,
      HttpEndpoint: 'enabled', HttpProtocolIpv6: 'enabled', InstanceMetadataTags: 'enabled'
    }
  } })
  for (const args of [
    ['modify-private-dns-name-options', '--instance-id', InstanceId,
      '--enable-resource-name-dns-a-record'],
    ['modify-subnet-attribute', '--subnet-id', SubnetId,
      '--private-dns-hostname-type-on-launch', 'resource-name'],
    ['modify-subnet-attribute', '--subnet-id', SubnetId,
      '--enable-resource-name-dns-a-record-on-launch'],
    ['modify-vpc-attribute', '--vpc-id', VpcId, '--enable-dns-hostnames', '{"Value":true}']
  ]) t.is((await aws(...args)).code, '', args.join(' '))
  const { Reservations: [reservation] = [] } =
    await ec2.describeInstances({ InstanceIds: [InstanceId] })
  t.like(reservation?.Instances?.[0], {
    MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 2 },
    PrivateDnsNameOptions: {
      HostnameType: 'ip-name', EnableResourceNameDnsARecord: true,
      EnableResourceNameDnsAAAARecord: false
    }
  })
  const { Subnets: [subnet] = [] } = await ec2.describeSubnets({ SubnetIds: [SubnetId] })
  t.deepEqual(subnet?.PrivateDnsNameOptionsOnLaunch, {
    HostnameType: 'resource-name', EnableResourceNameDnsARecord: true,
    EnableResourceNameDnsAAAARecord: false
  })
  const { EnableDnsHostnames } =
    await ec2.describeVpcAttribute({ VpcId, Attribute: 'enableDnsHostnames' })
  t.true(EnableDnsHostnames?.Value)
  // Debian's command line is older than this call.
  await ec2.modifyInstanceMetadataDefaults({ HttpTokens: 'required' })
  const { AccountLevel } = await ec2.getInstanceMetadataDefaults({})
  t.is(AccountLevel?.HttpTokens, 'required')
})

type Call = (network: Network) => Promise<unknown>

const refusals: readonly (readonly [string, Call])[] = [
  ['MissingParameter', ({ ec2, InstanceId }) =>
    ec2.modifyInstanceMetadataOptions({ InstanceId })],
  ['InvalidParameterValue', ({ ec2, InstanceId }) =>
    ec2.modifyInstanceMetadataOptions({ InstanceId, HttpPutResponseHopLimit: 65 })],
  ['InvalidParameterValue', ({ ec2, InstanceId }) =>
    ec2.modifyInstanceMetadataOptions({ InstanceId, HttpTokens: 'never' as 'required' })],
  ['InvalidInstanceID.NotFound', ({ ec2 }) => ec2.modifyInstanceMetadataOptions(
    { InstanceId: 'i-0123456789abcdef0', HttpTokens: 'required' })],
  ['InvalidInstanceID.Malformed', ({ ec2 }) =>
    ec2.modifyInstanceMetadataOptions({ InstanceId: 'i-x', HttpTokens: 'required' })],
  ['InvalidParameterValue', ({ ec2 }) =>
    ec2.modifyInstanceMetadataDefaults({ HttpPutResponseHopLimit: 0 })],
  ['MissingParameter', ({ ec2, InstanceId }) => ec2.modifyPrivateDnsNameOptions({ InstanceId })],
  ['InvalidParameterValue', ({ ec2, InstanceId }) => ec2.modifyPrivateDnsNameOptions(
    { InstanceId, PrivateDnsHostnameType: 'dns-name' as 'ip-name' })],
  ['IncorrectInstanceState', ({ ec2, InstanceId }) => ec2.modifyPrivateDnsNameOptions(
    { InstanceId, PrivateDnsHostnameType: 'resource-name' })],
  ['InvalidParameterCombination', ({ ec2, InstanceId }) => ec2.modifyPrivateDnsNameOptions(
    { InstanceId, EnableResourceNameDnsAAAARecord: true })],
  ['InvalidParameterCombination', ({ ec2, SubnetId }) => ec2.modifySubnetAttribute({ SubnetId })],
  ['InvalidParameterCombination', ({ ec2, SubnetId }) => ec2.modifySubnetAttribute({
    SubnetId, PrivateDnsHostnameTypeOnLaunch: 'ip-name', MapPublicIpOnLaunch: { Value: true }
  })],
  ['InvalidParameterValue', ({ ec2, SubnetId }) => ec2.modifySubnetAttribute(
    { SubnetId, PrivateDnsHostnameTypeOnLaunch: 'dns-name' as 'ip-name' })],
  ['InvalidParameterValue', ({ ec2, SubnetId }) => ec2.modifySubnetAttribute(
    { SubnetId, EnableResourceNameDnsAAAARecordOnLaunch: { Value: true } })],
  ['InvalidSubnetID.NotFound', ({ ec2 }) => ec2.modifySubnetAttribute(
    { SubnetId: 'subnet-0123456789abcdef0', MapPublicIpOnLaunch: { Value: true } })],
  ['InvalidParameterCombination', ({ ec2, VpcId }) => ec2.modifyVpcAttribute(
    { VpcId, EnableDnsHostnames: { Value: true }, EnableDnsSupport: { Value: true } })],
  ['InvalidVpcID.NotFound', ({ ec2 }) => ec2.modifyVpcAttribute(
    { VpcId: 'vpc-0123456789abcdef0', EnableDnsHostnames: { Value: true } })],
  ['InvalidParameterCombination', ({ ec2, VpcId }) =>
    ec2.modifyVpcAttribute({ VpcId, EnableDnsHostnames: { Value: true } })]
]

test('what they refuse has EC2\'s codes and changes nothing', async (t) => {
  const network = await build(t)
  const { ec2, VpcId, endpoint } = network
  await ec2.modifyVpcAttribute({ VpcId, EnableDnsSupport: { Value: false } })
  const { revision } = endpoint.snapshot
  for (const [code, call] of refusals) {
    const error = await t.throwsAsync(call(network), { instanceOf: EC2ServiceException })
    t.is(error.name, code, `${call.toString()}: ${error.message}`)
    t.is(endpoint.snapshot.revision, revision, `${code} changed something`)
  }
})
