/**
 * EC2 actions on security groups and their rules. Rules: model/security_group.ts,
 * security_group_rule.ts.
 */
import type {
  AuthorizeSecurityGroupEgressResult, AuthorizeSecurityGroupIngressRequest,
  AuthorizeSecurityGroupIngressResult, CreateSecurityGroupRequest, CreateSecurityGroupResult,
  DeleteSecurityGroupRequest, DeleteSecurityGroupResult, DescribeSecurityGroupReferencesRequest,
  DescribeSecurityGroupReferencesResult, DescribeSecurityGroupRulesRequest,
  DescribeSecurityGroupRulesResult, DescribeSecurityGroupsRequest, DescribeSecurityGroupsResult,
  DescribeStaleSecurityGroupsRequest, DescribeStaleSecurityGroupsResult,
  GetSecurityGroupsForVpcRequest, GetSecurityGroupsForVpcResult, IpPermission,
  ModifySecurityGroupRulesRequest, ModifySecurityGroupRulesResult, RevokedSecurityGroupRule,
  RevokeSecurityGroupEgressResult, RevokeSecurityGroupIngressRequest,
  RevokeSecurityGroupIngressResult, SecurityGroup as SecurityGroupOutput,
  SecurityGroupRule as RuleOutput, SecurityGroupRuleRequest, StaleIpPermission, StaleSecurityGroup,
  UpdateSecurityGroupRuleDescriptionsIngressRequest,
  UpdateSecurityGroupRuleDescriptionsIngressResult, UserIdGroupPair
} from '@aws-sdk/client-ec2'
import { isWellFormedId } from '../../../base/ids.ts'
import { AwsError } from '../../../model/aws_error.ts'
import { requireRecord } from '../../../model/resource_kind.ts'
import {
  isSameGroupName, planCreateSecurityGroup, planDeleteSecurityGroup
} from '../../../model/security_group.ts'
import type { SecurityGroup, SecurityGroupRule } from '../../../model/security_group.ts'
import { referencingVpcs, staleRules } from '../../../model/security_group_reference.ts'
import {
  malformedRuleId, planAuthorize, planModifyRules, planRevoke, planUpdateDescriptions
} from '../../../model/security_group_rule.ts'
import type { PermissionInput } from '../../../model/security_group_rule.ts'
import type { AccountView } from '../../../model/snapshot.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action } from '../action.ts'
import { applyFilters, checkPageInput, describeRecords, pageOf } from '../describe.ts'
import type { FilterTable } from '../describe.ts'

/**
 * What is named without a VPC is in the default VPC.
 * @param advice what to do in an account that has none
 */
function defaultVpcId (view: AccountView, advice: string): string {
  const id = view.list('vpc').find(({ isDefault }) => isDefault)?.id
  if (id === undefined) throw new AwsError('VPCIdNotSpecified',
    `No default VPC for this user in ${view.region}; ${advice}`)
  return id
}

const createSecurityGroup = defineWrite<CreateSecurityGroupRequest, string,
  CreateSecurityGroupResult>({
  name: 'CreateSecurityGroup',
  plan: (view, input, context) => planCreateSecurityGroup(view, {
    vpcId: input.VpcId ?? defaultVpcId(view, 'name a VPC with VpcId.'),
    name: input.GroupName ?? '',
    description: input.Description ?? '',
    tags: tagsFromSpecifications(input.TagSpecifications, 'security-group')
  }, context),
  print: (view, id) => {
    const group = requireRecord(view, 'securityGroup', id)
    return { GroupId: id, Tags: printTags(group.tags),
      SecurityGroupArn: arnOf(group, 'security-group', id) }
  }
})

/** A group by id or, in the default VPC, by name. */
function groupIdFromInput (view: AccountView, { GroupId,
  GroupName }: { GroupId?: string | undefined, GroupName?: string | undefined }): string {
  if (GroupId !== undefined) return GroupId
  if (GroupName === undefined) throw new AwsError('MissingParameter',
    'The request must contain the parameter groupName or groupId')
  const vpcId = defaultVpcId(view, 'name the group by GroupId.')
  const group = view.by('securityGroup', 'vpcId', vpcId).find(({ name }) =>
    isSameGroupName(name, GroupName))
  if (group === undefined) throw new AwsError('InvalidGroup.NotFound',
    `The security group '${GroupName}' does not exist in default VPC '${vpcId}'`)
  return group.id
}

