/**
 * Elastic IP addresses, of the account, and what each is associated with: an instance (its eth0) or
 * an ENI. Those of NAT gateways are named by the gateway instead.
 */
import type { Address } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { FieldChange } from '../plan.ts'
import type { LiveResource } from '../resource.ts'
import { exactlyOne, ipv4Address, NONE, tags } from '../schema_parts.ts'
import type { Session } from '../session.ts'
import { ENI, isUnnamedPrimary } from './eni.ts'
import { primaryInterface } from './instance.ts'
import type { LabKind, LabReader } from './kind.ts'
import { whenDrained } from './nat_gateway.ts'

const association = z.strictObject({
  instance: z.string().optional().describe('vpc/name'),
  eni: z.string().optional().describe('vpc/name'),
  'private-ip': ipv4Address.optional().describe('Left out, the primary one of the ENI.')
}).superRefine(exactlyOne(['instance', 'eni']))

export const elasticIpSchema = z.strictObject({
  address: ipv4Address.optional().describe('A free one of the lab\'s pool; left out, any.'),
  association: z.union([z.literal(NONE), association]).optional(),
  tags: tags.optional()
})

interface Association {
  readonly 'instance'?: string
  readonly 'eni'?: string
  readonly 'private-ip'?: string
}

export const ELASTIC_IP: LabKind<Address> = {
  section: 'elastic-ips',
  place: 'file',
  word: 'Elastic IP',
  order: 3,
  goes: 'last',
  changed: 'after-instances',
  created: { association: NONE, tags: {} },
  immutable: ['address'],
  lost: 'the address',
  references (part, refer) {
    const { association } = part as { association?: Association | typeof NONE }
    if (association === undefined || association === NONE) return
    refer.byPath('instance', association.instance, 'association', 'instance')
    refer.byPath('eni', association.eni, 'association', 'eni')
  },
  async list ({ ec2 }) { return (await ec2.call('DescribeAddresses', {})).Addresses ?? [] },
  identify: ({ AllocationId: id = '', Tags: tags }) => ({ id, vpcId: undefined, tags }),
  read: (address, lab) => ({
    address: address.PublicIp, association: associationOf(address, lab)
  }),
  alwaysWritten: ['address'],
  async create (session, resource) {
    const { AllocationId } = await session.ec2.call('AllocateAddress', {
      Domain: 'vpc',
      Address: resource.fields['address'] as string | undefined,
      ...session.tagsFor('elastic-ip', resource)
    })
    return AllocationId
  },
  changes: { association: changeAssociation },
  async remove (session, { id }) {
    const { ec2 } = session
    await whenDrained(session, id)
    await disassociate(ec2, id)
    await ec2.call('ReleaseAddress', { AllocationId: id })
  }
}

function associationOf (address: Address, lab: LabReader): Association | typeof NONE {
  const { NetworkInterfaceId, PrivateIpAddress } = address
  const eni = lab.all(ENI).find((one) => NetworkInterfaceId !== undefined &&
    NetworkInterfaceId !== '' && one.NetworkInterfaceId === NetworkInterfaceId)
  // A NAT gateway says itself which addresses it has.
  if (eni === undefined || eni.RequesterManaged === true) return NONE
  const isInstance = isUnnamedPrimary(eni)
  const id = (isInstance ? eni.Attachment?.InstanceId : NetworkInterfaceId) ?? ''
  if (!lab.knows(id)) {
    lab.unsaid(`that ${address.PublicIp ?? ''} is associated with ${id}: ` +
      'files do not know the default VPC')
    return NONE
  }
  return {
    [isInstance ? 'instance' : 'eni']: lab.pathOf(id),
    ...PrivateIpAddress === eni.PrivateIpAddress || PrivateIpAddress === undefined
      ? {}
      : { 'private-ip': PrivateIpAddress }
  }
}

async function changeAssociation (session: Session, { id: AllocationId }: LiveResource,
  { to }: FieldChange): Promise<void> {
  if (to === NONE) {
    await disassociate(session.ec2, AllocationId)
    return
  }
  const { instance, eni, 'private-ip': PrivateIpAddress } = to as Association
  await whenDrained(session, AllocationId)
  await session.ec2.call('AssociateAddress', {
    AllocationId,
    NetworkInterfaceId: eni === undefined
      ? await primaryInterface(session, session.idByPath('instance', instance ?? ''))
      : session.idByPath('eni', eni),
    PrivateIpAddress,
    AllowReassociation: true
  })
}

async function disassociate (ec2: Session['ec2'], AllocationId: string): Promise<void> {
  const { Addresses } = await ec2.call('DescribeAddresses', { AllocationId: [AllocationId] })
  const AssociationId = Addresses?.[0]?.AssociationId
  if (AssociationId === undefined || AssociationId === '') return
  await ec2.call('DisassociateAddress', { AssociationId })
}
