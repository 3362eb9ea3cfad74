/**
 * Virtual private gateway: AWS's end of the Site-to-Site VPN connections of one VPC. AWS
 * Site-to-Site VPN User Guide, "Virtual private gateway".
 *
 * One VPC has at most one, and one serves at most one VPC; without a VPC it still joins the sites
 * of its connections (CloudHub). What it sends where stands in vpn_route.ts.
 *
 * `pending`, `deleting`, `attaching` and `detaching` last until every host has applied the change:
 * they are shown, not stored. A deleted gateway is still described for VPN_LINGER_MS.
 */
import { AwsError } from './aws_error.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { notFound, requireRecord } from './resource_kind.ts'
import { put } from './snapshot.ts'
import { allocateVni } from './vni.ts'
import type { AccountView, Change, Snapshot } from './snapshot.ts'

export interface VpnGateway extends OwnedRecord {
  readonly state: 'available' | 'deleted'
  /** AWS's side of every BGP session, for life. */
  readonly amazonSideAsn: number
  /** As the call gave it; EC2 records it and does nothing with it. */
  readonly availabilityZone: string | null
  /** Virtual network identifier of its edges while it has no VPC; none in records of before. */
  readonly vni?: number
  /** VPC that it is attached to; null while detached. */
  readonly vpcId: string | null
  /** VPC that it was attached to before, to be described as `detached`; null: none. */
  readonly detachedVpcId: string | null
  /** When it was deleted, ms since 1970; null before. */
  readonly deletedMs: number | null
}

/** The one type of gateways, customer gateways and connections that EC2 knows. */
export const VPN_TYPE = 'ipsec.1'
/** [lab] How long a deleted gateway, customer gateway or connection is still described. */
export const VPN_LINGER_MS = 3_600_000

export const AMAZON_SIDE_ASN_DEFAULT = 64_512
/** Private ASNs of two and four bytes: RFC 6996. */
const AMAZON_SIDE_ASNS = [[64_512, 65_534], [4_200_000_000, 4_294_967_294]] as const

/** @throws AwsError InvalidParameterValue */
export function checkVpnType (type: string): void {
  if (type === VPN_TYPE) return
  throw new AwsError('InvalidParameterValue',
    `Value (${type}) for parameter type is invalid. Expecting ${VPN_TYPE}.`)
}

/**
 * The network in which the edges serve a gateway: its VPC or, while it has none, one of its own
 * with nothing in it, named by the gateway's id. null: it is deleted.
 */
export function networkOfGateway ({ id, vpcId, state }: VpnGateway): string | null {
  return vpcId ?? (state === 'deleted' ? null : id)
}

/** The gateway attached to a VPC. */
export function vpnGatewayOf (snapshot: Snapshot, vpcId: string): VpnGateway | undefined {
  return snapshot.tables.vpnGateway.by('vpcId', vpcId)[0]
}

/**
 * CreateVpnGateway.
 * @returns the id of the new gateway
 * @throws AwsError InvalidParameterValue, VpnGatewayLimitExceeded
 */
export function planCreateVpnGateway (view: AccountView, input: {
  readonly type: string
  readonly amazonSideAsn: number | undefined
  readonly availabilityZone: string | undefined
  readonly tags: Tags
}, context: PlanContext): Plan<string> {
  checkVpnType(input.type)
  const asn = input.amazonSideAsn ?? AMAZON_SIDE_ASN_DEFAULT
  if (!AMAZON_SIDE_ASNS.some(([first, last]) => asn >= first && asn <= last)) {
    throw new AwsError('InvalidParameterValue', `Value (${String(asn)}) for parameter ` +
      'amazonSideAsn is invalid. Expecting a private ASN: ' +
      AMAZON_SIDE_ASNS.map(([first, last]) => `${String(first)}-${String(last)}`).join(' or '))
  }
  const alive = view.list('vpnGateway').filter(({ state }) => state === 'available').length
  checkQuota(view.snapshot, 'vpn-gateways-per-region', alive + 1)
  const vni = allocateVni(view.snapshot)
  const gateway: VpnGateway = {
    id: context.newId('vgw'), region: view.region, ownerId: view.accountId, tags: input.tags,
    state: 'available', amazonSideAsn: asn, availabilityZone: input.availabilityZone ?? null,
    vni: vni.value,
    vpcId: null, detachedVpcId: null, deletedMs: null
  }
  return { changes: [vni.change, put('vpnGateway', gateway)], result: gateway.id }
}

/** @throws AwsError InvalidVpnGatewayID.*, not found once it is deleted */
export function requireVpnGateway (view: AccountView, id: string): VpnGateway {
  const gateway = requireRecord(view, 'vpnGateway', id)
  if (gateway.state === 'deleted') throw notFound('vpnGateway', id)
  return gateway
}

interface VpnGatewayAndVpc {
  readonly vpnGatewayId: string
  readonly vpcId: string
}

/**
 * AttachVpnGateway.
 * @throws AwsError InvalidVpnGatewayID.*, InvalidVpcID.*, VpnGatewayAttachmentLimitExceeded (it
 *   serves a VPC), InvalidVpcState (the VPC has a gateway)
 */
