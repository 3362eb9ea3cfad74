/** VPC peering connections through the SDK's client: states, both owners' sight, and rules. */
import * as ec2 from '@aws-sdk/client-ec2'
import test from 'ava'
import { TEST_ACCOUNT, TestWorld } from '../../../model/test_world.ts'
import { refusalOf, testClient } from '../test_caller.ts'

const OTHER_ACCOUNT = '222222222222'

async function vpc (client: ec2.EC2Client, CidrBlock: string): Promise<string> {
  const { Vpc } = await client.send(new ec2.CreateVpcCommand({ CidrBlock }))
  return Vpc?.VpcId ?? ''
}

async function shown (client: ec2.EC2Client,
  id: string): Promise<ec2.VpcPeeringConnection | undefined> {
  const { VpcPeeringConnections } = await client.send(
    new ec2.DescribeVpcPeeringConnectionsCommand({ VpcPeeringConnectionIds: [id] }))
  return VpcPeeringConnections?.[0]
}

test('states follow what the hosts have applied; blocks of the accepter once it has accepted',
  async (t) => {
    const world = new TestWorld()
    let applied = 0
    const ours = testClient(world, TEST_ACCOUNT, () => applied)
    const theirs = testClient(world, OTHER_ACCOUNT, () => applied)
    const [a, b] = [await vpc(ours, '10.1.0.0/16'), await vpc(theirs, '10.2.0.0/16')]
    const catchUp = (): void => { applied = world.snapshot.revision }
    const { VpcPeeringConnection: made } = await ours.send(
      new ec2.CreateVpcPeeringConnectionCommand({
        VpcId: a, PeerVpcId: b, PeerOwnerId: OTHER_ACCOUNT,
        TagSpecifications: [{ ResourceType: 'vpc-peering-connection',
          Tags: [{ Key: 'Name', Value: 'ours' }] }]
      }))
    const id = made?.VpcPeeringConnectionId ?? ''
    t.is(made?.Status?.Code, 'initiating-request')
    catchUp()
    const pending = await shown(ours, id)
    t.is(pending?.Status?.Message, `Pending Acceptance by ${OTHER_ACCOUNT}`)
    t.is(pending?.RequesterVpcInfo?.CidrBlock, '10.1.0.0/16')
    t.is(pending?.AccepterVpcInfo?.CidrBlock, undefined)
    t.is(pending?.ExpirationTime?.getTime(), world.nowMs + 7 * 24 * 3_600_000)
    const received = await shown(theirs, id)
    t.is(received?.AccepterVpcInfo?.CidrBlock, '10.2.0.0/16')
    t.deepEqual(received?.Tags, [])
    const accept = new ec2.AcceptVpcPeeringConnectionCommand({ VpcPeeringConnectionId: id })
    t.is(await refusalOf(ours.send(accept)), 'OperationNotPermitted')
    t.is((await theirs.send(accept)).VpcPeeringConnection?.Status?.Code, 'provisioning')
    t.is((await shown(ours, id))?.Status?.Code, 'provisioning')
    catchUp()
    await ours.send(new ec2.CreateTagsCommand(
      { Resources: [id], Tags: [{ Key: 'Name', Value: 'other' }] }))
    t.is((await shown(ours, id))?.Status?.Code, 'active', 'a tag changes no state')
    t.is((await shown(ours, id))?.AccepterVpcInfo?.CidrBlock, '10.2.0.0/16')
    await ours.send(new ec2.DeleteVpcPeeringConnectionCommand({ VpcPeeringConnectionId: id }))
    t.is((await shown(theirs, id))?.Status?.Code, 'deleting')
    catchUp()
    t.is((await shown(theirs, id))?.Status?.Message, `Deleted by ${TEST_ACCOUNT}`)
    world.nowMs += 2 * 3_600_000
    t.is(await refusalOf(shown(ours, id)), 'InvalidVpcPeeringConnectionID.NotFound')
    t.is((await shown(theirs, id))?.Status?.Code, 'deleted')
  })

