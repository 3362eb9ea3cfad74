/** EC2 actions on network ACLs. Rules: model/network_acl.ts. */
import type {
  CreateNetworkAclEntryRequest, CreateNetworkAclRequest, CreateNetworkAclResult,
  DeleteNetworkAclEntryRequest, DeleteNetworkAclRequest, DescribeNetworkAclsRequest,
  DescribeNetworkAclsResult, NetworkAcl as NetworkAclOutput, NetworkAclEntry as EntryOutput,
  ReplaceNetworkAclAssociationRequest, ReplaceNetworkAclAssociationResult,
  ReplaceNetworkAclEntryRequest
} from '@aws-sdk/client-ec2'
import {
  associationsOf, planCreateNetworkAcl, planCreateNetworkAclEntry, planDeleteNetworkAcl,
  planDeleteNetworkAclEntry, planReplaceNetworkAclAssociation, planReplaceNetworkAclEntry
} from '../../../model/network_acl.ts'
import type { EntryInput, NetworkAcl, NetworkAclEntry } from '../../../model/network_acl.ts'
import { requireRecord } from '../../../model/resource_kind.ts'
import type { AccountView } from '../../../model/snapshot.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action } from '../action.ts'
import { describeRecords } from '../describe.ts'
import type { FilterTable } from '../describe.ts'

const createNetworkAcl = defineWrite<CreateNetworkAclRequest, string, CreateNetworkAclResult>({
  name: 'CreateNetworkAcl',
  plan: (view, { VpcId = '', TagSpecifications }, context) => planCreateNetworkAcl(view,
    { vpcId: VpcId, tags: tagsFromSpecifications(TagSpecifications, 'network-acl') }, context),
  print: (view, id) =>
    ({ NetworkAcl: printNetworkAcl(view, requireRecord(view, 'networkAcl', id)) })
})

const deleteNetworkAcl = defineWrite<DeleteNetworkAclRequest, null, object>({
  name: 'DeleteNetworkAcl',
  plan: (view, { NetworkAclId = '' }) => planDeleteNetworkAcl(view, { networkAclId: NetworkAclId }),
  print: () => ({})
})

function entryFromInput (
  input: CreateNetworkAclEntryRequest | ReplaceNetworkAclEntryRequest): EntryInput {
  return {
    ruleNumber: input.RuleNumber ?? 0, isEgress: input.Egress ?? false, action: input.RuleAction ??
      '', protocol: input.Protocol ?? '',
    cidrBlock: input.CidrBlock ?? null, ipv6CidrBlock: input.Ipv6CidrBlock ?? null,
    icmpType: input.IcmpTypeCode?.Type ?? null, icmpCode: input.IcmpTypeCode?.Code ?? null,
    portFrom: input.PortRange?.From ?? null, portTo: input.PortRange?.To ?? null
  }
}

const createNetworkAclEntry = defineWrite<CreateNetworkAclEntryRequest, null, object>({
  name: 'CreateNetworkAclEntry',
  plan: (view, input) => planCreateNetworkAclEntry(view,
  { networkAclId: input.NetworkAclId ?? '', entry: entryFromInput(input) }),
  print: () => ({})
})

const replaceNetworkAclEntry = defineWrite<ReplaceNetworkAclEntryRequest, null, object>({
  name: 'ReplaceNetworkAclEntry',
  plan: (view, input) => planReplaceNetworkAclEntry(view,
  { networkAclId: input.NetworkAclId ?? '', entry: entryFromInput(input) }),
  print: () => ({})
})

const deleteNetworkAclEntry = defineWrite<DeleteNetworkAclEntryRequest, null, object>({
  name: 'DeleteNetworkAclEntry',
  plan: (view, { NetworkAclId = '', RuleNumber = 0, Egress = false }) =>
    planDeleteNetworkAclEntry(view,
    { networkAclId: NetworkAclId, ruleNumber: RuleNumber, isEgress: Egress }),
  print: () => ({})
})

const replaceNetworkAclAssociation =
  defineWrite<ReplaceNetworkAclAssociationRequest, string, ReplaceNetworkAclAssociationResult>({
    name: 'ReplaceNetworkAclAssociation',
    plan: (view, { AssociationId = '', NetworkAclId = '' }, context) =>
      planReplaceNetworkAclAssociation(view,
      { associationId: AssociationId, networkAclId: NetworkAclId }, context),
    print: (_view, id) => ({ NewAssociationId: id })
  })

/** Numbers of the final rules, which deny and cannot change. */
const FINAL_RULE_IPV4 = 32_767
const FINAL_RULE_IPV6 = 32_768

/**
 * The stored entries and the final `*` rules; the IPv6 one appears once the VPC has an IPv6 block.
 */
