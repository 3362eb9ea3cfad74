/**
 * `vpcctl peering …`. AWS VPC Peering Guide.
 *
 * A request is accepted with the keys of the accepter's account and in its Region; between VPCs of
 * one account and Region `create --accept` does both.
 */
import type { VpcPeeringConnection } from '@aws-sdk/client-ec2'
import { type Command, defineCommand, TAG_OPTIONS } from '../command.ts'
import type { Ec2Client } from '../ec2_client.ts'
import { usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import { nameOf, PEERING, resolveId, tagSpecification, VPC } from '../resolve.ts'

const COLUMNS: readonly Column<VpcPeeringConnection>[] = [
  { header: 'peering', value: (one) => one.VpcPeeringConnectionId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'state', value: (one) => one.Status?.Code ?? '' },
  { header: 'requester', value: (one) => sideOf(one.RequesterVpcInfo) },
  { header: 'accepter', value: (one) => sideOf(one.AccepterVpcInfo) },
  { header: 'message', value: (one) => one.Status?.Message ?? '', shrinks: true, hides: true }
]

const PEERING_ARGUMENT = { syntax: '<peering>', description: 'id or Name tag' }
const VPC_ID = /^vpc-[0-9a-f]+$/

export const peeringCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Ask for a peering of two VPCs',
    action: 'CreateVpcPeeringConnection, then AcceptVpcPeeringConnection with --accept',
    arguments: [
      { syntax: '<vpc>', description: 'id or Name tag' },
      { syntax: '<peer-vpc>', description: 'id or Name tag; the id in another account or Region' }
    ],
    options: [
      { flags: '--peer-owner <account>', description: 'account of the peer VPC, 12 digits' },
      { flags: '--peer-region <region>', description: 'Region of the peer VPC' },
      { flags: '--accept', description: 'accept it too: both VPCs are of this account and Region' },
      ...TAG_OPTIONS
    ],
    examples: [
      'vpcctl peering create web data --accept --name web-data',
      'vpcctl peering create web vpc-0123456789abcdef0 --peer-owner 111122223333'
    ],
    async run (context, input) {
      const ec2 = await context.ec2()
      const peer = input.argument('peer-vpc')
      const [PeerOwnerId, PeerRegion] = [input.text('peerOwner'), input.text('peerRegion')]
      if ((PeerOwnerId ?? PeerRegion) !== undefined && !VPC_ID.test(peer)) {
        throw usageError('a VPC of another account or Region is named by its id')
      }
      const { VpcPeeringConnection: made } = await ec2.call('CreateVpcPeeringConnection', {
        VpcId: await resolveId(ec2, VPC, input.argument('vpc')),
        PeerVpcId: await resolveId(ec2, VPC, peer),
        PeerOwnerId,
        PeerRegion,
        ...tagSpecification('vpc-peering-connection', input.tags())
      })
      const id = made?.VpcPeeringConnectionId ?? ''
      if (input.flag('accept')) {
        await ec2.call('AcceptVpcPeeringConnection', { VpcPeeringConnectionId: id })
      }
      context.output.row(await describe(ec2, id), COLUMNS, () => id)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List peerings, those of other accounts with VPCs of this one too',
    action: 'DescribeVpcPeeringConnections',
    examples: ['vpcctl peering list'],
    async run (context) {
      const ec2 = await context.ec2()
      const peerings = await ec2.all('DescribeVpcPeeringConnections', {},
        (page) => page.VpcPeeringConnections)
      context.output.rows(peerings, COLUMNS, (one) => one.VpcPeeringConnectionId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show everything about a peering',
    action: 'DescribeVpcPeeringConnections',
    arguments: [PEERING_ARGUMENT],
    examples: ['vpcctl peering show web-data'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, PEERING, input.argument('peering'))
      context.output.tree(await describe(ec2, id), id)
    }
  }),
  answerCommand('accept', 'AcceptVpcPeeringConnection', 'Accept a request', 'Accepted'),
  answerCommand('reject', 'RejectVpcPeeringConnection', 'Reject a request', 'Rejected'),
  answerCommand('delete', 'DeleteVpcPeeringConnection',
    'Delete a peering, or a request of one\'s own', 'Deleted'),
  defineCommand({
    name: 'set',
    summary: 'Let the other VPC resolve public names to private addresses, or not',
    action: 'ModifyVpcPeeringConnectionOptions',
    arguments: [PEERING_ARGUMENT],
    options: [
      {
        flags: '--requester-dns <state>', description: 'names of the requester VPC',
        values: ['on', 'off']
      },
      {
        flags: '--accepter-dns <state>', description: 'names of the accepter VPC',
        values: ['on', 'off']
      }
    ],
    examples: ['vpcctl peering set web-data --accepter-dns on'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, PEERING, input.argument('peering'))
      const change = {
        VpcPeeringConnectionId: id,
        RequesterPeeringConnectionOptions: dnsOption(input.text('requesterDns')),
        AccepterPeeringConnectionOptions: dnsOption(input.text('accepterDns'))
      }
      await ec2.call('ModifyVpcPeeringConnectionOptions', change)
      context.output.done(`Changed ${id}.`, change)
    }
  })
]

/** The commands that take a peering and nothing else. */
function answerCommand (name: string,
  action: 'AcceptVpcPeeringConnection' | 'RejectVpcPeeringConnection' |
    'DeleteVpcPeeringConnection', summary: string, done: string): Command {
  return defineCommand({
    name,
    summary,
    action,
    arguments: [PEERING_ARGUMENT],
    examples: [`vpcctl peering ${name} web-data`],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, PEERING, input.argument('peering'))
      await ec2.call(action, { VpcPeeringConnectionId: id })
      context.output.done(`${done} ${id}.`, { VpcPeeringConnectionId: id })
    }
  })
}

function dnsOption (
  state: string | undefined): { AllowDnsResolutionFromRemoteVpc: boolean } | undefined {
  return state === undefined ? undefined : { AllowDnsResolutionFromRemoteVpc: state === 'on' }
}

async function describe (ec2: Ec2Client, id: string): Promise<VpcPeeringConnection> {
  const { VpcPeeringConnections: [peering] = [] } =
    await ec2.call('DescribeVpcPeeringConnections', { VpcPeeringConnectionId: [id] })
  return peering ?? {}
}

/** VPC and blocks of a side: the accepter's are not told before it has accepted. */
function sideOf (side: VpcPeeringConnection['RequesterVpcInfo']): string {
  const blocks = side?.CidrBlockSet?.map(({ CidrBlock }) => CidrBlock).join(',') ?? ''
  return [side?.VpcId ?? '', blocks].filter((word) => word !== '').join(' ')
}