const deleteSecurityGroup = defineWrite<DeleteSecurityGroupRequest, string,
  DeleteSecurityGroupResult>({
  name: 'DeleteSecurityGroup',
  plan: (view, input) => planDeleteSecurityGroup(view, { groupId: groupIdFromInput(view, input) }),
  print: (_view, id) => ({ Return: true, GroupId: id })
})

/** What the four calls on rules have in common. */
type RuleCall = AuthorizeSecurityGroupIngressRequest & Pick<RevokeSecurityGroupIngressRequest,
  'SecurityGroupRuleIds'>

/** One entry per source: IpPermissions, or the older parameters for a single CIDR. */
function permissionsFromInput (view: AccountView, groupId: string,
  input: RuleCall): PermissionInput[] {
  if (input.SourceSecurityGroupName !== undefined) {
    throw new AwsError('InvalidParameterCombination',
      'The parameter SourceSecurityGroupName cannot be used in a VPC; use IpPermissions')
  }
  const old = input.CidrIp ?? input.IpProtocol ?? input.FromPort ?? input.ToPort
  if (old !== undefined && input.IpPermissions !== undefined) {
    throw new AwsError('InvalidParameterCombination',
      'The parameter ipPermissions may not be combined with CidrIp, IpProtocol, FromPort or ToPort')
  }
  const permissions = old === undefined
    ? input.IpPermissions ?? []
    : [{ IpProtocol: input.IpProtocol, FromPort: input.FromPort, ToPort: input.ToPort,
      IpRanges: [{ CidrIp: input.CidrIp }] }]
  return permissions.flatMap((permission) => sourcesOf(view, groupId, permission))
}

function sourcesOf (view: AccountView, groupId: string,
  permission: IpPermission): PermissionInput[] {
  const common = {
    ipProtocol: permission.IpProtocol, fromPort: permission.FromPort, toPort: permission.ToPort,
    cidrIpv4: null, cidrIpv6: null, referencedGroupId: null, prefixListId: null
  }
  const sources = [
    ...(permission.IpRanges ?? []).map(({ CidrIp = '', Description = '' }) =>
      ({ ...common, cidrIpv4: CidrIp, description: Description })),
    ...(permission.Ipv6Ranges ?? []).map(({ CidrIpv6 = '', Description = '' }) =>
      ({ ...common, cidrIpv6: CidrIpv6, description: Description })),
    ...(permission.UserIdGroupPairs ?? []).map((pair) =>
      ({ ...common, ...peerGroup(view, groupId, pair), description: pair.Description ?? '' })),
    ...(permission.PrefixListIds ?? []).map(({ PrefixListId = '', Description = '' }) =>
      ({ ...common, prefixListId: PrefixListId, description: Description }))
  ]
  if (sources.length > 0) return sources
  throw new AwsError('MissingParameter', 'The request must contain at least one of ipRanges, ' +
    'ipv6Ranges, userIdGroupPairs, prefixListIds in each of its ipPermissions')
}

/** The group that a rule names: by id, in another account with UserId; or by name in its VPC. */
function peerGroup (view: AccountView, groupId: string,
  pair: UserIdGroupPair): Pick<PermissionInput, 'referencedGroupId' | 'referencedOwnerId'> {
  if (pair.VpcPeeringConnectionId !== undefined) {
    requireRecord(view, 'vpcPeeringConnection', pair.VpcPeeringConnectionId)
  }
  return {
    referencedGroupId: pair.GroupId ?? groupIdOfName(view, groupId, pair.GroupName),
    referencedOwnerId: pair.UserId
  }
}

/** A group of the same VPC by its name. */
function groupIdOfName (view: AccountView, groupId: string, name: string | undefined): string {
  const { vpcId } = requireRecord(view, 'securityGroup', groupId)
  const found = view.by('securityGroup', 'vpcId', vpcId).find((group) =>
    isSameGroupName(group.name, name ?? ''))
  if (found === undefined) throw new AwsError('InvalidGroup.NotFound',
    `The security group '${name ?? ''}' does not exist in VPC '${vpcId}'`)
  return found.id
}

/** What an Authorize or Revoke comes to: the rules concerned. */
interface RuleResult {
  readonly groupId: string
  readonly ruleIds: readonly string[]
}

