/**
 * AWS::EC2::Subnet and SubnetCidrBlock. CloudFormation Template Reference, "Amazon EC2".
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { associationsOf } from '../../../model/network_acl.ts'
import type { Json, JsonObject } from '../../../model/stack.ts'
import { zoneName } from '../../../model/zone.ts'
import { TAGS, inPlace, replaces, required } from '../property.ts'
import type { ResourceType } from '../resource_type.ts'
import { allowing, pick, text } from '../resource_type.ts'
import { isObject } from '../template_text.ts'

/** ModifySubnetAttribute takes one of these at a time; each as EC2 has it without being told. */
const ATTRIBUTES: readonly (readonly [string, Json])[] = [
  ['MapPublicIpOnLaunch', { Value: false }],
  ['AssignIpv6AddressOnCreation', { Value: false }],
  ['EnableDns64', { Value: false }],
  ['PrivateDnsHostnameTypeOnLaunch', 'ip-name'],
  ['EnableResourceNameDnsARecordOnLaunch', { Value: false }],
  ['EnableResourceNameDnsAAAARecordOnLaunch', { Value: false }]
]

/** The properties as parameters of ModifySubnetAttribute. */
function attributesOf (properties: JsonObject): JsonObject {
  const names = properties['PrivateDnsNameOptionsOnLaunch']
  const options = isObject(names) ? names : {}
  const flag = (value: Json | undefined): Json | undefined =>
    value === undefined ? undefined : { Value: value }
  const values: readonly (readonly [string, Json | undefined])[] = [
    ['MapPublicIpOnLaunch', flag(properties['MapPublicIpOnLaunch'])],
    ['AssignIpv6AddressOnCreation', flag(properties['AssignIpv6AddressOnCreation'])],
    ['EnableDns64', flag(properties['EnableDns64'])],
    ['PrivateDnsHostnameTypeOnLaunch', options['HostnameType']],
    ['EnableResourceNameDnsARecordOnLaunch', flag(options['EnableResourceNameDnsARecord'])],
    ['EnableResourceNameDnsAAAARecordOnLaunch', flag(options['EnableResourceNameDnsAAAARecord'])]
  ]
  return Object.fromEntries(values.flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]]))
}

const subnet: ResourceType = {
  name: 'AWS::EC2::Subnet',
  properties: {
    VpcId: required(replaces('string')),
    CidrBlock: replaces('string'),
    AvailabilityZone: replaces('string'),
    AvailabilityZoneId: replaces('string'),
    Ipv6CidrBlock: replaces('string'),
    Ipv6Native: replaces('boolean'),
    AssignIpv6AddressOnCreation: inPlace('boolean'),
    EnableDns64: inPlace('boolean'),
    MapPublicIpOnLaunch: inPlace('boolean'),
    PrivateDnsNameOptionsOnLaunch: inPlace({
      HostnameType: 'string', EnableResourceNameDnsARecord: 'boolean',
      EnableResourceNameDnsAAAARecord: 'boolean'
    }),
    Tags: TAGS
  },
  ref: 'subnet id',
  attributes: [
    'AvailabilityZone', 'AvailabilityZoneId', 'CidrBlock', 'Ipv6CidrBlocks',
    'NetworkAclAssociationId', 'SubnetId', 'VpcId'
  ],
  tagged: true,
  async create (call) {
    const { Subnet: made } = await call.once<Ec2.CreateSubnetResult>('CreateSubnet',
      pick(call.properties, 'VpcId', 'CidrBlock', 'AvailabilityZone', 'AvailabilityZoneId',
        'Ipv6CidrBlock', 'Ipv6Native'))
    return made?.SubnetId ?? ''
  },
  async settle (call, id, before) {
    const wanted = attributesOf(call.properties)
    for (const [name, usual] of ATTRIBUTES) {
      const value = wanted[name]
      const was = before.some((properties) => attributesOf(properties)[name] !== undefined)
      if (value === undefined && !was) continue
      await call.ec2('ModifySubnetAttribute', { SubnetId: id, [name]: value ?? usual })
    }
    return id
  },
  read ({ view }, id) {
    const record = view.get('subnet', id)
    if (record === undefined) return {}
    const associations = view.by('networkAcl', 'vpcId', record.vpcId)
      .flatMap((acl) => associationsOf(view.snapshot, acl))
    return {
      SubnetId: id, VpcId: record.vpcId, CidrBlock: record.cidrBlock ?? '',
      AvailabilityZone: zoneName(view, record.zoneId), AvailabilityZoneId: record.zoneId,
      Ipv6CidrBlocks: record.ipv6CidrBlocks.map(({ cidrBlock }) => cidrBlock),
      NetworkAclAssociationId: associations.find(({ subnetId }) => subnetId === id)?.id ?? ''
    }
  },
  async delete (call, id) {
    await allowing(['InvalidSubnetID.NotFound'], call.ec2('DeleteSubnet', { SubnetId: id }))
  }
}

const cidrBlock: ResourceType = {
  name: 'AWS::EC2::SubnetCidrBlock',
  properties: {
    SubnetId: required(replaces('string')),
    Ipv6CidrBlock: required(replaces('string'))
  },
  ref: 'id of the association of the subnet and its block',
  attributes: ['Id'],
  tagged: false,
  async create (call) {
    const { Ipv6CidrBlockAssociation: made } =
      await call.once<Ec2.AssociateSubnetCidrBlockResult>('AssociateSubnetCidrBlock',
        pick(call.properties, 'SubnetId', 'Ipv6CidrBlock'))
    return made?.AssociationId ?? ''
  },
  read: (_call, id) => ({ Id: id }),
  async delete (call, id) {
    const record = call.view.get('subnet', text(call.properties, 'SubnetId') ?? '')
    const isThere = record?.ipv6CidrBlocks.some(({ associationId }) => associationId === id)
    if (isThere !== true) return
    await call.ec2('DisassociateSubnetCidrBlock', { AssociationId: id })
  }
}

export const subnetTypes: readonly ResourceType[] = [subnet, cidrBlock]
