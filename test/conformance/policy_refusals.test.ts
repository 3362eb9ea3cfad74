/**
 * Refusals of routes, prefix lists, groups, tracking, ACLs, flow logs and mirroring, code by code,
 * through the AWS SDK, with either profile of quotas: what EC2 answers, and that nothing changed.
 * Every quota is set to what is there.
 *
 *     vpc 10.0.0.0/16  subnet 10.0.1.0/24, in table     far 10.1.0.0/16  subnet 10.1.1.0/24
 *     ├ source    in group web, a mirror session         └ farEni
 *     ├ monitor   its mirror target
 *     ├ spare     the other target                   table: 0.0.0.0/0 → source, list → source
 *     └ free      neither                            web:   tcp 22 from 192.0.2.0/24, from app
 */
import test from 'ava'
import { EC2, EC2ServiceException } from '@aws-sdk/client-ec2'
import type {
  CreateFlowLogsRequest, CreateTrafficMirrorFilterRuleRequest
} from '@aws-sdk/client-ec2'
import { QUOTA_PROFILES } from '../../daemon/model/quota.ts'
import type { QuotaName } from '../../daemon/model/quota.ts'
import { ALICE, openEndpoint } from './endpoint.ts'

const ABSENT = '0123456789abcdef0'

const QUOTAS: Partial<Record<QuotaName, number>> = {
  'routes-per-route-table': 2, 'route-tables-per-vpc': 2, 'prefix-lists-per-region': 1,
  'security-groups-per-region': 4, 'rules-per-security-group': 2,
  'security-groups-per-network-interface': 1, 'network-acls-per-vpc': 2,
  'rules-per-network-acl': 1, 'flow-logs-per-resource': 1,
  'traffic-mirror-targets-per-region': 2, 'traffic-mirror-filters-per-region': 1,
  'traffic-mirror-rules-per-filter': 1, 'traffic-mirror-sessions-per-region': 1,
  'traffic-mirror-sessions-per-source': 1, 'traffic-mirror-sources-per-target': 1
}

const SSH = { IpProtocol: 'tcp', FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: '192.0.2.0/24' }] }
const HTTP_ENTRY = {
  RuleNumber: 100, Egress: false, RuleAction: 'allow' as const, Protocol: '6',
  CidrBlock: '0.0.0.0/0', PortRange: { From: 80, To: 80 }
}
const MIRROR_RULE = {
  TrafficDirection: 'ingress', RuleNumber: 100, RuleAction: 'accept',
  SourceCidrBlock: '0.0.0.0/0', DestinationCidrBlock: '0.0.0.0/0'
} as const satisfies Partial<CreateTrafficMirrorFilterRuleRequest>
const LOG_GROUP = {
  LogGroupName: 'flows', DeliverLogsPermissionArn: 'arn:aws:iam::111111111111:role/flow-logs',
  TrafficType: 'ALL'
} as const satisfies Partial<CreateFlowLogsRequest>

type Network = Awaited<ReturnType<typeof build>>

async function build (ec2: EC2) {
  const { VpcId: vpc = '' } = (await ec2.createVpc({ CidrBlock: '10.0.0.0/16' })).Vpc ?? {}
  const { VpcId: far = '' } = (await ec2.createVpc({ CidrBlock: '10.1.0.0/16' })).Vpc ?? {}
  const newSubnet = async (VpcId: string, CidrBlock: string): Promise<string> =>
    (await ec2.createSubnet({ VpcId, CidrBlock })).Subnet?.SubnetId ?? ''
  const subnet = await newSubnet(vpc, '10.0.1.0/24')
  const farSubnet = await newSubnet(far, '10.1.1.0/24')
  const newGroup = async (GroupName: string): Promise<string> =>
    (await ec2.createSecurityGroup({ VpcId: vpc, GroupName, Description: 'x' })).GroupId ?? ''
  const [web, app] = [await newGroup('web'), await newGroup('app')]
  await ec2.authorizeSecurityGroupIngress({ GroupId: web,
    IpPermissions: [{ ...SSH, UserIdGroupPairs: [{ GroupId: app }] }] })
  const newEni = async (SubnetId: string, ...Groups: string[]): Promise<string> =>
    (await ec2.createNetworkInterface({ SubnetId, Groups })).NetworkInterface
      ?.NetworkInterfaceId ?? ''
  const [source, monitor] = [await newEni(subnet, web), await newEni(subnet)]
  const [spare, free] = [await newEni(subnet), await newEni(subnet)]
  const farEni = await newEni(farSubnet)
  return {
    vpc, far, subnet, farSubnet, web, app, source, monitor, spare, free, farEni,
    ...await buildRoutes(ec2, vpc, subnet, source), ...await buildAcls(ec2, vpc),
    ...await buildMirror(ec2, source, monitor, spare),
    defaultGroup: (await ec2.describeSecurityGroups({ Filters: [{ Name: 'vpc-id', Values: [vpc] },
      { Name: 'group-name', Values: ['default'] }] })).SecurityGroups?.[0]?.GroupId ?? '',
    farGroup: (await ec2.describeSecurityGroups({ Filters: [{ Name: 'vpc-id', Values: [far] }] }))
      .SecurityGroups?.[0]?.GroupId ?? '',
    flowLog: (await ec2.createFlowLogs({ ...LOG_GROUP, ResourceType: 'VPC', ResourceIds: [vpc] }))
      .FlowLogIds?.[0] ?? ''
  }
}

