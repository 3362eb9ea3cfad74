/**
 * Names instead of ids. Wherever a command takes an id it takes the value of the resource's tag
 * "Name" too, if exactly one resource has it; an id is known by its prefix and never looked up.
 */
import type { Ec2Client } from './ec2_client.ts'
import { CtlError } from './exit_codes.ts'

/** A kind of resource that can be named, and how to find those of it. */
export interface Nameable {
  /** For messages: `VPC`. */
  readonly word: string
  /** The noun of `vpcctl` that lists them. */
  readonly noun: string
  readonly idPrefix: string
  /** All that pass `filters`. */
  readonly list: (ec2: Ec2Client, filters: readonly Filter[]) => Promise<readonly Named[]>
  /** Filters of which each finds those with the name. */
  readonly nameFilters: readonly string[]
}

/** A resource and its names; most have one, the Name tag. */
export interface Named { readonly id: string, readonly names: readonly string[] }

export interface Filter {
  readonly [member: string]: string | readonly string[]
  readonly Name: string
  readonly Value: readonly string[]
}

const NAME_TAG = ['tag:Name']

export const VPC: Nameable = {
  word: 'VPC',
  noun: 'vpc',
  idPrefix: 'vpc-',
  nameFilters: NAME_TAG,
  list: async (ec2, Filter) =>
    (await ec2.all('DescribeVpcs', { Filter }, (page) => page.Vpcs))
      .map((vpc) => named(vpc.VpcId, vpc.Tags))
}

export const SUBNET: Nameable = {
  word: 'subnet',
  noun: 'subnet',
  idPrefix: 'subnet-',
  nameFilters: NAME_TAG,
  list: async (ec2, Filter) =>
    (await ec2.all('DescribeSubnets', { Filter }, (page) => page.Subnets))
      .map((subnet) => named(subnet.SubnetId, subnet.Tags))
}

export const ROUTE_TABLE: Nameable = {
  word: 'route table',
  noun: 'route-table',
  idPrefix: 'rtb-',
  nameFilters: NAME_TAG,
  list: async (ec2, Filter) =>
    (await ec2.all('DescribeRouteTables', { Filter }, (page) => page.RouteTables))
      .map((table) => named(table.RouteTableId, table.Tags))
}

export const NETWORK_INTERFACE: Nameable = {
  word: 'network interface',
  noun: 'eni',
  idPrefix: 'eni-',
  nameFilters: NAME_TAG,
  list: async (ec2, Filter) =>
    (await ec2.all('DescribeNetworkInterfaces', { Filter }, (page) => page.NetworkInterfaces))
      .map((eni) => named(eni.NetworkInterfaceId, eni.TagSet))
}

/** Terminated instances keep their names for an hour; they do not count. */
export const INSTANCE: Nameable = {
  word: 'instance',
  noun: 'instance',
  idPrefix: 'i-',
  nameFilters: NAME_TAG,
  list: async (ec2, filters) => {
    const alive = {
      Name: 'instance-state-name', Value: ['pending', 'running', 'stopping', 'stopped']
    }
    const reservations = await ec2.all('DescribeInstances', { Filter: [...filters, alive] },
      (page) => page.Reservations)
    return reservations.flatMap((reservation) => reservation.Instances ?? [])
      .map((instance) => named(instance.InstanceId, instance.Tags))
  }
}

/** Security groups have names of their own (`GroupName`), which count as well. */
export const SECURITY_GROUP: Nameable = {
  word: 'security group',
  noun: 'security-group',
  idPrefix: 'sg-',
  nameFilters: ['tag:Name', 'group-name'],
  list: async (ec2, Filter) =>
    (await ec2.all('DescribeSecurityGroups', { Filter }, (page) => page.SecurityGroups))
      .map((group) => named(group.GroupId, group.Tags, group.GroupName))
}

export const NETWORK_ACL: Nameable = {
  word: 'network ACL',
  noun: 'network-acl',
  idPrefix: 'acl-',
  nameFilters: NAME_TAG,
  list: async (ec2, Filter) =>
    (await ec2.all('DescribeNetworkAcls', { Filter }, (page) => page.NetworkAcls))
      .map((acl) => named(acl.NetworkAclId, acl.Tags))
}

/** Only those that are, or may become, active: ended ones keep their names for a while. */
export const PEERING: Nameable = {
  word: 'peering',
  noun: 'peering',
  idPrefix: 'pcx-',
  nameFilters: NAME_TAG,
  list: async (ec2, filters) => {
    const open = {
      Name: 'status-code',
      Value: ['initiating-request', 'pending-acceptance', 'provisioning', 'active']
    }
    return (await ec2.all('DescribeVpcPeeringConnections', { Filter: [...filters, open] },
      (page) => page.VpcPeeringConnections))
      .map((one) => named(one.VpcPeeringConnectionId, one.Tags))
  }
}

