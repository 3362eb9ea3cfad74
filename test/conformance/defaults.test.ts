/**
 * Defaults and limits of routes, prefix lists, groups, tracking, ACLs, flow logs and mirroring,
 * read through the AWS SDK: what is there before anybody changes it, and the call that is one too
 * many.
 * The quotas that no test reaches are read in daemon/api/admin/server.test.ts.
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { EC2, EC2ServiceException } from '@aws-sdk/client-ec2'
import { QUOTA_PROFILES } from '../../daemon/model/quota.ts'
import type { QuotaProfile } from '../../daemon/model/quota.ts'
import { ALICE, openEndpoint } from './endpoint.ts'

async function open (t: ExecutionContext, quotaProfile: QuotaProfile = 'seed'): Promise<EC2> {
  const endpoint = await openEndpoint({ quotaProfile })
  const ec2 = new EC2(
    { endpoint: endpoint.url, region: 'us-east-1', credentials: ALICE, maxAttempts: 1 })
  t.teardown(async () => {
    ec2.destroy()
    await endpoint.close()
  })
  return ec2
}

const newVpc = async (ec2: EC2, AmazonProvidedIpv6CidrBlock = false): Promise<string> =>
  (await ec2.createVpc({ CidrBlock: '10.0.0.0/16', AmazonProvidedIpv6CidrBlock })).Vpc?.VpcId ?? ''

const newSubnet = async (ec2: EC2, VpcId: string): Promise<string> =>
  (await ec2.createSubnet({ VpcId, CidrBlock: '10.0.1.0/24' })).Subnet?.SubnetId ?? ''

const newEni = async (ec2: EC2, SubnetId: string): Promise<string> =>
  (await ec2.createNetworkInterface({ SubnetId })).NetworkInterface?.NetworkInterfaceId ?? ''

const ofVpc = (VpcId: string) => ({ Filters: [{ Name: 'vpc-id', Values: [VpcId] }] })

for (const isDual of [false, true]) {
  const family = isDual ? 'IPv4 and IPv6' : 'IPv4'

  test(`a VPC with ${family} is born with a group, an ACL and a table`, async (t) => {
    const ec2 = await open(t)
    const vpc = await newVpc(ec2, isDual)
    const { SecurityGroups: [group] = [] } = await ec2.describeSecurityGroups(ofVpc(vpc))
    t.like(group, { GroupName: 'default', Description: 'default VPC security group' })
    const { SecurityGroupRules: rules = [] } = await ec2.describeSecurityGroupRules({})
    const everywhere = isDual ? ['0.0.0.0/0', '::/0'] : ['0.0.0.0/0']
    t.deepEqual(rules.map((rule) => [rule.IsEgress, rule.IpProtocol, rule.CidrIpv4 ??
      rule.CidrIpv6 ?? rule.ReferencedGroupInfo?.GroupId]).sort(),
    [[false, '-1', group?.GroupId], ...everywhere.map((cidr) => [true, '-1', cidr])].sort())

    const { NetworkAcls: [acl] = [] } = await ec2.describeNetworkAcls(ofVpc(vpc))
    t.true(acl?.IsDefault)
    const allowed = isDual ? [[100, 'allow'], [101, 'allow']] : [[100, 'allow']]
    const denied = isDual ? [[32_767, 'deny'], [32_768, 'deny']] : [[32_767, 'deny']]
    for (const egress of [false, true]) {
      t.deepEqual(acl?.Entries?.filter(({ Egress }) => Egress === egress)
        .map(({ RuleNumber, RuleAction }) => [RuleNumber, RuleAction]), [...allowed, ...denied])
    }
    const { NetworkAcl: custom } = await ec2.createNetworkAcl({ VpcId: vpc })
    t.deepEqual(custom?.Entries?.map(({ RuleAction }) => RuleAction),
      [...denied, ...denied].map(() => 'deny'), 'a custom one denies all')

    const { RouteTables: [table] = [] } = await ec2.describeRouteTables(ofVpc(vpc))
    t.true(table?.Associations?.[0]?.Main)
    t.deepEqual(table?.Routes?.map(({ GatewayId, Origin }) => [GatewayId, Origin]),
      everywhere.map(() => ['local', 'CreateRouteTable']))

    await ec2.createSecurityGroup({ VpcId: vpc, GroupName: 'new', Description: 'new' })
    const { SecurityGroups: [made] = [] } = await ec2.describeSecurityGroups(
      { Filters: [{ Name: 'group-name', Values: ['new'] }] })
    t.deepEqual(made?.IpPermissions, [])
    t.is(made?.IpPermissionsEgress?.length, 1)
    t.deepEqual(made?.IpPermissionsEgress?.flatMap(({ IpRanges = [], Ipv6Ranges = [] }) =>
      [...IpRanges.map(({ CidrIp }) => CidrIp), ...Ipv6Ranges.map(({ CidrIpv6 }) => CidrIpv6)]),
    everywhere)
  })
}

test('AWS has a prefix list per gateway service, at the cost of one entry each', async (t) => {
  const ec2 = await open(t)
  const vpc = await newVpc(ec2)
  const { PrefixLists: lists = [] } = await ec2.describeManagedPrefixLists({})
  t.deepEqual(lists.map(({ PrefixListName, OwnerId }) => [PrefixListName, OwnerId]).sort(), [
    ['com.amazonaws.us-east-1.dynamodb', 'AWS'], ['com.amazonaws.us-east-1.s3', 'AWS']
  ])
  const { GroupId } = await ec2.createSecurityGroup(
    { VpcId: vpc, GroupName: 'web', Description: 'x' })
  const [PrefixListId] = lists.map((list) => list.PrefixListId)
  const authorize = (first: number, count: number): Promise<unknown> =>
    ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions: Array.from({ length: count },
      (_, at) => ({ IpProtocol: 'tcp', FromPort: first + at, ToPort: first + at,
        PrefixListIds: [{ PrefixListId }] })) })
  await authorize(1, 60)
  await t.throwsAsync(authorize(61, 1), { name: 'RulesPerSecurityGroupLimitExceeded' })
})

test('a flow log and a mirror session say what they do when nothing is said', async (t) => {
  const ec2 = await open(t)
  const vpc = await newVpc(ec2)
  const subnet = await newSubnet(ec2, vpc)
  await ec2.createFlowLogs({ ResourceType: 'VPC', ResourceIds: [vpc], TrafficType: 'ALL',
    LogGroupName: 'flows', DeliverLogsPermissionArn: 'arn:aws:iam::111111111111:role/flow-logs' })
  const { FlowLogs: [flowLog] = [] } = await ec2.describeFlowLogs({})
  t.like(flowLog, {
    MaxAggregationInterval: 600, LogDestinationType: 'cloud-watch-logs', FlowLogStatus: 'ACTIVE',
    LogFormat: '${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ' +
      '${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}'
  })
  const { TrafficMirrorTarget: target } = await ec2.createTrafficMirrorTarget(
    { NetworkInterfaceId: await newEni(ec2, subnet) })
  const { TrafficMirrorFilter: filter } = await ec2.createTrafficMirrorFilter({})
  t.like(filter, { IngressFilterRules: [], EgressFilterRules: [], NetworkServices: [] })
  const { TrafficMirrorSession: session } = await ec2.createTrafficMirrorSession({
    NetworkInterfaceId: await newEni(ec2, subnet), SessionNumber: 32_766,
    TrafficMirrorTargetId: target?.TrafficMirrorTargetId,
    TrafficMirrorFilterId: filter?.TrafficMirrorFilterId
  })
  t.is(session?.PacketLength, undefined, 'the whole packet')
  const { VirtualNetworkId: vni = -1 } = session ?? {}
  t.true(vni > 0 && vni < 2 ** 24, String(vni))
})

test('idle times of tracked connections can be set from the least to the most', async (t) => {
  const ec2 = await open(t)
  const SubnetId = await newSubnet(ec2, await newVpc(ec2))
  for (const ConnectionTrackingSpecification of [
    { TcpEstablishedTimeout: 60, UdpTimeout: 30, UdpStreamTimeout: 60 },
    { TcpEstablishedTimeout: 432_000, UdpTimeout: 60, UdpStreamTimeout: 180 }
  ]) {
    const { NetworkInterface: eni } =
      await ec2.createNetworkInterface({ SubnetId, ConnectionTrackingSpecification })
    t.like(eni?.ConnectionTrackingConfiguration, ConnectionTrackingSpecification)
  }
})

interface Scene { readonly ec2: EC2, readonly vpc: string, readonly subnet: string }

/** Makes the nth of something, in a container that it makes first. */
type Maker = (scene: Scene) => Promise<(n: number) => Promise<unknown>>

