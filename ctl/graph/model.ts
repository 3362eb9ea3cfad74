/**
 * The lab as a tree: what `vpcctl graph --format json` prints and what every picture is drawn from.
 * Read through the EC2 API, so that it is what any AWS client would see; the hosts come from the
 * admin API. Everything is in the order of its creation: the same lab gives the same text.
 *
 *     Graph ─┬─ hosts
 *            ├─ vpcs ─┬─ zones ── subnets ── interfaces (with the instance or NAT gateway of each)
 *            │        ├─ routeTables ── routes
 *            │        └─ gateways
 *            └─ connections ─┬─ peerings
 *                            └─ vpnConnections ── tunnels
 */
import type {
  CustomerGateway, EgressOnlyInternetGateway, Instance, InternetGateway, NatGateway,
  NetworkInterface, Route, RouteTable, Subnet, Vpc, VpcPeeringConnection, VpnConnection, VpnGateway
} from '@aws-sdk/client-ec2'
import type { Context } from '../context.ts'
import { describeInstances } from '../instances.ts'
import { inVpc, nameOf } from '../resolve.ts'

export interface Graph {
  readonly lab: string
  readonly region: string
  readonly hosts: readonly GraphHost[]
  readonly vpcs: readonly GraphVpc[]
  readonly connections: GraphConnections
}

/** What joins the VPCs of the picture to each other and to other networks. */
export interface GraphConnections {
  readonly peerings: readonly GraphPeering[]
  readonly vpnConnections: readonly GraphVpnConnection[]
  /** Virtual private gateways that are in no VPC and have connections. */
  readonly gateways: readonly GraphGateway[]
  readonly customerGateways: readonly GraphCustomerGateway[]
}

export interface GraphPeering {
  readonly id: string
  readonly name: string
  readonly requesterVpcId: string
  readonly accepterVpcId: string
  /** `active`, `pending-acceptance` */
  readonly state: string
}

export interface GraphVpnConnection {
  readonly id: string
  readonly name: string
  readonly vpnGatewayId: string
  readonly customerGatewayId: string
  readonly routing: 'static' | 'BGP'
  readonly tunnels: readonly GraphTunnel[]
}

export interface GraphTunnel {
  readonly outsideAddress: string
  readonly insideCidr: string
  readonly isUp: boolean
}

export interface GraphCustomerGateway {
  readonly id: string
  readonly name: string
  /** Empty for one that proves itself with a certificate. */
  readonly address: string
  readonly asn: string
}

export interface GraphHost {
  readonly name: string
  readonly zoneId: string
  readonly underlayAddress: string
  /** Interfaces that are open on it. */
  readonly interfaces: number
}

export interface GraphVpc {
  readonly id: string
  readonly name: string
  readonly cidrBlocks: readonly string[]
  readonly zones: readonly GraphZone[]
  readonly routeTables: readonly GraphRouteTable[]
  /** Those of the VPC as a whole: to the internet, egress-only, virtual private ones. */
  readonly gateways: readonly GraphGateway[]
}

export interface GraphGateway {
  readonly id: string
  readonly name: string
  /** `internet gateway`, `egress-only internet gateway`, `NAT gateway`, … */
  readonly kind: string
}

export interface GraphZone {
  readonly zoneId: string
  readonly zoneName: string
  readonly subnets: readonly GraphSubnet[]
}

export interface GraphSubnet {
  readonly id: string
  readonly name: string
  readonly cidrBlocks: readonly string[]
  /** The table it is associated with, or the main one; null for none. */
  readonly routeTableId: string | null
  readonly interfaces: readonly GraphInterface[]
}

export interface GraphInterface {
  readonly id: string
  readonly name: string
  readonly addresses: readonly string[]
  readonly publicAddresses: readonly string[]
  readonly deviceIndex: number | null
  readonly instance: GraphInstance | null
  /** NAT gateway whose ENI it is; null for an ENI of people. */
  readonly natGateway: GraphGateway | null
}

export interface GraphInstance {
  readonly id: string
  readonly name: string
  readonly state: string
  /** null while it runs nowhere. */
  readonly host: string | null
}

