/**
 * Network ACL: record, associations, entries. AWS VPC User Guide, "Control subnet traffic with
 * network access control lists".
 *
 * Every subnet has exactly one ACL: the one it is associated with, else the default ACL of its VPC.
 * Only explicit associations are stored. An implicit one has an id too, since
 * ReplaceNetworkAclAssociation starts from it: `aclassoc-` and the digits of the subnet's id.
 */
import { AwsError } from './aws_error.ts'
import { formatCidr, parseCidr } from './cidr.ts'
import type { AddressFamily } from './cidr.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView, Change, Snapshot } from './snapshot.ts'

export interface NetworkAclEntry {
  /** 1..32766; the final `*` rule is 32767 (IPv4) or 32768 (IPv6) and is not stored. */
  readonly ruleNumber: number
  readonly isEgress: boolean
  readonly action: 'allow' | 'deny'
  /** IP protocol number, or -1 for all. */
  readonly protocol: number
  readonly cidrBlock: string | null
  readonly ipv6CidrBlock: string | null
  readonly icmpType: number | null
  readonly icmpCode: number | null
  readonly portFrom: number | null
  readonly portTo: number | null
}

export interface NetworkAcl extends OwnedRecord {
  readonly vpcId: string
  readonly isDefault: boolean
  readonly entries: readonly NetworkAclEntry[]
  /** Explicit associations; a subnet without one belongs to the default ACL. */
  readonly associations: readonly NetworkAclAssociation[]
}

export interface NetworkAclAssociation {
  /** `aclassoc-…` */
  readonly id: string
  readonly subnetId: string
}

/** `protocol` of an entry that is about every protocol. */
export const NETWORK_ACL_PROTOCOL_ALL = -1

/** Rule numbers of the default ACL's "allow all" for each family. */
const DEFAULT_RULE_NUMBER_IPV4 = 100
const DEFAULT_RULE_NUMBER_IPV6 = 101

function allowAll (ruleNumber: number, isEgress: boolean, cidrBlock: string | null,
  ipv6CidrBlock: string | null): NetworkAclEntry {
  return {
    ruleNumber, isEgress, action: 'allow', protocol: -1, cidrBlock, ipv6CidrBlock,
    icmpType: null, icmpCode: null, portFrom: null, portTo: null
  }
}

/**
 * The default ACL of a new VPC: allows all IPv4 both ways. `withIpv6Entries` adds IPv6 when the VPC
 * has a block.
 */
export function defaultNetworkAcl (vpcId: string, view: AccountView,
  context: PlanContext): NetworkAcl {
  return {
    id: context.newId('acl'), region: view.region, ownerId: view.accountId, tags: {},
    vpcId, isDefault: true, associations: [],
    entries: [
      allowAll(DEFAULT_RULE_NUMBER_IPV4, true, '0.0.0.0/0', null),
      allowAll(DEFAULT_RULE_NUMBER_IPV4, false, '0.0.0.0/0', null)
    ]
  }
}

/**
 * An ACL as AWS changes it when its VPC gets an IPv6 block: the default ACL gains rule 101, all
 * IPv6 both ways, when its entries are still those it was born with; every other ACL stays as it
 * is.
 */
export function withIpv6Entries (acl: NetworkAcl): NetworkAcl {
  const unmodified = acl.isDefault && acl.entries.length === 2 && acl.entries.every((entry) =>
    entry.ruleNumber === DEFAULT_RULE_NUMBER_IPV4 && entry.action === 'allow' &&
    entry.protocol === -1 && entry.cidrBlock === '0.0.0.0/0')
  if (!unmodified) return acl
  return {
    ...acl,
    entries: [
      ...acl.entries,
      allowAll(DEFAULT_RULE_NUMBER_IPV6, true, null, '::/0'),
      allowAll(DEFAULT_RULE_NUMBER_IPV6, false, null, '::/0')
    ]
  }
}

/** The ACL that a subnet belongs to; undefined while its VPC is being taken down. */
export function networkAclOfSubnet (
  snapshot: Snapshot, subnet: { readonly id: string, readonly vpcId: string }
): NetworkAcl | undefined {
  const acls = snapshot.tables.networkAcl.by('vpcId', subnet.vpcId)
  return acls.find(({ associations }) => associations.some(({ subnetId }) =>
    subnetId === subnet.id)) ?? acls.find(({ isDefault }) => isDefault)
}

