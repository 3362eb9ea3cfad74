/**
 * EC2 actions on route tables, their routes and associations. Rules: model/route_table.ts,
 * route.ts, route_target.ts.
 */
import type {
  AssociateRouteTableRequest, AssociateRouteTableResult, CreateRouteRequest, CreateRouteResult,
  CreateRouteTableRequest, CreateRouteTableResult, DeleteRouteRequest, DeleteRouteTableRequest,
  DescribeRouteTablesRequest, DescribeRouteTablesResult, DisableVgwRoutePropagationRequest,
  DisassociateRouteTableRequest, EnableVgwRoutePropagationRequest,
  ReplaceRouteRequest, ReplaceRouteTableAssociationRequest, ReplaceRouteTableAssociationResult,
  Route as RouteOutput, RouteTable as RouteTableOutput
} from '@aws-sdk/client-ec2'
import { isPrefixListId } from '../../../model/prefix_list_reference.ts'
import { planCreateRoute, planDeleteRoute, planReplaceRoute } from '../../../model/route.ts'
import type { DestinationInput } from '../../../model/route.ts'
import { requireRecord } from '../../../model/resource_kind.ts'
import {
  isMainAssociation, isMainRouteTable, planAssociateRouteTable, planCreateRouteTable,
  planDeleteRouteTable,
  planDisassociateRouteTable, planReplaceRouteTableAssociation, routeState
} from '../../../model/route_table.ts'
import type { Route, RouteTable } from '../../../model/route_table.ts'
import { TARGET_PARAMETERS, targetId } from '../../../model/route_target.ts'
import type { RouteTarget, TargetInput } from '../../../model/route_target.ts'
import type { AccountView } from '../../../model/snapshot.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import {
  planDisableVgwRoutePropagation, planEnableVgwRoutePropagation
} from '../../../model/vpn_gateway.ts'
import { allRoutes } from '../../../model/vpn_route.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action } from '../action.ts'
import { describeRecords } from '../describe.ts'
import type { FilterTable } from '../describe.ts'
import { refuseUnbuilt } from '../unbuilt.ts'

const createRouteTable = defineWrite<CreateRouteTableRequest, string, CreateRouteTableResult>({
  name: 'CreateRouteTable',
  plan: (view, { VpcId = '', TagSpecifications }, context) => planCreateRouteTable(view,
    { vpcId: VpcId, tags: tagsFromSpecifications(TagSpecifications, 'route-table') }, context),
  print: (view, id) =>
    ({ RouteTable: printRouteTable(view, requireRecord(view, 'routeTable', id)) })
})

const deleteRouteTable = defineWrite<DeleteRouteTableRequest, null, object>({
  name: 'DeleteRouteTable',
  plan: (view, { RouteTableId = '' }) => planDeleteRouteTable(view, { routeTableId: RouteTableId }),
  print: () => ({})
})

const DESTINATION_MEMBERS = {
  ipv4: 'DestinationCidrBlock', ipv6: 'DestinationIpv6CidrBlock',
  prefixListId: 'DestinationPrefixListId'
} as const satisfies Record<keyof DestinationInput, string>

const DESTINATION_PARAMETERS = Object.values(DESTINATION_MEMBERS)

function destinationFromInput (input: Pick<CreateRouteRequest,
  typeof DESTINATION_PARAMETERS[number]>): DestinationInput {
  return { ipv4: input.DestinationCidrBlock, ipv6: input.DestinationIpv6CidrBlock,
    prefixListId: input.DestinationPrefixListId }
}

/** Targets by EC2's parameter names, which are the model's too. */
function targetFromInput (input: TargetInput): TargetInput {
  return Object.fromEntries(TARGET_PARAMETERS.map((parameter) => [parameter, input[parameter]]))
}

const createRoute = defineWrite<CreateRouteRequest, null, CreateRouteResult>({
  name: 'CreateRoute',
  plan: (view, input) => {
    refuseUnbuilt('CreateRoute', input,
      ['RouteTableId', ...DESTINATION_PARAMETERS, ...TARGET_PARAMETERS])
    return planCreateRoute(view, {
      routeTableId: input.RouteTableId ?? '', destination: destinationFromInput(input),
      target: targetFromInput(input)
    })
  },
  print: () => ({ Return: true })
})