test('filters find peerings by state, side and tag', async (t) => {
  const world = new TestWorld()
  const client = testClient(world)
  const [a, b, c] = [await vpc(client, '10.1.0.0/16'), await vpc(client, '10.2.0.0/16'),
    await vpc(client, '10.1.0.0/16')]
  const create = async (PeerVpcId: string): Promise<string> => (await client.send(
    new ec2.CreateVpcPeeringConnectionCommand({ VpcId: a, PeerVpcId })))
    .VpcPeeringConnection?.VpcPeeringConnectionId ?? ''
  const [good, overlapping] = [await create(b), await create(c)]
  const found = async (Name: string, value: string): Promise<(string | undefined)[]> =>
    ((await client.send(new ec2.DescribeVpcPeeringConnectionsCommand(
      { Filters: [{ Name, Values: [value] }] }))).VpcPeeringConnections ?? [])
      .map(({ VpcPeeringConnectionId }) => VpcPeeringConnectionId)
  t.deepEqual(await found('status-code', 'failed'), [overlapping])
  t.deepEqual(await found('accepter-vpc-info.vpc-id', b), [good])
  t.deepEqual(await found('requester-vpc-info.cidr-block', '10.1.0.0/16'), [good, overlapping])
  t.deepEqual(await found('vpc-peering-connection-id', good), [good])
  t.is(await refusalOf(found('colour', 'red')), 'InvalidParameterValue')
})

test('a rule shows the peer group\'s owner, VPC and peering; options show what was set',
  async (t) => {
    const world = new TestWorld()
    const client = testClient(world)
    const [a, b] = [await vpc(client, '10.1.0.0/16'), await vpc(client, '10.2.0.0/16')]
    const { VpcPeeringConnection } = await client.send(
      new ec2.CreateVpcPeeringConnectionCommand({ VpcId: a, PeerVpcId: b }))
    const pcx = VpcPeeringConnection?.VpcPeeringConnectionId ?? ''
    await client.send(
      new ec2.AcceptVpcPeeringConnectionCommand({ VpcPeeringConnectionId: pcx }))
    const [ours, theirs] = [a, b].map((vpcId) =>
      world.snapshot.tables.securityGroup.by('vpcId', vpcId)[0]?.id ?? '')
    await client.send(new ec2.AuthorizeSecurityGroupIngressCommand({ GroupId: ours,
      IpPermissions: [{ IpProtocol: 'tcp', FromPort: 80, ToPort: 80,
        UserIdGroupPairs: [{ GroupId: theirs, UserId: TEST_ACCOUNT }] }] }))
    const { SecurityGroups } = await client.send(
      new ec2.DescribeSecurityGroupsCommand({ GroupIds: [ours ?? ''] }))
    t.deepEqual(SecurityGroups?.[0]?.IpPermissions?.[1]?.UserIdGroupPairs, [{
      GroupId: theirs, UserId: TEST_ACCOUNT, VpcId: b, VpcPeeringConnectionId: pcx,
      PeeringStatus: 'active'
    }])
    await client.send(new ec2.ModifyVpcAttributeCommand(
      { VpcId: b, EnableDnsHostnames: { Value: true } }))
    const modified = await client.send(new ec2.ModifyVpcPeeringConnectionOptionsCommand({
      VpcPeeringConnectionId: pcx,
      AccepterPeeringConnectionOptions: { AllowDnsResolutionFromRemoteVpc: true }
    }))
    t.true(modified.AccepterPeeringConnectionOptions?.AllowDnsResolutionFromRemoteVpc)
    const { AccepterVpcInfo, RequesterVpcInfo } = await shown(client, pcx) ?? {}
    t.true(AccepterVpcInfo?.PeeringOptions?.AllowDnsResolutionFromRemoteVpc)
    t.false(RequesterVpcInfo?.PeeringOptions?.AllowDnsResolutionFromRemoteVpc)
    t.is(await refusalOf(client.send(new ec2.ModifyVpcPeeringConnectionOptionsCommand({
      VpcPeeringConnectionId: pcx,
      RequesterPeeringConnectionOptions: { AllowEgressFromLocalClassicLinkToRemoteVpc: true }
    }))), 'UnsupportedOperation')
  })