async function buildRoutes (ec2: EC2, VpcId: string, SubnetId: string, NetworkInterfaceId: string) {
  const list = (await ec2.createManagedPrefixList({ PrefixListName: 'one', AddressFamily: 'IPv4',
    MaxEntries: 1, Entries: [{ Cidr: '203.0.113.0/24' }] })).PrefixList?.PrefixListId ?? ''
  const { RouteTables: [main] = [] } =
    await ec2.describeRouteTables({ Filters: [{ Name: 'vpc-id', Values: [VpcId] }] })
  const { RouteTableId: table = '' } = (await ec2.createRouteTable({ VpcId })).RouteTable ?? {}
  await ec2.createRoute(
    { RouteTableId: table, DestinationCidrBlock: '0.0.0.0/0', NetworkInterfaceId })
  await ec2.createRoute({ RouteTableId: table, DestinationPrefixListId: list, NetworkInterfaceId })
  const { AssociationId: association = '' } =
    await ec2.associateRouteTable({ RouteTableId: table, SubnetId })
  return {
    list, table, association, mainTable: main?.RouteTableId ?? '',
    mainAssociation: main?.Associations?.[0]?.RouteTableAssociationId ?? '',
    awsList: (await ec2.describeManagedPrefixLists({ Filters: [
      { Name: 'owner-id', Values: ['AWS'] }] })).PrefixLists?.[0]?.PrefixListId ?? ''
  }
}

async function buildAcls (ec2: EC2, VpcId: string) {
  const { NetworkAcls: [defaultAcl] = [] } =
    await ec2.describeNetworkAcls({ Filters: [{ Name: 'vpc-id', Values: [VpcId] }] })
  const acl = (await ec2.createNetworkAcl({ VpcId })).NetworkAcl?.NetworkAclId ?? ''
  await ec2.createNetworkAclEntry({ ...HTTP_ENTRY, NetworkAclId: acl })
  const { NewAssociationId: aclAssociation = '' } = await ec2.replaceNetworkAclAssociation({
    NetworkAclId: acl, AssociationId: defaultAcl?.Associations?.[0]?.NetworkAclAssociationId
  })
  return { acl, aclAssociation, defaultAcl: defaultAcl?.NetworkAclId ?? '' }
}

async function buildMirror (ec2: EC2, NetworkInterfaceId: string, monitor: string, spare: string) {
  const newTarget = async (eni: string): Promise<string> =>
    (await ec2.createTrafficMirrorTarget({ NetworkInterfaceId: eni })).TrafficMirrorTarget
      ?.TrafficMirrorTargetId ?? ''
  const [target, spareTarget] = [await newTarget(monitor), await newTarget(spare)]
  const { TrafficMirrorFilterId: filter = '' } =
    (await ec2.createTrafficMirrorFilter({})).TrafficMirrorFilter ?? {}
  await ec2.createTrafficMirrorFilterRule({ ...MIRROR_RULE, TrafficMirrorFilterId: filter })
  const session = {
    NetworkInterfaceId, TrafficMirrorTargetId: target, TrafficMirrorFilterId: filter,
    SessionNumber: 1
  }
  await ec2.createTrafficMirrorSession(session)
  return { target, spareTarget, filter, session }
}

