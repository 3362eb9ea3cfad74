/**
 * Route table: record, local routes, associations. AWS VPC User Guide, "Configure route tables".
 * Routes that users make stand in route.ts, what they lead to in route_target.ts, which of them
 * wins in route_order.ts.
 *
 * A VPC has one main table. A subnet uses the table it is associated with, otherwise the main one.
 * Every table has a `local` route per block of its VPC; its origin stays CreateRouteTable even
 * while an ENI is its target.
 */
import { AwsError } from './aws_error.ts'
import { checkGateway, checkGatewayRoutes, isGatewayRouteTable } from './gateway_route_table.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import type { RouteTarget } from './route_target.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView, Snapshot } from './snapshot.ts'
import type { Subnet } from './subnet.ts'

export { routeState } from './route_target.ts'
export type { RouteTarget } from './route_target.ts'

export interface Route {
  /** Canonical IPv4 or IPv6 CIDR, or the id of a prefix list (`pl-…`). */
  readonly destination: string
  readonly target: RouteTarget
  readonly origin: 'CreateRouteTable' | 'CreateRoute' | 'EnableVgwRoutePropagation'
}

export interface RouteTableAssociation {
  /** `rtbassoc-…` */
  readonly id: string
  /** null, as `gatewayId` is: the main association, subnets of the VPC without one of their own. */
  readonly subnetId: string | null
  /** Internet gateway whose incoming packets the table routes; null for a subnet. */
  readonly gatewayId: string | null
}

export interface RouteTable extends OwnedRecord {
  readonly vpcId: string
  /** One per destination, the `local` ones first. Those that are propagated: vpn_route.ts. */
  readonly routes: readonly Route[]
  readonly associations: readonly RouteTableAssociation[]
  /** Virtual private gateways whose routes appear in the table; absent: none. */
  readonly propagatingVgwIds?: readonly string[]
}

/** The main table of a new VPC, with the main association and no routes: see `withLocalRoute`. */
export function mainRouteTable (vpcId: string, view: AccountView,
  context: PlanContext): RouteTable {
  return {
    id: context.newId('rtb'), region: view.region, ownerId: view.accountId, tags: {},
    vpcId, routes: [],
    associations: [{ id: context.newId('rtbassoc'), subnetId: null, gatewayId: null }]
  }
}

/** A table as it is after `cidr` (canonical) became a block of its VPC. */
export function withLocalRoute (table: RouteTable, cidr: string): RouteTable {
  const local: Route = { destination: cidr, target: { kind: 'local' }, origin: 'CreateRouteTable' }
  const count = table.routes.filter((route) => route.origin === 'CreateRouteTable').length
  return { ...table,
    routes: [...table.routes.slice(0, count), local, ...table.routes.slice(count)] }
}

/** A table as it is after block `cidr` (canonical) left its VPC. */
export function withoutLocalRoute (table: RouteTable, cidr: string): RouteTable {
  return {
    ...table,
    routes: table.routes.filter((route) =>
      route.origin !== 'CreateRouteTable' || route.destination !== cidr)
  }
}

export function isMainRouteTable (table: RouteTable): boolean {
  return table.associations.some(isMainAssociation)
}

export function isMainAssociation (
  { subnetId, gatewayId }: Pick<RouteTableAssociation, 'subnetId' | 'gatewayId'>): boolean {
  return subnetId === null && gatewayId === null
}

/**
 * The table that routes what leaves a subnet; undefined only while the VPC is being taken apart.
 */
export function routeTableOfSubnet (snapshot: Snapshot, subnet: Subnet): RouteTable | undefined {
  const tables = snapshot.tables.routeTable.by('vpcId', subnet.vpcId)
  return tables.find(({ associations }) =>
    associations.some(({ subnetId }) => subnetId === subnet.id)) ??
    tables.find(isMainRouteTable)
}

/** The table that routes what enters by a gateway; undefined when it has none. */
export function routeTableOfGateway (snapshot: Snapshot, vpcId: string,
  gatewayId: string): RouteTable | undefined {
  return snapshot.tables.routeTable.by('vpcId', vpcId)
    .find(({ associations }) => associations.some((one) => one.gatewayId === gatewayId))
}

/**
 * CreateRouteTable.
 * @returns the id of the new table
 * @throws AwsError InvalidVpcID.*, RouteTableLimitExceeded
 */
export function planCreateRouteTable (view: AccountView,
  input: { readonly vpcId: string, readonly tags: Tags },
  context: PlanContext): Plan<string> {
  const vpc = requireRecord(view, 'vpc', input.vpcId)
  checkQuota(view.snapshot, 'route-tables-per-vpc', view.by('routeTable', 'vpcId', vpc.id).length +
    1)
  let table: RouteTable = {
    id: context.newId('rtb'), region: view.region, ownerId: view.accountId, tags: input.tags,
    vpcId: vpc.id, routes: [], associations: []
  }
  for (const { cidrBlock } of [...vpc.cidrBlocks, ...vpc.ipv6CidrBlocks]) table =
    withLocalRoute(table, cidrBlock)
  return { changes: [put('routeTable', table)], result: table.id }
}

/**
 * DeleteRouteTable.
 * @throws AwsError InvalidRouteTableID.NotFound, DependencyViolation (main, or associated with a
 *   subnet)
 */
export function planDeleteRouteTable (view: AccountView,
  input: { readonly routeTableId: string }): Plan<null> {
  const table = requireRecord(view, 'routeTable', input.routeTableId)
  if (table.associations.length > 0) {
    const why = isMainRouteTable(table)
      ? `it is the main route table of ${table.vpcId}`
      : 'it is associated with ' +
        table.associations.map(({ subnetId, gatewayId }) => subnetId ?? gatewayId).join(', ')
    throw new AwsError('DependencyViolation',
      `The routeTable '${table.id}' has dependencies and cannot be deleted: ${why}`)
  }
  return { changes: [remove('routeTable', table.id)], result: null }
}