function defineAuthorize (name: string, isEgress: boolean): Action {
  return defineWrite<RuleCall, RuleResult,
    AuthorizeSecurityGroupIngressResult & AuthorizeSecurityGroupEgressResult>({
    name,
    plan: (view, input, context) => {
      const groupId = groupIdFromInput(view, input)
      const tags = tagsFromSpecifications(input.TagSpecifications, 'security-group-rule')
      const permissions = permissionsFromInput(view, groupId, input)
      const { changes, result } =
        planAuthorize(view, { groupId, isEgress, permissions, tags }, context)
      return { changes, result: { groupId, ruleIds: result } }
    },
    print: (view, { groupId, ruleIds }) => {
      const group = requireRecord(view, 'securityGroup', groupId)
      const rules = group.rules.filter(({ id }) => ruleIds.includes(id))
      return { Return: true, SecurityGroupRules: rules.map((rule) => printRule(view, group, rule)) }
    }
  })
}

/** The rules that went, as they were: they cannot be looked up any more. */
function defineRevoke (name: string, isEgress: boolean): Action {
  return defineWrite<RuleCall, RevokedSecurityGroupRule[],
    RevokeSecurityGroupIngressResult & RevokeSecurityGroupEgressResult>({
    name,
    plan: (view, input) => {
      const groupId = groupIdFromInput(view, input)
      const permissions = permissionsFromInput(view, groupId, input)
      const { changes, result } = planRevoke(view,
        { groupId, isEgress, permissions, ruleIds: input.SecurityGroupRuleIds ?? [] })
      const { rules } = requireRecord(view, 'securityGroup', groupId)
      return { changes, result: rules.filter(({ id }) => result.includes(id)).map((rule) =>
        printRevoked(groupId, rule)) }
    },
    print: (_view, rules) => ({ Return: true, RevokedSecurityGroupRules: rules })
  })
}

const ANY = -1

function printRevoked (groupId: string, rule: SecurityGroupRule): RevokedSecurityGroupRule {
  return {
    SecurityGroupRuleId: rule.id, GroupId: groupId, IsEgress: rule.isEgress,
    IpProtocol: rule.ipProtocol,
    FromPort: rule.fromPort ?? ANY, ToPort: rule.toPort ?? ANY, CidrIpv4: rule.cidrIpv4 ??
      undefined,
    CidrIpv6: rule.cidrIpv6 ?? undefined, ReferencedGroupId: rule.referencedGroupId ?? undefined,
    PrefixListId: rule.prefixListId ?? undefined,
    Description: rule.description === '' ? undefined : rule.description
  }
}

function printRule (view: AccountView, group: SecurityGroup, rule: SecurityGroupRule): RuleOutput {
  return {
    SecurityGroupRuleId: rule.id, GroupId: group.id, GroupOwnerId: group.ownerId,
    IsEgress: rule.isEgress,
    IpProtocol: rule.ipProtocol, FromPort: rule.fromPort ?? ANY, ToPort: rule.toPort ?? ANY,
    CidrIpv4: rule.cidrIpv4 ?? undefined, CidrIpv6: rule.cidrIpv6 ?? undefined,
    PrefixListId: rule.prefixListId ?? undefined,
    ReferencedGroupInfo: rule.referencedGroupId === null
      ? undefined
      : { GroupId: rule.referencedGroupId, UserId: view.accountId, VpcId: group.vpcId,
          ...printPeer(view, rule) },
    Description: rule.description === '' ? undefined : rule.description,
    Tags: printTags(rule.tags),
    SecurityGroupRuleArn: arnOf(group, 'security-group-rule', rule.id)
  }
}

/** Where a group of a peered VPC is, and how the peering stands. */
function printPeer ({ snapshot }: AccountView, { referencedPeer: peer }: SecurityGroupRule):
Pick<UserIdGroupPair, 'UserId' | 'VpcId' | 'VpcPeeringConnectionId' | 'PeeringStatus'> {
  if (peer === undefined) return {}
  const { status } = snapshot.tables.vpcPeeringConnection.get(peer.vpcPeeringConnectionId) ??
    { status: 'deleted' }
  return {
    UserId: peer.ownerId, VpcId: peer.vpcId, PeeringStatus: status,
    VpcPeeringConnectionId: peer.vpcPeeringConnectionId
  }
}

function arnOf (group: SecurityGroup, type: string, id: string): string {
  return `arn:aws:ec2:${group.region}:${group.ownerId}:${type}/${id}`
}

