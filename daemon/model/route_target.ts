/**
 * Where a route may lead: how a call names a target, and when a target makes its route a blackhole.
 * EC2 API Reference, CreateRoute.
 *
 *     NetworkInterfaceId=eni-… ─▶ resolveTarget ─▶ RouteTarget ─▶ routeState ─▶ active, blackhole
 *
 * A gateway that a later feature builds is three lines: its kind in `RouteTarget`, how to look it
 * up in `RESOLVERS`, when it is down in `isUp`. Until then its parameter answers as AWS does for an
 * id that does not exist.
 */
import { AwsError } from './aws_error.ts'
import { interfacesOfInstance } from './instance.ts'
import { notFound, requireRecord } from './resource_kind.ts'
import type { AccountView, Snapshot } from './snapshot.ts'

/** Where a route sends a packet. A gateway kind that a later feature adds is one more member. */
export type RouteTarget =
  | { readonly kind: 'local' }
  | { readonly kind: 'network-interface', readonly networkInterfaceId: string }
  | { readonly kind: 'internet-gateway', readonly gatewayId: string }
  | { readonly kind: 'egress-only-internet-gateway', readonly gatewayId: string }
  | { readonly kind: 'nat-gateway', readonly natGatewayId: string }
  | { readonly kind: 'vpc-peering-connection', readonly vpcPeeringConnectionId: string }
  | { readonly kind: 'vpn-gateway', readonly gatewayId: string }

/** The parameters by which CreateRoute and ReplaceRoute name a target, in EC2's spelling. */
export type TargetParameter = keyof typeof RESOLVERS

/** Targets of one call: parameter to id. Exactly one is wanted. */
export type TargetInput = Readonly<Partial<Record<TargetParameter, string | undefined>>>

interface TargetContext {
  /** Table whose route it is, and its VPC. */
  readonly routeTableId: string
  readonly vpcId: string
}

type Resolver = (view: AccountView, id: string, context: TargetContext) => RouteTarget

/** A kind of target that this lab has none of. */
function absent (code: string, what: string): Resolver {
  return (_view, id) => { throw noSuch(code, what, id) }
}

function noSuch (code: string, what: string, id: string): AwsError {
  return new AwsError(code, `The ${what} '${id}' does not exist`)
}

const RESOLVERS = {
  NetworkInterfaceId: resolveInterface,
  InstanceId: resolveInstance,
  GatewayId: resolveGateway,
  NatGatewayId: resolveNatGateway,
  EgressOnlyInternetGatewayId: resolveEgressOnlyInternetGateway,
  VpcPeeringConnectionId: resolvePeering,
  TransitGatewayId: absent('InvalidTransitGatewayID.NotFound', 'transitGateway ID'),
  VpcEndpointId: absent('InvalidVpcEndpointId.NotFound', 'vpcEndpoint ID'),
  LocalGatewayId: absent('InvalidLocalGatewayID.NotFound', 'localGateway ID'),
  CarrierGatewayId: absent('InvalidCarrierGatewayID.NotFound', 'carrierGateway ID'),
  CoreNetworkArn: absent('InvalidCoreNetworkArn.NotFound', 'core network ARN')
} as const satisfies Record<string, Resolver>

export const TARGET_PARAMETERS = Object.keys(RESOLVERS) as readonly TargetParameter[]

/**
 * The one target that a call names.
 * @throws AwsError MissingParameter, InvalidParameterCombination, a `.NotFound`, InvalidInstanceID,
 *   InvalidParameterValue for a target of another VPC
 */
export function resolveTarget (view: AccountView, input: TargetInput,
  context: TargetContext): RouteTarget {
  const given = TARGET_PARAMETERS.filter((parameter) => input[parameter] !== undefined)
  const [parameter] = given
  if (parameter === undefined || given.length > 1) {
    throw new AwsError(parameter === undefined ? 'MissingParameter' : 'InvalidParameterCombination',
      `The request must contain exactly one of ${TARGET_PARAMETERS.join(', ')}` +
      (parameter === undefined ? '' : `; it contains ${given.join(' and ')}`))
  }
  return RESOLVERS[parameter](view, input[parameter] ?? '', context)
}

function resolveInterface (view: AccountView, id: string, context: TargetContext): RouteTarget {
  const { vpcId } = requireRecord(view, 'networkInterface', id)
  if (vpcId !== context.vpcId) throw differentNetworks(context, `interface ${id}`, vpcId)
  return { kind: 'network-interface', networkInterfaceId: id }
}

/** A peering of the VPC, also one that is not active yet: the route is a blackhole until then. */
function resolvePeering (view: AccountView, id: string, context: TargetContext): RouteTarget {
  const { requester, accepter, status } = requireRecord(view, 'vpcPeeringConnection', id)
  if (status !== 'active' && status !== 'pending-acceptance') {
    throw notFound('vpcPeeringConnection', id)
  }
  if (requester.vpcId !== context.vpcId && accepter.vpcId !== context.vpcId) {
    throw new AwsError('InvalidParameterValue',
      `route table ${context.routeTableId} (${context.vpcId}) and peering ${id} ` +
      `(${requester.vpcId}, ${accepter.vpcId}) belong to different networks`)
  }
  return { kind: 'vpc-peering-connection', vpcPeeringConnectionId: id }
}

