/**
 * AWS::EC2::NetworkInterface and NetworkInterfaceAttachment. CloudFormation Template Reference,
 * "Amazon EC2".
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { requireRecord } from '../../../model/resource_kind.ts'
import { TAGS, inPlace, replaces, required } from '../property.ts'
import type { ResourceCall, ResourceType } from '../resource_type.ts'
import { allowing, pick, text } from '../resource_type.ts'

/** Addresses of an interface: properties that are parameters of CreateNetworkInterface too. */
export const ADDRESS_KINDS = {
  PrivateIpAddress: 'string',
  PrivateIpAddresses: [{ PrivateIpAddress: 'string', Primary: 'boolean' }],
  SecondaryPrivateIpAddressCount: 'integer',
  Ipv6AddressCount: 'integer',
  Ipv6Addresses: [{ Ipv6Address: 'string' }]
} as const

const PREFIX_KINDS = {
  Ipv4PrefixCount: 'integer',
  Ipv4Prefixes: [{ Ipv4Prefix: 'string' }],
  Ipv6PrefixCount: 'integer',
  Ipv6Prefixes: [{ Ipv6Prefix: 'string' }]
} as const

const ADDRESSES = Object.keys({ ...ADDRESS_KINDS, ...PREFIX_KINDS })

const networkInterface: ResourceType = {
  name: 'AWS::EC2::NetworkInterface',
  properties: {
    SubnetId: required(replaces('string')),
    Description: inPlace('string'),
    GroupSet: inPlace(['string']),
    InterfaceType: replaces('string'),
    SourceDestCheck: inPlace('boolean'),
    ...Object.fromEntries(Object.entries({ ...ADDRESS_KINDS, ...PREFIX_KINDS })
      .map(([name, kind]) => [name, replaces(kind)])),
    Tags: TAGS
  },
  ref: 'network interface id',
  attributes: [
    'Id', 'PrimaryIpv6Address', 'PrimaryPrivateIpAddress', 'SecondaryPrivateIpAddresses', 'VpcId'
  ],
  tagged: true,
  async create (call) {
    const { NetworkInterface: made } = await call.once<Ec2.CreateNetworkInterfaceResult>(
      'CreateNetworkInterface', {
        ...pick(call.properties, 'SubnetId', 'Description', 'InterfaceType', ...ADDRESSES),
        Groups: call.properties['GroupSet']
      })
    return made?.NetworkInterfaceId ?? ''
  },
  async settle (call, id, before) {
    const modify = async (change: object): Promise<void> => {
      await call.ec2('ModifyNetworkInterfaceAttribute', { NetworkInterfaceId: id, ...change })
    }
    const { Description, GroupSet, SourceDestCheck } = call.properties
    await modify({ SourceDestCheck: { Value: SourceDestCheck ?? true } })
    if (before.length > 0) await modify({ Description: { Value: Description ?? '' } })
    if (before.length > 0 && GroupSet !== undefined) await modify({ Groups: GroupSet })
    return id
  },
  read ({ view }, id) {
    const record = view.get('networkInterface', id)
    if (record === undefined) return {}
    const [primary = '', ...secondary] = record.privateIpAddresses
    return {
      Id: id, VpcId: record.vpcId, PrimaryPrivateIpAddress: primary,
      SecondaryPrivateIpAddresses: secondary, PrimaryIpv6Address: record.ipv6Addresses[0] ?? ''
    }
  },
  async delete (call, id) {
    await allowing(['InvalidNetworkInterfaceID.NotFound'],
      call.ec2('DeleteNetworkInterface', { NetworkInterfaceId: id }))
  }
}

/** Ends an attachment, if it is still there. */
async function detach (call: ResourceCall, id: string): Promise<void> {
  const of = call.view.list('networkInterface').find(({ attachment }) => attachment?.id === id)
  if (of === undefined) return
  await call.ec2('DetachNetworkInterface', { AttachmentId: id })
  await call.until(() => call.view.get('networkInterface', of.id)?.attachment?.id !== id)
}

function attachInput (call: ResourceCall): object {
  return pick(call.properties, 'InstanceId', 'NetworkInterfaceId', 'DeviceIndex')
}

const attachment: ResourceType = {
  name: 'AWS::EC2::NetworkInterfaceAttachment',
  properties: {
    InstanceId: required(inPlace('string')),
    NetworkInterfaceId: required(inPlace('string')),
    DeviceIndex: required(inPlace('integer')),
    DeleteOnTermination: inPlace('boolean')
  },
  ref: 'attachment id',
  attributes: ['AttachmentId'],
  tagged: false,
  async create (call) {
    const { AttachmentId: id } = await call.once<Ec2.AttachNetworkInterfaceResult>(
      'AttachNetworkInterface', attachInput(call))
    return id ?? ''
  },
  async settle (call, id) {
    const { InstanceId, DeviceIndex, DeleteOnTermination } = call.properties
    const eni = requireRecord(call.view, 'networkInterface',
      text(call.properties, 'NetworkInterfaceId') ?? '')
    const { attachment: now } = eni
    let attachmentId = now?.id ?? ''
    if (now?.instanceId !== InstanceId || now?.deviceIndex !== DeviceIndex) {
      await detach(call, id)
      const answer = await call.ec2<Ec2.AttachNetworkInterfaceResult>('AttachNetworkInterface',
        attachInput(call))
      attachmentId = answer.AttachmentId ?? ''
    }
    await call.ec2('ModifyNetworkInterfaceAttribute', {
      NetworkInterfaceId: eni.id,
      Attachment: { AttachmentId: attachmentId, DeleteOnTermination: DeleteOnTermination ?? true }
    })
    return attachmentId
  },
  read: (_call, id) => ({ AttachmentId: id }),
  delete: detach
}

export const networkInterfaceTypes: readonly ResourceType[] = [networkInterface, attachment]