type Refusal = readonly [code: string, status: number, call: (ec2: EC2, n: Network) =>
Promise<unknown>]

const ROUTE_TABLES: readonly Refusal[] = [
  ['RouteAlreadyExists', 400, (ec2, n) => ec2.createRoute(
    { RouteTableId: n.table, DestinationCidrBlock: '0.0.0.0/0', NetworkInterfaceId: n.free })],
  ['RouteAlreadyExists', 400, (ec2, n) => ec2.createRoute(
    { RouteTableId: n.table, DestinationPrefixListId: n.list, NetworkInterfaceId: n.free })],
  ['InvalidParameterValue', 400, (ec2, n) => ec2.replaceRoute(
    { RouteTableId: n.table, DestinationCidrBlock: '192.0.2.0/24', NetworkInterfaceId: n.free })],
  ['InvalidRoute.NotFound', 400, (ec2, n) =>
    ec2.deleteRoute({ RouteTableId: n.table, DestinationCidrBlock: '192.0.2.0/24' })],
  ['InvalidParameterValue', 400, (ec2, n) =>
    ec2.deleteRoute({ RouteTableId: n.table, DestinationCidrBlock: '10.0.0.0/16' })],
  ['InvalidParameterValue', 400, (ec2, n) => ec2.replaceRoute(
    { RouteTableId: n.table, DestinationCidrBlock: '0.0.0.0/0', LocalTarget: true })],
  ...['10.0.1.0/25', '10.0.0.0/20', '169.254.168.0/22', '169.254.169.254/32'].map((cidr): Refusal =>
    ['InvalidParameterValue', 400, (ec2, n) => ec2.createRoute(
      { RouteTableId: n.table, DestinationCidrBlock: cidr, NetworkInterfaceId: n.free })]),
  ['InvalidParameterValue', 400, (ec2, n) => ec2.createRoute({ RouteTableId: n.table,
    DestinationIpv6CidrBlock: 'fd00:ec2::254/128', NetworkInterfaceId: n.free })],
  ['InvalidParameterValue', 400, (ec2, n) => ec2.createRoute(
    { RouteTableId: n.table, DestinationCidrBlock: '192.0.2.0/24', NetworkInterfaceId: n.farEni })],
  ['InvalidGatewayID.NotFound', 400, (ec2, n) => ec2.createRoute({ RouteTableId: n.table,
    DestinationCidrBlock: '192.0.2.0/24', GatewayId: `igw-${ABSENT}` })],
  ['RouteLimitExceeded', 400, (ec2, n) => ec2.createRoute(
    { RouteTableId: n.table, DestinationCidrBlock: '192.0.2.0/24', NetworkInterfaceId: n.free })],
  ['RouteTableLimitExceeded', 400, (ec2, n) => ec2.createRouteTable({ VpcId: n.vpc })],
  ['DependencyViolation', 400, (ec2, n) => ec2.deleteRouteTable({ RouteTableId: n.table })],
  ['DependencyViolation', 400, (ec2, n) => ec2.deleteRouteTable({ RouteTableId: n.mainTable })],
  ['Resource.AlreadyAssociated', 400, (ec2, n) =>
    ec2.associateRouteTable({ RouteTableId: n.mainTable, SubnetId: n.subnet })],
  ['InvalidParameterValue', 400, (ec2, n) =>
    ec2.associateRouteTable({ RouteTableId: n.table, SubnetId: n.farSubnet })],
  ['InvalidParameterValue', 400, (ec2, n) =>
    ec2.disassociateRouteTable({ AssociationId: n.mainAssociation })],
  ['InvalidAssociationID.NotFound', 400, (ec2) =>
    ec2.disassociateRouteTable({ AssociationId: `rtbassoc-${ABSENT}` })],
  ['InvalidRouteTableID.NotFound', 400, (ec2, n) => ec2.replaceRouteTableAssociation(
    { AssociationId: n.association, RouteTableId: `rtb-${ABSENT}` })]
]

