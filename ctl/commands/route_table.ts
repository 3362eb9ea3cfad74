/**
 * `vpcctl route-table …`. AWS VPC User Guide, "Configure route tables".
 *
 * Routes are verbs of their table: a route has no id, its destination names it. The family of the
 * destination decides which of EC2's parameters carries it; what is no CIDR is a prefix list.
 */
import type { Route, RouteTable } from '@aws-sdk/client-ec2'
import {
  type Command, defineCommand, type CommandOption, type Input, TAG_OPTIONS
} from '../command.ts'
import type { Ec2Client } from '../ec2_client.ts'
import type { QueryInput } from '../ec2_query.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import {
  EGRESS_ONLY_INTERNET_GATEWAY, INSTANCE, INTERNET_GATEWAY, inVpc, nameOf, type Nameable,
  NAT_GATEWAY, NETWORK_INTERFACE, PEERING, PREFIX_LIST, resolveId, ROUTE_TABLE, SUBNET,
  tagSpecification, VPC, VPN_GATEWAY
} from '../resolve.ts'

/** What a route may point at. A kind of gateway is one line: option, EC2 parameter, names. */
const TARGETS: readonly { option: string, flags: string, parameter: string, kind: Nameable }[] = [
  { option: 'eni', flags: '--eni <eni>', parameter: 'NetworkInterfaceId', kind: NETWORK_INTERFACE },
  { option: 'instance', flags: '--instance <instance>', parameter: 'InstanceId', kind: INSTANCE },
  { option: 'igw', flags: '--igw <igw>', parameter: 'GatewayId', kind: INTERNET_GATEWAY },
  { option: 'nat', flags: '--nat <nat-gateway>', parameter: 'NatGatewayId', kind: NAT_GATEWAY },
  {
    option: 'eigw', flags: '--eigw <eigw>', parameter: 'EgressOnlyInternetGatewayId',
    kind: EGRESS_ONLY_INTERNET_GATEWAY
  },
  {
    option: 'peering', flags: '--peering <peering>', parameter: 'VpcPeeringConnectionId',
    kind: PEERING
  },
  { option: 'vgw', flags: '--vgw <vgw>', parameter: 'GatewayId', kind: VPN_GATEWAY }
]

const TARGET_OPTIONS: readonly CommandOption[] = TARGETS.map(({ flags, kind }) =>
  ({ flags, description: `target: id or Name tag of the ${kind.word}` }))

const TABLE_COLUMNS: readonly Column<RouteTable>[] = [
  { header: 'route table', value: (table) => table.RouteTableId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'vpc', value: (table) => table.VpcId ?? '', hides: true },
  { header: 'main', value: (table) => isMain(table) ? 'yes' : 'no', hides: true },
  { header: 'subnets', value: associatedIds, shrinks: true },
  { header: 'routes', value: (table) => String(table.Routes?.length ?? 0), align: 'right' }
]

const ROUTE_COLUMNS: readonly Column<Route>[] = [
  {
    header: 'destination',
    value: (route) => route.DestinationCidrBlock ?? route.DestinationIpv6CidrBlock ??
      route.DestinationPrefixListId ?? ''
  },
  { header: 'target', value: targetOf },
  { header: 'state', value: (route) => route.State ?? '' },
  { header: 'origin', value: (route) => route.Origin ?? '' }
]

const TABLE_ARGUMENT = { syntax: '<route-table>', description: 'id or Name tag' }
const DESTINATION_ARGUMENT = {
  syntax: '<destination>', description: 'IPv4 or IPv6 CIDR, or a prefix list'
}

const IGW_OPTION = {
  flags: '--igw <igw>', description: 'an internet gateway instead: routes what enters by it'
}

