/** ENIs of people, by themselves. One that RunInstances made, without a name, is its instance's. */
import type { NetworkInterface } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { nameOf } from '../../resolve.ts'
import { tags } from '../schema_parts.ts'
import type { Session } from '../session.ts'
import {
  INTERFACE_AGREES, INTERFACE_CHANGES, interfaceFields, interfaceInput, modifyInterface,
  NEW_INTERFACE, normalInterface, readInterface, referInterface, writeInterface
} from './interface.ts'
import { holder, type LabKind } from './kind.ts'

export const eniSchema = z.strictObject({
  subnet: z.string(),
  ...interfaceFields,
  description: z.string().max(255).optional(),
  tags: tags.optional()
})

export const ENI: LabKind<NetworkInterface> = {
  section: 'enis',
  place: 'vpc',
  word: 'ENI',
  order: 6,
  goes: 'first',
  changed: 'between',
  created: { ...NEW_INTERFACE, description: '' },
  immutable: ['subnet', 'address'],
  lost: 'its id, MAC and addresses',
  agrees: INTERFACE_AGREES,
  normal: normalInterface,
  references: referInterface,
  holders: ({ vpc, fields }) => holder('subnet', vpc, fields['subnet']),
  list: ({ ec2 }) => ec2.all('DescribeNetworkInterfaces', {}, (page) => page.NetworkInterfaces),
  identify: (eni) => eni.RequesterManaged === true || isUnnamedPrimary(eni)
    ? null
    : { id: eni.NetworkInterfaceId ?? '', vpcId: eni.VpcId, tags: eni.TagSet },
  read: (eni, lab) => ({ ...readInterface(eni, lab), description: eni.Description ?? '' }),
  alwaysWritten: ['address'],
  write: writeInterface,
  async create (session, resource) {
    const { NetworkInterface } = await session.ec2.call('CreateNetworkInterface', {
      ...await interfaceInput(session, resource),
      Description: resource.fields['description'] as string | undefined,
      ...session.tagsFor('network-interface', resource)
    })
    return NetworkInterface?.NetworkInterfaceId
  },
  changes: {
    ...INTERFACE_CHANGES,
    description: async (session, live, { to }) => {
      await modifyInterface(session, live, { Description: { Value: String(to) } })
    }
  },
  async remove (session, { id }) {
    await detach(session, id)
    await session.ec2.call('DeleteNetworkInterface', { NetworkInterfaceId: id })
  }
}

/** An ENI that RunInstances made: it is part of the instance in a file. */
export function isUnnamedPrimary (eni: NetworkInterface): boolean {
  return eni.Attachment?.InstanceId !== undefined && eni.Attachment.DeviceIndex === 0 &&
    nameOf({ Tags: eni.TagSet }) === ''
}

/** Detaches an ENI if it is attached. */
export async function detach ({ ec2 }: Session, NetworkInterfaceId: string): Promise<void> {
  const { NetworkInterfaces } =
    await ec2.call('DescribeNetworkInterfaces', { NetworkInterfaceId: [NetworkInterfaceId] })
  const AttachmentId = NetworkInterfaces?.[0]?.Attachment?.AttachmentId
  if (AttachmentId !== undefined) await ec2.call('DetachNetworkInterface', { AttachmentId })
}
