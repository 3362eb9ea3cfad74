/**
 * Security groups. A rule in a file may have several peers; here it is one rule for each, which is
 * a block, a group of the VPC by its name, or a group of a peered VPC as `vpc/name`.
 */
import type { IpPermission, SecurityGroup, UserIdGroupPair } from '@aws-sdk/client-ec2'
import { isIP } from 'node:net'
import { z } from 'zod'
import type { QueryInput } from '../../ec2_query.ts'
import { canonicalCidr } from '../address.ts'
import { canonicalJson, type LiveResource, sortedText, splitPath } from '../resource.ts'
import {
  checkMatcher, DEFAULT_GROUP, matcher, matcherFrom, type MatcherText, matcherText,
  PROTOCOL_NUMBERS, tags
} from '../schema_parts.ts'
import type { Session } from '../session.ts'
import type { Agreement, Change, LabKind, LabReader } from './kind.ts'

const peers = z.union([z.string(), z.array(z.string()).min(1)])
  .transform((peer) => typeof peer === 'string' ? [peer] : peer)
  .describe('Blocks of addresses, names of security groups of the VPC, vpc/name of a peered one.')
const ruleDescription = z.string().max(255).optional()
const ingressRule =
  z.strictObject({ ...matcher, from: peers, description: ruleDescription })
    .superRefine(checkMatcher)
const egressRule =
  z.strictObject({ ...matcher, to: peers, description: ruleDescription })
    .superRefine(checkMatcher)

export const securityGroupSchema = z.strictObject({
  description: z.string().min(1).max(255).optional(),
  ingress: z.array(ingressRule).optional().describe('All inbound rules.'),
  egress: z.array(egressRule).optional().describe('All outbound rules.'),
  tags: tags.optional()
})

/** As a file has it: `from` when it is inbound, `to` when it is outbound. */
interface RuleText extends MatcherText {
  readonly from?: readonly string[] | undefined
  readonly to?: readonly string[] | undefined
  readonly description?: string | undefined
}

/** One rule for one peer. */
export interface Rule {
  readonly protocol: string
  /** Ports, or type and code of ICMP; -1 for all. */
  readonly from: number
  readonly to: number
  readonly peer: string
  readonly description: string
}

const DIRECTIONS = [['ingress', 'from'], ['egress', 'to']] as const
const EVERYTHING: Omit<Rule, 'peer'> = { protocol: '-1', from: -1, to: -1, description: '' }

const sameRules: Agreement = (wanted, live) =>
  sortedText(wanted as readonly Rule[]) === sortedText(live as readonly Rule[])

