/**
 * Usage against the plans that check the quotas: where a quota is set to what is used, one more is
 * refused with its code; where it is one higher, one more is allowed, and counted.
 */
import {
  AssociateVpcCidrBlockCommand, AuthorizeSecurityGroupIngressCommand, CreateDhcpOptionsCommand,
  CreateNetworkAclCommand, CreateNetworkAclEntryCommand, CreateNetworkInterfaceCommand,
  CreateRouteCommand, CreateRouteTableCommand, CreateSecurityGroupCommand, CreateSubnetCommand,
  CreateVpcCommand, type EC2Client
} from '@aws-sdk/client-ec2'
import test from 'ava'
import { testClient } from '../api/ec2/test_caller.ts'
import { type QuotaName, QUOTAS } from './quota.ts'
import { quotaUsage } from './quota_usage.ts'
import { TestNetwork } from './test_network.ts'

interface Scene {
  readonly ec2: EC2Client
  readonly net: TestNetwork
}

/** One more of what each quota limits, in the place that holds most. */
const ONE_MORE: { readonly [N in QuotaName]?: (scene: Scene) => Promise<unknown> } = {
  'vpcs-per-region': ({ ec2 }) => ec2.send(new CreateVpcCommand({ CidrBlock: '10.9.0.0/16' })),
  'ipv4-cidr-blocks-per-vpc': ({ ec2, net }) => ec2.send(
    new AssociateVpcCidrBlockCommand({ VpcId: net.vpcId, CidrBlock: '10.200.0.0/16' })),
  'subnets-per-vpc': ({ ec2, net }) => ec2.send(
    new CreateSubnetCommand({ VpcId: net.vpcId, CidrBlock: '10.0.200.0/24' })),
  'route-tables-per-vpc': ({ ec2, net }) =>
    ec2.send(new CreateRouteTableCommand({ VpcId: net.vpcId })),
  'network-interfaces-per-region': ({ ec2, net }) =>
    ec2.send(new CreateNetworkInterfaceCommand({ SubnetId: net.subnetId })),
  'security-groups-per-region': ({ ec2, net }) => ec2.send(
    new CreateSecurityGroupCommand({ VpcId: net.vpcId, GroupName: 'one', Description: 'more' })),
  'network-acls-per-vpc': ({ ec2, net }) =>
    ec2.send(new CreateNetworkAclCommand({ VpcId: net.vpcId })),
  'dhcp-options-per-region': ({ ec2 }) => ec2.send(new CreateDhcpOptionsCommand({
    DhcpConfigurations: [{ Key: 'domain-name', Values: ['example.com'] }]
  })),
  'routes-per-route-table': async ({ ec2, net }) => {
    const { RouteTable } = await ec2.send(new CreateRouteTableCommand({ VpcId: net.vpcId }))
    const { NetworkInterface } =
      await ec2.send(new CreateNetworkInterfaceCommand({ SubnetId: net.subnetId }))
    await ec2.send(new CreateRouteCommand({
      RouteTableId: RouteTable?.RouteTableId, DestinationCidrBlock: '192.0.2.0/24',
      NetworkInterfaceId: NetworkInterface?.NetworkInterfaceId
    }))
  },
  'rules-per-security-group': async ({ ec2, net }) => {
    const { GroupId } = await ec2.send(
      new CreateSecurityGroupCommand({ VpcId: net.vpcId, GroupName: 'two', Description: 'rules' }))
    await ec2.send(new AuthorizeSecurityGroupIngressCommand({
      GroupId,
      IpPermissions: ['192.0.2.0/24', '198.51.100.0/24'].map((CidrIp) =>
        ({ IpProtocol: 'tcp', FromPort: 80, ToPort: 80, IpRanges: [{ CidrIp }] }))
    }))
  },
  'rules-per-network-acl': async ({ ec2, net }) => {
    const { NetworkAcl } = await ec2.send(new CreateNetworkAclCommand({ VpcId: net.vpcId }))
    for (const RuleNumber of [10, 20]) {
      await ec2.send(new CreateNetworkAclEntryCommand({
        NetworkAclId: NetworkAcl?.NetworkAclId, RuleNumber, Protocol: '-1', RuleAction: 'allow',
        Egress: false, CidrBlock: '192.0.2.0/24'
      }))
    }
  }
}

for (const name of Object.keys(ONE_MORE) as QuotaName[]) {
  test(`${name} counts as the plan does`, async (t) => {
    const usedIn = (net: TestNetwork): number => quotaUsage(net.view(), name)?.used ?? NaN
    const full = new TestNetwork()
    const used = usedIn(full)
    full.setQuota(name, used)
    await t.throwsAsync(ONE_MORE[name]?.({ ec2: testClient(full), net: full }) ?? Promise.resolve(),
      { name: QUOTAS[name].code })
    t.is(usedIn(full), used)

    const roomy = new TestNetwork()
    roomy.setQuota(name, used + 1)
    await ONE_MORE[name]?.({ ec2: testClient(roomy), net: roomy })
    t.is(usedIn(roomy), used + 1)
  })
}

test('a quota of a container names the one that uses most of it', (t) => {
  const net = new TestNetwork()
  t.deepEqual(quotaUsage(net.view(), 'subnets-per-vpc'), { used: 2, resource: net.vpcId })
  t.deepEqual(quotaUsage(net.view(), 'instances-per-region'), { used: 0, resource: null })
})