const newGroup = async ({ ec2, vpc }: Scene, GroupName: string): Promise<string> =>
  (await ec2.createSecurityGroup({ VpcId: vpc, GroupName, Description: 'x' })).GroupId ?? ''

const routes = (isIpv6: boolean): Maker => async ({ ec2, vpc, subnet }) => {
  const { RouteTableId } = (await ec2.createRouteTable({ VpcId: vpc })).RouteTable ?? {}
  const NetworkInterfaceId = await newEni(ec2, subnet)
  return (n) => ec2.createRoute({ RouteTableId, NetworkInterfaceId, ...isIpv6
    ? { DestinationIpv6CidrBlock: `2001:db8:${n.toString(16)}::/48` }
    : { DestinationCidrBlock: `172.${String(16 + (n >> 8))}.${String(n & 255)}.0/24` } })
}

const rules = (isEgress: boolean, isIpv6: boolean): Maker => async (scene) => {
  const { ec2 } = scene
  const GroupId = await newGroup(scene, `rules ${String(isEgress)} ${String(isIpv6)}`)
  return (n) => {
    const peer = isIpv6 ? { Ipv6Ranges: [{ CidrIpv6: '::/0' }] }
      : { IpRanges: [{ CidrIp: '0.0.0.0/0' }] }
    const IpPermissions = [{ IpProtocol: 'tcp', FromPort: n, ToPort: n, ...peer }]
    return isEgress ? ec2.authorizeSecurityGroupEgress({ GroupId, IpPermissions })
      : ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions })
  }
}

