/**
 * Routes that users make: CreateRoute, ReplaceRoute, DeleteRoute. AWS VPC User Guide, "Route table
 * concepts", "More specific routing"; EC2 API Reference, CreateRoute.
 *
 *     inside 169.254.168.0/22, fd00:ec2::/32   refused: AWS's own services
 *     equal to a block of the VPC              the local route: only its target can be replaced
 *     inside a block of the VPC                must be the whole block of a subnet, to an ENI or
 *                                              NAT gateway
 *     a prefix list                            any target; its entries: route_order.ts
 *     anything else                            any target
 *
 * An egress-only internet gateway takes IPv6 alone; a NAT gateway IPv4, and of IPv6 what NAT64
 * reaches. The table of a gateway takes less: gateway_route_table.ts.
 */
import { AwsError } from './aws_error.ts'
import { cidrContains, formatCidr, knownCidr, parseCidr } from './cidr.ts'
import type { AddressFamily } from './cidr.ts'
import { checkGatewayRoutes, isGatewayRouteTable } from './gateway_route_table.ts'
import type { Plan } from './plan.ts'
import {
  findPrefixList, isPrefixListId, requirePrefixList, routeCount
} from './prefix_list_reference.ts'
import { checkQuota } from './quota.ts'
import { requireRecord } from './resource_kind.ts'
import type { Route, RouteTable } from './route_table.ts'
import { RESERVED_DESTINATIONS } from './route_order.ts'
import { resolveTarget } from './route_target.ts'
import type { RouteTarget, TargetInput } from './route_target.ts'
import { put } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'
import { allRoutes } from './vpn_route.ts'

/** Where IPv4 lies for IPv6: RFC 6052 §2.1. */
const NAT64_BLOCK = knownCidr('64:ff9b::/96')

/** A destination as a call gives it: exactly one of the three. */
export interface DestinationInput {
  readonly ipv4: string | undefined
  readonly ipv6: string | undefined
  readonly prefixListId: string | undefined
}

export interface RouteInput {
  readonly routeTableId: string
  readonly destination: DestinationInput
  readonly target: TargetInput
}

/**
 * CreateRoute.
 * @throws AwsError InvalidRouteTableID.NotFound, InvalidParameterValue, MissingParameter,
 *   InvalidParameterCombination, RouteAlreadyExists, RouteLimitExceeded, the `.NotFound` of the
 *   target
 */
export function planCreateRoute (view: AccountView, input: RouteInput): Plan<null> {
  const table = requireRecord(view, 'routeTable', input.routeTableId)
  const destination = parseDestination(view, input.destination)
  const twin = findRoute(table, destination)
  if (twin !== undefined && !isPropagated(twin)) {
    throw new AwsError('RouteAlreadyExists',
      `The route identified by ${destination} already exists in ${table.id}. ` +
      'Use ReplaceRoute to change its target.')
  }
  const target = resolveTarget(view, input.target, { routeTableId: table.id, vpcId: table.vpcId })
  if (!isPrefixListId(destination)) {
    checkNotReserved(destination)
    checkMoreSpecific(view, table, destination, target)
  }
  checkFamily(view, destination, target)
  const route: Route = { destination, target, origin: 'CreateRoute' }
  const changed = { ...table, routes: [...table.routes, route] }
  if (isGatewayRouteTable(table)) checkGatewayRoutes(view, changed)
  checkQuota(view.snapshot, 'routes-per-route-table', Math.max(
    routeCount(view.snapshot, changed, 4), routeCount(view.snapshot, changed, 6)))
  return { changes: [put('routeTable', changed)], result: null }
}

/**
 * ReplaceRoute. `localTarget` gives a local route its own target back.
 * @throws AwsError InvalidRouteTableID.NotFound, InvalidParameterValue, MissingParameter,
 *   InvalidParameterCombination, the `.NotFound` of the target
 */
export function planReplaceRoute (view: AccountView,
  input: RouteInput & { readonly localTarget: boolean }): Plan<null> {
  const table = requireRecord(view, 'routeTable', input.routeTableId)
  const text = parseDestination(view, input.destination)
  const route = findRoute(table, text)
  if (route === undefined || isPropagated(route)) {
    throw new AwsError('InvalidParameterValue',
      `There is no route defined for '${text}' in the route table ` +
      `${table.id}. Use CreateRoute instead.`)
  }
  const target: RouteTarget = input.localTarget
    ? localTarget(table, route, input.target)
    : resolveTarget(view, input.target, { routeTableId: table.id, vpcId: table.vpcId })
  if (route.origin === 'CreateRouteTable') checkInsideTarget(text, target)
  else if (!isPrefixListId(text)) checkMoreSpecific(view, table, text, target)
  checkFamily(view, text, target)
  const routes = table.routes.map((one) => one === route ? { ...route, target } : one)
  if (isGatewayRouteTable(table)) checkGatewayRoutes(view, { ...table, routes })
  return { changes: [put('routeTable', { ...table, routes })], result: null }
}

/**
 * DeleteRoute.
 * @throws AwsError InvalidRouteTableID.NotFound, InvalidRoute.NotFound, InvalidParameterValue for a
 *   local or propagated route
 */