export function planAttachVpnGateway (view: AccountView, input: VpnGatewayAndVpc): Plan<string> {
  const gateway = requireVpnGateway(view, input.vpnGatewayId)
  const vpc = requireRecord(view, 'vpc', input.vpcId)
  if (gateway.vpcId !== null) {
    throw new AwsError('VpnGatewayAttachmentLimitExceeded',
      `The vpnGateway '${gateway.id}' is already attached to ${gateway.vpcId}`)
  }
  const other = vpnGatewayOf(view.snapshot, vpc.id)
  if (other !== undefined) {
    throw new AwsError('InvalidVpcState',
      `The VPC '${vpc.id}' already has an attached virtual private gateway: ${other.id}`)
  }
  return {
    changes: [put('vpnGateway', { ...gateway, vpcId: vpc.id, detachedVpcId: null })],
    result: gateway.id
  }
}

/**
 * DetachVpnGateway. Propagated routes go, and so does the propagation itself; routes that users
 * made stay and are blackholes.
 * @throws AwsError InvalidVpnGatewayID.*, InvalidVpcID.*, InvalidVpnGatewayAttachment.NotFound
 */
export function planDetachVpnGateway (view: AccountView, input: VpnGatewayAndVpc): Plan<null> {
  const gateway = requireVpnGateway(view, input.vpnGatewayId)
  const vpc = requireRecord(view, 'vpc', input.vpcId)
  if (gateway.vpcId !== vpc.id) {
    throw new AwsError('InvalidVpnGatewayAttachment.NotFound',
      `The attachment with vpn gateway ID '${gateway.id}' and vpc ID '${vpc.id}' does not exist`)
  }
  const changes: Change[] = [
    put('vpnGateway', { ...gateway, vpcId: null, detachedVpcId: vpc.id })]
  for (const table of view.by('routeTable', 'vpcId', vpc.id)) {
    const { propagatingVgwIds = [] } = table
    if (!propagatingVgwIds.includes(gateway.id)) continue
    changes.push(put('routeTable', { ...table,
      propagatingVgwIds: propagatingVgwIds.filter((id) => id !== gateway.id) }))
  }
  return { changes, result: null }
}

/**
 * DeleteVpnGateway.
 * @throws AwsError InvalidVpnGatewayID.*, IncorrectState while attached or with VPN connections
 */
export function planDeleteVpnGateway (view: AccountView,
  input: { readonly vpnGatewayId: string }, context: PlanContext): Plan<null> {
  const gateway = requireVpnGateway(view, input.vpnGatewayId)
  const connections = view.snapshot.tables.vpnConnection.by('vpnGatewayId', gateway.id)
    .filter(({ state }) => state === 'available')
  const used = [gateway.vpcId, ...connections.map(({ id }) => id)].filter((id) => id !== null)
  if (used.length > 0) {
    throw new AwsError('IncorrectState',
      `The vpnGateway '${gateway.id}' is in use and cannot be deleted: ${used.join(', ')}`)
  }
  return {
    changes: [put('vpnGateway', { ...gateway, state: 'deleted', deletedMs: context.nowMs })],
    result: null
  }
}

interface Propagation {
  readonly routeTableId: string
  readonly gatewayId: string
}

/**
 * EnableVgwRoutePropagation: what the gateway learns appears in the table. Twice is no error.
 * @throws AwsError InvalidRouteTableID.NotFound, InvalidGatewayID.NotFound, Gateway.NotAttached,
 *   InvalidParameterValue for the table of a gateway
 */
export function planEnableVgwRoutePropagation (view: AccountView, input: Propagation): Plan<null> {
  const table = requireRecord(view, 'routeTable', input.routeTableId)
  const gateway = requirePropagator(view, input.gatewayId)
  if (gateway.vpcId !== table.vpcId) {
    throw new AwsError('Gateway.NotAttached',
      `resource ${gateway.id} is not attached to network ${table.vpcId}`)
  }
  if (table.associations.some(({ gatewayId }) => gatewayId !== null)) {
    throw new AwsError('InvalidParameterValue',
      `The route table ${table.id} is the table of a gateway: it takes no propagated routes`)
  }
  const { propagatingVgwIds = [] } = table
  if (propagatingVgwIds.includes(gateway.id)) return { changes: [], result: null }
  return {
    changes: [put('routeTable',
      { ...table, propagatingVgwIds: [...propagatingVgwIds, gateway.id] })],
    result: null
  }
}

/**
 * DisableVgwRoutePropagation. One that was not on is no error.
 * @throws AwsError InvalidRouteTableID.NotFound, InvalidGatewayID.NotFound
 */
export function planDisableVgwRoutePropagation (view: AccountView, input: Propagation): Plan<null> {
  const table = requireRecord(view, 'routeTable', input.routeTableId)
  const gateway = requirePropagator(view, input.gatewayId)
  const { propagatingVgwIds = [] } = table
  if (!propagatingVgwIds.includes(gateway.id)) return { changes: [], result: null }
  return {
    changes: [put('routeTable', { ...table,
      propagatingVgwIds: propagatingVgwIds.filter((id) => id !== gateway.id) })],
    result: null
  }
}

/** Here, as among the targets of routes, a gateway that is not there has its own code. */
function requirePropagator (view: AccountView, id: string): VpnGateway {
  const gateway = view.get('vpnGateway', id)
  if (gateway?.state === 'available') return gateway
  throw new AwsError('InvalidGatewayID.NotFound', `The gateway ID '${id}' does not exist`)
}
