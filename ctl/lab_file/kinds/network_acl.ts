/** Network ACLs: rules by number, in two directions. Subnets say which one they are under. */
import type { NetworkAcl, NetworkAclEntry } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { QueryInput } from '../../ec2_query.ts'
import { canonicalCidr } from '../address.ts'
import { canonicalJson } from '../resource.ts'
import {
  checkMatcher, cidr, DEFAULT_ACL, matcher, matcherFrom, type MatcherText, matcherText, tags
} from '../schema_parts.ts'
import type { Session } from '../session.ts'
import type { Change, LabKind } from './kind.ts'

const aclEntry = z.strictObject({ ...matcher, action: z.enum(['allow', 'deny']), cidr })
  .superRefine(checkMatcher)

const aclEntries = z.record(z.string().regex(/^\d{1,5}$/, 'a rule is named by its number, 1 to ' +
  '32766'), aclEntry).describe('All rules of this direction by number.')

export const networkAclSchema = z.strictObject({
  ingress: aclEntries.optional(), egress: aclEntries.optional(), tags: tags.optional()
})

/** One rule. */
interface AclEntry {
  readonly action: string
  /** A number as text, -1 for all. */
  readonly protocol: string
  /** Ports, or type and code of ICMP; -1 for all. */
  readonly from: number
  readonly to: number
  readonly cidr: string
}

type AclEntries = Readonly<Record<string, AclEntry>>

const ALLOW_ALL: AclEntry = { action: 'allow', protocol: '-1', from: -1, to: -1, cidr: '0.0.0.0/0' }
/** The number of the last rule, which denies what none before it matched. */
const LAST_RULE = 32_767

export const NETWORK_ACL: LabKind<NetworkAcl> = {
  section: 'network-acls',
  place: 'vpc',
  word: 'network ACL',
  order: 3,
  goes: 'last',
  born: DEFAULT_ACL,
  changed: 'between',
  created: { ingress: {}, egress: {}, tags: {} },
  immutable: [],
  lost: 'its id',
  normal: ({ ingress, egress, ...part }) => ({
    ...part,
    ...ingress === undefined ? {} : { ingress: entriesOf(ingress) },
    ...egress === undefined ? {} : { egress: entriesOf(egress) }
  }),
  list: ({ ec2 }) => ec2.all('DescribeNetworkAcls', {}, (page) => page.NetworkAcls),
  identify: ({ NetworkAclId: id = '', VpcId: vpcId, Tags: tags, IsDefault: isBorn = false }) =>
    ({ id, vpcId, tags, isBorn }),
  read (acl) {
    const side = (egress: boolean): AclEntries =>
      Object.fromEntries((acl.Entries ?? [])
        .filter(({ Egress, RuleNumber = 0 }) => Egress === egress && RuleNumber < LAST_RULE)
        .map((entry) => [String(entry.RuleNumber), readEntry(entry)]))
    return { ingress: side(false), egress: side(true) }
  },
  write: ({ ingress, egress, ...fields }) => ({
    ...ingress === undefined ? {} : { ingress: writeEntries(ingress as AclEntries) },
    ...egress === undefined ? {} : { egress: writeEntries(egress as AclEntries) },
    ...fields
  }),
  bornFields (hasIpv6) {
    const entries = {
      100: ALLOW_ALL, ...hasIpv6 ? { 101: { ...ALLOW_ALL, cidr: '::/0' } } : {}
    }
    return { tags: {}, ingress: entries, egress: entries }
  },
  async create (session, resource) {
    const { NetworkAcl } = await session.ec2.call('CreateNetworkAcl',
      { VpcId: session.vpcId(resource), ...session.tagsFor('network-acl', resource) })
    return NetworkAcl?.NetworkAclId
  },
  changes: { ingress: changeEntries(false), egress: changeEntries(true) },
  async remove (session, live) {
    const { ec2 } = session
    const { NetworkAcls } = await ec2.call('DescribeNetworkAcls', { NetworkAclId: [live.id] })
    for (const { SubnetId = '' } of NetworkAcls?.[0]?.Associations ?? []) {
      await moveToAcl(session, SubnetId, session.id('network-acl', live.vpc, DEFAULT_ACL))
    }
    await ec2.call('DeleteNetworkAcl', { NetworkAclId: live.id })
  }
}

/** Puts a subnet under an ACL: there is always one that it is under. */
export async function moveToAcl ({ ec2 }: Session, subnetId: string,
  NetworkAclId: string): Promise<void> {
  const acls = await ec2.all('DescribeNetworkAcls',
    { Filter: [{ Name: 'association.subnet-id', Value: [subnetId] }] }, (page) => page.NetworkAcls)
  const AssociationId = acls.flatMap(({ Associations }) => Associations ?? [])
    .find(({ SubnetId }) => SubnetId === subnetId)?.NetworkAclAssociationId
  await ec2.call('ReplaceNetworkAclAssociation', { AssociationId, NetworkAclId })
}

function entriesOf (part: unknown): AclEntries {
  const given = part as Readonly<Record<string, MatcherText & { action: string, cidr: string }>>
  return Object.fromEntries(Object.entries(given).map(([number, entry]) => {
    const { protocol, from, to } = matcherFrom(entry)
    return [number, {
      action: entry.action, protocol: String(protocol), from, to, cidr: canonicalCidr(entry.cidr)
    }]
  }))
}

function readEntry (entry: NetworkAclEntry): AclEntry {
  return {
    action: entry.RuleAction ?? 'deny',
    protocol: entry.Protocol ?? '-1',
    from: entry.PortRange?.From ?? entry.IcmpTypeCode?.Type ?? -1,
    to: entry.PortRange?.To ?? entry.IcmpTypeCode?.Code ?? -1,
    cidr: canonicalCidr(entry.CidrBlock ?? entry.Ipv6CidrBlock ?? '::/0')
  }
}

function writeEntries (entries: AclEntries): object {
  return Object.fromEntries(Object.entries(entries).map(([number, entry]) =>
    [number, { ...matcherText(entry), action: entry.action, cidr: entry.cidr }]))
}

function changeEntries (Egress: boolean): Change {
  return async ({ ec2 }, { id }, { from, to }) => {
    const before = (from ?? {}) as AclEntries
    const after = to as AclEntries
    const entry = (number: string): QueryInput =>
      ({ NetworkAclId: id, RuleNumber: Number(number), Egress })
    for (const number of Object.keys(before)) {
      if (after[number] === undefined) await ec2.call('DeleteNetworkAclEntry', entry(number))
    }
    for (const [number, wanted] of Object.entries(after)) {
      const old = before[number]
      if (canonicalJson(old) === canonicalJson(wanted)) continue
      await ec2.call(old === undefined ? 'CreateNetworkAclEntry' : 'ReplaceNetworkAclEntry',
        { ...entry(number), ...entryInput(wanted) })
    }
  }
}

const ICMP_NUMBERS: ReadonlySet<string> = new Set(['1', '58'])

function entryInput ({ action, protocol, from, to, cidr }: AclEntry): QueryInput {
  return {
    RuleAction: action,
    Protocol: protocol,
    ...cidr.includes(':') ? { Ipv6CidrBlock: cidr } : { CidrBlock: cidr },
    ...ICMP_NUMBERS.has(protocol)
      ? { Icmp: { Type: from, Code: to } }
      : from === -1 ? {} : { PortRange: { From: from, To: to } }
  }
}
