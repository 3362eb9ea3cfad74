/**
 * AWS::EC2::NetworkAcl, NetworkAclEntry and SubnetNetworkAclAssociation. CloudFormation Template
 * Reference, "Amazon EC2".
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { associationsOf } from '../../../model/network_acl.ts'
import { requireRecord } from '../../../model/resource_kind.ts'
import type { JsonObject } from '../../../model/stack.ts'
import { TAGS, inPlace, replaces, required } from '../property.ts'
import type { ResourceCall, ResourceType } from '../resource_type.ts'
import { allowing, pick, text } from '../resource_type.ts'

const networkAcl: ResourceType = {
  name: 'AWS::EC2::NetworkAcl',
  properties: { VpcId: required(replaces('string')), Tags: TAGS },
  ref: 'network ACL id',
  attributes: ['Id'],
  tagged: true,
  async create (call) {
    const { NetworkAcl: made } = await call.once<Ec2.CreateNetworkAclResult>('CreateNetworkAcl',
      pick(call.properties, 'VpcId'))
    return made?.NetworkAclId ?? ''
  },
  read: (_call, id) => ({ Id: id }),
  async delete (call, id) {
    await allowing(['InvalidNetworkAclID.NotFound'],
      call.ec2('DeleteNetworkAcl', { NetworkAclId: id }))
  }
}

/** What names an entry in every call on it. */
function entryKey (properties: JsonObject): JsonObject {
  return { ...pick(properties, 'NetworkAclId', 'RuleNumber'),
    Egress: properties['Egress'] ?? false }
}

function entryOf (properties: JsonObject): object {
  return {
    ...entryKey(properties), ...pick(properties, 'RuleAction', 'CidrBlock', 'Ipv6CidrBlock',
      'PortRange'),
    Protocol: JSON.stringify(properties['Protocol']),
    IcmpTypeCode: properties['Icmp']
  }
}

const entry: ResourceType = {
  name: 'AWS::EC2::NetworkAclEntry',
  properties: {
    NetworkAclId: required(replaces('string')),
    RuleNumber: required(replaces('integer')),
    Egress: replaces('boolean'),
    Protocol: required(inPlace('integer')),
    RuleAction: required(inPlace('string')),
    CidrBlock: inPlace('string'),
    Ipv6CidrBlock: inPlace('string'),
    Icmp: inPlace({ Code: 'integer', Type: 'integer' }),
    PortRange: inPlace({ From: 'integer', To: 'integer' })
  },
  ref: 'network ACL id, `|`, rule number, `|` and `ingress` or `egress`',
  attributes: ['Id'],
  tagged: false,
  async create (call) {
    await call.once('CreateNetworkAclEntry', entryOf(call.properties))
    const { RuleNumber: number, Egress: egress } = call.properties
    return `${text(call.properties, 'NetworkAclId') ?? ''}|${JSON.stringify(number)}|` +
      (egress === true ? 'egress' : 'ingress')
  },
  async settle (call, id, before) {
    if (before.length > 0) await call.ec2('ReplaceNetworkAclEntry', entryOf(call.properties))
    return id
  },
  read: (_call, id) => ({ Id: id }),
  async delete (call) {
    await allowing(['InvalidNetworkAclEntry.NotFound', 'InvalidNetworkAclID.NotFound'],
      call.ec2('DeleteNetworkAclEntry', entryKey(call.properties)))
  }
}

interface Association {
  readonly id: string
  readonly networkAclId: string
  /** The ACL that a subnet has when nobody says another one. */
  readonly defaultAclId: string
}

/** The association that a subnet has at any time: one, if only with the VPC's default ACL. */
function associationOf (call: ResourceCall, subnetId: string): Association | null {
  const subnet = call.view.get('subnet', subnetId)
  const acls = call.view.by('networkAcl', 'vpcId', subnet?.vpcId ?? '')
  for (const acl of acls) {
    const found = associationsOf(call.view.snapshot, acl).find((one) => one.subnetId === subnetId)
    if (found !== undefined) {
      return { id: found.id, networkAclId: acl.id,
        defaultAclId: acls.find(({ isDefault }) => isDefault)?.id ?? '' }
    }
  }
  return null
}

const association: ResourceType = {
  name: 'AWS::EC2::SubnetNetworkAclAssociation',
  properties: {
    NetworkAclId: required(replaces('string')),
    SubnetId: required(replaces('string'))
  },
  ref: 'id of the association of the subnet and the network ACL',
  attributes: ['AssociationId'],
  tagged: false,
  /** Done twice, it finds the subnet where it is to be. */
  async create (call) {
    const NetworkAclId = text(call.properties, 'NetworkAclId') ?? ''
    const subnet = requireRecord(call.view, 'subnet', text(call.properties, 'SubnetId') ?? '')
    const now = associationOf(call, subnet.id)
    if (now?.networkAclId === NetworkAclId) return now.id
    const { NewAssociationId: id } = await call.ec2<Ec2.ReplaceNetworkAclAssociationResult>(
      'ReplaceNetworkAclAssociation', { AssociationId: now?.id, NetworkAclId })
    return id ?? ''
  },
  read: (_call, id) => ({ AssociationId: id }),
  /** The subnet goes back to the VPC's default ACL. */
  async delete (call, id) {
    const now = associationOf(call, text(call.properties, 'SubnetId') ?? '')
    if (now?.id !== id) return
    await call.ec2('ReplaceNetworkAclAssociation',
      { AssociationId: id, NetworkAclId: now.defaultAclId })
  }
}

export const networkAclTypes: readonly ResourceType[] = [networkAcl, entry, association]