function printGroup (view: AccountView, group: SecurityGroup): SecurityGroupOutput {
  return {
    GroupId: group.id, GroupName: group.name, Description: group.description, VpcId: group.vpcId,
    OwnerId: group.ownerId,
    SecurityGroupArn: arnOf(group, 'security-group', group.id),
    IpPermissions: printPermissions(view, group, group.rules, false),
    IpPermissionsEgress: printPermissions(view, group, group.rules, true),
    Tags: printTags(group.tags)
  }
}

/**
 * Rules of one direction, those of one protocol and range together, as DescribeSecurityGroups shows
 * them.
 */
function printPermissions (view: AccountView, group: SecurityGroup,
  rules: readonly SecurityGroupRule[], isEgress: boolean): IpPermission[] {
  const byRange = new Map<string, Required<Pick<IpPermission,
    'IpRanges' | 'Ipv6Ranges' | 'PrefixListIds' | 'UserIdGroupPairs'>> & IpPermission>()
  for (const rule of rules.filter((one) => one.isEgress === isEgress)) {
    const key = `${rule.ipProtocol} ${String(rule.fromPort)} ${String(rule.toPort)}`
    const permission = byRange.get(key) ?? {
      IpProtocol: rule.ipProtocol, FromPort: rule.fromPort ?? undefined, ToPort: rule.toPort ??
        undefined,
      IpRanges: [], Ipv6Ranges: [], PrefixListIds: [], UserIdGroupPairs: []
    }
    byRange.set(key, permission)
    const Description = rule.description === '' ? undefined : rule.description
    if (rule.cidrIpv4 !== null) permission.IpRanges?.push({ CidrIp: rule.cidrIpv4, Description })
    if (rule.cidrIpv6 !== null) permission.Ipv6Ranges?.push({ CidrIpv6: rule.cidrIpv6,
      Description })
    if (rule.prefixListId !== null) permission.PrefixListIds?.push({
      PrefixListId: rule.prefixListId, Description })
    if (rule.referencedGroupId !== null) {
      permission.UserIdGroupPairs?.push({ GroupId: rule.referencedGroupId, UserId: group.ownerId,
        ...printPeer(view, rule), Description })
    }
  }
  return [...byRange.values()]
}

/** `ip-permission.…` or `egress.ip-permission.…`: what the rules of one direction have. */
function permissionFilters (prefix: string, isEgress: boolean): FilterTable<SecurityGroup> {
  const over = (valueOf: (rule: SecurityGroupRule) => string | number | null) =>
    ({ rules }: SecurityGroup) =>
    rules.filter((rule) => rule.isEgress === isEgress).map(valueOf)
  return {
    [`${prefix}.cidr`]: over(({ cidrIpv4 }) => cidrIpv4),
    [`${prefix}.from-port`]: over(({ fromPort }) => fromPort),
    [`${prefix}.group-id`]: over(({ referencedGroupId }) => referencedGroupId),
    [`${prefix}.ipv6-cidr`]: over(({ cidrIpv6 }) => cidrIpv6),
    [`${prefix}.prefix-list-id`]: over(({ prefixListId }) => prefixListId),
    [`${prefix}.protocol`]: over(({ ipProtocol }) => ipProtocol),
    [`${prefix}.to-port`]: over(({ toPort }) => toPort)
  }
}

/** EC2 API Reference, DescribeSecurityGroups. */
const GROUP_FILTERS: FilterTable<SecurityGroup> = {
  ...permissionFilters('ip-permission', false),
  ...permissionFilters('egress.ip-permission', true),
  description: ({ description }) => description,
  'group-id': ({ id }) => id,
  'group-name': ({ name }) => name,
  'owner-id': ({ ownerId }) => ownerId,
  'vpc-id': ({ vpcId }) => vpcId
}

const describeSecurityGroups = defineRead<DescribeSecurityGroupsRequest,
  DescribeSecurityGroupsResult>({
  name: 'DescribeSecurityGroups',
  read: (view, input) => {
    const named = input.GroupNames?.map((name) => groupIdFromInput(view, { GroupName: name })) ?? []
    const ids = [...(input.GroupIds ?? []), ...named]
    const page = describeRecords(view, 'securityGroup', 'GroupIds', ids, input, GROUP_FILTERS)
    return { SecurityGroups: page.items.map((group) => printGroup(view, group)),
      NextToken: page.nextToken }
  }
})

interface GroupedRule {
  readonly group: SecurityGroup
  readonly rule: SecurityGroupRule
}

const RULE_FILTERS: FilterTable<GroupedRule> = {
  'group-id': ({ group }) => group.id,
  'security-group-rule-id': ({ rule }) => rule.id
}