const PREFIX_LISTS: readonly Refusal[] = [
  ['PrefixListVersionMismatch', 400, (ec2, n) => ec2.modifyManagedPrefixList({
    PrefixListId: n.list, CurrentVersion: 2, RemoveEntries: [{ Cidr: '203.0.113.0/24' }] })],
  ['PrefixListVersionMismatch', 400, (ec2, n) => ec2.restoreManagedPrefixListVersion(
    { PrefixListId: n.list, PreviousVersion: 1, CurrentVersion: 2 })],
  ['PrefixListMaxEntriesExceeded', 400, (ec2, n) => ec2.modifyManagedPrefixList(
    { PrefixListId: n.list, CurrentVersion: 1, AddEntries: [{ Cidr: '192.0.2.0/24' }] })],
  ['InvalidParameterValue', 400, (ec2, n) => ec2.modifyManagedPrefixList({ PrefixListId: n.list,
    CurrentVersion: 1, AddEntries: [{ Cidr: '2001:db8::/32' }] })],
  ['InvalidPrefixListModification', 400, (ec2, n) => ec2.modifyManagedPrefixList(
    { PrefixListId: n.list, CurrentVersion: 1, RemoveEntries: [{ Cidr: '192.0.2.0/24' }] })],
  ['RouteLimitExceeded', 400, (ec2, n) =>
    ec2.modifyManagedPrefixList({ PrefixListId: n.list, MaxEntries: 2 })],
  ['UnauthorizedOperation', 403, (ec2, n) =>
    ec2.modifyManagedPrefixList({ PrefixListId: n.awsList, PrefixListName: 'mine' })],
  ['UnauthorizedOperation', 403, (ec2, n) =>
    ec2.deleteManagedPrefixList({ PrefixListId: n.awsList })],
  ['DependencyViolation', 400, (ec2, n) => ec2.deleteManagedPrefixList({ PrefixListId: n.list })],
  ['InvalidPrefixListID.NotFound', 400, (ec2) =>
    ec2.deleteManagedPrefixList({ PrefixListId: `pl-${ABSENT}` })],
  ['InvalidParameterValue', 400, (ec2) => ec2.createManagedPrefixList(
    { PrefixListName: 'big', AddressFamily: 'IPv4', MaxEntries: 1001 })],
  ['ResourceLimitExceeded', 400, (ec2) => ec2.createManagedPrefixList(
    { PrefixListName: 'two', AddressFamily: 'IPv4', MaxEntries: 1 })]
]

/** AuthorizeSecurityGroupIngress of group web, with one permission. */
function authorize (permission: object): Refusal[2] {
  return (ec2, n) => ec2.authorizeSecurityGroupIngress(
    { GroupId: n.web, IpPermissions: [{ ...SSH, ...permission }] })
}