export const routeTableCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Create a custom route table',
    action: 'CreateRouteTable',
    arguments: [{ syntax: '<vpc>', description: 'id or Name tag' }],
    options: TAG_OPTIONS,
    examples: ['vpcctl route-table create web --name private'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const { RouteTable: table } = await ec2.call('CreateRouteTable', {
        VpcId: await resolveId(ec2, VPC, input.argument('vpc')),
        ...tagSpecification('route-table', input.tags())
      })
      context.output.row(table ?? {}, TABLE_COLUMNS, ({ RouteTableId }) => RouteTableId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List route tables',
    action: 'DescribeRouteTables',
    options: [{ flags: '--vpc <vpc>', description: 'of one VPC: id or Name tag' }],
    examples: ['vpcctl route-table list --vpc web'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const filter = await inVpc(ec2, input.text('vpc'))
      const tables = await ec2.all('DescribeRouteTables', filter, (page) => page.RouteTables)
      context.output.rows(tables, TABLE_COLUMNS, ({ RouteTableId }) => RouteTableId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show the routes of a route table',
    action: 'DescribeRouteTables',
    arguments: [TABLE_ARGUMENT],
    examples: ['vpcctl route-table show private'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, ROUTE_TABLE, input.argument('route-table'))
      const table = await describeTable(ec2, id)
      if (context.output.form !== 'human') context.output.tree(table, id)
      else context.output.rows(table.Routes ?? [], ROUTE_COLUMNS, () => id)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a custom route table that no subnet uses',
    action: 'DeleteRouteTable',
    arguments: [TABLE_ARGUMENT],
    examples: ['vpcctl route-table delete private'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, ROUTE_TABLE, input.argument('route-table'))
      await ec2.call('DeleteRouteTable', { RouteTableId: id })
      context.output.done(`Deleted ${id}.`, { RouteTableId: id })
    }
  }),
  defineCommand({
    name: 'add-route',
    summary: 'Add a route',
    action: 'CreateRoute',
    arguments: [TABLE_ARGUMENT, DESTINATION_ARGUMENT],
    options: TARGET_OPTIONS,
    examples: [
      'vpcctl route-table add-route private 192.0.2.0/24 --eni eni-0123456789abcdef0',
      'vpcctl route-table add-route private 2001:db8:ffff::/48 --instance appliance',
      'vpcctl route-table add-route private offices --instance appliance',
      'vpcctl route-table add-route public 0.0.0.0/0 --igw door',
      'vpcctl route-table add-route private 0.0.0.0/0 --nat nat',
      'vpcctl route-table add-route private 64:ff9b::/96 --nat nat',
      'vpcctl route-table add-route private 10.1.0.0/16 --peering web-data',
      'vpcctl route-table add-route private 192.168.0.0/16 --vgw office'
    ],
    async run (context, input) {
      const ec2 = await context.ec2()
      const route = { ...await routeInput(ec2, input), ...await targetInput(ec2, input) }
      await ec2.call('CreateRoute', route)
      const destination = input.argument('destination')
      context.output.done(`Added ${destination} to ${route.RouteTableId}.`, route)
    }
  }),
  defineCommand({
    name: 'replace-route',
    summary: 'Point a route at another target',
    action: 'ReplaceRoute',
    arguments: [TABLE_ARGUMENT, DESTINATION_ARGUMENT],
    options: [
      ...TARGET_OPTIONS,
      { flags: '--local', description: 'target: the local route that the VPC made, restored' }
    ],
    examples: ['vpcctl route-table replace-route private 192.0.2.0/24 --instance appliance-2'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const target = input.flag('local') ? { LocalTarget: true } : await targetInput(ec2, input)
      const route = { ...await routeInput(ec2, input), ...target }
      await ec2.call('ReplaceRoute', route)
      const destination = input.argument('destination')
      context.output.done(`Replaced ${destination} in ${route.RouteTableId}.`, route)
    }
  }),
  defineCommand({
    name: 'delete-route',
    summary: 'Delete a route',
    action: 'DeleteRoute',
    arguments: [TABLE_ARGUMENT, DESTINATION_ARGUMENT],
    examples: ['vpcctl route-table delete-route private 192.0.2.0/24'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const route = await routeInput(ec2, input)
      await ec2.call('DeleteRoute', route)
      const destination = input.argument('destination')
      context.output.done(`Deleted ${destination} from ${route.RouteTableId}.`, route)
    }
  }),
  defineCommand({
    name: 'associate',
    summary: 'Let a subnet, or a gateway, use a route table, whichever it used before',
    action: 'AssociateRouteTable, or ReplaceRouteTableAssociation when there is one already',
    arguments: [TABLE_ARGUMENT,
      { syntax: '[subnet]', description: 'id or Name tag; left out with --igw' }],
    options: [IGW_OPTION],
    examples: [
      'vpcctl route-table associate private back',
      'vpcctl route-table associate inspect --igw door'
    ],
    async run (context, input) {
      const ec2 = await context.ec2()
      const [RouteTableId, thing] = await Promise.all([
        resolveId(ec2, ROUTE_TABLE, input.argument('route-table')), thingOf(ec2, input)])
      const present = await associationOf(ec2, thing)
      const answer = present === undefined
        ? (await ec2.call('AssociateRouteTable', { RouteTableId, ...thing })).AssociationId
        : (await ec2.call('ReplaceRouteTableAssociation', { AssociationId: present, RouteTableId }))
          .NewAssociationId
      context.output.done(`Associated ${idOf(thing)} with ${RouteTableId} (${answer ?? ''}).`,
        { RouteTableId, ...thing, AssociationId: answer })
    }
  }),
  defineCommand({
    name: 'disassociate',
    summary: 'Let a subnet use the main route table again, or a gateway none',
    action: 'DisassociateRouteTable',
    arguments: [{ syntax: '[subnet]', description: 'id or Name tag; left out with --igw' }],
    options: [IGW_OPTION],
    examples: ['vpcctl route-table disassociate back'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const thing = await thingOf(ec2, input)
      const AssociationId = await associationOf(ec2, thing)
      if (AssociationId === undefined) {
        throw new CtlError('NameNotFound', `${idOf(thing)} has no route table of its own`)
      }
      await ec2.call('DisassociateRouteTable', { AssociationId })
      context.output.done(`Disassociated ${idOf(thing)}.`, { ...thing, AssociationId })
    }
  }),
  defineCommand({
    name: 'propagate',
    summary: 'Let the routes of a virtual private gateway appear in a route table, or no more',
    action: 'EnableVgwRoutePropagation, or DisableVgwRoutePropagation with --off',
    arguments: [TABLE_ARGUMENT, { syntax: '<vgw>', description: 'id or Name tag' }],
    options: [{ flags: '--off', description: 'no more' }],
    examples: [
      'vpcctl route-table propagate private office',
      'vpcctl route-table propagate private office --off'
    ],
    async run (context, input) {
      const ec2 = await context.ec2()
      const [RouteTableId, GatewayId] = await Promise.all([
        resolveId(ec2, ROUTE_TABLE, input.argument('route-table')),
        resolveId(ec2, VPN_GATEWAY, input.argument('vgw'))])
      const isOff = input.flag('off')
      await ec2.call(isOff ? 'DisableVgwRoutePropagation' : 'EnableVgwRoutePropagation',
        { RouteTableId, GatewayId })
      context.output.done(
        `Routes of ${GatewayId} ${isOff ? 'no longer ' : ''}appear in ${RouteTableId}.`,
        { RouteTableId, GatewayId })
    }
  })
]