/** The ACL without its association with a subnet; the ACL itself when there is none. */
function withoutSubnetAssociation (acl: NetworkAcl, subnetId: string): NetworkAcl {
  const associations = acl.associations.filter((association) => association.subnetId !== subnetId)
  return associations.length === acl.associations.length ? acl : { ...acl, associations }
}

/** All associations of an ACL, the default ACL's implicit ones included. */
export function associationsOf (snapshot: Snapshot,
  acl: NetworkAcl): readonly NetworkAclAssociation[] {
  if (!acl.isDefault) return acl.associations
  const explicit = new Set<string>()
  for (const other of snapshot.tables.networkAcl.by('vpcId', acl.vpcId)) {
    for (const { subnetId } of other.associations) explicit.add(subnetId)
  }
  const implicit = snapshot.tables.subnet.by('vpcId', acl.vpcId).filter(({ id }) =>
    !explicit.has(id))
    .map(({ id }) => ({ id: id.replace(/^subnet-/, 'aclassoc-'), subnetId: id }))
  return [...acl.associations, ...implicit]
}

/**
 * CreateNetworkAcl: denies everything until entries allow it.
 * @returns the id of the new ACL
 * @throws AwsError InvalidVpcID.*, NetworkAclLimitExceeded
 */
export function planCreateNetworkAcl (view: AccountView,
  input: { readonly vpcId: string, readonly tags: Tags },
  context: PlanContext): Plan<string> {
  const vpc = requireRecord(view, 'vpc', input.vpcId)
  checkQuota(view.snapshot, 'network-acls-per-vpc', view.by('networkAcl', 'vpcId', vpc.id).length +
    1)
  const acl: NetworkAcl = {
    id: context.newId('acl'), region: view.region, ownerId: view.accountId, tags: input.tags,
    vpcId: vpc.id, isDefault: false, entries: [], associations: []
  }
  return { changes: [put('networkAcl', acl)], result: acl.id }
}

/**
 * DeleteNetworkAcl.
 * @throws AwsError InvalidNetworkAclID.NotFound, InvalidParameterValue (default),
 *   DependencyViolation
 */
export function planDeleteNetworkAcl (view: AccountView,
  input: { readonly networkAclId: string }): Plan<null> {
  const acl = requireRecord(view, 'networkAcl', input.networkAclId)
  if (acl.isDefault) {
    throw new AwsError('InvalidParameterValue', `cannot delete default network ACL ${acl.id}`)
  }
  if (acl.associations.length > 0) {
    throw new AwsError('DependencyViolation',
      `The networkAcl '${acl.id}' has dependencies and cannot be deleted: ` +
      `it is associated with ${acl.associations.map(({ subnetId }) => subnetId).join(', ')}`)
  }
  return { changes: [remove('networkAcl', acl.id)], result: null }
}

/**
 * ReplaceNetworkAclAssociation: a subnet moves to another ACL of its VPC.
 * @returns the id of the new association
 * @throws AwsError InvalidAssociationID.NotFound, InvalidNetworkAclID.NotFound,
 *   InvalidParameterValue (another VPC)
 */
export function planReplaceNetworkAclAssociation (view: AccountView,
  input: { readonly associationId: string, readonly networkAclId: string },
  context: PlanContext): Plan<string> {
  const to = requireRecord(view, 'networkAcl', input.networkAclId)
  const from = view.list('networkAcl').find((acl) =>
    associationsOf(view.snapshot, acl).some(({ id }) => id === input.associationId))
  const association = from === undefined
    ? undefined
    : associationsOf(view.snapshot, from).find(({ id }) => id === input.associationId)
  if (from === undefined || association === undefined) {
    throw new AwsError('InvalidAssociationID.NotFound',
      `The association ID '${input.associationId}' does not exist`)
  }
  if (from.vpcId !== to.vpcId) {
    throw new AwsError('InvalidParameterValue', `network ACL ${to.id} (${to.vpcId}) and subnet ` +
      `${association.subnetId} (${from.vpcId}) belong to different networks`)
  }
  const moved = { id: context.newId('aclassoc'), subnetId: association.subnetId }
  const left = withoutSubnetAssociation(from, association.subnetId)
  const target = from.id === to.id ? left : to
  const changes: Change[] =
    [put('networkAcl', { ...target, associations: [...target.associations, moved] })]
  if (left !== from && from.id !== to.id) changes.push(put('networkAcl', left))
  return { changes, result: moved.id }
}

