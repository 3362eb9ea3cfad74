/** Internet gateways, of the account: attached to a VPC or none, with the table of what enters. */
import type { InternetGateway } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { FieldChange } from '../plan.ts'
import type { LiveResource, Resource } from '../resource.ts'
import { NONE, tags } from '../schema_parts.ts'
import type { Session } from '../session.ts'
import type { LabKind } from './kind.ts'
import { ROUTE_TABLE } from './route_table.ts'

export const internetGatewaySchema = z.strictObject({
  vpc: z.string().optional().describe('Name of the VPC that it is attached to; "none".'),
  'route-table': z.string().optional()
    .describe('Table of that VPC for what enters by the gateway; "none".'),
  tags: tags.optional()
})

export const INTERNET_GATEWAY: LabKind<InternetGateway> = {
  section: 'internet-gateways',
  place: 'file',
  word: 'internet gateway',
  order: 2,
  goes: 'last',
  changed: 'between',
  created: { vpc: NONE, 'route-table': NONE, tags: {} },
  immutable: [],
  lost: 'its id',
  attachedBy: 'vpc',
  references (part, refer) {
    const { vpc = NONE, 'route-table': table = NONE } = part
    if (vpc !== NONE) refer.to('vpc', vpc, 'vpc')
    if (table !== NONE) refer.inVpc('route-table', String(vpc), table, 'route-table')
  },
  list: ({ ec2 }) => ec2.all('DescribeInternetGateways', {}, (page) => page.InternetGateways),
  // The default VPC's own is no file's.
  identify: (gateway, lab) => lab.isDefaultVpc(vpcIdOf(gateway))
    ? null
    : { id: gateway.InternetGatewayId ?? '', vpcId: undefined, tags: gateway.Tags },
  read (gateway, lab) {
    const vpcId = vpcIdOf(gateway)
    const table = lab.all(ROUTE_TABLE).find(({ Associations }) => Associations?.some((one) =>
      one.GatewayId !== undefined && one.GatewayId === gateway.InternetGatewayId))
    return {
      vpc: vpcId === undefined ? NONE : lab.nameOf(vpcId),
      'route-table': table === undefined ? NONE : lab.nameOf(table.RouteTableId)
    }
  },
  async create (session, resource) {
    const { InternetGateway } = await session.ec2.call('CreateInternetGateway',
      session.tagsFor('internet-gateway', resource))
    const id = InternetGateway?.InternetGatewayId
    await attach(session, id, resource.fields['vpc'])
    return id
  },
  changes: { vpc: changeVpc, 'route-table': changeTable },
  async remove ({ ec2 }, { id: InternetGatewayId }) {
    await detach(ec2, InternetGatewayId)
    await ec2.call('DeleteInternetGateway', { InternetGatewayId })
  }
}

function vpcIdOf ({ Attachments }: InternetGateway): string | undefined {
  return Attachments?.[0]?.VpcId
}

async function attach (session: Session, gatewayId: string | undefined,
  vpc: unknown): Promise<void> {
  if (typeof vpc !== 'string' || vpc === NONE) return
  await session.ec2.call('AttachInternetGateway',
    { InternetGatewayId: gatewayId, VpcId: session.id('vpc', null, vpc) })
}

async function detach (ec2: Session['ec2'], InternetGatewayId: string): Promise<void> {
  const { InternetGateways } =
    await ec2.call('DescribeInternetGateways', { InternetGatewayId: [InternetGatewayId] })
  for (const { VpcId } of InternetGateways?.[0]?.Attachments ?? []) {
    await ec2.call('DetachInternetGateway', { InternetGatewayId, VpcId })
  }
}

async function changeVpc (session: Session, { id }: LiveResource,
  { to }: FieldChange): Promise<void> {
  await detach(session.ec2, id)
  await attach(session, id, to)
}

async function changeTable (session: Session, { id: GatewayId }: LiveResource,
  { to }: FieldChange, { fields }: Resource): Promise<void> {
  const { ec2 } = session
  const tables = await ec2.all('DescribeRouteTables', {}, (page) => page.RouteTables)
  const AssociationId = tables.flatMap(({ Associations }) => Associations ?? [])
    .find((one) => one.GatewayId === GatewayId)?.RouteTableAssociationId
  if (to === NONE) {
    if (AssociationId !== undefined) await ec2.call('DisassociateRouteTable', { AssociationId })
    return
  }
  const RouteTableId = session.id('route-table', String(fields['vpc']), String(to))
  if (AssociationId === undefined) {
    await ec2.call('AssociateRouteTable', { RouteTableId, GatewayId })
  } else {
    await ec2.call('ReplaceRouteTableAssociation', { RouteTableId, AssociationId })
  }
}
