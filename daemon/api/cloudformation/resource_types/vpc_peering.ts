/** AWS::EC2::VPCPeeringConnection. CloudFormation Template Reference, "Amazon EC2". */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { AwsError } from '../../../model/aws_error.ts'
import { TAGS, replaces, required } from '../property.ts'
import type { ResourceCall, ResourceType } from '../resource_type.ts'
import { allowing, pick } from '../resource_type.ts'

function statusOf (call: ResourceCall, id: string): string {
  return call.view.get('vpcPeeringConnection', id)?.status ?? 'deleted'
}

/**
 * Within one account and Region the stack accepts its own request; otherwise the creation lasts
 * until somebody else has. There are no roles, so `PeerRoleArn` has no effect and is not taken.
 */
const peering: ResourceType = {
  name: 'AWS::EC2::VPCPeeringConnection',
  properties: {
    VpcId: required(replaces('string')),
    PeerVpcId: required(replaces('string')),
    PeerOwnerId: replaces('string'),
    PeerRegion: replaces('string'),
    Tags: TAGS
  },
  ref: 'VPC peering connection id',
  attributes: ['Id'],
  tagged: true,
  async create (call) {
    const { VpcPeeringConnection: made } =
      await call.once<Ec2.CreateVpcPeeringConnectionResult>('CreateVpcPeeringConnection',
        pick(call.properties, 'VpcId', 'PeerVpcId', 'PeerOwnerId', 'PeerRegion'))
    return made?.VpcPeeringConnectionId ?? ''
  },
  async settle (call, id) {
    const accepter = call.view.get('vpcPeeringConnection', id)?.accepter
    const isOwn = accepter?.ownerId === call.view.accountId &&
      accepter.region === call.view.region
    if (isOwn && statusOf(call, id) === 'pending-acceptance') {
      await call.ec2('AcceptVpcPeeringConnection', { VpcPeeringConnectionId: id })
    }
    await call.until(() => statusOf(call, id) !== 'pending-acceptance')
    const status = statusOf(call, id)
    if (status === 'active') return id
    throw new AwsError('InvalidStateTransition', `${id} did not become active: it is ${status}`)
  },
  read: (_call, id) => ({ Id: id }),
  async delete (call, id) {
    await allowing(['InvalidVpcPeeringConnectionID.NotFound', 'InvalidStateTransition'],
      call.ec2('DeleteVpcPeeringConnection', { VpcPeeringConnectionId: id }))
  }
}

export const vpcPeeringTypes: readonly ResourceType[] = [peering]