const entries = (Egress: boolean, isIpv6: boolean): Maker => async ({ ec2, vpc }) => {
  const { NetworkAclId } = (await ec2.createNetworkAcl({ VpcId: vpc })).NetworkAcl ?? {}
  return (n) => ec2.createNetworkAclEntry({ NetworkAclId, RuleNumber: n, Egress, Protocol: '-1',
    RuleAction: 'deny', ...isIpv6 ? { Ipv6CidrBlock: '::/0' } : { CidrBlock: '0.0.0.0/0' } })
}

/** Sessions: the nth of one source, or of one target with the nth source. */
const sessions = (of: 'source' | 'target'): Maker => async ({ ec2, subnet }) => {
  const target = await ec2.createTrafficMirrorTarget(
    { NetworkInterfaceId: await newEni(ec2, subnet) })
  const filter = await ec2.createTrafficMirrorFilter({})
  const only = await newEni(ec2, subnet)
  return async (n) => ec2.createTrafficMirrorSession({
    NetworkInterfaceId: of === 'source' ? only : await newEni(ec2, subnet), SessionNumber: n,
    TrafficMirrorTargetId: target.TrafficMirrorTarget?.TrafficMirrorTargetId,
    TrafficMirrorFilterId: filter.TrafficMirrorFilter?.TrafficMirrorFilterId
  })
}

