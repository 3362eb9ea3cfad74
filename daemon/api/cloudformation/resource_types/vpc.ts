/**
 * AWS::EC2::VPC, VPCCidrBlock, DHCPOptions and VPCDHCPOptionsAssociation. CloudFormation Template
 * Reference, "Amazon EC2".
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { AwsError } from '../../../model/aws_error.ts'
import type { Vpc } from '../../../model/vpc.ts'
import { TAGS, inPlace, replaces, required } from '../property.ts'
import type { ResourceCall, ResourceType } from '../resource_type.ts'
import { allowing, pick, text, texts } from '../resource_type.ts'

/** EC2's own when a template does not say. */
const DNS_SUPPORT_DEFAULT = true
const DNS_HOSTNAMES_DEFAULT = false

function vpcOf (call: ResourceCall, id: string): Vpc | undefined { return call.view.get('vpc', id) }

const vpc: ResourceType = {
  name: 'AWS::EC2::VPC',
  properties: {
    CidrBlock: required(replaces('string')),
    EnableDnsHostnames: inPlace('boolean'),
    EnableDnsSupport: inPlace('boolean'),
    InstanceTenancy: replaces('string'),
    Tags: TAGS
  },
  ref: 'VPC id',
  attributes: [
    'CidrBlock', 'CidrBlockAssociations', 'DefaultNetworkAcl', 'DefaultSecurityGroup',
    'Ipv6CidrBlocks', 'VpcId'
  ],
  tagged: true,
  async create (call) {
    const { Vpc: made } = await call.once<Ec2.CreateVpcResult>('CreateVpc',
      pick(call.properties, 'CidrBlock', 'InstanceTenancy'))
    return made?.VpcId ?? ''
  },
  async settle (call, id) {
    const EnableDnsSupport =
      { Value: call.properties['EnableDnsSupport'] ?? DNS_SUPPORT_DEFAULT }
    const EnableDnsHostnames =
      { Value: call.properties['EnableDnsHostnames'] ?? DNS_HOSTNAMES_DEFAULT }
    // Names need the resolver: it is the first to come and the last to go.
    const changes = [{ EnableDnsSupport }, { EnableDnsHostnames }]
    if (EnableDnsSupport.Value === false) changes.reverse()
    for (const change of changes) await call.ec2('ModifyVpcAttribute', { VpcId: id, ...change })
    return id
  },
  read ({ view }, id) {
    const record = view.get('vpc', id)
    if (record === undefined) return {}
    return {
      VpcId: id,
      CidrBlock: record.cidrBlocks[0]?.cidrBlock ?? '',
      CidrBlockAssociations: record.cidrBlocks.map(({ associationId }) => associationId),
      Ipv6CidrBlocks: record.ipv6CidrBlocks.map(({ cidrBlock }) => cidrBlock),
      DefaultNetworkAcl: view.by('networkAcl', 'vpcId', id)
        .find(({ isDefault }) => isDefault)?.id ?? '',
      DefaultSecurityGroup: view.by('securityGroup', 'vpcId', id)
        .find(({ name }) => name === 'default')?.id ?? ''
    }
  },
  async delete (call, id) {
    await allowing(['InvalidVpcID.NotFound'], call.ec2('DeleteVpc', { VpcId: id }))
  }
}

const cidrBlock: ResourceType = {
  name: 'AWS::EC2::VPCCidrBlock',
  properties: {
    VpcId: required(replaces('string')),
    CidrBlock: replaces('string'),
    AmazonProvidedIpv6CidrBlock: replaces('boolean')
  },
  ref: 'id of the association of the VPC and its block',
  attributes: ['Id'],
  tagged: false,
  async create (call) {
    const answer = await call.once<Ec2.AssociateVpcCidrBlockResult>('AssociateVpcCidrBlock',
      pick(call.properties, 'VpcId', 'CidrBlock', 'AmazonProvidedIpv6CidrBlock'))
    const made = answer.CidrBlockAssociation ?? answer.Ipv6CidrBlockAssociation
    return made?.AssociationId ?? ''
  },
  read: (_call, id) => ({ Id: id }),
  async delete (call, id) {
    await allowing(['InvalidVpcCidrBlockAssociationID.NotFound', 'InvalidVpcID.NotFound'],
      call.ec2('DisassociateVpcCidrBlock', { AssociationId: id }))
  }
}

/** Properties of AWS::EC2::DHCPOptions and the keys of CreateDhcpOptions. */
const DHCP_KEYS = {
  DomainName: 'domain-name',
  DomainNameServers: 'domain-name-servers',
  NetbiosNameServers: 'netbios-name-servers',
  NetbiosNodeType: 'netbios-node-type',
  NtpServers: 'ntp-servers'
} as const

const dhcpOptions: ResourceType = {
  name: 'AWS::EC2::DHCPOptions',
  properties: {
    DomainName: replaces('string'),
    DomainNameServers: replaces(['string']),
    NetbiosNameServers: replaces(['string']),
    NetbiosNodeType: replaces('string'),
    NtpServers: replaces(['string']),
    Tags: TAGS
  },
  ref: 'id of the DHCP option set',
  attributes: ['DhcpOptionsId'],
  tagged: true,
  async create (call) {
    const DhcpConfigurations = Object.entries(DHCP_KEYS).flatMap(([name, Key]) => {
      const value = call.properties[name]
      if (value === undefined) return []
      return [{ Key, Values: typeof value === 'string' ? [value] : texts(call.properties, name) }]
    })
    const { DhcpOptions: made } = await call.once<Ec2.CreateDhcpOptionsResult>(
      'CreateDhcpOptions', { DhcpConfigurations })
    return made?.DhcpOptionsId ?? ''
  },
  read: (_call, id) => ({ DhcpOptionsId: id }),
  async delete (call, id) {
    await allowing(['InvalidDhcpOptionID.NotFound'],
      call.ec2('DeleteDhcpOptions', { DhcpOptionsId: id }))
  }
}

const dhcpOptionsAssociation: ResourceType = {
  name: 'AWS::EC2::VPCDHCPOptionsAssociation',
  properties: {
    VpcId: required(replaces('string')),
    DhcpOptionsId: required(inPlace('string'))
  },
  ref: 'VPC id',
  attributes: [],
  tagged: false,
  async create (call) {
    const id = text(call.properties, 'VpcId') ?? ''
    if (vpcOf(call, id) === undefined) {
      throw new AwsError('InvalidVpcID.NotFound', `The vpc ID '${id}' does not exist`)
    }
    return id
  },
  async settle (call, id) {
    await call.ec2('AssociateDhcpOptions', pick(call.properties, 'VpcId', 'DhcpOptionsId'))
    return id
  },
  /** A VPC without an association has the default set. */
  async delete (call, id) {
    if (vpcOf(call, id)?.dhcpOptionsId !== call.properties['DhcpOptionsId']) return
    await allowing(['InvalidVpcID.NotFound'],
      call.ec2('AssociateDhcpOptions', { VpcId: id, DhcpOptionsId: 'default' }))
  }
}

export const vpcTypes: readonly ResourceType[] =
  [vpc, cidrBlock, dhcpOptions, dhcpOptionsAssociation]