export interface GraphRouteTable {
  readonly id: string
  readonly name: string
  readonly isMain: boolean
  readonly routes: readonly GraphRoute[]
}

export interface GraphRoute {
  readonly destination: string
  /** `local`, or the id of an ENI or gateway. */
  readonly target: string
  readonly state: 'active' | 'blackhole'
}

interface Described {
  readonly vpcs: readonly Vpc[]
  readonly subnets: readonly Subnet[]
  readonly routeTables: readonly RouteTable[]
  readonly interfaces: readonly NetworkInterface[]
  readonly instances: ReadonlyMap<string, Instance>
  readonly internetGateways: readonly InternetGateway[]
  readonly egressOnlyInternetGateways: readonly EgressOnlyInternetGateway[]
  readonly natGateways: readonly NatGateway[]
  readonly vpnGateways: readonly VpnGateway[]
}

interface DescribedConnections {
  readonly vpcIds: ReadonlySet<string>
  readonly peerings: readonly VpcPeeringConnection[]
  readonly vpnGateways: readonly VpnGateway[]
  readonly vpnConnections: readonly VpnConnection[]
  readonly customerGateways: readonly CustomerGateway[]
}

/** @param vpc id or Name tag of the only VPC wanted; undefined for all */
export async function readGraph (context: Context, vpc: string | undefined): Promise<Graph> {
  const [ec2, status] = await Promise.all([context.ec2(), context.admin.status()])
  const filter = await inVpc(ec2, vpc)
  const [vpcs, subnets, routeTables, interfaces, instances, internetGateways,
    egressOnlyInternetGateways, natGateways, peerings, { VpnGateways: vpnGateways = [] },
    { VpnConnections: vpnConnections = [] }, { CustomerGateways: customerGateways = [] }
  ] = await Promise.all([
    ec2.all('DescribeVpcs', filter, (page) => page.Vpcs),
    ec2.all('DescribeSubnets', filter, (page) => page.Subnets),
    ec2.all('DescribeRouteTables', filter, (page) => page.RouteTables),
    ec2.all('DescribeNetworkInterfaces', filter, (page) => page.NetworkInterfaces),
    describeInstances(ec2, filter),
    ec2.all('DescribeInternetGateways', {}, (page) => page.InternetGateways),
    ec2.all('DescribeEgressOnlyInternetGateways', { MaxResults: 255 },
      (page) => page.EgressOnlyInternetGateways),
    ec2.all('DescribeNatGateways', filter, (page) => page.NatGateways),
    ec2.all('DescribeVpcPeeringConnections', {}, (page) => page.VpcPeeringConnections),
    ec2.call('DescribeVpnGateways', {}), ec2.call('DescribeVpnConnections', {}),
    ec2.call('DescribeCustomerGateways', {})
  ])
  return {
    lab: status.lab,
    region: status.region,
    hosts: status.hosts.map(({ name, zoneId, underlayAddress, ports }) =>
      ({ name, zoneId, underlayAddress, interfaces: ports })),
    vpcs: graphVpcs({
      vpcs, subnets, routeTables, interfaces, internetGateways, egressOnlyInternetGateways,
      natGateways, vpnGateways,
      instances: new Map(instances.map((instance) => [instance.InstanceId ?? '', instance]))
    }),
    connections: graphConnections({
      vpcIds: new Set(vpcs.map(({ VpcId = '' }) => VpcId)), peerings, vpnGateways, vpnConnections,
      customerGateways
    })
  }
}

/** The tree of what the Describe calls answered. */
export function graphVpcs (described: Described): GraphVpc[] {
  return described.vpcs.map((vpc) => {
    const id = vpc.VpcId ?? ''
    const routeTables = described.routeTables.filter(({ VpcId }) => VpcId === id)
    const subnets = described.subnets.filter(({ VpcId }) => VpcId === id)
    return {
      id,
      name: nameOf(vpc),
      cidrBlocks: [
        ...(vpc.CidrBlockAssociationSet ?? []).map(({ CidrBlock }) => CidrBlock ?? ''),
        ...(vpc.Ipv6CidrBlockAssociationSet ?? []).map(({ Ipv6CidrBlock }) => Ipv6CidrBlock ?? '')
      ],
      zones: zonesOf(subnets, routeTables, described),
      routeTables: routeTables.map(graphRouteTable),
      gateways: gatewaysOf(id, described)
    }
  })
}