const SECURITY_GROUPS: readonly Refusal[] = [
  ['InvalidGroup.Duplicate', 400, (ec2, n) =>
    ec2.createSecurityGroup({ VpcId: n.vpc, GroupName: 'Web', Description: 'x' })],
  ['InvalidGroup.Reserved', 400, (ec2, n) =>
    ec2.createSecurityGroup({ VpcId: n.vpc, GroupName: 'default', Description: 'x' })],
  ['InvalidParameterValue', 400, (ec2, n) =>
    ec2.createSecurityGroup({ VpcId: n.vpc, GroupName: 'sg-web', Description: 'x' })],
  ['SecurityGroupLimitExceeded', 400, (ec2, n) =>
    ec2.createSecurityGroup({ VpcId: n.vpc, GroupName: 'five', Description: 'x' })],
  ['InvalidParameterValue', 400, authorize({ IpRanges: [{ CidrIp: '10.0.0.0/33' }] })],
  ['InvalidParameterValue', 400, authorize({ FromPort: 23 })],
  ['InvalidParameterValue', 400, authorize({ IpProtocol: 'icmp', FromPort: -1, ToPort: 0 })],
  ['InvalidPermission.Malformed', 400, authorize({ IpProtocol: 'tpc' })],
  ['InvalidPermission.Malformed', 400, authorize({ ToPort: 65_536 })],
  ['MissingParameter', 400, authorize({ IpRanges: [] })],
  ['InvalidPermission.Duplicate', 400, authorize({})],
  ['RulesPerSecurityGroupLimitExceeded', 400, authorize({ FromPort: 21 })],
  ['InvalidPermission.NotFound', 400, (ec2, n) => ec2.revokeSecurityGroupIngress(
    { GroupId: n.web, IpPermissions: [{ ...SSH, ToPort: 23 }] })],
  ['InvalidSecurityGroupRuleId.NotFound', 400, (ec2, n) => ec2.revokeSecurityGroupIngress(
    { GroupId: n.web, SecurityGroupRuleIds: [`sgr-${ABSENT}`] })],
  ['InvalidSecurityGroupRuleId.Malformed', 400, (ec2) =>
    ec2.describeSecurityGroupRules({ SecurityGroupRuleIds: ['x'] })],
  ['CannotDelete', 400, (ec2, n) => ec2.deleteSecurityGroup({ GroupId: n.defaultGroup })],
  ['DependencyViolation', 400, (ec2, n) => ec2.deleteSecurityGroup({ GroupId: n.web })],
  ['DependencyViolation', 400, (ec2, n) => ec2.deleteSecurityGroup({ GroupId: n.app })],
  ['SecurityGroupsPerInterfaceLimitExceeded', 400, (ec2, n) =>
    ec2.modifyNetworkInterfaceAttribute({ NetworkInterfaceId: n.free, Groups: [n.web, n.app] })],
  ['InvalidGroup.NotFound', 400, (ec2, n) => authorize(
    { IpRanges: [], UserIdGroupPairs: [{ GroupId: `sg-${ABSENT}` }] })(ec2, n)],
  ['InvalidGroup.NotFound', 400, (ec2, n) => authorize(
    { IpRanges: [], UserIdGroupPairs: [{ GroupId: n.farGroup }] })(ec2, n)],
  ['InvalidGroup.NotFound', 400, (ec2, n) => authorize({ IpRanges: [],
    UserIdGroupPairs: [{ GroupId: n.app, UserId: '222222222222' }] })(ec2, n)],
  ['InvalidVpcPeeringConnectionID.NotFound', 400, (ec2, n) => authorize({ IpRanges: [],
    UserIdGroupPairs: [{ GroupId: n.app, VpcPeeringConnectionId: `pcx-${ABSENT}` }] })(ec2, n)]
]

const CONNECTION_TRACKING: readonly Refusal[] = [
  { TcpEstablishedTimeout: 59 }, { TcpEstablishedTimeout: 432_001 }, { UdpTimeout: 29 },
  { UdpTimeout: 61 }, { UdpStreamTimeout: 59 }, { UdpStreamTimeout: 181 }
].flatMap((ConnectionTrackingSpecification): Refusal[] => [
  ['InvalidParameterValue', 400, (ec2, n) =>
    ec2.createNetworkInterface({ SubnetId: n.subnet, ConnectionTrackingSpecification })],
  ['InvalidParameterValue', 400, (ec2, n) => ec2.modifyNetworkInterfaceAttribute(
    { NetworkInterfaceId: n.free, ConnectionTrackingSpecification })]
])

const NETWORK_ACLS: readonly Refusal[] = [
  ['NetworkAclEntryAlreadyExists', 400, (ec2, n) =>
    ec2.createNetworkAclEntry({ ...HTTP_ENTRY, NetworkAclId: n.acl })],
  ['NetworkAclEntryLimitExceeded', 400, (ec2, n) =>
    ec2.createNetworkAclEntry({ ...HTTP_ENTRY, NetworkAclId: n.acl, RuleNumber: 101 })],
  ['NetworkAclLimitExceeded', 400, (ec2, n) => ec2.createNetworkAcl({ VpcId: n.vpc })],
  ['InvalidNetworkAclEntry.NotFound', 400, (ec2, n) =>
    ec2.deleteNetworkAclEntry({ NetworkAclId: n.acl, RuleNumber: 100, Egress: true })],
  ['InvalidNetworkAclEntry.NotFound', 400, (ec2, n) =>
    ec2.replaceNetworkAclEntry({ ...HTTP_ENTRY, NetworkAclId: n.acl, Egress: true })],
  ...[0, 32_767, 32_768].flatMap((RuleNumber): Refusal[] => [
    ['InvalidParameterValue', 400, (ec2, n) =>
      ec2.createNetworkAclEntry({ ...HTTP_ENTRY, NetworkAclId: n.acl, RuleNumber })],
    ['InvalidParameterValue', 400, (ec2, n) =>
      ec2.deleteNetworkAclEntry({ NetworkAclId: n.acl, RuleNumber, Egress: false })]
  ]),
  ['InvalidParameterValue', 400, (ec2, n) => ec2.deleteNetworkAcl({ NetworkAclId: n.defaultAcl })],
  ['DependencyViolation', 400, (ec2, n) => ec2.deleteNetworkAcl({ NetworkAclId: n.acl })],
  ['InvalidAssociationID.NotFound', 400, (ec2, n) => ec2.replaceNetworkAclAssociation(
    { NetworkAclId: n.acl, AssociationId: `aclassoc-${ABSENT}` })],
  ['InvalidNetworkAclID.NotFound', 400, (ec2, n) => ec2.replaceNetworkAclAssociation(
    { NetworkAclId: `acl-${ABSENT}`, AssociationId: n.aclAssociation })]
]