const describeSecurityGroupRules = defineRead<DescribeSecurityGroupRulesRequest,
  DescribeSecurityGroupRulesResult>({
  name: 'DescribeSecurityGroupRules',
  read: (view, input) => {
    checkPageInput(input, 'SecurityGroupRuleIds', input.SecurityGroupRuleIds)
    const malformed = input.SecurityGroupRuleIds?.find((id) => !isWellFormedId('sgr', id))
    if (malformed !== undefined) throw malformedRuleId(malformed)
    const all = view.list('securityGroup').flatMap((group) =>
      group.rules.map((rule) => ({ group, rule })))
    const absent = input.SecurityGroupRuleIds?.filter((id) =>
      !all.some(({ rule }) => rule.id === id)) ?? []
    if (absent.length > 0) {
      throw new AwsError('InvalidSecurityGroupRuleId.NotFound',
        `The security group rule ID '${absent.join(', ')}' does not exist`)
    }
    const named = input.SecurityGroupRuleIds === undefined ||
      input.SecurityGroupRuleIds.length === 0
      ? all
      : all.filter(({ rule }) => input.SecurityGroupRuleIds?.includes(rule.id))
    const matching = applyFilters(view, named, input.Filters,
      { filters: RULE_FILTERS, tagsOf: ({ rule }) => rule.tags })
    const { securityGroup: table } = view.snapshot.tables
    const page = pageOf(matching, 'security-group-rule', input, ({ group, rule }) =>
      [table.createRevision(group.id), rule.id])
    return { SecurityGroupRules: page.items.map(({ group, rule }) => printRule(view, group, rule)),
      NextToken: page.nextToken }
  }
})

const RULE_PEERS = ['CidrIpv4', 'CidrIpv6', 'PrefixListId', 'ReferencedGroupId'] as const

/** A rule as ModifySecurityGroupRules gives it: whole, with one peer. */
function permissionFromRule (rule: SecurityGroupRuleRequest | undefined): PermissionInput {
  const peers = RULE_PEERS.filter((member) => rule?.[member] !== undefined)
  if (rule === undefined || peers.length !== 1) {
    throw new AwsError(peers.length === 0 ? 'MissingParameter' : 'InvalidParameterCombination',
      `A security group rule must have exactly one of ${RULE_PEERS.join(', ')}`)
  }
  return {
    ipProtocol: rule.IpProtocol, fromPort: rule.FromPort, toPort: rule.ToPort,
    cidrIpv4: rule.CidrIpv4 ?? null, cidrIpv6: rule.CidrIpv6 ?? null,
    referencedGroupId: rule.ReferencedGroupId ?? null, prefixListId: rule.PrefixListId ?? null,
    description: rule.Description ?? ''
  }
}

const modifySecurityGroupRules = defineWrite<ModifySecurityGroupRulesRequest, string,
  ModifySecurityGroupRulesResult>({
  name: 'ModifySecurityGroupRules',
  plan: (view, { GroupId = '', SecurityGroupRules: rules = [] }) => planModifyRules(view, {
    groupId: GroupId,
    modifications: rules.map(({ SecurityGroupRuleId = '', SecurityGroupRule: rule }) =>
      ({ ruleId: SecurityGroupRuleId, permission: permissionFromRule(rule) }))
  }),
  print: () => ({ Return: true })
})

function defineUpdateDescriptions (name: string, isEgress: boolean): Action {
  return defineWrite<UpdateSecurityGroupRuleDescriptionsIngressRequest, string,
    UpdateSecurityGroupRuleDescriptionsIngressResult>({
    name,
    plan: (view, input) => {
      const groupId = groupIdFromInput(view, input)
      return planUpdateDescriptions(view, {
        groupId,
        isEgress,
        permissions: (input.IpPermissions ?? []).flatMap((permission) =>
          sourcesOf(view, groupId, permission)),
        byId: (input.SecurityGroupRuleDescriptions ?? [])
          .map(({ SecurityGroupRuleId = '', Description = '' }) =>
            ({ ruleId: SecurityGroupRuleId, description: Description }))
      })
    },
    print: () => ({ Return: true })
  })
}

/** EC2 API Reference, GetSecurityGroupsForVpc. */
const FOR_VPC_FILTERS: FilterTable<SecurityGroup> = {
  description: ({ description }) => description,
  'group-id': ({ id }) => id,
  'group-name': ({ name }) => name,
  'owner-id': ({ ownerId }) => ownerId,
  'primary-vpc-id': ({ vpcId }) => vpcId
}