/** An instance stands for its only interface. */
function resolveInstance (view: AccountView, id: string, context: TargetContext): RouteTarget {
  const [only, ...more] = interfacesOfInstance(view.snapshot, requireRecord(view, 'instance', id))
  if (only === undefined) throw new AwsError('InvalidInstanceID',
    `The instance '${id}' has no network interface`)
  if (more.length > 0) {
    throw new AwsError('InvalidInstanceID',
      `There are multiple interfaces attached to instance '${id}'. ` +
      'Please specify an interface ID for the operation instead.')
  }
  return resolveInterface(view, only.id, context)
}

/** GatewayId stands for internet gateways and virtual private gateways. */
function resolveGateway (view: AccountView, id: string, context: TargetContext): RouteTarget {
  const vpn = view.get('vpnGateway', id)
  const gateway = view.get('internetGateway', id) ?? (vpn?.state === 'available' ? vpn : undefined)
  if (gateway === undefined) throw noSuch('InvalidGatewayID.NotFound', 'gateway ID', id)
  if (gateway.vpcId !== context.vpcId) {
    throw differentNetworks(context, `network gateway ${id}`, gateway.vpcId ?? 'not attached')
  }
  return { kind: vpn === undefined ? 'internet-gateway' : 'vpn-gateway', gatewayId: id }
}

function resolveEgressOnlyInternetGateway (view: AccountView, id: string,
  context: TargetContext): RouteTarget {
  const { vpcId } = requireRecord(view, 'egressOnlyInternetGateway', id)
  if (vpcId !== context.vpcId) {
    throw differentNetworks(context, `egress-only internet gateway ${id}`, vpcId)
  }
  return { kind: 'egress-only-internet-gateway', gatewayId: id }
}

/** As a route target a NAT gateway has a not-found code of its own. */
function resolveNatGateway (view: AccountView, id: string, context: TargetContext): RouteTarget {
  const gateway = view.get('natGateway', id)
  if (gateway?.state !== 'available') {
    throw noSuch('InvalidNatGatewayID.NotFound', 'NatGateway ID', id)
  }
  if (gateway.vpcId !== context.vpcId) {
    throw differentNetworks(context, `NAT gateway ${id}`, gateway.vpcId)
  }
  return { kind: 'nat-gateway', natGatewayId: id }
}

function differentNetworks (context: TargetContext, what: string, vpcId: string): AwsError {
  return new AwsError('InvalidParameterValue', `route table ${context.routeTableId} ` +
    `(${context.vpcId}) and ${what} (${vpcId}) belong to different networks`)
}

/**
 * The id of what a route leads to; null for `local`. One id each: what watches targets needs no
 * more.
 */
export function targetId (target: RouteTarget): string | null {
  switch (target.kind) {
    case 'local': return null
    case 'network-interface': return target.networkInterfaceId
    case 'internet-gateway': case 'egress-only-internet-gateway': case 'vpn-gateway':
      return target.gatewayId
    case 'nat-gateway': return target.natGatewayId
    case 'vpc-peering-connection': return target.vpcPeeringConnectionId
  }
}

/**
 * Whether a route of VPC `vpcId` leads anywhere. It is a blackhole while its ENI is deleted,
 * detached, or the ENI's instance not up; while its internet or virtual private gateway is not
 * attached to the VPC;
 * when its gateway is gone or carries nothing, or its peering is not active. What matches a
 * blackhole is dropped, never handed to a shorter prefix.
 */
export function routeState ({ tables }: Snapshot, vpcId: string,
  { target }: { readonly target: RouteTarget }): 'active' | 'blackhole' {
  return isUp(tables, vpcId, target) ? 'active' : 'blackhole'
}

function isUp (tables: Snapshot['tables'], vpcId: string, target: RouteTarget): boolean {
  switch (target.kind) {
    case 'local': return true
    case 'network-interface': return isInterfaceUp(tables, target.networkInterfaceId)
    case 'internet-gateway': return tables.internetGateway.get(target.gatewayId)?.vpcId === vpcId
    case 'vpn-gateway': return tables.vpnGateway.get(target.gatewayId)?.vpcId === vpcId
    case 'egress-only-internet-gateway':
      return tables.egressOnlyInternetGateway.get(target.gatewayId) !== undefined
    case 'nat-gateway': return tables.natGateway.get(target.natGatewayId)?.state === 'available'
    case 'vpc-peering-connection':
      return tables.vpcPeeringConnection.get(target.vpcPeeringConnectionId)?.status === 'active'
  }
}

function isInterfaceUp (tables: Snapshot['tables'], networkInterfaceId: string): boolean {
  const { attachment } = tables.networkInterface.get(networkInterfaceId) ?? { attachment: null }
  if (attachment === null) return false
  const state = tables.instance.get(attachment.instanceId)?.state
  return state === 'pending' || state === 'running'
}