/**
 * AssociateRouteTable.
 * @returns the id of the association
 * @throws AwsError InvalidRouteTableID.NotFound, InvalidSubnetID.*, InvalidGatewayID.NotFound,
 *   MissingParameter, InvalidParameterCombination, InvalidParameterValue (another VPC; what the
 *   table of a gateway cannot be or have), Resource.AlreadyAssociated
 */
export function planAssociateRouteTable (view: AccountView, input: AssociateRouteTableInput,
  context: PlanContext): Plan<string> {
  const { subnetId = null, gatewayId = null } = input
  if ((subnetId === null) === (gatewayId === null)) {
    throw new AwsError(subnetId === null ? 'MissingParameter' : 'InvalidParameterCombination',
      'The request must contain exactly one of subnetId and gatewayId')
  }
  const table = requireRecord(view, 'routeTable', input.routeTableId)
  if (gatewayId !== null) checkGatewayTable(view, table, gatewayId)
  else checkSubnet(view, table, subnetId ?? '')
  const thing = subnetId ?? gatewayId ?? ''
  for (const other of view.by('routeTable', 'vpcId', table.vpcId)) {
    const existing = other.associations.find((one) => (one.subnetId ?? one.gatewayId) === thing)
    if (existing !== undefined) {
      throw new AwsError('Resource.AlreadyAssociated',
        `the specified association for route table ${table.id} ` +
        `conflicts with an existing association: ${existing.id} of ${thing} with ${other.id}`)
    }
  }
  const association = { id: context.newId('rtbassoc'), subnetId, gatewayId }
  return {
    changes: [put('routeTable', { ...table, associations: [...table.associations, association] })],
    result: association.id
  }
}

/** Exactly one of the two is a thing to associate the table with. */
export interface AssociateRouteTableInput {
  readonly routeTableId: string
  readonly subnetId?: string | undefined
  readonly gatewayId?: string | undefined
}

function checkSubnet (view: AccountView, table: RouteTable, subnetId: string): void {
  const { id, vpcId } = requireRecord(view, 'subnet', subnetId)
  if (vpcId !== table.vpcId) throw differentNetworks(table, `subnet ${id}`, vpcId)
}

function checkGatewayTable (view: AccountView, table: RouteTable, gatewayId: string): void {
  checkGateway(view, table, gatewayId)
  if (isMainRouteTable(table)) throw mainOfGateway(table)
  checkGatewayRoutes(view, table)
}

function mainOfGateway (table: RouteTable): AwsError {
  return new AwsError('InvalidParameterValue',
    `The main route table ${table.id} of ${table.vpcId} cannot be the table of a gateway`)
}

/**
 * DisassociateRouteTable: the subnet falls back to the main table.
 * @throws AwsError InvalidAssociationID.NotFound, InvalidParameterValue for the main association
 */
export function planDisassociateRouteTable (view: AccountView,
  input: { readonly associationId: string }): Plan<null> {
  const { table, association } = requireAssociation(view, input.associationId)
  if (isMainAssociation(association)) {
    throw new AwsError('InvalidParameterValue',
      `cannot disassociate the main route table association ${association.id}; ` +
      'make another table the main one with ReplaceRouteTableAssociation')
  }
  const associations = table.associations.filter(({ id }) => id !== association.id)
  return { changes: [put('routeTable', { ...table, associations })], result: null }
}

/**
 * ReplaceRouteTableAssociation: the subnet, or the main association of the VPC, moves to another
 * table.
 * @returns the id of the new association
 * @throws AwsError InvalidAssociationID.NotFound, InvalidRouteTableID.NotFound,
 *   InvalidParameterValue (another VPC, what the table of a gateway cannot be or have)
 */
export function planReplaceRouteTableAssociation (view: AccountView,
  input: { readonly associationId: string, readonly routeTableId: string },
  context: PlanContext): Plan<string> {
  const { table: from, association } = requireAssociation(view, input.associationId)
  const to = requireRecord(view, 'routeTable', input.routeTableId)
  if (to.vpcId !== from.vpcId) throw differentNetworks(to, `association ${association.id}`,
    from.vpcId)
  if (association.gatewayId !== null) checkGatewayTable(view, to, association.gatewayId)
  if (isMainAssociation(association) && isGatewayRouteTable(to)) throw mainOfGateway(to)
  const moved = { ...association, id: context.newId('rtbassoc') }
  const left = from.associations.filter(({ id }) => id !== association.id)
  if (from.id === to.id) {
    return { changes: [put('routeTable', { ...from, associations: [...left, moved] })],
      result: moved.id }
  }
  return {
    changes: [
      put('routeTable', { ...from, associations: left }),
      put('routeTable', { ...to, associations: [...to.associations, moved] })
    ],
    result: moved.id
  }
}

function requireAssociation (view: AccountView, associationId: string): {
  readonly table: RouteTable
  readonly association: RouteTableAssociation
} {
  for (const table of view.list('routeTable')) {
    const association = table.associations.find(({ id }) => id === associationId)
    if (association !== undefined) return { table, association }
  }
  throw new AwsError('InvalidAssociationID.NotFound',
    `The association ID '${associationId}' does not exist`)
}

function differentNetworks (table: RouteTable, other: string, otherVpcId: string): AwsError {
  return new AwsError('InvalidParameterValue',
    `Route table ${table.id} (${table.vpcId}) and ${other} (${otherVpcId}) belong to different ` +
    'networks')
}
