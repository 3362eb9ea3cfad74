/**
 * Rules of a security group: authorize, revoke, modify, describe. EC2 API Reference,
 * AuthorizeSecurityGroupIngress, ModifySecurityGroupRules, IpPermission; VPC User Guide, "Security
 * group rules".
 *
 * One IpPermission of a call is a protocol, a port range and any number of sources; each source
 * becomes a rule of its own. Two rules are the same when all but id, description and tags is equal.
 *
 *     protocol     fromPort, toPort
 *     tcp, udp     0..65535, from <= to; both -1: all ports
 *     icmp(v6)     type and code, -1: all; all types have all codes
 *     others       none
 */
import { isWellFormedId } from '../base/ids.ts'
import { AwsError } from './aws_error.ts'
import { formatCidr, parseCidr } from './cidr.ts'
import type { AddressFamily } from './cidr.ts'
import type { Plan, PlanContext } from './plan.ts'
import { requirePrefixList, ruleCount } from './prefix_list_reference.ts'
import { checkQuota } from './quota.ts'
import type { Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import type { SecurityGroup, SecurityGroupRule } from './security_group.ts'
import { requireReference, splitReference } from './security_group_reference.ts'
import { put } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'

/** One protocol, range and source, as a call gives them. */
export interface PermissionInput {
  readonly ipProtocol: string | undefined
  readonly fromPort: number | undefined
  readonly toPort: number | undefined
  readonly cidrIpv4: string | null
  readonly cidrIpv6: string | null
  /** A group, or `account/sg-id`. */
  readonly referencedGroupId: string | null
  /** Account of that group; the caller's own when undefined. */
  readonly referencedOwnerId?: string | undefined
  readonly prefixListId: string | null
  readonly description: string
}

export const DESCRIPTION_LENGTH_MAX = 255
const PORT_MAX = 65_535
const ICMP_MAX = 255
const PROTOCOL_NUMBER_MAX = 255
const ANY = -1

/** IANA numbers that EC2 stores by name. */
const PROTOCOL_NAMES: Readonly<Record<string,
  string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6' }

export interface AuthorizeInput {
  readonly groupId: string
  readonly isEgress: boolean
  readonly permissions: readonly PermissionInput[]
  readonly tags: Tags
}

/**
 * AuthorizeSecurityGroupIngress and …Egress. All or none.
 * @returns the ids of the new rules
 * @throws AwsError InvalidGroup.NotFound, MissingParameter, InvalidParameterValue,
 *   InvalidPermission.Malformed, InvalidPermission.Duplicate, InvalidPrefixListID.NotFound,
 *   RulesPerSecurityGroupLimitExceeded
 */
export function planAuthorize (view: AccountView, input: AuthorizeInput,
  context: PlanContext): Plan<string[]> {
  const group = requireRecord(view, 'securityGroup', input.groupId)
  if (input.permissions.length === 0) {
    throw new AwsError('MissingParameter',
      'The request must contain at least one IpPermission with a source or destination')
  }
  const rules = [...group.rules]
  const added: string[] = []
  for (const permission of input.permissions) {
    const rule: SecurityGroupRule = {
      ...checkPermission(view, group, permission), id: context.newId('sgr'),
      isEgress: input.isEgress, tags: input.tags
    }
    const twin = rules.find((other) => sameRule(other, rule))
    if (twin !== undefined) throw duplicate(rule, twin)
    rules.push(rule)
    added.push(rule.id)
  }
  const changed = { ...group, rules }
  checkRuleCount(view, changed, input.isEgress)
  return { changes: [put('securityGroup', changed)], result: added }
}

export interface RevokeInput {
  readonly groupId: string
  readonly isEgress: boolean
  /** Rules by value; used when `ruleIds` is empty. */
  readonly permissions: readonly PermissionInput[]
  readonly ruleIds: readonly string[]
}

/**
 * RevokeSecurityGroupIngress and …Egress. All or none.
 * @returns the ids of the rules that are gone
 * @throws AwsError InvalidGroup.NotFound, InvalidPermission.NotFound,
 *   InvalidSecurityGroupRuleId.NotFound, MissingParameter, InvalidParameterCombination
 */
export function planRevoke (view: AccountView, input: RevokeInput): Plan<string[]> {
  const group = requireRecord(view, 'securityGroup', input.groupId)
  checkOneWay(input.permissions, input.ruleIds, 'securityGroupRuleIds')
  const gone = new Set<string>()
  for (const id of input.ruleIds) gone.add(requireRule(group, id, input.isEgress).id)
  for (const permission of input.permissions) {
    gone.add(findRule(view, group, permission, input.isEgress).id)
  }
  const rules = group.rules.filter(({ id }) => !gone.has(id))
  return { changes: [put('securityGroup', { ...group, rules })], result: [...gone] }
}

/** A rule of a group as a call changes it; `permission` has one peer. */
export interface RuleModification {
  readonly ruleId: string
  readonly permission: PermissionInput
}

/**
 * ModifySecurityGroupRules: rules become others and keep id, direction and tags. All or none.
 * @returns the id of the group
 * @throws AwsError as planAuthorize, InvalidSecurityGroupRuleId.NotFound
 */
export function planModifyRules (view: AccountView, input: {
  readonly groupId: string
  readonly modifications: readonly RuleModification[]
}): Plan<string> {
  const group = requireRecord(view, 'securityGroup', input.groupId)
  if (input.modifications.length === 0) {
    throw new AwsError('MissingParameter', 'The request must contain the parameter ' +
      'securityGroupRules')
  }
  let rules = group.rules
  for (const { ruleId, permission } of input.modifications) {
    const { isEgress, id, tags } = requireRule(group, ruleId)
    const next = { ...checkPermission(view, group, permission), isEgress, id, tags }
    rules = rules.map((rule) => rule.id === ruleId ? next : rule)
  }
  for (const [index, rule] of rules.entries()) {
    const twin = rules.slice(0, index).find((other) => sameRule(other, rule))
    if (twin !== undefined) throw duplicate(rule, twin)
  }
  const changed = { ...group, rules }
  for (const isEgress of [false, true]) checkRuleCount(view, changed, isEgress)
  return { changes: [put('securityGroup', changed)], result: group.id }
}

/** Which rules get which description: by value, or by id. An empty text takes it away. */
export interface DescriptionsInput {
  readonly groupId: string
  readonly isEgress: boolean
  readonly permissions: readonly PermissionInput[]
  readonly byId: readonly { readonly ruleId: string, readonly description: string }[]
}

/**
 * UpdateSecurityGroupRuleDescriptionsIngress and …Egress. All or none.
 * @returns the id of the group
 * @throws AwsError InvalidGroup.NotFound, InvalidPermission.NotFound,
 *   InvalidSecurityGroupRuleId.NotFound, InvalidParameterValue, MissingParameter,
 *   InvalidParameterCombination
 */
export function planUpdateDescriptions (view: AccountView,
  input: DescriptionsInput): Plan<string> {
  const group = requireRecord(view, 'securityGroup', input.groupId)
  checkOneWay(input.permissions, input.byId, 'securityGroupRuleDescriptions')
  const descriptions = new Map<string, string>()
  for (const { ruleId, description } of input.byId) {
    checkDescription(description)
    descriptions.set(requireRule(group, ruleId, input.isEgress).id, description)
  }
  for (const permission of input.permissions) {
    const { id } = findRule(view, group, permission, input.isEgress)
    descriptions.set(id, permission.description)
  }
  const rules = group.rules.map((rule) =>
    ({ ...rule, description: descriptions.get(rule.id) ?? rule.description }))
  return { changes: [put('securityGroup', { ...group, rules })], result: group.id }
}

/** Rules are named by value or by id, and in one call not both ways. */
function checkOneWay (permissions: readonly unknown[], ids: readonly unknown[],
  idParameter: string): void {
  const given = permissions.length + ids.length
  if (given > 0 && (permissions.length === 0 || ids.length === 0)) return
  throw new AwsError(given === 0 ? 'MissingParameter' : 'InvalidParameterCombination',
    `The request must contain either ipPermissions or ${idParameter}`)
}

export function malformedRuleId (id: string): AwsError {
  return new AwsError('InvalidSecurityGroupRuleId.Malformed',
    `Invalid id: "${id}" (expecting "sgr-" and 8 or 17 hexadecimal digits)`)
}

/** @param isEgress the direction that it must have; undefined for either */
function requireRule (group: SecurityGroup, id: string, isEgress?: boolean): SecurityGroupRule {
  if (!isWellFormedId('sgr', id)) throw malformedRuleId(id)
  const rule = group.rules.find((one) => one.id === id)
  if (rule !== undefined && (isEgress ?? rule.isEgress) === rule.isEgress) return rule
  throw new AwsError('InvalidSecurityGroupRuleId.NotFound',
    `The security group rule ID '${id}' does not exist` +
    (rule === undefined ? '' : ` among the ${isEgress === true ? 'egress' : 'ingress'} rules of ` +
      group.id))
}

/** The rule of a group that is what a call says, id, description and tags aside. */
function findRule (view: AccountView, group: SecurityGroup, permission: PermissionInput,
  isEgress: boolean): SecurityGroupRule {
  const checked = namesKnownGroup(group, permission)
    ? permissionOfKnownGroup(permission)
    : checkPermission(view, group, permission)
  const wanted = { ...checked, id: '', isEgress, tags: {} }
  const rule = group.rules.find((other) => sameRule(other, wanted))
  if (rule !== undefined) return rule
  throw new AwsError('InvalidPermission.NotFound',
    `The specified rule (${rangeText(wanted)}, ${peerOf(wanted)}) does not ` +
    'exist in this security group.')
}

/** Whether a call names a group that a rule names, be the rule stale or not. */
function namesKnownGroup ({ rules }: SecurityGroup,
  { referencedGroupId }: PermissionInput): boolean {
  return referencedGroupId !== null && rules.some((rule) =>
    rule.referencedGroupId === splitReference(referencedGroupId).groupId)
}

/** What a call says of such a rule: the group may be out of reach by now. */
function permissionOfKnownGroup (input: PermissionInput): CheckedPermission {
  const ipProtocol = checkProtocol(input.ipProtocol)
  const { groupId } = splitReference(input.referencedGroupId ?? '')
  return { ...NO_PEER, ...checkRange(ipProtocol, input), ipProtocol, referencedGroupId: groupId,
    description: input.description }
}

function duplicate (rule: SecurityGroupRule, twin: SecurityGroupRule): AwsError {
  return new AwsError('InvalidPermission.Duplicate',
    `the specified rule "peer: ${peerOf(rule)}, ${rangeText(rule)}, ` +
    `ALLOW" already exists: ${twin.id}`)
}

/** Per direction and family, as AWS counts. */
function checkRuleCount ({ snapshot }: AccountView, group: SecurityGroup,
  isEgress: boolean): void {
  checkQuota(snapshot, 'rules-per-security-group',
    Math.max(ruleCount(snapshot, group, isEgress, 4), ruleCount(snapshot, group, isEgress, 6)))
}

type CheckedPermission = Omit<SecurityGroupRule, 'id' | 'isEgress' | 'tags'>

function checkPermission (view: AccountView, group: SecurityGroup,
  input: PermissionInput): CheckedPermission {
  checkDescription(input.description)
  const ipProtocol = checkProtocol(input.ipProtocol)
  return { ...checkPeer(view, group, input), ...checkRange(ipProtocol, input), ipProtocol,
    description: input.description }
}

function checkDescription (description: string): void {
  if (description.length <= DESCRIPTION_LENGTH_MAX) return
  throw new AwsError('InvalidParameterValue',
    `The rule's description has ${String(description.length)} ` +
    `characters; at most ${String(DESCRIPTION_LENGTH_MAX)} are allowed`)
}

function checkProtocol (text: string | undefined): string {
  if (text === undefined) throw new AwsError('MissingParameter',
    'The request must contain the parameter IpProtocol')
  const name = text.toLowerCase()
  if (name === String(ANY) || name === 'all') return String(ANY)
  if (Object.values(PROTOCOL_NAMES).includes(name)) return name
  const number = Number(name)
  if (/^[0-9]{1,3}$/.test(name) && number <= PROTOCOL_NUMBER_MAX) return PROTOCOL_NAMES[number] ??
    String(number)
  throw new AwsError('InvalidPermission.Malformed',
    `Unsupported IP protocol "${text}" - supported: tcp, udp, icmp, ` +
    `icmpv6, 0 to ${PROTOCOL_NUMBER_MAX}, -1`)
}

function checkRange (ipProtocol: string, { fromPort, toPort }: PermissionInput):
{ readonly fromPort: number | null, readonly toPort: number | null } {
  const isIcmp = ipProtocol === 'icmp' || ipProtocol === 'icmpv6'
  const hasPorts = ipProtocol === 'tcp' || ipProtocol === 'udp'
  if (!isIcmp && !hasPorts) return { fromPort: null, toPort: null }
  if (fromPort === undefined || toPort === undefined) {
    // IpPermission: for icmpv6 the range is optional.
    const isAll = ipProtocol === 'icmpv6' && fromPort === toPort
    if (isAll) return { fromPort: ANY, toPort: ANY }
    throw new AwsError('InvalidParameterValue', "Invalid value 'Must specify both from and to " +
      `ports with ${isIcmp ? 'ICMP' : 'TCP/UDP'}.' for portRange.`)
  }
  if (hasPorts && fromPort === ANY && toPort === ANY) return { fromPort: 0, toPort: PORT_MAX }
  const max = isIcmp ? ICMP_MAX : PORT_MAX
  const min = isIcmp ? ANY : 0
  for (const value of [fromPort, toPort]) {
    if (value < min || value > max) {
      throw new AwsError('InvalidPermission.Malformed',
        `${isIcmp ? 'ICMP type or code' : 'TCP/UDP port'} (${value}) out of range; ` +
        `expecting ${min} to ${max}`)
    }
  }
  if (isIcmp && fromPort === ANY && toPort !== ANY) {
    throw new AwsError('InvalidParameterValue',
      `Invalid ${ipProtocol} rule: all types (-1) have all codes (-1), and not ${toPort}`)
  }
  if (hasPorts && fromPort > toPort) {
    throw new AwsError('InvalidParameterValue',
      `Invalid ${ipProtocol} port range: from ${String(fromPort)} is above to ${String(toPort)}`)
  }
  return { fromPort, toPort }
}

type Peer = Pick<SecurityGroupRule,
  'cidrIpv4' | 'cidrIpv6' | 'referencedGroupId' | 'referencedPeer' | 'prefixListId'>

const NO_PEER: Peer =
  { cidrIpv4: null, cidrIpv6: null, referencedGroupId: null, prefixListId: null }

function checkPeer (view: AccountView, group: SecurityGroup, input: PermissionInput): Peer {
  if (input.prefixListId !== null) {
    return { ...NO_PEER, prefixListId: requirePrefixList(view, input.prefixListId).id }
  }
  if (input.referencedGroupId !== null) {
    const { groupId, peer } =
      requireReference(view, group, input.referencedGroupId, input.referencedOwnerId)
    return { ...NO_PEER, referencedGroupId: groupId, ...peer && { referencedPeer: peer } }
  }
  if (input.cidrIpv6 !== null) return { ...NO_PEER, cidrIpv6: checkCidr(input.cidrIpv6, 6) }
  return { ...NO_PEER, cidrIpv4: checkCidr(input.cidrIpv4 ?? '', 4) }
}

function checkCidr (text: string, family: AddressFamily): string {
  const cidr = parseCidr(text)
  if (cidr?.family === family) return formatCidr(cidr)
  throw new AwsError('InvalidParameterValue',
    `CIDR block ${text} is malformed: expecting an IPv${family} block`)
}

function sameRule (a: SecurityGroupRule, b: SecurityGroupRule): boolean {
  return a.isEgress === b.isEgress && a.ipProtocol === b.ipProtocol && a.fromPort === b.fromPort &&
    a.toPort === b.toPort && a.cidrIpv4 === b.cidrIpv4 && a.cidrIpv6 === b.cidrIpv6 &&
    a.referencedGroupId === b.referencedGroupId && a.prefixListId === b.prefixListId
}

function peerOf (rule: Peer): string {
  return rule.cidrIpv4 ?? rule.cidrIpv6 ?? rule.referencedGroupId ?? rule.prefixListId ?? ''
}

function rangeText ({ ipProtocol, fromPort, toPort }: SecurityGroupRule): string {
  if (ipProtocol === String(ANY)) return 'ALL'
  if (fromPort === null) return `protocol ${ipProtocol}`
  return `${ipProtocol.toUpperCase()}, from port: ${String(fromPort)}, to port: ${String(toPort)}`
}
