/** Security groups through the SDK's client: rules are shown apart and by protocol and range. */
import {
  AuthorizeSecurityGroupIngressCommand, CreateSecurityGroupCommand, DeleteSecurityGroupCommand,
  DescribeSecurityGroupRulesCommand, DescribeSecurityGroupsCommand,
  ModifySecurityGroupRulesCommand, RevokeSecurityGroupIngressCommand
} from '@aws-sdk/client-ec2'
import test from 'ava'
import { TestNetwork } from '../../../model/test_network.ts'
import { refusalOf, testClient } from '../test_caller.ts'

test('rules of one range are one permission, and each is a rule with an id of its own',
  async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const { GroupId } = await ec2.send(new CreateSecurityGroupCommand({ VpcId: net.vpcId,
    GroupName: 'web', Description: 'test' }))
  const authorized = await ec2.send(new AuthorizeSecurityGroupIngressCommand({
    GroupId,
    IpPermissions: [{
      IpProtocol: 'tcp', FromPort: 80, ToPort: 80,
      IpRanges: [{ CidrIp: '0.0.0.0/0', Description: 'all' }], Ipv6Ranges: [{ CidrIpv6: '::/0' }],
      UserIdGroupPairs: [{ GroupId }]
    }]
  }))
  t.is(authorized.SecurityGroupRules?.length, 3)
  const { SecurityGroups } = await ec2.send(new DescribeSecurityGroupsCommand({
    Filters: [{ Name: 'ip-permission.cidr', Values: ['0.0.0.0/0'] }]
  }))
  t.deepEqual(SecurityGroups?.map((group) => group.GroupId), [GroupId])
  const [permission, ...others] = SecurityGroups?.[0]?.IpPermissions ?? []
  t.deepEqual(others, [])
  t.like(permission, { IpProtocol: 'tcp', FromPort: 80, ToPort: 80,
    IpRanges: [{ CidrIp: '0.0.0.0/0', Description: 'all' }] })
  t.is(permission?.UserIdGroupPairs?.[0]?.GroupId, GroupId)
  const listed = await ec2.send(
    new DescribeSecurityGroupRulesCommand({ Filters: [{ Name: 'group-id',
      Values: [GroupId ?? ''] }] }))
  t.is(listed.SecurityGroupRules?.length, 5, 'and two for egress')
})

test('a revoked rule is told, and a second revocation is refused', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const { GroupId } = await ec2.send(new CreateSecurityGroupCommand({ VpcId: net.vpcId,
    GroupName: 'web', Description: 'test' }))
  const ssh = { GroupId, IpProtocol: 'tcp', FromPort: 22, ToPort: 22, CidrIp: '198.51.100.9/24' }
  const { SecurityGroupRules } = await ec2.send(new AuthorizeSecurityGroupIngressCommand(ssh))
  const { RevokedSecurityGroupRules } = await ec2.send(new RevokeSecurityGroupIngressCommand(ssh))
  t.like(RevokedSecurityGroupRules?.[0], {
    SecurityGroupRuleId: SecurityGroupRules?.[0]?.SecurityGroupRuleId, CidrIpv4: '198.51.100.0/24',
    FromPort: 22
  })
  t.is(await refusalOf(ec2.send(new RevokeSecurityGroupIngressCommand(ssh))),
    'InvalidPermission.NotFound')
  await ec2.send(new DeleteSecurityGroupCommand({ GroupId }))
  t.is(await refusalOf(ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [GroupId ?? ''] }))),
    'InvalidGroup.NotFound')
})

test('a rule that is modified has one peer', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const [group] = net.view().by('securityGroup', 'vpcId', net.vpcId)
  const modify = (rule: object): Promise<string> => refusalOf(ec2.send(
    new ModifySecurityGroupRulesCommand({
      GroupId: group?.id,
      SecurityGroupRules: [{
        SecurityGroupRuleId: group?.rules[0]?.id, SecurityGroupRule: { IpProtocol: '-1', ...rule }
      }]
    })))
  t.is(await modify({}), 'MissingParameter')
  t.is(await modify({ CidrIpv4: '10.0.0.0/8', CidrIpv6: '::/0' }), 'InvalidParameterCombination')
})