/** CreateFlowLogs for one resource, which EC2 refuses within an answer that is none. */
async function createFlowLog (ec2: EC2, input: CreateFlowLogsRequest): Promise<void> {
  const { Unsuccessful: [{ Error: error } = {}] = [], $metadata } = await ec2.createFlowLogs(input)
  if (error === undefined) return
  throw new EC2ServiceException(
    { name: error.Code ?? '', message: error.Message ?? '', $fault: 'client', $metadata })
}

/** A flow log of the VPC with other parameters. */
function flowLog (changes: Partial<CreateFlowLogsRequest>): Refusal[2] {
  return (ec2, n) => createFlowLog(ec2,
    { ...LOG_GROUP, ResourceType: 'VPC', ResourceIds: [n.vpc], ...changes })
}

const FLOW_LOGS: readonly Refusal[] = [
  ['FlowLogAlreadyExists', 200, flowLog({})],
  ['FlowLogsLimitExceeded', 200, flowLog({ TrafficType: 'REJECT' })],
  ['InvalidVpcID.NotFound', 200, flowLog({ ResourceIds: [`vpc-${ABSENT}`] })],
  ['InvalidSubnetID.NotFound', 200,
    flowLog({ ResourceType: 'Subnet', ResourceIds: [`subnet-${ABSENT}`] })],
  ['InvalidNetworkInterfaceID.NotFound', 200,
    flowLog({ ResourceType: 'NetworkInterface', ResourceIds: [`eni-${ABSENT}`] })],
  ['InvalidParameter', 400, flowLog({ LogFormat: '${colour}' })],
  ['InvalidParameter', 400, flowLog({ MaxAggregationInterval: 300 })],
  ['InvalidParameter', 400, flowLog({ DeliverLogsPermissionArn: undefined })],
  ['LogDestinationPermissionIssue', 400, flowLog({ LogGroupName: undefined,
    LogDestination: 'arn:aws:logs:us-east-1:222222222222:log-group:flows' })],
  ['InvalidFlowLogId.NotFound', 400, (ec2, n) =>
    ec2.deleteFlowLogs({ FlowLogIds: [n.flowLog, `fl-${ABSENT}`] })]
]

