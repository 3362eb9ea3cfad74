/**
 * `vpcctl security-group …`. AWS VPC User Guide, "Control traffic using security groups".
 *
 * A rule is one call: protocol, ports and peers, of both families, other groups and prefix lists
 * together. Groups are named by id, by GroupName or by Name tag.
 */
import type {
  IpPermission, SecurityGroup, SecurityGroupRule, StaleSecurityGroup
} from '@aws-sdk/client-ec2'
import {
  type Command, type CommandOption, defineCommand, type Input, parseInteger, TAG_OPTIONS
} from '../command.ts'
import type { Ec2Client } from '../ec2_client.ts'
import type { QueryInput } from '../ec2_query.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import {
  inVpc, nameOf, PREFIX_LIST, resolveId, resolveIds, SECURITY_GROUP, tagSpecification, VPC
} from '../resolve.ts'

const COLUMNS: readonly Column<SecurityGroup>[] = [
  { header: 'group', value: (group) => group.GroupId ?? '' },
  { header: 'group name', value: (group) => group.GroupName ?? '', shrinks: true },
  { header: 'name', value: nameOf, shrinks: true, hides: true },
  { header: 'vpc', value: (group) => group.VpcId ?? '', hides: true },
  {
    header: 'ingress',
    value: (group) => String(group.IpPermissions?.length ?? 0),
    align: 'right', hides: true
  },
  {
    header: 'egress',
    value: (group) => String(group.IpPermissionsEgress?.length ?? 0),
    align: 'right',
    hides: true
  },
  { header: 'description', value: (group) => group.Description ?? '', shrinks: true, hides: true }
]

interface Rule {
  readonly direction: 'ingress' | 'egress'
  readonly permission: IpPermission
}

const RULE_COLUMNS: readonly Column<Rule>[] = [
  { header: 'direction', value: (rule) => rule.direction },
  { header: 'protocol', value: (rule) => protocolOf(rule.permission) },
  { header: 'ports', value: (rule) => portsOf(rule.permission) },
  { header: 'peers', value: (rule) => peersOf(rule.permission) }
]

/** One protocol, port range and peer each. */
const SINGLE_RULE_COLUMNS: readonly Column<SecurityGroupRule>[] = [
  { header: 'rule', value: (rule) => rule.SecurityGroupRuleId ?? '' },
  { header: 'group', value: (rule) => rule.GroupId ?? '', hides: true },
  { header: 'direction', value: (rule) => rule.IsEgress === true ? 'egress' : 'ingress' },
  { header: 'protocol', value: protocolOf },
  { header: 'ports', value: portsOf },
  {
    header: 'peer',
    value: (rule) => rule.CidrIpv4 ?? rule.CidrIpv6 ?? rule.ReferencedGroupInfo?.GroupId ??
      rule.PrefixListId ?? ''
  },
  { header: 'description', value: (rule) => rule.Description ?? '', shrinks: true, hides: true }
]

const RULE_OPTION = {
  flags: '--rule <rule>', description: 'or the rule itself: its id, sgr-…', repeats: true
}

const RULE_OPTIONS: readonly CommandOption[] = [
  {
    flags: '--protocol <protocol>',
    description: 'tcp, udp, icmp, icmpv6, a number, or all (default: all)'
  },
  { flags: '--port <port>', description: 'a port or a range, 80 or 8000-8080' },
  { flags: '--cidr <cidr>', description: 'IPv4 or IPv6 block of the peers', repeats: true },
  {
    flags: '--peer-group <group>', repeats: true,
    description: 'security group of the peers: id, name, or <account>/<id>'
  },
  { flags: '--peer-list <list>', description: 'prefix list of the peers', repeats: true },
  { flags: '--description <text>', description: 'description of the rule' }
]

const RULE_ARGUMENT = { syntax: '<rule>', description: 'id, sgr-…' }

const GROUP_ARGUMENT = { syntax: '<group>', description: 'id, group name or Name tag' }

