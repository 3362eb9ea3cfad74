/**
 * AWS::EC2::InternetGateway, VPCGatewayAttachment and EgressOnlyInternetGateway. CloudFormation
 * Template Reference, "Amazon EC2".
 *
 * As on AWS, a route to a gateway does not refer to the attachment: it needs a DependsOn.
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { internetGatewayOf } from '../../../model/internet_gateway.ts'
import { TAGS, inPlace, replaces, required } from '../property.ts'
import type { ResourceType } from '../resource_type.ts'
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

const GONE = ['Gateway.NotAttached', 'InvalidInternetGatewayID.NotFound', 'InvalidVpcID.NotFound']

const attachment: ResourceType = {
  name: 'AWS::EC2::VPCGatewayAttachment',
  properties: {
    VpcId: required(replaces('string')),
    InternetGatewayId: required(inPlace('string'))
  },
  ref: '`IGW`, `|` and the VPC id',
  attributes: ['AttachmentType'],
  tagged: false,
  async create (call) {
    await call.once('AttachInternetGateway', pick(call.properties, 'VpcId', 'InternetGatewayId'))
    return `IGW|${text(call.properties, 'VpcId') ?? ''}`
  },
  async settle (call, id, before) {
    const VpcId = text(call.properties, 'VpcId') ?? ''
    const now = internetGatewayOf(call.view.snapshot, VpcId)?.id
    if (before.length === 0 || now === call.properties['InternetGatewayId']) return id
    if (now !== undefined) {
      await call.ec2('DetachInternetGateway', { VpcId, InternetGatewayId: now })
    }
    await call.ec2('AttachInternetGateway', pick(call.properties, 'VpcId', 'InternetGatewayId'))
    return id
  },
  read: () => ({ AttachmentType: 'IGW' }),
  async delete (call) {
    await allowing(GONE, call.ec2('DetachInternetGateway',
      pick(call.properties, 'VpcId', 'InternetGatewayId')))
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
