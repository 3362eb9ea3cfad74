/**
 * Security group: record, creation, deletion. Rules and their validation stand in
 * security_group_rule.ts. AWS VPC User Guide, "Security groups".
 */
import { AwsError } from './aws_error.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import type { PeerGroup } from './security_group_reference.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'

export interface SecurityGroupRule {
  /** `sgr-…` */
  readonly id: string
  readonly isEgress: boolean
  /** `tcp`, `udp`, `icmp`, `icmpv6`, an IP protocol number, or `-1` for all. */
  readonly ipProtocol: string
  /** Port or ICMP type; -1 for all; null when the protocol has none. */
  readonly fromPort: number | null
  readonly toPort: number | null
  /** Exactly one of the next four is set. */
  readonly cidrIpv4: string | null
  readonly cidrIpv6: string | null
  readonly referencedGroupId: string | null
  /** Where that group is, when it is one of a peered VPC. */
  readonly referencedPeer?: PeerGroup | undefined
  /** The list's newest version counts, whenever it changes. */
  readonly prefixListId: string | null
  readonly description: string
  readonly tags: Tags
}

export interface SecurityGroup extends OwnedRecord {
  readonly vpcId: string
  readonly name: string
  readonly description: string
  readonly rules: readonly SecurityGroupRule[]
}

/** Name of the group that every VPC is born with and that cannot be deleted. */
export const DEFAULT_GROUP_NAME = 'default'

/** The rule that lets everything of one family out (`cidr` 0.0.0.0/0 or ::/0). */
function allowAllEgress (id: string, cidrIpv4: string | null,
  cidrIpv6: string | null): SecurityGroupRule {
  return {
    id, isEgress: true, ipProtocol: '-1', fromPort: null, toPort: null,
    cidrIpv4, cidrIpv6, referencedGroupId: null, prefixListId: null, description: '', tags: {}
  }
}

/**
 * The default group of a new VPC: everything in from the group itself, everything out over IPv4.
 * `withIpv6Egress` adds IPv6 when the VPC has a block.
 */
export function defaultSecurityGroup (vpcId: string, view: AccountView,
  context: PlanContext): SecurityGroup {
  const id = context.newId('sg')
  return {
    id, region: view.region, ownerId: view.accountId, tags: {},
    vpcId, name: DEFAULT_GROUP_NAME, description: 'default VPC security group',
    rules: [
      {
        id: context.newId('sgr'), isEgress: false, ipProtocol: '-1', fromPort: null, toPort: null,
        cidrIpv4: null, cidrIpv6: null, referencedGroupId: id, prefixListId: null,
        description: '', tags: {}
      },
      allowAllEgress(context.newId('sgr'), '0.0.0.0/0', null)
    ]
  }
}

/**
 * A group as AWS changes it when its VPC gets an IPv6 block: the default group gains "all to ::/0"
 * when its egress rules are still those it was born with; every other group stays as it is.
 */
export function withIpv6Egress (group: SecurityGroup, context: PlanContext): SecurityGroup {
  const egress = group.rules.filter((rule) => rule.isEgress)
  const unmodified = group.name === DEFAULT_GROUP_NAME && egress.length === 1 &&
    egress[0]?.ipProtocol === '-1' && egress[0].cidrIpv4 === '0.0.0.0/0'
  if (!unmodified) return group
  return { ...group, rules: [...group.rules, allowAllEgress(context.newId('sgr'), null, '::/0')] }
}

/** Names of groups are not case-sensitive: VPC User Guide, "Security groups", basics. */
export function isSameGroupName (one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}

/** Letters of names and descriptions: EC2 API Reference, CreateSecurityGroup. */
const GROUP_TEXT = /^[a-zA-Z0-9 ._\-:/()#,@[\]+=&;{}!$*]{1,255}$/

/** @throws AwsError InvalidParameterValue */
function checkGroupText (parameter: string, text: string): void {
  if (GROUP_TEXT.test(text)) return
  throw new AwsError('InvalidParameterValue',
    `Value (${text.slice(0, 64)}) for parameter ${parameter} is invalid: ` +
    '1 to 255 characters out of a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$*')
}

/**
 * CreateSecurityGroup: no ingress, everything out. Spaces at the end of a name are cut off.
 * @returns the id of the new group
 * @throws AwsError InvalidVpcID.*, InvalidGroup.Reserved, InvalidGroup.Duplicate,
 *   InvalidParameterValue, SecurityGroupLimitExceeded
 */
export function planCreateSecurityGroup (view: AccountView,
  input: Pick<SecurityGroup, 'vpcId' | 'name' | 'description' | 'tags'>,
  context: PlanContext): Plan<string> {
  const { description, tags } = input
  const name = input.name.trimEnd()
  const vpc = requireRecord(view, 'vpc', input.vpcId)
  checkGroupText('groupName', name)
  checkGroupText('groupDescription', description)
  if (name.toLowerCase().startsWith('sg-')) {
    throw new AwsError('InvalidParameterValue',
      `Value (${name}) for parameter groupName is invalid. Group names may not be in the format ` +
      'sg-*.')
  }
  if (isSameGroupName(name, DEFAULT_GROUP_NAME)) {
    throw new AwsError('InvalidGroup.Reserved',
      `The security group '${name}' is reserved: every VPC has it from birth`)
  }
  const twin = view.by('securityGroup', 'vpcId', vpc.id).find((group) =>
    isSameGroupName(group.name, name))
  if (twin !== undefined) {
    throw new AwsError('InvalidGroup.Duplicate',
      `The security group '${name}' already exists for VPC '${vpc.id}': ${twin.id}`)
  }
  checkQuota(view.snapshot, 'security-groups-per-region', view.list('securityGroup').length + 1)
  const rules = [allowAllEgress(context.newId('sgr'), '0.0.0.0/0', null)]
  if (vpc.ipv6CidrBlocks.length > 0) rules.push(allowAllEgress(context.newId('sgr'), null, '::/0'))
  const group: SecurityGroup = {
    id: context.newId('sg'), region: view.region, ownerId: view.accountId, tags, vpcId: vpc.id,
    name, description, rules
  }
  return { changes: [put('securityGroup', group)], result: group.id }
}

/**
 * DeleteSecurityGroup.
 * @returns the id
 * @throws AwsError InvalidGroup.NotFound, CannotDelete (default), DependencyViolation
 */
export function planDeleteSecurityGroup (view: AccountView,
  input: { readonly groupId: string }): Plan<string> {
  const group = requireRecord(view, 'securityGroup', input.groupId)
  if (group.name === DEFAULT_GROUP_NAME) {
    throw new AwsError('CannotDelete',
      `the specified group: "${group.id}" name: "${group.name}" cannot be deleted by a user`)
  }
  const member = view.by('networkInterface', 'vpcId', group.vpcId).find(({ groupIds }) =>
    groupIds.includes(group.id))
  const referrer = view.by('securityGroup', 'vpcId', group.vpcId).find((other) =>
    other.id !== group.id &&
    other.rules.some(({ referencedGroupId }) => referencedGroupId === group.id))
  const user = member ?? referrer
  if (user !== undefined) {
    throw new AwsError('DependencyViolation',
      `resource ${group.id} has a dependent object: ${user.id}`)
  }
  return { changes: [remove('securityGroup', group.id)], result: group.id }
}