export const securityGroupCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Create a security group',
    action: 'CreateSecurityGroup',
    arguments: [
      { syntax: '<vpc>', description: 'id or Name tag' },
      { syntax: '<group-name>', description: 'its name, unique in the VPC' }
    ],
    options: [
      { flags: '--description <text>', description: 'description (default: the name)' },
      ...TAG_OPTIONS
    ],
    examples: ['vpcctl security-group create web web-servers --description "HTTP from anywhere"'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const name = input.argument('group-name')
      const { GroupId: id } = await ec2.call('CreateSecurityGroup', {
        VpcId: await resolveId(ec2, VPC, input.argument('vpc')),
        GroupName: name,
        GroupDescription: input.text('description') ?? name,
        ...tagSpecification('security-group', input.tags())
      })
      context.output.row(await describeGroup(ec2, id ?? ''), COLUMNS, ({ GroupId }) => GroupId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List security groups',
    action: 'DescribeSecurityGroups',
    options: [{ flags: '--vpc <vpc>', description: 'of one VPC: id or Name tag' }],
    examples: ['vpcctl security-group list --vpc web'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const filter = await inVpc(ec2, input.text('vpc'))
      const groups = await ec2.all('DescribeSecurityGroups', filter, (page) => page.SecurityGroups)
      context.output.rows(groups, COLUMNS, ({ GroupId }) => GroupId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show the rules of a security group',
    action: 'DescribeSecurityGroups',
    arguments: [GROUP_ARGUMENT],
    examples: ['vpcctl security-group show web-servers'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, SECURITY_GROUP, input.argument('group'))
      const group = await describeGroup(ec2, id)
      if (context.output.form !== 'human') context.output.tree(group, id)
      else context.output.rows(rulesOf(group), RULE_COLUMNS, () => id)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a security group that nothing uses',
    action: 'DeleteSecurityGroup',
    arguments: [GROUP_ARGUMENT],
    examples: ['vpcctl security-group delete web-servers'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, SECURITY_GROUP, input.argument('group'))
      await ec2.call('DeleteSecurityGroup', { GroupId: id })
      context.output.done(`Deleted ${id}.`, { GroupId: id })
    }
  }),
  defineCommand({
    name: 'rules',
    summary: 'List single rules with their ids',
    action: 'DescribeSecurityGroupRules',
    arguments: [{ syntax: '[group]', description: 'of one group: id, group name or Name tag' }],
    examples: ['vpcctl security-group rules', 'vpcctl security-group rules web-servers'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const reference = input.optionalArgument('group')
      const Filter = reference === undefined
        ? []
        : [{ Name: 'group-id', Value: [await resolveId(ec2, SECURITY_GROUP, reference)] }]
      const rules = await ec2.all('DescribeSecurityGroupRules', { Filter },
        (page) => page.SecurityGroupRules)
      context.output.rows(rules, SINGLE_RULE_COLUMNS, (rule) => rule.SecurityGroupRuleId)
    }
  }),
  ruleCommand('authorize-ingress', 'Allow traffic into the group', 'AuthorizeSecurityGroupIngress'),
  ruleCommand('authorize-egress', 'Allow traffic out of the group', 'AuthorizeSecurityGroupEgress'),
  ruleCommand('revoke-ingress', 'Take an ingress rule back', 'RevokeSecurityGroupIngress'),
  ruleCommand('revoke-egress', 'Take an egress rule back', 'RevokeSecurityGroupEgress'),
  defineCommand({
    name: 'modify-rule',
    summary: 'Make a rule another one; its id, direction and tags stay',
    action: 'ModifySecurityGroupRules',
    arguments: [RULE_ARGUMENT],
    options: RULE_OPTIONS,
    examples: [
      'vpcctl security-group modify-rule sgr-0123456789abcdef0 --protocol tcp --port 443 ' +
        '--cidr 0.0.0.0/0'
    ],
    async run (context, input) {
      const SecurityGroupRuleId = input.argument('rule')
      const ec2 = await context.ec2()
      const { GroupId = '' } = await ruleOf(ec2, SecurityGroupRuleId)
      const SecurityGroupRule = await singlePermission(ec2, input)
      await ec2.call('ModifySecurityGroupRules',
        { GroupId, SecurityGroupRule: [{ SecurityGroupRuleId, SecurityGroupRule }] })
      context.output.done(`Changed ${SecurityGroupRuleId}.`,
        { GroupId, SecurityGroupRuleId, SecurityGroupRule })
    }
  }),
  defineCommand({
    name: 'describe-rule',
    summary: 'Change the description of a rule, or take it away',
    action: 'UpdateSecurityGroupRuleDescriptionsIngress, or UpdateSecurityGroupRuleDescriptions' +
      'Egress when the rule is an egress rule',
    arguments: [RULE_ARGUMENT, { syntax: '[text]', description: 'description; nothing for none' }],
    examples: ['vpcctl security-group describe-rule sgr-0123456789abcdef0 "office in Berlin"'],
    async run (context, input) {
      const SecurityGroupRuleId = input.argument('rule')
      const Description = input.optionalArgument('text') ?? ''
      const ec2 = await context.ec2()
      const { GroupId = '', IsEgress } = await ruleOf(ec2, SecurityGroupRuleId)
      await ec2.call(IsEgress === true
        ? 'UpdateSecurityGroupRuleDescriptionsEgress'
        : 'UpdateSecurityGroupRuleDescriptionsIngress',
      { GroupId, SecurityGroupRuleDescription: [{ SecurityGroupRuleId, Description }] })
      context.output.done(`Described ${SecurityGroupRuleId}.`,
        { GroupId, SecurityGroupRuleId, Description })
    }
  }),
  defineCommand({
    name: 'references',
    summary: 'List peer VPCs whose rules name a group',
    action: 'DescribeSecurityGroupReferences',
    arguments: [GROUP_ARGUMENT],
    examples: ['vpcctl security-group references web-servers'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, SECURITY_GROUP, input.argument('group'))
      const { SecurityGroupReferenceSet: references = [] } =
        await ec2.call('DescribeSecurityGroupReferences', { GroupId: [id] })
      context.output.rows(references, [
        { header: 'group', value: (one) => one.GroupId ?? '' },
        { header: 'vpc', value: (one) => one.ReferencingVpcId ?? '' },
        { header: 'peering', value: (one) => one.VpcPeeringConnectionId ?? '' }
      ], ({ ReferencingVpcId }) => ReferencingVpcId)
    }
  }),
  defineCommand({
    name: 'stale',
    summary: 'List the groups of a VPC with rules that name groups out of reach',
    action: 'DescribeStaleSecurityGroups',
    arguments: [{ syntax: '<vpc>', description: 'id or Name tag' }],
    examples: ['vpcctl security-group stale web'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const VpcId = await resolveId(ec2, VPC, input.argument('vpc'))
      const groups = await ec2.all('DescribeStaleSecurityGroups', { VpcId },
        (page) => page.StaleSecurityGroupSet)
      context.output.rows(groups, [
        { header: 'group', value: (group) => group.GroupId ?? '' },
        { header: 'group name', value: (group) => group.GroupName ?? '', shrinks: true },
        { header: 'stale', value: staleNames, shrinks: true }
      ], ({ GroupId }) => GroupId)
    }
  })
]

