/** `vpcctl vgw …`. AWS Site-to-Site VPN User Guide, "Virtual private gateway". */
import type { VpnGateway } from '@aws-sdk/client-ec2'
import { type Command, defineCommand, TAG_OPTIONS } from '../command.ts'
import type { Ec2Client } from '../ec2_client.ts'
import { CtlError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import { nameOf, resolveId, tagSpecification, VPC, VPN_GATEWAY } from '../resolve.ts'

/** The largest ASN of four bytes. */
const ASN_MAX = 4_294_967_295

const COLUMNS: readonly Column<VpnGateway>[] = [
  { header: 'vgw', value: (gateway) => gateway.VpnGatewayId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'state', value: (gateway) => gateway.State ?? '' },
  { header: 'asn', value: (gateway) => String(gateway.AmazonSideAsn ?? ''), align: 'right' },
  { header: 'vpc', value: (gateway) => attachmentOf(gateway)?.VpcId ?? '' },
  { header: 'attachment', value: (gateway) => attachmentOf(gateway)?.State ?? 'detached' }
]

const GATEWAY_ARGUMENT = { syntax: '<vgw>', description: 'id or Name tag' }

export const vpnGatewayCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Create a virtual private gateway',
    action: 'CreateVpnGateway',
    options: [
      { flags: '--asn <asn>', description: "AWS's private ASN, for life (default: 64512)" },
      ...TAG_OPTIONS
    ],
    examples: ['vpcctl vgw create --name office', 'vpcctl vgw create --asn 64600 --name hub'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const { VpnGateway: gateway } = await ec2.call('CreateVpnGateway', {
        Type: 'ipsec.1', AmazonSideAsn: input.integer('asn', 1, ASN_MAX),
        ...tagSpecification('vpn-gateway', input.tags())
      })
      context.output.row(gateway ?? {}, COLUMNS, ({ VpnGatewayId }) => VpnGatewayId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List virtual private gateways',
    action: 'DescribeVpnGateways',
    options: [{ flags: '--all', description: 'deleted ones too' }],
    examples: ['vpcctl vgw list'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const { VpnGateways: gateways = [] } = await ec2.call('DescribeVpnGateways', {})
      const shown = gateways.filter(({ State }) => input.flag('all') || State !== 'deleted')
      context.output.rows(shown, COLUMNS, ({ VpnGatewayId }) => VpnGatewayId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show everything about a virtual private gateway',
    action: 'DescribeVpnGateways',
    arguments: [GATEWAY_ARGUMENT],
    examples: ['vpcctl vgw show office'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, VPN_GATEWAY, input.argument('vgw'))
      context.output.tree(await describeGateway(ec2, id), id)
    }
  }),
  defineCommand({
    name: 'attach',
    summary: 'Attach a virtual private gateway to a VPC',
    action: 'AttachVpnGateway',
    arguments: [GATEWAY_ARGUMENT, { syntax: '<vpc>', description: 'id or Name tag' }],
    examples: ['vpcctl vgw attach office web'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const [VpnGatewayId, VpcId] = await Promise.all([
        resolveId(ec2, VPN_GATEWAY, input.argument('vgw')),
        resolveId(ec2, VPC, input.argument('vpc'))])
      await ec2.call('AttachVpnGateway', { VpnGatewayId, VpcId })
      context.output.done(`Attached ${VpnGatewayId} to ${VpcId}.`, { VpnGatewayId, VpcId })
    }
  }),
  defineCommand({
    name: 'detach',
    summary: 'Detach a virtual private gateway from its VPC; its routes leave the VPC',
    action: 'DetachVpnGateway',
    arguments: [GATEWAY_ARGUMENT],
    examples: ['vpcctl vgw detach office'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const VpnGatewayId = await resolveId(ec2, VPN_GATEWAY, input.argument('vgw'))
      const attachment = attachmentOf(await describeGateway(ec2, VpnGatewayId))
      const VpcId = attachment?.VpcId
      if (VpcId === undefined || attachment?.State?.startsWith('detach') === true) {
        throw new CtlError('NameNotFound', `${VpnGatewayId} is attached to no VPC`)
      }
      await ec2.call('DetachVpnGateway', { VpnGatewayId, VpcId })
      context.output.done(`Detached ${VpnGatewayId} from ${VpcId}.`, { VpnGatewayId, VpcId })
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a virtual private gateway that is detached and has no VPN connections',
    action: 'DeleteVpnGateway',
    arguments: [GATEWAY_ARGUMENT],
    examples: ['vpcctl vgw delete office'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, VPN_GATEWAY, input.argument('vgw'))
      await ec2.call('DeleteVpnGateway', { VpnGatewayId: id })
      context.output.done(`Deleted ${id}.`, { VpnGatewayId: id })
    }
  })
]

async function describeGateway (ec2: Ec2Client, id: string): Promise<VpnGateway> {
  return (await ec2.call('DescribeVpnGateways', { VpnGatewayId: [id] })).VpnGateways?.[0] ?? {}
}

/** A gateway has one at most; the newest that is no more is shown as well. */
function attachmentOf ({ VpcAttachments: [attachment] = [] }: VpnGateway):
NonNullable<VpnGateway['VpcAttachments']>[number] | undefined {
  return attachment
}