/** An entry as a call gives it. */
export type EntryInput = Omit<NetworkAclEntry, 'action' | 'protocol'> & {
  readonly action: string
  readonly protocol: string
}

const RULE_NUMBER_MAX = 32_766
const PROTOCOL_MAX = 255
const PORT_MAX = 65_535
/** Types and codes; -1 for all. */
const ICMP_MIN = -1
const ICMP_MAX = 255
const PROTOCOL_NUMBERS: Readonly<Record<string,
  number>> = { all: -1, icmp: 1, tcp: 6, udp: 17, icmpv6: 58 }
const TCP = 6
const UDP = 17
const ICMP = 1
const ICMPV6 = 58

/**
 * CreateNetworkAclEntry.
 * @throws AwsError InvalidNetworkAclID.NotFound, NetworkAclEntryAlreadyExists,
 *   NetworkAclEntryLimitExceeded, InvalidParameterValue, MissingParameter,
 *   InvalidParameterCombination
 */
export function planCreateNetworkAclEntry (view: AccountView,
  input: { readonly networkAclId: string, readonly entry: EntryInput }): Plan<null> {
  const acl = requireRecord(view, 'networkAcl', input.networkAclId)
  const entry = checkEntry(input.entry)
  if (findEntry(acl, entry) !== undefined) {
    throw new AwsError('NetworkAclEntryAlreadyExists',
      `The network acl entry identified by ${entry.ruleNumber} ` +
      `already exists in ${acl.id} for ${entry.isEgress ? 'egress' : 'ingress'}.`)
  }
  return withEntries(view, acl, [...acl.entries, entry], entry)
}

/**
 * ReplaceNetworkAclEntry.
 * @throws AwsError as planCreateNetworkAclEntry; InvalidNetworkAclEntry.NotFound
 */
export function planReplaceNetworkAclEntry (view: AccountView,
  input: { readonly networkAclId: string, readonly entry: EntryInput }): Plan<null> {
  const acl = requireRecord(view, 'networkAcl', input.networkAclId)
  const entry = checkEntry(input.entry)
  const old = requireEntry(acl, entry)
  return withEntries(view, acl, acl.entries.map((one) => one === old ? entry : one), entry)
}

/** An ACL with `entries`, of which `entry` is new; the quota is one of its direction and family. */
function withEntries (view: AccountView, acl: NetworkAcl, entries: readonly NetworkAclEntry[],
  entry: NetworkAclEntry): Plan<null> {
  const isIpv6 = entry.ipv6CidrBlock !== null
  const alike = entries.filter((other) => other.isEgress === entry.isEgress &&
    (other.ipv6CidrBlock !== null) === isIpv6)
  checkQuota(view.snapshot, 'rules-per-network-acl', alike.length)
  return { changes: [put('networkAcl', { ...acl, entries })], result: null }
}

/**
 * DeleteNetworkAclEntry.
 * @throws AwsError InvalidNetworkAclID.NotFound, InvalidNetworkAclEntry.NotFound
 */
export function planDeleteNetworkAclEntry (view: AccountView,
  input: EntryKey & { readonly networkAclId: string }): Plan<null> {
  const acl = requireRecord(view, 'networkAcl', input.networkAclId)
  checkRuleNumber(input.ruleNumber)
  const old = requireEntry(acl, input)
  return { changes: [put('networkAcl',
    { ...acl, entries: acl.entries.filter((one) => one !== old) })], result: null }
}

type EntryKey = Pick<NetworkAclEntry, 'ruleNumber' | 'isEgress'>

function findEntry (acl: NetworkAcl, key: EntryKey): NetworkAclEntry | undefined {
  return acl.entries.find((one) => one.ruleNumber === key.ruleNumber &&
    one.isEgress === key.isEgress)
}

