/** Virtual private gateways, of the account: attached to a VPC or to none. */
import type { VpnGateway } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { NONE, tags } from '../schema_parts.ts'
import type { Session } from '../session.ts'
import type { LabKind } from './kind.ts'

const ASN_DEFAULT = 64_512

export const vpnGatewaySchema = z.strictObject({
  vpc: z.string().optional().describe('Name of the VPC that it is attached to; "none".'),
  asn: z.int().min(1).max(4_294_967_294).optional()
    .describe('AWS\'s side of BGP, for life (default: 64512).'),
  tags: tags.optional()
})

export const VPN_GATEWAY: LabKind<VpnGateway> = {
  section: 'vpn-gateways',
  place: 'file',
  word: 'virtual private gateway',
  order: 2,
  goes: 'last',
  changed: 'between',
  created: { vpc: NONE, asn: ASN_DEFAULT, tags: {} },
  immutable: ['asn'],
  lost: 'its id',
  attachedBy: 'vpc',
  references ({ vpc }, refer) { if (vpc !== NONE) refer.to('vpc', vpc, 'vpc') },
  async list ({ ec2 }) { return (await ec2.call('DescribeVpnGateways', {})).VpnGateways ?? [] },
  identify: ({ VpnGatewayId: id = '', Tags: tags, State }) =>
    State === 'available' ? { id, vpcId: undefined, tags } : null,
  read (gateway, lab) {
    const vpcId = vpcIdOf(gateway)
    if (vpcId !== undefined && !lab.knows(vpcId)) {
      lab.unsaid(`that the virtual private gateway "${lab.nameOf(gateway.VpnGatewayId)}" is ` +
        `attached to ${vpcId}: files do not know the default VPC`)
    }
    return {
      vpc: vpcId === undefined || !lab.knows(vpcId) ? NONE : lab.nameOf(vpcId),
      asn: gateway.AmazonSideAsn ?? ASN_DEFAULT
    }
  },
  async create (session, resource) {
    const { vpc, asn } = resource.fields
    const { VpnGateway } = await session.ec2.call('CreateVpnGateway', {
      Type: 'ipsec.1',
      AmazonSideAsn: asn as number | undefined,
      ...session.tagsFor('vpn-gateway', resource)
    })
    const id = VpnGateway?.VpnGatewayId
    await attach(session, id, vpc)
    return id
  },
  changes: {
    vpc: async (session, { id }, { to }) => {
      await detach(session.ec2, id)
      await attach(session, id, to)
    }
  },
  async remove ({ ec2 }, { id }) {
    await detach(ec2, id)
    await ec2.call('DeleteVpnGateway', { VpnGatewayId: id })
  }
}

function vpcIdOf ({ VpcAttachments }: VpnGateway): string | undefined {
  return VpcAttachments?.find(({ State }) => State === 'attached' || State === 'attaching')?.VpcId
}

async function attach (session: Session, VpnGatewayId: string | undefined,
  vpc: unknown): Promise<void> {
  if (typeof vpc !== 'string' || vpc === NONE) return
  await session.ec2.call('AttachVpnGateway',
    { VpnGatewayId, VpcId: session.id('vpc', null, vpc) })
}

async function detach (ec2: Session['ec2'], VpnGatewayId: string): Promise<void> {
  const { VpnGateways } = await ec2.call('DescribeVpnGateways', { VpnGatewayId: [VpnGatewayId] })
  const VpcId = vpcIdOf(VpnGateways?.[0] ?? {})
  if (VpcId !== undefined) await ec2.call('DetachVpnGateway', { VpnGatewayId, VpcId })
}
