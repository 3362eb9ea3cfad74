/** VPCs through the SDK's client: what is shown and found, and the states that nobody stores. */
import {
  AssociateVpcCidrBlockCommand, CreateVpcCommand, DescribeVpcAttributeCommand,
  DescribeVpcsCommand, ModifyVpcAttributeCommand
} from '@aws-sdk/client-ec2'
import type { Vpc } from '@aws-sdk/client-ec2'
import test from 'ava'
import { TEST_ACCOUNT, TestWorld } from '../../../model/test_world.ts'
import { refusalOf, testClient } from '../test_caller.ts'

test('a VPC is pending, and its later blocks are associating, until every agent has applied them',
  async (t) => {
  const world = new TestWorld()
  let applied = 0
  const ec2 = testClient(world, TEST_ACCOUNT, () => applied)
  const { Vpc: made } = await ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }))
  t.like(made, { State: 'pending', InstanceTenancy: 'default', IsDefault: false })
  const VpcId = made?.VpcId
  const describe = async (): Promise<Vpc | undefined> =>
    (await ec2.send(new DescribeVpcsCommand({}))).Vpcs?.[0]
  applied = world.snapshot.revision
  t.is((await describe())?.State, 'available')
  await ec2.send(new AssociateVpcCidrBlockCommand({ VpcId, CidrBlock: '10.2.0.0/16' }))
  await ec2.send(new AssociateVpcCidrBlockCommand({ VpcId, AmazonProvidedIpv6CidrBlock: true }))
  const states = async (): Promise<(string | undefined)[]> => {
    const vpc = await describe()
    return [vpc?.State,
      ...(vpc?.CidrBlockAssociationSet ?? []).map((one) => one.CidrBlockState?.State),
      ...(vpc?.Ipv6CidrBlockAssociationSet ?? []).map((one) => one.Ipv6CidrBlockState?.State)]
  }
  t.deepEqual(await states(), ['available', 'associated', 'associating', 'associating'])
  applied = world.snapshot.revision
  t.deepEqual(await states(), ['available', 'associated', 'associated', 'associated'])
})

test('DescribeVpcs finds by every filter of EC2', async (t) => {
  const world = new TestWorld()
  const ec2 = testClient(world)
  const create = async (CidrBlock: string, AmazonProvidedIpv6CidrBlock: boolean): Promise<string> =>
    (await ec2.send(new CreateVpcCommand({ CidrBlock, AmazonProvidedIpv6CidrBlock,
      TagSpecifications: [{ ResourceType: 'vpc', Tags: [{ Key: 'net', Value: CidrBlock }] }]
    }))).Vpc?.VpcId ?? ''
  const [one, two] = [await create('10.0.0.0/16', false), await create('10.1.0.0/16', true)]
  await ec2.send(new AssociateVpcCidrBlockCommand({ VpcId: one, CidrBlock: '100.64.0.0/16' }))
  const both = [one, two]
  const { cidrBlocks, dhcpOptionsId } = world.view().get('vpc', one) ?? {}
  const ipv6 = world.view().get('vpc', two)?.ipv6CidrBlocks[0]
  const find = async (name: string, value: string): Promise<(string | undefined)[]> => {
    const Filters = [{ Name: name, Values: [value] }]
    const { Vpcs = [] } = await ec2.send(new DescribeVpcsCommand({ Filters }))
    return Vpcs.map(({ VpcId }) => VpcId)
  }
  const expected: readonly (readonly [string, string, readonly string[]])[] = [
    ['cidr', '10.0.0.0/16', [one]],
    ['cidr', '100.64.0.0/16', []],
    ['cidr-block-association.association-id', cidrBlocks?.[1]?.associationId ?? '', [one]],
    ['cidr-block-association.cidr-block', '100.64.0.0/16', [one]],
    ['cidr-block-association.state', 'associated', both],
    ['dhcp-options-id', dhcpOptionsId ?? '', both],
    ['ipv6-cidr-block-association.association-id', ipv6?.associationId ?? '', [two]],
    ['ipv6-cidr-block-association.ipv6-cidr-block', '2001:db8:*', [two]],
    ['ipv6-cidr-block-association.ipv6-pool', 'Amazon', [two]],
    ['ipv6-cidr-block-association.state', 'associated', [two]],
    ['is-default', 'true', []],
    ['owner-id', TEST_ACCOUNT, both],
    ['state', 'available', both],
    ['tag:net', '10.1.*', [two]],
    ['tag-key', 'net', both],
    ['vpc-id', two, [two]]
  ]
  for (const [name, value, ids] of expected) t.deepEqual(await find(name, value), ids, name)
  t.is(await refusalOf(find('colour', 'red')), 'InvalidParameterValue')
})

test('DescribeVpcAttribute answers the default and what ModifyVpcAttribute set', async (t) => {
  const ec2 = testClient(new TestWorld())
  const { Vpc: made } = await ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }))
  const VpcId = made?.VpcId
  const show = async (Attribute: 'enableDnsSupport' | 'enableDnsHostnames'): Promise<unknown> => {
    const answer = await ec2.send(new DescribeVpcAttributeCommand({ VpcId, Attribute }))
    return answer.EnableDnsHostnames?.Value ?? answer.EnableDnsSupport?.Value
  }
  t.deepEqual([await show('enableDnsSupport'), await show('enableDnsHostnames')], [true, false])
  await ec2.send(new ModifyVpcAttributeCommand({ VpcId, EnableDnsHostnames: { Value: true } }))
  t.true(await show('enableDnsHostnames'))
})