const replaceRoute = defineWrite<ReplaceRouteRequest, null, object>({
  name: 'ReplaceRoute',
  plan: (view, input) => {
    refuseUnbuilt('ReplaceRoute', input,
      ['RouteTableId', 'LocalTarget', ...DESTINATION_PARAMETERS, ...TARGET_PARAMETERS])
    return planReplaceRoute(view, {
      routeTableId: input.RouteTableId ?? '', destination: destinationFromInput(input),
      target: targetFromInput(input),
      localTarget: input.LocalTarget ?? false
    })
  },
  print: () => ({})
})

const deleteRoute = defineWrite<DeleteRouteRequest, null, object>({
  name: 'DeleteRoute',
  plan: (view, input) => planDeleteRoute(view,
    { routeTableId: input.RouteTableId ?? '', destination: destinationFromInput(input) }),
  print: () => ({})
})

const associateRouteTable = defineWrite<AssociateRouteTableRequest, string,
  AssociateRouteTableResult>({
  name: 'AssociateRouteTable',
  plan: (view, input, context) => {
    refuseUnbuilt('AssociateRouteTable', input, ['RouteTableId', 'SubnetId', 'GatewayId'])
    return planAssociateRouteTable(view, { routeTableId: input.RouteTableId ?? '',
      subnetId: input.SubnetId, gatewayId: input.GatewayId }, context)
  },
  print: (_view, id) => ({ AssociationId: id, AssociationState: { State: 'associated' } })
})

const disassociateRouteTable = defineWrite<DisassociateRouteTableRequest, null, object>({
  name: 'DisassociateRouteTable',
  plan: (view, { AssociationId = '' }) =>
    planDisassociateRouteTable(view, { associationId: AssociationId }),
  print: () => ({})
})

const replaceRouteTableAssociation =
  defineWrite<ReplaceRouteTableAssociationRequest, string, ReplaceRouteTableAssociationResult>({
    name: 'ReplaceRouteTableAssociation',
    plan: (view, { AssociationId = '', RouteTableId = '' }, context) =>
      planReplaceRouteTableAssociation(view,
      { associationId: AssociationId, routeTableId: RouteTableId }, context),
    print: (_view, id) => ({ NewAssociationId: id, AssociationState: { State: 'associated' } })
  })

function printRouteTable (view: AccountView, table: RouteTable): RouteTableOutput {
  return {
    RouteTableId: table.id,
    VpcId: table.vpcId,
    OwnerId: table.ownerId,
    Associations: table.associations.map((association) => ({
      Main: isMainAssociation(association),
      RouteTableAssociationId: association.id,
      RouteTableId: table.id,
      SubnetId: association.subnetId ?? undefined,
      GatewayId: association.gatewayId ?? undefined,
      AssociationState: { State: 'associated' }
    })),
    PropagatingVgws: (table.propagatingVgwIds ?? []).map((GatewayId) => ({ GatewayId })),
    Routes: allRoutes(view.snapshot, table).map((route) => printRoute(view, table, route)),
    Tags: printTags(table.tags)
  }
}

function printRoute (view: AccountView, table: RouteTable, route: Route): RouteOutput {
  const common: RouteOutput = {
    [DESTINATION_MEMBERS[destinationKind(route)]]: route.destination,
    Origin: route.origin,
    State: routeState(view.snapshot, table.vpcId, route)
  }
  return { ...common, ...printTarget(view, route) }
}

function printTarget (view: AccountView, route: Route): RouteOutput {
  const { target } = route
  switch (target.kind) {
    case 'local': return { GatewayId: 'local' }
    case 'network-interface': {
      const instance = instanceOf(view, route)
      return { NetworkInterfaceId: target.networkInterfaceId, InstanceId: instance?.id,
        InstanceOwnerId: instance?.ownerId }
    }
    case 'internet-gateway': case 'vpn-gateway': return { GatewayId: target.gatewayId }
    case 'egress-only-internet-gateway': return { EgressOnlyInternetGatewayId: target.gatewayId }
    case 'nat-gateway': return { NatGatewayId: target.natGatewayId }
    case 'vpc-peering-connection':
      return { VpcPeeringConnectionId: target.vpcPeeringConnectionId }
  }
}

function destinationKind ({ destination }: Route): keyof DestinationInput {
  if (isPrefixListId(destination)) return 'prefixListId'
  return destination.includes(':') ? 'ipv6' : 'ipv4'
}