/** [what, how many more than there are, EC2's code for one too many, maker] */
const LIMITS: readonly (readonly [string, number | Record<QuotaProfile, number>, string,
  Maker])[] = [
  ['IPv4 routes of a table', { seed: 50, current: 500 }, 'RouteLimitExceeded', routes(false)],
  ['IPv6 routes of a table', { seed: 50, current: 500 }, 'RouteLimitExceeded', routes(true)],
  ['IPv4 rules in', 60, 'RulesPerSecurityGroupLimitExceeded', rules(false, false)],
  ['IPv6 rules in', 60, 'RulesPerSecurityGroupLimitExceeded', rules(false, true)],
  ['IPv4 rules out, beside the one of birth', 59, 'RulesPerSecurityGroupLimitExceeded',
    rules(true, false)],
  ['IPv6 rules out, beside the one of birth', 59, 'RulesPerSecurityGroupLimitExceeded',
    rules(true, true)],
  ['IPv4 entries in', 20, 'NetworkAclEntryLimitExceeded', entries(false, false)],
  ['IPv6 entries in', 20, 'NetworkAclEntryLimitExceeded', entries(false, true)],
  ['IPv4 entries out', 20, 'NetworkAclEntryLimitExceeded', entries(true, false)],
  ['IPv6 entries out', 20, 'NetworkAclEntryLimitExceeded', entries(true, true)],
  ['groups of an ENI', 5, 'SecurityGroupsPerInterfaceLimitExceeded', async (scene) => {
    const NetworkInterfaceId = await newEni(scene.ec2, scene.subnet)
    const Groups: string[] = []
    return async (n) => {
      Groups.push(await newGroup(scene, `member ${String(n)}`))
      return scene.ec2.modifyNetworkInterfaceAttribute({ NetworkInterfaceId, Groups })
    }
  }],
  ['rules of a mirror filter', 10, 'TrafficMirrorFilterRuleLimitExceeded', async ({ ec2 }) => {
    const { TrafficMirrorFilter: filter } = await ec2.createTrafficMirrorFilter({})
    return (n) => ec2.createTrafficMirrorFilterRule({
      TrafficMirrorFilterId: filter?.TrafficMirrorFilterId, RuleNumber: n, RuleAction: 'accept',
      TrafficDirection: n % 2 === 0 ? 'ingress' : 'egress', SourceCidrBlock: '0.0.0.0/0',
      DestinationCidrBlock: '0.0.0.0/0'
    })
  }],
  ['mirror sessions of a source', 3, 'TrafficMirrorSessionsPerInterfaceLimitExceeded',
    sessions('source')],
  ['sources of a mirror target', 10, 'TrafficMirrorSourcesPerTargetLimitExceeded',
    sessions('target')],
  ['prefix lists', 100, 'ResourceLimitExceeded', ({ ec2 }) => Promise.resolve((n) =>
    ec2.createManagedPrefixList(
      { PrefixListName: `list ${String(n)}`, AddressFamily: 'IPv4', MaxEntries: 1000 }))],
  // Last, since the VPC is full then. The one of birth counts, and those that others made above.
  ['network ACLs of a VPC', 199 - 4, 'NetworkAclLimitExceeded', ({ ec2, vpc }) =>
    Promise.resolve(() => ec2.createNetworkAcl({ VpcId: vpc }))],
  ['route tables of a VPC', 199 - 2, 'RouteTableLimitExceeded', ({ ec2, vpc }) =>
    Promise.resolve(() => ec2.createRouteTable({ VpcId: vpc }))]
]

for (const profile of QUOTA_PROFILES) {
  test(`the one too many is refused, profile ${profile}`, async (t) => {
    const ec2 = await open(t, profile)
    const vpc = await newVpc(ec2, true)
    const scene = { ec2, vpc, subnet: await newSubnet(ec2, vpc) }
    for (const [what, limit, code, prepare] of LIMITS) {
      const make = await prepare(scene)
      const count = typeof limit === 'number' ? limit : limit[profile]
      for (let n = 1; n <= count; n++) await make(n)
      const error = await t.throwsAsync(make(count + 1), { instanceOf: EC2ServiceException }, what)
      t.is(error.name, code, `${what}: ${error.message}`)
    }
  })
}
