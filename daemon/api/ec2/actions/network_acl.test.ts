/** Network ACLs and DHCP options through the SDK's client: what is shown. */
import {
  CreateDhcpOptionsCommand, CreateNetworkAclCommand, CreateNetworkAclEntryCommand,
  DescribeDhcpOptionsCommand, DescribeNetworkAclsCommand, ReplaceNetworkAclAssociationCommand
} from '@aws-sdk/client-ec2'
import test from 'ava'
import { TestNetwork } from '../../../model/test_network.ts'
import { testClient } from '../test_caller.ts'

test('the default ACL is shown with its entries, the final rules and its subnets', async (t) => {
  const net = new TestNetwork()
  const { NetworkAcls } =
    await testClient(net).send(new DescribeNetworkAclsCommand({ Filters: [{ Name: 'default',
      Values: ['true'] }] }))
  const [acl] = NetworkAcls ?? []
  t.deepEqual(acl?.Entries?.map(({ RuleNumber, Egress, RuleAction }) =>
    [RuleNumber, Egress, RuleAction]), [
    [100, true, 'allow'], [101, true, 'allow'], [32767, true, 'deny'], [32768, true, 'deny'],
    [100, false, 'allow'], [101, false, 'allow'], [32767, false, 'deny'], [32768, false, 'deny']
  ])
  t.deepEqual(acl?.Associations?.map(({ SubnetId }) => SubnetId), [net.subnetId, net.otherSubnetId])
})

test('a subnet moves to an ACL by the association that was shown', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const { NetworkAcl } = await ec2.send(new CreateNetworkAclCommand({ VpcId: net.vpcId }))
  const NetworkAclId = NetworkAcl?.NetworkAclId
  await ec2.send(new CreateNetworkAclEntryCommand({
    NetworkAclId, RuleNumber: 10, Protocol: '6', RuleAction: 'allow', Egress: false,
    CidrBlock: '0.0.0.0/0', PortRange: { From: 80, To: 80 }
  }))
  const before = await ec2.send(
    new DescribeNetworkAclsCommand({ Filters: [{ Name: 'association.subnet-id',
      Values: [net.subnetId] }] }))
  const association =
    before.NetworkAcls?.[0]?.Associations?.find(({ SubnetId }) => SubnetId === net.subnetId)
  const { NewAssociationId } = await ec2.send(new ReplaceNetworkAclAssociationCommand({
    AssociationId: association?.NetworkAclAssociationId, NetworkAclId
  }))
  const { NetworkAcls } =
    await ec2.send(new DescribeNetworkAclsCommand({ NetworkAclIds: [NetworkAclId ?? ''] }))
  t.deepEqual(NetworkAcls?.[0]?.Associations,
    [{ NetworkAclAssociationId: NewAssociationId, NetworkAclId, SubnetId: net.subnetId }])
  t.like(NetworkAcls?.[0]?.Entries?.find(({ RuleNumber }) => RuleNumber === 10),
    { PortRange: { From: 80, To: 80 }, Protocol: '6' })
})

test('DHCP options are shown as they were given', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const { DhcpOptions } = await ec2.send(new CreateDhcpOptionsCommand({
    DhcpConfigurations: [{ Key: 'domain-name', Values: ['lab.example'] },
      { Key: 'ntp-servers', Values: ['10.0.0.9', '10.0.0.8'] }]
  }))
  t.deepEqual(DhcpOptions?.DhcpConfigurations, [
    { Key: 'domain-name', Values: [{ Value: 'lab.example' }] },
    { Key: 'ntp-servers', Values: [{ Value: '10.0.0.9' }, { Value: '10.0.0.8' }] }
  ])
  const found = await ec2.send(new DescribeDhcpOptionsCommand({ Filters: [{ Name: 'key',
    Values: ['ntp-*'] }] }))
  t.is(found.DhcpOptions?.length, 1)
})
