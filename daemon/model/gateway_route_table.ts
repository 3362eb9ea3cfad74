/**
 * Route tables of gateways: where packets go that enter a VPC by an internet gateway. AWS VPC User
 * Guide, "Gateway route tables".
 *
 *     destination   a whole block of the VPC (its local route), or exactly a subnet's block
 *     target        local, or an ENI
 *
 * Such a table is not the main one, and a gateway has one table at most. What enters by anything
 * else does not meet it.
 */
import { AwsError } from './aws_error.ts'
import { isPrefixListId } from './prefix_list_reference.ts'
import { requireRecord } from './resource_kind.ts'
import type { Route, RouteTable } from './route_table.ts'
import type { AccountView } from './snapshot.ts'

export function isGatewayRouteTable ({ associations }: Pick<RouteTable, 'associations'>): boolean {
  return associations.some(({ gatewayId }) => gatewayId !== null)
}

/**
 * Refuses a gateway that a table cannot be associated with.
 * @throws AwsError InvalidGatewayID.NotFound, InvalidParameterValue (not attached to the VPC)
 */
export function checkGateway (view: AccountView, table: RouteTable, gatewayId: string): void {
  if (!gatewayId.startsWith('igw-') ||
    view.get('internetGateway', gatewayId) === undefined) {
    throw new AwsError('InvalidGatewayID.NotFound',
      `The gateway ID '${gatewayId}' does not exist`)
  }
  const { vpcId } = requireRecord(view, 'internetGateway', gatewayId)
  if (vpcId !== table.vpcId) {
    throw new AwsError('InvalidParameterValue', `Route table ${table.id} (${table.vpcId}) and ` +
      `network gateway ${gatewayId} (${vpcId ?? 'not attached'}) belong to different networks`)
  }
}

/**
 * Refuses routes that the table of a gateway cannot have.
 * @throws AwsError InvalidParameterValue
 */
export function checkGatewayRoutes (view: AccountView, table: RouteTable): void {
  for (const route of table.routes) {
    const fault = faultOf(view, table.vpcId, route)
    if (fault === null) continue
    throw new AwsError('InvalidParameterValue',
      `The route table ${table.id} cannot be the table of a gateway with its route to ` +
      `${route.destination}: ${fault}`)
  }
}

function faultOf (view: AccountView, vpcId: string, route: Route): string | null {
  const { destination, target, origin } = route
  if (target.kind !== 'local' && target.kind !== 'network-interface') {
    return `its target is a ${target.kind}; expecting local, an ENI or an instance`
  }
  if (isPrefixListId(destination)) return 'its destination is a prefix list'
  if (origin === 'CreateRouteTable') return null
  const isSubnet = view.by('subnet', 'vpcId', vpcId).some((subnet) =>
    subnet.cidrBlock === destination ||
    subnet.ipv6CidrBlocks.some(({ cidrBlock }) => cidrBlock === destination))
  return isSubnet ? null
    : 'its destination is neither a whole block of the VPC nor exactly the block of a subnet'
}