function requireEntry (acl: NetworkAcl, key: EntryKey): NetworkAclEntry {
  const found = findEntry(acl, key)
  if (found !== undefined) return found
  throw new AwsError('InvalidNetworkAclEntry.NotFound',
    `The network acl entry identified by ${key.ruleNumber} ` +
    `does not exist in ${acl.id} for ${key.isEgress ? 'egress' : 'ingress'}.`)
}

function checkRuleNumber (ruleNumber: number): void {
  if (ruleNumber >= 1 && ruleNumber <= RULE_NUMBER_MAX) return
  throw new AwsError('InvalidParameterValue',
    `Invalid value '${ruleNumber}' for ruleNumber; expecting 1 to ${RULE_NUMBER_MAX}`)
}

function checkEntry (input: EntryInput): NetworkAclEntry {
  checkRuleNumber(input.ruleNumber)
  if (input.action !== 'allow' && input.action !== 'deny') {
    throw new AwsError('InvalidParameterValue',
      `Invalid value '${input.action}' for ruleAction; expecting allow or deny`)
  }
  if ((input.cidrBlock === null) === (input.ipv6CidrBlock === null)) {
    throw new AwsError(input.cidrBlock === null ? 'MissingParameter'
      : 'InvalidParameterCombination',
      'The request must contain exactly one of cidrBlock, ipv6CidrBlock')
  }
  const protocol = checkProtocol(input.protocol)
  return {
    ...checkRange(protocol, input.ipv6CidrBlock !== null, input),
    ruleNumber: input.ruleNumber, isEgress: input.isEgress, action: input.action, protocol,
    cidrBlock: checkCidr(input.cidrBlock, 4), ipv6CidrBlock: checkCidr(input.ipv6CidrBlock, 6)
  }
}

function checkProtocol (text: string): number {
  const number = PROTOCOL_NUMBERS[text.toLowerCase()] ??
    (/^(-1|[0-9]{1,3})$/.test(text) ? Number(text) : Number.NaN)
  if (number >= -1 && number <= PROTOCOL_MAX) return number
  throw new AwsError('InvalidParameterValue',
    `Invalid value '${text}' for protocol; expecting an IP protocol number, 0 ` +
    `to ${PROTOCOL_MAX}, or -1 for all`)
}

type EntryRange = Pick<NetworkAclEntry, 'icmpType' | 'icmpCode' | 'portFrom' | 'portTo'>

/**
 * Ports for TCP and UDP, type and code for ICMP; what does not belong to the protocol is dropped,
 * as EC2 does. ICMPv6 of an IPv4 block has neither type nor code: EC2 API Reference,
 * CreateNetworkAclEntry, Protocol.
 */
function checkRange (protocol: number, isIpv6: boolean,
  { icmpType, icmpCode, portFrom, portTo }: EntryRange): EntryRange {
  const none: EntryRange = { icmpType: null, icmpCode: null, portFrom: null, portTo: null }
  if (protocol === ICMP || (protocol === ICMPV6 && isIpv6)) {
    if (icmpType === null || icmpCode === null) {
      throw new AwsError('MissingParameter',
        'The request must contain the parameter icmpTypeCode: type and code')
    }
    for (const value of [icmpType, icmpCode]) {
      if (value >= ICMP_MIN && value <= ICMP_MAX) continue
      throw new AwsError('InvalidParameterValue', `Invalid value '${value}' for icmpTypeCode; ` +
        `expecting ${ICMP_MIN} to ${ICMP_MAX}`)
    }
    return { ...none, icmpType, icmpCode }
  }
  if (protocol !== TCP && protocol !== UDP) return none
  if (portFrom === null || portTo === null) {
    throw new AwsError('MissingParameter',
      'The request must contain the parameter portRange: from and to')
  }
  if (portFrom < 0 || portTo > PORT_MAX || portFrom > portTo) {
    throw new AwsError('InvalidParameterValue',
      `Invalid port range ${portFrom}-${portTo}; expecting ` +
      `from <= to within 0 to ${PORT_MAX}`)
  }
  return { ...none, portFrom, portTo }
}

function checkCidr (text: string | null, family: AddressFamily): string | null {
  if (text === null) return null
  const cidr = parseCidr(text)
  if (cidr?.family === family) return formatCidr(cidr)
  throw new AwsError('InvalidParameterValue',
    `CIDR block ${text} is malformed: expecting an IPv${family} block`)
}
