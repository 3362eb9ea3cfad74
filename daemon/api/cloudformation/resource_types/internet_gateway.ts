/**
 * AWS::EC2::InternetGateway, VPCGatewayAttachment and EgressOnlyInternetGateway. CloudFormation
 * Template Reference, "Amazon EC2".
 *
 * As on AWS, a route to a gateway does not refer to the attachment: it needs a DependsOn.
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { AwsError } from '../../../model/aws_error.ts'
import { internetGatewayOf } from '../../../model/internet_gateway.ts'
import { vpnGatewayOf } from '../../../model/vpn_gateway.ts'
import { TAGS, inPlace, replaces, required } from '../property.ts'
import type { ResourceCall, ResourceType } from '../resource_type.ts'
import { allowing, pick, text } from '../resource_type.ts'

const internetGateway: ResourceType = {
  name: 'AWS::EC2::InternetGateway',
  properties: { Tags: TAGS },
  ref: 'internet gateway id',
  attributes: ['InternetGatewayId'],
  tagged: true,
  async create (call) {
    const { InternetGateway: made } =
      await call.once<Ec2.CreateInternetGatewayResult>('CreateInternetGateway', {})
    return made?.InternetGatewayId ?? ''
  },
  read: (_call, id) => ({ InternetGatewayId: id }),
  async delete (call, id) {
    await allowing(['InvalidInternetGatewayID.NotFound'],
      call.ec2('DeleteInternetGateway', { InternetGatewayId: id }))
  }
}

/** An attachment is of one of two kinds of gateways. */
interface GatewayKind {
  readonly type: 'IGW' | 'VGW'
  readonly member: 'InternetGatewayId' | 'VpnGatewayId'
  readonly attach: string
  readonly detach: string
  /** Refusals that say that there is nothing to detach. */
  readonly gone: readonly string[]
  readonly attached: (call: ResourceCall, vpcId: string) => string | undefined
}

const INTERNET: GatewayKind = {
  type: 'IGW', member: 'InternetGatewayId',
  attach: 'AttachInternetGateway', detach: 'DetachInternetGateway',
  gone: ['Gateway.NotAttached', 'InvalidInternetGatewayID.NotFound', 'InvalidVpcID.NotFound'],
  attached: ({ view }, vpcId) => internetGatewayOf(view.snapshot, vpcId)?.id
}
const VPN: GatewayKind = {
  type: 'VGW', member: 'VpnGatewayId', attach: 'AttachVpnGateway', detach: 'DetachVpnGateway',
  gone: ['InvalidVpnGatewayAttachment.NotFound', 'InvalidVpnGatewayID.NotFound',
    'InvalidVpcID.NotFound'],
  attached: ({ view }, vpcId) => vpnGatewayOf(view.snapshot, vpcId)?.id
}

/** @throws AwsError unless the properties name exactly one gateway */
function kindOf ({ properties, logicalId }: ResourceCall): GatewayKind {
  const [kind, ...more] = [INTERNET, VPN].filter(({ member }) => properties[member] !== undefined)
  if (kind !== undefined && more.length === 0) return kind
  throw new AwsError('ValidationError',
    `${logicalId} needs exactly one of InternetGatewayId and VpnGatewayId`)
}

const attachment: ResourceType = {
  name: 'AWS::EC2::VPCGatewayAttachment',
  properties: {
    VpcId: required(replaces('string')), InternetGatewayId: inPlace('string'),
    VpnGatewayId: replaces('string')
  },
  ref: '`IGW` or `VGW`, `|` and the VPC id',
  attributes: ['AttachmentType'],
  tagged: false,
  async create (call) {
    const { attach, member, type } = kindOf(call)
    await call.once(attach, pick(call.properties, 'VpcId', member))
    return `${type}|${text(call.properties, 'VpcId') ?? ''}`
  },
  async settle (call, id, before) {
    const { attach, attached, detach, member } = kindOf(call)
    const VpcId = text(call.properties, 'VpcId') ?? ''
    const now = attached(call, VpcId)
    if (before.length === 0 || now === call.properties[member]) return id
    if (now !== undefined) await call.ec2(detach, { VpcId, [member]: now })
    await call.ec2(attach, pick(call.properties, 'VpcId', member))
    return id
  },
  read: (call) => ({ AttachmentType: kindOf(call).type }),
  async delete (call) {
    const { detach, gone, member } = kindOf(call)
    await allowing(gone, call.ec2(detach, pick(call.properties, 'VpcId', member)))
  }
}

const egressOnly: ResourceType = {
  name: 'AWS::EC2::EgressOnlyInternetGateway',
  properties: { VpcId: required(replaces('string')), Tags: TAGS },
  ref: 'egress-only internet gateway id',
  attributes: ['Id'],
  tagged: true,
  async create (call) {
    const { EgressOnlyInternetGateway: made } =
      await call.once<Ec2.CreateEgressOnlyInternetGatewayResult>(
        'CreateEgressOnlyInternetGateway', pick(call.properties, 'VpcId'))
    return made?.EgressOnlyInternetGatewayId ?? ''
  },
  read: (_call, id) => ({ Id: id }),
  async delete (call, id) {
    await allowing(['InvalidGatewayID.NotFound'],
      call.ec2('DeleteEgressOnlyInternetGateway', { EgressOnlyInternetGatewayId: id }))
  }
}

export const internetGatewayTypes: readonly ResourceType[] =
  [internetGateway, attachment, egressOnly]