/** The four commands for rules take the same words. */
function ruleCommand (name: string, summary: string,
  action: 'AuthorizeSecurityGroupIngress' | 'AuthorizeSecurityGroupEgress' |
    'RevokeSecurityGroupIngress' | 'RevokeSecurityGroupEgress'): Command {
  const isRevoke = action.startsWith('Revoke')
  return {
    name,
    summary,
    action,
    arguments: [GROUP_ARGUMENT],
    options: [...RULE_OPTIONS, ...isRevoke ? [RULE_OPTION] : []],
    examples: [
      `vpcctl security-group ${name} web-servers --protocol tcp --port 80 --cidr 0.0.0.0/0`,
      `vpcctl security-group ${name} web-servers --peer-group web-servers`
    ],
    async run (context, input) {
      const ec2 = await context.ec2()
      const rules = input.list('rule')
      const change = rules.length > 0
        ? { SecurityGroupRuleId: rules }
        : { IpPermissions: [await permissionInput(ec2, input)] }
      const GroupId = await resolveId(ec2, SECURITY_GROUP, input.argument('group'))
      await ec2.call(action, { GroupId, ...change })
      context.output.done(`Changed ${GroupId}.`, { GroupId, ...change })
    }
  }
}

async function permissionInput (ec2: Ec2Client, input: Input): Promise<QueryInput> {
  const cidrs = input.list('cidr')
  const groups = input.list('peerGroup')
  const lists = input.list('peerList')
  if (cidrs.length + groups.length + lists.length === 0) {
    throw usageError('--cidr, --peer-group or --peer-list is needed')
  }
  const Description = input.text('description')
  const protocol = input.text('protocol') ?? 'all'
  return {
    IpProtocol: protocol === 'all' ? '-1' : protocol,
    ...portInput(protocol, input.text('port')),
    IpRanges: cidrs.filter((cidr) => !cidr.includes(':'))
      .map((CidrIp) => ({ CidrIp, Description })),
    Ipv6Ranges: cidrs.filter((cidr) => cidr.includes(':'))
      .map((CidrIpv6) => ({ CidrIpv6, Description })),
    Groups: (await Promise.all(groups.map((group) => peerGroup(ec2, group))))
      .map((group) => ({ ...group, Description })),
    PrefixListIds: (await resolveIds(ec2, PREFIX_LIST, lists))
      .map((PrefixListId) => ({ PrefixListId, Description }))
  }
}

