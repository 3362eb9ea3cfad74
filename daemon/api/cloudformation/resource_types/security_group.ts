/**
 * AWS::EC2::SecurityGroup, SecurityGroupIngress and SecurityGroupEgress. CloudFormation Template
 * Reference, "Amazon EC2".
 *
 * A group without SecurityGroupEgress lets everything out, as EC2 makes it; with it, only what it
 * says.
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import type { Json, JsonObject } from '../../../model/stack.ts'
import type { KindMembers, Property } from '../property.ts'
import { TAGS, canonical, inPlace, replaces, required } from '../property.ts'
import type { ResourceCall, ResourceType } from '../resource_type.ts'
import { allowing, text } from '../resource_type.ts'

interface Direction {
  readonly property: string
  readonly authorize: string
  readonly revoke: string
  readonly groupProperty: string
  readonly prefixListProperty: string
}

const INGRESS: Direction = {
  property: 'SecurityGroupIngress', authorize: 'AuthorizeSecurityGroupIngress',
  revoke: 'RevokeSecurityGroupIngress', groupProperty: 'SourceSecurityGroupId',
  prefixListProperty: 'SourcePrefixListId'
}
const EGRESS: Direction = {
  property: 'SecurityGroupEgress', authorize: 'AuthorizeSecurityGroupEgress',
  revoke: 'RevokeSecurityGroupEgress', groupProperty: 'DestinationSecurityGroupId',
  prefixListProperty: 'DestinationPrefixListId'
}

const ALLOW_ALL: JsonObject = { IpProtocol: '-1', CidrIp: '0.0.0.0/0' }
const ALLOW_ALL_IPV6: JsonObject = { IpProtocol: '-1', CidrIpv6: '::/0' }

function ruleKinds ({ groupProperty, prefixListProperty }: Direction): KindMembers {
  return {
    IpProtocol: 'string', FromPort: 'integer', ToPort: 'integer', CidrIp: 'string',
    CidrIpv6: 'string', [groupProperty]: 'string', [prefixListProperty]: 'string',
    Description: 'string'
  }
}

/** A rule of a template as IpPermissions. */
function permissionOf (rule: JsonObject, direction: Direction): object {
  const source = (name: string, key: string, list: string): object => rule[name] === undefined
    ? {}
    : { [list]: [{ [key]: rule[name], Description: rule['Description'] }] }
  return {
    IpProtocol: rule['IpProtocol'], FromPort: rule['FromPort'], ToPort: rule['ToPort'],
    ...source('CidrIp', 'CidrIp', 'IpRanges'),
    ...source('CidrIpv6', 'CidrIpv6', 'Ipv6Ranges'),
    ...source(direction.groupProperty, 'GroupId', 'UserIdGroupPairs'),
    ...source(direction.prefixListProperty, 'PrefixListId', 'PrefixListIds')
  }
}

function rulesOf (properties: JsonObject, direction: Direction): readonly JsonObject[] {
  const usual = direction === EGRESS ? [ALLOW_ALL] : []
  return (properties[direction.property] as readonly JsonObject[] | undefined) ?? usual
}

/** Takes away what was and is not wanted any more, and adds what is missing. */
async function settleRules (call: ResourceCall, GroupId: string, direction: Direction,
  before: readonly JsonObject[]): Promise<void> {
  const key = (rule: Json): string => canonical(rule)
  const wanted = rulesOf(call.properties, direction)
  const there = before.length === 0
    ? rulesOf({}, direction)
    : before.flatMap((properties) => rulesOf(properties, direction))
  const egressSaid = direction === EGRESS && call.properties[EGRESS.property] !== undefined
  const obsolete = new Map([...there, ...egressSaid ? [ALLOW_ALL_IPV6] : []]
    .map((rule) => [key(rule), rule]))
  for (const rule of wanted) obsolete.delete(key(rule))
  for (const rule of obsolete.values()) {
    await allowing(['InvalidPermission.NotFound'],
      call.ec2(direction.revoke, { GroupId, IpPermissions: [permissionOf(rule, direction)] }))
  }
  for (const rule of wanted) {
    await allowing(['InvalidPermission.Duplicate'],
      call.ec2(direction.authorize, { GroupId, IpPermissions: [permissionOf(rule, direction)] }))
  }
}