async function describeTable (ec2: Ec2Client, id: string): Promise<RouteTable> {
  const { RouteTables: tables } = await ec2.call('DescribeRouteTables', { RouteTableId: [id] })
  return tables?.[0] ?? {}
}

/** What a table is associated with. */
type Thing = { readonly SubnetId: string } | { readonly GatewayId: string }

function idOf (thing: Thing): string {
  return 'SubnetId' in thing ? thing.SubnetId : thing.GatewayId
}

async function thingOf (ec2: Ec2Client, input: Input): Promise<Thing> {
  const [subnet, igw] = [input.optionalArgument('subnet'), input.text('igw')]
  if (subnet !== undefined && igw === undefined) {
    return { SubnetId: await resolveId(ec2, SUBNET, subnet) }
  }
  if (subnet === undefined && igw !== undefined) {
    return { GatewayId: await resolveId(ec2, INTERNET_GATEWAY, igw) }
  }
  throw usageError('either [subnet] or --igw is needed')
}

/** The association of a subnet's, or a gateway's, own; undefined while it has none. */
async function associationOf (ec2: Ec2Client, thing: Thing): Promise<string | undefined> {
  const id = idOf(thing)
  const Name = 'SubnetId' in thing ? 'association.subnet-id' : 'association.gateway-id'
  const tables = await ec2.all('DescribeRouteTables', { Filter: [{ Name, Value: [id] }] },
    (page) => page.RouteTables)
  return tables.flatMap((table) => table.Associations ?? [])
    .find(({ SubnetId, GatewayId }) => SubnetId === id || GatewayId === id)
    ?.RouteTableAssociationId
}

async function routeInput (ec2: Ec2Client,
  input: Input): Promise<QueryInput & { RouteTableId: string }> {
  const destination = input.argument('destination')
  const RouteTableId = await resolveId(ec2, ROUTE_TABLE, input.argument('route-table'))
  if (destination.includes(':')) return { RouteTableId, DestinationIpv6CidrBlock: destination }
  if (destination.includes('/')) return { RouteTableId, DestinationCidrBlock: destination }
  return { RouteTableId, DestinationPrefixListId: await resolveId(ec2, PREFIX_LIST, destination) }
}

async function targetInput (ec2: Ec2Client, input: Input): Promise<QueryInput> {
  const given = TARGETS.filter(({ option }) => input.text(option) !== undefined)
  const [target] = given
  if (target === undefined || given.length > 1) {
    throw usageError(
      `exactly one target is needed: ${TARGETS.map(({ flags }) => flags).join(', ')}`)
  }
  return { [target.parameter]: await resolveId(ec2, target.kind, input.needed(target.option)) }
}

function isMain (table: RouteTable): boolean {
  return table.Associations?.some((association) => association.Main === true) ?? false
}

/** Subnets, and the gateway whose incoming packets the table routes. */
function associatedIds (table: RouteTable): string {
  return (table.Associations ?? [])
    .flatMap(({ SubnetId, GatewayId }) => SubnetId ?? GatewayId ?? []).join(',')
}

function targetOf (route: Route): string {
  return route.NetworkInterfaceId ?? route.GatewayId ?? route.NatGatewayId ??
    route.TransitGatewayId ?? route.VpcPeeringConnectionId ??
    route.EgressOnlyInternetGatewayId ?? ''
}