function gatewaysOf (vpcId: string, described: Described): GraphGateway[] {
  const isHere = ({ Attachments }: Pick<InternetGateway, 'Attachments'>): boolean =>
    Attachments?.some(({ VpcId }) => VpcId === vpcId) ?? false
  return [
    ...described.internetGateways.filter(isHere).map((gateway) => ({
      id: gateway.InternetGatewayId ?? '', name: nameOf(gateway), kind: 'internet gateway'
    })),
    ...described.egressOnlyInternetGateways.filter(isHere).map((gateway) => ({
      id: gateway.EgressOnlyInternetGatewayId ?? '', name: nameOf(gateway),
      kind: 'egress-only internet gateway'
    })),
    ...described.vpnGateways.filter((gateway) => vpcIdOf(gateway) === vpcId).map(graphVpnGateway)
  ]
}

function vpcIdOf ({ VpcAttachments }: VpnGateway): string | undefined {
  return VpcAttachments?.find(({ State }) => State !== 'detached' && State !== 'detaching')?.VpcId
}

function graphVpnGateway (gateway: VpnGateway): GraphGateway {
  return {
    id: gateway.VpnGatewayId ?? '', name: nameOf(gateway), kind: 'virtual private gateway'
  }
}

/** Those that have one end in the picture; deleted ones are in none. */
export function graphConnections (described: DescribedConnections): GraphConnections {
  const { vpcIds, vpnGateways } = described
  const isHere = (id: string | undefined): boolean => vpcIds.has(id ?? '')
  const peerings = described.peerings.filter(({ Status, RequesterVpcInfo, AccepterVpcInfo }) =>
    ['active', 'pending-acceptance'].includes(Status?.Code ?? '') &&
    (isHere(RequesterVpcInfo?.VpcId) || isHere(AccepterVpcInfo?.VpcId)))
  const connections = described.vpnConnections.filter(({ State, VpnGatewayId }) =>
    State !== 'deleted' && State !== 'deleting' && vpnGateways.some((gateway) =>
      gateway.VpnGatewayId === VpnGatewayId &&
      (vpcIdOf(gateway) === undefined || isHere(vpcIdOf(gateway)))))
  return {
    peerings: peerings.map((peering) => ({
      id: peering.VpcPeeringConnectionId ?? '',
      name: nameOf(peering),
      requesterVpcId: peering.RequesterVpcInfo?.VpcId ?? '',
      accepterVpcId: peering.AccepterVpcInfo?.VpcId ?? '',
      state: peering.Status?.Code ?? ''
    })),
    vpnConnections: connections.map(graphVpnConnection),
    gateways: vpnGateways.filter((gateway) => vpcIdOf(gateway) === undefined &&
      connections.some(({ VpnGatewayId }) => VpnGatewayId === gateway.VpnGatewayId))
      .map(graphVpnGateway),
    customerGateways: described.customerGateways.filter(({ CustomerGatewayId: id }) =>
      connections.some(({ CustomerGatewayId }) => CustomerGatewayId === id))
      .map((gateway) => ({
        id: gateway.CustomerGatewayId ?? '',
        name: nameOf(gateway),
        address: gateway.IpAddress ?? '',
        asn: gateway.BgpAsn ?? gateway.BgpAsnExtended ?? ''
      }))
  }
}

function graphVpnConnection (connection: VpnConnection): GraphVpnConnection {
  const { VgwTelemetry = [], Options } = connection
  return {
    id: connection.VpnConnectionId ?? '',
    name: nameOf(connection),
    vpnGatewayId: connection.VpnGatewayId ?? '',
    customerGatewayId: connection.CustomerGatewayId ?? '',
    routing: Options?.StaticRoutesOnly === true ? 'static' : 'BGP',
    tunnels: (Options?.TunnelOptions ?? []).map(({ OutsideIpAddress = '', TunnelInsideCidr }) => ({
      outsideAddress: OutsideIpAddress,
      insideCidr: TunnelInsideCidr ?? '',
      isUp: VgwTelemetry.some((one) =>
        one.OutsideIpAddress === OutsideIpAddress && one.Status === 'UP')
    }))
  }
}

