/**
 * EC2 actions on security groups and their rules. Rules: model/security_group.ts,
 * security_group_rule.ts.
 */
import type {
  AuthorizeSecurityGroupEgressResult, AuthorizeSecurityGroupIngressRequest,
  AuthorizeSecurityGroupIngressResult, CreateSecurityGroupRequest, CreateSecurityGroupResult,
  DeleteSecurityGroupRequest, DeleteSecurityGroupResult, DescribeSecurityGroupRulesRequest,
  DescribeSecurityGroupRulesResult, DescribeSecurityGroupsRequest, DescribeSecurityGroupsResult,
  IpPermission, RevokedSecurityGroupRule, RevokeSecurityGroupEgressResult,
  RevokeSecurityGroupIngressRequest, RevokeSecurityGroupIngressResult,
  SecurityGroup as SecurityGroupOutput, SecurityGroupRule as RuleOutput
} from '@aws-sdk/client-ec2'
import { AwsError } from '../../../model/aws_error.ts'
import { requireRecord } from '../../../model/resource_kind.ts'
import { planCreateSecurityGroup, planDeleteSecurityGroup } from '../../../model/security_group.ts'
import type { SecurityGroup, SecurityGroupRule } from '../../../model/security_group.ts'
import { planAuthorize, planRevoke } from '../../../model/security_group_rule.ts'
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
  const group = view.by('securityGroup', 'vpcId', vpcId).find(({ name }) => name === GroupName)
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
  return [
    ...(permission.IpRanges ?? []).map(({ CidrIp = '', Description = '' }) =>
      ({ ...common, cidrIpv4: CidrIp, description: Description })),
    ...(permission.Ipv6Ranges ?? []).map(({ CidrIpv6 = '', Description = '' }) =>
      ({ ...common, cidrIpv6: CidrIpv6, description: Description })),
    ...(permission.UserIdGroupPairs ?? []).map(({ GroupId, GroupName, Description = '' }) =>
      ({ ...common, referencedGroupId: GroupId ?? groupIdOfName(view, groupId, GroupName),
        description: Description })),
    ...(permission.PrefixListIds ?? []).map(({ PrefixListId = '', Description = '' }) =>
      ({ ...common, prefixListId: PrefixListId, description: Description }))
  ]
}

/** A group of the same VPC by its name. */
function groupIdOfName (view: AccountView, groupId: string, name: string | undefined): string {
  const { vpcId } = requireRecord(view, 'securityGroup', groupId)
  const found = view.by('securityGroup', 'vpcId', vpcId).find((group) => group.name === name)
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
    Description: rule.description === '' ? undefined : rule.description
  }
}

function printRule (view: AccountView, group: SecurityGroup, rule: SecurityGroupRule): RuleOutput {
  return {
    SecurityGroupRuleId: rule.id, GroupId: group.id, GroupOwnerId: group.ownerId,
    IsEgress: rule.isEgress,
    IpProtocol: rule.ipProtocol, FromPort: rule.fromPort ?? ANY, ToPort: rule.toPort ?? ANY,
    CidrIpv4: rule.cidrIpv4 ?? undefined, CidrIpv6: rule.cidrIpv6 ?? undefined,
    ReferencedGroupInfo: rule.referencedGroupId === null
      ? undefined
      : { GroupId: rule.referencedGroupId, UserId: view.accountId, VpcId: group.vpcId },
    Description: rule.description === '' ? undefined : rule.description,
    Tags: printTags(rule.tags),
    SecurityGroupRuleArn: arnOf(group, 'security-group-rule', rule.id)
  }
}

function arnOf (group: SecurityGroup, type: string, id: string): string {
  return `arn:aws:ec2:${group.region}:${group.ownerId}:${type}/${id}`
}

function printGroup (group: SecurityGroup): SecurityGroupOutput {
  return {
    GroupId: group.id, GroupName: group.name, Description: group.description, VpcId: group.vpcId,
    OwnerId: group.ownerId,
    SecurityGroupArn: arnOf(group, 'security-group', group.id),
    IpPermissions: printPermissions(group, false),
    IpPermissionsEgress: printPermissions(group, true), Tags: printTags(group.tags)
  }
}

/**
 * Rules of one direction, those of one protocol and range together, as DescribeSecurityGroups shows
 * them.
 */
function printPermissions (group: SecurityGroup, isEgress: boolean): IpPermission[] {
  const byRange = new Map<string, Required<Pick<IpPermission,
    'IpRanges' | 'Ipv6Ranges' | 'UserIdGroupPairs'>> & IpPermission>()
  for (const rule of group.rules.filter((one) => one.isEgress === isEgress)) {
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
    if (rule.referencedGroupId !== null) {
      permission.UserIdGroupPairs?.push({ GroupId: rule.referencedGroupId, UserId: group.ownerId,
        Description })
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
    [`${prefix}.prefix-list-id`]: () => undefined,
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
    return { SecurityGroups: page.items.map(printGroup), NextToken: page.nextToken }
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

export const securityGroupActions: readonly Action[] = [
  createSecurityGroup, deleteSecurityGroup, describeSecurityGroups, describeSecurityGroupRules,
  defineAuthorize('AuthorizeSecurityGroupIngress', false),
  defineAuthorize('AuthorizeSecurityGroupEgress', true),
  defineRevoke('RevokeSecurityGroupIngress', false), defineRevoke('RevokeSecurityGroupEgress', true)
]