/** Destinations of one kind, of all routes. */
function destinationsOf (
  kind: keyof DestinationInput): (table: RouteTable, view: AccountView) => string[] {
  return (table, view) => allRoutes(view.snapshot, table)
    .filter((route) => destinationKind(route) === kind)
    .map(({ destination }) => destination)
}

/** Targets of one kind, of all routes. */
function targetsOf (kind: RouteTarget['kind']): (table: RouteTable) => (string | null)[] {
  return ({ routes }) => routes.filter(({ target }) => target.kind === kind)
    .map(({ target }) => targetId(target))
}

/** The instance behind a route's ENI, whosever it is. */
function instanceOf (view: AccountView, { target }: Route): { readonly id: string
  readonly ownerId: string } | undefined {
  if (target.kind !== 'network-interface') return undefined
  const { attachment } = view.get('networkInterface', target.networkInterfaceId) ?? {}
  return attachment ? view.snapshot.tables.instance.get(attachment.instanceId) : undefined
}

/** Filters by a gateway that is not built match nothing, as when there is none. */
const nothing = (): undefined => undefined

/** EC2 API Reference, DescribeRouteTables: all filters. */
const FILTERS: FilterTable<RouteTable> = {
  'association.gateway-id': ({ associations }) => associations.map(({ gatewayId }) => gatewayId),
  'association.main': isMainRouteTable,
  'association.route-table-association-id': ({ associations }) => associations.map(({ id }) => id),
  'association.route-table-id': ({ id, associations }) => associations.length > 0 ? id : undefined,
  'association.subnet-id': ({ associations }) => associations.map(({ subnetId }) => subnetId),
  'owner-id': ({ ownerId }) => ownerId,
  'route-table-id': ({ id }) => id,
  'route.carrier-gateway-id': nothing,
  'route.destination-cidr-block': destinationsOf('ipv4'),
  'route.destination-ipv6-cidr-block': destinationsOf('ipv6'),
  'route.destination-prefix-list-id': destinationsOf('prefixListId'),
  'route.egress-only-internet-gateway-id': targetsOf('egress-only-internet-gateway'),
  'route.gateway-id': (table, view) =>
    allRoutes(view.snapshot, table).map(({ target }) => target.kind === 'local' ? 'local'
      : target.kind === 'internet-gateway' || target.kind === 'vpn-gateway' ? target.gatewayId
        : undefined),
  'route.instance-id': ({ routes }, view) => routes.map((route) => instanceOf(view, route)?.id),
  'route.nat-gateway-id': targetsOf('nat-gateway'),
  'route.network-interface-id': targetsOf('network-interface'),
  'route.origin': (table, view) => allRoutes(view.snapshot, table).map(({ origin }) => origin),
  'route.state': (table, view) => allRoutes(view.snapshot, table)
    .map((route) => routeState(view.snapshot, table.vpcId, route)),
  'route.transit-gateway-id': nothing,
  'route.vpc-peering-connection-id': targetsOf('vpc-peering-connection'),
  'vpc-id': ({ vpcId }) => vpcId
}

const describeRouteTables = defineRead<DescribeRouteTablesRequest, DescribeRouteTablesResult>({
  name: 'DescribeRouteTables',
  read: (view, input) => {
    const page = describeRecords(view, 'routeTable', 'RouteTableIds', input.RouteTableIds, input,
      FILTERS)
    return { RouteTables: page.items.map((table) => printRouteTable(view, table)),
      NextToken: page.nextToken }
  }
})

const enableVgwRoutePropagation = defineWrite<EnableVgwRoutePropagationRequest, null, object>({
  name: 'EnableVgwRoutePropagation',
  plan: (view, { RouteTableId = '', GatewayId = '' }) => planEnableVgwRoutePropagation(view,
    { routeTableId: RouteTableId, gatewayId: GatewayId }),
  print: () => ({})
})

const disableVgwRoutePropagation = defineWrite<DisableVgwRoutePropagationRequest, null, object>({
  name: 'DisableVgwRoutePropagation',
  plan: (view, { RouteTableId = '', GatewayId = '' }) => planDisableVgwRoutePropagation(view,
    { routeTableId: RouteTableId, gatewayId: GatewayId }),
  print: () => ({})
})

export const routeTableActions: readonly Action[] = [
  createRouteTable, deleteRouteTable, describeRouteTables,
  createRoute, replaceRoute, deleteRoute,
  associateRouteTable, disassociateRouteTable, replaceRouteTableAssociation,
  enableVgwRoutePropagation, disableVgwRoutePropagation
]