/** By zone id, so that the order does not depend on which zone was used first. */
function zonesOf (subnets: readonly Subnet[], tables: readonly RouteTable[],
  described: Described): GraphZone[] {
  const zones = Map.groupBy(subnets, ({ AvailabilityZoneId }) => AvailabilityZoneId ?? '')
  return [...zones].toSorted(([one], [other]) => one < other ? -1 : 1)
    .map(([zoneId, members]) => ({
      zoneId,
      zoneName: members[0]?.AvailabilityZone ?? '',
      subnets: members.map((subnet) => graphSubnet(subnet, tables, described))
    }))
}

function graphSubnet (subnet: Subnet, tables: readonly RouteTable[],
  described: Described): GraphSubnet {
  const id = subnet.SubnetId ?? ''
  return {
    id,
    name: nameOf(subnet),
    cidrBlocks: [
      ...subnet.CidrBlock === undefined ? [] : [subnet.CidrBlock],
      ...(subnet.Ipv6CidrBlockAssociationSet ?? []).map(({ Ipv6CidrBlock }) => Ipv6CidrBlock ?? '')
    ],
    routeTableId: tableOfSubnet(id, tables)?.RouteTableId ?? null,
    interfaces: described.interfaces.filter(({ SubnetId }) => SubnetId === id)
      .map((one) => graphInterface(one, described))
  }
}

function tableOfSubnet (subnetId: string, tables: readonly RouteTable[]): RouteTable | undefined {
  return tables.find(({ Associations }) =>
    Associations?.some(({ SubnetId }) => SubnetId === subnetId)) ?? tables.find(isMain)
}

function isMain ({ Associations }: RouteTable): boolean {
  return Associations?.some(({ Main }) => Main === true) ?? false
}

function graphInterface (
  one: NetworkInterface, { instances, natGateways }: Described
): GraphInterface {
  const nat = natGateways.find(({ State, NatGatewayAddresses }) => State !== 'deleted' &&
    NatGatewayAddresses?.some((address) => address.NetworkInterfaceId === one.NetworkInterfaceId))
  const { InstanceId, DeviceIndex } = one.Attachment ?? {}
  const instance = InstanceId === undefined ? undefined : instances.get(InstanceId)
  const tagged = { Tags: one.TagSet }
  return {
    id: one.NetworkInterfaceId ?? '',
    name: nameOf(tagged),
    addresses: [
      ...(one.PrivateIpAddresses ?? []).map(({ PrivateIpAddress }) => PrivateIpAddress ?? ''),
      ...(one.Ipv6Addresses ?? []).map(({ Ipv6Address }) => Ipv6Address ?? '')
    ],
    publicAddresses: (one.PrivateIpAddresses ?? [])
      .flatMap(({ Association }) => Association?.PublicIp ?? []),
    deviceIndex: DeviceIndex ?? null,
    natGateway: nat === undefined ? null
      : { id: nat.NatGatewayId ?? '', name: nameOf(nat), kind: 'NAT gateway' },
    instance: instance === undefined
      ? null
      : {
          id: instance.InstanceId ?? '',
          name: nameOf(instance),
          state: instance.State?.Name ?? '',
          host: instance.Placement?.HostId ?? null
        }
  }
}

function graphRouteTable (table: RouteTable): GraphRouteTable {
  return {
    id: table.RouteTableId ?? '',
    name: nameOf(table),
    isMain: isMain(table),
    routes: (table.Routes ?? []).map((route) => ({
      destination: route.DestinationCidrBlock ?? route.DestinationIpv6CidrBlock ??
        route.DestinationPrefixListId ?? '',
      target: targetOf(route),
      state: route.State === 'blackhole' ? 'blackhole' : 'active'
    }))
  }
}

function targetOf (route: Route): string {
  return route.NetworkInterfaceId ?? route.GatewayId ?? route.NatGatewayId ??
    route.EgressOnlyInternetGatewayId ?? route.VpcPeeringConnectionId ?? route.TransitGatewayId ??
    route.LocalGatewayId ?? route.CarrierGatewayId ?? route.CoreNetworkArn ?? ''
}