export const SECURITY_GROUP: LabKind<SecurityGroup> = {
  section: 'security-groups',
  place: 'vpc',
  word: 'security group',
  order: 3,
  goes: 'last',
  born: DEFAULT_GROUP,
  changed: 'between',
  created: {
    ingress: [], egress: [{ ...EVERYTHING, peer: '0.0.0.0/0' }], tags: {}
  },
  immutable: [],
  lost: 'its id',
  agrees: { ingress: sameRules, egress: sameRules },
  refusal: ({ field }) => field === 'description'
    ? 'which EC2 cannot change: leave the description as it is, or give the group another name'
    : undefined,
  normal: (part) => ({
    ...part,
    ...Object.fromEntries(DIRECTIONS.flatMap(([direction]) => part[direction] === undefined
      ? []
      : [[direction, (part[direction] as readonly RuleText[]).flatMap(rulesOf)]]))
  }),
  references (part, refer) {
    for (const [direction, side] of DIRECTIONS) {
      const rules = part[direction] as readonly RuleText[] | undefined ?? []
      for (const [index, rule] of rules.entries()) {
        for (const [peerIndex, peer] of [rule[side] ?? []].flat().entries()) {
          if (isBlock(peer)) continue
          const at = [direction, index, side, peerIndex]
          if (peer.includes('/')) refer.byPath('security-group', peer, ...at)
          else refer.to('security-group', peer, ...at)
        }
      }
    }
  },
  list: ({ ec2 }) => ec2.all('DescribeSecurityGroups', {}, (page) => page.SecurityGroups),
  identify: ({ GroupId: id = '', VpcId: vpcId, Tags: tags, GroupName: name = '' }) =>
    ({ id, vpcId, tags, name, isBorn: name === DEFAULT_GROUP }),
  read: (group, lab) => ({
    description: group.Description ?? '',
    ingress: (group.IpPermissions ?? []).flatMap((one) => readRules(group, one, lab)),
    egress: (group.IpPermissionsEgress ?? []).flatMap((one) => readRules(group, one, lab))
  }),
  write: (fields) => ({
    ...fields,
    ...Object.fromEntries(DIRECTIONS.flatMap(([direction, side]) => fields[direction] === undefined
      ? []
      : [[direction, (fields[direction] as readonly Rule[]).map((rule) => ({
          ...matcherText(rule),
          [side]: rule.peer,
          ...rule.description === '' ? {} : { description: rule.description }
        }))]]))
  }),
  without: (fields, isMissing) => ({
    ...fields,
    ...Object.fromEntries(DIRECTIONS.map(([direction]) => [direction,
      (fields[direction] as readonly Rule[]).filter(({ peer }) => {
        const [place, name] = splitPath(peer)
        return isBlock(peer) || place === '' || !isMissing('security-group', name, place)
      })]))
  }),
  bornFields: (hasIpv6) => ({
    tags: {},
    ingress: [{ ...EVERYTHING, peer: DEFAULT_GROUP }],
    egress: ['0.0.0.0/0', ...hasIpv6 ? ['::/0'] : []].map((peer) => ({ ...EVERYTHING, peer }))
  }),
  async create (session, resource) {
    const { GroupId } = await session.ec2.call('CreateSecurityGroup', {
      VpcId: session.vpcId(resource),
      GroupName: resource.name,
      GroupDescription: resource.fields['description'] as string | undefined ?? resource.name,
      ...session.tagsFor('security-group', resource)
    })
    return GroupId
  },
  changes: { ingress: changeRules('Ingress'), egress: changeRules('Egress') },
  prepareRemoval: revokeAll,
  async remove ({ ec2 }, { id }) { await ec2.call('DeleteSecurityGroup', { GroupId: id }) }
}

/** Whether a peer is a block of addresses, not the name of a group. */
export function isBlock (peer: string): boolean { return isIP(splitPath(peer)[0]) !== 0 }

function rulesOf (rule: RuleText): Rule[] {
  const { protocol, from, to } = matcherFrom({
    protocol: rule.protocol, ports: rule.ports, 'icmp-type': rule['icmp-type'],
    'icmp-code': rule['icmp-code']
  })
  return (rule.from ?? rule.to ?? []).map((peer) => ({
    protocol: groupProtocol(protocol),
    from,
    to,
    peer: isBlock(peer) ? canonicalCidr(peer) : peer,
    description: rule.description ?? ''
  }))
}

/** In EC2's form: a name for those that it names, -1 for all. */
function groupProtocol (number: number): string {
  const [name = String(number)] = Object.entries(PROTOCOL_NUMBERS)
    .find(([, known]) => known === number) ?? []
  return name === 'all' ? '-1' : name
}

function readRules (group: SecurityGroup, permission: IpPermission, lab: LabReader): Rule[] {
  const { IpProtocol: protocol = '-1', FromPort: from = -1, ToPort: to = -1 } = permission
  for (const { PrefixListId: list = '' } of permission.PrefixListIds ?? []) {
    lab.unsaid(`the rule for ${list} in ${said(group, lab)}: files have no prefix lists`)
  }
  return [
    ...(permission.IpRanges ?? []).map(({ CidrIp = '', Description = '' }) =>
      ({ peer: CidrIp, description: Description })),
    ...(permission.Ipv6Ranges ?? []).map(({ CidrIpv6 = '', Description = '' }) =>
      ({ peer: canonicalCidr(CidrIpv6), description: Description })),
    ...(permission.UserIdGroupPairs ?? []).flatMap((pair) => {
      const peer = groupPeer(group, pair, lab)
      return peer === null ? [] : [{ peer, description: pair.Description ?? '' }]
    })
  ].map((peer) => ({ protocol, from, to, ...peer }))
}