export const TRAFFIC_MIRROR_TARGET: Nameable = {
  word: 'mirror target',
  noun: 'mirror-target',
  idPrefix: 'tmt-',
  nameFilters: NAME_TAG,
  list: async (ec2, Filter) => (await ec2.all('DescribeTrafficMirrorTargets', { Filter },
    (page) => page.TrafficMirrorTargets))
    .map((target) => named(target.TrafficMirrorTargetId, target.Tags))
}

export const TRAFFIC_MIRROR_FILTER: Nameable = {
  word: 'mirror filter',
  noun: 'mirror-filter',
  idPrefix: 'tmf-',
  nameFilters: NAME_TAG,
  list: async (ec2, Filter) => (await ec2.all('DescribeTrafficMirrorFilters', { Filter },
    (page) => page.TrafficMirrorFilters))
    .map((filter) => named(filter.TrafficMirrorFilterId, filter.Tags))
}

export const TRAFFIC_MIRROR_SESSION: Nameable = {
  word: 'mirror session',
  noun: 'mirror',
  idPrefix: 'tms-',
  nameFilters: NAME_TAG,
  list: async (ec2, Filter) => (await ec2.all('DescribeTrafficMirrorSessions', { Filter },
    (page) => page.TrafficMirrorSessions))
    .map((session) => named(session.TrafficMirrorSessionId, session.Tags))
}

/** Prefix lists have names of their own (`PrefixListName`), which count as well. */
export const PREFIX_LIST: Nameable = {
  word: 'prefix list',
  noun: 'prefix-list',
  idPrefix: 'pl-',
  nameFilters: ['tag:Name', 'prefix-list-name'],
  list: async (ec2, Filter) =>
    (await ec2.all('DescribeManagedPrefixLists', { MaxResults: 100, Filter },
      (page) => page.PrefixLists))
      .map((list) => named(list.PrefixListId, list.Tags, list.PrefixListName))
}

export const DHCP_OPTIONS: Nameable = {
  word: 'DHCP option set',
  noun: 'dhcp-options',
  idPrefix: 'dopt-',
  nameFilters: NAME_TAG,
  list: async (ec2, Filter) =>
    (await ec2.all('DescribeDhcpOptions', { Filter }, (page) => page.DhcpOptions))
      .map((options) => named(options.DhcpOptionsId, options.Tags))
}

export const INTERNET_GATEWAY: Nameable = {
  word: 'internet gateway',
  noun: 'igw',
  idPrefix: 'igw-',
  nameFilters: NAME_TAG,
  list: async (ec2, Filter) =>
    (await ec2.all('DescribeInternetGateways', { Filter }, (page) => page.InternetGateways))
      .map((gateway) => named(gateway.InternetGatewayId, gateway.Tags))
}

export const EGRESS_ONLY_INTERNET_GATEWAY: Nameable = {
  word: 'egress-only internet gateway',
  noun: 'eigw',
  idPrefix: 'eigw-',
  nameFilters: NAME_TAG,
  list: async (ec2, Filter) => (await ec2.all('DescribeEgressOnlyInternetGateways',
    { MaxResults: 255, Filter }, (page) => page.EgressOnlyInternetGateways))
    .map((gateway) => named(gateway.EgressOnlyInternetGatewayId, gateway.Tags))
}

/** Deleted NAT gateways keep their names for an hour; they do not count. */
export const NAT_GATEWAY: Nameable = {
  word: 'NAT gateway',
  noun: 'nat-gateway',
  idPrefix: 'nat-',
  nameFilters: NAME_TAG,
  list: async (ec2, filters) => {
    const alive = { Name: 'state', Value: ['pending', 'available', 'failed'] }
    return (await ec2.all('DescribeNatGateways', { Filter: [...filters, alive] },
      (page) => page.NatGateways)).map((gateway) => named(gateway.NatGatewayId, gateway.Tags))
  }
}

/** What is deleted keeps its name for an hour; it does not count. */
const NOT_DELETED = { Name: 'state', Value: ['pending', 'available', 'modifying'] }

export const VPN_GATEWAY: Nameable = {
  word: 'virtual private gateway',
  noun: 'vgw',
  idPrefix: 'vgw-',
  nameFilters: NAME_TAG,
  list: async (ec2, filters) => ((await ec2.call('DescribeVpnGateways',
    { Filter: [...filters, NOT_DELETED] })).VpnGateways ?? [])
    .map((gateway) => named(gateway.VpnGatewayId, gateway.Tags))
}

/** Customer gateways are named by their addresses as well. */
export const CUSTOMER_GATEWAY: Nameable = {
  word: 'customer gateway',
  noun: 'cgw',
  idPrefix: 'cgw-',
  nameFilters: ['tag:Name', 'ip-address'],
  list: async (ec2, filters) => ((await ec2.call('DescribeCustomerGateways',
    { Filter: [...filters, NOT_DELETED] })).CustomerGateways ?? [])
    .map((gateway) => named(gateway.CustomerGatewayId, gateway.Tags, gateway.IpAddress))
}