/** The groups that ENIs of a VPC may carry: its own, since none is shared or associated. */
const getSecurityGroupsForVpc = defineRead<GetSecurityGroupsForVpcRequest,
  GetSecurityGroupsForVpcResult>({
  name: 'GetSecurityGroupsForVpc',
  read: (view, input) => {
    checkPageInput(input, 'VpcId', undefined)
    const vpc = requireRecord(view, 'vpc', input.VpcId ?? '')
    const matching = applyFilters(view, view.by('securityGroup', 'vpcId', vpc.id), input.Filters,
      { filters: FOR_VPC_FILTERS, tagsOf: ({ tags }) => tags })
    const page = pageOf(matching, `security groups for ${vpc.id}`, input, placeOf(view))
    return {
      SecurityGroupForVpcs: page.items.map(({ id, name, description, ownerId, vpcId, tags }) => ({
        GroupId: id, GroupName: name, Description: description, OwnerId: ownerId,
        PrimaryVpcId: vpcId, Tags: printTags(tags)
      })),
      NextToken: page.nextToken
    }
  }
})

function placeOf ({ snapshot }: AccountView): (group: SecurityGroup) => readonly [number, string] {
  return ({ id }) => [snapshot.tables.securityGroup.createRevision(id), id]
}

const describeStaleSecurityGroups = defineRead<DescribeStaleSecurityGroupsRequest,
  DescribeStaleSecurityGroupsResult>({
  name: 'DescribeStaleSecurityGroups',
  read: (view, input) => {
    checkPageInput(input, 'VpcId', undefined)
    const vpc = requireRecord(view, 'vpc', input.VpcId ?? '')
    const stale = view.by('securityGroup', 'vpcId', vpc.id)
      .filter((group) => staleRules(view.snapshot, group).length > 0)
    const page = pageOf(stale, `stale security groups of ${vpc.id}`, input, placeOf(view))
    return {
      StaleSecurityGroupSet: page.items.map((group) => printStale(view, group)),
      NextToken: page.nextToken
    }
  }
})

function printStale (view: AccountView, group: SecurityGroup): StaleSecurityGroup {
  const rules = staleRules(view.snapshot, group)
  // Stale rules name groups: the other kinds of peers, which print differently here, are empty.
  const print = (isEgress: boolean): StaleIpPermission[] =>
    printPermissions(view, group, rules, isEgress)
      .map(({ IpProtocol, FromPort, ToPort, UserIdGroupPairs }) => ({
        IpProtocol, FromPort, ToPort, UserIdGroupPairs, IpRanges: [], PrefixListIds: []
      }))
  return {
    GroupId: group.id, GroupName: group.name, Description: group.description, VpcId: group.vpcId,
    StaleIpPermissions: print(false), StaleIpPermissionsEgress: print(true)
  }
}

/** VPCs at the other end of a peering whose rules name a group. */
const describeSecurityGroupReferences = defineRead<DescribeSecurityGroupReferencesRequest,
  DescribeSecurityGroupReferencesResult>({
  name: 'DescribeSecurityGroupReferences',
  read: (view, { GroupId: ids = [] }) => ({
    SecurityGroupReferenceSet: ids.flatMap((id) =>
      referencingVpcs(view.snapshot, requireRecord(view, 'securityGroup', id))
        .map(({ vpcId, vpcPeeringConnectionId }) => ({
          GroupId: id, ReferencingVpcId: vpcId, VpcPeeringConnectionId: vpcPeeringConnectionId
        })))
  })
})

export const securityGroupActions: readonly Action[] = [
  createSecurityGroup, deleteSecurityGroup, describeSecurityGroups, describeSecurityGroupRules,
  defineAuthorize('AuthorizeSecurityGroupIngress', false),
  defineAuthorize('AuthorizeSecurityGroupEgress', true),
  defineRevoke('RevokeSecurityGroupIngress', false),
  defineRevoke('RevokeSecurityGroupEgress', true),
  modifySecurityGroupRules,
  defineUpdateDescriptions('UpdateSecurityGroupRuleDescriptionsIngress', false),
  defineUpdateDescriptions('UpdateSecurityGroupRuleDescriptionsEgress', true),
  getSecurityGroupsForVpc, describeStaleSecurityGroups, describeSecurityGroupReferences
]