const MIRRORING: readonly Refusal[] = [
  ['InvalidNetworkInterfaceID.NotFound', 400, (ec2) =>
    ec2.createTrafficMirrorTarget({ NetworkInterfaceId: `eni-${ABSENT}` })],
  ['NetworkLoadBalancerNotFoundException', 400, (ec2) =>
    ec2.createTrafficMirrorTarget({ NetworkLoadBalancerArn: 'arn:aws:elasticloadbalancing:x' })],
  ['InterfaceInUseByTrafficMirrorTarget', 400, (ec2, n) =>
    ec2.createTrafficMirrorTarget({ NetworkInterfaceId: n.monitor })],
  ['InterfaceInUseByTrafficMirrorSession', 400, (ec2, n) =>
    ec2.createTrafficMirrorTarget({ NetworkInterfaceId: n.source })],
  ['InvalidParameterCombination', 400, (ec2, n) => ec2.createTrafficMirrorTarget(
    { NetworkInterfaceId: n.free, GatewayLoadBalancerEndpointId: `vpce-${ABSENT}` })],
  ['TrafficMirrorTargetLimitExceeded', 400, (ec2, n) =>
    ec2.createTrafficMirrorTarget({ NetworkInterfaceId: n.free })],
  ['TrafficMirrorTargetInUseException', 400, (ec2, n) =>
    ec2.deleteTrafficMirrorTarget({ TrafficMirrorTargetId: n.target })],
  ['InvalidTrafficMirrorTargetId.NotFound', 400, (ec2) =>
    ec2.deleteTrafficMirrorTarget({ TrafficMirrorTargetId: `tmt-${ABSENT}` })],
  ['TrafficMirrorFilterRuleAlreadyExists', 400, (ec2, n) =>
    ec2.createTrafficMirrorFilterRule({ ...MIRROR_RULE, TrafficMirrorFilterId: n.filter })],
  ['TrafficMirrorFilterRuleLimitExceeded', 400, (ec2, n) => ec2.createTrafficMirrorFilterRule(
    { ...MIRROR_RULE, TrafficMirrorFilterId: n.filter, RuleNumber: 101 })],
  ['InvalidParameterValue', 400, (ec2, n) => ec2.createTrafficMirrorFilterRule({ ...MIRROR_RULE,
    TrafficMirrorFilterId: n.filter, RuleNumber: 101,
    DestinationPortRange: { FromPort: 80, ToPort: 80 } })],
  ['TrafficMirrorFilterLimitExceeded', 400, (ec2) => ec2.createTrafficMirrorFilter({})],
  ['TrafficMirrorFilterInUse', 400, (ec2, n) =>
    ec2.deleteTrafficMirrorFilter({ TrafficMirrorFilterId: n.filter })],
  ['InvalidTrafficMirrorFilterId.NotFound', 400, (ec2) =>
    ec2.deleteTrafficMirrorFilter({ TrafficMirrorFilterId: `tmf-${ABSENT}` })],
  ['InvalidTrafficMirrorFilterRuleId.NotFound', 400, (ec2) =>
    ec2.deleteTrafficMirrorFilterRule({ TrafficMirrorFilterRuleId: `tmfr-${ABSENT}` })],
  ['InvalidParameterValue', 400, (ec2, n) => ec2.createTrafficMirrorSession(n.session)],
  ['TrafficMirrorSessionsPerInterfaceLimitExceeded', 400, (ec2, n) =>
    ec2.createTrafficMirrorSession({ ...n.session, SessionNumber: 2 })],
  ['TrafficMirrorSourcesPerTargetLimitExceeded', 400, (ec2, n) =>
    ec2.createTrafficMirrorSession({ ...n.session, NetworkInterfaceId: n.free })],
  ['TrafficMirrorSessionLimitExceeded', 400, (ec2, n) => ec2.createTrafficMirrorSession(
    { ...n.session, NetworkInterfaceId: n.free, TrafficMirrorTargetId: n.spareTarget })],
  ['InterfaceInUseByTrafficMirrorTarget', 400, (ec2, n) =>
    ec2.createTrafficMirrorSession({ ...n.session, NetworkInterfaceId: n.monitor })],
  ['InvalidTrafficMirrorSessionId.NotFound', 400, (ec2) =>
    ec2.deleteTrafficMirrorSession({ TrafficMirrorSessionId: `tms-${ABSENT}` })]
]

const CHAPTERS = {
  'route tables': ROUTE_TABLES, 'prefix lists': PREFIX_LISTS, 'security groups': SECURITY_GROUPS,
  'connection tracking': CONNECTION_TRACKING, 'network ACLs': NETWORK_ACLS,
  'flow logs': FLOW_LOGS, mirroring: MIRRORING
}

for (const quotaProfile of QUOTA_PROFILES) {
  test(`every refusal has AWS's code and changes nothing, profile ${quotaProfile}`, async (t) => {
    const endpoint = await openEndpoint({ quotas: QUOTAS, quotaProfile })
    t.teardown(async () => { await endpoint.close() })
    const ec2 = new EC2(
      { endpoint: endpoint.url, region: 'us-east-1', credentials: ALICE, maxAttempts: 1 })
    t.teardown(() => { ec2.destroy() })
    const network = await build(ec2)
    const { revision } = endpoint.snapshot
    for (const [chapter, refusals] of Object.entries(CHAPTERS)) {
      for (const [index, [code, status, call]] of refusals.entries()) {
        const what = `${chapter} ${String(index)}`
        const error = await t.throwsAsync(call(ec2, network),
          { instanceOf: EC2ServiceException }, what)
        t.deepEqual([error.name, error.$metadata.httpStatusCode], [code, status],
          `${what}: ${error.message}`)
        t.is(endpoint.snapshot.revision, revision, `${what} changed something`)
      }
    }
  })
}