export const VPN_CONNECTION: Nameable = {
  word: 'VPN connection',
  noun: 'vpn',
  idPrefix: 'vpn-',
  nameFilters: NAME_TAG,
  list: async (ec2, filters) => ((await ec2.call('DescribeVpnConnections',
    { Filter: [...filters, NOT_DELETED] })).VpnConnections ?? [])
    .map((connection) => named(connection.VpnConnectionId, connection.Tags))
}

/** Elastic IPs are named by themselves as well. */
export const ADDRESS: Nameable = {
  word: 'Elastic IP address',
  noun: 'eip',
  idPrefix: 'eipalloc-',
  nameFilters: ['tag:Name', 'public-ip'],
  list: async (ec2, Filter) =>
    ((await ec2.call('DescribeAddresses', { Filter })).Addresses ?? [])
      .map((address) => named(address.AllocationId, address.Tags, address.PublicIp))
}

export const NAMEABLES: readonly Nameable[] = [
  VPC, SUBNET, ROUTE_TABLE, NETWORK_INTERFACE, INSTANCE, SECURITY_GROUP, NETWORK_ACL, PREFIX_LIST,
  DHCP_OPTIONS, INTERNET_GATEWAY, EGRESS_ONLY_INTERNET_GATEWAY, NAT_GATEWAY, ADDRESS, PEERING,
  VPN_GATEWAY, CUSTOMER_GATEWAY, VPN_CONNECTION
]

/** Nothing of the kind has the name: hints.ts says which come near. */
export class NameNotFound extends CtlError {
  readonly kind: Nameable
  readonly reference: string
  constructor (kind: Nameable, reference: string) {
    super('NameNotFound',
      `No ${kind.word} has the Name tag "${reference}"; an id begins with "${kind.idPrefix}"`)
    this.kind = kind
    this.reference = reference
  }
}

/**
 * The id that `reference` (an id or a Name tag) means.
 * @throws CtlError `NameNotFound`, `NameAmbiguous`
 */
export async function resolveId (ec2: Ec2Client, kind: Nameable,
  reference: string): Promise<string> {
  if (reference.startsWith(kind.idPrefix)) return reference
  const found = await Promise.all(kind.nameFilters.map((Name) =>
    kind.list(ec2, [{ Name, Value: [escapeFilter(reference)] }])))
  const ids = [...new Set(found.flat().map(({ id }) => id))]
  const [id] = ids
  if (id === undefined) throw new NameNotFound(kind, reference)
  if (ids.length > 1) {
    throw new CtlError('NameAmbiguous',
      `${String(ids.length)} ${kind.word}s have the Name tag "${reference}": ` +
      `use one of their ids: ${ids.join(', ')}`)
  }
  return id
}

export async function resolveIds (ec2: Ec2Client, kind: Nameable,
  references: readonly string[]): Promise<string[]> {
  return Promise.all(references.map((reference) => resolveId(ec2, kind, reference)))
}

/** A filter value takes `*` and `?` as wildcards; a backslash takes them literally. */
export function escapeFilter (text: string): string {
  return text.replace(/[\\*?]/g, '\\$&')
}

function named (id: string | undefined, tags: TagsOutput, ...names: (string | undefined)[]): Named {
  return {
    id: id ?? '',
    names: [nameOf({ Tags: tags }), ...names]
      .filter((name): name is string => name !== undefined && name !== '')
  }
}

type TagsOutput =
  readonly { Key?: string | undefined, Value?: string | undefined }[] | undefined

/** The value of the tag "Name", or an empty text. */
export function nameOf (resource: { readonly Tags?: TagsOutput }): string {
  return resource.Tags?.find((tag) => tag.Key === 'Name')?.Value ?? ''
}

interface Tag { readonly [member: string]: string, readonly Key: string, readonly Value: string }

/** `TagSpecification` for one kind of resource, or nothing for no tags. */
export function tagSpecification (resourceType: string,
  tags: readonly Tag[]): { TagSpecification?: { ResourceType: string, Tag: readonly Tag[] }[] } {
  return tags.length === 0 ? {} : { TagSpecification: [{ ResourceType: resourceType, Tag: tags }] }
}

/** Input of a Describe call that lists what is in one VPC, or everything when none is named. */
export async function inVpc (
  ec2: Ec2Client, vpc: string | undefined
): Promise<{ Filter?: { Name: string, Value: string[] }[] }> {
  if (vpc === undefined) return {}
  return { Filter: [{ Name: 'vpc-id', Value: [await resolveId(ec2, VPC, vpc)] }] }
}
