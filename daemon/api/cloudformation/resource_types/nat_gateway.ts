/** AWS::EC2::NatGateway. CloudFormation Template Reference, "Amazon EC2". */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { AwsError } from '../../../model/aws_error.ts'
import { TAGS, replaces, required } from '../property.ts'
import type { ResourceType } from '../resource_type.ts'
import { allowing, pick } from '../resource_type.ts'

const PARAMETERS = ['SubnetId', 'AllocationId', 'ConnectivityType', 'PrivateIpAddress'] as const

const natGateway: ResourceType = {
  name: 'AWS::EC2::NatGateway',
  properties: {
    SubnetId: required(replaces('string')), AllocationId: replaces('string'),
    ConnectivityType: replaces('string'), PrivateIpAddress: replaces('string'), Tags: TAGS
  },
  ref: 'NAT gateway id',
  attributes: ['EniId', 'NatGatewayId'],
  tagged: true,
  async create (call) {
    const { NatGateway: made } = await call.once<Ec2.CreateNatGatewayResult>('CreateNatGateway',
      pick(call.properties, ...PARAMETERS))
    return made?.NatGatewayId ?? ''
  },
  settle ({ view }, id) {
    const gateway = view.get('natGateway', id)
    if (gateway?.state === 'failed') {
      throw new AwsError(gateway.failureCode ?? 'InternalError',
        `NatGateway ${id} is in state failed: ${gateway.failureMessage ?? ''}`)
    }
    return Promise.resolve(id)
  },
  read: ({ view }, id) =>
    ({ NatGatewayId: id, EniId: view.get('natGateway', id)?.networkInterfaceId ?? '' }),
  async delete (call, id) {
    await allowing(['NatGatewayNotFound'], call.ec2('DeleteNatGateway', { NatGatewayId: id }))
  }
}

export const natGatewayTypes: readonly ResourceType[] = [natGateway]