/** The name of a group that a rule is for; null where a file has none for it. */
function groupPeer (group: SecurityGroup, pair: UserIdGroupPair, lab: LabReader): string | null {
  const { GroupId = '', VpcPeeringConnectionId: peering, PeeringStatus: status } = pair
  if (peering === undefined) return lab.nameOf(GroupId)
  if (status === 'active' && lab.knows(GroupId)) return lab.pathOf(GroupId)
  lab.unsaid(`the rule for ${GroupId} in ${said(group, lab)}: ` + (status === 'active'
    ? 'files know no VPCs of other accounts and Regions, nor the default VPC'
    : `the peering ${peering} is ${status ?? 'gone'}`))
  return null
}

function said ({ GroupName = '', VpcId }: SecurityGroup, lab: LabReader): string {
  return `the security group "${GroupName}" of the VPC "${lab.nameOf(VpcId)}"`
}

function changeRules (direction: 'Ingress' | 'Egress'): Change {
  return async (session, live, { from, to }) => {
    const before = (from ?? []) as readonly Rule[]
    const after = to as readonly Rule[]
    const without = (rules: readonly Rule[], others: readonly Rule[]): Rule[] => {
      const known = new Set(others.map(canonicalJson))
      return rules.filter((rule) => !known.has(canonicalJson(rule)))
    }
    const gone = without(before, after)
    const come = without(after, before)
    const input = (rules: readonly Rule[]): QueryInput => ({
      GroupId: live.id, IpPermissions: rules.map((rule) => permission(session, live, rule))
    })
    if (gone.length > 0) {
      await session.ec2.call(`RevokeSecurityGroup${direction}`, input(gone))
    }
    if (come.length > 0) {
      await session.ec2.call(`AuthorizeSecurityGroup${direction}`, input(come))
    }
  }
}

function permission (session: Session, { vpc }: LiveResource, rule: Rule): QueryInput {
  const Description = rule.description === '' ? undefined : rule.description
  const hasPorts = rule.protocol !== '-1' && (rule.from !== -1 || rule.protocol.startsWith('icmp'))
  return {
    IpProtocol: rule.protocol,
    FromPort: hasPorts ? rule.from : undefined,
    ToPort: hasPorts ? rule.to : undefined,
    ...!isBlock(rule.peer)
      ? { Groups: [{ GroupId: groupId(session, vpc, rule.peer), Description }] }
      : rule.peer.includes(':')
        ? { Ipv6Ranges: [{ CidrIpv6: rule.peer, Description }] }
        : { IpRanges: [{ CidrIp: rule.peer, Description }] }
  }
}

/** Rules that somebody else wrote may name groups without a name by id. */
function groupId (session: Session, vpc: string | null, peer: string): string {
  if (peer.startsWith('sg-')) return peer
  return peer.includes('/')
    ? session.idByPath('security-group', peer)
    : session.id('security-group', vpc, peer)
}

/** Groups that name each other cannot be deleted before one of them forgets the other. */
async function revokeAll ({ ec2 }: Session, { id }: LiveResource): Promise<void> {
  const { SecurityGroups } = await ec2.call('DescribeSecurityGroups', { GroupId: [id] })
  const { IpPermissions = [], IpPermissionsEgress = [] } = SecurityGroups?.[0] ?? {}
  for (const [action, permissions] of [
    ['RevokeSecurityGroupIngress', IpPermissions],
    ['RevokeSecurityGroupEgress', IpPermissionsEgress]
  ] as const) {
    if (permissions.length === 0) continue
    await ec2.call(action, {
      GroupId: id,
      IpPermissions: permissions.map((permission) => ({
        IpProtocol: permission.IpProtocol,
        FromPort: permission.FromPort,
        ToPort: permission.ToPort,
        IpRanges: (permission.IpRanges ?? []).map(({ CidrIp }) => ({ CidrIp })),
        Ipv6Ranges: (permission.Ipv6Ranges ?? []).map(({ CidrIpv6 }) => ({ CidrIpv6 })),
        Groups: (permission.UserIdGroupPairs ?? []).map(({ GroupId }) => ({ GroupId })),
        PrefixListIds: (permission.PrefixListIds ?? []).map(({ PrefixListId }) =>
          ({ PrefixListId }))
      }))
    })
  }
}