export function planDeleteRoute (view: AccountView, input: Omit<RouteInput, 'target'>): Plan<null> {
  const table = requireRecord(view, 'routeTable', input.routeTableId)
  const text = parseDestination(view, input.destination)
  const route = findRoute({ routes: allRoutes(view.snapshot, table) }, text)
  if (route === undefined) {
    throw new AwsError('InvalidRoute.NotFound',
      `no route with destination ${text} in route table ${table.id}`)
  }
  if (route.origin !== 'CreateRoute') {
    const kind = route.origin === 'CreateRouteTable' ? 'local' : 'propagated'
    throw new AwsError('InvalidParameterValue',
      `cannot remove ${kind} route ${text} in route table ${table.id}`)
  }
  const routes = table.routes.filter((one) => one !== route)
  return { changes: [put('routeTable', { ...table, routes })], result: null }
}

function isPropagated ({ origin }: Route): boolean { return origin === 'EnableVgwRoutePropagation' }

/** A route by its destination; one that is propagated only where users made none. */
function findRoute (
  { routes }: Pick<RouteTable, 'routes'>, destination: string): Route | undefined {
  const found = routes.filter((route) => route.destination === destination)
  return found.find((route) => !isPropagated(route)) ?? found[0]
}

function localTarget (table: RouteTable, route: Route, target: TargetInput): RouteTarget {
  if (Object.values(target).some((id) => id !== undefined)) {
    throw new AwsError('InvalidParameterCombination',
      'LocalTarget cannot be used together with another target')
  }
  if (route.origin !== 'CreateRouteTable') {
    throw new AwsError('InvalidParameterValue',
      `Route ${route.destination} of ${table.id} is not a local route: it has no local target ` +
      'to go back to')
  }
  return { kind: 'local' }
}

/** As a route has it. Canonical: host bits are cleared, as EC2 does. */
function parseDestination (view: AccountView,
  { ipv4, ipv6, prefixListId }: DestinationInput): string {
  const given = [ipv4, ipv6, prefixListId].filter((value) => value !== undefined).length
  if (given !== 1) {
    throw new AwsError(given === 0 ? 'MissingParameter' : 'InvalidParameterCombination',
      'The request must contain ' +
      'exactly one of destinationCidrBlock, destinationIpv6CidrBlock, destinationPrefixListId')
  }
  if (prefixListId !== undefined) return requirePrefixList(view, prefixListId).id
  const family: AddressFamily = ipv4 === undefined ? 6 : 4
  const text = ipv4 ?? ipv6 ?? ''
  const cidr = parseCidr(text)
  if (cidr?.family === family) return formatCidr(cidr)
  throw new AwsError('InvalidParameterValue',
    `Value (${text}) for parameter destination${family === 4 ? '' : 'Ipv6'}CidrBlock ` +
    `is invalid. This is not a valid IPv${String(family)} CIDR block.`)
}

/** @param destination a CIDR */
function checkNotReserved (destination: string): void {
  const reserved = RESERVED_DESTINATIONS.find((range) =>
    cidrContains(range, knownCidr(destination)))
  if (reserved === undefined) return
  throw new AwsError('InvalidParameterValue',
    `The destination ${destination} is within ` +
    `${formatCidr(reserved)}, which is reserved for AWS services`)
}

/** Inside a block of the VPC only the whole block of a subnet can be routed elsewhere. */
function checkMoreSpecific (view: AccountView, table: RouteTable, destination: string,
  target: RouteTarget): void {
  const local = table.routes.find((route) => route.origin === 'CreateRouteTable' &&
    cidrContains(knownCidr(route.destination), knownCidr(destination)))
  if (local === undefined) return
  const isSubnet = view.by('subnet', 'vpcId', table.vpcId).some((subnet) =>
    subnet.cidrBlock === destination ||
    subnet.ipv6CidrBlocks.some(({ cidrBlock }) => cidrBlock === destination))
  if (isSubnet) {
    checkInsideTarget(destination, target)
    return
  }
  throw new AwsError('InvalidParameterValue',
    `The destination ${destination} is more specific than the local route ` +
    `${local.destination} and does not match the whole CIDR block of a subnet of ${table.vpcId}`)
}

/** What lies inside the VPC can be bent to what stands inside it, and to nothing else. */
function checkInsideTarget (destination: string, target: RouteTarget): void {
  if (target.kind === 'local' || target.kind === 'network-interface' ||
    target.kind === 'nat-gateway') {
    return
  }
  throw new AwsError('InvalidParameterValue',
    `The destination ${destination} lies inside the VPC: its target can be a network interface, ` +
    `an instance or a NAT gateway, and not a ${target.kind}`)
}

/**
 * @throws AwsError InvalidParameterValue for IPv4 to an egress-only internet gateway, and for IPv6
 *   other than NAT64's to a NAT gateway [lab]
 */
function checkFamily (view: AccountView, destination: string, target: RouteTarget): void {
  if (target.kind === 'nat-gateway' && !isPrefixListId(destination)) {
    const cidr = knownCidr(destination)
    if (cidr.family === 4 || cidrContains(NAT64_BLOCK, cidr)) return
    throw new AwsError('InvalidParameterValue', `The destination ${destination} is IPv6: ` +
      `NAT gateway ${target.natGatewayId} takes IPv4 traffic, and IPv6 traffic to ` +
      `${formatCidr(NAT64_BLOCK)} (NAT64)`)
  }
  if (target.kind !== 'egress-only-internet-gateway') return
  const family = isPrefixListId(destination)
    ? findPrefixList(view.snapshot, view.region, destination)?.addressFamily ?? 4
    : knownCidr(destination).family
  if (family === 6) return
  throw new AwsError('InvalidParameterValue', `The destination ${destination} is IPv4: ` +
    `egress-only internet gateway ${target.gatewayId} takes IPv6 traffic only`)
}
