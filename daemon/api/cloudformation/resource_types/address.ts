/**
 * AWS::EC2::EIP and EIPAssociation. CloudFormation Template Reference, "Amazon EC2".
 *
 * Ref of an EIP is the address itself, its allocation id an attribute: what tags and calls want is
 * looked up.
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import type { Address } from '../../../model/address.ts'
import { TAGS, inPlace, replaces } from '../property.ts'
import type { ResourceCall, ResourceType } from '../resource_type.ts'
import { allowing, pick, text } from '../resource_type.ts'

function addressOf ({ view }: ResourceCall, publicIp: string): Address | undefined {
  return view.list('address').find((address) => address.publicIp === publicIp)
}

const elasticIp: ResourceType = {
  name: 'AWS::EC2::EIP',
  properties: {
    Domain: replaces('string'), NetworkBorderGroup: replaces('string'),
    InstanceId: inPlace('string'), Tags: TAGS
  },
  ref: 'the address',
  attributes: ['AllocationId', 'PublicIp'],
  tagged: true,
  taggedId: (call, id) => addressOf(call, id)?.id ?? '',
  async create (call) {
    const { PublicIp: made } = await call.once<Ec2.AllocateAddressResult>('AllocateAddress',
      pick(call.properties, 'Domain', 'NetworkBorderGroup'))
    return made ?? ''
  },
  async settle (call, id, before) {
    const AllocationId = addressOf(call, id)?.id
    const InstanceId = text(call.properties, 'InstanceId')
    if (InstanceId !== undefined) await call.ec2('AssociateAddress', { AllocationId, InstanceId })
    else if (before.some((properties) => properties['InstanceId'] !== undefined)) {
      await call.ec2('DisassociateAddress', { PublicIp: id })
    }
    return id
  },
  read: (call, id) => ({ AllocationId: addressOf(call, id)?.id ?? '', PublicIp: id }),
  async delete (call, id) {
    const address = addressOf(call, id)
    if (address === undefined) return
    if (call.properties['InstanceId'] !== undefined) {
      await call.ec2('DisassociateAddress', { PublicIp: id })
    }
    await allowing(['InvalidAllocationID.NotFound'],
      call.ec2('ReleaseAddress', { AllocationId: address.id }))
  }
}

const association: ResourceType = {
  name: 'AWS::EC2::EIPAssociation',
  properties: {
    AllocationId: replaces('string'), EIP: replaces('string'), InstanceId: replaces('string'),
    NetworkInterfaceId: replaces('string'), PrivateIpAddress: replaces('string')
  },
  ref: 'id of the association',
  attributes: ['Id'],
  tagged: false,
  async create (call) {
    const { AssociationId: made } = await call.once<Ec2.AssociateAddressResult>(
      'AssociateAddress', {
        ...pick(call.properties, 'AllocationId', 'InstanceId', 'NetworkInterfaceId',
          'PrivateIpAddress'),
        PublicIp: call.properties['EIP']
      })
    return made ?? ''
  },
  read: (_call, id) => ({ Id: id }),
  async delete (call, id) {
    await allowing(['InvalidAssociationID.NotFound'],
      call.ec2('DisassociateAddress', { AssociationId: id }))
  }
}

export const addressTypes: readonly ResourceType[] = [elasticIp, association]