const securityGroup: ResourceType = {
  name: 'AWS::EC2::SecurityGroup',
  properties: {
    GroupDescription: required(replaces('string')),
    GroupName: replaces('string'),
    VpcId: replaces('string'),
    SecurityGroupIngress: inPlace([ruleKinds(INGRESS)]),
    SecurityGroupEgress: inPlace([ruleKinds(EGRESS)]),
    Tags: TAGS
  },
  ref: 'security group id',
  attributes: ['GroupId', 'VpcId'],
  tagged: true,
  async create (call) {
    const { GroupId: id } = await call.once<Ec2.CreateSecurityGroupResult>('CreateSecurityGroup', {
      GroupName: text(call.properties, 'GroupName') ?? call.uniqueName,
      Description: text(call.properties, 'GroupDescription'),
      VpcId: text(call.properties, 'VpcId')
    })
    return id ?? ''
  },
  async settle (call, id, before) {
    for (const direction of [INGRESS, EGRESS]) await settleRules(call, id, direction, before)
    return id
  },
  read: ({ view }, id) =>
    ({ GroupId: id, VpcId: view.get('securityGroup', id)?.vpcId ?? '' }),
  async delete (call, id) {
    await allowing(['InvalidGroup.NotFound'],
      call.ec2('DeleteSecurityGroup', { GroupId: id }))
  }
}

/** A rule that is a resource of its own. */
function ruleType (name: string, direction: Direction): ResourceType {
  const kinds = Object.entries(ruleKinds(direction))
  const authorize = async (call: ResourceCall): Promise<string> => {
    const answer = await call.ec2<Ec2.AuthorizeSecurityGroupIngressResult>(direction.authorize, {
      GroupId: text(call.properties, 'GroupId'),
      IpPermissions: [permissionOf(call.properties, direction)]
    })
    return answer.SecurityGroupRules?.[0]?.SecurityGroupRuleId ?? ''
  }
  const revoke = async (call: ResourceCall, id: string): Promise<void> => {
    await allowing(['InvalidSecurityGroupRuleId.NotFound', 'InvalidGroup.NotFound'],
      call.ec2(direction.revoke,
        { GroupId: text(call.properties, 'GroupId'), SecurityGroupRuleIds: [id] }))
  }
  return {
    name,
    properties: {
      GroupId: required(replaces('string')),
      ...Object.fromEntries(kinds.map(([property, kind]): [string, Property] =>
        [property, property === 'Description' ? inPlace(kind) : replaces(kind)])),
      IpProtocol: required(replaces('string'))
    },
    ref: 'id of the security group rule',
    attributes: ['Id'],
    tagged: false,
    async create (call) {
      const answer = await call.once<Ec2.AuthorizeSecurityGroupIngressResult>(direction.authorize, {
        GroupId: text(call.properties, 'GroupId'),
        IpPermissions: [permissionOf(call.properties, direction)]
      })
      return answer.SecurityGroupRules?.[0]?.SecurityGroupRuleId ?? ''
    },
    /** EC2 changes a description by another call; here the rule is made anew with it. */
    async settle (call, id) {
      const group = call.view.get('securityGroup', text(call.properties, 'GroupId') ?? '')
      const rule = group?.rules.find((one) => one.id === id)
      if (rule?.description === (text(call.properties, 'Description') ?? '')) return id
      if (rule !== undefined) await revoke(call, id)
      return await authorize(call)
    },
    read: (_call, id) => ({ Id: id }),
    delete: revoke
  }
}

export const securityGroupTypes: readonly ResourceType[] = [
  securityGroup,
  ruleType('AWS::EC2::SecurityGroupIngress', INGRESS),
  ruleType('AWS::EC2::SecurityGroupEgress', EGRESS)
]
