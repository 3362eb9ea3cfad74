/**
 * VPC peerings between two VPCs of the file; both sides are of one account and Region, so apply
 * accepts what it asks for. Peerings with another account's VPCs are not a file's.
 */
import type {
  VpcPeeringConnection, VpcPeeringConnectionVpcInfo
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { tags } from '../schema_parts.ts'
import type { Session } from '../session.ts'
import { type Change, holder, type LabKind, type LabReader } from './kind.ts'

const ACTIVE = 'active'
const PENDING = 'pending-acceptance'

export const peeringSchema = z.strictObject({
  requester: z.string().describe('Name of the VPC that asks.'),
  accepter: z.string().describe('Name of the VPC that is asked.'),
  state: z.enum([ACTIVE, PENDING]).optional().describe('active unless the file says so.'),
  'requester-dns': z.boolean().optional()
    .describe('Whether public names of the requester are private addresses for the accepter.'),
  'accepter-dns': z.boolean().optional(),
  tags: tags.optional()
}).superRefine((value, context) => {
  if (value.requester === value.accepter) {
    context.addIssue({
      code: 'custom', path: ['accepter'], message: 'a peering joins two different VPCs'
    })
  }
})

export const PEERING: LabKind<VpcPeeringConnection> = {
  section: 'peerings',
  place: 'file',
  word: 'peering',
  order: 2,
  goes: 'last',
  changed: 'between',
  created: { state: ACTIVE, 'requester-dns': false, 'accepter-dns': false, tags: {} },
  immutable: ['requester', 'accepter'],
  lost: 'its id',
  refusal: ({ field, to }) => field === 'state' && to === PENDING
    ? 'which cannot be undone: leave "state" out, or give the peering another name'
    : undefined,
  normal: (part) => ({ ...part, state: part['state'] ?? ACTIVE }),
  references (part, refer) {
    refer.to('vpc', part['requester'], 'requester')
    refer.to('vpc', part['accepter'], 'accepter')
  },
  holders: ({ fields }) => [
    ...holder('vpc', null, fields['requester']), ...holder('vpc', null, fields['accepter'])
  ],
  list: ({ ec2 }) =>
    ec2.all('DescribeVpcPeeringConnections', {}, (page) => page.VpcPeeringConnections),
  identify (peering, lab) {
    const { VpcPeeringConnectionId: id = '', Tags: tags, Status } = peering
    const state = Status?.Code
    if (state !== ACTIVE && state !== PENDING) return null
    const stranger = strangerOf(peering, lab)
    if (stranger === undefined) return { id, vpcId: undefined, tags }
    lab.unsaid(`the peering ${id} with ${stranger.VpcId ?? ''} of the account ` +
      `${stranger.OwnerId ?? ''} in ${stranger.Region ?? ''}: files know no VPCs of other ` +
      'accounts and Regions, nor the default VPC')
    return null
  },
  read: (peering, lab) => ({
    requester: lab.nameOf(peering.RequesterVpcInfo?.VpcId),
    accepter: lab.nameOf(peering.AccepterVpcInfo?.VpcId),
    state: peering.Status?.Code,
    'requester-dns': hasDns(peering.RequesterVpcInfo),
    'accepter-dns': hasDns(peering.AccepterVpcInfo)
  }),
  async create (session, resource) {
    const { fields } = resource
    const { VpcPeeringConnection } = await session.ec2.call('CreateVpcPeeringConnection', {
      VpcId: session.id('vpc', null, String(fields['requester'])),
      PeerVpcId: session.id('vpc', null, String(fields['accepter'])),
      ...session.tagsFor('vpc-peering-connection', resource)
    })
    const id = VpcPeeringConnection?.VpcPeeringConnectionId
    if (fields['state'] === ACTIVE) await accept(session, id)
    return id
  },
  changes: {
    state: async (session, { id }) => { await accept(session, id) },
    'requester-dns': changeDns('RequesterPeeringConnectionOptions'),
    'accepter-dns': changeDns('AccepterPeeringConnectionOptions')
  },
  async remove ({ ec2 }, { id }) {
    await ec2.call('DeleteVpcPeeringConnection', { VpcPeeringConnectionId: id })
  }
}

/** The side that no VPC of a file can be. */
function strangerOf ({ RequesterVpcInfo, AccepterVpcInfo }: VpcPeeringConnection,
  lab: LabReader): VpcPeeringConnectionVpcInfo | undefined {
  return [RequesterVpcInfo, AccepterVpcInfo].find((side) => !lab.knows(side?.VpcId))
}

function hasDns (side: VpcPeeringConnectionVpcInfo | undefined): boolean {
  return side?.PeeringOptions?.AllowDnsResolutionFromRemoteVpc ?? false
}

async function accept ({ ec2 }: Session, id: string | undefined): Promise<void> {
  await ec2.call('AcceptVpcPeeringConnection', { VpcPeeringConnectionId: id })
}

function changeDns (side: string): Change {
  return async ({ ec2 }, { id }, { to }) => {
    await ec2.call('ModifyVpcPeeringConnectionOptions', {
      VpcPeeringConnectionId: id, [side]: { AllowDnsResolutionFromRemoteVpc: to === true }
    })
  }
}