function entriesOf (view: AccountView, acl: NetworkAcl): readonly NetworkAclEntry[] {
  const hasIpv6 = (view.get('vpc', acl.vpcId)?.ipv6CidrBlocks.length ?? 0) > 0
  const finals: NetworkAclEntry[] = []
  for (const isEgress of [true, false]) {
    const deny = {
      isEgress, action: 'deny', protocol: -1, icmpType: null, icmpCode: null, portFrom: null,
      portTo: null
    } as const
    finals.push({ ...deny, ruleNumber: FINAL_RULE_IPV4, cidrBlock: '0.0.0.0/0',
      ipv6CidrBlock: null })
    if (hasIpv6) finals.push({ ...deny, ruleNumber: FINAL_RULE_IPV6, cidrBlock: null,
      ipv6CidrBlock: '::/0' })
  }
  return [...acl.entries, ...finals].sort((a, b) => Number(b.isEgress) - Number(a.isEgress) ||
    a.ruleNumber - b.ruleNumber)
}

function printEntry (entry: NetworkAclEntry): EntryOutput {
  return {
    RuleNumber: entry.ruleNumber, Egress: entry.isEgress, RuleAction: entry.action,
    Protocol: String(entry.protocol),
    CidrBlock: entry.cidrBlock ?? undefined, Ipv6CidrBlock: entry.ipv6CidrBlock ?? undefined,
    IcmpTypeCode: entry.icmpType === null ? undefined
      : { Type: entry.icmpType, Code: entry.icmpCode ?? undefined },
    PortRange: entry.portFrom === null ? undefined
      : { From: entry.portFrom, To: entry.portTo ?? undefined }
  }
}

function printNetworkAcl (view: AccountView, acl: NetworkAcl): NetworkAclOutput {
  return {
    NetworkAclId: acl.id, VpcId: acl.vpcId, OwnerId: acl.ownerId, IsDefault: acl.isDefault,
    Associations: associationsOf(view.snapshot, acl).map(({ id, subnetId }) =>
      ({ NetworkAclAssociationId: id, NetworkAclId: acl.id, SubnetId: subnetId })),
    Entries: entriesOf(view, acl).map(printEntry),
    Tags: printTags(acl.tags)
  }
}

/** EC2 API Reference, DescribeNetworkAcls: all filters. */
const FILTERS: FilterTable<NetworkAcl> = {
  'association.association-id': (acl, view) =>
    associationsOf(view.snapshot, acl).map(({ id }) => id),
  'association.network-acl-id': (acl, view) => associationsOf(view.snapshot, acl).length > 0
    ? acl.id : undefined,
  'association.subnet-id': (acl, view) =>
    associationsOf(view.snapshot, acl).map(({ subnetId }) => subnetId),
  default: ({ isDefault }) => isDefault,
  'entry.cidr': (acl, view) => entriesOf(view, acl).map(({ cidrBlock }) => cidrBlock),
  'entry.egress': (acl, view) => entriesOf(view, acl).map(({ isEgress }) => isEgress),
  'entry.icmp.code': (acl, view) => entriesOf(view, acl).map(({ icmpCode }) => icmpCode),
  'entry.icmp.type': (acl, view) => entriesOf(view, acl).map(({ icmpType }) => icmpType),
  'entry.ipv6-cidr': (acl, view) => entriesOf(view, acl).map(({ ipv6CidrBlock }) => ipv6CidrBlock),
  'entry.port-range.from': (acl, view) => entriesOf(view, acl).map(({ portFrom }) => portFrom),
  'entry.port-range.to': (acl, view) => entriesOf(view, acl).map(({ portTo }) => portTo),
  'entry.protocol': (acl, view) => entriesOf(view, acl).map(({ protocol }) => protocol),
  'entry.rule-action': (acl, view) => entriesOf(view, acl).map(({ action }) => action),
  'entry.rule-number': (acl, view) => entriesOf(view, acl).map(({ ruleNumber }) => ruleNumber),
  'network-acl-id': ({ id }) => id,
  'owner-id': ({ ownerId }) => ownerId,
  'vpc-id': ({ vpcId }) => vpcId
}

const describeNetworkAcls = defineRead<DescribeNetworkAclsRequest, DescribeNetworkAclsResult>({
  name: 'DescribeNetworkAcls',
  read: (view, input) => {
    const page = describeRecords(view, 'networkAcl', 'NetworkAclIds', input.NetworkAclIds, input,
      FILTERS)
    return { NetworkAcls: page.items.map((acl) => printNetworkAcl(view, acl)),
      NextToken: page.nextToken }
  }
})

export const networkAclActions: readonly Action[] = [
  createNetworkAcl, deleteNetworkAcl, describeNetworkAcls,
  createNetworkAclEntry, replaceNetworkAclEntry, deleteNetworkAclEntry, replaceNetworkAclAssociation
]