/** A rule as ModifySecurityGroupRules takes it: with one peer. */
async function singlePermission (ec2: Ec2Client, input: Input): Promise<QueryInput> {
  const cidrs = input.list('cidr')
  const groups = input.list('peerGroup')
  const lists = input.list('peerList')
  if (cidrs.length + groups.length + lists.length !== 1) {
    throw usageError('one of --cidr, --peer-group and --peer-list is needed, once')
  }
  const protocol = input.text('protocol') ?? 'all'
  const [cidr] = cidrs
  const [group] = groups
  const ReferencedGroupId = group === undefined || group.includes('/')
    ? group
    : await resolveId(ec2, SECURITY_GROUP, group)
  const [PrefixListId] = await resolveIds(ec2, PREFIX_LIST, lists)
  return {
    IpProtocol: protocol === 'all' ? '-1' : protocol,
    ...portInput(protocol, input.text('port')),
    ...cidr === undefined ? {} : cidr.includes(':') ? { CidrIpv6: cidr } : { CidrIpv4: cidr },
    ReferencedGroupId,
    PrefixListId,
    Description: input.text('description')
  }
}

/** A group that a rule is to name; `account/sg-…` is one of a peer VPC of another account. */
async function peerGroup (ec2: Ec2Client, reference: string): Promise<QueryInput> {
  const [owner = '', id] = reference.split('/')
  return id === undefined
    ? { GroupId: await resolveId(ec2, SECURITY_GROUP, reference) }
    : { GroupId: id, UserId: owner }
}

/** FromPort and ToPort; for ICMP they are type and code, -1 for any. */
export function portInput (protocol: string,
  ports: string | undefined): { FromPort?: number, ToPort?: number } {
  if (ports === undefined) {
    if (protocol === 'icmp' || protocol === 'icmpv6') return { FromPort: -1, ToPort: -1 }
    return protocol === 'tcp' || protocol === 'udp' ? { FromPort: 0, ToPort: 65535 } : {}
  }
  const [from = '', to = from] = ports.split('-')
  return {
    FromPort: parseInteger('--port', from, 0, 65535),
    ToPort: parseInteger('--port', to, 0, 65535)
  }
}

async function describeGroup (ec2: Ec2Client, id: string): Promise<SecurityGroup> {
  const { SecurityGroups: groups } = await ec2.call('DescribeSecurityGroups', { GroupId: [id] })
  return groups?.[0] ?? {}
}

/** @throws CtlError `NameNotFound` for what is no rule's id; the API says which id is nobody's */
async function ruleOf (ec2: Ec2Client, id: string): Promise<SecurityGroupRule> {
  const { SecurityGroupRules: rules } =
    await ec2.call('DescribeSecurityGroupRules', { SecurityGroupRuleId: [id] })
  const [rule] = rules ?? []
  if (rule === undefined) throw new CtlError('NameNotFound', `${id} is no security group rule`)
  return rule
}

/** Groups that stale rules name. */
function staleNames (group: StaleSecurityGroup): string {
  const { StaleIpPermissions: ingress = [], StaleIpPermissionsEgress: egress = [] } = group
  return [...ingress, ...egress].flatMap(({ UserIdGroupPairs = [] }) =>
    UserIdGroupPairs.map(({ GroupId = '' }) => GroupId)).join(',')
}

function rulesOf (group: SecurityGroup): Rule[] {
  const { IpPermissions: ingress = [], IpPermissionsEgress: egress = [] } = group
  return [
    ...ingress.map((permission): Rule => ({ direction: 'ingress', permission })),
    ...egress.map((permission): Rule => ({ direction: 'egress', permission }))
  ]
}

function protocolOf ({ IpProtocol: protocol = '' }: IpPermission | SecurityGroupRule): string {
  return protocol === '-1' ? 'all' : protocol
}

function portsOf ({ FromPort: from, ToPort: to }: IpPermission | SecurityGroupRule): string {
  if (from === undefined || from === -1) return 'all'
  return to === undefined || to === from ? String(from) : `${String(from)}-${String(to)}`
}

function peersOf (permission: IpPermission): string {
  return [
    ...(permission.IpRanges ?? []).map(({ CidrIp }) => CidrIp),
    ...(permission.Ipv6Ranges ?? []).map(({ CidrIpv6 }) => CidrIpv6),
    ...(permission.UserIdGroupPairs ?? []).map(({ GroupId }) => GroupId),
    ...(permission.PrefixListIds ?? []).map(({ PrefixListId }) => PrefixListId)
  ].join(',')
}
